import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { OrderRequest } from "../../src/core/effects.ts";
import { type EntryRules, limitPrice, worstPrice } from "../../src/core/entry.ts";
import { AT_MARKET, Bench, candidate, MINUTE } from "./core-fixture.ts";

const LIMIT_FIRST: EntryRules = { ...AT_MARKET, order: "limit-first" };
const ARRIVAL = 10_000;

/** A bench on which an entry has been decided at 10 000 ticks. */
function entering(rules: Partial<EntryRules> = {}, direction: 1 | -1 = 1): { bench: Bench; limit: OrderRequest } {
  const bench = new Bench({ entry: { ...LIMIT_FIRST, ...rules } });
  bench.bars();
  const [stop, target] = [ARRIVAL - direction * 100, ARRIVAL + direction * 200];
  const limit = bench.submitted(bench.analysis([candidate({ direction, stop, target })]))[0]!;
  return { bench, limit };
}

function entries(bench: Bench): OrderRequest[] {
  return bench.submitted().filter(({ purpose }) => purpose === "entry");
}

function stopsOf(orders: readonly OrderRequest[]): number[] {
  return orders.filter(({ purpose }) => purpose === "working-stop").map(({ lots }) => lots);
}

/** The time of the limit order is over. */
function timeOver(bench: Bench): void {
  bench.now += MINUTE;
  bench.give({ kind: "timer", time: bench.now, symbol: -1, timer: "entry:0:both" });
}

describe("a limit order waits first", () => {
  test("at the price of the decision or better, for its time, and at market by default", () => {
    const { bench, limit } = entering({ limitOffset: 10, limitTime: 5000 });
    expect(limit).toMatchObject({ type: "limit", price: 9_990, timeInForce: "gtc", purpose: "entry", side: 1 });
    expect(bench.effects).toContainEqual({ kind: "set-timer", timer: "entry:0:both", at: bench.now + 5000 });
    expect(entering({ limitOffset: 10 }, -1).limit.price).toBe(10_010);
    expect(entering({ order: "market" }).limit).toMatchObject({ type: "market", price: 0, timeInForce: "ioc" });
    expect(entering({ postOnly: true }).limit).toMatchObject({ price: 9_999, timeInForce: "post-only" });
  });

  test("filled whole it is an entry like any other", () => {
    const { bench, limit } = entering();
    bench.answer(limit.id, "accepted");
    const closing = bench.submitted(bench.fill(limit.id, limit.lots, ARRIVAL, { maker: true }));
    expect(closing.map(({ purpose }) => purpose)).toEqual(["disaster-stop", "working-stop", "target"]);
    expect(bench.effects).toContainEqual({ kind: "clear-timer", timer: "entry:0:both" });
    timeOver(bench);
    expect(bench.cancelled()).toEqual([]);
    expect(entries(bench)).toHaveLength(1);
  });

  test("each part that fills is protected, and the stop grows with it", () => {
    const { bench, limit } = entering();
    const [a, b] = [100, 50];
    const first = bench.submitted(bench.fill(limit.id, a, ARRIVAL, { done: false }));
    expect(stopsOf(first)).toEqual([a]);
    expect(bench.effects).toContainEqual({ kind: "set-timer", timer: "protection:0:both", at: bench.now + 5000 });
    for (const { id } of first) bench.answer(id, "accepted");
    const second = bench.submitted(bench.fill(limit.id, b, ARRIVAL, { done: false }));
    expect(stopsOf(second)).toEqual([a + b]);
    const before = first.find(({ purpose }) => purpose === "working-stop")!.id;
    expect(bench.cancelled()).not.toContain(before);
    bench.answer(second.find(({ purpose }) => purpose === "working-stop")!.id, "accepted");
    expect(bench.cancelled()).toContain(before);
  });

  test("the target is resized once, when the entry is complete", () => {
    const { bench, limit } = entering();
    const target = bench.submitted(bench.fill(limit.id, 100, ARRIVAL, { done: false })).at(-1)!;
    expect(target.purpose).toBe("target");
    bench.answer(target.id, "accepted");
    bench.fill(limit.id, 50, ARRIVAL, { done: false });
    expect(bench.cancelled()).not.toContain(target.id);
    bench.fill(limit.id, limit.lots - 150, ARRIVAL);
    expect(bench.cancelled()).toContain(target.id);
    bench.answer(target.id, "cancelled");
    expect(bench.submitted().at(-1)).toMatchObject({ purpose: "target", lots: limit.lots });
  });

  test("the time is looked at with each bar of the symbol too", () => {
    const { bench, limit } = entering();
    bench.bars();
    expect(bench.cancelled()).toEqual([limit.id]);
  });
});

