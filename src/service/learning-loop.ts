import { Cron } from "croner";
import type { LearningRow } from "../admin/protocol.ts";
import type { Settings } from "../config/settings.ts";
import type { Candidate } from "../core/candidate.ts";
import type { CoreRecord } from "../core/effects.ts";
import type { AnalysisEvent } from "../core/events.ts";
import type { State } from "../core/state.ts";
import type { VirtualTrade } from "../core/virtual-book.ts";
import { InputError } from "../input-error.ts";
import { calibrate } from "../learning/calibration.ts";
import { MODEL_COLUMNS, modelRow } from "../learning/dataset.ts";
import { byRules, questionOf, sidesOf } from "../learning/judge.ts";
import { netReturn, type TradingCosts } from "../learning/labels.ts";
import type { ModelStrategy } from "../learning/manifest.ts";
import { type DriftMetrics, DriftMonitor, type Finding } from "../learning/monitor.ts";
import type { ModelRegistry } from "../learning/registry.ts";
import { lossOf } from "../learning/scores.ts";
import type { ShadowEvidence, ShadowOutcome } from "../learning/shadow.ts";
import { ModelProcess, ModelProcessLost, type OnnxRuntime } from "../models/process/model-process.ts";
import { NoAnswer, within } from "../models/within.ts";
import { type LiveModel, openLiveModel, promoteModel, rollbackModel } from "./models.ts";
import { type Chance, Rescoring, type RescoringOptions, type Side } from "./rescoring.ts";
import type { Retraining, TrainingEnd } from "./retraining.ts";

/** Another model, or none, is to decide from now on. */
export interface Swap {
  readonly model: LiveModel | undefined;
  readonly reason: string;
}

/** A cycle that was judged, and what the core has to be told before it. */
export interface Judged {
  readonly event: AnalysisEvent;
  /** The model in charge gave no answer: from here on the rules decide, this cycle included. */
  readonly before: Swap | undefined;
}

export interface LearningOptions {
  readonly settings: Settings;
  readonly strategy: ModelStrategy;
  readonly registry: ModelRegistry;
  readonly costs: TradingCosts;
  /** What is traded on, in words, and the symbols by their place: what a shadow has shown is known by these. */
  readonly market: string;
  readonly symbols: readonly string[];
  readonly onNotice: (level: "info" | "warning" | "alarm", text: string) => void;
  /** Told of each batch of predictions and of each training's end, for metrics. */
  readonly onPredicted?: (rows: number, seconds: number) => void;
  readonly onTrained?: (outcome: "promoted" | "refused" | "failed") => void;
  /** Told when a cycle had to be decided without the model that is in charge. */
  readonly onUnanswered?: () => void;
  /** Where nets run, and trees are checked; a process of its own when absent. */
  readonly runtime?: ModelRuntime;
  /** The newest feature rows, for rescoring; without them nothing is rescored. */
  readonly rowsOf?: RescoringOptions["rowsOf"];
  /** Begins a training on what is known now; undefined where a run cannot train. */
  readonly startTraining?: ((onProgress: (share: number) => void) => Retraining) | undefined;
}

/** The process for models as the loop needs it. */
export type ModelRuntime = OnnxRuntime & Pick<ModelProcess, "rest" | "close">;

/** For dashboards, metrics and the terminal. */
export interface LearningView {
  /** Id of the model in charge; empty while the rules decide. */
  readonly model: string;
  /** Who answers for it; empty while the rules decide. */
  readonly server: string;
  /** Id of a model that has the charge and gives no answer at the moment: the rules decide until it does. Or empty. */
  readonly away: string;
  readonly shadow: string;
  /** Market ms for which the shadow has predicted and the outcomes it has seen, in all runs; 0 without one. */
  readonly shadowWatched: number;
  readonly shadowOutcomes: number;
  /** Since the last label that the model was trained on, market ms; NaN without one. */
  readonly modelAge: number;
  readonly swaps: number;
  /** Share of the training that runs, NaN while none does. */
  readonly training: number;
  readonly trainings: number;
  readonly trainingFailures: number;
  readonly drift: DriftMetrics | undefined;
  /** Cycles with something to judge that the rules decided because the model in charge gave no answer. */
  readonly unanswered: number;
  /** What the model says now of the sides that are held; see Rescoring. */
  readonly chances: readonly Chance[];
  /** Rounds of rescoring that came to nothing, and calls and rows of those that did not. */
  readonly rescoring: { readonly failures: number; readonly calls: number; readonly rows: number };
}

