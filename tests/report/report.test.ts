import { describe, expect, test } from "bun:test";
import { stripVTControlCharacters } from "node:util";
import { USDT } from "../../src/core/instrument.ts";
import { type BacktestReport, backtestReport, type OpenPosition } from "../../src/report/backtest-report.ts";
import { brailleChart } from "../../src/report/chart.ts";
import { Collector } from "../../src/report/collector.ts";
import { DAY, HOUR } from "../../src/report/equity.ts";
import { grouped, pageOf, printReport, renderReport } from "../../src/report/print.ts";
import { instruments, START, trade } from "./sample.ts";

const open: OpenPosition = {
  symbol: 2,
  leg: "both",
  direction: -1,
  entryTime: START + DAY,
  lots: 30,
  entryNotional: 30n * 2000n * 10_000n,
  mark: 1990,
  unrealised: 30 * 10 * 10_000,
};

function collected(): Collector {
  const collector = new Collector(instruments, START, 1000 * USDT);
  const equity = (time: number, value: number, exposure: number) =>
    collector.add({
      kind: "equity",
      time: START + time,
      equity: value * USDT,
      wallet: value * USDT,
      unrealised: 0,
      margin: 0,
      exposure: exposure * USDT,
      positions: exposure > 0 ? 1 : 0,
    });
  const candidate = {
    symbol: 0,
    strategy: "ict",
    setup: "gap",
    direction: 1,
    entry: 1,
    stop: 0,
    target: 2,
    confidence: 1,
    scores: {},
    reasons: [],
  } as const;
  collector.add({ kind: "signal", time: START, candidate, rank: 1 });
  for (const guard of ["regime", "exposure", "regime"]) {
    collector.add({ kind: "refusal", time: START, symbol: 0, guard, reason: "", numbers: {} });
  }
  equity(0, 1000, 500);
  equity(12 * HOUR, 1100, 0);
  equity(DAY, 990, 990);
  equity(2 * DAY, 1039.5, 0);
  const won = trade();
  const lost = trade({ symbol: 1, pnl: -30_000_000n, reason: "stop", exitTime: START + 2 * HOUR, funding: 1_000_000n });
  const even = trade({ pnl: 0n, reason: "flatten", exitTime: START + 3 * HOUR });
  for (const closed of [even, lost, won]) collector.add({ kind: "closed", time: closed.exitTime, trade: closed });
  collector.add({ kind: "trading-state", time: START, from: "normal", to: "halted", reason: "daily loss" });
  return collector;
}

function sampleReport(collector = collected(), openPositions: readonly OpenPosition[] = [open]): BacktestReport {
  return backtestReport({
    collector,
    mode: "simulated",
    dataHash: "d".repeat(64),
    settingsHash: "5".repeat(64),
    assumptions: ["No order book was recorded: the spread is assumed to be two ticks wherever the market is taken."],
    timeframe: 300_000,
    timing: { bars: 5000, loadSeconds: 0.5, runSeconds: 1, wallSeconds: 2.5 },
    openPositions,
  });
}

