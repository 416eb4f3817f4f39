import type { Instrument } from "../core/instrument.ts";
import { powerOfTen, USDT } from "../core/instrument.ts";
import { InputError } from "../input-error.ts";
import { assumedContract, type Bracket, type Contract } from "./contract.ts";
import { readInputFile } from "./input-file.ts";
import { type Filters, naming, readRules } from "./instrument-rules.ts";

/** What the files say about the contracts of a run. */
export interface ContractRules {
  /** With the highest leverage of the brackets where they are known. */
  readonly instruments: readonly Instrument[];
  /** Undefined when no file was given: everything is assumed then. */
  readonly contracts: readonly Contract[] | undefined;
  readonly assumptions: readonly string[];
}

/** Rates are kept in 1e-8. */
const RATE = 100_000_000;

/**
 * Brackets, fees, bands and counts of contracts, from the exchange's own words where there are any.
 *
 * @param rulesFile a reply of `/fapi/v1/exchangeInfo`, .json or .json.gz
 * @param bracketsFile a reply of `/fapi/v1/leverageBracket`, or an object of such lists by unified symbol
 *   ("BTC/USDT:USDT"), .json or .json.gz
 */
export function contractsOf(
  instruments: readonly Instrument[],
  rulesFile: string | undefined,
  bracketsFile: string | undefined,
): ContractRules {
  if (rulesFile === undefined && bracketsFile === undefined)
    return { instruments, contracts: undefined, assumptions: [] };
  const rules = rulesFile === undefined ? undefined : readRules(rulesFile);
  const brackets = bracketsFile === undefined ? undefined : readBrackets(bracketsFile);
  const withoutBrackets: string[] = [];
  const withLeverage = instruments.map((instrument) => {
    const own = brackets?.get(instrument.symbol);
    if (own === undefined) withoutBrackets.push(instrument.symbol);
    return own === undefined ? instrument : { ...instrument, maxLeverage: own[0]!.maxLeverage };
  });
  const contracts = withLeverage.map((instrument) => {
    const assumed = assumedContract(instrument);
    const filters = rules?.get(instrument.symbol);
    const ruled = filters === undefined ? assumed : { ...assumed, ...ruledContract(filters, instrument) };
    return { ...ruled, brackets: brackets?.get(instrument.symbol) ?? assumed.brackets };
  });
  const assumptions: string[] = [];
  if (withoutBrackets.length > 0) {
    const who = naming(withoutBrackets, instruments.length);
    assumptions.push(
      `Leverage brackets of ${who}: assumed, one, that keeps half of the margin at the highest leverage.`,
    );
  }
  if (rules === undefined) assumptions.push("Liquidation fee, price band and order counts: assumed.");
  return { instruments: withLeverage, contracts, assumptions };
}

function ruledContract(filters: Filters, instrument: Instrument): Partial<Contract> {
  const number = (filter: string, field: string): number | undefined => {
    const value = Number(filters[filter]?.[field]);
    return Number.isFinite(value) && value > 0 ? value : undefined;
  };
  const ticks = instrument.tickUnits;
  const scale = powerOfTen(instrument.priceDecimals);
  const lotScale = powerOfTen(instrument.quantityDecimals);
  const rate = (value: number | undefined): number => (value === undefined ? 0 : Math.round(value * RATE));
  const least = number("PRICE_FILTER", "minPrice");
  const most = number("PRICE_FILTER", "maxPrice");
  const market = number("MARKET_LOT_SIZE", "maxQty");
  const orders = number("MAX_NUM_ORDERS", "limit");
  const conditional = number("MAX_NUM_ALGO_ORDERS", "limit");
  const fee = number("liquidationFee", "value");
  return {
    percentUp: rate(number("PERCENT_PRICE", "multiplierUp")),
    percentDown: rate(number("PERCENT_PRICE", "multiplierDown")),
    ...(least === undefined ? {} : { minPrice: Math.ceil((least * scale) / ticks - 1e-6) }),
    ...(most === undefined ? {} : { maxPrice: Math.floor((most * scale) / ticks + 1e-6) }),
    ...(market === undefined ? {} : { maxMarketLots: Math.floor((market * lotScale) / instrument.lotUnits + 1e-6) }),
    ...(orders === undefined ? {} : { maxOrders: orders }),
    ...(conditional === undefined ? {} : { maxConditional: conditional }),
    ...(fee === undefined ? {} : { liquidationFee: rate(fee) }),
  };
}

/** Brackets by symbol, from the smallest to the largest. @throws InputError naming file, symbol and bracket */
export function readBrackets(file: string): Map<string, readonly Bracket[]> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(readInputFile(file)));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file}: is not JSON (${(error as Error).message})`);
  }
  const bySymbol = new Map<string, readonly Bracket[]>();
  for (const [symbol, list] of listsOf(json, file)) bySymbol.set(symbol, bracketsIn(list, `${file}: ${symbol}`));
  return bySymbol;
}

/** The exchange replies with a list of `{ symbol, brackets }`; collections keep `{ "BTC/USDT:USDT": [...] }`. */
function listsOf(json: unknown, file: string): [symbol: string, list: unknown][] {
  const body = (json as { body?: unknown } | null)?.body ?? json;
  if (Array.isArray(body)) {
    return body.map((entry, index) => {
      const { symbol, brackets } = (entry ?? {}) as { symbol?: unknown; brackets?: unknown };
      if (typeof symbol !== "string") throw new InputError(`${file}: entry ${index} has no "symbol"`);
      return [symbol, brackets];
    });
  }
  if (typeof body !== "object" || body === null) {
    throw new InputError(`${file}: leverage brackets are expected: a list of { symbol, brackets }, or lists by symbol`);
  }
  return Object.entries(body).map(([name, list]) => [name.replace(/:[A-Z0-9]+/, "").replace("/", ""), list]);
}

function bracketsIn(list: unknown, where: string): readonly Bracket[] {
  if (!Array.isArray(list) || list.length === 0) throw new InputError(`${where} has no list of brackets`);
  const brackets = list.map((entry: Record<string, unknown>, index): Bracket => {
    const read = (field: string, least: number): number => {
      const value = Number(entry?.[field] ?? Number.NaN);
      if (!(Number.isFinite(value) && value >= least)) {
        const shown = JSON.stringify(entry?.[field]) ?? "missing";
        throw new InputError(
          `${where}: bracket ${index + 1}: ${field} is ${shown}; a number from ${least} is expected`,
        );
      }
      return value;
    };
    return {
      maxLeverage: read("initialLeverage", 1),
      cap: BigInt(Math.round(read("notionalCap", 0))) * BigInt(USDT),
      maintenanceRate: BigInt(Math.round(read("maintMarginRatio", 0) * RATE)),
      amount: BigInt(Math.round(read("cum", 0) * USDT)),
    };
  });
  brackets.sort((a, b) => (a.cap < b.cap ? -1 : a.cap > b.cap ? 1 : 0));
  return brackets;
}
