import { expect, test } from "bun:test";
import { MARKET_BARS } from "../../src/features/feature.ts";
import { MarketHistoryCursor, MarketReturns, marketHistory } from "../../src/features/market-returns.ts";
import { FEATURE_NAMES } from "../../src/features/registry.ts";
import { FEATURE_COUNT } from "../../src/features/rows.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { Panel } from "../../src/market/panel.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { wander } from "../structure/bars.ts";
import { featureRows } from "./feature-market.ts";

const MINUTE = 60_000;
const STEPS = 3_000;
/** 1m bars of 20 symbols that have gaps; it does not begin at a full hour. */
const options = { seed: 5, symbols: 20, start: Date.UTC(2026, 0, 5, 0, 7) };
const endless = () => generateMarket(options);
const market = () => {
  const source = endless();
  let left = STEPS;
  return {
    ...source,
    instruments: source.instruments,
    timeframe: source.timeframe,
    start: source.start,
    steps: STEPS,
    step: () => (left-- > 0 ? source.step() : undefined),
  };
};

test("worked out before a run they are those of the panel along the way, bit for bit", () => {
  const history = marketHistory(market());
  expect(history.returns.buffer).toBeInstanceOf(SharedArrayBuffer);
  const early = new MarketHistoryCursor(history);
  const source = market();
  const panel = Panel.create({
    symbols: 20,
    origin: source.start,
    timeframes: [{ name: "5m", ms: 5 * MINUTE, capacity: 256, spare: 1 }],
  });
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  const late = new MarketReturns(panel);
  let known = 0;
  for (let step = source.step(); step !== undefined; step = source.step()) {
    feed.step(step);
    const close = step.openTime + MINUTE;
    if (close % (5 * MINUTE) !== 0) continue;
    // Not at every bar, so that some are computed later than others.
    if (close % (35 * MINUTE) !== 0) continue;
    for (const cursor of [early, late]) cursor.moveTo(close - 5 * MINUTE);
    for (let back = -1; back <= MARKET_BARS; back++) {
      expect(late.return(back)).toBe(early.return(back));
      if (!Number.isNaN(late.return(back))) known += 1;
    }
    expect(late.return(-1)).toBeNaN();
    expect(late.return(MARKET_BARS)).toBeNaN();
  }
  expect(known).toBeGreaterThan(5_000);
});

test("an engine of some of the symbols has the features of an engine of all", () => {
  const series = Array.from({ length: 12 }, (_, i) => wander(400, i + 1));
  const all = featureRows(series, 400);
  // The returns of the whole market, as a run would work them out before it divides the symbols.
  const returns = new Float64Array(400).fill(Number.NaN);
  const closes = series.map(({ close }) => close.map((price) => Math.round(price * 1e8) / 1e8));
  for (let bar = 1; bar < 400; bar++) {
    returns[bar] = closes.reduce((sum, close) => sum + (close[bar]! / close[bar - 1]! - 1), 0) / 12;
  }
  const part = featureRows(series.slice(8), 400, { market: { start: 0, returns } });
  const places = FEATURE_NAMES.keys().filter((place) => FEATURE_NAMES[place] !== "fundingRate");
  for (const place of places) {
    for (let symbol = 8; symbol < 12; symbol++) {
      const column = (rows: number[][], at: number) => rows.map((row) => row[at * FEATURE_COUNT + place]);
      expect(column(part, symbol - 8)).toEqual(column(all, symbol));
    }
  }
});
