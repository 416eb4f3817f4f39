import { describe, expect, test } from "bun:test";
import type { Outcome } from "../../src/exchange/binance/gateway.ts";
import type { SettledFunding } from "../../src/exchange/binance/reports.ts";
import { LiveBars } from "../../src/market/live-bars.ts";
import { LiveFunding } from "../../src/service/live-funding.ts";
import { instrument } from "../exchange/bars.ts";

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 5, 7, 59);
const FUNDING = START + MINUTE;
const LATER = FUNDING + 8 * 60 * MINUTE;

/** Two symbols, bars from a minute before the funding, and an exchange whose answers are given by the test. */
function world({ booked = true } = {}) {
  const instruments = [instrument("AUSDT"), instrument("BUSDT")];
  const source = new LiveBars({ instruments, timeframe: MINUTE, start: START, assumptions: [] });
  const asked: { from: number; to: number; answer: (outcome: Outcome<readonly SettledFunding[]>) => void }[] = [];
  const waits: (() => void)[] = [];
  const funding = new LiveFunding({
    instruments,
    ask: (from, to) => new Promise((answer) => asked.push({ from, to, answer })),
    wait: () => new Promise((resolve) => waits.push(resolve)),
  });
  funding.begin(booked ? source : undefined);
  const mark = (symbol: number, eventTime: number, fundingRate: number, nextFunding: number) =>
    funding.mark({ kind: "mark", symbol, eventTime, mark: 100, index: 100, fundingRate, nextFunding });
  const bar = (symbol: number, openTime: number) => {
    funding.bar(symbol, openTime);
    source.add(symbol, { openTime, open: 1000, high: 1000, low: 1000, close: 1000, volume: 1 });
  };
  for (const symbol of [0, 1]) {
    mark(symbol, START, 0.0001, FUNDING);
    bar(symbol, START);
  }
  source.step();
  return { source, funding, asked, waits, mark, bar };
}

