import { chiSquaredQuantile, momentsOf, quantile } from "./statistics.ts";

/** Bins of the training data, by its quantiles, and what share of it lies in each; missing values have their own. */
export interface Reference {
  /** Inner edges, rising. */
  readonly edges: readonly number[];
  /** One more than edges, and the last for missing values. */
  readonly shares: readonly number[];
  readonly count: number;
}

const BINS = 10;
const FLOOR = 1e-4;

export function referenceOf(values: ArrayLike<number>): Reference {
  const present = Float64Array.from(values).filter((value) => !Number.isNaN(value));
  const edges: number[] = [];
  if (present.length > 0) {
    for (let b = 1; b < BINS; b++) {
      const edge = quantile(present, b / BINS);
      if (edges.length === 0 || edge > edges.at(-1)!) edges.push(edge);
    }
  }
  return { edges, shares: sharesOf(edges, values), count: values.length };
}

function sharesOf(edges: readonly number[], values: ArrayLike<number>): number[] {
  const counts = new Array<number>(edges.length + 2).fill(0);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    let bin = edges.length + 1;
    if (!Number.isNaN(value)) {
      bin = 0;
      while (bin < edges.length && value >= edges[bin]!) bin++;
    }
    counts[bin]! += 1;
  }
  return counts.map((count) => count / values.length);
}

export interface Stability {
  readonly psi: number;
  /** What chance alone reaches once in twenty times at these sizes: χ²₀.₉₅(bins − 1)·(1/n + 1/m) (Yurdakul 2018). */
  readonly limit: number;
}

/** Population stability index Σ (q − p)·ln(q/p) of values against the training data; shares are at least 1e-4. */
export function stabilityIndex(reference: Reference, values: ArrayLike<number>): Stability {
  const now = sharesOf(reference.edges, values);
  let [psi, used] = [0, 0];
  reference.shares.forEach((share, bin) => {
    if (share === 0 && now[bin] === 0) return;
    used++;
    const [p, q] = [share > FLOOR ? share : FLOOR, now[bin]! > FLOOR ? now[bin]! : FLOOR];
    psi += (q - p) * Math.log(q / p);
  });
  const degrees = used > 1 ? used - 1 : 1;
  return { psi, limit: chiSquaredQuantile(0.95, degrees) * (1 / reference.count + 1 / values.length) };
}

/**
 * ADWIN (Bifet and Gavaldà 2007): a window that is cut where its older and newer part differ by more than
 * √(2/m · σ² · ln(2/δ')) + 2/(3m) · ln(2/δ'), 1/m = 1/n₀ + 1/n₁, δ' = δ / ln n. Values within 0 and 1. Buckets of powers
 * of two keep the window in logarithmic memory.
 */
export class Adwin {
  readonly #delta: number;
  /** Rows of buckets of 1, 2, 4, … values, newest last: sum and sum of squared deviations of each. */
  readonly #rows: { sum: number; variance: number }[][] = [[]];
  #count = 0;
  #sum = 0;
  #variance = 0;

  constructor(delta = 0.002) {
    this.#delta = delta;
  }

  get count(): number {
    return this.#count;
  }

  get mean(): number {
    return this.#count === 0 ? Number.NaN : this.#sum / this.#count;
  }

  /** Takes in a value; true when the window was cut, which says that the mean has changed. */
  add(value: number): boolean {
    if (this.#count > 0) {
      const d = value - this.#sum / this.#count;
      this.#variance += (d * d * this.#count) / (this.#count + 1);
    }
    this.#rows[0]!.push({ sum: value, variance: 0 });
    this.#count++;
    this.#sum += value;
    this.#compress();
    let cut = false;
    while (this.#count > MIN_WINDOW && this.#differs()) {
      this.#dropOldest();
      cut = true;
    }
    return cut;
  }

