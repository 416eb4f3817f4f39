import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { Random } from "../../src/market/random.ts";
import type { Model } from "../../src/models/model.ts";
import { writeTreesOnnx } from "../../src/models/onnx/write-trees.ts";
import { ModelProcess } from "../../src/models/process/model-process.ts";
import { MODEL_KINDS, type ModelKind, type ModelSource, openModel } from "../../src/models/registry.ts";
import { TREE_DEFAULTS, trainTrees } from "../../src/models/trees/train.ts";
import { chooseTreeEngine } from "../../src/native.ts";
import { randomNet, writeNet } from "../models/onnx/net.ts";
import { noisyRows } from "../models/trees/data.ts";

const runtime = new ModelProcess({ memoryLimit: 2048, deadline: 20_000, loadDeadline: 50_000 });
afterAll(() => runtime.close());
const HOST = { engine: chooseTreeEngine("auto"), process: runtime };

const DATA = noisyRows(600, 5, 3);
const { ensemble } = trainTrees(DATA, { ...TREE_DEFAULTS, trees: 20 });

const text = new TextEncoder();
/** A source of each kind. */
const BYTES: Record<ModelKind, Uint8Array> = {
  rules: text.encode(JSON.stringify("f3")),
  trees: text.encode(JSON.stringify(ensemble)),
  onnx: writeNet(randomNet(DATA.names.length, 8, "Softmax", 2)),
};

function sourceOf(bytes: Uint8Array, where: string): ModelSource {
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex"), features: DATA.names, where };
}

async function predict(model: Model, rows: Float32Array): Promise<Float64Array> {
  const out = new Float64Array(rows.length / model.features.length).fill(-7);
  await model.predict(rows, out);
  return out;
}

const width = DATA.names.length;
/** Whole rows only, so that every kind takes them. */
const random = new Random(8);
const ROWS = Float32Array.from({ length: 70 * width }, () => random.normal());

for (const kind of MODEL_KINDS) {
  describe(`model ${kind}`, () => {
    const open = () => openModel(kind, sourceOf(BYTES[kind], `${kind} of the contract`), HOST);

    test("says what it is, and predicts a finite number per row", async () => {
      const model = await open();
      expect([model.name, model.features]).toEqual([kind, DATA.names]);
      expect((await predict(model, ROWS)).every(Number.isFinite)).toBe(true);
      expect(await predict(model, new Float32Array(0))).toHaveLength(0);
    });

    test("predicts the same for a row whatever stands beside it, and again", async () => {
      const model = await open();
      const all = await predict(model, ROWS);
      expect(await predict(model, ROWS)).toEqual(all);
      for (const [from, to] of [
        [0, 1],
        [3, 10],
        [17, 70],
      ] as const) {
        expect(await predict(model, ROWS.slice(from * width, to * width))).toEqual(all.slice(from, to));
      }
    });

    test("refuses rows that do not fit, and leaves the room for answers alone", async () => {
      const model = await open();
      const attempt = async (rows: Float32Array, size = 2) => {
        const out = new Float64Array(size).fill(5);
        // A model may throw at once or later.
        const error = await (async () => model.predict(rows, out))().then(
          () => "none",
          (reason: Error) => reason.message,
        );
        expect(out).toEqual(new Float64Array(size).fill(5));
        return error;
      };
      expect(await attempt(new Float32Array(width + 1))).toContain(`${width + 1} numbers are no rows of ${width}`);
      expect(await attempt(new Float32Array(width).fill(Number.POSITIVE_INFINITY))).toContain("f0 is Infinity");
      expect(await attempt(new Float32Array(3 * width))).toContain("3 rows, but room for 2");
      const without = new Float32Array(width).with(3, Number.NaN);
      if (model.missing === "refused") expect(await attempt(without)).toContain("f3 is NaN");
    });

    test("is refused when its bytes are not those that were meant, or its rows are others", async () => {
      const source = sourceOf(BYTES[kind], `${kind} of the contract`);
      const open = (change: Partial<ModelSource>) => openModel(kind, { ...source, ...change }, HOST);
      expect(open({ sha256: "0" })).rejects.toThrow("is damaged: its SHA-256");
      expect(open({ bytes: BYTES[kind].subarray(1) })).rejects.toThrow("is damaged");
      expect(open(sourceOf(BYTES[kind].slice(0, -3), "short"))).rejects.toThrow("short");
      expect(open(sourceOf(text.encode("nonsense"), "nonsense"))).rejects.toThrow("nonsense");
      await expect(open({ features: DATA.names.slice(0, 2) })).rejects.toThrow(/features|feature/);
    });
  });
}

test("trees and the same trees as ONNX predict the same to 1e-6", async () => {
  const trees = await openModel("trees", sourceOf(BYTES.trees, "trees"), HOST);
  const onnx = await openModel("onnx", sourceOf(writeTreesOnnx(ensemble), "the same as ONNX"), HOST);
  const [one, other] = [await predict(trees, ROWS), await predict(onnx, ROWS)];
  for (const [i, value] of one.entries()) expect(Math.abs(value - other[i]!)).toBeLessThan(1e-6);
});

test("a kind that does not exist is named", async () => {
  expect(openModel("oracle", sourceOf(BYTES.trees, "x"), HOST)).rejects.toThrow(
    "x: no kind of model is named oracle; allowed: rules, trees, onnx",
  );
});
