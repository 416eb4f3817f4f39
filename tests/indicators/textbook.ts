import type { Columns } from "../../src/indicators/indicators.ts";
import type { IndicatorOutput, IndicatorRequest } from "../../src/indicators/plan.ts";

/**
 * The same indicators written from their textbook definitions, whole series at a time and with no regard to speed:
 * J. Welles Wilder, "New Concepts in Technical Trading Systems" (1978), for RSI, ATR and ADX; John Bollinger for the
 * bands; seeding as TA-Lib's documentation gives it. Shares no code with the kernel.
 */
export function textbook(request: IndicatorRequest, bars: Columns): Partial<Record<IndicatorOutput, number[]>> {
  const close = [...bars.close];
  switch (request.kind) {
    case "ema":
      return { ema: ema(close, request.period) };
    case "sma":
      return { sma: windows(close, request.period).map(mean) };
    case "rsi": {
      const gains = averages(moves(close, 1), request.period);
      const losses = averages(moves(close, -1), request.period);
      return { rsi: gains.map((gain, i) => (gain + losses[i]! === 0 ? 0 : (100 * gain) / (gain + losses[i]!))) };
    }
    case "atr":
      return { atr: averages(trueRanges(bars), request.period) };
    case "trueRange":
      return { trueRange: trueRanges(bars) };
    case "adx":
      return adx(bars, request.period);
    case "bollinger": {
      const middle = windows(close, request.period).map(mean);
      const sigma = windows(close, request.period).map(deviation);
      return {
        upper: middle.map((m, i) => m + request.deviations * sigma[i]!),
        middle,
        lower: middle.map((m, i) => m - request.deviations * sigma[i]!),
      };
    }
    case "volumeRatio": {
      const average = windows([...bars.volume], request.period).map(mean);
      return { volumeRatio: average.map((a, i) => (a === 0 ? 0 : bars.volume[i]! / a)) };
    }
    case "macd":
      return macd(close, request.fast, request.slow, request.signal);
    case "stochastic": {
      const highs = windows([...bars.high], request.period);
      const lows = windows([...bars.low], request.period);
      const places = close.map((c, i) => {
        const [high, low] = [Math.max(...highs[i]!), Math.min(...lows[i]!)];
        return highs[i]!.length === 0 ? Number.NaN : high === low ? 0 : (100 * (c - low)) / (high - low);
      });
      const k = windows(places, request.slowing).map(mean);
      const d = windows(k, request.smoothing).map(mean);
      return { k: k.map((value, i) => (Number.isNaN(d[i]) ? Number.NaN : value)), d };
    }
    case "highest":
      return { highest: windows([...bars.high], request.period).map((w) => (w.length ? Math.max(...w) : Number.NaN)) };
    case "lowest":
      return { lowest: windows([...bars.low], request.period).map((w) => (w.length ? Math.min(...w) : Number.NaN)) };
    case "standardDeviation":
      return { standardDeviation: windows(close, request.period).map(deviation) };
    case "volumeAverage":
      return { volumeAverage: windows([...bars.volume], request.period).map(mean) };
    case "obv": {
      const signed = close.map((c, i) => (i === 0 ? 1 : Math.sign(c - close[i - 1]!)) * bars.volume[i]!);
      return { obv: signed.map((_, i) => total(signed.slice(0, i + 1))) };
    }
    case "vwap": {
      const typical = close.map((c, i) => (bars.high[i]! + bars.low[i]! + c) / 3);
      const traded = windows([...bars.volume], request.period).map(total);
      const paid = windows(
        typical.map((p, i) => p * bars.volume[i]!),
        request.period,
      ).map(total);
      return {
        vwap: typical.map((p, i) =>
          i < request.period - 1 ? Number.NaN : traded[i] === 0 ? p : paid[i]! / traded[i]!,
        ),
      };
    }
  }
}

function ema(values: number[], n: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (i < n - 1) result.push(Number.NaN);
    else if (i === n - 1) result.push(mean(values.slice(0, n)));
    else result.push((2 / (n + 1)) * values[i]! + (1 - 2 / (n + 1)) * result[i - 1]!);
  }
  return result;
}

