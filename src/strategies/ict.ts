import { type Candidate, type Direction, LONG } from "../core/candidate.ts";
import { priceOf } from "../core/instrument.ts";
import type {
  BreakerBlock,
  Check,
  FairValueGap,
  OrderBlock,
  Strategy,
  StructureView,
  Sweep,
  SymbolView,
  TimeframeView,
} from "../core/strategy.ts";
import { trendAlignment } from "../structure/alignment.ts";
import { type BlockAgeing, blockStrength } from "../structure/strength.ts";
import {
  type Calibration,
  calibrated,
  ICT_CALIBRATION,
  ICT_SCORES,
  type IctScore,
  valueAt,
} from "./ict-calibration.ts";

/** Plain data; crosses to workers as it is. */
export interface IctOptions {
  /** RISK_REWARD_RATIO: distance of the target as a multiple of the distance of the stop, more than 0. */
  readonly riskRewardRatio: number;
  /** OB_MIN_VOLUME_RATIO: order blocks whose move had less volume than this multiple of the average are passed over. */
  readonly minVolumeRatio: number;
  /** OB_MAX_TEST_COUNT, OB_DECAY_ENABLED, OB_TIME_DECAY_HOURS, OB_DECAY_RATE. */
  readonly ageing: BlockAgeing;
  /** What the parts of the confidence are worth; ICT_CALIBRATION when absent. */
  readonly calibration?: Calibration;
}

/** The stop lies this far beyond the zone or the signal bar, in ATR of 15m. */
const STOP_BUFFER_ATR = 0.25;
/** Nearer stops are moved out to this distance: inside of it noise decides. */
const MIN_STOP_ATR = 1;
/** The same as a share of the price: two fees and two spreads cost about 0.15 %, and a risk should be larger. */
const MIN_STOP_SHARE = 0.003;
/** A zone whose stop would be further away is not traded. */
const MAX_STOP_ATR = 4;
/** Smaller gaps, in ATR of their own timeframe, are the spaces that every fast bar leaves. */
const MIN_GAP_ATR = 0.5;
/** How many 5m bars the market must have stayed out of a zone before the touch that is traded. */
const UNTOUCHED_BARS = 3;
/** Age at which the last break of structure counts half. */
const BREAK_HALF_LIFE = 4 * 3_600_000;
/** Age at which a sweep counts half, and from which on it is forgotten. */
const SWEEP_HALF_LIFE = 2 * 3_600_000;
const SWEEP_MEMORY = 8 * 3_600_000;
/** How long a displacement is part of the move that is traded. */
const DISPLACEMENT_MEMORY = 4 * 3_600_000;

/** What is more likely to lose than to win is no signal. */
const MIN_CHANCE = 0.5;

const LENGTHS = { "5m": 300_000, "15m": 900_000 } as const;

/**
 * Trades the return to where a move began ("inner circle trader" concepts, docs/structure.md), in the direction of
 * the higher timeframes:
 *
 * 1. the 1h EMAs and the 1h structure point one way, or one of them does while the other is silent;
 * 2. the last break on 15m points the same way;
 * 3. the newest 5m bar entered an order block, breaker or fair value gap of 5m or 15m from outside and closed in the
 *    direction of the trade without closing through the zone; blocks that are spent are passed over;
 * 4. stop beyond zone and bar, target at `riskRewardRatio` times the risk, both rounded to the careful side.
 *
 * How much speaks for it is judged by six scores: alignment, structure, zone, sweep, momentum, volume. Each is turned
 * into the share of past signals with such a score that won, and their sum into the confidence: the estimated chance
 * that price moves by the risk in favour before it does so against (src/strategies/ict-calibration.ts). Below one half
 * nothing is proposed.
 *
 * Whether the regime allows an entry is not asked here: a guard does, so that the refusal is counted.
 */
export function createIct(options: IctOptions): Strategy {
  const calibration = options.calibration ?? ICT_CALIBRATION;
  return {
    name: "ict",
    maxBaseTimeframe: 300_000,
    propose: (view) => propose(view, options, calibration),
    explain: (view, note) => propose(view, options, calibration, note),
  };
}

