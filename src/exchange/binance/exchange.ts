import type { LiquidationCause } from "../../core/events.ts";
import type { Instrument } from "../../core/instrument.ts";
import type { Exchange, Venue, VenueEvent, VenueRequest } from "../exchange.ts";
import { clientIdText, parseClientId } from "./client-id.ts";
import { lotsFrom, moneyOf, ticksFrom } from "./decimals.ts";
import type { AccountUpdate, Gateway, OrderTradeUpdate, TradeReport, UserEvent } from "./gateway.ts";
import { DESK_TIMES, type DeskTimes, OrderDesk } from "./order-desk.ts";
import type { OrderNews, OrderRecord } from "./order-record.ts";
import { type ForeignPolicy, legKey, legOf } from "./reconcile.ts";
import { type Adoption, RECONCILER_TIMES, Reconciler, type ReconcilerTimes } from "./reconciler.ts";
import { closingKey, type Recovered } from "./recovered.ts";
import { Schedule } from "./schedule.ts";
import { STOP_PROOF_TIMES, StopProof, type StopProofTimes } from "./stop-proof.ts";
import { positionSideOf } from "./wire-order.ts";

export interface BinanceExchangeOptions {
  readonly gateway: Gateway;
  /** Sorted by symbol. */
  readonly instruments: readonly Instrument[];
  readonly hedge: boolean;
  /** Part of every client order id, and never the same for two processes on one account. */
  readonly epoch: number;
  /** Epoch of the lease that orders leave under, 0 without one; part of every client order id as well. */
  readonly lease?: () => number;
  /** Client id of an order of the core, where it is not simply of `epoch` and `lease` at this moment. */
  readonly named?: (order: number) => string;
  /** The exchange's clock as far as we know it, ms: for waiting times. */
  readonly clock: () => number;
  /** How far the true clock may be behind that, ms; 0 when absent. */
  readonly clockError?: () => number;
  /** The market's time, ms: what events, trades and funding are stamped with. The clock's, except where a recording is played. */
  readonly marketTime?: () => number;
  readonly foreign: ForeignPolicy;
  /** Distance of an adopted position's stop from the market, as a share of the price. */
  readonly adoptedStop: number;
  /** The wallet that the core's ledger has, 1e-8 USDT, after all events that were taken. */
  readonly wallet: () => bigint;
  readonly notice: (level: "info" | "warning" | "alarm", text: string) => void;
  /**
   * Takes the stop path for proven from the start. For simulated exchanges only: probes, and the first entries at the
   * smallest size where probes are refused, would make another run of it than a backtest is.
   */
  readonly trustsStops?: boolean;
  /** What earlier processes of the same book have left; undefined for a new book. */
  readonly recovered?: Recovered;
  readonly times?: Partial<DeskTimes & ReconcilerTimes & StopProofTimes>;
}

/** Liquidation, deleveraging and delisting carry these client ids. */
const CAUSES: readonly (readonly [prefix: string, cause: LiquidationCause])[] = [
  ["autoclose-", "liquidation"],
  ["adl_autoclose", "adl"],
  ["settlement_autoclose-", "delisted"],
];

export function causeOf(clientId: string): LiquidationCause | undefined {
  return CAUSES.find(([prefix]) => clientId.startsWith(prefix))?.[1];
}

/** Why not everything may be entered. */
export interface Bar {
  readonly entries: "smallest" | "none";
  readonly reason: string;
}

/** Trades and fundings that are remembered, to know them when they are told again. */
const MEMORY = 50_000;

/**
 * Binance behind the seam of the trader. Requests become regular or conditional orders, what comes back becomes events
 * of the core: each order ends once, after its last fill; each fill, funding and liquidation is told once.
 *
 * Nothing happens between two calls of `next` but that messages arrive: what has to be done at a time is done when
 * `next` is called at that time or later, so `wakeAt` says when that must be at the latest, and `onWake` is called when
 * something has come in.
 */
