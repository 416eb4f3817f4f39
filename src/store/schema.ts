import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  smallint,
  text,
} from "drizzle-orm/pg-core";

/**
 * Everything that Penstock keeps. Times are whole milliseconds since the epoch, UTC, as bigint: exact, the same on every
 * server, and the partitioning column of the large tables. Prices and quantities of the exchange are ticks and lots,
 * money is 1e-8 USDT; bars are float64 in USDT and base units.
 *
 * What a run produces is keyed by (run, seq): the run's id and the running number of the event or effect that the row
 * tells of, as the journal has them. The same one delivered twice is one row, and a replay makes the same rows.
 */

/** ms UTC */
const time = (name: string) => bigint(name, { mode: "number" }).notNull();
/** 1e-8 USDT; beyond 2^53 for no account that we could trade. */
const money = (name: string) => bigint(name, { mode: "number" }).notNull();
const count = (name: string) => bigint(name, { mode: "number" }).notNull();
const price = (name: string) => doublePrecision(name).notNull();

/** The run that a row came from: the epoch in its journal's header. */
const run = () => bigint("run", { mode: "number" }).notNull();
/** Number of the event or effect within the run, from 1; 0 for what is there before the first. */
const seq = () => bigint("seq", { mode: "number" }).notNull();

export const runs = pgTable("runs", {
  run: bigint("run", { mode: "number" }).primaryKey(),
  command: text("command").notNull(),
  mode: text("mode").notNull(),
  build: text("build").notNull(),
  settingsHash: text("settings_hash").notNull(),
  dataHash: text("data_hash"),
  journal: text("journal").notNull(),
});

/** Runs that came to a clean end. */
export const runEnds = pgTable("run_ends", {
  run: bigint("run", { mode: "number" }).primaryKey(),
  trades: count("trades"),
  tradesHash: text("trades_hash").notNull(),
});

/** The instruments of a run: what its ticks and lots mean. The exchange changes them from time to time. */
export const instruments = pgTable(
  "instruments",
  {
    run: run(),
    symbol: text("symbol").notNull(),
    tickUnits: count("tick_units"),
    priceDecimals: smallint("price_decimals").notNull(),
    lotUnits: count("lot_units"),
    quantityDecimals: smallint("quantity_decimals").notNull(),
    unitValue: count("unit_value"),
    minLots: count("min_lots"),
    maxLots: count("max_lots"),
    minNotional: money("min_notional"),
    maxLeverage: smallint("max_leverage").notNull(),
    /** The exchange's filters as they were told; null where it told none. */
    filters: jsonb("filters"),
    /** When the run began. */
    updatedAt: time("updated_at"),
  },
  (t) => [primaryKey({ columns: [t.run, t.symbol] })],
);

/** Closed bars as they are known now. An unfinished bar is never in here. */
export const klines = pgTable(
  "klines",
  {
    symbol: text("symbol").notNull(),
    /** Length of the bar, ms. */
    timeframe: integer("timeframe").notNull(),
    openTime: time("open_time"),
    open: price("open"),
    high: price("high"),
    low: price("low"),
    close: price("close"),
    volume: price("volume"),
    /** When this version was first seen, and how many versions there were before it. */
    seenAt: time("seen_at"),
    revision: smallint("revision").notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.symbol, t.timeframe, t.openTime] })],
);

/** Bars as they were seen before they were corrected: what a past decision was made on. */
export const klineRevisions = pgTable(
  "kline_revisions",
  {
    symbol: text("symbol").notNull(),
    timeframe: integer("timeframe").notNull(),
    openTime: time("open_time"),
    revision: smallint("revision").notNull(),
    open: price("open"),
    high: price("high"),
    low: price("low"),
    close: price("close"),
    volume: price("volume"),
    seenAt: time("seen_at"),
  },
  (t) => [primaryKey({ columns: [t.symbol, t.timeframe, t.openTime, t.revision] })],
);

