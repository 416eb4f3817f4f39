import { createHash } from "node:crypto";
import { type Instrument, powerOfTen, USDT } from "../core/instrument.ts";
import { ABSENT, type BarSource, type BarStep, REAL } from "./bar-source.ts";
import { Random } from "./random.ts";

export interface GeneratedMarketOptions {
  /** A whole number; the same seed and parameters give the same bars on every machine. */
  readonly seed: number;
  /** Number of symbols, 1 to MOST_GENERATED; 24 by default. */
  readonly symbols?: number | undefined;
  /** ms UTC, a multiple of the timeframe: where trading begins. */
  readonly start: number;
  /** ms, whole minutes up to an hour; 1m by default. */
  readonly timeframe?: number | undefined;
  /** Bars before `start`, to warm up on: the source's first step opens that much earlier. 0 by default. */
  readonly historySteps?: number | undefined;
}

/** Raise when the same seed gives other bars than before. */
const GENERATOR_VERSION = 2;

/** Invented names, so that nobody takes this market for a real one. */
const NAMES = [
  ..."ALDER BASALT BRIAR CHERT CINDER COBBLE DUNLIN FELDSPAR FENNEL GORSE GREYWACKE HAZELNUT".split(" "),
  ..."HERONRY INGOT JUNIPER KESTREL LARCH LICHEN MARLSTONE MULLEIN NETTLE OSPREY PUMICE QUARTZITE".split(" "),
  ..."ROWAN SANDPIPER SHALE SORREL TAMARACK TEASEL THISTLE TURNSTONE UMBER VERVAIN WHIMBREL WILLOW".split(" "),
  ..."YARROW ZINNIA BRACKEN CURLEW DOLERITE GABBRO HORNBEAM LAPWING MARJORAM PLOVER SCHIST TORMENTIL".split(" "),
];

/** Names beyond the invented ones are those with a number in front, as exchanges have them: 2ALDER. */
export const MOST_GENERATED = 5 * NAMES.length;

const MINUTE = 60_000;
const FUNDING_INTERVAL = 8 * 60 * MINUTE;
/** Everyone's rate when nobody leans either way: 0.01 % in 1e-8. */
const FUNDING_BASE = 10_000;
const FUNDING_BOUND = 300_000;

/** Regimes of an hour or so to half a day: how wide the moves are and which way impulses tend to go. */
interface Regime {
  /** Times the symbol's volatility. */
  readonly volatility: number;
  /** Chance that an impulse starts at the end of a rest. */
  readonly impulse: number;
  /** Chance that an impulse goes up; undefined: against the one before, as in a range. */
  readonly up: number | undefined;
}

/** Ups and downs mirror each other and are drawn equally often: the market as a whole goes nowhere. */
const REGIMES: readonly Regime[] = [
  { volatility: 1, impulse: 0.6, up: 0.65 },
  { volatility: 1, impulse: 0.6, up: 0.35 },
  { volatility: 0.8, impulse: 0.35, up: undefined },
  { volatility: 0.45, impulse: 0.1, up: 0.5 },
  { volatility: 2.2, impulse: 0.5, up: 0.5 },
];

/**
 * Volatility clusters: the variance follows the last squared moves and falls back to 1 (GARCH(1,1), Bollerslev 1986).
 * The weights are those that minute bars of large perpetuals show roughly: shocks of which half is left after an hour.
 */
const SHOCK = 0.06;
const MEMORY = 0.93;
const LARGEST_VARIANCE = 9;
/** One shock in so many minutes is this much larger: what makes the tails fat. */
const JUMP_CHANCE = 1 / 400;
const JUMP = 4;

/** A crash: the whole market falls (or, more rarely, squeezes up) for some minutes, and takes part of it back. */
const CRASH_CHANCE = 1 / 7200;
/** Moves per minute of the shared factor while it lasts, and how much busier trading is. */
const CRASH_MOVE = 0.006;
const CRASH_ACTIVITY = 6;

