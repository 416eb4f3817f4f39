import type { Guard } from "../core/guard.ts";
import { createClusterGuard } from "./cluster.ts";
import { createCorrelationGuard } from "./correlation.ts";
import { createDailyLossGuard } from "./daily-loss.ts";
import { createDrawdownGuard } from "./drawdown.ts";
import { createDynamicSizingGuard, type DynamicSizingOptions } from "./dynamic-sizing.ts";
import { createExposureGuard } from "./exposure.ts";
import { createFeedAgeGuard } from "./feed-age.ts";
import { createLiquidityGuard } from "./liquidity.ts";
import { createLosingStreakGuard } from "./losing-streak.ts";
import { createMinimumNotionalGuard } from "./minimum-notional.ts";
import { createModelGuard } from "./model.ts";
import { createRegimeGuard, type RegimeRules } from "./regime.ts";
import { createRiskPerTradeGuard } from "./risk-per-trade.ts";
import { createSizingGuard } from "./sizing.ts";
import { createSymbolExposureGuard } from "./symbol-exposure.ts";
import { createTradingStateGuard } from "./trading-state.ts";
import { createVolatilityGuard } from "./volatility.ts";

/**
 * What all guards together are made from. Shares are 0 to 1, exposures multiples of the equity, `feedAgeLimit` ms,
 * `minimumNotional` 1e-8 USDT.
 */
export interface GuardOptions extends DynamicSizingOptions {
  readonly regimeRules: RegimeRules;
  readonly feedAgeLimit: number;
  readonly dailyLossLimit: number;
  readonly maxLosses: number;
  readonly volatilityLimit: number;
  readonly riskPerTrade: number;
  readonly maxSymbolExposure: number;
  readonly maxExposure: number;
  readonly maxCorrelatedExposure: number;
  readonly maxClusterPositions: number;
  readonly clusterCorrelation: number;
  readonly liquidityShare: number;
  readonly minimumNotional: number;
}

/**
 * The guards, in the order in which they are asked:
 *  1. those that only say yes or no, the cheapest first;
 *  2. those that make a trade smaller for reasons of the book or the market, then the size within its bounds: what the
 *     book's state alone takes away never leads below the smallest margin, or a bad streak could never end;
 *  3. the caps, which only ever cut;
 *  4. those that judge what is left.
 * Adding one is one file, one line here, and its case in the contract test.
 */
export const guards = {
  "feed-age": (options) => createFeedAgeGuard(options.feedAgeLimit),
  "daily-loss": (options) => createDailyLossGuard(options.dailyLossLimit),
  cluster: (options) => createClusterGuard(options.maxClusterPositions, options.clusterCorrelation),
  regime: (options) => createRegimeGuard(options.regimeRules),
  "trading-state": () => createTradingStateGuard(),
  drawdown: (options) => createDrawdownGuard(options.maxDrawdown),
  "losing-streak": (options) => createLosingStreakGuard(options.maxLosses),
  volatility: (options) => createVolatilityGuard(options.volatilityLimit),
  model: () => createModelGuard(),
  "dynamic-sizing": (options) => createDynamicSizingGuard(options),
  "risk-per-trade": (options) => createRiskPerTradeGuard(options.riskPerTrade),
  "symbol-exposure": (options) => createSymbolExposureGuard(options.maxSymbolExposure),
  exposure: (options) => createExposureGuard(options.maxExposure),
  correlation: (options) => createCorrelationGuard(options.maxCorrelatedExposure),
  liquidity: (options) => createLiquidityGuard(options.liquidityShare),
  sizing: (options) => createSizingGuard(options),
  "minimum-notional": (options) => createMinimumNotionalGuard(options.minimumNotional),
} as const satisfies Record<string, (options: GuardOptions) => Guard>;

export function createGuards(options: GuardOptions): Guard[] {
  return Object.values(guards).map((create) => create(options));
}
