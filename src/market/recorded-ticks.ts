import { createHash } from "node:crypto";
import { basename } from "node:path";
import { type Instrument, powerOfTen, quantityOf } from "../core/instrument.ts";
import { InputError } from "../input-error.ts";
import { type BarStep, FLAT, REAL } from "./bar-source.ts";
import type { Contract } from "./contract.ts";
import { contractsOf } from "./contract-rules.ts";
import { readInputFile } from "./input-file.ts";
import { instrumentsOf } from "./instrument-rules.ts";
import type { Klines } from "./kline-csv.ts";
import type { RecordedMarket, SharedBars } from "./recorded-market.ts";
import type { Level, Tick, TickSource, TradeTick } from "./tick-source.ts";
import { TIMEFRAMES } from "./timeframe.ts";

export interface RecordedTicksOptions {
  /** A recorded websocket: lines of `<local ns> <json>`, .ws or .ws.gz */
  readonly file: string;
  readonly rulesFile?: string | undefined;
  readonly bracketsFile?: string | undefined;
}

/** Whether a path is a recorded websocket rather than a folder of bars. */
export function isTickFile(path: string): boolean {
  return /\.ws(\.gz)?$/.test(path);
}

interface RawTrade {
  readonly time: number;
  readonly price: string;
  readonly quantity: string;
  readonly taker: 1 | -1;
}
/** Fields of `trade` and `depthUpdate` messages and of the REST snapshot, by the exchange's short names. */
interface RawMessage {
  readonly e: string;
  readonly s: string;
  readonly T: number;
  readonly p: string;
  readonly q: string;
  readonly m: boolean;
  readonly X: string;
  readonly U: number;
  readonly u: number;
  readonly pu: number;
  readonly b: RawBook["bids"];
  readonly a: RawBook["asks"];
  readonly lastUpdateId?: number;
  readonly bids: RawBook["bids"];
  readonly asks: RawBook["asks"];
}
interface RawBook {
  readonly time: number;
  readonly snapshot: boolean;
  readonly bids: readonly (readonly [string, string])[];
  readonly asks: readonly (readonly [string, string])[];
}

/**
 * Opens a recorded Binance websocket of one symbol: `trade` and `depth@0ms` streams and one REST snapshot of the book,
 * as recorders of raw feeds write them. Depth updates that the snapshot contains already are left out; a hole in the
 * sequence after it is an error. `bookTicker` lines are not needed: the book says the same.
 *
 * @throws InputError naming file and line
 */
export function openRecordedTicks(options: RecordedTicksOptions): TickSource & RecordedMarket {
  const { file } = options;
  const bytes = readInputFile(file);
  const { symbol, trades, books } = parse(new TextDecoder().decode(bytes), file);
  const first = trades[0];
  if (first === undefined) throw new InputError(`${file}: holds no trades`);
  const decimals = (texts: Iterable<string>): number => {
    let most = 0;
    for (const text of texts) {
      const places = text.replace(/^[^.]*\.?|0+$/g, "").length;
      if (places > most) most = places;
    }
    return most;
  };
  const observed = {
    symbol,
    priceDecimals: decimals(trades.map(({ price }) => price)),
    volumeDecimals: decimals(trades.map(({ quantity }) => quantity)),
    price: Number(first.price),
  };
  const inferred = instrumentsOf([observed], options.rulesFile, options.bracketsFile);
  const rules = contractsOf(inferred.instruments, options.rulesFile, options.bracketsFile);
  const instrument = rules.instruments[0]!;
  const levels = (list: RawBook["bids"]): Level[] => list.map(([price, lots]) => [ticks(price), lotsOf(lots)]);
  const ticks = (price: string): number =>
    Math.round((Number(price) * powerOfTen(instrument.priceDecimals)) / instrument.tickUnits);
  const lotsOf = (quantity: string): number =>
    Math.round((Number(quantity) * powerOfTen(instrument.quantityDecimals)) / instrument.lotUnits);
  const all: Tick[] = [
    ...trades.map((trade): TradeTick => {
      const { time, taker } = trade;
      return { kind: "trade", time, symbol: 0, price: ticks(trade.price), lots: lotsOf(trade.quantity), taker };
    }),
    ...books.map(({ time, snapshot, bids, asks }): Tick => {
      return { kind: "book", time, symbol: 0, snapshot, bids: levels(bids), asks: levels(asks) };
    }),
  ];
  // A stable sort: a trade goes before the update of the book that it caused.
  all.sort((a, b) => a.time - b.time);
  return new RecordedTicks(instrument, rules.contracts, all, {
    file: basename(file),
    hash: createHash("sha256").update(bytes).digest("hex"),
    assumptions: [...inferred.assumptions, ...rules.assumptions, "Funding: none, the recording has no rates."],
  });
}

