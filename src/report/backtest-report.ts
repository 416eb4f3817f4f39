import type { ExitReason, Trade } from "../core/effects.ts";
import type { Leg } from "../core/events.ts";
import { type Instrument, powerOfTen, priceOf, quantityOf } from "../core/instrument.ts";
import type { Venue } from "../exchange/exchange.ts";
import type { BuyAndHold } from "./buy-and-hold.ts";
import type { Collector, StateChange, VirtualSummary } from "./collector.ts";
import { type ReportedPoint, reportedPoint, sharpe } from "./equity.ts";
import type { Excursion } from "./excursions.ts";
import type { ExecutionSummary } from "./executions.ts";
import { usdt } from "./money.ts";
import { type Summary, summarise } from "./summary.ts";
import { sortedTrades, symbolOf } from "./trades-hash.ts";

/** The JSON of a backtest; other work relies on these names. Times in ms since the epoch, money in USDT. */
export interface BacktestReport {
  readonly mode: Venue;
  readonly tradesHash: string;
  /** SHA-256 over the virtual trades in the order in which they were closed. */
  readonly virtualTradesHash: string;
  readonly dataHash: string;
  readonly settingsHash: string;
  /** Of the model that decided; null where the rules did. */
  readonly modelHash: string | null;
  /** Of the run, by name. */
  readonly symbols: readonly string[];
  /** Base timeframe, ms. */
  readonly timeframe: number;
  /** When trading started, and the last point of the equity. */
  readonly from: number;
  readonly to: number;
  readonly summary: Summary;
  /** In the order of the hash. */
  readonly trades: readonly ReportedTrade[];
  /** The start, the last point of each hour, peak and trough of the largest drawdown, and the end. */
  readonly equity: readonly ReportedPoint[];
  readonly refusals: Readonly<Record<string, number>>;
  /** The first refusal of each guard in words. */
  readonly refusalExamples: Readonly<Record<string, RefusalExample>>;
  readonly costs: ReportedCosts;
  /** What the entries came to, and the slippage of each order by what it was for. */
  readonly execution: ExecutionSummary;
  /** The same money on the same bars without a trader: an equal share in each symbol, held, free of costs. */
  readonly buyAndHold: Benchmark;
  readonly assumptions: readonly string[];
  readonly timing: Timing & { readonly barsPerSecond: number };
  readonly openPositions: readonly ReportedPosition[];
  readonly signals: number;
  readonly stateChanges: readonly StateChange[];
  readonly stopMoves: number;
  readonly virtual: VirtualSummary;
}

/** `bars` are real base bars; `wallSeconds` is the whole command. */
export interface Timing {
  readonly bars: number;
  readonly loadSeconds: number;
  readonly runSeconds: number;
  readonly wallSeconds: number;
}

export interface RefusalExample {
  readonly time: number;
  readonly symbol: string;
  readonly reason: string;
}

/** USDT over all fills, those of open positions included; what was paid is positive. */
export interface ReportedCosts {
  readonly fees: number;
  /** Estimated: half the spread and the slippage on the value of every taker fill, in whole ticks. */
  readonly spreadAndSlippage: number;
  /** Paid; negative where more was received. */
  readonly funding: number;
}

export interface Benchmark {
  /** Change over the run as a fraction of its start. */
  readonly growth: number;
  readonly maxDrawdown: number;
  readonly sharpe: number | null;
  /** Like `equity` of the report. */
  readonly equity: readonly { readonly time: number; readonly equity: number }[];
}

export interface ReportedTrade {
  readonly symbol: string;
  readonly side: "long" | "short";
  readonly leg: Leg;
  readonly entryTime: number;
  readonly exitTime: number;
  readonly entryAt: string;
  readonly exitAt: string;
  /** Averages over all fills, USDT. */
  readonly entryPrice: number;
  readonly exitPrice: number;
  readonly lots: number;
  /** Base units. */
  readonly quantity: number;
  readonly leverage: number;
  readonly pnl: number;
  readonly fees: number;
  readonly funding: number;
  readonly reason: ExitReason;
  readonly strategy: string;
  readonly setup: string;
  readonly confidence: number;
  readonly reasons: readonly string[];
  readonly plannedEntry: number;
  readonly stop: number;
  readonly target: number;
  /**
   * Largest excursion against the position and in its favour, as a fraction of the entry price, 0 or more; null when
   * no bars were seen. How bars are read is told in excursions.ts.
   */
  readonly mae: number | null;
  readonly mfe: number | null;
  /** What the hash is made of: 1e-8 USDT, and planned prices in ticks. */
  readonly exact: {
    readonly entryNotional: string;
    readonly exitNotional: string;
    readonly fees: string;
    readonly funding: string;
    readonly pnl: string;
    readonly plannedEntry: number;
    readonly stop: number;
    readonly target: number;
  };
}

/** A position that is open at the end, marked; 1e-8 USDT, lots and ticks as in the core. */
export interface OpenPosition {
  readonly symbol: number;
  readonly leg: Leg;
  readonly direction: 1 | -1;
  readonly entryTime: number;
  readonly lots: number;
  readonly entryNotional: bigint;
  /** Ticks. */
  readonly mark: number;
  readonly unrealised: number;
}

export interface ReportedPosition {
  readonly symbol: string;
  readonly side: "long" | "short";
  readonly leg: Leg;
  readonly entryTime: number;
  readonly entryAt: string;
  readonly entryPrice: number;
  readonly lots: number;
  readonly quantity: number;
  readonly mark: number;
  readonly unrealised: number;
}

export interface ReportInput {
  readonly collector: Collector;
  readonly mode: Venue;
  readonly dataHash: string;
  readonly settingsHash: string;
  readonly modelHash?: string | undefined;
  /** Base timeframe, ms. */
  readonly timeframe: number;
  readonly assumptions: readonly string[];
  readonly timing: Timing;
  readonly openPositions: readonly OpenPosition[];
}

