import { BAR, CLOSE, HIGH, LANES, LOW, VOLUME } from "../market/panel.ts";
import type { Kernel } from "./kernel.ts";
import { type IndicatorPlan, LAST_CLOSE, LAST_HIGH, LAST_LOW, type PlanStep, SEEN, type Window } from "./plan.ts";

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
 * Recursive indicators have TA-Lib's seeding. Their state is flushed to zero below 1e-290, because it would otherwise
 * decay into denormals in a market that stands still, and denormals are many times slower. A NaN or Inf that gets into
 * recursive state stays there until the lane is reset.
 *
 * Windowed indicators recompute their window at every bar and so do not drift. The window is a ring in the state, each
 * lane at its own position, and is summed in the order of its slots (not of age), so that a vector kernel sums whole
 * rows whatever the lanes' positions: slot i goes to partial sum i mod 4, then (s0 + s1) + (s2 + s3). Highest and
 * lowest go the same way. A window that several steps look at is kept and summed once, before all steps.
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
        sma(step, bars, bar, state, common, out, to);
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
        extreme(step, bars, bar, state, common, out, to);
        break;
      case "standardDeviation":
        standardDeviation(step, bars, bar, state, common, out, to);
        break;
      case "volumeAverage":
        volumeAverage(step, bars, bar, state, common, out, to);
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
    state[common + SEEN * LANES + lane] = state[common + SEEN * LANES + lane]! + 1;
    state[common + LAST_CLOSE * LANES + lane] = close;
    state[common + LAST_HIGH * LANES + lane] = bars[bar + HIGH + lane]!;
    state[common + LAST_LOW * LANES + lane] = bars[bar + LOW + lane]!;
    for (const { period, position } of plan.clocks) {
      const at = common + position * LANES + lane;
      state[at] = state[at] === period - 1 ? 0 : state[at]! + 1;
    }
  }
}

/** Takes the bar into a window and computes what the steps need of the window. */
function look(window: Window, bars: Float64Array, bar: number, state: Float64Array, common: number): void {
  const { source, period } = window;
  const length = period * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) continue;
    const position = state[common + window.position * LANES + lane]! | 0;
    const ring = common + window.ring * LANES + lane;
    const at = ring + position * LANES;
    const result = common + window.result * LANES + lane;
    switch (source) {
      case "close":
        state[at] = close;
        moments(state, ring, ring + length, close, window.weight, result);
        break;
      case "volume":
        state[at] = bars[bar + VOLUME + lane]!;
        state[result] = sum(state, ring, ring + length);
        state[result + LANES] = state[result]! * window.weight;
        break;
      case "high":
        state[at] = bars[bar + HIGH + lane]!;
        state[result] = highest(state, ring, ring + length, state[at]!);
        break;
      case "low":
        state[at] = bars[bar + LOW + lane]!;
        state[result] = lowest(state, ring, ring + length, state[at]!);
        break;
      case "typical":
        state[at] = typical(bars, bar + lane);
        state[result] = state[at]!;
        break;
      default:
        source satisfies never;
    }
  }
}

function typical(bars: Float64Array, lane: number): number {
  return (bars[lane + HIGH]! + bars[lane + LOW]! + bars[lane + CLOSE]!) / 3;
}

/**
 * Mean difference from the newest close, and population standard deviation. Both sums are of differences from the newest close,
 * so a flat window is exact. It belongs to the window, so its squared distance from the mean is at most (n - 1) times
 * the variance (Samuelson): the subtraction below loses a few bits at the very worst and never falls below 0.
 */
function moments(state: Float64Array, from: number, end: number, close: number, weight: number, result: number): void {
  let at = from;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let q0 = 0;
  let q1 = 0;
  let q2 = 0;
  let q3 = 0;
  for (; at + 3 * LANES < end; at += 4 * LANES) {
    const d0 = state[at]! - close;
    const d1 = state[at + LANES]! - close;
    const d2 = state[at + 2 * LANES]! - close;
    const d3 = state[at + 3 * LANES]! - close;
    s0 += d0;
    s1 += d1;
    s2 += d2;
    s3 += d3;
    q0 += d0 * d0;
    q1 += d1 * d1;
    q2 += d2 * d2;
    q3 += d3 * d3;
  }
  if (at < end) {
    const d0 = state[at]! - close;
    s0 += d0;
    q0 += d0 * d0;
  }
  if (at + LANES < end) {
    const d1 = state[at + LANES]! - close;
    s1 += d1;
    q1 += d1 * d1;
  }
  if (at + 2 * LANES < end) {
    const d2 = state[at + 2 * LANES]! - close;
    s2 += d2;
    q2 += d2 * d2;
  }
  const mean = (s0 + s1 + (s2 + s3)) * weight;
  state[result] = mean;
  state[result + LANES] = Math.sqrt((q0 + q1 + (q2 + q3)) * weight - mean * mean);
}

