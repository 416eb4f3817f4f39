import { createHash } from "node:crypto";
import type { CoreRecord, Trade, TradingState } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import { type Instrument, notionalOf } from "../core/instrument.ts";
import { type VirtualStatistics, type VirtualTrade, virtualResult } from "../core/virtual-book.ts";
import { BuyAndHold } from "./buy-and-hold.ts";
import { EquityCurve } from "./equity.ts";
import { Excursions } from "./excursions.ts";
import { Executions } from "./executions.ts";
import { tradesHash, virtualTradeLine } from "./trades-hash.ts";

export interface StateChange {
  readonly time: number;
  readonly from: TradingState;
  readonly to: TradingState;
  readonly reason: string;
}

/** What a taker is assumed to lose against the price of a bar, in basis points. */
export interface TakerCosts {
  readonly spreadBps: number;
  readonly slippageBps: number;
}

const FREE: TakerCosts = { spreadBps: 0, slippageBps: 0 };

/** How often a guard said no, and the first time that it did, as an example. */
export interface Refusals {
  count: number;
  readonly example: { readonly time: number; readonly symbol: number; readonly reason: string };
}

/**
 * Gathers what a report needs from the core's records and from the events it was given, one by one. Memory grows with
 * trades and hours, not with bars.
 */
export class Collector {
  readonly instruments: readonly Instrument[];
  readonly equity: EquityCurve;
  /** In the order in which they were closed. */
  readonly trades: Trade[] = [];
  readonly excursions = new Excursions();
  /** To be told of each step: a watcher of the trader. */
  readonly executions = new Executions();
  readonly buyAndHold: BuyAndHold;
  /** What spread and slippage have cost, 1e-8 USDT: an estimate, because no fill tells what the price was without. */
  spreadAndSlippage = 0;
  /** Fees paid and funding received over all fills and all positions, 1e-8 USDT. */
  fees = 0;
  funding = 0;
  readonly takerCosts: TakerCosts;
  readonly #refusals = new Map<string, Refusals>();
  readonly stateChanges: StateChange[] = [];
  /** Candidates that reached the ranking, and positions that were opened. */
  signals = 0;
  opened = 0;
  /** How often the working stop of a position was moved. */
  stopMoves = 0;
  readonly virtual = new VirtualTrades();

  /** @param start when trading starts, ms  @param equity what it starts with, 1e-8 USDT */
  constructor(instruments: readonly Instrument[], start: number, equity: number, takerCosts = FREE) {
    this.instruments = instruments;
    this.equity = new EquityCurve(start, equity);
    this.buyAndHold = new BuyAndHold(instruments.length, start, equity);
    this.takerCosts = takerCosts;
  }

  add(record: CoreRecord): void {
    switch (record.kind) {
      case "signal":
        this.signals++;
        return;
      case "refusal": {
        const { guard, time, symbol, reason } = record;
        const refusals = this.#refusals.get(guard);
        if (refusals === undefined) this.#refusals.set(guard, { count: 1, example: { time, symbol, reason } });
        else refusals.count++;
        return;
      }
      case "opened":
        this.opened++;
        this.excursions.opened(record);
        return;
      case "closed": {
        const { trade } = record;
        this.trades.push(trade);
        const { unitValue } = this.instruments[trade.symbol]!;
        this.excursions.closed(trade, Number(trade.exitNotional) / (trade.lots * unitValue));
        return;
      }
      case "equity": {
        const { time, equity, exposure, positions } = record;
        this.equity.add({ time, equity, exposure, positions });
        return;
      }
      case "trading-state": {
        const { time, from, to, reason } = record;
        this.stateChanges.push({ time, from, to, reason });
        return;
      }
      case "stop-moved":
        this.stopMoves++;
        return;
      case "virtual-opened":
      case "virtual":
        return;
      case "virtual-closed":
        this.virtual.add(record.trade, this.instruments);
        return;
      case "virtual-statistics":
        this.virtual.statistics = record.statistics;
        return;
      default:
        record satisfies never;
    }
  }

