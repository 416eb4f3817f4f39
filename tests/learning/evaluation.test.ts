import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { asOf } from "../../src/learning/as-of.ts";
import { calibrate, fitCalibration, fitIsotonic, fitPlatt } from "../../src/learning/calibration.ts";
import { AdaptiveAlpha, conformalOf, conformalQuantile, predictionSet } from "../../src/learning/conformal.ts";
import { betSize, breakEven, PERIOD, periodReturns } from "../../src/learning/evaluation.ts";
import {
  combinatorialFolds,
  combinatorialPaths,
  embargoOf,
  groupEdges,
  purgedFolds,
  type Spans,
  walkForward,
} from "../../src/learning/folds.ts";
import { netReturn } from "../../src/learning/labels.ts";
import { checkFolds } from "../../src/learning/leakage.ts";
import {
  auc,
  aucError,
  brier,
  calibrationError,
  calibrationNoise,
  logLoss,
  reliability,
} from "../../src/learning/scores.ts";
import { uniquenessWeights } from "../../src/learning/uniqueness.ts";
import { Random } from "../../src/market/random.ts";

const HOUR = 3_600_000;

/** Samples with random times and lives, several at once. */
const spans: fc.Arbitrary<Spans> = fc
  .array(fc.record({ at: fc.integer({ min: 0, max: 400 }), life: fc.integer({ min: 1, max: 30 }) }), {
    minLength: 40,
    maxLength: 120,
  })
  .map((drawn) => {
    const ordered = drawn.sort((a, b) => a.at - b.at);
    return {
      time: Float64Array.from(ordered, ({ at }) => at * HOUR),
      labelTime: Float64Array.from(ordered, ({ at, life }) => (at + life) * HOUR),
    };
  });

