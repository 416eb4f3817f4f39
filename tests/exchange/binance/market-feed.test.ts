import { afterEach, describe, expect, test } from "bun:test";
import type { Outcome } from "../../../src/exchange/binance/gateway.ts";
import { FEED_TIMING, type FeedTiming, MarketFeed } from "../../../src/exchange/binance/market-feed.ts";
import type { Kline, MarketMessage } from "../../../src/exchange/binance/market-message.ts";
import type { BookSnapshot } from "../../../src/exchange/binance/order-book.ts";
import { LINE_TIMING } from "../../../src/exchange/binance/socket-line.ts";
import { StandIn } from "./stand-in.ts";

const MINUTE = 60_000;
const SYMBOLS = ["BNBUSDT", "BTCUSDT"];
const STREAMS = { quotes: true, trades: true, marks: true, klines: ["1m"], depth: false } as const;

let exchange: StandIn | undefined;
let feed: MarketFeed | undefined;

afterEach(async () => {
  feed?.close();
  await exchange?.close();
});

interface World {
  readonly exchange: StandIn;
  readonly feed: MarketFeed;
  readonly messages: MarketMessage[];
  /** "BTCUSDT 1m" opening times in minutes. */
  readonly bars: string[];
  /** When the message of each bar arrived. */
  readonly arrivals: number[];
  readonly states: string[];
  readonly stale: string[];
  readonly asked: string[];
}

interface Setting {
  readonly streams?: Partial<typeof STREAMS> | { readonly depth: boolean; readonly klines: readonly [] };
  readonly timing?: Partial<FeedTiming>;
  readonly onSubscription?: (id: number) => object;
  readonly klines?: (from: number, to: number) => Outcome<readonly Kline[]>;
  readonly book?: () => Outcome<BookSnapshot>;
}

function open(setting: Setting = {}): World {
  const messages: MarketMessage[] = [];
  const bars: string[] = [];
  const arrivals: number[] = [];
  const states: string[] = [];
  const stale: string[] = [];
  const asked: string[] = [];
  const answer = setting.onSubscription;
  const standIn = new StandIn({
    acknowledges: answer === undefined,
    onText: (text, socket) => answer && socket.send(answer(JSON.parse(text).id)),
  });
  exchange = standIn;
  const notice = () => standIn.changed();
  feed = new MarketFeed({
    address: standIn.ws,
    symbols: SYMBOLS,
    streams: { ...STREAMS, ...setting.streams },
    source: {
      klines: (symbol, _, { from, to }) => {
        asked.push(`${symbol} ${from / MINUTE}-${to / MINUTE}`);
        return Promise.resolve(setting.klines?.(from, to) ?? { kind: "unknown", reason: "no answer" });
      },
      book: (symbol) => {
        asked.push(symbol);
        // Looked at again when the answer has been taken.
        setImmediate(notice);
        return Promise.resolve(setting.book?.() ?? { kind: "unknown", reason: "no answer" });
      },
    },
    onMessage: (message) => {
      messages.push(message);
      notice();
    },
    onBar: (symbol, _, kline) => {
      bars.push(`${SYMBOLS[symbol]} ${kline.openTime / MINUTE}`);
      arrivals.push(feed!.arrived);
      notice();
    },
    onState: (category, up) => {
      states.push(`${category} ${up ? "up" : "down"}`);
      notice();
    },
    onStale: (streams) => {
      stale.push(...streams);
      notice();
    },
    timing: {
      ...FEED_TIMING,
      watch: 5,
      askAgain: 5,
      line: { ...LINE_TIMING, retryFirst: 1, retire: 20 },
      ...setting.timing,
    },
  });
  feed.open();
  return { exchange: standIn, feed, messages, bars, arrivals, states, stale, asked };
}

