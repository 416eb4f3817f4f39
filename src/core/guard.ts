import type { Candidate, Regime } from "./candidate.ts";
import type { TradingState } from "./effects.ts";
import type { Leg } from "./events.ts";
import type { Instrument } from "./instrument.ts";

/**
 * Says whether a proposed entry may be made, and how large.
 *
 * Contract (tests/contract/guard.test.ts): a pure function of its arguments; a veto or a scale names its numbers; a
 * scale factor is positive and at most MAX_SCALE; making the book riskier never turns a veto into an allowance.
 */
export interface Guard {
  readonly name: string;
  judge(proposal: Proposal, book: BookView): Verdict;
}

/** No guard may enlarge a proposal by more than this factor; the sizing bounds come after. */
export const MAX_SCALE = 2;

export type Verdict =
  | { readonly kind: "allow" }
  /** Changes the margin by `factor` and, where given, the leverage. */
  | {
      readonly kind: "scale";
      readonly factor: number;
      readonly leverage?: number;
      readonly reason: string;
      readonly numbers: Numbers;
    }
  | { readonly kind: "veto"; readonly reason: string; readonly numbers: Numbers };

export type Numbers = Readonly<Record<string, number>>;

/** An entry on its way through the guards. */
export interface Proposal {
  readonly candidate: Candidate;
  readonly instrument: Instrument;
  /** Share of the equity to be put up as margin. */
  readonly marginFraction: number;
  readonly leverage: number;
  /** The size this amounts to now: lots, its value and its margin in 1e-8 USDT. */
  readonly lots: number;
  readonly notional: number;
  readonly margin: number;
  /** The price it would be entered at now, ticks. */
  readonly mark: number;
}

/** The book as a guard may see it. Money in 1e-8 USDT. */
export interface BookView {
  readonly now: number;
  readonly tradingState: TradingState;
  readonly equity: number;
  /**
   * Wallet that is not bound as margin of positions and pending entries. Under isolated margin what a position has
   * gained or lost so far is neither there to be put up, nor missing.
   */
  readonly available: number;
  /** Equity at the start of the trading day. */
  readonly dayStartEquity: number;
  /** Loss since the equity's peak as a share of it. */
  readonly drawdown: number;
  readonly consecutiveLosses: number;
  /** Share of winners among the last trades; undefined while they are too few to say. */
  readonly winRate: number | undefined;
  /** Age of the proposal symbol's last bar, ms. */
  readonly barAge: number;
  /** Average true range of an hour of the proposal's symbol as a share of its price; 0 while it is not known. */
  readonly volatility: number;
  /** Average value traded in a bar of the proposal's symbol, 1e-8 USDT. */
  readonly barValue: number;
  /** Of the proposal's symbol. */
  readonly regime: Regime;
  /** Open positions and pending entries. */
  readonly positions: readonly PositionView[];
}

export interface PositionView {
  readonly symbol: number;
  readonly leg: Leg;
  readonly direction: 1 | -1;
  readonly notional: number;
  readonly margin: number;
  /** Of its symbol's hourly returns with those of the proposal's; 1 while it is not known, and for the same symbol. */
  readonly correlation: number;
}
