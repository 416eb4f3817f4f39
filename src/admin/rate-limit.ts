/** Requests that one address may make at once, and per second from then on. A dashboard needs a few. */
const BURST = 1000;
const PER_SECOND = 500;
/** Addresses remembered; the one that was silent longest is forgotten. */
const ADDRESSES_MAX = 4096;

interface Bucket {
  left: number;
  at: number;
}

/** A token bucket per address. */
export class RateLimit {
  readonly #buckets = new Map<string, Bucket>();

  /** @param now ms @returns 0 when the request may go on, otherwise ms until the next may */
  wait(address: string, now: number): number {
    const bucket = this.#buckets.get(address) ?? { left: BURST, at: now };
    // Moved to the end: the map is in the order of use.
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    if (this.#buckets.size > ADDRESSES_MAX) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    const refilled = bucket.left + ((now - bucket.at) / 1000) * PER_SECOND;
    bucket.left = refilled < BURST ? refilled : BURST;
    bucket.at = now;
    if (bucket.left < 1) return Math.ceil(((1 - bucket.left) / PER_SECOND) * 1000);
    bucket.left -= 1;
    return 0;
  }
}
