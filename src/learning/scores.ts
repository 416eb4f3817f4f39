/**
 * How good probabilities are. `p` are probabilities of the label 1, `y` labels 0 or 1; weights default to 1.
 */

/**
 * Area under the receiver operating characteristic: the chance that a random 1 has a higher score than a random 0, ties
 * counting half (Mann and Whitney, by ranks). 0.5 where there is only one kind of label.
 */
export function auc(p: ArrayLike<number>, y: ArrayLike<number>): number {
  const order = Array.from({ length: p.length }, (_, i) => i).sort((a, b) => p[a]! - p[b]!);
  let [ones, rankSum] = [0, 0];
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && p[order[to]!] === p[order[from]!]) to++;
    // Ranks count from 1; equal scores share the mean of theirs.
    const rank = (from + 1 + to) / 2;
    for (let i = from; i < to; i++) {
      if (y[order[i]!] !== 1) continue;
      ones++;
      rankSum += rank;
    }
    from = to;
  }
  const zeros = order.length - ones;
  if (ones === 0 || zeros === 0) return 0.5;
  return (rankSum - (ones * (ones + 1)) / 2) / (ones * zeros);
}

/** Standard error of an area of 0.5 under independence: √((n₁ + n₀ + 1) / (12 n₁ n₀)). */
export function aucError(ones: number, zeros: number): number {
  return Math.sqrt((ones + zeros + 1) / (12 * ones * zeros));
}

const SMALLEST = 1e-15;

/** Mean of −ln of the probability given to what happened; probabilities are kept 1e-15 away from 0 and 1. */
export function logLoss(p: ArrayLike<number>, y: ArrayLike<number>, weights?: ArrayLike<number>): number {
  let [sum, total] = [0, 0];
  for (let i = 0; i < p.length; i++) {
    const w = weights?.[i] ?? 1;
    sum += w * lossOf(p[i]!, y[i]!);
    total += w;
  }
  return sum / total;
}

export function lossOf(p: number, y: number): number {
  const chance = y === 1 ? p : 1 - p;
  return -Math.log(chance > SMALLEST ? chance : SMALLEST);
}

/** Mean squared distance of probability and label (Brier 1950). */
export function brier(p: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += (p[i]! - y[i]!) ** 2;
  return sum / p.length;
}

export interface ReliabilityBin {
  readonly count: number;
  /** Mean of what was said, and share of what happened. */
  readonly predicted: number;
  readonly observed: number;
}

/** Bins of equal width over [0, 1]; empty ones are left out. */
export function reliability(p: ArrayLike<number>, y: ArrayLike<number>, bins = 15): ReliabilityBin[] {
  const count = new Float64Array(bins);
  const said = new Float64Array(bins);
  const happened = new Float64Array(bins);
  for (let i = 0; i < p.length; i++) {
    const bin = Math.min(bins - 1, Math.floor(p[i]! * bins));
    count[bin]! += 1;
    said[bin]! += p[i]!;
    happened[bin]! += y[i]!;
  }
  const kept: ReliabilityBin[] = [];
  for (let b = 0; b < bins; b++) {
    const n = count[b]!;
    if (n > 0) kept.push({ count: n, predicted: said[b]! / n, observed: happened[b]! / n });
  }
  return kept;
}

/** Expected calibration error (Naeini et al. 2015): mean distance of said and observed, bins weighted by their count. */
export function calibrationError(bins: readonly ReliabilityBin[]): number {
  let [sum, total] = [0, 0];
  for (const { count, predicted, observed } of bins) {
    sum += count * Math.abs(predicted - observed);
    total += count;
  }
  return sum / total;
}

/**
 * The calibration error that perfectly calibrated probabilities would show in these bins by chance alone: the mean
 * absolute deviation of a share from its probability is √(2/π · p(1−p)/n). On few samples it is most of what is
 * measured, and a gate that did not subtract it would judge the size of the sample.
 */
export function calibrationNoise(bins: readonly ReliabilityBin[]): number {
  let [sum, total] = [0, 0];
  for (const { count, predicted } of bins) {
    sum += count * Math.sqrt(((2 / Math.PI) * predicted * (1 - predicted)) / count);
    total += count;
  }
  return sum / total;
}
