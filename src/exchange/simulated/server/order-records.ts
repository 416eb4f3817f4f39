import type { OrderRequest, Side, TimeInForce } from "../../../core/effects.ts";
import type { Leg } from "../../../core/events.ts";
import type { Instrument } from "../../../core/instrument.ts";
import { averageText, priceText, quantityText, shortDecimal } from "./decimals.ts";
import { type Json, wideInteger } from "./wire.ts";

export type OrderStatus = "NEW" | "PARTIALLY_FILLED" | "FILLED" | "CANCELED" | "EXPIRED";
export type AlgoStatus = "NEW" | "TRIGGERING" | "TRIGGERED" | "FINISHED" | "CANCELED" | "REJECTED" | "EXPIRED";

/** An order as the exchange shows it: what the model knows, and the names and counts of the wire. */
export interface OrderRecord {
  /** 19 digits. */
  readonly orderId: string;
  readonly clientOrderId: string;
  /** Number within the model. */
  readonly model: number;
  readonly instrument: Instrument;
  readonly symbol: number;
  readonly side: Side;
  readonly leg: Leg;
  readonly type: "LIMIT" | "MARKET";
  readonly timeInForce: string;
  readonly reduceOnly: boolean;
  readonly closePosition: boolean;
  readonly goodTillDate: number;
  lots: number;
  /** Ticks; 0 of a market order. */
  price: number;
  status: OrderStatus;
  executed: number;
  /** Value of what was executed, 1e-8 USDT. */
  cost: bigint;
  readonly time: number;
  updateTime: number;
  amendments: number;
  modifyId: number;
  /** The conditional order that this one came from. */
  readonly algo: AlgoRecord | undefined;
  /** A fault: it cannot be queried before this time of the exchange's clock. */
  hiddenUntil?: number;
}

/** A conditional order: another service of the exchange, with numbers of its own. */
export interface AlgoRecord {
  readonly algoId: number;
  readonly clientAlgoId: string;
  readonly model: number;
  readonly instrument: Instrument;
  readonly symbol: number;
  readonly request: OrderRequest;
  readonly orderType: string;
  readonly timeInForce: string;
  readonly workingType: string;
  readonly priceProtect: boolean;
  status: AlgoStatus;
  readonly createTime: number;
  updateTime: number;
  triggerTime: number;
  /** What it became when it triggered. */
  order: OrderRecord | undefined;
  reason: string;
  /** Faults: it cannot be found before this time, it triggered and got no further, its position is gone. */
  hiddenUntil?: number;
  stuck?: boolean;
  orphaned?: boolean;
}

export const TIMES_IN_FORCE: Readonly<Record<string, TimeInForce>> = {
  GTC: "gtc",
  IOC: "ioc",
  FOK: "fok",
  GTX: "post-only",
  GTD: "gtc",
};

export function sideText(side: Side): string {
  return side > 0 ? "BUY" : "SELL";
}

export function legText(leg: Leg): string {
  return leg.toUpperCase();
}

/** The part that all answers about an order share. */
function common(order: OrderRecord): Record<string, Json> {
  const { instrument } = order;
  return {
    clientOrderId: order.clientOrderId,
    executedQty: quantityText(instrument, order.executed),
    orderId: wideInteger(order.orderId),
    origQty: quantityText(instrument, order.lots),
    price: priceText(instrument, order.price),
    reduceOnly: order.reduceOnly,
    side: sideText(order.side),
    positionSide: legText(order.leg),
    status: order.status,
    stopPrice: priceText(instrument, 0),
    closePosition: order.closePosition,
    symbol: instrument.symbol,
    timeInForce: order.timeInForce,
    type: order.type,
    origType: order.type,
    updateTime: order.updateTime,
    workingType: "CONTRACT_PRICE",
    priceProtect: false,
    priceMatch: "NONE",
    selfTradePreventionMode: "EXPIRE_MAKER",
    goodTillDate: order.goodTillDate,
  };
}

/** The answer to placing, cancelling or amending; `legacy` adds the fields that left it in July 2026. */
export function placedJson(order: OrderRecord, legacy: boolean): Record<string, Json> {
  const cumQty = quantityText(order.instrument, order.executed);
  return { ...common(order), cumQty, ...(legacy ? executionJson(order) : {}) };
}

/** An order whose fate is not told: the answer type ACK. */
export function acknowledgedJson(order: OrderRecord, legacy: boolean): Record<string, Json> {
  return placedJson({ ...order, status: "NEW", executed: 0, cost: 0n }, legacy);
}

export function queriedJson(order: OrderRecord): Record<string, Json> {
  return { ...common(order), ...executionJson(order), time: order.time };
}

function executionJson({ instrument, cost, executed }: OrderRecord): Record<string, Json> {
  return { avgPrice: averageOf(instrument, cost, executed), cumQuote: shortDecimal(cost, 8) };
}

function averageOf(instrument: Instrument, cost: bigint, lots: number): string {
  return lots === 0 ? "0.00000" : averageText(instrument, cost, lots);
}

/** The answer to placing a conditional order. */
export function placedAlgoJson(algo: AlgoRecord): Record<string, Json> {
  const { request } = algo;
  const trailing = request.type === "trailing-stop";
  return {
    ...algoCommon(algo),
    activatePrice: trailing ? priceText(algo.instrument, request.trigger) : "",
    callbackRate: trailing ? String((request.callback ?? 0) / 100) : "",
  };
}

