import type { Guard } from "../core/guard.ts";

export interface SizingBounds {
  readonly minLeverage: number;
  readonly maxLeverage: number;
  /** Fractions of the equity. */
  readonly minMarginFraction: number;
  readonly maxMarginFraction: number;
}

/** The stop must be hit when at most this share of the way to the liquidation is gone. */
const LIQUIDATION_SHARE_AT_STOP = 0.8;
/** Maintenance margin as a share of the value; most first brackets are below it. */
const MAINTENANCE = 0.01;
/** Left of the available equity for fees. */
const AVAILABLE_SHARE = 0.98;

/**
 * Keeps leverage and margin within their bounds: the leverage such that the stop comes well before the liquidation, which
 * an isolated position of leverage L meets after a move of about 1 / L − maintenance; the margin at most what is allowed
 * and what is there. Where the leverage has to be raised to its minimum the margin is cut, so that the value never grows.
 */
export function createSizingGuard(bounds: SizingBounds): Guard {
  return {
    name: "sizing",
    judge(proposal, book) {
      const { candidate, instrument, leverage, marginFraction, mark } = proposal;
      const stopFraction = (candidate.direction * (mark - candidate.stop)) / mark;
      const bearable = Math.floor(1 / (stopFraction / LIQUIDATION_SHARE_AT_STOP + MAINTENANCE));
      const allowed = [bounds.maxLeverage, instrument.maxLeverage, bearable].reduce((a, b) => (b < a ? b : a));
      if (allowed < bounds.minLeverage) {
        const numbers = { stopFraction, bearable, minimum: bounds.minLeverage };
        return { kind: "veto", reason: "the stop is too far away for MIN_LEVERAGE", numbers };
      }
      const chosen = leverage > allowed ? allowed : leverage < bounds.minLeverage ? bounds.minLeverage : leverage;

      const affordable = book.equity > 0 ? (book.available * AVAILABLE_SHARE) / book.equity : 0;
      const most = affordable < bounds.maxMarginFraction ? affordable : bounds.maxMarginFraction;
      const wanted = chosen > leverage ? (marginFraction * leverage) / chosen : marginFraction;
      const fraction = wanted > most ? most : wanted;
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
