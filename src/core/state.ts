import { assert, invariantBroken } from "./assert.ts";
import type { Regime } from "./candidate.ts";
import { type Effect, type OrderRequest, type Side, TRADING_STATES, type TradingState } from "./effects.ts";
import type { EntryRules } from "./entry.ts";
import type { Hold, Leg } from "./events.ts";
import type { BookView, Guard, PositionView } from "./guard.ts";
import type { Instrument } from "./instrument.ts";
import { notionalOf } from "./instrument.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { MarketMemory } from "./market-memory.ts";
import { afterCancelRequest, newOrder, type Order, remainingLots } from "./order.ts";
import type { Position } from "./position.ts";
import { createRisk, drawdownOf, type RiskRules, type RiskState, recentWinRate, stricter } from "./risk.ts";
import { VirtualBook, type VirtualRules } from "./virtual-book.ts";

/** What the core is told once, when it is created. Money in 1e-8 USDT, times in ms. */
export interface CoreConfig {
  /** Sorted by symbol. */
  readonly instruments: readonly Instrument[];
  /**
   * Whether the account has a long and a short leg of each symbol. A book has one position per symbol either way, kept
   * as the leg "both"; its orders name the leg of its direction, whose other side means what reduce-only means elsewhere.
   */
  readonly hedge?: boolean;
  readonly balance: number;
  /** Entries are made from this time on. */
  readonly tradeFrom: number;
  /** How long after the nominal close a cycle waits for late symbols. */
  readonly cycleInterval: number;
  readonly minConfidence: number;
  readonly maxSignals: number;
  readonly maxPositions: number;
  readonly baseLeverage: number;
  readonly baseMarginFraction: number;
  readonly entry: EntryRules;
  /** From a position's first fill to the acknowledgement of its stop. */
  readonly protectionTimeout: number;
  /** How positions are led, real and virtual. */
  readonly life: VirtualRules;
  readonly risk: RiskRules;
  /** When the trading day begins, ms after midnight UTC. */
  readonly dayStart: number;
  /** Asked in this order. */
  readonly guards: readonly Guard[];
}

export interface SymbolState {
  listed: boolean;
  /** Close time of the last bar, 0 before the first. */
  lastBar: number;
  /** Whether the last bar was a stand-in: its price is old. */
  flat: boolean;
  /** Last price, ticks; 0 before the first bar. */
  mark: number;
  regime: Regime;
}

/**
 * Where the barrier stands: bars of the current cycle come in until all listed symbols have theirs (or the deadline
 * passes), then the analysis is awaited, then nothing until the next close.
 */
export type Cycle =
  | { readonly kind: "idle"; readonly close: number }
  | { readonly kind: "gathering"; readonly close: number; missing: number }
  | { readonly kind: "analysing"; readonly close: number };

/** The whole memory of the core. Changed in place by `step` and by nobody else. */
export interface State {
  config: CoreConfig;
  /** Settings that the operator has changed since the start, by name, as texts. */
  readonly changed: Map<string, string>;
  readonly configure: Configure | undefined;
  now: number;
  events: number;
  /** What holds now: the stricter of `floor` and what the book's own record asks for. */
  trading: TradingState;
  /** Set by the operator, and by the core itself when protection cannot be had; only the operator eases it. */
  floor: TradingState;
  readonly risk: RiskState;
  connected: boolean;
  /** Id of the model that decides, empty while the rules do. */
  model: string;
  /** Why the service keeps entries back at the moment. */
  readonly holds: Set<Hold>;
  /** Where the venue allows less than all entries, by symbol; -1 concerns all. */
  readonly barred: Map<number, { readonly entries: "smallest" | "none"; readonly reason: string }>;
  cycle: Cycle;
  listed: number;
  readonly symbols: readonly SymbolState[];
  readonly ledger: Ledger;
  /** Orders that have not ended, by our id; and the last of those that have, for what comes late. */
  readonly orders: Map<number, Order>;
  readonly ended: Map<number, Order>;
  nextOrder: number;
  /** Positions and pending entries by symbol and leg, in order of opening. */
  readonly positions: Map<string, Position>;
  /** Positions of which the entry rests at the exchange. */
  readonly resting: Set<Position>;
  readonly virtual: VirtualBook;
  readonly memory: MarketMemory;
  day: number;
  dayStartEquity: number;
}

