import type { AnalysisPool } from "../analysis/pool.ts";
import type { Settings } from "../config/settings.ts";
import type { CoreRecord } from "../core/effects.ts";
import type { State } from "../core/state.ts";
import type { ModelRegistry } from "../learning/registry.ts";
import type { BarSource } from "../market/bar-source.ts";
import type { BacktestReport } from "../report/backtest-report.ts";
import type { Collector } from "../report/collector.ts";
import type { Scene } from "../report/scenes.ts";
import type { AdministrationOptions } from "./administration.ts";
import type { Cost } from "./assembly.ts";
import type { LearningView, ModelRuntime, Swap } from "./learning-loop.ts";
import type { LiveMarket } from "./live-market.ts";
import { LiveRun, Onlookers } from "./live-run.ts";
import type { RecordingStatus } from "./recording.ts";
import type { Retraining } from "./retraining.ts";
import type { NoticeLevel, SupervisionOptions } from "./supervision.ts";

export interface LiveOptions {
  readonly market: LiveMarket;
  readonly without: readonly Cost[];
  /** Market milliseconds per wall millisecond; Infinity for as fast as it goes. */
  readonly speed: number;
  /** Wall time after which the run ends, ms; Infinity for never. */
  readonly duration: number;
  readonly signal: AbortSignal;
  readonly onRecord: (record: CoreRecord, live: LiveView) => void;
  readonly onNotice: (level: NoticeLevel, text: string) => void;
  /** Called several times a second, to draw. */
  readonly onTick: (live: LiveView) => void;
  readonly onWarmUp?: (share: number) => void;
  /** Serves operators while the run lasts; nobody when absent. */
  readonly admin?: AdministrationOptions | undefined;
  /** Who looks after the run; nobody when absent. */
  readonly supervision?: Omit<SupervisionOptions, "onNotice"> | undefined;
  /** The workers to use, closed at the end; one of its own when absent. */
  readonly pool?: AnalysisPool;
  /** Where models are kept, where nets run, and how a training begins; for tests. */
  readonly registry?: ModelRegistry;
  readonly runtime?: ModelRuntime;
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

/**
 * Trades live: the core against an exchange, simulated at a chosen speed or real, with the analysis in its own thread.
 * At any speed the events and decisions are those of a backtest of the same bars, because time comes from the events.
 */
export async function runLive(settings: Settings, options: LiveOptions): Promise<LiveResult> {
  const begun = performance.now();
  // What is closed last is named first: whoever looks after the run hears how everything else has ended.
  await using owned = new AsyncDisposableStack();
  const onlookers = new Onlookers(options.onNotice);
  owned.defer(() => onlookers.supervision?.stop());
  try {
    const run = await LiveRun.prepare(settings, options, onlookers, owned, begun);
    await run.play();
    return await run.end();
  } catch (error) {
    onlookers.supervision?.failed(error);
    throw error;
  }
}
