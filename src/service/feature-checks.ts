import { FEATURE_NAMES, type FeatureName } from "../features/registry.ts";
import { type FeatureSettings, featureLines } from "../inspect/features.ts";
import type { Check } from "../learning/gate.ts";
import { barsBetween, checkPoison, checkPrefix, checkWarmUp, type FeatureComputation } from "../learning/leakage.ts";
import type { KlineArrays } from "../market/kline-rules.ts";
import { TIMEFRAMES, timeframeName } from "../market/timeframe.ts";

/** Time that is looked at, the newest: more would take long and show the same. */
const MOST_TIME = 31 * 86_400_000;
/** After two weeks an EMA over 50 hours has forgotten how it began, to one part in a hundred thousand. */
const WARM_UP = 14 * 86_400_000;
const CUTS = 4;
/** Blocks, gaps and breaks stay until price has done away with them, however old they are. */
const REMEMBERS: readonly FeatureName[] = [
  "structureAlignment",
  "rangePosition1h",
  "orderBlockBalance15m",
  "gapBalance15m",
  "breakFreshness15m",
  "sweep15m",
];

/** The features as trading computes them, from bars of one symbol. */
export function featuresOf(timeframe: number, settings: FeatureSettings): FeatureComputation {
  // Shorter bars make a row per 5m, which is known with the last bar in it.
  const within = timeframe < TIMEFRAMES["5m"] ? TIMEFRAMES["5m"] - timeframe : 0;
  return (bars) =>
    featureLines("the bars", { timeframe: timeframeName(timeframe), ...bars }, FEATURE_NAMES, settings).map((line) => ({
      time: line.openTime + within,
      row: Float32Array.from(FEATURE_NAMES, (name) => line[name] ?? Number.NaN),
    }));
}

/** That no feature of these bars knows their future, and that none depends on where the bars begin. */
export function checkFeatures(bars: KlineArrays, timeframe: number, settings: FeatureSettings): Check[] {
  const n = bars.openTime.length;
  const most = MOST_TIME / timeframe;
  const newest = barsBetween(bars, n > most ? n - most : 0, n);
  const length = newest.openTime.length;
  const cuts = Array.from({ length: CUTS }, (_, k) => Math.floor(((k + 1) * length) / (CUTS + 1)) + k);
  const compute = featuresOf(timeframe, settings);
  return [
    checkPrefix(compute, newest, FEATURE_NAMES, cuts),
    checkPoison(compute, newest, FEATURE_NAMES, cuts),
    checkWarmUp(compute, newest, FEATURE_NAMES, WARM_UP / timeframe, REMEMBERS),
  ];
}