describe("the rest goes to market when the limit order has ended", () => {
  test("and not before; what filled on the way counts", () => {
    const { bench, limit } = entering();
    bench.fill(limit.id, 100, ARRIVAL, { done: false });
    timeOver(bench);
    expect(bench.cancelled()).toContain(limit.id);
    bench.fill(limit.id, 40, ARRIVAL, { done: false });
    expect(entries(bench)).toHaveLength(1);
    // At this price a new decision would be for more lots.
    bench.give({ kind: "tick", time: bench.now, symbol: 0, first: 9_910, high: 9_910, low: 9_910, last: 9_910 });
    bench.answer(limit.id, "cancelled");
    const rest = entries(bench)[1]!;
    expect(rest).toMatchObject({ type: "market", lots: limit.lots - 140, arrival: ARRIVAL, side: 1 });
    bench.fill(rest.id, rest.lots, ARRIVAL + 3);
    const { holding, phase } = bench.state.positions.get("0:both")!;
    expect(holding.openedLots).toBe(limit.lots);
    expect(phase).toEqual({ kind: "open", entry: 0 });
    // The journal told the cancellation twice.
    bench.answer(limit.id, "cancelled");
    expect(entries(bench)).toHaveLength(2);
  });

  test("it was filled while it was to be cancelled: nothing is left to take", () => {
    const { bench, limit } = entering();
    timeOver(bench);
    bench.answer(limit.id, "cancel-rejected", -2011);
    expect(entries(bench)).toHaveLength(1);
    bench.fill(limit.id, limit.lots, ARRIVAL);
    timeOver(bench);
    expect(entries(bench)).toHaveLength(1);
    expect(bench.cancelled()).toEqual([limit.id]);
  });

  test("a cancellation that found nothing is asked for again, or the order would rest for ever", () => {
    const { bench, limit } = entering();
    timeOver(bench);
    bench.answer(limit.id, "cancel-rejected", -2011);
    expect(bench.effects.at(-1)).toEqual({ kind: "set-timer", timer: "entry:0:both", at: bench.now + 1000 });
    timeOver(bench);
    expect(bench.cancelled()).toEqual([limit.id, limit.id]);
    bench.answer(limit.id, "cancelled");
    expect(entries(bench)[1]).toMatchObject({ lots: limit.lots, type: "market" });
  });

  test("nobody knows of the limit order: its rest is nobody's to take until it is known", () => {
    const { bench, limit } = entering();
    bench.answer(limit.id, "unknown");
    timeOver(bench);
    expect(bench.cancelled()).toEqual([limit.id]);
    bench.answer(limit.id, "accepted");
    expect(entries(bench)).toHaveLength(1);
    bench.answer(limit.id, "rejected");
    expect(entries(bench)).toHaveLength(1);
    expect(bench.state.positions.size).toBe(0);
  });

  test.each(["cancelled", "expired", "rejected"] as const)("ended by the exchange (%s) it is left", (answer) => {
    const { bench, limit } = entering();
    bench.fill(limit.id, 100, ARRIVAL, { done: false });
    bench.answer(limit.id, answer);
    expect(entries(bench)).toHaveLength(1);
    expect(bench.state.positions.get("0:both")!.phase).toEqual({ kind: "open", entry: 0 });
  });

  test("vanished while it was to be cancelled it is left: fills of it may come yet", () => {
    const { bench, limit } = entering();
    timeOver(bench);
    bench.answer(limit.id, "expired");
    expect(entries(bench)).toHaveLength(1);
  });

  test.each(["rejected", "expired"] as const)("refused as post-only (%s), it takes what has come", (answer) => {
    const { bench, limit } = entering({ postOnly: true });
    bench.answer(limit.id, answer, -5022);
    expect(entries(bench)[1]).toMatchObject({ type: "market", lots: limit.lots, arrival: ARRIVAL });
  });

  test("limit-only takes nothing, and says so", () => {
    const late = entering({ order: "limit-only" });
    timeOver(late.bench);
    late.bench.answer(late.limit.id, "cancelled");
    expect(entries(late.bench)).toHaveLength(1);
    expect(late.bench.records("refusal")[0]).toMatchObject({ guard: "entry", numbers: { left: late.limit.lots } });
    const refused = entering({ order: "limit-only", postOnly: true });
    refused.bench.answer(refused.limit.id, "rejected", -5022);
    expect(entries(refused.bench)).toHaveLength(1);
    expect(refused.bench.state.positions.size).toBe(0);
  });
});

