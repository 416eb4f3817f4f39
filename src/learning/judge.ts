import type { Candidate, Prediction } from "../core/candidate.ts";
import type { AnalysisEvent } from "../core/events.ts";
import { calibrate } from "./calibration.ts";
import { MODEL_COLUMNS, modelRow } from "./dataset.ts";
import { cautiousBet } from "./evaluation.ts";
import type { ModelManifest, ModelStrategy } from "./manifest.ts";

/** A model that is ready to be asked. */
export interface AskedModel {
  readonly manifest: ModelManifest;
  /** Raw probabilities of rows one after the other; a promise where another process answers. */
  score(x: Float32Array, rows: number): Float64Array | Promise<Float64Array>;
}

/** One that answers at once, for whatever may wait for it. */
export interface ServedModel extends AskedModel {
  score(x: Float32Array, rows: number): Float64Array;
}

/** How careful the judge is at the moment; the monitor of drift says so. */
export interface Caution {
  /** Share of outcomes that may lie outside of their sets; adapts to what happens. */
  readonly alpha: number;
  /** Bets are multiplied by this. */
  readonly sizeFactor: number;
}

/**
 * Judges the candidates of a cycle before the core sees them: each gets the prediction of the model in charge, and what
 * the core decides on is journaled with it. Without a model the rules decide: `hybrid` and `self_learning` are `ict`.
 *
 * With a model of `hybrid` the candidates stay those of ict. With one of `self_learning` only the probes count: the
 * better side of each, where it is worth its costs.
 */
export class Judge {
  #model: ServedModel | undefined;
  caution: Caution | undefined;

  constructor(model?: ServedModel) {
    this.#model = model;
  }

  get model(): ServedModel | undefined {
    return this.#model;
  }

  swap(model: ServedModel | undefined): void {
    this.#model = model;
    this.caution = undefined;
  }

  judge(event: AnalysisEvent): AnalysisEvent {
    const model = this.#model;
    if (model === undefined) return byRules(event);
    const question = questionOf(model.manifest, event, this.caution);
    return question.decided(model.score(question.x, question.rows));
  }
}

/** The cycle where no model decides: probes are for models alone. */
export function byRules(event: AnalysisEvent): AnalysisEvent {
  const candidates = event.candidates.filter(isRule);
  return candidates.length === event.candidates.length ? event : { ...event, candidates };
}

function isRule({ strategy }: Candidate): boolean {
  return strategy !== "probe";
}

/** All that a model is asked in a cycle, in one call, and what becomes of its answers. */
export interface Question {
  /** Rows of MODEL_COLUMNS one after the other. */
  readonly x: Float32Array;
  readonly rows: number;
  /** The cycle with the predictions. @param raw one probability per row */
  decided(raw: Float64Array): AnalysisEvent;
}

export function questionOf(manifest: ModelManifest, event: AnalysisEvent, caution: Caution | undefined): Question {
  const { strategy } = manifest;
  const asked = event.candidates
    .filter((candidate) => isRule(candidate) === (strategy === "hybrid"))
    .flatMap(sidesOf(strategy));
  const width = MODEL_COLUMNS.length;
  const x = new Float32Array(asked.length * width);
  for (const [i, { features, direction }] of asked.entries()) {
    if (features === undefined) throw new Error("a candidate came from the analysis without its features");
    x.set(modelRow(features, direction), i * width);
  }
  return {
    x,
    rows: asked.length,
    decided(raw) {
      if (event.candidates.length === 0) return event;
      const predicted = asked.map((candidate, i): Candidate => {
        const row = x.subarray(i * width, (i + 1) * width);
        const prediction = predictionOf(manifest, raw[i]!, row, caution);
        const reasons = [...candidate.reasons, reasonOf(prediction)];
        if (strategy === "hybrid") return { ...candidate, strategy, reasons, prediction };
        return { ...candidate, strategy, reasons, prediction, confidence: prediction.probability };
      });
      return { ...event, candidates: strategy === "hybrid" ? predicted : betterSides(predicted) };
    },
  };
}

/** A long and a short to choose from, where the model decides by itself. */
export function sidesOf(strategy: ModelStrategy): (candidate: Candidate) => Candidate[] {
  return (candidate) => (strategy === "hybrid" ? [candidate] : [candidate, mirrored(candidate)]);
}

/** The same trade in the other direction. */
export function mirrored(candidate: Candidate): Candidate {
  const { entry, stop, target, direction } = candidate;
  return { ...candidate, direction: direction === 1 ? -1 : 1, stop: 2 * entry - stop, target: 2 * entry - target };
}

/** Of each pair the side with the larger bet, then the higher probability; none where neither is worth it. */
function betterSides(sides: readonly Candidate[]): Candidate[] {
  const chosen: Candidate[] = [];
  for (let i = 0; i < sides.length; i += 2) {
    const [a, b] = [sides[i]!, sides[i + 1]!];
    const [p, q] = [a.prediction!, b.prediction!];
    const first = p.size > q.size || (p.size === q.size && p.probability >= q.probability);
    const better = first ? a : b;
    if (better.prediction!.size > 0) chosen.push(better);
  }
  return chosen;
}

/** The calibrated probability, and the bet it is worth. */
export function predictionOf(
  manifest: ModelManifest,
  raw: number,
  row: ArrayLike<number>,
  caution: Caution | undefined,
): Prediction {
  const probability = calibrate(manifest.calibration, raw);
  const model = manifest.id;
  if (!(probability >= 0 && probability <= 1)) return { model, probability: 0, size: 0 };
  const bet = cautiousBet(manifest, probability, row, caution?.alpha ?? manifest.alpha);
  return { model, probability, size: bet * manifest.sizeScale * (caution?.sizeFactor ?? 1) };
}

function reasonOf({ model, probability, size }: Prediction): string {
  return `model ${model}: chance of a gain ${probability.toFixed(3)}, bet ${size.toFixed(2)}`;
}
