import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { importModel } from "../../src/models/import/import-model.ts";
import { below, roundDown } from "../../src/models/import/nodes.ts";
import { Message } from "../../src/models/onnx/protobuf.ts";
import { writeTreesOnnx } from "../../src/models/onnx/write-trees.ts";
import { predictTrees, type TreeEnsemble } from "../../src/models/trees/ensemble.ts";
import { TREE_DEFAULTS, trainTrees } from "../../src/models/trees/train.ts";
import { noisyRows } from "./trees/data.ts";

/**
 * Models of XGBoost 3.2.0 and LightGBM, four small trees each on rows of noise, and what those libraries predict for
 * rows with zeros, missing and very large values.
 */
const FOLDER = join(import.meta.dir, "../vectors/models");
const NAMES = ["momentum", "spread", "volume", "level", "noise"];
const file = (name: string) => new Uint8Array(readFileSync(join(FOLDER, name)));
const predictions = JSON.parse(readFileSync(join(FOLDER, "predictions.json"), "utf8"));
const rows = Float32Array.from(predictions.rows.flat(), (x) => (x === null ? Number.NaN : Number(x)));

function importTrees(bytes: Uint8Array, names: readonly string[]): TreeEnsemble {
  const model = importModel(bytes, names, "model");
  if (model.kind !== "trees") throw new Error("no trees");
  return model.ensemble;
}

function predict(ensemble: TreeEnsemble, of: Float32Array): Float64Array {
  const out = new Float64Array(of.length / ensemble.features.length);
  predictTrees(ensemble, of, out);
  return out;
}

const FILES = {
  "xgboost-binary.json": 1e-6,
  "xgboost-squared.json": 1e-6,
  "lightgbm-binary.txt": 1e-7,
  "lightgbm-regression.txt": 1e-6,
  "lightgbm-quantile.txt": 1e-6,
};

for (const [name, tolerance] of Object.entries(FILES)) {
  test(`${name} predicts as its library does`, () => {
    const given = predict(importTrees(file(name), NAMES), rows);
    for (const [i, expected] of (predictions[name.split(".")[0]!] as number[]).entries()) {
      expect(Math.abs(given[i]! - expected)).toBeLessThan(tolerance);
    }
  });
}

test("float32 neighbours and rounding down", () => {
  expect(below(1)).toBe(1 - 2 ** -24);
  expect(below(-1)).toBe(-1 - 2 ** -23);
  expect(below(0)).toBe(-(2 ** -149));
  expect(below(2 ** -149)).toBe(0);
  for (const x of [0.1, -0.1, 1e-40, 3.3, -7e20]) {
    const down = roundDown(x);
    expect(Math.fround(down)).toBe(down);
    expect(down).toBeLessThanOrEqual(x);
    expect(Math.fround(x) > x ? Math.fround(x) : -below(-down)).toBeGreaterThan(x);
  }
  expect(roundDown(1e308)).toBe(3.4028234663852886e38);
});

describe("our own trees as ONNX", () => {
  for (const objective of [{ kind: "logistic" }, { kind: "squared" }] as const) {
    test(`come back as they were: ${objective.kind}`, () => {
      const data = noisyRows(400, 5, 2, objective.kind === "logistic" ? "binary" : "number");
      const { ensemble } = trainTrees(data, { ...TREE_DEFAULTS, objective, trees: 5 });
      const back = importTrees(writeTreesOnnx(ensemble), data.names);
      expect(back.base).toBe(Math.fround(ensemble.base));
      const stripped = (of: TreeEnsemble) => of.trees.map((tree) => ({ ...tree, gain: [], cover: [] }));
      expect(stripped(back)).toEqual(stripped(ensemble));
      expect(back.objective).toEqual(objective);
    });
  }
});

