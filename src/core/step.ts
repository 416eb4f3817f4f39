import { adopt } from "./adoption.ts";
import { assert, unreachable } from "./assert.ts";
import { barClosed, CYCLE_TIMER, cycleDeadline, markBar, symbolCame, symbolLeft } from "./cycle.ts";
import { decide } from "./decide.ts";
import type { Effect, ExitReason } from "./effects.ts";
import {
  cancelRefused,
  entryDue,
  entryOrderOver,
  exceedsPlan,
  goOn,
  withdrawEntry,
  withdrawForbidden,
} from "./entry.ts";
import type {
  AnalysisEvent,
  AnswerEvent,
  BarEvent,
  CommandEvent,
  Event,
  FillEvent,
  FundingEvent,
  LiquidationEvent,
  ListingEvent,
  ModelEvent,
  SettingEvent,
  StandingEvent,
  TickEvent,
  TimerEvent,
  TransferEvent,
} from "./events.ts";
import { post } from "./ledger.ts";
import { movedStop } from "./life.ts";
import { afterAnswer, bookFill, type Order, remainingLots } from "./order.ts";
import {
  close,
  isPlaced,
  NO_TARGET,
  newPosition,
  open,
  type Position,
  type StopOrder,
  triggeredStop,
  withoutStop,
} from "./position.ts";
import {
  disasterTrigger,
  entryPrice,
  exitAtMarket,
  exitTimer,
  finish,
  giveUpUnprotected,
  isProtected,
  protect,
  record,
  setTrading,
  stopAcknowledged,
  stopEntries,
} from "./protection.ts";
import { equityIs, forgive, moveRisk } from "./risk.ts";
import { equityOf, instrumentOf, positionKey, refreshTrading, retire, type State, symbolOf } from "./state.ts";
import { VIRTUAL_TIMER } from "./virtual-book.ts";

/** "Order would immediately trigger": the market is already where the stop or target was meant to be. */
const WOULD_TRIGGER = -2021;
/** How long a market exit that came to nothing waits before it is tried again. */
const EXIT_RETRY_MS = 1000;
const DAY_MS = 86_400_000;

/**
 * The core: one event changes the state in place and appends what follows from it to `out`, which the caller owns and
 * clears. Deterministic and without I/O: no clock, no randomness, no environment. The same events give the same effects.
 *
 * @throws Error when an invariant is broken: that is a bug, and trading on would be worse than stopping.
 */
export function step(state: State, event: Event, out: Effect[]): void {
  state.events += 1;
  if (event.time > state.now) state.now = event.time;
  take(state, event, out);
  if (state.resting.size > 0) withdrawForbidden(state, out);
}

function take(state: State, event: Event, out: Effect[]): void {
  switch (event.kind) {
    case "command":
      return command(state, event, out);
    case "connection":
      state.connected = event.up;
      return;
    case "listing":
      return listing(state, event, out);
    case "funding":
      return funding(state, event);
    case "answer":
      return answered(state, event, out);
    case "fill":
      return filled(state, event, out);
    case "liquidation":
      return liquidated(state, event, out);
    case "mark":
      symbolOf(state, event.symbol).mark = event.price;
      return;
    case "quote":
    case "agreement":
      return;
    case "tick":
      return tick(state, event, out);
    case "bar":
      return bar(state, event, out);
    case "analysis":
      return analysed(state, event, out);
    case "timer":
      return timer(state, event, out);
    case "model":
      return swapModel(state, event, out);
    case "hold":
      if (event.on) state.holds.add(event.hold);
      else state.holds.delete(event.hold);
      return;
    case "setting":
      return setting(state, event, out);
    case "breaker":
      state.risk.breaker = event.level;
      return assess(state, out);
    case "standing":
      return standing(state, event);
    case "transfer":
      return transferred(state, event, out);
    case "adoption":
      adopt(state, event, out);
      return equity(state, out);
    default:
      unreachable(event);
  }
}

