import type { Notice } from "./protocol.ts";

/** Warnings or alarms that say the same but for their numbers. */
export interface Incident {
  readonly level: "warning" | "alarm";
  /** As it was said last. */
  readonly text: string;
  readonly count: number;
  /** Market time of the first and the last, ms UTC. */
  readonly first: number;
  readonly last: number;
  /** Wall-clock time of the last, ms UTC. */
  readonly at: number;
}

const KINDS_MAX = 500;

/** What went wrong, each kind once however often it happens: a thousand repetitions hide nothing else. */
export class Incidents {
  /** The one that happened last is last. */
  readonly #kinds = new Map<string, Incident>();

  add({ level, text, time, at }: Notice): void {
    if (level === "info") return;
    const kind = `${level} ${text.replace(/\d+(?:[.,]\d+)*/g, "#")}`;
    const before = this.#kinds.get(kind);
    this.#kinds.delete(kind);
    this.#kinds.set(kind, {
      level,
      text,
      count: (before?.count ?? 0) + 1,
      first: before?.first ?? time,
      last: time,
      at,
    });
    if (this.#kinds.size > KINDS_MAX) this.#kinds.delete(this.#kinds.keys().next().value!);
  }

  /** The one that happened last is first. */
  newest(limit: number): Incident[] {
    return [...this.#kinds.values()].slice(-limit).reverse();
  }
}
