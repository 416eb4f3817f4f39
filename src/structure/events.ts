import type {
  BreakerBlock,
  DealingRange,
  Displacement,
  FairValueGap,
  LiquidityPool,
  OrderBlock,
  PreviousLevel,
  Scale,
  SessionName,
  SessionRange,
  StructureBreak,
  Sweep,
  Swing,
} from "../core/strategy.ts";

/** Anything that a tracker confirms. */
export type StructureObject =
  | Swing
  | StructureBreak
  | OrderBlock
  | BreakerBlock
  | FairValueGap
  | LiquidityPool
  | Sweep
  | Displacement
  | PreviousLevel
  | SessionRange
  | DealingRange;

/** A structure object in words: what `inspect --structure` prints, one a line. Times are open times of bars, ms UTC. */
export interface StructureLine {
  readonly kind: StructureObject["kind"];
  readonly timeframe: string;
  /** `high` or `low` for swings, pools and levels, `bullish` or `bearish` for everything else. */
  readonly direction: "high" | "low" | "bullish" | "bearish";
  /** The bar on which the object sits. */
  readonly formedAt: number;
  /** The bar at whose close the object became a fact. */
  readonly confirmedAt?: number;
  /** USDT: the price of a swing, of the swing that was broken, of a pool, of a level, of the level that was swept. */
  readonly price?: number;
  /** USDT: the bounds of whatever has two, top >= bottom. */
  readonly top?: number;
  readonly bottom?: number;
  /** Of a swing, break, order block or breaker. */
  readonly scale?: Scale;
  /** Of a break. */
  readonly character?: StructureBreak["character"];
  /** Of a break: the bar of the swing that was broken. */
  readonly swingAt?: number;
  /** Of an order block or breaker. */
  readonly volumeRatio?: number;
  /** Of a block, breaker or gap, once it is confirmed. */
  readonly tests?: number;
  readonly fill?: number;
  /** Of a pool: how many swings. */
  readonly touches?: number;
  /** Of a sweep: what was swept. */
  readonly of?: Sweep["of"];
  /** Of a displacement. */
  readonly ratio?: number;
  /** Of a level. */
  readonly period?: PreviousLevel["period"];
  /** Of a session. */
  readonly session?: SessionName;
}

/**
 * What a line of the log tells:
 * - `formed`: the object may be, or is, at this bar; `confirmed`: it is a fact and visible to strategies;
 * - `tested`: price came back to it (a pool: another swing made it larger); `mitigated`: price traded through half of it;
 * - `swept`: price traded beyond it and closed back; `filled`: it has ended, because price went through.
 */
export const STRUCTURE_EVENTS = ["formed", "confirmed", "tested", "mitigated", "swept", "filled"] as const;

/**
 * One line of the structure log. The log is append-only: a line is a function of the bars up to `at` and is never
 * changed or taken back, so the log of a run cut at a bar equals the log of a run that ended there.
 *
 * A line `formed` does not carry `confirmedAt`, because at that moment nobody needs to know it.
 */
export interface StructureEvent extends StructureLine {
  readonly event: (typeof STRUCTURE_EVENTS)[number];
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
  const isPrice = object.kind === "swing" || object.kind === "pool" || object.kind === "level";
  if (isPrice) return object.direction > 0 ? "high" : "low";
  return object.direction > 0 ? "bullish" : "bearish";
}

/** What a line says beyond the kind, copied field by field because objects live on and change. */
function detailsOf(object: StructureObject): Partial<StructureLine> {
  switch (object.kind) {
    case "swing":
      return { price: object.price, scale: object.scale };
    case "break":
      return { price: object.price, scale: object.scale, character: object.character, swingAt: object.swingAt };
    case "order-block":
    case "breaker": {
      const { top, bottom, scale, volumeRatio, tests, fill } = object;
      return { top, bottom, scale, volumeRatio, tests, fill };
    }
    case "gap":
      return { top: object.top, bottom: object.bottom, tests: object.tests, fill: object.fill };
    case "pool":
      return { price: object.price, touches: object.touches };
    case "sweep":
      return { price: object.price, of: object.of };
    case "displacement":
      return { top: object.top, bottom: object.bottom, ratio: object.ratio };
    case "level":
      return { price: object.price, period: object.period };
    case "session":
      return { top: object.top, bottom: object.bottom, session: object.session };
    case "range":
      return { top: object.top, bottom: object.bottom };
  }
}
