import type { Sql } from "postgres";
import type { BarArchive } from "../market/kline-cache.ts";
import { klineArrays, klineAt } from "../market/kline-rules.ts";
import { readSeries } from "../store/history.ts";
import { readKlineRange, storeKlines } from "../store/klines.ts";

/** The store as the archive of a KlineCache. */
export function storedBars(sql: Sql): BarArchive {
  return {
    async read(symbol, timeframe, from, to) {
      const bars = await readKlineRange(sql, symbol, timeframe, from, to, (to - from) / timeframe + 1);
      return Array.from(bars.openTime, (_, index) => klineAt(bars, index));
    },
    async write(symbol, timeframe, bars, seenAt) {
      await storeKlines(sql, { symbol, timeframe, ...klineArrays(bars) }, seenAt);
    },
  };
}

/**
 * The same for a start, which reads each series once: all of them have come with one query, and each is let go of when it
 * is read.
 * @param from open time of the first bar that will be asked for, ms
 */
export async function storedBarsAtOnce(
  sql: Sql,
  symbols: readonly string[],
  timeframe: number,
  from: number,
): Promise<BarArchive> {
  const all = await readSeries(sql, timeframe, from, symbols);
  return {
    async read(symbol, _, first, last) {
      const bars = all.get(symbol);
      all.delete(symbol);
      if (bars === undefined) return [];
      const klines = Array.from(bars.openTime, (_, index) => klineAt(bars, index));
      return klines.filter(({ openTime }) => openTime >= first && openTime <= last);
    },
    write: storedBars(sql).write,
  };
}
