import { type Lease, takeLease } from "./lease.ts";
import type { Destination } from "./writer.ts";

export interface LeaseKeeperOptions {
  readonly name: string;
  /** Who we are, for people: host and process. */
  readonly holder: string;
  /** How long a lease lasts without renewal, ms. */
  readonly duration: number;
  /** Told when the right to trade comes and goes; with an alarm when it is gone and nobody can be asked for it. */
  readonly onChange: (text: string, level: "info" | "alarm") => void;
  /** Monotonic clock, ms. */
  readonly clock?: () => number;
  /** The time of day, ms; see LeaseOptions. */
  readonly wall?: () => number;
}

/** Share of a lease before whose end it is not relied on, and after which it is renewed. */
const MARGIN = 0.2;
const RENEWAL = 0.25;
/** Share of a lease in which the database has to answer a question. */
const PATIENCE = 0.5;
/** Pause between two questions for a lease that another has, ms. */
const ASK_EVERY = 500;

/**
 * Gets the right to trade and keeps it. While another has it we ask again and again, and take over when it runs out.
 *
 * A lease that ran out because the database could not be reached is taken again, unless another had it meanwhile: that
 * one has traded on the same account, and what our book says is no longer so. Then `lost` says who, and it is over.
 *
 * Between the end of a lease and the next answer there are two states. At first nothing is known, and nothing may be sent:
 * this may be a process that was stopped for an hour. When the database was asked since and gave no answer, `mayProtect`
 * allows what can only make less of a position, for as long as the failed question is fresh.
 */
export class LeaseKeeper {
  readonly #destination: Destination;
  readonly #options: LeaseKeeperOptions;
  readonly #clock: () => number;
  readonly #wall: () => number;
  #lease: Lease | undefined;
  /** Epoch of the last lease we had. */
  #last = 0;
  #heldBy: string | undefined;
  #lost: string | undefined;
  /** Until when a question without an answer counts, by both clocks, ms. */
  #aloneUntil = Number.NEGATIVE_INFINITY;
  #aloneUntilWall = Number.NEGATIVE_INFINITY;
  #said = "";
  #stopped = false;
  #wake: () => void = () => {};
  #running: Promise<void> | undefined;

  constructor(destination: Destination, options: LeaseKeeperOptions) {
    this.#destination = destination;
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#wall = options.wall ?? Date.now;
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

  /**
   * Whether orders may leave that cannot open anything: with the right to trade, and after it has run out while the
   * database has been asked and does not answer. Only for who had the right: all others have nothing to protect.
   */
  mayProtect(): boolean {
    if (this.mayAct()) return true;
    const alone = this.#clock() < this.#aloneUntil && this.#wall() < this.#aloneUntilWall;
    return this.#last > 0 && this.#lost === undefined && alone;
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
    const hadRunOut = !this.mayAct();
    const [asked, askedAt] = [this.#clock(), this.#wall()];
    try {
      if (!hadRunOut && (await this.#inTime(this.#lease!.renew()))) return;
      // A failed renewal of a lease that has not run out yet is tried again; only one that is over is taken anew.
      if (this.mayAct()) return;
      await this.#take();
      this.#aloneUntil = Number.NEGATIVE_INFINITY;
    } catch (error) {
      if (this.mayAct()) return;
      if (this.#last === 0) this.#say(`the right to trade is unknown: ${(error as Error).message}`);
      else if (hadRunOut) this.#alone(asked, askedAt, error as Error);
    }
  }

  /** A question that was asked after the end of the lease has no answer. */
  #alone(asked: number, askedAt: number, error: Error): void {
    const { duration } = this.#options;
    // Who was stopped while it waited does not know how long ago the answer came.
    const longest = (PATIENCE + MARGIN) * duration;
    const [now, nowAt] = [this.#clock(), this.#wall()];
    if (now - asked > longest || nowAt - askedAt > longest) return;
    // Until the question after the next has its answer, or has none.
    this.#aloneUntil = now + duration;
    this.#aloneUntilWall = nowAt + duration;
    this.#say(
      "the right to trade has run out and the database does not answer: no entries; stops, exits and cancellations go on",
      "alarm",
      error,
    );
  }

  async #take(): Promise<void> {
    const { sql } = this.#destination;
    if (sql === undefined) throw new Error("there is no database yet");
    const { name, holder, duration } = this.#options;
    const margin = duration * MARGIN;
    const asked = takeLease(sql, { name, holder, duration, margin, clock: this.#clock, wall: this.#wall });
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
      if (this.#isNewer(taken)) return this.#over(taken.heldBy);
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

  /** Whether another has taken the lease after us. */
  #isNewer({ heldBy, epoch }: { readonly heldBy: string; readonly epoch: number }): boolean {
    return heldBy !== this.#options.holder && this.#last > 0 && epoch > this.#last;
  }

  #giveBack(late: Lease | { readonly heldBy: string; readonly epoch: number }): void {
    if ("heldBy" in late) {
      if (this.#isNewer(late)) this.#over(late.heldBy);
      return;
    }
    if (this.#last > 0 && late.epoch > this.#last + 1) this.#over("another service");
    else this.#last = late.epoch;
    late.release().catch(() => {});
  }

  #over(who: string): void {
    this.#lost = who;
    this.#say(`${who} has taken over trading: this service ends`);
  }

  #say(text: string, level: "info" | "alarm" = "info", error?: Error): void {
    if (text === this.#said) return;
    this.#said = text;
    this.#options.onChange(error === undefined ? text : `${text} (${error.message})`, level);
  }

  /** @throws Error when the database does not answer in time. */
  async #inTime<T>(asked: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const giveUp = () => reject(new Error("no answer in time"));
      // An answer that came while this process was stopped lies in the socket, which is read before the second turn.
      timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), this.#options.duration * PATIENCE);
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
