import type { BarFetcher } from "../../src/market/bar-fetcher.ts";
import type { Kline } from "../../src/market/kline-rules.ts";

/** A multiple of every timeframe, before which no symbol was listed. */
export const BEGIN = Date.UTC(2025, 0, 1);

/**
 * An exchange's klines within the process, by Binance's rules: at most 1500 bars, `from` and `to` inclusive on the open
 * time, oldest first from `from` on, and the last one unfinished when `to` reaches into it. Bars are a function of
 * symbol, timeframe and open time, so that what it says can be worked out without asking it.
 */
export class KlineExchange implements BarFetcher {
  now = BEGIN;
  requests = 0;
  bars = 0;
  weight = 0;
  /** Set to fail the next requests. */
  down = false;
  /** How long after its close the exchange shows a bar; until then it has none there. */
  late = 0;
  readonly #series = new Map<string, Kline[]>();
  /** Keys of bars that the exchange never had, and corrected versions. */
  readonly #holes = new Set<string>();
  readonly #corrections = new Map<string, number>();

  async klines(symbol: string, timeframe: number, from: number, to: number, limit: number): Promise<readonly Kline[]> {
    this.requests++;
    if (!(limit >= 1 && limit <= 1500)) throw new RangeError(`limit ${limit}`);
    this.weight += limit < 100 ? 1 : limit < 500 ? 2 : limit <= 1000 ? 5 : 10;
    if (this.down) throw new Error("connection reset");
    const answer = this.#between(symbol, timeframe, from, to, limit);
    this.bars += answer.length;
    return answer;
  }

  /** The bars that have closed `grace` ago within the last `size` slots: what a cache has to show. */
  truth(symbol: string, timeframe: number, size: number, grace: number): readonly Kline[] {
    const last = Math.floor((this.now - grace) / timeframe) * timeframe - timeframe;
    return this.#between(symbol, timeframe, last - (size - 1) * timeframe, last, size);
  }

  /** The finished version of a bar. */
  bar(symbol: string, timeframe: number, openTime: number): Kline {
    return made(symbol, timeframe, openTime, this.#corrections.get(`${symbol} ${timeframe} ${openTime}`) ?? 0);
  }

  /** A bar as a stream shows it before its close. */
  unfinished(symbol: string, timeframe: number, openTime: number): Kline {
    const { open, low, high } = this.bar(symbol, timeframe, openTime);
    return { openTime, open, high, low, close: low, volume: 0.5 };
  }

  correct(symbol: string, timeframe: number, openTime: number): void {
    const key = `${symbol} ${timeframe} ${openTime}`;
    this.#corrections.set(key, (this.#corrections.get(key) ?? 0) + 1);
    this.#series.clear();
  }

  hole(symbol: string, timeframe: number, openTime: number): void {
    this.#holes.add(`${symbol} ${timeframe} ${openTime}`);
    this.#series.clear();
  }

  #between(symbol: string, timeframe: number, from: number, to: number, limit: number): readonly Kline[] {
    const series = this.#finished(symbol, timeframe);
    const first = series.findLastIndex(({ openTime }) => openTime < from) + 1;
    let end = first;
    while (end < series.length && end - first < limit && series[end]!.openTime <= to) end++;
    const answer = series.slice(first, end);
    const open = Math.floor(this.now / timeframe) * timeframe;
    if (open >= from && open <= to && answer.length < limit) answer.push(this.unfinished(symbol, timeframe, open));
    return answer;
  }

  #finished(symbol: string, timeframe: number): readonly Kline[] {
    const key = `${symbol} ${timeframe}`;
    const series = this.#series.get(key) ?? [];
    this.#series.set(key, series);
    // A search from the end keeps this cheap; an exchange's oldest bars are of no interest here.
    let next = series.length > 0 ? series.at(-1)!.openTime + timeframe : BEGIN;
    for (; next + timeframe <= this.now - this.late; next += timeframe) {
      if (!this.#holes.has(`${key} ${next}`)) series.push(this.bar(symbol, timeframe, next));
    }
    return series;
  }
}

/** Version 0 of a bar and its corrections; prices have two decimals. */
function made(symbol: string, timeframe: number, openTime: number, version: number): Kline {
  let hash = (openTime / 60_000 + timeframe / 1000) | 0;
  for (let i = 0; i < symbol.length; i++) hash = Math.imul(hash ^ symbol.charCodeAt(i), 0x01000193);
  const draw = () => {
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ 0x297a2d39;
    return (hash >>> 0) % 500;
  };
  const [open, close] = [10_000 + draw(), 10_000 + draw()];
  const high = Math.max(open, close) + draw();
  const low = Math.min(open, close) - draw();
  return {
    openTime,
    open: open / 100,
    high: high / 100,
    low: low / 100,
    close: close / 100,
    volume: 1 + draw() + version,
  };
}
