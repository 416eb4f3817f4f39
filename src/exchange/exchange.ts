import type { AmendRequest, Effect, OrderRequest } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";

/** How real the money is. Shown everywhere. */
export type Venue = "simulated" | "paper" | "live";

/** Events that come from a venue; the others are made by the shell. */
export type VenueEvent = Exclude<Event, { kind: "command" | "setting" | "hold" | "analysis" | "model" | "timer" }>;

/**
 * The seam between the trader and a market: events in, order requests out.
 *
 * Contract (tests/contract/exchange.test.ts): `next` never goes back in time and follows the order of
 * `compareEvents`; every request is answered by events and never by an exception; each order ends exactly once;
 * fills of an order never exceed its lots; a reduce-only order never opens.
 */
export interface Exchange {
  readonly venue: Venue;
  /** Sorted by symbol name; events refer to them by index. */
  readonly instruments: readonly Instrument[];
  /**
   * Takes the next event whose time is at most `until`, or undefined when there is none (yet). An event is only
   * worked out when it is taken, so that requests sent before can matter for it.
   */
  next(until: number): VenueEvent | undefined;
  /** True when no event will ever come again. */
  readonly ended: boolean;
  /** Hands over a request at the core's time `now`. */
  send(request: VenueRequest, now: number): void;
}

export type VenueRequest =
  | { readonly kind: "submit"; readonly order: OrderRequest }
  | { readonly kind: "cancel"; readonly order: number; readonly symbol: number }
  | AmendRequest;

/** Whether an effect of the core asks something of the exchange. */
export function isRequest(effect: Effect): effect is VenueRequest {
  return effect.kind === "submit" || effect.kind === "cancel" || effect.kind === "amend";
}
