import { describe, expect, test } from "bun:test";
import { FAULT_KINDS, type Fault, randomFaults, readScript } from "../../../src/exchange/simulated/server/faults.ts";
import { Lockstep } from "../../../src/exchange/simulated/server/lockstep.ts";
import { ApiSession } from "../../../src/exchange/simulated/server/ws-api.ts";
import { best, type Message, newVenue, SYMBOL, VenueClient } from "./venue-fixture.ts";

const MINUTE = 60_000;
const BUY = { symbol: SYMBOL, side: "BUY", type: "MARKET", quantity: 50, newOrderRespType: "RESULT" };
const SELL = { ...BUY, side: "SELL", reduceOnly: true };
const l = SYMBOL.toLowerCase();

function faulty(...faults: Fault[]): VenueClient {
  const client = new VenueClient(newVenue());
  client.listen();
  client.door.start({ faults });
  return client;
}

function stop(client: VenueClient, more: Record<string, string | number | boolean> = {}): Message {
  const { bid, price } = best(client.venue);
  const algo = { algoType: "CONDITIONAL", symbol: SYMBOL, side: "SELL", type: "STOP_MARKET", closePosition: true };
  return client.good("POST", "/fapi/v1/algoOrder", { ...algo, triggerPrice: price(bid - 2), ...more });
}

/** Lets the market run until the last price has been at or below the level at which stops stand. */
function fall(client: VenueClient, done: () => boolean): void {
  for (let minutes = 0; minutes < 1200 && !done(); minutes++) client.venue.advance(client.venue.time + MINUTE);
}

const lots = (client: VenueClient) => client.venue.exchange.positions[0]!.lots;

describe("requests", () => {
  test("late ones are carried out late, late answers at once", () => {
    const client = faulty({ kind: "request-delay", ms: 300, count: 1 }, { kind: "response-delay", ms: 300, count: 1 });
    for (const carriedOut of [false, true]) {
      let answered = false;
      const before = lots(client);
      const query = `symbol=${SYMBOL}&side=BUY&type=MARKET&quantity=50&timestamp=${client.clock.now()}`;
      const request = { method: "POST", path: "/fapi/v1/order", body: "", apiKey: "test-key", ip: "127.0.0.1" };
      client.door.request({ ...request, query: `${query}&signature=${client.sign(query)}` }, ({ status }) => {
        answered = status === 200;
      });
      expect([lots(client) !== before, answered]).toEqual([carriedOut, false]);
      client.clock.pass(300);
      expect([lots(client) !== before, answered]).toEqual([true, true]);
    }
  });

  test("lost ones: with the request or with the answer", () => {
    const client = faulty(
      { kind: "request-lost", count: 1, route: "POST" },
      { kind: "response-lost", count: 1, route: "POST" },
    );
    expect(client.call("POST", "/fapi/v1/order", BUY)).toBeUndefined();
    expect(lots(client)).toBe(0);
    expect(client.call("POST", "/fapi/v1/order", BUY)).toBeUndefined();
    expect(lots(client)).toBe(5000);
    expect(client.call("GET", "/fapi/v3/balance")?.status).toBe(200);
  });

  const answers: readonly [Fault, number, number | undefined, boolean][] = [
    [{ kind: "unknown" }, 503, undefined, true],
    [{ kind: "unknown", executed: false }, 503, undefined, false],
    [{ kind: "backend-timeout" }, 503, -1007, true],
    [{ kind: "overloaded" }, 503, -1008, false],
    [{ kind: "overloaded", executed: true }, 503, -1008, true],
    [{ kind: "unavailable" }, 503, undefined, false],
    [{ kind: "restricted" }, 451, 0, false],
    [{ kind: "refusal", status: 400, code: -4400, message: "reduce only" }, 400, -4400, false],
    [{ kind: "maintenance" }, 503, -1016, false],
    [{ kind: "reduce-only-rejected" }, 200, undefined, true],
  ];
  test.each(answers)("%j", (fault, status, code, executed) => {
    const client = faulty(fault);
    const answer = client.call("POST", "/fapi/v1/order", BUY);
    expect([answer?.status, answer?.json.code]).toEqual([status, code]);
    expect(lots(client)).toBe(executed ? 5000 : 0);
    if (fault.kind === "maintenance") expect(client.call("GET", "/fapi/v3/balance")?.status).toBe(200);
  });

  test("a page instead of JSON, and the same over the WS API", () => {
    const client = faulty({ kind: "forbidden" });
    const answer = client.call("POST", "/fapi/v1/order", BUY);
    expect([answer?.status, String(answer?.json).startsWith("<html>")]).toEqual([403, true]);
    let told = "";
    const session = new ApiSession("127.0.0.1", client.clock.now());
    client.door.message(session, '{"id":"x","method":"order.place","params":{}}', (text) => {
      told = text;
    });
    expect(JSON.parse(told)).toMatchObject({ id: "x", status: 403 });
  });

  test("a ban, and a minute whose weight is gone", () => {
    const banned = faulty({ kind: "ban", ms: 30_000 });
    expect(banned.call("GET", "/fapi/v3/balance")).toMatchObject({ status: 418, headers: { "retry-after": "30" } });
    banned.clock.pass(30_000);
    expect(banned.call("GET", "/fapi/v3/balance")?.status).toBe(200);
    const exhausted = faulty({ kind: "weight-exhausted" });
    const statuses = Array.from({ length: 7 }, () => exhausted.call("GET", "/fapi/v1/ping")?.status);
    expect(statuses).toEqual([429, 429, 429, 429, 429, 418, 418]);
  });

  test("only what a fault concerns, when, and as often as it says", () => {
    const client = faulty({ kind: "unavailable", route: "GET /fapi/v3", at: 1000, for: 5000, count: 2 });
    const ask = (path = "/fapi/v3/balance") => client.call("GET", path)?.status;
    expect(ask()).toBe(200);
    client.clock.pass(1000);
    expect([ask("/fapi/v2/balance"), ask(), ask(), ask()]).toEqual([200, 503, 503, 200]);
    client.clock.pass(5000);
    client.door.poll();
    expect(client.door.faults).toEqual([]);
    expect(client.door.strikes.get("unavailable")).toBe(2);
  });
});

