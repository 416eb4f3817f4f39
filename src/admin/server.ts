import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Server } from "bun";
import { type ApiParts, createApi, json } from "./api.ts";
import { Authenticator, type Identity } from "./authentication.ts";
import { type ClientData, EventStream } from "./event-stream.ts";
import { type GateOptions, passGate, sessionOf } from "./gate.ts";
import { page } from "./pages.ts";
import type { AdminStart } from "./protocol.ts";
import { RateLimit } from "./rate-limit.ts";

/** Bodies are a name and a value. */
const BODY_MAX = 16 * 1024;
const IDLE_SECONDS = 60;

export interface AdminServerParts extends Pick<ApiParts, "mirror" | "ask" | "metrics" | "latency" | "store"> {
  readonly start: AdminStart;
  /** Somebody has tried so many tokens that his address has to wait. */
  readonly onLockOut: (address: string) => void;
}

export interface AdminServer {
  readonly url: string;
  readonly port: number;
  readonly events: EventStream;
  stop(): Promise<void>;
}

/**
 * Opens the door: every request passes the gate, then goes to the pages, the session, the event stream or the REST
 * interface. Answers carry headers that let a browser do nothing but what our own pages do.
 * @throws the system's error when the port cannot be had.
 */
export function serveAdmin({ start, mirror, ask, metrics, latency, store, onLockOut }: AdminServerParts): AdminServer {
  const authenticator = new Authenticator(start.operatorToken, start.viewerToken, onLockOut);
  const identities = new WeakMap<Request, Identity>();
  const now = () => performance.now();
  const api = createApi({
    mirror,
    ask,
    now,
    metrics,
    latency,
    store,
    identityOf: (request) => identities.get(request),
    models: start.models,
  });
  const events = new EventStream();
  const scheme = start.tls === undefined ? "http" : "https";
  const hosts = new Set<string>();
  let gate: GateOptions;

  const open = (port: number): Server<ClientData> =>
    Bun.serve<ClientData>({
      hostname: start.host,
      port,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: BODY_MAX,
      ...(start.tls === undefined
        ? {}
        : { tls: { cert: readFileSync(start.tls.cert), key: readFileSync(start.tls.key) } }),
      async fetch(request, server) {
        return secured(await answer(request, server), scheme);
      },
      error(error) {
        // Nothing of an error goes out; it is a bug, and its place is the log.
        process.stderr.write(`penstock: admin: ${error.stack ?? error.message}\n`);
        return secured(json(500, { error: "this failed; the log has more" }), scheme);
      },
      websocket: {
        maxPayloadLength: 1024,
        idleTimeout: 120,
        open: (client) => events.open(client),
        close: (client) => events.close(client),
        // The stream only talks.
        message() {},
      },
    });

  async function answer(request: Request, server: Server<ClientData>): Promise<Response | undefined> {
    const address = server.requestIP(request)?.address ?? "";
    const passage = passGate(gate, request, address, now());
    if (passage.kind === "refused") {
      const headers: Record<string, string> = passage.status === 401 ? { "www-authenticate": "Bearer" } : {};
      if (passage.status === 405) headers.allow = "GET, HEAD, POST, PUT, DELETE";
      if (passage.retryAfter !== undefined) headers["retry-after"] = String(Math.ceil(passage.retryAfter / 1000));
      return Response.json({ error: passage.message }, { status: passage.status, headers });
    }
    const { path, identity } = passage;
    if (path === "/api/session") return session(request, address, identity);
    if (path === "/api/events") return stream(request, server, identity);
    if (request.method === "GET" || request.method === "HEAD") {
      const found = page(path, request.headers.get("accept-encoding")?.includes("gzip") ?? false);
      if (found !== undefined) return found;
    }
    // The server leaves the body of an answer to HEAD out by itself.
    const asked = request.method === "HEAD" ? new Request(request, { method: "GET" }) : request;
    if (identity !== undefined) identities.set(asked, identity);
    return api.handle(asked);
  }

  async function session(request: Request, address: string, identity: Identity | undefined): Promise<Response> {
    // A proxy in front of us may do the encryption: the browser says how it reaches us.
    const encrypted = scheme === "https" || request.headers.get("origin")?.startsWith("https:");
    const attributes = `HttpOnly; SameSite=Strict; Path=/${encrypted ? "; Secure" : ""}`;
    switch (request.method) {
      case "GET":
      case "HEAD":
        return json(200, { role: identity?.role ?? null });
      case "POST": {
        const token = await tokenIn(request);
        if (token === undefined) return json(422, { error: 'send { "token": "…" }' });
        const judged = authenticator.token(token, address, now());
        if (judged.kind === "locked") {
          const retryAfter = String(Math.ceil(judged.retryAfter / 1000));
          return Response.json(
            { error: "too many wrong tokens; wait" },
            { status: 429, headers: { "retry-after": retryAfter } },
          );
        }
        if (judged.kind === "unknown") return json(401, { error: "the token is wrong" });
        const cookie = `${gate.cookie}=${authenticator.open(judged.identity, now())}; ${attributes}`;
        return Response.json({ role: judged.identity.role }, { headers: { "set-cookie": cookie } });
      }
      case "DELETE": {
        const id = sessionOf(request, gate.cookie);
        if (id !== undefined) authenticator.close(id);
        return new Response(null, {
          status: 204,
          headers: { "set-cookie": `${gate.cookie}=; Max-Age=0; ${attributes}` },
        });
      }
      default:
        return json(405, { error: "GET, POST or DELETE" });
    }
  }

  function stream(request: Request, server: Server<ClientData>, identity: Identity | undefined): Response | undefined {
    if (identity === undefined) return json(401, { error: "a token is needed" });
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
      return json(426, { error: "this is a WebSocket" });
    if (events.isFull) return json(503, { error: "too many clients" });
    // Whoever came with a session listens as long as it lasts; to listen is to use it.
    const id = request.headers.has("authorization") ? undefined : sessionOf(request, gate.cookie);
    const isKnown = () => id === undefined || authenticator.session(id, now()) !== undefined;
    if (server.upgrade(request, { data: { isKnown } })) return undefined;
    return json(400, { error: "the WebSocket handshake failed" });
  }

  let server: Server<ClientData>;
  try {
    server = open(start.port);
  } catch (error) {
    if (!start.anyPort || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    server = open(0);
  }
  const port = server.port!;
  const host = start.host.toLowerCase();
  const written = isIP(host) === 6 ? `[${host}]` : host;
  for (const name of ["localhost", "127.0.0.1", "[::1]", written]) {
    hosts.add(`${name}:${port}`);
    // Browsers leave the usual port out; without a port any other name would be that of another service here.
    if (port === (scheme === "https" ? 443 : 80)) hosts.add(name);
  }
  for (const name of start.hosts) {
    hosts.add(name);
    hosts.add(`${name}:${port}`);
  }
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : written;
  gate = {
    authenticator,
    rateLimit: new RateLimit(),
    hosts,
    scheme,
    // Browsers do not tell ports apart where cookies are concerned: two traders on one machine need two names.
    cookie: `penstock_session_${port}`,
    metricsOpen: start.metricsOpen,
  };
  return {
    url: `${scheme}://${shown}:${port}/`,
    port,
    events,
    async stop() {
      events.end();
      await server.stop(true);
    },
  };
}

async function tokenIn(request: Request): Promise<string | undefined> {
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    // Whatever came was no JSON: the caller says what is wanted.
    return undefined;
  }
  const token = (body as { token?: unknown } | null)?.token;
  return typeof token === "string" && token.length <= 1000 ? token : undefined;
}

/** Pages may load our own scripts and styles and talk to us, and nothing else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function secured(response: Response | undefined, scheme: string): Response | undefined {
  if (response === undefined) return undefined;
  const { headers } = response;
  headers.set("content-security-policy", POLICY);
  headers.set("x-content-type-options", "nosniff");
  headers.set("referrer-policy", "no-referrer");
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-resource-policy", "same-origin");
  if (scheme === "https") headers.set("strict-transport-security", "max-age=31536000");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  return response;
}
