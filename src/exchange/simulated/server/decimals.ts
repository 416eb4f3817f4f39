import { type Instrument, powerOfTen } from "../../../core/instrument.ts";

/** "12.340" of 12340 and 3: an exact decimal with all of its places. */
export function decimalText(units: bigint | number, places: number): string {
  const negative = units < 0;
  const digits = String(negative ? -units : units).padStart(places + 1, "0");
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return negative ? `-${text}` : text;
}

/** The same without trailing zeros: "12.34". */
export function shortDecimal(units: bigint | number, places: number): string {
  const text = decimalText(units, places);
  return places === 0 ? text : text.replace(/\.?0+$/, "");
}

export function priceText(instrument: Instrument, ticks: number): string {
  return decimalText(ticks * instrument.tickUnits, instrument.priceDecimals);
}

export function quantityText(instrument: Instrument, lots: number): string {
  return decimalText(lots * instrument.lotUnits, instrument.quantityDecimals);
}

/** USDT with eight places. */
export function moneyText(money: bigint | number): string {
  return decimalText(money, 8);
}

/** Further places of an average beyond those of the price. */
const AVERAGE_PLACES = 5;

/** Average price of lots that cost so much (1e-8 USDT), rounded to nearest; "0" of no lots. */
export function averageText(instrument: Instrument, cost: bigint, lots: number, places = AVERAGE_PLACES): string {
  if (lots === 0) return "0";
  const scale = BigInt(powerOfTen(places)) * BigInt(instrument.tickUnits);
  const divisor = BigInt(lots < 0 ? -lots : lots) * BigInt(instrument.unitValue);
  const units = (2n * cost * scale + divisor) / (2n * divisor);
  return decimalText(units, instrument.priceDecimals + places);
}

/** Base volume of bars, which need not be whole lots. */
export function volumeText(instrument: Instrument, volume: number): string {
  return volume.toFixed(instrument.quantityDecimals);
}

/** What a decimal text is worth in steps of `stepUnits / 10 ** places`. */
export type ReadDecimal =
  | { readonly kind: "steps"; readonly steps: number }
  | { readonly kind: "malformed" | "too-precise" | "off-step" | "too-large" };

export function readDecimal(text: string, stepUnits: number, places: number): ReadDecimal {
  const parts = /^(-?)(\d{1,20})(?:\.(\d{0,30}))?$/.exec(text.trim());
  if (parts === null) return { kind: "malformed" };
  const [, sign, whole, fraction = ""] = parts;
  const kept = fraction.replace(/0+$/, "");
  if (kept.length > places) return { kind: "too-precise" };
  const units = BigInt(whole! + kept.padEnd(places, "0"));
  const step = BigInt(stepUnits);
  if (units % step !== 0n) return { kind: "off-step" };
  const steps = Number(units / step);
  if (!Number.isSafeInteger(steps)) return { kind: "too-large" };
  return { kind: "steps", steps: sign === "-" ? -steps : steps };
}