  /** Takes an event that the core was given: bars, listings and what costs money. */
  event(event: Event): void {
    switch (event.kind) {
      case "bar":
        this.excursions.bar(event);
        return this.buyAndHold.bar(event);
      case "listing":
        return this.buyAndHold.listing(event);
      case "funding":
        this.funding += event.amount;
        return;
      case "liquidation":
        this.fees += event.fee;
        return;
      case "fill": {
        this.fees += event.fee;
        if (event.maker) return;
        const { spreadBps, slippageBps } = this.takerCosts;
        // As the simulation does: half the spread and the slippage, in whole ticks against us.
        const ticks = Math.ceil((event.price * (spreadBps / 2 + slippageBps)) / 10_000);
        this.spreadAndSlippage += notionalOf(this.instruments[event.symbol]!, event.lots, ticks);
      }
    }
  }

  /** How often each guard said no, by name. */
  get refusals(): Record<string, number> {
    return Object.fromEntries([...this.refusalsByGuard].map(([guard, { count }]) => [guard, count]));
  }

  get refusalsByGuard(): ReadonlyMap<string, Refusals> {
    return new Map([...this.#refusals].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Of the trades so far. */
  get tradesHash(): string {
    return tradesHash(this.trades, this.instruments);
  }
}

/** What a report says of virtual trades. They are not kept one by one: a long run has very many. */
export class VirtualTrades {
  readonly #hash = createHash("sha256");
  closed = 0;
  readonly outcomes = { "target-hit": 0, "stop-hit": 0, expired: 0 };
  /** Sums of results in R, and of the best and worst price of each path, in R from the entry. */
  result = 0;
  wins = 0;
  best = 0;
  worst = 0;
  readonly #setups = new Map<string, { trades: number; wins: number; result: number; distribution: number[] }>();
  /** The last that the core reported. */
  statistics: VirtualStatistics | undefined;

  add(trade: VirtualTrade, instruments: readonly Instrument[]): void {
    this.#hash.update(`${virtualTradeLine(trade, instruments)}\n`);
    this.closed += 1;
    this.outcomes[trade.outcome] += 1;
    const risk = trade.plannedEntry - trade.stop;
    const result = virtualResult(trade);
    this.result += result;
    if (result > 0) this.wins += 1;
    this.best += (trade.best - trade.entry) / risk;
    this.worst += (trade.worst - trade.entry) / risk;
    this.#addToSetup(trade.setup, result);
  }

  #addToSetup(name: string, result: number): void {
    let setup = this.#setups.get(name);
    if (setup === undefined) {
      setup = { trades: 0, wins: 0, result: 0, distribution: new Array<number>(RESULT_EDGES.length + 1).fill(0) };
      this.#setups.set(name, setup);
    }
    setup.trades += 1;
    if (result > 0) setup.wins += 1;
    setup.result += result;
    const above = RESULT_EDGES.findIndex((edge) => result <= edge);
    setup.distribution[above < 0 ? RESULT_EDGES.length : above]! += 1;
  }

  /** SHA-256 over the lines of all virtual trades so far, in the order in which they were closed. */
  get hash(): string {
    return this.#hash.copy().digest("hex");
  }

  summary(): VirtualSummary {
    const mean = (sum: number) => (this.closed > 0 ? sum / this.closed : 0);
    return {
      trades: this.closed,
      outcomes: { ...this.outcomes },
      winRate: mean(this.wins),
      averageResult: mean(this.result),
      averageBest: mean(this.best),
      averageWorst: mean(this.worst),
      setups: [...this.#setups]
        .map(([setup, { trades, wins, result, distribution }]) => ({
          setup,
          trades,
          winRate: wins / trades,
          averageResult: result / trades,
          distribution: [...distribution],
        }))
        .sort((a, b) => b.trades - a.trades || (a.setup < b.setup ? -1 : 1)),
    };
  }
}

/** Virtual trades of a run; results and excursions in R, without costs. */
export interface VirtualSummary {
  readonly trades: number;
  readonly outcomes: Readonly<Record<VirtualTrade["outcome"], number>>;
  readonly winRate: number;
  readonly averageResult: number;
  readonly averageBest: number;
  readonly averageWorst: number;
  /** The most frequent first. */
  readonly setups: readonly VirtualSetup[];
}

/** Virtual trades of one setup. */
export interface VirtualSetup {
  readonly setup: string;
  readonly trades: number;
  readonly winRate: number;
  readonly averageResult: number;
  /** Trades by result: up to the first of RESULT_EDGES, above it and up to the second, … and above the last. */
  readonly distribution: readonly number[];
}

/** In R. A stop without a gap is the first, and what is not won ends at 0. */
export const RESULT_EDGES = [-1, -0.5, 0, 0.5, 1, 2, 3] as const;
