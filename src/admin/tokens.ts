import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  const kept = readToken(file);
  if (kept !== undefined) return { token: kept, file, isNew: false };
  const token = randomBytes(24).toString("base64url");
  const own = `${file}.${process.pid}`;
  try {
    writeFileSync(own, `${token}\n`, { mode: 0o600, flag: "wx" });
    // A link, unlike a renaming, fails where the name is taken: of two processes that start at once one makes the token.
    linkSync(own, file);
  } catch (error) {
    const other = (error as NodeJS.ErrnoException).code === "EEXIST" ? readToken(file) : undefined;
    if (other !== undefined) return { token: other, file, isNew: false };
    throw new InputError(`${file}: the operator's token cannot be kept: ${(error as Error).message}`, 2);
  } finally {
    rmSync(own, { force: true });
  }
  return { token, file, isNew: true };
}

function readToken(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new InputError(`${file}: the operator's token cannot be read: ${(error as Error).message}`, 2);
  }
  return checkToken(file, text.trim());
}

/** @throws InputError when a token is short enough to be guessed. */
export function checkToken(where: string, token: string): string {
  if (token.length >= LENGTH_MIN && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new InputError(`${where}: a token has at least ${LENGTH_MIN} visible ASCII characters and no spaces`, 2);
}
