import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Instrument, powerOfTen } from "../core/instrument.ts";
import { InputError } from "../input-error.ts";
import { editDistance } from "../nearest-name.ts";
import { ABSENT, type BarSource, type BarStep, FLAT, REAL } from "./bar-source.ts";
import type { Contract } from "./contract.ts";
import { contractsOf } from "./contract-rules.ts";
import { type FundingSchedule, fundingSchedule } from "./funding-rates.ts";
import { readInputFile } from "./input-file.ts";
import { instrumentsOf, naming } from "./instrument-rules.ts";
import { type Klines, parseKlines, sharedColumn } from "./kline-csv.ts";
import { isTickFile, openRecordedTicks } from "./recorded-ticks.ts";
import { isTimeframeName, TIMEFRAME_NAMES, TIMEFRAMES, type TimeframeName, timeText } from "./timeframe.ts";

/** So many missing bars in a row are bridged by flat ones; at the next the symbol counts as delisted. */
export const MOST_FLAT_BARS = 10;

export interface RecordedMarketOptions {
  /** Folder of files named `<anything->SYMBOL-<timeframe>[-dates].csv[.gz]`; other files and subfolders are ignored. */
  readonly dir: string;
  /** Only these; all when absent. */
  readonly symbols?: readonly string[] | undefined;
  /** "1m", "5m", "15m" or "1h"; needed only where the folder mixes them. */
  readonly timeframe?: string | undefined;
  /** ms UTC. Only checked against the data and `to`: what happens before it is the caller's warm-up. */
  readonly from?: number | undefined;
  /** ms UTC: steps open before it. */
  readonly to?: number | undefined;
  /** `symbol,funding_time,funding_rate`, .csv or .csv.gz */
  readonly fundingFile?: string | undefined;
  /** A reply of Binance's exchangeInfo, .json or .json.gz */
  readonly rulesFile?: string | undefined;
  /** Leverage brackets: a reply of Binance's leverageBracket, or lists by unified symbol; .json or .json.gz */
  readonly bracketsFile?: string | undefined;
  /** For symbols and times without recorded funding, a fraction per 8 hours: 0.0001 is 0.01 %. */
  readonly assumedFundingRate: number;
  /** The bars are stepped through and never shared: those that have passed are let go of. */
  readonly once?: boolean | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

export interface LoadProgress {
  readonly files: number;
  readonly filesTotal: number;
  readonly rows: number;
}

export interface RecordedMarket extends BarSource {
  /** The bar files read, by name within the folder, sorted. */
  readonly sourceFiles: readonly string[];
  /** The bars of some symbols, for another thread: `count` of them from `first` on. */
  share(first: number, count: number): SharedBars;
}

/** Bars that `barsOf` plays again wherever this is sent: plain data over shared memory. Prices in ticks. */
export interface SharedBars {
  readonly instruments: readonly Instrument[];
  readonly timeframe: number;
  readonly start: number;
  readonly steps: number;
  readonly histories: readonly Klines[];
  readonly funding: FundingSchedule;
}

/** The bars of some of the symbols: `count` of them from `first` on. */
export function shareBars(bars: SharedBars, first: number, count: number): SharedBars {
  const end = first + count;
  return {
    ...bars,
    instruments: bars.instruments.slice(first, end),
    histories: bars.histories.slice(first, end),
    funding: fundingOf(bars.funding, first, end),
  };
}

/** Plays shared bars from their first step: the bars and the funding of the market they come from. */
export function barsOf(bars: SharedBars): BarSource {
  return new RecordedBars({ ...bars, assumptions: [], sourceFiles: [] });
}

/**
 * Opens a folder of recorded bars of one base timeframe, or a file of recorded ticks.
 *
 * Steps run over every multiple of the timeframe from the earliest first bar of any symbol to the latest last bar (or
 * `to`). A symbol is ABSENT before its first bar. When bars are missing, the first MOST_FLAT_BARS of them become FLAT
 * bars at the last close as time passes; at the next one the symbol is delisted, and it is listed anew when bars
 * return. The end of a symbol's files is the same rule, so no step depends on a later row.
 *
 * @throws InputError for whatever is wrong with options (`exitCode` 2) or files (`exitCode` 1)
 */
export function openRecordedMarket(options: RecordedMarketOptions): RecordedMarket {
  if (isTickFile(options.dir)) return openRecordedTicks({ ...options, file: options.dir });
  const choice = chooseFiles(options);
  const progress = progressOf(options, choice);
  const klines = choice.files.map(({ name }) => {
    const path = join(options.dir, name);
    return progress(parseKlines(readInputFile(path), path, TIMEFRAMES[choice.timeframe]));
  });
  return assemble(options, choice, klines);
}

/** Reads and parses one file: (path, timeframe in ms) to bars. */
export type KlineParser = (path: string, timeframe: number) => Promise<Klines>;

/** The same with the files parsed by others, all at once. The error is that of the first bad file by name. */
export async function loadRecordedMarket(options: RecordedMarketOptions, parse: KlineParser): Promise<RecordedMarket> {
  if (isTickFile(options.dir)) return openRecordedTicks({ ...options, file: options.dir });
  const choice = chooseFiles(options);
  const progress = progressOf(options, choice);
  const outcomes = await Promise.allSettled(
    choice.files.map(async ({ name }) => progress(await parse(join(options.dir, name), TIMEFRAMES[choice.timeframe]))),
  );
  const klines = outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
  return assemble(options, choice, klines);
}

/** Counts what is passed through it. */
function progressOf({ onProgress }: RecordedMarketOptions, { files }: FileChoice): (klines: Klines) => Klines {
  let done = 0;
  let rows = 0;
  return (klines) => {
    done++;
    rows += klines.openTime.length;
    onProgress?.({ files: done, filesTotal: files.length, rows });
    return klines;
  };
}

interface FileChoice {
  readonly timeframe: TimeframeName;
  readonly files: readonly BarFile[];
}

/** @param klines of the files, in their order */
function assemble(
  options: RecordedMarketOptions,
  { timeframe, files }: FileChoice,
  klines: readonly Klines[],
): RecordedMarket {
  const { from, to } = options;
  const step = TIMEFRAMES[timeframe];
  const symbols = [...new Set(files.map((file) => file.symbol))].sort();
  const histories = symbols.map((symbol) => {
    const parts = files.flatMap((file, index) =>
      file.symbol === symbol ? [{ name: file.name, klines: klines[index]! }] : [],
    );
    return joinFiles(symbol, parts, options.dir);
  });

  const start = histories.reduce((least, { openTime }) => Math.min(openTime[0]!, least), Infinity);
  const end = histories.reduce((most, { openTime }) => Math.max(openTime.at(-1)!, most), 0) + step;
  const span = `the bars in ${options.dir} run from ${timeText(start)} to ${timeText(end)}`;
  if (from !== undefined && from >= end) throw new InputError(`from ${timeText(from)} is too late: ${span}`, 2);
  if (to !== undefined && to <= start) throw new InputError(`to ${timeText(to)} is too early: ${span}`, 2);
  const steps = Math.ceil(((to !== undefined && to < end ? to : end) - start) / step);
  const until = start + steps * step;

  const rules = instrumentsOf(
    histories.map((history, index) => ({ ...history, symbol: symbols[index]!, price: history.close[0]! })),
    options.rulesFile,
    options.bracketsFile,
  );
  const { instruments, contracts, ...ruled } = contractsOf(rules.instruments, options.rulesFile, options.bracketsFile);
  const assumptions = [...rules.assumptions, ...ruled.assumptions];
  const inQuote = symbols.filter((_, index) => histories[index]!.volumeDecimals === undefined);
  if (inQuote.length > 0) {
    const who = naming(inQuote, symbols.length);
    assumptions.push(`Base volume of ${who}: quote volume / typical price (high + low + close) / 3.`);
  }
  const offTick = symbols.filter((_, index) => toTicks(histories[index]!, rules.instruments[index]!));
  if (offTick.length > 0) {
    const who = naming(offTick, symbols.length);
    assumptions.push(`Prices of ${who}: rounded to the tick size, which is coarser than the bars.`);
  }
  const funding = fundingSchedule({
    symbols,
    from: start,
    to: until,
    file: options.fundingFile,
    assumedRate: options.assumedFundingRate,
  });
  assumptions.push(...funding.assumptions);
  if (from !== undefined && from < start) {
    assumptions.push(`From ${timeText(from)} lies before the first bar: the run begins at ${timeText(start)}.`);
  }
  if (to !== undefined && to > end) {
    assumptions.push(`To ${timeText(to)} lies after the last bar: the run ends at ${timeText(end)}.`);
  }
  return new RecordedBars({
    instruments,
    contracts,
    timeframe: step,
    start,
    steps,
    assumptions,
    sourceFiles: files.map((file) => file.name),
    histories: histories.map((history) => cut(history, until)),
    funding: funding.schedule,
    once: options.once,
  });
}

/** A file of bars, by what its name says. */
export interface BarFile {
  readonly name: string;
  readonly symbol: string;
  readonly timeframe: TimeframeName;
}

const FILE_NAME = /^(?:.*-)?([\p{Lu}\p{Lo}\p{N}_]+)-(1m|5m|15m|1h)(?:-.*)?\.csv(?:\.gz)?$/u;

function chooseFiles(options: RecordedMarketOptions): FileChoice {
  const { dir, symbols, timeframe, from, to } = options;
  if (from !== undefined && to !== undefined && from >= to) {
    throw new InputError(`from ${timeText(from)} is not before to ${timeText(to)}`, 2);
  }
  if (timeframe !== undefined && !isTimeframeName(timeframe)) {
    throw new InputError(`timeframe "${timeframe}" is unknown; allowed are ${TIMEFRAME_NAMES.join(", ")}`, 2);
  }
  const found = listBarFiles(dir);
  const known = [...new Set(found.map((file) => file.symbol))].sort();
  for (const symbol of symbols ?? []) {
    if (known.includes(symbol)) continue;
    const near = nearest(symbol, known);
    const hint = near.length > 0 ? `; near it are ${near.join(", ")}` : `; there are ${known.slice(0, 10).join(", ")}`;
    throw new InputError(`symbol "${symbol}" has no file in ${dir}${hint}`, 2);
  }
  const wanted = found.filter((file) => symbols === undefined || symbols.includes(file.symbol));
  if (wanted.length === 0) throw new InputError("no symbol is asked for", 2);
  const present = TIMEFRAME_NAMES.filter((name) => wanted.some((file) => file.timeframe === name));
  if (timeframe === undefined && present.length > 1) {
    throw new InputError(`${dir} mixes the timeframes ${present.join(", ")}; choose one with --timeframe`, 2);
  }
  const chosen = timeframe ?? present[0]!;
  const files = wanted.filter((file) => file.timeframe === chosen);
  if (files.length === 0) throw new InputError(`${dir} has no ${chosen} bars, only ${present.join(", ")}`, 2);
  const lacking = (symbols ?? []).find((symbol) => !files.some((file) => file.symbol === symbol));
  if (lacking !== undefined) throw new InputError(`symbol "${lacking}" has no ${chosen} file in ${dir}`, 2);
  return { timeframe: chosen, files };
}

/** The files of bars in a folder, by name. @throws InputError for a folder that is missing or holds none. */
export function listBarFiles(dir: string): BarFile[] {
  const names = listFolder(dir);
  const found = names.flatMap((name) => barFileOf(name) ?? []);
  if (found.length > 0) return found;
  const what = names.length === 0 ? "the folder holds no files" : "no file there holds bars";
  throw new InputError(
    `${dir}: ${what}; names like binance-usdm-BTCUSDT-5m-2025-10.csv.gz are expected (1m, 5m, 15m or 1h)`,
  );
}

/** What the name of a csv file says of its bars, or undefined when it does not look like a file of bars. */
export function barFileOf(name: string): BarFile | undefined {
  const parts = FILE_NAME.exec(name);
  return parts === null ? undefined : { name, symbol: parts[1]!, timeframe: parts[2] as TimeframeName };
}

/** Names of the files of a folder, sorted. @throws InputError for a folder that cannot be read. */
export function listFolder(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new InputError(`${dir}: no such folder`);
    if (code === "ENOTDIR") throw new InputError(`${dir}: is a file, a folder of bars is expected`);
    throw new InputError(`${dir}: cannot be read (${message})`);
  }
}

