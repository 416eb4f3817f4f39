import { describe, expect } from "bun:test";
import { join } from "node:path";
import { type Columns, computeIndicators, type IndicatorColumns } from "../../src/indicators/indicators.ts";
import type { IndicatorOutput, IndicatorRequest } from "../../src/indicators/plan.ts";
import { readBars, readCsv } from "../indicators/series.ts";
import { testRecorded } from "../recorded.ts";

/**
 * Stock.Indicators (Skender) over 502 daily bars of SPY, calls as in its parameters.json.
 *
 * It seeds as we do for all but ADX, whose directional sums start with n bars where TA-Lib's start with n - 1; the
 * difference shrinks by 13/14 per bar, so ADX and DI are compared from bar 300 on; and MACD, whose fast average starts
 * with its own first bars where TA-Lib's starts together with the slow one: compared from bar 250 on, when 11/13 per bar
 * has made that nothing. TA-Lib shows MACD and stochastic only when all their lines are known, OBV starts there with the
 * first volume, and these Donchian channels leave out the bar they are shown at. There is no file for the rolling
 * standard deviation (but for Bollinger bands), the volume average and the VWAP. Tolerance is relative to the
 * expected value and covers rounding only (it sums in another order).
 */
const CASES: readonly {
  file: string;
  request: IndicatorRequest;
  columns: Readonly<Record<string, IndicatorOutput>>;
  from: number;
  tolerance: number;
  /** What is added to ours before comparing. */
  offset?: (bars: Columns) => number;
  /** Ours begin at this later bar. */
  begins?: number;
  /** Bars by which theirs lag. */
  lag?: number;
}[] = [
  { file: "ema", request: { kind: "ema", period: 20 }, columns: { ema: "ema" }, from: 0, tolerance: 1e-13 },
  { file: "sma", request: { kind: "sma", period: 20 }, columns: { sma: "sma" }, from: 0, tolerance: 1e-13 },
  { file: "rsi", request: { kind: "rsi", period: 14 }, columns: { rsi: "rsi" }, from: 0, tolerance: 1e-12 },
  { file: "atr", request: { kind: "atr", period: 14 }, columns: { atr: "atr" }, from: 0, tolerance: 1e-12 },
  { file: "tr", request: { kind: "trueRange" }, columns: { tr: "trueRange" }, from: 0, tolerance: 1e-13 },
  {
    file: "bb",
    request: { kind: "bollinger", period: 20, deviations: 2 },
    columns: { sma: "middle", upperBand: "upper", lowerBand: "lower" },
    from: 0,
    tolerance: 1e-13,
  },
  {
    file: "adx",
    request: { kind: "adx", period: 14 },
    columns: { adx: "adx", pdi: "plusDi", mdi: "minusDi" },
    from: 300,
    tolerance: 1e-7,
  },
  {
    file: "macd",
    request: { kind: "macd", fast: 12, slow: 26, signal: 9 },
    columns: { macd: "macd", signal: "signal", histogram: "histogram" },
    from: 250,
    tolerance: 1e-9,
    begins: 33,
  },
  {
    file: "stoch",
    request: { kind: "stochastic", period: 14, slowing: 3, smoothing: 3 },
    columns: { k: "k", d: "d" },
    from: 0,
    tolerance: 1e-11,
    begins: 17,
  },
  {
    file: "obv",
    request: { kind: "obv" },
    columns: { obv: "obv" },
    from: 0,
    tolerance: 0,
    offset: ({ volume }) => -volume[0]!,
  },
  {
    file: "donchian",
    request: { kind: "highest", period: 20 },
    columns: { upperBand: "highest" },
    from: 0,
    tolerance: 0,
    lag: 1,
  },
  {
    file: "donchian",
    request: { kind: "lowest", period: 20 },
    columns: { lowerBand: "lowest" },
    from: 0,
    tolerance: 0,
    lag: 1,
  },
];

describe("Skender's Stock.Indicators", () => {
  for (const { file, request, columns, from, tolerance, offset, begins = 0, lag = 0 } of CASES) {
    testRecorded(`${file} (${request.kind}) agrees from bar ${from}`, "vectors/skender", (folder) => {
      const bars = readBars(join(folder, "quotes/default.csv"));
      const expected = readCsv(join(folder, `results/${file}.csv`));
      const actual = computeIndicators([request], bars)[0] as IndicatorColumns;
      for (const [column, output] of Object.entries(columns)) {
        let compared = 0;
        for (const [bar, text] of expected[column]!.entries()) {
          const value = bar < lag ? Number.NaN : actual[output]![bar - lag]! + (offset?.(bars) ?? 0);
          // Warm-up ends at the same bar whatever the seeding.
          expect(Number.isNaN(value)).toBe(text === "" || bar < begins);
          if (text === "" || bar < from || bar < begins) continue;
          const error = value === Number(text) ? 0 : Math.abs(value - Number(text)) / Math.abs(Number(text));
          if (!(error <= tolerance)) throw new Error(`${column}, bar ${bar}: ${value}, expected ${text}`);
          compared++;
        }
        expect(compared).toBeGreaterThan(200);
      }
    });
  }
});
