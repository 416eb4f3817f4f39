import type { Candidate, Direction } from "./candidate.ts";
import type { Effect } from "./effects.ts";
import type { AdoptionEvent } from "./events.ts";
import type { Instrument } from "./instrument.ts";
import { liquidationShare } from "./liquidation.ts";
import { ADOPTED, newPosition, open, type Plan } from "./position.ts";
import { protect, record, stopEntries } from "./protection.ts";
import { instrumentOf, positionKey, positionValue, type State, symbolOf } from "./state.ts";

/** A position as the venue holds it, for somebody else so far. */
export interface ForeignPosition {
  readonly direction: Direction;
  readonly lots: number;
  /** By its entry price, 1e-8 USDT. */
  readonly cost: number;
  readonly leverage: number;
  /** What stops are measured from, ticks; 0 while there is no price. */
  readonly mark: number;
}

export type AdoptionTerms =
  | { readonly kind: "stops"; readonly stop: number; readonly disasterStop: number }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Where the stops of an adopted position belong, or why it cannot have any. Nobody knows what it was opened for, so its
 * stop lies `distance` (a share of the price) from the market as it is now, whatever the entry was; the disaster stop as
 * far again behind it, but never beyond half way from the stop to the liquidation.
 */
export function adoptionTerms(
  instrument: Instrument,
  { direction, lots, cost, leverage, mark }: ForeignPosition,
  distance: number,
): AdoptionTerms {
  const refused = (reason: string): AdoptionTerms => ({ kind: "refused", reason });
  if (!(mark > 0)) return refused("no price of the symbol is known yet");
  if (!Number.isSafeInteger(cost) || cost <= 0) return refused("what it has cost is not known exactly");
  if (!(leverage >= 1)) return refused("its leverage is not known");
  if (lots > instrument.maxLots) return refused("it is larger than one order may be, so no one stop can close it");
  const away = Math.round(mark * distance);
  if (away < 1) return refused("a stop at that distance would lie at the price itself");
  const stop = mark - direction * away;
  const entry = cost / (lots * instrument.unitValue);
  const liquidation = entry * (1 - direction * liquidationShare(instrument, direction, cost, leverage));
  const room = direction * (stop - liquidation);
  const behind = Math.floor(room / 2 < away ? room / 2 : away);
  const disaster = stop - direction * behind;
  if (behind < 1 || disaster < 1) return refused("it would be liquidated before its stop");
  return { kind: "stops", stop, disasterStop: disaster };
}

/** Takes a position into the book and has it protected. It is led like any other, but that nothing takes its profit. */
export function adopt(state: State, event: AdoptionEvent, out: Effect[]): void {
  const { symbol, direction, lots, cost, leverage, mark, stop, disasterStop } = event;
  const { symbol: name } = instrumentOf(state, symbol);
  const key = positionKey(symbol, "both");
  if (state.positions.has(key)) {
    return stopEntries(state, `${name}: ${lots} lots of somebody else cannot be added to a position of ours`, out);
  }
  const candidate: Candidate = {
    symbol,
    strategy: ADOPTED,
    setup: ADOPTED,
    direction,
    entry: mark,
    stop,
    // Never placed: what it was meant to gain is not known.
    target: mark + direction * Math.abs(mark - stop),
    confidence: 0,
    scores: {},
    reasons: ["opened by somebody else at the exchange"],
  };
  const margin = Math.ceil(cost / leverage);
  const plan: Plan = { candidate, arrival: mark, stop, target: candidate.target, disasterStop, leverage, lots, margin };
  const position = newPosition(symbol, "both", plan, 0);
  open(position.holding, lots, BigInt(cost), state.now);
  position.phase = { kind: "open", entry: 0 };
  position.target = { kind: "refused" };
  position.partial = { kind: "refused" };
  state.positions.set(key, position);
  // What it had gained or lost before is neither a gain nor a loss of ours. That is judged by a price, whoever knows one.
  const market = symbolOf(state, symbol);
  if (market.mark === 0) market.mark = mark;
  const { unrealised } = positionValue(state, position);
  state.risk.peakEquity += unrealised;
  state.dayStartEquity += unrealised;
  record(out, { kind: "opened", time: state.now, symbol, leg: "both", direction, lots, price: mark, leverage, margin });
  const side = direction === 1 ? "long" : "short";
  const text = `${name}: a ${side} of ${lots} lots that somebody else has opened is ours now; stop at ${stop} ticks, disaster stop at ${disasterStop}`;
  out.push({ kind: "notice", level: "warning", text });
  protect(state, position, out);
}
