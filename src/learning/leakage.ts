import { createHash } from "node:crypto";
import { type Dataset, sealed, valuesAt } from "./dataset.ts";
import { crossPredict, fit, joined, type OutOfSample, periodReturns, WALK_FORWARD_FOLDS } from "./evaluation.ts";
import { type Fold, groupEdges, type Spans, spanOf, walkForward } from "./folds.ts";
import type { Check } from "./gate.ts";
import type { Learner, Variant } from "./learner.ts";
import { auc, aucError } from "./scores.ts";
import { correlation, sharpeOf } from "./statistics.ts";

/**
 * The checks that find knowledge of the future where it must not be. Each is a function of what it checks, so that the
 * tests can plant leaks and see them found.
 */

import { type KlineArrays, mapColumns } from "../market/kline-rules.ts";

/**
 * Computes feature rows of bars, at places that depend on the bars' times only. `time` is the open time of the bar at
 * whose close the row is known.
 */
export type FeatureComputation = (
  bars: KlineArrays,
) => readonly { readonly time: number; readonly row: Float32Array }[];

export function barsBetween(bars: KlineArrays, from: number, to: number): KlineArrays {
  return mapColumns((name) => bars[name].slice(from, to));
}

/** a. The row at t of the bars up to t is that of all bars, bit for bit. `cuts` are numbers of bars. */
export function checkPrefix(
  compute: FeatureComputation,
  bars: KlineArrays,
  names: readonly string[],
  cuts: readonly number[],
): Check {
  return compareCuts("prefix invariance", compute, bars, names, cuts, (cut) => barsBetween(bars, 0, cut));
}

/** b. What comes after t may be anything: prices of 1e30 there change no row up to t. */
export function checkPoison(
  compute: FeatureComputation,
  bars: KlineArrays,
  names: readonly string[],
  cuts: readonly number[],
): Check {
  return compareCuts("future poison", compute, bars, names, cuts, (cut) => {
    const poisoned = barsBetween(bars, 0, bars.openTime.length);
    for (const column of [poisoned.open, poisoned.high, poisoned.low, poisoned.close, poisoned.volume]) {
      column.fill(1e30, cut);
    }
    return poisoned;
  });
}

function compareCuts(
  name: string,
  compute: FeatureComputation,
  bars: KlineArrays,
  names: readonly string[],
  cuts: readonly number[],
  altered: (cut: number) => KlineArrays,
): Check {
  const whole = new Map(compute(bars).map(({ time, row }) => [time, row]));
  let compared = 0;
  for (const cut of cuts) {
    const last = bars.openTime[cut - 1]!;
    for (const { time, row } of compute(altered(cut))) {
      if (time > last) continue;
      const other = whole.get(time);
      const place = other === undefined ? 0 : firstDifference(row, other);
      if (place < 0) {
        compared++;
        continue;
      }
      const what = names[place] ?? `value ${place}`;
      const detail = `${what} at ${new Date(time).toISOString()} is ${row[place]} with the bars up to ${new Date(last).toISOString()}, and ${other?.[place]} with all`;
      return { name, passed: false, detail };
    }
  }
  return { name, passed: compared > 0, detail: `${compared} rows at ${cuts.length} cuts are the same bits` };
}

function firstDifference(a: Float32Array, b: Float32Array): number {
  return a.findIndex((value, i) => !Object.is(value, b[i]));
}

/**
 * c. The newest row must not depend on how much history lies before it, once that is more than the warm-up.
 * @param remembers columns that are exempt, because what they count may lie any time back
 */
