/**
 * What a step of 147 symbols costs the simulated exchange: with nothing to do, with positions and stops in every
 * tenth symbol, the same under cross margin. The source alone stands beside them. Rounds are interleaved, medians shown.
 * Run: bun bench/exchange/simulated.ts
 */
import type { OrderRequest } from "../../src/core/effects.ts";
import { type Instrument, USDT } from "../../src/core/instrument.ts";
import { createSimulatedExchange } from "../../src/exchange/simulated/exchange.ts";
import { type BarSource, type BarStep, REAL } from "../../src/market/bar-source.ts";
import { Random } from "../../src/market/random.ts";

const SYMBOLS = 147;
const STEPS = 2000;
const ROUNDS = 7;
const EVERY = 10;

/** Bars around a price that goes nowhere: positions stay open, stops stay where they are. */
function source(): BarSource {
  const random = new Random(1);
  const column = (): Float64Array => new Float64Array(SYMBOLS);
  const instruments = Array.from({ length: SYMBOLS }, (_, index): Instrument => {
    return {
      symbol: `S${String(index).padStart(3, "0")}USDT`,
      tickUnits: 1,
      priceDecimals: 2,
      lotUnits: 1,
      quantityDecimals: 0,
      unitValue: USDT / 100,
      minLots: 1,
      maxLots: 1000,
      minNotional: 5 * USDT,
      maxLeverage: 20,
    };
  });
  const step: BarStep = {
    openTime: 0,
    status: new Uint8Array(SYMBOLS).fill(REAL),
    open: column(),
    high: column(),
    low: column(),
    close: column(),
    volume: column().fill(10_000),
    listed: instruments.map((_, index) => index),
    delisted: [],
    funding: [],
  };
  let done = 0;
  return {
    instruments,
    timeframe: 60_000,
    start: 0,
    steps: STEPS,
    bars: STEPS * SYMBOLS,
    dataHash: "",
    assumptions: [],
    step() {
      if (done === STEPS) return undefined;
      if (done > 0) step.listed.length = 0;
      step.openTime = done++ * 60_000;
      for (let symbol = 0; symbol < SYMBOLS; symbol++) {
        const open = random.whole(9_900, 10_100);
        step.open[symbol] = open;
        step.high[symbol] = open + 40;
        step.low[symbol] = open - 40;
        step.close[symbol] = open + 5;
      }
      return step;
    },
  };
}

const order = (id: number, symbol: number, change: Partial<OrderRequest>): OrderRequest => ({
  id,
  symbol,
  leg: "both",
  side: 1,
  type: "market",
  purpose: "entry",
  lots: 10,
  price: 0,
  trigger: 0,
  timeInForce: "gtc",
  reduceOnly: false,
  closePosition: false,
  leverage: 5,
  ...change,
});

/** Microseconds per step. */
function alone(): number {
  const bars = source();
  const begun = performance.now();
  while (bars.step() !== undefined);
  return ((performance.now() - begun) * 1000) / STEPS;
}

function exchange(active: boolean, marginMode: "isolated" | "cross"): number {
  const market = createSimulatedExchange(source(), {
    balance: 1_000_000 * USDT,
    takerFee: 0.0005,
    makerFee: 0.0002,
    spreadBps: 1,
    slippageBps: 1,
    volumeShare: 0.1,
    fundingOn: true,
    leverage: 5,
    marginMode,
  });
  let id = 0;
  let bars = 0;
  const begun = performance.now();
  for (;;) {
    const event = market.next(Number.POSITIVE_INFINITY);
    if (event === undefined) break;
    if (event.kind === "bar") {
      bars++;
      if (active && event.time === 60_000 && event.symbol % EVERY === 0) {
        market.send({ kind: "submit", order: order(++id, event.symbol, {}) }, event.time);
      }
    } else if (event.kind === "fill") {
      const stop = { side: -1 as const, lots: 0, closePosition: true };
      const { symbol, time } = event;
      const below = { ...stop, type: "stop-market" as const, trigger: 9_000 };
      const above = { ...stop, type: "take-profit-market" as const, trigger: 11_000 };
      market.send({ kind: "submit", order: order(++id, symbol, below) }, time);
      market.send({ kind: "submit", order: order(++id, symbol, above) }, time);
    }
  }
  const spent = performance.now() - begun;
  const held = market.positions.filter(({ lots }) => lots !== 0).length;
  if (bars !== STEPS * SYMBOLS || held !== (active ? Math.ceil(SYMBOLS / EVERY) : 0)) {
    throw new Error(`${bars} bars, ${held} positions`);
  }
  return (spent * 1000) / STEPS;
}

const cases: readonly (readonly [name: string, run: () => number])[] = [
  ["source alone", alone],
  ["nothing to do", () => exchange(false, "isolated")],
  ["15 positions, 30 orders, isolated", () => exchange(true, "isolated")],
  ["15 positions, 30 orders, cross", () => exchange(true, "cross")],
];
const times = cases.map(() => [] as number[]);
for (let round = 0; round < ROUNDS; round++) {
  for (const [index, [, run]] of cases.entries()) times[index]!.push(run());
}
for (const [index, [name]] of cases.entries()) {
  const median = times[index]!.sort((a, b) => a - b)[ROUNDS >> 1]!;
  console.log(`${name.padEnd(36)} ${median.toFixed(1)} µs per step of ${SYMBOLS} symbols`);
}