describe("the rest is left", () => {
  /** Half is filled, the time is over, and something happens before the cancellation is known. */
  function heldBack(rules: Partial<EntryRules>, happens: (bench: Bench) => void) {
    const { bench, limit } = entering(rules);
    const half = Math.floor(limit.lots / 2);
    bench.fill(limit.id, half, ARRIVAL, { done: false });
    timeOver(bench);
    happens(bench);
    bench.answer(limit.id, "cancelled");
    return { bench, half };
  }
  const price = (bench: Bench, last: number) =>
    bench.give({ kind: "tick", time: bench.now, symbol: 0, first: last, high: last, low: last, last });
  const cases: [string, Partial<EntryRules>, (bench: Bench) => void][] = [
    ["the price ran away", { maxSlippage: 20 }, (bench) => price(bench, ARRIVAL + 21)],
    ["the price is beyond the target", {}, (bench) => price(bench, ARRIVAL + 200)],
    [
      "the operator paused",
      {},
      (bench) => bench.give({ kind: "command", time: bench.now, symbol: -1, command: "pause" }),
    ],
    [
      "the connection is down",
      {},
      (bench) => bench.give({ kind: "connection", time: bench.now, symbol: -1, up: false }),
    ],
    [
      "nothing can be written down",
      {},
      (bench) => bench.give({ kind: "hold", time: bench.now, symbol: -1, hold: "storage", on: true, epoch: 0 }),
    ],
    [
      "the symbol is barred",
      {},
      (bench) => bench.give({ kind: "standing", time: bench.now, symbol: 0, entries: "none", reason: "x" }),
    ],
    [
      "only the smallest are allowed",
      {},
      (bench) => bench.give({ kind: "standing", time: bench.now, symbol: 0, entries: "smallest", reason: "x" }),
    ],
    ["the symbol is gone", {}, (bench) => bench.give({ kind: "listing", time: bench.now, symbol: 0, listed: false })],
  ];
  test.each(cases)("because %s; what is held stays protected", (_, rules, happens) => {
    const { bench, half } = heldBack(rules, happens);
    expect(entries(bench)).toHaveLength(1);
    expect(bench.state.positions.get("0:both")!.holding.lots).toBe(half);
    const notice = bench.effects.find((effect) => effect.kind === "notice");
    expect(notice).toMatchObject({ level: "info", text: expect.stringContaining(`entered with ${half} of`) });
  });

  test("because its stop has begun to fill", () => {
    const { bench, limit } = entering();
    const closing = bench.submitted(bench.fill(limit.id, 100, ARRIVAL, { done: false }));
    for (const { id } of closing) bench.answer(id, "accepted");
    timeOver(bench);
    bench.fill(closing.find(({ purpose }) => purpose === "working-stop")!.id, 40, 9_900, { done: false });
    bench.answer(limit.id, "cancelled");
    expect(entries(bench)).toHaveLength(1);
  });

  test("the bound itself is still taken", () => {
    const { bench } = heldBack({ maxSlippage: 20 }, (bench) => price(bench, ARRIVAL + 20));
    expect(entries(bench)[1]).toMatchObject({
      type: "limit",
      timeInForce: "ioc",
      price: ARRIVAL + 20,
      arrival: ARRIVAL,
    });
  });

  test("because a guard says no now; because one makes it smaller, only so much is taken", () => {
    let [least, veto] = [Number.POSITIVE_INFINITY, false];
    const guard = {
      name: "drawn",
      judge: ({ lots }: { lots: number }) => {
        if (veto) return { kind: "veto", reason: "no", numbers: {} } as const;
        return lots <= least
          ? ({ kind: "allow" } as const)
          : ({ kind: "scale", factor: least / lots, reason: "less", numbers: {} } as const);
      },
    };
    const bench = new Bench({ entry: LIMIT_FIRST, guards: [guard] });
    const enter = () => {
      bench.bars();
      const limit = bench.submitted(bench.analysis([candidate()]))[0]!;
      timeOver(bench);
      return limit;
    };
    const limit = enter();
    least = 2000;
    bench.fill(limit.id, 1500, ARRIVAL, { done: false });
    bench.answer(limit.id, "cancelled");
    const rest = entries(bench)[1]!;
    expect(rest.lots).toBeLessThanOrEqual(500);
    expect(rest.lots).toBeGreaterThan(490);
    veto = true;
    bench.answer(rest.id, "expired");
    expect(entries(bench)).toHaveLength(2);
  });
});

