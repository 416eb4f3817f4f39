/**
 * What virtual positions cost: N open ones on 200 symbols, one tick per symbol and second, through the core's own `step`,
 * beside the plain way (every position looks at every price). Before anything is timed, both must find the same hits.
 *
 *   bun bench/core/virtual-positions.ts [positions=10000] [seconds=600]
 */
import type { Candidate } from "../../src/core/candidate.ts";
import type { Effect } from "../../src/core/effects.ts";
import type { TickEvent } from "../../src/core/events.ts";
import { USDT } from "../../src/core/instrument.ts";
import { createState } from "../../src/core/state.ts";
import { step } from "../../src/core/step.ts";
import { Random } from "../../src/market/random.ts";

const SYMBOLS = 200;
const POSITIONS = Number(process.argv[2] ?? 10_000);
const SECONDS = Number(process.argv[3] ?? 600);
const START = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;
/** A walk of about three basis points per second, and plans of 0.1 to 4 %: some tens end every second at first. */
const PRICE = 100_000;
const SIGMA = 30;

const instruments = Array.from({ length: SYMBOLS }, (_, index) => ({
  symbol: `S${String(index).padStart(3, "0")}USDT`,
  tickUnits: 1,
  priceDecimals: 2,
  lotUnits: 1,
  quantityDecimals: 3,
  unitValue: 1000,
  minLots: 1,
  maxLots: 1_000_000,
  minNotional: 5 * USDT,
  maxLeverage: 20,
}));

function newCore() {
  const state = createState({
    instruments,
    balance: 10_000 * USDT,
    tradeFrom: 0,
    cycleInterval: 60_000,
    minConfidence: 0,
    maxSignals: 0,
    maxPositions: 0,
    baseLeverage: 3,
    baseMarginFraction: 0.1,
    entry: { order: "market", limitOffset: 0, limitTime: 60_000, postOnly: false, maxSlippage: 0 },
    protectionTimeout: 5000,
    life: {
      breakEvenAt: 0,
      trailFrom: 0,
      trailDistance: 1,
      partialAt: 0,
      partialShare: 0.5,
      maxHolding: 0,
      exitRegimes: [],
      virtualMaxHolding: 24 * HOUR,
      smartMonitoring: true,
      cycle: 10_000,
    },
    risk: {
      losses: [9, 9, 9],
      pause: 0,
      drawdown: [1, 1, 1, 1],
      winRate: [0, 0],
      window: 50,
      minTrades: 20,
      hysteresis: 0.2,
      recovery: 0,
    },
    dayStart: 0,
    guards: [],
  });
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    step(state, { kind: "listing", time: START, symbol, listed: true }, []);
  }
  return state;
}

/** The market and the signals, the same for both ways. */
const random = new Random(7);
const ticks: TickEvent[][] = [];
const last = new Array<number>(SYMBOLS).fill(PRICE);
for (let second = 1; second <= SECONDS; second++) {
  const row: TickEvent[] = [];
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    const first = last[symbol]!;
    const at = first + Math.round((random.uniform() + random.uniform() + random.uniform() - 1.5) * 2 * SIGMA);
    const high = (first > at ? first : at) + Math.floor(random.uniform() * SIGMA);
    const low = (first < at ? first : at) - Math.floor(random.uniform() * SIGMA);
    row.push({ kind: "tick", time: START + second * 1000, symbol, first, high, low, last: at });
    last[symbol] = at;
  }
  ticks.push(row);
}
const perSymbol = Math.ceil(POSITIONS / SYMBOLS);
const signals: Candidate[] = [];
for (let i = 0; i < POSITIONS; i++) {
  const symbol = i % SYMBOLS;
  const direction = random.uniform() < 0.5 ? 1 : -1;
  const stop = PRICE - direction * Math.round(PRICE * (0.001 + 0.02 * random.uniform()));
  const target = PRICE + direction * Math.round(PRICE * (0.002 + 0.04 * random.uniform()));
  const setup = `setup ${Math.floor(i / SYMBOLS)}`;
  const plan = { entry: PRICE, stop, target, confidence: 0.5, scores: {}, reasons: [] };
  signals.push({ symbol, strategy: "bench", setup, direction, ...plan });
}

