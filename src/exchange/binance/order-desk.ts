import { unreachable } from "../../core/assert.ts";
import type { AmendRequest, OrderRequest } from "../../core/effects.ts";
import type { Instrument } from "../../core/instrument.ts";
import { ORDER_WINDOW, QUERY_LAG } from "./absence.ts";
import { lotsFrom, moneyOf, priceText, quantityText, ticksFrom } from "./decimals.ts";
import type {
  AlgoReport,
  AlgoUpdate,
  Gateway,
  OrderReport,
  OrderTradeUpdate,
  Outcome,
  Placement,
  TradeReport,
  Urgency,
} from "./gateway.ts";
import {
  algoState,
  conclude,
  fill,
  lacksFills,
  newRecord,
  type OrderNews,
  type OrderRecord,
  regularState,
  sizeIs,
} from "./order-record.ts";
import type { Schedule } from "./schedule.ts";
import { sideText, wireAlgoOrder, wireOrder } from "./wire-order.ts";

/** Waiting times of the desk, ms. */
export interface DeskTimes {
  /** Between two questions after one order: doubled from the first to the longest. */
  readonly firstAsk: number;
  readonly longestAsk: number;
  /** How old the exchange lets a request become, and how long queries may deny what it has taken (absence.ts). */
  readonly orderWindow: number;
  readonly queryLag: number;
  /** An order that was there and is not found for so long has vanished. */
  readonly vanishedAfter: number;
  /** From when on an order that protects or closes and that is not found is sent again under its own id. */
  readonly resendAfter: number;
  /** How long a conditional order may be triggering before it counts as lost. */
  readonly triggerBound: number;
  /** Fills that are missing are fetched after this, unless their events come in. */
  readonly fillDelay: number;
  /** An entry that could not be sent within this is not sent at all. */
  readonly entryLife: number;
}

export const DESK_TIMES: DeskTimes = {
  firstAsk: 200,
  longestAsk: 2000,
  orderWindow: ORDER_WINDOW,
  queryLag: QUERY_LAG,
  vanishedAfter: 8000,
  resendAfter: 1000,
  triggerBound: 3000,
  fillDelay: 500,
  entryLife: 5000,
};

export interface DeskOptions {
  readonly gateway: Gateway;
  readonly instruments: readonly Instrument[];
  readonly hedge: boolean;
  /** The client id of an order of the core: no two processes that trade on one account may give the same. */
  readonly named: (order: number) => string;
  /** The exchange's clock as far as we know it, and how far the true one may be behind it, ms. */
  readonly clock: () => number;
  readonly clockError: () => number;
  readonly marketTime: () => number;
  readonly schedule: Schedule;
  readonly times: DeskTimes;
  /** What the core is to be told, in the order in which it was found out. `time` is the exchange's. */
  readonly tell: (record: OrderRecord, time: number, news: OrderNews) => void;
  readonly notice: (level: "info" | "warning" | "alarm", text: string) => void;
  /** Lots of the order's leg, as told. */
  readonly held: (record: OrderRecord) => number;
  /** Trades of the symbol must be read: an order was executed further than its fills that came in. */
  readonly readTrades: (symbol: string) => void;
  /** Something is not as the book says; the books should be compared soon. */
  readonly doubt: (symbol: string, reason: string) => void;
  /** A stop of ours was seen to stand. */
  readonly stopSeen: () => void;
  /** Nothing may be entered (on the symbol, or anywhere): a refusal said so. */
  readonly bar: (symbol: string | undefined, reason: string) => void;
}

/** An order may be sent again this often under its own id. */
const RESENDS = 3;
const PROTECT: Urgency = "protect";

/** Orders that are remembered, those that have ended too: what comes late must find them. */
const REMEMBERED = 5000;
/** Events of orders that are not known (yet) and are kept in case they turn out to be a triggered stop of ours. */
const STRANGERS = 500;

/**
 * Sends our orders, finds out what became of them, and tells each thing once. An outcome that nobody knows is asked for
 * until it is known; an order that opens is never sent twice, one that only closes may be sent again under its own id,
 * when the exchange says that it has none of that id.
 */
