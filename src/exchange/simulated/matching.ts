import type { Side } from "../../core/effects.ts";
import { isStop, levelOf, type OpenOrder } from "./orders.ts";

/** Prices of one bar, ticks. */
export interface BarPrices {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

/** The traded prices of a bar, and its mark prices: the same object where marks are not known. */
export interface BarPair {
  readonly last: BarPrices;
  readonly mark: BarPrices;
}

/** Whether a price has come to `level` when moving in `direction`. */
export function reached(direction: Side, level: number, price: number): boolean {
  return (price - level) * direction >= 0;
}

/** Whether a price has gone beyond `level` by at least one tick: a touch is no fill, others stood before us. */
export function tradedThrough(direction: Side, level: number, price: number): boolean {
  return (price - level) * direction > 0;
}

/** The prices that reach the trigger of an order; what rests in the book is reached by trades alone. */
export function watched(order: OpenOrder, bar: BarPair): BarPrices {
  return order.state === "conditional" && order.request.workingType === "mark" ? bar.mark : bar.last;
}

/**
 * The stop that the open has jumped to or over; of several the one the price passed first. Only orders that were
 * there before the open count.
 */
export function gappedStop(orders: readonly OpenOrder[], step: number, bar: BarPair): OpenOrder | undefined {
  let first: OpenOrder | undefined;
  for (const order of orders) {
    const { type, side } = order.request;
    if (order.state !== "conditional" || !isStop(type) || order.openFrom > step) continue;
    const level = levelOf(order);
    if (!reached(side, level, watched(order, bar).open)) continue;
    if (first === undefined || level * side < levelOf(first) * side) first = order;
  }
  return first;
}

/** The first target or resting limit that the open has jumped over. */
export function gappedTarget(orders: readonly OpenOrder[], step: number, bar: BarPair): OpenOrder | undefined {
  for (const order of orders) {
    if (order.openFrom > step) continue;
    if (order.state === "conditional" ? isStop(order.request.type) : order.state !== "resting") continue;
    if (tradedThrough(-order.request.side as Side, levelOf(order), watched(order, bar).open)) return order;
  }
  return undefined;
}

/**
 * The order that is reached first while the price travels from the open to one extreme of the bar: the level nearest
 * to the start wins; at the same level stops come before limits and targets. Stops act when touched, limits and
 * targets when traded through.
 *
 * @param direction 1 on the way to the high, -1 on the way to the low.
 * @param noGains the position was opened inside this bar: nobody knows what the price did after it, so nothing may
 *   close it with a gain before the next bar.
 */
export function firstOnPath(
  direction: Side,
  bar: BarPair,
  lots: number,
  orders: readonly OpenOrder[],
  step: number,
  limitsFill: boolean,
  noGains: boolean,
): OpenOrder | undefined {
  let first: OpenOrder | undefined;
  let nearest = 0;
  let firstIsStop = false;
  for (const order of orders) {
    if (order.insideFrom > step || (order.state !== "conditional" && order.state !== "resting")) continue;
    const level = levelOf(order);
    const { type, side } = order.request;
    const prices = watched(order, bar);
    const extreme = direction > 0 ? prices.high : prices.low;
    const stop = order.state === "conditional" && isStop(type);
    if (stop) {
      if (side !== direction || !reached(direction, level, extreme)) continue;
    } else {
      if (side === direction || !tradedThrough(direction, level, extreme)) continue;
      if (order.state === "resting" && !limitsFill) continue;
      if (noGains && lots * direction > 0) continue;
    }
    const distance = level * direction;
    if (first === undefined || distance < nearest || (distance === nearest && stop && !firstIsStop)) {
      first = order;
      nearest = distance;
      firstIsStop = stop;
    }
  }
  return first;
}

/** Trailing stops that the way from the last extreme to the close has reached. */
export function trailedToClose(orders: readonly OpenOrder[], bar: BarPair, step: number): OpenOrder | undefined {
  for (const order of orders) {
    if (order.request.type !== "trailing-stop" || order.state !== "conditional" || order.insideFrom > step) continue;
    if (reached(order.request.side, levelOf(order), watched(order, bar).close)) return order;
  }
  return undefined;
}
