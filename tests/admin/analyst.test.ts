import { describe, expect, test } from "bun:test";
import { analyseBar } from "../../src/admin/analyst.ts";
import { AnalysisEngine } from "../../src/analysis/engine.ts";
import { loadSettings } from "../../src/config/load.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { analysisOptions, newPanel } from "../../src/service/assembly.ts";

describe("why", () => {
  test("is worked out again to the bit: at every bar of a second group the same candidates, regimes and features", () => {
    const { settings } = loadSettings({ STRATEGY_MODE: "ict" });
    const source = generateMarket({ seed: 7, symbols: 11, start: Date.UTC(2025, 2, 1), historySteps: 4000 });
    const options = analysisOptions(settings, source);
    const panel = newPanel(source);
    const feed = new PanelFeed(panel, source.instruments, source.timeframe);
    const engine = new AnalysisEngine(panel, options);
    let candidates = 0;
    let looked = 0;
    const later: (() => void)[] = [];
    for (let i = 0; i < 4000; i++) {
      const step = source.step()!;
      feed.step(step);
      const cycle = step.openTime + source.timeframe;
      const event = engine.analyse(cycle, []);
      const mine = event.candidates.filter(({ symbol }) => symbol >= 8);
      candidates += mine.length;
      // Each bar with a candidate, and some of the many without one.
      if (mine.length === 0 && cycle % 18_000_000 !== 0) continue;
      looked += 1;
      for (const symbol of [8, 10]) {
        const features = engine.features(symbol).slice();
        const candidate = mine.find((each) => each.symbol === symbol);
        const regime = event.regimes[symbol]!;
        // Asked while it is new, and again when the panel has gone on.
        const check = () => {
          const seen = analyseBar(panel, options, symbol, cycle + 59_000)!;
          expect(seen.at).toBe(cycle);
          expect(seen.features).toStrictEqual(features);
          expect(seen.regime).toBe(regime);
          const { features: _, symbol: __, ...proposed } = candidate ?? { features: undefined, symbol: 0 };
          const { symbol: ___, ...found } = seen.candidate ?? { symbol: 0 };
          expect(found as object).toEqual(proposed);
          expect(seen.checks.every(({ passed }) => passed)).toBe(candidate !== undefined);
        };
        check();
        later.push(check);
      }
    }
    for (const check of later) check();
    expect(candidates).toBeGreaterThan(0);
    expect(looked).toBeGreaterThan(5);
    expect(analyseBar(panel, options, 8, panel.origin)).toBeUndefined();
  });
});
