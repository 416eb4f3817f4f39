import type { OrderRequest, OrderType, Side } from "../../../core/effects.ts";
import type { Leg } from "../../../core/events.ts";
import type { Instrument } from "../../../core/instrument.ts";
import { symbolNamed, symbolOf } from "./market-routes.ts";
import {
  type AlgoRecord,
  acknowledgedJson,
  type OrderRecord,
  placedAlgoJson,
  placedJson,
  queriedAlgoJson,
  queriedJson,
  TIMES_IN_FORCE,
} from "./order-records.ts";
import { Parameters } from "./parameters.ts";
import type { Call, Route } from "./routes.ts";
import { mandatory } from "./signature.ts";
import { quoteWideIntegers } from "./stream-hub.ts";
import type { PlaceAlgo, PlaceOrder } from "./trading.ts";
import { type Json, WireError } from "./wire.ts";

const CLIENT_ID = /^[.A-Z:/a-z0-9_-]{1,36}$/;
/** Types that are another service's since December 2025. */
const CONDITIONAL_TYPES: Readonly<Record<string, OrderType>> = {
  STOP: "stop-limit",
  STOP_MARKET: "stop-market",
  TAKE_PROFIT: "take-profit-limit",
  TAKE_PROFIT_MARKET: "take-profit-market",
  TRAILING_STOP_MARKET: "trailing-stop",
};
const MOST_IN_BATCH = 5;

function sideOf(parameters: Parameters): Side {
  parameters.required("side");
  return parameters.choice("side", ["BUY", "SELL"], -1117) === "BUY" ? 1 : -1;
}

function legOf({ venue }: Pick<Call, "venue">, parameters: Parameters): Leg {
  const leg = parameters.choice("positionSide", ["BOTH", "LONG", "SHORT"], -1116).toLowerCase() as Leg;
  if (venue.exchange.account.hedge === (leg === "both")) {
    throw new WireError(-4061, "Order's position side does not match user's setting.");
  }
  return leg;
}

function clientIdOf({ venue }: Pick<Call, "venue">, parameters: Parameters, name: string): string {
  const id = parameters.text(name);
  if (id === undefined) return `web_${venue.nextClientId()}`;
  if (!CLIENT_ID.test(id)) {
    throw new WireError(
      -1100,
      `Illegal characters found in parameter '${name}'; legal range is '${CLIENT_ID.source}'.`,
    );
  }
  return id;
}

/** What is the same for every order that is placed. */
function requestOf(call: Pick<Call, "venue">, parameters: Parameters, symbol: number) {
  const side = sideOf(parameters);
  const leg = legOf(call, parameters);
  const reduceOnly = parameters.flag("reduceOnly");
  if (parameters.text("reduceOnly") !== undefined && leg !== "both") {
    throw new WireError(-1106, "Parameter 'reduceonly' sent when not required.");
  }
  const reduces = reduceOnly || (leg === "long" && side < 0) || (leg === "short" && side > 0);
  if (parameters.text("priceMatch") !== undefined && parameters.text("priceMatch") !== "NONE") {
    throw new WireError(
      -1130,
      "Data sent for parameter 'priceMatch' is not valid: this exchange does not simulate it.",
    );
  }
  return { symbol, side, leg, reduceOnly, leverage: reduces ? 0 : call.venue.leverage[symbol]! };
}

function timeInForceOf(parameters: Parameters, code: number): string {
  const name = parameters.choice("timeInForce", ["GTC", "IOC", "FOK", "GTX", "GTD"], code);
  return name;
}

