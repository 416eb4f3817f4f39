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
    this.#schedule();
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

  #schedule(): void {
    this.#timer = setTimeout(
      () => {
        this.#turn();
        if (!this.#venue.ended) this.#schedule();
      },
      this.#speed === Number.POSITIVE_INFINITY ? 0 : TURN,
    );
  }

  #turn(): void {
    if (this.#paused) return;
    const began = performance.now();
    const due = this.#from.market + (began - this.#from.wall) * this.#speed;
    // In pieces of a second of market time, so that requests are answered in between.
    while (this.#venue.time < due && !this.#venue.ended && performance.now() - began < LONGEST_TURN) {
      const next = this.#venue.time + 1000;
      this.#venue.advance(next < due ? next : Math.floor(due));
      if (due - this.#venue.time < 1) return;
    }
  }
}
