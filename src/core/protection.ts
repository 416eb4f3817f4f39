import { assert, unreachable } from "./assert.ts";
import type { CoreRecord, Effect, ExitReason, Trade } from "./effects.ts";
import { withdrawEntry } from "./entry.ts";
import { disasterStop } from "./liquidation.ts";
import { remainingLots } from "./order.ts";
import { ADOPTED, NO_STOP, NO_TARGET, type Position, type StopOrder } from "./position.ts";
import { tradeClosed } from "./risk.ts";
import { cancel, instrumentOf, positionKey, refreshTrading, type State, submit } from "./state.ts";

/**
 * Places what an open position lacks of its closing orders and replaces what no longer fits:
 *  - the disaster stop, one wide close-position order that is never moved;
 *  - the working stop, which has the position's quantity and follows the plan; a new one is acknowledged before the old
 *    one is cancelled;
 *  - the targets, which protect nothing and may therefore be cancelled first.
 * Safe to call after every change: what is in order is left alone.
 */
export function protect(state: State, position: Position, out: Effect[]): void {
  const { holding, plan, phase } = position;
  if (phase.kind === "open" && holding.lots > 0) {
    if (position.disasterStop.kind === "none") {
      const trigger = disasterTrigger(state, position) ?? plan.disasterStop;
      position.disasterStop = { kind: "sent", order: place(state, position, "disaster-stop", trigger, out) };
    }
    placeWorkingStop(state, position, out);
    if (phase.entry === 0 && position.partial.kind === "none") placePartial(state, position, out);
    placeTarget(state, position, out);
  }
  watch(state, position, out);
}

/**
 * Where the disaster stop belongs now that it is known at which price the position was opened: with an entry that has
 * filled away from the plan the liquidation has moved too. Undefined where the liquidation comes before the stop.
 */
export function disasterTrigger(state: State, position: Position): number | undefined {
  const { plan, direction, holding, symbol } = position;
  // Its stops were measured from the market, with the entry known.
  if (plan.candidate.strategy === ADOPTED) return plan.disasterStop;
  const entry = entryPrice(state, position);
  // The market has gone through the stop: the exchange will say so, and the position is closed.
  if (direction * (entry - plan.stop) <= 0) return plan.disasterStop;
  const value = Number(holding.entryNotional);
  const now = disasterStop(instrumentOf(state, symbol), direction, entry, plan.stop, value, plan.leverage);
  return now === undefined || direction * (now - plan.disasterStop) > 0 ? now : plan.disasterStop;
}

function placeWorkingStop(state: State, position: Position, out: Effect[]): void {
  const working = position.workingStop;
  if (working.kind === "none") {
    position.workingStop = { kind: "sent", order: place(state, position, "working-stop", position.stop, out) };
  } else if (working.kind === "acknowledged") {
    const standing = state.orders.get(working.order);
    const fits =
      standing !== undefined &&
      remainingLots(standing) === position.holding.lots &&
      standing.request.trigger === position.stop;
    if (fits) return;
    const order = place(state, position, "working-stop", position.stop, out);
    position.workingStop = { kind: "replacing", old: working.order, order };
  }
}

function placeTarget(state: State, position: Position, out: Effect[]): void {
  const { target, holding } = position;
  if (target.kind === "none") {
    position.target = { kind: "placed", order: place(state, position, "target", position.plan.target, out) };
  } else if (target.kind === "placed" && openLots(state, target.order) !== holding.lots && !isClosing(position)) {
    // Parts of a resting entry may come by the dozen: two requests more for each would use up what stops may need.
    if (position.phase.kind === "open" && position.phase.entry !== 0) return;
    cancel(state, target.order, out);
  }
}

/** Whether one of the stops is closing the position at this moment. */
function isClosing({ workingStop, disasterStop }: Position): boolean {
  return workingStop.kind === "triggered" || disasterStop.kind === "triggered";
}