export function checkWarmUp(
  compute: FeatureComputation,
  bars: KlineArrays,
  names: readonly string[],
  warmUp: number,
  remembers: readonly string[] = [],
  tolerance = 1e-3,
): Check {
  const name = "warm-up";
  const n = bars.openTime.length;
  const full = compute(bars).at(-1);
  if (full === undefined || n < 2 * warmUp) {
    return { name, passed: true, detail: `not checked: ${n} bars are too few for a warm-up of ${warmUp}` };
  }
  for (const factor of [1, 2, 4]) {
    const from = n - factor * warmUp;
    if (from <= 0) break;
    const short = compute(barsBetween(bars, from, n)).at(-1);
    for (let i = 0; i < full.row.length; i++) {
      if (remembers.includes(names[i] ?? "")) continue;
      const [a, b] = [short?.row[i] ?? Number.NaN, full.row[i]!];
      if (Object.is(a, b) || (Number.isNaN(b) && Number.isNaN(a))) continue;
      const away = Math.abs(a - b);
      if (away <= tolerance * Math.max(1, Math.abs(b))) continue;
      return {
        name,
        passed: false,
        detail: `${names[i] ?? i} is ${a} with ${factor * warmUp} bars and ${b} with all ${n}`,
      };
    }
  }
  const exempt = remembers.length === 0 ? "" : `; not compared: ${remembers.join(", ")}`;
  return { name, passed: true, detail: `rows with 1, 2 and 4 times ${warmUp} bars agree to ${tolerance}${exempt}` };
}

/** d. With labels shuffled within blocks of time there is nothing left to find: whoever does, has looked. */
export function checkPermutation(
  learner: Learner,
  dataset: Dataset,
  variant: Variant,
  seed: number,
  draw: () => number,
): Check {
  const shuffled = permuted(dataset, draw);
  const found = joined(crossPredict(learner, shuffled, walkForward(shuffled, WALK_FORWARD_FOLDS), variant, seed));
  const y = valuesAt(shuffled.y, found.samples);
  const ones = y.reduce((sum, value) => sum + value, 0);
  const area = auc(found.p, y);
  const limit = 0.5 + 3 * aucError(ones, y.length - ones);
  return {
    name: "label permutation",
    passed: !(area > limit),
    detail: `AUC ${area.toFixed(3)} on permuted labels, at most ${limit.toFixed(3)} (three standard errors)`,
  };
}

const BLOCKS = 10;

/** The dataset with its outcomes shuffled within ten blocks of time. */
export function permuted(dataset: Dataset, draw: () => number): Dataset {
  const edges = groupEdges(dataset, BLOCKS);
  const places = Int32Array.from({ length: dataset.rows }, (_, i) => i);
  for (let b = 0; b < BLOCKS; b++) {
    for (let i = edges[b + 1]! - 1; i > edges[b]!; i--) {
      const j = edges[b]! + Math.floor(draw() * (i - edges[b]! + 1));
      [places[i], places[j]] = [places[j]!, places[i]!];
    }
  }
  const y = valuesAt(dataset.y, places);
  return sealed({ ...dataset, y, net: valuesAt(dataset.net, places), lagged: valuesAt(dataset.lagged, places) });
}

/** e. What is gone when the entry comes one bar later was never to be had. Only for a result above 0. */
export function checkLag(dataset: Dataset, { samples, bet }: OutOfSample): Check {
  const name = "one-bar lag";
  const measured = samples.filter((i) => !Number.isNaN(dataset.lagged[i]!)).length;
  if (measured < samples.length / 2) {
    return { name, passed: true, detail: "the outcome with a later entry was not recorded: not checked" };
  }
  const now = sharpeOf(periodReturns(dataset, dataset.net, samples, (k) => bet[k]!));
  const late = sharpeOf(periodReturns(dataset, dataset.lagged, samples, (k) => bet[k]!));
  return {
    name,
    passed: !(now > 0 && late < now / 2),
    detail: `Sharpe ${now.toFixed(3)} per period, ${late.toFixed(3)} with the entry one bar later, at least half`,
  };
}

