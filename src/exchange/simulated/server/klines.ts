import type { BarEvent } from "../../../core/events.ts";
import type { Instrument } from "../../../core/instrument.ts";
import { ABSENT, type BarStep, barEvent } from "../../../market/bar-source.ts";
import { priceText, volumeText } from "./decimals.ts";
import type { Json } from "./wire.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Intervals that can be asked for, ms. Weeks begin on Mondays; months are not served. */
export const INTERVALS: Readonly<Record<string, number>> = {
  "1m": MINUTE,
  "3m": 3 * MINUTE,
  "5m": 5 * MINUTE,
  "15m": 15 * MINUTE,
  "30m": 30 * MINUTE,
  "1h": HOUR,
  "2h": 2 * HOUR,
  "4h": 4 * HOUR,
  "6h": 6 * HOUR,
  "8h": 8 * HOUR,
  "12h": 12 * HOUR,
  "1d": DAY,
  "3d": 3 * DAY,
  "1w": 7 * DAY,
};
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY = 4 * DAY;

/** Bars kept per symbol and interval: a week of minutes, and all that one request may ask of longer ones. */
const KEPT = 10_080;
/** Trades of a bar are not known; so many are claimed per lot traded, at least one. */
const COUNTED_TRADES = 20;

/** One candle. Prices in ticks, volume in base units, quote volume in USDT. */
export interface Kline {
  readonly openTime: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  quote: number;
  trades: number;
  closed: boolean;
  /** A fault: it is missing for good. */
  lost?: boolean;
}

/** Candles of every served interval of one symbol, made of its base bars; the last one of each is still open. */
export class Klines {
  readonly #instrument: Instrument;
  readonly #base: number;
  readonly #series: Map<string, { readonly length: number; readonly klines: Kline[] }>;
  /** Price of a tick in USDT. */
  readonly #tick: number;

  constructor(instrument: Instrument, base: number) {
    this.#instrument = instrument;
    this.#base = base;
    this.#tick = Number(priceText(instrument, 1));
    this.#series = new Map();
    for (const [name, length] of Object.entries(INTERVALS)) {
      if (length >= base && length % base === 0) this.#series.set(name, { length, klines: [] });
    }
  }

  get intervals(): IterableIterator<string> {
    return this.#series.keys();
  }

  series(interval: string): readonly Kline[] | undefined {
    return this.#series.get(interval)?.klines;
  }

  /** A closed base bar. Returns the intervals of which a candle closed with it. */
  close(bar: BarEvent): string[] {
    const openTime = bar.time - this.#base;
    const quote = (bar.volume * this.#tick * (bar.high + bar.low + bar.close)) / 3;
    const closed: string[] = [];
    for (const [name, { length, klines }] of this.#series) {
      const start = startOf(openTime, length);
      let last = klines[klines.length - 1];
      if (last === undefined || last.openTime < start) {
        last = { openTime: start, open: bar.open, high: bar.high, low: bar.low, close: bar.close, ...EMPTY };
        append(klines, last);
      }
      // What formed out of trades gives way to the bar itself.
      if (length === this.#base) Object.assign(last, { open: bar.open, high: bar.high, low: bar.low, ...EMPTY });
      if (bar.high > last.high) last.high = bar.high;
      if (bar.low < last.low) last.low = bar.low;
      last.close = bar.close;
      last.volume += bar.volume;
      last.quote += quote;
      last.trades += bar.volume > 0 ? COUNTED_TRADES : 0;
      if (bar.time === start + length) {
        last.closed = true;
        closed.push(name);
      }
    }
    return closed;
  }

  /** A trade inside of the bar that forms: prices of all open candles follow it, volumes wait for the bar. */
  trade(time: number, price: number): void {
    for (const { length, klines } of this.#series.values()) {
      const start = startOf(time, length);
      const last = klines[klines.length - 1];
      if (last === undefined || last.openTime < start) {
        append(klines, { openTime: start, open: price, high: price, low: price, close: price, ...EMPTY });
        continue;
      }
      if (price > last.high) last.high = price;
      if (price < last.low) last.low = price;
      last.close = price;
    }
  }

  /** Opens the candles that begin at `time` at the last price, as a request at that moment shows them. */
  begin(time: number): void {
    for (const { length, klines } of this.#series.values()) {
      const last = klines[klines.length - 1];
      const start = startOf(time, length);
      if (last === undefined || last.openTime >= start) continue;
      const { close } = last;
      append(klines, { openTime: start, open: close, high: close, low: close, close, ...EMPTY });
    }
  }

  /** Loses the newest closed candle of an interval. */
  lose(interval: string): void {
    const kline = this.#series.get(interval)?.klines.findLast(({ closed }) => closed);
    if (kline !== undefined) kline.lost = true;
  }

  /** The row of a candle as REST gives it. */
  row(interval: string, kline: Kline): Json {
    const instrument = this.#instrument;
    const { openTime, open, high, low, close, volume, quote, trades } = kline;
    return [
      openTime,
      priceText(instrument, open),
      priceText(instrument, high),
      priceText(instrument, low),
      priceText(instrument, close),
      volumeText(instrument, volume),
      openTime + INTERVALS[interval]! - 1,
      quote.toFixed(5),
      trades,
      volumeText(instrument, volume / 2),
      (quote / 2).toFixed(5),
      "0",
    ];
  }

  /** The `k` of a kline event. */
  event(interval: string, kline: Kline): { readonly [key: string]: Json } {
    const instrument = this.#instrument;
    const { openTime, open, high, low, close, volume, quote, trades, closed } = kline;
    return {
      t: openTime,
      T: openTime + INTERVALS[interval]! - 1,
      i: interval,
      f: trades === 0 ? -1 : openTime / MINUTE,
      L: trades === 0 ? -1 : openTime / MINUTE + trades - 1,
      o: priceText(instrument, open),
      c: priceText(instrument, close),
      h: priceText(instrument, high),
      l: priceText(instrument, low),
      v: volumeText(instrument, volume),
      n: trades,
      x: closed,
      q: quote.toFixed(5),
      V: volumeText(instrument, volume / 2),
      Q: (quote / 2).toFixed(5),
      B: "0",
    };
  }
}

const EMPTY = { volume: 0, quote: 0, trades: 0, closed: false };

function startOf(time: number, length: number): number {
  if (length === 7 * DAY) return time - ((time - FIRST_MONDAY) % length);
  return time - (time % length);
}

function append(klines: Kline[], kline: Kline): void {
  klines.push(kline);
  if (klines.length > KEPT + KEPT / 10) klines.splice(0, KEPT / 10);
}

/** The bars of a step, one after the other. */
export function* barsOfStep(step: BarStep, timeframe: number): Generator<BarEvent> {
  for (let symbol = 0; symbol < step.status.length; symbol++) {
    if (step.status[symbol] !== ABSENT) yield barEvent(step, symbol, step.openTime + timeframe);
  }
}
