import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { timeframeText } from "../../src/command-line/inspect.ts";
import { loadSettings } from "../../src/config/load.ts";
import { FEATURE_LIST, FEATURE_NAMES } from "../../src/features/registry.ts";
import { FEATURE_COUNT } from "../../src/features/rows.ts";
import { InputError } from "../../src/input-error.ts";
import { type FeatureLine, featureLines, parseFeatures } from "../../src/inspect/features.ts";
import type { StructureInput } from "../../src/inspect/structure.ts";
import { indicatorOptions, strategyOptionsOf } from "../../src/service/assembly.ts";
import { penstock, temporaryFolder } from "../end-to-end/penstock.ts";
import { cut, wander } from "../structure/bars.ts";
import { featureRows } from "./feature-market.ts";

const { settings } = loadSettings({});
const SETTINGS = {
  ...indicatorOptions(settings),
  strategyOptions: strategyOptionsOf(settings),
  kernel: "portable",
} as const;

/** What a file cannot tell. */
const ALONE: readonly string[] = ["marketMomentum", "relativeStrength", "fundingRate"];

const rounded = (bars: StructureInput): StructureInput => {
  const round = (column: Float64Array) => column.map((price) => Math.round(price * 1e8) / 1e8);
  return { ...bars, open: round(bars.open), high: round(bars.high), low: round(bars.low), close: round(bars.close) };
};

const bars = rounded(wander(800, 21));
const all = (input: StructureInput, until?: number) => featureLines("x.csv", input, FEATURE_NAMES, SETTINGS, until);

/** Bars of the same market n times as long. */
function merged(n: number, timeframe: string): StructureInput {
  const groups = Array.from({ length: Math.floor(bars.openTime.length / n) }, (_, i) => i * n);
  const column = (pick: (from: number) => number) => Float64Array.from(groups, pick);
  return {
    timeframe,
    openTime: column((from) => bars.openTime[from]!),
    open: column((from) => bars.open[from]!),
    high: column((from) => Math.max(...bars.high.slice(from, from + n))),
    low: column((from) => Math.min(...bars.low.slice(from, from + n))),
    close: column((from) => bars.close[from + n - 1]!),
    volume: column((from) => bars.volume.slice(from, from + n).reduce((sum, volume) => sum + volume)),
  };
}

