import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { rebuild } from "../../src/service/rebuild.ts";
import { replayJournal } from "../../src/service/replay.ts";
import { RunRecorder } from "../../src/store/recorder.ts";
import type { Row } from "../../src/store/rows.ts";
import { drainLeft, spoolRoot } from "../../src/store/run-spool.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { MAIN } from "../end-to-end/penstock.ts";
import type { OwnServer } from "./own-server.ts";
import { DatabaseProxy } from "./proxy.ts";

/**
 * What is done to a recorded run. All but the last three end with the death of the service, at a moment that the seed
 * chooses; those end as the operator ends them. `server-killed` needs a server of its own.
 */
export const FAULTS = [
  "killed",
  "resets",
  "no-database",
  "torn-spool",
  "outage",
  "database-killed",
  "server-killed",
] as const;
export type Fault = (typeof FAULTS)[number];

/** Those after which everything must have arrived without a rebuild. */
const ORDERLY: readonly Fault[] = ["outage", "database-killed", "server-killed"];

/** Whether the service dies of it. */
export function kills(fault: Fault): boolean {
  return !ORDERLY.includes(fault);
}

export interface Outcome {
  /** Rows that the run's journal makes. */
  readonly rows: number;
  /** Rows that the store had, or had on disk, when the service was dead; nothing of it may be lost. */
  readonly acknowledged: number;
  /** What the spool said of a damaged end. */
  readonly damage: number;
  /** In words that let anyone find it again; undefined when nothing is wrong. */
  readonly trouble: string | undefined;
}

/** Market time in which the database is away in an outage. */
const OUTAGE = 600_000;
const SPEED = 20_000;

/**
 * A run of `penstock run` in a process of its own that something happens to, and what is left of it. The database is the
 * server's, or the embedded one when `databaseUrl` is empty; the run is alone in it.
 */
