import { loadSettings } from "../../src/config/load.ts";
import type { Candidate, Regime } from "../../src/core/candidate.ts";
import type { AnalysisEvent, Command, CommandEvent } from "../../src/core/events.ts";
import { type Instrument, USDT } from "../../src/core/instrument.ts";
import type { CoreConfig } from "../../src/core/state.ts";
import { createSimulatedExchange, type SimulatedExchange } from "../../src/exchange/simulated/exchange.ts";
import { ABSENT, type BarSource, type BarStep, FLAT, REAL } from "../../src/market/bar-source.ts";
import { Random } from "../../src/market/random.ts";
import { coreConfig } from "../../src/service/assembly.ts";
import { CALM, type Climate, drawClimate } from "./climate.ts";

/** The bounds that guards were given; the auditor checks entries against these and nothing else. */
export interface Limits {
  readonly maxPositions: number;
  readonly maxLeverage: number;
  readonly maxMarginFraction: number;
  readonly maxExposure: number;
  readonly dailyLossLimit: number;
}

/** A process that dies while it works on its `event`th event: before the core saw it, or with `effects` of it done. */
export interface Crash {
  readonly event: number;
  /** Effects that were journaled; -1: the event itself is the last thing in the journal. */
  readonly effects: number;
  /** Whether the last journaled effect had also left. */
  readonly performed: boolean;
  /** How long nobody is there, ms. */
  readonly downtime: number;
}

/** Everything that happens to a trader, drawn from one seed. Nothing in it depends on what the trader does. */
export interface World {
  readonly seed: number;
  readonly config: CoreConfig;
  readonly limits: Limits;
  readonly climate: Climate;
  readonly commands: readonly CommandEvent[];
  readonly crashes: readonly Crash[];
  /** From here on no process dies, so that everything can come to rest. */
  readonly restsFrom: number;
  /** When the last bar closes. */
  readonly end: number;
  /** A fresh exchange on the same bars. */
  open(): SimulatedExchange;
  /** What strategies make of a cycle, given the last prices that were heard of (0: none yet). */
  analyse(cycle: number, prices: readonly number[]): AnalysisEvent;
}

/** Time at the end without weather, commands or candidates, in which everything must come to rest. */
const REST = 20 * 60_000;
const BARS = 140;
/** An hour before midnight, so that the day changes on the way. */
const START = Date.UTC(2025, 5, 1, 23);

/** One tick of one lot is 1e-4 USDT: a lot at 10 000 ticks is worth 1 USDT. Lots are thousandths of a base unit. */
function instrument(index: number): Instrument {
  return {
    symbol: `S${index}USDT`,
    tickUnits: 1,
    priceDecimals: 1,
    lotUnits: 1,
    quantityDecimals: 3,
    unitValue: 10_000,
    minLots: 1,
    maxLots: 1_000_000,
    minNotional: 5 * USDT,
    maxLeverage: 20,
  };
}

/** The streams of one seed. */
const MARKET = 1;
const OPERATOR = 2;
const SETTINGS = 3;
const PROCESS = 4;
const ENTRIES = 20;
/** Cycles have a stream each, so that an analysis asked for twice is the same. */
const FIRST_CYCLE = 1000;

export interface WorldOptions {
  /** Whether the seed's weather, crashes and commands are left out. */
  readonly calm?: boolean;
  /** Whether the seed also says how positions are entered; otherwise at market. */
  readonly entries?: "drawn" | "market";
}

/** Settings of how positions are entered: at market in every third world. */
function entrySettings(random: Random, timeframe: number): string[] {
  const order = (["market", "limit-first", "limit-first", "limit-first", "limit-only", "market"] as const)[
    random.whole(0, 5)
  ]!;
  // Less than a bar, some bars, and in between.
  const seconds = Math.ceil((timeframe / 1000) * random.between(0.05, 4));
  return [
    `ENTRY_ORDER=${order}`,
    `ENTRY_LIMIT_OFFSET_BPS=${random.chance(0.3) ? 0 : random.between(0, 60).toFixed(2)}`,
    `ENTRY_LIMIT_SECONDS=${seconds}`,
    `ENTRY_POST_ONLY=${random.chance(0.4)}`,
    `ENTRY_MAX_SLIPPAGE_BPS=${random.chance(0.5) ? 0 : random.between(1, 100).toFixed(2)}`,
  ];
}