describe("summary by hand", () => {
  const { summary } = sampleReport();

  test("trades", () => {
    expect(summary).toMatchObject({
      trades: 3,
      wins: 1,
      losses: 1,
      winRate: 1 / 3,
      profitFactor: 3,
      netPnl: 0.6,
      fees: 0.24,
      funding: -0.03,
      averageTrade: 0.2,
      averageWin: 0.9,
      averageLoss: -0.3,
      bestTrade: 0.9,
      worstTrade: -0.3,
      exits: { stop: 1, target: 1, flatten: 1 },
      exact: { netPnl: "60000000", fees: "24000000", funding: "-3000000" },
    });
    expect(summary.averageHolding).toBe((3_599_999 + (2 * HOUR - 60_000) + (3 * HOUR - 60_000)) / 3);
  });

  test("equity", () => {
    expect(summary).toMatchObject({ startEquity: 1000, endEquity: 1039.5, maxDrawdown: 0.1, maxDrawdownUsdt: 110 });
    expect(summary.growth).toBeCloseTo(0.0395, 12);
    // Days of -1 % and +5 %: mean 0.02, deviation sqrt(0.0018).
    expect(summary.sharpe).toBeCloseTo((0.02 / Math.sqrt(0.0018)) * Math.sqrt(365), 9);
    expect(summary.sortino).toBeCloseTo((0.02 / Math.sqrt(0.0001 / 2)) * Math.sqrt(365), 9);
    expect(summary.calmar).toBeCloseTo((0.0395 * 365) / 2 / 0.1, 9);
    expect(summary.exposure).toBe(0.75);
    expect(summary.averageExposure).toBeCloseTo((0.5 * 0.5 + 1) / 2, 12);
    // Three round trips of 21 USDT and 6 USDT that are open, over (0.5 d of 1000 + 0.5 d of 1100 + 1 d of 990) / 2.
    expect(summary.turnover).toBeCloseTo(69 / 1020, 12);
  });

  test("without trades everything that needs one is null", () => {
    const none = sampleReport(new Collector(instruments, START, USDT), []);
    expect(none.summary).toMatchObject({
      trades: 0,
      winRate: null,
      profitFactor: null,
      netPnl: 0,
      sharpe: null,
      sortino: null,
      calmar: null,
      exposure: 0,
      turnover: 0,
      averageTrade: null,
      averageHolding: null,
    });
    expect(JSON.parse(JSON.stringify(none))).toEqual(JSON.parse(JSON.stringify(none, null, 2)));
    expect(renderReport(none, { width: 80, colour: false }).join("\n")).toContain("0.00 USDT   0.00 %");
  });
});

describe("report", () => {
  test("trades in the order of the hash, with names, prices and exact numbers", () => {
    const report = sampleReport();
    expect(report.trades.map(({ symbol, reason }) => `${symbol} ${reason}`)).toEqual([
      "BTCUSDT target",
      "ETHUSDT stop",
      "BTCUSDT flatten",
    ]);
    expect(report.trades[0]).toEqual({
      symbol: "BTCUSDT",
      side: "long",
      leg: "both",
      entryTime: START + 60_000,
      exitTime: START + 3_659_999,
      entryAt: "2025-10-01T00:01:00.000Z",
      exitAt: "2025-10-01T01:00:59.999Z",
      entryPrice: 100,
      exitPrice: 110,
      lots: 100,
      quantity: 0.1,
      leverage: 5,
      pnl: 0.9,
      fees: 0.08,
      funding: -0.02,
      reason: "target",
      strategy: "ict",
      setup: "order-block",
      confidence: 0.75,
      reasons: ["with the trend"],
      plannedEntry: 100,
      stop: 95,
      target: 110,
      mae: null,
      mfe: null,
      exact: {
        entryNotional: "1000000000",
        exitNotional: "1100000000",
        fees: "8000000",
        funding: "-2000000",
        pnl: "90000000",
        plannedEntry: 1000,
        stop: 950,
        target: 1100,
      },
    });
  });

  test("the rest of the contract", () => {
    const report = sampleReport();
    expect(report).toMatchObject({
      mode: "simulated",
      from: START,
      to: START + 2 * DAY,
      refusals: { exposure: 1, regime: 2 },
      signals: 1,
      timeframe: 300_000,
      timing: { bars: 5000, barsPerSecond: 2000 },
      stateChanges: [{ to: "halted", reason: "daily loss" }],
    });
    expect(report.openPositions).toEqual([
      {
        symbol: "SOLUSDT",
        side: "short",
        leg: "both",
        entryTime: START + DAY,
        entryAt: "2025-10-02T00:00:00.000Z",
        entryPrice: 200,
        lots: 30,
        quantity: 0.03,
        mark: 199,
        unrealised: 0.03,
      },
    ]);
    expect(report.equity.at(-1)).toEqual({ time: START + 2 * DAY, equity: 1039.5, exposure: 0, positions: 0 });
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });
});

