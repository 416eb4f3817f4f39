import type { OrderRequest } from "../../core/effects.ts";
import type { Answer, BarEvent, LiquidationCause } from "../../core/events.ts";
import type { Instrument } from "../../core/instrument.ts";
import { ABSENT, type BarSource, type BarStep, barEvent, REAL } from "../../market/bar-source.ts";
import type { Exchange, Venue, VenueEvent, VenueRequest } from "../exchange.ts";
import { Account, exactNotional, type Position } from "./account.ts";
import { type CostOptions, Costs, ceilDivide } from "./costs.ts";
import { bankrupt, firstOnPath, gappedStop, gappedTarget, levelOf, reached } from "./matching.ts";
import { crosses, type OpenOrder, onlyReduces, refusalOf, valuationPrice } from "./orders.ts";

export interface SimulatedExchangeOptions extends CostOptions {
  /** Wallet at the start, 1e-8 USDT. */
  readonly balance: number;
  /** Whether positions exchange funding at the times that the source gives. */
  readonly fundingOn: boolean;
  /** Leverage of an opening order that names none (0). Integer of at least 1. */
  readonly leverage: number;
}

export interface SimulatedExchange extends Exchange {
  /** What the simulation takes for granted, in words for the report; the source's own assumptions not included. */
  readonly assumptions: readonly string[];
  /** The exchange's own books in 1e-8 USDT, by symbol index: to be compared with the trader's ledger. */
  readonly wallet: bigint;
  readonly available: bigint;
  readonly positions: readonly Readonly<Position>[];
  /** Ids of the orders that have not ended, by symbol and age. */
  readonly openOrders: readonly number[];
}

/**
 * A market that plays bars and fills orders on them. It begins with the source's next step, so a caller may have
 * taken earlier ones for warm-up.
 *
 * A step of bars [t, t + timeframe) becomes, in this order:
 *
 * 1. Listings at t. A symbol that stops trading first closes its position at the last price and ends its orders.
 * 2. Funding at t.
 * 3. The open, at t: positions and stops that the price jumped over, then waiting market orders, then limits.
 * 4. Funding inside of the bar, then the inside of the bar at t + timeframe − 1: for each symbol the price goes from
 *    the open to the side that hurts the position, then to the other one (without a position: low, then high).
 * 5. The bars, at t + timeframe. The next step's events at that same time come after them, because what is decided on
 *    the bars must be able to reach the next open.
 *
 * Each happening is worked out when it is taken. A request takes part in the next phase that has not begun: orders
 * that arrive while the open is worked out wait inside of the same bar, market orders wait for the next open.
 * Nothing fills in a bar without volume.
 *
 * @throws RangeError when an option lies outside of its range.
 */
export function createSimulatedExchange(source: BarSource, options: SimulatedExchangeOptions): SimulatedExchange {
  return new BarExchange(source, options);
}

type Phase = "idle" | "listing" | "funding" | "open" | "funding-inside" | "inside" | "bars" | "over";

const NO_STEP: BarStep = {
  openTime: Number.NEGATIVE_INFINITY,
  status: new Uint8Array(0),
  open: new Float64Array(0),
  high: new Float64Array(0),
  low: new Float64Array(0),
  close: new Float64Array(0),
  volume: new Float64Array(0),
  listed: [],
  delisted: [],
  funding: [],
};

class BarExchange implements SimulatedExchange {
  readonly venue: Venue = "simulated";
  readonly instruments: readonly Instrument[];
  readonly assumptions: readonly string[];
  readonly #source: BarSource;
  readonly #costs: Costs;
  readonly #account: Account;
  readonly #fundingOn: boolean;
  readonly #defaultLeverage: number;

