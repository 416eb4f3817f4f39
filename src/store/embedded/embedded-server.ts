import { join } from "node:path";
import { InputError } from "../../input-error.ts";
import { selfCommand } from "../../this-program.ts";
import { EMBEDDED_ARGUMENT, type FromEmbedded, PARENT_VARIABLE, type ToEmbedded } from "./protocol.ts";

/** Another process has the folder. */
export class EmbeddedInUse extends InputError {}

/** The embedded database as its owner sees it. */
export interface EmbeddedServer {
  readonly pid: number;
  /** Unix socket to connect to, as user and database `postgres`. */
  readonly socket: string;
  /** From the start of the child to its readiness, ms. */
  readonly startMs: number;
  /** Resolves when the child has ended, whoever ended it. */
  readonly ended: Promise<number>;
  stop(): Promise<void>;
}

/** How long the first start may take on a slow machine, ms. */
const START_TIMEOUT = 60_000;
const STOP_TIMEOUT = 10_000;

/** A unix socket's path must fit into 107 bytes (unix(7)). */
const SOCKET_PATH_MAX = 107;

/**
 * Starts the embedded database of a data folder in a process of its own. The signal ends one that is starting, which
 * does no harm: a new cluster has another name until it is whole.
 * @throws EmbeddedInUse when another process has the folder, InputError when its path is too long for a socket.
 */
export async function startEmbedded(dataDir: string, signal?: AbortSignal): Promise<EmbeddedServer> {
  const directory = join(dataDir, "store", "cluster");
  if (Buffer.byteLength(join(dataDir, "store", "store.sock")) > SOCKET_PATH_MAX) {
    throw new InputError(
      `DATA_DIR=${dataDir} is too long a path for the embedded store's socket; use a shorter one`,
      2,
    );
  }
  let told: (message: FromEmbedded) => void = () => {};
  const answer = new Promise<FromEmbedded>((resolve) => {
    told = resolve;
  });
  const child = Bun.spawn([...selfCommand(), EMBEDDED_ARGUMENT, directory], {
    env: { ...process.env, [PARENT_VARIABLE]: String(process.pid) },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    serialization: "json",
    ipc: (message) => told(message as FromEmbedded),
  });
  const timeout = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT);
  const abort = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", abort, { once: true });
  const first = await Promise.race([answer, child.exited.then((code) => ({ kind: "ended", code }) as const)]);
  clearTimeout(timeout);
  signal?.removeEventListener("abort", abort);
  if (first.kind === "refused") throw new EmbeddedInUse(`the embedded store cannot start: ${first.reason}`);
  if (first.kind === "ended") throw new Error(`the embedded store ended with code ${first.code} while starting`);
  return {
    pid: child.pid,
    socket: first.socket,
    startMs: first.startMs,
    ended: child.exited,
    async stop() {
      if (child.exitCode !== null) return;
      child.send({ kind: "stop" } satisfies ToEmbedded);
      const forced = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT);
      await child.exited;
      clearTimeout(forced);
    },
  };
}
