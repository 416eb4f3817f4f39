import type { BarEvent } from "../../../core/events.ts";
import type { Instrument } from "../../../core/instrument.ts";
import type { BarStep } from "../../../market/bar-source.ts";
import { bookAround, depthAt } from "../../../market/synthesised-ticks.ts";
import type { BookTick, TradeTick } from "../../../market/tick-source.ts";
import type { SimulatedExchange } from "../exchange.ts";
import { decimalText, priceText, quantityText, volumeText } from "./decimals.ts";
import { barsOfStep, Klines } from "./klines.ts";
import { PublicBook } from "./public-book.ts";
import type { StreamHub } from "./stream-hub.ts";
import type { Json } from "./wire.ts";

const SECOND = 1000;
const HOUR = 3_600_000;
/** Binance's usual interval between fundings. */
export const FUNDING_INTERVAL = 8 * HOUR;
/** Trades that are still told, per symbol. */
const KEPT_TRADES = 1000;
const KEPT_FUNDINGS = 1000;

export interface PublicTrade {
  readonly id: number;
  readonly time: number;
  readonly price: number;
  readonly lots: number;
  readonly buyerIsMaker: boolean;
  /** "MARKET", or what kind of print it is that no order of the book stands behind. */
  readonly kind: "MARKET" | "INSURANCE_FUND" | "ADL";
}

export interface FundingRecord {
  readonly time: number;
  readonly rate: number;
  /** Ticks; 0 where it is not known. */
  readonly mark: number;
}

/** What the public knows of one symbol. */
export class PublicSymbol {
  readonly instrument: Instrument;
  readonly klines: Klines;
  readonly book: PublicBook;
  readonly trades: PublicTrade[] = [];
  readonly fundings: FundingRecord[] = [];
  /** Of the last trade or bar, ticks; 0 before the first. */
  last = 0;
  lastLots = 0;
  readonly #names = new Map<string, string>();

  constructor(instrument: Instrument, timeframe: number) {
    this.instrument = instrument;
    this.klines = new Klines(instrument, timeframe);
    this.book = new PublicBook(instrument);
  }

  /** "btcusdt@trade" of "trade". */
  stream(name: string): string {
    let stream = this.#names.get(name);
    if (stream === undefined) {
      stream = `${this.instrument.symbol.toLowerCase()}@${name}`;
      this.#names.set(name, stream);
    }
    return stream;
  }
}

const DEPTH_SPEEDS = ["", "@0ms", "@100ms", "@250ms", "@500ms"];
const PARTIAL_DEPTHS = [5, 10, 20];

/** Turns what happens in the market into the public's knowledge: books, trades, candles, tickers, marks. */
export class MarketFeed {
  readonly symbols: readonly PublicSymbol[];
  readonly bySymbol = new Map<string, number>();
  /** Late final klines and gaps of klines are made here. */
  klineFilter: ((symbol: number, interval: string, closed: boolean, publish: () => void) => void) | undefined;
  readonly #exchange: SimulatedExchange;
  readonly #hub: StreamHub;
  readonly #timeframe: number;
  readonly #spread: number;
  #trades = 0;

  constructor(exchange: SimulatedExchange, hub: StreamHub, timeframe: number, spread: number) {
    this.#exchange = exchange;
    this.#hub = hub;
    this.#timeframe = timeframe;
    this.#spread = spread;
    this.symbols = exchange.instruments.map((instrument) => new PublicSymbol(instrument, timeframe));
    for (const [index, { symbol }] of exchange.instruments.entries()) this.bySymbol.set(symbol, index);
  }

