import type { Side } from "../../core/effects.ts";
import type { Position } from "./account.ts";
import type { OpenOrder } from "./orders.ts";

/** Prices of one traded bar, ticks. */
export interface BarPrices {
  readonly open: number;
  readonly high: number;
  readonly low: number;
}

/** The position's isolated margin is used up, or an order is reached. */
export type Happening = { readonly kind: "bankruptcy" } | { readonly kind: "order"; readonly order: OpenOrder };

const BANKRUPTCY: Happening = { kind: "bankruptcy" };

/** Whether a price has come to `level` when moving in `direction`. */
export function reached(direction: Side, level: number, price: number): boolean {
  return (price - level) * direction >= 0;
}

/** Whether a price has gone beyond `level` by at least one tick: a touch is no fill, others stood before us. */
export function tradedThrough(direction: Side, level: number, price: number): boolean {
  return (price - level) * direction > 0;
}

/** Whether the price took the position's whole margin. A long of leverage 1 has no such price: its level is 0. */
export function bankrupt(position: Position, price: number): boolean {
  if (position.lots === 0) return false;
  return reached(position.lots > 0 ? -1 : 1, position.bankruptcy, price);
}

/** Where a conditional or resting order stands, ticks. */
export function levelOf(order: OpenOrder): number {
  return order.state === "conditional" ? order.request.trigger : order.request.price;
}

/**
 * The stop that the open has jumped to or over; of several the one the price passed first. Only orders that were
 * there before the open count.
 */
export function gappedStop(orders: readonly OpenOrder[], step: number, open: number): OpenOrder | undefined {
  let first: OpenOrder | undefined;
  for (const order of orders) {
    const { type, side, trigger } = order.request;
    if (order.state !== "conditional" || type !== "stop-market" || order.openFrom > step) continue;
    if (!reached(side, trigger, open)) continue;
    if (first === undefined || trigger * side < first.request.trigger * side) first = order;
  }
  return first;
}

/** The first target or resting limit that the open has jumped over. */
export function gappedTarget(orders: readonly OpenOrder[], step: number, open: number): OpenOrder | undefined {
  for (const order of orders) {
    if (order.openFrom > step || order.request.type === "stop-market") continue;
    if (order.state !== "conditional" && order.state !== "resting") continue;
    if (tradedThrough(-order.request.side as Side, levelOf(order), open)) return order;
  }
  return undefined;
}

/**
 * What happens first while the price travels from the open to one extreme of the bar: the level nearest to the start
 * wins; at the same level the loss of the margin comes before stops, and stops before limits and targets.
 * Stops act when touched, limits and targets when traded through.
 *
 * @param direction 1 on the way to the high, -1 on the way to the low.
 * @param noGains the position was opened inside this bar: nobody knows what the price did after it, so nothing may
 *   close it with a gain before the next bar.
 */
export function firstOnPath(
  direction: Side,
  bar: BarPrices,
  position: Position,
  orders: readonly OpenOrder[],
  step: number,
  limitsFill: boolean,
  noGains: boolean,
): Happening | undefined {
  const extreme = direction > 0 ? bar.high : bar.low;
  let first: Happening | undefined;
  let nearest = 0;
  let firstIsStop = false;
  if (position.lots * direction < 0 && bankrupt(position, extreme)) {
    first = BANKRUPTCY;
    nearest = position.bankruptcy * direction;
    firstIsStop = true;
  }
  for (const order of orders) {
    if (order.insideFrom > step || (order.state !== "conditional" && order.state !== "resting")) continue;
    const level = levelOf(order);
    const { type, side } = order.request;
    const isStop = type === "stop-market";
    if (isStop) {
      if (side !== direction || !reached(direction, level, extreme)) continue;
    } else {
      if (side === direction || !tradedThrough(direction, level, extreme)) continue;
      if (order.state === "resting" && !limitsFill) continue;
      if (noGains && position.lots * direction > 0) continue;
    }
    const distance = level * direction;
    if (first === undefined || distance < nearest || (distance === nearest && isStop && !firstIsStop)) {
      first = { kind: "order", order };
      nearest = distance;
      firstIsStop = isStop;
    }
  }
  return first;
}
