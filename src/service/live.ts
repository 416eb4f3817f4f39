import packageJson from "../../package.json" with { type: "json" };
import type { RunDescription } from "../admin/protocol.ts";
import { LiveAnalysis } from "../analysis/live-analysis.ts";
import { type AnalysisPool, divideSymbols } from "../analysis/pool.ts";
import { SETTING_NAMES, SETTINGS, type Settings } from "../config/settings.ts";
import { checkBook } from "../core/check-book.ts";
import type { CoreRecord } from "../core/effects.ts";
import { USDT } from "../core/instrument.ts";
import type { State } from "../core/state.ts";
import { addressesOf } from "../exchange/binance/addresses.ts";
import type { Exchange, Venue } from "../exchange/exchange.ts";
import { GatedExchange } from "../exchange/gated.ts";
import type { SimulatedExchange } from "../exchange/simulated/exchange.ts";
import type { DataReference } from "../journal/format.ts";
import type { ModelRegistry } from "../learning/registry.ts";
import type { BarSource } from "../market/bar-source.ts";
import { PanelFeed } from "../market/panel-feed.ts";
import type { LoadProgress } from "../market/recorded-market.ts";
import { type BacktestReport, backtestReport } from "../report/backtest-report.ts";
import { Collector } from "../report/collector.ts";
import { type Scene, takeScenes } from "../report/scenes.ts";
import { Administration, type AdministrationOptions } from "./administration.ts";
import {
  analysisOptions,
  assumptionsOf,
  type Cost,
  newExchange,
  newPanel,
  newPool,
  newState,
  openJournal,
  runHash,
  takerCosts,
  tradingCosts,
  warmUpSteps,
} from "./assembly.ts";
import { type MarketChoice, openMarket, openPositions, recordedData } from "./backtest.ts";
import type { BinanceChoice } from "./binance-market.ts";
import { GENERATED_START, generatedSource } from "./generated.ts";
import { Holds } from "./holds.ts";
import { LearningLoop, type LearningView, type Swap } from "./learning-loop.ts";
import { modelRegistry } from "./models.ts";
import { PositionFeatures } from "./position-features.ts";
import { openRealVenue } from "./real-venue.ts";
import { Recording, type RecordingStatus } from "./recording.ts";
import { type Retraining, startRetraining } from "./retraining.ts";
import type { RunTelemetry } from "./run-telemetry.ts";
import { Supervision, type SupervisionOptions } from "./supervision.ts";
import { Trader } from "./trader.ts";
import { TradingRight } from "./trading-right.ts";

/** What a live run trades on: recorded bars, a market generated from a seed, or the real one. */
export type LiveMarket =
  | ({ readonly kind: "recorded" } & MarketChoice)
  /** The market as it goes on; with TRADING_ENABLED=true its real orders too. */
  | ({ readonly kind: "binance" } & BinanceChoice)
  | {
      readonly kind: "generated";
      readonly seed: number;
      readonly symbols: number;
      /** Market time at which the run ends; the market itself has no end. */
      readonly to?: number | undefined;
    };

export interface LiveOptions {
  readonly market: LiveMarket;
  readonly without: readonly Cost[];
  /** Market milliseconds per wall millisecond; Infinity for as fast as it goes. */
  readonly speed: number;
  /** Wall time after which the run ends, ms; Infinity for never. */
  readonly duration: number;
  readonly signal: AbortSignal;
  readonly onRecord: (record: CoreRecord, live: LiveView) => void;
  readonly onNotice: (level: "info" | "warning" | "alarm", text: string) => void;
  /** Called several times a second, to draw. */
  readonly onTick: (live: LiveView) => void;
  readonly onWarmUp?: (share: number) => void;
  /** Serves operators while the run lasts; nobody when absent. */
  readonly admin?: AdministrationOptions | undefined;
  /** Who looks after the run; nobody when absent. */
  readonly supervision?: Omit<SupervisionOptions, "onNotice"> | undefined;
  /** The workers to use, closed at the end; one of its own when absent. */
  readonly pool?: AnalysisPool;
  /** Where models are kept, and how a training begins; for tests. */
  readonly registry?: ModelRegistry;
  readonly startTraining?: (onProgress: (share: number) => void) => Retraining;
  /** Asked between events, instead of the registry, whether another model is to decide; for tests. */
  readonly nextSwap?: () => Swap | undefined;
}

