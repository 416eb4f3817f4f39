import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { MAIN, penstock, temporaryFolder, writeMarket } from "./penstock.ts";

interface Urls {
  readonly rest: string;
  readonly ws: string;
  readonly wsApi: string;
  readonly control: string;
  readonly start: number;
  readonly symbols: number;
}

/** Starts `penstock exchange` and gives its first line; `work` done, it is told to stop and must do so cleanly. */
async function withExchange(args: readonly string[], work: (urls: Urls) => Promise<void>, folder = temporaryFolder()) {
  const child = Bun.spawn([process.execPath, MAIN, "exchange", "--port", "0", "--control-port", "0", ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  try {
    const { value } = await child.stdout.getReader().read();
    const line = new TextDecoder().decode(value);
    if (line === "") throw new Error(await new Response(child.stderr).text());
    await work(JSON.parse(line));
  } finally {
    child.kill("SIGTERM");
  }
  expect(await child.exited, await new Response(child.stderr).text()).toBe(0);
}

async function json(url: string, method = "GET", body?: unknown) {
  const response = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return (await response.json()) as Record<string, never> & { [key: string]: unknown };
}

function signed({ rest }: Urls, method: string, path: string, parameters: Record<string, string>, secret = "secret") {
  const query = new URLSearchParams({ ...parameters, timestamp: String(Date.now()) }).toString();
  const signature = createHmac("sha256", secret).update(query).digest("hex");
  return fetch(`${rest}${path}?${query}&signature=${signature}`, { method, headers: { "X-MBX-APIKEY": "key" } });
}

/** The next message of a socket that is what is waited for. */
function heard(socket: WebSocket, is: (message: Record<string, unknown>) => boolean) {
  return new Promise<Record<string, unknown>>((resolve, reject) => {
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data));
      if (is(message)) resolve(message);
    });
    socket.addEventListener("close", ({ code }) => reject(new Error(`closed with ${code}`)));
  });
}

describe("penstock exchange", () => {
  test("plays recorded bars in lockstep: history before the start, steps on the control port alone", async () => {
    const folder = temporaryFolder();
    writeMarket(folder, 1, 2);
    const args = ["--data", folder, "--lockstep", "--key", "key", "--secret", "secret", "--balance", "5000"];
    await withExchange(args, async (urls) => {
      expect(urls.symbols).toBe(2);
      const klines = `${urls.rest}/fapi/v1/klines?symbol=ALDERUSDT&interval=1m&limit=1500`;
      const rows = (await (await fetch(klines)).json()) as unknown[];
      expect(rows.length).toBeGreaterThan(700);
      const socket = new WebSocket(`${urls.ws}/market/ws/alderusdt@kline_1m`);
      await new Promise((resolve) => socket.addEventListener("open", resolve));
      const marker = heard(socket, ({ e }) => e === "lockstep");
      const kline = heard(socket, ({ e }) => e === "kline");
      expect(await json(`${urls.control}/step`, "POST")).toMatchObject({ step: 1, ended: false });
      expect(await kline).toMatchObject({ k: { x: true } });
      expect(await marker).toMatchObject({ step: 1 });
      expect(await json(`${urls.control}/ack`, "POST", { step: 7 })).toMatchObject({ code: -1 });
      expect(await json(`${urls.control}/ack`, "POST", { step: 1 })).toMatchObject({ step: 2 });
      expect(await json(`${urls.control}/state`)).toMatchObject({ wallet: "5000.00000000", positions: [] });
      // What moves the market is not for those who trade on it.
      expect((await fetch(`${urls.rest}/step`, { method: "POST" })).status).toBe(404);
      expect((await signed(urls, "GET", "/fapi/v3/balance", {})).status).toBe(200);
      expect((await signed(urls, "GET", "/fapi/v3/balance", {}, "wrong")).status).toBe(400);
      socket.close();
    });
  });

  test("runs by itself over sockets, with faults from the control port, half-open ones through the relay", async () => {
    const args = [
      "--generate",
      "5",
      "--generated",
      "2",
      "--speed",
      "600x",
      "--relay",
      "--key",
      "key",
      "--secret",
      "secret",
    ];
    await withExchange(args, async (urls) => {
      const open = async (path: string) => {
        const socket = new WebSocket(`${urls.ws}${path}`);
        await new Promise((resolve) => socket.addEventListener("open", resolve));
        return socket;
      };
      const marks = "/market/ws/alderusdt@markPrice@1s";
      const [first, second] = [await open(marks), await open("/public/ws/alderusdt@bookTicker")];
      await heard(first, ({ e }) => e === "markPriceUpdate");
      await heard(second, ({ e }) => e === "bookTicker");
      await json(`${urls.control}/faults`, "POST", { faults: [{ kind: "half-open", stream: "market" }] });
      let late = 0;
      await heard(second, ({ e }) => e === "bookTicker");
      first.addEventListener("message", () => late++);
      for (let messages = 0; messages < 5; messages++) await heard(second, ({ e }) => e === "bookTicker");
      expect([late, first.readyState]).toEqual([0, WebSocket.OPEN]);

      await json(`${urls.control}/faults`, "POST", { faults: [{ kind: "unavailable", count: 1 }] });
      expect((await fetch(`${urls.rest}/fapi/v1/ping`)).status).toBe(503);
      expect((await fetch(`${urls.rest}/fapi/v1/ping`)).status).toBe(200);
      expect(await json(`${urls.control}/faults`, "POST", { faults: [{ kind: "rain" }] })).toMatchObject({ code: -1 });
      expect(await json(`${urls.control}/faults`)).toMatchObject({ strikes: { unavailable: 1, "half-open": 1 } });

      expect(await json(`${urls.control}/speed`, "POST", { speed: 0 })).toEqual({ speed: "0" } as never);
      const paused = await json(`${urls.control}/state`);
      expect((await json(`${urls.control}/state`)).time).toBe(paused.time);
      second.close();
      first.close();
    });
  });

  test("says what is wrong with its options", async () => {
    const folder = temporaryFolder();
    const cases: readonly [readonly string[], string][] = [
      [["--port", "0", "--lockstep"], "--lockstep needs --control-port"],
      [["--port", "0", "--data", "x", "--generate", "1"], "exclude each other"],
      [["--port", "0", "--balance", "-1"], "--balance -1"],
    ];
    const ended = await Promise.all(cases.map(([args]) => penstock(folder, ["exchange", ...args])));
    for (const [index, { code, err }] of ended.entries()) {
      expect([code, err]).toEqual([2, expect.stringContaining(cases[index]![1])]);
    }
  });
});
