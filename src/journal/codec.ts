import { type Candidate, LONG, REGIMES, SHORT } from "../core/candidate.ts";
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
} from "../core/effects.ts";
import {
  ANSWERS,
  type BarEvent,
  BREAKER_LEVELS,
  COMMANDS,
  ENTRIES_ALLOWED,
  type Event,
  HOLDS,
  LEGS,
  LIQUIDATION_CAUSES,
} from "../core/events.ts";
import { VIRTUAL_EVENTS, VIRTUAL_OUTCOMES, type VirtualStatistics, type VirtualTrade } from "../core/virtual-book.ts";
import { InputError } from "../input-error.ts";
import type { ByteReader, ByteWriter } from "./binary.ts";

/**
 * The bytes of events and effects. Tags and the order of fields are part of the file format: a new kind takes the next
 * free tag, names are only ever added at the end of their lists, and anything else needs a new JOURNAL_VERSION.
 */

export function encodeEvent(out: ByteWriter, event: Event): void {
  switch (event.kind) {
    case "command":
      eventHead(out, 1, event);
      out.choice(COMMANDS, event.command);
      return;
    case "connection":
      eventHead(out, 2, event);
      out.flag(event.up);
      return;
    case "listing":
      eventHead(out, 3, event);
      out.flag(event.listed);
      return;
    case "funding":
      eventHead(out, 4, event);
      out.f64(event.rate);
      out.f64(event.mark);
      out.f64(event.amount);
      return;
    case "answer":
      eventHead(out, 5, event);
      out.f64(event.order);
      out.choice(ANSWERS, event.answer);
      out.f64(event.code);
      out.text(event.reason);
      return;
    case "fill":
      eventHead(out, 6, event);
      out.f64(event.order);
      out.text(event.trade);
      out.f64(event.lots);
      out.f64(event.price);
      out.f64(event.fee);
      out.flag(event.maker);
      out.flag(event.done);
      return;
    case "liquidation":
      eventHead(out, 7, event);
      out.choice(LEGS, event.leg);
      out.choice(LIQUIDATION_CAUSES, event.cause);
      out.f64(event.lots);
      out.f64(event.price);
      out.f64(event.fee);
      return;
    case "mark":
      eventHead(out, 8, event);
      out.f64(event.price);
      return;
    case "quote":
      eventHead(out, 9, event);
      out.f64(event.bid);
      out.f64(event.ask);
      out.f64(event.bidLots);
      out.f64(event.askLots);
      return;
    case "bar":
      eventHead(out, 10, event);
      encodeBarFields(out, event);
      return;
    case "analysis":
      eventHead(out, 11, event);
      out.f64(event.cycle);
      out.u32(event.regimes.length);
      for (const regime of event.regimes) out.choice(REGIMES, regime);
      out.u32(event.candidates.length);
      for (const candidate of event.candidates) encodeCandidate(out, candidate);
      return;
    case "timer":
      eventHead(out, 12, event);
      out.text(event.timer);
      return;
    case "tick":
      eventHead(out, 13, event);
      out.f64(event.first);
      out.f64(event.high);
      out.f64(event.low);
      out.f64(event.last);
      return;
    case "breaker":
      eventHead(out, 14, event);
      out.choice(BREAKER_LEVELS, event.level);
      return;
    case "model":
      eventHead(out, 15, event);
      out.text(event.model);
      out.text(event.reason);
      return;
    case "standing":
      eventHead(out, 18, event);
      out.choice(ENTRIES_ALLOWED, event.entries);
      out.text(event.reason);
      return;
    case "transfer":
      eventHead(out, 19, event);
      out.f64(event.amount);
      return;
    case "agreement":
      eventHead(out, 20, event);
      out.f64(event.since);
      return;
    case "adoption":
      eventHead(out, 21, event);
      encodeDirection(out, event.direction);
      out.f64(event.lots);
      out.f64(event.cost);
      out.f64(event.leverage);
      out.f64(event.mark);
      out.f64(event.stop);
      out.f64(event.disasterStop);
      out.f64(event.since);
      return;
    case "setting":
      eventHead(out, 16, event);
      out.text(event.name);
      out.text(event.value);
      out.text(event.actor);
      return;
    case "hold":
      eventHead(out, 17, event);
      out.choice(HOLDS, event.hold);
      out.flag(event.on);
      out.f64(event.epoch);
      return;
    default:
      unencodable(event);
  }
}

