import type { Command } from "commander";
import { Option } from "commander";
import { InputError } from "../input-error.ts";
import { featureLines, parseFeatures } from "../inspect/features.ts";
import { type IndicatorRow, type IndicatorValue, indicatorRows, parseIndicators } from "../inspect/indicators.ts";
import { structureEvents, structureObjects } from "../inspect/structure.ts";
import { type Ohlcv, readOhlcv } from "../market/ohlcv-csv.ts";
import { timeText } from "../market/timeframe.ts";
import { chooseKernel } from "../native.ts";
import { indicatorOptions, strategyOptionsOf } from "../service/assembly.ts";
import { time } from "./market-options.ts";
import { print, settingsFrom } from "./options.ts";

interface InspectOptions {
  readonly indicators?: string;
  readonly structure?: true;
  readonly features?: true | string;
  readonly events?: true;
  readonly until?: number;
  readonly json?: true;
}

/** `penstock inspect FILE`: what we see in a chart, for anyone who wants to check us against another one. */
export function inspectCommand(program: Command): void {
  program
    .command("inspect")
    .description("show indicators, market structure or features of any csv of bars")
    .argument("<file>", "csv with a header and columns for time, open, high, low, close; .gz too")
    .addOption(new Option("--indicators <list>", "such as ema:20,rsi:14,adx:14,macd:12:26:9,bollinger:20:2"))
    .addOption(new Option("--structure", "the objects as known at the last bar shown").conflicts("indicators"))
    .addOption(
      new Option(
        "--features [names]",
        "one JSON object per bar, null where a feature is missing (docs/features.md); all of them without NAMES, which " +
          "are separated by commas. Bars of 1m (one line per 5m), 5m, 15m or 1h; longer timeframes are aggregated",
      ).conflicts(["indicators", "structure"]),
    )
    .option("--events", "with --structure: the log of all that happened, in order")
    .addOption(
      new Option("--until <time>", "last bar shown, by its open time, inclusive (UTC)").argParser(time("--until")),
    )
    .option("--json", "one JSON object per line and nothing else")
    .action(async (file: string, options: InspectOptions) => {
      const { indicators, structure, features, until } = options;
      if (indicators === undefined && structure === undefined && features === undefined) {
        throw new InputError("inspect needs --indicators LIST, --structure or --features", 2);
      }
      if (options.events && !structure) throw new InputError("--events belongs to --structure", 2);
      const requests = indicators === undefined ? [] : parseIndicators(indicators);
      const names = parseFeatures(features === true ? undefined : features);
      const { settings } = settingsFrom([]);
      const kernel = chooseKernel(settings.PENSTOCK_KERNEL);
      const bars = readOhlcv(file);
      for (const note of bars.notes) process.stderr.write(`penstock: ${note}\n`);

      if (indicators !== undefined) {
        const rows = indicatorRows(bars, requests, until, kernel);
        return print(
          options.json
            ? lines(rows)
            : indicatorTable(
                rows,
                requests.map((request) => request.key),
              ),
        );
      }
      const input = { ...bars, timeframe: timeframeText(bars.timeframe) };
      checkRanges(file, bars);
      if (features !== undefined) {
        const strategyOptions = strategyOptionsOf(settings);
        const analysis = { ...indicatorOptions(settings), strategyOptions, kernel: kernel.name };
        return print(lines(featureLines(file, input, names, analysis, until)));
      }
      const structureSettings = { sessions: bars.timeframe <= LONGEST_IN_SESSION };
      const shown = options.events
        ? structureEvents(input, structureSettings, until)
        : structureObjects(input, structureSettings, until);
      await print(options.json ? lines(shown) : shown.map(structureText).join(""));
    });
}

/** Longer bars do not lie within a session. */
const LONGEST_IN_SESSION = 3_600_000;

/** Structure is defined by ranges, so a bar must lie within its own. */
function checkRanges(file: string, { openTime, open, high, low, close }: Ohlcv): void {
  for (let i = 0; i < openTime.length; i++) {
    if (open[i]! >= low[i]! && open[i]! <= high[i]! && close[i]! >= low[i]! && close[i]! <= high[i]!) continue;
    throw new InputError(`${file}: the bar of ${timeText(openTime[i]!)} opens or closes outside of its own range`);
  }
}

function lines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

/** "5m", "4h", "1d": how a chart would name the distance of the bars; one bar alone (0) has none. */
export function timeframeText(milliseconds: number): string {
  if (milliseconds === 0) return "unknown";
  for (const [unit, size] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ] as const) {
    if (milliseconds >= size && milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}

const DIGITS = 8;

function indicatorTable(rows: readonly IndicatorRow[], keys: readonly string[]): string {
  const cell = (value: number | null) => (value === null ? "–" : String(Number(value.toPrecision(DIGITS))));
  const cells = (value: IndicatorValue) =>
    value === null || typeof value === "number" ? [cell(value)] : Object.values(value).map(cell);
  const titles = keys.flatMap((key) => {
    const value = rows[0]?.[key];
    return typeof value === "object" && value !== null ? Object.keys(value).map((name) => `${key}.${name}`) : [key];
  });
  const table = [
    ["open time", ...titles],
    ...rows.map((row) => [timeText(row.openTime), ...keys.flatMap((key) => cells(row[key]!))]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map(
      (row) => `${row.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join("  ")}\n`,
    )
    .join("");
}

function structureText(line: object): string {
  const shown = Object.entries(line).map(([name, value]) => {
    const isTime = name === "at" || name.endsWith("At");
    return `${name} ${isTime && typeof value === "number" ? timeText(value) : String(value)}`;
  });
  return `${shown.join("  ")}\n`;
}
