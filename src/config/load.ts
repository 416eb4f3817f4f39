import { createHash } from "node:crypto";
import { InputError } from "../input-error.ts";
import { chooseKernel } from "../native.ts";
import { nearestName, withinOneEdit } from "../nearest-name.ts";
import { ASCENDING, type Definition, SETTING_NAMES, SETTINGS, type SettingName, type Settings } from "./settings.ts";

export type Source = "default" | "changed at run time" | "environment" | "command line";

export interface LoadedSettings {
  readonly settings: Settings;
  /** The settings without what was changed at run time: the bounds of such changes. */
  readonly bounds: Settings;
  readonly sources: Readonly<Record<SettingName, Source>>;
  /** Sentences for standard error; nothing in them stops the start. */
  readonly warnings: readonly string[];
}

type Value = Settings[SettingName];

/** The settings of a journal. One that came later than the journal has its default, which is what was done before it. */
export function recordedSettings(recorded: Readonly<Record<string, unknown>>): Settings {
  return Object.fromEntries(SETTING_NAMES.map((name) => [name, recorded[name] ?? SETTINGS[name].default])) as Settings;
}

/**
 * Reads all settings. The command line wins over the environment, because it is the more explicit of the two; both win
 * over what was changed at run time before, and that over the defaults. An empty environment variable counts as not set.
 *
 * @param assignments `NAME=VALUE` of each `--set`, in order; the last one of a name counts.
 * @param overrides what operators have changed in earlier runs, by name. One that means nothing any more is left out
 *   with a warning: nobody should have to mend a file to start.
 * @throws InputError (exit 2) with one message that names the setting, its value and what is allowed.
 */
export function loadSettings(
  environment: Readonly<Record<string, string | undefined>>,
  assignments: readonly string[] = [],
  overrides: ReadonlyMap<string, string> = new Map(),
): LoadedSettings {
  const values = {} as Record<SettingName, Value>;
  const sources = {} as Record<SettingName, Source>;
  const warnings: string[] = [];
  for (const name of SETTING_NAMES) {
    const text = environment[name]?.trim();
    values[name] = text ? parseSetting(name, text) : SETTINGS[name].default;
    sources[name] = text ? "environment" : "default";
  }
  const bounds = Object.freeze({ ...values }) as Settings;
  for (const [name, text] of overrides) {
    const problem = overrideProblem(bounds, name, text);
    if (problem !== undefined) warnings.push(`the setting ${name} that was changed at run time is ignored: ${problem}`);
    else if (isSettingName(name) && sources[name] === "default") {
      values[name] = parseSetting(name, text);
      sources[name] = "changed at run time";
    }
  }
  for (const assignment of assignments) {
    const [name, text] = splitAssignment(assignment);
    values[name] = parseSetting(name, text);
    sources[name] = "command line";
  }
  checkOrder(values, (name) => sources[name] === "default");
  const settings = Object.freeze(values as Settings);
  chooseKernel(settings.PENSTOCK_KERNEL);
  return { settings, bounds, sources, warnings: [...warnings, ...nearMisses(environment)] };
}

