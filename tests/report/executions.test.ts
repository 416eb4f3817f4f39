import { describe, expect, test } from "bun:test";
import { Executions } from "../../src/report/executions.ts";
import { AT_MARKET, Bench, candidate, MINUTE } from "../core/core-fixture.ts";

const ARRIVAL = 10_000;

/** A bench whose steps an observer is told of; the effects are those of each step. */
function observed(order: "market" | "limit-first") {
  const bench = new Bench({ entry: { ...AT_MARKET, order } });
  const executions = new Executions();
  const give = bench.give.bind(bench);
  bench.give = (event) => {
    const effects = give(event);
    executions.stepped(event, effects);
    return effects;
  };
  bench.bars();
  const entry = bench.submitted(bench.analysis([candidate()]))[0]!;
  return { bench, executions, entry };
}

describe("the slippage of an order", () => {
  test("is its average price against the last one at its decision, over all parts, each counted once", () => {
    const { bench, executions, entry } = observed("market");
    bench.fill(entry.id, 100, ARRIVAL + 10, { done: false, trade: "a" });
    bench.fill(entry.id, 100, ARRIVAL + 10, { done: false, trade: "a" });
    bench.fill(entry.id, entry.lots - 100, ARRIVAL, { trade: "b" });
    const { slippage, ...entries } = executions.summary();
    expect(entries).toEqual({ decisions: 1, whole: 1, partial: 0, missed: 0, makerShare: 0 });
    expect(slippage.entry!.orders).toBe(1);
    expect(slippage.entry!.median).toBeCloseTo((10 * 100) / entry.lots, 9);
  });

  test("of a stop is measured from its trigger, and a worse price is above 0 for a seller too", () => {
    const { bench, executions, entry } = observed("market");
    const closing = bench.submitted(bench.fill(entry.id, entry.lots, ARRIVAL));
    const stop = closing.find(({ purpose }) => purpose === "working-stop")!;
    bench.fill(stop.id, stop.lots, stop.trigger - 99);
    expect(executions.summary().slippage["working-stop"]!.median).toBeCloseTo(100, 9);
  });

  test("of the rest of an entry counts from the decision, not from where the price has gone meanwhile", () => {
    const { bench, executions, entry } = observed("limit-first");
    bench.fill(entry.id, 100, ARRIVAL, { done: false, maker: true });
    bench.now += MINUTE;
    bench.bar(0, ARRIVAL + 50);
    bench.bar(1);
    bench.answer(entry.id, "cancelled");
    const rest = bench.submitted().at(-1)!;
    bench.fill(rest.id, rest.lots - 1, ARRIVAL + 60, { done: false });
    bench.answer(rest.id, "expired");
    const { slippage, ...entries } = executions.summary();
    expect(slippage.entry).toMatchObject({ orders: 2, median: 30, p90: 54, mean: 30 });
    expect(entries).toEqual({ decisions: 1, whole: 0, partial: 1, missed: 0, makerShare: 0.5 });
  });

  test("nothing that was not filled is measured; it is missed", () => {
    const { bench, executions, entry } = observed("market");
    bench.answer(entry.id, "rejected", -2019);
    expect(executions.summary()).toEqual({
      decisions: 1,
      whole: 0,
      partial: 0,
      missed: 1,
      makerShare: 0,
      slippage: {},
    });
  });
});
