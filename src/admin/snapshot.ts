import type { TradingState } from "../core/effects.ts";
import type { BreakerLevel, Hold, Leg } from "../core/events.ts";
import { type Instrument, notionalOf, priceOf, quantityOf, USDT } from "../core/instrument.ts";
import type { Position } from "../core/position.ts";
import { entryPrice, isProtected } from "../core/protection.ts";
import { drawdownOf, recentWinRate } from "../core/risk.ts";
import { equityOf, positionValue, type State } from "../core/state.ts";
import type { VirtualStatistics } from "../core/virtual-book.ts";

/** A position as people read it: prices and money in USDT, quantities in base units, times in ms UTC. */
export interface PositionRow {
  readonly symbol: string;
  readonly leg: Leg;
  readonly direction: "long" | "short";
  readonly phase: "opening" | "open" | "closing";
  readonly quantity: number;
  readonly entry: number;
  readonly mark: number;
  readonly stop: number;
  readonly disasterStop: number;
  readonly target: number;
  readonly leverage: number;
  readonly notional: number;
  readonly margin: number;
  /** Without fees and funding, which are apart. */
  readonly unrealised: number;
  readonly fees: number;
  readonly funding: number;
  /** Whether a stop at the exchange is acknowledged behind all of it. */
  readonly protected: boolean;
  readonly openedAt: number;
  readonly strategy: string;
  readonly setup: string;
  readonly confidence: number;
  readonly reasons: readonly string[];
  readonly chance: PositionChance;
}

/** What models say of a position: nothing of it moves a stop or closes anything. */
export interface PositionChance {
  /** The chance of a gain that it was entered on, 0 to 1; null where the rules decided. */
  readonly entered: number | null;
  /** What the model in charge says now; null while it has said nothing. */
  readonly now: ChanceNow | null;
}

/**
 * What the model in charge says now of a side that is held: the chance that a trade which was proposed at this moment,
 * with a stop and a target of its own, would gain after costs.
 */
export interface ChanceNow {
  readonly model: string;
  /** 0 to 1. */
  readonly probability: number;
  /** Whether the market is unlike all that the model was trained on. */
  readonly unlike: boolean;
  /** Close of the newest bar that it knows, ms UTC. */
  readonly at: number;
}

export interface OrderRow {
  readonly id: number;
  readonly symbol: string;
  readonly purpose: string;
  readonly type: string;
  readonly side: "buy" | "sell";
  readonly quantity: number;
  readonly filled: number;
  /** 0 where the order has none. */
  readonly price: number;
  readonly trigger: number;
  readonly closePosition: boolean;
  readonly state: string;
}

/** Everything an operator sees of the book at one moment. Money in USDT, shares 0 to 1. */
export interface Snapshot {
  /** The core's clock, ms UTC: market time. */
  readonly time: number;
  /** How far the loop is behind the market, ms. */
  readonly behind: number;
  readonly trading: TradingState;
  /** What operator or protection have set; the trading state is never easier than this. */
  readonly floor: TradingState;
  readonly breaker: BreakerLevel;
  readonly connected: boolean;
  /** Why the service itself keeps entries back: no right to trade, nothing can be written. */
  readonly holds: readonly Hold[];
  /** Where the venue allows less than all entries; without a symbol it concerns all. */
  readonly barred: readonly {
    readonly symbol: string | null;
    readonly entries: "smallest" | "none";
    readonly reason: string;
  }[];
  /** Id of the model that decides, empty while the rules do. */
  readonly model: string;
  readonly equity: number;
  readonly wallet: number;
  readonly unrealised: number;
  readonly margin: number;
  readonly exposure: number;
  readonly drawdown: number;
  readonly dayStartEquity: number;
  readonly consecutiveLosses: number;
  /** Absent while there are too few trades. */
  readonly winRate?: number;
  readonly lastBar: number;
  readonly listed: number;
  readonly events: number;
  readonly positions: readonly PositionRow[];
  readonly orders: readonly OrderRow[];
  readonly virtual: VirtualStatistics;
}

/** Takes a picture of the book; nothing in it is shared with the state. */
export function takeSnapshot(state: State, behind: number): Snapshot {
  const { wallet, unrealised, equity, margin, exposure } = equityOf(state);
  const winRate = recentWinRate(state.risk, state.config.risk);
  let lastBar = 0;
  for (const symbol of state.symbols) if (symbol.lastBar > lastBar) lastBar = symbol.lastBar;
  return {
    time: state.now,
    behind,
    trading: state.trading,
    floor: state.floor,
    breaker: state.risk.breaker,
    connected: state.connected,
    holds: [...state.holds],
    barred: [...state.barred].map(([symbol, { entries, reason }]) => ({
      symbol: state.config.instruments[symbol]?.symbol ?? null,
      entries,
      reason,
    })),
    model: state.model,
    equity: equity / USDT,
    wallet: wallet / USDT,
    unrealised: unrealised / USDT,
    margin: margin / USDT,
    exposure: exposure / USDT,
    drawdown: drawdownOf(state.risk),
    dayStartEquity: state.dayStartEquity / USDT,
    consecutiveLosses: state.risk.consecutiveLosses,
    ...(winRate === undefined ? {} : { winRate }),
    lastBar,
    listed: state.listed,
    events: state.events,
    positions: [...state.positions.values()].map((position) => positionRow(state, position)),
    orders: [...state.orders.values()].map(({ request, filled, state: { kind } }) => {
      const instrument = state.config.instruments[request.symbol]!;
      return {
        id: request.id,
        symbol: instrument.symbol,
        purpose: request.purpose,
        type: request.type,
        side: request.side === 1 ? "buy" : "sell",
        quantity: quantityOf(instrument, request.lots),
        filled: quantityOf(instrument, filled),
        price: priceOf(instrument, request.price),
        trigger: priceOf(instrument, request.trigger),
        closePosition: request.closePosition,
        state: kind,
      };
    }),
    virtual: { ...state.virtual.statistics },
  };
}

function positionRow(state: State, position: Position): PositionRow {
  const { plan, holding } = position;
  const instrument: Instrument = state.config.instruments[position.symbol]!;
  const { mark } = state.symbols[position.symbol]!;
  const price = (ticks: number) => priceOf(instrument, ticks);
  const held = holding.lots > 0;
  const { unrealised } = positionValue(state, position);
  const notional = notionalOf(instrument, held ? holding.lots : plan.lots, mark);
  return {
    symbol: instrument.symbol,
    leg: position.leg,
    direction: position.direction === 1 ? "long" : "short",
    phase: position.phase.kind,
    quantity: quantityOf(instrument, held ? holding.lots : plan.lots),
    entry: price(holding.openedLots > 0 ? entryPrice(state, position) : plan.candidate.entry),
    mark: price(mark),
    stop: price(position.stop),
    disasterStop: price(plan.disasterStop),
    target: price(plan.target),
    leverage: plan.leverage,
    notional: notional / USDT,
    margin: plan.margin / USDT,
    unrealised: unrealised / USDT,
    fees: Number(holding.fees) / USDT,
    funding: Number(holding.funding) / USDT,
    protected: held && isProtected(state, position),
    openedAt: holding.entryTime,
    strategy: plan.candidate.strategy,
    setup: plan.candidate.setup,
    confidence: plan.candidate.confidence,
    reasons: plan.candidate.reasons,
    chance: { entered: plan.candidate.prediction?.probability ?? null, now: null },
  };
}