export class BinanceExchange implements Exchange {
  readonly venue: Venue = "live";
  readonly instruments: readonly Instrument[];
  readonly ended = false;
  readonly desk: OrderDesk;
  readonly reconciler: Reconciler;
  readonly #options: BinanceExchangeOptions;
  readonly #marketTime: () => number;
  readonly #schedule = new Schedule();
  readonly #proof: StopProof;
  readonly #queue: VenueEvent[] = [];
  /** When the market messages arrived that the events of the queue come from; NaN for those that come from none. */
  readonly #arrivals: number[] = [];
  #arrived = Number.NaN;
  #lastTime = Number.NEGATIVE_INFINITY;
  /** Signed lots by leg, as told. */
  readonly #held = new Map<string, number>();
  /** Trades that were told, by symbol and trade id, and fundings. */
  readonly #trades = new Set<string>();
  readonly #fundings = new Set<string>();
  /** What was told of funding since the wallets agreed, by symbol; 1e-8 USDT. */
  #fundingTold = new Map<string, number>();
  /** Fundings that were found in the list before their event has come. */
  readonly #fundedEarly: { readonly symbol: string; readonly amount: number }[] = [];
  /** Counts what came in or went out, by symbol, so that a picture taken meanwhile is known to be no good. */
  readonly #motions = new Map<string, number>();
  readonly #bars = new Map<number, Map<string, Bar>>();
  /** Closings by the exchange that an earlier process has told of. */
  readonly #closings: string[] = [];
  readonly #prices: number[];
  /** Until when what happened to a leg that was adopted happened to somebody else, ms. */
  readonly #adoptedSince = new Map<string, number>();
  /** Price of the last trade of somebody else, by leg. */
  readonly #strangerPrice = new Map<string, number>();
  #onWake: () => void = () => {};

