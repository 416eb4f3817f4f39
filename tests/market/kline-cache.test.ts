import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BarFetcher } from "../../src/market/bar-fetcher.ts";
import { type BarArchive, type CacheFailure, dynamicTtl, KlineCache, WINDOWS } from "../../src/market/kline-cache.ts";
import type { Kline } from "../../src/market/kline-rules.ts";
import { TIMEFRAMES } from "../../src/market/timeframe.ts";
import { incrementalAgainstNaive } from "./incremental.ts";
import { BEGIN, KlineExchange } from "./kline-exchange.ts";

const M5 = TIMEFRAMES["5m"];
const GRACE = 2000;
const NOBODY = () => {};

/** An archive in memory that keeps every version, as the store does. */
class Archive implements BarArchive {
  readonly versions = new Map<string, { bar: Kline; seenAt: number }[]>();
  down = false;

  async read(symbol: string, timeframe: number, from: number, to: number): Promise<readonly Kline[]> {
    if (this.down) throw new Error("the database is away");
    return [...this.versions]
      .filter(([key]) => key.startsWith(`${symbol} ${timeframe} `))
      .map(([, versions]) => versions.at(-1)!.bar)
      .filter(({ openTime }) => openTime >= from && openTime <= to)
      .sort((a, b) => a.openTime - b.openTime);
  }

  async write(symbol: string, timeframe: number, bars: readonly Kline[], seenAt: number): Promise<void> {
    if (this.down) throw new Error("the database is away");
    for (const bar of bars) {
      const key = `${symbol} ${timeframe} ${bar.openTime}`;
      this.versions.set(key, [...(this.versions.get(key) ?? []), { bar, seenAt }]);
    }
  }
}

function setUp(archive?: BarArchive) {
  const exchange = new KlineExchange();
  const failures: CacheFailure[] = [];
  const onFailure = (failure: CacheFailure) => void failures.push(failure);
  const options = { fetcher: exchange, now: () => exchange.now, grace: GRACE, onFailure };
  const cache = () => new KlineCache(archive === undefined ? options : { ...options, archive });
  return { exchange, failures, newCache: cache, cache: cache() };
}

