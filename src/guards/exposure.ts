import type { Guard } from "../core/guard.ts";
import { withinCap } from "./cap.ts";

/**
 * Keeps the value of all positions and pending entries within `maximum` times the equity: an entry that would exceed
 * it is made smaller, and refused when nothing is left.
 */
export function createExposureGuard(maximum: number): Guard {
  return {
    name: "exposure",
    judge({ notional }, { positions, equity }) {
      let bound = 0;
      for (const position of positions) bound += position.notional;
      return withinCap(notional, bound, maximum, equity, "MAX_EXPOSURE_RATIO");
    },
  };
}
