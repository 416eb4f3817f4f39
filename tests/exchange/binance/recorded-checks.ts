import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { UserEvent } from "../../../src/exchange/binance/gateway.ts";
import { parseLossless } from "../../../src/exchange/binance/json.ts";
import { MarketDecoder } from "../../../src/exchange/binance/market-decoder.ts";
import type { MarketMessage } from "../../../src/exchange/binance/market-message.ts";
import { newRecord, type OrderNews, regularState } from "../../../src/exchange/binance/order-record.ts";
import * as report from "../../../src/exchange/binance/reports.ts";
import { userEvent } from "../../../src/exchange/binance/user-events.ts";
import { order } from "../bars.ts";
import { auditFields, missingFields } from "./field-audit.ts";

/** What holds of recorded payloads of each kind: which fields are read, which are not and why, and nothing is lost. */

export type Json = Record<string, unknown>;

export function text(file: string): string {
  const bytes = readFileSync(file);
  return (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
}

/** One recording was written by a program that writes NaN where JSON has nothing. */
export function read<T>(file: string): T {
  return parseLossless(text(file).replaceAll(/: NaN\b/g, ": null")) as T;
}

export function linesOf(file: string): string[] {
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
  leverage: new Map([
    ["stream", "name of the stream in the envelope of combined streams"],
    ["data.T", "what counts is that it has changed, not when"],
  ]),
};
/** What tells decoders which kind a thing is, and is then known by the kind. */
const DISCRIMINATORS = new Set(["e", "data.e", "a.P[].mt"]);

/** Decodes a user event off the wire; every field is in it or named above. */
export function decoded(wire: unknown): UserEvent | undefined {
  const { value, unread, dropped } = auditFields(wire, userEvent);
  if (value === undefined) return undefined;
  const named = UNREAD[value.kind]!;
  expect([...unread].filter((path) => !named.has(path))).toEqual([]);
  expect([...dropped].filter((path) => !DISCRIMINATORS.has(path))).toEqual([]);
  return value;
}

/** Fields of answers that nothing reads, by what they are part of. */
export const UNREAD_REST_ORDER = [
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
export const UNREAD_EXCHANGE_INFO = [
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

export function checkRest(wire: unknown, decode: (wire: unknown) => unknown, unreadNames: readonly string[]): void {
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

export interface Answered {
  readonly path: string;
  readonly body: unknown;
}

/** Answers to questions that we do not ask: read without loss, and by nobody. */
export function unasked(file: string): void {
  checkLossless(file);
  for (const { path, body } of read<Answered[]>(file)) {
    expect(path).toStartWith("/");
    expect(body === null || typeof body === "object").toBe(true);
  }
}

export function checkKlines(file: string): void {
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

export function checkBook(body: unknown): void {
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

export function checkMarket(wire: Json, symbols: readonly string[]): MarketMessage {
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

export function checkStream(symbols: readonly string[], messagesOf: (line: string) => Json | undefined) {
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
export function checkKlineStream(wires: readonly Json[]): void {
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

export function checkBrackets(file: string): void {
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
export function checkAnsweredOrder(said: ReturnType<typeof report.orderReports>[number]): void {
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
