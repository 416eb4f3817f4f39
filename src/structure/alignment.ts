import type { Direction } from "../core/candidate.ts";
import type { SymbolView } from "../core/strategy.ts";
import { ANALYSIS_TIMEFRAMES } from "../core/strategy.ts";

/** How much each timeframe counts; they add up to 1. The longer one is the tide. */
const TIMEFRAME_WEIGHTS = { "5m": 0.2, "15m": 0.3, "1h": 0.5 } as const;

/**
 * How far the timeframes agree with a direction, 0 (all against) to 1 (all for). In each timeframe three voices count
 * the same: the fast EMA against the slow, the trend of internal and that of external structure; one that is silent
 * (warm-up, level) counts half.
 */
export function trendAlignment(view: SymbolView, direction: Direction): number {
  let sum = 0;
  for (const name of ANALYSIS_TIMEFRAMES) {
    const timeframe = view.timeframe(name);
    const emas = timeframe.indicator("emaFast") - timeframe.indicator("emaSlow");
    const { trend, external } = timeframe.structure;
    const votes = (emas > 0 ? 1 : emas < 0 ? -1 : 0) + trend + external.trend;
    sum += TIMEFRAME_WEIGHTS[name] * ((direction * votes + 3) / 6);
  }
  return sum > 1 ? 1 : sum;
}
