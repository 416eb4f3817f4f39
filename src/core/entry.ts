import { assert } from "./assert.ts";
import type { Candidate, Direction } from "./candidate.ts";
import type { Effect } from "./effects.ts";
import type { AnswerEvent, Hold } from "./events.ts";
import type { Numbers } from "./guard.ts";
import { notionalOf } from "./instrument.ts";
import { disasterStop, liquidationShare } from "./liquidation.ts";
import { type Order, remainingLots } from "./order.ts";
import { type Position, TAKING } from "./position.ts";
import { isSmallest, judged, leastLots, type Obstacle } from "./proposal.ts";
import { bookView, cancel, instrumentOf, positionKey, type State, submit, symbolOf } from "./state.ts";

export const ENTRY_ORDERS = ["market", "limit-first", "limit-only"] as const;

/**
 * How a decision becomes a position. `market` takes what is there at once. The others wait with a limit order for the
 * market to come; what has not come within the time is then taken (`limit-first`) or left (`limit-only`).
 *
 *   decide ──► limit order rests ──filled──► done
 *                 │ time is over, or nothing may be entered any more
 *                 ▼
 *              cancel asked ──fills on the way count──► the exchange says: cancelled
 *                                                          │ the rest, if it may still be taken
 *                                                          ▼
 *                                                       order that takes ──► done
 *
 * Of one entry never more than one order is open, and how much is left to take is known from an order that has ended.
 */
export interface EntryRules {
  readonly order: (typeof ENTRY_ORDERS)[number];
  /** How much better than the price of the decision the limit is, basis points. */
  readonly limitOffset: number;
  /** How long the limit order may rest, ms. */
  readonly limitTime: number;
  /** The limit order is refused rather than that it takes. */
  readonly postOnly: boolean;
  /** How much worse than the price of the decision may be taken, basis points; 0: without a bound, at market. */
  readonly maxSlippage: number;
}

/** "The order could not be executed as maker": the market has come to a post-only order before it was there. */
const POST_ONLY_REFUSED = -5022;
/** How long a cancellation that the exchange did not know the order of waits before it is asked for again. */
const CANCEL_RETRY_MS = 1000;

const HOLD_REASONS: Readonly<Record<Hold, string>> = {
  lease: "another service has the right to trade",
  storage: "nothing can be written to the disk",
};

/** What forbids all entries on a symbol at the moment, whatever was proposed. */
export function forbidden(state: State, symbol: number): Obstacle | undefined {
  const no = (guard: string, reason: string): Obstacle => ({ kind: "obstacle", guard, reason, numbers: {} });
  if (state.trading === "reduce-only" || state.trading === "halted") {
    return no("trading-state", `trading is ${state.trading}`);
  }
  for (const hold of state.holds) return no(hold, HOLD_REASONS[hold]);
  if (!state.connected) return no("connection", "the connection to the exchange is down");
  for (const place of [-1, symbol]) {
    const barred = state.barred.get(place);
    if (barred?.entries === "none") return no("standing", barred.reason);
  }
  return undefined;
}

/** Whether the price has left the plan: its stop or its target would trigger at once. */
export function isBeyond({ direction, stop, target }: Candidate, mark: number): boolean {
  return direction * (mark - stop) <= 0 || direction * (target - mark) <= 0;
}

/** Where the limit order of an entry rests, ticks: rounded away from the market; a post-only one keeps a tick from it. */
export function limitPrice({ limitOffset, postOnly }: EntryRules, direction: Direction, arrival: number): number {
  const distance = Math.ceil((arrival * limitOffset) / 10_000);
  return arrival - direction * (postOnly && distance < 1 ? 1 : distance);
}

/** The worst price that an entry may take, ticks: rounded towards the price of the decision, and before the target. */
export function worstPrice({ maxSlippage }: EntryRules, { direction, target }: Candidate, arrival: number): number {
  const worst = arrival + direction * Math.floor((arrival * maxSlippage) / 10_000);
  return direction * (worst - target) < 0 ? worst : target - direction;
}

