import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { MAIN, penstock, temporaryFolder } from "../end-to-end/penstock.ts";

/** One real process with the dashboard on a free port, asked over real sockets. */
const folder = temporaryFolder();
const data = join(folder, "data");
const VIEWER = "viewer-token-of-the-test";
// .ci/run names the binary it has just compiled, and asks it the same.
const BINARY = process.env.PENSTOCK_BINARY;
const PENSTOCK = BINARY === undefined ? [process.execPath, MAIN] : [resolve(BINARY)];
let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
let link = "";
let base = "";
let token = "";

beforeAll(async () => {
  child = Bun.spawn([...PENSTOCK, "run", "--speed", "60x"], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", DATA_DIR: data, ADMIN_PORT: "0", ADMIN_VIEWER_TOKEN: VIEWER },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const reader = child.stderr.getReader();
  let text = "";
  while (!text.includes("#token=")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the run ended: ${text}`);
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  link = /http\S+/.exec(text)![0];
  [base, token] = link.split("/#token=") as [string, string];
  await until(async () => (await fetch(`${base}/readyz`)).status === 200);
});

afterAll(async () => {
  child.kill("SIGKILL");
  await child.exited;
});

/** Asks again until it holds; the test's time limit is the bound. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(20);
}

// biome-ignore lint/suspicious/noExplicitAny: the test is about what is in there.
type Json = any;

async function ask(
  path: string,
  init: RequestInit & { token?: string } = {},
): Promise<{ status: number; body: Json; headers: Headers }> {
  const response = await fetch(`${base}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${init.token ?? token}`, ...(init.headers as Record<string, string>) },
  });
  return { status: response.status, body: (await response.json()) as Json, headers: response.headers };
}

const send = (method: string, path: string, body: unknown, as = token) =>
  ask(path, { method, token: as, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

describe("a run with its admin worker", () => {
  test("makes a token that only its owner can read, and shows it once", async () => {
    expect(token.length).toBeGreaterThanOrEqual(32);
    expect(statSync(join(data, "admin-token")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(data, "admin-token"), "utf8").trim()).toBe(token);
  });

  test("shows the book to those with a token and nothing to others", async () => {
    expect((await ask("/api/overview")).body).toMatchObject({
      run: { venue: "simulated", symbols: 24 },
      snapshot: { trading: "normal", equity: expect.any(Number) },
    });
    expect((await fetch(`${base}/api/settings`)).status).toBe(401);
    expect((await ask("/api/settings", { token: "x".repeat(32) })).status).toBe(401);
    const settings = JSON.stringify((await ask("/api/settings", { token: VIEWER })).body);
    expect(settings).toContain("MAX_POSITIONS");
    expect(settings).not.toContain(token);
    expect(settings).not.toContain(VIEWER);
  });

  test("every list answers, and wrong questions get one sentence", async () => {
    const lists = [
      "positions",
      "orders",
      "fills",
      "signals",
      "refusals",
      "trades",
      "equity",
      "audit",
      "log",
      "incidents",
    ];
    for (const name of [...lists, "states", "stop-moves", "symbols"]) {
      const { status, body } = await ask(`/api/${name}`);
      expect([name, status, Array.isArray(body)]).toEqual([name, 200, true]);
    }
    expect(await ask("/api/signals?limit=0")).toMatchObject({ status: 422, body: { error: expect.any(String) } });
    expect(await ask("/api/nothing")).toMatchObject({ status: 404 });
    expect(await ask("/api/why?symbol=NOSUCHUSDT")).toMatchObject({ status: 404 });
    expect(await send("POST", "/api/commands", { command: "explode" })).toMatchObject({ status: 422 });
    expect((await ask("/api/openapi.json")).body.paths["/api/commands"].post).toBeDefined();
  });

  test("gives Prometheus its figures, to those who may see them", async () => {
    expect((await fetch(`${base}/metrics`)).status).toBe(401);
    const response = await fetch(`${base}/metrics`, { headers: { authorization: `Bearer ${VIEWER}` } });
    expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    const text = await response.text();
    const value = (series: string) =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${series} `))
          ?.split(" ")[1],
      );
    expect(value("penstock_equity_usdt")).toBeGreaterThan(9000);
    expect(value("penstock_symbols")).toBe(24);
    expect(value('penstock_trading_state{state="normal"}')).toBe(1);
    expect(value("penstock_step_seconds_count")).toBeGreaterThan(0);
    expect(value('penstock_memory_bytes{kind="resident"}')).toBeGreaterThan(1e7);
  });

  test("signs in with a cookie that scripts cannot read, and out again", async () => {
    const signIn = await fetch(`${base}/api/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    expect(await signIn.json()).toEqual({ role: "operator" });
    const cookie = signIn.headers.get("set-cookie")!;
    expect(cookie).toContain("HttpOnly; SameSite=Strict");
    expect(cookie).not.toContain(token);
    const headers = { cookie: cookie.split(";")[0]! };
    expect((await fetch(`${base}/api/overview`, { headers })).status).toBe(200);
    expect((await fetch(`${base}/api/session`, { headers, method: "DELETE" })).status).toBe(204);
    expect((await fetch(`${base}/api/overview`, { headers })).status).toBe(401);
  });

  test("tells what happens as it happens", async () => {
    const socket = new WebSocket(`${base.replace("http", "ws")}/api/events`, {
      headers: { authorization: `Bearer ${VIEWER}` },
    } as never);
    const first = await new Promise<string>((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(String(data));
      socket.onclose = ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`));
    });
    expect(JSON.parse(first)).toHaveProperty("kind");
    socket.close();
  });

  test("a viewer can look and not touch", async () => {
    const refused = { status: 403, body: { error: "this needs the operator's token" } };
    expect(await send("POST", "/api/commands", { command: "pause" }, VIEWER)).toMatchObject(refused);
    expect(await send("POST", "/api/commands", { command: "kill", confirm: "KILL" }, VIEWER)).toMatchObject(refused);
    expect(await send("PUT", "/api/settings/MAX_SIGNALS", { value: 1 }, VIEWER)).toMatchObject(refused);
  });

  test("an operator changes a setting, pauses, resumes, and finds it all in the audit", async () => {
    expect(await send("PUT", "/api/settings/MAX_SIGNALS", { value: 3 })).toMatchObject({ status: 200 });
    expect(await send("PUT", "/api/settings/MAX_SIGNALS", { value: 999 })).toMatchObject({ status: 409 });
    expect(await send("POST", "/api/commands", { command: "pause" })).toMatchObject({ status: 200 });
    await until(async () => (await ask("/api/overview")).body.snapshot.trading === "reduce-only");
    expect(await send("POST", "/api/commands", { command: "resume" })).toMatchObject({ status: 200 });
    await until(async () => (await ask("/api/overview")).body.snapshot.trading === "normal");
    const rows = (await ask("/api/settings")).body.flatMap((section: { rows: unknown[] }) => section.rows);
    expect(rows).toContainEqual(expect.objectContaining({ name: "MAX_SIGNALS", value: 3, startedWith: 10 }));
    const audit = (await ask("/api/audit")).body.map(({ action, result }: Record<string, string>) => [action, result]);
    expect(audit.toReversed()).toEqual([
      ["set MAX_SIGNALS", "done"],
      ["set MAX_SIGNALS", expect.stringContaining("would risk more")],
      ["pause", "done"],
      ["resume", "done"],
    ]);
  });

  test("kill wants to be confirmed, then closes everything and ends; the journal replays", async () => {
    expect(await send("POST", "/api/commands", { command: "kill" })).toMatchObject({ status: 409 });
    expect(await send("POST", "/api/commands", { command: "kill", confirm: "KILL" })).toMatchObject({ status: 200 });
    expect(await child.exited).toBe(0);
    const [journal] = readdirSync(join(data, "journal"));
    const replayed = await penstock(folder, ["replay", join(data, "journal", journal!), "--json"]);
    expect(replayed.code, replayed.err).toBe(0);
    expect(JSON.parse(replayed.out)).toMatchObject({ identical: true });
    const config = await penstock(folder, ["config", "--json"]);
    expect(config.out).toContain('"name":"MAX_SIGNALS","value":3,"source":"changed at run time"');
    expect(config.out).not.toContain(token);
  });
});