/** What a terminal may look at between events. */
export interface LiveView {
  readonly state: State;
  readonly collector: Collector;
  readonly marketTime: number;
  /** How far the loop is behind its clock, market ms: 0 while it keeps up, and where it has no clock. */
  readonly behind: number;
  readonly source: BarSource;
  /** Undefined in the mode `ict`, which asks no model. */
  readonly learning: LearningView | undefined;
  /** How far the store is behind; undefined where nothing is recorded. */
  readonly recording: RecordingStatus | undefined;
}

export interface LiveResult {
  readonly report: BacktestReport;
  /** Goes through the bars once more, for pictures of some of the trades. */
  readonly scenes: () => Scene[];
  readonly journal: string;
  /** How far the store was when the run ended; undefined where nothing is recorded. */
  readonly recording: RecordingStatus | undefined;
  /** Who has taken over trading, which ended the run. */
  readonly takenOverBy: string | undefined;
}

const MINUTE = 60_000;

/** The analysis of a cycle takes one worker some milliseconds. */
const LIVE_WORKERS = 1;

/** How long the loop sleeps when nothing is due, and how often the view is drawn, ms. */
const IDLE = 10;
const TICK = 100;

/**
 * The paper trader: the core against the simulated exchange at a chosen speed, with the analysis in its own thread.
 * At any speed the events and decisions are those of a backtest of the same bars, because time comes from the events.
 */
