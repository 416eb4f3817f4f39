/** Asks a model about rows one after the other. */
export type AskRows = (x: Float32Array, rows: number) => Float64Array | Promise<Float64Array>;

export interface PredictionBatchOptions {
  /** Numbers of a row. */
  readonly width: number;
  /** Rows at which a waiting batch is sent (BATCH_PREDICTION_SIZE); 1 sends each by itself (ENABLE_BATCH_PREDICTION=false). */
  readonly size: number;
  /** How long a row waits for others at most, ms. */
  readonly wait: number;
  /** Calls back after some ms, and returns what takes that back; the timers of this thread when absent. */
  readonly after?: (ms: number, call: () => void) => () => void;
}

/** How long rescoring waits for company, ms. */
export const RESCORING_WAIT = 100;

/**
 * Gathers single rows into batches, for what is in no hurry: rescoring of positions. The decisions of a cycle are one call
 * with all of its rows, and never wait here.
 */
export class PredictionBatch {
  /** Calls and rows so far. */
  calls = 0;
  rows = 0;
  readonly #ask: AskRows;
  readonly #options: PredictionBatchOptions;
  readonly #after: NonNullable<PredictionBatchOptions["after"]>;
  #waiting: { row: Float32Array; resolve: (prediction: number) => void; reject: (error: unknown) => void }[] = [];
  #cancel: (() => void) | undefined;

  constructor(ask: AskRows, options: PredictionBatchOptions) {
    this.#ask = ask;
    this.#options = options;
    this.#after = options.after ?? afterTime;
  }

  /**
   * The prediction for one row, which is copied.
   * @throws RangeError for a row that is not one; and whatever the model throws, for all of the batch.
   */
  predict(row: Float32Array): Promise<number> {
    const { width, size, wait } = this.#options;
    if (row.length !== width) {
      return Promise.reject(new RangeError(`${row.length} numbers are no row of ${width}`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ row: row.slice(), resolve, reject });
      if (this.#waiting.length >= size) void this.flush();
      else this.#cancel ??= this.#after(wait, () => void this.flush());
    });
  }

  /** Sends what is waiting now. Resolves when it has been answered. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const { width } = this.#options;
    const x = new Float32Array(batch.length * width);
    for (const [i, { row }] of batch.entries()) x.set(row, i * width);
    this.calls++;
    this.rows += batch.length;
    let answers: Float64Array;
    try {
      answers = await this.#ask(x, batch.length);
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const [i, { resolve }] of batch.entries()) resolve(answers[i]!);
  }
}

function afterTime(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
