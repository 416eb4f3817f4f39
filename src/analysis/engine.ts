import type { Candidate, Regime } from "../core/candidate.ts";
import type { AnalysisEvent } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";
import { ticksOf } from "../core/instrument.ts";
import type {
  AnalysisTimeframe,
  Check,
  IndicatorName,
  Strategy,
  StructureView,
  SymbolView,
  TimeframeView,
} from "../core/strategy.ts";
import { ANALYSIS_TIMEFRAMES, type INDICATOR_NAMES } from "../core/strategy.ts";
import type { FeatureView, MarketView } from "../features/feature.ts";
import {
  type MarketCursor,
  type MarketHistory,
  MarketHistoryCursor,
  MarketReturns,
} from "../features/market-returns.ts";
import { FeatureRows } from "../features/rows.ts";
import { Indicators } from "../indicators/indicators.ts";
import type { KernelName } from "../indicators/kernel.ts";
import { type IndicatorPlan, outputRow, planIndicators } from "../indicators/plan.ts";
import { ABSENT } from "../market/bar-source.ts";
import { BAR, CLOSE, HIGH, LOW, OPEN, type Panel, STARTS, VOLUME } from "../market/panel.ts";
import { chooseKernel } from "../native.ts";
import { createStrategy, type StrategyName, type StrategyOptions } from "../strategies/registry.ts";
import { BreakoutWatch, regimeOf } from "../structure/regime.ts";
import { StructureTracker } from "../structure/tracker.ts";

/** What analysis is told once. Plain data, because it crosses to workers. */
export interface AnalysisOptions {
  readonly instruments: readonly Instrument[];
  readonly kernel: KernelName;
  readonly strategy: StrategyName;
  readonly strategyOptions: StrategyOptions;
  readonly periods: {
    readonly emaFast: number;
    readonly emaSlow: number;
    readonly rsi: number;
    readonly atr: number;
    readonly adx: number;
  };
  /** ADX below which a market ranges. */
  readonly adxTrendThreshold: number;
  /** Keep what of a feature row still holds, instead of computing all of it each time; the bits are the same. */
  readonly incrementalFeatures: boolean;
  /** The market's returns, for an engine whose panel has only some of its symbols. Without it they are the panel's. */
  readonly market?: MarketHistory;
}

/** Why a symbol was or was not proposed at a bar. */
export interface Explained {
  readonly regime: Regime;
  /** Empty where the strategy tells nothing. */
  readonly checks: readonly Check[];
  readonly candidate: Candidate | undefined;
  /** In the order of FEATURE_NAMES, NaN where missing. */
  readonly features: Float32Array;
}

const BOLLINGER = { period: 20, deviations: 2 } as const;
const VOLUME_PERIOD = 20;

/**
 * Everything that is derived from the panel for all symbols: indicators, structure, regimes, candidates. After
 * `advance` of the close of bar t it is a function of the bars up to t. The same engine runs inside a backtest and in
 * the analysis worker of a live run.
 */
export class AnalysisEngine {
  readonly #panel: Panel;
  readonly #options: AnalysisOptions;
  readonly #timeframes: readonly TimeframeAnalysis[];
  readonly #strategy: Strategy;
  readonly #views: readonly PanelSymbolView[];
  readonly #market: MarketCursor;
  readonly #features: FeatureRows;
  /** Of each symbol on 1h bars. */
  readonly #breakouts: BreakoutWatch[];
  #regimes: Regime[];

