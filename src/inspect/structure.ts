import type { KlineArrays } from "../market/kline-rules.ts";
import { lineOf, type StructureEvent, type StructureLine } from "../structure/events.ts";
import { type StructureOptions, StructureTracker } from "../structure/tracker.ts";

/** Bars as columns of equal length, ascending by open time (ms UTC); prices in USDT. */
export interface StructureInput extends KlineArrays {
  /** Name of the timeframe, for example `5m`. */
  readonly timeframe: string;
}

export type StructureSettings = Partial<Omit<StructureOptions, "timeframe">>;

/**
 * The structure log of the bars up to the open time `until`, inclusive.
 * @throws RangeError for bars that are not in order
 */
export function structureEvents(
  bars: StructureInput,
  settings: StructureSettings = {},
  until = Infinity,
): StructureEvent[] {
  const events: StructureEvent[] = [];
  track(bars, settings, until, (event) => events.push(event));
  return events;
}

/**
 * The objects that are confirmed and still active after the last bar up to the open time `until`, inclusive: by time
 * of confirmation, and at one bar in the order level, session, displacement, sweep, break, order block, breaker, gap,
 * pool, swing, range, the external ones of a kind first.
 * @throws RangeError for bars that are not in order
 */
export function structureObjects(
  bars: StructureInput,
  settings: StructureSettings = {},
  until = Infinity,
): StructureLine[] {
  const { view } = track(bars, settings, until);
  const { external } = view;
  return [
    ...view.levels,
    ...view.sessions,
    ...view.displacements,
    ...view.sweeps,
    ...external.breaks,
    ...view.breaks,
    ...view.orderBlocks,
    ...view.breakers,
    ...view.gaps,
    ...view.pools,
    ...external.swings,
    ...view.swings,
    ...(view.range === undefined ? [] : [view.range]),
  ]
    .sort((a, b) => a.confirmedAt - b.confirmedAt)
    .map((object) => lineOf(bars.timeframe, object));
}

function track(
  bars: StructureInput,
  settings: StructureSettings,
  until: number,
  onEvent?: (event: StructureEvent) => void,
): StructureTracker {
  const tracker = new StructureTracker({ ...settings, timeframe: bars.timeframe }, onEvent);
  const { openTime, open, high, low, close, volume } = bars;
  for (let i = 0; i < openTime.length && openTime[i]! <= until; i++) {
    tracker.advance(openTime[i]!, open[i]!, high[i]!, low[i]!, close[i]!, volume[i]!);
  }
  return tracker;
}
