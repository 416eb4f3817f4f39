import type { BarSource } from "./bar-source.ts";

/** A level of the book: price in ticks, quantity in lots; 0 lots: the level is gone. */
export type Level = readonly [price: number, lots: number];

export interface TradeTick {
  readonly kind: "trade";
  /** Exchange time, ms UTC. */
  readonly time: number;
  readonly symbol: number;
  readonly price: number;
  readonly lots: number;
  /** The side that took liquidity. */
  readonly taker: 1 | -1;
  /** Mark price of that moment in ticks, from sources that know it; the traded price otherwise. */
  readonly mark?: number;
}

/** Changed levels of a book, or all of them. */
export interface BookTick {
  readonly kind: "book";
  readonly time: number;
  readonly symbol: number;
  readonly snapshot: boolean;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

export type Tick = TradeTick | BookTick;

/**
 * A market known by its trades and its book: an exchange can fill orders by their place in the queue. It is a source of
 * bars too, made of the same trades, for whoever analyses it.
 */
export interface TickSource extends BarSource {
  /** The next tick, in order of time, or undefined at the end. Independent of `step`. */
  tick(): Tick | undefined;
}

export function hasTicks(source: BarSource): source is TickSource {
  return "tick" in source;
}
