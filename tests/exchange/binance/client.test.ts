import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinanceClient, type ClientTiming } from "../../../src/exchange/binance/client.ts";
import { keysOf } from "../../../src/exchange/binance/credentials.ts";
import type { NewOrder, UserEvent } from "../../../src/exchange/binance/gateway.ts";
import { Secret } from "../../../src/exchange/binance/secret.ts";
import { createSigner } from "../../../src/exchange/binance/signing.ts";
import { LINE_TIMING } from "../../../src/exchange/binance/socket-line.ts";
import { InputError } from "../../../src/input-error.ts";
import { StandIn, type StandInOptions } from "./stand-in.ts";

const SECRET = "hush-hush";
const LINE = { ...LINE_TIMING, retryFirst: 1, retire: 10 };
const TIMING: ClientTiming = {
  answer: 5_000,
  recvWindow: 5_000,
  orderWindow: 3_000,
  clock: 60_000,
  line: LINE,
  userStream: { keep: 60_000, keepAgain: 60_000, line: LINE },
};

const ORDER: NewOrder = { symbol: "BTCUSDT", clientId: "p-1", side: "BUY", type: "MARKET", quantity: "0.001" };
const ANSWER = {
  clientOrderId: "p-1",
  executedQty: "0.001",
  orderId: 1,
  origQty: "0.001",
  price: "0",
  reduceOnly: false,
  side: "BUY",
  positionSide: "BOTH",
  status: "FILLED",
  closePosition: false,
  symbol: "BTCUSDT",
  type: "MARKET",
  origType: "MARKET",
  updateTime: 1,
};

let exchange: StandIn | undefined;
let client: BinanceClient | undefined;
let folder: string | undefined;

afterEach(async () => {
  client?.close();
  await exchange?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  [client, exchange, folder] = [undefined, undefined, undefined];
});

type Rest = NonNullable<StandInOptions["rest"]>;

interface Setting {
  /** Answers what is not answered by itself: time and listen keys. */
  readonly rest?: Rest;
  /** Refuses listen keys. */
  readonly listenKey?: () => Response;
  readonly keys?: boolean;
  readonly timing?: Partial<ClientTiming>;
  /** How far the exchange's clock is ahead, ms. */
  readonly ahead?: () => number;
  readonly onText?: StandInOptions["onText"];
  /** The WebSocket API cannot be reached. */
  readonly withoutSocketApi?: boolean;
}

function setUp(setting: Setting = {}) {
  const notices: string[] = [];
  const events: UserEvent[] = [];
  let keys = 0;
  const standIn = new StandIn({
    rest: (request, url) => {
      if (url.pathname === "/fapi/v1/time") return Response.json({ serverTime: Date.now() + (setting.ahead?.() ?? 0) });
      if (url.pathname === "/fapi/v1/listenKey" && request.method === "POST")
        return setting.listenKey?.() ?? Response.json({ listenKey: `key${++keys}` });
      return setting.rest?.(request, url) ?? new Response("", { status: 404 });
    },
    ...(setting.onText && { onText: setting.onText }),
  });
  exchange = standIn;
  folder ??= mkdtempSync(join(tmpdir(), "penstock-client-"));
  const given = (value: string) => (setting.keys === false ? "" : value);
  client = new BinanceClient({
    addresses: {
      rest: standIn.http,
      streams: standIn.ws,
      socketApi: setting.withoutSocketApi ? "ws://127.0.0.1:1/ws-fapi/v1" : `${standIn.ws}/ws-fapi/v1`,
      live: false,
    },
    keys: keysOf({
      BINANCE_API_KEY: given("the-key"),
      BINANCE_API_SECRET: given(SECRET),
      BINANCE_TRADING_API_KEY: "",
      BINANCE_TRADING_API_SECRET: "",
    }),
    breaker: { enabled: true, warning: 2, throttled: 4, blocked: 5, delay: 2000 },
    weightPerMinute: 1920,
    bans: join(folder, "bans.json"),
    onNotice: (_, text) => notices.push(text),
    timing: { ...TIMING, ...setting.timing },
  });
  client.listen((event) => {
    events.push(event);
    standIn.changed();
  });
  return { exchange: standIn, client, notices, events };
}

const refusal = (status: number, body: object, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers });

