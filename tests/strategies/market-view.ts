import type { Regime } from "../../src/core/candidate.ts";
import { type Instrument, priceOf, ticksOf } from "../../src/core/instrument.ts";
import type {
  AnalysisTimeframe,
  IndicatorName,
  StructureView,
  SymbolView,
  TimeframeView,
} from "../../src/core/strategy.ts";
import type { StructureInput } from "../../src/inspect/structure.ts";
import { BreakoutWatch, regimeOf } from "../../src/structure/regime.ts";
import { StructureTracker } from "../../src/structure/tracker.ts";

/** A contract with four decimals, for tests that care for none in particular. */
export const INSTRUMENT: Instrument = {
  symbol: "TESTUSDT",
  tickUnits: 1,
  priceDecimals: 4,
  lotUnits: 1,
  quantityDecimals: 2,
  unitValue: 100,
  minLots: 1,
  maxLots: 1_000_000,
  minNotional: 500_000_000,
  maxLeverage: 20,
};

const LENGTHS = { "5m": 300_000, "15m": 900_000, "1h": 3_600_000 } as const;

/** How far views look back. */
const DEPTH = 200;

/**
 * A symbol's view grown from 5m bars: higher timeframes are aggregated, indicators have the default periods. It stands
 * in for the panel, and does everything the slow and plain way.
 */
export class MarketView implements SymbolView {
  readonly symbol = 0;
  readonly instrument: Instrument;
  time = 0;
  closeTicks = 0;
  private readonly watch = new BreakoutWatch();
  private breakout = false;
  private readonly series = { "5m": new Series("5m"), "15m": new Series("15m"), "1h": new Series("1h") };

  constructor(instrument: Instrument = INSTRUMENT) {
    this.instrument = instrument;
  }

  get regime(): Regime {
    return regimeOf(this.series["1h"].indicator("adx"), 20, this.breakout);
  }

  timeframe(name: AnalysisTimeframe): TimeframeView {
    return this.series[name];
  }

  /** Takes the next 5m bar, its prices rounded to ticks. */
  advance(bars: StructureInput, i: number): void {
    const round = (price: number) => priceOf(this.instrument, ticksOf(this.instrument, price));
    const bar: Bar = {
      openTime: bars.openTime[i]!,
      open: round(bars.open[i]!),
      high: round(bars.high[i]!),
      low: round(bars.low[i]!),
      close: round(bars.close[i]!),
      volume: bars.volume[i]!,
    };
    this.time = bar.openTime + LENGTHS["5m"];
    this.closeTicks = ticksOf(this.instrument, bar.close);
    for (const series of Object.values(this.series)) series.take(bar);
    const h1 = this.series["1h"];
    if (!h1.justClosed) return;
    const width = h1.indicator("bollingerUpper") - h1.indicator("bollingerLower");
    this.breakout = this.watch.advance(h1.high(0), h1.low(0), h1.close(0), width, h1.indicator("atr"));
  }
}

interface Bar {
  openTime: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

class Series implements TimeframeView {
  justClosed = false;
  readonly structure: StructureView;
  private readonly length: number;
  private readonly tracker: StructureTracker;
  private readonly closed: Bar[] = [];
  private readonly values = new Indicators();
  private open_: Bar | undefined;

  constructor(name: AnalysisTimeframe) {
    this.length = LENGTHS[name];
    this.tracker = new StructureTracker({ timeframe: name });
    this.structure = this.tracker.view;
  }

  take(bar: Bar): void {
    const openTime = bar.openTime - (bar.openTime % this.length);
    if (this.open_?.openTime === openTime) {
      this.open_.high = Math.max(this.open_.high, bar.high);
      this.open_.low = Math.min(this.open_.low, bar.low);
      this.open_.close = bar.close;
      this.open_.volume += bar.volume;
    } else {
      this.open_ = { ...bar, openTime };
    }
    this.justClosed = (bar.openTime + LENGTHS["5m"]) % this.length === 0;
    if (!this.justClosed) return;
    const { open, high, low, close, volume } = this.open_;
    this.tracker.advance(openTime, open, high, low, close, volume);
    this.values.take(this.open_);
    this.closed.push(this.open_);
    if (this.closed.length > DEPTH) this.closed.shift();
    this.open_ = undefined;
  }

