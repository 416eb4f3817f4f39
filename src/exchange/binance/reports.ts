import { FieldReader, readers, ShapeError } from "./fields.ts";
import type {
  AlgoReport,
  AlgoStatus,
  BalanceReport,
  ExchangeInfo,
  IncomeReport,
  KeyPermissions,
  MarginType,
  OrderReport,
  OrderStatus,
  PositionMode,
  PositionReport,
  PositionSide,
  SymbolBrackets,
  SymbolConfig,
  SymbolInfo,
  TradeReport,
  WireSide,
} from "./gateway.ts";
import type { Kline } from "./market-message.ts";
import type { BookSnapshot } from "./order-book.ts";

/** Bodies of answers as the reports of the gateway. All throw a `ShapeError` for what they cannot read. */

export const SIDES = ["BUY", "SELL"] as const satisfies readonly WireSide[];
export const POSITION_SIDES = ["BOTH", "LONG", "SHORT"] as const satisfies readonly PositionSide[];
export const ORDER_STATUSES = [
  "NEW",
  "PARTIALLY_FILLED",
  "FILLED",
  "CANCELED",
  "EXPIRED",
  "EXPIRED_IN_MATCH",
  "REJECTED",
  "NEW_INSURANCE",
  "NEW_ADL",
] as const satisfies readonly OrderStatus[];
export const ALGO_STATUSES = [
  "NEW",
  "TRIGGERING",
  "TRIGGERED",
  "FINISHED",
  "CANCELED",
  "REJECTED",
  "EXPIRED",
] as const satisfies readonly AlgoStatus[];

export function orderReport(body: unknown): OrderReport {
  return orderOf(new FieldReader(body, "order"));
}

export function orderReports(body: unknown): OrderReport[] {
  return readers(body, "orders").map(orderOf);
}

function orderOf(order: FieldReader): OrderReport {
  return {
    symbol: order.text("symbol"),
    clientId: order.text("clientOrderId"),
    orderId: order.text("orderId"),
    status: order.oneOf("status", ORDER_STATUSES),
    side: order.oneOf("side", SIDES),
    positionSide: order.oneOf("positionSide", POSITION_SIDES),
    type: order.text("type"),
    originalType: order.text("origType"),
    quantity: order.text("origQty"),
    executed: order.text("executedQty"),
    price: order.text("price"),
    reduceOnly: order.flag("reduceOnly"),
    closePosition: order.flag("closePosition"),
    updateTime: order.number("updateTime"),
  };
}

export function algoReport(body: unknown): AlgoReport {
  return algoOf(new FieldReader(body, "algo order"));
}

export function algoReports(body: unknown): AlgoReport[] {
  return readers(body, "algo orders").map(algoOf);
}

function algoOf(algo: FieldReader): AlgoReport {
  return {
    symbol: algo.text("symbol"),
    clientId: algo.text("clientAlgoId"),
    algoId: algo.text("algoId"),
    status: algo.oneOf("algoStatus", ALGO_STATUSES),
    side: algo.oneOf("side", SIDES),
    positionSide: algo.oneOf("positionSide", POSITION_SIDES),
    type: algo.text("orderType"),
    // A close-position order has none.
    quantity: algo.textOr("quantity", "0"),
    triggerPrice: algo.textOr("triggerPrice", "0"),
    reduceOnly: algo.flag("reduceOnly"),
    closePosition: algo.flag("closePosition"),
    actualOrderId: algo.textOr("actualOrderId", ""),
    reason: algo.textOr("rejectReason", ""),
    updateTime: algo.number("updateTime"),
  };
}

/** Answers that only say yes: `{"code":200,"msg":"success"}`, with the code as a number or a text. */
export function success(body: unknown): null {
  const answer = new FieldReader(body, "answer");
  if (answer.has("code") && answer.number("code") !== 200) throw new ShapeError(`code ${answer.text("code")}`);
  return null;
}

export function positionReports(body: unknown): PositionReport[] {
  return readers(body, "positions").map((position) => ({
    symbol: position.text("symbol"),
    positionSide: position.oneOf("positionSide", POSITION_SIDES),
    amount: position.text("positionAmt"),
    entryPrice: position.text("entryPrice"),
    markPrice: position.text("markPrice"),
    // Version 2 says so; in version 3 an isolated position is one with a margin of its own.
    isolated: position.has("marginType")
      ? position.text("marginType").toLowerCase() === "isolated"
      : position.number("isolatedMargin") !== 0 || position.numberOr("isolatedWallet", 0) !== 0,
    updateTime: position.number("updateTime"),
  }));
}

export function balanceReports(body: unknown): BalanceReport[] {
  return readers(body, "balances").map((balance) => ({
    asset: balance.text("asset"),
    wallet: balance.text("balance"),
    available: balance.text("availableBalance"),
  }));
}

export function tradeReports(body: unknown): TradeReport[] {
  return readers(body, "trades").map((trade) => ({
    symbol: trade.text("symbol"),
    tradeId: trade.text("id"),
    orderId: trade.text("orderId"),
    side: trade.oneOf("side", SIDES),
    positionSide: trade.oneOf("positionSide", POSITION_SIDES),
    price: trade.text("price"),
    quantity: trade.text("qty"),
    commission: trade.text("commission"),
    commissionAsset: trade.text("commissionAsset"),
    realised: trade.text("realizedPnl"),
    maker: trade.flag("maker"),
    time: trade.number("time"),
  }));
}

export function incomeReports(body: unknown): IncomeReport[] {
  return readers(body, "income").map((income) => ({
    symbol: income.textOr("symbol", ""),
    type: income.text("incomeType"),
    amount: income.text("income"),
    asset: income.text("asset"),
    time: income.number("time"),
    transactionId: income.text("tranId"),
  }));
}