/** What the core is to work with, given the settings changed since the start. The same texts give the same. */
export type Configure = (changed: ReadonlyMap<string, string>) => CoreConfig;

/** @param configure needed where settings may change while the core runs. */
export function createState(config: CoreConfig, configure?: Configure): State {
  config.instruments.forEach((instrument, index) => {
    const before = config.instruments[index - 1];
    assert(before === undefined || before.symbol < instrument.symbol, "instruments are sorted by symbol");
  });
  return {
    config,
    changed: new Map(),
    configure,
    now: 0,
    events: 0,
    trading: "normal",
    floor: "normal",
    risk: createRisk(config.balance),
    connected: true,
    model: "",
    holds: new Set(),
    barred: new Map(),
    cycle: { kind: "idle", close: 0 },
    listed: 0,
    symbols: config.instruments.map(() => ({ listed: false, lastBar: 0, flat: false, mark: 0, regime: "unknown" })),
    ledger: createLedger(BigInt(config.balance)),
    orders: new Map(),
    ended: new Map(),
    nextOrder: 1,
    positions: new Map(),
    resting: new Set(),
    virtual: new VirtualBook(config.instruments.length, config.life),
    memory: new MarketMemory(config.instruments),
    day: 0,
    dayStartEquity: config.balance,
  };
}

export function positionKey(symbol: number, leg: Leg): string {
  if (leg !== "both") return `${symbol}:${leg}`;
  // Asked for with every bar, and the same every time.
  KEYS[symbol] ??= `${symbol}:both`;
  return KEYS[symbol];
}

const KEYS: string[] = [];

export function instrumentOf(state: State, symbol: number): Instrument {
  const instrument = state.config.instruments[symbol];
  if (instrument === undefined) invariantBroken(`there is no symbol ${symbol}`);
  return instrument;
}

export function symbolOf(state: State, symbol: number): SymbolState {
  const found = state.symbols[symbol];
  if (found === undefined) invariantBroken(`there is no symbol ${symbol}`);
  return found;
}

/** Works out the trading state anew and records it when it is another one. */
export function refreshTrading(state: State, reason: string, out: Effect[]): void {
  const to = stricter(state.floor, TRADING_STATES[state.risk.level]!);
  if (state.trading === to) return;
  out.push({ kind: "record", record: { kind: "trading-state", time: state.now, from: state.trading, to, reason } });
  state.trading = to;
}

/** What of an order is not the same for all orders of its position. */
export type OrderTerms = Pick<OrderRequest, "purpose" | "type" | "lots" | "trigger" | "closePosition"> &
  Partial<Pick<OrderRequest, "price" | "timeInForce" | "arrival">>;

/** Sends an order for a position: recorded in the book before it leaves, so that no answer can find it unknown. */
export function submit(state: State, position: Position, terms: OrderTerms, out: Effect[]): number {
  const opens = terms.purpose === "entry";
  const { hedge = false } = state.config;
  const id = state.nextOrder++;
  const request: OrderRequest = {
    id,
    symbol: position.symbol,
    leg: hedge ? (position.direction === 1 ? "long" : "short") : position.leg,
    side: opens ? position.direction : (-position.direction as Side),
    type: terms.type,
    purpose: terms.purpose,
    lots: terms.lots,
    price: terms.price ?? 0,
    trigger: terms.trigger,
    timeInForce: terms.timeInForce ?? (terms.type === "market" ? "ioc" : "gtc"),
    reduceOnly: !opens && !terms.closePosition && !hedge,
    closePosition: terms.closePosition,
    leverage: opens ? position.plan.leverage : 0,
    ...(terms.arrival === undefined ? {} : { arrival: terms.arrival }),
  };
  state.orders.set(id, newOrder(request, position));
  out.push({ kind: "submit", order: request });
  return id;
}

