import { describe, expect, test } from "bun:test";
import type { Candidate, Direction } from "../../src/core/candidate.ts";
import type {
  AnalysisTimeframe,
  FairValueGap,
  IndicatorName,
  OrderBlock,
  StructureView,
  SymbolView,
} from "../../src/core/strategy.ts";
import { createIct, ICT_WEIGHTS } from "../../src/strategies/ict.ts";
import { INSTRUMENT } from "./market-view.ts";

type Bar = readonly [open: number, high: number, low: number, close: number];

interface Side {
  readonly trend: Direction | 0;
  readonly orderBlocks: readonly OrderBlock[];
  readonly gaps: readonly FairValueGap[];
  readonly indicators: Partial<Record<IndicatorName, number>>;
}

/** What a scene may change about the view below. */
interface Scene {
  readonly justClosed?: boolean;
  /** 5m bars, newest first. */
  readonly bars?: readonly Bar[];
  readonly m5?: Partial<Side>;
  readonly m15?: Partial<Side>;
  readonly h1?: Partial<Side>;
}

const block = (bottom: number, top: number, change: Partial<OrderBlock> = {}): OrderBlock => ({
  kind: "order-block",
  direction: 1,
  bottom,
  top,
  volumeRatio: 2,
  formedAt: 0,
  confirmedAt: 300_000,
  ...change,
});

const gap = (bottom: number, top: number): FairValueGap => ({
  kind: "gap",
  direction: 1,
  bottom,
  top,
  formedAt: 0,
  confirmedAt: 300_000,
});

/** Everything bullish; the newest bar dips into the block of 99 to 100 and closes at 100.5. */
const BARS: readonly Bar[] = [
  [100.2, 100.6, 99.5, 100.5],
  [101, 101.2, 100.1, 100.2],
  [102, 102.2, 100.9, 101],
  [103, 103.2, 101.9, 102],
  [103, 103.4, 102.9, 103],
];
const SIDE: Side = { trend: 1, orderBlocks: [], gaps: [], indicators: {} };

function viewOf(scene: Scene = {}): SymbolView {
  const bars = scene.bars ?? BARS;
  const sides: Record<AnalysisTimeframe, Side> = {
    "5m": { ...SIDE, orderBlocks: [block(99, 100)], indicators: { atr: 0.5, rsi: 55, volumeRatio: 2 }, ...scene.m5 },
    "15m": { ...SIDE, indicators: { atr: 1 }, ...scene.m15 },
    "1h": { ...SIDE, indicators: { emaFast: 101, emaSlow: 99 }, ...scene.h1 },
  };
  return {
    symbol: 3,
    instrument: INSTRUMENT,
    time: 1_200_000,
    regime: "unknown",
    closeTicks: Math.round(bars[0]![3] * 10_000),
    timeframe(name) {
      const { indicators, orderBlocks, gaps, trend } = sides[name];
      const breaks: StructureView["breaks"] =
        trend === 0
          ? []
          : [
              {
                kind: "break",
                direction: trend,
                character: "bos",
                price: 101,
                swingAt: 0,
                formedAt: 300_000,
                confirmedAt: 300_000,
              },
            ];
      return {
        justClosed: scene.justClosed ?? true,
        bars: bars.length,
        openTime: (back) => 900_000 - back * 300_000,
        open: (back) => bars[back]?.[0] ?? Number.NaN,
        high: (back) => bars[back]?.[1] ?? Number.NaN,
        low: (back) => bars[back]?.[2] ?? Number.NaN,
        close: (back) => bars[back]?.[3] ?? Number.NaN,
        volume: () => 1,
        indicator: (indicator) => indicators[indicator] ?? Number.NaN,
        structure: { swings: [], breaks, orderBlocks, gaps, trend },
      };
    },
  };
}

const ict = createIct({ riskRewardRatio: 2, minVolumeRatio: 1.5 });
const propose = (scene?: Scene): Candidate | undefined => ict.propose(viewOf(scene));

test("a reaction from an order block with everything aligned is proposed in full", () => {
  expect(propose()).toEqual({
    symbol: 3,
    strategy: "ict",
    setup: "order-block",
    direction: 1,
    entry: 1_005_000,
    // 99 less a quarter of an ATR of 1: a risk of 1.75.
    stop: 987_500,
    target: 1_040_000,
    confidence: expect.any(Number),
    scores: {
      alignment: 1,
      structure: expect.closeTo(0.7 + 0.3),
      zone: 0.5,
      momentum: expect.closeTo(0.5 * (1 / 1.1) + 0.5),
      volume: 1,
    },
    reasons: [
      "1h EMA fast 101.0000 above slow 99.0000, 1h structure bullish",
      "15m break of structure bullish through 101.0000",
      "5m bar reacts from the 5m order block 99.0000 to 100.0000",
      "5m RSI 55, volume 2.0 times the average, block's move 2.0 times",
      "risk 1.7500 is 1.8 ATR of 15m",
    ],
  });
});