const settled = (symbol: string, rate: string, mark = "101.5"): SettledFunding => ({
  ...{ symbol, time: FUNDING + 3, rate, mark },
});
const done = (...value: SettledFunding[]): Outcome<readonly SettledFunding[]> => ({ kind: "done", value });
/** Lets promises that are resolved go on. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("funding of a market that goes on", () => {
  test("is what the exchange settled, at the full minute, and its step waits for it", async () => {
    const { source, asked, mark, bar } = world();
    for (const symbol of [0, 1]) mark(symbol, FUNDING + 1000, 0.0002, LATER);
    for (const symbol of [0, 1]) bar(symbol, FUNDING);
    expect(asked.map(({ from, to }) => [from, to])).toEqual([[FUNDING, FUNDING + MINUTE - 1]]);
    expect(source.step()).toBeUndefined();
    asked[0]!.answer(done(settled("AUSDT", "0.00012345"), settled("BUSDT", "-0.0005", ""), settled("CUSDT", "1")));
    await turn();
    expect(source.step()?.funding).toEqual([
      { time: FUNDING, symbol: 0, rate: 12_345, mark: 10_150 },
      { time: FUNDING, symbol: 1, rate: -50_000, mark: 10_000 },
    ]);
  });

  test("is asked for again until all symbols are listed", async () => {
    const { source, asked, waits, mark, bar } = world();
    for (const symbol of [0, 1]) mark(symbol, FUNDING + 1000, 0.0002, LATER);
    for (const symbol of [0, 1]) bar(symbol, FUNDING);
    asked[0]!.answer(done(settled("AUSDT", "0.0003")));
    await turn();
    expect(source.step()).toBeUndefined();
    waits[0]!();
    await turn();
    asked[1]!.answer(done(settled("AUSDT", "0.0003"), settled("BUSDT", "0.0004")));
    await turn();
    expect(source.step()?.funding.map(({ rate }) => rate)).toEqual([30_000, 40_000]);
    waits[1]!();
    await turn();
    expect(asked).toHaveLength(2);
  });

  test("is the stream's last word where nobody answers until nothing waits any longer", async () => {
    const { source, asked, waits, mark, bar } = world();
    for (const symbol of [0, 1]) mark(symbol, FUNDING + 1000, 0.0009, LATER);
    for (const symbol of [0, 1]) bar(symbol, FUNDING);
    asked[0]!.answer({ kind: "unknown", reason: "no answer in time" });
    await turn();
    source.due(FUNDING + MINUTE);
    expect(source.step()?.funding).toEqual([
      { time: FUNDING, symbol: 0, rate: 10_000, mark: 10_000 },
      { time: FUNDING, symbol: 1, rate: 10_000, mark: 10_000 },
    ]);
    waits[0]!();
    await turn();
    expect(asked).toHaveLength(1);
  });

  test("is seen by a bar behind it where the stream of marks is silent", async () => {
    const { source, asked, bar } = world();
    for (const symbol of [0, 1]) bar(symbol, FUNDING);
    expect(source.step()).toBeUndefined();
    asked[0]!.answer(done(settled("AUSDT", "0.0003"), settled("BUSDT", "0.0004")));
    await turn();
    expect(source.step()?.funding.map(({ rate }) => rate)).toEqual([30_000, 40_000]);
  });

  test("happens once, and not at all for what has none or before trading begins", async () => {
    const { source, asked, mark, bar } = world();
    mark(1, START + 1000, Number.NaN, 0);
    mark(0, FUNDING + 1000, 0.0002, LATER);
    mark(0, FUNDING + 2000, 0.0002, LATER);
    for (const symbol of [0, 1]) bar(symbol, FUNDING);
    asked[0]!.answer(done(settled("AUSDT", "0.0003")));
    await turn();
    expect(source.step()?.funding.map(({ symbol }) => symbol)).toEqual([0]);
    for (const symbol of [0, 1]) bar(symbol, FUNDING + MINUTE);
    expect(source.step()?.funding).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  test("is told to whoever listens, also where the exchange books it and no bar waits", async () => {
    const { source, funding, asked, mark, bar } = world({ booked: false });
    const told: unknown[] = [];
    funding.onSettled((one) => told.push(one));
    for (const symbol of [0, 1]) mark(symbol, FUNDING + 1000, 0.0002, LATER);
    for (const symbol of [0, 1]) bar(symbol, FUNDING);
    expect(source.step()?.funding).toEqual([]);
    asked[0]!.answer(done(settled("AUSDT", "0.0003"), settled("BUSDT", "0.0004")));
    await turn();
    expect(told).toEqual([
      { time: FUNDING, symbol: 0, rate: 30_000, mark: 10_150 },
      { time: FUNDING, symbol: 1, rate: 40_000, mark: 10_150 },
    ]);
  });

  test("of the hours before is part of the history", async () => {
    const { source, funding, asked } = world();
    const history = new LiveBars({ ...source, start: START - 10 * MINUTE, assumptions: [] });
    history.add(0, { openTime: START - 10 * MINUTE, open: 1000, high: 1000, low: 1000, close: 1000, volume: 1 });
    const recalled = funding.recall(history, START);
    expect(asked.map(({ from, to }) => [from, to])).toEqual([[START - 480 * MINUTE, START]]);
    asked[0]!.answer(done({ symbol: "BUSDT", time: START - 10 * MINUTE + 3, rate: "0.0001", mark: "99" }));
    await recalled;
    expect(history.step()?.funding).toEqual([{ time: START - 10 * MINUTE, symbol: 1, rate: 10_000, mark: 9_900 }]);
  });

  test("of the hours before comes in as many answers as it takes, the last moment's with it", async () => {
    const { source, funding, asked } = world();
    const history = new LiveBars({ ...source, start: START, assumptions: [] });
    const recalled = funding.recall(history, START);
    const others = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ ...settled("CUSDT", "0.1"), time: START - 2000 + i }));
    asked[0]!.answer(done(...others(1000)));
    await turn();
    // A thousand at one moment, which there cannot be: it goes on all the same.
    asked[1]!.answer(done(...others(1000).map((one) => ({ ...one, time: START - 1001 }))));
    await turn();
    asked[2]!.answer(done({ symbol: "BUSDT", time: START, rate: "0.0001", mark: "99" }));
    await recalled;
    expect(asked.map(({ from, to }) => [from, to])).toEqual([
      [START - 480 * MINUTE, START],
      [START - 1001, START],
      [START - 1000, START],
    ]);
    history.add(0, { openTime: START, open: 1000, high: 1000, low: 1000, close: 1000, volume: 1 });
    expect(history.step()?.funding).toEqual([{ time: START, symbol: 1, rate: 10_000, mark: 9_900 }]);
  });
});
