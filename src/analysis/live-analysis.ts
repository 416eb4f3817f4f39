import type { AnalysisEvent } from "../core/events.ts";
import type { Panel } from "../market/panel.ts";
import type { AnalysisOptions } from "./engine.ts";
import { CycleMerge, symbolsOf } from "./merge.ts";
import { type AnalysisPool, RangeFailed } from "./pool.ts";
import type { FeatureRowsAt, Finding, SymbolRange } from "./protocol.ts";

/** How often a range that only shared a worker with the fault is tried again within a cycle. */
const RETRIES = 2;
/** Most cycles that a range which fails again and again rests between attempts. */
const LONGEST_REST = 64;

interface Watched {
  readonly range: SymbolRange;
  failures: number;
  /** Cycles left to rest. */
  rest: number;
}

export interface LiveAnalysisOptions {
  readonly analysis: AnalysisOptions;
  readonly timeframe: number;
  readonly ranges: readonly SymbolRange[];
  readonly onNotice: (level: "warning" | "alarm", text: string) => void;
}

/** Feature rows with the symbols that they are of. */
export interface SymbolRows extends FeatureRowsAt {
  readonly symbols: readonly number[];
}

/**
 * The analysis of bars as they come. A cycle never waits for a range that failed: its symbols are absent from that one
 * (regime unknown, no candidates), which the journaled event tells, and their positions stay managed without it. At the
 * next cycle the range is back; when it fails again and again it rests ever longer, so that it cannot hold up the others.
 */
export class LiveAnalysis {
  readonly #pool: AnalysisPool;
  readonly #options: LiveAnalysisOptions;
  readonly #watched: readonly Watched[];
  readonly #merge: CycleMerge;

  constructor(pool: AnalysisPool, panel: Panel, options: LiveAnalysisOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#watched = options.ranges.map((range) => ({ range, failures: 0, rest: 0 }));
    this.#merge = new CycleMerge(options.analysis.instruments.length);
    this.follow(panel);
  }

  /** Goes on with another panel, which holds the same bars from the same origin. */
  follow(panel: Panel): void {
    const { analysis, timeframe } = this.#options;
    this.#pool.forget();
    for (const [index, { range }] of this.#watched.entries()) {
      const instruments = analysis.instruments.slice(range.first, range.first + range.symbols);
      const bars = { kind: "panel", panel: panel.buffer, timeframe } as const;
      this.#pool.open(range, bars, { ...analysis, instruments }, index % this.#pool.workers);
    }
  }

  /** Takes in all bars up to the close at `to` without proposing: the warm-up. @throws RangeFailed */
  async advance(to: number): Promise<void> {
    const from = to + this.#options.timeframe;
    await Promise.all(this.#watched.map(({ range }) => this.#pool.analyse(range, from, to)));
  }

  /** Analyses the cycle that closed at `cycle`; symbols in `late` have no bar in it and are left out. */
  async analyse(cycle: number, late: readonly number[]): Promise<AnalysisEvent> {
    const found = await Promise.all(this.#watched.map((watched) => this.#analyse(watched, cycle)));
    const absent = [...late];
    this.#watched.forEach(({ range }, index) => {
      const findings = found[index];
      if (findings === undefined) absent.push(...symbolsOf(range));
      else for (const finding of findings) this.#merge.add(range, finding);
    });
    return this.#merge.event(cycle, absent);
  }

  /**
   * The newest feature rows of symbols, for whoever looks on: a piece for each range, which may come in any order, or not
   * at all where the range has none at the moment. @throws RangeFailed by each piece
   */
  rows(symbols: readonly number[]): Promise<SymbolRows | undefined>[] {
    return this.#watched.flatMap(({ range }) => {
      const own = symbols.filter((symbol) => symbol >= range.first && symbol < range.first + range.symbols);
      if (own.length === 0) return [];
      const found = this.#pool.rows(
        range,
        own.map((symbol) => symbol - range.first),
      );
      return [found.then((piece) => piece && { ...piece, symbols: own })];
    });
  }

  /** The findings of one range, or undefined when it is absent from this cycle. */
  async #analyse(watched: Watched, cycle: number): Promise<readonly Finding[] | undefined> {
    if (watched.rest > 0) {
      watched.rest--;
      return undefined;
    }
    for (let attempt = 0; ; attempt++) {
      try {
        const found = await this.#pool.analyse(watched.range, cycle, cycle);
        watched.failures = 0;
        return found;
      } catch (error) {
        if (!(error instanceof RangeFailed)) throw error;
        if (!error.culprit && attempt < RETRIES) continue;
        watched.failures++;
        watched.rest = Math.min(2 ** (watched.failures - 1) - 1, LONGEST_REST);
        this.#report(watched, error);
        // What the new worker has to catch up with it does before the next cycle needs it.
        if (watched.rest === 0) this.#catchUp(watched, cycle);
        return undefined;
      }
    }
  }

  #catchUp({ range }: Watched, cycle: number): void {
    this.#pool.analyse(range, cycle + this.#options.timeframe, cycle).catch((error) => {
      // The next cycle meets the same fault and reports it.
      if (!(error instanceof RangeFailed)) throw error;
    });
  }

  #report({ range, failures, rest }: Watched, error: Error): void {
    const { instruments } = this.#options.analysis;
    const [a, b] = [instruments[range.first]!.symbol, instruments[range.first + range.symbols - 1]!.symbol];
    const pause = rest === 0 ? "" : ` and from the next ${rest}`;
    const text = `the analysis of ${a} to ${b} failed: ${error.message}; they are absent from this cycle${pause}`;
    this.#options.onNotice(failures >= 3 ? "alarm" : "warning", text);
  }
}