describe("an entry that rests goes back at once", () => {
  test.each(["pause", "reduce-only"] as const)("on %s, and comes no more after a resume", (command) => {
    const { bench, limit } = entering();
    bench.give({ kind: "command", time: bench.now, symbol: -1, command });
    expect(bench.cancelled()).toEqual([limit.id]);
    bench.give({ kind: "command", time: bench.now, symbol: -1, command: "resume" });
    bench.answer(limit.id, "cancelled");
    expect(entries(bench)).toHaveLength(1);
    expect(bench.state.positions.size).toBe(0);
    expect(bench.records("refusal")[0]).toMatchObject({ guard: "entry", reason: "trading is reduce-only" });
  });

  test.each(["flatten", "halt"] as const)("on %s; what it opens on the way is closed", (command) => {
    const { bench, limit } = entering();
    bench.give({ kind: "command", time: bench.now, symbol: -1, command });
    expect(bench.cancelled()).toEqual([limit.id]);
    const out = bench.submitted(bench.fill(limit.id, 100, ARRIVAL, { done: false }));
    expect(out.at(-1)).toMatchObject({ purpose: "exit", lots: 100 });
    bench.answer(limit.id, "cancelled");
    expect(entries(bench)).toHaveLength(1);
  });

  test("when what it has opened is to be closed", () => {
    const { bench, limit } = entering();
    bench.fill(limit.id, 100, ARRIVAL, { done: false });
    bench.give({ kind: "command", time: bench.now, symbol: -1, command: "flatten" });
    expect(bench.cancelled()).toContain(limit.id);
    expect(bench.submitted().at(-1)).toMatchObject({ purpose: "exit", lots: 100 });
    bench.answer(limit.id, "cancelled");
    expect(entries(bench)).toHaveLength(1);
  });

  test("when its position was stopped out; the rest is not taken", () => {
    const { bench, limit } = entering();
    const closing = bench.submitted(bench.fill(limit.id, 100, ARRIVAL, { done: false }));
    const stop = closing.find(({ purpose }) => purpose === "working-stop")!.id;
    for (const { id } of closing) bench.answer(id, "accepted");
    bench.fill(stop, 100, 9_900);
    expect(bench.cancelled()).toContain(limit.id);
    expect(bench.records("closed")).toHaveLength(0);
    bench.answer(limit.id, "cancelled");
    expect(entries(bench)).toHaveLength(1);
    expect(bench.records("closed")).toHaveLength(1);
  });

  test("when protection does not come", () => {
    const { bench, limit } = entering();
    bench.fill(limit.id, 100, ARRIVAL, { done: false });
    bench.now += 5000;
    bench.give({ kind: "timer", time: bench.now, symbol: -1, timer: "protection:0:both" });
    expect(bench.cancelled()).toContain(limit.id);
    expect(bench.submitted().at(-1)).toMatchObject({ purpose: "exit", lots: 100 });
  });
});