export function queriedAlgoJson(algo: AlgoRecord): Record<string, Json> {
  const { instrument, order } = algo;
  return {
    ...algoCommon(algo),
    actualOrderId: order?.orderId ?? "",
    actualPrice: order === undefined ? "0.00000" : averageOf(instrument, order.cost, order.executed),
    actualType: order?.type ?? "",
    actualQty: order === undefined ? "" : quantityText(instrument, order.executed),
    tpTriggerPrice: priceText(instrument, 0),
    tpPrice: priceText(instrument, 0),
    slTriggerPrice: priceText(instrument, 0),
    slPrice: priceText(instrument, 0),
    tpOrderType: "",
  };
}

function algoCommon(algo: AlgoRecord): Record<string, Json> {
  const { instrument, request } = algo;
  return {
    algoId: algo.algoId,
    clientAlgoId: algo.clientAlgoId,
    algoType: "CONDITIONAL",
    orderType: algo.orderType,
    symbol: instrument.symbol,
    side: sideText(request.side),
    positionSide: legText(request.leg),
    timeInForce: algo.timeInForce,
    quantity: quantityText(instrument, request.lots),
    algoStatus: algo.status,
    triggerPrice: priceText(instrument, request.trigger),
    price: priceText(instrument, request.price),
    icebergQuantity: "null",
    selfTradePreventionMode: "EXPIRE_MAKER",
    workingType: algo.workingType,
    priceMatch: "NONE",
    closePosition: request.closePosition,
    priceProtect: algo.priceProtect,
    reduceOnly: request.reduceOnly,
    createTime: algo.createTime,
    updateTime: algo.updateTime,
    triggerTime: algo.triggerTime,
    goodTillDate: 0,
  };
}

/** What an order event says beside the order itself. */
export interface Execution {
  readonly type: "NEW" | "CANCELED" | "EXPIRED" | "AMENDMENT" | "TRADE" | "CALCULATED";
  readonly lots?: number;
  readonly price?: number;
  /** 1e-8 USDT. */
  readonly fee?: bigint;
  readonly realised?: bigint;
  readonly trade?: number;
  readonly maker?: boolean;
  readonly status?: string;
  /** Why it expired, as a number in a string; "0" otherwise. */
  readonly expiry?: string;
}

/** ORDER_TRADE_UPDATE. */
export function orderEvent(order: OrderRecord, execution: Execution, time: number): Json {
  const { instrument, algo } = order;
  const { lots = 0, price = 0, fee = 0n, realised = 0n, trade = 0, maker = false } = execution;
  return {
    e: "ORDER_TRADE_UPDATE",
    T: time,
    E: time,
    o: {
      s: instrument.symbol,
      c: order.clientOrderId,
      S: sideText(order.side),
      o: order.type,
      f: order.timeInForce,
      q: quantityText(instrument, order.lots),
      p: priceText(instrument, order.price),
      ap: order.executed === 0 ? "0" : averageText(instrument, order.cost, order.executed),
      sp: "0",
      x: execution.type,
      X: execution.status ?? order.status,
      i: wideInteger(order.orderId),
      l: quantityText(instrument, lots),
      z: quantityText(instrument, order.executed),
      L: priceText(instrument, price),
      n: shortDecimal(fee, 8),
      N: "USDT",
      T: time,
      t: trade,
      b: "0",
      a: "0",
      m: maker,
      R: order.reduceOnly,
      wt: "CONTRACT_PRICE",
      ot: order.type,
      ps: legText(order.leg),
      cp: order.closePosition,
      rp: shortDecimal(realised, 8),
      pP: false,
      si: algo?.algoId ?? 0,
      ss: algo === undefined ? 0 : -1,
      ...(algo === undefined ? {} : { st: "ALGO_CONDITION" }),
      V: "EXPIRE_MAKER",
      pm: "NONE",
      gtd: order.goodTillDate,
      er: execution.expiry ?? "0",
    },
  };
}

/** TRADE_LITE: the quick word about a fill, before everything else. */
export function tradeLiteEvent(order: OrderRecord, execution: Execution, time: number): Json {
  const { instrument } = order;
  return {
    e: "TRADE_LITE",
    E: time,
    T: time,
    s: instrument.symbol,
    q: quantityText(instrument, order.lots),
    p: priceText(instrument, order.price),
    m: execution.maker ?? false,
    c: order.clientOrderId,
    S: sideText(order.side),
    L: priceText(instrument, execution.price ?? 0),
    l: quantityText(instrument, execution.lots ?? 0),
    t: execution.trade ?? 0,
    i: wideInteger(order.orderId),
  };
}

/** ALGO_UPDATE. */
export function algoEvent(algo: AlgoRecord, time: number): Json {
  const { instrument, request, order } = algo;
  return {
    e: "ALGO_UPDATE",
    T: time,
    E: time,
    o: {
      caid: algo.clientAlgoId,
      aid: algo.algoId,
      at: "CONDITIONAL",
      o: algo.orderType,
      s: instrument.symbol,
      S: sideText(request.side),
      ps: legText(request.leg),
      f: algo.timeInForce,
      q: quantityText(instrument, request.lots),
      X: algo.status,
      ai: order?.orderId ?? "",
      ap: order === undefined || order.executed === 0 ? "0.00000" : averageText(instrument, order.cost, order.executed),
      aq: quantityText(instrument, order?.executed ?? 0),
      act: order?.type ?? "0",
      tp: priceText(instrument, request.trigger),
      p: priceText(instrument, request.price),
      V: "EXPIRE_MAKER",
      wt: algo.workingType,
      pm: "NONE",
      cp: request.closePosition,
      pP: algo.priceProtect,
      R: request.reduceOnly,
      tt: algo.triggerTime,
      gtd: 0,
      rm: algo.reason,
    },
  };
}