describe("streams", () => {
  function hear(fault: Fault): { client: VenueClient; ids: number[]; closed: number[] } {
    const client = faulty(fault);
    const ids: number[] = [];
    const { closed } = client.stream(`/market/ws/${l}@aggTrade`, ({ a }) => ids.push(a));
    client.venue.advance(client.venue.time + 30_000);
    return { client, ids, closed };
  }
  const rising = (ids: number[]) => ids.every((id, index) => index === 0 || id > ids[index - 1]!);

  test("silence, loss, repetition, disorder, delay", () => {
    const whole = hear({ kind: "stream-silent", stream: "user" }).ids;
    expect(whole.length).toBeGreaterThan(8);
    expect(rising(whole)).toBe(true);
    expect(hear({ kind: "stream-silent" }).ids).toEqual([]);
    expect(hear({ kind: "stream-drop", count: 1, stream: "@aggTrade" }).ids).toEqual(whole.slice(1));
    expect(hear({ kind: "stream-duplicate", count: 1 }).ids).toEqual([whole[0]!, ...whole]);
    const disordered = hear({ kind: "stream-reorder", count: 1 }).ids;
    expect(disordered).toEqual([whole[1]!, whole[0]!, ...whole.slice(2)]);
    const late = hear({ kind: "stream-delay", count: 1, ms: 500 });
    expect(late.ids).toEqual(whole.slice(1));
    late.client.clock.pass(500);
    expect(late.ids.at(-1)).toBe(whole[0]!);
  });

  test("connections that are closed, all or those of one kind", () => {
    expect(hear({ kind: "disconnect", stream: "user" }).closed).toEqual([]);
    const client = faulty({ kind: "disconnect", at: 1000 });
    const { closed } = client.stream(`/market/ws/${l}@aggTrade`, () => {});
    client.clock.pass(1000);
    client.door.poll();
    expect(closed).toEqual([1001]);
  });

  test("a listen key that ends before its time", () => {
    const client = faulty({ kind: "listen-key-expiry" });
    expect(client.events.map(({ e }) => e)).toEqual(["listenKeyExpired"]);
    expect(client.call("PUT", "/fapi/v1/listenKey")?.json.code).toBe(-1125);
  });

  test("final candles that are late, and candles that are missing", () => {
    for (const kind of ["kline-late", "kline-gap"] as const) {
      const client = faulty({ kind, count: 1, ms: 24_000 });
      const finals: Message[] = [];
      client.stream(`/market/ws/${l}@kline_1m`, ({ k }) => k.x && finals.push(k.t));
      client.venue.advance(client.venue.time + 3 * MINUTE);
      const rows = client.good("GET", "/fapi/v1/klines", { symbol: SYMBOL, interval: "1m", limit: 5 });
      const gaps = rows.filter((row: Message, index: number) => index > 0 && row[0] - rows[index - 1][0] !== MINUTE);
      expect(finals).toHaveLength(2);
      expect(gaps).toHaveLength(kind === "kline-gap" ? 1 : 0);
      client.clock.pass(24_000);
      expect(finals).toHaveLength(kind === "kline-late" ? 3 : 2);
    }
  });

  test("a print of the insurance fund is seen on the trade stream and nowhere else", () => {
    const client = new VenueClient(newVenue());
    const heard: Message[] = [];
    client.stream(`/public/ws/${l}@trade`, (message) => heard.push(message));
    client.stream(`/market/ws/${l}@aggTrade/${l}@kline_1m`, (message) => heard.push(message));
    client.door.start({ faults: [{ kind: "insurance-print", symbol: SYMBOL }] });
    expect(heard.map(({ e, X }) => `${e} ${X}`)).toEqual(["trade INSURANCE_FUND"]);
    expect(Number(heard[0].p)).toBeLessThan(0.9 * Number(best(client.venue).price(best(client.venue).bid)));
  });
});

