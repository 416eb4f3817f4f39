import { type Instrument, ticksOf } from "../core/instrument.ts";
import { scaled } from "../exchange/binance/decimals.ts";
import type { Outcome } from "../exchange/binance/gateway.ts";
import type { MarkMessage } from "../exchange/binance/market-message.ts";
import type { SettledFunding } from "../exchange/binance/reports.ts";
import type { LiveBars } from "../market/live-bars.ts";

export interface LiveFundingParts {
  readonly instruments: readonly Instrument[];
  /** Fundings of all symbols in [from, to], ms. */
  readonly ask: (from: number, to: number) => Promise<Outcome<readonly SettledFunding[]>>;
  /** Resolves after some wall ms. */
  readonly wait: (ms: number) => Promise<void>;
}

/** Between two questions for the same fundings: the exchange lists them some seconds after their time. */
const ASK_AGAIN = 2_000;
/** Rates of a step are in 1e-8. */
const RATE_PLACES = 8;
const RATE_UNITS = 1e8;
const MINUTE = 60_000;

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
  #source: LiveBars | undefined;
  #closed = false;

  constructor(parts: LiveFundingParts) {
    const count = parts.instruments.length;
    this.#parts = parts;
    this.#places = new Map(parts.instruments.map(({ symbol }, place) => [symbol, place]));
    this.#next = new Float64Array(count);
    this.#rate = new Float64Array(count).fill(Number.NaN);
    this.#mark = new Float64Array(count);
  }

  /** From now on fundings become part of these bars. */
  begin(source: LiveBars): void {
    this.#source = source;
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
    if (source === undefined || time < source.next || Number.isNaN(rate)) return;
    const mark = ticksOf(this.#parts.instruments[symbol]!, this.#mark[symbol]!);
    source.fund(symbol, time, Math.round(rate * RATE_UNITS), mark);
    source.awaitFunding(time, true);
    const open = this.#open.get(time);
    if (open !== undefined) {
      open.add(symbol);
      return;
    }
    const first = new Set([symbol]);
    this.#open.set(time, first);
    void this.#ask(source, time, first);
  }

  async #ask(source: LiveBars, time: number, open: Set<number>): Promise<void> {
    const { ask, wait } = this.#parts;
    while (!this.#closed && source.next <= time) {
      const outcome = await ask(time, time + MINUTE - 1);
      if (outcome.kind === "done") for (const funding of outcome.value) this.#settled(source, time, open, funding);
      if (open.size === 0) source.awaitFunding(time, false);
      // Others may follow: symbols do not show that the time has come at the same moment.
      await wait(ASK_AGAIN);
      if (open.size === 0) break;
    }
    this.#open.delete(time);
  }

  #settled(source: LiveBars, time: number, open: Set<number>, { symbol, rate, mark }: SettledFunding): void {
    const place = this.#places.get(symbol);
    if (place === undefined) return;
    open.delete(place);
    const value = mark === "" ? 0 : Number(mark);
    const known = value > 0 ? value : this.#mark[place]!;
    source.fund(place, time, Number(scaled(rate, RATE_PLACES)), ticksOf(this.#parts.instruments[place]!, known));
  }
}
