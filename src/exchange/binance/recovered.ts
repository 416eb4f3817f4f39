import type { Effect, OrderRequest } from "../../core/effects.ts";
import type { Event } from "../../core/events.ts";
import type { Instrument } from "../../core/instrument.ts";
import type { State } from "../../core/state.ts";
import { clientIdText } from "./client-id.ts";
import { newRecord, type OrderRecord } from "./order-record.ts";
import { legKey } from "./reconcile.ts";
import { positionSideOf } from "./wire-order.ts";

/** What a process must know of its predecessors on the same book. */
export interface Recovered {
  /** Signed lots by leg. */
  readonly held: ReadonlyMap<string, number>;
  /** Trades that were told: symbol and trade id. */
  readonly trades: readonly string[];
  /** The last closings by the exchange, as `closingKey` names them: their events carry no trade. */
  readonly closings: readonly string[];
  /** All orders, those that have ended too: what comes late must find them. */
  readonly orders: readonly OrderRecord[];
  /** When legs that were adopted last became ours; ms. */
  readonly adopted: ReadonlyMap<string, number>;
  /** Last prices by symbol, ticks. */
  readonly prices: readonly number[];
  /** What happened before this was told in full; ms. */
  readonly since: number;
  /** Funding told since, by symbol; 1e-8 USDT. */
  readonly funding: ReadonlyMap<string, number>;
  /** Where entries were barred when the process ended; -1 is everywhere. */
  readonly barred: readonly number[];
}

/** How a closing by the exchange is known again where its trade is not. */
export function closingKey(symbol: string, lots: number, price: number): string {
  return `${symbol} ${lots} ${price}`;
}

const CLOSINGS_MAX = 200;
/** Orders that are remembered after their end, and trades once the books have agreed: as many as the client remembers. */
const ENDED_MAX = 2000;
const TRADES_MAX = 50_000;

/**
 * Gathers, from the events and effects of journals as they are replayed, what the exchange client of the next process
 * must know. `effect` is given every order effect that the core had, written or not: what was never written was never
 * sent, and is asked for all the same.
 */
export class Recovery {
  readonly #instruments: readonly Instrument[];
  readonly #hedge: boolean;
  readonly #held = new Map<string, number>();
  readonly #trades: string[] = [];
  readonly #closings: string[] = [];
  readonly #orders = new Map<number, OrderRecord>();
  readonly #prices: number[];
  /** Epoch of the lease that orders left under; 0 without one. */
  #lease = 0;
  #time = 0;
  #since = 0;
  readonly #funding = new Map<string, number>();
  readonly #adopted = new Map<string, number>();

  constructor(instruments: readonly Instrument[], hedge: boolean) {
    this.#instruments = instruments;
    this.#hedge = hedge;
    this.#prices = instruments.map(() => 0);
  }

