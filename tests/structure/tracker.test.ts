import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type StructureInput,
  type StructureSettings,
  structureEvents,
  structureObjects,
} from "../../src/inspect/structure.ts";
import type { StructureEvent, StructureLine } from "../../src/structure/events.ts";
import { StructureTracker } from "../../src/structure/tracker.ts";
import { AverageTrueRange } from "../../src/structure/true-range.ts";
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
    expect(log([...BREAK_UP, wick], 2, ["order-block"]).slice(2)).toEqual([
      "9 tested order-block bullish 5 9-10.8",
      "9 mitigated order-block bullish 5 9-10.8",
    ]);
    const through: Row = [9, 9.4, 8, 8.9];
    expect(log([...BREAK_UP, wick, through], 2, ["order-block"])[4]).toBe("10 filled order-block bullish 5 9-10.8");
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
    expect(log([...open, part], 9, ["gap"]).slice(2)).toEqual(["3 mitigated gap bullish 1 11-12"]);
    expect(log([...open, part, whole], 9, ["gap"]).at(-1)).toBe("4 filled gap bullish 1 11-12");
  });

  test("bearish ones mirror", () => {
    const down = open.map(([o, h, l, c]): Row => [30 - o, 30 - l, 30 - h, 30 - c]);
    const whole: Row = [18, 19, 17, 18];
    expect(log([...down, whole], 9, ["gap"])).toEqual([
      "2 formed gap bearish 1 18-19",
      "2 confirmed gap bearish 1 18-19",
      "3 mitigated gap bearish 1 18-19",
      "3 filled gap bearish 1 18-19",
    ]);
  });
});

/** A tracker that has seen the rows. */
function tracked(rows: readonly Row[], options: StructureSettings = {}): StructureTracker {
  const tracker = new StructureTracker({ timeframe: "1m", swingLength: 2, ...options });
  rows.forEach(([open, high, low, close, volume], i) => {
    tracker.advance(i * MINUTE, open, high, low, close, volume ?? 1);
  });
  return tracker;
}

describe("what becomes of zones", () => {
  const above: Row = [13, 14, 12, 13];
  const edge: Row = [12, 13, 10.8, 12];
  const deeper: Row = [12, 13, 10.35, 12];

  test("a test is a return after having left; the same visit is not counted twice", () => {
    const rows = [...BREAK_UP, above, edge, deeper, above, deeper];
    expect(log(rows, 2, ["order-block"]).slice(2)).toEqual([
      "10 tested order-block bullish 5 9-10.8",
      "13 tested order-block bullish 5 9-10.8",
    ]);
    const [block] = tracked(rows).view.orderBlocks;
    expect(block).toMatchObject({ tests: 2, touching: true, fill: expect.closeTo(0.25) });
    expect(tracked([...rows, above]).view.orderBlocks[0]).toMatchObject({ tests: 2, touching: false });
  });

  test("it is mitigated once, when half of it was traded through", () => {
    const half: Row = [12, 13, 9.9, 12];
    const rows = [...BREAK_UP, deeper, half, above, half];
    expect(log(rows, 2, ["order-block"]).filter((line) => line.includes("mitigated"))).toEqual([
      "10 mitigated order-block bullish 5 9-10.8",
    ]);
  });

  test("a gap fills by degrees", () => {
    const open: Row[] = [
      [10, 11, 9, 10.5],
      [10.5, 13.5, 10.4, 13.2],
      [13.2, 14, 12, 13.8],
    ];
    const fills = [12.5, 11.75, 11.9, 11.25].map((_, i, lows) => {
      const rows = [...open, ...lows.slice(0, i + 1).map((each): Row => [13, 13.5, each, 13])];
      return tracked(rows).view.gaps[0]!.fill;
    });
    expect(fills).toEqual([0, 0.25, 0.25, 0.75]);
  });

  test("an order block that fails becomes a breaker of the other direction, until that fails as well", () => {
    const through: Row = [12, 12, 8.5, 8.9];
    const below: Row = [8.5, 8.8, 8, 8.4];
    const back: Row = [8.5, 10, 8.4, 8.9];
    const over: Row = [9, 11, 9, 10.9];
    expect(log([...BREAK_UP, through, below, back, over], 2, ["breaker"])).toEqual([
      "9 formed breaker bearish 5 9-10.8",
      "9 confirmed breaker bearish 5 9-10.8",
      "11 tested breaker bearish 5 9-10.8",
      "11 mitigated breaker bearish 5 9-10.8",
      "12 filled breaker bearish 5 9-10.8",
    ]);
    expect(tracked([...BREAK_UP, through]).view).toMatchObject({
      breakers: [{ direction: -1, top: 10.8, bottom: 9, volumeRatio: 3, tests: 0 }],
    });
    expect(tracked([...BREAK_UP, through, below, back, over]).view.breakers).toEqual([]);
  });
});

