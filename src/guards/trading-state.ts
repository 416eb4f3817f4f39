import type { TradingState } from "../core/effects.ts";
import type { Guard } from "../core/guard.ts";

/** Share of the size that each state leaves; 0 leaves nothing. */
const SHARE: Readonly<Record<TradingState, number>> = {
  normal: 1,
  cautious: 0.75,
  defensive: 0.5,
  "reduce-only": 0,
  halted: 0,
};

/** Makes entries smaller the more careful the trading state is, and refuses them where nothing may be opened. */
export function createTradingStateGuard(): Guard {
  return {
    name: "trading-state",
    judge(_, { tradingState }) {
      const share = SHARE[tradingState];
      if (share === 1) return { kind: "allow" };
      if (share === 0) return { kind: "veto", reason: `trading is ${tradingState}`, numbers: { share } };
      return { kind: "scale", factor: share, reason: `trading is ${tradingState}`, numbers: { share } };
    },
  };
}
