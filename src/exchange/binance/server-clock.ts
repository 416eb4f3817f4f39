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
  /** An answer that contradicts the one that is believed. */
  #doubt: Sample | undefined;
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
    const sample = { received, roundTrip: received - sent, offset: server - (sent + received) / 2 };
    const oldest = received - WINDOW;
    if (this.#best === undefined || this.#best.received < oldest || !contradict(this.#best, sample)) {
      this.#doubt = undefined;
    } else if (this.#doubt === undefined || contradict(this.#doubt, sample)) {
      // One answer may be nonsense: until the next one says which is right, nothing is.
      this.#doubt = sample;
      return;
    } else {
      // One of the two clocks was set, and older answers are about the past.
      this.#samples = [];
      this.#doubt = undefined;
    }
    this.#samples = this.#samples.filter((one) => one.received >= oldest).slice(-MOST + 1);
    this.#samples.push(sample);
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

  /** How far the exchange's clock may be from `now()`, ms; Infinity while nothing was measured, or answers contradict. */
  get error(): number {
    if (this.#best === undefined || this.#doubt !== undefined) return Number.POSITIVE_INFINITY;
    // Times of the exchange are whole ms, and so is `now`.
    return 2 + this.uncertainty + DRIFT * (this.#now() - this.#best.received);
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

/** Whether two answers cannot both be right about the same two clocks. */
function contradict(a: Sample, b: Sample): boolean {
  const possible = (a.roundTrip + b.roundTrip) / 2 + DRIFT * Math.abs(b.received - a.received) + 2;
  return Math.abs(a.offset - b.offset) > possible;
}

interface Sample {
  readonly received: number;
  readonly roundTrip: number;
  readonly offset: number;
}

const WINDOW = 10 * 60_000;
/** Of two clocks against each other, ms per ms: each quartz is off by up to some 50 ppm. */
const DRIFT = 1e-4;
const MOST = 32;
