import { BAR, CLOSE, HIGH, LANES, LOW, VOLUME } from "../market/panel.ts";
import type { Kernel } from "./kernel.ts";
import {
  type IndicatorKind,
  type IndicatorPlan,
  LAST_CLOSE,
  LAST_HIGH,
  LAST_LOW,
  MAX_RESULT_ROWS,
  type PlanStep,
  ringLength,
  ringRows,
  SEEN,
  type Window,
} from "./plan.ts";

/**
 * The indicators in plain TypeScript: the definition that every other kernel must equal bit for bit.
 *
 * Rules that make this possible: only + - * / sqrt, absolute value and comparisons, each exact or correctly rounded;
 * the written association is kept; `a > b ? a : b` and never a max function (they differ for NaN and -0); no fused
 * multiply-add (JavaScript has none). A vector kernel computes both sides of a condition and selects.
 *
 * Lanes never mix. A lane whose close is NaN is absent: its state stays, its outputs are NaN. Everything else, flat
 * stand-in bars included, is an ordinary bar. Warm-up is counted per lane, so a late listing starts on its own.
 *
 * Recursive indicators have TA-Lib's seeding. Every 16 bars their state is flushed to zero below 1e-290, because
 * it would otherwise decay into denormals in a market that stands still, and denormals are many times slower. A NaN or Inf that gets into
 * recursive state stays there until the lane is reset.
 *
 * Windowed indicators put their window together anew at every bar, from blocks of 1, 2, 4 … values (see Window), and so
 * do not drift. Where a block lies in its ring follows from the number of bars that the lane has seen. A window that
 * several steps look at is kept and computed once, before all steps.
 */
export const portable: Kernel = {
  name: "portable",
  step(plan, bars, offset, stride, groups, state, out) {
    for (let group = 0; group < groups; group++) {
      const common = group * plan.stateRows * LANES;
      advance(plan, bars, offset + group * stride, state, common, out, group * plan.outputRows * LANES);
    }
  },
  run(plan, bars, offset, stride, groups, count, state, out, rows) {
    const each = rows === "all" ? groups * plan.outputRows * LANES : 0;
    for (let group = 0; group < groups; group++) {
      const common = group * plan.stateRows * LANES;
      const to = group * plan.outputRows * LANES;
      for (let i = 0; i < count; i++) {
        advance(plan, bars, offset + group * stride + i * BAR, state, common, out, to + i * each);
      }
    }
  },
};

/** One bar of one group. */
function advance(
  plan: IndicatorPlan,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  outputs: number,
): void {
  for (const window of plan.windows) look(window, bars, bar, state, common);
  for (const step of plan.steps) {
    const own = common + step.state * LANES;
    const to = outputs + step.output * LANES;
    switch (step.kind) {
      case "ema":
        ema(step, bars, bar, state, common, own, out, to);
        break;
      case "sma":
        windowResult(0, step, bars, bar, state, common, out, to);
        break;
      case "rsi":
        rsi(step, bars, bar, state, common, own, out, to);
        break;
      case "atr":
        atr(step, bars, bar, state, common, own, out, to);
        break;
      case "adx":
        adx(step, bars, bar, state, common, own, out, to);
        break;
      case "bollinger":
        bollinger(step, bars, bar, state, common, out, to);
        break;
      case "volumeRatio":
        volumeRatio(step, bars, bar, state, common, out, to);
        break;
      case "trueRange":
        trueRange(bars, bar, state, common, out, to);
        break;
      case "macd":
        macd(step, bars, bar, state, common, own, out, to);
        break;
      case "stochastic":
        stochastic(step, bars, bar, state, common, own, out, to);
        break;
      case "highest":
      case "lowest":
        windowResult(0, step, bars, bar, state, common, out, to);
        break;
      case "standardDeviation":
        windowResult(1, step, bars, bar, state, common, out, to);
        break;
      case "volumeAverage":
        windowResult(0, step, bars, bar, state, common, out, to);
        break;
      case "obv":
        obv(bars, bar, state, common, own, out, to);
        break;
      case "vwap":
        vwap(step, bars, bar, state, common, out, to);
        break;
      default:
        step.kind satisfies never;
    }
  }
  remember(plan, bars, bar, state, common);
}

