import { type Instrument, powerOfTen } from "./instrument.ts";

const HOUR_MS = 3_600_000;
/** Hours of returns that are remembered for correlations, and how many two symbols must have in common. */
const HOURS = 72;
const MIN_COMMON_HOURS = 24;
/** Wilder's period of the average true range, in hours. */
const ATR_HOURS = 14;
/** Period of the moving average of the value traded per bar. */
const VALUE_BARS = 20;

/**
 * What the core itself remembers of the market to judge risk by: hourly returns, hourly ranges and the value traded per
 * bar, all from the bars it is given. So the inputs of the risk guards are in every journal that holds bars, and do not
 * depend on an analysis having come in time.
 */
export class MarketMemory {
  readonly #instruments: readonly Instrument[];
  /** By symbol: the hour that is being gathered, its extremes and last close, and the last close of the hour before. */
  readonly #hour: Float64Array;
  readonly #high: Float64Array;
  readonly #low: Float64Array;
  readonly #close: Float64Array;
  readonly #closeBefore: Float64Array;
  /** True range over close, averaged; and over how many hours. */
  readonly #range: Float64Array;
  readonly #ranges: Int32Array;
  /** Returns by symbol and hour modulo HOURS, and the hour that each belongs to. */
  readonly #returns: Float64Array;
  readonly #returnHour: Float64Array;
  readonly #value: Float64Array;

  constructor(instruments: readonly Instrument[]) {
    const count = instruments.length;
    this.#instruments = instruments;
    this.#hour = new Float64Array(count).fill(-1);
    this.#high = new Float64Array(count);
    this.#low = new Float64Array(count);
    this.#close = new Float64Array(count);
    this.#closeBefore = new Float64Array(count);
    this.#range = new Float64Array(count);
    this.#ranges = new Int32Array(count);
    this.#returns = new Float64Array(count * HOURS);
    this.#returnHour = new Float64Array(count * HOURS).fill(-1);
    this.#value = new Float64Array(count).fill(-1);
  }

  /** Takes in a bar that closed at `time`. Prices in ticks, volume in base units. */
  bar(symbol: number, time: number, high: number, low: number, close: number, volume: number): void {
    const hour = Math.floor((time - 1) / HOUR_MS);
    if (hour !== this.#hour[symbol]) {
      if (this.#hour[symbol]! >= 0) this.#endHour(symbol);
      // A return over more than an hour is none of an hour.
      if (hour !== this.#hour[symbol]! + 1) this.#closeBefore[symbol] = 0;
      this.#hour[symbol] = hour;
      this.#high[symbol] = high;
      this.#low[symbol] = low;
    } else {
      if (high > this.#high[symbol]!) this.#high[symbol] = high;
      if (low < this.#low[symbol]!) this.#low[symbol] = low;
    }
    this.#close[symbol] = close;
    const value = volume * close;
    const before = this.#value[symbol]!;
    this.#value[symbol] = before < 0 ? value : before + (value - before) / VALUE_BARS;
  }

  /** The symbol starts afresh. */
  forget(symbol: number): void {
    this.#hour[symbol] = -1;
    this.#closeBefore[symbol] = 0;
    this.#ranges[symbol] = 0;
    this.#value[symbol] = -1;
    this.#returnHour.fill(-1, symbol * HOURS, (symbol + 1) * HOURS);
  }

  /** Average true range of an hour as a share of the price; 0 before the first whole hour, when nothing is known. */
  volatility(symbol: number): number {
    return this.#ranges[symbol] === 0 ? 0 : this.#range[symbol]!;
  }

  /** Average value traded per bar, 1e-8 USDT; 0 before the first bar. */
  barValue(symbol: number): number {
    const value = this.#value[symbol]!;
    const instrument = this.#instruments[symbol]!;
    if (value <= 0) return 0;
    return (value * powerOfTen(instrument.quantityDecimals) * instrument.unitValue) / instrument.lotUnits;
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

  #endHour(symbol: number): void {
    const close = this.#close[symbol]!;
    const before = this.#closeBefore[symbol]!;
    if (before > 0) {
      const hour = this.#hour[symbol]!;
      const at = symbol * HOURS + (hour % HOURS);
      this.#returns[at] = close / before - 1;
      this.#returnHour[at] = hour;
      const high = this.#high[symbol]! > before ? this.#high[symbol]! : before;
      const low = this.#low[symbol]! < before ? this.#low[symbol]! : before;
      const count = this.#ranges[symbol]! + 1;
      if (count <= ATR_HOURS) this.#ranges[symbol] = count;
      const period = count < ATR_HOURS ? count : ATR_HOURS;
      const range = count === 1 ? 0 : this.#range[symbol]!;
      this.#range[symbol] = range + ((high - low) / close - range) / period;
    }
    this.#closeBefore[symbol] = close;
  }
}