test("what would come to more than was decided is closed, and what is still asked for goes back", () => {
  const { bench, limit } = entering();
  timeOver(bench);
  bench.answer(limit.id, "cancelled");
  const rest = entries(bench)[1]!;
  bench.fill(limit.id, 10, ARRIVAL, { done: false });
  expect(bench.cancelled()).toContain(rest.id);
  expect(bench.submitted().at(-1)).toMatchObject({ purpose: "exit", lots: 10 });
  bench.fill(rest.id, 50, ARRIVAL, { done: false });
  bench.answer(rest.id, "expired");
  expect(bench.state.positions.get("0:both")!.phase).toMatchObject({ kind: "closing", entry: 0 });
});

test("more than was decided is closed: a limit order filled after its end, when its rest was taken", () => {
  const { bench, limit } = entering();
  timeOver(bench);
  bench.answer(limit.id, "cancelled");
  const rest = entries(bench)[1]!;
  bench.fill(rest.id, rest.lots, ARRIVAL);
  bench.fill(limit.id, 10, ARRIVAL, { done: false });
  expect(bench.submitted().at(-1)).toMatchObject({ purpose: "exit", lots: limit.lots + 10 });
  expect(bench.state.trading).toBe("reduce-only");
});

describe("an entry that rests goes back when a part of its position is closed", () => {
  /** 100 lots are held behind acknowledged orders, and more may come. */
  function growing() {
    const { bench, limit } = entering();
    bench.answer(limit.id, "accepted");
    const closing = bench.submitted(bench.fill(limit.id, 100, ARRIVAL, { done: false }));
    for (const { id } of closing) bench.answer(id, "accepted");
    const order = (purpose: string) => closing.find((one) => one.purpose === purpose)!.id;
    return { bench, limit, order, position: bench.state.positions.get("0:both")! };
  }

  test("by its stop: what comes on the way is covered again, and nothing is taken after it", () => {
    const { bench, limit, order, position } = growing();
    const stop = order("working-stop");
    bench.answer(stop, "triggered");
    bench.fill(stop, 40, 9_899, { done: false });
    expect(bench.cancelled()).toContain(limit.id);
    // The rest of the stop covers what is left, until more comes that it knows nothing of.
    bench.answer(order("disaster-stop"), "expired");
    const guarded = () => bench.effects.filter((one) => one.kind === "set-timer" && one.timer === "protection:0:both");
    const before = guarded().length;
    bench.answer(bench.submitted().at(-1)!.id, "accepted");
    bench.fill(limit.id, 30, ARRIVAL, { done: false });
    expect(position).toMatchObject({ holding: { lots: 90 }, workingStop: { kind: "triggered", order: stop } });
    bench.answer(limit.id, "cancelled");
    bench.fill(stop, 60, 9_898);
    expect(bench.submitted().at(-1)).toMatchObject({ purpose: "working-stop", lots: 30 });
    expect(guarded().length).toBe(before);
    expect(entries(bench)).toHaveLength(1);
  });

  test("a stop that is filling covers what it has still to fill, and no more", () => {
    const { bench, limit, order } = growing();
    const stop = order("working-stop");
    bench.fill(stop, 40, 9_899, { done: false });
    bench.effects.length = 0;
    const disaster = bench.submitted(bench.answer(order("disaster-stop"), "expired"))[0]!;
    const timer = { kind: "set-timer", timer: "protection:0:both", at: bench.now + 5000 } as const;
    expect(bench.effects).not.toContainEqual(timer);
    bench.fill(limit.id, 30, ARRIVAL, { done: false });
    expect(bench.effects).toContainEqual(timer);
    bench.answer(disaster.id, "accepted");
    expect(bench.effects).toContainEqual({ kind: "clear-timer", timer: "protection:0:both" });
    expect(bench.submitted().filter(({ purpose }) => purpose === "exit")).toEqual([]);
  });

  test("by its target", () => {
    const { bench, limit, order, position } = growing();
    bench.fill(limit.id, 50, ARRIVAL, { done: false });
    bench.fill(order("target"), 100, 10_200);
    expect(position.holding.lots).toBe(50);
    expect(bench.cancelled()).toContain(limit.id);
    timeOver(bench);
    bench.answer(limit.id, "cancelled");
    expect(entries(bench)).toHaveLength(1);
  });

  test("by the exchange", () => {
    const { bench, limit, position } = growing();
    const what = { time: bench.now, symbol: 0, leg: "both", lots: 40, price: 9_950, fee: 0 } as const;
    bench.give({ ...what, kind: "liquidation", cause: "adl" });
    expect(position.entering).toMatchObject({ kind: "withdrawing", rest: "leave" });
    expect(bench.cancelled()).toContain(limit.id);
  });
});

