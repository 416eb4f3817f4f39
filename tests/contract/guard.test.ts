import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { REGIMES } from "../../src/core/candidate.ts";
import { type BookView, type Guard, MAX_SCALE, type Proposal } from "../../src/core/guard.ts";
import { USDT } from "../../src/core/instrument.ts";
import { createGuards, type GuardOptions, guards } from "../../src/guards/registry.ts";
import { candidate, instrument } from "../core/core-fixture.ts";

const OPTIONS: GuardOptions = {
  regimeRules: {
    unknown: { allowed: false, multiplier: 1 },
    choppy: { allowed: false, multiplier: 1 },
    ranging: { allowed: false, multiplier: 1 },
    trending: { allowed: true, multiplier: 1 },
    strong_trending: { allowed: true, multiplier: 1.2 },
    breakout: { allowed: true, multiplier: 1 },
  },
  dailyLossLimit: 0.05,
  maxExposure: 3,
  minLeverage: 3,
  maxLeverage: 20,
  minMarginFraction: 0.03,
  maxMarginFraction: 0.13,
  minimumNotional: 20 * USDT,
};

const money = fc.integer({ min: 1, max: 1_000_000 }).map((usdt) => usdt * USDT);
const positions = fc.array(
  fc.record({
    symbol: fc.integer({ min: 1, max: 9 }),
    leg: fc.constant("both" as const),
    direction: fc.constantFrom(1 as const, -1 as const),
    notional: money,
    margin: money,
  }),
  { maxLength: 5 },
);
const books: fc.Arbitrary<BookView> = fc.record({
  now: fc.constant(0),
  tradingState: fc.constant("normal" as const),
  equity: money,
  available: fc.integer({ min: -1000, max: 1_000_000 }).map((usdt) => usdt * USDT),
  dayStartEquity: money,
  regime: fc.constantFrom(...REGIMES),
  positions,
});
const proposals: fc.Arbitrary<Proposal> = fc
  .record({
    stopDistance: fc.integer({ min: 1, max: 9_000 }),
    direction: fc.constantFrom(1 as const, -1 as const),
    marginFraction: fc.double({ min: 0.001, max: 1, noNaN: true }),
    leverage: fc.integer({ min: 1, max: 50 }),
    lots: fc.integer({ min: 0, max: 2_000_000 }),
  })
  .map(({ stopDistance, direction, marginFraction, leverage, lots }) => {
    const notional = lots * 10_000 * 10_000;
    const stop = 10_000 - direction * stopDistance;
    const planned = candidate({ direction, stop, target: 10_000 + direction * 100 });
    return {
      candidate: planned,
      instrument: instrument("AAAUSDT"),
      marginFraction,
      leverage,
      lots,
      notional,
      margin: Math.ceil(notional / leverage),
    };
  });

/** Changes that only ever make a book riskier. */
function riskier(book: BookView): BookView[] {
  const more = { symbol: 9, leg: "both", direction: 1, notional: 1000 * USDT, margin: 100 * USDT } as const;
  return [
    { ...book, positions: [...book.positions, more] },
    { ...book, available: book.available - 100 * USDT },
    { ...book, dayStartEquity: book.dayStartEquity * 2 },
  ];
}

const all = createGuards(OPTIONS);

test("the registry names each guard as the guard names itself", () => {
  expect(all.map((guard) => guard.name)).toEqual(Object.keys(guards));
});

