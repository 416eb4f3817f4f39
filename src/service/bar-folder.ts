import { join } from "node:path";
import { InputError } from "../input-error.ts";
import { freqtradeFileOf, readFreqtrade } from "../market/freqtrade.ts";
import { readInputFile } from "../market/input-file.ts";
import { parseKlines } from "../market/kline-csv.ts";
import type { KlineArrays } from "../market/kline-rules.ts";
import { barFileOf, listFolder } from "../market/recorded-market.ts";
import { TIMEFRAMES, type TimeframeName } from "../market/timeframe.ts";

/** A file of bars, read when asked. */
export interface BarSourceFile {
  readonly path: string;
  readonly symbol: string;
  readonly timeframe: TimeframeName;
  /** @throws InputError naming file and row for whatever is not a clean series */
  readonly read: () => KlineArrays;
}

export interface BarFolder {
  readonly files: readonly BarSourceFile[];
  /** Names that look like bars of something else: spot, other settlements, other timeframes, mark or funding. */
  readonly passedOver: readonly string[];
}

/** Where freqtrade puts futures, below the folder of an exchange. */
const FREQTRADE_FUTURES = "futures";

/**
 * The files of bars in a folder: csv by our own names, feather and json by freqtrade's, there or in the folder's
 * `futures`.
 * @throws InputError for a folder that cannot be read or holds none
 */
export function openBarFolder(dir: string): BarFolder {
  const files: BarSourceFile[] = [];
  const passedOver: string[] = [];
  const names = listFolder(dir);
  let below: string[] = [];
  try {
    below = listFolder(join(dir, FREQTRADE_FUTURES)).map((name) => join(FREQTRADE_FUTURES, name));
  } catch (error) {
    // Most folders have none.
    if (!(error instanceof InputError)) throw error;
  }
  for (const name of [...names, ...below]) {
    const path = join(dir, name);
    const base = name.slice(name.lastIndexOf("/") + 1);
    const csv = barFileOf(base);
    const freqtrade = freqtradeFileOf(base);
    if (csv !== undefined) {
      const { symbol, timeframe } = csv;
      files.push({
        path,
        symbol,
        timeframe,
        read: () => parseKlines(readInputFile(path), path, TIMEFRAMES[timeframe]),
      });
    } else if (freqtrade !== undefined) {
      const { symbol, timeframe } = freqtrade;
      files.push({ path, symbol, timeframe, read: () => readFreqtrade(path, timeframe) });
    } else if (/\.(feather|json|json\.gz|csv|csv\.gz)$/.test(base)) passedOver.push(name);
  }
  if (files.length > 0) return { files, passedOver };
  const what = names.length + below.length === 0 ? "the folder holds no files" : "no file there holds bars";
  const hint = passedOver.length > 0 ? `; passed over: ${passedOver.slice(0, 3).join(", ")}` : "";
  throw new InputError(
    `${dir}: ${what}; names like binance-usdm-BTCUSDT-5m-2025-10.csv.gz (1m, 5m, 15m or 1h) or freqtrade's ` +
      `BTC_USDT_USDT-5m-futures.feather are expected${hint}`,
  );
}
