/** A drawing of a few dozen bars. Times are indices of bars, so that every bar has the same width. */
export interface Drawing {
  readonly title: string;
  readonly bars: readonly Candle[];
  readonly zones?: readonly Zone[];
  readonly lines?: readonly Line[];
  readonly marks?: readonly Mark[];
  /** Text below, a line each. */
  readonly notes?: readonly string[];
}

export interface Candle {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

export type Colour = "up" | "down" | "plain" | "good" | "bad";

/** A band of prices over some bars. */
export interface Zone {
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly bottom: number;
  readonly colour: Colour;
  readonly label?: string;
}

export interface Line {
  readonly from: number;
  readonly to: number;
  readonly price: number;
  readonly colour: Colour;
  readonly label?: string;
  readonly dashed?: boolean;
}

/** A word above or below a bar. */
export interface Mark {
  readonly at: number;
  readonly text: string;
  readonly below: boolean;
}

const COLOURS: Readonly<Record<Colour, string>> = {
  up: "#2f7d5b",
  down: "#b04a3a",
  plain: "#5b6470",
  good: "#2f7d5b",
  bad: "#b04a3a",
};

const HEIGHT = 300;
const MARGIN = 28;
const LABEL_HEIGHT = 12;

/** The drawing as SVG, on a ground of its own so that it reads on light and dark pages. */
export function candlesSvg({ title, bars, zones = [], lines = [], marks = [], notes = [] }: Drawing): string {
  const step = bars.length > 60 ? 9 : bars.length > 40 ? 12 : 18;
  const width = Math.max(bars.length * step + 2 * MARGIN + 60, 460);
  const prices = [
    ...bars.flatMap(({ high, low }) => [high, low]),
    ...zones.flatMap(({ top, bottom }) => [top, bottom]),
    ...lines.map(({ price }) => price),
  ];
  const top = Math.max(...prices);
  const bottom = Math.min(...prices);
  const x = (at: number) => MARGIN + (at + 0.5) * step;
  const y = (price: number) => 58 + ((top - price) / (top - bottom)) * (HEIGHT - 100);
  const parts: string[] = [];
  const text = (left: number, baseline: number, words: string, colour: string, rest = "") =>
    parts.push(`<text x="${n(left)}" y="${n(baseline)}" fill="${colour}"${rest}>${escaped(words)}</text>`);

  for (const zone of zones) {
    const colour = COLOURS[zone.colour];
    parts.push(
      `<rect x="${n(x(zone.from) - step / 2)}" y="${n(y(zone.top))}" width="${n((zone.to - zone.from + 1) * step)}" ` +
        `height="${n(Math.max(y(zone.bottom) - y(zone.top), 1))}" fill="${colour}" fill-opacity="0.16"/>`,
    );
  }
  for (const line of lines) {
    const colour = COLOURS[line.colour];
    const dash = line.dashed ? ' stroke-dasharray="4 3"' : "";
    parts.push(
      `<path d="M${n(x(line.from))} ${n(y(line.price))}H${n(x(line.to))}" stroke="${colour}" fill="none"${dash}/>`,
    );
  }
  const body = step * 0.6;
  for (const [at, { open, high, low, close }] of bars.entries()) {
    const colour = COLOURS[close >= open ? "up" : "down"];
    parts.push(`<path d="M${n(x(at))} ${n(y(high))}V${n(y(low))}" stroke="${colour}"/>`);
    const upper = y(Math.max(open, close));
    const height = Math.max(y(Math.min(open, close)) - upper, 1);
    parts.push(
      `<rect x="${n(x(at) - body / 2)}" y="${n(upper)}" width="${n(body)}" height="${n(height)}" fill="${colour}"/>`,
    );
  }
  // Words come last, so that nothing covers them.
  for (const { label, from, bottom: low, colour } of zones) {
    if (label !== undefined) text(x(from) - step / 2 + 2, y(low) + 10, label, COLOURS[colour]);
  }
  for (const { label, from, price, colour } of lines) {
    if (label !== undefined) text(x(from) + 2, y(price) - 3, label, COLOURS[colour]);
  }
  const stacked = new Map<string, number>();
  for (const { at, text: words, below } of marks) {
    const key = `${at} ${below}`;
    const already = stacked.get(key) ?? 0;
    stacked.set(key, already + 1);
    const bar = bars[at]!;
    const offset = 5 + LABEL_HEIGHT * already;
    const baseline = below ? y(bar.low) + offset + 8 : y(bar.high) - offset;
    text(x(at), baseline, words, "#1d2733", ' text-anchor="middle"');
  }
  for (const [index, words] of notes.entries()) text(MARGIN, HEIGHT + 4 + index * 15, words, "#1d2733");
  const height = HEIGHT + notes.length * 15;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `font-family="sans-serif" font-size="10" role="img"><title>${escaped(title)}</title>\n` +
    `<rect width="${width}" height="${height}" fill="#fbfaf7"/>\n` +
    `<text x="${MARGIN}" y="20" fill="#1d2733" font-size="13">${escaped(title)}</text>\n${parts.join("\n")}\n</svg>\n`
  );
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
