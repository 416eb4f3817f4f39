import { describe, expect, test } from "bun:test";
import type { AnswerEvent } from "../../src/core/events.ts";
import { bookView } from "../../src/core/state.ts";
import { createExposureGuard } from "../../src/guards/exposure.ts";
import { Bench, candidate, config } from "./core-fixture.ts";

/** What seeds of tests/simulation have found, each in its shortest form. */
const TAKEN_AWAY: AnswerEvent["answer"] = "expired";

/** An entry of 3000 lots that has left, and its id. */
function entering(bench: Bench): number {
  bench.bars();
  return bench.submitted(bench.analysis([candidate()]))[0]!.id;
}

describe("a position", () => {
  test("is not opened while a stop of the last one may still act (seed 9)", () => {
    const bench = new Bench();
    const { stop, disaster, target } = bench.protectedPosition();
    bench.fill(stop, 3000, 9_900);
    bench.answer(target, "cancelled");
    bench.bars();
    expect(bench.submitted(bench.analysis([candidate()]))).toEqual([]);
    expect(bench.records("refusal").at(-1)?.reason).toContain("orders of the last position");
    bench.answer(disaster, "cancelled");
    bench.bars();
    expect(bench.submitted(bench.analysis([candidate()]))).toHaveLength(1);
  });

  test("that was to be flat before it was opened is closed as soon as it is (seed 186)", () => {
    const bench = new Bench();
    const entry = entering(bench);
    const flatten = bench.give({ kind: "command", time: bench.now, symbol: -1, command: "flatten" });
    expect(bench.cancelled(flatten)).toEqual([entry]);
    const exit = bench.submitted(bench.fill(entry, 3000, 10_000)).find(({ purpose }) => purpose === "exit");
    expect(exit).toMatchObject({ lots: 3000, side: -1, reduceOnly: true });
  });

  test("that loses its stops later is given the same time to get others as a new one (seed 605)", () => {
    const bench = new Bench();
    const { stop, disaster } = bench.protectedPosition();
    bench.answer(disaster, TAKEN_AWAY);
    const effects = bench.answer(stop, TAKEN_AWAY);
    const clock = effects.find((effect) => effect.kind === "set-timer");
    expect(clock).toMatchObject({ timer: "protection:0:both", at: bench.now + 5000 });
    const late = bench.give({ kind: "timer", time: bench.now + 5000, symbol: -1, timer: "protection:0:both" });
    expect(bench.submitted(late)).toMatchObject([{ purpose: "exit" }]);
  });

  test("of which a part has a stop is not protected (seed 404)", () => {
    const bench = new Bench();
    const entry = entering(bench);
    const closing = bench.submitted(bench.fill(entry, 1000, 10_000, { done: false }));
    bench.answer(closing.find(({ purpose }) => purpose === "working-stop")!.id, "accepted");
    const second = bench.fill(entry, 2000, 10_000);
    expect(second.some((effect) => effect.kind === "set-timer" && effect.timer === "protection:0:both")).toBe(true);
  });
});

describe("exposure", () => {
  test("counts what an entry may still fill (seed 123)", () => {
    const bench = new Bench();
    const entry = entering(bench);
    bench.fill(entry, 100, 10_000, { done: false });
    // 3000 lots at 10 000 ticks are worth 3000 USDT, filled or not.
    expect(bookView(bench.state, 1).positions[0]?.notional).toBe(3000e8);
    expect(bookView(bench.state, 1).positions[0]?.margin).toBe(1000e8);
  });

  test("is kept to the lot: what rounding took away does not come back (seed 7)", () => {
    const maximum = 0.2999;
    const bench = new Bench({ ...config(), baseMarginFraction: 0.10005, guards: [createExposureGuard(maximum)] });
    bench.bars(10_007);
    const [order] = bench.submitted(bench.analysis([candidate({ entry: 10_007 })]));
    expect(order!.lots * 10_007 * 10_000).toBeLessThanOrEqual(maximum * 10_000e8);
  });
});
