import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { OrderRequest } from "../../../src/core/effects.ts";
import { clientIdText, parseClientId } from "../../../src/exchange/binance/client-id.ts";
import {
  lotsFrom,
  priceText,
  quantityText,
  scaled,
  stepOf,
  ticksFrom,
  unitValueOf,
} from "../../../src/exchange/binance/decimals.ts";
import type { Gateway } from "../../../src/exchange/binance/gateway.ts";
import { parseLossless } from "../../../src/exchange/binance/json.ts";
import { DESK_TIMES, OrderDesk } from "../../../src/exchange/binance/order-desk.ts";
import {
  algoState,
  fill,
  newRecord,
  type OrderNews,
  type OrderRecord,
  regularState,
  sizeIs,
} from "../../../src/exchange/binance/order-record.ts";
import { Schedule } from "../../../src/exchange/binance/schedule.ts";
import { userEvent } from "../../../src/exchange/binance/user-events.ts";
import { wireAlgoOrder, workingTypeOf } from "../../../src/exchange/binance/wire-order.ts";
import { instrument } from "../../core/core-fixture.ts";
import { testRecorded } from "../../recorded.ts";
import { order } from "../bars.ts";

/** What can be heard of an order: its acknowledgement, fills, and its end, in the exchange's order. */
type Word = (record: OrderRecord, news: OrderNews[]) => void;

function wordsOf(parts: readonly number[], cancelled: boolean): Word[] {
  const total = parts.reduce((sum, lots) => sum + lots, 0) + (cancelled ? 5 : 0);
  let executed = 0;
  const words: Word[] = [];
  const state = (status: "NEW" | "PARTIALLY_FILLED" | "FILLED" | "CANCELED"): Word => {
    const said = { orderId: "8389766145050669870", status, total, executed, time: 1, reason: "" };
    return (record, news) => regularState(record, said, news);
  };
  words.push(state("NEW"));
  parts.forEach((lots, index) => {
    executed += lots;
    const last = index === parts.length - 1 && !cancelled;
    const trade = { trade: `${index}`, lots, price: 100, fee: lots, maker: false };
    const after = state(last ? "FILLED" : "PARTIALLY_FILLED");
    words.push((record, news) => {
      fill(record, trade, news);
      after(record, news);
    });
  });
  if (cancelled) words.push(state("CANCELED"));
  return words;
}

const market: OrderRequest = order(1, { purpose: "entry", type: "market", lots: 100 });

