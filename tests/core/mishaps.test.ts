import { describe, expect, test } from "bun:test";
import { USDT } from "../../src/core/instrument.ts";
import { Bench, candidate, MINUTE } from "./core-fixture.ts";

/** What goes wrong between a trader and an exchange, and must not cost money silently. */

/** A bench with one entry sent, nothing filled. */
function sentEntry() {
  const bench = new Bench();
  bench.bars();
  const [entry] = bench.submitted(bench.analysis([candidate()]));
  return { bench, entry: entry! };
}

describe("an entry that is to be given up", () => {
  test("and fills before its cancellation arrives is closed at once", () => {
    const { bench, entry } = sentEntry();
    bench.give({ kind: "command", time: bench.now, symbol: -1, command: "flatten" });
    expect(bench.cancelled()).toEqual([entry.id]);
    const effects = bench.fill(entry.id, entry.lots, 10_000);
    expect(bench.submitted(effects)).toMatchObject([
      { purpose: "disaster-stop" },
      { purpose: "working-stop" },
      { purpose: "target" },
      { purpose: "exit", lots: 3000 },
    ]);
    bench.fill(bench.submitted(effects)[3]!.id, 3000, 10_000);
    expect(bench.records("closed")[0]?.trade.reason).toBe("flatten");
  });

  test("fills on while the position closes: the rest is closed as well, and nothing is forgotten", () => {
    const { bench, entry } = sentEntry();
    bench.fill(entry.id, 1000, 10_000, { done: false });
    const [exit] = bench.submitted(bench.give({ kind: "command", time: bench.now, symbol: -1, command: "flatten" }));
    bench.fill(exit!.id, 1000, 10_000);
    // Flat, but the entry may still fill: it is no trade yet.
    expect(bench.records("closed")).toEqual([]);
    const effects = bench.fill(entry.id, 500, 10_000, { done: false });
    expect(bench.submitted(effects)).toMatchObject([
      { purpose: "disaster-stop" },
      { purpose: "working-stop", lots: 500 },
      { purpose: "target" },
      { purpose: "exit", lots: 500 },
    ]);
    bench.fill(bench.submitted(effects)[3]!.id, 500, 10_000);
    bench.answer(entry.id, "cancelled");
    expect(bench.records("closed")).toMatchObject([{ trade: { lots: 1500, reason: "flatten" } }]);
    expect(bench.state.positions.size).toBe(0);
    expect(bench.state.trading).toBe("normal");
  });

  test("and fills after its end was told is booked, protected, closed, and stops entries", () => {
    const { bench, entry } = sentEntry();
    bench.answer(entry.id, "cancelled");
    expect(bench.state.positions.size).toBe(0);
    const effects = bench.fill(entry.id, 700, 10_000, { fee: 3 });
    expect(bench.submitted(effects).map((order) => `${order.purpose} ${order.lots}`)).toEqual([
      "disaster-stop 0",
      "working-stop 700",
      "target 700",
      "exit 700",
    ]);
    expect(bench.state.trading).toBe("reduce-only");
    bench.fill(bench.submitted(effects)[3]!.id, 700, 9_990);
    expect(bench.records("closed")[0]?.trade).toMatchObject({ reason: "late-fill", lots: 700, fees: 3n });
    // Reported twice it is booked once.
    bench.give({ ...fillOf(entry.id, "1"), time: bench.now });
    expect(bench.state.positions.size).toBe(0);
  });
});

function fillOf(order: number, trade: string) {
  const what = { kind: "fill", symbol: 0, lots: 700, price: 10_000, fee: 3, maker: false, done: true } as const;
  return { ...what, order, trade };
}

