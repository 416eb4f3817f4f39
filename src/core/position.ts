import { assert } from "./assert.ts";
import type { Candidate, Direction } from "./candidate.ts";
import type { ExitReason } from "./effects.ts";
import type { FillEvent, Leg } from "./events.ts";

/** What a position was opened for and how it is meant to end. Prices in ticks. */
export interface Plan {
  readonly candidate: Candidate;
  /** The price at which it was decided, ticks: what an entry's slippage is measured from. */
  readonly arrival: number;
  readonly stop: number;
  readonly target: number;
  /** The stop of last resort, wider than `stop` and before the margin is used up; never moved. */
  readonly disasterStop: number;
  readonly leverage: number;
  /** Lots and margin (1e-8 USDT) asked for. */
  readonly lots: number;
  readonly margin: number;
}

/** The money side of a position. Cost basis rather than average price: sums of integers stay exact. 1e-8 USDT. */
export interface Holding {
  /** Lots held now, and lots opened in all. */
  lots: number;
  openedLots: number;
  /** What the lots held now have cost. */
  cost: bigint;
  entryNotional: bigint;
  exitNotional: bigint;
  realised: bigint;
  fees: bigint;
  funding: bigint;
  entryTime: number;
}

/** A protective stop order, from wish to acknowledgement. */
export type StopOrder =
  | { readonly kind: "none" }
  | { readonly kind: "sent"; readonly order: number }
  | { readonly kind: "acknowledged"; readonly order: number }
  /** The new one is on its way; the old one protects until the new one is acknowledged. */
  | { readonly kind: "replacing"; readonly old: number; readonly order: number }
  /** It has begun to fill and is left alone. */
  | { readonly kind: "triggered"; readonly order: number };

/** An order that takes profit. Without one the position is managed by its stops alone. */
export type Target =
  | { readonly kind: "none" }
  | { readonly kind: "placed"; readonly order: number }
  | { readonly kind: "refused" }
  /** It has filled: a part of the position was sold. */
  | { readonly kind: "filled" };

export type Phase =
  | { readonly kind: "opening"; readonly entry: number }
  /** `entry` is 0 once the entry order has ended. */
  | { readonly kind: "open"; readonly entry: number }
  /** The exit is 0 between two attempts, and while a position that is flat waits for the end of its entry order. */
  | { readonly kind: "closing"; readonly entry: number; readonly exit: number; readonly reason: ExitReason };

/** How the entry is being made. Never more than one order of it is open. */
export type Entering =
  /** An order takes what is there and ends at once; its end is the entry's. */
  | { readonly kind: "taking" }
  /** A limit order rests, until that time at the longest, ms. `rest`: what becomes of the lots that it leaves. */
  | { readonly kind: "resting"; readonly until: number; readonly rest: "take" | "leave" }
  /** The limit order is being taken back. */
  | { readonly kind: "withdrawing"; readonly rest: "take" | "leave"; readonly reason: string };

export interface Position {
  readonly symbol: number;
  readonly leg: Leg;
  readonly direction: Direction;
  readonly plan: Plan;
  readonly holding: Holding;
  phase: Phase;
  entering: Entering;
  /** Where the working stop is to be, ticks: moved by plan, never away from the price. */
  stop: number;
  /** The best close of a bar since the entry, ticks; 0 before the first. */
  bestClose: number;
  workingStop: StopOrder;
  disasterStop: StopOrder;
  target: Target;
  partial: Target;
  /** What has to happen as soon as something is held: the position was to be closed before it was opened. */
  abandoned: ExitReason | undefined;
  /** Whether the timer runs that bounds how long the position may be without an acknowledged stop. */
  unguarded: boolean;
  /** Fills of closing orders that have overtaken the fill of the entry. */
  readonly early: FillEvent[];
}

/** Name of the strategy and set-up of positions that nobody here has decided on. */
export const ADOPTED = "adopted";

export const NO_STOP: StopOrder = Object.freeze({ kind: "none" });
export const NO_TARGET: Target = Object.freeze({ kind: "none" });
export const TAKING: Entering = Object.freeze({ kind: "taking" });

export function newPosition(symbol: number, leg: Leg, plan: Plan, entry: number): Position {
  return {
    symbol,
    leg,
    direction: plan.candidate.direction,
    plan,
    holding: {
      lots: 0,
      openedLots: 0,
      cost: 0n,
      entryNotional: 0n,
      exitNotional: 0n,
      realised: 0n,
      fees: 0n,
      funding: 0n,
      entryTime: 0,
    },
    phase: { kind: "opening", entry },
    entering: TAKING,
    stop: plan.stop,
    bestClose: 0,
    workingStop: NO_STOP,
    disasterStop: NO_STOP,
    target: NO_TARGET,
    partial: NO_TARGET,
    abandoned: undefined,
    unguarded: false,
    early: [],
  };
}

/** Adds lots bought (long) or sold (short) to open. */
export function open(holding: Holding, lots: number, notional: bigint, time: number): void {
  if (holding.openedLots === 0) holding.entryTime = time;
  holding.lots += lots;
  holding.openedLots += lots;
  holding.cost += notional;
  holding.entryNotional += notional;
}

/**
 * Takes lots out and returns the realised result. The cost leaves in proportion, rounded towards zero; the last lot
 * takes the rest with it, so that over the life of a position nothing is lost to rounding.
 */
export function close(holding: Holding, direction: Direction, lots: number, notional: bigint): bigint {
  assert(lots > 0 && lots <= holding.lots, `closing ${lots} of ${holding.lots} lots`);
  const cost = lots === holding.lots ? holding.cost : (holding.cost * BigInt(lots)) / BigInt(holding.lots);
  const realised = direction === 1 ? notional - cost : cost - notional;
  holding.lots -= lots;
  holding.cost -= cost;
  holding.exitNotional += notional;
  holding.realised += realised;
  return realised;
}

/** What is left of a stop after one of its orders has ended: its replacement, its predecessor, or nothing. */
export function withoutStop(stop: StopOrder, ended: number): StopOrder {
  if (stop.kind === "none") return stop;
  if (stop.kind === "replacing") {
    if (stop.old === ended) return { kind: "sent", order: stop.order };
    // The replacement was refused while the old stop still stands: the position is not naked.
    if (stop.order === ended) return { kind: "acknowledged", order: stop.old };
    return stop;
  }
  return stop.order === ended ? NO_STOP : stop;
}

export function isPlaced(target: Target, order: number): boolean {
  return target.kind === "placed" && target.order === order;
}

/** The stop after one of its orders has begun to fill. */
export function triggeredStop(stop: StopOrder, order: number): StopOrder {
  const stands = stop.kind === "acknowledged" || stop.kind === "sent";
  return stands && stop.order === order ? { kind: "triggered", order } : stop;
}
