import type { FairValueGap, OrderBlock, StructureBreak, Swing } from "../core/strategy.ts";

/** Anything that a tracker confirms. */
export type StructureObject = Swing | StructureBreak | OrderBlock | FairValueGap;

/** A structure object in words: what `inspect --structure` prints, one a line. Times are open times of bars, ms UTC. */
export interface StructureLine {
  readonly kind: StructureObject["kind"];
  readonly timeframe: string;
  /** `high` or `low` for swings, `bullish` or `bearish` for everything else. */
  readonly direction: "high" | "low" | "bullish" | "bearish";
  /** The bar on which the object sits. */
  readonly formedAt: number;
  /** The bar at whose close the object became a fact. */
  readonly confirmedAt?: number;
  /** USDT: the price of a swing, or of the swing that was broken. */
  readonly price?: number;
  /** USDT: the bounds of a block or gap, top >= bottom. */
  readonly top?: number;
  readonly bottom?: number;
  /** Of a break. */
  readonly character?: StructureBreak["character"];
  /** Of a break: the bar of the swing that was broken. */
  readonly swingAt?: number;
  /** Of an order block. */
  readonly volumeRatio?: number;
}

/**
 * One line of the structure log. The log is append-only: a line is a function of the bars up to `at` and is never
 * changed or taken back, so the log of a run cut at a bar equals the log of a run that ended there.
 *
 * A line `formed` does not carry `confirmedAt`, because at that moment nobody needs to know it.
 */
export interface StructureEvent extends StructureLine {
  readonly event: "formed" | "confirmed" | "filled";
  /** Open time of the bar at whose close this line became knowable. */
  readonly at: number;
}

/** Describes a confirmed object. */
export function lineOf(timeframe: string, object: StructureObject): StructureLine {
  const { kind, formedAt, confirmedAt } = object;
  return { kind, timeframe, direction: directionOf(object), formedAt, confirmedAt, ...detailsOf(object) };
}

/** One line of the log about an object; for `formed` the object's `confirmedAt` is ignored and may be NaN. */
export function eventOf(
  event: StructureEvent["event"],
  at: number,
  timeframe: string,
  object: StructureObject,
): StructureEvent {
  const { kind, formedAt, confirmedAt } = object;
  const head = { event, kind, timeframe, direction: directionOf(object), at, formedAt };
  return event === "formed" ? { ...head, ...detailsOf(object) } : { ...head, confirmedAt, ...detailsOf(object) };
}

function directionOf(object: StructureObject): StructureLine["direction"] {
  if (object.kind === "swing") return object.direction > 0 ? "high" : "low";
  return object.direction > 0 ? "bullish" : "bearish";
}

function detailsOf(
  object: StructureObject,
): Pick<StructureLine, "price" | "top" | "bottom" | "character" | "swingAt" | "volumeRatio"> {
  switch (object.kind) {
    case "swing":
      return { price: object.price };
    case "break":
      return { price: object.price, character: object.character, swingAt: object.swingAt };
    case "order-block":
      return { top: object.top, bottom: object.bottom, volumeRatio: object.volumeRatio };
    case "gap":
      return { top: object.top, bottom: object.bottom };
  }
}
