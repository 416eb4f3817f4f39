import { ratio, within } from "./bounds.ts";
import { defineFeature } from "./feature.ts";

const BARS = 20;

export const spreadEstimate5m = defineFeature({
  name: "spreadEstimate5m",
  timeframe: "5m",
  formula:
    "signed √(4 · mean over 20 of (close − middle) · (close − middle of the next bar)) / ATR on 5m, limited to ±2; " +
    "middle = (high + low) / 2; below 0 there is no spread to be seen",
  unit: "ATR",
  range: [-2, 2],
  warmUp: BARS + 1,
  source:
    "Abdi and Ranaldo, A Simple Estimation of Bid-Ask Spreads, Review of Financial Studies 30 (2017), with prices for " +
    "their logarithms; stands in for the spread of the book",
  value(view) {
    const bars = view.timeframe("5m");
    if (bars.bars <= BARS) return Number.NaN;
    let sum = 0;
    let next = (bars.high(0) + bars.low(0)) * 0.5;
    for (let back = 1; back <= BARS; back++) {
      const close = bars.close(back);
      const middle = (bars.high(back) + bars.low(back)) * 0.5;
      sum += (close - middle) * (close - next);
      next = middle;
    }
    const square = (4 * sum) / BARS;
    const root = square < 0 ? -Math.sqrt(-square) : Math.sqrt(square);
    return within(ratio(root, bars.indicator("atr")), -2, 2);
  },
});

export const flowImbalance5m = defineFeature({
  name: "flowImbalance5m",
  timeframe: "5m",
  formula: "Σ ((close − low) − (high − close)) / (high − low) · volume / Σ volume over 20 bars on 5m",
  unit: "share",
  range: [-1, 1],
  warmUp: BARS,
  source: "Chaikin money flow, in Achelis, Technical Analysis from A to Z (1995); stands in for the book's imbalance",
  value(view) {
    const bars = view.timeframe("5m");
    if (bars.bars < BARS) return Number.NaN;
    let signed = 0;
    let all = 0;
    for (let back = 0; back < BARS; back++) {
      const [high, low, close, volume] = [bars.high(back), bars.low(back), bars.close(back), bars.volume(back)];
      // A bar without a range says nothing of who was stronger.
      if (high > low) signed += ((close - low - (high - close)) / (high - low)) * volume;
      all += volume;
    }
    return within(ratio(signed, all), -1, 1);
  },
});