const kline = (minute: number, closed = true, symbol = "BTCUSDT") => ({
  stream: "x",
  data: {
    e: "kline",
    E: (minute + 1) * MINUTE,
    s: symbol,
    k: { t: minute * MINUTE, i: "1m", o: "1", c: "1", h: "1", l: "1", v: "1", n: 1, x: closed, q: "1", V: "1", Q: "1" },
  },
});
const row = (minute: number): Kline => ({
  openTime: minute * MINUTE,
  open: 2,
  high: 2,
  low: 2,
  close: 2,
  volume: 2,
  quoteVolume: 2,
  trades: 2,
  takerBuyBase: 1,
  takerBuyQuote: 1,
});
const mark = (time: number, symbol = "BTCUSDT") => ({
  e: "markPriceUpdate",
  E: time,
  s: symbol,
  p: "1",
  i: "1",
  r: "0",
  T: 0,
});
const quote = (update: number, symbol = "BTCUSDT") => ({
  e: "bookTicker",
  u: update,
  E: update,
  T: update,
  s: symbol,
  b: "1",
  B: "1",
  a: "2",
  A: "1",
});
const trade = (id: number) => ({ e: "aggTrade", E: id, T: id, a: id, s: "BTCUSDT", p: "1", q: "1", m: false });

const bothUp = ({ states }: World) => states.filter((state) => state.endsWith("up")).length >= 2;

test("each category has a socket of its own with the streams that belong there", async () => {
  const world = open();
  await world.exchange.until(() => bothUp(world));
  const subscribed = (path: string) => world.exchange.socket(path).received.flatMap((text) => JSON.parse(text).params);
  expect(world.exchange.sockets.map(({ path }) => path).sort()).toEqual(["/market/stream", "/public/stream"]);
  expect(subscribed("/public")).toEqual(["bnbusdt@bookTicker", "btcusdt@bookTicker"]);
  expect(subscribed("/market").sort()).toEqual(
    SYMBOLS.map((symbol) => symbol.toLowerCase()).flatMap((s) => [
      `${s}@aggTrade`,
      `${s}@kline_1m`,
      `${s}@markPrice@1s`,
    ]),
  );
});

test("messages come once and in order while two connections overlap, and none is missed when one takes over", async () => {
  const world = open();
  await world.exchange.until(() => bothUp(world));
  const old = world.exchange.socket("/public");
  old.send(quote(1));
  world.feed.renew();
  await world.exchange.until(() => world.exchange.sockets.length >= 4 && world.states.length >= 4);
  const fresh = world.exchange.socket("/public");
  expect(fresh).not.toBe(old);
  // The replaced connection is listened to for a while.
  for (const update of [2, 3]) old.send(quote(update));
  for (const update of [2, 3, 4]) fresh.send(quote(update));
  await world.exchange.until(() => world.messages.length === 4);
  expect(world.messages.map((message) => message.kind === "quote" && message.update)).toEqual([1, 2, 3, 4]);
  await world.exchange.until(() => world.exchange.sockets.length === 2);
  expect(world.states.filter((state) => state.endsWith("down"))).toEqual([]);
});

test("a lost connection comes back with its subscriptions, and the bars of the gap are asked for", async () => {
  const world = open({ klines: (from, to) => ({ kind: "done", value: [...rows(from, to)] }) });
  await world.exchange.until(() => bothUp(world));
  world.exchange.socket("/market").send(kline(10));
  await world.exchange.until(() => world.bars.length === 1);
  world.exchange.socket("/market").drop();
  await world.exchange.until(
    () => world.states.includes("market down") && world.states.filter((s) => s === "market up").length === 2,
  );
  const again = world.exchange.socket("/market");
  expect(again.received.length).toBeGreaterThan(0);
  for (const message of [kline(14), kline(14), kline(13), mark(15 * MINUTE + 1)]) again.send(message);
  await world.exchange.until(() => world.bars.length === 5);
  expect(world.bars).toEqual([10, 11, 12, 13, 14].map((minute) => `BTCUSDT ${minute}`));
  // The one behind the gap as well: only a later bar shows that one that is not there does not exist.
  expect(world.asked).toEqual(["BTCUSDT 11-13"]);
});

function* rows(from: number, to: number): Generator<Kline> {
  for (let t = from; t <= to; t += MINUTE) yield row(t / MINUTE);
}