function sum(state: Float64Array, from: number, end: number): number {
  let at = from;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (; at + 3 * LANES < end; at += 4 * LANES) {
    s0 += state[at]!;
    s1 += state[at + LANES]!;
    s2 += state[at + 2 * LANES]!;
    s3 += state[at + 3 * LANES]!;
  }
  if (at < end) s0 += state[at]!;
  if (at + LANES < end) s1 += state[at + LANES]!;
  if (at + 2 * LANES < end) s2 += state[at + 2 * LANES]!;
  return s0 + s1 + (s2 + s3);
}

/** The largest of a window, `newest` among them. */
function highest(state: Float64Array, from: number, end: number, newest: number): number {
  let at = from;
  let m0 = newest;
  let m1 = newest;
  let m2 = newest;
  let m3 = newest;
  for (; at + 3 * LANES < end; at += 4 * LANES) {
    m0 = above(state[at]!, m0);
    m1 = above(state[at + LANES]!, m1);
    m2 = above(state[at + 2 * LANES]!, m2);
    m3 = above(state[at + 3 * LANES]!, m3);
  }
  if (at < end) m0 = above(state[at]!, m0);
  if (at + LANES < end) m1 = above(state[at + LANES]!, m1);
  if (at + 2 * LANES < end) m2 = above(state[at + 2 * LANES]!, m2);
  return above(above(m0, m1), above(m2, m3));
}

/** The smallest of a window, `newest` among them. */
function lowest(state: Float64Array, from: number, end: number, newest: number): number {
  let at = from;
  let m0 = newest;
  let m1 = newest;
  let m2 = newest;
  let m3 = newest;
  for (; at + 3 * LANES < end; at += 4 * LANES) {
    m0 = below(state[at]!, m0);
    m1 = below(state[at + LANES]!, m1);
    m2 = below(state[at + 2 * LANES]!, m2);
    m3 = below(state[at + 3 * LANES]!, m3);
  }
  if (at < end) m0 = below(state[at]!, m0);
  if (at + LANES < end) m1 = below(state[at + LANES]!, m1);
  if (at + 2 * LANES < end) m2 = below(state[at + 2 * LANES]!, m2);
  return below(below(m0, m1), below(m2, m3));
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

/**
 * x above 0, else 0; exact for all finite x up to half the largest, NaN for NaN. It has no branch to mispredict, and
 * signs of price changes are coin tosses.
 */
function rise(x: number): number {
  return (Math.abs(x) + x) * 0.5;
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
    const average = flush(exponential(state[own + lane]!, close, seen, n, weight));
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
    const gain = flush(wilder(state[own + lane]!, rise(change), seen, n, weight));
    const loss = flush(wilder(state[own + LANES + lane]!, rise(0 - change), seen, n, weight));
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
    const average = flush(wilder(state[own + lane]!, range, seen, n, weight));
    state[own + lane] = average;
    out[to + lane] = seen < n ? Number.NaN : average;
  }
}

/**
 * Wilder's directional movement with TA-Lib's seeding: the sums of true range and movements start with n - 1 bars and
 * then decay as `sum - sum/n + new`, so that +DI and -DI begin at bar n; the ADX begins at bar 2n - 1 with the mean
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
      plus -= plus * weight;
      minus -= minus * weight;
      range -= range * weight;
    }
    plus = flush(plus + (up > down ? up : 0));
    minus = flush(minus + (down > up ? down : 0));
    range = flush(range + rangeOf(bars, bar + lane, state[common + LAST_CLOSE * LANES + lane]!));
    state[own + lane] = plus;
    state[own + LANES + lane] = minus;
    state[own + 2 * LANES + lane] = range;
    if (seen < n) {
      out[to + lane] = Number.NaN;
      out[to + LANES + lane] = Number.NaN;
      out[to + 2 * LANES + lane] = Number.NaN;
      continue;
    }
    out[to + LANES + lane] = range === 0 ? 0 : 100 * (plus / range);
    out[to + 2 * LANES + lane] = range === 0 ? 0 : 100 * (minus / range);

    const movement = plus + minus;
    const difference = Math.abs(plus - minus);
    let average = state[own + 3 * LANES + lane]!;
    if (movement !== 0) {
      const directional = 100 * (difference / movement);
      average = seen < 2 * n ? average + directional : average + weight * (directional - average);
    }
    if (seen === 2 * n - 1) average /= n;
    average = flush(average);
    state[own + 3 * LANES + lane] = average;
    out[to + lane] = seen < 2 * n - 1 ? Number.NaN : average;
  }
}

/** The mean of n closes, as newest close + mean difference from it. */
function sma(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  const mean = common + step.firstWindow * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !Number.isNaN(close);
    out[to + lane] = known ? close + state[mean + lane]! : Number.NaN;
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
  const mean = common + step.firstWindow * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !Number.isNaN(close);
    const middle = close + state[mean + lane]!;
    const width = step.deviations * state[mean + LANES + lane]!;
    out[to + lane] = known ? middle + width : Number.NaN;
    out[to + LANES + lane] = known ? middle : Number.NaN;
    out[to + 2 * LANES + lane] = known ? middle - width : Number.NaN;
  }
}

