import { join } from "node:path";

/** Whether this is the compiled program, which has its source and its assets inside of itself. */
export const COMPILED = Bun.main.startsWith("/$bunfs/");

/** The command that runs this program again: the compiled file itself, or the runtime with the main file. */
export function selfCommand(): string[] {
  return COMPILED ? [process.execPath] : [process.execPath, join(import.meta.dir, "main.ts")];
}

/**
 * Where a worker is found: inside the compiled program by its path from the root of the build, from source by its file.
 * @param path from the root of the repository, such as `src/admin/worker.ts`; an entry point of tools/build.ts
 */
export function workerOf(path: `src/${string}.ts`): string {
  return COMPILED ? `./${path}` : new URL(`../${path}`, import.meta.url).href;
}
