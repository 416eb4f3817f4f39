import type { CoreRecord, Effect, OrderRequest } from "../core/effects.ts";
import type { AnalysisEvent, Event } from "../core/events.ts";
import { priceOf, quantityOf, USDT } from "../core/instrument.ts";
import type { Position } from "../core/position.ts";
import type { State } from "../core/state.ts";
import type { Log, LogFields, LogLevel } from "../log/log.ts";
import type { Watcher } from "./trader.ts";

/** Weights of notices as the log has them. */
export const NOTICE_LEVELS = { info: "info", warning: "warn", alarm: "error" } as const;

/**
 * What happens to money, in the log. Every line of one trade bears the same `trace`, from the signal to the last fill:
 * the close of the bar that led to it and the symbol, which is also what `/api/why` takes.
 */
export class RunLog implements Watcher {
  readonly #log: Log;
  readonly #state: State;
  /** Of the last signal by symbol, until its order is sent. */
  readonly #signals = new Map<number, string>();
  readonly #positions = new WeakMap<Position, string>();

  constructor(log: Log, state: State) {
    this.#log = log;
    this.#state = state;
  }

  stepped(event: Event, effects: readonly Effect[]): void {
    // Before its effects: a fill leads to the orders that protect it.
    this.#event(event);
    for (const effect of effects) this.#effect(effect, event);
  }

