import { type BinnedRows, MISSING_BIN } from "./bins.ts";

/** What a split has to keep to. */
export interface GrowthLimits {
  /** Levels of splits, at least 1. */
  readonly depth: number;
  /** L2 and L1 penalties on leaf weights. */
  readonly lambda: number;
  readonly alpha: number;
  /** Least gain of a split. */
  readonly gamma: number;
  /** Least sum of hessians in a child; above 0. */
  readonly minChildWeight: number;
  /** Per feature +1 (rising), -1 (falling) or 0. */
  readonly monotone: Int8Array;
  readonly threads: number;
}

/** A tree over bins, in breadth-first order: a level's nodes one after the other, siblings next to each other. */
export interface GrownTree {
  readonly nodes: number;
  /** Feature of a split; -1 for a leaf. */
  readonly feature: Int32Array;
  /** Bins up to this one go left. */
  readonly bin: Int32Array;
  readonly missingLeft: Int32Array;
  readonly left: Int32Array;
  readonly gain: Float64Array;
  /** Sum of hessians. */
  readonly cover: Float64Array;
  /** The optimal score of a leaf; also there for splits. */
  readonly weight: Float64Array;
}

/**
 * One way to grow a tree. All give the same bits: sums are exact whatever their order (`roundToGrid`), and each formula
 * is the same sequence of float64 operations.
 */
export interface TreeGrower {
  readonly name: string;
  /** Rows as bins, as `binRows`. */
  bin(rows: Float32Array, cuts: readonly Float32Array[]): BinnedRows;
  /** Gradients of the logistic loss, as `fillGradients`. */
  logisticGradients(scores: Float64Array, labels: Float64Array, weights: Float64Array, out: Float64Array): void;
  /**
   * @param pairs gradient and hessian of every row, from `fillGradients`.
   * @param chosen the rows to grow from, ascending; reordered in place.
   * @param features the features to split on, ascending.
   * @param leaves takes the leaf of each chosen row, at the row's place.
   */
  grow(
    binned: BinnedRows,
    pairs: Float64Array,
    chosen: Int32Array,
    features: Int32Array,
    limits: GrowthLimits,
    leaves: Int32Array,
  ): GrownTree;
}

/** Nodes of a full tree. */
export function mostNodes(depth: number): number {
  return (2 << depth) - 1;
}

/** Arrays for a tree of a depth. */
export function emptyTree(depth: number) {
  const most = mostNodes(depth);
  return {
    nodes: 0,
    feature: new Int32Array(most).fill(-1),
    bin: new Int32Array(most),
    missingLeft: new Int32Array(most),
    left: new Int32Array(most),
    gain: new Float64Array(most),
    cover: new Float64Array(most),
    weight: new Float64Array(most),
  };
}

/** A gain that is smaller than this share of the parent's score is rounding, and no reason to split. */
export const LEAST_SHARE = 1e-10;

interface Split {
  gain: number;
  feature: number;
  bin: number;
  missingLeft: number;
  leftGradient: number;
  leftHessian: number;
}

/**
 * Grows level by level from histograms of gradients, as XGBoost does (Chen and Guestrin, 2016, equations 6 and 7). Of
 * equal gains the first counts: lower feature, lower bin, missing values right.
 */
