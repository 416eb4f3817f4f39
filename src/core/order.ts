import { assert, unreachable } from "./assert.ts";
import type { OrderRequest } from "./effects.ts";
import type { Answer } from "./events.ts";
import type { Position } from "./position.ts";

/**
 * One order from intent to end. States carry only their own data; an ended order leaves the book.
 *
 *   sent ──accepted──► working ──cancel asked──► cancelling
 *     │                   │                          │
 *     └── fill, rejected, cancelled, expired: filled so far is kept, `ended` says how
 *
 * A fill can overtake its acknowledgement: a sent order that fills is working. `unknown` changes nothing but the
 * knowledge that nobody knows: the order may be at the exchange, and is asked for, never sent again under a new id.
 */
export type OrderState =
  | { readonly kind: "sent" }
  | { readonly kind: "unknown" }
  | { readonly kind: "working" }
  | { readonly kind: "cancelling" }
  | { readonly kind: "ended"; readonly how: "filled" | "rejected" | "cancelled" | "expired" };

export interface Order {
  readonly request: OrderRequest;
  /** What it opens, protects or closes. */
  readonly position: Position;
  state: OrderState;
  filled: number;
  /** Trade ids already booked: the same fill may be reported twice. */
  readonly trades: Set<string>;
}

// Frozen, because many orders share them; an image of the book tells by it that they are values (journal/image.ts).
const SENT: OrderState = Object.freeze({ kind: "sent" });
const UNKNOWN: OrderState = Object.freeze({ kind: "unknown" });
const WORKING: OrderState = Object.freeze({ kind: "working" });
const CANCELLING: OrderState = Object.freeze({ kind: "cancelling" });
const FILLED: OrderState = Object.freeze({ kind: "ended", how: "filled" });
const REJECTED: OrderState = Object.freeze({ kind: "ended", how: "rejected" });
const CANCELLED: OrderState = Object.freeze({ kind: "ended", how: "cancelled" });
const EXPIRED: OrderState = Object.freeze({ kind: "ended", how: "expired" });

export function newOrder(request: OrderRequest, position: Position): Order {
  return { request, position, state: SENT, filled: 0, trades: new Set() };
}

/** The state after the exchange's answer. An ended order stays ended whatever comes late. */
export function afterAnswer(state: OrderState, answer: Answer): OrderState {
  if (state.kind === "ended") return state;
  switch (answer) {
    case "accepted":
    case "triggered":
    case "amended":
      return state.kind === "cancelling" ? CANCELLING : WORKING;
    case "unknown":
      return state.kind === "sent" ? UNKNOWN : state;
    case "amend-rejected":
      return state;
    // The order was not there any more to be cancelled: its end is, or will be, told by its own event.
    case "cancel-rejected":
      return state.kind === "cancelling" ? WORKING : state;
    case "rejected":
      return REJECTED;
    case "cancelled":
      return CANCELLED;
    case "expired":
      return EXPIRED;
    default:
      return unreachable(answer);
  }
}

/** The state after our request to cancel left. */
export function afterCancelRequest(state: OrderState): OrderState {
  return state.kind === "ended" ? state : CANCELLING;
}

/**
 * Books a fill into the order; false when that trade was booked before. An entry never fills further than was asked;
 * what only closes may: sent again under its own id it may be carried out twice, each time for what is still held.
 */
export function bookFill(order: Order, trade: string, lots: number, done: boolean): boolean {
  if (order.trades.has(trade)) return false;
  order.trades.add(trade);
  order.filled += lots;
  const { request } = order;
  assert(
    request.purpose !== "entry" || order.filled <= request.lots,
    `order ${request.id} filled ${order.filled} of ${request.lots} lots`,
  );
  if (done) order.state = FILLED;
  else if (order.state.kind === "sent" || order.state.kind === "unknown") order.state = WORKING;
  return true;
}

/** Lots that the order may still fill; a close-position order has no quantity of its own. */
export function remainingLots(order: Order): number {
  const lots = order.request.lots - order.filled;
  return lots > 0 ? lots : 0;
}
