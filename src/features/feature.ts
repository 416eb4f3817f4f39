import type { AnalysisTimeframe, SymbolView } from "../core/strategy.ts";

/**
 * One number that describes a symbol at the close of a bar, for models.
 *
 * Contract (tests/contract/feature.test.ts): a pure function of the view, NaN for "missing" (in warm-up, or where it
 * means nothing), otherwise within `range`; free of scale, so that neither the price nor the volume of a symbol can be
 * told from it; it reads no shorter timeframe than its own, so that it stays what it is until a bar of that closes.
 */
export interface Feature {
  readonly name: string;
  /** The shortest timeframe that it reads. */
  readonly timeframe: AnalysisTimeframe;
  /** How it is computed, as the documentation shows it. */
  readonly formula: string;
  readonly unit: string;
  /** Smallest and largest value, both possible. */
  readonly range: readonly [smallest: number, largest: number];
  /**
   * Bars of `timeframe` that it takes until there can be a value, with the default periods of the settings and bars
   * that begin at a full hour; 1 for a value at the first bar.
   */
  readonly warmUp: number;
  /** Where the idea is from. */
  readonly source: string;
  value(view: FeatureView): number;
}

/** What a feature sees: the cursor of a strategy, and what it takes to compare a symbol with its market. */
export interface FeatureView extends Pick<SymbolView, "timeframe"> {
  /** Close of the newest 5m bar, ms UTC. */
  readonly time: number;
  /** The symbol's last funding rate that was settled before `time`, a fraction; NaN when none is known. */
  readonly fundingRate: number;
  readonly market: MarketView;
}

/** All symbols of the run together, on 5m bars. */
export interface MarketView {
  /**
   * The mean return of the symbols over one 5m bar, a fraction; `back` 0 is the newest. NaN beyond MARKET_BARS, and
   * where fewer than two symbols had the bar and the one before it.
   */
  return(back: number): number;
}

/** Bars over which the market can be looked back on: eight hours. */
export const MARKET_BARS = 96;

/** Names the feature, and keeps its place in the types. */
export function defineFeature<Name extends string>(feature: Feature & { readonly name: Name }): typeof feature {
  return feature;
}
