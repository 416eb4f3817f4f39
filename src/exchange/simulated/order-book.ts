import type { Side } from "../../core/effects.ts";
import type { BookTick, Level } from "../../market/tick-source.ts";

/** One symbol's book as the exchange publishes it, in ticks and lots. */
export class OrderBook {
  readonly #bids = new Map<number, number>();
  readonly #asks = new Map<number, number>();
  /** Best prices; 0 and Infinity when a side is empty. */
  bestBid = 0;
  bestAsk = Number.POSITIVE_INFINITY;

  apply(tick: BookTick): void {
    if (tick.snapshot) {
      this.#bids.clear();
      this.#asks.clear();
      this.bestBid = 0;
      this.bestAsk = Number.POSITIVE_INFINITY;
    }
    for (const level of tick.bids) this.#set(1, level);
    for (const level of tick.asks) this.#set(-1, level);
  }

  /** Lots that wait at a price: of buyers (1) or sellers (-1). */
  lotsAt(side: Side, price: number): number {
    return (side > 0 ? this.#bids : this.#asks).get(price) ?? 0;
  }

  /** The best price that a taker of `side` meets. */
  best(side: Side): number {
    return side > 0 ? this.bestAsk : this.bestBid;
  }

  /** Takes lots out of a level, until the exchange says anew what is there. */
  take(side: Side, price: number, lots: number): void {
    this.#set(side, [price, this.lotsAt(side, price) - lots]);
  }

  /** Lots that a taker of `side` finds up to a price. */
  depth(side: Side, limit: number): number {
    let lots = 0;
    for (const [price, waiting] of side > 0 ? this.#asks : this.#bids) {
      if ((price - limit) * side <= 0) lots += waiting;
    }
    return lots;
  }

  #set(side: Side, [price, lots]: Level): void {
    const levels = side > 0 ? this.#bids : this.#asks;
    if (lots > 0) {
      levels.set(price, lots);
      if (side > 0 && price > this.bestBid) this.bestBid = price;
      if (side < 0 && price < this.bestAsk) this.bestAsk = price;
      return;
    }
    if (!levels.delete(price)) return;
    if (side > 0 && price === this.bestBid) {
      let best = 0;
      for (const level of levels.keys()) if (level > best) best = level;
      this.bestBid = best;
    } else if (side < 0 && price === this.bestAsk) {
      let best = Number.POSITIVE_INFINITY;
      for (const level of levels.keys()) if (level < best) best = level;
      this.bestAsk = best;
    }
  }
}