  constructor(options: BinanceExchangeOptions) {
    this.#options = options;
    const { gateway, instruments, hedge, epoch, lease = () => 0, clock, notice, recovered } = options;
    const ofNow = (number: number) => clientIdText({ epoch, lease: lease(), number, auxiliary: false });
    const { named = ofNow } = options;
    const clockError = options.clockError ?? (() => 0);
    this.#marketTime = options.marketTime ?? clock;
    this.instruments = instruments;
    this.#prices = instruments.map(() => 0);
    const schedule = this.#schedule;
    const deskTimes = { ...DESK_TIMES, ...options.times };
    this.desk = new OrderDesk({
      gateway,
      instruments,
      hedge,
      named,
      clock,
      clockError,
      marketTime: this.#marketTime,
      schedule,
      times: deskTimes,
      tell: (record, time, news) => this.#news(record, time, news),
      notice,
      held: ({ request }) => {
        const { symbol } = instruments[request.symbol]!;
        return Math.abs(this.held(legKey(symbol, positionSideOf(request, hedge))));
      },
      readTrades: (symbol) => void this.reconciler.readTrades(symbol),
      doubt: () => this.reconciler.soon(),
      stopSeen: () => this.#proof.stopStands(),
      bar: (symbol, reason) => this.#bar(symbol === undefined ? -1 : this.#index(symbol), "refusal", reason),
    });
    this.reconciler = new Reconciler({
      gateway,
      instruments,
      hedge,
      epoch,
      lease,
      clock,
      marketTime: this.#marketTime,
      schedule,
      times: { ...RECONCILER_TIMES, ...options.times },
      foreign: options.foreign,
      adoptedStop: options.adoptedStop,
      price: (symbol) => this.#prices[this.#index(symbol)]!,
      adopt: (leg, lots, terms) => this.#adopt(leg, lots, terms),
      desk: this.desk,
      held: this.#held,
      motion: (symbol) => this.#motions.get(symbol) ?? 0,
      isProbe: (clientId) => this.#proof.isUnderWay(clientId),
      stranger: (trade, clientId) => this.#stranger(trade, clientId),
      isTold: (symbol, trade) => this.#trades.has(`${symbol}:${trade}`),
      gone: (leg, lots, cause) =>
        this.#gone(leg, lots, this.#strangerPrice.get(leg) ?? 0, 0, cause, this.#marketTime()),
      bar: (symbol, topic, reason) => this.#bar(symbol === undefined ? -1 : this.#index(symbol), topic, reason),
      notice,
      wallet: () => (this.#queue.length === 0 ? options.wallet() : undefined),
      fundingTold: () => this.#fundingTold,
      fund: (symbol, amount) => {
        this.#fundedEarly.push({ symbol, amount });
        if (this.#fundedEarly.length > 1000) this.#fundedEarly.shift();
        this.#fund(symbol, amount, this.#marketTime());
      },
      transfer: (amount) => this.#tell({ kind: "transfer", time: this.#marketTime(), symbol: -1, amount }),
      settled: (since) => this.#settled(since),
    });
    this.#proof = new StopProof({
      gateway,
      clock,
      schedule,
      epoch,
      lease,
      hedge,
      times: { ...STOP_PROOF_TIMES, ...options.times },
      pick: () => this.#probeSymbol(),
      judged: (problem, entries) => this.#bar(-1, "stop path", problem, entries),
      notice,
    });
    if (!options.trustsStops) this.#bar(-1, "stop path", "the stop path is not proven yet");
    this.#bar(-1, "books", "the books have not been compared yet");
    if (recovered !== undefined) this.#restore(recovered);
    gateway.listen((event) => this.#heard(event));
    gateway.onBreaker((level) => this.#tell({ kind: "breaker", time: this.#marketTime(), symbol: -1, level }));
  }

  /** Called once the gateway is open. Entries wait until the books agree and the stop path is proven. */
  begin(): void {
    if (this.#options.recovered !== undefined) {
      // A book that was brought back remembers how an earlier process was connected. This one is, or would not be here.
      const head = { time: this.#marketTime(), symbol: -1 } as const;
      this.#tell({ kind: "connection", ...head, up: true });
      this.#tell({ kind: "breaker", ...head, level: this.#options.gateway.breakerLevel });
    }
    this.desk.askAll();
    this.reconciler.now();
    if (!this.#options.trustsStops) this.#proof.begin();
  }

  /** @param wake called whenever there may be something to take */
  onWake(wake: () => void): void {
    this.#onWake = wake;
  }

  /** When `next` must be called again at the latest, by the exchange's clock. */
  get wakeAt(): number {
    return this.#queue.length > 0 ? Number.NEGATIVE_INFINITY : this.#schedule.next;
  }

  /** Whether anything was asked of the exchange, or came from it, and is not settled: a request, a probe, an event. */
  get isBusy(): boolean {
    if (this.#queue.length > 0 || this.reconciler.isRunning || this.#proof.isProbing) return true;
    return this.instruments.some(({ symbol }) => this.desk.isBusy(symbol));
  }

  /** Says where the history of a symbol ended, ticks: there is a price before the market shows one. */
  lastPrice(symbol: number, price: number): void {
    this.#prices[symbol] = price;
  }

  /**
   * Brings in what the market shows: bars, marks, quotes, listings.
   * @param arrived when its message arrived, monotonic ms
   */
  market(event: VenueEvent, arrived = Number.NaN): void {
    if (event.kind === "bar") this.#prices[event.symbol] = event.close;
    else if (event.kind === "mark") this.#prices[event.symbol] = event.price;
    // A bar's time says which bar it is.
    this.#queue.push(event);
    this.#arrivals.push(arrived);
    this.#onWake();
  }

  /** When the market message arrived that the event taken last comes from, monotonic ms; NaN where it comes from none. */
  get arrived(): number {
    return this.#arrived;
  }

  /** Whether there is something to take. */
  get hasNews(): boolean {
    return this.#queue.length > 0;
  }

  /** Does what is due by the exchange's clock. */
  work(): void {
    this.#schedule.run(this.#options.clock());
  }

  next(until: number): VenueEvent | undefined {
    this.work();
    const first = this.#queue[0];
    if (first === undefined || first.time > until) return undefined;
    this.#queue.shift();
    this.#arrived = this.#arrivals.shift()!;
    return first;
  }

  send(request: VenueRequest, _now: number): void {
    switch (request.kind) {
      case "submit": {
        const { order } = request;
        this.#moved(this.instruments[order.symbol]!.symbol);
        this.desk.submit(order);
        return;
      }
      case "cancel":
        this.#moved(this.instruments[request.symbol]!.symbol);
        return this.desk.cancel(request.order);
      case "amend":
        this.#moved(this.instruments[request.symbol]!.symbol);
        void this.desk.amend(request);
        return;
      default:
        request satisfies never;
    }
  }

  /** Signed lots of a leg, as told. */
  held(leg: string): number {
    return this.#held.get(leg) ?? 0;
  }

  /** Why nothing may be entered, by symbol index (-1: anywhere). */
  get barred(): ReadonlyMap<number, ReadonlyMap<string, Bar>> {
    return this.#bars;
  }

  #restore(recovered: Recovered): void {
    for (const [leg, lots] of recovered.held) this.#held.set(leg, lots);
    for (const trade of recovered.trades) this.#trades.add(trade);
    this.#closings.push(...recovered.closings);
    for (const [leg, since] of recovered.adopted) this.#adoptedSince.set(leg, since);
    this.#fundingTold = new Map(recovered.funding);
    for (const record of recovered.orders) this.desk.restore(record);
    recovered.prices.forEach((price, symbol) => {
      this.#prices[symbol] = price;
    });
    this.reconciler.resume(recovered.since);
    // What barred entries then is found out anew; until it is, everything is barred.
    for (const symbol of recovered.barred) {
      if (symbol !== -1) this.#tell({ kind: "standing", time: this.#marketTime(), symbol, entries: "all", reason: "" });
    }
  }

  #heard(event: UserEvent): void {
    switch (event.kind) {
      case "order":
        this.#moved(event.symbol);
        return this.#orderEvent(event);
      case "algo":
        this.#moved(event.symbol);
        this.#proof.event(event);
        this.desk.algoEvent(event);
        return this.#onWake();
      case "account":
        return this.#account(event);
      case "leverage":
        return this.desk.leverageIs(event.symbol, event.leverage);
      case "listen-key-expired":
        return this.reconciler.now();
      case "stream":
        this.#tell({ kind: "connection", time: event.time, symbol: -1, up: event.up });
        if (event.up) {
          // Who changed a leverage while nobody listened is not known.
          this.desk.forgetSymbol();
          this.desk.askAll();
          this.reconciler.now();
        }
        return;
      default:
        event satisfies never;
    }
  }

  #orderEvent(event: OrderTradeUpdate): void {
    const index = this.desk.indexOf(event.symbol);
    // A symbol that this run does not trade is somebody else's affair.
    if (index === undefined) return;
    const cause = causeOf(event.clientId);
    if (cause === undefined) {
      if (!this.desk.orderEvent(event)) this.reconciler.soon();
      return this.#onWake();
    }
    const instrument = this.instruments[index]!;
    const lots = lotsFrom(instrument, event.lastQuantity);
    if (lots === 0) return;
    // The insurance fund's takeover has no trade of its own.
    const trade = event.tradeId === "0" ? `${event.orderId}/${event.executed}` : event.tradeId;
    const side = event.side === "BUY" ? 1 : -1;
    const leg = legKey(event.symbol, event.positionSide);
    // More than is held as far as told: a fill of ours is on its way still, and the list of trades has both in order.
    if (this.held(leg) * -side < lots) return this.reconciler.soon();
    if (this.#known(`${event.symbol}:${trade}`) || this.#wasTheirs(leg, event.transactionTime)) return;
    const fee = event.commissionAsset === "USDT" ? moneyOf(event.commission) : 0;
    const price = ticksFrom(instrument, Number(event.lastPrice) > 0 ? event.lastPrice : event.price);
    if (this.#closedBefore(instrument.symbol, lots, price)) return;
    this.#gone(leg, -side * lots, price, fee, cause, event.transactionTime);
  }

  /** True once for each closing that an earlier process has told of. */
  #closedBefore(symbol: string, lots: number, price: number): boolean {
    const place = this.#closings.indexOf(closingKey(symbol, lots, price));
    if (place >= 0) this.#closings.splice(place, 1);
    return place >= 0;
  }

  /** Whether a leg was not ours yet when something happened to it that is read again after a restart. */
  #wasTheirs(leg: string, time: number): boolean {
    return time < (this.#adoptedSince.get(leg) ?? Number.NEGATIVE_INFINITY);
  }

  /** True when the trade was told before; remembers it. */
  #known(trade: string): boolean {
    if (this.#trades.has(trade)) return true;
    this.#trades.add(trade);
    return false;
  }

  /** A trade of an order that is not ours: by the exchange, or by somebody who shares the account. */
  #stranger(trade: TradeReport, clientId: string): void {
    const index = this.desk.indexOf(trade.symbol);
    if (index === undefined || this.#known(`${trade.symbol}:${trade.tradeId}`)) return;
    const instrument = this.instruments[index]!;
    const cause = causeOf(clientId);
    const leg = legKey(trade.symbol, trade.positionSide);
    const price = ticksFrom(instrument, trade.price);
    if (cause === undefined) {
      // Whether it took lots of ours or somebody's own is known from what is left in the end.
      this.#strangerPrice.set(leg, price);
      return;
    }
    if (this.#wasTheirs(leg, trade.time)) return;
    const side = trade.side === "BUY" ? 1 : -1;
    const lots = lotsFrom(instrument, trade.quantity);
    const fee = trade.commissionAsset === "USDT" ? moneyOf(trade.commission) : 0;
    if (this.#closedBefore(instrument.symbol, lots, price)) return;
    this.#gone(leg, -side * lots, price, fee, cause, trade.time);
  }

  /** Lots of ours that went without an order of ours; what is more than we hold is somebody else's. */
  #gone(leg: string, signed: number, price: number, fee: number, cause: LiquidationCause, time: number): void {
    const held = this.held(leg);
    if (held === 0 || held * signed <= 0) return;
    const lots = Math.min(Math.abs(signed), Math.abs(held));
    this.#held.set(leg, held - Math.sign(held) * lots);
    const symbol = this.#index(leg.slice(0, leg.lastIndexOf(":")));
    this.#tell({
      kind: "liquidation",
      time,
      symbol,
      leg: "both",
      cause,
      lots,
      price: price > 0 ? price : this.#prices[symbol]!,
      // A foreign share of the trade pays its own commission.
      fee: Math.round((fee * lots) / Math.abs(signed)),
    });
  }

  /** Lots that somebody else has opened are ours from now on. */
  #adopt(leg: string, lots: number, terms: Adoption): void {
    const { symbol } = legOf(leg);
    this.#held.set(leg, this.held(leg) + lots);
    this.#adoptedSince.set(leg, terms.since);
    this.desk.forgetSymbol(symbol);
    this.#moved(symbol);
    const direction = lots > 0 ? 1 : -1;
    const time = this.#marketTime();
    this.#tell({ kind: "adoption", time, symbol: this.#index(symbol), direction, lots: Math.abs(lots), ...terms });
  }

  #news(record: OrderRecord, time: number, news: OrderNews): void {
    const { request } = record;
    const { symbol } = request;
    if (news.kind === "answer") {
      const { answer, code, reason } = news;
      const stop = request.purpose === "working-stop" || request.purpose === "disaster-stop";
      if (stop && answer === "accepted") this.#proof.stopStands();
      this.#tell({ kind: "answer", time, symbol, order: request.id, answer, code, reason });
      return;
    }
    const instrument = this.instruments[symbol]!;
    this.#trades.add(`${instrument.symbol}:${news.trade}`);
    const leg = legKey(instrument.symbol, positionSideOf(request, this.#options.hedge));
    const held = this.held(leg) + request.side * news.lots;
    // What closes more than was held has taken somebody else's lots along, unless an entry has still to tell of its own.
    const excess = request.purpose !== "entry" && held * request.side > 0 && !this.#isEntering(symbol);
    this.#held.set(leg, excess ? 0 : held);
    this.#moved(instrument.symbol);
    const { trade, lots, price, fee, maker, done } = news;
    this.#tell({ kind: "fill", time, symbol, order: request.id, trade, lots, price, fee, maker, done });
  }

  #isEntering(symbol: number): boolean {
    for (const { request } of this.desk.open) if (request.symbol === symbol && request.purpose === "entry") return true;
    return false;
  }

  #account(event: AccountUpdate): void {
    const usdt = event.balances.find(({ asset }) => asset === "USDT");
    if (usdt === undefined) return;
    const amount = moneyOf(usdt.change);
    if (amount === 0) return;
    if (event.cause !== "FUNDING_FEE" && event.cause !== "DEPOSIT" && event.cause !== "WITHDRAW") return;
    const symbol = event.positions[0]?.symbol ?? "";
    const identity = `${event.cause}:${event.transactionTime}:${symbol}:${usdt.wallet}`;
    if (this.#fundings.has(identity)) return;
    this.#fundings.add(identity);
    this.#moved("");
    if (event.cause === "FUNDING_FEE") {
      // It was found missing and told before its event came.
      const early = this.#fundedEarly.findIndex((one) => one.symbol === symbol && one.amount === amount);
      if (early >= 0) this.#fundedEarly.splice(early, 1);
      else this.#fund(symbol, amount, event.transactionTime);
    } else this.#tell({ kind: "transfer", time: event.transactionTime, symbol: -1, amount });
  }

  #fund(symbol: string, amount: number, time: number): void {
    this.#fundingTold.set(symbol, (this.#fundingTold.get(symbol) ?? 0) + amount);
    const index = this.desk.indexOf(symbol) ?? -1;
    this.#tell({ kind: "funding", time, symbol: index, rate: 0, mark: 0, amount });
  }

