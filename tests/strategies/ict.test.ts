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
import { createIct, type IctOptions } from "../../src/strategies/ict.ts";
import {
  type Calibration,
  calibrated,
  evidence,
  ICT_CALIBRATION,
  ICT_SCORES,
  type IctScore,
  valueAt,
} from "../../src/strategies/ict-calibration.ts";
import { INSTRUMENT, NO_STRUCTURE } from "./market-view.ts";

type Bar = readonly [open: number, high: number, low: number, close: number];

interface Side {
  readonly structure: Partial<StructureView>;
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
  scale: "internal",
  direction: 1,
  bottom,
  top,
  volumeRatio: 3,
  tests: 0,
  fill: 0,
  touching: true,
  formedAt: 0,
  confirmedAt: 300_000,
  ...change,
});

const gap = (bottom: number, top: number): FairValueGap => ({
  kind: "gap",
  direction: 1,
  bottom,
  top,
  tests: 0,
  fill: 0,
  touching: true,
  formedAt: 0,
  confirmedAt: 300_000,
});

const HOUR = 3_600_000;

/** Everything bullish; the newest bar dips into the block of 99 to 100 and closes at 100.5. */
const BARS: readonly Bar[] = [
  [100.2, 100.6, 99.5, 100.5],
  [101, 101.2, 100.1, 100.2],
  [102, 102.2, 100.9, 101],
  [103, 103.2, 101.9, 102],
  [103, 103.4, 102.9, 103],
];
const SIDE: Side = { structure: {}, trend: 1, orderBlocks: [], gaps: [], indicators: {} };

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
      const { indicators, orderBlocks, gaps, trend, structure } = sides[name];
      const breaks: StructureView["breaks"] =
        trend === 0
          ? []
          : [
              {
                kind: "break",
                scale: "internal",
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
        structure: { ...NO_STRUCTURE, breaks, orderBlocks, gaps, trend, ...structure },
      };
    },
  };
}

/** The scene's sides with what else their structure holds. */
const with15m = (structure: Partial<StructureView>): Partial<Side> => ({ structure, indicators: { atr: 1 } });
const with5m = (...orderBlocks: OrderBlock[]): Partial<Side> => ({
  orderBlocks,
  indicators: { atr: 0.5, rsi: 55, volumeRatio: 2 },
});

const EMAS = { emaFast: 101, emaSlow: 99 };

/** Scores as they are, and nothing held back. */
const RAW: Calibration = {
  base: 0,
  scores: Object.fromEntries(
    ICT_SCORES.map((name) => [
      name,
      [
        [0, 0],
        [1, 1],
      ],
    ]),
  ) as unknown as Calibration["scores"],
  total: [[0, 1]],
};
const OPTIONS: IctOptions = {
  riskRewardRatio: 2,
  minVolumeRatio: 1.5,
  ageing: { maxTests: 3, decayEnabled: true, decayHours: 48, decayRate: 0.1 },
  calibration: RAW,
};

const ict = createIct(OPTIONS);
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
    confidence: 1,
    scores: {
      // 1h: EMAs and internal trend of three voices, the external one silent; 5m and 15m: the trend of three.
      alignment: expect.closeTo(0.5 * (5 / 6) + 0.3 * (4 / 6) + 0.2 * (4 / 6)),
      // A break with the trend at the newest bar, no displacement, no range.
      structure: expect.closeTo(0.35 + 0.2 + 0.15),
      zone: expect.closeTo(0.8),
      sweep: 0,
      momentum: expect.closeTo(0.5 * (1 / 1.1) + 0.5),
      volume: 1,
    },
    reasons: [
      "1h EMA fast 101.0000 above slow 99.0000, 1h structure bullish",
      "15m break of structure bullish through 101.0000",
      "5m bar reacts from the 5m order block 99.0000 to 100.0000",
      "5m RSI 55, volume 2.0 times the average, block's move 3.0 times",
      "risk 1.7500 is 1.8 ATR of 15m",
    ],
  });
});

