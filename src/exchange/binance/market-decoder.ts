import { isTimeframeName, TIMEFRAMES } from "../../market/timeframe.ts";
import type { DepthMessage, Kline, MarketMessage, MarkMessage, QuoteMessage, TradeMessage } from "./market-message.ts";

/**
 * Decodes the texts of the market streams, raw or in the envelope of combined streams.
 *
 * The way that every message of every second goes finds the members of the object in the text and makes numbers of
 * their digits, without an object in between; it takes members in any order and passes over those it does not know.
 * Whatever is not of the usual shape (escapes, arrays of messages, odd numbers) is left to `JSON.parse`; both ways give
 * the same (tests/exchange/binance/market-decoder.test.ts).
 */
export class MarketDecoder {
  /** Trades that are none: the insurance fund's and those of deleveraging. */
  filtered = 0;
  readonly #symbols: ReadonlyMap<string, number>;

  /** @param symbols index of each symbol of the run by its name; messages about others are passed over */
  constructor(symbols: readonly string[]) {
    this.#symbols = new Map(symbols.map((symbol, index) => [symbol, index]));
  }

  /**
   * Hands every message in `text` to `emit`, in order. False when the text is no market message at all: an answer to a
   * subscription, or something unreadable.
   */
  decode(text: string, emit: (message: MarketMessage) => void): boolean {
    // Without escapes the next quote is the end of a string.
    if (!text.includes("\\") && findMembers(text, 0, MESSAGE, true) === text.length) {
      const members = OUTER.take(text);
      const kind = members.text("e");
      if (kind !== undefined) {
        const message = this.#message(members, kind);
        if (message !== undefined) {
          if (message !== PASSED_OVER) emit(message);
          return true;
        }
      }
    }
    return this.#decodeSlowly(text, emit);
  }

  #decodeSlowly(text: string, emit: (message: MarketMessage) => void): boolean {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return false;
    }
    const data = isObject(value) && "data" in value ? value.data : value;
    const list: readonly unknown[] = Array.isArray(data) ? data : [data];
    let understood = false;
    for (const one of list) {
      if (!isObject(one) || typeof one.e !== "string") continue;
      const message = this.#message(new Parsed(one), one.e);
      if (message !== undefined) understood = true;
      if (message !== undefined && message !== PASSED_OVER) emit(message);
    }
    return understood;
  }

  /** Undefined: not understood this way. */
  #message(from: Fields, kind: string): MarketMessage | typeof PASSED_OVER | undefined {
    const name = from.text("s");
    if (name === undefined) return undefined;
    const symbol = this.#symbols.get(name);
    if (symbol === undefined) return PASSED_OVER;
    const eventTime = from.number("E");
    switch (kind) {
      case "bookTicker": {
        const message: QuoteMessage = {
          kind: "quote",
          symbol,
          eventTime,
          time: from.number("T"),
          update: from.number("u"),
          bid: from.number("b"),
          bidQuantity: from.number("B"),
          ask: from.number("a"),
          askQuantity: from.number("A"),
        };
        return from.bad ? undefined : message;
      }
      case "aggTrade":
      case "trade": {
        const price = from.number("p");
        const quantity = from.number("q");
        const origin = from.text("X");
        if ((origin !== undefined && origin !== "MARKET") || price === 0 || quantity === 0) {
          this.filtered += 1;
          return PASSED_OVER;
        }
        const maker = from.flag("m");
        if (maker === undefined) return undefined;
        const message: TradeMessage = {
          kind: "trade",
          symbol,
          eventTime,
          time: from.number("T"),
          id: from.number(kind === "aggTrade" ? "a" : "t"),
          price,
          quantity,
          taker: maker ? -1 : 1,
        };
        return from.bad ? undefined : message;
      }
      case "markPriceUpdate": {
        // Contracts without funding have an empty rate.
        const rate = from.text("r") === "" ? Number.NaN : from.number("r");
        const message: MarkMessage = {
          kind: "mark",
          symbol,
          eventTime,
          mark: from.number("p"),
          index: from.number("i"),
          fundingRate: rate,
          nextFunding: from.number("T"),
        };
        return from.bad ? undefined : message;
      }
      case "kline":
        return this.#kline(from, symbol, eventTime);
      case "depthUpdate": {
        const bids = from.levels("b");
        const asks = from.levels("a");
        if (bids === undefined || asks === undefined) return undefined;
        const message: DepthMessage = {
          kind: "depth",
          symbol,
          eventTime,
          time: from.number("T"),
          first: from.number("U"),
          last: from.number("u"),
          previous: from.number("pu"),
          bids,
          asks,
        };
        return from.bad ? undefined : message;
      }
      default:
        return PASSED_OVER;
    }
  }

  #kline(from: Fields, symbol: number, eventTime: number): MarketMessage | typeof PASSED_OVER | undefined {
    const k = from.object("k");
    const interval = k?.text("i");
    const closed = k?.flag("x");
    if (k === undefined || interval === undefined || closed === undefined) {
      return undefined;
    }
    if (!isTimeframeName(interval)) return PASSED_OVER;
    const kline: Kline = {
      openTime: k.number("t"),
      open: k.number("o"),
      high: k.number("h"),
      low: k.number("l"),
      close: k.number("c"),
      volume: k.number("v"),
      quoteVolume: k.number("q"),
      trades: k.number("n"),
      takerBuyBase: k.number("V"),
      takerBuyQuote: k.number("Q"),
    };
    if (from.bad || k.bad) return undefined;
    return { kind: "kline", symbol, eventTime, timeframe: TIMEFRAMES[interval], closed, kline };
  }
}

