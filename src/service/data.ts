import { basename } from "node:path";
import type { Settings } from "../config/settings.ts";
import { type KlineArrays, mapColumns } from "../market/kline-rules.ts";
import { TIMEFRAMES } from "../market/timeframe.ts";
import { storeKlines } from "../store/klines.ts";
import { drainLeft, spoolRoot } from "../store/run-spool.ts";
import { openStore, type Store } from "../store/store.ts";
import { openBarFolder } from "./bar-folder.ts";
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
  /** Names of files that hold bars of something else, such as spot or mark prices. */
  readonly passedOver: readonly string[];
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
  const { files, passedOver } = openBarFolder(dir);
  let bars = 0;
  let added = 0;
  let corrected = 0;
  for (const [index, { path, symbol, timeframe, read }] of files.entries()) {
    onProgress?.(index / files.length, basename(path));
    const klines = read();
    for (let from = 0; from < klines.openTime.length; from += PIECE) {
      const piece: KlineArrays = mapColumns((name) => klines[name].subarray(from, from + PIECE));
      const stored = await storeKlines(store.sql, { symbol, timeframe: TIMEFRAMES[timeframe], ...piece }, Date.now());
      added += stored.added;
      corrected += stored.corrected;
    }
    bars += klines.openTime.length;
  }
  return { files: files.length, bars, added, corrected, passedOver, seconds: (performance.now() - begun) / 1000 };
}
