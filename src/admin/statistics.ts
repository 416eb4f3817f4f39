import type { LatencyPoint } from "./latency.ts";
import type { Mirror, TradeRow } from "./mirror.ts";

export interface Group {
  readonly trades: number;
  readonly wins: number;
  readonly pnl: number;
  readonly fees: number;
  /** Mean result as a multiple of what was risked, R; null where no trade risked anything. */
  readonly averageR: number | null;
}

/** What the day was like: how good the trades were, what the fills cost, and what went otherwise than planned. */
export interface Day extends Group {
  /** Start of the UTC day, ms. */
  readonly day: number;
  /** Entries' fills against their plan, basis points; positive is worse. */
  readonly slippageP50: number;
  readonly slippageP90: number;
  readonly unplannedStops: number;
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
  /** By UTC day of the exit, oldest first. */
  readonly byDay: readonly Day[];
  readonly latency: readonly LatencyPoint[];
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const UNPLANNED = new Set(["disaster-stop", "unprotected", "liquidation", "adl"]);

/** Results of the trades that the mirror remembers. USDT. @param latency how quick the trader was */
export function statisticsOf(mirror: Pick<Mirror, "trades">, latency: readonly LatencyPoint[]): Statistics {
  const trades = mirror.trades.all();
  const wins = trades.filter(({ pnl }) => pnl > 0);
  const losses = trades.filter(({ pnl }) => pnl < 0);
  const gain = sum(wins);
  const loss = -sum(losses);
  return {
    ...groupOf(trades),
    profitFactor: loss > 0 ? gain / loss : null,
    averageWin: wins.length > 0 ? gain / wins.length : null,
    averageLoss: losses.length > 0 ? -loss / losses.length : null,
    unplannedStops: trades.filter(isUnplanned).length,
    byReason: groupBy(trades, ({ reason }) => reason),
    bySetup: groupBy(trades, ({ setup }) => setup),
    bySymbol: groupBy(trades, ({ symbol }) => symbol),
    byHour: byTime(trades, HOUR).map(([hour, members]) => ({ hour, ...groupOf(members) })),
    byDay: byTime(trades, DAY).map(([day, members]) => {
      const slippage = members.map(slippageOf).sort((a, b) => a - b);
      return {
        day,
        ...groupOf(members),
        slippageP50: quantile(slippage, 0.5),
        slippageP90: quantile(slippage, 0.9),
        unplannedStops: members.filter(isUnplanned).length,
      };
    }),
    latency,
  };
}

function isUnplanned({ reason }: TradeRow): boolean {
  return UNPLANNED.has(reason);
}

/** How much worse than planned a trade was entered, basis points. */
export function slippageOf({ direction, entry, plannedEntry }: TradeRow): number {
  return ((direction === "long" ? entry - plannedEntry : plannedEntry - entry) / plannedEntry) * 1e4;
}

/** The nearest-rank quantile of sorted values, of which there is at least one. @param share 0 to 1 */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

function byTime(trades: readonly TradeRow[], span: number): [start: number, members: readonly TradeRow[]][] {
  const groups = Map.groupBy(trades, ({ exitTime }) => exitTime - (exitTime % span));
  return [...groups].sort(([a], [b]) => a - b);
}

function groupBy(trades: readonly TradeRow[], key: (trade: TradeRow) => string): Record<string, Group> {
  const groups = Map.groupBy(trades, key);
  return Object.fromEntries([...groups].map(([name, members]) => [name, groupOf(members)]));
}

function groupOf(trades: readonly TradeRow[]): Group {
  const risked = trades
    .map(({ pnl, entry, stop, quantity }) => pnl / (Math.abs(entry - stop) * quantity))
    .filter(Number.isFinite);
  return {
    trades: trades.length,
    wins: trades.filter(({ pnl }) => pnl > 0).length,
    pnl: sum(trades),
    fees: trades.reduce((total, { fees }) => total + fees, 0),
    averageR: risked.length > 0 ? risked.reduce((total, r) => total + r, 0) / risked.length : null,
  };
}

function sum(trades: readonly TradeRow[]): number {
  return trades.reduce((total, { pnl }) => total + pnl, 0);
}