/** Why a change of an earlier run cannot hold any more, or undefined. */
function overrideProblem(bounds: Settings, name: string, text: string): string | undefined {
  if (!isSettingName(name)) return "there is no such setting";
  const { hot }: Definition = SETTINGS[name];
  if (!hot) return "it cannot be changed at run time";
  try {
    return riskProblem(bounds, name, parseSetting(name, text));
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

/**
 * Why a value may not be set at run time: a bound of risk moves only towards the safe side of what the process was
 * started with, because whoever holds the operator's token must not be able to risk more than whoever started it allows.
 */
export function riskProblem(bounds: Settings, name: SettingName, value: Value): string | undefined {
  const { safer }: Definition = SETTINGS[name];
  const bound = bounds[name];
  if (safer === undefined || typeof value !== "number" || typeof bound !== "number") return undefined;
  if (safer === "lower" ? value <= bound : value >= bound) return undefined;
  const limit = safer === "lower" ? "at most" : "at least";
  return `${name}=${value} would risk more than this process was started with; while running: ${limit} ${bound}`;
}

/**
 * The value of a setting from its text.
 * @throws InputError (exit 2) naming the setting, the value and what is allowed.
 */
export function parseSetting(name: SettingName, text: string): Value {
  const definition: Definition = SETTINGS[name];
  switch (definition.type) {
    case "integer":
    case "number":
      return parseNumber(name, text, definition);
    case "boolean": {
      const value = ["true", "1"].includes(text) ? true : ["false", "0"].includes(text) ? false : undefined;
      if (value === undefined) throw refused(name, text, allowed(definition));
      if (definition.notYet?.includes(value)) throw notYet(name, text, definition);
      return value;
    }
    case "choice":
      if (!definition.choices.includes(text)) throw refused(name, text, allowed(definition));
      if (definition.notYet?.includes(text)) throw notYet(name, text, definition);
      return text as Value;
    case "text":
      if (text === "") throw refused(name, text, "it must not be empty");
      return text;
    case "secret":
      return text;
  }
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i;

function parseNumber(
  name: SettingName,
  text: string,
  definition: Definition & { type: "integer" | "number"; min: number; max: number },
): number {
  const percent = definition.unit === "fraction" && text.endsWith("%");
  const digits = percent ? text.slice(0, -1).trim() : text;
  const value = DECIMAL.test(digits) ? Number(digits) : Number.NaN;
  const whole = definition.type === "number" || Number.isInteger(value);
  if (!percent && whole && value >= definition.min && value <= definition.max) return value === 0 ? 0 : value;
  // A share written as a percent is the mistake to expect: name the value that was probably meant.
  const share = Number((value / 100).toPrecision(12));
  const looksLikePercent =
    definition.unit === "fraction" &&
    (percent || value > definition.max) &&
    share >= definition.min &&
    share <= definition.max;
  throw refused(name, text, allowed(definition) + (looksLikePercent ? `; for ${value} % write ${share}` : ""));
}

/** What a setting accepts, in words: "a whole number from 1 to 125 (×)". */
export function allowed(definition: Definition): string {
  switch (definition.type) {
    case "integer":
    case "number": {
      const kind =
        definition.type === "integer" ? "a whole number" : definition.unit === "fraction" ? "a fraction" : "a number";
      const unit = definition.unit && definition.unit !== "fraction" ? ` (${definition.unit})` : "";
      return `${kind} from ${definition.min} to ${definition.max}${unit}`;
    }
    case "boolean":
      return "true, false, 1 or 0";
    case "choice":
      return definition.choices.join(", ");
    case "text":
      return "any text";
    case "secret":
      return "any text; kept out of all output";
  }
}

function refused(name: SettingName, text: string, what: string): InputError {
  return new InputError(`${name}=${text} is not allowed; allowed: ${what}`, 2);
}

function notYet(name: SettingName, text: string, definition: Definition & { type: "boolean" | "choice" }): InputError {
  const all: readonly (boolean | string)[] = definition.type === "choice" ? definition.choices : [true, false];
  const refusedOnes: readonly (boolean | string)[] = definition.notYet ?? [];
  const rest = all.filter((value) => !refusedOnes.includes(value));
  return new InputError(`${name}=${text} is not available yet; allowed: ${rest.join(", ")}`, 2);
}

function splitAssignment(assignment: string): [SettingName, string] {
  const equals = assignment.indexOf("=");
  const name = equals < 0 ? assignment : assignment.slice(0, equals);
  if (!isSettingName(name)) {
    const near = nearestName(name.toUpperCase(), SETTING_NAMES);
    throw new InputError(`--set ${name}: no such setting${near ? `; did you mean ${near}?` : ""}`, 2);
  }
  if (equals < 0) throw new InputError(`--set ${name}: a value is missing; write ${name}=VALUE`, 2);
  if (SETTINGS[name].type === "secret") {
    // Every process of the machine can read a command line.
    throw new InputError(`--set ${name}: secrets are taken from the environment only`, 2);
  }
  return [name, assignment.slice(equals + 1).trim()];
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** @throws InputError where settings that must rise in order do not. */
export function checkOrder(values: Readonly<Record<SettingName, Value>>, isDefault: (name: SettingName) => boolean) {
  for (const { names, strictly } of ASCENDING) {
    for (let i = 1; i < names.length; i++) {
      const [lower, upper] = [names[i - 1]!, names[i]!];
      if (values[lower] < values[upper] || (!strictly && values[lower] === values[upper])) continue;
      const say = (name: SettingName) => `${name}=${values[name]}${isDefault(name) ? " (the default)" : ""}`;
      throw new InputError(
        `${say(lower)} and ${say(upper)} do not fit; allowed: ${names.join(strictly ? " < " : " ≤ ")}`,
        2,
      );
    }
  }
}

/** Variables that look like a misspelt setting. All other unknown variables belong to somebody else. */
function nearMisses(environment: Readonly<Record<string, string | undefined>>): string[] {
  const warnings: string[] = [];
  for (const variable of Object.keys(environment)) {
    if (!/^[A-Z][A-Z0-9_]*$/.test(variable) || isSettingName(variable)) continue;
    const near = SETTING_NAMES.find((name) => withinOneEdit(variable, name));
    if (near) warnings.push(`the environment variable ${variable} is not a setting; did you mean ${near}?`);
  }
  return warnings;
}

/**
 * SHA-256, hex, over every available setting that can change a decision or a fill, in the order of names, and over
 * `extra`: what else the run depends on, such as the rules of its instruments.
 */
export function settingsHash(settings: Settings, extra: readonly string[] = []): string {
  const relevant = SETTING_NAMES.filter((name) => {
    const definition: Definition = SETTINGS[name];
    return definition.decides && !definition.awaits;
  }).sort();
  const canonical = JSON.stringify([relevant.map((name) => [name, settings[name]]), extra]);
  return createHash("sha256").update(canonical).digest("hex");
}
