import type { Guard } from "../core/guard.ts";

/** Makes entries small enough that the stop costs at most `limit` of the equity, costs and gaps aside. */
export function createRiskPerTradeGuard(limit: number): Guard {
  return {
    name: "risk-per-trade",
    judge({ candidate, notional, mark }, { equity }) {
      const { direction, stop } = candidate;
      const atStop = notional * ((direction * (mark - stop)) / mark);
      const most = limit * equity;
      if (atStop <= most) return { kind: "allow" };
      const numbers = { risk: equity > 0 ? atStop / equity : 1, limit };
      if (!(most > 0)) return { kind: "veto", reason: "there is nothing to risk", numbers };
      return { kind: "scale", factor: most / atStop, reason: "cut to MAX_RISK_PER_TRADE_PCT", numbers };
    },
  };
}
