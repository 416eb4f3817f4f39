import type { TimeframeView } from "../core/strategy.ts";
import { ratio, within } from "./bounds.ts";
import { defineFeature } from "./feature.ts";

/** An RSI of 0 also stands for a market without any movement, about which there is nothing to say. */
function centredRsi(bars: TimeframeView): number {
  return bars.indicator("atr") > 0 ? within(bars.indicator("rsi") / 50 - 1, -1, 1) : Number.NaN;
}

const RSI = "Wilder, New Concepts in Technical Trading Systems (1978)";

export const rsi5m = defineFeature({
  name: "rsi5m",
  timeframe: "5m",
  formula: "RSI / 50 − 1 on 5m",
  unit: "share",
  range: [-1, 1],
  warmUp: 15,
  source: RSI,
  value: (view) => centredRsi(view.timeframe("5m")),
});

export const rsi1h = defineFeature({
  name: "rsi1h",
  timeframe: "1h",
  formula: "RSI / 50 − 1 on 1h",
  unit: "share",
  range: [-1, 1],
  warmUp: 15,
  source: RSI,
  value: (view) => centredRsi(view.timeframe("1h")),
});

/** The move over n bars against what a random walk of the same bars is expected to make of them. */
function momentum(bars: TimeframeView, n: number): number {
  return within(ratio(bars.close(0) - bars.close(n), bars.indicator("atr") * Math.sqrt(n)), -5, 5);
}

const MOMENTUM = "Moskowitz, Ooi and Pedersen, Time Series Momentum, J. Financial Economics 104 (2012)";

export const momentum1h = defineFeature({
  name: "momentum1h",
  timeframe: "5m",
  formula: "(close − close 12 bars ago) / (ATR · √12) on 5m, limited to ±5",
  unit: "ATR · √bars",
  range: [-5, 5],
  warmUp: 15,
  source: MOMENTUM,
  value: (view) => momentum(view.timeframe("5m"), 12),
});

export const momentum1d = defineFeature({
  name: "momentum1d",
  timeframe: "1h",
  formula: "(close − close 24 bars ago) / (ATR · √24) on 1h, limited to ±5",
  unit: "ATR · √bars",
  range: [-5, 5],
  warmUp: 25,
  source: MOMENTUM,
  value: (view) => momentum(view.timeframe("1h"), 24),
});

const STOCHASTIC_BARS = 14;

export const stochastic15m = defineFeature({
  name: "stochastic15m",
  timeframe: "15m",
  formula: "2 · (close − lowest low of 14) / (highest high of 14 − lowest low of 14) − 1 on 15m",
  unit: "share",
  range: [-1, 1],
  warmUp: STOCHASTIC_BARS,
  source: "Lane, Lane's Stochastics, Technical Analysis of Stocks & Commodities (1984), %K",
  value(view) {
    const bars = view.timeframe("15m");
    if (bars.bars < STOCHASTIC_BARS) return Number.NaN;
    let low = bars.low(0);
    let high = bars.high(0);
    for (let back = 1; back < STOCHASTIC_BARS; back++) {
      const l = bars.low(back);
      const h = bars.high(back);
      // An absent bar makes the window incomplete; comparisons alone would pass over it.
      if (Number.isNaN(l)) return Number.NaN;
      if (l < low) low = l;
      if (h > high) high = h;
    }
    return ratio(bars.close(0) - low, high - low) * 2 - 1;
  },
});
