import { ACCOUNT_ROUTES } from "./account-routes.ts";
import { MARKET_ROUTES } from "./market-routes.ts";
import { Parameters } from "./parameters.ts";
import { LimitError } from "./rate-limits.ts";
import { type Credential, checkTimestamp, isSignedBy, mandatory, signedPart } from "./signature.ts";
import { TRADE_ROUTES } from "./trade-routes.ts";
import type { Venue } from "./venue.ts";
import { type Json, WireError, type WireRequest, type WireResponse } from "./wire.ts";

/** One request that is allowed to be made. */
export interface Call {
  readonly venue: Venue;
  readonly parameters: Parameters;
  /** The exchange's own clock, ms UTC. */
  readonly now: number;
}

export interface Route {
  /** Request weight. */
  readonly weight: number | ((parameters: Parameters) => number);
  /** Orders that it counts as. */
  readonly orders?: number;
  /** "key": the API key alone; "signed": timestamp and signature too. */
  readonly security: "none" | "key" | "signed";
  /** @throws WireError */
  readonly handle: (call: Call) => Json;
}

export const ROUTES: Readonly<Record<string, Route>> = { ...MARKET_ROUTES, ...ACCOUNT_ROUTES, ...TRADE_ROUTES };

export function weightOf(route: Route, parameters: Parameters): number {
  return typeof route.weight === "number" ? route.weight : route.weight(parameters);
}

/**
 * Answers a REST request.
 *
 * @param now the exchange's own clock, by which timestamps and limits are judged
 */
export function answerRequest(venue: Venue, request: WireRequest, now: number): WireResponse {
  venue.tick(now);
  const route = ROUTES[`${request.method} ${request.path}`];
  let counted = false;
  try {
    if (route === undefined) {
      throw new WireError(-5000, `Path ${request.path}, Method ${request.method} is invalid`, 404);
    }
    const parameters = Parameters.ofForm(request.query, request.body);
    venue.limits.weigh(request.ip, weightOf(route, parameters), now);
    counted = true;
    if (route.security !== "none") {
      const credential = credentialOfKey(venue.options.credentials, request.apiKey, request.ip);
      if (route.security === "signed") authenticate(credential, request, parameters, now);
    }
    if (route.orders !== undefined) venue.limits.order(route.orders, now);
    const json = route.handle({ venue, parameters, now });
    return respond(venue, request.ip, now, 200, JSON.stringify(json));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const body = JSON.stringify({ code: error.code, msg: error.message });
    const response = respond(venue, request.ip, now, error.status, body);
    if (!(error instanceof LimitError)) return response;
    // Being over the limit is told even to those who are banned.
    return {
      ...response,
      headers: { ...(counted ? response.headers : HEADERS), "retry-after": String(error.retryAfter) },
    };
  }
}

const HEADERS = { "content-type": "application/json;charset=UTF-8" };

function respond(venue: Venue, ip: string, now: number, status: number, body: string): WireResponse {
  const { tenSeconds, minute } = venue.limits.orderCounts(now);
  return {
    status,
    headers: {
      ...HEADERS,
      "x-mbx-used-weight-1m": String(venue.limits.usedWeight(ip, now)),
      "x-mbx-order-count-10s": String(tenSeconds),
      "x-mbx-order-count-1m": String(minute),
    },
    body,
  };
}

/** @throws WireError -2014 without a key, -2015 for one that nobody has */
export function credentialOfKey(
  credentials: readonly Credential[],
  apiKey: string | undefined,
  ip: string,
): Credential {
  if (apiKey === undefined || apiKey === "") throw new WireError(-2014, "API-key format invalid.");
  const credential = credentials.find((known) => known.apiKey === apiKey);
  if (credential !== undefined) return credential;
  throw new WireError(-2015, `Invalid API-key, IP, or permissions for action, request ip: ${ip}`);
}

function authenticate(credential: Credential, request: WireRequest, parameters: Parameters, now: number): void {
  checkTimestamp(parameters.values, now);
  const { payload, signature } = signedPart(request.query, request.body);
  if (signature === undefined || signature === "") throw mandatory("signature");
  if (!isSignedBy(credential, payload, signature)) {
    throw new WireError(-1022, "Signature for this request is not valid.");
  }
}
