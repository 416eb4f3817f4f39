import { timeframeName, timeText } from "./timeframe.ts";

/** A bar of one symbol and timeframe, as exchanges and files have it. */
export interface Kline {
  /** ms UTC, a multiple of the timeframe. */
  readonly openTime: number;
  /** USDT. */
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Base units. */
  readonly volume: number;
}

/** Bars of one series as columns of equal length, oldest first, in the units of `Kline`. */
export interface KlineArrays {
  readonly openTime: Float64Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
}

/** Columns made one by one. */
export function mapColumns(make: (name: keyof KlineArrays) => Float64Array): KlineArrays {
  return {
    openTime: make("openTime"),
    open: make("open"),
    high: make("high"),
    low: make("low"),
    close: make("close"),
    volume: make("volume"),
  };
}

/** Bars one by one as columns. */
export function klineArrays(bars: readonly Kline[]): KlineArrays {
  return mapColumns((name) => Float64Array.from(bars, (bar) => bar[name]));
}

/** One bar of columns. */
export function klineAt(bars: KlineArrays, index: number): Kline {
  return {
    openTime: bars.openTime[index]!,
    open: bars.open[index]!,
    high: bars.high[index]!,
    low: bars.low[index]!,
    close: bars.close[index]!,
    volume: bars.volume[index]!,
  };
}

/** Years 1973 to 2286 in ms: an `open_time` outside of it is in other units. */
export const EARLIEST = 1e11;
export const LATEST = 1e13;

/**
 * What is wrong with a bar, in words, or undefined when it is a clean continuation of its series: a time that is a
 * multiple of the timeframe and after `previous`, positive prices, open and close between low and high, no negative
 * volume.
 */
export function brokenRule(bar: Kline, previous: number, timeframe: number, volumeName = "volume"): string | undefined {
  const { openTime: t, open: o, high: h, low: l, close: c, volume: v } = bar;
  if (!(t >= EARLIEST && t < LATEST)) return `open_time ${t} is not a time in milliseconds since 1970`;
  if (t % timeframe !== 0) {
    return `open_time ${t} (${timeText(t)}) is not a multiple of the timeframe ${timeframeName(timeframe)}`;
  }
  if (t === previous) return `open_time ${t} (${timeText(t)}) is there twice`;
  if (t < previous) return `open_time ${t} (${timeText(t)}) comes after ${previous}: bars must be oldest first`;
  for (const name of ["open", "high", "low", "close"] as const) {
    if (!(bar[name] > 0 && bar[name] < Number.POSITIVE_INFINITY)) return `${name} ${bar[name]} is not a positive price`;
  }
  if (h < l) return `high ${h} is below low ${l}`;
  if (o < l || o > h) return `open ${o} is outside low ${l} to high ${h}`;
  if (c < l || c > h) return `close ${c} is outside low ${l} to high ${h}`;
  if (v < 0) return `${volumeName} ${v} is negative`;
  return v < Number.POSITIVE_INFINITY ? undefined : `${volumeName} ${v} is not a number`;
}
