import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { StructureInput } from "../../src/inspect/structure.ts";

/** Open, high, low, close and, where it matters, volume. */
export type Row = readonly [open: number, high: number, low: number, close: number, volume?: number];

export const MINUTE = 60_000;

/** Bars written down by hand, opening at 0, 1, 2 … minutes. */
export function barsOf(rows: readonly Row[], timeframe = "1m"): StructureInput {
  const column = (pick: (row: Row, index: number) => number) => Float64Array.from(rows, pick);
  return {
    timeframe,
    openTime: column((_, index) => index * MINUTE),
    open: column((row) => row[0]),
    high: column((row) => row[1]),
    low: column((row) => row[2]),
    close: column((row) => row[3]),
    volume: column((row) => row[4] ?? 1),
  };
}

/** The first `count` bars, in memory of their own: nothing later can be reached from them. */
export function cut(bars: StructureInput, count: number): StructureInput {
  return {
    timeframe: bars.timeframe,
    openTime: bars.openTime.slice(0, count),
    open: bars.open.slice(0, count),
    high: bars.high.slice(0, count),
    low: bars.low.slice(0, count),
    close: bars.close.slice(0, count),
    volume: bars.volume.slice(0, count),
  };
}

/** Reads a recorded csv.gz by column names. */
export function readBars(path: string, timeframe: string): StructureInput {
  const [header, ...lines] = gunzipSync(readFileSync(path)).toString().trim().split("\n");
  const names = header!.trim().toLowerCase().split(",");
  const rows = lines.map((line) => line.trim().split(","));
  const column = (...wanted: string[]) => {
    const index = names.findIndex((name) => wanted.includes(name));
    if (index < 0) throw new Error(`${path}: no column ${wanted.join(" or ")}`);
    return rows.map((row) => row[index]!);
  };
  const numbers = (...wanted: string[]) => Float64Array.from(column(...wanted), Number);
  const times = column("open_time", "date").map((text) =>
    text.includes(".") ? Date.parse(`${text.replaceAll(".", "-").replace(" ", "T")}Z`) : Number(text),
  );
  return {
    timeframe,
    openTime: Float64Array.from(times),
    open: numbers("open"),
    high: numbers("high"),
    low: numbers("low"),
    close: numbers("close"),
    volume: numbers("volume"),
  };
}

/** Repeatable walk of `count` bars that trends and turns; 5m apart. */
export function wander(count: number, seed = 1): StructureInput {
  let state = seed >>> 0 || 1;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
  const rows: Row[] = [];
  let price = 100;
  let drift = 0;
  for (let i = 0; i < count; i++) {
    if (i % 150 === 0) drift = (random() - 0.5) * 0.002;
    const open = price;
    const close = open * (1 + drift + (random() - 0.5) * 0.006);
    const high = Math.max(open, close) * (1 + random() * 0.002);
    const low = Math.min(open, close) * (1 - random() * 0.002);
    rows.push([open, high, low, close, 10 + random() * 100]);
    price = close;
  }
  const bars = barsOf(rows, "5m");
  return { ...bars, openTime: bars.openTime.map((time) => time * 5) };
}
