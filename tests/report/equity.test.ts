import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { calmar, DAY, EquityCurve, HOUR, sharpe, sortino } from "../../src/report/equity.ts";
import { START } from "./sample.ts";

function curve(
  points: readonly (readonly [time: number, equity: number, exposure?: number])[],
  start = 1000,
): EquityCurve {
  const result = new EquityCurve(START, start);
  for (const [time, equity, exposure = 0] of points) {
    result.add({ time: START + time, equity, exposure, positions: exposure > 0 ? 1 : 0 });
  }
  return result;
}

describe("drawdown", () => {
  test("by hand: 1200 to 900 is 25 %, 2000 to 1600 is the larger amount", () => {
    const { drawdown } = curve([
      [1, 1200],
      [2, 1000],
      [3, 900],
      [4, 2000],
      [5, 1600],
    ]);
    expect(drawdown).toMatchObject({ fraction: 0.25, amount: 400 });
    expect(drawdown.peak).toMatchObject({ time: START + 1, equity: 1200 });
    expect(drawdown.trough).toMatchObject({ time: START + 3, equity: 900 });
  });

  test("equals the definition on any path, and its extremes are among the samples", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 40 }), (values) => {
        const result = curve(values.map((value, i) => [i * 700_000 + 1, value] as const));
        const all = [1000, ...values];
        let [fraction, amount] = [0, 0];
        for (let i = 0; i < all.length; i++) {
          for (let j = i; j < all.length; j++) {
            fraction = Math.max(fraction, (all[i]! - all[j]!) / all[i]!);
            amount = Math.max(amount, all[i]! - all[j]!);
          }
        }
        expect(result.drawdown).toMatchObject({ fraction, amount });
        const samples = result.samples();
        expect(samples).toContain(result.drawdown.peak);
        expect(samples).toContain(result.drawdown.trough);
        expect(samples.map(({ time }) => time)).toEqual(samples.map(({ time }) => time).sort((a, b) => a - b));
      }),
      { numRuns: 200 },
    );
  });

  test("none without a fall", () => expect(curve([[1, 1001]]).drawdown).toMatchObject({ fraction: 0, amount: 0 }));
});

test("samples: the start, the last point of each hour, the end; a point on the hour ends its hour", () => {
  const samples = curve([
    [10, 1001],
    [HOUR - 1, 1002],
    [HOUR, 1003],
    [HOUR + 1, 1004],
    [4 * HOUR, 1005],
    [4 * HOUR + 5, 1006],
    [4 * HOUR + 6, 1007],
  ]).samples();
  expect(samples.map(({ time, equity }) => [time - START, equity])).toEqual([
    [0, 1000],
    [HOUR, 1003],
    [HOUR + 1, 1004],
    [4 * HOUR, 1005],
    [4 * HOUR + 6, 1007],
  ]);
});

test("samples stay few: one an hour, however many points there are", () => {
  const result = new EquityCurve(START, 1000);
  for (let i = 1; i <= 10_000; i++) {
    result.add({ time: START + i * 60_000, equity: 1000 + i, exposure: 0, positions: 0 });
  }
  expect(result.samples().length).toBe(1 + Math.ceil(10_000 / 60));
});

describe("days", () => {
  test("a day ends with its last point, midnight included; days without points stand still", () => {
    const result = curve([
      [5 * HOUR, 1050],
      [DAY, 1100],
      [DAY + 1, 1210],
      [4 * DAY + HOUR, 605],
    ]);
    expect(result.dailyReturns()).toEqual([1100 / 1000 - 1, 1210 / 1100 - 1, 0, 0, 605 / 1210 - 1]);
  });

  test("none without time, and none after ruin", () => {
    expect(curve([]).dailyReturns()).toEqual([]);
    expect(
      curve([
        [1, 0],
        [DAY + 1, 5],
      ]).dailyReturns(),
    ).toBeUndefined();
  });
});

describe("time in the market, exposure and average equity", () => {
  test("by hand", () => {
    const result = curve([
      [0, 1000, 500],
      [100, 2000, 4000],
      [300, 2000, 0],
      [400, 2000, 0],
    ]);
    expect(result.timeInMarket).toBe(0.75);
    // 100 ms at 0.5, 200 ms at 2, 100 ms at 0.
    expect(result.averageExposure).toBe((100 * 0.5 + 200 * 2) / 400);
    expect(result.averageEquity).toBe((100 * 1000 + 300 * 2000) / 400);
  });

  test("nothing without time", () => {
    const result = curve([]);
    expect([result.timeInMarket, result.averageExposure, result.averageEquity]).toEqual([0, 0, 1000]);
  });

  test("points before the start do not count", () => {
    const result = new EquityCurve(START, 1000);
    result.add({ time: START - 5, equity: 1, exposure: 1, positions: 1 });
    expect(result.end).toBe(result.start);
  });
});

describe("ratios by hand", () => {
  // Mean 0.01; deviations 0.02, -0.02, 0.02, -0.02 give a variance of 0.0016 / 3.
  const returns = [0.03, -0.01, 0.03, -0.01];

  test("sharpe", () => {
    expect(sharpe(returns)).toBeCloseTo((0.01 / Math.sqrt(0.0016 / 3)) * Math.sqrt(365), 12);
    expect(sharpe(returns)).toBeCloseTo(8.2727, 4);
  });

  test("sortino: the losses' squares over all four days", () => {
    expect(sortino(returns)).toBeCloseTo((0.01 / Math.sqrt(0.0002 / 4)) * Math.sqrt(365), 12);
    expect(sortino(returns)).toBeCloseTo(27.0185, 4);
  });

  test("calmar: 10 % in 73 days are 50 % a year, over 20 %", () => {
    expect(calmar(0.1, 73 * DAY, 0.2)).toBeCloseTo(2.5, 12);
    expect(calmar(-0.1, 73 * DAY, 0.2)).toBeCloseTo(-2.5, 12);
  });

  test("null where they are not defined", () => {
    expect(sharpe([])).toBeNull();
    expect(sharpe([0.1])).toBeNull();
    expect(sharpe([0, 0, 0])).toBeNull();
    expect(sortino([0.1, 0.2])).toBeNull();
    expect(sortino([-0.1])).toBeNull();
    expect(calmar(0.1, DAY, 0)).toBeNull();
    expect(calmar(0, 0, 0.1)).toBeNull();
  });
});
