import { currentLanguage } from "./text.js";

/** @param {number} value @param {number} [digits] */
export function number(value, digits = 2) {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** @param {number} value USDT */
export function money(value) {
  return `${value < 0 ? "−" : ""}${number(Math.abs(value))}`;
}

/** @param {number} value with its sign, also for gains */
export function signed(value, digits = 2) {
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value), digits)}`;
}

/** @param {number} share 0 to 1 */
export function percent(share, digits = 1) {
  return `${share < 0 ? "−" : ""}${number(Math.abs(share) * 100, digits)} %`;
}

/** A price as short as it is exact: prices of contracts lie between 0.000001 and 100,000. @param {number} value */
export function price(value) {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 10 });
}

/** @param {number} value */
export function tone(value) {
  return value > 0 ? "gain" : value < 0 ? "loss" : null;
}

/** Date and time, UTC: markets have one clock. @param {number} time ms */
export function time(time) {
  return new Date(time).toISOString().slice(5, 16).replace("T", " ");
}

/** @param {number} time ms */
export function fullTime(time) {
  return `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const zh = currentLanguage() !== "en";
  /** @type {[number, string, string][]} */
  const units = [
    [86_400, "d", "天"],
    [3600, "h", "時"],
    [60, "min", "分"],
  ];
  for (const [size, short, chinese] of units) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${zh ? chinese : short}`;
  }
  return `${seconds} ${zh ? "秒" : "s"}`;
}
