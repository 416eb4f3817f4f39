import type { AnalysisAhead } from "../analysis/analysis-ahead.ts";
import type { CoreRecord, Effect } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import type { State } from "../core/state.ts";
import { step } from "../core/step.ts";
import { type Exchange, isRequest, type VenueRequest } from "../exchange/exchange.ts";
import { JournalWriteError, type JournalWriter } from "../journal/writer.ts";
import type { Judge } from "../learning/judge.ts";
import type { PanelFeed } from "../market/panel-feed.ts";

/** A cycle that the core wants analysed. */
export interface AnalysisRequest {
  readonly cycle: number;
  readonly late: readonly number[];
}

/** Looks on: neither the event nor the effects nor the state may be changed, and the effects are gone after the call. */
export interface Watcher {
  stepped(event: Event, effects: readonly Effect[], state: State): void;
}

export interface TraderParts {
  readonly state: State;
  readonly exchange: Exchange;
  /** Takes the bars for the analysis, where that does not get them by itself. */
  readonly feed?: PanelFeed;
  readonly journal: JournalWriter;
  /** Told of each event with its effects, after they were performed. */
  readonly watchers?: readonly Watcher[];
  /** Called for each event when what it asks of the exchange has been handed over, before anything else is done. */
  readonly onDecided?: (event: Event) => void;
  /** Told when the journal cannot be written; it has everything in memory. Without it such an error ends the run. */
  readonly onJournalError?: (error: JournalWriteError) => void;
  /** Timers that a book which was brought back has running. */
  readonly timers?: ReadonlyMap<string, number>;
  readonly onRecord: (record: CoreRecord) => void;
  readonly onNotice: (level: "info" | "warning" | "alarm", text: string) => void;
}

/**
 * The loop around the core, the same in backtest, paper and live: an event is journaled, stepped on, and its effects
 * are journaled and performed: first what is asked of the exchange, because an order waits for nobody who only wants to
 * know of it. What differs between the modes is only who calls `take`, and how long he waits before.
 */
export class Trader {
  readonly #parts: TraderParts;
  readonly #effects: Effect[] = [];
  readonly #timers = new Map<string, number>();
  #earliest: { readonly timer: string; readonly at: number } | undefined;
  #request: AnalysisRequest | undefined;

  constructor(parts: TraderParts) {
    this.#parts = parts;
    for (const [timer, at] of parts.timers ?? []) this.#setTimer(timer, at);
  }

  /** When the next timer is due; Infinity when none is set. */
  get nextTimer(): number {
    return this.#earliest?.at ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Takes the next event up to a time through the core: the exchange's or a timer's, whichever is first. Returns it, or
   * undefined when nothing is due. While `awaited` is set the caller owes the analysis of a cycle.
   */
  take(until: number): Event | undefined {
    const { exchange } = this.#parts;
    const timer = this.#earliest;
    const limit = timer !== undefined && timer.at < until ? timer.at : until;
    let event: Event | undefined = exchange.next(limit);
    if (event === undefined && timer !== undefined && timer.at <= until && !exchange.ended) {
      this.#setTimer(timer.timer, undefined);
      event = { kind: "timer", time: timer.at, symbol: -1, timer: timer.timer };
    }
    if (event !== undefined) this.admit(event);
    return event;
  }

  /** The cycle that must be analysed before the next event is taken, if any. */
  get awaited(): AnalysisRequest | undefined {
    return this.#request;
  }

  /** Brings in an event from outside the exchange: an analysis or a command. */
  admit(event: Event): void {
    const { state, exchange, journal, feed, watchers, onDecided } = this.#parts;
    this.#write(() => journal.event(event));
    const effects = this.#effects;
    effects.length = 0;
    step(state, event, effects);
    // Behind the last request there may be much that an order need not wait for.
    let urgent = 0;
    for (let i = 0; i < effects.length; i++) if (isRequest(effects[i]!)) urgent = i + 1;
    if (urgent > 0) {
      this.#write(() => journal.effectsOfStep(effects, 0, urgent));
      for (const effect of effects) if (isRequest(effect)) exchange.send(effect, state.now);
    }
    onDecided?.(event);
    if (event.kind === "bar") feed?.bar(event);
    else if (event.kind === "listing") feed?.listing(event.symbol, event.listed);
    else if (event.kind === "analysis") this.#request = undefined;
    if (urgent < effects.length) this.#write(() => journal.effectsOfStep(effects, urgent, effects.length));
    for (const effect of effects) if (!isRequest(effect)) this.#perform(effect);
    if (watchers !== undefined) for (const watcher of watchers) watcher.stepped(event, effects, state);
  }

  #write(write: () => void): void {
    try {
      write();
    } catch (error) {
      const { onJournalError } = this.#parts;
      if (onJournalError === undefined || !(error instanceof JournalWriteError)) throw error;
      onJournalError(error);
    }
  }

  /** True when neither the exchange nor anything that was asked of it will bring another event. */
  get ended(): boolean {
    return this.#parts.exchange.ended && this.#request === undefined;
  }

  #perform(effect: Exclude<Effect, VenueRequest>): void {
    const { feed, onRecord, onNotice } = this.#parts;
    switch (effect.kind) {
      case "analyse":
        feed?.close(effect.cycle);
        this.#request = { cycle: effect.cycle, late: effect.late };
        return;
      case "set-timer":
        return this.#setTimer(effect.timer, effect.at);
      case "clear-timer":
        return this.#setTimer(effect.timer, undefined);
      case "record":
        return onRecord(effect.record);
      case "notice":
        return onNotice(effect.level, effect.text);
      default:
        effect satisfies never;
    }
  }

  #setTimer(timer: string, at: number | undefined): void {
    if (at === undefined && !this.#timers.has(timer)) return;
    if (at === undefined) this.#timers.delete(timer);
    else this.#timers.set(timer, at);
    this.#earliest = undefined;
    for (const [name, time] of this.#timers) {
      if (this.#earliest === undefined || time < this.#earliest.at) this.#earliest = { timer: name, at: time };
    }
  }
}

/** Runs a trader to the end of its market as fast as the analysis, which goes ahead of him, allows. */
export async function runToEnd(
  trader: Trader,
  analysis: AnalysisAhead,
  judge: Judge,
  onEvent?: (event: Event) => void,
): Promise<void> {
  for (;;) {
    const request = trader.awaited;
    if (request !== undefined) {
      if (!analysis.has(request.cycle)) await analysis.ready(request.cycle);
      trader.admit(judge.judge(analysis.analyse(request.cycle, request.late)));
      continue;
    }
    const event = trader.take(Number.POSITIVE_INFINITY);
    if (event === undefined) return;
    onEvent?.(event);
  }
}
