import { InputError } from "../../input-error.ts";
import type { Tree } from "../trees/ensemble.ts";

/** A node as its file has it, already in terms of `x <= threshold`. */
export type ForeignNode =
  | { readonly kind: "leaf"; readonly value: number; readonly cover?: number }
  | {
      readonly kind: "split";
      readonly feature: number;
      /** Of any precision: rounded down to float32, which decides alike for float32 values. */
      readonly threshold: number;
      readonly missingLeft: boolean;
      readonly left: number;
      readonly right: number;
      readonly gain?: number;
      readonly cover?: number;
    };

const LARGEST = 3.4028234663852886e38;
const word = new Int32Array(1);
const float = new Float32Array(word.buffer);

/** The largest float32 below a float32. */
export function below(x: number): number {
  float[0] = x;
  if (x === 0) return -1.401298464324817e-45;
  word[0] = word[0]! + (x > 0 ? -1 : 1);
  return float[0];
}

/** The largest finite float32 that is at most x. */
export function roundDown(x: number): number {
  if (x >= LARGEST) return LARGEST;
  const near = Math.fround(x);
  return near > x ? below(near) : near;
}

/**
 * A tree in our order: breadth-first from node 0 of the file, so nodes that were cut off are left behind.
 * @param where the file and tree, for messages.
 * @throws InputError for cycles and numbers that cannot be.
 */
export function toTree(nodeAt: (node: number) => ForeignNode | undefined, where: string): Tree {
  const tree = {
    feature: [] as number[],
    threshold: [] as number[],
    missingLeft: [] as number[],
    left: [] as number[],
    value: [] as number[],
    gain: [] as number[],
    cover: [] as number[],
  };
  const order = [0];
  const seen = new Set(order);
  for (let place = 0; place < order.length; place++) {
    const node = nodeAt(order[place]!);
    if (node === undefined) throw new InputError(`${where}: node ${order[place]} is missing`);
    const split = node.kind === "split";
    tree.feature.push(split ? node.feature : -1);
    tree.threshold.push(split ? finite(roundDown(node.threshold)) : 0);
    tree.missingLeft.push(split && node.missingLeft ? 1 : 0);
    tree.left.push(split ? order.length : 0);
    tree.value.push(split ? 0 : finite(Math.fround(node.value)));
    tree.gain.push(split ? (node.gain ?? 0) : 0);
    tree.cover.push(node.cover ?? 0);
    if (!split) continue;
    for (const child of [node.left, node.right]) {
      if (seen.has(child)) throw new InputError(`${where}: node ${child} is reached in two ways`);
      seen.add(child);
      order.push(child);
    }
  }
  return tree;

  function finite(x: number): number {
    if (Number.isFinite(x)) return x;
    throw new InputError(`${where}: has a threshold or value of ${x}`);
  }
}