export function decodeEvent(input: ByteReader): Event {
  const tag = input.u8();
  const time = input.f64();
  const symbol = input.i32();
  switch (tag) {
    case 1:
      return { kind: "command", time, symbol, command: input.choice(COMMANDS) };
    case 2:
      return { kind: "connection", time, symbol, up: input.flag() };
    case 3:
      return { kind: "listing", time, symbol, listed: input.flag() };
    case 4:
      return { kind: "funding", time, symbol, rate: input.f64(), mark: input.f64(), amount: input.f64() };
    case 5: {
      const order = input.f64();
      const answer = input.choice(ANSWERS);
      return { kind: "answer", time, symbol, order, answer, code: input.f64(), reason: input.text() };
    }
    case 6:
      return {
        kind: "fill",
        time,
        symbol,
        order: input.f64(),
        trade: input.text(),
        lots: input.f64(),
        price: input.f64(),
        fee: input.f64(),
        maker: input.flag(),
        done: input.flag(),
      };
    case 7:
      return {
        kind: "liquidation",
        time,
        symbol,
        leg: input.choice(LEGS),
        cause: input.choice(LIQUIDATION_CAUSES),
        lots: input.f64(),
        price: input.f64(),
        fee: input.f64(),
      };
    case 8:
      return { kind: "mark", time, symbol, price: input.f64() };
    case 9: {
      const [bid, ask, bidLots, askLots] = [input.f64(), input.f64(), input.f64(), input.f64()];
      return { kind: "quote", time, symbol, bid, ask, bidLots, askLots };
    }
    case 10:
      return decodeBarFields(input, time, symbol);
    case 11:
      return {
        kind: "analysis",
        time,
        symbol,
        cycle: input.f64(),
        regimes: list(input, () => input.choice(REGIMES)),
        candidates: list(input, () => decodeCandidate(input)),
      };
    case 12:
      return { kind: "timer", time, symbol, timer: input.text() };
    case 13: {
      const [first, high, low, last] = [input.f64(), input.f64(), input.f64(), input.f64()];
      return { kind: "tick", time, symbol, first, high, low, last };
    }
    case 14:
      return { kind: "breaker", time, symbol, level: input.choice(BREAKER_LEVELS) };
    case 15:
      return { kind: "model", time, symbol, model: input.text(), reason: input.text() };
    case 18:
      return { kind: "standing", time, symbol, entries: input.choice(ENTRIES_ALLOWED), reason: input.text() };
    case 19:
      return { kind: "transfer", time, symbol, amount: input.f64() };
    case 20:
      return { kind: "agreement", time, symbol, since: input.f64() };
    case 21: {
      const direction = decodeDirection(input);
      const [lots, cost, leverage] = [input.f64(), input.f64(), input.f64()];
      const [mark, stop, disasterStop, since] = [input.f64(), input.f64(), input.f64(), input.f64()];
      return { kind: "adoption", time, symbol, direction, lots, cost, leverage, mark, stop, disasterStop, since };
    }
    case 16:
      return { kind: "setting", time, symbol, name: input.text(), value: input.text(), actor: input.text() };
    case 17:
      return { kind: "hold", time, symbol, hold: input.choice(HOLDS), on: input.flag(), epoch: input.f64() };
    default:
      throw new InputError(`event kind ${tag} is unknown to this build`);
  }
}

function eventHead(out: ByteWriter, tag: number, event: Event): void {
  out.u8(tag);
  out.f64(event.time);
  out.i32(event.symbol);
}

/** The part of a bar event that a run of bars repeats: everything but time and symbol. */
export function encodeBarFields(out: ByteWriter, bar: BarEvent): void {
  out.f64(bar.open);
  out.f64(bar.high);
  out.f64(bar.low);
  out.f64(bar.close);
  out.f64(bar.volume);
  out.flag(bar.flat);
}

