import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { MarketDecoder } from "../../../src/exchange/binance/market-decoder.ts";
import type { MarketMessage } from "../../../src/exchange/binance/market-message.ts";
import { testRecorded } from "../../recorded.ts";

const SYMBOLS = ["BNBUSDT", "BTCUSDT"];

function decode(text: string, decoder = new MarketDecoder(SYMBOLS)): MarketMessage[] | undefined {
  const messages: MarketMessage[] = [];
  return decoder.decode(text, (message) => messages.push(message)) ? messages : undefined;
}

describe("messages of the documentation", () => {
  const quote = {
    e: "bookTicker",
    u: 400900217,
    E: 3,
    T: 2,
    s: "BNBUSDT",
    b: "25.35190000",
    B: "31.21",
    a: "25.3652",
    A: "40.66",
  };

  test("book ticker, with the keys of 2026", () => {
    expect(decode(JSON.stringify({ ...quote, ps: "BNBUSDT", st: 1 }))).toEqual([
      {
        kind: "quote",
        symbol: 0,
        eventTime: 3,
        time: 2,
        update: 400900217,
        bid: 25.3519,
        bidQuantity: 31.21,
        ask: 25.3652,
        askQuantity: 40.66,
      },
    ]);
  });

  test("aggregate trade: the buyer as maker means that the seller took", () => {
    const trade = {
      e: "aggTrade",
      E: 5,
      s: "BTCUSDT",
      a: 7,
      p: "0.001",
      q: "100",
      nq: "90",
      f: 1,
      l: 2,
      T: 4,
      m: true,
      st: 1,
    };
    expect(decode(JSON.stringify(trade))).toEqual([
      { kind: "trade", symbol: 1, eventTime: 5, time: 4, id: 7, price: 0.001, quantity: 100, taker: -1 },
    ]);
  });

  test("mark price with funding, one symbol or all in an array, and contracts without funding", () => {
    const mark = {
      e: "markPriceUpdate",
      E: 5,
      s: "BTCUSDT",
      p: "11794.15",
      i: "11784.62659091",
      P: "1",
      r: "-0.00038167",
      ap: "2",
      T: 9,
    };
    const expected = {
      kind: "mark",
      symbol: 1,
      eventTime: 5,
      mark: 11794.15,
      index: 11784.62659091,
      fundingRate: -0.00038167,
      nextFunding: 9,
    } as const;
    expect(decode(JSON.stringify(mark))).toEqual([expected]);
    expect(decode(JSON.stringify([mark, { ...mark, s: "XUSDT" }, { ...mark, s: "BNBUSDT" }]))).toEqual([
      expected,
      { ...expected, symbol: 0 },
    ]);
    expect(decode(JSON.stringify({ stream: "!markPrice@arr@1s", data: [mark] }))).toEqual([expected]);
    expect(decode(JSON.stringify({ ...mark, r: "", T: 0 }))).toEqual([
      { ...expected, fundingRate: Number.NaN, nextFunding: 0 },
    ]);
  });

  test("kline, and intervals that nobody here uses", () => {
    const k = {
      t: 60_000,
      T: 119_999,
      s: "BTCUSDT",
      i: "5m",
      f: 1,
      L: 2,
      o: "1.5",
      c: "2",
      h: "2.5",
      l: "1",
      v: "10",
      n: 3,
      x: true,
      q: "15",
      V: "4",
      Q: "6",
      B: "0",
    };
    const kline = { e: "kline", E: 7, s: "BTCUSDT", k };
    expect(decode(JSON.stringify(kline))).toEqual([
      {
        kind: "kline",
        symbol: 1,
        eventTime: 7,
        timeframe: 300_000,
        closed: true,
        kline: {
          openTime: 60_000,
          open: 1.5,
          high: 2.5,
          low: 1,
          close: 2,
          volume: 10,
          quoteVolume: 15,
          trades: 3,
          takerBuyBase: 4,
          takerBuyQuote: 6,
        },
      },
    ]);
    expect(decode(JSON.stringify({ ...kline, k: { ...k, i: "3m" } }))).toEqual([]);
    // What an envelope has beside its data is nothing to the bar, and of two the last is meant, as with JSON.parse.
    const other = JSON.stringify({ ...k, c: "9", h: "9" });
    const text = JSON.stringify(kline);
    expect(decode(`{"data":${text},"k":${other}}`)).toEqual(decode(text));
    expect(decode(`{"k":${other},"data":${text}}`)).toEqual(decode(text));
    expect(decode(`{"k":${JSON.stringify(k)},"data":${JSON.stringify({ ...kline, k: undefined })}}`)).toBeUndefined();
    expect(decode(text.replace('"k":', '"k":{"c":"7"},"k":'))).toEqual(decode(text));
    expect(decode(`${text.slice(0, -1)},"k":{"c":"7"}}`)).toBeUndefined();
  });

  test("depth with continuity", () => {
    const depth = {
      e: "depthUpdate",
      E: 5,
      T: 4,
      s: "BTCUSDT",
      U: 157,
      u: 160,
      pu: 149,
      b: [["0.0024", "10"]],
      a: [
        ["0.0026", "0"],
        ["0.0027", "1.5"],
      ],
      ps: "BTCUSDT",
      st: 1,
    };
    const expected = {
      kind: "depth",
      symbol: 1,
      eventTime: 5,
      time: 4,
      first: 157,
      last: 160,
      previous: 149,
      bids: [0.0024, 10],
      asks: [0.0026, 0, 0.0027, 1.5],
    } as const;
    expect(decode(JSON.stringify(depth))).toEqual([expected]);
    expect(decode(JSON.stringify({ ...depth, b: [] }))).toEqual([{ ...expected, bids: [] }]);
  });

  test("prints of the insurance fund, of deleveraging and of nothing are no trades", () => {
    const decoder = new MarketDecoder(SYMBOLS);
    const trade = { e: "trade", E: 5, T: 4, s: "BTCUSDT", t: 7, p: "2", q: "1", X: "MARKET", m: false };
    expect(decode(JSON.stringify(trade), decoder)).toHaveLength(1);
    for (const odd of [{ X: "INSURANCE_FUND" }, { X: "ADL" }, { p: "0", q: "0", X: "NA" }, { q: "0" }]) {
      expect(decode(JSON.stringify({ ...trade, ...odd }), decoder)).toEqual([]);
    }
    expect(decoder.filtered).toBe(4);
  });

  test("answers, other events and nonsense are no market messages; other symbols and kinds are passed over", () => {
    for (const text of [
      '{"result":null,"id":1}',
      '{"error":{"code":2,"msg":"x"},"id":1}',
      "",
      "{",
      "[]",
      "null",
      "1",
      '"e"',
    ]) {
      expect(decode(text)).toBeUndefined();
    }
    expect(decode(JSON.stringify({ ...quote, s: "ETHUSDT" }))).toEqual([]);
    expect(decode(JSON.stringify({ e: "forceOrder", s: "BTCUSDT" }))).toEqual([]);
    // A message of which something needed is missing must not become a price of zero.
    for (const key of ["u", "b", "B", "a", "A", "E", "T"]) {
      expect(decode(JSON.stringify({ ...quote, [key]: undefined }))).toBeUndefined();
      for (const odd of ["", "x", null, "1e999", {}, []])
        expect(decode(JSON.stringify({ ...quote, [key]: odd }))).toBeUndefined();
    }
  });
});

