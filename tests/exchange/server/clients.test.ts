import { afterEach, expect, test } from "bun:test";
import { DerivativesTradingUsdsFutures } from "@binance/derivatives-trading-usds-futures";
import { USDMClient, WebsocketAPIClient, WebsocketClient } from "binance";
import ccxt from "ccxt";
import { stateJson } from "../../../src/exchange/simulated/server/control.ts";
import { Door } from "../../../src/exchange/simulated/server/door.ts";
import { listen, type PublicPort } from "../../../src/exchange/simulated/server/listen.ts";
import type { Venue } from "../../../src/exchange/simulated/server/venue.ts";
import { best, ED25519, ED25519_KEY, KEY, lossless, type Message, newVenue, SECRET, SYMBOL } from "./venue-fixture.ts";

/** What the script needs of a client, in the client's own calls. Ids are texts, so that no digit is lost. */
interface Trader {
  /** Loads the markets and returns the names of all symbols that can be traded. */
  markets(): Promise<readonly string[]>;
  listen(heard: (event: Message) => void): Promise<void>;
  leverage(leverage: number): Promise<void>;
  market(side: "BUY" | "SELL", quantity: string, reduceOnly: boolean): Promise<{ status: string; executed: string }>;
  limit(side: "BUY" | "SELL", quantity: string, price: string): Promise<{ id: string; executed: string }>;
  amend(id: string, side: "BUY" | "SELL", quantity: string, price: string): Promise<void>;
  cancel(id: string): Promise<void>;
  stop(side: "BUY" | "SELL", trigger: string): Promise<string>;
  openStops(): Promise<readonly string[]>;
  position(): Promise<number>;
  limitByWebSocket(side: "BUY" | "SELL", quantity: string, price: string): Promise<string>;
  close(): Promise<void>;
}

const closing: (() => unknown)[] = [];
/** The official connector logs what it does, unless its own variable says otherwise. */
process.env.LOG_LEVEL = "error";

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const QUIET = { trace() {}, info() {}, error() {} };

function npmBinance(port: number): Trader {
  const baseUrl = `http://127.0.0.1:${port}`;
  const wsUrl = `ws://127.0.0.1:${port}`;
  const keys = { api_key: ED25519_KEY, api_secret: ED25519.privateKey };
  const transformResponse = [(data: string) => lossless(data)];
  const rest = new USDMClient({ ...keys, baseUrl, parseExceptions: false }, { timeout: 5000, transformResponse });
  const parse = { customParseJSONFn: lossless };
  const streams = new WebsocketClient({ ...keys, wsUrl, restOptions: { baseUrl }, ...parse }, QUIET);
  const api = new WebsocketAPIClient(
    { ...keys, wsUrl: `${wsUrl}/ws-fapi/v1`, attachEventListeners: false, ...parse },
    QUIET,
  );
  const clientId = () => rest.generateNewOrderId();
  return {
    async markets() {
      return (await rest.getExchangeInfo()).symbols.map(({ symbol }) => symbol);
    },
    async listen(heard) {
      streams.on("message", (event) => heard(event));
      await streams.subscribeUsdFuturesUserDataStream();
    },
    async leverage(leverage) {
      await rest.setLeverage({ symbol: SYMBOL, leverage });
    },
    async market(side, quantity, reduceOnly) {
      const order = await rest.submitNewOrder({
        symbol: SYMBOL,
        side,
        type: "MARKET",
        quantity: quantity as never,
        newOrderRespType: "RESULT",
        ...(reduceOnly ? { reduceOnly: "true" } : {}),
      });
      return { status: order.status, executed: String(order.executedQty) };
    },
    async limit(side, quantity, price) {
      const order = await rest.submitNewOrder({
        symbol: SYMBOL,
        side,
        type: "LIMIT",
        quantity: quantity as never,
        price: price as never,
        timeInForce: "GTC",
        newOrderRespType: "RESULT",
        newClientOrderId: clientId(),
      });
      return { id: String(order.orderId), executed: String(order.executedQty) };
    },
    async amend(id, side, quantity, price) {
      await rest.modifyOrder({
        symbol: SYMBOL,
        orderId: id as never,
        side,
        quantity: quantity as never,
        price: price as never,
      });
    },
    async cancel(id) {
      await rest.cancelOrder({ symbol: SYMBOL, orderId: id as never });
    },
    async stop(side, trigger) {
      const algo = await rest.submitNewAlgoOrder({
        algoType: "CONDITIONAL",
        symbol: SYMBOL,
        side,
        type: "STOP_MARKET",
        triggerPrice: trigger as never,
        closePosition: "true",
        workingType: "MARK_PRICE",
      });
      return String(algo.algoId);
    },
    async openStops() {
      return (await rest.getOpenAlgoOrders({ symbol: SYMBOL })).map(({ algoId }) => String(algoId));
    },
    async position() {
      return Number((await rest.getPositionsV3({ symbol: SYMBOL }))[0]?.positionAmt ?? 0);
    },
    async limitByWebSocket(side, quantity, price) {
      const { result } = await api.submitNewFuturesOrder("usdm", {
        symbol: SYMBOL,
        side,
        type: "LIMIT",
        quantity,
        price,
        timeInForce: "GTC",
        timestamp: Date.now(),
      } as never);
      return String(result.orderId);
    },
    async close() {
      streams.closeAll(true);
      api.getWSClient().closeAll(true);
    },
  };
}

