import type { Direction } from "../core/candidate.ts";
import { type PreviousLevel, SESSION_NAMES, type SessionName } from "../core/strategy.ts";
import type { Book, Mutable } from "./book.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
/** 1970-01-01 was a Thursday; weeks begin on Mondays. */
const FIRST_MONDAY = 4 * DAY;

/** When sessions open and close, in hours of the UTC day, the close exclusive; all year the same. */
export const SESSION_HOURS: Readonly<Record<SessionName, readonly [open: number, close: number]>> = {
  asia: [0, 9],
  london: [7, 16],
  "new-york": [13, 22],
};

/** Days, weeks and sessions by UTC: the levels they leave behind. */
export class Calendar {
  private readonly book: Book;
  private readonly day: Period;
  private readonly week: Period;
  private readonly sessions: readonly Session[];

  /** @param sessions whether bars are short enough for sessions to mean something */
  constructor(book: Book, sessions: boolean) {
    this.book = book;
    this.day = new Period("day", DAY, 0);
    this.week = new Period("week", WEEK, FIRST_MONDAY);
    this.sessions = sessions ? SESSION_NAMES.map((name) => new Session(name)) : [];
  }

  advance(openTime: number, open: number, high: number, low: number, close: number): void {
    this.day.advance(this.book, openTime, high, low);
    this.week.advance(this.book, openTime, high, low);
    for (const session of this.sessions) session.advance(this.book, openTime, open, high, low, close);
    for (const level of this.book.levels) {
      if (!level.taken && (level.direction > 0 ? high > level.price : low < level.price)) {
        this.take(openTime, close, level);
      }
    }
  }

  private take(openTime: number, close: number, level: Mutable<PreviousLevel>): void {
    const { book } = this;
    level.taken = true;
    const back = level.direction > 0 ? close <= level.price : close >= level.price;
    book.log(back ? "swept" : "filled", openTime, level);
    if (back) book.sweep(level.direction > 0 ? -1 : 1, openTime, level.price, `previous-${level.period}`);
  }
}

/** The running day or week, and the levels that the one before has left. */
class Period {
  private readonly name: PreviousLevel["period"];
  private readonly length: number;
  private readonly offset: number;
  private start = Number.NaN;
  /** Whether the running period was seen from its beginning; what began earlier would give wrong levels. */
  private whole = false;
  private high = -Infinity;
  private low = Infinity;
  private highAt = 0;
  private lowAt = 0;

  constructor(name: PreviousLevel["period"], length: number, offset: number) {
    this.name = name;
    this.length = length;
    this.offset = offset;
  }

  advance(book: Book, openTime: number, high: number, low: number): void {
    if (!(openTime < this.start + this.length)) this.turn(book, openTime);
    if (high > this.high) {
      this.high = high;
      this.highAt = openTime;
    }
    if (low < this.low) {
      this.low = low;
      this.lowAt = openTime;
    }
  }

  /** A new period begins; the one before leaves its levels. Periods without bars leave none, so older ones stay. */
  private turn(book: Book, openTime: number): void {
    const start = openTime - positiveRemainder(openTime - this.offset, this.length);
    if (this.whole) {
      this.leave(book, 1, this.high, this.highAt, openTime);
      this.leave(book, -1, this.low, this.lowAt, openTime);
    }
    this.whole = openTime === start || !Number.isNaN(this.start);
    this.start = start;
    this.high = -Infinity;
    this.low = Infinity;
  }

  private leave(book: Book, direction: Direction, price: number, formedAt: number, confirmedAt: number): void {
    const { name: period } = this;
    const level: PreviousLevel = {
      kind: "level",
      period,
      direction,
      price,
      taken: false,
      formedAt,
      confirmedAt,
    };
    // Days before weeks, highs before lows.
    const rank = (other: PreviousLevel) => (other.period === "day" ? 0 : 2) + (other.direction > 0 ? 0 : 1);
    const { levels } = book;
    let at = 0;
    while (at < levels.length && rank(levels[at]!) < rank(level)) at++;
    levels.splice(at, at < levels.length && rank(levels[at]!) === rank(level) ? 1 : 0, level);
    book.announce(level);
  }
}

/** One session of the day while it runs. */
class Session {
  private readonly name: SessionName;
  private readonly from: number;
  private readonly to: number;
  /** End of the running session, NaN while none runs. */
  private end = Number.NaN;
  private formedAt = 0;
  private open = 0;
  private close = 0;
  private top = 0;
  private bottom = 0;

  constructor(name: SessionName) {
    this.name = name;
    this.from = SESSION_HOURS[name][0] * HOUR;
    this.to = SESSION_HOURS[name][1] * HOUR;
  }

  advance(book: Book, openTime: number, open: number, high: number, low: number, close: number): void {
    if (openTime >= this.end) this.complete(book, openTime);
    if (openTime < this.end) {
      if (high > this.top) this.top = high;
      if (low < this.bottom) this.bottom = low;
      this.close = close;
      return;
    }
    const ofDay = positiveRemainder(openTime, DAY);
    if (ofDay < this.from || ofDay >= this.to) return;
    this.end = openTime - ofDay + this.to;
    this.formedAt = openTime;
    this.open = open;
    this.close = close;
    this.top = high;
    this.bottom = low;
    book.log("formed", openTime, this.range(Number.NaN));
  }

  private complete(book: Book, openTime: number): void {
    this.end = Number.NaN;
    const range = this.range(openTime);
    const { sessions } = book;
    const at = sessions.findIndex(({ session }) => session === this.name);
    if (at >= 0) sessions.splice(at, 1);
    sessions.push(range);
    book.log("confirmed", openTime, range);
  }

  private range(confirmedAt: number) {
    const { name: session, top, bottom, formedAt } = this;
    const direction: Direction = this.close >= this.open ? 1 : -1;
    return { kind: "session", session, direction, top, bottom, formedAt, confirmedAt } as const;
  }
}

function positiveRemainder(value: number, divisor: number): number {
  const remainder = value % divisor;
  return remainder < 0 ? remainder + divisor : remainder;
}
