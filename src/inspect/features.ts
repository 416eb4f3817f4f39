import { AnalysisEngine, type AnalysisOptions } from "../analysis/engine.ts";
import type { Instrument } from "../core/instrument.ts";
import { ANALYSIS_TIMEFRAMES } from "../core/strategy.ts";
import { FEATURE_NAMES, type FeatureName } from "../features/registry.ts";
import { InputError } from "../input-error.ts";
import { Aggregator } from "../market/aggregator.ts";
import { ABSENT, FLAT, REAL } from "../market/bar-source.ts";
import { Panel, STARTS } from "../market/panel.ts";
import { isTimeframeName, TIMEFRAMES, timeText } from "../market/timeframe.ts";
import { nearestName } from "../nearest-name.ts";
import type { StructureInput } from "./structure.ts";

/** One bar: its open time (ms UTC) and a value per feature, `null` where it is missing. */
export type FeatureLine = { readonly openTime: number } & Readonly<Record<string, number | null>>;

/** Parses a comma-separated list of names; all of them without one. @throws InputError (exit 2) */
export function parseFeatures(list: string | undefined): readonly FeatureName[] {
  if (list === undefined) return FEATURE_NAMES;
  return list.split(",").map((cell) => {
    const name = FEATURE_NAMES.find((known) => known === cell.trim());
    if (name !== undefined) return name;
    const meant = nearestName(cell.trim(), FEATURE_NAMES);
    throw new InputError(
      `there is no feature "${cell.trim()}"${meant === undefined ? "" : `; did you mean ${meant}?`}; ` +
        `available: ${FEATURE_NAMES.join(", ")}`,
      2,
    );
  });
}

/** How analysis is set up for a file. */
export type FeatureSettings = Pick<AnalysisOptions, "kernel" | "periods" | "adxTrendThreshold" | "strategyOptions">;

const CAPACITY = 256;

/** A run of missing bars up to this long is bridged by flat bars, as in trading; a longer one starts the symbol anew. */
const MOST_FLAT_BARS = 10;

const MINUTE_5 = TIMEFRAMES["5m"];

/**
 * The features of one symbol's bars up to the open time `until`, inclusive: the engine of a backtest on a market of one.
 * Bars shorter than 5m give a line per 5m, others a line each. What needs a shorter timeframe than the file has, other
 * symbols or funding is missing. The bars' times must lie on the grid of their timeframe.
 *
 * @param file named in errors
 * @throws InputError for bars of a timeframe that cannot be analysed, or off its grid
 */
export function featureLines(
  file: string,
  bars: StructureInput,
  names: readonly FeatureName[],
  settings: FeatureSettings,
  until = Number.POSITIVE_INFINITY,
): FeatureLine[] {
  const { timeframe, openTime } = bars;
  if (!isTimeframeName(timeframe)) {
    const these = openTime.length === 1 ? "one bar alone does not tell its timeframe" : `these are ${timeframe}`;
    throw new InputError(`${file}: features are defined on bars of ${Object.keys(TIMEFRAMES).join(", ")}; ${these}`);
  }
  const length = TIMEFRAMES[timeframe];
  const first = openTime[0]!;

  const panel = Panel.create({
    symbols: 1,
    origin: first,
    timeframes: ANALYSIS_TIMEFRAMES.map((name) => ({ name, ms: TIMEFRAMES[name], capacity: CAPACITY, spare: 1 })),
  });
  const engine = new AnalysisEngine(panel, {
    ...settings,
    instruments: [INSTRUMENT],
    strategy: "flat",
    incrementalFeatures: true,
  });
  const places = names.map((name) => FEATURE_NAMES.indexOf(name));
  const feed = new PlainFeed(panel, length);
  const lines: FeatureLine[] = [];
  for (let i = 0; i < openTime.length && openTime[i]! <= until; i++) {
    const time = openTime[i]!;
    if (time % length !== 0) {
      throw new InputError(`${file}: the bar of ${timeText(time)} does not open at a full ${timeframe}`);
    }
    const missing = i === 0 ? 0 : (time - openTime[i - 1]!) / length - 1;
    const close = bars.close[i - 1]!;
    for (let gap = missing; gap > 0; gap--) {
      const bridged = missing <= MOST_FLAT_BARS || missing - gap < MOST_FLAT_BARS;
      feed.push(time - gap * length, bridged ? FLAT : ABSENT, close, close, close, close, 0);
      engine.advance(time - (gap - 1) * length);
    }
    if (i === 0 || missing > MOST_FLAT_BARS) feed.start();
    feed.push(time, REAL, bars.open[i]!, bars.high[i]!, bars.low[i]!, bars.close[i]!, bars.volume[i]!);
    engine.advance(time + length);
    if (length < MINUTE_5 && (time + length) % MINUTE_5 !== 0) continue;
    const row = engine.features(0);
    const line: Record<string, number | null> = {};
    for (const [k, name] of names.entries()) {
      const value = row[places[k]!]!;
      line[name] = Number.isNaN(value) ? null : value;
    }
    lines.push({ openTime: length < MINUTE_5 ? time + length - MINUTE_5 : time, ...line } as FeatureLine);
  }
  return lines;
}

