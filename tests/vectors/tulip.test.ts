import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { computeIndicators } from "../../src/indicators/indicators.ts";
import type { IndicatorOutput, IndicatorRequest } from "../../src/indicators/plan.ts";
import { emptyBars } from "../indicators/series.ts";
import { testRecorded } from "../recorded.ts";

interface Case {
  readonly indicator: string;
  readonly options: readonly number[];
  readonly inputs: readonly (readonly number[])[];
  readonly input_names: readonly string[];
  readonly expected: readonly (readonly number[])[];
  readonly offset: number;
}

interface Comparison {
  request(options: readonly number[]): IndicatorRequest;
  outputs: readonly IndicatorOutput[];
  /** How its numbers read in ours. */
  convert?: (theirs: number, vector: Case) => number;
  /** Set where Tulip seeds differently: the weight of the recursion that forgets the seed. */
  seeding?: "ema" | "wilder";
}

/**
 * Tulip Indicators' open vectors, printed with three or four decimals (some books print fewer and round earlier), so
 * values agree within 1.6 units of the last printed decimal.
 *
 * Different seeding: its EMA starts from the first price, its ATR at bar 0, its ADX with the DX of bar n - 1 (TA-Lib:
 * n). These cases are too short to converge (8 to 50 bars), so for them the test checks that the difference to ours
 * decays at the recursion's own rate, which no wrong recursion does. DI agree from bar n on; Tulip prints one value
 * before that, of the sums that have not decayed yet. Its OBV starts at 0, ours (as TA-Lib's) with the first volume; of
 * its variance we compare the root. Its MACD is left out: it has weights of its own for 12 and 26 (0.15 and 0.075), and
 * the other case is three bars longer than our warm-up, far from forgetting two different seeds.
 */
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  adx: { request: ([period]) => ({ kind: "adx", period: period! }), outputs: ["adx"], seeding: "wilder" },
  atr: { request: ([period]) => ({ kind: "atr", period: period! }), outputs: ["atr"], seeding: "wilder" },
  bbands: {
    request: ([period, deviations]) => ({ kind: "bollinger", period: period!, deviations: deviations! }),
    outputs: ["lower", "middle", "upper"],
  },
  di: { request: ([period]) => ({ kind: "adx", period: period! }), outputs: ["plusDi", "minusDi"] },
  ema: { request: ([period]) => ({ kind: "ema", period: period! }), outputs: ["ema"], seeding: "ema" },
  max: { request: ([period]) => ({ kind: "highest", period: period! }), outputs: ["highest"] },
  min: { request: ([period]) => ({ kind: "lowest", period: period! }), outputs: ["lowest"] },
  obv: {
    request: () => ({ kind: "obv" }),
    outputs: ["obv"],
    convert: (theirs, { inputs, input_names }) => theirs + inputs[input_names.indexOf("volume")]![0]!,
  },
  stoch: {
    request: ([period, slowing, smoothing]) => ({
      kind: "stochastic",
      period: period!,
      slowing: slowing!,
      smoothing: smoothing!,
    }),
    outputs: ["k", "d"],
  },
  tr: { request: () => ({ kind: "trueRange" }), outputs: ["trueRange"] },
  var: {
    request: ([period]) => ({ kind: "standardDeviation", period: period! }),
    outputs: ["standardDeviation"],
    convert: (theirs) => Math.sqrt(theirs),
  },
};

describe("Tulip Indicators", () => {
  for (const [indicator, comparison] of Object.entries(COMPARISONS)) {
    testRecorded(`${indicator} agrees`, "vectors/tulip/tulip-open.json", (path) => {
      const vectors = JSON.parse(readFileSync(path, "utf8")) as Case[];
      const cases = vectors.filter((vector) => vector.indicator === indicator);
      expect(cases.length).toBeGreaterThan(1);
      for (const vector of cases) compare(vector, comparison);
    });
  }
});

function compare(vector: Case, { request, outputs, seeding, convert = (x) => x }: Comparison): void {
  const results = computeIndicators([request(vector.options)], barsOf(vector))[0]!;
  const period = vector.options[0] ?? 1;
  const decay = seeding === "ema" ? 1 - 2 / (period + 1) : 1 - 1 / period;
  for (const [i, output] of outputs.entries()) {
    const expected = vector.expected[i]!;
    const unit = Math.max(...expected.map(lastDecimal));
    let seedError: number | undefined;
    for (const [k, value] of expected.entries()) {
      const actual = results[output]![k + vector.offset]!;
      if (Number.isNaN(actual)) {
        // Our warm-up is longer by one bar, or by the whole first average for the EMA.
        expect(k).toBeLessThan(seeding === "ema" ? period - 1 : 1);
        continue;
      }
      let difference = convert(value, vector) - actual;
      if (seeding !== undefined) {
        seedError = seedError === undefined ? difference : seedError * decay;
        difference -= seedError;
      }
      expect(Math.abs(difference)).toBeLessThan(1.6 * unit);
    }
  }
}

/** The inputs a case has, by name; `real` is the close, and what a case lacks is the close (the high without one). */
function barsOf(vector: Case) {
  const length = vector.inputs[0]!.length;
  const bars = emptyBars(length);
  const named = Object.fromEntries(vector.input_names.map((name, i) => [name, vector.inputs[i]!]));
  const close = named.close ?? named.real ?? named.high!;
  for (let i = 0; i < length; i++) {
    bars.close[i] = close[i]!;
    bars.open[i] = (named.open ?? close)[i]!;
    bars.high[i] = (named.high ?? close)[i]!;
    bars.low[i] = (named.low ?? close)[i]!;
    bars.volume[i] = named.volume?.[i] ?? 0;
  }
  return bars;
}

/** 0.001 for 1.234. */
function lastDecimal(x: number): number {
  return 1 / 10 ** (String(x).split(".")[1]?.length ?? 0);
}
