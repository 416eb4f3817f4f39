/**
 * The statistics that evaluation is made of. Population moments unless said otherwise; empty input gives NaN, because
 * what nobody measured is unknown.
 */

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Mean, standard deviation (n - 1), skewness and raw kurtosis (a normal distribution has 3). */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly deviation: number;
  readonly skewness: number;
  readonly kurtosis: number;
}

export function momentsOf(values: ArrayLike<number>): Moments {
  const count = values.length;
  const centre = mean(values);
  let [second, third, fourth] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const d = values[i]! - centre;
    second += d * d;
    third += d * d * d;
    fourth += d * d * d * d;
  }
  const variance = second / count;
  const deviation = Math.sqrt(second / (count - 1));
  // Values that are all the same have no shape; that of the normal distribution changes nothing further on.
  if (!(variance > 0)) return { count, mean: centre, deviation, skewness: 0, kurtosis: 3 };
  return {
    count,
    mean: centre,
    deviation,
    skewness: third / count / variance ** 1.5,
    kurtosis: fourth / count / variance ** 2,
  };
}

/** Mean by standard deviation per observation, not annualised; 0 for values that do not vary. */
export function sharpeOf(values: ArrayLike<number>): number {
  const { mean: centre, deviation } = momentsOf(values);
  return deviation > 0 ? centre / deviation : 0;
}

/**
 * The standard normal distribution function, by the expansion of W. J. Cody's erfc as Numerical Recipes gives it (erfc
 * by Chebyshev fitting, 3rd edition, 6.2.2); relative error below 1.2e-7.
 */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x / Math.SQRT2);
}

function erfc(x: number): number {
  const z = Math.abs(x);
  const t = 2 / (2 + z);
  const poly =
    -z * z -
    1.26551223 +
    t *
      (1.00002368 +
        t *
          (0.37409196 +
            t *
              (0.09678418 +
                t *
                  (-0.18628806 +
                    t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  const value = t * Math.exp(poly);
  return x >= 0 ? value : 2 - value;
}

/**
 * The inverse of the standard normal distribution function for p in (0, 1), by P. J. Acklam's rational approximation
 * (relative error 1.15e-9). @throws RangeError outside of (0, 1)
 */
export function normalInverse(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`a probability of ${p}; allowed is above 0 and below 1`);
  if (p > 0.5) return -normalInverse(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(TAIL_NUMERATOR, q) / (polynomial(TAIL_DENOMINATOR, q) * q + 1);
  }
  const q = p - 0.5;
  const r = q * q;
  return (polynomial(CENTRE_NUMERATOR, r) * q) / (polynomial(CENTRE_DENOMINATOR, r) * r + 1);
}

const CENTRE_NUMERATOR = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
  2.506628277459239,
];
const CENTRE_DENOMINATOR = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1,
];
const TAIL_NUMERATOR = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
];
const TAIL_DENOMINATOR = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];

function polynomial(coefficients: readonly number[], x: number): number {
  let value = 0;
  for (const c of coefficients) value = value * x + c;
  return value;
}

/** The value below which a share of the values lies, interpolated linearly between neighbours (Hyndman and Fan's 7). */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.ceil(place);
  return sorted[low]! + (place - low) * (sorted[high]! - sorted[low]!);
}

/** Pearson's correlation; 0 where one side does not vary. Pairs with a NaN are left out. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [n, sa, sb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    if (Number.isNaN(a[i]!) || Number.isNaN(b[i]!)) continue;
    n++;
    sa += a[i]!;
    sb += b[i]!;
  }
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    if (Number.isNaN(a[i]!) || Number.isNaN(b[i]!)) continue;
    const [x, y] = [a[i]! - sa / n, b[i]! - sb / n];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}

/**
 * Upper quantile of the chi-squared distribution by Wilson and Hilferty's (1931) cube-root approximation; within half a
 * percent for the degrees of freedom used here (9).
 */
export function chiSquaredQuantile(share: number, degrees: number): number {
  const z = normalInverse(share);
  const v = 2 / (9 * degrees);
  return degrees * (1 - v + z * Math.sqrt(v)) ** 3;
}
