import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { availableKernels } from "../../src/native.ts";
import { testRecorded } from "../recorded.ts";
import { penstock, temporaryFolder, writeMarket } from "./penstock.ts";

const NO_VECTORS = { GLIBC_TUNABLES: "glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-AVX2,-FMA" };

/** SHA-256 of nothing. */
const NO_TRADES = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

interface Report {
  readonly tradesHash: string;
  readonly virtualTradesHash: string;
  readonly dataHash: string;
  readonly settingsHash: string;
  readonly summary: { readonly trades: number };
  readonly execution: { readonly makerShare: number };
}

async function backtest(
  folder: string,
  args: readonly string[],
  environment?: Record<string, string>,
): Promise<Report> {
  const ended = await penstock(folder, ["backtest", ...args, "--json"], environment);
  expect(ended.code, ended.err).toBe(0);
  return JSON.parse(ended.out) as Report;
}

function newest(folder: string, command: string): string {
  const journals = join(folder, "data", "journal");
  const name = readdirSync(journals)
    .filter((file) => file.endsWith(`-${command}.journal`))
    .sort()
    .at(-1);
  return join(journals, name!);
}

/** All ways to get the same trades from the same bars. */
async function sameEverywhere(folder: string, args: readonly string[]): Promise<Report> {
  const [first, second, without] = await Promise.all([
    backtest(folder, args),
    backtest(folder, args),
    backtest(folder, args, NO_VECTORS),
  ]);
  expect(second.tradesHash).toBe(first.tradesHash);
  expect(without.tradesHash).toBe(first.tradesHash);
  expect(second.virtualTradesHash).toBe(first.virtualTradesHash);
  expect(without.virtualTradesHash).toBe(first.virtualTradesHash);
  for (const { name } of availableKernels()) {
    const forced = await backtest(folder, args, { PENSTOCK_KERNEL: name });
    expect([name, forced.tradesHash]).toEqual([name, first.tradesHash]);
    expect(forced.settingsHash).toBe(first.settingsHash);
  }
  expect(second.settingsHash).toBe(first.settingsHash);

  const live = await penstock(folder, ["run", ...args, "--speed", "max", "--json"]);
  expect(live.code, live.err).toBe(0);
  const result = JSON.parse(live.out) as Report & { readonly signals: number; readonly report: Report };
  expect(result.tradesHash).toBe(first.tradesHash);
  expect(result.virtualTradesHash).toBe(first.virtualTradesHash);
  expect(result.report.settingsHash).toBe(first.settingsHash);

  for (const command of ["backtest", "run"]) {
    const replayed = await penstock(folder, ["replay", newest(folder, command), "--json"]);
    expect(replayed.code, replayed.err).toBe(0);
    const { tradesHash, virtualTradesHash } = first;
    expect(JSON.parse(replayed.out)).toMatchObject({ identical: true, tradesHash, virtualTradesHash, torn: false });
  }
  return first;
}

describe("the same bars give the same trades", () => {
  test("from run to run, side by side, without vector instructions, by every kernel, through the live loop, after replay", async () => {
    const folder = temporaryFolder();
    writeMarket(folder, 8);
    const report = await sameEverywhere(folder, ["--data", folder, "--from", "2025-03-04"]);
    expect(report.summary.trades).toBeGreaterThan(0);
    expect(report.virtualTradesHash).not.toBe(NO_TRADES);
  });

  test("through the live loop and after replay, with entries that wait for the market", async () => {
    const folder = temporaryFolder();
    writeMarket(folder, 5);
    const waiting = {
      ENTRY_ORDER: "limit-first",
      ENTRY_LIMIT_OFFSET_BPS: "3",
      ENTRY_LIMIT_SECONDS: "90",
      ENTRY_MAX_SLIPPAGE_BPS: "30",
    };
    const args = ["--data", folder, "--from", "2025-03-03"];
    const first = await backtest(folder, args, waiting);
    expect(first.execution.makerShare).toBeGreaterThan(0);
    expect(first.execution.makerShare).toBeLessThan(1);
    const live = await penstock(folder, ["run", ...args, "--speed", "max", "--json"], waiting);
    expect(live.code, live.err).toBe(0);
    const { tradesHash } = first;
    expect(JSON.parse(live.out)).toMatchObject({ tradesHash });
    const replayed = await penstock(folder, ["replay", newest(folder, "run"), "--json"]);
    expect(JSON.parse(replayed.out)).toMatchObject({ identical: true, tradesHash });
  });

  testRecorded("on recorded bars of the crash of October 2025", "market/m5-wide-2025-10", async (data) => {
    const symbols = ["--symbols", "BTCUSDT,ETHUSDT,SOLUSDT,WIFUSDT,XPLUSDT"];
    const args = ["--data", data, ...symbols, "--from", "2025-10-06", "--to", "2025-10-14"];
    const report = await sameEverywhere(temporaryFolder(), args);
    expect(report.summary.trades).toBeGreaterThan(0);
  });
});

