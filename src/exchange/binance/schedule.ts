/** What is to be done at some time. The shell runs what is due, so that no test and no replay waits for a real clock. */
export class Schedule {
  /** By rising time; equal times in the order in which they were asked for. */
  readonly #entries: { readonly at: number; readonly task: () => void }[] = [];

  at(time: number, task: () => void): void {
    const entry = { at: time, task };
    let place = this.#entries.length;
    while (place > 0 && this.#entries[place - 1]!.at > time) place--;
    this.#entries.splice(place, 0, entry);
  }

  /** When something is due next; Infinity when nothing is. */
  get next(): number {
    return this.#entries[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Runs what is due, and what becomes due by it. */
  run(now: number): void {
    while (this.next <= now) this.#entries.shift()!.task();
  }
}
