import type { LiquidationEvent, TransferEvent } from "../../../src/core/events.ts";
import type { Instrument } from "../../../src/core/instrument.ts";
import { lotsFrom, moneyOf } from "../../../src/exchange/binance/decimals.ts";
import { BinanceExchange, causeOf } from "../../../src/exchange/binance/exchange.ts";
import type { Gateway, OrderTradeUpdate, UserEvent } from "../../../src/exchange/binance/gateway.ts";
import { newRecord, type OrderRecord } from "../../../src/exchange/binance/order-record.ts";
import { order } from "../bars.ts";

/** What our client has made of one recorded order, beside what the exchange said of it. */
export interface PlayedOrder {
  readonly record: OrderRecord;
  /** What the core was told: answers by name, fills as "lots at ticks", the last one with "done". */
  readonly told: readonly string[];
  /** Lots and commission of all fills that were told, 1e-8 USDT. */
  readonly lots: number;
  readonly fees: number;
  /** The recording's own last word. */
  readonly status: string;
  readonly executed: number;
  readonly commission: number;
}

export interface PlayedSession {
  readonly orders: readonly PlayedOrder[];
  readonly liquidations: readonly LiquidationEvent[];
  readonly transfers: readonly TransferEvent[];
  /** Times of account events whose position is not what the fills so far amount to. */
  readonly oddPositions: readonly number[];
  /** Times at which the wallet is not what fills, commissions and transfers so far amount to, and by how much. */
  readonly oddWallets: readonly (readonly [time: number, difference: number])[];
}

/** A contract with as many decimals as any recorded price and quantity has. */
export function recordedInstrument(symbol: string): Instrument {
  return {
    symbol,
    tickUnits: 1,
    priceDecimals: 6,
    lotUnits: 1,
    quantityDecimals: 2,
    unitValue: 1,
    minLots: 1,
    maxLots: 1_000_000,
    minNotional: 0,
    maxLeverage: 125,
  };
}

/** A gateway that hears what is recorded, and from which nothing ever comes back. */
function silent(listening: (listener: (event: UserEvent) => void) => void): Gateway {
  const never = () => new Promise<never>(() => {});
  return new Proxy({} as Gateway, {
    get: (_target, name) => (name === "listen" ? listening : name === "onBreaker" ? () => {} : never),
  });
}

/**
 * Plays a recorded session of one symbol through the exchange client, its orders being ours: what the core is told of
 * them, and whether position and wallet come to what the exchange's own account events say.
 */
