import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input-error.ts";
import { lockFile } from "../native.ts";
import { type Destination, StoreWriter } from "./writer.ts";

/** The folder in which rows of one run wait for the database; locked by the process whose they are. */
export interface RunSpool {
  readonly name: string;
  readonly folder: string;
  /** Lets others have it; it is removed when nothing waits in it. */
  release(): void;
}

/** Takes the folder of a run, made when absent. @throws InputError when its run is not over. */
export function takeSpool(root: string, name: string): RunSpool {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = lockFile(join(folder, "lock"));
  if (lock?.kind === "busy") throw new InputError(`${folder} is in use by process ${lock.pid ?? "unknown"}`);
  return {
    name,
    folder,
    release() {
      const left = readdirSync(folder).filter((file) => file !== "lock");
      if (left.length === 0) rmSync(folder, { recursive: true, force: true });
      lock?.release();
    },
  };
}

/** The spools of runs that are over, oldest first; each locked by us until it is released. */
function* leftSpools(root: string): Generator<RunSpool> {
  if (!existsSync(root)) return;
  for (const name of readdirSync(root).sort()) {
    if (!existsSync(join(root, name, "lock"))) continue;
    try {
      yield takeSpool(root, name);
    } catch (error) {
      // Its run is not over.
      if (!(error instanceof InputError)) throw error;
    }
  }
}

/** Where the spools of a data folder are: one per run, so that runs side by side do not meet. */
export function spoolRoot(dataDir: string): string {
  return join(dataDir, "spool");
}

/**
 * Writes what runs that are over have left on disk, oldest first.
 * @param ended ends it early; what is left stays for the next time
 */
export async function drainLeft(
  destination: Destination,
  root: string,
  onChange: (text: string) => void,
  ended?: Promise<void>,
): Promise<void> {
  for (const left of leftSpools(root)) {
    const writer = new StoreWriter(destination, { spoolFolder: left.folder, onChange });
    await Promise.race([writer.drained(), ...(ended === undefined ? [] : [ended])]);
    await writer.close();
    left.release();
  }
}