/** Keeps what the next bar needs of this one, and counts it. */
function remember(plan: IndicatorPlan, bars: Float64Array, bar: number, state: Float64Array, common: number): void {
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) continue;
    const age = state[common + SEEN * LANES + lane]!;
    state[common + SEEN * LANES + lane] = age + 1;
    state[common + LAST_CLOSE * LANES + lane] = close;
    state[common + LAST_HIGH * LANES + lane] = bars[bar + HIGH + lane]!;
    state[common + LAST_LOW * LANES + lane] = bars[bar + LOW + lane]!;
    if (age % SETTLING === SETTLING - 1) settle(plan, state, common + lane);
  }
}

/** Bars between two looks at what has decayed: averages of two values lose eight decimal digits meanwhile. */
const SETTLING = 16;

/** The first rows of what a kind keeps that decay. */
const DECAYING: Readonly<Partial<Record<IndicatorKind, number>>> = { ema: 1, rsi: 2, atr: 1, adx: 4, macd: 3 };

/** Sets to zero what has decayed to nothing in a lane. */
function settle(plan: IndicatorPlan, state: Float64Array, lane: number): void {
  for (const step of plan.steps) {
    const rows = DECAYING[step.kind] ?? 0;
    for (let row = step.state; row < step.state + rows; row++) {
      state[lane + row * LANES] = flush(state[lane + row * LANES]!);
    }
  }
}

/** What the windows give to the steps of the same bar: rows of eight lanes. */
const results = new Float64Array(MAX_RESULT_ROWS * LANES);

/** Takes the bar into a window and computes what the steps need of it. */
function look(window: Window, bars: Float64Array, bar: number, state: Float64Array, common: number): void {
  const { source, period } = window;
  const rings = common + window.rings * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) continue;
    const age = state[common + SEEN * LANES + lane]!;
    const volume = bars[bar + VOLUME + lane]!;
    const high = bars[bar + HIGH + lane]!;
    const low = bars[bar + LOW + lane]!;
    const result = window.result * LANES + lane;
    switch (source) {
      case "close":
        results[result] = average(state, rings + lane, age, period, close, rings + ringRows(period) * LANES + lane);
        results[result + LANES] = Math.sqrt(squares * window.weight);
        break;
      case "volume":
        results[result] = average(state, rings + lane, age, period, volume);
        break;
      case "high":
        results[result] = highest(state, rings + lane, age, period, high);
        break;
      case "low":
        results[result] = lowest(state, rings + lane, age, period, low);
        break;
      case "turnover":
        results[result] = average(state, rings + lane, age, period, volume * (high + low + close));
        break;
      default:
        source satisfies never;
    }
  }
}

/** The second result of `average`: the sum of squared distances from the mean. */
let squares = 0;

/**
 * Takes x into the rings of a lane and gives the mean of the last n values; with rings for them, `squares` as well.
 * The rings hold sums of 1, 2, 4 … values, and sums of squared distances from their mean.
 * Two blocks are joined by their means and sums of squares (Chan, Golub, LeVeque, "Updating Formulae and a Pairwise
 * Algorithm for Computing Sample Variances", 1979): what is added is never negative, and a flat window is exact.
 */
function average(state: Float64Array, rings: number, age: number, n: number, x: number, beside = -1): number {
  let mean = x;
  let block = 0;
  squares = 0;
  let taken = 0;
  let ring = 0;
  for (let size = 1; ; size *= 2) {
    const largest = size > n - size;
    const length = largest ? ringLength(n - size) : size;
    if ((n & size) !== 0) {
      if (taken === 0) {
        mean = x / size;
        squares = block;
      } else {
        const at = (ring + ((age - taken) & (length - 1))) * LANES;
        const share = size / (taken + size);
        const distance = state[rings + at]! / size - mean;
        mean += distance * share;
        if (beside >= 0) squares = squares + state[beside + at]! + distance * distance * (taken * share);
      }
      taken += size;
    }
    const at = (ring + (age & (length - 1))) * LANES;
    if (largest) {
      if (length > 0) {
        state[rings + at] = x;
        if (beside >= 0) state[beside + at] = block;
      }
      return mean;
    }
    const older = state[rings + at]!;
    state[rings + at] = x;
    if (beside >= 0) {
      const distance = older - x;
      const before = state[beside + at]!;
      state[beside + at] = block;
      block = block + before + distance * distance * (0.5 / size);
    }
    x += older;
    ring += size;
  }
}

