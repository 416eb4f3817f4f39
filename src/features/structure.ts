import { ANALYSIS_TIMEFRAMES, type OrderBlock } from "../core/strategy.ts";
import { ratio, within } from "./bounds.ts";
import { defineFeature } from "./feature.ts";

const ICT = "market structure as in docs/structure.md";
const QUARTER_HOUR = 900_000;

export const structureAlignment = defineFeature({
  name: "structureAlignment",
  timeframe: "5m",
  formula: "mean over 5m, 15m and 1h of the direction of the last break of structure, 0 before the first",
  unit: "share",
  range: [-1, 1],
  warmUp: 1,
  source: `${ICT}; \`trend_alignment\` of the original system`,
  value(view) {
    let trends = 0;
    for (const name of ANALYSIS_TIMEFRAMES) trends += view.timeframe(name).structure.trend;
    return trends / ANALYSIS_TIMEFRAMES.length;
  },
});

export const rangePosition1h = defineFeature({
  name: "rangePosition1h",
  timeframe: "1h",
  formula:
    "2 · (close − L) / (H − L) − 1, H and L the last confirmed swing high and low on 1h, limited to ±3; missing while " +
    "there are not both, or H is not above L",
  unit: "half ranges",
  range: [-3, 3],
  warmUp: 8,
  source: `${ICT}: premium above 0, discount below`,
  value(view) {
    const bars = view.timeframe("1h");
    const { swings } = bars.structure;
    let high = Number.NaN;
    let low = Number.NaN;
    for (let i = swings.length - 1; i >= 0; i--) {
      const { direction, price } = swings[i]!;
      if (direction > 0) {
        if (Number.isNaN(high)) high = price;
      } else if (Number.isNaN(low)) low = price;
      if (!Number.isNaN(high - low)) break;
    }
    return within(ratio(bars.close(0) - low, high - low) * 2 - 1, -3, 3);
  },
});

/** Beyond this many ATR an order block is as good as none. */
const FAR = 10;

/** Distance in ATR to the nearest block of a direction, 0 inside of it, FAR when there is none as near. */
function distance(blocks: readonly OrderBlock[], direction: number, close: number, atr: number): number {
  let nearest = FAR;
  for (const block of blocks) {
    if (block.direction !== direction) continue;
    const gap = (direction > 0 ? close - block.top : block.bottom - close) / atr;
    if (gap < nearest) nearest = gap > 0 ? gap : 0;
  }
  return nearest;
}

export const orderBlockBalance15m = defineFeature({
  name: "orderBlockBalance15m",
  timeframe: "15m",
  formula:
    "(s − d) / (s + d), d and s the distances in ATR, at most 10, to the nearest bullish block below and bearish " +
    "block above on 15m; 0 in the middle and inside of both",
  unit: "share",
  range: [-1, 1],
  warmUp: 15,
  source: `${ICT}: 1 at demand, −1 at supply`,
  value(view) {
    const bars = view.timeframe("15m");
    const atr = bars.indicator("atr");
    if (!(atr > 0)) return Number.NaN;
    const close = bars.close(0);
    const { orderBlocks } = bars.structure;
    const demand = distance(orderBlocks, 1, close, atr);
    const supply = distance(orderBlocks, -1, close, atr);
    return demand + supply > 0 ? (supply - demand) / (supply + demand) : 0;
  },
});

export const gapBalance15m = defineFeature({
  name: "gapBalance15m",
  timeframe: "15m",
  formula: "(Σ sizes of bullish − Σ sizes of bearish) / Σ sizes of the open fair value gaps on 15m, 0 without any",
  unit: "share",
  range: [-1, 1],
  warmUp: 1,
  source: ICT,
  value(view) {
    let signed = 0;
    let all = 0;
    for (const { direction, top, bottom } of view.timeframe("15m").structure.gaps) {
      signed += direction * (top - bottom);
      all += top - bottom;
    }
    return all > 0 ? within(signed / all, -1, 1) : 0;
  },
});

/** Bars after which a break counts half: four hours. */
const BREAK_HALF_LIFE = 16;

export const breakFreshness15m = defineFeature({
  name: "breakFreshness15m",
  timeframe: "15m",
  formula: "direction of the last break of structure on 15m / (1 + its age in bars / 16), 0 before the first",
  unit: "share",
  range: [-1, 1],
  warmUp: 1,
  source: ICT,
  value(view) {
    const bars = view.timeframe("15m");
    const last = bars.structure.breaks.at(-1);
    if (last === undefined) return 0;
    const age = (bars.openTime(0) - last.confirmedAt) / QUARTER_HOUR;
    return last.direction / (1 + age / BREAK_HALF_LIFE);
  },
});

/** Bars in which a sweep is remembered: an hour. */
const SWEEP_BARS = 4;

export const sweep15m = defineFeature({
  name: "sweep15m",
  timeframe: "15m",
  formula:
    "for the newest of the last 4 bars on 15m that traded beyond a swing confirmed before it and closed back: −1 " +
    "(beyond a high) or 1 (beyond a low), less a quarter per bar of age; 0 without one, or beyond both",
  unit: "share",
  range: [-1, 1],
  warmUp: 1,
  source: `${ICT}: a sweep of liquidity speaks for the other direction`,
  value(view) {
    const bars = view.timeframe("15m");
    const { swings } = bars.structure;
    for (let back = 0; back < SWEEP_BARS; back++) {
      const openTime = bars.openTime(back);
      const close = bars.close(back);
      let high = 0;
      let low = 0;
      for (const swing of swings) {
        if (!(swing.confirmedAt < openTime)) continue;
        if (swing.direction > 0 && bars.high(back) > swing.price && close < swing.price) high = 1;
        if (swing.direction < 0 && bars.low(back) < swing.price && close > swing.price) low = 1;
      }
      if (high + low > 0) return (low - high) * (1 - back / SWEEP_BARS);
    }
    return 0;
  },
});