test("a final bar that is late is asked for when the market is past it; a failed question is asked again", async () => {
  let fails = 2;
  const begun = performance.now();
  const world = open({
    klines: (from, to) =>
      fails-- > 0 ? { kind: "unknown", reason: "x" } : { kind: "done", value: [...rows(from, to)] },
  });
  await world.exchange.until(() => bothUp(world));
  world.exchange.socket("/market").send(kline(10));
  world.exchange.socket("/market").send(mark(12 * MINUTE + 5_000));
  await world.exchange.until(() => world.bars.length === 2);
  expect(world.bars).toEqual(["BTCUSDT 10", "BTCUSDT 11"]);
  expect(world.asked).toEqual(["BTCUSDT 11-11", "BTCUSDT 11-11", "BTCUSDT 11-11"]);
  // What comes later by the stream is not a second bar.
  world.exchange.socket("/market").send(kline(11));
  world.exchange.socket("/market").send(kline(12));
  await world.exchange.until(() => world.bars.length === 3);
  expect(world.bars.at(-1)).toBe("BTCUSDT 12");
  // The one that was asked for arrived with its answer, later than the message before it.
  const times = [begun, ...world.arrivals, performance.now()];
  for (let i = 1; i < times.length; i++) expect(times[i]!).toBeGreaterThan(times[i - 1]!);
});

test("trades that were lost are counted, those that come twice are not", async () => {
  const world = open();
  await world.exchange.until(() => bothUp(world));
  for (const id of [7, 8, 8, 11, 9, 12]) world.exchange.socket("/market").send(trade(id));
  await world.exchange.until(() => world.messages.length === 4);
  expect(world.messages.map((message) => message.kind === "trade" && message.id)).toEqual([7, 8, 11, 12]);
  expect(world.feed.missedTrades).toBe(2);
});

describe("silence", () => {
  const quick = { stale: { mark: 20, quote: 20, depth: 20, kline: 1e9, trade: 1e9 } };

  test("a stream that says nothing is subscribed anew, then its connection is replaced", async () => {
    const world = open({ timing: quick });
    await world.exchange.until(() => world.states.filter((state) => state === "public up").length >= 2);
    expect(new Set(world.stale)).toEqual(
      new Set(["bnbusdt@bookTicker", "btcusdt@bookTicker", "bnbusdt@markPrice@1s", "btcusdt@markPrice@1s"]),
    );
    expect(world.states).toContain("public down");
  });

  test("a market that may stand still is left alone", async () => {
    const never = {
      mark: Number.POSITIVE_INFINITY,
      quote: Number.POSITIVE_INFINITY,
      depth: Number.POSITIVE_INFINITY,
      kline: Number.POSITIVE_INFINITY,
      trade: Number.POSITIVE_INFINITY,
    };
    const world = open({ timing: { stale: never } });
    await world.exchange.until(() => bothUp(world));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(world.stale).toEqual([]);
  });
});

test("a refused subscription is no connection", async () => {
  let refusals = 2;
  const world = open({
    onSubscription: (id) =>
      refusals-- > 0 ? { error: { code: 2, msg: "Invalid request" }, id } : { result: null, id },
  });
  await world.exchange.until(() => bothUp(world));
  expect(refusals).toBe(-2);
  expect(world.states).not.toContain("market down");
});

test("a book is put together from a snapshot and asked for anew when a change is missing", async () => {
  let last = 100;
  const world = open({
    streams: { depth: true, klines: [] },
    book: () => ({ kind: "done", value: { lastUpdate: last, bids: [10, 1], asks: [11, 1] } }),
  });
  await world.exchange.until(() => bothUp(world));
  const change = (first: number, previous: number, bid: number) => ({
    e: "depthUpdate",
    E: first,
    T: first,
    s: "BTCUSDT",
    U: first,
    u: first,
    pu: previous,
    b: [[String(bid), "2"]],
    a: [],
  });
  const book = world.feed.books[1]!;
  const socket = world.exchange.socket("/public");
  socket.send(change(101, 99, 9));
  await world.exchange.until(() => world.asked.length === 1 && book.state === "live");
  expect(book.bids.prices).toEqual([10, 9]);
  last = 110;
  socket.send(change(111, 108, 8));
  await world.exchange.until(() => world.asked.length === 2);
  socket.send(change(112, 111, 7));
  await world.exchange.until(() => book.state === "live" && book.lastUpdate === 112);
  expect([book.breaks, ...book.bids.prices]).toEqual([1, 10, 8, 7]);
});