function standing(state: State, { symbol, entries, reason }: StandingEvent): void {
  if (entries === "all") state.barred.delete(symbol);
  else state.barred.set(symbol, { entries, reason });
}

/** Money from outside is neither gain nor loss: what gains and losses are measured from moves along. */
function transferred(state: State, { amount }: TransferEvent, out: Effect[]): void {
  post(state.ledger, "wallet", "capital", BigInt(amount));
  state.risk.peakEquity += amount;
  state.dayStartEquity += amount;
  equity(state, out);
}

function command(state: State, event: CommandEvent, out: Effect[]): void {
  const { command } = event;
  switch (command) {
    case "pause":
    case "reduce-only":
      // Only `resume` leads out of a halt.
      if (state.floor === "halted") return;
      return setTrading(state, "reduce-only", `operator: ${command}`, out);
    case "resume":
      forgive(state.risk, state.now);
      return setTrading(state, "normal", "operator: resume", out);
    case "halt":
      setTrading(state, "halted", "operator: halt", out);
      return flatten(state, out);
    case "flatten":
      return flatten(state, out);
    default:
      unreachable(command);
  }
}

/** Positions that are open keep their plan; what is proposed from now on is judged by the new model. */
function swapModel(state: State, { model, reason }: ModelEvent, out: Effect[]): void {
  if (state.model === model) return;
  state.model = model;
  const who = model === "" ? "the rules decide" : `model ${model} decides`;
  out.push({ kind: "notice", level: "info", text: `${who}: ${reason}` });
}

/** From the next decision on the new rules hold; what was decided before stays as it was decided. */
function setting(state: State, event: SettingEvent, out: Effect[]): void {
  assert(state.configure !== undefined, "settings change only where the core was told what they mean");
  state.changed.set(event.name, event.value);
  state.config = state.configure(state.changed);
  state.virtual.rules = state.config.life;
  assess(state, out);
}

function flatten(state: State, out: Effect[]): void {
  for (const position of [...state.positions.values()]) exitAtMarket(state, position, "flatten", out);
}

function listing(state: State, event: ListingEvent, out: Effect[]): void {
  const symbol = symbolOf(state, event.symbol);
  if (symbol.listed === event.listed) return;
  state.listed += event.listed ? 1 : -1;
  symbol.listed = event.listed;
  symbol.regime = "unknown";
  if (event.listed) return symbolCame(state, symbol.lastBar);
  state.virtual.delisted(event.symbol, symbol.mark, state.now, out);
  state.memory.forget(event.symbol);
  symbolLeft(state, symbol.lastBar, out);
}

function tick(state: State, event: TickEvent, out: Effect[]): void {
  const symbol = symbolOf(state, event.symbol);
  if (!symbol.listed) return;
  symbol.mark = event.last;
  state.virtual.prices(event.symbol, event.time, event.first, event.high, event.low, event.last, out);
}

function bar(state: State, event: BarEvent, out: Effect[]): void {
  const { symbol, time, open, high, low, close, volume, flat } = event;
  const opened = symbolOf(state, symbol).lastBar;
  if (!markBar(state, event)) return;
  if (!flat) state.memory.bar(symbol, time, high, low, close, volume);
  state.virtual.bar(symbol, opened, time, open, high, low, close, !flat && volume > 0, out);
  if (state.positions.size > 0) {
    const position = state.positions.get(positionKey(symbol, "both"));
    if (position !== undefined) {
      entryDue(state, position, out);
      lead(state, position, close, out);
    }
  }
  barClosed(state, event, out);
}

