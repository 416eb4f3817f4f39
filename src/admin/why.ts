import type { Check } from "../core/strategy.ts";
import { FEATURE_NAMES } from "../features/registry.ts";
import { analyseBar } from "./analyst.ts";
import type { Mirror, RefusalRow, SignalRow, StopMove, TradeRow } from "./mirror.ts";
import type { PositionRow } from "./snapshot.ts";

/** What happened at one bar of one symbol, and why. */
export interface Explanation {
  readonly symbol: string;
  /** Close of the bar, ms UTC. */
  readonly at: number;
  /** One sentence for a person. */
  readonly summary: string;
  readonly signals: readonly SignalRow[];
  readonly refusals: readonly RefusalRow[];
  readonly stopMoves: readonly StopMove[];
  readonly trades: readonly TradeRow[];
  readonly position: PositionRow | null;
  readonly regime: string | null;
  /** What the strategy asked, in order, up to the first condition that did not hold. */
  readonly checks: readonly Check[];
  /** What models see, by name; null where a value is missing. */
  readonly features: Readonly<Record<string, number | null>>;
}

/** How long after its bar something still counts as its consequence: an entry fills at the next bar's open. */
const CONSEQUENCE_MS = 60_000;

/** Puts together what was recorded about the bar of a symbol that closed at `at`. */
export function explain(mirror: Mirror, symbol: string, at: number): Explanation {
  const mine = <T extends { readonly symbol: string; readonly time: number }>(row: T) =>
    row.symbol === symbol && row.time >= at && row.time < at + CONSEQUENCE_MS;
  const signals = mirror.signals.newest(20, mine);
  const refusals = mirror.refusals.newest(20, mine);
  const stopMoves = mirror.stopMoves.newest(20, mine);
  const trades = mirror.trades.newest(
    20,
    (trade) => trade.symbol === symbol && trade.entryTime <= at + CONSEQUENCE_MS && trade.exitTime >= at,
  );
  const position = mirror.snapshot?.positions.find((row) => row.symbol === symbol) ?? null;
  const index = mirror.run.instruments.findIndex((instrument) => instrument.symbol === symbol);
  const { panel, analysis } = mirror;
  const seen = panel && analysis && analyseBar(panel, analysis, index, at);
  return {
    symbol,
    at,
    summary: summaryOf(signals, refusals, position, seen?.checks ?? []),
    signals,
    refusals,
    stopMoves,
    trades,
    position,
    regime: seen?.regime ?? null,
    checks: seen?.checks ?? [],
    features: seen === undefined ? {} : namedFeatures(seen.features),
  };
}

function namedFeatures(row: Float32Array): Record<string, number | null> {
  const entries = FEATURE_NAMES.map((name, i) => [name, Number.isNaN(row[i]) ? null : Number(row[i]!.toPrecision(6))]);
  return Object.fromEntries(entries);
}

function summaryOf(
  signals: readonly SignalRow[],
  refusals: readonly RefusalRow[],
  position: PositionRow | null,
  checks: readonly Check[],
): string {
  const [refusal] = refusals;
  const [signal] = signals;
  if (signal === undefined && refusal === undefined) {
    const failed = checks.find(({ passed }) => !passed);
    if (failed !== undefined)
      return `Nothing was proposed, because this did not hold: ${failed.asked} (${failed.found}).`;
    return position === null
      ? "The strategy proposed nothing at this bar."
      : `The strategy proposed nothing new; a ${position.direction} position is ${position.phase}.`;
  }
  if (signal === undefined) return `A signal was refused: ${refusal!.guard}: ${refusal!.reason}.`;
  const what = `${signal.setup} ${signal.direction}, confidence ${signal.confidence.toFixed(2)}, rank ${signal.rank}`;
  if (refusal !== undefined) return `${what}: refused by ${refusal.guard}: ${refusal.reason}.`;
  if (signal.outcome === "opened") return `${what}: a position was opened.`;
  return position?.entering === "resting"
    ? `${what}: a limit order waits for the market.`
    : `${what}: the entry is on its way.`;
}
