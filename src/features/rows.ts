import { ANALYSIS_TIMEFRAMES, type AnalysisTimeframe } from "../core/strategy.ts";
import type { Feature, FeatureView } from "./feature.ts";
import { FEATURE_LIST } from "./registry.ts";

/** Numbers in a row. */
export const FEATURE_COUNT = FEATURE_LIST.length;

/**
 * The newest feature row of every symbol. A feature is computed when it is first asked for after a bar of its timeframe
 * has closed and then kept until the next one closes: twelve of thirteen times nothing of the 1h is touched. Without
 * `incremental` everything is computed each time, with the same bits.
 */
export class FeatureRows {
  /** How many single values were computed so far. */
  computed = 0;
  readonly #incremental: boolean;
  readonly #features: readonly Feature[];
  readonly #rows: Float32Array;
  /** Per symbol and timeframe: open time of the bar at which the values were computed, NaN before the first. */
  readonly #computedAt: Float64Array;
  /** Per timeframe the features of it, with their places in the row. */
  readonly #groups: readonly { readonly timeframe: AnalysisTimeframe; readonly places: readonly number[] }[];

  constructor(symbols: number, incremental: boolean, features = FEATURE_LIST) {
    this.#incremental = incremental;
    this.#features = features;
    this.#rows = new Float32Array(symbols * features.length).fill(Number.NaN);
    this.#computedAt = new Float64Array(symbols * ANALYSIS_TIMEFRAMES.length).fill(Number.NaN);
    this.#groups = ANALYSIS_TIMEFRAMES.map((timeframe) => ({
      timeframe,
      places: [...features.keys()].filter((place) => features[place]!.timeframe === timeframe),
    }));
  }

  /**
   * The row of a symbol as its view shows it: in the order of the registry, NaN where a value is missing, which all of a
   * timeframe are while the symbol has no bar at its newest close. Shown in place: it changes with the next call.
   */
  row(symbol: number, view: FeatureView): Float32Array {
    const rows = this.#rows;
    const start = symbol * this.#features.length;
    for (const [index, { timeframe, places }] of this.#groups.entries()) {
      const bars = view.timeframe(timeframe);
      const key = symbol * ANALYSIS_TIMEFRAMES.length + index;
      const openTime = bars.openTime(0);
      if (this.#incremental && this.#computedAt[key] === openTime) continue;
      this.#computedAt[key] = openTime;
      const absent = Number.isNaN(bars.close(0));
      for (const place of places) rows[start + place] = absent ? Number.NaN : this.#features[place]!.value(view);
      this.computed += places.length;
    }
    return rows.subarray(start, start + this.#features.length);
  }
}
