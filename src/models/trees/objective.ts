import { exp, ln, logistic } from "../exact-math.ts";
import type { TreeObjective } from "./ensemble.ts";

/** Rows with what they should predict. */
export interface TreeDataset {
  /** Names of the features, in the order of a row. */
  readonly names: readonly string[];
  /** Row-major, `names.length` numbers each: finite, or NaN where missing. */
  readonly rows: Float32Array;
  /** For `logistic` a probability, usually 0 or 1; otherwise finite. */
  readonly labels: ArrayLike<number>;
  /** How much a row counts, at least 0; 1 for all where absent. */
  readonly weights?: ArrayLike<number>;
}

/** Smallest hessian of the logistic loss: keeps a leaf of certain rows from dividing by nothing. */
export const LEAST_HESSIAN = 1e-16;

/** The best score without any tree: log odds, mean, or quantile of the labels. */
export function baseScore(objective: TreeObjective, labels: Float64Array, weights: Float64Array): number {
  if (objective.kind === "quantile") return weightedQuantile(labels, weights, objective.alpha);
  let sum = 0;
  let total = 0;
  for (let i = 0; i < labels.length; i++) {
    sum += weights[i]! * labels[i]!;
    total += weights[i]!;
  }
  const mean = sum / total;
  if (objective.kind === "squared") return mean;
  const p = mean < 1e-6 ? 1e-6 : mean > 1 - 1e-6 ? 1 - 1e-6 : mean;
  return ln(p / (1 - p));
}

/** The smallest value up to which at least the share `alpha` of the weight lies. */
export function weightedQuantile(values: Float64Array, weights: Float64Array, alpha: number): number {
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b);
  let total = 0;
  for (const i of order) total += weights[i]!;
  let sum = 0;
  for (const i of order) {
    sum += weights[i]!;
    if (sum >= alpha * total) return values[i]!;
  }
  return values[order.at(-1)!]!;
}

/**
 * Gradient and hessian of the loss by the score, per row next to each other, on a grid that makes sums exact
 * (`roundToGrid`). The quantile loss has no curvature; its hessian is the weight (as for LightGBM).
 */
export function fillGradients(
  objective: TreeObjective,
  scores: Float64Array,
  labels: Float64Array,
  weights: Float64Array,
  out: Float64Array,
): void {
  for (let i = 0; i < scores.length; i++) {
    const weight = weights[i]!;
    const score = scores[i]!;
    if (objective.kind === "logistic") {
      const p = logistic(score);
      const curvature = p * (1 - p);
      out[2 * i] = weight * (p - labels[i]!);
      out[2 * i + 1] = weight * (curvature > LEAST_HESSIAN ? curvature : LEAST_HESSIAN);
    } else {
      const slope =
        objective.kind === "squared"
          ? score - labels[i]!
          : score < labels[i]!
            ? 0 - objective.alpha
            : 1 - objective.alpha;
      out[2 * i] = weight * slope;
      out[2 * i + 1] = weight;
    }
  }
  roundToGrid(out);
}

/**
 * Rounds gradients (even places) and hessians (odd places) to multiples of a power of two so large that any sum of them
 * is a float64 number without rounding. Sums are then the same in every order: histograms may be split between threads,
 * and that of one child taken from its parent's, without a bit changing. Of 50,000 rows at least 34 bits of the largest
 * gradient remain, more than the 24 of the float32 gradients that others use.
 */
export function roundToGrid(pairs: Float64Array): void {
  for (const first of [0, 1]) {
    let largest = 0;
    for (let i = first; i < pairs.length; i += 2) {
      const size = pairs[i]! < 0 ? 0 - pairs[i]! : pairs[i]!;
      if (size > largest) largest = size;
    }
    // From 2^m on, where 2^m is at least twice any sum, neighbouring numbers are 2^(m - 52) apart.
    const sum = largest * pairs.length;
    let power = 1;
    while (power < sum) power *= 2;
    while (power >= 2 * sum && power > 1e-250) power /= 2;
    const round = 1.5 * power;
    for (let i = first; i < pairs.length; i += 2) pairs[i] = pairs[i]! + round - round;
  }
}

/** Mean loss of scores: log loss, squared error, or pinball loss. */
export function meanLoss(
  objective: TreeObjective,
  scores: Float64Array,
  labels: Float64Array,
  weights: Float64Array,
): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < scores.length; i++) {
    const [score, label] = [scores[i]!, labels[i]!];
    const over = score - label;
    let loss: number;
    if (objective.kind === "logistic") loss = softplus(score) - label * score;
    else if (objective.kind === "squared") loss = over * over;
    else loss = over < 0 ? (0 - objective.alpha) * over : (1 - objective.alpha) * over;
    sum += weights[i]! * loss;
    total += weights[i]!;
  }
  return sum / total;
}

/** ln(1 + e^x). */
function softplus(x: number): number {
  return x > 0 ? x + ln(1 + exp(0 - x)) : ln(1 + exp(x));
}
