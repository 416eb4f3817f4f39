import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Aggregator } from "../../src/market/aggregator.ts";
import { ABSENT, type BarSource, FLAT, REAL } from "../../src/market/bar-source.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { openRecordedMarket } from "../../src/market/recorded-market.ts";
import { testRecorded } from "../recorded.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T = 1_749_945_600_000;

interface Bar {
  openTime: number;
  status: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

/** A step of one symbol from a bar. */
function stepOf(bar: Bar) {
  return {
    openTime: bar.openTime,
    status: Uint8Array.of(bar.status),
    open: Float64Array.of(bar.open),
    high: Float64Array.of(bar.high),
    low: Float64Array.of(bar.low),
    close: Float64Array.of(bar.close),
    volume: Float64Array.of(bar.volume),
  };
}

function aggregate(bars: readonly Bar[], base: number, timeframe: number): Bar[] {
  const aggregator = new Aggregator(1, base, [timeframe]);
  const closed = aggregator.closed[0]!;
  return bars.flatMap((bar) => {
    if (aggregator.push(stepOf(bar)).length === 0 || closed.status[0] === ABSENT) return [];
    const { openTime, status, open, high, low, close, volume } = closed;
    return [
      {
        openTime,
        status: status[0]!,
        open: open[0]!,
        high: high[0]!,
        low: low[0]!,
        close: close[0]!,
        volume: volume[0]!,
      },
    ];
  });
}

/** Straight from the definition: group by window, keep the whole ones. */
function direct(bars: readonly Bar[], base: number, timeframe: number): Bar[] {
  const windows = Map.groupBy(
    bars.filter(({ status }) => status !== ABSENT),
    ({ openTime }) => Math.floor(openTime / timeframe) * timeframe,
  );
  return [...windows]
    .filter(([, inside]) => inside.length === timeframe / base)
    .map(([openTime, inside]) => ({
      openTime,
      status: inside.some(({ status }) => status === REAL) ? REAL : FLAT,
      open: inside[0]!.open,
      high: Math.max(...inside.map(({ high }) => high)),
      low: Math.min(...inside.map(({ low }) => low)),
      close: inside.at(-1)!.close,
      volume: inside.map(({ volume }) => volume).reduce((sum, volume) => sum + volume),
    }));
}

const history = fc
  .tuple(
    fc.nat(70),
    fc.array(
      fc.tuple(fc.constantFrom(ABSENT, REAL, REAL, REAL, REAL, REAL, FLAT), fc.nat(99), fc.nat(99), fc.nat(99)),
      { minLength: 1, maxLength: 200 },
    ),
  )
  .map(([first, rows]) =>
    rows.map(([status, a, b, c], index): Bar => {
      const [open, close] = [100 + a, 100 + b];
      const [high, low] = [Math.max(open, close) + c, Math.min(open, close) - (c % 50)];
      return { openTime: T + (first + index) * MINUTE, status, open, high, low, close, volume: a / 10 };
    }),
  );

describe("Aggregator", () => {
  test("equals the definition for any history", () => {
    fc.assert(
      fc.property(history, fc.constantFrom(1, 5, 15, 60), (bars, minutes) => {
        expect(aggregate(bars, MINUTE, minutes * MINUTE)).toEqual(direct(bars, MINUTE, minutes * MINUTE));
      }),
    );
  });

  test("shows nothing of a window before its last bar has closed", () => {
    const aggregator = new Aggregator(1, MINUTE, [5 * MINUTE]);
    const bar = { status: REAL, open: 1, high: 2, low: 1, close: 2, volume: 1 };
    for (let minute = 0; minute < 9; minute++) {
      const closedNow = aggregator.push(stepOf({ ...bar, openTime: T + minute * MINUTE, high: 2 + minute }));
      expect([...closedNow]).toEqual(minute === 4 ? [0] : []);
      expect(aggregator.closed[0]!.high[0]).toBe(minute < 4 ? 0 : 6);
    }
  });

  test("gives no bar to a window in which the listing began", () => {
    const bars = Array.from({ length: 12 }, (_, minute): Bar => {
      return {
        openTime: T + minute * MINUTE,
        status: minute < 1 ? ABSENT : REAL,
        open: 1,
        high: 1,
        low: 1,
        close: 1,
        volume: 1,
      };
    });
    expect(aggregate(bars, MINUTE, 5 * MINUTE).map(({ openTime }) => openTime)).toEqual([T + 5 * MINUTE]);
  });

  test("passes the base timeframe through", () => {
    const bar = { openTime: T, status: FLAT, open: 5, high: 5, low: 5, close: 5, volume: 0 };
    expect(aggregate([bar], 5 * MINUTE, 5 * MINUTE)).toEqual([bar]);
  });

  test("refuses timeframes that the base does not divide", () => {
    expect(() => new Aggregator(1, 15 * MINUTE, [5 * MINUTE])).toThrow(RangeError);
    expect(() => new Aggregator(1, 15 * MINUTE, [20 * MINUTE])).toThrow(RangeError);
  });

  test("in two stages gives the same prices as in one", () => {
    fc.assert(
      fc.property(history, (bars) => {
        const quarters = aggregate(aggregate(bars, MINUTE, 5 * MINUTE), 5 * MINUTE, 15 * MINUTE);
        const prices = ({ volume: _, ...rest }: Bar) => rest;
        expect(quarters.map(prices)).toEqual(aggregate(bars, MINUTE, 15 * MINUTE).map(prices));
      }),
    );
  });

  test("every symbol of many, and every timeframe of many, is as if it were alone", () => {
    compareWithDirect(() => generateMarket({ seed: 5, symbols: 9, start: T }), 200);
  });

  testRecorded("equals direct computation on recorded minutes", "market/m1-full-columns", (dir) => {
    const open = () => openRecordedMarket({ dir, symbols: ["FILUSDT"], assumedFundingRate: 0 });
    compareWithDirect(open, open().steps);
  });
});

function compareWithDirect(open: () => BarSource, steps: number): void {
  const source = open();
  const symbols = source.instruments.length;
  const timeframes = [5 * MINUTE, 15 * MINUTE, HOUR];
  const aggregator = new Aggregator(symbols, source.timeframe, timeframes);
  const base: Bar[][] = Array.from({ length: symbols }, () => []);
  const built: Bar[][][] = timeframes.map(() => Array.from({ length: symbols }, () => []));
  const barOf = (from: ReturnType<typeof stepOf>, symbol: number): Bar => ({
    openTime: from.openTime,
    status: from.status[symbol]!,
    open: from.open[symbol]!,
    high: from.high[symbol]!,
    low: from.low[symbol]!,
    close: from.close[symbol]!,
    volume: from.volume[symbol]!,
  });
  for (let index = 0; index < steps; index++) {
    const step = source.step()!;
    for (let symbol = 0; symbol < symbols; symbol++) base[symbol]!.push(barOf(step as never, symbol));
    for (const closed of aggregator.push(step)) {
      for (let symbol = 0; symbol < symbols; symbol++) {
        const bars = aggregator.closed[closed]!;
        if (bars.status[symbol] !== ABSENT) built[closed]![symbol]!.push(barOf(bars as never, symbol));
      }
    }
  }
  for (const [index, timeframe] of timeframes.entries()) {
    for (let symbol = 0; symbol < symbols; symbol++) {
      const expected = direct(base[symbol]!, source.timeframe, timeframe);
      expect(expected.length).toBeGreaterThan(0);
      expect(built[index]![symbol]!).toEqual(expected);
    }
  }
}
