import { unreachable } from "./assert.ts";
import type { Candidate } from "./candidate.ts";
import type { BookView, Numbers, Proposal, Verdict } from "./guard.ts";
import { type Instrument, notionalOf } from "./instrument.ts";
import { instrumentOf, type State, symbolOf } from "./state.ts";

/** Why something is not entered: who says so, in which words, with which numbers. */
export interface Obstacle {
  readonly kind: "obstacle";
  readonly guard: string;
  readonly reason: string;
  readonly numbers: Numbers;
}

export type Judged = { readonly kind: "proposal"; readonly proposal: Proposal } | Obstacle;

/** What an entry may come to at the present mark: sized by the settings, then judged and scaled by the guards. */
export function judged(state: State, candidate: Candidate, book: BookView): Judged {
  const { config } = state;
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
        return { kind: "obstacle", guard: guard.name, reason: verdict.reason, numbers: verdict.numbers };
      default:
        unreachable(verdict);
    }
  }
  return { kind: "proposal", proposal: isSmallest(state, candidate.symbol) ? smallest(proposal) : proposal };
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

/**
 * A guard that cuts has seen the size rounded down to lots; the margin before that rounding would bring back on top of
 * its cap what the rounding took away.
 */
function scaledFraction({ marginFraction, notional, leverage }: Proposal, factor: number, equity: number): number {
  return factor * (factor < 1 ? notional / (leverage * equity) : marginFraction);
}

/** Whether only the least size may be entered on a symbol. */
export function isSmallest(state: State, symbol: number): boolean {
  return state.barred.has(-1) || state.barred.has(symbol);
}

/** The least that the exchange takes, or nothing where the proposal is smaller than that. */
function smallest(proposal: Proposal): Proposal {
  const { instrument, leverage, mark } = proposal;
  const least = leastLots(instrument, mark);
  const lots = least < proposal.lots ? least : proposal.lots;
  const notional = notionalOf(instrument, lots, mark);
  return { ...proposal, lots, notional, margin: Math.ceil(notional / leverage) };
}

/** The least that the exchange takes at a price, lots: a tenth more in value, because the price may move before. */
export function leastLots({ minLots, minNotional, unitValue }: Instrument, mark: number): number {
  const worth = Math.ceil((1.1 * minNotional) / (mark * unitValue));
  return worth > minLots ? worth : minLots;
}
