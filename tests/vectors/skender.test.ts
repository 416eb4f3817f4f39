import { describe, expect } from "bun:test";
import { join } from "node:path";
import { computeIndicators, type IndicatorColumns } from "../../src/indicators/indicators.ts";
import type { IndicatorOutput, IndicatorRequest } from "../../src/indicators/plan.ts";
import { readBars, readCsv } from "../indicators/series.ts";
import { testRecorded } from "../recorded.ts";

/**
 * Stock.Indicators (Skender) over 502 daily bars of SPY, calls as in its parameters.json.
 *
 * It seeds as we do for all but ADX, whose directional sums start with n bars where TA-Lib's start with n - 1; the
 * difference shrinks by 13/14 per bar, so ADX and DI are compared from bar 300 on. Tolerance is relative to the
 * expected value and covers rounding only (it sums in another order).
 */
const CASES: readonly {
  file: string;
  request: IndicatorRequest;
  columns: Readonly<Record<string, IndicatorOutput>>;
  from: number;
  tolerance: number;
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
];

describe("Skender's Stock.Indicators", () => {
  for (const { file, request, columns, from, tolerance } of CASES) {
    testRecorded(`${file} agrees from bar ${from}`, "vectors/skender", (folder) => {
      const bars = readBars(join(folder, "quotes/default.csv"));
      const expected = readCsv(join(folder, `results/${file}.csv`));
      const actual = computeIndicators([request], bars)[0] as IndicatorColumns;
      for (const [column, output] of Object.entries(columns)) {
        let compared = 0;
        for (const [bar, text] of expected[column]!.entries()) {
          const value = actual[output]![bar]!;
          // Warm-up ends at the same bar whatever the seeding.
          expect(Number.isNaN(value)).toBe(text === "");
          if (text === "" || bar < from) continue;
          const error = Math.abs(value - Number(text)) / Math.abs(Number(text));
          if (!(error <= tolerance)) throw new Error(`${column}, bar ${bar}: ${value}, expected ${text}`);
          compared++;
        }
        expect(compared).toBeGreaterThan(200);
      }
    });
  }
});