describe("REST", () => {
  test("questions about the account are signed with the exchange's time, and long ids come back exactly", async () => {
    let seen: { url: URL; key: string | null } | undefined;
    const world = setUp({
      ahead: () => 86_400_000,
      rest: (request, url) => {
        if (url.pathname !== "/fapi/v1/order") return new Response("", { status: 404 });
        seen = { url, key: request.headers.get("x-mbx-apikey") };
        return new Response(JSON.stringify(ANSWER).replace('"orderId":1', '"orderId":8389766145050669870'));
      },
    });
    await world.client.open();
    const outcome = await world.client.queryOrder({ symbol: "币安人生USDT", clientId: "p-1" }, "routine");
    expect(outcome).toMatchObject({ kind: "done", value: { orderId: "8389766145050669870", clientId: "p-1" } });
    const { url, key } = seen!;
    expect(key).toBe("the-key");
    const [query, signature] = url.search.slice(1).split("&signature=");
    expect(signature).toBe(createSigner(new Secret(SECRET), "S").sign(query!));
    expect(query).toContain("symbol=%E5%B8%81");
    expect(Math.abs(Number(url.searchParams.get("timestamp")) - Date.now() - 86_400_000)).toBeLessThan(60_000);
    expect(url.searchParams.get("recvWindow")).toBe("5000");
  });

  test("what is public needs no key, and without one there is no user stream", async () => {
    const row = [60_000, "1", "2", "0.5", "1.5", "10", 119_999, "15", 3, "4", "6", "0"];
    const world = setUp({ keys: false, rest: () => Response.json([row]) });
    await world.client.open();
    expect(await world.client.klines("BTCUSDT", 60_000, { from: 60_000, to: 60_000 })).toEqual({
      kind: "done",
      value: [
        {
          openTime: 60_000,
          open: 1,
          high: 2,
          low: 0.5,
          close: 1.5,
          volume: 10,
          quoteVolume: 15,
          trades: 3,
          takerBuyBase: 4,
          takerBuyQuote: 6,
        },
      ],
    });
    expect(world.exchange.requests.at(-1)).toBe(
      "GET /fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=60000&endTime=60000&limit=1",
    );
    expect(() => world.client.placeOrder(ORDER, "trade")).toThrow(InputError);
    expect(world.exchange.sockets).toEqual([]);
  });

  test("bars are asked for in pages of 499, and the weight is counted as it is used", async () => {
    const world = setUp({
      keys: false,
      rest: (_, url) => {
        const [from, to, limit] = ["startTime", "endTime", "limit"].map((name) =>
          Number(url.searchParams.get(name)),
        ) as [number, number, number];
        const rows = [];
        for (let t = from; t <= to && rows.length < limit; t += 60_000)
          rows.push([t, 1, 1, 1, 1, 1, t + 59_999, 1, 1, 1, 1, "0"]);
        return Response.json(rows, { headers: { "X-MBX-USED-WEIGHT-1M": "40" } });
      },
    });
    const outcome = await world.client.klines("BTCUSDT", 60_000, { from: 0, to: 1000 * 60_000 });
    expect(outcome.kind === "done" && outcome.value.map((kline) => kline.openTime / 60_000)).toEqual(
      Array.from({ length: 1001 }, (_, i) => i),
    );
    expect(world.exchange.requests.map((request) => new URLSearchParams(request.split("?")[1]).get("limit"))).toEqual([
      "499",
      "499",
      "3",
    ]);
    expect(world.client.budget.usedWeight(world.client.clock.now())).toBeGreaterThanOrEqual(40);
  });

  test("trades are followed page by page by their ids, beyond 2^53", async () => {
    const first = 8_389_766_145_050_669_000n;
    const world = setUp({
      rest: (_, url) => {
        const from = url.searchParams.get("fromId");
        const start = from === null ? first : BigInt(from);
        const ids = Array.from({ length: 1500 }, (_, i) => first + BigInt(i))
          .filter((id) => id >= start)
          .slice(0, 1000);
        const trade = (id: bigint) =>
          `{"symbol":"BTCUSDT","id":${id},"orderId":5,"side":"BUY","positionSide":"BOTH","price":"1","qty":"1","commission":"0","commissionAsset":"USDT","realizedPnl":"0","maker":false,"time":1}`;
        return new Response(`[${ids.map(trade).join(",")}]`);
      },
    });
    for (const from of [{ id: String(first) }, { time: Date.now() - 3_600_000 }]) {
      const outcome = await world.client.userTrades("BTCUSDT", from, "routine");
      expect(outcome.kind === "done" && outcome.value.map((trade) => trade.tradeId)).toEqual(
        Array.from({ length: 1500 }, (_, i) => String(first + BigInt(i))),
      );
    }
  });

  test("a setting that is so already is set", async () => {
    const world = setUp({ rest: () => refusal(400, { code: -4046, msg: "No need to change margin type." }) });
    expect(await world.client.setMarginType("BTCUSDT", "ISOLATED", "trade")).toEqual({ kind: "done", value: null });
  });

  test("a success that cannot be read is unknown, never a default", async () => {
    const world = setUp({ rest: () => Response.json([{ symbol: "BTCUSDT", positionSide: "SIDEWAYS" }]) });
    expect(await world.client.positions("protect")).toMatchObject({ kind: "unknown" });
  });

  test("a redirect is not followed: it would carry the key elsewhere", async () => {
    const other = setUp();
    const world = setUp({ rest: () => Response.redirect(`${other.exchange.http}/fapi/v1/elsewhere`) });
    expect(await world.client.positions("protect")).toMatchObject({ kind: "unknown" });
    expect(other.exchange.requests).toEqual([]);
    other.client.close();
    await other.exchange.close();
  });
});

