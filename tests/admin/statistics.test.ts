import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { dataStatusOf } from "../../src/admin/data-status.ts";
import { Incidents } from "../../src/admin/incidents.ts";
import { histogramQuantile, LatencyTrend } from "../../src/admin/latency.ts";
import { Recent, type TradeRow } from "../../src/admin/mirror.ts";
import { slippageOf, statisticsOf } from "../../src/admin/statistics.ts";
import { FLAT, REAL } from "../../src/market/bar-source.ts";
import { Panel } from "../../src/market/panel.ts";
import { Counters } from "../../src/telemetry/counters.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function trade(more: Partial<TradeRow>): TradeRow {
  return {
    symbol: "AUSDT",
    leg: "both",
    direction: "long",
    entryTime: 0,
    exitTime: 0,
    quantity: 2,
    entry: 100,
    exit: 110,
    pnl: 20,
    fees: 0,
    funding: 0,
    reason: "target",
    strategy: "ict",
    setup: "gap",
    confidence: 0.5,
    leverage: 3,
    plannedEntry: 100,
    stop: 90,
    target: 120,
    ...more,
  };
}

function statistics(trades: readonly TradeRow[]) {
  const recent = new Recent<TradeRow>(100);
  for (const one of trades) recent.add(one);
  return statisticsOf({ trades: recent }, []);
}

