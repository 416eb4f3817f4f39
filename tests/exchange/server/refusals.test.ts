import { describe, expect, test } from "bun:test";
import { sign } from "node:crypto";
import {
  best,
  ED25519,
  ED25519_KEY,
  KEY,
  type Message,
  newVenue,
  RSA,
  RSA_KEY,
  SYMBOL,
  VenueClient,
} from "./venue-fixture.ts";

const ORDER = { symbol: SYMBOL, side: "BUY", type: "MARKET", quantity: "5.00" };

function client(options: Parameters<typeof newVenue>[0] = {}): VenueClient {
  return new VenueClient(newVenue(options));
}

function codeOf(answer: { status: number; json: Message } | undefined): [number, number] {
  return [answer!.status, answer!.json.code];
}

describe("signatures", () => {
  test("a shared secret signs the bytes of query and body as they are sent", () => {
    const one = client();
    const query = "symbol=ALDERUSDT&side=BUY";
    const body = `type=MARKET&quantity=5.00&timestamp=${one.clock.now()}`;
    const signature = one.sign(query + body);
    expect(one.send("POST", "/fapi/v1/order", query, `${body}&signature=${signature}`)?.status).toBe(200);
    expect(one.send("POST", "/fapi/v1/order", `${query}&signature=${signature}`, body)?.status).toBe(200);
    const moved = `${query}&type=MARKET`;
    expect(codeOf(one.send("POST", "/fapi/v1/order", moved, `quantity=5.00&signature=${signature}`))).toEqual([
      400, -1102,
    ]);
  });

  test("key pairs sign too, with Ed25519 and with RSA", () => {
    const one = client();
    const payload = `timestamp=${one.clock.now()}`;
    const signed = (algorithm: string | null, key: string) =>
      encodeURIComponent(sign(algorithm, Buffer.from(payload), key).toString("base64"));
    const ask = (key: string, signature: string) =>
      one.send("GET", "/fapi/v3/balance", `${payload}&signature=${signature}`, "", key)?.status;
    expect(ask(ED25519_KEY, signed(null, ED25519.privateKey))).toBe(200);
    expect(ask(RSA_KEY, signed("sha256", RSA.privateKey))).toBe(200);
    expect(ask(ED25519_KEY, signed("sha256", RSA.privateKey))).toBe(400);
    expect(ask(KEY, signed(null, ED25519.privateKey))).toBe(400);
  });

  test("a wrong, a missing and an old signature are refused, and nothing is done", () => {
    const one = client();
    const payload = `symbol=ALDERUSDT&side=BUY&type=MARKET&quantity=5.00&timestamp=${one.clock.now()}`;
    const signature = one.sign(payload);
    const altered = payload.replace("5.00", "6.00");
    expect(codeOf(one.send("POST", "/fapi/v1/order", `${altered}&signature=${signature}`))).toEqual([400, -1022]);
    expect(codeOf(one.send("POST", "/fapi/v1/order", payload))).toEqual([400, -1102]);
    expect(codeOf(one.send("POST", "/fapi/v1/order", `${payload}&signature=`))).toEqual([400, -1102]);
    expect(codeOf(one.send("POST", "/fapi/v1/order", `${payload}&signature=zz`))).toEqual([400, -1022]);
    expect(one.venue.trading.orders.size).toBe(0);
  });

  test("without a key, and with one that nobody has", () => {
    const one = client();
    expect(codeOf(one.send("GET", "/fapi/v3/balance", "", "", ""))).toEqual([401, -2014]);
    expect(codeOf(one.send("GET", "/fapi/v3/balance", "", "", "other"))).toEqual([401, -2015]);
    expect(codeOf(one.send("POST", "/fapi/v1/listenKey", "", "", "other"))).toEqual([401, -2015]);
    expect(one.send("GET", "/fapi/v1/time", "", "", "")?.status).toBe(200);
  });
});

