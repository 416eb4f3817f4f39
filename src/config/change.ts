import { InputError } from "../input-error.ts";
import { checkOrder, isSettingName, type LoadedSettings, parseSetting, riskProblem } from "./load.ts";
import { type Definition, SETTINGS, type SettingName, type Settings } from "./settings.ts";

/** The settings as they are after changes at run time, given as name and text. @throws InputError as `parseSetting`. */
export function changedSettings(base: Settings, changed: ReadonlyMap<string, string>): Settings {
  const values: Record<string, unknown> = { ...base };
  for (const [name, text] of changed) {
    if (isSettingName(name)) values[name] = parseSetting(name, text);
  }
  return Object.freeze(values as Settings);
}

/** A change that may be made. */
export interface SettingChange {
  readonly name: SettingName;
  /** The value as text, in the form the loader reads. */
  readonly value: string;
  readonly from: string;
}

/**
 * Checks a change at run time and says what it is.
 *
 * Only settings marked as changeable can change, and a bound of risk only towards the safe side (`riskProblem`).
 * @param changed what has been changed since, by name.
 * @throws InputError with one sentence: which setting, what was asked for, what is allowed.
 */
export function checkChange(
  { settings: base, bounds }: Pick<LoadedSettings, "settings" | "bounds">,
  changed: ReadonlyMap<string, string>,
  name: string,
  text: string,
): SettingChange {
  if (!isSettingName(name)) throw new InputError(`there is no setting ${name}`);
  const definition: Definition = SETTINGS[name];
  if (!definition.hot)
    throw new InputError(`${name} cannot be changed while running; set it in the environment and restart`);
  if (definition.awaits)
    throw new InputError(`${name} has no effect yet: its part (${definition.awaits}) does not exist`);
  const value = parseSetting(name, text.trim());
  const problem = riskProblem(bounds, name, value);
  if (problem !== undefined) throw new InputError(problem);
  const next = changedSettings(base, new Map([...changed, [name, String(value)]]));
  checkOrder(next, () => false);
  return { name, value: String(value), from: String(changedSettings(base, changed)[name]) };
}
