/** A value from outside of the bars, and when it could be known: not when it was about, but when it was published. */
export interface Published<Value> {
  readonly availableAt: number;
  readonly value: Value;
}

/**
 * The newest value that was available at `time`, or undefined before the first: an as-of join of one row. The rows are in
 * rising order of `availableAt`. A value that appears at exactly `time` counts as known.
 *
 * @throws RangeError when the rows are out of order, because then nothing the join says could be trusted
 */
export function asOf<Value>(rows: readonly Published<Value>[], time: number): Value | undefined {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const { availableAt } = rows[middle]!;
    if (middle > 0 && rows[middle - 1]!.availableAt > availableAt) {
      throw new RangeError(`row ${middle} became available before the row in front of it`);
    }
    if (availableAt <= time) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? undefined : rows[low - 1]!.value;
}
