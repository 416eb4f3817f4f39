import type { AmendRequest, OrderRequest, Side } from "../../core/effects.ts";
import type { Answer, LiquidationCause } from "../../core/events.ts";
import type { Instrument } from "../../core/instrument.ts";
import type { Contract } from "../../market/contract.ts";
import type { VenueEvent, VenueRequest } from "../exchange.ts";
import { Account, type AccountModes, exactNotional, type MarginMode, magnitude, type PositionMode } from "./account.ts";
import { type Costs, ceilDivide } from "./costs.ts";
import { crosses, isConditional, isLimit, type OpenOrder, onlyReduces, refusalOf, valuationPrice } from "./orders.ts";

export interface DeskOptions {
  /** Wallet at the start, 1e-8 USDT. */
  readonly balance: number;
  /** Leverage of an opening order that names none (0). Integer of at least 1. */
  readonly leverage: number;
  /** One-way by default. */
  readonly positionMode?: PositionMode;
  /** Isolated by default; one mode for all symbols. */
  readonly marginMode?: MarginMode;
}

/**
 * The counter of a simulated exchange: takes requests, keeps orders and account, books fills and liquidations, and
 * says each as an event. When and at what price something fills is for whoever plays the market (bars or ticks).
 */
export class Desk {
  account: Account;
  /** Open orders by slot and age. */
  orders: readonly OpenOrder[][];
  readonly listed: boolean[];
  /** Last traded price, ticks. */
  readonly last: Float64Array;
  /** Events that are worked out and not taken yet, in order of time. */
  readonly known: VenueEvent[] = [];
  /** Time of the newest event that was worked out. */
  clock = Number.NEGATIVE_INFINITY;
  /** First steps whose open and whose intrabar phase have not begun: an order that arrives takes part from there. */
  nextOpen = 1;
  nextInside = 1;
  /** Clearance fees of liquidations, less the losses beyond what the liquidated had; 1e-8 USDT. */
  insuranceFund = 0n;
  /** The most lots of an order that one match may fill; no bound when undefined. */
  bound: ((order: number, remaining: number) => number) | undefined;
  readonly #instruments: readonly Instrument[];
  readonly #contracts: readonly Contract[];
  readonly #costs: Costs;
  readonly #defaultLeverage: number;
  /** Every id ever sent: one is never used again, whatever became of its order. */
  readonly #ids = new Set<number>();
  /** Slots whose position became smaller or turned, so that reducing orders may have lost their object. */
  readonly #reduced: number[] = [];
  #trades = 0;

  /** @throws RangeError when an option lies outside of its range. */
  constructor(instruments: readonly Instrument[], contracts: readonly Contract[], costs: Costs, options: DeskOptions) {
    if (!Number.isSafeInteger(options.balance) || options.balance < 0) {
      throw new RangeError(`simulated exchange: balance is ${options.balance}; allowed is a whole number from 0`);
    }
    if (!Number.isInteger(options.leverage) || options.leverage < 1) {
      throw new RangeError(`simulated exchange: leverage is ${options.leverage}; allowed is a whole number from 1`);
    }
    const { positionMode = "one-way", marginMode = "isolated" } = options;
    this.#instruments = instruments;
    this.#contracts = contracts;
    this.#costs = costs;
    this.#defaultLeverage = options.leverage;
    const mode = { position: positionMode, margin: marginMode };
    this.account = new Account(instruments, contracts, BigInt(options.balance), mode);
    this.orders = Array.from({ length: this.account.slots }, () => []);
    this.listed = new Array(instruments.length).fill(false);
    this.last = new Float64Array(instruments.length);
  }

