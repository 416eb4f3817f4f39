import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Effect } from "../../src/core/effects.ts";
import { riskOf, scoringInterval } from "../../src/core/life.ts";
import { VIRTUAL_EVENTS, VirtualBook, type VirtualRules, virtualResult } from "../../src/core/virtual-book.ts";
import { Bench, candidate, LEFT_ALONE, MINUTE, START } from "./core-fixture.ts";
import { VirtualModel } from "./virtual-model.ts";

const SECOND = 1000;

/** Events by name with their prices, as they were told. */
function told(effects: Effect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.kind !== "record") return [];
    const { record } = effect;
    if (record.kind === "virtual") return [`${record.event} ${record.price}`];
    if (record.kind === "virtual-opened") return [`opened ${record.entry}`];
    if (record.kind === "virtual-closed") return [`${record.trade.outcome} ${record.trade.exit}`];
    return [];
  });
}

function trades(effects: Effect[]) {
  return effects.flatMap((effect) =>
    effect.kind === "record" && effect.record.kind === "virtual-closed" ? [effect.record.trade] : [],
  );
}

/** One symbol with a hand on its bars: a minute each. */
class Hand {
  readonly book: VirtualBook;
  now = START;

  constructor(rules: Partial<VirtualRules> = {}) {
    this.book = new VirtualBook(1, { ...LEFT_ALONE, ...rules });
  }

  bar(open: number, high: number, low: number, close: number, traded = true): Effect[] {
    const out: Effect[] = [];
    const opened = this.now;
    this.now += MINUTE;
    this.book.bar(0, opened, this.now, open, high, low, close, traded, out);
    expect(this.book.check()).toEqual([]);
    return out;
  }

  quiet(price: number): Effect[] {
    return this.bar(price, price, price, price);
  }

  signal(overrides: Parameters<typeof candidate>[0] = {}): boolean {
    return this.book.signal(candidate(overrides), this.now);
  }
}

