import type { Side } from "../../core/effects.ts";
import type { Leg } from "../../core/events.ts";
import type { Instrument } from "../../core/instrument.ts";
import { ABSENT, type BarStep, barEvent } from "../../market/bar-source.ts";
import { assumedContract } from "../../market/contract.ts";
import type { BookTick, Tick, TickSource, TradeTick } from "../../market/tick-source.ts";
import type { Venue, VenueEvent, VenueRequest } from "../exchange.ts";
import { type Account, type AccountModes, magnitude, type Position } from "./account.ts";
import { Costs } from "./costs.ts";
import { Desk, toNumber } from "./desk.ts";
import { accountAssumptions, type SimulatedExchange, type SimulatedExchangeOptions } from "./exchange.ts";
import { reached, tradedThrough } from "./matching.ts";
import { OrderBook } from "./order-book.ts";
import { isLimit, isStop, levelOf, type OpenOrder, trail } from "./orders.ts";

/**
 * A market that plays recorded trades and books. Takers walk the levels of the book as they stand when the request
 * arrives. A limit order waits behind everything that stood at its price when it came: trades at the price use that up
 * first, and levels that shrink below it do; of what is cancelled nothing is believed to have stood before us. A trade
 * beyond the price fills it whole. Conditional orders, liquidations and trailing stops follow the trades.
 *
 * Bars come out at their close, made of the same trades.
 *
 * @throws RangeError when an option lies outside of its range.
 */
export function createTickExchange(source: TickSource, options: SimulatedExchangeOptions): SimulatedExchange {
  return new TickExchange(source, options);
}

class TickExchange implements SimulatedExchange {
  readonly venue: Venue = "simulated";
  readonly instruments: readonly Instrument[];
  readonly assumptions: readonly string[];
  readonly #source: TickSource;
  readonly #desk: Desk;
  readonly #books: readonly OrderBook[];
  readonly #opposite: (symbol: number, side: Side) => number;
  readonly #deleveraged = new Set<number>();
  readonly #fundingOn: boolean;
  #tick: Tick | undefined;
  #step: BarStep | undefined;
  /** Funding of the step that is done. */
  #funded = 0;

