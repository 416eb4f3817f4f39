import type { Venue } from "./venue.ts";

/** How often the market is brought up to its clock, ms. */
const TURN = 10;
/** Longest time that one turn may take from those who ask meanwhile, ms. */
const LONGEST_TURN = 10;

/** Plays a venue's market against the wall clock, so many market milliseconds for each of its own. */
export class Pace {
  readonly #venue: Venue;
  #speed: number;
  /** Where market and wall clock stood when the speed was set. */
  #from: { readonly market: number; readonly wall: number };
  #timer: Timer | undefined;
  #paused = false;

  /** @param speed Infinity for as fast as it goes */
  constructor(venue: Venue, speed: number) {
    this.#venue = venue;
    this.#speed = speed;
    this.#from = { market: venue.time, wall: performance.now() };
    this.#schedule(TURN);
  }

  get speed(): number {
    return this.#paused ? 0 : this.#speed;
  }

  /** 0 pauses. */
  set speed(speed: number) {
    this.#from = { market: this.#venue.time, wall: performance.now() };
    this.#paused = speed === 0;
    if (!this.#paused) this.#speed = speed;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(delay: number): void {
    this.#timer = setTimeout(() => {
      const isBehind = this.#turn();
      // Who is behind leaves only the others' turn between two of its own.
      if (!this.#venue.ended) this.#schedule(isBehind ? 0 : TURN);
    }, delay);
  }

  /** Brings the market up to its clock as far as one turn may go; true when there is more to do. */
  #turn(): boolean {
    if (this.#paused) return false;
    const began = performance.now();
    const due = this.#from.market + (began - this.#from.wall) * this.#speed;
    // In pieces of a second of market time, so that requests are answered in between.
    while (this.#venue.time < due && !this.#venue.ended && performance.now() - began < LONGEST_TURN) {
      const next = this.#venue.time + 1000;
      this.#venue.advance(next < due ? next : Math.floor(due));
      if (due - this.#venue.time < 1) return false;
    }
    return this.#venue.time < due;
  }
}
