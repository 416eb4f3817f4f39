import { type StructureInput, structureObjects } from "../inspect/structure.ts";
import { ABSENT } from "../market/bar-source.ts";
import { CLOSE, HIGH, LOW, OPEN, type Panel, VOLUME } from "../market/panel.ts";
import type { StructureLine } from "../structure/events.ts";

/** open time ms UTC, open, high, low, close, volume */
export type BarRow = readonly [time: number, open: number, high: number, low: number, close: number, volume: number];

export interface Chart {
  readonly timeframe: string;
  readonly ms: number;
  readonly bars: readonly BarRow[];
  /** What market structure is confirmed and still active after the last of these bars. */
  readonly structure: readonly StructureLine[];
}

/** Bars before the shown ones that structure is worked out from, so that it has settled where the chart begins. */
const STRUCTURE_WARM_UP = 600;

/**
 * The last bars of a symbol in the panel that another thread fills. A bar that is overwritten while it is read is left
 * out: `holds` is asked again after reading.
 * @param limit most bars
 */
export function chartOf(panel: Panel, symbol: number, timeframe: string, limit: number): Chart {
  const which = panel.timeframe(timeframe);
  const { ms } = panel.timeframes[which]!;
  const rows = readBars(panel, symbol, which, limit + STRUCTURE_WARM_UP);
  const column = (field: 0 | 1 | 2 | 3 | 4 | 5) => Float64Array.from(rows, (row) => row[field]);
  const input: StructureInput = {
    timeframe,
    openTime: column(0),
    open: column(1),
    high: column(2),
    low: column(3),
    close: column(4),
    volume: column(5),
  };
  return { timeframe, ms, bars: rows.slice(-limit), structure: structureObjects(input) };
}

function readBars(panel: Panel, symbol: number, timeframe: number, limit: number): BarRow[] {
  const rows: BarRow[] = [];
  const last = panel.published(timeframe);
  for (let index = Math.max(0, last - limit + 1); index <= last; index++) {
    if (!panel.holds(timeframe, index) || panel.status(timeframe, index, symbol) === ABSENT) continue;
    const value = (field: number) => panel.value(timeframe, index, symbol, field);
    const row: BarRow = [
      panel.openTime(timeframe, index),
      value(OPEN),
      value(HIGH),
      value(LOW),
      value(CLOSE),
      value(VOLUME),
    ];
    if (panel.holds(timeframe, index)) rows.push(row);
  }
  return rows;
}