  /** Both books agree, money included, up to a time. */
  #settled(since: number): void {
    this.#fundingTold = new Map();
    for (const memory of [this.#trades, this.#fundings]) {
      for (const key of memory) {
        if (memory.size <= MEMORY) break;
        memory.delete(key);
      }
    }
    this.#tell({ kind: "agreement", time: this.#marketTime(), symbol: -1, since });
  }

  #probeSymbol(): { instrument: Instrument; price: number } | undefined {
    for (const [index, instrument] of this.instruments.entries()) {
      const price = this.#prices[index]!;
      const { symbol } = instrument;
      const idle = ["BOTH", "LONG", "SHORT"].every((side) => this.held(`${symbol}:${side}`) === 0);
      const free = ![...this.desk.open].some((record) => record.request.symbol === index);
      if (price > 0 && idle && free) return { instrument, price };
    }
    return undefined;
  }

  /** Sets or lifts (undefined) a reason for which nothing, or only the smallest, may be entered. */
  #bar(symbol: number, topic: string, reason: string | undefined, entries: "smallest" | "none" = "none"): void {
    const topics = this.#bars.get(symbol) ?? new Map<string, Bar>();
    const before = topics.get(topic);
    if (before?.reason === reason && (before === undefined || before.entries === entries)) return;
    if (reason === undefined) topics.delete(topic);
    else topics.set(topic, { entries, reason });
    if (topics.size === 0) this.#bars.delete(symbol);
    else this.#bars.set(symbol, topics);
    const bars = [...topics.values()];
    const strictest = bars.find((bar) => bar.entries === "none") ?? bars[0];
    this.#tell({
      kind: "standing",
      time: this.#marketTime(),
      symbol,
      entries: strictest?.entries ?? "all",
      reason: strictest?.reason ?? "",
    });
  }

  #moved(symbol: string): void {
    this.#motions.set(symbol, (this.#motions.get(symbol) ?? 0) + 1);
  }

  #index(symbol: string): number {
    const index = this.desk.indexOf(symbol);
    if (index === undefined) throw new Error(`${symbol} is not traded in this run`);
    return index;
  }

  /** The account's time never goes back, and no event is from the future of the clock that it is taken by. */
  #tell(event: VenueEvent): void {
    const now = this.#marketTime();
    const time = event.time > now ? now : event.time;
    this.#lastTime = time > this.#lastTime ? time : this.#lastTime;
    this.#queue.push({ ...event, time: this.#lastTime });
    this.#arrivals.push(Number.NaN);
    this.#onWake();
  }
}

/** Whether an id was given by any process of this program. */
export function isOurs(clientId: string): boolean {
  return parseClientId(clientId) !== undefined;
}