function parse(text: string, file: string): { symbol: string; trades: RawTrade[]; books: RawBook[] } {
  const trades: RawTrade[] = [];
  const updates: (RawBook & { first: number; last: number; previous: number; line: number })[] = [];
  let snapshot: (RawBook & { id: number }) | undefined;
  let symbol = "";
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "" || line.includes('@bookTicker"')) continue;
    const where = `${file}: line ${index + 1}`;
    let json: { readonly data?: unknown };
    try {
      json = JSON.parse(line.slice(line.indexOf(" ") + 1));
    } catch {
      throw new InputError(`${where}: "<local ns> <json>" is expected`);
    }
    const data = (json.data ?? json) as RawMessage;
    if (data.lastUpdateId !== undefined) {
      snapshot ??= { id: data.lastUpdateId, time: data.T, snapshot: true, bids: data.bids, asks: data.asks };
      continue;
    }
    if (data.e !== "trade" && data.e !== "depthUpdate") continue;
    if (symbol !== "" && symbol !== data.s) throw new InputError(`${where}: ${data.s} among ticks of ${symbol}`);
    symbol = data.s;
    if (data.e === "trade") {
      // Insurance fund and deleveraging trades are marked otherwise and did not meet the book.
      if (data.X !== "MARKET") continue;
      trades.push({ time: data.T, price: data.p, quantity: data.q, taker: data.m ? -1 : 1 });
    } else {
      const { T: time, U: first, u: last, pu: previous, b: bids, a: asks } = data;
      updates.push({ time, first, last, previous, line: index + 1, snapshot: false, bids, asks });
    }
  }
  if (symbol === "") throw new InputError(`${file}: holds neither trades nor depth updates`);
  if (snapshot === undefined) throw new InputError(`${file}: holds no snapshot of the book`);
  const { id } = snapshot;
  const books: RawBook[] = [snapshot];
  let last: number | undefined;
  for (const update of updates) {
    if (update.last < id) continue;
    if (last !== undefined && update.previous !== last) {
      throw new InputError(
        `${file}: line ${update.line}: depth update follows ${update.previous}, the last was ${last}`,
      );
    }
    last = update.last;
    books.push(update);
  }
  return { symbol, trades, books };
}

class RecordedTicks implements TickSource, RecordedMarket {
  readonly instruments: readonly Instrument[];
  readonly timeframe = TIMEFRAMES["1m"];
  readonly start: number;
  readonly steps: number;
  readonly bars: number;
  readonly dataHash: string;
  readonly assumptions: readonly string[];
  readonly sourceFiles: string[];
  readonly contracts?: readonly Contract[];
  readonly #ticks: readonly Tick[];
  readonly #about: { readonly file: string; readonly hash: string; readonly assumptions: readonly string[] };
  readonly #trades: readonly TradeTick[];
  readonly #step: BarStep;
  #nextTick = 0;
  #nextTrade = 0;
  #stepsDone = 0;

  constructor(
    instrument: Instrument,
    contracts: readonly Contract[] | undefined,
    ticks: readonly Tick[],
    about: { readonly file: string; readonly hash: string; readonly assumptions: readonly string[] },
  ) {
    this.instruments = [instrument];
    if (contracts !== undefined) this.contracts = contracts;
    this.#ticks = ticks;
    this.#about = about;
    this.#trades = ticks.filter((tick) => tick.kind === "trade");
    const first = this.#trades[0]!.time;
    this.start = first - (first % this.timeframe);
    // The last minute ends with the recording and not with the clock: it never closes.
    this.steps = Math.floor((ticks.at(-1)!.time - this.start) / this.timeframe);
    this.bars = this.steps;
    this.dataHash = createHash("sha256")
      .update(JSON.stringify([instrument, about.hash]))
      .digest("hex");
    this.assumptions = about.assumptions;
    this.sourceFiles = [about.file];
    const column = (): Float64Array => new Float64Array(1);
    this.#step = {
      openTime: this.start,
      status: new Uint8Array(1),
      open: column(),
      high: column(),
      low: column(),
      close: column(),
      volume: column(),
      listed: [0],
      delisted: [],
      funding: [],
    };
  }

  /** Its bars, for another thread; minutes without a trade are left out, as where bars are missing. */
  share(): SharedBars {
    const { instruments, timeframe, start, steps } = this;
    const bars = new RecordedTicks(instruments[0]!, this.contracts, this.#ticks, this.#about);
    const rows: number[][] = [];
    for (let step = bars.step(); step !== undefined; step = bars.step()) {
      const { openTime, open, high, low, close, volume } = step;
      if (step.status[0] === REAL) rows.push([openTime, open[0]!, high[0]!, low[0]!, close[0]!, volume[0]!]);
    }
    const column = (index: number): Float64Array => Float64Array.from(rows, (row) => row[index]!);
    const [openTime, open, high, low, close, volume] = [0, 1, 2, 3, 4, 5].map(column) as Float64Array[];
    const { priceDecimals, quantityDecimals: volumeDecimals } = instruments[0]!;
    const history = { openTime, open, high, low, close, volume, priceDecimals, volumeDecimals } as Klines;
    const funding = { time: new Float64Array(), symbol: new Uint16Array(), rate: new Int32Array() };
    return { instruments, timeframe, start, steps, histories: [history], funding };
  }

  tick(): Tick | undefined {
    return this.#ticks[this.#nextTick++];
  }

  step(): BarStep | undefined {
    if (this.#stepsDone === this.steps) return undefined;
    const step = this.#step;
    step.openTime = this.start + this.#stepsDone * this.timeframe;
    if (this.#stepsDone++ > 0) step.listed.length = 0;
    const until = step.openTime + this.timeframe;
    const before = step.close[0]!;
    let lots = 0;
    let begun = false;
    for (;;) {
      const trade = this.#trades[this.#nextTrade];
      if (trade === undefined || trade.time >= until) break;
      this.#nextTrade++;
      const { price } = trade;
      if (!begun) step.open[0] = step.high[0] = step.low[0] = price;
      begun = true;
      if (price > step.high[0]!) step.high[0] = price;
      if (price < step.low[0]!) step.low[0] = price;
      step.close[0] = price;
      lots += trade.lots;
    }
    if (!begun) step.open[0] = step.high[0] = step.low[0] = before;
    step.status[0] = begun ? REAL : FLAT;
    step.volume[0] = quantityOf(this.instruments[0]!, lots);
    return step;
  }
}
