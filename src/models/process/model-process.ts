import { InputError } from "../../input-error.ts";
import { withMemoryLimit } from "../../memory-limit.ts";
import { selfCommand } from "../../this-program.ts";
import type { ImportedModel } from "../import/import-model.ts";
import { type FromProcess, MODELS_ARGUMENT, type ToProcess } from "./protocol.ts";

/** A prediction, or whatever was asked for, came to nothing because the process ended or did not answer in time. */
export class ModelProcessLost extends Error {
  override readonly name = "ModelProcessLost";
}

export interface ModelProcessOptions {
  /** Data that the process may allocate, MB (PROCESS_MEMORY_LIMIT_MB). */
  readonly memoryLimit: number;
  /** Time for an answer, ms; then the process is killed. */
  readonly deadline: number;
  /** Time for a model to be loaded or imported, the start of the process included, ms. */
  readonly loadDeadline: number;
  /** Told when a process is lost, with the reason. */
  readonly onLost?: (reason: string) => void;
  /** The command that is run instead of this program, for tests. */
  readonly command?: readonly string[];
}

/** A task without its number. */
type Request = ToProcess extends infer T ? (T extends ToProcess ? Omit<T, "task"> : never) : never;
type Load = Extract<Request, { kind: "load" }>;

interface Pending {
  readonly kind: Request["kind"];
  readonly deadline: number;
  readonly resolve: (answer: FromProcess) => void;
  readonly reject: (error: Error) => void;
}

/** What those who predict need of the process. */
export type OnnxRuntime = Pick<ModelProcess, "load" | "predict" | "unload">;

/**
 * One process of this program for models that run in ONNX Runtime and files that strangers wrote. It is started when
 * first needed. When it dies or misses a deadline all open requests fail at once; the next one starts another, which
 * loads the same models again.
 */
export class ModelProcess {
  readonly #options: ModelProcessOptions;
  readonly #pending: Pending[] = [];
  /** Models that a new process has to load before anything else. */
  readonly #loads = new Map<string, Load>();
  #child: Bun.Subprocess | undefined;
  #task = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: ModelProcessOptions) {
    this.#options = options;
  }

  /** Process id while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Reads a file that was trained elsewhere. @throws InputError | ModelProcessLost */
  async import(bytes: Uint8Array, features: readonly string[], where: string): Promise<ImportedModel> {
    const answer = await this.#ask({ kind: "import", bytes, features, where }, this.#options.loadDeadline);
    if (answer.kind !== "imported") throw new ModelProcessLost(`the model process answered ${answer.kind}`);
    return answer.model;
  }

  /**
   * Loads a model under a name, in place of one that had it.
   * @param width features of a row.
   * @returns whether its rows may lack values.
   * @throws InputError | ModelProcessLost; a model of the same name then stays what it was.
   */
  async load(model: string, bytes: Uint8Array, width: number, where: string): Promise<"allowed" | "refused"> {
    const request = { kind: "load", model, bytes, width, where } as const;
    const answer = await this.#ask(request, this.#options.loadDeadline);
    if (answer.kind !== "loaded") throw new ModelProcessLost(`the model process answered ${answer.kind}`);
    this.#loads.set(model, request);
    return answer.missing;
  }

  /** One number per row. @throws InputError | ModelProcessLost, also for a model that was unloaded meanwhile */
  async predict(model: string, rows: Float32Array): Promise<Float64Array> {
    if (!this.#loads.has(model)) throw new ModelProcessLost(`${model} is not open any more`);
    const answer = await this.#ask({ kind: "predict", model, rows }, this.#options.deadline);
    if (answer.kind !== "predicted") throw new ModelProcessLost(`the model process answered ${answer.kind}`);
    return answer.values;
  }

  /** Forgets a model, here and in the process. */
  unload(model: string): void {
    this.#loads.delete(model);
    // A process that is lost over it has forgotten too.
    if (this.#child !== undefined) this.#send({ kind: "unload", model }, this.#options.deadline).catch(() => {});
  }

  /** Ends the process while it has nothing to do and no model: the next request starts another. */
  rest(): void {
    if (this.#loads.size > 0 || this.#pending.some(({ kind }) => kind !== "unload")) return;
    this.#end("the model process rests");
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    this.#lose("the model process was closed");
    await child?.exited;
  }

  async #ask(request: Request, deadline: number): Promise<FromProcess> {
    if (this.#closed) throw new ModelProcessLost("the model process was closed");
    if (this.#child === undefined) {
      this.#start();
      // A lost process rejects these too; whoever asked hears of it by his own request.
      for (const load of this.#loads.values()) this.#send(load, this.#options.loadDeadline).catch(() => {});
    }
    const answer = await this.#send(request, deadline);
    if (answer.kind === "refused") throw new InputError(answer.message);
    return answer;
  }

  #send(request: Request, deadline: number): Promise<FromProcess> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ kind: request.kind, deadline, resolve, reject });
      if (this.#pending.length === 1) this.#watch();
      try {
        this.#child!.send({ ...request, task: ++this.#task });
      } catch (error) {
        // It has died and we have not been told yet.
        this.#lose(`the model process cannot be reached: ${(error as Error).message}`);
      }
    });
  }

  #start(): void {
    const command = this.#options.command ?? [...selfCommand(), MODELS_ARGUMENT];
    // The answers of a new process are counted from its first task.
    let answered = this.#task;
    const child: Bun.Subprocess = Bun.spawn(withMemoryLimit(command, this.#options.memoryLimit), {
      stdio: ["ignore", "ignore", "inherit"],
      serialization: "advanced",
      ipc: (message: FromProcess) => {
        if (this.#child !== child) return;
        if (message.task !== ++answered) return this.#lose("the model process left a task unanswered");
        this.#pending.shift()!.resolve(message);
        this.#watch();
      },
      onExit: (_, code, signal) => {
        if (this.#child === child) this.#lose(`the model process ended (${signal ?? `code ${code}`})`);
      },
    });
    this.#child = child;
  }

  /** The deadline of a request begins when those before it have been answered. */
  #watch(): void {
    clearTimeout(this.#timer);
    const next = this.#pending[0];
    if (next === undefined) return;
    this.#timer = setTimeout(
      () => this.#lose(`the model process gave no answer in ${next.deadline} ms`),
      next.deadline,
    );
  }

  #lose(reason: string): void {
    if (this.#end(reason) && !this.#closed) this.#options.onLost?.(reason);
  }

  /** @returns whether there was a process */
  #end(reason: string): boolean {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    child?.kill("SIGKILL");
    for (const { reject } of this.#pending.splice(0)) reject(new ModelProcessLost(reason));
    return child !== undefined;
  }
}
