import { expect, test } from "bun:test";
import { PredictionBatch, RESCORING_WAIT } from "../../src/models/prediction-batch.ts";

/** Predicts the first number of a row, and remembers how many rows it was given at a time. */
function remembering(fails = false) {
  const calls: number[] = [];
  const ask = (x: Float32Array, rows: number) => {
    calls.push(rows);
    if (fails) throw new Error("lost");
    return Float64Array.from({ length: rows }, (_, i) => x[2 * i]!);
  };
  return { ask, calls };
}

/** A clock that goes when it is told to. */
function clock() {
  let now = 0;
  const due = new Map<object, { at: number; call: () => void }>();
  return {
    after: (ms: number, call: () => void) => {
      const key = {};
      due.set(key, { at: now + ms, call });
      return () => void due.delete(key);
    },
    go(ms: number) {
      now += ms;
      for (const [key, { at, call }] of due) if (at <= now && due.delete(key)) call();
    },
    get timers() {
      return due.size;
    },
  };
}

const rowOf = (x: number) => Float32Array.of(x, 0);

test("32 rows are sent at once; what is fewer when 100 ms have passed since the first of them, and not before", async () => {
  expect(RESCORING_WAIT).toBe(100);
  const { ask, calls } = remembering();
  const { after, go, ...time } = clock();
  const batch = new PredictionBatch(ask, { width: 2, size: 32, wait: RESCORING_WAIT, after });
  const answers = Array.from({ length: 31 }, (_, i) => batch.predict(rowOf(i)));
  go(99);
  expect(calls).toEqual([]);
  answers.push(batch.predict(rowOf(31)));
  expect(calls).toEqual([32]);
  answers.push(batch.predict(rowOf(32)));
  go(60);
  answers.push(batch.predict(rowOf(33)));
  go(39);
  expect(calls).toEqual([32]);
  go(1);
  expect(calls).toEqual([32, 2]);
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 34 }, (_, i) => i));
  go(1000);
  await batch.flush();
  expect([batch.calls, batch.rows, time.timers]).toEqual([2, 34, 0]);
});

test("a row is copied when it is given", async () => {
  const { ask } = remembering();
  const batch = new PredictionBatch(ask, { width: 2, size: 2, wait: 1e6 });
  const row = rowOf(1);
  const first = batch.predict(row);
  row[0] = 2;
  expect(await Promise.all([first, batch.predict(row)])).toEqual([1, 2]);
});

test("without batches each row goes by itself", async () => {
  const { ask, calls } = remembering();
  const batch = new PredictionBatch(ask, { width: 2, size: 1, wait: 1e6 });
  expect(await Promise.all([batch.predict(rowOf(7)), batch.predict(rowOf(8))])).toEqual([7, 8]);
  expect(calls).toEqual([1, 1]);
});

test("a row that is none is refused alone; a model that fails fails all that waited", async () => {
  const { ask, calls } = remembering(true);
  const batch = new PredictionBatch(ask, { width: 2, size: 2, wait: 1e6 });
  await expect(batch.predict(Float32Array.of(1))).rejects.toThrow("1 numbers are no row of 2");
  const outcomes = await Promise.allSettled([batch.predict(rowOf(1)), batch.predict(rowOf(2))]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(calls).toEqual([2]);
});
