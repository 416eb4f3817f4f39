import { getTableColumns, getTableName, type Table } from "drizzle-orm";
import type { CoreRecord, OrderRequest, Trade } from "../core/effects.ts";
import type { BarEvent, Event } from "../core/events.ts";
import { type Instrument, priceOf } from "../core/instrument.ts";
import { type VirtualTrade, virtualResult } from "../core/virtual-book.ts";
import * as schema from "./schema.ts";

/** Tables that a run writes into, by their name in the database. */
const TABLES: readonly Table[] = [
  schema.runs,
  schema.runEnds,
  schema.instruments,
  schema.klines,
  schema.fundingRates,
  schema.signals,
  schema.refusals,
  schema.orders,
  schema.orderAnswers,
  schema.fills,
  schema.positions,
  schema.positionEvents,
  schema.ledgerEntries,
  schema.equity,
  schema.featureRows,
  schema.settingsChanges,
  schema.incidents,
];

export type Value = string | number | boolean | null;

/** One row on its way into the database: columns by their name there, JSON columns as text. */
export interface Row {
  readonly table: string;
  readonly values: Readonly<Record<string, Value>>;
}

/** Columns of a table with their SQL types, in the schema's order. */
export const COLUMNS: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  TABLES.map((table) => [
    getTableName(table),
    new Map(Object.values(getTableColumns(table)).map((column) => [column.name, column.getSQLType()])),
  ]),
);

/** The run that rows belong to, and what its symbols' ticks and lots are. */
export interface RunOfRows {
  readonly run: number;
  readonly instruments: readonly Instrument[];
}

/** What is kept of an event by itself, if anything; `seq` is its number in the run. */
export function rowOfEvent(event: Event, { run, instruments }: RunOfRows, seq: number): Row | undefined {
  const { time } = event;
  const symbol = instruments[event.symbol]?.symbol ?? "";
  const incident = (level: string, text: string) => row("incidents", { run, seq, time, level, text });
  switch (event.kind) {
    case "fill": {
      const { order, trade, lots, price, fee, maker } = event;
      return row("fills", { run, seq, time, symbol, order_id: order, trade, lots, price, fee, maker });
    }
    case "liquidation": {
      const { cause, lots, price, fee } = event;
      return row("fills", { run, seq, time, symbol, order_id: 0, trade: cause, lots, price, fee, maker: false });
    }
    case "answer": {
      const { order, answer, code, reason } = event;
      return row("order_answers", { run, seq, time, order_id: order, answer, code, reason });
    }
    case "command":
      return incident("command", `operator: ${event.command}`);
    case "connection":
      return incident("connection", event.up ? "up" : "down");
    case "breaker":
      return incident("breaker", event.level);
    case "hold":
      return incident("hold", `${event.hold}: entries are ${event.on ? "kept back" : "free"}, epoch ${event.epoch}`);
    default:
      return undefined;
  }
}

/** A closed bar as the store keeps bars: in USDT. A flat one stands for a missing bar and is none. */
export function rowOfBar(bar: BarEvent, instrument: Instrument, timeframe: number): Row | undefined {
  if (bar.flat) return undefined;
  return row("klines", {
    symbol: instrument.symbol,
    timeframe,
    open_time: bar.time - timeframe,
    open: priceOf(instrument, bar.open),
    high: priceOf(instrument, bar.high),
    low: priceOf(instrument, bar.low),
    close: priceOf(instrument, bar.close),
    volume: bar.volume,
    seen_at: bar.time,
    revision: 0,
  });
}

/** An order as it was meant; `now` is the core's time, `epoch` the lease's. */
export function rowOfOrder(
  order: OrderRequest,
  { run, instruments }: RunOfRows,
  seq: number,
  now: number,
  epoch: number,
): Row {
  return row("orders", {
    run,
    id: order.id,
    seq,
    time: now,
    symbol: instruments[order.symbol]!.symbol,
    leg: order.leg,
    side: order.side,
    type: order.type,
    purpose: order.purpose,
    lots: order.lots,
    price: order.price,
    trigger: order.trigger,
    time_in_force: order.timeInForce,
    reduce_only: order.reduceOnly,
    close_position: order.closePosition,
    leverage: order.leverage,
    epoch,
  });
}

