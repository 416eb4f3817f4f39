import { Cron } from "croner";
import type { LearningRow } from "../admin/protocol.ts";
import type { Settings } from "../config/settings.ts";
import type { Candidate } from "../core/candidate.ts";
import type { CoreRecord } from "../core/effects.ts";
import type { AnalysisEvent } from "../core/events.ts";
import type { VirtualTrade } from "../core/virtual-book.ts";
import { InputError } from "../input-error.ts";
import { calibrate } from "../learning/calibration.ts";
import { modelRow } from "../learning/dataset.ts";
import { Judge, type ServedModel } from "../learning/judge.ts";
import { netReturn, type TradingCosts } from "../learning/labels.ts";
import type { ModelStrategy } from "../learning/manifest.ts";
import { type DriftMetrics, DriftMonitor, type Finding } from "../learning/monitor.ts";
import type { ModelRegistry } from "../learning/registry.ts";
import { lossOf } from "../learning/scores.ts";
import type { ShadowEvidence, ShadowOutcome } from "../learning/shadow.ts";
import { promoteModel, rollbackModel, serveModel } from "./models.ts";
import type { Retraining } from "./retraining.ts";

/** Another model, or none, is to decide from now on. */
export interface Swap {
  readonly model: ServedModel | undefined;
  readonly reason: string;
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
  /** Begins a training on what is known now; undefined where a run cannot train. */
  readonly startTraining?: ((onProgress: (share: number) => void) => Retraining) | undefined;
}

/** For dashboards, metrics and the terminal. */
export interface LearningView {
  /** Id of the model in charge; empty while the rules decide. */
  readonly model: string;
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
}

const HOUR = 3_600_000;
/** Outcomes that a shadow must have seen before it can take over. */
const SHADOW_OUTCOMES = 10;
/** How often what was seen of a shadow is written down and judged, market ms: a crash loses no more than that. */
const SETTLE_EVERY = 15 * 60_000;
/** Remembered predictions of a shadow that wait for their outcome. */
const MOST_WAITING = 10_000;
/** How often the registry is looked at for what others did to it, wall ms. */
const LOOK_EVERY = 5000;

interface Shadow {
  readonly model: ServedModel;
  readonly predictions: Map<string, number>;
  /** Of this run and those before it. */
  readonly evidence: ShadowEvidence;
  /** Market times up to which it was watched and to which the registry knows of it, and when that was last settled. */
  until: number;
  written: number;
  settled: number;
  unwritten: ShadowOutcome[];
}

/**
 * Everything around the model of a live run: asks it, watches it, trains others beside it, and says when another is to
 * take over. The swap itself is an event of the core. Whatever fails in here, the model in charge goes on deciding, and
 * without one the rules do.
 */
export class LearningLoop {
  readonly judge = new Judge();
  readonly #options: LearningOptions;
  readonly #cron: Cron | undefined;
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
  #closed = false;
  /** What the model in charge said of the trades that are followed, until they end. */
  readonly #waiting = new Map<string, number>();
  /** Models that drift has put out of charge, of which the registry could not be told. */
  readonly #fallen = new Set<string>();
  /** Models that could not be served, so that each is reported once. */
  readonly #broken = new Set<string>();

  /** @throws InputError for a TRAINING_SCHEDULE that is no cron expression */
  constructor(options: LearningOptions) {
    this.#options = options;
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
    this.judge.swap(model);
    this.#monitor = model && new DriftMonitor(model.manifest);
  }

  /** Looks whether another model is to decide: at the start, after a training, and when others used the registry. */
  look(marketTime: number): void {
    const { registry, strategy, onNotice } = this.#options;
    this.#looked = performance.now();
    try {
      const { champion: registered, shadows } = registry.roles(strategy);
      const champion = this.#fallen.has(registered) ? "" : registered;
      if (champion !== (this.judge.model?.manifest.id ?? "")) this.#want(champion);
      // One that is at it is not disturbed by a newer one, or with frequent trainings none would ever come to an end.
      const shadow = shadows.find((id) => !this.#broken.has(id)) ?? "";
      if (shadow !== (this.#shadow?.model.manifest.id ?? "")) this.#watch(shadow, marketTime);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      onNotice("warning", `the registry of models cannot be read, the model in charge stays: ${error.message}`);
    }
  }

  #want(id: string): void {
    if (id === "") {
      this.#swap = { model: undefined, reason: "there is no champion any more" };
      return;
    }
    const model = this.#serve(id);
    if (model !== undefined) this.#swap = { model, reason: "champion of the registry" };
  }

  #watch(id: string, marketTime: number): void {
    this.#writeShadow();
    const { registry, market, onNotice } = this.#options;
    const model = id === "" ? undefined : this.#serve(id);
    this.#shadow = model && {
      model,
      predictions: new Map(),
      evidence: registry.shadows.of(id, market),
      until: marketTime,
      written: marketTime,
      settled: Number.NEGATIVE_INFINITY,
      unwritten: [],
    };
    const known = this.#shadow?.evidence;
    if (known === undefined || known.watched === 0) return;
    onNotice(
      "info",
      `model ${id} goes on in the shadow: ${(known.watched / HOUR).toFixed(1)} h, ${known.outcomes} outcomes so far`,
    );
  }

