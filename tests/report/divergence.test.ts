import { expect, test } from "bun:test";
import type { BacktestReport, ReportedTrade } from "../../src/report/backtest-report.ts";
import { divergence, divergenceText } from "../../src/report/divergence.ts";

const MINUTE = 60_000;
const BASE = Date.UTC(2025, 5, 1);

function trade(symbol: string, minute: number, more: Partial<ReportedTrade> = {}): ReportedTrade {
  const entryTime = BASE + minute * MINUTE;
  const plain = { symbol, side: "long", leg: "both", entryTime, exitTime: entryTime + MINUTE, reason: "stop" };
  return { ...plain, entryPrice: 100, exitPrice: 99, quantity: 10, pnl: -10, ...more } as ReportedTrade;
}

function report(trades: readonly ReportedTrade[], hash: string, to = 1000): BacktestReport {
  return { trades, from: BASE, to: BASE + to * MINUTE, tradesHash: hash } as unknown as BacktestReport;
}

test("trades match one to one by symbol and side, the nearest first; what is worse for the run is positive", () => {
  const run = report(
    [
      trade("A", 10, {
        entryTime: BASE + 10 * MINUTE + 800,
        entryPrice: 100.1,
        exitPrice: 98.9,
        pnl: -12,
        quantity: 5,
      }),
      trade("A", 12),
      trade("B", 20),
    ],
    "run",
  );
  const backtest = report([trade("A", 10), trade("B", 26), trade("B", 20, { side: "short" })], "backtest");
  const found = divergence(run, backtest);
  expect(found.matched).toHaveLength(1);
  const [one] = found.matched;
  expect(one).toMatchObject({ entryTime: 800, exitTime: 0, size: 0.5, pnl: -2 });
  expect(one!.entryCost).toBeCloseTo(10, 9);
  expect(one!.exitCost).toBeCloseTo(10.10101, 4);
  expect(found.onlyRun.map(({ symbol }) => symbol)).toEqual(["A", "B"]);
  expect(found.onlyBacktest.map(({ symbol, side }) => `${symbol} ${side}`)).toEqual(["B long", "B short"]);
  expect(found.pnl).toBe(-32 + 30);
  expect(divergenceText(found)).toContain("1 trades in both, 2 in the run alone, 2 in the backtest alone");
});

test("what only one of them can have closed is left out, and identical runs say so", () => {
  const trades = [trade("A", 10), trade("A", 90)];
  const found = divergence(report(trades.slice(0, 1), "same", 50), report(trades, "same"));
  expect([found.matched.length, found.onlyBacktest.length, found.pnl]).toEqual([1, 0, 0]);
  expect(divergenceText(found)).toContain("identical");
  expect(divergenceText(divergence(report([], "x"), report([], "y")))).toContain("0 trades in both");
});
