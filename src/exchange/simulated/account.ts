import type { Side } from "../../core/effects.ts";
import type { Instrument } from "../../core/instrument.ts";
import { ceilDivide, floorDivide } from "./costs.ts";

/** What we hold of one symbol in one-way mode. Money in 1e-8 USDT. */
export interface Position {
  /** Signed: positive is long. */
  lots: number;
  /** Value at which the held lots were opened. */
  cost: bigint;
  /** Isolated margin bound to the position. */
  margin: bigint;
  /** Price in ticks nearest to the entry at which the loss is still not larger than the margin; 0 when flat. */
  bankruptcy: number;
}

/** Value of a quantity at a price, 1e-8 USDT. Exact for any size. */
export function exactNotional(instrument: Instrument, lots: number, price: number): bigint {
  return BigInt(lots) * BigInt(price) * BigInt(instrument.unitValue);
}

/**
 * The exchange's own books, kept independently of the trader's: the wallet and the isolated positions.
 * Fees and funding are paid out of the wallet; margin is only bound, never spent.
 */
export class Account {
  wallet: bigint;
  readonly positions: Position[];
  readonly #instruments: readonly Instrument[];
  #bound = 0n;
  /** Margin and fees set aside for entries that are not filled yet. */
  #reserved = 0n;

  constructor(instruments: readonly Instrument[], balance: bigint) {
    this.#instruments = instruments;
    this.wallet = balance;
    this.positions = instruments.map(() => ({ lots: 0, cost: 0n, margin: 0n, bankruptcy: 0 }));
  }

  /** What new entries may bind. Unrealised results of isolated positions do not count. */
  get available(): bigint {
    return this.wallet - this.#bound - this.#reserved;
  }

  /** Sets money aside, or gives it back when negative. */
  reserve(amount: bigint): void {
    this.#reserved += amount;
  }

  /** Adds to a position, or opens it; it must not stand on the other side. Binds value / leverage, rounded up. */
  open(symbol: number, side: Side, lots: number, price: number, leverage: number): void {
    const position = this.positions[symbol]!;
    if (position.lots * side < 0) throw new Error(`symbol ${symbol}: opened against an open position`);
    const value = exactNotional(this.#instruments[symbol]!, lots, price);
    const margin = ceilDivide(value, BigInt(leverage));
    position.lots += side * lots;
    position.cost += value;
    position.margin += margin;
    this.#bound += margin;
    this.#setBankruptcy(symbol);
  }

  /**
   * Closes lots of a position and books the result into the wallet. The closed lots take their share of cost and
   * margin, rounded down; the last ones take all that is left, so nothing is lost over the life of a position.
   * @returns the realised result before fees.
   */
  close(symbol: number, lots: number, price: number): bigint {
    const position = this.positions[symbol]!;
    const held = position.lots < 0 ? -position.lots : position.lots;
    if (lots > held) throw new Error(`symbol ${symbol}: ${lots} lots closed of ${held}`);
    const cost = (position.cost * BigInt(lots)) / BigInt(held);
    const margin = (position.margin * BigInt(lots)) / BigInt(held);
    const value = exactNotional(this.#instruments[symbol]!, lots, price);
    const realised = position.lots > 0 ? value - cost : cost - value;
    position.lots += position.lots > 0 ? -lots : lots;
    position.cost -= cost;
    position.margin -= margin;
    this.#bound -= margin;
    this.wallet += realised;
    this.#setBankruptcy(symbol);
    return realised;
  }

  /**
   * What funding brings to the wallet: −lots × mark × unit value × rate, rounded down to whole units, so that we pay
   * rather more and receive rather less. `rate` is in 1e-8, `mark` in ticks. Booked at once.
   */
  fund(symbol: number, rate: number, mark: number): bigint {
    const value = exactNotional(this.#instruments[symbol]!, this.positions[symbol]!.lots, mark);
    const amount = floorDivide(-value * BigInt(rate), 100_000_000n);
    this.wallet += amount;
    return amount;
  }

  #setBankruptcy(symbol: number): void {
    const position = this.positions[symbol]!;
    if (position.lots === 0) {
      position.bankruptcy = 0;
      return;
    }
    const perTick =
      BigInt(position.lots < 0 ? -position.lots : position.lots) * BigInt(this.#instruments[symbol]!.unitValue);
    if (position.lots < 0) position.bankruptcy = Number((position.cost + position.margin) / perTick);
    else
      position.bankruptcy =
        position.cost > position.margin ? Number(ceilDivide(position.cost - position.margin, perTick)) : 0;
  }
}
