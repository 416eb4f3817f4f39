import { ANALYSIS_TIMEFRAMES, type TimeframeView } from "../core/strategy.ts";
import { ratio, sign, within } from "./bounds.ts";
import { defineFeature } from "./feature.ts";

/** How far the averages are apart, in units of the usual movement: the line of MACD without its currency. */
function emaSpread(bars: TimeframeView): number {
  return within(ratio(bars.indicator("emaFast") - bars.indicator("emaSlow"), bars.indicator("atr")), -10, 10);
}

const APPEL =
  "Appel, The Moving Average Convergence-Divergence Trading Method (1979); divided by the average true range";

export const emaSpread5m = defineFeature({
  name: "emaSpread5m",
  timeframe: "5m",
  formula: "(EMA fast − EMA slow) / ATR on 5m, limited to ±10",
  unit: "ATR",
  range: [-10, 10],
  warmUp: 50,
  source: APPEL,
  value: (view) => emaSpread(view.timeframe("5m")),
});

export const emaSpread1h = defineFeature({
  name: "emaSpread1h",
  timeframe: "1h",
  formula: "(EMA fast − EMA slow) / ATR on 1h, limited to ±10",
  unit: "ATR",
  range: [-10, 10],
  warmUp: 50,
  source: APPEL,
  value: (view) => emaSpread(view.timeframe("1h")),
});

export const emaAlignment = defineFeature({
  name: "emaAlignment",
  timeframe: "5m",
  formula: "mean over 5m, 15m and 1h of the sign of EMA fast − EMA slow",
  unit: "share",
  range: [-1, 1],
  warmUp: 600,
  source: "Elder, Trading for a Living (1993), triple screen; `trend_alignment` of the original system",
  value(view) {
    let signs = 0;
    for (const name of ANALYSIS_TIMEFRAMES) {
      const bars = view.timeframe(name);
      signs += sign(bars.indicator("emaFast") - bars.indicator("emaSlow"));
    }
    return signs / ANALYSIS_TIMEFRAMES.length;
  },
});

const WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)";

export const adx1h = defineFeature({
  name: "adx1h",
  timeframe: "1h",
  formula: "ADX / 100 on 1h",
  unit: "share",
  range: [0, 1],
  warmUp: 28,
  source: WILDER,
  value: (view) => within(view.timeframe("1h").indicator("adx") / 100, 0, 1),
});

export const diBalance1h = defineFeature({
  name: "diBalance1h",
  timeframe: "1h",
  formula: "(+DI − −DI) / (+DI + −DI) on 1h",
  unit: "share",
  range: [-1, 1],
  warmUp: 15,
  source: `${WILDER}; the signed DX`,
  value(view) {
    const bars = view.timeframe("1h");
    const plus = bars.indicator("plusDi");
    const minus = bars.indicator("minusDi");
    return ratio(plus - minus, plus + minus);
  },
});
