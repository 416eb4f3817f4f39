import { Parameters } from "./parameters.ts";
import { LimitError } from "./rate-limits.ts";
import { type Call, credentialOfKey, ROUTES, weightOf } from "./routes.ts";
import { type Credential, checkTimestamp, isSignedBy, mandatory, signedMessage } from "./signature.ts";
import { parseMessage } from "./stream-hub.ts";
import type { Venue } from "./venue.ts";
import { type Json, WireError } from "./wire.ts";

/** Methods by the REST route that does the same. */
const METHODS: Readonly<Record<string, string>> = {
  ping: "GET /fapi/v1/ping",
  time: "GET /fapi/v1/time",
  exchangeInfo: "GET /fapi/v1/exchangeInfo",
  depth: "GET /fapi/v1/depth",
  "ticker.price": "GET /fapi/v1/ticker/price",
  "ticker.book": "GET /fapi/v1/ticker/bookTicker",
  "order.place": "POST /fapi/v1/order",
  "order.modify": "PUT /fapi/v1/order",
  "order.cancel": "DELETE /fapi/v1/order",
  "order.status": "GET /fapi/v1/order",
  "algoOrder.place": "POST /fapi/v1/algoOrder",
  "algoOrder.cancel": "DELETE /fapi/v1/algoOrder",
  "account.balance": "GET /fapi/v2/balance",
  "v2/account.balance": "GET /fapi/v3/balance",
  "account.status": "GET /fapi/v2/account",
  "v2/account.status": "GET /fapi/v3/account",
  "account.position": "GET /fapi/v2/positionRisk",
  "v2/account.position": "GET /fapi/v3/positionRisk",
  "userDataStream.start": "POST /fapi/v1/listenKey",
  "userDataStream.ping": "PUT /fapi/v1/listenKey",
  "userDataStream.stop": "DELETE /fapi/v1/listenKey",
};

/** One connection to the WS API: who has logged on through it. */
export class ApiSession {
  readonly ip: string;
  credential: Credential | undefined;
  readonly connected: number;
  authorised = 0;

  constructor(ip: string, now: number) {
    this.ip = ip;
    this.connected = now;
  }
}

/** Which REST route a message stands for, and the id that its answer has to have. */
export function routeOfMessage(text: string): { readonly route: string; readonly id: Json } {
  const message = parseMessage(text);
  return { route: METHODS[message?.method ?? ""] ?? message?.method ?? "", id: message?.id ?? null };
}

/** Answers one message of the WS API; the id comes back as it came. */
export function answerMessage(venue: Venue, session: ApiSession, text: string, now: number): string {
  venue.tick(now);
  const message = parseMessage(text);
  if (message === undefined) return error(venue, session, null, new WireError(-1135, "Invalid JSON Request"), now);
  try {
    const parameters = Parameters.ofObject(message.params);
    const result = message.method.startsWith("session.")
      ? sessionMethod(venue, session, message.method, parameters, now)
      : perform(venue, session, message.method, parameters, now);
    const limits =
      parameters.text("returnRateLimits") === "false" ? {} : { rateLimits: rateLimits(venue, session, now) };
    return JSON.stringify({ id: message.id, status: 200, result, ...limits });
  } catch (problem) {
    if (!(problem instanceof WireError)) throw problem;
    return error(venue, session, message.id, problem, now);
  }
}

function perform(venue: Venue, session: ApiSession, method: string, parameters: Parameters, now: number): Json {
  const name = METHODS[method];
  const route = name === undefined ? undefined : ROUTES[name];
  if (route === undefined) throw new WireError(-1136, `Unknown method ${method}`);
  venue.limits.weigh(session.ip, weightOf(route, parameters), now);
  if (route.security === "signed") authenticate(venue, session, parameters, now);
  else if (route.security === "key" && session.credential === undefined) {
    credentialOfKey(venue.options.credentials, parameters.text("apiKey"), session.ip);
  }
  if (route.orders !== undefined) venue.limits.order(route.orders, now);
  const call: Call = { venue, parameters, now };
  return route.handle(call);
}

/** A message of a session that is logged on needs no signature, but a timestamp still. */
function authenticate(venue: Venue, session: ApiSession, parameters: Parameters, now: number): void {
  const signature = parameters.text("signature");
  if (signature === undefined && session.credential !== undefined) {
    checkTimestamp(parameters.values, now);
    return;
  }
  checkSigned(venue, session, parameters, signature, now);
}

function checkSigned(
  venue: Venue,
  session: ApiSession,
  parameters: Parameters,
  signature: string | undefined,
  now: number,
): Credential {
  const credential = credentialOfKey(venue.options.credentials, parameters.text("apiKey"), session.ip);
  checkTimestamp(parameters.values, now);
  if (signature === undefined) throw mandatory("signature");
  if (!isSignedBy(credential, signedMessage(parameters.values), signature)) {
    throw new WireError(-1022, "Signature for this request is not valid.");
  }
  return credential;
}

function sessionMethod(venue: Venue, session: ApiSession, method: string, parameters: Parameters, now: number): Json {
  venue.limits.weigh(session.ip, 2, now);
  switch (method) {
    case "session.logon": {
      const credential = checkSigned(venue, session, parameters, parameters.text("signature"), now);
      if (credential.scheme !== "ed25519") {
        throw new WireError(-4056, "HMAC_SHA256 API key is not supported: session.logon needs an Ed25519 key.");
      }
      session.credential = credential;
      session.authorised = now;
      return sessionJson(session, now);
    }
    case "session.logout":
      session.credential = undefined;
      return sessionJson(session, now);
    case "session.status":
      return sessionJson(session, now);
    default:
      throw new WireError(-1136, `Unknown method ${method}`);
  }
}

function sessionJson(session: ApiSession, now: number): Json {
  return {
    apiKey: session.credential?.apiKey ?? null,
    authorizedSince: session.credential === undefined ? null : session.authorised,
    connectedSince: session.connected,
    returnRateLimits: true,
    serverTime: now,
  };
}

function rateLimits(venue: Venue, session: ApiSession, now: number): Json {
  const { weight, ordersPer10s, ordersPerMinute } = venue.limits.options;
  const { tenSeconds, minute } = venue.limits.orderCounts(now);
  const used = venue.limits.usedWeight(session.ip, now);
  return [
    { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: weight, count: used },
    { rateLimitType: "ORDERS", interval: "SECOND", intervalNum: 10, limit: ordersPer10s, count: tenSeconds },
    { rateLimitType: "ORDERS", interval: "MINUTE", intervalNum: 1, limit: ordersPerMinute, count: minute },
  ];
}

function error(venue: Venue, session: ApiSession, id: Json, problem: WireError, now: number): string {
  const wait =
    problem instanceof LimitError ? { data: { serverTime: now, retryAfter: now + problem.retryAfter * 1000 } } : {};
  return JSON.stringify({
    id,
    status: problem.status,
    error: { code: problem.code, msg: problem.message, ...wait },
    rateLimits: rateLimits(venue, session, now),
  });
}
