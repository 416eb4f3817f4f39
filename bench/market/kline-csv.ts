/**
 * The byte-level bar parser against a plain `split` parser, on the same bytes. Results are compared before anything is
 * timed. Run: bun bench/market/kline-csv.ts [file.csv[.gz]]; without a file it makes up 200,000 rows.
 */
import { readInputFile } from "../../src/market/input-file.ts";
import { type Klines, parseKlines } from "../../src/market/kline-csv.ts";
import { TIMEFRAMES, type TimeframeName } from "../../src/market/timeframe.ts";

const file = process.argv[2];
const name = (file === undefined ? undefined : /-(1m|5m|15m|1h)[-.]/.exec(file)?.[1]) ?? "1m";
const timeframe = TIMEFRAMES[name as TimeframeName];
const bytes = file === undefined ? madeUp(200_000) : readInputFile(file);

const fast = parseKlines(bytes, "bench", timeframe);
const naive = parseBySplit(bytes);
for (const column of ["openTime", "open", "high", "low", "close", "volume"] as const) {
  if (!Buffer.from(fast[column].buffer).equals(Buffer.from(naive[column].buffer))) throw new Error(`${column} differs`);
}

const rows = fast.openTime.length;
console.log(`${rows} rows, ${(bytes.length / 1e6).toFixed(1)} MB`);
const fastest = best(() => parseKlines(bytes, "bench", timeframe));
const baseline = best(() => parseBySplit(bytes));
report("bytes", fastest);
report("split", baseline);
console.log(`${(baseline / fastest).toFixed(1)} times as fast`);

function best(run: () => unknown): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 9; round++) {
    const start = performance.now();
    run();
    shortest = Math.min(shortest, performance.now() - start);
  }
  return shortest;
}

function report(label: string, milliseconds: number): void {
  const rate = rows / milliseconds / 1000;
  console.log(`${label}  ${milliseconds.toFixed(1)} ms  ${rate.toFixed(2)} M rows/s`);
}

type Columns = Pick<Klines, "openTime" | "open" | "high" | "low" | "close" | "volume">;

function parseBySplit(input: Uint8Array): Columns {
  const lines = new TextDecoder().decode(input).trimEnd().split("\n");
  const header = lines[0]!.split(",");
  const at = (column: string) => header.indexOf(column);
  const columns = { openTime: [], open: [], high: [], low: [], close: [], volume: [] } as Record<string, number[]>;
  const inQuote = at("volume") < 0;
  for (const line of lines.slice(1)) {
    const cells = line.split(",");
    const [o, h, l, c] = ["open", "high", "low", "close"].map((column) => Number(cells[at(column)]));
    const v = Number(cells[at(inQuote ? "quote_volume" : "volume")]);
    columns.openTime!.push(Number(cells[at("open_time")]));
    columns.open!.push(o!);
    columns.high!.push(h!);
    columns.low!.push(l!);
    columns.close!.push(c!);
    columns.volume!.push(inQuote ? v / ((h! + l! + c!) / 3) : v);
  }
  return Object.fromEntries(
    Object.entries(columns).map(([column, values]) => [column, Float64Array.from(values)]),
  ) as unknown as Columns;
}

function madeUp(count: number): Uint8Array {
  const lines = ["open_time,open,high,low,close,volume"];
  let price = 1_000_000;
  let noise = 1;
  for (let index = 0; index < count; index++) {
    noise = (Math.imul(noise, 1_103_515_245) + 12_345) >>> 1;
    const close = price + (noise % 401) - 200;
    const [high, low] = [Math.max(price, close) + (noise % 37), Math.min(price, close) - (noise % 41)];
    const cells = [price, high, low, close].map((ticks) => (ticks / 100).toString());
    lines.push(`${1_700_000_040_000 + index * 60_000},${cells.join(",")},${(noise % 1_000_000) / 1000}`);
    price = close;
  }
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}