describe("a virtual position", () => {
  test("enters at the next bar's open, and not at all when nothing is traded there", () => {
    const hand = new Hand();
    hand.signal();
    expect(told(hand.bar(10_010, 10_010, 10_010, 10_010, false))).toEqual([]);
    expect(hand.book.statistics).toMatchObject({ live: 0, missed: 1, opened: 0 });
    hand.signal();
    expect(told(hand.bar(10_010, 10_050, 10_000, 10_020))).toEqual([
      "opened 10010",
      "best-excursion 10050",
      "worst-excursion 10000",
    ]);
  });

  test("is the only one of its symbol, side and setup", () => {
    const hand = new Hand();
    expect(hand.signal()).toBe(true);
    expect(hand.signal()).toBe(false);
    expect(hand.signal({ setup: "gap" })).toBe(true);
    expect(hand.signal({ direction: -1, stop: 10_100, target: 9_800 })).toBe(true);
    hand.quiet(10_000);
    expect(hand.signal()).toBe(false);
    expect(hand.book.open).toBe(3);
  });

  test("is stopped when both ends are in one bar, because the adverse side comes first", () => {
    const hand = new Hand();
    hand.signal();
    const effects = hand.bar(10_000, 10_300, 9_800, 10_000);
    expect(told(effects)).toEqual(["opened 10000", "stop-hit 9900"]);
    // What came after the stop is not part of its path.
    expect(trades(effects)[0]).toMatchObject({ best: 10_000, worst: 9_900, exitTime: hand.now - 1 });
    expect(virtualResult(trades(effects)[0]!)).toBe(-1);
  });

  test("is stopped by a touch, at the open where that is worse; its target must be traded through", () => {
    const hand = new Hand();
    hand.signal();
    hand.quiet(10_000);
    expect(told(hand.bar(10_000, 10_200, 9_901, 10_100))).not.toContain("target-hit 10200");
    expect(told(hand.bar(9_850, 9_950, 9_840, 9_900))).toContain("stop-hit 9850");
    hand.signal();
    hand.quiet(10_000);
    expect(told(hand.bar(10_000, 10_000, 9_900, 10_000))).toContain("stop-hit 9900");
    hand.signal();
    hand.quiet(10_000);
    const hit = hand.bar(10_000, 10_201, 10_000, 10_000);
    expect(told(hit)).toContain("target-hit 10200");
    expect(virtualResult(trades(hit)[0]!)).toBe(2);
  });

  test("mirrors all that for shorts", () => {
    const hand = new Hand();
    const short = { direction: -1, stop: 10_100, target: 9_800 } as const;
    hand.signal(short);
    expect(told(hand.bar(10_000, 10_100, 9_700, 10_000))).toContain("stop-hit 10100");
    hand.signal(short);
    hand.quiet(10_000);
    expect(told(hand.bar(10_150, 10_160, 10_140, 10_150))).toContain("stop-hit 10150");
    hand.signal(short);
    hand.quiet(10_000);
    expect(told(hand.bar(10_000, 10_050, 9_799, 10_000))).toContain("target-hit 9800");
  });

  test("that opens beyond its plan ends where it opened", () => {
    const hand = new Hand();
    hand.signal();
    expect(told(hand.bar(9_890, 9_950, 9_800, 9_900))).toEqual(["opened 9890", "stop-hit 9890"]);
    hand.signal();
    expect(told(hand.bar(10_250, 10_250, 10_240, 10_250))).toEqual(["opened 10250", "target-hit 10250"]);
  });

  test("tells when an end comes near, once, and again after it was far", () => {
    const hand = new Hand();
    hand.signal();
    hand.quiet(10_000);
    const events: string[] = [];
    for (const price of [10_170, 10_180, 10_090, 10_170, 9_915]) events.push(...told(hand.quiet(price)));
    expect(events.filter((event) => event.includes("near"))).toEqual([
      "target-near 10170",
      "target-near 10170",
      "stop-near 9915",
    ]);
  });

  test("moves its stop at a close only, and is not hit by the bar that moved it", () => {
    const hand = new Hand({ breakEvenAt: 1, trailFrom: 1.5, trailDistance: 1 });
    hand.signal({ target: 10_900 });
    hand.quiet(10_000);
    expect(told(hand.bar(10_000, 10_110, 9_950, 10_105))).toContain("stop-moved 10000");
    expect(told(hand.bar(10_105, 10_190, 10_001, 10_180))).toContain("stop-moved 10080");
    const end = hand.bar(10_180, 10_180, 10_080, 10_100);
    expect(told(end)).toContain("stop-hit 10080");
    expect(trades(end)[0]).toMatchObject({ stop: 9_900, finalStop: 10_080, stopMoves: 2, best: 10_190 });
  });

  test("expires at the close at which its time is over, and with its symbol", () => {
    const hand = new Hand({ virtualMaxHolding: 3 * MINUTE });
    hand.signal();
    hand.quiet(10_000);
    hand.quiet(10_010);
    expect(told(hand.quiet(10_020))).toContain("expired 10020");
    hand.signal();
    hand.quiet(10_000);
    hand.signal({ setup: "gap" });
    const out: Effect[] = [];
    hand.book.delisted(0, 9_990, hand.now, out);
    expect(told(out)).toEqual(["expired 9990"]);
    expect(hand.book.statistics.live).toBe(0);
    expect(hand.book.check()).toEqual([]);
  });

  test("is told of a change of regime, not of one that is unknown for a while", () => {
    const hand = new Hand();
    const out: Effect[] = [];
    hand.book.regime(0, "trending", 10_000, hand.now, out);
    hand.signal();
    hand.quiet(10_000);
    for (const regime of ["unknown", "trending", "ranging"] as const) {
      hand.book.regime(0, regime, 10_005, hand.now, out);
    }
    expect(told(out)).toEqual(["regime-changed 10005"]);
  });
});

