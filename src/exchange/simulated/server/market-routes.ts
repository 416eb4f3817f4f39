import { type Instrument, priceOf } from "../../../core/instrument.ts";
import { decimalText, priceText, quantityText, shortDecimal, volumeText } from "./decimals.ts";
import { INTERVALS, type Kline } from "./klines.ts";
import { FUNDING_INTERVAL, markText, nextFunding, type PublicSymbol } from "./market-feed.ts";
import type { Parameters } from "./parameters.ts";
import type { Call, Route } from "./routes.ts";
import { type Json, WireError } from "./wire.ts";

const MINUTE = 60_000;
/** Delivery date of contracts that are never delivered. */
const NEVER = 4_133_404_800_000;

/** Index of the symbol that is asked for. @throws WireError -1121 */
export function symbolOf({ venue, parameters }: Call): number {
  return symbolNamed({ venue }, parameters.required("symbol"));
}

export function symbolNamed({ venue }: Pick<Call, "venue">, name: string): number {
  const symbol = venue.feed.bySymbol.get(name.toUpperCase());
  if (symbol === undefined) throw new WireError(-1121, "Invalid symbol.");
  return symbol;
}

/** One answer for the symbol that is named, or the list of all. */
function eachOrOne(call: Call, json: (symbol: number) => Json): Json {
  if (call.parameters.text("symbol") !== undefined) return json(symbolOf(call));
  return call.venue.feed.symbols.flatMap(({ last }, symbol) => (last > 0 ? [json(symbol)] : []));
}

function weightOfOne(one: number, all: number): (parameters: Parameters) => number {
  return (parameters) => (parameters.text("symbol") === undefined ? all : one);
}

function exchangeInfo({ venue, now }: Call): Json {
  const { weight, ordersPer10s, ordersPerMinute } = venue.limits.options;
  return {
    timezone: "UTC",
    serverTime: now,
    futuresType: "U_MARGINED",
    rateLimits: [
      { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: weight },
      { rateLimitType: "ORDERS", interval: "MINUTE", intervalNum: 1, limit: ordersPerMinute },
      { rateLimitType: "ORDERS", interval: "SECOND", intervalNum: 10, limit: ordersPer10s },
    ],
    exchangeFilters: [],
    assets: [{ asset: "USDT", marginAvailable: true, autoAssetExchange: "-10000" }],
    symbols: venue.feed.symbols.map((seen, symbol) => symbolInfo(venue, seen, symbol)),
  };
}

/** "BTC" and "USDT" of BTCUSDT. */
export function assetsOf(symbol: string): { base: string; quote: string } {
  const quote = ["USDT", "USDC", "BUSD", "USD"].find((name) => symbol.endsWith(name) && symbol !== name) ?? "USDT";
  return { base: symbol.endsWith(quote) ? symbol.slice(0, -quote.length) : symbol, quote };
}