/** Both averages begin at bar slow - 1, each with the mean of its own last bars there; shown from the signal on. */
function macd(close: number[], fast: number, slow: number, smoothing: number) {
  const late = [...close.slice(0, slow - fast).fill(Number.NaN), ...ema(close.slice(slow - fast), fast)];
  const line = ema(close, slow).map((value, i) => (Number.isNaN(value) ? Number.NaN : late[i]! - value));
  const signal = [...line.slice(0, slow - 1), ...ema(line.slice(slow - 1), smoothing)];
  return {
    macd: line.map((value, i) => (Number.isNaN(signal[i]) ? Number.NaN : value)),
    signal,
    histogram: line.map((value, i) => value - signal[i]!),
  };
}

/** Changes in one direction; the first bar has none. */
function moves(values: number[], sign: 1 | -1): number[] {
  return values.map((value, i) => (i === 0 ? Number.NaN : Math.max(0, sign * (value - values[i - 1]!))));
}

function trueRanges({ high, low, close }: Columns): number[] {
  return [...close].map((_, i) =>
    i === 0
      ? Number.NaN
      : Math.max(high[i]! - low[i]!, Math.abs(high[i]! - close[i - 1]!), Math.abs(low[i]! - close[i - 1]!)),
  );
}

/** Wilder's moving average of values that begin at index 1. */
function averages(values: number[], n: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (i < n) result.push(Number.NaN);
    else if (i === n) result.push(mean(values.slice(1, n + 1)));
    else result.push((result[i - 1]! * (n - 1) + values[i]!) / n);
  }
  return result;
}

function adx(bars: Columns, n: number) {
  const { high, low } = bars;
  const ranges = trueRanges(bars);
  const plus = ranges.map((_, i) => {
    const [up, down] = [high[i]! - high[i - 1]!, low[i - 1]! - low[i]!];
    return up > down && up > 0 ? up : 0;
  });
  const minus = ranges.map((_, i) => {
    const [up, down] = [high[i]! - high[i - 1]!, low[i - 1]! - low[i]!];
    return down > up && down > 0 ? down : 0;
  });
  /** Sum of bars 1 … n-1, then `sum - sum/n + value`. */
  const sums = (values: number[]) => {
    let sum = 0;
    return values.map((value, i) => {
      if (i > 0) sum = i < n ? sum + value : sum - sum / n + value;
      return i < n ? Number.NaN : sum;
    });
  };
  const [r, p, m] = [sums(ranges), sums(plus), sums(minus)];
  const plusDi = p.map((value, i) => (r[i] === 0 ? 0 : (100 * value) / r[i]!));
  const minusDi = m.map((value, i) => (r[i] === 0 ? 0 : (100 * value) / r[i]!));
  const dx = plusDi.map((value, i) => (100 * Math.abs(value - minusDi[i]!)) / (value + minusDi[i]!));
  const result: number[] = [];
  for (let i = 0; i < dx.length; i++) {
    const known = Number.isNaN(dx[i]!) ? undefined : dx[i]!;
    if (i < 2 * n - 1) result.push(Number.NaN);
    else if (i === 2 * n - 1) result.push(mean(dx.slice(n, 2 * n).map((x) => (Number.isNaN(x) ? 0 : x))));
    else result.push(known === undefined ? result[i - 1]! : (result[i - 1]! * (n - 1) + known) / n);
  }
  return { adx: result, plusDi, minusDi };
}

/** For each index the last n values, or none before there are n. */
function windows(values: number[], n: number): number[][] {
  return values.map((_, i) => (i < n - 1 ? [] : values.slice(i - n + 1, i + 1)));
}

function total(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** NaN of nothing. */
function mean(values: number[]): number {
  return total(values) / values.length;
}

function deviation(values: number[]): number {
  const m = mean(values);
  return Math.sqrt(mean(values.map((x) => (x - m) ** 2)));
}