describe("a window", () => {
  test("is asked for once, and then only for the bars after the last known close", async () => {
    const { exchange, cache } = setUp();
    exchange.now = BEGIN + 300 * M5 + GRACE;
    const first = await cache.window("AUSDT", M5);
    expect(first).toEqual({ bars: exchange.truth("AUSDT", M5, 200, GRACE), missing: 0 } as typeof first);
    expect(first.bars).toHaveLength(200);
    expect([exchange.requests, exchange.bars]).toEqual([1, 200]);

    // Until the next bar is due nothing can be new.
    for (exchange.now += 1000; exchange.now < BEGIN + 301 * M5 + GRACE; exchange.now += 17_000) {
      expect((await cache.window("AUSDT", M5)).bars).toEqual(first.bars);
    }
    expect(exchange.requests).toBe(1);
    exchange.now = BEGIN + 303 * M5 + GRACE;
    const later = await cache.window("AUSDT", M5);
    expect(later.bars).toEqual(exchange.truth("AUSDT", M5, 200, GRACE));
    expect([exchange.requests, exchange.bars]).toEqual([2, 203]);
    expect(cache.counters).toMatchObject({ requests: 2, barsFetched: 203, corrected: 0, failures: 0 });
    expect(cache.counters.requestsSaved).toBe(cache.counters.windows - 2);
  });

  test("that many ask for at once is one request", async () => {
    const { exchange, cache } = setUp();
    exchange.now = BEGIN + 250 * M5 + GRACE;
    const windows = await Promise.all(Array.from({ length: 20 }, () => cache.window("AUSDT", M5)));
    expect(exchange.requests).toBe(1);
    expect(cache.counters).toMatchObject({ windows: 20, joined: 19, requestsSaved: 19, barsServed: 20 * 200 });
    for (const { bars } of windows) expect(bars).toEqual(windows[0]!.bars);
  });

  test("asked for at a later time than the request that is under way gets the later bar as well", async () => {
    const { exchange } = setUp();
    const waiting: (() => void)[] = [];
    const slow: BarFetcher = {
      klines: async (...question) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return exchange.klines(...question);
      },
    };
    const cache = new KlineCache({ fetcher: slow, now: () => exchange.now, onFailure: NOBODY });
    exchange.now = BEGIN + 250 * M5 + GRACE;
    const early = cache.window("AUSDT", M5);
    exchange.now += M5;
    const late = cache.window("AUSDT", M5);
    while (waiting.length === 0) await Promise.resolve();
    waiting.shift()!();
    expect((await early).bars.at(-1)!.openTime).toBe(BEGIN + 249 * M5);
    while (waiting.length === 0) await Promise.resolve();
    waiting.shift()!();
    expect((await late).bars).toEqual(exchange.truth("AUSDT", M5, 200, GRACE));
  });

  test("of a listing is as long as its life, and nobody goes on asking for what was before", async () => {
    const { exchange, cache } = setUp();
    for (let bar = 3; bar <= 20; bar++) {
      exchange.now = BEGIN + bar * M5 + GRACE;
      expect((await cache.window("NEWUSDT", M5)).bars).toHaveLength(bar);
    }
    expect(exchange.requests).toBe(18);
    expect((await cache.window("NEWUSDT", M5)).missing).toBe(0);
  });

  test("has no unfinished bar, neither from the exchange nor from a stream", async () => {
    const { exchange, cache } = setUp();
    exchange.now = BEGIN + 250 * M5 + M5 - 1;
    const open = BEGIN + 250 * M5;
    expect(cache.offer("AUSDT", M5, exchange.unfinished("AUSDT", M5, open), false)).toBe(false);
    // A final bar of a stream whose clock is ahead of ours waits until it has closed here too.
    expect(cache.offer("AUSDT", M5, exchange.bar("AUSDT", M5, open), true)).toBe(true);
    expect((await cache.window("AUSDT", M5)).bars.at(-1)!.openTime).toBe(open - M5);
    exchange.now += 1;
    expect((await cache.window("AUSDT", M5)).bars.at(-1)).toEqual(exchange.bar("AUSDT", M5, open));
    expect(cache.offer("AUSDT", M5, exchange.bar("AUSDT", M5, open + 2 * M5), true)).toBe(false);
    const crooked = { ...exchange.bar("AUSDT", M5, open), openTime: open + 1 };
    expect(() => cache.offer("AUSDT", M5, crooked, true)).toThrow("is not a multiple of the timeframe 5m");
  });

  test("of another timeframe is refused", () => {
    const { cache } = setUp();
    expect(cache.window("AUSDT", 60_000)).rejects.toThrow("no window of 60000 ms");
  });
});

