import type { Effect, OrderRequest } from "../../src/core/effects.ts";
import type { AdoptionEvent, Event, FillEvent } from "../../src/core/events.ts";
import { trialBalance } from "../../src/core/ledger.ts";
import type { State } from "../../src/core/state.ts";
import type { VenueEvent } from "../../src/exchange/exchange.ts";
import type { SimulatedExchange } from "../../src/exchange/simulated/exchange.ts";
import type { Limits } from "./world.ts";

/** An invariant that did not hold, by name. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, text: string) {
    super(`${invariant}: ${text}`);
    this.invariant = invariant;
  }
}

interface AuditedOrder {
  readonly request: OrderRequest;
  accepted: boolean;
  cancelAsked: boolean;
  ended: boolean;
  filled: number;
}

interface AuditedLeg {
  /** Signed: positive is long. */
  lots: number;
  /** Lowest and highest price that lots held now may have cost. */
  lowest: number;
  highest: number;
  /** Since when it is held without an acknowledged stop that covers it and without an exit on its way; NaN: it is not. */
  nakedSince: number;
  /** The operator asked for its end. */
  mustEnd: boolean;
  /** Of the last decision to enter: its side, the price that was known, its lots, those that were opened since, and how its last order ended. */
  side: number;
  arrival: number;
  decided: number;
  opened: number;
  entryEnd: "open" | "cancelled" | "post-only" | "other";
}

const POST_ONLY_REFUSED = -5022;

/** A market exit that came to nothing is tried again after this long. */
const EXIT_RETRY = 1_000;
const DAY = 86_400_000;

/**
 * A second book, kept beside the core's and written without it: it sees the events that the core was given and the
 * effects that it had, as they stand in the journal, and nothing else. It counts money as cash flows instead of cost
 * and result, so it shares no rounding rule with the core or with the exchange.
 */
export class Auditor {
  readonly #limits: Limits;
  readonly #protectionTimeout: number;
  readonly #balance: bigint;
  readonly #unit: readonly bigint[];
  /** Basis points that an entry may be worse than the price of its decision; 0: no bound. */
  readonly #maxSlippage: number;
  readonly #limitOnly: boolean;
  readonly #orders = new Map<number, AuditedOrder>();
  /** Of them those that have not ended, as far as the trader was told. */
  readonly #open = new Map<number, AuditedOrder>();
  readonly #trades = new Set<string>();
  readonly #legs = new Map<string, AuditedLeg>();
  readonly #marks: number[];
  readonly #lastBars: number[];
  #cash = 0n;
  #now = 0;
  #lastId = 0;
  /** By the operator, as the commands say, and by the core itself, as its records say. */
  #operatorStopped = false;
  #coreStopped = false;
  #down = false;
  #day = -1;
  #dayStart = 0;
  fills = 0;
  /** Limit orders that waited to enter, those of them that filled in part before their end, and orders for their rest. */
  rested = 0;
  cut = 0;
  wentOn = 0;
  adoptions = 0;
  /** Money that came in or left for reasons outside of trading, 1e-8 USDT. */
  transferred = 0n;
  /** The longest time that a leg was held, as far as told, without a stop that covers it or an exit on its way, ms. */
  longestNaked = 0;

  constructor(state: State, limits: Limits) {
    const { config } = state;
    this.#limits = limits;
    this.#balance = BigInt(config.balance);
    this.#protectionTimeout = config.protectionTimeout;
    this.#maxSlippage = config.entry.maxSlippage;
    this.#limitOnly = config.entry.order === "limit-only";
    this.#unit = config.instruments.map(({ unitValue }) => BigInt(unitValue));
    this.#marks = config.instruments.map(() => 0);
    this.#lastBars = config.instruments.map(() => 0);
  }

