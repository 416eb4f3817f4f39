import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import type { BacktestReport } from "../../src/report/backtest-report.ts";
import { backtestReport } from "../../src/report/backtest-report.ts";
import { Collector } from "../../src/report/collector.ts";
import { sortedTrades, tradeLine, tradesHash } from "../../src/report/trades-hash.ts";
import { instruments, START, trade } from "./sample.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

const LINE =
  "1759280459999 BTCUSDT both 1 1759276860000 100 1000000000 1100000000 8000000 -2000000 90000000 1000 950 1100 target";

describe("the hash that anyone can make again", () => {
  test("a trade's line", () => expect(tradeLine(trade(), instruments)).toBe(LINE));

  test("golden: made with printf and sha256sum", () => {
    expect(tradesHash([trade()], instruments)).toBe(sha256(`${LINE}\n`));
    expect(tradesHash([trade()], instruments)).toBe("7465021ef13523fd30bc8c4c6d7698119ff7753f304059040fbd84556f7271f2");
    expect(tradesHash([], instruments)).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  test("from the JSON of a report alone", () => {
    const collector = new Collector(instruments, START, 1e12);
    const trades = [
      trade(),
      trade({ symbol: 2, direction: -1, reason: "stop", pnl: -5n }),
      trade({ exitTime: START + 1 }),
    ];
    for (const closed of trades) collector.add({ kind: "closed", time: closed.exitTime, trade: closed });
    const timing = { bars: 0, loadSeconds: 0, runSeconds: 0, wallSeconds: 0 };
    const report = backtestReport({
      collector,
      mode: "simulated",
      dataHash: "",
      settingsHash: "",
      timeframe: 60_000,
      assumptions: [],
      timing,
      openPositions: [],
    });
    const read: BacktestReport = JSON.parse(JSON.stringify(report));
    const lines = read.trades.map(({ exact, ...of }) =>
      [
        of.exitTime,
        of.symbol,
        of.leg,
        of.side === "long" ? 1 : -1,
        of.entryTime,
        of.lots,
        exact.entryNotional,
        exact.exitNotional,
        exact.fees,
        exact.funding,
        exact.pnl,
        exact.plannedEntry,
        exact.stop,
        exact.target,
        of.reason,
      ].join(" "),
    );
    expect(sha256(lines.map((line) => `${line}\n`).join(""))).toBe(report.tradesHash);
  });
});

describe("order", () => {
  test("exit time, then symbol, then leg, then the order of closing", () => {
    const at = (exitTime: number, symbol: number, leg: "both" | "long" | "short", lots: number) =>
      trade({ exitTime, symbol, leg, lots });
    const sorted = [
      at(1, 2, "both", 1),
      at(2, 0, "long", 2),
      at(2, 0, "short", 3),
      at(2, 0, "short", 4),
      at(2, 1, "both", 5),
    ];
    const mixed = [sorted[4]!, sorted[2]!, sorted[1]!, sorted[3]!, sorted[0]!];
    expect(sortedTrades(mixed, instruments)).toEqual(sorted);
  });

  test("trades of different places may come in any order", () => {
    const trades = [0, 1, 2].flatMap((symbol) => [5, 6].map((exitTime) => trade({ symbol, exitTime })));
    const hash = tradesHash(trades, instruments);
    fc.assert(
      fc.property(fc.shuffledSubarray(trades, { minLength: trades.length }), (shuffled) => {
        expect(tradesHash(shuffled, instruments)).toBe(hash);
      }),
    );
  });
});

test("every integer and the reason matter; names of strategies and confidence do not", () => {
  const hash = tradesHash([trade()], instruments);
  const changes = [
    { symbol: 1 },
    { leg: "long" },
    { direction: -1 },
    { entryTime: 1 },
    { exitTime: 1 },
    { lots: 1 },
    { entryNotional: 1n },
    { exitNotional: 1n },
    { fees: 1n },
    { funding: 1n },
    { pnl: 1n },
    { reason: "stop" },
    { plannedEntry: 1 },
    { stop: 1 },
    { target: 1 },
  ] as const;
  const hashes = changes.map((change) => tradesHash([trade(change)], instruments));
  expect(new Set([hash, ...hashes]).size).toBe(changes.length + 1);
  expect(tradesHash([trade({ strategy: "x", setup: "y", confidence: 0.1, reasons: [] })], instruments)).toBe(hash);
});

test("a fraction where a whole number belongs is a bug", () => {
  expect(() => tradesHash([trade({ stop: 0.5 })], instruments)).toThrow(/BTCUSDT holds 0.5/);
});
