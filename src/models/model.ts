import { InputError } from "../input-error.ts";

/**
 * The seam of everything that predicts. A model knows the features of its rows by name and order, predicts the same for
 * the same row whatever stands beside it in a batch, and answers with finite numbers or an error.
 */
export interface Model {
  /** The kind of model, as the registry has it. */
  readonly name: string;
  readonly features: readonly string[];
  /** Whether a row may lack values (NaN). */
  readonly missing: "allowed" | "refused";
  /**
   * @param rows row-major, a number per feature.
   * @param out takes one prediction per row; untouched when there is an error.
   * @returns a promise where the answer comes from another process.
   */
  predict(rows: Float32Array, out: Float64Array): void | Promise<void>;
  /** Frees what the model holds elsewhere. */
  close(): void;
}

/**
 * The rows of a batch, checked against what a model takes. Every implementation calls it first.
 * @returns their number.
 * @throws InputError for rows that are not whole, lack a value where that is refused, or hold an infinity.
 */
export function checkRows(
  model: Pick<Model, "name" | "features" | "missing">,
  rows: Float32Array,
  out: Float64Array,
): number {
  const { features, missing, name } = model;
  const count = rows.length / features.length;
  if (!Number.isInteger(count)) {
    throw new InputError(`model ${name}: ${rows.length} numbers are no rows of ${features.length} features`);
  }
  if (out.length < count) throw new RangeError(`${count} rows, but room for ${out.length} predictions`);
  for (let i = 0; i < rows.length; i++) {
    const x = rows[i]!;
    if (Number.isFinite(x) || (missing === "allowed" && Number.isNaN(x))) continue;
    const allowed = missing === "allowed" ? "finite numbers, or NaN for a missing one" : "finite numbers";
    const row = Math.floor(i / features.length);
    throw new InputError(`model ${name}: row ${row}, ${features[i % features.length]} is ${x}; allowed: ${allowed}`);
  }
  return count;
}

/** @throws InputError when a prediction is no finite number. */
export function checkPredictions(name: string, predictions: Float64Array, count: number): void {
  if (predictions.length !== count)
    throw new InputError(`model ${name}: ${predictions.length} answers for ${count} rows`);
  const wrong = predictions.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new InputError(`model ${name}: predicts ${predictions[wrong]} for row ${wrong}`);
}

/** @throws InputError when a model's features are not those that rows have, by name and order. */
export function checkFeatures(own: readonly string[], rows: readonly string[], where: string): void {
  if (own.length !== rows.length)
    throw new InputError(`${where}: has ${own.length} features; there are ${rows.length}`);
  const other = own.findIndex((name, i) => name !== rows[i]);
  if (other >= 0) throw new InputError(`${where}: feature ${other} is ${own[other]}; here it is ${rows[other]}`);
}
