import type { Guard } from "../core/guard.ts";

/** Keeps an order's value within `share` of what is traded in an average bar of its symbol. */
export function createLiquidityGuard(share: number): Guard {
  return {
    name: "liquidity",
    judge({ notional }, { barValue }) {
      const most = share * barValue;
      const numbers = { notional: notional / 1e8, barValue: barValue / 1e8, share };
      if (!(most > 0)) return { kind: "veto", reason: "nothing was traded lately", numbers };
      if (notional <= most) return { kind: "allow" };
      return { kind: "scale", factor: most / notional, reason: "cut to MAX_LIQUIDITY_SHARE", numbers };
    },
  };
}
