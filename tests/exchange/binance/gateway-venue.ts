import type { OrderRequest, OrderType } from "../../../src/core/effects.ts";
import type { AnswerEvent, FillEvent, FundingEvent, Leg, LiquidationEvent } from "../../../src/core/events.ts";
import type { Instrument } from "../../../src/core/instrument.ts";
import { ORDER_WINDOW, QUERY_LAG } from "../../../src/exchange/binance/absence.ts";
import { parseClientId } from "../../../src/exchange/binance/client-id.ts";
import { lotsFrom, priceText, quantityText, ticksFrom } from "../../../src/exchange/binance/decimals.ts";
import { failureOf } from "../../../src/exchange/binance/errors.ts";
import type {
  AlgoReport,
  AlgoStatus,
  Gateway,
  IncomeReport,
  NewAlgoOrder,
  NewOrder,
  OrderKey,
  OrderReport,
  OrderStatus,
  Outcome,
  Placement,
  PositionSide,
  TradeReport,
  UserEvent,
  WireSide,
} from "../../../src/exchange/binance/gateway.ts";
import type { Schedule } from "../../../src/exchange/binance/schedule.ts";
import type { VenueEvent } from "../../../src/exchange/exchange.ts";
import type { SimulatedExchange } from "../../../src/exchange/simulated/exchange.ts";
import type { Random } from "../../../src/market/random.ts";
import type { FaultName, VenueFaults } from "./venue-faults.ts";

/** An order as the venue keeps it: a regular one, or a conditional one and the regular one that it becomes. */
interface VenueOrder {
  readonly inner: number;
  readonly clientId: string;
  readonly symbol: number;
  readonly service: "regular" | "algo";
  readonly algoId: string;
  orderId: string;
  /** Client id of the regular order that a conditional one has become. */
  bornId: string;
  readonly side: WireSide;
  readonly positionSide: PositionSide;
  readonly wire: NewOrder | NewAlgoOrder | undefined;
  status: OrderStatus;
  algoStatus: AlgoStatus;
  lots: number;
  executed: number;
  readonly placedAt: number;
  updatedAt: number;
  /** Hangs while triggering: the exchange will never act on it. */
  stuck: boolean;
}

const ALGO: Readonly<Record<NewAlgoOrder["type"], OrderType>> = {
  STOP_MARKET: "stop-market",
  TAKE_PROFIT_MARKET: "take-profit-market",
  STOP: "stop-limit",
  TAKE_PROFIT: "take-profit-limit",
  TRAILING_STOP_MARKET: "trailing-stop",
};

/** What a placement may be refused with, and, rarely, what ends all entries until a person has done something. */
const REFUSALS = [-1003, -1111, -1016, -2010, -2019, -2020, -2021, -2022, -4117, -4118, -4130, -4131, -4164];
const LASTING_REFUSALS = [-2015, -4061, -4140, -4192];
const LASTING = 0.02;

const TIMEOUT = 1000;
/** Somebody else who trades on the account, on the first symbol. */
export interface Hand {
  /** Whether they close what lies there, once. */
  readonly closes: boolean;
  /** In hedge mode: they hold the short leg and we the long one. Otherwise nothing of ours is entered there. */
  readonly beside: boolean;
}

/** Inner ids of what is not an order of the core's book. */
const OTHERS = 1_000_000_000;

/**
 * The exchange model of the backtest behind the seam of the exchange client, as Binance behaves: two order services,
 * events and answers each on their way for some time, and everything that can go wrong on it. In simulated time.
 */
export class GatewayVenue implements Gateway {
  readonly inner: SimulatedExchange;
  readonly #faults: VenueFaults;
  readonly #random: Random;
  readonly #agenda: Schedule;
  readonly #clock: () => number;
  /** The trader's clock: what its requests are signed with. */
  readonly #stamp: () => number;
  readonly #market: (event: VenueEvent) => void;
  readonly #orders: VenueOrder[] = [];
  readonly #byInner = new Map<number, VenueOrder>();
  readonly #trades: TradeReport[][];
  readonly #income: IncomeReport[] = [];
  readonly #leverage: number[];
  readonly #hedge: boolean;
  readonly #hand: Hand | undefined;
  /** What somebody else has done on the account: positions opened, and commissions paid, 1e-8 USDT. */
  handOpened = 0;
  #handIsGone = false;
  handFees = 0n;
  #listener: ((event: UserEvent) => void) | undefined;
  #generation = 0;
  #up = true;
  /** The exchange answers nobody, or not everything, until then. */
  #closed: { readonly why: FaultName; readonly until: number } | undefined;
  #ids = 0;
  #sequence = 0n;
  readonly #lastOfKind = new Map<string, number>();
  /** Answers of the model to the request that is being carried out. */
  #answer: AnswerEvent | undefined;
  /** Placements that were carried out, by client id. */
  readonly placed = new Map<string, number>();
  /** How often each fault has happened. */
  readonly happened = new Map<string, number>();

