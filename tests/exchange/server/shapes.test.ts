import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ROUTES } from "../../../src/exchange/simulated/server/routes.ts";
import { ApiSession } from "../../../src/exchange/simulated/server/ws-api.ts";
import { recorded, testRecorded } from "../../recorded.ts";
import { best, lossless, type Message, newVenue, START, SYMBOL, VenueClient } from "./venue-fixture.ts";

const OFFICIAL = "../payloads-documented/official-connector-v37";

/**
 * What the answers of a client have to look like: every key of the official example, with a value of the same JSON
 * type. Lists are compared by their first entries. Returns what differs, one line each.
 */
function differences(example: Message, actual: Message, extra: readonly string[], where = "$"): string[] {
  const kind = (value: unknown) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value);
  if (kind(example) !== kind(actual)) return [`${where}: ${kind(actual)} instead of ${kind(example)}`];
  if (Array.isArray(example)) {
    if (example.length === 0) return [];
    return actual.length === 0 ? [`${where}: empty`] : differences(example[0], actual[0], extra, `${where}[]`);
  }
  if (typeof example !== "object" || example === null) return [];
  const wrong: string[] = [];
  for (const [key, value] of Object.entries(example)) {
    if (NOT_OURS.has(`${where}.${key}`) || NOT_OURS.has(key)) continue;
    if (key in actual) wrong.push(...differences(value, actual[key], extra, `${where}.${key}`));
    else wrong.push(`${where}.${key}: missing`);
  }
  for (const key of Object.keys(actual))
    if (!(key in example) && !extra.includes(key)) wrong.push(`${where}.${key}: unknown`);
  return wrong;
}

/** Keys of examples that belong to other cases than ours: trailing orders, refused entries of a batch. */
const NOT_OURS = new Set(["activatePrice", "priceRate", "$[].code", "$[].msg", "$.exchangeFilters", "adlQuantile"]);

/** Keys that the exchange has besides those of the examples: seen in recordings or in other examples of the same thing. */
const EXTRA: Readonly<Record<string, readonly string[]>> = {
  rest: [
    "futuresType",
    "maxMoveOrderLimit",
    "permissionSets",
    "maxLeverage",
    "limit",
    "positionControlSide",
    "notional",
  ],
  order: ["pair"],
  ticker: ["lastUpdateId"],
  account: ["feeBurn", "breakEvenPrice", "marginAsset", "marginAvailable"],
  algo: [
    "tpTriggerPrice",
    "tpPrice",
    "slTriggerPrice",
    "slPrice",
    "actualQty",
    "actualType",
    "tpOrderType",
    "activatePrice",
    "callbackRate",
  ],
  stream: ["st", "ps", "T"],
};
const ALL_EXTRA = Object.values(EXTRA).flat();

/** A venue with a position, a resting order, a stop, a fill and a funding behind it. */
function lived(): { readonly client: VenueClient; readonly orderId: string; readonly algoId: string } {
  // Funding is exchanged two minutes after the start.
  const client = new VenueClient(newVenue({ from: START + 8 * 3_600_000 - 60_000 }));
  client.listen();
  client.good("POST", "/fapi/v1/leverage", { symbol: SYMBOL, leverage: 5 });
  client.good("POST", "/fapi/v1/order", { symbol: SYMBOL, side: "BUY", type: "MARKET", quantity: 50 });
  const { price, bid } = best(client.venue);
  const { algoId } = client.good("POST", "/fapi/v1/algoOrder", {
    algoType: "CONDITIONAL",
    symbol: SYMBOL,
    side: "SELL",
    type: "STOP_MARKET",
    quantity: 10,
    triggerPrice: price(Math.floor(bid * 0.5)),
    reduceOnly: true,
  });
  const resting = { symbol: SYMBOL, side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 20 };
  const { orderId } = client.good("POST", "/fapi/v1/order", { ...resting, price: price(Math.floor(bid * 0.6)) });
  client.venue.advance(client.venue.time + 5 * 60_000);
  return { client, orderId, algoId: String(algoId) };
}

