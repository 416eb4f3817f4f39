import { type AdoptionTerms, adoptionTerms, type ForeignPosition } from "../../core/adoption.ts";
import type { AdoptionEvent, LiquidationCause } from "../../core/events.ts";
import type { Instrument } from "../../core/instrument.ts";
import { clientIdText, parseClientId } from "./client-id.ts";
import { costOf, lotsFrom, moneyOf, quantityText, ticksFrom } from "./decimals.ts";
import type { Gateway, Outcome, PositionReport, TradeReport } from "./gateway.ts";
import type { OrderDesk } from "./order-desk.ts";
import { lacksFills } from "./order-record.ts";
import {
  type Action,
  FOREIGN_ACTIONS,
  type ForeignPolicy,
  legKey,
  legOf,
  type Reconciliation,
  reconcile,
} from "./reconcile.ts";
import type { Schedule } from "./schedule.ts";

export interface ReconcilerTimes {
  /** Between two comparisons of the books. */
  readonly period: number;
  /** Until a comparison that something gave reason for, and between two passes of one. */
  readonly soon: number;
  readonly between: number;
  /** Until the next attempt after one that failed. */
  readonly again: number;
  /** Trades are read from this long before the books agreed last. */
  readonly overlap: number;
}

export const RECONCILER_TIMES: ReconcilerTimes = {
  period: 60_000,
  soon: 1000,
  between: 300,
  again: 5000,
  overlap: 60_000,
};

export interface ReconcilerOptions {
  readonly gateway: Gateway;
  readonly instruments: readonly Instrument[];
  readonly hedge: boolean;
  readonly epoch: number;
  /** Epoch of the lease that we trade under; 0 without one. */
  readonly lease: () => number;
  readonly clock: () => number;
  readonly marketTime: () => number;
  readonly schedule: Schedule;
  readonly times: ReconcilerTimes;
  readonly foreign: ForeignPolicy;
  /** Distance of an adopted position's stop from the market, as a share of the price. */
  readonly adoptedStop: number;
  /** Last price of a symbol, ticks; 0 while there is none. */
  readonly price: (symbol: string) => number;
  /** Lots of somebody else (signed, by leg) are ours from now on. */
  readonly adopt: (leg: string, lots: number, terms: Adoption) => void;
  readonly desk: OrderDesk;
  /** Our signed lots by leg, as told. */
  readonly held: ReadonlyMap<string, number>;
  /** Changes with everything that comes in or goes out about a symbol. */
  readonly motion: (symbol: string) => number;
  readonly isProbe: (clientId: string) => boolean;
  readonly isTold: (symbol: string, trade: string) => boolean;
  /** A trade of an order that is not ours; its client id, empty where nobody knows. */
  readonly stranger: (trade: TradeReport, clientId: string) => void;
  readonly gone: (leg: string, lots: number, cause: LiquidationCause) => void;
  readonly bar: (symbol: string | undefined, topic: string, reason: string | undefined) => void;
  readonly notice: (level: "info" | "warning" | "alarm", text: string) => void;
  /** Our wallet, or undefined while something has still to be taken. */
  readonly wallet: () => bigint | undefined;
  /** Funding told since the wallets agreed. */
  readonly fundingTold: () => ReadonlyMap<string, number>;
  readonly fund: (symbol: string, amount: number) => void;
  readonly transfer: (amount: number) => void;
  /** Both books agree, money included, about what happened before a time. */
  readonly settled: (since: number) => void;
}

/** What an adopted position has cost, and where its stops are to lie. */
export type Adoption = Pick<AdoptionEvent, "cost" | "leverage" | "mark" | "stop" | "disasterStop" | "since">;

/** A comparison must end within this many passes over a venue that stands still. */
export const MOST_PASSES = 3;
/** Passes in which something moved do not count, up to this many. */
const MOST_RESTLESS = 15;
/** Of the conditional orders that an account may have; from 80 % on people are told. */
const CONDITIONAL_LIMIT = 200;
/** Age of a trade up to which its order may not be found although it is there, ms. */
const YOUNG = 10_000;
/** Differences up to this are how the exchange rounds: booked without a word. 1e-8 USDT. */
const ROUNDING = 1_000_000;