function readOrder(call: Pick<Call, "venue">, parameters: Parameters): PlaceOrder {
  const symbol = symbolNamed(call, parameters.required("symbol"));
  const instrument = call.venue.exchange.instruments[symbol]!;
  sideOf(parameters);
  const type = parameters.required("type").toUpperCase();
  if (CONDITIONAL_TYPES[type] !== undefined) {
    const message = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";
    throw new WireError(-4120, message);
  }
  if (type !== "LIMIT" && type !== "MARKET") throw new WireError(-1116, "Invalid orderType.");
  const lots = quantityOf(parameters, instrument);
  const base = requestOf(call, parameters, symbol);
  if (type === "MARKET") {
    if (parameters.text("timeInForce") !== undefined) {
      throw new WireError(-1106, "Parameter 'timeInForce' sent when not required.");
    }
    const request: PlaceOrder["request"] = {
      ...base,
      type: "market",
      lots,
      price: 0,
      trigger: 0,
      timeInForce: "gtc",
      closePosition: false,
    };
    return { request, clientOrderId: clientIdOf(call, parameters, "newClientOrderId"), type, ...GOOD_TILL_CANCELLED };
  }
  if (parameters.text("timeInForce") === undefined) throw mandatory("timeInForce");
  const timeInForce = timeInForceOf(parameters, -1115);
  const price = parameters.ticks("price", instrument);
  if (price === undefined) throw mandatory("price");
  const request: PlaceOrder["request"] = {
    ...base,
    type: "limit",
    lots,
    price,
    trigger: 0,
    timeInForce: TIMES_IN_FORCE[timeInForce]!,
    closePosition: false,
  };
  const goodTillDate = parameters.whole("goodTillDate") ?? 0;
  return { request, clientOrderId: clientIdOf(call, parameters, "newClientOrderId"), type, timeInForce, goodTillDate };
}

const GOOD_TILL_CANCELLED = { timeInForce: "GTC", goodTillDate: 0 };

function quantityOf(parameters: Parameters, instrument: Instrument): number {
  const lots = parameters.lots("quantity", instrument);
  if (lots === undefined) throw mandatory("quantity");
  if (lots <= 0) throw new WireError(-4003, "Quantity less than or equal to zero.");
  return lots;
}

function placeOrder(call: Call): Json {
  return place(call, call.parameters);
}

function place(call: Call, parameters: Parameters): Json {
  const { venue } = call;
  const order = venue.trading.place(readOrder(call, parameters), venue.time);
  const legacy = venue.options.legacyOrderFields === true;
  const told = parameters.choice("newOrderRespType", ["ACK", "RESULT"]);
  return told === "ACK" ? acknowledgedJson(order, legacy) : placedJson(order, legacy);
}

/** Checked like a real one, and not placed. */
function testOrder(call: Call): Json {
  readOrder(call, call.parameters);
  return {};
}

/** @throws WireError -1102 without an id, and `code` when there is no such order */
function orderOf(call: Pick<Call, "venue" | "now">, parameters: Parameters, code: number): OrderRecord {
  const symbol = symbolNamed(call, parameters.required("symbol"));
  const orderId = parameters.text("orderId");
  const clientOrderId = parameters.text("origClientOrderId");
  if (orderId === undefined && clientOrderId === undefined) throw mandatory("orderId");
  const order = call.venue.trading.findOrder(symbol, orderId, clientOrderId);
  if (order === undefined || isHidden(order, call.now)) throw notThere(code);
  return order;
}

function isHidden({ hiddenUntil = 0 }: { readonly hiddenUntil?: number }, now: number): boolean {
  return now < hiddenUntil;
}

function notThere(code: number): WireError {
  return new WireError(code, code === -2011 ? "Unknown order sent." : "Order does not exist.");
}

function cancel(call: Call, parameters: Parameters): Json {
  const { venue } = call;
  const order = orderOf(call, parameters, -2011);
  if (!venue.trading.isOpen(order)) throw notThere(-2011);
  venue.trading.cancel(order, venue.time);
  return placedJson(order, venue.options.legacyOrderFields === true);
}

function amend(call: Call, parameters: Parameters): Json {
  const { venue } = call;
  const order = orderOf(call, parameters, -2013);
  if (!venue.trading.isOpen(order)) throw notThere(-2013);
  if (sideOf(parameters) !== order.side) throw new WireError(-5025, "Only limit order is supported.");
  const lots = quantityOf(parameters, order.instrument);
  const price = parameters.ticks("price", order.instrument);
  if (price === undefined) throw mandatory("price");
  order.modifyId = parameters.whole("modifyId") ?? order.modifyId;
  venue.trading.amend(order, lots, price, venue.time);
  const told = placedJson(order, venue.options.legacyOrderFields === true);
  return { ...told, pair: order.instrument.symbol, modifyId: order.modifyId };
}