export function backtestReport(input: ReportInput): BacktestReport {
  const { collector, timing, openPositions } = input;
  const { instruments, equity, trades } = collector;
  let openNotional = 0n;
  for (const position of openPositions) openNotional += position.entryNotional;
  const examples = [...collector.refusalsByGuard].map(([guard, { example }]) => {
    const { time, reason } = example;
    return [guard, { time, symbol: symbolOf(example, instruments), reason }] as const;
  });
  return {
    mode: input.mode,
    tradesHash: collector.tradesHash,
    virtualTradesHash: collector.virtual.hash,
    dataHash: input.dataHash,
    settingsHash: input.settingsHash,
    modelHash: input.modelHash ?? null,
    symbols: instruments.map((instrument) => instrument.symbol),
    timeframe: input.timeframe,
    from: equity.start.time,
    to: equity.end.time,
    summary: summarise(trades, equity, openNotional),
    trades: sortedTrades(trades, instruments).map((trade) =>
      reportedTrade(trade, instruments, collector.excursions.of(trade)),
    ),
    equity: equity.samples().map(reportedPoint),
    refusals: collector.refusals,
    refusalExamples: Object.fromEntries(examples),
    costs: {
      fees: usdt(collector.fees),
      spreadAndSlippage: usdt(collector.spreadAndSlippage),
      // Nothing received is nothing paid, not -0.
      funding: usdt(0 - collector.funding),
    },
    execution: collector.executions.summary(),
    buyAndHold: benchmark(collector.buyAndHold),
    assumptions: input.assumptions,
    timing: {
      bars: timing.bars,
      loadSeconds: timing.loadSeconds,
      runSeconds: timing.runSeconds,
      wallSeconds: timing.wallSeconds,
      barsPerSecond: timing.wallSeconds > 0 ? Math.round(timing.bars / timing.wallSeconds) : 0,
    },
    openPositions: openPositions.map((position) => reportedPosition(position, instruments)),
    signals: collector.signals,
    stateChanges: collector.stateChanges,
    stopMoves: collector.stopMoves,
    virtual: collector.virtual.summary(),
  };
}

function benchmark(held: BuyAndHold): Benchmark {
  held.end();
  const { start, end, drawdown } = held.curve;
  return {
    growth: start.equity > 0 ? end.equity / start.equity - 1 : 0,
    maxDrawdown: drawdown.fraction,
    sharpe: sharpe(held.curve.dailyReturns() ?? []),
    equity: held.curve.samples().map(({ time, equity }) => ({ time, equity: usdt(equity) })),
  };
}

function reportedTrade(
  trade: Trade,
  instruments: readonly Instrument[],
  excursion: Excursion | undefined,
): ReportedTrade {
  const symbol = symbolOf(trade, instruments);
  const instrument = instruments[trade.symbol]!;
  const entryTicks = Number(trade.entryNotional) / (trade.lots * instrument.unitValue);
  const share = (distance: number) => Math.max(0, trade.direction * distance) / entryTicks;
  return {
    symbol,
    side: trade.direction === 1 ? "long" : "short",
    leg: trade.leg,
    entryTime: trade.entryTime,
    exitTime: trade.exitTime,
    entryAt: new Date(trade.entryTime).toISOString(),
    exitAt: new Date(trade.exitTime).toISOString(),
    entryPrice: averagePrice(instrument, trade.entryNotional, trade.lots),
    exitPrice: averagePrice(instrument, trade.exitNotional, trade.lots),
    lots: trade.lots,
    quantity: quantityOf(instrument, trade.lots),
    leverage: trade.leverage,
    pnl: usdt(trade.pnl),
    fees: usdt(trade.fees),
    funding: usdt(trade.funding),
    reason: trade.reason,
    strategy: trade.strategy,
    setup: trade.setup,
    confidence: trade.confidence,
    reasons: trade.reasons,
    plannedEntry: priceOf(instrument, trade.plannedEntry),
    stop: priceOf(instrument, trade.stop),
    target: priceOf(instrument, trade.target),
    mae: excursion === undefined ? null : share(entryTicks - excursion.worst),
    mfe: excursion === undefined ? null : share(excursion.best - entryTicks),
    exact: {
      entryNotional: trade.entryNotional.toString(),
      exitNotional: trade.exitNotional.toString(),
      fees: trade.fees.toString(),
      funding: trade.funding.toString(),
      pnl: trade.pnl.toString(),
      plannedEntry: trade.plannedEntry,
      stop: trade.stop,
      target: trade.target,
    },
  };
}

function reportedPosition(position: OpenPosition, instruments: readonly Instrument[]): ReportedPosition {
  const symbol = symbolOf(position, instruments);
  const instrument = instruments[position.symbol]!;
  return {
    symbol,
    side: position.direction === 1 ? "long" : "short",
    leg: position.leg,
    entryTime: position.entryTime,
    entryAt: new Date(position.entryTime).toISOString(),
    entryPrice: averagePrice(instrument, position.entryNotional, position.lots),
    lots: position.lots,
    quantity: quantityOf(instrument, position.lots),
    mark: priceOf(instrument, position.mark),
    unrealised: usdt(position.unrealised),
  };
}

/** Average price in USDT of lots that were worth `notional`, to two decimals more than a tick has. */
function averagePrice(instrument: Instrument, notional: bigint, lots: number): number {
  const ticks = Number(notional) / (lots * instrument.unitValue);
  const finer = powerOfTen(instrument.priceDecimals + 2);
  return Math.round(((ticks * instrument.tickUnits) / powerOfTen(instrument.priceDecimals)) * finer) / finer;
}
