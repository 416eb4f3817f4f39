import { BAR, CLOSE, HIGH, LANES, LOW, VOLUME } from "../market/panel.ts";
import type { Kernel } from "./kernel.ts";
import {
  type IndicatorKind,
  type IndicatorPlan,
  LAST_CLOSE,
  LAST_HIGH,
  LAST_LOW,
  type Ladder,
  lengthOf,
  type PlanStep,
  placeOf,
  ROW,
  ringLength,
  SEEN,
  SMOOTHED,
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
 * Windowed indicators put their window together anew at every bar, from blocks of 1, 2, 4 … values (see Ladder), and so
 * do not drift. Where a block lies in its ring follows from the number of bars that the lane has seen. A window that
 * several steps look at is kept and computed once, before all steps.
 */
export const portable: Kernel = {
  name: "portable",
  step(plan, bars, offset, stride, groups, state, out) {
    for (let group = 0; group < groups; group++) {
      const common = placeOf(plan.stateRows, 0, group * LANES);
      advance(plan, bars, offset + group * stride, state, common, out, placeOf(plan.outputRows, 0, group * LANES));
    }
  },
  run(plan, bars, offset, stride, groups, count, state, out, rows) {
    const each = rows === "all" ? lengthOf(plan.outputRows, groups) : 0;
    for (let group = 0; group < groups; group++) {
      const common = placeOf(plan.stateRows, 0, group * LANES);
      const to = placeOf(plan.outputRows, 0, group * LANES);
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
  for (const ladder of plan.ladders) look(ladder, bars, bar, state, common);
  for (const step of plan.steps) {
    const own = common + step.state * ROW;
    const to = outputs + step.output * ROW;
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
        stochastic(step, bars, bar, state, common, out, to);
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
    const age = state[common + SEEN * ROW + lane]!;
    state[common + SEEN * ROW + lane] = age + 1;
    state[common + LAST_CLOSE * ROW + lane] = close;
    state[common + LAST_HIGH * ROW + lane] = bars[bar + HIGH + lane]!;
    state[common + LAST_LOW * ROW + lane] = bars[bar + LOW + lane]!;
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
      state[lane + row * ROW] = flush(state[lane + row * ROW]!);
    }
  }
}

/** What the windows give to the steps of the same bar: rows of eight lanes. */
const results = new Float64Array((SMOOTHED + 1) * LANES);

/** Takes the bar into the rings of a ladder and computes what the steps need of its windows. */
function look(ladder: Ladder, bars: Float64Array, bar: number, state: Float64Array, common: number): void {
  const { source, windows } = ladder;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) continue;
    const age = state[common + SEEN * ROW + lane]!;
    const volume = bars[bar + VOLUME + lane]!;
    const high = bars[bar + HIGH + lane]!;
    const low = bars[bar + LOW + lane]!;
    switch (source) {
      case "close":
        average(ladder, state, common + lane, age, close, lane);
        for (const { result, weight } of windows) {
          const squares = (result + 1) * LANES + lane;
          results[squares] = Math.sqrt(results[squares]! * weight);
        }
        break;
      case "volume":
        average(ladder, state, common + lane, age, volume, lane);
        break;
      case "high":
        highest(ladder, state, common + lane, age, high, lane);
        break;
      case "low":
        lowest(ladder, state, common + lane, age, low, lane);
        break;
      case "turnover":
        average(ladder, state, common + lane, age, volume * (high + low + close), lane);
        break;
      default:
        source satisfies never;
    }
  }
}

/**
 * Takes x into the rings of a lane and gives the mean of the last values to each window's result; with rings for them,
 * the sum of their squared distances from it to the result after that.
 * The rings hold sums of 1, 2, 4 … values, and sums of squared distances from their mean.
 * Two blocks are joined by their means and sums of squares (Chan, Golub, LeVeque, "Updating Formulae and a Pairwise
 * Algorithm for Computing Sample Variances", 1979): what is added is never negative, and a flat window is exact.
 */
