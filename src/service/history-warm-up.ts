import type { Sql } from "postgres";
import type { Settings } from "../config/settings.ts";
import { InputError } from "../input-error.ts";
import type { BarFetcher } from "../market/bar-fetcher.ts";
import { type BarArchive, type CacheFailure, KlineCache } from "../market/kline-cache.ts";
import type { Kline } from "../market/kline-rules.ts";
import { timeframeName } from "../market/timeframe.ts";
import { openStore } from "../store/store.ts";
import { storeOptions } from "./recording.ts";
import { storedBarsAtOnce } from "./stored-bars.ts";

type Notice = (level: "info" | "warning" | "alarm", text: string) => void;

/** Which bars a run needs before its first decision. */
export interface HistoryRange {
  /** At least one. */
  readonly symbols: readonly string[];
  /** ms */
  readonly timeframe: number;
  /** Open times of the first and last bar, ms, inclusive, multiples of the timeframe; the last one has closed. */
  readonly from: number;
  readonly to: number;
  /** Open time of the last bar that is surely finished; later ones are not stored. `to` when absent. */
  readonly finished?: number;
}

export interface HistoryOptions extends HistoryRange {
  readonly fetcher: BarFetcher;
  /** Told the bars of one symbol, oldest first: at once for each symbol, in any order of symbols. */
  readonly onBars: (symbol: string, bars: readonly Kline[]) => void;
  readonly onNotice: Notice;
  /** Symbols that are ready, as a share of all. */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** Where the history came from. */
export interface HistoryCounters {
  /** Bars that the store had, bars that were fetched, and requests for them. */
  readonly read: number;
  readonly fetched: number;
  readonly requests: number;
  /** Bars within the range that nobody has: before a listing, in a halt. */
  readonly missing: number;
}

/** Symbols that are completed at the same time; the fetcher's budget spaces the requests. */
const AT_ONCE = 8;

/**
 * The history with which a run on a real market begins: what the store has, completed by what has to be fetched, which
 * is then stored. A restart so fetches the bars after the last known one, and gaps. Without a store, or with one that
 * cannot be reached, everything is fetched: a run does not wait for its database.
 *
 * @throws InputError for a symbol whose bars cannot be had; with signal aborted, the signal's reason
 */
export async function warmUpHistory(settings: Settings, options: HistoryOptions): Promise<HistoryCounters> {
  if (!settings.ENABLE_STORE) return completeHistory(undefined, options);
  const statementTimeout = settings.DATABASE_TIMEOUT_SECONDS * 1000;
  const { signal } = options;
  let store: Awaited<ReturnType<typeof openStore>>;
  try {
    const opening = { ...storeOptions(settings), statementTimeout };
    store = await openStore(signal === undefined ? opening : { ...opening, signal });
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof InputError)) throw error;
    options.onNotice("warning", `store: ${error.message}; the history is fetched from the exchange`);
    return completeHistory(undefined, options);
  }
  try {
    return await completeHistory(store.sql, options);
  } finally {
    await store.close();
  }
}

/** The same with a database that is open, or none. */
export async function completeHistory(sql: Sql | undefined, options: HistoryOptions): Promise<HistoryCounters> {
  const { symbols, timeframe, from, to, fetcher, onBars, onNotice, onProgress, signal } = options;
  const failures: CacheFailure[] = [];
  const archive = await archiveOf(sql, options);
  const cache = new KlineCache({
    fetcher,
    ...(archive === undefined ? {} : { archive }),
    windows: { [timeframe]: (to - from) / timeframe + 1 },
    // The range stands still while it is being completed, whatever closes meanwhile.
    now: () => to + timeframe,
    grace: 0,
    onFailure: (failure) => failures.push(failure),
  });
  const waiting = [...symbols];
  let missing = 0;
  const complete = async () => {
    for (let symbol = waiting.shift(); symbol !== undefined; symbol = waiting.shift()) {
      signal?.throwIfAborted();
      const { bars } = await cache.window(symbol, timeframe);
      const failed = failures.find(({ what }) => what === "fetch");
      if (failed !== undefined) {
        const what = `history of ${failed.symbol} ${timeframeName(timeframe)}`;
        throw new InputError(`${what}: ${(failed.error as Error).message}`);
      }
      missing += (to - from) / timeframe + 1 - bars.length;
      onBars(symbol, bars);
      onProgress?.(1 - waiting.length / symbols.length);
    }
  };
  try {
    const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, complete));
    for (const each of ended) if (each.status === "rejected") throw each.reason;
  } finally {
    // What was fetched is kept also when something else could not be.
    const unwritten = archive === undefined ? 0 : await cache.flush();
    const reason = failures.findLast(({ what }) => what === "write")?.error;
    if (unwritten > 0) {
      onNotice("warning", `store: fetched history could not be stored: ${(reason as Error | undefined)?.message}`);
    }
  }
  const { barsRead, barsFetched, requests } = cache.counters;
  return { read: barsRead, fetched: barsFetched, requests, missing };
}

async function archiveOf(
  sql: Sql | undefined,
  { symbols, timeframe, from, to, finished = to, onNotice }: HistoryOptions,
): Promise<BarArchive | undefined> {
  if (sql === undefined) return undefined;
  try {
    const { read, write } = await storedBarsAtOnce(sql, symbols, timeframe, from);
    return {
      read,
      write: (symbol, timeframe, bars, seenAt) =>
        write(
          symbol,
          timeframe,
          bars.filter(({ openTime }) => openTime <= finished),
          seenAt,
        ),
    };
  } catch (error) {
    onNotice("warning", `store: stored bars cannot be read: ${(error as Error).message}; all history is fetched`);
    return undefined;
  }
}
