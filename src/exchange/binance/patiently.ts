import type { Outcome } from "./gateway.ts";

/** Longest single wait for leave, ms: a window of the limits and what it is rounded by, or a short ban. */
const LONGEST_WAIT = 180_000;
/** How often one question is asked again. */
const MOST_WAITS = 10;

export interface Patience {
  /** ms of the clock that outcomes speak of. */
  now(): number;
  wait(ms: number): Promise<void>;
  /** Told of each wait. */
  onWait?(ms: number, reason: string): void;
}

/**
 * Asks until there is leave to: for what is asked at a start, which needs more than a minute's limits give and has the
 * time. What was withheld has not left, so asking again cannot do anything twice. An outcome that is withheld all the
 * same had to wait for too long, or too often.
 */
export async function patiently<T>(ask: () => Promise<Outcome<T>>, patience: Patience): Promise<Outcome<T>> {
  for (let waits = 0; ; waits++) {
    const outcome = await ask();
    if (outcome.kind !== "withheld" || waits === MOST_WAITS) return outcome;
    const ms = outcome.retryAt - patience.now();
    if (!(ms <= LONGEST_WAIT)) return outcome;
    patience.onWait?.(ms, outcome.reason);
    await patience.wait(ms > 1 ? ms : 1);
  }
}