  constructor(source: TickSource, options: SimulatedExchangeOptions) {
    const { instruments } = source;
    this.instruments = instruments;
    this.#source = source;
    this.#fundingOn = options.fundingOn;
    const costs = new Costs(options);
    this.#desk = new Desk(instruments, source.contracts ?? instruments.map(assumedContract), costs, options);
    this.#books = instruments.map(() => new OrderBook());
    this.#opposite = (symbol, side) => this.#books[symbol]!.best(side);
    this.assumptions = [
      ...accountAssumptions(source, options),
      "fills by recorded trades and book: takers walk its levels, limits wait behind what stood at their price",
      "what we take is missing from the book only until its next update, and moves nobody else",
      "mark prices: the traded ones, because the recording has no marks",
    ];
    this.#step = source.step();
    this.#tick = source.tick();
    // What was before the first bar only builds the book.
    while (this.#tick !== undefined && this.#tick.time < (this.#step?.openTime ?? Number.POSITIVE_INFINITY)) {
      if (this.#tick.kind === "book") this.#books[this.#tick.symbol]!.apply(this.#tick);
      this.#tick = source.tick();
    }
  }

  get ended(): boolean {
    const { known, unsettled } = this.#desk;
    return this.#step === undefined && known.length === 0 && !unsettled;
  }

  get wallet(): bigint {
    return this.#desk.account.wallet;
  }

  get available(): bigint {
    return this.#desk.account.available;
  }

  get insuranceFund(): bigint {
    return this.#desk.insuranceFund;
  }

  get positions(): readonly Readonly<Position>[] {
    return this.#desk.account.positions;
  }

  get openOrders(): readonly number[] {
    return this.#desk.openOrders;
  }

  marginRatio(symbol: number, leg: Leg): number {
    return this.#desk.account.marginRatio(symbol, leg);
  }

  deleverage(symbol: number, leg: Leg): void {
    this.#deleveraged.add(this.#desk.account.slotOf(symbol, leg));
  }

  get account(): Account {
    return this.#desk.account;
  }

  get lastPrices(): Readonly<Float64Array> {
    return this.#desk.last;
  }

  setModes(modes: AccountModes): boolean {
    return this.#desk.setModes(modes);
  }

  boundFills(bound: ((order: number, remaining: number) => number) | undefined): void {
    this.#desk.bound = bound;
  }

  settled(): VenueEvent[] {
    return this.#desk.known.splice(0);
  }

  happening(until: number): VenueEvent[] {
    const first = this.next(until);
    return first === undefined ? [] : [first, ...this.settled()];
  }

  /** Ticks after the last whole bar are not played: nothing could be decided on them. */
  next(until: number): VenueEvent | undefined {
    const { known } = this.#desk;
    for (;;) {
      const head = known[0];
      if (head !== undefined) return head.time <= until ? known.shift() : undefined;
      if (this.#desk.unsettled) {
        this.#desk.endStranded();
        continue;
      }
      const step = this.#step;
      if (step === undefined) return undefined;
      const close = step.openTime + this.#source.timeframe;
      const tick = this.#tick;
      const funding = this.#fundingOn ? step.funding[this.#funded] : undefined;
      if (funding !== undefined && funding.time < close && (tick === undefined || tick.time >= funding.time)) {
        if (funding.time > until) return undefined;
        this.#funded++;
        this.#fund(funding);
        continue;
      }
      if (tick === undefined || tick.time >= close) {
        if (close > until) return undefined;
        for (let symbol = 0; symbol < this.instruments.length; symbol++) {
          if (step.status[symbol] !== ABSENT) this.#desk.emit(barEvent(step, symbol, close));
        }
        this.#step = this.#source.step();
        this.#funded = 0;
        for (const symbol of this.#step?.delisted ?? []) this.#delist(symbol, close);
        continue;
      }
      if (tick.time > until) return undefined;
      this.#tick = this.#source.tick();
      if (tick.kind === "book") this.#onBook(tick);
      else this.#onTrade(tick);
    }
  }

  send(request: VenueRequest, now: number): void {
    const close = this.#step === undefined ? now : this.#step.openTime + this.#source.timeframe;
    const next = this.#tick === undefined || this.#tick.time > close ? close : this.#tick.time;
    const time = now < next ? now : next;
    const order = this.#desk.take(request, time, this.#opposite);
    if (order === undefined || order.state === "conditional") return;
    this.#arrive(order, this.#desk.at(time));
  }

  /** At the mark that the source gives, or at the latest one; an event only where a position exchanges it. */
  #fund({ symbol, rate, time, mark: given }: BarStep["funding"][number]): void {
    const { account } = this.#desk;
    const mark = given > 0 ? given : account.marks[symbol]!;
    let held = false;
    let amount = 0n;
    for (let slot = account.slotOf(symbol, "long"); slot <= account.slotOf(symbol, "short"); slot++) {
      if (account.positions[slot]!.lots === 0) continue;
      held = true;
      amount += account.fund(slot, rate, mark);
    }
    if (!held) return;
    this.#desk.emit({ kind: "funding", time: this.#desk.at(time), symbol, rate, mark, amount: toNumber(amount) });
  }

  /** A symbol that stops trading closes its positions at the last price and ends its orders. */
  #delist(symbol: number, time: number): void {
    const { account, listed, last } = this.#desk;
    if (!listed[symbol]) return;
    listed[symbol] = false;
    for (let slot = account.slotOf(symbol, "long"); slot <= account.slotOf(symbol, "short"); slot++) {
      if (account.positions[slot]!.lots !== 0) this.#desk.liquidate(slot, "delisted", last[symbol]!, time);
      this.#desk.endAll(slot, time, "the symbol stopped trading");
    }
    this.#desk.emit({ kind: "listing", time: this.#desk.at(time), symbol, listed: false });
  }