/** Leads a position by its plan at the close of a bar: the end of its time, and the stop that follows the price. */
function lead(state: State, position: Position, close: number, out: Effect[]): void {
  const { life } = state.config;
  const { holding, direction, plan, stop } = position;
  if (position.phase.kind !== "open" || holding.lots === 0) return;
  if (life.maxHolding > 0 && state.now - holding.entryTime >= life.maxHolding) {
    return exitAtMarket(state, position, "time", out);
  }
  // Sizes and prices of an entry that still fills would change under the stop.
  if (position.phase.entry !== 0) return;
  if (position.bestClose !== 0 && direction * (close - position.bestClose) <= 0) return;
  position.bestClose = close;
  const entry = entryPrice(state, position);
  const risk = direction * (entry - plan.stop);
  if (!(risk > 0)) return;
  const to = movedStop(life, direction, entry, risk, stop, close);
  if (to === stop) return;
  position.stop = to;
  record(out, { kind: "stop-moved", time: state.now, symbol: position.symbol, leg: position.leg, from: stop, to });
  protect(state, position, out);
}

function funding(state: State, event: FundingEvent): void {
  if (event.amount === 0) return;
  const amount = BigInt(event.amount);
  post(state.ledger, "wallet", "funding", amount);
  const position = state.positions.get(positionKey(event.symbol, "both"));
  if (position !== undefined) position.holding.funding += amount;
}

function answered(state: State, event: AnswerEvent, out: Effect[]): void {
  const order = state.orders.get(event.order);
  if (order === undefined) return;
  order.state = afterAnswer(order.state, event.answer);
  const { request, position } = order;
  if (order.state.kind === "ended") {
    retire(state, order);
    return ended(state, order, event, out);
  }
  if (finished(state, position)) return;
  if (event.answer === "cancel-rejected" && request.purpose === "entry") cancelRefused(state, position, out);
  if (event.answer === "accepted" && (request.purpose === "working-stop" || request.purpose === "disaster-stop")) {
    stopAcknowledged(state, position, request.id, out);
  }
}

/** An order ended otherwise than by filling: what it was for decides what must happen now. */
function ended(state: State, order: Order, event: AnswerEvent, out: Effect[]): void {
  const { request, position } = order;
  const asked = event.answer === "cancelled";
  const { symbol } = instrumentOf(state, request.symbol);
  if (finished(state, position)) return;
  switch (request.purpose) {
    case "entry": {
      position.phase = { ...position.phase, entry: 0 };
      for (const early of position.early.splice(0)) filled(state, early, out);
      if (finished(state, position)) return entryOrderOver(state, position, out);
      const next = goOn(state, order, event, out);
      if (next === true) return;
      if (position.holding.openedLots === 0) {
        state.positions.delete(positionKey(position.symbol, position.leg));
        const own = { guard: "exchange", reason: event.reason, numbers: { code: event.code } };
        if (next !== undefined || !asked) {
          record(out, { ...(next ?? own), kind: "refusal", time: state.now, symbol: request.symbol });
        }
        return;
      }
      if (next !== undefined) {
        const { lots } = position.plan;
        const text = `${symbol}: entered with ${position.holding.openedLots} of ${lots} lots: ${next.reason}`;
        out.push({ kind: "notice", level: "info", text });
      }
      if (position.holding.lots === 0) {
        assert(position.phase.kind === "closing", "a flat position waits for the end of its entry");
        finish(state, position, position.phase.reason, out);
        equity(state, out);
      } else {
        protect(state, position, out);
      }
      return;
    }
    case "working-stop":
    case "disaster-stop": {
      const which = request.purpose === "working-stop" ? "workingStop" : "disasterStop";
      const before = position[which];
      position[which] = withoutStop(before, request.id);
      if (position[which] === before) return;
      if (position.holding.lots === 0 || position.phase.kind !== "open") return;
      if (event.answer !== "rejected") return protect(state, position, out);
      if (event.code === WOULD_TRIGGER) {
        return exitAtMarket(state, position, request.purpose === "working-stop" ? "stop" : "disaster-stop", out);
      }
      if (before.kind === "replacing" && keepOld(state, position, before.old, out)) return;
      return giveUpUnprotected(state, position, `${symbol}: stop refused (${event.code} ${event.reason})`, out);
    }
    case "target":
      if (!isPlaced(position.target, request.id)) return;
      position.target = event.answer === "rejected" ? { kind: "refused" } : NO_TARGET;
      if (event.answer !== "rejected") return protect(state, position, out);
      if (event.code === WOULD_TRIGGER) return exitAtMarket(state, position, "target", out);
      out.push({ kind: "notice", level: "warning", text: `${symbol}: target refused (${event.code} ${event.reason})` });
      return;
    case "partial-target":
      if (isPlaced(position.partial, request.id)) position.partial = { kind: "refused" };
      return;
    case "exit":
      if (position.holding.lots === 0 || position.phase.kind !== "closing") return;
      out.push({
        kind: "notice",
        level: "warning",
        text: `${symbol}: exit came to nothing (${event.reason}), again in 1 s`,
      });
      out.push({ kind: "set-timer", timer: exitTimer(position), at: state.now + EXIT_RETRY_MS });
      return;
    default:
      unreachable(request.purpose);
  }
}

