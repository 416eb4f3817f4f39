/** Requests that one caller may make at once, and per second from then on. A dashboard needs a few. */
const BURST = 1000;
const PER_SECOND = 500;
/** Callers remembered; the one that was silent longest is forgotten. */
const CALLERS_MAX = 4096;

interface Bucket {
  left: number;
  at: number;
}

/** A token bucket per caller. */
export class RateLimit {
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param caller whoever is known by name, or an address
   * @param now ms
   * @param cost as many simple requests as this one is worth
   * @returns 0 when the request may go on, otherwise ms until it may
   */
  wait(caller: string, now: number, cost = 1): number {
    const bucket = this.#buckets.get(caller) ?? { left: BURST, at: now };
    // Moved to the end: the map is in the order of use.
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    if (this.#buckets.size > CALLERS_MAX) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    const refilled = bucket.left + ((now - bucket.at) / 1000) * PER_SECOND;
    bucket.left = refilled < BURST ? refilled : BURST;
    bucket.at = now;
    if (bucket.left < cost) return Math.ceil(((cost - bucket.left) / PER_SECOND) * 1000);
    bucket.left -= cost;
    return 0;
  }
}