/** A message that was understood and is nobody's here. */
const PASSED_OVER = Symbol("passed over");

/** The members of an object, whichever way they were read. Absent or odd values: undefined, or NaN for numbers. */
interface Fields {
  /** True when a number was asked for that is absent or none. */
  readonly bad: boolean;
  text(key: string): string | undefined;
  flag(key: string): boolean | undefined;
  /** Of a number or of a string that holds one. */
  number(key: string): number;
  levels(key: string): number[] | undefined;
  object(key: "k"): Fields | undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Members of an object that `JSON.parse` has made. */
class Parsed implements Fields {
  bad = false;
  readonly #object: Record<string, unknown>;

  constructor(object: Record<string, unknown>) {
    this.#object = object;
  }

  text(key: string): string | undefined {
    const value = this.#object[key];
    return typeof value === "string" ? value : undefined;
  }

  flag(key: string): boolean | undefined {
    const value = this.#object[key];
    return typeof value === "boolean" ? value : undefined;
  }

  number(key: string): number {
    const value = numberIn(this.#object[key]);
    if (!Number.isFinite(value)) this.bad = true;
    return value;
  }

  levels(key: string): number[] | undefined {
    const value = this.#object[key];
    if (!Array.isArray(value)) return undefined;
    const levels: number[] = [];
    for (const level of value) {
      if (!Array.isArray(level) || level.length < 2) return undefined;
      levels.push(numberIn(level[0]), numberIn(level[1]));
    }
    return levels.every(Number.isFinite) ? levels : undefined;
  }

  object(key: "k"): Fields | undefined {
    const value = this.#object[key];
    return isObject(value) ? new Parsed(value) : undefined;
  }
}

function numberIn(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value !== "" ? Number(value) : Number.NaN;
}

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const BLANK = 32;
const LETTER_K = 107;
const ASCII = 127;
/** Keys of one letter lie at the code of the letter; the one key of two letters that we need takes a free place. */
const PREVIOUS = 1;

/**
 * Where the values of the members of an object begin in a text and where they end, by the code of the key's letter;
 * `FOUND` says in which round, so that nothing needs to be cleared. One set of tables for the message and one for the
 * object inside of it. At the top of the module they cost a third of what they cost as fields.
 */
const FROM = new Int32Array(256);
const TO = new Int32Array(256);
const FOUND = new Int32Array(256);
const MESSAGE = 0;
const NESTED = 128;
let round = 0;

/**
 * Fills the tables with the members of the object at `at`, or of the one called `data` in it when `isOuter`, and with
 * those of the object called `k` in that. The place behind the object, or -1 for everything unusual: blanks outside of
 * strings and characters beyond ASCII in keys are. The text must hold no backslash.
 */
function findMembers(text: string, at: number, base: number, isOuter: boolean): number {
  const length = text.length;
  if (text.charCodeAt(at) !== OPEN_BRACE) return -1;
  // What was found in an envelope before its `data` is forgotten with its round.
  if (base === MESSAGE) round += 1;
  const own = round;
  let isEnvelope = false;
  let i = at + 1;
  for (;;) {
    if (text.charCodeAt(i) !== QUOTE) return -1;
    const key = i + 1;
    i = key;
    while (i < length && text.charCodeAt(i) !== QUOTE) i++;
    const keyLength = i - key;
    i += 1;
    if (text.charCodeAt(i) !== COLON) return -1;
    i += 1;
    const from = i;
    const first = text.charCodeAt(i);
    if (first === QUOTE) {
      i += 1;
      while (i < length && text.charCodeAt(i) !== QUOTE) i++;
      i += 1;
    } else if (first === OPEN_BRACE || first === OPEN_BRACKET) {
      if (isOuter && keyLength === 4 && text.startsWith("data", key)) {
        if (isEnvelope) return -1;
        isEnvelope = true;
        i = findMembers(text, i, base, false);
      } else if (
        base === MESSAGE &&
        !isEnvelope &&
        keyLength === 1 &&
        first === OPEN_BRACE &&
        text.charCodeAt(key) === LETTER_K
      ) {
        // Two of them would be taken for one.
        if (FOUND[LETTER_K] === own) return -1;
        i = findMembers(text, i, NESTED, false);
      } else {
        i = behindNested(text, i);
      }
      if (i === -1) return -1;
    } else {
      while (i < length) {
        const code = text.charCodeAt(i);
        if (code === COMMA || code === CLOSE_BRACE) break;
        if (code <= BLANK || code === QUOTE || code === COLON || code > ASCII) return -1;
        i += 1;
      }
      if (i === from) return -1;
    }
    // What stands beside `data` belongs to the envelope. Of keys with two letters we need one.
    if (keyLength <= 2 && !isEnvelope) {
      let slot = keyLength === 0 ? 0 : text.charCodeAt(key);
      if (keyLength === 2) slot = text.startsWith("pu", key) ? PREVIOUS : 0;
      if (slot > ASCII) return -1;
      FROM[base + slot] = from;
      TO[base + slot] = i;
      FOUND[base + slot] = own;
    }
    const next = text.charCodeAt(i);
    if (next === CLOSE_BRACE) break;
    if (next !== COMMA) return -1;
    i += 1;
  }
  return i + 1;
}

/** The members that `findMembers` has found last. */
class Found implements Fields {
  bad = false;
  readonly #base: number;
  #text = "";
  #round = 0;

