import { InputError } from "../../input-error.ts";
import { logistic } from "../exact-math.ts";

/** What a prediction is: a probability, a mean, or the quantile `alpha` of the label. */
export type TreeObjective =
  | { readonly kind: "logistic" }
  | { readonly kind: "squared" }
  | { readonly kind: "quantile"; readonly alpha: number };

/**
 * A binary tree, one array per field, in an order in which every node comes before its children and the right child
 * follows the left. All thresholds and values are float32 numbers, so that ONNX holds them without rounding.
 */
export interface Tree {
  /** Place of the feature in the row that a node splits on; -1 for a leaf. */
  readonly feature: readonly number[];
  /** Left if `x <= threshold`, right if not. 0 for a leaf. */
  readonly threshold: readonly number[];
  /** 1 where a missing value (NaN) goes left. */
  readonly missingLeft: readonly number[];
  /** The left child, its sibling being the node after; 0 for a leaf. */
  readonly left: readonly number[];
  /** What a leaf adds to the score; 0 for a split. */
  readonly value: readonly number[];
  /** By how much a split lowered twice the regularised loss; 0 for a leaf and where an imported file does not say. */
  readonly gain: readonly number[];
  /** Sum of the hessians of the training rows that came here; 0 where an imported file does not say. */
  readonly cover: readonly number[];
}

/** Additive trees, as plain data: JSON and back is the same ensemble. */
export interface TreeEnsemble {
  readonly objective: TreeObjective;
  /** Names of the features in the order of a row. */
  readonly features: readonly string[];
  /** The score of a row before any tree. */
  readonly base: number;
  readonly trees: readonly Tree[];
}

/** Nodes of one tree and features are addressed by 16 bits in the native walker. */
export const LARGEST_TREE = 65_535;
export const MOST_FEATURES = 32_767;

/** From the sum of base and leaves to the prediction. */
export function linkOf(objective: TreeObjective): (score: number) => number {
  return objective.kind === "logistic" ? logistic : (score) => score;
}

/**
 * Predicts row by row: the oracle that every faster walker has to agree with in every bit. Leaves are added in float64
 * in the order of the trees.
 *
 * @param rows row-major, `features.length` numbers each, NaN where a value is missing.
 * @param out takes a prediction per row: a probability for `logistic`, otherwise the label's unit.
 */
export function predictTrees(ensemble: TreeEnsemble, rows: Float32Array, out: Float64Array): void {
  const { base, trees, features } = ensemble;
  const count = rowCount(rows, features.length, out);
  const link = linkOf(ensemble.objective);
  for (let row = 0; row < count; row++) {
    let score = base;
    for (const tree of trees) score += tree.value[leafOf(tree, rows, row * features.length)]!;
    out[row] = link(score);
  }
}

/** The leaf that the row beginning at `start` falls into. */
export function leafOf(tree: Tree, rows: Float32Array, start: number): number {
  let node = 0;
  for (let feature = tree.feature[0]!; feature >= 0; feature = tree.feature[node]!) {
    const x = rows[start + feature]!;
    const goesLeft = x <= tree.threshold[node]! || (tree.missingLeft[node] === 1 && Number.isNaN(x));
    node = tree.left[node]! + (goesLeft ? 0 : 1);
  }
  return node;
}

/** @throws RangeError when the rows are not whole or `out` has no room. */
export function rowCount(rows: Float32Array, width: number, out: Float64Array): number {
  const count = rows.length / width;
  if (!Number.isInteger(count)) throw new RangeError(`${rows.length} numbers are no rows of ${width} features`);
  if (out.length < count) throw new RangeError(`${count} rows, but room for ${out.length} predictions`);
  return count;
}

/** How deep a tree is: 0 for a single leaf. */
export function depthOf({ feature, left }: Tree): number {
  const depth = new Int32Array(feature.length);
  let deepest = 0;
  for (let node = 0; node < feature.length; node++) {
    if (feature[node]! < 0) continue;
    const below = depth[node]! + 1;
    depth[left[node]!] = below;
    depth[left[node]! + 1] = below;
    if (below > deepest) deepest = below;
  }
  return deepest;
}

export interface Importance {
  readonly feature: string;
  /** Sum of the gains of its splits. */
  readonly gain: number;
  /** Sum of the covers of its splits. */
  readonly cover: number;
  readonly splits: number;
}

