import type { BacktestReport, ReportedTrade } from "./backtest-report.ts";

/** A trade of a run beside the one that a backtest of the same time made of it. Differences are the run's less the backtest's. */
export interface MatchedTrade {
  readonly run: ReportedTrade;
  readonly backtest: ReportedTrade;
  /** ms */
  readonly entryTime: number;
  readonly exitTime: number;
  /** Against the trade's own direction: positive is worse for the run. Basis points of the backtest's price. */
  readonly entryCost: number;
  readonly exitCost: number;
  /** Quantity of the run / quantity of the backtest. */
  readonly size: number;
  /** USDT */
  readonly pnl: number;
  /** USDT of result per USDT entered, in basis points: what is left when sizes differ. */
  readonly returns: number;
}

export interface Divergence {
  /** The time that both cover, ms. */
  readonly from: number;
  readonly to: number;
  readonly matched: readonly MatchedTrade[];
  readonly onlyRun: readonly ReportedTrade[];
  readonly onlyBacktest: readonly ReportedTrade[];
  /** Means over the matched trades; NaN without any. */
  readonly meanEntryCost: number;
  readonly meanExitCost: number;
  readonly meanReturns: number;
  /** Of all trades of the run less all of the backtest, USDT. */
  readonly pnl: number;
  readonly sameHash: boolean;
}

/** How far apart the entries of one trade may be, ms: a decision later is another trade. */
const SAME_TRADE = 5 * 60_000;

/**
 * How a run differs from a backtest of the same symbols and settings. Trades match one to one by symbol, leg and side,
 * the nearest entries first; only those that both can have closed are looked at.
 */
export function divergence(run: BacktestReport, backtest: BacktestReport): Divergence {
  const from = Math.max(run.from, backtest.from);
  const to = Math.min(run.to, backtest.to);
  const within = ({ trades }: BacktestReport) =>
    trades.filter(({ entryTime, exitTime }) => entryTime >= from && exitTime <= to);
  const [ours, theirs] = [within(run), within(backtest)];
  const pairs = ours
    .flatMap((one) =>
      theirs.flatMap((other) => (areAlike(one, other) ? [{ one, other, apart: apartOf(one, other) }] : [])),
    )
    .sort((a, b) => a.apart - b.apart);
  const taken = new Set<ReportedTrade>();
  const matched: MatchedTrade[] = [];
  for (const { one, other } of pairs) {
    if (taken.has(one) || taken.has(other)) continue;
    taken.add(one);
    taken.add(other);
    matched.push(compared(one, other));
  }
  matched.sort((a, b) => a.backtest.entryTime - b.backtest.entryTime);
  const mean = (of: (trade: MatchedTrade) => number) =>
    matched.reduce((sum, trade) => sum + of(trade), 0) / matched.length;
  const total = (trades: readonly ReportedTrade[]) => trades.reduce((sum, { pnl }) => sum + pnl, 0);
  return {
    from,
    to,
    matched,
    onlyRun: ours.filter((trade) => !taken.has(trade)),
    onlyBacktest: theirs.filter((trade) => !taken.has(trade)),
    meanEntryCost: mean(({ entryCost }) => entryCost),
    meanExitCost: mean(({ exitCost }) => exitCost),
    meanReturns: mean(({ returns }) => returns),
    pnl: total(ours) - total(theirs),
    sameHash: run.tradesHash === backtest.tradesHash,
  };
}

function areAlike(a: ReportedTrade, b: ReportedTrade): boolean {
  return a.symbol === b.symbol && a.leg === b.leg && a.side === b.side && apartOf(a, b) <= SAME_TRADE;
}

function apartOf(a: ReportedTrade, b: ReportedTrade): number {
  return Math.abs(a.entryTime - b.entryTime);
}

function compared(run: ReportedTrade, backtest: ReportedTrade): MatchedTrade {
  const side = run.side === "long" ? 1 : -1;
  const returnOf = ({ pnl, entryPrice, quantity }: ReportedTrade) => (pnl / (entryPrice * quantity)) * 10_000;
  return {
    run,
    backtest,
    entryTime: run.entryTime - backtest.entryTime,
    exitTime: run.exitTime - backtest.exitTime,
    entryCost: ((run.entryPrice - backtest.entryPrice) / backtest.entryPrice) * side * 10_000,
    exitCost: ((backtest.exitPrice - run.exitPrice) / backtest.exitPrice) * side * 10_000,
    size: run.quantity / backtest.quantity,
    pnl: run.pnl - backtest.pnl,
    returns: returnOf(run) - returnOf(backtest),
  };
}

/** The report as lines for people. */
export function divergenceText(found: Divergence): string {
  const { matched, onlyRun, onlyBacktest, sameHash, meanEntryCost, meanExitCost, meanReturns, pnl } = found;
  const at = (time: number) => new Date(time).toISOString().slice(0, 16).replace("T", " ");
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const bps = (value: number) => `${value.toFixed(2)} bp`;
  const row = (cells: readonly string[]) =>
    cells.map((cell, index) => (index < 3 ? cell.padEnd(WIDTHS[index]!) : cell.padStart(WIDTHS[index]!))).join("  ");
  const alone = (trades: readonly ReportedTrade[], where: string) =>
    trades.map(({ symbol, side, entryTime, pnl: result, reason }) => {
      return `${at(entryTime)}  ${symbol} ${side}, ${reason}, ${result.toFixed(2)} USDT: ${where}`;
    });
  const lines = [
    `${at(found.from)} to ${at(found.to)} UTC: ${matched.length} trades in both, ${onlyRun.length} in the run alone, ${onlyBacktest.length} in the backtest alone`,
    ...(sameHash ? ["the trades are identical (tradesHash)"] : []),
    ...(matched.length === 0 ? [] : [row(HEADS)]),
    ...matched.map(({ run, backtest, entryTime, exitTime, entryCost, exitCost, size, pnl: difference, returns }) =>
      row([
        at(backtest.entryTime),
        `${run.symbol} ${run.side}`,
        run.reason === backtest.reason ? run.reason : `${run.reason}/${backtest.reason}`,
        seconds(entryTime),
        seconds(exitTime),
        bps(entryCost),
        bps(exitCost),
        `${(size * 100).toFixed(0)} %`,
        difference.toFixed(2),
        bps(returns),
      ]),
    ),
    ...alone(onlyRun, "in the run alone"),
    ...alone(onlyBacktest, "in the backtest alone"),
    ...(matched.length === 0
      ? []
      : [
          `means: entry ${bps(meanEntryCost)}, exit ${bps(meanExitCost)}, result ${bps(meanReturns)} of what was entered`,
        ]),
    `result of the run less that of the backtest: ${pnl.toFixed(2)} USDT`,
  ];
  return `${lines.join("\n")}\n`;
}

const HEADS = ["entered (UTC)", "trade", "exit", "entry", "exit", "entry cost", "exit cost", "size", "USDT", "result"];
const WIDTHS = [16, 20, 14, 9, 10, 10, 10, 6, 8, 11];