/**
 * A replacement was refused while the old stop stands. Where that one still covers the position the plan gives way and
 * the stop stays where it is: a position with a stop is not closed for the want of a better one.
 */
function keepOld(state: State, position: Position, old: number, out: Effect[]): boolean {
  const order = state.orders.get(old);
  if (order === undefined || remainingLots(order) < position.holding.lots) return false;
  position.stop = order.request.trigger;
  const { symbol } = instrumentOf(state, position.symbol);
  out.push({ kind: "notice", level: "warning", text: `${symbol}: the new stop was refused, the old one stays` });
  return true;
}

/** Whether another position has taken this one's place since. */
function finished(state: State, position: Position): boolean {
  return state.positions.get(positionKey(position.symbol, position.leg)) !== position;
}

function filled(state: State, event: FillEvent, out: Effect[]): void {
  const order = state.orders.get(event.order) ?? state.ended.get(event.order);
  if (order?.trades.has(event.trade)) return;
  if (order !== undefined && order.request.purpose === "entry" && finished(state, order.position)) {
    return revived(state, order, event, out);
  }
  if (order === undefined || finished(state, order.position)) {
    if (order?.request.closePosition && tookAlong(state, order, event, out)) return;
    return stopEntries(state, `fill ${event.trade} of order ${event.order} belongs to no open position`, out);
  }
  const { position, request } = order;
  const { holding } = position;
  if (request.purpose !== "entry" && event.lots > holding.lots) {
    // A stop can close what the report of an entry's fill has not told us of yet.
    if (state.orders.has(position.phase.entry)) {
      position.early.push(event);
      return;
    }
    const { symbol } = instrumentOf(state, position.symbol);
    const text = `${symbol}: fill ${event.trade} of order ${event.order} closes ${event.lots} lots, and the book holds ${holding.lots}`;
    // What closes the whole position takes along what somebody else has added to it; anything else may not happen.
    if (request.closePosition) out.push({ kind: "notice", level: "warning", text });
    else stopEntries(state, text, out);
    if (holding.lots === 0) {
      if (bookFill(order, event.trade, event.lots, event.done) && event.done) retire(state, order);
      return;
    }
    return filled(state, part(event, holding.lots), out);
  }
  if (!bookFill(order, event.trade, event.lots, event.done)) return;
  if (event.done) retire(state, order);
  if (event.done && request.id === position.phase.entry) entryOrderOver(state, position, out);

  payFee(state, position, event.fee);
  if (request.purpose === "entry") {
    opened(state, position, event, out);
    for (const early of position.early.splice(0)) filled(state, early, out);
    if (exceedsPlan(state, position) && !finished(state, position)) {
      // An order had ended in our book, its rest was taken, and then it filled further.
      const { symbol } = instrumentOf(state, position.symbol);
      stopEntries(state, `${symbol}: more was filled than decided; the position is closed`, out);
      exitAtMarket(state, position, "late-fill", out);
    }
    return;
  }

  reduce(state, position, event.lots, event.price);
  if (position.holding.lots === 0) {
    finish(state, position, reasonOf(position, request.purpose), out);
    return equity(state, out);
  }
  growNoMore(state, position, out);
  // Something is left: an order that has ended protects it no longer, one that has begun to fill is left alone.
  const after = (stop: StopOrder) => (event.done ? withoutStop(stop, request.id) : triggeredStop(stop, request.id));
  position.workingStop = after(position.workingStop);
  position.disasterStop = after(position.disasterStop);
  // An order that was on its way out may fill all the same; it is not the one that has taken its place since.
  if (event.done && isPlaced(position.target, request.id)) position.target = NO_TARGET;
  if (event.done && isPlaced(position.partial, request.id)) position.partial = { kind: "filled" };
  if (event.done && request.purpose === "exit") {
    out.push({ kind: "set-timer", timer: exitTimer(position), at: state.now + EXIT_RETRY_MS });
  }
  protect(state, position, out);
}