export function symbolConfigs(body: unknown): SymbolConfig[] {
  return readers(body, "symbol configuration").map((config) => ({
    symbol: config.text("symbol"),
    marginType: config.oneOf("marginType", ["ISOLATED", "CROSSED"] as const satisfies readonly MarginType[]),
    leverage: config.number("leverage"),
  }));
}

export function positionModeOf(body: unknown): PositionMode {
  return new FieldReader(body, "position mode").flag("dualSidePosition") ? "hedge" : "one-way";
}

export function keyPermissionsOf(body: unknown): KeyPermissions {
  const one = new FieldReader(body, "key permissions");
  return {
    futures: one.flag("enableFutures"),
    withdrawals: one.flag("enableWithdrawals"),
    transfers: one.flag("enableInternalTransfer") || one.flag("permitsUniversalTransfer"),
    restrictedToAddresses: one.flag("ipRestrict"),
  };
}

export function symbolBrackets(body: unknown): SymbolBrackets[] {
  return readers(body, "leverage brackets").map((one) => ({
    symbol: one.text("symbol"),
    brackets: one
      .list("brackets")
      .map((bracket) => ({
        maxLeverage: bracket.number("initialLeverage"),
        notionalCap: bracket.number("notionalCap"),
        maintenance: bracket.number("maintMarginRatio"),
      }))
      .sort((a, b) => a.notionalCap - b.notionalCap),
  }));
}

/** exchangeInfo with the limits of orders that it names, per ten seconds and per minute. */
export function exchangeInfoOf(
  body: unknown,
): ExchangeInfo & { readonly orderLimits: readonly [number, number] | null } {
  const info = new FieldReader(body, "exchangeInfo");
  const limits = info.has("rateLimits") ? info.list("rateLimits") : [];
  const limit = (interval: string, count: number): number | undefined =>
    limits
      .find(
        (one) =>
          one.text("rateLimitType") === "ORDERS" &&
          one.text("interval") === interval &&
          one.number("intervalNum") === count,
      )
      ?.number("limit");
  const [tenSeconds, minute] = [limit("SECOND", 10), limit("MINUTE", 1)];
  return {
    serverTime: info.numberOr("serverTime", 0),
    symbols: info.list("symbols").flatMap((symbol) => symbolInfo(symbol) ?? []),
    orderLimits: tenSeconds !== undefined && minute !== undefined ? [tenSeconds, minute] : null,
  };
}

/** Undefined for a symbol without the rules that an order has to keep: it cannot be traded, the others can. */
function symbolInfo(symbol: FieldReader): SymbolInfo | undefined {
  const filters = new Map(symbol.list("filters").map((filter) => [filter.text("filterType"), filter]));
  const price = filters.get("PRICE_FILTER");
  const lot = filters.get("LOT_SIZE");
  if (price === undefined || lot === undefined) return undefined;
  const market = filters.get("MARKET_LOT_SIZE") ?? lot;
  return {
    symbol: symbol.text("symbol"),
    status: symbol.text("status"),
    contractType: symbol.text("contractType"),
    quoteAsset: symbol.text("quoteAsset"),
    marginAsset: symbol.text("marginAsset"),
    onboardDate: symbol.numberOr("onboardDate", 0),
    deliveryDate: symbol.numberOr("deliveryDate", 0),
    tickSize: price.text("tickSize"),
    minPrice: price.text("minPrice"),
    maxPrice: price.text("maxPrice"),
    stepSize: lot.text("stepSize"),
    minQuantity: lot.text("minQty"),
    maxQuantity: lot.text("maxQty"),
    marketStepSize: market.text("stepSize"),
    marketMinQuantity: market.text("minQty"),
    marketMaxQuantity: market.text("maxQty"),
    minNotional: filters.get("MIN_NOTIONAL")?.text("notional") ?? "0",
  };
}

/** Rows of `[openTime, open, high, low, close, volume, closeTime, quoteVolume, trades, takerBase, takerQuote, …]`. */
export function klineRows(body: unknown): Kline[] {
  if (!Array.isArray(body)) throw new ShapeError("klines are no list");
  return body.map((row: unknown, index) => {
    const field = new FieldReader(row, `klines[${index}]`);
    return {
      openTime: field.number("0"),
      open: field.number("1"),
      high: field.number("2"),
      low: field.number("3"),
      close: field.number("4"),
      volume: field.number("5"),
      quoteVolume: field.number("7"),
      trades: field.number("8"),
      takerBuyBase: field.number("9"),
      takerBuyQuote: field.number("10"),
    };
  });
}

/** A funding that has taken place. */
export interface SettledFunding {
  readonly symbol: string;
  /** ms; some lie a few milliseconds behind the full hour. */
  readonly time: number;
  /** What longs pay to shorts, as a decimal text: "0.00010000". */
  readonly rate: string;
  /** At which positions were valued; empty for old ones. */
  readonly mark: string;
}

export function settledFundings(body: unknown): SettledFunding[] {
  return readers(body, "funding rates").map((row) => ({
    symbol: row.text("symbol"),
    time: row.number("fundingTime"),
    rate: row.decimal("fundingRate"),
    mark: row.textOr("markPrice", ""),
  }));
}

export function bookSnapshot(body: unknown): BookSnapshot {
  const book = new FieldReader(body, "depth");
  const flat = (side: string) => book.list(side).flatMap((level) => [level.number("0"), level.number("1")]);
  return { lastUpdate: book.number("lastUpdateId"), bids: flat("bids"), asks: flat("asks") };
}

export function serverTimeOf(body: unknown): number {
  return new FieldReader(body, "time").number("serverTime");
}

export function listenKeyOf(body: unknown): string {
  return new FieldReader(body, "listen key").text("listenKey");
}
