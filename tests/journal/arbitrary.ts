import fc from "fast-check";
import { type Candidate, REGIMES } from "../../src/core/candidate.ts";
import {
  type CoreRecord,
  type Effect,
  EXIT_REASONS,
  ORDER_TYPES,
  type OrderRequest,
  PURPOSES,
  TIMES_IN_FORCE,
  TRADING_STATES,
  type Trade,
  WORKING_TYPES,
} from "../../src/core/effects.ts";
import {
  ANSWERS,
  BREAKER_LEVELS,
  COMMANDS,
  ENTRIES_ALLOWED,
  type Event,
  HOLDS,
  LEGS,
  LIQUIDATION_CAUSES,
} from "../../src/core/events.ts";
import { VIRTUAL_EVENTS, VIRTUAL_OUTCOMES, type VirtualTrade } from "../../src/core/virtual-book.ts";
import type { JournalHeader } from "../../src/journal/format.ts";

/** Any double, NaN, the infinities and -0 included. */
const number = fc.double();
/** Any well-formed text: UTF-8 has no form for lone surrogates. */
const text = fc.string({ unit: "binary", maxLength: 60 });
const symbol = fc.integer({ min: -1, max: 2000 });
const direction = fc.constantFrom<1 | -1>(1, -1);
const flag = fc.boolean();
const leg = fc.constantFrom(...LEGS);
const texts = fc.array(text, { maxLength: 4 });
const numbers = fc.array(fc.tuple(text, number), { maxLength: 4 }).map((entries) => Object.fromEntries(entries));
const money = fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n });

const features = fc.array(fc.float(), { maxLength: 40 }).map((values) => Float32Array.from(values));

const candidate: fc.Arbitrary<Candidate> = fc.record(
  {
    symbol,
    strategy: text,
    setup: text,
    direction,
    entry: number,
    stop: number,
    target: number,
    confidence: number,
    scores: numbers,
    reasons: texts,
    features,
    prediction: fc.record({ model: text, probability: number, size: number }),
  },
  {
    requiredKeys: [
      "symbol",
      "strategy",
      "setup",
      "direction",
      "entry",
      "stop",
      "target",
      "confidence",
      "scores",
      "reasons",
    ],
  },
);

const head = { time: number, symbol };
const bar = { open: number, high: number, low: number, close: number, volume: number, flat: flag };

/** One arbitrary per kind, so that a kind without one does not compile. */
const events: { readonly [Kind in Event["kind"]]: fc.Arbitrary<Extract<Event, { kind: Kind }>> } = {
  command: fc.record({ kind: fc.constant("command"), ...head, command: fc.constantFrom(...COMMANDS) }),
  setting: fc.record({ kind: fc.constant("setting"), ...head, name: text, value: text, actor: text }),
  connection: fc.record({ kind: fc.constant("connection"), ...head, up: flag }),
  listing: fc.record({ kind: fc.constant("listing"), ...head, listed: flag }),
  funding: fc.record({ kind: fc.constant("funding"), ...head, rate: number, mark: number, amount: number }),
  answer: fc.record({
    kind: fc.constant("answer"),
    ...head,
    order: number,
    answer: fc.constantFrom(...ANSWERS),
    code: number,
    reason: text,
  }),
  fill: fc.record({
    kind: fc.constant("fill"),
    ...head,
    order: number,
    trade: text,
    lots: number,
    price: number,
    fee: number,
    maker: flag,
    done: flag,
  }),
  liquidation: fc.record({
    kind: fc.constant("liquidation"),
    ...head,
    leg,
    cause: fc.constantFrom(...LIQUIDATION_CAUSES),
    lots: number,
    price: number,
    fee: number,
  }),
  mark: fc.record({ kind: fc.constant("mark"), ...head, price: number }),
  quote: fc.record({
    kind: fc.constant("quote"),
    ...head,
    bid: number,
    ask: number,
    bidLots: number,
    askLots: number,
  }),
  bar: fc.record({ kind: fc.constant("bar"), ...head, ...bar }),
  analysis: fc.record({
    kind: fc.constant("analysis"),
    ...head,
    cycle: number,
    regimes: fc.array(fc.constantFrom(...REGIMES), { maxLength: 8 }),
    candidates: fc.array(candidate, { maxLength: 3 }),
  }),
  timer: fc.record({ kind: fc.constant("timer"), ...head, timer: text }),
  tick: fc.record({ kind: fc.constant("tick"), ...head, first: number, high: number, low: number, last: number }),
  standing: fc.record({
    kind: fc.constant("standing"),
    ...head,
    entries: fc.constantFrom(...ENTRIES_ALLOWED),
    reason: fc.string(),
  }),
  agreement: fc.record({ kind: fc.constant("agreement"), ...head, since: fc.double() }),
  adoption: fc.record({
    kind: fc.constant("adoption"),
    ...head,
    direction: fc.constantFrom(1 as const, -1 as const),
    lots: number,
    cost: number,
    leverage: number,
    mark: number,
    stop: number,
    disasterStop: number,
    since: number,
  }),
  transfer: fc.record({ kind: fc.constant("transfer"), ...head, amount: fc.double() }),
  breaker: fc.record({ kind: fc.constant("breaker"), ...head, level: fc.constantFrom(...BREAKER_LEVELS) }),
  model: fc.record({ kind: fc.constant("model"), ...head, model: text, reason: text }),
  hold: fc.record({
    kind: fc.constant("hold"),
    ...head,
    hold: fc.constantFrom(...HOLDS),
    on: fc.boolean(),
    epoch: number,
  }),
};

