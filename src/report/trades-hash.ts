import { createHash } from "node:crypto";
import type { Trade } from "../core/effects.ts";
import { LEGS } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";
import type { VirtualTrade } from "../core/virtual-book.ts";

/**
 * The trades as the hash sees them: by exit time, then symbol by name (code units), then leg (both, long, short), then
 * the order in which they were closed.
 */
export function sortedTrades(trades: readonly Trade[], instruments: readonly Instrument[]): Trade[] {
  // Sorting is stable, which keeps the order of closing.
  return trades.toSorted((a, b) => {
    if (a.exitTime !== b.exitTime) return a.exitTime - b.exitTime;
    const left = symbolOf(a, instruments);
    const right = symbolOf(b, instruments);
    if (left !== right) return left < right ? -1 : 1;
    return LEGS.indexOf(a.leg) - LEGS.indexOf(b.leg);
  });
}

/**
 * SHA-256, in hex, over one line per closed trade in the order of `sortedTrades`. Each line ends in a line feed and has
 * these fields, separated by single spaces, numbers as plain decimal integers:
 *
 * ```
 * exitTime symbol leg direction entryTime lots entryNotional exitNotional fees funding pnl entry stop target reason
 * ```
 *
 * Times are ms since the epoch, direction is 1 or -1, notionals, fees, funding and pnl are 1e-8 USDT; entry, stop and
 * target are the planned prices in ticks. No trades hash to the SHA-256 of nothing. The report's JSON holds every field.
 */
export function tradesHash(trades: readonly Trade[], instruments: readonly Instrument[]): string {
  const hash = createHash("sha256");
  for (const trade of sortedTrades(trades, instruments)) hash.update(`${tradeLine(trade, instruments)}\n`);
  return hash.digest("hex");
}

/** One line of the hash, without its line feed. @throws RangeError for a number that is not a safe integer: a bug. */
export function tradeLine(trade: Trade, instruments: readonly Instrument[]): string {
  const symbol = symbolOf(trade, instruments);
  const { exitTime, direction, entryTime, lots, plannedEntry, stop, target } = trade;
  for (const value of [exitTime, direction, entryTime, lots, plannedEntry, stop, target]) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`a trade of ${symbol} holds ${value}, not a whole number`);
  }
  const { leg, entryNotional, exitNotional, fees, funding, pnl, reason } = trade;
  return (
    `${exitTime} ${symbol} ${leg} ${direction} ${entryTime} ${lots} ${entryNotional} ${exitNotional} ` +
    `${fees} ${funding} ${pnl} ${plannedEntry} ${stop} ${target} ${reason}`
  );
}

export function symbolOf(of: { readonly symbol: number }, instruments: readonly Instrument[]): string {
  const instrument = instruments[of.symbol];
  if (instrument === undefined) throw new RangeError(`there is no symbol ${of.symbol}`);
  return instrument.symbol;
}

/**
 * One line of the hash over virtual trades, in the order in which they were closed, numbers as plain decimal integers:
 *
 * ```
 * exitTime symbol direction signalTime entryTime plannedEntry entry exit stop target finalStop best bestAt worst worstAt outcome setup
 * ```
 *
 * @throws RangeError for a number that is not a safe integer: a bug.
 */
export function virtualTradeLine(trade: VirtualTrade, instruments: readonly Instrument[]): string {
  const symbol = symbolOf(trade, instruments);
  const numbers = [
    trade.direction,
    trade.signalTime,
    trade.entryTime,
    trade.plannedEntry,
    trade.entry,
    trade.exit,
    trade.stop,
    trade.target,
    trade.finalStop,
    trade.best,
    trade.bestAt,
    trade.worst,
    trade.worstAt,
  ];
  for (const value of [trade.exitTime, ...numbers]) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`a virtual trade of ${symbol} holds ${value}`);
  }
  return `${trade.exitTime} ${symbol} ${numbers.join(" ")} ${trade.outcome} ${trade.setup}`;
}
