import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
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

let hash: string | undefined;

/**
 * A hash that changes with every change of the program: of the compiled file, or of all of its source. The source is
 * read at the first call, and may be another by then than the one that runs: whom that matters to calls it at his start.
 */
export function programHash(): string {
  hash ??= hashOf(COMPILED ? [compiledFile()] : sourceFiles());
  return hash;
}

/** The file that this process runs, also when another has been put in its place since; where that cannot be had, its path. */
function compiledFile(): string {
  const running = "/proc/self/exe";
  return existsSync(running) ? running : process.execPath;
}

function sourceFiles(): string[] {
  const files = [...new Bun.Glob("**/*.ts").scanSync(import.meta.dir)].sort();
  return files.map((file) => join(import.meta.dir, file));
}

function hashOf(files: readonly string[]): string {
  const all = createHash("sha256");
  for (const file of files) all.update(createHash("sha256").update(readFileSync(file)).digest());
  return all.digest("hex");
}
