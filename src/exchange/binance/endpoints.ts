import type { Verb } from "./http-channel.ts";

/** How a request shows who asks: not at all, by the key's header, or by the header and a signature. */
export type Access = "open" | "key" | "signed";

/** A route of REST with what it takes out of the budget. */
export interface Endpoint {
  readonly verb: Verb;
  readonly path: string;
  readonly weight: number;
  readonly access: Access;
}

const open = (path: string, weight: number): Endpoint => ({ verb: "GET", path, weight, access: "open" });
const reading = (path: string, weight: number): Endpoint => ({ verb: "GET", path, weight, access: "signed" });

/** The routes we use, with the weights of binance.md 1.3. Where a weight depends on parameters there are two. */
export const ENDPOINTS = {
  time: open("fapi/v1/time", 1),
  exchangeInfo: open("fapi/v1/exchangeInfo", 1),
  /** Up to 499 rows for 2: the most rows per weight. Fewer than 100 cost 1. */
  klines: open("fapi/v1/klines", 2),
  klinesFew: open("fapi/v1/klines", 1),
  depth: open("fapi/v1/depth", 20),
  premiumIndex: open("fapi/v1/premiumIndex", 10),
  /** Has a limit of its own, 500 requests in five minutes, which is not counted here: it is asked once per funding. */
  fundingRates: open("fapi/v1/fundingRate", 0),

  order: reading("fapi/v1/order", 1),
  algoOrder: reading("fapi/v1/algoOrder", 1),
  openOrders: reading("fapi/v1/openOrders", 1),
  openOrdersAll: reading("fapi/v1/openOrders", 40),
  openAlgoOrders: reading("fapi/v1/openAlgoOrders", 1),
  openAlgoOrdersAll: reading("fapi/v1/openAlgoOrders", 40),
  positions: reading("fapi/v3/positionRisk", 5),
  balances: reading("fapi/v3/balance", 5),
  userTrades: reading("fapi/v1/userTrades", 5),
  income: reading("fapi/v1/income", 30),
  symbolConfig: reading("fapi/v1/symbolConfig", 5),
  positionMode: reading("fapi/v1/positionSide/dual", 30),
  leverageBrackets: reading("fapi/v1/leverageBracket", 1),
  setLeverage: { verb: "POST", path: "fapi/v1/leverage", weight: 1, access: "signed" },
  setMarginType: { verb: "POST", path: "fapi/v1/marginType", weight: 1, access: "signed" },

  keyPermissions: reading("sapi/v1/account/apiRestrictions", 1),

  newListenKey: { verb: "POST", path: "fapi/v1/listenKey", weight: 1, access: "key" },
  keepListenKey: { verb: "PUT", path: "fapi/v1/listenKey", weight: 1, access: "key" },
} as const satisfies Readonly<Record<string, Endpoint>>;

/** An order request by both ways that it can take. */
export interface OrderRoute {
  /** Method of the WebSocket API. */
  readonly method: string;
  readonly verb: Verb;
  readonly path: string;
  /** What it takes out of the limits: orders are counted, cancellations weigh. */
  readonly cost: { readonly weight: number; readonly orders: number };
}

const ORDER = { weight: 0, orders: 1 };
const CANCEL = { weight: 1, orders: 0 };

export const ORDER_ROUTES = {
  place: { method: "order.place", verb: "POST", path: "/fapi/v1/order", cost: ORDER },
  amend: { method: "order.modify", verb: "PUT", path: "/fapi/v1/order", cost: ORDER },
  cancel: { method: "order.cancel", verb: "DELETE", path: "/fapi/v1/order", cost: CANCEL },
  placeAlgo: { method: "algoOrder.place", verb: "POST", path: "/fapi/v1/algoOrder", cost: ORDER },
  cancelAlgo: { method: "algoOrder.cancel", verb: "DELETE", path: "/fapi/v1/algoOrder", cost: CANCEL },
} as const satisfies Readonly<Record<string, OrderRoute>>;
