import { describe, expect, test } from "bun:test";
import { computeIndicators } from "../../src/indicators/indicators.ts";
import { InputError } from "../../src/input-error.ts";
import { indicatorRows, parseIndicators } from "../../src/inspect/indicators.ts";
import { randomBars } from "./series.ts";

describe("requests", () => {
  test("are parsed in order and keep the words they were asked in", () => {
    expect(
      parseIndicators(
        "ema:20, volume-ratio:20,volumeRatio:5,bollinger:20:2.5,trueRange,macd:12:26:9,stochastic:14:3:3,obv,vwap:20",
      ),
    ).toEqual([
      { key: "ema:20", request: { kind: "ema", period: 20 } },
      { key: "volume-ratio:20", request: { kind: "volumeRatio", period: 20 } },
      { key: "volumeRatio:5", request: { kind: "volumeRatio", period: 5 } },
      { key: "bollinger:20:2.5", request: { kind: "bollinger", period: 20, deviations: 2.5 } },
      { key: "trueRange", request: { kind: "trueRange" } },
      { key: "macd:12:26:9", request: { kind: "macd", fast: 12, slow: 26, signal: 9 } },
      { key: "stochastic:14:3:3", request: { kind: "stochastic", period: 14, slowing: 3, smoothing: 3 } },
      { key: "obv", request: { kind: "obv" } },
      { key: "vwap:20", request: { kind: "vwap", period: 20 } },
    ]);
  });

  const refused: readonly [string, string][] = [
    ["ichimoku:12", 'there is no "ichimoku"; available: ema:period, sma:period, rsi:period, atr:period, adx:period'],
    ["", 'there is no ""'],
    ["constructor:3", 'there is no "constructor"'],
    ["macd:12", "write macd:fast:slow:signal"],
    ["macd:26:12:9", "the fast period is below the slow one"],
    ["stochastic:14:0:3", "the slowing period is a whole number from 1 to 5000"],
    ["obv:3", "write obv"],
    ["ema", "write ema:period"],
    ["ema:20:2", "write ema:period"],
    ["bollinger:20", "write bollinger:period:deviations"],
    ["ema:1", "whole number from 2 to 5000"],
    ["ema:20.5", "whole number from 2 to 5000"],
    ["ema:-20", "whole number from 2 to 5000"],
    ["ema:1e3", "whole number from 2 to 5000"],
    ["bollinger:20:0", "a number above 0"],
    ["bollinger:20:x", "a number above 0"],
  ];
  for (const [text, message] of refused) {
    test(`"${text}" is refused with what is allowed`, () => {
      try {
        parseIndicators(text);
        throw new Error("was accepted");
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        expect((error as InputError).exitCode).toBe(2);
        expect((error as InputError).message).toContain(message);
      }
    });
  }
});

describe("rows", () => {
  const bars = randomBars(60, 1);
  const ohlcv = { ...bars, openTime: Float64Array.from(bars.close, (_, i) => i * 60_000) };
  const requests = parseIndicators("ema:20,adx:14,bollinger:20:2,volume-ratio:20");

  test("hold null in warm-up, numbers after it, and objects for indicators with several values", () => {
    const rows = indicatorRows(ohlcv, requests);
    expect(rows).toHaveLength(60);
    expect(rows[0]).toEqual({
      openTime: 0,
      "ema:20": null,
      "adx:14": { adx: null, plusDi: null, minusDi: null },
      "bollinger:20:2": { upper: null, middle: null, lower: null },
      "volume-ratio:20": null,
    });
    const [ema, adx] = computeIndicators([requests[0]!.request, requests[1]!.request], bars);
    expect(rows[59]!["ema:20"]).toBe(ema!.ema![59]!);
    expect(rows[59]!["adx:14"]).toEqual({
      adx: adx!.adx![59]!,
      plusDi: adx!.plusDi![59]!,
      minusDi: adx!.minusDi![59]!,
    });
    expect(rows[20]!["adx:14"]).toEqual({ adx: null, plusDi: adx!.plusDi![20]!, minusDi: adx!.minusDi![20]! });
  });

  test("end with `until`, inclusive, and are the beginning of the whole", () => {
    const rows = indicatorRows(ohlcv, requests, 40 * 60_000);
    expect(rows).toHaveLength(41);
    expect(rows).toEqual(indicatorRows(ohlcv, requests).slice(0, 41));
    expect(indicatorRows(ohlcv, requests, -1)).toEqual([]);
  });
});
