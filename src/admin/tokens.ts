import { randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input-error.ts";

/** Shorter tokens can be guessed. */
const LENGTH_MIN = 16;

export interface OperatorToken {
  readonly token: string;
  /** Where it is kept; undefined when it came from the environment. */
  readonly file: string | undefined;
  /** Whether it was made just now: only then may it be shown. */
  readonly isNew: boolean;
}

/**
 * The operator's token: the given one, or the one of `folder`/admin-token, made at the first start and readable by its
 * owner alone.
 * @throws InputError for a token that is too short, and where the file cannot be read or written.
 */
export function operatorToken(given: string, folder: string): OperatorToken {
  if (given !== "") return { token: checkToken("ADMIN_TOKEN", given), file: undefined, isNew: false };
  const file = join(folder, "admin-token");
  try {
    return { token: checkToken(file, readFileSync(file, "utf8").trim()), file, isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const token = randomBytes(24).toString("base64url");
  // `wx`: of two processes that start at once one writes, and the other reads.
  const descriptor = openSync(file, "wx", 0o600);
  try {
    writeSync(descriptor, `${token}\n`);
  } finally {
    closeSync(descriptor);
  }
  return { token, file, isNew: true };
}

/** @throws InputError when a token is short enough to be guessed. */
export function checkToken(where: string, token: string): string {
  if (token.length >= LENGTH_MIN && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new InputError(`${where}: a token has at least ${LENGTH_MIN} visible ASCII characters and no spaces`, 2);
}