describe("a file that is refused", () => {
  const { ensemble } = trainTrees(noisyRows(100, 5, 2), { ...TREE_DEFAULTS, trees: 2 });
  const onnx = writeTreesOnnx({ ...ensemble, features: NAMES });
  const text = new TextEncoder();
  // biome-ignore lint/suspicious/noExplicitAny: somebody else's format, which the tests spoil in many places
  const xgboost = (change: (learner: Record<string, any>) => void) => {
    const json = JSON.parse(new TextDecoder().decode(file("xgboost-binary.json")));
    change(json.learner);
    return text.encode(JSON.stringify(json));
  };
  const lightgbm = (from: string | RegExp, to: string) =>
    text.encode(new TextDecoder().decode(file("lightgbm-binary.txt")).replace(from, to));
  const cases: [string, Uint8Array, (readonly string[])?][] = [
    ["is empty", new Uint8Array(0)],
    ["is truncated or no ONNX file", onnx.subarray(0, onnx.length - 9)],
    ["is no ONNX file", text.encode("hello, this is a text")],
    ["is no JSON", text.encode('{"learner": ')],
    ["has 5 features; there are 4", onnx, NAMES.slice(1)],
    ["feature 1 is spread; here it is other", onnx, NAMES.with(1, "other")],
    ["feature 4 is noise; here it is x", file("lightgbm-binary.txt"), NAMES.with(4, "x")],
    ["the booster is dart", xgboost((learner) => Object.assign(learner.gradient_booster, { name: "dart" }))],
    ["the objective rank:pairwise", xgboost((learner) => Object.assign(learner.objective, { name: "rank:pairwise" }))],
    ["more than one number", xgboost((learner) => Object.assign(learner.learner_model_param, { num_class: "3" }))],
    [
      "tree 1: node 99 is missing",
      xgboost((learner) => Object.assign(learner.gradient_booster.model.trees[1].left_children, { 0: 99 })),
    ],
    [
      "tree 0: node 0 is reached in two ways",
      xgboost((learner) => Object.assign(learner.gradient_booster.model.trees[0].left_children, { 0: 0 })),
    ],
    [
      "splits on feature 7 of 5",
      xgboost((learner) => Object.assign(learner.gradient_booster.model.trees[0].split_indices, { 0: 7 })),
    ],
    ["is truncated: the line `end of trees` is missing", lightgbm("end of trees", "")],
    ["tree 0: splits on categories", lightgbm("num_cat=0", "num_cat=1")],
    ["tree 0: leaf_value has 2 numbers where 7 belong", lightgbm(/leaf_value=.*/, "leaf_value=1 2")],
    ["the objective lambdarank", lightgbm("objective=binary sigmoid:1", "objective=lambdarank")],
    ["zeros as missing values", lightgbm(/decision_type=\d+/, "decision_type=4")],
  ];
  for (const [message, bytes, names] of cases) {
    test(message, () =>
      expect(() => importModel(bytes, names ?? NAMES, "model")).toThrow(`model: ${message}`.slice(7)),
    );
  }

  test("bytes that were changed anywhere are refused or read, and never break anything else", () => {
    for (let i = 0; i < onnx.length; i += 7) {
      const spoiled = onnx.slice();
      spoiled[i] = spoiled[i]! ^ 0xa5;
      try {
        importModel(spoiled, NAMES, "model");
      } catch (error) {
        expect((error as Error).name).toBe("InputError");
      }
    }
  });

  const graph = (...fields: ((message: Message) => unknown)[]) => {
    const message = new Message();
    for (const add of fields) add(message);
    return new Message().message(7, message).bytes();
  };
  test("weights in another file", () => {
    const tensor = new Message()
      .string(8, "w")
      .message(13, new Message().string(1, "location").string(2, "/etc/passwd"));
    expect(() =>
      importModel(
        graph((m) => m.message(5, tensor)),
        NAMES,
        "model",
      ),
    ).toThrow("keeps w in another file");
  });
  test("operators of somebody's own", () => {
    const node = new Message().string(4, "Evil").string(7, "my.ops");
    expect(() =>
      importModel(
        graph((m) => m.message(1, node)),
        NAMES,
        "model",
      ),
    ).toThrow('operator Evil of "my.ops"');
  });
});
