import { appendFileSync, closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync } from "node:fs";
import { dirname } from "node:path";
import { InputError } from "../input-error.ts";

/**
 * Adds lines to a file, which is made where it is missing. After a line that a crash or a full disk has cut off they begin
 * on a new one, so that nothing but that line is lost.
 *
 * @param text whole lines, each with its end
 * @throws InputError when the disk does not take them
 */
export function appendLines(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, endsTorn(path) ? `\n${text}` : text);
  } catch (error) {
    throw new InputError(`${path}: cannot be written: ${(error as Error).message}`);
  }
}

function endsTorn(path: string): boolean {
  if (!existsSync(path)) return false;
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const last = new Uint8Array(1);
    return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
  } finally {
    closeSync(file);
  }
}