describe("the scores", () => {
  test("alignment counts every voice of every timeframe", () => {
    const external = (trend: Direction) => ({ structure: { external: { swings: [], breaks: [], trend } } });
    const alignment = (m5: Direction, m15: Direction, h1: Direction) =>
      propose({
        m5: { ...external(m5), orderBlocks: [block(99, 100)], indicators: { ...EMAS, atr: 0.5 } },
        m15: { ...external(m15), indicators: { ...EMAS, atr: 1 } },
        h1: { ...external(h1), indicators: EMAS },
      })!.scores.alignment;
    expect(alignment(1, 1, 1)).toBe(1);
    expect(alignment(-1, 1, 1)).toBeCloseTo(1 - 0.2 / 3, 12);
    expect(alignment(1, -1, 1)).toBeCloseTo(1 - 0.3 / 3, 12);
    expect(alignment(1, 1, -1)).toBeCloseTo(1 - 0.5 / 3, 12);
  });

  test("structure counts displacement and discount of 15m", () => {
    const structure = (change: Partial<StructureView>) => propose({ m15: with15m(change) })!.scores.structure;
    const displacement = { kind: "displacement", top: 101, bottom: 99, ratio: 2, formedAt: 0 } as const;
    expect(structure({ displacements: [{ ...displacement, direction: 1, confirmedAt: 0 }] })).toBeCloseTo(0.85, 12);
    expect(structure({ displacements: [{ ...displacement, direction: -1, confirmedAt: 0 }] })).toBeCloseTo(0.7, 12);
    // Closed at 100.5.
    const range = { kind: "range", direction: 1, formedAt: 0, confirmedAt: 0 } as const;
    expect(structure({ range: { ...range, top: 101.5, bottom: 97.5 } })).toBeCloseTo(0.55 + 0.3 * 0.25, 12);
    expect(structure({ range: { ...range, top: 99, bottom: 90 } })).toBeCloseTo(0.55, 12);
  });

  test("a sweep in the trade's direction counts less the older it is, and is told", () => {
    const sweep = (confirmedAt: number, direction: Direction = 1) =>
      propose({
        m15: with15m({
          sweeps: [{ kind: "sweep", of: "previous-day", price: 98.5, direction, formedAt: 0, confirmedAt }],
        }),
      })!;
    // It closed with its 15m bar at 1,200,000, which is now.
    expect(sweep(300_000).scores.sweep).toBe(1);
    expect(sweep(300_000).reasons[2]).toBe("swept the previous day's low 98.5000 0 min ago");
    expect(sweep(300_000 - 2 * HOUR).scores.sweep).toBe(0.5);
    expect(sweep(300_000 - 8 * HOUR).scores.sweep).toBe(0);
    expect(sweep(300_000, -1).scores.sweep).toBe(0);
  });

  test("a block loses with tests, age and a thin move; a breaker is worth less", () => {
    const zone = (change: Partial<OrderBlock>) => propose({ m5: with5m(block(99, 100, change)) })!.scores.zone;
    expect(zone({ tests: 1 })).toBeCloseTo(0.8 * 0.75, 12);
    expect(zone({ confirmedAt: 900_000 - 96 * HOUR })).toBeCloseTo(0.8 * 0.9, 12);
    expect(zone({ volumeRatio: 1.5 })).toBeCloseTo(0.8 * 0.75, 12);
    const { kind: _, ...rest } = block(99, 100);
    const breaker = propose({
      m5: { ...with5m(), structure: { orderBlocks: [], breakers: [{ ...rest, kind: "breaker" }] } },
    })!;
    expect(breaker.setup).toBe("breaker");
    expect(breaker.scores.zone).toBeCloseTo(0.64, 12);
  });

  test("a gap counts by its height in ATR and by what is left of it", () => {
    const zone = (fill: number) =>
      propose({ m5: { ...with5m(), orderBlocks: [], gaps: [{ ...gap(99.5, 100), fill }] } })!.scores.zone;
    expect(zone(0)).toBeCloseTo(0.8 * 0.5, 12);
    expect(zone(0.5)).toBeCloseTo(0.8 * 0.5 * 0.75, 12);
  });
});

