import { type BarFetcher, fetchBars } from "./bar-fetcher.ts";
import { brokenRule, type Kline } from "./kline-rules.ts";

/** Bars kept per timeframe (ms): the windows that analysis asks for. */
export const WINDOWS: Readonly<Record<number, number>> = { 3600000: 100, 900000: 100, 300000: 200 };

/** Where bars outlive the process. */
export interface BarArchive {
  /** The bars of a series that open in [from, to], oldest first. */
  read(symbol: string, timeframe: number, from: number, to: number): Promise<readonly Kline[]>;
  /**
   * Keeps bars, oldest first; one that differs from what is there replaces it, and the version before it stays known.
   * @param seenAt ms
   */
  write(symbol: string, timeframe: number, bars: readonly Kline[], seenAt: number): Promise<void>;
}

export interface KlineCacheOptions {
  readonly fetcher: BarFetcher;
  readonly archive?: BarArchive;
  /** The exchange's time in ms. It may be wrong by less than `grace`. */
  readonly now: () => number;
  /** Bars kept per timeframe (ms); WINDOWS when absent. */
  readonly windows?: Readonly<Record<number, number>>;
  /** How long after its close a bar is asked for, ms: until then the exchange may still be finishing it. */
  readonly grace?: number;
  /** The same while streams are healthy, because a closed bar may come by stream half a minute late. */
  readonly streamGrace?: number;
  /** Symbols and timeframes whose bars cannot be had or kept at the moment; the cache goes on and tries again. */
  readonly onFailure: (failure: CacheFailure) => void;
}

export interface CacheFailure {
  readonly what: "fetch" | "read" | "write";
  readonly symbol: string;
  readonly timeframe: number;
  readonly error: unknown;
}

/** The last closed bars of a series. */
export interface KlineWindow {
  /** Oldest first, within the span of the window that ends with the newest of them; none of them unfinished. */
  readonly bars: readonly Kline[];
  /** Bars of that span which are due and could not be had so far. */
  readonly missing: number;
}

/** What was asked for and what it cost. */
export interface KlineCounters {
  /** Windows asked for, and bars in them. */
  windows: number;
  barsServed: number;
  /** Requests to the exchange, and windows that needed none: each would have been one. */
  requests: number;
  requestsSaved: number;
  /** Windows that waited for a request which was under way for another. */
  joined: number;
  barsFetched: number;
  barsRead: number;
  barsStreamed: number;
  /** Bars that replaced another version of themselves. */
  corrected: number;
  failures: number;
  /** Batches for the archive that were given up because it was away for too long. */
  dropped: number;
}

interface Series {
  readonly symbol: string;
  readonly timeframe: number;
  readonly size: number;
  /** Rising. */
  readonly bars: Kline[];
  /** Open times before a known bar that the exchange was asked for in vain: while how many newest bars. */
  readonly asks: Map<number, number>;
  loaded: boolean;
  /** Being completed; whether the exchange is asked for it. */
  underWay: Promise<boolean> | undefined;
  /** The last bar that was due when the exchange was asked, and how often in a row that left something missing. */
  askedUpTo: number;
  fruitless: number;
  pausedUntil: number;
}

const GRACE = 2000;
const STREAM_GRACE = 30_000;
/** A bar that was not there while so many later ones came is taken for one that never was. */
const GAP_ASKS = 3;
/** Batches that wait for an archive which is away; the exchange still has what is dropped. */
const MOST_UNWRITTEN = 10_000;

/**
 * Windows of closed bars, from memory before the archive before the exchange.
 *
 * Nothing is asked for before it can be there: a bar is due at its close plus a grace, and only what is missing from
 * the window is asked for, which after the first time is the bars after the last known one. With streams that is
 * nothing at all but gaps. What the exchange does not have is asked for again after growing pauses, at most
 * `dynamicTtl` apart. Whoever asks for a series while it is being completed waits for the same request.
 *
 * A failure leaves the window with `missing` bars and is reported; the next call tries again when the pause is over.
 */