export function createWorld(seed: number, { calm = false, entries = "drawn" }: WorldOptions = {}): World {
  const random = new Random(seed, SETTINGS);
  const symbols = random.whole(1, 4);
  const timeframe = random.chance(0.25) ? 5_000 : 60_000;
  const limits: Limits = {
    maxPositions: random.whole(1, symbols + 1),
    maxLeverage: 10,
    maxMarginFraction: 0.2,
    maxExposure: random.between(0.5, 3),
    dailyLossLimit: random.between(0.02, 0.2),
  };
  const instruments = Array.from({ length: symbols }, (_, index) => instrument(index));
  const { settings } = loadSettings({}, [
    `CYCLE_INTERVAL=${timeframe / 1000}`,
    `MAX_SIGNALS=${random.whole(1, 3)}`,
    `MAX_POSITIONS=${limits.maxPositions}`,
    `BASE_LEVERAGE=${random.whole(2, 8)}`,
    "MIN_LEVERAGE=1",
    `MAX_LEVERAGE=${limits.maxLeverage}`,
    "BASE_MARGIN_PCT=0.1",
    "MIN_MARGIN_PCT=0.005",
    `MAX_MARGIN_PCT=${limits.maxMarginFraction}`,
    `MAX_EXPOSURE_RATIO=${limits.maxExposure}`,
    `DAILY_LOSS_LIMIT_PCT=${limits.dailyLossLimit}`,
    ...(entries === "drawn" ? entrySettings(new Random(seed, ENTRIES), timeframe) : []),
  ]);
  const balance = Math.round(settings.DEFAULT_ACCOUNT_BALANCE * USDT);
  const rate = random.between(0.02, 0.4);
  const stopReach = random.between(0.004, 0.06);
  const rest = START + BARS * timeframe;
  const options = {
    balance,
    takerFee: 0.0005,
    makerFee: 0.0002,
    spreadBps: random.between(0, 5),
    slippageBps: random.between(0, 20),
    volumeShare: random.between(0.02, 1),
    fundingOn: true,
    leverage: 3,
  };
  return {
    seed,
    limits,
    config: coreConfig(settings, instruments, 0),
    climate: calm ? CALM : drawClimate(new Random(seed, PROCESS), START, rest),
    commands: calm ? [] : commandsOf(new Random(seed, OPERATOR), timeframe),
    crashes: calm ? [] : crashesOf(new Random(seed, PROCESS + 1)),
    restsFrom: calm ? Number.POSITIVE_INFINITY : rest,
    end: rest + REST,
    open: () => createSimulatedExchange(new InventedMarket(seed, instruments, timeframe), options),
    analyse(cycle, prices) {
      const draw = new Random(seed, FIRST_CYCLE + (cycle - START) / timeframe);
      const candidates: Candidate[] = [];
      const regimes: Regime[] = prices.map(() => (draw.chance(0.8) ? "trending" : "strong_trending"));
      prices.forEach((price, symbol) => {
        const wanted = draw.chance(rate);
        const direction = draw.chance(0.5) ? 1 : -1;
        const [stop, target] = [draw.between(0.001, stopReach), draw.between(0.001, stopReach)];
        const confidence = draw.between(0.2, 1);
        if (!wanted || price === 0 || cycle >= rest) return;
        candidates.push({
          symbol,
          strategy: "drawn",
          setup: "drawn",
          direction,
          entry: price,
          stop: price - direction * (1 + Math.floor(price * stop)),
          target: price + direction * (1 + Math.floor(price * target)),
          confidence,
          scores: {},
          reasons: [],
        });
      });
      return { kind: "analysis", time: cycle, symbol: -1, cycle, regimes, candidates };
    },
  };
}

function commandsOf(random: Random, timeframe: number): CommandEvent[] {
  if (random.chance(0.3)) return [];
  const commands: CommandEvent[] = [];
  const kinds: readonly Command[] = ["pause", "reduce-only", "flatten", "flatten", "halt"];
  for (let bar = random.whole(2, 60); bar < BARS; bar += random.whole(2, 60)) {
    // Often right after a close, when entries are on their way.
    const time = START + bar * timeframe + (random.chance(0.5) ? random.whole(0, 20) : random.whole(0, timeframe - 1));
    commands.push({ kind: "command", time, symbol: -1, command: kinds[random.whole(0, kinds.length - 1)]! });
    const resumed = time + random.whole(0, 10) * timeframe;
    commands.push({ kind: "command", time: resumed, symbol: -1, command: "resume" });
  }
  return commands.sort((a, b) => a.time - b.time);
}

function crashesOf(random: Random): Crash[] {
  const crashes: Crash[] = [];
  const rare = random.whole(20, 400);
  for (let event = random.whole(1, rare); event < 5000; event += random.whole(1, rare)) {
    crashes.push({
      event,
      effects: random.whole(-1, 4),
      performed: random.chance(0.5),
      downtime: random.chance(0.6) ? random.whole(0, 3_000) : random.whole(0, 200_000),
    });
  }
  return crashes;
}