describe("orders", () => {
  test("go over the WebSocket API while it is up, and over HTTP otherwise, with the same parameters", async () => {
    const params = {
      symbol: "BTCUSDT",
      side: "BUY",
      type: "MARKET",
      quantity: "0.001",
      newClientOrderId: "p-1",
      newOrderRespType: "RESULT",
      recvWindow: 3000,
    };
    const asked: Record<string, unknown>[] = [];
    const world = setUp({
      onText: (text, socket) => {
        const { id, method, params: given } = JSON.parse(text);
        asked.push({ method, ...given });
        socket.send({ id, status: 200, result: ANSWER });
      },
    });
    await world.client.open();
    await world.exchange.until(
      () => world.notices.includes("orders go over the WebSocket API") || world.exchange.sockets.length < 2,
    );
    while (!world.notices.includes("orders go over the WebSocket API"))
      await new Promise((resolve) => setImmediate(resolve));
    expect(await world.client.placeOrder(ORDER, "trade")).toMatchObject({
      kind: "done",
      value: { status: "FILLED", orderId: "1" },
    });
    expect(asked[0]).toMatchObject({ method: "order.place", ...params });

    let url: URL | undefined;
    const fallback = setUp({
      withoutSocketApi: true,
      rest: (_, one) => {
        url = one;
        return Response.json(ANSWER);
      },
    });
    expect(await fallback.client.placeOrder({ ...ORDER, reduceOnly: true }, "protect")).toMatchObject({ kind: "done" });
    expect(fallback.exchange.requests).toHaveLength(1);
    expect(fallback.exchange.requests[0]).toStartWith("POST /fapi/v1/order?");
    for (const [name, value] of Object.entries({ ...params, reduceOnly: true }))
      expect([name, url!.searchParams.get(name)]).toEqual([name, String(value)]);
    world.client.close();
    await world.exchange.close();
  });

  test("conditional orders go to their own service under their own id", async () => {
    const seen: string[] = [];
    const algo = {
      algoId: 2000000547321628,
      clientAlgoId: "p-2",
      symbol: "BTCUSDT",
      orderType: "STOP_MARKET",
      side: "SELL",
      positionSide: "BOTH",
      algoStatus: "NEW",
      triggerPrice: "1",
      reduceOnly: false,
      closePosition: true,
      updateTime: 1,
    };
    const world = setUp({
      withoutSocketApi: true,
      rest: (request, url) => {
        url.searchParams.delete("timestamp");
        url.searchParams.delete("signature");
        seen.push(`${request.method} ${url.pathname}${url.search}`);
        return Response.json(
          request.method === "DELETE" ? { algoId: 1, clientAlgoId: "p-2", code: "200", msg: "success" } : algo,
        );
      },
    });
    const key = { symbol: "BTCUSDT", clientId: "p-2" };
    const placed = await world.client.placeAlgoOrder(
      { ...key, side: "SELL", type: "STOP_MARKET", triggerPrice: "1", workingType: "MARK_PRICE", closePosition: true },
      "protect",
    );
    expect(placed).toMatchObject({
      kind: "done",
      value: { algoId: "2000000547321628", quantity: "0", closePosition: true },
    });
    expect(await world.client.cancelAlgoOrder(key, "protect")).toEqual({ kind: "done", value: null });
    expect(seen).toEqual([
      "POST /fapi/v1/algoOrder?algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&triggerPrice=1&workingType=MARK_PRICE&closePosition=true&clientAlgoId=p-2&recvWindow=3000",
      "DELETE /fapi/v1/algoOrder?clientAlgoId=p-2&recvWindow=3000",
    ]);
  });

  test("a refused timestamp heals itself: the clock is measured and the order goes again under its id", async () => {
    let ahead = 0;
    let orders = 0;
    const ids = new Set<string | null>();
    const world = setUp({
      withoutSocketApi: true,
      ahead: () => ahead,
      rest: (_, url) => {
        orders += 1;
        ids.add(url.searchParams.get("newClientOrderId"));
        const isOff = Math.abs(Number(url.searchParams.get("timestamp")) - Date.now() - ahead) > 5_000;
        return isOff
          ? refusal(400, { code: -1021, msg: "Timestamp for this request is outside of the recvWindow." })
          : Response.json(ANSWER);
      },
    });
    await world.client.open();
    ahead = 3_600_000;
    expect(await world.client.placeOrder(ORDER, "trade")).toMatchObject({ kind: "done" });
    expect([orders, ids.size]).toEqual([2, 1]);
    expect(Math.abs(world.client.clock.now() - Date.now() - ahead)).toBeLessThan(5_000);
  });

  test("an outcome that nobody knows is told as such, and nothing is sent again", async () => {
    const bodies: [number, string][] = [
      [503, '{"code":-1007,"msg":"Timeout waiting for response from backend server."}'],
      [503, '{"msg":"Unknown error, please check your request or try again later."}'],
      [503, '{"code":-1008,"msg":"Server is currently overloaded."}'],
      [502, "<html>"],
    ];
    for (const [status, body] of bodies) {
      const world = setUp({ withoutSocketApi: true, rest: () => new Response(body, { status }) });
      expect(await world.client.placeOrder(ORDER, "protect")).toMatchObject({ kind: "unknown" });
      expect(world.exchange.requests).toHaveLength(1);
      world.client.close();
      await world.exchange.close();
    }
    const asked: URLSearchParams[] = [];
    const silent = setUp({
      withoutSocketApi: true,
      timing: { answer: 30 },
      rest: (request) => {
        asked.push(new URL(request.url).searchParams);
        return new Promise<Response>(() => {});
      },
    });
    const placed = await silent.client.placeOrder(ORDER, "protect");
    expect(placed).toMatchObject({ kind: "unknown", reason: "no answer in time" });
    // The exchange takes it until its timestamp is as old as the window allows.
    const [timestamp, recvWindow] = ["timestamp", "recvWindow"].map((name) => Number(asked[0]!.get(name)));
    expect(placed.takenUntil).toBeGreaterThanOrEqual(timestamp! + recvWindow!);
    expect(await silent.client.positions("protect")).toMatchObject({ kind: "unknown" });
    expect(silent.exchange.requests).toHaveLength(2);
  });
});

