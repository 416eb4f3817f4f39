import { EXIT_REASONS, type ExitReason, type Trade } from "../core/effects.ts";
import { calmar, type EquityCurve, sharpe, sortino } from "./equity.ts";
import { usdt } from "./money.ts";

/**
 * The figures of a run. Money in USDT. Null means that the figure is not defined: no trades, no loss, no variance.
 * Trades are closed positions; what is still open counts in equity and drawdown, but not in netPnl, fees and funding.
 */
export interface Summary {
  readonly trades: number;
  readonly wins: number;
  readonly losses: number;
  /** Trades with a positive result over all trades, 0 to 1. */
  readonly winRate: number | null;
  /** Sum of the winning results over the sum of the losing ones. */
  readonly profitFactor: number | null;
  /** Results of the trades after fees and funding. */
  readonly netPnl: number;
  /** Paid. */
  readonly fees: number;
  /** Received; negative where more was paid. */
  readonly funding: number;
  /** Largest fall of the equity from a peak, as a fraction of the peak, over all points. */
  readonly maxDrawdown: number;
  readonly maxDrawdownUsdt: number;
  readonly sharpe: number | null;
  readonly sortino: number | null;
  readonly calmar: number | null;
  /** Share of the time with at least one open position, 0 to 1. */
  readonly exposure: number;
  /** Value of the positions over equity, averaged over time. */
  readonly averageExposure: number;
  /** Value traded, openings and closings, over the average equity. */
  readonly turnover: number;
  readonly startEquity: number;
  readonly endEquity: number;
  /** Change of the equity over the run as a fraction of its start. */
  readonly growth: number;
  readonly averageTrade: number | null;
  readonly averageWin: number | null;
  readonly averageLoss: number | null;
  readonly bestTrade: number | null;
  readonly worstTrade: number | null;
  /** Time from the first fill to flat, ms. */
  readonly averageHolding: number | null;
  readonly exits: Readonly<Partial<Record<ExitReason, number>>>;
  /** The sums again as whole 1e-8 USDT. */
  readonly exact: { readonly netPnl: string; readonly fees: string; readonly funding: string };
}

/** @param openNotional value at which the positions were opened that are still open, 1e-8 USDT */
export function summarise(trades: readonly Trade[], equity: EquityCurve, openNotional: bigint): Summary {
  let [netPnl, fees, funding, traded] = [0n, 0n, 0n, openNotional];
  let [gain, loss] = [0n, 0n];
  let [wins, losses, holding] = [0, 0, 0];
  let best: bigint | undefined;
  let worst: bigint | undefined;
  const exits: Partial<Record<ExitReason, number>> = {};
  for (const trade of trades) {
    netPnl += trade.pnl;
    fees += trade.fees;
    funding += trade.funding;
    traded += trade.entryNotional + trade.exitNotional;
    holding += trade.exitTime - trade.entryTime;
    if (trade.pnl > 0n) {
      wins++;
      gain += trade.pnl;
    } else if (trade.pnl < 0n) {
      losses++;
      loss += trade.pnl;
    }
    if (best === undefined || trade.pnl > best) best = trade.pnl;
    if (worst === undefined || trade.pnl < worst) worst = trade.pnl;
  }
  for (const reason of EXIT_REASONS) {
    const count = trades.filter((trade) => trade.reason === reason).length;
    if (count > 0) exits[reason] = count;
  }
  const count = trades.length;
  const { start, end, drawdown, averageEquity } = equity;
  const growth = start.equity > 0 ? (end.equity - start.equity) / start.equity : 0;
  const returns = equity.dailyReturns() ?? [];
  return {
    trades: count,
    wins,
    losses,
    winRate: count > 0 ? wins / count : null,
    profitFactor: losses > 0 ? Number(gain) / -Number(loss) : null,
    netPnl: usdt(netPnl),
    fees: usdt(fees),
    funding: usdt(funding),
    maxDrawdown: drawdown.fraction,
    maxDrawdownUsdt: usdt(drawdown.amount),
    sharpe: sharpe(returns),
    sortino: sortino(returns),
    calmar: calmar(growth, equity.elapsed, drawdown.fraction),
    exposure: equity.timeInMarket,
    averageExposure: equity.averageExposure,
    turnover: averageEquity > 0 ? Number(traded) / averageEquity : 0,
    startEquity: usdt(start.equity),
    endEquity: usdt(end.equity),
    growth,
    averageTrade: average(netPnl, count),
    averageWin: average(gain, wins),
    averageLoss: average(loss, losses),
    bestTrade: best === undefined ? null : usdt(best),
    worstTrade: worst === undefined ? null : usdt(worst),
    averageHolding: count > 0 ? holding / count : null,
    exits,
    exact: { netPnl: netPnl.toString(), fees: fees.toString(), funding: funding.toString() },
  };
}

/** In USDT, rounded to 1e-8. */
function average(sum: bigint, count: number): number | null {
  return count > 0 ? usdt(Math.round(Number(sum) / count)) : null;
}
