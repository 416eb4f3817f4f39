import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type StructureInput, structureEvents, structureObjects } from "../../src/inspect/structure.ts";
import { StructureTracker } from "../../src/structure/tracker.ts";
import { barsOf, MINUTE, type Row, wander } from "./bars.ts";

/** The log in short: bar at which it was known, event, kind, direction, bar on which it sits, prices. */
function log(rows: readonly Row[], swingLength = 2, kinds?: readonly string[]): string[] {
  return structureEvents(barsOf(rows), { swingLength, sessions: false })
    .filter(({ kind, scale }) => (kinds === undefined || kinds.includes(kind)) && scale !== "external")
    .map((line) => {
      const prices = line.top === undefined ? line.price : `${line.bottom}-${line.top}`;
      const character = line.character === undefined ? "" : ` ${line.character}`;
      return `${line.at / MINUTE} ${line.event} ${line.kind}${character} ${line.direction} ${line.formedAt / MINUTE} ${prices}`;
    });
}

/** A bar around one price. */
const at = (price: number): Row => [price, price + 1, price - 1, price];

describe("swings", () => {
  test("form when the left side is complete and are confirmed when the right side is", () => {
    expect(log([at(10), at(11), at(12), at(11), at(10)], 2, ["swing"])).toEqual([
      "2 formed swing high 2 13",
      "4 confirmed swing high 2 13",
      "4 formed swing low 4 9",
    ]);
  });

  test("are given up without a line when a later bar exceeds them", () => {
    expect(log([at(10), at(11), at(12), at(13), at(12), at(11)], 2, ["swing"])).toEqual([
      "2 formed swing high 2 13",
      "3 formed swing high 3 14",
      "5 confirmed swing high 3 14",
      "5 formed swing low 5 10",
    ]);
  });

  test("of equal extremes the first is the swing", () => {
    expect(log([at(10), at(10), at(12), at(12), at(11), at(10)], 2, ["swing"])).toEqual([
      "2 formed swing high 2 13",
      "4 confirmed swing high 2 13",
      "4 formed swing low 4 10",
      "5 formed swing low 5 9",
    ]);
  });

  test("lows mirror highs", () => {
    expect(log([at(12), at(11), at(10), at(11), at(12)], 2, ["swing"])).toEqual([
      "2 formed swing low 2 9",
      "4 formed swing high 4 13",
      "4 confirmed swing low 2 9",
    ]);
  });

  test("a level market has none", () => {
    expect(log(Array.from({ length: 20 }, () => at(10)))).toEqual([]);
  });
});

/** Up to a swing high of 14 at bar 2, down to bar 5 (whose candle is the block), up through 14 at bar 8. */
const BREAK_UP: readonly Row[] = [
  [10, 11, 9.5, 11, 1],
  [11, 12.5, 10.5, 12, 1],
  [12, 14, 11.5, 13, 1],
  [13, 13.2, 11, 11.5, 1],
  [11.5, 11.8, 10.2, 10.5, 1],
  [10.5, 10.8, 9, 9.5, 1],
  [9.5, 11.2, 9.3, 11, 3],
  [11, 13, 10.7, 12.8, 3],
  [12.8, 15, 12.5, 14.8, 3],
];