function officialConnector(port: number): Trader {
  const keys = { apiKey: KEY, apiSecret: SECRET };
  const client = new DerivativesTradingUsdsFutures({
    configurationRestAPI: { ...keys, basePath: `http://127.0.0.1:${port}`, timeout: 5000 },
    configurationWebsocketAPI: { ...keys, wsURL: `ws://127.0.0.1:${port}/ws-fapi/v1` },
    configurationWebsocketStreams: { wsURL: `ws://127.0.0.1:${port}` },
  } as never);
  const rest = client.restAPI as Message;
  const connections: { disconnect(): Promise<void> }[] = [];
  return {
    async markets() {
      return (await (await rest.exchangeInformation()).data()).symbols.map(({ symbol }: { symbol: string }) => symbol);
    },
    async listen(heard) {
      const { listenKey } = await (await rest.startUserDataStream()).data();
      const connection = (await client.websocketStreams.connect()) as Message;
      connections.push(connection);
      connection.userData(listenKey).on("message", heard);
    },
    async leverage(leverage) {
      await rest.changeInitialLeverage({ symbol: SYMBOL, leverage });
    },
    async market(side, quantity, reduceOnly) {
      const request = { symbol: SYMBOL, side, type: "MARKET", quantity, newOrderRespType: "RESULT" };
      const order = await (await rest.newOrder({ ...request, ...(reduceOnly ? { reduceOnly: "true" } : {}) })).data();
      return { status: order.status, executed: order.executedQty };
    },
    async limit(side, quantity, price) {
      const request = { symbol: SYMBOL, side, type: "LIMIT", quantity, price, timeInForce: "GTC" };
      const order = await (await rest.newOrder({ ...request, newOrderRespType: "RESULT" })).data();
      return { id: String(order.orderId), executed: order.executedQty };
    },
    async amend(id, side, quantity, price) {
      await rest.modifyOrder({ symbol: SYMBOL, orderId: BigInt(id), side, quantity, price });
    },
    async cancel(id) {
      await rest.cancelOrder({ symbol: SYMBOL, orderId: BigInt(id) });
    },
    async stop(side, triggerPrice) {
      const algo = await (
        await rest.newAlgoOrder({
          algoType: "CONDITIONAL",
          symbol: SYMBOL,
          side,
          type: "STOP_MARKET",
          triggerPrice,
          closePosition: "true",
          workingType: "MARK_PRICE",
        })
      ).data();
      return String(algo.algoId);
    },
    async openStops() {
      const open = await (await rest.currentAllAlgoOpenOrders({ symbol: SYMBOL })).data();
      return open.map(({ algoId }: { algoId: unknown }) => String(algoId));
    },
    async position() {
      const positions = await (await rest.positionInformationV3({ symbol: SYMBOL })).data();
      return Number(positions[0]?.positionAmt ?? 0);
    },
    async limitByWebSocket(side, quantity, price) {
      const connection = (await client.websocketAPI.connect()) as Message;
      connections.push(connection);
      const answer = await connection.newOrder({
        symbol: SYMBOL,
        side,
        type: "LIMIT",
        quantity,
        price,
        timeInForce: "GTC",
      });
      return String(answer.data.orderId);
    },
    async close() {
      for (const connection of connections) await connection.disconnect();
    },
  };
}

