import { Random } from "../../../market/random.ts";
import { FAULTS, type Fault, type FaultKind, type FaultScript } from "./faults.ts";
import type { AlgoRecord, OrderRecord } from "./order-records.ts";
import { answerRequest } from "./routes.ts";
import type { StreamConnection, StreamSink } from "./stream-hub.ts";
import type { Venue } from "./venue.ts";
import type { WireRequest, WireResponse } from "./wire.ts";
import { type ApiSession, answerMessage, routeOfMessage } from "./ws-api.ts";

/** Time outside of the market: wall time behind sockets, a clock of its own in tests. */
export interface Scheduler {
  /** ms UTC. */
  now(): number;
  after(ms: number, action: () => void): void;
}

export const WALL: Scheduler = {
  now: Date.now,
  after: (ms, action) => void setTimeout(action, ms),
};

/** A fault whose script was started. */
interface Started {
  readonly fault: Fault;
  /** On the script's clock. */
  readonly from: number;
  readonly until: number;
  readonly random: Random;
  readonly market: boolean;
  left: number;
}

const ONCE: readonly FaultKind[] = [
  "ban",
  "weight-exhausted",
  "disconnect",
  "half-open",
  "listen-key-expiry",
  "algo-vanished",
  "adl",
  "insurance-print",
];

/** States of the exchange: they strike once, when they are noticed, and hold until they are over. */
const LASTING: readonly FaultKind[] = ["maintenance", "clock-skew"];

/**
 * The way into a venue, and what goes wrong on it. Sockets and in-process clients come through the same door, so every
 * fault works on both, but for half-open sockets: those need the relay.
 */
export class Door {
  readonly venue: Venue;
  readonly scheduler: Scheduler;
  /** Leaves stream and API connections half-open, where a relay can. */
  onHalfOpen: ((fault: Fault) => void) | undefined;
  #started: Started[] = [];
  /** What waits for the message that overtakes it, by connection. */
  readonly #held = new Map<StreamConnection, string>();
  /** When an order is filled in part, nothing more of it is at that moment. */
  readonly #filledAt = new Map<number, number>();
  /** Times that each kind has struck. */
  readonly strikes = new Map<FaultKind, number>();

  constructor(venue: Venue, scheduler: Scheduler = WALL) {
    this.venue = venue;
    this.scheduler = scheduler;
  }

  /** The exchange's own clock, with what is wrong with it. */
  get now(): number {
    const now = this.scheduler.now();
    if (this.#started.length === 0) return now;
    const skew = this.#active("clock-skew");
    if (skew === undefined) return now;
    // It strikes once, by being read at all.
    if (skew.left > 0) {
      skew.left = 0;
      this.#count("clock-skew");
    }
    return now + (skew.fault.ms ?? 0);
  }

  get faults(): readonly Fault[] {
    return this.#started.map(({ fault }) => fault);
  }

  /** Starts a script beside those that run. */
  start(script: FaultScript): void {
    const market = script.clock === "market";
    const now = this.#clock(market);
    for (const [index, fault] of script.faults.entries()) {
      const from = now + (fault.at ?? 0);
      this.#started.push({
        fault,
        from,
        until: from + (fault.for ?? Number.POSITIVE_INFINITY),
        random: new Random(script.seed ?? 0, index),
        market,
        left: fault.count ?? (ONCE.includes(fault.kind) ? 1 : Number.POSITIVE_INFINITY),
      });
    }
    this.venue.hub.filter = (connection, stream, text) => this.#send(connection, stream, text);
    this.venue.feed.klineFilter = (symbol, interval, closed, publish) => this.#kline(symbol, interval, closed, publish);
    this.venue.exchange.boundFills((order, remaining) => this.#bound(order, remaining));
    this.venue.trading.mischief = {
      placedAlgo: (algo) => this.#placedAlgo(algo),
      placedOrder: (order) => this.#placedOrder(order),
      refusesReducing: () => this.#strike("reduce-only-rejected") !== undefined,
      orphans: () => this.#strike("algo-orphaned") !== undefined,
    };
    this.poll();
  }

  clear(): void {
    this.#started = [];
    this.venue.hub.filter = undefined;
    this.venue.feed.klineFilter = undefined;
    this.venue.exchange.boundFills(undefined);
    this.venue.trading.mischief = undefined;
    for (const [connection, text] of this.#held) connection.sink.send(text);
    this.#held.clear();
  }

  /** Lets happen what happens once. To be called now and then while faults run. */
  poll(): void {
    if (this.#started.length === 0) return;
    for (const kind of ONCE) {
      const fault = this.#strike(kind);
      if (fault !== undefined) this.#once(fault);
    }
    const maintenance = this.#active("maintenance");
    if (maintenance !== undefined && maintenance.left > 0) {
      maintenance.left = 0;
      this.#count("maintenance");
      this.#disconnect(undefined);
    }
    this.#started = this.#started.filter((started) => {
      const over = this.#clock(started.market) >= started.until;
      return !over && (started.left > 0 || LASTING.includes(started.fault.kind));
    });
  }

