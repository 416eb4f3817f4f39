import { usdt } from "./money.ts";

export const HOUR = 3_600_000;
export const DAY = 86_400_000;

/** The book's value at one moment; money in 1e-8 USDT. */
export interface EquityPoint {
  readonly time: number;
  readonly equity: number;
  /** Value of all open positions at the mark. */
  readonly exposure: number;
  readonly positions: number;
}

export interface Drawdown {
  /** Largest fall from a peak as a share of that peak: 0.1 is 10 %. */
  readonly fraction: number;
  /** Largest fall from a peak in 1e-8 USDT; it may be another fall than the largest fraction. */
  readonly amount: number;
  /** Peak and trough of the largest fraction. */
  readonly peak: EquityPoint;
  readonly trough: EquityPoint;
}

/**
 * Follows the equity through every point and remembers a bounded part of it: the last point of each hour, the end of
 * each UTC day, and the extremes. All figures are exact over all points, not over what is remembered.
 *
 * A moment on the hour or at midnight belongs to the hour or day that it ends.
 */
export class EquityCurve {
  readonly start: EquityPoint;
  #last: EquityPoint;
  readonly #hours: EquityPoint[] = [];
  /** Equity at the end of each UTC day that has passed, from the day of the start on. */
  readonly #days: number[] = [];
  readonly #day: number;
  #peak: EquityPoint;
  #fraction = 0;
  #amount = 0;
  #drawdownPeak: EquityPoint;
  #drawdownTrough: EquityPoint;
  #timeInMarket = 0;
  #exposureTime = 0;
  #equityTime = 0;
  #shareTime = 0;

  /** @param time when trading starts, ms  @param equity what it starts with, 1e-8 USDT */
  constructor(time: number, equity: number) {
    this.start = { time, equity, exposure: 0, positions: 0 };
    this.#last = this.start;
    this.#peak = this.start;
    this.#drawdownPeak = this.start;
    this.#drawdownTrough = this.start;
    // The start itself begins its day, also at midnight.
    this.#day = Math.floor(time / DAY);
  }

  /** Takes the next point; of several at one time the last one stays. Points before the start are ignored. */
  add(point: EquityPoint): void {
    const last = this.#last;
    if (point.time < last.time) return;
    const elapsed = point.time - last.time;
    if (last.positions > 0) this.#timeInMarket += elapsed;
    this.#exposureTime += last.exposure * elapsed;
    this.#equityTime += last.equity * elapsed;
    if (last.equity > 0) this.#shareTime += (last.exposure / last.equity) * elapsed;
    if (bucket(point.time, HOUR) > bucket(last.time, HOUR) && last !== this.start) this.#hours.push(last);
    for (let day = this.#day + this.#days.length; day < bucket(point.time, DAY); day++) this.#days.push(last.equity);
    this.#last = point;
    if (point.equity > this.#peak.equity) this.#peak = point;
    const fall = this.#peak.equity - point.equity;
    if (fall > this.#amount) this.#amount = fall;
    if (this.#peak.equity > 0 && fall / this.#peak.equity > this.#fraction) {
      this.#fraction = fall / this.#peak.equity;
      this.#drawdownPeak = this.#peak;
      this.#drawdownTrough = point;
    }
  }

  get end(): EquityPoint {
    return this.#last;
  }

  get elapsed(): number {
    return this.#last.time - this.start.time;
  }

  get drawdown(): Drawdown {
    return {
      fraction: this.#fraction,
      amount: this.#amount,
      peak: this.#drawdownPeak,
      trough: this.#drawdownTrough,
    };
  }

  /** Share of the time in which at least one position was open, 0 to 1; 0 if no time passed. */
  get timeInMarket(): number {
    return this.elapsed > 0 ? this.#timeInMarket / this.elapsed : 0;
  }

  /** Value of the positions over equity, averaged over time; may exceed 1 with leverage. 0 if no time passed. */
  get averageExposure(): number {
    return this.elapsed > 0 ? this.#shareTime / this.elapsed : 0;
  }

  /** Equity averaged over time, 1e-8 USDT; the start's if no time passed. */
  get averageEquity(): number {
    return this.elapsed > 0 ? this.#equityTime / this.elapsed : this.start.equity;
  }

  /**
   * Return of each UTC day, as a fraction of the equity at the end of the day before; the first day counts from the
   * start and the last one to the end, both perhaps shorter. Undefined once the equity was not above zero.
   */
  dailyReturns(): number[] | undefined {
    const ends = this.elapsed > 0 ? [...this.#days, this.#last.equity] : [];
    const returns: number[] = [];
    let before = this.start.equity;
    for (const equity of ends) {
      if (before <= 0) return undefined;
      returns.push(equity / before - 1);
      before = equity;
    }
    return returns;
  }

  /** Start, the last point of each hour, peak and trough of the drawdown, and the end: each once, in order of time. */
  samples(): EquityPoint[] {
    const points = new Set([this.start, ...this.#hours, this.#drawdownPeak, this.#drawdownTrough, this.#last]);
    return [...points].sort((a, b) => a.time - b.time);
  }
}

/** Number of the hour or day that a moment ends or lies in. */
function bucket(time: number, length: number): number {
  return Math.ceil(time / length) - 1;
}

/** Trading days per year: this market never closes. */
const DAYS_PER_YEAR = 365;

/**
 * Sharpe ratio of daily returns, annualised by sqrt(365), risk-free rate zero: mean / standard deviation, the latter
 * with n - 1. Null for fewer than two days or without variance. (W. F. Sharpe, "The Sharpe Ratio", 1994.)
 */
export function sharpe(returns: readonly number[]): number | null {
  if (returns.length < 2) return null;
  const average = mean(returns);
  let squares = 0;
  for (const value of returns) squares += (value - average) * (value - average);
  const deviation = Math.sqrt(squares / (returns.length - 1));
  return deviation > 0 ? (average / deviation) * Math.sqrt(DAYS_PER_YEAR) : null;
}

/**
 * Sortino ratio of daily returns, annualised by sqrt(365), target zero: mean / downside deviation, the root of the mean
 * over all days of the squared losses. Null for fewer than two days or without a losing day.
 * (F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework", 1994.)
 */
export function sortino(returns: readonly number[]): number | null {
  if (returns.length < 2) return null;
  let squares = 0;
  for (const value of returns) if (value < 0) squares += value * value;
  const deviation = Math.sqrt(squares / returns.length);
  return deviation > 0 ? (mean(returns) / deviation) * Math.sqrt(DAYS_PER_YEAR) : null;
}

/**
 * Calmar ratio: return per year over the largest drawdown. The return is taken to a year in proportion, not compounded:
 * compounding would blow up what a short run happened to earn. Null without drawdown or time.
 * (T. W. Young, "Calmar Ratio: A Smoother Tool", 1991, compounds over 36 months.)
 * @param growth return of the whole run as a fraction  @param elapsed ms  @param drawdown largest, as a fraction
 */
export function calmar(growth: number, elapsed: number, drawdown: number): number | null {
  if (elapsed <= 0 || drawdown <= 0) return null;
  return (growth * DAYS_PER_YEAR * DAY) / elapsed / drawdown;
}

function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** A point as the report shows it, USDT. */
export function reportedPoint(point: EquityPoint): ReportedPoint {
  return {
    time: point.time,
    equity: usdt(point.equity),
    exposure: usdt(point.exposure),
    positions: point.positions,
  };
}

export interface ReportedPoint {
  readonly time: number;
  readonly equity: number;
  readonly exposure: number;
  readonly positions: number;
}
