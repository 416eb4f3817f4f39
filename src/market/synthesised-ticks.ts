import { type Instrument, lotsWithin, USDT } from "../core/instrument.ts";
import { type BarSource, type BarStep, REAL } from "./bar-source.ts";
import type { Contract } from "./contract.ts";
import type { Level, Tick, TickSource } from "./tick-source.ts";

/** Trades that stand for one bar, each with the book before it. */
const TRADES = 20;
/** The first extreme of a bar is traded here, and the second one, as shares of its trades. */
const FIRST_EXTREME = 6;
const SECOND_EXTREME = 13;
const LEVELS = 10;
/** Value that waits at the best price of a synthesised book; each level further away holds as much again. */
const BEST_LEVEL_VALUE = 20_000;

/**
 * Ticks in place of bars: trades that go through every price of a bar that is known (open, one extreme, the other,
 * close), and a book around them. A rising bar falls to its low first, a falling one rises to its high. It is the same
 * for the same bars on every machine; what really happened inside of the bars nobody can know.
 *
 * The volume of a bar is spread over its trades in whole lots. The mark price goes straight from the source's mark at
 * the open to the one at the close (from the traded open to the traded close without marks), so it knows no wicks.
 *
 * @param spread distance of the best prices, basis points; at least a tick
 */
export function synthesiseTicks(source: BarSource, spread: number): TickSource {
  return new SynthesisedTicks(source, spread);
}

class SynthesisedTicks implements TickSource {
  readonly instruments: readonly Instrument[];
  readonly timeframe: number;
  readonly start: number;
  readonly steps: number;
  readonly bars: number;
  readonly dataHash: string;
  readonly assumptions: readonly string[];
  readonly contracts?: readonly Contract[];
  readonly #source: BarSource;
  readonly #spread: number;
  /** Lots at the best price by symbol, from the first price seen; 0 before. */
  readonly #depth: Float64Array;
  /** Steps that the ticks needed before `step` was asked for them, oldest first. */
  readonly #ahead: BarStep[] = [];
  /** The step whose ticks are played. */
  #playing: BarStep | undefined;
  #trade = 0;
  #symbol = 0;
  /** The trade that comes after the book that was given last. */
  #following: Tick | undefined;

  constructor(source: BarSource, spread: number) {
    this.#source = source;
    this.#spread = spread;
    this.instruments = source.instruments;
    this.timeframe = source.timeframe;
    this.start = source.start;
    this.steps = source.steps;
    this.bars = source.bars;
    this.dataHash = source.dataHash;
    this.assumptions = [
      ...source.assumptions,
      `Trades and books: synthesised, ${TRADES} trades per bar through its open, low, high and close.`,
    ];
    if (source.contracts !== undefined) this.contracts = source.contracts;
    this.#depth = new Float64Array(source.instruments.length);
  }

  step(): BarStep | undefined {
    const ahead = this.#ahead.shift();
    if (ahead !== undefined) return ahead;
    const step = this.#read();
    this.#play(step);
    return step;
  }

  tick(): Tick | undefined {
    const following = this.#following;
    if (following !== undefined) {
      this.#following = undefined;
      return following;
    }
    for (;;) {
      const step = this.#playing;
      if (step === undefined || this.#trade === TRADES) {
        const next = this.#read();
        if (next === undefined) return undefined;
        this.#ahead.push(next);
        this.#play(next);
        continue;
      }
      const symbol = this.#symbol++;
      if (symbol === this.instruments.length) {
        this.#symbol = 0;
        this.#trade++;
        continue;
      }
      if (step.status[symbol] === REAL && step.volume[symbol]! > 0) return this.#ticksOf(step, symbol, this.#trade);
    }
  }

