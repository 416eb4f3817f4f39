import { Random } from "../../../market/random.ts";
import { WireError } from "./wire.ts";

/** A listen key lives this long after it was asked for or kept alive, ms. */
const LIFE = 60 * 60_000;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** The account's listen key: one at a time, asked for again it is the same one. */
export class ListenKeys {
  readonly #random: Random;
  #key: string | undefined;
  #until = 0;

  constructor(seed: number) {
    this.#random = new Random(seed, 0x1157);
  }

  isValid(key: string): boolean {
    return key === this.#key;
  }

  /** The key that has no more life in it, which is forgotten by that. */
  expired(now: number): string | undefined {
    if (this.#key === undefined || now < this.#until) return undefined;
    return this.end();
  }

  start(now: number): string {
    this.#key ??= Array.from({ length: 64 }, () => LETTERS[this.#random.whole(0, LETTERS.length - 1)]).join("");
    this.#until = now + LIFE;
    return this.#key;
  }

  /** @throws WireError -1125 without a key */
  keepAlive(now: number): string {
    if (this.#key === undefined) throw new WireError(-1125, "This listenKey does not exist.");
    return this.start(now);
  }

  /** Forgets the key and returns it. */
  end(): string | undefined {
    const key = this.#key;
    this.#key = undefined;
    return key;
  }
}
