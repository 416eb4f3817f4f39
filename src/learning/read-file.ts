import { readFileSync } from "node:fs";
import { InputError } from "../input-error.ts";

/**
 * What is read of the disk. What keeps it from being read (rights, a failing disk) is of the outside like what is wrong
 * in a file, and whoever can live with that must be able to live with this.
 *
 * @throws InputError when it cannot be read
 */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new InputError(`${path}: cannot be read: ${(error as Error).message}`);
  }
}

/** A whole file. @throws InputError when it cannot be read */
export function readWhole(path: string): Buffer {
  return reading(path, () => readFileSync(path));
}
