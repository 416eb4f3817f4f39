import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type AdoptionTerms, adoptionTerms, type ForeignPosition } from "../../src/core/adoption.ts";
import type { AdoptionEvent } from "../../src/core/events.ts";
import { trialBalance } from "../../src/core/ledger.ts";
import { liquidationShare } from "../../src/core/liquidation.ts";
import { equityOf } from "../../src/core/state.ts";
import { Bench, instrument, NEVER_WORRIED } from "./core-fixture.ts";

const contract = instrument("AAAUSDT");
const MARK = 10_000;

function adoption(bench: Bench, overrides: Partial<AdoptionEvent> = {}): AdoptionEvent {
  return {
    kind: "adoption",
    time: bench.now,
    symbol: 0,
    direction: 1,
    lots: 100,
    cost: 100 * 9_900 * contract.unitValue,
    leverage: 5,
    mark: MARK,
    stop: 9_800,
    disasterStop: 9_600,
    since: bench.now,
    ...overrides,
  };
}

const foreign: fc.Arbitrary<ForeignPosition> = fc
  .record({
    direction: fc.constantFrom(1 as const, -1 as const),
    lots: fc.integer({ min: 1, max: 1_000_000 }),
    entry: fc.integer({ min: 100, max: 20_000 }),
    leverage: fc.integer({ min: 1, max: 50 }),
    mark: fc.integer({ min: 0, max: 20_000 }),
  })
  .map(({ entry, lots, ...rest }) => ({ ...rest, lots, cost: entry * lots * contract.unitValue }));

