import { type Instrument, powerOfTen } from "../../core/instrument.ts";

/**
 * Between the exchange's decimal strings and our integers, exactly: no price or quantity ever passes through a float.
 */

const DECIMAL = /^(-?)(\d+)(?:\.(\d*))?$/;

/**
 * A decimal string as a whole number of 10^-decimals, rounded half away from zero where it has more places.
 * @throws RangeError for anything that is not a decimal number
 */
export function scaled(text: string, decimals: number): bigint {
  const match = DECIMAL.exec(text);
  // The exchange writes some zeros as "0E-8".
  if (match === null) return scaled(plain(text), decimals);
  const [, sign, whole, fraction = ""] = match;
  const kept = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, "0"));
  const value = (fraction[decimals] ?? "0") >= "5" ? kept + 1n : kept;
  return sign === "-" ? -value : value;
}

function plain(text: string): string {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || !/e/i.test(text)) throw new RangeError(`"${text}" is not a decimal`);
  return value.toFixed(18);
}

/** Money as 1e-8 USDT. */
export function moneyOf(text: string): number {
  const value = Number(scaled(text, 8));
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} USDT exceeds exact arithmetic`);
  return value;
}

/** Places that an average price is taken with: the exchange gives about eleven digits. */
const AVERAGE_DECIMALS = 16;

/**
 * What lots have cost at an average price, which need not lie on the grid; 1e-8 USDT, rounded to the nearest. Beyond
 * exact arithmetic it is what a float makes of it, and no safe integer.
 */
export function costOf(instrument: Instrument, lots: number, price: string): number {
  const quantity = BigInt(lots * instrument.lotUnits);
  const unit = 10n ** BigInt(AVERAGE_DECIMALS + instrument.quantityDecimals - 8);
  return Number((scaled(price, AVERAGE_DECIMALS) * quantity + unit / 2n) / unit);
}

/** Nearest whole number of ticks; prices of trades lie on the grid. */
export function ticksFrom(instrument: Instrument, price: string): number {
  return steps(scaled(price, instrument.priceDecimals), instrument.tickUnits);
}

/** Nearest whole number of lots; signed as the text is. */
export function lotsFrom(instrument: Instrument, quantity: string): number {
  return steps(scaled(quantity, instrument.quantityDecimals), instrument.lotUnits);
}

function steps(units: bigint, size: number): number {
  const value = Number(units);
  return size === 1 ? value : Math.round(value / size);
}

export function priceText(instrument: Instrument, ticks: number): string {
  return decimalText(ticks * instrument.tickUnits, instrument.priceDecimals);
}

export function quantityText(instrument: Instrument, lots: number): string {
  return decimalText(lots * instrument.lotUnits, instrument.quantityDecimals);
}

/** A whole number of 10^-decimals as a decimal string. */
function decimalText(units: number, decimals: number): string {
  if (!Number.isSafeInteger(units)) throw new RangeError(`${units} is not a whole number of steps`);
  if (decimals === 0) return String(units);
  const digits = String(Math.abs(units)).padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return `${units < 0 ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Places after the point of a step such as "0.00100000", and the step as a whole number of them. */
export function stepOf(text: string): { readonly units: number; readonly decimals: number } {
  const trimmed = text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
  const decimals = trimmed.split(".")[1]?.length ?? 0;
  const units = Number(scaled(trimmed, decimals));
  if (!(units > 0)) throw new RangeError(`"${text}" is no step`);
  return { units, decimals };
}

/** Value of one lot moving by one tick, 1e-8 USDT. @throws RangeError where that is no whole number */
export function unitValueOf(
  tick: { readonly units: number; readonly decimals: number },
  lot: { readonly units: number; readonly decimals: number },
): number {
  const decimals = tick.decimals + lot.decimals;
  const units = tick.units * lot.units;
  const value = decimals <= 8 ? units * powerOfTen(8 - decimals) : units / powerOfTen(decimals - 8);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError("a lot's tick is worth no whole 1e-8 USDT");
  return value;
}
