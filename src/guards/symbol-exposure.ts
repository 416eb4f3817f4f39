import type { Guard } from "../core/guard.ts";
import { withinCap } from "./cap.ts";

/** Keeps the value held in one symbol, both legs together, within `maximum` times the equity. */
export function createSymbolExposureGuard(maximum: number): Guard {
  return {
    name: "symbol-exposure",
    judge({ candidate, notional }, { positions, equity }) {
      let bound = 0;
      for (const position of positions) if (position.symbol === candidate.symbol) bound += position.notional;
      return withinCap(notional, bound, maximum, equity, "MAX_SYMBOL_EXPOSURE_RATIO");
    },
  };
}