export function decodeBarFields(input: ByteReader, time: number, symbol: number): BarEvent {
  return {
    kind: "bar",
    time,
    symbol,
    open: input.f64(),
    high: input.f64(),
    low: input.f64(),
    close: input.f64(),
    volume: input.f64(),
    flat: input.flag(),
  };
}

export function encodeEffect(out: ByteWriter, effect: Effect): void {
  switch (effect.kind) {
    case "submit":
      out.u8(1);
      encodeOrder(out, effect.order);
      return;
    case "cancel":
      out.u8(2);
      out.f64(effect.order);
      out.i32(effect.symbol);
      return;
    case "amend":
      out.u8(8);
      out.f64(effect.order);
      out.i32(effect.symbol);
      out.f64(effect.lots);
      out.f64(effect.price);
      return;
    case "analyse":
      out.u8(3);
      out.f64(effect.cycle);
      out.u32(effect.late.length);
      for (const symbol of effect.late) out.i32(symbol);
      return;
    case "set-timer":
      out.u8(4);
      out.text(effect.timer);
      out.f64(effect.at);
      return;
    case "clear-timer":
      out.u8(5);
      out.text(effect.timer);
      return;
    case "record":
      out.u8(6);
      encodeCoreRecord(out, effect.record);
      return;
    case "notice":
      out.u8(7);
      out.choice(LEVELS, effect.level);
      out.text(effect.text);
      return;
    default:
      unencodable(effect);
  }
}

export function decodeEffect(input: ByteReader): Effect {
  const tag = input.u8();
  switch (tag) {
    case 1:
      return { kind: "submit", order: decodeOrder(input) };
    case 2:
      return { kind: "cancel", order: input.f64(), symbol: input.i32() };
    case 3:
      return { kind: "analyse", cycle: input.f64(), late: list(input, () => input.i32()) };
    case 4:
      return { kind: "set-timer", timer: input.text(), at: input.f64() };
    case 5:
      return { kind: "clear-timer", timer: input.text() };
    case 6:
      return { kind: "record", record: decodeCoreRecord(input) };
    case 7:
      return { kind: "notice", level: input.choice(LEVELS), text: input.text() };
    case 8:
      return { kind: "amend", order: input.f64(), symbol: input.i32(), lots: input.f64(), price: input.f64() };
    default:
      throw new InputError(`effect kind ${tag} is unknown to this build`);
  }
}

const LEVELS = ["info", "warning", "alarm"] as const;
const DIRECTIONS = [LONG, SHORT] as const;

function encodeDirection(out: ByteWriter, direction: 1 | -1): void {
  out.u8(DIRECTIONS.indexOf(direction));
}

function decodeDirection(input: ByteReader): 1 | -1 {
  const place = input.u8();
  const direction = DIRECTIONS[place];
  if (direction === undefined) throw new InputError(`direction ${place} is neither long (0) nor short (1)`);
  return direction;
}

function encodeOrder(out: ByteWriter, order: OrderRequest): void {
  out.f64(order.id);
  out.i32(order.symbol);
  out.choice(LEGS, order.leg);
  encodeDirection(out, order.side);
  out.choice(ORDER_TYPES, order.type);
  out.choice(PURPOSES, order.purpose);
  out.f64(order.lots);
  out.f64(order.price);
  out.f64(order.trigger);
  out.choice(TIMES_IN_FORCE, order.timeInForce);
  out.flag(order.reduceOnly);
  // Fields that came later are announced in this byte, so that orders without them are written as they always were.
  const callback = order.callback === undefined ? 0 : HAS_CALLBACK;
  const workingType = order.workingType === undefined ? 0 : HAS_WORKING_TYPE;
  const arrival = order.arrival === undefined ? 0 : HAS_ARRIVAL;
  out.u8((order.closePosition ? CLOSE_POSITION : 0) | callback | workingType | arrival);
  out.f64(order.leverage);
  if (order.callback !== undefined) out.f64(order.callback);
  if (order.workingType !== undefined) out.choice(WORKING_TYPES, order.workingType);
  if (order.arrival !== undefined) out.f64(order.arrival);
}

const CLOSE_POSITION = 1;
const HAS_CALLBACK = 2;
const HAS_WORKING_TYPE = 4;
const HAS_ARRIVAL = 8;

