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

  /** Highest top of the zones: above it no bar can do anything to any, except leave it. */
  private ceiling = -Infinity;
  private touching = false;

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
    const top = this.direction > 0 ? zone.top : -zone.bottom;
    if (top > this.ceiling) this.ceiling = top;
    if (zone.touching) this.touching = true;
    this.book.confirm(this.list, zone);
  }

  advance(openTime: number, low: number, close: number): void {
    if (low > this.ceiling && !this.touching) return;
    const { list, direction } = this;
    const count = list.length;
    let ceiling = -Infinity;
    let touching = false;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const zone = list[i]!;
      if (zone.direction === direction) {
        const top = direction > 0 ? zone.top : -zone.bottom;
        if (low > top) zone.touching = false;
        else if (zone.confirmedAt < openTime && this.act(openTime, low, close, top, zone)) continue;
        if (top > ceiling) ceiling = top;
        if (zone.touching) touching = true;
      }
      // Only behind one that ended is there anything to move.
      if (kept < i) list[kept] = zone;
      kept++;
    }
    if (kept < count) list.length = kept;
    this.ceiling = ceiling;
    this.touching = touching;
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
