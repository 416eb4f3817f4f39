import { type Guard, MAX_SCALE } from "../core/guard.ts";
import type { SizingBounds } from "./sizing.ts";

export interface DynamicSizingOptions extends SizingBounds {
  readonly baseLeverage: number;
  readonly minConfidence: number;
  /** Win rate at which neither side gains, 1 / (1 + RISK_REWARD_RATIO). */
  readonly breakEvenWinRate: number;
  /** Drawdown at which leverage is at its lowest. */
  readonly maxDrawdown: number;
}

/** Excess of the win rate over break-even that counts as a full proof. */
const PROVEN = 0.25;

/**
 * Margin and leverage follow what speaks for the trade:
 *  - margin × (0.75 + confidence / 2) × (1 + win rate − break-even), each factor within 0.75 and 1.25, the confidence as
 *    its share of the way from MIN_CONFIDENCE to 1;
 *  - leverage between MIN and BASE by what is left of the allowed drawdown, and above BASE only as far as the recent win
 *    rate proves an edge: confidence alone earns no leverage.
 * Both end within their bounds.
 */
export function createDynamicSizingGuard(options: DynamicSizingOptions): Guard {
  const { minLeverage, baseLeverage, maxLeverage, minMarginFraction, maxMarginFraction } = options;
  return {
    name: "dynamic-sizing",
    judge({ candidate, marginFraction, leverage }, { winRate, drawdown }) {
      const span = 1 - options.minConfidence;
      const confidence = span > 0 ? unit((candidate.confidence - options.minConfidence) / span) : 1;
      const edge = winRate === undefined ? 0 : winRate - options.breakEvenWinRate;
      const byRecord = edge < -0.25 ? 0.75 : edge > 0.25 ? 1.25 : 1 + edge;
      const wanted = marginFraction * (0.75 + confidence / 2) * byRecord;
      const fraction =
        wanted < minMarginFraction ? minMarginFraction : wanted > maxMarginFraction ? maxMarginFraction : wanted;
      const factor = fraction / marginFraction;

      const left = unit(1 - drawdown / options.maxDrawdown);
      const careful = minLeverage + (baseLeverage - minLeverage) * left;
      const chosen = Math.floor(careful + (maxLeverage - baseLeverage) * confidence * unit(edge / PROVEN) * left);
      const numbers = { confidence, edge, drawdown, marginFraction: fraction, leverage: chosen };
      if (factor === 1 && chosen === leverage) return { kind: "allow" };
      return {
        kind: "scale",
        factor: factor > MAX_SCALE ? MAX_SCALE : factor,
        leverage: chosen,
        reason: "by confidence and record",
        numbers,
      };
    },
  };
}

function unit(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}
