import type { OrderRequest } from "../../core/effects.ts";
import type { Answer } from "../../core/events.ts";
import type { AlgoStatus, OrderStatus } from "./gateway.ts";

/**
 * One order of ours as the exchange has told of it so far, from responses, events, queries and trades in any order and
 * any number of times. What is told to the core is each thing once, fills before the end:
 *
 *   sent ──accepted──► (triggered ──►) fills ──► end
 *
 * The exchange's word on how much was executed is kept apart from the fills that are known: an end is held back until
 * all fills before it are there, and fills that are missing are fetched by trade id.
 */
export interface OrderRecord {
  readonly request: OrderRequest;
  readonly clientId: string;
  readonly service: "regular" | "algo";
  /** When it was sent first, and when last; ms of the clock. 0 before. */
  sentAt: number;
  lastSent: number;
  /** Until when, by its own clock, the exchange may take what was sent; 0 before. */
  takenUntil: number;
  /** A request to place it is on its way. */
  placing: boolean;
  /** Nobody knows whether it has arrived. */
  unknown: boolean;
  accepted: boolean;
  triggered: boolean;
  /** It is being asked after. */
  asking: boolean;
  cancelAsked: boolean;
  cancelling: boolean;
  algoId: string;
  algoStatus: AlgoStatus | undefined;
  /** Id of the regular order: its own, or that of the order that a conditional one has become. */
  orderId: string;
  /** Lots of the regular order; 0 while not known (a conditional order that closes the position). */
  total: number;
  /** Exchange's time of the word on them: after an amendment an older one may still come. */
  totalAt: number;
  /** Lots executed by the exchange's word, and the sum of the fills that were told. */
  executed: number;
  known: number;
  readonly trades: Set<string>;
  /** How it ended by the exchange's word. */
  end: OrderEnd | undefined;
  /** The core has been told of its end. */
  over: boolean;
}

export interface OrderEnd {
  readonly how: "filled" | "cancelled" | "expired" | "rejected";
  readonly code: number;
  readonly reason: string;
}

/** What the core is to be told. */
export type OrderNews =
  | { readonly kind: "answer"; readonly answer: Answer; readonly code: number; readonly reason: string }
  | ({ readonly kind: "fill"; readonly done: boolean } & OrderFill);

export interface OrderFill {
  readonly trade: string;
  readonly lots: number;
  readonly price: number;
  /** 1e-8 USDT */
  readonly fee: number;
  readonly maker: boolean;
}

/** The core's conditional orders live in the exchange's service for these, all others in the regular one. */
export function serviceOf({ type }: OrderRequest): OrderRecord["service"] {
  return type === "market" || type === "limit" ? "regular" : "algo";
}

export function newRecord(request: OrderRequest, clientId: string): OrderRecord {
  const service = serviceOf(request);
  return {
    request,
    clientId,
    service,
    sentAt: 0,
    lastSent: 0,
    takenUntil: 0,
    placing: false,
    unknown: false,
    accepted: false,
    triggered: false,
    asking: false,
    cancelAsked: false,
    cancelling: false,
    algoId: "",
    algoStatus: undefined,
    orderId: "",
    total: service === "regular" ? request.lots : 0,
    totalAt: 0,
    executed: 0,
    known: 0,
    trades: new Set(),
    end: undefined,
    over: false,
  };
}

const ENDS: Readonly<Partial<Record<OrderStatus, OrderEnd["how"]>>> = {
  FILLED: "filled",
  CANCELED: "cancelled",
  EXPIRED: "expired",
  EXPIRED_IN_MATCH: "expired",
  REJECTED: "rejected",
};

/** The exchange knows the order: every later sign of life means the same. */
function accept(record: OrderRecord, news: OrderNews[]): void {
  record.unknown = false;
  if (record.accepted) return;
  record.accepted = true;
  news.push(answer("accepted"));
}

/** How many lots the exchange says that the order has, at its time. */
export function sizeIs(record: OrderRecord, total: number, time: number): void {
  if (total === 0 || time < record.totalAt) return;
  record.total = total;
  record.totalAt = time;
}

