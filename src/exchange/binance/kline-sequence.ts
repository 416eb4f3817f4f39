import type { Kline } from "./market-message.ts";

/** Opening times from the first to the last bar that are to be asked for. */
export interface MissingBars {
  readonly from: number;
  readonly to: number;
}

/** How long after its end a bar may come by the stream before it is asked for, ms. Late ones have been seen after 24 s. */
const PATIENCE = 5_000;

/**
 * Closed bars of one symbol and timeframe, each exactly once and in order, whatever the streams do: bars that come twice
 * (connections overlap) are dropped, a bar after a hole is held until the hole is filled from REST. Pure: time comes in.
 */
export class KlineSequence {
  /** Bars that the exchange does not have, and bars that came when they were no longer wanted. */
  absent = 0;
  repeated = 0;
  readonly #timeframe: number;
  readonly #emit: (kline: Kline) => void;
  readonly #held = new Map<number, Kline>();
  #next: number | undefined;

  constructor(timeframe: number, emit: (kline: Kline) => void) {
    this.#timeframe = timeframe;
    this.#emit = emit;
  }

  /** Opening time of the bar that comes next; undefined before the first. */
  get next(): number | undefined {
    return this.#next;
  }

  /** Says which bar is wanted first; without it that is the first one that closes. */
  startAt(openTime: number): void {
    this.#next = openTime;
  }

  /** Takes a bar that has closed. */
  take(kline: Kline): void {
    this.#next ??= kline.openTime;
    if (kline.openTime < this.#next || this.#held.has(kline.openTime)) {
      this.repeated += 1;
      return;
    }
    this.#held.set(kline.openTime, kline);
    this.#release();
  }

  /**
   * The bars that should be here at `now` (exchange's time) and are not. A bar behind them that is here already is asked
   * for as well: only an answer with a later bar shows that a missing one does not exist.
   */
  missing(now: number): MissingBars | undefined {
    if (this.#next === undefined) return undefined;
    let to = Math.floor((now - PATIENCE) / this.#timeframe) * this.#timeframe - this.#timeframe;
    for (const openTime of this.#held.keys()) if (openTime - this.#timeframe > to) to = openTime - this.#timeframe;
    while (to >= this.#next && this.#held.has(to)) to -= this.#timeframe;
    if (to < this.#next) return undefined;
    return { from: this.#next, to: this.#held.has(to + this.#timeframe) ? to + this.#timeframe : to };
  }

  /**
   * Takes what REST has of the bars asked for, in order; rows that are still open must not be among them. A bar that is
   * not there, while a later one is, does not exist; one after the last row may be on its way.
   */
  fill(rows: readonly Kline[]): void {
    if (this.#next === undefined) return;
    for (const kline of rows) {
      if (kline.openTime >= this.#next && !this.#held.has(kline.openTime)) this.#held.set(kline.openTime, kline);
    }
    const last = rows.at(-1)?.openTime;
    this.#release();
    while (last !== undefined && this.#next < last) {
      this.absent += 1;
      this.#next += this.#timeframe;
      this.#release();
    }
  }

  #release(): void {
    for (;;) {
      const kline = this.#held.get(this.#next!);
      if (kline === undefined) return;
      this.#held.delete(this.#next!);
      this.#next! += this.#timeframe;
      this.#emit(kline);
    }
  }
}
