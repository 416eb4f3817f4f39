/**
 * A small seeded generator: xoshiro128** of Blackman and Vigna (2018), seeded by splitmix32. Integer operations only,
 * so every machine draws the same numbers.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** Streams of one seed are independent of each other. Both are taken modulo 2^32. */
  constructor(seed: number, stream = 0) {
    let state = Math.imul(stream | 0, 0x9e3779b1) ^ seed;
    const next = () => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    };
    // All four words zero would stay zero for ever.
    this.#a = next() | 1;
    this.#b = next();
    this.#c = next();
    this.#d = next();
  }

  /** A whole number from 0 to 2^32 - 1. */
  word(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** From 0 to below 1, in steps of 2^-32. */
  uniform(): number {
    return this.word() / 4_294_967_296;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor((high - low + 1) * this.uniform());
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /**
   * Mean 0, variance 1, within -3.5 … 3.5: the sum of four uniforms, scaled (Irwin-Hall). Close enough to normal for
   * prices, and free of logarithms, whose last bits differ between machines.
   */
  normal(): number {
    return (this.uniform() + this.uniform() + this.uniform() + this.uniform() - 2) * 1.7320508075688772;
  }
}