export class OrderDesk {
  readonly #options: DeskOptions;
  readonly #byClientId = new Map<string, OrderRecord>();
  readonly #byRequest = new Map<number, OrderRecord>();
  /** By symbol and id of the exchange. */
  readonly #byOrderId = new Map<string, OrderRecord>();
  readonly #byAlgoId = new Map<string, OrderRecord>();
  readonly #open = new Set<OrderRecord>();
  readonly #strangers = new Map<string, OrderTradeUpdate[]>();
  /** What is to go on once it is known what became of an order. */
  readonly #waiting = new Map<OrderRecord, (() => void)[]>();
  readonly #resent = new Map<OrderRecord, number>();
  readonly #missingSince = new Map<OrderRecord, number>();
  readonly #watched = new Set<OrderRecord>();
  /** What the exchange has been told of symbols and has not been changed since. `asked`: the leverage asked for last. */
  readonly #prepared = new Map<string, { marginType: boolean; leverage: number; asked: number }>();
  readonly #indexOf: ReadonlyMap<string, number>;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#indexOf = new Map(options.instruments.map(({ symbol }, index) => [symbol, index]));
  }

  /** Orders that have not ended as far as told. */
  get open(): ReadonlySet<OrderRecord> {
    return this.#open;
  }

  record(clientId: string): OrderRecord | undefined {
    return this.#byClientId.get(clientId);
  }

  byOrderId(symbol: string, orderId: string): OrderRecord | undefined {
    return this.#byOrderId.get(`${symbol}:${orderId}`);
  }

  instrument(record: OrderRecord): Instrument {
    return this.#options.instruments[record.request.symbol]!;
  }

  symbol(record: OrderRecord): string {
    return this.instrument(record).symbol;
  }

  /** Whether a request about the symbol is on its way, or its outcome is not known. */
  isBusy(symbol: string): boolean {
    for (const record of this.#open) {
      const { placing, unknown, cancelling, asking } = record;
      if ((placing || unknown || cancelling || asking || lacksFills(record)) && this.symbol(record) === symbol)
        return true;
    }
    return false;
  }

  /** An order of an earlier process, as its journal has it: nobody knows what became of it since. */
  restore(record: OrderRecord): void {
    this.#add(record);
    if (record.over) return;
    record.unknown = true;
    record.lastSent = this.#options.clock();
    record.takenUntil = Number.POSITIVE_INFINITY;
    this.#boundRestored(record);
  }

  /**
   * When an earlier process signed is not in its journal. At the latest it was a moment ago, by a clock as good as ours;
   * while ours was not measured there is no bound.
   */
  #boundRestored(record: OrderRecord): void {
    const { clock, clockError, times } = this.#options;
    if (record.takenUntil === Number.POSITIVE_INFINITY) {
      record.takenUntil = clock() + 2 * clockError() + times.orderWindow;
    }
  }

  /** Asks after everything that is open. */
  askAll(): void {
    for (const record of [...this.#open]) if (!record.placing) this.ask(record);
  }

  submit(request: OrderRequest): void {
    const record = newRecord(request, this.#options.named(request.id));
    this.#add(record);
    if (request.purpose === "entry") void this.#enter(record);
    else this.#place(record);
  }

  cancel(id: number): void {
    const record = this.#byRequest.get(id);
    if (record === undefined || record.over || record.cancelAsked) return;
    record.cancelAsked = true;
    // Before its fate is known there is nothing to cancel; afterwards this is thought of again.
    if (!record.placing && !record.unknown) this.#cancel(record);
  }

  async amend({ order: id, lots, price }: AmendRequest): Promise<void> {
    const record = this.#byRequest.get(id);
    if (record === undefined || record.over) return;
    const { gateway } = this.#options;
    const instrument = this.instrument(record);
    const outcome = await gateway.amendOrder(
      {
        symbol: instrument.symbol,
        clientId: record.clientId,
        side: sideText(record.request.side),
        quantity: quantityText(instrument, lots),
        price: priceText(instrument, price),
      },
      PROTECT,
    );
    const said = (answer: "amended" | "amend-rejected", code: number, reason: string) =>
      this.#options.tell(record, this.#options.marketTime(), { kind: "answer", answer, code, reason });
    switch (outcome.kind) {
      case "done":
        this.#regular(record, outcome.value);
        return said("amended", 0, "");
      case "refused":
        if (outcome.consequence === "not-found") this.ask(record);
        return said("amend-rejected", outcome.code, outcome.message);
      case "withheld":
        return said("amend-rejected", 0, outcome.reason);
      case "unknown": {
        const asked = await gateway.queryOrder({ symbol: instrument.symbol, clientId: record.clientId }, PROTECT);
        if (asked.kind !== "done") return said("amend-rejected", 0, outcome.reason);
        const same =
          lotsFrom(instrument, asked.value.quantity) === lots && ticksFrom(instrument, asked.value.price) === price;
        this.#regular(record, asked.value);
        return said(same ? "amended" : "amend-rejected", 0, outcome.reason);
      }
      default:
        unreachable(outcome);
    }
  }

  /** An event of a regular order. False when it is none of ours as far as anybody knows. */
  orderEvent(event: OrderTradeUpdate): boolean {
    const key = `${event.symbol}:${event.orderId}`;
    const record =
      this.#byClientId.get(event.clientId) ??
      this.#byOrderId.get(key) ??
      (event.strategyId === "0" ? undefined : this.#byAlgoId.get(event.strategyId));
    if (record === undefined) {
      const kept = this.#strangers.get(key);
      if (kept !== undefined) kept.push(event);
      else this.#strangers.set(key, [event]);
      if (this.#strangers.size > STRANGERS) this.#strangers.delete(this.#strangers.keys().next().value!);
      return false;
    }
    this.#heard(record, event);
    return true;
  }

  #heard(record: OrderRecord, event: OrderTradeUpdate): void {
    const instrument = this.instrument(record);
    const news: OrderNews[] = [];
    const total = lotsFrom(instrument, event.quantity);
    sizeIs(record, total, event.transactionTime);
    const lots = lotsFrom(instrument, event.lastQuantity);
    // More is closed than is held as far as told: a fill before it is missing. It is left to the list of trades, which
    // has both in order.
    const early = record.request.purpose !== "entry" && this.#options.held(record) < lots;
    if (lots > 0 && event.tradeId !== "0" && !early) {
      const trade = {
        trade: event.tradeId,
        lots,
        price: ticksFrom(instrument, event.lastPrice),
        fee: this.#fee(event.commission, event.commissionAsset),
        maker: event.maker,
      };
      record.orderId = event.orderId;
      fill(record, trade, news);
    }
    regularState(
      record,
      {
        orderId: event.orderId,
        status: event.status,
        total,
        executed: lotsFrom(instrument, event.executed),
        time: event.transactionTime,
        reason: event.expiryReason === 0 ? "" : `expiry reason ${event.expiryReason}`,
      },
      news,
    );
    this.#after(record, event.transactionTime, news);
  }

  /** An event of a conditional order. False when it is none of ours. */
  algoEvent(event: AlgoUpdate): boolean {
    const record = this.#byClientId.get(event.clientId) ?? this.#byAlgoId.get(event.algoId);
    if (record === undefined) return false;
    // Sent twice under its id, the second time not in vain: the first has ended and this one stands for nothing.
    if (record.over && event.status === "NEW" && event.algoId !== record.algoId) {
      const { symbol, clientId } = event;
      void this.#options.gateway.cancelAlgoOrder({ symbol, clientId }, PROTECT);
      this.#options.doubt(symbol, `order ${clientId} stands a second time`);
      return true;
    }
    const news: OrderNews[] = [];
    algoState(record, event, news);
    this.#after(record, event.transactionTime, news);
    return true;
  }

  /** A trade from the exchange's list. False when it belongs to no order of ours as far as anybody knows. */
  trade(report: TradeReport): boolean {
    const record = this.#byOrderId.get(`${report.symbol}:${report.orderId}`);
    if (record === undefined) return false;
    const instrument = this.instrument(record);
    const news: OrderNews[] = [];
    fill(
      record,
      {
        trade: report.tradeId,
        lots: lotsFrom(instrument, report.quantity),
        price: ticksFrom(instrument, report.price),
        fee: this.#fee(report.commission, report.commissionAsset),
        maker: report.maker,
      },
      news,
    );
    this.#after(record, report.time, news);
    return true;
  }

  /** What was found about a regular order by the exchange's id: ours when it carries an id of ours. */
  adopt(report: OrderReport): boolean {
    const record = this.#byClientId.get(report.clientId);
    if (record === undefined) return false;
    this.#regular(record, report);
    return true;
  }

  /** Only USDT is booked: what is paid in another coin does not leave the wallet that we keep. */
  #fee(commission: string, asset: string): number {
    return asset === "USDT" || asset === "USDC" || asset === "" ? moneyOf(commission) : 0;
  }

  #add(record: OrderRecord): void {
    this.#byClientId.set(record.clientId, record);
    this.#byRequest.set(record.request.id, record);
    if (!record.over) this.#open.add(record);
    this.#bind(record);
    if (this.#byClientId.size > REMEMBERED) this.#forget();
  }

  /** The oldest order that has ended is forgotten. */
  #forget(): void {
    for (const record of this.#byClientId.values()) {
      if (!record.over) continue;
      this.#byClientId.delete(record.clientId);
      this.#byRequest.delete(record.request.id);
      this.#byAlgoId.delete(record.algoId);
      this.#byOrderId.delete(`${this.symbol(record)}:${record.orderId}`);
      this.#watched.delete(record);
      return;
    }
  }

  /** Remembers the exchange's ids of a record, and lets it hear what came in under them before. */
  #bind(record: OrderRecord): void {
    if (record.algoId !== "") this.#byAlgoId.set(record.algoId, record);
    if (record.orderId === "") return;
    const key = `${this.symbol(record)}:${record.orderId}`;
    if (this.#byOrderId.get(key) === record) return;
    this.#byOrderId.set(key, record);
    const kept = this.#strangers.get(key);
    if (kept === undefined) return;
    this.#strangers.delete(key);
    for (const event of kept) this.#heard(record, event);
  }

  /** Tells the news and does what they ask for. */
  #after(record: OrderRecord, time: number, news: readonly OrderNews[]): void {
    for (const item of news) this.#options.tell(record, time, item);
    if (record.over) {
      this.#open.delete(record);
      this.#missingSince.delete(record);
      this.#resent.delete(record);
    }
    this.#bind(record);
    if (record.over) return;
    const { schedule, clock, times } = this.#options;
    if (lacksFills(record)) {
      schedule.at(clock() + times.fillDelay, () => {
        if (!record.over && lacksFills(record)) this.#options.readTrades(this.symbol(record));
      });
    }
    this.#watch(record);
    if (record.cancelAsked && !record.placing && !record.unknown) this.#cancel(record);
  }

  /** A conditional order that has triggered must become a market order, and that must end, in a moment. */
  #watch(record: OrderRecord): void {
    const triggering =
      record.algoStatus === "TRIGGERING" || record.algoStatus === "TRIGGERED" || record.algoStatus === "FINISHED";
    if (record.service !== "algo" || !triggering || this.#watched.has(record)) return;
    this.#watched.add(record);
    const { schedule, clock, times } = this.#options;
    const begun = clock();
    const look = () => {
      if (record.over) return;
      // One of which a regular order was heard has come through, whatever its own status says.
      const hangs = record.algoStatus === "TRIGGERING" && !record.triggered;
      if (hangs && clock() - begun >= times.triggerBound) {
        const symbol = this.symbol(record);
        this.#options.notice(
          "alarm",
          `${symbol}: order ${record.clientId} is stuck while triggering and counts as lost`,
        );
        this.#concluded(record, "expired", 0, "stuck while triggering");
        this.#options.doubt(symbol, "an order is stuck while triggering");
        return;
      }
      this.ask(record);
      schedule.at(clock() + times.triggerBound / 3, look);
    };
    schedule.at(begun + times.triggerBound / 3, look);
  }

  #concluded(record: OrderRecord, how: "rejected" | "expired" | "cancelled", code: number, reason: string): void {
    const news: OrderNews[] = [];
    conclude(record, { how, code, reason }, news);
    this.#after(record, this.#options.marketTime(), news);
  }

  /** Margin mode and leverage first: an entry must not open with another's. */
  async #enter(record: OrderRecord): Promise<void> {
    const { clock, times } = this.#options;
    const begun = clock();
    record.placing = true;
    const problem = await this.#prepare(record);
    record.placing = false;
    if (record.cancelAsked) return this.#concluded(record, "cancelled", 0, "cancelled before it was sent");
    if (problem !== undefined) return this.#concluded(record, "rejected", problem.code, problem.reason);
    if (clock() - begun > times.entryLife) return this.#concluded(record, "rejected", 0, "too late to be sent");
    this.#place(record);
  }

  async #prepare(record: OrderRecord): Promise<{ code: number; reason: string } | undefined> {
    const { request } = record;
    const { gateway, instruments } = this.#options;
    const { symbol } = instruments[request.symbol]!;
    const known = this.#prepared.get(symbol) ?? { marginType: false, leverage: 0, asked: 0 };
    this.#prepared.set(symbol, known);
    if (!known.marginType) {
      const problem = problemOf(await gateway.setMarginType(symbol, "ISOLATED", "trade"));
      if (problem !== undefined) return problem;
      known.marginType = true;
    }
    if (known.leverage !== request.leverage) {
      known.leverage = 0;
      known.asked = request.leverage;
      const problem = problemOf(await gateway.setLeverage(symbol, request.leverage, "trade"));
      if (problem !== undefined) return problem;
      known.leverage = request.leverage;
    }
    // Somebody else may have changed it while we did.
    const changed = this.#prepared.get(symbol) !== known;
    return changed && !record.cancelAsked ? this.#prepare(record) : undefined;
  }

  /** The leverage of a symbol was set: by somebody else, unless it is what we have asked for. */
  leverageIs(symbol: string, leverage: number): void {
    if (this.#prepared.get(symbol)?.asked !== leverage) this.forgetSymbol(symbol);
  }

  /** Margin mode or leverage may have been changed by somebody else: of a symbol, or of any. */
  forgetSymbol(symbol?: string): void {
    if (symbol === undefined) this.#prepared.clear();
    else this.#prepared.delete(symbol);
  }

  #place(record: OrderRecord): void {
    const { gateway, clock } = this.#options;
    const urgency: Urgency = record.request.purpose === "entry" ? "trade" : PROTECT;
    record.placing = true;
    record.lastSent = clock();
    if (record.sentAt === 0) record.sentAt = this.#options.marketTime();
    if (record.service === "regular") {
      void gateway
        .placeOrder(wireOrder(record, this.instrument(record), this.#options.hedge), urgency)
        .then((outcome) => this.#placed(record, outcome));
    } else {
      void gateway
        .placeAlgoOrder(wireAlgoOrder(record, this.instrument(record), this.#options.hedge), urgency)
        .then((outcome) => this.#placed(record, outcome));
    }
  }

  #placed(record: OrderRecord, outcome: Placement<OrderReport | AlgoReport>): void {
    const { clock, schedule, times, tell } = this.#options;
    record.placing = false;
    if (outcome.kind !== "withheld") {
      // Whatever was signed was signed before this answer.
      const takenUntil = outcome.takenUntil ?? clock() + times.orderWindow;
      if (takenUntil > record.takenUntil) record.takenUntil = takenUntil;
    }
    if (record.over) return;
    if (outcome.kind === "done") return this.#report(record, outcome.value);
    // The account stream was faster: the order is there, whatever this answer says, and nothing is sent again.
    if (record.accepted) return this.ask(record);
    const closes = record.request.purpose !== "entry";
    switch (outcome.kind) {
      case "unknown":
        record.unknown = true;
        tell(record, this.#options.marketTime(), {
          kind: "answer",
          answer: "unknown",
          code: 0,
          reason: outcome.reason,
        });
        schedule.at(clock() + times.firstAsk, () => this.ask(record));
        return;
      case "withheld":
        if (!closes || record.cancelAsked) return this.#concluded(record, "rejected", 0, outcome.reason);
        record.placing = true;
        schedule.at(Math.max(outcome.retryAt, clock() + times.firstAsk), () => {
          record.placing = false;
          if (record.over || record.accepted) return;
          if (record.cancelAsked) this.#concluded(record, "cancelled", 0, "cancelled before it was sent");
          else this.#place(record);
        });
        return;
      case "refused":
        return this.#refused(record, outcome, closes);
      default:
        unreachable(outcome);
    }
  }

  #refused(record: OrderRecord, outcome: Extract<Outcome<never>, { kind: "refused" }>, closes: boolean): void {
    const { clock, clockError, schedule, times, doubt, bar } = this.#options;
    const { code, message, consequence } = outcome;
    const symbol = this.symbol(record);
    const reject = () => {
      if (!this.#resent.has(record) || clock() - clockError() >= this.#provenFrom(record)) {
        return this.#concluded(record, "rejected", code, message);
      }
      // What is said of this copy says nothing of an earlier one, which may still be taken.
      record.unknown = true;
      this.#askLater(record, 0);
    };
    switch (consequence) {
      case "duplicate":
        record.unknown = true;
        return this.ask(record);
      case "rate":
      case "clock":
        if (!closes) return reject();
        record.unknown = true;
        schedule.at(clock() + times.firstAsk, () => this.ask(record));
        return;
      case "busy":
        // "Not carried out" has been untrue before: nothing is concluded from it, for entries neither.
        record.unknown = true;
        this.#options.tell(record, this.#options.marketTime(), {
          kind: "answer",
          answer: "unknown",
          code,
          reason: message,
        });
        schedule.at(clock() + times.firstAsk, () => this.ask(record));
        return;
      case "reduce-only":
      case "stop-exists":
        doubt(symbol, message);
        return reject();
      case "mode":
      case "fatal":
      case "reduce-only-account":
        bar(undefined, message);
        return reject();
      case "symbol-closed":
        bar(symbol, message);
        return reject();
      case "invalid":
      case "price":
      case "margin":
      case "would-trigger":
      case "not-found":
      case "triggering":
      case "unchanged":
        return reject();
      default:
        unreachable(consequence);
    }
  }

  #cancel(record: OrderRecord): void {
    if (record.over || record.cancelling) return;
    const { gateway } = this.#options;
    const key = { symbol: this.symbol(record), clientId: record.clientId };
    record.cancelling = true;
    if (record.service === "regular") {
      void gateway.cancelOrder(key, PROTECT).then((outcome) => {
        if (outcome.kind === "done") this.#report(record, outcome.value);
        this.#cancelled(record, outcome);
      });
    } else {
      void gateway.cancelAlgoOrder(key, PROTECT).then((outcome) => this.#cancelled(record, outcome));
    }
  }

  /** The end is told by its event; where that does not come it is asked for, and the cancellation repeated. */
  #cancelled(record: OrderRecord, outcome: Outcome<unknown>): void {
    if (record.over) return;
    const { clock, schedule, times } = this.#options;
    const now = clock();
    const at = outcome.kind === "withheld" ? Math.max(outcome.retryAt, now + times.firstAsk) : now + times.resendAfter;
    schedule.at(at, () => {
      if (record.over) return;
      if (outcome.kind === "withheld") {
        record.cancelling = false;
        this.#cancel(record);
        return;
      }
      this.ask(record, () => {
        record.cancelling = false;
        if (!record.over && !record.unknown) schedule.at(clock() + times.resendAfter, () => this.#cancel(record));
      });
    });
  }

  /** Finds out what became of an order, however long it takes. */
  ask(record: OrderRecord, then?: () => void, attempt = 0): void {
    if (record.over) {
      then?.();
      return;
    }
    if (then !== undefined) {
      const waiting = this.#waiting.get(record);
      if (waiting === undefined) this.#waiting.set(record, [then]);
      else waiting.push(then);
    }
    if (record.asking && attempt === 0) return;
    record.asking = true;
    const settled = () => {
      record.asking = false;
      const waiting = this.#waiting.get(record) ?? [];
      this.#waiting.delete(record);
      for (const go of waiting) go();
    };
    this.#boundRestored(record);
    // What counts is when it is asked, not when it is answered: a slow answer tells of the past.
    const asked = this.#options.clock() - this.#options.clockError();
    void this.#query(record).then((outcome) => {
      if (record.over) return settled();
      if (outcome.kind === "done") {
        this.#missingSince.delete(record);
        this.#report(record, outcome.value);
        // A conditional order that has become a regular one is asked for once more, under the new name.
        const born = record.service === "algo" && record.orderId !== "" && !record.over && "algoId" in outcome.value;
        if (born && attempt === 0) return this.ask(record, undefined, 1);
        return settled();
      }
      if (outcome.kind === "refused" && outcome.consequence === "not-found") {
        return void this.#missing(record, attempt, asked).then((over) =>
          over ? settled() : this.#askLater(record, attempt),
        );
      }
      this.#askLater(record, attempt);
    });
  }

  #askLater(record: OrderRecord, attempt: number): void {
    const { clock, clockError, schedule, times } = this.#options;
    const now = clock();
    const next = now + Math.min(times.firstAsk * 2 ** attempt, times.longestAsk);
    // One question is asked right when its answer proves something.
    const proof = this.#provenFrom(record) + clockError();
    schedule.at(proof > now && proof < next ? proof : next, () => this.ask(record, undefined, attempt + 1));
  }

  /** From this time of the exchange's clock on, who asks and does not find the order knows that it will never be there. */
  #provenFrom({ request, cancelAsked, takenUntil }: OrderRecord): number {
    // What only closes and is not wanted any more need not be seen to be absent: were it found later, it is cancelled.
    const unwanted = request.purpose !== "entry" && cancelAsked;
    return takenUntil + (unwanted ? 0 : this.#options.times.queryLag);
  }

  #query(record: OrderRecord): Promise<Outcome<OrderReport | AlgoReport>> {
    const { gateway } = this.#options;
    const symbol = this.symbol(record);
    if (record.service === "regular") return gateway.queryOrder({ symbol, clientId: record.clientId }, PROTECT);
    if (record.orderId !== "") return gateway.queryOrder({ symbol, orderId: record.orderId }, PROTECT);
    return gateway.queryAlgoOrder({ symbol, clientId: record.clientId }, PROTECT);
  }

  /**
   * Asked for and not there. True when that has settled it.
   * @param asked what the exchange's clock showed at least when it was asked
   */
  async #missing(record: OrderRecord, attempt: number, asked: number): Promise<boolean> {
    const { gateway, clock, times } = this.#options;
    const symbol = this.symbol(record);
    // The service of conditional orders denies orders that its list still has.
    if (record.service === "algo" && record.orderId === "") {
      const listed = await gateway.openAlgoOrders(symbol, PROTECT);
      if (record.over) return true;
      if (listed.kind !== "done") return false;
      const found = listed.value.find(({ clientId }) => clientId === record.clientId);
      if (found !== undefined) {
        this.#report(record, found);
        return true;
      }
    }
    // A request is on its way, or waits to leave: nothing can be known before its answer, which is acted on.
    if (record.placing) return true;
    const now = clock();
    if (!this.#missingSince.has(record)) this.#missingSince.set(record, now);
    const waited = now - Math.max(record.lastSent, this.#missingSince.get(record)!);
    if (record.accepted) {
      // It was there, and whatever it filled is told by trades.
      if (waited < times.vanishedAfter) return false;
      this.#options.readTrades(symbol);
      this.#concluded(record, "expired", 0, "the exchange has it no more");
      this.#options.doubt(symbol, `order ${record.clientId} has vanished`);
      return true;
    }
    const resent = this.#resent.get(record) ?? 0;
    const closes = record.request.purpose !== "entry";
    if (
      closes &&
      !record.cancelAsked &&
      now - record.lastSent >= times.resendAfter &&
      resent < RESENDS &&
      attempt > 0
    ) {
      this.#resent.set(record, resent + 1);
      record.unknown = false;
      this.#place(record);
      return true;
    }
    if (asked < this.#provenFrom(record)) return false;
    this.#concluded(record, "rejected", 0, "it never reached the exchange");
    return true;
  }

  #report(record: OrderRecord, report: OrderReport | AlgoReport): void {
    if ("algoId" in report) {
      const news: OrderNews[] = [];
      algoState(record, report, news);
      const { purpose } = record.request;
      if (report.status === "NEW" && (purpose === "working-stop" || purpose === "disaster-stop")) {
        this.#options.stopSeen();
      }
      this.#after(record, report.updateTime, news);
    } else {
      this.#regular(record, report);
    }
  }

  #regular(record: OrderRecord, report: OrderReport): void {
    const instrument = this.instrument(record);
    const news: OrderNews[] = [];
    const said = {
      orderId: report.orderId,
      status: report.status,
      total: lotsFrom(instrument, report.quantity),
      executed: lotsFrom(instrument, report.executed),
      time: report.updateTime,
      reason: "",
    };
    regularState(record, said, news);
    this.#after(record, report.updateTime, news);
  }

  indexOf(symbol: string): number | undefined {
    return this.#indexOf.get(symbol);
  }
}

function problemOf(outcome: Outcome<null>): { code: number; reason: string } | undefined {
  switch (outcome.kind) {
    case "done":
      return undefined;
    case "refused":
      return { code: outcome.code, reason: outcome.message };
    default:
      return { code: 0, reason: outcome.reason };
  }
}