/** A number as the exchange writes it, or as others might. */
const decimal = fc.oneof(
  fc.tuple(fc.nat(99_999_999), fc.nat(99_999_999)).map(([whole, part]) => `${whole}.${String(part).padStart(8, "0")}`),
  fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()).map(([whole, part]) => `${whole}.${part}`),
  fc.nat().map(String),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map(String),
);
const time = fc.maxSafeNat();
const symbol = fc.constantFrom("BTCUSDT", "BNBUSDT", "ETHUSDT", "币安人生USDT");
const levels = fc.array(fc.tuple(decimal, decimal), { maxLength: 5 });

const wire = fc.oneof(
  fc.record({
    e: fc.constant("bookTicker"),
    u: time,
    E: time,
    T: time,
    s: symbol,
    b: decimal,
    B: decimal,
    a: decimal,
    A: decimal,
  }),
  fc.record({
    e: fc.constant("aggTrade"),
    E: time,
    T: time,
    s: symbol,
    a: time,
    p: decimal,
    q: decimal,
    m: fc.boolean(),
  }),
  fc.record({ e: fc.constant("markPriceUpdate"), E: time, s: symbol, p: decimal, i: decimal, r: decimal, T: time }),
  fc.record({
    e: fc.constant("depthUpdate"),
    E: time,
    T: time,
    s: symbol,
    U: time,
    u: time,
    pu: time,
    b: levels,
    a: levels,
  }),
  fc.record({
    e: fc.constant("kline"),
    E: time,
    s: symbol,
    k: fc.record({
      t: time,
      i: fc.constantFrom("1m", "5m", "15m", "1h", "3m"),
      o: decimal,
      c: decimal,
      h: decimal,
      l: decimal,
      v: decimal,
      n: time,
      x: fc.boolean(),
      q: decimal,
      V: decimal,
      Q: decimal,
    }),
  }),
);