/**
 * A close-position order that goes on filling when all of our lots are closed takes somebody else's that lay with them.
 * @returns false where another position is held since, which it may have closed
 */
function tookAlong(state: State, order: Order, event: FillEvent, out: Effect[]): boolean {
  const { symbol, leg } = order.position;
  if (state.positions.has(positionKey(symbol, leg))) return false;
  bookFill(order, event.trade, event.lots, event.done);
  if (event.done) retire(state, order);
  const text = `${instrumentOf(state, symbol).symbol}: order ${event.order} has closed ${event.lots} lots of somebody else`;
  out.push({ kind: "notice", level: "warning", text });
  return true;
}

function reasonOf(position: Position, purpose: Exclude<Order["request"]["purpose"], "entry">): ExitReason {
  switch (purpose) {
    case "working-stop":
      return "stop";
    case "disaster-stop":
      return "disaster-stop";
    case "target":
    case "partial-target":
      return "target";
    case "exit":
      assert(position.phase.kind === "closing", "an exit fills while the position is closing");
      return position.phase.reason;
    default:
      return unreachable(purpose);
  }
}

function opened(state: State, position: Position, event: FillEvent, out: Effect[]): void {
  const { holding, phase } = position;
  open(holding, event.lots, notional(state, position, event.lots, event.price), state.now);
  if (phase.kind === "opening") {
    record(out, {
      kind: "opened",
      time: state.now,
      symbol: position.symbol,
      leg: position.leg,
      direction: position.direction,
      lots: event.lots,
      price: event.price,
      leverage: position.plan.leverage,
      margin: position.plan.margin,
    });
  }
  // The end of the order may have been told before its last fill, and another one may be out since.
  const entry = state.orders.has(phase.entry) ? phase.entry : 0;
  if (phase.kind !== "closing") {
    position.phase = { kind: "open", entry };
    if (position.abandoned === undefined && disasterTrigger(state, position) === undefined) {
      const { symbol } = instrumentOf(state, position.symbol);
      const text = `${symbol}: filled where the liquidation comes before the stop; it is closed`;
      out.push({ kind: "notice", level: "warning", text });
      position.abandoned ??= "unprotected";
    }
    protect(state, position, out);
    if (position.abandoned !== undefined) exitAtMarket(state, position, position.abandoned, out);
    return;
  }
  position.phase = { ...phase, entry };
  if (!state.orders.has(phase.exit)) closeAgain(state, position, out);
}

/** What is held although it was to be closed gets its stops and goes to market. */
function closeAgain(state: State, position: Position, out: Effect[]): void {
  const { phase } = position;
  if (phase.kind !== "closing" || position.holding.lots === 0) return;
  position.phase = { kind: "open", entry: phase.entry };
  protect(state, position, out);
  exitAtMarket(state, position, phase.reason, out);
}