export async function runLive(settings: Settings, options: LiveOptions): Promise<LiveResult> {
  const { market, without, speed, signal } = options;
  let admin: Administration | undefined;
  let supervision: Supervision | undefined;
  // What the shell has to say; the core's own notices reach the dashboard with its effects.
  const onNotice: LiveOptions["onNotice"] = (level, text) => {
    admin?.notice(level, text);
    supervision?.notice(level, text);
    options.onNotice(level, text);
  };
  const begun = performance.now();
  // Where real orders are sent it comes before anything else, because the book of whoever had it goes on being written.
  const right =
    market.kind === "binance" && settings.TRADING_ENABLED
      ? await TradingRight.wait(settings, signal, onNotice)
      : undefined;
  const real =
    market.kind === "binance"
      ? await openUnder(right, () => openRealVenue(settings, market, onNotice, right?.keeper))
      : undefined;
  const source = real?.market.source ?? openSource(settings, market);
  const from = real?.market.from ?? (market.kind === "recorded" ? market.from : GENERATED_START);
  const analysis = analysisOptions(settings, source);
  const panel = newPanel(source);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  const pool = options.pool ?? newPool(settings, LIVE_WORKERS, onNotice);
  try {
    if (options.supervision !== undefined) {
      supervision = await Supervision.start({ ...options.supervision, onNotice });
    }
    const analyst = new LiveAnalysis(pool, panel, {
      analysis,
      timeframe: source.timeframe,
      ranges: divideSymbols(source.instruments.length, settings.BATCH_SIZE, pool.workers),
      onNotice,
    });
    await warmUp(source, feed, analyst, warmUpSteps(source, from), signal, options.onWarmUp);
    // What loading has left behind would stay for as long as a quiet run makes no garbage of its own.
    Bun.gc(true);
    const loaded = performance.now();

    const tradeFrom = from ?? source.start;
    const state = real?.state ?? newState(settings, source.instruments, tradeFrom);
    const exchange: Exchange = real?.exchange ?? newExchange(settings, feed.noteFunding(source), without);
    // Models come and go while it runs: the journal tells which decided, and the report names them.
    const settingsHash = runHash(settings, { source, from, without });
    const recorded = market.kind === "recorded";
    const marketEnd = (market.kind === "generated" ? market.to : undefined) ?? Number.POSITIVE_INFINITY;
    const journal = openJournal(real?.bookSettings ?? settings, {
      command: "run",
      kernel: analysis.kernel,
      settingsHash,
      instruments: source.instruments,
      bars: recorded ? "referenced" : "stored",
      data: real?.reference ?? dataReference(source, market),
      mode: venueOf(market, exchange),
      ...(real?.epoch !== undefined && { epoch: real.epoch }),
    });
    const features = PositionFeatures.open(settings, [], onNotice);
    let marketTime = tradeFrom;
    const learning = learningOf(
      settings,
      { ...options, onNotice },
      () => marketTime,
      () => admin?.telemetry,
    );
    // Bars of a simulation are in files, or come from a seed; those of a test network must not be taken for real ones.
    const isReal = exchange.venue !== "simulated" && addressesOf(settings).live;
    const bars = isReal ? { bars: source.timeframe } : {};
    const recording = settings.ENABLE_STORE
      ? new Recording({ settings, journal, state, onNotice, ...bars, keeper: right?.keeper })
      : undefined;
    const holds = new Holds(journal, recording, onNotice);
    try {
      const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      if (recording !== undefined && !signal.aborted) await Promise.race([recording.settled(), stopped]);
      const collector = new Collector(
        source.instruments,
        tradeFrom,
        state.config.balance,
        takerCosts(settings, without),
      );
      const deciders = new Set<string>();
      if (options.admin !== undefined) {
        const run: RunDescription = {
          version: packageJson.version,
          venue: venueOf(market, exchange),
          market: describeMarket(market),
          speed: speed === Number.POSITIVE_INFINITY ? "max" : speed,
          strategy: settings.STRATEGY_MODE,
          instruments: source.instruments,
          tradeFrom,
          balance: state.config.balance / USDT,
          startedAt: Date.now(),
          journal: journal.path,
          settingsHash,
          dataHash: source.dataHash,
        };
        admin = await Administration.start(options.admin, run, state, panel, analysis, onNotice);
      }
      let behind = 0;
      let bars = 0;
      const view: LiveView = {
        state,
        collector,
        source,
        get marketTime() {
          return marketTime;
        },
        get behind() {
          return behind;
        },
        get learning() {
          return learning?.view(marketTime);
        },
        get recording() {
          return recording?.status;
        },
      };
      const trader = new Trader({
        state,
        exchange: new GatedExchange(exchange, (request) => holds.refuses(request)),
        feed,
        journal,
        onJournalError: (error) => holds.journalFailed(error),
        onRecord: (record) => {
          collector.add(record);
          features.add(record);
          learning?.record(record);
          options.onRecord(record, view);
        },
        onNotice: options.onNotice,
        watchers: [
          ...(recording === undefined ? [] : [recording]),
          ...(admin?.watchers ?? []),
          ...(supervision?.watch(state, { version: packageJson.version, journal: journal.path, settingsHash }) ?? []),
        ],
        ...(real?.timers && { timers: real.timers }),
      });
      admin?.operate(trader, learning);
      if (real !== undefined && admin !== undefined) real.market.client.measures = admin.telemetry.client;

      learning?.look(marketTime);
      if (!signal.aborted) await real?.begin();
      const started = performance.now();
      let ticked = started;
      while (!signal.aborted) {
        const now = performance.now();
        supervision?.beat();
        if (now - begun >= options.duration) break;
        if (now - ticked >= TICK) {
          ticked = now;
          learning?.tick(marketTime);
          if (learning !== undefined) admin?.learning(learning.view(marketTime));
          options.onTick(view);
          // What has happened so far survives the death of this process, and only then the store hears of it.
          if (holds.flushed()) recording?.commit();
          admin?.tick(behind, now, TICK);
          if (recording !== undefined) admin?.telemetry.recording(recording.status);
          if (real !== undefined) admin?.telemetry.link(real.link());
          supervision?.tick();
        }
        if (recording?.lease?.lost !== undefined) break;
        const hold = holds.next(state, marketTime);
        if (hold !== undefined) {
          trader.admit(hold);
          continue;
        }
        if (admin?.attend(marketTime)) break;
        // A cycle is decided before anything later is looked at, so that the speed cannot change a decision.
        const request = trader.awaited;
        if (request !== undefined) {
          if (feed.isFull) {
            const grown = feed.grow();
            analyst.follow(grown);
            admin?.panelMoved(grown);
          }
          admin?.cycleAsked(now, request.late.length);
          const analysed = await analyst.analyse(request.cycle, request.late);
          trader.admit(learning === undefined ? analysed : learning.judged(analysed));
          admin?.cycleDecided(performance.now());
          continue;
        }
        // Between two cycles, so that each is decided by one model.
        const swap = options.nextSwap === undefined ? learning?.takeSwap() : options.nextSwap();
        if (swap !== undefined) {
          learning?.swapped(swap);
          const model = swap.model?.manifest.id ?? "";
          const time = state.now > marketTime ? state.now : marketTime;
          trader.admit({ kind: "model", time, symbol: -1, model, reason: swap.reason });
          if (model !== "") deciders.add(model);
        }
        const played = speed === Number.POSITIVE_INFINITY ? speed : tradeFrom + (now - started) * speed;
        const clock = real?.due() ?? played;
        const due = clock < marketEnd ? clock : marketEnd;
        const event = trader.take(due);
        if (event !== undefined) {
          marketTime = event.time;
          behind = due === Number.POSITIVE_INFINITY || clock === Number.POSITIVE_INFINITY ? 0 : due - event.time;
          collector.event(event);
          admin?.telemetry.took((performance.now() - now) / 1000);
          if (event.kind === "bar" && !event.flat) bars += 1;
          continue;
        }
        if (trader.ended || due === marketEnd || real?.ended) break;
        marketTime = due;
        behind = 0;
        if (real === undefined) await Bun.sleep(IDLE);
        else await real.idle(trader.nextTimer, TICK);
      }
      learning?.tick(marketTime);
      options.onTick(view);

      const ended = performance.now();
      const broken = checkBook(state);
      if (broken.length > 0) throw new Error(`the book is broken at the end of the run: ${broken.join("; ")}`);
      const end = { tradesHash: collector.tradesHash, trades: collector.trades.length };
      recording?.end(end);
      journal.end(end);
      const status = recording?.status;
      recording?.commit();
      const report = backtestReport({
        collector,
        mode: venueOf(market, exchange),
        dataHash: source.dataHash,
        settingsHash,
        timeframe: source.timeframe,
        assumptions: [
          ...learningAssumption(settings, deciders),
          ...(real?.assumptions(without) ?? assumptionsOf(source, exchange as SimulatedExchange, without)),
        ],
        timing: {
          bars,
          loadSeconds: (loaded - begun) / 1000,
          runSeconds: (ended - loaded) / 1000,
          wallSeconds: (performance.now() - begun) / 1000,
        },
        openPositions: openPositions(state),
      });
      const { trades, endEquity } = report.summary;
      const figures = { trades, endEquity, tradesHash: report.tradesHash };
      const remains = supervision?.ended(state, report.mode, figures);
      if (remains !== undefined) options.onNotice("info", `the run has ended: ${remains}`);
      // A market that has gone on cannot be gone through once more.
      const scenes = () =>
        real !== undefined
          ? []
          : takeScenes(report, (named) => openSource(settings, recorded ? { ...market, symbols: named } : market));
      return { report, scenes, journal: journal.path, recording: status, takenOverBy: recording?.lease?.lost };
    } finally {
      learning?.close();
      await admin?.stop();
      features.close();
      await recording?.close();
      journal.close();
    }
  } catch (error) {
    supervision?.failed(error);
    throw error;
  } finally {
    real?.close();
    await right?.close();
    pool.close();
    await supervision?.stop();
  }
}

