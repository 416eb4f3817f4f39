import { type Direction, LONG, SHORT } from "../core/candidate.ts";
import type { FairValueGap, OrderBlock, StructureBreak, StructureView, Swing } from "../core/strategy.ts";
import { eventOf, type StructureEvent, type StructureObject } from "./events.ts";
import { Leg } from "./leg.ts";
import { MeanVolume } from "./mean-volume.ts";

/** Plain data; crosses to workers as it is. */
export interface StructureOptions {
  /** Name of the timeframe; only copied into events. */
  readonly timeframe: string;
  /** Bars on each side that a swing must exceed, at least 1. */
  readonly swingLength: number;
  /** How many objects of each kind are remembered; the oldest goes first. */
  readonly maxObjects: number;
  /** Bars whose mean volume the volume of a move is compared with. */
  readonly volumePeriod: number;
}

export const DEFAULT_STRUCTURE = { swingLength: 3, maxObjects: 32, volumePeriod: 20 } as const;

/**
 * Follows the market structure of one symbol in one timeframe, bar by bar. Definitions, sources and drawings are in
 * docs/structure.md.
 *
 * After `advance` of bar t, `view` is a function of the bars up to t and of nothing else. Memory is bounded, and the
 * work per bar is constant except where an object appears or ends.
 *
 * Lines of one bar come in this order: what concerns the bullish side (swing highs, breaks up), then the bearish; on
 * each side what was filled, the break, its order block, the gap, the swing that is confirmed, the swing that forms.
 */
export class StructureTracker {
  /** Confirmed and still active objects, oldest confirmation first. A live object: it changes with `advance`. */
  readonly view: StructureView;

  private readonly book: Book;
  private readonly bullish: Side;
  private readonly bearish: Side;
  private readonly meanVolume: MeanVolume;
  private openTime = -Infinity;

  /**
   * @param options `timeframe` is needed, the rest is taken from DEFAULT_STRUCTURE.
   * @param onEvent receives the log line by line. Without it no line is built.
   * @throws RangeError for a length, bound or period that is not a whole number of at least 1
   */
  constructor(
    options: Partial<StructureOptions> & Pick<StructureOptions, "timeframe">,
    onEvent?: (event: StructureEvent) => void,
  ) {
    const all: StructureOptions = { ...DEFAULT_STRUCTURE, ...options };
    for (const name of ["swingLength", "maxObjects", "volumePeriod"] as const) {
      if (!Number.isInteger(all[name]) || all[name] < 1) {
        throw new RangeError(`${name} is ${all[name]}; allowed are whole numbers from 1`);
      }
    }
    this.book = new Book(all, onEvent);
    this.view = this.book;
    this.bullish = new Side(LONG, all, this.book);
    this.bearish = new Side(SHORT, all, this.book);
    this.meanVolume = new MeanVolume(all.volumePeriod);
  }

  /**
   * Takes the next closed bar. Prices in USDT, volume in base units, flat bars like any other.
   * @throws RangeError when the bar is not after the one before, or its prices are not in order
   */
  advance(openTime: number, open: number, high: number, low: number, close: number, volume: number): void {
    if (!(openTime > this.openTime)) throw new RangeError(`bar ${openTime} does not follow bar ${this.openTime}`);
    if (!(low <= open && low <= close && high >= open && high >= close && volume >= 0)) {
      throw new RangeError(`bar ${openTime}: open ${open}, high ${high}, low ${low}, close ${close}, volume ${volume}`);
    }
    this.openTime = openTime;
    const meanVolume = this.meanVolume.advance(volume);
    this.bullish.advance(openTime, open, high, low, close, volume, meanVolume);
    this.bearish.advance(openTime, -open, -low, -high, -close, volume, meanVolume);
  }
}

/** What both sides share: the remembered objects, the trend and the log. */
class Book implements StructureView {
  readonly swings: Swing[] = [];
  readonly breaks: StructureBreak[] = [];
  readonly orderBlocks: OrderBlock[] = [];
  readonly gaps: FairValueGap[] = [];
  trend: Direction | 0 = 0;