describe("the confidence", () => {
  const raw = (value: number) =>
    Object.fromEntries(ICT_SCORES.map((name) => [name, value])) as Record<IctScore, number>;

  test("rises with every score, lies between 0 and 1, and says what the sample said at its middle", () => {
    for (const name of ICT_SCORES) {
      let before = 0;
      for (let value = 0; value <= 1; value += 0.05) {
        const confidence = calibrated(ICT_CALIBRATION, { ...raw(0.7), [name]: value });
        expect(confidence).toBeGreaterThanOrEqual(before);
        expect(confidence).toBeLessThan(1);
        before = confidence;
      }
    }
    expect(calibrated(ICT_CALIBRATION, raw(1))).toBeGreaterThan(calibrated(ICT_CALIBRATION, raw(0)));
  });

  test("is the last curve at the sum of what each score adds to the base", () => {
    const { base, scores, total } = ICT_CALIBRATION;
    const sum = ICT_SCORES.reduce((before, name) => before + valueAt(scores[name], 0.6) - base, 0);
    expect(evidence(ICT_CALIBRATION, raw(0.6))).toBeCloseTo(sum, 12);
    expect(calibrated(ICT_CALIBRATION, raw(0.6))).toBe(valueAt(total, evidence(ICT_CALIBRATION, raw(0.6))));
  });

  test("below one half nothing is proposed", () => {
    const at = (chance: number) => createIct({ ...OPTIONS, calibration: { ...RAW, total: [[0, chance]] } });
    expect(at(0.5).propose(viewOf())!.confidence).toBe(0.5);
    expect(at(0.499).propose(viewOf())).toBeUndefined();
  });

  test("without an own calibration the fitted one counts", () => {
    const { calibration: _, ...options } = OPTIONS;
    const external = { swings: [], breaks: [], trend: 1 } as const;
    const scene: Scene = { m15: with15m({ external }), h1: { structure: { external }, indicators: EMAS } };
    // With the sides as they are in the other scenes the sample says: no.
    expect(createIct(options).propose(viewOf())).toBeUndefined();
    const { confidence, scores } = createIct(options).propose(viewOf(scene))!;
    const unfitted = propose(scene)!.scores as Record<IctScore, number>;
    expect(confidence).toBe(calibrated(ICT_CALIBRATION, unfitted));
    for (const name of ICT_SCORES) expect(scores[name]!).toBe(valueAt(ICT_CALIBRATION.scores[name], unfitted[name]));
  });

  test("a curve is level outside of its points, and at its first for what is no number", () => {
    const curve = [
      [1, 10],
      [2, 20],
      [4, 30],
    ] as const;
    expect([0, 1, 1.5, 2, 3, 4, 9, Number.NaN].map((x) => valueAt(curve, x))).toEqual([10, 10, 15, 20, 25, 30, 30, 10]);
  });
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
    ["from a block that was tested too often", { m5: { orderBlocks: [block(99, 100, { tests: 4 })] } }],
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
  const full = propose()!.scores.alignment!;
  expect(propose({ h1: { trend: 0 } })!.scores.alignment).toBeCloseTo(full - 0.5 / 6, 12);
  expect(propose({ h1: { indicators: {} } })!.scores.alignment).toBeCloseTo(full - 0.5 / 6, 12);
});

test("a 15m block is preferred to a 5m gap, which counts as confluence", () => {
  const { setup, scores, reasons } = propose({
    m5: { orderBlocks: [], gaps: [gap(99.2, 99.8)], indicators: { atr: 0.5, rsi: 55, volumeRatio: 2 } },
    m15: { orderBlocks: [block(99, 99.9)] },
  })!;
  expect(setup).toBe("order-block");
  expect(scores.zone).toBe(1);
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
  const odd = createIct({ ...OPTIONS, riskRewardRatio: 1.5 });
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