/**
 * Compares the books and brings them together, at the start, after each reconnection, on a period, and whenever
 * something gave reason to. Entries wait for the first agreement, and stop where none can be had.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** When the books agreed last; trades before are all told. */
  since: number;
  /** Of the last comparison that ended: how many passes acted until the books agreed, and whether they did. */
  last: { readonly passes: number; readonly agreed: boolean; readonly at: number } | undefined;
  /** The exchange's wallet less ours when they were compared last, 1e-8 USDT. */
  drift = 0n;
  /** When the venue's book was read last, by the clock. */
  #readAt: number;
  #running = false;
  #wanted = false;
  #soonAt = Number.POSITIVE_INFINITY;
  #number = 0;
  /** What lies on symbols that is not ours, in words. */
  readonly #foreign = new Map<string, string>();
  /** Orders of ours that close what is somebody else's, by leg. */
  readonly #flattening = new Map<string, { readonly clientId: string; readonly at: number }>();
  /** Why positions are not adopted, by leg, as people were told. */
  readonly #notAdopted = new Map<string, string>();
  /** What the venue said of each leg when it was looked at last. */
  #positions: ReadonlyMap<string, PositionReport> = new Map();
  /** What had moved of each symbol when that was asked. */
  #motions: ReadonlyMap<string, number> = new Map();
  readonly #reading = new Map<string, Promise<boolean>>();
  #conditionalWarned = false;
  /** A difference of the wallets that was seen once: one look may catch money on its way. */
  #walletDifference: bigint | undefined;
  #walletSince: number;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.since = options.marketTime();
    this.#readAt = options.clock();
    this.#walletSince = this.since;
  }

  /** The books of an earlier process agreed at some time; everything since has to be found out. */
  resume(since: number): void {
    this.since = since;
    this.#walletSince = since;
  }

  /** Whether a comparison is under way. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Compares now, and again after the comparison that is under way. */
  now(): void {
    if (this.#running) {
      this.#wanted = true;
      return;
    }
    this.#running = true;
    void this.#run().then(() => {
      this.#running = false;
      if (this.#wanted) {
        this.#wanted = false;
        this.soon();
      }
    });
  }

  soon(): void {
    const { clock, schedule, times } = this.#options;
    this.#at(clock() + times.soon, schedule);
  }

  #at(time: number, schedule: Schedule): void {
    if (this.#soonAt <= time) return;
    this.#soonAt = time;
    schedule.at(time, () => {
      if (this.#soonAt !== time) return;
      this.#soonAt = Number.POSITIVE_INFINITY;
      this.now();
    });
  }

  #isBusy(): boolean {
    const { instruments, desk } = this.#options;
    return instruments.some(({ symbol }) => desk.isBusy(symbol));
  }

  #wait(time: number): Promise<void> {
    const { clock, schedule } = this.#options;
    return new Promise((resolve) => schedule.at(clock() + time, resolve));
  }

  async #run(): Promise<void> {
    const { bar, notice, times, clock, schedule } = this.#options;
    const explained = new Set<string>();
    let passes = 0;
    let restless = 0;
    for (;;) {
      const begun = this.#options.marketTime();
      const picture = await this.#look(explained);
      if (picture === undefined) {
        // Nothing is known: what agreed before is not doubted for one failed question, but it is asked for again.
        if (clock() - this.#readAt > 3 * times.period) bar(undefined, "books", "the exchange's book cannot be read");
        this.#at(clock() + times.again, schedule);
        return;
      }
      this.#readAt = clock();
      const marked = new Set(this.#foreign.keys());
      this.#markForeign(picture);
      if (picture.agreed) {
        await this.#treatForeign(picture, marked, begun);
        this.since = begun;
        this.last = { passes, agreed: true, at: clock() };
        bar(undefined, "books", undefined);
        await this.#compareWallets();
        break;
      }
      const acting = picture.actions.some(({ kind }) => !FOREIGN_ACTIONS.has(kind));
      if (acting ? passes === MOST_PASSES : restless === MOST_RESTLESS) {
        this.last = { passes, agreed: false, at: clock() };
        const text = `the books do not agree after ${passes} passes: ${picture.actions.map(describe).join("; ") || picture.restless.join(", ")}`;
        bar(undefined, "books", text);
        notice("alarm", text);
        this.#at(clock() + times.again, schedule);
        return;
      }
      if (acting) passes++;
      else restless++;
      await Promise.all(picture.actions.map((action) => this.#perform(action, explained)));
      await this.#wait(times.between);
      // Each look weighs 85 of the 1,920 of a minute: while nothing stands still it is looked at ever more rarely.
      const patience = acting ? 0 : Math.min(times.between * 2 ** restless, times.again);
      for (let waited = times.between; waited < patience && this.#isBusy(); waited += times.between) {
        await this.#wait(times.between);
      }
    }
    this.#at(clock() + times.period, schedule);
  }

  /** One pass: the venue's picture against ours. Undefined where the venue did not answer. */
  async #look(explained: ReadonlySet<string>): Promise<Reconciliation | undefined> {
    const { gateway, instruments, desk, held, motion, isProbe, foreign } = this.#options;
    const before = new Map(instruments.map(({ symbol }) => [symbol, motion(symbol)]));
    this.#motions = before;
    const [positions, orders, algoOrders] = await Promise.all([
      gateway.positions("protect"),
      gateway.openOrders(undefined, "protect"),
      gateway.openAlgoOrders(undefined, "protect"),
    ]);
    if (positions.kind !== "done" || orders.kind !== "done" || algoOrders.kind !== "done") return undefined;
    this.#countConditional(algoOrders.value.length);
    this.#forgetFlattening(orders.value);
    const restless = new Set<string>();
    for (const { symbol } of instruments) {
      if (motion(symbol) !== before.get(symbol) || desk.isBusy(symbol)) restless.add(symbol);
    }
    const ours = {
      legs: held,
      orders: [...desk.open].map((record) => ({
        symbol: desk.symbol(record),
        clientId: record.clientId,
        service: record.service,
        executed: record.executed,
        bornOrderId: record.service === "algo" ? record.orderId : "",
      })),
      restless,
      explained,
    };
    const traded = (symbol: string) => desk.indexOf(symbol) !== undefined;
    const lots = (symbol: string, quantity: string) => lotsFrom(instruments[desk.indexOf(symbol)!]!, quantity);
    const venue = {
      legs: this.#legs(positions.value.filter(({ symbol }) => traded(symbol))),
      orders: orders.value
        .filter(({ symbol }) => traded(symbol))
        .map((order) => ({ ...order, executedLots: lots(order.symbol, order.executed) })),
      algoOrders: algoOrders.value.filter(({ symbol }) => traded(symbol)),
    };
    return reconcile(ours, venue, {
      foreign,
      isOurs: (clientId) => parseClientId(clientId) !== undefined,
      isUnderWay: (clientId) => isProbe(clientId) || this.#isFlattening(clientId),
    });
  }

  #isFlattening(clientId: string): boolean {
    for (const one of this.#flattening.values()) if (one.clientId === clientId) return true;
    return false;
  }

  /** An order that closes what is somebody else's is forgotten once it is neither open nor may still arrive. */
  #forgetFlattening(open: readonly { readonly clientId: string }[]): void {
    const { clock, times } = this.#options;
    for (const [leg, { clientId, at }] of this.#flattening) {
      if (clock() - at < times.again || open.some((order) => order.clientId === clientId)) continue;
      this.#flattening.delete(leg);
    }
  }

  #legs(positions: readonly PositionReport[]): Map<string, number> {
    const { instruments, desk } = this.#options;
    const legs = new Map<string, number>();
    this.#positions = new Map(positions.map((one) => [legKey(one.symbol, one.positionSide), one]));
    for (const { symbol, positionSide, amount } of positions) {
      const lots = lotsFrom(instruments[desk.indexOf(symbol)!]!, amount);
      if (lots !== 0) legs.set(legKey(symbol, positionSide), lots);
    }
    return legs;
  }

  /** Nothing is entered where something of somebody else lies, for as long as it does. */
  #markForeign({ actions, restless }: Reconciliation): void {
    const { bar, notice, desk } = this.#options;
    const now = new Map<string, string>();
    // Until the trades were read, and while something moves, it is not known whose a difference is.
    const open = new Set(restless);
    for (const action of actions) {
      if (action.kind === "foreign") now.set(action.symbol, action.what);
      if (action.kind === "trades") open.add(action.symbol);
    }
    for (const symbol of [...this.#foreign.keys()]) {
      if (now.has(symbol) || open.has(symbol)) continue;
      this.#foreign.delete(symbol);
      bar(symbol, "foreign", undefined);
    }
    for (const [symbol, what] of now) {
      if (open.has(symbol) && this.#foreign.has(symbol)) continue;
      bar(symbol, "foreign", `somebody else's at the exchange: ${what}`);
      // Who trades a symbol beside us may have set it up for that.
      desk.forgetSymbol(symbol);
      if (!this.#foreign.has(symbol)) notice("warning", `${symbol}: somebody else's at the exchange: ${what}`);
      this.#foreign.set(symbol, what);
    }
  }

  /**
   * Does with somebody else's what the policy says, once our own books agree. Only on symbols that were barred before
   * this look, and after the core has taken that: nothing of ours can come in between.
   */
  async #treatForeign({ actions }: Reconciliation, marked: ReadonlySet<string>, begun: number): Promise<void> {
    const { wallet, clock, schedule, times } = this.#options;
    const isTaken = wallet() !== undefined;
    for (const action of actions) {
      if (action.kind === "foreign" || !FOREIGN_ACTIONS.has(action.kind)) continue;
      const symbol = "symbol" in action ? action.symbol : "leg" in action ? legOf(action.leg).symbol : "";
      if (!isTaken || !marked.has(symbol)) this.soon();
      // Whether it has worked is seen with another look; what was refused waits for the next one of its time.
      else if (await this.#treat(action, begun)) this.#at(clock() + times.again, schedule);
    }
  }

  /** False where it was refused. */
  async #treat(action: Action, begun: number): Promise<boolean> {
    switch (action.kind) {
      case "flatten-foreign":
        if (this.#flattening.has(action.leg)) return true;
        return (await this.#flatten(action.leg, action.lots)).kind !== "refused";
      case "cancel-foreign":
        return (await this.#cancel(action)).kind !== "refused";
      case "adopt-foreign":
        return await this.#adopt(action.leg, action.lots, begun);
      default:
        return false;
    }
  }

  async #perform(action: Action, explained: Set<string>): Promise<void> {
    const { desk, notice, gone } = this.#options;
    switch (action.kind) {
      case "ask": {
        const record = desk.record(action.clientId);
        if (record !== undefined) await new Promise<void>((resolve) => desk.ask(record, resolve));
        return;
      }
      case "sweep": {
        notice("warning", `${action.symbol}: order ${action.clientId} has outlived its position and is cancelled`);
        await this.#cancel(action);
        return;
      }
      case "trades":
        if (await this.readTrades(action.symbol)) for (const one of action.differences) explained.add(one);
        return;
      case "shrink": {
        notice(
          "alarm",
          `${action.leg}: ${Math.abs(action.lots)} lots are gone at the exchange without an order of ours`,
        );
        gone(action.leg, action.lots, "external");
        return;
      }
      case "foreign":
      case "flatten-foreign":
      case "cancel-foreign":
      case "adopt-foreign":
        // Somebody else's is seen to once our own books agree.
        return;
      default:
        action satisfies never;
    }
  }

  #flatten(leg: string, lots: number): Promise<Outcome<unknown>> {
    const { desk, gateway, notice, instruments, epoch, lease, clock } = this.#options;
    const { symbol, side } = legOf(leg);
    const instrument = instruments[desk.indexOf(symbol)!]!;
    notice("warning", `${symbol}: ${lots} lots of somebody else are closed`);
    const number = ++this.#number;
    const clientId = clientIdText({ epoch, lease: lease(), number, auxiliary: true }).replace("_", "_f");
    this.#flattening.set(leg, { clientId, at: clock() });
    return gateway.placeOrder(
      {
        symbol,
        clientId,
        side: lots > 0 ? "SELL" : "BUY",
        type: "MARKET",
        quantity: quantityText(instrument, Math.abs(lots)),
        ...(side === "BOTH" ? { reduceOnly: true } : { positionSide: side }),
      },
      "protect",
    );
  }

  /** Makes somebody else's position ours where it can be protected, and says why not where it cannot. */
  async #adopt(leg: string, lots: number, since: number): Promise<boolean> {
    const { gateway, desk, instruments, motion, adoptedStop, price, adopt, notice } = this.#options;
    const { symbol } = legOf(leg);
    const instrument = instruments[desk.indexOf(symbol)!]!;
    const configs = await gateway.symbolConfig("protect");
    const report = this.#positions.get(leg);
    // What has moved since it was looked at is looked at again.
    const still = motion(symbol) === this.#motions.get(symbol);
    if (configs.kind !== "done" || report === undefined || !still || desk.isBusy(symbol)) return true;
    const config = configs.value.find((one) => one.symbol === symbol);
    // As old as the picture of the position; what bars say may be a minute older, and a stop there may be passed.
    const mark = ticksFrom(instrument, report.markPrice);
    const position: ForeignPosition = {
      direction: lots > 0 ? 1 : -1,
      lots: Math.abs(lots),
      cost: costOf(instrument, Math.abs(lots), report.entryPrice),
      leverage: config?.leverage ?? 0,
      mark: mark > 0 ? mark : price(symbol),
    };
    // The whole wallet stands behind a crossed position: where it would be liquidated depends on all others.
    const terms: AdoptionTerms =
      report.isolated && config?.marginType !== "CROSSED"
        ? adoptionTerms(instrument, position, adoptedStop)
        : { kind: "refused", reason: "its margin is crossed, and positions here are isolated" };
    if (terms.kind === "stops") {
      const { cost, leverage, mark } = position;
      const { stop, disasterStop } = terms;
      this.#notAdopted.delete(leg);
      adopt(leg, lots, { cost, leverage, mark, stop, disasterStop, since });
      return true;
    }
    if (this.#notAdopted.get(leg) !== terms.reason) {
      notice(
        "alarm",
        `${symbol}: ${lots} lots of somebody else are not adopted: ${terms.reason}. Nothing is entered there`,
      );
    }
    this.#notAdopted.set(leg, terms.reason);
    return false;
  }

  #cancel(order: {
    readonly symbol: string;
    readonly clientId: string;
    readonly service: "regular" | "algo";
  }): Promise<Outcome<unknown>> {
    const { gateway } = this.#options;
    const { symbol, clientId } = order;
    return order.service === "regular"
      ? gateway.cancelOrder({ symbol, clientId }, "protect")
      : gateway.cancelAlgoOrder({ symbol, clientId }, "protect");
  }

  /** Reads the trades of a symbol since the books agreed and tells what is new. False where that did not succeed. */
  readTrades(symbol: string): Promise<boolean> {
    // One that is under way may have looked before what it is wanted for had happened.
    const before = this.#reading.get(symbol) ?? Promise.resolve(true);
    const reading = before.then(() => this.#readTrades(symbol));
    this.#reading.set(symbol, reading);
    return reading;
  }

  async #readTrades(symbol: string): Promise<boolean> {
    const { gateway, desk, isTold, stranger, times, schedule, clock } = this.#options;
    // Stops that have triggered must be known by the names of the orders that they became.
    const open = [...desk.open].filter((record) => desk.symbol(record) === symbol && record.service === "algo");
    await Promise.all(
      open
        .filter(({ orderId }) => orderId === "")
        .map((record) => new Promise<void>((resolve) => desk.ask(record, resolve))),
    );
    const lacking = [...desk.open].filter((record) => desk.symbol(record) === symbol && lacksFills(record));
    const from = { time: Math.min(this.since, ...lacking.map(({ sentAt }) => sentAt)) - times.overlap };
    const trades = await gateway.userTrades(symbol, from, "protect");
    if (trades.kind !== "done") {
      schedule.at(clock() + times.again, () => void this.readTrades(symbol));
      return false;
    }
    for (const trade of trades.value) {
      if (isTold(symbol, trade.tradeId) || desk.trade(trade)) continue;
      const order = await gateway.queryOrder({ symbol, orderId: trade.orderId }, "protect");
      if (order.kind === "done") {
        if (desk.adopt(order.value) && desk.trade(trade)) continue;
        stranger(trade, order.value.clientId);
      } else if (order.kind === "refused" && order.consequence === "not-found") {
        // An order that has just traded may be denied for a while: who is not known yet is not a stranger.
        if (this.#options.marketTime() - trade.time < YOUNG) return false;
        stranger(trade, "");
      } else {
        return false;
      }
    }
    return true;
  }

  #countConditional(count: number): void {
    const many = count >= 0.8 * CONDITIONAL_LIMIT;
    if (many && !this.#conditionalWarned) {
      this.#options.notice("alarm", `${count} conditional orders are open; the exchange allows ${CONDITIONAL_LIMIT}`);
    }
    this.#conditionalWarned = many;
  }

  /**
   * Money last, because it follows from the rest: what is missing is funding that nobody told us of, and what is left
   * then came from outside or is how the exchange rounds.
   */
  async #compareWallets(): Promise<void> {
    const { gateway, wallet, fundingTold, fund, transfer, notice, settled, instruments, motion, desk } = this.#options;
    // Money that moves without a symbol counts under no name.
    const motions = () => instruments.reduce((sum, { symbol }) => sum + motion(symbol), motion(""));
    const still = motions();
    const isStill = () => motions() === still && !instruments.some(({ symbol }) => desk.isBusy(symbol));
    const begun = this.#options.marketTime();
    const balances = await gateway.balances("protect");
    const ours = wallet();
    if (balances.kind !== "done" || ours === undefined || !isStill()) return;
    const usdt = balances.value.find(({ asset }) => asset === "USDT");
    if (usdt === undefined) return;
    const difference = BigInt(moneyOf(usdt.wallet)) - ours;
    this.drift = difference;
    const before = this.#walletDifference;
    this.#walletDifference = difference;
    if (difference === 0n) {
      this.#walletSince = begun;
      settled(begun);
      return;
    }
    if (before !== difference) return this.soon();
    const income = await gateway.income(this.#walletSince, "routine");
    if (income.kind !== "done" || !isStill()) return this.soon();
    let rest = difference;
    const paid = new Map<string, number[]>();
    for (const { symbol, type, amount, asset } of income.value) {
      if (type === "FUNDING_FEE" && asset === "USDT") paid.set(symbol, [...(paid.get(symbol) ?? []), moneyOf(amount)]);
    }
    for (const [symbol, amounts] of paid) {
      let missing = amounts.reduce((sum, amount) => sum + amount, 0) - (fundingTold().get(symbol) ?? 0);
      rest -= BigInt(missing);
      // Usually it is the last ones that nobody has told of.
      for (const amount of amounts.reverse()) {
        if (missing === 0) break;
        fund(symbol, amount);
        missing -= amount;
      }
      if (missing !== 0) fund(symbol, missing);
    }
    if (rest !== 0n) {
      const size = rest < 0n ? -rest : rest;
      if (size > ROUNDING)
        notice("warning", `the wallet at the exchange differs by ${rest} (1e-8 USDT) for reasons outside of trading`);
      transfer(Number(rest));
    }
    this.#walletDifference = undefined;
    this.#walletSince = begun;
    settled(begun);
  }
}

function describe(action: Action): string {
  switch (action.kind) {
    case "ask":
      return `order ${action.clientId} is not as the book says`;
    case "sweep":
      return `order ${action.clientId} is not in the book`;
    case "trades":
      return `${action.symbol} holds other lots`;
    case "shrink":
    case "flatten-foreign":
    case "adopt-foreign":
      return `${action.leg}: ${action.lots} lots`;
    case "foreign":
      return `${action.symbol}: ${action.what}`;
    case "cancel-foreign":
      return `order ${action.clientId} is somebody else's`;
    default:
      return action satisfies never;
  }
}
