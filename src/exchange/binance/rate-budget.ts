import type { Urgency } from "./gateway.ts";

/** What a request takes out of the exchange's limits. */
export interface Cost {
  /** Request weight, counted per IP. */
  readonly weight: number;
  /** Orders, counted per account over ten seconds and over a minute. */
  readonly orders: number;
}

export interface BudgetLimits {
  /** RATE_LIMIT_REQUESTS: the exchange's limit is 2400 a minute. */
  readonly weightPerMinute: number;
  readonly ordersPerTenSeconds: number;
  readonly ordersPerMinute: number;
}

/** 80 % of what the exchange allows an ordinary account; its own figures are in exchangeInfo. */
export const ORDER_LIMITS = { ordersPerTenSeconds: 240, ordersPerMinute: 960 } as const;

/** What the exchange says has been used, by us and by others behind the same address; undefined where it says nothing. */
export interface Usage {
  readonly weight?: number | undefined;
  readonly ordersTenSeconds?: number | undefined;
  readonly ordersMinute?: number | undefined;
}

/** An answer that asks us to stop. */
export interface LimitAnswer {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  /** The header Retry-After, s. */
  readonly retryAfter: number | undefined;
}

/**
 * Share of each limit up to which a request of some urgency may fill it: what is above is kept for those that matter
 * more. Exits always find a fifth that nobody else could take.
 */
const SHARES: Readonly<Record<Urgency, number>> = { protect: 1, trade: 0.8, routine: 0.6 };

/** When the exchange does not say how long: the least that it is known to ban for, and its window. */
const DEFAULT_BAN = 120_000;
const DEFAULT_PAUSE = 60_000;
/** A firewall's 403 says nothing at all; pressing on makes it last. */
const FIREWALL_PAUSE = 600_000;

/**
 * The ledger of the exchange's rate limits, one per IP. Pure: time comes in, ms of the exchange's clock.
 *
 * The exchange counts in windows that begin at whole minutes (by what its headers show); here windows slide, which
 * allows at most as much in every window of either kind, and needs no agreement about when a minute begins. What the
 * headers show beyond our own count is somebody else's use and is charged as if it had happened now.
 */
export class RateBudget {
  readonly #weight: Window;
  readonly #ordersTenSeconds: Window;
  readonly #ordersMinute: Window;
  #closedUntil = 0;
  #ordersClosedUntil = 0;

  constructor(limits: BudgetLimits) {
    this.#weight = new Window(60_000, limits.weightPerMinute);
    this.#ordersTenSeconds = new Window(10_000, limits.ordersPerTenSeconds);
    this.#ordersMinute = new Window(60_000, limits.ordersPerMinute);
  }

  /**
   * Asks for leave. 0: granted, and charged. Otherwise the time from which on it is worth asking again; nothing is
   * charged. A request dearer than its share of the whole limit is granted when nothing else is in the window.
   */
  leave(cost: Cost, urgency: Urgency, now: number): number {
    const share = SHARES[urgency];
    let free = this.#closedUntil;
    const windows: readonly (readonly [Window, number])[] = [
      [this.#weight, cost.weight],
      [this.#ordersTenSeconds, cost.orders],
      [this.#ordersMinute, cost.orders],
    ];
    if (cost.orders > 0 && this.#ordersClosedUntil > free) free = this.#ordersClosedUntil;
    for (const [window, amount] of windows) {
      const from = window.freeAt(amount, share, now);
      if (from > free) free = from;
    }
    if (free > now) return free;
    for (const [window, amount] of windows) window.add(amount, now);
    return 0;
  }

  /** Takes the limits of orders that the exchange names itself. */
  limitOrders(tenSeconds: number, minute: number): void {
    this.#ordersTenSeconds.limit = tenSeconds;
    this.#ordersMinute.limit = minute;
  }

  /** Takes what the exchange shows as used. Negative values, as the test network sends them, say nothing. */
  observe(usage: Usage, now: number): void {
    this.#weight.atLeast(usage.weight, now);
    this.#ordersTenSeconds.atLeast(usage.ordersTenSeconds, now);
    this.#ordersMinute.atLeast(usage.ordersMinute, now);
  }

  /** Takes an answer 403, 418 or 429. Nothing goes out until it is over; for -1015 that holds for orders only. */
  stop({ status, code, message, retryAfter }: LimitAnswer, now: number): void {
    const named = /banned until (\d{13})/.exec(message);
    const pause = status === 403 ? FIREWALL_PAUSE : status === 418 ? DEFAULT_BAN : DEFAULT_PAUSE;
    let until = now + (retryAfter === undefined ? pause : retryAfter * 1000);
    if (named !== null && Number(named[1]) > until) until = Number(named[1]);
    if (code === -1015) {
      const soon = now + (retryAfter === undefined ? 10_000 : retryAfter * 1000);
      if (soon > this.#ordersClosedUntil) this.#ordersClosedUntil = soon;
    } else {
      this.closeUntil(until);
    }
  }

  /** Nothing goes out before `until`: a ban that an earlier run was told of. */
  closeUntil(until: number): void {
    if (until > this.#closedUntil) this.#closedUntil = until;
  }

  /** Time until which nothing may go out; in the past when all is well. */
  get closedUntil(): number {
    return this.#closedUntil;
  }

  /** Weight used in the last minute, for metrics. */
  usedWeight(now: number): number {
    return this.#weight.used(now);
  }
}

/** A sliding window in steps: an amount counts from when it is added until a whole window after its step has ended. */
class Window {
  readonly #length: number;
  limit: number;
  readonly #step: number;
  /** By rising time. */
  #steps: { readonly gone: number; amount: number }[] = [];
  #sum = 0;

  constructor(length: number, limit: number) {
    this.#length = length;
    this.limit = limit;
    this.#step = length / 60;
  }

  used(now: number): number {
    while (this.#steps.length > 0 && this.#steps[0]!.gone <= now) this.#sum -= this.#steps.shift()!.amount;
    return this.#sum;
  }

  add(amount: number, now: number): void {
    if (amount === 0) return;
    this.used(now);
    let gone = (Math.floor(now / this.#step) + 1) * this.#step + this.#length;
    const last = this.#steps.at(-1);
    // A clock that was set back must not shorten what is counted already, nor break the order of the steps.
    if (last !== undefined && last.gone > gone) gone = last.gone;
    if (last?.gone === gone) last.amount += amount;
    else this.#steps.push({ gone, amount });
    this.#sum += amount;
  }

  atLeast(used: number | undefined, now: number): void {
    if (used !== undefined && used > this.used(now)) this.add(used - this.#sum, now);
  }

  /** The first moment at which `amount` more fits into the share, or 0 when it does now. */
  freeAt(amount: number, share: number, now: number): number {
    if (amount === 0) return 0;
    let left = this.used(now);
    const most = this.limit * share - amount;
    for (const step of this.#steps) {
      if (left <= most || left === 0) return 0;
      left -= step.amount;
      if (left <= most || left === 0) return step.gone;
    }
    return 0;
  }
}