function ccxtPro(port: number): Trader {
  const exchange = new ccxt.pro.binanceusdm({
    apiKey: KEY,
    secret: SECRET,
    options: { fetchMargins: false, fetchCurrencies: false },
  }) as Message;
  const { api } = exchange.urls;
  for (const [name, value] of Object.entries<Message>(api)) {
    if (typeof value === "string") api[name] = value.replace(/^https:\/\/[^/]+/, `http://127.0.0.1:${port}`);
  }
  exchange.urls.api.ws = rewritten(exchange.urls.api.ws, port);
  const MARKET = "ALDER/USDT:USDT";
  return {
    async markets() {
      // Plain ws:// is only spoken once this was loaded.
      await exchange.loadHttpProxyAgent();
      const markets: Message = await exchange.loadMarkets();
      return Object.values<Message>(markets).map(({ id }) => id);
    },
    async listen(heard) {
      const watch = async () => {
        for (;;) for (const order of await exchange.watchOrders()) heard({ e: "ORDER_TRADE_UPDATE", o: order.info });
      };
      const first = exchange.watchOrders();
      // Closing the client ends the loop with an error, which is how ccxt says goodbye.
      first.then(() => watch()).catch(() => {});
      const socket = () => Object.entries<Message>(exchange.clients).find(([url]) => url.startsWith("ws://"))?.[1];
      while (socket() === undefined) await new Promise(setImmediate);
      await socket().connected;
    },
    async leverage(leverage) {
      await exchange.setLeverage(leverage, MARKET);
    },
    async market(side, quantity, reduceOnly) {
      const order = await exchange.createOrder(MARKET, "market", side.toLowerCase(), Number(quantity), undefined, {
        reduceOnly,
      });
      return { status: order.info.status, executed: order.info.executedQty };
    },
    async limit(side, quantity, price) {
      const order = await exchange.createOrder(MARKET, "limit", side.toLowerCase(), Number(quantity), Number(price));
      return { id: order.id, executed: order.info.executedQty };
    },
    async amend(id, side, quantity, price) {
      await exchange.editOrder(id, MARKET, "limit", side.toLowerCase(), Number(quantity), Number(price));
    },
    async cancel(id) {
      await exchange.cancelOrder(id, MARKET);
    },
    async stop(side, trigger) {
      const parameters = { stopLossPrice: Number(trigger), closePosition: true, workingType: "MARK_PRICE" };
      const order = await exchange.createOrder(MARKET, "market", side.toLowerCase(), undefined, undefined, parameters);
      return order.id;
    },
    async openStops() {
      const orders = await exchange.fetchOpenOrders(MARKET, undefined, undefined, { trigger: true });
      return orders.map(({ id }: { id: string }) => id);
    },
    async position() {
      const positions = await exchange.fetchPositionsRisk([MARKET]);
      return Number(positions[0]?.info.positionAmt ?? 0);
    },
    async limitByWebSocket(side, quantity, price) {
      const order = await exchange.createOrderWs(MARKET, "limit", side.toLowerCase(), Number(quantity), Number(price));
      return order.id;
    },
    async close() {
      await exchange.close();
    },
  };
}

