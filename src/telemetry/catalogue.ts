import { EXIT_REASONS, PURPOSES, TRADING_STATES } from "../core/effects.ts";
import { BREAKER_LEVELS } from "../core/events.ts";

/**
 * Every metric there is. What is not in this list cannot be emitted: names, types and the values of labels are checked by
 * the compiler, and memory for them is reserved at the start. docs/metrics.md is made from it.
 *
 * Names follow the conventions of Prometheus: base units (seconds, bytes, USDT), `_total` for counters.
 */
export interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence, with the unit. */
  readonly help: string;
  /** Allowed values by label; each combination is a time series, so lists are short. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds of a histogram, rising. */
  readonly buckets?: readonly number[];
}

/** From a microsecond to a second: the path of an order. */
const MICRO = [1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.05, 0.1, 1];
/** From a tenth of a millisecond to a minute: answers of other machines and of workers. */
const MILLI = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];
const BASIS_POINTS = [-20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50];

/** Kinds of events that are counted apart; the rest would only multiply series. */
export const COUNTED_EVENTS = [
  "bar",
  "tick",
  "mark",
  "funding",
  "answer",
  "fill",
  "liquidation",
  "analysis",
  "timer",
  "command",
  "setting",
  "other",
] as const;

const CORE = {
  penstock_events_total: { type: "counter", help: "Events the core has taken.", labels: { kind: COUNTED_EVENTS } },
  penstock_step_seconds: {
    type: "histogram",
    help: "Time of one step of the core with its effects, seconds.",
    buckets: MICRO,
  },
  penstock_cycle_seconds: {
    type: "histogram",
    help: "From the request of a cycle's analysis to its decision, seconds.",
    buckets: MILLI,
  },
  penstock_cycles_total: { type: "counter", help: "Cycles decided." },
  penstock_cycle_absent_total: {
    type: "counter",
    help: "Symbols absent from a cycle because their bar or their analysis was late.",
  },
  penstock_loop_behind_seconds: { type: "gauge", help: "How far the loop is behind its market, seconds." },
  penstock_last_bar_timestamp_seconds: { type: "gauge", help: "Close of the newest bar, Unix seconds." },
  penstock_market_timestamp_seconds: { type: "gauge", help: "The core's clock, Unix seconds." },
  penstock_feed_age_seconds: { type: "gauge", help: "Market time since the newest bar closed, seconds." },
  penstock_symbols: { type: "gauge", help: "Symbols that are listed." },
} as const;

const RECORDING = {
  penstock_store_connected: { type: "gauge", help: "1 while the store's database takes rows." },
  penstock_store_rows_written: { type: "gauge", help: "Rows that the database has acknowledged in this run." },
  penstock_store_rows_dropped: {
    type: "gauge",
    help: "Rows that neither database nor disk took; penstock data rebuild brings them back.",
  },
  penstock_lease_epoch: { type: "gauge", help: "Epoch of the right to trade; 0 without it or where none is needed." },
} as const;

const BOOK = {
  penstock_equity_usdt: { type: "gauge", help: "Equity: wallet and unrealised result, USDT." },
  penstock_wallet_usdt: { type: "gauge", help: "Wallet balance, USDT." },
  penstock_unrealised_usdt: { type: "gauge", help: "Unrealised result of all positions, USDT." },
  penstock_margin_usdt: { type: "gauge", help: "Margin bound by positions and entries, USDT." },
  penstock_exposure_usdt: { type: "gauge", help: "Value of all open positions at the mark, USDT." },
  penstock_drawdown_ratio: { type: "gauge", help: "Loss since the equity's peak as a share of it." },
  penstock_positions: { type: "gauge", help: "Positions and pending entries." },
  penstock_unprotected_positions: { type: "gauge", help: "Positions without an acknowledged stop behind all of them." },
  penstock_open_orders: { type: "gauge", help: "Orders that have not ended." },
  penstock_trading_state: {
    type: "gauge",
    help: "1 for the trading state that holds.",
    labels: { state: TRADING_STATES },
  },
  penstock_ledger_drift_usdt: {
    type: "gauge",
    help: "Difference between our book and the exchange's balance at the last reconciliation, USDT.",
  },
  penstock_signals_total: { type: "counter", help: "Candidates that reached the ranking." },
  penstock_refusals_total: { type: "counter", help: "Candidates refused by a guard or the exchange." },
  penstock_opened_total: { type: "counter", help: "Positions opened." },
  penstock_trades_total: { type: "counter", help: "Trades closed.", labels: { exit: EXIT_REASONS } },
  penstock_trades_won_total: { type: "counter", help: "Trades closed with a gain after costs." },
  penstock_pnl_usdt: { type: "gauge", help: "Sum of the results of all closed trades after costs, USDT." },
  penstock_fees_usdt_total: { type: "counter", help: "Fees paid, USDT." },
  penstock_stop_moves_total: { type: "counter", help: "Working stops moved." },
  penstock_slippage_basis_points: {
    type: "histogram",
    help: "Price of an entry's fill against its plan, basis points; positive is worse.",
    buckets: BASIS_POINTS,
  },
  penstock_virtual_positions: { type: "gauge", help: "Virtual positions that live." },
  penstock_virtual_closed_total: {
    type: "counter",
    help: "Virtual positions that ended.",
    labels: { outcome: ["target-hit", "stop-hit", "expired"] },
  },
} as const;

