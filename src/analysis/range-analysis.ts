import type { Regime } from "../core/candidate.ts";
import { LANES, Panel } from "../market/panel.ts";
import { PanelFeed } from "../market/panel-feed.ts";
import { barsOf, type SharedBars } from "../market/recorded-market.ts";
import { analysisPanel } from "./analysis-panel.ts";
import { AnalysisEngine, type AnalysisOptions } from "./engine.ts";
import type { FeatureRowsAt, Finding, RangeBars, SymbolRange } from "./protocol.ts";

/** The analysis of one range of symbols within a worker: an engine, and how it gets at the bars since the origin. */
export class RangeAnalysis {
  readonly #range: SymbolRange;
  readonly #bars: RangeBars;
  readonly #options: AnalysisOptions;
  #reader: Reader | undefined;

  constructor(range: SymbolRange, bars: RangeBars, options: AnalysisOptions) {
    this.#range = range;
    this.#bars = bars;
    this.#options = options;
  }

  /** Drops what was derived from the bars: the next task begins at their origin. */
  forget(): void {
    this.#reader = undefined;
  }

  /**
   * Analyses the cycles of the base timeframe that closed at `from` … `to`, after catching up with all before. Cycles
   * that are asked for again are worked out from the origin again, because bars are only gone over forwards.
   * @param onProgress called after every cycle that was only caught up with
   */
  analyse(from: number, to: number, onProgress: () => void): readonly Finding[] {
    if (this.#reader !== undefined && from <= this.#reader.closed) this.forget();
    this.#reader ??= newReader(this.#range, this.#bars, this.#options);
    const reader = this.#reader;
    const { engine, timeframe } = reader;
    while (reader.closed + timeframe < from && reader.next()) {
      engine.advance(reader.closed);
      onProgress();
    }
    const found: Finding[] = [];
    let before: readonly Regime[] | undefined;
    while (reader.closed < to && reader.next()) {
      const { regimes, candidates } = engine.analyse(reader.closed, []);
      if (regimes === before && candidates.length === 0) continue;
      found.push({
        cycle: reader.closed,
        regimes: regimes === before ? undefined : regimes,
        candidates: candidates.map((candidate) => ({ ...candidate, symbol: candidate.symbol + this.#range.first })),
      });
      before = regimes;
    }
    return found;
  }

  /**
   * The feature rows of symbols, by their index in the range, at the close last analysed; undefined before the first and
   * after a fault. Changes nothing that is found later.
   */
  rows(symbols: readonly number[]): FeatureRowsAt | undefined {
    if (this.#reader === undefined) return undefined;
    const { engine, closed } = this.#reader;
    return { at: closed, rows: symbols.map((symbol) => engine.features(symbol).slice()) };
  }
}

/** Brings the bars of one base step after the other into the engine's panel. */
interface Reader {
  readonly engine: AnalysisEngine;
  readonly timeframe: number;
  /** Close time of the step that is in the panel. */
  closed: number;
  /** Goes on to the next step; false when there is none. */
  next(): boolean;
}

function newReader(range: SymbolRange, bars: RangeBars, options: AnalysisOptions): Reader {
  return bars.kind === "panel"
    ? panelReader(Panel.attach(bars.panel).range(range.first / LANES, range.symbols), bars.timeframe, options)
    : recordedReader(bars.bars, options);
}

/** The bars are in the panel when the task comes, so that going on is a matter of counting. */
function panelReader(panel: Panel, timeframe: number, options: AnalysisOptions): Reader {
  return {
    engine: new AnalysisEngine(panel, options),
    timeframe,
    closed: panel.origin,
    next() {
      this.closed += timeframe;
      return true;
    },
  };
}

/** Recorded bars go through a small panel of the worker's own, which stays in its cache. */
function recordedReader(bars: SharedBars, options: AnalysisOptions): Reader {
  const source = barsOf(bars);
  const panel = analysisPanel(source.instruments.length, source.start, 0);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  return {
    engine: new AnalysisEngine(panel, options),
    timeframe: source.timeframe,
    closed: source.start,
    next() {
      const step = source.step();
      if (step === undefined) return false;
      feed.step(step);
      this.closed = step.openTime + source.timeframe;
      return true;
    },
  };
}
