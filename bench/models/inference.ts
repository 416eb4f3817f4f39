/**
 * Prediction by 200 trees of depth 6 over 31 features in batches of 1, 32, 200 and 1000 rows: every engine of this
 * machine, ONNX Runtime on the same trees (one thread, within this process), and XGBoost's own `inplace_predict` on its
 * own trees of the same shape (one thread, called from Python). Rounds are interleaved, rows change from call to call
 * because constant ones flatter branch predictors, and results are compared before anything is timed.
 *
 * Run: `PENSTOCK_PYTHON=… bun bench/models/inference.ts`, with a Python that has xgboost, lightgbm and numpy.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { writeTreesOnnx } from "../../src/models/onnx/write-trees.ts";
import { predictTrees } from "../../src/models/trees/ensemble.ts";
import { TREE_DEFAULTS, type TreeParameters, trainTrees } from "../../src/models/trees/train.ts";
import { availableTreeEngines, chooseTreeEngine } from "../../src/native.ts";
import { synthetic } from "./data.ts";
import { Peers } from "./peers.ts";

const SIZES = [1, 32, 200, 1000];
const ROUNDS = 9;
const CALLS = 40;
const PARAMETERS: TreeParameters = { ...TREE_DEFAULTS, trees: 200, depth: 6, learningRate: 0.1 };

const { train, test } = synthetic("strong", "logistic", 1, 50_000, 1);
const width = train.names.length;
const { ensemble } = trainTrees(train, PARAMETERS, { grower: chooseTreeEngine("auto").grower });
const session = await InferenceSession.create(writeTreesOnnx(ensemble), {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
});
const engines = availableTreeEngines().map((engine) => ({ name: engine.name, predict: engine.prepare(ensemble) }));
const out = new Float64Array(Math.max(...SIZES));

await expectSame();
const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
const peers = new Peers(folder);
try {
  await peers.load("train", train);
  await peers.load("test", test);
  await peers.train("xgboost", "train", PARAMETERS);
  console.log(`load ${loadavg()[0]!.toFixed(1)}; µs per batch, median (least); times the fastest of ours`);
  for (const size of SIZES) {
    const times = new Map<string, number[]>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, predict } of engines) {
        // The portable walk takes long, and its time is steady.
        const calls = name === "portable" ? 4 : CALLS;
        times.set(name, [...(times.get(name) ?? []), ...own(size, round, calls, predict)]);
      }
      times.set("ONNX Runtime", [...(times.get("ONNX Runtime") ?? []), ...(await onnxRuntime(size, round))]);
      times.set("XGBoost", [...(times.get("XGBoost") ?? []), ...(await peers.predict("test", size, CALLS))]);
    }
    const best = median(times.get(engines.at(-1)!.name)!);
    const shown = [...times].map(
      ([name, each]) =>
        `${name} ${median(each).toFixed(1)} (${Math.min(...each).toFixed(1)}), ${(median(each) / best).toFixed(1)}`,
    );
    console.log(`${size} rows: ${shown.join("; ")}`);
  }
} finally {
  peers.end();
  rmSync(folder, { recursive: true, force: true });
}

function batch(size: number, call: number): Float32Array {
  const start = (call * size * 7) % (test.labels.length - size);
  return test.rows.slice(start * width, (start + size) * width);
}

function own(size: number, round: number, calls: number, predict: (rows: Float32Array, out: Float64Array) => void) {
  return Array.from({ length: calls }, (_, call) => {
    const rows = batch(size, round * CALLS + call);
    const start = Bun.nanoseconds();
    predict(rows, out);
    return (Bun.nanoseconds() - start) / 1000;
  });
}

async function onnxRuntime(size: number, round: number): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    const rows = new Tensor("float32", batch(size, round * CALLS + call), [size, width]);
    const start = Bun.nanoseconds();
    await session.run({ rows }, ["prediction"]);
    times.push((Bun.nanoseconds() - start) / 1000);
  }
  return times;
}

async function expectSame(): Promise<void> {
  const rows = test.rows.slice(0, 1000 * width);
  const oracle = new Float64Array(1000);
  predictTrees(ensemble, rows, oracle);
  for (const { name, predict } of engines) {
    predict(rows, out);
    if (oracle.some((p, i) => p !== out[i])) throw new Error(`${name} predicts otherwise`);
  }
  const { prediction } = await session.run({ rows: new Tensor("float32", rows, [1000, width]) }, ["prediction"]);
  const theirs = prediction!.data as Float32Array;
  if (oracle.some((p, i) => Math.abs(p - theirs[2 * i + 1]!) > 1e-6))
    throw new Error("ONNX Runtime predicts otherwise");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
