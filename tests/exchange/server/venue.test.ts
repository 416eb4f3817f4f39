import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Lockstep } from "../../../src/exchange/simulated/server/lockstep.ts";
import { Random } from "../../../src/market/random.ts";
import { best, type Message, newVenue, START, SYMBOL, VenueClient } from "./venue-fixture.ts";

const MINUTE = 60_000;
const MARKET = { symbol: SYMBOL, type: "MARKET" };

/** "ORDER_TRADE_UPDATE NEW", "ACCOUNT_UPDATE ORDER", "ALGO_UPDATE TRIGGERED" … */
function story(events: readonly Message[]): string[] {
  return events.map((event) => {
    if (event.e === "ORDER_TRADE_UPDATE") return `${event.e} ${event.o.x}/${event.o.X}`;
    if (event.e === "ALGO_UPDATE") return `${event.e} ${event.o.X}`;
    return event.e === "ACCOUNT_UPDATE" ? `${event.e} ${event.a.m}` : event.e;
  });
}

function listener(options: Parameters<typeof newVenue>[0] = {}): VenueClient {
  const client = new VenueClient(newVenue(options));
  client.listen();
  return client;
}

describe("the user stream tells what happens in the order of the real one", () => {
  test("a market order: new, then each fill with the account before it", () => {
    const client = listener();
    const answer = client.good("POST", "/fapi/v1/order", { ...MARKET, side: "BUY", quantity: 5 });
    expect(story(client.events)).toEqual([
      "ORDER_TRADE_UPDATE NEW/NEW",
      "TRADE_LITE",
      "ACCOUNT_UPDATE ORDER",
      "ORDER_TRADE_UPDATE TRADE/FILLED",
    ]);
    // Its answer acknowledges only, unless a result is asked for.
    expect([answer.status, answer.executedQty]).toEqual(["NEW", "0.00"]);
    expect(answer.orderId).toMatch(/^\d{19}$/);
    expect(client.events[3].o.i).toBe(answer.orderId);
    expect("avgPrice" in answer).toBe(false);
  });

  test("answers have the older fields where that is wanted", () => {
    const client = new VenueClient(newVenue({ legacyOrderFields: true }));
    const order = { ...MARKET, side: "BUY", quantity: 5, newOrderRespType: "RESULT" };
    expect(Number(client.good("POST", "/fapi/v1/order", order).avgPrice)).toBeGreaterThan(0);
  });

  test("a conditional order: its own service until it triggers, then an order under its name", () => {
    const client = listener();
    client.good("POST", "/fapi/v1/order", { ...MARKET, side: "BUY", quantity: 5 });
    client.events.length = 0;
    const { bid, price } = best(client.venue);
    const { algoId } = client.good("POST", "/fapi/v1/algoOrder", {
      algoType: "CONDITIONAL",
      symbol: SYMBOL,
      side: "SELL",
      type: "STOP_MARKET",
      closePosition: true,
      triggerPrice: price(bid - 1),
      clientAlgoId: "stop-1",
    });
    expect(client.good("GET", "/fapi/v1/openAlgoOrders")).toHaveLength(1);
    expect(client.good("GET", "/fapi/v1/openOrders")).toEqual([]);
    expect(client.call("GET", "/fapi/v1/order", { symbol: SYMBOL, orderId: algoId })?.json.code).toBe(-2013);
    for (let minutes = 0; minutes < 600 && client.venue.exchange.positions[0]!.lots !== 0; minutes++) {
      client.venue.advance(client.venue.time + MINUTE);
    }
    expect(story(client.events)).toEqual([
      "ALGO_UPDATE NEW",
      "ALGO_UPDATE TRIGGERING",
      "ORDER_TRADE_UPDATE NEW/NEW",
      "TRADE_LITE",
      "ACCOUNT_UPDATE ORDER",
      "ORDER_TRADE_UPDATE TRADE/FILLED",
      "ALGO_UPDATE TRIGGERED",
      "ALGO_UPDATE FINISHED",
    ]);
    const fill = client.events[5].o;
    expect([fill.c, fill.si, fill.st, fill.cp]).toEqual(["stop-1", algoId, "ALGO_CONDITION", true]);
    const told = client.good("GET", "/fapi/v1/algoOrder", { algoId });
    expect([told.algoStatus, told.actualOrderId, told.actualQty]).toEqual(["FINISHED", fill.i, "5.00"]);
    expect(client.good("GET", "/fapi/v1/openAlgoOrders")).toEqual([]);
  });

  test("funding, in the wallet and in the incomes", () => {
    const client = listener({ from: START + 8 * 3_600_000 - MINUTE });
    client.good("POST", "/fapi/v1/order", { ...MARKET, side: "BUY", quantity: 50 });
    client.events.length = 0;
    client.venue.advance(client.venue.time + 5 * MINUTE);
    expect(story(client.events)).toEqual(["ACCOUNT_UPDATE FUNDING_FEE"]);
    const [income] = client.good("GET", "/fapi/v1/income", { incomeType: "FUNDING_FEE" });
    expect(income.time).toBe(START + 8 * 3_600_000);
    expect(Number(income.income)).toBeCloseTo(Number(client.events[0].a.B[0].bc), 8);
  });

  test("a deleveraged position is closed by an order of the exchange", () => {
    const client = listener();
    client.good("POST", "/fapi/v1/order", { ...MARKET, side: "BUY", quantity: 50 });
    client.events.length = 0;
    client.venue.exchange.deleverage(0, "both");
    client.venue.advance(client.venue.time + MINUTE);
    expect(story(client.events)).toEqual(["ACCOUNT_UPDATE ORDER", "ORDER_TRADE_UPDATE CALCULATED/NEW_ADL"]);
    expect(client.events[1].o.c).toStartWith("adl_autoclose");
    expect(client.good("GET", "/fapi/v3/positionRisk")).toEqual([]);
  });
});

