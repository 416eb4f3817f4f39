import { assert } from "./assert.ts";

/**
 * Slots of one symbol ordered by a price, the one that a moving price reaches first on top. A binary heap that knows
 * where each slot lies, so that a slot can be taken out or moved in O(log n) without a search.
 *
 * `above` says from where the price must come: true keeps the lowest price on top (reached by a rising price), false
 * the highest. Of equal prices the lower slot comes first, so that the order never depends on the heap's history.
 */
export class TriggerHeap {
  readonly above: boolean;
  size = 0;
  #slots = new Int32Array(8);

  constructor(above: boolean) {
    this.above = above;
  }

  /** The slot on top. Only to be asked when `size` is above 0. */
  get top(): number {
    return this.#slots[0]!;
  }

  /** The slots as they lie in the heap. */
  image(): Int32Array {
    return this.#slots.slice(0, this.size);
  }

  /** Takes over what `image` gave. The places of the slots are the caller's. */
  restore(slots: Int32Array): void {
    this.size = slots.length;
    this.#slots = new Int32Array(Math.max(8, slots.length));
    this.#slots.set(slots);
  }

  /** @param prices price of each slot  @param places where each slot lies in its heap; kept up to date here */
  push(slot: number, prices: Float64Array, places: Int32Array): void {
    if (this.size === this.#slots.length) {
      const larger = new Int32Array(this.size * 2);
      larger.set(this.#slots);
      this.#slots = larger;
    }
    this.#rise(this.size++, slot, prices, places);
  }

  remove(slot: number, prices: Float64Array, places: Int32Array): void {
    const place = places[slot]!;
    assert(place < this.size && this.#slots[place] === slot, "the slot is in this heap");
    places[slot] = -1;
    this.size -= 1;
    if (place === this.size) return;
    const last = this.#slots[this.size]!;
    this.#settle(place, last, prices, places);
  }

  /** To be called after the price of a slot in the heap has changed. */
  moved(slot: number, prices: Float64Array, places: Int32Array): void {
    this.#settle(places[slot]!, slot, prices, places);
  }

  #settle(place: number, slot: number, prices: Float64Array, places: Int32Array): void {
    const parent = (place - 1) >> 1;
    if (place > 0 && this.#first(slot, this.#slots[parent]!, prices)) this.#rise(place, slot, prices, places);
    else this.#sink(place, slot, prices, places);
  }

  /** Whether slot `a` is reached before slot `b`. */
  #first(a: number, b: number, prices: Float64Array): boolean {
    const difference = prices[a]! - prices[b]!;
    if (difference === 0) return a < b;
    return this.above ? difference < 0 : difference > 0;
  }

  #rise(from: number, slot: number, prices: Float64Array, places: Int32Array): void {
    const slots = this.#slots;
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const other = slots[parent]!;
      if (!this.#first(slot, other, prices)) break;
      slots[place] = other;
      places[other] = place;
      place = parent;
    }
    slots[place] = slot;
    places[slot] = place;
  }

  #sink(from: number, slot: number, prices: Float64Array, places: Int32Array): void {
    const slots = this.#slots;
    const { size } = this;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#first(slots[child + 1]!, slots[child]!, prices)) child += 1;
      const other = slots[child]!;
      if (!this.#first(other, slot, prices)) break;
      slots[place] = other;
      places[other] = place;
      place = child;
    }
    slots[place] = slot;
    places[slot] = place;
  }
}
