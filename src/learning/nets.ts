import { InputError } from "../input-error.ts";
import type { Model } from "../models/model.ts";
import type { Learner, Scorer } from "./learner.ts";
import { ONNX_KIND } from "./manifest.ts";

/** A model that answers before the call returns. */
type AtOnce = Omit<Model, "predict" | "close"> & { predict(rows: Float32Array, out: Float64Array): void };

/**
 * The rows as a model takes them. Features are missing where they have no meaning, and most nets have no node for that:
 * they get 0, which is the neutral value of nearly every feature (docs/features.md). They are judged with it and decide
 * with it.
 */
export function filledFor({ missing }: Pick<Model, "missing">, x: Float32Array): Float32Array {
  return missing === "allowed" ? x : x.map((value) => (Number.isNaN(value) ? 0 : value));
}

/** Probabilities of any model. @throws InputError for what is none; and whatever the model throws */
export function scoreOf(model: Model, x: Float32Array, where: string): Float64Array | Promise<Float64Array> {
  const out = new Float64Array(x.length / model.features.length);
  const waiting = model.predict(filledFor(model, x), out);
  return waiting === undefined ? probabilities(out, where) : waiting.then(() => probabilities(out, where));
}

/** The same of one that answers at once. */
export function scoreAtOnce(model: AtOnce, x: Float32Array, where: string): Float64Array {
  const out = new Float64Array(x.length / model.features.length);
  model.predict(filledFor(model, x), out);
  return probabilities(out, where);
}

function probabilities(values: Float64Array, where: string): Float64Array {
  const wrong = values.findIndex((p) => !(p >= 0 && p <= 1));
  if (wrong < 0) return values;
  throw new InputError(
    `${where}: predicts ${values[wrong]} for row ${wrong}; probabilities are from 0 to 1: end the graph with Sigmoid or Softmax`,
  );
}

/** A net that somebody trained elsewhere, judged like any other model: nothing is fitted but what calibrates it. */
export function netLearner(model: AtOnce, bytes: Uint8Array, where: string): Learner {
  const scorer: Scorer = { score: (x) => scoreAtOnce(model, x, where), save: () => bytes, curve: [] };
  return { kind: ONNX_KIND, variants: [{ name: "imported", parameters: {} }], fit: () => scorer };
}