/** Features count nothing in ticks; an engine wants an instrument all the same. */
const INSTRUMENT: Instrument = {
  symbol: "FILE",
  tickUnits: 1,
  priceDecimals: 8,
  lotUnits: 1,
  quantityDecimals: 0,
  unitValue: 1,
  minLots: 1,
  maxLots: 1,
  minNotional: 0,
  maxLeverage: 1,
};

/** Writes the bars of one symbol as they are, without the rounding to ticks that trading needs. */
class PlainFeed {
  readonly #panel: Panel;
  readonly #aggregator: Aggregator;
  /** Timeframes of the panel that the bars can build, and those whose next bar is the first of a listing. */
  readonly #built: readonly number[];
  readonly #starts: boolean[] = [];
  readonly #length: number;

  constructor(panel: Panel, length: number) {
    this.#panel = panel;
    this.#length = length;
    this.#built = [...panel.timeframes.keys()].filter((timeframe) => panel.timeframes[timeframe]!.ms >= length);
    this.#aggregator = new Aggregator(
      1,
      length,
      this.#built.map((timeframe) => panel.timeframes[timeframe]!.ms),
    );
  }

  start(): void {
    for (const timeframe of this.#built) this.#starts[timeframe] = true;
  }

  push(openTime: number, status: number, open: number, high: number, low: number, close: number, volume: number): void {
    const panel = this.#panel;
    const closed = this.#aggregator.push({
      openTime,
      status: Uint8Array.of(status),
      open: Float64Array.of(open),
      high: Float64Array.of(high),
      low: Float64Array.of(low),
      close: Float64Array.of(close),
      volume: Float64Array.of(volume),
    });
    for (const place of closed) {
      const timeframe = this.#built[place]!;
      const bar = this.#aggregator.closed[place]!;
      const index = panel.indexAt(timeframe, bar.openTime);
      const [kind, o, h, l, c, v] = [bar.status, bar.open, bar.high, bar.low, bar.close, bar.volume].map((x) => x[0]!);
      if (kind !== ABSENT) {
        const starts = this.#starts[timeframe] === true ? STARTS : 0;
        panel.writeBar(timeframe, index, 0, o!, h!, l!, c!, v!, kind! + starts);
        this.#starts[timeframe] = false;
      }
      panel.publish(timeframe, index);
    }
    // Timeframes that are shorter than the file's have no bars, which the engine sees as absent ones.
    for (const [timeframe, { ms }] of panel.timeframes.entries()) {
      if (ms < this.#length) panel.publish(timeframe, panel.indexAt(timeframe, openTime + this.#length - ms));
    }
  }
}
