import type { CoreRecord, Trade, TradingState } from "../core/effects.ts";
import type { Instrument } from "../core/instrument.ts";
import { EquityCurve } from "./equity.ts";
import { tradesHash } from "./trades-hash.ts";

export interface StateChange {
  readonly time: number;
  readonly from: TradingState;
  readonly to: TradingState;
  readonly reason: string;
}

/**
 * Gathers what a report needs from the core's records, one by one. Memory grows with trades and hours, not with bars.
 */
export class Collector {
  readonly instruments: readonly Instrument[];
  readonly equity: EquityCurve;
  /** In the order in which they were closed. */
  readonly trades: Trade[] = [];
  readonly #refusals = new Map<string, number>();
  readonly stateChanges: StateChange[] = [];
  /** Candidates that reached the ranking, and positions that were opened. */
  signals = 0;
  opened = 0;

  /** @param start when trading starts, ms  @param equity what it starts with, 1e-8 USDT */
  constructor(instruments: readonly Instrument[], start: number, equity: number) {
    this.instruments = instruments;
    this.equity = new EquityCurve(start, equity);
  }

  add(record: CoreRecord): void {
    switch (record.kind) {
      case "signal":
        this.signals++;
        return;
      case "refusal":
        this.#refusals.set(record.guard, (this.#refusals.get(record.guard) ?? 0) + 1);
        return;
      case "opened":
        this.opened++;
        return;
      case "closed":
        this.trades.push(record.trade);
        return;
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

  /** How often each guard said no, by name. */
  get refusals(): Record<string, number> {
    return Object.fromEntries([...this.#refusals].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Of the trades so far. */
  get tradesHash(): string {
    return tradesHash(this.trades, this.instruments);
  }
}