describe("protection", () => {
  test("is not a stop for a part of the position", () => {
    const { bench, entry } = sentEntry();
    const closing = bench.submitted(bench.fill(entry.id, 10, 10_000, { done: false }));
    bench.answer(closing.find((order) => order.purpose === "working-stop")!.id, "accepted");
    const timers = () => bench.effects.filter((effect) => effect.kind === "clear-timer" && effect.timer !== "cycle");
    expect(timers()).toHaveLength(1);
    // 2 990 more lots behind a stop of 10: the deadline runs again until a stop covers them.
    bench.effects.length = 0;
    bench.fill(entry.id, 2990, 10_000);
    const set = bench.effects.filter((effect) => effect.kind === "set-timer");
    expect(set).toEqual([{ kind: "set-timer", timer: "protection:0:both", at: bench.now + 5000 }]);
    const late = bench.give({ kind: "timer", time: bench.now + 5000, symbol: -1, timer: "protection:0:both" });
    expect(bench.submitted(late)).toMatchObject([{ purpose: "exit", lots: 3000 }]);
  });

  test("that the exchange takes away later has its deadline again", () => {
    const bench = new Bench();
    const { stop, disaster } = bench.protectedPosition();
    bench.effects.length = 0;
    bench.answer(disaster, "expired");
    bench.answer(stop, "expired");
    expect(bench.submitted().map((order) => order.purpose)).toEqual(["disaster-stop", "working-stop"]);
    expect(bench.effects).toContainEqual({ kind: "set-timer", timer: "protection:0:both", at: bench.now + 5000 });
    const late = bench.give({ kind: "timer", time: bench.now + 5000, symbol: -1, timer: "protection:0:both" });
    expect(bench.submitted(late)).toMatchObject([{ purpose: "exit" }]);
  });

  test("has no part in a late word on a stop of a position that is over", () => {
    const bench = new Bench();
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    const [disaster, stop] = bench.submitted(bench.fill(entry!.id, 3000, 10_000));
    bench.fill(stop!.id, 3000, 9_900);
    // It would clear a timer that is named after the symbol, not after the position.
    expect(bench.answer(disaster!.id, "accepted")).toEqual([]);
  });

  test("comes before an entry on a symbol whose old orders have not ended", () => {
    const bench = new Bench();
    const { stop, disaster, target } = bench.protectedPosition();
    bench.fill(stop, 3000, 9_900);
    bench.bars();
    expect(bench.submitted(bench.analysis([candidate()]))).toEqual([]);
    expect(bench.records("refusal").at(-1)).toMatchObject({ guard: "open-orders", numbers: { orders: 2 } });
    bench.answer(disaster, "cancelled");
    bench.answer(target, "cancelled");
    bench.bars();
    expect(bench.submitted(bench.analysis([candidate()]))).toHaveLength(1);
  });
});

describe("reports out of order", () => {
  test("a stop that closes more than is known to be held waits for the entry's fill", () => {
    const { bench, entry } = sentEntry();
    const [disaster] = bench.submitted(bench.fill(entry.id, 10, 10_000, { done: false }));
    bench.fill(disaster!.id, 3000, 9_800, { trade: "early" });
    expect(bench.records("closed")).toEqual([]);
    bench.fill(entry.id, 2990, 10_000);
    expect(bench.records("closed")).toMatchObject([{ trade: { lots: 3000, reason: "disaster-stop" } }]);
    expect(bench.state.ledger.balances.wallet).toBe(BigInt((10_000 - 60) * USDT));
  });

  test("a liquidation of what the book does not hold stops entries instead of the program", () => {
    const bench = new Bench();
    const event = { kind: "liquidation", time: bench.now, symbol: 0, leg: "both", lots: 5, price: 1, fee: 0 } as const;
    const effects = bench.give({ ...event, cause: "adl" });
    expect(effects.some((effect) => effect.kind === "notice" && effect.level === "alarm")).toBe(true);
    expect(bench.state.trading).toBe("reduce-only");
  });
});

