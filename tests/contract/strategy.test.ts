import { describe, expect, test } from "bun:test";
import type { Candidate } from "../../src/core/candidate.ts";
import type { Check, Strategy, SymbolView } from "../../src/core/strategy.ts";
import type { StructureInput } from "../../src/inspect/structure.ts";
import { createStrategy, STRATEGY_NAMES, type StrategyOptions } from "../../src/strategies/registry.ts";
import { testRecorded } from "../recorded.ts";
import { MarketView } from "../strategies/market-view.ts";
import { cut, readBars, wander } from "../structure/bars.ts";

const OPTIONS: StrategyOptions = {
  riskRewardRatio: 2,
  minVolumeRatio: 1.5,
  ageing: { maxTests: 3, decayEnabled: true, decayHours: 48, decayRate: 0.1 },
};

/** Every candidate of a market, in order, with the time of its view; each checked against the contract. */
function candidatesOf(strategy: Strategy, bars: StructureInput): { time: number; candidate: Candidate }[] {
  const view = new MarketView();
  const found: { time: number; candidate: Candidate }[] = [];
  for (let i = 0; i < bars.openTime.length; i++) {
    view.advance(bars, i);
    const candidate = strategy.propose(view);
    if (strategy.explain !== undefined) {
      const checks: Check[] = [];
      expect(strategy.explain(view, (check) => checks.push(check))).toEqual(candidate);
      // It stops at the first condition that does not hold, and only there.
      expect(checks.slice(0, -1).every(({ passed }) => passed)).toBe(true);
      expect(checks.at(-1)?.passed).toBe(candidate !== undefined);
      for (const { asked, found } of checks) expect(`${asked} ${found}`).not.toMatch(/NaN|undefined|Infinity/);
    }
    if (candidate === undefined) continue;
    expect(strategy.propose(view)).toEqual(candidate);
    expectSound(candidate, strategy, view);
    found.push({ time: view.time, candidate });
  }
  return found;
}

function expectSound(candidate: Candidate, strategy: Strategy, view: SymbolView): void {
  const { direction, entry, stop, target, confidence, scores, reasons, setup } = candidate;
  expect(candidate.strategy).toBe(strategy.name);
  expect(candidate.symbol).toBe(view.symbol);
  expect(entry).toBe(view.closeTicks);
  for (const price of [entry, stop, target]) {
    expect(Number.isSafeInteger(price)).toBe(true);
    expect(price).toBeGreaterThan(0);
  }
  expect(direction * (entry - stop)).toBeGreaterThan(0);
  expect(direction * (target - entry)).toBeGreaterThan(0);
  for (const value of [confidence, ...Object.values(scores)]) {
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThanOrEqual(1);
  }
  expect(Object.keys(scores)).not.toBeEmpty();
  expect(setup).not.toBeEmpty();
  expect(reasons).not.toBeEmpty();
  for (const reason of reasons) expect(reason).not.toMatch(/NaN|undefined|Infinity/);
  // It travels in an event, to a journal and back.
  expect(JSON.parse(JSON.stringify(candidate))).toEqual(candidate);
}

const RECORDED = ["BTCUSDT", "DOGEUSDT"].map(
  (symbol) => `market/m5-wide-2025-10/binance-usdm-${symbol}-5m-2025-10-01_2025-10-31.csv.gz`,
);

for (const name of STRATEGY_NAMES) {
  describe(`strategy ${name}`, () => {
    test("is named as it is registered and takes plain options", () => {
      expect(createStrategy(name, structuredClone(OPTIONS)).name).toBe(name);
      expect(createStrategy(name, OPTIONS).maxBaseTimeframe).toBeGreaterThan(0);
    });

    test("proposes soundly, and the same again from another instance", () => {
      const bars = wander(4_000, 7);
      const candidates = candidatesOf(createStrategy(name, OPTIONS), bars);
      expect(candidatesOf(createStrategy(name, OPTIONS), bars)).toEqual(candidates);
    });

    test("knows nothing of later bars", () => {
      const bars = wander(3_000, 3);
      const whole = candidatesOf(createStrategy(name, OPTIONS), bars);
      for (const count of [500, 1_234, 2_900]) {
        const until = bars.openTime[count]!;
        const known = candidatesOf(createStrategy(name, OPTIONS), cut(bars, count));
        expect(known).toEqual(whole.filter(({ time }) => time <= until));
      }
    });

    test("keeps silent on markets without movement, and in warm-up", () => {
      const level = wander(600);
      for (const column of [level.open, level.high, level.low, level.close]) column.fill(100);
      expect(candidatesOf(createStrategy(name, OPTIONS), level)).toEqual([]);
      expect(createStrategy(name, OPTIONS).propose(new MarketView())).toBeUndefined();
    });

    for (const path of RECORDED) {
      testRecorded(`proposes soundly on ${path.split("-")[5]}`, path, (full) => {
        candidatesOf(createStrategy(name, OPTIONS), readBars(full, "5m"));
      });
    }
  });
}
