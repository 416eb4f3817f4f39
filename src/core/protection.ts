import { assert, unreachable } from "./assert.ts";
import type { CoreRecord, Effect, ExitReason, Trade } from "./effects.ts";
import { remainingLots } from "./order.ts";
import type { Position } from "./position.ts";
import { cancel, positionKey, type State, submit } from "./state.ts";

/**
 * Places what an open position lacks of its three closing orders and resizes what no longer fits:
 *  - the disaster stop, one wide close-position order that is never moved;
 *  - the working stop, which has the position's quantity; a new one is acknowledged before the old one is cancelled;
 *  - the target, which protects nothing and may therefore be cancelled first.
 * Safe to call after every change: what is in order is left alone.
 */
export function protect(state: State, position: Position, out: Effect[]): void {
  const { holding, plan, phase } = position;
  if (holding.lots === 0) return;
  watchProtection(state, position, out);
  if (phase.kind !== "open") return;

  if (position.disasterStop.kind === "none") {
    position.disasterStop = { kind: "sent", order: place(state, position, "disaster-stop", plan.disasterStop, out) };
  }
  const working = position.workingStop;
  if (working.kind === "none") {
    position.workingStop = { kind: "sent", order: place(state, position, "working-stop", plan.stop, out) };
  } else if (working.kind === "acknowledged" && openLots(state, working.order) !== holding.lots) {
    const order = place(state, position, "working-stop", plan.stop, out);
    position.workingStop = { kind: "replacing", old: working.order, order };
  }
  if (position.target.kind === "none") {
    position.target = { kind: "placed", order: place(state, position, "target", plan.target, out) };
  } else if (position.target.kind === "placed" && openLots(state, position.target.order) < holding.lots) {
    cancel(state, position.target.order, out);
  }
}

/** Whether exchange-side stops that are known to stand cover the whole position. */
export function isProtected(state: State, position: Position): boolean {
  const { workingStop, disasterStop, holding } = position;
  if (disasterStop.kind === "acknowledged") return true;
  const standing =
    workingStop.kind === "acknowledged" ? workingStop.order : workingStop.kind === "replacing" ? workingStop.old : 0;
  return standing !== 0 && openLots(state, standing) >= holding.lots;
}

/** Starts the clock when a position loses its protection, by its first fill or later, and stops it when it is back. */
function watchProtection(state: State, position: Position, out: Effect[]): void {
  const unprotected = !isProtected(state, position);
  if (unprotected === position.unprotected) return;
  position.unprotected = unprotected;
  const timer = protectionTimer(position);
  if (unprotected) out.push({ kind: "set-timer", timer, at: state.now + state.config.protectionTimeout });
  else out.push({ kind: "clear-timer", timer });
}

function openLots(state: State, id: number): number {
  const order = state.orders.get(id);
  return order === undefined ? 0 : remainingLots(order);
}

function place(
  state: State,
  position: Position,
  purpose: "disaster-stop" | "working-stop" | "target",
  trigger: number,
  out: Effect[],
): number {
  const closePosition = purpose === "disaster-stop";
  const type = purpose === "target" ? "take-profit-market" : "stop-market";
  return submit(
    state,
    position,
    { purpose, type, trigger, closePosition, lots: closePosition ? 0 : position.holding.lots },
    out,
  );
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
      position.phase = { ...phase, abandoned: reason };
      cancel(state, phase.entry, out);
      return;
    case "closing":
      return;
    case "open": {
      if (phase.entry !== 0) cancel(state, phase.entry, out);
      const { lots } = position.holding;
      const exit = submit(
        state,
        position,
        { purpose: "exit", type: "market", lots, trigger: 0, closePosition: false },
        out,
      );
      position.phase = { kind: "closing", entry: phase.entry, exit, reason };
      return;
    }
    default:
      unreachable(phase);
  }
}

/** A position that cannot be protected is closed, and no other is opened until the operator says so. */
export function giveUpUnprotected(state: State, position: Position, reason: string, out: Effect[]): void {
  setTrading(state, "reduce-only", reason, out);
  out.push({ kind: "notice", level: "alarm", text: reason });
  exitAtMarket(state, position, "unprotected", out);
}

export function setTrading(state: State, to: State["trading"], reason: string, out: Effect[]): void {
  if (state.trading === to) return;
  record(out, { kind: "trading-state", time: state.now, from: state.trading, to, reason });
  state.trading = to;
}

/** The position is flat: its other orders go, and it becomes a trade. */
export function finish(state: State, position: Position, reason: ExitReason, out: Effect[]): void {
  const { holding, plan, phase } = position;
  assert(holding.lots === 0 && holding.openedLots > 0, "a finished position was held and is flat");
  if (phase.kind === "open" && phase.entry !== 0) cancel(state, phase.entry, out);
  if (phase.kind === "closing") cancel(state, phase.exit, out);
  if (position.target.kind === "placed") cancel(state, position.target.order, out);
  for (const stop of [position.workingStop, position.disasterStop]) {
    if (stop.kind === "none") continue;
    cancel(state, stop.order, out);
    if (stop.kind === "replacing") cancel(state, stop.old, out);
  }
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
  record(out, { kind: "closed", time: state.now, trade });
}

export function record(out: Effect[], entry: CoreRecord): void {
  out.push({ kind: "record", record: entry });
}
