import { expect, test } from "bun:test";
import { RangeFailed } from "../../src/analysis/pool.ts";
import { FEATURE_NAMES } from "../../src/features/registry.ts";
import { ModelProcessLost } from "../../src/models/process/model-process.ts";
import type { LiveModel } from "../../src/service/models.ts";
import { Rescoring, type Side } from "../../src/service/rescoring.ts";
import { netModel } from "../learning/net-model.ts";

const { manifest } = netModel("hybrid", 1);
const WIDTH = manifest.columns.length;
const AT = 300_000;

/** A model that says of a row its first number, for a short its half; and how many rows it was asked about at a time. */
function modelOf(answer: (rows: Float64Array) => Float64Array | Promise<Float64Array> = (rows) => rows) {
  const calls: number[] = [];
  const model: LiveModel = {
    manifest,
    server: "the test",
    score(x, rows) {
      calls.push(rows);
      const row = (i: number) => x.subarray(i * WIDTH, (i + 1) * WIDTH);
      return answer(Float64Array.from({ length: rows }, (_, i) => (row(i).at(-1) === 1 ? row(i)[0]! : row(i)[0]! / 2)));
    },
    close() {},
  };
  return { model, calls };
}

/** The row of symbol i begins with i / 1000. */
function rowsOf(symbols: readonly number[]) {
  const row = (symbol: number) => new Float32Array(FEATURE_NAMES.length).with(0, Math.fround(symbol / 1000));
  return { at: AT, symbols, rows: symbols.map(row) };
}

const sides = (count: number): Side[] => Array.from({ length: count }, (_, symbol) => ({ symbol, direction: 1 }));
/** Timers of the test: what waits is called back when the test says so. */
function timers() {
  const waiting = new Set<() => void>();
  return {
    waiting,
    after: (ms: number, call: () => void) => {
      expect(ms).toBe(100);
      waiting.add(call);
      return () => void waiting.delete(call);
    },
    fire: () => {
      for (const call of waiting) if (waiting.delete(call)) call();
    },
  };
}
/** Lets everything happen that only waits for what has happened already. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test("forty sides are asked about in a batch of 32 and one of 8, which waits for its time", async () => {
  const { model, calls } = modelOf();
  const { waiting, after, fire } = timers();
  const rescoring = new Rescoring({ size: 32, after, rowsOf: (symbols) => [Promise.resolve(rowsOf(symbols))] });
  const round = rescoring.begin(model, [...sides(39), { symbol: 5, direction: -1 }]);
  await settle();
  expect([calls, waiting.size]).toEqual([[32], 1]);
  expect(rescoring.chances).toEqual([]);
  // Another round has to wait until this one is over.
  await rescoring.begin(model, sides(3));
  fire();
  await round;
  expect(calls).toEqual([32, 8]);
  expect(rescoring.asked).toEqual({ calls: 2, rows: 40 });
  const { chances } = rescoring;
  expect(chances).toHaveLength(40);
  const side = { symbol: 5, model: manifest.id, unlike: false, at: AT };
  expect(chances.filter(({ symbol }) => symbol === 5)).toEqual([
    { ...side, direction: 1, probability: Math.fround(0.005) },
    { ...side, direction: -1, probability: Math.fround(0.005) / 2 },
  ]);
});

test("a row unlike all that the model was trained on is told with its chance", async () => {
  const { model } = modelOf();
  const narrow = { ...model, manifest: { ...manifest, domain: { ...manifest.domain, limit: 0 } } };
  const rescoring = new Rescoring({ size: 1, rowsOf: (symbols) => [Promise.resolve(rowsOf(symbols))] });
  await rescoring.begin(narrow, sides(1));
  expect(rescoring.chances).toMatchObject([{ unlike: true }]);
});

test("what a model says that is not in charge any more is forgotten, also when it comes late", async () => {
  const late = Promise.withResolvers<void>();
  const { model } = modelOf((rows) => late.promise.then(() => rows));
  const rescoring = new Rescoring({ size: 1, rowsOf: (symbols) => [Promise.resolve(rowsOf(symbols))] });
  const round = rescoring.begin(model, sides(2));
  rescoring.forget();
  late.resolve();
  await round;
  expect(rescoring.chances).toEqual([]);
});

test("a model that is closed over a swap while it is asked has not failed", async () => {
  const closed = Promise.withResolvers<Float64Array>();
  const { model } = modelOf(() => closed.promise);
  const rescoring = new Rescoring({ size: 1, rowsOf: (symbols) => [Promise.resolve(rowsOf(symbols))] });
  const round = rescoring.begin(model, sides(2));
  rescoring.forget();
  closed.reject(new ModelProcessLost("it is not open any more"));
  await round;
  expect([rescoring.failures, rescoring.chances]).toEqual([0, []]);
});

test("analysis or model without an answer cost a round and nothing else", async () => {
  let fails = true;
  const { model } = modelOf();
  const rescoring = new Rescoring({
    size: 32,
    after: (_, call) => {
      queueMicrotask(call);
      return () => {};
    },
    rowsOf: (symbols) => [
      Promise.resolve(rowsOf(symbols.slice(0, 1))),
      fails ? Promise.reject(new RangeFailed("a worker ended", true)) : Promise.resolve(undefined),
    ],
  });
  await rescoring.begin(model, sides(2));
  expect([rescoring.failures, rescoring.chances]).toEqual([1, []]);
  fails = false;
  // A range that has no rows at the moment leaves its symbols out.
  await rescoring.begin(model, sides(2));
  expect(rescoring.chances.map(({ symbol }) => symbol)).toEqual([0]);
  const lost = modelOf(() => Promise.reject(new ModelProcessLost("it ended")));
  await rescoring.begin(lost.model, sides(2));
  expect([rescoring.failures, rescoring.chances]).toEqual([2, []]);
});
