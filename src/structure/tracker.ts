import { LONG, SHORT } from "../core/candidate.ts";
import type { StructureView } from "../core/strategy.ts";
import { Book } from "./book.ts";
import { Calendar } from "./calendar.ts";
import type { StructureEvent } from "./events.ts";
import { MeanVolume } from "./mean-volume.ts";
import { Side } from "./side.ts";
import { AverageTrueRange } from "./true-range.ts";

/** Plain data; crosses to workers as it is. */
export interface StructureOptions {
  /** Name of the timeframe; only copied into events. */
  readonly timeframe: string;
  /** Bars on each side that an internal swing must exceed, at least 1. */
  readonly swingLength: number;
  /** The same for external swings, more than `swingLength`. */
  readonly externalLength: number;
  /** How many objects of each kind are remembered; the oldest goes first. */
  readonly maxObjects: number;
  /** Bars whose mean volume the volume of a move is compared with. */
  readonly volumePeriod: number;
  /** Bars of the average true range by which displacements and equal highs are judged. */
  readonly atrPeriod: number;
  /** Swing highs this many average true ranges apart, or less, are equal; 0 switches pools off. */
  readonly equalTolerance: number;
  /** Smallest body of a displacement, in average true ranges. */
  readonly displacementAtr: number;
  /** Whether sessions are followed; bars must not be longer than an hour for them to mean something. */
  readonly sessions: boolean;
}

export const DEFAULT_STRUCTURE = {
  swingLength: 3,
  externalLength: 10,
  maxObjects: 32,
  volumePeriod: 20,
  atrPeriod: 14,
  equalTolerance: 0.1,
  displacementAtr: 1.5,
  sessions: true,
} as const;

/** Smallest share of a displacement's range that is body. */
export const DISPLACEMENT_BODY = 0.7;

/**
 * Follows the market structure of one symbol in one timeframe, bar by bar. Definitions, sources and drawings are in
 * docs/structure.md.
 *
 * After `advance` of bar t, `view` is a function of the bars up to t and of nothing else. Memory is bounded; the work
 * per bar is constant, and nothing is allocated, except where an object appears or ends.
 *
 * Lines of one bar come in this order: levels and sessions; the displacement; what concerns the bullish side (swing
 * highs, breaks up), then the bearish; on each side what happened to order blocks, breakers, gaps and pools, the break
 * and its order block (external, then internal), the gap, the swing that is confirmed and what follows from it, the
 * swing that forms.
 */
export class StructureTracker {
  /** Confirmed and still active objects, oldest confirmation first. A live object: it changes with `advance`. */
  readonly view: StructureView;

  private readonly book: Book;
  private readonly bullish: Side;
  private readonly bearish: Side;
  private readonly calendar: Calendar;
  private readonly meanVolume: MeanVolume;
  private readonly trueRange: AverageTrueRange;
  private readonly displacementAtr: number;
  private openTime = -Infinity;

  /**
   * @param options `timeframe` is needed, the rest is taken from DEFAULT_STRUCTURE.
   * @param onEvent receives the log line by line. Without it no line is built.
   * @throws RangeError for a length, bound or period that is not a whole number of at least 1, or a negative multiple
   */
  constructor(
    options: Partial<StructureOptions> & Pick<StructureOptions, "timeframe">,
    onEvent?: (event: StructureEvent) => void,
  ) {
    const all: StructureOptions = { ...DEFAULT_STRUCTURE, ...options };
    for (const name of ["swingLength", "externalLength", "maxObjects", "volumePeriod", "atrPeriod"] as const) {
      if (!Number.isInteger(all[name]) || all[name] < 1) {
        throw new RangeError(`${name} is ${all[name]}; allowed are whole numbers from 1`);
      }
    }
    for (const name of ["equalTolerance", "displacementAtr"] as const) {
      if (!(all[name] >= 0)) throw new RangeError(`${name} is ${all[name]}; allowed are numbers from 0`);
    }
    if (all.externalLength <= all.swingLength) {
      throw new RangeError(`externalLength is ${all.externalLength}; allowed is more than swingLength`);
    }
    this.book = new Book(all.timeframe, all.maxObjects, onEvent);
    this.view = this.book;
    this.bullish = new Side(LONG, all, this.book);
    this.bearish = new Side(SHORT, all, this.book);
    this.bullish.opposite = this.bearish;
    this.bearish.opposite = this.bullish;
    this.calendar = new Calendar(this.book, all.sessions);
    this.meanVolume = new MeanVolume(all.volumePeriod);
    this.trueRange = new AverageTrueRange(all.atrPeriod);
    this.displacementAtr = all.displacementAtr;
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
    this.calendar.advance(openTime, open, high, low, close);
    this.displace(openTime, open, high, low, close);
    const atr = this.trueRange.advance(high, low, close);
    const meanVolume = this.meanVolume.advance(volume);
    this.bullish.advance(openTime, open, high, low, close, volume, meanVolume, atr);
    this.bearish.advance(openTime, -open, -low, -high, -close, volume, meanVolume, atr);
  }

  /** Compares the bar with the average true range before it, which the bar itself has no part in. */
  private displace(openTime: number, open: number, high: number, low: number, close: number): void {
    const before = this.trueRange.value;
    const body = close > open ? close - open : open - close;
    if (!(before > 0 && body >= this.displacementAtr * before && body >= DISPLACEMENT_BODY * (high - low))) return;
    const up = close > open;
    this.book.confirm(this.book.displacements, {
      kind: "displacement",
      direction: up ? LONG : SHORT,
      top: up ? close : open,
      bottom: up ? open : close,
      ratio: body / before,
      formedAt: openTime,
      confirmedAt: openTime,
    });
  }
}