/** @param note told of each condition; where it is absent the words are not even made */
function propose(
  view: SymbolView,
  options: IctOptions,
  calibration: Calibration,
  note?: (check: Check) => void,
): Candidate | undefined {
  const m5 = view.timeframe("5m");
  const ready = m5.justClosed && m5.bars > UNTOUCHED_BARS;
  note?.({ asked: "a 5m bar has closed", passed: ready, found: m5.justClosed ? `${m5.bars} bars` : "none closed" });
  if (!ready) return undefined;
  const m15 = view.timeframe("15m");
  const h1 = view.timeframe("1h");

  const emas = sign(h1.indicator("emaFast") - h1.indicator("emaSlow"));
  const direction = sign(emas + h1.structure.trend);
  note?.({
    asked: "1h EMAs and 1h structure point one way",
    passed: direction !== 0,
    found: `EMAs ${wayOf(emas)}, structure ${wayOf(h1.structure.trend)}`,
  });
  if (direction === 0) return undefined;
  const follows = m15.structure.trend === direction;
  note?.({
    asked: `the last break on 15m is ${wayOf(direction)} too`,
    passed: follows,
    found: `15m structure ${wayOf(m15.structure.trend)}`,
  });
  if (!follows) return undefined;

  const atr = m15.indicator("atr");
  note?.({ asked: "the 15m ATR is known", passed: atr > 0, found: figure(atr, view.instrument.priceDecimals) });
  if (!(atr > 0)) return undefined;
  const touch = bestTouch(view.time, m5, m15, direction, options);
  note?.({
    asked: `the 5m bar reacts ${wayOf(direction)} from an untouched order block, breaker or gap`,
    passed: touch !== undefined,
    found: touch === undefined ? zonesOf(m5, m15, direction) : `${touch.timeframe} ${ZONE_NAMES[touch.zone.kind]}`,
  });
  if (touch === undefined) return undefined;

  const prices = planPrices(view, m5, direction, touch.zone, atr, options.riskRewardRatio);
  note?.({
    asked: `the stop beyond zone and bar is at most ${MAX_STOP_ATR} ATR away`,
    passed: prices !== undefined,
    found: prices === undefined ? "it is further" : `stop ${priceOf(view.instrument, prices.stop)}`,
  });
  if (prices === undefined) return undefined;

  const sweep = lastSweep(view.time, m5, m15, direction);
  const raw: Record<IctScore, number> = {
    alignment: trendAlignment(view, direction),
    structure: structureScore(view, m15, direction),
    zone: touch.score,
    sweep: sweep === undefined ? 0 : 1 / (1 + sweep.age / SWEEP_HALF_LIFE),
    momentum: momentumScore(m5, direction),
    volume: volumeScore(m5, touch.zone),
  };
  const confidence = unit(calibrated(calibration, raw));
  note?.({
    asked: `the chance to win is at least ${MIN_CHANCE}`,
    passed: confidence >= MIN_CHANCE,
    found: `${confidence.toFixed(3)}: ${ICT_SCORES.map((name) => `${name} ${raw[name].toFixed(2)}`).join(", ")}`,
  });
  if (confidence < MIN_CHANCE) return undefined;
  const scores: Record<string, number> = {};
  for (const name of ICT_SCORES) scores[name] = unit(valueAt(calibration.scores[name], raw[name]));

  return {
    symbol: view.symbol,
    strategy: "ict",
    setup: touch.zone.kind,
    direction,
    ...prices,
    confidence,
    scores,
    reasons: reasonsFor({ view, m5, m15, h1, direction, emas, touch, sweep, atr, prices }),
  };
}

type Zone = OrderBlock | BreakerBlock | FairValueGap;

interface Touch {
  readonly zone: Zone;
  readonly timeframe: "5m" | "15m";
  readonly score: number;
  /** How many other zones the signal bar reached as well. */
  readonly confluence: number;
}

