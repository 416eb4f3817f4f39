/** What a look at the heart has shown for the first time; `undefined`: nothing new. */
export type Finding =
  | { readonly kind: "stalled"; readonly milliseconds: number }
  | { readonly kind: "recovered"; readonly milliseconds: number }
  /** It has stood still for as long as is borne. */
  | { readonly kind: "given up"; readonly milliseconds: number };

export interface StallLimits {
  /** How often `look` is called, ms. */
  readonly interval: number;
  /** Standing still for so long is reported, ms. */
  readonly report: number;
  /** And for so long is the end, ms; Infinity for never. */
  readonly giveUp: number;
}

/**
 * Judges whether a loop stands still. Only time in which the watcher itself ran counts, at most two intervals per look: a
 * process that was stopped, or a machine that slept, has not stalled.
 */
export class StallWatch {
  readonly #limits: StallLimits;
  #beats = 0;
  #looked: number | undefined;
  #still = 0;
  #reported = false;
  #givenUp = false;

  constructor(limits: StallLimits) {
    this.#limits = limits;
  }

  /** Whether a stall has been reported that is not over. */
  get isStalled(): boolean {
    return this.#reported;
  }

  /** @param beats the number of beats; 0: the loop has not begun @param now monotonic, ms */
  look(beats: number, now: number): Finding | undefined {
    const { interval, report, giveUp } = this.#limits;
    const passed = this.#looked === undefined ? 0 : now - this.#looked;
    this.#looked = now;
    if (beats !== this.#beats || beats === 0) {
      this.#beats = beats;
      const still = this.#still;
      this.#still = 0;
      if (!this.#reported) return undefined;
      this.#reported = false;
      return { kind: "recovered", milliseconds: still };
    }
    this.#still += passed < 2 * interval ? passed : 2 * interval;
    if (this.#still >= giveUp && !this.#givenUp) {
      this.#givenUp = true;
      return { kind: "given up", milliseconds: this.#still };
    }
    if (this.#still >= report && !this.#reported) {
      this.#reported = true;
      return { kind: "stalled", milliseconds: this.#still };
    }
    return undefined;
  }
}
