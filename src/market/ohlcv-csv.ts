import { InputError } from "../input-error.ts";
import { readInputFile } from "./input-file.ts";
import { timeText } from "./timeframe.ts";

/** Bars of any origin as they are in the file: nothing filled, nothing rounded. Columns of equal length. */
export interface Ohlcv {
  readonly rows: number;
  /** The median distance between neighbouring rows, ms; 0 when there is only one row. */
  readonly timeframe: number;
  /** ms UTC, strictly rising; times without a zone are taken as UTC. */
  readonly openTime: Float64Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
  /** What had to be assumed about the file, in sentences. */
  readonly notes: readonly string[];
}

/** Accepted header names, lower case, in the order of preference. */
const TIME_NAMES = ["open_time", "opentime", "open time", "datetime", "timestamp", "date", "gmt time", "time", "unix"];
const PRICE_NAMES = { open: ["open", "o"], high: ["high", "h"], low: ["low", "l"], close: ["close", "c"] } as const;
const VOLUME_NAMES = ["volume", "vol", "v"];

/**
 * Reads any CSV of bars that has a header: names in any case and order, `,` `;` or tab between cells, quotes, a byte
 * order mark, gzip; see `parseTime` for the times. Volume may be missing (0 then) or be `quote_volume` (divided by the
 * typical price; 0 / 0 counts as 0).
 *
 * Rows must rise in time, be numbers, have high >= low and no negative volume. Zero or negative prices and an open or
 * close outside the range are let through: adjusted prices have them, and the reader of a chart wants to see them.
 *
 * @throws InputError naming file and line
 */
export function readOhlcv(file: string): Ohlcv {
  return parseOhlcv(new TextDecoder().decode(readInputFile(file)), file);
}

/** `readOhlcv` of text already in hand; `file` is the name for messages. */
export function parseOhlcv(text: string, file: string): Ohlcv {
  const lines = text.split(/\r\n|\n|\r/);
  while (lines.length > 1 && lines.at(-1)!.trim() === "") lines.pop();
  const headerLine = lines[0]!.replace(/^\uFEFF/, "");
  if (headerLine.trim() === "") throw new InputError(`${file}:1: the file is empty, a header row is expected`);
  const separator = [";", "\t"].find((candidate) => headerLine.includes(candidate)) ?? ",";
  const names = splitCells(headerLine, separator).map((name) => name.toLowerCase().replace(/^<(.*)>$/, "$1"));
  const layout = readLayout(names, headerLine, file);
  const rows = lines.length - 1;
  if (rows === 0) throw new InputError(`${file}: has a header but no bars`);

  const cells = lines.slice(1).map((line) => splitCells(line, separator));
  const fault = (row: number, what: string) => new InputError(`${file}:${row + 2}: ${what}`);
  const timeOf = (row: string[]) => layout.time.map((at) => row[at] ?? "").join(" ");
  const order = slashOrder(cells.map(timeOf));
  const notes = [...layout.notes];
  if (order === "unclear") notes.push("Dates like 03/04/2017 are read as month/day/year.");

  const [openTime, open, high, low, close, volume] = Array.from({ length: 6 }, () => new Float64Array(rows)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let previous = Number.NEGATIVE_INFINITY;
  for (const [row, found] of cells.entries()) {
    if (found.length !== names.length) {
      const count = `${found.length} cell${found.length === 1 ? "" : "s"}`;
      throw fault(row, `the row has ${count}, the header ${names.length}`);
    }
    const number = (at: number): number => {
      const cell = found[at]!;
      const plain = separator !== "," && /^[+-]?\d+,\d+$/.test(cell) ? cell.replace(",", ".") : cell;
      const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : Number.NaN;
      if (Number.isFinite(value)) return value;
      throw fault(row, `${names[at]} ${cell === "" ? "is empty" : `is not a number: ${JSON.stringify(cell)}`}`);
    };
    const time = parseTime(timeOf(found), order === "day-first");
    if (time === undefined) {
      const what = timeOf(found).trim() === "" ? "is empty" : `is not a known time: ${JSON.stringify(timeOf(found))}`;
      throw fault(row, `${names[layout.time[0]!]} ${what}`);
    }
    if (time === previous) throw fault(row, `${timeText(time)} is there twice`);
    if (time < previous) {
      throw fault(row, `${timeText(time)} comes after ${timeText(previous)}: bars must be oldest first`);
    }
    previous = time;
    openTime[row] = time;
    open[row] = number(layout.open);
    const h = number(layout.high);
    const l = number(layout.low);
    const c = number(layout.close);
    const v = layout.volume < 0 ? 0 : number(layout.volume);
    if (h < l) throw fault(row, `high ${h} is below low ${l}`);
    if (v < 0) throw fault(row, `${names[layout.volume]} ${v} is negative`);
    high[row] = h;
    low[row] = l;
    close[row] = c;
    volume[row] = layout.inQuote && v > 0 ? v / ((h + l + c) / 3) : v;
    if (!Number.isFinite(volume[row]!)) throw fault(row, `${names[layout.volume]} ${v} at a typical price of 0`);
  }
  return { rows, timeframe: medianStep(openTime), openTime, open, high, low, close, volume, notes };
}

interface Layout {
  /** Column of the time, or of date and time of day. */
  readonly time: readonly number[];
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** -1 when there is none. */
  readonly volume: number;
  readonly inQuote: boolean;
  readonly notes: readonly string[];
}

function readLayout(names: readonly string[], headerLine: string, file: string): Layout {
  const find = (wanted: readonly string[]) => {
    const name = wanted.find((candidate) => names.includes(candidate));
    return name === undefined ? -1 : names.indexOf(name);
  };
  const at = {
    time: find(TIME_NAMES),
    open: find(PRICE_NAMES.open),
    high: find(PRICE_NAMES.high),
    low: find(PRICE_NAMES.low),
    close: find(PRICE_NAMES.close),
  };
  const missing = Object.entries(at).filter(([, column]) => column < 0);
  if (missing.length > 0) {
    const wanted = missing.map(([name]) => (name === "time" ? "a time (open_time, timestamp, date …)" : name));
    const shown = headerLine.length > 100 ? `${headerLine.slice(0, 100)}…` : headerLine;
    throw new InputError(`${file}:1: the header lacks ${wanted.join(", ")}; it is ${JSON.stringify(shown)}`);
  }
  const timeOfDay = names[at.time] === "date" ? names.indexOf("time") : -1;
  const inBase = find(VOLUME_NAMES);
  const inQuote = inBase < 0 && names.includes("quote_volume");
  const notes: string[] = [];
  if (inQuote) notes.push("Volume is quote volume / typical price (high + low + close) / 3.");
  else if (inBase < 0) notes.push("The file has no volume; it is 0 throughout.");
  return {
    ...at,
    time: timeOfDay < 0 ? [at.time] : [at.time, timeOfDay],
    volume: inQuote ? names.indexOf("quote_volume") : inBase,
    inQuote,
    notes,
  };
}

/** Cells without surrounding blanks and quotes; a doubled quote inside quotes is one quote. */
function splitCells(line: string, separator: string): string[] {
  if (!line.includes('"')) return line.split(separator).map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    if (character === '"' && quoted && line[at + 1] === '"') {
      cell += '"';
      at++;
    } else if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += character;
  }
  cells.push(cell.trim());
  return cells;
}

