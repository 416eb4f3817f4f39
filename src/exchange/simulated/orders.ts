import type { OrderRequest, OrderType } from "../../core/effects.ts";
import type { Instrument } from "../../core/instrument.ts";
import { type Contract, largestNotional } from "../../market/contract.ts";
import { exactNotional } from "./account.ts";

/**
 * How an accepted order waits. `market` takes liquidity at the next open, `arriving` is a limit that may do so once,
 * `resting` is a limit in the book, `conditional` waits for its trigger, `ended` is over.
 */
export type OrderState = "market" | "arriving" | "resting" | "conditional" | "ended";

export interface OpenOrder {
  /** Amending replaces it. */
  request: OrderRequest;
  /** The position it belongs to. */
  readonly slot: number;
  state: OrderState;
  /** Lots not filled yet; 0 for close-position orders, which have no quantity of their own. */
  remaining: number;
  /** Number of the first step in whose open phase, and in whose intrabar phase, the order takes part. */
  openFrom: number;
  insideFrom: number;
  readonly leverage: number;
  /** Lots that would open, the price they were valued at, and what is set aside for them in 1e-8 USDT. */
  opening: number;
  valuedAt: number;
  reserved: bigint;
  /** Of a trailing stop: the best price since its activation, ticks; 0 before. */
  best: number;
  /** Where ticks are played: lots that stand before this order at its price. */
  ahead: number;
}

/** A refusal as the exchange words it; `code` is Binance's. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
}

/** What the exchange knows of a symbol and position when a request arrives. */
export interface SymbolState {
  readonly instrument: Instrument;
  readonly contract: Contract;
  readonly listed: boolean;
  readonly hedge: boolean;
  /** Last traded price and mark, ticks. */
  readonly last: number;
  readonly mark: number;
  /** The opposite side's best price, which a crossing limit would take: the last price where there is no book. */
  readonly opposite: number;
  /** Signed lots held in the order's position. */
  readonly held: number;
  /** Of the order's position, and of the whole symbol. */
  readonly orders: readonly OpenOrder[];
  readonly openOrders: number;
  readonly openConditional: number;
}

/** Whether an order can only make a position smaller. In hedge mode that is what the leg's other side means. */
export function onlyReduces({ reduceOnly, closePosition, leg, side }: OrderRequest): boolean {
  return reduceOnly || closePosition || (leg === "long" && side < 0) || (leg === "short" && side > 0);
}

export function isConditional(type: OrderType): boolean {
  return type !== "market" && type !== "limit";
}

/** Conditional orders that act when the price moves in their own direction; the others take a profit. */
export function isStop(type: OrderType): boolean {
  return type === "stop-market" || type === "stop-limit" || type === "trailing-stop";
}

/** Orders that have a price of their own. */
export function isLimit(type: OrderType): boolean {
  return type === "limit" || type === "stop-limit" || type === "take-profit-limit";
}

/** Where a conditional or resting order stands, ticks; a trailing stop that is not active yet stands nowhere. */
export function levelOf(order: OpenOrder): number {
  const { request } = order;
  if (order.state !== "conditional") return request.price;
  if (request.type !== "trailing-stop") return request.trigger;
  if (order.best === 0) return request.side * Number.POSITIVE_INFINITY;
  return trailingLevel(request, order.best);
}

/** best × (1 ∓ callback), rounded away from the market, so that it acts late rather than early. */
export function trailingLevel(request: OrderRequest, best: number): number {
  const distance = request.callback ?? 0;
  return request.side < 0
    ? Math.floor((best * (10_000 - distance)) / 10_000)
    : Math.ceil((best * (10_000 + distance)) / 10_000);
}

/** Lets a trailing stop see a price: it becomes active, or moves its level along. Others stay as they are. */
export function trail(order: OpenOrder, price: number): void {
  const { type, side, trigger } = order.request;
  if (type !== "trailing-stop" || order.state !== "conditional") return;
  if (order.best === 0) {
    if (trigger === 0 || (price - trigger) * side <= 0) order.best = price;
  } else if ((price - order.best) * side < 0) {
    order.best = price;
  }
}

/** Price at which an order's value is judged before it is filled, ticks. */
export function valuationPrice(order: OrderRequest, last: number): number {
  if (order.type === "market") return last;
  if (order.type === "trailing-stop") return order.trigger > 0 ? order.trigger : last;
  if (order.type !== "limit") return isLimit(order.type) ? order.price : order.trigger;
  // A sell limit below the market would fill at the market, so that is what its margin must cover.
  return order.side < 0 && last > order.price ? last : order.price;
}

/** Whether a limit order meets the market at once. */
export function crosses(order: OrderRequest, last: number): boolean {
  return (last - order.price) * order.side <= 0;
}