/** Several requests in one; each answers for itself. */
function batch(call: Call, list: readonly Parameters[], one: (call: Call, parameters: Parameters) => Json): Json {
  if (list.length === 0 || list.length > MOST_IN_BATCH) {
    throw new WireError(-4082, `Invalid number of batch place orders: 1 to ${MOST_IN_BATCH} are allowed.`);
  }
  return list.map((parameters) => {
    try {
      return one(call, parameters);
    } catch (error) {
      if (error instanceof WireError) return { code: error.code, msg: error.message };
      throw error;
    }
  });
}

function listOf(parameters: Parameters, name: string): Parameters[] {
  return jsonList(parameters, name).map((entry) => Parameters.ofObject(entry));
}

function jsonList(parameters: Parameters, name: string): readonly unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(quoteWideIntegers(parameters.required(name)));
  } catch {
    throw mandatory(name);
  }
  if (!Array.isArray(list)) throw mandatory(name);
  return list;
}

function cancelBatch(call: Call): Json {
  const { parameters } = call;
  const symbol = parameters.required("symbol");
  const byClient = parameters.text("orderIdList") === undefined;
  const ids = jsonList(parameters, byClient ? "origClientOrderIdList" : "orderIdList");
  const name = byClient ? "origClientOrderId" : "orderId";
  return ids.slice(0, 10).map((id) => {
    const one = Parameters.ofObject({ symbol, [name]: String(id) });
    try {
      return cancel(call, one);
    } catch (error) {
      if (error instanceof WireError) return { code: error.code, msg: error.message };
      throw error;
    }
  });
}

const ALL_CANCELLED = { code: 200, msg: "The operation of cancel all open order is done." };

function cancelAll(call: Call): Json {
  const { venue } = call;
  const symbol = symbolOf(call);
  for (const order of [...venue.trading.openOrders]) {
    if (order.symbol === symbol) venue.trading.cancel(order, venue.time);
  }
  return ALL_CANCELLED;
}

function openOrders(call: Call): Json {
  const { venue, parameters } = call;
  const symbol = parameters.text("symbol") === undefined ? undefined : symbolOf(call);
  return [...venue.trading.openOrders]
    .filter((order) => symbol === undefined || order.symbol === symbol)
    .map(queriedJson);
}

function openOrder(call: Call): Json {
  const order = orderOf(call, call.parameters, -2013);
  if (!call.venue.trading.isOpen(order)) throw notThere(-2013);
  return queriedJson(order);
}

function allOrders(call: Call): Json {
  const { venue, parameters } = call;
  const symbol = parameters.text("symbol") === undefined ? undefined : symbolOf(call);
  const from = parameters.whole("startTime") ?? 0;
  const to = parameters.whole("endTime") ?? Number.POSITIVE_INFINITY;
  const least = BigInt(parameters.text("orderId") ?? 0);
  return [...venue.trading.orders.values()]
    .filter((order) => symbol === undefined || order.symbol === symbol)
    .filter(({ time, orderId }) => time >= from && time <= to && BigInt(orderId) >= least)
    .slice(-Math.min(parameters.whole("limit") ?? 500, 1000))
    .map(queriedJson);
}

/** Orders that the exchange itself placed to close positions of the account. */
function forceOrders({ venue, parameters }: Call): Json {
  const symbol = parameters.text("symbol");
  return [...venue.trading.orders.values()]
    .filter(({ clientOrderId }) => /^(autoclose-|adl_autoclose)/.test(clientOrderId))
    .filter(({ instrument }) => symbol === undefined || instrument.symbol === symbol)
    .map(queriedJson);
}

