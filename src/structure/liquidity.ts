import type { Direction } from "../core/candidate.ts";
import type { Book } from "./book.ts";

/** How many recent swing highs are compared with a new one. */
const REMEMBERED = 8;

/**
 * Pools of liquidity above equal highs, and what becomes of them; the prices of a bearish one are mirrored (see
 * side.ts).
 */
export class Liquidity {
  private readonly direction: Direction;
  private readonly book: Book;
  /** ATR within which two highs are equal. */
  private readonly tolerance: number;

  /** Recent internal swing highs that were not clearly exceeded yet, oldest first. */
  private readonly highs = new Float64Array(REMEMBERED);
  private readonly times = new Float64Array(REMEMBERED);
  private count = 0;

  /** Lowest of those highs and of the pools: below them nothing can happen. */
  private lowestHigh = Infinity;
  private lowestPool = Infinity;

  constructor(direction: Direction, tolerance: number, book: Book) {
    this.direction = direction;
    this.tolerance = tolerance;
    this.book = book;
  }

  /** @param atr NaN in warm-up: then nothing is equal to anything */
  advance(openTime: number, high: number, close: number, atr: number): void {
    if (high > this.lowestPool) this.take(openTime, high, close);
    if (high > this.lowestHigh) this.forget(high, this.tolerance * atr);
  }

  /** Takes a swing high that was confirmed at `openTime` and sits at `at`. */
  swing(openTime: number, high: number, at: number, atr: number): void {
    const tolerance = this.tolerance * atr;
    if (tolerance > 0 && !this.joins(openTime, high, tolerance)) this.pair(openTime, high, at, tolerance);
    if (this.count === REMEMBERED) {
      this.highs.copyWithin(0, 1);
      this.times.copyWithin(0, 1);
      this.count--;
    }
    this.highs[this.count] = high;
    this.times[this.count] = at;
    this.count++;
    this.findLowestHigh();
  }

  /** Whether the high is one more of a pool. */
  private joins(openTime: number, high: number, tolerance: number): boolean {
    for (const pool of this.book.pools) {
      if (pool.direction !== this.direction) continue;
      const distance = this.direction * pool.price - high;
      if (distance > tolerance || distance < -tolerance) continue;
      pool.touches++;
      this.book.log("tested", openTime, pool);
      return true;
    }
    return false;
  }

  /** Makes a pool of the high and the newest remembered one that equals it. */
  private pair(openTime: number, high: number, at: number, tolerance: number): void {
    for (let i = this.count - 1; i >= 0; i--) {
      const other = this.highs[i]!;
      const distance = other - high;
      if (distance > tolerance || distance < -tolerance) continue;
      const level = other > high ? other : high;
      if (level < this.lowestPool) this.lowestPool = level;
      const formedAt = other > high ? this.times[i]! : at;
      const { direction } = this;
      this.book.confirm(this.book.pools, {
        kind: "pool",
        direction,
        price: direction * level,
        touches: 2,
        formedAt,
        confirmedAt: openTime,
      });
      return;
    }
  }

  /** Ends the pools that the bar traded beyond: swept when it closed back, else run through. */
  private take(openTime: number, high: number, close: number): void {
    const { book, direction } = this;
    let lowest = Infinity;
    let kept = 0;
    for (const pool of book.pools) {
      if (pool.direction === direction) {
        const level = direction * pool.price;
        if (high > level) {
          const back = close <= level;
          book.log(back ? "swept" : "filled", openTime, pool);
          if (back) book.sweep(direction > 0 ? -1 : 1, openTime, pool.price, "pool");
          continue;
        }
        if (level < lowest) lowest = level;
      }
      book.pools[kept++] = pool;
    }
    book.pools.length = kept;
    this.lowestPool = lowest;
  }

  /** Forgets the highs that were exceeded by more than what counts as equal; all exceeded ones without an ATR. */
  private forget(high: number, tolerance: number): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (tolerance > 0 ? high > this.highs[i]! + tolerance : high > this.highs[i]!) continue;
      this.highs[kept] = this.highs[i]!;
      this.times[kept] = this.times[i]!;
      kept++;
    }
    this.count = kept;
    this.findLowestHigh();
  }

  private findLowestHigh(): void {
    let lowest = Infinity;
    for (let i = 0; i < this.count; i++) if (this.highs[i]! < lowest) lowest = this.highs[i]!;
    this.lowestHigh = lowest;
  }
}
