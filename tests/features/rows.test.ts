import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FEATURE_LIST, FEATURE_NAMES } from "../../src/features/registry.ts";
import { FEATURE_COUNT } from "../../src/features/rows.ts";
import { cut, wander } from "../structure/bars.ts";
import { FeatureMarket, featureRows } from "./feature-market.ts";

const place = (name: (typeof FEATURE_NAMES)[number]) => FEATURE_NAMES.indexOf(name);

describe("incremental rows", () => {
  test("whoever asks whenever gets the same bits", () => {
    const series = [wander(500, 1), wander(500, 2)];
    const whole = featureRows(series, 500);
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 499 }), { minLength: 1, maxLength: 30 }), (asked) => {
        const market = new FeatureMarket(series);
        for (let bar = 0; bar < 500; bar++) {
          market.advance();
          if (asked.includes(bar)) expect(market.row()).toEqual(whole[bar]!);
        }
      }),
      { numRuns: 12 },
    );
  });

  test("a row is computed once per bar, and what needs a longer bar less often", () => {
    const per = (timeframe: string) => FEATURE_LIST.filter((feature) => feature.timeframe === timeframe).length;
    const market = new FeatureMarket([wander(600, 1)]);
    for (let bar = 0; bar < 588; bar++) market.advance();
    market.row();
    const before = market.engine.featuresComputed;
    for (let bar = 0; bar < 12; bar++) {
      market.advance();
      market.row();
      market.row();
    }
    expect(market.engine.featuresComputed - before).toBe(12 * per("5m") + 4 * per("15m") + per("1h"));

    const plain = new FeatureMarket([wander(600, 1)], { incremental: false });
    for (let bar = 0; bar < 600; bar++) plain.advance();
    plain.row();
    plain.row();
    expect(plain.engine.featuresComputed).toBe(2 * FEATURE_COUNT);
  });

  test("a market that stands still is missing values, not wrong ones", () => {
    const level = wander(700);
    for (const column of [level.open, level.high, level.low, level.close]) column.fill(100);
    const row = featureRows([level], 700).at(-1)!;
    const known = FEATURE_NAMES.filter((_, i) => !Number.isNaN(row[i]!));
    expect(known).toEqual([
      "emaAlignment",
      "adx1h",
      "atrPercent1h",
      "volumeRatio5m",
      "volumeRatio1h",
      "signedVolume5m",
      "structureAlignment",
      "gapBalance15m",
      "breakFreshness15m",
      "sweep15m",
      "fundingRate",
      "flowImbalance5m",
      "dayNoon",
      "dayEvening",
    ]);
    for (const name of ["emaAlignment", "adx1h", "atrPercent1h", "signedVolume5m", "flowImbalance5m"] as const) {
      expect(row[place(name)]).toBe(0);
    }
  });

  test("a symbol without a bar is missing all that its newest bar would tell", () => {
    const short = cut(wander(300, 5), 250);
    const market = new FeatureMarket([wander(300, 4), short]);
    for (let bar = 0; bar < 300; bar++) market.advance();
    const row = market.row();
    expect(row.slice(FEATURE_COUNT).every(Number.isNaN)).toBe(true);
    expect(row.slice(0, FEATURE_COUNT).some((value) => !Number.isNaN(value))).toBe(true);
  });
});

test("a candidate carries the row of its bar, in memory of its own", () => {
  const series = [7, 8, 9, 10, 11, 12].map((seed) => wander(4_000, seed));
  const market = new FeatureMarket(series, { strategy: "ict" });
  const rows: number[][] = [];
  const found: { bar: number; symbol: number; features: Float32Array }[] = [];
  for (let bar = 0; bar < 4_000; bar++) {
    for (const { symbol, features } of market.analyse().candidates) found.push({ bar, symbol, features: features! });
    if (found.at(-1)?.bar === bar) rows[bar] = market.row();
  }
  expect(found).not.toBeEmpty();
  for (const { bar, symbol, features } of found) {
    expect(features.buffer.byteLength).toBe(4 * FEATURE_COUNT);
    expect([...features]).toEqual(rows[bar]!.slice(symbol * FEATURE_COUNT, (symbol + 1) * FEATURE_COUNT));
  }
  // They are the same whether every row was computed along the way or only those of candidates.
  const all = featureRows(series, 4_000);
  for (const { bar } of found) expect(rows[bar]).toEqual(all[bar]!);
});