/** What a response, an event or a query says of the regular order. */
export function regularState(
  record: OrderRecord,
  said: {
    readonly orderId: string;
    readonly status: OrderStatus;
    /** Lots of the order and lots executed. */
    readonly total: number;
    readonly executed: number;
    /** When it was so, ms of the exchange. */
    readonly time: number;
    readonly reason: string;
  },
  news: OrderNews[],
): void {
  record.orderId = said.orderId;
  // An older message may come late; what was executed never becomes less.
  if (said.executed > record.executed) record.executed = said.executed;
  sizeIs(record, said.total, said.time);
  const how = ENDS[said.status];
  if (how === "rejected" && !record.accepted) {
    record.unknown = false;
  } else {
    accept(record, news);
    if (record.service === "algo") trigger(record, news);
  }
  if (how !== undefined) record.end ??= { how, code: 0, reason: said.reason };
  settle(record, news);
}

function trigger(record: OrderRecord, news: OrderNews[]): void {
  if (record.triggered) return;
  record.triggered = true;
  news.push(answer("triggered"));
}

/** Later states do not go back to earlier ones. */
const RANK: Readonly<Record<AlgoStatus, number>> = {
  NEW: 0,
  TRIGGERING: 1,
  TRIGGERED: 2,
  CANCELED: 3,
  REJECTED: 3,
  EXPIRED: 3,
  FINISHED: 3,
};

/** What a response, an event or a query says of the conditional order. */
export function algoState(
  record: OrderRecord,
  said: {
    readonly algoId: string;
    readonly status: AlgoStatus;
    readonly actualOrderId: string;
    readonly reason: string;
  },
  news: OrderNews[],
): void {
  if (said.algoId !== "") record.algoId = said.algoId;
  if (said.actualOrderId !== "") record.orderId = said.actualOrderId;
  const { status } = said;
  if (record.algoStatus !== undefined && RANK[status] < RANK[record.algoStatus]) return;
  record.algoStatus = status;
  switch (status) {
    case "NEW":
    case "TRIGGERING":
      accept(record, news);
      break;
    case "TRIGGERED":
      accept(record, news);
      trigger(record, news);
      break;
    case "FINISHED":
      accept(record, news);
      // What became of it is the regular order's to tell; without one nothing was ever sent to the market.
      if (record.orderId === "") record.end ??= { how: "expired", code: 0, reason: said.reason || "finished" };
      break;
    case "CANCELED":
      accept(record, news);
      if (record.orderId === "") record.end ??= { how: "cancelled", code: 0, reason: said.reason };
      break;
    case "REJECTED":
    case "EXPIRED":
      // Refused when it triggered is another thing than refused when it was placed: it did stand.
      if (record.orderId === "") {
        const how = status === "REJECTED" && !record.accepted ? "rejected" : "expired";
        record.unknown = false;
        record.end ??= { how, code: 0, reason: said.reason || status.toLowerCase() };
      }
      break;
    default:
      status satisfies never;
  }
  settle(record, news);
}

/** A fill, from an event or from the list of trades; the same one may come from both. */
export function fill(record: OrderRecord, trade: OrderFill, news: OrderNews[]): void {
  if (record.trades.has(trade.trade)) return;
  record.trades.add(trade.trade);
  accept(record, news);
  if (record.service === "algo") trigger(record, news);
  record.known += trade.lots;
  if (record.known > record.executed) record.executed = record.known;
  const done = record.total > 0 && record.known >= record.total;
  if (done) {
    record.end = { how: "filled", code: 0, reason: "" };
    record.over = true;
  }
  news.push({ kind: "fill", done, ...trade });
  settle(record, news);
}

/** Whether the exchange has executed more than the fills that came in. */
export function lacksFills(record: OrderRecord): boolean {
  return record.executed > record.known;
}

/** Ends the order by our own conclusion, where the exchange will not. */
export function conclude(record: OrderRecord, end: OrderEnd, news: OrderNews[]): void {
  record.unknown = false;
  record.end ??= end;
  settle(record, news);
}

/** Tells of the end once everything before it has been told. A filled order ends with its last fill. */
function settle(record: OrderRecord, news: OrderNews[]): void {
  const { end } = record;
  if (record.over || end === undefined || lacksFills(record)) return;
  record.over = true;
  // All fills are known and none was the last one by its own account: the exchange has cut the order.
  news.push(answer(end.how === "filled" ? "expired" : end.how, end.code, end.reason));
}

function answer(what: Answer, code = 0, reason = ""): OrderNews {
  return { kind: "answer", answer: what, code, reason };
}