describe("orders and positions", () => {
  test("matches in part: a market order's rest expires, a limit order's rests", () => {
    const client = faulty({ kind: "partial-fill", share: 0.4 });
    client.good("POST", "/fapi/v1/order", BUY);
    const statuses = client.events.flatMap(({ o }) => (o === undefined ? [] : [o.X]));
    expect(statuses).toEqual(["NEW", "PARTIALLY_FILLED", "EXPIRED"]);
    expect(lots(client)).toBe(2000);
    client.events.length = 0;
    const { ask, price } = best(client.venue);
    const limit = { ...BUY, type: "LIMIT", timeInForce: "GTC", price: price(ask) };
    expect(client.good("POST", "/fapi/v1/order", limit).status).toBe("PARTIALLY_FILLED");
    expect(client.good("GET", "/fapi/v1/openOrders")).toHaveLength(1);
  });

  test("a conditional order that triggers and gets stuck leaves the position as it is", () => {
    const client = faulty({ kind: "stuck-triggering" });
    client.good("POST", "/fapi/v1/order", BUY);
    const { algoId } = stop(client);
    const status = () => client.good("GET", "/fapi/v1/algoOrder", { algoId }).algoStatus;
    fall(client, () => status() !== "NEW");
    expect(status()).toBe("TRIGGERING");
    expect(lots(client)).toBe(5000);
    expect(client.call("DELETE", "/fapi/v1/algoOrder", { algoId })?.json.code).toBe(-2011);
    expect(client.good("GET", "/fapi/v1/openAlgoOrders")).toHaveLength(1);
    client.good("POST", "/fapi/v1/order", SELL);
    expect(lots(client)).toBe(0);
  });

  test("with bars it gets through once the fault is over", () => {
    const client = new VenueClient(newVenue({ play: "bars" }));
    client.listen();
    const lockstep = new Lockstep(client.venue);
    client.good("POST", "/fapi/v1/order", BUY);
    // The open of the bar that is shown first was before the order.
    while (lots(client) === 0) lockstep.toNextClose();
    const { algoId } = stop(client);
    client.door.start({ faults: [{ kind: "stuck-triggering" }] });
    const status = () => client.good("GET", "/fapi/v1/algoOrder", { algoId }).algoStatus;
    for (let bars = 0; bars < 1200 && status() === "NEW"; bars++) {
      client.clock.pass(MINUTE);
      lockstep.toNextClose();
    }
    expect([status(), lots(client)]).toEqual(["TRIGGERING", 5000]);
    client.door.clear();
    lockstep.toNextClose();
    expect([status(), lots(client)]).toEqual(["FINISHED", 0]);
  });

  test("a conditional order that cannot be found for a while, and one that vanishes", () => {
    const client = faulty({ kind: "algo-lost", ms: 5000, count: 1 });
    client.good("POST", "/fapi/v1/order", BUY);
    const { algoId } = stop(client);
    expect(client.call("GET", "/fapi/v1/algoOrder", { algoId })?.json.code).toBe(-2013);
    expect(client.call("DELETE", "/fapi/v1/algoOrder", { algoId })?.json.code).toBe(-2011);
    expect(client.good("GET", "/fapi/v1/openAlgoOrders")).toEqual([]);
    client.clock.pass(5000);
    expect(client.good("GET", "/fapi/v1/openAlgoOrders")).toHaveLength(1);
    client.door.start({ faults: [{ kind: "algo-vanished" }] });
    expect(client.good("GET", "/fapi/v1/openAlgoOrders")).toEqual([]);
    expect(client.events.at(-1).o.X).toBe("CANCELED");
  });

  test("an orphaned conditional order stays until it is cancelled, or rejected at its price", () => {
    for (const cancelled of [true, false]) {
      const client = faulty({ kind: "algo-orphaned" });
      client.good("POST", "/fapi/v1/order", BUY);
      const { algoId } = stop(client);
      client.good("POST", "/fapi/v1/order", SELL);
      client.venue.advance(client.venue.time + 1);
      expect(client.good("GET", "/fapi/v1/openAlgoOrders")).toHaveLength(1);
      if (cancelled) client.good("DELETE", "/fapi/v1/algoOrder", { algoId });
      else fall(client, () => client.events.at(-1).o?.X === "REJECTED");
      const last = client.events.at(-1).o;
      expect([last.X, last.rm]).toEqual(cancelled ? ["CANCELED", ""] : ["REJECTED", "Reduce Only reject"]);
      expect(client.good("GET", "/fapi/v1/openAlgoOrders")).toEqual([]);
    }
  });

  test("an order that cannot be queried just after it was placed, and exits that are refused", () => {
    const client = faulty({ kind: "order-hidden", ms: 3000, count: 1 }, { kind: "reduce-only-rejected", count: 1 });
    const { orderId } = client.good("POST", "/fapi/v1/order", BUY);
    expect(client.call("GET", "/fapi/v1/order", { symbol: SYMBOL, orderId })?.json.code).toBe(-2013);
    client.clock.pass(3000);
    expect(client.good("GET", "/fapi/v1/order", { symbol: SYMBOL, orderId }).status).toBe("FILLED");
    expect(client.call("POST", "/fapi/v1/order", SELL)?.json.code).toBe(-2022);
    expect(client.call("POST", "/fapi/v1/order", SELL)?.status).toBe(200);
  });

  test("a position that is deleveraged", () => {
    const client = new VenueClient(newVenue());
    client.listen();
    client.good("POST", "/fapi/v1/order", BUY);
    client.door.start({ faults: [{ kind: "adl" }] });
    client.venue.advance(client.venue.time + MINUTE);
    expect(lots(client)).toBe(0);
    expect(client.events.at(-1).o.X).toBe("NEW_ADL");
  });
});

