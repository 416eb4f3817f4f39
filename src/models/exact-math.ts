/**
 * exp and ln from + − × ÷ alone. `Math.exp` and `Math.log` call whatever library the machine has, which decides their
 * last bits; a model must be the same model wherever, and by whichever engine, it was trained. native/trees.inc has the
 * same operations in the same order. Errors are below 2 units in the last place (tests/models/exact-math.test.ts).
 */

/** ln 2 in two parts (Cody and Waite, 1980): the first has so few digits that its product with an exponent is exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
/** Adding and subtracting 1.5 · 2^52 rounds to the nearest whole number. */
const ROUND = 6755399441055744;

/** 2^k at k + 1022, for all normal powers. */
const POWERS = new Float64Array(2046);
POWERS[1022] = 1;
for (let k = 1023; k < 2046; k++) POWERS[k] = POWERS[k - 1]! * 2;
for (let k = 1021; k >= 0; k--) POWERS[k] = POWERS[k + 1]! / 2;

/** e^x. Beyond ±708 it is that of ±708; NaN stays NaN. */
export function exp(x: number): number {
  const clamped = x > 708 ? 708 : x < -708 ? -708 : x;
  if (Number.isNaN(clamped)) return clamped;
  const k = clamped * Math.LOG2E + ROUND - ROUND;
  const r = clamped - k * LN2_HIGH - k * LN2_LOW;
  let sum = 1 / 6227020800;
  sum = sum * r + 1 / 479001600;
  sum = sum * r + 1 / 39916800;
  sum = sum * r + 1 / 3628800;
  sum = sum * r + 1 / 362880;
  sum = sum * r + 1 / 40320;
  sum = sum * r + 1 / 5040;
  sum = sum * r + 1 / 720;
  sum = sum * r + 1 / 120;
  sum = sum * r + 1 / 24;
  sum = sum * r + 1 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1;
  sum = sum * r + 1;
  return sum * POWERS[k + 1022]!;
}

/** ln x for a positive normal number; NaN otherwise. */
export function ln(x: number): number {
  if (!(x >= POWERS[0]! && x <= Number.MAX_VALUE)) return Number.NaN;
  // The largest power of two that is at most x, by bisection of its exponent.
  let exponent = 0;
  let above = 2045;
  while (exponent < above) {
    const middle = (exponent + above + 1) >> 1;
    if (POWERS[middle]! <= x) exponent = middle;
    else above = middle - 1;
  }
  let mantissa = x / POWERS[exponent]!;
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  // ln m = 2 artanh((m - 1) / (m + 1)), whose argument is below 0.172.
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 1 / 23;
  for (let odd = 21; odd >= 3; odd -= 2) sum = sum * square + 1 / odd;
  const k = exponent - 1022;
  return k * LN2_HIGH + (2 * s + (2 * s * square * sum + k * LN2_LOW));
}

/** 1 / (1 + e^-x), the logistic function. */
export function logistic(x: number): number {
  return 1 / (1 + exp(0 - x));
}