export const fundingRates = pgTable(
  "funding_rates",
  {
    symbol: text("symbol").notNull(),
    time: time("time"),
    /** 1e-8 */
    rate: count("rate"),
    /** Ticks; 0 where it was not told. */
    mark: count("mark").default(0),
  },
  (t) => [primaryKey({ columns: [t.symbol, t.time] })],
);

export const signals = pgTable(
  "signals",
  {
    run: run(),
    seq: seq(),
    time: time("time"),
    symbol: text("symbol").notNull(),
    strategy: text("strategy").notNull(),
    setup: text("setup").notNull(),
    direction: smallint("direction").notNull(),
    entry: count("entry"),
    stop: count("stop"),
    target: count("target"),
    confidence: doublePrecision("confidence").notNull(),
    rank: integer("rank").notNull(),
    scores: jsonb("scores").notNull(),
    reasons: jsonb("reasons").notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq, t.time] }), index("signals_symbol_time").on(t.symbol, t.time)],
);

export const refusals = pgTable(
  "refusals",
  {
    run: run(),
    seq: seq(),
    time: time("time"),
    symbol: text("symbol").notNull(),
    guard: text("guard").notNull(),
    reason: text("reason").notNull(),
    numbers: jsonb("numbers").notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq, t.time] }), index("refusals_symbol_time").on(t.symbol, t.time)],
);

/** Orders as they were meant: one row per intent. What became of them is in `order_answers` and `fills`. */
export const orders = pgTable(
  "orders",
  {
    run: run(),
    /** Our order id within the run. */
    id: count("id"),
    seq: seq(),
    time: time("time"),
    symbol: text("symbol").notNull(),
    leg: text("leg").notNull(),
    side: smallint("side").notNull(),
    type: text("type").notNull(),
    purpose: text("purpose").notNull(),
    lots: count("lots"),
    price: count("price"),
    trigger: count("trigger"),
    timeInForce: text("time_in_force").notNull(),
    reduceOnly: boolean("reduce_only").notNull(),
    closePosition: boolean("close_position").notNull(),
    leverage: smallint("leverage").notNull(),
    /** The lease under which it was sent; 0 where none is needed. */
    epoch: count("epoch").default(0),
  },
  (t) => [primaryKey({ columns: [t.run, t.id] }), index("orders_symbol_time").on(t.symbol, t.time)],
);

export const orderAnswers = pgTable(
  "order_answers",
  {
    run: run(),
    seq: seq(),
    time: time("time"),
    order: count("order_id"),
    answer: text("answer").notNull(),
    code: integer("code").notNull(),
    reason: text("reason").notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq] })],
);

export const fills = pgTable(
  "fills",
  {
    run: run(),
    seq: seq(),
    time: time("time"),
    symbol: text("symbol").notNull(),
    /** 0 for what the exchange closed without an order of ours. */
    order: count("order_id"),
    /** The exchange's trade id. */
    trade: text("trade").notNull(),
    lots: count("lots"),
    price: count("price"),
    fee: money("fee"),
    maker: boolean("maker").notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq, t.time] }), index("fills_symbol_time").on(t.symbol, t.time)],
);

/** Closed positions, real and virtual. */
export const positions = pgTable(
  "positions",
  {
    run: run(),
    seq: seq(),
    virtual: boolean("virtual").notNull(),
    /** Its number among the real or the virtual ones of the run: what its events are found by. */
    position: count("position").default(0),
    symbol: text("symbol").notNull(),
    leg: text("leg").notNull(),
    direction: smallint("direction").notNull(),
    entryTime: time("entry_time"),
    exitTime: time("exit_time"),
    lots: count("lots"),
    entryNotional: money("entry_notional"),
    exitNotional: money("exit_notional"),
    fees: money("fees"),
    funding: money("funding"),
    pnl: money("pnl"),
    reason: text("reason").notNull(),
    strategy: text("strategy").notNull(),
    setup: text("setup").notNull(),
    confidence: doublePrecision("confidence").notNull(),
    stop: count("stop"),
    target: count("target"),
    leverage: smallint("leverage").notNull(),
    reasons: jsonb("reasons").notNull(),
    /** Average prices, ticks; and the result as a multiple of what was risked by plan, for real ones after all costs. */
    entryPrice: doublePrecision("entry_price"),
    exitPrice: doublePrecision("exit_price"),
    result: doublePrecision("result"),
    /** Best and worst excursion as a share of the entry price; null where nobody looked. */
    bestExcursion: doublePrecision("best_excursion"),
    worstExcursion: doublePrecision("worst_excursion"),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq, t.exitTime] }), index("positions_symbol_time").on(t.symbol, t.exitTime)],
);