function symbolInfo(venue: Call["venue"], { instrument, last, klines }: PublicSymbol, symbol: number): Json {
  const contract = venue.contracts[symbol]!;
  const { base, quote } = assetsOf(instrument.symbol);
  const lots = (count: number) => quantityText(instrument, count);
  const first = contract.brackets[0]!;
  const step = lots(1);
  const minQty = lots(instrument.minLots);
  const band = { multiplierUp: contract.percentUp, multiplierDown: contract.percentDown };
  return {
    symbol: instrument.symbol,
    pair: instrument.symbol,
    contractType: "PERPETUAL",
    deliveryDate: NEVER,
    onboardDate: klines.series("1d")?.[0]?.openTime ?? 0,
    status: last > 0 ? "TRADING" : "PENDING_TRADING",
    maintMarginPercent: "2.5000",
    requiredMarginPercent: "5.0000",
    baseAsset: base,
    quoteAsset: quote,
    marginAsset: quote,
    pricePrecision: instrument.priceDecimals,
    quantityPrecision: instrument.quantityDecimals,
    baseAssetPrecision: 8,
    quotePrecision: 8,
    underlyingType: "COIN",
    underlyingSubType: [],
    settlePlan: 0,
    triggerProtect: "0.0500",
    liquidationFee: decimalText(contract.liquidationFee, 8).slice(0, 8),
    marketTakeBound: "0.05",
    maxMoveOrderLimit: 10_000,
    filters: [
      {
        filterType: "PRICE_FILTER",
        minPrice: priceText(instrument, contract.minPrice),
        maxPrice: priceText(instrument, Math.min(contract.maxPrice, 1e9)),
        tickSize: priceText(instrument, 1),
      },
      { filterType: "LOT_SIZE", minQty, maxQty: lots(instrument.maxLots), stepSize: step },
      {
        filterType: "MARKET_LOT_SIZE",
        minQty,
        maxQty: lots(Math.min(instrument.maxLots, contract.maxMarketLots)),
        stepSize: step,
      },
      { filterType: "MAX_NUM_ORDERS", limit: contract.maxOrders },
      { filterType: "MIN_NOTIONAL", notional: shortDecimal(instrument.minNotional, 8) },
      {
        filterType: "PERCENT_PRICE",
        multiplierUp: decimalText(band.multiplierUp === 0 ? 1_000_000_000 : band.multiplierUp, 8).slice(0, -4),
        multiplierDown: decimalText(band.multiplierDown, 8).slice(0, -4),
        multiplierDecimal: "4",
      },
      { filterType: "POSITION_RISK_CONTROL", positionControlSide: "NONE" },
    ],
    orderTypes: ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"],
    timeInForce: ["GTC", "IOC", "FOK", "GTX", "GTD"],
    permissionSets: ["GRID", "COPY"],
    maxLeverage: first.maxLeverage,
  };
}

/** Rows that a request asks for, and what it weighs. */
function klineLimit(parameters: Parameters): number {
  const limit = parameters.whole("limit") ?? 500;
  if (limit < 1) throw new WireError(-1130, "Data sent for parameter 'limit' is not valid.");
  return Math.min(limit, 1500);
}

function klineWeight(parameters: Parameters): number {
  const limit = klineLimit(parameters);
  return limit < 100 ? 1 : limit < 500 ? 2 : limit <= 1000 ? 5 : 10;
}

function klineRows(call: Call, name: string, row: (kline: Kline, seen: PublicSymbol, interval: string) => Json): Json {
  const { venue, parameters } = call;
  const seen = venue.feed.symbols[symbolNamed(call, parameters.required(name))]!;
  const interval = parameters.required("interval");
  const series = INTERVALS[interval] === undefined ? undefined : seen.klines.series(interval);
  if (series === undefined) throw new WireError(-1120, "Invalid interval.");
  const from = parameters.whole("startTime") ?? Number.NEGATIVE_INFINITY;
  const to = parameters.whole("endTime") ?? Number.POSITIVE_INFINITY;
  const limit = klineLimit(parameters);
  const asked = series.filter(({ openTime, lost }) => openTime >= from && openTime <= to && lost !== true);
  const rows = parameters.text("startTime") === undefined ? asked.slice(-limit) : asked.slice(0, limit);
  return rows.map((kline) => row(kline, seen, interval));
}

const klineRow = (kline: Kline, seen: PublicSymbol, interval: string): Json => seen.klines.row(interval, kline);

/** Candles of mark and index prices are not kept: they are the traded ones without a volume. */
function markRow(kline: Kline, seen: PublicSymbol, interval: string): Json {
  return seen.klines.row(interval, { ...kline, volume: 0, quote: 0, trades: 0 });
}

function depth(call: Call): Json {
  const { venue, parameters } = call;
  const { book } = venue.feed.symbols[symbolOf(call)]!;
  const limit = parameters.whole("limit") ?? 500;
  return {
    lastUpdateId: book.updateId,
    E: venue.time,
    T: book.time,
    bids: book.json(book.bids(limit)),
    asks: book.json(book.asks(limit)),
  };
}

