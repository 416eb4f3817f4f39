import type { Candidate } from "./candidate.ts";
import type { Effect } from "./effects.ts";
import { beginEntry, forbidden, isBeyond, limitPrice } from "./entry.ts";
import type { AnalysisEvent } from "./events.ts";
import type { Numbers, Proposal } from "./guard.ts";
import { disasterStop } from "./liquidation.ts";
import { newPosition, type Plan } from "./position.ts";
import { judged } from "./proposal.ts";
import { record } from "./protection.ts";
import { bookView, positionKey, type State, symbolOf } from "./state.ts";

/**
 * Decides on the candidates of one cycle: rank, cut at the best few, ask the guards, size, send. Every candidate that
 * does not become an order leaves a refusal that names who said no, and with which numbers.
 */
export function decide(state: State, event: AnalysisEvent, out: Effect[]): void {
  const { config } = state;
  if (state.now < config.tradeFrom) return;
  const ranked = event.candidates
    .filter((candidate) => {
      if (candidate.confidence >= config.minConfidence) return true;
      const numbers = { confidence: candidate.confidence, minimum: config.minConfidence };
      refuse(state, candidate, "confidence", "confidence below MIN_CONFIDENCE", numbers, out);
      return false;
    })
    .sort(
      (a, b) =>
        chanceOf(b) - chanceOf(a) || b.confidence - a.confidence || a.symbol - b.symbol || b.direction - a.direction,
    );
  ranked.forEach((candidate, index) => {
    const rank = index + 1;
    record(out, { kind: "signal", time: state.now, candidate, rank });
    follow(state, candidate);
    if (rank > config.maxSignals) {
      refuse(state, candidate, "rank", "not among the best of its cycle", { rank, maximum: config.maxSignals }, out);
    } else {
      consider(state, candidate, out);
    }
  });
}

/** What candidates of one cycle are ranked by: all of them have been judged by the same model, or none has. */
function chanceOf({ prediction, confidence }: Candidate): number {
  return prediction === undefined ? confidence : prediction.probability;
}

/** Every signal that could be entered is followed as a virtual position, whatever becomes of it here. */
function follow(state: State, candidate: Candidate): void {
  const { listed, flat, mark } = symbolOf(state, candidate.symbol);
  if (listed && !flat && !isBeyond(candidate, mark)) state.virtual.signal(candidate, state.now);
}

function refuse(
  state: State,
  candidate: Candidate,
  guard: string,
  reason: string,
  numbers: Numbers,
  out: Effect[],
): void {
  record(out, { kind: "refusal", time: state.now, symbol: candidate.symbol, guard, reason, numbers });
}

function consider(state: State, candidate: Candidate, out: Effect[]): void {
  const { config } = state;
  const { symbol } = candidate;
  const { listed, flat, mark } = symbolOf(state, symbol);
  const no = (guard: string, reason: string, numbers: Numbers) => refuse(state, candidate, guard, reason, numbers, out);

  const obstacle = forbidden(state, symbol);
  if (obstacle !== undefined) return no(obstacle.guard, obstacle.reason, obstacle.numbers);
  if ((candidate.prediction?.model ?? "") !== state.model) {
    return no("model", `judged by ${candidate.prediction?.model ?? "no model"}, and not by the one that decides`, {});
  }
  if (!listed || flat) return no("stale-price", "no fresh price of the symbol", { listed: listed ? 1 : 0 });
  if (state.positions.has(positionKey(symbol, "both"))) {
    return no("open-position", "the symbol already has a position or a pending entry", {});
  }
  // An order that outlived its position could close or double the new one.
  const left = ordersOf(state, symbol);
  if (left > 0) return no("open-orders", "orders of the last position have not ended yet", { orders: left });
  if (state.positions.size >= config.maxPositions) {
    return no("max-positions", "as many positions as MAX_POSITIONS allows", { maximum: config.maxPositions });
  }
  // The close may have run past the plan while it travelled: the stop would then trigger at once.
  if (isBeyond(candidate, mark)) {
    return no("plan", "the price is already beyond stop or target", {
      mark,
      stop: candidate.stop,
      target: candidate.target,
    });
  }

  const verdict = judged(state, candidate, bookView(state, symbol));
  if (verdict.kind === "obstacle") return no(verdict.guard, verdict.reason, verdict.numbers);
  const { proposal } = verdict;
  if (proposal.lots <= 0) return no("size", "the size rounds down to nothing", { margin: proposal.margin });
  const { lots, leverage, notional } = proposal;
  const { direction, stop } = candidate;
  const disaster = disasterStop(proposal.instrument, direction, mark, stop, notional, leverage);
  if (disaster === undefined) {
    return no("liquidation", "the position would be liquidated before its stop", { mark, stop, leverage, lots });
  }
  if (config.entry.order !== "market") {
    const limit = limitPrice(config.entry, direction, mark);
    if (isBeyond(candidate, limit)) return no("plan", "the limit would lie beyond the stop", { mark, limit, stop });
  }
  enter(state, proposal, disaster, out);
}

function ordersOf(state: State, symbol: number): number {
  let count = 0;
  for (const order of state.orders.values()) if (order.request.symbol === symbol) count += 1;
  return count;
}

function enter(state: State, proposal: Proposal, disaster: number, out: Effect[]): void {
  const { candidate, leverage, lots, margin, mark } = proposal;
  const plan: Plan = {
    candidate,
    arrival: mark,
    stop: candidate.stop,
    target: candidate.target,
    disasterStop: disaster,
    leverage,
    lots,
    margin,
  };
  const position = newPosition(candidate.symbol, "both", plan, state.nextOrder);
  state.positions.set(positionKey(candidate.symbol, "both"), position);
  beginEntry(state, position, out);
}
