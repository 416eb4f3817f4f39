import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { REGIMES } from "../../src/core/candidate.ts";
import { type StructureInput, structureEvents, structureObjects } from "../../src/inspect/structure.ts";
import type { StructureEvent } from "../../src/structure/events.ts";
import { assertNoRewrite, cuts } from "../prefix.ts";
import { testRecorded } from "../recorded.ts";
import { MarketView } from "../strategies/market-view.ts";
import { cut, readBars, wander } from "./bars.ts";

type Line = Pick<StructureEvent, "at">;

/** The log of the first n bars, as one row of lines per bar. */
function logByBar(log: (bars: StructureInput) => readonly Line[], bars: StructureInput): (n: number) => Line[][] {
  return (n) => {
    const own = cut(bars, n);
    const rows = new Map(Array.from(own.openTime, (time): [number, Line[]] => [time, []]));
    for (const line of log(own)) rows.get(line.at)!.push(line);
    return [...rows.values()];
  };
}

function expectNoRewrite(bars: StructureInput, count: number): void {
  const total = bars.openTime.length;
  expect(structureEvents(bars).length).toBeGreaterThan(total / 2);
  assertNoRewrite(logByBar(structureEvents, bars), total, cuts(total, count));
  for (const n of cuts(total, count)) {
    expect(structureObjects(bars, {}, bars.openTime[n - 1])).toEqual(structureObjects(cut(bars, n)));
    expect(structureEvents(bars, {}, bars.openTime[n - 1])).toEqual(structureEvents(cut(bars, n)));
  }
}

test("every cut of a made-up market leaves log and objects as they were", () => {
  expectNoRewrite(wander(400), 399);
});

const M5 = "market/m5-wide-2025-10";
const H1 = "market/h1-wide-2025H2";
const SYMBOLS = 22;

/** The first files of a folder that hold as many bars as any: late listings come elsewhere. */
function filesIn(folder: string, count: number): string[] {
  return readdirSync(folder)
    .sort()
    .filter((name) => name.endsWith(".csv.gz"))
    .slice(0, count)
    .map((name) => join(folder, name));
}

testRecorded(`0 rewrites on ${SYMBOLS} symbols of 5m, in which everything happens`, M5, (folder) => {
  const seen = new Set<string>();
  const files = filesIn(folder, SYMBOLS);
  expect(files).toHaveLength(SYMBOLS);
  for (const file of files) {
    const bars = readBars(file, "5m");
    expectNoRewrite(bars, 4);
    for (const { kind, event, scale, of } of structureEvents(bars)) {
      seen.add(`${kind} ${event}${scale === undefined ? "" : ` ${scale}`}${of === undefined ? "" : ` ${of}`}`);
    }
  }
  const scales = ["internal", "external"];
  const everything = [
    ...scales.flatMap((scale) =>
      ["swing", "break"].flatMap((kind) => [`${kind} formed ${scale}`, `${kind} confirmed ${scale}`]),
    ),
    ...scales.flatMap((scale) =>
      ["order-block", "breaker"].flatMap((kind) =>
        ["formed", "confirmed", "tested", "mitigated", "filled"].map((event) => `${kind} ${event} ${scale}`),
      ),
    ),
    ...["formed", "confirmed", "tested", "mitigated", "filled"].map((event) => `gap ${event}`),
    ...["formed", "confirmed", "tested", "swept", "filled"].map((event) => `pool ${event}`),
    ...["formed", "confirmed", "swept", "filled"].map((event) => `level ${event}`),
    ...["pool", "swing", "previous-day", "previous-week"].flatMap((of) => [
      `sweep formed ${of}`,
      `sweep confirmed ${of}`,
    ]),
    ...["displacement", "session", "range"].flatMap((kind) => [`${kind} formed`, `${kind} confirmed`]),
  ];
  expect([...seen].sort()).toEqual(everything.sort());
});

testRecorded("0 rewrites on 4 symbols of 1h", H1, (folder) => {
  for (const file of filesIn(folder, 4)) expectNoRewrite(readBars(file, "1h"), 12);
});

/** The regime after each bar, from indicators that know the bars so far. */
function regimes(bars: StructureInput): string[] {
  const view = new MarketView();
  return Array.from(bars.openTime, (_, i) => {
    view.advance(bars, i);
    return view.regime;
  });
}

