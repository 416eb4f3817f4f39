import { AnalysisEngine } from "../analysis/engine.ts";
import type { Settings } from "../config/settings.ts";
import type { State } from "../core/state.ts";
import { positionValue, symbolOf } from "../core/state.ts";
import { PanelFeed } from "../market/panel-feed.ts";
import { openRecordedMarket, type RecordedMarket, type RecordedMarketOptions } from "../market/recorded-market.ts";
import { type BacktestReport, backtestReport, type OpenPosition } from "../report/backtest-report.ts";
import { Collector } from "../report/collector.ts";
import {
  analysisOptions,
  assumptionsOf,
  type Cost,
  newExchange,
  newPanel,
  newState,
  openJournal,
  runHash,
  warmUpSteps,
} from "./assembly.ts";
import { runToEnd, Trader } from "./trader.ts";

/** Which recorded bars to run on. Times in ms UTC. */
export interface MarketChoice {
  readonly dir: string;
  readonly symbols?: readonly string[] | undefined;
  readonly timeframe?: string | undefined;
  /** Trading starts here; earlier bars warm up. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly fundingFile?: string | undefined;
  readonly rulesFile?: string | undefined;
  readonly bracketsFile?: string | undefined;
}

export interface BacktestOptions extends MarketChoice {
  readonly without: readonly Cost[];
  /** Told now and then how far it is: 0 to 1. */
  readonly onProgress?: (phase: "loading" | "trading", share: number) => void;
  readonly onNotice?: (level: "info" | "warning" | "alarm", text: string) => void;
}

export interface BacktestResult {
  readonly report: BacktestReport;
  readonly journal: string;
}

export function openMarket(
  settings: Settings,
  choice: MarketChoice,
  onProgress?: RecordedMarketOptions["onProgress"],
): RecordedMarket {
  return openRecordedMarket({ ...choice, assumedFundingRate: settings.SIMULATED_FUNDING_RATE, onProgress });
}

/** How often progress is reported, in events. */
const PROGRESS_EVERY = 8192;

/** Trades recorded bars from end to end. @throws InputError for whatever is wrong with data or options. */
export function backtest(settings: Settings, options: BacktestOptions): BacktestResult {
  const { without, onProgress } = options;
  const begun = performance.now();
  const source = openMarket(settings, options, ({ files, filesTotal }) => onProgress?.("loading", files / filesTotal));
  const analysis = analysisOptions(settings, source);
  const loaded = performance.now();

  const panel = newPanel(source);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  const engine = new AnalysisEngine(panel, analysis);
  for (let warm = warmUpSteps(source, options.from); warm > 0; warm--) {
    const step = source.step();
    if (step === undefined) break;
    feed.step(step);
    engine.advance(step.openTime + source.timeframe);
  }

  const tradeFrom = options.from ?? source.start;
  const state = newState(settings, source.instruments, tradeFrom);
  const exchange = newExchange(settings, source, without);
  const symbols = source.instruments.map((instrument) => instrument.symbol);
  const settingsHash = runHash(settings, { symbols, timeframe: source.timeframe, from: options.from, without });
  const journal = openJournal(settings, {
    command: "backtest",
    kernel: analysis.kernel,
    settingsHash,
    instruments: source.instruments,
    bars: "referenced",
    data: recordedData(source, options),
  });
  try {
    const collector = new Collector(source.instruments, tradeFrom, state.config.balance);
    const trader = new Trader({
      state,
      exchange,
      feed,
      journal,
      onRecord: (record) => collector.add(record),
      onNotice: options.onNotice ?? (() => {}),
    });
    let events = 0;
    runToEnd(trader, engine, (event) => {
      events += 1;
      if (events % PROGRESS_EVERY !== 0) return;
      onProgress?.("trading", (event.time - source.start) / (source.steps * source.timeframe));
    });
    const ended = performance.now();
    journal.end({ tradesHash: collector.tradesHash, trades: collector.trades.length });
    const report = backtestReport({
      collector,
      mode: exchange.venue,
      dataHash: source.dataHash,
      settingsHash,
      assumptions: assumptionsOf(source, exchange, without),
      timing: {
        bars: source.bars,
        loadSeconds: (loaded - begun) / 1000,
        runSeconds: (ended - loaded) / 1000,
        wallSeconds: (performance.now() - begun) / 1000,
      },
      openPositions: openPositions(state),
    });
    return { report, journal: journal.path };
  } finally {
    journal.close();
  }
}

/** Where a replay finds the bars again. */
export function recordedData(source: RecordedMarket, choice: MarketChoice) {
  return {
    kind: "recorded",
    dir: choice.dir,
    files: source.sourceFiles,
    dataHash: source.dataHash,
    timeframe: source.timeframe,
    from: choice.from ?? null,
    to: choice.to ?? null,
    symbols: source.instruments.map((instrument) => instrument.symbol),
    ...(choice.fundingFile === undefined ? {} : { fundingFile: choice.fundingFile }),
    ...(choice.rulesFile === undefined ? {} : { rulesFile: choice.rulesFile }),
    ...(choice.bracketsFile === undefined ? {} : { bracketsFile: choice.bracketsFile }),
  } as const;
}

/** Positions that are open now, marked at the last price. */
export function openPositions(state: State): OpenPosition[] {
  return [...state.positions.values()]
    .filter((position) => position.holding.lots > 0)
    .map((position) => ({
      symbol: position.symbol,
      leg: position.leg,
      direction: position.direction,
      entryTime: position.holding.entryTime,
      lots: position.holding.lots,
      entryNotional: position.holding.cost,
      mark: symbolOf(state, position.symbol).mark,
      unrealised: positionValue(state, position).unrealised,
    }));
}