const HOUR = 3_600_000;
/** Outcomes that a shadow must have seen before it can take over. */
const SHADOW_OUTCOMES = 10;
/** How often what was seen of a shadow is written down and judged, market ms: a crash loses no more than that. */
const SETTLE_EVERY = 15 * 60_000;
/** Remembered predictions of a shadow that wait for their outcome. */
const MOST_WAITING = 10_000;
/** Cycles in a row that a model may leave unanswered, or attempts to wake it, before it is put out of charge. */
const MOST_UNANSWERED = 3;
/** Attempts to open a model whose process was lost over it. */
const MOST_OPENINGS = 3;
/** Time after which the process for models counts as hung, and time for it to start and load, ms. No cycle waits so long. */
const PATIENCE = { deadline: 10_000, loadDeadline: 60_000 } as const;
/** Rows of features change with bars of this length, ms. */
const ROWS_CHANGE = 300_000;
/** How often the registry is looked at for what others did to it, wall ms. */
const LOOK_EVERY = 5000;

/** A model in charge that gives no answer, and what is to be as before when it does. */
interface Away {
  readonly model: LiveModel;
  readonly monitor: DriftMonitor | undefined;
  /** An attempt to wake it is under way. */
  asking: boolean;
}

interface Shadow {
  readonly model: LiveModel;
  readonly predictions: Map<string, number>;
  /** Of this run and those before it. */
  readonly evidence: ShadowEvidence;
  /** Market times up to which it was watched and to which the registry knows of it, and when that was last settled. */
  until: number;
  written: number;
  settled: number;
  unwritten: ShadowOutcome[];
  /** Cycles in a row without an answer. */
  unanswered: number;
}

/**
 * Everything around the model of a live run: asks it, watches it, trains others beside it, and says when another is to
 * take over. The swap itself is an event of the core. Whatever fails in here, the model in charge goes on deciding, and
 * without one the rules do.
 */
export class LearningLoop {
  readonly #options: LearningOptions;
  readonly #runtime: ModelRuntime;
  readonly #rescoring: Rescoring | undefined;
  readonly #cron: Cron | undefined;
  #model: LiveModel | undefined;
  #away: Away | undefined;
  #unanswered = 0;
  /** Cycles or attempts in a row without an answer. */
  #unansweredInARow = 0;
  #monitor: DriftMonitor | undefined;
  #shadow: Shadow | undefined;
  #swap: Swap | undefined;
  #training: Retraining | undefined;
  #progress = Number.NaN;
  #trainings = 0;
  #failures = 0;
  #swaps = 0;
  #looked = Number.NEGATIVE_INFINITY;
  #oldReported = "";
  /** Why the registry could not be read when it was looked at last, so that it is told once; empty when it could. */
  #unreadable = "";
  #closed = false;
  /** What the model in charge said of the trades that are followed, until they end. */
  readonly #waiting = new Map<string, number>();
  /** Models that drift has put out of charge, of which the registry could not be told. */
  readonly #fallen = new Set<string>();
  /** Models that could not be served, so that each is reported once. */
  readonly #broken = new Set<string>();
  /** Attempts to open a model that came to nothing through no fault that is known. */
  readonly #openings = new Map<string, number>();
  /** Ids of the models that are being opened, for the charge and for the shadow. */
  readonly #opening = { charge: "", shadow: "" };
  readonly #opened = new Set<Promise<void>>();

