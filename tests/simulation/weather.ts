import type { OrderRequest } from "../../src/core/effects.ts";
import type { AnswerEvent, FillEvent } from "../../src/core/events.ts";
import type { Exchange, Venue, VenueEvent, VenueRequest } from "../../src/exchange/exchange.ts";
import type { Random } from "../../src/market/random.ts";
import type { Climate } from "./climate.ts";

interface Inbound {
  at: number;
  readonly event: VenueEvent;
}

interface Outbound {
  at: number;
  readonly request: VenueRequest;
}

/** "Order does not exist": what a query finds out about a request that was lost on its way. */
const NO_SUCH_ORDER = -2013;
const OVERLOADED = -1008;
const USED_BEFORE = -4116;
/** How long a request may stay unanswered, and how long it takes until a query has settled what became of it. */
const ANSWER_TIMEOUT = 1_000;
const SETTLED_WITHIN = 20_000;

/**
 * The way between the trader and an exchange, with everything that can go wrong on it. A message keeps the time that
 * the exchange gave it and comes in at another.
 *
 * What stays promised, because the sender and the streams of a real exchange keep it too:
 *  - the market stream of a symbol keeps its order, and so does the account stream (fills, ends, funding,
 *    liquidations); between symbols, between the streams and for replies to requests (accepted, rejected,
 *    cancel-rejected) there is no order;
 *  - the sender holds a cancel back until the order that it is for has arrived;
 *  - that an order was cancelled is told by the account stream, after its last fill;
 *  - nothing is lost for good: what a dead connection swallowed is told again, an unknown request is settled;
 *  - listings, funding and liquidations have no identity by which the core could know them again, and are told once.
 *
 * In a calm climate it changes nothing at all.
 */
export class Weather implements Exchange {
  readonly #inner: Exchange;
  readonly #climate: Climate;
  readonly #random: Random;
  readonly #watch: (event: VenueEvent) => void;
  /** In order of arrival. */
  readonly #inbound: Inbound[] = [];
  readonly #outbound: Outbound[] = [];
  /** Earliest arrival that keeps the order of a stream. */
  readonly #streams = new Map<string, number>();
  /** Up to here the exchange has been worked out. */
  #known = Number.NEGATIVE_INFINITY;
  /** When the last message came in. */
  now = Number.NEGATIVE_INFINITY;
  /** Orders that have arrived, are on their way, or whose fate a query will settle. */
  readonly #heardOf = new Set<number>();
  readonly #orders = new Map<number, OrderRequest>();
  readonly #arrivals = new Map<number, number>();
  readonly #vanishing = new Set<number>();
  readonly #recent: VenueEvent[] = [];
  #outage = 0;

  /** @param watch is told everything as the exchange itself says it. */
  constructor(inner: Exchange, climate: Climate, random: Random, watch: (event: VenueEvent) => void) {
    this.#inner = inner;
    this.#watch = watch;
    this.#climate = climate;
    this.#random = random;
    for (const { from, to } of climate.outages) {
      this.#arrive({ kind: "connection", time: from, symbol: -1, up: false }, from);
      this.#arrive({ kind: "connection", time: to, symbol: -1, up: true }, to);
    }
  }

  get venue(): Venue {
    return this.#inner.venue;
  }

  get instruments(): Exchange["instruments"] {
    return this.#inner.instruments;
  }

  get ended(): boolean {
    return this.#inner.ended && this.quiet;
  }

  /** Nothing is on its way in either direction. */
  get quiet(): boolean {
    return this.#inbound.every(({ event }) => event.kind === "connection") && this.#outbound.length === 0;
  }

