import { AnalysisEngine } from "../../src/analysis/engine.ts";
import { loadSettings } from "../../src/config/load.ts";
import type { AnalysisEvent } from "../../src/core/events.ts";
import type { Instrument } from "../../src/core/instrument.ts";
import { ANALYSIS_TIMEFRAMES } from "../../src/core/strategy.ts";
import type { MarketHistory } from "../../src/features/market-returns.ts";
import type { StructureInput } from "../../src/inspect/structure.ts";
import { ABSENT, type BarStep, REAL } from "../../src/market/bar-source.ts";
import { Panel } from "../../src/market/panel.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { TIMEFRAMES } from "../../src/market/timeframe.ts";
import { indicatorOptions, strategyOptionsOf } from "../../src/service/assembly.ts";
import type { StrategyName } from "../../src/strategies/registry.ts";
import { INSTRUMENT } from "../strategies/market-view.ts";

const STEP = TIMEFRAMES["5m"];
const EIGHT_HOURS = 28_800_000;
const { settings } = loadSettings({});

export interface FeatureMarketOptions {
  readonly incremental?: boolean;
  readonly strategy?: StrategyName;
  /** See AnalysisOptions. */
  readonly market?: MarketHistory;
  /** Prices are this many times as high, volumes that many; powers of two keep the digits of both. */
  readonly prices?: number;
  readonly volumes?: number;
}

/**
 * An engine over 5m bars of a few symbols, fed the way a backtest feeds it. A symbol is absent where it has no bar; every
 * eight hours funding is settled at made-up rates.
 */
export class FeatureMarket {
  readonly engine: AnalysisEngine;
  readonly symbols: number;
  readonly start: number;
  readonly #series: readonly StructureInput[];
  readonly #feed: PanelFeed;
  readonly #cursor: number[];
  readonly #volumes: number;
  #step = 0;

  constructor(series: readonly StructureInput[], options: FeatureMarketOptions = {}) {
    const { incremental = true, strategy = "flat", prices = 1, volumes = 1 } = options;
    const instrument: Instrument = { ...INSTRUMENT, tickUnits: prices, priceDecimals: 8 };
    const instruments = series.map(() => instrument);
    this.symbols = series.length;
    this.start = Math.min(...series.map(({ openTime }) => openTime[0] ?? Number.POSITIVE_INFINITY));
    const panel = Panel.create({
      symbols: series.length,
      origin: this.start,
      timeframes: ANALYSIS_TIMEFRAMES.map((name) => ({ name, ms: TIMEFRAMES[name], capacity: 256, spare: 8 })),
    });
    this.engine = new AnalysisEngine(panel, {
      instruments,
      kernel: "portable",
      strategy,
      strategyOptions: strategyOptionsOf(settings),
      ...indicatorOptions(settings),
      incrementalFeatures: incremental,
      ...(options.market === undefined ? {} : { market: options.market }),
    });
    this.#series = series;
    this.#feed = new PanelFeed(panel, instruments, STEP);
    this.#cursor = series.map(() => 0);
    this.#volumes = volumes;
  }

  /** Takes the next 5m step of all symbols. */
  advance(): void {
    this.engine.advance(this.#feedStep());
  }

  /** The same, and looks for candidates. */
  analyse(): AnalysisEvent {
    return this.engine.analyse(this.#feedStep(), []);
  }

  /** Returns the close of the step. */
  #feedStep(): number {
    const openTime = this.start + this.#step * STEP;
    this.#step += 1;
    const count = this.symbols;
    const column = () => new Float64Array(count);
    const step: BarStep = {
      openTime,
      status: new Uint8Array(count),
      ...{ open: column(), high: column(), low: column(), close: column(), volume: column() },
      ...{ listed: [], delisted: [], funding: [] },
    };
    for (const [symbol, bars] of this.#series.entries()) {
      const at = this.#cursor[symbol]!;
      const present = bars.openTime[at] === openTime;
      step.status[symbol] = present ? REAL : ABSENT;
      if (!present) continue;
      for (const field of ["open", "high", "low", "close"] as const) {
        step[field][symbol] = Math.round(bars[field][at]! * 1e8);
      }
      step.volume[symbol] = bars.volume[at]! * this.#volumes;
      if (at === 0) step.listed.push(symbol);
      this.#cursor[symbol] = at + 1;
      if (openTime % EIGHT_HOURS !== 0) continue;
      step.funding.push({
        time: openTime,
        symbol,
        rate: ((openTime / EIGHT_HOURS + symbol) % 7) * 10_000 - 20_000,
        mark: 0,
      });
    }
    this.#feed.step(step);
    return openTime + STEP;
  }

  /** The rows of all symbols side by side, as plain numbers. */
  row(): number[] {
    const cells: number[] = [];
    for (let symbol = 0; symbol < this.symbols; symbol++) cells.push(...this.engine.features(symbol));
    return cells;
  }
}

/** The rows at each of the first n bars. */
export function featureRows(series: readonly StructureInput[], n: number, options?: FeatureMarketOptions): number[][] {
  const market = new FeatureMarket(series, options);
  return Array.from({ length: n }, () => {
    market.advance();
    return market.row();
  });
}
