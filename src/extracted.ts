import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";

/**
 * Files that the system must be able to open, such as libraries, out of the compiled program. They lie in a folder that
 * belongs to us with mode 0700, under the hash of what they hold, and that hash is checked before every use: whatever
 * else lies there, changed by a crash, a disk or somebody, is replaced and never loaded.
 *
 * @param embedded path within the program
 * @param folders where to put it, the best first; a folder that cannot be made or is not ours is passed over
 * @returns path of a file with exactly the bytes of `embedded`
 * @throws Error that names each folder and what is wrong with it, when none will do
 */
export function extract(embedded: string, folders: readonly string[] = cacheFolders()): string {
  const bytes = readFileSync(embedded);
  const hash = hashOf(bytes);
  const problems: string[] = [];
  for (const folder of folders) {
    try {
      ownFolder(folder);
      const place = join(folder, hash.slice(0, 16));
      ownFolder(place);
      const path = join(place, basename(embedded));
      if (!holds(path, hash)) put(path, bytes);
      return path;
    } catch (error) {
      problems.push(`${folder}: ${(error as Error).message}`);
    }
  }
  throw new Error(`no folder for ${basename(embedded)}: ${problems.join("; ")}`);
}

/** The service manager's folder for caches, that of the user, and one of temporary files. */
function cacheFolders(): string[] {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = process.env;
  const user = XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return [
    ...(CACHE_DIRECTORY ? [join(CACHE_DIRECTORY, "penstock")] : []),
    join(user, "penstock"),
    join(tmpdir(), `penstock-${process.getuid?.() ?? 0}`),
  ];
}

/** Makes a folder of mode 0700, or sees to it that one that is there has it. @throws where it is not ours */
function ownFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  // Of the path itself: a link could lead to a folder that others can reach.
  const stat = lstatSync(path);
  if (!stat.isDirectory()) throw new Error("it is no folder");
  if (stat.uid !== process.getuid?.()) throw new Error("it belongs to somebody else");
  if ((stat.mode & 0o777) !== 0o700) chmodSync(path, 0o700);
}

/** Whether a file is there, is ours, is no link, and has this hash. */
function holds(path: string, hash: string): boolean {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    // Absent, a link, or not to be read: it is put there anew.
    return false;
  }
  try {
    const stat = fstatSync(file);
    const ours = stat.isFile() && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0;
    return ours && hashOf(readFileSync(file)) === hash;
  } finally {
    closeSync(file);
  }
}

/** Beside its place first: others may start at the same moment, and never see a part of it. */
function put(path: string, bytes: Uint8Array): void {
  const draft = `${path}.${process.pid}.${crypto.randomUUID()}`;
  try {
    writeFileSync(draft, bytes, { mode: 0o500, flag: "wx" });
    rmSync(path, { recursive: true, force: true });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
