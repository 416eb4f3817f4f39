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
  /**
   * Proposes as above and tells each condition that was asked on the way, in order, up to the first that did not hold:
   * what people are shown when they ask why nothing was proposed. Absent where a strategy has nothing to tell.
   */
  explain?(view: SymbolView, note: (check: Check) => void): Candidate | undefined;
}

/** One condition of a strategy at one bar. */
export interface Check {
  /** What was asked, in words: "the last break on 15m points the same way". */
  readonly asked: string;
  readonly passed: boolean;
  /** What was found, with the numbers. */
  readonly found: string;
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

/**
 * Market structure as known at the newest closed bar: confirmed objects only, oldest first, bounded in number. The
 * lists and the objects in them are live: they change with the next bar. Definitions are in docs/structure.md.
 *
 * Swings, breaks and trend are those of the internal scale; `external` holds the same of the larger one.
 */
export interface StructureView extends ScaleView {
  readonly external: ScaleView;
  readonly orderBlocks: readonly OrderBlock[];
  readonly breakers: readonly BreakerBlock[];
  readonly gaps: readonly FairValueGap[];
  /** Equal highs and lows whose liquidity has not been taken. */
  readonly pools: readonly LiquidityPool[];
  readonly sweeps: readonly Sweep[];
  readonly displacements: readonly Displacement[];
  /** High and low of the previous day, then of the previous week; fewer while there was none. */
  readonly levels: readonly PreviousLevel[];
  /** The last completed session of each name. */
  readonly sessions: readonly SessionRange[];
  /** Between the last external swing high and low; undefined before both, or while they are out of order. */
  readonly range: DealingRange | undefined;
}

/** Swings of one scale and what follows from them. */
export interface ScaleView {
  readonly swings: readonly Swing[];
  readonly breaks: readonly StructureBreak[];
  /** Direction of the last confirmed break, 0 before the first. */
  readonly trend: Direction | 0;
}

/** How far a swing must stand out: internal ones make up the legs between external ones. */
export type Scale = "internal" | "external";

/** `formedAt` and `confirmedAt` are open times of bars; an object is visible from the close of its confirming bar. */
interface StructureObject {
  readonly formedAt: number;
  readonly confirmedAt: number;
}

export interface Swing extends StructureObject {
  readonly kind: "swing";
  readonly scale: Scale;
  /** +1 a high, -1 a low. */
  readonly direction: Direction;
  readonly price: number;
}

/** The close beyond a confirmed swing. With the trend it is a break of structure, against it a change of character. */
export interface StructureBreak extends StructureObject {
  readonly kind: "break";
  readonly scale: Scale;
  readonly direction: Direction;
  readonly character: "bos" | "choch";
  /** The broken swing's price. */
  readonly price: number;
  readonly swingAt: number;
}

/** A band of prices in which the market is expected to turn into `direction` when it comes back. */
interface PriceZone extends StructureObject {
  readonly direction: Direction;
  readonly top: number;
  readonly bottom: number;
  /** How often price has come back into it, after having left it. */
  readonly tests: number;
  /** Largest share of its height that price has traded through since the confirmation, 0 to 1; from 0.5 on mitigated. */
  readonly fill: number;
  /** Whether the newest bar reaches into it. */
  readonly touching: boolean;
}

/** The last opposite candle before the move that broke structure. */
export interface OrderBlock extends PriceZone {
  readonly kind: "order-block";
  /** Of the break that made it. */
  readonly scale: Scale;
  /** Volume of the move's bars against the average, a multiple. */
  readonly volumeRatio: number;
}

/** An order block that failed; it now points the other way. `confirmedAt` is the bar that closed through it. */
export interface BreakerBlock extends PriceZone {
  readonly kind: "breaker";
  readonly scale: Scale;
  /** Of the failed order block. */
  readonly volumeRatio: number;
}

/** Three bars whose outer two do not overlap. */
export interface FairValueGap extends PriceZone {
  readonly kind: "gap";
}

/** Highs (+1) or lows (-1) of internal swings that are equal within a tolerance: stops are thought to lie beyond. */
export interface LiquidityPool extends StructureObject {
  readonly kind: "pool";
  readonly direction: Direction;
  /** The outermost of the swings that made it. */
  readonly price: number;
  /** How many swings, at least 2. */
  readonly touches: number;
}

/** A bar that traded beyond a level and closed back: `direction` is where it closed to, so a swept low is bullish. */
export interface Sweep extends StructureObject {
  readonly kind: "sweep";
  readonly direction: Direction;
  readonly of: "pool" | "swing" | "previous-day" | "previous-week";
  /** The level. */
  readonly price: number;
}

/** A bar with a body that is large against the average true range and against its own wicks. */
export interface Displacement extends StructureObject {
  readonly kind: "displacement";
  readonly direction: Direction;
  /** The ends of the body. */
  readonly top: number;
  readonly bottom: number;
  /** Body as a multiple of the average true range before it. */
  readonly ratio: number;
}

/** High (+1) or low (-1) of the last day or week, by UTC, that has ended. `formedAt` is the bar that made it. */
export interface PreviousLevel extends StructureObject {
  readonly kind: "level";
  readonly period: "day" | "week";
  readonly direction: Direction;
  readonly price: number;
  /** Whether price has traded beyond since. */
  readonly taken: boolean;
}

/** Hours of the day, UTC. */
export const SESSION_NAMES = ["asia", "london", "new-york"] as const;
export type SessionName = (typeof SESSION_NAMES)[number];

/** Range of a session that has ended: from its first bar (`formedAt`) to the first bar after it (`confirmedAt`). */
export interface SessionRange extends StructureObject {
  readonly kind: "session";
  readonly session: SessionName;
  /** From first open to last close; level counts as up. */
  readonly direction: Direction;
  readonly top: number;
  readonly bottom: number;
}

/** Above its middle prices are in premium, below in discount. `direction` is that of its later swing. */
export interface DealingRange extends StructureObject {
  readonly kind: "range";
  readonly direction: Direction;
  readonly top: number;
  readonly bottom: number;
}
