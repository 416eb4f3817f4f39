import type { BreakerLevel } from "../../core/events.ts";

export interface BreakerOptions {
  /** GRADED_CIRCUIT_BREAKER_ENABLED */
  readonly enabled: boolean;
  /** Failures in a row at which each level begins, rising. */
  readonly warning: number;
  readonly throttled: number;
  readonly blocked: number;
  /** Delay of each request while throttled, ms. */
  readonly delay: number;
}

/** What the breaker says to a request. */
export type BreakerAnswer =
  | { readonly kind: "go" }
  /** It may go this much later, ms. */
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "blocked"; readonly retryAt: number };

/** How long the first block lasts before a request may probe, and the longest, ms. Each failed probe doubles it. */
const FIRST_BLOCK = 15_000;
const LONGEST_BLOCK = 300_000;
/** A probe whose end nobody reported does not keep the others away for longer than this, ms. */
const PROBE_PATIENCE = 30_000;

/**
 * The graded breaker of the exchange's interface: failures in a row lead from closed over warning and throttled to
 * blocked, one success leads back. While blocked, from time to time a single request goes as a probe (half open).
 *
 * A failure is an answer that did not come or that says nothing (timeout, broken connection, 5xx); a refusal is an
 * answer. Requests that protect are never asked here; how they end counts like any other.
 */
export class ApiBreaker {
  #options: BreakerOptions;
  readonly #onLevel: (level: BreakerLevel) => void;
  #failures = 0;
  #level: BreakerLevel = "closed";
  #block = FIRST_BLOCK;
  /** While blocked: when the next probe may go. */
  #probeAt = 0;

  constructor(options: BreakerOptions, onLevel: (level: BreakerLevel) => void) {
    this.#options = options;
    this.#onLevel = onLevel;
  }

  get level(): BreakerLevel {
    return this.#level;
  }

  /** Takes changed settings: a level that they no longer give ends at once. */
  configure(options: BreakerOptions): void {
    this.#options = options;
    this.#setLevel();
  }

  /** What a request that does not protect may do at `now`, ms of any clock. Changes nothing. */
  ask(now: number): BreakerAnswer {
    if (this.#level === "blocked") return now >= this.#probeAt ? GO : { kind: "blocked", retryAt: this.#probeAt };
    return this.#level === "throttled" ? { kind: "delay", ms: this.#options.delay } : GO;
  }

  /** Such a request leaves. While blocked it is the probe, and the only one. */
  began(now: number): void {
    if (this.#level === "blocked") this.#probeAt = now + PROBE_PATIENCE;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#block = FIRST_BLOCK;
    this.#setLevel();
  }

  failed(now: number): void {
    this.#failures += 1;
    const before = this.#level;
    this.#setLevel();
    if (this.#level !== "blocked") return;
    // What fails while blocked was a probe, or a request that protects: both say that it is too early.
    if (before === "blocked") this.#block = this.#block * 2 < LONGEST_BLOCK ? this.#block * 2 : LONGEST_BLOCK;
    this.#probeAt = now + this.#block;
  }

  #setLevel(): void {
    const level = this.#options.enabled ? levelOf(this.#failures, this.#options) : "closed";
    if (level === this.#level) return;
    this.#level = level;
    this.#onLevel(level);
  }
}

function levelOf(failures: number, { warning, throttled, blocked }: BreakerOptions): BreakerLevel {
  if (failures >= blocked) return "blocked";
  if (failures >= throttled) return "throttled";
  return failures >= warning ? "warning" : "closed";
}

const GO = { kind: "go" } as const;
