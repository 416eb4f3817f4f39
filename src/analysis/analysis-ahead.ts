import type { AnalysisEvent } from "../core/events.ts";
import { InputError } from "../input-error.ts";
import { CycleMerge } from "./merge.ts";
import { type AnalysisPool, RangeFailed } from "./pool.ts";
import type { Finding, SymbolRange } from "./protocol.ts";

/** Cycles per task, and tasks that a range may be ahead of the trader. Results do not depend on either. */
const CHUNK = 256;
const AHEAD = 3;
/** How often a range may fail at the same cycles by itself, and how often with its worker, before the run is given up. */
const OWN_FAILURES = 3;
const LOSSES = 12;

export interface AheadOptions {
  /** Close times of the first and the last cycle. */
  readonly first: number;
  readonly last: number;
  readonly timeframe: number;
  readonly symbols: readonly string[];
  readonly chunk?: number;
}

interface Stream {
  readonly range: SymbolRange;
  readonly findings: Finding[];
  /** Findings that the trader has passed. */
  passed: number;
  /** Last cycle that was asked for, and last that was answered. */
  asked: number;
  answered: number;
  /** Answers to an older turn are not wanted any more: it failed and was asked for again. */
  turn: number;
  failures: number;
  losses: number;
}

/**
 * The analysis of finished bars, which does not have to wait for the trader: workers go ahead of him by some tasks.
 * That is exact, because an analysis at t is a function of the bars up to t and of nothing the trader does. What is
 * lost with a worker is done again; a range that fails again and again ends the run.
 */
export class AnalysisAhead {
  readonly #pool: AnalysisPool;
  readonly #options: AheadOptions;
  readonly #chunk: number;
  readonly #streams: readonly Stream[];
  readonly #merge: CycleMerge;
  /** Last cycle that all ranges have answered. */
  #answered: number;
  #failed: Error | undefined;
  #wake: () => void = () => {};

  /** Begins at once. The ranges are open in the pool. */
  constructor(pool: AnalysisPool, ranges: readonly SymbolRange[], options: AheadOptions) {
    const { first, timeframe, chunk, symbols } = options;
    this.#pool = pool;
    this.#options = options;
    this.#chunk = (chunk ?? CHUNK) * timeframe;
    this.#answered = first - timeframe;
    this.#merge = new CycleMerge(symbols.length);
    this.#streams = ranges.map((range) => ({
      range,
      findings: [],
      passed: 0,
      asked: this.#answered,
      answered: this.#answered,
      turn: 0,
      failures: 0,
      losses: 0,
    }));
    for (const stream of this.#streams) this.#ask(stream);
  }

  /** Whether a cycle can be had without waiting. */
  has(cycle: number): boolean {
    return cycle <= this.#answered;
  }

  /** Waits for a cycle. @throws InputError when its analysis was given up. */
  async ready(cycle: number): Promise<void> {
    // Answers that have come meanwhile are taken in even if this one is there, or the workers would run dry.
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.has(cycle)) {
      if (this.#failed !== undefined) throw this.#failed;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The event of a cycle that is there; cycles in rising order. */
  analyse(cycle: number, late: readonly number[]): AnalysisEvent {
    if (!this.has(cycle)) throw new Error(`cycle ${cycle} is not analysed yet`);
    for (const stream of this.#streams) {
      const { findings, range } = stream;
      while (stream.passed < findings.length && findings[stream.passed]!.cycle <= cycle) {
        const { cycle: at, regimes, candidates } = findings[stream.passed++]!;
        this.#merge.add(range, { regimes, candidates: at === cycle ? candidates : [] });
      }
    }
    return this.#merge.event(cycle, late);
  }

  /** Keeps a range busy, but not further ahead than it may be. */
  #ask(stream: Stream): void {
    const { last, timeframe } = this.#options;
    const limit = this.#answered + AHEAD * this.#chunk;
    while (stream.asked < last && stream.asked < limit) {
      const from = stream.asked + timeframe;
      const to = Math.min(stream.asked + this.#chunk, last);
      const { turn } = stream;
      stream.asked = to;
      this.#pool.analyse(stream.range, from, to).then(
        (found) => {
          if (turn === stream.turn) this.#take(stream, to, found);
        },
        (error: Error) => {
          if (turn === stream.turn) this.#again(stream, error);
        },
      );
    }
  }

  #take(stream: Stream, to: number, found: readonly Finding[]): void {
    stream.answered = to;
    stream.failures = 0;
    stream.losses = 0;
    stream.findings.splice(0, stream.passed);
    stream.passed = 0;
    for (const finding of found) stream.findings.push(finding);
    const answered = this.#streams.reduce((least, other) => Math.min(least, other.answered), Number.POSITIVE_INFINITY);
    if (answered > this.#answered) {
      this.#answered = answered;
      for (const each of this.#streams) this.#ask(each);
    }
    this.#wake();
  }

  #again(stream: Stream, error: Error): void {
    stream.turn++;
    stream.asked = stream.answered;
    stream.losses++;
    if (error instanceof RangeFailed && error.culprit) stream.failures++;
    if (error instanceof RangeFailed && stream.failures < OWN_FAILURES && stream.losses < LOSSES) {
      this.#ask(stream);
      return;
    }
    const { symbols } = this.#options;
    const { first, symbols: count } = stream.range;
    const who = count === 1 ? symbols[first] : `${symbols[first]} to ${symbols[first + count - 1]}`;
    const at = new Date(stream.asked).toISOString();
    const why = `the analysis of ${who} failed ${stream.losses} times after ${at}: ${error.message}`;
    // Bars that no analysis survives are input, too; a bug would have to be the same in every worker.
    this.#failed ??= new InputError(why);
    this.#wake();
  }
}
