import packageJson from "../../package.json" with { type: "json" };
import type { RunDescription } from "../admin/protocol.ts";
import type { Settings } from "../config/settings.ts";
import { checkBook } from "../core/check-book.ts";
import { USDT } from "../core/instrument.ts";
import type { State } from "../core/state.ts";
import { addressesOf } from "../exchange/binance/addresses.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { GatedExchange } from "../exchange/gated.ts";
import type { SimulatedExchange } from "../exchange/simulated/exchange.ts";
import type { JournalWriter } from "../journal/writer.ts";
import { type BacktestReport, backtestReport } from "../report/backtest-report.ts";
import { Collector } from "../report/collector.ts";
import { takeScenes } from "../report/scenes.ts";
import { aborted } from "./aborted.ts";
import { Administration } from "./administration.ts";
import { assumptionsOf, newExchange, newState, openJournal, runHash, takerCosts } from "./assembly.ts";
import { openPositions } from "./backtest.ts";
import { Checkpoints } from "./checkpoint.ts";
import { Holds } from "./holds.ts";
import type { LearningLoop, Swap } from "./learning-loop.ts";
import type { LiveOptions, LiveResult, LiveView } from "./live.ts";
import { learningAssumption, liveLearning } from "./live-learning.ts";
import { dataReference, describeMarket, reopenSource, tradingEnd, venueOf } from "./live-market.ts";
import { type Analyst, newAnalyst, openVenue, type Venue, warmUp } from "./live-preparation.ts";
import { PositionFeatures } from "./position-features.ts";
import { Recording } from "./recording.ts";
import { type NoticeLevel, Supervision } from "./supervision.ts";
import { Trader } from "./trader.ts";

/** How long the loop sleeps when nothing is due, and how often the view is drawn, ms. */
const IDLE = 10;
const TICK = 100;

/** Those outside of a run who are told of it. */
export class Onlookers {
  /** Operators; nobody before the run has its state. */
  admin: Administration | undefined;
  /** Who looks after the run. */
  supervision: Supervision | undefined;
  readonly #onNotice: LiveOptions["onNotice"];

  constructor(onNotice: LiveOptions["onNotice"]) {
    this.#onNotice = onNotice;
  }

  /** What the shell has to say; the core's own notices reach the onlookers with its effects. */
  readonly notice = (level: NoticeLevel, text: string): void => {
    this.admin?.notice(level, text);
    this.supervision?.notice(level, text);
    this.#onNotice(level, text);
  };
}

/** A live run from its first look at the market to its report. */
export class LiveRun {
  readonly #settings: Settings;
  readonly #options: LiveOptions;
  readonly #venue: Venue;
  readonly #analyst: Analyst;
  readonly #onlookers: Onlookers;
  readonly #state: State;
  readonly #exchange: Exchange;
  /** Identifies settings, market and costs. Models come and go while it runs: the journal tells which decided. */
  readonly #settingsHash: string;
  readonly #journal: JournalWriter;
  readonly #learning: LearningLoop | undefined;
  readonly #recording: Recording | undefined;
  readonly #checkpoints: Checkpoints | undefined;
  readonly #holds: Holds;
  readonly #collector: Collector;
  /** Models that have been in charge. */
  readonly #deciders = new Set<string>();
  readonly #view: LiveView;
  #trader!: Trader;
  /** Market time at which trading begins, ms. */
  readonly #tradeFrom: number;
  #marketTime: number;
  #behind = 0;
  /** Bars in which something was traded. */
  #bars = 0;
  /** Monotonic, ms: when the run began, when its history was there, when the market began to be played. */
  readonly #begun: number;
  readonly #loaded: number;
  #started = 0;
  #ticked = 0;

