import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InputError } from "../../src/input-error.ts";
import { type Klines, parseKlines } from "../../src/market/kline-csv.ts";

const MINUTE = 60_000;
const T = 1_750_000_020_000;
const HEADER = "open_time,open,high,low,close,volume";

function parse(text: string, timeframe = MINUTE): Klines {
  return parseKlines(new TextEncoder().encode(text), "bars.csv", timeframe);
}

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  throw new Error("no error");
}

/** Rows at T, T + 1m …, each `open,high,low,close,volume`. */
function bars(...rows: string[]): string {
  return [HEADER, ...rows.map((row, index) => `${T + index * MINUTE},${row}`)].join("\n");
}

describe("parseKlines", () => {
  test("reads columns by name, in any order, and ignores the others", () => {
    const klines = parse(`trades,volume,close,low,high,open,open_time,x\n7,1.5,10.2,9.9,10.5,10,${T},foo\n`);
    expect([...klines.openTime]).toEqual([T]);
    expect([klines.open[0], klines.high[0], klines.low[0], klines.close[0]]).toEqual([10, 10.5, 9.9, 10.2]);
    expect(klines.volume[0]).toBe(1.5);
  });

  test("takes a byte order mark, CRLF, no newline at the end, and empty lines after it", () => {
    const plain = parse(bars("1,2,1,1.5,3", "1.5,2,1,1,0"));
    for (const text of [
      `\uFEFF${bars("1,2,1,1.5,3", "1.5,2,1,1,0")}`,
      bars("1,2,1,1.5,3", "1.5,2,1,1,0").replaceAll("\n", "\r\n"),
      `${bars("1,2,1,1.5,3", "1.5,2,1,1,0")}\n\n\r\n`,
    ]) {
      expect(parse(text)).toEqual(plain);
    }
  });

  test("counts the decimals that are used, not trailing zeros", () => {
    const klines = parse(bars("1.50,2.000,1.0,1.25000,3.10", "1.25,1.25,1.25,1.25,0.0010"));
    expect(klines.priceDecimals).toBe(2);
    expect(klines.volumeDecimals).toBe(3);
    expect(parse(bars("1.2e-5,1.3e-5,1e-05,1.2E-5,1e3")).priceDecimals).toBe(6);
  });

  test("computes base volume from quote volume by the typical price, 0 for a bar without trades", () => {
    const klines = parse(
      `open_time,open,high,low,close,quote_volume\n${T},10,12,9,12,330\n${T + MINUTE},12,12,12,12,0`,
    );
    expect([...klines.volume]).toEqual([30, 0]);
    expect(klines.volumeDecimals).toBeUndefined();
  });

  test("rounds every decimal like the language does", () => {
    const decimal = fc.oneof(
      fc.double({ min: 1e-9, max: 1e15, noNaN: true }).map(String),
      fc.tuple(fc.nat(2 ** 31), fc.stringMatching(/^[0-9]{1,24}$/)).map(([whole, part]) => `${whole + 1}.${part}`),
      fc.stringMatching(/^[1-9][0-9]{0,19}$/),
    );
    fc.assert(
      fc.property(decimal, (text) => {
        const klines = parse(bars(`${text},${text},${text},${text},${text}`));
        expect(klines.close[0]).toBe(Number(text));
        expect(klines.volume[0]).toBe(Number(text));
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["the number of cells", bars("1,2,1,1.5"), "bars.csv:2: the row has 5 cells, the header 6"],
    ["more cells", bars("1,2,1,1.5,3,4,5"), "bars.csv:2: the row has 8 cells, the header 6"],
    [
      "an empty line between bars",
      `${bars("1,2,1,1.5,3")}\n\n${T + MINUTE},1,2,1,1,1`,
      "bars.csv:3: the row has 1 cell",
    ],
    ["an empty cell", bars("1,2,1,1.5,3", "1,,1,1.5,3"), "bars.csv:3: high is empty"],
    ["an empty last cell", bars("1,2,1,1.5,"), "bars.csv:2: volume is empty"],
    ["NaN", bars("1,2,NaN,1.5,3"), 'bars.csv:2: low is not a number: "NaN"'],
    ["words", bars("1,2,1,1.5x,3"), 'bars.csv:2: close is not a number: "1.5x"'],
    ["a lone point", bars("1,2,1,.,3"), 'bars.csv:2: close is not a number: "."'],
    ["high below low", bars("1,2,3,1.5,3"), "bars.csv:2: high 2 is below low 3"],
    ["open outside", bars("5,2,1,1.5,3"), "bars.csv:2: open 5 is outside low 1 to high 2"],
    ["close outside", bars("1,2,1,0.5,3"), "bars.csv:2: close 0.5 is outside low 1 to high 2"],
    ["a price of zero", bars("0,2,0,1.5,3"), "bars.csv:2: open 0 is not a positive price"],
    ["a negative price", bars("1,2,-1,1.5,3"), "bars.csv:2: low -1 is not a positive price"],
    ["negative volume", bars("1,2,1,1.5,-3"), "bars.csv:2: volume -3 is negative"],
    [
      "duplicates",
      `${HEADER}\n${T},1,1,1,1,1\n${T},1,1,1,1,1`,
      `bars.csv:3: open_time ${T} (2025-06-15T15:07:00Z) is there`,
    ],
    ["disorder", `${HEADER}\n${T},1,1,1,1,1\n${T - MINUTE},1,1,1,1,1`, "bars.csv:3: open_time 1749999960000"],
    ["times off the grid", `${HEADER}\n${T + 1},1,1,1,1,1`, "is not a multiple of the timeframe 1m"],
    ["seconds", `${HEADER}\n${T / 1000},1,1,1,1,1`, "is not a time in milliseconds"],
    ["fractions of a ms", `${HEADER}\n${T}.5,1,1,1,1,1`, "open_time is not a whole number"],
    ["an empty file", "", "bars.csv:1: the file is empty"],
    ["only a header", `${HEADER}\n`, "bars.csv: has a header but no bars"],
    ["a missing column", "open_time,open,low,close\n", "bars.csv:1: the header lacks high, volume (or quote_volume);"],
    ["no header", `${T},1,1,1,1,1\n`, "bars.csv:1: the header lacks open_time, open, high, low, close, volume"],
    ["a column twice", `${HEADER},open\n`, "bars.csv:1: the header has open twice"],
  ])("refuses %s", (_, text, message) => {
    expect(messageOf(() => parse(text))).toStartWith("bars.csv:");
    expect(messageOf(() => parse(text))).toContain(message);
  });

  test("names the line however far into the file", () => {
    const rows = Array.from({ length: 500 }, (_, index) => (index === 321 ? "1,2,1,oops,1" : "1,2,1,1,1"));
    expect(messageOf(() => parse(bars(...rows)))).toBe('bars.csv:323: close is not a number: "oops"');
  });
});
