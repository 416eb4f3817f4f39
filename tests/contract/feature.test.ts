import { beforeAll, describe, expect, test } from "bun:test";
import { ANALYSIS_TIMEFRAMES, type AnalysisTimeframe, type TimeframeView } from "../../src/core/strategy.ts";
import type { Feature, FeatureView } from "../../src/features/feature.ts";
import { FEATURE_NAMES, FEATURES } from "../../src/features/registry.ts";
import { FEATURE_COUNT } from "../../src/features/rows.ts";
import { TIMEFRAMES } from "../../src/market/timeframe.ts";
import { StructureTracker } from "../../src/structure/tracker.ts";
import { featureRows } from "../features/feature-market.ts";
import { cuts } from "../prefix.ts";
import { cut, wander } from "../structure/bars.ts";

const SYMBOLS = 3;
const BARS = 900;
const series = Array.from({ length: SYMBOLS }, (_, i) => wander(BARS, 11 + i));

/** They depend on swings or settlements, which a market may be late to show, or show in an order that means nothing. */
const LATER: readonly string[] = ["rangePosition1h", "fundingRate"];

let rows: number[][];
beforeAll(() => {
  rows = featureRows(series, BARS);
});

/** The values of a feature, of one symbol after the other. */
function column(of: number[][], place: number): number[] {
  return Array.from({ length: SYMBOLS }, (_, symbol) => of.map((row) => row[symbol * FEATURE_COUNT + place]!)).flat();
}

/** Everything is missing, as before the first bar. */
function emptyView(forbidden: readonly AnalysisTimeframe[] = []): FeatureView {
  const missing = () => Number.NaN;
  const bars: TimeframeView = {
    justClosed: false,
    bars: 0,
    ...{ openTime: missing, open: missing, high: missing, low: missing, close: missing, volume: missing },
    indicator: missing,
    structure: new StructureTracker({ timeframe: "5m" }).view,
  };
  return {
    time: 0,
    fundingRate: Number.NaN,
    market: { return: missing },
    timeframe(name) {
      if (forbidden.includes(name)) throw new Error(`${name} is shorter than the feature's timeframe`);
      return bars;
    },
  };
}

test("there are 31 base features, each with a place of its own", () => {
  expect(FEATURE_COUNT).toBe(31);
  expect(new Set(FEATURE_NAMES).size).toBe(31);
});

for (const [place, [name, feature]] of Object.entries<Feature>(FEATURES).entries()) {
  describe(`feature ${name}`, () => {
    test("says what it is", () => {
      expect(feature.name).toBe(name);
      for (const text of [feature.formula, feature.unit, feature.source]) expect(text.trim()).not.toBeEmpty();
      expect(`${feature.formula}${feature.unit}${feature.source}`).not.toContain("|");
      expect(feature.range[0]).toBeLessThan(feature.range[1]);
      expect(Number.isFinite(feature.range[1] - feature.range[0])).toBe(true);
      expect(feature.warmUp).toBeGreaterThanOrEqual(1);
    });

    test("stays within its range and moves", () => {
      const known = column(rows, place).filter((value) => !Number.isNaN(value));
      expect(known.length).toBeGreaterThan(0);
      const [smallest, largest] = feature.range;
      for (const value of known) {
        if (value >= Math.fround(smallest) && value <= Math.fround(largest)) continue;
        throw new Error(`${value} is not between ${smallest} and ${largest}`);
      }
      expect(new Set(known).size).toBeGreaterThan(1);
    });

    test("is missing until the bar that ends its warm-up, and there from then on", () => {
      const warm = (feature.warmUp * TIMEFRAMES[feature.timeframe]) / TIMEFRAMES["5m"] - 1;
      for (let symbol = 0; symbol < SYMBOLS; symbol++) {
        const at = symbol * FEATURE_COUNT + place;
        const first = rows.findIndex((row) => !Number.isNaN(row[at]!));
        expect(first).toBeGreaterThanOrEqual(warm);
        if (LATER.includes(name)) continue;
        expect(first).toBe(warm);
        expect(rows.findIndex((row, bar) => bar > first && Number.isNaN(row[at]!))).toBe(-1);
      }
    });

    test("reads no shorter timeframe than its own, and survives a market without bars", () => {
      const own = ANALYSIS_TIMEFRAMES.indexOf(feature.timeframe);
      const value = feature.value(emptyView(ANALYSIS_TIMEFRAMES.slice(0, own)));
      expect(Number.isNaN(value) || (value >= feature.range[0] && value <= feature.range[1])).toBe(true);
    });

    test("is free of scale: prices and volumes times powers of two give the same bits", () => {
      const other = scaled();
      const [a, b] = [column(rows, place), column(other, place)];
      expect(b.findIndex((value, i) => !Object.is(value, a[i]))).toBe(-1);
    });

    test("is the same bits from another engine, computed anew at each bar, and knows nothing of later bars", () => {
      const whole = column(rows, place);
      expect(column(anew(), place).findIndex((value, i) => !Object.is(value, whole[i]))).toBe(-1);
      for (const part of prefixes()) {
        const n = part.length;
        for (let symbol = 0; symbol < SYMBOLS; symbol++) {
          const at = symbol * FEATURE_COUNT + place;
          expect(part.findIndex((row, bar) => !Object.is(row[at], rows[bar]![at]))).toBe(-1);
        }
        expect(n).toBeLessThan(BARS);
      }
    });
  });
}

const scaled = once(() => featureRows(series, BARS, { prices: 1 << 12, volumes: 1 / (1 << 20) }));
const anew = once(() => featureRows(series, BARS, { incremental: false }));
const prefixes = once(() =>
  cuts(BARS, 6).map((n) =>
    featureRows(
      series.map((bars) => cut(bars, n)),
      n,
    ),
  ),
);

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