  #play(step: BarStep | undefined): void {
    this.#playing = step;
    this.#trade = 0;
    this.#symbol = 0;
  }

  /** A copy: the buffers are the source's, and its next step is read while this one is still played. */
  #read(): BarStep | undefined {
    const step = this.#source.step();
    if (step === undefined) return undefined;
    const { mark } = step;
    return {
      openTime: step.openTime,
      status: step.status.slice(),
      open: step.open.slice(),
      high: step.high.slice(),
      low: step.low.slice(),
      close: step.close.slice(),
      volume: step.volume.slice(),
      listed: [...step.listed],
      delisted: [...step.delisted],
      funding: step.funding.map((funding) => ({ ...funding })),
      ...(mark === undefined
        ? {}
        : {
            mark: {
              open: mark.open.slice(),
              high: mark.high.slice(),
              low: mark.low.slice(),
              close: mark.close.slice(),
            },
          }),
    };
  }

  #ticksOf(step: BarStep, symbol: number, index: number): Tick {
    const count = this.instruments.length;
    const time = step.openTime + Math.floor(((index + symbol / count) * this.timeframe) / TRADES);
    const price = pathOf(step, symbol, index);
    const before = index === 0 ? price : pathOf(step, symbol, index - 1);
    const taker = price > before ? 1 : price < before ? -1 : index % 2 === 0 ? 1 : -1;
    const instrument = this.instruments[symbol]!;
    const total = lotsWithin(instrument, step.volume[symbol]!);
    const share = Math.floor(total / TRADES);
    const lots = index === TRADES - 1 ? total - share * (TRADES - 1) : share;
    const { open, close } = step.mark ?? step;
    const mark = Math.round(open[symbol]! + ((close[symbol]! - open[symbol]!) * index) / (TRADES - 1));
    this.#following = { kind: "trade", time, symbol, price, lots: lots > 0 ? lots : 1, taker, mark };
    return { kind: "book", time, symbol, snapshot: true, ...this.#bookAround(symbol, price, taker) };
  }

  #bookAround(symbol: number, price: number, taker: 1 | -1) {
    if (this.#depth[symbol] === 0) this.#depth[symbol] = depthAt(this.instruments[symbol]!, price);
    return bookAround(price, taker, this.#spread, this.#depth[symbol]!);
  }
}

/** Lots at the best price of a synthesised book. */
export function depthAt({ unitValue }: Instrument, price: number): number {
  return Math.max(1, Math.floor((BEST_LEVEL_VALUE * USDT) / (price * unitValue)));
}

/**
 * The levels around a price that a taker of one side just paid.
 *
 * @param spreadBps distance of the best prices and of the levels behind them, basis points; at least a tick
 * @param depth lots at the best prices
 */
export function bookAround(
  price: number,
  taker: 1 | -1,
  spreadBps: number,
  depth: number,
): { readonly bids: readonly Level[]; readonly asks: readonly Level[] } {
  const spread = Math.max(1, Math.round((price * spreadBps) / 10_000));
  const ask = taker > 0 ? price : price + spread;
  const bids: Level[] = [];
  const asks: Level[] = [];
  for (let level = 0; level < LEVELS; level++) {
    const away = level * spread;
    if (ask - spread - away > 0) bids.push([ask - spread - away, depth * (level + 1)]);
    asks.push([ask + away, depth * (level + 1)]);
  }
  return { bids, asks };
}

/** Price of the trade at `index`, ticks. */
function pathOf(step: BarStep, symbol: number, index: number): number {
  const open = step.open[symbol]!;
  const close = step.close[symbol]!;
  const first = close >= open ? step.low[symbol]! : step.high[symbol]!;
  const second = close >= open ? step.high[symbol]! : step.low[symbol]!;
  const between = (from: number, to: number, start: number, end: number): number =>
    Math.round(from + ((to - from) * (index - start)) / (end - start));
  if (index <= FIRST_EXTREME) return between(open, first, 0, FIRST_EXTREME);
  if (index <= SECOND_EXTREME) return between(first, second, FIRST_EXTREME, SECOND_EXTREME);
  return between(second, close, SECOND_EXTREME, TRADES - 1);
}