/** A closed position; its result is what was gained after all costs over what was risked by plan. */
export function rowOfTrade(trade: Trade, { run, instruments }: RunOfRows, seq: number, position: number): Row {
  const { symbol, unitValue } = instruments[trade.symbol]!;
  const units = trade.lots * unitValue;
  const risk = Math.abs(trade.plannedEntry - trade.stop) * units;
  return row("positions", {
    run,
    seq,
    virtual: false,
    position,
    symbol,
    leg: trade.leg,
    direction: trade.direction,
    entry_time: trade.entryTime,
    exit_time: trade.exitTime,
    lots: trade.lots,
    entry_notional: Number(trade.entryNotional),
    exit_notional: Number(trade.exitNotional),
    fees: Number(trade.fees),
    funding: Number(trade.funding),
    pnl: Number(trade.pnl),
    reason: trade.reason,
    strategy: trade.strategy,
    setup: trade.setup,
    confidence: trade.confidence,
    stop: trade.stop,
    target: trade.target,
    leverage: trade.leverage,
    reasons: JSON.stringify(trade.reasons),
    entry_price: Number(trade.entryNotional) / units,
    exit_price: Number(trade.exitNotional) / units,
    result: risk > 0 ? Number(trade.pnl) / risk : null,
  });
}

/** A virtual position from signal to end; it has no size, so no money. */
export function rowOfVirtualTrade(trade: VirtualTrade, { run, instruments }: RunOfRows, seq: number): Row {
  const share = (price: number) => (trade.direction * (price - trade.entry)) / trade.entry;
  return row("positions", {
    run,
    seq,
    virtual: true,
    position: trade.id,
    symbol: instruments[trade.symbol]!.symbol,
    leg: "both",
    direction: trade.direction,
    entry_time: trade.entryTime,
    exit_time: trade.exitTime,
    lots: 0,
    entry_notional: 0,
    exit_notional: 0,
    fees: 0,
    funding: 0,
    pnl: 0,
    reason: trade.outcome,
    strategy: trade.strategy,
    setup: trade.setup,
    confidence: trade.confidence,
    stop: trade.stop,
    target: trade.target,
    leverage: 0,
    reasons: "[]",
    entry_price: trade.entry,
    exit_price: trade.exit,
    result: virtualResult(trade),
    best_excursion: share(trade.best),
    worst_excursion: share(trade.worst),
  });
}

/** What is kept of those records of the core that are a row by themselves. */
export function rowOfRecord(record: CoreRecord, { run, instruments }: RunOfRows, seq: number): Row | undefined {
  const { time } = record;
  const named = (symbol: number) => instruments[symbol]!.symbol;
  switch (record.kind) {
    case "signal": {
      const { candidate, rank } = record;
      const { strategy, setup, direction, entry, stop, target, confidence, scores, reasons } = candidate;
      return row("signals", {
        run,
        seq,
        time,
        symbol: named(candidate.symbol),
        strategy,
        setup,
        direction,
        entry,
        stop,
        target,
        confidence,
        rank,
        scores: JSON.stringify(scores),
        reasons: JSON.stringify(reasons),
      });
    }
    case "refusal": {
      const { guard, reason, numbers } = record;
      const symbol = named(record.symbol);
      return row("refusals", { run, seq, time, symbol, guard, reason, numbers: JSON.stringify(numbers) });
    }
    case "equity": {
      const { equity, wallet, unrealised, margin, exposure, positions } = record;
      return row("equity", { run, seq, time, equity, wallet, unrealised, margin, exposure, positions });
    }
    case "trading-state":
      return row("incidents", {
        run,
        seq,
        time,
        level: "state",
        text: `${record.from} to ${record.to}: ${record.reason}`,
      });
    default:
      return undefined;
  }
}

/** The name of a feature's column by its place in the row. */
export function featureColumn(place: number): string {
  return `f${place + 1}`;
}

export function row(table: string, values: Row["values"]): Row {
  return { table, values };
}