/** The best of the zones that the newest 5m bar reacts from; on a draw the 15m one, then the newer. */
function bestTouch(
  time: number,
  m5: TimeframeView,
  m15: TimeframeView,
  direction: Direction,
  options: IctOptions,
): Touch | undefined {
  const close = m5.close(0);
  if (direction * (close - m5.open(0)) <= 0) return undefined;
  const reached = extreme(m5, 0, direction);
  let before = extreme(m5, 1, direction);
  for (let back = 2; back <= UNTOUCHED_BARS; back++) {
    const each = extreme(m5, back, direction);
    if (direction * (each - before) < 0) before = each;
  }
  // A zone that only the newest bar reached lies between the two.
  if (direction * (before - reached) <= 0) return undefined;

  let touched = 0;
  let best: Zone | undefined;
  let bestTimeframe: Touch["timeframe"] = "5m";
  let bestScore = 0;
  for (const timeframe of ["5m", "15m"] as const) {
    const own = timeframe === "5m" ? m5 : m15;
    const atr = own.indicator("atr");
    const { gaps, orderBlocks, breakers } = own.structure;
    for (const list of [gaps, breakers, orderBlocks] as const) {
      for (const zone of list) {
        if (zone.direction !== direction || !reactsFrom(zone, direction, reached, before, close)) continue;
        const quality =
          zone.kind === "gap" ? gapQuality(zone, atr) : blockQuality(zone, time - LENGTHS[timeframe], options);
        if (quality === 0) continue;
        touched++;
        const score = timeframe === "15m" ? quality : 0.8 * quality;
        if (score >= bestScore) {
          best = zone;
          bestTimeframe = timeframe;
          bestScore = score;
        }
      }
    }
  }
  if (best === undefined) return undefined;
  const confluence = touched - 1;
  return { zone: best, timeframe: bestTimeframe, confluence, score: unit(bestScore + 0.15 * confluence) };
}

/**
 * Of an order block, 0 to 1: half for itself, half for the volume of its move (three times the average is full marks),
 * all of it times what age and tests have left; a breaker four fifths of that. 0 means that it is not traded.
 */
function blockQuality(zone: OrderBlock | BreakerBlock, newestAt: number, options: IctOptions): number {
  if (zone.volumeRatio < options.minVolumeRatio) return 0;
  // Both are open times of bars of one timeframe, so that their distance is the age at the close of the newest.
  const strength = blockStrength(zone.tests, zone.confirmedAt, newestAt, options.ageing);
  return strength * (0.5 + 0.5 * unit(zone.volumeRatio / 3)) * (zone.kind === "breaker" ? 0.8 : 1);
}

/** Of a gap, 0 to 1: its height (two ATR are full marks), less up to half for what was filled; 0 for a small one. */
function gapQuality(zone: FairValueGap, atr: number): number {
  const height = (zone.top - zone.bottom) / atr;
  // A comparison with a NaN is false: without an ATR no gap is large enough.
  return height >= MIN_GAP_ATR ? unit(height / 2) * (1 - 0.5 * zone.fill) : 0;
}

/**
 * Whether the newest bar reached into the zone and did not close through it, after bars that stayed outside. A zone is
 * therefore not traded while the bars that made it are still among those.
 */
function reactsFrom(zone: Zone, direction: Direction, reached: number, before: number, close: number): boolean {
  const near = direction === LONG ? zone.top : zone.bottom;
  const far = direction === LONG ? zone.bottom : zone.top;
  return direction * (reached - near) <= 0 && direction * (before - near) > 0 && direction * (close - far) > 0;
}

/** The low for a long, the high for a short: where a bar goes against the trade. */
function extreme(view: TimeframeView, back: number, direction: Direction): number {
  return direction === LONG ? view.low(back) : view.high(back);
}

interface Prices {
  readonly entry: number;
  readonly stop: number;
  readonly target: number;
}

/** Entry, stop and target in ticks; undefined where the stop would be absurd. */
function planPrices(
  view: SymbolView,
  m5: TimeframeView,
  direction: Direction,
  zone: Zone,
  atr: number,
  riskRewardRatio: number,
): Prices | undefined {
  const { instrument, closeTicks: entry } = view;
  const tick = priceOf(instrument, 1);
  const price = priceOf(instrument, entry);
  const far = direction === LONG ? zone.bottom : zone.top;
  const low = extreme(m5, 0, direction);
  const beyond = direction * (far - low) < 0 ? far : low;

  let distance = direction * (price - beyond) + STOP_BUFFER_ATR * atr;
  if (distance > MAX_STOP_ATR * atr) return undefined;
  if (distance < MIN_STOP_ATR * atr) distance = MIN_STOP_ATR * atr;
  if (distance < MIN_STOP_SHARE * price) distance = MIN_STOP_SHARE * price;

  // Away from the entry for the stop, towards it for the target: never a larger gain or smaller risk than was meant.
  const risk = Math.ceil(distance / tick);
  const reward = Math.floor(risk * riskRewardRatio);
  const stop = entry - direction * risk;
  const target = entry + direction * reward;
  if (reward < 1 || stop < 1 || target < 1) return undefined;
  return { entry, stop, target };
}

