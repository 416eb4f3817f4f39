import { assert, unreachable } from "./assert.ts";
import { barClosed, CYCLE_TIMER, cycleDeadline, markBar, symbolLeft } from "./cycle.ts";
import { decide } from "./decide.ts";
import type { Effect, ExitReason } from "./effects.ts";
import type {
  AnalysisEvent,
  AnswerEvent,
  CommandEvent,
  Event,
  FillEvent,
  FundingEvent,
  LiquidationEvent,
  ListingEvent,
  TimerEvent,
} from "./events.ts";
import { post } from "./ledger.ts";
import { afterAnswer, bookFill, type Order } from "./order.ts";
import { close, NO_TARGET, open, type Position, type StopOrder, triggeredStop, withoutStop } from "./position.ts";
import {
  exitAtMarket,
  exitTimer,
  finish,
  giveUpUnprotected,
  isProtected,
  protect,
  record,
  setTrading,
  stopAcknowledged,
} from "./protection.ts";
import { equityOf, instrumentOf, positionKey, retire, type State, symbolOf } from "./state.ts";

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
      return;
    case "bar":
      if (markBar(state, event)) barClosed(state, event, out);
      return;
    case "analysis":
      return analysed(state, event, out);
    case "timer":
      return timer(state, event, out);
    default:
      unreachable(event);
  }
}