export class KlineCache {
  readonly counters: KlineCounters = {
    windows: 0,
    barsServed: 0,
    requests: 0,
    requestsSaved: 0,
    joined: 0,
    barsFetched: 0,
    barsRead: 0,
    barsStreamed: 0,
    corrected: 0,
    failures: 0,
    dropped: 0,
  };
  readonly #options: KlineCacheOptions;
  readonly #fetcher: BarFetcher;
  readonly #series = new Map<string, Series>();
  readonly #unwritten: { series: Series; bars: readonly Kline[]; seenAt: number }[] = [];
  #writing: Promise<void> | undefined;
  #streaming = false;

  constructor(options: KlineCacheOptions) {
    this.#options = options;
    this.#fetcher = {
      klines: (...question) => {
        this.counters.requests++;
        return options.fetcher.klines(...question);
      },
    };
  }

  /** Says whether closed bars come by stream: then the exchange is asked only for those that do not. */
  set streaming(healthy: boolean) {
    this.#streaming = healthy;
  }

  /**
   * The last closed bars of a symbol, completed from archive and exchange where something due is missing. They are
   * never of later than now, whatever has been offered.
   * @param timeframe ms, one of the windows
   */
  async window(symbol: string, timeframe: number): Promise<KlineWindow> {
    const series = this.#of(symbol, timeframe);
    const at = this.#options.now();
    this.counters.windows++;
    if (series.underWay !== undefined) this.counters.joined++;
    // Asked for an earlier time it may end without a bar that is due by now.
    while (series.underWay !== undefined) await series.underWay;
    const due = this.#due(series, at);
    const complete = missingSlots(series, due).length === 0;
    const paused = due <= series.askedUpTo && at < series.pausedUntil;
    let asked = false;
    if (!complete && !paused) {
      series.underWay = this.#complete(series, due).finally(() => {
        series.underWay = undefined;
      });
      asked = await series.underWay;
    }
    if (!asked) this.counters.requestsSaved++;
    return this.#read(series, at);
  }

  /**
   * Takes a bar from a stream. One that is not final is of no use here, nor is one that opens in the future. A final
   * one that was known otherwise is a correction.
   *
   * @returns whether it was taken
   * @throws RangeError for a bar that breaks the rules of a series
   */
  offer(symbol: string, timeframe: number, bar: Kline, final: boolean): boolean {
    if (!final || bar.openTime > this.#options.now()) return false;
    const broken = brokenRule(bar, Number.NEGATIVE_INFINITY, timeframe);
    if (broken !== undefined) throw new RangeError(`${symbol} ${timeframe}: ${broken}`);
    this.counters.barsStreamed++;
    this.#merge(this.#of(symbol, timeframe), [bar]);
    return true;
  }

  /** Waits until all bars are in the archive, after one more try. @returns batches that it did not take */
  async flush(): Promise<number> {
    await this.#writing;
    this.#write();
    await this.#writing;
    return this.#unwritten.length;
  }

  #of(symbol: string, timeframe: number): Series {
    const key = `${symbol} ${timeframe}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const { windows = WINDOWS } = this.#options;
    const size = windows[timeframe];
    if (size === undefined) throw new RangeError(`no window of ${timeframe} ms; there are ${Object.keys(windows)}`);
    const series: Series = {
      symbol,
      timeframe,
      size,
      bars: [],
      asks: new Map(),
      loaded: false,
      underWay: undefined,
      askedUpTo: Number.NEGATIVE_INFINITY,
      fruitless: 0,
      pausedUntil: 0,
    };
    this.#series.set(key, series);
    return series;
  }

  /** Open time of the last bar that the exchange may be asked for. */
  #due({ timeframe }: Series, at: number): number {
    const { grace = GRACE, streamGrace = STREAM_GRACE } = this.#options;
    return lastClosed(at - (this.#streaming ? streamGrace : grace), timeframe);
  }

  /** @returns whether the exchange had to be asked */
  async #complete(series: Series, due: number): Promise<boolean> {
    if (!series.loaded) await this.#load(series, due);
    if (due > series.askedUpTo) series.fruitless = 0;
    series.askedUpTo = due;
    const ranges = rangesOf(missingSlots(series, due), series.timeframe);
    let answered = true;
    for (const { from, to } of ranges) answered = (await this.#fetch(series, from, to)) && answered;
    this.#judge(series, due, answered);
    return ranges.length > 0;
  }

  async #load(series: Series, due: number): Promise<void> {
    const { archive } = this.#options;
    if (archive !== undefined) {
      let bars: readonly Kline[];
      try {
        bars = await archive.read(series.symbol, series.timeframe, firstOf(series, due), due);
      } catch (error) {
        // The exchange has them too.
        this.#fail("read", series, error);
        bars = [];
      }
      // What came by stream meanwhile is newer than what the archive held.
      for (const bar of bars) if (insert(series, bar, false) === "added") this.counters.barsRead++;
    }
    series.loaded = true;
  }

  /** @returns whether the exchange answered */
  async #fetch(series: Series, from: number, to: number): Promise<boolean> {
    const pages: (readonly Kline[])[] = [];
    try {
      for await (const page of fetchBars(this.#fetcher, series.symbol, series.timeframe, from, to)) pages.push(page);
    } catch (error) {
      this.#fail("fetch", series, error);
      return false;
    }
    for (const page of pages) {
      this.counters.barsFetched += page.length;
      this.#merge(series, page);
    }
    // What an answer has left out before its last bar, the exchange does not have: before a listing, or in a halt.
    const last = pages.at(-1)?.at(-1)?.openTime ?? Number.NEGATIVE_INFINITY;
    for (let slot = from; slot < last; slot += series.timeframe) {
      if (!has(series, slot)) series.asks.set(slot, GAP_ASKS);
    }
    return true;
  }

  /** What is missing after the exchange was asked: when to ask again, and what to give up. */
  #judge(series: Series, due: number, answered: boolean): void {
    const missing = missingSlots(series, due);
    if (missing.length === 0) {
      series.fruitless = 0;
      series.pausedUntil = 0;
      return;
    }
    const newest = series.bars.at(-1)?.openTime ?? Number.NEGATIVE_INFINITY;
    // An empty answer may only mean that the exchange is late.
    if (answered && series.fruitless === 0) {
      for (const slot of missing) if (slot < newest) series.asks.set(slot, (series.asks.get(slot) ?? 0) + 1);
    }
    let pause = this.#options.grace ?? GRACE;
    const longest = dynamicTtl(series.bars);
    for (let i = 0; i < series.fruitless && pause < longest; i++) pause *= 2;
    series.fruitless++;
    series.pausedUntil = this.#options.now() + (pause < longest ? pause : longest);
  }

  #merge(series: Series, bars: readonly Kline[]): void {
    const changed = bars.filter((bar) => {
      const outcome = insert(series, bar, true);
      if (outcome === "corrected") this.counters.corrected++;
      return outcome !== "same";
    });
    trim(series);
    if (changed.length === 0 || this.#options.archive === undefined) return;
    if (this.#unwritten.length === MOST_UNWRITTEN) {
      this.#unwritten.shift();
      this.counters.dropped++;
    }
    this.#unwritten.push({ series, bars: changed, seenAt: this.#options.now() });
    this.#write();
  }

  /** Begins to write what waits, in the order in which it was seen, unless that is under way. */
  #write(): void {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    for (let batch = this.#unwritten[0]; batch !== undefined; batch = this.#unwritten[0]) {
      const { series, bars, seenAt } = batch;
      try {
        await this.#options.archive!.write(series.symbol, series.timeframe, bars, seenAt);
      } catch (error) {
        // Tried again with the next bars; those after it wait behind it, so that versions keep their order.
        this.#fail("write", series, error);
        return;
      }
      // It may have been dropped meanwhile.
      if (this.#unwritten[0] === batch) this.#unwritten.shift();
    }
  }

  #fail(what: CacheFailure["what"], { symbol, timeframe }: Series, error: unknown): void {
    this.counters.failures++;
    this.#options.onFailure({ what, symbol, timeframe, error });
  }

  #read(series: Series, at: number): KlineWindow {
    const { bars, timeframe } = series;
    const due = this.#due(series, at);
    const closed = lastClosed(at, timeframe);
    let end = bars.length;
    while (end > 0 && bars[end - 1]!.openTime > closed) end--;
    const newest = end > 0 ? bars[end - 1]!.openTime : due;
    const first = firstOf(series, newest > due ? newest : due);
    let begin = end;
    while (begin > 0 && bars[begin - 1]!.openTime >= first) begin--;
    const shown = bars.slice(begin, end);
    this.counters.barsServed += shown.length;
    return { bars: shown, missing: missingSlots(series, due).length };
  }
}

/**
 * How long an answer may be relied on, in ms: `max(60, 300 · (1 − min(volatility, 0.1)))` seconds, the volatility
 * being the standard deviation of the last 20 highs over the last close (0 with fewer bars). The formula of the
 * original system; there it also held back bars that had long closed, here it only bounds the pauses between questions
 * for what the exchange did not have. With its own bound on the volatility it lies between 270 and 300 s.
 */
export function dynamicTtl(bars: readonly Kline[]): number {
  if (bars.length < TTL_BARS) return TTL_LONGEST;
  const highs = bars.slice(-TTL_BARS).map(({ high }) => high);
  const mean = highs.reduce((sum, high) => sum + high, 0) / TTL_BARS;
  const variance = highs.reduce((sum, high) => sum + (high - mean) * (high - mean), 0) / TTL_BARS;
  const volatility = Math.sqrt(variance) / bars.at(-1)!.close;
  const ttl = TTL_LONGEST * (1 - (volatility < 0.1 ? volatility : 0.1));
  return ttl > TTL_SHORTEST ? ttl : TTL_SHORTEST;
}

const TTL_BARS = 20;
const TTL_SHORTEST = 60_000;
const TTL_LONGEST = 300_000;

/** Open time of the last bar that has closed at a time. */
function lastClosed(at: number, timeframe: number): number {
  return Math.floor(at / timeframe) * timeframe - timeframe;
}

/** Open time of the first bar of a window that ends with `last`. */
function firstOf({ size, timeframe }: Series, last: number): number {
  return last - (size - 1) * timeframe;
}

/** Open times up to `due` within its window that have no bar and may still get one, rising. */
function missingSlots(series: Series, due: number): number[] {
  const { bars, timeframe, asks } = series;
  const first = firstOf(series, due);
  let at = bars.length;
  while (at > 0 && bars[at - 1]!.openTime > due) at--;
  // The common case: all of them are there.
  if (at >= series.size && bars[at - series.size]!.openTime === first) return [];
  const missing: number[] = [];
  for (let slot = due; slot >= first; slot -= timeframe) {
    if (at > 0 && bars[at - 1]!.openTime === slot) at--;
    else if ((asks.get(slot) ?? 0) < GAP_ASKS) missing.push(slot);
  }
  return missing.reverse();
}

function has({ bars }: Series, openTime: number): boolean {
  let at = bars.length;
  while (at > 0 && bars[at - 1]!.openTime > openTime) at--;
  return bars[at - 1]?.openTime === openTime;
}

/** Drops what no window shows any more, now and then: streams bring bars whether or not anybody asks for them. */
function trim({ bars, size, asks }: Series): void {
  if (bars.length <= 2 * size) return;
  bars.splice(0, bars.length - size);
  const oldest = bars[0]!.openTime;
  for (const slot of asks.keys()) if (slot < oldest) asks.delete(slot);
}

/** Neighbouring open times as ranges, both ends inclusive. */
function rangesOf(slots: readonly number[], timeframe: number): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  for (const slot of slots) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to + timeframe === slot) last.to = slot;
    else ranges.push({ from: slot, to: slot });
  }
  return ranges;
}

/** Puts a bar in its place. A different version of a known one wins only if it is `newer`. */
function insert({ bars }: Series, bar: Kline, newer: boolean): "added" | "corrected" | "same" {
  let at = bars.length;
  while (at > 0 && bars[at - 1]!.openTime > bar.openTime) at--;
  const known = bars[at - 1];
  if (known?.openTime !== bar.openTime) {
    bars.splice(at, 0, bar);
    return "added";
  }
  if (!newer || sameBar(known, bar)) return "same";
  bars[at - 1] = bar;
  return "corrected";
}

function sameBar(a: Kline, b: Kline): boolean {
  return a.open === b.open && a.high === b.high && a.low === b.low && a.close === b.close && a.volume === b.volume;
}