/**
 * 15m structure from 0 to 1: 0.35 for a break with the trend (0.2 for the change of character that began it), up to
 * 0.2 for a young break, 0.15 for a displacement of the last four hours, up to 0.3 for a price in the trade's half of
 * the dealing range (all of it at the far end or beyond, half without a range).
 */
function structureScore(view: SymbolView, m15: TimeframeView, direction: Direction): number {
  const { structure } = m15;
  const last = structure.breaks.at(-1);
  if (last === undefined) return 0;
  const age = view.time - last.confirmedAt - LENGTHS["15m"];
  const young = 0.2 / (1 + age / BREAK_HALF_LIFE);
  const displaced = hasDisplacement(structure, direction, view.time - DISPLACEMENT_MEMORY) ? 0.15 : 0;
  const discount = discountOf(structure, m15.close(0), direction);
  return unit((last.character === "bos" ? 0.35 : 0.2) + young + displaced + 0.3 * discount);
}

function hasDisplacement({ displacements }: StructureView, direction: Direction, since: number): boolean {
  for (let i = displacements.length - 1; i >= 0; i--) {
    const each = displacements[i]!;
    if (each.confirmedAt < since) return false;
    if (each.direction === direction) return true;
  }
  return false;
}

/** How cheap a price is within the dealing range for a long, how dear for a short: 0 to 1. */
function discountOf({ range }: StructureView, price: number, direction: Direction): number {
  if (range === undefined) return 0.5;
  const height = range.top - range.bottom;
  return unit(direction === LONG ? (range.top - price) / height : (price - range.bottom) / height);
}

interface RecentSweep {
  readonly of: Sweep["of"];
  readonly price: number;
  /** ms since the close of its bar. */
  readonly age: number;
}

/** The newest sweep in the trade's direction on 5m or 15m that is not forgotten yet. */
function lastSweep(time: number, m5: TimeframeView, m15: TimeframeView, direction: Direction): RecentSweep | undefined {
  let newest: Sweep | undefined;
  let newestAge = SWEEP_MEMORY;
  for (const timeframe of ["5m", "15m"] as const) {
    const { sweeps } = (timeframe === "5m" ? m5 : m15).structure;
    for (let i = sweeps.length - 1; i >= 0; i--) {
      const each = sweeps[i]!;
      const age = time - each.confirmedAt - LENGTHS[timeframe];
      if (age >= newestAge) break;
      if (each.direction !== direction) continue;
      newest = each;
      newestAge = age;
      break;
    }
  }
  return newest && { of: newest.of, price: newest.price, age: newestAge };
}

/**
 * Half for where in its range the signal bar closed, half for the 5m RSI: best at 55 in the trade's direction (the turn
 * has begun), nothing at 15 or 95 (it has not, or is over). An RSI in warm-up gives nothing.
 */
function momentumScore(m5: TimeframeView, direction: Direction): number {
  const range = m5.high(0) - m5.low(0);
  const closedAt = range > 0 ? (direction * (m5.close(0) - extreme(m5, 0, direction))) / range : 0;
  const rsi = m5.indicator("rsi");
  const strength = direction === LONG ? rsi : 100 - rsi;
  return 0.5 * unit(closedAt) + 0.5 * unit(1 - Math.abs(strength - 55) / 40);
}

/** Half for the signal bar's volume, half for the volume of the block's move; twice the average is full marks. */
function volumeScore(m5: TimeframeView, zone: Zone): number {
  const move = zone.kind === "gap" ? 1 : zone.volumeRatio;
  return 0.5 * unit(m5.indicator("volumeRatio") / 2) + 0.5 * unit(move / 2);
}

