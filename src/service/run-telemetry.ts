import type { CoreRecord, Effect } from "../core/effects.ts";
import { TRADING_STATES } from "../core/effects.ts";
import { BREAKER_LEVELS, type Event } from "../core/events.ts";
import { USDT } from "../core/instrument.ts";
import { isProtected } from "../core/protection.ts";
import { drawdownOf } from "../core/risk.ts";
import { equityOf, type State } from "../core/state.ts";
import type { ClientMeasures } from "../exchange/binance/client-measures.ts";
import { COUNTED_EVENTS } from "../telemetry/catalogue.ts";
import type { Counters } from "../telemetry/counters.ts";
import type { LearningView } from "./learning-loop.ts";
import type { ExchangeLink } from "./real-venue.ts";
import type { RecordingStatus } from "./recording.ts";
import type { Watcher } from "./trader.ts";

type Counted = (typeof COUNTED_EVENTS)[number];
const COUNTED = new Set<string>(COUNTED_EVENTS);

/** Turns what happens in a run into the figures of the catalogue. Costs some additions per event. */
export class RunTelemetry implements Watcher {
  readonly #counters: Counters;
  readonly #state: State;
  #pnl = 0;

  constructor(counters: Counters, state: State) {
    this.#counters = counters;
    this.#state = state;
  }

  /** How long an event took from the exchange's hands through the core to the last of its effects, seconds. */
  took(seconds: number): void {
    this.#counters.observe("penstock_step_seconds", undefined, seconds);
  }