/** Takes x into the rings of a lane and gives the largest of the last n values. */
function highest(state: Float64Array, rings: number, age: number, n: number, x: number): number {
  for (let size = 1; ; size *= 2) {
    const left = n - size;
    const largest = size > left;
    const length = largest ? ringLength(left) : size;
    if (length === 0) return x;
    const older = state[rings + ((age - (largest ? left : size)) & (length - 1)) * LANES]!;
    state[rings + (age & (length - 1)) * LANES] = x;
    x = above(older, x);
    if (largest) return x;
    rings += size * LANES;
  }
}

/** Takes x into the rings of a lane and gives the smallest of the last n values. */
function lowest(state: Float64Array, rings: number, age: number, n: number, x: number): number {
  for (let size = 1; ; size *= 2) {
    const left = n - size;
    const largest = size > left;
    const length = largest ? ringLength(left) : size;
    if (length === 0) return x;
    const older = state[rings + ((age - (largest ? left : size)) & (length - 1)) * LANES]!;
    state[rings + (age & (length - 1)) * LANES] = x;
    x = below(older, x);
    if (largest) return x;
    rings += size * LANES;
  }
}

function above(a: number, b: number): number {
  return a > b ? a : b;
}

function below(a: number, b: number): number {
  return a < b ? a : b;
}

/** Flushes what has decayed to nothing; NaN stays, and -0 becomes 0. */
function flush(x: number): number {
  return Math.abs(x) < 1e-290 ? 0 : x;
}

/** x above 0, else 0; NaN for NaN. */
function rise(x: number): number {
  return 0 > x ? 0 : x;
}

/** `e += 2/(n+1) · (close - e)`, seeded with the average of the first n closes. State: sum, then average. */
function ema(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  own: number,
  out: Float64Array,
  to: number,
): void {
  const n = step.period;
  const weight = step.weight;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const seen = state[common + SEEN * LANES + lane]!;
    const average = exponential(state[own + lane]!, close, seen, n, weight);
    state[own + lane] = average;
    out[to + lane] = seen >= n - 1 ? average : Number.NaN;
  }
}

/**
 * 100 · gain / (gain + loss) of Wilder's averages, seeded with the mean of the first n changes: first value at bar n.
 * Without any movement it is 0, as in TA-Lib. State: gain, loss (sums while seeding).
 */
function rsi(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  own: number,
  out: Float64Array,
  to: number,
): void {
  const n = step.period;
  const weight = step.weight;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    const seen = state[common + SEEN * LANES + lane]!;
    if (Number.isNaN(close) || seen === 0) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const change = close - state[common + LAST_CLOSE * LANES + lane]!;
    const gain = wilder(state[own + lane]!, rise(change), seen, n, weight);
    const loss = wilder(state[own + LANES + lane]!, rise(0 - change), seen, n, weight);
    state[own + lane] = gain;
    state[own + LANES + lane] = loss;
    const movement = gain + loss;
    out[to + lane] = seen < n ? Number.NaN : movement === 0 ? 0 : 100 * (gain / movement);
  }
}

/** Wilder's average of the true range, seeded with the mean of the n after the first bar: first value at bar n. */
function atr(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  own: number,
  out: Float64Array,
  to: number,
): void {
  const n = step.period;
  const weight = step.weight;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    const seen = state[common + SEEN * LANES + lane]!;
    if (Number.isNaN(close) || seen === 0) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const range = rangeOf(bars, bar + lane, state[common + LAST_CLOSE * LANES + lane]!);
    const average = wilder(state[own + lane]!, range, seen, n, weight);
    state[own + lane] = average;
    out[to + lane] = seen < n ? Number.NaN : average;
  }
}

/**
 * Wilder's directional movement with TA-Lib's seeding: the sums of true range and movements start with n - 1 bars and
 * then decay as `sum · (1 - 1/n) + new`, so that +DI and -DI begin at bar n; the ADX begins at bar 2n - 1 with the mean
 * of n DX. DI is 0 where the true range is 0; where both DI are 0 there is no DX and the ADX keeps its value (in the
 * seeding it counts as 0), as in TA-Lib. State: plus, minus, range, ADX (a sum while seeding).
 */