export async function survive(
  fault: Fault,
  seed: number,
  databaseUrl: string,
  server?: Pick<OwnServer, "kill" | "restart">,
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-fault-"));
  const proxy = databaseUrl === "" ? undefined : await DatabaseProxy.before(databaseUrl);
  const environment = {
    PATH: process.env.PATH ?? "",
    DATA_DIR: folder,
    DATABASE_URL: proxy?.url ?? "",
    LEASE_SECONDS: "0",
  };
  const random = randomOf(seed);
  let child: Bun.Subprocess | undefined;
  try {
    if (fault === "no-database" || fault === "torn-spool") proxy?.down();
    child = Bun.spawn(
      [process.execPath, MAIN, "run", "--speed", `${SPEED}x`, "--seed", String(seed), "--generated", "16"],
      { cwd: folder, env: environment, stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    );
    // What happens before a run has a journal happens to nobody.
    while (!existsSync(join(folder, "journal"))) await Bun.sleep(5);
    // On a busy machine the first row may come late, and without one there is nothing to tear.
    while (fault === "torn-spool" && !hasSpooled(folder)) await Bun.sleep(5);
    const lives = 200 + random() * 1800;
    const begun = performance.now();
    while (performance.now() - begun < lives) {
      if (fault === "resets") proxy?.resetAfter(random() * 200_000);
      await Bun.sleep(50 + random() * 100);
    }
    if (fault === "outage") {
      proxy?.down();
      await Bun.sleep((OUTAGE / SPEED) * (2 + 10 * random()));
      proxy?.up();
    } else if (fault === "database-killed") {
      killChildrenOf(child.pid);
      proxy?.reset();
    } else if (fault === "server-killed") {
      await server!.kill();
      await Bun.sleep(random() * 300);
      await server!.restart();
      await Bun.sleep(random() * 500);
    }
    const orderly = !kills(fault);
    child.kill(orderly ? "SIGINT" : "SIGKILL");
    await child.exited;
    proxy?.up();
    if (fault === "torn-spool") tearSpool(folder, random);
    return await inspect(folder, databaseUrl, orderly);
  } finally {
    child?.kill("SIGKILL");
    proxy?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compares what the store has with what the journal says. */
async function inspect(folder: string, databaseUrl: string, orderly: boolean): Promise<Outcome> {
  const journal = join(folder, "journal", readdirSync(join(folder, "journal"))[0]!);
  // Killed before its header was whole: there is no run.
  if (readFileSync(journal).length < 1024) return { rows: 0, acknowledged: 0, damage: 0, trouble: undefined };
  const made = rowsOf(journal);
  const store = await openStore({ databaseUrl, dataDir: folder });
  const said: string[] = [];
  try {
    await drainLeft(store, spoolRoot(folder), (text) => said.push(text));
    const acknowledged = await compare(store, made, orderly ? "all" : "beginning");
    if (typeof acknowledged === "string")
      return { rows: made.length, acknowledged: 0, damage: 0, trouble: acknowledged };
    const { settings } = loadSettings({ DATA_DIR: folder, DATABASE_URL: databaseUrl });
    await rebuild(store, settings, [journal]);
    const rebuilt = await compare(store, made, "all");
    const refused = said.filter((text) => text.includes("refused"));
    const trouble = typeof rebuilt === "string" ? `after the rebuild: ${rebuilt}` : refused[0];
    return { rows: made.length, acknowledged, damage: said.length - refused.length, trouble };
  } finally {
    await store.close();
  }
}

/** All rows that a journal makes, in order. */
function rowsOf(journal: string): Row[] {
  const rows: Row[] = [];
  let recorder: RunRecorder | undefined;
  const { result } = replayJournal(journal, {}, (header, state) => {
    recorder = new RunRecorder(header, state, { journal });
    return recorder;
  });
  if (!result.identical) throw new Error(`${journal} does not replay`);
  if (result.end !== undefined) recorder!.end(result.end);
  rows.push(...recorder!.take());
  return rows;
}

/**
 * Per table, the store has the rows that the journal makes: all of them, or the first so many. Returns how many, or what
 * is wrong.
 */
async function compare(store: Store, made: readonly Row[], which: "all" | "beginning"): Promise<number | string> {
  const tables = new Map<string, Row[]>();
  for (const row of made) tables.set(row.table, [...(tables.get(row.table) ?? []), row]);
  let found = 0;
  let missingFrom = Number.POSITIVE_INFINITY;
  let lastFound = -1;
  for (const [table, expected] of tables) {
    const key = ["runs", "run_ends", "instruments"].includes(table) ? "run" : "seq";
    const order = key === "run" ? "run" : "seq";
    const rows = await store.sql.unsafe(`SELECT ${key} AS key FROM ${table} ORDER BY ${order}`);
    const keys = rows.map((row) => Number(row.key));
    const wanted = expected.map(({ values }) => Number(values[key]));
    if (which === "all" && keys.length < wanted.length) return `${table}: ${keys.length} of ${wanted.length} rows`;
    if (keys.length > wanted.length) return `${table}: ${keys.length} rows where the journal makes ${wanted.length}`;
    const at = keys.findIndex((seq, index) => seq !== wanted[index]);
    if (at >= 0) return `${table}: row ${at + 1} is number ${keys[at]}, the journal has ${wanted[at]}`;
    found += keys.length;
    if (keys.length === 0 && key === "run") continue;
    if (key === "seq" && keys.length > 0) lastFound = Math.max(lastFound, keys.at(-1)!);
    if (key === "seq" && keys.length < wanted.length) missingFrom = Math.min(missingFrom, wanted[keys.length]!);
  }
  // Tables are written together: none is ahead of another.
  if (lastFound > missingFrom) return `number ${missingFrom} is missing although ${lastFound} is there`;
  return found;
}

function hasSpooled(folder: string): boolean {
  const root = spoolRoot(folder);
  const runs = existsSync(root) ? readdirSync(root) : [];
  return runs.some((run) => readdirSync(join(root, run)).some((name) => name.endsWith(".spool")));
}

/** Cuts into the last batch of a spool. */
function tearSpool(folder: string, random: () => number): void {
  const root = spoolRoot(folder);
  if (!existsSync(root)) return;
  for (const run of readdirSync(root)) {
    const last = readdirSync(join(root, run))
      .filter((name) => name.endsWith(".spool"))
      .sort()
      .at(-1);
    if (last === undefined) continue;
    const path = join(root, run, last);
    const { size } = statSync(path);
    if (size > 64) truncateSync(path, size - 1 - Math.floor(random() * 40));
  }
}

function killChildrenOf(pid: number): void {
  const path = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(path) ? readFileSync(path, "utf8").split(" ").filter(Boolean) : [];
  for (const child of children) process.kill(Number(child), "SIGKILL");
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
function randomOf(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
