import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { AnalysisAhead } from "../analysis/analysis-ahead.ts";
import { type AnalysisPool, divideSymbols } from "../analysis/pool.ts";
import type { Settings } from "../config/settings.ts";
import { checkBook } from "../core/check-book.ts";
import type { State } from "../core/state.ts";
import { positionValue, symbolOf } from "../core/state.ts";
import { ANALYSIS_TIMEFRAMES } from "../core/strategy.ts";
import { marketHistory } from "../features/market-returns.ts";
import { Judge } from "../learning/judge.ts";
import {
  barsOf,
  loadRecordedMarket,
  openRecordedMarket,
  type RecordedMarket,
  type RecordedMarketOptions,
} from "../market/recorded-market.ts";
import { TIMEFRAMES } from "../market/timeframe.ts";
import { type BacktestReport, backtestReport, type OpenPosition } from "../report/backtest-report.ts";
import { Collector } from "../report/collector.ts";
import { type Scene, takeScenes } from "../report/scenes.ts";
import {
  analysisOptions,
  assumptionsOf,
  type Cost,
  newExchange,
  newPool,
  newState,
  openJournal,
  runHash,
  takerCosts,
  warmUpSteps,
} from "./assembly.ts";
import { chooseModel } from "./models.ts";
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
  /** A registered model that decides; without one the rules do, whatever the mode. */
  readonly model?: string | undefined;
  /** Allows a model that is no champion and no shadow, and stamps the report. */
  readonly unpromoted?: boolean;
  /** Told now and then how far it is: 0 to 1. */
  readonly onProgress?: (phase: "loading" | "trading", share: number) => void;
  readonly onNotice?: (level: "info" | "warning" | "alarm", text: string) => void;
  /** Told when an analysis worker had to be replaced. */
  readonly onFault?: (text: string) => void;
  /** The workers to use, closed at the end; a pool of the machine's size when absent. */
  readonly pool?: AnalysisPool;
  /** Bars of the analysed timeframes from which on one more worker takes part. */
  readonly barsPerWorker?: number;
  /** Cycles that are analysed in one piece. */
  readonly chunk?: number;
}

export interface BacktestResult {
  readonly report: BacktestReport;
  /** Reads the bars once more, for pictures of some of the trades. */
  readonly scenes: () => Scene[];
  readonly journal: string;
}

export function openMarket(
  settings: Settings,
  choice: MarketChoice & Pick<RecordedMarketOptions, "once">,
  onProgress?: RecordedMarketOptions["onProgress"],
): RecordedMarket {
  return openRecordedMarket({ ...choice, assumedFundingRate: settings.SIMULATED_FUNDING_RATE, onProgress });
}

/** How often progress is reported, in events. */
const PROGRESS_EVERY = 8192;

/** Trades recorded bars from end to end. @throws InputError for whatever is wrong with data or options. */
export async function backtest(settings: Settings, options: BacktestOptions): Promise<BacktestResult> {
  const { onFault = () => {} } = options;
  const pool = options.pool ?? newPool(settings, availableParallelism(), (_, text) => onFault(text));
  try {
    return await trade(settings, options, pool);
  } finally {
    pool.close();
  }
}

/**
 * Bars of the analysed timeframes, all together, from which on one more worker pays. Each has to compile the analysis
 * for itself, which takes a processor about half a second (docs/performance.md); all of them read files.
 */
const BARS_PER_WORKER = 1_000_000;

function analysedBars(source: RecordedMarket): number {
  const perBaseBar = ANALYSIS_TIMEFRAMES.reduce((sum, name) => sum + source.timeframe / TIMEFRAMES[name], 0);
  return source.bars * perBaseBar;
}

