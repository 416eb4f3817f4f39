import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gunzipSync } from "node:zlib";
import { failureOf } from "../../../src/exchange/binance/errors.ts";
import type { UserEvent } from "../../../src/exchange/binance/gateway.ts";
import { parseLossless } from "../../../src/exchange/binance/json.ts";
import { MarketDecoder } from "../../../src/exchange/binance/market-decoder.ts";
import type { MarketMessage } from "../../../src/exchange/binance/market-message.ts";
import { algoState, newRecord, type OrderNews, regularState } from "../../../src/exchange/binance/order-record.ts";
import { errorIn } from "../../../src/exchange/binance/reply.ts";
import * as report from "../../../src/exchange/binance/reports.ts";
import { userEvent } from "../../../src/exchange/binance/user-events.ts";
import { recorded } from "../../recorded.ts";
import { order } from "../bars.ts";
import { wireEventOf, wireKlineOf } from "./client-names.ts";
import { auditFields, missingFields } from "./field-audit.ts";
import { playSession } from "./recorded-session.ts";

/**
 * Every recorded payload file has its place in CLAIMS, and a file without one fails the test: each is decoded by the
 * decoder that reads it in service, every field is either in what comes out or named below with the reason why not, and
 * what tells of orders drives the order state machine to the state that was recorded.
 */
const ROOT = "payloads/recorded";

type Json = Record<string, unknown>;