export function playSession(events: readonly UserEvent[], times = 1): PlayedSession {
  const orders = events.filter((event) => event.kind === "order" || event.kind === "algo");
  const instrument = recordedInstrument(orders[0]!.symbol);
  let now = 0;
  let hear: (event: UserEvent) => void = () => {};
  const exchange = new BinanceExchange({
    gateway: silent((listener) => {
      hear = listener;
    }),
    instruments: [instrument],
    hedge: false,
    epoch: 1,
    clock: () => now,
    foreign: "ignore",
    adoptedStop: 0.02,
    wallet: () => 0n,
    notice: () => {},
    trustsStops: true,
  });
  const records = new Map<string, OrderRecord>();
  for (const event of orders) {
    const { clientId } = event;
    if (records.has(clientId) || causeOf(clientId) !== undefined) continue;
    const request = order(records.size + 1, {
      symbol: 0,
      side: event.side === "BUY" ? 1 : -1,
      type: event.kind === "algo" ? "stop-market" : event.type === "LIMIT" ? "limit" : "market",
      purpose: event.reduceOnly ? "exit" : "entry",
      lots: lotsFrom(instrument, event.quantity),
      price: 0,
      reduceOnly: event.reduceOnly,
    });
    const record = newRecord(request, clientId);
    exchange.desk.restore(record);
    records.set(clientId, record);
  }

  const told = new Map<number, { words: string[]; lots: number; fees: number }>();
  const liquidations: LiquidationEvent[] = [];
  const transfers: TransferEvent[] = [];
  const take = () => {
    for (let event = exchange.next(Infinity); event !== undefined; event = exchange.next(Infinity)) {
      if (event.kind === "liquidation") liquidations.push(event);
      if (event.kind === "transfer") transfers.push(event);
      if (event.kind !== "answer" && event.kind !== "fill") continue;
      const one = told.get(event.order) ?? { words: [], lots: 0, fees: 0 };
      told.set(event.order, one);
      if (event.kind === "answer") one.words.push(event.answer);
      else {
        one.words.push(`${event.lots} at ${event.price}${event.done ? ", done" : ""}`);
        one.lots += event.lots;
        one.fees += event.fee;
      }
    }
  };

  const held = () => exchange.held(`${instrument.symbol}:BOTH`);
  const books = new Books(instrument);
  for (const event of events) {
    if (event.time > now) now = event.time;
    for (let time = 0; time < times; time++) hear(event);
    take();
    books.heard(event, held());
  }
  const played = [...records.values()].map((record): PlayedOrder => {
    const last = orders.findLast(({ clientId, kind }) => clientId === record.clientId && kind === "order");
    const its = events.filter((event) => event.kind === "order" && event.clientId === record.clientId);
    const { words, lots, fees } = told.get(record.request.id) ?? { words: [], lots: 0, fees: 0 };
    return {
      record,
      told: words,
      lots,
      fees,
      status: (last ?? orders.findLast(({ clientId }) => clientId === record.clientId)!).status,
      executed: last?.kind === "order" ? lotsFrom(instrument, last.executed) : 0,
      commission: its.reduce((sum, one) => sum + moneyOf((one as OrderTradeUpdate).commission), 0),
    };
  });
  return { orders: played, liquidations, transfers, ...books.compared() };
}

/** The exchange's own word on position and wallet, against what its order events amount to. */
class Books {
  readonly #instrument: Instrument;
  readonly #positions = new Map<number, { said: number; held: number | undefined }>();
  readonly #oddWallets: (readonly [number, number])[] = [];
  /** Undefined before the first word on it. */
  #wallet: number | undefined;
  /** An account event comes before the fill that it is about. */
  #ahead: { readonly time: number; readonly wallet: number } | undefined;

  constructor(instrument: Instrument) {
    this.#instrument = instrument;
  }

  heard(event: UserEvent, held: number): void {
    if (event.kind === "account") this.#account(event);
    else if (event.kind === "order" && event.tradeId !== "0") {
      if (this.#wallet !== undefined) this.#wallet += moneyOf(event.realised) - moneyOf(event.commission);
      this.#settle();
      const there = this.#positions.get(event.transactionTime);
      if (there !== undefined) there.held = held;
    }
  }

  #account({ transactionTime: time, balances, positions, cause }: Extract<UserEvent, { kind: "account" }>): void {
    const position = positions.find(({ symbol }) => symbol === this.#instrument.symbol);
    if (position !== undefined) {
      const said = lotsFrom(this.#instrument, position.amount);
      this.#positions.set(time, { said, held: this.#positions.get(time)?.held });
    }
    const usdt = balances.find(({ asset }) => asset === "USDT");
    if (usdt === undefined) return;
    this.#settle();
    this.#ahead = { time, wallet: moneyOf(usdt.wallet) };
    if (cause === "ORDER") return;
    if (this.#wallet !== undefined) this.#wallet += moneyOf(usdt.change);
    this.#settle();
  }

  #settle(): void {
    if (this.#ahead === undefined) return;
    const { time, wallet } = this.#ahead;
    // Commissions are cut to eight decimals in one place and rounded in the other.
    const difference = wallet - (this.#wallet ?? wallet);
    if (Math.abs(difference) > 1) this.#oddWallets.push([time, difference]);
    this.#wallet = wallet;
    this.#ahead = undefined;
  }

  compared(): Pick<PlayedSession, "oddPositions" | "oddWallets"> {
    this.#settle();
    const odd = [...this.#positions].filter(([, { said, held }]) => said !== (held ?? 0)).map(([time]) => time);
    return { oddPositions: odd, oddWallets: this.#oddWallets };
  }
}