  next(until: number): VenueEvent | undefined {
    for (;;) {
      const arriving = this.#inbound[0]?.at ?? Number.POSITIVE_INFINITY;
      const leaving = this.#outbound[0]?.at ?? Number.POSITIVE_INFINITY;
      const due = arriving < leaving ? arriving : leaving;
      const target = due < until ? due : until;
      if (due > this.#known) {
        const event = this.#inner.next(target);
        if (event !== undefined) {
          if (event.time > this.#known) this.#known = event.time;
          this.#receive(event);
          continue;
        }
        if (target > this.#known && target !== Number.POSITIVE_INFINITY) this.#known = target;
      }
      if (due > until || due === Number.POSITIVE_INFINITY) return undefined;
      if (leaving < arriving) {
        const { at, request } = this.#outbound.shift()!;
        this.#inner.send(request, at);
        continue;
      }
      const { at, event } = this.#inbound.shift()!;
      this.now = at;
      if (event.kind === "answer" || event.kind === "fill") {
        this.#recent.push(event);
        if (this.#recent.length > 8) this.#recent.shift();
      }
      return event;
    }
  }

  send(request: VenueRequest, now: number): void {
    if (request.kind === "submit") return this.#submit(request, now);
    if (request.kind === "cancel") return this.#cancel(request, now);
    throw new Error("the core amends no orders: the weather has none for that yet");
  }

  /** Whether a request to place this order needs no repetition. */
  heardOf(id: number): boolean {
    return this.#heardOf.has(id);
  }

  /**
   * The trader's process died and comes back at `at`. What it had sent may be on its way still; what it has not heard
   * waits for it, and some of what it had heard is told once more.
   */
  restart(at: number): void {
    for (const event of this.#recent.splice(0)) if (this.#fails(0.5, at)) this.#arrive(event, this.#after(at));
    for (let i = this.#outbound.length - 1; i >= 0; i--) {
      const { request } = this.#outbound[i]!;
      if (request.kind !== "submit" || !this.#fails(0.5, at)) continue;
      this.#outbound.splice(i, 1);
      this.#heardOf.delete(request.order.id);
    }
  }

  #submit(request: Extract<VenueRequest, { kind: "submit" }>, now: number): void {
    const { id, symbol } = request.order;
    this.#orders.set(id, request.order);
    this.#heardOf.add(id);
    const reply = (answer: "rejected" | "unknown", code: number, reason: string, at: number) =>
      this.#arrive({ kind: "answer", time: at, symbol, order: id, answer, code, reason }, at);
    if (this.#fails(this.#climate.refuse, now)) {
      return reply("rejected", OVERLOADED, "the exchange is overloaded", this.#after(now));
    }
    let at = this.#after(now);
    const down = this.#isDown(now);
    if (down || this.#fails(this.#climate.unknown, now)) {
      reply("unknown", 0, "no answer", now + ANSWER_TIMEOUT);
      const settled = now + this.#random.whole(ANSWER_TIMEOUT, SETTLED_WITHIN);
      if (down || this.#random.chance(0.5)) {
        return reply("rejected", NO_SUCH_ORDER, "no such order", settled);
      }
      if (this.#random.chance(0.5)) at = settled;
    }
    this.#arrivals.set(id, at);
    this.#leave(request, at);
  }

  #cancel(request: Extract<VenueRequest, { kind: "cancel" }>, now: number): void {
    let at = this.#after(this.#backUp(now));
    const placed = this.#arrivals.get(request.order);
    if (placed !== undefined && placed > at) at = placed;
    this.#leave(request, at);
  }

  /** What the exchange has worked out sets out on its way to the trader. */
  #receive(event: VenueEvent): void {
    this.#watch(event);
    switch (event.kind) {
      case "answer":
        return this.#answer(event);
      case "fill":
        return this.#fill(event);
      case "bar":
        this.#stream("market", event);
        return this.#repeat(event);
      case "listing":
      case "mark":
      case "quote":
      case "connection":
        return this.#stream("market", event);
      case "funding":
      case "liquidation":
        return this.#stream("account", event);
    }
  }

  #answer(event: AnswerEvent): void {
    // The sender knows its own ids: a repetition that came too late says that the first one arrived.
    if (event.answer === "rejected" && event.code === USED_BEFORE) return;
    const vanished = this.#vanishing.delete(event.order) && event.answer !== "triggered";
    if (vanished && event.answer === "cancel-rejected") return;
    const told: AnswerEvent =
      vanished && event.answer === "cancelled"
        ? { ...event, answer: "expired", reason: "taken away by the exchange" }
        : event;
    if (told.answer === "accepted" || told.answer === "rejected" || told.answer === "cancel-rejected") {
      this.#arrive(told, this.#after(event.time));
    } else {
      this.#stream("account", told);
    }
    this.#repeat(told);
    const purpose = this.#orders.get(event.order)?.purpose;
    if (event.answer !== "accepted" || (purpose !== "working-stop" && purpose !== "disaster-stop")) return;
    if (!this.#fails(this.#climate.vanish, event.time)) return;
    const at = event.time + this.#random.whole(1, 200_000);
    if (at >= this.#climate.until) return;
    this.#vanishing.add(event.order);
    this.#leave({ kind: "cancel", order: event.order, symbol: event.symbol }, at);
  }

  #fill(event: FillEvent): void {
    let { lots, fee } = event;
    for (let part = 1; lots > 1 && this.#fails(this.#climate.split, event.time); part++) {
      const some = this.#random.whole(1, lots - 1);
      const share = Math.floor((fee * some) / lots);
      this.#tell({ ...event, trade: `${event.trade}/${part}`, lots: some, fee: share, done: false });
      lots -= some;
      fee -= share;
    }
    this.#tell({ ...event, lots, fee });
  }

  #tell(event: FillEvent): void {
    this.#stream("account", event);
    this.#repeat(event);
  }

  #stream(name: "market" | "account", event: VenueEvent): void {
    const key = `${name}:${event.symbol}`;
    const last = this.#streams.get(key) ?? Number.NEGATIVE_INFINITY;
    const after = this.#after(event.time);
    const at = after > last ? after : last;
    this.#streams.set(key, at);
    this.#arrive(event, at);
  }

  /** A second telling comes after the first, but is in no stream's order. */
  #repeat(event: VenueEvent): void {
    if (!this.#fails(this.#climate.duplicate, event.time)) return;
    const first = this.#inbound.findLast((message) => message.event === event)!.at;
    this.#arrive(event, first + this.#random.whole(0, 100_000));
  }

  #arrive(event: VenueEvent, at: number): void {
    const due = event.kind === "connection" ? at : this.#backUp(at, event.kind === "bar" || event.kind === "listing");
    insert(this.#inbound, { at: due, event });
  }

  #leave(request: VenueRequest, at: number): void {
    insert(this.#outbound, { at, request });
  }

  /** When a message that sets out at `time` arrives. */
  #after(time: number): number {
    const { delay, longest } = this.#climate;
    if (!this.#fails(delay, time)) return time;
    return time + this.#random.whole(1, longest) * (this.#random.chance(0.05) ? 10 : 1);
  }

  #fails(chance: number, time: number): boolean {
    return time < this.#climate.until && this.#random.chance(chance);
  }

  #isDown(time: number): boolean {
    return this.#backUp(time) !== time;
  }

  /** When the connection is up again, for what concerns our orders or for what concerns the market. */
  #backUp(time: number, market = false): number {
    const { outages } = this.#climate;
    while (this.#outage < outages.length && outages[this.#outage]!.to <= this.now) this.#outage++;
    for (let i = this.#outage; i < outages.length; i++) {
      const { from, to, feed } = outages[i]!;
      if (time >= from && time < to) return market && !feed ? time : to;
      if (from > time) break;
    }
    return time;
  }
}

/** Keeps a queue in order of arrival; what arrives at the same time keeps the order in which it set out. */
function insert<T extends { readonly at: number }>(queue: T[], message: T): void {
  let place = queue.length;
  while (place > 0 && queue[place - 1]!.at > message.at) place--;
  queue.splice(place, 0, message);
}
