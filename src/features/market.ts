import { ratio, within } from "./bounds.ts";
import { defineFeature, MARKET_BARS, type MarketView } from "./feature.ts";

const HOUR_BARS = 12;

/** Return of the market over the last hour, a fraction. */
function hourReturn(market: MarketView): number {
  let sum = 0;
  for (let back = 0; back < HOUR_BARS; back++) sum += market.return(back);
  return sum;
}

export const marketMomentum = defineFeature({
  name: "marketMomentum",
  timeframe: "5m",
  formula:
    "Σ of the last 12 returns of the market / (√12 · root mean square of its last 96), on 5m, limited to ±5; the " +
    "market is the mean of all symbols of the run, missing where there are fewer than two",
  unit: "standard deviations",
  range: [-5, 5],
  warmUp: MARKET_BARS + 1,
  source: "Sharpe, Capital Asset Prices, J. Finance 19 (1964): one common factor",
  value({ market }) {
    let squares = 0;
    for (let back = 0; back < MARKET_BARS; back++) squares += market.return(back) * market.return(back);
    return within(ratio(hourReturn(market), Math.sqrt((squares * HOUR_BARS) / MARKET_BARS)), -5, 5);
  },
});

export const relativeStrength = defineFeature({
  name: "relativeStrength",
  timeframe: "5m",
  formula: "(return of the symbol over 12 bars − Σ of the market's) · close / (ATR · √12) on 5m, limited to ±5",
  unit: "ATR · √bars",
  range: [-5, 5],
  warmUp: 15,
  source: "Jegadeesh and Titman, Returns to Buying Winners and Selling Losers, J. Finance 48 (1993)",
  value(view) {
    const bars = view.timeframe("5m");
    const close = bars.close(0);
    const ahead = ratio(close, bars.close(HOUR_BARS)) - 1 - hourReturn(view.market);
    return within(ratio(ahead * close, bars.indicator("atr") * Math.sqrt(HOUR_BARS)), -5, 5);
  },
});

export const fundingRate = defineFeature({
  name: "fundingRate",
  timeframe: "5m",
  formula: "100 · the last funding rate settled before the bar's close, limited to ±3; missing before the first",
  unit: "% per settlement",
  range: [-3, 3],
  warmUp: 1,
  source: "Binance, Introduction to Binance Futures Funding Rates; longs pay where it is above 0",
  value: (view) => within(100 * view.fundingRate, -3, 3),
});