/**
 * An entry filled after its order had ended in our book: the lots are ours all the same. They are booked as a position
 * of the same plan, protected and closed, and nothing else is opened until the operator has looked. Where the opposite
 * is held by now they have made that smaller, or lie beside it on a leg of their own.
 */
function revived(state: State, order: Order, event: FillEvent, out: Effect[]): void {
  const { symbol, plan } = order.position;
  const { direction } = plan.candidate;
  const { hedge = false } = state.config;
  const late = `${instrumentOf(state, symbol).symbol}: fill ${event.trade} of an entry that had ended`;
  const opposed = (position: Position | undefined) => position !== undefined && position.direction !== direction;
  let { leg } = order.position;
  let fill = event;
  let position = state.positions.get(positionKey(symbol, leg));
  const nets = !hedge && opposed(position);
  stopEntries(state, `${late}; ${nets ? "it counts against the opposite position" : "it is closed"}`, out);
  if (!bookFill(order, event.trade, event.lots, event.done)) return;
  if (position !== undefined && nets) {
    fill = part(event, netted(state, position, event, out));
    if (fill.lots === 0) return;
    position = state.positions.get(positionKey(symbol, leg));
    if (position !== undefined) {
      return stopEntries(state, `${late}: ${fill.lots} lots of it are in no book, and have to be closed by hand`, out);
    }
  } else if (opposed(position)) {
    leg = direction === 1 ? "long" : "short";
    position = state.positions.get(positionKey(symbol, leg));
  }
  if (position === undefined) {
    position = newPosition(symbol, leg, plan, 0);
    position.abandoned = "late-fill";
    state.positions.set(positionKey(symbol, leg), position);
  }
  payFee(state, position, fill.fee);
  const { phase } = position;
  opened(state, position, { ...fill, done: true }, out);
  if (phase.kind !== "opening") position.phase = { ...position.phase, entry: phase.entry };
  exitAtMarket(state, position, "late-fill", out);
}

/**
 * An entry in the opposite direction closes what is held, as far as that goes.
 * @returns how many of its lots are left
 */
function netted(state: State, position: Position, event: FillEvent, out: Effect[]): number {
  const { holding } = position;
  const lots = event.lots < holding.lots ? event.lots : holding.lots;
  if (lots > 0) {
    payFee(state, position, part(event, lots).fee);
    reduce(state, position, lots, event.price);
    if (holding.lots === 0) {
      finish(state, position, "late-fill", out);
      equity(state, out);
    } else {
      growNoMore(state, position, out);
      protect(state, position, out);
    }
  }
  return event.lots - lots;
}

/** Some lots of a fill, with their share of its fee: shares of a fill add up to no more than a unit beside it. */
function part(event: FillEvent, lots: number): FillEvent {
  return lots === event.lots ? event : { ...event, lots, fee: Math.round((event.fee * lots) / event.lots) };
}

function payFee(state: State, position: Position, amount: number): void {
  const fee = BigInt(amount);
  post(state.ledger, "wallet", "fees", -fee);
  position.holding.fees += fee;
}

function notional(state: State, position: Position, lots: number, price: number): bigint {
  return BigInt(lots) * BigInt(price) * BigInt(instrumentOf(state, position.symbol).unitValue);
}

function reduce(state: State, position: Position, lots: number, price: number): void {
  const realised = close(position.holding, position.direction, lots, notional(state, position, lots, price));
  post(state.ledger, "wallet", "realised", realised);
}