describe("breaks and order blocks", () => {
  test("the first close above the swing high breaks it; the last down candle before the move is the block", () => {
    expect(log(BREAK_UP, 2, ["break", "order-block"])).toEqual([
      "8 formed break bos bullish 8 14",
      "8 confirmed break bos bullish 8 14",
      "8 formed order-block bullish 5 9-10.8",
      "8 confirmed order-block bullish 5 9-10.8",
    ]);
  });

  test("a wick beyond the swing is no break, and a close at its very price is none", () => {
    const rows = [...BREAK_UP.slice(0, 8), [12.8, 15, 12.5, 14, 3] as const];
    expect(log(rows, 2, ["break", "order-block"])).toEqual([]);
  });

  test("a broken swing does not break twice", () => {
    const rows = [...BREAK_UP, [14.8, 14.9, 13, 13.5] as const, [13.5, 14.6, 13.4, 14.5] as const];
    expect(log(rows, 2, ["break"])).toHaveLength(2);
  });

  test("the move starts at the last of equal lows, and never before the swing that it breaks", () => {
    const twice: Row[] = [...BREAK_UP.slice(0, 6), [9.5, 10, 9, 9.2, 1], ...BREAK_UP.slice(6)];
    expect(log(twice, 2, ["order-block"])[1]).toBe("9 confirmed order-block bullish 6 9-10");
    const lowerBefore: Row[] = [[6, 7, 5, 5.5, 1], ...BREAK_UP];
    expect(log(lowerBefore, 2, ["order-block"])[1]).toBe("9 confirmed order-block bullish 6 9-10.8");
  });

  test("without a candle against the move since the swing there is no block", () => {
    const rows: Row[] = [at(10), at(11), [12, 14, 11, 12], at(11), at(10), at(9), at(11), [11, 15, 11, 14.5]];
    expect(log(rows, 2, ["break", "order-block"])).toEqual([
      "7 formed break bos bullish 7 14",
      "7 confirmed break bos bullish 7 14",
    ]);
  });

  test("a candle is a block of one direction only once", () => {
    // Bar 5 is the lowest candle of the first leg and at the same time the next swing high, so that the second leg
    // begins with it.
    const rows: Row[] = [
      ...BREAK_UP.slice(0, 5),
      [10.5, 15.5, 9, 9.5, 1],
      [9.5, 15.2, 9.3, 14.8, 1],
      [14.8, 15.3, 14.5, 15, 1],
      [15, 15.8, 14.6, 15.7, 1],
    ];
    expect(log(rows, 2, ["break"]).filter((line) => line.includes("confirmed"))).toEqual([
      "6 confirmed break bos bullish 6 14",
      "8 confirmed break bos bullish 8 15.5",
    ]);
    expect(log(rows, 2, ["order-block"])).toEqual([
      "6 formed order-block bullish 5 9-15.5",
      "6 confirmed order-block bullish 5 9-15.5",
    ]);
  });

  test("the volume ratio compares the move after the block with the average up to it", () => {
    const tracker = new StructureTracker({ timeframe: "1m", swingLength: 2 });
    BREAK_UP.forEach((row, i) => {
      tracker.advance(i, row[0], row[1], row[2], row[3], row[4] ?? 1);
    });
    expect(tracker.view.orderBlocks).toHaveLength(1);
    expect(tracker.view.orderBlocks[0]!.volumeRatio).toBe(3);
    expect(tracker.view.trend).toBe(1);
  });

  test("without any volume the ratio is 0", () => {
    const rows = BREAK_UP.map(([open, high, low, close]): Row => [open, high, low, close, 0]);
    const blocks = structureObjects(barsOf(rows), { swingLength: 2 }).filter(({ kind }) => kind === "order-block");
    expect(blocks.map(({ volumeRatio }) => volumeRatio)).toEqual([0]);
  });

  test("a close below the block ends it, a wick does not", () => {
    // It closes at the very bottom of the block, after having been beneath.
    const wick: Row = [14.8, 14.8, 8.5, 9];
    expect(log([...BREAK_UP, wick], 2, ["order-block"])).toHaveLength(2);
    const through: Row = [9, 9.4, 8, 8.9];
    expect(log([...BREAK_UP, wick, through], 2, ["order-block"])[2]).toBe("10 filled order-block bullish 5 9-10.8");
    expect(structureObjects(barsOf([...BREAK_UP, wick, through]), { swingLength: 2 })).not.toContainEqual(
      expect.objectContaining({ kind: "order-block", direction: "bullish" }),
    );
  });

  test("breaks against the trend change the character, the next one with it does not", () => {
    // After the break up the swing low of bar 5 is closed through, then the next one, of bar 14.
    const rows: Row[] = [
      ...BREAK_UP,
      [14.8, 14.9, 12, 14.5],
      [14.5, 15.5, 14.2, 15.2],
      [15.2, 15.8, 14.6, 15.5],
      [15.5, 15.6, 13, 13.2],
      [13.2, 13.3, 11, 11.5],
      [11.5, 11.7, 8, 8.4],
      [8.4, 10, 8.2, 9.8],
      [9.8, 10.5, 9.2, 10],
      [10, 10.1, 8.6, 8.8],
      [8.8, 8.9, 7, 7.5],
    ];
    expect(log(rows, 2, ["break"]).filter((line) => line.includes("confirmed"))).toEqual([
      "8 confirmed break bos bullish 8 14",
      "14 confirmed break choch bearish 14 9",
      "18 confirmed break bos bearish 18 8",
    ]);
  });
});

