import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { readInputFile } from "../market/input-file.ts";
import { parseKlines } from "../market/kline-csv.ts";
import { listBarFiles } from "../market/recorded-market.ts";
import { TIMEFRAMES } from "../market/timeframe.ts";
import { storeKlines } from "../store/klines.ts";
import { drainLeft, spoolRoot } from "../store/run-spool.ts";
import { openStore, type Store } from "../store/store.ts";
import { storeOptions } from "./recording.ts";

/** The store that the settings choose, with what earlier runs have left on disk for it. */
export async function storeOf(settings: Settings): Promise<Store> {
  const store = await openStore(storeOptions(settings));
  await drainLeft(store, spoolRoot(settings.DATA_DIR), (text) => process.stderr.write(`penstock: store: ${text}\n`));
  return store;
}

export interface Imported {
  readonly files: number;
  readonly bars: number;
  readonly added: number;
  readonly corrected: number;
  readonly seconds: number;
}

/** Bars that are stored by one transaction. */
const PIECE = 50_000;

/**
 * Stores all bars of a folder. Every file is read and checked before its first bar is stored; an interrupted import can
 * simply be repeated, because what is there already stays as it is.
 */
export async function importFolder(
  store: Store,
  dir: string,
  onProgress?: (share: number, file: string) => void,
): Promise<Imported> {
  const begun = performance.now();
  const files = listBarFiles(dir);
  let bars = 0;
  let added = 0;
  let corrected = 0;
  for (const [index, { name, symbol, timeframe }] of files.entries()) {
    onProgress?.(index / files.length, name);
    const path = join(dir, name);
    const klines = parseKlines(readInputFile(path), path, TIMEFRAMES[timeframe]);
    const rows = klines.openTime.length;
    for (let from = 0; from < rows; from += PIECE) {
      const piece = (column: Float64Array) => column.subarray(from, from + PIECE);
      const stored = await storeKlines(
        store.sql,
        {
          symbol,
          timeframe: TIMEFRAMES[timeframe],
          openTime: piece(klines.openTime),
          open: piece(klines.open),
          high: piece(klines.high),
          low: piece(klines.low),
          close: piece(klines.close),
          volume: piece(klines.volume),
        },
        Date.now(),
      );
      added += stored.added;
      corrected += stored.corrected;
    }
    bars += rows;
  }
  return { files: files.length, bars, added, corrected, seconds: (performance.now() - begun) / 1000 };
}
