import type { BreakerLevel } from "../../core/events.ts";
import { InputError } from "../../input-error.ts";
import { timeframeName } from "../../market/timeframe.ts";
import { ORDER_WINDOW } from "./absence.ts";
import { ApiBreaker } from "./api-breaker.ts";
import { Bans } from "./bans.ts";
import { type ClientMeasures, Reconnections, type Stream, UNMEASURED } from "./client-measures.ts";
import type { Credentials } from "./credentials.ts";
import { ENDPOINTS, type Endpoint, ORDER_ROUTES, type OrderRoute } from "./endpoints.ts";
import { Gate } from "./gate.ts";
import type {
  AlgoReport,
  BalanceReport,
  BornOrderKey,
  ExchangeInfo,
  Gateway,
  IncomeReport,
  KeyPermissions,
  MarginType,
  NewAlgoOrder,
  NewOrder,
  OrderAmendment,
  OrderKey,
  OrderReport,
  Outcome,
  Placement,
  PositionMode,
  PositionReport,
  SymbolBrackets,
  SymbolConfig,
  TradeReport,
  TradesFrom,
  Urgency,
  UserEvent,
} from "./gateway.ts";
import { HttpChannel } from "./http-channel.ts";
import type { MissingBars } from "./kline-sequence.ts";
import type { FeedSource } from "./market-feed.ts";
import type { Kline } from "./market-message.ts";
import type { BinanceOptions } from "./options.ts";
import type { BookSnapshot } from "./order-book.ts";
import { OrderSender } from "./order-sender.ts";
import { ORDER_LIMITS, RateBudget } from "./rate-budget.ts";
import type { Reply } from "./reply.ts";
import * as report from "./reports.ts";
import { Requests } from "./requests.ts";
import { RestTransport } from "./rest-transport.ts";
import { ServerClock } from "./server-clock.ts";
import type { Params } from "./signing.ts";
import { SocketApi } from "./socket-api.ts";
import type { LineTiming } from "./socket-line.ts";
import { UserStream, type UserStreamTiming } from "./user-stream.ts";

export interface BinanceClientOptions extends BinanceOptions {
  readonly onNotice: (level: "info" | "warning" | "alarm", text: string) => void;
  readonly timing?: ClientTiming;
  /**
   * Asked right before anything leaves that changes something at the exchange: whether it may. `closes` is what can only
   * make less of what there is, and what looks after it: stops, targets, exits, cancellations.
   */
  readonly mayTrade?: (what: Change) => boolean;
  /** Hears every text of the user stream before it is taken. */
  readonly onUserText?: (text: string) => void;
}

export type Change = "opens" | "closes";

/** ms; replaced in tests only. */
export interface ClientTiming {
  /** Until an answer must be here; what takes longer is unknown. */
  readonly answer: number;
  /** How old the exchange lets a request become, and how old one about an order. */
  readonly recvWindow: number;
  readonly orderWindow: number;
  /** Between two measurements of the exchange's clock. */
  readonly clock: number;
  readonly line?: LineTiming;
  readonly userStream?: UserStreamTiming;
}

const TIMING: ClientTiming = { answer: 5_000, recvWindow: 5_000, orderWindow: ORDER_WINDOW, clock: 60_000 };

/** Questions for the time at the start and after a refused timestamp: the fastest answer is the truest. */
const CLOCK_SAMPLES = 3;
const NO_RIGHT: Reply = { kind: "forbidden", reason: "no right to trade" };
const ORDER_CONNECTIONS = 4;
/** Rows of a page of trades or income. */
const PAGE = 1000;
/** Bars of a page: the most for their weight. */
const KLINE_PAGE = 499;
const KLINES_FEW = 99;
const WEEK = 7 * 86_400_000;

/** Who follows the exchange's own order limits keeps away from them by as much as RATE_LIMIT_REQUESTS does. */
const SHARE_OF_ORDERS = 0.8;

