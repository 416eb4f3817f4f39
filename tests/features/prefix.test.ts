import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { FEATURE_LIST } from "../../src/features/registry.ts";
import { FEATURE_COUNT } from "../../src/features/rows.ts";
import type { StructureInput } from "../../src/inspect/structure.ts";
import { assertNoRewrite, cuts } from "../prefix.ts";
import { testRecorded } from "../recorded.ts";
import { cut, readBars, wander } from "../structure/bars.ts";
import { featureRows } from "./feature-market.ts";

const SYMBOLS = 24;
/** Bars from 2025-10-08 16:40 UTC on: three days around the liquidations of the 10th. */
const FIRST = 2_216;
const BARS = 900;

function recordedSeries(folder: string): StructureInput[] {
  const files = readdirSync(folder).filter((name) => name.endsWith("2025-10-01_2025-10-31.csv.gz"));
  expect(files.length).toBeGreaterThanOrEqual(SYMBOLS);
  return files.slice(0, SYMBOLS).map((name) => {
    const bars = readBars(join(folder, name), "5m");
    const part = (column: Float64Array) => column.slice(FIRST, FIRST + BARS);
    return {
      timeframe: "5m",
      openTime: part(bars.openTime),
      open: part(bars.open),
      high: part(bars.high),
      low: part(bars.low),
      close: part(bars.close),
      volume: part(bars.volume),
    };
  });
}

testRecorded(`0 rewrites in ${SYMBOLS} symbols × all features`, "market/m5-wide-2025-10", (folder) => {
  const series = recordedSeries(folder);
  const run = (n: number) =>
    featureRows(
      series.map((bars) => cut(bars, n)),
      n,
    );
  // A cut inside of an hour and of a quarter of one, where higher bars are unfinished, is among these.
  const where = [1, 131, 599, 778, 899];
  assertNoRewrite(run, BARS, where);

  // In a market that crashes the values stay within their ranges, and every feature has something to say.
  const rows = run(BARS);
  for (const [place, { name, range }] of FEATURE_LIST.entries()) {
    let known = 0;
    for (const row of rows) {
      for (let at = place; at < row.length; at += FEATURE_COUNT) {
        const value = row[at]!;
        if (Number.isNaN(value)) continue;
        known += 1;
        if (!(value >= Math.fround(range[0]) && value <= Math.fround(range[1]))) throw new Error(`${name} is ${value}`);
      }
    }
    // The slowest to warm up takes 611 bars here, which do not begin at a full hour.
    expect([name, known >= (BARS - 612) * SYMBOLS]).toEqual([name, true]);
  }
});

const HOUR = 12;

/** Features that look ahead, each in its own way, of the first n bars. */
const PLANTED: readonly (readonly [string, (close: Float64Array) => number[]])[] = [
  ["a shift: the next bar's return", (close) => [...close].map((price, i) => (close[i + 1] ?? Number.NaN) / price - 1)],
  [
    "a centred window",
    (close) => [...close].map((price, i) => price / mean(close.subarray(Math.max(0, i - 5), i + 6))),
  ],
  [
    "scaling by the full sample",
    (close) => {
      const centre = mean(close);
      const spread = Math.sqrt(mean(close.map((price) => (price - centre) * (price - centre))));
      return [...close].map((price) => (price - centre) / spread);
    },
  ],
  [
    "a higher bar that is not finished",
    (close) => [...close].map((price, i) => close[Math.min(close.length, i - (i % HOUR) + HOUR) - 1]! / price),
  ],
];

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test.each(PLANTED)("%s, planted beside the true features, is caught", (_, planted) => {
  const bars = wander(200, 3);
  const run = (n: number) => {
    const values = planted(bars.close.slice(0, n));
    return featureRows([cut(bars, n)], n).map((row, bar) => [...row, values[bar]!]);
  };
  expect(() => assertNoRewrite(run, 200, cuts(200, 9))).toThrow(/cell 31: .* known from \d+ bars/);
});