describe("limits and failures", () => {
  test("a ban stops everything at once, and the next process knows of it", async () => {
    const world = setUp({
      withoutSocketApi: true,
      rest: () => refusal(418, { code: -1003, msg: "Way too many requests" }, { "Retry-After": "300" }),
    });
    expect(await world.client.positions("routine")).toMatchObject({ kind: "refused", consequence: "rate" });
    expect(await world.client.positions("protect")).toMatchObject({ kind: "withheld" });
    expect(await world.client.placeOrder(ORDER, "protect")).toMatchObject({ kind: "withheld" });
    expect(world.exchange.requests).toHaveLength(1);
    expect(world.notices[0]).toContain("takes no requests from this address until");

    const options = {
      addresses: { rest: world.exchange.http, streams: world.exchange.ws, socketApi: "ws://127.0.0.1:1", live: false },
      keys: { reading: undefined, trading: undefined },
      breaker: { enabled: true, warning: 2, throttled: 4, blocked: 5, delay: 0 },
      weightPerMinute: 1920,
      bans: join(folder!, "bans.json"),
      onNotice: () => {},
    };
    const next = new BinanceClient(options);
    const outcome = await next.exchangeInfo("protect");
    expect(outcome.kind === "withheld" && outcome.retryAt - Date.now()).toBeGreaterThan(290_000);
    expect(world.exchange.requests).toHaveLength(1);
    next.close();
  });

  test("a place that is not served is said once, with what to do", async () => {
    const world = setUp({
      rest: () => refusal(451, { code: 0, msg: "Service unavailable from a restricted location" }),
    });
    for (let i = 0; i < 2; i++)
      expect(await world.client.positions("routine")).toMatchObject({
        kind: "refused",
        code: -451,
        consequence: "fatal",
      });
    expect(world.notices).toHaveLength(1);
    expect(world.notices[0]).toContain("Run where Binance Futures is allowed");
  });

  test("failures in a row block entries and never exits; refusals are no failures", async () => {
    let answer = () => refusal(503, { code: -1001, msg: "Internal error" });
    const world = setUp({ withoutSocketApi: true, rest: () => answer() });
    const levels: string[] = [];
    world.client.onBreaker((level) => levels.push(level));
    for (let i = 0; i < 5; i++) await world.client.placeOrder(ORDER, "protect");
    expect(levels).toEqual(["warning", "throttled", "blocked"]);
    expect(await world.client.placeOrder(ORDER, "trade")).toMatchObject({ kind: "withheld" });
    expect(world.exchange.requests).toHaveLength(5);
    answer = () => refusal(400, { code: -2019, msg: "Margin is insufficient." });
    expect(await world.client.placeOrder(ORDER, "protect")).toMatchObject({ kind: "refused", consequence: "margin" });
    expect(levels.at(-1)).toBe("closed");
  });

  test("key, secret and signature are in nothing that a failure shows", async () => {
    const world = setUp({
      withoutSocketApi: true,
      timing: { answer: 30 },
      rest: () => new Promise<Response>(() => {}),
    });
    const outcomes = [await world.client.positions("protect"), await world.client.placeOrder(ORDER, "protect")];
    await world.exchange.close();
    outcomes.push(await world.client.positions("protect"));
    const shown = Bun.inspect([outcomes, world.notices, world.client], { depth: 20 }) + JSON.stringify(outcomes);
    for (const hidden of ["the-key", SECRET, "signature="]) expect(shown).not.toContain(hidden);
  });
});

