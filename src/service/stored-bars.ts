import type { Sql } from "postgres";
import type { BarArchive } from "../market/kline-cache.ts";
import { klineArrays, klineAt } from "../market/kline-rules.ts";
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
