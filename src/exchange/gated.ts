import type { AnswerEvent } from "../core/events.ts";
import type { Exchange, VenueEvent, VenueRequest } from "./exchange.ts";

/** Says why a request must not leave at this moment, or undefined when it may. */
export type Gate = (request: VenueRequest) => string | undefined;

/** Code of the answers to what did not leave. */
const NOT_SENT = 0;

/**
 * An exchange behind a gate that is asked right before each request leaves. What may not leave is answered as refused,
 * so that the core goes on from what is so.
 */
export class GatedExchange implements Exchange {
  readonly venue: Exchange["venue"];
  readonly instruments: Exchange["instruments"];
  readonly #inner: Exchange;
  readonly #gate: Gate;
  readonly #answers: AnswerEvent[] = [];

  constructor(inner: Exchange, gate: Gate) {
    this.venue = inner.venue;
    this.instruments = inner.instruments;
    this.#inner = inner;
    this.#gate = gate;
  }

  next(until: number): VenueEvent | undefined {
    // They bear the time of the core when it asked, before which nothing more can come.
    const first = this.#answers[0];
    if (first !== undefined && first.time <= until) return this.#answers.shift();
    return this.#inner.next(until);
  }

  get ended(): boolean {
    return this.#answers.length === 0 && this.#inner.ended;
  }

  send(request: VenueRequest, now: number): void {
    const reason = this.#gate(request);
    if (reason === undefined) return this.#inner.send(request, now);
    this.#answers.push({
      kind: "answer",
      time: now,
      code: NOT_SENT,
      reason: `not sent: ${reason}`,
      ...refusal(request),
    });
  }
}

function refusal(request: VenueRequest): Pick<AnswerEvent, "symbol" | "order" | "answer"> {
  switch (request.kind) {
    case "submit":
      return { symbol: request.order.symbol, order: request.order.id, answer: "rejected" };
    case "cancel":
      return { symbol: request.symbol, order: request.order, answer: "cancel-rejected" };
    case "amend":
      return { symbol: request.symbol, order: request.order, answer: "amend-rejected" };
  }
}
