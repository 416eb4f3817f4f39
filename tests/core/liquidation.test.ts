import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Instrument, USDT } from "../../src/core/instrument.ts";
import { Account } from "../../src/exchange/simulated/account.ts";
import { createSizingGuard } from "../../src/guards/sizing.ts";
import { assumedContract, type Bracket, type Contract, leverageBrackets } from "../../src/market/contract.ts";
import { Bench, candidate, instrument } from "./core-fixture.ts";

const SIZING = createSizingGuard({ minLeverage: 1, maxLeverage: 125, minMarginFraction: 0, maxMarginFraction: 1 });

/** A schedule without jumps, as the exchange's are: rates rise and what is offered falls, from step to step. */
const schedules: fc.Arbitrary<readonly Bracket[]> = fc
  .array(fc.integer({ min: 2, max: 4 }), { minLength: 0, maxLength: 3 })
  .map((factors) => {
    const brackets: Bracket[] = [];
    let rate = 500_000n;
    let cap = 5_000n * BigInt(USDT);
    let amount = 0n;
    for (const factor of [...factors, 2]) {
      brackets.push({ maxLeverage: Number(50_000_000n / rate), cap, maintenanceRate: rate, amount });
      const next = rate * BigInt(factor);
      amount += (cap * (next - rate)) / 100_000_000n;
      rate = next;
      cap *= 5n;
    }
    return brackets;
  });

const markets: fc.Arbitrary<{ traded: Instrument; contract: Contract }> = fc
  .record({ maxLeverage: fc.integer({ min: 1, max: 125 }), schedule: fc.option(schedules, { nil: undefined }) })
  .map(({ maxLeverage, schedule }) => {
    const plain = { ...instrument("AAAUSDT"), maxLeverage };
    if (schedule === undefined) return { traded: plain, contract: assumedContract(plain) };
    const traded = { ...plain, maxLeverage: schedule[0]!.maxLeverage, brackets: leverageBrackets(schedule) };
    return { traded, contract: { ...assumedContract(traded), brackets: schedule } };
  });

const plans = fc.record({
  direction: fc.constantFrom(1 as const, -1 as const),
  stopDistance: fc.integer({ min: 1, max: 6_000 }),
  baseLeverage: fc.integer({ min: 1, max: 125 }),
  baseMarginFraction: fc.double({ min: 0.01, max: 1, noNaN: true }),
  /** How far from the price of the decision the entry fills, ticks. */
  slip: fc.oneof(fc.constant(0), fc.integer({ min: -500, max: 500 })),
  guarded: fc.boolean(),
});

describe("the stops of a position", () => {
  test("come before its liquidation by the exchange, whatever brackets, leverage, size and fill", () => {
    let entered = 0;
    let closed = 0;
    fc.assert(
      fc.property(markets, plans, ({ traded, contract }, plan) => {
        const { direction, stopDistance, guarded, slip, ...base } = plan;
        const bench = new Bench({ instruments: [traded], guards: guarded ? [SIZING] : [], ...base });
        bench.bars();
        const stop = 10_000 - direction * stopDistance;
        const signal = candidate({ direction, stop, target: 10_000 + direction * 200 });
        const [entry] = bench.submitted(bench.analysis([signal]));
        if (entry === undefined) return;
        const filledAt = 10_000 + slip;
        const account = new Account([traded], [contract], 1n << 60n, { position: "one-way", margin: "isolated" });
        account.open(0, direction, entry.lots, filledAt, entry.leverage);
        const { liquidation } = account.positions[0]!;
        const orders = bench.submitted(bench.fill(entry.id, entry.lots, filledAt));
        if (orders.some((order) => order.purpose === "exit")) {
          // Only a fill away from the plan may leave no room for the stops.
          expect(slip).not.toBe(0);
          closed += 1;
          return;
        }
        if (direction * (filledAt - stop) <= 0) return;
        entered += 1;
        const disaster = orders.find((order) => order.purpose === "disaster-stop")!.trigger;
        const working = orders.find((order) => order.purpose === "working-stop")!.trigger;
        expect(direction * (working - disaster)).toBeGreaterThan(0);
        // 0 is a long that nothing but a price of 0 could liquidate.
        if (liquidation > 0) expect(direction * (disaster - liquidation)).toBeGreaterThan(0);
      }),
      { numRuns: 2000, seed: 4 },
    );
    expect(entered).toBeGreaterThan(400);
    expect(closed).toBeGreaterThan(5);
  });

  test("leave no entry where the liquidation would come first", () => {
    const bench = new Bench({ baseLeverage: 20 });
    bench.bars();
    // 1 / 20 of margin less 2.5 % of maintenance: gone after about 250 ticks.
    bench.analysis([candidate({ stop: 9_740 })]);
    expect(bench.submitted()).toEqual([]);
    expect(bench.records("refusal")).toMatchObject([{ guard: "liquidation", numbers: { leverage: 20, stop: 9_740 } }]);
  });
});

test("the sizing guard offers no more leverage than the bracket of the position's value", () => {
  const brackets = [
    { maxLeverage: 50, cap: 1000 * USDT, maintenance: 0.01 },
    { maxLeverage: 10, cap: 1e9 * USDT, maintenance: 0.05 },
  ];
  const judge = (lots: number, guard = SIZING) =>
    guard.judge(
      {
        candidate: candidate(),
        instrument: { ...instrument("AAAUSDT"), maxLeverage: 50, brackets },
        marginFraction: 0.1,
        leverage: 20,
        lots,
        notional: lots * 10_000 * 10_000,
        margin: (lots * 10_000 * 10_000) / 20,
        mark: 10_000,
      },
      { equity: 1e6 * USDT, available: 1e6 * USDT } as Parameters<typeof SIZING.judge>[1],
    );
  expect(judge(900)).toEqual({ kind: "allow" });
  expect(judge(2000)).toMatchObject({ kind: "scale", leverage: 10 });
  const never = createSizingGuard({ minLeverage: 15, maxLeverage: 20, minMarginFraction: 0, maxMarginFraction: 1 });
  expect(judge(2000, never)).toMatchObject({ kind: "veto", numbers: { offered: 10, minimum: 15 } });
  expect(judge(2000, never)).toMatchObject({ reason: expect.stringContaining("offers less than MIN_LEVERAGE") });
});