function average(ladder: Ladder, state: Float64Array, first: number, age: number, x: number, lane: number): void {
  const { windows, longest, rings, last, beside } = ladder;
  const count = windows.length;
  let squares = 0;
  for (let size = 1; ; size *= 2) {
    const largest = size > longest - size;
    const length = largest ? ringLength(longest - size) : size;
    const ring = rings + size - 1;
    for (let i = 0; i < count; i++) {
      const window = windows[i]!;
      const period = window.period;
      if ((period & size) === 0) continue;
      const result = window.result;
      const to = result * LANES + lane;
      const taken = period & (size - 1);
      if (taken === 0) {
        results[to] = x / size;
        if (beside > 0) results[to + LANES] = squares;
        continue;
      }
      const at = first + (ring + ((age - taken) & (length - 1))) * ROW;
      const share = size / (taken + size);
      const mean = results[to]!;
      const distance = state[at]! / size - mean;
      results[to] = mean + distance * share;
      if (beside === 0) continue;
      const older = state[at + beside * ROW]!;
      results[to + LANES] = results[to + LANES]! + older + distance * distance * (taken * share);
    }
    const at = first + (size === 1 ? last : ring + (age & (length - 1))) * ROW;
    if (largest) {
      if (length > 0) {
        state[at] = x;
        if (beside > 0) state[at + beside * ROW] = squares;
      }
      return;
    }
    const older = state[at]!;
    // The common rows are for everyone to read until the bar is over.
    if (size > 1 || last === rings) state[at] = x;
    if (beside > 0) {
      const distance = older - x;
      const between = distance * distance * (0.5 / size);
      if (size > 1) {
        const before = state[at + beside * ROW]!;
        state[at + beside * ROW] = squares;
        squares = squares + before + between;
      } else {
        squares = between;
      }
    }
    x += older;
  }
}

/** Takes x into the rings of a lane and gives the largest of the last values to each window's result. */
function highest(ladder: Ladder, state: Float64Array, first: number, age: number, x: number, lane: number): void {
  const { windows, longest, rings, last } = ladder;
  const count = windows.length;
  for (let size = 1; ; size *= 2) {
    const largest = size > longest - size;
    const length = largest ? ringLength(longest - size) : size;
    const ring = rings + size - 1;
    for (let i = 0; i < count; i++) {
      const window = windows[i]!;
      const lag = window.period - size;
      if (lag < 0 || lag >= size) continue;
      const result = window.result;
      results[result * LANES + lane] =
        lag === 0 ? x : above(state[first + (ring + ((age - lag) & (length - 1))) * ROW]!, x);
    }
    const at = first + (size === 1 ? last : ring + (age & (length - 1))) * ROW;
    if (largest) {
      if (length > 0) state[at] = x;
      return;
    }
    const older = state[at]!;
    if (size > 1) state[at] = x;
    x = above(older, x);
  }
}