function rewritten(value: Message, port: number): Message {
  if (typeof value === "string") return value.replace(/^wss:\/\/[^/]+/, `ws://127.0.0.1:${port}`);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rewritten(inner, port)]));
}

/** One session, the same calls for each client. */
async function session(trader: Trader, venue: Venue) {
  const { ask, askLots, price, quantity } = best(venue);
  const heard: Message[] = [];
  const told = Promise.withResolvers<void>();
  expect(await trader.markets()).toContain(SYMBOL);
  await trader.leverage(10);
  await trader.listen((event) => {
    heard.push(event);
    const order = event.o ?? event;
    if (order.x === "CANCELED") told.resolve();
  });
  const entry = await trader.market("BUY", quantity(500), false);
  expect(entry.status).toBe("FILLED");
  expect(Number(entry.executed)).toBe(Number(quantity(500)));
  const stop = await trader.stop("SELL", price(Math.floor(ask * 0.9)));
  expect(await trader.openStops()).toEqual([stop]);
  const resting = await trader.limit("BUY", quantity(600), price(ask - 500));
  await trader.amend(resting.id, "BUY", quantity(700), price(ask - 400));
  // More than waits at the best price: the rest of it stays.
  const partial = await trader.limit("BUY", quantity(askLots + 50), price(ask));
  expect(Number(partial.executed)).toBeGreaterThan(0);
  expect(Number(partial.executed)).toBeLessThan(Number(quantity(askLots + 50)));
  await trader.cancel(partial.id);
  expect(await trader.position()).toBeCloseTo(Number(quantity(500)) + Number(partial.executed), 8);
  const last = await trader.limitByWebSocket("BUY", quantity(800), price(ask - 600));
  expect(last).toMatch(/^\d{19}$/);
  const held = venue.exchange.positions[0]!.lots;
  const exit = await trader.market("SELL", quantity(held), true);
  expect(exit.status).toBe("FILLED");
  expect(await trader.position()).toBe(0);
  await told.promise;
  return { orders: [resting.id, partial.id, last], heard };
}

/** What a session leaves behind, without the names that each client gives its orders. */
function finalState(venue: Venue, port: PublicPort) {
  venue.advance(venue.time + 60_000);
  expect(port.sockets.size).toBeGreaterThan(0);
  const state = JSON.parse(JSON.stringify(stateJson({ venue, door: new Door(venue) })));
  const { wallet, available, positions, openOrders, openAlgoOrders } = state;
  const unnamed = (orders: Message[]) => orders.map(({ clientOrderId, clientAlgoId, ...order }) => order);
  const fills = venue.trading.fills.map(({ lots, price, fee, realised }) => `${lots} ${price} ${fee} ${realised}`);
  return { wallet, available, positions, openOrders: unnamed(openOrders), openAlgos: unnamed(openAlgoOrders), fills };
}

const CLIENTS = { "npm binance": npmBinance, "the official connector": officialConnector, ccxt: ccxtPro };

/** Of the first client, for the others to be compared with. */
let first: ReturnType<typeof finalState> | undefined;

for (const [name, create] of Object.entries(CLIENTS)) {
  test(`${name} completes the session, and leaves what the others leave`, async () => {
    const venue = newVenue();
    const port = listen(new Door(venue), 0);
    closing.push(() => port.stop());
    const trader = create(port.port);
    closing.push(() => trader.close());
    const { orders, heard } = await session(trader, venue);
    for (const id of orders) expect(venue.trading.orders.has(id)).toBe(true);
    expect(heard.length).toBeGreaterThan(0);
    const state = finalState(venue, port);
    expect(state.positions).toEqual([]);
    expect(state.openAlgos).toEqual([]);
    expect(state.openOrders.map(({ origQty }: Message) => origQty)).toEqual([
      best(venue).quantity(700),
      best(venue).quantity(800),
    ]);
    expect(state.fills.length).toBeGreaterThan(2);
    first ??= state;
    expect(state).toEqual(first);
  });
}