const plainOrder: fc.Arbitrary<OrderRequest> = fc.record({
  id: number,
  symbol,
  leg,
  side: direction,
  type: fc.constantFrom(...ORDER_TYPES),
  purpose: fc.constantFrom(...PURPOSES),
  lots: number,
  price: number,
  trigger: number,
  timeInForce: fc.constantFrom(...TIMES_IN_FORCE),
  reduceOnly: flag,
  closePosition: flag,
  leverage: number,
});
/** The fields that came later may be absent. */
const order: fc.Arbitrary<OrderRequest> = fc
  .tuple(plainOrder, fc.option(number), fc.option(fc.constantFrom(...WORKING_TYPES)), fc.option(number))
  .map(([plain, callback, workingType, arrival]) => ({
    ...plain,
    ...(callback === null ? {} : { callback }),
    ...(workingType === null ? {} : { workingType }),
    ...(arrival === null ? {} : { arrival }),
  }));

const trade: fc.Arbitrary<Trade> = fc.record({
  symbol,
  leg,
  direction,
  entryTime: number,
  exitTime: number,
  lots: number,
  entryNotional: money,
  exitNotional: money,
  fees: money,
  funding: money,
  pnl: money,
  reason: fc.constantFrom(...EXIT_REASONS),
  strategy: text,
  setup: text,
  confidence: number,
  plannedEntry: number,
  stop: number,
  target: number,
  leverage: number,
  reasons: texts,
});

const virtualTrade: fc.Arbitrary<VirtualTrade> = fc.record({
  id: number,
  symbol,
  direction,
  strategy: text,
  setup: text,
  confidence: number,
  scores: numbers,
  regime: fc.constantFrom(...REGIMES),
  signalTime: number,
  entryTime: number,
  exitTime: number,
  plannedEntry: number,
  entry: number,
  exit: number,
  stop: number,
  target: number,
  finalStop: number,
  stopMoves: number,
  outcome: fc.constantFrom(...VIRTUAL_OUTCOMES),
  best: number,
  bestAt: number,
  worst: number,
  worstAt: number,
});

