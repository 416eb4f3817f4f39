import { unreachable } from "./assert.ts";
import type { Candidate } from "./candidate.ts";
import type { Effect } from "./effects.ts";
import type { AnalysisEvent, Hold } from "./events.ts";
import type { Numbers, Proposal, Verdict } from "./guard.ts";
import { notionalOf } from "./instrument.ts";
import { disasterStop } from "./liquidation.ts";
import { newPosition, type Plan } from "./position.ts";
import { record } from "./protection.ts";
import { bookView, instrumentOf, positionKey, type State, submit, symbolOf } from "./state.ts";

const HOLD_REASONS: Readonly<Record<Hold, string>> = {
  lease: "another service has the right to trade",
  storage: "nothing can be written to the disk",
};

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

/** Whether the price has left the plan: its stop or its target would trigger at once. */
function isBeyond({ direction, stop, target }: Candidate, mark: number): boolean {
  return direction * (mark - stop) <= 0 || direction * (target - mark) <= 0;
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

  if (state.trading === "reduce-only" || state.trading === "halted") {
    return no("trading-state", `trading is ${state.trading}`, {});
  }
  for (const hold of state.holds) return no(hold, HOLD_REASONS[hold], {});
  if ((candidate.prediction?.model ?? "") !== state.model) {
    return no("model", `judged by ${candidate.prediction?.model ?? "no model"}, and not by the one that decides`, {});
  }
  if (!state.connected) return no("connection", "the connection to the exchange is down", {});
  const standing = [state.barred.get(-1), state.barred.get(symbol)];
  const barred = standing.find((one) => one?.entries === "none");
  if (barred !== undefined) return no("standing", barred.reason, {});
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

  const book = bookView(state, symbol);
  let proposal = sized(state, candidate, config.baseMarginFraction, config.baseLeverage, book.equity);
  for (const guard of config.guards) {
    const verdict: Verdict = guard.judge(proposal, book);
    switch (verdict.kind) {
      case "allow":
        break;
      case "scale":
        proposal = sized(
          state,
          candidate,
          scaledFraction(proposal, verdict.factor, book.equity),
          verdict.leverage ?? proposal.leverage,
          book.equity,
        );
        break;
      case "veto":
        return no(guard.name, verdict.reason, verdict.numbers);
      default:
        unreachable(verdict);
    }
  }
  if (standing.some((one) => one !== undefined)) proposal = smallest(proposal, mark);
  if (proposal.lots <= 0) return no("size", "the size rounds down to nothing", { margin: proposal.margin });
  const { lots, leverage, notional } = proposal;
  const { direction, stop } = candidate;
  const disaster = disasterStop(proposal.instrument, direction, mark, stop, notional, leverage);
  if (disaster === undefined) {
    return no("liquidation", "the position would be liquidated before its stop", { mark, stop, leverage, lots });
  }
  enter(state, proposal, disaster, out);
}

/** Works out the size that a margin fraction and a leverage amount to at the present mark, rounded down to lots. */
function sized(state: State, candidate: Candidate, marginFraction: number, leverage: number, equity: number): Proposal {
  const instrument = instrumentOf(state, candidate.symbol);
  const { mark } = symbolOf(state, candidate.symbol);
  const budget = marginFraction * equity * leverage;
  const unit = mark * instrument.unitValue;
  // No size whose value could not be counted exactly; the exchange would not take it anyway.
  const most = Math.floor(Number.MAX_SAFE_INTEGER / unit);
  const wanted = Math.floor(budget / unit);
  const lots = wanted > most ? most : wanted > 0 ? wanted : 0;
  const notional = notionalOf(instrument, lots, mark);
  return {
    candidate,
    instrument,
    marginFraction,
    leverage,
    lots,
    notional,
    margin: Math.ceil(notional / leverage),
    mark,
  };
}

/** The least that the exchange takes, or nothing where the proposal is smaller than that. */
function smallest(proposal: Proposal, mark: number): Proposal {
  const { instrument, leverage } = proposal;
  const { minLots, minNotional, unitValue } = instrument;
  // A tenth more, because the price may move before the exchange looks at it.
  const worth = Math.ceil((1.1 * minNotional) / (mark * unitValue));
  const least = worth > minLots ? worth : minLots;
  const lots = least < proposal.lots ? least : proposal.lots;
  const notional = notionalOf(instrument, lots, mark);
  return { ...proposal, lots, notional, margin: Math.ceil(notional / leverage) };
}

function ordersOf(state: State, symbol: number): number {
  let count = 0;
  for (const order of state.orders.values()) if (order.request.symbol === symbol) count += 1;
  return count;
}

/**
 * A guard that cuts has seen the size rounded down to lots; the margin before that rounding would bring back on top of
 * its cap what the rounding took away.
 */
function scaledFraction({ marginFraction, notional, leverage }: Proposal, factor: number, equity: number): number {
  return factor * (factor < 1 ? notional / (leverage * equity) : marginFraction);
}

function enter(state: State, proposal: Proposal, disaster: number, out: Effect[]): void {
  const { candidate, leverage, lots, margin } = proposal;
  const plan: Plan = {
    candidate,
    stop: candidate.stop,
    target: candidate.target,
    disasterStop: disaster,
    leverage,
    lots,
    margin,
  };
  const position = newPosition(candidate.symbol, "both", plan, state.nextOrder);
  state.positions.set(positionKey(candidate.symbol, "both"), position);
  submit(state, position, { purpose: "entry", type: "market", lots, trigger: 0, closePosition: false }, out);
}
