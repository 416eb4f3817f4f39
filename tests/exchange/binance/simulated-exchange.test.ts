import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { priceOf } from "../../../src/core/instrument.ts";
import { BinanceClient, type Change } from "../../../src/exchange/binance/client.ts";
import { keysOf } from "../../../src/exchange/binance/credentials.ts";
import type { NewOrder, Outcome, UserEvent } from "../../../src/exchange/binance/gateway.ts";
import { FEED_TIMING, MarketFeed } from "../../../src/exchange/binance/market-feed.ts";
import { LINE_TIMING } from "../../../src/exchange/binance/socket-line.ts";
import { Door } from "../../../src/exchange/simulated/server/door.ts";
import { listen } from "../../../src/exchange/simulated/server/listen.ts";
import { best, ED25519, ED25519_KEY, KEY, newVenue, RSA, RSA_KEY, SECRET, SYMBOL } from "../server/venue-fixture.ts";

const MINUTE = 60_000;
const LINE = { ...LINE_TIMING, retryFirst: 1, retire: 20 };

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The client and the simulated exchange, over real sockets. */
async function meet(key = KEY, secret = SECRET, answer = 5_000, mayTrade: (what: Change) => boolean = () => true) {
  const venue = newVenue();
  const door = new Door(venue);
  const { port, stop } = listen(door, 0);
  closing.push(stop);
  const folder = mkdtempSync(join(tmpdir(), "penstock-sockets-"));
  closing.push(() => rmSync(folder, { recursive: true }));
  const up = Promise.withResolvers<void>();
  const client = new BinanceClient({
    addresses: {
      rest: `http://127.0.0.1:${port}`,
      streams: `ws://127.0.0.1:${port}`,
      socketApi: `ws://127.0.0.1:${port}/ws-fapi/v1`,
      live: false,
    },
    keys: keysOf({
      BINANCE_API_KEY: key,
      BINANCE_API_SECRET: secret,
      BINANCE_TRADING_API_KEY: "",
      BINANCE_TRADING_API_SECRET: "",
    }),
    breaker: { enabled: true, warning: 2, throttled: 4, blocked: 5, delay: 2000 },
    weightPerMinute: 1920,
    bans: join(folder, "bans.json"),
    mayTrade,
    onNotice: (_, text) => text.includes("over the WebSocket API") && up.resolve(),
    timing: {
      answer,
      recvWindow: 5_000,
      orderWindow: 3_000,
      clock: 60_000,
      line: LINE,
      userStream: { keep: MINUTE, keepAgain: MINUTE, line: LINE },
    },
  });
  const events: UserEvent[] = [];
  let changed = () => {};
  client.listen((event) => {
    events.push(event);
    changed();
  });
  const heard = (is: (event: UserEvent) => boolean): Promise<void> =>
    new Promise((resolve) => {
      changed = () => events.some(is) && resolve();
      changed();
    });
  closing.push(() => client.close());
  await client.open();
  await up.promise;
  return { venue, door, client, events, heard, url: `ws://127.0.0.1:${port}` };
}

function value<T>(outcome: Outcome<T>): T {
  if (outcome.kind !== "done") throw new Error(Bun.inspect(outcome));
  return outcome.value;
}

const order = (clientId: string, side: "BUY" | "SELL", quantity: string): NewOrder => ({
  symbol: SYMBOL,
  clientId,
  side,
  type: "MARKET",
  quantity,
});

const KEYS: readonly [string, string, string][] = [
  ["HMAC", KEY, SECRET],
  ["Ed25519", ED25519_KEY, ED25519.privateKey],
  ["RSA", RSA_KEY, RSA.privateKey],
];