describe("scripts", () => {
  test("what cannot be meant is refused with its place", () => {
    const cases: readonly [unknown, string][] = [
      [{ faults: [{ kind: "earthquake" }] }, 'faults[0]: kind "earthquake" is unknown'],
      [{ faults: [{ kind: "ban" }, { kind: "ban", ms: "long" }] }, "faults[1]: ms"],
      [{ faults: [{ kind: "ban", sometimes: 1 }] }, "faults[0]: sometimes"],
      [{ faults: {} }, "faults: a list"],
      [{ faults: [], speed: 1 }, '"speed"'],
      [{ seed: 0.5, faults: [] }, "seed"],
      [{ clock: "wall", faults: [] }, "clock"],
    ];
    for (const [script, message] of cases) expect(() => readScript(script)).toThrow(message);
  });

  test("a seed always makes the same script, of every kind but the one that needs a relay", () => {
    const options = { duration: MINUTE, count: 600 };
    const script = randomFaults(7, options);
    expect(randomFaults(7, options)).toEqual(script);
    expect(randomFaults(8, options)).not.toEqual(script);
    expect(readScript(script)).toEqual(script);
    const kinds = new Set(script.faults.map(({ kind }) => kind));
    const never = FAULT_KINDS.filter((kind) => !kinds.has(kind));
    expect(never).toEqual(["half-open"]);
  });

  test("the same script over the same session strikes the same", () => {
    const session = () => {
      const client = new VenueClient(newVenue());
      client.listen();
      client.door.start(randomFaults(11, { duration: 10 * MINUTE, count: 60 }));
      const answers: unknown[] = [];
      for (let turn = 0; turn < 40; turn++) {
        answers.push(client.call("POST", "/fapi/v1/order", turn % 2 === 0 ? BUY : SELL)?.json.code ?? null);
        client.clock.pass(15_000);
        client.venue.advance(client.venue.time + 15_000);
      }
      return { answers, events: client.events, strikes: [...client.door.strikes] };
    };
    const first = session();
    expect(first.strikes.length).toBeGreaterThan(8);
    expect(session()).toEqual(first);
  });

  test("every fault can be read from JSON", () => {
    for (const kind of FAULT_KINDS) expect(readScript({ faults: [{ kind }] }).faults).toHaveLength(1);
  });
});
