import { rmSync, writeFileSync } from "node:fs";
import { AnalysisAhead } from "../../src/analysis/analysis-ahead.ts";
import { analysisPanel } from "../../src/analysis/analysis-panel.ts";
import { AnalysisEngine, type AnalysisOptions } from "../../src/analysis/engine.ts";
import { AnalysisPool, divideSymbols, type PoolOptions } from "../../src/analysis/pool.ts";
import type { SymbolRange } from "../../src/analysis/protocol.ts";
import { loadSettings } from "../../src/config/load.ts";
import type { AnalysisEvent } from "../../src/core/events.ts";
import { marketHistory } from "../../src/features/market-returns.ts";
import { ABSENT, REAL } from "../../src/market/bar-source.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { sharedColumn } from "../../src/market/kline-csv.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { barsOf, type SharedBars, shareBars } from "../../src/market/recorded-market.ts";
import { analysisOptions } from "../../src/service/assembly.ts";
import { FAULT_FILE, type Fault } from "./fault.ts";

const SYMBOLS = 21;
const STEPS = 6000;
/** In the last quarter of the run: a new worker has much to take in. */
export const LATE = 4560;

/** Bars of a generated market; one symbol is delisted for a day and comes back. */
export function generatedBars(): SharedBars {
  const market = generateMarket({ seed: 5, symbols: SYMBOLS, start: Date.UTC(2026, 0, 5), historySteps: 0 });
  const rows: number[][][] = market.instruments.map(() => []);
  const settlements: { time: number; symbol: number; rate: number }[] = [];
  for (let done = 0; done < STEPS; done++) {
    const step = market.step()!;
    const { status, openTime, open, high, low, close, volume } = step;
    settlements.push(...step.funding);
    for (let s = 0; s < SYMBOLS; s++) {
      if (status[s] === ABSENT || status[s] !== REAL || (s === 3 && done > 2000 && done < 3440)) continue;
      rows[s]!.push([openTime, open[s]!, high[s]!, low[s]!, close[s]!, volume[s]!]);
    }
  }
  const histories = rows.map((bars) => {
    const column = (field: number) => {
      const values = sharedColumn(bars.length);
      bars.forEach((bar, index) => {
        values[index] = bar[field]!;
      });
      return values;
    };
    return {
      openTime: column(0),
      open: column(1),
      high: column(2),
      low: column(3),
      close: column(4),
      volume: column(5),
      priceDecimals: 0,
      volumeDecimals: 0,
    };
  });
  const { instruments, timeframe, start } = market;
  const funding = {
    time: Float64Array.from(settlements, ({ time }) => time),
    symbol: Uint16Array.from(settlements, ({ symbol }) => symbol),
    rate: Int32Array.from(settlements, ({ rate }) => rate),
  };
  return { instruments, timeframe, start, steps: STEPS, histories, funding };
}

export const BARS = generatedBars();
export const OPTIONS: AnalysisOptions = analysisOptions(loadSettings({}).settings, barsOf(BARS));
export const SYMBOL_NAMES = BARS.instruments.map(({ symbol }) => symbol);

/** Close time of a step. */
export const closeOf = (step: number) => BARS.start + (step + 1) * BARS.timeframe;

/** What one engine over all symbols finds, which is what any pool must find. */
export function analysedByOne(bars: SharedBars = BARS): AnalysisEvent[] {
  const source = barsOf(bars);
  const panel = analysisPanel(source.instruments.length, source.start, 0);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  const engine = new AnalysisEngine(panel, OPTIONS);
  const events: AnalysisEvent[] = [];
  for (let step = source.step(); step !== undefined; step = source.step()) {
    feed.step(step);
    events.push(engine.analyse(step.openTime + source.timeframe, []));
  }
  return events;
}

/** The part of the shared bars that belongs to a range. */
export function shareOf({ first, symbols }: SymbolRange): SharedBars {
  return shareBars(BARS, first, symbols);
}

export function poolOf(options: Partial<PoolOptions> = {}): AnalysisPool {
  return new AnalysisPool({
    workers: 1,
    timeout: 10_000,
    heapLimit: 1e9,
    memoryLimit: 1e10,
    onNotice: () => {},
    ...options,
  });
}

/** Runs the whole analysis ahead in a pool, which is closed. */
export async function analysedAhead(
  pool: AnalysisPool,
  { batch = 8, chunk = 500 }: { batch?: number; chunk?: number } = {},
): Promise<AnalysisEvent[]> {
  try {
    const ranges = divideSymbols(SYMBOLS, batch, pool.workers);
    const market = marketHistory(barsOf(BARS));
    for (const [index, range] of ranges.entries()) {
      const bars = shareOf(range);
      const options = { ...OPTIONS, instruments: bars.instruments, market };
      pool.open(range, { kind: "recorded", bars }, options, index % pool.workers);
    }
    const options = { first: closeOf(0), last: closeOf(STEPS - 1), timeframe: BARS.timeframe, symbols: SYMBOL_NAMES };
    const ahead = new AnalysisAhead(pool, ranges, { ...options, chunk });
    const events: AnalysisEvent[] = [];
    for (let step = 0; step < STEPS; step++) {
      const cycle = closeOf(step);
      if (!ahead.has(cycle)) await ahead.ready(cycle);
      events.push(ahead.analyse(cycle, []));
    }
    return events;
  } finally {
    pool.close();
  }
}

/** Runs with workers that have a fault in them. */
export async function withFault<T>(fault: Fault, run: (program: string) => Promise<T>): Promise<T> {
  writeFileSync(FAULT_FILE, JSON.stringify(fault));
  try {
    return await run(new URL("./faulty-worker.ts", import.meta.url).href);
  } finally {
    rmSync(FAULT_FILE, { force: true });
  }
}
