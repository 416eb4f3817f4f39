import type { Authenticator, Identity } from "./authentication.ts";
import { SESSION_COOKIE } from "./authentication.ts";
import type { RateLimit } from "./rate-limit.ts";

/** What may pass the gate without a token: whether we live, and what a browser needs to ask for one. */
const OPEN = new Set(["/healthz", "/readyz", "/", "/docs", "/favicon.ico"]);
const OPEN_FOLDERS = ["/assets/"];
/** Signing in carries its token in the body. */
const SIGN_IN = "/api/session";

export interface GateOptions {
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  /** `host` and `host:port` values that are ours, in lower case. */
  readonly hosts: ReadonlySet<string>;
  /** https when we have a certificate. */
  readonly scheme: "http" | "https";
  readonly metricsOpen: boolean;
}

export type Passage =
  /** Nobody in particular, on a path that is open. */
  | { readonly kind: "open"; readonly identity: Identity | undefined }
  | { readonly kind: "known"; readonly identity: Identity }
  | { readonly kind: "refused"; readonly status: number; readonly message: string; readonly retryAfter?: number };

/**
 * Decides of every request whether it comes in at all, before anything reads it: rate, Host (no DNS rebinding), Origin
 * (no other page's script, WebSockets included), content type, token or session.
 */
export function passGate(options: GateOptions, request: Request, address: string, now: number): Passage {
  const wait = options.rateLimit.wait(address, now);
  if (wait > 0) return refused(429, "too many requests", wait);
  const { pathname } = new URL(request.url);

  const host = request.headers.get("host")?.toLowerCase() ?? "";
  if (!options.hosts.has(host)) {
    return refused(421, `this is not a name of this service: ${host.slice(0, 100)} (see ADMIN_ALLOWED_HOSTS)`);
  }
  const origin = request.headers.get("origin");
  if (origin !== null && !isOwnOrigin(options, origin)) return refused(403, "requests of other pages are not answered");
  // Browsers say which page a request comes from even where they send no Origin.
  const site = request.headers.get("sec-fetch-site");
  const navigation = request.headers.get("sec-fetch-mode") === "navigate" && request.method === "GET";
  if (site !== null && site !== "same-origin" && site !== "none" && !(navigation && isOpen(pathname))) {
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
    return { kind: "known", identity: judged.identity };
  }
  const cookie = sessionOf(request);
  const identity = cookie === undefined ? undefined : options.authenticator.session(cookie, now);
  if (identity !== undefined) return { kind: "known", identity };
  if (isOpen(pathname) || (pathname === "/metrics" && options.metricsOpen))
    return { kind: "open", identity: undefined };
  if (pathname === SIGN_IN && request.method === "POST") return { kind: "open", identity: undefined };
  return refused(401, "a token is needed: Authorization: Bearer <token>, or sign in at /");
}

function isOpen(path: string): boolean {
  return OPEN.has(path) || OPEN_FOLDERS.some((folder) => path.startsWith(folder));
}

function isOwnOrigin({ hosts, scheme }: GateOptions, origin: string): boolean {
  const url = URL.parse(origin);
  return url !== null && (url.protocol === `${scheme}:` || url.protocol === "https:") && hosts.has(url.host);
}

/** The session in the cookies of a request. */
export function sessionOf(request: Request): string | undefined {
  for (const part of request.headers.get("cookie")?.split(";") ?? []) {
    const [name, value] = part.trim().split("=");
    if (name === SESSION_COOKIE && value) return value;
  }
  return undefined;
}

function refused(status: number, message: string, retryAfter?: number): Passage {
  return { kind: "refused", status, message, ...(retryAfter === undefined ? {} : { retryAfter }) };
}