describe("lines", () => {
  test("are what the engine of a backtest knows at each bar, null where something is missing", () => {
    const lines = all(bars);
    const rows = featureRows([bars], 800);
    expect(lines.map(({ openTime }) => openTime)).toEqual([...bars.openTime]);
    for (const [bar, line] of lines.entries()) {
      for (const [place, name] of FEATURE_NAMES.entries()) {
        if (name === "fundingRate") continue;
        expect(line[name] ?? Number.NaN).toBe(rows[bar]![place]!);
      }
    }
    expect(Object.keys(lines[0]!)).toEqual(["openTime", ...FEATURE_NAMES]);
  });

  test("stop at --until, and are then what they were", () => {
    const whole = all(bars);
    for (const n of [1, 250, 640]) {
      expect(all(bars, bars.openTime[n - 1])).toEqual(whole.slice(0, n));
      expect(all(cut(bars, n))).toEqual(whole.slice(0, n));
    }
  });

  test.each([
    [3, "15m"],
    [12, "1h"],
  ] as const)(
    "of bars %d times as long hold the same values at the same closes, and null for shorter ones",
    (n, timeframe) => {
      const whole = all(bars);
      const shorter = (name: string) =>
        timeframe === "1h" || FEATURE_LIST.find((f) => f.name === name)!.timeframe === "5m";
      for (const [i, line] of all(merged(n, timeframe)).entries()) {
        const same = whole[(i + 1) * n - 1]!;
        expect(line.openTime).toBe(whole[i * n]!.openTime);
        for (const { name, timeframe: own } of FEATURE_LIST) {
          if (own === "1h") expect(line[name]).toBe(same[name]!);
          else if (shorter(name)) expect(line[name]).toBeNull();
        }
      }
    },
  );

  test("of 1m bars come once per 5m", () => {
    const minutes: StructureInput = { ...bars, timeframe: "1m", openTime: bars.openTime.map((time) => time / 5) };
    const five = { ...merged(5, "5m"), openTime: merged(5, "5m").openTime.map((time) => time / 5) };
    expect(all(minutes)).toEqual(all(five));
    expect(all(minutes)).toHaveLength(160);
  });

  test("go on over ten missing bars as over flat ones, and begin anew after more", () => {
    const without = (from: number, count: number): StructureInput => {
      const keep = (column: Float64Array) => column.filter((_, i) => i < from || i >= from + count);
      const columns = { open: bars.open, high: bars.high, low: bars.low, close: bars.close, volume: bars.volume };
      const kept = Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, keep(column)]));
      return { ...bars, ...kept, openTime: keep(bars.openTime) };
    };
    const known = (lines: FeatureLine[], at: number) => lines[at]!.rsi5m !== null;
    expect(known(all(without(300, 10)), 300)).toBe(true);
    const anew = all(without(300, 12));
    expect([known(anew, 299), known(anew, 300), known(anew, 313), known(anew, 314)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  test("need bars of a known length on their grid", () => {
    expect(() => all({ ...bars, timeframe: "4h" })).toThrow(
      "x.csv: features are defined on bars of 1m, 5m, 15m, 1h; these are 4h",
    );
    const one = { ...bars, openTime: bars.openTime.slice(0, 1), timeframe: timeframeText(0) };
    expect(() => all(one)).toThrow("one bar alone does not tell its timeframe");
    const late = { ...bars, openTime: bars.openTime.map((time) => time + 1000) };
    expect(() => all(late)).toThrow("x.csv: the bar of 1970-01-01T00:00:01Z does not open at a full 5m");
  });
});

test("names are told apart, and a slip is answered with what was meant", () => {
  expect(parseFeatures(undefined)).toHaveLength(FEATURE_COUNT);
  expect(parseFeatures("rsi1h, adx1h")).toEqual(["rsi1h", "adx1h"]);
  expect(() => parseFeatures("rsi2h")).toThrow(InputError);
  expect(() => parseFeatures("rsi2h")).toThrow('no feature "rsi2h"; did you mean rsi1h?');
  expect(() => parseFeatures("")).toThrow('no feature ""');
});

describe("penstock inspect FILE --features", () => {
  const folder = temporaryFolder();
  const file = join(folder, "bars.csv");
  const dated = { ...bars, openTime: bars.openTime.map((time) => Date.UTC(2025, 0, 1) + time) };
  const { openTime, open, high, low, close, volume } = dated;
  const lines = [...openTime].map((time, i) => [time, open[i], high[i], low[i], close[i], volume[i]].join());
  writeFileSync(file, ["open_time,open,high,low,close,volume", ...lines].join("\n"));

  test("prints one JSON object per bar", async () => {
    const { code, out, err } = await penstock(folder, ["inspect", file, "--features"]);
    expect([code, err]).toEqual([0, ""]);
    const printed = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(printed).toEqual(all(dated));
    for (const name of ALONE) expect(printed.every((line) => line[name] === null)).toBe(true);
  });

  test("prints only the named ones, up to a time", async () => {
    const args = ["--features", "rsi5m,dayNoon", "--until", "2025-01-01T01:15:00Z", "--json"];
    const { code, out } = await penstock(folder, ["inspect", file, ...args]);
    const printed = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect([code, printed.length, Object.keys(printed[15])]).toEqual([0, 16, ["openTime", "rsi5m", "dayNoon"]]);
  });

  test("refuses unknown names and other kinds beside it with code 2", async () => {
    const unknown = await penstock(folder, ["inspect", file, "--features", "rsi"]);
    expect([unknown.code, unknown.out]).toEqual([2, ""]);
    expect(unknown.err).toStartWith('penstock: there is no feature "rsi"');
    const both = await penstock(folder, ["inspect", file, "--features", "--structure"]);
    expect(both.code).toBe(2);
  });
});