describe("scales", () => {
  test("external swings stand out further; their breaks have a trend of their own", () => {
    const lines = structureEvents(wander(3_000), { externalLength: 12 });
    const count = (kind: string, scale: string) =>
      lines.filter((line) => line.kind === kind && line.scale === scale && line.event === "confirmed").length;
    expect(count("swing", "external")).toBeGreaterThan(30);
    expect(count("swing", "internal")).toBeGreaterThan(3 * count("swing", "external"));
    expect(count("break", "external")).toBeGreaterThan(10);
    // An external swing is an internal one too, known later.
    const internal = new Map<string, number>();
    for (const { kind, scale, event, direction, formedAt, at } of lines) {
      if (kind !== "swing" || event !== "confirmed") continue;
      const key = `${direction} ${formedAt}`;
      if (scale === "internal") internal.set(key, at);
      else expect(internal.get(key)!).toBeLessThan(at);
    }
  });

  test("a candle is one block, whichever scale broke", () => {
    const { view } = new StructureTracker({ timeframe: "5m" });
    expect(view.external.trend).toBe(0);
    const keys = structureObjects(wander(3_000), { maxObjects: 10_000 })
      .filter(({ kind }) => kind === "order-block")
      .map(({ direction, formedAt }) => `${direction} ${formedAt}`);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

/** Bars around 10 with a range of 2, so that the average true range is 2; highs at chosen bars. */
function plateau(count: number, highs: Readonly<Record<number, number>>): Row[] {
  return Array.from({ length: count }, (_, i): Row => [10, highs[i] ?? 11, 9, 10]);
}

describe("liquidity", () => {
  const pools = (rows: readonly Row[], kinds = ["pool", "sweep"]) => log(rows, 2, kinds);
  // The true range is 2 or a bit more, a tenth of it is the tolerance.
  const equal = { 15: 12, 20: 12.1 };

  test("two swing highs within a tenth of the average true range make a pool, at the outer one", () => {
    expect(pools(plateau(30, equal))).toEqual(["22 formed pool high 20 12.1", "22 confirmed pool high 20 12.1"]);
    expect(pools(plateau(30, { 15: 12.1, 20: 12 }))[1]).toBe("22 confirmed pool high 15 12.1");
    expect(pools(plateau(30, { 15: 12, 20: 12.4 }))).toEqual([]);
    expect(pools(plateau(30, { 3: 12, 7: 12 }))).toEqual([]);
  });

  test("one more equal high makes it larger", () => {
    const rows = plateau(30, { ...equal, 25: 12.05 });
    expect(pools(rows).slice(2)).toEqual(["27 tested pool high 20 12.1"]);
    expect(tracked(rows).view.pools).toMatchObject([{ touches: 3 }]);
  });

  test("a wick beyond that closes back sweeps it, a close beyond runs through it", () => {
    const wick = [...plateau(30, equal), [10, 12.5, 9, 10] as const];
    expect(pools(wick).slice(2)).toEqual([
      "30 swept pool high 20 12.1",
      "30 formed sweep bearish 30 12.1",
      "30 confirmed sweep bearish 30 12.1",
    ]);
    expect(tracked(wick).view).toMatchObject({ pools: [], sweeps: [{ of: "pool", direction: -1 }] });
    const atThePrice = [...plateau(30, equal), [10, 12.5, 9, 12.1] as const];
    expect(pools(atThePrice)[2]).toBe("30 swept pool high 20 12.1");
    const run = [...plateau(30, equal), [10, 12.5, 9, 12.4] as const];
    expect(pools(run).slice(2)).toEqual(["30 filled pool high 20 12.1"]);
  });

  test("lows mirror highs", () => {
    const rows = plateau(30, equal).map(([, high]): Row => [10, 11, 20 - high, 10]);
    expect(pools([...rows, [10, 11, 7, 10]])).toEqual([
      "22 formed pool low 20 7.9",
      "22 confirmed pool low 20 7.9",
      "30 swept pool low 20 7.9",
      "30 formed sweep bullish 30 7.9",
      "30 confirmed sweep bullish 30 7.9",
    ]);
  });

  test("an external swing is swept once, and not when it is broken", () => {
    const rows = plateau(40, { 15: 13 });
    const wick: Row = [10, 13.5, 9, 10];
    expect(log([...rows, wick, wick], 2, ["sweep"])).toEqual([
      "40 formed sweep bearish 40 13",
      "40 confirmed sweep bearish 40 13",
    ]);
    expect(log([...rows, [10, 13.5, 9, 13.2]], 2, ["sweep"])).toEqual([]);
  });
});

test("the average true range is Wilder's, with the close before", () => {
  const average = new AverageTrueRange(2);
  const bars = [
    [11, 9, 10],
    [15, 14, 14],
    [12, 11, 12],
    [13, 11, 12],
  ] as const;
  // True ranges 2, 5, 3 and 2.
  expect(bars.map(([high, low, close]) => average.advance(high, low, close))).toEqual([Number.NaN, 3.5, 3.25, 2.625]);
});

test("a displacement is a body of one and a half average true ranges with little wick", () => {
  const quiet = plateau(20, {});
  const of = (row: Row) => log([...quiet, row], 2, ["displacement"]);
  expect(of([10, 13.2, 9.9, 13])).toEqual([
    "20 formed displacement bullish 20 10-13",
    "20 confirmed displacement bullish 20 10-13",
  ]);
  expect(of([13, 13.2, 9.9, 10])).toHaveLength(2);
  expect(of([10, 13, 9.9, 12.9])).toEqual([]);
  expect(of([10, 14.5, 9.9, 13])).toEqual([]);
  expect(log([...quiet.slice(0, 13), [10, 13.2, 9.9, 13]], 2, ["displacement"])).toEqual([]);
});

test("the dealing range lies between the last external swings; the later one points its way", () => {
  const rows = [...plateau(15, {}), [10, 13, 9, 10] as const, ...plateau(15, {}), [10, 11, 6, 10] as const];
  expect(tracked(rows).view.range).toBeUndefined();
  expect(tracked([...rows, ...plateau(10, {})]).view.range).toEqual({
    kind: "range",
    direction: -1,
    top: 13,
    bottom: 6,
    formedAt: 31 * MINUTE,
    confirmedAt: 41 * MINUTE,
  });
});

describe("days, weeks and sessions", () => {
  const HOUR = 60 * MINUTE;
  const MONDAY = 4 * 24 * HOUR;

  /** Hourly bars from a time on; the price of an hour is its number since Monday. */
  function hourly(from: number, count: number): { tracker: StructureTracker; lines: string[] } {
    const lines: string[] = [];
    const tracker = new StructureTracker({ timeframe: "1h" }, ({ kind, event, at, formedAt, ...line }) => {
      if (kind !== "level" && kind !== "session" && kind !== "sweep") return;
      const hour = (time: number) => (time - MONDAY) / HOUR;
      const name = line.period ?? line.session ?? line.of;
      const prices = line.top === undefined ? line.price : `${line.bottom}-${line.top}`;
      lines.push(`${hour(at)} ${event} ${name} ${line.direction} ${hour(formedAt)} ${prices}`);
    });
    for (let i = 0; i < count; i++) {
      const price = 100 + (from - MONDAY) / HOUR + i;
      tracker.advance(from + i * HOUR, price, price + 1, price - 1, price, 1);
    }
    return { tracker, lines };
  }

  test("a day leaves its high and low to the next one, which takes them or sweeps them", () => {
    const { lines } = hourly(MONDAY, 25);
    expect(lines.filter((line) => / (day|previous-day) /.test(line))).toEqual([
      "24 formed day high 23 124",
      "24 confirmed day high 23 124",
      "24 formed day low 0 99",
      "24 confirmed day low 0 99",
      // The first bar of Tuesday trades to 125 and closes at 124, which is the level itself.
      "24 swept day high 23 124",
      "24 formed previous-day bearish 24 124",
      "24 confirmed previous-day bearish 24 124",
    ]);
  });

  test("a day or week that was not seen from its beginning leaves nothing", () => {
    expect(hourly(MONDAY + HOUR, 24).tracker.view.levels).toEqual([]);
    const later = hourly(MONDAY + HOUR, 8 * 24).tracker.view.levels;
    expect(later.map(({ period, direction }) => [period, direction])).toEqual([
      ["day", 1],
      ["day", -1],
    ]);
  });

  test("weeks begin on Monday, 00:00 UTC", () => {
    const { tracker } = hourly(MONDAY, 7 * 24 + 1);
    expect(tracker.view.levels.filter(({ period }) => period === "week")).toMatchObject([
      { direction: 1, price: 100 + 168, formedAt: MONDAY + 167 * HOUR, confirmedAt: MONDAY + 168 * HOUR },
      { direction: -1, price: 99, formedAt: MONDAY },
    ]);
  });

  test("sessions have the stated hours and are confirmed by the first bar after", () => {
    const sessions = hourly(MONDAY, 24).lines.filter((line) => /asia|london|new-york/.test(line));
    expect(sessions).toEqual([
      "0 formed asia bullish 0 99-101",
      "7 formed london bullish 7 106-108",
      "9 confirmed asia bullish 0 99-109",
      "13 formed new-york bullish 13 112-114",
      "16 confirmed london bullish 7 106-116",
      "22 confirmed new-york bullish 13 112-122",
    ]);
    expect(hourly(MONDAY, 48).tracker.view.sessions).toHaveLength(3);
  });
});

test("confirmed objects that have not ended are what the view holds", () => {
  const bars = wander(3_000);
  const active = new Map<string, StructureEvent>();
  const key = (line: StructureLine) =>
    [line.kind, line.scale, line.direction, line.formedAt, line.period, line.session, line.of, line.price].join(" ");
  for (const line of structureEvents(bars, { maxObjects: 10_000 })) {
    // Levels stay known when they are taken, only the newest count; of sessions and ranges the newest is kept.
    if (line.kind === "level" || line.kind === "session" || line.kind === "range") continue;
    if (line.event === "confirmed" || line.event === "tested" || line.event === "mitigated")
      active.set(key(line), line);
    if (line.event === "filled" || line.event === "swept") expect(active.delete(key(line))).toBe(true);
  }
  const objects = structureObjects(bars, { maxObjects: 10_000 }).filter(
    ({ kind }) => kind !== "level" && kind !== "session" && kind !== "range",
  );
  expect(objects.length).toBeGreaterThan(100);
  expect(objects.length).toBe(active.size);
  for (const { fill, ...line } of objects) {
    const { event: _, at: __, fill: logged, ...known } = active.get(key(line))!;
    expect(known).toEqual(line);
    // Between two lines a zone goes on being filled.
    if (fill !== undefined) expect(fill).toBeGreaterThanOrEqual(logged!);
  }
});

/** Any bars with whole-number prices, so that ties are frequent. */
const anyBars = fc
  .array(fc.tuple(fc.integer({ min: 5, max: 30 }), fc.nat(4), fc.nat(4), fc.nat(4), fc.nat(3)), { maxLength: 120 })
  .map((rows) =>
    barsOf(rows.map(([low, a, b, c, volume]): Row => [low + a, low + Math.max(a, b) + c, low, low + b, volume])),
  );

const OPTIONS = { swingLength: 2, externalLength: 5, maxObjects: 4, atrPeriod: 4, equalTolerance: 0.5 } as const;

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
          if (line.event === "tested" || line.event === "mitigated") expect(line.confirmedAt).toBeLessThan(line.at);
          // Yesterday's level is known with today's first bar, which may already take it.
          if (line.event === "filled" || line.event === "swept") {
            if (line.kind === "level") expect(line.confirmedAt).toBeLessThanOrEqual(line.at);
            else expect(line.confirmedAt).toBeLessThan(line.at);
          }
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
          const { external, breakers, pools, sweeps, displacements, levels, sessions } = tracker.view;
          const { swings, breaks, orderBlocks, gaps } = tracker.view;
          expect(levels.length).toBeLessThanOrEqual(4);
          expect(sessions.length).toBeLessThanOrEqual(3);
          const zones = [orderBlocks, breakers, gaps];
          for (const zone of zones.flat()) {
            expect(zone.fill).toBeGreaterThanOrEqual(0);
            expect(zone.fill).toBeLessThanOrEqual(1);
            if (zone.confirmedAt === bars.openTime[i]) continue;
            expect(zone.touching).toBe(zone.direction > 0 ? low <= zone.top : high >= zone.bottom);
          }
          for (const list of [
            swings,
            breaks,
            external.swings,
            external.breaks,
            ...zones,
            pools,
            sweeps,
            displacements,
          ]) {
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
          return { ...tracker.view, onEvent: undefined };
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
            [line.tests, line.fill, line.touches, line.of, line.scale],
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
