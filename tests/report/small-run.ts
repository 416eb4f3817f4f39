import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { priceOf } from "../../src/core/instrument.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { type BacktestResult, backtest } from "../../src/service/backtest.ts";

export const SMALL_START = Date.UTC(2025, 8, 1);
const DAYS = 5;

/** A folder with five days of generated 5m bars of eight symbols, as files. */
export function smallMarket(folder: string): string {
  const dir = join(folder, "bars");
  mkdirSync(dir);
  const timeframe = 300_000;
  const source = generateMarket({ seed: 7, symbols: 8, start: SMALL_START, timeframe });
  const rows = source.instruments.map(() => ["open_time,open,high,low,close,volume"]);
  for (let step = source.step(); step!.openTime < SMALL_START + DAYS * 86_400_000; step = source.step()) {
    const { openTime, open, high, low, close, volume } = step!;
    source.instruments.forEach((instrument, i) => {
      const prices = [open, high, low, close].map((column) => priceOf(instrument, column[i]!));
      rows[i]!.push([openTime, ...prices, volume[i]!].join());
    });
  }
  source.instruments.forEach(({ symbol }, i) => {
    writeFileSync(join(dir, `generated-${symbol}-5m.csv`), `${rows[i]!.join("\n")}\n`);
  });
  return dir;
}

/** Runs a backtest in a folder of its own, gives its result to `use`, and removes the folder. */
export async function withSmallRun<T>(use: (result: BacktestResult, folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-report-"));
  try {
    const dir = smallMarket(folder);
    const { settings } = loadSettings({ DATA_DIR: join(folder, "data") });
    return await use(await backtest(settings, { dir, without: [] }), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
