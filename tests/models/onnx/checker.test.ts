import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReadMessage } from "../../../src/models/onnx/protobuf.ts";
import { writeTreesOnnx } from "../../../src/models/onnx/write-trees.ts";
import { TREE_DEFAULTS, trainTrees } from "../../../src/models/trees/train.ts";
import { noisyRows } from "../trees/data.ts";

// .ci/run makes a Python that has the package `onnx`; without one only our own reader looks at the files.
const python = process.env.PENSTOCK_TEST_PYTHON;

const CHECK = `
import sys, onnx
for path in sys.argv[1:]:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    print(model.graph.node[0].op_type, model.ir_version, *[f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import])
`;

test.skipIf(python === undefined)(
  "onnx's own checker accepts what is written (PENSTOCK_TEST_PYTHON names a Python with onnx)",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "penstock-onnx-"));
    try {
      const paths = (["logistic", "squared"] as const).map((kind) => {
        const data = noisyRows(300, 6, 4, kind === "squared" ? "number" : "binary");
        const { ensemble } = trainTrees(data, { ...TREE_DEFAULTS, objective: { kind }, trees: 3 });
        const path = join(folder, `${kind}.onnx`);
        writeFileSync(path, writeTreesOnnx(ensemble));
        return path;
      });
      const empty = join(folder, "empty.onnx");
      writeFileSync(empty, writeTreesOnnx({ objective: { kind: "squared" }, features: ["a"], base: 1, trees: [] }));
      const { stdout, stderr } = Bun.spawnSync([python!, "-c", CHECK, ...paths, empty]);
      expect(stderr.toString()).toBe("");
      expect(stdout.toString().trim().split("\n")).toEqual([
        "TreeEnsembleClassifier 8 ai.onnx 17 ai.onnx.ml 3",
        "TreeEnsembleRegressor 8 ai.onnx 17 ai.onnx.ml 3",
        "TreeEnsembleRegressor 8 ai.onnx 17 ai.onnx.ml 3",
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test("a file says what wrote it, which operators it uses, and what its features are called", () => {
  const bytes = writeTreesOnnx({ objective: { kind: "squared" }, features: ["a", "ü"], base: -1.5, trees: [] });
  const model = new ReadMessage(bytes, "model");
  expect([model.int(1), model.string(2)]).toEqual([8, "penstock"]);
  expect(model.messages(8).map((opset) => [opset.string(1), opset.int(2)])).toEqual([
    ["", 17],
    ["ai.onnx.ml", 3],
  ]);
  expect(model.messages(14).map((entry) => entry.strings(2))).toEqual([['["a","ü"]'], ['{"kind":"squared"}']]);
  const attributes = model.messages(7)[0]!.messages(1)[0]!.messages(5);
  const base = attributes.find((attribute) => attribute.string(1) === "base_values");
  expect(base?.floats(7)).toEqual([-1.5]);
});
