import { InputError } from "../input-error.ts";
import { readInputFile } from "./input-file.ts";
import { naming } from "./instrument-rules.ts";
import { timeText } from "./timeframe.ts";

/** Funding of a whole run in the order of time, then symbol. */
export interface FundingSchedule {
  /** ms UTC. */
  readonly time: Float64Array;
  readonly symbol: Uint16Array;
  /** 1e-8. */
  readonly rate: Int32Array;
}

/** Binance's usual interval: 00:00, 08:00 and 16:00 UTC. */
const INTERVAL = 8 * 3_600_000;
const HOUR = 3_600_000;
/** The exchange stamps a settlement some milliseconds after the hour it belongs to. */
const SNAP = 60_000;
const RATE_UNITS = 100_000_000;

/**
 * The rates exchanged at times in [from, to). A symbol's recorded rates count where there are any; at the 8-hour
 * times before its first and after its last one (all of them when it has none) the assumed rate is exchanged.
 *
 * Recorded times within a minute of a full hour are taken as that hour: the settlement belongs to it and the rest is
 * processing time. Others are kept as they are.
 *
 * @param assumedRate a fraction: 0.0001 is 0.01 %
 * @throws InputError naming file and line when the file is not `symbol,funding_time,funding_rate`
 */
export function fundingSchedule(options: {
  symbols: readonly string[];
  from: number;
  to: number;
  file: string | undefined;
  assumedRate: number;
}): { schedule: FundingSchedule; assumptions: string[] } {
  const { symbols, from, to, file } = options;
  const assumedRate = Math.round(options.assumedRate * RATE_UNITS);
  const recorded = file === undefined ? new Map<string, Settlement[]>() : readFunding(file);
  const all: Settlement[] = [];
  const bare: string[] = [];
  const partly: string[] = [];
  for (const [symbol, name] of symbols.entries()) {
    const known = recorded.get(name) ?? [];
    const inside = known.filter(({ time }) => time >= from && time < to);
    for (const { time, rate } of inside) all.push({ time, symbol, rate });
    const first = inside[0]?.time ?? to;
    const last = inside.at(-1)?.time ?? to;
    let assumed = 0;
    for (let time = Math.ceil(from / INTERVAL) * INTERVAL; time < to; time += INTERVAL) {
      if (time >= first && time <= last) continue;
      all.push({ time, symbol, rate: assumedRate });
      assumed++;
    }
    if (assumed > 0) (inside.length === 0 ? bare : partly).push(name);
  }
  all.sort((a, b) => a.time - b.time || a.symbol - b.symbol);

  const rule = `assumed, ${(assumedRate / 1e6).toString()} % at 00:00, 08:00 and 16:00 UTC`;
  const assumptions: string[] = [];
  if (bare.length > 0) assumptions.push(`Funding of ${naming(bare, symbols.length)}: ${rule}.`);
  if (partly.length > 0) {
    assumptions.push(`Funding of ${naming(partly, symbols.length)} before and after the recorded rates: ${rule}.`);
  }
  return {
    schedule: {
      time: Float64Array.from(all, ({ time }) => time),
      symbol: Uint16Array.from(all, ({ symbol }) => symbol),
      rate: Int32Array.from(all, ({ rate }) => rate),
    },
    assumptions,
  };
}

interface Settlement {
  readonly time: number;
  readonly symbol: number;
  readonly rate: number;
}

/** Rates by symbol name, oldest first; the index of the symbol is not known here and stays -1. */
function readFunding(file: string): Map<string, Settlement[]> {
  const lines = new TextDecoder().decode(readInputFile(file)).split(/\r?\n/);
  const header = lines[0]!.split(",").map((name) => name.trim());
  const columns = ["symbol", "funding_time", "funding_rate"].map((name) => header.indexOf(name));
  const [symbolAt, timeAt, rateAt] = columns as [number, number, number];
  if (columns.includes(-1)) {
    throw new InputError(`${file}:1: the header must have symbol,funding_time,funding_rate; it is "${lines[0]}"`);
  }
  while (lines.length > 1 && lines.at(-1) === "") lines.pop();
  const rates = new Map<string, Settlement[]>();
  for (let index = 1; index < lines.length; index++) {
    const fail = (what: string) => new InputError(`${file}:${index + 1}: ${what}`);
    const cells = lines[index]!.split(",");
    if (cells.length !== header.length) {
      throw fail(`the row has ${cells.length} cell${cells.length === 1 ? "" : "s"}, the header ${header.length}`);
    }
    const name = cells[symbolAt]!.trim();
    const stamp = Number(cells[timeAt]);
    const rate = Number(cells[rateAt]);
    if (name === "") throw fail("symbol is empty");
    if (!Number.isInteger(stamp) || stamp < 1e11 || stamp >= 1e13) {
      throw fail(`funding_time "${cells[timeAt]}" is not a time in milliseconds since 1970`);
    }
    if (cells[rateAt]!.trim() === "" || !Number.isFinite(rate) || rate <= -1 || rate >= 1) {
      throw fail(`funding_rate "${cells[rateAt]}" is not a fraction between -1 and 1`);
    }
    const hour = Math.round(stamp / HOUR) * HOUR;
    const time = Math.abs(stamp - hour) <= SNAP ? hour : stamp;
    const known = rates.get(name) ?? [];
    const before = known.at(-1)?.time ?? 0;
    if (time === before) throw fail(`${name} has funding at ${timeText(time)} twice`);
    if (time < before) throw fail(`${name}: funding_time goes back from ${timeText(before)} to ${timeText(time)}`);
    known.push({ time, symbol: -1, rate: Math.round(rate * RATE_UNITS) });
    rates.set(name, known);
  }
  return rates;
}
