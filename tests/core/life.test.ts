import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { OrderRequest } from "../../src/core/effects.ts";
import { movedStop } from "../../src/core/life.ts";
import { Bench, candidate, LEFT_ALONE, MINUTE } from "./core-fixture.ts";

const HOUR = 60 * MINUTE;
const LED = { ...LEFT_ALONE, breakEvenAt: 1, trailFrom: 1.5, trailDistance: 1 };

describe("where the stop belongs", () => {
  test("at the entry from 1 R on, behind the close from 1.5 R on, else where it is", () => {
    const at = (close: number) => movedStop(LED, 1, 10_000, 100, 9_900, close);
    expect([10_050, 10_099, 10_100, 10_149, 10_150, 10_300].map(at)).toEqual([
      9_900, 9_900, 10_000, 10_000, 10_050, 10_200,
    ]);
    expect(movedStop(LED, -1, 10_000, 100, 10_100, 9_700)).toBe(9_800);
    // An average of several fills is rounded to the side that does not lose.
    expect(movedStop(LED, 1, 10_000.4, 100, 9_900, 10_120)).toBe(10_001);
    expect(movedStop(LED, -1, 10_000.4, 100, 10_100, 9_890)).toBe(10_000);
  });

  test("never further from the price, never at or beyond the close", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<1 | -1>(1, -1),
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: -500, max: 3000 }),
        fc.integer({ min: -1, max: 20 }),
        fc.record({
          breakEvenAt: fc.double({ min: 0, max: 3, noNaN: true }),
          trailFrom: fc.double({ min: 0, max: 3, noNaN: true }),
          trailDistance: fc.double({ min: 0, max: 3, noNaN: true }),
        }),
        (direction, risk, gain, moved, rules) => {
          const stop = 10_000 - direction * (risk - moved);
          const close = 10_000 + direction * gain;
          fc.pre(direction * (close - stop) > 0);
          const to = movedStop({ ...LEFT_ALONE, ...rules }, direction, 10_000, risk, stop, close);
          expect(direction * (to - stop)).toBeGreaterThanOrEqual(0);
          expect(direction * (close - to)).toBeGreaterThan(0);
          expect(Number.isInteger(to)).toBe(true);
        },
      ),
    );
  });
});

/** Orders of a purpose that stand at the exchange: submitted and neither cancelled nor filled. */
function standing(bench: Bench, purpose: OrderRequest["purpose"]): number[] {
  return [...bench.state.orders.values()]
    .filter((order) => order.request.purpose === purpose && order.state.kind === "working")
    .map((order) => order.request.id);
}

