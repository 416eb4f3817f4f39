import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { Bans, bansFile } from "../../src/exchange/binance/bans.ts";
import { KlineCache } from "../../src/market/kline-cache.ts";
import { TIMEFRAMES } from "../../src/market/timeframe.ts";
import { importFolder } from "../../src/service/data.ts";
import { exportBars, seriesOfFolder, seriesOfStore } from "../../src/service/data-export.ts";
import { repairGaps } from "../../src/service/data-repair.ts";
import { RestBars } from "../../src/service/rest-bars.ts";
import { storedBars } from "../../src/service/stored-bars.ts";
import { findGaps } from "../../src/store/klines.ts";
import { BEGIN, KlineExchange } from "../market/kline-exchange.ts";
import { KINDS, temporaryFolder } from "../store/database.ts";
import { BinanceStandIn } from "./binance-stand-in.ts";

const HOUR = TIMEFRAMES["1h"];
const M5 = TIMEFRAMES["5m"];
const FEATHER = "BTC_USDT_USDT-5m-futures.feather";

describe.each(KINDS)("files and $name", (kind) => {
  describe.skipIf(kind.absent)("when the server is there", () => {
    test("freqtrade's folder comes in, is repaired, and goes out as csv and Parquet", async () => {
      using standIn = new BinanceStandIn(Date.UTC(2025, 4, 1));
      const database = await kind.create();
      const store = await database.open();
      try {
        const folder = temporaryFolder();
        const futures = join(folder, "binance", "futures");
        mkdirSync(futures, { recursive: true });
        copyFileSync(join(import.meta.dir, "..", "market", "freqtrade", FEATHER), join(futures, FEATHER));
        // The exchange's own bars with two gaps, of which it has one.
        const start = Date.UTC(2025, 0, 31, 20);
        const hourly = Array.from({ length: 40 }, (_, i) => standIn.exchange.bar("AUSDT", HOUR, start + i * HOUR));
        const rows = hourly.map((bar) => [bar.openTime, bar.open, bar.high, bar.low, bar.close, bar.volume]);
        standIn.exchange.hole("AUSDT", HOUR, start + 20 * HOUR);
        const withGaps = rows.filter((_, i) => i !== 20 && (i < 5 || i > 7));
        writeFileSync(join(futures, "A_USDT_USDT-1h-futures.json"), JSON.stringify(withGaps));
        writeFileSync(join(futures, "A_USDT_USDT-8h-mark.json"), "[]");
        const passedOver = [join("futures", "A_USDT_USDT-8h-mark.json")];
        expect(await importFolder(store, join(folder, "binance"))).toMatchObject({
          files: 2,
          bars: 48 + 36,
          added: 48 + 36,
          passedOver,
        });

        const rest = new RestBars({
          url: standIn.url,
          weightPerMinute: 1e6,
          bans: new Bans(bansFile(folder)),
          pause: 0,
        });
        expect(await repairGaps(store, rest)).toMatchObject([
          { symbol: "AUSDT", timeframe: HOUR, missing: 3, repaired: 3 },
          { symbol: "AUSDT", timeframe: HOUR, missing: 1, repaired: 0 },
        ]);
        expect(await findGaps(store.sql)).toMatchObject([{ symbol: "AUSDT", missing: 1 }]);

        const series = await seriesOfStore(store);
        const csv = join(folder, "csv");
        expect(await exportBars(series, { dir: csv, format: "csv" })).toMatchObject({ files: 3, bars: 48 + 39 });
        expect(readdirSync(csv).sort()).toEqual([
          "AUSDT-1h-2025-01.csv.gz",
          "AUSDT-1h-2025-02.csv.gz",
          "BTCUSDT-5m-2025-01.csv.gz",
        ]);
        // What went out comes in again as the same.
        expect(await importFolder(store, csv)).toMatchObject({ bars: 48 + 39, added: 0, corrected: 0 });

        // From the store and from the folder, the same bytes.
        const [direct, again] = [join(folder, "direct"), join(folder, "again")];
        await exportBars(series, { dir: direct, format: "parquet", symbols: ["AUSDT"] });
        await exportBars(seriesOfFolder(csv), { dir: again, format: "parquet", timeframes: ["1h"] });
        expect(readdirSync(again).sort()).toEqual(["AUSDT-1h-2025-01.parquet", "AUSDT-1h-2025-02.parquet"]);
        for (const name of readdirSync(again)) {
          expect(readFileSync(join(again, name)).equals(readFileSync(join(direct, name)))).toBe(true);
        }
        const file = new Uint8Array(readFileSync(join(direct, "AUSDT-1h-2025-02.parquet")));
        const expected = hourly.filter(({ openTime }, i) => i !== 20 && openTime >= Date.UTC(2025, 1, 1));
        expect(await parquetReadObjects({ file: file.buffer })).toEqual(
          expected.map(({ openTime, ...bar }) => ({ open_time: new Date(openTime), ...bar })),
        );

        const [from, to] = [Date.UTC(2025, 1, 1), Date.UTC(2025, 1, 1, 3)];
        const part = { dir: join(folder, "part"), format: "csv", from, to } as const;
        expect(await exportBars(series, part)).toMatchObject({ files: 1, bars: 3 });
        await expect(exportBars(series, { ...part, symbols: ["XUSDT"] })).rejects.toThrow("there are no XUSDT bars");
        await expect(exportBars([], part)).rejects.toThrow("there are no bars");
      } finally {
        await store.close();
        await database.remove();
      }
    });

    test("a cache that is started again fetches only what the store lacks", async () => {
      const database = await kind.create();
      const store = await database.open();
      try {
        const exchange = new KlineExchange();
        const fail = ({ error }: { error: unknown }) => {
          throw error;
        };
        const newCache = () =>
          new KlineCache({
            fetcher: exchange,
            archive: storedBars(store.sql),
            now: () => exchange.now,
            onFailure: fail,
          });
        exchange.now = BEGIN + 400 * M5 + 5000;
        const cache = newCache();
        await cache.window("AUSDT", M5);
        const openTime = BEGIN + 390 * M5;
        const seen = exchange.bar("AUSDT", M5, openTime);
        exchange.correct("AUSDT", M5, openTime);
        cache.offer("AUSDT", M5, exchange.bar("AUSDT", M5, openTime), true);
        expect(await cache.flush()).toBe(0);
        const revisions = await store.sql`SELECT open_time, volume FROM kline_revisions`;
        expect([...revisions]).toEqual([{ open_time: openTime, volume: seen.volume }]);

        exchange.now += 3 * M5;
        exchange.requests = exchange.bars = 0;
        const restarted = newCache();
        const { bars, missing } = await restarted.window("AUSDT", M5);
        expect(bars).toEqual(exchange.truth("AUSDT", M5, 200, 2000));
        expect([missing, exchange.requests, exchange.bars]).toEqual([0, 1, 3]);
        expect(await restarted.flush()).toBe(0);
      } finally {
        await store.close();
        await database.remove();
      }
    });
  });
});
