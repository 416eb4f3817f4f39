import { AnalysisEngine, type AnalysisOptions, type Explained } from "../analysis/engine.ts";
import { LANES, type Panel } from "../market/panel.ts";

/** What analysis saw of a symbol at a bar, and the close of that bar. */
export interface BarAnalysis extends Explained {
  /** Close of the newest 5m bar at the time asked for, ms UTC. */
  readonly at: number;
}

const STRATEGY_BAR = 300_000;

/**
 * Works out once more what analysis found at a bar: an engine of its own goes over all bars of the symbol's group from
 * the origin. Analysis is a function of the bars, so this is what was decided on, to the bit. Takes some ten
 * milliseconds a week of bars.
 * @param at ms UTC; the newest bar when later than that
 * @returns undefined before the first bar
 */
export function analyseBar(
  panel: Panel,
  options: AnalysisOptions,
  symbol: number,
  at: number,
): BarAnalysis | undefined {
  const base = panel.timeframes[0]!.ms;
  const closed = panel.openTime(0, panel.published(0)) + base;
  const until = Math.floor(Math.min(at, closed) / STRATEGY_BAR) * STRATEGY_BAR;
  if (until <= panel.origin || panel.published(0) < 0) return undefined;
  const first = symbol - (symbol % LANES);
  const instruments = options.instruments.slice(first, first + LANES);
  const engine = new AnalysisEngine(panel.range(first / LANES, instruments.length), { ...options, instruments });
  for (let cycle = panel.origin + base; cycle <= until; cycle += base) engine.advance(cycle);
  return { ...engine.explain(symbol - first), at: until };
}
