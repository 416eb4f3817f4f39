import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CompressionType,
  columnFromArray,
  float64,
  TimeUnit,
  tableFromColumns,
  tableToIPC,
  timestamp,
} from "@uwdata/flechette";
import fc from "fast-check";
import { InputError } from "../../src/input-error.ts";
import { freqtradeFileOf, readFreqtrade } from "../../src/market/freqtrade.ts";
import { klineAt } from "../../src/market/kline-rules.ts";
import { unpackLz4Frame } from "../../src/market/lz4-frame.ts";
import { temporaryFolder } from "../end-to-end/penstock.ts";

const START = Date.UTC(2025, 0, 1);
const M5 = 300_000;
/** Written by pandas 3.0 with pyarrow 26.0 as freqtrade writes: lz4, level 9. Its numbers are the formulas below. */
const WRITTEN_BY_PANDAS = join(import.meta.dir, "freqtrade", "BTC_USDT_USDT-5m-futures.feather");

const bar = (i: number) => ({
  openTime: START + i * M5,
  open: 100 + (i % 3),
  high: 103.5,
  low: 99.25,
  close: 101 + (i % 2),
  volume: (i % 4) * 1.5,
});

/** A file of 30 bars with some values replaced. */
function feather(
  changes: Readonly<Record<string, (number | null)[]>> = {},
  unit: number = TimeUnit.MILLISECOND,
  codec?: 0 | 1,
): string {
  const rows = Array.from({ length: 30 }, (_, i) => bar(i));
  const values = { date: rows.map(({ openTime }) => openTime), ...changes } as Record<string, (number | null)[]>;
  for (const name of ["open", "high", "low", "close", "volume"] as const) values[name] ??= rows.map((row) => row[name]);
  const columns = Object.entries(values).map(([name, column]) => [
    name,
    columnFromArray(column, name === "date" ? timestamp(unit as 1, "UTC") : float64()),
  ]);
  const path = join(temporaryFolder(), "BTC_USDT_USDT-5m-futures.feather");
  const bytes = tableToIPC(tableFromColumns(Object.fromEntries(columns)), {
    format: "file",
    ...(codec === undefined ? {} : { codec }),
  });
  writeFileSync(path, bytes!);
  return path;
}

const rowsOf = (path: string) => {
  const columns = readFreqtrade(path, "5m");
  return Array.from(columns.openTime, (_, i) => klineAt(columns, i));
};

describe("feather", () => {
  test("packed with lz4, as freqtrade has it, is read to the last bit", () => {
    expect(rowsOf(WRITTEN_BY_PANDAS)).toEqual(Array.from({ length: 48 }, (_, i) => bar(i)));
  });

  test.each([
    ["not packed, ms", TimeUnit.MILLISECOND, undefined],
    ["not packed, ns", TimeUnit.NANOSECOND, undefined],
    ["zstd, µs", TimeUnit.MICROSECOND, CompressionType.ZSTD],
  ])("%s", (_, unit, codec) => {
    expect(rowsOf(feather({}, unit, codec))).toEqual(Array.from({ length: 30 }, (_, i) => bar(i)));
  });

  test.each([
    ["a price that is missing", { open: [100, null] }, "row 2: open NaN is not a positive price"],
    ["a volume that is missing", { volume: [1, 1, null] }, "row 3: volume NaN is not a number"],
    ["a high below the low", { high: [103.5, 98] }, "row 2: high 98 is below low 99.25"],
    ["disorder", { date: [START, START + 2 * M5, START + M5] }, "row 3: date"],
    ["times of another timeframe", { date: [START, START + 60_000] }, "is not a multiple of the timeframe 5m"],
    ["no bars", { date: [], open: [], high: [], low: [], close: [], volume: [] }, "holds no bars"],
  ] as [string, Record<string, (number | null)[]>, string][])("%s is refused", (_, changes, message) => {
    const length = Math.max(...Object.values(changes).map((column) => column.length));
    const rest = Object.fromEntries(
      (["date", "open", "high", "low", "close", "volume"] as const).map((name) => [
        name,
        changes[name] ?? Array.from({ length }, (_, i) => (name === "date" ? START + i * M5 : bar(i)[name])),
      ]),
    );
    expect(() => rowsOf(feather(rest))).toThrow(message);
  });

  test("without one of the columns is refused by its name", () => {
    const path = join(temporaryFolder(), "BTC_USDT_USDT-5m-futures.feather");
    writeFileSync(path, tableToIPC(tableFromColumns({ date: columnFromArray([1, 2]) }), { format: "file" })!);
    expect(() => rowsOf(path)).toThrow("lacks the column open; it has date");
  });

  test("cut short anywhere is refused", () => {
    const whole = readFileSync(WRITTEN_BY_PANDAS);
    const path = join(temporaryFolder(), "BTC_USDT_USDT-5m-futures.feather");
    for (let length = 0; length < whole.length; length += 61) {
      writeFileSync(path, whole.subarray(0, length));
      expect(() => rowsOf(path)).toThrow("is no feather file (version 2), or is cut short");
    }
  });

  test("damaged in the lengths that it claims is refused in bounded time", () => {
    const damaged = new Uint8Array(readFileSync(WRITTEN_BY_PANDAS));
    // The upper half of a count of key and value pairs: two thousand million of them, of what is there of it.
    damaged[1567] = 0x7f;
    const path = join(temporaryFolder(), "BTC_USDT_USDT-5m-futures.feather");
    writeFileSync(path, damaged);
    expect(() => rowsOf(path)).toThrow(
      new InputError(`${path}: is a damaged feather file (reading it did not end within 2.002 s)`),
    );
  });

  test("of another library's version 1 is refused", () => {
    const path = join(temporaryFolder(), "BTC_USDT_USDT-5m-futures.feather");
    writeFileSync(path, "FEA1 something FEA1");
    expect(() => rowsOf(path)).toThrow(InputError);
  });
});

