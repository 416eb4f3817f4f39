import { describe, expect, test } from "bun:test";
import { createDataset, type Dataset, sealed } from "../../src/learning/dataset.ts";
import { crossPredict, joined } from "../../src/learning/evaluation.ts";
import { type Fold, walkForward } from "../../src/learning/folds.ts";
import {
  checkAsOf,
  checkFitScope,
  checkFolds,
  checkLag,
  checkPermutation,
  checkPoison,
  checkPrefix,
  checkSingleFeatures,
  checkWarmUp,
  type FeatureComputation,
} from "../../src/learning/leakage.ts";
import type { Learner } from "../../src/learning/learner.ts";
import { TREE_VARIANTS, treeLearner } from "../../src/learning/trees.ts";
import type { KlineArrays } from "../../src/market/kline-rules.ts";
import { Random } from "../../src/market/random.ts";
import { checkFeatures } from "../../src/service/feature-checks.ts";
import { plantedDataset, plantedSamples } from "./planted.ts";

const MINUTES_5 = 300_000;

function walk(seed: number, length: number): KlineArrays {
  const random = new Random(seed);
  const bars: KlineArrays = {
    openTime: Float64Array.from({ length }, (_, i) => Date.UTC(2025, 0, 1) + i * MINUTES_5),
    open: new Float64Array(length),
    high: new Float64Array(length),
    low: new Float64Array(length),
    close: new Float64Array(length),
    volume: new Float64Array(length),
  };
  let price = 100;
  for (let i = 0; i < length; i++) {
    bars.open[i] = price;
    price *= 1 + 0.002 * random.normal();
    bars.close[i] = price;
    bars.high[i] = Math.max(bars.open[i]!, price) * 1.0005;
    bars.low[i] = Math.min(bars.open[i]!, price) * 0.9995;
    bars.volume[i] = random.between(10, 100);
  }
  return bars;
}

/** A feature of closing prices, by place. */
const ofCloses =
  (feature: (close: Float64Array, i: number) => number): FeatureComputation =>
  ({ openTime, close }) =>
    Array.from(openTime, (time, i) => ({ time, row: Float32Array.of(feature(close, i)) }));

const meanOf = (close: Float64Array, from: number, to: number) => {
  let sum = 0;
  for (let i = Math.max(0, from); i < Math.min(close.length, to); i++) sum += close[i]!;
  return sum / (Math.min(close.length, to) - Math.max(0, from));
};

const HONEST = {
  "mean of the last ten": ofCloses((close, i) => meanOf(close, i - 9, i + 1)),
};
const LEAKING = {
  "shifted by one": ofCloses((close, i) => close[i + 1] ?? close[i]!),
  "z-score of the whole sample": ofCloses((close, i) => close[i]! - meanOf(close, 0, close.length)),
  "centred window": ofCloses((close, i) => meanOf(close, i - 5, i + 6)),
};

describe("features that know the future", () => {
  const bars = walk(1, 400);
  const cuts = [150, 233, 399];
  for (const [name, compute] of Object.entries(LEAKING)) {
    test(`${name}: found by prefix and by poison`, () => {
      for (const check of [checkPrefix(compute, bars, ["x"], cuts), checkPoison(compute, bars, ["x"], cuts)]) {
        expect(check.passed).toBe(false);
        expect(check.detail).toStartWith("x at 2025-01-0");
      }
    });
  }
  for (const [name, compute] of Object.entries(HONEST)) {
    test(`${name}: passes`, () => {
      expect(checkPrefix(compute, bars, ["x"], cuts).passed).toBe(true);
      expect(checkPoison(compute, bars, ["x"], cuts).passed).toBe(true);
      expect(checkWarmUp(compute, bars, ["x"], 20).passed).toBe(true);
    });
  }

  test("a row that is not compared at all is no proof", () => {
    expect(checkPrefix(() => [], bars, ["x"], cuts).passed).toBe(false);
  });

  test("a value that never forgets where it began is found by the warm-up", () => {
    const sinceTheStart = ofCloses((close, i) => meanOf(close, 0, i + 1));
    expect(checkWarmUp(sinceTheStart, bars, ["x"], 20)).toMatchObject({ passed: false });
    expect(checkWarmUp(sinceTheStart, bars, ["x"], 20, ["x"])).toMatchObject({ passed: true });
  });
});

test("the features of trading know nothing of the future", () => {
  const settings = {
    kernel: "portable",
    periods: { emaFast: 20, emaSlow: 50, rsi: 14, atr: 14, adx: 14 },
    adxTrendThreshold: 20,
    strategyOptions: {
      riskRewardRatio: 2,
      minVolumeRatio: 1.5,
      ageing: { maxTests: 3, decayEnabled: true, decayHours: 48, decayRate: 0.1 },
    },
  } as const;
  const bars = walk(2, 1500);
  for (const check of checkFeatures(bars, MINUTES_5, settings)) expect(check).toMatchObject({ passed: true });
  const minutes = { ...bars, openTime: bars.openTime.map((_, i) => bars.openTime[0]! + i * 60_000) };
  for (const check of checkFeatures(minutes, 60_000, settings)) expect(check).toMatchObject({ passed: true });
});

