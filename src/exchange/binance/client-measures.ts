import type { Outcome } from "./gateway.ts";

/** The connections of a client, by what they carry. */
export type Stream = "public" | "market" | "private" | "orders";

/** Where a client reports what it measures. */
export interface ClientMeasures {
  /** A request has come to its end. */
  asked(outcome: Outcome<unknown>["kind"]): void;
  /** From the wish to send an order until its bytes were handed to a socket, the wait for the budget included; seconds. */
  sent(seconds: number): void;
  /** From the wish to send an order until the exchange's answer, seconds. */
  answered(seconds: number): void;
  /** A connection is up again that had been up before. */
  reconnected(stream: Stream): void;
}

/** Counts what nobody asks for. */
export const UNMEASURED: ClientMeasures = { asked() {}, sent() {}, answered() {}, reconnected() {} };

/** Tells the first time that a stream is up from the later ones. */
export class Reconnections {
  readonly #seen = new Set<Stream>();

  /** True for every time but the first. */
  up(stream: Stream): boolean {
    const again = this.#seen.has(stream);
    this.#seen.add(stream);
    return again;
  }
}
