import { dashboard, type Panel, type Query, type Row } from "./panels.ts";

/** Time over which rates are taken: at least four scrapes of fifteen seconds. */
const WINDOW = "2m";

const one = (expr: string, legend = "penstock"): Query[] => [{ expr, legend }];

/** Median and 99th percentile of a histogram. */
function quantiles(metric: string): Query[] {
  return [0.5, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${metric}_bucket[${WINDOW}])))`,
    legend: quantile === 0.5 ? "median" : "99th percentile",
  }));
}

const rate = (metric: string, by: string): Query[] => [
  { expr: `sum by (${by}) (rate(${metric}[${WINDOW}]))`, legend: `{{${by}}}` },
];

const MONEY: Panel[] = [
  {
    title: "Equity",
    about: "Wallet and unrealised result, USDT.",
    unit: "short",
    single: true,
    queries: one("penstock_equity_usdt"),
  },
  {
    title: "Drawdown",
    about: "Loss since the peak.",
    unit: "percentunit",
    single: true,
    queries: one("penstock_drawdown_ratio"),
  },
  {
    title: "Result",
    about: "Sum of all closed trades after costs, USDT.",
    unit: "short",
    single: true,
    queries: one("penstock_pnl_usdt"),
  },
  {
    title: "Positions",
    about: "Positions and pending entries.",
    unit: "short",
    single: true,
    queries: one("penstock_positions"),
  },
  {
    title: "Unprotected",
    about: "Positions without an acknowledged stop: 0 in a healthy run.",
    unit: "short",
    single: true,
    queries: one("penstock_unprotected_positions"),
  },
  {
    title: "Trading state",
    about: "The state that holds.",
    unit: "short",
    single: true,
    queries: [{ expr: "penstock_trading_state == 1", legend: "{{state}}" }],
  },
];

const BOOK: Row[] = [
  { title: "Now", panels: MONEY },
  {
    title: "Money",
    panels: [
      {
        title: "Equity",
        about: "Equity and wallet, USDT.",
        unit: "short",
        queries: [...one("penstock_equity_usdt", "equity"), ...one("penstock_wallet_usdt", "wallet")],
      },
      {
        title: "Exposure and margin",
        about: "Value of positions and margin bound, USDT.",
        unit: "short",
        queries: [...one("penstock_exposure_usdt", "exposure"), ...one("penstock_margin_usdt", "margin")],
      },
      {
        title: "Fees per hour",
        about: "Fees paid, USDT per hour.",
        unit: "short",
        queries: one(`rate(penstock_fees_usdt_total[1h]) * 3600`, "fees"),
      },
    ],
  },
  {
    title: "Trades",
    panels: [
      {
        title: "Trades per hour by exit",
        about: "How positions end.",
        unit: "short",
        queries: [{ expr: "sum by (exit) (increase(penstock_trades_total[1h])) > 0", legend: "{{exit}}" }],
      },
      {
        title: "Win rate",
        about: "Share of trades closed with a gain over a day.",
        unit: "percentunit",
        queries: one("increase(penstock_trades_won_total[1d]) / on() sum(increase(penstock_trades_total[1d])) ", "won"),
      },
      {
        title: "Unplanned ends per day",
        about: "Disaster stops, unprotected positions, liquidations.",
        unit: "short",
        queries: one(
          'sum(increase(penstock_trades_total{exit=~"disaster-stop|unprotected|liquidation|adl"}[1d]))',
          "unplanned",
        ),
      },
      {
        title: "Signals and refusals",
        about: "Candidates per minute, and how many a guard refused.",
        unit: "short",
        queries: [
          ...one(`rate(penstock_signals_total[${WINDOW}]) * 60`, "signals"),
          ...one(`rate(penstock_refusals_total[${WINDOW}]) * 60`, "refusals"),
        ],
      },
      {
        title: "Slippage of entries",
        about: "Price of the fill against the plan, basis points.",
        unit: "short",
        queries: quantiles("penstock_slippage_basis_points"),
      },
      {
        title: "Virtual positions",
        about: "Signals that are followed, traded or not.",
        unit: "short",
        queries: [
          ...one("penstock_virtual_positions", "live"),
          { expr: "sum by (outcome) (increase(penstock_virtual_closed_total[1h]))", legend: "{{outcome}} per hour" },
        ],
      },
    ],
  },
];

const SYSTEM: Row[] = [
  {
    title: "Path of an order",
    panels: [
      {
        title: "Message to decision",
        about: "From the arrival of a message to the core's decision.",
        unit: "s",
        queries: quantiles("penstock_message_to_decision_seconds"),
      },
      {
        title: "Decision to socket",
        about: "Until the order's bytes are handed to the socket.",
        unit: "s",
        queries: quantiles("penstock_decision_to_sent_seconds"),
      },
      {
        title: "Order to acknowledgement",
        about: "Until the exchange's answer.",
        unit: "s",
        queries: quantiles("penstock_order_to_ack_seconds"),
      },
      {
        title: "Step of the core",
        about: "One event with its effects.",
        unit: "s",
        queries: quantiles("penstock_step_seconds"),
      },
      {
        title: "Cycle",
        about: "Analysis of a cycle and its decision.",
        unit: "s",
        queries: quantiles("penstock_cycle_seconds"),
      },
      {
        title: "Events",
        about: "Events of the core per second.",
        unit: "short",
        queries: rate("penstock_events_total", "kind"),
      },
    ],
  },
  {
    title: "Exchange",
    panels: [
      {
        title: "API weight",
        about: "Weight used in the current minute; the limit is 2400.",
        unit: "short",
        queries: one("penstock_api_weight", "weight"),
      },
      {
        title: "Requests",
        about: "Requests per second by outcome.",
        unit: "short",
        queries: rate("penstock_api_requests_total", "outcome"),
      },
      {
        title: "Breaker",
        about: "The level that holds.",
        unit: "short",
        queries: [{ expr: "penstock_breaker_level == 1", legend: "{{level}}" }],
      },
      {
        title: "Orders",
        about: "Orders per second by outcome.",
        unit: "short",
        queries: rate("penstock_orders_total", "outcome"),
      },
      {
        title: "Feed age and lag",
        about: "Age of the newest bar; how far the loop is behind.",
        unit: "s",
        queries: [...one("penstock_feed_age_seconds", "feed age"), ...one("penstock_loop_behind_seconds", "behind")],
      },
      {
        title: "Requests saved",
        about: "Requests per second that the bar cache made unnecessary.",
        unit: "short",
        queries: one(`rate(penstock_requests_saved_total[${WINDOW}])`, "saved"),
      },
    ],
  },
  {
    title: "Learning",
    panels: [
      {
        title: "Model age",
        about: "Age of the model that decides; 0 while rules decide.",
        unit: "s",
        queries: one("penstock_model_age_seconds", "age"),
      },
      {
        title: "Drift",
        about: "Largest population stability index; above 0.25 the world has changed.",
        unit: "short",
        queries: [...one("penstock_model_drift", "PSI"), ...one("penstock_model_drift_columns", "features moved")],
      },
      {
        title: "Model on outcomes",
        about:
          "Log loss, share of outcomes within their sets, share of rows unlike the training data, factor of the bets.",
        unit: "short",
        queries: [
          ...one("penstock_model_loss", "log loss"),
          ...one("penstock_model_coverage_ratio", "coverage"),
          ...one("penstock_model_outside_ratio", "outside"),
          ...one("penstock_model_size_factor", "bets"),
        ],
      },
      {
        title: "Inference",
        about: "One batch of predictions.",
        unit: "s",
        queries: quantiles("penstock_inference_seconds"),
      },
      {
        title: "Cycles without an answer",
        about: "Decided by the rules, because the model in charge gave no answer.",
        unit: "short",
        queries: one("increase(penstock_model_unanswered_total[1h])", "cycles per hour"),
      },
    ],
  },
  {
    title: "Process",
    panels: [
      {
        title: "Memory",
        about: "Of the service process.",
        unit: "bytes",
        queries: [{ expr: "penstock_memory_bytes", legend: "{{kind}}" }],
      },
      {
        title: "Event-loop lag",
        about: "How late the trading thread came round, worst per update.",
        unit: "s",
        queries: one("penstock_event_loop_lag_seconds", "lag"),
      },
      {
        title: "Database",
        about: "Age of the oldest record that is not in the database.",
        unit: "s",
        queries: one("penstock_database_lag_seconds", "lag"),
      },
      {
        title: "Spool",
        about: "Records waiting on disk.",
        unit: "bytes",
        queries: one("penstock_spool_bytes", "spool"),
      },
      {
        title: "Rows given up",
        about: "Rows that neither database nor disk took; the journal has them.",
        unit: "short",
        queries: one("penstock_store_rows_dropped", "rows"),
      },
      {
        title: "Right to trade",
        about: "Epoch of the lease; 0 while another service has it, and on the embedded store.",
        unit: "short",
        queries: one("penstock_lease_epoch", "epoch"),
      },
      {
        title: "Notices",
        about: "Per minute by level.",
        unit: "short",
        queries: [{ expr: `sum by (level) (rate(penstock_notices_total[${WINDOW}])) * 60`, legend: "{{level}}" }],
      },
      {
        title: "Workers replaced",
        about: "Analysis workers that crashed, hung or grew, per hour.",
        unit: "short",
        queries: one("increase(penstock_workers_replaced_total[1h])", "workers"),
      },
    ],
  },
];

/** The dashboards by file name; `bun run generate` writes them. */
export function grafanaDashboards(): Readonly<Record<string, string>> {
  return {
    "penstock-book": dashboard("penstock-book", "Penstock: book", "Money, positions and trades.", BOOK),
    "penstock-system": dashboard(
      "penstock-system",
      "Penstock: system",
      "Latency, exchange, learning and process.",
      SYSTEM,
    ),
  };
}