describe("costs", () => {
  test("over all fills, by hand: fees, half the spread and the slippage in whole ticks, funding paid", () => {
    const collector = new Collector(instruments, START, 1000 * USDT, { spreadBps: 4, slippageBps: 3 });
    const fill = { kind: "fill", time: START, symbol: 0, order: 1, trade: "1", lots: 100, done: true } as const;
    // 5 basis points of 10 001 ticks are 5.0005: 6 ticks of 100 lots of 0.0001 USDT each.
    collector.event({ ...fill, price: 10_001, fee: 5_000_000, maker: false });
    collector.event({ ...fill, price: 10_000, fee: 2_000_000, maker: true });
    collector.event({ kind: "funding", time: START, symbol: 0, rate: 1, mark: 1, amount: -3_000_000 });
    collector.event({ kind: "funding", time: START, symbol: 0, rate: 1, mark: 1, amount: 1_000_000 });
    const closed = { leg: "both", cause: "liquidation", lots: 1, price: 1, fee: 1_000_000 } as const;
    collector.event({ kind: "liquidation", time: START, symbol: 0, ...closed });
    expect(sampleReport(collector).costs).toEqual({ fees: 0.08, spreadAndSlippage: 0.06, funding: 0.02 });
  });

  test("the first refusal of each guard is its example", () => {
    const collector = new Collector(instruments, START, USDT);
    for (const [guard, symbol] of [
      ["regime", 1],
      ["regime", 2],
      ["exposure", 0],
    ] as const) {
      const reason = `${guard} said no to ${symbol}`;
      collector.add({ kind: "refusal", time: START + symbol, symbol, guard, reason, numbers: {} });
    }
    expect(sampleReport(collector).refusalExamples).toEqual({
      exposure: { time: START, symbol: "BTCUSDT", reason: "exposure said no to 0" },
      regime: { time: START + 1, symbol: "ETHUSDT", reason: "regime said no to 1" },
    });
  });
});

describe("for a person", () => {
  const text = (width: number, colour: boolean) => renderReport(sampleReport(), { width, colour });

  test.each([60, 80, 100])("no line is wider than %d columns", (width) => {
    for (const line of text(width, true)) {
      expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(width);
    }
  });

  test("result, stamp, refusals, assumptions and hashes are there", () => {
    const page = text(80, false).join("\n");
    for (const part of [
      "SIMULATED",
      "+39.50 USDT   +3.95 %",
      "regime 2",
      "spread is assumed",
      "d".repeat(64),
      "Open at",
    ]) {
      expect(page).toContain(part);
    }
  });

  test("without colour there is no escape, and with it the text is the same", () => {
    const plain = text(80, false);
    expect(plain.join("")).not.toContain("\x1b");
    expect(text(80, true).map((line) => stripVTControlCharacters(line))).toEqual(plain);
  });

  test("colour only on a terminal and without NO_COLOR", () => {
    expect(pageOf({ isTTY: true, columns: 90 }, {})).toEqual({ width: 90, colour: true });
    expect(pageOf({ isTTY: true, columns: 300 }, { NO_COLOR: "1" })).toEqual({ width: 100, colour: false });
    expect(pageOf({}, {})).toEqual({ width: 80, colour: false });
  });

  test("printed as the stream can show it", () => {
    const printed = (shown: { isTTY?: boolean; columns?: number }) => {
      const parts: string[] = [];
      printReport(sampleReport(), { ...shown, write: (part) => parts.push(part) }, {});
      return parts.join("");
    };
    expect(printed({})).toBe(`${text(80, false).join("\n")}\n`);
    expect(printed({ isTTY: true, columns: 100 })).toBe(`${text(100, true).join("\n")}\n`);
  });

  test("numbers", () => {
    expect([grouped(1234567.891, 2), grouped(-999.5, 0), grouped(-0.001, 2), grouped(12, 0)]).toEqual([
      "1,234,567.89",
      "-1,000",
      "0.00",
      "12",
    ]);
  });
});

describe("chart", () => {
  test("a rising line goes from the lower left to the upper right", () => {
    const points = Array.from({ length: 8 }, (_, i) => ({ time: i, value: i }));
    expect(brailleChart(points, 4, 2)).toEqual(["⠀⠀⣠⠞", "⣠⠞⠁⠀"]);
  });

  test("a flat line lies in the middle, a single point does too", () => {
    expect(
      brailleChart(
        [
          { time: 0, value: 5 },
          { time: 9, value: 5 },
        ],
        3,
        1,
      ),
    ).toEqual(["⠤⠤⠤"]);
    expect(brailleChart([{ time: 0, value: 5 }], 2, 1)).toEqual(["⠤⠤"]);
    expect(brailleChart([], 2, 1)).toEqual([]);
  });
});
