import type { Guard } from "../core/guard.ts";

/** Stops entries for the rest of the UTC day once the equity has lost `limit` (a fraction) since the day began. */
export function createDailyLossGuard(limit: number): Guard {
  return {
    name: "daily-loss",
    judge(_, { dayStartEquity, equity }) {
      const loss = dayStartEquity > 0 ? (dayStartEquity - equity) / dayStartEquity : 1;
      if (loss < limit) return { kind: "allow" };
      return { kind: "veto", reason: "the day's loss has reached DAILY_LOSS_LIMIT_PCT", numbers: { loss, limit } };
    },
  };
}
