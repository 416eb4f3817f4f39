import type { AnswerEvent } from "../core/events.ts";
import type { Exchange, VenueEvent, VenueRequest } from "./exchange.ts";

/** Says why a request must not leave at this moment, or undefined when it may. */
export type Gate = (request: VenueRequest) => string | undefined;

/** Code of the answers to what did not leave. */
const NOT_SENT = 0;

type CancelRequest = Extract<VenueRequest, { kind: "cancel" }>;

/** Whether a request could open a position or make one larger. All others only make less of what there is. */
export function opens(request: VenueRequest): request is Exclude<VenueRequest, CancelRequest> {
  if (request.kind === "cancel") return false;
  // Said by what the order is for: in hedge mode nothing is reduce-only.
  return request.kind === "amend" || request.order.purpose === "entry";
}

/**
 * An exchange behind a gate that is asked right before each request leaves. What opens and may not leave is answered as
 * refused, so that the core goes on from what is so: it decides anew when it may. Stops, exits and cancellations are
 * wanted whenever they can be had: they wait, and leave in their order as soon as the gate lets them.
 */
export class GatedExchange implements Exchange {
  readonly venue: Exchange["venue"];
  readonly instruments: Exchange["instruments"];
  readonly #inner: Exchange;
  readonly #gate: Gate;
  readonly #answers: AnswerEvent[] = [];
  readonly #waiting: VenueRequest[] = [];
  /** The latest time that the core and the venue have told each other, ms. */
  #now = Number.NEGATIVE_INFINITY;

  constructor(inner: Exchange, gate: Gate) {
    this.venue = inner.venue;
    this.instruments = inner.instruments;
    this.#inner = inner;
    this.#gate = gate;
  }

  /** Stops, exits and cancellations that wait for the gate. */
  get waiting(): number {
    return this.#waiting.length;
  }

  next(until: number): VenueEvent | undefined {
    this.#release();
    // They bear the time of the core when it asked, before which nothing more can come.
    const first = this.#answers[0];
    if (first !== undefined && first.time <= until) return this.#answers.shift();
    const event = this.#inner.next(until);
    if (event !== undefined && event.time > this.#now) this.#now = event.time;
    return event;
  }

  get ended(): boolean {
    return this.#answers.length === 0 && this.#inner.ended;
  }

  send(request: VenueRequest, now: number): void {
    if (now > this.#now) this.#now = now;
    // Nothing overtakes what waits: a stop comes before its cancellation.
    this.#release();
    const reason = this.#gate(request);
    if (opens(request)) {
      if (reason === undefined) this.#inner.send(request, now);
      else this.#answers.push(refusal(request, reason, now));
    } else if (reason === undefined && this.#waiting.length === 0) {
      this.#inner.send(request, now);
    } else {
      this.#waiting.push(request);
    }
  }

  #release(): void {
    for (let request = this.#waiting[0]; request !== undefined; request = this.#waiting[0]) {
      if (this.#gate(request) !== undefined) return;
      this.#waiting.shift();
      this.#inner.send(request, this.#now);
    }
  }
}

function refusal(request: Exclude<VenueRequest, CancelRequest>, reason: string, time: number): AnswerEvent {
  const head = { kind: "answer", time, code: NOT_SENT, reason: `not sent: ${reason}` } as const;
  switch (request.kind) {
    case "submit":
      return { ...head, symbol: request.order.symbol, order: request.order.id, answer: "rejected" };
    case "amend":
      return { ...head, symbol: request.symbol, order: request.order, answer: "amend-rejected" };
  }
}
