import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { AnalysisEvent } from "../../src/core/events.ts";
import { readJournal } from "../../src/journal/reader.ts";
import type { BarSource, BarStep } from "../../src/market/bar-source.ts";
import { coreConfig, newExchange, warmUpSteps } from "../../src/service/assembly.ts";
import { backtest, openMarket } from "../../src/service/backtest.ts";
import { CALM } from "./climate.ts";
import type { World } from "./world.ts";

/** Two days of three symbols in the crash of October 2025: small, and trades in it. */
export const RECORDED = "market/m5-wide-2025-10";
const SYMBOLS = ["ADAUSDT", "BCHUSDT", "BTCUSDT"];
const FROM = Date.UTC(2025, 9, 9, 12);
const TO = Date.UTC(2025, 9, 11, 12);

export interface RecordedWorld {
  /** In calm weather, without crashes. */
  readonly world: World;
  /** Of the backtest that the world was taken from. */
  readonly tradesHash: string;
  readonly trades: number;
}

/**
 * A backtest of recorded bars as a world: the bars are read once, and what the analysis found is taken from the
 * backtest's own journal, so that it can be run again and again within seconds.
 */
export async function recordedWorld(dir: string): Promise<RecordedWorld> {
  const data = mkdtempSync(join(tmpdir(), "penstock-recorded-"));
  try {
    const { settings } = loadSettings({ DATA_DIR: data });
    const choice = { dir, symbols: SYMBOLS, from: FROM, to: TO, without: [] };
    const { report, journal } = await backtest(settings, choice);
    const analyses = new Map<number, AnalysisEvent>();
    for (const { record } of readJournal(journal).records()) {
      if (record.kind === "event" && record.event.kind === "analysis") analyses.set(record.event.cycle, record.event);
    }
    const market = openMarket(settings, choice);
    const steps: BarStep[] = [];
    for (let skip = warmUpSteps(market, FROM); skip > 0; skip--) market.step();
    for (let step = market.step(); step !== undefined; step = market.step()) steps.push(structuredClone(step));
    const bars = (): BarSource => {
      let next = 0;
      return {
        instruments: market.instruments,
        timeframe: market.timeframe,
        start: market.start,
        steps: market.steps,
        bars: market.bars,
        dataHash: market.dataHash,
        assumptions: market.assumptions,
        // The exchange leaves a step as it finds it, so the same ones can be played again.
        step: () => steps[next++],
      };
    };
    const world: World = {
      seed: 0,
      config: coreConfig(settings, market.instruments, FROM),
      limits: {
        maxPositions: settings.MAX_POSITIONS,
        maxLeverage: settings.MAX_LEVERAGE,
        maxMarginFraction: settings.MAX_MARGIN_PCT,
        maxExposure: settings.MAX_EXPOSURE_RATIO,
        dailyLossLimit: settings.DAILY_LOSS_LIMIT_PCT,
      },
      climate: CALM,
      commands: [],
      crashes: [],
      restsFrom: Number.POSITIVE_INFINITY,
      end: steps.at(-1)!.openTime + market.timeframe,
      open: () => newExchange(settings, bars(), []),
      analyse: (cycle) => analyses.get(cycle)!,
    };
    return { world, tradesHash: report.tradesHash, trades: report.trades.length };
  } finally {
    rmSync(data, { recursive: true });
  }
}
