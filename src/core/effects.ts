import type { Candidate, Direction } from "./candidate.ts";
import type { Leg } from "./events.ts";
import type { VirtualEvent, VirtualStatistics, VirtualTrade } from "./virtual-book.ts";

/** Everything the core asks for or reports. The shell performs effects in order; the core performs none itself. */
export type Effect =
  | { readonly kind: "submit"; readonly order: OrderRequest }
  | { readonly kind: "cancel"; readonly order: number; readonly symbol: number }
  | AmendRequest
  /** All symbols of the cycle have closed their bar (or the deadline passed): analyse it and answer with an event. */
  | { readonly kind: "analyse"; readonly cycle: number; readonly late: readonly number[] }
  /** Setting a timer again moves it. */
  | { readonly kind: "set-timer"; readonly timer: string; readonly at: number }
  | { readonly kind: "clear-timer"; readonly timer: string }
  | { readonly kind: "record"; readonly record: CoreRecord }
  | { readonly kind: "notice"; readonly level: "info" | "warning" | "alarm"; readonly text: string };

export const ORDER_TYPES = [
  "market",
  "limit",
  "stop-market",
  "take-profit-market",
  /** Becomes a limit order at `price` once `trigger` is reached. */
  "stop-limit",
  "take-profit-limit",
  /** Follows the best price since its activation at `callback` basis points; `trigger` activates it, 0 means at once. */
  "trailing-stop",
] as const;
export type OrderType = (typeof ORDER_TYPES)[number];

export const TIMES_IN_FORCE = ["gtc", "ioc", "fok", "post-only"] as const;
export type TimeInForce = (typeof TIMES_IN_FORCE)[number];

/** Why an order exists. */
export const PURPOSES = ["entry", "working-stop", "disaster-stop", "target", "exit", "partial-target"] as const;
export type Purpose = (typeof PURPOSES)[number];

/** BUY is +1 and SELL is -1, like the directions of positions. */
export type Side = Direction;

/** An order as the core wants it. Prices in ticks, quantities in lots; 0 where a field does not apply. */
export interface OrderRequest {
  /** Our id: 1, 2, 3 … within a run epoch. The wire's client order id is made of epoch and id. */
  readonly id: number;
  readonly symbol: number;
  readonly leg: Leg;
  readonly side: Side;
  readonly type: OrderType;
  readonly purpose: Purpose;
  readonly lots: number;
  readonly price: number;
  readonly trigger: number;
  readonly timeInForce: TimeInForce;
  readonly reduceOnly: boolean;
  /** Closes whatever the leg holds when it triggers; `lots` is 0 then. */
  readonly closePosition: boolean;
  /** Leverage that the symbol must have before an entry is sent; 0 for orders that do not open. */
  readonly leverage: number;
  /** Distance of a trailing stop from the best price, basis points: whole tens from 10 to 2000. Absent otherwise. */
  readonly callback?: number;
  /** Which price reaches the trigger; the last traded one when absent. */
  readonly workingType?: WorkingType;
  /**
   * The price at which the entry was decided that this order goes on with, ticks. Absent where the order is the first
   * one of a decision: then it is the last price that the core had heard of.
   */
  readonly arrival?: number;
}

export const WORKING_TYPES = ["last", "mark"] as const;
export type WorkingType = (typeof WORKING_TYPES)[number];

/** Gives a limit order another size and price: `lots` counts what is filled already. Its place in the queue is lost. */
export interface AmendRequest {
  readonly kind: "amend";
  readonly order: number;
  readonly symbol: number;
  readonly lots: number;
  readonly price: number;
}

/** Trading states from free to stopped; each allows less than the one before. */
export const TRADING_STATES = ["normal", "cautious", "defensive", "reduce-only", "halted"] as const;
export type TradingState = (typeof TRADING_STATES)[number];

/** Why a position ended. */
export const EXIT_REASONS = [
  "stop",
  "target",
  "disaster-stop",
  "liquidation",
  "adl",
  "delisted",
  "flatten",
  "unprotected",
  "time",
  "regime",
  "late-fill",
  "external",
] as const;
export type ExitReason = (typeof EXIT_REASONS)[number];

/** A position from its first fill to flat. Integers only: ms, ticks, lots, 1e-8 USDT. */
export interface Trade {
  readonly symbol: number;
  readonly leg: Leg;
  readonly direction: Direction;
  readonly entryTime: number;
  readonly exitTime: number;
  /** Lots opened in all. */
  readonly lots: number;
  /** Value bought or sold to open, and to close. */
  readonly entryNotional: bigint;
  readonly exitNotional: bigint;
  readonly fees: bigint;
  readonly funding: bigint;
  /** Result after fees and funding. */
  readonly pnl: bigint;
  readonly reason: ExitReason;
  readonly strategy: string;
  readonly setup: string;
  readonly confidence: number;
  /** The planned prices at the entry, ticks. */
  readonly plannedEntry: number;
  readonly stop: number;
  readonly target: number;
  readonly leverage: number;
  readonly reasons: readonly string[];
}

/** What the core reports for journals, reports, the store and the dashboard. */
export type CoreRecord =
  | {
      readonly kind: "signal";
      readonly time: number;
      readonly candidate: Candidate;
      /** 1 is the best of its cycle. */
      readonly rank: number;
    }
  | {
      readonly kind: "refusal";
      readonly time: number;
      readonly symbol: number;
      readonly guard: string;
      readonly reason: string;
      readonly numbers: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: "opened";
      readonly time: number;
      readonly symbol: number;
      readonly leg: Leg;
      readonly direction: Direction;
      readonly lots: number;
      readonly price: number;
      readonly leverage: number;
      readonly margin: number;
    }
  | { readonly kind: "closed"; readonly time: number; readonly trade: Trade }
  /** Once per cycle, and after each change of money. 1e-8 USDT. */
  | {
      readonly kind: "equity";
      readonly time: number;
      readonly equity: number;
      readonly wallet: number;
      readonly unrealised: number;
      readonly margin: number;
      /** Value of all open positions at the mark. */
      readonly exposure: number;
      readonly positions: number;
    }
  | {
      readonly kind: "trading-state";
      readonly time: number;
      readonly from: TradingState;
      readonly to: TradingState;
      readonly reason: string;
    }
  /** The working stop of a position is to be elsewhere. */
  | {
      readonly kind: "stop-moved";
      readonly time: number;
      readonly symbol: number;
      readonly leg: Leg;
      readonly from: number;
      readonly to: number;
    }
  | {
      readonly kind: "virtual-opened";
      readonly time: number;
      readonly id: number;
      readonly symbol: number;
      readonly direction: Direction;
      readonly setup: string;
      readonly confidence: number;
      readonly entry: number;
      readonly stop: number;
      readonly target: number;
    }
  /** What a virtual position lives through between its opening and its end. */
  | {
      readonly kind: "virtual";
      readonly time: number;
      readonly id: number;
      readonly symbol: number;
      readonly event: VirtualEvent;
      readonly price: number;
    }
  | { readonly kind: "virtual-closed"; readonly time: number; readonly trade: VirtualTrade }
  | { readonly kind: "virtual-statistics"; readonly time: number; readonly statistics: VirtualStatistics };
