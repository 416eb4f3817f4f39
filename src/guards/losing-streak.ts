import type { Guard } from "../core/guard.ts";

/** Each loss in a row takes this share of the size, down to the least. */
const STEP = 0.05;
const LEAST = 0.75;

/** Makes entries smaller with every loss in a row, and refuses them from `limit` losses on while the pause lasts. */
export function createLosingStreakGuard(limit: number): Guard {
  return {
    name: "losing-streak",
    judge(_, { consecutiveLosses, tradingState }) {
      const numbers = { losses: consecutiveLosses, limit };
      // After the pause the state is eased: entries are possible again, or no streak could ever end.
      if (consecutiveLosses >= limit && (tradingState === "reduce-only" || tradingState === "halted")) {
        return { kind: "veto", reason: "as many losses in a row as REDUCE_ONLY_LOSSES", numbers };
      }
      if (consecutiveLosses === 0) return { kind: "allow" };
      const left = 1 - STEP * consecutiveLosses;
      const factor = left > LEAST ? left : LEAST;
      return { kind: "scale", factor, reason: "smaller in a losing streak", numbers };
    },
  };
}
