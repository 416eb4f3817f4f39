import type { Guard } from "../core/guard.ts";

/**
 * The breaker for wild markets: refuses entries while the symbol's hourly average true range is at least `limit` (a share
 * of the price), and makes them smaller from half of that on, down to half the size.
 */
export function createVolatilityGuard(limit: number): Guard {
  return {
    name: "volatility",
    judge(_, { volatility }) {
      const numbers = { volatility, limit };
      if (volatility >= limit) return { kind: "veto", reason: "the hourly range is at VOLATILITY_LIMIT_PCT", numbers };
      const half = limit / 2;
      if (volatility <= half) return { kind: "allow" };
      return { kind: "scale", factor: 1 - (volatility - half) / limit, reason: "smaller in a wild market", numbers };
    },
  };
}