  event(event: Event): void {
    if (event.time > this.#now) this.#now = event.time;
    switch (event.kind) {
      case "command":
        if (event.command === "resume") this.#operatorStopped = false;
        else if (event.command !== "flatten") this.#operatorStopped = true;
        if (event.command === "flatten" || event.command === "halt") this.#flattened();
        return;
      case "connection":
        this.#down = !event.up;
        return;
      case "bar":
        // A bar that is told again is no news.
        if (event.time <= this.#lastBars[event.symbol]!) return;
        this.#lastBars[event.symbol] = event.time;
        this.#marks[event.symbol] = event.close;
        return;
      case "mark":
        this.#marks[event.symbol] = event.price;
        return;
      case "funding":
        this.#cash += BigInt(event.amount);
        return;
      case "answer": {
        const order = this.#orders.get(event.order);
        if (order === undefined) throw new Violation("every answer has its order", `answer to order ${event.order}`);
        if (event.answer === "accepted") order.accepted = true;
        if (event.answer === "rejected" || event.answer === "cancelled" || event.answer === "expired") {
          if (order.ended) return;
          this.#end(order);
          const { symbol, purpose } = order.request;
          const postOnly = event.code === POST_ONLY_REFUSED ? "post-only" : "other";
          const how = event.answer === "cancelled" ? "cancelled" : postOnly;
          if (purpose === "entry") this.#leg(symbol).entryEnd = how;
          if (purpose === "entry" && waits(order.request) && order.filled > 0) this.cut++;
        }
        return;
      }
      case "fill":
        return this.#fill(event);
      case "transfer":
        this.transferred += BigInt(event.amount);
        this.#cash += BigInt(event.amount);
        this.#dayStart += event.amount;
        return;
      case "adoption":
        return this.#adopted(event);
      case "liquidation": {
        const leg = this.#leg(event.symbol);
        this.#cash -= BigInt(event.fee);
        this.#trade(event.symbol, leg, leg.lots > 0 ? -event.lots : event.lots, event.price, true);
        return;
      }
      default:
        return;
    }
  }

  /** What somebody else has paid for it was paid out of the same wallet. */
  #adopted({ symbol, direction, lots, cost }: AdoptionEvent): void {
    const leg = this.#leg(symbol);
    if (leg.lots !== 0) throw new Violation("what is adopted was not ours", `${lots} lots beside ${leg.lots}`);
    for (const { request } of this.#open.values()) {
      if (request.symbol !== symbol) continue;
      throw new Violation("what is adopted was not ours", `order ${request.id} is open on symbol ${symbol}`);
    }
    const price = cost / (lots * Number(this.#unit[symbol]!));
    leg.lots = direction * lots;
    [leg.lowest, leg.highest] = [Math.floor(price), Math.ceil(price)];
    this.#cash -= BigInt(direction) * BigInt(cost);
    this.#dayStart += direction * (this.#value(symbol, lots) - cost);
    this.adoptions++;
  }

  #flattened(): void {
    for (const { request } of this.#open.values()) {
      if (request.purpose === "entry") this.#leg(request.symbol).mustEnd = true;
    }
    for (const leg of this.#legs.values()) if (leg.lots !== 0) leg.mustEnd = true;
  }

  /** A book has one position per symbol, whichever leg of the account it lies on. */
  #leg(symbol: number): AuditedLeg {
    const key = `${symbol}:both`;
    let leg = this.#legs.get(key);
    if (leg === undefined) {
      leg = {
        lots: 0,
        lowest: 0,
        highest: 0,
        nakedSince: Number.NaN,
        mustEnd: false,
        side: 0,
        arrival: 0,
        decided: 0,
        opened: 0,
        entryEnd: "other",
      };
      this.#legs.set(key, leg);
    }
    return leg;
  }

  #end(order: AuditedOrder): void {
    order.ended = true;
    this.#open.delete(order.request.id);
    const { request } = order;
    const leg = this.#leg(request.symbol);
    if (request.purpose === "entry" && leg.lots === 0) leg.mustEnd = false;
  }

  #fill(event: FillEvent): void {
    if (this.#trades.has(event.trade)) return;
    this.#trades.add(event.trade);
    this.fills++;
    const order = this.#orders.get(event.order);
    if (order === undefined) throw new Violation("every fill has its order", `fill of order ${event.order}`);
    if (order.ended) throw new Violation("every order ends exactly once", `order ${event.order} fills after its end`);
    const { request } = order;
    order.filled += event.lots;
    if (request.type === "limit" && request.side * (event.price - request.price) > 0) {
      throw new Violation("a limit holds", `order ${request.id} at ${request.price} filled at ${event.price}`);
    }
    if (!request.closePosition && order.filled > request.lots) {
      throw new Violation("fills stay within the order", `order ${request.id}: ${order.filled} of ${request.lots}`);
    }
    this.#cash -= BigInt(event.fee);
    const leg = this.#leg(request.symbol);
    if (request.purpose === "entry") this.#opening(request, leg, event);
    this.#trade(request.symbol, leg, request.side * event.lots, event.price, request.purpose !== "entry");
    if (event.done) this.#end(order);
  }

  #opening(request: OrderRequest, leg: AuditedLeg, event: FillEvent): void {
    leg.opened += event.lots;
    if (event.done) leg.entryEnd = "other";
    if (leg.opened <= leg.decided) return;
    throw new Violation("no more is opened than decided", `entry ${request.id}: ${leg.opened} of ${leg.decided} lots`);
  }

