import { describe, expect, test } from "bun:test";
import { parseOhlcv, parseTime, readOhlcv } from "../../src/market/ohlcv-csv.ts";
import { testRecorded } from "../recorded.ts";

const parse = (text: string) => parseOhlcv(text, "chart.csv");
const DAY = 86_400_000;

describe("parseOhlcv", () => {
  test("takes daily bars with any spelling, a byte order mark, quotes and CRLF", () => {
    const plain = parse(
      "date,open,high,low,close,volume\n2020-01-02,1,3,0.5,2,10\n2020-01-03,2,3,1,1,0\n2020-01-06,1,1,1,1,5\n",
    );
    expect([plain.rows, plain.timeframe, plain.notes.length]).toEqual([3, DAY, 0]);
    expect([...plain.openTime]).toEqual([Date.UTC(2020, 0, 2), Date.UTC(2020, 0, 3), Date.UTC(2020, 0, 6)]);
    expect([...plain.low]).toEqual([0.5, 1, 1]);
    for (const other of [
      '\uFEFF"Date","Open","High","Low","Close","Adj Close","Volume"\r\n"2020-01-02",1,3,0.5,2,9,10\r\n2020-01-03,2,3,1,1,9,0\r\n2020-01-06,1,1,1,1,9,5\r\n\r\n',
      "Timestamp;O;H;L;C;Vol\n02.01.2020;1,0;3;0,5;2;10\n03.01.2020;2;3;1;1;0\n06.01.2020;1;1;1;1;5",
      "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>\n2020.01.02\t00:00\t1\t3\t0.5\t2\t10\n2020.01.03\t00:00\t2\t3\t1\t1\t0\n2020.01.06\t00:00\t1\t1\t1\t1\t5",
    ]) {
      expect(parse(other)).toEqual(plain);
    }
  });

  test("notes a missing volume, and computes it from quote volume", () => {
    const bare = parse("time,open,high,low,close\n1577923200,1,1,1,1");
    expect([bare.volume[0], bare.timeframe, bare.notes[0]]).toEqual([
      0,
      0,
      "The file has no volume; it is 0 throughout.",
    ]);
    expect(parse("time,open,high,low,close,quote_volume\n1577923200,2,2,2,2,6\n1577923260,0,0,0,0,0").volume).toEqual(
      Float64Array.of(3, 0),
    );
  });

  test("tells day/month from month/day by the whole file", () => {
    const first = (dates: string[]) => {
      const read = parse(["date,open,high,low,close", ...dates.map((date) => `${date},1,1,1,1`)].join("\n"));
      return [new Date(read.openTime[0]!).toISOString().slice(0, 10), read.notes.length];
    };
    expect(first(["01/02/2020", "13/02/2020"])).toEqual(["2020-02-01", 1]);
    expect(first(["01/02/2020", "01/13/2020"])).toEqual(["2020-01-02", 1]);
    expect(first(["01/02/2020", "01/03/2020"])).toEqual(["2020-01-02", 2]);
  });

  test("lets odd prices through but not contradictions", () => {
    expect(parse("date,open,high,low,close\n2020-01-02,0,0,0,0\n2020-01-03,-1,2,-3,9").close[1]).toBe(9);
  });

  const head = "date,open,high,low,close,volume";
  test.each([
    ["an empty file", "", ":1: the file is empty"],
    ["only a header", head, ": has a header but no bars"],
    ["missing columns", "date,open,close\n", ":1: the header lacks high, low"],
    ["no time", "open,high,low,close\n", ":1: the header lacks a time"],
    ["an unknown time", `${head}\nyesterday,1,1,1,1,1`, ':2: date is not a known time: "yesterday"'],
    ["a day that no calendar has", `${head}\n2021-02-29,1,1,1,1,1`, ":2: date is not a known time"],
    ["an empty time", `${head}\n,1,1,1,1,1`, ":2: date is empty"],
    ["words", `${head}\n2020-01-01,1,1,1,1,1\n2020-01-02,1,null,1,1,1`, ':3: high is not a number: "null"'],
    ["an empty cell", `${head}\n2020-01-01,1,1,1,,1`, ":2: close is empty"],
    ["a short row", `${head}\n2020-01-01,1,1,1,1`, ":2: the row has 5 cells, the header 6"],
    ["disorder", `${head}\n2020-01-02,1,1,1,1,1\n2020-01-01,1,1,1,1,1`, ":3: 2020-01-01T00:00:00Z comes after"],
    ["duplicates", `${head}\n2020-01-02,1,1,1,1,1\n2020-01-02,1,1,1,1,1`, ":3: 2020-01-02T00:00:00Z is there twice"],
    ["high below low", `${head}\n2020-01-02,1,1,2,1,1`, ":2: high 1 is below low 2"],
    ["negative volume", `${head}\n2020-01-02,1,1,1,1,-1`, ":2: volume -1 is negative"],
  ])("refuses %s", (_, text, message) => {
    expect(() => parse(text)).toThrow(`chart.csv${message}`);
  });

  testRecorded("reads quotes of every date format", "vectors/skender/quotes", (dir) => {
    expect(readOhlcv(`${dir}/default.csv`)).toMatchObject({ rows: 502, timeframe: DAY });
    expect(readOhlcv(`${dir}/intraday.csv`)).toMatchObject({ rows: 1564, timeframe: 60_000 });
    expect(readOhlcv(`${dir}/longish.csv.gz`).rows).toBe(5285);
    expect(readOhlcv(`${dir}/max.csv`).openTime[0]).toBe(Date.UTC(2019, 7, 30));
    expect(readOhlcv(`${dir}/zeros.csv`).openTime[0]).toBe(Date.UTC(2017, 0, 3));
    expect(() => readOhlcv(`${dir}/bad.csv`)).toThrow("bad.csv:202: date is empty");
  });

  testRecorded("reads EURUSD", "vectors/smc/EURUSD/EURUSD_15M.csv.gz", (file) => {
    const read = readOhlcv(file);
    expect([read.rows, read.timeframe, read.close[0]]).toEqual([24_424, 900_000, 0.97357]);
    expect(read.openTime[0]).toBe(Date.UTC(2022, 9, 10));
  });
});

describe("parseTime", () => {
  const moment = Date.UTC(2020, 11, 31, 16, 5);
  test.each([
    ["2020-12-31T16:05:00Z", moment],
    ["2020-12-31T16:05", moment],
    ["2020-12-31 16:05:00", moment],
    ["2020-12-31 16:05:00.123", moment + 123],
    ["2020-12-31 16:05:00 UTC", moment],
    ["2020-12-31T18:05:00+02:00", moment],
    ["2020-12-31 11:05:00-0500", moment],
    ["2020/12/31 16:05", moment],
    ["2020.12.31 16:05:00", moment],
    ["31.12.2020 16:05", moment],
    ["31-12-2020 16:05", moment],
    ["12/31/2020 4:05 PM", moment],
    ["12/31/20 16:05", moment],
    ["2020-12-31", Date.UTC(2020, 11, 31)],
    ["20201231", Date.UTC(2020, 11, 31)],
    ["1609430700", moment],
    ["1609430700.5", moment + 500],
    ["1609430700000", moment],
    ["1609430700000000", moment],
    ["1609430700000000000", moment],
  ])("%s", (text, expected) => {
    expect(parseTime(text)).toBe(expected);
  });

  test.each(["", "x", "2020-13-01", "2020-12-31 25:00", "12/31/2020 13:00 PM", "2020-12/31", "12345"])(
    "not %p",
    (text) => {
      expect(parseTime(text)).toBeUndefined();
    },
  );
});