async function trade(settings: Settings, options: BacktestOptions, pool: AnalysisPool): Promise<BacktestResult> {
  const { without, onProgress, onNotice = () => {} } = options;
  const begun = performance.now();
  const chosen = chooseModel(settings, options);
  const source = await loadRecordedMarket(
    {
      ...options,
      assumedFundingRate: settings.SIMULATED_FUNDING_RATE,
      onProgress: ({ files, filesTotal }) => onProgress?.("loading", files / filesTotal),
    },
    (path, timeframe) => pool.parse(path, timeframe),
  );
  const analysis = analysisOptions(settings, source, chosen.model?.manifest.strategy ?? "ict");
  const symbols = source.instruments.map((instrument) => instrument.symbol);
  const { start, timeframe } = source;
  const warmUp = warmUpSteps(source, options.from);
  const analysts = Math.min(pool.workers, Math.ceil(analysedBars(source) / (options.barsPerWorker ?? BARS_PER_WORKER)));
  const ranges = divideSymbols(symbols.length, settings.BATCH_SIZE, analysts);
  // The market as a whole is known here only: each worker gets the bars of its own symbols.
  const market = marketHistory(barsOf(source.share(0, symbols.length)));
  for (const [index, range] of ranges.entries()) {
    const bars = source.share(range.first, range.symbols);
    pool.open(
      range,
      { kind: "recorded", bars },
      { ...analysis, instruments: bars.instruments, market },
      index % analysts,
    );
  }
  const ahead = new AnalysisAhead(pool, ranges, {
    first: start + (warmUp + 1) * timeframe,
    last: start + source.steps * timeframe,
    timeframe,
    symbols,
    ...(options.chunk === undefined ? {} : { chunk: options.chunk }),
  });
  // While the workers begin on the first cycles.
  const { dataHash } = source;
  const loaded = performance.now();
  for (let step = 0; step < warmUp; step++) if (source.step() === undefined) break;

  const tradeFrom = options.from ?? source.start;
  const state = newState(settings, source.instruments, tradeFrom);
  const exchange = newExchange(settings, source, without);
  const modelHash = chosen.model?.manifest.modelHash;
  const settingsHash = runHash(settings, { source, from: options.from, without, model: modelHash });
  const journal = openJournal(settings, {
    command: "backtest",
    kernel: analysis.kernel,
    settingsHash,
    instruments: source.instruments,
    bars: "referenced",
    data: recordedData(source, options),
  });
  try {
    const collector = new Collector(source.instruments, tradeFrom, state.config.balance, takerCosts(settings, without));
    const trader = new Trader({
      state,
      exchange,
      journal,
      onRecord: (record) => collector.add(record),
      onNotice,
    });
    if (chosen.model !== undefined) {
      const { id } = chosen.model.manifest;
      const time = start + warmUp * timeframe;
      trader.admit({ kind: "model", time, symbol: -1, model: id, reason: "chosen with --model" });
    }
    let events = 0;
    await runToEnd(trader, ahead, new Judge(chosen.model), (event) => {
      collector.event(event);
      events += 1;
      if (events % PROGRESS_EVERY !== 0) return;
      onProgress?.("trading", (event.time - start) / (source.steps * timeframe));
    });
    const ended = performance.now();
    const broken = checkBook(state);
    if (broken.length > 0) throw new Error(`the book is broken at the end of the run: ${broken.join("; ")}`);
    journal.end({ tradesHash: collector.tradesHash, trades: collector.trades.length });
    const report = backtestReport({
      collector,
      mode: exchange.venue,
      dataHash,
      settingsHash,
      modelHash,
      timeframe: source.timeframe,
      assumptions: [...chosen.assumptions, ...assumptionsOf(source, exchange, without)],
      timing: {
        bars: source.bars,
        loadSeconds: (loaded - begun) / 1000,
        runSeconds: (ended - loaded) / 1000,
        wallSeconds: (performance.now() - begun) / 1000,
      },
      openPositions: openPositions(state),
    });
    const scenes = () => takeScenes(report, (symbols) => openMarket(settings, { ...options, symbols }));
    return { report, scenes, journal: journal.path };
  } finally {
    journal.close();
    chosen.model?.close();
  }
}

/** Where a replay finds the bars again. */
export function recordedData(source: RecordedMarket, choice: MarketChoice) {
  return {
    kind: "recorded",
    dir: resolve(choice.dir),
    files: source.sourceFiles,
    dataHash: source.dataHash,
    timeframe: source.timeframe,
    from: choice.from ?? null,
    to: choice.to ?? null,
    symbols: source.instruments.map((instrument) => instrument.symbol),
    ...(choice.fundingFile === undefined ? {} : { fundingFile: resolve(choice.fundingFile) }),
    ...(choice.rulesFile === undefined ? {} : { rulesFile: resolve(choice.rulesFile) }),
    ...(choice.bracketsFile === undefined ? {} : { bracketsFile: resolve(choice.bracketsFile) }),
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
