import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { USDT } from "../../src/core/instrument.ts";
import {
  createRisk,
  drawdownOf,
  equityIs,
  judge,
  moveRisk,
  type RiskRules,
  recentWinRate,
  tradeClosed,
} from "../../src/core/risk.ts";
import { Bench, candidate, MINUTE, NEVER_WORRIED } from "./core-fixture.ts";

const HOUR = 60 * MINUTE;
const RULES: RiskRules = {
  losses: [3, 5, 8],
  pause: 12 * HOUR,
  drawdown: [0.1, 0.15, 0.25, 0.35],
  winRate: [0.35, 0.2],
  window: 10,
  minTrades: 5,
  hysteresis: 0.2,
  recovery: 4 * HOUR,
};

describe("the record of the book", () => {
  test("asks for a stricter state at each threshold, and names what led to it", () => {
    const risk = createRisk(1000);
    const levelAt = (equity: number) => {
      equityIs(risk, equity);
      return judge(risk, RULES, 0, 0).level;
    };
    expect([1000, 901, 900, 850, 750, 650].map(levelAt)).toEqual([0, 0, 1, 2, 3, 4]);
    expect(judge(risk, RULES, 0, 0).reason).toBe("drawdown of 35 %");
    expect(drawdownOf(risk)).toBe(0.35);
  });

  test("a losing streak ends with a gain; after its pause it no longer closes entries", () => {
    const risk = createRisk(1000);
    for (let i = 0; i < 8; i++) tradeClosed(risk, { ...RULES, minTrades: 100 }, -1n, HOUR);
    const rules = { ...RULES, minTrades: 100 };
    expect(judge(risk, rules, HOUR, 0)).toEqual({ level: 3, reason: "8 losses in a row" });
    expect(judge(risk, rules, 13 * HOUR, 0).level).toBe(2);
    tradeClosed(risk, rules, 1n, 14 * HOUR);
    expect(judge(risk, rules, 14 * HOUR, 0).level).toBe(0);
  });

  test("few winners make trading careful, once there are enough trades to say so", () => {
    const risk = createRisk(1000);
    const results = [1n, -1n, -1n, 1n];
    for (const pnl of results) tradeClosed(risk, RULES, pnl, 0);
    expect(recentWinRate(risk, RULES)).toBeUndefined();
    tradeClosed(risk, RULES, -1n, 0);
    tradeClosed(risk, RULES, -1n, 0);
    expect(judge(risk, RULES, 0, 0).level).toBe(1);
    for (let i = 0; i < 20; i++) tradeClosed(risk, { ...RULES, losses: [99, 99, 99] }, -1n, 0);
    expect(risk.outcomes.length).toBe(10);
    expect(judge(risk, { ...RULES, losses: [99, 99, 99] }, 0, 0).level).toBe(2);
  });

  test("the breaker of the interface counts like the rest", () => {
    const risk = createRisk(1000);
    const levels = (["closed", "warning", "throttled", "blocked"] as const).map((breaker) => {
      risk.breaker = breaker;
      return judge(risk, RULES, 0, 0).level;
    });
    expect(levels).toEqual([0, 1, 2, 3]);
  });
});

describe("the state", () => {
  test("worsens at once and recovers step by step, each after its time and beyond the hysteresis", () => {
    const risk = createRisk(1000);
    equityIs(risk, 840);
    expect(moveRisk(risk, RULES, 0)).toBe("drawdown of 16 %");
    expect(risk.level).toBe(2);
    // Better than the threshold, but not by a fifth: 0.15 × 0.8 = 0.12.
    equityIs(risk, 870);
    expect(moveRisk(risk, RULES, 100 * HOUR)).toBeUndefined();
    equityIs(risk, 890);
    expect(moveRisk(risk, RULES, 101 * HOUR)).toBe("the book has recovered");
    expect(risk.level).toBe(1);
    equityIs(risk, 1000);
    expect(moveRisk(risk, RULES, 102 * HOUR)).toBeUndefined();
    expect(moveRisk(risk, RULES, 105 * HOUR)).toBe("the book has recovered");
    expect(risk.level).toBe(0);
  });

  test("does not flutter: whatever the equity does, it eases at most once per recovery time", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 600, max: 1100 }), { maxLength: 200 }), (path) => {
        const risk = createRisk(1000);
        let eased = Number.NEGATIVE_INFINITY;
        path.forEach((equity, index) => {
          const now = index * 10 * MINUTE;
          const before = risk.level;
          equityIs(risk, equity);
          moveRisk(risk, RULES, now);
          expect(risk.level).toBeGreaterThanOrEqual(judge(risk, RULES, now, 0).level);
          if (risk.level >= before) return;
          expect(before - risk.level).toBe(1);
          expect(before).not.toBe(4);
          expect(now - eased).toBeGreaterThanOrEqual(RULES.recovery);
          eased = now;
        });
      }),
    );
  });
});

