import { InputError } from "../../input-error.ts";
import * as onnx from "./format.ts";
import { ReadMessage } from "./protobuf.ts";

/** A larger file is no model of ours: the networks that are meant have some megabytes. */
export const LARGEST_MODEL = 64_000_000;

/** Operators of these domains come with ONNX Runtime; any other would be somebody's native code. */
const DOMAINS = ["", "ai.onnx", onnx.ML_DOMAIN, "com.microsoft"];

export interface OnnxModel {
  readonly nodes: readonly ReadMessage[];
  /** Name of the one input, and the numbers in a row of it. */
  readonly input: string;
  readonly width: number;
  readonly outputs: readonly string[];
  /** Names of the features, where the file says them. */
  readonly features: readonly string[] | undefined;
  /** Whether something in it is made for missing values (NaN). */
  readonly missing: "allowed" | "refused";
}

/** Operators that are there because of missing values. Any other makes NaN of NaN, or silently something else. */
const FOR_MISSING = ["IsNaN", "Imputer", "TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"];

/**
 * What can be known about an ONNX file without running it.
 * @throws InputError for files that are none, are too large, name other files or foreign operators, or whose input is
 * not one float32 tensor of rows.
 */
export function inspectOnnx(bytes: Uint8Array, where: string): OnnxModel {
  const wrong = (what: string): never => {
    throw new InputError(`${where}: ${what}`);
  };
  if (bytes.length > LARGEST_MODEL) wrong(`is ${bytes.length} bytes large; allowed: ${LARGEST_MODEL}`);
  const model = new ReadMessage(bytes, where);
  const [graph] = model.messages(onnx.MODEL.graph);
  if (graph === undefined) return wrong("is no ONNX file: it has no graph");
  if (model.has(onnx.MODEL.functions)) wrong("defines functions of its own");
  for (const opset of model.messages(onnx.MODEL.opset)) {
    const domain = opset.string(onnx.OPSET.domain);
    if (!DOMAINS.includes(domain)) wrong(`uses operators of "${domain}"; allowed: ${DOMAINS.slice(1).join(", ")}`);
  }
  const nodes = graph.messages(onnx.GRAPH.node);
  const all = allNodes(graph);
  for (const node of all) {
    const domain = node.string(onnx.NODE.domain);
    if (!DOMAINS.includes(domain)) wrong(`uses the operator ${node.string(onnx.NODE.operator)} of "${domain}"`);
  }
  const tensors = allTensors(graph);
  for (const tensor of tensors) {
    if (tensor.has(onnx.TENSOR.external) || (tensor.int(onnx.TENSOR.location) ?? 0) !== 0) {
      wrong(`keeps ${tensor.string(onnx.TENSOR.name) || "a tensor"} in another file`);
    }
  }
  // Before IR 4 initial values were listed among the inputs.
  const initial = graph.messages(onnx.GRAPH.initializer).map((tensor) => tensor.string(onnx.TENSOR.name));
  const inputs = graph.messages(onnx.GRAPH.input).filter((each) => !initial.includes(each.string(onnx.VALUE.name)));
  if (inputs.length !== 1) wrong(`has ${inputs.length} inputs; one is allowed`);
  const [tensor] = inputs[0]!.messages(onnx.VALUE.type).flatMap((type) => type.messages(onnx.TYPE.tensor));
  const dimensions = tensor?.messages(onnx.TENSOR_TYPE.shape).flatMap((shape) => shape.messages(onnx.SHAPE.dimension));
  const width = dimensions?.[1]?.int(onnx.DIMENSION.value);
  if (tensor?.int(onnx.TENSOR_TYPE.element) !== onnx.ELEMENT.float || dimensions?.length !== 2 || !width || width < 1) {
    return wrong("its input is no float32 tensor of rows with a fixed number of features");
  }
  return {
    nodes,
    input: inputs[0]!.string(onnx.VALUE.name),
    width,
    outputs: graph.messages(onnx.GRAPH.output).map((each) => each.string(onnx.VALUE.name)),
    features: featuresOf(model, width),
    missing: all.some((node) => FOR_MISSING.includes(node.string(onnx.NODE.operator))) ? "allowed" : "refused",
  };
}

function featuresOf(model: ReadMessage, width: number): string[] | undefined {
  const entry = model.messages(onnx.MODEL.metadata).find((each) => each.string(onnx.ENTRY.key) === onnx.FEATURES_KEY);
  if (entry === undefined) return undefined;
  try {
    const names: unknown = JSON.parse(entry.string(onnx.ENTRY.value));
    const fits = Array.isArray(names) && names.length === width && names.every((name) => typeof name === "string");
    return fits ? names : undefined;
  } catch {
    // Somebody else's metadata under the same key says nothing to us.
    return undefined;
  }
}

/** Every node, those of graphs within attributes (loops, conditions) included. */
function allNodes(graph: ReadMessage): ReadMessage[] {
  return graph.messages(onnx.GRAPH.node).flatMap((node) => [node, ...innerGraphs(node).flatMap(allNodes)]);
}

function allTensors(graph: ReadMessage): ReadMessage[] {
  const nodes = graph.messages(onnx.GRAPH.node);
  const attributes = nodes.flatMap((node) => node.messages(onnx.NODE.attribute));
  return [
    ...graph.messages(onnx.GRAPH.initializer),
    ...graph.messages(onnx.GRAPH.sparseInitializer).flatMap((sparse) => [...sparse.messages(1), ...sparse.messages(2)]),
    ...attributes.flatMap((attribute) => [...attribute.messages(onnx.ATTRIBUTE.t), ...attribute.messages(10)]),
    ...nodes.flatMap(innerGraphs).flatMap(allTensors),
  ];
}

function innerGraphs(node: ReadMessage): ReadMessage[] {
  return node
    .messages(onnx.NODE.attribute)
    .flatMap((attribute) => [...attribute.messages(onnx.ATTRIBUTE.g), ...attribute.messages(11)]);
}
