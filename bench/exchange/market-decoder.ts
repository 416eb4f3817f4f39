/**
 * Decoding a market message: the decoder against `JSON.parse` with the numbers made of the strings, as it would be
 * written without one. Both must have made the same message of every text before anything is timed.
 *
 * Run: bun bench/exchange/market-decoder.ts [--rounds N]
 */
import { MarketDecoder } from "../../src/exchange/binance/market-decoder.ts";
import type { MarketMessage } from "../../src/exchange/binance/market-message.ts";

const SYMBOLS = Array.from({ length: 200 }, (_, i) => `S${String(i).padStart(3, "0")}USDT`);
const INDEX = new Map(SYMBOLS.map((symbol, index) => [symbol, index]));
const TEXTS_OF_A_KIND = 4096;
/** Texts that are timed at once: on a busy machine a longer stretch is always interrupted. */
const STRETCH = 256;
const MINUTE = 60_000;

const KINDS = ["bookTicker", "aggTrade", "markPriceUpdate", "kline"] as const;
type Kind = (typeof KINDS)[number];

function data(kind: Kind, i: number): object {
  const s = SYMBOLS[i % SYMBOLS.length]!;
  const [e, E, T] = [kind, 1_700_000_000_000 + i, 1_700_000_000_000 + i - 3];
  const price = `${61_000 + (i % 997)}.${String(i % 100).padStart(2, "0")}`;
  const quantity = `${i % 50}.${String(i % 1000).padStart(3, "0")}`;
  switch (kind) {
    case "bookTicker":
      return { e, u: 9_000_000_000 + i, s, ps: s, b: price, B: quantity, a: `${price}5`, A: quantity, T, E, st: 1 };
    case "aggTrade":
      return {
        e,
        E,
        s,
        a: 3_000_000_000 + i,
        p: price,
        q: `1${quantity}`,
        f: i,
        l: i + 2,
        T,
        m: i % 2 === 0,
        nq: quantity,
      };
    case "markPriceUpdate":
      return { e, E, s, p: price, P: price, i: `${price}41`, r: "0.00010000", T: T + 3_600_000, ap: price };
    case "kline": {
      const prices = { o: price, c: price, h: price, l: price };
      const volumes = { v: quantity, n: i, x: i % 60 === 0, q: `${price}1`, V: quantity, Q: price, B: "0" };
      return { e, E, s, k: { t: E - MINUTE, T: E, s, i: "1m", f: i, L: i + 9, ...prices, ...volumes } };
    }
  }
}

/** With `JSON.parse`. */
function parsed(text: string): MarketMessage {
  const { data } = JSON.parse(text);
  const symbol = INDEX.get(data.s)!;
  const eventTime = data.E;
  switch (data.e as Kind) {
    case "bookTicker":
      return {
        kind: "quote",
        symbol,
        eventTime,
        time: data.T,
        update: data.u,
        bid: Number(data.b),
        bidQuantity: Number(data.B),
        ask: Number(data.a),
        askQuantity: Number(data.A),
      };
    case "aggTrade":
      return {
        kind: "trade",
        symbol,
        eventTime,
        time: data.T,
        id: data.a,
        price: Number(data.p),
        quantity: Number(data.q),
        taker: data.m ? -1 : 1,
      };
    case "markPriceUpdate":
      return {
        kind: "mark",
        symbol,
        eventTime,
        mark: Number(data.p),
        index: Number(data.i),
        fundingRate: Number(data.r),
        nextFunding: data.T,
      };
    case "kline": {
      const { k } = data;
      const kline = {
        openTime: k.t,
        open: Number(k.o),
        high: Number(k.h),
        low: Number(k.l),
        close: Number(k.c),
        volume: Number(k.v),
        quoteVolume: Number(k.q),
        trades: k.n,
        takerBuyBase: Number(k.V),
        takerBuyQuote: Number(k.Q),
      };
      return { kind: "kline", symbol, eventTime, timeframe: MINUTE, closed: k.x, kline };
    }
  }
}

const decoder = new MarketDecoder(SYMBOLS);
let taken: MarketMessage | undefined;
const take = (message: MarketMessage) => {
  taken = message;
};
function decoded(text: string): MarketMessage {
  decoder.decode(text, take);
  return taken!;
}

const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 15;
const texts = new Map(
  KINDS.map((kind) => [
    kind,
    Array.from({ length: TEXTS_OF_A_KIND }, (_, i) => {
      const stream = `${SYMBOLS[i % SYMBOLS.length]!.toLowerCase()}@${kind}`;
      return JSON.stringify({ stream, data: data(kind, i) });
    }),
  ]),
);
for (const all of texts.values()) {
  for (const text of all) {
    if (!Bun.deepEquals(decoded(text), parsed(text), true)) throw new Error(`different messages of ${text}`);
  }
}

/** A message is needed for its numbers: what nobody reads might not be made. */
let sink = 0;
function nanoseconds(texts: readonly string[], way: (text: string) => MarketMessage): number {
  const started = performance.now();
  for (const text of texts) sink += way(text).eventTime;
  return ((performance.now() - started) * 1e6) / texts.length;
}

console.log(
  `ns per message, median of ${rounds} rounds of ${TEXTS_OF_A_KIND} messages of each kind, in stretches of ${STRETCH}`,
);
const times = new Map(KINDS.map((kind) => [kind, { decoded: [] as number[], parsed: [] as number[] }]));
for (let round = -3; round < rounds; round++) {
  for (const kind of KINDS) {
    for (let from = 0; from < TEXTS_OF_A_KIND; from += STRETCH) {
      const stretch = texts.get(kind)!.slice(from, from + STRETCH);
      const [own, other] = [nanoseconds(stretch, decoded), nanoseconds(stretch, parsed)];
      if (round < 0) continue;
      times.get(kind)!.decoded.push(own);
      times.get(kind)!.parsed.push(other);
    }
  }
}
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
for (const [kind, { decoded, parsed }] of times) {
  const ratio = median(parsed.map((time, i) => time / decoded[i]!));
  console.log(
    `${kind.padEnd(16)} decoder ${median(decoded).toFixed(0).padStart(5)}   JSON.parse ${median(parsed).toFixed(0).padStart(5)}   ${ratio.toFixed(2)} times as fast`,
  );
}
if (sink === 0) throw new Error("nothing was decoded");
