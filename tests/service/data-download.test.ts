import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Bans, bansFile } from "../../src/exchange/binance/bans.ts";
import { klineAt } from "../../src/market/kline-rules.ts";
import { TIMEFRAMES } from "../../src/market/timeframe.ts";
import { openBarFolder } from "../../src/service/bar-folder.ts";
import { type DownloadOptions, download } from "../../src/service/data-download.ts";
import { RestBars } from "../../src/service/rest-bars.ts";
import { temporaryFolder } from "../store/database.ts";
import { BinanceStandIn } from "./binance-stand-in.ts";

const HOUR = TIMEFRAMES["1h"];
const NOW = Date.UTC(2025, 3, 10, 12, 30);

function optionsFor(standIn: BinanceStandIn, changes: Partial<DownloadOptions> = {}): DownloadOptions {
  return {
    symbols: ["AUSDT"],
    timeframes: ["1h"],
    from: Date.UTC(2025, 1, 15),
    to: NOW,
    dir: temporaryFolder(),
    archive: standIn.url,
    rest: new RestBars({
      url: standIn.url,
      weightPerMinute: 1e6,
      bans: new Bans(bansFile(temporaryFolder())),
      pause: 0,
    }),
    now: NOW,
    pause: 0,
    ...changes,
  };
}

/** All bars of a folder, compared with what the exchange has: none may be missing, twice or different. */
function expectWhole(
  standIn: BinanceStandIn,
  dir: string,
  symbol: string,
  from: number,
  end: number,
  step: number = HOUR,
): void {
  const bars = openBarFolder(dir)
    .files.filter((file) => file.symbol === symbol && TIMEFRAMES[file.timeframe] === step)
    .flatMap(({ read }) => {
      const columns = read();
      return Array.from(columns.openTime, (_, i) => klineAt(columns, i));
    });
  const expected = Array.from({ length: (end - from) / step }, (_, i) =>
    standIn.exchange.bar(symbol, step, from + i * step),
  );
  expect(bars).toEqual(expected);
}

test("months come from monthly files, days from daily ones, the rest from REST", async () => {
  using standIn = new BinanceStandIn(NOW);
  standIn.unpublished.add("2025-04-09");
  standIn.bare.add("2025-02");
  const options = optionsFor(standIn);
  const result = await download(options);
  expect(readdirSync(options.dir).sort()).toEqual([
    "binance-usdm-AUSDT-1h-2025-02.csv.gz",
    "binance-usdm-AUSDT-1h-2025-03.csv.gz",
    "binance-usdm-AUSDT-1h-2025-04.csv.gz",
  ]);
  expectWhole(standIn, options.dir, "AUSDT", options.from, Date.UTC(2025, 3, 10, 12));
  expect(result).toMatchObject({
    files: 3,
    complete: 0,
    bars: (14 + 31 + 9) * 24 + 12,
    archiveFiles: 2 + 8,
    missing: [],
  });
  // One for the time of listing, one for the day that is not published and the hours of today.
  expect(standIn.asked.filter((path) => path.startsWith("/fapi"))).toHaveLength(2);
  // The bar that is still open is in no file.
  const april = gunzipSync(readFileSync(join(options.dir, "binance-usdm-AUSDT-1h-2025-04.csv.gz"))).toString();
  expect(april.trimEnd().split("\n").at(-1)).toStartWith(`${Date.UTC(2025, 3, 10, 11)},`);
});

test("again it asks for nothing but what has come since", async () => {
  using standIn = new BinanceStandIn(NOW);
  const from = Date.UTC(2025, 2, 25);
  const options = optionsFor(standIn, { from, symbols: ["AUSDT", "BUSDT"], timeframes: ["1h", "15m"] });
  await download(options);
  standIn.asked.length = 0;
  expect(await download(options)).toMatchObject({ files: 0, complete: 8, bars: 0, missing: [] });
  expect(standIn.asked.map((path) => new URLSearchParams(path.split("?")[1]).get("limit"))).toEqual([
    "1",
    "1",
    "1",
    "1",
  ]);

  const later = NOW + 3 * HOUR;
  standIn.exchange.now = later;
  expect(await download({ ...options, to: later, now: later })).toMatchObject({ files: 4, bars: 2 * (3 + 12) });
  expectWhole(standIn, options.dir, "BUSDT", options.from, Date.UTC(2025, 3, 10, 15));
  expectWhole(standIn, options.dir, "AUSDT", options.from, Date.UTC(2025, 3, 10, 15, 15), TIMEFRAMES["15m"]);
});

