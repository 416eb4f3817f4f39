import { getTableColumns, getTableName, type Table } from "drizzle-orm";
import type { CoreRecord, Effect } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";
import * as schema from "./schema.ts";

/** Tables that a run writes into, by their name in the database. */
const TABLES: readonly Table[] = [
  schema.signals,
  schema.refusals,
  schema.orders,
  schema.orderAnswers,
  schema.fills,
  schema.positions,
  schema.equity,
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

/**
 * What is kept of an event, if anything. `run` is the run's epoch; `seq` the event's number in it, so that the same
 * event gives the same key when it is delivered again.
 */
export function rowOfEvent(
  event: Event,
  run: number,
  seq: number,
  instruments: readonly Instrument[],
): Row | undefined {
  const symbol = instruments[event.symbol]?.symbol ?? "";
  switch (event.kind) {
    case "fill":
      return row("fills", {
        run,
        seq,
        time: event.time,
        symbol,
        order_id: event.order,
        trade: event.trade,
        lots: event.lots,
        price: event.price,
        fee: event.fee,
        maker: event.maker,
      });
    case "liquidation":
      return row("fills", {
        run,
        seq,
        time: event.time,
        symbol,
        order_id: 0,
        trade: event.cause,
        lots: event.lots,
        price: event.price,
        fee: event.fee,
        maker: false,
      });
    case "answer":
      return row("order_answers", {
        run,
        seq,
        time: event.time,
        order_id: event.order,
        answer: event.answer,
        code: event.code,
        reason: event.reason,
      });
    default:
      return undefined;
  }
}

/** What is kept of an effect, if anything; `seq` is the effect's number in the run, `now` the core's time. */
export function rowOfEffect(
  effect: Effect,
  run: number,
  seq: number,
  now: number,
  instruments: readonly Instrument[],
): Row | undefined {
  switch (effect.kind) {
    case "submit": {
      const { order } = effect;
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
      });
    }
    case "notice":
      return row("incidents", { run, seq, time: now, level: effect.level, text: effect.text });
    case "record":
      return rowOfRecord(effect.record, run, seq, instruments);
    default:
      return undefined;
  }
}

function rowOfRecord(
  record: CoreRecord,
  run: number,
  seq: number,
  instruments: readonly Instrument[],
): Row | undefined {
  const named = (symbol: number) => instruments[symbol]!.symbol;
  switch (record.kind) {
    case "signal": {
      const { candidate, time, rank } = record;
      return row("signals", {
        run,
        seq,
        time,
        symbol: named(candidate.symbol),
        strategy: candidate.strategy,
        setup: candidate.setup,
        direction: candidate.direction,
        entry: candidate.entry,
        stop: candidate.stop,
        target: candidate.target,
        confidence: candidate.confidence,
        rank,
        scores: JSON.stringify(candidate.scores),
        reasons: JSON.stringify(candidate.reasons),
      });
    }
    case "refusal": {
      const { time, guard, reason, numbers } = record;
      return row("refusals", {
        run,
        seq,
        time,
        symbol: named(record.symbol),
        guard,
        reason,
        numbers: JSON.stringify(numbers),
      });
    }
    case "closed": {
      const { trade } = record;
      return row("positions", {
        run,
        seq,
        virtual: false,
        symbol: named(trade.symbol),
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
        best_excursion: null,
        worst_excursion: null,
      });
    }
    case "equity": {
      const { time, equity, wallet, unrealised, margin, exposure, positions } = record;
      return row("equity", { run, seq, time, equity, wallet, unrealised, margin, exposure, positions });
    }
    case "trading-state":
      return row("incidents", {
        run,
        seq,
        time: record.time,
        level: "state",
        text: `${record.from} to ${record.to}: ${record.reason}`,
      });
    default:
      return undefined;
  }
}

function row(table: string, values: Row["values"]): Row {
  return { table, values };
}
