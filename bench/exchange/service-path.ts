/** The way of a market message through the service to an order, put together as a live run does it. */
import type { Effect } from "../../src/core/effects.ts";
import type { Event } from "../../src/core/events.ts";
import { BinanceExchange } from "../../src/exchange/binance/exchange.ts";
import type { Gateway } from "../../src/exchange/binance/gateway.ts";
import type { Kline } from "../../src/exchange/binance/market-message.ts";
import { JournalWriter } from "../../src/journal/writer.ts";
import { Trader } from "../../src/service/trader.ts";
import { Bench, instrument, LEFT_ALONE, MINUTE } from "../../tests/core/core-fixture.ts";
import { someHeader } from "../../tests/journal/arbitrary.ts";

/** Moments of the way, in their order. */
export const STAGES = [
  "message arrives",
  "decoded",
  "event journaled",
  "core has decided",
  "intent journaled",
  "order made",
  "request written and signed",
  "handed to the socket",
] as const;
export type Stage = (typeof STAGES)[number];

export interface ServicePathOptions {
  readonly symbols: readonly string[];
  readonly gateway: Gateway;
  readonly journal: string;
  readonly at: (stage: Stage) => void;
}

/**
 * A position of the first symbol whose stop follows the close of every bar: each bar brings a new stop order, and its
 * acknowledgement the cancellation of the old one.
 */
export class ServicePath {
  readonly exchange: BinanceExchange;
  readonly trader: Trader;
  /** Opening time and close of the next bar that moves the stop. */
  next: { readonly openTime: number; readonly close: number };
  #pumping = false;
  #due: number;

  constructor({ symbols, gateway, journal: path, at }: ServicePathOptions) {
    const instruments = symbols.map(instrument);
    const life = { ...LEFT_ALONE, trailFrom: 0.1, trailDistance: 1 };
    const bench = new Bench({ instruments, life });
    bench.protectedPosition();
    const { state } = bench;
    this.#due = bench.now;
    this.next = { openTime: bench.now, close: 1001 };
    this.exchange = new BinanceExchange({
      gateway,
      instruments,
      hedge: false,
      epoch: 1,
      clock: () => state.now,
      foreign: "ignore",
      adoptedStop: 0.02,
      wallet: () => state.ledger.balances.wallet,
      notice: () => {},
      trustsStops: true,
    });
    // The books are those of the fixture, so that what is said about entries while they are not compared is passed over.
    while (this.exchange.next(Number.POSITIVE_INFINITY) !== undefined);
    const journal = new JournalWriter(
      path,
      { ...someHeader({ instruments }), effects: "orders", bars: "stored" },
      "intent",
    );
    const timed = {
      event: (event: Event) => {
        journal.event(event);
        at("event journaled");
      },
      effectsOfStep: (effects: readonly Effect[], from: number, to: number) => {
        at("core has decided");
        journal.effectsOfStep(effects, from, to);
        at("intent journaled");
      },
    } as JournalWriter;
    this.trader = new Trader({
      state,
      exchange: this.exchange,
      journal: timed,
      onRecord: () => {},
      onNotice: () => {},
    });
    this.exchange.onWake(() => this.#wake());
  }

  /** A closed bar has come in. */
  bar(symbol: number, kline: Kline): void {
    const ticks = (price: number) => Math.round(price * 10);
    const { openTime, open, high, low, close, volume } = kline;
    this.#due = openTime + MINUTE;
    const prices = { open: ticks(open), high: ticks(high), low: ticks(low), close: ticks(close) };
    this.exchange.market({ kind: "bar", time: openTime + MINUTE, symbol, ...prices, volume, flat: false });
  }

  /** Goes on to the next bar. 0.1 R is 10 ticks, and the stop makes no smaller moves. */
  advance(): void {
    const { openTime, close } = this.next;
    this.next = { openTime: openTime + MINUTE, close: close + 2 };
  }

  /** A live run's loop waits for a promise, too. */
  #wake(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    void Promise.resolve().then(() => {
      this.#pumping = false;
      while (this.trader.take(this.#due) !== undefined);
    });
  }
}
