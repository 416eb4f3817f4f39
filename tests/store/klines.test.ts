import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { findGaps, type KlineColumns, readKlines, seriesStatus, storeKlines } from "../../src/store/klines.ts";
import type { Store } from "../../src/store/store.ts";
import { KINDS, type TestDatabase } from "./database.ts";

const MINUTE = 60_000;
const START = Date.UTC(2025, 0, 1);

/** Bars at the given minutes after the start; `price` tells versions of a bar apart. */
function bars(symbol: string, minutes: readonly number[], price: (minute: number) => number): KlineColumns {
  const column = (of: (price: number) => number) => minutes.map((minute) => of(price(minute)));
  return {
    symbol,
    timeframe: MINUTE,
    openTime: minutes.map((minute) => START + minute * MINUTE),
    open: column((p) => p),
    high: column((p) => p + 0.1),
    low: column((p) => p - 1e-7),
    close: column((p) => p / 3),
    volume: column((p) => p * 1e6),
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe.each(KINDS)("bars in $name", (kind) => {
  describe.skipIf(kind.absent)("when the server is there", () => {
    let database: TestDatabase;
    let store: Store;
    beforeAll(async () => {
      database = await kind.create();
      store = await database.open();
    });
    afterAll(async () => {
      await store.close();
      await database.remove();
    });

    const revisionsOf = (symbol: string) =>
      store.sql`SELECT open_time, revision, open, seen_at FROM kline_revisions WHERE symbol = ${symbol}
        ORDER BY open_time, revision`;

    test("come back bit by bit, oldest first, and only the last that are asked for", async () => {
      const given = bars("BITSUSDT", range(0, 200), (minute) => 0.1 + minute / 7);
      expect(await storeKlines(store.sql, given, 5)).toEqual({ added: 200, corrected: 0 });
      const back = await readKlines(store.sql, "BITSUSDT", MINUTE, 50, START + 190 * MINUTE);
      for (const name of ["openTime", "open", "high", "low", "close", "volume"] as const) {
        expect([...(back[name] as Float64Array)]).toEqual([...(given[name] as number[])].slice(140, 190));
      }
      expect((await readKlines(store.sql, "BITSUSDT", 5 * MINUTE, 50)).openTime).toHaveLength(0);
    });

    test("the same again change nothing; a correction keeps what was seen before", async () => {
      const first = bars("CORRUSDT", range(0, 30), () => 100);
      await storeKlines(store.sql, first, 1);
      expect(await storeKlines(store.sql, first, 2)).toEqual({ added: 0, corrected: 0 });
      expect(await revisionsOf("CORRUSDT")).toHaveLength(0);
      const overlapping = bars("CORRUSDT", range(20, 40), (minute) => (minute === 25 ? 101 : 100));
      expect(await storeKlines(store.sql, overlapping, 3)).toEqual({ added: 10, corrected: 1 });
      await storeKlines(
        store.sql,
        bars("CORRUSDT", [25], () => 102),
        4,
      );
      expect([...(await revisionsOf("CORRUSDT"))]).toEqual([
        { open_time: START + 25 * MINUTE, revision: 0, open: 100, seen_at: 1 },
        { open_time: START + 25 * MINUTE, revision: 1, open: 101, seen_at: 3 },
      ]);
      expect((await readKlines(store.sql, "CORRUSDT", MINUTE, 1, START + 26 * MINUTE)).open[0]).toBe(102);
    });

    test("gaps are found, counted and closed by what arrives late", async () => {
      const present = [...range(0, 10), ...range(12, 20), ...range(21, 25)];
      await storeKlines(
        store.sql,
        bars("GAPSUSDT", present, () => 7),
        1,
      );
      const gaps = async () => (await findGaps(store.sql)).filter(({ symbol }) => symbol === "GAPSUSDT");
      const at = (minute: number) => START + minute * MINUTE;
      expect(await gaps()).toEqual([
        { symbol: "GAPSUSDT", timeframe: MINUTE, from: at(10), to: at(11), missing: 2 },
        { symbol: "GAPSUSDT", timeframe: MINUTE, from: at(20), to: at(20), missing: 1 },
      ]);
      const status = async () => (await seriesStatus(store.sql)).find(({ symbol }) => symbol === "GAPSUSDT");
      expect(await status()).toEqual({
        symbol: "GAPSUSDT",
        timeframe: MINUTE,
        bars: 22,
        first: at(0),
        last: at(24),
        gaps: 2,
      });
      await storeKlines(
        store.sql,
        bars("GAPSUSDT", [10, 11, 20], () => 7),
        2,
      );
      expect(await gaps()).toEqual([]);
      expect((await status())!.bars).toBe(25);
    });

    test("two writers of one series at once leave each bar once", async () => {
      const added = await Promise.all(
        range(0, 6).map((i) =>
          storeKlines(
            store.sql,
            bars("RACEUSDT", range(i * 10, i * 10 + 40), () => 9),
            i,
          ),
        ),
      );
      expect(added.reduce((sum, each) => sum + each.added, 0)).toBe(90);
      expect((await readKlines(store.sql, "RACEUSDT", MINUTE, 1000)).openTime).toHaveLength(90);
    });

    test("a bar that the schema refuses takes nothing of its batch into the table, and the connection goes on", async () => {
      const broken = { ...bars("BADUSDT", range(0, 5000), () => 1), volume: Array(5000).fill("many") };
      const stored = storeKlines(store.sql, broken, 1);
      await expect(stored).rejects.toThrow("many");
      expect((await readKlines(store.sql, "BADUSDT", MINUTE, 10)).openTime).toHaveLength(0);
      expect(
        await storeKlines(
          store.sql,
          bars("BADUSDT", [0], () => 1),
          1,
        ),
      ).toEqual({ added: 1, corrected: 0 });
    });

    test("whatever arrives in whatever order, the table is what a map would hold, and no version is lost", async () => {
      let series = 0;
      const arrival = fc.record({
        minutes: fc.uniqueArray(fc.nat(25), { minLength: 1, maxLength: 12 }),
        price: fc.constantFrom(1, 2, 3),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(arrival, { minLength: 1, maxLength: 8 }), async (arrivals) => {
          const symbol = `S${series++}USDT`;
          const versions = new Map<number, number[]>();
          for (const [seenAt, { minutes, price }] of arrivals.entries()) {
            minutes.sort((a, b) => a - b);
            let added = 0;
            let corrected = 0;
            for (const minute of minutes) {
              const seen = versions.get(minute);
              if (seen === undefined) added += 1;
              else if (seen.at(-1) !== price) corrected += 1;
              if (seen?.at(-1) !== price) versions.set(minute, [...(seen ?? []), price]);
            }
            const stored = await storeKlines(
              store.sql,
              bars(symbol, minutes, () => price),
              seenAt,
            );
            expect(stored).toEqual({ added, corrected });
          }
          const expected = [...versions].sort(([a], [b]) => a - b);
          const back = await readKlines(store.sql, symbol, MINUTE, 100);
          expect([...(back.openTime as Float64Array)]).toEqual(expected.map(([minute]) => START + minute * MINUTE));
          expect([...(back.open as Float64Array)]).toEqual(expected.map(([, seen]) => seen.at(-1)!));
          expect((await revisionsOf(symbol)).map((row) => row.open)).toEqual(
            expected.flatMap(([, seen]) => seen.slice(0, -1)),
          );
        }),
        { numRuns: 25 },
      );
    });
  });
});
