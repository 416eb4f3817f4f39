import type { Strategy } from "../core/strategy.ts";
import { createFlat } from "./flat.ts";
import { createIct, type IctOptions } from "./ict.ts";
import { createProbe } from "./probe.ts";

/** What the strategies may be told; plain data, so that it crosses to workers. */
export type StrategyOptions = IctOptions;

/**
 * Everything that proposes. Adding one: its file, its line here, and tests/contract/strategy.test.ts runs on it. The
 * modes `hybrid` and `self_learning` are these with a model as judge (src/learning/judge.ts).
 */
export const STRATEGIES = {
  ict: createIct,
  flat: createFlat,
  probe: createProbe,
} as const satisfies Record<string, (options: StrategyOptions) => Strategy>;

export type StrategyName = keyof typeof STRATEGIES;

export const STRATEGY_NAMES = Object.keys(STRATEGIES) as readonly StrategyName[];

export function createStrategy(name: StrategyName, options: StrategyOptions): Strategy {
  return STRATEGIES[name](options);
}