test("an earlier beginning and a hole in a file are filled", async () => {
  using standIn = new BinanceStandIn(NOW);
  const options = optionsFor(standIn, { from: Date.UTC(2025, 2, 20), to: Date.UTC(2025, 3, 1) });
  await download(options);
  const file = join(options.dir, "binance-usdm-AUSDT-1h-2025-03.csv.gz");
  const lines = gunzipSync(readFileSync(file)).toString().split("\n");
  lines.splice(20, 5);
  writeFileSync(file, Bun.gzipSync(Buffer.from(lines.join("\n"))));
  const result = await download({ ...options, from: Date.UTC(2025, 2, 19) });
  expect(result).toMatchObject({ files: 1, bars: 24 + 5, missing: [] });
  expectWhole(standIn, options.dir, "AUSDT", Date.UTC(2025, 2, 19), options.to);
});

test("before its listing nobody looks for a symbol", async () => {
  using standIn = new BinanceStandIn(NOW);
  const options = optionsFor(standIn, { from: Date.UTC(2021, 0, 1), to: Date.UTC(2025, 1, 1) });
  expect(await download(options)).toMatchObject({ files: 1, bars: 31 * 24, missing: [] });
  expect(standIn.asked.filter((path) => path.endsWith(".zip"))).toHaveLength(1);
});

test("without REST it says what is not published yet", async () => {
  using standIn = new BinanceStandIn(NOW);
  const options = optionsFor(standIn, { rest: undefined });
  const result = await download(options);
  expect(result).toMatchObject({
    files: 3,
    missing: [{ symbol: "AUSDT", timeframe: "1h", month: "2025-04", bars: 12 }],
  });
  expect(standIn.asked.filter((path) => path.startsWith("/fapi"))).toEqual([]);
  expect(await download({ ...options, symbols: ["NONEUSDT"] })).toMatchObject({
    files: 0,
    bars: 0,
    missing: [{}, {}, {}],
  });
});

test("without the archive REST does all of it, in pages of least weight", async () => {
  using standIn = new BinanceStandIn(NOW);
  const options = optionsFor(standIn, { archive: undefined });
  expect(await download(options)).toMatchObject({ files: 3, archiveFiles: 0, missing: [] });
  expectWhole(standIn, options.dir, "AUSDT", options.from, Date.UTC(2025, 3, 10, 12));
  expect(standIn.asked.every((path) => Number(new URLSearchParams(path.split("?")[1]).get("limit")) <= 499)).toBe(true);
});

test("a file that differs from its checksum is refused and leaves nothing; the next attempt goes on", async () => {
  using standIn = new BinanceStandIn(NOW);
  standIn.damaged.add("2025-03");
  const options = optionsFor(standIn);
  await expect(download(options)).rejects.toThrow(/AUSDT-1h-2025-03\.zip: its SHA-256 is [0-9a-f]{64}, its CHECKSUM/);
  expect(readdirSync(options.dir).some((name) => name.includes("2025-03"))).toBe(false);
  await download(options);
  expectWhole(standIn, options.dir, "AUSDT", options.from, Date.UTC(2025, 3, 10, 12));
});

test("errors of the server are tried again, refusals by location are not", async () => {
  using standIn = new BinanceStandIn(NOW);
  const options = optionsFor(standIn);
  standIn.instead.push(...Array.from({ length: 3 }, () => new Response("", { status: 503 })));
  expect(await download(options)).toMatchObject({ files: 3, missing: [] });
  standIn.instead.push(new Response("", { status: 451 }));
  await expect(download(options)).rejects.toThrow("refused for this machine or its location (HTTP 451)");
  standIn.instead.push(...Array.from({ length: 4 }, () => new Response("", { status: 500 })));
  await expect(download(options)).rejects.toThrow("no answer after 4 attempts (HTTP 500)");
});

test("what is no zip file of one csv is refused by name", async () => {
  using standIn = new BinanceStandIn(NOW);
  const sum = new Bun.CryptoHasher("sha256").update("not a zip").digest("hex");
  const options = optionsFor(standIn, { rest: undefined, to: Date.UTC(2025, 2, 1) });
  standIn.instead.push(new Response(`${sum}  x.zip`), new Response("not a zip"));
  await expect(download(options)).rejects.toThrow("AUSDT-1h-2025-02.zip: is no zip file, or a damaged one");
});

test("a folder that cannot be made is refused", async () => {
  using standIn = new BinanceStandIn(NOW);
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  await expect(download(optionsFor(standIn, { dir: join(file, "bars") }))).rejects.toThrow("the folder cannot be made");
});