function depthWeight(parameters: Parameters): number {
  const limit = parameters.whole("limit") ?? 500;
  return limit <= 50 ? 2 : limit <= 100 ? 5 : limit <= 500 ? 10 : 20;
}

function trades(call: Call): Json {
  const { venue, parameters } = call;
  const { trades: all, instrument } = venue.feed.symbols[symbolOf(call)]!;
  const rows = all.filter(({ kind }) => kind === "MARKET").slice(-(parameters.whole("limit") ?? 500));
  return rows.map(({ id, time, price, lots, buyerIsMaker }) => ({
    id,
    price: priceText(instrument, price),
    qty: quantityText(instrument, lots),
    quoteQty: valueText(instrument, price, lots),
    time,
    isBuyerMaker: buyerIsMaker,
    isRPITrade: false,
  }));
}

function aggTrades(call: Call): Json {
  const { venue, parameters } = call;
  const { trades: all, instrument } = venue.feed.symbols[symbolOf(call)]!;
  const fromId = parameters.whole("fromId") ?? 0;
  const from = parameters.whole("startTime") ?? 0;
  const to = parameters.whole("endTime") ?? Number.POSITIVE_INFINITY;
  const rows = all.filter(({ id, time, kind }) => kind === "MARKET" && id >= fromId && time >= from && time <= to);
  return rows.slice(-(parameters.whole("limit") ?? 500)).map(({ id, time, price, lots, buyerIsMaker }) => {
    const quantity = quantityText(instrument, lots);
    return {
      a: id,
      p: priceText(instrument, price),
      q: quantity,
      nq: quantity,
      f: id,
      l: id,
      T: time,
      m: buyerIsMaker,
    };
  });
}

function valueText(instrument: Instrument, price: number, lots: number): string {
  return shortDecimal(BigInt(price) * BigInt(lots) * BigInt(instrument.unitValue), 8);
}

function ticker24hr(call: Call): Json {
  return eachOrOne(call, (symbol) => {
    const { feed, time } = call.venue;
    const { instrument, lastLots } = feed.symbols[symbol]!;
    const day = feed.day(symbol, time);
    const price = (ticks: number) => priceText(instrument, ticks);
    return {
      symbol: instrument.symbol,
      priceChange: price(day.close - day.open),
      priceChangePercent: day.percent,
      weightedAvgPrice: day.average,
      lastPrice: price(day.close),
      lastQty: quantityText(instrument, lastLots),
      openPrice: price(day.open),
      highPrice: price(day.high),
      lowPrice: price(day.low),
      volume: volumeText(instrument, day.volume),
      quoteVolume: day.quote.toFixed(2),
      openTime: day.openTime,
      closeTime: time,
      firstId: day.firstId,
      lastId: day.firstId + day.count,
      count: day.count,
    };
  });
}

function bookTicker(call: Call): Json {
  return eachOrOne(call, (symbol) => {
    const { feed, time } = call.venue;
    const { s, b, B, a, A, u } = feed.bookTicker(symbol, time);
    return { lastUpdateId: u!, symbol: s!, bidPrice: b!, bidQty: B!, askPrice: a!, askQty: A!, time };
  });
}

function tickerPrice(call: Call): Json {
  return eachOrOne(call, (symbol) => {
    const { instrument, last } = call.venue.feed.symbols[symbol]!;
    return { symbol: instrument.symbol, price: priceText(instrument, last), time: call.venue.time };
  });
}

function premiumIndex(call: Call): Json {
  return eachOrOne(call, (symbol) => {
    const { feed, time } = call.venue;
    const { instrument } = feed.symbols[symbol]!;
    const mark = markText(instrument, feed.mark(symbol));
    return {
      symbol: instrument.symbol,
      markPrice: mark,
      indexPrice: mark,
      estimatedSettlePrice: mark,
      lastFundingRate: decimalText(feed.fundingRate(symbol, time), 8),
      interestRate: "0.00010000",
      nextFundingTime: nextFunding(time),
      time,
    };
  });
}

