/**
 * What the exchange says about one contract. Orders are counted in whole ticks and lots, money in 1e-8 USDT:
 * integers are exact, and they are what the exchange checks.
 */
export interface Instrument {
  readonly symbol: string;
  /** Price step as an exact decimal: `tickUnits / 10 ** priceDecimals`, for example 5 / 100 for a tick of 0.05. */
  readonly tickUnits: number;
  readonly priceDecimals: number;
  /** Quantity step in base units: `lotUnits / 10 ** quantityDecimals`. */
  readonly lotUnits: number;
  readonly quantityDecimals: number;
  /** Value of one lot moving by one tick, in 1e-8 USDT: an integer of at least 1. */
  readonly unitValue: number;
  /** Smallest and largest quantity of one order, lots. */
  readonly minLots: number;
  readonly maxLots: number;
  /** Smallest value of an opening order, 1e-8 USDT. */
  readonly minNotional: number;
  /** Highest leverage the exchange allows at the smallest notional. */
  readonly maxLeverage: number;
  /** By rising cap; the last one holds for any value above. Absent where the exchange's brackets are not known. */
  readonly brackets?: readonly LeverageBracket[];
}

/** What the exchange asks of a position of some value. */
export interface LeverageBracket {
  readonly maxLeverage: number;
  /** Value of the position up to which the bracket holds, 1e-8 USDT; only compared with, so it need not be exact. */
  readonly cap: number;
  /** Maintenance margin as a share of the value. */
  readonly maintenance: number;
}

/** One USDT in ledger units. */
export const USDT = 100_000_000;

/** Powers of ten up to the largest that float64 holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** 10 to a whole power from 0 to 22, exact. @throws RangeError outside of that. */
export function powerOfTen(exponent: number): number {
  const power = POWERS[exponent];
  if (power === undefined) throw new RangeError(`power of ten ${exponent} is not between 0 and 22`);
  return power;
}

/** Price in USDT of a whole number of ticks. One correctly rounded division, so it equals the parsed decimal. */
export function priceOf(instrument: Instrument, ticks: number): number {
  return (ticks * instrument.tickUnits) / powerOfTen(instrument.priceDecimals);
}

/** Nearest whole number of ticks of a price in USDT. */
export function ticksOf(instrument: Instrument, price: number): number {
  return Math.round((price * powerOfTen(instrument.priceDecimals)) / instrument.tickUnits);
}

/** Quantity in base units of a whole number of lots. */
export function quantityOf(instrument: Instrument, lots: number): number {
  return (lots * instrument.lotUnits) / powerOfTen(instrument.quantityDecimals);
}

/** Largest whole number of lots within a quantity in base units. */
export function lotsWithin(instrument: Instrument, quantity: number): number {
  return Math.floor((quantity * powerOfTen(instrument.quantityDecimals)) / instrument.lotUnits);
}

/**
 * Value of a position or fill in 1e-8 USDT, as a number.
 * @throws RangeError beyond 2^53 (about 90 million USDT): sizes like that are booked with BigInt only.
 */
export function notionalOf(instrument: Instrument, lots: number, ticks: number): number {
  const value = lots * ticks * instrument.unitValue;
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${instrument.symbol}: ${lots} lots at ${ticks} ticks exceed exact arithmetic`);
  }
  return value;
}