/** Other keys, in any place, also such as look like ours. */
const unknown = fc.dictionary(
  fc
    .oneof(fc.string({ maxLength: 4 }), fc.constantFrom("ps", "st", "nq", "ap", "stream"))
    .filter((key) => !(key in { e: 1, s: 1, data: 1, __proto__: 1, pu: 1 }) && !/^[a-zA-Z]$/.test(key)),
  fc.jsonValue(),
  { maxKeys: 4 },
);

describe("both ways of decoding give the same", () => {
  test("in any order of keys, among unknown ones, raw or combined, however it is spaced", () => {
    fc.assert(
      fc.property(
        wire,
        unknown,
        fc.boolean(),
        fc.constantFrom(undefined, 1),
        fc.integer(),
        (message, others, combined, indent, seed) => {
          const entries = Object.entries({ ...others, ...message });
          // Any order will do; a rotation needs no random numbers.
          const at = Math.abs(seed) % entries.length;
          const value = Object.fromEntries([...entries.slice(at), ...entries.slice(0, at)]);
          const whole = combined ? { ...others, stream: "x", data: value } : value;
          const text = JSON.stringify(whole, null, indent);
          // A key with an escape at the end sends the same message by the other way.
          const slowly = `${text.slice(0, text.lastIndexOf("}"))},"\\u0041\\u0041\\u0041":0}`;
          expect(decode(text)).toEqual(decode(slowly));
          expect(decode(text)).toBeDefined();
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("damaged texts never throw, and never say what the undamaged half does not", () => {
    fc.assert(
      fc.property(wire, fc.nat(), fc.nat(), fc.string({ maxLength: 3 }), (message, from, length, insert) => {
        const text = JSON.stringify(message);
        const at = from % text.length;
        const damaged = text.slice(0, at) + insert + text.slice(at + (length % 5));
        const messages = decode(damaged) ?? [];
        for (const one of messages) {
          expect([0, 1]).toContain(one.symbol);
          const { kline, ...rest } = one as unknown as { kline?: object } & Record<string, unknown>;
          for (const number of Object.values({ ...rest, ...kline })) {
            if (typeof number === "number") expect(Number.isFinite(number)).toBe(true);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

testRecorded(
  "every recorded message of 2021 decodes as JSON.parse reads it",
  "payloads/recorded/cryptofeed-2021-07-22/ws-stream.jsonl.gz",
  (file) => {
    const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
    const symbols = ["AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT"];
    const kinds: Record<string, number> = {};
    for (const line of lines) {
      const { msg } = JSON.parse(line);
      const { data } = msg;
      const decoder = new MarketDecoder(symbols);
      const [message] = decode(JSON.stringify(msg), decoder)!;
      kinds[message!.kind] = (kinds[message!.kind] ?? 0) + 1;
      expect(symbols[message!.symbol]).toBe(data.s);
      expect(message!.eventTime).toBe(data.E);
      if (message!.kind === "quote")
        expect(message!).toMatchObject({ bid: Number(data.b), askQuantity: Number(data.A) });
      if (message!.kind === "trade")
        expect(message!).toMatchObject({ id: data.a, price: Number(data.p), quantity: Number(data.q) });
      if (message!.kind === "kline") expect(message!.kline.close).toBe(Number(data.k.c));
      if (message!.kind === "depth") expect(message!.asks).toEqual(data.a.flat().map(Number));
    }
    expect(kinds).toEqual({ trade: 91, quote: 613, depth: 764, kline: 67 });
  },
);
