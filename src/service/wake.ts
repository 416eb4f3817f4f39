/**
 * Wakes the loop when something comes in, also when that was while the loop was busy.
 *
 * A thread that has slept finds its processor given to others and its memory out of the caches, and then takes several
 * times as long for the same work (docs/performance.md, Tick to order). One that spins stays awake, and costs a processor.
 */
export class Wake {
  readonly #spins: boolean;
  #pending = false;
  #resolve: (() => void) | undefined;

  /** @param spins look for what comes in again and again instead of sleeping */
  constructor(spins: boolean) {
    this.#spins = spins;
  }

  now(): void {
    this.#pending = true;
    this.#resolve?.();
  }

  /** Resolves when something has come in, or after `most` ms; what comes by sockets gets its turn in any case. */
  async wait(most: number): Promise<void> {
    if (this.#pending || most <= 0) {
      await turn();
    } else if (this.#spins) {
      const until = performance.now() + most;
      do await turn();
      while (!this.#pending && performance.now() < until);
    } else {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resolve = resolve;
      const timer = setTimeout(resolve, most);
      await promise;
      clearTimeout(timer);
      this.#resolve = undefined;
    }
    this.#pending = false;
  }
}

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
