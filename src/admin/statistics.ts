import type { Mirror, TradeRow } from "./mirror.ts";

export interface Group {
  readonly trades: number;
  readonly wins: number;
  readonly pnl: number;
  readonly fees: number;
}

export interface Statistics extends Group {
  readonly profitFactor: number | null;
  readonly averageWin: number | null;
  readonly averageLoss: number | null;
  /** Exits that nobody planned: the disaster stop, unprotected positions, liquidations. */
  readonly unplannedStops: number;
  readonly byReason: Readonly<Record<string, Group>>;
  readonly bySetup: Readonly<Record<string, Group>>;
  readonly bySymbol: Readonly<Record<string, Group>>;
  /** By whole hour of the exit, ms UTC, oldest first. */
  readonly byHour: readonly (Group & { readonly hour: number })[];
}

const HOUR = 3_600_000;
const UNPLANNED = new Set(["disaster-stop", "unprotected", "liquidation", "adl"]);

/** Results of the trades that the mirror remembers. USDT. */
export function statisticsOf(mirror: Mirror): Statistics {
  const trades = mirror.trades.all();
  const wins = trades.filter(({ pnl }) => pnl > 0);
  const losses = trades.filter(({ pnl }) => pnl < 0);
  const gain = sum(wins);
  const loss = -sum(losses);
  const hours = groupBy(trades, ({ exitTime }) => String(exitTime - (exitTime % HOUR)));
  return {
    ...groupOf(trades),
    profitFactor: loss > 0 ? gain / loss : null,
    averageWin: wins.length > 0 ? gain / wins.length : null,
    averageLoss: losses.length > 0 ? -loss / losses.length : null,
    unplannedStops: trades.filter(({ reason }) => UNPLANNED.has(reason)).length,
    byReason: groupBy(trades, ({ reason }) => reason),
    bySetup: groupBy(trades, ({ setup }) => setup),
    bySymbol: groupBy(trades, ({ symbol }) => symbol),
    byHour: Object.entries(hours)
      .map(([hour, group]) => ({ hour: Number(hour), ...group }))
      .sort((a, b) => a.hour - b.hour),
  };
}

function groupBy(trades: readonly TradeRow[], key: (trade: TradeRow) => string): Record<string, Group> {
  const groups = Object.groupBy(trades, key) as Record<string, readonly TradeRow[]>;
  return Object.fromEntries(Object.entries(groups).map(([name, members]) => [name, groupOf(members)]));
}

function groupOf(trades: readonly TradeRow[]): Group {
  return {
    trades: trades.length,
    wins: trades.filter(({ pnl }) => pnl > 0).length,
    pnl: sum(trades),
    fees: trades.reduce((total, { fees }) => total + fees, 0),
  };
}

function sum(trades: readonly TradeRow[]): number {
  return trades.reduce((total, { pnl }) => total + pnl, 0);
}
