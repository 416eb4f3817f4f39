import type { AlgoReport, OrderReport, PositionSide } from "./gateway.ts";

/**
 * What has to be done so that our book and the venue's become one: a pure function of both and of the policy. The
 * venue's truth wins, but only what our own orders, trades or the exchange itself explain becomes part of our book;
 * whatever else lies at the venue is somebody else's.
 */
export interface OurBook {
  /** Signed lots by leg, as far as told. Legs that are absent hold nothing. */
  readonly legs: ReadonlyMap<string, number>;
  /** Orders that have not ended. */
  readonly orders: readonly OurOrder[];
  /** Symbols about which something came in or went out while the venue was asked: its picture may be older or newer. */
  readonly restless: ReadonlySet<string>;
  /** Differences (as `trades` actions name them) after which the trades were read without their going away. */
  readonly explained: ReadonlySet<string>;
}

export interface OurOrder {
  readonly symbol: string;
  readonly clientId: string;
  readonly service: "regular" | "algo";
  /** Lots executed as far as told. */
  readonly executed: number;
  /** A conditional order that has become a regular one; empty otherwise. */
  readonly bornOrderId: string;
}

export interface VenueBook {
  readonly legs: ReadonlyMap<string, number>;
  readonly orders: readonly (OrderReport & { readonly executedLots: number })[];
  readonly algoOrders: readonly AlgoReport[];
}

/**
 * What becomes of positions and orders that are not ours. Whatever it is, nothing is entered there while they last.
 *  - `ignore`: they are left alone.
 *  - `flatten`: positions are closed at the market and orders cancelled.
 *  - `adopt`: a position becomes ours and is protected; orders are left alone, and a position with orders that are not
 *    ours is not taken, since a stop of ours could be refused next to them.
 */
export const FOREIGN_POLICIES = ["ignore", "flatten", "adopt"] as const;
export type ForeignPolicy = (typeof FOREIGN_POLICIES)[number];

export interface Policy {
  readonly foreign: ForeignPolicy;
  /** Whether a client id was given by us, in whatever run. */
  readonly isOurs: (clientId: string) => boolean;
  /** Whether it belongs to something that is under way outside of the book, such as a probe of the stop path. */
  readonly isUnderWay: (clientId: string) => boolean;
}

export type Action =
  /** Our order is not open there, or executed more than we know: ask what became of it. */
  | { readonly kind: "ask"; readonly clientId: string }
  /** An order with an id of ours that our book has ended or never had: it goes. */
  | { readonly kind: "sweep"; readonly symbol: string; readonly clientId: string; readonly service: "regular" | "algo" }
  /** Legs of the symbol differ in these ways: read the trades, and see whether they still do. */
  | { readonly kind: "trades"; readonly symbol: string; readonly differences: readonly string[] }
  /** Lots of ours are gone and no trade of ours explains it: the book gives them up. */
  | { readonly kind: "shrink"; readonly leg: string; readonly lots: number }
  /** Lots or orders of somebody else. */
  | { readonly kind: "foreign"; readonly symbol: string; readonly what: string }
  | { readonly kind: "flatten-foreign"; readonly leg: string; readonly lots: number }
  | { readonly kind: "adopt-foreign"; readonly leg: string; readonly lots: number }
  | {
      readonly kind: "cancel-foreign";
      readonly symbol: string;
      readonly clientId: string;
      readonly service: "regular" | "algo";
    };

export interface Reconciliation {
  readonly actions: readonly Action[];
  /** Nothing of ours differs. Foreign things may be there. */
  readonly agreed: boolean;
  /** Symbols that have to be looked at again because they did not stand still. */
  readonly restless: readonly string[];
}

/** Name of a leg in both books. */
export function legKey(symbol: string, side: PositionSide): string {
  return `${symbol}:${side}`;
}

export function legOf(key: string): { readonly symbol: string; readonly side: PositionSide } {
  const colon = key.lastIndexOf(":");
  return { symbol: key.slice(0, colon), side: key.slice(colon + 1) as PositionSide };
}

export function reconcile(ours: OurBook, venue: VenueBook, policy: Policy): Reconciliation {
  const actions: Action[] = [];
  const restless = new Set<string>();
  reconcileOrders(ours, venue, policy, actions, restless);
  const foreign = reconcileLegs(ours, venue, policy, actions, restless);
  if (policy.foreign === "adopt") adoptLegs(ours, foreign, actions);
  const agreed = actions.every(({ kind }) => FOREIGN_ACTIONS.has(kind)) && restless.size === 0;
  return { actions, agreed, restless: [...restless].sort() };
}

/** What concerns somebody else's, and keeps our own books not apart. */
export const FOREIGN_ACTIONS: ReadonlySet<Action["kind"]> = new Set([
  "foreign",
  "flatten-foreign",
  "adopt-foreign",
  "cancel-foreign",
]);

