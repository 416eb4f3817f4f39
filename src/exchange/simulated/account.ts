import type { Side } from "../../core/effects.ts";
import type { Leg } from "../../core/events.ts";
import type { Instrument } from "../../core/instrument.ts";
import { type Contract, maintenanceMargin } from "../../market/contract.ts";
import { ceilDivide, floorDivide } from "./costs.ts";

/** What we hold of one symbol and leg. Money in 1e-8 USDT. */
export interface Position {
  /** Signed: positive is long. */
  lots: number;
  /** Value at which the held lots were opened. */
  cost: bigint;
  /** Initial margin bound to the position: value at the entry / leverage. All that an isolated position can lose. */
  margin: bigint;
  /**
   * Isolated margin only: the prices in ticks at which the loss has eaten the margin (the nearest one to the entry at
   * which it is still not larger), and at which the margin ratio comes to 1. 0 when flat and for a long without one.
   */
  bankruptcy: number;
  liquidation: number;
}

export const POSITION_MODES = ["one-way", "hedge"] as const;
export type PositionMode = (typeof POSITION_MODES)[number];
export const MARGIN_MODES = ["isolated", "cross"] as const;
export type MarginMode = (typeof MARGIN_MODES)[number];
export interface AccountModes {
  readonly position: PositionMode;
  readonly margin: MarginMode;
}

/** Value of a quantity at a price, 1e-8 USDT. Exact for any size. */
export function exactNotional(instrument: Instrument, lots: number, price: number): bigint {
  return BigInt(lots) * BigInt(price) * BigInt(instrument.unitValue);
}

export function magnitude(lots: number): number {
  return lots < 0 ? -lots : lots;
}

/**
 * The exchange's own books, kept independently of the trader's: the wallet, the positions, their margins.
 * Fees and funding are paid out of the wallet; margin is only bound, never spent.
 *
 * Positions live in slots: one per symbol in one-way mode, two in hedge mode (long, then short).
 *
 * A position is liquidated when its margin ratio reaches 1: maintenance margin ≥ margin balance. Of an isolated
 * position the balance is its margin + unrealised result; in cross margin it is the wallet + the unrealised results of
 * all positions, against the maintenance margins of all. (Binance, "Liquidation Protocols"; initial margins of open
 * orders do not count.)
 */
export class Account {
  wallet: bigint;
  readonly positions: readonly Position[];
  readonly slots: number;
  /** Latest mark price by symbol, ticks: what positions that are not looked at are valued at under cross margin. */
  readonly marks: Float64Array;
  readonly cross: boolean;
  readonly hedge: boolean;
  readonly #instruments: readonly Instrument[];
  readonly #contracts: readonly Contract[];
  #bound = 0n;
  /** Margin and fees set aside for entries that are not filled yet. */
  #reserved = 0n;
  /** Slots that hold something. */
  readonly #held = new Set<number>();

  constructor(instruments: readonly Instrument[], contracts: readonly Contract[], balance: bigint, mode: AccountModes) {
    this.#instruments = instruments;
    this.#contracts = contracts;
    this.wallet = balance;
    this.hedge = mode.position === "hedge";
    this.cross = mode.margin === "cross";
    this.slots = instruments.length * (this.hedge ? 2 : 1);
    this.marks = new Float64Array(instruments.length);
    this.positions = Array.from({ length: this.slots }, () => ({
      lots: 0,
      cost: 0n,
      margin: 0n,
      bankruptcy: 0,
      liquidation: 0,
    }));
  }

  slotOf(symbol: number, leg: Leg): number {
    return this.hedge ? symbol * 2 + (leg === "short" ? 1 : 0) : symbol;
  }

  symbolOf(slot: number): number {
    return this.hedge ? slot >> 1 : slot;
  }

  legOf(slot: number): Leg {
    return this.hedge ? ((slot & 1) === 1 ? "short" : "long") : "both";
  }