describe("an order as the exchange tells of it", () => {
  test("in whatever order and however often the news come: accepted once, each fill once, and then one end", () => {
    const arbitrary = fc
      .record({
        parts: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 }),
        cancelled: fc.boolean(),
      })
      .chain((one) => {
        const count = one.parts.length + (one.cancelled ? 2 : 1);
        const all = Array.from({ length: count }, (_, index) => index);
        const again = fc.array(fc.integer({ min: 0, max: count - 1 }), { maxLength: 10 });
        return again.chain((repeated) =>
          fc.record({
            one: fc.constant(one),
            heard: fc.shuffledSubarray([...all, ...repeated], { minLength: count + repeated.length }),
          }),
        );
      });
    fc.assert(
      fc.property(arbitrary, ({ one, heard }) => {
        const words = wordsOf(one.parts, one.cancelled);
        const total = one.parts.reduce((sum, lots) => sum + lots, 0) + (one.cancelled ? 5 : 0);
        const record = newRecord({ ...market, lots: total }, "psk1-1");
        const news: OrderNews[] = [];
        for (const index of heard) words[index]!(record, news);
        const fills = news.filter((item) => item.kind === "fill");
        const answers = news.filter((item) => item.kind === "answer").map(({ answer }) => answer);
        expect(fills.map(({ trade }) => trade).sort()).toEqual(one.parts.map((_, index) => `${index}`).sort());
        expect(answers.filter((answer) => answer === "accepted")).toHaveLength(1);
        expect(news[0]).toMatchObject({ answer: "accepted" });
        expect(record.over).toBe(true);
        const ends = [...fills.filter(({ done }) => done), ...answers.filter((answer) => answer !== "accepted")];
        expect(ends).toHaveLength(1);
        expect(news.at(-1)).toMatchObject(one.cancelled ? { answer: "cancelled" } : { kind: "fill", done: true });
      }),
    );
  });

  test("an amended order ends with the fill that completes its last size, whatever older words come late", () => {
    const arbitrary = fc
      .record({
        placed: fc.integer({ min: 1, max: 100 }),
        parts: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
      })
      .chain((one) => {
        const all = Array.from({ length: one.parts.length + 2 }, (_, index) => index);
        return fc.record({
          one: fc.constant(one),
          heard: fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length }),
        });
      });
    fc.assert(
      fc.property(arbitrary, ({ one: { placed, parts }, heard }) => {
        const total = parts.reduce((sum, lots) => sum + lots, 0);
        const record = newRecord({ ...market, type: "limit", lots: placed }, "psk1-1");
        const news: OrderNews[] = [];
        let executed = 0;
        const executedAt = parts.map((lots) => {
          executed += lots;
          return executed;
        });
        for (const index of heard) {
          const at = index - 2;
          const size = index === 0 ? placed : total;
          sizeIs(record, size, index);
          if (at >= 0) fill(record, { trade: `${at}`, lots: parts[at]!, price: 1, fee: 0, maker: true }, news);
          const status = at === parts.length - 1 ? "FILLED" : at >= 0 ? "PARTIALLY_FILLED" : "NEW";
          const said = { orderId: "1", status, total: size, executed: executedAt[at] ?? 0, time: index, reason: "" };
          regularState(record, said as Parameters<typeof regularState>[1], news);
        }
        const fills = news.filter((item) => item.kind === "fill");
        expect(fills.reduce((sum, { lots }) => sum + lots, 0)).toBe(total);
        expect(fills.filter(({ done }) => done)).toHaveLength(1);
        expect(news.at(-1)).toMatchObject({ kind: "fill", done: true });
        expect(record.total).toBe(total);
      }),
    );
  });

  test("an end is held back until the fills before it are there", () => {
    const record = newRecord(market, "psk1-1");
    const news: OrderNews[] = [];
    regularState(record, { orderId: "1", status: "CANCELED", total: 10, executed: 4, time: 1, reason: "" }, news);
    expect(news).toMatchObject([{ answer: "accepted" }]);
    fill(record, { trade: "7", lots: 4, price: 1, fee: 0, maker: false }, news);
    expect(news.slice(1)).toMatchObject([{ kind: "fill", done: false }, { answer: "cancelled" }]);
  });

  test("a conditional order that was refused when it triggered did stand before; one refused at once did not", () => {
    const stop = order(1, { purpose: "working-stop", type: "stop-market", lots: 5, reduceOnly: true });
    for (const stood of [true, false]) {
      const record = newRecord(stop, "psk1-2");
      const news: OrderNews[] = [];
      const said = { algoId: "4000001772562806", actualOrderId: "", reason: "margin" };
      if (stood) algoState(record, { ...said, status: "NEW" }, news);
      algoState(record, { ...said, status: "REJECTED" }, news);
      expect(news.at(-1)).toMatchObject({ answer: stood ? "expired" : "rejected", reason: "margin" });
    }
  });

  test("late news of an earlier state change nothing", () => {
    const record = newRecord(order(1, { purpose: "target", type: "take-profit-market", lots: 5 }), "psk1-3");
    const news: OrderNews[] = [];
    const said = { algoId: "4", actualOrderId: "", reason: "" };
    for (const status of ["NEW", "CANCELED", "NEW", "TRIGGERING"] as const)
      algoState(record, { ...said, status }, news);
    expect(news).toMatchObject([{ answer: "accepted" }, { answer: "cancelled" }]);
  });
});

