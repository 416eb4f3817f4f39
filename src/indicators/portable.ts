import { CLOSE, HIGH, LANES, LOW, VOLUME } from "../market/panel.ts";
import type { Kernel } from "./kernel.ts";
import { LAST_CLOSE, LAST_HIGH, LAST_LOW, type PlanStep, SEEN } from "./plan.ts";

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
 * rows whatever the lanes' positions: slot i goes to partial sum i mod 4, then (s0 + s1) + (s2 + s3).
 */
export const portable: Kernel = {
  name: "portable",
  step(plan, bars, offset, stride, groups, state, out) {
    const stateSize = plan.stateRows * LANES;
    const outputSize = plan.outputRows * LANES;
    for (let group = 0; group < groups; group++) {
      const bar = offset + group * stride;
      const common = group * stateSize;
      for (const step of plan.steps) {
        const own = common + step.state * LANES;
        const to = group * outputSize + step.output * LANES;
        switch (step.kind) {
          case "ema":
            ema(step, bars, bar, state, common, own, out, to);
            break;
          case "sma":
            sma(step, bars, bar, state, common, own, out, to);
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
            bollinger(step, bars, bar, state, common, own, out, to);
            break;
          case "volumeRatio":
            volumeRatio(step, bars, bar, state, common, own, out, to);
            break;
          case "trueRange":
            trueRange(bars, bar, state, common, out, to);
            break;
          default:
            step.kind satisfies never;
        }
      }
      remember(bars, bar, state, common);
    }
  },
};

/** Keeps what the next bar needs of this one, and counts it. */
function remember(bars: Float64Array, bar: number, state: Float64Array, common: number): void {
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) continue;
    state[common + SEEN * LANES + lane] = state[common + SEEN * LANES + lane]! + 1;
    state[common + LAST_CLOSE * LANES + lane] = close;
    state[common + LAST_HIGH * LANES + lane] = bars[bar + HIGH + lane]!;
    state[common + LAST_LOW * LANES + lane] = bars[bar + LOW + lane]!;
  }
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
  const weight = 2 / (n + 1);
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const seen = state[common + SEEN * LANES + lane]!;
    let average = state[own + lane]!;
    if (seen >= n) average += weight * (close - average);
    else average = seen === n - 1 ? (average + close) / n : average + close;
    average = flush(average);
    state[own + lane] = average;
    out[to + lane] = seen >= n - 1 ? average : Number.NaN;
  }
}

/**
 * Mean of n closes as newest close + mean difference from it: exact in a flat window. State: position, n closes.
 */
function sma(
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
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const window = own + LANES + lane;
    push(state, own + lane, window, n, close);
    if (state[common + SEEN * LANES + lane]! < n - 1) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const end = window + n * LANES;
    let at = window;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (; at + 3 * LANES < end; at += 4 * LANES) {
      s0 += state[at]! - close;
      s1 += state[at + LANES]! - close;
      s2 += state[at + 2 * LANES]! - close;
      s3 += state[at + 3 * LANES]! - close;
    }
    if (at < end) s0 += state[at]! - close;
    if (at + LANES < end) s1 += state[at + LANES]! - close;
    if (at + 2 * LANES < end) s2 += state[at + 2 * LANES]! - close;
    out[to + lane] = close + (s0 + s1 + (s2 + s3)) / n;
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
  const weight = 1 / n;
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
  const weight = 1 / n;
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
  const weight = 1 / n;
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

/**
 * Mean of n closes ± deviations · population standard deviation. Both sums are of differences from the newest close.
 * It belongs to the window, so its squared distance from the mean is at most (n - 1) times the variance (Samuelson):
 * the subtraction below loses a few bits at the very worst and never falls below 0. State: position, n closes.
 */
function bollinger(
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
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    const window = own + LANES + lane;
    if (!Number.isNaN(close)) push(state, own + lane, window, n, close);
    if (Number.isNaN(close) || state[common + SEEN * LANES + lane]! < n - 1) {
      out[to + lane] = Number.NaN;
      out[to + LANES + lane] = Number.NaN;
      out[to + 2 * LANES + lane] = Number.NaN;
      continue;
    }
    const end = window + n * LANES;
    let at = window;
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
    const mean = (s0 + s1 + (s2 + s3)) / n;
    const variance = (q0 + q1 + (q2 + q3)) / n - mean * mean;
    const middle = close + mean;
    const width = step.deviations * Math.sqrt(variance);
    out[to + lane] = middle + width;
    out[to + LANES + lane] = middle;
    out[to + 2 * LANES + lane] = middle - width;
  }
}

/**
 * Volume against the mean of the last n volumes, this bar's included, so it lies between 0 and n. Where nothing was
 * traded in the whole window it is 0. State: position, n volumes.
 */
function volumeRatio(
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
  for (let lane = 0; lane < LANES; lane++) {
    const close = bars[bar + CLOSE + lane]!;
    if (Number.isNaN(close)) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const volume = bars[bar + VOLUME + lane]!;
    const window = own + LANES + lane;
    push(state, own + lane, window, n, volume);
    if (state[common + SEEN * LANES + lane]! < n - 1) {
      out[to + lane] = Number.NaN;
      continue;
    }
    const end = window + n * LANES;
    let at = window;
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
    const mean = (s0 + s1 + (s2 + s3)) / n;
    out[to + lane] = mean === 0 ? 0 : volume / mean;
  }
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

/** Replaces the oldest value of a lane's window. `at` is where its position is kept. */
function push(state: Float64Array, at: number, window: number, n: number, x: number): void {
  const position = state[at]!;
  state[window + (position | 0) * LANES] = x;
  state[at] = position === n - 1 ? 0 : position + 1;
}