/**
 * Binance USDⓈ-M futures as the `Gateway` has it: orders by their own sender, everything else by REST, the user
 * stream, one budget, one breaker and one clock for all of them. Without keys it reads what is public.
 */
export class BinanceClient implements Gateway, FeedSource {
  readonly clock = new ServerClock();
  readonly budget: RateBudget;
  /** Replaced by whoever wants to know. */
  measures: ClientMeasures = UNMEASURED;
  readonly #reconnections = new Reconnections();
  readonly #options: BinanceClientOptions;
  readonly #timing: ClientTiming;
  readonly #gate: Gate;
  readonly #breaker: ApiBreaker;
  readonly #requests: Requests;
  readonly #reading: RestTransport;
  readonly #trading: RestTransport;
  readonly #socketApi: SocketApi | undefined;
  readonly #http: HttpChannel | undefined;
  readonly #sender: OrderSender | undefined;
  readonly #bans: Bans;
  #userStream: UserStream | undefined;
  #onEvent: (event: UserEvent) => void = () => {};
  #onBreaker: (level: BreakerLevel) => void = () => {};
  #clockTimer: ReturnType<typeof setInterval> | undefined;
  #measuring: Promise<void> | undefined;
  #isForbidden = false;

  constructor(options: BinanceClientOptions) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
    const { addresses, keys } = options;
    const now = () => this.clock.now();
    this.budget = new RateBudget({ weightPerMinute: options.weightPerMinute, ...ORDER_LIMITS });
    this.#bans = new Bans(options.bans);
    this.budget.closeUntil(this.#bans.until(addresses.rest));
    this.#breaker = new ApiBreaker(options.breaker, (level) => this.#onBreaker(level));
    this.#gate = new Gate(this.budget, this.#breaker, {
      now,
      after: (ms, then) => {
        const timer = setTimeout(then, ms);
        return () => clearTimeout(timer);
      },
    });
    this.#requests = new Requests({
      gate: this.#gate,
      budget: this.budget,
      breaker: this.#breaker,
      now,
      measureClock: () => this.#heal(),
      onBan: (until) => this.#ban(until),
      onForbidden: (message) => this.#forbid(message),
      onOutcome: (kind) => this.measures.asked(kind),
    });
    this.#reading = this.#transport(keys.reading);
    this.#trading = keys.trading === keys.reading ? this.#reading : this.#transport(keys.trading);
    if (keys.trading === undefined) return;
    const { apiKey, signer } = keys.trading;
    const { answer: timeout, orderWindow: recvWindow, line } = this.#timing;
    this.#socketApi = new SocketApi({
      address: addresses.socketApi,
      apiKey,
      signer,
      now,
      recvWindow,
      timeout,
      onState: (up, reason) => this.#socketApiState(up, reason),
      ...(line && { timing: line }),
    });
    this.#http = new HttpChannel({
      origin: addresses.rest,
      headers: { "X-MBX-APIKEY": apiKey.reveal() },
      timeout,
      connections: ORDER_CONNECTIONS,
    });
    this.#sender = new OrderSender(this.#socketApi, this.#http, keys.trading, { now, recvWindow });
  }

  /** Changed settings of the breaker. */
  configureBreaker(options: BinanceOptions["breaker"]): void {
    this.#breaker.configure(options);
  }

  get breakerLevel(): BreakerLevel {
    return this.#breaker.level;
  }

  listen(listener: (event: UserEvent) => void): void {
    this.#onEvent = listener;
  }

  onBreaker(listener: (level: BreakerLevel) => void): void {
    this.#onBreaker = listener;
  }

  async open(): Promise<void> {
    await this.#measure(CLOCK_SAMPLES);
    this.#clockTimer = setInterval(() => void this.#measure(1), this.#timing.clock);
    this.#http?.warm();
    this.#socketApi?.open();
    if (this.#options.keys.reading === undefined) return;
    const urgency = "protect";
    this.#userStream = new UserStream({
      address: this.#options.addresses.streams,
      newKey: () => this.#read(ENDPOINTS.newListenKey, {}, urgency, report.listenKeyOf),
      keepKey: () => this.#read(ENDPOINTS.keepListenKey, {}, urgency, () => null),
      onEvent: (event) => {
        if (event.kind === "stream" && event.up) this.connected("private");
        this.#onEvent(event);
      },
      ...(this.#options.onUserText && { onText: this.#options.onUserText }),
      now: () => this.clock.now(),
      ...(this.#timing.userStream && { timing: this.#timing.userStream }),
    });
    await this.#userStream.open();
  }

  close(): void {
    clearInterval(this.#clockTimer);
    this.#userStream?.close();
    this.#socketApi?.close();
    this.#gate.close();
    this.#http?.close();
    this.#reading.close();
    this.#trading.close();
  }

  placeOrder(order: NewOrder, urgency: Urgency): Promise<Placement<OrderReport>> {
    const { clientId, reduceOnly, ...rest } = order;
    const params = {
      ...rest,
      ...(reduceOnly === true && { reduceOnly: "true" }),
      newClientOrderId: clientId,
      // The answer to a market order shows what became of it; what was paid is told by events alone.
      newOrderRespType: "RESULT",
    };
    return this.#order(ORDER_ROUTES.place, changeOf(order), params, urgency, report.orderReport);
  }

  amendOrder({ clientId, ...rest }: OrderAmendment, urgency: Urgency): Promise<Outcome<OrderReport>> {
    const params = { ...rest, origClientOrderId: clientId };
    return this.#order(ORDER_ROUTES.amend, "opens", params, urgency, report.orderReport);
  }

  cancelOrder({ symbol, clientId }: OrderKey, urgency: Urgency): Promise<Outcome<OrderReport>> {
    const params = { symbol, origClientOrderId: clientId };
    return this.#order(ORDER_ROUTES.cancel, "closes", params, urgency, report.orderReport);
  }

  placeAlgoOrder(order: NewAlgoOrder, urgency: Urgency): Promise<Placement<AlgoReport>> {
    const { clientId, reduceOnly, closePosition, ...rest } = order;
    const params = {
      algoType: "CONDITIONAL",
      ...rest,
      ...(reduceOnly === true && { reduceOnly: "true" }),
      ...(closePosition === true && { closePosition: "true" }),
      clientAlgoId: clientId,
    };
    return this.#order(ORDER_ROUTES.placeAlgo, changeOf(order), params, urgency, report.algoReport);
  }

  cancelAlgoOrder({ clientId }: OrderKey, urgency: Urgency): Promise<Outcome<null>> {
    return this.#order(ORDER_ROUTES.cancelAlgo, "closes", { clientAlgoId: clientId }, urgency, report.success);
  }

  queryOrder(key: OrderKey | BornOrderKey, urgency: Urgency): Promise<Outcome<OrderReport>> {
    const { symbol } = key;
    const params = "orderId" in key ? { symbol, orderId: key.orderId } : { symbol, origClientOrderId: key.clientId };
    return this.#read(ENDPOINTS.order, params, urgency, report.orderReport);
  }

  queryAlgoOrder({ clientId }: OrderKey, urgency: Urgency): Promise<Outcome<AlgoReport>> {
    return this.#read(ENDPOINTS.algoOrder, { clientAlgoId: clientId }, urgency, report.algoReport);
  }

  openOrders(symbol: string | undefined, urgency: Urgency): Promise<Outcome<readonly OrderReport[]>> {
    const endpoint = symbol === undefined ? ENDPOINTS.openOrdersAll : ENDPOINTS.openOrders;
    return this.#read(endpoint, { symbol }, urgency, report.orderReports);
  }

  openAlgoOrders(symbol: string | undefined, urgency: Urgency): Promise<Outcome<readonly AlgoReport[]>> {
    const endpoint = symbol === undefined ? ENDPOINTS.openAlgoOrdersAll : ENDPOINTS.openAlgoOrders;
    return this.#read(endpoint, { symbol }, urgency, report.algoReports);
  }

  positions(urgency: Urgency): Promise<Outcome<readonly PositionReport[]>> {
    return this.#read(ENDPOINTS.positions, {}, urgency, report.positionReports);
  }

  balances(urgency: Urgency): Promise<Outcome<readonly BalanceReport[]>> {
    return this.#read(ENDPOINTS.balances, {}, urgency, report.balanceReports);
  }

  async userTrades(symbol: string, from: TradesFrom, urgency: Urgency): Promise<Outcome<readonly TradeReport[]>> {
    const ask = (params: Params) =>
      this.#read(ENDPOINTS.userTrades, { symbol, limit: PAGE, ...params }, urgency, report.tradeReports);
    const trades: TradeReport[] = [];
    let fromId = "id" in from ? from.id : undefined;
    // A question by time reaches over a week; once a page is full, ids lead further.
    let start = "time" in from ? from.time : Number.POSITIVE_INFINITY;
    while (fromId === undefined && start <= this.clock.now()) {
      const outcome = await ask({ startTime: start, endTime: start + WEEK - 1 });
      if (outcome.kind !== "done") return outcome;
      trades.push(...outcome.value);
      if (outcome.value.length === PAGE) fromId = after(outcome.value.at(-1)!.tradeId);
      start += WEEK;
    }
    while (fromId !== undefined) {
      const outcome = await ask({ fromId });
      if (outcome.kind !== "done") return outcome;
      trades.push(...outcome.value);
      fromId = outcome.value.length === PAGE ? after(outcome.value.at(-1)!.tradeId) : undefined;
    }
    return { kind: "done", value: trades };
  }

  async income(from: number, urgency: Urgency): Promise<Outcome<readonly IncomeReport[]>> {
    const income: IncomeReport[] = [];
    for (let page = 1; ; page++) {
      const params = { startTime: from, limit: PAGE, page };
      const outcome = await this.#read(ENDPOINTS.income, params, urgency, report.incomeReports);
      if (outcome.kind !== "done") return outcome;
      income.push(...outcome.value);
      if (outcome.value.length < PAGE) return { kind: "done", value: income };
    }
  }

  setLeverage(symbol: string, leverage: number, urgency: Urgency): Promise<Outcome<null>> {
    return this.#set(ENDPOINTS.setLeverage, { symbol, leverage }, urgency);
  }

  setMarginType(symbol: string, marginType: MarginType, urgency: Urgency): Promise<Outcome<null>> {
    return this.#set(ENDPOINTS.setMarginType, { symbol, marginType }, urgency);
  }

  symbolConfig(urgency: Urgency): Promise<Outcome<readonly SymbolConfig[]>> {
    return this.#read(ENDPOINTS.symbolConfig, {}, urgency, report.symbolConfigs);
  }

  positionMode(urgency: Urgency): Promise<Outcome<PositionMode>> {
    return this.#read(ENDPOINTS.positionMode, {}, urgency, report.positionModeOf);
  }

  async exchangeInfo(urgency: Urgency): Promise<Outcome<ExchangeInfo>> {
    const outcome = await this.#read(ENDPOINTS.exchangeInfo, {}, urgency, report.exchangeInfoOf);
    if (outcome.kind === "done" && outcome.value.orderLimits !== null) {
      const [tenSeconds, minute] = outcome.value.orderLimits;
      this.budget.limitOrders(SHARE_OF_ORDERS * tenSeconds, SHARE_OF_ORDERS * minute);
    }
    return outcome;
  }

  /** The exchange's time, ms; a sample for the clock besides. */
  async serverTime(): Promise<Outcome<number>> {
    const cost = { weight: ENDPOINTS.time.weight, orders: 0 };
    const sent = performance.now();
    const send = () => this.#reading.call(ENDPOINTS.time, {});
    const outcome = await this.#requests.perform(cost, "protect", send, report.serverTimeOf, "unjudged");
    if (outcome.kind === "done") this.clock.sample(sent, performance.now(), outcome.value);
    return outcome;
  }

  /** What a key may do; undefined where the exchange does not say (the test network). */
  async keyPermissions(of: "reading" | "trading"): Promise<Outcome<KeyPermissions> | undefined> {
    const { addresses, keys } = this.#options;
    if (addresses.account === undefined) return undefined;
    const transport = this.#transport(keys[of], addresses.account);
    try {
      const endpoint = ENDPOINTS.keyPermissions;
      const send = () => transport.call(endpoint, {});
      const cost = { weight: endpoint.weight, orders: 0 };
      return await this.#requests.perform(cost, "routine", send, report.keyPermissionsOf, "unjudged");
    } finally {
      transport.close();
    }
  }

  leverageBrackets(urgency: Urgency): Promise<Outcome<readonly SymbolBrackets[]>> {
    return this.#read(ENDPOINTS.leverageBrackets, {}, urgency, report.symbolBrackets);
  }

  /** Bars by their opening times, `from` and `to` inclusive; the last may still be open if `to` reaches it. */
  async klines(symbol: string, timeframe: number, { from, to }: MissingBars): Promise<Outcome<readonly Kline[]>> {
    const klines: Kline[] = [];
    for (let next = from; next <= to; ) {
      const rows = Math.floor((to - next) / timeframe) + 1;
      const limit = rows < KLINE_PAGE ? rows : KLINE_PAGE;
      const outcome = await this.klinePage(symbol, timeframe, next, to, limit);
      if (outcome.kind !== "done") return outcome;
      klines.push(...outcome.value);
      if (outcome.value.length < limit) break;
      next = outcome.value.at(-1)!.openTime + timeframe;
    }
    return { kind: "done", value: klines };
  }

  /** The first `limit` bars (at most 499) that open in [from, to]. */
  klinePage(
    symbol: string,
    timeframe: number,
    from: number,
    to: number,
    limit: number,
  ): Promise<Outcome<readonly Kline[]>> {
    const endpoint = limit <= KLINES_FEW ? ENDPOINTS.klinesFew : ENDPOINTS.klines;
    const params = { symbol, interval: timeframeName(timeframe), startTime: from, endTime: to, limit };
    return this.#read(endpoint, params, "routine", report.klineRows);
  }

  /** Fundings of all symbols with times in [from, to], at most a thousand of them, oldest first. */
  fundings(from: number, to: number): Promise<Outcome<readonly report.SettledFunding[]>> {
    const params = { startTime: from, endTime: to, limit: PAGE };
    return this.#read(ENDPOINTS.fundingRates, params, "routine", report.settledFundings);
  }

  book(symbol: string): Promise<Outcome<BookSnapshot>> {
    return this.#read(ENDPOINTS.depth, { symbol, limit: 1000 }, "routine", report.bookSnapshot);
  }

  #transport(credentials: Credentials | undefined, origin = this.#options.addresses.rest): RestTransport {
    const { answer: timeout, recvWindow } = this.#timing;
    return new RestTransport({ origin, credentials, now: () => this.clock.now(), recvWindow, timeout });
  }

  async #order<T>(
    route: OrderRoute,
    what: Change,
    params: Params,
    urgency: Urgency,
    read: (body: unknown) => T,
  ): Promise<Placement<T>> {
    const sender = this.#sender;
    if (sender === undefined) throw new InputError("no API key to send orders with: BINANCE_TRADING_API_KEY", 2);
    const begun = performance.now();
    const since = () => (performance.now() - begun) / 1000;
    let takenUntil = 0;
    const send = () =>
      this.#fenced(what, () => {
        const reply = sender.send(route, params);
        // Signed a moment ago, by the same clock.
        takenUntil = this.clock.now() + this.#timing.orderWindow;
        this.measures.sent(since());
        return reply;
      });
    const outcome = await this.#requests.perform(route.cost, urgency, send, read);
    if (outcome.kind === "done" || outcome.kind === "refused") this.measures.answered(since());
    const isOpen = outcome.kind === "unknown" || (outcome.kind === "refused" && outcome.consequence === "busy");
    return isOpen ? { ...outcome, takenUntil } : outcome;
  }

  /** Makes a request that changes something, unless another service may have the right to. */
  #fenced(what: Change, send: () => Promise<Reply>): Promise<Reply> {
    const { mayTrade } = this.#options;
    return mayTrade === undefined || mayTrade(what) ? send() : Promise.resolve(NO_RIGHT);
  }

  async #set(endpoint: Endpoint, params: Params, urgency: Urgency): Promise<Outcome<null>> {
    const cost = { weight: endpoint.weight, orders: 0 };
    const send = () => this.#fenced("opens", () => this.#trading.call(endpoint, params));
    const outcome = await this.#requests.perform(cost, urgency, send, report.success);
    return outcome.kind === "refused" && outcome.consequence === "unchanged" ? { kind: "done", value: null } : outcome;
  }

  #read<T>(endpoint: Endpoint, params: Params, urgency: Urgency, read: (body: unknown) => T): Promise<Outcome<T>> {
    const cost = { weight: endpoint.weight, orders: 0 };
    return this.#requests.perform(cost, urgency, () => this.#reading.call(endpoint, params), read);
  }

  /** Several requests may be refused for the clock at once; one measurement serves them all. */
  #heal(): Promise<void> {
    this.#measuring ??= (async () => {
      this.clock.distrust();
      await this.#measure(CLOCK_SAMPLES);
      this.#measuring = undefined;
    })();
    return this.#measuring;
  }

  async #measure(samples: number): Promise<void> {
    for (let i = 0; i < samples; i++) {
      let sent = 0;
      let received = 0;
      const send = () => {
        sent = performance.now();
        const reply = this.#reading.call(ENDPOINTS.time, {});
        return reply.finally(() => {
          received = performance.now();
        });
      };
      // That the time is told says nothing about whether orders are taken, so it is nothing to the breaker.
      const cost = { weight: ENDPOINTS.time.weight, orders: 0 };
      const outcome = await this.#requests.perform(cost, "protect", send, report.serverTimeOf, "unjudged");
      if (outcome.kind === "done") this.clock.sample(sent, received, outcome.value);
      else return;
    }
  }

  #ban(until: number): void {
    this.#bans.remember(this.#options.addresses.rest, until);
    const text = `the exchange takes no requests from this address until ${new Date(until).toISOString()}`;
    this.#options.onNotice("alarm", text);
  }

  #forbid(message: string): void {
    if (this.#isForbidden) return;
    this.#isForbidden = true;
    this.#options.onNotice(
      "alarm",
      `the exchange does not serve the place of this machine (HTTP 451: ${message}); no request will be answered from ` +
        "here. Run where Binance Futures is allowed; addresses of cloud providers may be refused as well",
    );
  }

  /** A connection is up, for the first time or again. */
  connected(stream: Stream): void {
    if (this.#reconnections.up(stream)) this.measures.reconnected(stream);
  }

  #socketApiState(up: boolean, reason: string): void {
    if (up) this.connected("orders");
    this.#options.onNotice(
      up ? "info" : "warning",
      up ? "orders go over the WebSocket API" : `orders go over HTTP: ${reason}`,
    );
  }
}

/** The id after a trade's id, which may be beyond 2^53. */
function after(id: string): string {
  return String(BigInt(id) + 1n);
}

/** Whether an order can open or enlarge something. In hedge mode the other side of a leg only ever closes it. */
function changeOf(order: NewOrder | NewAlgoOrder): Change {
  const { side, positionSide, reduceOnly } = order;
  const closesAll = "closePosition" in order && order.closePosition === true;
  const closesLeg = positionSide === (side === "SELL" ? "LONG" : "SHORT");
  return reduceOnly === true || closesAll || closesLeg ? "closes" : "opens";
}
