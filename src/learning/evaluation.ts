import { Random } from "../market/random.ts";
import { type Calibration, calibrate, fitCalibration } from "./calibration.ts";
import { type Conformal, conformalOf, predictionSet } from "./conformal.ts";
import { type Dataset, rowsAt, valuesAt } from "./dataset.ts";
import { type Domain, dissimilarity, domainOf } from "./drift.ts";
import {
  combinatorialFolds,
  combinatorialPaths,
  embargoOf,
  type Fold,
  groupEdges,
  purge,
  spanOf,
  walkForward,
} from "./folds.ts";
import type { Learner, Scorer, Variant } from "./learner.ts";
import { logLoss } from "./scores.ts";
import { normalCdf } from "./statistics.ts";

/** A model with what makes its scores probabilities and its probabilities decisions. */
export interface Fitted {
  readonly scorer: Scorer;
  readonly calibration: Calibration;
  /** Probability above which a trade is worth its costs on average. */
  readonly threshold: number;
  /** Places of the samples that stopped the fit and calibrated it. */
  readonly validation: Int32Array;
  readonly conformal: Conformal;
  readonly alpha: number;
  readonly domain: Domain;
}

/** Share of outcomes that may lie outside of their sets. */
export const ALPHA = 0.1;

/** Share of the training samples, the newest, that stops the fit and calibrates it. */
const VALIDATION_SHARE = 0.25;
/** Keeps what the domain draws apart from every other draw of a seed. */
const DOMAIN_STREAM = 2;

/**
 * Fits a model to the rows `train`, which are in order of time: on the older ones, with the newest quarter, purged from
 * them, for early stopping and calibration. Reads nothing but these rows.
 */
export function fit(learner: Learner, dataset: Dataset, train: Int32Array, variant: Variant, seed: number): Fitted {
  const cut = Math.floor(train.length * (1 - VALIDATION_SHARE));
  const validation = train.subarray(cut);
  const { from, to } = spanOf(dataset, validation);
  const older = purge(dataset, train.subarray(0, cut), from, to, 0);
  const scorer = learner.fit(dataset, older, validation, variant, seed);
  const raw = scorer.score(rowsAt(dataset, validation), validation.length);
  const calibration = fitCalibration(raw, valuesAt(dataset.y, validation), logLoss);
  const y = valuesAt(dataset.y, validation);
  const random = new Random(seed, DOMAIN_STREAM);
  let domain: Domain | undefined;
  return {
    scorer,
    calibration,
    threshold: breakEven(valuesAt(dataset.net, older)),
    validation,
    conformal: conformalOf(
      raw.map((p) => calibrate(calibration, p)),
      y,
    ),
    alpha: ALPHA,
    // Most fits of an evaluation never bet, and need none.
    get domain() {
      domain ??= domainOf(rowsAt(dataset, train), dataset.columns.length, (below) => random.whole(0, below - 1));
      return domain;
    },
  };
}

/**
 * The win rate at which neither side gains: mean loss / (mean gain + mean loss), of the training samples. Within 0.05 and
 * 0.95, where one side was never seen.
 */
export function breakEven(net: ArrayLike<number>): number {
  let [gain, gains, loss, losses] = [0, 0, 0, 0];
  for (let i = 0; i < net.length; i++) {
    if (net[i]! > 0) {
      gain += net[i]!;
      gains++;
    } else {
      loss -= net[i]!;
      losses++;
    }
  }
  const [meanGain, meanLoss] = [gains > 0 ? gain / gains : 0, losses > 0 ? loss / losses : 0];
  const share = meanLoss / (meanGain + meanLoss);
  return share < 0.05 ? 0.05 : share > 0.95 ? 0.95 : Number.isNaN(share) ? 0.5 : share;
}

export function predict(
  { scorer, calibration }: Pick<Fitted, "scorer" | "calibration">,
  x: Float32Array,
  rows: number,
) {
  return scorer.score(x, rows).map((p) => calibrate(calibration, p));
}

/**
 * Size of a bet by the chance that it wins (López de Prado 2018, chapter 10): 2Φ(z) − 1 with
 * z = (p − threshold) / √(p(1 − p)), in steps of a tenth; 0 where the trade is not worth its costs.
 */
export function betSize(p: number, threshold: number): number {
  if (!(p > threshold)) return 0;
  const size = p >= 1 ? 1 : 2 * normalCdf((p - threshold) / Math.sqrt(p * (1 - p))) - 1;
  const steps = Math.ceil(size * 10) / 10;
  return steps > 1 ? 1 : steps;
}

/** Bets whose outcome the conformal set leaves open get this share. */
const OPEN_SHARE = 0.5;

/**
 * The bet that a model makes on a row, when it decides and when it is evaluated: nothing for a row unlike the training
 * data or an outcome that the conformal set rules out, half where it leaves both open.
 */