function fundingRate(call: Call): Json {
  const { venue, parameters } = call;
  const wanted = parameters.text("symbol") === undefined ? undefined : symbolOf(call);
  const from = parameters.whole("startTime");
  const to = Math.min(parameters.whole("endTime") ?? venue.time, venue.time);
  const limit = Math.min(parameters.whole("limit") ?? 100, 1000);
  const rows = venue.feed.symbols.flatMap(({ instrument, fundings }, symbol) =>
    wanted !== undefined && wanted !== symbol
      ? []
      : fundings
          .filter(({ time }) => time >= (from ?? 0) && time <= to)
          .map(({ time, rate, mark }) => ({
            symbol: instrument.symbol,
            fundingRate: decimalText(rate, 8),
            fundingTime: time,
            markPrice: mark > 0 ? markText(instrument, mark) : "",
            rateType: "Regular",
          })),
  );
  rows.sort((a, b) => a.fundingTime - b.fundingTime);
  return from === undefined ? rows.slice(-limit) : rows.slice(0, limit);
}

function fundingInfo({ venue }: Call): Json {
  return venue.feed.symbols.map(({ instrument }) => ({
    symbol: instrument.symbol,
    adjustedFundingRateCap: "0.02000000",
    adjustedFundingRateFloor: "-0.02000000",
    fundingIntervalHours: FUNDING_INTERVAL / (60 * MINUTE),
    disclaimer: false,
  }));
}

/** Open interest of a market without other traders: what its bars would turn over in an hour. */
function openInterest(call: Call): Json {
  const { feed, time } = call.venue;
  const symbol = symbolOf(call);
  const { instrument } = feed.symbols[symbol]!;
  return {
    openInterest: volumeText(instrument, feed.day(symbol, time).volume / 24),
    symbol: instrument.symbol,
    time,
  };
}

/** Statistics over periods: there are no other traders to count, so sizes follow the volume and sides are even. */
function statistics(row: (instrument: Instrument, kline: Kline) => { readonly [key: string]: Json }) {
  return ({ venue, parameters }: Call): Json => {
    const name = parameters.text("symbol") ?? parameters.required("pair");
    const { instrument, klines } = venue.feed.symbols[symbolNamed({ venue }, name)]!;
    const series = klines.series(parameters.required("period"));
    if (series === undefined) throw new WireError(-1130, "Data sent for parameter 'period' is not valid.");
    const from = parameters.whole("startTime") ?? 0;
    const to = parameters.whole("endTime") ?? Number.POSITIVE_INFINITY;
    const rows = series.filter(({ openTime, closed }) => closed && openTime >= from && openTime <= to);
    return rows
      .slice(-Math.min(parameters.whole("limit") ?? 30, 500))
      .map((kline) => ({ ...row(instrument, kline), timestamp: kline.openTime }));
  };
}

const ratio = ({ symbol }: Instrument) => ({
  symbol,
  longShortRatio: "1.0000",
  longAccount: "0.5000",
  shortAccount: "0.5000",
});