function decodeOrder(input: ByteReader): OrderRequest {
  const plain = {
    id: input.f64(),
    symbol: input.i32(),
    leg: input.choice(LEGS),
    side: decodeDirection(input),
    type: input.choice(ORDER_TYPES),
    purpose: input.choice(PURPOSES),
    lots: input.f64(),
    price: input.f64(),
    trigger: input.f64(),
    timeInForce: input.choice(TIMES_IN_FORCE),
    reduceOnly: input.flag(),
  };
  const present = input.u8();
  const leverage = input.f64();
  return {
    ...plain,
    closePosition: (present & CLOSE_POSITION) !== 0,
    leverage,
    ...((present & HAS_CALLBACK) === 0 ? {} : { callback: input.f64() }),
    ...((present & HAS_WORKING_TYPE) === 0 ? {} : { workingType: input.choice(WORKING_TYPES) }),
    ...((present & HAS_ARRIVAL) === 0 ? {} : { arrival: input.f64() }),
  };
}

function encodeCoreRecord(out: ByteWriter, record: CoreRecord): void {
  switch (record.kind) {
    case "signal":
      out.u8(1);
      out.f64(record.time);
      encodeCandidate(out, record.candidate);
      out.f64(record.rank);
      return;
    case "refusal":
      out.u8(2);
      out.f64(record.time);
      out.i32(record.symbol);
      out.text(record.guard);
      out.text(record.reason);
      encodeNumbers(out, record.numbers);
      return;
    case "opened":
      out.u8(3);
      out.f64(record.time);
      out.i32(record.symbol);
      out.choice(LEGS, record.leg);
      encodeDirection(out, record.direction);
      out.f64(record.lots);
      out.f64(record.price);
      out.f64(record.leverage);
      out.f64(record.margin);
      return;
    case "closed":
      out.u8(4);
      out.f64(record.time);
      encodeTrade(out, record.trade);
      return;
    case "equity":
      out.u8(5);
      out.f64(record.time);
      out.f64(record.equity);
      out.f64(record.wallet);
      out.f64(record.unrealised);
      out.f64(record.margin);
      out.f64(record.exposure);
      out.f64(record.positions);
      return;
    case "trading-state":
      out.u8(6);
      out.f64(record.time);
      out.choice(TRADING_STATES, record.from);
      out.choice(TRADING_STATES, record.to);
      out.text(record.reason);
      return;
    case "stop-moved":
      out.u8(7);
      out.f64(record.time);
      out.i32(record.symbol);
      out.choice(LEGS, record.leg);
      out.f64(record.from);
      out.f64(record.to);
      return;
    case "virtual-opened":
      out.u8(8);
      out.f64(record.time);
      out.f64(record.id);
      out.i32(record.symbol);
      encodeDirection(out, record.direction);
      out.text(record.setup);
      out.f64(record.confidence);
      out.f64(record.entry);
      out.f64(record.stop);
      out.f64(record.target);
      return;
    case "virtual":
      out.u8(9);
      out.f64(record.time);
      out.f64(record.id);
      out.i32(record.symbol);
      out.choice(VIRTUAL_EVENTS, record.event);
      out.f64(record.price);
      return;
    case "virtual-closed":
      out.u8(10);
      out.f64(record.time);
      encodeVirtualTrade(out, record.trade);
      return;
    case "virtual-statistics":
      out.u8(11);
      out.f64(record.time);
      for (const name of STATISTICS) out.f64(record.statistics[name]);
      return;
    default:
      unencodable(record);
  }
}

