import type { Effect } from "../../core/effects.ts";
import type { Event } from "../../core/events.ts";
import type { State } from "../../core/state.ts";
import { restoreState, stateImage } from "../../core/state-image.ts";
import type { Recovered, Recovery } from "./recovered.ts";

/**
 * The book of live trading with everything that the next process must know of it. It follows the core event by event:
 * while a journal is replayed, and while it is written.
 */
export class LiveBook {
  readonly state: State;
  readonly #recovery: Recovery;
  /** Timers that the core has set, with their times. */
  readonly #timers = new Map<string, number>();
  #records = 0;
  #epoch = 0;

  constructor(state: State, recovery: Recovery) {
    this.state = state;
    this.#recovery = recovery;
  }

  /** Events followed, those of earlier processes included. */
  get records(): number {
    return this.#records;
  }

  get timers(): ReadonlyMap<string, number> {
    return this.#timers;
  }

  /** The client id that an order bears since the core asked for it; undefined before the step that did has ended. */
  clientId(order: number): string | undefined {
    return this.#recovery.clientId(order);
  }

  /** Another process goes on with the book. @param epoch that its orders bear */
  begins(epoch: number): void {
    this.#recovery.nextProcess();
    this.#epoch = epoch;
  }

  /** The core has taken an event. */
  stepped(event: Event, effects: readonly Effect[]): void {
    this.#recovery.event(event);
    if (event.kind === "timer") this.#timers.delete(event.timer);
    for (const effect of effects) {
      this.#recovery.effect(effect, this.#epoch);
      if (effect.kind === "set-timer") this.#timers.set(effect.timer, effect.at);
      else if (effect.kind === "clear-timer") this.#timers.delete(effect.timer);
    }
    this.#records++;
  }

  /** What the exchange client of the next process must know. */
  recovered(): Recovered {
    return this.#recovery.finish(this.state);
  }

  /** All of it as plain data that shares its memory: to be copied before the next event. */
  image() {
    return {
      state: stateImage(this.state),
      recovery: this.#recovery.image(),
      timers: this.#timers,
      records: this.#records,
      epoch: this.#epoch,
    };
  }

  /** The book that an image was made of. @param image a copy that nobody else has */
  static restored(fresh: State, recovery: Recovery, image: BookImage): LiveBook {
    recovery.restore(image.recovery);
    const book = new LiveBook(restoreState(fresh, image.state), recovery);
    for (const [timer, at] of image.timers) book.#timers.set(timer, at);
    book.#records = image.records;
    book.#epoch = image.epoch;
    return book;
  }
}

export type BookImage = ReturnType<LiveBook["image"]>;