describe("json", () => {
  const write = (text: string, name = "BTC_USDT_USDT-5m-futures.json") => {
    const path = join(temporaryFolder(), name);
    writeFileSync(path, name.endsWith(".gz") ? Bun.gzipSync(Buffer.from(text)) : text);
    return path;
  };
  const rows = Array.from({ length: 9 }, (_, i) => Object.values(bar(i)));

  test("is read, packed or not", () => {
    const expected = Array.from({ length: 9 }, (_, i) => bar(i));
    expect(rowsOf(write(JSON.stringify(rows)))).toEqual(expected);
    expect(rowsOf(write(JSON.stringify(rows), "BTC_USDT_USDT-5m-futures.json.gz"))).toEqual(expected);
  });

  test.each([
    ["[[1,2", "is no JSON"],
    ["{}", "an array of rows is expected"],
    ["[]", "holds no bars"],
    [`[${JSON.stringify(rows[0])},[1,2]]`, "row 2: [time, open, high, low, close, volume] is expected"],
    [`[[${START},"1",2,3,4,5]]`, "row 1: open NaN is not a positive price"],
  ])("%s is refused", (text, message) => {
    expect(() => rowsOf(write(text))).toThrow(message);
  });
});

test("names tell futures from everything else", () => {
  expect(freqtradeFileOf("1000PEPE_USDT_USDT-15m-futures.feather")).toMatchObject({
    symbol: "1000PEPEUSDT",
    timeframe: "15m",
  });
  for (const name of [
    "BTC_USDT-5m.feather",
    "BTC_USDT_USDT-8h-mark.feather",
    "BTC_USDT_USDT-1h-funding_rate.feather",
    "BTC_USDC_USDC-5m-futures.feather",
    "BTC_USDT_USDT-4h-futures.feather",
    "BTC_USDT_USDT-5m-futures.parquet",
  ]) {
    expect(freqtradeFileOf(name)).toBeUndefined();
  }
});

describe("an LZ4 frame", () => {
  const frame = (flags: number, ...parts: number[][]) =>
    Uint8Array.from([0x04, 0x22, 0x4d, 0x18, flags, 0x40, ...(flags & 8 ? Array(8).fill(0) : []), 0, ...parts.flat()]);
  const END = [0, 0, 0, 0];
  const block = (bytes: number[], packed = true) => [
    bytes.length & 255,
    bytes.length >> 8,
    0,
    packed ? 0 : 0x80,
    ...bytes,
  ];
  const text = (bytes: Uint8Array) => new TextDecoder().decode(unpackLz4Frame(bytes));
  const ascii = (word: string) => [...Buffer.from(word)];

  test("may hold literals, bytes that were not packed, matches that overlap, and matches into an earlier block", () => {
    expect(text(frame(0x60, block([0x30, ...ascii("abc")]), END))).toBe("abc");
    expect(text(frame(0x68, block(ascii("as it is"), false), END))).toBe("as it is");
    // "ab", then 10 bytes from two back, then "!" alone.
    expect(text(frame(0x60, block([0x26, ...ascii("ab"), 2, 0, 0x10, ...ascii("!")]), END))).toBe("abababababab!");
    // A nibble of 15 goes on: 15 + 255 + 3 literals.
    const long = "x".repeat(273);
    expect(text(frame(0x60, block([0xf0, 255, 3, ...ascii(long)]), END).slice())).toBe(long);
    // With a checksum after each block; the second block repeats what the first has.
    const sum = [1, 2, 3, 4];
    const second = block([0x00, 4, 0, 0x00]);
    expect(text(frame(0x50, block([0x40, ...ascii("deep")]), sum, second, sum, END))).toBe("deepdeep");
  });

  test.each([
    ["nothing", new Uint8Array()],
    ["another magic", Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8])],
    ["another version", frame(0x20, END)],
    ["a dictionary", frame(0x61, END)],
    ["no end", frame(0x60, block([0x30, ...ascii("abc")]))],
    ["a block longer than the frame", frame(0x60, [200, 0, 0, 0, 1])],
    ["a distance of 0", frame(0x60, block([0x10, 65, 0, 0, 0]), END)],
    ["a distance before the beginning", frame(0x60, block([0x10, 65, 2, 0, 0]), END)],
    ["literals longer than the block", frame(0x60, block([0xf0, 3, 65]), END)],
  ])("with %s is refused", (_, bytes) => {
    expect(() => unpackLz4Frame(bytes)).toThrow(RangeError);
  });

  test("damaged anywhere is refused, or gives something; it never hangs or fails in another way", () => {
    const file = readFileSync(WRITTEN_BY_PANDAS);
    const begin = file.indexOf(Uint8Array.from([0x04, 0x22, 0x4d, 0x18]));
    const whole = Uint8Array.from(file.subarray(begin, begin + 200));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
        const damaged = whole.slice(0, length);
        if (at < length) damaged[at] = byte;
        try {
          unpackLz4Frame(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
