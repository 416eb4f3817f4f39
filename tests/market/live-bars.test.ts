import { describe, expect, test } from "bun:test";
import { LiveBars } from "../../src/market/live-bars.ts";
import { instrument } from "../exchange/bars.ts";

const MINUTE = 60_000;
const START = 100 * MINUTE;
const bar = (minute: number, price = 1000) => ({
  ...{ openTime: minute * MINUTE, open: price, high: price, low: price, close: price, volume: 1 },
});

function bars(): LiveBars {
  const instruments = [instrument("AUSDT"), instrument("BUSDT")];
  return new LiveBars({ instruments, timeframe: MINUTE, start: START, assumptions: [] });
}

describe("bars of a market that goes on", () => {
  test("what is left when nobody waits for whole steps any longer comes by time and symbol, once", () => {
    const source = bars();
    for (const symbol of [0, 1]) source.add(symbol, bar(100));
    source.add(1, bar(101, 7));
    source.add(0, bar(102, 8));
    source.add(1, bar(102, 9));
    expect(source.step()?.openTime).toBe(START);
    expect(source.step()).toBeUndefined();
    const left = source.drain().map(({ symbol, bar }) => [symbol, bar.openTime / MINUTE, bar.close]);
    expect(left).toEqual([
      [1, 101, 7],
      [0, 102, 8],
      [1, 102, 9],
    ]);
    expect(source.drain()).toEqual([]);
  });

  test("a step waits for fundings that are on their way, and no longer than for bars", () => {
    const source = bars();
    for (const symbol of [0, 1]) for (const minute of [100, 101, 102]) source.add(symbol, bar(minute));
    source.fund(1, START + 30_000, 5, 0);
    source.awaitFunding(START + 30_000, true);
    expect(source.step()).toBeUndefined();
    source.fund(1, START + 30_000, 7, 1001);
    source.awaitFunding(START + 30_000, false);
    expect(source.step()?.funding).toEqual([{ time: START + 30_000, symbol: 1, rate: 7, mark: 1001 }]);
    source.awaitFunding(START + MINUTE, true);
    expect(source.step()).toBeUndefined();
    source.due(START + 2 * MINUTE);
    expect(source.step()?.funding).toEqual([]);
    // What is told too late is left out.
    source.fund(0, START + MINUTE, 9, 0);
    source.awaitFunding(START + MINUTE, true);
    expect(source.step()?.funding).toEqual([]);
  });
});
