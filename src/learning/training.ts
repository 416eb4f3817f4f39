import { createHash } from "node:crypto";
import { Random } from "../market/random.ts";
import { calibrate } from "./calibration.ts";
import { conformalOf } from "./conformal.ts";
import { type Dataset, rowsAt, valuesAt } from "./dataset.ts";
import { referenceOf } from "./drift.ts";
import {
  ALPHA,
  cautiousBet,
  combinatorialReturns,
  fit,
  type OutOfSample,
  PERIODS_PER_YEAR,
  periodReturns,
  predict,
  WALK_FORWARD_FOLDS,
  walkForwardPredictions,
} from "./evaluation.ts";
import { spanOf, walkForward } from "./folds.ts";
import { type Check, type GateLimits, judgeModel } from "./gate.ts";
import type { ServedModel } from "./judge.ts";
import { checkAsOf, checkFitScope, checkFolds, checkLag, checkPermutation, checkSingleFeatures } from "./leakage.ts";
import type { Learner, Variant } from "./learner.ts";
import type { Trial, TrialLedger } from "./ledger.ts";
import { artefactFile, hashModel, type ModelManifest, type ModelMetrics, type ModelStrategy } from "./manifest.ts";
import { deflatedSharpe, overfitting } from "./overfitting.ts";
import {
  auc,
  brier,
  calibrationError,
  calibrationNoise,
  logLoss,
  lossOf,
  type ReliabilityBin,
  reliability,
} from "./scores.ts";
import { momentsOf, quantile, sharpeOf } from "./statistics.ts";

export interface TrainingTask {
  readonly strategy: ModelStrategy;
  readonly dataset: Dataset;
  /** What ict would have traded on the same bars, and the confidence from which on it trades. */
  readonly ict: Dataset;
  readonly minConfidence: number;
  /** Of the bars that the samples come from. */
  readonly dataHash: string;
  readonly learner: Learner;
  readonly seed: number;
  readonly limits: GateLimits;
  readonly ledger: TrialLedger;
  readonly champion: ServedModel | undefined;
  /** Checks of how the features were computed, which need the bars. */
  readonly featureChecks: readonly Check[];
  /** ms UTC: goes into the manifest and decides nothing. */
  readonly now: number;
  readonly onProgress?: (what: string, share: number) => void;
  /** Keeps what is finished, so that a training that was cut off goes on there. */
  readonly checkpoint?: Checkpoint;
}

/** Finished pieces of a training by name, JSON. */
export interface Checkpoint {
  get(name: string): unknown;
  put(name: string, value: unknown): void;
}

export interface TrainingResult {
  readonly manifest: ModelManifest;
  readonly artefact: Uint8Array;
  readonly details: TrainingDetails;
}

/** What people look at. */
export interface TrainingDetails {
  readonly reliability: readonly ReliabilityBin[];
  readonly curve: readonly { readonly train: number; readonly validation: number }[];
  /** Increase of the log loss out of sample when the column is shuffled, the largest first. */
  readonly importance: readonly { readonly column: string; readonly loss: number }[];
  /** Per year, of the paths of combinatorial cross-validation. */
  readonly paths: readonly number[];
  /** Sums of returns over the same periods: out of sample, walking forward. */
  readonly equity: readonly EquityLine[];
  readonly variants: readonly { readonly name: string; readonly auc: number; readonly sharpe: number }[];
  /** Per year, on the same bars. */
  readonly sharpes: { readonly model: number; readonly ict: number; readonly champion: number | undefined };
  readonly deflatedSharpeRun: number;
  readonly coverage: number;
  readonly trades: number;
  readonly from: number;
  readonly to: number;
}

export interface EquityLine {
  readonly name: string;
  readonly values: readonly number[];
}

const YEAR = Math.sqrt(PERIODS_PER_YEAR);

/**
 * Trains, evaluates and judges. Every variant is walked forward and counted in the ledger; the best by its Sharpe ratio
 * after costs is cross-validated, checked for leaks and fitted to everything. Deterministic in its arguments, but for
 * what the ledger holds.
 */
