import type { Dataset } from "./dataset.ts";

/** Something that can be fitted to labelled rows. What evaluation, gate and validation need to know of any model. */
export interface Learner {
  /** Kind of model, such as `trees`. */
  readonly kind: string;
  /** The parameters to be tried; each is a trial that the ledger counts. */
  readonly variants: readonly Variant[];
  /**
   * Fits to the rows `train`, each weighted by `dataset.weight`; `validation` says when to stop and nothing else.
   * Deterministic in its arguments. Reads no other row.
   */
  fit(dataset: Dataset, train: Int32Array, validation: Int32Array, variant: Variant, seed: number): Scorer;
}

export interface Variant {
  readonly name: string;
  readonly parameters: Readonly<Record<string, number>>;
}

/** A fitted model. */
export interface Scorer {
  /** Raw probabilities of a gain for rows one after the other. */
  score(x: Float32Array, rows: number): Float64Array;
  /** Its whole content as bytes; equal bytes predict equally. */
  save(): Uint8Array;
  /** Loss on the training and the validation rows per round, for the learning curve. */
  readonly curve: readonly { readonly train: number; readonly validation: number }[];
}