describe("statistics", () => {
  test("of no trade are nothing, not zeros", () => {
    expect(statistics([])).toMatchObject({ trades: 0, averageR: null, profitFactor: null, byHour: [], byDay: [] });
  });

  test("tell per hour and day how many, how good, how dear and how often otherwise than planned", () => {
    const found = statistics([
      trade({ exitTime: DAY + 5 }),
      trade({ exitTime: DAY + HOUR, pnl: -20, entry: 100.5, reason: "disaster-stop" }),
      trade({ exitTime: DAY + HOUR + 1, direction: "short", entry: 99.8, stop: 109.8, pnl: -10 }),
      trade({ exitTime: 7, reason: "liquidation" }),
    ]);
    expect(found.byHour.map(({ hour, trades }) => [hour, trades])).toEqual([
      [0, 1],
      [DAY, 1],
      [DAY + HOUR, 2],
    ]);
    expect(found.byDay.map(({ day, trades, unplannedStops }) => [day, trades, unplannedStops])).toEqual([
      [0, 1, 1],
      [DAY, 3, 1],
    ]);
    // Fills at 0, 50 and 20 basis points worse than planned.
    expect(found.byDay[1]!.slippageP50).toBeCloseTo(20, 6);
    expect(found.byDay[1]!.slippageP90).toBeCloseTo(50, 6);
    // 20 of 20, −20 of 21, −10 of 20 that were risked.
    expect(found.byDay[1]!.averageR).toBeCloseTo((1 - 20 / 21 - 0.5) / 3, 9);
    expect(found.unplannedStops).toBe(2);
  });

  test("count slippage against us as positive, whichever the side", () => {
    expect(slippageOf(trade({ entry: 101 }))).toBeCloseTo(100, 6);
    expect(slippageOf(trade({ direction: "short", entry: 101 }))).toBeCloseTo(-100, 6);
  });

  test("every trade is in one hour, one day and one group of each kind", () => {
    const one = fc.record({ exitTime: fc.integer({ min: 0, max: 40 * DAY }), pnl: fc.integer({ min: -50, max: 50 }) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 60 }), (changes) => {
        const found = statistics(changes.map(trade));
        for (const groups of [
          found.byHour,
          found.byDay,
          Object.values(found.byReason),
          Object.values(found.bySymbol),
        ]) {
          expect(groups.reduce((sum, { trades }) => sum + trades, 0)).toBe(changes.length);
          expect(groups.reduce((sum, { pnl }) => sum + pnl, 0)).toBe(found.pnl);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("latency", () => {
  test("a quantile lies in the bucket of its rank", () => {
    const bounds = [1, 2, 4];
    expect(histogramQuantile(bounds, Float64Array.of(0, 0, 0, 0), 0.5)).toBeNull();
    expect(histogramQuantile(bounds, Float64Array.of(10, 0, 0, 0), 0.5)).toBe(0.5);
    expect(histogramQuantile(bounds, Float64Array.of(5, 5, 0, 0), 0.99)).toBeCloseTo(1.98, 9);
    expect(histogramQuantile(bounds, Float64Array.of(0, 0, 0, 3), 0.5)).toBe(4);
  });

  test("is what came since the last five minutes, a day of it at most", () => {
    const counters = new Counters();
    counters.observe("penstock_step_seconds", undefined, 0.5);
    const trend = new LatencyTrend(counters);
    trend.sample(1000);
    for (let i = 0; i < 10; i++) counters.observe("penstock_step_seconds", undefined, 1.5e-6);
    trend.sample(299_999);
    expect(trend.points).toEqual([]);
    trend.sample(300_000);
    expect(trend.points).toMatchObject([{ at: 0, steps: 10, stepP50: 1.5e-6, cycleP50: null }]);
    for (let i = 2; i < 400; i++) trend.sample(i * 300_000);
    expect(trend.points).toHaveLength(288);
  });
});

describe("incidents", () => {
  const notice = (time: number, text: string, level: "info" | "warning" | "alarm" = "warning") => ({
    time,
    at: time,
    level,
    text,
  });

  test("that say the same but for their numbers are one, with how often, first and last", () => {
    const incidents = new Incidents();
    incidents.add(notice(1, "worker 1 was replaced after 2.5 s"));
    incidents.add(notice(2, "the database is away", "alarm"));
    incidents.add(notice(3, "all is well", "info"));
    for (let i = 4; i < 1000; i++) incidents.add(notice(i, `worker ${i} was replaced after ${i} s`));
    expect(incidents.newest(10)).toEqual([
      { level: "warning", text: "worker 999 was replaced after 999 s", count: 997, first: 1, last: 999, at: 999 },
      { level: "alarm", text: "the database is away", count: 1, first: 2, last: 2, at: 2 },
    ]);
    expect(incidents.newest(1)).toHaveLength(1);
  });

  test("are bounded: the kind that was silent longest goes", () => {
    const incidents = new Incidents();
    for (let i = 0; i < 600; i++) incidents.add(notice(i, `${"x".repeat(i)} failed`));
    expect(incidents.newest(1000)).toHaveLength(500);
    expect(incidents.newest(1)[0]!.last).toBe(599);
  });
});

test("the data status counts bars, gaps and what was filled, symbol by symbol", () => {
  const spec = { symbols: 3, origin: 0, timeframes: [{ name: "1m", ms: 60_000, capacity: 10, spare: 2 }] };
  const panel = Panel.create(spec as never);
  const instruments = ["A", "B", "C"].map((symbol) => ({ symbol })) as never;
  expect(dataStatusOf(panel, instruments).newest).toBeNull();
  // A has all eight bars, B lacks two in one gap and has one filled, C has none.
  for (let bar = 0; bar < 8; bar++) {
    panel.writeBar(0, bar, 0, 1, 1, 1, 1, 1, REAL);
    if (bar > 1 && bar !== 4 && bar !== 5) panel.writeBar(0, bar, 1, 1, 1, 1, 1, 1, bar === 7 ? FLAT : REAL);
    panel.publish(0, bar);
  }
  const { newest, timeframes, symbols } = dataStatusOf(panel, instruments);
  expect(newest).toBe(480_000);
  expect(timeframes).toEqual([{ name: "1m", ms: 60_000, bars: 8 }]);
  expect(symbols).toEqual([
    { symbol: "A", bars: 8, first: 60_000, last: 480_000, gaps: 0, missing: 0, flat: 0 },
    { symbol: "B", bars: 4, first: 180_000, last: 480_000, gaps: 1, missing: 2, flat: 1 },
    { symbol: "C", bars: 0, first: null, last: null, gaps: 0, missing: 0, flat: 0 },
  ]);
});