describe("answers have the keys and types of the official examples", () => {
  const { client, orderId, algoId } = lived();
  const s = { symbol: SYMBOL };
  const period = { ...s, period: "5m" };
  const limit = () => {
    const { price, bid } = best(client.venue);
    return { ...s, side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 20, price: price(Math.floor(bid * 0.7)) };
  };
  const place = () => client.good("POST", "/fapi/v1/order", limit()).orderId;
  const stop = () => {
    const triggerPrice = best(client.venue).price(Math.floor(best(client.venue).bid * 0.4));
    const stopOrder = { ...s, algoType: "CONDITIONAL", side: "SELL", type: "STOP_MARKET", quantity: 10, triggerPrice };
    return client.good("POST", "/fapi/v1/algoOrder", { ...stopOrder, reduceOnly: true });
  };
  const get = (path: string, parameters = {}) => client.good("GET", path, parameters);
  const amended = () => ({ ...s, side: "BUY", quantity: 30, price: limit().price, modifyId: 1 });
  /** By the name of the example: how to get the same thing here. */
  const rest: Readonly<Record<string, () => Message>> = {
    accountInformationV2: () => get("/fapi/v2/account"),
    accountInformationV3: () => get("/fapi/v3/account"),
    accountTradeList: () => get("/fapi/v1/userTrades", s),
    allOrders: () => get("/fapi/v1/allOrders", s),
    autoCancelAllOpenOrders: () => client.good("POST", "/fapi/v1/countdownCancelAll", { ...s, countdownTime: 0 }),
    basis: () => get("/futures/data/basis", { pair: SYMBOL, period: "5m" }),
    cancelAlgoOrder: () => client.good("DELETE", "/fapi/v1/algoOrder", { algoId: stop().algoId }),
    cancelAllAlgoOpenOrders: () => client.good("DELETE", "/fapi/v1/algoOpenOrders", { symbol: "BASALTUSDT" }),
    cancelAllOpenOrders: () => client.good("DELETE", "/fapi/v1/allOpenOrders", { symbol: "BASALTUSDT" }),
    cancelMultipleOrders: () => client.good("DELETE", "/fapi/v1/batchOrders", { ...s, orderIdList: `[${place()}]` }),
    cancelOrder: () => client.good("DELETE", "/fapi/v1/order", { ...s, orderId: place() }),
    changeInitialLeverage: () => client.good("POST", "/fapi/v1/leverage", { ...s, leverage: 5 }),
    checkServerTime: () => get("/fapi/v1/time"),
    compressedAggregateTradesList: () => get("/fapi/v1/aggTrades", s),
    continuousContractKlineCandlestickData: () =>
      get("/fapi/v1/continuousKlines", { pair: SYMBOL, contractType: "PERPETUAL", interval: "1m" }),
    currentAllAlgoOpenOrders: () => get("/fapi/v1/openAlgoOrders", s),
    currentAllOpenOrders: () => get("/fapi/v1/openOrders", s),
    exchangeInformation: () => get("/fapi/v1/exchangeInfo"),
    futuresAccountBalanceV2: () => get("/fapi/v2/balance"),
    futuresAccountBalanceV3: () => get("/fapi/v3/balance"),
    futuresAccountConfiguration: () => get("/fapi/v1/accountConfig"),
    getBnbBurnStatus: () => get("/fapi/v1/feeBurn"),
    getCurrentMultiAssetsMode: () => get("/fapi/v1/multiAssetsMargin"),
    getCurrentPositionMode: () => get("/fapi/v1/positionSide/dual"),
    getFundingRateHistory: () => get("/fapi/v1/fundingRate", s),
    getFundingRateInfo: () => get("/fapi/v1/fundingInfo"),
    getIncomeHistory: () => get("/fapi/v1/income", { incomeType: "FUNDING_FEE" }),
    indexPriceKlineCandlestickData: () => get("/fapi/v1/indexPriceKlines", { pair: SYMBOL, interval: "1m" }),
    keepaliveUserDataStream: () => client.good("PUT", "/fapi/v1/listenKey"),
    klineCandlestickData: () => get("/fapi/v1/klines", { ...s, interval: "1m" }),
    longShortRatio: () => get("/futures/data/globalLongShortAccountRatio", period),
    markPrice: () => get("/fapi/v1/premiumIndex", s),
    markPriceKlineCandlestickData: () => get("/fapi/v1/markPriceKlines", { ...s, interval: "1m" }),
    modifyOrder: () => client.good("PUT", "/fapi/v1/order", { ...amended(), orderId: place() }),
    modifyMultipleOrders: () =>
      client.good("PUT", "/fapi/v1/batchOrders", { batchOrders: JSON.stringify([{ ...amended(), orderId: place() }]) }),
    newAlgoOrder: stop,
    newOrder: () => client.good("POST", "/fapi/v1/order", limit()),
    notionalAndLeverageBrackets: () => get("/fapi/v1/leverageBracket"),
    oldTradesLookup: () => get("/fapi/v1/historicalTrades", s),
    openInterest: () => get("/fapi/v1/openInterest", s),
    openInterestStatistics: () => get("/futures/data/openInterestHist", period),
    orderBook: () => get("/fapi/v1/depth", s),
    placeMultipleOrders: () => client.good("POST", "/fapi/v1/batchOrders", { batchOrders: JSON.stringify([limit()]) }),
    positionAdlQuantileEstimation: () => get("/fapi/v1/adlQuantile"),
    positionInformationV2: () => get("/fapi/v2/positionRisk", s),
    positionInformationV3: () => get("/fapi/v3/positionRisk", s),
    queryAlgoOrder: () => get("/fapi/v1/algoOrder", { algoId }),
    queryAllAlgoOrders: () => get("/fapi/v1/allAlgoOrders", s),
    queryCurrentOpenOrder: () => get("/fapi/v1/openOrder", { ...s, orderId }),
    queryOrder: () => get("/fapi/v1/order", { ...s, orderId }),
    queryUserRateLimit: () => get("/fapi/v1/rateLimit/order"),
    recentTradesList: () => get("/fapi/v1/trades", s),
    startUserDataStream: () => client.good("POST", "/fapi/v1/listenKey"),
    symbolConfiguration: () => get("/fapi/v1/symbolConfig", s),
    symbolOrderBookTicker: () => get("/fapi/v1/ticker/bookTicker", s),
    symbolPriceTicker: () => get("/fapi/v1/ticker/price", s),
    symbolPriceTickerV2: () => get("/fapi/v2/ticker/price", s),
    takerBuySellVolume: () => get("/futures/data/takerlongshortRatio", period),
    ticker24hrPriceChangeStatistics: () => get("/fapi/v1/ticker/24hr", s),
    topTraderLongShortRatioAccounts: () => get("/futures/data/topLongShortAccountRatio", period),
    topTraderLongShortRatioPositions: () => get("/futures/data/topLongShortPositionRatio", period),
    userCommissionRate: () => get("/fapi/v1/commissionRate", s),
    changePositionMode: () => modes("POST", "/fapi/v1/positionSide/dual", { dualSidePosition: true }),
    changeMarginType: () => modes("POST", "/fapi/v1/marginType", { ...s, marginType: "CROSSED" }),
  };
  const modes = (method: string, path: string, parameters: Record<string, string | boolean>) =>
    new VenueClient(newVenue()).good(method, path, parameters);

  for (const [name, ask] of Object.entries(rest)) {
    testRecorded(name, `${OFFICIAL}/rest-api/${name}.json`, (file) => {
      const example = JSON.parse(readFileSync(file, "utf8"));
      if (name === "exchangeInformation") return expectExchangeInfo(example, ask());
      expect(differences(example, numbered(ask()), ALL_EXTRA)).toEqual([]);
    });
  }

  const api: Readonly<Record<string, readonly [method: string, parameters: () => Message]>> = {
    accountInformation: ["account.status", () => ({})],
    accountInformationV2: ["v2/account.status", () => ({})],
    cancelAlgoOrder: ["algoOrder.cancel", () => ({ algoId: stop().algoId })],
    cancelOrder: ["order.cancel", () => ({ ...s, orderId: place() })],
    futuresAccountBalance: ["account.balance", () => ({})],
    futuresAccountBalanceV2: ["v2/account.balance", () => ({})],
    keepaliveUserDataStream: ["userDataStream.ping", () => ({})],
    modifyOrder: ["order.modify", () => ({ ...amended(), orderId: place() })],
    newAlgoOrder: [
      "algoOrder.place",
      () => ({ ...s, algoType: "CONDITIONAL", side: "SELL", type: "STOP_MARKET", quantity: "10", triggerPrice: "1" }),
    ],
    newOrder: ["order.place", limit],
    positionInformation: ["account.position", () => s],
    positionInformationV2: ["v2/account.position", () => s],
    queryOrder: ["order.status", () => ({ ...s, orderId })],
    startUserDataStream: ["userDataStream.start", () => ({})],
    symbolOrderBookTicker: ["ticker.book", () => s],
    symbolPriceTicker: ["ticker.price", () => s],
  };

  for (const [name, [method, parameters]] of Object.entries(api)) {
    testRecorded(`WS API ${name}`, `${OFFICIAL}/websocket-api/${name}.json`, (file) => {
      const example = JSON.parse(readFileSync(file, "utf8"));
      const answer = sayByWebSocket(client, method, parameters());
      expect(answer.status).toBe(200);
      expect(differences(example, numbered(answer), [...ALL_EXTRA, "rateLimits"])).toEqual([]);
    });
  }

  test("the routes that no example stands for are known", () => {
    const without = Object.keys(ROUTES).filter((route) => !route.includes("/sapi/"));
    expect(without.length).toBeGreaterThan(60);
  });
});

