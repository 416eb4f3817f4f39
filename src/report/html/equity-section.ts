import type { BacktestReport } from "../backtest-report.ts";
import { DAY } from "../equity.ts";
import {
  dayOfMonth,
  dayText,
  MONTHS,
  minuteText,
  monthText,
  number,
  percent,
  result,
  signedPercent,
  tone,
} from "./figures.ts";
import { comparison } from "./headline.ts";
import { html, Markup } from "./markup.ts";
import { BOX, frame, type Point, path, scaleOf, thinned, timeTicks } from "./plot.ts";

const MOST_POINTS = 1200;

/** One row of the read-out under the cursor: time, equity, buy and hold, drawdown as a fraction. */
export type CurveRow = readonly [time: number, equity: number, held: number, drawdown: number];

/** Equity and drawdown at the same moments, and what buy and hold was worth then. */
export function curveOf(report: BacktestReport): CurveRow[] {
  const held = report.buyAndHold.equity;
  let next = 0;
  let peak = Number.NEGATIVE_INFINITY;
  const rows = report.equity.map(({ time, equity }): CurveRow => {
    while (next + 1 < held.length && held[next + 1]!.time <= time) next++;
    if (equity > peak) peak = equity;
    const drawdown = peak > 0 ? Math.max(0, 1 - equity / peak) : 0;
    return [time, equity, held[next]?.equity ?? report.summary.startEquity, Number(drawdown.toFixed(5))];
  });
  const kept = new Set(
    thinned(
      rows.map(([time, equity]) => ({ time, value: equity })),
      MOST_POINTS,
    ).map((p) => p.time),
  );
  return rows.filter(([time]) => kept.has(time));
}

export function equitySection(report: BacktestReport, curve: readonly CurveRow[]): Markup {
  const { from, to, summary } = report;
  const end = to > from ? to : from + 1;
  const equity = curve.map(([time, value]): Point => ({ time, value }));
  const held = curve.map(([time, , value]): Point => ({ time, value }));
  const fall = curve.map(([time, , , drawdown]): Point => ({ time, value: -drawdown }));
  const all = [...equity, ...held].map((point) => point.value);
  const scale = scaleOf(Math.min(...all, summary.startEquity), Math.max(...all, summary.startEquity));
  const depth = scaleOf(Math.min(-0.001, ...fall.map((point) => point.value)), 0, 3);
  const { ticks, unit } = timeTicks(from, end);
  const text = { hour: (time: number) => minuteText(time).slice(5), day: dayOfMonth, month: monthText }[unit];
  const xTicks = ticks.map((time) => ({ value: time, text: text(time) }));
  const x = (time: number) => (time - from) / (end - from);
  const startLine = BOX - ((summary.startEquity - scale.low) / (scale.high - scale.low)) * BOX;
  return html`<section id="equity" aria-labelledby="equity-title">
<h2 id="equity-title">Equity and drawdown</h2>
${comparison(report)}
<figure class="curve" tabindex="0" data-from="${from}" data-to="${end}" aria-label="Equity over time. Arrow keys move the cursor.">
<figcaption><span class="readout" aria-live="polite">${readout(curve.at(-1))}</span></figcaption>
${frame({
  className: "plot-equity",
  drawing: new Markup(
    `<path class="none" d="M0 ${startLine.toFixed(1)}H${BOX}"/>` +
      `<path class="wash" d="${path(equity, from, end, scale, scale.low)}"/>` +
      `<path class="hold" d="${path(held, from, end, scale)}"/>` +
      `<path class="equity" d="${path(equity, from, end, scale)}"/>`,
  ),
  yTicks: scale.ticks.map((value) => ({ value, text: number(value, 0) })),
  xTicks: [],
  x,
  y: (value) => (value - scale.low) / (scale.high - scale.low),
})}
${frame({
  className: "plot-drawdown",
  drawing: new Markup(`<path class="fall" d="${path(fall, from, end, depth, 0)}"/>`),
  yTicks: depth.ticks.map((value) => ({ value, text: value === 0 ? "0 %" : percent(value, 0) })),
  xTicks,
  x,
  y: (value) => (value - depth.low) / (depth.high - depth.low),
})}
</figure>
<p class="note">Solid: equity, positions at the mark. Dashed: buy and hold. Dotted: the start, which is no trade. Below: fall from the highest equity so far. Points are the last of each hour; figures are exact over all points.</p>
</section>`;
}

/** The script writes the same text for any other row. */
function readout(row: CurveRow | undefined): string {
  if (row === undefined) return "";
  const [time, equity, held, drawdown] = row;
  return `${minuteText(time)} · equity ${number(equity)} · buy and hold ${number(held)} · drawdown ${percent(drawdown)}`;
}

interface Day {
  /** Start of the UTC day, ms. */
  readonly time: number;
  readonly growth: number;
  readonly pnl: number;
  trades: number;
}

