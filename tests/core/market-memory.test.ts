import { expect, test } from "bun:test";
import { MarketMemory } from "../../src/core/market-memory.ts";
import { instrument, MINUTE, START } from "./core-fixture.ts";

const HOUR = 60 * MINUTE;
const INSTRUMENTS = ["A", "B", "C", "D"].map((name) => instrument(`${name}USDT`));

/** Hours of two bars each, the close of the last as given by symbol and hour. */
function remembered(hours: number, closeOf: (symbol: number, hour: number) => number): MarketMemory {
  const memory = new MarketMemory(INSTRUMENTS);
  for (let hour = 0; hour < hours; hour++) {
    for (const half of [1, 2]) {
      for (let symbol = 0; symbol < INSTRUMENTS.length; symbol++) {
        const close = closeOf(symbol, hour);
        if (Number.isNaN(close)) continue;
        memory.bar(symbol, START + hour * HOUR + (half * HOUR) / 2, close + 50, close - 50, close, 100);
      }
    }
  }
  return memory;
}

/** An invented walk: the same steps for A and B, opposite ones for C, others for D. */
function walk(symbol: number, hour: number): number {
  let price = 10_000;
  for (let i = 1; i <= hour; i++) {
    const shared = ((i * 7919) % 101) - 50;
    price += symbol === 3 ? ((i * 104_729) % 97) - 48 : symbol === 2 ? -shared : shared;
  }
  return price;
}

test("correlations are Pearson's over the hourly returns that both have", () => {
  const memory = remembered(60, walk);
  expect(memory.correlation(0, 1)).toBeCloseTo(1);
  expect(memory.correlation(0, 2)).toBeLessThan(-0.99);
  const returns = (symbol: number) => Array.from({ length: 58 }, (_, i) => walk(symbol, i + 1) / walk(symbol, i) - 1);
  const [a, d] = [returns(0), returns(3)];
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const product = (x: number[], y: number[]) => mean(x.map((value, i) => (value - mean(x)) * (y[i]! - mean(y))));
  expect(memory.correlation(0, 3)).toBeCloseTo(product(a, d) / Math.sqrt(product(a, a) * product(d, d)), 10);
  expect(memory.correlation(3, 0)).toBe(memory.correlation(0, 3));
});

test("what is not known counts as one risk", () => {
  expect(remembered(24, walk).correlation(0, 2)).toBe(1);
  expect(remembered(60, () => 10_000).correlation(0, 1)).toBe(1);
  const memory = remembered(60, walk);
  memory.forget(2);
  expect(memory.correlation(0, 2)).toBe(1);
  expect(memory.volatility(2)).toBe(0);
});

test("only the last three days count", () => {
  // Opposite for long, then the same for 80 hours.
  const turned = (symbol: number, hour: number) => (hour < 100 ? walk(symbol, hour) : walk(0, hour) + symbol);
  expect(remembered(180, turned).correlation(0, 2)).toBeGreaterThan(0.99);
});

test("the volatility is the average true range of an hour over its close, gaps included", () => {
  // Ranges of 100 around a close that stands still; the first hour has no close before it.
  expect(remembered(40, () => 10_000).volatility(0)).toBeCloseTo(0.01);
  expect(remembered(1, () => 10_000).volatility(0)).toBe(0);
  // A jump of 1000 ticks each hour is part of the true range.
  const jumps = remembered(60, (_, hour) => (hour % 2 === 0 ? 10_000 : 11_000));
  expect(jumps.volatility(0)).toBeCloseTo((1050 / 11_000 + 1050 / 10_000) / 2, 2);
});

test("the value of a bar is in 1e-8 USDT", () => {
  // 100 units at 10 000 ticks of 0.1 USDT are 100 000 USDT.
  expect(remembered(200, () => 10_000).barValue(0) / 1e8).toBeCloseTo(100_000, 0);
  expect(remembered(1, () => 10_000).barValue(0)).toBeLessThan(100_000 * 1e8);
  expect(new MarketMemory(INSTRUMENTS).barValue(0)).toBe(0);
});