describe("prices", () => {
  test("a limit never is worse than the decision, and what is taken never worse than the bound or at the target", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 1_000_000 }),
        fc.constantFrom(1 as const, -1 as const),
        fc.double({ min: 0, max: 500, noNaN: true }),
        fc.integer({ min: 1, max: 900 }),
        fc.boolean(),
        (arrival, direction, bps, away, postOnly) => {
          const rules = { ...AT_MARKET, limitOffset: bps, maxSlippage: bps, postOnly };
          const limit = limitPrice(rules, direction, arrival);
          expect(direction * (arrival - limit)).toBeGreaterThanOrEqual(postOnly ? 1 : 0);
          const plan = candidate({ direction, target: arrival + direction * away, stop: arrival - direction });
          const worst = worstPrice(rules, plan, arrival);
          expect(direction * (worst - arrival)).toBeLessThanOrEqual((arrival * bps) / 10_000);
          expect(direction * (plan.target - worst)).toBeGreaterThan(0);
          expect(direction * (worst - arrival)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  test("a market entry with a bound is an order that takes up to it", () => {
    const { bench, limit } = entering({ order: "market", maxSlippage: 15 });
    expect(limit).toMatchObject({ type: "limit", timeInForce: "ioc", price: 10_015 });
    expect(bench.state.resting.size).toBe(0);
    bench.answer(limit.id, "expired");
    expect(bench.records("refusal")[0]).toMatchObject({ guard: "entry", numbers: { worst: 10_015 } });
    expect(bench.state.positions.size).toBe(0);
  });

  test("a limit that would lie beyond the stop is not sent", () => {
    const bench = new Bench({ entry: { ...LIMIT_FIRST, limitOffset: 100 } });
    bench.bars();
    expect(bench.submitted(bench.analysis([candidate()]))).toEqual([]);
    expect(bench.records("refusal")[0]).toMatchObject({ guard: "plan", numbers: { limit: 9_900 } });
  });
});

/** What an exchange may do with our orders, and what else may happen, in any order. */
const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant("fill" as const), share: fc.double({ min: 0.01, max: 1, noNaN: true }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant("end" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constantFrom(
        "time",
        "bar",
        "accept",
        "pause",
        "resume",
        "flatten",
        "down",
        "up",
        "refuse-cancel",
        "again",
      ),
    }),
  },
);