/** Opens something under a right that is given back when that does not succeed. */
async function openUnder<T>(right: TradingRight | undefined, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    await right?.close();
    throw error;
  }
}

/** Who decided, where models might have. */
function learningAssumption({ STRATEGY_MODE: mode }: Settings, deciders: ReadonlySet<string>): string[] {
  if (mode === "ict") return [];
  return deciders.size === 0
    ? [`No model passed its gate: ${mode} was ict.`]
    : [`Models that decided: ${[...deciders].join(", ")}.`];
}

/** What learns beside the trading; undefined in the mode `ict`. */
function learningOf(
  settings: Settings,
  options: LiveOptions,
  now: () => number,
  telemetry: () => RunTelemetry | undefined,
): LearningLoop | undefined {
  const { STRATEGY_MODE: strategy } = settings;
  if (strategy === "ict") return undefined;
  return new LearningLoop({
    settings,
    strategy,
    registry: options.registry ?? modelRegistry(settings),
    costs: tradingCosts(settings, options.without),
    onNotice: options.onNotice,
    onPredicted: (rows, seconds) => telemetry()?.predicted(rows, seconds),
    onTrained: (outcome) => telemetry()?.trained(outcome),
    startTraining: options.startTraining ?? ((onProgress) => trainBeside(settings, options.market, now(), onProgress)),
  });
}

