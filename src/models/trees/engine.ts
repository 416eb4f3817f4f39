import { depthOf, predictTrees, type TreeEnsemble } from "./ensemble.ts";
import type { TreeGrower } from "./grow.ts";
import { PORTABLE_GROWER } from "./train.ts";

/** Predictions for rows as for `predictTrees`, of one ensemble. */
export type TreePredictor = (rows: Float32Array, out: Float64Array) => void;

/** Growing and walking for one kind of processor. `chooseTreeEngine()` of src/native.ts has the fastest. */
export interface TreeEngine {
  readonly name: string;
  readonly grower: TreeGrower;
  /** Prepares an ensemble for predicting. It must have been made by `trainTrees` or read by `readEnsemble`. */
  prepare(ensemble: TreeEnsemble): TreePredictor;
}

export const PORTABLE_ENGINE: TreeEngine = {
  name: "portable",
  grower: PORTABLE_GROWER,
  prepare: (ensemble) => (rows, out) => predictTrees(ensemble, rows, out),
};

/** An ensemble as the native walkers read it (native/trees.h), the trees one behind the other, and PADDING after. */
export interface PackedTrees {
  readonly thresholds: Float32Array;
  /** Left child within the tree, and above 16 bits the place in the doubled row. */
  readonly links: Uint32Array;
  /** What each node adds: 0 but for leaves. */
  readonly values: Float32Array;
  /** First node, and depth, of each tree. */
  readonly roots: Int32Array;
  readonly depths: Int32Array;
}

const PADDING = 64;

/**
 * Missing values are replaced before the walk: a row is written twice, with minus infinity and with plus infinity in
 * their places, and a node reads the copy that sends them its way. Leaves lead to themselves. Nodes are brought into
 * breadth-first order, so that those of the first levels are the first of their tree.
 */
export function packTrees({ trees, features }: TreeEnsemble): PackedTrees {
  const total = trees.reduce((sum, { feature }) => sum + feature.length, 0) + PADDING;
  const words = (length: number) => new SharedArrayBuffer(length * 4);
  const packed = {
    thresholds: new Float32Array(words(total)).fill(Number.POSITIVE_INFINITY),
    links: new Uint32Array(words(total)),
    values: new Float32Array(words(total)),
    roots: new Int32Array(words(trees.length)),
    depths: new Int32Array(words(trees.length)),
  };
  let root = 0;
  for (const [index, tree] of trees.entries()) {
    packed.roots[index] = root;
    packed.depths[index] = depthOf(tree);
    const order = [0];
    for (let place = 0; place < order.length; place++) {
      const node = order[place]!;
      const feature = tree.feature[node]!;
      packed.values[root + place] = tree.value[node]!;
      if (feature < 0) {
        packed.links[root + place] = place;
        continue;
      }
      packed.thresholds[root + place] = tree.threshold[node]!;
      const column = feature + (tree.missingLeft[node] === 1 ? 0 : features.length);
      packed.links[root + place] = order.length + column * 65_536;
      order.push(tree.left[node]!, tree.left[node]! + 1);
    }
    root += order.length;
  }
  return packed;
}