test("hedge mode: legs of their own, closed by the other side, no reduce-only", () => {
  const client = listener();
  client.good("POST", "/fapi/v1/positionSide/dual", { dualSidePosition: true });
  const order = { ...MARKET, quantity: 10, newOrderRespType: "RESULT" };
  client.good("POST", "/fapi/v1/order", { ...order, side: "BUY", positionSide: "LONG" });
  client.good("POST", "/fapi/v1/order", { ...order, side: "SELL", positionSide: "SHORT", quantity: 7 });
  const positions = () =>
    client.good("GET", "/fapi/v3/positionRisk").map((held: Message) => `${held.positionSide} ${held.positionAmt}`);
  expect(positions()).toEqual(["LONG 10.00", "SHORT -7.00"]);
  expect(client.call("POST", "/fapi/v1/order", { ...order, side: "BUY" })?.json.code).toBe(-4061);
  const reducing = { ...order, side: "SELL", positionSide: "LONG", reduceOnly: true };
  expect(client.call("POST", "/fapi/v1/order", reducing)?.json.code).toBe(-1106);
  client.good("POST", "/fapi/v1/order", { ...order, side: "SELL", positionSide: "LONG" });
  expect(positions()).toEqual(["SHORT -7.00"]);
});

/** What the wire says of the account is what the model has, to the last unit. */
function expectSameBooks(client: VenueClient): void {
  const { trading, exchange } = client.venue;
  expect(trading.account.wallet).toBe(exchange.wallet);
  expect(trading.account.positions.map(({ lots, cost }) => [lots, cost])).toEqual(
    exchange.positions.map(({ lots, cost }) => [lots, cost]),
  );
  const open = [...trading.openOrders, ...[...trading.openAlgos].filter(({ order }) => order === undefined)];
  expect(open.map(({ model }) => model).sort()).toEqual([...exchange.openOrders].sort());
  const earned = trading.incomes.reduce((sum, { amount }) => sum + amount, 0n);
  expect(BigInt(client.venue.options.balance) + earned).toBe(exchange.wallet);
}

