import type { Instrument } from "../core/instrument.ts";
import { ABSENT, type BarSource, type BarStep, FLAT, REAL } from "./bar-source.ts";
import type { Contract } from "./contract.ts";

/** A closed bar as it comes from an exchange: prices in ticks, volume in base units. */
export interface LiveBar {
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

export interface LiveBarsOptions {
  /** Sorted by symbol. */
  readonly instruments: readonly Instrument[];
  readonly timeframe: number;
  /** Open time of the first step. */
  readonly start: number;
  readonly contracts?: readonly Contract[];
  readonly assumptions: readonly string[];
}

/**
 * Bars of a market that is going on: history first, then what closes. A step is there once every symbol that trades has
 * brought its bar, or once it is said that nobody waits any longer; a missing bar of a symbol that trades is flat.
 */
export class LiveBars implements BarSource {
  readonly instruments: readonly Instrument[];
  readonly timeframe: number;
  readonly start: number;
  readonly steps = Number.POSITIVE_INFINITY;
  readonly bars = Number.POSITIVE_INFINITY;
  /** Bars that are still to come have no hash; a journal of them holds them. */
  readonly dataHash = "";
  readonly assumptions: readonly string[];
  readonly contracts?: readonly Contract[];
  /** More will come: a source without a next step has not ended. */
  readonly waiting = true;
  readonly #step: BarStep;
  /** Bars that are not part of a step yet, by symbol and open time. */
  readonly #coming: Map<number, LiveBar>[];
  readonly #traded: Uint8Array;
  readonly #last: Float64Array;
  /** Of steps that are still to come: by symbol and time. */
  readonly #fundings = new Map<string, BarStep["funding"][number]>();
  /** Fundings that are still to be told, by time. */
  readonly #unknown = new Set<number>();
  #next: number;
  /** Steps that open before this time wait for nobody. */
  #dueBefore: number;

  constructor({ instruments, timeframe, start, contracts, assumptions }: LiveBarsOptions) {
    const count = instruments.length;
    const column = () => new Float64Array(count);
    this.instruments = instruments;
    this.timeframe = timeframe;
    this.start = start;
    this.assumptions = assumptions;
    if (contracts !== undefined) this.contracts = contracts;
    this.#step = {
      openTime: start,
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
    this.#coming = instruments.map(() => new Map());
    this.#traded = new Uint8Array(count);
    this.#last = column();
    this.#next = start;
    this.#dueBefore = start;
  }

  /** Open time of the next step. */
  get next(): number {
    return this.#next;
  }

  /** Takes a bar; one whose step is over is too late and left out. */
  add(symbol: number, bar: LiveBar): void {
    if (bar.openTime >= this.#next) this.#coming[symbol]!.set(bar.openTime, bar);
  }

  /**
   * Takes a funding: rate in 1e-8, mark in ticks, 0 where it is not known. What is told of the same one later replaces
   * it; one whose step is over is too late and left out.
   */
  fund(symbol: number, time: number, rate: number, mark: number): void {
    if (time >= this.#next) this.#fundings.set(`${symbol}:${time}`, { time, symbol, rate, mark });
  }

  /** Whether what is known of the fundings at `time` is not all yet: their step waits, as it waits for bars. */
  awaitFunding(time: number, awaits: boolean): void {
    if (awaits && time >= this.#next) this.#unknown.add(time);
    else this.#unknown.delete(time);
  }

  /** Takes out the bars of steps that are not complete yet, by time and symbol, for whoever does not wait for the rest. */
  drain(): { readonly symbol: number; readonly bar: LiveBar }[] {
    const bars = this.#coming.flatMap((coming, symbol) => [...coming.values()].map((bar) => ({ symbol, bar })));
    for (const coming of this.#coming) coming.clear();
    return bars.sort((a, b) => a.bar.openTime - b.bar.openTime || a.symbol - b.symbol);
  }

  /** From now on steps that open before `time` wait for nobody. */
  due(time: number): void {
    if (time > this.#dueBefore) this.#dueBefore = time;
  }

  step(): BarStep | undefined {
    if (!this.#isReady()) return undefined;
    const step = this.#step;
    step.openTime = this.#next;
    step.listed.length = 0;
    this.#next += this.timeframe;
    this.#fund(step);
    for (let symbol = 0; symbol < this.instruments.length; symbol++) this.#row(symbol, step);
    return step;
  }

  #isReady(): boolean {
    if (this.#next < this.#dueBefore) return true;
    for (const time of this.#unknown) if (time < this.#next + this.timeframe) return false;
    let some = false;
    for (let symbol = 0; symbol < this.instruments.length; symbol++) {
      const here = this.#coming[symbol]!.has(this.#next);
      if (!here && this.#traded[symbol] === 1) return false;
      some ||= here;
    }
    return some;
  }

  #fund({ funding }: BarStep): void {
    funding.length = 0;
    for (const time of this.#unknown) if (time < this.#next) this.#unknown.delete(time);
    for (const [key, one] of this.#fundings) {
      if (one.time >= this.#next) continue;
      this.#fundings.delete(key);
      funding.push(one);
    }
  }

  #row(symbol: number, step: BarStep): void {
    const bar = this.#coming[symbol]!.get(step.openTime);
    if (bar === undefined && this.#traded[symbol] === 0) {
      step.status[symbol] = ABSENT;
      return;
    }
    if (this.#traded[symbol] === 0) step.listed.push(symbol);
    this.#traded[symbol] = 1;
    this.#coming[symbol]!.delete(step.openTime);
    const last = this.#last[symbol]!;
    step.status[symbol] = bar === undefined ? FLAT : REAL;
    step.open[symbol] = bar?.open ?? last;
    step.high[symbol] = bar?.high ?? last;
    step.low[symbol] = bar?.low ?? last;
    step.close[symbol] = bar?.close ?? last;
    step.volume[symbol] = bar?.volume ?? 0;
    this.#last[symbol] = step.close[symbol]!;
  }
}
