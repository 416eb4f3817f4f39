import { priceOf } from "../core/instrument.ts";
import { ABSENT, type BarSource } from "../market/bar-source.ts";
import { CLOSE, LANES, Panel } from "../market/panel.ts";
import { TIMEFRAMES } from "../market/timeframe.ts";
import { MARKET_BARS, type MarketView } from "./feature.ts";

const BAR_LENGTH = TIMEFRAMES["5m"];

/** The market's returns as an engine reads them: at the bar that it was moved to, and back from there. */
export interface MarketCursor extends MarketView {
  /** Makes the bar that opened at a time (ms UTC) the newest. */
  moveTo(openTime: number): void;
}

/**
 * The mean return of all symbols per 5m bar of a panel. A function of the panel's bars alone: whoever asks, and
 * whenever, gets the same bits, because the symbols are summed in their order.
 */
export class MarketReturns implements MarketCursor {
  readonly #panel: Panel;
  readonly #timeframe: number;
  /** Returns by bar index modulo their number, of the bars up to `#newest`. */
  readonly #returns = new Float64Array(MARKET_BARS).fill(Number.NaN);
  #newest = -1;

  /** @param panel any part of the panel: the market is all of it */
  constructor(panel: Panel) {
    this.#panel = Panel.attach(panel.buffer);
    this.#timeframe = this.#panel.timeframe("5m");
  }

  /** Only bars that were not yet seen are computed, and of them only those that can still be asked for. */
  moveTo(openTime: number): void {
    const index = this.#panel.indexAt(this.#timeframe, openTime);
    const first = Math.max(this.#newest, index - MARKET_BARS) + 1;
    for (let bar = first; bar <= index; bar++) this.#returns[bar % MARKET_BARS] = this.#compute(bar);
    this.#newest = index;
  }

  return(back: number): number {
    if (!(back >= 0 && back < MARKET_BARS && back <= this.#newest)) return Number.NaN;
    return this.#returns[(this.#newest - back) % MARKET_BARS]!;
  }

  #compute(bar: number): number {
    const panel = this.#panel;
    const timeframe = this.#timeframe;
    if (!panel.holds(timeframe, bar) || !panel.holds(timeframe, bar - 1)) return Number.NaN;
    const { values } = panel;
    const stride = panel.groupStride(timeframe);
    const now = panel.offset(timeframe, 0, bar) + CLOSE;
    const before = panel.offset(timeframe, 0, bar - 1) + CLOSE;
    const mean = new Mean();
    for (let symbol = 0; symbol < panel.symbols; symbol++) {
      const at = (symbol >> 3) * stride + (symbol & (LANES - 1));
      // NaN where a bar is absent; a listing begins after an absent one, so that none is compared across it.
      mean.add(values[before + at]!, values[now + at]!);
    }
    return mean.value;
  }
}

/** The market's returns of a whole run, worked out before it; plain data over shared memory. */
export interface MarketHistory {
  /** Open time of the first bar, ms UTC. */
  readonly start: number;
  /** One per 5m bar. */
  readonly returns: Float64Array;
}

/**
 * The same returns, bit for bit, of all bars that a source has from here on: for analysis whose panel has only some of
 * the market's symbols. Takes the source to its end.
 */
export function marketHistory(source: BarSource): MarketHistory {
  const { instruments, timeframe, steps } = source;
  const start = Math.floor(source.start / BAR_LENGTH) * BAR_LENGTH;
  const count = Math.ceil((source.start + steps * timeframe - start) / BAR_LENGTH);
  const returns = new Float64Array(new SharedArrayBuffer(count * 8)).fill(Number.NaN);
  const whole = BAR_LENGTH / timeframe;
  /** Base bars of each symbol in the 5m bar at hand: as in the panel there is one only if none of them is absent. */
  const seen = new Int32Array(instruments.length);
  const before = new Float64Array(instruments.length).fill(Number.NaN);
  for (let step = source.step(); step !== undefined; step = source.step()) {
    const { openTime, status, close } = step;
    if (openTime % BAR_LENGTH === 0) seen.fill(0);
    for (let symbol = 0; symbol < seen.length; symbol++) if (status[symbol] !== ABSENT) seen[symbol]! += 1;
    const end = openTime + timeframe;
    if (end % BAR_LENGTH !== 0) continue;
    const mean = new Mean();
    for (let symbol = 0; symbol < seen.length; symbol++) {
      const price = seen[symbol] === whole ? priceOf(instruments[symbol]!, close[symbol]!) : Number.NaN;
      mean.add(before[symbol]!, price);
      before[symbol] = price;
    }
    returns[(end - start) / BAR_LENGTH - 1] = mean.value;
  }
  return { start, returns };
}

/** A cursor over a history: what lies after the bar it was moved to cannot be reached through it. */
export class MarketHistoryCursor implements MarketCursor {
  readonly #history: MarketHistory;
  #newest = -1;

  constructor(history: MarketHistory) {
    this.#history = history;
  }

  moveTo(openTime: number): void {
    this.#newest = Math.round((openTime - this.#history.start) / BAR_LENGTH);
  }

  return(back: number): number {
    if (!(back >= 0 && back < MARKET_BARS && back <= this.#newest)) return Number.NaN;
    return this.#history.returns[this.#newest - back] ?? Number.NaN;
  }
}

/** The mean return of the symbols in the order in which they are added; missing with fewer than two. */
class Mean {
  #sum = 0;
  #count = 0;

  add(before: number, now: number): void {
    // False for a NaN on either side.
    if (!(before > 0 && now > 0)) return;
    this.#sum += now / before - 1;
    this.#count += 1;
  }

  get value(): number {
    return this.#count < 2 ? Number.NaN : this.#sum / this.#count;
  }
}