function decodeCoreRecord(input: ByteReader): CoreRecord {
  const tag = input.u8();
  const time = input.f64();
  switch (tag) {
    case 1:
      return { kind: "signal", time, candidate: decodeCandidate(input), rank: input.f64() };
    case 2:
      return {
        kind: "refusal",
        time,
        symbol: input.i32(),
        guard: input.text(),
        reason: input.text(),
        numbers: decodeNumbers(input),
      };
    case 3:
      return {
        kind: "opened",
        time,
        symbol: input.i32(),
        leg: input.choice(LEGS),
        direction: decodeDirection(input),
        lots: input.f64(),
        price: input.f64(),
        leverage: input.f64(),
        margin: input.f64(),
      };
    case 4:
      return { kind: "closed", time, trade: decodeTrade(input) };
    case 5:
      return {
        kind: "equity",
        time,
        equity: input.f64(),
        wallet: input.f64(),
        unrealised: input.f64(),
        margin: input.f64(),
        exposure: input.f64(),
        positions: input.f64(),
      };
    case 6: {
      const from = input.choice(TRADING_STATES);
      return { kind: "trading-state", time, from, to: input.choice(TRADING_STATES), reason: input.text() };
    }
    case 7: {
      const symbol = input.i32();
      const leg = input.choice(LEGS);
      return { kind: "stop-moved", time, symbol, leg, from: input.f64(), to: input.f64() };
    }
    case 8:
      return {
        kind: "virtual-opened",
        time,
        id: input.f64(),
        symbol: input.i32(),
        direction: decodeDirection(input),
        setup: input.text(),
        confidence: input.f64(),
        entry: input.f64(),
        stop: input.f64(),
        target: input.f64(),
      };
    case 9: {
      const id = input.f64();
      const symbol = input.i32();
      return { kind: "virtual", time, id, symbol, event: input.choice(VIRTUAL_EVENTS), price: input.f64() };
    }
    case 10:
      return { kind: "virtual-closed", time, trade: decodeVirtualTrade(input) };
    case 11: {
      const statistics = Object.fromEntries(STATISTICS.map((name) => [name, input.f64()]));
      return { kind: "virtual-statistics", time, statistics: statistics as unknown as VirtualStatistics };
    }
    default:
      throw new InputError(`record kind ${tag} is unknown to this build`);
  }
}

/** Added to the byte of a candidate's direction when its features, and then its prediction, follow at the end. */
const FEATURES_FOLLOW = 2;
const PREDICTION_FOLLOWS = 4;

function encodeCandidate(out: ByteWriter, candidate: Candidate): void {
  const { features, prediction } = candidate;
  out.i32(candidate.symbol);
  out.text(candidate.strategy);
  out.text(candidate.setup);
  const follow = (features === undefined ? 0 : FEATURES_FOLLOW) + (prediction === undefined ? 0 : PREDICTION_FOLLOWS);
  out.u8(DIRECTIONS.indexOf(candidate.direction) + follow);
  out.f64(candidate.entry);
  out.f64(candidate.stop);
  out.f64(candidate.target);
  out.f64(candidate.confidence);
  encodeNumbers(out, candidate.scores);
  encodeTexts(out, candidate.reasons);
  if (features !== undefined) {
    out.u32(features.length);
    for (const value of features) out.f32(value);
  }
  if (prediction === undefined) return;
  out.text(prediction.model);
  out.f64(prediction.probability);
  out.f64(prediction.size);
}

function decodeCandidate(input: ByteReader): Candidate {
  const head = { symbol: input.i32(), strategy: input.text(), setup: input.text() };
  const byte = input.u8();
  const direction = DIRECTIONS[byte % FEATURES_FOLLOW];
  if (byte >= 2 * PREDICTION_FOLLOWS || direction === undefined) {
    throw new InputError(`direction ${byte} of a candidate is unknown to this build`);
  }
  const candidate: Candidate = {
    ...head,
    direction,
    entry: input.f64(),
    stop: input.f64(),
    target: input.f64(),
    confidence: input.f64(),
    scores: decodeNumbers(input),
    reasons: list(input, () => input.text()),
  };
  const features =
    (byte & FEATURES_FOLLOW) === 0 ? {} : { features: Float32Array.from(list(input, () => input.f32())) };
  const prediction =
    (byte & PREDICTION_FOLLOWS) === 0
      ? {}
      : { prediction: { model: input.text(), probability: input.f64(), size: input.f64() } };
  return { ...candidate, ...features, ...prediction };
}

function encodeTrade(out: ByteWriter, trade: Trade): void {
  out.i32(trade.symbol);
  out.choice(LEGS, trade.leg);
  encodeDirection(out, trade.direction);
  out.f64(trade.entryTime);
  out.f64(trade.exitTime);
  out.f64(trade.lots);
  out.integer(trade.entryNotional);
  out.integer(trade.exitNotional);
  out.integer(trade.fees);
  out.integer(trade.funding);
  out.integer(trade.pnl);
  out.choice(EXIT_REASONS, trade.reason);
  out.text(trade.strategy);
  out.text(trade.setup);
  out.f64(trade.confidence);
  out.f64(trade.plannedEntry);
  out.f64(trade.stop);
  out.f64(trade.target);
  out.f64(trade.leverage);
  encodeTexts(out, trade.reasons);
}