/** Up to three known names that the user may have meant. */
function nearest(symbol: string, known: readonly string[]): string[] {
  const asked = symbol.toUpperCase();
  return known
    .map((name) => ({ name, distance: name.startsWith(asked) && asked !== "" ? 0 : editDistance(asked, name) }))
    .filter(({ distance }) => distance <= 2)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name);
}

function joinFiles(symbol: string, parts: { name: string; klines: Klines }[], dir: string): Klines {
  parts.sort((a, b) => a.klines.openTime[0]! - b.klines.openTime[0]!);
  for (const [index, { name, klines }] of parts.entries()) {
    const before = parts[index - 1];
    if (before === undefined || before.klines.openTime.at(-1)! < klines.openTime[0]!) continue;
    const [a, b] = [before.klines.openTime.at(-1)!, klines.openTime.at(-1)!];
    const overlap = `${timeText(klines.openTime[0]!)} to ${timeText(Math.min(a, b))}`;
    throw new InputError(
      `${join(dir, before.name)} and ${join(dir, name)} overlap: both have ${symbol} from ${overlap}`,
    );
  }
  if (parts.length === 1) return parts[0]!.klines;
  const column = (pick: (klines: Klines) => Float64Array) => {
    const joined = sharedColumn(parts.reduce((rows, { klines }) => rows + klines.openTime.length, 0));
    let at = 0;
    for (const { klines } of parts) {
      joined.set(pick(klines), at);
      at += klines.openTime.length;
    }
    return joined;
  };
  const decimals = parts.map(({ klines }) => klines.volumeDecimals);
  return {
    openTime: column((klines) => klines.openTime),
    open: column((klines) => klines.open),
    high: column((klines) => klines.high),
    low: column((klines) => klines.low),
    close: column((klines) => klines.close),
    volume: column((klines) => klines.volume),
    priceDecimals: Math.max(...parts.map(({ klines }) => klines.priceDecimals)),
    volumeDecimals: decimals.includes(undefined) ? undefined : Math.max(...(decimals as number[])),
  };
}

