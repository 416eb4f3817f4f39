/**
 * Wilder's average true range (New Concepts in Technical Trading Systems, 1978): the mean of the first `period` true
 * ranges, then of each new one with the weight 1/period. A tracker has its own, because what is large must mean the same
 * wherever a tracker runs, whatever indicators are computed beside it.
 */
export class AverageTrueRange {
  private readonly period: number;
  private count = 0;
  private sum = 0;
  private previousClose = Number.NaN;
  /** NaN before `period` bars. */
  value = Number.NaN;

  constructor(period: number) {
    this.period = period;
  }

  advance(high: number, low: number, close: number): number {
    const { period, previousClose } = this;
    // Comparisons with the NaN before the first bar are false.
    const top = previousClose > high ? previousClose : high;
    const bottom = previousClose < low ? previousClose : low;
    const range = top - bottom;
    this.previousClose = close;
    if (this.count < period) {
      this.count++;
      this.sum += range;
      if (this.count === period) this.value = this.sum / period;
    } else {
      this.value = (this.value * (period - 1) + range) / period;
    }
    return this.value;
  }
}
