import type { Settings } from "../config/settings.ts";
import type { LeaseKeeper } from "../store/lease-keeper.ts";
import { openStore, type Store, type StoreOptions } from "../store/store.ts";
import type { Destination } from "../store/writer.ts";
import { needsRight, newKeeper, storeOptions } from "./recording.ts";

type Notice = (level: "info" | "warning" | "alarm", text: string) => void;

/** Pause before a database that could not be opened is tried again, and between two looks at the lease, ms. */
const OPEN_AGAIN = 1000;
const LOOK_AGAIN = 50;
/** A renewal, and a second one where the first hangs. */
const CONNECTIONS = 2;

/**
 * The right to trade for real money, which a service has before it does anything else. The book is brought back from
 * the journals, and whoever traded before has written his until then; a service that read it earlier and waited would
 * take the other's stops for orders that nobody knows.
 */
export class TradingRight implements Destination {
  readonly keeper: LeaseKeeper;
  #store: Store | undefined;

  private constructor(settings: Settings, onNotice: Notice) {
    this.keeper = newKeeper(settings, this, onNotice);
  }

  /**
   * Waits for the right, however long another has it.
   * @returns undefined where no right is needed (no server that services could share); when `signal` comes first, one
   *   that may not act
   */
  static async wait(settings: Settings, signal: AbortSignal, onNotice: Notice): Promise<TradingRight | undefined> {
    if (!needsRight(settings)) return undefined;
    const right = new TradingRight(settings, onNotice);
    await right.#get(settings, signal, onNotice);
    return right;
  }

  get sql(): Store["sql"] | undefined {
    return this.#store?.sql;
  }

  renew(): void {
    this.#store?.renew();
  }

  /** Gives it back. */
  async close(): Promise<void> {
    await this.keeper.stop();
    await this.#store?.close();
  }

  async #get(settings: Settings, signal: AbortSignal, onNotice: Notice): Promise<void> {
    const options: StoreOptions = {
      ...storeOptions(settings),
      maxConnections: CONNECTIONS,
      statementTimeout: settings.DATABASE_TIMEOUT_SECONDS * 1000,
      signal,
    };
    for (let first = true; this.#store === undefined; first = false) {
      try {
        this.#store = await openStore(options);
      } catch (error) {
        if (signal.aborted) return;
        if (first) onNotice("warning", `store: ${(error as Error).message}; nothing is traded until it is there`);
        await Bun.sleep(OPEN_AGAIN);
      }
    }
    await this.keeper.start();
    while (!this.keeper.mayAct() && !signal.aborted) await Bun.sleep(LOOK_AGAIN);
  }
}
