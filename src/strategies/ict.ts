import { type Candidate, type Direction, LONG } from "../core/candidate.ts";
import { priceOf } from "../core/instrument.ts";
import type { FairValueGap, OrderBlock, Strategy, SymbolView, TimeframeView } from "../core/strategy.ts";

/** Plain data; crosses to workers as it is. */
export interface IctOptions {
  /** RISK_REWARD_RATIO: distance of the target as a multiple of the distance of the stop, more than 0. */
  readonly riskRewardRatio: number;
  /** OB_MIN_VOLUME_RATIO: order blocks whose move had less volume than this multiple of the average are passed over. */
  readonly minVolumeRatio: number;
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
/** Age in 15m bars at which the last break of structure counts half: four hours. */
const BREAK_HALF_LIFE = 16;

const QUARTER_HOUR = 900_000;

/** The parts of the confidence and what each counts; they add up to 1. */
export const ICT_WEIGHTS = { alignment: 0.25, structure: 0.2, zone: 0.25, momentum: 0.15, volume: 0.15 } as const;

/**
 * Trades the return to where a move began ("inner circle trader" concepts, docs/structure.md), in the direction of
 * the higher timeframes:
 *
 * 1. alignment: the 1h EMAs and the 1h structure point one way, or one of them does while the other is silent;
 * 2. structure: the last break on 15m points the same way;
 * 3. zone: the newest 5m bar entered an order block or fair value gap of 5m or 15m from outside and closed in the
 *    direction of the trade without closing through the zone;
 * 4. stop beyond zone and bar, target at `riskRewardRatio` times the risk, both rounded to the careful side.
 *
 * Whether the regime allows an entry is not asked here: a guard does, so that the refusal is counted.
 */
export function createIct(options: IctOptions): Strategy {
  return { name: "ict", maxBaseTimeframe: 300_000, propose: (view) => propose(view, options) };
}

function propose(view: SymbolView, options: IctOptions): Candidate | undefined {
  const m5 = view.timeframe("5m");
  if (!m5.justClosed || m5.bars <= UNTOUCHED_BARS) return undefined;
  const m15 = view.timeframe("15m");
  const h1 = view.timeframe("1h");

  const emas = sign(h1.indicator("emaFast") - h1.indicator("emaSlow"));
  const direction = sign(emas + h1.structure.trend);
  if (direction === 0 || m15.structure.trend !== direction) return undefined;

  const atr = m15.indicator("atr");
  if (!(atr > 0)) return undefined;
  const touch = bestTouch(m5, m15, direction, options);
  if (touch === undefined) return undefined;

  const prices = planPrices(view, m5, direction, touch.zone, atr, options.riskRewardRatio);
  if (prices === undefined) return undefined;

  const scores = {
    alignment: emas === h1.structure.trend ? 1 : 0.6,
    structure: structureScore(view.time, m5, m15, direction),
    zone: touch.score,
    momentum: momentumScore(m5, direction),
    volume: volumeScore(m5, touch.zone),
  };
  const confidence =
    ICT_WEIGHTS.alignment * scores.alignment +
    ICT_WEIGHTS.structure * scores.structure +
    ICT_WEIGHTS.zone * scores.zone +
    ICT_WEIGHTS.momentum * scores.momentum +
    ICT_WEIGHTS.volume * scores.volume;

  return {
    symbol: view.symbol,
    strategy: "ict",
    setup: touch.zone.kind,
    direction,
    ...prices,
    // The weights add up to 1 only as far as decimals can be held in binary.
    confidence: unit(confidence),
    scores,
    reasons: reasonsFor(view, m5, m15, h1, direction, emas, touch, atr, prices),
  };
}

type Zone = OrderBlock | FairValueGap;

interface Touch {
  readonly zone: Zone;
  readonly timeframe: "5m" | "15m";
  readonly score: number;
  /** How many other zones the signal bar reached as well. */
  readonly confluence: number;
}

/** The best of the zones that the newest 5m bar reacts from; on a draw the 15m one, then the newer. */
function bestTouch(
  m5: TimeframeView,
  m15: TimeframeView,
  direction: Direction,
  options: IctOptions,
): Touch | undefined {
  const close = m5.close(0);
  if (direction * (close - m5.open(0)) <= 0) return undefined;

  let touched = 0;
  let best: Zone | undefined;
  let bestTimeframe: Touch["timeframe"] = "5m";
  let bestScore = 0;
  for (const timeframe of ["5m", "15m"] as const) {
    const own = timeframe === "5m" ? m5 : m15;
    const minGap = MIN_GAP_ATR * own.indicator("atr");
    for (const list of [own.structure.gaps, own.structure.orderBlocks]) {
      for (const zone of list) {
        if (zone.direction !== direction) continue;
        // A comparison with a NaN is false: without an ATR no gap is large enough.
        if (zone.kind === "gap" ? !(zone.top - zone.bottom >= minGap) : zone.volumeRatio < options.minVolumeRatio)
          continue;
        if (!reactsFrom(m5, zone, direction)) continue;
        touched++;
        const score = (zone.kind === "order-block" ? 0.5 : 0.35) + (timeframe === "15m" ? 0.2 : 0);
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
 * Whether the newest bar reached into the zone and did not close through it, after bars that stayed outside. A zone is
 * therefore not traded while the bars that made it are still among those.
 */
function reactsFrom(m5: TimeframeView, zone: Zone, direction: Direction): boolean {
  const near = direction === LONG ? zone.top : zone.bottom;
  const far = direction === LONG ? zone.bottom : zone.top;
  if (direction * (extreme(m5, 0, direction) - near) > 0) return false;
  if (direction * (m5.close(0) - far) <= 0) return false;
  for (let back = 1; back <= UNTOUCHED_BARS; back++) {
    if (direction * (extreme(m5, back, direction) - near) <= 0) return false;
  }
  return true;
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
 * 15m structure from 0 to 1: 0.5 for a break with the trend (0.3 for the change of character that began it), up to
 * 0.3 for a young break (half of that at an age of four hours), 0.2 when 5m agrees already.
 */
function structureScore(time: number, m5: TimeframeView, m15: TimeframeView, direction: Direction): number {
  const last = m15.structure.breaks.at(-1);
  if (last === undefined) return 0;
  const age = (time - last.confirmedAt) / QUARTER_HOUR - 1;
  const young = 0.3 / (1 + age / BREAK_HALF_LIFE);
  return unit((last.character === "bos" ? 0.5 : 0.3) + young + (m5.structure.trend === direction ? 0.2 : 0));
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

/** Half for the signal bar's volume, half for the volume of the order block's move; twice the average is full marks. */
function volumeScore(m5: TimeframeView, zone: Zone): number {
  const move = zone.kind === "order-block" ? zone.volumeRatio : 1;
  return 0.5 * unit(m5.indicator("volumeRatio") / 2) + 0.5 * unit(move / 2);
}

function reasonsFor(
  view: SymbolView,
  m5: TimeframeView,
  m15: TimeframeView,
  h1: TimeframeView,
  direction: Direction,
  emas: Direction | 0,
  touch: Touch,
  atr: number,
  prices: Prices,
): string[] {
  const { instrument } = view;
  const decimals = instrument.priceDecimals;
  const way = direction === LONG ? "bullish" : "bearish";
  const { zone } = touch;
  const name = zone.kind === "gap" ? "fair value gap" : "order block";
  const others = touch.confluence === 0 ? "" : `, with ${touch.confluence} more zone${touch.confluence > 1 ? "s" : ""}`;
  const last = m15.structure.breaks.at(-1);
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
  reasons.push(
    `5m bar reacts from the ${touch.timeframe} ${name} ${zone.bottom.toFixed(decimals)} to ` +
      `${zone.top.toFixed(decimals)}${others}`,
    `5m RSI ${figure(m5.indicator("rsi"), 0)}, volume ${figure(m5.indicator("volumeRatio"), 1)} times the average` +
      (zone.kind === "order-block" ? `, block's move ${zone.volumeRatio.toFixed(1)} times` : ""),
    `risk ${risk.toFixed(decimals)} is ${(risk / atr).toFixed(1)} ATR of 15m`,
  );
  return reasons;
}

/** A number as a reason shows it; indicators that are in warm-up, or had no volume to divide by, are unknown. */
function figure(value: number, decimals: number): string {
  return Number.isNaN(value) ? "unknown" : value.toFixed(decimals);
}

function sign(value: number): Direction | 0 {
  return value > 0 ? 1 : value < 0 ? -1 : 0;
}

/** Limits to 0…1; NaN becomes 0. */
function unit(value: number): number {
  if (value > 0 && value < 1) return value;
  return value >= 1 ? 1 : 0;
}
