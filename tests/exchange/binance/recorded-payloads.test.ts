import { describe, expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { failureOf } from "../../../src/exchange/binance/errors.ts";
import type { UserEvent } from "../../../src/exchange/binance/gateway.ts";
import { MarketDecoder } from "../../../src/exchange/binance/market-decoder.ts";
import { algoState, newRecord, type OrderNews } from "../../../src/exchange/binance/order-record.ts";
import { errorIn } from "../../../src/exchange/binance/reply.ts";
import * as report from "../../../src/exchange/binance/reports.ts";
import { userEvent } from "../../../src/exchange/binance/user-events.ts";
import { recorded, testRecorded } from "../../recorded.ts";
import { order } from "../bars.ts";
import { wireEventOf, wireKlineOf } from "./client-names.ts";
import { auditFields } from "./field-audit.ts";
import {
  type Answered,
  checkAnsweredOrder,
  checkBook,
  checkBrackets,
  checkKlineStream,
  checkKlines,
  checkMarket,
  checkRest,
  checkStream,
  decoded,
  type Json,
  linesOf,
  read,
  text,
  UNREAD_EXCHANGE_INFO,
  UNREAD_REST_ORDER,
  unasked,
} from "./recorded-checks.ts";
import { playSession } from "./recorded-session.ts";

/**
 * Every recorded payload file has its place in CLAIMS, and a file without one fails the test: each is decoded by the
 * decoder that reads it in service, every field is either in what comes out or named below with the reason why not, and
 * what tells of orders drives the order state machine to the state that was recorded.
 */
const ROOT = "payloads/recorded";
/** Recordings that others have quoted in public. */
const QUOTED = "../payloads-documented";

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
      // Somebody changed the leverage at the exchange.
      "streamUserFuturesAccountConfigUpdate: leverage",
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

describe("recorded payloads", () => {
  testRecorded("every file is claimed by a test, and every claim has its file", ROOT, (folder) => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
    expect(files.sort()).toEqual(Object.keys(CLAIMS).sort());
  });

  for (const [file, check] of Object.entries(CLAIMS)) testRecorded(file, `${ROOT}/${file}`, check);
});

describe("quoted recordings", () => {
  const payload = (name: string) => {
    return read<{ payload: Json }>(join(recorded(QUOTED)!, "user-data", name)).payload;
  };

  testRecorded("all of them are known here", QUOTED, (folder) => {
    const quoted = readdirSync(join(folder, "user-data")).filter((name) => name.includes(".real_"));
    expect(quoted.sort()).toEqual([
      "ACCOUNT_UPDATE.real_deposit.json",
      "ORDER_TRADE_UPDATE.real_amendment.json",
      "ORDER_TRADE_UPDATE.real_new.json",
      "ORDER_TRADE_UPDATE.real_testnet_fill.json",
    ]);
  });

  testRecorded("a deposit", QUOTED, () => {
    expect(decoded(payload("ACCOUNT_UPDATE.real_deposit.json"))).toMatchObject({ kind: "account", cause: "DEPOSIT" });
  });

  /** Only the order was quoted, not the event around it. */
  const orderEvent = (name: string, change: Json = {}) => {
    const o = { ...payload(`ORDER_TRADE_UPDATE.${name}.json`), ...change };
    const event = decoded({ e: "ORDER_TRADE_UPDATE", E: o.T, T: o.T, o });
    if (event?.kind !== "order") throw new Error("that is no order");
    return event;
  };

  testRecorded(
    "an order that is placed, and one that is filled without its placing having been heard of",
    QUOTED,
    () => {
      expect(playSession([orderEvent("real_new")]).orders).toMatchObject([
        { told: ["accepted"], record: { over: false, total: 2000, executed: 0 } },
      ]);
      expect(playSession([orderEvent("real_testnet_fill")]).orders).toMatchObject([
        { told: ["accepted", fill(2000, 0.5332)], fees: 213_279, record: { over: true, executed: 2000 } },
      ]);
    },
  );

  testRecorded(
    "an amended order stays open with the size it was amended to, and ends with the fill that completes it",
    QUOTED,
    () => {
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
    },
  );

  testRecorded("a conditional order as a question about it is answered", QUOTED, (folder) => {
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