describe("a replay", () => {
  test("cuts a torn tail, compares what is left, and never writes to the file", async () => {
    const folder = temporaryFolder();
    writeMarket(folder, 6, 3);
    await backtest(folder, ["--data", folder]);
    const journal = newest(folder, "backtest");
    truncateSync(journal, readFileSync(journal).length - 5);
    const before = readFileSync(journal);
    const ended = await penstock(folder, ["replay", journal]);
    expect(ended.code, ended.err).toBe(0);
    expect(ended.out).toStartWith("identical (the torn tail");
    expect(readFileSync(journal).equals(before)).toBe(true);
  });

  test("finds the bars from another folder, and the settings hash knows the rules of the instruments", async () => {
    const folder = temporaryFolder();
    writeMarket(folder, 2, 2);
    const plain = await backtest(folder, ["--data", "."]);
    const elsewhere = await penstock(temporaryFolder(), ["replay", newest(folder, "backtest")]);
    expect(elsewhere.code, elsewhere.err).toBe(0);
    const otherFunding = await backtest(folder, ["--data", ".", "--set", "SIMULATED_FUNDING_RATE=0.0002"]);
    const symbols = [
      {
        symbol: "ALDERUSDT",
        filters: [
          { filterType: "PRICE_FILTER", tickSize: "0.1" },
          { filterType: "LOT_SIZE", stepSize: "0.1", minQty: "0.1", maxQty: "1000" },
          { filterType: "MIN_NOTIONAL", notional: "5" },
        ],
      },
    ];
    writeFileSync(join(folder, "rules.json"), JSON.stringify({ symbols }));
    const ruled = await backtest(folder, ["--data", ".", "--rules", "rules.json"]);
    expect(new Set([plain, otherFunding, ruled].map((report) => report.settingsHash)).size).toBe(3);
  });

  test("refuses bars that are not those of the run", async () => {
    const folder = temporaryFolder();
    const other = temporaryFolder();
    writeMarket(folder, 2, 2);
    writeMarket(other, 3, 2);
    await backtest(folder, ["--data", folder]);
    const ended = await penstock(folder, ["replay", newest(folder, "backtest"), "--data", other]);
    expect(ended.code).toBe(1);
    expect(ended.err).toContain("are not those of the run: data hash");
  });

  test("shows the first difference and exits with 1 when the core decides otherwise", async () => {
    const folder = temporaryFolder();
    writeMarket(folder, 8);
    await backtest(folder, ["--data", folder]);
    const journal = newest(folder, "backtest");
    // The leverage of the settings in the header is changed, with the header's checksum made right again.
    const { rewriteHeader } = await import("./rewrite-header.ts");
    rewriteHeader(journal, (header) => ({ ...header, settings: { ...header.settings, BASE_LEVERAGE: 4 } }));
    const ended = await penstock(folder, ["replay", journal]);
    expect(ended.code).toBe(1);
    expect(ended.out).toStartWith("DIFFERENT at record");
    expect(ended.out).toMatch(/recorded {2}\{"kind":"submit".*"leverage":3/);
    expect(ended.out).toMatch(/replayed {2}\{"kind":"submit".*"leverage":4/);
  });
});
