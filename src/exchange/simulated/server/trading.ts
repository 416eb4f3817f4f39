import type { OrderRequest, Side } from "../../../core/effects.ts";
import type { AnswerEvent, FillEvent, FundingEvent, Leg, LiquidationEvent } from "../../../core/events.ts";
import type { Instrument } from "../../../core/instrument.ts";
import type { VenueEvent, VenueRequest } from "../../exchange.ts";
import type { AccountModes } from "../account.ts";
import type { SimulatedExchange } from "../exchange.ts";
import { isStop, onlyReduces } from "../orders.ts";
import { averageText, moneyText, priceText, quantityText, shortDecimal } from "./decimals.ts";
import {
  type AlgoRecord,
  algoEvent,
  type Execution,
  legText,
  type OrderRecord,
  orderEvent,
  sideText,
  tradeLiteEvent,
} from "./order-records.ts";
import { RunningAccount } from "./running-account.ts";
import { type Json, messageOf, WireError, wideInteger } from "./wire.ts";

/** Numbers of orders start beyond 2^53, as those of busy contracts do: a client that loses digits is found out. */
const FIRST_ORDER = 8_389_765_000_000_000_001n;
const FIRST_ALGO = 4_000_001_772_562_801;
const FIRST_TRADE = 258_307_000;
/** Ended orders, fills and incomes that are still told; the real exchange forgets them after months. */
const HISTORY = 20_000;
/** Conditional orders of the account that may be open at once. */
const MOST_ALGOS = 200;

export interface FillRecord {
  readonly id: number;
  readonly order: OrderRecord;
  readonly lots: number;
  readonly price: number;
  readonly value: bigint;
  readonly fee: bigint;
  readonly realised: bigint;
  readonly maker: boolean;
  readonly time: number;
}

export interface IncomeRecord {
  readonly symbol: string;
  readonly type: "COMMISSION" | "FUNDING_FEE" | "INSURANCE_CLEAR" | "REALIZED_PNL" | "TRANSFER";
  readonly amount: bigint;
  readonly time: number;
  readonly tranId: number;
  readonly trade: string;
}

/** An order as it is wanted, in the model's terms and with what only the wire knows. */
export interface PlaceOrder {
  readonly request: Omit<OrderRequest, "id" | "purpose">;
  readonly clientOrderId: string;
  readonly type: "LIMIT" | "MARKET";
  readonly timeInForce: string;
  readonly goodTillDate: number;
}

export interface PlaceAlgo {
  readonly request: Omit<OrderRequest, "id" | "purpose">;
  readonly clientAlgoId: string;
  readonly orderType: string;
  readonly timeInForce: string;
  readonly workingType: string;
  readonly priceProtect: boolean;
}

/** Where faults take hold of the desk. */
export interface Mischief {
  placedAlgo(algo: AlgoRecord): void;
  placedOrder(order: OrderRecord): void;
  refusesReducing(): boolean;
  /** Whether a conditional order whose position is gone stays. */
  orphans(): boolean;
}

/** What the user is told, and when: each event as JSON. */
export type UserSink = (event: Json) => void;

/**
 * The exchange's trading desk as users see it: orders and conditional orders with their own numbers, and the events of
 * the user stream in the order in which the real exchange sends them.
 *
 * - An order: ORDER_TRADE_UPDATE NEW; for each fill TRADE_LITE, ACCOUNT_UPDATE, ORDER_TRADE_UPDATE TRADE.
 * - A conditional order: ALGO_UPDATE NEW, TRIGGERING; then the events of the order that it became, under a new order
 *   number and its own client id; then ALGO_UPDATE TRIGGERED, and FINISHED once that order has ended.
 * - The user stream speaks before the answer to the request that caused it is given.
 */