describe("what the exchange does not have", () => {
  test("a late bar is asked for after growing pauses, at most the TTL apart", async () => {
    const { exchange, cache } = setUp();
    exchange.now = BEGIN + 250 * M5 + GRACE;
    await cache.window("AUSDT", M5);
    exchange.late = 20 * 60_000;
    const asked: number[] = [];
    for (const end = exchange.now + 20 * 60_000; exchange.now <= end; exchange.now += 1000) {
      const before = exchange.requests;
      await cache.window("AUSDT", M5);
      if (exchange.requests > before) asked.push((exchange.now - BEGIN - 251 * M5) / 1000);
    }
    // Every bar that becomes due begins anew.
    expect(asked.slice(0, 12)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 302, 304, 308, 316]);
    expect((await cache.window("AUSDT", M5)).missing).toBeGreaterThan(0);
    exchange.late = 0;
    exchange.now += 300_000;
    const { bars, missing } = await cache.window("AUSDT", M5);
    expect(missing).toBe(0);
    expect(bars).toEqual(exchange.truth("AUSDT", M5, 200, GRACE));
  });

  test("a bar that an answer leaves out is not asked for again", async () => {
    const { exchange, cache } = setUp();
    exchange.hole("AUSDT", M5, BEGIN + 200 * M5);
    for (let bar = 250; bar < 260; bar++) {
      exchange.now = BEGIN + bar * M5 + GRACE;
      const { bars, missing } = await cache.window("AUSDT", M5);
      expect([bars.length, missing]).toEqual([199, 0]);
      expect(bars).toEqual(exchange.truth("AUSDT", M5, 200, GRACE));
    }
    expect(exchange.requests).toBe(10);
  });

  test("a bar with nothing but a stream's bars after it is given up only while three of them come", async () => {
    const { exchange, cache } = setUp();
    exchange.now = BEGIN + 250 * M5 + GRACE;
    await cache.window("AUSDT", M5);
    exchange.hole("AUSDT", M5, BEGIN + 250 * M5);
    const missing: number[] = [];
    for (let bar = 251; bar < 256; bar++) {
      exchange.now = BEGIN + (bar + 1) * M5 + GRACE;
      cache.offer("AUSDT", M5, exchange.bar("AUSDT", M5, BEGIN + bar * M5), true);
      for (let second = 0; second < 200; second += 10) {
        exchange.now += 10_000;
        missing.push((await cache.window("AUSDT", M5)).missing);
      }
    }
    expect([missing.filter((count) => count === 1).length, missing.at(-1)]).toEqual([2 * 20, 0]);
    const asked = exchange.requests;
    await cache.window("AUSDT", M5);
    expect(exchange.requests).toBe(asked);
    // It came after all.
    cache.offer("AUSDT", M5, exchange.bar("AUSDT", M5, BEGIN + 250 * M5), true);
    expect((await cache.window("AUSDT", M5)).bars).toHaveLength(200);
  });

  test("a failure leaves the window incomplete, says so, and is tried again", async () => {
    const { exchange, failures, cache } = setUp();
    exchange.now = BEGIN + 250 * M5 + GRACE;
    await cache.window("AUSDT", M5);
    exchange.now += M5;
    exchange.down = true;
    expect(await cache.window("AUSDT", M5)).toMatchObject({ missing: 1 });
    expect(failures).toMatchObject([
      { what: "fetch", symbol: "AUSDT", timeframe: M5, error: { message: "connection reset" } },
    ]);
    exchange.down = false;
    exchange.now += GRACE;
    expect((await cache.window("AUSDT", M5)).bars).toEqual(exchange.truth("AUSDT", M5, 200, GRACE));
  });

  test("an answer that is no series of bars is a failure", async () => {
    const { exchange } = setUp();
    const failures: CacheFailure[] = [];
    exchange.now = BEGIN + 250 * M5 + GRACE;
    const bar = exchange.bar("AUSDT", M5, BEGIN + 249 * M5);
    for (const wrong of [
      { ...bar, high: 1 },
      { ...bar, openTime: bar.openTime + 1 },
      { ...bar, openTime: bar.openTime + M5 },
    ]) {
      const fetcher = { klines: async () => [wrong] };
      const cache = new KlineCache({
        fetcher,
        now: () => exchange.now,
        onFailure: (failure) => void failures.push(failure),
      });
      expect((await cache.window("AUSDT", M5)).bars).toEqual([]);
    }
    expect(failures.map(({ error }) => (error as Error).message)).toEqual([
      expect.stringContaining("high 1 is below low"),
      expect.stringContaining("is not a multiple of the timeframe 5m"),
      expect.stringContaining("outside of"),
    ]);
  });
});

test("healthy streams leave the exchange only the gaps", async () => {
  const { exchange, cache } = setUp();
  exchange.now = BEGIN + 250 * M5 + GRACE;
  await cache.window("AUSDT", M5);
  cache.streaming = true;
  for (let bar = 250; bar < 350; bar++) {
    exchange.now = BEGIN + (bar + 1) * M5 + 300;
    const lost = bar >= 300 && bar < 303;
    if (!lost) cache.offer("AUSDT", M5, exchange.bar("AUSDT", M5, BEGIN + bar * M5), true);
    // A stream may be late, and nobody asks for what it may still bring.
    exchange.now += 20_000;
    const before = exchange.requests;
    await cache.window("AUSDT", M5);
    expect(exchange.requests).toBe(before);
    exchange.now += 20_000;
    expect((await cache.window("AUSDT", M5)).bars).toEqual(exchange.truth("AUSDT", M5, 200, GRACE));
  }
  expect([exchange.requests, exchange.bars]).toEqual([1 + 3, 200 + 3]);
});