describe("a led position", () => {
  test("moves its stop at a bar's close: the new one is acknowledged before the old one goes", () => {
    const bench = new Bench({ life: LED });
    const { stop } = bench.protectedPosition();
    bench.effects.length = 0;
    bench.bars(10_100);
    const [moved] = bench.submitted();
    expect(moved).toMatchObject({ purpose: "working-stop", trigger: 10_000, lots: 3000, reduceOnly: true });
    expect(bench.cancelled()).toEqual([]);
    expect(bench.records("stop-moved")).toMatchObject([{ from: 9_900, to: 10_000 }]);
    expect(bench.cancelled(bench.answer(moved!.id, "accepted"))).toEqual([stop]);
    bench.answer(stop, "cancelled");
    expect(standing(bench, "working-stop")).toEqual([moved!.id]);
    // A worse close changes nothing.
    bench.effects.length = 0;
    bench.bars(10_050);
    expect(bench.submitted()).toEqual([]);
  });

  test("moves on to the latest wish when the price runs before the exchange has answered", () => {
    const bench = new Bench({ life: LED });
    bench.protectedPosition();
    bench.effects.length = 0;
    bench.bars(10_100);
    const [first] = bench.submitted();
    bench.bars(10_180);
    expect(bench.submitted()).toHaveLength(1);
    const next = bench.submitted(bench.answer(first!.id, "accepted"));
    expect(next).toMatchObject([{ purpose: "working-stop", trigger: 10_080 }]);
  });

  test("keeps its old stop when the new one is refused, and is not closed for it", () => {
    const bench = new Bench({ life: LED });
    const { stop } = bench.protectedPosition();
    bench.effects.length = 0;
    bench.bars(10_100);
    const [moved] = bench.submitted();
    const effects = bench.answer(moved!.id, "rejected", -4045);
    expect(bench.submitted(effects)).toEqual([]);
    expect(bench.state.trading).toBe("normal");
    expect([...bench.state.positions.values()][0]).toMatchObject({
      stop: 9_900,
      workingStop: { kind: "acknowledged", order: stop },
    });
  });

  test("is sold at market when the price is already behind the new stop", () => {
    const bench = new Bench({ life: LED });
    bench.protectedPosition();
    bench.effects.length = 0;
    bench.bars(10_100);
    const [moved] = bench.submitted();
    expect(bench.submitted(bench.answer(moved!.id, "rejected", -2021))).toMatchObject([{ purpose: "exit" }]);
  });

  test("sells a part at its gain; stop and target then have the size of the rest", () => {
    const bench = new Bench({ life: { ...LEFT_ALONE, partialAt: 1, partialShare: 0.5 } });
    const { stop, target } = bench.protectedPosition();
    const partial = bench.submitted().find((order) => order.purpose === "partial-target");
    expect(partial).toMatchObject({ type: "take-profit-market", trigger: 10_100, lots: 1500, reduceOnly: true });
    const effects = bench.fill(partial!.id, 1500, 10_100);
    expect(bench.submitted(effects)).toMatchObject([{ purpose: "working-stop", lots: 1500, trigger: 9_900 }]);
    expect(bench.cancelled(effects)).toEqual([target]);
    expect(bench.cancelled(bench.answer(bench.submitted(effects)[0]!.id, "accepted"))).toEqual([stop]);
    const again = bench.submitted(bench.answer(target, "cancelled"));
    expect(again).toMatchObject([{ purpose: "target", lots: 1500, trigger: 10_200 }]);
    // It happens once: the rest is not sold in ever smaller parts.
    bench.answer(again[0]!.id, "accepted");
    bench.fill(again[0]!.id, 1500, 10_200);
    expect(bench.records("closed")[0]?.trade).toMatchObject({ reason: "target", lots: 3000 });
    expect(bench.state.positions.size).toBe(0);
  });

  test("too small to be parted is left whole", () => {
    const bench = new Bench({ life: { ...LEFT_ALONE, partialAt: 1 }, baseMarginFraction: 0.000_04 });
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    expect(entry!.lots).toBe(1);
    const closing = bench.submitted(bench.fill(entry!.id, 1, 10_000));
    expect(closing.map((order) => order.purpose)).toEqual(["disaster-stop", "working-stop", "target"]);
  });

  test("is closed when its time is over, with its stops in place until it is flat", () => {
    const bench = new Bench({ life: { ...LEFT_ALONE, maxHolding: HOUR } });
    const { stop, disaster } = bench.protectedPosition();
    bench.now += HOUR - MINUTE;
    bench.effects.length = 0;
    bench.bars();
    const [exit] = bench.submitted();
    expect(exit).toMatchObject({ purpose: "exit", type: "market", lots: 3000 });
    expect(bench.cancelled()).toEqual([]);
    bench.fill(exit!.id, 3000, 10_000);
    expect(bench.records("closed")[0]?.trade.reason).toBe("time");
    expect(bench.cancelled()).toEqual(expect.arrayContaining([stop, disaster]));
  });

  test("is closed when the market comes into a regime that is to be left", () => {
    const bench = new Bench({ life: { ...LEFT_ALONE, exitRegimes: ["ranging"] } });
    bench.protectedPosition();
    bench.effects.length = 0;
    bench.bars();
    expect(bench.submitted(bench.analysis([], ["trending", "ranging"]))).toEqual([]);
    bench.bars();
    const [exit] = bench.submitted(bench.analysis([], ["ranging", "ranging"]));
    bench.fill(exit!.id, 3000, 10_000);
    expect(bench.records("closed")[0]?.trade.reason).toBe("regime");
  });
});