describe("scoring", () => {
  test("follows the formula of the original system", () => {
    // tpDistance = (TP - price) / (TP - entry), slDistance = (price - SL) / (entry - SL)
    expect(riskOf(1, 10_000, 9_900, 10_200, 10_000)).toBe(0);
    expect(riskOf(1, 10_000, 9_900, 10_200, 10_100)).toBe(0.5);
    expect(riskOf(1, 10_000, 9_900, 10_200, 9_910)).toBeCloseTo(0.9);
    expect(riskOf(-1, 10_000, 10_100, 9_800, 9_900)).toBe(0.5);
    expect(riskOf(1, 10_000, 9_900, 10_200, 9_899)).toBe(1);
    expect([0.81, 0.8, 0.5, 0.2, 0].map(scoringInterval)).toEqual([100, 500, 2000, 5000, 5000]);
  });

  test("happens at absolute deadlines with the first price from then on", () => {
    const hand = new Hand();
    hand.signal();
    hand.quiet(10_000);
    // Risk 0: scored every five seconds from the entry's time, whatever the rhythm of the prices.
    const before = hand.book.statistics.marked;
    const out: Effect[] = [];
    for (let ms = 1700; ms <= 17_000; ms += 1700) {
      hand.book.prices(0, hand.now + ms, 10_000, 10_000, 10_000, 10_000, out);
    }
    expect(hand.book.statistics.marked - before).toBe(3);
    // Risk above 0.8: with every price that is at least 100 ms on.
    hand.book.prices(0, hand.now + 20_000, 9_905, 9_905, 9_905, 9_905, out);
    const near = hand.book.statistics.marked;
    for (let ms = 50; ms <= 1000; ms += 50) {
      hand.book.prices(0, hand.now + 20_000 + ms, 9_905, 9_905, 9_905, 9_905, out);
    }
    expect(hand.book.statistics.marked - near).toBe(10);
    expect(hand.book.riskOf(0, 1, "order-block")).toBeCloseTo(0.95);
  });

  test("without smart monitoring happens once per cycle", () => {
    const hand = new Hand({ smartMonitoring: false, cycle: 10 * SECOND });
    hand.signal();
    hand.quiet(10_000);
    const before = hand.book.statistics.marked;
    for (let second = 1; second <= 60; second++) {
      hand.book.prices(0, hand.now + second * SECOND, 9_905, 9_905, 9_905, 9_905, []);
    }
    expect(hand.book.statistics.marked - before).toBe(6);
  });
});

/** A walk of prices over some symbols with signals on the way; positions are narrow, so that much is hit. */
const scenario = fc.record({
  rules: fc.record({
    breakEvenAt: fc.constantFrom(0, 0.5, 1),
    trailFrom: fc.constantFrom(0, 1),
    trailDistance: fc.constantFrom(0.5, 1),
    virtualMaxHolding: fc.constantFrom(0, 5 * MINUTE),
  }),
  steps: fc.array(
    fc.record({
      symbol: fc.integer({ min: 0, max: 2 }),
      traded: fc.integer({ min: 0, max: 9 }).map((one) => one > 0),
      gap: fc.integer({ min: -8, max: 8 }),
      up: fc.integer({ min: 0, max: 15 }),
      down: fc.integer({ min: 0, max: 15 }),
      close: fc.integer({ min: 0, max: 100 }),
      ticks: fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 })), { maxLength: 2 }),
      signals: fc.array(
        fc.record({
          long: fc.boolean(),
          setup: fc.constantFrom("a", "b", "c", "d"),
          stop: fc.integer({ min: 1, max: 30 }),
          target: fc.integer({ min: 1, max: 40 }),
        }),
        { maxLength: 3 },
      ),
    }),
    { minLength: 40, maxLength: 120 },
  ),
});