export class Trading {
  readonly exchange: SimulatedExchange;
  readonly account: RunningAccount;
  /** All orders that are still told, by number; the oldest first. */
  readonly orders = new Map<string, OrderRecord>();
  readonly algos = new Map<number, AlgoRecord>();
  readonly fills: FillRecord[] = [];
  readonly incomes: IncomeRecord[] = [];
  mischief: Mischief | undefined;
  readonly #sink: UserSink;
  readonly #openOrders = new Map<string, OrderRecord>();
  readonly #openAlgos = new Map<number, AlgoRecord>();
  /** Open conditional orders that the model has ended: a fault. */
  readonly #orphans = new Set<AlgoRecord>();
  /** What an order of the model is on the wire. */
  readonly #byModel = new Map<number, OrderRecord | AlgoRecord>();
  #models = 0;
  #orders = 0n;
  #algos = 0;
  #incomes = 0;
  /** What the amendment that is being made would change. */
  #amendment = { lots: 0, price: 0 };
  /** Answers to the requests that are being made, by order of the model. */
  readonly #answers: AnswerEvent[] = [];

  constructor(exchange: SimulatedExchange, sink: UserSink) {
    this.exchange = exchange;
    this.#sink = sink;
    this.account = new RunningAccount(exchange.wallet, exchange.positions.length);
  }

  get openOrders(): IterableIterator<OrderRecord> {
    return this.#openOrders.values();
  }

  get openAlgos(): IterableIterator<AlgoRecord> {
    return this.#openAlgos.values();
  }

  /** @throws WireError when the exchange refuses */
  place(wanted: PlaceOrder, time: number): OrderRecord {
    for (const open of this.#openOrders.values()) {
      if (open.clientOrderId === wanted.clientOrderId) throw refusal(-4116);
    }
    const { request } = wanted;
    if (onlyReduces({ ...request, id: 0, purpose: "exit" }) && this.mischief?.refusesReducing()) throw refusal(-2022);
    const model = ++this.#models;
    const order = this.#newOrder(wanted, model, time, undefined);
    this.#byModel.set(model, order);
    this.#request({ kind: "submit", order: { ...request, id: model, purpose: "entry" } }, time);
    this.mischief?.placedOrder(order);
    return order;
  }