/** Asks for an order's end, unless it has ended or was asked before. */
export function cancel(state: State, id: number, out: Effect[]): void {
  const order = state.orders.get(id);
  if (order === undefined || order.state.kind === "cancelling") return;
  order.state = afterCancelRequest(order.state);
  out.push({ kind: "cancel", order: id, symbol: order.request.symbol });
}

/** How many ended orders are remembered. */
const ENDED_MAX = 1024;

/** Moves an ended order out of the open ones. */
export function retire(state: State, order: Order): void {
  const { id } = order.request;
  state.orders.delete(id);
  state.ended.set(id, order);
  if (state.ended.size > ENDED_MAX) {
    const oldest = state.ended.keys().next();
    if (!oldest.done) state.ended.delete(oldest.value);
  }
}

/** Value of a position at the mark, and its unrealised result. */
export function positionValue(state: State, position: Position): { notional: number; unrealised: number } {
  const { lots, cost } = position.holding;
  if (lots === 0) return { notional: 0, unrealised: 0 };
  const notional = notionalOf(instrumentOf(state, position.symbol), lots, symbolOf(state, position.symbol).mark);
  return { notional, unrealised: position.direction * (notional - Number(cost)) };
}

/** Lots that the entry may still fill: until it has ended, what was asked for counts as taken. */
function pendingLots(state: State, { phase }: Position): number {
  const entry = state.orders.get(phase.entry);
  return entry === undefined ? 0 : remainingLots(entry);
}

/** Margin bound by a position: by what is held, and at least what was asked for while the entry is on its way. */
function marginOf(state: State, position: Position): number {
  const held = Math.ceil(Number(position.holding.cost) / position.plan.leverage);
  const asked = pendingLots(state, position) > 0 ? position.plan.margin : 0;
  return asked > held ? asked : held;
}

export interface Equity {
  readonly wallet: number;
  readonly unrealised: number;
  readonly equity: number;
  readonly margin: number;
  readonly exposure: number;
}

export function equityOf(state: State): Equity {
  const wallet = Number(state.ledger.balances.wallet);
  assert(Number.isSafeInteger(wallet), "the wallet is within exact arithmetic");
  let unrealised = 0;
  let margin = 0;
  let exposure = 0;
  for (const position of state.positions.values()) {
    const value = positionValue(state, position);
    unrealised += value.unrealised;
    exposure += value.notional;
    margin += marginOf(state, position);
  }
  return { wallet, unrealised, equity: wallet + unrealised, margin, exposure };
}

/** The book as guards see it, for a proposal on `symbol`; without `except`, where that is what is proposed. */
export function bookView(state: State, symbol: number, except?: Position): BookView {
  const { wallet, unrealised, equity, margin } = equityOf(state);
  const { risk, memory } = state;
  const bound = except === undefined ? margin : margin - marginOf(state, except);
  const positions: PositionView[] = [];
  for (const position of state.positions.values()) {
    if (position === except) continue;
    const lots = position.holding.lots + pendingLots(state, position);
    positions.push({
      symbol: position.symbol,
      leg: position.leg,
      direction: position.direction,
      notional: notionalOf(instrumentOf(state, position.symbol), lots, symbolOf(state, position.symbol).mark),
      margin: marginOf(state, position),
      correlation: memory.correlation(symbol, position.symbol),
    });
  }
  return {
    now: state.now,
    tradingState: state.trading,
    equity,
    // Isolated margin: open gains pay for nothing yet, open losses may become real.
    available: wallet + (unrealised < 0 ? unrealised : 0) - bound,
    dayStartEquity: state.dayStartEquity,
    drawdown: drawdownOf(risk),
    consecutiveLosses: risk.consecutiveLosses,
    winRate: recentWinRate(risk, state.config.risk),
    barAge: state.now - symbolOf(state, symbol).lastBar,
    volatility: memory.volatility(symbol),
    barValue: memory.barValue(symbol),
    regime: symbolOf(state, symbol).regime,
    positions,
  };
}