/** f. No single column tells the label: an AUC above 0.65 or a correlation above 0.3 is an alarm. */
export function checkSingleFeatures(dataset: Dataset, maxAuc = 0.65, maxCorrelation = 0.3): Check {
  const name = "single features";
  const { columns, rows, x, y } = dataset;
  const alarms: string[] = [];
  columns.forEach((column, c) => {
    const present = Array.from({ length: rows }, (_, i) => i).filter((i) => !Number.isNaN(x[i * columns.length + c]!));
    if (present.length < MIN_PRESENT) return;
    const values = Float64Array.from(present, (i) => x[i * columns.length + c]!);
    const labels = valuesAt(y, present);
    const area = auc(values, labels);
    const ones = labels.reduce((sum, value) => sum + value, 0);
    // On few samples chance alone goes beyond the limits.
    const noise = 4 * aucError(ones, labels.length - ones);
    const stand = Math.abs(correlation(values, labels));
    if (Math.abs(area - 0.5) > Math.max(maxAuc - 0.5, noise) || stand > Math.max(maxCorrelation, 4 / Math.sqrt(rows))) {
      alarms.push(`${column} (AUC ${area.toFixed(3)}, correlation ${stand.toFixed(3)})`);
    }
  });
  return {
    name,
    passed: alarms.length === 0,
    detail: alarms.length === 0 ? `none of ${columns.length} tells the label by itself` : alarms.join(", "),
  };
}

const MIN_PRESENT = 50;

/** g. What is fitted on the training rows of a fold stays the same when all its other rows are replaced by nonsense. */
export function checkFitScope(learner: Learner, dataset: Dataset, variant: Variant, seed: number): Check {
  const folds = walkForward(dataset, WALK_FORWARD_FOLDS);
  const { train } = folds[Math.floor(folds.length / 2)]!;
  const inside = new Set(train);
  const altered = {
    ...dataset,
    x: dataset.x.slice(),
    y: dataset.y.slice(),
    net: dataset.net.slice(),
    weight: dataset.weight.slice(),
  };
  const width = dataset.columns.length;
  for (let i = 0; i < dataset.rows; i++) {
    if (inside.has(i)) continue;
    altered.x.fill(1e6, i * width, (i + 1) * width);
    altered.y[i] = 1 - altered.y[i]!;
    altered.net[i] = -altered.net[i]!;
    altered.weight[i] = 1000;
  }
  const [a, b] = [
    fingerprint(learner, dataset, train, variant, seed),
    fingerprint(learner, sealed(altered), train, variant, seed),
  ];
  return {
    name: "fit scope",
    passed: a === b,
    detail:
      a === b
        ? "model, calibration and threshold know their training rows only"
        : "rows outside of the training set changed what was fitted",
  };
}

function fingerprint(learner: Learner, dataset: Dataset, train: Int32Array, variant: Variant, seed: number): string {
  const { scorer, calibration, threshold } = fit(learner, dataset, train, variant, seed);
  return createHash("sha256")
    .update(scorer.save())
    .update(JSON.stringify([calibration, threshold]))
    .digest("hex");
}

/** h. Nothing is known before it is available: rows by their times, and joined values by when they were published. */
export function checkAsOf(dataset: Spans, available?: ArrayLike<number>): Check {
  const name = "as-of";
  for (let i = 0; i < dataset.time.length; i++) {
    const at = new Date(dataset.time[i]!).toISOString();
    if (!(dataset.labelTime[i]! > dataset.time[i]!)) {
      return { name, passed: false, detail: `the outcome of the sample of ${at} was known when it was proposed` };
    }
    if (i > 0 && dataset.time[i]! < dataset.time[i - 1]!)
      return { name, passed: false, detail: `the sample of ${at} is out of order` };
    if (available !== undefined && available[i]! > dataset.time[i]!) {
      return { name, passed: false, detail: `a value joined to the sample of ${at} became available only afterwards` };
    }
  }
  return { name, passed: true, detail: `${dataset.time.length} samples know nothing before it was available` };
}

/** No label of a training sample reaches into the time of its test samples. */
export function checkFolds(spans: Spans, folds: readonly Fold[]): Check {
  const name = "purged folds";
  for (const [k, { train, test }] of folds.entries()) {
    if (test.length === 0) continue;
    const { from, to } = spanOf(spans, test);
    const shared = train.find((i) => spans.time[i]! <= to && spans.labelTime[i]! >= from);
    if (shared === undefined) continue;
    const at = new Date(spans.time[shared]!).toISOString();
    return { name, passed: false, detail: `the training sample of ${at} overlaps the test samples of fold ${k + 1}` };
  }
  return { name, passed: true, detail: `no label is shared between training and test in ${folds.length} folds` };
}