describe("user stream", () => {
  const NEW = {
    e: "ORDER_TRADE_UPDATE",
    E: 2,
    T: 1,
    o: {
      s: "BTCUSDT",
      c: "p-1",
      S: "BUY",
      o: "MARKET",
      ot: "MARKET",
      f: "GTC",
      q: "1",
      p: "0",
      x: "NEW",
      X: "NEW",
      i: 1,
      l: "0",
      z: "0",
      L: "0",
      m: false,
      R: false,
      ps: "BOTH",
    },
  };

  test("events come typed and with exact ids; other kinds are passed over", async () => {
    const world = setUp();
    await world.client.open();
    const socket = world.exchange.socket("/private/ws/key1");
    socket.send({ e: "TRADE_LITE", E: 1 });
    socket.send(JSON.stringify(NEW).replace('"i":1', '"i":8389766145050669870'));
    await world.exchange.until(() => world.events.length === 2);
    expect(world.events[0]).toMatchObject({ kind: "stream", up: true });
    expect(world.events[1]).toMatchObject({
      kind: "order",
      clientId: "p-1",
      orderId: "8389766145050669870",
      commission: "0",
      tradeId: "0",
    });
  });

  test("an expired key, said twice and with its time as a text, is replaced once", async () => {
    const world = setUp();
    await world.client.open();
    const socket = world.exchange.socket("/private");
    socket.send({ stream: "key1", data: { e: "listenKeyExpired", E: "1693427319838", listenKey: "key1" } });
    socket.send({ e: "listenKeyExpired", E: 1693427319838 });
    await world.exchange.until(() => world.events.filter((event) => event.kind === "stream" && event.up).length === 2);
    const kinds = world.events.map((event) => (event.kind === "stream" ? `stream ${event.up}` : event.kind));
    expect(kinds).toEqual(["stream true", "listen-key-expired", "stream false", "stream true"]);
    expect(world.exchange.socket("/private").path).toBe("/private/ws/key2");
  });

  test("a key that is gone when it is to be kept is replaced; one that is kept is not", async () => {
    let keeps = 0;
    const world = setUp({
      timing: { userStream: { keep: 5, keepAgain: 5, line: LINE } },
      rest: (request) => {
        if (request.method !== "PUT") return new Response("", { status: 404 });
        keeps += 1;
        return keeps === 2
          ? refusal(400, { code: -1125, msg: "This listenKey does not exist." })
          : Response.json({ listenKey: "key1" });
      },
    });
    await world.client.open();
    await world.exchange.until(() => world.exchange.sockets.some(({ path }) => path === "/private/ws/key2"));
    expect(keeps).toBe(2);
  });

  test("an event that cannot be read counts as a gap, so that somebody looks", async () => {
    const world = setUp();
    await world.client.open();
    world.exchange.socket("/private").send({ ...NEW, o: { ...NEW.o, X: "SOMETHING_NEW" } });
    await world.exchange.until(() => world.events.length === 3);
    expect(world.events.map((event) => event.kind === "stream" && event.up)).toEqual([true, false, true]);
  });

  test("a key that may not have a stream ends the start with what is wrong", async () => {
    const message = "Invalid API-key, IP, or permissions for action";
    const world = setUp({ listenKey: () => refusal(401, { code: -2015, msg: message }) });
    const error: unknown = await world.client.open().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message).toContain(message);
  });
});