function reconcileOrders(
  ours: OurBook,
  venue: VenueBook,
  policy: Policy,
  actions: Action[],
  restless: Set<string>,
): void {
  const regular = new Map(venue.orders.map((order) => [order.clientId, order]));
  const born = new Map(venue.orders.map((order) => [`${order.symbol}:${order.orderId}`, order]));
  const algo = new Map(venue.algoOrders.map((order) => [order.clientId, order]));
  const known = new Set<string>();
  const knownBorn = new Set<string>();
  for (const order of ours.orders) {
    known.add(order.clientId);
    if (order.bornOrderId !== "") knownBorn.add(`${order.symbol}:${order.bornOrderId}`);
    const there =
      order.service === "regular"
        ? regular.get(order.clientId)
        : (born.get(`${order.symbol}:${order.bornOrderId}`) ?? algo.get(order.clientId));
    const same = there !== undefined && (!("executedLots" in there) || there.executedLots <= order.executed);
    if (same) continue;
    if (ours.restless.has(order.symbol)) restless.add(order.symbol);
    else actions.push({ kind: "ask", clientId: order.clientId });
  }
  const services = [
    ["regular", venue.orders],
    ["algo", venue.algoOrders],
  ] as const;
  for (const [service, orders] of services) {
    for (const order of orders) {
      const { symbol, clientId } = order;
      if (known.has(clientId) || policy.isUnderWay(clientId)) continue;
      if (service === "regular" && knownBorn.has(`${symbol}:${(order as OrderReport).orderId}`)) continue;
      // It hangs and cannot be cancelled; as long as it does, nothing may be opened that it could close.
      if (policy.isOurs(clientId) && order.status === "TRIGGERING") {
        actions.push({ kind: "foreign", symbol, what: `order ${clientId} is stuck while triggering` });
        continue;
      }
      if (policy.isOurs(clientId)) {
        if (ours.restless.has(symbol)) restless.add(symbol);
        else actions.push({ kind: "sweep", symbol, clientId, service });
        continue;
      }
      // A triggered stop of ours need not carry our id, and is gone in a moment.
      if (service === "regular" && ours.restless.has(symbol)) {
        restless.add(symbol);
        continue;
      }
      actions.push({ kind: "foreign", symbol, what: `order ${clientId}` });
      if (policy.foreign === "flatten") actions.push({ kind: "cancel-foreign", symbol, clientId, service });
    }
  }
}

function reconcileLegs(
  ours: OurBook,
  venue: VenueBook,
  policy: Policy,
  actions: Action[],
  restless: Set<string>,
): ReadonlyMap<string, number> {
  const foreignLegs = new Map<string, number>();
  const unread = new Map<string, string[]>();
  for (const leg of [...new Set([...ours.legs.keys(), ...venue.legs.keys()])].sort()) {
    const held = ours.legs.get(leg) ?? 0;
    const there = venue.legs.get(leg) ?? 0;
    if (held === there) continue;
    const { symbol } = legOf(leg);
    if (ours.restless.has(symbol)) {
      restless.add(symbol);
      continue;
    }
    // Read before this very difference was there, the trades could not explain it.
    const difference = `${leg} ${held} ${there}`;
    if (!ours.explained.has(difference)) {
      const differences = unread.get(symbol);
      if (differences === undefined) unread.set(symbol, [difference]);
      else differences.push(difference);
    } else {
      // Of one's own lots only those can be there that the venue has on the same side.
      const left = held > 0 ? Math.min(held, Math.max(there, 0)) : Math.max(held, Math.min(there, 0));
      if (left !== held) actions.push({ kind: "shrink", leg, lots: held - left });
      const foreign = there - left;
      if (foreign === 0) continue;
      foreignLegs.set(leg, foreign);
      actions.push({ kind: "foreign", symbol, what: `${foreign} lots` });
      if (policy.foreign === "flatten") actions.push({ kind: "flatten-foreign", leg, lots: foreign });
    }
  }
  for (const [symbol, differences] of unread) actions.push({ kind: "trades", symbol, differences });
  return foreignLegs;
}

/** Takes what can be taken: a book has one position per symbol, and no order of anybody else's beside its own. */
function adoptLegs(ours: OurBook, foreign: ReadonlyMap<string, number>, actions: Action[]): void {
  for (const [leg, lots] of foreign) {
    const { symbol } = legOf(leg);
    const isHeld = [...ours.legs].some(([own, held]) => held !== 0 && legOf(own).symbol === symbol);
    const isOpen = ours.orders.some((order) => order.symbol === symbol);
    const others = actions.filter((action) => action.kind === "foreign" && action.symbol === symbol).length;
    if (!isHeld && !isOpen && others === 1) actions.push({ kind: "adopt-foreign", leg, lots });
  }
}
