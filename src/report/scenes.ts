import type { Direction } from "../core/candidate.ts";
import { type Instrument, priceOf } from "../core/instrument.ts";
import type { StructureBreak } from "../core/strategy.ts";
import { Aggregator } from "../market/aggregator.ts";
import { ABSENT, type BarSource } from "../market/bar-source.ts";
import { StructureTracker } from "../structure/tracker.ts";
import type { BacktestReport, ReportedTrade } from "./backtest-report.ts";

/** Why a trade is shown. */
export type Choice = "best" | "worst" | "sample";

/** One trade as it can be drawn: the bars around it, and the market structure that was known when it was decided. */
export interface Scene {
  /** Index into the report's trades. */
  readonly trade: number;
  readonly choice: Choice;
  /** Of the bars, ms: the shortest analysed one that keeps the picture readable. */
  readonly timeframe: number;
  readonly from: number;
  /** Price of one tick, and its decimals. */
  readonly tick: number;
  readonly decimals: number;
  /** From `from` on, one per timeframe; null where the symbol had none. Prices in ticks, volume in base units. */
  readonly bars: (Candle | null)[];
  /** Close of the bar on which the trade was decided. */
  readonly signalAt: number;
  readonly zones: readonly SceneZone[];
  readonly breaks: readonly SceneBreak[];
}

