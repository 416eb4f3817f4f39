import { InputError } from "../../input-error.ts";
import { workerOf } from "../../this-program.ts";
import { checkPredictions, checkRows } from "../model.ts";
import {
  ALLOWS_MISSING,
  type BlockingTask,
  CONTROL_BYTES,
  LENGTH,
  LOST,
  REFUSED,
  STATE,
  TEXT_BYTES,
  WAITING,
} from "./blocking-protocol.ts";

const WORKER = workerOf("src/models/process/blocking-worker.ts");

/** A task without the memory for its answer, which is made here. */
type Request = BlockingTask extends infer T ? (T extends BlockingTask ? Omit<T, "control" | "answer"> : never) : never;

export interface BlockingOptions {
  /** Data that the process may allocate, MB. */
  readonly memoryLimit: number;
  /** Time after which a model counts as hung, ms. It ends the program, so that no result depends on a clock. */
  readonly deadline: number;
}

/**
 * An ONNX graph in the process for models, for a program that has nothing to do before it has the answer: a backtest, a
 * training, an evaluation. This thread sleeps while another talks to the process, so that code which computes can ask a
 * net like a function. In a live run it must not be used: nothing else happens meanwhile.
 */
export class BlockingOnnxModel {
  readonly name = "onnx";
  readonly features: readonly string[];
  readonly missing: "allowed" | "refused";
  readonly #worker: Worker;
  readonly #where: string;
  readonly #deadline: number;

  /** @throws InputError for a file that cannot be served, and where the process was lost over it */
  constructor(bytes: Uint8Array, features: readonly string[], where: string, options: BlockingOptions) {
    this.features = features;
    this.#where = where;
    this.#deadline = options.deadline;
    this.#worker = new Worker(WORKER);
    // A program that has ended waits for no model.
    this.#worker.unref();
    const width = features.length;
    const { state } = this.#ask({ kind: "load", bytes, width, where, ...options }, 0);
    this.missing = state === ALLOWS_MISSING ? "allowed" : "refused";
  }

  /** See Model of src/models/model.ts. @throws InputError also where the process was lost: there is no answer then */
  predict(rows: Float32Array, out: Float64Array): void {
    const count = checkRows(this, rows, out);
    if (count === 0) return;
    const { answer } = this.#ask({ kind: "predict", rows }, count * 8);
    const values = new Float64Array(answer, 0, count);
    checkPredictions(this.#where, values, count);
    out.set(values);
  }

  /** The process ends with the thread that started it. */
  close(): void {
    this.#worker.terminate();
  }

  #ask(request: Request, size: number): { readonly state: number; readonly answer: SharedArrayBuffer } {
    const control = new SharedArrayBuffer(CONTROL_BYTES);
    const answer = new SharedArrayBuffer(size > TEXT_BYTES ? size : TEXT_BYTES);
    this.#worker.postMessage({ ...request, control, answer } satisfies BlockingTask);
    const words = new Int32Array(control);
    // The process has its own deadline; this one is for a thread that cannot even say so.
    Atomics.wait(words, STATE, WAITING, 2 * this.#deadline);
    const state = Atomics.load(words, STATE);
    if (state !== WAITING && state !== REFUSED && state !== LOST) return { state, answer };
    this.close();
    // Shared memory is not decoded in place.
    const said = new TextDecoder().decode(new Uint8Array(answer, 0, words[LENGTH]!).slice());
    const text = state === WAITING ? "nobody answered for the model process" : said;
    throw new InputError(state === REFUSED ? text : `${this.#where}: ${text}`);
  }
}