describe("the archive", () => {
  test("gives a restart all but what is missing, and has every version of a bar", async () => {
    const archive = new Archive();
    const { exchange, cache, newCache } = setUp(archive);
    exchange.now = BEGIN + 250 * M5 + GRACE;
    await cache.window("AUSDT", M5);
    const openTime = BEGIN + 240 * M5;
    const seen = exchange.bar("AUSDT", M5, openTime);
    exchange.correct("AUSDT", M5, openTime);
    cache.offer("AUSDT", M5, exchange.bar("AUSDT", M5, openTime), true);
    expect(await cache.flush()).toBe(0);
    expect(archive.versions.get(`AUSDT ${M5} ${openTime}`)!.map(({ bar }) => bar)).toEqual([
      seen,
      exchange.bar("AUSDT", M5, openTime),
    ]);

    // What a stream has brought before the archive was read is newer than what it holds.
    const early = newCache();
    exchange.correct("AUSDT", M5, openTime);
    archive.down = true;
    early.offer("AUSDT", M5, exchange.bar("AUSDT", M5, openTime), true);
    expect(await early.flush()).toBe(1);
    archive.down = false;
    expect((await early.window("AUSDT", M5)).bars).toEqual(exchange.truth("AUSDT", M5, 200, GRACE));
    expect(await early.flush()).toBe(0);

    archive.versions.delete(`AUSDT ${M5} ${BEGIN + 245 * M5}`);
    exchange.now += 2 * M5;
    exchange.requests = exchange.bars = 0;
    const restarted = newCache();
    expect((await restarted.window("AUSDT", M5)).bars).toEqual(exchange.truth("AUSDT", M5, 200, GRACE));
    expect([exchange.requests, exchange.bars]).toEqual([2, 1 + 2]);
    expect(restarted.counters.barsRead).toBe(197);
  });

  test("that is away holds nobody up, and gets all of it in order when it is back", async () => {
    const archive = new Archive();
    archive.down = true;
    const { exchange, failures, cache } = setUp(archive);
    exchange.now = BEGIN + 250 * M5 + GRACE;
    expect((await cache.window("AUSDT", M5)).bars).toHaveLength(200);
    const openTime = BEGIN + 240 * M5;
    exchange.correct("AUSDT", M5, openTime);
    cache.offer("AUSDT", M5, exchange.bar("AUSDT", M5, openTime), true);
    expect(await cache.flush()).toBe(2);
    expect(failures.map(({ what }) => what)).toContain("read");
    expect(failures.map(({ what }) => what)).toContain("write");
    archive.down = false;
    expect(await cache.flush()).toBe(0);
    expect(archive.versions.size).toBe(200);
    expect(archive.versions.get(`AUSDT ${M5} ${openTime}`)).toHaveLength(2);
  });
});