/** Random orders over some time, in either way of playing; all user events as texts. */
function randomSession(seed: number, play: "bars" | "ticks", hedge: boolean): string[] {
  const random = new Random(seed);
  const client = listener({ play, market: seed % 7 });
  if (hedge) client.good("POST", "/fapi/v1/positionSide/dual", { dualSidePosition: true });
  for (let turn = 0; turn < 25; turn++) {
    const { bid, price } = best(client.venue);
    const side = random.chance(0.5) ? "BUY" : "SELL";
    const leg = hedge ? { positionSide: random.chance(0.5) ? "LONG" : "SHORT" } : {};
    const quantity = random.whole(1, 400);
    const away = price(bid + random.whole(-30, 30));
    const kind = random.whole(0, 5);
    if (kind === 0) client.call("POST", "/fapi/v1/order", { ...MARKET, ...leg, side, quantity });
    else if (kind === 1) {
      const timeInForce = ["GTC", "IOC", "FOK", "GTX"][random.whole(0, 3)]!;
      const limit = { symbol: SYMBOL, type: "LIMIT", price: away, timeInForce };
      client.call("POST", "/fapi/v1/order", { ...limit, ...leg, side, quantity });
    } else if (kind === 2) {
      const type = ["STOP_MARKET", "TAKE_PROFIT_MARKET"][random.whole(0, 1)]!;
      const algo = { algoType: "CONDITIONAL", symbol: SYMBOL, type, triggerPrice: away };
      const size: Record<string, string | number> = random.chance(0.5) ? { closePosition: "true" } : { quantity };
      client.call("POST", "/fapi/v1/algoOrder", { ...algo, ...leg, ...size, side });
    } else if (kind === 3) {
      const [order] = client.good("GET", "/fapi/v1/openOrders", { symbol: SYMBOL });
      if (order !== undefined) {
        const amended = { symbol: SYMBOL, orderId: order.orderId, side: order.side, quantity, price: away };
        client.call("PUT", "/fapi/v1/order", amended);
      }
    } else if (kind === 4) {
      client.call("DELETE", random.chance(0.5) ? "/fapi/v1/allOpenOrders" : "/fapi/v1/algoOpenOrders", {
        symbol: SYMBOL,
      });
    }
    client.clock.pass(2000);
    client.venue.advance(client.venue.time + random.whole(1, 5) * MINUTE);
    // What lost its position is only told at the next happening.
    for (const event of client.venue.exchange.settled()) client.venue.trading.apply(event);
    if (!client.venue.exchange.ended) expectSameBooks(client);
  }
  return client.events.map((event) => JSON.stringify(event));
}

test("whatever is ordered, wire and model agree on every unit; the same session gives the same events", () => {
  let fills = 0;
  fc.assert(
    fc.property(
      fc.nat(1_000_000),
      fc.constantFrom("bars" as const, "ticks" as const),
      fc.boolean(),
      (seed, play, hedge) => {
        const events = randomSession(seed, play, hedge);
        fills += events.filter((event) => event.includes('"x":"TRADE"')).length;
        if (seed % 5 === 0) expect(randomSession(seed, play, hedge)).toEqual(events);
      },
    ),
    { numRuns: 8 },
  );
  expect(fills).toBeGreaterThan(5);
});

describe("lockstep", () => {
  test("the market moves one happening at a time, and says when all of it was said", () => {
    const client = listener({ play: "bars" });
    const lockstep = new Lockstep(client.venue);
    const market: Message[] = [];
    client.stream(`/market/ws/${SYMBOL.toLowerCase()}@kline_1m`, (message) => market.push(message));
    const before = client.venue.time;
    expect(lockstep.acknowledge(0)).toMatchObject({ step: 1, acknowledged: 0, time: before + MINUTE });
    expect(market.map(({ e }) => e)).toEqual(["kline", "lockstep"]);
    expect(market[0].k.x).toBe(true);
    // What is ordered at the close fills at the next open, which is the same moment, and no bar comes before it.
    client.good("POST", "/fapi/v1/order", { ...MARKET, side: "BUY", quantity: 5 });
    expect(lockstep.acknowledge(1)).toMatchObject({ step: 2, time: before + MINUTE });
    expect(story(client.events.slice(-4))).toEqual([
      "TRADE_LITE",
      "ACCOUNT_UPDATE ORDER",
      "ORDER_TRADE_UPDATE TRADE/FILLED",
      "lockstep",
    ]);
    expect(market.at(-1)).toEqual({ e: "lockstep", E: before + MINUTE, step: 2, ended: false });
    expect(() => lockstep.acknowledge(1)).toThrow("the market is at 2");
    expect(lockstep.toNextClose()).toMatchObject({ time: before + 2 * MINUTE });
  });
});

