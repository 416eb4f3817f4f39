import { describe, expect, test } from "bun:test";
import { priceOf } from "../../src/core/instrument.ts";
import type { BarSource } from "../../src/market/bar-source.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import type { ReportedTrade } from "../../src/report/backtest-report.ts";
import { chooseTrades, type Scene, takeScenes } from "../../src/report/scenes.ts";
import { StructureTracker } from "../../src/structure/tracker.ts";
import { SMALL_START } from "./small-run.ts";

const M5 = 300_000;
const DAY = 86_400_000;
const SYMBOL = 1;

const market = (): BarSource => generateMarket({ seed: 3, symbols: 2, start: SMALL_START, timeframe: M5 });
const { symbol, priceDecimals } = market().instruments[SYMBOL]!;

/** The symbol's bars that open before a time, prices in ticks. */
function barsUntil(end: number) {
  const source = market();
  const bars: { openTime: number; open: number; high: number; low: number; close: number; volume: number }[] = [];
  for (let step = source.step()!; step.openTime < end; step = source.step()!) {
    const { openTime, open, high, low, close, volume } = step;
    const of = (column: Float64Array) => column[SYMBOL]!;
    bars.push({ openTime, open: of(open), high: of(high), low: of(low), close: of(close), volume: of(volume) });
  }
  return bars;
}

function trade(changes: Partial<ReportedTrade>): ReportedTrade {
  return {
    symbol,
    side: "long",
    leg: "both",
    entryTime: SMALL_START + DAY,
    exitTime: SMALL_START + DAY + 10 * M5 - 1,
    entryAt: "",
    exitAt: "",
    entryPrice: 1,
    exitPrice: 1,
    lots: 1,
    quantity: 1,
    leverage: 1,
    pnl: 1,
    fees: 0,
    funding: 0,
    reason: "target",
    strategy: "ict",
    setup: "order-block",
    confidence: 0.5,
    reasons: [],
    plannedEntry: 1,
    stop: 1,
    target: 1,
    mae: null,
    mfe: null,
    exact: { entryNotional: "", exitNotional: "", fees: "", funding: "", pnl: "", plannedEntry: 1, stop: 1, target: 1 },
    ...changes,
  };
}

function scenesOf(trades: readonly ReportedTrade[], to = SMALL_START + 30 * DAY): Scene[] {
  return takeScenes({ trades, to }, (symbols) => {
    expect(symbols).toEqual([symbol]);
    return market();
  });
}

describe("choice", () => {
  test("the ends and an even sample, each trade once, the same for the same trades", () => {
    const trades = Array.from({ length: 200 }, (_, i) => trade({ pnl: ((i * 37) % 200) - 100 }));
    const chosen = chooseTrades(trades);
    expect(new Set(chosen.map(({ trade: index }) => index)).size).toBe(40);
    const pnl = (choice: string) => chosen.filter((c) => c.choice === choice).map((c) => trades[c.trade]!.pnl);
    expect(pnl("best").sort((a, b) => b - a)).toEqual([99, 98, 97, 96, 95, 94, 93, 92, 91, 90]);
    expect(pnl("worst").sort((a, b) => a - b)).toEqual([-100, -99, -98, -97, -96, -95, -94, -93, -92, -91]);
    expect(pnl("sample")).toHaveLength(20);
    expect(chosen).toEqual(chooseTrades(trades));
  });

  test.each([0, 1, 2, 3, 5, 21, 40])("of %d trades none is lost or doubled", (count) => {
    const chosen = chooseTrades(Array.from({ length: count }, (_, i) => trade({ pnl: i })));
    expect(chosen.map(({ trade: index }) => index)).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  test("without trades no bars are read", () => {
    const none = takeScenes({ trades: [], to: 0 }, () => {
      throw new Error("read");
    });
    expect(none).toEqual([]);
  });
});

describe("scenes", () => {
  test("the bars are those of the market, around the trade", () => {
    const [scene] = scenesOf([trade({})]) as [Scene];
    expect(scene.timeframe).toBe(M5);
    expect(scene.from).toBeLessThan(SMALL_START + DAY - 40 * M5);
    const expected = barsUntil(scene.from + scene.bars.length * M5).filter((bar) => bar.openTime >= scene.from);
    expect(scene.bars).toEqual(expected.map(({ openTime: _, ...bar }) => bar));
    expect(expected.at(-1)!.openTime).toBeGreaterThan(SMALL_START + DAY + 10 * M5);
  });

  test("a long trade is drawn in longer bars, which are made of the market's", () => {
    const [scene] = scenesOf([trade({ exitTime: SMALL_START + 3 * DAY })]) as [Scene];
    expect(scene.timeframe).toBe(12 * M5);
    const hour = barsUntil(SMALL_START + 4 * DAY).filter(
      ({ openTime }) => openTime >= scene.from && openTime < scene.from + 12 * M5,
    );
    expect(scene.bars[0]).toMatchObject({
      open: hour[0]!.open,
      high: Math.max(...hour.map((bar) => bar.high)),
      low: Math.min(...hour.map((bar) => bar.low)),
      close: hour.at(-1)!.close,
    });
  });

  test("nothing is shown that came after the run", () => {
    const to = SMALL_START + DAY + 12 * M5;
    const [scene] = scenesOf([trade({})], to) as [Scene];
    expect(scene.from + scene.bars.length * M5).toBe(to);
  });

  test("the zone that the reasons name is the cause; what came later is not known", () => {
    const signalAt = SMALL_START + DAY;
    const tracker = new StructureTracker({ timeframe: "5m" });
    const instrument = market().instruments[SYMBOL]!;
    for (const bar of barsUntil(signalAt)) {
      const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map((t) => priceOf(instrument, t));
      tracker.advance(bar.openTime, open!, high!, low!, close!, bar.volume);
    }
    const gap = tracker.view.gaps.at(-1)!;
    const broken = tracker.view.breaks.at(-1)!;
    const side = gap.direction === 1 ? "long" : "short";
    const reasons = [
      `reacts from ${gap.bottom.toFixed(priceDecimals)} to ${gap.top.toFixed(priceDecimals)}`,
      `5m break of structure through ${broken.price.toFixed(priceDecimals)}`,
    ];
    const [scene] = scenesOf([trade({ setup: "gap", side, reasons })]) as [Scene];
    expect(scene.signalAt).toBe(signalAt);
    const { top, bottom, formedAt } = gap;
    expect(scene.zones.filter((zone) => zone.cause)).toMatchObject([{ kind: "gap", top, bottom, formedAt }]);
    for (const zone of scene.zones) expect(zone.formedAt).toBeLessThan(signalAt);
    expect(scene.breaks.map((found) => found.price)).toEqual(broken.direction === gap.direction ? [broken.price] : []);
    const [unnamed] = scenesOf([trade({ setup: "gap", side })]) as [Scene];
    expect(unnamed.zones.some((zone) => zone.cause)).toBe(false);
    expect(unnamed.zones.length).toBeGreaterThan(0);
  });
});
