import { renameSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { InputError } from "../input-error.ts";
import type { KlineArrays } from "./kline-rules.ts";
import type { TimeframeName } from "./timeframe.ts";

/** Files of bars are written one per series and calendar month (UTC), so that neither files nor memory grow with time. */
export type FileFormat = "csv" | "parquet";
export const FILE_FORMATS = ["csv", "parquet"] as const;

/** A month in UTC: open times in [start, end). */
export interface Month {
  /** "2025-10". */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The months that have times in [from, to], in order. */
export function monthsOf(from: number, to: number): Month[] {
  const months: Month[] = [];
  const first = new Date(from);
  for (let month = first.getUTCMonth(); ; month++) {
    const start = Date.UTC(first.getUTCFullYear(), month);
    if (start > to) return months;
    const end = Date.UTC(first.getUTCFullYear(), month + 1);
    months.push({ name: new Date(start).toISOString().slice(0, 7), start, end });
  }
}

/** `BTCUSDT-5m-2025-10.csv.gz`: a name that every command which reads a folder of bars understands, if it is csv. */
export function monthFileName(symbol: string, timeframe: TimeframeName, month: Month, format: FileFormat): string {
  return `${symbol}-${timeframe}-${month.name}.${format === "csv" ? "csv.gz" : "parquet"}`;
}

const ENCODERS: Readonly<Record<FileFormat, (bars: KlineArrays) => Uint8Array>> = {
  csv: (bars) => gzipSync(csvOf(bars)),
  parquet: parquetOf,
};

/**
 * Writes bars under another name first, and moves the file into place when it is whole and on the disk: who interrupts
 * this, or cuts the power, leaves a file that ends in `.part` and is overwritten by the next attempt.
 * @throws InputError when it cannot be written
 */
export function writeMonthFile(path: string, bars: KlineArrays, format: FileFormat): void {
  const draft = `${path}.part`;
  try {
    writeFileSync(draft, ENCODERS[format](bars), { flush: true });
    renameSync(draft, path);
  } catch (error) {
    throw new InputError(`cannot write ${path}: ${(error as Error).message}`);
  }
}

/** Bars as csv with a header; numbers in the shortest form that reads back as the same float64. */
export function csvOf(bars: KlineArrays): string {
  const { openTime, open, high, low, close, volume } = bars;
  const lines = ["open_time,open,high,low,close,volume"];
  for (let i = 0; i < openTime.length; i++) {
    lines.push(`${openTime[i]},${open[i]},${high[i]},${low[i]},${close[i]},${volume[i]}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Bars as Parquet: open_time as TIMESTAMP(ms, UTC), the rest DOUBLE, packed with snappy. */
export function parquetOf(bars: KlineArrays): Uint8Array {
  const price = (name: string, data: Float64Array) => ({ name, data, type: "DOUBLE" as const });
  const openTime = Array.from(bars.openTime, (time) => new Date(time));
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "open_time", data: openTime, type: "TIMESTAMP" },
        price("open", bars.open),
        price("high", bars.high),
        price("low", bars.low),
        price("close", bars.close),
        price("volume", bars.volume),
      ],
    }),
  );
}
