import type { Feature } from "./feature.ts";
import { fundingRate, marketMomentum, relativeStrength } from "./market.ts";
import { flowImbalance5m, spreadEstimate5m } from "./microstructure.ts";
import { momentum1d, momentum1h, rsi1h, rsi5m, stochastic15m } from "./momentum.ts";
import { dayEvening, dayNoon } from "./session.ts";
import {
  breakFreshness15m,
  gapBalance15m,
  orderBlockBalance15m,
  rangePosition1h,
  structureAlignment,
  sweep15m,
} from "./structure.ts";
import { adx1h, diBalance1h, emaAlignment, emaSpread1h, emaSpread5m } from "./trend.ts";
import { atrPercent1h, percentB5m, squeeze15m, volatilityChange, volatilityRatio } from "./volatility.ts";
import { signedVolume5m, volumeRatio1h, volumeRatio5m } from "./volume.ts";

/**
 * Every feature there is, in the order in which rows hold them. Adding one: its definition in the file of its family,
 * its line at the end here, `bun run generate`; tests/contract/feature.test.ts runs on it. Journals and models keep rows,
 * so that a place never changes its meaning.
 */
export const FEATURES = {
  emaSpread5m,
  emaSpread1h,
  emaAlignment,
  adx1h,
  diBalance1h,
  rsi5m,
  rsi1h,
  momentum1h,
  momentum1d,
  stochastic15m,
  atrPercent1h,
  volatilityRatio,
  volatilityChange,
  percentB5m,
  squeeze15m,
  volumeRatio5m,
  volumeRatio1h,
  signedVolume5m,
  structureAlignment,
  rangePosition1h,
  orderBlockBalance15m,
  gapBalance15m,
  breakFreshness15m,
  sweep15m,
  marketMomentum,
  relativeStrength,
  fundingRate,
  spreadEstimate5m,
  flowImbalance5m,
  dayNoon,
  dayEvening,
} as const satisfies Record<string, Feature>;

export type FeatureName = keyof typeof FEATURES;

export const FEATURE_NAMES = Object.keys(FEATURES) as readonly FeatureName[];

/** The features in the order of a row. */
export const FEATURE_LIST: readonly Feature[] = Object.values(FEATURES);
