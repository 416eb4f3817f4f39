import packageJson from "../../package.json" with { type: "json" };
import type { RunDescription } from "../admin/protocol.ts";
import { LiveAnalysis } from "../analysis/live-analysis.ts";
import { type AnalysisPool, divideSymbols } from "../analysis/pool.ts";
import { effectiveStrategy, type Settings } from "../config/settings.ts";
import { checkBook } from "../core/check-book.ts";
import type { CoreRecord } from "../core/effects.ts";
import { USDT } from "../core/instrument.ts";
import type { State } from "../core/state.ts";
import type { Exchange, Venue } from "../exchange/exchange.ts";
import type { SimulatedExchange } from "../exchange/simulated/exchange.ts";
import type { DataReference } from "../journal/format.ts";
import type { BarSource } from "../market/bar-source.ts";
import { generateMarket } from "../market/generated-market.ts";
import { PanelFeed } from "../market/panel-feed.ts";
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
  warmUpSteps,
} from "./assembly.ts";
import { type MarketChoice, openMarket, openPositions, recordedData } from "./backtest.ts";
import type { BinanceChoice } from "./binance-market.ts";
import { PositionFeatures } from "./position-features.ts";
import { openRealVenue } from "./real-venue.ts";
import { Trader } from "./trader.ts";

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
  /** The workers to use, closed at the end; one of its own when absent. */
  readonly pool?: AnalysisPool;
}

/** What a terminal may look at between events. */
export interface LiveView {
  readonly state: State;
  readonly collector: Collector;
  readonly marketTime: number;
  /** How far the loop is behind its clock, market ms: 0 while it keeps up, and where it has no clock. */
  readonly behind: number;
  readonly source: BarSource;
}

export interface LiveResult {
  readonly report: BacktestReport;
  /** Goes through the bars once more, for pictures of some of the trades. */
  readonly scenes: () => Scene[];
  readonly journal: string;
}

/** Where a generated market begins to trade: a fixed time, so that a seed gives the same run on every day. */
export const GENERATED_START = Date.UTC(2026, 0, 5);
/** History before it, enough for every 1h indicator. */
const WARM_DAYS = 4;
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

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
  // What the shell has to say; the core's own notices reach the dashboard with its effects.
  const onNotice: LiveOptions["onNotice"] = (level, text) => {
    admin?.notice(level, text);
    options.onNotice(level, text);
  };
  const begun = performance.now();
  const real = market.kind === "binance" ? await openRealVenue(settings, market, onNotice) : undefined;
  const source = real?.market.source ?? openSource(settings, market);
  const from = real?.market.from ?? (market.kind === "recorded" ? market.from : GENERATED_START);
  const analysis = analysisOptions(settings, source);
  const panel = newPanel(source);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  const pool = options.pool ?? newPool(settings, LIVE_WORKERS, onNotice);
  try {
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
    try {
      const collector = new Collector(
        source.instruments,
        tradeFrom,
        state.config.balance,
        takerCosts(settings, without),
      );
      if (options.admin !== undefined) {
        const run: RunDescription = {
          version: packageJson.version,
          venue: venueOf(market, exchange),
          market: describeMarket(market),
          speed: speed === Number.POSITIVE_INFINITY ? "max" : speed,
          strategy: effectiveStrategy(settings).strategy,
          instruments: source.instruments,
          tradeFrom,
          balance: state.config.balance / USDT,
          startedAt: Date.now(),
          journal: journal.path,
          settingsHash,
          dataHash: source.dataHash,
        };
        admin = await Administration.start(options.admin, run, state, panel, onNotice);
      }
      let marketTime = tradeFrom;
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
      };
      const trader = new Trader({
        state,
        exchange,
        feed,
        journal,
        onRecord: (record) => {
          collector.add(record);
          features.add(record);
          options.onRecord(record, view);
        },
        onNotice: options.onNotice,
        ...(real?.timers && { timers: real.timers }),
        ...(admin === undefined ? {} : { watchers: admin.watchers }),
      });
      admin?.operate(trader);

      await real?.begin();
      const started = performance.now();
      let ticked = started;
      while (!signal.aborted) {
        const now = performance.now();
        if (now - begun >= options.duration) break;
        if (now - ticked >= TICK) {
          ticked = now;
          options.onTick(view);
          // What has happened so far survives the death of this process.
          journal.flush();
          admin?.tick(behind, now, TICK);
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
          trader.admit(await analyst.analyse(request.cycle, request.late));
          admin?.cycleDecided(performance.now());
          continue;
        }
        const played = speed === Number.POSITIVE_INFINITY ? speed : tradeFrom + (now - started) * speed;
        const clock = real?.market.now() ?? played;
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
        if (trader.ended || due === marketEnd) break;
        marketTime = due;
        behind = 0;
        if (real === undefined) await Bun.sleep(IDLE);
        else await real.idle(trader.nextTimer, TICK);
      }
      options.onTick(view);

      const ended = performance.now();
      const broken = checkBook(state);
      if (broken.length > 0) throw new Error(`the book is broken at the end of the run: ${broken.join("; ")}`);
      journal.end({ tradesHash: collector.tradesHash, trades: collector.trades.length });
      const report = backtestReport({
        collector,
        mode: venueOf(market, exchange),
        dataHash: source.dataHash,
        settingsHash,
        timeframe: source.timeframe,
        assumptions: real?.assumptions(without) ?? assumptionsOf(source, exchange as SimulatedExchange, without),
        timing: {
          bars,
          loadSeconds: (loaded - begun) / 1000,
          runSeconds: (ended - loaded) / 1000,
          wallSeconds: (performance.now() - begun) / 1000,
        },
        openPositions: openPositions(state),
      });
      // A market that has gone on cannot be gone through once more.
      const scenes = () =>
        real !== undefined
          ? []
          : takeScenes(report, (named) => openSource(settings, recorded ? { ...market, symbols: named } : market));
      return { report, scenes, journal: journal.path };
    } finally {
      await admin?.stop();
      features.close();
      journal.close();
    }
  } finally {
    real?.close();
    pool.close();
  }
}

/** How real the money is: public data with simulated fills is paper. */
function venueOf(market: LiveMarket, exchange: Exchange): Venue {
  return market.kind === "binance" && exchange.venue === "simulated" ? "paper" : exchange.venue;
}

function describeMarket(market: LiveMarket): string {
  if (market.kind === "binance") return "Binance USDⓈ-M futures";
  return market.kind === "recorded" ? `recorded bars of ${market.dir}` : `generated market, seed ${market.seed}`;
}

function openSource(settings: Settings, market: LiveMarket): BarSource {
  if (market.kind === "binance") throw new Error("a real market is opened with its exchange");
  if (market.kind === "recorded") return openMarket(settings, market);
  return generateMarket({
    seed: market.seed,
    symbols: market.symbols,
    start: GENERATED_START,
    historySteps: (WARM_DAYS * DAY) / MINUTE,
  });
}

/** Bars between two signs that the warm-up comes on. */
const WARM_UP_STEPS = 256;

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
