import type { Direction } from "./candidate.ts";
import type { Instrument, LeverageBracket } from "./instrument.ts";

/**
 * The bracket of a position's value (1e-8 USDT). Where the exchange's brackets are not known there is one: it keeps half
 * of the smallest initial margin, as the exchange's first brackets do.
 */
export function bracketAt({ brackets, maxLeverage }: Instrument, value: number): LeverageBracket {
  const found = brackets?.find((bracket) => value <= bracket.cap) ?? brackets?.at(-1);
  return found ?? { maxLeverage, cap: Number.POSITIVE_INFINITY, maintenance: 1 / (2 * maxLeverage) };
}

/**
 * How far the price has to run against an isolated position until it is liquidated, as a share of the entry: the loss
 * has then eaten the initial margin down to the maintenance margin, (1 / L − m) / (1 ∓ m). The amount that a bracket
 * takes off its maintenance margin is left out, and a long counts as if it were a short: both err to the careful side.
 *
 * @param value what was paid for the position, 1e-8 USDT; a short's grows until its liquidation
 */
export function liquidationShare(
  instrument: Instrument,
  direction: Direction,
  value: number,
  leverage: number,
): number {
  const { maintenance } = bracketAt(instrument, direction === 1 ? value : value * (1 + 1 / leverage));
  return (1 / leverage - maintenance) / (1 + maintenance);
}

/**
 * The disaster stop lies at twice the working stop's distance from the entry, but never beyond half way from the working
 * stop to the liquidation. Undefined where there is no whole tick between the two.
 */
export function disasterStop(
  instrument: Instrument,
  direction: Direction,
  entry: number,
  stop: number,
  value: number,
  leverage: number,
): number | undefined {
  const distance = direction * (entry - stop);
  const liquidation = entry * liquidationShare(instrument, direction, value, leverage);
  const halfWay = (distance + liquidation) / 2;
  const wide = Math.round(halfWay < 2 * distance ? halfWay : 2 * distance);
  const chosen = wide > distance ? wide : Math.floor(distance) + 1;
  if (chosen >= liquidation) return undefined;
  const trigger = Math.round(entry - direction * chosen);
  return trigger > 1 ? trigger : 1;
}