function liquidated(state: State, event: LiquidationEvent, out: Effect[]): void {
  const position = state.positions.get(positionKey(event.symbol, "both"));
  const isOurs = event.leg === "both" || position?.direction === (event.leg === "long" ? 1 : -1);
  if (position === undefined || !isOurs || event.lots > position.holding.lots) {
    const { symbol } = instrumentOf(state, event.symbol);
    return stopEntries(state, `${symbol}: the exchange closed ${event.lots} lots that the book does not hold`, out);
  }
  payFee(state, position, event.fee);
  reduce(state, position, event.lots, event.price);
  if (event.cause !== "delisted") {
    const text = `${instrumentOf(state, event.symbol).symbol}: ${event.cause} of ${event.lots} lots at ${event.price} ticks`;
    out.push({ kind: "notice", level: "alarm", text });
  }
  if (position.holding.lots === 0) {
    finish(state, position, event.cause, out);
  } else {
    growNoMore(state, position, out);
    protect(state, position, out);
  }
  equity(state, out);
}

/** What is being closed, by us or by the exchange, is not entered further: an entry that rests is taken back. */
function growNoMore(state: State, position: Position, out: Effect[]): void {
  if (position.phase.entry === 0) return;
  withdrawEntry(state, position, "leave", "a part of the position has been closed already", out);
}

function analysed(state: State, event: AnalysisEvent, out: Effect[]): void {
  const { cycle } = state;
  // An answer that comes after its cycle was given up decides nothing.
  if (cycle.kind !== "analysing" || cycle.close !== event.cycle) return;
  state.cycle = { kind: "idle", close: cycle.close };
  for (let index = 0; index < event.regimes.length; index++) {
    const symbol = symbolOf(state, index);
    symbol.regime = event.regimes[index]!;
    state.virtual.regime(index, symbol.regime, symbol.mark, state.now, out);
  }
  const { exitRegimes } = state.config.life;
  if (exitRegimes.length > 0) {
    for (const position of [...state.positions.values()]) {
      if (!exitRegimes.includes(symbolOf(state, position.symbol).regime)) continue;
      exitAtMarket(state, position, "regime", out);
    }
  }
  equity(state, out);
  decide(state, event, out);
}

/** Reports the book's value; the first one of a trading day is what the daily loss is measured from. */
function equity(state: State, out: Effect[]): void {
  const value = equityOf(state);
  const day = Math.floor((state.now - state.config.dayStart) / DAY_MS);
  if (day !== state.day) {
    state.day = day;
    state.dayStartEquity = value.equity;
  }
  record(out, { kind: "equity", time: state.now, ...value, positions: state.positions.size });
  equityIs(state.risk, value.equity);
  assess(state, out);
}

/** Lets the trading state follow the book's record; a book that has come to its end is closed. */
function assess(state: State, out: Effect[]): void {
  const reason = moveRisk(state.risk, state.config.risk, state.now);
  if (reason === undefined) return;
  const before = state.trading;
  refreshTrading(state, reason, out);
  if (state.trading === before || state.trading !== "halted") return;
  out.push({ kind: "notice", level: "alarm", text: `trading is halted: ${reason}` });
  flatten(state, out);
}

function timer(state: State, event: TimerEvent, out: Effect[]): void {
  if (event.timer === CYCLE_TIMER) return cycleDeadline(state, out);
  if (event.timer === VIRTUAL_TIMER) return state.virtual.cycle(state.now, out);
  const [what, key] = split(event.timer);
  const position = state.positions.get(key);
  if (position === undefined) return;
  const { symbol } = instrumentOf(state, position.symbol);
  switch (what) {
    case "protection":
      position.unguarded = false;
      if (position.holding.lots > 0 && !isProtected(state, position)) {
        giveUpUnprotected(state, position, `${symbol}: no acknowledged stop within PROTECTION_TIMEOUT_MS`, out);
      }
      return;
    case "entry":
      return entryDue(state, position, out);
    case "exit":
      if (position.phase.kind === "closing" && !state.orders.has(position.phase.exit)) closeAgain(state, position, out);
      return;
    default:
      throw new Error(`no such timer: ${event.timer}`);
  }
}

function split(timer: string): [what: string, key: string] {
  const colon = timer.indexOf(":");
  return [timer.slice(0, colon), timer.slice(colon + 1)];
}