export function cautiousBet(
  { threshold, conformal, domain }: Pick<Fitted, "threshold" | "conformal" | "domain">,
  p: number,
  row: ArrayLike<number>,
  alpha: number,
): number {
  const bet = betSize(p, threshold);
  if (bet === 0) return 0;
  const set = predictionSet(conformal, p, alpha);
  if (!set.gain || dissimilarity(domain, row) > domain.limit) return 0;
  return set.loss ? bet * OPEN_SHARE : bet;
}

/** What was predicted for samples that the model had not seen. */
export interface OutOfSample {
  /** Places of the samples, rising. */
  readonly samples: Int32Array;
  readonly p: Float64Array;
  /** Bet per sample, 0 to 1. */
  readonly bet: Float64Array;
}

/** Fits and predicts every fold; each sample is predicted by a model that knew nothing of its time. */
export function crossPredict(
  learner: Learner,
  dataset: Dataset,
  folds: readonly Fold[],
  variant: Variant,
  seed: number,
): OutOfSample[] {
  return folds.map(({ train, test }) => {
    const fitted = fit(learner, dataset, train, variant, seed);
    const x = rowsAt(dataset, test);
    const width = dataset.columns.length;
    const p = predict(fitted, x, test.length);
    const bet = p.map((each, k) => cautiousBet(fitted, each, x.subarray(k * width, (k + 1) * width), fitted.alpha));
    return { samples: test, p, bet };
  });
}

export function joined(parts: readonly OutOfSample[]): OutOfSample {
  const flat = (pick: (part: OutOfSample) => ArrayLike<number>) => parts.flatMap((part) => Array.from(pick(part)));
  return {
    samples: Int32Array.from(flat(({ samples }) => samples)),
    p: Float64Array.from(flat(({ p }) => p)),
    bet: Float64Array.from(flat(({ bet }) => bet)),
  };
}

/** Length of the periods whose returns are compared, ms. */
export const PERIOD = 4 * 3_600_000;
/** For people: Sharpe ratios are shown per year. */
export const PERIODS_PER_YEAR = (365 * 24 * 3_600_000) / PERIOD;

/**
 * Returns per period of trading these samples with these bets, each booked when its outcome was known, over the whole
 * span (by default that of the samples): periods without a trade count as zero.
 */
export function periodReturns(
  dataset: Pick<Dataset, "time" | "labelTime">,
  net: ArrayLike<number>,
  samples: ArrayLike<number>,
  bet: (k: number) => number,
  { from, to }: { readonly from: number; readonly to: number } = spanOf(dataset, samples),
): Float64Array {
  const first = Math.floor(from / PERIOD);
  const returns = new Float64Array(to >= from ? Math.floor(to / PERIOD) - first + 1 : 0);
  for (let k = 0; k < samples.length; k++) {
    const i = samples[k]!;
    const result = net[i]!;
    // What nobody measured was not traded.
    if (!Number.isNaN(result)) returns[Math.floor(dataset.labelTime[i]! / PERIOD) - first]! += bet(k) * result;
  }
  return returns;
}

export const WALK_FORWARD_FOLDS = 5;
const CPCV_GROUPS = 6;
const CPCV_TESTED = 2;

export function walkForwardPredictions(
  learner: Learner,
  dataset: Dataset,
  variant: Variant,
  seed: number,
): OutOfSample {
  return joined(crossPredict(learner, dataset, walkForward(dataset, WALK_FORWARD_FOLDS), variant, seed));
}

/** Returns per period of each of the five paths of combinatorial purged cross-validation with 6 groups, 2 of them tested. */
export function combinatorialReturns(
  learner: Learner,
  dataset: Dataset,
  variant: Variant,
  seed: number,
  onFold: () => void = () => {},
): Float64Array[] {
  const embargo = embargoOf(dataset);
  const folds = combinatorialFolds(dataset, CPCV_GROUPS, CPCV_TESTED, embargo);
  const edges = groupEdges(dataset, CPCV_GROUPS);
  const predictions = folds.map(({ fold }) => {
    onFold();
    const bets = new Map<number, number>();
    // A split that leaves nothing to learn from trades nothing.
    if (fold.train.length < MIN_FOLD) return bets;
    const [{ samples, bet }] = crossPredict(learner, dataset, [fold], variant, seed) as [OutOfSample];
    for (const [k, i] of samples.entries()) bets.set(i, bet[k]!);
    return bets;
  });
  const all = Int32Array.from({ length: dataset.rows }, (_, i) => i);
  return combinatorialPaths(folds, CPCV_GROUPS).map((path) => {
    const bets = new Float64Array(dataset.rows);
    path.forEach((place, g) => {
      for (let i = edges[g]!; i < edges[g + 1]!; i++) bets[i] = predictions[place]!.get(i) ?? 0;
    });
    return periodReturns(dataset, dataset.net, all, (i) => bets[i]!);
  });
}

const MIN_FOLD = 20;