describe("an entry that fills after its end, while the opposite is held,", () => {
  /** A long entry has ended in our book, and a short of 3 000 lots at 10 000 ticks is held and protected. */
  function opposed(hedge: boolean) {
    const bench = new Bench({ hedge });
    bench.bars();
    const [ended] = bench.submitted(bench.analysis([candidate()]));
    bench.answer(ended!.id, "rejected");
    bench.bars();
    const short = candidate({ direction: -1, stop: 10_100, target: 9_800 });
    const [entry] = bench.submitted(bench.analysis([short]));
    for (const { id } of bench.submitted(bench.fill(entry!.id, entry!.lots, 10_000))) bench.answer(id, "accepted");
    const alarms = () =>
      bench.effects.flatMap((one) => (one.kind === "notice" && one.level === "alarm" ? one.text : []));
    const money = () => bench.state.ledger.balances.wallet - BigInt(10_000 * USDT);
    return { bench, ended: ended!, position: bench.state.positions.get("0:both")!, alarms, money };
  }

  test("has closed a part of it: booked as that, and the stop fits what is left", () => {
    const { bench, ended, position, alarms, money } = opposed(false);
    const effects = bench.fill(ended.id, 1000, 9_990, { fee: 7, done: false });
    expect(position.holding).toMatchObject({ lots: 2000, fees: 7n });
    expect(bench.submitted(effects)).toMatchObject([{ purpose: "working-stop", lots: 2000, side: 1 }]);
    expect(money()).toBe(BigInt(1000 * 10 * 10_000) - 7n);
    expect(bench.state.trading).toBe("reduce-only");
    expect(alarms()).toHaveLength(1);
    expect(alarms()[0]).toContain("counts against the opposite position");
  });

  test("has closed all of it, and what is more is a position that is closed", () => {
    const { bench, ended, position, money } = opposed(false);
    bench.give({ ...liquidation(bench.now), lots: 2900, price: 10_000 });
    expect(position.holding.lots).toBe(100);
    const effects = bench.fill(ended.id, 250, 10_000, { fee: 10 });
    expect(bench.records("closed")).toMatchObject([{ trade: { direction: -1, reason: "late-fill", fees: 4n } }]);
    const exit = bench.submitted(effects).find(({ purpose }) => purpose === "exit");
    expect(exit).toMatchObject({ lots: 150, side: -1 });
    bench.fill(exit!.id, 150, 10_000);
    expect(bench.records("closed")).toMatchObject([{}, { trade: { direction: 1, lots: 150, fees: 6n } }]);
    expect(bench.state.positions.size).toBe(0);
    expect(money()).toBe(-10n);
  });

  test("in hedge mode lies beside it, is protected, and leaves by its own leg until it is gone", () => {
    const { bench, ended, position, alarms } = opposed(true);
    const effects = bench.fill(ended.id, 1000, 10_000, { fee: 7 });
    const orders = bench.submitted(effects);
    expect(orders.map(({ purpose, leg, side }) => `${purpose} ${leg} ${side}`)).toEqual([
      "disaster-stop long -1",
      "working-stop long -1",
      "target long -1",
      "exit long -1",
    ]);
    expect(position.holding.lots).toBe(3000);
    expect(alarms()).toHaveLength(1);
    expect(alarms()[0]).toContain("it is closed");
    // A refused exit is tried again.
    bench.answer(orders[3]!.id, "rejected");
    bench.now += 1000;
    const again = bench.give({ kind: "timer", time: bench.now, symbol: -1, timer: "exit:0:long" });
    const exit = bench.submitted(again)[0]!;
    expect(exit).toMatchObject({ purpose: "exit", leg: "long", side: -1, lots: 1000 });
    bench.fill(exit.id, 1000, 10_000);
    expect(bench.records("closed")).toMatchObject([{ trade: { leg: "long", lots: 1000, fees: 7n } }]);
    expect([...bench.state.positions.values()]).toEqual([position]);
  });
});

function liquidation(time: number) {
  return { kind: "liquidation", time, symbol: 0, leg: "both", cause: "adl", fee: 0 } as const;
}