/** Sends the first order of an entry. */
export function beginEntry(state: State, position: Position, out: Effect[]): void {
  const { entry } = state.config;
  const { plan, direction } = position;
  if (entry.order === "market") {
    take(state, position, plan.lots, out);
    return;
  }
  const until = state.now + entry.limitTime;
  position.entering = { kind: "resting", until, rest: entry.order === "limit-first" ? "take" : "leave" };
  state.resting.add(position);
  const price = limitPrice(entry, direction, plan.arrival);
  const timeInForce = entry.postOnly ? "post-only" : "gtc";
  const terms = { purpose: "entry", type: "limit", lots: plan.lots, trigger: 0, closePosition: false } as const;
  submit(state, position, { ...terms, price, timeInForce }, out);
  out.push({ kind: "set-timer", timer: entryTimer(position), at: until });
}

/** Name of the timer that bounds how long the limit order of an entry rests. */
export function entryTimer(position: Position): string {
  return `entry:${positionKey(position.symbol, position.leg)}`;
}

/** An order that takes what is there: at market, or up to the worst price that is allowed. */
function take(state: State, position: Position, lots: number, out: Effect[], arrival?: number): number {
  const { entry } = state.config;
  const { plan } = position;
  const terms = { purpose: "entry", lots, trigger: 0, closePosition: false } as const;
  const late = arrival === undefined ? {} : { arrival };
  if (entry.maxSlippage === 0) return submit(state, position, { ...terms, ...late, type: "market" }, out);
  const price = worstPrice(entry, plan.candidate, plan.arrival);
  return submit(state, position, { ...terms, ...late, type: "limit", timeInForce: "ioc", price }, out);
}

/**
 * Looks whether the time of a resting entry is over. Called by its timer and with each bar of its symbol: where market
 * comes in bars the rest then takes part in the next open.
 */
export function entryDue(state: State, position: Position, out: Effect[]): void {
  const { entering, phase } = position;
  if (entering.kind === "resting") {
    if (state.now < entering.until) return;
    withdrawEntry(state, position, entering.rest, "the limit was not reached within ENTRY_LIMIT_SECONDS", out);
  } else if (entering.kind === "withdrawing") {
    cancel(state, phase.entry, out);
  }
}

/** Takes an entry's order back, as far as that is possible. What was to be left is not taken after all. */
export function withdrawEntry(
  state: State,
  position: Position,
  rest: "take" | "leave",
  reason: string,
  out: Effect[],
): void {
  const { entering, phase } = position;
  if (entering.kind === "resting" || (entering.kind === "withdrawing" && entering.rest === "take")) {
    position.entering = { kind: "withdrawing", rest, reason };
    state.resting.delete(position);
  }
  cancel(state, phase.entry, out);
}

/** The exchange knew nothing of the order that was to be cancelled: it has filled and we shall hear, or is yet to come. */
export function cancelRefused(state: State, position: Position, out: Effect[]): void {
  if (position.entering.kind !== "withdrawing") return;
  out.push({ kind: "set-timer", timer: entryTimer(position), at: state.now + CANCEL_RETRY_MS });
}

/** No entry rests where none may be made. Called after each event. */
export function withdrawForbidden(state: State, out: Effect[]): void {
  for (const position of state.resting) {
    const no = forbidden(state, position.symbol);
    const { lots, arrival } = position.plan;
    const large = isSmallest(state, position.symbol) && lots > leastLots(instrumentOf(state, position.symbol), arrival);
    if (no !== undefined) withdrawEntry(state, position, "leave", no.reason, out);
    else if (large) withdrawEntry(state, position, "leave", "only the smallest entries are allowed", out);
  }
}

/** The order of an entry has ended, by filling or otherwise: nothing of it rests any more. */
export function entryOrderOver(state: State, position: Position, out: Effect[]): void {
  if (position.entering.kind === "taking") return;
  position.entering = TAKING;
  state.resting.delete(position);
  out.push({ kind: "clear-timer", timer: entryTimer(position) });
}

