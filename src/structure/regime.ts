import type { Regime } from "../core/candidate.ts";

/** Below this ADX a market has no direction at all. */
export const CHOPPY_BELOW = 15;
/** From this ADX on a trend is strong. */
export const STRONG_FROM = 25;

/** What a regime means for new entries. */
export interface RegimeRule {
  readonly allowed: boolean;
  /** Factor on the size of an allowed entry. */
  readonly multiplier: number;
}

/**
 * The rule of each regime. While a regime is unknown nothing is entered: too few bars to judge is no reason to trade.
 */
export const REGIME_RULES: Readonly<Record<Regime, RegimeRule>> = {
  unknown: { allowed: false, multiplier: 1 },
  choppy: { allowed: false, multiplier: 1 },
  ranging: { allowed: false, multiplier: 1 },
  trending: { allowed: true, multiplier: 1 },
  strong_trending: { allowed: true, multiplier: 1.2 },
};

/**
 * Regime by Wilder's average directional index on 1h bars: choppy below 15 (tested first), ranging below
 * `trendThreshold` (ADX_TREND_THRESHOLD, 20), trending below 25, strong_trending from there; unknown while ADX is NaN.
 *
 * Wilder, New Concepts in Technical Trading Systems (1978), is the source of ADX and of reading 25 as a trend.
 */
export function regimeOf(adx: number, trendThreshold: number): Regime {
  if (Number.isNaN(adx)) return "unknown";
  if (adx < CHOPPY_BELOW) return "choppy";
  if (adx < trendThreshold) return "ranging";
  if (adx < STRONG_FROM) return "trending";
  return "strong_trending";
}
