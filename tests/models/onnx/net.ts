import { Random } from "../../../src/market/random.ts";
import * as onnx from "../../../src/models/onnx/format.ts";
import { Message } from "../../../src/models/onnx/protobuf.ts";

/** A small net as other programs write it: scaling, one hidden layer, an output. Weights are [in, out], row-major. */
export interface Net {
  readonly mean: readonly number[];
  readonly scale: readonly number[];
  readonly hidden: Layer & { readonly activation: "Relu" | "Tanh" };
  readonly output: Layer & { readonly activation: "Sigmoid" | "Softmax" | "none" };
  /** Has a node for missing values, which it takes for the mean. */
  readonly takesMissing?: boolean;
}

export interface Layer {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

export function randomNet(
  width: number,
  hidden: number,
  output: Net["output"]["activation"],
  seed: number,
  takesMissing = false,
): Net {
  const random = new Random(seed);
  const columns = output === "Softmax" ? 2 : 1;
  const draw = (count: number, spread: number) => Float32Array.from({ length: count }, () => spread * random.normal());
  return {
    mean: Array.from(draw(width, 0.2)),
    scale: Array.from({ length: width }, () => Math.fround(0.5 + random.uniform())),
    hidden: { weights: draw(width * hidden, 0.3), bias: draw(hidden, 0.1), activation: "Relu" },
    output: { weights: draw(hidden * columns, 0.5), bias: draw(columns, 0.1), activation: output },
    takesMissing,
  };
}

/** The net as an ONNX file. */
export function writeNet({ mean, scale, hidden, output, takesMissing = false }: Net): Uint8Array {
  const width = mean.length;
  const units = hidden.bias.length;
  const columns = output.bias.length;
  const graph = new Message();
  const node = (operator: string, inputs: readonly string[], result: string) => {
    const message = new Message();
    for (const input of inputs) message.string(onnx.NODE.input, input);
    message.string(onnx.NODE.output, result).string(onnx.NODE.operator, operator);
    graph.message(onnx.GRAPH.node, message);
    return result;
  };
  const tensor = (name: string, dimensions: readonly number[], values: ArrayLike<number>) =>
    graph.message(
      onnx.GRAPH.initializer,
      new Message()
        .packedInts(onnx.TENSOR.dimensions, dimensions)
        .int(onnx.TENSOR.type, onnx.ELEMENT.float)
        .packedFloats(onnx.TENSOR.floats, Array.from(values))
        .string(onnx.TENSOR.name, name),
    );
  let value = "rows";
  if (takesMissing) value = node("Where", [node("IsNaN", ["rows"], "missing"), "mean", "rows"], "whole");
  value = node("Div", [node("Sub", [value, "mean"], "centred"), "scale"], "scaled");
  value = node(hidden.activation, [node("Gemm", [value, "w1", "b1"], "sum1")], "hidden");
  value = node("Add", [node("MatMul", [value, "w2"], "product"), "b2"], "sum2");
  node(output.activation === "none" ? "Identity" : output.activation, [value], "prediction");
  graph.string(onnx.GRAPH.name, "net");
  tensor("mean", [width], mean);
  tensor("scale", [width], scale);
  tensor("w1", [width, units], hidden.weights);
  tensor("b1", [units], hidden.bias);
  tensor("w2", [units, columns], output.weights);
  tensor("b2", [columns], output.bias);
  graph
    .message(onnx.GRAPH.input, described("rows", width))
    .message(onnx.GRAPH.output, described("prediction", columns));
  return new Message()
    .int(onnx.MODEL.irVersion, 8)
    .message(onnx.MODEL.graph, graph)
    .message(onnx.MODEL.opset, new Message().string(onnx.OPSET.domain, "").int(onnx.OPSET.version, 17))
    .bytes();
}

function described(name: string, columns: number): Message {
  const dimension = (add: (message: Message) => Message) => add(new Message());
  const shape = new Message()
    .message(
      onnx.SHAPE.dimension,
      dimension((each) => each.string(onnx.DIMENSION.parameter, "N")),
    )
    .message(
      onnx.SHAPE.dimension,
      dimension((each) => each.int(onnx.DIMENSION.value, columns)),
    );
  const type = new Message().int(onnx.TENSOR_TYPE.element, onnx.ELEMENT.float).message(onnx.TENSOR_TYPE.shape, shape);
  return new Message()
    .string(onnx.VALUE.name, name)
    .message(onnx.VALUE.type, new Message().message(onnx.TYPE.tensor, type));
}

/** The same net in float64: the probability of the second class, or of the one there is. */
export function predictNet({ mean, scale, hidden, output }: Net, row: ArrayLike<number>): number {
  const x = mean.map((m, i) => ((Number.isNaN(row[i]!) ? m : row[i]!) - m) / scale[i]!);
  const sums = layer(x, hidden);
  const active = sums.map((sum) => (hidden.activation === "Tanh" ? Math.tanh(sum) : sum > 0 ? sum : 0));
  const [first, second] = layer(active, output) as [number, number?];
  if (output.activation === "none") return second ?? first;
  // Softmax over two is the sigmoid of their difference.
  return 1 / (1 + Math.exp(second === undefined ? -first : first - second));
}

function layer(x: readonly number[], { weights, bias }: Layer): number[] {
  return Array.from(bias, (b, unit) => x.reduce((sum, value, i) => sum + value * weights[i * bias.length + unit]!, b));
}