/** Turns the prices into ticks in place; true when any was not on the tick. Rounding keeps low <= open, close <= high. */
function toTicks(history: Klines, instrument: Instrument): boolean {
  const { symbol, tickUnits, priceDecimals } = instrument;
  const scale = powerOfTen(priceDecimals);
  let off = false;
  for (const column of [history.open, history.high, history.low, history.close]) {
    for (let index = 0; index < column.length; index++) {
      const exact = (column[index]! * scale) / tickUnits;
      const ticks = Math.round(exact);
      if (ticks < 1 || ticks > Number.MAX_SAFE_INTEGER) {
        const tick = `${tickUnits} / ${scale}`;
        throw new InputError(`${symbol}: price ${column[index]} is not between 1 and 2^53 ticks of ${tick}`);
      }
      if (Math.abs(exact - ticks) > 1e-6 * (ticks < 1e6 ? 1 : ticks / 1e6)) off = true;
      column[index] = ticks;
    }
  }
  return off;
}

/** The bars that open before `until`, as views. */
function cut(history: Klines, until: number): Klines {
  let rows = history.openTime.length;
  while (rows > 0 && history.openTime[rows - 1]! >= until) rows--;
  return {
    ...history,
    openTime: history.openTime.subarray(0, rows),
    open: history.open.subarray(0, rows),
    high: history.high.subarray(0, rows),
    low: history.low.subarray(0, rows),
    close: history.close.subarray(0, rows),
    volume: history.volume.subarray(0, rows),
  };
}

