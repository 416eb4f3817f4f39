import type { Instrument } from "../core/instrument.ts";
import { ABSENT, FLAT } from "../market/bar-source.ts";
import type { Panel } from "../market/panel.ts";

export interface SymbolData {
  readonly symbol: string;
  /** Bars of the shortest timeframe that memory holds, those that had to be made up included. */
  readonly bars: number;
  /** Close of the first and the newest of them, ms UTC; null without any. */
  readonly first: number | null;
  readonly last: number | null;
  /** Times without any bar between the first and the newest. */
  readonly gaps: number;
  /** Bars that are absent in them. */
  readonly missing: number;
  /** Missing bars that were filled with the last price. */
  readonly flat: number;
}

export interface DataStatus {
  /** Close of the newest bar of any symbol, ms UTC; null before the first. */
  readonly newest: number | null;
  readonly timeframes: readonly { readonly name: string; readonly ms: number; readonly bars: number }[];
  readonly symbols: readonly SymbolData[];
}

/** What bars there are in memory, and what is missing between them. Reads every status once: milliseconds a week. */
export function dataStatusOf(panel: Panel, instruments: readonly Instrument[]): DataStatus {
  const [base] = panel.timeframes;
  const newest = panel.published(0);
  return {
    newest: newest < 0 ? null : panel.openTime(0, newest) + base!.ms,
    timeframes: panel.timeframes.map(({ name, ms, slots }, i) => ({
      name,
      ms,
      bars: Math.min(panel.published(i) + 1, slots),
    })),
    symbols: instruments.map(({ symbol }, index) => ({ symbol, ...barsOf(panel, index, newest) })),
  };
}

function barsOf(panel: Panel, symbol: number, newest: number): Omit<SymbolData, "symbol"> {
  const { ms, slots } = panel.timeframes[0]!;
  const close = (bar: number) => panel.openTime(0, bar) + ms;
  let [first, last, bars, flat, gaps] = [-1, -1, 0, 0, 0];
  for (let bar = Math.max(0, newest - slots + 1); bar <= newest; bar++) {
    if (!panel.holds(0, bar)) continue;
    const status = panel.status(0, bar, symbol);
    if (status === ABSENT) continue;
    if (first < 0) first = bar;
    else if (bar !== last + 1) gaps += 1;
    last = bar;
    bars += 1;
    if ((status & FLAT) !== 0) flat += 1;
  }
  if (first < 0) return { bars: 0, first: null, last: null, gaps: 0, missing: 0, flat: 0 };
  return { bars, first: close(first), last: close(last), gaps, missing: last - first + 1 - bars, flat };
}