  #event(event: Event): void {
    switch (event.kind) {
      case "analysis": {
        if (this.#log.wants("debug")) this.#say("debug", "cycle analysed", undefined, counted(event));
        return;
      }
      case "fill": {
        const { order, trade, lots, price, fee, maker, done } = event;
        const { instrument, symbol } = this.#named(event.symbol);
        const fields = {
          ...{ symbol, order, trade, quantity: quantityOf(instrument, lots), price: priceOf(instrument, price) },
          ...{ fee: fee / USDT, maker, done, purpose: this.#order(order)?.request.purpose },
        };
        return this.#say("info", "fill", this.#traceOf(order), fields);
      }
      case "answer": {
        const { order, answer, code, reason } = event;
        const bad = answer === "rejected" || answer === "unknown" || answer.endsWith("-rejected");
        const fields = { symbol: this.#named(event.symbol).symbol, order, answer, code, reason };
        return this.#say(bad ? "warn" : "debug", "the exchange answered", this.#traceOf(order), fields);
      }
      case "liquidation": {
        const { symbol } = this.#named(event.symbol);
        return this.#say("error", "the exchange closed a position", undefined, { symbol, cause: event.cause });
      }
      case "connection":
        return this.#say(event.up ? "info" : "warn", `connection ${event.up ? "up" : "down"}`, undefined, {});
      case "breaker":
        return this.#say("warn", "breaker", undefined, { level: event.level });
      case "hold":
        return this.#say("warn", "hold", undefined, { hold: event.hold, on: event.on, lease: event.epoch });
      case "standing": {
        const { symbol, entries, reason } = event;
        const where = symbol < 0 ? {} : { symbol: this.#named(symbol).symbol };
        return this.#say(reason === "" ? "info" : "warn", "standing", undefined, { ...where, entries, reason });
      }
      case "model":
        return this.#say("info", "model", undefined, { model: event.model, reason: event.reason });
      case "transfer":
        return this.#say("warn", "transfer", undefined, { amount: event.amount / USDT });
      case "command":
        return this.#say("info", "command", undefined, { command: event.command });
      case "setting":
        return this.#say("info", "setting", undefined, { name: event.name, value: event.value, actor: event.actor });
      default:
        return;
    }
  }

  #effect(effect: Effect, cause: Event): void {
    switch (effect.kind) {
      case "submit":
        return this.#sent(effect.order);
      case "notice":
        return this.#say(NOTICE_LEVELS[effect.level], effect.text, undefined, {});
      case "record":
        return this.#record(effect.record, cause);
      default:
        return;
    }
  }

  #sent(request: OrderRequest): void {
    const { id, purpose, side, type, lots, price, trigger } = request;
    const position = this.#order(id)?.position;
    const signal = this.#signals.get(request.symbol);
    if (position !== undefined && purpose === "entry" && signal !== undefined) this.#positions.set(position, signal);
    const { instrument, symbol } = this.#named(request.symbol);
    const fields = {
      ...{
        symbol,
        order: id,
        purpose,
        side: side === 1 ? "buy" : "sell",
        type,
        quantity: quantityOf(instrument, lots),
      },
      ...(price === 0 ? {} : { price: priceOf(instrument, price) }),
      ...(trigger === 0 ? {} : { trigger: priceOf(instrument, trigger) }),
    };
    this.#say("info", "order sent", this.#traceOf(id), fields);
  }

  #record(record: CoreRecord, cause: Event): void {
    switch (record.kind) {
      case "signal": {
        const { symbol: index, direction, strategy, setup, confidence, reasons } = record.candidate;
        const { symbol } = this.#named(index);
        const trace = traceOf(cause, symbol) ?? `${new Date(record.time).toISOString()}/${symbol}`;
        this.#signals.set(index, trace);
        const fields = { symbol, direction, strategy, setup, confidence, rank: record.rank, reasons };
        return this.#say("info", "signal", trace, fields);
      }
      case "refusal": {
        const { guard, reason, numbers } = record;
        const { symbol } = this.#named(record.symbol);
        // The exchange refuses later than the guards, and then means the order of the last signal.
        const trace = traceOf(cause, symbol) ?? this.#signals.get(record.symbol);
        return this.#say("info", "refused", trace, { symbol, guard, reason, numbers });
      }
      case "opened": {
        const { instrument, symbol } = this.#named(record.symbol);
        const fields = { symbol, price: priceOf(instrument, record.price), leverage: record.leverage };
        return this.#say("info", "opened", this.#traceOfCause(cause), fields);
      }
      case "closed": {
        const { reason, pnl, fees, funding } = record.trade;
        const { symbol } = this.#named(record.trade.symbol);
        const money = { pnl: Number(pnl) / USDT, fees: Number(fees) / USDT, funding: Number(funding) / USDT };
        return this.#say("info", "closed", this.#traceOfCause(cause), { symbol, reason, ...money });
      }
      case "stop-moved": {
        const { instrument, symbol } = this.#named(record.symbol);
        const [from, to] = [priceOf(instrument, record.from), priceOf(instrument, record.to)];
        const position = this.#state.positions
          .values()
          .find((each) => each.symbol === record.symbol && each.leg === record.leg);
        return this.#say("info", "stop moved", position && this.#positions.get(position), { symbol, from, to });
      }
      case "trading-state": {
        const { from, to, reason } = record;
        return this.#say("warn", "trading state", undefined, { from, to, reason });
      }
      default:
        return;
    }
  }

  #say(level: LogLevel, message: string, trace: string | undefined, fields: LogFields): void {
    if (!this.#log.wants(level)) return;
    const market = new Date(this.#state.now).toISOString();
    this.#log.write(level, message, { market, ...(trace === undefined ? {} : { trace }), ...fields });
  }

  #order(id: number) {
    return this.#state.orders.get(id) ?? this.#state.ended.get(id);
  }

  #traceOf(order: number): string | undefined {
    const position = this.#order(order)?.position;
    return position && this.#positions.get(position);
  }

  #traceOfCause(cause: Event): string | undefined {
    return cause.kind === "fill" ? this.#traceOf(cause.order) : undefined;
  }

  #named(index: number) {
    const instrument = this.#state.config.instruments[index]!;
    return { instrument, symbol: instrument.symbol };
  }
}

/** The name of what an analysis leads to; undefined for other causes. */
function traceOf(cause: Event, symbol: string): string | undefined {
  return cause.kind === "analysis" ? `${new Date(cause.cycle).toISOString()}/${symbol}` : undefined;
}

function counted({ cycle, candidates }: AnalysisEvent): LogFields {
  return { cycle: new Date(cycle).toISOString(), candidates: candidates.length };
}
