import type { Strategy } from "../core/strategy.ts";
import { createFlat } from "./flat.ts";
import { createIct, type IctOptions } from "./ict.ts";

/** What the strategies may be told; plain data, so that it crosses to workers. */
export type StrategyOptions = IctOptions;

/** Every strategy there is. Adding one: its file, its line here, and tests/contract/strategy.test.ts runs on it. */
export const STRATEGIES = {
  ict: createIct,
  flat: createFlat,
} as const satisfies Record<string, (options: StrategyOptions) => Strategy>;

export type StrategyName = keyof typeof STRATEGIES;

export const STRATEGY_NAMES = Object.keys(STRATEGIES) as readonly StrategyName[];

export function createStrategy(name: StrategyName, options: StrategyOptions): Strategy {
  return STRATEGIES[name](options);
}