/**
 * The order of an entry has ended without being filled. What it leaves is taken if it was a limit order that we took
 * back because its time was over, or that was refused because the market had come already; after any other end it is
 * not known what the exchange makes of another order.
 * @returns true when another order is out; otherwise the entry is over, and why, where it is not the exchange's word
 */
export function goOn(state: State, order: Order, event: AnswerEvent, out: Effect[]): true | Obstacle | undefined {
  const { position, request } = order;
  const { entering, plan, holding } = position;
  entryOrderOver(state, position, out);
  if (entering.kind === "taking") {
    if (request.type === "market" || event.answer !== "expired") return undefined;
    return obstacle(`no more was to be had within ENTRY_MAX_SLIPPAGE_BPS: ${event.reason}`, { worst: request.price });
  }
  const refused = event.code === POST_ONLY_REFUSED;
  const late = event.answer === "cancelled" && entering.kind === "withdrawing";
  if (!refused && !late) return undefined;
  const left = remainingLots(order);
  if (entering.rest === "leave") return entering.kind === "resting" ? undefined : obstacle(entering.reason, { left });
  const taken = lotsToTake(state, position, left);
  if (typeof taken !== "number") return taken;
  assert(taken <= left && holding.openedLots + taken <= plan.lots, "an entry takes no more than was decided");
  position.phase = { ...position.phase, entry: take(state, position, taken, out, plan.arrival) };
  return true;
}

/** Whether what was opened and what is still asked for come to more than was decided. */
export function exceedsPlan(state: State, { holding, phase, plan }: Position): boolean {
  const entry = state.orders.get(phase.entry);
  return holding.openedLots + (entry === undefined ? 0 : remainingLots(entry)) > plan.lots;
}

function obstacle(reason: string, numbers: Numbers = {}): Obstacle {
  return { kind: "obstacle", guard: "entry", reason, numbers };
}

/** How much of an entry's rest may be taken now, or why nothing. All that was asked at the decision is asked again. */
function lotsToTake(state: State, position: Position, left: number): number | Obstacle {
  const { plan, holding, direction, phase, abandoned, symbol } = position;
  const { candidate, arrival, leverage } = plan;
  const { listed, flat, mark } = symbolOf(state, symbol);
  const { entry } = state.config;
  const instrument = instrumentOf(state, symbol);
  if (abandoned !== undefined || phase.kind === "closing" || holding.lots < holding.openedLots) {
    return obstacle("the position is to be closed");
  }
  const no = forbidden(state, symbol);
  if (no !== undefined) return no;
  if (!listed || flat) return obstacle("no fresh price of the symbol");
  if (isBeyond(candidate, mark)) return obstacle("the price is already beyond stop or target", { mark });
  const worst = entry.maxSlippage > 0 ? worstPrice(entry, candidate, arrival) : mark;
  if (direction * (mark - worst) > 0) {
    return obstacle("the price has run away further than ENTRY_MAX_SLIPPAGE_BPS", { mark, arrival, worst });
  }

  const verdict = judged(state, candidate, bookView(state, symbol, position));
  if (verdict.kind === "obstacle") return verdict;
  const room = verdict.proposal.lots - holding.lots;
  const lots = room < left ? room : left;
  const least = leastLots(instrument, mark);
  if (lots < least) return obstacle("the rest is smaller than the exchange takes, or than is allowed", { lots, least });

  const whole = holding.lots + lots;
  const paid = Number(holding.cost) + notionalOf(instrument, lots, worst);
  const average = paid / (whole * instrument.unitValue);
  const liquidation = average - direction * average * liquidationShare(instrument, direction, paid, leverage);
  const standing = position.disasterStop.kind === "none" ? undefined : state.orders.get(position.disasterStop.order);
  const trigger = standing?.request.trigger ?? disasterStop(instrument, direction, average, plan.stop, paid, leverage);
  if (trigger === undefined || direction * (trigger - liquidation) <= 0) {
    return obstacle("the position would be liquidated before its stop", { mark, lots: whole, leverage });
  }
  return lots;
}
