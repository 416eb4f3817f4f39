import { expect, test } from "bun:test";
import { Bench, candidate } from "./core-fixture.ts";

/** The closing orders of a position that was just filled, all of its orders by leg and side. */
function opened(bench: Bench, direction: 1 | -1) {
  bench.bars();
  const plan = direction === 1 ? {} : { direction, stop: 10_100, target: 9_800 };
  const [entry] = bench.submitted(bench.analysis([candidate(plan)]));
  bench.answer(entry!.id, "accepted");
  const closing = bench.submitted(bench.fill(entry!.id, entry!.lots, 10_000));
  for (const { id } of closing) bench.answer(id, "accepted");
  return { entry: entry!, closing };
}

test("in hedge mode orders name the leg of their position, and say nothing of reduce-only", () => {
  for (const direction of [1, -1] as const) {
    const leg = direction === 1 ? "long" : "short";
    const bench = new Bench({ hedge: true });
    const { entry, closing } = opened(bench, direction);
    expect(entry).toMatchObject({ leg, side: direction, reduceOnly: false });
    expect(closing.map(({ purpose }) => purpose)).toEqual(["disaster-stop", "working-stop", "target"]);
    const exit = bench.submitted(bench.give({ kind: "command", time: bench.now, symbol: -1, command: "flatten" }));
    for (const order of [...closing, ...exit]) {
      expect(order).toMatchObject({ leg, side: -direction, reduceOnly: false });
      // No more than is held, as nothing else bounds it.
      expect(order.lots).toBe(order.closePosition ? 0 : entry.lots);
    }
    expect([...bench.state.positions.keys()]).toEqual(["0:both"]);
  }
});

test("a symbol has one position, whichever leg it lies on", () => {
  const bench = new Bench({ hedge: true });
  opened(bench, 1);
  bench.bars();
  expect(bench.submitted(bench.analysis([candidate({ direction: -1, stop: 10_100, target: 9_800 })]))).toEqual([]);
  expect(bench.records("refusal").at(-1)).toMatchObject({ guard: "open-position" });
});

test("what happens to the other leg is none of ours", () => {
  const bench = new Bench({ hedge: true });
  const { entry } = opened(bench, 1);
  const event = {
    kind: "liquidation",
    time: bench.now,
    symbol: 0,
    cause: "adl",
    lots: 10,
    price: 9_990,
    fee: 0,
  } as const;
  bench.give({ ...event, leg: "short" });
  const lots = () => [...bench.state.positions.values()].map(({ holding }) => holding.lots);
  expect(lots()).toEqual([entry.lots]);
  bench.give({ ...event, leg: "long" });
  expect(lots()).toEqual([entry.lots - 10]);
});