describe("where the stops of an adopted position belong", () => {
  test("between the market and the liquidation, the disaster stop behind the other, or nowhere", () => {
    let stops = 0;
    fc.assert(
      fc.property(foreign, fc.double({ min: 0.001, max: 0.5, noNaN: true }), (position, distance) => {
        const terms = adoptionTerms(contract, position, distance);
        if (terms.kind === "refused") {
          expect(terms.reason).not.toBe("");
          return;
        }
        stops++;
        const { direction, mark, lots, cost, leverage } = position;
        const entry = cost / (lots * contract.unitValue);
        const liquidation = entry * (1 - direction * liquidationShare(contract, direction, cost, leverage));
        const order = [mark, terms.stop, terms.disasterStop, liquidation].map((price) => direction * price);
        for (let i = 1; i < order.length; i++) expect(order[i]!).toBeLessThan(order[i - 1]!);
        expect(Math.abs(mark - terms.stop)).toBe(Math.round(mark * distance));
        expect(Number.isSafeInteger(terms.stop) && terms.disasterStop >= 1).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(stops).toBeGreaterThan(200);
  });

  test("whoever cannot be protected is refused, with the reason", () => {
    const position: ForeignPosition = {
      direction: 1,
      lots: 100,
      cost: 100 * MARK * contract.unitValue,
      leverage: 5,
      mark: MARK,
    };
    const reason = (change: Partial<ForeignPosition>, distance = 0.02) => {
      const terms: AdoptionTerms = adoptionTerms(contract, { ...position, ...change }, distance);
      return terms.kind === "refused" ? terms.reason : `${terms.stop} ${terms.disasterStop}`;
    };
    expect(reason({})).toBe("9800 9600");
    expect(reason({ direction: -1 })).toBe("10200 10400");
    expect(reason({ mark: 0 })).toContain("no price");
    expect(reason({ cost: 0 })).toContain("not known exactly");
    expect(reason({ cost: 2 ** 60 })).toContain("not known exactly");
    expect(reason({ leverage: 0 })).toContain("leverage is not known");
    expect(reason({ lots: contract.maxLots + 1 })).toContain("larger than one order");
    expect(reason({}, 0.00001)).toContain("at the price itself");
    // 1 / 20 of margin, half of it for maintenance: liquidated 2.4 % away.
    expect(reason({ leverage: 20 })).toBe("9800 9779");
    expect(reason({ leverage: 20 }, 0.03)).toContain("liquidated before its stop");
    // The market has run against it already, and what is left to the liquidation is less than the distance.
    expect(reason({ mark: 8_500 }, 0.05)).toContain("liquidated before its stop");
  });
});

describe("an adopted position", () => {
  test("is protected at once, costs no money, and is led to its end like any other", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1 as const, -1 as const),
        fc.integer({ min: 2, max: 1000 }),
        fc.integer({ min: -300, max: 300 }),
        fc.boolean(),
        (direction, lots, ahead, disaster) => {
          const bench = new Bench();
          bench.bars(MARK);
          const before = equityOf(bench.state);
          const cost = lots * (MARK - direction * ahead) * contract.unitValue;
          const event = adoption(bench, {
            direction,
            lots,
            cost,
            stop: MARK - direction * 200,
            disasterStop: MARK - direction * 400,
          });
          const [second, first] = bench.submitted(bench.give(event)).reverse();
          expect(first).toMatchObject({ purpose: "disaster-stop", closePosition: true, side: -direction });
          expect(first!.trigger).toBe(event.disasterStop);
          expect(second).toMatchObject({ purpose: "working-stop", lots, reduceOnly: true, trigger: event.stop });
          // What it had gained before it came is none of our gains.
          const after = equityOf(bench.state);
          expect(after.wallet).toBe(before.wallet);
          expect(after.equity - before.equity).toBe(0 + direction * (lots * MARK * contract.unitValue - cost));
          expect(bench.state.dayStartEquity - before.equity).toBe(after.equity - before.equity);
          expect(bench.state.risk.peakEquity).toBe(after.equity);
          const at = bench.now + bench.state.config.protectionTimeout;
          expect(bench.effects).toContainEqual({ kind: "set-timer", timer: "protection:0:both", at });

          bench.answer(first!.id, "accepted");
          bench.answer(second!.id, "accepted");
          const [hit, price] = disaster ? [first!, event.disasterStop] : [second!, event.stop];
          const part = 1 + Math.floor(lots / 3);
          bench.fill(hit.id, part, price, { done: false, fee: 7 });
          bench.fill(hit.id, lots - part, price, { fee: 7 });
          expect(bench.state.positions.size).toBe(0);
          expect(trialBalance(bench.state.ledger)).toBe(0n);
          const [{ trade } = { trade: undefined }] = bench.records("closed");
          const gain = BigInt(direction) * (BigInt(lots) * BigInt(price) * BigInt(contract.unitValue) - BigInt(cost));
          expect(trade).toMatchObject({ pnl: gain - 14n, strategy: "adopted", lots, direction });
          expect(BigInt(before.wallet) + trade!.pnl).toBe(bench.state.ledger.balances.wallet);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("is closed at the market when its stop is refused or not acknowledged in time", () => {
    for (const late of [false, true]) {
      const bench = new Bench();
      bench.bars(MARK);
      const [disaster, working] = bench.submitted(bench.give(adoption(bench)));
      if (late) {
        bench.now += bench.state.config.protectionTimeout;
        bench.give({ kind: "timer", time: bench.now, symbol: -1, timer: "protection:0:both" });
      } else {
        bench.answer(disaster!.id, "rejected", -4130);
        bench.answer(working!.id, "rejected", -2021);
      }
      const exit = bench.submitted().find(({ purpose }) => purpose === "exit");
      expect(exit).toMatchObject({ type: "market", lots: 100, reduceOnly: true, side: -1 });
      bench.answer(exit!.id, "accepted");
      bench.fill(exit!.id, 100, 9_950);
      expect(bench.state.positions.size).toBe(0);
    }
  });

  test("that came with a loss trips no limit of ours; one that loses later does", () => {
    const bench = new Bench({ risk: { ...NEVER_WORRIED, drawdown: [0.05, 0.1, 0.2, 0.3] } });
    bench.bars(MARK);
    const lots = 30_000;
    // It had lost a third of the account before it came.
    bench.give(adoption(bench, { lots, cost: lots * 11_000 * contract.unitValue, stop: 9_000, disasterStop: 8_000 }));
    expect(bench.state.trading).toBe("normal");
    bench.bars(9_700);
    bench.analysis([]);
    expect(bench.state.trading).not.toBe("normal");
  });

  test("that loses is no loss in a row of ours, and no part of our win rate", () => {
    const bench = new Bench({ risk: { ...NEVER_WORRIED, losses: [1, 2, 3] } });
    bench.bars(MARK);
    bench.give(adoption(bench));
    const stop = bench.submitted().find(({ purpose }) => purpose === "working-stop")!;
    bench.fill(stop.id, 100, MARK - 500);
    expect(bench.records("closed")).toMatchObject([{ trade: { strategy: "adopted" } }]);
    expect(bench.records("closed")[0]!.trade.pnl).toBeLessThan(0n);
    expect(bench.state.risk).toMatchObject({ consecutiveLosses: 0, outcomes: [] });
    expect(bench.state.trading).toBe("normal");
  });

  test("that comes before the first bar is valued at the price that its stops are measured from", () => {
    const bench = new Bench();
    const { dayStartEquity } = bench.state;
    bench.give(adoption(bench));
    expect(bench.state.dayStartEquity - dayStartEquity).toBe(100 * 100 * contract.unitValue);
  });

  test("beside a position of ours is refused, with an alarm and without a change", () => {
    const bench = new Bench();
    bench.protectedPosition();
    const held = [...bench.state.positions.values()].map(({ holding }) => holding.lots);
    const effects = bench.give(adoption(bench));
    expect(bench.submitted(effects)).toEqual([]);
    expect([...bench.state.positions.values()].map(({ holding }) => holding.lots)).toEqual(held);
    expect(effects).toContainEqual({
      kind: "notice",
      level: "alarm",
      text: "AAAUSDT: 100 lots of somebody else cannot be added to a position of ours",
    });
    expect(bench.state.trading).toBe("reduce-only");
  });

  test("has no target, and its symbol is entered again only when it is gone", () => {
    const bench = new Bench();
    bench.bars(MARK);
    const sent = bench.submitted(bench.give(adoption(bench)));
    for (const { id } of sent) bench.answer(id, "accepted");
    expect(sent.map(({ purpose }) => purpose)).toEqual(["disaster-stop", "working-stop"]);
    bench.bars(10_300);
    expect(bench.submitted().filter(({ purpose }) => purpose === "target" || purpose === "partial-target")).toEqual([]);
  });
});