function adx(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  own: number,
  out: Float64Array,
  to: number,
): void {
  const n = step.period;
  const weight = step.weight;
  const rest = 1 - weight;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    const seen = state[common + SEEN * LANES + lane]!;
    if (Number.isNaN(close) || seen === 0) {
      out[to + lane] = Number.NaN;
      out[to + LANES + lane] = Number.NaN;
      out[to + 2 * LANES + lane] = Number.NaN;
      continue;
    }
    const up = rise(bars[bar + HIGH + lane]! - state[common + LAST_HIGH * LANES + lane]!);
    const down = rise(state[common + LAST_LOW * LANES + lane]! - bars[bar + LOW + lane]!);
    let plus = state[own + lane]!;
    let minus = state[own + LANES + lane]!;
    let range = state[own + 2 * LANES + lane]!;
    if (seen >= n) {
      plus *= rest;
      minus *= rest;
      range *= rest;
    }
    plus += up > down ? up : 0;
    minus += down > up ? down : 0;
    range += rangeOf(bars, bar + lane, state[common + LAST_CLOSE * LANES + lane]!);
    state[own + lane] = plus;
    state[own + LANES + lane] = minus;
    state[own + 2 * LANES + lane] = range;
    if (seen < n) {
      out[to + lane] = Number.NaN;
      out[to + LANES + lane] = Number.NaN;
      out[to + 2 * LANES + lane] = Number.NaN;
      continue;
    }
    out[to + LANES + lane] = range === 0 ? 0 : plus * (100 / range);
    out[to + 2 * LANES + lane] = range === 0 ? 0 : minus * (100 / range);

    const movement = plus + minus;
    const difference = Math.abs(plus - minus);
    let average = state[own + 3 * LANES + lane]!;
    if (movement !== 0) {
      const directional = 100 * (difference / movement);
      average = seen < 2 * n ? average + directional : average + weight * (directional - average);
    }
    if (seen === 2 * n - 1) average /= n;
    state[own + 3 * LANES + lane] = average;
    out[to + lane] = seen < 2 * n - 1 ? Number.NaN : average;
  }
}

/**
 * One result of the step's window as it is: its first for a mean, a highest high or a lowest low, its second for the
 * population standard deviation of n closes.
 */
function windowResult(
  place: number,
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  const result = (step.firstWindow + place) * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const absent = Number.isNaN(bars[bar + CLOSE + lane]!);
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !absent;
    out[to + lane] = known ? results[result + lane]! : Number.NaN;
  }
}

/** The mean of n closes ± deviations · population standard deviation. */
function bollinger(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  const mean = step.firstWindow * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const absent = Number.isNaN(bars[bar + CLOSE + lane]!);
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !absent;
    const middle = results[mean + lane]!;
    const width = step.deviations * results[mean + LANES + lane]!;
    out[to + lane] = known ? middle + width : Number.NaN;
    out[to + LANES + lane] = known ? middle : Number.NaN;
    out[to + 2 * LANES + lane] = known ? middle - width : Number.NaN;
  }
}

/**
 * Volume against the mean of the last n volumes, this bar's included, so it lies between 0 and n. Where nothing was
 * traded in the whole window it is 0.
 */
function volumeRatio(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  const mean = step.firstWindow * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const absent = Number.isNaN(bars[bar + CLOSE + lane]!);
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !absent;
    const average = results[mean + lane]!;
    out[to + lane] = !known ? Number.NaN : average === 0 ? 0 : bars[bar + VOLUME + lane]! / average;
  }
}

/**
 * The rolling VWAP: the mean of the typical prices, (high + low + close) / 3, of n bars weighted by their volumes. Where
 * nothing was traded in the whole window it is the newest typical price. It rolls because a kernel knows no time of day:
 * a VWAP that starts over each session is a VWAP of other bars.
 */
function vwap(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !Number.isNaN(close);
    const typical = (bars[bar + HIGH + lane]! + bars[bar + LOW + lane]! + close) / 3;
    const turnover = results[step.firstWindow * LANES + lane]!;
    const volume = results[step.secondWindow * LANES + lane]!;
    out[to + lane] = !known ? Number.NaN : volume === 0 ? typical : turnover / (volume * 3);
  }
}

/**
 * On-balance volume: volumes of rising bars minus those of falling ones. It starts with the volume of the first bar, as
 * in TA-Lib. State: itself.
 */
function obv(
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  own: number,
  out: Float64Array,
  to: number,
): void {
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const volume = bars[bar + VOLUME + lane]!;
    const last = state[common + LAST_CLOSE * LANES + lane]!;
    const before = state[own + lane]!;
    const first = state[common + SEEN * LANES + lane] === 0;
    const balance = first || close > last ? before + volume : close < last ? before - volume : before;
    state[own + lane] = balance;
    out[to + lane] = balance;
  }
}