  /** Events that are worked out and not taken yet, in order of time. */
  readonly #known: VenueEvent[] = [];
  /** Time of the newest event that was worked out. */
  #clock = Number.NEGATIVE_INFINITY;
  #phase: Phase = "idle";
  /** Next symbol of the phase. */
  #cursor = 0;
  #fundingCursor = 0;
  #step: BarStep = NO_STEP;
  #funding: BarStep["funding"] = [];
  #stepNumber = 0;
  /** The first steps whose open and whose intrabar phase have not begun. */
  #nextOpen = 1;
  #nextInside = 1;
  /** Where the price of the symbol at the cursor is going inside of its bar; 0 before it moves. */
  #path: 1 | -1 | 0 = 0;
  #pathTurned = false;
  #openedInside = false;

  readonly #listed: boolean[];
  readonly #last: Float64Array;
  readonly #orders: OpenOrder[][];
  /** Lots that may still be filled in the step of which the number stands beside it. */
  readonly #fillable: Float64Array;
  readonly #fillableOf: Float64Array;
  /** Every id ever sent: one is never used again, whatever became of its order. */
  readonly #ids = new Set<number>();
  /** Symbols whose position became smaller or turned, so that reducing orders may have lost their object. */
  readonly #reduced: number[] = [];
  #trades = 0;

  constructor(source: BarSource, options: SimulatedExchangeOptions) {
    if (!Number.isSafeInteger(options.balance) || options.balance < 0) {
      throw new RangeError(`simulated exchange: balance is ${options.balance}; allowed is a whole number from 0`);
    }
    if (!Number.isInteger(options.leverage) || options.leverage < 1) {
      throw new RangeError(`simulated exchange: leverage is ${options.leverage}; allowed is a whole number from 1`);
    }
    const count = source.instruments.length;
    this.instruments = source.instruments;
    this.assumptions = assumptionsOf(options);
    this.#source = source;
    this.#costs = new Costs(options);
    this.#account = new Account(source.instruments, BigInt(options.balance));
    this.#fundingOn = options.fundingOn;
    this.#defaultLeverage = options.leverage;
    this.#listed = new Array(count).fill(false);
    this.#last = new Float64Array(count);
    this.#orders = Array.from({ length: count }, () => []);
    this.#fillable = new Float64Array(count);
    this.#fillableOf = new Float64Array(count);
  }

  get ended(): boolean {
    return this.#phase === "over" && this.#known.length === 0 && this.#reduced.length === 0;
  }

  get wallet(): bigint {
    return this.#account.wallet;
  }

  get available(): bigint {
    return this.#account.available;
  }

  get positions(): readonly Readonly<Position>[] {
    return this.#account.positions;
  }

  get openOrders(): readonly number[] {
    return this.#orders.flatMap((orders) => orders.map((order) => order.request.id));
  }

  next(until: number): VenueEvent | undefined {
    for (;;) {
      const head = this.#known[0];
      if (head !== undefined) return head.time <= until ? this.#known.shift() : undefined;
      // Only now, with the fill taken, so that the trader's own cancels of the other exits came first.
      if (this.#reduced.length > 0) {
        this.#endStranded();
        continue;
      }
      if (this.#phase === "idle") this.#load();
      if (this.#phase === "over" || this.#phaseTime() > until) return undefined;
      if (this.#phase === "bars") {
        const bar = this.#nextBar();
        if (bar !== undefined) return bar;
        this.#phase = "idle";
      } else {
        this.#advance();
      }
    }
  }

  send(request: VenueRequest, now: number): void {
    // Nothing that is still to come may be overtaken, or time would go back.
    const latest = this.#phaseTime();
    const time = Math.min(now, latest);
    if (request.kind === "submit") this.#submit(request.order, time);
    else this.#cancel(request.order, request.symbol, time);
  }

  #load(): void {
    // Asked before the step is taken: the source writes the next one into the buffers of the last.
    const lastClose = this.#closeTime();
    const step = this.#source.step();
    if (step === undefined) {
      this.#phase = "over";
      return;
    }
    if (step.openTime < lastClose) throw new Error(`step at ${step.openTime} opens before the last one closed`);
    this.#step = step;
    this.#stepNumber++;
    this.#funding = step.funding.length > 1 ? step.funding.toSorted(byTimeAndSymbol) : step.funding;
    this.#fundingCursor = 0;
    this.#phase = "listing";
    this.#cursor = 0;
  }

  #closeTime(): number {
    return this.#step.openTime + this.#source.timeframe;
  }