/** One thing that may happen to a position, chosen by number; ids are picked among the orders that are open. */
type Happening = { readonly what: number; readonly pick: number; readonly amount: number };

/**
 * Whatever comes in whatever order: after each event the book is in order (`checkBook` runs in `give`), a protected
 * position is never left without an acknowledged stop by a change of the plan, and no event makes the core throw.
 */
test("every change leaves protection in place", () => {
  const life = { ...LED, partialAt: 1, partialShare: 0.5, maxHolding: 8 * MINUTE, exitRegimes: ["choppy"] as const };
  let entries = 0;
  let closed = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          what: fc.integer({ min: 0, max: 11 }),
          pick: fc.nat(1000),
          amount: fc.integer({ min: -150, max: 150 }),
        }),
        { minLength: 20, maxLength: 80 },
      ),
      (happenings: Happening[]) => {
        const bench = new Bench({ life });
        let price = 10_000;
        bench.bars(price);
        const pickOrder = (pick: number) => {
          const open = [...bench.state.orders.values()];
          return open.length === 0 ? undefined : open[pick % open.length];
        };
        for (const { what, pick, amount } of happenings) {
          const order = pickOrder(pick);
          const { symbol } = order?.request ?? { symbol: 0 };
          const before = new Map(bench.state.positions);
          switch (what) {
            case 0:
            case 1:
              price += amount;
              bench.bars(price);
              break;
            case 2:
            case 3: {
              const plan = { entry: price, stop: price - 100, target: price + 200 };
              bench.bars(price);
              bench.analysis([candidate(plan)], amount > 140 ? ["choppy", "trending"] : undefined);
              break;
            }
            case 4:
            case 5:
            case 6:
              if (order !== undefined && order.state.kind === "sent") bench.answer(order.request.id, "accepted");
              break;
            case 7:
            case 8:
              // The exchange fills, as far as there is something: entries in part or whole, exits what is held.
              if (order !== undefined) {
                const { request, position } = order;
                const held = position.holding.lots;
                const whole = request.purpose === "entry" ? request.lots - order.filled : held;
                const most = request.closePosition ? whole : Math.min(whole, request.lots - order.filled);
                const lots = amount > 0 ? most : Math.ceil(most / 2);
                if (lots > 0 && bench.state.positions.get("0:both") === position) {
                  const done = request.closePosition ? lots === held : order.filled + lots === request.lots;
                  bench.fill(request.id, lots, price, { done });
                }
              }
              break;
            case 9:
              if (order !== undefined && order.state.kind === "cancelling") bench.answer(order.request.id, "cancelled");
              break;
            case 10:
              if (order !== undefined && order.state.kind === "sent" && amount > 75) {
                bench.answer(order.request.id, "rejected", pick % 2 === 0 ? -2021 : -4045);
              }
              break;
            default:
              if (amount > 130) bench.give({ kind: "command", time: bench.now, symbol: -1, command: "flatten" });
              if (amount < -130) bench.give({ kind: "command", time: bench.now, symbol: -1, command: "resume" });
          }
          expect(symbol).toBe(0);
          for (const [key, position] of bench.state.positions) {
            if (before.get(key) !== position || position.phase.kind !== "open") continue;
            // Only the exchange takes a stop away; a plan never leaves the position with none on its way.
            expect(position.disasterStop.kind).not.toBe("none");
            expect(position.workingStop.kind).not.toBe("none");
          }
        }
        entries += bench.records("opened").length;
        closed += bench.records("closed").length;
      },
    ),
    { numRuns: 400, includeErrorInReport: true },
  );
  expect(entries).toBeGreaterThan(150);
  expect(closed).toBeGreaterThan(50);
});
