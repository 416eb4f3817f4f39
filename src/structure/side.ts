import type { Direction } from "../core/candidate.ts";
import type { BreakerBlock, FairValueGap, OrderBlock, Scale } from "../core/strategy.ts";
import type { Book, Mutable } from "./book.ts";
import type { Leg } from "./leg.ts";
import { Liquidity } from "./liquidity.ts";
import { SwingScale } from "./scale.ts";
import type { StructureOptions } from "./tracker.ts";
import { ZoneWatch } from "./zones.ts";

/** Blocks end with a close through them, gaps when price has traded through the whole of them. */
const closedThrough = (_low: number, close: number, bottom: number) => close < bottom;
const tradedThrough = (low: number, _close: number, bottom: number) => low <= bottom;

/**
 * One direction of the market. The rules below are written for the bullish one: swing highs, breaks above them,
 * liquidity above equal highs, order blocks and gaps beneath. The bearish side is the same on the market turned upside
 * down: its prices come negated, and are negated back where they become objects, which is exact.
 */
export class Side {
  /** Takes the breakers that this side's failed order blocks become. */
  opposite!: Side;

  private readonly direction: Direction;
  private readonly book: Book;
  private readonly external: SwingScale;
  private readonly internal: SwingScale;
  private readonly liquidity: Liquidity;
  private readonly orderBlocks: ZoneWatch<Mutable<OrderBlock>>;
  private readonly breakers: ZoneWatch<Mutable<BreakerBlock>>;
  private readonly gaps: ZoneWatch<Mutable<FairValueGap>>;

  /** Of the bar at hand: average true range up to it, its high and its low. */
  private atr = Number.NaN;
  private high = Number.NaN;
  private low = Number.NaN;

  /** The two bars before the newest; NaN until there are any, which no price exceeds. */
  private previousAt = Number.NaN;
  private previousHigh = Number.NaN;
  private beforeHigh = Number.NaN;

  constructor(direction: Direction, options: StructureOptions, book: Book) {
    this.direction = direction;
    this.book = book;
    const onBreak = (scale: Scale, openTime: number, leg: Leg) => this.openBlock(scale, openTime, leg);
    this.external = new SwingScale("external", direction, options.externalLength, book, onBreak, (openTime) =>
      this.openRange(openTime),
    );
    this.internal = new SwingScale("internal", direction, options.swingLength, book, onBreak, (openTime, high, at) =>
      this.liquidity.swing(openTime, high, at, this.atr),
    );
    this.liquidity = new Liquidity(direction, options.equalTolerance, book);
    this.orderBlocks = new ZoneWatch(direction, book, book.orderBlocks, closedThrough, (openTime, block) =>
      this.opposite.openBreaker(openTime, block, this.high >= (direction > 0 ? block.bottom : -block.top)),
    );
    this.breakers = new ZoneWatch(direction, book, book.breakers, closedThrough);
    this.gaps = new ZoneWatch(direction, book, book.gaps, tradedThrough);
  }

  advance(
    openTime: number,
    open: number,
    high: number,
    low: number,
    close: number,
    volume: number,
    meanVolume: number,
    atr: number,
  ): void {
    this.atr = atr;
    this.high = high;
    this.low = low;
    this.orderBlocks.advance(openTime, low, close);
    this.breakers.advance(openTime, low, close);
    this.gaps.advance(openTime, low, close);
    this.liquidity.advance(openTime, high, close, atr);
    this.external.advance(openTime, open, high, low, close, volume, meanVolume);
    this.internal.advance(openTime, open, high, low, close, volume, meanVolume);
    if (low > this.beforeHigh) this.openGap(openTime, low);
    this.external.followSwing(openTime, open, high, low, close, volume, meanVolume);
    this.internal.followSwing(openTime, open, high, low, close, volume, meanVolume);
    this.previousAt = openTime;
    this.beforeHigh = this.previousHigh;
    this.previousHigh = high;
  }

  /** The order block of a break, unless the leg has none: no candle against it since the swing, or only this one. */
  private openBlock(scale: Scale, openTime: number, leg: Leg): void {
    const { direction, book } = this;
    if (!(leg.blockAt < openTime)) return;
    // Two breaks may start from one candle.
    for (const block of book.orderBlocks) {
      if (block.direction === direction && block.formedAt === leg.blockAt) return;
    }
    this.orderBlocks.add({
      kind: "order-block",
      scale,
      direction,
      top: this.upper(leg.blockTop, leg.blockBottom),
      bottom: this.lower(leg.blockTop, leg.blockBottom),
      volumeRatio: leg.volumeRatio(),
      tests: 0,
      fill: 0,
      touching: this.low <= leg.blockTop,
      formedAt: leg.blockAt,
      confirmedAt: openTime,
    });
  }

  /** Takes an order block of the other side that failed at this bar, and whether the bar was in it at all. */
  private openBreaker(openTime: number, block: OrderBlock, touching: boolean): void {
    const { top, bottom, scale, volumeRatio, formedAt } = block;
    this.breakers.add({
      kind: "breaker",
      scale,
      direction: this.direction,
      top,
      bottom,
      volumeRatio,
      tests: 0,
      fill: 0,
      touching,
      formedAt,
      confirmedAt: openTime,
    });
  }

  private openGap(openTime: number, low: number): void {
    this.gaps.add({
      kind: "gap",
      direction: this.direction,
      top: this.upper(low, this.beforeHigh),
      bottom: this.lower(low, this.beforeHigh),
      tests: 0,
      fill: 0,
      // The third bar is at its edge.
      touching: true,
      formedAt: this.previousAt,
      confirmedAt: openTime,
    });
  }

  /** The dealing range after an external swing was confirmed. */
  private openRange(openTime: number): void {
    const { book } = this;
    const { swings } = book.external;
    const newest = swings.at(-1)!;
    let other = newest;
    for (let i = swings.length - 2; i >= 0 && other === newest; i--) {
      if (swings[i]!.direction !== newest.direction) other = swings[i]!;
    }
    if (other === newest) return;
    const top = newest.direction > 0 ? newest.price : other.price;
    const bottom = newest.direction > 0 ? other.price : newest.price;
    if (!(top > bottom)) {
      book.range = undefined;
      return;
    }
    // All external swings are known as many bars late, so that the newest is also the later one.
    const { direction, formedAt } = newest;
    book.range = { kind: "range", direction, top, bottom, formedAt, confirmedAt: openTime };
    book.announce(book.range);
  }

  /** The upper and the lower bound of an object in prices that are not mirrored. */
  private upper(top: number, bottom: number): number {
    return this.direction > 0 ? top : -bottom;
  }

  private lower(top: number, bottom: number): number {
    return this.direction > 0 ? bottom : -top;
  }
}
