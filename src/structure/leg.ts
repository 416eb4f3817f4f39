/**
 * The bars from a swing high on, and in them the candle from which a move up would have to be said to start: the last
 * down candle at or before the lowest low. Prices may be mirrored, so that the same rule serves both directions.
 *
 * Everything is updated bar by bar, so that a break finds its order block without looking back over bars.
 */
export class Leg {
  /** Lowest low of the leg so far; the later bar where lows are equal. */
  private low = Infinity;

  /** The last down candle: its bar, bounds, the mean volume up to it, and what followed it. */
  private downAt = Number.NaN;
  private downTop = 0;
  private downBottom = 0;
  private downMeanVolume = 0;
  private downMoveVolume = 0;
  private downMoveBars = 0;

  /** The same of the candle that was the last down candle when the lowest low was made; NaN where there is none. */
  blockAt = Number.NaN;
  blockTop = 0;
  blockBottom = 0;
  blockMeanVolume = 0;
  /** Volume and number of the bars after the block, up to the newest. */
  moveVolume = 0;
  moveBars = 0;

  /** Forgets everything: the next bar is the first of a new leg. */
  clear(): void {
    this.low = Infinity;
    this.downAt = Number.NaN;
    this.blockAt = Number.NaN;
  }

  advance(
    openTime: number,
    open: number,
    high: number,
    low: number,
    close: number,
    volume: number,
    meanVolume: number,
  ): void {
    if (close < open) {
      this.downAt = openTime;
      this.downTop = high;
      this.downBottom = low;
      this.downMeanVolume = meanVolume;
      this.downMoveVolume = 0;
      this.downMoveBars = 0;
    } else {
      this.downMoveVolume += volume;
      this.downMoveBars++;
    }
    if (low <= this.low) {
      this.low = low;
      this.blockAt = this.downAt;
      this.blockTop = this.downTop;
      this.blockBottom = this.downBottom;
      this.blockMeanVolume = this.downMeanVolume;
      this.moveVolume = this.downMoveVolume;
      this.moveBars = this.downMoveBars;
    } else {
      this.moveVolume += volume;
      this.moveBars++;
    }
  }

  /**
   * Mean volume of the move's bars as a multiple of the mean up to the block; 0 where that mean is 0, as in the
   * indicator `volumeRatio`: where nothing was traded before, nothing can be compared.
   */
  volumeRatio(): number {
    return this.blockMeanVolume > 0 ? this.moveVolume / this.moveBars / this.blockMeanVolume : 0;
  }
}