/** The life of positions in steps: opened, best excursion extended, stop moved, target hit, … */
export const positionEvents = pgTable(
  "position_events",
  {
    run: run(),
    seq: seq(),
    time: time("time"),
    virtual: boolean("virtual").notNull().default(false),
    position: count("position"),
    symbol: text("symbol").notNull(),
    kind: text("kind").notNull(),
    price: count("price"),
    detail: jsonb("detail"),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq, t.time] })],
);

export const ledgerEntries = pgTable(
  "ledger_entries",
  {
    run: run(),
    seq: seq(),
    time: time("time"),
    into: text("into_account").notNull(),
    from: text("from_account").notNull(),
    amount: money("amount"),
    symbol: text("symbol"),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq, t.time, t.from] })],
);

export const equity = pgTable(
  "equity",
  {
    run: run(),
    seq: seq(),
    time: time("time"),
    equity: money("equity"),
    wallet: money("wallet"),
    unrealised: money("unrealised"),
    margin: money("margin"),
    exposure: money("exposure"),
    positions: integer("positions").notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq, t.time] })],
);

/** How many features a row has. */
export const FEATURES = 31;

/** `f1` to `f31`: typed columns, so that a row can be read back without parsing text. */
const features = Object.fromEntries(Array.from({ length: FEATURES }, (_, i) => [`f${i + 1}`, real(`f${i + 1}`)]));

/**
 * What was known when a virtual position was proposed, and how it ended: the rows that models learn from. Written when
 * the position has ended. A feature that was missing is null.
 */
export const featureRows = pgTable(
  "feature_rows",
  {
    run: run(),
    seq: seq(),
    symbol: text("symbol").notNull(),
    /** The virtual position. */
    position: count("position").default(0),
    /** Of the signal. */
    time: time("time"),
    /** When the label was known, and the label: the position's result as a multiple of its risk. */
    labelTime: bigint("label_time", { mode: "number" }),
    label: real("label"),
    ...features,
  },
  (t) => [primaryKey({ columns: [t.run, t.seq, t.time] })],
);

export const models = pgTable("models", {
  id: text("id").primaryKey(),
  kind: text("kind").notNull(),
  state: text("state").notNull(),
  parent: text("parent"),
  createdAt: time("created_at"),
  manifest: jsonb("manifest").notNull(),
});

/** Every attempt to find something, whatever came of it: what the deflated Sharpe ratio counts. */
export const trials = pgTable("trials", {
  id: text("id").primaryKey(),
  at: time("at"),
  kind: text("kind").notNull(),
  parameters: jsonb("parameters").notNull(),
  metrics: jsonb("metrics").notNull(),
});

export const settingsChanges = pgTable(
  "settings_changes",
  {
    at: time("at"),
    name: text("name").notNull(),
    who: text("who").notNull(),
    before: text("before").notNull(),
    after: text("after").notNull(),
  },
  (t) => [primaryKey({ columns: [t.at, t.name] })],
);

export const incidents = pgTable(
  "incidents",
  {
    run: run(),
    seq: seq(),
    time: time("time"),
    level: text("level").notNull(),
    text: text("text").notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.seq] })],
);

/** The right to trade: held by one service at a time, with an epoch that grows with every change of hands. */
export const leases = pgTable("leases", {
  name: text("name").primaryKey(),
  epoch: bigint("epoch", { mode: "number" }).notNull(),
  holder: text("holder").notNull(),
  /** By the server's clock. */
  expiresAt: bigint("expires_at", { mode: "number" }).notNull().default(sql`0`),
});