  placeAlgo(wanted: PlaceAlgo, time: number): AlgoRecord {
    for (const open of this.#openAlgos.values()) {
      if (open.clientAlgoId === wanted.clientAlgoId) throw refusal(-4116);
    }
    if (this.#openAlgos.size >= MOST_ALGOS) throw refusal(-4045);
    const model = ++this.#models;
    const request: OrderRequest = { ...wanted.request, id: model, purpose: "entry" };
    const algo: AlgoRecord = {
      ...wanted,
      algoId: FIRST_ALGO + this.#algos++,
      model,
      instrument: this.exchange.instruments[request.symbol]!,
      symbol: request.symbol,
      request,
      status: "NEW",
      createTime: time,
      updateTime: time,
      triggerTime: 0,
      order: undefined,
      reason: "",
    };
    this.#byModel.set(model, algo);
    this.#request({ kind: "submit", order: request }, time);
    this.mischief?.placedAlgo(algo);
    return algo;
  }

  /** Gives an order another size and price. @throws WireError when the exchange refuses */
  amend(order: OrderRecord, lots: number, price: number, time: number): void {
    this.#amendment = { lots, price };
    this.#request({ kind: "amend", order: order.model, symbol: order.symbol, lots, price }, time);
  }

  cancel(record: OrderRecord | AlgoRecord, time: number): void {
    // The model knows it no more.
    if (!("orderId" in record) && this.#orphans.has(record)) return this.#endAlgo(record, "CANCELED", time);
    this.#request({ kind: "cancel", order: record.model, symbol: record.symbol }, time);
  }

  findOrder(symbol: number, orderId: string | undefined, clientOrderId: string | undefined): OrderRecord | undefined {
    if (orderId !== undefined) {
      const order = this.orders.get(orderId);
      return order?.symbol === symbol ? order : undefined;
    }
    let found: OrderRecord | undefined;
    for (const order of this.#openOrders.values()) {
      if (order.symbol === symbol && order.clientOrderId === clientOrderId) return order;
    }
    // A client id may be used again once its order has ended: the newest is meant.
    for (const order of this.orders.values()) {
      if (order.symbol === symbol && order.clientOrderId === clientOrderId) found = order;
    }
    return found;
  }

  findAlgo(algoId: number | undefined, clientAlgoId: string | undefined): AlgoRecord | undefined {
    if (algoId !== undefined) return this.algos.get(algoId);
    let found: AlgoRecord | undefined;
    for (const algo of this.algos.values()) if (algo.clientAlgoId === clientAlgoId) found = algo;
    return found;
  }

  isOpen(order: OrderRecord): boolean {
    return this.#openOrders.has(order.orderId);
  }

  isOpenAlgo(algo: AlgoRecord): boolean {
    return this.#openAlgos.has(algo.algoId);
  }

  setModes(modes: AccountModes): boolean {
    if (!this.exchange.setModes(modes)) return false;
    this.account.resize(this.exchange.positions.length);
    return true;
  }

  /** Tells the user what an event of the model means. */
  apply(event: VenueEvent): void {
    switch (event.kind) {
      case "answer":
        return this.#onAnswer(event);
      case "fill":
        return this.#onFill(event);
      case "liquidation":
        return this.#onLiquidation(event);
      case "funding":
        return this.#onFunding(event);
      default:
        return;
    }
  }

  #request(request: VenueRequest, time: number): void {
    this.#answers.length = 0;
    this.exchange.send(request, time);
    for (const event of this.exchange.settled()) this.apply(event);
    const id = request.kind === "submit" ? request.order.id : request.order;
    for (const { order, answer, code, reason } of this.#answers) {
      if (order !== id) continue;
      if (answer === "rejected" || answer === "cancel-rejected" || answer === "amend-rejected") {
        if (answer === "rejected") this.#byModel.delete(id);
        throw refusal(code, reason);
      }
    }
  }

  #newOrder(wanted: PlaceOrder, model: number, time: number, algo: AlgoRecord | undefined): OrderRecord {
    const { request } = wanted;
    return {
      orderId: String(FIRST_ORDER + this.#orders++),
      clientOrderId: wanted.clientOrderId,
      model,
      instrument: this.exchange.instruments[request.symbol]!,
      symbol: request.symbol,
      side: request.side,
      leg: request.leg,
      type: wanted.type,
      timeInForce: wanted.timeInForce,
      reduceOnly: request.reduceOnly,
      closePosition: request.closePosition,
      goodTillDate: wanted.goodTillDate,
      lots: request.lots,
      price: request.type === "market" ? 0 : request.price,
      status: "NEW",
      executed: 0,
      cost: 0n,
      time,
      updateTime: time,
      amendments: 0,
      modifyId: 0,
      algo,
    };
  }

  #onAnswer(event: AnswerEvent): void {
    this.#answers.push(event);
    const record = this.#byModel.get(event.order);
    if (record === undefined) return;
    if ("orderId" in record) this.#onOrderAnswer(record, event);
    else this.#onAlgoAnswer(record, event);
  }

  #onOrderAnswer(order: OrderRecord, { answer, time, code }: AnswerEvent): void {
    switch (answer) {
      case "accepted":
        return this.#listOrder(order, time);
      case "amended":
        Object.assign(order, this.#amendment);
        order.updateTime = time;
        order.amendments++;
        return this.#tell(orderEvent(order, { type: "AMENDMENT" }, time));
      case "cancelled":
        return this.#endOrder(order, "CANCELED", { type: "CANCELED" }, time);
      case "expired":
        return this.#endOrder(order, "EXPIRED", { type: "EXPIRED", expiry: expiryReason(code) }, time);
      default:
        return;
    }
  }