describe("folds", () => {
  test("training and test never share a label, whatever the times", () => {
    fc.assert(
      fc.property(spans, (drawn) => {
        const embargo = embargoOf(drawn);
        const folds = [...walkForward(drawn, 5), ...purgedFolds(drawn, 5, embargo)];
        expect(checkFolds(drawn, folds).passed).toBe(true);
        for (const { train, test } of walkForward(drawn, 5)) {
          // Walking forward nothing is learned from what comes later.
          if (train.length > 0) expect(train.at(-1)!).toBeLessThan(test[0]!);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("each fold is tested once, samples of one time stay together", () => {
    fc.assert(
      fc.property(spans, fc.integer({ min: 2, max: 8 }), (drawn, count) => {
        const tested = purgedFolds(drawn, count, 0).flatMap(({ test }) => Array.from(test));
        expect(tested).toEqual(Array.from({ length: drawn.time.length }, (_, i) => i));
        for (const edge of groupEdges(drawn, count).slice(1, -1)) {
          if (edge < drawn.time.length) expect(drawn.time[edge]).not.toBe(drawn.time[edge - 1]!);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("nothing is learned from within the embargo after a test", () => {
    const time = Float64Array.from({ length: 100 }, (_, i) => i * HOUR);
    const drawn = { time, labelTime: time.map((at) => at + 2 * HOUR) };
    const [first] = purgedFolds(drawn, 5, 10 * HOUR) as [{ train: Int32Array; test: Int32Array }];
    // The last label of the first 20 is known at 21 h, the embargo ends at 31 h.
    expect(first.train[0]).toBe(32);
  });

  test("fifteen splits of six groups make five paths, each through all groups by its own predictions", () => {
    const time = Float64Array.from({ length: 60 }, (_, i) => i * HOUR);
    const folds = combinatorialFolds({ time, labelTime: time.map((at) => at + 1) }, 6, 2, 0);
    expect(folds).toHaveLength(15);
    const paths = combinatorialPaths(folds, 6);
    expect(paths).toHaveLength(5);
    for (let group = 0; group < 6; group++) {
      const used = paths.map((path) => path[group]!);
      expect(new Set(used).size).toBe(5);
      for (const fold of used) expect(folds[fold]!.groups).toContain(group);
    }
  });
});

test("uniqueness is what counting minute by minute gives", () => {
  const random = new Random(5);
  const n = 60;
  const time = Float64Array.from({ length: n }, () => random.whole(0, 200)).sort();
  const labelTime = time.map((at) => at + random.whole(1, 40));
  const symbol = Int32Array.from({ length: n }, () => random.whole(0, 1));
  const raw = Array.from(time, (from, i) => {
    let sum = 0;
    for (let minute = from; minute < labelTime[i]!; minute++) {
      let alive = 0;
      for (let j = 0; j < n; j++) {
        if (symbol[j] === symbol[i] && time[j]! <= minute && minute < labelTime[j]!) alive++;
      }
      sum += 1 / alive;
    }
    return sum / (labelTime[i]! - from);
  });
  const mean = raw.reduce((a, b) => a + b, 0) / n;
  const weights = uniquenessWeights({ time, labelTime }, symbol);
  for (let i = 0; i < n; i++) expect(weights[i]!).toBeCloseTo(raw[i]! / mean, 9);
});

describe("labels", () => {
  const trade = { direction: 1, entry: 1000, exit: 1020, entryTime: 10 * HOUR, exitTime: 18 * HOUR } as const;

  test("costs of both orders and the funding on the way are paid", () => {
    const costs = { takerFee: 0.0005, slippage: 0.00015 };
    const funding = { time: [8 * HOUR, 10 * HOUR, 16 * HOUR, 24 * HOUR], rate: [1, 1, 0.0001, 1] };
    // Settled at the entry is not paid, nor after the exit.
    const expected = 0.02 - 2.02 * 0.00065 - 0.0001;
    expect(netReturn(trade, costs, funding)).toBeCloseTo(expected, 12);
    const short = netReturn({ ...trade, direction: -1 }, costs, funding);
    expect(short).toBeCloseTo(-0.02 - 2.02 * 0.00065 + 0.0001, 12);
  });
});

describe("as-of joins", () => {
  const rows = [
    { availableAt: 10, value: "a" },
    { availableAt: 20, value: "b" },
    { availableAt: 20, value: "c" },
  ];
  test("the newest that was available, and nothing later", () => {
    expect([5, 10, 19, 20, 99].map((time) => asOf(rows, time))).toEqual([undefined, "a", "a", "c", "c"]);
  });
  test("rows out of order are refused", () => {
    expect(() => asOf([rows[1]!, rows[0]!, rows[2]!], 15)).toThrow("became available before");
  });
});

describe("scores", () => {
  test("auc counts pairs, ties half", () => {
    expect(auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).toBe(0.75);
    expect(auc([0.5, 0.5], [0, 1])).toBe(0.5);
    expect(auc([0.5, 0.7], [1, 1])).toBe(0.5);
    fc.assert(
      fc.property(
        fc.array(fc.record({ p: fc.integer({ min: 0, max: 8 }), y: fc.integer({ min: 0, max: 1 }) }), { minLength: 2 }),
        (drawn) => {
          let [won, pairs] = [0, 0];
          for (const a of drawn) {
            for (const b of drawn) {
              if (a.y !== 1 || b.y !== 0) continue;
              pairs++;
              won += a.p > b.p ? 1 : a.p === b.p ? 0.5 : 0;
            }
          }
          const area = auc(
            drawn.map(({ p }) => p),
            drawn.map(({ y }) => y),
          );
          expect(area).toBeCloseTo(pairs === 0 ? 0.5 : won / pairs, 9);
        },
      ),
    );
    expect(aucError(50, 50)).toBeCloseTo(0.058, 3);
  });

  test("log loss and Brier of known values", () => {
    expect(logLoss([0.8, 0.4], [1, 0])).toBeCloseTo(-(Math.log(0.8) + Math.log(0.6)) / 2, 12);
    expect(brier([0.8, 0.4], [1, 0])).toBeCloseTo(0.1, 12);
  });

  test("perfect probabilities show the calibration error that chance explains, and no more", () => {
    const random = new Random(8);
    const p = Float64Array.from({ length: 4000 }, () => random.between(0.2, 0.8));
    const y = p.map((chance) => (random.chance(chance) ? 1 : 0));
    const bins = reliability(p, y);
    const excess = calibrationError(bins) - calibrationNoise(bins);
    expect(Math.abs(excess)).toBeLessThan(0.01);
    const wrong = reliability(
      p.map((chance) => chance * 0.7),
      y,
    );
    expect(calibrationError(wrong) - calibrationNoise(wrong)).toBeGreaterThan(0.1);
  });
});

describe("calibration", () => {
  const random = new Random(21);
  const truth = Float64Array.from({ length: 3000 }, () => random.between(0.05, 0.95));
  const y = truth.map((chance) => (random.chance(chance) ? 1 : 0));
  // Scores that are too sure of themselves.
  const scores = truth.map((chance) => chance ** 2 / (chance ** 2 + (1 - chance) ** 2));

  test("both methods make overconfident scores honest", () => {
    const before = logLoss(scores, y);
    for (const fitted of [fitPlatt(scores, y), fitIsotonic(scores, y), fitCalibration(scores, y, logLoss)]) {
      const after = scores.map((score) => calibrate(fitted, score));
      expect(logLoss(after, y)).toBeLessThan(before);
      const bins = reliability(after, y);
      expect(calibrationError(bins) - calibrationNoise(bins)).toBeLessThan(0.01);
    }
  });

  test("Platt's slope of honest scores is that of the identity", () => {
    const fitted = fitPlatt(truth, y);
    if (fitted.kind !== "platt") throw new Error("not Platt's");
    expect(fitted.a).toBeCloseTo(-1, 0);
    expect(Math.abs(fitted.b)).toBeLessThan(0.15);
  });

  test("never turns the order of scores around, and stays within 0 and 1", () => {
    for (const labels of [y, y.map((label) => 1 - label)]) {
      for (const fitted of [fitPlatt(scores, labels), fitIsotonic(scores, labels)]) {
        let last = 0;
        for (let score = 0; score <= 1; score += 0.01) {
          const p = calibrate(fitted, score);
          expect(p).toBeGreaterThanOrEqual(last);
          expect(p).toBeLessThanOrEqual(1);
          last = p;
        }
      }
    }
  });
});

describe("conformal sets", () => {
  test("hold the outcome as often as they promise", () => {
    const random = new Random(31);
    const draw = (n: number) => {
      const p = Float64Array.from({ length: n }, () => random.between(0.1, 0.9));
      return { p, y: p.map((chance) => (random.chance(chance) ? 1 : 0)) };
    };
    const calibration = draw(2000);
    const conformal = conformalOf(calibration.p, calibration.y);
    const fresh = draw(4000);
    for (const alpha of [0.05, 0.1, 0.3]) {
      const covered = fresh.p.filter((p, i) => {
        const set = predictionSet(conformal, p, alpha);
        return fresh.y[i] === 1 ? set.gain : set.loss;
      }).length;
      expect(Math.abs(covered / 4000 - (1 - alpha))).toBeLessThan(0.025);
    }
  });

  test("with few scores and a small share nothing is ruled out", () => {
    expect(conformalQuantile({ scores: [0.1, 0.2] }, 0.1)).toBe(Number.POSITIVE_INFINITY);
    expect(conformalQuantile({ scores: [0.1, 0.2, 0.3] }, 0.5)).toBe(0.2);
  });

  test("a miss widens, and the share of misses comes to its target in a world that has changed", () => {
    const alpha = new AdaptiveAlpha(0.1);
    alpha.outcome(false);
    expect(alpha.alpha).toBeLessThan(0.1);
    const adapting = new AdaptiveAlpha(0.1, 0.01);
    const random = new Random(7);
    // Scores twice as large as those the quantile is taken from.
    let missed = 0;
    for (let i = 0; i < 4000; i++) {
      const limit = 1 - adapting.alpha;
      const covered = random.uniform() * 1.15 <= limit;
      if (!covered && i >= 1000) missed++;
      adapting.outcome(covered);
    }
    expect(Math.abs(missed / 3000 - 0.1)).toBeLessThan(0.02);
  });
});

describe("bets", () => {
  test("nothing below the threshold, more with the chance, never above one", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        (p, t) => {
          const size = betSize(p, t);
          expect(size).toBeGreaterThanOrEqual(0);
          expect(size).toBeLessThanOrEqual(1);
          expect(size > 0).toBe(p > t);
          expect(betSize(p + (1 - p) / 2, t)).toBeGreaterThanOrEqual(size);
        },
      ),
    );
  });

  test("the threshold is where gains pay for losses", () => {
    expect(breakEven([0.02, -0.01, -0.01])).toBeCloseTo(1 / 3, 12);
    expect(breakEven([0.02, 0.01])).toBe(0.05);
    expect(breakEven([])).toBe(0.5);
  });

  test("returns are booked when they are known; what nobody measured was not traded", () => {
    const data = { time: Float64Array.of(0, 1, 2), labelTime: Float64Array.of(PERIOD / 2, PERIOD * 2.5, PERIOD * 2.6) };
    const returns = periodReturns(data, [0.01, 0.02, Number.NaN], [0, 1, 2], (k) => [1, 0.5, 1][k]!);
    expect(Array.from(returns)).toEqual([0.01, 0, 0.01]);
  });
});