  /** A model that is ready to be asked; undefined, with an alarm, for one that is not what it should be. */
  #serve(id: string): ServedModel | undefined {
    if (this.#broken.has(id)) return undefined;
    try {
      return serveModel(this.#options.registry, id);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#broken.add(id);
      const who =
        this.judge.model === undefined ? "the rules decide" : `${this.judge.model.manifest.id} goes on deciding`;
      this.#options.onNotice("alarm", `model ${id} cannot be used, ${who}: ${error.message}`);
      return undefined;
    }
  }

  /** The analysis with the predictions of the model in charge. */
  judged(event: AnalysisEvent): AnalysisEvent {
    this.judge.caution = this.#monitor?.caution;
    const shadow = this.#shadow;
    if (shadow !== undefined)
      for (const candidate of event.candidates) this.#shadowPredicts(shadow, candidate, event.cycle);
    const begun = performance.now();
    const judged = this.judge.judge(event);
    const predicted = judged.candidates.filter(({ prediction }) => prediction !== undefined).length;
    if (predicted > 0) this.#options.onPredicted?.(predicted, (performance.now() - begun) / 1000);
    return judged;
  }

  #shadowPredicts({ model, predictions }: Shadow, candidate: Candidate, time: number): void {
    const { features, direction } = candidate;
    if (features === undefined || (candidate.strategy === "probe") !== (model.manifest.strategy === "self_learning"))
      return;
    for (const side of candidate.strategy === "probe" ? ([1, -1] as const) : [direction]) {
      const [raw] = model.score(modelRow(features, side), 1);
      if (predictions.size >= MOST_WAITING) predictions.delete(predictions.keys().next().value!);
      predictions.set(keyOf({ ...candidate, direction: side }, time), calibrate(model.manifest.calibration, raw!));
    }
  }

  /** Takes in what the core reports. */
  record(record: CoreRecord): void {
    if (record.kind === "signal") {
      const { candidate, time } = record;
      const { prediction } = candidate;
      if (prediction === undefined || prediction.model !== this.judge.model?.manifest.id) return;
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
    const { onNotice, registry } = this.#options;
    for (const { consequence, reason } of findings) {
      const id = this.judge.model?.manifest.id;
      if (id === undefined) return;
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
          onNotice("alarm", `model ${id}: ${reason}; the rules decide`);
          this.#swap = { model: undefined, reason };
          try {
            registry.move(id, "retired", reason, Date.now());
          } catch (error) {
            // The rules decide all the same; what is missing is only that others know.
            if (!(error instanceof InputError)) throw error;
            this.#fallen.add(id);
            onNotice("warning", `model ${id} could not be retired in the registry: ${error.message}`);
          }
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
    const { model } = this.judge;
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
    this.train("the operator");
    return "training has begun";
  }

  promote(id: string): string {
    const { manifest } = promoteModel(this.#options.registry, id);
    if (manifest.strategy !== this.#options.strategy) {
      return `model ${manifest.id} is champion of ${manifest.strategy}; this run is ${this.#options.strategy}`;
    }
    this.#fallen.delete(manifest.id);
    this.#looked = Number.NEGATIVE_INFINITY;
    return `model ${manifest.id} decides from the next cycle on`;
  }

  rollback(): string {
    const { manifest, state } = rollbackModel(this.#options.registry, this.#options.strategy);
    this.#looked = Number.NEGATIVE_INFINITY;
    return state === "champion"
      ? `model ${manifest.id} decides again`
      : `model ${manifest.id} is retired, the rules decide`;
  }

  /** Trains in a process of its own, unless one is at it. */
  train(why: string): void {
    const { startTraining, onNotice, settings } = this.#options;
    if (startTraining === undefined || this.#training !== undefined || !settings.ENABLE_SELF_LEARNING) return;
    this.#trainings++;
    this.#progress = 0;
    const training = startTraining((share) => {
      this.#progress = share;
    });
    this.#training = training;
    onNotice("info", `training begins, because of ${why}`);
    training.ended.then((end) => {
      this.#training = undefined;
      this.#progress = Number.NaN;
      if (this.#closed) return;
      this.#options.onTrained?.(end.kind === "failed" ? "failed" : end.promoted ? "promoted" : "refused");
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
    });
  }

  view(marketTime: number): LearningView {
    const { model } = this.judge;
    return {
      model: model?.manifest.id ?? "",
      shadow: this.#shadow?.model.manifest.id ?? "",
      shadowWatched: this.#shadow?.evidence.watched ?? 0,
      shadowOutcomes: this.#shadow?.evidence.outcomes ?? 0,
      modelAge: model === undefined ? Number.NaN : marketTime - model.manifest.trainedTo,
      swaps: this.#swaps,
      training: this.#progress,
      trainings: this.#trainings,
      trainingFailures: this.#failures,
      drift: this.#monitor?.metrics,
    };
  }

  close(): void {
    this.#closed = true;
    this.#writeShadow();
    this.#cron?.stop();
    this.#training?.cancel();
  }
}

/** The view as plain JSON, in which nothing is NaN. */
export function learningRow(view: LearningView): LearningRow {
  const known = (value: number) => (Number.isFinite(value) ? value : null);
  const { model, shadow, shadowOutcomes, swaps, trainings, trainingFailures, drift } = view;
  return {
    model,
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