  /** Opens everything, takes the history through the analysis, and waits until nothing keeps it from trading. */
  static async prepare(
    settings: Settings,
    options: LiveOptions,
    onlookers: Onlookers,
    owned: AsyncDisposableStack,
    begun: number,
  ): Promise<LiveRun> {
    const { market, signal } = options;
    const onNotice = onlookers.notice;
    const venue = await openVenue(settings, market, signal, onNotice, owned);
    const analyst = newAnalyst(settings, venue.source, options.pool, onNotice, owned);
    if (options.supervision !== undefined) {
      onlookers.supervision = await Supervision.start({ ...options.supervision, onNotice });
    }
    await warmUp(venue, analyst, signal, options.onWarmUp);
    const run = new LiveRun(settings, options, venue, analyst, onlookers, owned, begun);
    if (run.#recording !== undefined) await Promise.race([run.#recording.settled(), aborted(signal)]);
    await run.#admitOnlookers(owned);
    return run;
  }

  private constructor(
    settings: Settings,
    options: LiveOptions,
    venue: Venue,
    analyst: Analyst,
    onlookers: Onlookers,
    owned: AsyncDisposableStack,
    begun: number,
  ) {
    const { market, without } = options;
    const { source, from, real, right } = venue;
    this.#settings = settings;
    this.#options = options;
    this.#venue = venue;
    this.#analyst = analyst;
    this.#onlookers = onlookers;
    this.#begun = begun;
    this.#loaded = performance.now();
    this.#tradeFrom = from ?? source.start;
    this.#marketTime = this.#tradeFrom;
    this.#state = real?.state ?? newState(settings, source.instruments, this.#tradeFrom);
    this.#exchange = real?.exchange ?? newExchange(settings, analyst.feed.noteFunding(source), without);
    real?.market.onFunding((funding) => analyst.feed.funding({ funding: [funding] }));
    this.#settingsHash = runHash(settings, { source, from, without });
    this.#journal = openJournal(real?.bookSettings ?? settings, {
      command: "run",
      kernel: analyst.options.kernel,
      settingsHash: this.#settingsHash,
      instruments: source.instruments,
      bars: market.kind === "recorded" ? "referenced" : "stored",
      data: market.kind === "binance" ? real!.reference : dataReference(source, market),
      mode: venueOf(market, this.#exchange),
      ...(real?.epoch !== undefined && { epoch: real.epoch }),
    });
    owned.defer(() => this.#journal.close());
    this.#learning = liveLearning(
      settings,
      { ...options, instruments: source.instruments, onNotice: onlookers.notice },
      () => this.#marketTime,
      () => onlookers.admin?.telemetry,
      analyst.analysis,
    );
    owned.defer(() => this.#learning?.close());
    // Bars of a simulation are in files, or come from a seed; those of a test network must not be taken for real ones.
    const isReal = this.#exchange.venue !== "simulated" && addressesOf(settings).live;
    this.#recording = settings.ENABLE_STORE
      ? new Recording({
          settings,
          journal: this.#journal,
          state: this.#state,
          onNotice: onlookers.notice,
          ...(isReal && { bars: source.timeframe }),
          keeper: right?.keeper,
        })
      : undefined;
    owned.defer(() => this.#recording?.close());
    this.#checkpoints =
      real?.book && new Checkpoints(real.book, this.#journal, settings.POSITION_MODE === "hedge", onlookers.notice);
    owned.defer(() => this.#checkpoints?.settled());
    this.#holds = new Holds(this.#journal, this.#recording, onlookers.notice);
    this.#collector = new Collector(
      source.instruments,
      this.#tradeFrom,
      this.#state.config.balance,
      takerCosts(settings, without),
    );
    this.#view = this.#newView();
  }

  #newView(): LiveView {
    const run = this;
    return {
      state: run.#state,
      collector: run.#collector,
      source: run.#venue.source,
      get marketTime() {
        return run.#marketTime;
      },
      get behind() {
        return run.#behind;
      },
      get learning() {
        return run.#learning?.view(run.#marketTime);
      },
      get recording() {
        return run.#recording?.status;
      },
    };
  }

  /** Lets operators and those who look on in, and puts the trader between the exchange and all of them. */
  async #admitOnlookers(owned: AsyncDisposableStack): Promise<void> {
    const { admin: administration, onRecord, onNotice } = this.#options;
    const onlookers = this.#onlookers;
    const { real } = this.#venue;
    const features = PositionFeatures.open(this.#settings, [], onlookers.notice);
    owned.defer(() => features.close());
    if (administration !== undefined) {
      const { panel, options: analysis } = this.#analyst;
      const run = this.#description();
      const admin = await Administration.start(administration, run, this.#state, panel, analysis, onlookers.notice);
      owned.defer(() => admin.stop());
      onlookers.admin = admin;
    }
    const { admin, supervision } = onlookers;
    const facts = {
      version: packageJson.version,
      journal: this.#journal.path,
      settingsHash: this.#settingsHash,
    };
    this.#trader = new Trader({
      state: this.#state,
      exchange: new GatedExchange(this.#exchange, (request) => this.#holds.refuses(request)),
      feed: this.#analyst.feed,
      journal: this.#journal,
      onJournalError: (error) => this.#holds.journalFailed(error),
      onRecord: (record) => {
        this.#collector.add(record);
        features.add(record);
        this.#learning?.record(record);
        onRecord(record, this.#view);
      },
      onNotice,
      watchers: [
        this.#collector.executions,
        ...(real?.book === undefined ? [] : [real.book]),
        ...(this.#recording === undefined ? [] : [this.#recording]),
        ...(admin?.watchers ?? []),
        ...(supervision?.watch(this.#state, facts) ?? []),
      ],
      ...(real?.timers && { timers: real.timers }),
      ...(real !== undefined &&
        admin !== undefined && {
          onDecided: ({ kind }) => {
            if (kind === "bar") admin.telemetry.decided((performance.now() - real.arrived) / 1000);
          },
        }),
    });
    admin?.operate(this.#trader, this.#learning);
    if (real !== undefined && admin !== undefined) real.market.client.measures = admin.telemetry.client;
  }

  #description(): RunDescription {
    const { market, speed } = this.#options;
    const { source } = this.#venue;
    return {
      version: packageJson.version,
      venue: venueOf(market, this.#exchange),
      market: describeMarket(market),
      speed: speed === Number.POSITIVE_INFINITY ? "max" : speed,
      strategy: this.#settings.STRATEGY_MODE,
      instruments: source.instruments,
      tradeFrom: this.#tradeFrom,
      balance: this.#state.config.balance / USDT,
      startedAt: Date.now(),
      journal: this.#journal.path,
      settingsHash: this.#settingsHash,
      dataHash: source.dataHash,
    };
  }

  /** Trades until the market, the time it was given, an operator or its caller ends it. */
  async play(): Promise<void> {
    const { signal, duration, onTick } = this.#options;
    const { real } = this.#venue;
    const opened = this.#learning?.begin(this.#marketTime);
    // A market that can wait gets the same decisions each time; a real one goes on, and the model comes when it is open.
    if (real === undefined) await Promise.race([opened, aborted(signal)]);
    if (!signal.aborted) await real?.begin();
    this.#forgetModel();
    this.#started = performance.now();
    this.#ticked = this.#started;
    while (!signal.aborted) {
      const now = performance.now();
      this.#onlookers.supervision?.beat();
      if (now - this.#begun >= duration) break;
      if (now - this.#ticked >= TICK) this.#tick(now);
      if (this.#recording?.lease?.lost !== undefined) break;
      const hold = this.#holds.next(this.#state, this.#marketTime);
      if (hold !== undefined) {
        real?.heard(hold);
        this.#trader.admit(hold);
        continue;
      }
      if (this.#onlookers.admin?.attend(this.#marketTime)) break;
      // A cycle is decided before anything later is looked at, so that the speed cannot change a decision.
      if (this.#trader.awaited !== undefined) {
        await this.#decide(now);
        continue;
      }
      // Between two cycles, so that each is decided by one model.
      this.#swapModels();
      const due = this.#due(now);
      if (this.#take(due, now)) continue;
      if (this.#trader.ended || due === tradingEnd(this.#options.market) || real?.ended) break;
      this.#marketTime = due;
      this.#behind = 0;
      this.#checkpoints?.idle(now);
      if (real === undefined) await Bun.sleep(IDLE);
      else await real.idle(this.#trader.nextTimer, TICK);
    }
    this.#learning?.tick(this.#marketTime);
    onTick(this.#view);
  }

  /** What is done several times a second. */
  #tick(now: number): void {
    const { admin, supervision } = this.#onlookers;
    const { real } = this.#venue;
    this.#ticked = now;
    this.#learning?.tick(this.#marketTime);
    if (this.#learning !== undefined) admin?.learning(this.#learning.view(this.#marketTime));
    this.#options.onTick(this.#view);
    // What has happened so far survives the death of this process, and only then the store hears of it.
    if (this.#holds.flushed()) this.#recording?.commit();
    admin?.tick(this.#behind, now, TICK);
    if (this.#recording !== undefined) admin?.telemetry.recording(this.#recording.status);
    if (real !== undefined) admin?.telemetry.link(real.link());
    supervision?.tick();
  }

  /** Has the cycle analysed that the core waits for, and judged. */
  async #decide(now: number): Promise<void> {
    const { admin } = this.#onlookers;
    const { feed, analysis } = this.#analyst;
    const { cycle, late } = this.#trader.awaited!;
    if (feed.isFull) {
      const grown = feed.grow();
      analysis.follow(grown);
      admin?.panelMoved(grown);
    }
    admin?.cycleAsked(now, late.length);
    const analysed = await analysis.analyse(cycle, late);
    const judged = await this.#learning?.judged(analysed);
    // A model that gave no answer is out of charge before the cycle is decided without it.
    if (judged?.before !== undefined) this.#admitSwap(judged.before);
    this.#trader.admit(judged?.event ?? analysed);
    admin?.cycleDecided(performance.now());
    this.#learning?.rescore(this.#state, cycle);
  }

  /**
   * A book that was brought back remembers which model was in charge. Here none is before it has been opened, if it ever
   * is: until then the rules decide, and what they propose is not refused as some other model's.
   */
  #forgetModel(): void {
    const { model, now } = this.#state;
    if (model === "") return;
    const time = now > this.#marketTime ? now : Math.floor(this.#marketTime);
    const reason = `model ${model} was in charge of an earlier process; none is open yet`;
    this.#trader.admit({ kind: "model", time, symbol: -1, model: "", reason });
  }

  #swapModels(): void {
    const { nextSwap } = this.#options;
    const swap = nextSwap === undefined ? this.#learning?.takeSwap() : nextSwap();
    if (swap !== undefined) this.#admitSwap(swap);
  }

  #admitSwap(swap: Swap): void {
    this.#learning?.swapped(swap);
    const model = swap.model?.manifest.id ?? "";
    const time = this.#state.now > this.#marketTime ? this.#state.now : this.#marketTime;
    this.#trader.admit({ kind: "model", time, symbol: -1, model, reason: swap.reason });
    if (model !== "") this.#deciders.add(model);
  }

  /** Market time up to which events may be taken, ms. */
  #due(now: number): number {
    const { market, speed } = this.#options;
    const { real } = this.#venue;
    const played = speed === Number.POSITIVE_INFINITY ? speed : this.#tradeFrom + (now - this.#started) * speed;
    const clock = real?.due() ?? played;
    const end = tradingEnd(market);
    return clock < end ? clock : end;
  }

  /** Takes the next event that is due. @returns whether there was one */
  #take(due: number, now: number): boolean {
    const event = this.#trader.take(due);
    if (event === undefined) return false;
    this.#marketTime = event.time;
    // A market that goes as fast as it can has no clock to be behind.
    const isUnhurried = this.#venue.real === undefined && this.#options.speed === Number.POSITIVE_INFINITY;
    this.#behind = isUnhurried ? 0 : due - event.time;
    this.#collector.event(event);
    this.#onlookers.admin?.telemetry.took((performance.now() - now) / 1000);
    if (event.kind === "bar" && !event.flat) this.#bars++;
    return true;
  }

  /** Closes the journal and says how it went. */
  async end(): Promise<LiveResult> {
    const ended = performance.now();
    await this.#checkpoints?.settled();
    const { market, onNotice } = this.#options;
    const broken = checkBook(this.#state);
    if (broken.length > 0) throw new Error(`the book is broken at the end of the run: ${broken.join("; ")}`);
    const end = { tradesHash: this.#collector.tradesHash, trades: this.#collector.trades.length };
    this.#recording?.end(end);
    this.#journal.end(end);
    this.#checkpoints?.now();
    const recording = this.#recording?.status;
    this.#recording?.commit();
    const report = this.#report(ended);
    const { trades, endEquity } = report.summary;
    const figures = { trades, endEquity, tradesHash: report.tradesHash };
    const remains = this.#onlookers.supervision?.ended(this.#state, report.mode, figures);
    if (remains !== undefined) onNotice("info", `the run has ended: ${remains}`);
    // A market that has gone on cannot be gone through once more.
    const scenes = () =>
      market.kind === "binance" ? [] : takeScenes(report, (named) => reopenSource(this.#settings, market, named));
    return { report, scenes, journal: this.#journal.path, recording, takenOverBy: this.#recording?.lease?.lost };
  }

  #report(ended: number): BacktestReport {
    const { real, source } = this.#venue;
    const { market, without } = this.#options;
    const exchange = this.#exchange;
    return backtestReport({
      collector: this.#collector,
      mode: venueOf(market, exchange),
      dataHash: source.dataHash,
      settingsHash: this.#settingsHash,
      timeframe: source.timeframe,
      assumptions: [
        ...learningAssumption(this.#settings, this.#deciders),
        ...(real?.assumptions(without) ?? assumptionsOf(source, exchange as SimulatedExchange, without)),
      ],
      timing: {
        bars: this.#bars,
        loadSeconds: (this.#loaded - this.#begun) / 1000,
        runSeconds: (ended - this.#loaded) / 1000,
        wallSeconds: (performance.now() - this.#begun) / 1000,
      },
      openPositions: openPositions(this.#state),
    });
  }
}
