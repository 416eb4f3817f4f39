import { type Moments, momentsOf, normalCdf, normalInverse, sharpeOf } from "./statistics.ts";

/**
 * How much of a Sharpe ratio is left when luck, the shape of the returns and the number of attempts are counted. All
 * Sharpe ratios are per observation and never annualised; kurtosis is raw (a normal distribution has 3).
 */

/** Variance of the estimated Sharpe ratio times T − 1: 1 − γ₃·SR + (γ₄ − 1)/4·SR²; 1 + SR²/2 for normal returns (Lo 2002). */
export function sharpeVariance(sharpe: number, skewness: number, kurtosis: number): number {
  return 1 - skewness * sharpe + ((kurtosis - 1) / 4) * sharpe * sharpe;
}

/**
 * Probabilistic Sharpe ratio (Bailey and López de Prado 2012): the chance that the true Sharpe ratio is above
 * `benchmark`, Φ[(SR − SR*)·√(T − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²)].
 */
export function probabilisticSharpe(returns: ArrayLike<number>, benchmark: number): number {
  const { count, deviation, skewness, kurtosis, mean } = momentsOf(returns);
  // Returns that never vary prove nothing in either direction.
  if (!(count > 1 && deviation > 0)) return 0;
  return sharpeProbability(mean / deviation, { count, skewness, kurtosis }, benchmark);
}

/** The same from what is known of the returns. */
export function sharpeProbability(
  sharpe: number,
  { count, skewness, kurtosis }: Pick<Moments, "count" | "skewness" | "kurtosis">,
  benchmark: number,
): number {
  const variance = sharpeVariance(sharpe, skewness, kurtosis);
  return normalCdf(((sharpe - benchmark) * Math.sqrt(count - 1)) / Math.sqrt(variance));
}

const EULER_MASCHERONI = 0.5772156649015329;

/**
 * The Sharpe ratio that the best of N attempts without any skill is expected to show (Bailey and López de Prado 2014):
 * √V·((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))), V the variance of the attempts' Sharpe ratios. 0 for one attempt.
 */