  constructor(
    inner: SimulatedExchange,
    faults: VenueFaults,
    random: Random,
    agenda: Schedule,
    clock: () => number,
    stamp: () => number,
    market: (event: VenueEvent) => void,
    hand?: Hand,
  ) {
    this.inner = inner;
    this.#hand = hand;
    this.#hedge = inner.account.hedge;
    this.#faults = faults;
    this.#random = random;
    this.#agenda = agenda;
    this.#clock = clock;
    this.#stamp = stamp;
    this.#market = market;
    this.#trades = inner.instruments.map(() => []);
    this.#leverage = inner.instruments.map(() => 20);
  }

  // The trader's side

  listen(listener: (event: UserEvent) => void): void {
    this.#listener = listener;
  }

  readonly breakerLevel = "closed";

  onBreaker(): void {}

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.die();
  }

  /** The trader's process is gone: what is on its way to it is lost, what it has sent arrives. */
  die(): void {
    this.#generation++;
    this.#listener = undefined;
  }

  placeOrder(order: NewOrder): Promise<Placement<OrderReport>> {
    return this.#place(order, () => this.#submit(order, "regular", requestOf(order, this.#instrument(order.symbol))));
  }

  placeAlgoOrder(order: NewAlgoOrder): Promise<Placement<AlgoReport>> {
    return this.#place(order, () => this.#submit(order, "algo", algoRequestOf(order, this.#instrument(order.symbol))));
  }

  amendOrder(): Promise<Outcome<OrderReport>> {
    return Promise.resolve({ kind: "refused", code: -5025, message: "not here", consequence: "invalid" });
  }

  cancelOrder(key: OrderKey): Promise<Outcome<OrderReport>> {
    return this.#cancel(key, "regular", (order) => this.#report(order));
  }

  cancelAlgoOrder(key: OrderKey): Promise<Outcome<null>> {
    return this.#cancel(key, "algo", () => null);
  }

  queryOrder(key: OrderKey | { symbol: string; orderId: string }): Promise<Outcome<OrderReport>> {
    return this.#ask(() => {
      const order = this.#orders.findLast((one) => {
        if (one.orderId === "" || this.#name(one) !== key.symbol) return false;
        return "orderId" in key ? one.orderId === key.orderId : this.#regularId(one) === key.clientId;
      });
      return order === undefined || this.#denies(order) ? notFound(-2013) : done(this.#report(order));
    });
  }

  queryAlgoOrder(key: OrderKey): Promise<Outcome<AlgoReport>> {
    return this.#ask(() => {
      const order = this.#orders.findLast((one) => one.service === "algo" && one.clientId === key.clientId);
      return order === undefined || this.#denies(order) ? notFound(-2013) : done(this.#algoReport(order));
    });
  }

  openOrders(symbol: string | undefined): Promise<Outcome<readonly OrderReport[]>> {
    return this.#ask(() => {
      const open = this.#orders.filter(
        (order) => order.orderId !== "" && (order.status === "NEW" || order.status === "PARTIALLY_FILLED"),
      );
      return done(open.filter((order) => this.#is(order, symbol)).map((order) => this.#report(order)));
    });
  }

  openAlgoOrders(symbol: string | undefined): Promise<Outcome<readonly AlgoReport[]>> {
    return this.#ask(() => {
      const open = this.#orders.filter(
        ({ service, algoStatus }) => service === "algo" && (algoStatus === "NEW" || algoStatus === "TRIGGERING"),
      );
      return done(open.filter((order) => this.#is(order, symbol)).map((order) => this.#algoReport(order)));
    });
  }

  positions(): ReturnType<Gateway["positions"]> {
    return this.#ask(() =>
      done(
        this.inner.positions.flatMap(({ lots }, slot) => {
          if (lots === 0) return [];
          const { symbol, side } = this.#slot(slot);
          const instrument = this.inner.instruments[symbol]!;
          const amount = quantityText(instrument, lots);
          const position = { symbol: instrument.symbol, positionSide: side, amount };
          return [
            {
              ...position,
              entryPrice: this.#entryPrice(slot),
              markPrice: "0",
              isolated: true,
              updateTime: this.#clock(),
            },
          ];
        }),
      ),
    );
  }

  balances(): ReturnType<Gateway["balances"]> {
    return this.#ask(() => done([{ asset: "USDT", wallet: money(this.inner.wallet), available: "0" }]));
  }

  userTrades(symbol: string, from: { id: string } | { time: number }): Promise<Outcome<readonly TradeReport[]>> {
    return this.#ask(() => {
      const trades = this.#trades[this.#index(symbol)]!;
      return done("time" in from ? trades.filter(({ time }) => time >= from.time) : trades);
    });
  }

  income(from: number): Promise<Outcome<readonly IncomeReport[]>> {
    return this.#ask(() => done(this.#income.filter(({ time }) => time >= from)));
  }

  setLeverage(symbol: string, leverage: number): Promise<Outcome<null>> {
    return this.#ask(() => {
      this.#leverage[this.#index(symbol)] = leverage;
      return done(null);
    });
  }

  setMarginType(): Promise<Outcome<null>> {
    return this.#ask(() => done(null));
  }

  symbolConfig(): ReturnType<Gateway["symbolConfig"]> {
    return this.#ask(() =>
      done(
        this.inner.instruments.map(({ symbol }, index) => {
          return { symbol, marginType: "ISOLATED" as const, leverage: this.#leverage[index]! };
        }),
      ),
    );
  }

  #slot(slot: number): { readonly symbol: number; readonly side: PositionSide } {
    if (!this.#hedge) return { symbol: slot, side: "BOTH" };
    return { symbol: slot >> 1, side: (slot & 1) === 1 ? "SHORT" : "LONG" };
  }

  /** Average price of what is held, with more places than the grid has, as the exchange gives it. */
  #entryPrice(slot: number): string {
    const { lots, cost } = this.inner.positions[slot]!;
    const { lotUnits, quantityDecimals } = this.inner.instruments[this.#slot(slot).symbol]!;
    const quantity = BigInt(Math.abs(lots) * lotUnits);
    // 1e-8 USDT per unit of the quantity, with sixteen places after the point.
    const digits = ((cost * 10n ** BigInt(quantityDecimals + 8)) / quantity).toString().padStart(17, "0");
    return `${digits.slice(0, -16)}.${digits.slice(-16)}`;
  }

  /** Somebody else trades on the account, at the exchange's own screen. */
  #handTrades(): void {
    const symbol = 0;
    // In hedge mode it may hold one leg or the other, and never both.
    const beside = this.#hand?.beside === true;
    const held = this.inner.positions.reduce((sum, { lots }, slot) => {
      const its = this.#slot(slot);
      return its.symbol === symbol && (!beside || its.side === "SHORT") ? sum + lots : sum;
    }, 0);
    const closes = held !== 0;
    if (this.#clock() >= this.#faults.until || this.#handIsGone || (closes && this.#hand?.closes !== true)) return;
    // Whoever has closed what we hold opens nothing anew before our book has seen that.
    if (closes) this.#handIsGone = true;
    if (
      !closes &&
      !beside &&
      this.#orders.some((order) => order.symbol === symbol && this.inner.openOrders.includes(order.inner))
    )
      return;
    const instrument = this.inner.instruments[symbol]!;
    const lots = closes ? this.#random.whole(1, Math.abs(held)) : instrument.minLots * this.#random.whole(1, 20);
    const side = closes ? (held > 0 ? -1 : 1) : !beside && this.#random.chance(0.5) ? 1 : -1;
    const inner = OTHERS + ++this.#ids;
    const orderId = this.#id();
    const leg: Leg = !this.#hedge ? "both" : (closes ? held > 0 : side === 1) ? "long" : "short";
    const order: VenueOrder = {
      inner,
      clientId: `web_${orderId.slice(-8)}`,
      symbol,
      service: "regular",
      algoId: "",
      orderId,
      bornId: "",
      side: side === 1 ? "BUY" : "SELL",
      positionSide: sideOf(leg),
      wire: undefined,
      status: "NEW",
      algoStatus: "NEW",
      lots,
      executed: 0,
      placedAt: this.#clock(),
      updatedAt: this.#clock(),
      stuck: false,
    };
    this.#byInner.set(inner, order);
    this.#send({
      kind: "submit",
      order: {
        id: inner,
        symbol,
        leg,
        side,
        type: "market",
        purpose: closes ? "exit" : "entry",
        lots,
        price: 0,
        trigger: 0,
        timeInForce: "ioc",
        reduceOnly: closes && !this.#hedge,
        closePosition: false,
        leverage: closes ? 0 : this.#leverage[symbol]!,
      },
    });
  }

  positionMode(): ReturnType<Gateway["positionMode"]> {
    return this.#ask(() => done(this.#hedge ? ("hedge" as const) : ("one-way" as const)));
  }

  exchangeInfo(): ReturnType<Gateway["exchangeInfo"]> {
    return this.#ask(() => done({ symbols: [], serverTime: this.#clock() }));
  }

  leverageBrackets(): ReturnType<Gateway["leverageBrackets"]> {
    return this.#ask(() => done([]));
  }

  // The way there and back

  #fails(name: keyof VenueFaults): boolean {
    const chance = this.#faults[name];
    if (typeof chance !== "number" || this.#clock() >= this.#faults.until || !this.#random.chance(chance)) return false;
    this.happened.set(name, (this.happened.get(name) ?? 0) + 1);
    return true;
  }

  #way(): number {
    return this.#random.whole(1, 30);
  }

  /** An outcome that reaches the process that has asked, if that still lives. */
  #after<Result>(delay: number, outcome: () => Result): Promise<Result> {
    const generation = this.#generation;
    return new Promise((resolve) => {
      this.#agenda.at(this.#clock() + delay, () => {
        const value = outcome();
        if (generation === this.#generation) resolve(value);
      });
    });
  }

  /** Carried out after the way there; answered after the way back. */
  #exchange<T>(
    delay: number,
    carryOut: () => Outcome<T>,
    answered: (outcome: Outcome<T>) => Outcome<T>,
  ): Promise<Outcome<T>> {
    const generation = this.#generation;
    return new Promise((resolve) => {
      this.#agenda.at(this.#clock() + delay, () => {
        const outcome = carryOut();
        this.#agenda.at(this.#clock() + this.#way(), () => {
          if (generation === this.#generation) resolve(answered(outcome));
        });
      });
    });
  }

  #place<T extends OrderReport | AlgoReport>({ symbol }: OrderKey, carryOut: () => Outcome<T>): Promise<Placement<T>> {
    // By the venue's clock it is taken up to this time and no longer, however wrong the clock was that signed it.
    const takenUntil = this.#stamp() + ORDER_WINDOW;
    const unknown = (): Placement<T> => ({ kind: "unknown", reason: `no answer about ${symbol}`, takenUntil });
    const busy = (): Placement<T> => ({
      kind: "refused",
      code: -1008,
      message: "overloaded",
      consequence: "busy",
      takenUntil,
    });
    if (this.#fails("withheld")) {
      const retryAt = this.#clock() + this.#random.whole(1, 1500);
      return this.#after(0, () => ({ kind: "withheld", reason: "the budget is used up", retryAt }));
    }
    const closed = this.#closedFor<T>("changes");
    if (closed !== undefined) return closed;
    if (this.#fails("refused")) {
      const codes = this.#random.chance(LASTING) ? LASTING_REFUSALS : REFUSALS;
      const code = codes[this.#random.whole(0, codes.length - 1)]!;
      return this.#after(this.#way(), () => failureOf({ status: 400, code, message: "refused" }));
    }
    if (this.#fails("lost")) return this.#after(TIMEOUT, unknown);
    if (this.#fails("busy")) return this.#after(this.#way(), busy);
    if (this.#fails("clock")) {
      return this.#after(this.#way(), () => ({
        kind: "refused",
        code: -1021,
        message: "outside",
        consequence: "clock",
      }));
    }
    if (this.#fails("late")) {
      // As often as not at the last moment.
      const at = this.#random.chance(0.5) ? takenUntil : this.#clock() + this.#random.whole(TIMEOUT, ORDER_WINDOW);
      this.#agenda.at(Math.min(at, takenUntil), () => void carryOut());
      return this.#after(TIMEOUT, unknown);
    }
    if (this.#fails("answerLost")) {
      this.#agenda.at(this.#clock() + this.#way(), () => void carryOut());
      return this.#after(TIMEOUT, unknown);
    }
    if (this.#fails("busyButDone")) return this.#exchange(this.#way(), carryOut, busy);
    return this.#exchange(this.#way(), carryOut, (outcome) => outcome);
  }

  #cancel<T>(key: OrderKey, service: VenueOrder["service"], value: (order: VenueOrder) => T): Promise<Outcome<T>> {
    const carryOut = (): Outcome<T> => {
      const order = this.#open(service, key.clientId);
      if (order === undefined) return notFound(-2011);
      if (order.stuck || order.algoStatus === "TRIGGERING") {
        return { kind: "refused", code: -4117, message: "triggering", consequence: "triggering" };
      }
      if (this.inner.openOrders.includes(order.inner)) {
        this.#send({ kind: "cancel", order: order.inner, symbol: order.symbol });
      } else if (order.service === "algo" && order.orderId === "") {
        order.algoStatus = "CANCELED";
        this.#algoEvent(order);
      }
      return order.status === "CANCELED" || order.algoStatus === "CANCELED" ? done(value(order)) : notFound(-2011);
    };
    const unknown = (): Outcome<T> => ({ kind: "unknown", reason: "no answer" });
    const closed = this.#closedFor<T>("changes");
    if (closed !== undefined) return closed;
    if (this.#fails("silence")) {
      if (this.#random.chance(0.5)) this.#agenda.at(this.#clock() + this.#way(), () => void carryOut());
      return this.#after(TIMEOUT, unknown);
    }
    if (this.#fails("withheld")) {
      const retryAt = this.#clock() + this.#random.whole(1, 1500);
      return this.#after(0, () => ({ kind: "withheld", reason: "the budget is used up", retryAt }));
    }
    return this.#exchange(this.#way(), carryOut, (outcome) => outcome);
  }

  #ask<T>(answer: () => Outcome<T>): Promise<Outcome<T>> {
    const closed = this.#closedFor<T>("reads");
    if (closed !== undefined) return closed;
    if (this.#fails("silence")) return this.#after(TIMEOUT, () => ({ kind: "unknown", reason: "no answer" }));
    return this.#exchange(this.#way(), answer, (outcome) => outcome);
  }

  /** What a request meets while the exchange is closed to it; undefined while it is not. */
  #closedFor<T>(what: "reads" | "changes"): Promise<Outcome<T>> | undefined {
    const closed = this.#closed;
    if (closed === undefined || this.#clock() >= closed.until) return undefined;
    switch (closed.why) {
      case "banned":
        return this.#after(0, () => ({ kind: "withheld", reason: "banned", retryAt: closed.until }));
      case "restricted":
        return this.#after(this.#way(), () => failureOf({ status: 451, code: 0, message: "restricted location" }));
      default:
        if (what === "reads") return undefined;
        return this.#after(this.#way(), () => failureOf({ status: 503, code: -1016, message: "shutting down" }));
    }
  }

  #denies(order: VenueOrder): boolean {
    return this.#clock() - order.placedAt < QUERY_LAG && this.#fails("denied");
  }

  #emit(event: UserEvent): void {
    if (!this.#up || this.#fails("eventLost")) return;
    this.#deliver(event);
    if (this.#fails("eventTwice")) this.#deliver(event, this.#random.whole(0, 20_000));
  }

  /** Events of one kind keep their order; those of different kinds overtake each other. */
  #deliver(event: UserEvent, extra = 0): void {
    const now = this.#clock();
    const delay = this.#fails("eventLate") ? this.#random.whole(1, 3000) : this.#random.whole(0, 10);
    const last = this.#lastOfKind.get(event.kind) ?? 0;
    const at = Math.max(now + delay + extra, extra === 0 ? last : 0);
    if (extra === 0) this.#lastOfKind.set(event.kind, at);
    const generation = this.#generation;
    this.#agenda.at(at, () => {
      if (generation === this.#generation && (this.#up || extra === 0)) this.#listener?.(event);
    });
  }

  // The venue

  /** Works out the next happening up to a time; `pass` is told its time before anybody hears of it. */
  pump(until: number, pass: (time: number) => void): boolean {
    const event = this.inner.next(until);
    if (event === undefined) return false;
    pass(event.time);
    this.#happens(event);
    return true;
  }

  #send(request: Parameters<SimulatedExchange["send"]>[0]): void {
    this.inner.send(request, this.#clock());
    for (;;) {
      const event = this.inner.next(this.#clock());
      if (event === undefined) return;
      if (event.kind === "answer" && event.order === (request.kind === "submit" ? request.order.id : request.order)) {
        this.#answer = event;
      }
      this.#happens(event);
    }
  }

  #submit<T extends OrderReport | AlgoReport>(
    wire: NewOrder | NewAlgoOrder,
    service: VenueOrder["service"],
    terms: Omit<OrderRequest, "id" | "symbol" | "leverage">,
  ): Outcome<T> {
    const { clientId, symbol } = wire;
    if (this.#open(service, clientId) !== undefined) {
      return { kind: "refused", code: -4116, message: "ClientOrderId is duplicated.", consequence: "duplicate" };
    }
    const named = parseClientId(clientId);
    const first = !this.#orders.some((order) => order.clientId === clientId);
    const inner = named !== undefined && !named.auxiliary && first ? named.number : OTHERS + ++this.#ids;
    const index = this.#index(symbol);
    const order: VenueOrder = {
      inner,
      clientId,
      symbol: index,
      service,
      algoId: service === "algo" ? this.#id() : "",
      orderId: service === "regular" ? this.#id() : "",
      bornId: "",
      side: wire.side,
      positionSide: wire.positionSide ?? "BOTH",
      wire,
      status: "NEW",
      algoStatus: "NEW",
      lots: terms.lots,
      executed: 0,
      placedAt: this.#clock(),
      updatedAt: this.#clock(),
      stuck: false,
    };
    this.#byInner.set(inner, order);
    if (service === "algo" && named?.auxiliary && this.#faults.probesTaken) {
      this.#orders.push(order);
      this.#algoEvent(order);
      return done(this.#algoReport(order) as T);
    }
    const leverage = terms.purpose !== "entry" ? 0 : this.#leverage[index]!;
    this.#answer = undefined;
    this.#send({ kind: "submit", order: { ...terms, id: inner, symbol: index, leverage } });
    // The model says no, or has said yes and more since.
    const answer = this.#answer as AnswerEvent | undefined;
    if (answer?.answer === "rejected" && !this.#orders.includes(order)) {
      return { kind: "refused", code: answer.code, message: answer.reason, consequence: consequenceOf(answer.code) };
    }
    this.placed.set(clientId, (this.placed.get(clientId) ?? 0) + 1);
    return done((service === "regular" ? this.#report(order) : this.#algoReport(order)) as T);
  }

  #happens(event: VenueEvent): void {
    switch (event.kind) {
      case "answer":
        return this.#answered(event);
      case "fill":
        return this.#filled(event);
      case "funding":
        return this.#funded(event);
      case "liquidation":
        return this.#liquidated(event);
      case "bar":
        this.#market(event);
        this.#mischief();
        return;
      default:
        this.#market(event);
    }
  }

  /** What the exchange, or somebody else, does of its own accord, once a bar. */
  #mischief(): void {
    // Between two bars, when nothing of ours is on its way as a rule.
    if (this.#hand !== undefined && this.#random.chance(0.05)) {
      this.#agenda.at(this.#clock() + this.#random.whole(20_000, 50_000), () => this.#handTrades());
    }
    if (this.#up && this.#fails("outage")) this.outage(this.#random.whole(500, 20_000));
    for (const why of ["restricted", "banned", "maintenance"] as const) {
      if (!this.#fails(why)) continue;
      const length = this.#random.whole(500, 20_000);
      this.#closed = { why, until: this.#clock() + length };
      if (why === "maintenance" && this.#up) this.outage(length);
    }
    this.inner.positions.forEach(({ lots }, slot) => {
      if (lots === 0 || !this.#fails("adl")) return;
      const { symbol, side } = this.#slot(slot);
      this.inner.deleverage(symbol, LEG[side]);
    });
    for (const order of this.#orders) {
      if (order.stuck && order.algoStatus === "TRIGGERING" && this.#clock() >= this.#faults.until) {
        order.algoStatus = "EXPIRED";
        this.#algoEvent(order);
      }
      if (order.service !== "algo" || order.algoStatus !== "NEW") continue;
      const stuck = this.#fails("stuck");
      if (!stuck && !this.#fails("vanish")) continue;
      order.stuck = stuck;
      if (stuck) order.algoStatus = "TRIGGERING";
      this.#send({ kind: "cancel", order: order.inner, symbol: order.symbol });
      if (stuck) this.#algoEvent(order);
    }
  }

  /** The account stream breaks, and is told of when it is back. */
  outage(length: number): void {
    this.#up = false;
    this.#listener?.({ kind: "stream", time: this.#clock(), up: false });
    const generation = this.#generation;
    this.#agenda.at(this.#clock() + length, () => {
      this.#up = true;
      if (generation === this.#generation) this.#listener?.({ kind: "stream", time: this.#clock(), up: true });
    });
  }

  #answered({ order: inner, answer }: AnswerEvent): void {
    const order = this.#byInner.get(inner);
    if (order === undefined) return;
    switch (answer) {
      case "accepted":
        this.#orders.push(order);
        return order.service === "regular" ? this.#orderEvent(order, "NEW") : this.#algoEvent(order);
      case "triggered":
        return this.#born(order);
      case "cancelled":
        if (order.stuck) return;
        if (order.service === "algo" && order.orderId === "") {
          order.algoStatus = "CANCELED";
          return this.#algoEvent(order);
        }
        order.status = "CANCELED";
        this.#orderEvent(order, "CANCELED");
        return this.#finished(order);
      case "expired":
        if (order.service === "algo" && order.orderId === "") {
          order.algoStatus = "EXPIRED";
          return this.#algoEvent(order);
        }
        order.status = "EXPIRED";
        this.#orderEvent(order, "EXPIRED");
        return this.#finished(order);
      default:
        return;
    }
  }

  #born(order: VenueOrder): void {
    if (order.service !== "algo" || order.orderId !== "") return;
    order.algoStatus = "TRIGGERING";
    this.#algoEvent(order);
    order.orderId = this.#id();
    order.bornId = this.#faults.bornSameId ? order.clientId : `born${order.orderId.slice(-6)}`;
    if (order.lots === 0) order.lots = Math.abs(this.#sideOf(order.symbol, order.positionSide));
    order.algoStatus = "TRIGGERED";
    this.#algoEvent(order);
    this.#orderEvent(order, "NEW");
  }

  #finished(order: VenueOrder): void {
    if (order.service !== "algo") return;
    order.algoStatus = "FINISHED";
    this.#algoEvent(order);
  }

  #filled(event: FillEvent): void {
    const order = this.#byInner.get(event.order);
    if (order === undefined) throw new Error(`fill of order ${event.order}, which the venue does not know`);
    if (order.service === "algo") {
      this.#born(order);
      // The exchange cuts a closing order to what is left of the position.
      if (event.done) order.lots = order.executed + event.lots;
    }
    let { lots, fee } = event;
    while (lots > 1 && this.#fails("split")) {
      const some = this.#random.whole(1, lots - 1);
      const share = Math.floor((fee * some) / lots);
      this.#part(order, event, some, share, false);
      lots -= some;
      fee -= share;
    }
    this.#part(order, event, lots, fee, event.done);
    if (event.done) this.#finished(order);
  }

  #part(order: VenueOrder, event: FillEvent, lots: number, fee: number, last: boolean): void {
    const instrument = this.inner.instruments[order.symbol]!;
    order.executed += lots;
    order.updatedAt = this.#clock();
    order.status = last ? "FILLED" : "PARTIALLY_FILLED";
    const trade: TradeReport = {
      symbol: instrument.symbol,
      tradeId: String(++this.#sequence),
      orderId: order.orderId,
      side: order.side,
      positionSide: order.positionSide,
      price: priceText(instrument, event.price),
      quantity: quantityText(instrument, lots),
      commission: money(BigInt(fee)),
      commissionAsset: "USDT",
      realised: "0",
      maker: event.maker,
      time: this.#clock(),
    };
    this.#trades[order.symbol]!.push(trade);
    if (order.clientId.startsWith("web_")) {
      this.handFees += BigInt(fee);
      if (order.wire === undefined && order.executed === lots) this.handOpened++;
    }
    this.#emit({
      kind: "account",
      time: this.#clock(),
      transactionTime: this.#clock(),
      cause: "ORDER",
      balances: [{ asset: "USDT", wallet: money(this.inner.wallet), change: "0" }],
      positions: [],
    });
    this.#orderEvent(order, "TRADE", trade);
  }

  #funded({ symbol, amount, time }: FundingEvent): void {
    if (amount === 0) return;
    const name = this.inner.instruments[symbol]!.symbol;
    const text = money(BigInt(amount));
    const transactionId = String(++this.#sequence);
    this.#income.push({
      symbol: name,
      type: "FUNDING_FEE",
      amount: text,
      asset: "USDT",
      time: this.#clock(),
      transactionId,
    });
    const position = { symbol: name, positionSide: "BOTH" as const, amount: "0", entryPrice: "0", isolated: true };
    this.#emit({
      kind: "account",
      time: this.#clock(),
      transactionTime: time,
      cause: "FUNDING_FEE",
      balances: [{ asset: "USDT", wallet: money(this.inner.wallet), change: text }],
      positions: [position],
    });
  }

  #liquidated(event: LiquidationEvent): void {
    const instrument = this.inner.instruments[event.symbol]!;
    const prefix = {
      liquidation: "autoclose-",
      adl: "adl_autoclose",
      delisted: "settlement_autoclose-",
      external: "x",
    };
    // The position is gone already: the book before it tells the side.
    const positionSide = sideOf(event.leg);
    const side: WireSide = this.#sideOf(event.symbol, positionSide) > 0 ? "SELL" : "BUY";
    const orderId = this.#id();
    const order: VenueOrder = {
      inner: OTHERS + ++this.#ids,
      clientId: `${prefix[event.cause]}${orderId.slice(-8)}`,
      symbol: event.symbol,
      service: "regular",
      algoId: "",
      orderId,
      bornId: "",
      side,
      positionSide,
      wire: undefined,
      status: "NEW",
      algoStatus: "NEW",
      lots: event.lots,
      executed: 0,
      placedAt: this.#clock(),
      updatedAt: this.#clock(),
      stuck: false,
    };
    this.#orders.push(order);
    const fill = { ...event, kind: "fill", order: order.inner, trade: "", maker: false, done: true } as const;
    void instrument;
    this.#part(order, fill, event.lots, event.fee, true);
  }

  /** Signed lots by the trades so far: what was held before the trade that is being told. */
  #sideOf(symbol: number, leg: PositionSide): number {
    const instrument = this.inner.instruments[symbol]!;
    return this.#trades[symbol]!.reduce(
      (sum, { side, positionSide, quantity }) =>
        sum + (positionSide !== leg ? 0 : side === "BUY" ? 1 : -1) * lotsFrom(instrument, quantity),
      0,
    );
  }

  #orderEvent(order: VenueOrder, execution: string, trade?: TradeReport): void {
    const report = this.#report(order);
    this.#emit({
      kind: "order",
      time: this.#clock(),
      transactionTime: this.#clock(),
      symbol: report.symbol,
      clientId: report.clientId,
      orderId: report.orderId,
      side: report.side,
      positionSide: report.positionSide,
      type: report.type,
      originalType: report.originalType,
      execution,
      status: report.status,
      quantity: report.quantity,
      price: report.price,
      executed: report.executed,
      lastQuantity: trade?.quantity ?? "0",
      lastPrice: trade?.price ?? "0",
      commission: trade?.commission ?? "0",
      commissionAsset: trade?.commissionAsset ?? "",
      tradeId: trade?.tradeId ?? "0",
      maker: trade?.maker ?? false,
      reduceOnly: report.reduceOnly,
      closePosition: report.closePosition,
      realised: "0",
      expiryReason: 0,
      strategyId: order.service === "algo" && this.#faults.bornNamed ? order.algoId : "0",
    });
  }

  #algoEvent(order: VenueOrder): void {
    order.updatedAt = this.#clock();
    const { symbol, clientId, algoId, side, positionSide, type, status, quantity, triggerPrice, ...rest } =
      this.#algoReport(order);
    this.#emit({
      kind: "algo",
      time: this.#clock(),
      transactionTime: this.#clock(),
      symbol,
      clientId,
      algoId,
      side,
      positionSide,
      type,
      status,
      quantity,
      triggerPrice,
      reduceOnly: rest.reduceOnly,
      closePosition: rest.closePosition,
      actualOrderId: rest.actualOrderId,
      reason: rest.reason,
    });
  }

  /** Ids of the core's orders that are open here. */
  get bookOrders(): number[] {
    return this.inner.openOrders.flatMap((inner) => {
      const order = this.#byInner.get(inner);
      const id = order === undefined ? undefined : parseClientId(order.clientId);
      return id === undefined || id.auxiliary ? [] : [id.number];
    });
  }

  #open(service: VenueOrder["service"], clientId: string): VenueOrder | undefined {
    return this.#orders.find((order) => {
      if (order.service !== service || order.clientId !== clientId) return false;
      if (service === "algo") return order.algoStatus === "NEW" || order.algoStatus === "TRIGGERING";
      return order.status === "NEW" || order.status === "PARTIALLY_FILLED";
    });
  }

  #report(order: VenueOrder): OrderReport {
    const instrument = this.inner.instruments[order.symbol]!;
    const wire = order.wire;
    return {
      symbol: instrument.symbol,
      clientId: this.#regularId(order),
      orderId: order.orderId,
      status: order.status,
      side: order.side,
      positionSide: order.positionSide,
      type: wire?.type === "LIMIT" ? "LIMIT" : "MARKET",
      originalType: wire?.type ?? "MARKET",
      quantity: quantityText(instrument, order.lots),
      executed: quantityText(instrument, order.executed),
      price: wire !== undefined && "price" in wire ? (wire.price ?? "0") : "0",
      reduceOnly: wire?.reduceOnly ?? false,
      closePosition: false,
      updateTime: order.updatedAt,
    };
  }

  #algoReport(order: VenueOrder): AlgoReport {
    const wire = order.wire as NewAlgoOrder;
    const { positionSide } = order;
    return {
      symbol: this.#name(order),
      clientId: order.clientId,
      algoId: order.algoId,
      status: order.algoStatus,
      side: order.side,
      positionSide,
      type: wire.type,
      quantity: wire.quantity ?? "0",
      triggerPrice: wire.triggerPrice ?? "0",
      reduceOnly: wire.reduceOnly ?? false,
      closePosition: wire.closePosition ?? false,
      actualOrderId: order.algoStatus === "TRIGGERED" || order.algoStatus === "FINISHED" ? order.orderId : "",
      reason: "",
      updateTime: order.updatedAt,
    };
  }

  #regularId(order: VenueOrder): string {
    return order.service === "algo" ? order.bornId : order.clientId;
  }

  #name(order: VenueOrder): string {
    return this.inner.instruments[order.symbol]!.symbol;
  }

  #is(order: VenueOrder, symbol: string | undefined): boolean {
    return symbol === undefined || this.#name(order) === symbol;
  }

  #index(symbol: string): number {
    return this.inner.instruments.findIndex((instrument) => instrument.symbol === symbol);
  }

  #instrument(symbol: string): Instrument {
    return this.inner.instruments[this.#index(symbol)]!;
  }

  #id(): string {
    return String(8_389_766_145_050_600_000n + ++this.#sequence);
  }
}