function command(state: State, event: CommandEvent, out: Effect[]): void {
  const { command } = event;
  switch (command) {
    case "pause":
    case "reduce-only":
      return setTrading(state, "reduce-only", `operator: ${command}`, out);
    case "resume":
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

function flatten(state: State, out: Effect[]): void {
  for (const position of [...state.positions.values()]) exitAtMarket(state, position, "flatten", out);
}

function listing(state: State, event: ListingEvent, out: Effect[]): void {
  const symbol = symbolOf(state, event.symbol);
  if (symbol.listed === event.listed) return;
  state.listed += event.listed ? 1 : -1;
  symbol.listed = event.listed;
  symbol.regime = "unknown";
  if (!event.listed) symbolLeft(state, symbol.lastBar, out);
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
    case "entry":
      if (position.holding.openedLots === 0) {
        state.positions.delete(positionKey(position.symbol, position.leg));
        const numbers = { code: event.code };
        if (!asked) {
          record(out, {
            kind: "refusal",
            time: state.now,
            symbol: request.symbol,
            guard: "exchange",
            reason: event.reason,
            numbers,
          });
        }
      } else if (position.phase.kind === "open") {
        position.phase = { kind: "open", entry: 0 };
        protect(state, position, out);
      }
      return;
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
      return giveUpUnprotected(state, position, `${symbol}: stop refused (${event.code} ${event.reason})`, out);
    }
    case "target":
      if (position.target.kind !== "placed" || position.target.order !== request.id) return;
      position.target = event.answer === "rejected" ? { kind: "refused" } : NO_TARGET;
      if (event.answer !== "rejected") return protect(state, position, out);
      if (event.code === WOULD_TRIGGER) return exitAtMarket(state, position, "target", out);
      out.push({ kind: "notice", level: "warning", text: `${symbol}: target refused (${event.code} ${event.reason})` });
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

/** Whether another position has taken this one's place since. */
function finished(state: State, position: Position): boolean {
  return state.positions.get(positionKey(position.symbol, position.leg)) !== position;
}

function filled(state: State, event: FillEvent, out: Effect[]): void {
  const order = state.orders.get(event.order) ?? state.ended.get(event.order);
  if (order === undefined || finished(state, order.position)) {
    if (order?.trades.has(event.trade)) return;
    const text = `fill ${event.trade} of order ${event.order} belongs to no open position`;
    setTrading(state, "reduce-only", text, out);
    out.push({ kind: "notice", level: "alarm", text });
    return;
  }
  const { position, request } = order;
  if (!bookFill(order, event.trade, event.lots, event.done)) return;
  if (event.done) retire(state, order);

  const fee = BigInt(event.fee);
  post(state.ledger, "wallet", "fees", -fee);
  position.holding.fees += fee;
  if (request.purpose === "entry") return opened(state, position, event, out);

  reduce(state, position, event.lots, event.price);
  if (position.holding.lots === 0) {
    finish(state, position, reasonOf(position, request.purpose), out);
    return equity(state, out);
  }
  // Something is left: an order that has ended protects it no longer, one that has begun to fill is left alone.
  const after = (stop: StopOrder) => (event.done ? withoutStop(stop, request.id) : triggeredStop(stop, request.id));
  position.workingStop = after(position.workingStop);
  position.disasterStop = after(position.disasterStop);
  if (event.done && request.purpose === "target") position.target = NO_TARGET;
  if (event.done && request.purpose === "exit") {
    out.push({ kind: "set-timer", timer: exitTimer(position), at: state.now + EXIT_RETRY_MS });
  }
  protect(state, position, out);
}

function reasonOf(position: Position, purpose: Exclude<Order["request"]["purpose"], "entry">): ExitReason {
  switch (purpose) {
    case "working-stop":
      return "stop";
    case "disaster-stop":
      return "disaster-stop";
    case "target":
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
  if (phase.kind !== "closing") position.phase = { kind: "open", entry: event.done ? 0 : event.order };
  protect(state, position, out);
  if (phase.kind === "opening" && phase.abandoned !== undefined) {
    exitAtMarket(state, position, phase.abandoned, out);
  }
}

function notional(state: State, position: Position, lots: number, price: number): bigint {
  return BigInt(lots) * BigInt(price) * BigInt(instrumentOf(state, position.symbol).unitValue);
}

function reduce(state: State, position: Position, lots: number, price: number): void {
  const realised = close(position.holding, position.direction, lots, notional(state, position, lots, price));
  post(state.ledger, "wallet", "realised", realised);
}

function liquidated(state: State, event: LiquidationEvent, out: Effect[]): void {
  const position = state.positions.get(positionKey(event.symbol, event.leg));
  assert(
    position !== undefined,
    `the exchange closed a position of ${instrumentOf(state, event.symbol).symbol} we know`,
  );
  const fee = BigInt(event.fee);
  post(state.ledger, "wallet", "fees", -fee);
  position.holding.fees += fee;
  reduce(state, position, event.lots, event.price);
  if (event.cause !== "delisted") {
    const text = `${instrumentOf(state, event.symbol).symbol}: ${event.cause} of ${event.lots} lots at ${event.price} ticks`;
    out.push({ kind: "notice", level: "alarm", text });
  }
  if (position.holding.lots === 0) finish(state, position, event.cause, out);
  else protect(state, position, out);
  equity(state, out);
}

function analysed(state: State, event: AnalysisEvent, out: Effect[]): void {
  const { cycle } = state;
  // An answer that comes after its cycle was given up decides nothing.
  if (cycle.kind !== "analysing" || cycle.close !== event.cycle) return;
  state.cycle = { kind: "idle", close: cycle.close };
  event.regimes.forEach((regime, index) => {
    symbolOf(state, index).regime = regime;
  });
  equity(state, out);
  decide(state, event, out);
}

/** Reports the book's value; the first one of a UTC day is what the daily loss is measured from. */
function equity(state: State, out: Effect[]): void {
  const value = equityOf(state);
  const day = Math.floor(state.now / DAY_MS);
  if (day !== state.day) {
    state.day = day;
    state.dayStartEquity = value.equity;
  }
  record(out, { kind: "equity", time: state.now, ...value, positions: state.positions.size });
}

function timer(state: State, event: TimerEvent, out: Effect[]): void {
  if (event.timer === CYCLE_TIMER) return cycleDeadline(state, out);
  const [what, key] = split(event.timer);
  const position = state.positions.get(key);
  if (position === undefined) return;
  const { symbol } = instrumentOf(state, position.symbol);
  switch (what) {
    case "protection":
      if (position.holding.lots > 0 && !isProtected(state, position)) {
        giveUpUnprotected(state, position, `${symbol}: no acknowledged stop within PROTECTION_TIMEOUT_MS`, out);
      }
      return;
    case "exit":
      if (position.phase.kind === "closing" && !state.orders.has(position.phase.exit)) {
        const { reason } = position.phase;
        position.phase = { kind: "open", entry: position.phase.entry };
        exitAtMarket(state, position, reason, out);
      }
      return;
    default:
      throw new Error(`no such timer: ${event.timer}`);
  }
}

function split(timer: string): [what: string, key: string] {
  const colon = timer.indexOf(":");
  return [timer.slice(0, colon), timer.slice(colon + 1)];
}
