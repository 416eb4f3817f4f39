import type { Guard } from "../core/guard.ts";

/**
 * Keeps the value of all positions and pending entries within `maximum` times the equity: an entry that would exceed
 * it is made smaller, and refused when nothing is left.
 */
export function createExposureGuard(maximum: number): Guard {
  return {
    name: "exposure",
    judge(proposal, book) {
      let bound = 0;
      for (const position of book.positions) bound += position.notional;
      const room = maximum * book.equity - bound;
      const numbers = { exposure: bound / book.equity, maximum };
      if (!(room > 0)) return { kind: "veto", reason: "the exposure is at MAX_EXPOSURE_RATIO", numbers };
      if (proposal.notional <= room) return { kind: "allow" };
      const factor = room / proposal.notional;
      return { kind: "scale", factor, reason: "cut to what MAX_EXPOSURE_RATIO leaves", numbers };
    },
  };
}
