import { type Lease, takeLease } from "./lease.ts";
import type { Destination } from "./writer.ts";

export interface LeaseKeeperOptions {
  readonly name: string;
  /** Who we are, for people: host and process. */
  readonly holder: string;
  /** How long a lease lasts without renewal, ms. */
  readonly duration: number;
  /** Told when the right to trade comes and goes. */
  readonly onChange: (text: string) => void;
  /** Monotonic clock, ms. */
  readonly clock?: () => number;
}

/** Share of a lease before whose end it is not relied on, and after which it is renewed. */
const MARGIN = 0.2;
const RENEWAL = 0.25;
/** Pause between two questions for a lease that another has, ms. */
const ASK_EVERY = 500;

/**
 * Gets the right to trade and keeps it. While another has it we ask again and again, and take over when it runs out.
 *
 * A lease that ran out because the database could not be reached is taken again, unless another had it meanwhile: that
 * one has traded on the same account, and what our book says is no longer so. Then `lost` says who, and it is over.
 */
export class LeaseKeeper {
  readonly #destination: Destination;
  readonly #options: LeaseKeeperOptions;
  readonly #clock: () => number;
  #lease: Lease | undefined;
  /** Epoch of the last lease we had. */
  #last = 0;
  #heldBy: string | undefined;
  #lost: string | undefined;
  #said = "";
  #stopped = false;
  #wake: () => void = () => {};
  #running: Promise<void> | undefined;

  constructor(destination: Destination, options: LeaseKeeperOptions) {
    this.#destination = destination;
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  /** The epoch under which orders may be sent; 0 without the right. */
  get epoch(): number {
    return this.mayAct() ? this.#lease!.epoch : 0;
  }

  /** Who has the right while we have not, as far as we know. */
  get heldBy(): string | undefined {
    return this.#heldBy;
  }

  /** Who has had the right after us: our book is out of date for good. */
  get lost(): string | undefined {
    return this.#lost;
  }

  /** Whether it is certain at this moment that nobody else may trade. To be asked before each order leaves. */
  mayAct(): boolean {
    return this.#lost === undefined && this.#lease !== undefined && this.#lease.holds();
  }

  /** Asks for the first time, and goes on by itself. Resolves with the first answer, or when there is none in time. */
  async start(): Promise<void> {
    await this.#turn();
    this.#running = this.#keep();
  }

  /** Gives the right back. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#running;
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease === undefined) return;
    // Who cannot be told finds out by the clock.
    await this.#inTime(lease.release()).catch(() => {});
  }

  async #keep(): Promise<void> {
    const { duration } = this.#options;
    while (!this.#stopped && this.#lost === undefined) {
      await this.#sleep(this.mayAct() ? duration * RENEWAL : Math.min(ASK_EVERY, duration * RENEWAL));
      if (!this.#stopped) await this.#turn();
    }
  }

  async #turn(): Promise<void> {
    try {
      if (this.mayAct() && (await this.#inTime(this.#lease!.renew()))) return;
      // A failed renewal of a lease that has not run out yet is tried again; only one that is over is taken anew.
      if (this.mayAct()) return;
      await this.#take();
    } catch (error) {
      if (!this.mayAct()) this.#say(`the right to trade is unknown: ${(error as Error).message}`);
    }
  }

  async #take(): Promise<void> {
    const { sql } = this.#destination;
    if (sql === undefined) throw new Error("there is no database yet");
    const { name, holder, duration } = this.#options;
    const margin = duration * MARGIN;
    const asked = takeLease(sql, { name, holder, duration, margin, clock: this.#clock });
    let taken: Awaited<typeof asked>;
    try {
      taken = await this.#inTime(asked);
    } catch (error) {
      // An answer that comes too late may be a yes: it is given back, and must not be taken for another's.
      asked.then(
        (late) => this.#giveBack(late),
        () => {},
      );
      throw error;
    }
    if ("heldBy" in taken) {
      this.#heldBy = taken.heldBy;
      if (taken.heldBy !== holder && this.#last > 0 && taken.epoch > this.#last) return this.#over(taken.heldBy);
      return this.#say(`${taken.heldBy} has the right to trade: no positions are opened here until it is free`);
    }
    if (this.#last > 0 && taken.epoch > this.#last + 1) {
      await this.#inTime(taken.release());
      return this.#over("another service");
    }
    this.#lease = taken;
    this.#last = taken.epoch;
    this.#heldBy = undefined;
    this.#say(`this service has the right to trade, epoch ${taken.epoch}`);
  }

  #giveBack(late: Lease | { readonly heldBy: string }): void {
    if ("heldBy" in late) return;
    if (this.#last > 0 && late.epoch > this.#last + 1) this.#over("another service");
    else this.#last = late.epoch;
    late.release().catch(() => {});
  }

  #over(who: string): void {
    this.#lost = who;
    this.#say(`${who} has taken over trading: this service ends`);
  }

  #say(text: string): void {
    if (text === this.#said) return;
    this.#said = text;
    this.#options.onChange(text);
  }

  /** @throws Error when the database does not answer within half a lease. */
  async #inTime<T>(asked: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("the database does not answer")), this.#options.duration / 2);
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
