import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { InputError } from "../input-error.ts";

/**
 * The bytes of a file that the user named, unpacked when its name ends in `.gz`.
 * @throws InputError naming the file when it cannot be read, or is cut short or damaged.
 */
export function readInputFile(file: string): Uint8Array {
  const stored = readStored(file);
  if (!file.endsWith(".gz")) return stored;
  try {
    return gunzipSync(stored);
  } catch (error) {
    throw new InputError(`${file}: the gzip data is cut short or damaged (${(error as Error).message})`);
  }
}

function readStored(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new InputError(`${file}: no such file`);
    if (code === "EISDIR") throw new InputError(`${file}: is a folder, a file is expected`);
    throw new InputError(`${file}: cannot be read (${message})`);
  }
}
