/**
 * The exchange's clock, seen from here. Measured against the monotonic clock of the process, so that a step of the
 * system's wall clock changes nothing.
 *
 * A question sent at `sent` and answered at `received` with the time `server` puts the offset within half a round trip
 * of `server - (sent + received) / 2`: the answer with the shortest round trip is believed (the filter of NTP, RFC 5905
 * section 10, with a window in time instead of eight samples).
 */
export class ServerClock {
  /** Of the wall clock at the start; believed until the first answer. */
  readonly #assumed: number;
  readonly #now: () => number;
  #samples: Sample[] = [];
  /** The answer that is believed: of the shortest round trip, and the later one of equals. */
  #best: Sample | undefined;

  /**
   * @param now monotonic ms
   * @param wall ms since the epoch, for the time before the first answer
   */
  constructor(now: () => number = () => performance.now(), wall: () => number = () => Date.now()) {
    this.#now = now;
    this.#assumed = wall() - now();
  }

  /** Takes an answer: monotonic ms before and after the question, and the exchange's time in it. */
  sample(sent: number, received: number, server: number): void {
    const oldest = received - WINDOW;
    this.#samples = this.#samples.filter((sample) => sample.received >= oldest).slice(-MOST + 1);
    this.#samples.push({ received, roundTrip: received - sent, offset: server - (sent + received) / 2 });
    this.#best = shortest(this.#samples);
  }

  /** Forgets what was measured before: the exchange has refused a timestamp. What is believed stays until an answer. */
  distrust(): void {
    if (this.#best === undefined) return;
    this.#best = { ...this.#best, roundTrip: Number.POSITIVE_INFINITY };
    this.#samples = [this.#best];
  }

  /** The exchange's time, ms since the epoch, whole. */
  now(): number {
    return Math.round(this.#now() + this.#offset);
  }

  /** Exchange's time of a monotonic time. */
  at(monotonic: number): number {
    return monotonic + this.#offset;
  }

  /** Half of the shortest round trip: how wrong the offset may be, ms; Infinity while nothing was measured. */
  get uncertainty(): number {
    return (this.#best?.roundTrip ?? Number.POSITIVE_INFINITY) / 2;
  }

  /** The exchange's clock less this machine's, ms; what is assumed is that there is none. */
  get offset(): number {
    return this.#best === undefined ? 0 : this.#best.offset - this.#assumed;
  }

  get #offset(): number {
    return this.#best?.offset ?? this.#assumed;
  }
}

function shortest(samples: readonly Sample[]): Sample | undefined {
  let best: Sample | undefined;
  for (const sample of samples) if (best === undefined || sample.roundTrip <= best.roundTrip) best = sample;
  return best;
}

interface Sample {
  readonly received: number;
  readonly roundTrip: number;
  readonly offset: number;
}

/** Quartz drifts by up to some 50 ms in this time, which is small beside the receive window. */
const WINDOW = 10 * 60_000;
const MOST = 32;