export function train(task: TrainingTask): TrainingResult {
  const { dataset, learner, seed, ledger, onProgress = () => {}, checkpoint } = task;
  const steps = learner.variants.length * WALK_FORWARD_FOLDS + 15 + WALK_FORWARD_FOLDS + 3;
  let done = 0;
  const advance = (by: number) => {
    done += by;
    onProgress("training", done / steps);
  };

  // Every variant, walking forward.
  const tried = learner.variants.map((variant) => {
    const found = resumed(checkpoint, `variant ${variant.name}`, () =>
      walkForwardPredictions(learner, dataset, variant, seed),
    );
    advance(WALK_FORWARD_FOLDS);
    return { variant, found };
  });
  const { samples } = tried[0]!.found;
  const span = spanOf(dataset, samples);
  const returnsOf = ({ bet }: OutOfSample) => periodReturns(dataset, dataset.net, samples, (k) => bet[k]!, span);
  const series = tried.map(({ found }) => returnsOf(found));
  const trials = tried.map(({ variant }, i): Trial => trialOf(task, variant, series[i]!));
  record(ledger, trials);

  // Who is chosen, and against whom.
  const sharpes = series.map(sharpeOf);
  const best = sharpes.indexOf(Math.max(...sharpes));
  const { variant, found } = tried[best]!;
  const returns = series[best]!;
  const rules = ruleReturns(task, span);
  const champion = task.champion && championReturns(task.champion, dataset, samples, span);

  // Out of sample.
  const y = valuesAt(dataset.y, samples);
  const bins = reliability(found.p, y);
  const baseRate = y.reduce((sum, value) => sum + value, 0) / y.length;
  const ledgerSharpes = ledger.trials.map(({ sharpe }) => sharpe);
  const pbo = overfittingOf([...rules.map(({ returns }) => returns), ...series]);
  const paths = resumed(checkpoint, "paths", () =>
    combinatorialReturns(learner, dataset, variant, seed, () => advance(1)).map(sharpeOf),
  );

  const leakage = [
    ...task.featureChecks,
    checkAsOf(dataset),
    checkFolds(dataset, walkForward(dataset, WALK_FORWARD_FOLDS)),
    checkSingleFeatures(dataset),
    checkLag(dataset, found),
    checkFitScope(learner, dataset, variant, seed),
    checkPermutation(learner, dataset, variant, seed, drawFrom(seed, 1)),
  ];
  advance(WALK_FORWARD_FOLDS + 2);

  const metrics: ModelMetrics = {
    auc: auc(found.p, y),
    logloss: logLoss(found.p, y),
    brier: brier(found.p, y),
    ece: calibrationError(bins),
    walkForwardSharpe: sharpes[best]! * YEAR,
    deflatedSharpe: deflatedSharpe(returns, ledgerSharpes),
    pbo,
    trials: ledgerSharpes.length,
  };
  const trades = found.bet.filter((bet) => bet > 0).length;
  const [ict] = rules as [Rule];
  const deflatedSharpeRun = deflatedSharpe(returns, sharpes);
  const gate = judgeModel(
    {
      ...metrics,
      samples: dataset.rows,
      trades,
      baseBrier: baseRate * (1 - baseRate),
      eceNoise: calibrationNoise(bins),
      sharpe: sharpes[best]!,
      ictSharpe: sharpeOf(ict.returns),
      championSharpe: champion && sharpeOf(champion),
      deflatedSharpeRun,
      leakage,
    },
    task.limits,
  );

  const all = Int32Array.from({ length: dataset.rows }, (_, i) => i);
  const fitted = fit(learner, dataset, all, variant, seed);
  advance(1);
  const artefact = fitted.scorer.save();
  const losses = Float64Array.from(found.p, (p, k) => lossOf(p, y[k]!));
  const loss = momentsOf(losses);
  const content = {
    kind: learner.kind,
    strategy: task.strategy,
    passed: gate.every(({ passed }) => passed),
    columns: dataset.columns,
    calibration: fitted.calibration,
    threshold: fitted.threshold,
    sizeScale: quantile(paths, 0.05) > 0 ? 1 : 0.5,
    conformal: fitted.conformal,
    alpha: fitted.alpha,
    domain: fitted.domain,
    artefact: { file: artefactFile(learner.kind), sha256: createHash("sha256").update(artefact).digest("hex") },
  };
  const modelHash = hashModel(content);
  const whole = spanOf(dataset, all);
  const manifest: ModelManifest = {
    id: modelHash.slice(0, 12),
    modelHash,
    createdAt: task.now,
    parent: task.champion?.manifest.id,
    variant: variant.name,
    parameters: variant.parameters,
    seed,
    dataHash: task.dataHash,
    datasetHash: dataset.hash,
    samples: dataset.rows,
    trainedFrom: whole.from,
    trainedTo: whole.to,
    metrics,
    gate,
    leakage,
    reference: dataset.columns.map((_, c) => referenceOf(column(dataset.x, dataset.columns.length, c))),
    loss: { mean: loss.mean, deviation: loss.deviation },
    ledgerHash: ledger.hash,
    ...content,
  };
  const lines = [
    { name: "model", returns },
    ...rules.slice(0, 1),
    ...(champion === undefined ? [] : [{ name: "champion", returns: champion }]),
  ];
  return {
    manifest,
    artefact,
    details: {
      reliability: bins,
      curve: fitted.scorer.curve,
      importance: importanceOf(task, variant),
      paths: paths.map((sharpe) => sharpe * YEAR),
      equity: lines.map(({ name, returns: own }) => ({ name, values: running(own) })),
      variants: tried.map((each, i) => ({
        name: each.variant.name,
        auc: auc(each.found.p, y),
        sharpe: sharpes[i]! * YEAR,
      })),
      sharpes: {
        model: sharpes[best]! * YEAR,
        ict: sharpeOf(ict.returns) * YEAR,
        champion: champion && sharpeOf(champion) * YEAR,
      },
      deflatedSharpeRun,
      coverage: coverageOf(found, y),
      trades,
      from: span.from,
      to: span.to,
    },
  };
}

