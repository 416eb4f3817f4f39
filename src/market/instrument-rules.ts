import { type Instrument, powerOfTen, USDT } from "../core/instrument.ts";
import { InputError } from "../input-error.ts";
import { readInputFile } from "./input-file.ts";

/** What bars alone tell about a contract. */
export interface ObservedSymbol {
  readonly symbol: string;
  /** Most decimals used by a price, over all files of the symbol. */
  readonly priceDecimals: number;
  /** The same of the base volume; undefined where files have quote volume only. */
  readonly volumeDecimals: number | undefined;
  /** A typical price in USDT: what a lot and the largest order are worth is judged by it. */
  readonly price: number;
}

/** An exact decimal: `units / 10 ** decimals`, without trailing zeros. */
interface Decimal {
  readonly units: number;
  readonly decimals: number;
}

/** A lot inferred from volumes is not believed above this value: no Binance perpetual comes near it. */
const DEAREST_LOT = 200;
const ASSUMED_MIN_NOTIONAL = 5;
const ASSUMED_LARGEST_ORDER = 10_000_000;
const ASSUMED_MAX_LEVERAGE = 20;
/** unitValue is counted in 1e-8 USDT. */
const LEDGER_DECIMALS = 8;

/**
 * Instruments in the order of `observed`: from the exchange's rules where given, inferred from the bars otherwise.
 * Whatever is not the exchange's word is said once in `assumptions`.
 * @param rulesFile a reply of Binance's `/fapi/v1/exchangeInfo`, .json or .json.gz
 */
export function instrumentsOf(
  observed: readonly ObservedSymbol[],
  rulesFile: string | undefined,
  bracketsFile?: string | undefined,
): { instruments: Instrument[]; assumptions: string[] } {
  const rules = rulesFile === undefined ? undefined : readRules(rulesFile);
  const inferred: string[] = [];
  const byVolume: string[] = [];
  const byValue: string[] = [];
  const coarsened: string[] = [];
  const instruments = observed.map((seen) => {
    const ruled = rules?.get(seen.symbol);
    const draft = ruled === undefined ? inferredDraft(seen) : ruledDraft(ruled, rulesFile!, seen.symbol);
    if (ruled === undefined) {
      inferred.push(seen.symbol);
      (draft.lotFromVolume ? byVolume : byValue).push(seen.symbol);
    }
    const instrument = finish(seen.symbol, draft);
    if (
      ruled !== undefined &&
      instrument.lotUnits / powerOfTen(instrument.quantityDecimals) !== valueOfDecimal(draft.lot)
    ) {
      coarsened.push(seen.symbol);
    }
    return instrument;
  });

  const assumptions: string[] = [];
  const say = (symbols: readonly string[], sentence: (who: string) => string) => {
    if (symbols.length > 0) assumptions.push(sentence(naming(symbols, observed.length)));
  };
  say(inferred, (who) => `Tick size of ${who}: inferred as the last decimal that any price of the whole file uses.`);
  say(byVolume, (who) => `Lot size of ${who}: inferred as the last decimal that any volume of the whole file uses.`);
  say(byValue, (who) => `Lot size of ${who}: assumed, a power of ten worth 0.1 to 1 USDT at the first close.`);
  say(inferred, (who) => `Minimum notional of ${who}: assumed, ${ASSUMED_MIN_NOTIONAL} USDT.`);
  say(inferred, (who) => `Largest order of ${who}: assumed, 10 million USDT at the first close.`);
  say(coarsened, (who) => `Lot size of ${who}: coarsened so that a lot moving by a tick is worth whole 1e-8 USDT.`);
  if (bracketsFile === undefined)
    assumptions.push(`Maximum leverage: assumed, ${ASSUMED_MAX_LEVERAGE} for every symbol.`);
  return { instruments, assumptions };
}

/** "all symbols", "A, B" or "17 symbols", for sentences about some of `total` symbols. */
export function naming(symbols: readonly string[], total: number): string {
  if (symbols.length === total && total > 1) return "all symbols";
  return symbols.length <= 4 ? symbols.join(", ") : `${symbols.length} symbols`;
}

/** Rules before the lot is made to fit the ledger. Quantities in base units. */
interface Draft {
  readonly tick: Decimal;
  readonly lot: Decimal;
  readonly lotFromVolume: boolean;
  readonly minQuantity: number;
  readonly maxQuantity: number;
  /** USDT. */
  readonly minNotional: number;
}

/** Further decimals in a file are noise of floating point (0.30000000000000004), not a step of any exchange. */
const FINEST_SEEN = 10;

function inferredDraft(seen: ObservedSymbol): Draft {
  const tick = { units: 1, decimals: Math.min(seen.priceDecimals, FINEST_SEEN) };
  const volumeLot =
    seen.volumeDecimals === undefined ? undefined : { units: 1, decimals: Math.min(seen.volumeDecimals, FINEST_SEEN) };
  const lotFromVolume = volumeLot !== undefined && valueOfDecimal(volumeLot) * seen.price <= DEAREST_LOT;
  const lot = lotFromVolume ? volumeLot : lotWorthUpTo(1, seen.price);
  return {
    tick,
    lot,
    lotFromVolume,
    minQuantity: 0,
    maxQuantity: ASSUMED_LARGEST_ORDER / seen.price,
    minNotional: ASSUMED_MIN_NOTIONAL,
  };
}

/** The largest power of ten in base units that is worth at most `value` USDT. */
function lotWorthUpTo(value: number, price: number): Decimal {
  let decimals = 0;
  while (decimals < 22 && price / powerOfTen(decimals) > value) decimals++;
  if (decimals > 0) return { units: 1, decimals };
  let exponent = 0;
  while (exponent < 15 && price * powerOfTen(exponent + 1) <= value) exponent++;
  return { units: powerOfTen(exponent), decimals: 0 };
}