  /** Other modes need other slots, so they are only taken while there is nothing to be moved. */
  setModes(modes: AccountModes): boolean {
    for (let slot = 0; slot < this.account.slots; slot++) if (this.isInvolved(slot)) return false;
    const account = new Account(this.#instruments, this.#contracts, this.account.wallet, modes);
    account.marks.set(this.account.marks);
    this.account = account;
    this.orders = Array.from({ length: account.slots }, () => []);
    return true;
  }

  get openOrders(): readonly number[] {
    return this.orders.flatMap((orders) => orders.map((order) => order.request.id));
  }

  /** True when ends of orders are still to be worked out. */
  get unsettled(): boolean {
    return this.#reduced.length > 0;
  }

  isInvolved(slot: number): boolean {
    return this.orders[slot]!.length > 0 || this.account.positions[slot]!.lots !== 0;
  }

  /** `opposite`: the best price that a crossing limit would take, ticks. Returns the order if it was accepted. */
  take(request: VenueRequest, time: number, opposite: (symbol: number, side: Side) => number): OpenOrder | undefined {
    if (request.kind === "cancel") {
      this.#cancel(request.order, request.symbol, time);
      return undefined;
    }
    return request.kind === "amend"
      ? this.#amend(request, time, opposite)
      : this.#submit(request.order, time, opposite);
  }

  #submit(order: OrderRequest, time: number, opposite: (symbol: number, side: Side) => number): OpenOrder | undefined {
    const { symbol, id } = order;
    const instrument = this.#instruments[symbol];
    if (instrument === undefined) {
      this.#answer(order, time, "rejected", -1121, `there is no symbol ${symbol}`);
      return undefined;
    }
    if (this.#ids.has(id)) {
      this.#answer(order, time, "rejected", -4116, `order id ${id} was used before`);
      return undefined;
    }
    this.#ids.add(id);
    const slot = this.account.slotOf(symbol, order.leg);
    const orders = this.orders[slot]!;
    const refusal = this.#refusal(order, slot, opposite, orders);
    if (refusal !== undefined) {
      this.#answer(order, time, "rejected", refusal.code, refusal.reason);
      return undefined;
    }
    const named = order.leverage > 0 ? order.leverage : this.#defaultLeverage;
    const accepted: OpenOrder = {
      request: order,
      slot,
      state: "conditional",
      remaining: order.lots,
      openFrom: this.nextOpen,
      insideFrom: this.nextInside,
      leverage: Math.min(named, instrument.maxLeverage),
      opening: 0,
      valuedAt: valuationPrice(order, this.last[symbol]!),
      reserved: 0n,
      best: order.type === "trailing-stop" && order.trigger === 0 ? this.last[symbol]! : 0,
      ahead: 0,
    };
    if (order.type === "market") accepted.state = "market";
    else if (order.type === "limit") accepted.state = this.#limitState(order, opposite);
    if (!this.#reserveFor(accepted, time, "rejected")) return undefined;
    orders.push(accepted);
    this.#answer(order, time, "accepted", 0, "");
    return accepted;
  }

  /** An amended limit order waits anew, behind all others; a size that is filled already cancels it, as on Binance. */
  #amend(request: AmendRequest, time: number, opposite: (symbol: number, side: Side) => number): OpenOrder | undefined {
    const { order: id, symbol, lots, price } = request;
    const order = this.#find(id, symbol);
    const refuse = (code: number, reason: string): undefined => {
      this.#answer({ id, symbol }, time, "amend-rejected", code, reason);
      return undefined;
    };
    if (order === undefined) return refuse(-2013, `order ${id} is unknown or has ended`);
    const before = order.request;
    if (before.type !== "limit") return refuse(-5025, "only limit orders can be amended");
    if (before.lots === lots && before.price === price) return refuse(-5027, "there is nothing to amend");
    const filled = before.lots - order.remaining;
    if (Number.isSafeInteger(lots) && lots > 0 && lots <= filled) {
      this.end(order, time, "cancelled", 0, `${filled} lots are filled already`);
      return undefined;
    }
    const wanted: OrderRequest = { ...before, lots, price };
    const others = this.orders[order.slot]!.filter((other) => other !== order);
    const refusal = this.#refusal(wanted, order.slot, opposite, others);
    if (refusal !== undefined) return refuse(refusal.code, refusal.reason);
    const { remaining, valuedAt, state } = order;
    order.request = wanted;
    order.remaining = lots - filled;
    order.valuedAt = valuationPrice(wanted, this.last[symbol]!);
    if (!this.#reserveFor(order, time, "amend-rejected")) {
      Object.assign(order, { request: before, remaining, valuedAt, state });
      return undefined;
    }
    order.state = this.#limitState(wanted, opposite);
    order.openFrom = this.nextOpen;
    order.insideFrom = this.nextInside;
    // Orders are kept by age, and this one is the youngest now.
    const orders = this.orders[order.slot]!;
    orders.splice(orders.indexOf(order), 1);
    orders.push(order);
    this.#answer(wanted, time, "amended", 0, "");
    return order;
  }