/** A market without sense: it walks, jumps, thins out, stands still, goes away and comes back. */
class InventedMarket implements BarSource {
  readonly instruments: readonly Instrument[];
  readonly timeframe: number;
  readonly start = START;
  readonly steps: number;
  readonly bars = Number.POSITIVE_INFINITY;
  readonly dataHash: string;
  readonly assumptions: readonly string[] = [];
  readonly #random: Random;
  readonly #character: { width: number; jump: number; thin: number; flat: number; leave: number; funding: number };
  readonly #last: number[];
  readonly #listed: boolean[];
  readonly #away: number[];
  #next = 0;

  constructor(seed: number, instruments: readonly Instrument[], timeframe: number) {
    const random = new Random(seed, MARKET);
    this.#random = random;
    this.instruments = instruments;
    this.timeframe = timeframe;
    this.steps = BARS + REST / timeframe;
    this.dataHash = `invented ${seed}`;
    this.#character = {
      width: random.between(0.001, 0.02),
      jump: random.chance(0.5) ? 0 : random.between(0, 0.1),
      thin: random.chance(0.5) ? 0 : random.between(0, 0.4),
      flat: random.chance(0.5) ? 0 : random.between(0, 0.1),
      leave: random.chance(0.5) ? 0 : random.between(0, 0.02),
      funding: random.chance(0.2) ? 0 : random.between(0, 0.05),
    };
    this.#last = instruments.map(() => random.whole(2_000, 20_000));
    this.#listed = instruments.map(() => false);
    this.#away = instruments.map(() => (random.chance(0.2) ? random.whole(1, 40) : 0));
  }

  step(): BarStep | undefined {
    if (this.#next >= this.steps) return undefined;
    const count = this.instruments.length;
    const rest = this.#next >= BARS;
    const openTime = this.start + this.#next++ * this.timeframe;
    const column = () => new Float64Array(count);
    const step: BarStep = {
      openTime,
      status: new Uint8Array(count),
      open: column(),
      high: column(),
      low: column(),
      close: column(),
      volume: column(),
      listed: [],
      delisted: [],
      funding: [],
    };
    for (let symbol = 0; symbol < count; symbol++) this.#bar(step, symbol, rest);
    return step;
  }

  #bar(step: BarStep, symbol: number, rest: boolean): void {
    const random = this.#random;
    const { width, jump, thin, flat, leave, funding } = this.#character;
    if (!rest && random.chance(funding)) {
      const inside = random.chance(0.5) ? 0 : random.whole(0, this.timeframe - 1);
      const time = step.openTime + inside;
      step.funding.push({ time, symbol, rate: random.whole(-100_000, 100_000), mark: random.chance(0.5) ? 0 : 9_000 });
    }
    if (!rest && this.#listed[symbol] && random.chance(leave)) this.#away[symbol] = random.whole(1, 20);
    if (this.#away[symbol]! > 0) {
      this.#away[symbol] = this.#away[symbol]! - 1;
      step.status[symbol] = ABSENT;
      if (this.#listed[symbol]) step.delisted.push(symbol);
      this.#listed[symbol] = false;
      return;
    }
    if (!this.#listed[symbol]) step.listed.push(symbol);
    else if (!rest && random.chance(flat)) return this.#row(step, symbol, FLAT, [0, 0, 0, 0], 0);
    this.#listed[symbol] = true;
    const move = (reach: number) => Math.round(this.#last[symbol]! * random.between(-reach, reach));
    const jumped = !rest && random.chance(jump) ? move(0.25) : random.chance(0.3) ? move(width / 4) : 0;
    const within = (price: number) => (price < 500 ? 500 : price > 90_000 ? 90_000 : price);
    const open = within(this.#last[symbol]! + jumped);
    const close = within(open + move(rest ? 0.001 : width));
    const wick = () => Math.abs(move(rest ? 0.0005 : width / 2));
    const high = (open > close ? open : close) + wick();
    const low = within((open < close ? open : close) - wick());
    const volume = rest ? 10_000 : random.chance(thin) ? random.between(0, 1) : random.between(1, 500);
    this.#row(step, symbol, REAL, [open, high, low, close], volume);
  }

  #row(step: BarStep, symbol: number, status: number, prices: readonly number[], volume: number): void {
    const last = this.#last[symbol]!;
    const [open, high, low, close] = status === FLAT ? [last, last, last, last] : prices;
    step.status[symbol] = status;
    step.open[symbol] = open!;
    step.high[symbol] = high!;
    step.low[symbol] = low!;
    step.close[symbol] = close!;
    step.volume[symbol] = volume;
    this.#last[symbol] = close!;
  }
}
