import { USDT } from "../core/instrument.ts";

/** Amount in USDT of whole 1e-8 USDT, with at most eight decimals: one correctly rounded division. */
export function usdt(units: number | bigint): number {
  return Number(units) / USDT;
}