  constructor(base: number) {
    this.#base = base;
  }

  take(text: string): this {
    this.#text = text;
    this.#round = round;
    this.bad = false;
    return this;
  }

  text(key: string): string | undefined {
    const slot = this.#slot(key);
    if (slot === -1 || this.#text.charCodeAt(FROM[slot]!) !== QUOTE) return undefined;
    return this.#text.slice(FROM[slot]! + 1, TO[slot]! - 1);
  }

  flag(key: string): boolean | undefined {
    const slot = this.#slot(key);
    if (slot === -1) return undefined;
    const length = TO[slot]! - FROM[slot]!;
    if (length === 4 && this.#text.startsWith("true", FROM[slot]!)) return true;
    return length === 5 && this.#text.startsWith("false", FROM[slot]!) ? false : undefined;
  }

  number(key: string): number {
    const slot = this.#slot(key);
    let value = Number.NaN;
    if (slot !== -1) {
      const isString = this.#text.charCodeAt(FROM[slot]!) === QUOTE ? 1 : 0;
      value = numberAt(this.#text, FROM[slot]! + isString, TO[slot]! - isString);
    }
    // A NaN is the only number that differs from itself.
    if (value - value !== 0) this.bad = true;
    return value;
  }

  levels(key: string): number[] | undefined {
    const slot = this.#slot(key);
    return slot === -1 ? undefined : levelsAt(this.#text, FROM[slot]!);
  }

  /** Of the object called `k` in the message; there is no other that is looked into. */
  object(key: "k"): Fields | undefined {
    const slot = this.#slot(key);
    return slot === -1 || this.#text.charCodeAt(FROM[slot]!) !== OPEN_BRACE ? undefined : INNER.take(this.#text);
  }

  #slot(key: string): number {
    const slot = this.#base + (key === "pu" ? PREVIOUS : key.charCodeAt(0));
    return FOUND[slot] === this.#round ? slot : -1;
  }
}

const OUTER = new Found(MESSAGE);
const INNER = new Found(NESTED);

/** The closing quote of a string that begins at `at`, or -1. */
function endOfString(text: string, at: number): number {
  for (let i = at; i < text.length; i++) if (text.charCodeAt(i) === QUOTE) return i;
  return -1;
}

/** Behind an array or object, by counting brackets; -1 when it has no end. */
function behindNested(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      i = endOfString(text, i + 1);
      if (i === -1) return -1;
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return -1;
}

/** Powers of ten that float64 holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The number that the characters spell, as `Number` would read them. Up to fifteen digits are a whole number below 2^53,
 * and one division by an exact power of ten rounds it correctly; anything else is left to `Number`.
 */
function numberAt(text: string, from: number, to: number): number {
  let i = from;
  const negative = text.charCodeAt(i) === MINUS;
  if (negative) i += 1;
  const digitsFrom = i;
  let value = 0;
  let decimals = -1;
  for (; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code >= ZERO && code <= NINE) {
      value = value * 10 + (code - ZERO);
      if (decimals >= 0) decimals += 1;
    } else if (code === POINT && decimals < 0 && i > digitsFrom && i + 1 < to) {
      decimals = 0;
    } else {
      return numberIn(text.slice(from, to));
    }
  }
  const digits = i - digitsFrom - (decimals >= 0 ? 1 : 0);
  if (digits < 1 || digits > 15) return numberIn(text.slice(from, to));
  const size = decimals > 0 ? value / POWERS[decimals]! : value;
  return negative ? -size : size;
}

/** `[["1.0","2"],…]` as flat numbers, or undefined when it is not of that shape. */
function levelsAt(text: string, at: number): number[] | undefined {
  const levels: number[] = [];
  if (text.charCodeAt(at) !== OPEN_BRACKET) return undefined;
  let i = at + 1;
  if (text.charCodeAt(i) === CLOSE_BRACKET) return levels;
  for (;;) {
    if (text.charCodeAt(i) !== OPEN_BRACKET || text.charCodeAt(i + 1) !== QUOTE) return undefined;
    const priceEnd = endOfString(text, i + 2);
    if (priceEnd === -1 || text.charCodeAt(priceEnd + 1) !== COMMA || text.charCodeAt(priceEnd + 2) !== QUOTE) {
      return undefined;
    }
    const quantityEnd = endOfString(text, priceEnd + 3);
    if (quantityEnd === -1 || text.charCodeAt(quantityEnd + 1) !== CLOSE_BRACKET) return undefined;
    const price = numberAt(text, i + 2, priceEnd);
    const quantity = numberAt(text, priceEnd + 3, quantityEnd);
    if (!Number.isFinite(price) || !Number.isFinite(quantity)) return undefined;
    levels.push(price, quantity);
    i = quantityEnd + 2;
    const next = text.charCodeAt(i);
    if (next === CLOSE_BRACKET) return levels;
    if (next !== COMMA) return undefined;
    i += 1;
  }
}
