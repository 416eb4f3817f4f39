import { test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Recorded market data lies beside the repository, not in it. */
const ROOT = join(import.meta.dir, "..", "..", "shared", "data");

/** Absolute path of a recorded file or folder, or undefined when it is not on this machine. */
export function recorded(path: string): string | undefined {
  const full = join(ROOT, path);
  return existsSync(full) ? full : undefined;
}

/** A test on recorded data; skipped, and named so, where the data is absent. */
export function testRecorded(name: string, path: string, run: (full: string) => void | Promise<void>): void {
  const full = recorded(path);
  if (full === undefined) test.skip(`${name} (recorded data absent: ${path})`, () => {});
  else test(name, () => run(full));
}
