import { expect, test } from "bun:test";
import type { Model } from "../../src/models/model.ts";
import { PredictionBatch } from "../../src/models/prediction-batch.ts";

/** Predicts the first number of a row, and remembers how many rows it was given at a time. */
function remembering(fails = false) {
  const calls: number[] = [];
  const model: Model = {
    name: "first",
    features: ["a", "b"],
    missing: "refused",
    predict(rows, out) {
      calls.push(rows.length / 2);
      if (fails) throw new Error("lost");
      for (let i = 0; i < rows.length / 2; i++) out[i] = rows[2 * i]!;
    },
    close() {},
  };
  return { model, calls };
}

const rowOf = (x: number) => Float32Array.of(x, 0);

test("a full batch is sent at once, the rest when its time has come", async () => {
  const { model, calls } = remembering();
  const batch = new PredictionBatch(model, { size: 3, wait: 1 });
  const row = rowOf(0);
  const answers = [1, 2, 3, 4].map((x) => {
    row[0] = x;
    return batch.predict(row);
  });
  expect(calls).toEqual([3]);
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4]);
  expect(calls).toEqual([3, 1]);
  await batch.flush();
  expect(calls).toEqual([3, 1]);
});

test("without batches each row goes by itself", async () => {
  const { model, calls } = remembering();
  const batch = new PredictionBatch(model, { size: 1, wait: 1e6 });
  expect(await Promise.all([batch.predict(rowOf(7)), batch.predict(rowOf(8))])).toEqual([7, 8]);
  expect(calls).toEqual([1, 1]);
});

test("a row that does not fit is refused alone; a model that fails fails all that waited", async () => {
  const { model, calls } = remembering(true);
  const batch = new PredictionBatch(model, { size: 2, wait: 1e6 });
  await expect(batch.predict(Float32Array.of(1))).rejects.toThrow("1 numbers are no row of 2");
  await expect(batch.predict(rowOf(Number.NaN))).rejects.toThrow("model first: a is NaN");
  const outcomes = await Promise.allSettled([batch.predict(rowOf(1)), batch.predict(rowOf(2))]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(calls).toEqual([2]);
});
