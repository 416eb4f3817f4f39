import { type AdminAddress, AdminThread } from "../admin/admin-thread.ts";
import type { Notice, RunDescription } from "../admin/protocol.ts";
import type { AnalysisOptions } from "../analysis/engine.ts";
import type { LoadedSettings } from "../config/load.ts";
import type { State } from "../core/state.ts";
import type { Panel } from "../market/panel.ts";
import { Counters } from "../telemetry/counters.ts";
import { type LearningView, learningRow } from "./learning-loop.ts";
import { type ModelDesk, Operator } from "./operator.ts";
import { RunTelemetry } from "./run-telemetry.ts";
import type { Trader, Watcher } from "./trader.ts";

/** How a run is to be served to people. */
export interface AdministrationOptions {
  readonly loaded: LoadedSettings;
  readonly onAddress: (address: AdminAddress) => void;
}

type OnNotice = (level: Notice["level"], text: string) => void;

/** What serves a live run to people and to Prometheus: the admin worker, the figures, and what operators ask. */
export class Administration {
  readonly telemetry: RunTelemetry;
  readonly watchers: readonly Watcher[];
  readonly #thread: AdminThread;
  readonly #state: State;
  readonly #loaded: LoadedSettings;
  readonly #onNotice: OnNotice;
  #operator: Operator | undefined;
  #asked = 0;
  #absent = 0;
  #ticked: number | undefined;

  private constructor(
    thread: AdminThread,
    telemetry: RunTelemetry,
    state: State,
    loaded: LoadedSettings,
    onNotice: OnNotice,
  ) {
    this.#onNotice = onNotice;
    this.#thread = thread;
    this.telemetry = telemetry;
    this.watchers = [thread, telemetry];
    this.#state = state;
    this.#loaded = loaded;
  }

  /** @throws InputError (exit 2) where it must not or cannot listen */
  static async start(
    { loaded, onAddress }: AdministrationOptions,
    run: RunDescription,
    state: State,
    panel: Panel,
    analysis: AnalysisOptions,
    onNotice: OnNotice,
  ): Promise<Administration> {
    const counters = new Counters();
    const bars = { panel: panel.buffer, analysis };
    const thread = await AdminThread.start({ loaded, run, bars, counters: counters.buffer, onNotice });
    onAddress(thread.address);
    return new Administration(thread, new RunTelemetry(counters, state), state, loaded, onNotice);
  }

  /** From now on what operators ask is done by this trader. */
  operate(trader: Trader, models: ModelDesk | undefined): void {
    this.#operator = new Operator(this.#thread, trader, this.#state, this.#loaded, this.#onNotice, models);
  }

  /** Does what operators have asked. @param marketTime ms @returns whether the run is to end, because one of them said so */
  attend(marketTime: number): boolean {
    const clock = performance.now();
    this.#operator?.attend(marketTime, clock);
    return this.#operator?.isDone(clock) ?? false;
  }

  /** To be called several times a second. @param behind ms @param now monotonic, ms @param every how often it is meant to be called, ms */
  tick(behind: number, now: number, every: number): void {
    const lag = this.#ticked === undefined ? 0 : now - this.#ticked - every;
    this.#ticked = now;
    this.telemetry.tick(behind, lag > 0 ? lag : 0);
    this.#thread.update(this.#state, behind, now);
  }

  cycleAsked(now: number, absent: number): void {
    this.#asked = now;
    this.#absent = absent;
  }

  cycleDecided(now: number): void {
    this.telemetry.cycle((now - this.#asked) / 1000, this.#absent);
  }

  /** What the models do; to be called as often as `tick`. */
  learning(view: LearningView): void {
    this.telemetry.learning(view);
    this.#thread.learning(learningRow(view));
  }

  /** A notice of the shell; the core's own come with its effects. */
  notice(level: Notice["level"], text: string): void {
    this.#thread.notice(this.#state.now, level, text);
    this.telemetry.notice(level);
  }

  panelMoved(panel: Panel): void {
    this.#thread.panel(panel.buffer);
  }

  stop(): Promise<void> {
    return this.#thread.stop();
  }
}