test("a writer that ran too far ahead is noticed, rather than bars of another time read", () => {
  const market = new FeatureMarket([wander(400, 1)]);
  for (let bar = 0; bar < 300; bar++) market.advance();
  const { panel } = market.engine;
  // It may be 8 bars ahead of the 256 that are looked back on.
  panel.publish(0, 299 + 8);
  market.row();
  panel.publish(0, 299 + 9);
  expect(() => market.row()).toThrow("5m bar 44 is not in the panel");
});

describe("values by hand", () => {
  const bars = wander(700, 9);
  const other = wander(700, 10);
  const row = featureRows([bars, other], 700).at(-1)!;
  const round = (price: number) => Math.round(price * 1e8) / 1e8;
  const close = [...bars.close].map(round);

  test("the market is the mean of its symbols", () => {
    const returns = (series: readonly number[]) => series.map((price, i) => price / series[i - 1]! - 1);
    const [a, b] = [returns(close), returns([...other.close].map(round))];
    const market = a.map((value, i) => (value + b[i]!) / 2).slice(-96);
    const rms = Math.sqrt(market.reduce((sum, value) => sum + value * value, 0) / 96);
    const hour = market.slice(-12).reduce((sum, value) => sum + value, 0);
    expect(row[place("marketMomentum")]).toBeCloseTo(hour / (Math.sqrt(12) * rms), 5);
    // With one symbol there is no market.
    const alone = featureRows([bars], 700).at(-1)!;
    expect([alone[place("marketMomentum")], alone[place("relativeStrength")]]).toEqual([Number.NaN, Number.NaN]);
  });

  test("volatility change, stochastic, signed volume and time of day", () => {
    const returns = close.map((price, i) => price / close[i - 1]! - 1);
    const squares = (n: number) => returns.slice(-n).reduce((sum, value) => sum + value * value, 0) / n;
    expect(row[place("volatilityChange")]).toBeCloseTo(Math.sqrt(squares(12) / squares(96)), 5);

    // The newest whole quarter of an hour ends one bar before the end: 700 = 233 · 3 + 1.
    const highest = Math.max(...[...bars.high].slice(657, 699).map(round));
    const lowest = Math.min(...[...bars.low].slice(657, 699).map(round));
    const k = (close[698]! - lowest) / (highest - lowest);
    expect(row[place("stochastic15m")]).toBeCloseTo(2 * k - 1, 5);

    const last = [...Array(20).keys()].map((i) => 680 + i);
    const signed = last.reduce((sum, i) => sum + Math.sign(close[i]! - close[i - 1]!) * bars.volume[i]!, 0);
    const all = last.reduce((sum, i) => sum + bars.volume[i]!, 0);
    expect(row[place("signedVolume5m")]).toBeCloseTo(signed / all, 5);

    // 700 bars end at 58 h 20 min: 10:20 of the third day.
    expect(row[place("dayNoon")]).toBeCloseTo(1 - 4 * (100 / 1440), 6);
    expect(row[place("dayEvening")]).toBeCloseTo(1 - 4 * (460 / 1440), 6);
  });

  test("funding is the settlement before the close; one at the very close is not yet known", () => {
    const rate = (settlement: number, symbol: number) => (((settlement + symbol) % 7) * 10_000 - 20_000) / 1e6;
    const market = new FeatureMarket([bars, other]);
    for (let bar = 0; bar < 96; bar++) market.advance();
    // Settled at 0, and again at the open of the bar that comes next.
    expect(market.row()[place("fundingRate")]).toBeCloseTo(rate(0, 0), 6);
    market.advance();
    expect(market.row()[place("fundingRate")]).toBeCloseTo(rate(1, 0), 6);
    expect(market.row()[FEATURE_COUNT + place("fundingRate")]).toBeCloseTo(rate(1, 1), 6);
  });
});
