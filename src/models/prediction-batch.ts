import type { Model } from "./model.ts";

export interface PredictionBatchOptions {
  /** Rows at which a waiting batch is sent (BATCH_PREDICTION_SIZE); 1 sends each by itself (ENABLE_BATCH_PREDICTION=false). */
  readonly size: number;
  /** How long a row waits for others at most, ms. */
  readonly wait: number;
}

/** How long rescoring waits for company, ms. */
export const RESCORING_WAIT = 100;

/**
 * Gathers single rows into batches, for what is in no hurry: rescoring of virtual positions. The decisions of a cycle
 * are one call of `predict` with all of its rows, and never wait here.
 */
export class PredictionBatch {
  readonly #model: Model;
  readonly #options: PredictionBatchOptions;
  #waiting: { row: Float32Array; resolve: (prediction: number) => void; reject: (error: unknown) => void }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(model: Model, options: PredictionBatchOptions) {
    this.#model = model;
    this.#options = options;
  }

  /**
   * The prediction for one row, which is copied. One row that is refused costs its batch nothing: it is refused at once.
   * @throws RangeError for a row that is not one; and whatever the model throws, for all of the batch.
   */
  predict(row: Float32Array): Promise<number> {
    const { features, missing, name } = this.#model;
    if (row.length !== features.length) {
      return Promise.reject(new RangeError(`model ${name}: ${row.length} numbers are no row of ${features.length}`));
    }
    const wrong = row.findIndex((x) => !Number.isFinite(x) && !(missing === "allowed" && Number.isNaN(x)));
    if (wrong >= 0) {
      return Promise.reject(new RangeError(`model ${name}: ${features[wrong]} is ${row[wrong]}`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ row: row.slice(), resolve, reject });
      if (this.#waiting.length >= this.#options.size) void this.flush();
      else this.#timer ??= setTimeout(() => void this.flush(), this.#options.wait);
    });
  }

  /** Sends what is waiting now. Resolves when it has been answered. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const width = this.#model.features.length;
    const rows = new Float32Array(batch.length * width);
    for (const [i, { row }] of batch.entries()) rows.set(row, i * width);
    const out = new Float64Array(batch.length);
    try {
      await this.#model.predict(rows, out);
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const [i, { resolve }] of batch.entries()) resolve(out[i]!);
  }
}
