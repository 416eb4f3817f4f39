import { InputError } from "../../input-error.ts";
import * as onnx from "../onnx/format.ts";
import type { OnnxModel } from "../onnx/inspect.ts";
import type { TreeEnsemble, TreeObjective } from "../trees/ensemble.ts";
import { below, type ForeignNode, toTree } from "./nodes.ts";

/** Operators that change nothing about the number that is predicted. */
const HARMLESS = ["ZipMap", "Cast", "Identity"];
const TREE_OPERATORS = ["TreeEnsembleClassifier", "TreeEnsembleRegressor"];

/** Whether a graph is one ensemble of trees and nothing else that computes. */
export function isTreeGraph({ nodes }: OnnxModel): boolean {
  const operators = nodes.map((node) => node.string(onnx.NODE.operator));
  return (
    operators.filter((each) => TREE_OPERATORS.includes(each)).length === 1 &&
    operators.every((each) => TREE_OPERATORS.includes(each) || HARMLESS.includes(each))
  );
}

/**
 * An ensemble from an ONNX file whose graph is a TreeEnsembleRegressor or a binary TreeEnsembleClassifier.
 * @throws InputError for trees that are not additive, or predict more than one number.
 */
export function readOnnxTrees(model: OnnxModel, where: string): TreeEnsemble {
  const wrong = (what: string): never => {
    throw new InputError(`${where}: ${what}`);
  };
  const node = model.nodes.find((each) => TREE_OPERATORS.includes(each.string(onnx.NODE.operator)));
  if (node === undefined) return wrong("has no ensemble of trees");
  const attributes = new Map(
    node.messages(onnx.NODE.attribute).map((each) => [each.string(onnx.ATTRIBUTE.name), each]),
  );
  const ints = (name: string) => attributes.get(name)?.ints(onnx.ATTRIBUTE.ints) ?? [];
  const floats = (name: string) => attributes.get(name)?.floats(onnx.ATTRIBUTE.floats) ?? [];
  const text = (name: string) => attributes.get(name)?.string(onnx.ATTRIBUTE.s) ?? "";
  const classifies = node.string(onnx.NODE.operator) === "TreeEnsembleClassifier";
  const weight = classifies ? "class" : "target";
  for (const [name, attribute] of attributes) {
    if (name.endsWith("_as_tensor") && attribute.has(onnx.ATTRIBUTE.t))
      wrong(`${name}: float64 trees are not imported`);
  }
  if (attributes.has("aggregate_function") && !["", "SUM"].includes(text("aggregate_function"))) {
    wrong(`trees that are combined by ${text("aggregate_function")} cannot be imported`);
  }
  if (new Set(ints(`${weight}_ids`)).size > 1 || (attributes.get("n_targets")?.int(onnx.ATTRIBUTE.i) ?? 1) > 1) {
    wrong("it predicts more than one number");
  }
  const labels = Math.max(
    ints("classlabels_int64s").length,
    attributes.get("classlabels_strings")?.strings(onnx.ATTRIBUTE.strings).length ?? 0,
  );
  if (classifies && labels !== 2) wrong(`${labels} classes; only two can be imported`);
  const base = floats("base_values");
  if (base.length > 1) wrong("it has several base values");

  const [treeIds, nodeIds, features] = [ints("nodes_treeids"), ints("nodes_nodeids"), ints("nodes_featureids")];
  const [values, whenTrue, whenFalse] = [floats("nodes_values"), ints("nodes_truenodeids"), ints("nodes_falsenodeids")];
  const modes = attributes.get("nodes_modes")?.strings(onnx.ATTRIBUTE.strings) ?? [];
  const missing = ints("nodes_missing_value_tracks_true");
  for (const list of [nodeIds, features, values, whenTrue, whenFalse, modes]) {
    if (list.length !== treeIds.length) wrong("the lists of its nodes are not equally long");
  }
  const leafValues = new Map<string, number>();
  const [leafTrees, leafNodes, weights] = [
    ints(`${weight}_treeids`),
    ints(`${weight}_nodeids`),
    floats(`${weight}_weights`),
  ];
  for (const [i, tree] of leafTrees.entries()) {
    const key = `${tree} ${leafNodes[i]}`;
    leafValues.set(key, (leafValues.get(key) ?? 0) + (weights[i] ?? Number.NaN));
  }
  const places = new Map<number, Map<number, number>>();
  for (const [i, tree] of treeIds.entries()) {
    const nodes = places.get(tree) ?? new Map<number, number>();
    places.set(tree, nodes.set(nodeIds[i]!, i));
  }
  return {
    objective: objectiveOf(text("post_transform")),
    features: model.features ?? Array.from({ length: model.width }, (_, i) => `f${i}`),
    base: base[0] ?? 0,
    trees: [...places].map(([tree, nodes]) => toTree((id) => nodeOf(tree, nodes.get(id)), `${where}: tree ${tree}`)),
  };

  function objectiveOf(transform: string): TreeObjective {
    if (transform === "LOGISTIC") return { kind: "logistic" };
    if (!classifies && (transform === "NONE" || transform === "")) return { kind: "squared" };
    return wrong(`the transformation ${transform || "NONE"} of scores cannot be imported`);
  }

  function nodeOf(tree: number, i: number | undefined): ForeignNode | undefined {
    if (i === undefined) return undefined;
    const mode = modes[i];
    if (mode === "LEAF") return { kind: "leaf", value: leafValues.get(`${tree} ${nodeIds[i]}`) ?? 0 };
    const tracksTrue = missing[i] === 1;
    const value = values[i]!;
    const split = { kind: "split", feature: features[i]! } as const;
    const forward = { left: whenTrue[i]!, right: whenFalse[i]!, missingLeft: tracksTrue };
    // What is true above a threshold is false up to it.
    const backward = { left: whenFalse[i]!, right: whenTrue[i]!, missingLeft: !tracksTrue };
    if (mode === "BRANCH_LEQ") return { ...split, threshold: value, ...forward };
    if (mode === "BRANCH_LT") return { ...split, threshold: below(value), ...forward };
    if (mode === "BRANCH_GT") return { ...split, threshold: value, ...backward };
    if (mode === "BRANCH_GTE") return { ...split, threshold: below(value), ...backward };
    return wrong(`nodes of the mode ${mode} cannot be imported`);
  }
}
