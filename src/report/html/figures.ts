import type { ReportedTrade } from "../backtest-report.ts";
import { DAY, HOUR } from "../equity.ts";
import { grouped } from "../print.ts";
import { html, type Markup } from "./markup.ts";

/** What stands where a figure is not defined. */
export const NONE = "–";

/** "1,234.50", with a true minus. */
export function number(value: number, decimals = 2): string {
  return grouped(value, decimals).replace("-", "−");
}

/** Like `number`, and with a plus above zero: colour is never the only thing that tells gain from loss. */
export function signed(value: number, decimals = 2): string {
  const text = number(value, decimals);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** "12.3 %" of 0.123. The space does not break. */
export function percent(fraction: number | null, decimals = 1): string {
  return fraction === null ? NONE : `${number(fraction * 100, decimals)}\u00a0%`;
}

export function signedPercent(fraction: number, decimals = 1): string {
  return `${signed(fraction * 100, decimals)}\u00a0%`;
}

export function ratio(value: number | null, decimals = 2): string {
  return value === null ? NONE : number(value, decimals);
}

/** A figure that is a gain or a loss, as an element. */
export function result(value: number | null, text: (value: number) => string = signed): Markup {
  if (value === null) return html`<span>${NONE}</span>`;
  return html`<span class="${tone(value)}">${text(value)}</span>`;
}

export function tone(value: number): string {
  if (value > 0) return "gain";
  return value < 0 ? "loss" : "even";
}

export function duration(ms: number): string {
  if (ms >= 2 * DAY) return `${(ms / DAY).toFixed(1)} d`;
  if (ms >= 2 * HOUR) return `${(ms / HOUR).toFixed(1)} h`;
  return `${Math.round(ms / 60_000)} min`;
}

export function timeframeText(ms: number): string {
  if (ms % DAY === 0) return `${ms / DAY}d`;
  return ms % HOUR === 0 ? `${ms / HOUR}h` : `${ms / 60_000}m`;
}

/** "2025-10-02 04:45" */
export function minuteText(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace("T", " ");
}

export function dayText(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** "2 Oct" */
export function dayOfMonth(time: number): string {
  const date = new Date(time);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]!}`;
}

/** "Oct 2025" */
export function monthText(time: number): string {
  const date = new Date(time);
  return `${MONTHS[date.getUTCMonth()]!} ${date.getUTCFullYear()}`;
}

export function count(value: number, noun: string): string {
  return `${number(value, 0)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Distance from the planned entry to the planned stop in USDT per unit: what one R is. */
export function riskOf({ plannedEntry, stop }: ReportedTrade): number {
  return Math.abs(plannedEntry - stop);
}

/** Result as a multiple of what was planned to be risked, costs included. */
export function resultInR(trade: ReportedTrade): number | null {
  const risk = riskOf(trade) * trade.quantity;
  return risk > 0 ? trade.pnl / risk : null;
}

/** Excursions as multiples of the planned risk; null where they are unknown. */
export function excursionsInR(trade: ReportedTrade): { readonly mae: number; readonly mfe: number } | null {
  const risk = riskOf(trade);
  if (trade.mae === null || trade.mfe === null || !(risk > 0)) return null;
  return { mae: (trade.mae * trade.entryPrice) / risk, mfe: (trade.mfe * trade.entryPrice) / risk };
}

export function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