  /** Bars from before the beginning. */
  warm(step: BarStep): void {
    for (const bar of barsOfStep(step, this.#timeframe)) this.#close(bar);
    this.fundings(step);
  }

  /** Remembers the fundings of a step that begins; those that lie ahead are not told before their time. */
  fundings(step: BarStep): void {
    for (const { time, symbol, rate, mark } of step.funding) {
      const { fundings } = this.symbols[symbol]!;
      fundings.push({ time, rate, mark });
      if (fundings.length > KEPT_FUNDINGS) fundings.shift();
    }
  }

  /** Mark price in ticks. */
  mark(symbol: number): number {
    return this.#exchange.account.marks[symbol]! || this.symbols[symbol]!.last;
  }

  /** Rate of the newest funding up to a time, 1e-8. */
  fundingRate(symbol: number, time: number): number {
    const { fundings } = this.symbols[symbol]!;
    for (let index = fundings.length - 1; index >= 0; index--) {
      const funding = fundings[index]!;
      if (funding.time <= time) return funding.rate;
    }
    return 0;
  }

  trade({ symbol, time, price, lots, taker }: TradeTick): void {
    this.#print(symbol, time, price, lots, taker, "MARKET");
    const seen = this.symbols[symbol]!;
    seen.klines.trade(time, price);
    this.#tellKlines(seen, symbol, time, []);
  }

  /** A trade that no order of the book stands behind: it appears on the trade stream alone. */
  print(symbol: number, time: number, price: number, lots: number, kind: "INSURANCE_FUND" | "ADL"): void {
    this.#print(symbol, time, price, lots, 1, kind);
  }

  bookUpdate(tick: BookTick): void {
    const { symbol, time } = tick;
    const seen = this.symbols[symbol]!;
    const { first, before, bids, asks } = seen.book.apply(tick);
    const hub = this.#hub;
    const name = seen.instrument.symbol;
    for (const speed of DEPTH_SPEEDS) {
      const stream = seen.stream(`depth${speed}`);
      if (hub.isHeard(stream)) {
        const numbers = { U: first, u: seen.book.updateId, pu: before };
        const levels = { b: seen.book.json(bids), a: seen.book.json(asks) };
        hub.publish(stream, { e: "depthUpdate", E: time, T: time, s: name, ...numbers, ...levels, ps: name, st: 1 });
      }
      for (const count of PARTIAL_DEPTHS) {
        const partial = seen.stream(`depth${count}${speed}`);
        if (!hub.isHeard(partial)) continue;
        const numbers = { U: first, u: seen.book.updateId, pu: before };
        const levels = { b: seen.book.json(seen.book.bids(count)), a: seen.book.json(seen.book.asks(count)) };
        hub.publish(partial, { e: "depthUpdate", E: time, T: time, s: name, ...numbers, ...levels, ps: name, st: 1 });
      }
    }
    const stream = seen.stream("bookTicker");
    if (hub.isHeard(stream) || hub.isHeard("!bookTicker")) {
      const event = this.bookTicker(symbol, time);
      hub.publish(stream, event);
      hub.publish("!bookTicker", event);
    }
  }

  /**
   * Bars that closed together. Where bars are all there is, each also becomes one trade at its close and a book
   * around it.
   */
  close(bars: readonly BarEvent[], alone: boolean): void {
    for (const bar of bars) {
      const { symbol, time, close, volume } = bar;
      const seen = this.symbols[symbol]!;
      if (alone && volume > 0) {
        const taker = close >= bar.open ? 1 : -1;
        const depth = depthAt(seen.instrument, close);
        const levels = bookAround(close, taker, this.#spread, depth);
        this.bookUpdate({ kind: "book", time: time - 1, symbol, snapshot: true, ...levels });
        this.#print(symbol, time - 1, close, depth, taker, "MARKET");
      }
      this.#tellKlines(seen, symbol, time, this.#close(bar));
    }
    for (const { symbol, time } of bars) this.symbols[symbol]!.klines.begin(time);
  }

  /** What is sent every second of market time. */
  second(time: number): void {
    const hub = this.#hub;
    const third = time % (3 * SECOND) === 0;
    const all: { marks: Json[]; tickers: Json[]; minis: Json[] } = { marks: [], tickers: [], minis: [] };
    const wants = {
      marks: hub.isHeard("!markPrice@arr@1s") || (third && hub.isHeard("!markPrice@arr")),
      tickers: hub.isHeard("!ticker@arr"),
      minis: hub.isHeard("!miniTicker@arr"),
    };
    for (const [symbol, seen] of this.symbols.entries()) {
      if (seen.last === 0) continue;
      const fast = seen.stream("markPrice@1s");
      const slow = seen.stream("markPrice");
      const slowly = third && hub.isHeard(slow);
      if (wants.marks || slowly || hub.isHeard(fast)) {
        const event = this.markEvent(symbol, time);
        hub.publish(fast, event);
        if (slowly) hub.publish(slow, event);
        if (wants.marks) all.marks.push(event);
      }
      const ticker = seen.stream("ticker");
      const mini = seen.stream("miniTicker");
      if (wants.tickers || hub.isHeard(ticker)) {
        const event = this.tickerEvent(symbol, time, true);
        hub.publish(ticker, event);
        all.tickers.push(event);
      }
      if (wants.minis || hub.isHeard(mini)) {
        const event = this.tickerEvent(symbol, time, false);
        hub.publish(mini, event);
        all.minis.push(event);
      }
    }
    if (all.marks.length > 0) {
      hub.publish("!markPrice@arr@1s", all.marks);
      if (third) hub.publish("!markPrice@arr", all.marks);
    }
    if (wants.tickers) hub.publish("!ticker@arr", all.tickers);
    if (wants.minis) hub.publish("!miniTicker@arr", all.minis);
  }

  /** A position of ours that the exchange closed, as everyone sees it. */
  forced(symbol: number, time: number, side: string, lots: number, price: number): void {
    const { instrument } = this.symbols[symbol]!;
    const quantity = quantityText(instrument, lots);
    const at = priceText(instrument, price);
    const order = { s: instrument.symbol, S: side, o: "LIMIT", f: "IOC", q: quantity, p: at, ap: at, X: "FILLED" };
    const event = {
      e: "forceOrder",
      E: time,
      o: { ...order, l: quantity, z: quantity, T: time },
      ps: instrument.symbol,
      st: 1,
    };
    this.#hub.publish(this.symbols[symbol]!.stream("forceOrder"), event);
    this.#hub.publish("!forceOrder@arr", event);
  }

  bookTicker(symbol: number, time: number): { readonly [key: string]: Json } {
    const { book, instrument } = this.symbols[symbol]!;
    const [bid = [0, 0]] = book.bids(1);
    const [ask = [0, 0]] = book.asks(1);
    return {
      e: "bookTicker",
      u: book.updateId,
      s: instrument.symbol,
      ps: instrument.symbol,
      b: priceText(instrument, bid[0]),
      B: quantityText(instrument, bid[1]),
      a: priceText(instrument, ask[0]),
      A: quantityText(instrument, ask[1]),
      T: time,
      E: time,
      st: 1,
    };
  }

  markEvent(symbol: number, time: number): { readonly [key: string]: Json } {
    const { instrument } = this.symbols[symbol]!;
    const mark = markText(instrument, this.mark(symbol));
    return {
      e: "markPriceUpdate",
      E: time,
      s: instrument.symbol,
      p: mark,
      ap: mark,
      i: mark,
      P: mark,
      r: decimalText(this.fundingRate(symbol, time), 8),
      T: nextFunding(time),
      st: 1,
    };
  }

  /** Figures of the last 24 hours, as the ticker streams have them. */
  tickerEvent(symbol: number, time: number, full: boolean): { readonly [key: string]: Json } {
    const { instrument } = this.symbols[symbol]!;
    const day = this.day(symbol, time);
    const price = (ticks: number) => priceText(instrument, ticks);
    const prices = { c: price(day.close), o: price(day.open), h: price(day.high), l: price(day.low) };
    const volumes = { v: volumeText(instrument, day.volume), q: day.quote.toFixed(2) };
    const about = { E: time, s: instrument.symbol };
    if (!full) return { e: "24hrMiniTicker", ...about, ...prices, ...volumes, ps: instrument.symbol, st: 1 };
    return {
      e: "24hrTicker",
      ...about,
      p: price(day.close - day.open),
      P: day.percent,
      w: day.average,
      ...prices,
      Q: quantityText(instrument, this.symbols[symbol]!.lastLots),
      ...volumes,
      O: day.openTime,
      C: time,
      F: day.firstId,
      L: day.firstId + day.count,
      n: day.count,
      ps: instrument.symbol,
      st: 1,
    };
  }

  /** The last 24 hours out of hourly candles. */
  day(symbol: number, time: number) {
    const { klines, last, instrument } = this.symbols[symbol]!;
    const hours = (klines.series("1h") ?? []).filter(({ openTime }) => openTime > time - 24 * HOUR);
    const open = hours[0]?.open ?? last;
    const close = last;
    let [high, low, volume, quote, count] = [last, last, 0, 0, 0];
    for (const hour of hours) {
      if (hour.high > high) high = hour.high;
      if (hour.low < low) low = hour.low;
      volume += hour.volume;
      quote += hour.quote;
      count += hour.trades;
    }
    const percent = open === 0 ? "0.000" : (((close - open) / open) * 100).toFixed(3);
    const average = volume > 0 ? (quote / volume).toFixed(instrument.priceDecimals) : priceText(instrument, last);
    const openTime = hours[0]?.openTime ?? time;
    return { open, high, low, close, volume, quote, count, percent, average, openTime, firstId: 1 };
  }

  #close(bar: BarEvent): string[] {
    const seen = this.symbols[bar.symbol]!;
    seen.last = bar.close;
    return seen.klines.close(bar);
  }

  #print(symbol: number, time: number, price: number, lots: number, taker: 1 | -1, kind: PublicTrade["kind"]): void {
    const seen = this.symbols[symbol]!;
    const { instrument, trades } = seen;
    const id = ++this.#trades;
    trades.push({ id, time, price, lots, buyerIsMaker: taker < 0, kind });
    if (trades.length > KEPT_TRADES + KEPT_TRADES / 10) trades.splice(0, KEPT_TRADES / 10);
    const hub = this.#hub;
    const about = { E: time, T: time, s: instrument.symbol };
    const [p, q] = [priceText(instrument, price), quantityText(instrument, lots)];
    const single = seen.stream("trade");
    if (hub.isHeard(single)) {
      hub.publish(single, { e: "trade", ...about, t: id, p, q, X: kind, m: taker < 0, st: 1 });
    }
    if (kind !== "MARKET") return;
    seen.last = price;
    seen.lastLots = lots;
    const aggregate = seen.stream("aggTrade");
    if (!hub.isHeard(aggregate)) return;
    hub.publish(aggregate, { e: "aggTrade", ...about, a: id, p, q, nq: q, f: id, l: id, m: taker < 0, st: 1 });
  }

  /** Klines that closed, and the open ones of all intervals that somebody hears. */
  #tellKlines(seen: PublicSymbol, symbol: number, time: number, closed: readonly string[]): void {
    const hub = this.#hub;
    const { instrument, klines } = seen;
    for (const interval of klines.intervals) {
      const stream = seen.stream(`kline_${interval}`);
      const continuous = seen.stream(`continuousKline_${interval}`).replace("@", "_perpetual@");
      const heard = hub.isHeard(stream);
      if (!heard && !hub.isHeard(continuous)) continue;
      const series = klines.series(interval)!;
      const isClosed = closed.includes(interval);
      const kline = klines.event(interval, series[series.length - 1]!);
      const publish = () => {
        const { symbol: s } = instrument;
        const { t, T, ...rest } = kline;
        hub.publish(stream, { e: "kline", E: time, s, k: { t: t!, T: T!, s, ...rest } });
        hub.publish(continuous, { e: "continuous_kline", E: time, ps: s, ct: "PERPETUAL", k: kline });
      };
      if (this.klineFilter === undefined) publish();
      else this.klineFilter(symbol, interval, isClosed, publish);
    }
  }
}

/** Marks have eight places whatever the tick. */
export function markText(instrument: Instrument, ticks: number): string {
  const { tickUnits, priceDecimals } = instrument;
  const text = decimalText(ticks * tickUnits, priceDecimals);
  if (priceDecimals >= 8) return text;
  return priceDecimals === 0 ? `${text}.00000000` : text.padEnd(text.length + 8 - priceDecimals, "0");
}

export function nextFunding(time: number): number {
  return (Math.floor(time / FUNDING_INTERVAL) + 1) * FUNDING_INTERVAL;
}
