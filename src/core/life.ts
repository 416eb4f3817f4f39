import type { Direction, Regime } from "./candidate.ts";

/**
 * How a position is led from its entry to its end. R is the distance from the entry to the first stop: a position that
 * has gained 1 R has gained what it risked. 0 switches a rule off where a multiple is named.
 */
export interface LifeRules {
  /** Gain at a bar's close, in R, from which the stop lies at the entry. */
  readonly breakEvenAt: number;
  /** Gain at a bar's close, in R, from which the stop trails the best close, and how far behind it, in R. */
  readonly trailFrom: number;
  readonly trailDistance: number;
  /** Gain, in R, at which a part of the position is sold, and which share of it (0 to 1). */
  readonly partialAt: number;
  readonly partialShare: number;
  /** Time after which a position is closed, ms; 0 for never. */
  readonly maxHolding: number;
  /** A position is closed when the market comes into one of these regimes. */
  readonly exitRegimes: readonly Regime[];
}

/** Smaller moves of a stop, in R, are not worth a replacement. */
const MIN_MOVE = 0.1;

/**
 * Where the stop belongs after a bar has closed better than all before: at the entry, behind the close, or where it is. It never moves
 * away from the price, and never to where the close has been already: it would trigger at once.
 *
 * Called with closes only, after the bar was checked against the present stop, so that a stop cannot profit from the
 * high of the very bar whose low it should have been hit by. Prices in ticks; `risk` is 1 R in ticks, above 0.
 */
export function movedStop(
  rules: LifeRules,
  direction: Direction,
  entry: number,
  risk: number,
  stop: number,
  close: number,
): number {
  const gain = direction * (close - entry);
  let wanted = stop;
  if (rules.breakEvenAt > 0 && gain >= rules.breakEvenAt * risk) {
    // The average of several fills need not be a whole tick: round to the side that does not lose.
    const level = direction === 1 ? Math.ceil(entry) : Math.floor(entry);
    if (direction * (level - wanted) > 0) wanted = level;
  }
  if (rules.trailFrom > 0 && gain >= rules.trailFrom * risk) {
    const level = close - direction * Math.round(rules.trailDistance * risk);
    if (direction * (level - wanted) > 0) wanted = level;
  }
  const moved = direction * (wanted - stop);
  if (moved < 1 || moved < MIN_MOVE * risk || direction * (close - wanted) <= 0) return stop;
  return wanted;
}

/**
 * How near a position is to its end, 0 to 1: `clamp(max(1 - target distance, 1 - stop distance, 0), 0, 1)`, each
 * distance as a share of the way from the entry, after the original system. At the entry the risk is 0, because both
 * distances are whole.
 */
export function riskOf(direction: Direction, entry: number, stop: number, target: number, price: number): number {
  const toTarget = direction * (target - price);
  const toStop = direction * (price - stop);
  if (toTarget <= 0 || toStop <= 0) return 1;
  const targetWay = direction * (target - entry);
  const stopWay = direction * (entry - stop);
  // A stop at or beyond the entry has no way from there: only the target is left to come near to.
  const nearTarget = targetWay > 0 ? 1 - toTarget / targetWay : 1;
  const nearStop = stopWay > 0 ? 1 - toStop / stopWay : 0;
  const risk = nearTarget > nearStop ? nearTarget : nearStop;
  return risk < 0 ? 0 : risk > 1 ? 1 : risk;
}

/** Time to the next scoring of a position of such a risk, ms; after the original system. */
export function scoringInterval(risk: number): number {
  if (risk > 0.8) return 100;
  if (risk > 0.5) return 500;
  if (risk > 0.2) return 2000;
  return 5000;
}
