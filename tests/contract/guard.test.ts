import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { REGIMES } from "../../src/core/candidate.ts";
import { TRADING_STATES } from "../../src/core/effects.ts";
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
  feedAgeLimit: 120_000,
  dailyLossLimit: 0.05,
  maxDrawdown: 0.25,
  maxLosses: 12,
  volatilityLimit: 0.05,
  riskPerTrade: 0.02,
  maxSymbolExposure: 1,
  maxExposure: 3,
  maxCorrelatedExposure: 2,
  maxClusterPositions: 3,
  clusterCorrelation: 0.7,
  liquidityShare: 0.1,
  minConfidence: 0.35,
  breakEvenWinRate: 1 / 3,
  baseLeverage: 3,
  minLeverage: 3,
  maxLeverage: 20,
  minMarginFraction: 0.03,
  maxMarginFraction: 0.13,
  minimumNotional: 20 * USDT,
};

const money = fc.integer({ min: 1, max: 1_000_000 }).map((usdt) => usdt * USDT);
const positions = fc.array(
  fc.record({
    symbol: fc.integer({ min: 0, max: 9 }),
    leg: fc.constant("both" as const),
    direction: fc.constantFrom(1 as const, -1 as const),
    notional: money,
    margin: money,
    correlation: fc.double({ min: -1, max: 1, noNaN: true }),
  }),
  { maxLength: 5 },
);
const books: fc.Arbitrary<BookView> = fc.record({
  now: fc.constant(0),
  tradingState: fc.constantFrom(...TRADING_STATES),
  equity: money,
  available: fc.integer({ min: -1000, max: 1_000_000 }).map((usdt) => usdt * USDT),
  dayStartEquity: money,
  drawdown: fc.double({ min: 0, max: 1, noNaN: true }),
  consecutiveLosses: fc.integer({ min: 0, max: 20 }),
  winRate: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  barAge: fc.integer({ min: 0, max: 300_000 }),
  volatility: fc.double({ min: 0, max: 0.2, noNaN: true }),
  barValue: fc.oneof(fc.constant(0), money),
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
    prediction: fc.option(
      fc.record({
        model: fc.constant("a model"),
        probability: fc.double({ min: 0, max: 1, noNaN: true }),
        size: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
      }),
      { nil: undefined },
    ),
  })
  .map(({ stopDistance, direction, marginFraction, leverage, lots, prediction }) => {
    const notional = lots * 10_000 * 10_000;
    const stop = 10_000 - direction * stopDistance;
    const plan = { direction, stop, target: 10_000 + direction * 100 };
    const planned = candidate(prediction === undefined ? plan : { ...plan, prediction });
    return {
      candidate: planned,
      instrument: instrument("AAAUSDT"),
      marginFraction,
      leverage,
      lots,
      notional,
      margin: Math.ceil(notional / leverage),
      mark: 10_000,
    };
  });

