/** Mean of the last `period` volumes, or of as many as there are. One addition and one subtraction a bar. */
export class MeanVolume {
  private readonly ring: Float64Array;
  private filled = 0;
  private next = 0;
  private sum = 0;

  constructor(period: number) {
    this.ring = new Float64Array(period);
  }

  advance(volume: number): number {
    const { ring } = this;
    this.sum += volume - ring[this.next]!;
    ring[this.next] = volume;
    if (this.filled < ring.length) this.filled++;
    this.next++;
    if (this.next === ring.length) {
      this.next = 0;
      // Adding up afresh once a round keeps rounding errors from outliving the bars they came from.
      this.sum = 0;
      for (const each of ring) this.sum += each;
    }
    // What rounding leaves of a sum of zeros may be a hair below zero.
    return this.sum > 0 ? this.sum / this.filled : 0;
  }
}