describe("streams", () => {
  const l = SYMBOL.toLowerCase();

  test("what stands at the wrong door is acknowledged and silent", () => {
    const client = new VenueClient(newVenue());
    const heard: Record<string, Message[]> = {};
    for (const door of ["/market/ws", "/public/ws", "/ws"]) {
      const messages: Message[] = [];
      heard[door] = messages;
      const { connection } = client.stream(door, (message) => messages.push(message));
      const subscribe = { method: "SUBSCRIBE", params: [`${l}@markPrice@1s`, `${l}@bookTicker`], id: 7 };
      client.venue.hub.receive(connection!, JSON.stringify(subscribe), client.clock.now());
      expect(messages).toEqual([{ result: null, id: 7 }]);
    }
    client.venue.advance(client.venue.time + 10_000);
    const kinds = (door: string) => [...new Set(heard[door]!.slice(1).map(({ e }) => e))];
    expect(kinds("/market/ws")).toEqual(["markPriceUpdate"]);
    expect(kinds("/public/ws")).toEqual(["bookTicker"]);
    expect(kinds("/ws")).toEqual([]);
  });

  test("combined streams name themselves; subscriptions are listed and ended; ids come back as they came", () => {
    const client = new VenueClient(newVenue());
    const heard: Message[] = [];
    const { connection } = client.stream(`/market/stream?streams=${l}@aggTrade`, (message) => heard.push(message));
    const say = (message: string) => client.venue.hub.receive(connection!, message, client.clock.now());
    client.venue.advance(client.venue.time + 5000);
    expect(heard[0].stream).toBe(`${l}@aggTrade`);
    expect(heard[0].data.e).toBe("aggTrade");
    heard.length = 0;
    say('{"method":"LIST_SUBSCRIPTIONS","id":"0bfa7e8992356afc"}');
    say(`{"method":"UNSUBSCRIBE","params":["${l}@aggTrade"],"id":12345678901234567890}`);
    say('{"method":"HELLO","id":1}');
    say("hello");
    expect(heard.slice(0, 2)).toEqual([
      { result: [`${l}@aggTrade`], id: "0bfa7e8992356afc" },
      { result: null, id: "12345678901234567890" },
    ]);
    expect(heard.slice(2).map(({ error }) => error.code)).toEqual([2, 3]);
    heard.length = 0;
    client.venue.advance(client.venue.time + 5000);
    expect(heard).toEqual([]);
  });

  test("more than ten messages in a second end a connection", () => {
    const client = new VenueClient(newVenue());
    const { connection, closed } = client.stream("/market/ws", () => {});
    for (let count = 0; count < 11; count++) {
      client.venue.hub.receive(connection!, '{"method":"LIST_SUBSCRIPTIONS","id":1}', client.clock.now());
    }
    expect(closed).toEqual([1008]);
  });

  test("all four shapes of the user stream are heard", () => {
    const client = new VenueClient(newVenue());
    const { listenKey } = client.good("POST", "/fapi/v1/listenKey");
    const shapes = [
      `/private/ws/${listenKey}`,
      `/private/ws?listenKey=${listenKey}`,
      `/private/stream?listenKey=${listenKey}`,
    ];
    const heard = shapes.map((shape) => {
      const messages: Message[] = [];
      client.stream(shape, (message) => messages.push(message));
      return messages;
    });
    const fourth: Message[] = [];
    const { connection } = client.stream("/private/stream?streams=", (message) => fourth.push(message));
    const subscribe = JSON.stringify({ method: "SUBSCRIBE", params: [listenKey], id: 1 });
    client.venue.hub.receive(connection!, subscribe, client.clock.now());
    client.good("POST", "/fapi/v1/order", { ...MARKET, side: "BUY", quantity: 5 });
    expect(heard.map((messages) => messages.length)).toEqual([4, 4, 4]);
    expect(fourth).toHaveLength(5);
    expect(fourth[4].stream).toBe(listenKey);
  });

  test("a book followed from its snapshot stays in step", () => {
    const client = new VenueClient(newVenue());
    const updates: Message[] = [];
    client.stream(`/public/ws/${l}@depth@100ms`, (message) => updates.push(message));
    const snapshot = client.good("GET", "/fapi/v1/depth", { symbol: SYMBOL, limit: 1000 });
    const sides = { b: new Map<string, string>(snapshot.bids), a: new Map<string, string>(snapshot.asks) };
    client.venue.advance(client.venue.time + 5 * MINUTE);
    let last = snapshot.lastUpdateId;
    for (const update of updates) {
      expect(update.pu).toBe(last);
      expect(update.U).toBe(last + 1);
      last = update.u;
      for (const side of ["a", "b"] as const) {
        for (const [price, quantity] of update[side]) {
          if (Number(quantity) === 0) sides[side].delete(price);
          else sides[side].set(price, quantity);
        }
      }
    }
    expect(updates.length).toBeGreaterThan(50);
    const now = client.good("GET", "/fapi/v1/depth", { symbol: SYMBOL, limit: 1000 });
    const sorted = (levels: Iterable<readonly [string, string]>) => [...levels].sort();
    expect(sorted(sides.b)).toEqual(sorted(now.bids));
    expect(sorted(sides.a)).toEqual(sorted(now.asks));
  });
});