const CLOCK = String.raw`(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?)?`;
const ZONE = String.raw`\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?`;
const YEAR_FIRST = new RegExp(String.raw`^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})${CLOCK}${ZONE}$`);
const YEAR_LAST = new RegExp(String.raw`^(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})${CLOCK}${ZONE}$`);

/**
 * Time in ms UTC of: an epoch in s, ms, µs or ns (told apart by its digits); YYYYMMDD; year-month-day or
 * day.month.year with `-`, `/` or `.`, optionally a time of day (`T` or a blank before it, am/pm, fractions) and a
 * zone. With slashes and the year last, month/day unless `slashDayFirst`; two-digit years are 1970 to 2069. Undefined
 * for anything else, and for days that no calendar has.
 */
export function parseTime(text: string, slashDayFirst = false): number | undefined {
  const cell = text.trim();
  if (/^\d{8}$/.test(cell)) return calendar(cell.slice(0, 4), cell.slice(4, 6), cell.slice(6), []);
  if (/^\d{9,11}(\.\d+)?$/.test(cell)) return Math.round(Number(cell) * 1000);
  if (/^\d{12,14}(\.0*)?$/.test(cell)) return Math.trunc(Number(cell));
  if (/^\d{15,17}$/.test(cell)) return Number(cell.slice(0, -3));
  if (/^\d{18,20}$/.test(cell)) return Number(cell.slice(0, -6));
  const yearFirst = YEAR_FIRST.exec(cell);
  if (yearFirst !== null) return calendar(yearFirst[1]!, yearFirst[3]!, yearFirst[4]!, yearFirst.slice(5));
  const parts = YEAR_LAST.exec(cell);
  if (parts === null) return undefined;
  const dayFirst = parts[2] !== "/" || slashDayFirst;
  const [month, day] = dayFirst ? [parts[3]!, parts[1]!] : [parts[1]!, parts[3]!];
  const year = parts[4]!.length === 4 ? parts[4]! : `${Number(parts[4]) < 70 ? "20" : "19"}${parts[4]}`;
  return calendar(year, month, day, parts.slice(5));
}

/** `clock` is hour, minute, second, fraction, am/pm and zone as matched. */
function calendar(year: string, month: string, day: string, clock: readonly (string | undefined)[]) {
  const [hours = "0", minutes = "0", seconds = "0", fraction = "", half, zone] = clock;
  let hour = Number(hours);
  if (half !== undefined) {
    if (hour < 1 || hour > 12) return undefined;
    hour = (hour % 12) + (half.toLowerCase() === "pm" ? 12 : 0);
  }
  if (hour > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const check = new Date(date);
  if (check.getUTCMonth() + 1 !== Number(month) || check.getUTCDate() !== Number(day)) return undefined;
  const offset = /^([+-])(\d{2}):?(\d{2})$/.exec(zone ?? "");
  const ahead = offset === null ? 0 : (Number(offset[2]) * 60 + Number(offset[3])) * (offset[1] === "-" ? -1 : 1);
  const ms = Number(fraction.slice(0, 3).padEnd(3, "0"));
  return date + ((hour * 60 + Number(minutes) - ahead) * 60 + Number(seconds)) * 1000 + ms;
}

/** Whether dates with slashes and the year last begin with the day: the first number above 12 in the file tells. */
function slashOrder(times: readonly string[]): "day-first" | "month-first" | "unclear" | "none" {
  let seen = false;
  for (const time of times) {
    const parts = /^(\d{1,2})\/(\d{1,2})\/\d{2}/.exec(time);
    if (parts === null) continue;
    if (Number(parts[1]) > 12) return "day-first";
    if (Number(parts[2]) > 12) return "month-first";
    seen = true;
  }
  return seen ? "unclear" : "none";
}

function medianStep(openTime: Float64Array): number {
  if (openTime.length < 2) return 0;
  const steps = Float64Array.from({ length: openTime.length - 1 }, (_, row) => openTime[row + 1]! - openTime[row]!);
  return steps.sort()[(steps.length - 1) >> 1]!;
}
