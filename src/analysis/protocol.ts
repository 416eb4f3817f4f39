import type { Candidate, Regime } from "../core/candidate.ts";
import type { Klines } from "../market/kline-csv.ts";
import type { SharedBars } from "../market/recorded-market.ts";
import type { AnalysisOptions } from "./engine.ts";

/**
 * Symbols that are analysed together: whole groups of eight lanes, so that ranges share no vector and no cache line.
 * What a range finds depends on its own bars, and on the market's returns, which are the same for all: any division into
 * ranges gives the same analysis.
 */
export interface SymbolRange {
  /** Index of its first symbol in the run, a multiple of 8. */
  readonly first: number;
  readonly symbols: number;
}

/** Where a range's bars lie. Either way in shared memory: they do not travel, and outlive every worker. */
export type RangeBars =
  /** A panel that is still being written and keeps all bars since its origin. */
  | { readonly kind: "panel"; readonly panel: SharedArrayBuffer; readonly timeframe: number }
  /** The finished bars of a recorded market, of this range only. */
  | { readonly kind: "recorded"; readonly bars: SharedBars };

export type ToWorker =
  /** Answered by `opened`. Opening a range again forgets what was derived from its bars. */
  | {
      readonly kind: "open";
      readonly task: number;
      readonly range: SymbolRange;
      readonly bars: RangeBars;
      /** The instruments are those of the range. */
      readonly options: AnalysisOptions;
    }
  /**
   * Looks for candidates in the cycles that closed at `from` … `to`, and before that takes in whatever bars since the
   * origin it has not seen: a new worker becomes what the old one was. With `from` beyond `to` that is all it does.
   */
  | {
      readonly kind: "analyse";
      readonly task: number;
      readonly first: number;
      readonly from: number;
      readonly to: number;
    }
  /** The feature rows of symbols, by their index in the range, as known at the cycle last analysed. */
  | { readonly kind: "rows"; readonly task: number; readonly first: number; readonly symbols: readonly number[] }
  /** Reads one file of bars. */
  | { readonly kind: "parse"; readonly task: number; readonly path: string; readonly timeframe: number }
  /** Nothing but a sign of life. */
  | { readonly kind: "ping"; readonly task: number };

/** Tasks are answered in the order in which they came. `heap` is the worker's JavaScript heap in bytes. */
export type FromWorker =
  | { readonly kind: "done"; readonly task: number; readonly heap: number }
  | { readonly kind: "analysed"; readonly task: number; readonly heap: number; readonly found: readonly Finding[] }
  | { readonly kind: "rows"; readonly task: number; readonly heap: number; readonly rows: FeatureRowsAt | undefined }
  | { readonly kind: "parsed"; readonly task: number; readonly heap: number; readonly klines: Klines }
  /** The task failed without harm to the worker. `exitCode` where it was the user's input. */
  | {
      readonly kind: "failed";
      readonly task: number;
      readonly heap: number;
      readonly message: string;
      readonly exitCode: 1 | 2 | undefined;
    }
  /** Still at it: it has come on since the last time. */
  | { readonly kind: "progress"; readonly task: number };

/** What is new in one cycle of a range. A cycle that is not among the findings has no candidates and the regimes of the one before. */
export interface Finding {
  readonly cycle: number;
  /** By symbol of the range; undefined when they are those of the cycle before. The first finding of a task has them. */
  readonly regimes: readonly Regime[] | undefined;
  /** With the symbol indices of the run. */
  readonly candidates: readonly Candidate[];
}

/** Feature rows as they are known at a moment. */
export interface FeatureRowsAt {
  /** Close of the newest bar that they know, ms UTC. */
  readonly at: number;
  /** One per symbol that was asked about, in the order of FEATURE_NAMES, NaN where missing. */
  readonly rows: readonly Float32Array[];
}
