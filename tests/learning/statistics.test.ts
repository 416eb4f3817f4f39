import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  combinations,
  deflatedSharpe,
  expectedMaximumSharpe,
  minimumTrackRecord,
  overfitting,
  probabilisticSharpe,
  sharpeProbability,
  sharpeVariance,
} from "../../src/learning/overfitting.ts";
import {
  chiSquaredQuantile,
  correlation,
  momentsOf,
  normalCdf,
  normalInverse,
  quantile,
  sharpeOf,
} from "../../src/learning/statistics.ts";
import { Random } from "../../src/market/random.ts";

const normals = (seed: number, count: number, mean = 0) => {
  const random = new Random(seed);
  return Float64Array.from({ length: count }, () => mean + random.normal());
};

describe("the normal distribution", () => {
  test("known values", () => {
    for (const [x, p] of [
      [0, 0.5],
      [1, 0.8413447460685429],
      [-1.959963984540054, 0.025],
      [3, 0.9986501019683699],
    ] as const) {
      expect(normalCdf(x)).toBeCloseTo(p, 6);
      expect(normalInverse(p)).toBeCloseTo(x, 6);
    }
    expect(() => normalInverse(1)).toThrow("above 0 and below 1");
  });

  test("the inverse inverts", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true }), (p) => {
        expect(Math.abs(normalCdf(normalInverse(p)) - p)).toBeLessThan(2e-7);
      }),
    );
  });
});

test("moments, quantiles and correlation of known values", () => {
  const { mean, deviation, skewness, kurtosis } = momentsOf([2, 4, 4, 4, 5, 5, 7, 9]);
  expect(mean).toBe(5);
  expect(deviation).toBeCloseTo(2.13809, 5);
  expect(skewness).toBeCloseTo(0.65625, 5);
  expect(kurtosis).toBeCloseTo(2.78125, 5);
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(correlation([1, 2, 3, Number.NaN], [2, 4, 6, 1])).toBeCloseTo(1, 12);
  expect(sharpeOf([1, 1, 1])).toBe(0);
  // A table of the chi-squared distribution has 16.919 for nine degrees of freedom.
  expect(Math.abs(chiSquaredQuantile(0.95, 9) / 16.919 - 1)).toBeLessThan(0.005);
});

describe("the deflated Sharpe ratio", () => {
  test("the numerical example of Bailey and López de Prado (2014)", () => {
    // 1250 daily observations, 2.5 a year, skewness -3, kurtosis 10; 100 trials whose yearly ratios have variance 1/2.
    const benchmark = expectedMaximumSharpe(100, 1 / 2 / 250);
    expect(benchmark).toBeCloseTo(0.1132, 4);
    const shape = { count: 1250, skewness: -3, kurtosis: 10 };
    expect(sharpeProbability(2.5 / Math.sqrt(250), shape, benchmark)).toBeCloseTo(0.9004, 3);
  });

  test("normal returns have the variance of Lo (2002)", () => {
    expect(sharpeVariance(0.3, 0, 3)).toBeCloseTo(1 + (0.3 * 0.3) / 2, 12);
  });

  test("one trial deflates nothing, more trials deflate more", () => {
    const returns = normals(1, 500, 0.1);
    const one = deflatedSharpe(returns, [sharpeOf(returns)]);
    expect(one).toBe(probabilisticSharpe(returns, 0));
    const few = deflatedSharpe(returns, [0.1, 0.02, -0.05]);
    const many = deflatedSharpe(returns, [0.1, 0.02, -0.05, 0.1, 0.02, -0.05, 0.1, 0.02, -0.05, 0.1, 0.02, -0.05]);
    expect(few).toBeLessThan(one);
    expect(many).toBeLessThan(few);
  });

  test("returns that never vary prove nothing", () => {
    expect(probabilisticSharpe(new Float64Array(100), 0)).toBe(0);
  });

  test("the minimum track record is the length at which the probability is reached", () => {
    const returns = normals(3, 400, 0.15);
    const { skewness, kurtosis } = momentsOf(returns);
    const length = minimumTrackRecord(returns, 0.02, 0.95);
    const shape = { count: length, skewness, kurtosis };
    expect(sharpeProbability(sharpeOf(returns), shape, 0.02)).toBeCloseTo(0.95, 5);
    expect(minimumTrackRecord(returns, 10, 0.95)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("the probability of overfitting", () => {
  test("one that is truly best is chosen and stays best", () => {
    const series = [normals(1, 400, 0.5), ...[2, 3, 4, 5, 6].map((seed) => normals(seed, 400))];
    const found = overfitting(series);
    expect(found.splits).toBe(252);
    expect(found.probability).toBe(0);
    expect(found.lossProbability).toBe(0);
  });

  test("among equals the choice is a coin", () => {
    let sum = 0;
    for (let seed = 0; seed < 20; seed++) {
      sum += overfitting(Array.from({ length: 8 }, (_, i) => normals(100 + seed * 8 + i, 200))).probability;
    }
    expect(sum / 20).toBeGreaterThan(0.35);
    expect(sum / 20).toBeLessThan(0.75);
  });

  test("does not depend on the order of the trials or the scale of the returns", () => {
    const series = [1, 2, 3, 4].map((seed) => normals(seed, 120, seed / 20));
    const { probability } = overfitting(series);
    expect(overfitting([...series].reverse()).probability).toBe(probability);
    expect(overfitting(series.map((values) => values.map((x) => x * 4))).probability).toBe(probability);
  });

  test("what cannot be judged is refused", () => {
    expect(() => overfitting([normals(1, 100)])).toThrow("at least 2");
    expect(() => overfitting([normals(1, 8), normals(2, 8)])).toThrow("8 periods for 10 blocks");
  });

  test("all halves of ten blocks", () => {
    const all = combinations(10, 5);
    expect(all).toHaveLength(252);
    expect(new Set(all.map(String)).size).toBe(252);
  });
});