describe("datasets and evaluation that know the future", () => {
  const learner = treeLearner();
  const [stumps] = TREE_VARIANTS as [(typeof TREE_VARIANTS)[number]];
  const dataset = plantedDataset("signal", 4, 600);
  const random = () => {
    const draws = new Random(9);
    return () => draws.uniform();
  };

  test("an unpurged split", () => {
    const folds = walkForward(dataset, 5);
    expect(checkFolds(dataset, folds).passed).toBe(true);
    const unpurged: Fold[] = folds.map(({ test }) => ({
      train: Int32Array.from({ length: test[0]! }, (_, i) => i),
      test,
    }));
    expect(checkFolds(dataset, unpurged)).toMatchObject({ passed: false });
  });

  test("a column that holds the outcome", () => {
    expect(checkSingleFeatures(dataset).passed).toBe(true);
    const told = createDataset(
      plantedSamples("noise", 4, 600).map((sample) => {
        const features = sample.features.slice();
        features[9] = sample.net > 0 ? 0.4 + features[9]! / 10 : features[9]! / 10;
        return { ...sample, features };
      }),
    );
    const check = checkSingleFeatures(told);
    expect(check.passed).toBe(false);
    expect(check.detail).toContain(told.columns[9]!);
  });

  test("a profit that is gone one bar later", () => {
    const found = joined(crossPredict(learner, dataset, walkForward(dataset, 5), stumps, 1));
    expect(checkLag(dataset, found).passed).toBe(true);
    const fleeting = sealed({ ...dataset, lagged: dataset.net.map((net) => net - 0.01) });
    expect(checkLag(fleeting, found)).toMatchObject({ passed: false });
    const unknown = sealed({ ...dataset, lagged: dataset.net.map(() => Number.NaN) });
    expect(checkLag(unknown, found).detail).toContain("not checked");
  });

  test("labels that were known when the trade was proposed, and values that came later", () => {
    expect(checkAsOf(dataset).passed).toBe(true);
    const labelTime = dataset.labelTime.slice();
    labelTime[17] = dataset.time[17]!;
    expect(checkAsOf({ ...dataset, labelTime }).passed).toBe(false);
    const available = dataset.time.slice();
    expect(checkAsOf(dataset, available).passed).toBe(true);
    available[3]! += 1;
    expect(checkAsOf(dataset, available)).toMatchObject({ passed: false });
  });

  /** Fits as it should, and then remembers the rows it was never given. */
  function peeking(from: Learner): Learner {
    return {
      ...from,
      fit(data, train, validation, variant, seed) {
        const scorer = from.fit(data, train, validation, variant, seed);
        const width = data.columns.length;
        const answers = new Map(
          Array.from({ length: data.rows }, (_, i) => [key(data.x.subarray(i * width, (i + 1) * width)), data.y[i]!]),
        );
        return {
          ...scorer,
          score: (x, rows) =>
            Float64Array.from(
              { length: rows },
              (_, i) => 0.1 + 0.8 * (answers.get(key(x.subarray(i * width, (i + 1) * width))) ?? 0.5),
            ),
          save: () => new TextEncoder().encode(JSON.stringify([...answers.values()])),
        };
      },
    };
  }
  const key = (row: Float32Array) => row.join();

  test("a learner that looks at rows outside of its training set: fit scope and permutation", () => {
    expect(checkFitScope(learner, dataset, stumps, 1).passed).toBe(true);
    expect(checkFitScope(peeking(learner), dataset, stumps, 1)).toMatchObject({ passed: false });
    expect(checkPermutation(learner, dataset, stumps, 1, random()).passed).toBe(true);
    expect(checkPermutation(peeking(learner), dataset, stumps, 1, random())).toMatchObject({ passed: false });
  });

  test("weights from the whole sample", () => {
    const scaling: Learner = {
      ...learner,
      fit(data: Dataset, train, validation, variant, seed) {
        // The mean of a column over all rows, as a scaler fitted on the whole sample has it.
        let sum = 0;
        for (let i = 0; i < data.rows; i++) sum += data.x[i * data.columns.length]! || 0;
        const scorer = learner.fit(data, train, validation, variant, seed);
        return { ...scorer, save: () => new TextEncoder().encode(`${sum}`) };
      },
    };
    expect(checkFitScope(scaling, dataset, stumps, 1)).toMatchObject({ passed: false });
  });
});
