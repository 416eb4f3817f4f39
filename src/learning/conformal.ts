/**
 * Split conformal prediction for a probability of gain: which outcomes cannot be ruled out at a level. Scores are
 * 1 − the probability given to what happened (Vovk et al. 2005), from samples the model was not fitted on.
 */
export interface Conformal {
  /** Rising. */
  readonly scores: readonly number[];
}

/** Scores kept; more change the quantile by less than it is known. */
const MOST_SCORES = 500;

export function conformalOf(p: ArrayLike<number>, y: ArrayLike<number>): Conformal {
  const scores = Array.from({ length: p.length }, (_, i) => (y[i] === 1 ? 1 - p[i]! : p[i]!)).sort((a, b) => a - b);
  if (scores.length <= MOST_SCORES) return { scores };
  return {
    scores: Array.from({ length: MOST_SCORES }, (_, k) => scores[Math.floor((k * scores.length) / MOST_SCORES)]!),
  };
}

/** The ⌈(n + 1)(1 − α)⌉-th smallest score; beyond the largest nothing can be ruled out (Infinity). */
export function conformalQuantile({ scores }: Conformal, alpha: number): number {
  const place = Math.ceil((scores.length + 1) * (1 - alpha));
  if (place < 1) return Number.NEGATIVE_INFINITY;
  return place > scores.length ? Number.POSITIVE_INFINITY : scores[place - 1]!;
}

/** The outcomes that remain possible. One alone is a prediction; both say "do not know", none "never seen such a thing". */
export interface PredictionSet {
  readonly gain: boolean;
  readonly loss: boolean;
}

export function predictionSet(conformal: Conformal, p: number, alpha: number): PredictionSet {
  const limit = conformalQuantile(conformal, alpha);
  return { gain: 1 - p <= limit, loss: p <= limit };
}

/**
 * Adaptive conformal inference (Gibbs and Candès 2021): α ← α + γ·(target − miss). A miss lowers α, which widens the
 * sets, so that the share of misses comes to the target however the world changes.
 */
export class AdaptiveAlpha {
  readonly #target: number;
  readonly #rate: number;
  #alpha: number;
  #misses = 0;
  #count = 0;

  constructor(target: number, rate = 0.01) {
    this.#target = target;
    this.#rate = rate;
    this.#alpha = target;
  }

  get alpha(): number {
    return this.#alpha;
  }

  /** Share of outcomes so far that were in their sets; NaN before the first. */
  get coverage(): number {
    return 1 - this.#misses / this.#count;
  }

  outcome(covered: boolean): void {
    this.#count++;
    if (!covered) this.#misses++;
    this.#alpha += this.#rate * (this.#target - (covered ? 0 : 1));
  }
}
