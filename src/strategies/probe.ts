import { type Candidate, LONG } from "../core/candidate.ts";
import { priceOf } from "../core/instrument.ts";
import type { Strategy, SymbolView } from "../core/strategy.ts";

export interface ProbeOptions {
  readonly riskRewardRatio: number;
}

/** The set-up of every probe; no rule has one of this name. */
export const PROBE_SETUP = "open";

/** Distance of the stop in average true ranges of an hour. */
const STOP_ATR = 1.5;
/** A stop nearer than this share of the price would be eaten by costs. */
const MIN_STOP_SHARE = 0.004;

/**
 * Asks, with every 15m bar of every symbol, what a trade would come to: a long with its stop 1.5 ATR of 1h away and the
 * target RISK_REWARD_RATIO times as far. It has no opinion (confidence 0), so by itself it trades nothing; the model of
 * `self_learning` looks at it and at its mirror image, and makes the better of the two a candidate or neither.
 */
export function createProbe(options: ProbeOptions): Strategy {
  return { name: "probe", maxBaseTimeframe: 300_000, propose: (view) => propose(view, options) };
}

function propose(view: SymbolView, { riskRewardRatio }: ProbeOptions): Candidate | undefined {
  const m15 = view.timeframe("15m");
  if (!m15.justClosed) return undefined;
  const atr = view.timeframe("1h").indicator("atr");
  if (!(atr > 0)) return undefined;
  const { instrument, closeTicks: entry } = view;
  const least = MIN_STOP_SHARE * priceOf(instrument, entry);
  const distance = STOP_ATR * atr > least ? STOP_ATR * atr : least;
  const risk = Math.ceil(distance / priceOf(instrument, 1));
  const reward = Math.floor(risk * riskRewardRatio);
  // Both images need prices above zero.
  if (reward < 1 || entry - risk < 1 || entry - reward < 1) return undefined;
  return {
    symbol: view.symbol,
    strategy: "probe",
    setup: PROBE_SETUP,
    direction: LONG,
    entry,
    stop: entry - risk,
    target: entry + reward,
    confidence: 0,
    // Not why, but how much: the share of the price that is risked.
    scores: { risk: risk < entry ? risk / entry : 1 },
    reasons: [`stop ${STOP_ATR} ATR of 1h away`],
  };
}