/** Changes that only ever make a book riskier. */
function riskier(book: BookView): BookView[] {
  const more = {
    symbol: 9,
    leg: "both",
    direction: 1,
    notional: 1000 * USDT,
    margin: 100 * USDT,
    correlation: 1,
  } as const;
  return [
    { ...book, positions: [...book.positions, more] },
    { ...book, available: book.available - 100 * USDT },
    { ...book, dayStartEquity: book.dayStartEquity * 2 },
    { ...book, drawdown: book.drawdown + 0.1 },
    { ...book, consecutiveLosses: book.consecutiveLosses + 1 },
    { ...book, barAge: book.barAge + 1000 },
    { ...book, volatility: book.volatility * 2 },
    { ...book, barValue: book.barValue / 2 },
    { ...book, tradingState: TRADING_STATES[TRADING_STATES.indexOf(book.tradingState) + 1] ?? "halted" },
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

  /** Value of an entry after a guard: 0 when it is refused. */
  const passed = (name: string, proposal: Proposal, book: BookView): number => {
    const verdict = named(name).judge(proposal, book);
    return verdict.kind === "veto" ? 0 : proposal.notional * (verdict.kind === "scale" ? verdict.factor : 1);
  };
  const law = (holds: (proposal: Proposal, book: BookView) => void) =>
    fc.assert(fc.property(proposals, books, holds), { numRuns: 300 });
  const MORE = 1 + 1e-12;

  test("feed-age: vetoes exactly beyond the limit", () => {
    law((proposal, book) => {
      expect(named("feed-age").judge(proposal, book).kind).toBe(book.barAge <= 120_000 ? "allow" : "veto");
    });
  });

  test("trading-state: never larger in a stricter state, nothing from reduce-only on", () => {
    law((proposal, book) => {
      const sizes = TRADING_STATES.map((tradingState) => passed("trading-state", proposal, { ...book, tradingState }));
      expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
      expect(sizes.slice(3)).toEqual([0, 0]);
    });
  });

  test("drawdown: never larger in a deeper drawdown, nothing from the limit on", () => {
    law((proposal, book) => {
      const here = passed("drawdown", proposal, book);
      expect(passed("drawdown", proposal, { ...book, drawdown: book.drawdown + 0.01 })).toBeLessThanOrEqual(here);
      if (book.drawdown >= 0.25) expect(here).toBe(0);
      else if (proposal.notional > 0) expect(here).toBeGreaterThanOrEqual(proposal.notional / 2);
    });
  });

  test("losing-streak: never larger after one more loss", () => {
    law((proposal, book) => {
      const more = { ...book, consecutiveLosses: book.consecutiveLosses + 1 };
      expect(passed("losing-streak", proposal, more)).toBeLessThanOrEqual(passed("losing-streak", proposal, book));
      if (book.consecutiveLosses >= 12 && book.tradingState === "reduce-only") {
        expect(passed("losing-streak", proposal, book)).toBe(0);
      }
    });
  });

  test("volatility: nothing from the limit on, half the size just below, all up to half of it", () => {
    law((proposal, book) => {
      const { volatility } = book;
      const share = volatility >= 0.05 ? 0 : volatility <= 0.025 ? 1 : 1 - (volatility - 0.025) / 0.05;
      expect(passed("volatility", proposal, book)).toBeCloseTo(proposal.notional * share, -3);
    });
  });

  test("dynamic-sizing: margin and leverage end within their bounds; leverage above the base needs a proven record", () => {
    law((proposal, book) => {
      const verdict = named("dynamic-sizing").judge(proposal, book);
      if (verdict.kind !== "scale") return;
      const fraction = proposal.marginFraction * verdict.factor;
      if (proposal.marginFraction >= 0.015) expect(fraction).toBeGreaterThanOrEqual(0.03 / MORE);
      expect(fraction).toBeLessThanOrEqual(0.13 * MORE);
      expect(verdict.leverage).toBeGreaterThanOrEqual(3);
      expect(verdict.leverage).toBeLessThanOrEqual(20);
      if (book.winRate === undefined || book.winRate <= 1 / 3) expect(verdict.leverage).toBe(3);
      const worse = named("dynamic-sizing").judge(proposal, { ...book, drawdown: book.drawdown + 0.1 });
      if (worse.kind === "scale") expect(worse.leverage).toBeLessThanOrEqual(verdict.leverage!);
    });
  });

  test("risk-per-trade: the stop costs at most the limit", () => {
    law((proposal, book) => {
      const { direction, stop } = proposal.candidate;
      const loss = passed("risk-per-trade", proposal, book) * ((direction * (10_000 - stop)) / 10_000);
      expect(loss).toBeLessThanOrEqual(0.02 * book.equity * MORE);
    });
  });

  test("symbol-exposure: what passes fits beside what the symbol has", () => {
    law((proposal, book) => {
      const size = passed("symbol-exposure", proposal, book);
      const held = book.positions.filter((position) => position.symbol === 0);
      const bound = held.reduce((sum, position) => sum + position.notional, 0);
      if (size > 0) expect(bound + size).toBeLessThanOrEqual(book.equity * MORE);
    });
  });

  test("correlation: what passes fits beside what moves with it; offsetting positions do not count", () => {
    law((proposal, book) => {
      const size = passed("correlation", proposal, book);
      const { direction } = proposal.candidate;
      const bound = book.positions
        .map((position) => position.notional * position.correlation * position.direction * direction)
        .reduce((sum, value) => (value > 0 ? sum + value : sum), 0);
      if (size > 0) expect(bound + size).toBeLessThanOrEqual(2 * book.equity * MORE);
      const opposed = book.positions.map((position) => ({ ...position, correlation: -position.direction * direction }));
      expect(passed("correlation", proposal, { ...book, positions: opposed })).toBeGreaterThanOrEqual(size);
    });
  });

  test("cluster: vetoes exactly when there are as many alike as allowed", () => {
    law((proposal, book) => {
      const alike = book.positions.filter(
        (position) => position.correlation * position.direction * proposal.candidate.direction >= 0.7,
      ).length;
      expect(named("cluster").judge(proposal, book).kind).toBe(alike < 3 ? "allow" : "veto");
    });
  });

  test("liquidity: an order is at most its share of a bar", () => {
    law((proposal, book) => {
      expect(passed("liquidity", proposal, book)).toBeLessThanOrEqual(0.1 * book.barValue * MORE);
    });
  });

  test("the caps and the sizing only ever cut the value", () => {
    for (const name of ["risk-per-trade", "symbol-exposure", "exposure", "correlation", "liquidity", "sizing"]) {
      law((proposal, book) => {
        const verdict = named(name).judge(proposal, book);
        if (verdict.kind !== "scale") return;
        const leverage = (verdict.leverage ?? proposal.leverage) / proposal.leverage;
        expect(verdict.factor * leverage).toBeLessThanOrEqual(MORE);
      });
    }
  });

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

  test("sizing: what passes is within all bounds, and the stop lies within 80 % of the way to the liquidation", () => {
    // The instrument offers 20: half of its smallest initial margin is kept as maintenance margin.
    const maintenance = 0.025;
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
        const liquidation = (1 / leverage - maintenance) / (1 + maintenance);
        expect((direction * (entry - stop)) / entry).toBeLessThanOrEqual(0.8 * liquidation * (1 + 1e-12));
      }),
    );
  });

  test("model: no bet, no trade; a larger bet never gets less; without a model it has no say", () => {
    const guard = named("model");
    fc.assert(
      fc.property(proposals, books, fc.double({ min: 0, max: 1, noNaN: true }), (proposal, book, larger) => {
        const verdict = guard.judge(proposal, book);
        const { prediction } = proposal.candidate;
        if (prediction === undefined) return expect(verdict).toEqual({ kind: "allow" });
        if (prediction.size === 0) return expect(verdict.kind).toBe("veto");
        const size = prediction.size > larger ? prediction.size : larger;
        const more = { ...proposal, candidate: { ...proposal.candidate, prediction: { ...prediction, size } } };
        const bolder = guard.judge(more, book);
        if (verdict.kind !== "scale" || bolder.kind !== "scale") throw new Error("a bet is scaled");
        expect(bolder.factor).toBeGreaterThanOrEqual(verdict.factor);
        expect(verdict.factor).toBeWithin(0.5, 1.5 + Number.EPSILON);
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
