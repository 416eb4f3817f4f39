import { accessSync, constants, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Option } from "commander";
import { type LoadedSettings, loadSettings } from "../config/load.ts";
import { readOverrides } from "../config/overrides.ts";
import { InputError } from "../input-error.ts";

/** `--set NAME=VALUE`, any number of times. Read it with `settingsFrom`. */
export function setOption(): Option {
  return new Option("--set <NAME=VALUE>", "set a setting for this run; may be repeated")
    .default([] as string[], "none")
    .argParser((assignment: string, before: string[]) => [...before, assignment]);
}

/**
 * The settings of this run from the environment and the `--set` options; warnings go to standard error.
 * @param withOverrides whether what operators have changed at run time holds too: for the service, not for research
 */
export function settingsFrom(assignments: readonly string[], withOverrides = false): LoadedSettings {
  const started = loadSettings(process.env, assignments);
  const overrides = withOverrides ? readOverrides(started.settings.DATA_DIR) : new Map<string, string>();
  const loaded = overrides.size === 0 ? started : loadSettings(process.env, assignments, overrides);
  for (const warning of loaded.warnings) process.stderr.write(`penstock: warning: ${warning}\n`);
  return loaded;
}

/** Market milliseconds per wall millisecond: "60x", "max", "real". */
export function speedOf(text: string): number {
  if (text === "max") return Number.POSITIVE_INFINITY;
  if (text === "real") return 1;
  const [, factor] = /^(\d+(?:\.\d+)?)x$/.exec(text) ?? [];
  const speed = Number(factor);
  if (!(speed > 0)) throw new InputError(`--speed ${text}: write 60x, max or real`, 2);
  return speed;
}

/** A parser of whole numbers within bounds. */
export function whole(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(Number.isInteger(value) && value >= least && value <= most && text.trim() !== "")) {
      throw new InputError(`${option} ${text}: a whole number from ${least} to ${most}`, 2);
    }
    return value;
  };
}

/** Where JSON goes: `true` is standard output, which then carries nothing else; a string is a file. */
export type JsonTarget = true | string;

/**
 * `--json [FILE]`. That the file can be written is checked at once, so that a long run does not fail at its end.
 * Since FILE is optional, an argument of the command has to stand before `--json`, or after `--`.
 */
export function jsonOption(what: string): Option {
  return new Option("--json [FILE]", `print ${what} as JSON and nothing else, or write it to FILE`).argParser(
    (file: string) => {
      checkWritable("--json", file);
      return file;
    },
  );
}

/** `--html FILE`, checked like the file of `--json`. */
export function htmlOption(): Option {
  return new Option("--html <FILE>", "write a report with charts to FILE, one page that needs no network").argParser(
    (file: string) => {
      checkWritable("--html", file);
      return file;
    },
  );
}

function checkWritable(option: string, file: string): void {
  const refuse = (why: string) => new InputError(`${option} ${file}: ${why}`, 2);
  if (file === "") throw new InputError(`${option}: the name of the file is empty`, 2);
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw refuse("is a directory");
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch {
    throw refuse(`the folder ${dirname(file)} does not exist or cannot be written`);
  }
}

/** Writes one JSON document to its target, on one line, so that the last line of any output is all of it. */
export async function writeJson(target: JsonTarget, value: unknown): Promise<void> {
  const line = `${JSON.stringify(value)}\n`;
  if (target === true) await print(line);
  else writeWhole(target, line);
}

/**
 * Writes a file under another name and moves it into place, so that nobody ever sees a part of it. A link is followed;
 * what is no regular file (a device, a pipe) is written to as it is and never replaced.
 */
export function writeWhole(file: string, text: string): void {
  const there = statSync(file, { throwIfNoEntry: false });
  const target = there === undefined ? file : realpathSync(file);
  const draft = `${target}.${process.pid}.tmp`;
  try {
    if (there !== undefined && !there.isFile()) return writeFileSync(file, text);
    writeFileSync(draft, text);
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new InputError(`cannot write ${file}: ${(error as Error).message}`);
  }
}

/** Writes text to standard output and waits until all of it has been taken. */
export function print(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}
