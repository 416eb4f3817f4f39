/** a / b where b is above 0, else missing. Whatever a market without movement would divide by 0 is missing, too. */
export function ratio(a: number, b: number): number {
  return b > 0 ? a / b : Number.NaN;
}

/** Limits x to both ends; NaN stays NaN. */
export function within(x: number, smallest: number, largest: number): number {
  return x < smallest ? smallest : x > largest ? largest : x;
}

/** -1, 0 or 1; NaN stays NaN. */
export function sign(x: number): number {
  return x > 0 ? 1 : x < 0 ? -1 : x === 0 ? 0 : Number.NaN;
}