describe.each(KEYS)("a session with a key of %s", (_, key, secret) => {
  test("orders, a conditional stop, an amendment, fills, cancellation and exit, each told by the stream as well", async () => {
    const { venue, client, events, heard } = await meet(key, secret);
    const { ask, askLots, price, quantity } = best(venue);
    expect(value(await client.exchangeInfo("routine")).symbols.map(({ symbol }) => symbol)).toContain(SYMBOL);
    expect(value(await client.setLeverage(SYMBOL, 10, "trade"))).toBeNull();
    expect(value(await client.positionMode("routine"))).toBe("one-way");
    expect(value(await client.leverageBrackets("routine"))[0]!.brackets.length).toBeGreaterThan(0);

    const entry = value(await client.placeOrder(order("p-1", "BUY", quantity(500)), "trade"));
    expect(entry).toMatchObject({ clientId: "p-1", status: "FILLED", executed: quantity(500) });
    expect(entry.orderId).toMatch(/^\d{19}$/);
    await heard((event) => event.kind === "order" && event.clientId === "p-1" && event.status === "FILLED");
    expect(events.find((event) => event.kind === "order")).toMatchObject({ orderId: entry.orderId });

    const stop = {
      symbol: SYMBOL,
      clientId: "p-2",
      side: "SELL",
      type: "STOP_MARKET",
      triggerPrice: price(Math.floor(ask * 0.9)),
      workingType: "MARK_PRICE",
      closePosition: true,
    } as const;
    expect(value(await client.placeAlgoOrder(stop, "protect"))).toMatchObject({ status: "NEW", closePosition: true });
    expect(value(await client.openAlgoOrders(SYMBOL, "protect"))).toMatchObject([{ clientId: "p-2" }]);
    // Of close-position stops there is one in a direction.
    expect(await client.placeAlgoOrder({ ...stop, clientId: "p-3" }, "protect")).toMatchObject({
      kind: "refused",
      consequence: "stop-exists",
    });

    const limit = (clientId: string, lots: number, ticks: number): NewOrder => ({
      ...order(clientId, "BUY", quantity(lots)),
      type: "LIMIT",
      price: price(ticks),
      timeInForce: "GTC",
    });
    expect(value(await client.placeOrder(limit("p-4", 600, ask - 500), "trade"))).toMatchObject({ status: "NEW" });
    expect(
      value(
        await client.amendOrder(
          { symbol: SYMBOL, clientId: "p-4", side: "BUY", quantity: quantity(700), price: price(ask - 400) },
          "trade",
        ),
      ),
    ).toMatchObject({ quantity: quantity(700) });
    expect(value(await client.placeOrder(limit("p-5", askLots + 50, ask), "trade"))).toMatchObject({
      status: "PARTIALLY_FILLED",
    });
    expect(value(await client.cancelOrder({ symbol: SYMBOL, clientId: "p-5" }, "protect"))).toMatchObject({
      status: "CANCELED",
    });
    expect(await client.cancelOrder({ symbol: SYMBOL, clientId: "p-5" }, "protect")).toMatchObject({
      kind: "refused",
      consequence: "not-found",
    });
    expect(value(await client.openOrders(undefined, "routine")).map(({ clientId }) => clientId)).toEqual(["p-4"]);

    const [position] = value(await client.positions("protect"));
    expect(Number(position!.amount)).toBeGreaterThan(Number(quantity(500)));
    const trades = value(await client.userTrades(SYMBOL, { id: "0" }, "routine"));
    const bought = trades.reduce((sum, trade) => sum + Number(trade.quantity), 0);
    expect(bought).toBeCloseTo(Number(position!.amount), 8);
    const exit = value(
      await client.placeOrder({ ...order("p-6", "SELL", position!.amount), reduceOnly: true }, "protect"),
    );
    expect(exit.status).toBe("FILLED");
    expect(value(await client.positions("protect")).every(({ amount }) => Number(amount) === 0)).toBe(true);
    const born = value(await client.queryOrder({ symbol: SYMBOL, orderId: exit.orderId }, "protect"));
    expect(born).toMatchObject({ clientId: "p-6", reduceOnly: true });
    expect(value(await client.balances("routine")).map(({ asset }) => asset)).toContain("USDT");
    await heard((event) => event.kind === "account" && event.positions.some(({ amount }) => Number(amount) === 0));
  });
});

test("without the right to trade nothing leaves that changes anything, and what only looks does", async () => {
  let may = false;
  const { client, venue } = await meet(KEY, SECRET, 5_000, () => may);
  const entry = order("psk1.1-1", "BUY", "1");
  const stop = { ...order("psk1.1-2", "SELL", "1"), type: "STOP_MARKET", triggerPrice: "1" } as const;
  for (const asked of [
    client.placeOrder(entry, "trade"),
    client.placeAlgoOrder({ ...stop, workingType: "MARK_PRICE" }, "protect"),
    client.cancelOrder({ symbol: SYMBOL, clientId: "psk1.1-1" }, "protect"),
    client.cancelAlgoOrder({ symbol: SYMBOL, clientId: "psk1.1-2" }, "protect"),
    client.setLeverage(SYMBOL, 7, "trade"),
    client.setMarginType(SYMBOL, "ISOLATED", "trade"),
  ]) {
    expect(await asked).toMatchObject({ kind: "withheld", reason: "no right to trade" });
  }
  expect([venue.trading.orders.size, venue.trading.algos.size]).toEqual([0, 0]);
  expect(client.breakerLevel).toBe("closed");
  expect((await client.positions("protect")).kind).toBe("done");
  may = true;
  expect((await client.placeOrder(entry, "trade")).kind).toBe("done");
});

