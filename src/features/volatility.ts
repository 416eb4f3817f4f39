import { ratio, within } from "./bounds.ts";
import { defineFeature } from "./feature.ts";

export const atrPercent1h = defineFeature({
  name: "atrPercent1h",
  timeframe: "1h",
  formula: "100 · ATR / close on 1h, limited to 25",
  unit: "%",
  range: [0, 25],
  warmUp: 15,
  source: "Wilder, New Concepts in Technical Trading Systems (1978), as a share of the price",
  value(view) {
    const bars = view.timeframe("1h");
    return within(100 * ratio(bars.indicator("atr"), bars.close(0)), 0, 25);
  },
});

export const volatilityRatio = defineFeature({
  name: "volatilityRatio",
  timeframe: "5m",
  formula: "ATR on 5m · √12 / ATR on 1h, limited to 5",
  unit: "×",
  range: [0, 5],
  warmUp: 180,
  source:
    "Lo and MacKinlay, Stock Market Prices Do Not Follow Random Walks, Review of Financial Studies 1 (1988): the idea " +
    "of the variance ratio, on ranges",
  value: (view) =>
    within(ratio(view.timeframe("5m").indicator("atr") * Math.sqrt(12), view.timeframe("1h").indicator("atr")), 0, 5),
});

const RECENT = 12;
const USUAL = 96;

export const volatilityChange = defineFeature({
  name: "volatilityChange",
  timeframe: "5m",
  formula: "root mean square of the last 12 returns / that of the last 96, on 5m",
  unit: "×",
  // The recent squares are among the usual ones, so the ratio of the means is at most 96/12.
  range: [0, Math.sqrt(USUAL / RECENT)],
  warmUp: USUAL + 1,
  source: "Engle, Autoregressive Conditional Heteroscedasticity, Econometrica 50 (1982): that volatility clusters",
  value(view) {
    const bars = view.timeframe("5m");
    if (bars.bars <= USUAL) return Number.NaN;
    let recent = 0;
    let all = 0;
    let close = bars.close(0);
    for (let back = 1; back <= USUAL; back++) {
      const before = bars.close(back);
      const change = ratio(close, before) - 1;
      all += change * change;
      if (back === RECENT) recent = all;
      close = before;
    }
    return within(Math.sqrt(ratio(recent * (USUAL / RECENT), all)), 0, Math.sqrt(USUAL / RECENT));
  },
});

const BOLLINGER = "Bollinger, Bollinger on Bollinger Bands (2001)";

export const percentB5m = defineFeature({
  name: "percentB5m",
  timeframe: "5m",
  formula: "2 · (close − lower band) / (upper band − lower band) − 1 on 5m, limited to ±2.5",
  unit: "half band widths",
  range: [-2.5, 2.5],
  warmUp: 20,
  source: `${BOLLINGER}, %b, centred`,
  value(view) {
    const bars = view.timeframe("5m");
    const lower = bars.indicator("bollingerLower");
    return within(ratio(bars.close(0) - lower, bars.indicator("bollingerUpper") - lower) * 2 - 1, -2.5, 2.5);
  },
});

export const squeeze15m = defineFeature({
  name: "squeeze15m",
  timeframe: "15m",
  formula: "(upper band − lower band) / (4 · ATR) on 15m, limited to 5",
  unit: "standard deviations per ATR",
  range: [0, 5],
  warmUp: 20,
  source: `${BOLLINGER}, band width, against the Keltner channel`,
  value(view) {
    const bars = view.timeframe("15m");
    const width = bars.indicator("bollingerUpper") - bars.indicator("bollingerLower");
    return within(ratio(width, 4 * bars.indicator("atr")), 0, 5);
  },
});
