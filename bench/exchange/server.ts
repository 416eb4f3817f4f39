/**
 * What the simulated exchange itself costs: requests without sockets and over them, and messages per second while 200
 * symbols stream book tickers, trades, marks and candles. Rounds are interleaved, medians shown. Client and server share
 * this process, so the figures over sockets hold the client's share too.
 * Run: bun bench/exchange/server.ts
 */
import { createHmac } from "node:crypto";
import { type Instrument, USDT } from "../../src/core/instrument.ts";
import { Door } from "../../src/exchange/simulated/server/door.ts";
import { listen } from "../../src/exchange/simulated/server/listen.ts";
import { answerRequest } from "../../src/exchange/simulated/server/routes.ts";
import { credentialOf } from "../../src/exchange/simulated/server/signature.ts";
import { Venue } from "../../src/exchange/simulated/server/venue.ts";
import { ApiSession, answerMessage } from "../../src/exchange/simulated/server/ws-api.ts";
import { type BarSource, type BarStep, REAL } from "../../src/market/bar-source.ts";
import { Random } from "../../src/market/random.ts";

const SYMBOLS = 200;
const REQUESTS = 2000;
const ROUNDS = 5;
const MINUTES = 3;
const MINUTE = 60_000;

/** Bars around prices that go nowhere, for as long as they are wanted. */
function source(): BarSource {
  const random = new Random(1);
  const column = () => new Float64Array(SYMBOLS);
  const instruments = Array.from(
    { length: SYMBOLS },
    (_, index): Instrument => ({
      symbol: `S${String(index).padStart(3, "0")}USDT`,
      tickUnits: 1,
      priceDecimals: 2,
      lotUnits: 1,
      quantityDecimals: 0,
      unitValue: USDT / 100,
      minLots: 1,
      maxLots: 100_000,
      minNotional: 5 * USDT,
      maxLeverage: 20,
    }),
  );
  const step: BarStep = {
    openTime: -MINUTE,
    status: new Uint8Array(SYMBOLS).fill(REAL),
    open: column(),
    high: column(),
    low: column(),
    close: column(),
    volume: column().fill(10_000),
    listed: instruments.map((_, index) => index),
    delisted: [],
    funding: [],
  };
  const whole = { steps: Number.POSITIVE_INFINITY, bars: Number.POSITIVE_INFINITY };
  return {
    instruments,
    timeframe: MINUTE,
    start: 0,
    ...whole,
    dataHash: "",
    assumptions: [],
    step() {
      if (step.openTime >= 0) step.listed.length = 0;
      step.openTime += MINUTE;
      for (let symbol = 0; symbol < SYMBOLS; symbol++) {
        const open = random.whole(9_900, 10_100);
        step.open[symbol] = open;
        step.high[symbol] = open + 40;
        step.low[symbol] = open - 40;
        step.close[symbol] = open + 5;
      }
      return step;
    },
  };
}

const [KEY, SECRET] = ["key", "secret"];
const UNLIMITED = { weight: 1e9, ordersPer10s: 1e9, ordersPerMinute: 1e9 };

function newVenue(): Venue {
  return new Venue(source(), {
    play: "ticks",
    from: MINUTE,
    credentials: [credentialOf(KEY, SECRET)],
    rateLimits: UNLIMITED,
    balance: 10_000 * USDT,
    takerFee: 0.0005,
    makerFee: 0.0002,
    spreadBps: 1,
    slippageBps: 1,
    volumeShare: 0.1,
    fundingOn: true,
    leverage: 20,
  });
}

function signed(query: string): string {
  const payload = `${query}&timestamp=${Date.now()}`;
  return `${payload}&signature=${createHmac("sha256", SECRET).update(payload).digest("hex")}`;
}

const LIMIT = "symbol=S000USDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=10&price=90.00";

/** The signed message of an order that rests, alphabetical as the WS API signs it. */
function orderMessage(id: number): string {
  const params: Record<string, string | number> = { apiKey: KEY, newClientOrderId: `b-${id}` };
  for (const [name, value] of new URLSearchParams(LIMIT)) params[name] = value;
  params.timestamp = Date.now();
  const payload = Object.keys(params)
    .sort()
    .map((name) => `${name}=${params[name]}`)
    .join("&");
  const signature = createHmac("sha256", SECRET).update(payload).digest("hex");
  return JSON.stringify({ id, method: "order.place", params: { ...params, signature } });
}

type Round = () => Promise<number> | number;
const cancelAll = (venue: Venue) => {
  for (const order of [...venue.trading.openOrders]) venue.trading.cancel(order, venue.time);
};