/** Ids that the reader turned into texts count as the numbers that they were. */
function numbered(value: Message): Message {
  if (Array.isArray(value)) return value.map(numbered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      (key === "orderId" || key === "i") && typeof inner === "string" ? Number(inner) : numbered(inner),
    ]),
  );
}

/** The example has all filters in one object. */
function expectExchangeInfo(example: Message, actual: Message): void {
  const merged = Object.assign({}, ...actual.symbols[0].filters);
  const symbol = { ...actual.symbols[0], filters: [merged] };
  const likeExample = { ...example, symbols: [{ ...example.symbols[0], underlyingSubType: [] }] };
  expect(differences(likeExample, { ...actual, symbols: [symbol] }, ALL_EXTRA)).toEqual([]);
}

function sayByWebSocket(client: VenueClient, method: string, parameters: Record<string, unknown>): Message {
  const session = new ApiSession("127.0.0.1", client.clock.now());
  const params: Record<string, unknown> = { ...parameters, apiKey: "test-key", timestamp: client.clock.now() };
  const payload = Object.keys(params)
    .sort()
    .map((name) => `${name}=${params[name]}`)
    .join("&");
  const message = { id: "605a6d20", method, params: { ...params, signature: client.sign(payload) } };
  let answer: Message;
  client.door.message(session, JSON.stringify(message), (text) => {
    answer = lossless(text);
  });
  return answer;
}

