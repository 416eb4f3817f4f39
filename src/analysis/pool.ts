import { InputError } from "../input-error.ts";
import type { Klines } from "../market/kline-csv.ts";
import { LANES } from "../market/panel.ts";
import type { AnalysisOptions } from "./engine.ts";
import type { FeatureRowsAt, Finding, RangeBars, SymbolRange } from "./protocol.ts";
import { AnalysisThread, type Answer, type Task, TaskFailed, WorkerLost } from "./thread.ts";

/** A range was not analysed. `culprit` is false when it only shared a worker with what went wrong. */
export class RangeFailed extends Error {
  override readonly name = "RangeFailed";
  readonly culprit: boolean;

  constructor(reason: string, culprit: boolean) {
    super(reason);
    this.culprit = culprit;
  }
}

export interface PoolOptions {
  readonly workers: number;
  /** Time without an answer after which work counts as lost, ms. */
  readonly timeout: number;
  /** JavaScript heap above which a worker is replaced, bytes. */
  readonly heapLimit: number;
  /** Resident memory of the process, bars aside, above which the worker that is longest at its task is replaced, bytes. */
  readonly memoryLimit: number;
  readonly onNotice: (level: "warning" | "alarm", text: string) => void;
  /** What the workers run; for tests. */
  readonly program?: string | undefined;
}

/** How many workers may run: never more than the setting, and never more than processors + 4. */
export function mostWorkers(setting: number, processors: number): number {
  return Math.min(setting, processors + 4);
}

/**
 * Divides symbols into ranges of whole groups of eight: none larger than `batch` rounded to groups, all about equally
 * large, and as many for each worker.
 */
export function divideSymbols(symbols: number, batch: number, workers: number): SymbolRange[] {
  const groups = Math.ceil(symbols / LANES);
  const most = Math.max(1, Math.round(batch / LANES));
  const wanted = Math.ceil(Math.ceil(groups / most) / workers) * workers;
  const count = Math.min(groups, wanted);
  return Array.from({ length: count }, (_, index) => {
    const first = Math.floor((index * groups) / count) * LANES;
    const end = Math.floor(((index + 1) * groups) / count) * LANES;
    return { first, symbols: Math.min(end, symbols) - first };
  });
}

/** Resident memory per worker that is worth a warning, bytes. */
const WARN_AT = 500e6;
const MEMORY_CHECK = 250;
const PARSE_ATTEMPTS = 3;
/** Columns of parsed bars. */
const COLUMNS = 6;

interface OpenRange {
  readonly range: SymbolRange;
  readonly bars: RangeBars;
  readonly options: AnalysisOptions;
}

interface Place {
  thread: AnalysisThread;
  readonly ranges: OpenRange[];
}

/**
 * Long-lived analysis workers over disjoint ranges of symbols. A worker that dies, hangs or grows is replaced, and the
 * new one is given the ranges of the old; their state it rebuilds itself from the bars, which lie in shared memory.
 * Work that was lost is not repeated here: whether to try again is for those who asked to say.
 */