  #onBook(tick: BookTick): void {
    const book = this.#books[tick.symbol]!;
    book.apply(tick);
    const { account, orders } = this.#desk;
    for (let slot = account.slotOf(tick.symbol, "long"); slot <= account.slotOf(tick.symbol, "short"); slot++) {
      for (const order of orders[slot]!) {
        if (order.state !== "resting") continue;
        const waiting = book.lotsAt(order.request.side, order.request.price);
        if (waiting < order.ahead) order.ahead = waiting;
      }
    }
  }

  #onTrade(trade: TradeTick): void {
    const { symbol, price, time, mark = price } = trade;
    const { account, orders, last, listed } = this.#desk;
    last[symbol] = price;
    account.marks[symbol] = mark;
    if (!listed[symbol]) {
      listed[symbol] = true;
      this.#desk.emit({ kind: "listing", time: this.#desk.at(time), symbol, listed: true });
    }
    for (let slot = account.slotOf(symbol, "long"); slot <= account.slotOf(symbol, "short"); slot++) {
      if (!this.#desk.isInvolved(slot)) continue;
      if (this.#deleveraged.delete(slot) && account.positions[slot]!.lots !== 0) {
        this.#desk.liquidate(slot, "adl", price, time);
      }
      if (account.liquidationLevel(slot, mark, mark) !== undefined) this.#liquidate(slot, time);
      let taken = 0;
      for (const order of orders[slot]!.slice()) {
        if (order.state === "conditional") {
          this.#onPrice(order, order.request.workingType === "mark" ? mark : price, time);
        } else if (order.state === "resting") {
          taken += this.#onQueue(order, trade, taken);
        }
      }
    }
    this.#desk.emit({
      kind: "tick",
      time: this.#desk.at(time),
      symbol,
      first: price,
      high: price,
      low: price,
      last: price,
    });
  }

  #onPrice(order: OpenOrder, price: number, time: number): void {
    const { side, type } = order.request;
    const level = levelOf(order);
    const acts = isStop(type) ? reached(side, level, price) : reached(side > 0 ? -1 : 1, level, price);
    if (!acts) {
      trail(order, price);
      return;
    }
    this.#desk.triggered(order, time);
    order.state = isLimit(type) ? "arriving" : "market";
    this.#arrive(order, time);
  }

  /**
   * What a trade does to a waiting limit order, after older orders of ours took some of it; returns the lots of the
   * trade that it took for itself.
   */
  #onQueue(order: OpenOrder, { price, taker, lots, time }: TradeTick, taken: number): number {
    const { side, price: limit } = order.request;
    if (tradedThrough(side > 0 ? -1 : 1, limit, price)) {
      return this.#desk.execute(order, limit, true, time, Number.MAX_SAFE_INTEGER);
    }
    if (price !== limit || taker === side) return 0;
    // Ours at the same price stand in the same queue: what they took did not come out of those ahead of all of us.
    const beyond = lots - taken - order.ahead;
    order.ahead = beyond > 0 ? 0 : -beyond;
    return beyond > 0 ? this.#desk.execute(order, limit, true, time, beyond) : 0;
  }

  /** An order takes what the book has for it; of a limit order the rest waits, of any other it ends. */
  #arrive(order: OpenOrder, time: number): void {
    const { request } = order;
    const { side, symbol, timeInForce } = request;
    const book = this.#books[symbol]!;
    const limited = isLimit(request.type);
    const limit = limited ? request.price : side * Number.POSITIVE_INFINITY;
    const crossing = reached(side, book.best(side), limit);
    if (limited && timeInForce === "post-only" && crossing) {
      this.#desk.end(order, time, "expired", -5022, `post-only order would trade at ${book.best(side)} at once`);
      return;
    }
    if (limited && timeInForce === "fok" && book.depth(side, limit) < order.remaining) {
      this.#desk.end(order, time, "expired", -5021, "the book holds too little for all of it");
      return;
    }
    if (crossing) this.#walk(order, limit, time);
    if (order.state === "ended") return;
    if (limited && (timeInForce === "gtc" || timeInForce === "post-only")) {
      order.state = "resting";
      order.ahead = book.lotsAt(side, limit);
      return;
    }
    this.#desk.end(order, time, "expired", timeInForce === "fok" ? -5021 : 0, "the book holds no more for it");
  }

  #walk(order: OpenOrder, limit: number, time: number): void {
    const { side, symbol } = order.request;
    const book = this.#books[symbol]!;
    const waiting: Side = side > 0 ? -1 : 1;
    while (order.state !== "ended") {
      const price = book.best(side);
      const lots = Number.isFinite(price) && price > 0 ? book.lotsAt(waiting, price) : 0;
      if (lots === 0 || !reached(side, price, limit)) return;
      const filled = this.#desk.execute(order, price, false, time, lots);
      if (filled === 0) return;
      book.take(waiting, price, filled);
    }
  }

  /** Closes at the best price of the book; what is beyond it or the bankruptcy price is the insurance fund's. */
  #liquidate(slot: number, time: number): void {
    const { account } = this.#desk;
    const { lots } = account.positions[slot]!;
    const symbol = account.symbolOf(slot);
    const side: Side = lots > 0 ? -1 : 1;
    const book = this.#books[symbol]!;
    const best = book.best(side);
    const enough = Number.isFinite(best) && best > 0 && book.lotsAt(lots > 0 ? 1 : -1, best) >= magnitude(lots);
    const market = enough ? best : lots > 0 ? 1 : this.#desk.last[symbol]! * 4;
    const price = account.boundedByBankruptcy(slot, market);
    this.#desk.liquidate(slot, "liquidation", price, time, enough ? market : price);
    this.#desk.endAll(slot, time, "the position was liquidated");
  }
}
