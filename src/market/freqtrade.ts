import { runInNewContext } from "node:vm";
import { CompressionType, setCompressionCodec, type Table, tableFromIPC } from "@uwdata/flechette";
import { InputError } from "../input-error.ts";
import { readInputFile } from "./input-file.ts";
import { brokenRule, type KlineArrays, klineAt, mapColumns } from "./kline-rules.ts";
import { unpackLz4Frame } from "./lz4-frame.ts";
import type { BarFile } from "./recorded-market.ts";
import { TIMEFRAMES, type TimeframeName } from "./timeframe.ts";

/**
 * Files of freqtrade's `download-data`: pair, settlement, timeframe, kind of candle. Spot, mark and funding candles have
 * other names and are not meant.
 */
const FILE_NAME = /^([\p{Lu}\p{Lo}\p{N}]+)_USDT_USDT-(1m|5m|15m|1h)-futures\.(?:feather|json|json\.gz)$/u;

/** What a name says, when it is one of freqtrade's files of USDT-settled futures bars. */
export function freqtradeFileOf(name: string): BarFile | undefined {
  const parts = FILE_NAME.exec(name);
  return parts === null ? undefined : { name, symbol: `${parts[1]}USDT`, timeframe: parts[2] as TimeframeName };
}

/**
 * Reads bars that freqtrade stored: feather (Arrow IPC, packed with lz4, as it writes them, zstd or not at all) with the
 * columns date, open, high, low, close, volume; or json, rows of [ms, open, high, low, close, volume].
 *
 * @throws InputError naming the file and row for whatever is not a clean, rising series of the timeframe
 */
export function readFreqtrade(path: string, timeframe: TimeframeName): KlineArrays {
  const bytes = readInputFile(path);
  const bars = path.endsWith(".feather") ? inTime(path, bytes, parseFeather) : parseJson(bytes, path);
  if (bars.openTime.length === 0) throw new InputError(`${path}: holds no bars`);
  let previous = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < bars.openTime.length; row++) {
    const broken = brokenRule(klineAt(bars, row), previous, TIMEFRAMES[timeframe]);
    if (broken !== undefined) throw new InputError(`${path}: row ${row + 1}: ${broken.replace("open_time", "date")}`);
    previous = bars.openTime[row]!;
  }
  return bars;
}

setCompressionCodec(CompressionType.LZ4_FRAME, {
  encode: () => {
    throw new Error("nothing here writes LZ4");
  },
  decode: unpackLz4Frame,
});
setCompressionCodec(CompressionType.ZSTD, {
  encode: (bytes) => Bun.zstdCompressSync(bytes),
  decode: (bytes) => new Uint8Array(Bun.zstdDecompressSync(bytes)),
});

/** What reading a file may take, ms: many times what a whole one does on a busy machine. */
const LEAST_TIME = 2000;
const TIME_PER_MEGABYTE = 500;

/**
 * Runs a reader that believes the lengths which a file claims: in a damaged one it would count for minutes, and gather
 * memory while it does.
 */
function inTime<T>(path: string, bytes: Uint8Array, read: (bytes: Uint8Array, path: string) => T): T {
  const timeout = LEAST_TIME + Math.ceil((bytes.length / 1e6) * TIME_PER_MEGABYTE);
  try {
    return runInNewContext("read()", { read: () => read(bytes, path) }, { timeout });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    throw new InputError(`${path}: is a damaged feather file (reading it did not end within ${timeout / 1000} s)`);
  }
}

/** How a feather file (Arrow IPC) begins and ends. */
const MAGIC = Buffer.from("ARROW1");

function parseFeather(bytes: Uint8Array, path: string): KlineArrays {
  // The library takes a file that is cut short for a stream.
  const [head, tail] = [bytes.subarray(0, MAGIC.length), bytes.subarray(-MAGIC.length)];
  if (bytes.length < 2 * MAGIC.length || !MAGIC.equals(head) || !MAGIC.equals(tail)) {
    throw new InputError(`${path}: is no feather file (version 2), or is cut short`);
  }
  let table: Table;
  try {
    table = tableFromIPC(bytes);
  } catch (error) {
    throw new InputError(`${path}: is no feather file, or a damaged one (${(error as Error).message})`);
  }
  const column = (name: string) => {
    const found = table.getChild(name);
    if (found === undefined || found === null) {
      throw new InputError(`${path}: lacks the column ${name}; it has ${table.names.join(", ")}`);
    }
    try {
      // Times are ms whatever the unit of the file; what is missing is no number, which is refused below.
      return Float64Array.from(found.toArray() as ArrayLike<unknown>, (value) =>
        value === null ? Number.NaN : Number(value),
      );
    } catch (error) {
      throw new InputError(`${path}: the column ${name} is damaged (${(error as Error).message})`);
    }
  };
  return mapColumns((name) => column(name === "openTime" ? "date" : name));
}

function parseJson(bytes: Uint8Array, path: string): KlineArrays {
  let rows: unknown;
  try {
    rows = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new InputError(`${path}: is no JSON (${(error as Error).message})`);
  }
  if (!Array.isArray(rows)) throw new InputError(`${path}: an array of rows is expected`);
  const wrong = rows.findIndex((row) => !Array.isArray(row) || row.length < 6);
  if (wrong !== -1) {
    throw new InputError(`${path}: row ${wrong + 1}: [time, open, high, low, close, volume] is expected`);
  }
  const places = { openTime: 0, open: 1, high: 2, low: 3, close: 4, volume: 5 };
  return mapColumns((name) =>
    Float64Array.from(rows as unknown[][], (row) => {
      const value = row[places[name]];
      return typeof value === "number" ? value : Number.NaN;
    }),
  );
}
