import type { ApiBreaker } from "./api-breaker.ts";
import type { Urgency } from "./gateway.ts";
import type { Cost, RateBudget } from "./rate-budget.ts";

/** May a request go? */
export type Leave =
  | { readonly kind: "go" }
  | { readonly kind: "withheld"; readonly reason: string; readonly retryAt: number };

/** How long a request may wait for its turn before it is withheld, ms. Late entries are worthless, late exits are not. */
const PATIENCE: Readonly<Record<Urgency, number>> = { protect: 15_000, trade: 3_000, routine: 60_000 };

/** Requests that may wait at once; more are withheld. */
const MOST_WAITING = 1000;

const URGENCIES: readonly Urgency[] = ["protect", "trade", "routine"];

/** Time as the gate sees it; replaced in tests. */
export interface GateTime {
  /** ms of the exchange's clock. */
  now(): number;
  /** Calls back after some ms; returns a function that prevents it. */
  after(ms: number, then: () => void): () => void;
}

interface Waiting {
  readonly cost: Cost;
  readonly urgency: Urgency;
  /** The breaker's delay: not before this time. */
  readonly notBefore: number;
  /** Given up at this time. */
  readonly until: number;
  readonly resolve: (leave: Leave) => void;
}

/**
 * The one door through which requests leave: breaker, then budget. What may not go yet waits in the order of urgency,
 * and of arrival within one; what would wait for too long is withheld at once, with the time from which on it may come
 * again.
 */
export class Gate {
  readonly #budget: RateBudget;
  readonly #breaker: ApiBreaker;
  readonly #time: GateTime;
  #waiting: Waiting[] = [];
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(budget: RateBudget, breaker: ApiBreaker, time: GateTime) {
    this.#budget = budget;
    this.#breaker = breaker;
    this.#time = time;
  }

  /** An answer at once wherever it is known at once, so that an order's bytes leave in the same turn of the loop. */
  pass(cost: Cost, urgency: Urgency): Leave | Promise<Leave> {
    if (this.#closed) return CLOSED;
    const now = this.#time.now();
    let notBefore = now;
    if (urgency !== "protect") {
      const answer = this.#breaker.ask(now);
      if (answer.kind === "blocked") {
        return { kind: "withheld", reason: "the exchange's interface fails: blocked", retryAt: answer.retryAt };
      }
      if (answer.kind === "delay") notBefore = now + answer.ms;
    }
    if (notBefore <= now && !this.#isBehind(urgency)) {
      const free = this.#grant(cost, urgency, now);
      if (free === 0) return GO;
      if (free - now > PATIENCE[urgency]) return withheldByBudget(free);
    }
    if (this.#waiting.length >= MOST_WAITING) {
      return { kind: "withheld", reason: "too many requests are waiting already", retryAt: now + PATIENCE[urgency] };
    }
    return new Promise((resolve) => {
      const until = (notBefore > now ? notBefore : now) + PATIENCE[urgency];
      const waiting = { cost, urgency, notBefore, until, resolve };
      const after = this.#waiting.findIndex((other) => rank(other.urgency) > rank(urgency));
      this.#waiting.splice(after === -1 ? this.#waiting.length : after, 0, waiting);
      this.#pump();
    });
  }

  /** Withholds what waits and everything that comes: the end of the client. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    for (const waiting of this.#waiting.splice(0)) waiting.resolve(CLOSED);
  }

  /** Whether somebody of the same or a higher urgency waits for the budget already. */
  #isBehind(urgency: Urgency): boolean {
    const first = this.#waiting[0];
    return first !== undefined && rank(first.urgency) <= rank(urgency);
  }

  /** 0: it may go, and is charged. Otherwise when to ask again. */
  #grant(cost: Cost, urgency: Urgency, now: number): number {
    const free = this.#budget.leave(cost, urgency, now);
    if (free === 0 && urgency !== "protect") this.#breaker.began(now);
    return free;
  }

  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const now = this.#time.now();
    let wake = Number.POSITIVE_INFINITY;
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const next = this.#settle(waiting, now);
      if (next === undefined) continue;
      still.push(waiting);
      if (next < wake) wake = next;
    }
    this.#waiting = still;
    // A timer may fire a little early; a millisecond more spares the second round.
    if (still.length > 0) this.#cancelTimer = this.#time.after(Math.max(1, wake - now + 1), () => this.#pump());
  }

  /** Lets a request go or gives it up; or says when to look at it again. */
  #settle({ cost, urgency, notBefore, until, resolve }: Waiting, now: number): number | undefined {
    if (notBefore > now) return notBefore;
    if (urgency !== "protect") {
      const answer = this.#breaker.ask(now);
      if (answer.kind === "blocked") {
        resolve({ kind: "withheld", reason: "the exchange's interface fails: blocked", retryAt: answer.retryAt });
        return undefined;
      }
    }
    const free = this.#grant(cost, urgency, now);
    if (free === 0) {
      resolve(GO);
      return undefined;
    }
    if (free > until) {
      resolve(withheldByBudget(free));
      return undefined;
    }
    return free;
  }
}

const rank = (urgency: Urgency): number => URGENCIES.indexOf(urgency);

const withheldByBudget = (retryAt: number): Leave => ({
  kind: "withheld",
  reason: "the rate budget is used up",
  retryAt,
});

const GO = { kind: "go" } as const;
const CLOSED = { kind: "withheld", reason: "the client is closed", retryAt: Number.POSITIVE_INFINITY } as const;
