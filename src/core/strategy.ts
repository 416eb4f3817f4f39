import type { Candidate, Direction, Regime } from "./candidate.ts";
import type { Instrument } from "./instrument.ts";

/**
 * Turns what is known of one symbol at the close of a bar into a proposed trade, or into none.
 *
 * Contract (tests/contract/strategy.test.ts): a pure function of the view; the same view gives the same candidate;
 * prices lie on the right sides of each other; confidence and scores are between 0 and 1; nothing after the view's
 * time can be reached, because the view is a cursor and holds no later bar.
 */
export interface Strategy {
  readonly name: string;
  /** Longest base timeframe in ms it can work on. */
  readonly maxBaseTimeframe: number;
  propose(view: SymbolView): Candidate | undefined;
}

/** One symbol as known at `time`, the close of the newest base bar. */
export interface SymbolView {
  readonly symbol: number;
  readonly instrument: Instrument;
  readonly time: number;
  readonly regime: Regime;
  /** Close of the newest base bar, ticks. */
  readonly closeTicks: number;
  timeframe(name: AnalysisTimeframe): TimeframeView;
}

export const ANALYSIS_TIMEFRAMES = ["5m", "15m", "1h"] as const;
export type AnalysisTimeframe = (typeof ANALYSIS_TIMEFRAMES)[number];

/** Names under which strategies read indicators; periods come from the settings. */
export const INDICATOR_NAMES = [
  "emaFast",
  "emaSlow",
  "rsi",
  "atr",
  "adx",
  "plusDi",
  "minusDi",
  "bollingerUpper",
  "bollingerMiddle",
  "bollingerLower",
  "volumeRatio",
] as const;
export type IndicatorName = (typeof INDICATOR_NAMES)[number];

/** One timeframe of one symbol: closed bars only, an unfinished one is never visible. Prices in USDT. */
export interface TimeframeView {
  /** Whether a bar of this timeframe closed at the view's time. */
  readonly justClosed: boolean;
  /** How many closed bars can be looked back on. */
  readonly bars: number;
  /** `back` 0 is the newest closed bar. NaN beyond `bars`. */
  openTime(back: number): number;
  open(back: number): number;
  high(back: number): number;
  low(back: number): number;
  close(back: number): number;
  volume(back: number): number;
  /** The indicator at the newest closed bar; NaN in warm-up. */
  indicator(name: IndicatorName): number;
  readonly structure: StructureView;
}

/** Market structure as known at the newest closed bar: confirmed objects only, oldest first, bounded in number. */
export interface StructureView {
  readonly swings: readonly Swing[];
  readonly breaks: readonly StructureBreak[];
  readonly orderBlocks: readonly OrderBlock[];
  readonly gaps: readonly FairValueGap[];
  /** Direction of the last confirmed break, 0 before the first. */
  readonly trend: Direction | 0;
}

/** `formedAt` and `confirmedAt` are open times of bars; an object is visible from the close of its confirming bar. */
interface StructureObject {
  readonly formedAt: number;
  readonly confirmedAt: number;
}

export interface Swing extends StructureObject {
  readonly kind: "swing";
  /** +1 a high, -1 a low. */
  readonly direction: Direction;
  readonly price: number;
}

/** The close beyond a confirmed swing. With the trend it is a break of structure, against it a change of character. */
export interface StructureBreak extends StructureObject {
  readonly kind: "break";
  readonly direction: Direction;
  readonly character: "bos" | "choch";
  /** The broken swing's price. */
  readonly price: number;
  readonly swingAt: number;
}

/** The last opposite candle before the move that broke structure. */
export interface OrderBlock extends StructureObject {
  readonly kind: "order-block";
  readonly direction: Direction;
  readonly top: number;
  readonly bottom: number;
  /** Volume of the move's bars against the average, a multiple. */
  readonly volumeRatio: number;
}

/** Three bars whose outer two do not overlap. */
export interface FairValueGap extends StructureObject {
  readonly kind: "gap";
  readonly direction: Direction;
  readonly top: number;
  readonly bottom: number;
}