describe("a closing order that closes more than the book holds", () => {
  test("and is for the whole position has taken somebody else's lots along: ours are booked, and their share of the fee", () => {
    const bench = new Bench();
    const { disaster } = bench.protectedPosition();
    bench.fill(disaster, 4000, 9_800, { fee: 8 });
    expect(bench.records("closed")).toMatchObject([{ trade: { lots: 3000, fees: 6n, reason: "disaster-stop" } }]);
    expect(bench.state.positions.size).toBe(0);
    expect(bench.state.trading).toBe("normal");
    expect(bench.effects.filter((one) => one.kind === "notice" && one.level === "warning")).toHaveLength(1);
    expect(bench.state.ledger.balances.wallet).toBe(BigInt(10_000 * USDT - 3000 * 200 * 10_000 - 6));
  });

  test("in parts: what comes after ours were closed is somebody else's, and the order is over with it", () => {
    const bench = new Bench();
    const { disaster } = bench.protectedPosition();
    bench.fill(disaster, 3000, 9_800, { done: false });
    bench.fill(disaster, 1000, 9_800);
    expect(bench.state.trading).toBe("normal");
    expect(bench.state.orders.has(disaster)).toBe(false);
    expect(bench.state.ledger.balances.wallet).toBe(BigInt(10_000 * USDT - 3000 * 200 * 10_000));
  });

  test("when nothing of ours is left, is over all the same: its symbol is not blocked by it", () => {
    const { bench, entry } = sentEntry();
    const [disaster] = bench.submitted(bench.fill(entry.id, 10, 10_000, { done: false }));
    bench.fill(disaster!.id, 10, 9_800, { done: false });
    bench.fill(disaster!.id, 5, 9_800);
    bench.answer(entry.id, "expired");
    expect(bench.records("closed")).toMatchObject([{ trade: { lots: 10 } }]);
    expect(bench.state.orders.has(disaster!.id)).toBe(false);
    expect(bench.state.trading).toBe("normal");
  });

  test("and is not, is booked as far as it goes, and stops entries", () => {
    const bench = new Bench();
    const { stop } = bench.protectedPosition();
    bench.fill(stop, 3001, 9_900);
    expect(bench.records("closed")).toMatchObject([{ trade: { lots: 3000, reason: "stop" } }]);
    expect(bench.state.trading).toBe("reduce-only");
  });

  test("before its entry has ended waits for that", () => {
    const { bench, entry } = sentEntry();
    const [disaster] = bench.submitted(bench.fill(entry.id, 10, 10_000, { done: false }));
    bench.fill(disaster!.id, 3000, 9_800);
    expect(bench.records("closed")).toEqual([]);
    bench.answer(entry.id, "expired");
    expect(bench.records("closed")).toMatchObject([{ trade: { lots: 10, reason: "disaster-stop" } }]);
    expect(bench.state.positions.size).toBe(0);
  });
});

test("a closing order that was sent again under its id and carried out twice closes what the entry had added", () => {
  const { bench, entry } = sentEntry();
  bench.fill(entry.id, 100, 10_000, { done: false });
  const [exit] = bench.submitted(bench.give({ kind: "command", time: bench.now, symbol: -1, command: "flatten" }));
  bench.answer(exit!.id, "unknown");
  bench.fill(entry.id, 60, 10_000, { done: false });
  bench.fill(exit!.id, 100, 10_000);
  bench.fill(exit!.id, 60, 9_990);
  bench.answer(entry.id, "cancelled");
  expect(bench.records("closed")).toMatchObject([{ trade: { lots: 160, reason: "flatten" } }]);
  expect(bench.state.positions.size).toBe(0);
  expect(bench.state.trading).toBe("normal");
});

test("open gains pay for no entry: the exchange would refuse it", () => {
  const seen: number[] = [];
  const guard = {
    name: "looks",
    judge: (_: unknown, book: { available: number }) => {
      seen.push(book.available);
      return { kind: "allow" } as const;
    },
  };
  const bench = new Bench({ guards: [guard] });
  bench.protectedPosition();
  bench.bars(10_150);
  bench.analysis([candidate({ symbol: 1, target: 11_000 })]);
  bench.now += MINUTE;
  expect(seen).toEqual([10_000 * USDT, 9_000 * USDT]);
});
