/**
 * Market regimes from the least to the most directional, then `breakout`; `unknown` while the indicators warm up.
 * Journals hold positions in this list: new ones go to its end.
 */
export const REGIMES = ["unknown", "choppy", "ranging", "trending", "strong_trending", "breakout"] as const;
export type Regime = (typeof REGIMES)[number];

export const LONG = 1;
export const SHORT = -1;
export type Direction = typeof LONG | typeof SHORT;

/** A trade that a strategy proposes. It travels in the analysis event; the core ranks, guards and sizes it. */
export interface Candidate {
  readonly symbol: number;
  readonly strategy: string;
  /** What was seen, for example `order-block`; at most one live virtual position exists per symbol, side and setup. */
  readonly setup: string;
  readonly direction: Direction;
  /** Prices in ticks; for a long stop < entry < target, for a short the reverse. */
  readonly entry: number;
  readonly stop: number;
  readonly target: number;
  /** 0 to 1. */
  readonly confidence: number;
  /** The parts of the confidence by name, each 0 to 1. */
  readonly scores: Readonly<Record<string, number>>;
  /** Why, in words a person reads. */
  readonly reasons: readonly string[];
  /** What models see: a row in the order of FEATURE_NAMES, NaN where a value is missing. Added by the analysis. */
  readonly features?: Float32Array;
  /** What the model in charge says of it; absent where rules decide. */
  readonly prediction?: Prediction;
}

/** A model's judgement of a candidate. It travels with it, so that every decision names the one model it is by. */
export interface Prediction {
  readonly model: string;
  /** Calibrated chance that the trade gains after costs, 0 to 1. */
  readonly probability: number;
  /** Size of the bet, 0 (not worth its costs) to 1. */
  readonly size: number;
}
