import { InputError } from "../input-error.ts";
import { readInputFile } from "../market/input-file.ts";
import { parseKlines } from "../market/kline-csv.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";
import { RangeAnalysis } from "./range-analysis.ts";

/** The analysis thread: holds ranges of symbols, and answers one task after the other. */
declare const self: Worker;

const ranges = new Map<number, RangeAnalysis>();

/** Wall time between two signs of progress, ms. */
const PROGRESS_EVERY = 200;

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  const { task } = data;
  try {
    self.postMessage(answer(data));
  } catch (error) {
    // One range's failure must not take the others of this worker with it. The pool says aloud what happened.
    if (data.kind === "analyse") ranges.get(data.first)?.forget();
    const message = error instanceof Error ? error.message : String(error);
    const exitCode = error instanceof InputError ? error.exitCode : undefined;
    self.postMessage({ kind: "failed", task, heap: heap(), message, exitCode } satisfies FromWorker);
  }
};

function answer(data: ToWorker): FromWorker {
  const { task } = data;
  switch (data.kind) {
    case "open":
      ranges.set(data.range.first, new RangeAnalysis(data.range, data.bars, data.options));
      return { kind: "done", task, heap: heap() };
    case "analyse": {
      const range = ranges.get(data.first);
      if (range === undefined) throw new Error(`the range of symbol ${data.first} was never opened`);
      const found = range.analyse(data.from, data.to, reporter(task));
      return { kind: "analysed", task, heap: heap(), found };
    }
    case "rows": {
      const rows = ranges.get(data.first)?.rows(data.symbols);
      return { kind: "rows", task, heap: heap(), rows };
    }
    case "parse": {
      const klines = parseKlines(readInputFile(data.path), data.path, data.timeframe);
      return { kind: "parsed", task, heap: heap(), klines };
    }
    case "ping":
      return { kind: "done", task, heap: heap() };
    default:
      return data satisfies never;
  }
}

function reporter(task: number): () => void {
  let last = performance.now();
  return () => {
    const now = performance.now();
    if (now - last < PROGRESS_EVERY) return;
    last = now;
    self.postMessage({ kind: "progress", task } satisfies FromWorker);
  };
}

/**
 * What JavaScript holds, without array buffers: bars lie in shared memory, of which the engine counts what is reserved
 * (and twice), so that a panel of 200 symbols would look like a leak. Buffers of our own show in resident memory.
 */
function heap(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed - external;
}
