import type { Direction } from "../core/candidate.ts";
import type {
  BreakerBlock,
  DealingRange,
  Displacement,
  FairValueGap,
  LiquidityPool,
  OrderBlock,
  PreviousLevel,
  Scale,
  ScaleView,
  SessionRange,
  StructureBreak,
  StructureView,
  Sweep,
  Swing,
} from "../core/strategy.ts";
import { eventOf, type StructureEvent, type StructureObject } from "./events.ts";

/** An object as its owner sees it. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class ScaleBook implements ScaleView {
  readonly swings: Swing[] = [];
  readonly breaks: StructureBreak[] = [];
  trend: Direction | 0 = 0;
}

/** What all parts of a tracker share: the remembered objects and the log. */
export class Book extends ScaleBook implements StructureView {
  readonly external = new ScaleBook();
  readonly orderBlocks: Mutable<OrderBlock>[] = [];
  readonly breakers: Mutable<BreakerBlock>[] = [];
  readonly gaps: Mutable<FairValueGap>[] = [];
  readonly pools: Mutable<LiquidityPool>[] = [];
  readonly sweeps: Sweep[] = [];
  readonly displacements: Displacement[] = [];
  readonly levels: Mutable<PreviousLevel>[] = [];
  readonly sessions: SessionRange[] = [];
  range: DealingRange | undefined;

  private readonly timeframe: string;
  private readonly maxObjects: number;
  private readonly onEvent: ((event: StructureEvent) => void) | undefined;

  constructor(timeframe: string, maxObjects: number, onEvent: ((event: StructureEvent) => void) | undefined) {
    super();
    this.timeframe = timeframe;
    this.maxObjects = maxObjects;
    this.onEvent = onEvent;
  }

  /** The part of one scale. */
  of(scale: Scale): ScaleBook {
    return scale === "internal" ? this : this.external;
  }

  /** Logs that a swing may be at this bar; whether it is, later bars tell. */
  candidate(scale: Scale, direction: Direction, at: number, price: number): void {
    if (this.onEvent === undefined) return;
    this.log("formed", at, { kind: "swing", scale, direction, price, formedAt: at, confirmedAt: Number.NaN });
  }

  confirmSwing(swing: Swing): void {
    this.remember(this.of(swing.scale).swings, swing);
    this.log("confirmed", swing.confirmedAt, swing);
  }

  /** Takes an object whose forming becomes knowable only with its confirmation. */
  confirm<T extends StructureObject>(list: T[], object: T): void {
    this.remember(list, object);
    this.announce(object);
  }

  /** Logs an object that is formed and confirmed at once. */
  announce(object: StructureObject): void {
    this.log("formed", object.confirmedAt, object);
    this.log("confirmed", object.confirmedAt, object);
  }

  /** A bar traded beyond a level and closed back to the side that `direction` points to. */
  sweep(direction: Direction, at: number, price: number, of: Sweep["of"]): void {
    this.confirm(this.sweeps, { kind: "sweep", direction, of, price, formedAt: at, confirmedAt: at });
  }

  log(event: StructureEvent["event"], at: number, object: StructureObject): void {
    if (this.onEvent !== undefined) this.onEvent(eventOf(event, at, this.timeframe, object));
  }

  private remember<T>(list: T[], object: T): void {
    if (list.length === this.maxObjects) list.shift();
    list.push(object);
  }
}
