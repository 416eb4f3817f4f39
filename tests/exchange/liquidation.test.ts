import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { USDT } from "../../src/core/instrument.ts";
import { assumedContract, type Bracket, type Contract } from "../../src/market/contract.ts";
import { barsOf, buy, instrument, MINUTE, play, type Row, sell } from "./bars.ts";

/** Three brackets whose maintenance amounts make the schedule continuous, as the exchange's do. */
const BRACKETS: readonly Bracket[] = [
  { maxLeverage: 20, cap: 500n * BigInt(USDT), maintenanceRate: 1_000_000n, amount: 0n },
  { maxLeverage: 20, cap: 2000n * BigInt(USDT), maintenanceRate: 2_500_000n, amount: (15n * BigInt(USDT)) / 2n },
  { maxLeverage: 20, cap: 1_000_000n * BigInt(USDT), maintenanceRate: 4_000_000n, amount: (75n * BigInt(USDT)) / 2n },
];
const CONTRACT: Contract = { ...assumedContract(instrument("X")), brackets: BRACKETS };

/**
 * The liquidation price as Binance documents it for a single position, per bracket, in real numbers: wallet is the
 * isolated margin, or under cross margin everything else that stands behind the position.
 *
 *   (wallet + amount − side × size × entry) / (size × (rate − side))
 *
 * The bracket that counts is the one whose value range the price falls into.
 */
function documentedLevel(side: 1 | -1, size: number, entry: number, wallet: number): number {
  let floor = 0;
  for (const { cap, maintenanceRate, amount } of BRACKETS) {
    const rate = Number(maintenanceRate) / USDT;
    const price = (wallet + Number(amount) / USDT - side * size * entry) / (size * (rate - side));
    const value = price * size;
    if (value > floor && value <= Number(cap) / USDT) return price;
    floor = Number(cap) / USDT;
  }
  return side > 0 ? 0 : Number.POSITIVE_INFINITY;
}

const situation = fc.record({
  side: fc.constantFrom(1 as const, -1 as const),
  lots: fc.integer({ min: 10, max: 600 }),
  leverage: fc.integer({ min: 2, max: 20 }),
  entry: fc.integer({ min: 500, max: 3000 }),
  /** How far the price goes beyond the level, ticks. */
  beyond: fc.integer({ min: -3, max: 3 }),
});

/** One tick of one lot is worth 0.01 USDT. */
const TICK = 0.01;

describe("liquidation comes exactly when maintenance margin / margin balance ≥ 1", () => {
  for (const marginMode of ["isolated", "cross"] as const) {
    for (const positionMode of ["one-way", "hedge"] as const) {
      test(`${marginMode} margin, ${positionMode} mode`, () => {
        let liquidated = 0;
        let spared = 0;
        fc.assert(
          fc.property(situation, ({ side, lots, leverage, entry, beyond }) => {
            const value = lots * entry * TICK;
            const fee = Math.ceil(lots * entry * 1_000_000 * 0.0005) / USDT;
            const balance = Math.ceil((value / leverage + fee) * 1.2 * USDT);
            const wallet = marginMode === "cross" ? balance / USDT - fee : value / leverage;
            const level = documentedLevel(side, lots * TICK, entry, wallet);
            fc.pre(Number.isFinite(level) && level > 5);
            // The last tick that is safe, and so many ticks further.
            const worst = (side > 0 ? Math.floor(level) + 1 : Math.ceil(level) - 1) - side * beyond;
            // Right at the level the formula in real numbers cannot tell.
            fc.pre(Math.abs(level - Math.round(level)) > 1e-6 && (worst - entry) * side < 0);
            const flat: Row = [entry, entry, entry, entry];
            const fall: Row = side > 0 ? [entry, entry, worst, entry] : [entry, worst, entry, entry];
            const source = { ...barsOf([[flat, flat, fall]]), contracts: [CONTRACT] };
            const leg = positionMode === "one-way" ? "both" : side > 0 ? "long" : "short";
            const { events, exchange } = play(
              source,
              (event, { submit }) => {
                const change = { leverage, leg } as const;
                if (event.kind !== "bar" || event.time !== MINUTE) return;
                submit(1, side > 0 ? buy(lots, change) : sell(lots, change));
              },
              { balance, marginMode, positionMode },
            );
            expect(events.some((event) => event.kind === "fill")).toBe(true);
            const happened = events.find((event) => event.kind === "liquidation");
            expect(happened !== undefined).toBe(beyond > 0);
            if (happened === undefined) {
              spared++;
              expect(exchange.marginRatio(0, leg)).toBeLessThan(1);
              return;
            }
            liquidated++;
            expect(happened.price).toBe(side > 0 ? Math.floor(level) : Math.ceil(level));
            // Nobody loses more than what stood behind the position.
            expect(Number(exchange.wallet)).toBeGreaterThanOrEqual(marginMode === "cross" ? 0 : balance * 0.1);
            expect(exchange.available).toBe(exchange.wallet);
          }),
          { numRuns: 300 },
        );
        expect(Math.min(liquidated, spared)).toBeGreaterThan(30);
      });
    }
  }

  test("under cross margin the losses of one symbol take the margin of another", () => {
    const calm: Row = [1000, 1000, 1000, 1000];
    const play2 = (low: number): string[] => {
      const fall: Row = [1000, 1000, low, low];
      const { events } = play(
        barsOf([
          [calm, calm, fall, [low, low, low, low]],
          [calm, calm, calm, [1000, 1000, 990, 990]],
        ]),
        (event, { submit }) => {
          if (event.kind !== "bar" || event.time !== MINUTE || event.symbol !== 1) return;
          submit(1, buy(100, { leverage: 20 }));
          submit(2, buy(100, { leverage: 20, symbol: 1 }));
        },
        { marginMode: "cross", balance: 201 * USDT },
      );
      return events.flatMap((event) =>
        event.kind === "liquidation"
          ? [`${event.symbol} at ${event.price} in bar ${Math.floor(event.time / MINUTE)}`]
          : [],
      );
    };
    // 200 − loss ≤ 2.5 % of both values: 200 − (1000 − p) = 25 + p / 40 at 846.15, the other symbol standing at 1000.
    expect(play2(860)).toEqual([]);
    expect(play2(846)).toEqual(["0 at 846 in bar 2"]);
  });
});