/** The order that sells a part at a gain, once the entry is complete; too small parts are left out. */
function placePartial(state: State, position: Position, out: Effect[]): void {
  const { partialAt, partialShare } = state.config.life;
  const { holding, direction, plan } = position;
  const { minLots } = instrumentOf(state, position.symbol);
  const lots = Math.floor(holding.openedLots * partialShare);
  const entry = entryPrice(state, position);
  const risk = direction * (entry - plan.stop);
  const trigger = Math.round(entry + direction * partialAt * risk);
  const possible =
    partialAt > 0 &&
    risk > 0 &&
    holding.lots === holding.openedLots &&
    lots >= minLots &&
    lots > 0 &&
    holding.lots - lots >= minLots &&
    holding.lots > lots &&
    direction * (plan.target - trigger) > 0;
  position.partial = possible
    ? { kind: "placed", order: place(state, position, "partial-target", trigger, out, lots) }
    : { kind: "refused" };
}

/** Average price of what was opened, ticks. */
export function entryPrice(state: State, position: Position): number {
  const { holding, symbol } = position;
  return Number(holding.entryNotional) / (holding.openedLots * instrumentOf(state, symbol).unitValue);
}

function openLots(state: State, id: number): number {
  const order = state.orders.get(id);
  return order === undefined ? 0 : remainingLots(order);
}

function place(
  state: State,
  position: Position,
  purpose: "disaster-stop" | "working-stop" | "target" | "partial-target",
  trigger: number,
  out: Effect[],
  lots = position.holding.lots,
): number {
  const closePosition = purpose === "disaster-stop";
  const type = purpose === "target" || purpose === "partial-target" ? "take-profit-market" : "stop-market";
  return submit(state, position, { purpose, type, trigger, closePosition, lots: closePosition ? 0 : lots }, out);
}

/**
 * Whether an exchange-side stop is known to stand behind the whole position, or is closing all of it now. A working stop
 * that has triggered covers what it has still to fill, and nothing of what an entry has brought since.
 */
export function isProtected(state: State, position: Position): boolean {
  const { workingStop, disasterStop, holding } = position;
  if (disasterStop.kind === "acknowledged" || disasterStop.kind === "triggered") return true;
  if (workingStop.kind === "none" || workingStop.kind === "sent") return false;
  const standing = workingStop.kind === "replacing" ? workingStop.old : workingStop.order;
  return openLots(state, standing) >= holding.lots;
}

/** Runs the timer while the position has lots, no acknowledged stop behind all of them, and no exit under way. */
function watch(state: State, position: Position, out: Effect[]): void {
  const naked = position.phase.kind === "open" && position.holding.lots > 0 && !isProtected(state, position);
  if (naked === position.unguarded) return;
  position.unguarded = naked;
  const timer = protectionTimer(position);
  if (naked) out.push({ kind: "set-timer", timer, at: state.now + state.config.protectionTimeout });
  else out.push({ kind: "clear-timer", timer });
}

/** Name of the timer that bounds how long a position may be without an acknowledged stop. */
export function protectionTimer(position: Position): string {
  return `protection:${positionKey(position.symbol, position.leg)}`;
}

/** Name of the timer after which a market exit that came to nothing is tried again. */
export function exitTimer(position: Position): string {
  return `exit:${positionKey(position.symbol, position.leg)}`;
}

/** The exchange has the stop: from now on it counts as protection, and what it replaces may go. */
export function stopAcknowledged(state: State, position: Position, order: number, out: Effect[]): void {
  const { workingStop, disasterStop } = position;
  if (disasterStop.kind === "sent" && disasterStop.order === order) {
    position.disasterStop = { kind: "acknowledged", order };
  } else if (workingStop.kind === "sent" && workingStop.order === order) {
    position.workingStop = { kind: "acknowledged", order };
  } else if (workingStop.kind === "replacing" && workingStop.order === order) {
    position.workingStop = { kind: "acknowledged", order };
    cancel(state, workingStop.old, out);
  } else {
    return;
  }
  protect(state, position, out);
}

