import type { TimeframeView } from "../core/strategy.ts";
import { ratio, sign, within } from "./bounds.ts";
import { defineFeature } from "./feature.ts";

/** From -1 (nothing traded) over 0 (the average) towards 1; a multiple of the average has no upper end. */
function boundedVolumeRatio(bars: TimeframeView): number {
  const multiple = bars.indicator("volumeRatio");
  return (multiple - 1) / (multiple + 1);
}

const VOLUME =
  "Blume, Easley and O'Hara, Market Statistics and Technical Analysis, J. Finance 49 (1994): volume informs";

export const volumeRatio5m = defineFeature({
  name: "volumeRatio5m",
  timeframe: "5m",
  formula: "(m − 1) / (m + 1), m = volume / mean volume of 20 bars, on 5m",
  unit: "share",
  range: [-1, 1],
  warmUp: 20,
  source: VOLUME,
  value: (view) => boundedVolumeRatio(view.timeframe("5m")),
});

export const volumeRatio1h = defineFeature({
  name: "volumeRatio1h",
  timeframe: "1h",
  formula: "(m − 1) / (m + 1), m = volume / mean volume of 20 bars, on 1h",
  unit: "share",
  range: [-1, 1],
  warmUp: 20,
  source: VOLUME,
  value: (view) => boundedVolumeRatio(view.timeframe("1h")),
});

const SIGNED_BARS = 20;

export const signedVolume5m = defineFeature({
  name: "signedVolume5m",
  timeframe: "5m",
  formula: "Σ sign(close − close before) · volume / Σ volume over 20 bars on 5m",
  unit: "share",
  range: [-1, 1],
  warmUp: SIGNED_BARS + 1,
  source: "Granville, New Key to Stock Market Profits (1963): the slope of on-balance volume, per volume",
  value(view) {
    const bars = view.timeframe("5m");
    if (bars.bars <= SIGNED_BARS) return Number.NaN;
    let signed = 0;
    let all = 0;
    let close = bars.close(0);
    for (let back = 0; back < SIGNED_BARS; back++) {
      const before = bars.close(back + 1);
      const volume = bars.volume(back);
      signed += sign(close - before) * volume;
      all += volume;
      close = before;
    }
    return within(ratio(signed, all), -1, 1);
  },
});