/** Takes x into the rings of a lane and gives the smallest of the last values to each window's result. */
function lowest(ladder: Ladder, state: Float64Array, first: number, age: number, x: number, lane: number): void {
  const { windows, longest, rings, last } = ladder;
  const count = windows.length;
  for (let size = 1; ; size *= 2) {
    const largest = size > longest - size;
    const length = largest ? ringLength(longest - size) : size;
    const ring = rings + size - 1;
    for (let i = 0; i < count; i++) {
      const window = windows[i]!;
      const lag = window.period - size;
      if (lag < 0 || lag >= size) continue;
      const result = window.result;
      results[result * LANES + lane] =
        lag === 0 ? x : below(state[first + (ring + ((age - lag) & (length - 1))) * ROW]!, x);
    }
    const at = first + (size === 1 ? last : ring + (age & (length - 1))) * ROW;
    if (largest) {
      if (length > 0) state[at] = x;
      return;
    }
    const older = state[at]!;
    if (size > 1) state[at] = x;
    x = below(older, x);
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
    const seen = state[common + SEEN * ROW + lane]!;
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
    const seen = state[common + SEEN * ROW + lane]!;
    if (Number.isNaN(close) || seen === 0) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const change = close - state[common + LAST_CLOSE * ROW + lane]!;
    const gain = wilder(state[own + lane]!, rise(change), seen, n, weight);
    const loss = wilder(state[own + ROW + lane]!, rise(0 - change), seen, n, weight);
    state[own + lane] = gain;
    state[own + ROW + lane] = loss;
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
    const seen = state[common + SEEN * ROW + lane]!;
    if (Number.isNaN(close) || seen === 0) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const range = rangeOf(bars, bar + lane, state[common + LAST_CLOSE * ROW + lane]!);
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
    const seen = state[common + SEEN * ROW + lane]!;
    if (Number.isNaN(close) || seen === 0) {
      out[to + lane] = Number.NaN;
      out[to + ROW + lane] = Number.NaN;
      out[to + 2 * ROW + lane] = Number.NaN;
      continue;
    }
    const up = rise(bars[bar + HIGH + lane]! - state[common + LAST_HIGH * ROW + lane]!);
    const down = rise(state[common + LAST_LOW * ROW + lane]! - bars[bar + LOW + lane]!);
    let plus = state[own + lane]!;
    let minus = state[own + ROW + lane]!;
    let range = state[own + 2 * ROW + lane]!;
    if (seen >= n) {
      plus *= rest;
      minus *= rest;
      range *= rest;
    }
    plus += up > down ? up : 0;
    minus += down > up ? down : 0;
    range += rangeOf(bars, bar + lane, state[common + LAST_CLOSE * ROW + lane]!);
    state[own + lane] = plus;
    state[own + ROW + lane] = minus;
    state[own + 2 * ROW + lane] = range;
    if (seen < n) {
      out[to + lane] = Number.NaN;
      out[to + ROW + lane] = Number.NaN;
      out[to + 2 * ROW + lane] = Number.NaN;
      continue;
    }
    out[to + ROW + lane] = range === 0 ? 0 : plus * (100 / range);
    out[to + 2 * ROW + lane] = range === 0 ? 0 : minus * (100 / range);

    const movement = plus + minus;
    const difference = Math.abs(plus - minus);
    let average = state[own + 3 * ROW + lane]!;
    if (movement !== 0) {
      const directional = 100 * (difference / movement);
      average = seen < 2 * n ? average + directional : average + weight * (directional - average);
    }
    if (seen === 2 * n - 1) average /= n;
    state[own + 3 * ROW + lane] = average;
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
    const known = state[common + SEEN * ROW + lane]! >= step.period - 1 && !absent;
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
    const known = state[common + SEEN * ROW + lane]! >= step.period - 1 && !absent;
    const middle = results[mean + lane]!;
    const width = step.deviations * results[mean + LANES + lane]!;
    out[to + lane] = known ? middle + width : Number.NaN;
    out[to + ROW + lane] = known ? middle : Number.NaN;
    out[to + 2 * ROW + lane] = known ? middle - width : Number.NaN;
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
    const known = state[common + SEEN * ROW + lane]! >= step.period - 1 && !absent;
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
    const known = state[common + SEEN * ROW + lane]! >= step.period - 1 && !Number.isNaN(close);
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
    const last = state[common + LAST_CLOSE * ROW + lane]!;
    const before = state[own + lane]!;
    const first = state[common + SEEN * ROW + lane] === 0;
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
      out[to + ROW + lane] = Number.NaN;
      out[to + 2 * ROW + lane] = Number.NaN;
      continue;
    }
    // Bars after the first that counts for the fast average, for the slow one, and for the signal.
    const seen = state[common + SEEN * ROW + lane]!;
    const fastSeen = seen - (slow - fast);
    const signalSeen = seen - (slow - 1);
    const fastAverage = exponential(state[own + lane]!, close, fastSeen, fast, step.weight);
    const slowAverage = exponential(state[own + ROW + lane]!, close, seen, slow, step.secondWeight);
    const line = fastAverage - slowAverage;
    const signal = exponential(state[own + 2 * ROW + lane]!, line, signalSeen, smoothing, step.thirdWeight);
    state[own + lane] = fastAverage;
    state[own + ROW + lane] = slowAverage;
    state[own + 2 * ROW + lane] = signal;
    const known = signalSeen >= smoothing - 1;
    out[to + lane] = known ? line : Number.NaN;
    out[to + ROW + lane] = known ? signal : Number.NaN;
    out[to + 2 * ROW + lane] = known ? line - signal : Number.NaN;
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
  out: Float64Array,
  to: number,
): void {
  const { period, second: slowing, third: smoothing } = step;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) {
      out[to + lane] = Number.NaN;
      out[to + ROW + lane] = Number.NaN;
      continue;
    }
    const age = state[common + SEEN * ROW + lane]!;
    const low = results[step.secondWindow * LANES + lane]!;
    const range = results[step.firstWindow * LANES + lane]! - low;
    const place = range === 0 ? 0 : 100 * ((close - low) / range);
    average(step.smoothing[0]!, state, common + lane, age, place, lane);
    const k = results[SMOOTHED * LANES + lane]!;
    average(step.smoothing[1]!, state, common + lane, age, k, lane);
    const d = results[SMOOTHED * LANES + lane]!;
    const known = age >= period + slowing + smoothing - 3;
    out[to + lane] = known ? k : Number.NaN;
    out[to + ROW + lane] = known ? d : Number.NaN;
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
    const first = state[common + SEEN * ROW + lane]! === 0;
    out[to + lane] =
      Number.isNaN(close) || first ? Number.NaN : rangeOf(bars, bar + lane, state[common + LAST_CLOSE * ROW + lane]!);
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
