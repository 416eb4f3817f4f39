import { expect, test } from "bun:test";
import { type StructureInput, structureEvents, structureObjects } from "../../src/inspect/structure.ts";
import type { StructureEvent } from "../../src/structure/events.ts";
import { assertNoRewrite, cuts } from "../prefix.ts";
import { testRecorded } from "../recorded.ts";
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

const M5 = "market/m5-wide-2025-10/binance-usdm";
const H1 = "market/h1-wide-2025H2/binance-usdm";
for (const symbol of ["BTCUSDT", "ETHUSDT", "DOGEUSDT"]) {
  testRecorded(`0 rewrites on ${symbol} 5m`, `${M5}-${symbol}-5m-2025-10-01_2025-10-31.csv.gz`, (path) => {
    expectNoRewrite(readBars(path, "5m"), 12);
  });
}
for (const symbol of ["BTCUSDT", "AAVEUSDT", "1000BONKUSDT"]) {
  testRecorded(`0 rewrites on ${symbol} 1h`, `${H1}-${symbol}-1h-2025-07-01_2025-12-31.csv.gz`, (path) => {
    expectNoRewrite(readBars(path, "1h"), 20);
  });
}

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

test.each([
  ["a swing confirmed one bar early", oneBarEarly],
  ["a centred window", centredWindow],
  ["a gap on its middle bar", gapOnMiddleBar],
])("%s is caught", (_, log) => {
  expect(() => assertNoRewrite(logByBar(log, wander(400)), 400, cuts(400, 399))).toThrow(/known from \d+ bars/);
});