/** Bars of a history from `first` on, in memory of their own. */
function tail(history: Klines, first: number): Klines {
  const copy = (column: Float64Array) => {
    const rest = sharedColumn(column.length - first);
    rest.set(column.subarray(first));
    return rest;
  };
  return {
    ...history,
    openTime: copy(history.openTime),
    open: copy(history.open),
    high: copy(history.high),
    low: copy(history.low),
    close: copy(history.close),
    volume: copy(history.volume),
  };
}

/** Steps between two looks at what can be let go of. */
const RELEASE_STEPS = 512;

/** In `#missing`: the symbol is not listed. Otherwise the number of bars missing in a row. */
const UNLISTED = -1;

class RecordedBars implements RecordedMarket {
  readonly instruments: readonly Instrument[];
  readonly timeframe: number;
  readonly start: number;
  readonly steps: number;
  readonly bars: number;
  readonly assumptions: readonly string[];
  readonly sourceFiles: readonly string[];
  readonly contracts?: readonly Contract[];
  /** Prices in ticks. What has passed may be missing, then `#cursor` counts from the first bar that is left. */
  readonly #histories: Klines[];
  readonly #once: boolean;
  readonly #funding: FundingSchedule;
  readonly #step: BarStep;
  readonly #cursor: Int32Array;
  readonly #missing: Int32Array;
  readonly #lastClose: Float64Array;
  #stepsDone = 0;
  #fundingDone = 0;
  #dataHash: string | undefined;

