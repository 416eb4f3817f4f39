import type { Guard } from "../core/guard.ts";

/** However near the limit, no less than this share of the size is left. */
const LEAST = 0.5;

/** Makes entries smaller in proportion to the loss since the equity's peak, and refuses them from `limit` (a share) on. */
export function createDrawdownGuard(limit: number): Guard {
  return {
    name: "drawdown",
    judge(_, { drawdown }) {
      const numbers = { drawdown, limit };
      if (!(drawdown < limit)) {
        return { kind: "veto", reason: "the drawdown has reached REDUCE_ONLY_DRAWDOWN_PCT", numbers };
      }
      if (drawdown <= 0) return { kind: "allow" };
      const left = 1 - drawdown / limit;
      const factor = left > LEAST ? left : LEAST;
      return { kind: "scale", factor, reason: "smaller in a drawdown", numbers };
    },
  };
}