describe("on the wire", () => {
  const btc = instrument("BTCUSDT");

  test("decimals are exact both ways", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 40 }), (ticks, lots) => {
        expect(ticksFrom(btc, priceText(btc, ticks))).toBe(ticks);
        expect(lotsFrom(btc, quantityText(btc, lots))).toBe(lots);
        expect(lotsFrom(btc, `-${quantityText(btc, lots)}0000`)).toBe(-lots);
      }),
    );
    expect(scaled("0E-8", 8)).toBe(0n);
    expect(scaled("-0.000000015", 8)).toBe(-2n);
    expect(() => scaled("1,5", 2)).toThrow("not a decimal");
    expect(unitValueOf(stepOf("0.10"), stepOf("0.001"))).toBe(10_000);
    expect(stepOf("0.05000000")).toEqual({ units: 5, decimals: 2 });
  });

  test("a client id holds epoch and number, and fits", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 48 }), fc.nat({ max: 2 ** 48 }), fc.boolean(), (epoch, number, auxiliary) => {
        const text = clientIdText({ epoch, number, auxiliary });
        expect(text).toMatch(/^[.A-Z:/a-z0-9_-]{1,36}$/);
        expect(parseClientId(text)).toEqual({ epoch, number, auxiliary });
      }),
    );
    for (const foreign of ["autoclose-123", "adl_autoclose", "x-cvBPrNm9", "web_abc", ""]) {
      expect(parseClientId(foreign)).toBeUndefined();
    }
  });

  test("reduce-only goes neither with close-position nor into hedge mode; the disaster stop follows the mark", () => {
    const disaster = order(1, {
      purpose: "disaster-stop",
      type: "stop-market",
      side: -1,
      lots: 0,
      trigger: 9,
      closePosition: true,
      reduceOnly: false,
    });
    const working = order(1, {
      purpose: "working-stop",
      type: "stop-market",
      side: -1,
      lots: 5,
      trigger: 10,
      reduceOnly: true,
    });
    const wire = (request: OrderRequest, hedge: boolean) => wireAlgoOrder(newRecord(request, "psk1-1"), btc, hedge);
    expect(wire(disaster, false)).toEqual({
      symbol: "BTCUSDT",
      clientId: "psk1-1",
      side: "SELL",
      type: "STOP_MARKET",
      workingType: "MARK_PRICE",
      closePosition: true,
      triggerPrice: "0.9",
    });
    expect(wire(working, false)).toMatchObject({ reduceOnly: true, quantity: "0.005", workingType: "CONTRACT_PRICE" });
    expect(wire(working, true)).not.toHaveProperty("reduceOnly");
    expect(wire(working, true)).toMatchObject({ positionSide: "LONG" });
    expect(workingTypeOf({ ...working, workingType: "mark" })).toBe("MARK_PRICE");
  });
});

describe("recorded lives of orders", () => {
  testRecorded("lead to the state that they record", "payloads/recorded/user-stream-2026", (folder) => {
    const ends: Record<string, string> = {};
    for (const name of readdirSync(folder).sort()) {
      const values = parseLossless(readFileSync(join(folder, name), "utf8")) as unknown[];
      const events = values.map(userEvent).filter((event) => event?.kind === "order" || event?.kind === "algo");
      const [first] = events;
      const coin = { ...instrument("ACHUSDT"), priceDecimals: 8, quantityDecimals: 0 };
      const news: OrderNews[] = [];
      const desk = new OrderDesk({
        gateway: {} as Gateway,
        instruments: [coin],
        hedge: false,
        named: (number) => clientIdText({ epoch: 1, number, auxiliary: false }),
        clock: () => 0,
        clockError: () => 0,
        marketTime: () => 0,
        schedule: new Schedule(),
        times: DESK_TIMES,
        tell: (_record, _time, item) => news.push(item),
        notice: () => {},
        held: () => 0,
        readTrades: () => {},
        doubt: () => {},
        stopSeen: () => {},
        bar: () => {},
      });
      const lots = lotsFrom(coin, first!.quantity);
      const type = first!.kind === "algo" ? "stop-market" : "market";
      const record = newRecord({ ...market, symbol: 0, type, lots }, first!.clientId);
      desk.restore(record);
      for (const event of events)
        expect(event!.kind === "order" ? desk.orderEvent(event!) : desk.algoEvent(event!)).toBe(true);
      const told = news.map((item) => (item.kind === "fill" ? `${item.lots}${item.done ? " done" : ""}` : item.answer));
      ends[name.slice("WebSocketFuture".length, -".json".length)] = told.join(", ");
    }
    expect(ends).toEqual({
      LimitSubmittedFilled: "accepted, 800 done",
      MarketSubmittedFilled: "accepted, 800 done",
      StopLimitSubmittedExpired: "accepted, expired",
      StopMarketSubmitPartiallyFilledFilled: "accepted, triggered, 760, 40 done",
      StopMarketSubmittedCanceled: "accepted, cancelled",
    });
  });
});
