import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { loadSettings } from "../../src/config/load.ts";
import { Lockstep } from "../../src/exchange/simulated/server/lockstep.ts";
import { backtest } from "../../src/service/backtest.ts";
import { openVenue } from "../../src/service/simulated-venue.ts";
import { temporaryFolder, writeMarket } from "../end-to-end/penstock.ts";
import { testRecorded } from "../recorded.ts";
import { live, runInLockstep } from "./lockstep-run.ts";

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MINUTE = 60_000;
const ENVIRONMENT = { DATA_DIR: folder, STRATEGY_MODE: "ict", MAX_WORKERS: "1" };

/** A backtest and the live path over sockets on the same bars. */
async function both(dir: string, symbols: readonly string[], from: number, to: number, more: Record<string, string>) {
  const environment = { ...ENVIRONMENT, ...more };
  const { settings } = loadSettings(environment, []);
  const tested = await backtest(settings, { dir, symbols, from, to, without: [] });
  // The bars that close at `from` are the last ones of the history, and the first to be decided on.
  const market = { kind: "recorded", dir, symbols, from: from + MINUTE, to } as const;
  return { tested: tested.report, lived: await runInLockstep(market, symbols, environment) };
}

testRecorded(
  "the live path over sockets trades recorded bars as the backtest does, to the last 1e-8 USDT",
  "market/m1-30d-2025-06",
  async (dir) => {
    const from = Date.UTC(2025, 4, 29);
    const { tested, lived } = await both(dir, ["BTCUSDT", "ETHUSDT"], from, from + 13 * 60 * MINUTE, {
      MIN_CONFIDENCE: "0.3",
    });
    expect(tested.summary.trades).toBeGreaterThan(0);
    expect(lived.report.tradesHash).toBe(tested.tradesHash);
    expect(lived.report.summary.endEquity).toBe(tested.summary.endEquity);
    expect(lived.report.openPositions).toStrictEqual(tested.openPositions);
    expect(lived.report.refusals).toStrictEqual(tested.refusals);
    expect(lived.notices.filter((notice) => !notice.startsWith("info"))).toStrictEqual([]);
  },
);

test("and a generated market", async () => {
  writeMarket(folder, 5, 3);
  const from = Date.UTC(2025, 2, 5);
  const symbols = ["ALDERUSDT", "BASALTUSDT", "BRIARUSDT"];
  const { tested, lived } = await both(folder, symbols, from, from + 7 * 60 * MINUTE, { MIN_CONFIDENCE: "0.2" });
  expect(tested.summary.trades).toBeGreaterThan(0);
  expect(lived.report.tradesHash).toBe(tested.tradesHash);
  expect(lived.report.summary.endEquity).toBe(tested.summary.endEquity);
  // The clean end has left a checkpoint, and it is the book that the journal leads to.
  const [fromCheckpoint, fromJournal] = lived.restarts;
  expect(fromCheckpoint!.replayed).toBe(0);
  expect(fromJournal!.replayed).toBeGreaterThan(0);
  expect(fromCheckpoint!.book.equals(fromJournal!.book)).toBe(true);
});

testRecorded("in hedge mode a backtest of recorded bars has the same trades", "market/m1-30d-2025-06", async (dir) => {
  const from = Date.UTC(2025, 4, 29);
  const range = { dir, symbols: ["BTCUSDT", "ETHUSDT"], from, to: from + 13 * 60 * MINUTE, without: [] };
  const reports = [];
  for (const POSITION_MODE of ["one-way", "hedge"]) {
    const { settings } = loadSettings({ ...ENVIRONMENT, MIN_CONFIDENCE: "0.3", POSITION_MODE }, []);
    reports.push((await backtest(settings, range)).report);
  }
  const [oneWay, hedge] = reports;
  expect(oneWay!.summary.trades).toBeGreaterThan(0);
  expect(hedge!.tradesHash).toBe(oneWay!.tradesHash);
  expect(hedge!.summary.endEquity).toBe(oneWay!.summary.endEquity);
});

test("in hedge mode the same trades come of the same bars, in a backtest and over sockets", async () => {
  writeMarket(folder, 5, 3);
  const from = Date.UTC(2025, 2, 5);
  const symbols = ["ALDERUSDT", "BASALTUSDT", "BRIARUSDT"];
  const to = from + 7 * 60 * MINUTE;
  const { settings } = loadSettings({ ...ENVIRONMENT, MIN_CONFIDENCE: "0.2" }, []);
  const { report: oneWay } = await backtest(settings, { dir: folder, symbols, from, to, without: [] });
  const more = { MIN_CONFIDENCE: "0.2", POSITION_MODE: "hedge" };
  const { tested, lived } = await both(folder, symbols, from, to, more);
  expect(oneWay.summary.trades).toBeGreaterThan(0);
  expect(tested.tradesHash).toBe(oneWay.tradesHash);
  expect(lived.report.tradesHash).toBe(oneWay.tradesHash);
  expect(lived.report.summary.endEquity).toBe(oneWay.summary.endEquity);
});

test("the market in lockstep goes no further than its client asks, and says when nothing happened", () => {
  writeMarket(folder, 1, 1);
  const { settings } = loadSettings(ENVIRONMENT, []);
  const market = { kind: "recorded", dir: folder } as const;
  const venue = openVenue(settings, { market, without: [], lockstep: true, apiKey: "key", secret: "secret" });
  const lockstep = new Lockstep(venue);
  const begun = venue.time;
  expect(lockstep.acknowledge(0, begun + 20_000)).toMatchObject({ step: 1, time: begun + 20_000, quiet: true });
  expect(lockstep.acknowledge(1, begun + 60_000)).toMatchObject({ step: 2, time: begun + 60_000, quiet: false });
  expect(lockstep.acknowledge(2, begun + 60_000)).toMatchObject({ step: 3, time: begun + 60_000, quiet: true });
  expect(lockstep.acknowledge(3)).toMatchObject({ step: 4, time: begun + 120_000, quiet: false });
});

test("lockstep is for exchanges of this machine: stops of real orders must be proven", async () => {
  const environment = { ...ENVIRONMENT, EXCHANGE: "binance", BINANCE_LOCKSTEP_URL: "http://127.0.0.1:1" };
  const run = live({ kind: "binance", symbols: ["BTCUSDT"] }, environment);
  await expect(run).rejects.toThrow("orders would go elsewhere");
});
