import type { BarSource } from "../market/bar-source.ts";
import { generateMarket } from "../market/generated-market.ts";

/** Where a generated market begins to trade: a fixed time, so that a seed gives the same run on every day. */
export const GENERATED_START = Date.UTC(2026, 0, 5);
/** History before it, enough for every 1h indicator. */
const WARM_DAYS = 4;
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** The market of `penstock run` without data. */
export function generatedSource(seed: number, symbols: number): BarSource {
  return generateMarket({ seed, symbols, start: GENERATED_START, historySteps: (WARM_DAYS * DAY) / MINUTE });
}
