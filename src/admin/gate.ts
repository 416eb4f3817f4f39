import type { Authenticator, Identity } from "./authentication.ts";
import type { RateLimit } from "./rate-limit.ts";

/** What may pass the gate without a token: whether we live, and what a browser needs to ask for one. */
const OPEN = new Set(["/healthz", "/readyz", "/", "/docs", "/favicon.ico"]);
const OPEN_FOLDERS = ["/assets/"];
/** Signing in carries its token in the body. */
const SIGN_IN = "/api/session";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE"]);

/** Questions that take the worker long, in simple requests; and whatever changes something, which goes to files. */
const COSTS: Readonly<Record<string, number>> = {
  "/api/why": 40,
  "/api/data": 40,
  "/api/chart": 20,
  "/api/statistics": 5,
};
const WRITE_COST = 10;

export interface GateOptions {
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  /** `host` and `host:port` values that are ours, in lower case. */
  readonly hosts: ReadonlySet<string>;
  /** https when we have a certificate. */
  readonly scheme: "http" | "https";
  /** Name of the session's cookie. */
  readonly cookie: string;
  readonly metricsOpen: boolean;
}

export type Passage =
  /** Nobody in particular, on a path that is open. */
  | { readonly kind: "open"; readonly path: string; readonly identity: Identity | undefined }
  | { readonly kind: "known"; readonly path: string; readonly identity: Identity }
  | { readonly kind: "refused"; readonly status: number; readonly message: string; readonly retryAfter?: number };

/**
 * Decides of every request whether it comes in at all, before anything reads it: Host (no DNS rebinding), path, method,
 * Origin (no other page's script, WebSockets included), content type, token or session, and rate. Whoever is known has
 * a rate of his own: strangers who share his address, as behind a proxy, cannot use it up.
 */
export function passGate(options: GateOptions, request: Request, address: string, now: number): Passage {
  const judged = judge(options, request, address, now);
  const known = judged.kind !== "refused" && judged.identity !== undefined ? judged.identity.actor : undefined;
  const writes = request.method !== "GET" && request.method !== "HEAD";
  const cost = judged.kind === "refused" ? 1 : writes ? WRITE_COST : (COSTS[judged.path] ?? 1);
  const wait = options.rateLimit.wait(known === undefined ? address : `=${known}`, now, cost);
  return wait > 0 ? refused(429, "too many requests", wait) : judged;
}

function judge(options: GateOptions, request: Request, address: string, now: number): Passage {
  const host = request.headers.get("host")?.toLowerCase() ?? "";
  if (!options.hosts.has(host)) {
    return refused(421, `this is not a name of this service: ${host.slice(0, 100)} (see ADMIN_ALLOWED_HOSTS)`);
  }
  const path = plainPath(request.url);
  if (path === undefined) return refused(400, "write the path plainly, without dots, backslashes and the like");
  if (!METHODS.has(request.method)) return refused(405, `${request.method} is not answered`);
  const origin = request.headers.get("origin");
  if (origin !== null && !isOwnOrigin(options, origin)) return refused(403, "requests of other pages are not answered");
  // Browsers say which page a request comes from even where they send no Origin.
  const site = request.headers.get("sec-fetch-site");
  const navigation = request.headers.get("sec-fetch-mode") === "navigate" && request.method === "GET";
  if (site !== null && site !== "same-origin" && site !== "none" && !(navigation && isOpen(path))) {
    return refused(403, "requests of other pages are not answered");
  }
  const writes = request.method !== "GET" && request.method !== "HEAD";
  if (writes && request.body !== null) {
    const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
    if (type !== "application/json") return refused(415, "bodies are JSON: send Content-Type: application/json");
  }

  const authorization = request.headers.get("authorization");
  if (authorization !== null) {
    const [scheme = "", token = ""] = authorization.split(" ");
    if (scheme.toLowerCase() !== "bearer") return refused(401, "send Authorization: Bearer <token>");
    const judged = options.authenticator.token(token, address, now);
    if (judged.kind === "locked") return refused(429, "too many wrong tokens; wait", judged.retryAfter);
    if (judged.kind === "unknown") return refused(401, "the token is wrong");
    return { kind: "known", path, identity: judged.identity };
  }
  const cookie = sessionOf(request, options.cookie);
  const identity = cookie === undefined ? undefined : options.authenticator.session(cookie, now);
  if (identity !== undefined) return { kind: "known", path, identity };
  const open =
    isOpen(path) || (path === "/metrics" && options.metricsOpen) || (path === SIGN_IN && request.method === "POST");
  if (open) return { kind: "open", path, identity: undefined };
  return refused(401, "a token is needed: Authorization: Bearer <token>, or sign in at /");
}

/**
 * The path of an address; undefined where it is not written as it is meant. Whoever reads it after us then reads the
 * same: what the gate took for an open page cannot be another path to the router.
 */
function plainPath(address: string): string | undefined {
  const url = URL.parse(address);
  if (url === null) return undefined;
  const written = address.slice(address.indexOf("/", address.indexOf("://") + 3)).split(/[?#]/)[0];
  return written === url.pathname ? url.pathname : undefined;
}

function isOpen(path: string): boolean {
  return OPEN.has(path) || OPEN_FOLDERS.some((folder) => path.startsWith(folder));
}

function isOwnOrigin({ hosts, scheme }: GateOptions, origin: string): boolean {
  const url = URL.parse(origin);
  return url !== null && (url.protocol === `${scheme}:` || url.protocol === "https:") && hosts.has(url.host);
}

/** The session in the cookies of a request. @param cookie its name */
export function sessionOf(request: Request, cookie: string): string | undefined {
  for (const part of request.headers.get("cookie")?.split(";") ?? []) {
    const [name, value] = part.trim().split("=");
    if (name === cookie && value) return value;
  }
  return undefined;
}

function refused(status: number, message: string, retryAfter?: number): Passage {
  return { kind: "refused", status, message, ...(retryAfter === undefined ? {} : { retryAfter }) };
}
