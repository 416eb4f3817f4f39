import type { Instrument } from "../../../core/instrument.ts";
import type { BookTick, Level } from "../../../market/tick-source.ts";
import { priceText, quantityText } from "./decimals.ts";
import type { Json } from "./wire.ts";

/** Updates are numbered over all symbols, as on the exchange. */
const FIRST_UPDATE = 390_497_000_000;

/** A symbol's book as the public sees it: levels by price, and the numbers by which followers keep in step. */
export class PublicBook {
  readonly #instrument: Instrument;
  readonly #bids = new Map<number, number>();
  readonly #asks = new Map<number, number>();
  updateId = FIRST_UPDATE;
  time = 0;

  constructor(instrument: Instrument) {
    this.#instrument = instrument;
  }

  /** Takes an update in and returns what a follower has to change. */
  apply(tick: BookTick): {
    readonly first: number;
    readonly before: number;
    readonly bids: Level[];
    readonly asks: Level[];
  } {
    const before = this.updateId;
    const bids = change(this.#bids, tick.bids, tick.snapshot);
    const asks = change(this.#asks, tick.asks, tick.snapshot);
    this.updateId += Math.max(1, bids.length + asks.length);
    this.time = tick.time;
    return { first: before + 1, before, bids, asks };
  }

  /** The best levels of one side, best first. */
  bids(count: number): Level[] {
    return best(this.#bids, count, -1);
  }

  asks(count: number): Level[] {
    return best(this.#asks, count, 1);
  }

  json(levels: readonly Level[]): Json {
    return levels.map(([price, lots]) => [priceText(this.#instrument, price), quantityText(this.#instrument, lots)]);
  }
}

/** Changed levels; of a snapshot also those that are gone. */
function change(levels: Map<number, number>, news: readonly Level[], snapshot: boolean): Level[] {
  const changed: Level[] = [];
  if (snapshot) {
    const kept = new Set(news.map(([price]) => price));
    for (const price of levels.keys()) {
      if (kept.has(price)) continue;
      levels.delete(price);
      changed.push([price, 0]);
    }
  }
  for (const [price, lots] of news) {
    if ((levels.get(price) ?? 0) === lots) continue;
    if (lots > 0) levels.set(price, lots);
    else levels.delete(price);
    changed.push([price, lots]);
  }
  return changed;
}

function best(levels: ReadonlyMap<number, number>, count: number, direction: 1 | -1): Level[] {
  return [...levels].sort(([a], [b]) => (a - b) * direction).slice(0, count);
}