/** Share of symbols that come and go; the others are there from beginning to end. */
const FLEETING = 0.2;
const LISTED_DAYS = 12;
const DELISTED_DAYS = 3;

/** Beyond this multiple of its first price (or below the inverse) a walk's next impulses lead back. */
const REACH = 3;
/** A walk moves at most this much in a minute, whatever the draws. */
const LARGEST_MOVE = 0.05;

/**
 * The random walk behind a symbol, or behind the factor that all share. It rests, breaks out of the rest in a fast
 * impulse that leaves gaps, and gives part of the impulse back: the shapes that price-action strategies look for, in
 * either direction, with no promise of what follows.
 */
class Walk {
  /** Relative to the first price. */
  level = 1;
  /** Of the last minute. */
  move = 0;
  /** How busy trading is, 1 in a rest. */
  activity = 1;
  /** Share of a bar's range that is wick; small in impulses. */
  wick = 1;
  readonly #random: Random;
  /** Standard deviation of a minute's return. */
  readonly #volatility: number;
  #regime = REGIMES[3]!;
  #regimeLeft = 0;
  #phase: "rest" | "impulse" | "retracement" = "rest";
  #phaseLeft = 0;
  #drift = 0;
  #direction = 1;
  #impulseReturn = 0;
  /** Variance of the noise relative to its long run, and its root. */
  #variance = 1;
  /** How wide moves are at the moment, 1 in the long run; volume goes with it. */
  heat = 1;

  constructor(random: Random, volatility: number) {
    this.#random = random;
    this.#volatility = volatility;
  }

