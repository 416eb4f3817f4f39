import { type Instrument, powerOfTen } from "./instrument.ts";

const HOUR_MS = 3_600_000;
/** Hours of returns that are remembered for correlations, and how many two symbols must have in common. */
const HOURS = 72;
const MIN_COMMON_HOURS = 24;
/** Wilder's period of the average true range, in hours. */
const ATR_HOURS = 14;
/** Weight of the newest bar in the moving average of the value traded per bar: twenty bars. */
const VALUE_WEIGHT = 0.05;

/** Numbers of each symbol: the end of the hour that is gathered, its extremes and its last close. */
const HOUR_END = 0;
const HIGH = 1;
const LOW = 2;
const CLOSE = 3;
/** The last close of the hour before; 0 where it is not known. */
const CLOSE_BEFORE = 4;
/** True range over close, averaged, and over how many hours. */
const RANGE = 5;
const RANGES = 6;
const VALUE = 7;
const STRIDE = 8;

/**
 * What the core itself remembers of the market to judge risk by: hourly returns, hourly ranges and the value traded per
 * bar, all from the bars it is given. So the inputs of the risk guards are in every journal that holds bars, and do not
 * depend on an analysis having come in time.
 */
export class MarketMemory {
  readonly #instruments: readonly Instrument[];
  /** STRIDE numbers per symbol, side by side: a bar touches one cache line. */
  readonly #now: Float64Array;
  /** Returns by symbol and hour modulo HOURS, and the hour that each belongs to. */
  readonly #returns: Float64Array;
  readonly #returnHour: Float64Array;

  constructor(instruments: readonly Instrument[]) {
    const count = instruments.length;
    this.#instruments = instruments;
    this.#now = new Float64Array(count * STRIDE);
    this.#returns = new Float64Array(count * HOURS);
    this.#returnHour = new Float64Array(count * HOURS).fill(-1);
  }

  /** Takes in a bar that closed at `time`. Prices in ticks, volume in base units. */
  bar(symbol: number, time: number, high: number, low: number, close: number, volume: number): void {
    const now = this.#now;
    const at = symbol * STRIDE;
    if (time > now[at + HOUR_END]!) {
      this.#newHour(symbol, time);
      now[at + HIGH] = high;
      now[at + LOW] = low;
    } else {
      if (high > now[at + HIGH]!) now[at + HIGH] = high;
      if (low < now[at + LOW]!) now[at + LOW] = low;
    }
    now[at + CLOSE] = close;
    now[at + VALUE]! += (volume * close - now[at + VALUE]!) * VALUE_WEIGHT;
  }

  /** The symbol starts afresh. */
  forget(symbol: number): void {
    this.#now.fill(0, symbol * STRIDE, (symbol + 1) * STRIDE);
    this.#returnHour.fill(-1, symbol * HOURS, (symbol + 1) * HOURS);
  }

  /** Everything that is remembered, as plain data that shares its memory. */
  image() {
    return { now: this.#now, returns: this.#returns, returnHour: this.#returnHour };
  }

  /** Takes over what `image` gave for as many symbols. */
  restore({ now, returns, returnHour }: MemoryImage): void {
    this.#now.set(now);
    this.#returns.set(returns);
    this.#returnHour.set(returnHour);
  }

  /** Average true range of an hour as a share of the price; 0 before the first whole hour, when nothing is known. */
  volatility(symbol: number): number {
    return this.#now[symbol * STRIDE + RANGE]!;
  }

  /** Average value traded per bar, 1e-8 USDT; 0 before the first bar, and less than it is in the first bars. */
  barValue(symbol: number): number {
    const { quantityDecimals, unitValue, lotUnits } = this.#instruments[symbol]!;
    return (this.#now[symbol * STRIDE + VALUE]! * powerOfTen(quantityDecimals) * unitValue) / lotUnits;
  }

  /**
   * Pearson's correlation of the hourly returns of the last three days, -1 to 1. What is not known yet counts as 1:
   * two symbols are one risk until they have shown that they are two.
   */
  correlation(a: number, b: number): number {
    if (a === b) return 1;
    let count = 0;
    let sumA = 0;
    let sumB = 0;
    for (let i = 0; i < HOURS; i++) {
      const hour = this.#returnHour[a * HOURS + i]!;
      if (hour < 0 || hour !== this.#returnHour[b * HOURS + i]) continue;
      count += 1;
      sumA += this.#returns[a * HOURS + i]!;
      sumB += this.#returns[b * HOURS + i]!;
    }
    if (count < MIN_COMMON_HOURS) return 1;
    const meanA = sumA / count;
    const meanB = sumB / count;
    let squaresA = 0;
    let squaresB = 0;
    let products = 0;
    for (let i = 0; i < HOURS; i++) {
      const hour = this.#returnHour[a * HOURS + i]!;
      if (hour < 0 || hour !== this.#returnHour[b * HOURS + i]) continue;
      const fromA = this.#returns[a * HOURS + i]! - meanA;
      const fromB = this.#returns[b * HOURS + i]! - meanB;
      squaresA += fromA * fromA;
      squaresB += fromB * fromB;
      products += fromA * fromB;
    }
    const scale = Math.sqrt(squaresA * squaresB);
    if (!(scale > 0)) return 1;
    const correlation = products / scale;
    return correlation > 1 ? 1 : correlation < -1 ? -1 : correlation;
  }

  /** Ends the hour that was gathered and begins the one that holds the bar closing at `time`. */
  #newHour(symbol: number, time: number): void {
    const now = this.#now;
    const at = symbol * STRIDE;
    const ended = now[at + HOUR_END]!;
    const begun = Math.floor((time - 1) / HOUR_MS) * HOUR_MS;
    now[at + HOUR_END] = begun + HOUR_MS;
    const close = now[at + CLOSE]!;
    const before = now[at + CLOSE_BEFORE]!;
    // A return over more than an hour is none of an hour.
    now[at + CLOSE_BEFORE] = ended === begun ? close : 0;
    if (!(ended > 0 && before > 0)) return;
    const hour = ended / HOUR_MS - 1;
    const place = symbol * HOURS + (hour % HOURS);
    this.#returns[place] = close / before - 1;
    this.#returnHour[place] = hour;
    const high = now[at + HIGH]! > before ? now[at + HIGH]! : before;
    const low = now[at + LOW]! < before ? now[at + LOW]! : before;
    const seen = now[at + RANGES]! + 1;
    now[at + RANGES] = seen;
    now[at + RANGE]! += ((high - low) / close - now[at + RANGE]!) / (seen < ATR_HOURS ? seen : ATR_HOURS);
  }
}

/** What a market memory remembers, as plain data. */
export type MemoryImage = ReturnType<MarketMemory["image"]>;