  /** Earliest time of what the present phase still holds. */
  #phaseTime(): number {
    switch (this.#phase) {
      case "listing":
      case "funding":
      case "open":
        return this.#step.openTime;
      case "funding-inside":
        return this.#funding[this.#fundingCursor]?.time ?? this.#step.openTime;
      case "inside":
        return this.#closeTime() - 1;
      case "bars":
        return this.#closeTime();
      case "idle":
        // Before the first step nothing is known to come, so nothing can be overtaken.
        return this.#step === NO_STEP ? Number.POSITIVE_INFINITY : this.#closeTime();
      case "over":
        return Number.POSITIVE_INFINITY;
    }
  }

  /** Works out the next happening of the phase, or goes on to the next phase. */
  #advance(): void {
    const count = this.instruments.length;
    switch (this.#phase) {
      case "listing":
        while (this.#cursor < count) if (this.#changeListing(this.#cursor++)) return;
        this.#phase = "funding";
        return;
      case "funding":
        while (
          this.#fundingCursor < this.#funding.length &&
          this.#funding[this.#fundingCursor]!.time <= this.#step.openTime
        ) {
          if (this.#fund(this.#funding[this.#fundingCursor++]!)) return;
        }
        this.#phase = "open";
        this.#nextOpen = this.#stepNumber + 1;
        this.#cursor = 0;
        this.#setLast(this.#step.open);
        return;
      case "open":
        while (this.#cursor < count) {
          if (this.#isInvolved(this.#cursor) && this.#openOf(this.#cursor)) return;
          this.#cursor++;
        }
        this.#phase = "funding-inside";
        return;
      case "funding-inside":
        if (this.#fundingCursor < this.#funding.length) {
          this.#fund(this.#funding[this.#fundingCursor++]!);
          return;
        }
        this.#phase = "inside";
        this.#cursor = 0;
        this.#path = 0;
        return;
      case "inside":
        if (this.#nextInside === this.#stepNumber) {
          this.#nextInside = this.#stepNumber + 1;
          // What is sent from here on is sent in the bar's last millisecond, at its close.
          this.#setLast(this.#step.close);
        }
        while (this.#cursor < count) {
          if (this.#isInvolved(this.#cursor) && this.#insideOf(this.#cursor)) return;
          this.#cursor++;
          this.#path = 0;
        }
        this.#phase = "bars";
        this.#cursor = 0;
        return;
    }
  }

  #isInvolved(symbol: number): boolean {
    return this.#orders[symbol]!.length > 0 || this.#account.positions[symbol]!.lots !== 0;
  }

  #setLast(prices: Float64Array): void {
    const { status } = this.#step;
    for (let symbol = 0; symbol < status.length; symbol++) {
      if (status[symbol] !== ABSENT) this.#last[symbol] = prices[symbol]!;
    }
  }

  #nextBar(): BarEvent | undefined {
    const { status } = this.#step;
    while (this.#cursor < status.length) {
      const symbol = this.#cursor++;
      if (status[symbol] === ABSENT) continue;
      this.#clock = this.#closeTime();
      return barEvent(this.#step, symbol, this.#clock);
    }
    return undefined;
  }

  /** A symbol that is there counts as listed even if its listing fell into a warm-up that the caller took. */
  #changeListing(symbol: number): boolean {
    const { status, delisted, openTime } = this.#step;
    if (this.#listed[symbol]) {
      if (delisted.length === 0 || !delisted.includes(symbol)) return false;
      this.#listed[symbol] = false;
      if (this.#account.positions[symbol]!.lots !== 0) this.#liquidate(symbol, "delisted", this.#last[symbol]!);
      this.#endAll(symbol, openTime, "the symbol stopped trading");
      this.#emit({ kind: "listing", time: this.#at(openTime), symbol, listed: false });
      // A symbol that comes back in the very step of its delisting is picked up here.
      if (status[symbol] === ABSENT || !this.#step.listed.includes(symbol)) return true;
    } else if (status[symbol] === ABSENT) {
      return false;
    }
    this.#listed[symbol] = true;
    this.#last[symbol] = this.#step.open[symbol]!;
    this.#emit({ kind: "listing", time: this.#at(openTime), symbol, listed: true });
    return true;
  }

  /** Funding is an event only where a position exchanges it, as on the real exchange. */
  #fund(funding: BarStep["funding"][number]): boolean {
    const { symbol, rate, time } = funding;
    if (!this.#fundingOn || this.#account.positions[symbol]!.lots === 0) return false;
    const present = this.#step.status[symbol] !== ABSENT;
    const mark = funding.mark > 0 ? funding.mark : present ? this.#step.open[symbol]! : this.#last[symbol]!;
    const amount = toNumber(this.#account.fund(symbol, rate, mark));
    this.#emit({ kind: "funding", time: this.#at(time), symbol, rate, mark, amount });
    return true;
  }

  #hasTrades(symbol: number): boolean {
    return this.#step.status[symbol] === REAL && this.#step.volume[symbol]! > 0;
  }

  /** Lots that this bar's volume still allows. */
  #fillableIn(symbol: number): number {
    if (this.#fillableOf[symbol] !== this.#stepNumber) {
      this.#fillableOf[symbol] = this.#stepNumber;
      this.#fillable[symbol] = this.#hasTrades(symbol)
        ? this.#costs.fillableLots(this.instruments[symbol]!, this.#step.volume[symbol]!)
        : 0;
    }
    return this.#fillable[symbol]!;
  }

  /** The next thing that happens to a symbol at the open; false when there is nothing more. */
  #openOf(symbol: number): boolean {
    const step = this.#stepNumber;
    const orders = this.#orders[symbol]!;
    const position = this.#account.positions[symbol]!;
    const open = this.#step.open[symbol]!;
    const time = this.#step.openTime;
    const trades = this.#hasTrades(symbol);
    if (trades) {
      if (bankrupt(position, open)) {
        this.#liquidate(symbol, "liquidation", position.bankruptcy);
        this.#endAll(symbol, time, "the position was liquidated");
        return true;
      }
      const stop = gappedStop(orders, step, open);
      if (stop !== undefined) {
        this.#trigger(stop, open, time);
        return true;
      }
    }
    for (const order of orders) {
      if (order.openFrom > step || (order.state !== "market" && order.state !== "arriving")) continue;
      if (order.state === "market") this.#fillAtMarket(order, open, time);
      else if (trades || order.request.timeInForce !== "gtc") this.#arrive(order, open, time, trades);
      else order.openFrom = step + 1;
      return true;
    }
    if (!trades) return false;
    const target = gappedTarget(orders, step, open);
    if (target === undefined) return false;
    // The price jumped over the order; taking the order's own price is the careful half of what may have happened.
    if (target.state === "conditional") this.#trigger(target, target.request.trigger, time);
    else if (this.#fillableIn(symbol) > 0) this.#execute(target, target.request.price, true, time);
    else return false;
    return true;
  }

  /** The next thing that happens to a symbol inside of its bar; false when there is nothing more. */
  #insideOf(symbol: number): boolean {
    if (!this.#hasTrades(symbol)) return false;
    const orders = this.#orders[symbol]!;
    const position = this.#account.positions[symbol]!;
    const time = this.#closeTime() - 1;
    const bar = { open: this.#step.open[symbol]!, high: this.#step.high[symbol]!, low: this.#step.low[symbol]! };
    if (this.#path === 0) {
      this.#path = position.lots < 0 ? 1 : -1;
      this.#pathTurned = false;
      this.#openedInside = false;
    }
    for (;;) {
      const limitsFill = this.#fillableIn(symbol) > 0;
      const first = firstOnPath(this.#path, bar, position, orders, this.#stepNumber, limitsFill, this.#openedInside);
      if (first === undefined) {
        if (this.#pathTurned) return false;
        this.#pathTurned = true;
        this.#path = this.#path > 0 ? -1 : 1;
        continue;
      }
      const before = position.lots;
      if (first.kind === "bankruptcy") {
        this.#liquidate(symbol, "liquidation", position.bankruptcy);
        this.#endAll(symbol, time, "the position was liquidated");
      } else if (first.order.state === "conditional") {
        const { type, side, trigger } = first.order.request;
        const worse = type === "stop-market" && reached(side, trigger, bar.open) ? bar.open : trigger;
        this.#trigger(first.order, worse, time);
      } else {
        this.#execute(first.order, levelOf(first.order), true, time);
      }
      if (position.lots !== 0 && before * position.lots <= 0) this.#openedInside = true;
      return true;
    }
  }

  #trigger(order: OpenOrder, reference: number, time: number): void {
    this.#answer(order.request, time, "triggered", 0, "");
    order.state = "market";
    this.#fillAtMarket(order, reference, time);
  }

  /** Takes what the bar's volume allows. What is left of an exit goes on at the next open, of an entry it expires. */
  #fillAtMarket(order: OpenOrder, reference: number, time: number): void {
    const { side, symbol } = order.request;
    order.openFrom = this.#stepNumber + 1;
    if (this.#execute(order, this.#costs.takerPrice(side, reference), false, time)) return;
    if (this.#opposed(order) === 0) this.#end(order, time, "expired", 0, this.#thinness(symbol));
  }

  #thinness(symbol: number): string {
    return this.#hasTrades(symbol) ? "the bar's volume allowed no more" : "nothing was traded in this bar";
  }

  /** A limit order that met the market, or wants all or nothing, has its one chance to take liquidity at this open. */
  #arrive(order: OpenOrder, open: number, time: number, trades: boolean): void {
    const { side, price, symbol, timeInForce } = order.request;
    const taken = this.#costs.takerPrice(side, open);
    const acceptable = trades && (price - taken) * side >= 0;
    order.state = "resting";
    order.openFrom = this.#stepNumber + 1;
    if (timeInForce === "fok" && acceptable && this.#fillableIn(symbol) < order.remaining) {
      this.#end(order, time, "expired", -5021, this.#thinness(symbol));
      return;
    }
    if (acceptable && this.#execute(order, taken, false, time)) return;
    if (timeInForce === "gtc") return;
    const reason = acceptable || !trades ? this.#thinness(symbol) : `the market at ${taken} is beyond the limit`;
    this.#end(order, time, "expired", timeInForce === "fok" ? -5021 : 0, reason);
  }

  /** Lots on the other side of the position that this order would close. */
  #opposed(order: OpenOrder): number {
    const { lots } = this.#account.positions[order.request.symbol]!;
    return lots * order.request.side < 0 ? (lots < 0 ? -lots : lots) : 0;
  }

  /**
   * Fills as much of an order as position, volume and margin allow, first closing, then opening, never both in one
   * fill. @returns whether the order has ended.
   */
  #execute(order: OpenOrder, price: number, maker: boolean, time: number): boolean {
    const { symbol, side, closePosition } = order.request;
    const position = this.#account.positions[symbol]!;
    for (;;) {
      const opposed = this.#opposed(order);
      if (opposed === 0 && onlyReduces(order.request)) {
        this.#end(order, time, "expired", -2022, "no position is left to reduce");
        return true;
      }
      const wanted = closePosition ? opposed : order.remaining;
      const limit = opposed > 0 && opposed < wanted ? opposed : wanted;
      const fillable = this.#fillableIn(symbol);
      const lots = Math.min(limit, fillable);
      if (lots === 0) return false;
      // The loss of a position never exceeds its margin: the exchange stands in for what lies beyond.
      const capped = opposed > 0 && !maker && (price - position.bankruptcy) * side > 0;
      const paid = capped ? position.bankruptcy : price;
      const fee = this.#costs.fee(exactNotional(this.instruments[symbol]!, lots, paid), maker);
      if (opposed === 0 && !this.#canOpen(order, lots, paid, fee)) {
        this.#end(order, time, "expired", -2019, "margin is insufficient at the fill");
        return true;
      }
      this.#fillable[symbol] = fillable - lots;
      if (opposed > 0) {
        this.#account.close(symbol, lots, paid);
        this.#reduced.push(symbol);
      } else {
        this.#account.open(symbol, side, lots, paid, order.leverage);
      }
      this.#account.wallet -= fee;
      if (!closePosition) order.remaining -= lots;
      const opening = opposed > 0 ? order.opening : order.opening - lots;
      this.#reserve(order, Math.min(opening, order.remaining));
      const done = closePosition ? position.lots === 0 : order.remaining === 0;
      if (done) this.#remove(order);
      this.#emit({
        kind: "fill",
        time: this.#at(time),
        symbol,
        order: order.request.id,
        trade: String(++this.#trades),
        lots,
        price: paid,
        fee: toNumber(fee),
        maker,
        done,
      });
      if (done) return true;
    }
  }

  #canOpen(order: OpenOrder, lots: number, price: number, fee: bigint): boolean {
    const value = exactNotional(this.instruments[order.request.symbol]!, lots, price);
    return ceilDivide(value, BigInt(order.leverage)) + fee <= this.#account.available + order.reserved;
  }

  /** What an opening order of so many lots needs: its margin and the dearer of the fees, 1e-8 USDT. */
  #need(symbol: number, lots: number, price: number, leverage: number): bigint {
    const value = exactNotional(this.instruments[symbol]!, lots, price);
    return ceilDivide(value, BigInt(leverage)) + this.#costs.fee(value, false);
  }

  #reserve(order: OpenOrder, opening: number): void {
    order.opening = Math.max(opening, 0);
    const need =
      order.opening > 0 ? this.#need(order.request.symbol, order.opening, order.valuedAt, order.leverage) : 0n;
    this.#account.reserve(need - order.reserved);
    order.reserved = need;
  }

  /**
   * The exchange closes a whole position. The fee of a liquidation is the taker's, but never more than what price
   * movement left of the margin; a delisted position pays the taker's fee in full.
   */
  #liquidate(symbol: number, cause: LiquidationCause, price: number): void {
    const position = this.#account.positions[symbol]!;
    const lots = position.lots < 0 ? -position.lots : position.lots;
    const margin = position.margin;
    const realised = this.#account.close(symbol, lots, price);
    let fee = this.#costs.fee(exactNotional(this.instruments[symbol]!, lots, price), false);
    const left = margin + realised;
    if (cause === "liquidation" && fee > left) fee = left;
    this.#account.wallet -= fee;
    const time = this.#phase === "inside" ? this.#closeTime() - 1 : this.#step.openTime;
    this.#emit({
      kind: "liquidation",
      time: this.#at(time),
      symbol,
      leg: "both",
      cause,
      lots,
      price,
      fee: toNumber(fee),
    });
  }

  #submit(order: OrderRequest, time: number): void {
    const { symbol, id } = order;
    const instrument = this.instruments[symbol];
    if (instrument === undefined) {
      this.#answer(order, time, "rejected", -1121, `there is no symbol ${symbol}`);
      return;
    }
    if (this.#ids.has(id)) {
      this.#answer(order, time, "rejected", -4116, `order id ${id} was used before`);
      return;
    }
    this.#ids.add(id);
    const last = this.#last[symbol]!;
    const held = this.#account.positions[symbol]!.lots;
    const orders = this.#orders[symbol]!;
    const refusal = refusalOf(order, { instrument, listed: this.#listed[symbol]!, last, held, orders });
    if (refusal !== undefined) {
      this.#answer(order, time, "rejected", refusal.code, refusal.reason);
      return;
    }
    const named = order.leverage > 0 ? order.leverage : this.#defaultLeverage;
    const leverage = Math.min(named, instrument.maxLeverage);
    const valuedAt = valuationPrice(order, last);
    const opposed = held * order.side < 0 ? (held < 0 ? -held : held) : 0;
    const opening = onlyReduces(order) || order.lots < opposed ? 0 : order.lots - opposed;
    const reserved = opening > 0 ? this.#need(symbol, opening, valuedAt, leverage) : 0n;
    if (reserved > this.#account.available) {
      const reason = `margin is insufficient: ${reserved} needed, ${this.#account.available} available (1e-8 USDT)`;
      this.#answer(order, time, "rejected", -2019, reason);
      return;
    }
    this.#account.reserve(reserved);
    const atOnce = order.timeInForce === "ioc" || order.timeInForce === "fok" || crosses(order, last);
    orders.push({
      request: order,
      state:
        order.type === "market" ? "market" : order.type !== "limit" ? "conditional" : atOnce ? "arriving" : "resting",
      remaining: order.lots,
      openFrom: this.#nextOpen,
      insideFrom: this.#nextInside,
      leverage,
      opening,
      valuedAt,
      reserved,
    });
    this.#answer(order, time, "accepted", 0, "");
  }

  #cancel(id: number, symbol: number, time: number): void {
    const order = this.#orders[symbol]?.find(({ request }) => request.id === id);
    if (order !== undefined) {
      this.#end(order, time, "cancelled", 0, "");
      return;
    }
    this.#answer({ id, symbol }, time, "cancel-rejected", -2011, `order ${id} is unknown or has ended`);
  }

  /** Reducing orders whose position is gone, or stands on the other side now, have nothing to do any more. */
  #endStranded(): void {
    const symbol = this.#reduced.pop()!;
    for (const order of this.#orders[symbol]!.slice()) {
      if (onlyReduces(order.request) && this.#opposed(order) === 0) {
        this.#end(order, this.#clock, "expired", -2022, "no position is left to reduce");
      }
    }
  }

  #endAll(symbol: number, time: number, reason: string): void {
    for (const order of this.#orders[symbol]!.slice()) this.#end(order, time, "expired", 0, reason);
  }

  #end(order: OpenOrder, time: number, answer: Answer, code: number, reason: string): void {
    this.#remove(order);
    this.#answer(order.request, time, answer, code, reason);
  }

  #remove(order: OpenOrder): void {
    this.#reserve(order, 0);
    const orders = this.#orders[order.request.symbol]!;
    orders.splice(orders.indexOf(order), 1);
  }

  #answer(order: { id: number; symbol: number }, time: number, answer: Answer, code: number, reason: string): void {
    this.#emit({ kind: "answer", time: this.#at(time), symbol: order.symbol, order: order.id, answer, code, reason });
  }

  /** The clock never goes back. */
  #at(time: number): number {
    return Math.max(time, this.#clock);
  }

  #emit(event: VenueEvent): void {
    this.#clock = event.time;
    this.#known.push(event);
  }
}

function byTimeAndSymbol(a: { time: number; symbol: number }, b: { time: number; symbol: number }): number {
  return a.time - b.time || a.symbol - b.symbol;
}

function toNumber(money: bigint): number {
  const value = Number(money);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${money} exceeds exact arithmetic`);
  return value;
}

function assumptionsOf(options: SimulatedExchangeOptions): readonly string[] {
  const percent = (fraction: number): string => `${Number((fraction * 100).toFixed(6))} %`;
  return [
    `fees: ${percent(options.takerFee)} taker, ${percent(options.makerFee)} maker, the same for all symbols`,
    `spread ${options.spreadBps} and slippage ${options.slippageBps} basis points; a taker pays half the spread and the slippage`,
    `fills take at most ${percent(options.volumeShare)} of a bar's volume`,
    "inside a bar the price goes first to the side that hurts the position; limits and targets fill only when traded through",
    "stops and margins are judged by traded prices, because bars carry no mark price inside of them",
    "a position's loss ends at its isolated margin: there is no maintenance margin, it closes at the bankruptcy price",
    "requests reach the exchange without delay",
    options.fundingOn ? "funding is exchanged at the mark of its time, or at the bar's open without one" : "no funding",
  ];
}
