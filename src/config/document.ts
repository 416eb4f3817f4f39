import { allowed, type LoadedSettings, type Source } from "./load.ts";
import { type Definition, SECTIONS, type SettingName } from "./settings.ts";

/** What `penstock config --json` prints of one setting. */
export interface SettingRow {
  readonly name: string;
  /** Secrets are shown as `(set)` or `(not set)`, never as they are. */
  readonly value: string | number | boolean;
  readonly source: Source;
  readonly default: string | number | boolean;
  readonly type: Definition["type"];
  readonly unit?: string;
  readonly allowed: string;
  readonly help: string;
  /** May be changed while running. */
  readonly changeableAtRunTime: boolean;
  /** Whether it can change a decision or a fill, and so is part of the settings hash. */
  readonly changesDecisions: boolean;
  /** False while the part that would read it does not exist; `note` says which. */
  readonly available: boolean;
  readonly note?: string;
}

/** All settings by section, secrets redacted. */
export function settingRows(loaded: LoadedSettings): ReadonlyMap<string, readonly SettingRow[]> {
  const sections = new Map<string, readonly SettingRow[]>();
  for (const [section, table] of Object.entries(SECTIONS)) {
    const rows = Object.entries(table).map(([name, definition]) => settingRow(name as SettingName, definition, loaded));
    sections.set(section, rows);
  }
  return sections;
}

function settingRow(name: SettingName, definition: Definition, loaded: LoadedSettings): SettingRow {
  const redact = <V extends string | number | boolean>(value: V) =>
    definition.type !== "secret" ? value : value === "" ? "(not set)" : "(set)";
  const note = availabilityNote(definition);
  return {
    name,
    value: redact(loaded.settings[name]),
    source: loaded.sources[name],
    default: redact(definition.default),
    type: definition.type,
    ...(definition.unit ? { unit: definition.unit } : {}),
    allowed: allowed(definition),
    help: definition.help,
    changeableAtRunTime: definition.hot ?? false,
    changesDecisions: definition.decides ?? false,
    available: definition.awaits === undefined,
    ...(note ? { note } : {}),
  };
}

function availabilityNote(definition: Definition): string | undefined {
  if (definition.awaits) return `not available yet: awaits ${definition.awaits}`;
  if ((definition.type === "choice" || definition.type === "boolean") && definition.notYet) {
    return `not available yet: ${definition.notYet.join(", ")}`;
  }
  return undefined;
}

/** The settings as a table for people; help is wrapped below its own column where `width`, in columns, is finite. */
export function settingsTable(loaded: LoadedSettings, width: number): string {
  const sections = settingRows(loaded);
  const all = [...sections.values()].flat();
  const cells = (row: SettingRow) => [`  ${row.name}`, withUnit(row.value, row.unit), row.source];
  const head = ["name", "value", "source"];
  const widths = head.map((title, i) => Math.max(title.length, ...all.map((row) => cells(row)[i]!.length)));
  const pad = (line: readonly string[]) => line.map((text, i) => text.padEnd(widths[i]! + 2)).join("");
  const indent = widths.reduce((sum, column) => sum + column + 2, 0);
  const lines = [`${pad(head)}meaning`];
  for (const [section, rows] of sections) {
    lines.push("", section);
    for (const row of rows) {
      const overridden = row.source === "default" ? "" : ` [default: ${withUnit(row.default, row.unit)}]`;
      const help = wrap(row.help + overridden + (row.note ? ` [${row.note}]` : ""), Math.max(width - indent, 30));
      lines.push(pad(cells(row)) + help[0]);
      for (const more of help.slice(1)) lines.push(" ".repeat(indent) + more);
    }
  }
  return `${lines.join("\n")}\n`;
}

function withUnit(value: SettingRow["value"], unit: string | undefined): string {
  return unit ? `${value} ${unit}` : String(value);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** docs/settings.md. @param loaded the defaults, so that the page does not depend on where it is made. */
export function settingsPage(loaded: LoadedSettings): string {
  const page = [
    "# Settings",
    "",
    "<!-- Made from src/config/settings.ts by `bun run generate`. -->",
    "",
    "A setting is an environment variable, or `--set NAME=VALUE` on the command line. The command line wins over the",
    "environment, because it is the more explicit of the two; both win over the default. An empty environment variable",
    "counts as not set. A wrong value ends the start with one message that names the setting, its value and what is",
    "allowed. Secrets are taken from the environment only. `penstock config` shows the values in force.",
    "",
    "A *fraction* is a share of one: write 0.05 for 5 %. *At run time* marks what may be changed while running;",
    "*decides* marks what can change a decision or a fill and is therefore part of the settings hash.",
  ];
  const cell = (text: string) => text.replaceAll("|", "\\|");
  for (const [section, rows] of settingRows(loaded)) {
    page.push("", `## ${section}`, "", "| name | default | allowed | marks | help |", "|---|---|---|---|---|");
    for (const row of rows) {
      const marks = [row.changeableAtRunTime && "at run time", row.changesDecisions && "decides"].filter(Boolean);
      const help = cell(row.note ? `${row.help} *${capitalised(row.note)}.*` : row.help);
      const value = row.type === "secret" ? "" : `\`${row.default}\``;
      page.push(`| \`${row.name}\` | ${value} | ${cell(row.allowed)} | ${marks.join(", ")} | ${help} |`);
    }
  }
  return `${page.join("\n")}\n`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