/** All positions open at START, through the core. */
function opened() {
  const state = newCore();
  const out: Effect[] = [];
  const bars = (time: number) => {
    for (let symbol = 0; symbol < SYMBOLS; symbol++) {
      const prices = { open: PRICE, high: PRICE, low: PRICE, close: PRICE, volume: 1, flat: false };
      step(state, { kind: "bar", time, symbol, ...prices }, out);
    }
  };
  bars(START - 60_000);
  for (const signal of signals) state.virtual.signal(signal, START - 60_000);
  bars(START);
  if (state.virtual.open !== POSITIONS) throw new Error(`${state.virtual.open} of ${POSITIONS} are open`);
  return state;
}

/** Hits as "id exitTime exit outcome", and how long it took. */
function byCore(): { readonly hits: string[]; readonly ms: number; readonly marked: number; readonly open: number } {
  const state = opened();
  const hits: string[] = [];
  const out: Effect[] = [];
  const begun = performance.now();
  for (const row of ticks) {
    for (const tick of row) {
      out.length = 0;
      step(state, tick, out);
      for (const effect of out) {
        if (effect.kind !== "record" || effect.record.kind !== "virtual-closed") continue;
        const { id, exitTime, exit, outcome } = effect.record.trade;
        hits.push(`${id} ${exitTime} ${exit} ${outcome}`);
      }
    }
  }
  const ms = performance.now() - begun;
  const broken = state.virtual.check();
  if (broken.length > 0) throw new Error(broken.join("; "));
  return { hits, ms, marked: state.virtual.statistics.marked, open: state.virtual.open };
}

function byBruteForce(): { readonly hits: string[]; readonly ms: number } {
  const live = Array.from({ length: SYMBOLS }, () => [] as { id: number; plan: Candidate }[]);
  signals.forEach((plan, index) => {
    live[plan.symbol]!.push({ id: index + 1, plan });
  });
  const hits: string[] = [];
  const begun = performance.now();
  for (const row of ticks) {
    for (const { symbol, time, first, high, low } of row) {
      live[symbol] = live[symbol]!.filter(({ id, plan }) => {
        const { direction, stop, target } = plan;
        if (direction === 1 ? low <= stop : high >= stop) {
          const exit = direction * (first - stop) < 0 ? first : stop;
          hits.push(`${id} ${time} ${exit} stop-hit`);
          return false;
        }
        if (direction === 1 ? high > target : low < target) {
          hits.push(`${id} ${time} ${target} target-hit`);
          return false;
        }
        return true;
      });
    }
  }
  return { hits, ms: performance.now() - begun };
}

const expected = byBruteForce().hits.toSorted();
const found = byCore().hits.toSorted();
const same = expected.length === found.length && expected.every((hit, index) => hit === found[index]);
if (!same) throw new Error(`the hits differ: ${found.length} by the core, ${expected.length} by brute force`);
console.log(`${POSITIONS} positions, ${perSymbol} on each of ${SYMBOLS} symbols, ${SECONDS} s of 1 s ticks`);
console.log(`${found.length} hits, the same by brute force; none missed, none invented`);

const rounds = Array.from({ length: 5 }, () => ({ core: byCore(), brute: byBruteForce() }));
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const core = median(rounds.map((round) => round.core.ms));
const brute = median(rounds.map((round) => round.brute.ms));
const { marked, open } = rounds[0]!.core;
console.log(`core, with scoring (${marked} marks, ${open} open at the end): ${share(core)} of one core`);
console.log(`  ${((core * 1e6) / (SECONDS * SYMBOLS)).toFixed(0)} ns per tick`);
console.log(`brute force, hits only: ${share(brute)} of one core`);

Bun.gc(true);
const before = process.memoryUsage();
const held = opened();
Bun.gc(true);
const after = process.memoryUsage();
const bytes = after.heapUsed + after.external - before.heapUsed - before.external;
console.log(`memory: ${(bytes / 1e6).toFixed(1)} MB for ${held.virtual.open} positions (signals not counted)`);

function share(ms: number): string {
  return `${((ms / (SECONDS * 1000)) * 100).toFixed(3)} %`;
}
