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