describe("in the core", () => {
  test("a drawdown makes trading careful, and at its end everything is closed until the operator resumes", () => {
    const bench = new Bench({ risk: { ...NEVER_WORRIED, drawdown: [0.001, 0.002, 0.003, 0.004] } });
    bench.protectedPosition();
    bench.bars(9_960);
    bench.analysis([]);
    expect(bench.state.trading).toBe("cautious");
    bench.effects.length = 0;
    bench.bars(9_860);
    bench.analysis([]);
    expect(bench.state.trading).toBe("halted");
    const [exit] = bench.submitted();
    expect(exit).toMatchObject({ purpose: "exit", lots: 3000 });
    bench.fill(exit!.id, 3000, 9_860);
    for (const [id] of bench.state.orders) bench.answer(id, "cancelled");
    bench.bars();
    bench.analysis([candidate()]);
    expect(bench.records("refusal").at(-1)).toMatchObject({ guard: "trading-state" });
    bench.give({ kind: "command", time: bench.now, symbol: -1, command: "resume" });
    expect(bench.state.trading).toBe("normal");
    bench.bars();
    expect(bench.submitted(bench.analysis([candidate()]))).toHaveLength(1);
  });

  test("the operator's word is a floor that a good record does not lift", () => {
    const bench = new Bench();
    bench.give({ kind: "command", time: bench.now, symbol: -1, command: "reduce-only" });
    bench.bars();
    bench.analysis([]);
    expect(bench.state.trading).toBe("reduce-only");
    bench.give({ kind: "breaker", time: bench.now, symbol: -1, level: "warning" });
    expect(bench.state.trading).toBe("reduce-only");
    bench.give({ kind: "command", time: bench.now, symbol: -1, command: "resume" });
    expect(bench.state.trading).toBe("normal");
  });

  for (const command of ["flatten", "halt"] as const) {
    test(`a ${command} closes what is held while the breaker is blocked, the connection down and entries held back`, () => {
      const bench = new Bench();
      bench.protectedPosition();
      bench.give({ kind: "breaker", time: bench.now, symbol: -1, level: "blocked" });
      bench.give({ kind: "connection", time: bench.now, symbol: -1, up: false });
      bench.give({ kind: "hold", time: bench.now, symbol: -1, hold: "storage", on: true, epoch: 0 });
      const [exit] = bench.submitted(bench.give({ kind: "command", time: bench.now, symbol: -1, command }));
      expect(exit).toMatchObject({ purpose: "exit", type: "market", reduceOnly: true });
    });
  }

  test("the breaker of the interface makes trading careful at once, and eases with it", () => {
    const bench = new Bench();
    bench.give({ kind: "breaker", time: bench.now, symbol: -1, level: "blocked" });
    expect(bench.records("trading-state")).toMatchObject([
      { to: "reduce-only", reason: "the breaker of the exchange's interface is blocked" },
    ]);
    bench.give({ kind: "breaker", time: bench.now, symbol: -1, level: "closed" });
    expect(bench.state.trading).toBe("defensive");
  });

  test("the day of the loss limit begins at its hour", () => {
    const bench = new Bench({ dayStart: 8 * HOUR });
    bench.now += 7 * HOUR;
    bench.protectedPosition();
    bench.bars(9_950);
    bench.analysis([]);
    const first = bench.state.dayStartEquity;
    expect(first).toBe(10_000 * USDT);
    bench.now += HOUR;
    bench.bars(9_950);
    bench.analysis([]);
    expect(bench.state.dayStartEquity).toBe((10_000 - 15) * USDT);
  });
});
