import { type Instrument, ticksOf } from "../core/instrument.ts";
import { scaled } from "../exchange/binance/decimals.ts";
import type { Outcome } from "../exchange/binance/gateway.ts";
import type { MarkMessage } from "../exchange/binance/market-message.ts";
import type { SettledFunding } from "../exchange/binance/reports.ts";
import type { BarStep } from "../market/bar-source.ts";
import type { LiveBars } from "../market/live-bars.ts";

/** As steps of bars have it: rate in 1e-8, mark in ticks. */
export type Funding = BarStep["funding"][number];

export interface LiveFundingParts {
  readonly instruments: readonly Instrument[];
  /** The first fundings of all symbols in [from, to], ms, oldest first; a thousand where there are more. */
  readonly ask: (from: number, to: number) => Promise<Outcome<readonly SettledFunding[]>>;
  /** Resolves after some wall ms. */
  readonly wait: (ms: number) => Promise<void>;
}

/** Between two questions for the same fundings: the exchange lists them some seconds after their time. */
const ASK_AGAIN = 2_000;
/** And how often at most. */
const MOST_QUESTIONS = 30;
/** Rates of a step are in 1e-8. */
const RATE_PLACES = 8;
const RATE_UNITS = 1e8;
const MINUTE = 60_000;
/** Fundings in an answer behind which there may be more. */
const PAGE = 1000;
/** The longest interval between two fundings of a symbol. */
const RECALLED = 8 * 60 * MINUTE;

/**
 * When which symbol exchanges funding, and at which rate and mark. The stream of marks says when the next one is (each
 * symbol has its own interval) and how high it would be; that the time has come shows in a message that names a later
 * one, or in a bar that opens behind it. What was really settled is then asked for, and the bars of that minute wait for
 * it as they wait for one another; where nobody answers in time, the stream's last word counts.
 */
export class LiveFunding {
  readonly #parts: LiveFundingParts;
  readonly #places: ReadonlyMap<string, number>;
  /** By symbol: time of the next funding (0: not known), its rate as it was estimated last, and the mark, USDT. */
  readonly #next: Float64Array;
  readonly #rate: Float64Array;
  readonly #mark: Float64Array;
  /** Symbols whose settled rate is still to be told, by the time of the funding. */
  readonly #open = new Map<number, Set<number>>();
  /** Whose steps wait for fundings; undefined before trading begins, and where the exchange books them. */
  #source: LiveBars | undefined;
  #began = false;
  #closed = false;
  #onSettled: (funding: Funding) => void = () => {};

  constructor(parts: LiveFundingParts) {
    const count = parts.instruments.length;
    this.#parts = parts;
    this.#places = new Map(parts.instruments.map(({ symbol }, place) => [symbol, place]));
    this.#next = new Float64Array(count);
    this.#rate = new Float64Array(count).fill(Number.NaN);
    this.#mark = new Float64Array(count);
  }

  /**
   * From now on fundings are followed.
   * @param source whose steps they become part of; none where the exchange itself tells what was paid
   */
  begin(source: LiveBars | undefined): void {
    this.#source = source;
    this.#began = true;
  }

  /**
   * Puts the fundings of the last hours, `until` included, into bars that are history or have come since. Without an
   * answer there are none.
   */
  async recall(source: LiveBars, until: number): Promise<void> {
    for (let from = until - RECALLED; from <= until; ) {
      const outcome = await this.#parts.ask(from, until);
      if (outcome.kind !== "done") return;
      for (const settled of outcome.value) {
        const symbol = this.#places.get(settled.symbol);
        if (symbol === undefined) continue;
        const { rate, mark } = this.#valued(symbol, settled);
        source.fund(symbol, settled.time - (settled.time % MINUTE), rate, mark);
      }
      if (outcome.value.length < PAGE) return;
      // Others may have been settled at the time of the last one; what comes twice is the same.
      const { time } = outcome.value.at(-1)!;
      from = time > from ? time : from + 1;
    }
  }

  /** Told of every funding that was settled, whoever holds what. */
  onSettled(listener: (funding: Funding) => void): void {
    this.#onSettled = listener;
  }

  close(): void {
    this.#closed = true;
  }

  mark({ symbol, mark, fundingRate, nextFunding }: MarkMessage): void {
    const due = this.#next[symbol]!;
    if (due > 0 && nextFunding > due) this.#settle(symbol, due);
    this.#next[symbol] = nextFunding > 0 ? nextFunding : 0;
    this.#rate[symbol] = fundingRate;
    this.#mark[symbol] = mark;
  }

  /** A bar has closed; to be told before the source hears of it. */
  bar(symbol: number, openTime: number): void {
    const due = this.#next[symbol]!;
    if (due === 0 || openTime < due) return;
    this.#settle(symbol, due);
    // The next message says when the one after it is.
    this.#next[symbol] = 0;
  }

  #settle(symbol: number, time: number): void {
    const source = this.#source;
    const rate = this.#rate[symbol]!;
    if (!this.#began || Number.isNaN(rate) || (source !== undefined && time < source.next)) return;
    const mark = ticksOf(this.#parts.instruments[symbol]!, this.#mark[symbol]!);
    source?.fund(symbol, time, Math.round(rate * RATE_UNITS), mark);
    source?.awaitFunding(time, true);
    const open = this.#open.get(time);
    if (open !== undefined) {
      open.add(symbol);
      return;
    }
    const first = new Set([symbol]);
    this.#open.set(time, first);
    void this.#ask(time, first);
  }

  async #ask(time: number, open: Set<number>): Promise<void> {
    const { ask, wait } = this.#parts;
    const source = this.#source;
    for (let asked = 0; asked < MOST_QUESTIONS && !this.#closed; asked++) {
      if (source !== undefined && source.next > time) break;
      const outcome = await ask(time, time + MINUTE - 1);
      if (outcome.kind === "done") for (const funding of outcome.value) this.#settled(time, open, funding);
      if (open.size === 0) source?.awaitFunding(time, false);
      // Others may follow: symbols do not show that the time has come at the same moment.
      await wait(ASK_AGAIN);
      if (open.size === 0) break;
    }
    source?.awaitFunding(time, false);
    this.#open.delete(time);
  }

  #settled(time: number, open: Set<number>, settled: SettledFunding): void {
    const symbol = this.#places.get(settled.symbol);
    if (symbol === undefined) return;
    open.delete(symbol);
    const funding = { symbol, time, ...this.#valued(symbol, settled) };
    this.#source?.fund(symbol, time, funding.rate, funding.mark);
    this.#onSettled(funding);
  }

  #valued(symbol: number, { rate, mark }: SettledFunding): Pick<Funding, "rate" | "mark"> {
    const value = mark === "" ? 0 : Number(mark);
    return {
      rate: Number(scaled(rate, RATE_PLACES)),
      mark: ticksOf(this.#parts.instruments[symbol]!, value > 0 ? value : this.#mark[symbol]!),
    };
  }
}
