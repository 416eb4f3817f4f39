import { encodePng, type Palette } from "./png.ts";

export const PICTURE_WIDTH = 960;
export const PICTURE_HEIGHT = 280;
const MARGIN = 16;
/** Half of the curve's thickness, pixels. */
const THICKNESS = 2;

const [LINE, GAIN, GAIN_FIELD, LOSS, LOSS_FIELD] = [1, 2, 3, 4, 5] as const;
const COLOURS: Palette = [
  [24, 27, 33],
  [92, 99, 112],
  [86, 194, 138],
  [33, 56, 49],
  [226, 109, 98],
  [62, 39, 42],
];

/**
 * A day's equity as a PNG: the curve, what lies between it and where the day began, and a line there. Gains are green
 * and losses red, by the end of the day.
 * @param curve at least one value; more than there are pixels are thinned to what each pixel's column spans
 */
export function equityPicture(curve: readonly number[], start: number): Uint8Array {
  const [width, height] = [PICTURE_WIDTH, PICTURE_HEIGHT];
  const pixels = new Uint8Array(width * height);
  const values = curve.length === 0 ? [start] : curve;
  let [low, high] = [start, start];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const rowOf = (value: number) => {
    const share = high === low ? 0.5 : (value - low) / (high - low);
    return Math.round(height - 1 - MARGIN - share * (height - 1 - 2 * MARGIN));
  };
  const gained = values.at(-1)! >= start;
  const [colour, field] = gained ? [GAIN, GAIN_FIELD] : [LOSS, LOSS_FIELD];
  const base = rowOf(start);
  const paint = (column: number, from: number, to: number, index: number) => {
    for (let row = from < to ? from : to; row <= (from < to ? to : from); row++) {
      if (row >= 0 && row < height) pixels[row * width + column] = index;
    }
  };
  const at = (column: number) => {
    const place = ((column - MARGIN) / (width - 1 - 2 * MARGIN)) * (values.length - 1);
    const left = Math.floor(place);
    const right = left + 1 < values.length ? left + 1 : left;
    return rowOf(values[left]! + (values[right]! - values[left]!) * (place - left));
  };
  for (let column = MARGIN; column < width - MARGIN; column++) paint(column, base, at(column), field);
  for (let column = MARGIN; column < width - MARGIN; column += 1) if (column % 10 < 5) paint(column, base, base, LINE);
  for (let column = MARGIN; column < width - MARGIN; column++) {
    const [before, here] = [at(column === MARGIN ? column : column - 1), at(column)];
    const [upper, lower] = before < here ? [before, here] : [here, before];
    paint(column, upper - THICKNESS, lower + THICKNESS, colour);
  }
  return encodePng(width, height, pixels, COLOURS);
}
