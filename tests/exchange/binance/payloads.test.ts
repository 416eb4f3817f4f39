import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { scaled } from "../../../src/exchange/binance/decimals.ts";
import { failureOf } from "../../../src/exchange/binance/errors.ts";
import { ShapeError } from "../../../src/exchange/binance/fields.ts";
import type { OrderTradeUpdate, UserEvent } from "../../../src/exchange/binance/gateway.ts";
import { parseLossless } from "../../../src/exchange/binance/json.ts";
import { errorIn } from "../../../src/exchange/binance/reply.ts";
import * as report from "../../../src/exchange/binance/reports.ts";
import { userEvent } from "../../../src/exchange/binance/user-events.ts";
import { testRecorded } from "../../recorded.ts";
import { wireEventOf } from "./client-names.ts";

const RECORDED = "payloads/recorded";
const DOCUMENTED = "../payloads-documented";

type Json = Record<string, unknown>;

function read<T>(file: string): T {
  const bytes = readFileSync(file);
  return JSON.parse((file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString()) as T;
}

/** Every value of a wire event that we use, beside what the decoder made of it. */
function checkOrder(event: OrderTradeUpdate, wire: Json): void {
  const o = wire.o as Json;
  const text = (value: unknown, absent: string) => (value === undefined || value === null ? absent : String(value));
  expect(event).toEqual({
    kind: "order",
    time: wire.E as number,
    transactionTime: wire.T as number,
    symbol: o.s as string,
    clientId: o.c as string,
    orderId: String(o.i),
    side: o.S as "BUY",
    positionSide: o.ps as "BOTH",
    type: o.o as string,
    originalType: o.ot as string,
    execution: o.x as string,
    status: o.X as "NEW",
    quantity: String(o.q),
    price: String(o.p),
    executed: String(o.z),
    lastQuantity: String(o.l),
    lastPrice: String(o.L),
    commission: text(o.n, "0"),
    commissionAsset: text(o.N, ""),
    tradeId: text(o.t, "0"),
    maker: o.m as boolean,
    reduceOnly: o.R as boolean,
    closePosition: o.cp as boolean,
    realised: text(o.rp, "0"),
    expiryReason: Number(o.er ?? 0),
    strategyId: text(o.si, "0"),
  });
}

describe("user stream", () => {
  testRecorded("the lifecycles of 2026 decode without loss", `${RECORDED}/user-stream-2026`, (folder) => {
    const kinds: Record<string, number> = {};
    for (const name of readdirSync(folder)) {
      const ends: (string | undefined)[] = [];
      for (const wire of read<Json[]>(join(folder, name))) {
        const event = userEvent(parseLossless(JSON.stringify(wire)));
        const kind = event?.kind ?? String(wire.e);
        kinds[kind] = (kinds[kind] ?? 0) + 1;
        if (event?.kind === "order") checkOrder(event, wire);
        if (event?.kind === "algo") {
          const { caid, aid, X, tp, q, ai, cp } = wire.o as Json;
          expect(event).toMatchObject({
            clientId: caid,
            algoId: String(aid),
            status: X,
            triggerPrice: tp,
            quantity: q,
            actualOrderId: ai,
            closePosition: cp,
          } as object);
        }
        if (event?.kind === "order" || event?.kind === "algo") ends.push(event.status);
      }
      expect(["FILLED", "CANCELED", "EXPIRED", "FINISHED"]).toContain(ends.at(-1)!);
    }
    // What is passed over says nothing that the order's own events do not.
    expect(kinds).toEqual({ order: 9, algo: 6, CONDITIONAL_ORDER_TRIGGER_REJECT: 1 });
  });

  testRecorded(
    "the sessions of 2022 decode, and their fills add up to what the orders say",
    `${RECORDED}/metacodi-2022`,
    (folder) => {
      const events: UserEvent[] = [];
      for (const name of readdirSync(folder).filter((file) => file.startsWith("exemple-") && file.endsWith(".json"))) {
        for (const { value } of read<{ value: Json }[]>(join(folder, name))) {
          const wire = wireEventOf(value);
          if (wire !== undefined) events.push(userEvent(wire)!);
        }
      }
      const orders = events.filter((event) => event.kind === "order");
      expect(orders.length).toBeGreaterThan(20);
      expect(events.filter((event) => event.kind === "account").length).toBeGreaterThan(10);
      const filled = new Map<string, number>();
      for (const order of orders) {
        const sum = (filled.get(order.orderId) ?? 0) + Math.round(Number(order.lastQuantity) * 1000);
        filled.set(order.orderId, sum);
        expect(sum).toBe(Math.round(Number(order.executed) * 1000));
        expect(order.execution === "TRADE").toBe(order.tradeId !== "0");
      }
    },
  );

  testRecorded("events of the collections decode, each to its kind", DOCUMENTED, (folder) => {
    const kinds: Record<string, string | undefined> = {};
    for (const name of readdirSync(join(folder, "user-data"))) {
      const { payload } = read<{ payload: Json }>(join(folder, "user-data", name));
      // Some are quoted without the event around them.
      const wire = "c" in payload && !("e" in payload) ? { e: "ORDER_TRADE_UPDATE", E: 1, T: 1, o: payload } : payload;
      const event = userEvent(wire);
      kinds[basename(name, ".json")] = event?.kind;
      if (event?.kind === "order") checkOrder(event, { ...wire, o: { cp: false, ...(wire.o as Json) } });
    }
    expect(kinds).toEqual({
      ACCOUNT_UPDATE: "account",
      "ACCOUNT_UPDATE.real_deposit": "account",
      ALGO_UPDATE: "algo",
      "ORDER_TRADE_UPDATE.adl": "order",
      "ORDER_TRADE_UPDATE.liquidation": "order",
      "ORDER_TRADE_UPDATE.partial_fill": "order",
      "ORDER_TRADE_UPDATE.real_amendment": "order",
      "ORDER_TRADE_UPDATE.real_new": "order",
      "ORDER_TRADE_UPDATE.real_testnet_fill": "order",
      TRADE_LITE: undefined,
      "listenKeyExpired.combined_stream": "listen-key-expired",
      listenKeyExpired: "listen-key-expired",
    });
  });
});

describe("REST", () => {
  interface Recorded {
    readonly path: string;
    readonly body: unknown;
  }
  const bodies = (file: string): Recorded[] => read<Recorded[]>(file);

  testRecorded("no digit of any recorded body is lost", `${RECORDED}/gocryptotrader-rest`, (folder) => {
    for (const name of readdirSync(folder)) {
      const text = readFileSync(join(folder, name), "utf8");
      // Every number of the text, as it is written there, is in what was made of it.
      const seen = new Set(JSON.stringify(parseLossless(text)).match(/-?\d+/g));
      for (const digits of text.match(/-?\d+/g)!) if (!seen.has(digits)) expect(Number(digits)).toBe(0);
    }
  });

  testRecorded("klines, books, times and rules of 2020 and 2021", `${RECORDED}/gocryptotrader-rest`, (folder) => {
    for (const { body } of bodies(join(folder, "fapi_v1_klines.json"))) {
      const rows = body as [number, ...string[]][];
      const klines = report.klineRows(body);
      expect(klines.map((kline) => [kline.openTime, kline.open, kline.takerBuyQuote])).toEqual(
        rows.map((row) => [row[0], Number(row[1]), Number(row[10])]),
      );
    }
    for (const { body } of bodies(join(folder, "fapi_v1_depth.json"))) {
      const { asks, lastUpdateId } = body as { asks: string[][]; lastUpdateId: number };
      expect(report.bookSnapshot(body)).toMatchObject({ lastUpdate: lastUpdateId, asks: asks.flat().map(Number) });
    }
    expect(bodies(join(folder, "fapi_v1_time.json")).map(({ body }) => report.serverTimeOf(body))).toEqual([
      1620099477465,
    ]);
    for (const { body } of bodies(join(folder, "fapi_v1_exchangeInfo.json"))) {
      const { symbols } = body as { symbols: Json[] };
      expect(report.exchangeInfoOf(body).symbols.map(({ symbol }) => symbol)).toEqual(
        symbols.map((one) => one.symbol as string),
      );
    }
  });

  testRecorded("errors say what they mean", `${RECORDED}/gocryptotrader-rest/_errors.json`, (file) => {
    for (const { body } of bodies(file)) expect(failureOf({ status: 400, ...errorIn(body) }).kind).toBe("refused");
  });

  testRecorded(
    "all 647 symbols of an exchangeInfo, with every filter that orders must pass",
    `${RECORDED}/rest-exchangeInfo-TESTNET-2025-11-26.json.gz`,
    (file) => {
      const body = read<{ symbols: (Json & { filters: Json[] })[] }>(file);
      const { symbols, orderLimits } = report.exchangeInfoOf(body);
      expect(symbols).toHaveLength(647);
      expect(orderLimits).toEqual([300, 1200]);
      for (const [i, symbol] of symbols.entries()) {
        const filter = (name: string): Json => body.symbols[i]!.filters.find((one) => one.filterType === name)!;
        expect(symbol).toMatchObject({
          symbol: body.symbols[i]!.symbol,
          tickSize: filter("PRICE_FILTER").tickSize,
          stepSize: filter("LOT_SIZE").stepSize,
          marketMaxQuantity: filter("MARKET_LOT_SIZE").maxQty,
          minNotional: filter("MIN_NOTIONAL").notional,
        } as object);
      }
    },
  );

  testRecorded("rules and books of 2021", `${RECORDED}/cryptofeed-2021-07-22`, (folder) => {
    const answer = (name: string): unknown => read<{ body: unknown }>(join(folder, name)).body;
    expect(report.exchangeInfoOf(answer("rest-v1_exchangeInfo.json")).symbols).toHaveLength(122);
    for (const name of readdirSync(folder).filter((file) => file.startsWith("rest-v1_depth"))) {
      const book = report.bookSnapshot(answer(name));
      expect(book.bids[0]!).toBeLessThan(book.asks[0]!);
      expect(book.bids.length).toBeGreaterThan(100);
    }
  });

  testRecorded("brackets of all contracts, by rising cap", `${RECORDED}/leverage-brackets-2025-06.json.gz`, (file) => {
    const all = Object.entries(read<Record<string, Json[]>>(file)).map(([symbol, brackets]) => ({
      symbol,
      brackets: [...brackets].reverse(),
    }));
    const decoded = report.symbolBrackets(all);
    expect(decoded.length).toBeGreaterThan(300);
    for (const { brackets } of decoded) {
      for (let i = 1; i < brackets.length; i++) {
        expect(brackets[i]!.notionalCap).toBeGreaterThan(brackets[i - 1]!.notionalCap);
        expect(brackets[i]!.maintenance).toBeGreaterThanOrEqual(brackets[i - 1]!.maintenance);
      }
    }
  });

  testRecorded("recorded fills of an account", `${RECORDED}/user-trades-TESTNET-BTCUSDT-2025-06.csv`, (file) => {
    const [header, ...lines] = readFileSync(file, "utf8").trim().split(/\r?\n/);
    const trades = lines.map((line) => {
      const cells = line.split(",");
      const trade = Object.fromEntries(header!.split(",").map((name, i) => [name, cells[i]!] as const)) as Record<
        string,
        string
      >;
      return { ...trade, maker: trade.maker === "True", time: Number(trade.time) };
    });
    const decoded = report.tradeReports(trades);
    expect(decoded.map((trade) => trade.tradeId)).toEqual(
      trades.map((trade) => (trade as unknown as { id: string }).id),
    );
  });

  testRecorded(
    "the documentation's answers to everything that we ask",
    `${DOCUMENTED}/official-connector-v37/rest-api`,
    (folder) => {
      const example = (name: string): unknown => read(join(folder, `${name}.json`));
      expect(report.orderReport(example("newOrder"))).toMatchObject({
        clientId: "testOrder",
        orderId: "22542179",
        status: "NEW",
      });
      expect(report.orderReport(example("cancelOrder"))).toMatchObject({
        status: "CANCELED",
        originalType: "TRAILING_STOP_MARKET",
      });
      expect(report.orderReport(example("modifyOrder"))).toMatchObject({ quantity: "1", price: "30005" });
      expect(report.orderReport(example("queryOrder"))).toMatchObject({ executed: "0" });
      expect(report.orderReports(example("currentAllOpenOrders"))).toHaveLength(1);
      expect(report.algoReport(example("newAlgoOrder"))).toMatchObject({
        algoId: "2146760",
        status: "NEW",
        actualOrderId: "",
      });
      expect(report.algoReport(example("queryAlgoOrder"))).toMatchObject({ status: "CANCELED" });
      expect(report.algoReports(example("currentAllAlgoOpenOrders"))).toHaveLength(1);
      expect(report.success(example("cancelAlgoOrder"))).toBeNull();
      expect(report.success(example("changeInitialLeverage"))).toBeNull();
      expect(report.success(example("changeMarginType"))).toBeNull();
      expect(report.positionReports(example("positionInformationV3"))).toMatchObject([
        { symbol: "ADAUSDT", amount: "30", isolated: false },
      ]);
      expect(report.balanceReports(example("futuresAccountBalanceV3"))).toMatchObject([
        { asset: "USDT", wallet: "122607.35137903" },
      ]);
      expect(report.tradeReports(example("accountTradeList"))).toMatchObject([
        { tradeId: "698759", realised: "-0.91539999" },
      ]);
      expect(report.incomeReports(example("getIncomeHistory"))).toMatchObject([
        { type: "TRANSFER", transactionId: "9689322392" },
      ]);
      expect(report.symbolConfigs(example("symbolConfiguration"))).toEqual([
        { symbol: "BTCUSDT", marginType: "CROSSED", leverage: 21 },
      ]);
      expect(report.positionModeOf(example("getCurrentPositionMode"))).toBe("hedge");
      expect(report.symbolBrackets(example("notionalAndLeverageBrackets"))).toMatchObject([{ symbol: "ETHUSDT" }]);
      expect(report.listenKeyOf(example("startUserDataStream"))).toStartWith("pqia91ma");
      expect(report.serverTimeOf(example("checkServerTime"))).toBeGreaterThan(1e12);
      expect(report.settledFundings(example("getFundingRateHistory"))).toEqual([
        { symbol: "BTCUSDT", time: 1570608000000, rate: "-0.03750000", mark: "34287.54619963" },
      ]);
      expect(report.bookSnapshot(example("orderBook")).bids.length).toBeGreaterThan(0);
      // The example has one filter of all filters' fields; a symbol without rules is left out.
      expect(report.exchangeInfoOf(example("exchangeInformation")).symbols).toEqual([]);
    },
  );

  testRecorded("a real conditional order of 2026", `${DOCUMENTED}/real-algo-order-2026-07.json`, (file) => {
    expect(report.algoReport(read<{ payload: unknown }>(file).payload)).toMatchObject({
      algoId: "4000001772562806",
      triggerPrice: "0.715300",
      reduceOnly: true,
    });
  });
});

test("what is not of the right shape says where", () => {
  const funding = (fundingRate: unknown) => [{ symbol: "BTCUSDT", fundingTime: 1, fundingRate }];
  for (const rate of ["0.00010000", "-0.0375", "0E-8", "1", 0.0001, 1e-7]) {
    expect(report.settledFundings(funding(rate))[0]?.rate).toBe(String(rate));
    expect(() => scaled(String(rate), 8)).not.toThrow();
  }
  for (const rate of ["", "nothing", "0x10", " 1", "+1", ".5", "1e300", "1e400", "NaN", null, true]) {
    const where = `funding rates[0].fundingRate is ${Bun.inspect(rate)}`;
    expect(() => report.settledFundings(funding(rate))).toThrow(new ShapeError(where));
  }
  expect(() => report.orderReport({ symbol: "BTCUSDT" })).toThrow("order.clientOrderId is undefined");
  expect(() => report.positionReports({})).toThrow("positions is no list");
  expect(() => report.tradeReports([null])).toThrow("trades[0] is no object");
  expect(() => userEvent({ e: "ORDER_TRADE_UPDATE", E: 1, T: 1 })).toThrow("user event.o is no object");
  expect(() => report.success({ code: "-1", msg: "" })).toThrow("code -1");
});
