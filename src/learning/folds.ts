import { combinations } from "./overfitting.ts";

/** When each sample was decided and when its label was known, ms UTC. Samples are in rising order of `time`. */
export interface Spans {
  readonly time: Float64Array;
  /** `t1` of the literature: the label depends on nothing later. At least `time`. */
  readonly labelTime: Float64Array;
}

/** Places of samples. No label of a training sample overlaps the time of the test samples or the embargo after it. */
export interface Fold {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/**
 * Removes from `train` what shares information with the test stretch (López de Prado 2018, chapter 7): samples whose
 * [time, labelTime] overlaps [from, to], and those decided within `embargo` after it.
 */
export function purge(spans: Spans, train: Iterable<number>, from: number, to: number, embargo: number): Int32Array {
  const kept: number[] = [];
  for (const i of train) {
    const [t0, t1] = [spans.time[i]!, spans.labelTime[i]!];
    if (t0 <= to + embargo && t1 >= from) continue;
    kept.push(i);
  }
  return Int32Array.from(kept);
}

/** From the first decision of the test samples to the last of their labels. */
export function spanOf(spans: Spans, test: ArrayLike<number>): { from: number; to: number } {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let k = 0; k < test.length; k++) {
    const i = test[k]!;
    if (spans.time[i]! < from) from = spans.time[i]!;
    if (spans.labelTime[i]! > to) to = spans.labelTime[i]!;
  }
  return { from, to };
}

/** The embargo of the literature: 1 % of the whole span, at least the longest label. */
export function embargoOf(spans: Spans): number {
  const n = spans.time.length;
  let longest = 0;
  for (let i = 0; i < n; i++) {
    const life = spans.labelTime[i]! - spans.time[i]!;
    if (life > longest) longest = life;
  }
  const share = n === 0 ? 0 : (spans.time[n - 1]! - spans.time[0]!) / 100;
  return share > longest ? share : longest;
}

/**
 * Cuts the samples into `count` groups of about the same size that never divide samples of one time: what is decided in
 * one cycle stays together. Edges are places; group g is edges[g] … edges[g + 1] − 1.
 */
export function groupEdges(spans: Spans, count: number): number[] {
  const n = spans.time.length;
  const edges = [0];
  for (let g = 1; g < count; g++) {
    let edge = Math.max(edges[g - 1]!, Math.floor((g * n) / count));
    while (edge > 0 && edge < n && spans.time[edge] === spans.time[edge - 1]) edge++;
    edges.push(edge);
  }
  edges.push(n);
  return edges;
}

function range(from: number, to: number): Int32Array {
  return Int32Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

/**
 * Walk-forward: the samples are cut into `folds` + 1 groups; each but the first is tested once with everything before it
 * that is purged as training. The only split that is like trading, and so the one that gates promotion.
 */
export function walkForward(spans: Spans, folds: number): Fold[] {
  const edges = groupEdges(spans, folds + 1);
  const result: Fold[] = [];
  for (let g = 1; g <= folds; g++) {
    const test = range(edges[g]!, edges[g + 1]!);
    if (test.length === 0) continue;
    const { from, to } = spanOf(spans, test);
    result.push({ train: purge(spans, range(0, edges[g]!), from, to, 0), test });
  }
  return result;
}

/** k folds in order of time; training comes from both sides, purged and embargoed. */
export function purgedFolds(spans: Spans, count: number, embargo: number): Fold[] {
  return combinatorialFolds(spans, count, 1, embargo).map(({ fold }) => fold);
}

export interface CombinatorialFold {
  /** The groups that are tested. */
  readonly groups: readonly number[];
  readonly fold: Fold;
}

/** Combinatorial purged cross-validation (López de Prado 2018, chapter 12): every choice of `tested` of `count` groups. */
export function combinatorialFolds(spans: Spans, count: number, tested: number, embargo: number): CombinatorialFold[] {
  const edges = groupEdges(spans, count);
  return combinations(count, tested).map((groups) => {
    let train: Int32Array = range(0, spans.time.length);
    const test: number[] = [];
    for (const g of groups) {
      const group = range(edges[g]!, edges[g + 1]!);
      if (group.length === 0) continue;
      const { from, to } = spanOf(spans, group);
      train = purge(spans, train, from, to, embargo);
      test.push(...group);
    }
    return { groups, fold: { train, test: Int32Array.from(test) } };
  });
}

/**
 * The paths through combinatorial folds: each group is tested C(count − 1, tested − 1) times, and path p takes its p-th
 * prediction of each. `paths[p][g]` is the place of the fold that predicts group g.
 */
export function combinatorialPaths(folds: readonly CombinatorialFold[], count: number): number[][] {
  const byGroup = Array.from({ length: count }, (_, g) =>
    folds.flatMap(({ groups }, place) => (groups.includes(g) ? [place] : [])),
  );
  const paths = byGroup[0]?.length ?? 0;
  return Array.from({ length: paths }, (_, p) => byGroup.map((places) => places[p]!));
}