export interface Candle {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/** A zone that was known at the signal. Prices in USDT. */
export interface SceneZone {
  /** As trades name it in their setup. */
  readonly kind: string;
  readonly timeframe: string;
  readonly formedAt: number;
  readonly top: number;
  readonly bottom: number;
  /** Whether the trade's reasons name it. */
  readonly cause: boolean;
}

export interface SceneBreak {
  readonly timeframe: string;
  readonly character: "bos" | "choch";
  /** From the swing that was broken to the close beyond it. */
  readonly swingAt: number;
  readonly at: number;
  readonly price: number;
}

const MINUTE = 60_000;
/** Strategies decide on bars of this length, or on base bars where those are longer. */
const ENTRY_TIMEFRAME = 5 * MINUTE;
/** What bars are drawn in; the last one for whatever lasts longer. */
const DRAWN = [5, 15, 60, 240, 1440].map((minutes) => minutes * MINUTE);
/** The timeframes whose structure strategies enter by, by the name that reasons use. */
const STRUCTURE = [
  { name: "5m", ms: 5 * MINUTE },
  { name: "15m", ms: 15 * MINUTE },
] as const;

/** Bars before the signal: at least, and at most where what caused the trade is older. */
const BEFORE = 44;
const MOST_BEFORE = 120;
/** Bars after the exit, and the most between entry and exit before a longer timeframe is taken. */
const AFTER = 16;
const MOST_BETWEEN = 110;
/** Zones besides the one that caused the trade. */
const OTHER_ZONES = 4;

/** How many trades are chosen from either end, and between. */
const ENDS = 10;
const SAMPLE = 20;

/** The trades to show: the best, the worst and an even sample of the others in time, each once, in order of exit. */
export function chooseTrades(trades: readonly ReportedTrade[]): { trade: number; choice: Choice }[] {
  const ranked = trades.map((_, index) => index).sort((a, b) => trades[b]!.pnl - trades[a]!.pnl || a - b);
  const ends = Math.min(ENDS, Math.ceil(ranked.length / 2));
  const chosen = new Map<number, Choice>();
  for (const index of ranked.slice(0, ends)) chosen.set(index, "best");
  for (const index of ranked.slice(-ends)) if (!chosen.has(index)) chosen.set(index, "worst");
  const others = trades.map((_, index) => index).filter((index) => !chosen.has(index));
  const count = Math.min(SAMPLE, others.length);
  for (let i = 0; i < count; i++) chosen.set(others[Math.floor(((i + 0.5) * others.length) / count)]!, "sample");
  return [...chosen].sort(([a], [b]) => a - b).map(([trade, choice]) => ({ trade, choice }));
}

/**
 * Goes through the bars of a run a second time and takes pictures of the chosen trades. Only their bars are kept, so
 * memory does not grow with the run.
 * @param open gives the source from its beginning, with the bars that the run had, at least of the symbols named
 */
export function takeScenes(
  { trades, to }: Pick<BacktestReport, "trades" | "to">,
  open: (symbols: readonly string[]) => BarSource,
): Scene[] {
  const chosen = chooseTrades(trades);
  if (chosen.length === 0) return [];
  const source = open([...new Set(chosen.map(({ trade }) => trades[trade]!.symbol))].sort());
  const bySymbol = new Map(source.instruments.map((instrument, index) => [instrument.symbol, { instrument, index }]));
  const shots = chosen.flatMap(({ trade, choice }) => {
    const found = bySymbol.get(trades[trade]!.symbol);
    return found === undefined ? [] : [newShot(source.timeframe, trades[trade]!, trade, choice, found)];
  });
  const end = shots.reduce((latest, shot) => Math.max(latest, shot.until), 0);
  const structure = STRUCTURE.filter(({ ms }) => ms >= source.timeframe);
  const timeframes = [...new Set([...structure.map(({ ms }) => ms), ...shots.map(({ scene }) => scene.timeframe)])];
  const aggregator = new Aggregator(source.instruments.length, source.timeframe, timeframes);
  const shown = [...new Set(shots.map((shot) => shot.symbol))];
  const trackers = structure.map(({ name }) => new Map(shown.map((symbol) => [symbol, newTracker(name)])));

  for (
    let step = source.step();
    step !== undefined && step.openTime < end && step.openTime < to;
    step = source.step()
  ) {
    // With a new listing a symbol's structure begins anew, as in the analysis.
    for (const symbol of step.listed) {
      structure.forEach(({ name }, i) => {
        if (trackers[i]!.has(symbol)) trackers[i]!.set(symbol, newTracker(name));
      });
    }
    const closedNow = aggregator.push(step);
    for (const index of closedNow) {
      const bars = aggregator.closed[index]!;
      const candleOf = (symbol: number): Candle => ({
        open: bars.open[symbol]!,
        high: bars.high[symbol]!,
        low: bars.low[symbol]!,
        close: bars.close[symbol]!,
        volume: bars.volume[symbol]!,
      });
      const tracked = trackers[structure.findIndex(({ ms }) => ms === bars.timeframe)];
      for (const symbol of shown) {
        if (bars.status[symbol] === ABSENT || tracked === undefined) continue;
        const instrument = source.instruments[symbol]!;
        const { open, high, low, close, volume } = candleOf(symbol);
        const price = (ticks: number) => priceOf(instrument, ticks);
        tracked.get(symbol)!.advance(bars.openTime, price(open), price(high), price(low), price(close), volume);
      }
      for (const { scene, symbol, until } of shots) {
        if (scene.timeframe !== bars.timeframe || bars.openTime < scene.from || bars.openTime >= until) continue;
        const at = (bars.openTime - scene.from) / scene.timeframe;
        while (scene.bars.length < at) scene.bars.push(null);
        scene.bars.push(bars.status[symbol] === ABSENT ? null : candleOf(symbol));
      }
    }
    const now = step.openTime + source.timeframe;
    for (const shot of shots) {
      if (shot.scene.signalAt !== now) continue;
      structure.forEach(({ name }, i) => {
        look(shot, name, trackers[i]!.get(shot.symbol)!);
      });
    }
  }
  return shots.map(developed);
}

/** The picture without the bars that show nothing of what mattered. */
function developed({ scene, trade, zones }: Shot): Scene {
  const shown = nearest(zones, trade.plannedEntry);
  const causes = [
    ...shown.filter((zone) => zone.cause).map((zone) => zone.formedAt),
    ...scene.breaks.map((b) => b.swingAt),
  ];
  const age = Math.ceil((trade.entryTime - Math.min(trade.entryTime, ...causes)) / scene.timeframe) + 4;
  const before = age < BEFORE ? BEFORE : age < MOST_BEFORE ? age : MOST_BEFORE;
  let first = MOST_BEFORE - before;
  while (first < scene.bars.length && scene.bars[first] === null) first++;
  const last = scene.bars.findLastIndex((bar) => bar !== null);
  return {
    ...scene,
    from: scene.from + first * scene.timeframe,
    bars: scene.bars.slice(first, last + 1),
    zones: shown,
  };
}

interface Shot {
  readonly scene: Scene & { readonly breaks: SceneBreak[] };
  readonly trade: ReportedTrade;
  readonly symbol: number;
  readonly decimals: number;
  readonly zones: SceneZone[];
  /** End of the window, exclusive. */
  readonly until: number;
}

function newShot(
  base: number,
  trade: ReportedTrade,
  index: number,
  choice: Choice,
  found: { readonly instrument: Instrument; readonly index: number },
): Shot {
  const { entryTime, exitTime } = trade;
  const entryTimeframe = base > ENTRY_TIMEFRAME ? base : ENTRY_TIMEFRAME;
  const usable = DRAWN.filter((ms) => ms >= entryTimeframe);
  const timeframe = usable.find((ms) => (exitTime - entryTime) / ms <= MOST_BETWEEN) ?? usable.at(-1)!;
  const from = entryTime - (entryTime % timeframe) - MOST_BEFORE * timeframe;
  const { priceDecimals } = found.instrument;
  return {
    scene: {
      trade: index,
      choice,
      timeframe,
      from,
      tick: priceOf(found.instrument, 1),
      decimals: priceDecimals,
      bars: [],
      // An entry fills at the open of the bar after the one that it was decided on.
      signalAt: entryTime - (entryTime % entryTimeframe),
      zones: [],
      breaks: [],
    },
    trade,
    symbol: found.index,
    decimals: priceDecimals,
    zones: [],
    until: exitTime - (exitTime % timeframe) + (AFTER + 1) * timeframe,
  };
}

function newTracker(timeframe: string): StructureTracker {
  return new StructureTracker({ timeframe });
}

/** Notes what the tracker knows in the trade's direction; reasons name a zone by its bounds, a break by its price. */
function look({ scene, trade, decimals, zones }: Shot, timeframe: string, { view }: StructureTracker): void {
  const direction: Direction = trade.side === "long" ? 1 : -1;
  const named = (text: string) => trade.reasons.some((reason) => reason.includes(text));
  for (const zone of [...view.orderBlocks, ...view.breakers, ...view.gaps]) {
    if (zone.direction !== direction) continue;
    const { kind, formedAt, top, bottom } = zone;
    const cause = kind === trade.setup && named(`${bottom.toFixed(decimals)} to ${top.toFixed(decimals)}`);
    zones.push({ kind, timeframe, formedAt, top, bottom, cause });
  }
  const last: StructureBreak | undefined = view.breaks.at(-1);
  if (last === undefined || !trade.reasons.some((reason) => reason.startsWith(`${timeframe} `))) return;
  if (last.direction !== direction || !named(`through ${last.price.toFixed(decimals)}`)) return;
  const { character, swingAt, confirmedAt, price } = last;
  scene.breaks.push({ timeframe, character, swingAt, at: confirmedAt, price });
}

/** The cause (one: the shorter timeframe wins among equals), and the zones nearest to the entry. */
function nearest(zones: readonly SceneZone[], entry: number): SceneZone[] {
  const distance = ({ top, bottom }: SceneZone) => Math.max(0, bottom - entry, entry - top);
  const cause = zones.find((zone) => zone.cause);
  const others = zones.filter((zone) => !zone.cause).sort((a, b) => distance(a) - distance(b));
  const chosen = others.slice(0, OTHER_ZONES).sort((a, b) => a.formedAt - b.formedAt);
  return cause === undefined ? chosen : [...chosen, cause];
}