/** Sends the whole position to market. Its stops stay where they are until it is flat. */
export function exitAtMarket(state: State, position: Position, reason: ExitReason, out: Effect[]): void {
  const { phase } = position;
  switch (phase.kind) {
    case "opening":
      // The entry may fill before its cancellation arrives: what it opens then is closed at once.
      position.abandoned ??= reason;
      withdrawEntry(state, position, "leave", reason, out);
      return;
    case "closing":
      return;
    case "open": {
      if (phase.entry !== 0) withdrawEntry(state, position, "leave", reason, out);
      const { lots } = position.holding;
      const terms = { purpose: "exit", type: "market", lots, trigger: 0, closePosition: false } as const;
      position.phase = { kind: "closing", entry: phase.entry, exit: submit(state, position, terms, out), reason };
      watch(state, position, out);
      return;
    }
    default:
      unreachable(phase);
  }
}

/** A position that cannot be protected is closed, and no other is opened until the operator says so. */
export function giveUpUnprotected(state: State, position: Position, reason: string, out: Effect[]): void {
  stopEntries(state, reason, out);
  exitAtMarket(state, position, "unprotected", out);
}

/** No entries until the operator says so; said with an alarm. */
export function stopEntries(state: State, reason: string, out: Effect[]): void {
  if (state.floor !== "halted") setTrading(state, "reduce-only", reason, out);
  out.push({ kind: "notice", level: "alarm", text: reason });
}

/** Sets the state that nothing but the operator eases. */
export function setTrading(state: State, to: State["floor"], reason: string, out: Effect[]): void {
  state.floor = to;
  refreshTrading(state, reason, out);
}

/** The position is flat: its other orders go, and it becomes a trade once nothing can open it again. */
export function finish(state: State, position: Position, reason: ExitReason, out: Effect[]): void {
  const { holding, plan, phase } = position;
  assert(holding.lots === 0 && holding.openedLots > 0, "a finished position was held and is flat");
  if (phase.kind === "closing") cancel(state, phase.exit, out);
  for (const target of [position.target, position.partial]) {
    if (target.kind === "placed") cancel(state, target.order, out);
  }
  for (const stop of [position.workingStop, position.disasterStop]) cancelStop(state, stop, out);
  if (state.orders.has(phase.entry)) {
    // The rest of the entry may still fill: until its end is known, whatever it opens is closed again.
    withdrawEntry(state, position, "leave", reason, out);
    position.phase = { kind: "closing", entry: phase.entry, exit: 0, reason };
    position.workingStop = NO_STOP;
    position.disasterStop = NO_STOP;
    position.target = NO_TARGET;
    position.partial = { kind: "refused" };
    watch(state, position, out);
    return;
  }
  position.unguarded = false;
  out.push({ kind: "clear-timer", timer: protectionTimer(position) });
  out.push({ kind: "clear-timer", timer: exitTimer(position) });
  state.positions.delete(positionKey(position.symbol, position.leg));
  const { candidate } = plan;
  const trade: Trade = {
    symbol: position.symbol,
    leg: position.leg,
    direction: position.direction,
    entryTime: holding.entryTime,
    exitTime: state.now,
    lots: holding.openedLots,
    entryNotional: holding.entryNotional,
    exitNotional: holding.exitNotional,
    fees: holding.fees,
    funding: holding.funding,
    pnl: holding.realised - holding.fees + holding.funding,
    reason,
    strategy: candidate.strategy,
    setup: candidate.setup,
    confidence: candidate.confidence,
    plannedEntry: candidate.entry,
    stop: plan.stop,
    target: plan.target,
    leverage: plan.leverage,
    reasons: candidate.reasons,
  };
  // What somebody else has decided on says nothing of our decisions: its money counts, in the drawdown, its outcome not.
  if (candidate.strategy !== ADOPTED) tradeClosed(state.risk, state.config.risk, trade.pnl, state.now);
  record(out, { kind: "closed", time: state.now, trade });
}

function cancelStop(state: State, stop: StopOrder, out: Effect[]): void {
  if (stop.kind === "none") return;
  cancel(state, stop.order, out);
  if (stop.kind === "replacing") cancel(state, stop.old, out);
}

export function record(out: Effect[], entry: CoreRecord): void {
  out.push({ kind: "record", record: entry });
}