export const MARKET_ROUTES: Readonly<Record<string, Route>> = {
  "GET /fapi/v1/ping": { weight: 1, security: "none", handle: () => ({}) },
  "GET /fapi/v1/time": { weight: 1, security: "none", handle: ({ now }) => ({ serverTime: now }) },
  "GET /fapi/v1/exchangeInfo": { weight: 1, security: "none", handle: exchangeInfo },
  "GET /fapi/v1/klines": {
    weight: klineWeight,
    security: "none",
    handle: (call) => klineRows(call, "symbol", klineRow),
  },
  "GET /fapi/v1/continuousKlines": {
    weight: klineWeight,
    security: "none",
    handle: (call) => klineRows(call, "pair", klineRow),
  },
  "GET /fapi/v1/indexPriceKlines": {
    weight: klineWeight,
    security: "none",
    handle: (call) => klineRows(call, "pair", markRow),
  },
  "GET /fapi/v1/markPriceKlines": {
    weight: klineWeight,
    security: "none",
    handle: (call) => klineRows(call, "symbol", markRow),
  },
  "GET /fapi/v1/depth": { weight: depthWeight, security: "none", handle: depth },
  "GET /fapi/v1/trades": { weight: 5, security: "none", handle: trades },
  "GET /fapi/v1/historicalTrades": { weight: 200, security: "key", handle: trades },
  "GET /fapi/v1/aggTrades": { weight: 20, security: "none", handle: aggTrades },
  "GET /fapi/v1/ticker/24hr": { weight: weightOfOne(1, 40), security: "none", handle: ticker24hr },
  "GET /fapi/v1/ticker/bookTicker": { weight: weightOfOne(2, 5), security: "none", handle: bookTicker },
  "GET /fapi/v1/ticker/price": { weight: weightOfOne(1, 2), security: "none", handle: tickerPrice },
  "GET /fapi/v2/ticker/price": { weight: weightOfOne(1, 2), security: "none", handle: tickerPrice },
  "GET /fapi/v1/premiumIndex": { weight: weightOfOne(1, 10), security: "none", handle: premiumIndex },
  "GET /fapi/v1/fundingRate": { weight: 0, security: "none", handle: fundingRate },
  "GET /fapi/v1/fundingInfo": { weight: 0, security: "none", handle: fundingInfo },
  "GET /fapi/v1/openInterest": { weight: 1, security: "none", handle: openInterest },
  "GET /futures/data/openInterestHist": {
    weight: 0,
    security: "none",
    handle: statistics((instrument, { volume, quote }) => ({
      symbol: instrument.symbol,
      sumOpenInterest: volume.toFixed(8),
      sumOpenInterestValue: quote.toFixed(8),
      CMCCirculatingSupply: "0",
    })),
  },
  "GET /futures/data/topLongShortAccountRatio": { weight: 0, security: "none", handle: statistics(ratio) },
  "GET /futures/data/topLongShortPositionRatio": { weight: 0, security: "none", handle: statistics(ratio) },
  "GET /futures/data/globalLongShortAccountRatio": { weight: 0, security: "none", handle: statistics(ratio) },
  "GET /futures/data/takerlongshortRatio": {
    weight: 0,
    security: "none",
    handle: statistics((_, { volume }) => ({
      buySellRatio: "1.0000",
      buyVol: (volume / 2).toFixed(4),
      sellVol: (volume / 2).toFixed(4),
    })),
  },
  "GET /futures/data/basis": {
    weight: 0,
    security: "none",
    handle: statistics((instrument, { close }) => ({
      indexPrice: markText(instrument, close),
      contractType: "PERPETUAL",
      basisRate: "0.0000",
      futuresPrice: String(priceOf(instrument, close)),
      annualizedBasisRate: "",
      basis: "0.00000000",
      pair: instrument.symbol,
    })),
  },
  // What clients of the spot account ask on their way.
  "GET /sapi/v1/margin/allPairs": { weight: 1, security: "key", handle: () => [] },
  "GET /sapi/v1/capital/config/getall": { weight: 1, security: "key", handle: () => [] },
  "GET /sapi/v1/account/apiRestrictions": {
    weight: 1,
    security: "signed",
    handle: ({ venue, now }) => ({
      ipRestrict: false,
      createTime: now,
      enableReading: true,
      enableWithdrawals: venue.keysMayWithdraw,
      enableInternalTransfer: venue.keysMayWithdraw,
      enableMargin: false,
      enableFutures: true,
      permitsUniversalTransfer: false,
      enableVanillaOptions: false,
      enableFixApiTrade: false,
      enableFixReadOnly: true,
      enableSpotAndMarginTrading: false,
      enablePortfolioMarginTrading: false,
    }),
  },
  "GET /sapi/v1/system/status": { weight: 1, security: "none", handle: () => ({ status: 0, msg: "normal" }) },
};