  #trade(symbol: number, leg: AuditedLeg, signed: number, price: number, reduces: boolean): void {
    const after = leg.lots + signed;
    if (reduces && (leg.lots * signed >= 0 || after * leg.lots < 0)) {
      throw new Violation("reduce-only never opens", `${signed} lots on a position of ${leg.lots} of symbol ${symbol}`);
    }
    if (!reduces && leg.lots * signed < 0) {
      throw new Violation("an entry opens", `${signed} lots on a position of ${leg.lots} of symbol ${symbol}`);
    }
    this.#cash -= BigInt(signed) * BigInt(price) * this.#unit[symbol]!;
    if (leg.lots === 0 || price < leg.lowest) leg.lowest = reduces ? leg.lowest : price;
    if (leg.lots === 0 || price > leg.highest) leg.highest = reduces ? leg.highest : price;
    leg.lots = after;
    if (after === 0) {
      leg.mustEnd = false;
      leg.nakedSince = Number.NaN;
    }
  }

  effect(effect: Effect): void {
    if (effect.kind === "submit") return this.#submitted(effect.order);
    if (effect.kind === "cancel") {
      const order = this.#orders.get(effect.order);
      if (order === undefined) throw new Violation("a cancel has its order", `cancel of order ${effect.order}`);
      this.#cancelling(order);
      order.cancelAsked = true;
    } else if (effect.kind === "record" && effect.record.kind === "trading-state") {
      const { to } = effect.record;
      this.#coreStopped = to === "reduce-only" || to === "halted";
    } else if (effect.kind === "record" && effect.record.kind === "equity") {
      const day = Math.floor(this.#now / DAY);
      if (day !== this.#day) this.#dayStart = this.equity();
      this.#day = day;
    }
  }

  #submitted(request: OrderRequest): void {
    const { id, symbol, purpose } = request;
    if (this.#orders.has(id) || id <= this.#lastId) throw new Violation("no double order", `id ${id} was used before`);
    const leg = this.#leg(symbol);
    if (purpose === "entry") {
      this.#entering(request, leg);
      this.#priced(request, leg);
    } else this.#closing(request, leg);
    this.#lastId = id;
    const order = { request, accepted: false, cancelAsked: false, ended: false, filled: 0 };
    this.#orders.set(id, order);
    this.#open.set(id, order);
  }

  #entering(request: OrderRequest, leg: AuditedLeg): void {
    const { symbol, lots, leverage } = request;
    if (this.#operatorStopped || this.#coreStopped)
      throw new Violation("nothing opens while halted or reduce-only", `entry ${request.id}`);
    if (this.#down) throw new Violation("nothing opens without a connection", `entry ${request.id}`);
    if (waits(request)) this.rested++;
    if (request.arrival !== undefined) return this.#goingOn(request, leg);
    if (leg.lots !== 0) throw new Violation("no double order", `entry ${request.id} on top of ${leg.lots} lots`);
    Object.assign(leg, {
      side: request.side,
      arrival: this.#marks[symbol]!,
      decided: lots,
      opened: 0,
      entryEnd: "open",
    });
    for (const other of this.#open.values()) {
      if (other.request.symbol !== symbol) continue;
      const text = `entry ${request.id} while order ${other.request.id} (${other.request.purpose}) may still act`;
      throw new Violation("no double order", text);
    }
    const { maxPositions, maxLeverage, maxMarginFraction, maxExposure, dailyLossLimit } = this.#limits;
    const equity = this.equity();
    const value = this.#value(symbol, lots);
    let exposure = value;
    let positions = 1;
    this.#legs.forEach((held, key) => {
      if (held.lots === 0) return;
      exposure += Math.abs(this.#value(Number.parseInt(key, 10), held.lots));
      positions++;
    });
    for (const { request: other, filled } of this.#open.values()) {
      if (other.purpose !== "entry") continue;
      exposure += this.#value(other.symbol, other.lots - filled);
      // One for the rest of a position belongs to that.
      if (filled === 0 && this.#leg(other.symbol).lots === 0) positions++;
    }
    const numbers = `entry ${request.id}: value ${value}, leverage ${leverage}, equity ${equity}, exposure ${exposure}`;
    // One unit in a billion for the core's arithmetic in floating point.
    const within = (amount: number, most: number) => amount <= most * (1 + 1e-9);
    const keeps =
      leverage >= 1 &&
      leverage <= maxLeverage &&
      within(value / leverage, maxMarginFraction * equity) &&
      within(exposure, maxExposure * equity) &&
      positions <= maxPositions &&
      (this.#dayStart - equity) / this.#dayStart < dailyLossLimit + 1e-9;
    if (!keeps) {
      const text = `${numbers}, ${positions} positions, the day began ${this.#dayStart}; ${JSON.stringify(this.#limits)}`;
      throw new Violation("limits hold", text);
    }
  }

  /** The rest of a decision: its limit order must have ended, and in a way that tells how much is left. */
  #goingOn({ id, symbol, leg: name, side, lots, arrival }: OrderRequest, leg: AuditedLeg): void {
    for (const { request } of this.#open.values()) {
      if (request.purpose !== "entry" || request.symbol !== symbol || request.leg !== name) continue;
      throw new Violation("no double order", `entry ${id} while entry ${request.id} may still act`);
    }
    if (this.#limitOnly) throw new Violation("no double order", `entry ${id} after a limit that was to be all`);
    const known = leg.entryEnd === "cancelled" || leg.entryEnd === "post-only";
    if (!known || leg.mustEnd || side !== leg.side || leg.opened + lots > leg.decided) {
      const text = `entry ${id} goes on with ${lots} lots after ${leg.opened} of ${leg.decided}, ${leg.entryEnd}`;
      throw new Violation("no double order", text);
    }
    if (arrival !== leg.arrival) throw new Violation("slippage is bounded", `entry ${id} measures from ${arrival}`);
    leg.entryEnd = "open";
    this.wentOn++;
  }

  /** Taken is up to the bound of what was known at the decision, and what waits is never worse than that. */
  #priced({ id, type, side, price, timeInForce }: OrderRequest, { arrival }: AuditedLeg): void {
    if (type === "market" && this.#maxSlippage === 0) return;
    const bound = timeInForce === "ioc" ? (arrival * this.#maxSlippage) / 10_000 : 0;
    if (type === "limit" && side * (price - arrival) <= bound) return;
    throw new Violation("slippage is bounded", `entry ${id}, ${type} at ${price}, was decided at ${arrival}`);
  }

  #closing(request: OrderRequest, leg: AuditedLeg): void {
    const { id, side, purpose } = request;
    // In hedge mode the other side of a leg only ever closes it.
    const isLegOf = (direction: number) => request.leg === (direction > 0 ? "long" : "short");
    const onlyCloses = request.leg === "both" ? request.reduceOnly !== request.closePosition : !request.reduceOnly;
    if (!onlyCloses || (request.leg !== "both" && !isLegOf(-side))) {
      throw new Violation("reduce-only never opens", `order ${id} (${purpose}) could open`);
    }
    if (leg.lots * side >= 0) {
      throw new Violation("reduce-only never opens", `order ${id} (${purpose}) does not close ${leg.lots} lots`);
    }
    if (!request.closePosition && request.lots > Math.abs(leg.lots)) {
      throw new Violation("reduce-only never opens", `order ${id}: ${request.lots} lots of ${leg.lots}`);
    }
    const most = purpose === "working-stop" ? 2 : 1;
    let same = 1;
    for (const other of this.#open.values()) {
      const { symbol, leg: its, purpose: for_ } = other.request;
      if (for_ === purpose && symbol === request.symbol && its === request.leg && !other.cancelAsked) same++;
    }
    if (same > most) {
      throw new Violation("one working stop with its replacement, one disaster stop", `${same} orders of ${purpose}`);
    }
  }

  /** A working stop of a position goes when another one stands, not before. */
  #cancelling({ request }: AuditedOrder): void {
    const leg = this.#leg(request.symbol);
    if (request.purpose !== "working-stop" || leg.lots === 0) return;
    for (const { request: other, accepted, cancelAsked } of this.#open.values()) {
      const same = other.symbol === request.symbol && other.leg === request.leg && other.purpose === request.purpose;
      if (same && other.id !== request.id && accepted && !cancelAsked) return;
    }
    throw new Violation("a stop goes after its successor is acknowledged", `stop ${request.id} has none`);
  }

  #value(symbol: number, lots: number): number {
    return lots * this.#marks[symbol]! * Number(this.#unit[symbol]!);
  }

  /** Cash in and out since the start, and what is held at the mark. */
  equity(): number {
    let equity = Number(this.#balance + this.#cash);
    this.#legs.forEach(({ lots }, key) => {
      equity += this.#value(Number.parseInt(key, 10), lots);
    });
    return equity;
  }

  /** After an event and all of its effects. */
  after(state: State): void {
    if (trialBalance(state.ledger) !== 0n) throw new Violation("the ledger balances", `${trialBalance(state.ledger)}`);
    let wallet = this.#balance + this.#cash;
    for (const [key, position] of state.positions) {
      const leg = this.#legs.get(key);
      const { lots, openedLots, cost } = position.holding;
      if (position.entering.kind === "resting" && lots < openedLots) {
        throw new Violation(
          "nothing grows that is being closed",
          `${key}: its entry rests at ${lots} of ${openedLots}`,
        );
      }
      if (position.direction * lots !== (leg?.lots ?? 0)) {
        throw new Violation("positions are the sum of fills", `${key}: ${lots} lots, audited ${leg?.lots ?? 0}`);
      }
      wallet += BigInt(position.direction) * cost;
      if (leg === undefined || lots === 0) continue;
      const [least, most] = [leg.lowest, leg.highest].map((price) => {
        return BigInt(lots) * BigInt(price) * this.#unit[position.symbol]!;
      }) as [bigint, bigint];
      // Cost that leaves in proportion is rounded by less than one unit per fill.
      const slack = BigInt(this.fills);
      if (cost < least - slack || cost > most + slack) {
        throw new Violation("the ledger balances", `${key}: ${lots} lots cost ${cost}, not ${least} to ${most}`);
      }
    }
    for (const [key, { lots }] of this.#legs) {
      if (lots !== 0 && !state.positions.has(key)) {
        throw new Violation("positions are the sum of fills", `${key}: the core knows nothing of ${lots} lots`);
      }
    }
    if (state.ledger.balances.wallet !== wallet) {
      const { balances } = state.ledger;
      throw new Violation("the ledger balances", `wallet ${balances.wallet}, audited ${wallet}`);
    }
    if (state.orders.size !== this.#open.size) {
      throw new Violation("every order ends exactly once", `${state.orders.size} open, audited ${this.#open.size}`);
    }
    this.#resting();
    this.#protection();
  }

  /** A limit order that waits for the market could open at any moment: not while nothing may be opened. */
  #resting(): void {
    if (!this.#operatorStopped && !this.#coreStopped && !this.#down) return;
    for (const { request, cancelAsked } of this.#open.values()) {
      if (waits(request) && !cancelAsked)
        throw new Violation("nothing rests while nothing may open", `entry ${request.id}`);
    }
  }

  /** No position stays longer than the bound without a stop that covers it, unless it is on its way out. */
  #protection(): void {
    if (this.#legs.size === 0) return;
    for (const [key, leg] of this.#legs) {
      if (leg.lots === 0) continue;
      let covered = 0;
      let leaving = false;
      for (const { request, accepted, cancelAsked, filled } of this.#open.values()) {
        if (`${request.symbol}:both` !== key || cancelAsked) continue;
        if (request.purpose === "exit") leaving = true;
        if (!accepted || (request.purpose !== "working-stop" && request.purpose !== "disaster-stop")) continue;
        covered += request.closePosition ? Math.abs(leg.lots) : request.lots - filled;
      }
      if (leaving || covered >= Math.abs(leg.lots)) {
        leg.nakedSince = Number.NaN;
        continue;
      }
      if (Number.isNaN(leg.nakedSince)) leg.nakedSince = this.#now;
      if (this.#now - leg.nakedSince > this.longestNaked) this.longestNaked = this.#now - leg.nakedSince;
      const bound = Math.max(this.#protectionTimeout, EXIT_RETRY);
      if (this.#now > leg.nakedSince + bound) {
        const text = `${key}: ${covered} of ${leg.lots} lots covered since ${this.#now - leg.nakedSince} ms`;
        throw new Violation("no unprotected position beyond the bound", text);
      }
    }
  }

  /** Nothing is on its way: the trader's book and the exchange's are the same. */
  quiet(state: State, exchange: SimulatedExchange): void {
    // What the weather tells in parts the exchange has booked at once: while something is held their costs are rounded
    // apart, by less than one unit per fill. The last lot takes the difference with it.
    let slack = 0n;
    for (const { lots } of this.#legs.values()) if (lots !== 0) slack = BigInt(this.fills);
    const difference = state.ledger.balances.wallet - exchange.wallet;
    if (difference > slack || difference < -slack) {
      const text = `wallet ${state.ledger.balances.wallet}, at the exchange ${exchange.wallet}`;
      throw new Violation("books agree when quiet", text);
    }
    exchange.positions.forEach(({ lots }, symbol) => {
      const known = this.#legs.get(`${symbol}:both`)?.lots ?? 0;
      if (known !== lots) {
        throw new Violation("books agree when quiet", `symbol ${symbol}: ${known} lots, at the exchange ${lots}`);
      }
    });
    const orders = [...state.orders.keys()].sort((a, b) => a - b).join();
    const there = exchange.openOrders.toSorted((a, b) => a - b).join();
    if (orders !== there) throw new Violation("books agree when quiet", `orders ${orders}, at the exchange ${there}`);
  }

  /** The world is over and everything had time to come to rest. */
  atRest(state: State): void {
    for (const [key, { lots, mustEnd }] of this.#legs) {
      if (lots !== 0 && mustEnd) {
        throw new Violation("what was asked to be flat is flat", `${key} still holds ${lots} lots`);
      }
      if (lots === 0 && state.positions.has(key)) {
        throw new Violation("every order ends exactly once", `${key} is still opening`);
      }
    }
    for (const { request, cancelAsked } of this.#open.values()) {
      const flat = this.#leg(request.symbol).lots === 0;
      if (!flat && !cancelAsked) continue;
      const text = `order ${request.id} (${request.purpose}) is left ${flat ? "on a flat leg" : "though it was cancelled"}`;
      throw new Violation("every order ends exactly once", text);
    }
  }
}

/** Whether an order waits for the market to come, to open a position. */
function waits({ purpose, type, timeInForce }: OrderRequest): boolean {
  return purpose === "entry" && type === "limit" && timeInForce !== "ioc";
}

/** Checks what the exchange says before any weather has touched it. */
export function exchangeAuditor(): (event: VenueEvent) => void {
  const orders = new Map<number, "accepted" | "ended">();
  const trades = new Set<string>();
  let time = Number.NEGATIVE_INFINITY;
  return (event) => {
    if (event.time < time) throw new Violation("the exchange's time does not go back", `${event.time} after ${time}`);
    time = event.time;
    if (event.kind === "fill") {
      if (trades.has(event.trade)) throw new Violation("a trade happens once", `trade ${event.trade}`);
      trades.add(event.trade);
    }
    if (event.kind !== "fill" && event.kind !== "answer") return;
    if (event.kind === "answer" && event.answer === "cancel-rejected") return;
    const known = orders.get(event.order);
    const begins = event.kind === "answer" && (event.answer === "accepted" || event.answer === "rejected");
    // An id that was used before is refused again and again.
    if (begins && event.answer === "rejected" && known !== undefined) return;
    if (known !== (begins ? undefined : "accepted")) {
      const what = event.kind === "answer" ? event.answer : "filled";
      throw new Violation("every order ends exactly once", `order ${event.order}: ${what} when ${known ?? "unknown"}`);
    }
    const stays = event.kind === "fill" ? !event.done : event.answer === "accepted" || event.answer === "triggered";
    orders.set(event.order, stays ? "accepted" : "ended");
  };
}
