import type { Side } from "../../core/effects.ts";
import type { BarEvent, Leg } from "../../core/events.ts";
import type { Instrument } from "../../core/instrument.ts";
import { ABSENT, type BarSource, type BarStep, barEvent, REAL } from "../../market/bar-source.ts";
import { assumedContract, percentOf } from "../../market/contract.ts";
import { Random } from "../../market/random.ts";
import type { Exchange, Venue, VenueEvent, VenueRequest } from "../exchange.ts";
import { type Account, type AccountModes, magnitude, type Position } from "./account.ts";
import { type CostOptions, Costs } from "./costs.ts";
import { Desk, type DeskOptions, toNumber } from "./desk.ts";
import { type BarPair, firstOnPath, gappedStop, gappedTarget, reached, trailedToClose, watched } from "./matching.ts";
import { isLimit, isStop, levelOf, type OpenOrder, trail } from "./orders.ts";

export interface SimulatedExchangeOptions extends CostOptions, DeskOptions {
  /** Whether positions exchange funding at the times that the source gives. */
  readonly fundingOn: boolean;
  /** Lets the exchange deleverage positions in profit: each with this chance at each open. Off by default. */
  readonly autoDeleveraging?: { readonly seed: number; readonly chance: number };
}

export interface SimulatedExchange extends Exchange {
  /** What the simulation takes for granted, in words for the report; the source's own assumptions not included. */
  readonly assumptions: readonly string[];
  /** The exchange's own books in 1e-8 USDT: to be compared with the trader's ledger. */
  readonly wallet: bigint;
  readonly available: bigint;
  /** What liquidations brought to the insurance fund, less what it paid for losses beyond the margin. */
  readonly insuranceFund: bigint;
  /** By symbol index; in hedge mode by 2 × symbol index, the long leg and then the short one. */
  readonly positions: readonly Readonly<Position>[];
  /** Ids of the orders that have not ended, by symbol and age. */
  readonly openOrders: readonly number[];
  /** Maintenance margin / margin balance of a position at the latest mark; Infinity once nothing is left. */
  marginRatio(symbol: number, leg: Leg): number;
  /** Closes a position at the next open as if a counterparty had gone bankrupt there. */
  deleverage(symbol: number, leg: Leg): void;
  /** The books themselves, to be read only; another object after `setModes`. */
  readonly account: Account;
  /** Last traded prices by symbol, ticks. */
  readonly lastPrices: Readonly<Float64Array>;
  /** Changes position and margin mode, as the exchange lets users do; false while anything is held or open. */
  setModes(modes: AccountModes): boolean;
  /** The most lots of an order that one match may fill, for worlds in which orders fill in parts; undefined: no bound. */
  boundFills(bound: ((order: number, remaining: number) => number) | undefined): void;
  /** What is worked out already and was not taken yet; the market does not move. */
  settled(): VenueEvent[];
  /** All events of the next happening up to a time: what `next` would work out at once, or the bars of one close. */
  happening(until: number): VenueEvent[];
}

/**
 * A market that plays bars and fills orders on them. It begins with the source's next step, so a caller may have
 * taken earlier ones for warm-up.
 *
 * A step of bars [t, t + timeframe) becomes, in this order:
 *
 * 1. Listings at t. A symbol that stops trading first closes its position at the last price and ends its orders.
 * 2. Funding at t.
 * 3. The open, at t: positions and stops that the price jumped over, then waiting market orders, then limits.
 *    Positions that the exchange deleverages go before all of these.
 * 4. Funding inside of the bar, then the inside of the bar at t + timeframe − 1: for each position the price goes
 *    from the open to the side that hurts it, then to the other one (without a position: low, then high), then to
 *    the close, which only trailing stops can meet. In hedge mode both legs see their own bad side first.
 * 5. The bars, at t + timeframe. The next step's events at that same time come after them, because what is decided on
 *    the bars must be able to reach the next open.
 *
 * Each happening is worked out when it is taken. A request takes part in the next phase that has not begun: orders
 * that arrive while the open is worked out wait inside of the same bar, market orders wait for the next open. Inside of
 * a bar that is so too, but for the stops of a position that a limit has just opened: the price goes on from there.
 * Nothing fills in a bar without volume.
 *
 * Liquidations and orders with `workingType: "mark"` follow the source's mark prices where it has them, traded prices
 * otherwise. Under cross margin other symbols stand at their close where their bar was played before, else at their
 * open.
 *
 * @throws RangeError when an option lies outside of its range.
 */