describe("the clock", () => {
  function at(offset: number, recvWindow?: number) {
    const one = client();
    const window = recvWindow === undefined ? "" : `recvWindow=${recvWindow}&`;
    const payload = `${window}timestamp=${one.clock.now() + offset}`;
    return one.send("GET", "/fapi/v3/balance", `${payload}&signature=${one.sign(payload)}`);
  }

  test("timestamps within the window are taken, up to its very edge", () => {
    expect(at(-5000)?.status).toBe(200);
    expect(at(999)?.status).toBe(200);
    expect(at(-60_000, 60_000)?.status).toBe(200);
    expect(at(0, 0)?.status).toBe(200);
  });

  test("those before and ahead of it are not", () => {
    expect(codeOf(at(-5001))).toEqual([400, -1021]);
    expect(at(-5001)?.json.msg).toBe("Timestamp for this request is outside of the recvWindow.");
    expect(codeOf(at(1000))).toEqual([400, -1021]);
    expect(at(1000)?.json.msg).toBe("Timestamp for this request was 1000ms ahead of the server's time.");
    expect(codeOf(at(-101, 100))).toEqual([400, -1021]);
    expect(codeOf(at(0, 60_001))).toEqual([400, -1131]);
  });

  test("an exchange whose clock is wrong says so with its own time", () => {
    const one = client();
    one.door.start({ faults: [{ kind: "clock-skew", ms: 7000, for: 60_000 }] });
    expect(codeOf(one.call("GET", "/fapi/v3/balance"))).toEqual([400, -1021]);
    expect(one.good("GET", "/fapi/v1/time").serverTime).toBe(one.clock.now() + 7000);
    one.clock.pass(60_001);
    expect(one.call("GET", "/fapi/v3/balance")?.status).toBe(200);
  });
});