/** Population standard deviation of n closes. */
function standardDeviation(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  const deviation = common + (step.firstWindow + 1) * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const absent = Number.isNaN(bars[bar + CLOSE + lane]!);
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !absent;
    out[to + lane] = known ? state[deviation + lane]! : Number.NaN;
  }
}

/** The highest high or the lowest low of n bars. */
function extreme(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  const result = common + step.firstWindow * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const absent = Number.isNaN(bars[bar + CLOSE + lane]!);
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !absent;
    out[to + lane] = known ? state[result + lane]! : Number.NaN;
  }
}

/** The mean of n volumes. */
function volumeAverage(
  step: PlanStep,
  bars: Float64Array,
  bar: number,
  state: Float64Array,
  common: number,
  out: Float64Array,
  to: number,
): void {
  const mean = common + (step.firstWindow + 1) * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const absent = Number.isNaN(bars[bar + CLOSE + lane]!);
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !absent;
    out[to + lane] = known ? state[mean + lane]! : Number.NaN;
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
  const mean = common + (step.firstWindow + 1) * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const absent = Number.isNaN(bars[bar + CLOSE + lane]!);
    const known = state[common + SEEN * LANES + lane]! >= step.period - 1 && !absent;
    const average = state[mean + lane]!;
    out[to + lane] = !known ? Number.NaN : average === 0 ? 0 : bars[bar + VOLUME + lane]! / average;
  }
}

/**
 * The rolling VWAP: the mean of the typical prices, (high + low + close) / 3, of n bars weighted by their volumes, as
 * the newest + mean difference from it. Where nothing was traded in the whole window it is the newest typical price.
 * It rolls because a kernel knows no time of day: a VWAP that starts over each session is a VWAP of other bars.
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
  const n = step.period;
  const typicals = common + step.firstWindow * LANES;
  const volumes = common + step.secondWindow * LANES;
  for (let lane = 0; lane < LANES; lane++) {
    const absent = Number.isNaN(bars[bar + CLOSE + lane]!);
    if (absent || state[common + SEEN * LANES + lane]! < n - 1) {
      out[to + lane] = Number.NaN;
      continue;
    }
    let price = typicals + lane;
    let volume = volumes + lane;
    const end = price + n * LANES;
    // Behind the rings lie the results of the windows: the newest typical price and the sum of the volumes.
    const newest = state[end]!;
    const total = state[volume + n * LANES]!;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (; price + 3 * LANES < end; price += 4 * LANES, volume += 4 * LANES) {
      s0 += (state[price]! - newest) * state[volume]!;
      s1 += (state[price + LANES]! - newest) * state[volume + LANES]!;
      s2 += (state[price + 2 * LANES]! - newest) * state[volume + 2 * LANES]!;
      s3 += (state[price + 3 * LANES]! - newest) * state[volume + 3 * LANES]!;
    }
    if (price < end) s0 += (state[price]! - newest) * state[volume]!;
    if (price + LANES < end) s1 += (state[price + LANES]! - newest) * state[volume + LANES]!;
    if (price + 2 * LANES < end) s2 += (state[price + 2 * LANES]! - newest) * state[volume + 2 * LANES]!;
    out[to + lane] = total === 0 ? newest : newest + (s0 + s1 + (s2 + s3)) / total;
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
    const fastAverage = flush(exponential(state[own + lane]!, close, fastSeen, fast, step.weight));
    const slowAverage = flush(exponential(state[own + LANES + lane]!, close, seen, slow, step.secondWeight));
    const line = fastAverage - slowAverage;
    const signal = flush(exponential(state[own + 2 * LANES + lane]!, line, signalSeen, smoothing, step.thirdWeight));
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
 * bars (d). Both begin with d, at bar period + slowing + smoothing - 3. State: a ring of places, a ring of k; what is
 * pushed in warm-up is gone from the rings when it ends.
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
    const low = state[common + step.secondWindow * LANES + lane]!;
    const range = state[common + step.firstWindow * LANES + lane]! - low;
    const place = range === 0 ? 0 : 100 * ((close - low) / range);

    const places = own + lane;
    state[places + (state[common + step.secondPosition * LANES + lane]! | 0) * LANES] = place;
    const k = sum(state, places, places + slowing * LANES) / slowing;
    const ks = own + slowing * LANES + lane;
    state[ks + (state[common + step.thirdPosition * LANES + lane]! | 0) * LANES] = k;
    const d = sum(state, ks, ks + smoothing * LANES) / smoothing;

    const known = state[common + SEEN * LANES + lane]! >= period + slowing + smoothing - 3;
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
