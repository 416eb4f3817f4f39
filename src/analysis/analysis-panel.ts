import { ANALYSIS_TIMEFRAMES } from "../core/strategy.ts";
import { Panel } from "../market/panel.ts";
import { TIMEFRAMES } from "../market/timeframe.ts";

/** Bars of each analysed timeframe that strategies may look back on. */
const CAPACITY = 256;

/**
 * A panel of the analysed timeframes.
 * @param origin ms UTC
 * @param history how long after the origin all bars are kept besides, ms; 0 for a reader that follows at every bar.
 */
export function analysisPanel(symbols: number, origin: number, history: number): Panel {
  return Panel.create({
    symbols,
    origin,
    timeframes: ANALYSIS_TIMEFRAMES.map((name) => ({
      name,
      ms: TIMEFRAMES[name],
      capacity: CAPACITY,
      spare: Math.ceil(history / TIMEFRAMES[name]) + 1,
    })),
  });
}
