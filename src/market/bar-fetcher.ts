import { InputError } from "../input-error.ts";
import { brokenRule, type Kline } from "./kline-rules.ts";
import { timeframeName, timeText } from "./timeframe.ts";

/** Whoever can be asked for recorded bars: the exchange's REST interface, or a stand-in for it. */
export interface BarFetcher {
  /**
   * The first `limit` bars of a symbol that open in [from, to], oldest first; fewer where there are no more. Both ends
   * are open times, in ms and inclusive. The bar that is still open belongs to the answer when `to` reaches it.
   *
   * @param limit 1 to 1500
   */
  klines(symbol: string, timeframe: number, from: number, to: number, limit: number): Promise<readonly Kline[]>;
}

/** Binance's weights make this the page with most bars per weight: 499 bars for 2 of it, 1500 for 10. */
export const PAGE = 499;

/**
 * All bars that open in [from, to], asked for page by page. Ends early where the exchange has no more.
 * @throws InputError for an answer that is no clean series within the range that was asked for
 */
export async function* fetchBars(
  fetcher: BarFetcher,
  symbol: string,
  timeframe: number,
  from: number,
  to: number,
): AsyncGenerator<readonly Kline[]> {
  for (let next = from; next <= to; ) {
    const slots = Math.floor((to - next) / timeframe) + 1;
    const limit = slots < PAGE ? slots : PAGE;
    const bars = await fetcher.klines(symbol, timeframe, next, to, limit);
    checkAnswer(bars, symbol, timeframe, next, to, limit);
    if (bars.length > 0) yield bars;
    if (bars.length < limit) return;
    next = bars.at(-1)!.openTime + timeframe;
  }
}

function checkAnswer(
  bars: readonly Kline[],
  symbol: string,
  timeframe: number,
  from: number,
  to: number,
  limit: number,
): void {
  const refuse = (what: string) =>
    new InputError(`the exchange's answer for ${symbol} ${timeframeName(timeframe)} cannot be used: ${what}`);
  if (bars.length > limit) throw refuse(`${bars.length} bars, ${limit} were asked for`);
  let previous = Number.NEGATIVE_INFINITY;
  for (const bar of bars) {
    const broken = brokenRule(bar, previous, timeframe);
    if (broken !== undefined) throw refuse(broken);
    if (bar.openTime < from || bar.openTime > to) {
      throw refuse(`a bar of ${timeText(bar.openTime)}, outside of ${timeText(from)} to ${timeText(to)}`);
    }
    previous = bar.openTime;
  }
}