test("no hit is missed and none is invented: the book equals brute force", () => {
  let hits = 0;
  fc.assert(
    fc.property(scenario, ({ rules: some, steps }) => {
      const rules = { ...LEFT_ALONE, ...some };
      const book = new VirtualBook(3, rules);
      const model = new VirtualModel(rules);
      const price = [10_000, 10_000, 10_000];
      const last = [START, START, START];
      let now = START;
      const effects: Effect[] = [];
      for (const { symbol, traded, gap, up, down, close: share, ticks, signals } of steps) {
        const open = price[symbol]! + (traded ? gap : 0);
        const high = open + (traded ? up : 0);
        const low = open - (traded ? down : 0);
        const close = low + Math.round(((high - low) * share) / 100);
        const opened = last[symbol]!;
        now += MINUTE;
        last[symbol] = now;
        book.bar(symbol, opened, now, open, high, low, close, traded, effects);
        model.bar(symbol, opened, now, { open, high, low, close, traded });
        price[symbol] = close;
        if (rules.virtualMaxHolding === 0) {
          ticks.forEach(([above, below], index) => {
            const time = now + (index + 1) * 6000;
            const at = price[symbol]!;
            book.prices(symbol, time, at, at + above, at - below, at, effects);
            model.prices(symbol, time, { open: at, high: at + above, low: at - below });
          });
        }
        for (const { long, setup, stop, target } of signals) {
          const direction = long ? 1 : -1;
          const entry = price[symbol]!;
          const plan = { entry, stop: entry - direction * stop, target: entry + direction * target };
          const signal = candidate({ symbol, direction, setup, ...plan });
          book.signal(signal, now);
          model.signal(signal);
        }
        expect(book.check()).toEqual([]);
        expect(book.statistics.live).toBe(model.live);
      }
      const byId = <T extends { id: number }>(list: readonly T[]) => list.toSorted((a, b) => a.id - b.id);
      const found = byId(trades(effects));
      hits += found.length;
      expect(found.length).toBe(model.closed.length);
      byId(model.closed).forEach((expected, index) => {
        expect(found[index]).toMatchObject({ ...expected });
      });
    }),
    { numRuns: 300 },
  );
  // The property is worth nothing where nothing happens.
  expect(hits).toBeGreaterThan(2000);
});

describe("in the core", () => {
  test("every qualifying signal opens one before the cut, whether or not an order is sent", () => {
    const bench = new Bench({ maxSignals: 1 });
    bench.give({ kind: "command", time: bench.now, symbol: -1, command: "pause" });
    bench.bars();
    bench.analysis([
      candidate({ confidence: 0.9 }),
      candidate({ confidence: 0.8, symbol: 1 }),
      candidate({ confidence: 0.1, setup: "gap" }),
    ]);
    bench.bars();
    expect(bench.submitted()).toEqual([]);
    expect(bench.records("virtual-opened").map((record) => record.symbol)).toEqual([0, 1]);
    expect(bench.records("virtual-opened")[0]).toMatchObject({ entry: 10_000, time: bench.now - MINUTE });
  });

  test("a tick between the bars hits them too", () => {
    const bench = new Bench();
    bench.bars();
    bench.analysis([candidate()]);
    bench.bars();
    const time = bench.now + 1000;
    bench.give({ kind: "tick", time, symbol: 0, first: 9_950, high: 9_960, low: 9_899, last: 9_950 });
    expect(bench.records("virtual-closed")).toMatchObject([{ time, trade: { outcome: "stop-hit", exit: 9_900 } }]);
  });

  test("the statistics come once per cycle, on whole multiples of it, while something is live", () => {
    const bench = new Bench({ life: { ...LEFT_ALONE, cycle: 7000 } });
    bench.bars();
    expect(bench.effects.some((effect) => effect.kind === "set-timer" && effect.timer.startsWith("virtual"))).toBe(
      false,
    );
    bench.analysis([candidate()]);
    bench.bars();
    const timers = bench.effects.filter((effect) => effect.kind === "set-timer" && effect.timer.startsWith("virtual"));
    const at = bench.now - (bench.now % 7000) + 7000;
    expect(timers).toEqual([{ kind: "set-timer", timer: "virtual-statistics", at }]);
    bench.give({ kind: "timer", time: at, symbol: -1, timer: "virtual-statistics" });
    expect(bench.records("virtual-statistics")).toMatchObject([{ time: at, statistics: { live: 1, opened: 1 } }]);
  });

  test("a symbol that leaves takes its virtual positions with it", () => {
    const bench = new Bench();
    bench.bars();
    bench.analysis([candidate({ symbol: 1 })]);
    bench.bars();
    bench.give({ kind: "listing", time: bench.now, symbol: 1, listed: false });
    expect(bench.records("virtual-closed")[0]?.trade).toMatchObject({ outcome: "expired", exit: 10_000 });
  });
});

test("there are eleven kinds of events", () => {
  expect(new Set(VIRTUAL_EVENTS).size).toBe(11);
});