/** Requests, each returning microseconds per request. */
async function requests(): Promise<Record<string, Round>> {
  const venue = newVenue();
  const port = listen(new Door(venue), 0);
  const session = new ApiSession("127.0.0.1", Date.now());
  const direct = (method: string, path: string, query: string) => {
    const request = { method, path, query, body: "", apiKey: KEY, ip: "127.0.0.1" };
    const { status, body } = answerRequest(venue, request, Date.now());
    if (status !== 200) throw new Error(body);
  };
  const overHttp = async (method: string, path: string, query: string) => {
    const url = `http://127.0.0.1:${port.port}${path}?${query}`;
    const response = await fetch(url, { method, headers: { "X-MBX-APIKEY": KEY } });
    const text = await response.text();
    if (response.status !== 200) throw new Error(text);
  };
  const socket = new WebSocket(`ws://127.0.0.1:${port.port}/ws-fapi/v1`);
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  let answered: (text: string) => void = () => {};
  socket.onmessage = ({ data }) => answered(String(data));
  let ids = 0;
  const round = (one: (index: number) => Promise<void> | void): Round => {
    return async () => {
      const began = performance.now();
      for (let index = 0; index < REQUESTS; index++) {
        const pending = one(index);
        if (pending !== undefined) await pending;
        // Few open orders, as a trader has them.
        if (index % 20 === 19) cancelAll(venue);
      }
      return ((performance.now() - began) / REQUESTS) * 1000;
    };
  };
  return {
    "GET positionRisk, no socket": round(() => direct("GET", "/fapi/v3/positionRisk", signed("recvWindow=5000"))),
    "POST order, no socket": round(() => direct("POST", "/fapi/v1/order", signed(LIMIT))),
    "order.place, no socket": round(() => {
      const text = answerMessage(venue, session, orderMessage(++ids), Date.now());
      if (!text.includes('"status":200')) throw new Error(text);
    }),
    "GET positionRisk, HTTP": round(() => overHttp("GET", "/fapi/v3/positionRisk", signed("recvWindow=5000"))),
    "POST order, HTTP": round(() => overHttp("POST", "/fapi/v1/order", signed(LIMIT))),
    "order.place, WebSocket": round(
      () =>
        new Promise<void>((resolve, reject) => {
          answered = (text) => (text.includes('"status":200') ? resolve() : reject(new Error(text)));
          socket.send(orderMessage(++ids));
        }),
    ),
    stop: async () => {
      socket.close();
      await port.stop();
      return 0;
    },
  };
}

/** Plays some minutes with everything subscribed; returns messages and seconds. */
async function messages(overSockets: boolean): Promise<{ readonly messages: number; readonly seconds: number }> {
  const venue = newVenue();
  const port = overSockets ? listen(new Door(venue), 0) : undefined;
  const names = venue.exchange.instruments.map(({ symbol }) => symbol.toLowerCase());
  const wanted = {
    public: names.map((name) => `${name}@bookTicker`),
    market: names.flatMap((name) => [`${name}@aggTrade`, `${name}@markPrice@1s`, `${name}@kline_1m`]),
  };
  let heard = 0;
  const sockets: WebSocket[] = [];
  let sent = 0;
  for (const [category, streams] of Object.entries(wanted)) {
    if (port === undefined) {
      venue.hub.connect(`/${category}/stream`, `streams=${streams.join("/")}`, { send: () => heard++, close() {} });
      continue;
    }
    const socket = new WebSocket(`ws://127.0.0.1:${port.port}/${category}/stream`);
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const subscribed = new Promise<void>((resolve) => {
      socket.onmessage = () => resolve();
    });
    socket.send(JSON.stringify({ method: "SUBSCRIBE", params: streams, id: 1 }));
    await subscribed;
    socket.onmessage = () => heard++;
    sockets.push(socket);
  }
  venue.hub.filter = (connection, _, text) => {
    sent++;
    connection.sink.send(text);
  };
  const began = performance.now();
  const end = venue.time + MINUTES * MINUTE;
  while (venue.time < end) {
    venue.advance(venue.time + 1000);
    if (overSockets) await new Promise(setImmediate);
  }
  while (heard < sent) await new Promise(setImmediate);
  const seconds = (performance.now() - began) / 1000;
  for (const socket of sockets) socket.close();
  await port?.stop();
  return { messages: heard, seconds };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const { stop, ...rounds } = await requests();
const times = new Map<string, number[]>();
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, run] of Object.entries(rounds)) {
    const time = await run();
    // The first round warms up.
    if (round > 0) times.set(name, [...(times.get(name) ?? []), time]);
  }
}
await stop!();
console.log(`${REQUESTS} sequential requests, median of ${ROUNDS} rounds:`);
for (const [name, all] of times) {
  const micros = median(all);
  console.log(`  ${name.padEnd(30)} ${micros.toFixed(1).padStart(8)} µs  ${Math.round(1e6 / micros)} requests/s`);
}

const rates: Record<string, number[]> = { "no socket": [], sockets: [] };
let count = 0;
for (let round = 0; round <= 3; round++) {
  for (const overSockets of [false, true]) {
    const { messages: heard, seconds } = await messages(overSockets);
    if (count !== 0 && heard !== count) throw new Error(`${heard} messages instead of ${count}`);
    count = heard;
    if (round > 0) rates[overSockets ? "sockets" : "no socket"]!.push(heard / seconds);
  }
}
console.log(`${MINUTES} market minutes of ${SYMBOLS} symbols, ${count} messages:`);
for (const [name, all] of Object.entries(rates)) {
  console.log(`  ${name.padEnd(30)} ${Math.round(median(all))} messages/s`);
}
