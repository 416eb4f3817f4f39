/** Base timeframes that bars may be recorded in, by the name that files and options use; ms. */
export const TIMEFRAMES = { "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000 } as const;
export type TimeframeName = keyof typeof TIMEFRAMES;

export const TIMEFRAME_NAMES = Object.keys(TIMEFRAMES) as readonly TimeframeName[];

export function isTimeframeName(text: string): text is TimeframeName {
  return Object.hasOwn(TIMEFRAMES, text);
}

/** "5m" of 300000. @throws RangeError for a length that no base timeframe has. */
export function timeframeName(milliseconds: number): TimeframeName {
  const name = TIMEFRAME_NAMES.find((candidate) => TIMEFRAMES[candidate] === milliseconds);
  if (name === undefined) throw new RangeError(`${milliseconds} ms is none of ${TIMEFRAME_NAMES.join(", ")}`);
  return name;
}

/** 2025-06-19T21:00:00Z: how times appear in messages. Without the seconds' fraction when there is none. */
export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(".000Z", "Z");
}
