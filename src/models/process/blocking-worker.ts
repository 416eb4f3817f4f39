import { InputError } from "../../input-error.ts";
import {
  ALLOWS_MISSING,
  ANSWERED,
  type BlockingTask,
  LENGTH,
  LOST,
  REFUSED,
  STATE,
  TEXT_BYTES,
} from "./blocking-protocol.ts";
import { ModelProcess, ModelProcessLost } from "./model-process.ts";

/** The thread that talks to the model process for one that is asleep meanwhile (blocking-model.ts). */
declare const self: Worker;

const MODEL = "model";
let runtime: ModelProcess | undefined;

self.onmessage = async ({ data }: MessageEvent<BlockingTask>) => {
  const control = new Int32Array(data.control);
  let state: number;
  try {
    state = await answer(data);
  } catch (error) {
    const known = error instanceof InputError || error instanceof ModelProcessLost;
    state = error instanceof InputError ? REFUSED : LOST;
    const text = known ? (error as Error).message : String((error as Error).stack ?? error);
    // The text is cut at a whole character.
    const { written } = new TextEncoder().encodeInto(text, new Uint8Array(data.answer, 0, TEXT_BYTES));
    control[LENGTH] = written;
  }
  Atomics.store(control, STATE, state);
  Atomics.notify(control, STATE);
};

async function answer(task: BlockingTask): Promise<number> {
  if (task.kind === "load") {
    const { memoryLimit, deadline, bytes, width, where } = task;
    runtime = new ModelProcess({ memoryLimit, deadline, loadDeadline: deadline });
    const missing = await runtime.load(MODEL, bytes, width, where);
    return missing === "allowed" ? ALLOWS_MISSING : ANSWERED;
  }
  const values = await runtime!.predict(MODEL, task.rows);
  new Float64Array(task.answer).set(values);
  return ANSWERED;
}