const TIME_IN_FORCE = { GTC: "gtc", IOC: "ioc", FOK: "fok", GTX: "post-only", GTD: "gtc" } as const;

const LEG: Readonly<Record<PositionSide, Leg>> = { BOTH: "both", LONG: "long", SHORT: "short" };

function sideOf(leg: Leg): PositionSide {
  return leg === "long" ? "LONG" : leg === "short" ? "SHORT" : "BOTH";
}

/** What reduce-only means in hedge mode. */
function closesLeg({ side, positionSide }: NewOrder): boolean {
  return positionSide === (side === "SELL" ? "LONG" : "SHORT");
}

function requestOf(wire: NewOrder, instrument: Instrument): Omit<OrderRequest, "id" | "symbol" | "leverage"> {
  return {
    leg: LEG[wire.positionSide ?? "BOTH"],
    side: wire.side === "BUY" ? 1 : -1,
    type: wire.type === "LIMIT" ? "limit" : "market",
    purpose: wire.reduceOnly === true || closesLeg(wire) ? "exit" : "entry",
    lots: lotsFrom(instrument, wire.quantity),
    price: wire.price === undefined ? 0 : ticksFrom(instrument, wire.price),
    trigger: 0,
    timeInForce: wire.timeInForce === undefined ? "ioc" : TIME_IN_FORCE[wire.timeInForce],
    reduceOnly: wire.reduceOnly ?? false,
    closePosition: false,
  };
}

