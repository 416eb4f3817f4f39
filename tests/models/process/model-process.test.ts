import { afterAll, describe, expect, test } from "bun:test";
import { Message } from "../../../src/models/onnx/protobuf.ts";
import { writeTreesOnnx } from "../../../src/models/onnx/write-trees.ts";
import { ModelProcess, ModelProcessLost } from "../../../src/models/process/model-process.ts";
import { predictTrees } from "../../../src/models/trees/ensemble.ts";
import { TREE_DEFAULTS, trainTrees } from "../../../src/models/trees/train.ts";
import { agreeWithOnnxRuntime, treesModel } from "../../../src/models/trees-model.ts";
import { noisyRows } from "../trees/data.ts";

const DATA = noisyRows(400, 4, 1);
const { ensemble } = trainTrees(DATA, { ...TREE_DEFAULTS, trees: 8 });
const ONNX = writeTreesOnnx(ensemble);
const ROWS = DATA.rows.slice(0, 40);

const lost: string[] = [];
const runtime = new ModelProcess({
  memoryLimit: 2048,
  deadline: 20_000,
  loadDeadline: 50_000,
  onLost: (reason) => lost.push(reason),
});
afterAll(() => runtime.close());

const CHILD = [process.execPath, "-e"];

describe("the process for models", () => {
  test("predicts what the trees predict, and again after it was killed", async () => {
    await runtime.load("m", ONNX, 4, "m.onnx");
    const first = await runtime.predict("m", ROWS);
    const expected = new Float64Array(10);
    predictTrees(ensemble, ROWS, expected);
    for (const [i, p] of first.entries()) expect(Math.abs(p - expected[i]!)).toBeLessThan(1e-6);
    const before = runtime.pid!;
    // Stopped first, or it might have answered before it dies.
    process.kill(before, "SIGSTOP");
    const open = runtime.predict("m", ROWS);
    process.kill(before, "SIGKILL");
    await expect(open).rejects.toThrow("the model process ended (SIGKILL)");
    expect(lost).toEqual(["the model process ended (SIGKILL)"]);
    expect(await runtime.predict("m", ROWS)).toEqual(first);
    expect(runtime.pid).not.toBe(before);
  });

  test("a file that is refused leaves the model of that name as it was", async () => {
    await runtime.load("kept", ONNX, 4, "kept.onnx");
    const before = await runtime.predict("kept", ROWS);
    const spoiled = ONNX.slice(0, ONNX.length - 200);
    await expect(runtime.load("kept", spoiled, 4, "new.onnx")).rejects.toThrow("new.onnx: is truncated");
    await expect(runtime.load("kept", ONNX, 5, "new.onnx")).rejects.toThrow("new.onnx: has 4 features; there are 5");
    const odd = new Message();
    const node = new Message().string(1, "rows").string(2, "y").string(4, "NoSuchOperator");
    const shape = (value: number) =>
      new Message().message(1, new Message().int(1, value)).message(1, new Message().int(1, 4));
    const value = (name: string) =>
      new Message().string(1, name).message(2, new Message().message(1, new Message().int(1, 1).message(2, shape(1))));
    odd.int(1, 8).message(8, new Message().string(1, "").int(2, 17));
    odd.message(7, new Message().message(1, node).string(2, "g").message(11, value("rows")).message(12, value("y")));
    await expect(runtime.load("kept", odd.bytes(), 4, "odd.onnx")).rejects.toThrow("odd.onnx: ONNX Runtime refuses it");
    expect(await runtime.predict("kept", ROWS)).toEqual(before);
  });

  test("a model that is unloaded is gone, and another may have its name", async () => {
    await runtime.load("gone", ONNX, 4, "gone.onnx");
    runtime.unload("gone");
    // Who still asks it, a rescoring that began before the swap, gets no answer; it is no fault of his.
    const late = runtime.predict("gone", ROWS);
    await expect(late).rejects.toBeInstanceOf(ModelProcessLost);
    await expect(late).rejects.toThrow("gone is not open any more");
    await runtime.load("gone", ONNX, 4, "again.onnx");
    expect(await runtime.predict("gone", ROWS)).toHaveLength(10);
  });

  test("reads what strangers wrote", async () => {
    expect(await runtime.import(ONNX, DATA.names, "m.onnx")).toMatchObject({ kind: "trees", source: "onnx" });
    await expect(runtime.import(new Uint8Array(3), DATA.names, "m.onnx")).rejects.toThrow(
      "m.onnx: is truncated or no ONNX file",
    );
  });

  test("the gate lets a right walker pass and no wrong one", async () => {
    const right = treesModel(ensemble);
    expect(await agreeWithOnnxRuntime(ensemble, right, runtime, "right")).toBeLessThan(1e-6);
    const swapped = ensemble.trees.map((tree) => ({ ...tree, missingLeft: tree.missingLeft.map((left) => 1 - left) }));
    const wrong = treesModel({ ...ensemble, trees: swapped });
    await expect(agreeWithOnnxRuntime(ensemble, wrong, runtime, "wrong")).rejects.toThrow("wrong: row");
  });
});

test("one that does not answer is killed at the deadline, and everybody waiting is told", async () => {
  const reasons: string[] = [];
  const silent = new ModelProcess({
    memoryLimit: 1024,
    deadline: 30,
    loadDeadline: 300,
    onLost: (reason) => reasons.push(reason),
    command: [...CHILD, "process.on('message', () => { for (;;); })"],
  });
  const requests = [silent.load("a", ONNX, 4, "a"), silent.import(ONNX, DATA.names, "b")];
  for (const outcome of await Promise.allSettled(requests)) {
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: { message: "the model process gave no answer in 300 ms" },
    });
  }
  expect(reasons).toEqual(["the model process gave no answer in 300 ms"]);
  expect(silent.pid).toBeUndefined();
  await silent.close();
  await expect(silent.load("a", ONNX, 4, "a")).rejects.toThrow("was closed");
});

test("one that takes too much memory dies alone", async () => {
  const greedy = new ModelProcess({
    memoryLimit: 600,
    deadline: 20_000,
    loadDeadline: 20_000,
    command: [
      ...CHILD,
      "process.on('message', () => { const all = []; for (;;) all.push(new Uint8Array(1e7).fill(1)); })",
    ],
  });
  await expect(greedy.import(ONNX, DATA.names, "a")).rejects.toThrow("the model process ended");
  await greedy.close();
});
