import { type Instrument, notionalOf, powerOfTen, USDT } from "../../core/instrument.ts";
import { InputError } from "../../input-error.ts";
import { moneyOf, scaled, stepOf, unitValueOf } from "./decimals.ts";
import type { ExchangeInfo, SymbolBrackets, SymbolInfo } from "./gateway.ts";

/** Assumed where no key lets us ask for the brackets. */
const ASSUMED_LEVERAGE = 20;

/**
 * The contracts that are traded, sorted by name.
 * @param wanted these symbols only; all perpetual USDT contracts when undefined
 * @throws InputError for a symbol that the exchange does not trade, or whose numbers are beyond exact arithmetic
 */
export function instrumentsOf(
  info: ExchangeInfo,
  brackets: readonly SymbolBrackets[],
  wanted: readonly string[] | undefined,
): Instrument[] {
  const trading = new Map(
    info.symbols
      .filter(({ status, contractType, quoteAsset }) => {
        return status === "TRADING" && contractType === "PERPETUAL" && quoteAsset === "USDT";
      })
      .map((symbol) => [symbol.symbol, symbol]),
  );
  const names = wanted === undefined ? [...trading.keys()] : [...new Set(wanted)];
  const ofSymbol = new Map(brackets.map((one) => [one.symbol, one]));
  return names
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => {
      const symbol = trading.get(name);
      if (symbol === undefined) throw new InputError(`${name} is no USDT perpetual that trades at the exchange`, 2);
      return instrumentOf(symbol, ofSymbol.get(name));
    });
}

function instrumentOf(info: SymbolInfo, brackets: SymbolBrackets | undefined): Instrument {
  const { symbol } = info;
  try {
    const tick = stepOf(info.tickSize);
    // A market order must fit the coarser of the two grids, since exits go to market.
    const lot = stepOf(Number(info.marketStepSize) > Number(info.stepSize) ? info.marketStepSize : info.stepSize);
    const least = Number(info.marketMinQuantity) > Number(info.minQuantity) ? info.marketMinQuantity : info.minQuantity;
    const most = Number(info.marketMaxQuantity) < Number(info.maxQuantity) ? info.marketMaxQuantity : info.maxQuantity;
    const lots = (text: string) => Number(scaled(text, lot.decimals)) / lot.units;
    const instrument: Instrument = {
      symbol,
      tickUnits: tick.units,
      priceDecimals: tick.decimals,
      lotUnits: lot.units,
      quantityDecimals: lot.decimals,
      unitValue: unitValueOf(tick, lot),
      minLots: Math.max(1, Math.ceil(lots(least))),
      maxLots: Math.floor(lots(most)),
      minNotional: moneyOf(info.minNotional),
      maxLeverage: brackets?.brackets[0]?.maxLeverage ?? ASSUMED_LEVERAGE,
      ...(brackets !== undefined && {
        brackets: brackets.brackets.map(({ maxLeverage, notionalCap, maintenance }) => ({
          maxLeverage,
          cap: notionalCap * USDT,
          maintenance,
        })),
      }),
    };
    // One tick of one lot must be countable, or no order could be.
    notionalOf(instrument, 1, powerOfTen(1));
    return instrument;
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(`${symbol}: ${error.message}`);
    throw error;
  }
}