  #onAlgoAnswer(algo: AlgoRecord, { answer, time, code, reason }: AnswerEvent): void {
    const { order } = algo;
    if (order !== undefined) {
      // It has triggered: what happens now happens to its order.
      if (answer === "cancelled") this.#endOrder(order, "CANCELED", { type: "CANCELED" }, time);
      else if (answer === "expired") this.#endOrder(order, "EXPIRED", { type: "EXPIRED" }, time);
      return;
    }
    switch (answer) {
      case "accepted":
        this.algos.set(algo.algoId, algo);
        this.#openAlgos.set(algo.algoId, algo);
        trim(this.algos);
        return this.#tellAlgo(algo, "NEW", time);
      case "cancelled":
        return this.#endAlgo(algo, "CANCELED", time);
      case "expired":
        if (algo.stuck) return;
        if (code === -2022 && this.mischief?.orphans()) {
          this.#orphans.add(algo);
          return;
        }
        algo.reason = reason;
        return this.#endAlgo(algo, "EXPIRED", time);
      case "triggered":
        return this.#trigger(algo, time);
      default:
        return;
    }
  }

  #trigger(algo: AlgoRecord, time: number): void {
    algo.triggerTime = time;
    this.#tellAlgo(algo, "TRIGGERING", time);
    if (!algo.stuck) this.#becomeOrder(algo, time);
  }

  #becomeOrder(algo: AlgoRecord, time: number): OrderRecord {
    const { request } = algo;
    const limited = request.type === "stop-limit" || request.type === "take-profit-limit";
    const held = this.account.positions[this.exchange.account.slotOf(request.symbol, request.leg)]!.lots;
    const wanted: PlaceOrder = {
      request: {
        ...request,
        type: limited ? "limit" : "market",
        lots: request.closePosition ? (held < 0 ? -held : held) : request.lots,
      },
      clientOrderId: algo.clientAlgoId,
      type: limited ? "LIMIT" : "MARKET",
      timeInForce: algo.timeInForce,
      goodTillDate: 0,
    };
    const order = this.#newOrder(wanted, algo.model, time, algo);
    algo.order = order;
    this.#listOrder(order, time);
    if (limited) this.#tellAlgo(algo, "TRIGGERED", time);
    return order;
  }

  /** Whether an order of the model is a conditional one, which can only be matched because it has just triggered. */
  isTriggering(model: number): boolean {
    const record = this.#byModel.get(model);
    return record !== undefined && !("orderId" in record) && record.order === undefined;
  }

  /** Lets a conditional order get no further than TRIGGERING. */
  stick(model: number): void {
    const record = this.#byModel.get(model);
    if (record !== undefined && !("orderId" in record)) record.stuck = true;
  }

  /** Orphaned conditional orders whose price has come have nothing to close: they are rejected. */
  rejectOrphans(price: (symbol: number, mark: boolean) => number, time: number): void {
    if (this.#orphans.size === 0) return;
    for (const algo of [...this.#orphans]) {
      const { request } = algo;
      const towards = isStop(request.type) ? request.side : -request.side;
      if ((price(algo.symbol, request.workingType === "mark") - request.trigger) * towards < 0) continue;
      algo.triggerTime = time;
      this.#tellAlgo(algo, "TRIGGERING", time);
      algo.reason = "Reduce Only reject";
      this.#endAlgo(algo, "REJECTED", time);
    }
  }

  #listOrder(order: OrderRecord, time: number): void {
    this.orders.set(order.orderId, order);
    this.#openOrders.set(order.orderId, order);
    trim(this.orders);
    this.#tell(orderEvent(order, { type: "NEW" }, time));
  }

  #endOrder(order: OrderRecord, status: "CANCELED" | "EXPIRED", execution: Execution, time: number): void {
    order.status = status;
    order.updateTime = time;
    this.#tell(orderEvent(order, execution, time));
    this.#forget(order, time);
  }

  #forget(order: OrderRecord, time: number): void {
    this.#openOrders.delete(order.orderId);
    this.#byModel.delete(order.model);
    const { algo } = order;
    if (algo === undefined) return;
    if (algo.status === "TRIGGERING") this.#tellAlgo(algo, "TRIGGERED", time);
    this.#endAlgo(algo, "FINISHED", time);
  }

  #endAlgo(algo: AlgoRecord, status: AlgoRecord["status"], time: number): void {
    this.#openAlgos.delete(algo.algoId);
    this.#orphans.delete(algo);
    this.#byModel.delete(algo.model);
    this.#tellAlgo(algo, status, time);
  }

  #tellAlgo(algo: AlgoRecord, status: AlgoRecord["status"], time: number): void {
    algo.status = status;
    algo.updateTime = time;
    this.#tell(algoEvent(algo, time));
  }

  #onFill(event: FillEvent): void {
    const record = this.#byModel.get(event.order);
    // One that was stuck may find its way after all.
    const order =
      record === undefined || "orderId" in record ? record : (record.order ?? this.#becomeOrder(record, event.time));
    if (order === undefined) throw new Error(`a fill of order ${event.order}, which nobody placed`);
    const { instrument, side, symbol, leg } = order;
    const { lots, price, time, maker, done } = event;
    const slot = this.exchange.account.slotOf(symbol, leg);
    const realised = this.account.fill(slot, instrument, side, lots, price, time);
    const fee = BigInt(event.fee);
    this.account.wallet -= fee;
    const value = BigInt(lots) * BigInt(price) * BigInt(instrument.unitValue);
    order.executed += lots;
    order.cost += value;
    order.updateTime = time;
    order.status = done ? "FILLED" : "PARTIALLY_FILLED";
    const trade = FIRST_TRADE + Number(event.trade);
    this.fills.push({ id: trade, order, lots, price, value, fee, realised, maker, time });
    if (this.fills.length > HISTORY) this.fills.splice(0, HISTORY / 10);
    this.#income(instrument, "COMMISSION", -fee, time, String(trade));
    if (realised !== 0n) this.#income(instrument, "REALIZED_PNL", realised, time, String(trade));
    const execution: Execution = { type: "TRADE", lots, price, fee, realised, trade, maker };
    this.#tell(tradeLiteEvent(order, execution, time));
    this.#tellAccount("ORDER", 0n, symbol, leg, time);
    this.#tell(orderEvent(order, execution, time));
    if (done) this.#forget(order, time);
  }

  /** The exchange closes a position with an order of its own, under a name that says why. */
  #onLiquidation(event: LiquidationEvent): void {
    const { symbol, leg, cause, lots, price, time } = event;
    const instrument = this.exchange.instruments[symbol]!;
    const slot = this.exchange.account.slotOf(symbol, leg);
    const side: Side = this.account.positions[slot]!.lots > 0 ? -1 : 1;
    const realised = this.account.fill(slot, instrument, side, lots, price, time);
    const fee = BigInt(event.fee);
    // A liquidation pays no commission, but what it leaves to the insurance fund.
    const commission = cause === "liquidation" ? 0n : fee;
    this.account.wallet -= commission;
    const value = BigInt(lots) * BigInt(price) * BigInt(instrument.unitValue);
    const named = { liquidation: "autoclose-", adl: "adl_autoclose", delisted: "settlement_autoclose-", external: "" };
    const prefix = named[cause];
    const wanted: PlaceOrder = {
      request: {
        symbol,
        leg,
        side,
        type: "limit",
        lots,
        price,
        trigger: 0,
        timeInForce: "ioc",
        reduceOnly: true,
        closePosition: false,
        leverage: 0,
      },
      clientOrderId: `${prefix}${time}`,
      type: "LIMIT",
      timeInForce: "IOC",
      goodTillDate: 0,
    };
    const order = this.#newOrder(wanted, 0, time, undefined);
    order.executed = lots;
    order.cost = value;
    order.status = "FILLED";
    this.orders.set(order.orderId, order);
    trim(this.orders);
    // The model counts no trade for it, but the exchange's tape does.
    const trade = FIRST_TRADE * 2 + Number(this.#orders);
    this.fills.push({ id: trade, order, lots, price, value, fee: commission, realised, maker: false, time });
    if (commission !== 0n) this.#income(instrument, "COMMISSION", -commission, time, String(trade));
    this.#income(instrument, "REALIZED_PNL", realised, time, String(trade));
    this.#tellAccount("ORDER", 0n, symbol, leg, time);
    const status = cause === "adl" ? "NEW_ADL" : "FILLED";
    const execution: Execution = { type: "CALCULATED", lots, price, fee: commission, realised, trade, status };
    this.#tell(orderEvent(order, execution, time));
    if (cause !== "liquidation" || fee === 0n) return;
    this.account.wallet -= fee;
    this.#income(instrument, "INSURANCE_CLEAR", -fee, time, "");
    this.#tellAccount("INSURANCE_CLEAR", -fee, symbol, leg, time);
  }

  #onFunding({ symbol, amount, time }: FundingEvent): void {
    const money = BigInt(amount);
    this.account.wallet += money;
    this.#income(this.exchange.instruments[symbol]!, "FUNDING_FEE", money, time, "");
    this.#tellAccount("FUNDING_FEE", money, symbol, "both", time);
  }

  #income(instrument: Instrument, type: IncomeRecord["type"], amount: bigint, time: number, trade: string): void {
    this.incomes.push({
      symbol: instrument.symbol,
      type,
      amount,
      time,
      tranId: 9_689_322_000 + this.#incomes++,
      trade,
    });
    if (this.incomes.length > HISTORY) this.incomes.splice(0, HISTORY / 10);
  }

  /** ACCOUNT_UPDATE; a funding fee under cross margin names no position. */
  #tellAccount(cause: string, change: bigint, symbol: number, leg: Leg, time: number): void {
    const { cross, hedge } = this.exchange.account;
    const named = cause !== "FUNDING_FEE" || !cross;
    // Funding is exchanged by both legs at once.
    const legs: readonly Leg[] = cause === "FUNDING_FEE" && hedge ? ["long", "short"] : [leg];
    this.#tell({
      e: "ACCOUNT_UPDATE",
      T: time,
      E: time,
      a: {
        B: [
          {
            a: "USDT",
            wb: moneyText(this.account.wallet),
            cw: moneyText(this.crossWallet()),
            bc: shortDecimal(change, 8),
          },
        ],
        P: named ? legs.map((one) => this.positionEvent(symbol, one)) : [],
        m: cause,
      },
    });
  }

  /** The wallet without what isolated positions have bound. */
  crossWallet(): bigint {
    const { cross, bound } = this.exchange.account;
    return cross ? this.account.wallet : this.account.wallet - bound;
  }

  positionEvent(symbol: number, leg: Leg): Json {
    const { account } = this.exchange;
    const slot = account.slotOf(symbol, leg);
    const { lots, cost, realised } = this.account.positions[slot]!;
    const instrument = this.exchange.instruments[symbol]!;
    const entry = averageText(instrument, cost, lots);
    return {
      s: instrument.symbol,
      pa: quantityText(instrument, lots),
      ep: entry,
      bep: entry,
      cr: shortDecimal(realised, 8),
      up: moneyText(unrealised(instrument, lots, cost, account.marks[symbol]!)),
      mt: account.cross ? "cross" : "isolated",
      iw: account.cross || lots === 0 ? "0" : moneyText(account.positions[slot]!.margin),
      ps: legText(leg),
      ma: "USDT",
    };
  }

  #tell(event: Json): void {
    this.#sink(event);
  }
}

