import type { OrderRequest } from "../../core/effects.ts";
import type { Instrument } from "../../core/instrument.ts";
import { priceText, quantityText } from "./decimals.ts";
import type { AlgoType, NewAlgoOrder, NewOrder, PositionSide, WireSide, WireTimeInForce } from "./gateway.ts";
import type { OrderRecord } from "./order-record.ts";

/** A market or limit order as the exchange is asked for it. */
export function wireOrder({ request, clientId }: OrderRecord, instrument: Instrument, hedge: boolean): NewOrder {
  return {
    symbol: instrument.symbol,
    clientId,
    side: sideText(request.side),
    type: request.type === "limit" ? "LIMIT" : "MARKET",
    quantity: quantityText(instrument, request.lots),
    ...(request.type === "limit"
      ? { price: priceText(instrument, request.price), timeInForce: TIME_IN_FORCE[request.timeInForce] }
      : {}),
    ...closing(request, hedge),
  };
}

/** A conditional order as the exchange is asked for it. */
export function wireAlgoOrder(
  { request, clientId }: OrderRecord,
  instrument: Instrument,
  hedge: boolean,
): NewAlgoOrder {
  const { type } = request;
  if (type === "market" || type === "limit") throw new Error(`a ${type} order is no conditional order`);
  const trailing = type === "trailing-stop";
  const limit = type === "stop-limit" || type === "take-profit-limit";
  const trigger = request.trigger > 0 ? priceText(instrument, request.trigger) : undefined;
  return {
    symbol: instrument.symbol,
    clientId,
    side: sideText(request.side),
    type: ALGO_TYPE[type],
    workingType: workingTypeOf(request),
    ...(request.closePosition ? { closePosition: true } : { quantity: quantityText(instrument, request.lots) }),
    ...(limit ? { price: priceText(instrument, request.price), timeInForce: TIME_IN_FORCE[request.timeInForce] } : {}),
    ...(trailing
      ? { callbackRate: String((request.callback ?? 0) / 100), ...(trigger && { activatePrice: trigger }) }
      : { ...(trigger && { triggerPrice: trigger }) }),
    ...closing(request, hedge),
  };
}

/** Reduce-only is refused together with close-position and in hedge mode, where the leg's other side means it. */
function closing(request: OrderRequest, hedge: boolean): { positionSide?: PositionSide; reduceOnly?: boolean } {
  if (hedge) return { positionSide: positionSideOf(request, hedge) };
  // Said by what the order is for: a book that was begun in hedge mode does not ask for it.
  return request.purpose !== "entry" && !request.closePosition ? { reduceOnly: true } : {};
}

/** The leg that an order opens or closes. */
export function positionSideOf({ side, purpose }: OrderRequest, hedge: boolean): PositionSide {
  if (!hedge) return "BOTH";
  const direction = purpose === "entry" ? side : -side;
  return direction === 1 ? "LONG" : "SHORT";
}

/**
 * Liquidations go by the mark price, so the stop of last resort must too: a mark that has run ahead of the last price
 * would otherwise liquidate the position before its stop. The plan's own stops and targets follow traded prices, as the
 * strategy meant them.
 */
export function workingTypeOf(request: OrderRequest): "MARK_PRICE" | "CONTRACT_PRICE" {
  const chosen = request.workingType ?? (request.purpose === "disaster-stop" ? "mark" : "last");
  return chosen === "mark" ? "MARK_PRICE" : "CONTRACT_PRICE";
}

export function sideText(side: 1 | -1): WireSide {
  return side === 1 ? "BUY" : "SELL";
}

const TIME_IN_FORCE: Readonly<Record<OrderRequest["timeInForce"], WireTimeInForce>> = {
  gtc: "GTC",
  ioc: "IOC",
  fok: "FOK",
  "post-only": "GTX",
};

const ALGO_TYPE: Readonly<Record<Exclude<OrderRequest["type"], "market" | "limit">, AlgoType>> = {
  "stop-market": "STOP_MARKET",
  "take-profit-market": "TAKE_PROFIT_MARKET",
  "stop-limit": "STOP",
  "take-profit-limit": "TAKE_PROFIT",
  "trailing-stop": "TRAILING_STOP_MARKET",
};