/** Everything that is checked on arrival except margin. Undefined when the order is in order. */
export function refusalOf(order: OrderRequest, state: SymbolState): Refusal | undefined {
  const { instrument } = state;
  if (!state.listed) return { code: -4141, reason: `${instrument.symbol} is not trading` };
  return (
    legRefusal(order, state) ??
    countRefusal(order, state) ??
    quantityRefusal(order, state) ??
    priceRefusal(order, state) ??
    (order.closePosition ? closingRefusal(order, state) : undefined) ??
    (onlyReduces(order)
      ? state.held * order.side >= 0
        ? { code: -2022, reason: "reduce-only order rejected: no position on the other side" }
        : undefined
      : openingRefusal(order, state))
  );
}

function legRefusal(order: OrderRequest, { hedge }: SymbolState): Refusal | undefined {
  if (!hedge && order.leg !== "both") {
    return { code: -4061, reason: `position side ${order.leg} needs hedge mode; this exchange is in one-way mode` };
  }
  if (hedge && order.leg === "both") {
    return { code: -4061, reason: "in hedge mode an order names its position side, long or short" };
  }
  if (hedge && order.reduceOnly) {
    return { code: -1106, reason: "reduce-only must not be sent in hedge mode: the position side says it" };
  }
  return undefined;
}

function countRefusal(order: OrderRequest, state: SymbolState): Refusal | undefined {
  const { maxOrders, maxConditional } = state.contract;
  if (state.openOrders >= maxOrders)
    return { code: -2025, reason: `${maxOrders} orders are open, no more are allowed` };
  if (isConditional(order.type) && state.openConditional >= maxConditional) {
    return { code: -4045, reason: `${maxConditional} conditional orders are open, no more are allowed` };
  }
  return undefined;
}

function quantityRefusal(order: OrderRequest, { instrument, contract }: SymbolState): Refusal | undefined {
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
  const most = isLimit(order.type) ? instrument.maxLots : Math.min(instrument.maxLots, contract.maxMarketLots);
  if (lots > most) return { code: -4005, reason: `${lots} lots are more than the largest quantity, ${most}` };
  return undefined;
}

function priceRefusal(order: OrderRequest, state: SymbolState): Refusal | undefined {
  const { contract, mark, opposite } = state;
  const { type, side, price, trigger } = order;
  if (isLimit(type)) {
    if (!Number.isSafeInteger(price) || price <= 0)
      return { code: -4001, reason: `price of ${price} ticks is not positive` };
    if (price > contract.maxPrice) return { code: -4002, reason: `price ${price} is above ${contract.maxPrice}` };
    if (price < contract.minPrice) return { code: -4013, reason: `price ${price} is below ${contract.minPrice}` };
    const rate = side > 0 ? contract.percentUp : contract.percentDown;
    // Within what the mark allows: a buy at most mark × up, a sell at least mark × down.
    if (rate > 0 && (price - (mark * rate) / 100_000_000) * side > 0) {
      return side > 0
        ? { code: -4016, reason: `price ${price} is more than the mark ${mark} allows` }
        : { code: -4024, reason: `price ${price} is less than the mark ${mark} allows` };
    }
    if (type === "limit" && order.timeInForce === "post-only" && crosses(order, opposite)) {
      return { code: -5022, reason: `post-only order at ${price} would trade at ${opposite} at once` };
    }
  }
  if (!isConditional(type)) return undefined;
  const reference = order.workingType === "mark" ? mark : state.last;
  if (type === "trailing-stop") {
    const { callback } = order;
    if (callback === undefined || !(callback >= 10 && callback <= 2000 && callback % 10 === 0)) {
      return { code: -2007, reason: `callback of ${callback} basis points; allowed is 10 to 2000 in steps of 10` };
    }
    if (trigger === 0) return undefined;
  }
  if (!Number.isSafeInteger(trigger) || trigger <= 0) {
    return { code: -4006, reason: `trigger of ${trigger} ticks is not positive` };
  }
  // A trailing stop is activated from the side that a take-profit triggers from.
  const towards = isStop(type) && type !== "trailing-stop" ? side : -side;
  if ((reference - trigger) * towards >= 0) {
    return { code: -2021, reason: `order would immediately trigger: ${trigger} against a price of ${reference}` };
  }
  return undefined;
}

function closingRefusal(order: OrderRequest, state: SymbolState): Refusal | undefined {
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

function openingRefusal(order: OrderRequest, state: SymbolState): Refusal | undefined {
  const { instrument, contract, last, held } = state;
  const { leverage } = order;
  if (!Number.isInteger(leverage) || leverage < 0 || leverage > instrument.maxLeverage) {
    return { code: -4028, reason: `leverage ${leverage} is not between 1 and ${instrument.maxLeverage}` };
  }
  const price = valuationPrice(order, last);
  const value = exactNotional(instrument, order.lots, price);
  if (value < BigInt(instrument.minNotional)) {
    return { code: -4164, reason: `value ${value} is less than the smallest, ${instrument.minNotional} (1e-8 USDT)` };
  }
  const after = held + order.side * order.lots;
  const largest = largestNotional(contract, leverage > 0 ? leverage : 1);
  if (exactNotional(instrument, after < 0 ? -after : after, price) > largest) {
    return { code: -2027, reason: `position would exceed ${largest} (1e-8 USDT), the most at leverage ${leverage}` };
  }
  return undefined;
}
