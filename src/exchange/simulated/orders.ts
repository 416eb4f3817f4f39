import type { OrderRequest } from "../../core/effects.ts";
import type { Instrument } from "../../core/instrument.ts";
import { exactNotional } from "./account.ts";

/**
 * How an accepted order waits. `market` takes liquidity at the next open, `arriving` is a limit that may do so once,
 * `resting` is a limit in the book, `conditional` waits for its trigger.
 */
export type OrderState = "market" | "arriving" | "resting" | "conditional";

export interface OpenOrder {
  readonly request: OrderRequest;
  state: OrderState;
  /** Lots not filled yet; 0 for close-position orders, which have no quantity of their own. */
  remaining: number;
  /** Number of the first step in whose open phase, and in whose intrabar phase, the order takes part. */
  openFrom: number;
  insideFrom: number;
  readonly leverage: number;
  /** Lots that would open, the price they were valued at, and what is set aside for them in 1e-8 USDT. */
  opening: number;
  readonly valuedAt: number;
  reserved: bigint;
}

/** A refusal as the exchange words it; `code` is Binance's. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
}

/** What the exchange knows of a symbol when a request arrives. */
export interface SymbolState {
  readonly instrument: Instrument;
  readonly listed: boolean;
  /** Last traded price, ticks. */
  readonly last: number;
  /** Signed lots held. */
  readonly held: number;
  readonly orders: readonly OpenOrder[];
}

/** Whether an order can only make a position smaller. */
export function onlyReduces(order: OrderRequest): boolean {
  return order.reduceOnly || order.closePosition;
}

/** Price at which an order's value is judged before it is filled, ticks. */
export function valuationPrice(order: OrderRequest, last: number): number {
  if (order.type === "market") return last;
  if (order.type !== "limit") return order.trigger;
  // A sell limit below the market would fill at the market, so that is what its margin must cover.
  return order.side < 0 && last > order.price ? last : order.price;
}

/** Whether a limit order meets the market at once. */
export function crosses(order: OrderRequest, last: number): boolean {
  return (last - order.price) * order.side <= 0;
}

/** Everything that is checked on arrival except margin. Undefined when the order is in order. */
export function refusalOf(order: OrderRequest, state: SymbolState): Refusal | undefined {
  const { instrument, last, held } = state;
  if (!state.listed) return { code: -4141, reason: `${instrument.symbol} is not trading` };
  if (order.leg !== "both") {
    return { code: -4061, reason: `position side ${order.leg} needs hedge mode; this exchange is in one-way mode` };
  }
  return (
    quantityRefusal(order, instrument) ??
    priceRefusal(order, last) ??
    (onlyReduces(order) ? reducingRefusal(order, state) : openingRefusal(order, instrument, last)) ??
    (onlyReduces(order) && held * order.side >= 0
      ? { code: -2022, reason: "reduce-only order rejected: no position on the other side" }
      : undefined)
  );
}

function quantityRefusal(order: OrderRequest, instrument: Instrument): Refusal | undefined {
  const { lots } = order;
  if (order.closePosition) {
    if (lots !== 0) return { code: -4137, reason: "quantity must be 0 with close-position" };
    return undefined;
  }
  if (!Number.isSafeInteger(lots) || lots <= 0)
    return { code: -4003, reason: `quantity of ${lots} lots is not positive` };
  if (lots < instrument.minLots) {
    return { code: -4004, reason: `${lots} lots are less than the smallest quantity, ${instrument.minLots}` };
  }
  if (lots > instrument.maxLots) {
    return { code: -4005, reason: `${lots} lots are more than the largest quantity, ${instrument.maxLots}` };
  }
  return undefined;
}

function priceRefusal(order: OrderRequest, last: number): Refusal | undefined {
  if (order.type === "limit") {
    if (!Number.isSafeInteger(order.price) || order.price <= 0) {
      return { code: -4001, reason: `price of ${order.price} ticks is not positive` };
    }
    if (order.timeInForce === "post-only" && crosses(order, last)) {
      return { code: -5022, reason: `post-only order at ${order.price} would trade at ${last} at once` };
    }
  } else if (order.type !== "market") {
    if (!Number.isSafeInteger(order.trigger) || order.trigger <= 0) {
      return { code: -4006, reason: `trigger of ${order.trigger} ticks is not positive` };
    }
    const towards = order.type === "stop-market" ? order.side : -order.side;
    if ((last - order.trigger) * towards >= 0) {
      return {
        code: -2021,
        reason: `order would immediately trigger: ${order.trigger} against a last price of ${last}`,
      };
    }
  }
  return undefined;
}

function reducingRefusal(order: OrderRequest, state: SymbolState): Refusal | undefined {
  if (!order.closePosition) return undefined;
  if (order.reduceOnly) return { code: -1106, reason: "reduce-only must not be sent with close-position" };
  if (order.type !== "stop-market" && order.type !== "take-profit-market") {
    return { code: -4136, reason: `close-position is not allowed for a ${order.type} order` };
  }
  for (const { request } of state.orders) {
    if (request.closePosition && request.side === order.side && request.type === order.type) {
      return { code: -4130, reason: `close-position order ${request.id} exists in this direction` };
    }
  }
  return undefined;
}

function openingRefusal(order: OrderRequest, instrument: Instrument, last: number): Refusal | undefined {
  const { leverage } = order;
  if (!Number.isInteger(leverage) || leverage < 0 || leverage > instrument.maxLeverage) {
    return { code: -4028, reason: `leverage ${leverage} is not between 1 and ${instrument.maxLeverage}` };
  }
  const value = exactNotional(instrument, order.lots, valuationPrice(order, last));
  if (value < BigInt(instrument.minNotional)) {
    return { code: -4164, reason: `value ${value} is less than the smallest, ${instrument.minNotional} (1e-8 USDT)` };
  }
  return undefined;
}
