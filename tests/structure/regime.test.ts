import { expect, test } from "bun:test";
import { REGIMES } from "../../src/core/candidate.ts";
import { MAX_SCALE } from "../../src/core/guard.ts";
import { REGIME_RULES, regimeOf } from "../../src/structure/regime.ts";

test.each([
  [Number.NaN, "unknown"],
  [0, "choppy"],
  [14.999, "choppy"],
  [15, "ranging"],
  [19.999, "ranging"],
  [20, "trending"],
  [24.999, "trending"],
  [25, "strong_trending"],
  [100, "strong_trending"],
] as const)("ADX %p is %s", (adx, regime) => {
  expect(regimeOf(adx, 20, false)).toBe(regime);
});

test("choppy is tested first, whatever the threshold", () => {
  expect(regimeOf(14, 10, false)).toBe("choppy");
  expect(regimeOf(16, 10, false)).toBe("trending");
});

test("only markets with a direction are entered, and no rule exceeds what a guard may do", () => {
  expect(REGIMES.filter((regime) => REGIME_RULES[regime].allowed)).toEqual(["trending", "strong_trending", "breakout"]);
  for (const regime of REGIMES) {
    expect(REGIME_RULES[regime].multiplier).toBeGreaterThan(0);
    expect(REGIME_RULES[regime].multiplier).toBeLessThanOrEqual(MAX_SCALE);
  }
});
