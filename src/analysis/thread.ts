import { workerOf } from "../this-program.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

const WORKER = workerOf("src/analysis/worker.ts");

/** A task that came to nothing because its worker did. */
export class WorkerLost extends Error {
  override readonly name = "WorkerLost";
  /** Whether the worker was at this very task, rather than having it still before it. */
  readonly atTask: boolean;

  constructor(reason: string, atTask: boolean) {
    super(reason);
    this.atTask = atTask;
  }
}

/** A task without its number, which the thread gives. */
export type Task = ToWorker extends infer T ? (T extends ToWorker ? Omit<T, "task"> : never) : never;
export type Answer = Exclude<FromWorker, { kind: "progress" | "failed" }>;

interface Pending {
  readonly task: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** A task was refused by a worker that goes on. */
export class TaskFailed extends Error {
  override readonly name = "TaskFailed";
  readonly exitCode: 1 | 2 | undefined;

  constructor(message: string, exitCode: 1 | 2 | undefined) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface ThreadOptions {
  /** Time without an answer or a sign of progress after which the worker counts as hung, ms. */
  readonly timeout: number;
  /** Told once when the worker is of no use any more, whatever the reason. */
  readonly onLost: (reason: string) => void;
  /** The program to run, for tests. */
  readonly program?: string | undefined;
}

/**
 * One worker as its owner sees it: tasks are answered in order. When the worker dies or hangs all open tasks fail and
 * no other is taken; a thread is not restarted but replaced.
 */
export class AnalysisThread {
  /** The worker's JavaScript heap after its last task, bytes. */
  heap = 0;
  /** How often it has answered. */
  answers = 0;
  readonly #options: ThreadOptions;
  readonly #worker: Worker;
  readonly #pending: Pending[] = [];
  #task = 0;
  #lost: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the worker turned to the task it is at, or last said that it comes on. */
  #since = 0;

  constructor(options: ThreadOptions) {
    this.#options = options;
    this.#worker = new Worker(options.program ?? WORKER);
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#heard(data);
    this.#worker.onerror = (event) => this.end(`a worker failed: ${summaryOf(event.message)}`);
    // Bun closes a worker with code 0 after an unhandled rejection too: every end that was not asked for is a loss.
    this.#worker.addEventListener("close", () => this.end("a worker ended"));
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Open tasks. */
  get load(): number {
    return this.#pending.length;
  }

  /** How long the worker has been at its present task without a sign, ms; 0 when it has none. */
  get silence(): number {
    return this.#pending.length === 0 ? 0 : performance.now() - this.#since;
  }

  /** @throws WorkerLost | TaskFailed */
  run(task: Task): Promise<Answer> {
    if (this.#lost !== undefined) return Promise.reject(new WorkerLost(this.#lost, false));
    const number = ++this.#task;
    return new Promise((resolve, reject) => {
      this.#pending.push({ task: number, resolve, reject });
      if (this.#pending.length === 1) this.#turn();
      this.#worker.postMessage({ ...task, task: number });
    });
  }

  /** Ends the worker; its open tasks fail. */
  end(reason: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    clearTimeout(this.#timer);
    this.#worker.terminate();
    this.#options.onLost(reason);
    this.#pending.forEach(({ reject }, place) => {
      reject(new WorkerLost(reason, place === 0));
    });
    this.#pending.length = 0;
  }

  #heard(message: FromWorker): void {
    if (this.#lost !== undefined) return;
    if (message.kind === "progress") {
      this.#since = performance.now();
      return;
    }
    // A worker that dies of an unhandled rejection first goes on with the next task.
    if (message.task !== this.#pending[0]?.task) return this.end("a worker left a task unanswered");
    const { resolve, reject } = this.#pending.shift()!;
    this.heap = message.heap;
    this.answers++;
    if (message.kind === "failed") reject(new TaskFailed(message.message, message.exitCode));
    else resolve(message);
    this.#turn();
  }

  /** The worker goes on to the next task, if there is one. */
  #turn(): void {
    clearTimeout(this.#timer);
    this.#since = performance.now();
    if (this.#pending.length > 0) this.#watch(this.#options.timeout);
  }

  #watch(wait: number): void {
    this.#timer = setTimeout(() => {
      // This thread itself may have been busy: what the worker has sent meanwhile is heard first.
      this.#timer = setTimeout(() => {
        const left = this.#options.timeout - this.silence;
        if (left > 0) this.#watch(left);
        else this.end(`a worker gave no sign for ${this.#options.timeout / 1000} s`);
      }, 0);
    }, wait);
    this.#timer.unref();
  }
}

/** The line of an error that says what it was: from source, Bun puts an excerpt of the code around it. */
function summaryOf(message: string): string {
  const lines = message.split("\n").map((line) => line.trim());
  return lines.find((line) => /^(\w*error|uncaught)\b/i.test(line)) ?? lines[0]!;
}
