import type { Guard } from "../core/guard.ts";

export interface SizingBounds {
  readonly minLeverage: number;
  readonly maxLeverage: number;
  /** Fractions of the equity. */
  readonly minMarginFraction: number;
  readonly maxMarginFraction: number;
}

/** The stop must be hit when at most this share of the isolated margin is lost. */
const MARGIN_SHARE_AT_STOP = 0.8;
/** Left of the available equity for fees. */
const AVAILABLE_SHARE = 0.98;

/**
 * Keeps leverage and margin within their bounds: the leverage such that the stop comes well before the isolated margin
 * is used up, the margin at most what is allowed and what is there.
 */
export function createSizingGuard(bounds: SizingBounds): Guard {
  return {
    name: "sizing",
    judge(proposal, book) {
      const { candidate, instrument, leverage, marginFraction } = proposal;
      const stopFraction = (candidate.direction * (candidate.entry - candidate.stop)) / candidate.entry;
      const bearable = Math.floor(MARGIN_SHARE_AT_STOP / stopFraction);
      const allowed = [bounds.maxLeverage, instrument.maxLeverage, bearable].reduce((a, b) => (b < a ? b : a));
      if (allowed < bounds.minLeverage) {
        const numbers = { stopFraction, bearable, minimum: bounds.minLeverage };
        return { kind: "veto", reason: "the stop is too far away for MIN_LEVERAGE", numbers };
      }
      const chosen = leverage > allowed ? allowed : leverage < bounds.minLeverage ? bounds.minLeverage : leverage;

      const affordable = (book.available * AVAILABLE_SHARE) / book.equity;
      const most = affordable < bounds.maxMarginFraction ? affordable : bounds.maxMarginFraction;
      const fraction = marginFraction > most ? most : marginFraction;
      if (!(fraction >= bounds.minMarginFraction)) {
        const numbers = { marginFraction: fraction, minimum: bounds.minMarginFraction, available: affordable };
        return { kind: "veto", reason: "the margin left is below MIN_MARGIN_PCT", numbers };
      }
      if (fraction === marginFraction && chosen === leverage) return { kind: "allow" };
      const numbers = { marginFraction: fraction, leverage: chosen };
      return {
        kind: "scale",
        factor: fraction / marginFraction,
        leverage: chosen,
        reason: "within the bounds",
        numbers,
      };
    },
  };
}