/** How much each feature did, the greatest gain first; features without a split are there too. */
export function importanceOf({ features, trees }: TreeEnsemble): Importance[] {
  const sums = features.map((feature) => ({ feature, gain: 0, cover: 0, splits: 0 }));
  for (const { feature, gain, cover } of trees) {
    for (const [node, place] of feature.entries()) {
      const sum = sums[place];
      if (sum === undefined) continue;
      sum.gain += gain[node]!;
      sum.cover += cover[node]!;
      sum.splits++;
    }
  }
  return sums.sort((a, b) => b.gain - a.gain);
}

/**
 * An ensemble from JSON that somebody else may have written.
 * @throws InputError that says what is wrong and where.
 */
export function readEnsemble(json: unknown, where: string): TreeEnsemble {
  const wrong = (what: string): never => {
    throw new InputError(`${where}: ${what}`);
  };
  if (!isRecord(json)) return wrong("is not an object with objective, features, base and trees");
  const { objective, features, base, trees } = json;
  if (!isObjective(objective)) {
    wrong('objective must be {"kind":"logistic"}, {"kind":"squared"} or {"kind":"quantile","alpha":0…1}');
  }
  if (!Array.isArray(features) || features.length === 0 || !features.every((name) => typeof name === "string")) {
    wrong("features must be a list of names");
  }
  const names = features as string[];
  if (new Set(names).size !== names.length) wrong("two features have the same name");
  if (names.length > MOST_FEATURES) wrong(`${names.length} features; at most ${MOST_FEATURES} are possible`);
  if (typeof base !== "number" || !Number.isFinite(base)) wrong("base must be a finite number");
  if (!Array.isArray(trees)) return wrong("trees must be a list");
  for (const [index, tree] of trees.entries()) {
    const fault = faultOf(tree, names.length);
    if (fault !== undefined) wrong(`tree ${index}: ${fault}`);
  }
  return { objective, features: names, base, trees } as TreeEnsemble;
}

const TREE_FIELDS = ["feature", "threshold", "missingLeft", "left", "value", "gain", "cover"] as const;

/** What is wrong with a tree, or undefined. */
export function faultOf(tree: unknown, features: number): string | undefined {
  if (!isRecord(tree)) return "is not an object";
  for (const field of TREE_FIELDS) {
    const values = tree[field];
    if (!Array.isArray(values) || !values.every(Number.isFinite)) return `${field} must be a list of finite numbers`;
  }
  const { feature, threshold, missingLeft, left, value } = tree as unknown as Tree;
  const nodes = feature.length;
  if (nodes === 0 || nodes > LARGEST_TREE) return `has ${nodes} nodes; 1 to ${LARGEST_TREE} are possible`;
  for (const field of TREE_FIELDS) {
    const { length } = tree[field] as unknown[];
    if (length !== nodes) return `${field} has ${length} numbers for ${nodes} nodes`;
  }
  const parents = new Uint8Array(nodes);
  for (let node = 0; node < nodes; node++) {
    const place = feature[node]!;
    if (!Number.isInteger(place) || place < -1 || place >= features) {
      return `node ${node} splits on feature ${place} of ${features}`;
    }
    if (Math.fround(threshold[node]!) !== threshold[node]) return `the threshold of node ${node} is no float32 number`;
    if (Math.fround(value[node]!) !== value[node]) return `the value of node ${node} is no float32 number`;
    if (missingLeft[node] !== 0 && missingLeft[node] !== 1) return `missingLeft of node ${node} is neither 0 nor 1`;
    if (place < 0) continue;
    const child = left[node]!;
    // Children come later, which rules out cycles.
    if (!Number.isInteger(child) || child <= node || child + 1 >= nodes) return `node ${node} has no two children`;
    for (const each of [child, child + 1]) {
      if (parents[each]! > 0) return `node ${each} has two parents`;
      parents[each] = 1;
    }
  }
  for (let node = 1; node < nodes; node++) {
    if (parents[node] === 0) return `node ${node} has no parent`;
  }
  return undefined;
}

function isObjective(value: unknown): value is TreeObjective {
  if (!isRecord(value)) return false;
  const { kind, alpha } = value;
  return kind === "logistic" || kind === "squared" || (kind === "quantile" && isShare(alpha));
}

function isShare(x: unknown): boolean {
  return typeof x === "number" && x > 0 && x < 1;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