/** Fewest samples that can be cut into the groups of the evaluation at all. */
export const FEWEST_SAMPLES = 60;

function resumed<Value>(checkpoint: Checkpoint | undefined, name: string, work: () => Value): Value {
  const kept = checkpoint?.get(name);
  if (kept !== undefined) return revived(kept) as Value;
  const value = work();
  checkpoint?.put(name, value);
  return value;
}

/** Typed arrays become objects with numbered keys in JSON; predictions are the only ones kept. */
function revived(value: unknown): unknown {
  if (Array.isArray(value) || typeof value !== "object" || value === null) return value;
  const { samples, p, bet } = value as Record<string, Record<string, number>>;
  return {
    samples: Int32Array.from(Object.values(samples ?? {})),
    p: Float64Array.from(Object.values(p ?? {})),
    bet: Float64Array.from(Object.values(bet ?? {})),
  };
}

interface Rule {
  readonly name: string;
  readonly returns: Float64Array;
}

/** What could have been done without a model over the same time; ict first. They are chosen among like any variant. */
function ruleReturns({ ict, minConfidence, dataset }: TrainingTask, span: { from: number; to: number }): Rule[] {
  const within = (data: Dataset) =>
    Int32Array.from({ length: data.rows }, (_, i) => i).filter(
      (i) => data.time[i]! >= span.from && data.labelTime[i]! <= span.to,
    );
  const traded = (name: string, data: Dataset, takes: (i: number) => boolean): Rule => {
    const samples = within(data).filter(takes);
    return { name, returns: periodReturns(data, data.net, samples, () => 1, span) };
  };
  return [
    traded("ict", ict, (i) => ict.confidence[i]! >= minConfidence),
    traded("no trade", dataset, () => false),
    traded("all", dataset, () => true),
    traded("longs", dataset, (i) => dataset.direction[i] === 1),
    traded("shorts", dataset, (i) => dataset.direction[i] === -1),
  ];
}

