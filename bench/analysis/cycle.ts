import { analysisPanel } from "../../src/analysis/analysis-panel.ts";
import { AnalysisEngine } from "../../src/analysis/engine.ts";
import { LiveAnalysis } from "../../src/analysis/live-analysis.ts";
import { AnalysisPool, divideSymbols } from "../../src/analysis/pool.ts";
import { loadSettings } from "../../src/config/load.ts";
import type { BarSource } from "../../src/market/bar-source.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { analysisOptions } from "../../src/service/assembly.ts";

/**
 * One live analysis cycle in which bars of all three timeframes close, for 200 symbols, all in: the request to the
 * workers, indicators, structure, strategy, the answer and its merging. One worker and two, beside one engine in this
 * thread. Usage: bun bench/analysis/cycle.ts [hours]
 */
const SYMBOLS = 200;
const MADE = 40;
const WARM_HOURS = 96;
const hours = Number(process.argv[2] ?? 60);
const HOUR = 60;

/** Forty generated symbols, each five times over. */
function market(): BarSource {
  const made = generateMarket({ seed: 3, symbols: MADE, start: Date.UTC(2026, 0, 5) });
  const times = SYMBOLS / MADE;
  const instruments = Array.from({ length: SYMBOLS }, (_, i) => made.instruments[i % MADE]!);
  return {
    ...made,
    instruments,
    timeframe: made.timeframe,
    start: made.start,
    step() {
      const step = made.step()!;
      const wide = (column: Float64Array) => Float64Array.from({ length: SYMBOLS }, (_, i) => column[i % MADE]!);
      const all = (symbols: number[]) =>
        Array.from({ length: times }, (_, time) => symbols.map((symbol) => symbol + time * MADE)).flat();
      return {
        openTime: step.openTime,
        status: Uint8Array.from({ length: SYMBOLS }, (_, i) => step.status[i % MADE]!),
        open: wide(step.open),
        high: wide(step.high),
        low: wide(step.low),
        close: wide(step.close),
        volume: wide(step.volume),
        listed: all(step.listed),
        delisted: all(step.delisted),
        funding: [],
      };
    },
  };
}

const source = market();
const { timeframe, start } = source;
const analysis = analysisOptions(loadSettings({}).settings, source);
const panel = analysisPanel(SYMBOLS, start, (WARM_HOURS + hours) * HOUR * timeframe);
const feed = new PanelFeed(panel, source.instruments, timeframe);
const engine = new AnalysisEngine(panel, analysis);
const pools = [1, 2].map(
  (workers) =>
    new AnalysisPool({ workers, timeout: 60_000, heapLimit: 1e9, memoryLimit: 1e10, onNotice: console.error }),
);
const live = pools.map(
  (pool) =>
    new LiveAnalysis(pool, panel, {
      analysis,
      timeframe,
      ranges: divideSymbols(SYMBOLS, 50, pool.workers),
      onNotice: console.error,
    }),
);

const times: number[][] = [[], [], []];
let candidates = 0;
for (let step = 0; step < (WARM_HOURS + hours) * HOUR; step++) {
  feed.step(source.step()!);
  const cycle = start + (step + 1) * timeframe;
  const full = (step + 1) % HOUR === 0 && step >= WARM_HOURS * HOUR;
  if (!full) {
    engine.advance(cycle);
    if ((step + 1) % HOUR === HOUR - 1) for (const each of live) await each.advance(cycle);
    continue;
  }
  const begun = performance.now();
  const expected = engine.analyse(cycle, []);
  times[0]!.push(performance.now() - begun);
  candidates += expected.candidates.length;
  for (const [i, each] of live.entries()) {
    const asked = performance.now();
    const found = await each.analyse(cycle, []);
    times[i + 1]!.push(performance.now() - asked);
    // Strictly: otherwise a missing feature, which is NaN, is not equal to itself.
    if (!Bun.deepEquals(found, expected, true)) throw new Error(`cycle ${cycle}: the workers found something else`);
  }
}
for (const pool of pools) pool.close();

console.log(`${SYMBOLS} symbols, 5m, 15m and 1h bars closing at once, ${hours} cycles, ${candidates} candidates; ms`);
for (const [i, name] of ["one engine in this thread", "one worker", "two workers"].entries()) {
  const sorted = times[i]!.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(2);
  console.log(`${name.padEnd(26)} median ${at(0.5).padStart(6)}  p90 ${at(0.9).padStart(6)}  max ${at(1).padStart(6)}`);
}