const records: { readonly [Kind in CoreRecord["kind"]]: fc.Arbitrary<Extract<CoreRecord, { kind: Kind }>> } = {
  signal: fc.record({ kind: fc.constant("signal"), time: number, candidate, rank: number }),
  refusal: fc.record({
    kind: fc.constant("refusal"),
    time: number,
    symbol,
    guard: text,
    reason: text,
    numbers,
  }),
  opened: fc.record({
    kind: fc.constant("opened"),
    time: number,
    symbol,
    leg,
    direction,
    lots: number,
    price: number,
    leverage: number,
    margin: number,
  }),
  closed: fc.record({ kind: fc.constant("closed"), time: number, trade }),
  equity: fc.record({
    kind: fc.constant("equity"),
    time: number,
    equity: number,
    wallet: number,
    unrealised: number,
    margin: number,
    exposure: number,
    positions: number,
  }),
  "trading-state": fc.record({
    kind: fc.constant("trading-state"),
    time: number,
    from: fc.constantFrom(...TRADING_STATES),
    to: fc.constantFrom(...TRADING_STATES),
    reason: text,
  }),
  "stop-moved": fc.record({
    kind: fc.constant("stop-moved"),
    time: number,
    symbol,
    leg,
    from: number,
    to: number,
  }),
  "virtual-opened": fc.record({
    kind: fc.constant("virtual-opened"),
    time: number,
    id: number,
    symbol,
    direction,
    setup: text,
    confidence: number,
    entry: number,
    stop: number,
    target: number,
  }),
  virtual: fc.record({
    kind: fc.constant("virtual"),
    time: number,
    id: number,
    symbol,
    event: fc.constantFrom(...VIRTUAL_EVENTS),
    price: number,
  }),
  "virtual-closed": fc.record({ kind: fc.constant("virtual-closed"), time: number, trade: virtualTrade }),
  "virtual-statistics": fc.record({
    kind: fc.constant("virtual-statistics"),
    time: number,
    statistics: fc.record({
      live: number,
      opened: number,
      missed: number,
      marked: number,
      targets: number,
      stops: number,
      expired: number,
      wins: number,
      result: number,
      gains: number,
      losses: number,
    }),
  }),
};

const effects: { readonly [Kind in Effect["kind"]]: fc.Arbitrary<Extract<Effect, { kind: Kind }>> } = {
  submit: fc.record({ kind: fc.constant("submit"), order }),
  cancel: fc.record({ kind: fc.constant("cancel"), order: number, symbol }),
  amend: fc.record({ kind: fc.constant("amend"), order: number, symbol, lots: number, price: number }),
  analyse: fc.record({ kind: fc.constant("analyse"), cycle: number, late: fc.array(symbol, { maxLength: 5 }) }),
  "set-timer": fc.record({ kind: fc.constant("set-timer"), timer: text, at: number }),
  "clear-timer": fc.record({ kind: fc.constant("clear-timer"), timer: text }),
  record: fc.record({ kind: fc.constant("record"), record: fc.oneof(...Object.values(records)) }),
  notice: fc.record({
    kind: fc.constant("notice"),
    level: fc.constantFrom<"info" | "warning" | "alarm">("info", "warning", "alarm"),
    text,
  }),
};

export const anyEvent: fc.Arbitrary<Event> = fc.oneof(...Object.values(events));
export const anyEffect: fc.Arbitrary<Effect> = fc.oneof(...Object.values(effects));
export const eventKinds = Object.entries(events);
export const effectKinds = Object.entries(effects);
export const recordKinds = Object.entries(records);

/** A header as a small backtest would write it. */
export function someHeader(changes: Partial<JournalHeader> = {}): JournalHeader {
  return {
    build: "0.1.0",
    command: "backtest",
    mode: "simulated",
    kernel: "portable",
    epoch: 1,
    created: Date.UTC(2026, 0, 1),
    settings: { MAX_SIGNALS: 5, STRATEGY_MODE: "ict", NOTE: "größer ≥ ü" },
    settingsHash: "ab".repeat(32),
    instruments: [
      {
        symbol: "BTCUSDT",
        tickUnits: 1,
        priceDecimals: 1,
        lotUnits: 1,
        quantityDecimals: 3,
        unitValue: 10_000,
        minLots: 1,
        maxLots: 1_000_000,
        minNotional: 500_000_000,
        maxLeverage: 125,
      },
    ],
    data: {
      kind: "recorded",
      dir: "bars",
      dataHash: "cd".repeat(32),
      timeframe: 60_000,
      from: null,
      to: null,
      symbols: ["BTCUSDT"],
    },
    bars: "referenced",
    effects: "orders",
    ...changes,
  };
}