/** Equity from the end of one UTC day to the end of the next; a moment at midnight ends its day. */
export function daysOf(report: BacktestReport): Day[] {
  const days: Day[] = [];
  const dayOf = (time: number) => (Math.ceil(time / DAY) - 1) * DAY;
  let before = report.summary.startEquity;
  report.equity.forEach(({ time, equity }, i) => {
    if (i === 0) return;
    const day = dayOf(time);
    const next = report.equity[i + 1];
    if (next !== undefined && dayOf(next.time) === day) return;
    days.push({ time: day, growth: before > 0 ? equity / before - 1 : 0, pnl: equity - before, trades: 0 });
    before = equity;
  });
  const byTime = new Map(days.map((day) => [day.time, day]));
  for (const trade of report.trades) {
    const day = byTime.get(dayOf(trade.exitTime));
    if (day !== undefined) day.trades++;
  }
  return days;
}

/** Runs up to this length show every day. */
const MOST_MONTHS_OF_DAYS = 4;

export function calendar(report: BacktestReport): Markup {
  const days = daysOf(report);
  const months = new Map<string, Day[]>();
  for (const day of days) {
    const month = new Date(day.time).toISOString().slice(0, 7);
    const others = months.get(month);
    if (others === undefined) months.set(month, [day]);
    else others.push(day);
  }
  const best = days.toSorted((a, b) => b.growth - a.growth);
  const strongest = Math.max(0.001, ...days.map((day) => Math.abs(day.growth)));
  const extremes =
    best.length > 1
      ? html`<p class="note">Best day ${dayText(best[0]!.time)}, ${signedPercent(best[0]!.growth)}; worst ${dayText(best.at(-1)!.time)}, ${signedPercent(best.at(-1)!.growth)}; ${days.filter((day) => day.growth > 0).length} of ${days.length} days gained. Days and months are UTC.</p>`
      : false;
  return html`<section id="calendar" aria-labelledby="calendar-title">
<h2 id="calendar-title">Months and days</h2>
${months.size > 1 && monthTable(months)}
${months.size <= MOST_MONTHS_OF_DAYS && html`<div class="months">${[...months].map(([month, of]) => monthOfDays(month, of, strongest))}</div>`}
${extremes}
</section>`;
}

function growthOf(days: readonly Day[]): number {
  let factor = 1;
  for (const day of days) factor *= 1 + day.growth;
  return factor - 1;
}

function monthTable(months: ReadonlyMap<string, readonly Day[]>): Markup {
  const years = [...new Set([...months.keys()].map((month) => month.slice(0, 4)))];
  const cell = (days: readonly Day[] | undefined) =>
    days === undefined ? html`<td class="muted">·</td>` : html`<td>${result(growthOf(days), signedPercent)}</td>`;
  // A run within a few months needs no twelve columns.
  const used = MONTHS.map((name, index) => ({ name, key: String(index + 1).padStart(2, "0") })).filter(
    ({ key }) => years.length > 1 || [...months.keys()].some((month) => month.endsWith(`-${key}`)),
  );
  return html`<div class="scroll"><table class="by-month">
<caption class="unseen">Return by month</caption>
<thead><tr><th scope="col">Year</th>${used.map(({ name }) => html`<th scope="col">${name}</th>`)}<th scope="col">Whole</th></tr></thead>
<tbody>${years.map((year) => {
    const whole = [...months].filter(([month]) => month.startsWith(year)).flatMap(([, days]) => days);
    return html`<tr><th scope="row">${year}</th>${used.map(({ key }) => cell(months.get(`${year}-${key}`)))}<td><b>${result(growthOf(whole), signedPercent)}</b></td></tr>`;
  })}</tbody></table></div>`;
}

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

function monthOfDays(month: string, days: readonly Day[], strongest: number): Markup {
  const [year, number] = month.split("-").map(Number) as [number, number];
  const first = Date.UTC(year, number - 1, 1);
  const length = new Date(Date.UTC(year, number, 0)).getUTCDate();
  // Weeks begin on Monday.
  const lead = (new Date(first).getUTCDay() + 6) % 7;
  const byDay = new Map(days.map((day) => [new Date(day.time).getUTCDate(), day]));
  const cells = Array.from({ length: Math.ceil((lead + length) / 7) * 7 }, (_, i) => {
    const date = i - lead + 1;
    if (date < 1 || date > length) return html`<td class="blank"></td>`;
    const day = byDay.get(date);
    if (day === undefined) return html`<td class="blank"><small>${date}</small></td>`;
    const heat = Math.round((Math.abs(day.growth) / strongest) * 60) + 4;
    return html`<td class="day ${tone(day.growth)}" style="--heat:${heat}%"><small>${date}<em>${day.trades > 0 && `${day.trades} closed`}</em></small><span>${signedPercent(day.growth)}</span></td>`;
  });
  const weeks = Array.from({ length: cells.length / 7 }, (_, week) => cells.slice(week * 7, week * 7 + 7));
  return html`<table class="days"><caption>${MONTHS[number - 1]!} ${year} <small>${result(growthOf(days), signedPercent)}</small></caption>
<thead><tr>${WEEKDAYS.map((day) => html`<th scope="col">${day}</th>`)}</tr></thead>
<tbody>${weeks.map((week) => html`<tr>${week}</tr>`)}</tbody></table>`;
}
