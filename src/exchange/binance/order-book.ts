import type { DepthMessage } from "./market-message.ts";

/** A whole book as REST gives it: levels by falling bid and rising ask; price, quantity, price, quantity … */
export interface BookSnapshot {
  readonly lastUpdate: number;
  readonly bids: readonly number[];
  readonly asks: readonly number[];
}

export type BookState = "empty" | "waiting" | "live";

/** Messages kept while a snapshot is awaited; at the fastest stream this is well over a minute. */
const MOST_KEPT = 2000;

/**
 * The order book of one symbol, made of a snapshot and of the changes since then, by the exchange's own rules: changes
 * that end before the snapshot are dropped, the one before the first that is used is in the snapshot, and from there on
 * each change names the one before it (`pu`). Numbers are shared by all symbols and so have holes. Where it does not, the book is unknown from that moment on and a new snapshot is
 * needed: `needsSnapshot` is called.
 */
export class OrderBook {
  /** How often a change was missing. */
  breaks = 0;
  readonly bids = new Side(-1);
  readonly asks = new Side(1);
  readonly #needsSnapshot: () => void;
  #state: BookState = "empty";
  #last = 0;
  #isAnchored = false;
  #kept: DepthMessage[] = [];

  /** @param needsSnapshot called once per missing snapshot; whoever gets it may take his time */
  constructor(needsSnapshot: () => void) {
    this.#needsSnapshot = needsSnapshot;
  }

  /** `live` when the levels are the exchange's as of `lastUpdate`. */
  get state(): BookState {
    return this.#state;
  }

  get lastUpdate(): number {
    return this.#last;
  }

  /** Takes the next change. What came twice, as it does when connections overlap, is dropped. */
  change(message: DepthMessage): void {
    if (this.#state !== "live") {
      this.#keep(message);
      return;
    }
    if (message.last <= this.#last) return;
    const fits = this.#isAnchored ? message.previous === this.#last : message.previous <= this.#last;
    if (!fits) {
      // Before the first change it is the snapshot that is too old, and nothing was missed.
      if (this.#isAnchored) this.breaks += 1;
      this.#state = "empty";
      this.#kept = [];
      this.#keep(message);
      return;
    }
    this.#isAnchored = true;
    this.#apply(message);
  }

  /** Takes a snapshot, and the changes since it that were kept. One that is too old for them asks for another one. */
  snapshot(snapshot: BookSnapshot): void {
    if (this.#state === "live") return;
    const kept = this.#kept;
    this.#kept = [];
    this.#state = "live";
    this.#last = snapshot.lastUpdate;
    this.#isAnchored = false;
    this.bids.replace(snapshot.bids);
    this.asks.replace(snapshot.asks);
    for (const message of kept) this.change(message);
  }

  /** The connection is gone: nothing is known until there is another one and a snapshot. */
  forget(): void {
    this.#state = "empty";
    this.#kept = [];
  }

  #keep(message: DepthMessage): void {
    if (this.#kept.length >= MOST_KEPT) this.#kept.shift();
    this.#kept.push(message);
    if (this.#state === "empty") {
      this.#state = "waiting";
      this.#needsSnapshot();
    }
  }

  #apply(message: DepthMessage): void {
    this.bids.change(message.bids);
    this.asks.change(message.asks);
    this.#last = message.last;
  }
}

/** One side of a book, best level first. Levels are few enough for moving them to be cheaper than a tree. */
export class Side {
  /** From the best to the worst, at the same places. */
  readonly prices: number[] = [];
  readonly quantities: number[] = [];
  readonly #direction: 1 | -1;

  /** @param direction 1: the lowest price is the best (asks) */
  constructor(direction: 1 | -1) {
    this.#direction = direction;
  }

  replace(levels: readonly number[]): void {
    this.prices.length = 0;
    this.quantities.length = 0;
    this.change(levels);
  }

  change(levels: readonly number[]): void {
    for (let i = 0; i < levels.length; i += 2) this.#set(levels[i]!, levels[i + 1]!);
  }

  #set(price: number, quantity: number): void {
    const { prices, quantities } = this;
    let low = 0;
    let high = prices.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((prices[middle]! - price) * this.#direction < 0) low = middle + 1;
      else high = middle;
    }
    const exists = prices[low] === price;
    if (quantity === 0) {
      if (!exists) return;
      prices.splice(low, 1);
      quantities.splice(low, 1);
    } else if (exists) {
      quantities[low] = quantity;
    } else {
      prices.splice(low, 0, price);
      quantities.splice(low, 0, quantity);
    }
  }
}
