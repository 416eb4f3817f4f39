import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Columns } from "../../src/indicators/indicators.ts";

/** The set that the first strategy reads. */
export const ICT_SET = [
  { kind: "ema", period: 20 },
  { kind: "ema", period: 50 },
  { kind: "rsi", period: 14 },
  { kind: "atr", period: 14 },
  { kind: "adx", period: 14 },
  { kind: "bollinger", period: 20, deviations: 2 },
  { kind: "volumeRatio", period: 20 },
] as const;

/** Every kind, windows that are and are not multiples of four. */
export const ALL_KINDS = [
  ...ICT_SET,
  { kind: "sma", period: 9 },
  { kind: "sma", period: 20 },
  { kind: "bollinger", period: 7, deviations: 2.5 },
  { kind: "volumeRatio", period: 5 },
  { kind: "trueRange" },
  { kind: "macd", fast: 12, slow: 26, signal: 9 },
  { kind: "macd", fast: 3, slow: 5, signal: 1 },
  { kind: "stochastic", period: 14, slowing: 3, smoothing: 3 },
  { kind: "stochastic", period: 5, slowing: 1, smoothing: 2 },
  { kind: "highest", period: 20 },
  { kind: "lowest", period: 20 },
  { kind: "highest", period: 3 },
  { kind: "standardDeviation", period: 20 },
  { kind: "volumeAverage", period: 20 },
  { kind: "obv" },
  { kind: "vwap", period: 20 },
  { kind: "vwap", period: 6 },
] as const;

/** Small seeded generator (mulberry32): the same bars in every run. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A random walk with gaps, flat bars and bars without volume. */
export function randomBars(length: number, seed: number, price = 100): Columns {
  const random = randomOf(seed);
  const bars = emptyBars(length);
  let last = price;
  for (let i = 0; i < length; i++) {
    const flat = random() < 0.05;
    const open = flat ? last : last * (1 + (random() - 0.5) * 0.004);
    const close = flat ? last : open * (1 + (random() - 0.5) * 0.02);
    bars.open[i] = open;
    bars.close[i] = close;
    bars.high[i] = flat ? last : Math.max(open, close) * (1 + random() * 0.005);
    bars.low[i] = flat ? last : Math.min(open, close) * (1 - random() * 0.005);
    bars.volume[i] = flat || random() < 0.02 ? 0 : random() * 1000;
    last = close;
  }
  return bars;
}

export function emptyBars(length: number): Columns {
  const column = () => new Float64Array(length);
  return { open: column(), high: column(), low: column(), close: column(), volume: column() };
}

export function sliceBars(bars: Columns, from: number, to: number): Columns {
  const cut = (column: Float64Array) => column.slice(from, to);
  return {
    open: cut(bars.open),
    high: cut(bars.high),
    low: cut(bars.low),
    close: cut(bars.close),
    volume: cut(bars.volume),
  };
}

/** Columns of a (gzipped) csv by header name, as text. */
export function readCsv(path: string): Record<string, string[]> {
  const bytes = readFileSync(path);
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString().replace(/^\uFEFF/, "");
  const [header = "", ...lines] = text.trim().split(/\r?\n/);
  const rows = lines.map((line) => line.split(","));
  return Object.fromEntries(header.split(",").map((name, i) => [name, rows.map((row) => row[i] ?? "")]));
}

/** Bars of a csv; volume is 0 where the file has none. */
export function readBars(path: string): Columns {
  const csv = readCsv(path);
  const length = csv.close!.length;
  const column = (name: string) => Float64Array.from(csv[name] ?? Array.from({ length }, () => "0"), Number);
  return {
    open: column("open"),
    high: column("high"),
    low: column("low"),
    close: column("close"),
    volume: column(csv.volume ? "volume" : "quote_volume"),
  };
}
