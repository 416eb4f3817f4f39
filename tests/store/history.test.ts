import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { lastBars, readFeatureRows, readPositions, readSeries } from "../../src/store/history.ts";
import { storeKlines } from "../../src/store/klines.ts";
import { dropOld } from "../../src/store/retention.ts";
import { featureColumn, type Row } from "../../src/store/rows.ts";
import { FEATURES } from "../../src/store/schema.ts";
import type { Store } from "../../src/store/store.ts";
import { StoreWriter } from "../../src/store/writer.ts";
import { KINDS, type TestDatabase, temporaryFolder } from "./database.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;

describe.each(KINDS)("history on $name", (kind) => {
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

    async function write(rows: readonly Row[]): Promise<void> {
      const writer = new StoreWriter(store, { spoolFolder: temporaryFolder() });
      for (const row of rows) writer.add(row);
      await writer.drained();
      await writer.close();
    }

    test("feature rows come back bit for bit, in the order of their labels, as far as they were known", async () => {
      const rows = 500;
      const feature = (row: number, place: number) =>
        (row + place) % 17 === 0 ? Number.NaN : Math.fround(Math.sin(row * FEATURES + place) * 10 ** ((place % 9) - 4));
      // Labels become known in another order than that of the signals.
      const labelTime = (row: number) => 10 * DAY + ((row * 7919) % rows) * MINUTE;
      await write(
        Array.from({ length: rows }, (_, row) => ({
          table: "feature_rows",
          values: {
            run: 1,
            seq: row + 1,
            symbol: "AUSDT",
            position: row,
            time: 10 * DAY - row * 1000,
            label_time: labelTime(row),
            label: Math.fround(row / 3),
            ...Object.fromEntries(
              Array.from({ length: FEATURES }, (_, place) => {
                const value = feature(row, place);
                return [featureColumn(place), Number.isNaN(value) ? null : value];
              }),
            ),
          },
        })),
      );
      const order = Array.from({ length: rows }, (_, row) => row).sort((a, b) => labelTime(a) - labelTime(b));
      const all = await readFeatureRows(store.sql);
      expect(all.rows).toBe(rows);
      expect([...all.position]).toEqual(order);
      expect([...all.labelTime]).toEqual(order.map(labelTime));
      expect([...all.time]).toEqual(order.map((row) => 10 * DAY - row * 1000));
      expect(all.label).toStrictEqual(Float32Array.from(order, (row) => row / 3));
      const expected = Float32Array.from({ length: rows * FEATURES }, (_, i) =>
        feature(order[Math.floor(i / FEATURES)]!, i % FEATURES),
      );
      expect(all.features).toStrictEqual(expected);

      const to = labelTime(order[200]!);
      const known = await readFeatureRows(store.sql, { to });
      expect(known.rows).toBe(200);
      expect(known.features).toStrictEqual(expected.subarray(0, 200 * FEATURES));
      expect((await readFeatureRows(store.sql, { to: 0 })).rows).toBe(0);
    });

    test("more readings than there are connections", async () => {
      for (let i = 0; i < 8; i++) expect((await readFeatureRows(store.sql)).rows).toBe(500);
    });

    test("positions come back with their paths, virtual and real ones apart", async () => {
      const position = (seq: number, virtual: boolean, number: number) => ({
        table: "positions",
        values: {
          ...{ run: 2, seq, virtual, position: number, symbol: "ÄUSDT", leg: "both", direction: -1, entry_time: 1 },
          ...{ exit_time: 100 - seq, lots: 0, entry_notional: 0, exit_notional: 0, fees: 0, funding: 0, pnl: 0 },
          ...{ reason: "stop-hit", strategy: "ict", setup: "gap", confidence: 0.5, stop: 1, target: 2, leverage: 0 },
          ...{ reasons: "[]", entry_price: 10, exit_price: 12.5, result: -1 },
        },
      });
      const step = (seq: number, virtual: boolean, number: number, kind: string) => ({
        table: "position_events",
        values: { run: 2, seq, time: seq, virtual, position: number, symbol: "ÄUSDT", kind, price: seq, detail: null },
      });
      await write([
        step(1, true, 1, "opened"),
        step(2, true, 2, "opened"),
        step(3, false, 1, "opened"),
        step(4, true, 1, "stop-hit"),
        position(4, true, 1),
        position(5, true, 2),
        position(6, false, 1),
      ]);
      const virtual = await readPositions(store.sql, true);
      expect(virtual.map(({ position, path }) => [position, path.map(({ kind }) => kind)])).toEqual([
        [2, ["opened"]],
        [1, ["opened", "stop-hit"]],
      ]);
      expect(virtual[1]).toMatchObject({ symbol: "ÄUSDT", direction: -1, exitPrice: 12.5, result: -1, exitTime: 96 });
      expect(await readPositions(store.sql, false)).toMatchObject([
        { position: 1, path: [{ kind: "opened", price: 3 }] },
      ]);
    });

    test("bars of many symbols come back by symbol, from a time on; old ones are dropped", async () => {
      const names = ["AUSDT", "O'USDT"];
      for (const symbol of names) {
        const openTime = Array.from({ length: 40 }, (_, i) => i * DAY);
        const price = openTime.map((_, i) => 100.25 + i);
        const bars = { symbol, timeframe: MINUTE, openTime, open: price, high: price, low: price, close: price };
        await storeKlines(store.sql, { ...bars, volume: price }, 0);
      }
      const series = await readSeries(store.sql, MINUTE, 35 * DAY);
      expect([...series.keys()].sort()).toEqual(names);
      expect([...(series.get("O'USDT")!.openTime as Float64Array)]).toEqual(
        [35, 36, 37, 38, 39].map((day) => day * DAY),
      );
      expect([...(series.get("AUSDT")!.close as Float64Array)]).toEqual([135.25, 136.25, 137.25, 138.25, 139.25]);
      expect((await readSeries(store.sql, MINUTE, 0, ["O'USDT"])).size).toBe(1);
      expect(await lastBars(store.sql, MINUTE)).toEqual(new Map(names.map((name) => [name, 39 * DAY])));

      const dropped = await dropOld(store, 30 * DAY);
      // Chunks of a week go as a whole; where there are none, every row that is too old.
      const first = kind.name === "TimescaleDB" ? 28 : 30;
      expect(dropped.chunks > 0).toBe(kind.name === "TimescaleDB");
      const [row] = await store.sql`SELECT min(open_time) AS first, count(*)::int AS n FROM klines`;
      expect(row).toEqual({ first: first * DAY, n: 2 * (40 - first) });
      expect((await readFeatureRows(store.sql)).rows).toBe(500);
      expect(await dropOld(store, 30 * DAY)).toEqual({ chunks: 0, rows: 0 });
    });
  });
});
