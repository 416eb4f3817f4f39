import { connect } from "node:net";
import { join } from "node:path";
import { EmbeddedInUse, type EmbeddedServer, startEmbedded } from "./embedded-server.ts";

/** How long we wait for the socket of a process that has the folder and is still starting, ms. */
const JOIN_TIMEOUT = 10_000;
const PAUSE = 200;
/** Pause before a database that died is started again, ms. */
const RESTART_AFTER = 500;

/**
 * The embedded database of a folder as one of its users sees it: in a child of ours, or in that of another Penstock
 * that was there first and serves us too. When it dies, whoever notices first starts it again on the same socket, so
 * that a client need only connect anew.
 */
export class EmbeddedAttachment {
  readonly socket: string;
  readonly #dataDir: string;
  /** The child, when it is ours. */
  server: EmbeddedServer | undefined;
  #leave: () => void = () => {};
  #stopped = false;

  private constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.socket = join(dataDir, "store", "store.sock");
  }

  /** @throws InputError when it can be neither started nor joined. */
  static async open(dataDir: string, signal?: AbortSignal): Promise<EmbeddedAttachment> {
    const attachment = new EmbeddedAttachment(dataDir);
    await attachment.#attach(signal);
    return attachment;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leave();
    await this.server?.stop();
  }

  async #attach(signal?: AbortSignal): Promise<void> {
    const begun = performance.now();
    for (;;) {
      signal?.throwIfAborted();
      try {
        const server = await startEmbedded(this.#dataDir, signal);
        this.server = server;
        void server.ended.then(() => this.#lost());
        return;
      } catch (error) {
        if (!(error instanceof EmbeddedInUse)) throw error;
        this.server = undefined;
        if (await this.#join()) return;
        if (performance.now() - begun > JOIN_TIMEOUT) throw error;
        await Bun.sleep(PAUSE);
      }
    }
  }

  /** Holds a connection to another's database, whose end tells of that one's end. */
  #join(): Promise<boolean> {
    return new Promise((resolve) => {
      const watch = connect(this.socket);
      let joined = false;
      watch.unref();
      watch.on("connect", () => {
        joined = true;
        this.#leave = () => watch.destroy();
        resolve(true);
      });
      watch.on("error", () => resolve(false));
      watch.on("close", () => {
        if (joined) this.#lost();
      });
    });
  }

  #lost(): void {
    this.#leave = () => {};
    if (this.#stopped) return;
    const again = setTimeout(() => {
      if (this.#stopped) return;
      // What keeps it from starting, such as a full disk, may pass.
      this.#attach().then(
        () => {
          if (this.#stopped) void this.stop();
        },
        () => this.#lost(),
      );
    }, RESTART_AFTER);
    again.unref();
  }
}