/**
 * Fast - slow EMA, an EMA of that, and their difference. As in TA-Lib both averages begin at bar slow - 1, the fast one
 * with the mean of the last `fast` closes there, the signal with the mean of the first `signal` values, and nothing is
 * shown before the signal: first values at bar slow + signal - 2. State: fast, slow, signal (sums while seeding).
 */
function macd(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  own: number,
  out: Float64Array,
  to: number,
): void {
  const { period: fast, second: slow, third: smoothing } = step;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) {
      out[to + lane] = Number.NaN;
      out[to + LANES + lane] = Number.NaN;
      out[to + 2 * LANES + lane] = Number.NaN;
      continue;
    }
    // Bars after the first that counts for the fast average, for the slow one, and for the signal.
    const seen = state[common + SEEN * LANES + lane]!;
    const fastSeen = seen - (slow - fast);
    const signalSeen = seen - (slow - 1);
    const fastAverage = exponential(state[own + lane]!, close, fastSeen, fast, step.weight);
    const slowAverage = exponential(state[own + LANES + lane]!, close, seen, slow, step.secondWeight);
    const line = fastAverage - slowAverage;
    const signal = exponential(state[own + 2 * LANES + lane]!, line, signalSeen, smoothing, step.thirdWeight);
    state[own + lane] = fastAverage;
    state[own + LANES + lane] = slowAverage;
    state[own + 2 * LANES + lane] = signal;
    const known = signalSeen >= smoothing - 1;
    out[to + lane] = known ? line : Number.NaN;
    out[to + LANES + lane] = known ? signal : Number.NaN;
    out[to + 2 * LANES + lane] = known ? line - signal : Number.NaN;
  }
}

/**
 * Lane's stochastic with TA-Lib's smoothing: where the close lies between the lowest low and the highest high of
 * `period` bars (0 to 100; 0 where they are equal), its mean over `slowing` bars (k), and the mean of k over `smoothing`
 * bars (d). Both begin with d, at bar period + slowing + smoothing - 3. State: rings of places and of k; what they take
 * in warm-up is gone from them when it ends.
 */
function stochastic(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  own: number,
  out: Float64Array,
  to: number,
): void {
  const { period, second: slowing, third: smoothing } = step;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) {
      out[to + lane] = Number.NaN;
      out[to + LANES + lane] = Number.NaN;
      continue;
    }
    const age = state[common + SEEN * LANES + lane]!;
    const low = results[step.secondWindow * LANES + lane]!;
    const range = results[step.firstWindow * LANES + lane]! - low;
    const place = range === 0 ? 0 : 100 * ((close - low) / range);
    const k = average(state, own + lane, age, slowing, place);
    const d = average(state, own + ringRows(slowing) * LANES + lane, age, smoothing, k);
    const known = age >= period + slowing + smoothing - 3;
    out[to + lane] = known ? k : Number.NaN;
    out[to + LANES + lane] = known ? d : Number.NaN;
  }
}

/** An EMA after `seen` values before this one, of which the first n are summed and then divided; 0 before the first. */
function exponential(average: number, x: number, seen: number, n: number, weight: number): number {
  if (seen >= n) return average + weight * (x - average);
  if (seen < 0) return 0;
  return seen === n - 1 ? (average + x) / n : average + x;
}

/** The true range, from a lane's second bar on. */
function trueRange(
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    const first = state[common + SEEN * LANES + lane]! === 0;
    out[to + lane] =
      Number.isNaN(close) || first ? Number.NaN : rangeOf(bars, bar + lane, state[common + LAST_CLOSE * LANES + lane]!);
  }
}

/** Wilder's average after `seen` values before this one, of which the first n are summed and then divided. */
function wilder(average: number, x: number, seen: number, n: number, weight: number): number {
  if (seen > n) return average + weight * (x - average);
  return seen === n ? (average + x) / n : average + x;
}

/** max(high - low, |high - last|, |low - last|): rounding is monotonic, so extending the bar to `last` is the same. */
function rangeOf(bars: Float64Array, lane: number, last: number): number {
  const high = bars[lane + HIGH]!;
  const low = bars[lane + LOW]!;
  return (high > last ? high : last) - (low < last ? low : last);
}
