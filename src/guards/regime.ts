import type { Regime } from "../core/candidate.ts";
import { type Guard, MAX_SCALE } from "../core/guard.ts";

/** Whether entries are allowed in a regime, and how much larger or smaller they are. */
export type RegimeRules = Readonly<Record<Regime, { readonly allowed: boolean; readonly multiplier: number }>>;

/** Refuses entries in regimes where the rules forbid them, and scales the others. */
export function createRegimeGuard(rules: RegimeRules): Guard {
  for (const [regime, { multiplier }] of Object.entries(rules)) {
    if (!(multiplier > 0 && multiplier <= MAX_SCALE))
      throw new RangeError(`multiplier of regime ${regime}: ${multiplier}`);
  }
  return {
    name: "regime",
    judge(_, book) {
      const { allowed, multiplier } = rules[book.regime];
      if (!allowed) return { kind: "veto", reason: `no entries in a market that is ${book.regime}`, numbers: {} };
      if (multiplier === 1) return { kind: "allow" };
      return { kind: "scale", factor: multiplier, reason: `${book.regime} market`, numbers: { multiplier } };
    },
  };
}
