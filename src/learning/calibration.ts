/** Turns raw scores into probabilities. Plain data, because it travels in the model's manifest. */
export type Calibration =
  | { readonly kind: "none" }
  /** p = 1 / (1 + exp(a·logit + b)) of the raw probability's logit (Platt 1999). */
  | { readonly kind: "platt"; readonly a: number; readonly b: number }
  /** Steps that never fall (Zadrozny and Elkan 2002): value[i] from bound[i] on, linear in between. */
  | { readonly kind: "isotonic"; readonly bounds: readonly number[]; readonly values: readonly number[] };

const EDGE = 1e-6;

export function calibrate(calibration: Calibration, p: number): number {
  switch (calibration.kind) {
    case "none":
      return p;
    case "platt":
      return 1 / (1 + Math.exp(calibration.a * logit(p) + calibration.b));
    case "isotonic":
      return interpolate(calibration.bounds, calibration.values, p);
    default:
      return calibration satisfies never;
  }
}

function logit(p: number): number {
  const inside = p < EDGE ? EDGE : p > 1 - EDGE ? 1 - EDGE : p;
  return Math.log(inside / (1 - inside));
}

function interpolate(bounds: readonly number[], values: readonly number[], p: number): number {
  const last = bounds.length - 1;
  if (p <= bounds[0]!) return values[0]!;
  if (p >= bounds[last]!) return values[last]!;
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (bounds[middle]! <= p) low = middle;
    else high = middle;
  }
  const share = (p - bounds[low]!) / (bounds[high]! - bounds[low]!);
  return values[low]! + share * (values[high]! - values[low]!);
}

/**
 * Platt's scaling by Newton's method on the weighted log loss, with the targets (n₁ + 1) / (n₁ + 2) and 1 / (n₀ + 2) that
 * keep few samples from certainty (Lin, Lin and Weng 2007). A slope that would turn the order around is not taken: then
 * the scores say nothing, and everybody gets the base rate.
 */
export function fitPlatt(p: ArrayLike<number>, y: ArrayLike<number>, weights?: ArrayLike<number>): Calibration {
  let [ones, zeros] = [0, 0];
  for (let i = 0; i < p.length; i++) {
    if (y[i] === 1) ones++;
    else zeros++;
  }
  const [high, low] = [(ones + 1) / (ones + 2), 1 / (zeros + 2)];
  const x = Float64Array.from({ length: p.length }, (_, i) => logit(p[i]!));
  let [a, b] = [0, Math.log((zeros + 1) / (ones + 1))];
  for (let round = 0; round < 100; round++) {
    let [ga, gb, haa, hab, hbb] = [0, 0, 1e-6, 0, 1e-6];
    for (let i = 0; i < x.length; i++) {
      const w = weights?.[i] ?? 1;
      const q = 1 / (1 + Math.exp(a * x[i]! + b));
      const t = y[i] === 1 ? high : low;
      const d = w * (t - q);
      const s = w * q * (1 - q);
      ga += d * x[i]!;
      gb += d;
      haa += s * x[i]! * x[i]!;
      hab += s * x[i]!;
      hbb += s;
    }
    const determinant = haa * hbb - hab * hab;
    let da = -(hbb * ga - hab * gb) / determinant;
    let db = -(haa * gb - hab * ga) / determinant;
    const size = Math.max(Math.abs(da), Math.abs(db));
    if (size > 2) {
      da *= 2 / size;
      db *= 2 / size;
    }
    a += da;
    b += db;
    if (size < 1e-9) break;
  }
  if (!(a <= 0)) return { kind: "platt", a: 0, b: Math.log((zeros + 1) / (ones + 1)) };
  return { kind: "platt", a, b };
}

/** Isotonic regression by pool adjacent violators; each step stands at the mean of its scores. */
export function fitIsotonic(p: ArrayLike<number>, y: ArrayLike<number>, weights?: ArrayLike<number>): Calibration {
  const order = Array.from({ length: p.length }, (_, i) => i).sort((a, b) => p[a]! - p[b]!);
  const steps: { weight: number; value: number; at: number }[] = [];
  for (const i of order) {
    const weight = weights?.[i] ?? 1;
    if (!(weight > 0)) continue;
    let step = { weight, value: y[i]!, at: p[i]! };
    for (;;) {
      const before = steps.at(-1);
      if (before === undefined || (before.value < step.value && before.at < step.at)) break;
      steps.pop();
      const total = before.weight + step.weight;
      step = {
        weight: total,
        value: (before.weight * before.value + step.weight * step.value) / total,
        at: (before.weight * before.at + step.weight * step.at) / total,
      };
    }
    steps.push(step);
  }
  return { kind: "isotonic", bounds: steps.map((s) => s.at), values: steps.map((s) => clip(s.value)) };
}

/** No step of a regression has seen enough to call anything certain. */
function clip(value: number): number {
  return value < 0.001 ? 0.001 : value > 0.999 ? 0.999 : value;
}

/** Samples from which on isotonic regression is worth its freedom (Niculescu-Mizil and Caruana 2005 found about 1000). */
const ISOTONIC_FROM = 1000;

/**
 * The calibration for scores that the model was not fitted on. Isotonic is chosen only where there are enough samples and
 * its log loss on the later half, fitted on the earlier, is lower than Platt's.
 */
export function fitCalibration(
  p: Float64Array,
  y: Float64Array,
  loss: (p: Float64Array, y: Float64Array) => number,
): Calibration {
  if (p.length < ISOTONIC_FROM) return fitPlatt(p, y);
  const half = p.length >> 1;
  const [early, earlyY, late, lateY] = [p.subarray(0, half), y.subarray(0, half), p.subarray(half), y.subarray(half)];
  const lossWith = (calibration: Calibration) =>
    loss(
      late.map((value) => calibrate(calibration, value)),
      lateY,
    );
  const isotonicWins = lossWith(fitIsotonic(early, earlyY)) < lossWith(fitPlatt(early, earlyY));
  return isotonicWins ? fitIsotonic(p, y) : fitPlatt(p, y);
}
