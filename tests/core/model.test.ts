import { describe, expect, test } from "bun:test";
import type { Candidate } from "../../src/core/candidate.ts";
import { Bench, candidate } from "./core-fixture.ts";

const predicted = (model: string, probability = 0.5): Candidate =>
  candidate({ prediction: { model, probability, size: 0.5 } });

const refusals = (bench: Bench) =>
  bench.effects.flatMap((effect) =>
    effect.kind === "record" && effect.record.kind === "refusal" ? [effect.record.guard] : [],
  );

describe("the model in charge", () => {
  test("only what it has judged becomes an order", () => {
    for (const [inCharge, judgedBy, trades] of [
      ["", undefined, true],
      ["", "a", false],
      ["a", "a", true],
      ["a", "b", false],
      ["a", undefined, false],
    ] as const) {
      const bench = new Bench();
      bench.bars();
      if (inCharge !== "")
        bench.give({ kind: "model", time: bench.now, symbol: -1, model: inCharge, reason: "a test" });
      const orders = bench.submitted(bench.analysis([judgedBy === undefined ? candidate() : predicted(judgedBy)]));
      expect(orders).toHaveLength(trades ? 1 : 0);
      expect(refusals(bench)).toEqual(trades ? [] : ["model"]);
    }
  });

  test("a swap says who decides from now on, once", () => {
    const bench = new Bench();
    const swap = (model: string) => bench.give({ kind: "model", time: bench.now, symbol: -1, model, reason: "why" });
    expect(swap("a")).toEqual([{ kind: "notice", level: "info", text: "model a decides: why" }]);
    expect(swap("a")).toEqual([]);
    expect(swap("")).toEqual([{ kind: "notice", level: "info", text: "the rules decide: why" }]);
    expect(bench.state.model).toBe("");
  });

  test("candidates of one cycle are ranked by its probabilities", () => {
    const bench = new Bench({ maxSignals: 1 });
    bench.bars();
    bench.give({ kind: "model", time: bench.now, symbol: -1, model: "a", reason: "a test" });
    const weaker = { ...predicted("a", 0.4), confidence: 0.9 };
    const stronger = { ...predicted("a", 0.6), confidence: 0.4, symbol: 1 };
    const [order] = bench.submitted(bench.analysis([weaker, stronger]));
    expect(order?.symbol).toBe(1);
    expect(refusals(bench)).toEqual(["rank"]);
  });
});
