import { type Instrument, lotsWithin } from "../../core/instrument.ts";

/** What trading on bars is assumed to cost. Rates are fractions: 0.0005 is 0.05 %. */
export interface CostOptions {
  readonly takerFee: number;
  readonly makerFee: number;
  /** Distance between bid and ask, and the extra distance a taker travels, in basis points of the price. */
  readonly spreadBps: number;
  readonly slippageBps: number;
  /** Largest share of a bar's volume that our fills may take, above 0 and at most 1. */
  readonly volumeShare: number;
}

/** Rates as integers of 1e-8, so that fees are exact. */
const RATE_SCALE = 100_000_000;
/** One basis point is 1e-4; bps themselves are kept in steps of 1e-6. */
const BPS_SCALE = 1_000_000;

/** Fees and prices of fills. Every rounding is against us. */
export class Costs {
  readonly #taker: bigint;
  readonly #maker: bigint;
  readonly #halfSpreadAndSlippage: number;
  readonly #volumeShare: number;

  /** @throws RangeError when an option lies outside of its range. */
  constructor(options: CostOptions) {
    within("takerFee", options.takerFee, 0, 0.1);
    within("makerFee", options.makerFee, 0, 0.1);
    within("spreadBps", options.spreadBps, 0, 1000);
    within("slippageBps", options.slippageBps, 0, 1000);
    within("volumeShare", options.volumeShare, Number.MIN_VALUE, 1);
    this.#taker = BigInt(Math.round(options.takerFee * RATE_SCALE));
    this.#maker = BigInt(Math.round(options.makerFee * RATE_SCALE));
    this.#halfSpreadAndSlippage = Math.round((options.spreadBps / 2 + options.slippageBps) * BPS_SCALE);
    this.#volumeShare = options.volumeShare;
  }

  /** Commission on a value, both in 1e-8 USDT: value × rate, rounded up. */
  fee(value: bigint, maker: boolean): bigint {
    return ceilDivide(value * (maker ? this.#maker : this.#taker), BigInt(RATE_SCALE));
  }

  /**
   * Price in ticks at which a taker gets filled when the market stands at `reference`: half the spread and the
   * slippage further away, rounded up to whole ticks. Without spread and slippage it is the reference itself.
   */
  takerPrice(side: 1 | -1, reference: number): number {
    const distance = Math.ceil((reference * this.#halfSpreadAndSlippage) / (10_000 * BPS_SCALE));
    const price = reference + side * distance;
    return Math.max(price, 1);
  }

  /** Whole lots that may be filled in a bar with this volume in base units. */
  fillableLots(instrument: Instrument, volume: number): number {
    return volume > 0 ? lotsWithin(instrument, volume * this.#volumeShare) : 0;
  }
}

/** Quotient of a value that is not negative and a positive divisor, rounded up. */
export function ceilDivide(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}

/** Quotient rounded towards minus infinity; the divisor is positive. */
export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient;
}

function within(name: string, value: number, least: number, most: number): void {
  if (!(value >= least && value <= most)) {
    throw new RangeError(`simulated exchange: ${name} is ${value}; allowed is ${least} to ${most}`);
  }
}
