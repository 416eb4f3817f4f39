import { KlineCache, WINDOWS } from "../../src/market/kline-cache.ts";
import type { Kline } from "../../src/market/kline-rules.ts";
import { BEGIN, KlineExchange } from "./kline-exchange.ts";

const HOUR = 3_600_000;
const CYCLE = 60_000;
const GRACE = 2000;

interface Compared {
  readonly cache: number;
  readonly naive: number;
}

export interface Comparison {
  readonly requests: Compared;
  readonly bars: Compared;
  readonly weight: Compared;
  /** Windows compared, and those that were not the same. */
  readonly windows: number;
  readonly differences: number;
}

/**
 * A service that asks for its three windows of every symbol once a minute, through the cache and as a client that
 * fetches all of each window every time; every window of the one is compared with that of the other.
 */
export async function incrementalAgainstNaive(
  options: { readonly symbols: number; readonly hours: number },
  onProgress?: (text: string) => void,
): Promise<Comparison> {
  const [exchange, plain] = [new KlineExchange(), new KlineExchange()];
  const fail = ({ error }: { error: unknown }) => {
    throw error;
  };
  const cache = new KlineCache({ fetcher: exchange, now: () => exchange.now, grace: GRACE, onFailure: fail });
  const symbols = Array.from({ length: options.symbols }, (_, i) => `S${i}USDT`);
  const timeframes = Object.entries(WINDOWS).map(([timeframe, size]) => ({ timeframe: Number(timeframe), size }));
  // Enough history for 100 hours; a cycle begins some seconds after the minute, as requests of a service do.
  const start = BEGIN + 120 * HOUR + 5000;
  let windows = 0;
  let differences = 0;
  for (let now = start; now < start + options.hours * HOUR; now += CYCLE) {
    exchange.now = plain.now = now;
    for (const symbol of symbols) {
      await Promise.all(
        timeframes.map(async ({ timeframe, size }) => {
          const { bars } = await cache.window(symbol, timeframe);
          const naive = await naiveWindow(plain, symbol, timeframe, size);
          windows++;
          if (!same(bars, naive)) differences++;
        }),
      );
    }
    onProgress?.(`${Math.round((100 * (now - start)) / (options.hours * HOUR))} % of ${options.hours} h`);
  }
  return {
    requests: { cache: exchange.requests, naive: plain.requests },
    bars: { cache: exchange.bars, naive: plain.bars },
    weight: { cache: exchange.weight, naive: plain.weight },
    windows,
    differences,
  };
}

/** The last `size` closed bars as most clients get them: one more than needed, without the open one. */
async function naiveWindow(exchange: KlineExchange, symbol: string, timeframe: number, size: number) {
  const open = Math.floor(exchange.now / timeframe) * timeframe;
  const bars = await exchange.klines(symbol, timeframe, open - size * timeframe, open, size + 1);
  return bars.filter(({ openTime }) => openTime + timeframe <= exchange.now);
}

function same(a: readonly Kline[], b: readonly Kline[]): boolean {
  return (
    a.length === b.length &&
    a.every((bar, i) => {
      const other = b[i]!;
      return (
        bar.openTime === other.openTime &&
        bar.open === other.open &&
        bar.high === other.high &&
        bar.low === other.low &&
        bar.close === other.close &&
        bar.volume === other.volume
      );
    })
  );
}