export function expectedMaximumSharpe(trials: number, variance: number): number {
  if (trials <= 1) return 0;
  const first = normalInverse(1 - 1 / trials);
  const second = normalInverse(1 - 1 / (trials * Math.E));
  return Math.sqrt(variance) * ((1 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second);
}

/** Deflated Sharpe ratio: the probabilistic one against the best that luck would have given in so many trials. */
export function deflatedSharpe(returns: ArrayLike<number>, trialSharpes: readonly number[]): number {
  const { deviation } = momentsOf(trialSharpes);
  const variance = trialSharpes.length > 1 ? deviation * deviation : 0;
  return probabilisticSharpe(returns, expectedMaximumSharpe(trialSharpes.length, variance));
}

/** Observations needed for the Sharpe ratio to be above `benchmark` with a confidence (such as 0.95); Infinity if below. */
export function minimumTrackRecord(returns: ArrayLike<number>, benchmark: number, confidence: number): number {
  const { skewness, kurtosis } = momentsOf(returns);
  const sharpe = sharpeOf(returns);
  if (!(sharpe > benchmark)) return Number.POSITIVE_INFINITY;
  const z = normalInverse(confidence) / (sharpe - benchmark);
  return 1 + sharpeVariance(sharpe, skewness, kurtosis) * z * z;
}

export interface Overfitting {
  /** Share of the splits in which the best in sample is not above the middle out of sample. */
  readonly probability: number;
  /** Share of the splits in which the best in sample loses out of sample. */
  readonly lossProbability: number;
  /** Of the out-of-sample Sharpe ratio of the chosen over its in-sample one, by least squares. */
  readonly slope: number;
  readonly splits: number;
}

/**
 * Probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and
 * Zhu 2017). The T rows are cut into S blocks; every half of them is once the sample in which the best trial is chosen,
 * the other half shows how that one ranks: λ = ln(w / (1 − w)), w = rank / (N + 1), and the probability is the share of
 * λ ≤ 0. Equal ratios share the mean of their ranks.
 *
 * @param series one series of returns per trial, all over the same T periods
 * @throws RangeError for fewer than 2 trials or fewer periods than blocks, or an odd number of blocks
 */
export function overfitting(series: readonly ArrayLike<number>[], blocks = 10): Overfitting {
  const periods = series[0]?.length ?? 0;
  if (series.length < 2) throw new RangeError(`${series.length} trials; choosing needs at least 2`);
  if (blocks % 2 !== 0 || blocks < 2) throw new RangeError(`${blocks} blocks; allowed is an even number`);
  if (periods < blocks) throw new RangeError(`${periods} periods for ${blocks} blocks`);
  const edges = Array.from({ length: blocks + 1 }, (_, b) => Math.floor((b * periods) / blocks));
  // Sums of values and squares per block make every split cheap.
  const sums = series.map((values) => blockSums(values, edges));
  let [below, losses, splits] = [0, 0, 0];
  const inSample: number[] = [];
  const outOfSample: number[] = [];
  for (const chosen of combinations(blocks, blocks / 2)) {
    const inside = new Set(chosen);
    const scores = sums.map((blockSum) => [sharpeOfBlocks(blockSum, edges, (b) => inside.has(b)), blockSum] as const);
    let best = 0;
    for (let n = 1; n < scores.length; n++) if (scores[n]![0] > scores[best]![0]) best = n;
    const out = sums.map((blockSum) => sharpeOfBlocks(blockSum, edges, (b) => !inside.has(b)));
    const mine = out[best]!;
    let rank = 0.5;
    for (const other of out) rank += other < mine ? 1 : other === mine ? 0.5 : 0;
    if (rank / (series.length + 1) <= 0.5) below++;
    if (mine < 0) losses++;
    inSample.push(scores[best]![0]);
    outOfSample.push(mine);
    splits++;
  }
  const [a, b] = [momentsOf(inSample), momentsOf(outOfSample)];
  let covariance = 0;
  for (let i = 0; i < splits; i++) covariance += (inSample[i]! - a.mean) * (outOfSample[i]! - b.mean);
  const slope = a.deviation > 0 ? covariance / (splits - 1) / (a.deviation * a.deviation) : 0;
  return { probability: below / splits, lossProbability: losses / splits, slope, splits };
}

interface BlockSum {
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

function blockSums(values: ArrayLike<number>, edges: readonly number[]): BlockSum {
  const blocks = edges.length - 1;
  const sum = new Float64Array(blocks);
  const squares = new Float64Array(blocks);
  for (let b = 0; b < blocks; b++) {
    for (let i = edges[b]!; i < edges[b + 1]!; i++) {
      sum[b]! += values[i]!;
      squares[b]! += values[i]! * values[i]!;
    }
  }
  return { sum, squares };
}

function sharpeOfBlocks(
  { sum, squares }: BlockSum,
  edges: readonly number[],
  taken: (block: number) => boolean,
): number {
  let [n, total, square] = [0, 0, 0];
  for (let b = 0; b < sum.length; b++) {
    if (!taken(b)) continue;
    n += edges[b + 1]! - edges[b]!;
    total += sum[b]!;
    square += squares[b]!;
  }
  const mean = total / n;
  const variance = (square - n * mean * mean) / (n - 1);
  // What is left of a difference of equal sums is rounding, not variance.
  return variance > 1e-24 ? mean / Math.sqrt(variance) : 0;
}

/** All choices of `k` of 0 … n − 1, each in rising order. */
export function combinations(n: number, k: number): number[][] {
  if (k === 0) return [[]];
  const found: number[][] = [];
  for (let last = k - 1; last < n; last++) for (const rest of combinations(last, k - 1)) found.push([...rest, last]);
  return found;
}
