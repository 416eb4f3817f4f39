import { stripVTControlCharacters } from "node:util";
import type { BacktestReport, ReportedTrade } from "./backtest-report.ts";
import { brailleChart } from "./chart.ts";
import { DAY, HOUR } from "./equity.ts";

/** Columns of characters, and whether colours may be used. */
export interface Page {
  readonly width: number;
  readonly colour: boolean;
}

/** What a stream can show: colours only on a terminal, and not if NO_COLOR is set to anything (no-color.org). */
export function pageOf(
  stream: Pick<Output, "isTTY" | "columns">,
  env: Readonly<Record<string, string | undefined>>,
): Page {
  const width = Math.max(60, Math.min(stream.columns ?? 80, 100));
  return { width, colour: stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb" };
}

/** Prints a report for a person, as the stream can show it. */
export function printReport(
  report: BacktestReport,
  stream: Output = process.stdout,
  env: Readonly<Record<string, string | undefined>> = process.env,
): void {
  stream.write(`${renderReport(report, pageOf(stream, env)).join("\n")}\n`);
}

/** The part of a stream that printing needs. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** A report as lines that are at most `page.width` columns wide. */
export function renderReport(report: BacktestReport, page: Page): string[] {
  const ink = inkOf(page.colour);
  const inner = page.width - 4;
  const sections = [
    headline(report, inner, ink),
    equityChart(report, inner, ink),
    figures(report, inner, ink),
    bySymbol(report.trades, ink),
    counts("Exits", report.summary.exits, inner, ink),
    execution(report, inner, ink),
    virtual(report, inner, ink),
    counts("Refusals by guard", report.refusals, inner, ink),
    positions(report, ink),
    assumptions(report.assumptions, inner, ink),
    footer(report, inner, ink),
  ];
  const lines = sections.filter((section) => section.length > 0).flatMap((section) => ["", ...section]);
  return [...lines.map((line) => (line === "" ? "" : `  ${line}`)), ""];
}

type Paint = (text: string) => string;
interface Ink {
  readonly good: Paint;
  readonly bad: Paint;
  readonly dim: Paint;
  readonly bold: Paint;
  readonly stamp: Paint;
}

function inkOf(colour: boolean): Ink {
  const paint =
    (codes: string): Paint =>
    (text) =>
      colour ? `\x1b[${codes}m${text}\x1b[0m` : text;
  return { good: paint("32"), bad: paint("31"), dim: paint("2"), bold: paint("1"), stamp: paint("1;33") };
}

function headline(report: BacktestReport, width: number, ink: Ink): string[] {
  const { summary, from, to, timing, signals } = report;
  const change = summary.endEquity - summary.startEquity;
  const open = change - summary.netPnl;
  const result = `${signed(change)} USDT   ${signed(summary.growth * 100)} %`;
  const span = `${minute(from)} to ${minute(to)} UTC · ${days(to - from)} · ${grouped(timing.bars, 0)} bars`;
  const parts = [`closed trades ${signed(summary.netPnl)}`];
  if (report.openPositions.length > 0)
    parts.push(`${plural(report.openPositions.length, "open position")} ${signed(open)}`);
  parts.push(plural(signals, "signal"));
  return [
    spread(ink.bold("Penstock"), ink.stamp(`[${report.mode.toUpperCase()}]`), width),
    ...wrapped(span, width).map(ink.dim),
    "",
    spread(
      ink.bold(painted(change, result, ink)),
      `${grouped(summary.startEquity, 2)} → ${grouped(summary.endEquity, 2)} USDT`,
      width,
    ),
    ...wrapped(parts.join(" · "), width).map(ink.dim),
  ];
}

const CHART_ROWS = 5;

function equityChart(report: BacktestReport, width: number, ink: Ink): string[] {
  const points = report.equity.map(({ time, equity }) => ({ time, value: equity }));
  if (points.length < 2) return [];
  let [low, high] = [points[0]!.value, points[0]!.value];
  for (const { value } of points) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const labels = [grouped(high, 2), grouped(low, 2)];
  const margin = Math.max(...labels.map((label) => label.length)) + 1;
  const chart = brailleChart(points, width - margin, CHART_ROWS);
  return chart.map((line, row) => {
    const label = row === 0 ? labels[0]! : row === chart.length - 1 ? labels[1]! : "";
    return `${ink.dim(label.padStart(margin - 1))} ${painted(report.summary.growth, line, ink)}`;
  });
}

/** Figures stand side by side from this width on. */
const TWO_COLUMNS = 72;

function figures(report: BacktestReport, width: number, ink: Ink): string[] {
  const { summary } = report;
  const money = (value: number | null) => (value === null ? "–" : painted(value, signed(value), ink));
  const ratio = (value: number | null) => (value === null ? "–" : value.toFixed(2));
  const percent = (value: number | null) => (value === null ? "–" : `${(value * 100).toFixed(1)} %`);
  const left: [string, string][] = [
    ["Trades", `${grouped(summary.trades, 0)}  (${summary.wins} won, ${summary.losses} lost)`],
    ["Win rate", percent(summary.winRate)],
    ["Profit factor", ratio(summary.profitFactor)],
    ["Average trade", money(summary.averageTrade)],
    ["Average win", money(summary.averageWin)],
    ["Average loss", money(summary.averageLoss)],
    ["Best, worst", `${money(summary.bestTrade)}, ${money(summary.worstTrade)}`],
    ["Holding", summary.averageHolding === null ? "–" : duration(summary.averageHolding)],
  ];
  const right: [string, string][] = [
    ["Max drawdown", `${percent(summary.maxDrawdown)}  (${grouped(summary.maxDrawdownUsdt, 2)})`],
    ["Sharpe", ratio(summary.sharpe)],
    ["Sortino", ratio(summary.sortino)],
    ["Calmar", ratio(summary.calmar)],
    ["Fees paid", grouped(summary.fees, 2)],
    ["Funding", money(summary.funding)],
    ["In the market", percent(summary.exposure)],
    ["Turnover", `${ratio(summary.turnover)} × equity`],
  ];
  const cell = ([name, value]: [string, string]) => `${ink.dim(name.padEnd(15))}${value}`;
  if (width < TWO_COLUMNS) return [...left, ...right].map(cell);
  const half = Math.floor(width / 2);
  return left.map((entry, i) => `${padded(cell(entry), half)}${cell(right[i]!)}`);
}

/** So many symbols are shown from either end. */
const FEW = 3;

function bySymbol(trades: readonly ReportedTrade[], ink: Ink): string[] {
  const results = new Map<string, { pnl: number; trades: number }>();
  for (const trade of trades) {
    const result = results.get(trade.symbol) ?? { pnl: 0, trades: 0 };
    result.pnl += trade.pnl;
    result.trades++;
    results.set(trade.symbol, result);
  }
  const ranked = [...results].sort(([a, x], [b, y]) => y.pnl - x.pnl || (a < b ? -1 : 1));
  if (ranked.length === 0) return [];
  const line = ([symbol, { pnl, trades: count }]: (typeof ranked)[number]) =>
    `${symbol.padEnd(14)}${painted(pnl, signed(pnl).padStart(12), ink)}  ${ink.dim(plural(count, "trade"))}`;
  if (ranked.length <= FEW * 2) return [ink.bold("Symbols"), ...ranked.map(line)];
  const hidden = ink.dim(`… ${ranked.length - FEW * 2} more`);
  return [ink.bold("Symbols"), ...ranked.slice(0, FEW).map(line), hidden, ...ranked.slice(-FEW).map(line)];
}

/** How entries were filled, and what each kind of order paid against the price at its decision. */
function execution(
  { execution: { decisions, whole, partial, missed, makerShare, slippage } }: BacktestReport,
  width: number,
  ink: Ink,
): string[] {
  if (decisions === 0) return [];
  const entries = [
    `${plural(decisions, "entry decision")}: ${grouped(whole, 0)} filled whole`,
    `${grouped(partial, 0)} in part`,
    `${grouped(missed, 0)} missed`,
    `${(makerShare * 100).toFixed(1)} % waited for the market`,
  ];
  const orders = Object.entries(slippage).map(
    ([purpose, { median, p90 }]) => `${purpose} ${bps(median)} / ${bps(p90)}`,
  );
  return [
    ink.bold("Execution"),
    ...wrapped(entries.join(" · "), width),
    ...wrapped(`slippage in bp, median / p90, below 0 is better: ${orders.join(" · ")}`, width),
  ];
}

function bps(value: number): string {
  const text = grouped(value, 1);
  return text === "-0.0" ? "0.0" : text;
}

/** What all signals would have come to, those that were refused included. */
function virtual(report: BacktestReport, width: number, ink: Ink): string[] {
  const { trades, outcomes, winRate, averageResult } = report.virtual;
  if (trades === 0) return [];
  const text = [
    `${grouped(trades, 0)} closed`,
    ...Object.entries(outcomes).map(([name, count]) => `${name} ${grouped(count, 0)}`),
    `${(winRate * 100).toFixed(1)} % won`,
    `average ${signed(averageResult)} R`,
  ];
  return [ink.bold("Virtual positions, one per signal, without costs"), ...wrapped(text.join(" · "), width)];
}

function counts(title: string, entries: Readonly<Record<string, number>>, width: number, ink: Ink): string[] {
  const sorted = Object.entries(entries).sort(([, a], [, b]) => b - a);
  if (sorted.length === 0) return [];
  return [
    ink.bold(title),
    ...wrapped(sorted.map(([name, count]) => `${name} ${grouped(count, 0)}`).join(" · "), width),
  ];
}

function positions(report: BacktestReport, ink: Ink): string[] {
  if (report.openPositions.length === 0) return [];
  const shown = report.openPositions.slice(0, FEW * 2);
  const lines = shown.map(
    (position) =>
      `${position.symbol.padEnd(14)}${painted(position.unrealised, signed(position.unrealised).padStart(12), ink)}  ` +
      ink.dim(`${position.side} since ${minute(position.entryTime)}`),
  );
  const hidden = report.openPositions.length - shown.length;
  if (hidden > 0) lines.push(ink.dim(`… ${hidden} more`));
  return [ink.bold("Open at the end, not among the trades"), ...lines];
}

function assumptions(texts: readonly string[], width: number, ink: Ink): string[] {
  if (texts.length === 0) return [];
  const lines = texts.flatMap((text) =>
    wrapped(text, width - 2).map((line, i) => ink.dim(i === 0 ? `- ${line}` : `  ${line}`)),
  );
  return [ink.bold("Assumptions"), ...lines];
}

function footer(report: BacktestReport, width: number, ink: Ink): string[] {
  const { timing } = report;
  const speed = `${timing.wallSeconds.toFixed(1)} s · ${grouped(timing.barsPerSecond, 0)} bars/s`;
  const hash = (name: string, value: string) => ink.dim(`${name.padEnd(9)}${value.slice(0, width - 9)}`);
  return [
    ink.dim(speed),
    hash("trades", report.tradesHash),
    hash("virtual", report.virtualTradesHash),
    hash("data", report.dataHash),
    hash("settings", report.settingsHash),
    ...(report.modelHash === null ? [] : [hash("model", report.modelHash)]),
  ];
}

/** Green above zero, red below. */
function painted(value: number, text: string, ink: Ink): string {
  if (value > 0) return ink.good(text);
  return value < 0 ? ink.bad(text) : text;
}

/** 1234567.891 → "1,234,567.89". The same in every locale. */
export function grouped(value: number, decimals: number): string {
  const [whole = "", fraction] = Math.abs(value).toFixed(decimals).split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const text = fraction === undefined ? digits : `${digits}.${fraction}`;
  // What rounds to zero has no sign.
  return value < 0 && /[1-9]/.test(text) ? `-${text}` : text;
}

function signed(value: number): string {
  const text = grouped(value, 2);
  return text.startsWith("-") || !/[1-9]/.test(text) ? text : `+${text}`;
}

function minute(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace("T", " ");
}

function days(length: number): string {
  return length < DAY ? duration(length) : `${(length / DAY).toFixed(1)} days`;
}

function duration(length: number): string {
  if (length >= 2 * DAY) return `${(length / DAY).toFixed(1)} d`;
  if (length >= 2 * HOUR) return `${(length / HOUR).toFixed(1)} h`;
  return `${(length / 60_000).toFixed(0)} min`;
}

function plural(count: number, noun: string): string {
  return `${grouped(count, 0)} ${noun}${count === 1 ? "" : "s"}`;
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(1, width - widthOf(text)));
}

function spread(left: string, right: string, width: number): string {
  return padded(left, width - widthOf(right)) + right;
}

/** Breaks at spaces; a longer word is cut. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    let rest = word;
    if (line !== "" && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = "";
    }
    for (; rest.length > width; rest = rest.slice(width)) lines.push(rest.slice(0, width));
    line = line === "" ? rest : `${line} ${rest}`;
  }
  return line === "" ? lines : [...lines, line];
}
