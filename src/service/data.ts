import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { InputError } from "../input-error.ts";
import type { JournalHeader } from "../journal/format.ts";
import { readInputFile } from "../market/input-file.ts";
import { parseKlines } from "../market/kline-csv.ts";
import { listBarFiles } from "../market/recorded-market.ts";
import { TIMEFRAMES } from "../market/timeframe.ts";
import { storeKlines } from "../store/klines.ts";
import { RunRecorder } from "../store/recorder.ts";
import { drainLeft, spoolRoot, takeSpool } from "../store/run-spool.ts";
import { openStore, type Store } from "../store/store.ts";
import { StoreWriter } from "../store/writer.ts";
import { storeOptions } from "./recording.ts";
import { replayJournal } from "./replay.ts";

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

export interface Rebuilt {
  readonly journals: number;
  /** Rows that the journals make, and those of them that the store did not have. */
  readonly rows: number;
  readonly added: number;
}

/**
 * Records runs once more from their journals: the truth about a run when the store has lost something of it. Each
 * journal is first replayed as a whole; one that this build does not repeat exactly would make other rows.
 * @param journals files; all journals of `penstock run` in the data folder when empty
 * @throws InputError for a damaged journal, or one that does not replay.
 */
export async function rebuild(
  store: Store,
  settings: Settings,
  journals: readonly string[],
  onProgress?: (share: number, file: string) => void,
): Promise<Rebuilt> {
  const paths = journals.length > 0 ? journals : journalsOf(settings);
  const spool = takeSpool(spoolRoot(settings.DATA_DIR), `rebuild-${process.pid}`);
  const writer = new StoreWriter(store, {
    spoolFolder: spool.folder,
    onChange: (text) => process.stderr.write(`penstock: store: ${text}\n`),
  });
  try {
    for (const [index, path] of paths.entries()) {
      onProgress?.(index / paths.length, basename(path));
      const { result } = replayJournal(path);
      if (!result.identical) {
        throw new InputError(
          `${path}: record ${result.sequence} does not replay on this build, so its rows cannot be made again`,
        );
      }
      let recorder: RunRecorder | undefined;
      replayJournal(path, {}, (header, state) => {
        const made = new RunRecorder(header, state, { journal: path, ...barsOf(header) });
        recorder = made;
        return {
          stepped(event, effects, after) {
            made.stepped(event, effects, after);
            for (const row of made.take()) writer.add(row);
          },
        };
      });
      if (result.end !== undefined) recorder?.end(result.end);
      for (const row of recorder?.take() ?? []) writer.add(row);
      await writer.drained();
    }
  } finally {
    await writer.close();
    spool.release();
  }
  return { journals: paths.length, rows: writer.written, added: writer.added };
}

function journalsOf(settings: Settings): string[] {
  const folder = join(settings.DATA_DIR, "journal");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith("-run.journal"))
    .sort()
    .map((name) => join(folder, name));
}

/** As when the run was recorded: bars are kept of a real market only. */
function barsOf({ mode, data }: JournalHeader): { bars?: number } {
  return mode === "simulated" ? {} : { bars: data.timeframe };
}