export function growPortably(
  binned: BinnedRows,
  pairs: Float64Array,
  chosen: Int32Array,
  features: Int32Array,
  limits: GrowthLimits,
  leaves: Int32Array,
): GrownTree {
  const { stride, bins } = binned;
  const tree = emptyTree(limits.depth);
  const most = mostNodes(limits.depth);
  const constrained = limits.monotone.some((sign) => sign !== 0);
  /** The rows of node n are chosen[first[n]] … chosen[end[n] - 1]. */
  const first = new Int32Array(most);
  const end = new Int32Array(most);
  const gradient = new Float64Array(most);
  /** Bounds on the weights below a node, from monotone splits above it. */
  const lowest = new Float64Array(most).fill(Number.NEGATIVE_INFINITY);
  const highest = new Float64Array(most).fill(Number.POSITIVE_INFINITY);
  const right = new Int32Array(chosen.length);
  const histogram = new Float64Array(2 * (MISSING_BIN + 1));

  end[0] = chosen.length;
  for (const row of chosen) {
    gradient[0] = gradient[0]! + pairs[2 * row]!;
    tree.cover[0] = tree.cover[0]! + pairs[2 * row + 1]!;
  }
  let nodes = 1;
  let levelEnd = 1;
  for (let node = 0, level = 0; node < nodes; node++) {
    if (node === levelEnd) {
      levelEnd = nodes;
      level++;
    }
    const [G, H] = [gradient[node]!, tree.cover[node]!];
    const [low, high] = [lowest[node]!, highest[node]!];
    tree.weight[node] = weightOf(G, H, low, high);
    if (level === limits.depth) continue;
    const best = bestSplit(node);
    const parent = scoreOf(G, H, tree.weight[node]!);
    if (!(best.gain > limits.gamma && best.gain > LEAST_SHARE * parent)) continue;

    const { feature, leftGradient, leftHessian } = best;
    const left = nodes;
    nodes += 2;
    tree.feature[node] = feature;
    tree.bin[node] = best.bin;
    tree.missingLeft[node] = best.missingLeft;
    tree.left[node] = left;
    tree.gain[node] = best.gain;
    gradient[left] = leftGradient;
    gradient[left + 1] = G - leftGradient;
    tree.cover[left] = leftHessian;
    tree.cover[left + 1] = H - leftHessian;
    for (const child of [left, left + 1]) {
      lowest[child] = low;
      highest[child] = high;
    }
    const sign = limits.monotone[feature]!;
    if (sign !== 0) {
      // Everything below the left child stays on one side of the middle, everything below the right on the other.
      const leftWeight = weightOf(leftGradient, leftHessian, low, high);
      const rightWeight = weightOf(G - leftGradient, H - leftHessian, low, high);
      const middle = (leftWeight + rightWeight) / 2;
      (sign > 0 ? highest : lowest)[left] = middle;
      (sign > 0 ? lowest : highest)[left + 1] = middle;
    }
    const middle = partition(node, best);
    first[left] = first[node]!;
    end[left] = middle;
    first[left + 1] = middle;
    end[left + 1] = end[node]!;
  }
  for (let node = 0; node < nodes; node++) {
    if (tree.feature[node]! >= 0) continue;
    for (let i = first[node]!; i < end[node]!; i++) leaves[chosen[i]!] = node;
  }
  return { ...tree, nodes };

  /** The weight that minimises the loss of a node, within bounds. */
  function weightOf(G: number, H: number, low: number, high: number): number {
    const weight = 0 - shrink(G) / (H + limits.lambda);
    return weight < low ? low : weight > high ? high : weight;
  }

  /** The gradient after the L1 penalty. */
  function shrink(G: number): number {
    return G > limits.alpha ? G - limits.alpha : G < 0 - limits.alpha ? G + limits.alpha : 0;
  }

  /** By how much a node lowers twice the loss with this weight; the simpler formula is the optimum's. */
  function scoreOf(G: number, H: number, weight: number): number {
    const shrunk = shrink(G);
    if (!constrained) return (shrunk * shrunk) / (H + limits.lambda);
    return 0 - (2 * shrunk * weight + (H + limits.lambda) * weight * weight);
  }

  function bestSplit(node: number): Split {
    const best = { gain: 0, feature: -1, bin: 0, missingLeft: 0, leftGradient: 0, leftHessian: 0 };
    const [G, H] = [gradient[node]!, tree.cover[node]!];
    const [low, high] = [lowest[node]!, highest[node]!];
    const parent = scoreOf(G, H, tree.weight[node]!);

    for (const feature of features) {
      histogram.fill(0);
      for (let i = first[node]!; i < end[node]!; i++) {
        const row = chosen[i]!;
        const cell = 2 * bins[row * stride + feature]!;
        histogram[cell] = histogram[cell]! + pairs[2 * row]!;
        histogram[cell + 1] = histogram[cell + 1]! + pairs[2 * row + 1]!;
      }
      const missingGradient = histogram[2 * MISSING_BIN]!;
      const missingHessian = histogram[2 * MISSING_BIN + 1]!;
      const missing = missingHessian > 0;
      const last = binned.cuts[feature]!.length;
      let sumGradient = 0;
      let sumHessian = 0;
      // Behind the last bin lie the missing values alone.
      for (let bin = 0; bin < (missing ? last + 1 : last); bin++) {
        sumGradient += histogram[2 * bin]!;
        sumHessian += histogram[2 * bin + 1]!;
        consider(feature, bin, missing ? 0 : sumHessian >= H - sumHessian ? 1 : 0, sumGradient, sumHessian);
        if (missing) consider(feature, bin, 1, sumGradient + missingGradient, sumHessian + missingHessian);
      }
    }
    return best;

    function consider(feature: number, bin: number, missingLeft: number, leftGradient: number, leftHessian: number) {
      const rightGradient = G - leftGradient;
      const rightHessian = H - leftHessian;
      if (!(leftHessian >= limits.minChildWeight && rightHessian >= limits.minChildWeight)) return;
      const leftWeight = weightOf(leftGradient, leftHessian, low, high);
      const rightWeight = weightOf(rightGradient, rightHessian, low, high);
      const sign = limits.monotone[feature]!;
      if (sign * leftWeight > sign * rightWeight) return;
      const children =
        scoreOf(leftGradient, leftHessian, leftWeight) + scoreOf(rightGradient, rightHessian, rightWeight);
      const gain = children - parent;
      if (gain > best.gain) Object.assign(best, { gain, feature, bin, missingLeft, leftGradient, leftHessian });
    }
  }

  /** Brings a node's rows into the order of its children, each in the order they were. @returns where the right begin. */
  function partition(node: number, { feature, bin, missingLeft }: Split): number {
    let middle = first[node]!;
    let rights = 0;
    for (let i = middle; i < end[node]!; i++) {
      const row = chosen[i]!;
      const place = bins[row * stride + feature]!;
      if (place === MISSING_BIN ? missingLeft === 1 : place <= bin) chosen[middle++] = row;
      else right[rights++] = row;
    }
    chosen.set(right.subarray(0, rights), middle);
    return middle;
  }
}
