import type { Direction, Regime } from "../core/candidate.ts";

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
  breakout: { allowed: true, multiplier: 1 },
};

/**
 * Regime by Wilder's average directional index on 1h bars: unknown while ADX is NaN, strong_trending from 25; below
 * that a breakout where there is one, because ADX looks back and sees the range that was just left; else choppy below
 * 15 (tested first), ranging below `trendThreshold` (ADX_TREND_THRESHOLD, 20), trending above.
 *
 * Wilder, New Concepts in Technical Trading Systems (1978), is the source of ADX and of reading 25 as a trend.
 */
export function regimeOf(adx: number, trendThreshold: number, breakout: boolean): Regime {
  if (Number.isNaN(adx)) return "unknown";
  if (adx >= STRONG_FROM) return "strong_trending";
  if (breakout) return "breakout";
  if (adx < CHOPPY_BELOW) return "choppy";
  return adx < trendThreshold ? "ranging" : "trending";
}

/** Bars of the range that is broken, the bar at hand not among them. */
const RANGE_BARS = 20;
/** A squeeze ended at most this many bars before the break. */
const SQUEEZE_MEMORY = 6;
/** Width of Keltner's channel on each side, in average true ranges. */
const KELTNER_ATR = 1.5;
/** A breakout is over after this many bars at the latest: then ADX has seen it. */
const BREAKOUT_BARS = 12;

/**
 * Whether the market of one symbol is breaking out, bar by bar on 1h:
 *
 * - a squeeze is on while the Bollinger bands lie within Keltner's channel (Carter, Mastering the Trade, 2005):
 *   upper − lower < 2 × 1.5 ATR;
 * - a breakout begins at a bar that closes beyond the highest high or lowest low of the 20 bars before it, with bands
 *   wider than a bar ago, when a squeeze was on within the 6 bars before;
 * - it lasts while closes stay beyond the price that was broken, 12 bars at most.
 */
export class BreakoutWatch {
  private readonly highs = new Float64Array(RANGE_BARS);
  private readonly lows = new Float64Array(RANGE_BARS);
  private count = 0;
  /** Bars since a squeeze was last on, the newest bar counted. */
  private sinceSqueeze = SQUEEZE_MEMORY + 1;
  private width = Number.NaN;
  /** The breakout under way, 0 when there is none. */
  private direction: Direction | 0 = 0;
  private broken = 0;
  private age = 0;

  /** @param width upper less lower Bollinger band; like `atr` NaN in warm-up. Returns whether a breakout is under way. */
  advance(high: number, low: number, close: number, width: number, atr: number): boolean {
    if (this.direction !== 0 && (++this.age > BREAKOUT_BARS || this.direction * (close - this.broken) <= 0)) {
      this.direction = 0;
    }
    if (this.direction === 0 && this.sinceSqueeze <= SQUEEZE_MEMORY && width > this.width) this.begin(close);
    this.sinceSqueeze = width < 2 * KELTNER_ATR * atr ? 1 : this.sinceSqueeze + 1;
    this.width = width;
    this.highs[this.count % RANGE_BARS] = high;
    this.lows[this.count % RANGE_BARS] = low;
    this.count++;
    return this.direction !== 0;
  }

  private begin(close: number): void {
    if (this.count < RANGE_BARS) return;
    let top = this.highs[0]!;
    let bottom = this.lows[0]!;
    for (let i = 1; i < RANGE_BARS; i++) {
      if (this.highs[i]! > top) top = this.highs[i]!;
      if (this.lows[i]! < bottom) bottom = this.lows[i]!;
    }
    if (close > top) {
      this.direction = 1;
      this.broken = top;
    } else if (close < bottom) {
      this.direction = -1;
      this.broken = bottom;
    }
    this.age = 1;
  }
}
