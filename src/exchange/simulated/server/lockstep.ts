import type { Venue } from "./venue.ts";
import { WireError } from "./wire.ts";

/** Where a market that waits for its client stands. */
export interface LockstepState {
  /** Steps that were made. */
  readonly step: number;
  readonly acknowledged: number;
  /** Market time, ms UTC. */
  readonly time: number;
  readonly ended: boolean;
  /** Nothing happened up to the time that the last acknowledgement named: the step has nothing in it. */
  readonly quiet: boolean;
}

/**
 * A market that moves only when its client has done with what it was shown.
 *
 * A step is one happening (fills, answers, a funding, a liquidation), or all bars of one close. After its messages every
 * stream connection gets `{"e":"lockstep","step":n,"E":time}`: whoever has it on all of its connections has heard
 * everything of step n, decides, sends its orders, waits for their answers, and acknowledges n. The market then makes
 * step n + 1. Orders take part in the happening that follows, as in a backtest. A client that has something to do at a
 * certain time names it when it acknowledges, and the market goes no further than that.
 */
export class Lockstep {
  readonly #venue: Venue;
  #step = 0;
  #acknowledged = 0;
  #ended = false;
  #quiet = false;

  constructor(venue: Venue) {
    this.#venue = venue;
  }

  get state(): LockstepState {
    const [step, acknowledged, ended, quiet] = [this.#step, this.#acknowledged, this.#ended, this.#quiet];
    return { step, acknowledged, time: this.#venue.time, ended, quiet };
  }

  /**
   * @param until market time that the next step may not pass; where nothing happens up to it, the step is quiet
   * @throws WireError for a step that is not the present one: two clients, or a message that came twice
   */
  acknowledge(step: number, until = Number.POSITIVE_INFINITY): LockstepState {
    if (step !== this.#step)
      throw new WireError(-1, `step ${step} is acknowledged, but the market is at ${this.#step}`);
    this.#acknowledged = step;
    this.#advance(until);
    return this.state;
  }

  /** Acknowledges in the client's place, step by step until the next close of bars. */
  toNextClose(): LockstepState {
    const { timeframe } = this.#venue;
    const from = this.#venue.time;
    const close = from - (from % timeframe) + timeframe;
    do {
      this.#acknowledged = this.#step;
      this.#advance(Number.POSITIVE_INFINITY);
    } while (!this.#ended && this.#venue.time < close);
    return this.state;
  }

  #advance(until: number): void {
    this.#quiet = !this.#venue.step(until);
    if (this.#venue.ended) this.#ended = true;
    this.#step++;
    this.#venue.hub.broadcast("lockstep", { e: "lockstep", E: this.#venue.time, step: this.#step, ended: this.#ended });
  }
}