describe("fair value gaps", () => {
  const open: Row[] = [
    [10, 11, 9, 10.5],
    [10.5, 13.5, 10.4, 13.2],
    [13.2, 14, 12, 13.8],
  ];

  test("form and are confirmed on the third bar and sit on the middle one", () => {
    expect(log(open.slice(0, 2), 3)).toEqual([]);
    expect(log(open, 3)).toEqual(["2 formed gap bullish 1 11-12", "2 confirmed gap bullish 1 11-12"]);
  });

  test("bars that touch leave none", () => {
    expect(log([open[0]!, open[1]!, [13.2, 14, 11, 13.8]], 3)).toEqual([]);
  });

  test("last until price has traded through the whole of them", () => {
    const part: Row = [13.8, 13.9, 11.5, 12];
    const whole: Row = [12, 12.5, 11, 12.2];
    expect(log([...open, part], 9, ["gap"])).toHaveLength(2);
    expect(log([...open, part, whole], 9, ["gap"]).at(-1)).toBe("4 filled gap bullish 1 11-12");
  });

  test("bearish ones mirror", () => {
    const down = open.map(([o, h, l, c]): Row => [30 - o, 30 - l, 30 - h, 30 - c]);
    const whole: Row = [18, 19, 17, 18];
    expect(log([...down, whole], 9, ["gap"])).toEqual([
      "2 formed gap bearish 1 18-19",
      "2 confirmed gap bearish 1 18-19",
      "3 filled gap bearish 1 18-19",
    ]);
  });
});

test("the last formed and confirmed lines of an object describe what the view holds", () => {
  const bars = wander(3_000);
  const active = new Map<string, unknown>();
  for (const { event, at: _, ...line } of structureEvents(bars, { maxObjects: 10_000 })) {
    const key = `${line.kind} ${line.direction} ${line.formedAt}`;
    if (event === "confirmed") active.set(key, line);
    if (event === "filled") expect(active.delete(key)).toBe(true);
  }
  const objects = structureObjects(bars, { maxObjects: 10_000 });
  expect(objects.length).toBeGreaterThan(100);
  expect(objects.length).toBe(active.size);
  for (const line of objects) expect(active.get(`${line.kind} ${line.direction} ${line.formedAt}`)).toEqual(line);
});

/** Any bars with whole-number prices, so that ties are frequent. */
const anyBars = fc
  .array(fc.tuple(fc.integer({ min: 5, max: 30 }), fc.nat(4), fc.nat(4), fc.nat(4), fc.nat(3)), { maxLength: 120 })
  .map((rows) =>
    barsOf(rows.map(([low, a, b, c, volume]): Row => [low + a, low + Math.max(a, b) + c, low, low + b, volume])),
  );

const OPTIONS = { swingLength: 2, maxObjects: 4 } as const;

function scaled(bars: StructureInput, factor: number): StructureInput {
  const times = (column: Float64Array) => column.map((price) => price * factor);
  return { ...bars, open: times(bars.open), high: times(bars.high), low: times(bars.low), close: times(bars.close) };
}

