import type { Direction } from "../core/candidate.ts";
import type { Scale } from "../core/strategy.ts";
import type { Book } from "./book.ts";
import { Leg } from "./leg.ts";

/** The leg from the broken swing to the break, and which of its candles the order block is. */
export type OnBreak = (scale: Scale, openTime: number, leg: Leg) => void;

/**
 * Swing highs of one scale, the breaks above them, and the dealing range; the prices of a bearish one are mirrored
 * (see side.ts).
 */
export class SwingScale {
  private readonly scale: Scale;
  private readonly direction: Direction;
  private readonly swingLength: number;
  private readonly book: Book;
  private readonly onBreak: OnBreak;
  private readonly onSwing: (openTime: number, high: number, at: number) => void;

  /** The last `swingLength` highs, in no order that matters; infinite until there are as many bars. */
  private readonly highs: Float64Array;
  private next = 0;

  /** The swing in waiting. A second cannot arise beside it: exceeding the bars before would exceed it as well. */
  private candidateHigh = Number.NaN;
  private candidateAt = 0;
  private candidateAge = 0;
  private candidateLeg = new Leg();

  /** The last confirmed swing while unbroken, else NaN, which no price exceeds. */
  private swingHigh = Number.NaN;
  private swingAt = 0;
  private swingLeg = new Leg();
  /** The same until a bar has traded beyond it and closed back. */
  private unsweptHigh = Number.NaN;

  constructor(
    scale: Scale,
    direction: Direction,
    swingLength: number,
    book: Book,
    onBreak: OnBreak,
    onSwing: (openTime: number, high: number, at: number) => void,
  ) {
    this.scale = scale;
    this.direction = direction;
    this.swingLength = swingLength;
    this.book = book;
    this.onBreak = onBreak;
    this.onSwing = onSwing;
    this.highs = new Float64Array(swingLength).fill(Infinity);
  }

  /** Follows the legs and sees a break or a sweep; before anything is known of new swings. */
  advance(
    openTime: number,
    open: number,
    high: number,
    low: number,
    close: number,
    volume: number,
    meanVolume: number,
  ): void {
    // Without a candidate or an unbroken swing its leg is nobody's; the next one begins afresh.
    if (!Number.isNaN(this.candidateHigh)) {
      this.candidateLeg.advance(openTime, open, high, low, close, volume, meanVolume);
    }
    if (!Number.isNaN(this.swingHigh)) {
      this.swingLeg.advance(openTime, open, high, low, close, volume, meanVolume);
    }
    if (close > this.swingHigh) this.break(openTime);
    else if (high > this.unsweptHigh) this.sweep(openTime);
  }

  /**
   * A swing high exceeds the highs of `swingLength` bars before it and is not exceeded by those of as many after: of
   * equal highs the first is the swing.
   */
  followSwing(
    openTime: number,
    open: number,
    high: number,
    low: number,
    close: number,
    volume: number,
    meanVolume: number,
  ): void {
    if (high > this.candidateHigh) this.candidateHigh = Number.NaN;
    else if (high <= this.candidateHigh && ++this.candidateAge === this.swingLength) this.confirmSwing(openTime);
    if (this.exceedsBefore(high)) {
      this.candidateHigh = high;
      this.candidateAt = openTime;
      this.candidateAge = 0;
      this.book.candidate(this.scale, this.direction, openTime, this.direction * high);
      // A leg begins with the swing's own bar: its candle may be the block, its low the start of the move.
      this.candidateLeg.clear();
      this.candidateLeg.advance(openTime, open, high, low, close, volume, meanVolume);
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
    this.unsweptHigh = this.candidateHigh;
    this.swingAt = this.candidateAt;
    const leg = this.swingLeg;
    this.swingLeg = this.candidateLeg;
    this.candidateLeg = leg;
    this.candidateHigh = Number.NaN;
    this.book.confirmSwing({
      kind: "swing",
      scale: this.scale,
      direction: this.direction,
      price: this.direction * this.swingHigh,
      formedAt: this.swingAt,
      confirmedAt: openTime,
    });
    this.onSwing(openTime, this.swingHigh, this.swingAt);
  }

  private break(openTime: number): void {
    const { direction, scale } = this;
    const book = this.book.of(scale);
    this.book.confirm(book.breaks, {
      kind: "break",
      scale,
      direction,
      character: book.trend === -direction ? "choch" : "bos",
      price: direction * this.swingHigh,
      swingAt: this.swingAt,
      formedAt: openTime,
      confirmedAt: openTime,
    });
    book.trend = direction;
    this.swingHigh = Number.NaN;
    this.unsweptHigh = Number.NaN;
    this.onBreak(scale, openTime, this.swingLeg);
  }

  private sweep(openTime: number): void {
    // Internal swings are taken out all the time; only what many look at counts as liquidity.
    if (this.scale === "external") {
      const direction: Direction = this.direction > 0 ? -1 : 1;
      this.book.sweep(direction, openTime, this.direction * this.unsweptHigh, "swing");
    }
    this.unsweptHigh = Number.NaN;
  }
}