describe("stream messages have the keys and types of the official examples", () => {
  const l = SYMBOL.toLowerCase();
  const streams: Readonly<Record<string, readonly [category: string, stream: string]>> = {
    aggregateTradeStreams: ["market", `${l}@aggTrade`],
    allBookTickersStream: ["public", "!bookTicker"],
    allMarketMiniTickersStream: ["market", "!miniTicker@arr"],
    allMarketTickersStreams: ["market", "!ticker@arr"],
    continuousContractKlineCandlestickStreams: ["market", `${l}_perpetual@continuousKline_1m`],
    diffBookDepthStreams: ["public", `${l}@depth@100ms`],
    individualSymbolBookTickerStreams: ["public", `${l}@bookTicker`],
    individualSymbolMiniTickerStream: ["market", `${l}@miniTicker`],
    individualSymbolTickerStreams: ["market", `${l}@ticker`],
    klineCandlestickStreams: ["market", `${l}@kline_1m`],
    markPriceStream: ["market", `${l}@markPrice@1s`],
    markPriceStreamForAllMarket: ["market", "!markPrice@arr"],
    partialBookDepthStreams: ["public", `${l}@depth5@100ms`],
  };
  for (const [name, [category, stream]] of Object.entries(streams)) {
    testRecorded(name, `${OFFICIAL}/websocket-streams/${name}.json`, (file) => {
      const example = JSON.parse(readFileSync(file, "utf8"));
      const client = new VenueClient(newVenue());
      const heard: Message[] = [];
      client.stream(`/${category}/ws/${stream}`, (message) => heard.push(message));
      client.venue.advance(client.venue.time + 10_000);
      expect(heard.length).toBeGreaterThan(0);
      for (const message of heard) expect(differences(example, message, ALL_EXTRA)).toEqual([]);
    });
  }

  testRecorded(
    "liquidations, one symbol and all",
    `${OFFICIAL}/websocket-streams/liquidationOrderStreams.json`,
    (file) => {
      const example = JSON.parse(readFileSync(file, "utf8"));
      const client = new VenueClient(newVenue());
      const heard: Message[] = [];
      client.stream(`/market/stream?streams=${l}@forceOrder/!forceOrder@arr`, ({ data }) => heard.push(data));
      client.venue.feed.forced(0, client.venue.time, "SELL", 1, 100);
      expect(heard).toHaveLength(2);
      for (const message of heard) expect(differences(example, message, ALL_EXTRA)).toEqual([]);
    },
  );
});

