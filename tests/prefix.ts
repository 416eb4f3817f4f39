/**
 * Proves that nothing looks ahead: what is known at bar i must not change when later bars arrive.
 *
 * @param run computes from the first n bars only and returns one row per bar: what is known at that bar
 * @param total number of bars of the whole run
 * @param cuts numbers of bars, each below `total`, whose own runs must equal the whole run's beginning bit for bit
 * @throws Error naming the first rewritten cell
 */
export function assertNoRewrite(run: (n: number) => unknown[][], total: number, cuts: readonly number[]): void {
  const whole = run(total);
  if (whole.length !== total) throw new Error(`${whole.length} rows from ${total} bars`);
  for (const cut of cuts) {
    const part = run(cut);
    if (part.length !== cut) throw new Error(`${part.length} rows from ${cut} bars`);
    for (const [bar, row] of part.entries()) {
      const later = whole[bar]!;
      if (row.length !== later.length) {
        throw new Error(`bar ${bar}: ${row.length} cells known from ${cut} bars, ${later.length} from ${total}`);
      }
      for (const [cell, value] of row.entries()) {
        if (same(value, later[cell])) continue;
        const [before, after] = [value, later[cell]].map((x) =>
          typeof x === "object" ? JSON.stringify(x) : String(x),
        );
        throw new Error(
          `bar ${bar}, cell ${cell}: ${before} known from ${cut} bars, rewritten as ${after} by ${total}`,
        );
      }
    }
  }
}

/** `count` different cuts over the run, each end included. */
export function cuts(total: number, count: number): number[] {
  const steps = Math.max(1, count - 1);
  return [...new Set(Array.from({ length: count }, (_, i) => 1 + Math.floor((i * (total - 2)) / steps)))];
}

/** Bit equality of numbers (0 is not -0, NaN is NaN), deep equality of objects. */
function same(a: unknown, b: unknown): boolean {
  return typeof a === "number" ? Object.is(a, b) : Bun.deepEquals(a, b, true);
}