  /** @param respond called once, at once or later; never when the answer is lost */
  request(request: WireRequest, respond: (response: WireResponse) => void): void {
    this.poll();
    const route = `${request.method} ${request.path}`;
    const perform = () => answerRequest(this.venue, request, this.now);
    this.#pass(route, perform, respond, (status, body, retryAfter) => ({
      status,
      headers: {
        "content-type": body.startsWith("{") ? "application/json;charset=UTF-8" : "text/html",
        ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
      },
      body,
    }));
  }

  /** The same for a message of the WS API. */
  message(session: ApiSession, text: string, respond: (text: string) => void): void {
    this.poll();
    const { route, id } = routeOfMessage(text);
    const perform = () => answerMessage(this.venue, session, text, this.now);
    this.#pass(route, perform, respond, (status, body) => {
      const error = body.startsWith("{") ? body : JSON.stringify({ code: 0, msg: "refused" });
      return `{"id":${JSON.stringify(id)},"status":${status},"error":${error},"rateLimits":[]}`;
    });
  }

  /** Connects to a stream path; undefined when there is no such. */
  connect(path: string, query: string, sink: StreamSink): StreamConnection | undefined {
    return this.venue.hub.connect(path, query, sink);
  }

  #pass<Answer>(
    route: string,
    perform: () => Answer,
    respond: (answer: Answer) => void,
    refuse: (status: number, body: string, retryAfter?: number) => Answer,
  ): void {
    const hit = this.#started.length === 0 ? undefined : this.#hit(route);
    if (hit === undefined) return respond(perform());
    const { ms = 1000, executed, status = 400, code = -1000, message = "refused", retryAfter } = hit;
    const error = (number: number | undefined, msg: string) => JSON.stringify({ code: number, msg });
    switch (hit.kind) {
      case "request-delay":
        return this.scheduler.after(ms, () => respond(perform()));
      case "response-delay": {
        const answer = perform();
        return this.scheduler.after(ms, () => respond(answer));
      }
      case "request-lost":
        return;
      case "response-lost":
        perform();
        return;
      case "refusal":
        return respond(refuse(status, error(code, message), retryAfter));
      case "unknown":
        if (executed !== false) perform();
        return respond(refuse(503, error(undefined, UNKNOWN)));
      case "backend-timeout":
        if (executed !== false) perform();
        return respond(refuse(503, error(-1007, BACKEND_TIMEOUT)));
      case "overloaded":
        if (executed === true) perform();
        return respond(refuse(503, error(-1008, OVERLOADED)));
      case "unavailable":
        return respond(refuse(503, error(undefined, "Service Unavailable.")));
      case "maintenance":
        return respond(refuse(503, error(-1016, "This service is no longer available.")));
      case "forbidden":
        return respond(refuse(403, "<html><body><h1>403 Forbidden</h1></body></html>"));
      case "restricted":
        return respond(refuse(451, error(0, RESTRICTED)));
      default:
        return respond(perform());
    }
  }

  /** The fault that a request runs into, if any. */
  #hit(route: string): Fault | undefined {
    const trades = /^(POST|PUT|DELETE) .*(order|Order|leverage|marginType|positionSide)/.test(route);
    if (trades && this.#active("maintenance") !== undefined) return { kind: "maintenance" };
    for (const started of this.#started) {
      const { fault } = started;
      if (FAULTS[fault.kind] !== "request" || !route.startsWith(fault.route ?? "")) continue;
      if (this.#strikes(started)) return fault;
    }
    return undefined;
  }

  #send(connection: StreamConnection, stream: string, text: string): void {
    const { sink } = connection;
    let delay: number | undefined;
    for (const started of this.#started) {
      const { fault } = started;
      if (FAULTS[fault.kind] !== "stream" || !concerns(fault, connection, stream) || !this.#strikes(started)) continue;
      switch (fault.kind) {
        case "stream-drop":
        case "stream-silent":
          return;
        case "stream-duplicate":
          sink.send(text);
          break;
        case "stream-delay":
          delay = fault.ms ?? 1000;
          break;
        case "stream-reorder":
          if (this.#held.has(connection)) break;
          this.#held.set(connection, text);
          return;
      }
    }
    if (delay === undefined) sink.send(text);
    else this.scheduler.after(delay, () => sink.send(text));
    const held = this.#held.get(connection);
    if (held === undefined) return;
    this.#held.delete(connection);
    sink.send(held);
  }

  #kline(symbol: number, interval: string, closed: boolean, publish: () => void): void {
    if (closed && this.#strike("kline-gap") !== undefined) {
      this.venue.feed.symbols[symbol]!.klines.lose(interval);
      return;
    }
    const late = closed ? this.#strike("kline-late") : undefined;
    if (late === undefined) publish();
    else this.scheduler.after(late.ms ?? 24_000, publish);
  }

  #bound(model: number, remaining: number): number {
    const { trading, time } = this.venue;
    if (trading.isTriggering(model) && this.#strike("stuck-triggering") !== undefined) {
      trading.stick(model);
      return 0;
    }
    if (remaining === 0) return Number.MAX_SAFE_INTEGER;
    if (this.#filledAt.get(model) === time) return 0;
    const partial = this.#strike("partial-fill");
    if (partial === undefined) return remaining;
    this.#filledAt.set(model, time);
    return Math.max(1, Math.floor(remaining * (partial.share ?? 0.5)));
  }

  #placedAlgo(algo: AlgoRecord): void {
    const lost = this.#strike("algo-lost");
    if (lost !== undefined) algo.hiddenUntil = this.now + (lost.ms ?? 10_000);
  }

  #placedOrder(order: OrderRecord): void {
    const hidden = this.#strike("order-hidden");
    if (hidden !== undefined) order.hiddenUntil = this.now + (hidden.ms ?? 10_000);
  }

  #once(fault: Fault): void {
    const { venue } = this;
    const { exchange, trading, feed } = venue;
    switch (fault.kind) {
      case "ban":
        venue.limits.ban("127.0.0.1", this.now, fault.ms);
        return;
      case "weight-exhausted":
        venue.limits.exhaust("127.0.0.1", this.now);
        return;
      case "disconnect":
        return this.#disconnect(fault);
      case "half-open":
        this.onHalfOpen?.(fault);
        return;
      case "listen-key-expiry":
        return venue.expireListenKey(this.now);
      case "algo-vanished": {
        for (const algo of trading.openAlgos) {
          if (algo.order !== undefined || (fault.symbol ?? algo.instrument.symbol) !== algo.instrument.symbol) continue;
          trading.cancel(algo, venue.time);
          return;
        }
        return;
      }
      case "adl": {
        const { account } = exchange;
        const slot = account.positions.findIndex(
          ({ lots }, held) =>
            lots !== 0 &&
            (fault.symbol === undefined || exchange.instruments[account.symbolOf(held)]!.symbol === fault.symbol),
        );
        if (slot >= 0) exchange.deleverage(account.symbolOf(slot), account.legOf(slot));
        return;
      }
      case "insurance-print": {
        const symbol = fault.symbol === undefined ? 0 : (feed.bySymbol.get(fault.symbol) ?? 0);
        const price = Math.max(1, Math.round(feed.symbols[symbol]!.last * 0.8));
        feed.print(symbol, venue.time, price, exchange.instruments[symbol]!.minLots, "INSURANCE_FUND");
        return;
      }
    }
  }

  #disconnect(fault: Fault | undefined): void {
    for (const connection of [...this.venue.hub.connections]) {
      if (fault?.stream === undefined || concerns(fault, connection, "")) connection.sink.close(1001, "going away");
    }
  }

  /** The first fault of a kind that strikes now. */
  #strike(kind: FaultKind): Fault | undefined {
    for (const started of this.#started) {
      if (started.fault.kind === kind && this.#strikes(started)) return started.fault;
    }
    return undefined;
  }

  #strikes(started: Started): boolean {
    if (started.left <= 0 || !this.#runs(started)) return false;
    const { chance = 1 } = started.fault;
    if (chance < 1 && !started.random.chance(chance)) return false;
    started.left--;
    this.#count(started.fault.kind);
    return true;
  }

  #count(kind: FaultKind): void {
    this.strikes.set(kind, (this.strikes.get(kind) ?? 0) + 1);
  }

  /** A fault of a kind that lasts, without using it up. */
  #active(kind: FaultKind): Started | undefined {
    return this.#started.find((started) => started.fault.kind === kind && this.#runs(started));
  }

  #runs({ market, from, until }: Started): boolean {
    const now = this.#clock(market);
    return now >= from && now < until;
  }

  #clock(market: boolean): number {
    return market ? this.venue.time : this.scheduler.now();
  }
}

function concerns({ stream: wanted }: Fault, connection: StreamConnection, stream: string): boolean {
  if (wanted === undefined) return true;
  if (wanted === "user") return connection.category === "private";
  if (wanted === "market" || wanted === "public") return connection.category === wanted;
  return stream.includes(wanted);
}

const UNKNOWN = "Unknown error, please check your request or try again later.";
const BACKEND_TIMEOUT =
  "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";
const OVERLOADED = "Server is currently overloaded with other requests. Please try again in a few minutes.";
const RESTRICTED =
  "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. " +
  "Please contact customer service if you believe you received this message in error.";
