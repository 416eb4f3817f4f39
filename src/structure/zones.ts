import type { Direction } from "../core/candidate.ts";
import type { BreakerBlock, FairValueGap, OrderBlock } from "../core/strategy.ts";
import type { Book, Mutable } from "./book.ts";

/** Bands of price that the market comes back to. */
export type Zone = Mutable<OrderBlock> | Mutable<BreakerBlock> | Mutable<FairValueGap>;

/** From this share on a zone is mitigated: ICT's mean threshold of a block, consequent encroachment of a gap. */
export const MITIGATED_FROM = 0.5;

/**
 * What bars do to the bullish zones of one kind, which lie beneath the market; the prices of a bearish one are mirrored
 * (see side.ts). The list holds zones of both directions and is shared with the other side.
 */
export class ZoneWatch<T extends Zone> {
  private readonly direction: Direction;
  private readonly book: Book;
  private readonly list: T[];
  /** Whether a bar ends a zone with this bottom. */
  private readonly ends: (low: number, close: number, bottom: number) => boolean;
  private readonly onEnd: ((openTime: number, zone: T) => void) | undefined;

  /**
   * Between these prices a bar changes nothing, and no zone need be looked at: it stays above the top of every zone
   * that it is not in, below or at the top of every one that it is in, above the deepest price that these have seen, and
   * closes within them.
   */
  private highestOutside = -Infinity;
  private lowestInside = Infinity;
  private deepest = -Infinity;
  private highestBottom = -Infinity;

  constructor(
    direction: Direction,
    book: Book,
    list: T[],
    ends: (low: number, close: number, bottom: number) => boolean,
    onEnd?: (openTime: number, zone: T) => void,
  ) {
    this.direction = direction;
    this.book = book;
    this.list = list;
    this.ends = ends;
    this.onEnd = onEnd;
  }

  /** Takes a new zone of this side; it is acted on from the next bar on. */
  add(zone: T): void {
    this.bound(zone);
    this.book.confirm(this.list, zone);
  }

  advance(openTime: number, low: number, close: number): void {
    if (low > this.highestOutside && low <= this.lowestInside && low > this.deepest && close >= this.highestBottom) {
      return;
    }
    const { list, direction } = this;
    const count = list.length;
    let kept = 0;
    this.highestOutside = -Infinity;
    this.lowestInside = Infinity;
    this.deepest = -Infinity;
    this.highestBottom = -Infinity;
    for (let i = 0; i < count; i++) {
      const zone = list[i]!;
      if (zone.direction === direction) {
        const top = direction > 0 ? zone.top : -zone.bottom;
        if (low > top) zone.touching = false;
        else if (zone.confirmedAt < openTime && this.act(openTime, low, close, top, zone)) continue;
        this.bound(zone);
      }
      // Only behind one that ended is there anything to move.
      if (kept < i) list[kept] = zone;
      kept++;
    }
    if (kept < count) list.length = kept;
  }

  /** Narrows the prices between which nothing happens to those that leave this zone alone. */
  private bound(zone: T): void {
    const up = this.direction > 0;
    const top = up ? zone.top : -zone.bottom;
    if (!zone.touching) {
      if (top > this.highestOutside) this.highestOutside = top;
      return;
    }
    const bottom = up ? zone.bottom : -zone.top;
    if (top < this.lowestInside) this.lowestInside = top;
    if (bottom > this.highestBottom) this.highestBottom = bottom;
    // A hair above the price itself, because the share was rounded; what is filled cannot be filled further.
    const deepest = top - (zone.fill - 1e-9) * (top - bottom);
    if (zone.fill < 1 && deepest > this.deepest) this.deepest = deepest;
  }

  /** What a bar does to a zone that it reaches into; whether it ended it. */
  private act(openTime: number, low: number, close: number, top: number, zone: T): boolean {
    const { book } = this;
    if (!zone.touching) {
      zone.touching = true;
      zone.tests++;
      book.log("tested", openTime, zone);
    }
    const bottom = this.direction > 0 ? zone.bottom : -zone.top;
    const share = low <= bottom ? 1 : (top - low) / (top - bottom);
    if (share > zone.fill) {
      const mitigates = zone.fill < MITIGATED_FROM && share >= MITIGATED_FROM;
      zone.fill = share;
      if (mitigates) book.log("mitigated", openTime, zone);
    }
    if (!this.ends(low, close, bottom)) return false;
    book.log("filled", openTime, zone);
    this.onEnd?.(openTime, zone);
    return true;
  }
}