export function createSimulatedExchange(source: BarSource, options: SimulatedExchangeOptions): SimulatedExchange {
  return new BarExchange(source, options);
}

type Phase = "idle" | "listing" | "funding" | "open" | "funding-inside" | "inside" | "bars" | "over";

const NO_STEP: BarStep = {
  openTime: Number.NEGATIVE_INFINITY,
  status: new Uint8Array(0),
  open: new Float64Array(0),
  high: new Float64Array(0),
  low: new Float64Array(0),
  close: new Float64Array(0),
  volume: new Float64Array(0),
  listed: [],
  delisted: [],
  funding: [],
};

class BarExchange implements SimulatedExchange {
  readonly venue: Venue = "simulated";
  readonly instruments: readonly Instrument[];
  readonly assumptions: readonly string[];
  readonly #source: BarSource;
  readonly #costs: Costs;
  readonly #desk: Desk;
  readonly #fundingOn: boolean;
  readonly #opposite: (symbol: number, side: Side) => number;

  #phase: Phase = "idle";
  /** Next symbol or slot of the phase. */
  #cursor = 0;
  #fundingCursor = 0;
  #step: BarStep = NO_STEP;
  #funding: BarStep["funding"] = [];
  #stepNumber = 0;
  /** Where the price of the slot at the cursor is going inside of its bar; 0 before it moves. */
  #path: 1 | -1 | 0 = 0;
  /** Ways that are done: to the one side, to the other, to the close. */
  #ways = 0;
  #openedInside = false;

  /** Lots that may still be filled in the step of which the number stands beside it. */
  readonly #fillable: Float64Array;
  readonly #fillableOf: Float64Array;
  /** First step in whose open a position is to be deleveraged, by slot. */
  readonly #deleveraged = new Map<number, number>();
  readonly #chance: number;
  readonly #random: Random;
  /** The last step in whose open a slot was drawn for deleveraging. */
  readonly #drawn: Float64Array;

  constructor(source: BarSource, options: SimulatedExchangeOptions) {
    const { instruments } = source;
    this.instruments = instruments;
    this.assumptions = assumptionsOf(source, options);
    this.#source = source;
    this.#costs = new Costs(options);
    this.#desk = new Desk(instruments, source.contracts ?? instruments.map(assumedContract), this.#costs, options);
    this.#fundingOn = options.fundingOn;
    this.#opposite = (symbol) => this.#desk.last[symbol]!;
    this.#fillable = new Float64Array(instruments.length);
    this.#fillableOf = new Float64Array(instruments.length);
    const { seed, chance } = options.autoDeleveraging ?? { seed: 0, chance: 0 };
    if (!(chance >= 0 && chance <= 1)) throw new RangeError(`simulated exchange: deleveraging chance ${chance}`);
    this.#chance = chance;
    this.#random = new Random(seed);
    // Room for hedge mode, which may be chosen later.
    this.#drawn = new Float64Array(2 * instruments.length);
  }

  get ended(): boolean {
    return this.#phase === "over" && this.#desk.known.length === 0 && !this.#desk.unsettled;
  }

  get wallet(): bigint {
    return this.#desk.account.wallet;
  }

  get available(): bigint {
    return this.#desk.account.available;
  }

  get insuranceFund(): bigint {
    return this.#desk.insuranceFund;
  }

  get positions(): readonly Readonly<Position>[] {
    return this.#desk.account.positions;
  }

  get openOrders(): readonly number[] {
    return this.#desk.openOrders;
  }

  marginRatio(symbol: number, leg: Leg): number {
    return this.#desk.account.marginRatio(symbol, leg);
  }

  deleverage(symbol: number, leg: Leg): void {
    this.#deleveraged.set(this.#desk.account.slotOf(symbol, leg), this.#desk.nextOpen);
  }

  get account(): Account {
    return this.#desk.account;
  }

  get lastPrices(): Readonly<Float64Array> {
    return this.#desk.last;
  }

  setModes(modes: AccountModes): boolean {
    return this.#desk.setModes(modes);
  }