export function unrealised(instrument: Instrument, lots: number, cost: bigint, mark: number): bigint {
  const value = BigInt(lots) * BigInt(mark) * BigInt(instrument.unitValue);
  return lots >= 0 ? value - cost : value + cost;
}

export function fillJson({ id, order, lots, price, value, fee, realised, maker, time }: FillRecord): Json {
  const { instrument } = order;
  return {
    buyer: order.side > 0,
    commission: moneyText(fee),
    commissionAsset: "USDT",
    id,
    maker,
    orderId: wideInteger(order.orderId),
    price: priceText(instrument, price),
    qty: quantityText(instrument, lots),
    quoteQty: shortDecimal(value, 8),
    realizedPnl: moneyText(realised),
    side: sideText(order.side),
    positionSide: legText(order.leg),
    symbol: instrument.symbol,
    time,
  };
}

function refusal(code: number, reason = ""): WireError {
  return new WireError(code, messageOf(code, reason));
}

/** The number that an expired order gives as its reason. */
function expiryReason(code: number): string {
  if (code === -5022) return "5";
  if (code === -2022) return "6";
  return code === -5021 ? "8" : "9";
}

const ENDED: ReadonlySet<string> = new Set(["FILLED", "CANCELED", "EXPIRED", "REJECTED", "FINISHED"]);

/** Forgets the oldest tenth of what has ended long ago. */
function trim(records: Map<unknown, { readonly status: string }>): void {
  if (records.size <= HISTORY) return;
  let most = HISTORY / 10;
  for (const [key, { status }] of records) {
    if (ENDED.has(status)) records.delete(key);
    if (--most === 0) return;
  }
}