  constructor(
    parts: SharedBars &
      Pick<RecordedMarket, "assumptions" | "sourceFiles"> &
      Pick<RecordedMarketOptions, "once"> & { readonly contracts?: readonly Contract[] | undefined },
  ) {
    const symbols = parts.instruments.length;
    this.instruments = parts.instruments;
    if (parts.contracts !== undefined) this.contracts = parts.contracts;
    this.timeframe = parts.timeframe;
    this.start = parts.start;
    this.steps = parts.steps;
    this.assumptions = parts.assumptions;
    this.sourceFiles = parts.sourceFiles;
    this.#histories = [...parts.histories];
    this.#once = parts.once ?? false;
    this.#funding = parts.funding;
    this.bars = parts.histories.reduce((rows, { openTime }) => rows + openTime.length, 0);
    this.#cursor = new Int32Array(symbols);
    this.#missing = new Int32Array(symbols).fill(UNLISTED);
    this.#lastClose = new Float64Array(symbols);
    this.#step = emptyStep(symbols);
  }

  /** Over timeframe, rules, brackets, rows and funding; names of files, their packing and further columns do not matter. */
  get dataHash(): string {
    this.#dataHash ??= this.#hash();
    return this.#dataHash;
  }

  share(first: number, count: number): SharedBars {
    if (this.#once) throw new Error("bars that are let go of cannot be shared");
    const { instruments, timeframe, start, steps } = this;
    const all = { instruments, timeframe, start, steps, histories: this.#histories, funding: this.#funding };
    return shareBars(all, first, count);
  }

  step(): BarStep | undefined {
    if (this.#stepsDone === this.steps) return undefined;
    const step = this.#step;
    const { status, open, high, low, close, volume, listed, delisted } = step;
    const openTime = this.start + this.#stepsDone * this.timeframe;
    if (this.#once && this.#stepsDone % RELEASE_STEPS === RELEASE_STEPS - 1) this.#release();
    this.#stepsDone++;
    step.openTime = openTime;
    listed.length = 0;
    delisted.length = 0;
    for (let symbol = 0; symbol < status.length; symbol++) {
      const history = this.#histories[symbol]!;
      const at = this.#cursor[symbol]!;
      const missing = this.#missing[symbol]!;
      if (history.openTime[at] === openTime) {
        if (missing === UNLISTED) listed.push(symbol);
        status[symbol] = REAL;
        open[symbol] = history.open[at]!;
        high[symbol] = history.high[at]!;
        low[symbol] = history.low[at]!;
        close[symbol] = history.close[at]!;
        volume[symbol] = history.volume[at]!;
        this.#lastClose[symbol] = history.close[at]!;
        this.#missing[symbol] = 0;
        this.#cursor[symbol] = at + 1;
      } else if (missing === UNLISTED) {
        status[symbol] = ABSENT;
      } else if (missing === MOST_FLAT_BARS) {
        delisted.push(symbol);
        status[symbol] = ABSENT;
        this.#missing[symbol] = UNLISTED;
      } else {
        const price = this.#lastClose[symbol]!;
        status[symbol] = FLAT;
        open[symbol] = price;
        high[symbol] = price;
        low[symbol] = price;
        close[symbol] = price;
        volume[symbol] = 0;
        this.#missing[symbol] = missing + 1;
      }
    }
    this.#fund(openTime + this.timeframe);
    return step;
  }

  /** Lets go of what has passed where that is a quarter of what is held, so that each bar is copied about three times. */
  #release(): void {
    // The hash is over all bars.
    this.#dataHash ??= this.#hash();
    for (const [symbol, history] of this.#histories.entries()) {
      const passed = this.#cursor[symbol]!;
      if (passed * 4 < history.openTime.length || passed === 0) continue;
      this.#histories[symbol] = tail(history, passed);
      this.#cursor[symbol] = 0;
    }
  }

  /** Only listed symbols exchange funding; a flat bar does not stop it. */
  #fund(until: number): void {
    const { time, symbol, rate } = this.#funding;
    const { funding, status } = this.#step;
    funding.length = 0;
    let at = this.#fundingDone;
    for (; at < time.length && time[at]! < until; at++) {
      const who = symbol[at]!;
      if (status[who] !== ABSENT) funding.push({ time: time[at]!, symbol: who, rate: rate[at]!, mark: 0 });
    }
    this.#fundingDone = at;
  }

  #hash(): string {
    const hash = createHash("sha256");
    hash.update(JSON.stringify({ timeframe: this.timeframe, start: this.start, steps: this.steps }));
    for (const [index, history] of this.#histories.entries()) {
      hash.update(JSON.stringify({ ...this.instruments[index], rows: history.openTime.length }));
      const { openTime, open, high, low, close, volume } = history;
      for (const column of [openTime, open, high, low, close, volume]) hash.update(bytesOf(column));
    }
    if (this.contracts !== undefined) {
      hash.update(JSON.stringify(this.contracts, (_, value) => (typeof value === "bigint" ? String(value) : value)));
    }
    const { time, symbol, rate } = this.#funding;
    hash.update(JSON.stringify({ funding: time.length }));
    for (const column of [time, symbol, rate]) hash.update(bytesOf(column));
    return hash.digest("hex");
  }
}

/** The settlements of the symbols from `first` to before `end`, numbered from 0. */
function fundingOf({ time, symbol, rate }: FundingSchedule, first: number, end: number): FundingSchedule {
  const places = [...symbol.keys()].filter((place) => symbol[place]! >= first && symbol[place]! < end);
  return {
    time: Float64Array.from(places, (place) => time[place]!),
    symbol: Uint16Array.from(places, (place) => symbol[place]! - first),
    rate: Int32Array.from(places, (place) => rate[place]!),
  };
}

function emptyStep(symbols: number): BarStep {
  return {
    openTime: 0,
    status: new Uint8Array(symbols),
    open: new Float64Array(symbols),
    high: new Float64Array(symbols),
    low: new Float64Array(symbols),
    close: new Float64Array(symbols),
    volume: new Float64Array(symbols),
    listed: [],
    delisted: [],
    funding: [],
  };
}

function bytesOf(column: Float64Array | Uint16Array | Int32Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}
