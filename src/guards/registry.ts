import type { Guard } from "../core/guard.ts";
import { createDailyLossGuard } from "./daily-loss.ts";
import { createExposureGuard } from "./exposure.ts";
import { createMinimumNotionalGuard } from "./minimum-notional.ts";
import { createRegimeGuard, type RegimeRules } from "./regime.ts";
import { createSizingGuard, type SizingBounds } from "./sizing.ts";

/** What all guards together are made from. Fractions of equity; `minimumNotional` in 1e-8 USDT. */
export interface GuardOptions extends SizingBounds {
  readonly regimeRules: RegimeRules;
  readonly dailyLossLimit: number;
  readonly maxExposure: number;
  readonly minimumNotional: number;
}

/**
 * The guards, in the order in which they are asked: cheap refusals first, then those that change the size, then those
 * that judge the final size. Adding one is one file, one line here, and its case in the contract test.
 */
export const guards = {
  regime: (options) => createRegimeGuard(options.regimeRules),
  "daily-loss": (options) => createDailyLossGuard(options.dailyLossLimit),
  exposure: (options) => createExposureGuard(options.maxExposure),
  sizing: (options) => createSizingGuard(options),
  "minimum-notional": (options) => createMinimumNotionalGuard(options.minimumNotional),
} as const satisfies Record<string, (options: GuardOptions) => Guard>;

export type GuardName = keyof typeof guards;

export function createGuards(options: GuardOptions): Guard[] {
  return Object.values(guards).map((create) => create(options));
}