  minute(): void {
    if (this.#regimeLeft-- <= 0) {
      this.#regime = REGIMES[this.#random.whole(0, REGIMES.length - 1)]!;
      this.#regimeLeft = this.#random.whole(90, 720);
    }
    if (this.#phaseLeft-- <= 0) this.#nextPhase();
    const spread = this.#volatility * this.#regime.volatility;
    const noise = this.#phase === "impulse" ? 0.7 : this.#phase === "rest" ? 0.6 : 0.8;
    const jump = this.#random.chance(JUMP_CHANCE) ? JUMP : 1;
    const shock = this.heat * this.#random.normal() * jump;
    const variance = 1 - SHOCK - MEMORY + SHOCK * shock * shock + MEMORY * this.#variance;
    this.#variance = variance > LARGEST_VARIANCE ? LARGEST_VARIANCE : variance;
    this.heat = Math.sqrt(this.#variance);
    const move = spread * (this.#drift + noise * shock);
    this.move = move > LARGEST_MOVE ? LARGEST_MOVE : move < -LARGEST_MOVE ? -LARGEST_MOVE : move;
    if (this.#phase === "impulse") this.#impulseReturn += this.move;
    this.level *= 1 + this.move;
  }

  #nextPhase(): void {
    const random = this.#random;
    if (this.#phase === "impulse") {
      // Gives back a third to two thirds of the impulse, slower than it came.
      this.#phase = "retracement";
      this.#phaseLeft = random.whole(25, 90);
      const spread = this.#volatility * this.#regime.volatility;
      const back = -this.#impulseReturn * random.between(0.33, 0.67);
      this.#drift = back / (this.#phaseLeft + 1) / spread;
      this.activity = 1.2;
      this.wick = 1;
      return;
    }
    if (random.chance(this.#regime.impulse)) {
      this.#phase = "impulse";
      this.#phaseLeft = random.whole(12, 35);
      this.#direction = this.#impulseDirection();
      this.#drift = this.#direction * random.between(0.8, 1.5);
      this.#impulseReturn = 0;
      this.activity = random.between(2.5, 5);
      this.wick = 0.35;
      return;
    }
    this.#phase = "rest";
    this.#phaseLeft = random.whole(30, 150);
    this.#drift = 0;
    this.activity = 1;
    this.wick = 1;
  }

  #impulseDirection(): number {
    const up = this.#random.chance(this.#regime.up ?? (this.#direction > 0 ? 0.25 : 0.75)) ? 1 : -1;
    if (this.level > REACH) return -1;
    if (this.level < 1 / REACH) return 1;
    return up;
  }
}

interface GeneratedSymbol {
  readonly random: Random;
  readonly walk: Walk;
  /** How strongly the shared factor moves it. */
  readonly beta: number;
  /** Ticks at level 1. */
  readonly firstTicks: number;
  /** The largest wick of an ordinary minute, as a fraction of the price. */
  readonly wick: number;
  /** USDT traded in a quiet minute. */
  readonly turnover: number;
  /** Ticks, not rounded. */
  price: number;
  /** Exponential mean of the price over about eight hours, for funding. */
  mean: number;
  /** The last close, whole ticks. */
  close: number;
  /** Whether it is traded, and for how many minutes that stays so: Infinity for most symbols. */
  listed: boolean;
  minutesLeft: number;
}

/** A fall that all symbols take part in, and the recovery after it. */
class Crash {
  /** Added to the shared factor's move of this minute. */
  move = 0;
  active = false;
  readonly #random: Random;
  #left = 0;
  #perMinute = 0;
  #recovery = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  minute(): void {
    const random = this.#random;
    if (this.#left > 0) this.#left--;
    else if (this.#recovery > 0) {
      this.#left = this.#recovery;
      this.#recovery = 0;
      this.#perMinute *= -random.between(0.1, 0.25);
    } else {
      this.#perMinute = 0;
      if (random.chance(CRASH_CHANCE)) {
        this.#left = random.whole(8, 25);
        this.#recovery = random.whole(20, 60);
        this.#perMinute = (random.chance(0.75) ? -1 : 1) * CRASH_MOVE * random.between(0.5, 1.5);
      }
    }
    this.active = this.#perMinute !== 0;
    this.move = this.active ? this.#perMinute * random.between(0.4, 1.6) : 0;
  }
}

/**
 * An endless made-up market: regimes that persist and switch, volatility that clusters and has fat tails, one factor
 * that all symbols share, crashes of that factor, volume that grows with volatility and the size of the move, symbols
 * that are listed and delisted, funding every 8 hours that follows the trend, and a mark price that knows no wicks.
 * Nothing in it is meant to be profitable: what an impulse leads to is drawn with even odds over the regimes.
 *
 * @throws RangeError when a parameter is out of its range
 */
export function generateMarket(options: GeneratedMarketOptions): BarSource {
  const { seed, symbols = 24, start, timeframe = MINUTE, historySteps = 0 } = options;
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed ${seed} is not a whole number`);
  if (!(Number.isInteger(symbols) && symbols >= 1 && symbols <= MOST_GENERATED)) {
    throw new RangeError(`${symbols} symbols: 1 to ${MOST_GENERATED} can be generated`);
  }
  if (!(timeframe > 0 && timeframe % MINUTE === 0 && (60 * MINUTE) % timeframe === 0)) {
    throw new RangeError(`timeframe ${timeframe} ms does not divide an hour into whole minutes`);
  }
  if (!(Number.isSafeInteger(start) && start % timeframe === 0)) {
    throw new RangeError(`start ${start} is not a multiple of the timeframe`);
  }
  if (!(Number.isInteger(historySteps) && historySteps >= 0 && historySteps * timeframe <= start)) {
    throw new RangeError(`${historySteps} steps of history`);
  }
  return new GeneratedBars(seed, symbols, timeframe, start - historySteps * timeframe);
}

function nameOf(index: number): string {
  const round = Math.floor(index / NAMES.length);
  return `${round === 0 ? "" : round + 1}${NAMES[index % NAMES.length]}`;
}

/** The stream of random numbers of a symbol. Two behind those of the invented names belong to the market as a whole. */
function streamOf(index: number): number {
  return index < NAMES.length ? index + 1 : index + 3;
}

class GeneratedBars implements BarSource {
  readonly instruments: readonly Instrument[];
  readonly timeframe: number;
  readonly start: number;
  readonly steps = Number.POSITIVE_INFINITY;
  readonly bars = Number.POSITIVE_INFINITY;
  readonly dataHash: string;
  readonly assumptions: readonly string[];
  readonly mark = "generated, the fair price without the wicks of single trades";
  readonly #factor: Walk;
  readonly #crash: Crash;
  readonly #lifetimes: Random;
  readonly #symbols: readonly GeneratedSymbol[];
  readonly #step: BarStep;
  #stepsDone = 0;

  constructor(seed: number, count: number, timeframe: number, start: number) {
    this.timeframe = timeframe;
    this.start = start;
    const names = Array.from({ length: count }, (_, index) => nameOf(index)).sort();
    this.#factor = new Walk(new Random(seed, 0), 0.0005);
    this.#crash = new Crash(new Random(seed, NAMES.length + 1));
    this.#lifetimes = new Random(seed, NAMES.length + 2);
    const made = names.map((name, index) => makeSymbol(name, new Random(seed, streamOf(index))));
    this.instruments = made.map(({ instrument }) => instrument);
    this.#symbols = made.map(({ symbol }) => symbol);
    const identity = { generator: GENERATOR_VERSION, seed, count, timeframe, start };
    this.dataHash = createHash("sha256").update(JSON.stringify(identity)).digest("hex");
    this.assumptions = [`Market: generated from seed ${seed}; its symbols, prices, rules and funding are invented.`];
    this.#step = {
      openTime: start,
      status: new Uint8Array(count).fill(REAL),
      open: new Float64Array(count),
      high: new Float64Array(count),
      low: new Float64Array(count),
      close: new Float64Array(count),
      volume: new Float64Array(count),
      mark: {
        open: new Float64Array(count),
        high: new Float64Array(count),
        low: new Float64Array(count),
        close: new Float64Array(count),
      },
      listed: names.map((_, index) => index),
      delisted: [],
      funding: [],
    };
    // The first symbol stays, so that there always is a market.
    for (const symbol of this.#symbols.slice(1)) {
      if (this.#lifetimes.chance(FLEETING)) symbol.minutesLeft = this.#lifetime(LISTED_DAYS);
    }
  }

  step(): BarStep {
    const step = this.#step;
    step.openTime = this.start + this.#stepsDone * this.timeframe;
    if (this.#stepsDone > 0) this.#changeListings();
    this.#stepsDone++;
    this.#fund();
    step.volume.fill(0);
    for (let minute = 0; minute < this.timeframe / MINUTE; minute++) {
      this.#factor.minute();
      this.#crash.minute();
      for (let index = 0; index < this.#symbols.length; index++) this.#minute(index, minute === 0);
    }
    return step;
  }

  /** Half to one and a half times so many days, in minutes. */
  #lifetime(days: number): number {
    return this.#lifetimes.whole(days * 720, days * 2160);
  }

  /** Symbols leave and come back at the open of a step, never inside of one. */
  #changeListings(): void {
    const { status, listed, delisted } = this.#step;
    listed.length = 0;
    delisted.length = 0;
    for (let index = 0; index < this.#symbols.length; index++) {
      const symbol = this.#symbols[index]!;
      symbol.minutesLeft -= this.timeframe / MINUTE;
      if (symbol.minutesLeft > 0) continue;
      symbol.listed = !symbol.listed;
      symbol.minutesLeft = this.#lifetime(symbol.listed ? LISTED_DAYS : DELISTED_DAYS);
      status[index] = symbol.listed ? REAL : ABSENT;
      (symbol.listed ? listed : delisted).push(index);
    }
  }

  /** Rates are set before the step's bars exist: by the trend as known at its open. */
  #fund(): void {
    const { funding, openTime } = this.#step;
    funding.length = 0;
    if (openTime % FUNDING_INTERVAL !== 0 || this.#stepsDone === 1) return;
    for (let index = 0; index < this.#symbols.length; index++) {
      const { price, mean, listed } = this.#symbols[index]!;
      if (!listed) continue;
      const rate = Math.round(FUNDING_BASE + (price / mean - 1) * 1_000_000);
      const bounded = rate > FUNDING_BOUND ? FUNDING_BOUND : rate < -FUNDING_BOUND ? -FUNDING_BOUND : rate;
      funding.push({ time: openTime, symbol: index, rate: bounded, mark: 0 });
    }
  }

  /** Extends the step's bar of one symbol by a minute. */
  #minute(index: number, first: boolean): void {
    const step = this.#step;
    const symbol = this.#symbols[index]!;
    const { random, walk } = symbol;
    const mark = step.mark!;
    walk.minute();
    const shared = symbol.beta * (this.#factor.move + this.#crash.move);
    symbol.price *= (1 + walk.move) * (1 + shared);
    // The factor wanders too; the bound on the sum keeps every price within its decimals.
    const least = symbol.firstTicks / (REACH * REACH * 4);
    const most = symbol.firstTicks * REACH * REACH * 4;
    if (symbol.price < least) symbol.price = least;
    if (symbol.price > most) symbol.price = most;
    symbol.mean += (symbol.price - symbol.mean) / 480;

    const open = symbol.close;
    const close = Math.round(symbol.price);
    const reach = symbol.price * symbol.wick * walk.wick;
    const above = Math.round(reach * random.uniform() * random.uniform());
    const below = Math.round(reach * random.uniform() * random.uniform());
    const top = open > close ? open : close;
    const bottom = open < close ? open : close;
    const high = top + above;
    const lowest = bottom - below;
    const low = lowest > 1 ? lowest : 1;
    symbol.close = close;

    const size = walk.move + shared;
    const effort = 0.4 + random.uniform() + ((size < 0 ? -size : size) / symbol.wick) * 5;
    const instrument = this.instruments[index]!;
    const busy = walk.activity * walk.heat * (this.#crash.active ? CRASH_ACTIVITY : 1);
    const lots = Math.round((symbol.turnover * effort * busy * USDT) / (close * instrument.unitValue));
    const volume = lots * instrument.lotUnits;
    if (first) {
      step.open[index] = open;
      step.high[index] = high;
      step.low[index] = low;
      mark.open[index] = open;
      mark.high[index] = top;
      mark.low[index] = bottom;
    } else {
      if (high > step.high[index]!) step.high[index] = high;
      if (low < step.low[index]!) step.low[index] = low;
      if (top > mark.high[index]!) mark.high[index] = top;
      if (bottom < mark.low[index]!) mark.low[index] = bottom;
    }
    mark.close[index] = close;
    step.close[index] = close;
    step.volume[index] = step.volume[index]! + volume / powerOfTen(instrument.quantityDecimals);
  }
}

/** Price, rules and temper of a symbol; the first price is worth 4,000 to 20,000 ticks, like most real contracts. */
function makeSymbol(name: string, random: Random): { instrument: Instrument; symbol: GeneratedSymbol } {
  const priceDecimals = random.whole(1, 5);
  const firstTicks = random.whole(4_000, 20_000);
  const price = firstTicks / powerOfTen(priceDecimals);
  // The largest power of ten worth at most 1 USDT, as most exchanges choose it.
  let quantityDecimals = 0;
  while (price / powerOfTen(quantityDecimals) > 1) quantityDecimals++;
  const volatility = random.between(0.0006, 0.0013);
  return {
    instrument: {
      symbol: `${name}USDT`,
      tickUnits: 1,
      priceDecimals,
      lotUnits: 1,
      quantityDecimals,
      unitValue: powerOfTen(8 - priceDecimals - quantityDecimals),
      minLots: 1,
      maxLots: Math.floor(10_000_000 / (price / powerOfTen(quantityDecimals))),
      minNotional: 5 * USDT,
      maxLeverage: random.chance(0.3) ? 50 : 20,
    },
    symbol: {
      random,
      walk: new Walk(random, volatility),
      beta: random.between(0.5, 1.5),
      firstTicks,
      wick: volatility * 4,
      turnover: random.between(20_000, 400_000),
      price: firstTicks,
      mean: firstTicks,
      close: firstTicks,
      listed: true,
      minutesLeft: Number.POSITIVE_INFINITY,
    },
  };
}