export class AnalysisPool {
  /** Workers replaced so far. */
  replaced = 0;
  readonly #options: PoolOptions;
  readonly #places: Place[];
  /** Bars that were read, which are meant to be there, bytes. */
  #shared = 0;
  #patience = 0;
  #warned = false;
  #closed = false;
  readonly #memory: ReturnType<typeof setInterval>;
  /** Finds workers that hang while nobody wants anything of them. */
  readonly #health: ReturnType<typeof setInterval>;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#places = Array.from({ length: options.workers }, () => {
      const place: Place = { thread: undefined as unknown as AnalysisThread, ranges: [] };
      place.thread = this.#start(place);
      return place;
    });
    this.#memory = setInterval(() => this.#checkMemory(process.memoryUsage.rss()), MEMORY_CHECK);
    this.#memory.unref();
    this.#health = setInterval(() => void this.check(), options.timeout);
    this.#health.unref();
  }

  get workers(): number {
    return this.#places.length;
  }

  /** Gives a range to a worker, by number below `workers`. */
  open(range: SymbolRange, bars: RangeBars, options: AnalysisOptions, worker: number): void {
    const place = this.#places[worker];
    if (place === undefined) throw new RangeError(`worker ${worker} of ${this.workers}`);
    const open: OpenRange = { range, bars, options };
    place.ranges.push(open);
    this.#open(place.thread, open);
  }

  /** Forgets all ranges, for them to be opened on other bars. */
  forget(): void {
    for (const place of this.#places) place.ranges.length = 0;
  }

  /** The findings of a range in the cycles `from` … `to`; see RangeAnalysis. @throws RangeFailed */
  async analyse(range: SymbolRange, from: number, to: number): Promise<readonly Finding[]> {
    const answer = await this.#run(this.#placeOf(range), { kind: "analyse", first: range.first, from, to });
    if (answer.kind !== "analysed") throw new Error(`a worker answered "${answer.kind}" to a cycle`);
    return answer.found;
  }

  /** The newest feature rows of symbols of a range; undefined where it has none at the moment. @throws RangeFailed */
  async rows(range: SymbolRange, symbols: readonly number[]): Promise<FeatureRowsAt | undefined> {
    const answer = await this.#run(this.#placeOf(range), { kind: "rows", first: range.first, symbols });
    if (answer.kind !== "rows") throw new Error(`a worker answered "${answer.kind}" to a question for rows`);
    return answer.rows;
  }

  #placeOf(range: SymbolRange): Place {
    const place = this.#places.find(({ ranges }) => ranges.some((open) => open.range === range));
    if (place === undefined) throw new Error(`the range of symbol ${range.first} is not open`);
    return place;
  }

  /** Reads a file of bars in whichever worker has least to do; a lost worker costs another attempt. @throws InputError */
  async parse(path: string, timeframe: number): Promise<Klines> {
    for (let attempt = 1; ; attempt++) {
      const place = this.#places.reduce((least, other) => (other.thread.load < least.thread.load ? other : least));
      try {
        const answer = await this.#run(place, { kind: "parse", path, timeframe });
        if (answer.kind !== "parsed") throw new Error(`a worker answered "${answer.kind}" to a file`);
        this.#shared += answer.klines.openTime.length * COLUMNS * 8;
        return answer.klines;
      } catch (error) {
        if (!(error instanceof RangeFailed)) throw error;
        if (attempt === PARSE_ATTEMPTS) throw new InputError(`${path}: could not be read: ${error.message}`);
      }
    }
  }

  /** Asks every worker for a sign of life; those that give none in time are replaced. True when all did. */
  async check(): Promise<boolean> {
    const pings = this.#places.map((place) => this.#run(place, { kind: "ping" }));
    const outcomes = await Promise.allSettled(pings);
    return outcomes.every(({ status }) => status === "fulfilled");
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#memory);
    clearInterval(this.#health);
    for (const { thread } of this.#places) thread.end("the pool was closed");
  }

  async #run(place: Place, task: Task): Promise<Answer> {
    if (this.#closed) throw new RangeFailed("the pool is closed", false);
    if (place.thread.isLost) place.thread = this.#restart(place);
    const { thread } = place;
    try {
      const answer = await thread.run(task);
      if (thread.heap > this.#options.heapLimit) {
        thread.end(`a worker's heap grew to ${megabytes(thread.heap)}, above ${megabytes(this.#options.heapLimit)}`);
      }
      return answer;
    } catch (error) {
      if (error instanceof WorkerLost) throw new RangeFailed(error.message, error.atTask);
      if (!(error instanceof TaskFailed)) throw error;
      if (error.exitCode !== undefined) throw new InputError(error.message, error.exitCode);
      throw new RangeFailed(error.message, true);
    }
  }

  #start(place: Place): AnalysisThread {
    const { timeout, program } = this.#options;
    return new AnalysisThread({ timeout, program, onLost: (reason) => this.#replace(place, reason) });
  }

  #replace(place: Place, reason: string): void {
    if (this.#closed) return;
    this.replaced++;
    this.#options.onNotice("warning", `analysis: ${reason}; it is replaced`);
    // A worker that never said a word would only die again: the next task for it tries once more.
    if (place.thread.answers > 0) place.thread = this.#restart(place);
  }

  #restart(place: Place): AnalysisThread {
    const thread = this.#start(place);
    for (const open of place.ranges) this.#open(thread, open);
    return thread;
  }

  #open(thread: AnalysisThread, { range, bars, options }: OpenRange): void {
    // When this fails the worker is gone, and with it the tasks behind this one: they tell.
    thread.run({ kind: "open", range, bars, options }).catch((error) => {
      if (!(error instanceof WorkerLost)) throw error;
    });
  }

  /** The backstop for what no heap figure shows, and for a task that never comes back to report one. */
  #checkMemory(rss: number): void {
    const own = rss - this.#shared;
    const { workers } = this;
    if (own > WARN_AT * workers && !this.#warned) {
      this.#warned = true;
      this.#options.onNotice(
        "warning",
        `the process uses ${megabytes(rss)} of memory with ${workers} analysis workers`,
      );
    }
    const { memoryLimit, heapLimit } = this.#options;
    if (own < memoryLimit) this.#patience = memoryLimit;
    if (own < this.#patience) return;
    // A worker's memory is given back late or never: only what grows on from here is another's fault.
    this.#patience = own + heapLimit;
    const slowest = this.#places.reduce((most, other) => (other.thread.silence > most.thread.silence ? other : most));
    if (slowest.thread.load > 0) slowest.thread.end(`the process uses ${megabytes(rss)} of memory`);
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
