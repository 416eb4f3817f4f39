import type { BarEvent } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";
import type { Contract } from "./contract.ts";

/** What a symbol shows in one step of the base timeframe. */
export const ABSENT = 0;
/** A bar that the source has. */
export const REAL = 1;
/** The flagged stand-in for a missing bar: last close as all prices, volume 0. */
export const FLAT = 2;

/**
 * All bars of the base timeframe that open at one time, as columns by symbol index. The buffers belong to the source
 * and are overwritten by the next step.
 */
export interface BarStep {
  openTime: number;
  /** ABSENT, REAL or FLAT per symbol. */
  readonly status: Uint8Array;
  /** Prices in ticks; undefined content where ABSENT. */
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  /** Base units. */
  readonly volume: Float64Array;
  /** Mark prices of the same bars in ticks, from sources that have them: what liquidations are judged by. */
  readonly mark?: {
    readonly open: Float64Array;
    readonly high: Float64Array;
    readonly low: Float64Array;
    readonly close: Float64Array;
  };
  /** Symbols whose trading begins with this step's bar, and those that are delisted at this step's open time. */
  readonly listed: number[];
  readonly delisted: number[];
  /** Funding exchanged at times in [openTime, openTime + timeframe): rate in 1e-8, mark in ticks (0: use the open). */
  readonly funding: { time: number; symbol: number; rate: number; mark: number }[];
}

/** Recorded or generated bars, one step of all symbols at a time, gaps already turned into flat bars or delistings. */
export interface BarSource {
  /** Sorted by symbol name. */
  readonly instruments: readonly Instrument[];
  /** Base timeframe, ms. */
  readonly timeframe: number;
  /** Open time of the first step, and the number of steps (Infinity for a generated market). */
  readonly start: number;
  readonly steps: number;
  /** Number of real bars in all (Infinity for a generated market). */
  readonly bars: number;
  /** SHA-256 of everything that the source feeds in, hex; of the seed and parameters for a generated market. */
  readonly dataHash: string;
  /** What was inferred or assumed for lack of input, in words for the report. */
  readonly assumptions: readonly string[];
  /** What the exchange asks of each instrument, where it is known; assumed otherwise. */
  readonly contracts?: readonly Contract[];
  /** Where the marks of the steps come from, in words; absent when steps have none. */
  readonly mark?: string;
  /** True for a market that goes on: without a next step it has not ended, its next bars have not closed yet. */
  readonly waiting?: boolean;
  /** The next step, or undefined at the end. */
  step(): BarStep | undefined;
}

/** The event of a symbol's bar in a step that closes at `time`. */
export function barEvent(step: BarStep, symbol: number, time: number): BarEvent {
  return {
    kind: "bar",
    time,
    symbol,
    open: step.open[symbol]!,
    high: step.high[symbol]!,
    low: step.low[symbol]!,
    close: step.close[symbol]!,
    volume: step.volume[symbol]!,
    flat: step.status[symbol] === FLAT,
  };
}