  #compress(): void {
    for (let level = 0; level < this.#rows.length; level++) {
      const row = this.#rows[level]!;
      if (row.length <= MAX_BUCKETS) return;
      const [a, b] = row.splice(0, 2) as [{ sum: number; variance: number }, { sum: number; variance: number }];
      const n = 2 ** level;
      const d = a.sum / n - b.sum / n;
      this.#rows[level + 1] ??= [];
      this.#rows[level + 1]!.push({ sum: a.sum + b.sum, variance: a.variance + b.variance + (d * d * n) / 2 });
    }
  }

  #differs(): boolean {
    const confidence = Math.log((2 * Math.log(this.#count)) / this.#delta);
    const variance = this.#variance / this.#count;
    let [n0, sum0] = [0, 0];
    for (let level = this.#rows.length - 1; level >= 0; level--) {
      for (const bucket of this.#rows[level]!) {
        n0 += 2 ** level;
        sum0 += bucket.sum;
        const n1 = this.#count - n0;
        if (n1 < MIN_PART) return false;
        if (n0 < MIN_PART) continue;
        const inverse = 1 / n0 + 1 / n1;
        const bound = Math.sqrt(2 * inverse * variance * confidence) + (2 / 3) * inverse * confidence;
        if (Math.abs(sum0 / n0 - (this.#sum - sum0) / n1) > bound) return true;
      }
    }
    return false;
  }

  #dropOldest(): void {
    const level = this.#rows.length - 1;
    const bucket = this.#rows[level]!.shift()!;
    const n = 2 ** level;
    this.#count -= n;
    this.#sum -= bucket.sum;
    const d = bucket.sum / n - this.#sum / this.#count;
    this.#variance -= bucket.variance + (d * d * n * this.#count) / (n + this.#count);
    if (this.#variance < 0) this.#variance = 0;
    while (this.#rows.length > 1 && this.#rows.at(-1)!.length === 0) this.#rows.pop();
  }
}

const MAX_BUCKETS = 5;
const MIN_WINDOW = 32;
const MIN_PART = 5;

/**
 * Page's cumulative test in both directions (Page 1954; defaults as in river): alarm when the sum of (x − mean − δ) rises
 * more than λ above its lowest point, or falls as far. δ and λ are in units of the training loss's standard deviation.
 */
export class PageHinkley {
  readonly #delta: number;
  readonly #lambda: number;
  #count = 0;
  #mean = 0;
  #up = 0;
  #upLow = 0;
  #down = 0;
  #downHigh = 0;

  constructor(deviation: number, delta = 0.005, lambda = 50) {
    this.#delta = delta * deviation;
    this.#lambda = lambda * deviation;
  }

  /** Takes in a loss; true when its mean has moved. It then begins anew. */
  add(value: number): boolean {
    this.#count++;
    this.#mean += (value - this.#mean) / this.#count;
    this.#up += value - this.#mean - this.#delta;
    this.#down += value - this.#mean + this.#delta;
    if (this.#up < this.#upLow) this.#upLow = this.#up;
    if (this.#down > this.#downHigh) this.#downHigh = this.#down;
    if (this.#count < MIN_COUNT) return false;
    if (this.#up - this.#upLow <= this.#lambda && this.#downHigh - this.#down <= this.#lambda) return false;
    this.#count = 0;
    this.#mean = 0;
    this.#up = 0;
    this.#upLow = 0;
    this.#down = 0;
    this.#downHigh = 0;
    return true;
  }
}

const MIN_COUNT = 30;

/** Points of the training data that stand for it, scaled by its columns' means and deviations. */
export interface Domain {
  readonly centre: readonly number[];
  readonly scale: readonly number[];
  readonly points: readonly (readonly number[])[];
  /** Mean distance of the points from each other. */
  readonly spread: number;
  /** 99th percentile of the index of each point among the others: beyond it a row is unlike the training data. */
  readonly limit: number;
}

/** Points kept of the training data. A row is compared with all of them. */
const DOMAIN_POINTS = 256;

/** @param take chooses a whole number below its argument */
export function domainOf(x: Float32Array, columns: number, take: (below: number) => number): Domain {
  const rows = x.length / columns;
  const centre: number[] = [];
  const scale: number[] = [];
  for (let c = 0; c < columns; c++) {
    const values: number[] = [];
    for (let i = 0; i < rows; i++) if (!Number.isNaN(x[i * columns + c]!)) values.push(x[i * columns + c]!);
    const { mean, deviation } = momentsOf(values);
    centre.push(values.length === 0 ? 0 : mean);
    scale.push(deviation > 0 ? deviation : 1);
  }
  const places = new Set<number>();
  const wanted = Math.min(DOMAIN_POINTS, rows);
  while (places.size < wanted) places.add(take(rows));
  const points = [...places]
    .sort((a, b) => a - b)
    .map((i) => scaled(x.subarray(i * columns, (i + 1) * columns), centre, scale));
  let [sum, pairs] = [0, 0];
  const nearest = new Array<number>(points.length).fill(Number.POSITIVE_INFINITY);
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const d = distance(points[i]!, points[j]!);
      sum += d;
      pairs++;
      if (d < nearest[i]!) nearest[i] = d;
      if (d < nearest[j]!) nearest[j] = d;
    }
  }
  const spread = pairs > 0 && sum > 0 ? sum / pairs : 1;
  const indices = nearest.filter(Number.isFinite).map((d) => d / spread);
  return { centre, scale, points, spread, limit: indices.length > 0 ? quantile(indices, 0.99) : 1 };
}

/** Dissimilarity index: distance to the nearest training point by the mean distance among them (as FreqAI has it). */
export function dissimilarity(domain: Domain, row: ArrayLike<number>): number {
  const own = scaled(row, domain.centre, domain.scale);
  let nearest = Number.POSITIVE_INFINITY;
  for (const point of domain.points) {
    const d = distance(own, point);
    if (d < nearest) nearest = d;
  }
  return nearest / domain.spread;
}

/** A missing value lies in the middle: that it is missing is for the model to judge. */
function scaled(row: ArrayLike<number>, centre: readonly number[], scale: readonly number[]): number[] {
  return centre.map((c, i) => {
    const value = (row[i]! - c) / scale[i]!;
    return Number.isNaN(value) ? 0 : Number(value.toPrecision(6));
  });
}

function distance(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const d = a[i]! - b[i]!;
    sum += d * d;
  }
  return Math.sqrt(sum);
}