  constructor(panel: Panel, options: AnalysisOptions) {
    this.#panel = panel;
    this.#options = options;
    const { emaFast, emaSlow, rsi, atr, adx } = options.periods;
    const plan = planIndicators([
      { kind: "ema", period: emaFast },
      { kind: "ema", period: emaSlow },
      { kind: "rsi", period: rsi },
      { kind: "atr", period: atr },
      { kind: "adx", period: adx },
      { kind: "bollinger", ...BOLLINGER },
      { kind: "volumeRatio", period: VOLUME_PERIOD },
    ]);
    const kernel = chooseKernel(options.kernel);
    this.#timeframes = ANALYSIS_TIMEFRAMES.map(
      (name) => new TimeframeAnalysis(name, panel, new Indicators(plan, kernel, panel, panel.timeframe(name))),
    );
    this.#strategy = createStrategy(options.strategy, options.strategyOptions);
    this.#breakouts = options.instruments.map(() => new BreakoutWatch());
    this.#regimes = options.instruments.map(() => "unknown");
    this.#market = options.market === undefined ? new MarketReturns(panel) : new MarketHistoryCursor(options.market);
    this.#features = new FeatureRows(options.instruments.length, options.incrementalFeatures);
    this.#views = options.instruments.map(
      (instrument, symbol) => new PanelSymbolView(symbol, instrument, this.#timeframes, this.#market),
    );
  }

  /** Takes in the bars that closed at `cycle`, without looking for candidates: the warm-up before trading. */
  advance(cycle: number): void {
    for (const timeframe of this.#timeframes) timeframe.advance(cycle);
    const hour = this.#timeframes[HOUR]!;
    if (hour.justClosed) {
      // A new array, because the events of earlier cycles hold the old one.
      this.#regimes = this.#views.map((view, symbol) => this.#regimeOf(view, symbol));
    }
  }

  /** The regime of a symbol after a 1h bar; one without that bar keeps what was known of it. */
  #regimeOf(view: PanelSymbolView, symbol: number): Regime {
    const hour = view.timeframe("1h");
    const adx = hour.indicator("adx");
    if (!hour.justClosed) return Number.isNaN(adx) ? "unknown" : this.#regimes[symbol]!;
    if (hour.bars === 1) this.#breakouts[symbol] = new BreakoutWatch();
    const width = hour.indicator("bollingerUpper") - hour.indicator("bollingerLower");
    const breakout = this.#breakouts[symbol]!.advance(
      hour.high(0),
      hour.low(0),
      hour.close(0),
      width,
      hour.indicator("atr"),
    );
    return regimeOf(adx, this.#options.adxTrendThreshold, breakout);
  }

  /** Analyses the cycle that closed at `cycle`; symbols in `late` have no bar in it and are left out. */
  analyse(cycle: number, late: readonly number[]): AnalysisEvent {
    this.advance(cycle);
    const candidates: Candidate[] = [];
    // Strategies propose on bars of the shortest analysed timeframe; between its closes there is nothing new to see.
    if (this.#timeframes[SHORTEST]!.justClosed) {
      for (const view of this.#views) {
        if (late.includes(view.symbol) || !view.isPresent) continue;
        view.time = cycle;
        view.regime = this.#regimes[view.symbol]!;
        const candidate = this.#strategy.propose(view);
        // The row is copied: it crosses threads, and the next cycle writes over it.
        if (candidate !== undefined) candidates.push({ ...candidate, features: this.features(view.symbol).slice() });
      }
    }
    for (const timeframe of this.#timeframes) timeframe.assertHeld();
    const regimes =
      late.length === 0
        ? this.#regimes
        : this.#regimes.map((regime, symbol) => (late.includes(symbol) ? "unknown" : regime));
    return { kind: "analysis", time: cycle, symbol: -1, cycle, regimes, candidates };
  }

  /** What the strategy asked about a symbol at the cycle last advanced to, and what it then proposed. */
  explain(symbol: number): Explained {
    const view = this.#views[symbol]!;
    const checks: Check[] = [];
    view.time = this.#timeframes[SHORTEST]!.closeTime;
    view.regime = this.#regimes[symbol]!;
    const { explain } = this.#strategy;
    const candidate = explain?.(view, (check) => checks.push(check)) ?? undefined;
    return { regime: view.regime, checks, candidate, features: this.features(symbol).slice() };
  }

  /**
   * The features of a symbol as known at the cycle last advanced to, in the order of FEATURE_NAMES, NaN where missing.
   * Computed when asked for, and shown in place: the row changes with the next call.
   */
  features(symbol: number): Float32Array {
    const base = this.#timeframes[SHORTEST]!;
    const view = this.#views[symbol]!;
    if (base.newest >= 0) {
      view.time = base.closeTime;
      this.#market.moveTo(view.time - base.ms);
    }
    const row = this.#features.row(symbol, view);
    for (const timeframe of this.#timeframes) timeframe.assertHeld();
    return row;
  }

  /** How many values of features were computed so far. */
  get featuresComputed(): number {
    return this.#features.computed;
  }

  get panel(): Panel {
    return this.#panel;
  }
}

const SHORTEST = 0;
const HOUR = 2;

/** Indicators and structure of all symbols in one timeframe. */
class TimeframeAnalysis {
  readonly name: AnalysisTimeframe;
  readonly panel: Panel;
  readonly index: number;
  readonly ms: number;
  /** Bars that can be looked back on; and where the panel has the bars, see PanelTimeframe. */
  readonly capacity: number;
  readonly first: number;
  readonly slots: number;
  /** Whether a bar closed at the cycle last advanced to. */
  justClosed = false;
  /** Index of the newest closed bar. */
  newest = -1;
  readonly trackers: StructureTracker[];
  /** Bars of each symbol since its listing. */
  readonly counts: Int32Array;
  readonly #indicators: Indicators;
  readonly #rows: Readonly<Record<IndicatorName, number>>;

  constructor(name: AnalysisTimeframe, panel: Panel, indicators: Indicators) {
    this.name = name;
    this.panel = panel;
    this.index = panel.timeframe(name);
    const { ms, capacity, bars, slots } = panel.timeframes[this.index]!;
    this.ms = ms;
    this.capacity = capacity;
    this.first = bars;
    this.slots = slots;
    this.#indicators = indicators;
    this.#rows = indicatorRows(indicators.plan);
    this.trackers = Array.from({ length: panel.symbols }, () => new StructureTracker({ timeframe: name }));
    this.counts = new Int32Array(panel.symbols);
  }

  advance(cycle: number): void {
    this.justClosed = cycle % this.ms === 0;
    if (!this.justClosed) return;
    const { panel, index } = this;
    const bar = panel.indexAt(index, cycle - this.ms);
    // The first bars after the origin may have closed before the panel began.
    if (bar < 0) return;
    this.newest = bar;
    this.#indicators.advance(bar);
    const openTime = panel.openTime(index, bar);
    for (let symbol = 0; symbol < panel.symbols; symbol++) {
      const status = panel.status(index, bar, symbol);
      if (status === ABSENT) continue;
      if ((status & STARTS) !== 0) {
        this.trackers[symbol] = new StructureTracker({ timeframe: this.name });
        this.counts[symbol] = 0;
      }
      this.counts[symbol]! += 1;
      const at = panel.offset(index, symbol >> 3, bar) + (symbol & 7);
      const { values } = panel;
      this.trackers[symbol]!.advance(
        openTime,
        values[at + OPEN]!,
        values[at + HIGH]!,
        values[at + LOW]!,
        values[at + CLOSE]!,
        values[at + VOLUME]!,
      );
    }
  }

  indicator(name: IndicatorName, symbol: number): number {
    return this.#indicators.value(this.#rows[name], symbol);
  }

  /** @throws RangeError when a bar that views show is overwritten already: the writer ran further ahead than it may. */
  assertHeld(): void {
    if (this.newest < 0) return;
    const oldest = this.newest - this.capacity + 1;
    this.panel.assertHeld(this.index, oldest > 0 ? oldest : 0);
  }

  /** Close of the newest closed bar, ms UTC. */
  get closeTime(): number {
    return this.panel.openTime(this.index, this.newest) + this.ms;
  }

  isPresent(symbol: number): boolean {
    return this.newest >= 0 && this.panel.status(this.index, this.newest, symbol) !== ABSENT;
  }
}

/** Which output row of the plan each name reads; the order of requests is that of the engine's plan. */
function indicatorRows(plan: IndicatorPlan): Readonly<Record<IndicatorName, number>> {
  return {
    emaFast: outputRow(plan, 0, "ema"),
    emaSlow: outputRow(plan, 1, "ema"),
    rsi: outputRow(plan, 2, "rsi"),
    atr: outputRow(plan, 3, "atr"),
    adx: outputRow(plan, 4, "adx"),
    plusDi: outputRow(plan, 4, "plusDi"),
    minusDi: outputRow(plan, 4, "minusDi"),
    bollingerUpper: outputRow(plan, 5, "upper"),
    bollingerMiddle: outputRow(plan, 5, "middle"),
    bollingerLower: outputRow(plan, 5, "lower"),
    volumeRatio: outputRow(plan, 6, "volumeRatio"),
  } satisfies Record<(typeof INDICATOR_NAMES)[number], number>;
}

/** The cursor that strategies and features get: the panel up to the newest closed bar, and no way beyond it. */
class PanelSymbolView implements SymbolView, FeatureView {
  readonly symbol: number;
  readonly instrument: Instrument;
  readonly market: MarketView;
  time = 0;
  regime: Regime = "unknown";
  readonly #panel: Panel;
  readonly #views: Readonly<Record<AnalysisTimeframe, PanelTimeframeView>>;

  constructor(symbol: number, instrument: Instrument, timeframes: readonly TimeframeAnalysis[], market: MarketView) {
    this.symbol = symbol;
    this.instrument = instrument;
    this.market = market;
    this.#panel = timeframes[SHORTEST]!.panel;
    const [m5, m15, h1] = timeframes.map((timeframe) => new PanelTimeframeView(timeframe, symbol));
    this.#views = { "5m": m5!, "15m": m15!, "1h": h1! };
  }

  get closeTicks(): number {
    return ticksOf(this.instrument, this.#views["5m"].close(0));
  }

  get fundingRate(): number {
    return this.#panel.fundingBefore(this.symbol, this.time);
  }

  get isPresent(): boolean {
    return this.#views["5m"].isPresent;
  }

  timeframe(name: AnalysisTimeframe): TimeframeView {
    return this.#views[name];
  }
}

class PanelTimeframeView implements TimeframeView {
  readonly #analysis: TimeframeAnalysis;
  readonly #symbol: number;

  constructor(analysis: TimeframeAnalysis, symbol: number) {
    this.#analysis = analysis;
    this.#symbol = symbol;
  }

  get isPresent(): boolean {
    return this.#analysis.isPresent(this.#symbol);
  }

  get justClosed(): boolean {
    return this.#analysis.justClosed && this.isPresent;
  }

  get bars(): number {
    const { counts, capacity } = this.#analysis;
    const count = counts[this.#symbol]!;
    return count < capacity ? count : capacity;
  }

  get structure(): StructureView {
    return this.#analysis.trackers[this.#symbol]!.view;
  }

  indicator(name: IndicatorName): number {
    return this.#analysis.indicator(name, this.#symbol);
  }

  openTime(back: number): number {
    if (!(back >= 0 && back < this.bars)) return Number.NaN;
    const { panel, index, newest } = this.#analysis;
    return panel.openTime(index, newest - back);
  }

  open(back: number): number {
    return this.#value(back, OPEN);
  }

  high(back: number): number {
    return this.#value(back, HIGH);
  }

  low(back: number): number {
    return this.#value(back, LOW);
  }

  close(back: number): number {
    return this.#value(back, CLOSE);
  }

  volume(back: number): number {
    return this.#value(back, VOLUME);
  }

  #value(back: number, field: number): number {
    if (!(back >= 0 && back < this.bars)) return Number.NaN;
    // That the bar is held is asserted once per cycle instead of at each of some hundred reads.
    const { panel, newest, first, slots } = this.#analysis;
    const block = (this.#symbol >> 3) * slots + ((newest - back) % slots);
    return panel.values[first + block * BAR + field + (this.#symbol & 7)]!;
  }
}