/** Decimals up to which ticks and lots are counted exactly, whatever they are multiplied with. */
const FINEST = 14;

/** Coarsens the lot by tens until a lot moving by a tick is worth a whole number of ledger units. */
function finish(symbol: string, draft: Draft): Instrument {
  const { tick } = draft;
  let lot = draft.lot;
  if (tick.decimals > FINEST || lot.decimals > FINEST) {
    throw new InputError(`${symbol}: a tick or step size of more than ${FINEST} decimals cannot be traded exactly`);
  }
  let unitValue = ledgerUnits(tick, lot);
  while (!Number.isInteger(unitValue)) {
    lot = lot.decimals > 0 ? { units: lot.units, decimals: lot.decimals - 1 } : { units: lot.units * 10, decimals: 0 };
    unitValue = ledgerUnits(tick, lot);
  }
  const size = valueOfDecimal(lot);
  const minLots = Math.ceil(nearInteger(draft.minQuantity / size));
  return {
    symbol,
    tickUnits: tick.units,
    priceDecimals: tick.decimals,
    lotUnits: lot.units,
    quantityDecimals: lot.decimals,
    unitValue,
    minLots: Math.max(minLots, 1),
    maxLots: Math.floor(nearInteger(draft.maxQuantity / size)),
    minNotional: Math.round(draft.minNotional * USDT),
    maxLeverage: ASSUMED_MAX_LEVERAGE,
  };
}

/** Value of one lot moving by one tick in 1e-8 USDT. Whole exactly when the quotient is: both sides are exact. */
function ledgerUnits(tick: Decimal, lot: Decimal): number {
  const product = tick.units * lot.units;
  const shift = LEDGER_DECIMALS - tick.decimals - lot.decimals;
  return shift >= 0 ? product * powerOfTen(shift) : product / powerOfTen(-shift);
}

/** 0.3 / 0.1 is 2.9999999999999996: a quotient that close to a whole number is meant to be it. */
function nearInteger(quotient: number): number {
  const whole = Math.round(quotient);
  return Math.abs(quotient - whole) < 1e-6 ? whole : quotient;
}

function valueOfDecimal(decimal: Decimal): number {
  return decimal.units / powerOfTen(decimal.decimals);
}

export type Filters = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The filters of each symbol by type, and the liquidation fee as if it were one. */
export function readRules(file: string): Map<string, Filters> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(readInputFile(file)));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file}: is not JSON (${(error as Error).message})`);
  }
  const symbols = symbolsOf(json);
  if (symbols === undefined) {
    throw new InputError(`${file}: has no list "symbols"; a reply of /fapi/v1/exchangeInfo is expected`);
  }
  const rules = new Map<string, Filters>();
  for (const [index, entry] of symbols.entries()) {
    const { symbol, filters, liquidationFee } = (entry ?? {}) as Record<string, unknown>;
    if (typeof symbol !== "string") throw new InputError(`${file}: symbols[${index}] has no "symbol"`);
    if (!Array.isArray(filters)) throw new InputError(`${file}: ${symbol} has no list "filters"`);
    if (rules.has(symbol)) throw new InputError(`${file}: ${symbol} is there twice`);
    const byType = Object.fromEntries(filters.map((filter) => [String(filter?.filterType), filter]));
    rules.set(symbol, { ...byType, liquidationFee: { value: liquidationFee } });
  }
  return rules;
}

/** Recorders often wrap the reply as `{ url, status, body }`, or several replies as a list of those. */
function symbolsOf(json: unknown): unknown[] | undefined {
  for (const reply of Array.isArray(json) ? json : [json]) {
    const symbols = reply?.symbols ?? reply?.body?.symbols;
    if (Array.isArray(symbols)) return symbols;
  }
  return undefined;
}

/** Market and limit orders must both be possible, so the stricter of LOT_SIZE and MARKET_LOT_SIZE counts. */
function ruledDraft(filters: Filters, file: string, symbol: string): Draft {
  const read = (filter: string, field: string): Decimal => {
    const found = filters[filter];
    if (found === undefined) throw new InputError(`${file}: ${symbol} has no filter ${filter}`);
    const decimal = parseDecimal(found[field]);
    if (decimal === undefined || decimal.units === 0) {
      const shown = JSON.stringify(found[field]) ?? "missing";
      throw new InputError(`${file}: ${symbol}: ${filter}.${field} is ${shown}; a positive decimal is expected`);
    }
    return decimal;
  };
  const lotFilters = filters.MARKET_LOT_SIZE === undefined ? ["LOT_SIZE"] : ["LOT_SIZE", "MARKET_LOT_SIZE"];
  const inOrder = (field: string) =>
    lotFilters.map((filter) => read(filter, field)).sort((a, b) => valueOfDecimal(a) - valueOfDecimal(b));
  return {
    tick: read("PRICE_FILTER", "tickSize"),
    lot: inOrder("stepSize").at(-1)!,
    lotFromVolume: false,
    minQuantity: valueOfDecimal(inOrder("minQty").at(-1)!),
    maxQuantity: valueOfDecimal(inOrder("maxQty")[0]!),
    minNotional: valueOfDecimal(read("MIN_NOTIONAL", "notional")),
  };
}

/** Exact decimal of text like "0.10" or of a number; undefined when it is none or has more than 15 digits. */
function parseDecimal(value: unknown): Decimal | undefined {
  const parts = /^(\d+)(?:\.(\d*?)0*)?$/.exec(String(value));
  if (parts === null) return undefined;
  const fraction = parts[2] ?? "";
  const units = Number(parts[1] + fraction);
  return units < 1e15 && fraction.length <= 22 ? { units, decimals: fraction.length } : undefined;
}