  private readonly timeframe: string;
  private readonly maxObjects: number;
  private readonly onEvent: ((event: StructureEvent) => void) | undefined;

  constructor(options: StructureOptions, onEvent: ((event: StructureEvent) => void) | undefined) {
    this.timeframe = options.timeframe;
    this.maxObjects = options.maxObjects;
    this.onEvent = onEvent;
  }

  /** Logs that a swing may be at this bar; whether it is, later bars tell. */
  candidate(direction: Direction, at: number, price: number): void {
    if (this.onEvent === undefined) return;
    this.log("formed", at, { kind: "swing", direction, price, formedAt: at, confirmedAt: Number.NaN });
  }

  confirmSwing(swing: Swing): void {
    this.remember(this.swings, swing);
    this.log("confirmed", swing.confirmedAt, swing);
  }

  /** Takes an object whose forming becomes knowable only with its confirmation. */
  confirm<T extends StructureObject>(list: T[], object: T): void {
    this.remember(list, object);
    this.log("formed", object.confirmedAt, object);
    this.log("confirmed", object.confirmedAt, object);
  }

  fill(at: number, object: OrderBlock | FairValueGap): void {
    this.log("filled", at, object);
  }

  private remember<T>(list: T[], object: T): void {
    if (list.length === this.maxObjects) list.shift();
    list.push(object);
  }

  private log(event: StructureEvent["event"], at: number, object: StructureObject): void {
    this.onEvent?.(eventOf(event, at, this.timeframe, object));
  }
}

/**
 * One direction of the market. The rules below are written for the bullish one: swing highs, breaks above them, order
 * blocks and gaps beneath. The bearish side is the same on the market turned upside down: its prices come negated,
 * and are negated back where they become objects, which is exact.
 */
class Side {
  private readonly direction: Direction;
  private readonly swingLength: number;
  private readonly book: Book;

  /** The last `swingLength` highs, in no order that matters; infinite until there are as many bars. */
  private readonly highs: Float64Array;
  private next = 0;

  /** The swing in waiting. A second cannot arise beside it: exceeding the bars before would exceed it as well. */
  private candidateHigh = Number.NaN;
  private candidateAt = 0;
  private candidateAge = 0;
  private candidateLeg = new Leg();

  /** The last confirmed swing while unbroken, else NaN, which no close exceeds. */
  private swingHigh = Number.NaN;
  private swingAt = 0;
  private swingLeg = new Leg();

  /** The bar of the last order block, because two breaks may start from one candle. */
  private blockAt = Number.NaN;

  /** Highest bottom of the active order blocks and of the gaps: above them, no bar can end any. */
  private blockFloor = -Infinity;
  private gapFloor = -Infinity;

  /** The two bars before the newest; NaN until there are any, which no price exceeds. */
  private previousAt = Number.NaN;
  private previousHigh = Number.NaN;
  private beforeHigh = Number.NaN;

  constructor(direction: Direction, options: StructureOptions, book: Book) {
    this.direction = direction;
    this.swingLength = options.swingLength;
    this.book = book;
    this.highs = new Float64Array(options.swingLength).fill(Infinity);
  }

  advance(
    openTime: number,
    open: number,
    high: number,
    low: number,
    close: number,
    volume: number,
    meanVolume: number,
  ): void {
    if (close < this.blockFloor) this.endBlocks(openTime, close);
    if (low <= this.gapFloor) this.endGaps(openTime, low);
    this.candidateLeg.advance(openTime, open, high, low, close, volume, meanVolume);
    this.swingLeg.advance(openTime, open, high, low, close, volume, meanVolume);
    if (close > this.swingHigh) this.break(openTime);
    if (low > this.beforeHigh) this.openGap(openTime, low);
    this.followSwing(openTime, high);
    // A leg begins with the swing's own bar: its candle may be the block, its low the start of the move.
    if (this.candidateAt === openTime) {
      this.candidateLeg.clear();
      this.candidateLeg.advance(openTime, open, high, low, close, volume, meanVolume);
    }
    this.previousAt = openTime;
    this.beforeHigh = this.previousHigh;
    this.previousHigh = high;
  }

