import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input-error.ts";
import { type BarFetcher, fetchBars } from "../market/bar-fetcher.ts";
import { readInputFile } from "../market/input-file.ts";
import { parseKlines } from "../market/kline-csv.ts";
import { type Kline, type KlineArrays, klineArrays, klineAt } from "../market/kline-rules.ts";
import { type Month, monthFileName, monthsOf, writeMonthFile } from "../market/month-file.ts";
import { TIMEFRAMES, type TimeframeName } from "../market/timeframe.ts";
import { archiveFile } from "./archive-files.ts";
import type { HttpOptions } from "./public-http.ts";

export interface DownloadOptions extends HttpOptions {
  readonly symbols: readonly string[];
  readonly timeframes: readonly TimeframeName[];
  /** Bars that open in [from, to), and have closed; ms. */
  readonly from: number;
  readonly to: number;
  /** Where the files go; made when it is not there. */
  readonly dir: string;
  /** Base address of the archive; absent: only REST. */
  readonly archive?: string | undefined;
  /** Absent: only the archive. */
  readonly rest?: BarFetcher | undefined;
  /** ms */
  readonly now: number;
  readonly onProgress?: (share: number, file: string) => void;
}

export interface Downloaded {
  /** Files that were written, and those that were complete before. */
  readonly files: number;
  readonly complete: number;
  /** Bars that were added to files. */
  readonly bars: number;
  readonly archiveFiles: number;
  /** Series with bars that could not be had: none was traded then, or they are not published yet. */
  readonly missing: readonly { symbol: string; timeframe: TimeframeName; month: string; bars: number }[];
  readonly seconds: number;
}

const DAY = 86_400_000;
/** Files that are worked on at a time. */
const AT_ONCE = 4;
/** A bar that closed so recently may still be changed. */
const GRACE = 10_000;
/** The archive publishes a month within its first days. */
const PUBLISHED_AFTER = 10 * DAY;

/**
 * Downloads bars into a folder of one csv file per series and month. Whole months come from the archive's monthly files,
 * whole days of a month that has none from its daily ones, the rest from REST.
 *
 * The files are the only state: a month whose file is complete is not asked for again, one with a part of its bars gets
 * what it lacks, and a file is put in place when it is whole. Whoever interrupts this can simply repeat it.
 */
export async function download(options: DownloadOptions): Promise<Downloaded> {
  const begun = performance.now();
  try {
    mkdirSync(options.dir, { recursive: true });
  } catch (error) {
    throw new InputError(`${options.dir}: the folder cannot be made (${(error as Error).message})`);
  }
  const jobs: Job[] = [];
  for (const symbol of options.symbols) {
    for (const timeframe of options.timeframes) jobs.push(...(await jobsOf(symbol, timeframe, options)));
  }
  const totals = { files: 0, complete: 0, bars: 0, archiveFiles: 0 };
  const missing: Downloaded["missing"][number][] = [];
  let done = 0;
  const queue = jobs.values();
  let failed = false;
  const work = async () => {
    for (const job of queue) {
      if (failed) return;
      const { added, lacking, archiveFiles } = await completeMonth(job, options);
      totals.archiveFiles += archiveFiles;
      totals.bars += added;
      if (added > 0) totals.files++;
      else if (lacking === 0) totals.complete++;
      const { symbol, timeframe, month } = job;
      if (lacking > 0) missing.push({ symbol, timeframe, month: month.name, bars: lacking });
      options.onProgress?.(++done / jobs.length, `${symbol} ${timeframe} ${month.name}`);
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  // Who fails lets the others finish their files, so that nothing is written after the answer.
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => work().catch(stop)));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  const order = (each: (typeof missing)[number]) => `${each.symbol} ${each.timeframe} ${each.month}`;
  missing.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  return { ...totals, missing, seconds: (performance.now() - begun) / 1000 };
}

interface Job {
  readonly symbol: string;
  readonly timeframe: TimeframeName;
  readonly month: Month;
  /** Open times of the first and last bar that is wanted. */
  readonly first: number;
  readonly last: number;
}

async function jobsOf(symbol: string, timeframe: TimeframeName, options: DownloadOptions): Promise<Job[]> {
  const step = TIMEFRAMES[timeframe];
  let first = Math.ceil(options.from / step) * step;
  const closed = Math.floor((options.now - GRACE) / step) * step;
  const end = Math.ceil(options.to / step) * step;
  const last = (end < closed ? end : closed) - step;
  if (first > last) return [];
  if (options.rest !== undefined) {
    // Nothing is asked for from before the listing; an unknown symbol is noticed here.
    const [oldest] = await options.rest.klines(symbol, step, first, last, 1);
    if (oldest === undefined) return [];
    first = oldest.openTime;
  }
  return monthsOf(first, last).map((month) => ({
    symbol,
    timeframe,
    month,
    first: first > month.start ? first : month.start,
    last: last < month.end - step ? last : month.end - step,
  }));
}

/** Gives the file of a month what it lacks. */
async function completeMonth(job: Job, options: DownloadOptions) {
  const { symbol, timeframe, month, first, last } = job;
  const step = TIMEFRAMES[timeframe];
  const path = join(options.dir, `binance-usdm-${monthFileName(symbol, timeframe, month, "csv")}`);
  const bars = new Map<number, Kline>();
  if (existsSync(path)) take(parseKlines(readInputFile(path), path, step));
  const known = bars.size;
  let archiveFiles = 0;

  function take(found: KlineArrays): void {
    for (let i = 0; i < found.openTime.length; i++) bars.set(found.openTime[i]!, klineAt(found, i));
  }
  function lacking(from: number, to: number): number {
    let count = 0;
    for (let at = from; at <= to; at += step) if (!bars.has(at)) count++;
    return count;
  }
  async function takeArchived(period: string, from: number, to: number): Promise<boolean> {
    if (options.archive === undefined) return false;
    const found = await archiveFile(options.archive, symbol, timeframe, period, options);
    if (found === undefined) return false;
    archiveFiles++;
    for (let i = 0; i < found.openTime.length; i++) {
      const openTime = found.openTime[i]!;
      if (openTime >= from && openTime <= to && !bars.has(openTime)) bars.set(openTime, klineAt(found, i));
    }
    return true;
  }

  // For a few bars REST is cheaper, where it may be used.
  const much = lacking(first, last) * step >= (options.rest === undefined ? step : DAY);
  const monthly = much && month.end <= options.now && (await takeArchived(month.name, first, last));
  if (!monthly && month.end + PUBLISHED_AFTER > options.now) {
    for (let day = month.start; day < month.end && day + DAY <= options.now; day += DAY) {
      const [from, to] = [day > first ? day : first, day + DAY - step < last ? day + DAY - step : last];
      if (from > to || lacking(from, to) <= (to - from) / step) continue;
      await takeArchived(new Date(day).toISOString().slice(0, 10), from, to);
    }
  }
  if (options.rest !== undefined) {
    for (let from = first; from <= last; from += step) {
      if (bars.has(from)) continue;
      let to = from;
      while (to < last && !bars.has(to + step)) to += step;
      for await (const page of fetchBars(options.rest, symbol, step, from, to)) {
        for (const bar of page) bars.set(bar.openTime, bar);
      }
      from = to;
    }
  }
  const added = bars.size - known;
  if (added > 0) {
    const sorted = [...bars.values()].sort((a, b) => a.openTime - b.openTime);
    writeMonthFile(path, klineArrays(sorted), "csv");
  }
  return { added, lacking: lacking(first, last), archiveFiles };
}
