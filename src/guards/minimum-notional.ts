import type { Guard } from "../core/guard.ts";

/** Refuses orders that are too small to be worth sending (`minimum`, 1e-8 USDT) or that the exchange would refuse. */
export function createMinimumNotionalGuard(minimum: number): Guard {
  return {
    name: "minimum-notional",
    judge({ instrument, lots, notional }) {
      const least = minimum > instrument.minNotional ? minimum : instrument.minNotional;
      if (lots > instrument.maxLots) {
        const numbers = { lots, maximum: instrument.maxLots };
        return { kind: "scale", factor: instrument.maxLots / lots, reason: "the exchange's largest order", numbers };
      }
      if (lots >= instrument.minLots && notional >= least) return { kind: "allow" };
      const numbers = { lots, minimumLots: instrument.minLots, notional: notional / 1e8, minimum: least / 1e8 };
      return { kind: "veto", reason: "the order is below MIN_NOTIONAL_VALUE or the exchange's minimum", numbers };
    },
  };
}