describe("messages look like recorded ones", () => {
  const USER = "payloads/recorded/user-stream-2026";
  const folder = recorded(USER);
  for (const name of folder === undefined ? ["recordings"] : readdirSync(folder)) {
    testRecorded(`user stream ${name}`, USER, (path) => {
      const { client } = lived();
      const example: Message[] = JSON.parse(readFileSync(join(path, name), "utf8"));
      for (const event of example) {
        const same = client.events.find((heard) => heard.e === event.e);
        // A rejected trigger had an event of its own until December 2025.
        if (event.e === "CONDITIONAL_ORDER_TRIGGER_REJECT") continue;
        const extra = ["ap", "aq", "act", "rm", "st"];
        const { st, ...order } = event.o;
        const wanted = event.e === "ORDER_TRADE_UPDATE" ? { ...event, o: order } : event;
        expect(differences(wanted, numbered(same), extra)).toEqual([]);
      }
    });
  }

  const DOCUMENTED = "../payloads-documented/user-data";
  for (const name of ["ACCOUNT_UPDATE", "ALGO_UPDATE", "TRADE_LITE"]) {
    testRecorded(`documented ${name}`, `${DOCUMENTED}/${name}.json`, (file) => {
      const { client } = lived();
      const event = JSON.parse(readFileSync(file, "utf8")).payload;
      const same = client.events.find((heard) => heard.e === event.e);
      expect(differences(event, numbered(same), ["ma"])).toEqual([]);
    });
  }

  testRecorded("recorded REST answers", "payloads/recorded/gocryptotrader-rest", (path) => {
    const { client } = lived();
    const asked: Readonly<Record<string, Record<string, string>>> = {
      fapi_v1_klines: { symbol: SYMBOL, interval: "5m" },
      fapi_v1_depth: { symbol: SYMBOL, limit: "5" },
      fapi_v1_premiumIndex: { symbol: SYMBOL },
      fapi_v1_ticker_24hr: { symbol: SYMBOL },
      fapi_v1_ticker_price: { symbol: SYMBOL },
      fapi_v1_trades: { symbol: SYMBOL },
      fapi_v1_aggTrades: { symbol: SYMBOL },
      fapi_v1_openInterest: { symbol: SYMBOL },
      fapi_v1_time: {},
    };
    for (const [name, parameters] of Object.entries(asked)) {
      const samples: Message[] = JSON.parse(readFileSync(join(path, `${name}.json`), "utf8"));
      const example = samples.find(
        ({ body, query }) => body?.code === undefined && body !== null && (query !== "" || name.endsWith("time")),
      );
      const answer = client.good("GET", `/${name.replaceAll("_", "/")}`, parameters);
      expect(differences(example.body, answer, ["isRPITrade", "nq"]).map((line) => `${name} ${line}`)).toEqual([]);
    }
  });

  testRecorded(
    "a recorded symbol of exchangeInfo",
    "payloads/recorded/rest-exchangeInfo-TESTNET-2025-11-26.json.gz",
    (file) => {
      const json = JSON.parse(gunzipSync(readFileSync(file)).toString());
      const example = (json.body ?? json).symbols.find(({ symbol }: Message) => symbol === "BTCUSDT");
      const { symbols } = new VenueClient(newVenue()).good("GET", "/fapi/v1/exchangeInfo");
      const byType = (filters: Message[]) => Object.fromEntries(filters.map((filter) => [filter.filterType, filter]));
      const { MAX_NUM_ALGO_ORDERS, ...filters } = byType(example.filters);
      expect(MAX_NUM_ALGO_ORDERS).toBeDefined();
      const actual = { ...symbols[0], filters: byType(symbols[0].filters) };
      expect(differences({ ...example, filters }, actual, ["settlePlan", "maxLeverage"])).toEqual([]);
    },
  );
});
