import { powerOfTen } from "../core/instrument.ts";
import { InputError } from "../input-error.ts";
import { brokenRule, EARLIEST, LATEST } from "./kline-rules.ts";

/** Bars of one file as columns of equal length in shared memory, oldest first. */
export interface Klines {
  /** ms UTC, a multiple of the timeframe, strictly rising. */
  readonly openTime: Float64Array<SharedArrayBuffer>;
  /** USDT, the nearest float64 of the decimal in the file. */
  readonly open: Float64Array<SharedArrayBuffer>;
  readonly high: Float64Array<SharedArrayBuffer>;
  readonly low: Float64Array<SharedArrayBuffer>;
  readonly close: Float64Array<SharedArrayBuffer>;
  /** Base units. */
  readonly volume: Float64Array<SharedArrayBuffer>;
  /** Most decimals that any price has, trailing zeros aside. */
  readonly priceDecimals: number;
  /** The same of the base volume; undefined when the file has only `quote_volume`. */
  readonly volumeDecimals: number | undefined;
}

/** Bars are read in one thread and used in others, and nobody copies them. */
export function sharedColumn(rows: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(rows * 8));
}

const OPEN_TIME = 0;
const OPEN = 1;
const HIGH = 2;
const LOW = 3;
const CLOSE = 4;
const VOLUME = 5;
const IGNORED = -1;

const COLUMN_ROLE: Readonly<Record<string, number>> = {
  open_time: OPEN_TIME,
  open: OPEN,
  high: HIGH,
  low: LOW,
  close: CLOSE,
  volume: VOLUME,
};
const COLUMN_NAME = ["open_time", "open", "high", "low", "close", "volume"];

const NEWLINE = 10;
const RETURN = 13;
const COMMA = 44;
const POINT = 46;
const ZERO = 48;

/** No price or volume of an exchange is larger; beyond this, ticks and lots could not be counted exactly. */
const LARGEST = 1e20;
/** Mantissas below this are exact in float64, whatever their digits. */
const EXACT = Number.MAX_SAFE_INTEGER + 1;

/**
 * Parses bars from CSV bytes: a header row, then one row per bar; columns are found by name, further ones ignored.
 *
 * Volume is `volume` in base units. A file that has only `quote_volume` gives base volume = quote volume / typical
 * price, the typical price being (high + low + close) / 3. A bar without trades (volume 0) is an ordinary bar: prices
 * are positive, so its base volume is 0 / typical price = 0 and nothing is ever 0 / 0 here.
 *
 * Numbers are correctly rounded: up to 2^53 a mantissa is exact, and dividing it by an exact power of ten rounds
 * once. Anything longer, or with an exponent, goes through `Number`.
 *
 * @param file name for messages
 * @throws InputError naming file and line for whatever is not a clean, rising series of the timeframe
 */
export function parseKlines(bytes: Uint8Array, file: string, timeframe: number): Klines {
  const headerStart = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const headerEnd = lineEnd(bytes, headerStart);
  const header = readHeader(text(bytes, headerStart, headerEnd), file);
  const roles = header.roles;
  const lastColumn = roles.length - 1;

  const end = contentEnd(bytes);
  const rows = countLines(bytes, headerEnd + 1, end);
  if (rows === 0) throw new InputError(`${file}: has a header but no bars`);
  const openTime = sharedColumn(rows);
  const open = sharedColumn(rows);
  const high = sharedColumn(rows);
  const low = sharedColumn(rows);
  const close = sharedColumn(rows);
  const volume = sharedColumn(rows);

  const row = new Float64Array(6);
  let priceDecimals = 0;
  let volumeDecimals = 0;
  let previous = Number.NEGATIVE_INFINITY;
  let position = headerEnd + 1;
  for (let index = 0; index < rows; index++) {
    for (let column = 0; column <= lastColumn; column++) {
      const role = roles[column]!;
      const start = position;
      let byte = position < end ? bytes[position]! : NEWLINE;
      if (role === IGNORED) {
        while (byte !== COMMA && byte !== NEWLINE) byte = ++position < end ? bytes[position]! : NEWLINE;
      } else {
        // The plain decimal `123.45`, which nearly every cell is, costs one pass over its bytes.
        let mantissa = 0;
        let digits = 0;
        while (byte >= ZERO && byte < ZERO + 10) {
          mantissa = mantissa * 10 + (byte - ZERO);
          digits++;
          byte = ++position < end ? bytes[position]! : NEWLINE;
        }
        let decimals = 0;
        let usedDecimals = 0;
        if (byte === POINT) {
          byte = ++position < end ? bytes[position]! : NEWLINE;
          while (byte >= ZERO && byte < ZERO + 10) {
            mantissa = mantissa * 10 + (byte - ZERO);
            decimals++;
            if (byte !== ZERO) usedDecimals = decimals;
            byte = ++position < end ? bytes[position]! : NEWLINE;
          }
        }
        if (byte === RETURN && (position + 1 >= end || bytes[position + 1] === NEWLINE)) {
          position++;
          byte = NEWLINE;
        }
        let value: number;
        if (
          digits + decimals > 0 &&
          (byte === COMMA || byte === NEWLINE) &&
          mantissa < EXACT &&
          decimals <= MOST_DECIMALS
        ) {
          value = decimals === 0 ? mantissa : mantissa / POWER[decimals]!;
        } else {
          while (byte !== COMMA && byte !== NEWLINE) byte = ++position < end ? bytes[position]! : NEWLINE;
          const cell = decimalOf(text(bytes, start, position).trimEnd());
          if (cell === undefined) {
            const shown = text(bytes, start, position).trimEnd();
            const name = role === VOLUME ? header.volumeName : COLUMN_NAME[role]!;
            const what = shown === "" ? "is empty" : `is not a number: ${JSON.stringify(shown.slice(0, 40))}`;
            throw fault(file, index, missingCells(bytes, position, column, lastColumn, byte) ?? `${name} ${what}`);
          }
          value = cell.value;
          usedDecimals = cell.decimals;
        }
        row[role] = value;
        if (value > LARGEST) {
          const name = role === VOLUME ? header.volumeName : COLUMN_NAME[role]!;
          const shown = JSON.stringify(text(bytes, start, position).slice(0, 40));
          throw fault(file, index, `${name} is beyond ${LARGEST}: ${shown}`);
        }
        if (role === VOLUME) {
          if (usedDecimals > volumeDecimals) volumeDecimals = usedDecimals;
        } else if (usedDecimals > priceDecimals) {
          if (role === OPEN_TIME) throw fault(file, index, "open_time is not a whole number of milliseconds");
          priceDecimals = usedDecimals;
        }
      }
      if (column < lastColumn ? byte !== COMMA : byte !== NEWLINE) {
        throw fault(file, index, cellCount(bytes, position, column, lastColumn));
      }
      position++;
    }

    const t = row[OPEN_TIME]!;
    const o = row[OPEN]!;
    const h = row[HIGH]!;
    const l = row[LOW]!;
    const c = row[CLOSE]!;
    const v = row[VOLUME]!;
    // One comparison per rule and the words only when one is broken, so that clean rows stay cheap.
    if (
      !(t > previous && t >= EARLIEST && t < LATEST && t % timeframe === 0 && l > 0 && h >= l && v >= 0) ||
      !(o >= l && o <= h && c >= l && c <= h)
    ) {
      const bar = { openTime: t, open: o, high: h, low: l, close: c, volume: v };
      throw fault(file, index, brokenRule(bar, previous, timeframe, header.volumeName) ?? "the bar breaks a rule");
    }
    previous = t;
    openTime[index] = t;
    open[index] = o;
    high[index] = h;
    low[index] = l;
    close[index] = c;
    volume[index] = header.inQuote ? v / ((h + l + c) / 3) : v;
  }
  return {
    openTime,
    open,
    high,
    low,
    close,
    volume,
    priceDecimals,
    volumeDecimals: header.inQuote ? undefined : volumeDecimals,
  };
}