  #limitState(order: OrderRequest, opposite: (symbol: number, side: Side) => number): "arriving" | "resting" {
    const { timeInForce } = order;
    const atOnce = timeInForce === "ioc" || timeInForce === "fok";
    return atOnce || crosses(order, opposite(order.symbol, order.side)) ? "arriving" : "resting";
  }

  #refusal(
    order: OrderRequest,
    slot: number,
    opposite: (symbol: number, side: Side) => number,
    orders: readonly OpenOrder[],
  ) {
    const { symbol } = order;
    const siblings = this.account.hedge ? this.orders[slot ^ 1]! : [];
    let conditional = 0;
    for (const { request } of orders) if (isConditional(request.type)) conditional++;
    for (const { request } of siblings) if (isConditional(request.type)) conditional++;
    return refusalOf(order, {
      instrument: this.#instruments[symbol]!,
      contract: this.#contracts[symbol]!,
      listed: this.listed[symbol]!,
      hedge: this.account.hedge,
      last: this.last[symbol]!,
      mark: this.account.marks[symbol]!,
      opposite: isLimit(order.type) ? opposite(symbol, order.side) : 0,
      held: this.account.positions[slot]!.lots,
      orders,
      openOrders: orders.length + siblings.length,
      openConditional: conditional,
    });
  }

  /** Sets aside what the order may bind; false, and said so, when that is more than there is. */
  #reserveFor(order: OpenOrder, time: number, answer: "rejected" | "amend-rejected"): boolean {
    const { request, remaining } = order;
    const opposed = this.opposed(order);
    const opening = onlyReduces(request) || remaining < opposed ? 0 : remaining - opposed;
    const need = opening > 0 ? this.#need(request.symbol, opening, order.valuedAt, order.leverage) : 0n;
    const free = this.account.available + order.reserved;
    if (need > free) {
      const reason = `margin is insufficient: ${need} needed, ${free} available (1e-8 USDT)`;
      this.#answer(request, time, answer, -2019, reason);
      return false;
    }
    this.account.reserve(need - order.reserved);
    order.opening = opening;
    order.reserved = need;
    return true;
  }

  #cancel(id: number, symbol: number, time: number): void {
    const order = this.#find(id, symbol);
    if (order !== undefined) this.end(order, time, "cancelled", 0, "");
    else this.#answer({ id, symbol }, time, "cancel-rejected", -2011, `order ${id} is unknown or has ended`);
  }

  #find(id: number, symbol: number): OpenOrder | undefined {
    if (this.#instruments[symbol] === undefined) return undefined;
    const first = this.account.slotOf(symbol, "long");
    const order = this.orders[first]!.find(({ request }) => request.id === id);
    if (order !== undefined || !this.account.hedge) return order;
    return this.orders[first + 1]!.find(({ request }) => request.id === id);
  }

  /** Lots on the other side of the position that this order would close. */
  opposed(order: OpenOrder): number {
    const { lots } = this.account.positions[order.slot]!;
    return lots * order.request.side < 0 ? magnitude(lots) : 0;
  }

  triggered(order: OpenOrder, time: number): void {
    this.#answer(order.request, time, "triggered", 0, "");
  }

  /**
   * Fills as much of an order as position, `mostLots` lots and margin allow, first closing, then opening, never both
   * in one fill. The order's state says afterwards whether it has ended.
   * @returns the lots filled.
   */
  execute(order: OpenOrder, price: number, maker: boolean, time: number, mostLots: number): number {
    const { slot, request } = order;
    const { symbol, side, closePosition } = request;
    const position = this.account.positions[slot]!;
    let filled = 0;
    const fillable = this.bound === undefined ? mostLots : Math.min(mostLots, this.bound(request.id, order.remaining));
    for (;;) {
      const opposed = this.opposed(order);
      if (opposed === 0 && onlyReduces(request)) {
        this.end(order, time, "expired", -2022, "no position is left to reduce");
        return filled;
      }
      const wanted = closePosition ? opposed : order.remaining;
      const limit = opposed > 0 && opposed < wanted ? opposed : wanted;
      const lots = Math.min(limit, fillable - filled);
      if (lots === 0) return filled;
      // What a taker would lose beyond the margin is the insurance fund's: it would have been liquidated before.
      const paid = opposed > 0 && !maker ? this.account.boundedByBankruptcy(slot, price) : price;
      if (paid !== price) this.#insure(symbol, lots, paid, price);
      const fee = this.#costs.fee(exactNotional(this.#instruments[symbol]!, lots, paid), maker);
      if (opposed === 0 && !this.#canOpen(order, lots, paid, fee)) {
        this.end(order, time, "expired", -2019, "margin is insufficient at the fill");
        return filled;
      }
      if (opposed > 0) {
        this.account.close(slot, lots, paid);
        this.#reduced.push(slot);
      } else {
        this.account.open(slot, side, lots, paid, order.leverage);
      }
      this.account.wallet -= fee;
      filled += lots;
      if (!closePosition) order.remaining -= lots;
      const opening = opposed > 0 ? order.opening : order.opening - lots;
      this.#reserve(order, Math.min(opening, order.remaining));
      const done = closePosition ? position.lots === 0 : order.remaining === 0;
      if (done) this.#remove(order);
      this.emit({
        kind: "fill",
        time: this.at(time),
        symbol,
        order: request.id,
        trade: String(++this.#trades),
        lots,
        price: paid,
        fee: toNumber(fee),
        maker,
        done,
      });
      if (done) return filled;
    }
  }

  /**
   * The exchange closes a whole position. A delisted or deleveraged one pays the taker's fee. A liquidated one pays
   * the clearance fee and no commission (as recorded sessions show), never more than what price movement left of its
   * margin balance; `market` is what the market would have paid, and the difference to `price` the insurance fund's.
   */
  liquidate(slot: number, cause: LiquidationCause, price: number, time: number, market = price): void {
    const symbol = this.account.symbolOf(slot);
    const position = this.account.positions[slot]!;
    const lots = magnitude(position.lots);
    const { margin } = position;
    const realised = this.account.close(slot, lots, price);
    const value = exactNotional(this.#instruments[symbol]!, lots, price);
    let fee = this.#costs.fee(value, false);
    if (cause === "liquidation") {
      const clearance = ceilDivide(value * BigInt(this.#contracts[symbol]!.liquidationFee), 100_000_000n);
      const left = this.account.cross ? this.account.wallet + this.account.unrealised() : margin + realised;
      const most = left > 0n ? left : 0n;
      fee = clearance < most ? clearance : most;
      this.insuranceFund += fee;
      if (market !== price) this.#insure(symbol, lots, price, market);
    } else {
      this.#reduced.push(slot);
    }
    this.account.wallet -= fee;
    this.emit({
      kind: "liquidation",
      time: this.at(time),
      symbol,
      leg: this.account.legOf(slot),
      cause,
      lots,
      price,
      fee: toNumber(fee),
    });
  }

  #insure(symbol: number, lots: number, paid: number, market: number): void {
    this.insuranceFund -= exactNotional(this.#instruments[symbol]!, lots, magnitude(paid - market));
  }

  /** Reducing orders whose position is gone, or stands on the other side now, have nothing to do any more. */
  endStranded(): void {
    const slot = this.#reduced.pop()!;
    for (const order of this.orders[slot]!.slice()) {
      if (onlyReduces(order.request) && this.opposed(order) === 0) {
        this.end(order, this.clock, "expired", -2022, "no position is left to reduce");
      }
    }
  }

  endAll(slot: number, time: number, reason: string): void {
    for (const order of this.orders[slot]!.slice()) this.end(order, time, "expired", 0, reason);
  }

  end(order: OpenOrder, time: number, answer: Answer, code: number, reason: string): void {
    this.#remove(order);
    this.#answer(order.request, time, answer, code, reason);
  }

  /** The clock never goes back. */
  at(time: number): number {
    return Math.max(time, this.clock);
  }

  emit(event: VenueEvent): void {
    this.clock = event.time;
    this.known.push(event);
  }

  #remove(order: OpenOrder): void {
    this.#reserve(order, 0);
    order.state = "ended";
    const orders = this.orders[order.slot]!;
    orders.splice(orders.indexOf(order), 1);
  }

  #canOpen(order: OpenOrder, lots: number, price: number, fee: bigint): boolean {
    const value = exactNotional(this.#instruments[order.request.symbol]!, lots, price);
    return ceilDivide(value, BigInt(order.leverage)) + fee <= this.account.available + order.reserved;
  }

  /** What an opening order of so many lots needs: its margin and the dearer of the fees, 1e-8 USDT. */
  #need(symbol: number, lots: number, price: number, leverage: number): bigint {
    const value = exactNotional(this.#instruments[symbol]!, lots, price);
    return ceilDivide(value, BigInt(leverage)) + this.#costs.fee(value, false);
  }

  #reserve(order: OpenOrder, opening: number): void {
    order.opening = Math.max(opening, 0);
    const need =
      order.opening > 0 ? this.#need(order.request.symbol, order.opening, order.valuedAt, order.leverage) : 0n;
    this.account.reserve(need - order.reserved);
    order.reserved = need;
  }

  #answer(order: { id: number; symbol: number }, time: number, answer: Answer, code: number, reason: string): void {
    this.emit({ kind: "answer", time: this.at(time), symbol: order.symbol, order: order.id, answer, code, reason });
  }
}

/** @throws RangeError where an event's money would not be exact. */
export function toNumber(money: bigint): number {
  const value = Number(money);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${money} exceeds exact arithmetic`);
  return value;
}