  /**
   * A swing high exceeds the highs of `swingLength` bars before it and is not exceeded by those of as many after: of
   * equal highs the first is the swing.
   */
  private followSwing(openTime: number, high: number): void {
    if (high > this.candidateHigh) this.candidateHigh = Number.NaN;
    else if (high <= this.candidateHigh && ++this.candidateAge === this.swingLength) this.confirmSwing(openTime);
    if (this.exceedsBefore(high)) {
      this.candidateHigh = high;
      this.candidateAt = openTime;
      this.candidateAge = 0;
      this.book.candidate(this.direction, openTime, this.direction * high);
    }
    this.highs[this.next] = high;
    this.next = this.next + 1 === this.swingLength ? 0 : this.next + 1;
  }

  private exceedsBefore(high: number): boolean {
    for (let i = 0; i < this.swingLength; i++) if (!(high > this.highs[i]!)) return false;
    return true;
  }

  private confirmSwing(openTime: number): void {
    this.swingHigh = this.candidateHigh;
    this.swingAt = this.candidateAt;
    const leg = this.swingLeg;
    this.swingLeg = this.candidateLeg;
    this.candidateLeg = leg;
    this.candidateHigh = Number.NaN;
    this.book.confirmSwing({
      kind: "swing",
      direction: this.direction,
      price: this.direction * this.swingHigh,
      formedAt: this.swingAt,
      confirmedAt: openTime,
    });
  }

  private break(openTime: number): void {
    const { book, direction, swingLeg } = this;
    book.confirm(book.breaks, {
      kind: "break",
      direction,
      character: book.trend === -direction ? "choch" : "bos",
      price: direction * this.swingHigh,
      swingAt: this.swingAt,
      formedAt: openTime,
      confirmedAt: openTime,
    });
    book.trend = direction;
    this.swingHigh = Number.NaN;
    // No candle against the move since the swing, or only the breaking bar itself after a jump: no block.
    if (!(swingLeg.blockAt < openTime) || swingLeg.blockAt === this.blockAt) return;
    this.blockAt = swingLeg.blockAt;
    if (swingLeg.blockBottom > this.blockFloor) this.blockFloor = swingLeg.blockBottom;
    book.confirm(book.orderBlocks, {
      kind: "order-block",
      direction,
      ...this.bounds(swingLeg.blockTop, swingLeg.blockBottom),
      volumeRatio: swingLeg.volumeRatio(),
      formedAt: swingLeg.blockAt,
      confirmedAt: openTime,
    });
  }

  private openGap(openTime: number, low: number): void {
    if (this.beforeHigh > this.gapFloor) this.gapFloor = this.beforeHigh;
    this.book.confirm(this.book.gaps, {
      kind: "gap",
      direction: this.direction,
      ...this.bounds(low, this.beforeHigh),
      formedAt: this.previousAt,
      confirmedAt: openTime,
    });
  }

  /** Forgets the order blocks of this side that the bar closed through. */
  private endBlocks(openTime: number, close: number): void {
    this.blockFloor = this.end(openTime, this.book.orderBlocks, (bottom) => close < bottom);
  }

  /** Forgets the gaps of this side that the bar traded through entirely. */
  private endGaps(openTime: number, low: number): void {
    this.gapFloor = this.end(openTime, this.book.gaps, (bottom) => low <= bottom);
  }

  /** Removes and logs what ended, in the order of confirmation; returns the highest bottom of what is left. */
  private end<T extends OrderBlock | FairValueGap>(
    openTime: number,
    list: T[],
    ended: (bottom: number) => boolean,
  ): number {
    let floor = -Infinity;
    let kept = 0;
    for (const object of list) {
      if (object.direction === this.direction) {
        const bottom = this.direction > 0 ? object.bottom : -object.top;
        if (ended(bottom)) {
          this.book.fill(openTime, object);
          continue;
        }
        if (bottom > floor) floor = bottom;
      }
      list[kept++] = object;
    }
    list.length = kept;
    return floor;
  }

  /** The bounds of an object in prices that are not mirrored. */
  private bounds(top: number, bottom: number): { top: number; bottom: number } {
    return this.direction > 0 ? { top, bottom } : { top: -bottom, bottom: -top };
  }
}
