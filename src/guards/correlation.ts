import type { Guard } from "../core/guard.ts";
import { withinCap } from "./cap.ts";

/**
 * Keeps what would move together within `maximum` times the equity: every position counts with its value times the
 * correlation with the new one, where both directions make that one risk. What offsets it counts nothing, because
 * correlations end when they are needed.
 */
export function createCorrelationGuard(maximum: number): Guard {
  return {
    name: "correlation",
    judge({ candidate, notional }, { positions, equity }) {
      let bound = 0;
      for (const position of positions) {
        const together = position.correlation * position.direction * candidate.direction;
        if (together > 0) bound += position.notional * together;
      }
      return withinCap(notional, bound, maximum, equity, "MAX_CORRELATED_EXPOSURE_RATIO");
    },
  };
}