test("while nobody can be asked for the right, only what cannot open leaves", async () => {
  const { client } = await meet(KEY, SECRET, 5_000, (what) => what === "closes");
  const withheld = { kind: "withheld", reason: "no right to trade" };
  const stop = { symbol: SYMBOL, clientId: "psk1-2", type: "STOP_MARKET", triggerPrice: "1" } as const;
  const sell = { ...stop, side: "SELL", workingType: "MARK_PRICE" } as const;
  expect(await client.placeOrder(order("psk1-1", "BUY", "1"), "trade")).toMatchObject(withheld);
  expect(await client.placeAlgoOrder({ ...sell, quantity: "1" }, "protect")).toMatchObject(withheld);
  expect(await client.placeAlgoOrder({ ...sell, quantity: "1", positionSide: "SHORT" }, "protect")).toMatchObject(
    withheld,
  );
  expect(await client.setLeverage(SYMBOL, 7, "trade")).toMatchObject(withheld);
  // What comes of them is the exchange's affair: they have left.
  const closing = [
    client.placeOrder({ ...order("psk1-3", "SELL", "1"), reduceOnly: true }, "protect"),
    client.placeOrder({ ...order("psk1-4", "SELL", "1"), positionSide: "LONG" }, "protect"),
    client.placeAlgoOrder({ ...sell, clientId: "psk1-5", closePosition: true }, "protect"),
    client.cancelOrder({ symbol: SYMBOL, clientId: "psk1-1" }, "protect"),
    client.cancelAlgoOrder({ symbol: SYMBOL, clientId: "psk1-2" }, "protect"),
  ];
  for (const asked of closing) expect((await asked).kind).not.toBe("withheld");
});

test("a client counts its requests, how long orders take, and connections that came back", async () => {
  const { client, door, heard } = await meet();
  const asked: string[] = [];
  const [sent, answered]: [number[], number[]] = [[], []];
  const back = Promise.withResolvers<string>();
  client.measures = {
    asked: (outcome) => void asked.push(outcome),
    sent: (seconds) => void sent.push(seconds),
    answered: (seconds) => void answered.push(seconds),
    reconnected: back.resolve,
  };
  expect((await client.placeOrder(order("psk1-1", "BUY", "1"), "trade")).kind).toBe("done");
  expect((await client.queryOrder({ symbol: SYMBOL, clientId: "nobody" }, "routine")).kind).toBe("refused");
  expect(asked).toEqual(["done", "refused"]);
  expect([sent.length, answered.length]).toEqual([1, 1]);
  // What was handed over cannot have been answered before.
  expect(answered[0]!).toBeGreaterThan(sent[0]!);
  door.start({ faults: [{ kind: "disconnect", stream: "user" }] });
  expect(await back.promise).toBe("private");
  await heard((event) => event.kind === "stream" && event.up);
  expect(client.budget.usedWeight(client.clock.now())).toBeGreaterThan(0);
  expect(Math.abs(client.clock.offset)).toBeLessThan(5000);
});

describe("faults", () => {
  test("an answer that is lost leaves the order unknown, and asking finds it", async () => {
    const { venue, door, client } = await meet(KEY, SECRET, 60);
    const { quantity } = best(venue);
    door.start({ faults: [{ kind: "response-lost", count: 1, route: "POST /fapi/v1/order" }] });
    expect(await client.placeOrder(order("p-1", "BUY", quantity(100)), "trade")).toMatchObject({ kind: "unknown" });
    expect(value(await client.queryOrder({ symbol: SYMBOL, clientId: "p-1" }, "protect"))).toMatchObject({
      status: "FILLED",
    });
    expect(
      value(await client.userTrades(SYMBOL, { id: "0" }, "routine")).every(
        ({ quantity: one }) => one === quantity(100),
      ),
    ).toBe(true);
  });

  test("a clock that is off by a minute is measured, and the order goes", async () => {
    const { venue, door, client } = await meet();
    door.start({ faults: [{ kind: "clock-skew", ms: 60_000 }] });
    expect(await client.placeOrder(order("p-1", "BUY", best(venue).quantity(100)), "trade")).toMatchObject({
      kind: "done",
    });
  });

  test("an unknown 503 is unknown, a shutdown is not; 451 and a ban end it", async () => {
    const { venue, door, client } = await meet();
    const buy = (clientId: string) => client.placeOrder(order(clientId, "BUY", best(venue).quantity(10)), "protect");
    door.start({ faults: [{ kind: "unknown", count: 1 }] });
    expect(await buy("p-1")).toMatchObject({ kind: "unknown" });
    door.start({
      faults: [
        { kind: "refusal", count: 1, status: 503, code: -1016, message: "This service is no longer available." },
      ],
    });
    expect(await buy("p-2")).toMatchObject({ kind: "refused", consequence: "busy" });
    door.start({ faults: [{ kind: "restricted", count: 1 }] });
    expect(await buy("p-3")).toMatchObject({ kind: "refused", consequence: "fatal" });
    door.start({ faults: [{ kind: "ban", ms: 60_000 }] });
    expect(await client.positions("routine")).toMatchObject({ kind: "refused", consequence: "rate" });
    expect(await buy("p-4")).toMatchObject({ kind: "withheld" });
  });

  test("an expired listen key and closed connections come back, each with word of the gap", async () => {
    const { door, heard, events } = await meet();
    door.start({ faults: [{ kind: "listen-key-expiry" }] });
    await heard((event) => event.kind === "listen-key-expired");
    const ups = () => events.filter((event) => event.kind === "stream" && event.up).length;
    await heard(() => ups() === 2);
    door.start({ faults: [{ kind: "disconnect" }] });
    await heard(() => ups() === 3);
  });
});