test("any interleaving of streams, fetches, failures, gaps, late and corrected bars gives the exchange's windows", async () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("wait" as const), seconds: fc.integer({ min: 1, max: 900 }) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("look" as const), symbol: fc.nat(1) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("stream" as const),
        symbol: fc.nat(1),
        back: fc.nat(4),
        final: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("correct" as const), symbol: fc.nat(1), back: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("down" as const), down: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("late" as const), seconds: fc.nat(600) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("streaming" as const), healthy: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.array(fc.integer({ min: 150, max: 320 })),
      async (steps, holes) => {
        const archive = new Archive();
        const { exchange, newCache } = setUp(archive);
        for (const hole of holes) exchange.hole("S0USDT", M5, BEGIN + hole * M5);
        exchange.now = BEGIN + 260 * M5 + GRACE;
        let cache = newCache();
        let streaming = false;
        const isHole = (symbol: number, bar: number) => symbol === 0 && holes.includes(bar);
        for (const each of steps) {
          const closed = Math.floor((exchange.now - exchange.late - BEGIN) / M5) - 1;
          switch (each.do) {
            case "wait":
              exchange.now += each.seconds * 1000;
              break;
            case "late":
              // The exchange takes nothing back that it has shown.
              if (each.seconds * 1000 <= exchange.late) exchange.late = each.seconds * 1000;
              else if (exchange.late === 0) {
                exchange.late = each.seconds * 1000;
                exchange.now += each.seconds * 1000;
              }
              break;
            case "down":
              exchange.down = each.down;
              break;
            case "streaming":
              cache.streaming = streaming = each.healthy;
              break;
            case "stream": {
              const openTime = BEGIN + (closed - each.back) * M5;
              const symbol = `S${each.symbol}USDT`;
              if (!each.final)
                cache.offer(symbol, M5, exchange.unfinished(symbol, M5, openTime + (each.back + 1) * M5), false);
              else if (!isHole(each.symbol, closed - each.back))
                cache.offer(symbol, M5, exchange.bar(symbol, M5, openTime), true);
              break;
            }
            case "correct": {
              const openTime = BEGIN + (closed - each.back) * M5;
              const symbol = `S${each.symbol}USDT`;
              if (isHole(each.symbol, closed - each.back)) break;
              exchange.correct(symbol, M5, openTime);
              cache.offer(symbol, M5, exchange.bar(symbol, M5, openTime), true);
              break;
            }
            case "restart":
              await cache.flush();
              cache = newCache();
              cache.streaming = streaming;
              break;
            case "look": {
              const { bars } = await cache.window(`S${each.symbol}USDT`, M5);
              for (const bar of bars) {
                expect(bar.openTime + M5).toBeLessThanOrEqual(exchange.now);
                expect(bar).toEqual(exchange.bar(`S${each.symbol}USDT`, M5, bar.openTime));
              }
            }
          }
        }
        // When the trouble is over, and the longest pause, everything is there.
        exchange.down = false;
        exchange.late = 0;
        cache.streaming = false;
        exchange.now += 300_000;
        for (const symbol of ["S0USDT", "S1USDT"]) {
          expect((await cache.window(symbol, M5)).bars).toEqual(exchange.truth(symbol, M5, 200, GRACE));
        }
        await cache.flush();
        const kept = await archive.read("S1USDT", M5, 0, exchange.now);
        expect(kept.slice(-200)).toEqual([...exchange.truth("S1USDT", M5, 200, GRACE)]);
      },
    ),
    { numRuns: 150 },
  );
});

test("the dynamic TTL follows its formula within its bounds", () => {
  const bars = (high: (i: number) => number) =>
    Array.from({ length: 30 }, (_, i) => ({ openTime: i, open: 100, high: high(i), low: 90, close: 100, volume: 1 }));
  expect(dynamicTtl(bars(() => 100))).toBe(300_000);
  expect(dynamicTtl(bars(() => 100).slice(0, 19))).toBe(300_000);
  // Highs of 99 and 101 in turns deviate by 1 from their mean.
  expect(dynamicTtl(bars((i) => 100 + (i % 2 === 0 ? 1 : -1)))).toBeCloseTo(300_000 * 0.99, 6);
  expect(dynamicTtl(bars((i) => (i % 2 === 0 ? 100 : 900)))).toBe(270_000);
});

test("six hours of four symbols: fewer requests and bars than full windows each cycle, and the same windows", async () => {
  const { requests, bars, windows, differences } = await incrementalAgainstNaive({ symbols: 4, hours: 6 });
  expect(differences).toBe(0);
  expect(windows).toBe(4 * 3 * 360);
  expect(1 - requests.cache / requests.naive).toBeGreaterThan(0.8);
  expect(1 - bars.cache / bars.naive).toBeGreaterThan(0.95);
  expect(Object.values(WINDOWS)).toEqual([200, 100, 100]);
});