describe("filters and rules", () => {
  const LIMIT = { symbol: SYMBOL, side: "BUY", type: "LIMIT", timeInForce: "GTC" };
  const STOP = { algoType: "CONDITIONAL", symbol: SYMBOL, side: "SELL", type: "STOP_MARKET" };
  const cases: readonly [string, string, Record<string, string>, number][] = [
    ["an unknown symbol", "POST /fapi/v1/order", { ...ORDER, symbol: "NONEUSDT" }, -1121],
    ["no side", "POST /fapi/v1/order", { symbol: SYMBOL, type: "MARKET", quantity: "5" }, -1102],
    ["an invalid side", "POST /fapi/v1/order", { ...ORDER, side: "HOLD" }, -1117],
    ["an invalid type", "POST /fapi/v1/order", { ...ORDER, type: "ICEBERG" }, -1116],
    ["no quantity", "POST /fapi/v1/order", { symbol: SYMBOL, side: "BUY", type: "MARKET" }, -1102],
    ["a quantity of words", "POST /fapi/v1/order", { ...ORDER, quantity: "five" }, -1102],
    ["a quantity of zero", "POST /fapi/v1/order", { ...ORDER, quantity: "0" }, -4003],
    ["a negative quantity", "POST /fapi/v1/order", { ...ORDER, quantity: "-1" }, -4003],
    ["a quantity too fine", "POST /fapi/v1/order", { ...ORDER, quantity: "5.001" }, -1111],
    ["a quantity too large", "POST /fapi/v1/order", { ...ORDER, quantity: "99999999" }, -4005],
    ["too little value", "POST /fapi/v1/order", { ...ORDER, quantity: "0.01" }, -4164],
    ["too little margin", "POST /fapi/v1/order", { ...ORDER, quantity: "90000" }, -2019],
    ["a time in force for a market order", "POST /fapi/v1/order", { ...ORDER, timeInForce: "GTC" }, -1106],
    ["a limit order without its price", "POST /fapi/v1/order", { ...LIMIT, quantity: "5" }, -1102],
    ["a price too fine", "POST /fapi/v1/order", { ...LIMIT, quantity: "5", price: "10.00001" }, -1111],
    ["a price of zero", "POST /fapi/v1/order", { ...LIMIT, quantity: "5", price: "0" }, -4001],
    [
      "an unknown time in force",
      "POST /fapi/v1/order",
      { ...LIMIT, quantity: "5", price: "10", timeInForce: "DAY" },
      -1115,
    ],
    ["a conditional order at the old place", "POST /fapi/v1/order", { ...ORDER, type: "STOP_MARKET" }, -4120],
    ["reduce-only without a position", "POST /fapi/v1/order", { ...ORDER, reduceOnly: "true" }, -2022],
    ["a leg in one-way mode", "POST /fapi/v1/order", { ...ORDER, positionSide: "LONG" }, -4061],
    ["a client id of wrong letters", "POST /fapi/v1/order", { ...ORDER, newClientOrderId: "a b" }, -1100],
    ["a client id that is too long", "POST /fapi/v1/order", { ...ORDER, newClientOrderId: "x".repeat(37) }, -1100],
    ["an unknown order", "GET /fapi/v1/order", { symbol: SYMBOL, orderId: "1" }, -2013],
    ["no id", "GET /fapi/v1/order", { symbol: SYMBOL }, -1102],
    ["cancelling an unknown order", "DELETE /fapi/v1/order", { symbol: SYMBOL, orderId: "1" }, -2011],
    [
      "a stop that would trigger",
      "POST /fapi/v1/algoOrder",
      { ...STOP, side: "BUY", triggerPrice: "1", quantity: "5" },
      -2021,
    ],
    ["a stop without a trigger", "POST /fapi/v1/algoOrder", { ...STOP, quantity: "5" }, -1102],
    [
      "closing with a quantity",
      "POST /fapi/v1/algoOrder",
      { ...STOP, triggerPrice: "1", quantity: "5", closePosition: "true" },
      -4137,
    ],
    [
      "closing, and reduce-only",
      "POST /fapi/v1/algoOrder",
      { ...STOP, triggerPrice: "1", reduceOnly: "true", closePosition: "true" },
      -1106,
    ],
    ["an unknown stop", "DELETE /fapi/v1/algoOrder", { algoId: "1" }, -2011],
    ["a leverage that is not offered", "POST /fapi/v1/leverage", { symbol: SYMBOL, leverage: "1000" }, -4028],
    ["the mode that is set", "POST /fapi/v1/positionSide/dual", { dualSidePosition: "false" }, -4059],
    ["the margin type that is set", "POST /fapi/v1/marginType", { symbol: SYMBOL, marginType: "ISOLATED" }, -4046],
    ["an interval that is not served", "GET /fapi/v1/klines", { symbol: SYMBOL, interval: "7m" }, -1120],
    ["a path that is not there", "GET /fapi/v9/order", {}, -5000],
  ];
  const one = client();

  test.each(cases)("%s", (_, route, parameters, code) => {
    const [method, path] = route.split(" ") as [string, string];
    const answer = one.call(method, path, parameters);
    expect(answer?.json.code).toBe(code);
    expect(answer?.status).toBe(code === -5000 ? 404 : 400);
    expect(typeof answer?.json.msg).toBe("string");
  });

  test("no refusal leaves anything behind", () => {
    expect(one.venue.trading.orders.size).toBe(0);
    expect(one.venue.exchange.openOrders).toEqual([]);
    expect(one.venue.exchange.available).toBe(one.venue.exchange.wallet);
  });

  test("a client id is taken while its order is open, and free after that", () => {
    const other = client();
    const price = best(other.venue).price(best(other.venue).bid - 500);
    const order = { ...LIMIT, quantity: "5", price, newClientOrderId: "mine" };
    const { orderId } = other.good("POST", "/fapi/v1/order", order);
    expect(codeOf(other.call("POST", "/fapi/v1/order", order))).toEqual([400, -4116]);
    other.good("DELETE", "/fapi/v1/order", { symbol: SYMBOL, origClientOrderId: "mine" });
    expect(other.good("POST", "/fapi/v1/order", order).orderId).not.toBe(orderId);
  });

  test("a second closing stop in one direction is refused, and modes do not change while orders are open", () => {
    const other = client();
    other.good("POST", "/fapi/v1/order", ORDER);
    const stop = { ...STOP, closePosition: "true", triggerPrice: best(other.venue).price(best(other.venue).bid - 500) };
    other.good("POST", "/fapi/v1/algoOrder", stop);
    expect(codeOf(other.call("POST", "/fapi/v1/algoOrder", stop))).toEqual([400, -4130]);
    expect(codeOf(other.call("POST", "/fapi/v1/positionSide/dual", { dualSidePosition: "true" }))).toEqual([
      400, -4067,
    ]);
    other.good("DELETE", "/fapi/v1/algoOpenOrders", { symbol: SYMBOL });
    expect(codeOf(other.call("POST", "/fapi/v1/positionSide/dual", { dualSidePosition: "true" }))).toEqual([
      400, -4068,
    ]);
  });
});

