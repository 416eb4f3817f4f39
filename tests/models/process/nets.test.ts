import { afterAll, describe, expect, test } from "bun:test";
import { scoreAtOnce, scoreOf } from "../../../src/learning/nets.ts";
import { Random } from "../../../src/market/random.ts";
import { onnxModel } from "../../../src/models/onnx-model.ts";
import { BlockingOnnxModel } from "../../../src/models/process/blocking-model.ts";
import { ModelProcess } from "../../../src/models/process/model-process.ts";
import { type Net, predictNet, randomNet, writeNet } from "../onnx/net.ts";

const WIDTH = 32;
const NAMES = Array.from({ length: WIDTH }, (_, i) => `f${i}`);
const random = new Random(4);
const ROWS = Float32Array.from({ length: 300 * WIDTH }, () => random.normal());
const rowOf = (x: Float32Array, row: number) => x.subarray(row * WIDTH, (row + 1) * WIDTH);

const runtime = new ModelProcess({ memoryLimit: 2048, deadline: 50_000, loadDeadline: 50_000 });
afterAll(() => runtime.close());

async function agreement(net: Net, rows: Float32Array, name: string): Promise<number> {
  const model = await onnxModel(writeNet(net), NAMES, runtime, name);
  const out = await scoreOf(model, rows, name);
  model.close();
  return out.reduce((most, p, i) => Math.max(most, Math.abs(p - predictNet(net, rowOf(rows, i)))), 0);
}

describe("a net in the process for models", () => {
  test("predicts what it predicts by hand, to 1e-6: with Relu and Tanh, Sigmoid and Softmax", async () => {
    for (const output of ["Sigmoid", "Softmax"] as const) {
      const net = randomNet(WIDTH, 16, output, 7);
      expect(await agreement(net, ROWS, output)).toBeLessThan(1e-6);
      const other: Net = { ...net, hidden: { ...net.hidden, activation: "Tanh" } };
      expect(await agreement(other, ROWS, `${output} of Tanh`)).toBeLessThan(1e-6);
    }
  });

  test("gets missing values as they are where it has a node for them, and 0 in their place where not", async () => {
    const holes = ROWS.map((value, i) => (i % 7 === 0 ? Number.NaN : value));
    const takes = randomNet(WIDTH, 8, "Sigmoid", 3, true);
    expect(await agreement(takes, holes, "takes")).toBeLessThan(1e-6);
    const { takesMissing, ...without } = takes;
    const zeros = holes.map((value) => (Number.isNaN(value) ? 0 : value));
    const model = await onnxModel(writeNet(without), NAMES, runtime, "without");
    expect(model.missing).toBe("refused");
    const filled = await scoreOf(model, holes, "without");
    expect(filled).toEqual(await scoreOf(model, zeros, "without"));
    for (const [i, p] of filled.entries()) {
      expect(Math.abs(p - predictNet(without, rowOf(zeros, i)))).toBeLessThan(1e-6);
    }
    model.close();
  });

  test("that ends with neither is refused with the reason: what it predicts are no probabilities", async () => {
    const one = await onnxModel(writeNet(randomNet(WIDTH, 8, "none", 3)), NAMES, runtime, "one");
    await expect(scoreOf(one, ROWS, "one.onnx")).rejects.toThrow(/^one.onnx: predicts .*end the graph with Sigmoid/);
    const softmax = randomNet(WIDTH, 8, "Softmax", 3);
    const two = { ...softmax, output: { ...softmax.output, activation: "none" } } as const;
    const model = await onnxModel(writeNet(two), NAMES, runtime, "two");
    await expect(scoreOf(model, ROWS, "two")).rejects.toThrow(
      /no probabilities of two classes; end the graph with Soft/,
    );
  });

  test("that has nothing to do any more ends, and starts again when it is asked", async () => {
    const own = new ModelProcess({ memoryLimit: 2048, deadline: 50_000, loadDeadline: 50_000 });
    const bytes = writeNet(randomNet(WIDTH, 8, "Sigmoid", 3));
    const model = await onnxModel(bytes, NAMES, own, "net");
    own.rest();
    expect(own.pid).toBeNumber();
    model.close();
    own.rest();
    expect(own.pid).toBeUndefined();
    const again = await onnxModel(bytes, NAMES, own, "net");
    expect(await scoreOf(again, rowOf(ROWS, 0), "net")).toHaveLength(1);
    await own.close();
  });
});

describe("a net that is waited for", () => {
  test("answers like a function, with the bits of the other way", async () => {
    const net = randomNet(WIDTH, 16, "Softmax", 7);
    const model = await onnxModel(writeNet(net), NAMES, runtime, "reference");
    const waited = new BlockingOnnxModel(writeNet(net), NAMES, "net.onnx", { memoryLimit: 2048, deadline: 50_000 });
    const reference = await scoreOf(model, ROWS, "reference");
    expect(scoreAtOnce(waited, ROWS, "net.onnx")).toEqual(reference);
    expect(scoreAtOnce(waited, new Float32Array(0), "net.onnx")).toHaveLength(0);
    waited.close();
    model.close();
  });

  test("says why it cannot be had, or is not there any more", () => {
    const options = { memoryLimit: 2048, deadline: 50_000 };
    const open = (bytes: Uint8Array) => new BlockingOnnxModel(bytes, NAMES, "net.onnx", options);
    expect(() => open(new Uint8Array(3))).toThrow("net.onnx: is truncated or no ONNX file");
    expect(() => open(writeNet(randomNet(5, 4, "Sigmoid", 1)))).toThrow("net.onnx: has 5 features; there are 32");
    const hungry = () => new BlockingOnnxModel(writeNet(randomNet(WIDTH, 4, "Sigmoid", 1)), NAMES, "net.onnx", LITTLE);
    expect(hungry).toThrow("net.onnx: the model process ended");
  });
});

/** Too little for ONNX Runtime to start. */
const LITTLE = { memoryLimit: 1, deadline: 50_000 };
