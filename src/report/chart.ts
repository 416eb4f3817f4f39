/** Bit of each dot of a braille character: four rows of two columns, counted from U+2800. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/**
 * A line through (time, value) points, drawn with braille dots: two columns and four rows of dots per character. Each
 * column of dots spans from the lowest to the highest value of its time, so that no extreme is lost; a column without
 * points goes on at the value before it.
 * @returns `rows` lines of `columns` characters, highest values first; no lines if there are no points
 */
export function brailleChart(
  points: readonly { readonly time: number; readonly value: number }[],
  columns: number,
  rows: number,
): string[] {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return [];
  const width = columns * 2;
  const height = rows * 4;
  const span = last.time - first.time;
  const lows = new Array<number>(width).fill(Number.POSITIVE_INFINITY);
  const highs = new Array<number>(width).fill(Number.NEGATIVE_INFINITY);
  let low = first.value;
  let high = first.value;
  for (const { time, value } of points) {
    const column = span > 0 ? Math.min(width - 1, Math.floor(((time - first.time) / span) * width)) : 0;
    lows[column] = Math.min(lows[column]!, value);
    highs[column] = Math.max(highs[column]!, value);
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const cells = Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
  // A flat line lies in the middle.
  const dotOf = (value: number) =>
    high > low ? Math.round(((high - value) / (high - low)) * (height - 1)) : Math.floor(height / 2);
  let before = dotOf(first.value);
  for (let column = 0; column < width; column++) {
    const empty = lows[column]! > highs[column]!;
    const top = empty ? before : dotOf(highs[column]!);
    const bottom = empty ? before : dotOf(lows[column]!);
    // The stroke reaches to the column before, so that the line has no holes.
    for (let dot = Math.min(top, before); dot <= Math.max(bottom, before); dot++) {
      const row = cells[dot >> 2]!;
      row[column >> 1]! |= DOTS[(dot & 3) as 0 | 1 | 2 | 3][(column & 1) as 0 | 1];
    }
    before = before < top ? bottom : before > bottom ? top : Math.round((top + bottom) / 2);
  }
  return cells.map((row) => String.fromCodePoint(...row.map((bits) => 0x2800 + bits)));
}
