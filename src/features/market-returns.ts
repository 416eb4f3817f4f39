import { ABSENT } from "../market/bar-source.ts";
import { CLOSE, LANES, type Panel, STARTS } from "../market/panel.ts";
import { MARKET_BARS, type MarketView } from "./feature.ts";

/**
 * The mean return of all symbols per bar of a panel's timeframe. A function of the panel's bars alone: whoever asks,
 * and whenever, gets the same bits, because the symbols are summed in their order.
 */
export class MarketReturns implements MarketView {
  readonly #panel: Panel;
  readonly #timeframe: number;
  /** Returns by bar index modulo their number, of the bars up to `#newest`. */
  readonly #returns = new Float64Array(MARKET_BARS).fill(Number.NaN);
  #newest = -1;

  constructor(panel: Panel, timeframe: number) {
    this.#panel = panel;
    this.#timeframe = timeframe;
  }

  /** Makes a bar the newest. Only bars that were not yet seen are computed, and of them only those still asked for. */
  moveTo(index: number): void {
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
    const { values, statuses } = panel;
    const stride = panel.groupStride(timeframe);
    const statusStride = panel.statusStride(timeframe);
    const now = panel.offset(timeframe, 0, bar) + CLOSE;
    const before = panel.offset(timeframe, 0, bar - 1) + CLOSE;
    const status = panel.statusOffset(timeframe, 0, bar);
    let sum = 0;
    let count = 0;
    for (let symbol = 0; symbol < panel.symbols; symbol++) {
      const group = symbol >> 3;
      const lane = symbol & (LANES - 1);
      const state = statuses[status + group * statusStride + lane]!;
      if (state === ABSENT || (state & STARTS) !== 0) continue;
      const close = values[before + group * stride + lane]!;
      // NaN where the bar before is absent.
      if (!(close > 0)) continue;
      sum += values[now + group * stride + lane]! / close - 1;
      count += 1;
    }
    return count < 2 ? Number.NaN : sum / count;
  }
}