test("a listen key lives an hour, is the same while it lives, and says when it ends", () => {
  const client = listener();
  const { listenKey } = client.good("POST", "/fapi/v1/listenKey");
  client.clock.pass(59 * MINUTE);
  expect(client.good("PUT", "/fapi/v1/listenKey").listenKey).toBe(listenKey);
  client.clock.pass(59 * MINUTE);
  expect(client.good("POST", "/fapi/v1/listenKey").listenKey).toBe(listenKey);
  client.clock.pass(60 * MINUTE);
  expect(client.call("PUT", "/fapi/v1/listenKey")?.json.code).toBe(-1125);
  expect(client.events).toEqual([{ e: "listenKeyExpired", E: client.clock.now(), listenKey }]);
  expect(client.good("POST", "/fapi/v1/listenKey").listenKey).not.toBe(listenKey);
});

test("candles: history and the one that forms, of every interval, out of the same bars", () => {
  const client = new VenueClient(newVenue());
  client.venue.advance(START + 3 * 3_600_000 + 90_000);
  const rows = (interval: string, more = {}): Message[] =>
    client.good("GET", "/fapi/v1/klines", { symbol: SYMBOL, interval, ...more });
  const minutes = rows("1m", { startTime: START, endTime: START + 59 * MINUTE });
  expect(minutes).toHaveLength(60);
  const [hour] = rows("1h", { startTime: START, limit: 1 });
  expect(hour[0]).toBe(START);
  expect(hour[6]).toBe(START + 3_600_000 - 1);
  expect([hour[1], hour[4]]).toEqual([minutes[0][1], minutes[59][4]]);
  expect(Number(hour[2])).toBe(Math.max(...minutes.map((row) => Number(row[2]))));
  expect(Number(hour[3])).toBe(Math.min(...minutes.map((row) => Number(row[3]))));
  expect(Number(hour[5])).toBeCloseTo(
    minutes.reduce((sum, row) => sum + Number(row[5]), 0),
    1,
  );
  // The last row is open: its close lies ahead.
  const newest = rows("1m", { limit: 2 });
  expect(newest[1][6]).toBeGreaterThan(client.venue.time);
  expect(newest[0][6]).toBeLessThan(client.venue.time);
});
