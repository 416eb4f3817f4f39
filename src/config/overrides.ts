import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input-error.ts";

/** Where changes made at run time are kept, by name and as texts. */
export function overridesFile(folder: string): string {
  return join(folder, "settings.json");
}

/** @throws InputError when the file is no object of texts. */
export function readOverrides(folder: string): ReadonlyMap<string, string> {
  const file = overridesFile(folder);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
  const refused = new InputError(
    `${file}: expected an object of names and texts; mend it, or delete it to forget them`,
  );
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refused;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw refused;
  const entries = Object.entries(parsed);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === "string")) throw refused;
  return new Map(entries);
}

/** Keeps a change: the file is replaced as a whole, so that no reader sees half of it. */
export function writeOverride(folder: string, name: string, value: string): void {
  const file = overridesFile(folder);
  const all = Object.fromEntries([...readOverrides(folder), [name, value]]);
  writeFileSync(`${file}.new`, `${JSON.stringify(all, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
