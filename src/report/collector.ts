import type { CoreRecord, Trade, TradingState } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import { type Instrument, notionalOf } from "../core/instrument.ts";
import { BuyAndHold } from "./buy-and-hold.ts";
import { EquityCurve } from "./equity.ts";
import { Excursions } from "./excursions.ts";
import { tradesHash } from "./trades-hash.ts";

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