function text(file: string): string {
  const bytes = readFileSync(file);
  return (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
}

/** One recording was written by a program that writes NaN where JSON has nothing. */
function read<T>(file: string): T {
  return parseLossless(text(file).replaceAll(/: NaN\b/g, ": null")) as T;
}

function linesOf(file: string): string[] {
  return text(file).trim().split("\n");
}

/** Fields that nothing here looks at, with the reason. */
const UNREAD_ORDER = new Map([
  ["o.f", "time in force is our own word"],
  ["o.ap", "averages are worked out from the fills, which are exact"],
  ["o.sp", "where our stops lie is our own word"],
  ["o.T", "equal to the event's own T"],
  ["o.b", "value of the resting bids"],
  ["o.a", "value of the resting asks"],
  ["o.wt", "working type is our own word"],
  ["o.pP", "price protection is never asked for"],
  ["o.ss", "documented to be ignored"],
  ["o.st", "kind of the strategy; its number (si) is enough"],
  ["o.V", "self-trade prevention"],
  ["o.pm", "price match is never asked for"],
  ["o.gtd", "good till date is never asked for"],
  ["o.AP", "activation price of a trailing stop is our own word"],
  ["o.cr", "callback rate is our own word"],
]);
const UNREAD_ALGO = new Map([
  ["o.at", "always CONDITIONAL"],
  ["o.f", "time in force is our own word"],
  ["o.ap", "fills are told by the regular order's events"],
  ["o.aq", "fills are told by the regular order's events"],
  ["o.act", "type of the order that it became"],
  ["o.p", "limit price is our own word"],
  ["o.V", "self-trade prevention"],
  ["o.wt", "working type is our own word"],
  ["o.pm", "price match is never asked for"],
  ["o.pP", "price protection is never asked for"],
  ["o.tt", "when it triggered: its events have come by then"],
  ["o.gtd", "good till date is never asked for"],
]);
const UNREAD_ACCOUNT = new Map([
  ["a.B[].cw", "crossed wallet: margin is isolated"],
  ["a.P[].cr", "realised in all: fills say it one by one"],
  ["a.P[].up", "unrealised result at a mark that has passed"],
  ["a.P[].iw", "isolated margin: worked out from cost and leverage"],
]);
const UNREAD: Readonly<Record<string, ReadonlyMap<string, string>>> = {
  order: UNREAD_ORDER,
  algo: UNREAD_ALGO,
  account: UNREAD_ACCOUNT,
};
/** What tells decoders which kind a thing is, and is then known by the kind. */
const DISCRIMINATORS = new Set(["e", "a.P[].mt"]);

/** Decodes a user event off the wire; every field is in it or named above. */
function decoded(wire: unknown): UserEvent | undefined {
  const { value, unread, dropped } = auditFields(wire, userEvent);
  if (value === undefined) return undefined;
  const named = UNREAD[value.kind]!;
  expect([...unread].filter((path) => !named.has(path))).toEqual([]);
  expect([...dropped].filter((path) => !DISCRIMINATORS.has(path))).toEqual([]);
  return value;
}

/** Fields of answers that nothing reads, by what they are part of. */
const UNREAD_REST_ORDER = [
  "[].activatePrice",
  "[].avgPrice",
  "[].cumQuote",
  "[].priceProtect",
  "[].priceRate",
  "[].stopPrice",
  "[].time",
  "[].timeInForce",
  "[].workingType",
];
/** Descriptions, limits of other asset classes, and rules that are judged by the exchange alone. */
const UNREAD_EXCHANGE_INFO = [
  "assets[]",
  "exchangeFilters",
  "futuresType",
  "symbols[].baseAsset",
  "symbols[].baseAssetPrecision",
  "symbols[].basePrecision",
  "symbols[].filters[].limit",
  "symbols[].filters[].multiplier",
  "symbols[].filters[].positionControlSide",
  "symbols[].liquidationFee",
  "symbols[].maintMarginPercent",
  "symbols[].marketTakeBound",
  "symbols[].maxMoveOrderLimit",
  "symbols[].orderTypes[]",
  "symbols[].pair",
  "symbols[].permissionSets[]",
  "symbols[].pricePrecision",
  "symbols[].quantityPrecision",
  "symbols[].quotePrecision",
  "symbols[].requiredMarginPercent",
  "symbols[].settlePlan",
  "symbols[].timeInForce[]",
  "symbols[].triggerProtect",
  "symbols[].underlyingSubType[]",
  "symbols[].underlyingType",
  "timezone",
];
/** Names and limits are compared with, and known by the place of what they belong to. */
const COMPARED = ["filterType", "rateLimits[]", "[].assets", "symbols[].filters[].filterType"];

function checkRest(wire: unknown, decode: (wire: unknown) => unknown, unreadNames: readonly string[]): void {
  const { unread, dropped } = auditFields(wire, decode);
  expect([...unread].filter((path) => !unreadNames.some((name) => path.startsWith(name)))).toEqual([]);
  expect([...dropped].filter((path) => !COMPARED.some((name) => path.includes(name)))).toEqual([]);
}

/** No digit of a text is lost on its way through the parser, whatever reads it afterwards. */
function checkLossless(file: string): void {
  const before = text(file);
  const numbers = (json: string) => json.match(/-?\d+(?:\.\d+)?/g) ?? [];
  expect(numbers(JSON.stringify(parseLossless(before)))).toEqual(numbers(before));
}

interface Answered {
  readonly path: string;
  readonly body: unknown;
}

/** Answers to questions that we do not ask: read without loss, and by nobody. */
function unasked(file: string): void {
  checkLossless(file);
  for (const { path, body } of read<Answered[]>(file)) {
    expect(path).toStartWith("/");
    expect(body === null || typeof body === "object").toBe(true);
  }
}

function checkKlines(file: string): void {
  let rows = 0;
  for (const { body } of read<Answered[]>(file)) {
    const klines = report.klineRows(body);
    for (const [index, row] of (body as unknown[][]).entries()) {
      // The close time follows from the open time, and the last cell is documented to be ignored.
      const missing = [...missingFields(row.toSpliced(11, 1).toSpliced(6, 1), klines[index])];
      expect(missing).toEqual([]);
      rows++;
    }
  }
  expect(rows).toBeGreaterThan(100);
}

function checkBook(body: unknown): void {
  const { value, unread, dropped } = auditFields(body, report.bookSnapshot);
  expect([...unread].filter((path) => path !== "E" && path !== "T")).toEqual([]);
  expect([...dropped]).toEqual([]);
  const { bids, asks } = value;
  for (let i = 2; i < bids.length; i += 2) expect(bids[i]!).toBeLessThan(bids[i - 2]!);
  for (let i = 2; i < asks.length; i += 2) expect(asks[i]!).toBeGreaterThan(asks[i - 2]!);
  expect(bids[0]!).toBeLessThan(asks[0]!);
}

/** Fields of market messages that nothing here is decided by. */
const UNREAD_MARKET: Readonly<Record<string, readonly string[]>> = {
  quote: [],
  trade: ["f", "l", "X"],
  depth: [],
  mark: ["P", "ap"],
  kline: ["k.T", "k.f", "k.L", "k.B", "k.i"],
};

function checkMarket(wire: Json, symbols: readonly string[]): MarketMessage {
  const messages: MarketMessage[] = [];
  expect(new MarketDecoder(symbols).decode(JSON.stringify(wire), (message) => messages.push(message))).toBe(true);
  const [message] = messages;
  const { e, s, m, k, ...rest } = ("data" in wire ? wire.data : wire) as Json;
  expect(symbols[message!.symbol]).toBe(s as string);
  const { s: again, x, ...kline } = (k ?? {}) as Json;
  expect(again).toBe(k === undefined ? undefined : s);
  if (message!.kind === "kline") expect(message!.closed).toBe(x as boolean);
  if (message!.kind === "trade") expect(message!.taker).toBe(m === true ? -1 : 1);
  const missing = missingFields(k === undefined ? rest : { ...rest, k: kline }, message);
  expect([...missing].filter((path) => !UNREAD_MARKET[message!.kind]!.includes(path))).toEqual([]);
  expect(e).toBeString();
  return message!;
}

function checkStream(symbols: readonly string[], messagesOf: (line: string) => Json | undefined) {
  return (file: string): void => {
    let messages = 0;
    for (const line of linesOf(file)) {
      const wire = messagesOf(line);
      if (wire === undefined) continue;
      checkMarket(wire, symbols);
      messages++;
    }
    expect(messages).toBeGreaterThan(100);
  };
}

/** Klines rise: their counters never fall within a bar, and a closed bar is followed by the next one. */
function checkKlineStream(wires: readonly Json[]): void {
  let before: Extract<MarketMessage, { kind: "kline" }> | undefined;
  for (const wire of wires) {
    const message = checkMarket(wire, [wire.s as string]);
    if (message.kind !== "kline") throw new Error("that is no kline");
    if (before !== undefined && before.kline.openTime === message.kline.openTime) {
      expect(before.closed).toBe(false);
      expect(message.kline.trades).toBeGreaterThanOrEqual(before.kline.trades);
      expect(message.kline.high).toBeGreaterThanOrEqual(before.kline.high);
    } else if (before !== undefined) {
      expect(message.kline.openTime).toBeGreaterThan(before.kline.openTime);
    }
    before = message;
  }
  expect(before).toBeDefined();
}

interface Expected {
  /** What the core is told of each order, in order of placing. */
  readonly told: readonly string[];
  /** How many account events the recording has without the fill that they are about, and the other way round. */
  readonly oddPositions?: number;
  /** Changes of the wallet that no fill explains, 1e-8 USDT. */
  readonly oddWallets?: readonly number[];
  readonly liquidated?: readonly number[];
  readonly transfers?: readonly number[];
  /** Kinds that say nothing which orders' own events do not. */
  readonly passedOver?: readonly string[];
}

/** Plays a session, once as it was and once with every event told twice, and holds it against the recording's word. */
function session(wiresOf: (file: string) => readonly (Json | undefined)[], expected: Expected) {
  return (file: string): void => {
    const passedOver: string[] = [];
    const events: UserEvent[] = [];
    for (const wire of wiresOf(file)) {
      const event = wire === undefined ? undefined : decoded(wire);
      if (event === undefined) passedOver.push(String(wire?.e));
      else events.push(event);
    }
    for (const times of [1, 2]) {
      const { orders, liquidations, transfers, oddPositions, oddWallets } = playSession(events, times);
      expect(orders.map(({ told }) => told.join("; "))).toEqual([...expected.told]);
      expect(oddPositions).toHaveLength(expected.oddPositions ?? 0);
      expect(oddWallets.map(([, difference]) => difference)).toEqual([...(expected.oddWallets ?? [])]);
      expect(liquidations.map(({ lots, cause }) => (cause === "liquidation" ? lots : cause))).toEqual([
        ...(expected.liquidated ?? []),
      ]);
      expect(transfers.map(({ amount }) => amount)).toEqual([...(expected.transfers ?? [])]);
      for (const { record, lots, fees, status, executed, commission, told } of orders) {
        // The recording's last word on the order, whatever came before it.
        expect({ lots, fees, executed: record.executed }).toEqual({ lots: executed, fees: commission, executed });
        const ends = { FILLED: ", done", CANCELED: "cancelled", EXPIRED: "expired", FINISHED: ", done" };
        const end = ends[status as keyof typeof ends];
        expect(record.over).toBe(end !== undefined);
        if (end !== undefined) expect(told.at(-1)).toEndWith(end);
      }
    }
    expect(passedOver).toEqual([...(expected.passedOver ?? [])]);
  };
}

const raw = (file: string) => read<Json[]>(file);
const renamed = (file: string) => read<{ value: Json }[]>(file).map(({ value }) => wireEventOf(value));

const fill = (lots: number, price: number, done = true) =>
  `${lots} at ${Math.round(price * 1_000_000)}${done ? ", done" : ""}`;

/** What the spot market says, which has other events and answers, and what describes limits. */
const NOT_FUTURES = /spot|outboundAccountPosition|executionReport|balanceUpdate|balnceUdate/i;

const CLAIMS: Readonly<Record<string, (file: string) => void>> = {
  "hftbacktest-2024-08-08/btcusdt_20240808.ws.gz": (file) => {
    // Every tenth message: all of them are replayed through the book in order-book.test.ts.
    let index = 0;
    checkStream(["BTCUSDT"], (line) => {
      const json = line.slice(line.indexOf(" ") + 1);
      if (json.startsWith('{"lastUpdateId"')) checkBook(JSON.parse(json));
      else if (index++ % 10 === 0) return JSON.parse(json);
      return undefined;
    })(file);
  },
  "cryptofeed-2021-07-22/ws-stream.jsonl.gz": checkStream(
    ["AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT"],
    (line) => (JSON.parse(line) as { msg: Json }).msg,
  ),
  ...Object.fromEntries(
    ["AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT"].map((symbol) => [
      `cryptofeed-2021-07-22/rest-v1_depth_symbol_${symbol}_limit_1000.json`,
      (file: string) => checkBook(read<{ body: unknown }>(file).body),
    ]),
  ),
  "cryptofeed-2021-07-22/rest-v1_exchangeInfo.json": (file) =>
    checkRest(read<{ body: unknown }>(file).body, report.exchangeInfoOf, UNREAD_EXCHANGE_INFO),
  "rest-exchangeInfo-TESTNET-2025-11-26.json.gz": (file) =>
    checkRest(read(file), report.exchangeInfoOf, UNREAD_EXCHANGE_INFO),

  "gocryptotrader-rest/_errors.json": (file) => {
    // Of the coin-margined market, where −4088 is about the range of a question; here it is about the account.
    const means: Readonly<Record<number, string>> = {
      [-1121]: "invalid",
      [-2014]: "fatal",
      [-4088]: "reduce-only-account",
    };
    for (const { body } of read<Answered[]>(file)) {
      const { code, msg } = body as { code: number; msg: string };
      expect(errorIn(body)).toEqual({ code, message: msg });
      const failure = failureOf({ status: 400, ...errorIn(body) }) as Json;
      expect(failure).toEqual({ kind: "refused", code, message: msg, consequence: means[code]! });
    }
  },
  "gocryptotrader-rest/fapi_v1_klines.json": checkKlines,
  "gocryptotrader-rest/fapi_v1_depth.json": (file) => {
    for (const { body } of read<Answered[]>(file)) checkBook(body);
  },
  "gocryptotrader-rest/fapi_v1_exchangeInfo.json": (file) => {
    for (const { body } of read<Answered[]>(file)) checkRest(body, report.exchangeInfoOf, UNREAD_EXCHANGE_INFO);
  },
  "gocryptotrader-rest/fapi_v1_time.json": (file) => {
    for (const { body } of read<Answered[]>(file)) {
      expect(report.serverTimeOf(body)).toBe((body as { serverTime: number }).serverTime);
    }
  },
  ...Object.fromEntries(
    [
      "fapi_v1_aggTrades",
      "fapi_v1_fundingInfo",
      "fapi_v1_fundingRate",
      "fapi_v1_indexInfo",
      "fapi_v1_openInterest",
      "fapi_v1_premiumIndex",
      "fapi_v1_ticker_24hr",
      "fapi_v1_ticker_bookTicker",
      "fapi_v1_ticker_price",
      "fapi_v1_trades",
      "futures_data_basis",
      "futures_data_globalLongShortAccountRatio",
      "futures_data_openInterestHist",
      "futures_data_takerBuySellVol",
      "futures_data_takerlongshortRatio",
      "futures_data_topLongShortAccountRatio",
      "futures_data_topLongShortPositionRatio",
    ].map((name) => [`gocryptotrader-rest/${name}.json`, unasked]),
  ),

  "leverage-brackets-2024-10.json.gz": checkBrackets,
  "leverage-brackets-2025-06.json.gz": checkBrackets,

  "user-trades-TESTNET-BTCUSDT-2025-06.csv": (file) => {
    const [header, ...lines] = text(file).trim().split(/\r?\n/);
    const names = header!.split(",");
    const trades = lines.map((line) => {
      const row: Json = Object.fromEntries(line.split(",").map((cell, at) => [names[at]!, cell]));
      return { ...row, maker: row.maker === "True", buyer: row.buyer === "True" };
    });
    const { value, unread, dropped } = auditFields(trades, report.tradeReports);
    expect(value).toHaveLength(197);
    // Price times quantity, and the side in other words.
    expect([...unread].sort()).toEqual(["[].buyer", "[].quoteQty"]);
    expect([...dropped]).toEqual([]);
  },

  "metacodi-2022/binance-api-responses.json": (file) => {
    const seen: string[] = [];
    for (const { name, value } of read<{ name: string; value: Json | Json[] }[]>(file)) {
      if (NOT_FUTURES.test(name)) continue;
      seen.push(name);
      if (name === "futuresExchangeInfoLimits") {
        expect(report.exchangeInfoOf({ symbols: [], rateLimits: value }).orderLimits).toEqual([300, 1200]);
      } else if (name === "WsMessageFuturesUserDataTradeUpdateEventFormatted") {
        expect(decoded(value)).toMatchObject({ type: "TRAILING_STOP_MARKET", positionSide: "LONG" });
      } else if (name === "futuresExchangeSymbolInfo") {
        checkRest({ symbols: [value] }, report.exchangeInfoOf, UNREAD_EXCHANGE_INFO);
      } else {
        const bodies = Array.isArray(value) ? value : [value];
        checkRest(bodies, report.orderReports, UNREAD_REST_ORDER);
        for (const said of report.orderReports(bodies)) checkAnsweredOrder(said);
      }
    }
    expect(seen).toEqual([
      "futuresExchangeInfoLimits",
      "WsMessageFuturesUserDataTradeUpdateEventFormatted",
      "futuresExchangeSymbolInfo",
      "getAllOrdes",
      "marketBuyFilledFutures",
      "marketSellFilledFutures",
    ]);
  },
  "metacodi-2022/examples-market-ws.json": (file) => {
    const kinds = read<{ name: string; value: Json }[]>(file).map(({ name, value }) => {
      const data = (value.data ?? value) as Json;
      // Those of the spot market say no kind; tickers are nobody's here.
      const understood = new MarketDecoder(["BNBUSDT", "BTCUSDT"]).decode(JSON.stringify(value), () => {});
      if (data.e === "bookTicker") checkMarket(value, ["BNBUSDT"]);
      return `${name} ${understood ? data.e : "spot"}`;
    });
    expect(kinds).toEqual([
      "rawMarket24hrMiniTicker 24hrMiniTicker",
      "streamMarket24hrMiniTicker 24hrMiniTicker",
      "rawBookTicker spot",
      "streamBookTicker spot",
      "rawBookTickerFutures bookTicker",
      "streamBookTickerFutures bookTicker",
    ]);
  },
  "metacodi-2022/examples-user-ws.json": (file) => {
    const futures = read<{ name: string; value: Json }[]>(file).flatMap(({ name, value }) => {
      const wire = wireEventOf(value) ?? value;
      const event = userEvent(wire);
      if (NOT_FUTURES.test(name) && event === undefined) return [];
      if (event === undefined) return [`${name}: passed over`];
      expect(decoded(wire)).toEqual(event);
      return [`${name}: ${event.kind}`];
    });
    expect(futures).toEqual([
      "ACCOUNT_UPDATE: account",
      "ACCOUNT_UPDATE_WITHDRAW: account",
      "streamUserFuturesBuyMarket_New_with_BaseCommission: order",
      "streamUserFuturesBuyMarket_Filled_with_BaseCommission: order",
      "streamUserFuturesSellMarket_New_with_BaseComission: order",
      "streamUserFuturesSellMarket_Filled_with_BaseComission: order",
      // Somebody changed the leverage at the exchange; it is set anew with each entry.
      "streamUserFuturesAccountConfigUpdate: passed over",
    ]);
    session((path) => renamed(path).filter((wire) => wire?.e === "ORDER_TRADE_UPDATE"), {
      told: [`accepted; ${fill(2, 408.26)}`, `accepted; ${fill(2, 408.31)}`],
    })(file);
  },
  "metacodi-2022/exemple-1-futures-buy-sell-market-1BNB.json": session(renamed, {
    told: [
      `accepted; ${fill(2, 406.09, false)}; ${fill(2, 406.09, false)}; ${fill(96, 406.09)}`,
      `accepted; ${fill(29, 406.46, false)}; ${fill(71, 406.45)}`,
    ],
  }),
  "metacodi-2022/exemple-2-futures-buy-sell-market-1BNB.json": session(renamed, {
    told: [`accepted; ${fill(100, 404.29)}`, `accepted; ${fill(80, 404.45, false)}; ${fill(20, 404.43)}`],
  }),
  // The last fill was recorded without its commission: the wallet has it, and is seen to differ.
  "metacodi-2022/exemple-3-futures-buy-sell-limit-1BNB.json": session(renamed, {
    told: [`accepted; ${fill(100, 406)}`, `accepted; ${fill(100, 406.5)}`],
    oddWallets: [-8_130_000],
  }),
  "metacodi-2022/exemple-4-futures-buy-sell-limit-1BNB.json": session(renamed, {
    told: [
      `accepted; ${fill(66, 404, false)}; ${fill(34, 404)}`,
      "accepted; cancelled",
      `accepted; ${fill(100, 404.55)}`,
    ],
    transfers: [87_250_624_823],
  }),
  "metacodi-2022/exemple-5-futures-buy-sell-limit-1BNB.json": session(renamed, {
    told: [`accepted; ${fill(4, 403.99)}`, `accepted; ${fill(8, 404)}`],
  }),
  "metacodi-2022/exemple-8-75_leverage.json": session(renamed, {
    told: [`accepted; ${fill(261, 382.78)}`, "accepted; expired", `accepted; ${fill(261, 384.06)}`],
    transfers: [-3_134_460_743, 1_000_000_000],
  }),
  "metacodi-2022/exemple-10-75_leverage.json": session(renamed, {
    told: [
      `accepted; ${fill(143, 382.93)}`,
      `accepted; ${fill(27, 381.74)}`,
      `accepted; ${fill(170, 379.91)}`,
      `accepted; ${fill(230, 379.66)}`,
      `accepted; ${fill(118, 379.1, false)}; ${fill(2, 379.1, false)}; ${fill(110, 379.12)}`,
      `accepted; ${fill(53, 378.8, false)}; ${fill(105, 378.8)}`,
      `accepted; ${fill(2, 378.38)}`,
    ],
    liquidated: [20, 2, 2, 2, 134],
    // The clearance of the liquidation is no transfer: the comparison of the wallets finds and books it.
    transfers: [-1_231_578_058, 800_000_000, -92_650_437],
  }),
  "metacodi-2022/kline-stream.json": (file) =>
    checkKlineStream(read<{ value: Json[] }[]>(file).flatMap(({ value }) => value.map(wireKlineOf))),
  "metacodi-2022/exemple-kline.jsonl.gz": (file) =>
    checkKlineStream(linesOf(file).map((line) => wireKlineOf(JSON.parse(line) as Json))),
  "metacodi-2022/exemple-kline-01.jsonl.gz": (file) =>
    checkKlineStream(linesOf(file).map((line) => wireKlineOf(JSON.parse(line) as Json))),

  "user-stream-2026/WebSocketFutureLimitSubmittedFilled.json": session(raw, {
    told: [`accepted; ${fill(80_000, 0.00661)}`],
  }),
  "user-stream-2026/WebSocketFutureMarketSubmittedFilled.json": session(raw, {
    told: [`accepted; ${fill(80_000, 0.006567)}`],
  }),
  "user-stream-2026/WebSocketFutureStopLimitSubmittedExpired.json": session(raw, {
    told: ["accepted; expired"],
    passedOver: ["CONDITIONAL_ORDER_TRIGGER_REJECT"],
  }),
  "user-stream-2026/WebSocketFutureStopMarketSubmitPartiallyFilledFilled.json": session(raw, {
    told: [`accepted; triggered; ${fill(76_000, 0.00666, false)}; ${fill(4_000, 0.00666)}`],
  }),
  "user-stream-2026/WebSocketFutureStopMarketSubmittedCanceled.json": session(raw, { told: ["accepted; cancelled"] }),
};

function checkBrackets(file: string): void {
  const all = Object.entries(read<Record<string, Json[]>>(file)).map(([symbol, brackets]) => ({ symbol, brackets }));
  const { unread, dropped } = auditFields(all, report.symbolBrackets);
  expect([...unread].sort()).toEqual(["[].brackets[].bracket", "[].brackets[].cum", "[].brackets[].notionalFloor"]);
  // "No end" is written as 2^63 − 1, and needs not be exact.
  expect([...dropped]).toEqual(["[].brackets[].notionalCap"]);
  const endless = report
    .symbolBrackets(all)
    .flatMap(({ brackets }) => brackets.filter(({ notionalCap }) => notionalCap > 1e15));
  expect(new Set(endless.map(({ notionalCap }) => notionalCap))).toEqual(new Set([2 ** 63]));
  for (const { brackets } of report.symbolBrackets(all)) {
    for (let i = 1; i < brackets.length; i++)
      expect(brackets[i]!.notionalCap).toBeGreaterThan(brackets[i - 1]!.notionalCap);
  }
}

/** What an answer says of an order: accepted, and its end held back until the fills that it speaks of are known. */
function checkAnsweredOrder(said: ReturnType<typeof report.orderReports>[number]): void {
  const lots = (quantity: string) => Math.round(Number(quantity) * 100);
  const record = newRecord(order(1, { type: "market", purpose: "entry", lots: lots(said.quantity) }), said.clientId);
  const news: OrderNews[] = [];
  const { orderId, status } = said;
  regularState(
    record,
    { orderId, status, total: lots(said.quantity), executed: lots(said.executed), time: said.updateTime, reason: "" },
    news,
  );
  expect(news).toMatchObject([{ answer: "accepted" }]);
  expect([record.executed, record.end?.how, record.over]).toEqual([
    lots(said.executed),
    status === "FILLED" ? "filled" : undefined,
    false,
  ]);
}

describe("recorded payloads", () => {
  const folder = recorded(ROOT);
  if (folder === undefined) {
    test.skip(`every recorded file (recorded data absent: ${ROOT})`, () => {});
    return;
  }
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

  test("every file is claimed by a test, and every claim has its file", () => {
    expect(files).toEqual(Object.keys(CLAIMS).sort());
  });

  for (const file of files) test(file, () => CLAIMS[file]?.(join(folder, file)));
});

describe("quoted recordings", () => {
  const folder = recorded("../payloads-documented");
  if (folder === undefined) {
    test.skip("every quoted recording (recorded data absent: ../payloads-documented)", () => {});
    return;
  }
  const quoted = readdirSync(join(folder, "user-data")).filter((name) => name.includes(".real_"));
  const payload = (name: string) => read<{ payload: Json }>(join(folder, "user-data", name)).payload;

  test("all of them are known here", () => {
    expect(quoted.sort()).toEqual([
      "ACCOUNT_UPDATE.real_deposit.json",
      "ORDER_TRADE_UPDATE.real_amendment.json",
      "ORDER_TRADE_UPDATE.real_new.json",
      "ORDER_TRADE_UPDATE.real_testnet_fill.json",
    ]);
  });

  test("a deposit", () => {
    expect(decoded(payload("ACCOUNT_UPDATE.real_deposit.json"))).toMatchObject({ kind: "account", cause: "DEPOSIT" });
  });

  /** Only the order was quoted, not the event around it. */
  const orderEvent = (name: string, change: Json = {}) => {
    const o = { ...payload(`ORDER_TRADE_UPDATE.${name}.json`), ...change };
    const event = decoded({ e: "ORDER_TRADE_UPDATE", E: o.T, T: o.T, o });
    if (event?.kind !== "order") throw new Error("that is no order");
    return event;
  };

  test("an order that is placed, and one that is filled without its placing having been heard of", () => {
    expect(playSession([orderEvent("real_new")]).orders).toMatchObject([
      { told: ["accepted"], record: { over: false, total: 2000, executed: 0 } },
    ]);
    expect(playSession([orderEvent("real_testnet_fill")]).orders).toMatchObject([
      { told: ["accepted", fill(2000, 0.5332)], fees: 213_279, record: { over: true, executed: 2000 } },
    ]);
  });

  test("an amended order stays open with the size it was amended to, and ends with the fill that completes it", () => {
    const amended = orderEvent("real_amendment");
    const { i, T } = payload("ORDER_TRADE_UPDATE.real_amendment.json") as { i: number; T: number };
    // The quotations are of different orders: the same one before and after is made of them.
    const placed = orderEvent("real_new", { i, T: T - 1000 });
    const filled = orderEvent("real_amendment", {
      x: "TRADE",
      X: "FILLED",
      l: "12",
      z: "12",
      L: "0.5189",
      t: 5,
      T: T + 1000,
    });
    expect(amended.execution).toBe("AMENDMENT");
    expect(playSession([placed, amended]).orders).toMatchObject([
      { told: ["accepted"], record: { over: false, total: 1200, executed: 0 } },
    ]);
    // Whatever comes late, the younger word on the size holds.
    for (const events of [
      [placed, amended, filled],
      [amended, placed, filled],
      [placed, filled, amended],
      [filled, amended, placed],
    ]) {
      expect(playSession(events).orders).toMatchObject([
        { told: ["accepted", fill(1200, 0.5189)], record: { over: true, total: 1200, executed: 1200 } },
      ]);
    }
  });

  test("a conditional order as a question about it is answered", () => {
    const wire = read<{ payload: Json }>(join(folder, "real-algo-order-2026-07.json")).payload;
    const { value, unread, dropped } = auditFields(wire, report.algoReport);
    expect([...dropped]).toEqual([]);
    expect([...unread].sort()).toEqual([
      "actualPrice",
      "algoType",
      "createTime",
      "goodTillDate",
      "price",
      "priceMatch",
      "priceProtect",
      "selfTradePreventionMode",
      "timeInForce",
      "tpOrderType",
      "triggerTime",
      "workingType",
    ]);
    const record = newRecord(order(1, { type: "stop-market", purpose: "working-stop", lots: 3381 }), value.clientId);
    const news: OrderNews[] = [];
    algoState(record, value, news);
    expect(news).toMatchObject([{ answer: "accepted" }]);
    expect([record.algoId, record.over]).toEqual(["4000001772562806", false]);
  });
});
