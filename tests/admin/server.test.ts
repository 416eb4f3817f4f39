import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { type Admin, OPERATOR, serveTest, VIEWER } from "./admin-fixture.ts";

const open: Admin[] = [];
const serve = (...parts: Parameters<typeof serveTest>): Admin => {
  const admin = serveTest(...parts);
  open.push(admin);
  return admin;
};

afterEach(async () => {
  for (const { server } of open.splice(0)) await server.stop();
});

/** What the server says to bytes that no browser would send: status, headers and body as one text. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let said = "";
    socket.on("data", (data) => {
      said += data;
    });
    socket.on("error", () => resolve(said));
    socket.on("close", () => resolve(said));
  });
}

const statusOf = (answer: string) => Number(answer.split(" ")[1]);
const bearer = (token = OPERATOR) => ({ authorization: `Bearer ${token}` });

describe("the server", () => {
  test("answers crooked requests with what is wrong, and never with a failure of its own", async () => {
    const { port, asked } = serve();
    const host = `Host: 127.0.0.1:${port}`;
    const token = `Authorization: Bearer ${OPERATOR}`;
    const end = "Connection: close\r\n\r\n";
    const json = (body: string) =>
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${end}${body}`;
    const post = (body: string) => `POST /api/commands HTTP/1.1\r\n${host}\r\n${token}\r\n${json(body)}`;
    const get = (path: string) => `GET ${path} HTTP/1.1\r\n${host}\r\n${end}`;
    const cases: [request: string, status: number | number[]][] = [
      [`GET /healthz HTTP/1.1\r\nHost: [\r\n${end}`, 421],
      [`GET /healthz HTTP/1.1\r\nHost: a b\r\n${end}`, [400, 421]],
      [`GET /healthz HTTP/1.0\r\n${end}`, [400, 421]],
      [`GET /healthz HTTP/1.1\r\n${host}\r\nHost: evil.example\r\n${end}`, [400, 421]],
      [`GET /healthz HTTP/1.1\r\nHost: localhost\r\n${end}`, 421],
      [`OPTIONS /api/overview HTTP/1.1\r\n${host}\r\n${token}\r\n${end}`, 405],
      [`TRACE / HTTP/1.1\r\n${host}\r\n${end}`, 405],
      [get("/assets/../api/overview"), [400, 401]],
      [get("/assets/..\\..\\api\\overview"), [400, 401]],
      [get("/assets/%2e%2e/api/overview"), [400, 401]],
      [get("//healthz"), 401],
      [`PUT /api/settings/..\\..\\ HTTP/1.1\r\n${host}\r\n${json('{"value":1}')}`, [400, 401, 404]],
      [`PUT /api/settings/%E0%A4%A HTTP/1.1\r\n${host}\r\n${token}\r\n${json('{"value":1}')}`, [404, 422]],
      [`GET /api/overview HTTP/1.1\r\n${host}\r\n${token}\r\nCookie: a=%E0%A4%A; =; b\r\n${end}`, 200],
      [`GET /api/overview HTTP/1.1\r\n${host}\r\n${token}\r\nX: ${"a".repeat(70_000)}\r\n${end}`, 431],
      [post(" ".repeat(20_000)), 413],
      // What is missing is not made up: none of these is a command.
      [post(""), 422],
      [post("null"), 422],
      [post("[]"), 422],
      [post("{}"), 422],
      [post('{"__proto__":{"command":"pause"}}'), 422],
      [post('{"constructor":{"prototype":{"command":"pause"}}}'), 422],
      [post("[".repeat(8000)), 400],
      [post("[".repeat(8000) + "]".repeat(8000)), 422],
      [`POST /api/commands HTTP/1.1\r\n${host}\r\n${token}\r\n${end}`, 422],
    ];
    for (const [request, status] of cases) {
      expect([status].flat(), request.slice(0, 150)).toContain(statusOf(await raw(port, request)));
    }
    expect(asked).toEqual([]);
    expect(statusOf(await raw(port, post('{"command":"pause"}')))).toBe(200);
    expect(asked).toEqual([{ kind: "command", command: "pause" }]);
  });

  test("answers HEAD like GET without the body, and carries its headers everywhere", async () => {
    const { base } = serve();
    for (const path of ["/", "/healthz", "/assets/app.js", "/api/overview", "/nothing"]) {
      const [head, get] = await Promise.all(
        ["HEAD", "GET"].map((method) => fetch(`${base}${path}`, { method, headers: bearer() })),
      );
      expect([path, head!.status, await head!.text()]).toEqual([path, get!.status, ""]);
      for (const { headers } of [head!, get!]) {
        expect(headers.get("content-security-policy"), path).toContain("default-src 'none'");
        expect(headers.get("x-content-type-options"), path).toBe("nosniff");
        expect(headers.get("access-control-allow-origin"), path).toBeNull();
      }
    }
  });

  test("says nothing of a bug but that there is one", async () => {
    const { base, breakMetrics } = serve();
    breakMetrics();
    const response = await fetch(`${base}/metrics`, { headers: bearer() });
    expect([response.status, await response.json()]).toEqual([500, { error: "this failed; the log has more" }]);
  });

  test("gives a cookie a name of its port, and Secure where the browser speaks https", async () => {
    const { base, port } = serve({ hosts: ["trader.example.org"] });
    const signIn = async (origin: string) => {
      const headers = { "content-type": "application/json", origin };
      const init = { method: "POST", headers, body: JSON.stringify({ token: VIEWER }) };
      return (await fetch(`${base}/api/session`, init)).headers.get("set-cookie")!;
    };
    expect(await signIn(base)).toMatch(
      new RegExp(`^penstock_session_${port}=[\\w-]{43}; HttpOnly; SameSite=Strict; Path=/$`),
    );
    expect(await signIn("https://trader.example.org")).toEndWith("; Secure");
    // Another service of this machine is another page, whatever its name.
    const headers = { ...bearer(), origin: "http://localhost" };
    expect((await fetch(`${base}/api/overview`, { headers })).status).toBe(403);
  });

  test("tells once who was locked out", async () => {
    const { base, lockedOut } = serve();
    const codes: number[] = [];
    for (let i = 0; i < 12; i++) {
      codes.push((await fetch(`${base}/api/overview`, { headers: bearer(`wrong-token-number-${i}`) })).status);
    }
    expect(codes).toEqual([...Array(10).fill(401), 429, 429]);
    expect(lockedOut).toEqual(["127.0.0.1"]);
  });

  test("takes another port when the usual one is in use, and none but the one that was chosen", () => {
    const { port } = serve();
    expect(serve({ port, anyPort: true }).port).not.toBe(port);
    expect(() => serve({ port })).toThrow();
  });

  test("speaks IPv6 and writes its address so that browsers read it", async () => {
    const { base, port } = serve({ host: "::1" });
    expect(base).toBe(`http://[::1]:${port}`);
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });
});

describe("the stream of events", () => {
  const listen = (base: string, headers: Record<string, string>, query = "") => {
    const socket = new WebSocket(`${base.replace("http", "ws")}/api/events${query}`, { headers } as never);
    const opened = new Promise<void>((resolve) => {
      socket.onopen = () => resolve();
    });
    const closed = new Promise<number>((resolve) => {
      socket.onclose = ({ code }) => resolve(code);
    });
    return { socket, opened, closed };
  };

  test("is for those with a token, but for none in an address, and for no other page", async () => {
    const { base } = serve();
    for (const [headers, query] of [
      [{}, ""],
      [{}, `?token=${OPERATOR}`],
      [{ ...bearer(), origin: "http://evil.example" }, ""],
      [{ ...bearer(), origin: "null" }, ""],
    ] as const) {
      expect(await listen(base, headers, query).closed).toBeOneOf([1002, 1006]);
    }
  });

  test("ends when its session does, and only that one", async () => {
    const { base, server } = serve();
    const response = await fetch(`${base}/api/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: OPERATOR }),
    });
    const cookie = response.headers.get("set-cookie")!.split(";")[0]!;
    const mine = listen(base, { cookie });
    const other = listen(base, bearer(VIEWER));
    await Promise.all([mine.opened, other.opened]);
    await fetch(`${base}/api/session`, { method: "DELETE", headers: { cookie } });
    server.events.send([{ kind: "settings" }]);
    expect(await mine.closed).toBe(1008);
    expect(server.events.clients).toBe(1);
    other.socket.close();
    await other.closed;
  });

  test("gives up on a client that does not read: memory stays bounded, others get everything", async () => {
    const { base, port, server, mirror } = serve();
    const reader = listen(base, bearer(VIEWER));
    await reader.opened;
    let received = 0;
    reader.socket.onmessage = () => {
      received += 1;
    };
    const stuck = connect(port, "127.0.0.1");
    const upgraded = new Promise<void>((resolve) => {
      stuck.once("data", () => {
        stuck.pause();
        resolve();
      });
    });
    stuck.on("error", () => {});
    stuck.write(
      `GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${VIEWER}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await upgraded;
    expect(server.events.clients).toBe(2);
    const notice = { time: 0, at: 0, level: "info", text: "x".repeat(400_000) } as const;
    let sent = 0;
    while (server.events.clients === 2 && sent < 200) {
      server.events.send([
        { kind: "notice", notice },
        { kind: "snapshot", snapshot: mirror.snapshot! },
      ]);
      sent += 1;
      // The one that reads is waited for: only the other is slow.
      while (received < 2 * sent) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(server.events.clients).toBe(1);
    expect(server.events.conflated).toBeGreaterThan(0);
    expect(sent).toBeLessThan(100);
    stuck.destroy();
    reader.socket.close();
    await reader.closed;
  });
});