function championReturns(
  { manifest, score }: ServedModel,
  dataset: Dataset,
  samples: Int32Array,
  span: { from: number; to: number },
): Float64Array {
  const x = rowsAt(dataset, samples);
  const width = dataset.columns.length;
  const p = score(x, samples.length).map((raw) => calibrate(manifest.calibration, raw));
  const bet = (k: number) => cautiousBet(manifest, p[k]!, x.subarray(k * width, (k + 1) * width), manifest.alpha);
  return periodReturns(dataset, dataset.net, samples, bet, span);
}

/** Blocks of the combinatorially symmetric cross-validation: 252 splits. */
const BLOCKS = 10;

/** 1 where there are too few periods to say: nothing was shown. */
function overfittingOf(series: readonly Float64Array[]): number {
  return (series[0]?.length ?? 0) < 2 * BLOCKS ? 1 : overfitting(series, BLOCKS).probability;
}

function trialOf(task: TrainingTask, { name, parameters }: Variant, returns: Float64Array): Trial {
  const { strategy, learner, seed, dataset, now } = task;
  return {
    at: now,
    kind: `${strategy} ${learner.kind}`,
    variant: name,
    parameters,
    seed,
    dataHash: dataset.hash,
    sharpe: sharpeOf(returns),
    periods: returns.length,
  };
}

/** The same attempt made again, with the same data and seed, is no new attempt: it could not have come out otherwise. */
function record(ledger: TrialLedger, trials: readonly Trial[]): void {
  const key = ({ kind, variant, parameters, seed, dataHash }: Trial) =>
    JSON.stringify([kind, variant, parameters, seed, dataHash]);
  const known = new Set(ledger.trials.map(key));
  ledger.append(trials.filter((trial) => !known.has(key(trial))));
}

/** Of the newest fold of the walk-forward: a model that has not seen the rows is asked with one column shuffled. */
function importanceOf({ learner, dataset, seed }: TrainingTask, variant: Variant): TrainingDetails["importance"] {
  const fold = walkForward(dataset, WALK_FORWARD_FOLDS).at(-1)!;
  const fitted = fit(learner, dataset, fold.train, variant, seed);
  const n = fold.test.length;
  const width = dataset.columns.length;
  const x = rowsAt(dataset, fold.test);
  const y = valuesAt(dataset.y, fold.test);
  const before = logLoss(predict(fitted, x, n), y);
  const take = wholeFrom(seed, 3);
  return dataset.columns
    .map((name, c) => {
      const shuffled = x.slice();
      for (let i = n - 1; i > 0; i--) {
        const j = take(i + 1);
        const value = shuffled[i * width + c]!;
        shuffled[i * width + c] = shuffled[j * width + c]!;
        shuffled[j * width + c] = value;
      }
      return { column: name, loss: logLoss(predict(fitted, shuffled, n), y) - before };
    })
    .sort((a, b) => b.loss - a.loss);
}

/** Share of the outcomes within their sets when the first half calibrates and the second is looked at. */
function coverageOf({ p }: OutOfSample, y: Float64Array): number {
  const half = p.length >> 1;
  const conformal = conformalOf(p.subarray(0, half), y.subarray(0, half));
  let covered = 0;
  const place = Math.ceil((conformal.scores.length + 1) * (1 - ALPHA));
  const limit = conformal.scores[place - 1] ?? Number.POSITIVE_INFINITY;
  for (let k = half; k < p.length; k++) if ((y[k] === 1 ? 1 - p[k]! : p[k]!) <= limit) covered++;
  return covered / (p.length - half);
}

function running(returns: Float64Array): number[] {
  let sum = 0;
  return Array.from(returns, (value) => {
    sum += value;
    return Number(sum.toPrecision(9));
  });
}

function column(x: Float32Array, width: number, c: number): Float32Array {
  return Float32Array.from({ length: x.length / width }, (_, i) => x[i * width + c]!);
}

function drawFrom(seed: number, stream: number): () => number {
  const random = new Random(seed, stream);
  return () => random.uniform();
}

function wholeFrom(seed: number, stream: number): (below: number) => number {
  const random = new Random(seed, stream);
  return (below) => random.whole(0, below - 1);
}
