import { type Instrument, USDT } from "../core/instrument.ts";

/** One step of the maintenance schedule of a contract. Money in 1e-8 USDT, rates in 1e-8. */
export interface Bracket {
  /** Highest leverage that a position in this bracket may have. */
  readonly maxLeverage: number;
  /** Value of the position up to which the bracket holds. */
  readonly cap: bigint;
  readonly maintenanceRate: bigint;
  /** Maintenance amount ("cum"): taken off, so that the schedule has no jumps. */
  readonly amount: bigint;
}

/** What an exchange asks of one contract beyond its ticks and lots. */
export interface Contract {
  /** By rising cap; the last one holds for any value above. */
  readonly brackets: readonly Bracket[];
  /** Clearance fee on the value of a liquidated position, paid to the insurance fund; rate in 1e-8. */
  readonly liquidationFee: number;
  /** How far a limit price may lie beyond the mark, rates in 1e-8 (105_000_000 and 95_000_000); 0: no bound. */
  readonly percentUp: number;
  readonly percentDown: number;
  /** Prices of orders, ticks. */
  readonly minPrice: number;
  readonly maxPrice: number;
  /** Largest market order, lots. */
  readonly maxMarketLots: number;
  /** Open orders in all, and conditional ones among them. */
  readonly maxOrders: number;
  readonly maxConditional: number;
}

const RATE = 100_000_000n;
/** Of most contracts on the exchange: 1.25 %. */
const ASSUMED_LIQUIDATION_FEE = 1_250_000;

/**
 * What is assumed of a contract about which nothing is known: one bracket that keeps half of the smallest initial
 * margin, as the exchange's first brackets do (leverage 125: 0.4 %, 50: 1 %, 20: 2.5 %), and no price band.
 */
export function assumedContract(instrument: Instrument): Contract {
  return {
    brackets: [
      {
        maxLeverage: instrument.maxLeverage,
        cap: 1n << 100n,
        maintenanceRate: RATE / BigInt(2 * instrument.maxLeverage),
        amount: 0n,
      },
    ],
    liquidationFee: ASSUMED_LIQUIDATION_FEE,
    percentUp: 0,
    percentDown: 0,
    minPrice: 1,
    maxPrice: Number.MAX_SAFE_INTEGER,
    maxMarketLots: instrument.maxLots,
    maxOrders: 200,
    maxConditional: 10,
  };
}

/** The bracket of a position's value. */
export function bracketOf(contract: Contract, value: bigint): Bracket {
  const { brackets } = contract;
  for (const bracket of brackets) if (value <= bracket.cap) return bracket;
  return brackets[brackets.length - 1]!;
}

/**
 * Maintenance margin: value × rate − amount, rounded up to whole units, never below 0.
 * Source: Binance, "Leverage and Margin of USDⓈ-M Futures" and "How to Calculate Liquidation Price of USDⓈ-M Futures".
 */
export function maintenanceMargin(contract: Contract, value: bigint): bigint {
  const { maintenanceRate, amount } = bracketOf(contract, value);
  const margin = (value * maintenanceRate + RATE - 1n) / RATE - amount;
  return margin > 0n ? margin : 0n;
}

/** Largest value that a position of this leverage may have; 0 where the leverage is not offered at all. */
export function largestNotional(contract: Contract, leverage: number): bigint {
  let largest = 0n;
  for (const { maxLeverage, cap } of contract.brackets) if (leverage <= maxLeverage && cap > largest) largest = cap;
  return largest;
}

/** For sentences in reports: a rate of 1e-8 as percent. */
export function percentOf(rate: number): string {
  return `${Number((rate / (USDT / 100)).toFixed(6))} %`;
}