function decodeTrade(input: ByteReader): Trade {
  return {
    symbol: input.i32(),
    leg: input.choice(LEGS),
    direction: decodeDirection(input),
    entryTime: input.f64(),
    exitTime: input.f64(),
    lots: input.f64(),
    entryNotional: input.integer(),
    exitNotional: input.integer(),
    fees: input.integer(),
    funding: input.integer(),
    pnl: input.integer(),
    reason: input.choice(EXIT_REASONS),
    strategy: input.text(),
    setup: input.text(),
    confidence: input.f64(),
    plannedEntry: input.f64(),
    stop: input.f64(),
    target: input.f64(),
    leverage: input.f64(),
    reasons: list(input, () => input.text()),
  };
}

/** In the order in which they are written. */
const STATISTICS = [
  "live",
  "opened",
  "missed",
  "marked",
  "targets",
  "stops",
  "expired",
  "wins",
  "result",
  "gains",
  "losses",
] as const satisfies readonly (keyof VirtualStatistics)[];

function encodeVirtualTrade(out: ByteWriter, trade: VirtualTrade): void {
  out.f64(trade.id);
  out.i32(trade.symbol);
  encodeDirection(out, trade.direction);
  out.text(trade.strategy);
  out.text(trade.setup);
  out.f64(trade.confidence);
  encodeNumbers(out, trade.scores);
  out.choice(REGIMES, trade.regime);
  out.f64(trade.signalTime);
  out.f64(trade.entryTime);
  out.f64(trade.exitTime);
  out.f64(trade.plannedEntry);
  out.f64(trade.entry);
  out.f64(trade.exit);
  out.f64(trade.stop);
  out.f64(trade.target);
  out.f64(trade.finalStop);
  out.f64(trade.stopMoves);
  out.choice(VIRTUAL_OUTCOMES, trade.outcome);
  out.f64(trade.best);
  out.f64(trade.bestAt);
  out.f64(trade.worst);
  out.f64(trade.worstAt);
}

function decodeVirtualTrade(input: ByteReader): VirtualTrade {
  return {
    id: input.f64(),
    symbol: input.i32(),
    direction: decodeDirection(input),
    strategy: input.text(),
    setup: input.text(),
    confidence: input.f64(),
    scores: decodeNumbers(input),
    regime: input.choice(REGIMES),
    signalTime: input.f64(),
    entryTime: input.f64(),
    exitTime: input.f64(),
    plannedEntry: input.f64(),
    entry: input.f64(),
    exit: input.f64(),
    stop: input.f64(),
    target: input.f64(),
    finalStop: input.f64(),
    stopMoves: input.f64(),
    outcome: input.choice(VIRTUAL_OUTCOMES),
    best: input.f64(),
    bestAt: input.f64(),
    worst: input.f64(),
    worstAt: input.f64(),
  };
}

function encodeNumbers(out: ByteWriter, numbers: Readonly<Record<string, number>>): void {
  const entries = Object.entries(numbers);
  out.u32(entries.length);
  for (const [name, value] of entries) {
    out.text(name);
    out.f64(value);
  }
}

function decodeNumbers(input: ByteReader): Record<string, number> {
  // fromEntries defines own properties, so that even "__proto__" comes back as a plain name.
  return Object.fromEntries(list(input, () => [input.text(), input.f64()] as const));
}

function encodeTexts(out: ByteWriter, texts: readonly string[]): void {
  out.u32(texts.length);
  for (const text of texts) out.text(text);
}

function list<Item>(input: ByteReader, item: () => Item): Item[] {
  const count = input.u32();
  const items: Item[] = [];
  for (let i = 0; i < count; i++) items.push(item());
  return items;
}

function unencodable(value: never): never {
  throw new TypeError(`no encoding for ${JSON.stringify(value)}`);
}