describe("whatever the bars", () => {
  test("lines are in order, known no earlier than formed, and confirmed no later than they end", () => {
    fc.assert(
      fc.property(anyBars, (bars) => {
        let before = 0;
        for (const line of structureEvents(bars, OPTIONS)) {
          expect(line.at).toBeGreaterThanOrEqual(before);
          expect(line.at).toBeGreaterThanOrEqual(line.formedAt);
          if (line.event === "formed") expect(line.confirmedAt).toBeUndefined();
          if (line.event === "confirmed") expect(line.confirmedAt).toBe(line.at);
          if (line.event === "filled") expect(line.confirmedAt).toBeLessThan(line.at);
          if (line.top !== undefined) expect(line.top).toBeGreaterThanOrEqual(line.bottom!);
          before = line.at;
        }
      }),
    );
  });

  test("memory is bounded, the oldest objects go first, and nothing ended stays", () => {
    fc.assert(
      fc.property(anyBars, (bars) => {
        const tracker = new StructureTracker({ ...OPTIONS, timeframe: "1m" });
        for (let i = 0; i < bars.openTime.length; i++) {
          const low = bars.low[i]!;
          const high = bars.high[i]!;
          const close = bars.close[i]!;
          tracker.advance(bars.openTime[i]!, bars.open[i]!, high, low, close, bars.volume[i]!);
          const { swings, breaks, orderBlocks, gaps } = tracker.view;
          for (const list of [swings, breaks, orderBlocks, gaps]) {
            expect(list.length).toBeLessThanOrEqual(OPTIONS.maxObjects);
            for (let j = 1; j < list.length; j++) {
              expect(list[j]!.confirmedAt).toBeGreaterThanOrEqual(list[j - 1]!.confirmedAt);
            }
          }
          for (const block of orderBlocks) {
            if (block.confirmedAt === bars.openTime[i]) continue;
            expect(block.direction > 0 ? close >= block.bottom : close <= block.top).toBe(true);
          }
          for (const gap of gaps) expect(gap.direction > 0 ? low > gap.bottom : high < gap.top).toBe(true);
        }
      }),
    );
  });

  test("the same bars give the same log, with or without a listener the same view", () => {
    fc.assert(
      fc.property(anyBars, (bars) => {
        expect(structureEvents(bars, OPTIONS)).toEqual(structureEvents(bars, OPTIONS));
        const views = [undefined, () => {}].map((listener) => {
          const tracker = new StructureTracker({ ...OPTIONS, timeframe: "1m" }, listener);
          for (let i = 0; i < bars.openTime.length; i++) {
            const { openTime, open, high, low, close, volume } = bars;
            tracker.advance(openTime[i]!, open[i]!, high[i]!, low[i]!, close[i]!, volume[i]!);
          }
          const { swings, breaks, orderBlocks, gaps, trend } = tracker.view;
          return { swings, breaks, orderBlocks, gaps, trend };
        });
        expect(views[0]).toEqual(views[1]!);
      }),
    );
  });

  test("prices times a power of two give the same log with prices times that power", () => {
    fc.assert(
      fc.property(anyBars, fc.constantFrom(0.125, 4, 1024), (bars, factor) => {
        const expected = structureEvents(bars, OPTIONS).map((line) => ({
          ...line,
          ...(line.price === undefined ? {} : { price: line.price * factor }),
          ...(line.top === undefined ? {} : { top: line.top * factor, bottom: line.bottom! * factor }),
        }));
        expect(structureEvents(scaled(bars, factor), OPTIONS)).toEqual(expected);
      }),
    );
  });

  test("the market upside down gives the same objects upside down", () => {
    fc.assert(
      fc.property(anyBars, (bars) => {
        const mirror = (column: Float64Array) => column.map((price) => 64 - price);
        const turned = {
          ...bars,
          open: mirror(bars.open),
          high: mirror(bars.low),
          low: mirror(bars.high),
          close: mirror(bars.close),
        };
        const key = (line: ReturnType<typeof structureObjects>[number], upside: boolean) =>
          JSON.stringify([
            line.kind,
            line.formedAt,
            line.confirmedAt,
            line.character,
            upside ? 64 - (line.price ?? line.bottom!) : (line.price ?? line.top),
            ["high", "bullish"].includes(line.direction) !== upside,
          ]);
        const settings = { ...OPTIONS, maxObjects: 1_000 };
        expect(
          structureObjects(turned, settings)
            .map((line) => key(line, true))
            .sort(),
        ).toEqual(
          structureObjects(bars, settings)
            .map((line) => key(line, false))
            .sort(),
        );
      }),
    );
  });
});

test("bars out of order, prices out of order and impossible options are refused", () => {
  const tracker = new StructureTracker({ timeframe: "1m" });
  tracker.advance(0, 10, 11, 9, 10, 1);
  expect(() => tracker.advance(0, 10, 11, 9, 10, 1)).toThrow("does not follow");
  expect(() => tracker.advance(1, 10, 9, 11, 10, 1)).toThrow("bar 1");
  expect(() => tracker.advance(1, 10, 11, 9, Number.NaN, 1)).toThrow("bar 1");
  expect(() => new StructureTracker({ timeframe: "1m", swingLength: 0 })).toThrow("swingLength is 0");
});