test("the feed hands over every bar once and in order, through lost, repeated and reordered messages and lost connections", async () => {
  const { venue, door, client, url } = await meet();
  const symbols = venue.exchange.instruments.map(({ symbol }) => symbol);
  const bars = new Map<string, number[]>();
  const trades = new Map<number, number>();
  let quotes = 0;
  let noticed = () => {};
  const ups = new Set<string>();
  const feed = new MarketFeed({
    address: url,
    symbols,
    streams: { quotes: true, trades: true, marks: true, klines: ["1m", "5m"], depth: true },
    source: client,
    onMessage: (message) => {
      if (message.kind === "quote") quotes += 1;
      if (message.kind !== "trade") return;
      expect(message.id).toBeGreaterThan(trades.get(message.symbol) ?? -1);
      trades.set(message.symbol, message.id);
    },
    onBar: (symbol, timeframe, { openTime }) => {
      const series = `${symbols[symbol]} ${timeframe / MINUTE}m`;
      bars.set(series, [...(bars.get(series) ?? []), openTime]);
      noticed();
    },
    onState: (category, up) => {
      if (up) ups.add(category);
      noticed();
    },
    timing: { ...FEED_TIMING, watch: 5, askAgain: 5, line: LINE },
  });
  closing.push(() => feed.close());
  const until = (is: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      noticed = () => is() && resolve();
      noticed();
    });
  const start = Math.ceil(venue.time / (5 * MINUTE)) * 5 * MINUTE;
  feed.startAt(MINUTE, start);
  feed.startAt(5 * MINUTE, start);
  feed.open();
  await until(() => ups.size === 2);
  const chance = { chance: 0.2 };
  door.start({
    seed: 1,
    faults: [
      { kind: "stream-drop", stream: "@kline", ...chance },
      { kind: "stream-drop", stream: "@depth", ...chance },
      { kind: "stream-duplicate", ...chance },
      { kind: "stream-reorder", stream: "@aggTrade", ...chance },
      { kind: "insurance-print" },
    ],
  });
  const END = start + 10 * MINUTE;
  for (let minute = 0; venue.time < END; minute++) {
    venue.advance(venue.time + 20_000);
    if (minute % 17 === 9)
      door.start({
        seed: minute,
        faults: [{ kind: "disconnect" }, { kind: "stream-drop", stream: "@kline", ...chance }],
      });
    // Sockets and timers have their turn.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  door.clear();
  /** The market goes on, so that what is late is noticed. */
  const goOnUntil = async (is: () => boolean): Promise<void> => {
    while (!is()) {
      venue.advance(venue.time + 1_000);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const count = (symbol: string, timeframe: string) => bars.get(`${symbol} ${timeframe}`)?.length ?? 0;
  await goOnUntil(() => symbols.every((symbol) => count(symbol, "1m") >= 10 && count(symbol, "5m") >= 2));
  for (const symbol of symbols) {
    const first = (timeframe: string, length: number) => bars.get(`${symbol} ${timeframe}`)!.slice(0, length);
    expect(first("1m", 10)).toEqual(Array.from({ length: 10 }, (_, i) => start + i * MINUTE));
    expect(first("5m", 2)).toEqual(Array.from({ length: 2 }, (_, i) => start + i * 5 * MINUTE));
  }
  // With nothing lost any more the books find back to the exchange's own.
  const inStep = (symbol: number): boolean => {
    const { book, instrument } = venue.feed.symbols[symbol]!;
    const { bids, asks, state } = feed.books[symbol]!;
    const [bid] = book.bids(1);
    const [ask] = book.asks(1);
    return (
      state === "live" &&
      bids.prices[0] === priceOf(instrument, bid![0]) &&
      asks.prices[0] === priceOf(instrument, ask![0])
    );
  };
  await goOnUntil(() => symbols.every((_, symbol) => inStep(symbol)));
  expect(quotes).toBeGreaterThan(0);
  expect(trades.size).toBe(symbols.length);
});
