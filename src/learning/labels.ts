import type { VirtualTrade } from "../core/virtual-book.ts";

/** What a trade would have cost, as the simulated exchange charges it. Shares of the traded value. */
export interface TradingCosts {
  readonly takerFee: number;
  /** Half of the spread and the slippage, paid with each of the two orders. */
  readonly slippage: number;
}

/** Settlements of one symbol in rising order of time; rates as fractions, positive ones are paid by longs. */
export interface FundingSettlements {
  readonly time: ArrayLike<number>;
  readonly rate: ArrayLike<number>;
}

/**
 * What a virtual position would have brought as a share of its entry value, after fees, spread, slippage and funding.
 *
 * The virtual book is the triple barrier (López de Prado 2018, chapter 3) with the strategy's own stop and target and the
 * holding time as the vertical one; it plays a bar's adverse side first and enters at the next bar's open. Its prices
 * are raw, so the costs are added here: both orders take liquidity; settlements after the entry and up to the exit are
 * paid.
 */
export function netReturn(
  trade: Pick<VirtualTrade, "direction" | "entry" | "exit" | "entryTime" | "exitTime">,
  costs: TradingCosts,
  funding: FundingSettlements,
): number {
  const { direction, entry, exit } = trade;
  const turnover = 1 + exit / entry;
  let paid = 0;
  for (let i = 0; i < funding.time.length; i++) {
    const at = funding.time[i]!;
    if (at > trade.exitTime) break;
    if (at > trade.entryTime) paid += funding.rate[i]!;
  }
  return direction * (exit / entry - 1) - turnover * (costs.takerFee + costs.slippage) - direction * paid;
}
