import type { BarEvent, ListingEvent } from "../core/events.ts";
import { EquityCurve } from "./equity.ts";

const WAITING = 0;
const HELD = 1;
const SOLD = 2;

/**
 * What the same money would have become without any trading: an equal share goes into each symbol at the open of its
 * first bar and stays there. The share of a symbol that is listed later waits as cash until then; one that is delisted
 * turns into cash at its last price and stays cash. No leverage, no fees, no spread and no funding, all of which would
 * lower it.
 */
export class BuyAndHold {
  readonly curve: EquityCurve;
  readonly #share: number;
  readonly #phase: Uint8Array;
  readonly #bought: Float64Array;
  readonly #last: Float64Array;
  /** Sum over the symbols of price now / price bought; 1 for a share that is cash from the start. */
  #growth: number;
  #held = 0;
  #time: number;

  /** @param time when trading starts, ms  @param equity what it starts with, 1e-8 USDT */
  constructor(symbols: number, time: number, equity: number) {
    this.curve = new EquityCurve(time, equity);
    this.#share = equity / symbols;
    this.#phase = new Uint8Array(symbols);
    this.#bought = new Float64Array(symbols);
    this.#last = new Float64Array(symbols);
    this.#growth = symbols;
    this.#time = time;
  }

  bar({ symbol, time, open, close }: BarEvent): void {
    if (time > this.#time) this.#mark(time);
    if (this.#phase[symbol] === SOLD) return;
    if (this.#phase[symbol] === WAITING) {
      this.#phase[symbol] = HELD;
      this.#bought[symbol] = open;
      this.#last[symbol] = open;
      this.#held += 1;
    }
    this.#growth += (close - this.#last[symbol]!) / this.#bought[symbol]!;
    this.#last[symbol] = close;
  }

  listing({ symbol, listed }: ListingEvent): void {
    if (listed || this.#phase[symbol] !== HELD) return;
    this.#phase[symbol] = SOLD;
    this.#held -= 1;
  }

  /** Takes in the bars that closed last; nothing comes after it. */
  end(): void {
    this.#mark(this.#time);
  }

  /** All bars of `#time` are known once one of a later time comes. */
  #mark(next: number): void {
    const equity = Math.round(this.#growth * this.#share);
    this.curve.add({ time: this.#time, equity, exposure: this.#held > 0 ? equity : 0, positions: this.#held });
    this.#time = next;
  }
}