function algoRequestOf(wire: NewAlgoOrder, instrument: Instrument): Omit<OrderRequest, "id" | "symbol" | "leverage"> {
  const stop = wire.type === "STOP_MARKET";
  return {
    leg: LEG[wire.positionSide ?? "BOTH"],
    side: wire.side === "BUY" ? 1 : -1,
    type: ALGO[wire.type],
    purpose: stop ? (wire.closePosition === true ? "disaster-stop" : "working-stop") : "target",
    lots: wire.quantity === undefined ? 0 : lotsFrom(instrument, wire.quantity),
    price: 0,
    trigger: wire.triggerPrice === undefined ? 0 : ticksFrom(instrument, wire.triggerPrice),
    timeInForce: "gtc",
    reduceOnly: wire.reduceOnly ?? false,
    closePosition: wire.closePosition ?? false,
  };
}

function consequenceOf(code: number): Extract<Outcome<never>, { kind: "refused" }>["consequence"] {
  if (code === -2021) return "would-trigger";
  if (code === -2022) return "reduce-only";
  if (code === -2019) return "margin";
  if (code === -5022) return "price";
  if (code === -4130) return "stop-exists";
  if (code === -4116) return "duplicate";
  if (code === -4140) return "symbol-closed";
  return "invalid";
}

function done<T>(value: T): Outcome<T> {
  return { kind: "done", value };
}

function notFound<T>(code: number): Outcome<T> {
  return { kind: "refused", code, message: "Order does not exist.", consequence: "not-found" };
}

function money(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(9, "0");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -8)}.${digits.slice(-8)}`;
}
