import packageJson from "../../../package.json" with { type: "json" };
import type { TreeEnsemble } from "../trees/ensemble.ts";
import * as onnx from "./format.ts";
import { Message } from "./protobuf.ts";

/** Names of the values that go in and come out. */
export const INPUT = "rows";
export const OUTPUT = "prediction";
const LABEL = "label";

/**
 * An ensemble as an ONNX file: IR 8, opset 17, ai.onnx.ml 3, which every runtime of the last years reads. One input
 * `rows` of [N, features] float32, NaN where missing. `prediction` is [N, 1], or for a classifier the probabilities
 * [N, 2] of 0 and 1, besides `label`. Thresholds and leaves are float32 already; a runtime that adds in float32 differs
 * from `predictTrees` by its roundings.
 */
export function writeTreesOnnx(ensemble: TreeEnsemble): Uint8Array {
  const { objective, features } = ensemble;
  const classifies = objective.kind === "logistic";
  const outputs = classifies
    ? [tensor(LABEL, onnx.ELEMENT.int64), tensor(OUTPUT, onnx.ELEMENT.float, 2)]
    : [tensor(OUTPUT, onnx.ELEMENT.float, 1)];
  const graph = new Message().message(onnx.GRAPH.node, treeNode(ensemble, classifies));
  graph.string(onnx.GRAPH.name, "trees").message(onnx.GRAPH.input, tensor(INPUT, onnx.ELEMENT.float, features.length));
  for (const output of outputs) graph.message(onnx.GRAPH.output, output);
  return new Message()
    .int(onnx.MODEL.irVersion, 8)
    .string(onnx.MODEL.producer, packageJson.name)
    .string(onnx.MODEL.producerVersion, packageJson.version)
    .message(onnx.MODEL.graph, graph)
    .message(onnx.MODEL.opset, new Message().string(onnx.OPSET.domain, "").int(onnx.OPSET.version, 17))
    .message(onnx.MODEL.opset, new Message().string(onnx.OPSET.domain, onnx.ML_DOMAIN).int(onnx.OPSET.version, 3))
    .message(onnx.MODEL.metadata, entry(onnx.FEATURES_KEY, JSON.stringify(features)))
    .message(onnx.MODEL.metadata, entry(onnx.OBJECTIVE_KEY, JSON.stringify(objective)))
    .bytes();
}

function treeNode({ trees, base }: TreeEnsemble, classifies: boolean): Message {
  // Without any tree there is one leaf that adds nothing: the operators want a node.
  const grown = trees.length > 0 ? trees : [{ feature: [-1], threshold: [0], missingLeft: [0], left: [0], value: [0] }];
  const each = <T>(value: (tree: (typeof grown)[number], node: number, index: number) => T): T[] =>
    grown.flatMap((tree, index) => tree.feature.map((_, node) => value(tree, node, index)));
  const leaves = grown.flatMap((tree, index) =>
    [...tree.feature.entries()].filter(([, feature]) => feature < 0).map(([node]) => ({ tree, index, node })),
  );
  const isLeaf = ({ feature }: (typeof grown)[number], node: number) => feature[node]! < 0;
  const weight = classifies ? "class" : "target";
  const node = new Message().string(onnx.NODE.input, INPUT);
  for (const output of classifies ? [LABEL, OUTPUT] : [OUTPUT]) node.string(onnx.NODE.output, output);
  node
    .string(onnx.NODE.name, "trees")
    .string(onnx.NODE.operator, classifies ? "TreeEnsembleClassifier" : "TreeEnsembleRegressor")
    .string(onnx.NODE.domain, onnx.ML_DOMAIN);
  const attributes = [
    ints(
      "nodes_treeids",
      each((_tree, _node, index) => index),
    ),
    ints(
      "nodes_nodeids",
      each((_, node) => node),
    ),
    ints(
      "nodes_featureids",
      each((tree, node) => (isLeaf(tree, node) ? 0 : tree.feature[node]!)),
    ),
    floats(
      "nodes_values",
      each((tree, node) => tree.threshold[node]!),
    ),
    strings(
      "nodes_modes",
      each((tree, node) => (isLeaf(tree, node) ? "LEAF" : "BRANCH_LEQ")),
    ),
    ints(
      "nodes_truenodeids",
      each((tree, node) => (isLeaf(tree, node) ? 0 : tree.left[node]!)),
    ),
    ints(
      "nodes_falsenodeids",
      each((tree, node) => (isLeaf(tree, node) ? 0 : tree.left[node]! + 1)),
    ),
    ints(
      "nodes_missing_value_tracks_true",
      each((tree, node) => tree.missingLeft[node]!),
    ),
    ints(
      `${weight}_treeids`,
      leaves.map(({ index }) => index),
    ),
    ints(
      `${weight}_nodeids`,
      leaves.map((leaf) => leaf.node),
    ),
    ints(
      `${weight}_ids`,
      leaves.map(() => 0),
    ),
    floats(
      `${weight}_weights`,
      leaves.map((leaf) => leaf.tree.value[leaf.node]!),
    ),
    floats("base_values", [base]),
    string("post_transform", classifies ? "LOGISTIC" : "NONE"),
    ...(classifies ? [ints("classlabels_int64s", [0, 1])] : [int("n_targets", 1), string("aggregate_function", "SUM")]),
  ];
  for (const attribute of attributes) node.message(onnx.NODE.attribute, attribute);
  return node;
}

function attribute(name: string, type: number): Message {
  return new Message().string(onnx.ATTRIBUTE.name, name).int(onnx.ATTRIBUTE.type, type);
}

const int = (name: string, value: number) => attribute(name, onnx.ATTRIBUTE_TYPE.int).int(onnx.ATTRIBUTE.i, value);

const ints = (name: string, values: number[]) =>
  attribute(name, onnx.ATTRIBUTE_TYPE.ints).packedInts(onnx.ATTRIBUTE.ints, values);

const floats = (name: string, values: number[]) =>
  attribute(name, onnx.ATTRIBUTE_TYPE.floats).packedFloats(onnx.ATTRIBUTE.floats, values);

const string = (name: string, value: string) =>
  attribute(name, onnx.ATTRIBUTE_TYPE.string).string(onnx.ATTRIBUTE.s, value);

function strings(name: string, values: string[]): Message {
  const message = attribute(name, onnx.ATTRIBUTE_TYPE.strings);
  for (const value of values) message.string(onnx.ATTRIBUTE.strings, value);
  return message;
}

/** A tensor of [N], or [N, width]. */
function tensor(name: string, element: number, width?: number): Message {
  const shape = new Message().message(onnx.SHAPE.dimension, new Message().string(onnx.DIMENSION.parameter, "N"));
  if (width !== undefined) shape.message(onnx.SHAPE.dimension, new Message().int(onnx.DIMENSION.value, width));
  const type = new Message().int(onnx.TENSOR_TYPE.element, element).message(onnx.TENSOR_TYPE.shape, shape);
  return new Message()
    .string(onnx.VALUE.name, name)
    .message(onnx.VALUE.type, new Message().message(onnx.TYPE.tensor, type));
}

function entry(key: string, value: string): Message {
  return new Message().string(onnx.ENTRY.key, key).string(onnx.ENTRY.value, value);
}