describe.each(all.map((guard) => [guard.name, guard] as [string, Guard]))("guard %s", (_, guard) => {
  test("is a pure function", () => {
    fc.assert(
      fc.property(proposals, books, (proposal, book) => {
        const before = JSON.stringify([proposal, book]);
        expect(guard.judge(proposal, book)).toEqual(guard.judge(proposal, book));
        expect(JSON.stringify([proposal, book])).toBe(before);
      }),
    );
  });

  test("gives finite numbers with every verdict, and scales within bounds", () => {
    fc.assert(
      fc.property(proposals, books, (proposal, book) => {
        const verdict = guard.judge(proposal, book);
        if (verdict.kind === "allow") return;
        expect(verdict.reason.length).toBeGreaterThan(0);
        for (const value of Object.values(verdict.numbers)) expect(Number.isFinite(value)).toBe(true);
        if (verdict.kind === "scale") {
          expect(verdict.factor).toBeGreaterThan(0);
          expect(verdict.factor).toBeLessThanOrEqual(MAX_SCALE);
        }
      }),
    );
  });

  test("never allows in a riskier book what it vetoed", () => {
    fc.assert(
      fc.property(proposals, books, (proposal, book) => {
        if (guard.judge(proposal, book).kind !== "veto") return;
        for (const worse of riskier(book)) expect(guard.judge(proposal, worse).kind).toBe("veto");
      }),
    );
  });
});

describe("laws of single guards", () => {
  const named = (name: string) => all.find((guard) => guard.name === name)!;

  test("daily-loss: vetoes exactly from the limit on", () => {
    fc.assert(
      fc.property(proposals, books, (proposal, book) => {
        const loss = (book.dayStartEquity - book.equity) / book.dayStartEquity;
        expect(named("daily-loss").judge(proposal, book).kind).toBe(loss < 0.05 ? "allow" : "veto");
      }),
    );
  });

  test("exposure: what passes fits", () => {
    fc.assert(
      fc.property(proposals, books, (proposal, book) => {
        const verdict = named("exposure").judge(proposal, book);
        const factor = verdict.kind === "veto" ? 0 : verdict.kind === "scale" ? verdict.factor : 1;
        if (factor === 0) return;
        const bound = book.positions.reduce((sum, position) => sum + position.notional, 0);
        expect(bound + proposal.notional * factor).toBeLessThanOrEqual(3 * book.equity * (1 + 1e-12));
      }),
    );
  });

  test("sizing: what passes is within all bounds, and the stop costs at most 80 % of the margin", () => {
    fc.assert(
      fc.property(proposals, books, (proposal, book) => {
        const verdict = named("sizing").judge(proposal, book);
        if (verdict.kind === "veto") return;
        const factor = verdict.kind === "scale" ? verdict.factor : 1;
        const leverage = (verdict.kind === "scale" ? verdict.leverage : undefined) ?? proposal.leverage;
        const fraction = proposal.marginFraction * factor;
        expect(leverage).toBeGreaterThanOrEqual(3);
        expect(leverage).toBeLessThanOrEqual(20);
        expect(fraction).toBeGreaterThanOrEqual(0.03 * (1 - 1e-12));
        expect(fraction).toBeLessThanOrEqual(0.13 * (1 + 1e-12));
        expect(fraction * book.equity).toBeLessThanOrEqual(book.available);
        const { entry, stop, direction } = proposal.candidate;
        expect(((direction * (entry - stop)) / entry) * leverage).toBeLessThanOrEqual(0.8 * (1 + 1e-12));
      }),
    );
  });

  test("minimum-notional: what passes is an order that the exchange takes", () => {
    fc.assert(
      fc.property(proposals, books, (proposal, book) => {
        const verdict = named("minimum-notional").judge(proposal, book);
        if (verdict.kind !== "allow") return;
        expect(proposal.notional).toBeGreaterThanOrEqual(20 * USDT);
        expect(proposal.lots).toBeGreaterThanOrEqual(1);
        expect(proposal.lots).toBeLessThanOrEqual(1_000_000);
      }),
    );
  });

  test("regime: allows exactly what the table allows", () => {
    fc.assert(
      fc.property(proposals, books, (proposal, book) => {
        const verdict = named("regime").judge(proposal, book);
        const rule = OPTIONS.regimeRules[book.regime];
        expect(verdict.kind).toBe(rule.allowed ? (rule.multiplier === 1 ? "allow" : "scale") : "veto");
      }),
    );
  });
});
