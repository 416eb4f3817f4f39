import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input-error.ts";
import { type KlineArrays, mapColumns } from "../market/kline-rules.ts";
import { type FileFormat, monthFileName, monthsOf, writeMonthFile } from "../market/month-file.ts";
import { type TimeframeName, timeframeName } from "../market/timeframe.ts";
import { readKlineRange, seriesStatus } from "../store/klines.ts";
import type { Store } from "../store/store.ts";
import { openBarFolder } from "./bar-folder.ts";

/** Bars of one symbol and timeframe that can be read by range. */
export interface Series {
  readonly symbol: string;
  readonly timeframe: TimeframeName;
  /** Open times of the first and last bar, ms. */
  readonly first: number;
  readonly last: number;
  /** Bars that open in [from, to], oldest first. */
  read(from: number, to: number): Promise<KlineArrays>;
}

export interface ExportOptions {
  readonly dir: string;
  readonly format: FileFormat;
  /** Absent: all there are. */
  readonly symbols?: readonly string[] | undefined;
  readonly timeframes?: readonly TimeframeName[] | undefined;
  /** Bars that open in [from, to), ms. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly onProgress?: (share: number, file: string) => void;
}

export interface Exported {
  readonly files: number;
  readonly bars: number;
  readonly seconds: number;
}

/**
 * Writes bars to a folder, one file per series and month. A file is put in place when it is whole, and replaces one of
 * the same name: whoever interrupts this can simply repeat it.
 * @throws InputError for a series that is asked for and not there
 */
export async function exportBars(series: readonly Series[], options: ExportOptions): Promise<Exported> {
  const begun = performance.now();
  const chosen = choose(series, options);
  try {
    mkdirSync(options.dir, { recursive: true });
  } catch (error) {
    throw new InputError(`${options.dir}: the folder cannot be made (${(error as Error).message})`);
  }
  let files = 0;
  let bars = 0;
  for (const [index, each] of chosen.entries()) {
    const first = Math.max(each.first, options.from ?? each.first);
    const last = Math.min(each.last, (options.to ?? Number.POSITIVE_INFINITY) - 1);
    const months = first > last ? [] : monthsOf(first, last);
    for (const [number, month] of months.entries()) {
      const name = monthFileName(each.symbol, each.timeframe, month, options.format);
      options.onProgress?.((index + number / months.length) / chosen.length, name);
      const found = await each.read(Math.max(first, month.start), Math.min(last, month.end - 1));
      if (found.openTime.length === 0) continue;
      writeMonthFile(join(options.dir, name), found, options.format);
      files++;
      bars += found.openTime.length;
    }
  }
  return { files, bars, seconds: (performance.now() - begun) / 1000 };
}

function choose(series: readonly Series[], { symbols, timeframes }: ExportOptions): Series[] {
  const has = (wanted: (each: Series) => boolean, what: string) => {
    if (!series.some(wanted)) throw new InputError(`there are no ${what}bars`);
  };
  for (const symbol of symbols ?? []) has((each) => each.symbol === symbol, `${symbol} `);
  for (const timeframe of timeframes ?? []) has((each) => each.timeframe === timeframe, `${timeframe} `);
  has(() => true, "");
  return series.filter(
    (each) => (symbols?.includes(each.symbol) ?? true) && (timeframes?.includes(each.timeframe) ?? true),
  );
}

/** Every series of the store. */
export async function seriesOfStore({ sql }: Store): Promise<Series[]> {
  const status = await seriesStatus(sql);
  return status.map(({ symbol, timeframe, first, last }) => ({
    symbol,
    timeframe: timeframeName(timeframe),
    first,
    last,
    read: (from, to) => readKlineRange(sql, symbol, timeframe, from, to, Math.floor((to - from) / timeframe) + 1),
  }));
}

/**
 * Every series of a folder. Its files are read twice: to see what they span, and when a month of it is asked for; the
 * file that was read last is kept, because months follow each other.
 */
export function seriesOfFolder(dir: string): Series[] {
  const { files } = openBarFolder(dir);
  const bySeries = Map.groupBy(files, ({ symbol, timeframe }) => `${symbol} ${timeframe}`);
  return [...bySeries.values()].map((parts) => {
    const spans = parts.map((file) => {
      const { openTime } = file.read();
      return { file, first: openTime[0]!, last: openTime.at(-1)! };
    });
    spans.sort((a, b) => a.first - b.first);
    for (const [index, { file, first }] of spans.entries()) {
      const before = spans[index - 1];
      if (before !== undefined && before.last >= first) {
        throw new InputError(`${before.file.path} and ${file.path} overlap; export one of them`);
      }
    }
    const { symbol, timeframe } = parts[0]!;
    let held: { path: string; bars: KlineArrays } | undefined;
    return {
      symbol,
      timeframe,
      first: spans[0]!.first,
      last: spans.at(-1)!.last,
      read: async (from, to) => {
        const pieces = spans
          .filter((span) => span.first <= to && span.last >= from)
          .map(({ file }) => {
            if (held?.path !== file.path) held = { path: file.path, bars: file.read() };
            return cut(held.bars, from, to);
          });
        return joined(pieces);
      },
    };
  });
}

/** The bars that open in [from, to], as views. */
function cut(bars: KlineArrays, from: number, to: number): KlineArrays {
  const { openTime } = bars;
  let begin = 0;
  while (begin < openTime.length && openTime[begin]! < from) begin++;
  let end = openTime.length;
  while (end > begin && openTime[end - 1]! > to) end--;
  return mapColumns((name) => bars[name].subarray(begin, end));
}

function joined(pieces: readonly KlineArrays[]): KlineArrays {
  const bars = pieces.reduce((sum, { openTime }) => sum + openTime.length, 0);
  return mapColumns((name) => {
    const column = new Float64Array(bars);
    let at = 0;
    for (const piece of pieces) {
      column.set(piece[name], at);
      at += piece[name].length;
    }
    return column;
  });
}