  /** What the models of the run have come to; gauges stay 0 while nothing is known. */
  learning({ modelAge, drift }: LearningView): void {
    const counters = this.#counters;
    const known = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? 0 : value);
    counters.set("penstock_model_age_seconds", undefined, known(modelAge) / 1000);
    counters.set("penstock_model_drift", undefined, known(drift?.psiLargest));
    counters.set("penstock_model_drift_columns", undefined, known(drift?.psiColumns));
    counters.set("penstock_model_loss", undefined, known(drift?.loss));
    counters.set("penstock_model_coverage_ratio", undefined, known(drift?.coverage));
    counters.set("penstock_model_outside_ratio", undefined, known(drift?.outside));
    counters.set("penstock_model_size_factor", undefined, known(drift?.sizeFactor));
  }

  /** A batch of predictions, and how long it took. */
  predicted(rows: number, seconds: number): void {
    this.#counters.add("penstock_predictions_total", undefined, rows);
    this.#counters.observe("penstock_inference_seconds", undefined, seconds);
  }

  /** A cycle was decided without the model in charge, because it gave no answer. */
  unanswered(): void {
    this.#counters.add("penstock_model_unanswered_total", undefined);
  }

  trained(outcome: "promoted" | "refused" | "failed"): void {
    this.#counters.add("penstock_retraining_total", { outcome });
  }

  stepped(event: Event, effects: readonly Effect[]): void {
    const counters = this.#counters;
    const kind = COUNTED.has(event.kind) ? (event.kind as Counted) : "other";
    counters.add("penstock_events_total", { kind });
    for (const effect of effects) this.#effect(effect);
    if (event.kind === "fill") {
      const order = this.#state.orders.get(event.order) ?? this.#state.ended.get(event.order);
      counters.add("penstock_fills_total", { liquidity: event.maker ? "maker" : "taker" });
      counters.add("penstock_fees_usdt_total", undefined, event.fee > 0 ? event.fee / USDT : 0);
      if (order === undefined) return;
      const { purpose, side } = order.request;
      if (event.done) counters.add("penstock_orders_total", { purpose, outcome: "filled" });
      if (purpose === "entry") {
        const planned = order.position.plan.candidate.entry;
        counters.observe("penstock_slippage_basis_points", undefined, (side * (event.price - planned) * 1e4) / planned);
      }
    } else if (event.kind === "answer") {
      const order = this.#state.orders.get(event.order) ?? this.#state.ended.get(event.order);
      const outcome = event.answer;
      const counts =
        outcome === "accepted" ||
        outcome === "rejected" ||
        outcome === "cancelled" ||
        outcome === "expired" ||
        outcome === "unknown";
      if (order !== undefined && counts)
        counters.add("penstock_orders_total", { purpose: order.request.purpose, outcome });
    }
  }

  #effect(effect: Effect): void {
    if (effect.kind === "submit") {
      this.#counters.add("penstock_orders_total", { purpose: effect.order.purpose, outcome: "sent" });
    } else if (effect.kind === "record") {
      this.#record(effect.record);
    } else if (effect.kind === "notice") {
      this.notice(effect.level);
    }
  }

  #record(record: CoreRecord): void {
    const counters = this.#counters;
    switch (record.kind) {
      case "signal":
        return counters.add("penstock_signals_total");
      case "refusal":
        return counters.add("penstock_refusals_total");
      case "opened":
        return counters.add("penstock_opened_total");
      case "closed":
        counters.add("penstock_trades_total", { exit: record.trade.reason });
        if (record.trade.pnl > 0n) counters.add("penstock_trades_won_total");
        this.#pnl += Number(record.trade.pnl) / USDT;
        return counters.set("penstock_pnl_usdt", undefined, this.#pnl);
      case "stop-moved":
        return counters.add("penstock_stop_moves_total");
      case "virtual-closed":
        return counters.add("penstock_virtual_closed_total", { outcome: record.trade.outcome });
      default:
        return;
    }
  }

  /** Measures of the exchange's client. */
  readonly client: ClientMeasures = {
    asked: (outcome) => this.#counters.add("penstock_api_requests_total", { outcome }),
    sent: (seconds) => this.#counters.observe("penstock_decision_to_sent_seconds", undefined, seconds),
    answered: (seconds) => this.#counters.observe("penstock_order_to_ack_seconds", undefined, seconds),
    reconnected: (stream) => this.#counters.add("penstock_reconnects_total", { stream }),
  };

  /** The connection to a real exchange; to be called as often as `tick`. */
  link({ weight, clockOffset, drift }: ExchangeLink): void {
    this.#counters.set("penstock_api_weight", undefined, weight);
    this.#counters.set("penstock_clock_offset_seconds", undefined, clockOffset);
    this.#counters.set("penstock_ledger_drift_usdt", undefined, drift);
  }

  /** A notice that the shell gives, rather than the core. */
  notice(level: "info" | "warning" | "alarm"): void {
    this.#counters.add("penstock_notices_total", { level });
  }

  cycle(seconds: number, absent: number): void {
    this.#counters.add("penstock_cycles_total");
    this.#counters.add("penstock_cycle_absent_total", undefined, absent);
    this.#counters.observe("penstock_cycle_seconds", undefined, seconds);
  }

  /** How far the store is; to be called as often as `tick`. */
  recording({ edition, away, behind, waiting, spoolBytes, written, dropped, epoch }: RecordingStatus): void {
    const set = (name: Parameters<Counters["set"]>[0], value: number) =>
      this.#counters.set(name as "penstock_positions", undefined, value);
    set("penstock_store_connected", edition !== undefined && !away ? 1 : 0);
    set("penstock_database_lag_seconds", behind);
    set("penstock_database_pending", waiting);
    set("penstock_spool_bytes", spoolBytes);
    set("penstock_store_rows_written", written);
    set("penstock_store_rows_dropped", dropped);
    set("penstock_lease_epoch", epoch);
  }

  /** Refreshes the gauges; to be called several times a second. @param behind @param lag ms */
  tick(behind: number, lag: number): void {
    const counters = this.#counters;
    const state = this.#state;
    const book = equityOf(state);
    const set = (name: Parameters<Counters["set"]>[0], value: number) =>
      counters.set(name as "penstock_positions", undefined, value);
    set("penstock_equity_usdt", book.equity / USDT);
    set("penstock_wallet_usdt", book.wallet / USDT);
    set("penstock_unrealised_usdt", book.unrealised / USDT);
    set("penstock_margin_usdt", book.margin / USDT);
    set("penstock_exposure_usdt", book.exposure / USDT);
    set("penstock_drawdown_ratio", drawdownOf(state.risk));
    set("penstock_positions", state.positions.size);
    set("penstock_open_orders", state.orders.size);
    let naked = 0;
    for (const position of state.positions.values()) {
      if (position.holding.lots > 0 && !isProtected(state, position)) naked += 1;
    }
    set("penstock_unprotected_positions", naked);
    for (const name of TRADING_STATES)
      counters.set("penstock_trading_state", { state: name }, name === state.trading ? 1 : 0);
    for (const level of BREAKER_LEVELS)
      counters.set("penstock_breaker_level", { level }, level === state.risk.breaker ? 1 : 0);
    set("penstock_connected", state.connected ? 1 : 0);
    set("penstock_virtual_positions", state.virtual.statistics.live);
    set("penstock_symbols", state.listed);
    let lastBar = 0;
    for (const symbol of state.symbols) if (symbol.lastBar > lastBar) lastBar = symbol.lastBar;
    set("penstock_last_bar_timestamp_seconds", lastBar / 1000);
    set("penstock_market_timestamp_seconds", state.now / 1000);
    set("penstock_feed_age_seconds", lastBar === 0 ? 0 : (state.now - lastBar) / 1000);
    set("penstock_loop_behind_seconds", behind / 1000);
    set("penstock_event_loop_lag_seconds", lag / 1000);
    const memory = process.memoryUsage();
    counters.set("penstock_memory_bytes", { kind: "resident" }, memory.rss);
    counters.set("penstock_memory_bytes", { kind: "heap" }, memory.heapUsed);
  }
}