describe("rate limits", () => {
  const rateLimits = { weight: 20, ordersPer10s: 3, ordersPerMinute: 5 };

  test("weights are counted and shown, and the minute begins anew", () => {
    const one = client({ rateLimits });
    expect(one.call("GET", "/fapi/v3/balance")?.headers["x-mbx-used-weight-1m"]).toBe("5");
    expect(one.call("GET", "/fapi/v1/ping")?.headers["x-mbx-used-weight-1m"]).toBe("6");
    one.clock.pass(60_000);
    expect(one.call("GET", "/fapi/v1/ping")?.headers["x-mbx-used-weight-1m"]).toBe("1");
  });

  test("429 with the time to wait; whoever goes on is banned with 418, each time for longer", () => {
    const one = client({ rateLimits });
    for (let calls = 0; calls < 4; calls++) expect(one.call("GET", "/fapi/v3/balance")?.status).toBe(200);
    const limited = one.call("GET", "/fapi/v1/ping");
    expect(codeOf(limited)).toEqual([429, -1003]);
    const wait = Number(limited?.headers["retry-after"]);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(60);
    for (let calls = 0; calls < 4; calls++) expect(one.call("GET", "/fapi/v1/ping")?.status).toBe(429);
    const banned = one.call("GET", "/fapi/v1/ping");
    expect(codeOf(banned)).toEqual([418, -1003]);
    expect(banned?.headers["retry-after"]).toBe("120");
    one.clock.pass(119_000);
    expect(one.call("GET", "/fapi/v1/ping")?.status).toBe(418);
    one.clock.pass(1000);
    expect(one.call("GET", "/fapi/v1/ping")?.status).toBe(200);
    for (let calls = 0; calls < 30; calls++) one.call("GET", "/fapi/v3/balance");
    expect(Number(one.call("GET", "/fapi/v1/ping")?.headers["retry-after"])).toBe(240);
  });

  test("orders are counted over ten seconds and over a minute; what is refused for it is not placed", () => {
    const one = client({ rateLimits });
    const place = () => one.call("POST", "/fapi/v1/order", ORDER);
    for (let orders = 1; orders <= 3; orders++) expect(place()?.headers["x-mbx-order-count-10s"]).toBe(String(orders));
    const limited = place();
    expect(codeOf(limited)).toEqual([429, -1015]);
    expect(limited?.headers["retry-after"]).toBeDefined();
    one.clock.pass(10_000);
    for (let orders = 0; orders < 2; orders++) expect(place()?.status).toBe(200);
    one.clock.pass(10_000);
    expect(codeOf(place())).toEqual([429, -1015]);
    expect(one.venue.trading.orders.size).toBe(5);
  });
});