  /**
   * What new entries may bind. Unrealised results of isolated positions do not count; under cross margin unrealised
   * losses do, and gains do not.
   */
  get available(): bigint {
    const free = this.wallet - this.#bound - this.#reserved;
    if (!this.cross || this.#held.size === 0) return free;
    const unrealised = this.unrealised();
    return unrealised < 0n ? free + unrealised : free;
  }

  /** Margin bound to positions, and set aside for entries that are not filled yet. */
  get bound(): bigint {
    return this.#bound;
  }

  get reserved(): bigint {
    return this.#reserved;
  }

  /** Unrealised result of all positions at the latest marks. */
  unrealised(): bigint {
    let sum = 0n;
    for (const slot of this.#held) sum += this.#resultAt(slot, this.marks[this.symbolOf(slot)]!);
    return sum;
  }

  /** Sets money aside, or gives it back when negative. */
  reserve(amount: bigint): void {
    this.#reserved += amount;
  }

  /** Adds to a position, or opens it; it must not stand on the other side. Binds value / leverage, rounded up. */
  open(slot: number, side: Side, lots: number, price: number, leverage: number): void {
    const position = this.positions[slot]!;
    if (position.lots * side < 0) throw new Error(`slot ${slot}: opened against an open position`);
    const value = exactNotional(this.#instrument(slot), lots, price);
    const margin = ceilDivide(value, BigInt(leverage));
    position.lots += side * lots;
    position.cost += value;
    position.margin += margin;
    this.#bound += margin;
    this.#held.add(slot);
    this.#setLevels(slot);
  }

  /**
   * Closes lots of a position and books the result into the wallet. The closed lots take their share of cost and
   * margin, rounded down; the last ones take all that is left, so nothing is lost over the life of a position.
   * @returns the realised result before fees.
   */
  close(slot: number, lots: number, price: number): bigint {
    const position = this.positions[slot]!;
    const held = magnitude(position.lots);
    if (lots > held) throw new Error(`slot ${slot}: ${lots} lots closed of ${held}`);
    const cost = (position.cost * BigInt(lots)) / BigInt(held);
    const margin = (position.margin * BigInt(lots)) / BigInt(held);
    const value = exactNotional(this.#instrument(slot), lots, price);
    const realised = position.lots > 0 ? value - cost : cost - value;
    position.lots += position.lots > 0 ? -lots : lots;
    position.cost -= cost;
    position.margin -= margin;
    this.#bound -= margin;
    this.wallet += realised;
    if (position.lots === 0) this.#held.delete(slot);
    this.#setLevels(slot);
    return realised;
  }

  /**
   * What funding brings to the wallet: −lots × mark × unit value × rate, rounded down to whole units, so that we pay
   * rather more and receive rather less. `rate` is in 1e-8, `mark` in ticks. Booked at once.
   */
  fund(slot: number, rate: number, mark: number): bigint {
    const value = exactNotional(this.#instrument(slot), this.positions[slot]!.lots, mark);
    const amount = floorDivide(-value * BigInt(rate), 100_000_000n);
    this.wallet += amount;
    return amount;
  }

  /** Margin balance that stands behind a position if its symbol is at `price`, 1e-8 USDT. */
  balanceAt(slot: number, price: number): bigint {
    if (!this.cross) return this.positions[slot]!.margin + this.#resultAt(slot, price);
    const symbol = this.symbolOf(slot);
    let balance = this.wallet;
    for (const held of this.#held) {
      const other = this.symbolOf(held);
      balance += this.#resultAt(held, other === symbol ? price : this.marks[other]!);
    }
    return balance;
  }

  /** Maintenance margin asked of what `balanceAt` counts, 1e-8 USDT. */
  maintenanceAt(slot: number, price: number): bigint {
    if (!this.cross) return this.#maintenance(slot, price);
    const symbol = this.symbolOf(slot);
    let sum = 0n;
    for (const held of this.#held) {
      const other = this.symbolOf(held);
      sum += this.#maintenance(held, other === symbol ? price : this.marks[other]!);
    }
    return sum;
  }

  /** Maintenance margin / margin balance of a position at the latest mark; Infinity once nothing is left. */
  marginRatio(symbol: number, leg: Leg): number {
    const slot = this.slotOf(symbol, leg);
    if (this.positions[slot]!.lots === 0) return 0;
    const mark = this.marks[symbol]!;
    const balance = this.balanceAt(slot, mark);
    return balance > 0n ? Number(this.maintenanceAt(slot, mark)) / Number(balance) : Number.POSITIVE_INFINITY;
  }

  /** Whether the margin ratio is 1 or more with the slot's symbol at `price`. */
  isLiquidated(slot: number, price: number): boolean {
    const { lots } = this.positions[slot]!;
    return lots !== 0 && this.maintenanceAt(slot, price) >= this.balanceAt(slot, price);
  }

  /**
   * The first price on the way from `start` to `extreme` that liquidates the position, or undefined. Between the two
   * the surplus over the maintenance margin is concave in the price, so once it is gone it stays gone.
   */
  liquidationLevel(slot: number, start: number, extreme: number): number | undefined {
    const position = this.positions[slot]!;
    if (position.lots === 0) return undefined;
    if (!this.cross) {
      const reached = position.lots > 0 ? extreme <= position.liquidation : extreme >= position.liquidation;
      return reached ? position.liquidation : undefined;
    }
    if (!this.isLiquidated(slot, extreme)) return undefined;
    if (this.isLiquidated(slot, start)) return start;
    return firstBeyond(start, extreme, (price) => this.isLiquidated(slot, price));
  }

  /**
   * The worst price at which the position can be closed without a loss beyond its margin balance, ticks; `reference`
   * is returned when it is not that bad. What lies beyond is the insurance fund's.
   */
  boundedByBankruptcy(slot: number, reference: number): number {
    const position = this.positions[slot]!;
    if (!this.cross) {
      const { bankruptcy, lots } = position;
      return lots > 0
        ? reference < bankruptcy
          ? bankruptcy
          : reference
        : reference > bankruptcy
          ? bankruptcy
          : reference;
    }
    let others = this.wallet;
    for (const held of this.#held) {
      if (held !== slot) others += this.#resultAt(held, this.marks[this.symbolOf(held)]!);
    }
    const bad = (price: number): boolean => others + this.#resultAt(slot, price) < 0n;
    if (!bad(reference)) return reference;
    const start = this.marks[this.symbolOf(slot)]!;
    // Others have lost so much that nothing is left even at the mark: then the mark is the best that can be had.
    if (bad(start)) return start;
    return firstBeyond(start, reference, bad) + (position.lots > 0 ? 1 : -1);
  }

  #resultAt(slot: number, price: number): bigint {
    const { lots, cost } = this.positions[slot]!;
    const value = exactNotional(this.#instrument(slot), magnitude(lots), price);
    return lots > 0 ? value - cost : cost - value;
  }

  #maintenance(slot: number, price: number): bigint {
    const { lots } = this.positions[slot]!;
    const value = exactNotional(this.#instrument(slot), magnitude(lots), price);
    return maintenanceMargin(this.#contracts[this.symbolOf(slot)]!, value);
  }

  #instrument(slot: number): Instrument {
    return this.#instruments[this.symbolOf(slot)]!;
  }

  #setLevels(slot: number): void {
    const position = this.positions[slot]!;
    position.bankruptcy = 0;
    position.liquidation = 0;
    if (position.lots === 0 || this.cross) return;
    const perTick = BigInt(magnitude(position.lots)) * BigInt(this.#instrument(slot).unitValue);
    const { cost, margin } = position;
    if (position.lots < 0) position.bankruptcy = Number((cost + margin) / perTick);
    else position.bankruptcy = cost > margin ? Number(ceilDivide(cost - margin, perTick)) : 0;
    const entry = Number(cost / perTick);
    const gone = (price: number): boolean => this.isLiquidated(slot, price);
    if (gone(entry)) position.liquidation = entry;
    else if (position.lots < 0) position.liquidation = firstBeyond(entry, position.bankruptcy + 1, gone);
    else position.liquidation = gone(0) ? firstBeyond(entry, 0, gone) : 0;
  }
}

/** The first whole number from `start` (where `test` fails) towards `end` (where it holds) at which it holds. */
function firstBeyond(start: number, end: number, test: (price: number) => boolean): number {
  let fails = start;
  let holds = end;
  while (holds - fails > 1 || fails - holds > 1) {
    const middle = Math.floor((fails + holds) / 2);
    if (test(middle)) holds = middle;
    else fails = middle;
  }
  return holds;
}
