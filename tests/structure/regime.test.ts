import { describe, expect, test } from "bun:test";
import { REGIMES } from "../../src/core/candidate.ts";
import { MAX_SCALE } from "../../src/core/guard.ts";
import { BreakoutWatch, REGIME_RULES, regimeOf } from "../../src/structure/regime.ts";

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

test("a breakout counts where ADX sees no strong trend, and not before ADX is known", () => {
  for (const adx of [3, 17, 24.9]) expect(regimeOf(adx, 20, true)).toBe("breakout");
  expect(regimeOf(25, 20, true)).toBe("strong_trending");
  expect(regimeOf(Number.NaN, 20, true)).toBe("unknown");
});

describe("a breakout", () => {
  /** Bars from 99 to 101 with narrow bands and an ATR of 2, then the bars given as close and width. */
  function after(bars: readonly (readonly [close: number, width: number])[], quiet = 20, quietWidth = 4): boolean[] {
    const watch = new BreakoutWatch();
    for (let i = 0; i < quiet; i++) expect(watch.advance(101, 99, 100, quietWidth, 2)).toBe(false);
    return bars.map(([close, width]) =>
      watch.advance(close > 101 ? close : 101, close < 99 ? close : 99, close, width, 2),
    );
  }

  test("begins with a close beyond twenty bars while bands widen out of a squeeze, either way", () => {
    expect(after([[101.5, 5]])).toEqual([true]);
    expect(after([[98.5, 5]])).toEqual([true]);
  });

  test("needs the close, the widening, the squeeze and twenty bars", () => {
    expect(after([[101, 5]])).toEqual([false]);
    expect(after([[101.5, 4]])).toEqual([false]);
    expect(after([[101.5, 9]], 20, 8)).toEqual([false]);
    expect(after([[101.5, 5]], 19)).toEqual([false]);
    expect(after([[101.5, Number.NaN]])).toEqual([false]);
  });

  test("may come up to six bars after the squeeze", () => {
    const wide = (count: number) => Array.from({ length: count }, (_, i) => [100, 7 + i * 0.1] as const);
    expect(after([...wide(5), [101.5, 9]]).at(-1)).toBe(true);
    expect(after([...wide(6), [101.5, 9]]).at(-1)).toBe(false);
  });

  test("ends when price is back, and after twelve bars at the latest", () => {
    expect(
      after([
        [101.5, 5],
        [101.2, 8],
        [101, 9],
        [101.6, 10],
      ]),
    ).toEqual([true, true, false, true]);
    const held = after(Array.from({ length: 14 }, (_, i) => [101.5, 7 + i] as const));
    expect(held.lastIndexOf(true)).toBe(11);
  });
});