interface Findings {
  readonly view: SymbolView;
  readonly m5: TimeframeView;
  readonly m15: TimeframeView;
  readonly h1: TimeframeView;
  readonly direction: Direction;
  readonly emas: Direction | 0;
  readonly touch: Touch;
  readonly sweep: RecentSweep | undefined;
  readonly atr: number;
  readonly prices: Prices;
}

const ZONE_NAMES = { gap: "fair value gap", "order-block": "order block", breaker: "breaker block" } as const;
const SWEPT_NAMES = {
  pool: { 1: "equal lows", [-1]: "equal highs" },
  swing: { 1: "swing low", [-1]: "swing high" },
  "previous-day": { 1: "previous day's low", [-1]: "previous day's high" },
  "previous-week": { 1: "previous week's low", [-1]: "previous week's high" },
} as const;

function reasonsFor({ view, m5, m15, h1, direction, emas, touch, sweep, atr, prices }: Findings): string[] {
  const { instrument } = view;
  const decimals = instrument.priceDecimals;
  const way = direction === LONG ? "bullish" : "bearish";
  const { zone } = touch;
  const others = touch.confluence === 0 ? "" : `, with ${touch.confluence} more zone${touch.confluence > 1 ? "s" : ""}`;
  const last = m15.structure.breaks.at(-1);
  const { range } = m15.structure;
  const risk = direction * (priceOf(instrument, prices.entry) - priceOf(instrument, prices.stop));
  const reasons = [
    emas === 0
      ? `1h structure ${way}, EMAs in warm-up or level`
      : `1h EMA fast ${h1.indicator("emaFast").toFixed(decimals)} ${emas > 0 ? "above" : "below"} slow ` +
        `${h1.indicator("emaSlow").toFixed(decimals)}, 1h structure ${h1.structure.trend === direction ? way : "silent"}`,
  ];
  if (last !== undefined) {
    const what = last.character === "bos" ? "break of structure" : "change of character";
    reasons.push(`15m ${what} ${way} through ${last.price.toFixed(decimals)}`);
  }
  if (sweep !== undefined) {
    reasons.push(
      `swept the ${SWEPT_NAMES[sweep.of][direction]} ${sweep.price.toFixed(decimals)} ` +
        `${Math.round(sweep.age / 60_000)} min ago`,
    );
  }
  if (range !== undefined) {
    const half = (range.top + range.bottom) / 2;
    const where = m15.close(0) > half ? "premium" : "discount";
    reasons.push(`in ${where} of the 15m range ${range.bottom.toFixed(decimals)} to ${range.top.toFixed(decimals)}`);
  }
  reasons.push(
    `5m bar reacts from the ${touch.timeframe} ${ZONE_NAMES[zone.kind]} ${zone.bottom.toFixed(decimals)} to ` +
      `${zone.top.toFixed(decimals)}${others}`,
    `5m RSI ${figure(m5.indicator("rsi"), 0)}, volume ${figure(m5.indicator("volumeRatio"), 1)} times the average` +
      (zone.kind === "gap" ? "" : `, block's move ${zone.volumeRatio.toFixed(1)} times`),
    `risk ${risk.toFixed(decimals)} is ${(risk / atr).toFixed(1)} ATR of 15m`,
  );
  return reasons;
}

/** A number as a reason shows it; indicators that are in warm-up, or had no volume to divide by, are unknown. */
function figure(value: number, decimals: number): string {
  return Number.isNaN(value) ? "unknown" : value.toFixed(decimals);
}

function wayOf(direction: Direction | 0): string {
  return direction === 0 ? "silent" : direction === LONG ? "bullish" : "bearish";
}

/** How many zones of a direction there are to react from. */
function zonesOf(m5: TimeframeView, m15: TimeframeView, direction: Direction): string {
  const count = ({ structure: { gaps, orderBlocks, breakers } }: TimeframeView) =>
    [...gaps, ...orderBlocks, ...breakers].filter((zone) => zone.direction === direction).length;
  return `from none of ${count(m5)} on 5m and ${count(m15)} on 15m`;
}

function sign(value: number): Direction | 0 {
  return value > 0 ? 1 : value < 0 ? -1 : 0;
}

/** Limits to 0…1; NaN becomes 0. */
function unit(value: number): number {
  if (value > 0 && value < 1) return value;
  return value >= 1 ? 1 : 0;
}