test("whatever happens: one entry order at a time, never more than decided, and in the end nothing is left", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<EntryRules["order"]>("limit-first", "limit-only", "market"),
      fc.boolean(),
      fc.constantFrom(0, 30),
      fc.array(happening, { maxLength: 40 }),
      (order, postOnly, maxSlippage, happenings) => {
        const bench = new Bench({ entry: { ...AT_MARKET, order, postOnly, maxSlippage } });
        bench.bars();
        bench.analysis([candidate()]);
        const decided = entries(bench)[0]!.lots;
        /** Orders at the exchange: what they may still fill, by id. */
        const open = new Map<number, number>();
        let [held, opened, told] = [0, 0, 0];
        const learn = () => {
          const sent = bench.submitted();
          for (const request of sent.slice(told)) {
            const { id, lots, purpose } = request;
            open.set(id, request.closePosition ? Number.POSITIVE_INFINITY : lots);
            if (purpose !== "entry") continue;
            const alive = entries(bench).filter((entry) => entry.id !== id && open.has(entry.id));
            expect(alive).toEqual([]);
            expect(opened + lots).toBeLessThanOrEqual(decided);
          }
          told = sent.length;
        };
        const requestOf = (id: number) => bench.submitted().find((request) => request.id === id)!;
        const pick = (share: number) => [...open.keys()][Math.floor(share * (open.size - 1))];
        const fill = (id: number, share: number) => {
          const entry = requestOf(id).purpose === "entry";
          const most = entry ? open.get(id)! : Math.min(open.get(id)!, held);
          const lots = Math.max(1, Math.floor(most * share));
          if (most === 0) return;
          held += entry ? lots : -lots;
          if (entry) opened += lots;
          const left = open.get(id)! - lots;
          const done = left === 0 || (!entry && held === 0);
          if (done) open.delete(id);
          else open.set(id, left);
          bench.fill(id, lots, ARRIVAL - (entry ? 0 : 1), { done });
        };
        const end = (id: number) => {
          open.delete(id);
          const asked = bench.cancelled().includes(id);
          const refused = requestOf(id).timeInForce === "post-only" && !asked;
          bench.answer(id, asked ? "cancelled" : refused ? "rejected" : "expired", refused ? -5022 : 0);
        };
        learn();
        for (const one of happenings) {
          const id = "share" in one ? pick(one.share) : pick(0);
          if (one.what === "fill" && id !== undefined) fill(id, (one as { share: number }).share);
          else if (one.what === "end" && id !== undefined) end(id);
          else if (one.what === "accept" && id !== undefined) bench.answer(id, "accepted");
          else if (one.what === "refuse-cancel" && id !== undefined) bench.answer(id, "cancel-rejected", -2011);
          else if (one.what === "again" && id !== undefined) bench.answer(id, "unknown");
          else if (one.what === "time") timeOver(bench);
          else if (one.what === "bar") bench.bars();
          else if (one.what === "down" || one.what === "up") {
            bench.give({ kind: "connection", time: bench.now, symbol: -1, up: one.what === "up" });
          } else if (one.what === "pause" || one.what === "resume" || one.what === "flatten") {
            bench.give({ kind: "command", time: bench.now, symbol: -1, command: one.what });
          }
          learn();
          expect(bench.state.positions.get("0:both")?.holding.lots ?? 0).toBe(held);
          // While nothing may be entered no entry waits without being on its way back.
          if (bench.state.trading === "reduce-only" || !bench.state.connected) expect(bench.state.resting.size).toBe(0);
        }
        // The exchange does as it is asked from here on.
        bench.give({ kind: "command", time: bench.now, symbol: -1, command: "halt" });
        for (let round = 0; round < 50 && (held > 0 || open.size > 0); round++) {
          learn();
          for (const id of [...open.keys()]) {
            if (bench.cancelled().includes(id)) end(id);
            else if (requestOf(id).purpose === "exit" && held > 0) fill(id, 1);
            else if (held === 0) end(id);
          }
          bench.now += 1000;
          bench.give({ kind: "timer", time: bench.now, symbol: -1, timer: "exit:0:both" });
          learn();
        }
        expect([held, bench.state.positions.size, bench.state.orders.size, bench.state.resting.size]).toEqual([
          0, 0, 0, 0,
        ]);
      },
    ),
    { numRuns: 300 },
  );
});