  boundFills(bound: ((order: number, remaining: number) => number) | undefined): void {
    this.#desk.bound = bound;
  }

  settled(): VenueEvent[] {
    return this.#desk.known.splice(0);
  }

  happening(until: number): VenueEvent[] {
    const first = this.next(until);
    if (first === undefined) return [];
    const events = [first, ...this.settled()];
    if (first.kind !== "bar") return events;
    for (let bar = this.#nextBar(); bar !== undefined; bar = this.#nextBar()) events.push(bar);
    this.#phase = "idle";
    return events;
  }

  next(until: number): VenueEvent | undefined {
    const { known } = this.#desk;
    for (;;) {
      const head = known[0];
      if (head !== undefined) return head.time <= until ? known.shift() : undefined;
      // Only now, with the fill taken, so that the trader's own cancels of the other exits came first.
      if (this.#desk.unsettled) {
        this.#desk.endStranded();
        continue;
      }
      if (this.#phase === "idle") this.#load();
      if (this.#phase === "over" || this.#phase === "idle" || this.#phaseTime() > until) return undefined;
      if (this.#phase === "bars") {
        const bar = this.#nextBar();
        if (bar !== undefined) return bar;
        this.#phase = "idle";
      } else {
        this.#advance();
      }
    }
  }

  send(request: VenueRequest, now: number): void {
    // Nothing that is still to come may be overtaken, or time would go back.
    const order = this.#desk.take(request, Math.min(now, this.#phaseTime()), this.#opposite);
    if (order === undefined || this.#phase !== "inside" || !this.#openedInside || order.slot !== this.#cursor) return;
    // A limit order has just opened the position, and the price goes on from there: its stops are met on the same way.
    const { type } = order.request;
    if (type === "stop-market" || type === "stop-limit") order.insideFrom = this.#stepNumber;
  }

  #load(): void {
    // Asked before the step is taken: the source writes the next one into the buffers of the last.
    const lastClose = this.#closeTime();
    const step = this.#source.step();
    if (step === undefined) {
      if (this.#source.waiting !== true) this.#phase = "over";
      return;
    }
    if (step.openTime < lastClose) throw new Error(`step at ${step.openTime} opens before the last one closed`);
    this.#step = step;
    this.#stepNumber++;
    this.#funding = step.funding.length > 1 ? step.funding.toSorted(byTimeAndSymbol) : step.funding;
    this.#fundingCursor = 0;
    this.#phase = "listing";
    this.#cursor = 0;
  }

  #closeTime(): number {
    return this.#step.openTime + this.#source.timeframe;
  }

  /** Earliest time of what the present phase still holds. */
  #phaseTime(): number {
    switch (this.#phase) {
      case "listing":
      case "funding":
      case "open":
        return this.#step.openTime;
      case "funding-inside":
        return this.#funding[this.#fundingCursor]?.time ?? this.#step.openTime;
      case "inside":
        return this.#closeTime() - 1;
      case "bars":
        return this.#closeTime();
      case "idle":
        // Before the first step nothing is known to come, so nothing can be overtaken.
        return this.#step === NO_STEP ? Number.POSITIVE_INFINITY : this.#closeTime();
      case "over":
        return Number.POSITIVE_INFINITY;
    }
  }

  /** Works out the next happening of the phase, or goes on to the next phase. */
  #advance(): void {
    const symbols = this.instruments.length;
    const { account } = this.#desk;
    switch (this.#phase) {
      case "listing":
        while (this.#cursor < symbols) if (this.#changeListing(this.#cursor++)) return;
        this.#phase = "funding";
        return;
      case "funding":
        while (
          this.#fundingCursor < this.#funding.length &&
          this.#funding[this.#fundingCursor]!.time <= this.#step.openTime
        ) {
          if (this.#fund(this.#funding[this.#fundingCursor++]!)) return;
        }
        this.#phase = "open";
        this.#desk.nextOpen = this.#stepNumber + 1;
        this.#cursor = 0;
        this.#copyPrices(this.#step.open, this.#desk.last);
        this.#copyPrices(this.#step.mark?.open ?? this.#step.open, account.marks);
        return;
      case "open":
        while (this.#cursor < account.slots) {
          if (this.#desk.isInvolved(this.#cursor) && this.#openOf(this.#cursor)) return;
          this.#cursor++;
        }
        for (const [slot, step] of this.#deleveraged) if (step <= this.#stepNumber) this.#deleveraged.delete(slot);
        this.#phase = "funding-inside";
        return;
      case "funding-inside":
        if (this.#fundingCursor < this.#funding.length) {
          this.#fund(this.#funding[this.#fundingCursor++]!);
          return;
        }
        this.#phase = "inside";
        this.#cursor = 0;
        this.#path = 0;
        return;
      case "inside":
        if (this.#desk.nextInside === this.#stepNumber) {
          this.#desk.nextInside = this.#stepNumber + 1;
          // What is sent from here on is sent in the bar's last millisecond, at its close.
          this.#copyPrices(this.#step.close, this.#desk.last);
        }
        while (this.#cursor < account.slots) {
          if (this.#desk.isInvolved(this.#cursor)) {
            if (this.#insideOf(this.#cursor)) return;
            const symbol = account.symbolOf(this.#cursor);
            if (this.#step.status[symbol] !== ABSENT) {
              account.marks[symbol] = (this.#step.mark?.close ?? this.#step.close)[symbol]!;
            }
          }
          this.#cursor++;
          this.#path = 0;
        }
        this.#phase = "bars";
        this.#cursor = 0;
        this.#copyPrices(this.#step.mark?.close ?? this.#step.close, account.marks);
        return;
    }
  }

  #copyPrices(from: Float64Array, to: Float64Array): void {
    const { status } = this.#step;
    for (let symbol = 0; symbol < status.length; symbol++) {
      if (status[symbol] !== ABSENT) to[symbol] = from[symbol]!;
    }
  }

  #nextBar(): BarEvent | undefined {
    const { status } = this.#step;
    while (this.#cursor < status.length) {
      const symbol = this.#cursor++;
      if (status[symbol] === ABSENT) continue;
      this.#desk.clock = this.#closeTime();
      return barEvent(this.#step, symbol, this.#desk.clock);
    }
    return undefined;
  }

  /** A symbol that is there counts as listed even if its listing fell into a warm-up that the caller took. */
  #changeListing(symbol: number): boolean {
    const { status, delisted, openTime } = this.#step;
    const { listed, last, account } = this.#desk;
    if (listed[symbol]) {
      if (delisted.length === 0 || !delisted.includes(symbol)) return false;
      listed[symbol] = false;
      const first = account.slotOf(symbol, "long");
      for (let slot = first; slot <= account.slotOf(symbol, "short"); slot++) {
        if (account.positions[slot]!.lots !== 0) this.#desk.liquidate(slot, "delisted", last[symbol]!, openTime);
        this.#desk.endAll(slot, openTime, "the symbol stopped trading");
      }
      this.#desk.emit({ kind: "listing", time: this.#desk.at(openTime), symbol, listed: false });
      // A symbol that comes back in the very step of its delisting is picked up here.
      if (status[symbol] === ABSENT || !this.#step.listed.includes(symbol)) return true;
    } else if (status[symbol] === ABSENT) {
      return false;
    }
    listed[symbol] = true;
    last[symbol] = this.#step.open[symbol]!;
    account.marks[symbol] = (this.#step.mark?.open ?? this.#step.open)[symbol]!;
    this.#desk.emit({ kind: "listing", time: this.#desk.at(openTime), symbol, listed: true });
    return true;
  }

  /** Funding is an event only where a position exchanges it, as on the real exchange; both legs in one. */
  #fund(funding: BarStep["funding"][number]): boolean {
    const { symbol, rate, time } = funding;
    const { account, last } = this.#desk;
    if (!this.#fundingOn) return false;
    const present = this.#step.status[symbol] !== ABSENT;
    const { mark: marks = this.#step } = this.#step;
    const mark = funding.mark > 0 ? funding.mark : present ? marks.open[symbol]! : last[symbol]!;
    let held = false;
    let amount = 0n;
    for (let slot = account.slotOf(symbol, "long"); slot <= account.slotOf(symbol, "short"); slot++) {
      if (account.positions[slot]!.lots === 0) continue;
      held = true;
      amount += account.fund(slot, rate, mark);
    }
    if (!held) return false;
    const at = this.#desk.at(time);
    this.#desk.emit({ kind: "funding", time: at, symbol, rate, mark, amount: toNumber(amount) });
    return true;
  }

  #hasTrades(symbol: number): boolean {
    return this.#step.status[symbol] === REAL && this.#step.volume[symbol]! > 0;
  }

  /** Lots that this bar's volume still allows. */
  #fillableIn(symbol: number): number {
    if (this.#fillableOf[symbol] !== this.#stepNumber) {
      this.#fillableOf[symbol] = this.#stepNumber;
      this.#fillable[symbol] = this.#hasTrades(symbol)
        ? this.#costs.fillableLots(this.instruments[symbol]!, this.#step.volume[symbol]!)
        : 0;
    }
    return this.#fillable[symbol]!;
  }

  #barOf(symbol: number): BarPair {
    const pick = ({ open, high, low, close }: NonNullable<BarStep["mark"]>) => ({
      open: open[symbol]!,
      high: high[symbol]!,
      low: low[symbol]!,
      close: close[symbol]!,
    });
    const last = pick(this.#step);
    return { last, mark: this.#step.mark === undefined ? last : pick(this.#step.mark) };
  }

  /** The next thing that happens to a position and its orders at the open; false when there is nothing more. */
  #openOf(slot: number): boolean {
    const step = this.#stepNumber;
    const { account } = this.#desk;
    const symbol = account.symbolOf(slot);
    const orders = this.#desk.orders[slot]!;
    const time = this.#step.openTime;
    const trades = this.#hasTrades(symbol);
    const open = this.#step.open[symbol]!;
    const bar = this.#barOf(symbol);
    if (trades) {
      if (this.#isDeleveraged(slot)) {
        this.#desk.liquidate(slot, "adl", open, time);
        return true;
      }
      if (account.liquidationLevel(slot, bar.mark.open, bar.mark.open) !== undefined) {
        this.#liquidate(slot, bar.mark.open, open, time);
        return true;
      }
      const stop = gappedStop(orders, step, bar);
      if (stop !== undefined) {
        this.#trigger(stop, open, time);
        return true;
      }
    }
    for (const order of orders) {
      if (order.openFrom > step) continue;
      trail(order, watched(order, bar).open);
      if (order.state !== "market" && order.state !== "arriving") continue;
      if (order.state === "market") this.#fillAtMarket(order, open, time);
      else if (trades || order.request.timeInForce !== "gtc") this.#arrive(order, open, time, trades);
      else order.openFrom = step + 1;
      return true;
    }
    if (!trades) return false;
    const target = gappedTarget(orders, step, bar);
    if (target === undefined) return false;
    // The price jumped over the order; taking the order's own price is the careful half of what may have happened.
    if (target.state === "conditional") this.#trigger(target, this.#within(bar, target.request.trigger), time);
    else if (this.#fillableIn(symbol) > 0) this.#execute(target, target.request.price, true, time);
    else return false;
    return true;
  }

  /** Whether the exchange closes the position against a bankrupt one: on command, or by its seeded draw. */
  #isDeleveraged(slot: number): boolean {
    const { positions, marks } = this.#desk.account;
    const { lots, cost } = positions[slot]!;
    if (lots === 0) return false;
    if ((this.#deleveraged.get(slot) ?? Number.POSITIVE_INFINITY) <= this.#stepNumber) return true;
    if (this.#chance === 0 || this.#drawn[slot] === this.#stepNumber) return false;
    this.#drawn[slot] = this.#stepNumber;
    const symbol = this.#desk.account.symbolOf(slot);
    const value = BigInt(lots) * BigInt(marks[symbol]!) * BigInt(this.instruments[symbol]!.unitValue);
    const inProfit = value > (lots > 0 ? cost : -cost);
    return inProfit && this.#random.chance(this.#chance);
  }

  /** The next thing that happens to a position and its orders inside of the bar; false when there is nothing more. */
  #insideOf(slot: number): boolean {
    const { account } = this.#desk;
    const symbol = account.symbolOf(slot);
    if (!this.#hasTrades(symbol)) return false;
    const orders = this.#desk.orders[slot]!;
    const position = account.positions[slot]!;
    const time = this.#closeTime() - 1;
    const bar = this.#barOf(symbol);
    if (this.#path === 0) {
      const shortFirst = position.lots < 0 || (account.hedge && account.legOf(slot) === "short");
      this.#path = shortFirst ? 1 : -1;
      this.#ways = 0;
      this.#openedInside = false;
    }
    for (;;) {
      if (this.#ways === 2) {
        const trailed = trailedToClose(orders, bar, this.#stepNumber);
        if (trailed === undefined) return false;
        this.#trigger(trailed, this.#within(bar, levelOf(trailed)), time);
        return true;
      }
      const path: Side = this.#path;
      const fills = this.#fillableIn(symbol) > 0;
      const order = firstOnPath(path, bar, position.lots, orders, this.#stepNumber, fills, this.#openedInside);
      const worst = path > 0 ? bar.mark.high : bar.mark.low;
      const level = position.lots * path < 0 ? account.liquidationLevel(slot, bar.mark.open, worst) : undefined;
      if (level !== undefined && (order === undefined || level * path <= levelOf(order) * path)) {
        // Of a position that was opened beyond the level the price is wherever it was then.
        const at = reached(path, level, bar.mark.open) ? bar.mark.open : level;
        this.#liquidate(slot, at, this.#within(bar, at), time);
        return true;
      }
      if (order === undefined) {
        this.#trailTo(orders, bar, path);
        this.#ways++;
        this.#path = path > 0 ? -1 : 1;
        continue;
      }
      const before = position.lots;
      if (order.state === "conditional") {
        const at = levelOf(order);
        const { open } = watched(order, bar);
        const worse = isStop(order.request.type) && reached(order.request.side, at, open) ? open : at;
        this.#trigger(order, this.#within(bar, worse), time, true);
      } else {
        this.#execute(order, levelOf(order), true, time);
      }
      if (position.lots !== 0 && before * position.lots <= 0) this.#openedInside = true;
      return true;
    }
  }

  /** Trailing stops follow the price to the end of its way; after an entry inside the bar nobody knows what came first. */
  #trailTo(orders: readonly OpenOrder[], bar: BarPair, path: Side): void {
    if (this.#openedInside) return;
    for (const order of orders) {
      if (order.insideFrom > this.#stepNumber || order.request.side === path) continue;
      const prices = watched(order, bar);
      trail(order, path > 0 ? prices.high : prices.low);
    }
  }

  /** A price that was traded in the bar: what the mark reaches need not have been. */
  #within({ last, mark }: BarPair, price: number): number {
    if (last === mark) return price;
    return price > last.high ? last.high : price < last.low ? last.low : price;
  }

  /**
   * Liquidates a position whose margin ratio came to 1 at `mark`. What the bar's volume can take is sold to the
   * market; a larger position is taken over by the insurance fund at the bankruptcy price.
   */
  #liquidate(slot: number, mark: number, reference: number, time: number): void {
    const { account } = this.#desk;
    const symbol = account.symbolOf(slot);
    const { lots } = account.positions[slot]!;
    account.marks[symbol] = mark;
    const market = this.#costs.takerPrice(lots > 0 ? -1 : 1, reference);
    const size = magnitude(lots);
    if (this.#fillableIn(symbol) >= size) {
      this.#fillable[symbol] = this.#fillable[symbol]! - size;
      this.#desk.liquidate(slot, "liquidation", account.boundedByBankruptcy(slot, market), time, market);
    } else {
      const worst = lots > 0 ? (market < 1 ? market : 1) : market * 4;
      this.#desk.liquidate(slot, "liquidation", account.boundedByBankruptcy(slot, worst), time);
    }
    this.#desk.endAll(slot, time, "the position was liquidated");
  }

  #trigger(order: OpenOrder, reference: number, time: number, inside = false): void {
    this.#desk.triggered(order, time);
    if (!isLimit(order.request.type)) {
      order.state = "market";
      this.#fillAtMarket(order, reference, time);
      return;
    }
    order.state = "arriving";
    this.#arrive(order, reference, time, true);
    // Where the price went after the trigger inside of this bar is not known.
    if (inside) order.insideFrom = this.#stepNumber + 1;
  }

  #execute(order: OpenOrder, price: number, maker: boolean, time: number): boolean {
    const { symbol } = order.request;
    const filled = this.#desk.execute(order, price, maker, time, this.#fillableIn(symbol));
    this.#fillable[symbol] = this.#fillable[symbol]! - filled;
    return order.state === "ended";
  }

  /** Takes what the bar's volume allows. What is left of an exit goes on at the next open, of an entry it expires. */
  #fillAtMarket(order: OpenOrder, reference: number, time: number): void {
    const { side, symbol } = order.request;
    order.openFrom = this.#stepNumber + 1;
    if (this.#execute(order, this.#costs.takerPrice(side, reference), false, time)) return;
    if (this.#desk.opposed(order) === 0) this.#desk.end(order, time, "expired", 0, this.#thinness(symbol));
  }

  #thinness(symbol: number): string {
    return this.#hasTrades(symbol) ? "the bar's volume allowed no more" : "nothing was traded in this bar";
  }

  /** A limit order that met the market, or wants all or nothing, has its one chance to take liquidity. */
  #arrive(order: OpenOrder, reference: number, time: number, trades: boolean): void {
    const { side, price, symbol, timeInForce } = order.request;
    const taken = this.#costs.takerPrice(side, reference);
    const acceptable = trades && (price - taken) * side >= 0;
    order.state = "resting";
    order.openFrom = this.#stepNumber + 1;
    if (timeInForce === "post-only") {
      if (acceptable) this.#desk.end(order, time, "expired", -5022, `post-only order would trade at ${taken} at once`);
      return;
    }
    if (timeInForce === "fok" && acceptable && this.#fillableIn(symbol) < order.remaining) {
      this.#desk.end(order, time, "expired", -5021, this.#thinness(symbol));
      return;
    }
    if (acceptable && this.#execute(order, taken, false, time)) return;
    if (timeInForce === "gtc") return;
    const reason = acceptable || !trades ? this.#thinness(symbol) : `the market at ${taken} is beyond the limit`;
    this.#desk.end(order, time, "expired", timeInForce === "fok" ? -5021 : 0, reason);
  }
}

function byTimeAndSymbol(a: { time: number; symbol: number }, b: { time: number; symbol: number }): number {
  return a.time - b.time || a.symbol - b.symbol;
}

/** What holds however the market is played: fees, modes, and what liquidation costs. */
export function accountAssumptions(source: BarSource, options: SimulatedExchangeOptions): readonly string[] {
  const percent = (fraction: number): string => `${Number((fraction * 100).toFixed(6))} %`;
  const { positionMode = "one-way", marginMode = "isolated" } = options;
  const contracts = source.contracts ?? source.instruments.map(assumedContract);
  const fees = new Set(contracts.map(({ liquidationFee }) => liquidationFee));
  const clearance = fees.size === 1 ? percentOf([...fees][0]!) : "the rules' fee";
  return [
    `fees: ${percent(options.takerFee)} taker, ${percent(options.makerFee)} maker, the same for all symbols`,
    `${positionMode} position mode, ${marginMode} margin`,
    ...(source.contracts === undefined
      ? ["maintenance margin: assumed, half of the initial margin at the highest leverage, one bracket; no price band"]
      : []),
    `liquidation when maintenance margin / margin balance comes to 1: the whole position, at the market but never beyond the bankruptcy price, or at it where there is too little volume; clearance fee ${clearance}, no commission`,
    "requests reach the exchange without delay",
  ];
}

function assumptionsOf(source: BarSource, options: SimulatedExchangeOptions): readonly string[] {
  const { autoDeleveraging, volumeShare } = options;
  return [
    ...accountAssumptions(source, options),
    `spread ${options.spreadBps} and slippage ${options.slippageBps} basis points; a taker pays half the spread and the slippage`,
    `fills take at most ${Number((volumeShare * 100).toFixed(6))} % of a bar's volume`,
    "inside a bar the price goes first to the side that hurts the position; limits and targets fill only when traded through",
    source.mark === undefined
      ? "mark prices: the traded ones, because bars carry no mark; a real mark is calmer, so liquidations come rather too early"
      : `mark prices: ${source.mark}; a position that is liquidated by them pays a price that was traded`,
    autoDeleveraging === undefined
      ? "no auto-deleveraging"
      : `auto-deleveraging: a position in profit is closed at an open with a chance of ${autoDeleveraging.chance}, seed ${autoDeleveraging.seed}`,
    options.fundingOn ? "funding is exchanged at the mark of its time, or at the bar's open without one" : "no funding",
  ];
}