function countdown(call: Call): Json {
  const { venue, parameters, now } = call;
  const symbol = symbolOf(call);
  const time = parameters.whole("countdownTime");
  if (time === undefined) throw mandatory("countdownTime");
  if (time === 0) venue.countdowns.delete(symbol);
  else venue.countdowns.set(symbol, now + time);
  return { symbol: venue.exchange.instruments[symbol]!.symbol, countdownTime: String(time) };
}

function placeAlgo(call: Call): Json {
  return placedAlgoJson(call.venue.trading.placeAlgo(readAlgo(call), call.venue.time));
}

function readAlgo(call: Call): PlaceAlgo {
  const { parameters, venue } = call;
  const symbol = symbolOf(call);
  const instrument = venue.exchange.instruments[symbol]!;
  if (parameters.required("algoType").toUpperCase() !== "CONDITIONAL") throw mandatory("algoType");
  sideOf(parameters);
  const orderType = parameters.required("type").toUpperCase();
  const type = CONDITIONAL_TYPES[orderType];
  if (type === undefined) throw new WireError(-1116, "Invalid orderType.");
  const closePosition = parameters.flag("closePosition");
  const lots = parameters.lots("quantity", instrument);
  if (closePosition && lots !== undefined) {
    throw new WireError(-4137, "Quantity must be zero with closePosition equals true");
  }
  if (closePosition && parameters.text("reduceOnly") !== undefined) {
    throw new WireError(-1106, "Parameter 'reduceonly' sent when not required.");
  }
  if (!closePosition && lots === undefined) throw mandatory("quantity");
  const trailing = type === "trailing-stop";
  const trigger = parameters.ticks(trailing ? "activatePrice" : "triggerPrice", instrument);
  if (!trailing && trigger === undefined) throw mandatory("triggerPrice");
  const limited = type === "stop-limit" || type === "take-profit-limit";
  const price = limited ? parameters.ticks("price", instrument) : 0;
  if (price === undefined) throw mandatory("price");
  const workingType = parameters.choice("workingType", ["CONTRACT_PRICE", "MARK_PRICE"], -1116);
  const timeInForce = timeInForceOf(parameters, -1115);
  const request: Omit<OrderRequest, "id" | "purpose"> = {
    ...requestOf(call, parameters, symbol),
    type,
    lots: lots ?? 0,
    price,
    trigger: trigger ?? 0,
    timeInForce: TIMES_IN_FORCE[timeInForce]!,
    closePosition,
    workingType: workingType === "MARK_PRICE" ? "mark" : "last",
    ...(trailing ? { callback: callbackOf(parameters) } : {}),
    ...(closePosition ? { leverage: 0 } : {}),
  };
  const clientAlgoId = clientIdOf(call, parameters, "clientAlgoId");
  return { request, clientAlgoId, orderType, timeInForce, workingType, priceProtect: parameters.flag("priceProtect") };
}

/** Percent on the wire, basis points here. */
function callbackOf(parameters: Parameters): number {
  const rate = Number(parameters.required("callbackRate"));
  if (!Number.isFinite(rate)) throw mandatory("callbackRate");
  return Math.round(rate * 100);
}

/** @throws WireError -1102 without an id, and `code` when there is no such order */
function algoOf({ venue, parameters, now }: Call, code: number): AlgoRecord {
  const algoId = parameters.whole("algoId");
  const clientAlgoId = parameters.text("clientAlgoId");
  if (algoId === undefined && clientAlgoId === undefined) throw mandatory("algoId");
  const algo = venue.trading.findAlgo(algoId, clientAlgoId);
  if (algo === undefined || isHidden(algo, now)) throw notThere(code);
  return algo;
}

function cancelAlgo(call: Call): Json {
  const { venue } = call;
  const algo = algoOf(call, -2011);
  if (!venue.trading.isOpenAlgo(algo) || algo.order !== undefined || algo.stuck) throw notThere(-2011);
  venue.trading.cancel(algo, venue.time);
  return { algoId: algo.algoId, clientAlgoId: algo.clientAlgoId, code: "200", msg: "success" };
}

