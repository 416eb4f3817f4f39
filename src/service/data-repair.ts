import { type BarFetcher, fetchBars } from "../market/bar-fetcher.ts";
import { klineArrays } from "../market/kline-rules.ts";
import { findGaps, type Gap, storeKlines } from "../store/klines.ts";
import type { Store } from "../store/store.ts";

/** A gap, and how many of its bars the exchange had. */
export interface Repaired extends Gap {
  readonly repaired: number;
}

/**
 * Asks the exchange for the bars of every gap and stores what it has. What it does not have stays a gap: nothing was
 * traded then. Every page is stored when it comes, so whoever interrupts this can simply repeat it.
 */
export async function repairGaps(
  store: Store,
  fetcher: BarFetcher,
  onProgress?: (share: number, symbol: string) => void,
): Promise<Repaired[]> {
  const gaps = await findGaps(store.sql);
  const results: Repaired[] = [];
  for (const [index, gap] of gaps.entries()) {
    const { symbol, timeframe, from, to } = gap;
    onProgress?.(index / gaps.length, symbol);
    let repaired = 0;
    for await (const bars of fetchBars(fetcher, symbol, timeframe, from, to)) {
      const stored = await storeKlines(store.sql, { symbol, timeframe, ...klineArrays(bars) }, Date.now());
      repaired += stored.added;
    }
    results.push({ ...gap, repaired });
  }
  return results;
}
