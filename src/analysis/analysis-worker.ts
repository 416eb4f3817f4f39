import type { AnalysisEvent } from "../core/events.ts";
import type { Panel } from "../market/panel.ts";
import type { AnalysisOptions } from "./engine.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

/** Inside a compiled program workers are found by their path from the root of the build, from source beside this file. */
const WORKER = Bun.main.startsWith("/$bunfs/")
  ? "./src/analysis/worker.ts"
  : new URL("./worker.ts", import.meta.url).href;

/**
 * The analysis thread as its owner sees it. One question is under way at a time. A worker that dies, whatever its exit
 * code says, fails the question and every later one.
 */
export class AnalysisWorker {
  readonly #worker: Worker;
  #pending: { resolve: (message: FromWorker) => void; reject: (error: Error) => void } | undefined;
  #failed: Error | undefined;
  #closing = false;

  private constructor() {
    this.#worker = new Worker(WORKER);
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.resolve(data);
    };
    this.#worker.onerror = (event) => this.#fail(new Error(`the analysis worker failed: ${event.message}`));
    this.#worker.addEventListener("close", () => {
      if (!this.#closing) this.#fail(new Error("the analysis worker ended"));
    });
  }

  /** Starts the thread on a panel. @throws Error when it cannot be started. */
  static async start(panel: Panel, options: AnalysisOptions): Promise<AnalysisWorker> {
    const worker = new AnalysisWorker();
    await worker.#ask({ kind: "start", panel: panel.buffer, options });
    return worker;
  }

  /** Takes in the bars that closed at `from`, `from + every` … `to`. */
  async advance(from: number, to: number, every: number): Promise<void> {
    await this.#ask({ kind: "warm", from, to, every });
  }

  async analyse(cycle: number, late: readonly number[]): Promise<AnalysisEvent> {
    const answer = await this.#ask({ kind: "analyse", cycle, late });
    if (answer.kind !== "analysed") throw new Error(`the analysis worker answered "${answer.kind}" to a cycle`);
    return answer.event;
  }

  close(): void {
    this.#closing = true;
    this.#worker.terminate();
  }

  #ask(message: ToWorker): Promise<FromWorker> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#worker.postMessage(message);
    });
  }

  #fail(error: Error): void {
    this.#failed = error;
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}