const EXCHANGE = {
  penstock_orders_total: {
    type: "counter",
    help: "Orders by purpose and what became of them.",
    labels: {
      purpose: PURPOSES,
      outcome: ["sent", "accepted", "rejected", "cancelled", "expired", "filled", "unknown"],
    },
  },
  penstock_fills_total: { type: "counter", help: "Fills booked.", labels: { liquidity: ["maker", "taker"] } },
  penstock_message_to_decision_seconds: {
    type: "histogram",
    help: "From the arrival of a market message to the core's decision, seconds.",
    buckets: MICRO,
  },
  penstock_decision_to_sent_seconds: {
    type: "histogram",
    help: "From a decision to the order's bytes handed to the socket, seconds.",
    buckets: MICRO,
  },
  penstock_order_to_ack_seconds: {
    type: "histogram",
    help: "From sending an order to the exchange's answer, seconds.",
    buckets: MILLI,
  },
  penstock_api_weight: { type: "gauge", help: "Request weight used in the current minute, as the exchange counts it." },
  penstock_api_requests_total: {
    type: "counter",
    help: "Requests to the exchange.",
    labels: { outcome: ["done", "refused", "unknown", "withheld"] },
  },
  penstock_requests_saved_total: { type: "counter", help: "Requests that the bar cache made unnecessary." },
  penstock_breaker_level: {
    type: "gauge",
    help: "1 for the level of the breaker of the exchange's interface.",
    labels: { level: BREAKER_LEVELS },
  },
  penstock_connected: { type: "gauge", help: "1 while the feed and the order connection are up." },
  penstock_reconnects_total: {
    type: "counter",
    help: "Connections that were opened again.",
    labels: { stream: ["public", "market", "private", "orders"] },
  },
  penstock_clock_offset_seconds: { type: "gauge", help: "The exchange's clock minus ours, seconds." },
} as const;

const LEARNING = {
  penstock_model_age_seconds: { type: "gauge", help: "Age of the model that decides, seconds; 0 while rules decide." },
  penstock_model_drift: { type: "gauge", help: "Largest population stability index of any feature." },
  penstock_model_drift_columns: { type: "gauge", help: "Features whose distribution has moved beyond chance." },
  penstock_model_loss: { type: "gauge", help: "Mean log loss on outcomes since it last changed." },
  penstock_model_coverage_ratio: { type: "gauge", help: "Share of outcomes within their conformal sets." },
  penstock_model_outside_ratio: { type: "gauge", help: "Share of rows unlike the training data." },
  penstock_model_size_factor: { type: "gauge", help: "What bets are multiplied by because of drift." },
  penstock_inference_seconds: { type: "histogram", help: "Time of one batch of predictions, seconds.", buckets: MICRO },
  penstock_predictions_total: { type: "counter", help: "Rows that a model has judged." },
  penstock_model_unanswered_total: {
    type: "counter",
    help: "Cycles that the rules decided because the model in charge gave no answer.",
  },
  penstock_retraining_total: {
    type: "counter",
    help: "Trainings by their end.",
    labels: { outcome: ["promoted", "refused", "failed"] },
  },
} as const;

const SYSTEM = {
  penstock_workers_replaced_total: { type: "counter", help: "Analysis workers that crashed, hung or grew too large." },
  penstock_notices_total: {
    type: "counter",
    help: "Notices by level.",
    labels: { level: ["info", "warning", "alarm"] },
  },
  penstock_database_lag_seconds: {
    type: "gauge",
    help: "Age of the oldest record that is not in the database, seconds.",
  },
  penstock_database_pending: { type: "gauge", help: "Records that are not in the database yet." },
  penstock_spool_bytes: { type: "gauge", help: "Records waiting on disk, bytes." },
  penstock_memory_bytes: {
    type: "gauge",
    help: "Memory of the process, bytes.",
    labels: { kind: ["resident", "heap"] },
  },
  penstock_event_loop_lag_seconds: {
    type: "gauge",
    help: "How late the trading thread's loop came round, the worst since the last update, seconds.",
  },
  penstock_conflated_total: {
    type: "counter",
    help: "Updates for slow dashboard clients that were left out because a newer one replaced them.",
  },
  penstock_admin_clients: { type: "gauge", help: "Dashboards that are connected." },
} as const;

export const METRICS = {
  ...CORE,
  ...BOOK,
  ...EXCHANGE,
  ...LEARNING,
  ...RECORDING,
  ...SYSTEM,
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;
export const METRIC_NAMES = Object.keys(METRICS) as MetricName[];

/** Headings for people. */
export const METRIC_SECTIONS: Readonly<Record<string, Readonly<Record<string, MetricDefinition>>>> = {
  Core: CORE,
  Book: BOOK,
  Exchange: EXCHANGE,
  Learning: LEARNING,
  Store: RECORDING,
  System: SYSTEM,
};
