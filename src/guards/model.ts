import type { Guard } from "../core/guard.ts";

/** Share of the margin that the smallest bet still gets. */
const SMALLEST = 0.5;

/**
 * The size follows the calibrated probability: a candidate that the model finds not worth its costs is refused, and the
 * margin of any other is multiplied by 0.5 (a bet of next to nothing) to 1.5 (certain). Without a model there is nothing
 * to follow.
 */
export function createModelGuard(): Guard {
  return {
    name: "model",
    judge({ candidate }) {
      const { prediction } = candidate;
      if (prediction === undefined) return { kind: "allow" };
      const { probability, size } = prediction;
      const numbers = { probability, size };
      if (!(size > 0)) return { kind: "veto", reason: "the model finds it not worth its costs", numbers };
      return { kind: "scale", factor: SMALLEST + (size < 1 ? size : 1), reason: "by the model's probability", numbers };
    },
  };
}
