import { describe, expect, test } from "bun:test";
import { Authenticator } from "../../src/admin/authentication.ts";
import { type GateOptions, passGate } from "../../src/admin/gate.ts";
import { RateLimit } from "../../src/admin/rate-limit.ts";

const SESSION_COOKIE = "penstock_session_8080";
const TOKEN = "operator-token-of-the-test";
const BASE = "http://127.0.0.1:8080";

function gate(overrides: Partial<GateOptions> = {}): GateOptions {
  return {
    authenticator: new Authenticator(TOKEN, ""),
    rateLimit: new RateLimit(),
    hosts: new Set(["127.0.0.1:8080", "localhost:8080"]),
    scheme: "http",
    cookie: SESSION_COOKIE,
    metricsOpen: false,
    ...overrides,
  };
}

const BEARER = { authorization: `Bearer ${TOKEN}` };

function ask(path: string, headers: Record<string, string>, init: RequestInit = {}, options = gate()) {
  const request = new Request(`${BASE}${path}`, { ...init, headers: { host: "127.0.0.1:8080", ...headers } });
  const passage = passGate(options, request, "1.2.3.4", 0);
  return passage.kind === "refused" ? passage.status : passage.kind;
}

describe("the gate", () => {
  test("opens with the token, and without one for health, pages and signing in only", () => {
    expect(ask("/api/overview", BEARER)).toBe("known");
    expect(ask("/api/overview", {})).toBe(401);
    expect(ask("/metrics", {})).toBe(401);
    expect(ask("/metrics", {}, {}, gate({ metricsOpen: true }))).toBe("open");
    for (const path of ["/", "/healthz", "/readyz", "/docs", "/assets/app.js"]) expect(ask(path, {})).toBe("open");
    expect(ask("/api/session", {}, { method: "POST" })).toBe("open");
    expect(ask("/api/session", {})).toBe(401);
    expect(ask("/api/overview", { authorization: `Basic ${TOKEN}` })).toBe(401);
    expect(ask("/api/overview", { authorization: "Bearer" })).toBe(401);
  });

  test("a path that only looks open is not", () => {
    for (const path of ["/assets", "/healthz/../api/overview", "//", "/docs/x", "/assets/../api/overview"]) {
      expect(ask(path, {}), path).toBe(401);
    }
  });

  test("knows a session by its cookie among others", () => {
    const options = gate();
    const id = options.authenticator.open({ role: "viewer", actor: "v" }, 0);
    expect(ask("/api/overview", { cookie: `a=b; ${SESSION_COOKIE}=${id}; c=d` }, {}, options)).toBe("known");
    expect(ask("/api/overview", { cookie: `${SESSION_COOKIE}=${id}x` }, {}, options)).toBe(401);
  });

  test("answers only under its own names, so that no other name can be pointed at it", () => {
    for (const host of ["evil.example:8080", "127.0.0.1", "127.0.0.1:8081", "localhost.evil.example:8080", ""]) {
      expect(ask("/api/overview", { ...BEARER, host }), host).toBe(421);
    }
    expect(ask("/api/overview", { ...BEARER, host: "LOCALHOST:8080" })).toBe("known");
  });

  test("refuses what other pages send, with the right token too", () => {
    for (const origin of ["http://evil.example", "null", "http://127.0.0.1:9", "http://localhost.evil.example:8080"]) {
      expect(ask("/api/events", { ...BEARER, origin }), origin).toBe(403);
    }
    expect(ask("/api/events", { ...BEARER, origin: BASE })).toBe("known");
    expect(ask("/api/overview", { ...BEARER, "sec-fetch-site": "cross-site" })).toBe(403);
    expect(ask("/api/overview", { ...BEARER, "sec-fetch-site": "same-site" })).toBe(403);
    // A link on another page may lead to our front page, which shows nothing without signing in.
    const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
    expect(ask("/", link)).toBe("open");
    expect(ask("/api/overview", { ...BEARER, ...link })).toBe(403);
  });

  test("knows a few methods and no others", () => {
    for (const method of ["OPTIONS", "PATCH", "PROPFIND"]) expect(ask("/api/overview", BEARER, { method })).toBe(405);
    expect(ask("/api/overview", BEARER, { method: "HEAD" })).toBe("known");
  });

  test("a flood from an address locks nobody out who is known, and neither do wrong tokens", () => {
    const options = gate();
    const cookie = `${SESSION_COOKIE}=${options.authenticator.open({ role: "operator", actor: "o" }, 0)}`;
    for (let i = 0; i < 3000; i++) ask("/api/overview", { authorization: `Bearer wrong-${i}` }, {}, options);
    expect(ask("/healthz", {}, {}, options)).toBe(429);
    expect(ask("/api/overview", BEARER, {}, options)).toBe(429);
    expect(ask("/api/overview", { cookie }, {}, options)).toBe("known");
    // Before it is locked, an address that has used up its rate still lets the right token in.
    const busy = gate();
    for (let i = 0; i < 3000; i++) ask("/healthz", {}, {}, busy);
    expect(ask("/api/overview", BEARER, {}, busy)).toBe("known");
  });

  test("questions that take long are rarer", () => {
    const options = gate();
    const answered = Array.from({ length: 100 }, () => ask("/api/why?symbol=A", BEARER, {}, options));
    expect(answered.filter((passage) => passage === "known").length).toBe(25);
  });

  test("takes no body but JSON: a form of another page cannot even be read", () => {
    const put = (type: string) =>
      ask("/api/settings/X", { ...BEARER, "content-type": type }, { method: "PUT", body: "{}" });
    expect(put("text/plain")).toBe(415);
    expect(put("application/x-www-form-urlencoded")).toBe(415);
    expect(put("application/json; charset=utf-8")).toBe("known");
  });

  test("lets an address make a thousand requests at once, then as many as it has earned", () => {
    const options = gate();
    const at = (now: number) => {
      const passage = passGate(
        options,
        new Request(`${BASE}/healthz`, { headers: { host: "localhost:8080" } }),
        "a",
        now,
      );
      return passage.kind === "refused" ? passage.status : passage.kind;
    };
    for (let i = 0; i < 1000; i++) expect(at(0)).toBe("open");
    expect(at(0)).toBe(429);
    expect(at(2)).toBe("open");
    expect(at(2)).toBe(429);
    for (let i = 0; i < 500; i++) expect(at(1002)).toBe("open");
    expect(at(1002)).toBe(429);
  });
});