test("confidence is the stated weighted sum", () => {
  const { confidence, scores } = propose()!;
  const sum = Object.entries<number>(ICT_WEIGHTS).reduce((total, [name, weight]) => total + weight * scores[name]!, 0);
  expect(confidence).toBeCloseTo(sum, 12);
  expect(Object.values<number>(ICT_WEIGHTS).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
});

describe("nothing is proposed", () => {
  test.each<[string, Scene]>([
    ["between closes of 5m bars", { justClosed: false }],
    ["when 1h EMAs and 1h structure disagree", { h1: { trend: -1 } }],
    ["when 1h says nothing", { h1: { trend: 0, indicators: {} } }],
    ["when 15m structure points the other way", { m15: { trend: -1 } }],
    ["without an ATR", { m15: { indicators: {} } }],
    ["without a zone", { m5: { orderBlocks: [] } }],
    ["from a block against the direction", { m5: { orderBlocks: [block(99, 100, { direction: -1 })] } }],
    ["from a block whose move had little volume", { m5: { orderBlocks: [block(99, 100, { volumeRatio: 1.4 })] } }],
    ["from a gap that is small against the ATR", { m5: { orderBlocks: [], gaps: [gap(99.8, 100)] } }],
    ["when the bar did not reach the zone", { m5: { orderBlocks: [block(98, 99.4)] } }],
    ["when the bar closed through the zone", { m5: { orderBlocks: [block(100.5, 100.8)] } }],
    ["when a bar before was in the zone already", { m5: { orderBlocks: [block(99, 100.15)] } }],
    ["when the bar closed against the direction", { bars: [[100.6, 100.7, 99.5, 100.5], ...BARS.slice(1)] }],
    ["when the stop would be far away", { m5: { orderBlocks: [block(96, 100)] } }],
  ])("%s", (_, scene) => {
    expect(propose(scene)).toBeUndefined();
  });
});

test("either of 1h EMAs and 1h structure may be silent, at a price", () => {
  expect(propose({ h1: { trend: 0 } })!.scores.alignment).toBe(0.6);
  expect(propose({ h1: { indicators: {} } })!.scores.alignment).toBe(0.6);
});

test("a 15m block is preferred to a 5m gap, which counts as confluence", () => {
  const { setup, scores, reasons } = propose({
    m5: { orderBlocks: [], gaps: [gap(99.2, 99.8)], indicators: { atr: 0.5, rsi: 55, volumeRatio: 2 } },
    m15: { orderBlocks: [block(99, 99.9)] },
  })!;
  expect(setup).toBe("order-block");
  expect(scores.zone).toBeCloseTo(0.85);
  expect(reasons[2]).toBe("5m bar reacts from the 15m order block 99.0000 to 99.9000, with 1 more zone");
});

test("a stop within the noise is moved out to one ATR, and to 0.3 % of the price", () => {
  const near = { m5: { orderBlocks: [block(99.9, 100)] } };
  const far = propose({ ...near, m15: { indicators: { atr: 1.5 } } })!;
  expect(far.entry - far.stop).toBe(15_000);
  const calm = propose({
    ...near,
    bars: [[100.2, 100.6, 99.98, 100.5], ...BARS.slice(1)],
    m15: { indicators: { atr: 0.25 } },
  });
  // 100.5 to 99.9 and a quarter of 0.25 are more than 0.3 % of 100.5, and less than four ATR of 0.25.
  expect(calm!.entry - calm!.stop).toBe(6_625);
  const quiet = propose({
    m5: { orderBlocks: [block(100.35, 100.4)] },
    bars: [[100.4, 100.6, 100.39, 100.5], [101, 101.2, 100.5, 100.6], ...BARS.slice(2)],
    m15: { indicators: { atr: 0.1 } },
  })!;
  expect(quiet.entry - quiet.stop).toBe(3_015);
});

test("the stop is rounded away and the target towards the entry", () => {
  const odd = createIct({ riskRewardRatio: 1.5, minVolumeRatio: 1.5 });
  const { entry, stop, target } = odd.propose(viewOf({ m15: { indicators: { atr: 1.00003 } } }))!;
  // 1.5 + 0.2500075 is 17,500.075 ticks.
  expect(entry - stop).toBe(17_501);
  expect(target - entry).toBe(26_251);
});

test("shorts mirror longs", () => {
  const turn = (price: number) => 200 - price;
  const short = propose({
    bars: BARS.map(([open, high, low, close]): Bar => [turn(open), turn(low), turn(high), turn(close)]),
    m5: {
      trend: -1,
      orderBlocks: [block(100, 101, { direction: -1 })],
      indicators: { atr: 0.5, rsi: 45, volumeRatio: 2 },
    },
    m15: { trend: -1 },
    h1: { trend: -1, indicators: { emaFast: 99, emaSlow: 101 } },
  })!;
  const long = propose()!;
  expect(short.direction).toBe(-1);
  expect(short.stop - short.entry).toBe(long.entry - long.stop);
  expect(short.entry - short.target).toBe(long.target - long.entry);
  for (const [name, score] of Object.entries(long.scores)) expect(short.scores[name]).toBeCloseTo(score, 9);
});