  get bars(): number {
    return this.closed.length;
  }
  openTime = (back: number): number => this.closed.at(-1 - back)?.openTime ?? Number.NaN;
  open = (back: number): number => this.closed.at(-1 - back)?.open ?? Number.NaN;
  high = (back: number): number => this.closed.at(-1 - back)?.high ?? Number.NaN;
  low = (back: number): number => this.closed.at(-1 - back)?.low ?? Number.NaN;
  close = (back: number): number => this.closed.at(-1 - back)?.close ?? Number.NaN;
  volume = (back: number): number => this.closed.at(-1 - back)?.volume ?? Number.NaN;
  indicator = (name: IndicatorName): number => this.values.read(name);
}

/** Plain indicators: averages are exponential with the weight 2/(n+1), or Wilder's 1/n; NaN before n bars. */
class Indicators {
  private count = 0;
  private previous: Bar | undefined;
  private readonly state: Record<string, number> = {};
  private readonly volumes: number[] = [];
  private closes: number[] = [];

  take(bar: Bar): void {
    const before = this.previous ?? bar;
    const change = bar.close - before.close;
    const trueRange = Math.max(bar.high, before.close) - Math.min(bar.low, before.close);
    const up = bar.high - before.high;
    const down = before.low - bar.low;
    this.average("emaFast", bar.close, 2 / 21);
    this.average("emaSlow", bar.close, 2 / 51);
    this.average("gain", Math.max(change, 0), 1 / 14);
    this.average("loss", Math.max(-change, 0), 1 / 14);
    this.average("atr", trueRange, 1 / 14);
    this.average("plusDm", up > down && up > 0 ? up : 0, 1 / 14);
    this.average("minusDm", down > up && down > 0 ? down : 0, 1 / 14);
    const { plusDm, minusDm } = this.state as { plusDm: number; minusDm: number };
    const sum = plusDm + minusDm;
    this.average("dx", sum > 0 ? (100 * Math.abs(plusDm - minusDm)) / sum : 0, 1 / 14);
    this.volumes.push(bar.volume);
    if (this.volumes.length > 20) this.volumes.shift();
    this.closes = [...this.closes.slice(-19), bar.close];
    this.previous = bar;
    this.count++;
  }

  read(name: IndicatorName): number {
    const warm = { emaFast: 20, emaSlow: 50, adx: 28, volumeRatio: 20, bollingerUpper: 20, bollingerMiddle: 20 };
    if (this.count < ((warm as Record<string, number>)[name] ?? 15)) return Number.NaN;
    const state = this.state as Record<string, number> & { gain: number; loss: number; atr: number };
    const mean = this.closes.reduce((a, b) => a + b, 0) / this.closes.length;
    const deviation = Math.sqrt(this.closes.reduce((a, b) => a + (b - mean) * (b - mean), 0) / this.closes.length);
    switch (name) {
      case "rsi":
        return state.gain + state.loss > 0 ? (100 * state.gain) / (state.gain + state.loss) : 50;
      case "adx":
        return state.dx!;
      case "plusDi":
        return (100 * state.plusDm!) / state.atr;
      case "minusDi":
        return (100 * state.minusDm!) / state.atr;
      case "bollingerUpper":
        return mean + 2 * deviation;
      case "bollingerMiddle":
        return mean;
      case "bollingerLower":
        return mean - 2 * deviation;
      case "volumeRatio":
        return this.volumes.at(-1)! / (this.volumes.reduce((a, b) => a + b, 0) / this.volumes.length);
      default:
        return state[name]!;
    }
  }

  private average(name: string, value: number, weight: number): void {
    const old = this.state[name];
    this.state[name] = old === undefined ? value : old + weight * (value - old);
  }
}

/** A structure of which nothing is known, for scenes that add what they need. */
export const NO_STRUCTURE: StructureView = {
  swings: [],
  breaks: [],
  trend: 0,
  external: { swings: [], breaks: [], trend: 0 },
  orderBlocks: [],
  breakers: [],
  gaps: [],
  pools: [],
  sweeps: [],
  displacements: [],
  levels: [],
  sessions: [],
  range: undefined,
};