testRecorded("0 rewrites of regimes, among them breakouts", M5, (folder) => {
  const [file] = filesIn(folder, 1);
  const bars = readBars(file!, "5m");
  const total = bars.openTime.length;
  const run = (n: number) => regimes(cut(bars, n)).map((regime) => [regime]);
  assertNoRewrite(run, total, cuts(total, 4));
  expect(new Set(run(total).flat())).toEqual(new Set(REGIMES));
});

/** Looks ahead on purpose: logs the confirmation of swings one bar before it is known. */
function oneBarEarly(bars: StructureInput): Line[] {
  const before = new Map<number, number>();
  for (const [i, time] of bars.openTime.entries()) before.set(time, bars.openTime[i - 1] ?? time);
  return structureEvents(bars).map((line) =>
    line.kind === "swing" && line.event === "confirmed" ? { ...line, at: before.get(line.at)! } : line,
  );
}

/** Looks ahead on purpose: a swing is known on its own bar, by a window around it. */
function centredWindow({ openTime, high }: StructureInput): Line[] {
  const lines: Line[] = [];
  for (let i = 3; i < high.length - 3; i++) {
    if (high.subarray(i - 3, i + 4).every((other, j) => j === 3 || other < high[i]!)) lines.push({ at: openTime[i]! });
  }
  return lines;
}

/** Looks ahead on purpose: a gap is known on its middle bar. */
function gapOnMiddleBar(bars: StructureInput): Line[] {
  return structureEvents(bars)
    .filter(({ kind }) => kind === "gap")
    .map((line) => ({ ...line, at: line.formedAt }));
}

/** Looks ahead on purpose: prices are scaled to the range of the whole sample, as charts and models like it. */
function fullSampleScaling(bars: StructureInput): Line[] {
  const top = bars.high.reduce((a, b) => (a > b ? a : b));
  const bottom = bars.low.reduce((a, b) => (a < b ? a : b));
  const scale = (column: Float64Array) => column.map((price) => (price - bottom) / (top - bottom));
  const { open, high, low, close } = bars;
  return structureEvents({ ...bars, open: scale(open), high: scale(high), low: scale(low), close: scale(close) });
}

/** Bars of three times the length, each with the bars that it is made of; the last may be unfinished. */
function tripled(bars: StructureInput): { bars: StructureInput; first: number[]; last: number[] } {
  const starts = Array.from({ length: Math.ceil(bars.openTime.length / 3) }, (_, i) => i * 3);
  const of = (column: Float64Array, pick: (part: Float64Array) => number) =>
    Float64Array.from(starts, (start) => pick(column.subarray(start, start + 3)));
  return {
    bars: {
      timeframe: "15m",
      openTime: of(bars.openTime, (part) => part[0]!),
      open: of(bars.open, (part) => part[0]!),
      high: of(bars.high, (part) => Math.max(...part)),
      low: of(bars.low, (part) => Math.min(...part)),
      close: of(bars.close, (part) => part.at(-1)!),
      volume: of(bars.volume, (part) => part.reduce((a, b) => a + b)),
    },
    first: starts.map((start) => bars.openTime[start]!),
    last: starts.map((start) => bars.openTime[start + 2] ?? Number.NaN),
  };
}

/** The structure of higher bars, told at the base bar that `pick` names; of a higher bar that is unfinished if asked. */
function higher(bars: StructureInput, when: "first" | "last"): Line[] {
  const built = tripled(bars);
  const at = new Map(Array.from(built.bars.openTime, (time, i) => [time, built[when][i]!]));
  const finished = when === "last" ? Math.floor(bars.openTime.length / 3) : built.bars.openTime.length;
  return structureEvents(cut(built.bars, finished)).map((line) => ({ ...line, at: at.get(line.at)! }));
}

/** Looks ahead on purpose: a higher bar is used from its first base bar on, with whatever is known of it. */
const unfinishedHigherBar = (bars: StructureInput) => higher(bars, "first");

test("higher bars that are used when they have closed rewrite nothing", () => {
  const bars = wander(400);
  assertNoRewrite(
    logByBar((part) => higher(part, "last"), bars),
    400,
    cuts(400, 399),
  );
});

test.each([
  ["a swing confirmed one bar early", oneBarEarly],
  ["a centred window", centredWindow],
  ["a gap on its middle bar", gapOnMiddleBar],
  ["scaling by the full sample", fullSampleScaling],
  ["an unfinished higher bar", unfinishedHigherBar],
])("%s is caught", (_, log) => {
  expect(() => assertNoRewrite(logByBar(log, wander(400)), 400, cuts(400, 399))).toThrow(/known from \d+ bars/);
});