/** Powers of ten are exact up to 22. */
const MOST_DECIMALS = 22;
const POWER = Float64Array.from({ length: MOST_DECIMALS + 1 }, (_, exponent) => powerOfTen(exponent));

/** Value and used decimals of a decimal with sign or exponent, or undefined for any other text. Never -0. */
function decimalOf(cell: string): { value: number; decimals: number } | undefined {
  const parts = /^[+-]?\d*(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(cell);
  const value = Number(cell);
  if (parts === null || cell === "" || !Number.isFinite(value)) return undefined;
  const decimals = (parts[1] ?? "").replace(/0+$/, "").length - Number(parts[2] ?? 0);
  return { value: value === 0 ? 0 : value, decimals: decimals > 0 && value !== 0 ? decimals : 0 };
}

function readHeader(line: string, file: string): { roles: Int8Array; inQuote: boolean; volumeName: string } {
  const names = line.split(",").map((name) => name.trim());
  if (line.trim() === "") throw new InputError(`${file}:1: the file is empty, a header row is expected`);
  const inQuote = !names.includes("volume");
  const volumeName = inQuote ? "quote_volume" : "volume";
  const missing = COLUMN_NAME.slice(0, VOLUME).filter((name) => !names.includes(name));
  if (!names.includes(volumeName)) missing.push("volume (or quote_volume)");
  if (missing.length > 0) {
    const shown = line.length > 100 ? `${line.slice(0, 100)}…` : line;
    throw new InputError(`${file}:1: the header lacks ${missing.join(", ")}; it is ${JSON.stringify(shown.trim())}`);
  }
  const roles = Int8Array.from(names, (name) => (name === volumeName ? VOLUME : (COLUMN_ROLE[name] ?? IGNORED)));
  const twice = names.find((name, index) => roles[index] !== IGNORED && names.indexOf(name) !== index);
  if (twice !== undefined) throw new InputError(`${file}:1: the header has ${twice} twice`);
  return { roles, inQuote, volumeName };
}

/** Bars begin on line 2: line 1 is the header, and an empty line between bars is an error, so lines follow rows. */
function fault(file: string, row: number, what: string): InputError {
  return new InputError(`${file}:${row + 2}: ${what}`);
}

/** An empty last cell of a short row is better named by the number of cells. */
function missingCells(bytes: Uint8Array, position: number, column: number, last: number, byte: number) {
  return byte === NEWLINE && column < last ? cellCount(bytes, position, column, last) : undefined;
}

function cellCount(bytes: Uint8Array, position: number, column: number, last: number): string {
  const stop = lineEnd(bytes, position);
  let cells = column + 1;
  for (let at = position; at < stop; at++) if (bytes[at] === COMMA) cells++;
  return `the row has ${cells} cell${cells === 1 ? "" : "s"}, the header ${last + 1}`;
}

/** Where the content ends: after the last byte that is not part of an empty line. */
function contentEnd(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === NEWLINE || bytes[end - 1] === RETURN)) end--;
  return end;
}

function countLines(bytes: Uint8Array, from: number, end: number): number {
  if (from >= end) return 0;
  let lines = 1;
  for (let at = bytes.indexOf(NEWLINE, from); at !== -1 && at < end; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

function lineEnd(bytes: Uint8Array, from: number): number {
  const at = bytes.indexOf(NEWLINE, from);
  return at === -1 ? bytes.length : at;
}

const decoder = new TextDecoder();

function text(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}
