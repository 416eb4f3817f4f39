import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { testRecorded } from "../recorded.ts";

const EIGHT_HOURS = 480 * 60_000;

/**
 * Why traded prices stand in for the mark inside of bars: recorded marks stay within the range of trades, or leave it
 * by next to nothing, so that judging by trades liquidates too early rather than too late.
 */
testRecorded("recorded mark prices stay within two basis points of the traded range", "market", (dir) => {
  const csv = (path: string): string[][] =>
    gunzipSync(readFileSync(join(dir, path)))
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.split(","));
  const marks = csv("mark-8h/binance-usdm-mark-2025-06.csv.gz").slice(1);
  let windows = 0;
  let inside = 0;
  let farthest = 0;
  for (const file of readdirSync(join(dir, "m1-30d-2025-06"))) {
    const [header = [], ...rows] = csv(join("m1-30d-2025-06", file));
    const [highAt, lowAt] = [header.indexOf("high"), header.indexOf("low")];
    const ranges = new Map<number, { high: number; low: number; bars: number }>();
    for (const row of rows) {
      const window = Math.floor(Number(row[0]) / EIGHT_HOURS) * EIGHT_HOURS;
      const range = ranges.get(window) ?? { high: 0, low: Number.POSITIVE_INFINITY, bars: 0 };
      range.high = Math.max(range.high, Number(row[highAt]));
      range.low = Math.min(range.low, Number(row[lowAt]));
      range.bars++;
      ranges.set(window, range);
    }
    for (const [symbol, , time, , high, low] of marks) {
      const range = ranges.get(Number(time));
      if (symbol !== file.split("-")[2] || range?.bars !== 480) continue;
      windows++;
      for (const beyond of [Number(high) / range.high - 1, 1 - Number(low) / range.low]) {
        if (beyond <= 0) inside++;
        farthest = Math.max(farthest, beyond);
      }
    }
  }
  expect(windows).toBeGreaterThan(400);
  expect(inside / windows / 2).toBeGreaterThan(0.95);
  expect(farthest).toBeLessThan(0.0002);
});
