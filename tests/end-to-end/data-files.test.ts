import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { klineAt } from "../../src/market/kline-rules.ts";
import { TIMEFRAMES } from "../../src/market/timeframe.ts";
import { openBarFolder } from "../../src/service/bar-folder.ts";
import { BinanceStandIn } from "../service/binance-stand-in.ts";
import { csvOf, MAIN, penstock, temporaryFolder } from "./penstock.ts";

const HOUR = TIMEFRAMES["1h"];
/** Long ago for the program's clock, so that all of it has closed. */
const END = Date.UTC(2025, 4, 1);

const addresses = (standIn: BinanceStandIn) => ({
  BINANCE_ARCHIVE_URL: standIn.url,
  BINANCE_REST_URL: standIn.url,
});

function barsOf(dir: string) {
  return openBarFolder(dir).files.flatMap(({ read }) => {
    const columns = read();
    return Array.from(columns.openTime, (_, i) => klineAt(columns, i));
  });
}

/** Starts the program, interrupts it as soon as `reached` resolves, and waits for its end. */
async function interrupted(args: readonly string[], environment: Record<string, string>, reached: Promise<unknown>) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    env: { PATH: process.env.PATH ?? "", ...environment },
    stdio: ["ignore", "ignore", "ignore"],
  });
  await reached;
  child.kill("SIGINT");
  await child.exited;
  expect(child.exitCode === 0).toBe(false);
}

describe("penstock data download", () => {
  const dates = ["--from", "2025-02-01", "--to", "2025-05-01", "--timeframe", "1h"];

  test("interrupted in the middle leaves whole files; repeated, it brings the rest and stores it", async () => {
    using standIn = new BinanceStandIn(END);
    const folder = temporaryFolder();
    const environment = { ...addresses(standIn), DATA_DIR: join(folder, "data") };
    const args = ["data", "download", "AUSDT", "BUSDT", ...dates];
    const reached = new Promise<void>((resolve) => {
      standIn.before = async (path) => {
        // The first two months get their answers; whoever wants April waits until the interrupt.
        if (!path.includes("2025-04")) return;
        const first = join(folder, "data", "bars", "binance-usdm-AUSDT-1h-2025-02.csv.gz");
        while (!existsSync(first)) await Bun.sleep(1);
        resolve();
        await new Promise(() => {});
      };
    });
    await interrupted(args, environment, reached);
    const kept = readdirSync(join(folder, "data", "bars")).filter((name) => name.endsWith(".csv.gz"));
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.some((name) => name.includes("2025-04"))).toBe(false);

    standIn.before = () => {};
    standIn.asked.length = 0;
    const again = await penstock(folder, [...args, "--import", "--json"], environment);
    expect([again.err, again.code]).toEqual(["", 0]);
    const hours = (END - Date.UTC(2025, 1, 1)) / HOUR;
    const result = JSON.parse(again.out);
    expect(result).toMatchObject({ complete: kept.length, files: 6 - kept.length, missing: [] });
    expect(result.imported).toMatchObject({ files: 6, bars: 2 * hours, added: 2 * hours, corrected: 0 });
    expect(standIn.asked.filter((path) => path.includes("2025-02-") || path.includes("AUSDT-1h-2025-02"))).toEqual([]);
    const bars = barsOf(join(folder, "data", "bars"));
    expect(bars).toHaveLength(2 * hours);
    expect(bars[700]).toEqual(standIn.exchange.bar("AUSDT", HOUR, Date.UTC(2025, 1, 1) + 700 * HOUR));

    // What the store has now has no gap to repair, and goes out as it came.
    const repaired = await penstock(folder, ["data", "gaps", "--repair"], environment);
    expect(repaired).toMatchObject({ code: 0, err: "", out: "no gaps\n" });
    const exported = await penstock(folder, ["data", "export", "out", "--symbols", "BUSDT", "--json"], environment);
    expect(JSON.parse(exported.out)).toMatchObject({ files: 3, bars: hours });
    expect(barsOf(join(folder, "out"))).toEqual(bars.slice(hours));
  });

  test.each([
    [["data", "download", "btcusdt"], 2, '"btcusdt" is no symbol; write BTCUSDT'],
    [["data", "download", "AUSDT", "--timeframe", "2h"], 2, "--timeframe 2h: 2h is none of 1m, 5m, 15m, 1h"],
    [["data", "download", "AUSDT", "--from", "2025-02-01", "--to", "2025-01-01"], 2, "is not before --to"],
    [
      ["data", "download", "AUSDT", "--set", "BINANCE_REST_URL=binance"],
      2,
      "BINANCE_REST_URL=binance is not an address",
    ],
    [["data", "download", "AUSDT", "--source", "ftp"], 2, "Allowed choices are both, archive, rest"],
    [["data", "download"], 2, "missing required argument 'symbols'"],
    [["data", "export", "x", "--format", "xlsx"], 2, "Allowed choices are csv, parquet"],
    [["data", "export", "x", "--data", "nowhere"], 1, "nowhere: no such folder"],
    [["data", "export", "x", "--from", "yesterday"], 2, "--from yesterday: write 2025-10-10"],
  ])("%p ends with %d", async (args, code, message) => {
    // Were it to ask for anything, nobody would be there.
    const nobody = { BINANCE_ARCHIVE_URL: "http://127.0.0.1:1", BINANCE_REST_URL: "http://127.0.0.1:1" };
    const ended = await penstock(temporaryFolder(), args, nobody);
    expect([ended.code, ended.out]).toEqual([code, ""]);
    expect(ended.err).toContain(message);
    expect(ended.err).not.toContain("    at ");
  });

  test("says which symbol the exchange does not know", async () => {
    using standIn = new BinanceStandIn(END);
    const ended = await penstock(temporaryFolder(), ["data", "download", "NONEUSDT"], addresses(standIn));
    expect([ended.code, ended.err]).toEqual([1, "penstock: the exchange knows no symbol NONEUSDT\n"]);
  });
});

test("an export that is interrupted leaves whole files; repeated, it is as if nothing had been", async () => {
  const folder = temporaryFolder();
  const bars = join(folder, "bars");
  mkdirSync(bars);
  for (const [symbol, text] of csvOf(100_000, { seed: 5, symbols: 2 }))
    writeFileSync(join(bars, `made-${symbol}-1m.csv`), text);
  const out = join(folder, "out");
  const files = () => readdirSync(out).filter((name) => name.endsWith(".csv.gz"));
  const begun = (async () => {
    while (!existsSync(out) || files().length === 0) await Bun.sleep(1);
  })();
  await interrupted(["data", "export", out, "--data", bars], {}, begun);
  expect(files().length).toBeLessThan(6);
  barsOf(out);
  expect((await penstock(folder, ["data", "export", out, "--data", bars])).code).toBe(0);
  expect(readdirSync(out).filter((name) => name.endsWith(".part"))).toEqual([]);
  expect(files()).toHaveLength(6);
  expect(barsOf(out)).toHaveLength(200_000);
});