/** A training on the bars of this market up to now: what comes after does not exist yet. */
function trainBeside(
  settings: Settings,
  market: LiveMarket,
  now: number,
  onProgress: (share: number) => void,
): Retraining {
  const args = ["--to", String(Math.floor(now))];
  if (market.kind === "generated") {
    args.push("--generated", String(market.symbols), "--market-seed", String(market.seed));
  } else if (market.kind === "recorded") {
    args.push("--data", market.dir);
    if (market.symbols !== undefined) args.push("--symbols", market.symbols.join(","));
    if (market.timeframe !== undefined) args.push("--timeframe", market.timeframe);
    if (market.fundingFile !== undefined) args.push("--funding", market.fundingFile);
    if (market.rulesFile !== undefined) args.push("--rules", market.rulesFile);
  }
  return startRetraining({
    args: [...args, ...assignmentsOf(settings)],
    env: process.env,
    memoryLimitMb: settings.PROCESS_MEMORY_LIMIT_MB,
    timeout: settings.TRAINING_TIMEOUT_MINUTES * MINUTE,
    onProgress,
  });
}

/** The settings that are not the defaults, for a child; secrets reach it by the environment or not at all. */
function assignmentsOf(settings: Settings): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const { type, default: usual } = SETTINGS[name];
    const value = settings[name];
    return type === "secret" || value === usual || name === "MAX_WORKERS" ? [] : ["--set", `${name}=${value}`];
  });
}

/** How real the money is: public data with simulated fills is paper. */
function venueOf(market: LiveMarket, exchange: Exchange): Venue {
  return market.kind === "binance" && exchange.venue === "simulated" ? "paper" : exchange.venue;
}

function describeMarket(market: LiveMarket): string {
  if (market.kind === "binance") return "Binance USDⓈ-M futures";
  return market.kind === "recorded" ? `recorded bars of ${market.dir}` : `generated market, seed ${market.seed}`;
}

/** Files that are read between two collections of garbage. */
const FILES_AT_ONCE = 32;

function openSource(settings: Settings, market: LiveMarket): BarSource {
  if (market.kind === "binance") throw new Error("a real market is opened with its exchange");
  if (market.kind === "recorded") {
    // What was read of the files is garbage, and the collector does not see by itself how much.
    const collect = ({ files, filesTotal }: LoadProgress) => {
      if (files % FILES_AT_ONCE === 0 || files === filesTotal) Bun.gc(true);
    };
    return openMarket(settings, { ...market, once: true }, collect);
  }
  return generatedSource(market.seed, market.symbols);
}

/** Bars between two signs that the warm-up comes on. */
const WARM_UP_STEPS = 256;
/** And between two collections of garbage. */
const COLLECT_STEPS = 4 * WARM_UP_STEPS;

async function warmUp(
  source: BarSource,
  feed: PanelFeed,
  analyst: LiveAnalysis,
  steps: number,
  signal: AbortSignal,
  onWarmUp?: (share: number) => void,
): Promise<void> {
  for (let done = 1; done <= steps; done++) {
    const step = source.step();
    if (step === undefined) return;
    feed.step(step);
    if (done % WARM_UP_STEPS !== 0 && done !== steps) continue;
    // Who stops now gets no trading, and need not wait for what would lead to it.
    if (signal.aborted) return;
    await analyst.advance(step.openTime + source.timeframe);
    // Bars that were let go of: the collector does not see by itself how much they are.
    if (done % COLLECT_STEPS === 0) Bun.gc(true);
    onWarmUp?.(done / steps);
  }
}

function dataReference(source: BarSource, market: LiveMarket): DataReference {
  if (market.kind === "binance") throw new Error("a real market refers to itself");
  if (market.kind === "recorded") return recordedData(source as ReturnType<typeof openMarket>, market);
  return {
    kind: "generated",
    seed: market.seed,
    dataHash: source.dataHash,
    timeframe: source.timeframe,
    start: GENERATED_START,
    symbols: source.instruments.map((instrument) => instrument.symbol),
  };
}
