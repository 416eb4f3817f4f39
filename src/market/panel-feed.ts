import type { BarEvent } from "../core/events.ts";
import { type Instrument, priceOf } from "../core/instrument.ts";
import { Aggregator, type ClosedBars } from "./aggregator.ts";
import { ABSENT, type BarSource, type BarStep, FLAT, REAL } from "./bar-source.ts";
import { type Panel, STARTS } from "./panel.ts";

type StepBars = Omit<BarStep, "listed" | "delisted" | "funding">;

/** A rate of a step is in 1e-8. */
const RATE_UNITS = 100_000_000;

/**
 * Writes the panel: base bars come in one by one or a step at a time, and the bars of the panel's timeframes that close
 * with them are written and published. The one writer of its panel.
 */
export class PanelFeed {
  #panel: Panel;
  readonly #instruments: readonly Instrument[];
  readonly #base: number;
  readonly #aggregator: Aggregator;
  /** The base bars of the step that is being gathered. */
  readonly #step: StepBars;
  /** Per timeframe and symbol: the next bar is the first of a listing. */
  readonly #starts: readonly Uint8Array[];
  readonly #active: Uint8Array;
  /** Close time of the last step, NaN before the first. */
  #closed = Number.NaN;

  constructor(panel: Panel, instruments: readonly Instrument[], base: number) {
    const count = instruments.length;
    this.#panel = panel;
    this.#instruments = instruments;
    this.#base = base;
    this.#aggregator = new Aggregator(
      count,
      base,
      panel.timeframes.map((timeframe) => timeframe.ms),
    );
    this.#step = {
      openTime: 0,
      status: new Uint8Array(count),
      open: new Float64Array(count),
      high: new Float64Array(count),
      low: new Float64Array(count),
      close: new Float64Array(count),
      volume: new Float64Array(count),
    };
    this.#starts = panel.timeframes.map(() => new Uint8Array(count));
    this.#active = new Uint8Array(count);
  }

  /** Whether the next bars would take the place of the oldest. */
  get isFull(): boolean {
    return this.#panel.isFull;
  }

  /** Goes on in a panel with the same bars and twice the room, and returns it. */
  grow(): Panel {
    this.#panel = this.#panel.grown();
    return this.#panel;
  }

  /**
   * A symbol is traded, or no longer. With a new listing its bars begin anew: nothing derived from older ones goes on.
   * To be told again what is known already, as at the end of the warm-up, changes nothing.
   */
  listing(symbol: number, listed: boolean): void {
    if (listed && this.#active[symbol] === 0) for (const starts of this.#starts) starts[symbol] = 1;
    this.#active[symbol] = listed ? 1 : 0;
  }

  /** Takes the base bar of one symbol; `close` ends the step. A bar that comes after its step was closed is too late. */
  bar(event: BarEvent): void {
    if (event.time <= this.#closed) return;
    const step = this.#step;
    const { symbol } = event;
    step.status[symbol] = event.flat ? FLAT : REAL;
    step.open[symbol] = event.open;
    step.high[symbol] = event.high;
    step.low[symbol] = event.low;
    step.close[symbol] = event.close;
    step.volume[symbol] = event.volume;
  }

  /** Ends the step whose bars close at `time`: symbols that gave no bar are absent from it. */
  close(time: number): void {
    // Steps without any bar have no cycle, and are gone through here: the panel is that of `step` with the same bars.
    for (let missed = this.#closed + this.#base; missed < time; missed += this.#base) this.#push(this.#nothing(missed));
    this.#closed = time;
    this.#step.openTime = time - this.#base;
    this.#push(this.#step);
    this.#step.status.fill(ABSENT);
  }

  /** Takes a whole step at once: the warm-up. */
  step(step: BarStep): void {
    for (const symbol of step.delisted) this.listing(symbol, false);
    for (const symbol of step.listed) this.listing(symbol, true);
    this.#closed = step.openTime + this.#base;
    this.funding(step);
    this.#push(step);
  }

  /** Notes the funding of a step. Readers leave out what is not settled yet at the time they look from. */
  funding(step: Pick<BarStep, "funding">): void {
    for (const { symbol, time, rate } of step.funding) this.#panel.writeFunding(symbol, time, rate / RATE_UNITS);
  }

  /** The source with its funding noted as its steps are taken: exchanges pass on only what concerns their positions. */
  noteFunding(source: BarSource): BarSource {
    const step = () => {
      const taken = source.step();
      if (taken !== undefined) this.funding(taken);
      return taken;
    };
    // All else stays as it is, whatever kind of source it is: one with ticks keeps them.
    return new Proxy(source, {
      get(target, name) {
        if (name === "step") return step;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }

  #nothing(close: number): StepBars {
    return { ...this.#step, openTime: close - this.#base, status: new Uint8Array(this.#step.status.length) };
  }

  #push(step: StepBars): void {
    for (const timeframe of this.#aggregator.push(step)) this.#publish(timeframe, this.#aggregator.closed[timeframe]!);
  }

  #publish(timeframe: number, bars: ClosedBars): void {
    const panel = this.#panel;
    const index = panel.indexAt(timeframe, bars.openTime);
    const starts = this.#starts[timeframe]!;
    this.#instruments.forEach((instrument, symbol) => {
      const status = bars.status[symbol]!;
      if (status === ABSENT) return;
      panel.writeBar(
        timeframe,
        index,
        symbol,
        priceOf(instrument, bars.open[symbol]!),
        priceOf(instrument, bars.high[symbol]!),
        priceOf(instrument, bars.low[symbol]!),
        priceOf(instrument, bars.close[symbol]!),
        bars.volume[symbol]!,
        status + (starts[symbol] === 1 ? STARTS : 0),
      );
      starts[symbol] = 0;
    });
    panel.publish(timeframe, index);
  }
}
