import type { Strategy } from "../core/strategy.ts";

/** Never proposes anything: the control against which a run's overhead and a strategy's result are measured. */
export function createFlat(): Strategy {
  return { name: "flat", maxBaseTimeframe: Infinity, propose: () => undefined };
}
