import { expect, test } from "bun:test";
import { exp, ln, logistic } from "../../src/models/exact-math.ts";

const ULP = 2 ** -52;

test("exp and ln are within two units in the last place of the machine's", () => {
  for (let i = 0; i < 20_000; i++) {
    const x = (i - 10_000) * 0.0708;
    const e = exp(x);
    expect(Math.abs(e / Math.exp(x) - 1)).toBeLessThan(2 * ULP);
    if (i % 10 !== 0) continue;
    for (const y of [e, 1 + 1e-6 * i, 1 - 1e-5 * (i / 10)]) {
      if (y > 0) expect(Math.abs(ln(y) - Math.log(y))).toBeLessThanOrEqual(2 * ULP * Math.abs(Math.log(y)));
    }
  }
});

test("edges: zero, one, overflow, NaN", () => {
  expect(exp(0)).toBe(1);
  expect(ln(1)).toBe(0);
  expect(exp(1e9)).toBe(exp(708));
  expect(exp(-1e9)).toBe(exp(-708));
  expect(exp(Number.NaN)).toBeNaN();
  for (const x of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) expect(ln(x)).toBeNaN();
  expect(ln(Number.MAX_VALUE)).toBeCloseTo(Math.log(Number.MAX_VALUE), 12);
  expect([logistic(0), logistic(800), logistic(-800) < 1e-300]).toEqual([0.5, 1, true]);
});

test("the bits are these, on every machine and in every language", () => {
  const words = new BigUint64Array(Float64Array.of(exp(1), exp(-17.3), ln(3), ln(0.01), logistic(0.7)).buffer);
  expect([...words].map((word) => word.toString(16))).toEqual([
    "4005bf0a8b14576a",
    "3e60772c096d61b7",
    "3ff193ea7aad030b",
    "c0126bb1bbb55516",
    "3fe561cb52a19476",
  ]);
});