function cancelAllAlgos(call: Call): Json {
  const { venue } = call;
  const symbol = symbolOf(call);
  for (const algo of [...venue.trading.openAlgos]) {
    if (algo.symbol === symbol && algo.order === undefined && !algo.stuck) venue.trading.cancel(algo, venue.time);
  }
  return ALL_CANCELLED;
}

function openAlgos(call: Call): Json {
  const { venue, parameters, now } = call;
  const symbol = parameters.text("symbol") === undefined ? undefined : symbolOf(call);
  const algoId = parameters.whole("algoId");
  return [...venue.trading.openAlgos]
    .filter((algo) => !isHidden(algo, now))
    .filter((algo) => symbol === undefined || algo.symbol === symbol)
    .filter((algo) => algoId === undefined || algo.algoId === algoId)
    .map(queriedAlgoJson);
}

function allAlgos(call: Call): Json {
  const { venue, parameters } = call;
  const symbol = symbolOf(call);
  const from = parameters.whole("startTime") ?? 0;
  const to = parameters.whole("endTime") ?? Number.POSITIVE_INFINITY;
  return [...venue.trading.algos.values()]
    .filter((algo) => algo.symbol === symbol && algo.createTime >= from && algo.createTime <= to)
    .slice(-Math.min(parameters.whole("limit") ?? 500, 1000))
    .map(queriedAlgoJson);
}

const oneOrAll = (parameters: Parameters): number => (parameters.text("symbol") === undefined ? 40 : 1);

export const TRADE_ROUTES: Readonly<Record<string, Route>> = {
  "POST /fapi/v1/order": { weight: 0, orders: 1, security: "signed", handle: placeOrder },
  "PUT /fapi/v1/order": { weight: 0, orders: 1, security: "signed", handle: (call) => amend(call, call.parameters) },
  "DELETE /fapi/v1/order": { weight: 1, security: "signed", handle: (call) => cancel(call, call.parameters) },
  "GET /fapi/v1/order": {
    weight: 1,
    security: "signed",
    handle: (call) => queriedJson(orderOf(call, call.parameters, -2013)),
  },
  "POST /fapi/v1/order/test": { weight: 0, security: "signed", handle: testOrder },
  "POST /fapi/v1/batchOrders": {
    weight: 5,
    orders: 5,
    security: "signed",
    handle: (call) => batch(call, listOf(call.parameters, "batchOrders"), place),
  },
  "PUT /fapi/v1/batchOrders": {
    weight: 5,
    orders: 5,
    security: "signed",
    handle: (call) => batch(call, listOf(call.parameters, "batchOrders"), amend),
  },
  "DELETE /fapi/v1/batchOrders": { weight: 1, security: "signed", handle: cancelBatch },
  "DELETE /fapi/v1/allOpenOrders": { weight: 1, security: "signed", handle: cancelAll },
  "GET /fapi/v1/openOrders": { weight: oneOrAll, security: "signed", handle: openOrders },
  "GET /fapi/v1/openOrder": { weight: 1, security: "signed", handle: openOrder },
  "GET /fapi/v1/allOrders": { weight: 5, security: "signed", handle: allOrders },
  "GET /fapi/v1/forceOrders": { weight: 20, security: "signed", handle: forceOrders },
  "POST /fapi/v1/countdownCancelAll": { weight: 10, security: "signed", handle: countdown },
  "POST /fapi/v1/algoOrder": { weight: 0, orders: 1, security: "signed", handle: placeAlgo },
  "GET /fapi/v1/algoOrder": {
    weight: 1,
    security: "signed",
    handle: (call) => queriedAlgoJson(algoOf(call, -2013)),
  },
  "DELETE /fapi/v1/algoOrder": { weight: 1, security: "signed", handle: cancelAlgo },
  "DELETE /fapi/v1/algoOpenOrders": { weight: 1, security: "signed", handle: cancelAllAlgos },
  "GET /fapi/v1/openAlgoOrders": { weight: oneOrAll, security: "signed", handle: openAlgos },
  "GET /fapi/v1/allAlgoOrders": { weight: 5, security: "signed", handle: allAlgos },
};