  /** @param epoch of the process that had the effect: it is part of the order's client id */
  effect(effect: Effect, epoch: number): void {
    if (effect.kind === "submit") {
      const { order } = effect;
      const record = newRecord(order, clientIdText({ epoch, lease: this.#lease, number: order.id, auxiliary: false }));
      record.sentAt = this.#time;
      record.lastSent = this.#time;
      this.#orders.set(order.id, record);
      if (this.#orders.size > ENDED_MAX) this.#forget();
    } else if (effect.kind === "cancel") {
      const record = this.#orders.get(effect.order);
      if (record !== undefined) record.cancelAsked = true;
    }
  }

  /** The client id that an order was given when the core asked for it; undefined for one that is not known. */
  clientId(order: number): string | undefined {
    return this.#orders.get(order)?.clientId;
  }

  /** The journal of another process follows, which traded under no lease until it says so. */
  nextProcess(): void {
    this.#lease = 0;
  }

  event(event: Event): void {
    if (event.time > this.#time) this.#time = event.time;
    if (this.#since === 0) this.#since = event.time;
    switch (event.kind) {
      case "bar":
        this.#prices[event.symbol] = event.close;
        return;
      case "hold":
        if (event.hold === "lease") this.#lease = event.on ? 0 : event.epoch;
        return;
      case "agreement":
        this.#since = event.since;
        this.#funding.clear();
        // What was traded before is not read again.
        if (this.#trades.length > 2 * TRADES_MAX) this.#trades.splice(0, this.#trades.length - TRADES_MAX);
        return;
      case "funding": {
        const symbol = this.#instruments[event.symbol]?.symbol ?? "";
        this.#funding.set(symbol, (this.#funding.get(symbol) ?? 0) + event.amount);
        return;
      }
      case "mark":
        this.#prices[event.symbol] = event.price;
        return;
      case "answer": {
        const record = this.#orders.get(event.order);
        if (record === undefined) return;
        if (event.answer === "accepted") record.accepted = true;
        else if (event.answer === "triggered") record.triggered = true;
        else if (event.answer === "rejected" || event.answer === "cancelled" || event.answer === "expired") {
          record.end = { how: event.answer, code: event.code, reason: event.reason };
          record.over = true;
        }
        return;
      }
      case "fill": {
        const record = this.#orders.get(event.order);
        if (record === undefined || record.trades.has(event.trade)) return;
        record.trades.add(event.trade);
        record.accepted = true;
        record.known += event.lots;
        record.executed = Math.max(record.executed, record.known);
        if (event.done) record.over = true;
        this.#trades.push(`${this.#instruments[event.symbol]!.symbol}:${event.trade}`);
        this.#hold(record.request, event.lots);
        return;
      }
      case "adoption": {
        const { symbol, direction, lots } = event;
        const side = direction === 1 ? "LONG" : "SHORT";
        const leg = legKey(this.#instruments[symbol]!.symbol, this.#hedge ? side : "BOTH");
        this.#held.set(leg, (this.#held.get(leg) ?? 0) + direction * lots);
        this.#adopted.set(leg, event.since);
        return;
      }
      case "liquidation": {
        this.#closings.push(closingKey(this.#instruments[event.symbol]!.symbol, event.lots, event.price));
        if (this.#closings.length > CLOSINGS_MAX) this.#closings.shift();
        for (const leg of this.#legs(event.symbol)) {
          const held = this.#held.get(leg) ?? 0;
          if (held !== 0) this.#held.set(leg, held - Math.sign(held) * event.lots);
        }
        return;
      }
      default:
        return;
    }
  }

  #hold(request: OrderRequest, lots: number): void {
    const { symbol, side, purpose } = request;
    const leg = legKey(this.#instruments[symbol]!.symbol, positionSideOf(request, this.#hedge));
    const held = (this.#held.get(leg) ?? 0) + side * lots;
    // As the exchange client has counted it: what closes more than was held has taken somebody else's lots along.
    const excess = purpose !== "entry" && held * side > 0 && !this.#isEntering(symbol);
    this.#held.set(leg, excess ? 0 : held);
  }

  #isEntering(symbol: number): boolean {
    for (const { request, over } of this.#orders.values()) {
      if (!over && request.symbol === symbol && request.purpose === "entry") return true;
    }
    return false;
  }

  #legs(symbol: number): string[] {
    const name = this.#instruments[symbol]!.symbol;
    return (this.#hedge ? (["LONG", "SHORT"] as const) : (["BOTH"] as const)).map((side) => legKey(name, side));
  }

  #forget(): void {
    for (const [id, { over }] of this.#orders) {
      if (!over) continue;
      this.#orders.delete(id);
      return;
    }
  }

  /** Everything that was gathered, as plain data that shares its memory: to be copied before the next event. */
  image() {
    return {
      held: this.#held,
      trades: this.#trades,
      closings: this.#closings,
      orders: this.#orders,
      prices: this.#prices,
      lease: this.#lease,
      time: this.#time,
      since: this.#since,
      funding: this.#funding,
      adopted: this.#adopted,
    };
  }

  /** Takes over what `image` gave; to be called on a new one. */
  restore(image: RecoveryImage): void {
    for (const [leg, lots] of image.held) this.#held.set(leg, lots);
    // One by one: a call takes some 65,000 arguments and no more.
    for (const trade of image.trades) this.#trades.push(trade);
    for (const closing of image.closings) this.#closings.push(closing);
    for (const [id, record] of image.orders) this.#orders.set(id, record);
    for (const [symbol, price] of image.prices.entries()) this.#prices[symbol] = price;
    this.#lease = image.lease;
    this.#time = image.time;
    this.#since = image.since;
    for (const [symbol, amount] of image.funding) this.#funding.set(symbol, amount);
    for (const [leg, time] of image.adopted) this.#adopted.set(leg, time);
  }

  /**
   * A copy, because what has been gathered goes on being gathered while the exchange client works with this.
   * @param state the core after the last event
   */
  finish(state: State): Recovered {
    return {
      held: new Map([...this.#held].filter(([, lots]) => lots !== 0)),
      trades: [...this.#trades],
      closings: [...this.#closings],
      orders: [...this.#orders.values()].map((record) => ({ ...record, trades: new Set(record.trades) })),
      prices: [...this.#prices],
      since: this.#since,
      funding: new Map(this.#funding),
      adopted: new Map(this.#adopted),
      barred: [...state.barred.keys()],
    };
  }
}

/** What has been gathered, as plain data. */
export type RecoveryImage = ReturnType<Recovery["image"]>;
