import { html, Markup } from "./markup.ts";

/**
 * Plots are drawn into a box of 1000 by 1000 that is stretched to whatever room the page has, with strokes that do not
 * stretch; labels are HTML beside it. So one drawing fits phone, desk and paper, without a script.
 */
export const BOX = 1000;

export interface Point {
  readonly time: number;
  readonly value: number;
}

export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}

/** Round numbers that span the values: steps of 1, 2 or 5 times a power of ten, about `count` of them. */
export function scaleOf(low: number, high: number, count = 5): Scale {
  const span = high > low ? high - low : Math.abs(high) || 1;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.floor(low / step);
  const last = high > low ? Math.ceil(high / step) : first + 1;
  // Multiples rather than sums, so that no error adds up.
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return { low: ticks[0]!, high: ticks.at(-1)!, ticks };
}

export function at(value: number, low: number, high: number): number {
  return Math.round(((value - low) / (high - low)) * BOX * 10) / 10;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const STEPS = [1, 3, 6, 12, 24, 48, 120, 240].map((hours) => hours * HOUR);
const MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60];
const MOST_TICKS = 8;

/** Round moments within a span, at most nine: hours, days or firsts of months (UTC). */
export function timeTicks(
  from: number,
  to: number,
): { readonly ticks: number[]; readonly unit: "hour" | "day" | "month" } {
  const step = STEPS.find((candidate) => (to - from) / candidate <= MOST_TICKS);
  const ticks: number[] = [];
  if (step !== undefined) {
    for (let time = Math.ceil(from / step) * step; time <= to; time += step) ticks.push(time);
    return { ticks, unit: step < DAY ? "hour" : "day" };
  }
  const months = (to - from) / (30 * DAY);
  const stride = MONTH_STEPS.find((candidate) => months / candidate <= MOST_TICKS) ?? MONTH_STEPS.at(-1)!;
  const start = new Date(from);
  const first = Math.ceil((start.getUTCMonth() + 1) / stride) * stride;
  for (let month = first; ; month += stride) {
    const time = Date.UTC(start.getUTCFullYear(), month);
    if (time > to) return { ticks, unit: "month" };
    ticks.push(time);
  }
}

/** At most `most` points, with the extremes of every stretch that is thinned. */
export function thinned(points: readonly Point[], most: number): Point[] {
  if (points.length <= most) return [...points];
  const stretches = Math.floor(most / 4);
  const kept: Point[] = [];
  for (let i = 0; i < stretches; i++) {
    const part = points.slice(
      Math.floor((i * points.length) / stretches),
      Math.floor(((i + 1) * points.length) / stretches),
    );
    let [least, largest] = [part[0]!, part[0]!];
    for (const point of part) {
      if (point.value < least.value) least = point;
      if (point.value > largest.value) largest = point;
    }
    kept.push(...[...new Set([part[0]!, least, largest, part.at(-1)!])].sort((a, b) => a.time - b.time));
  }
  return kept;
}

/** The path of a line through points; with `base`, the area between the line and that value. */
export function path(points: readonly Point[], from: number, to: number, scale: Scale, base?: number): string {
  const y = (value: number) => Math.round((BOX - at(value, scale.low, scale.high)) * 10) / 10;
  const line = points.map(({ time, value }) => `${at(time, from, to)} ${y(value)}`).join("L");
  if (base === undefined || points.length === 0) return `M${line}`;
  return `M${at(points[0]!.time, from, to)} ${y(base)}L${line}L${at(points.at(-1)!.time, from, to)} ${y(base)}Z`;
}

/** The frame of a plot: grid, labels and what is drawn in it. */
export function frame(options: {
  readonly className: string;
  readonly drawing: Markup;
  readonly yTicks: readonly { readonly value: number; readonly text: string }[];
  readonly xTicks: readonly { readonly value: number; readonly text: string }[];
  /** Shares of width and height from the lower left corner, 0 to 1. */
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}): Markup {
  const { yTicks, xTicks, x, y } = options;
  const left = (value: number) => `${(x(value) * 100).toFixed(2)}%`;
  const top = (value: number) => `${(100 - y(value) * 100).toFixed(2)}%`;
  const grid = yTicks.map(({ value }) => `M0 ${((1 - y(value)) * BOX).toFixed(1)}H${BOX}`).join("");
  return html`<div class="plot ${options.className}">
<svg viewBox="0 0 ${BOX} ${BOX}" preserveAspectRatio="none" aria-hidden="true"><path class="grid" d="${grid}"/>${options.drawing}</svg>
${yTicks.map(({ value, text }) => html`<span class="y" style="top:${top(value)}">${text}</span>`)}
${xTicks.map(({ value, text }) => html`<span class="x" style="left:${left(value)}">${text}</span>`)}
</div>`;
}

export const NOTHING = new Markup("");
