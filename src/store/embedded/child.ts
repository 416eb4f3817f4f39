import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { dieWithParent, lockFile } from "../../native.ts";
import { serveFront } from "./front.ts";
import { type FromEmbedded, PARENT_VARIABLE, type ToEmbedded } from "./protocol.ts";
import { pgliteFiles, templateOf } from "./template.ts";

/** A client that holds the one session idle in a transaction for longer is cut off, ms. */
const IDLE_IN_TRANSACTION = 30_000;

/** Less memory than PostgreSQL would take, at no visible loss of speed here. */
const START_PARAMETERS = ["-c", "shared_buffers=16MB", "-c", "max_wal_size=64MB"];

/**
 * The process of the embedded database: PGlite on `directory`, behind a unix socket. One owner per directory; ends
 * with its parent, whatever kills that; never syncs to disk.
 */
export async function runEmbedded(directory: string): Promise<void> {
  dieWithParent("SIGKILL");
  if (process.ppid !== Number(process.env[PARENT_VARIABLE])) process.exit(0);
  // Ctrl-C reaches the whole group: the parent decides the order in which things end.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  const begun = performance.now();
  mkdirSync(dirname(directory), { recursive: true, mode: 0o700 });
  const lock = lockFile(`${directory}.lock`);
  if (lock?.kind === "busy") {
    tell({ kind: "refused", reason: `${directory} is in use by process ${lock.pid ?? "unknown"}` });
    process.exit(1);
  }
  await prepare(directory);
  const files = await pgliteFiles();
  const database = new PGlite({
    dataDir: directory,
    ...files,
    startParams: [...PGlite.defaultStartParams, ...START_PARAMETERS],
  });
  await database.waitReady;
  const socket = join(dirname(directory), "store.sock");
  rmSync(socket, { force: true });
  const front = await serveFront(database, socket, IDLE_IN_TRANSACTION);

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await front.stop();
    await database.close();
    rmSync(socket, { force: true });
    process.exit(0);
  };
  process.on("message", (message: ToEmbedded) => {
    if (message.kind === "stop") void stop();
  });
  process.on("disconnect", () => void stop());
  tell({ kind: "ready", socket, startMs: performance.now() - begun });
}

/** Makes a new cluster from the prepared one, under another name until it is whole. */
async function prepare(directory: string): Promise<void> {
  if (existsSync(join(directory, "PG_VERSION"))) return;
  const draft = `${directory}.new`;
  rmSync(draft, { recursive: true, force: true });
  // Unpacked here instead of by PGlite, which would have to be opened twice then.
  await new Bun.Archive(await (await templateOf()).bytes()).extract(draft);
  rmSync(directory, { recursive: true, force: true });
  renameSync(draft, directory);
}

function tell(message: FromEmbedded): void {
  process.send?.(message);
}