  /** @throws InputError for a TRAINING_SCHEDULE that is no cron expression */
  constructor(options: LearningOptions) {
    this.#options = options;
    const { settings, onNotice, rowsOf } = options;
    this.#runtime =
      options.runtime ??
      new ModelProcess({
        ...PATIENCE,
        memoryLimit: settings.PROCESS_MEMORY_LIMIT_MB,
        onLost: (reason) => onNotice("warning", `${reason}; another is started when a model is asked`),
      });
    const size = settings.ENABLE_BATCH_PREDICTION ? settings.BATCH_PREDICTION_SIZE : 1;
    this.#rescoring = rowsOf && new Rescoring({ rowsOf, size });
    const { TRAINING_SCHEDULE: schedule, ENABLE_SELF_LEARNING: enabled } = options.settings;
    if (enabled && schedule !== "" && options.startTraining !== undefined) {
      this.#cron = scheduled(schedule, () => this.train("the schedule"));
    }
  }

  /** The swap that is due, once. The caller admits it to the core between two cycles and hands it to `swapped`. */
  takeSwap(): Swap | undefined {
    const swap = this.#swap;
    this.#swap = undefined;
    return swap;
  }

  swapped({ model }: Swap): void {
    this.#swaps++;
    const [before, away] = [this.#model, this.#away];
    if (model !== undefined) {
      const isBack = model === away?.model;
      this.#monitor = isBack ? away.monitor : new DriftMonitor(model.manifest);
      if (!isBack) away?.model.close();
      this.#away = undefined;
    } else {
      this.#monitor = undefined;
    }
    this.#model = model;
    if (before !== model && before !== this.#away?.model) before?.close();
    this.#rescoring?.forget();
  }

  /** The model in charge, also while it gives no answer. */
  get #inCharge(): LiveModel | undefined {
    return this.#model ?? this.#away?.model;
  }

  /** Begins with what the registry has; resolves when it is open, or cannot be opened. */
  async begin(marketTime: number): Promise<void> {
    this.look(marketTime);
    await Promise.all(this.#opened);
  }

  /** Looks whether another model is to decide: at the start, after a training, and when others used the registry. */
  look(marketTime: number): void {
    const { registry, strategy, onNotice } = this.#options;
    this.#looked = performance.now();
    try {
      const { champion: registered, shadows } = registry.roles(strategy);
      this.#unreadable = "";
      const champion = this.#fallen.has(registered) ? "" : registered;
      if (champion === (this.#inCharge?.manifest.id ?? "")) this.#opening.charge = "";
      else this.#want(champion);
      // One that is at it is not disturbed by a newer one, or with frequent trainings none would ever come to an end.
      const shadow = shadows.find((id) => !this.#broken.has(id)) ?? "";
      if (shadow === (this.#shadow?.model.manifest.id ?? "")) this.#opening.shadow = "";
      else this.#watch(shadow, marketTime);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (error.message === this.#unreadable) return;
      this.#unreadable = error.message;
      onNotice("warning", `the registry of models cannot be read, the model in charge stays: ${error.message}`);
    }
  }

  #want(id: string): void {
    if (id === "") {
      this.#opening.charge = "";
      // Whoever is away has nothing to come back to.
      if (this.#away !== undefined) this.#dismissAway();
      else this.#due({ model: undefined, reason: "there is no champion any more" });
      return;
    }
    this.#open("charge", id, (model) => this.#due({ model, reason: "champion of the registry" }));
  }

  #watch(id: string, marketTime: number): void {
    if (id !== "" && this.#opening.shadow === id) return;
    this.#writeShadow();
    this.#shadow?.model.close();
    this.#shadow = undefined;
    this.#opening.shadow = "";
    if (id === "") return;
    const { registry, market, onNotice } = this.#options;
    this.#open("shadow", id, (model) => {
      const evidence = registry.shadows.of(id, market);
      const times = { until: marketTime, written: marketTime, settled: Number.NEGATIVE_INFINITY };
      this.#shadow = { model, evidence, predictions: new Map(), ...times, unwritten: [], unanswered: 0 };
      if (evidence.watched === 0) return;
      const hours = (evidence.watched / HOUR).toFixed(1);
      onNotice("info", `model ${id} goes on in the shadow: ${hours} h, ${evidence.outcomes} outcomes so far`);
    });
  }

  /** The last swap that was asked for is the one that happens. */
  #due(swap: Swap | undefined): void {
    if (this.#swap?.model !== this.#away?.model) this.#swap?.model?.close();
    this.#swap = swap;
  }

  /** Opens a model for a place, unless it is being opened already or nobody wants it any more when it is. */
  #open(place: "charge" | "shadow", id: string, take: (model: LiveModel) => void): void {
    if (this.#opening[place] === id || this.#broken.has(id)) return;
    this.#opening[place] = id;
    const opened = this.#serve(id)
      .then((model) => {
        if (this.#opening[place] !== id || this.#closed) return model?.close();
        this.#opening[place] = "";
        if (model !== undefined) this.#take(model, take);
      })
      .catch((error: unknown) => {
        // Nobody waits for this: whatever went wrong, it is told, and not tried again with every look.
        if (this.#opening[place] === id) this.#opening[place] = "";
        this.#cannotBeUsed(id, error as Error);
      })
      .finally(() => this.#opened.delete(opened));
    this.#opened.add(opened);
  }

  #take(model: LiveModel, take: (model: LiveModel) => void): void {
    try {
      take(model);
    } catch (error) {
      model.close();
      throw error;
    }
  }

  /** Puts a model aside until an operator wants it, once. */
  #cannotBeUsed(id: string, { message }: Error): void {
    if (this.#closed) return;
    this.#broken.add(id);
    this.#options.onNotice("alarm", `model ${id} cannot be used, ${this.#decider}: ${message}`);
  }

  /** Who decides, for people. */
  get #decider(): string {
    return this.#model === undefined ? "the rules decide" : `${this.#model.manifest.id} goes on deciding`;
  }

  /** A model that is ready to be asked; undefined, with an alarm, for one that is not what it should be. */
  async #serve(id: string): Promise<LiveModel | undefined> {
    try {
      return await openLiveModel(this.#options.registry, id, this.#runtime);
    } catch (error) {
      const lost = error instanceof ModelProcessLost;
      if (!lost && !(error instanceof InputError)) throw error;
      if (this.#closed) return undefined;
      const times = (this.#openings.get(id) ?? 0) + 1;
      this.#openings.set(id, times);
      if (lost && times < MOST_OPENINGS) {
        this.#options.onNotice("warning", `model ${id} could not be opened yet, ${this.#decider}: ${error.message}`);
      } else {
        this.#cannotBeUsed(id, error);
      }
      return undefined;
    } finally {
      this.#runtime.rest();
    }
  }

  /**
   * The analysis with the predictions of the model in charge: one call for all rows, which has MODEL_ANSWER_TIMEOUT_MS.
   * Where it gives no answer the rules decide, as they do without a model.
   */
  async judged(event: AnalysisEvent): Promise<Judged> {
    const model = this.#model;
    if (model === undefined) {
      if (this.#away !== undefined) this.#decidedWithout(this.#away, event);
      this.#shadowPredicts(event);
      return { event: byRules(event), before: undefined };
    }
    const question = questionOf(model.manifest, event, this.#monitor?.caution);
    if (question.rows === 0) return { event: question.decided(new Float64Array(0)), before: undefined };
    const { settings, onPredicted } = this.#options;
    const begun = performance.now();
    try {
      const asked = model.score(question.x, question.rows);
      // The shadow asks after it, so that nobody waits for a shadow.
      this.#shadowPredicts(event);
      const raw = asked instanceof Promise ? await within(asked, settings.MODEL_ANSWER_TIMEOUT_MS) : asked;
      this.#unansweredInARow = 0;
      onPredicted?.(question.rows, (performance.now() - begun) / 1000);
      return { event: question.decided(raw), before: undefined };
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      return { event: byRules(event), before: this.#gaveNoAnswer(model, error.message) };
    }
  }

  /** Puts the model in charge aside until it answers, or for good where that has happened too often. */
  #gaveNoAnswer(model: LiveModel, why: string): Swap {
    const { id } = model.manifest;
    this.#countUnanswered();
    this.#unansweredInARow++;
    const reason = `model ${id} gave no answer: ${why}`;
    if (this.#unansweredInARow >= MOST_UNANSWERED) {
      this.#dismiss(model, `${reason}, ${MOST_UNANSWERED} times in a row`);
      return { model: undefined, reason };
    }
    this.#options.onNotice("warning", `${reason}; the rules decide until it does`);
    this.#away = { model, monitor: this.#monitor, asking: false };
    return { model: undefined, reason };
  }

  #countUnanswered(): void {
    this.#unanswered++;
    this.#options.onUnanswered?.();
  }

  /** A cycle has come while the model is away: it is asked, outside of the cycle, whether it is back. */
  #decidedWithout(away: Away, event: AnalysisEvent): void {
    if (questionOf(away.model.manifest, event, undefined).rows > 0) this.#countUnanswered();
    if (away.asking || this.#swap !== undefined) return;
    away.asking = true;
    void this.#wake(away);
  }

  async #wake(away: Away): Promise<void> {
    const { manifest, score } = away.model;
    const { id, domain } = manifest;
    let why = "";
    try {
      await score(Float32Array.from(domain.centre), 1);
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      why = error.message;
    }
    if (this.#away !== away || this.#closed) return;
    away.asking = false;
    if (why === "") return this.#due({ model: away.model, reason: "it answers again" });
    if (++this.#unansweredInARow < MOST_UNANSWERED) return;
    this.#dismiss(away.model, `model ${id} gave no answer: ${why}, ${MOST_UNANSWERED} times in a row`);
    this.#dismissAway();
  }

  /** The core has been told already that the rules decide. */
  #dismissAway(): void {
    if (this.#swap?.model === this.#away?.model) this.#swap = undefined;
    this.#away?.model.close();
    this.#away = undefined;
  }

  /** A model that nobody can rely on is out of charge, here and in the registry. */
  #dismiss({ manifest: { id } }: LiveModel, reason: string): void {
    const { onNotice, registry } = this.#options;
    this.#unansweredInARow = 0;
    onNotice("alarm", `${reason}; the rules decide`);
    try {
      registry.move(id, "retired", reason, Date.now());
    } catch (error) {
      // The rules decide all the same; what is missing is only that others know.
      if (!(error instanceof InputError)) throw error;
      this.#fallen.add(id);
      onNotice("warning", `model ${id} could not be retired in the registry: ${error.message}`);
    }
  }

  /** The shadow is asked as well, and nobody waits for it. */
  #shadowPredicts(event: AnalysisEvent): void {
    const shadow = this.#shadow;
    if (shadow === undefined) return;
    const { model, predictions } = shadow;
    const { strategy, calibration } = model.manifest;
    const asked = event.candidates
      .filter(({ features, strategy: of }) => features !== undefined && (of === "probe") === (strategy !== "hybrid"))
      .flatMap(sidesOf(strategy));
    if (asked.length === 0) return;
    const x = new Float32Array(asked.length * MODEL_COLUMNS.length);
    for (const [i, { features, direction }] of asked.entries()) {
      x.set(modelRow(features!, direction), i * MODEL_COLUMNS.length);
    }
    const keep = (raw: Float64Array) => {
      shadow.unanswered = 0;
      for (const [i, candidate] of asked.entries()) {
        if (predictions.size >= MOST_WAITING) predictions.delete(predictions.keys().next().value!);
        predictions.set(keyOf(candidate, event.cycle), calibrate(calibration, raw[i]!));
      }
    };
    const failed = (error: unknown) => {
      if (!isNoAnswer(error)) throw error;
      if (this.#shadow !== shadow || ++shadow.unanswered < MOST_UNANSWERED) return;
      const { id } = model.manifest;
      this.#broken.add(id);
      this.#options.onNotice("warning", `the shadow ${id} gives no answers and is not watched: ${error.message}`);
      this.#writeShadow();
      model.close();
      this.#shadow = undefined;
    };
    try {
      const raw = model.score(x, asked.length);
      if (raw instanceof Promise) raw.then(keep).catch(failed);
      else keep(raw);
    } catch (error) {
      failed(error);
    }
  }

  /** After a cycle was decided: asks again about what is open, beside the trading. */
  rescore(state: State, cycle: number): void {
    const model = this.#model;
    if (this.#rescoring === undefined || model === undefined || cycle % ROWS_CHANGE !== 0) return;
    const held = [...state.positions.values()].filter(({ holding }) => holding.lots > 0);
    const sides = new Map<string, Side>();
    for (const { symbol, direction } of [...held, ...state.virtual.openSides()]) {
      sides.set(`${symbol}:${direction}`, { symbol, direction });
    }
    void this.#rescoring.begin(model, [...sides.values()]);
  }

  /** Takes in what the core reports. */
  record(record: CoreRecord): void {
    if (record.kind === "signal") {
      const { candidate, time } = record;
      const { prediction } = candidate;
      if (prediction === undefined || prediction.model !== this.#model?.manifest.id) return;
      this.#waiting.set(keyOf(candidate, time), prediction.probability);
      if (this.#waiting.size > MOST_WAITING) this.#waiting.delete(this.#waiting.keys().next().value!);
      this.#follow(this.#monitor?.judged(candidate) ?? []);
    } else if (record.kind === "virtual-closed") {
      this.#ended(record.trade);
    }
  }

  #ended(trade: VirtualTrade): void {
    const key = keyOf(trade, trade.signalTime);
    // Funding is left out: over the hours that a position lives it is less than the spread.
    const gained = netReturn(trade, this.#options.costs, { time: [], rate: [] }) > 0;
    const chance = this.#waiting.get(key);
    this.#waiting.delete(key);
    const shadow = this.#shadow;
    const shadowChance = shadow?.predictions.get(key);
    if (shadow !== undefined && shadowChance !== undefined) {
      shadow.predictions.delete(key);
      // Where nobody else predicted, the shadow has to do as well as it promised.
      const { loss } = shadow.model.manifest;
      const outcome: ShadowOutcome = {
        trade: `${this.#options.symbols[trade.symbol]}:${trade.direction}:${trade.setup}:${trade.signalTime}`,
        loss: lossOf(shadowChance, gained ? 1 : 0),
        toBeat: chance === undefined ? loss.mean + loss.deviation : lossOf(chance, gained ? 1 : 0),
      };
      if (shadow.evidence.outcome(outcome)) shadow.unwritten.push(outcome);
    }
    if (chance !== undefined) this.#follow(this.#monitor?.outcome(chance, gained) ?? []);
  }

  #follow(findings: readonly Finding[]): void {
    const { onNotice } = this.#options;
    for (const { consequence, reason } of findings) {
      const model = this.#model;
      if (model === undefined) return;
      const { id } = model.manifest;
      switch (consequence) {
        case "widen":
        case "de-risk":
          onNotice(
            "warning",
            `model ${id}: ${reason}; ${consequence === "widen" ? "its sets are widened" : "its bets are halved"}`,
          );
          break;
        case "retrain":
          this.train("drift");
          break;
        case "fall-back":
          if (this.#swap !== undefined) break;
          if (this.#swap !== undefined) break;
          this.#due({ model: undefined, reason });
          this.#dismiss(model, `model ${id}: ${reason}`);
          break;
        default:
          consequence satisfies never;
      }
    }
  }

  /** Called several times a second: the shadow's time, the model's age, and what others did to the registry. */
  tick(marketTime: number): void {
    if (performance.now() - this.#looked >= LOOK_EVERY) this.look(marketTime);
    this.#settleShadow(marketTime);
    const model = this.#model;
    const { settings, onNotice } = this.#options;
    if (model === undefined || this.#oldReported === model.manifest.id) return;
    const age = marketTime - model.manifest.trainedTo;
    if (age <= settings.MODEL_MAX_AGE_HOURS * HOUR) return;
    this.#oldReported = model.manifest.id;
    const hours = Math.floor(age / HOUR);
    onNotice(
      "alarm",
      `model ${model.manifest.id} knows nothing of the last ${hours} h; MODEL_MAX_AGE_HOURS is ${settings.MODEL_MAX_AGE_HOURS}`,
    );
  }

  #settleShadow(marketTime: number): void {
    const shadow = this.#shadow;
    if (shadow === undefined) return;
    shadow.evidence.watch(shadow.until, marketTime);
    shadow.until = marketTime;
    if (marketTime - shadow.settled < SETTLE_EVERY) return;
    shadow.settled = marketTime;
    this.#writeShadow();
    this.#judgeShadow(shadow);
  }

  /** Writes down what was seen of the shadow since the last time, so that the next run goes on with it. */
  #writeShadow(): void {
    const shadow = this.#shadow;
    if (shadow === undefined || shadow.until === shadow.written) return;
    const { registry, market, onNotice } = this.#options;
    const { written: from, until: to, unwritten: outcomes } = shadow;
    const { id } = shadow.model.manifest;
    try {
      registry.shadows.append({ model: id, market, from, to, outcomes });
      shadow.written = to;
      shadow.unwritten = [];
    } catch (error) {
      // It stays in memory, and goes with the next.
      if (!(error instanceof InputError)) throw error;
      onNotice("warning", `what the shadow ${id} has shown would be lost with this run: ${error.message}`);
    }
  }

  #judgeShadow({ model, evidence, until }: Shadow): void {
    const { settings, registry, strategy, onNotice } = this.#options;
    const { MODEL_SHADOW_HOURS: wanted } = settings;
    if (evidence.watched < wanted * HOUR || (evidence.outcomes < SHADOW_OUTCOMES && wanted > 0)) return;
    const { id } = model.manifest;
    const { loss, toBeat, outcomes } = evidence;
    const figures = `log loss ${loss.toFixed(3)} over ${outcomes} outcomes, ${toBeat.toFixed(3)} to beat`;
    try {
      if (loss > toBeat) {
        registry.move(id, "retired", `as a shadow it was worse: ${figures}`, Date.now());
        onNotice("info", `model ${id} does not leave the shadow: ${figures}`);
      } else {
        registry.move(id, "champion", `as a shadow it was no worse: ${figures}`, Date.now());
      }
      // Of those that have waited the newest has its turn.
      const waiting = registry.roles(strategy).shadows;
      for (const older of waiting.slice(0, -1)) {
        registry.move(older, "retired", `${waiting.at(-1)} is newer, and takes its turn in the shadow`, Date.now());
      }
      this.look(until);
    } catch (error) {
      // Somebody else moved it meanwhile, or the disk is full: it is tried again, or the next look finds what is there.
      if (!(error instanceof InputError)) throw error;
      onNotice("warning", `model ${id} stays in the shadow: ${error.message}`);
    }
  }

  /** Trains because an operator wants it. */
  trainNow(): string {
    const { startTraining, settings } = this.#options;
    if (!settings.ENABLE_SELF_LEARNING) throw new InputError("ENABLE_SELF_LEARNING=false: nothing is trained");
    if (startTraining === undefined) throw new InputError("this run has no bars of its own to train on");
    if (this.#training !== undefined) throw new InputError("a training is at it already");
    if (!this.train("the operator")) throw new InputError("the training could not begin");
    return "training has begun";
  }

  async promote(id: string): Promise<string> {
    const { manifest } = await promoteModel(this.#options.registry, id, (known) => this.#prove(known));
    if (manifest.strategy !== this.#options.strategy) {
      return `model ${manifest.id} is champion of ${manifest.strategy}; this run is ${this.#options.strategy}`;
    }
    this.#isWanted(manifest.id);
    return `model ${manifest.id} decides from the next cycle on`;
  }

  async rollback(): Promise<string> {
    const { registry, strategy } = this.#options;
    const { manifest, state } = await rollbackModel(registry, strategy, (known) => this.#prove(known));
    this.#isWanted(manifest.id);
    return state === "champion"
      ? `model ${manifest.id} decides again`
      : `model ${manifest.id} is retired, the rules decide`;
  }

  /** An operator has chosen a model that has just been shown to answer: whatever was held against it is over. */
  #isWanted(id: string): void {
    for (const held of [this.#fallen, this.#broken, this.#openings]) held.delete(id);
    this.#looked = Number.NEGATIVE_INFINITY;
  }

  /** Opens a model for nothing but to see that it can be. */
  async #prove(id: string): Promise<void> {
    try {
      (await openLiveModel(this.#options.registry, id, this.#runtime)).close();
    } catch (error) {
      if (!(error instanceof ModelProcessLost)) throw error;
      throw new InputError(`model ${id} cannot be served: ${error.message}`);
    } finally {
      this.#runtime.rest();
    }
  }

  /** Trains in a process of its own, unless one is at it. @returns whether it has begun */
  train(why: string): boolean {
    const { startTraining, onNotice, settings } = this.#options;
    if (startTraining === undefined || this.#training !== undefined || !settings.ENABLE_SELF_LEARNING) return false;
    this.#trainings++;
    this.#progress = 0;
    try {
      this.#training = startTraining((share) => {
        this.#progress = share;
      });
    } catch (error) {
      // There is no process for it: the machine has none left, or what starts it is missing.
      this.#trained({ kind: "failed", reason: (error as Error).message });
      return false;
    }
    onNotice("info", `training begins, because of ${why}`);
    // Whatever becomes of the process or of what it says, it is a training that came to nothing.
    this.#training.ended
      .catch((error: Error) => ({ kind: "failed", reason: error.message }) as const)
      .then((end) => this.#trained(end));
    return true;
  }

  #trained(end: TrainingEnd): void {
    this.#training = undefined;
    this.#progress = Number.NaN;
    if (this.#closed) return;
    const { onNotice, onTrained } = this.#options;
    onTrained?.(end.kind === "failed" ? "failed" : end.promoted ? "promoted" : "refused");
    if (end.kind === "failed") {
      this.#failures++;
      onNotice("warning", `training came to nothing, the model in charge stays: ${end.reason}`);
      return;
    }
    const what = end.model === null ? "no model" : `model ${end.model}`;
    onNotice(
      "info",
      `training ended: ${what}, ${end.promoted ? "passed the gate" : `refused: ${end.reasons.join("; ")}`}`,
    );
    this.#looked = Number.NEGATIVE_INFINITY;
  }

  view(marketTime: number): LearningView {
    const model = this.#model;
    return {
      model: model?.manifest.id ?? "",
      server: model?.server ?? "",
      away: this.#away?.model.manifest.id ?? "",
      shadow: this.#shadow?.model.manifest.id ?? "",
      shadowWatched: this.#shadow?.evidence.watched ?? 0,
      shadowOutcomes: this.#shadow?.evidence.outcomes ?? 0,
      modelAge: model === undefined ? Number.NaN : marketTime - model.manifest.trainedTo,
      swaps: this.#swaps,
      training: this.#progress,
      trainings: this.#trainings,
      trainingFailures: this.#failures,
      drift: this.#monitor?.metrics,
      unanswered: this.#unanswered,
      chances: this.#rescoring?.chances ?? [],
      rescoring: { failures: this.#rescoring?.failures ?? 0, ...(this.#rescoring?.asked ?? { calls: 0, rows: 0 }) },
    };
  }

  close(): void {
    this.#closed = true;
    this.#writeShadow();
    this.#cron?.stop();
    this.#training?.cancel();
    void this.#runtime.close();
  }
}

/** The view as plain JSON, in which nothing is NaN. */
export function learningRow(view: LearningView): LearningRow {
  const known = (value: number) => (Number.isFinite(value) ? value : null);
  const { model, server, away, shadow, shadowOutcomes, swaps, trainings, trainingFailures, drift } = view;
  const { unanswered, rescoring, chances } = view;
  return {
    ...{ model, server, away, unanswered, rescoring, chances },
    shadow,
    shadowHours: view.shadowWatched / HOUR,
    shadowOutcomes,
    modelAge: known(view.modelAge),
    swaps,
    training: known(view.training),
    trainings,
    trainingFailures,
    drift:
      drift === undefined
        ? null
        : Object.fromEntries(Object.entries(drift).map(([name, value]) => [name, known(value)])),
  };
}

/** A model that was asked and did not answer, whatever the reason; anything else is a fault of our own. */
function isNoAnswer(error: unknown): error is Error {
  return error instanceof ModelProcessLost || error instanceof InputError || error instanceof NoAnswer;
}

function scheduled(schedule: string, run: () => void): Cron {
  try {
    return new Cron(schedule, { timezone: "UTC", unref: true }, run);
  } catch (error) {
    throw new InputError(
      `TRAINING_SCHEDULE=${schedule}: ${(error as Error).message}; write five fields, such as "0 */6 * * *"`,
      2,
    );
  }
}

function keyOf({ symbol, direction, setup }: Pick<Candidate, "symbol" | "direction" | "setup">, time: number): string {
  return `${symbol}:${direction}:${setup}:${time}`;
}
