/**
 * Tick to order on loopback: from the arrival of a book ticker to the order's bytes handed to the socket, and to the
 * answer, while 200 symbols stream. Three ways side by side in one run, order by order: the client over the WebSocket
 * API, the client over HTTP keep-alive, and `fetch` with the same signed query as the baseline. The exchange is a
 * process of its own. Before anything is timed, all three must have got the same answer to the same order.
 *
 * Run: bun bench/exchange/tick-to-order.ts [--rounds N] [--json]. Exit code 1 when a target is missed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinanceClient } from "../../src/exchange/binance/client.ts";
import { keysOf } from "../../src/exchange/binance/credentials.ts";
import type { NewOrder } from "../../src/exchange/binance/gateway.ts";
import { MarketDecoder } from "../../src/exchange/binance/market-decoder.ts";
import type { MarketMessage } from "../../src/exchange/binance/market-message.ts";
import { Secret } from "../../src/exchange/binance/secret.ts";
import { createSigner, signedQuery, socketPayload } from "../../src/exchange/binance/signing.ts";
import { StreamLine } from "../../src/exchange/binance/stream-line.ts";

const SYMBOLS = Array.from({ length: 200 }, (_, i) => `S${String(i).padStart(3, "0")}USDT`);
const KEY = "bench-key";
const SECRET = "bench-secret";
/** Book tickers a second, of all symbols together. */
const TICKS_PER_SECOND = 4_000;
/** Every so many ticks an order is sent, when the one before is answered. */
const TICKS_PER_ORDER = 5;
const ORDERS_PER_ROUND = 150;
const WARM_ROUNDS = 3;
const TARGET_SEND = 25;
const TARGET_RATIO = 3;

const WAYS = ["WebSocket API", "HTTP keep-alive", "fetch"] as const;
type Way = (typeof WAYS)[number];

if (process.argv.includes("--exchange")) serve();
else process.exit(await measure());

/** The other side: streams, and answers to orders whose signature is right. */
function serve(): void {
  const signer = createSigner(new Secret(SECRET), "SECRET");
  const sockets = new Set<{ send(text: string): unknown }>();
  const answer = (given: Record<string, unknown>) => ({
    orderId: 8389766145,
    symbol: given.symbol,
    status: "EXPIRED",
    clientOrderId: given.newClientOrderId,
    price: given.price,
    origQty: given.quantity,
    executedQty: "0",
    timeInForce: given.timeInForce,
    type: given.type,
    origType: given.type,
    side: given.side,
    positionSide: "BOTH",
    reduceOnly: false,
    closePosition: false,
    updateTime: 1,
  });
  const server = Bun.serve<{ isApi: boolean }>({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, self) {
      const url = new URL(request.url);
      if (self.upgrade(request, { data: { isApi: url.pathname === "/ws-fapi/v1" } })) return undefined;
      if (url.pathname === "/fapi/v1/time") return Response.json({ serverTime: Date.now() });
      if (url.pathname === "/fapi/v1/exchangeInfo") {
        const limit = (interval: string, intervalNum: number) => ({
          rateLimitType: "ORDERS",
          interval,
          intervalNum,
          limit: 1e9,
        });
        return Response.json({ symbols: [], rateLimits: [limit("SECOND", 10), limit("MINUTE", 1)] });
      }
      if (url.pathname === "/fapi/v1/listenKey") return Response.json({ listenKey: "key" });
      const [query, signature] = url.search.slice(1).split("&signature=");
      if (signer.sign(query!) !== signature) return Response.json({ code: -1022, msg: "signature" }, { status: 400 });
      return Response.json(answer(Object.fromEntries(url.searchParams)));
    },
    websocket: {
      open(ws) {
        if (!ws.data.isApi) sockets.add(ws);
      },
      message(ws, text) {
        const { id, params } = JSON.parse(String(text));
        if (!ws.data.isApi) {
          ws.send(JSON.stringify({ result: null, id }));
          return;
        }
        const { signature, ...signed } = params;
        const isRight = signer.sign(socketPayload(signed)) === signature;
        ws.send(
          JSON.stringify(
            isRight
              ? { id, status: 200, result: answer(params) }
              : { id, status: 400, error: { code: -1022, msg: "signature" } },
          ),
        );
      },
    },
  });
  let update = 0;
  const started = performance.now();
  setInterval(() => {
    // By the clock, because timers drift.
    const due = ((performance.now() - started) / 1000) * TICKS_PER_SECOND;
    while (update < due) {
      update += 1;
      const symbol = SYMBOLS[update % SYMBOLS.length]!;
      const tick = {
        e: "bookTicker",
        u: update,
        s: symbol,
        ps: symbol,
        b: `617${update % 100}.20`,
        B: "2.507",
        a: `618${update % 100}.30`,
        A: "2.510",
        T: Date.now(),
        E: Date.now(),
        st: 1,
      };
      const text = JSON.stringify({ stream: `${symbol.toLowerCase()}@bookTicker`, data: tick });
      for (const socket of sockets) socket.send(text);
    }
  }, 1);
  process.send?.(server.port);
}

interface Timing {
  readonly sent: number[];
  readonly answered: number[];
}

async function measure(): Promise<number> {
  const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 9;
  const { child, port } = await startExchange();
  const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  const closing: (() => void)[] = [() => child.kill(), () => rmSync(folder, { recursive: true })];
  try {
    const http = `http://127.0.0.1:${port}`;
    const ws = `ws://127.0.0.1:${port}`;
    const keys = keysOf({
      BINANCE_API_KEY: KEY,
      BINANCE_API_SECRET: SECRET,
      BINANCE_TRADING_API_KEY: "",
      BINANCE_TRADING_API_SECRET: "",
    });
    const open = async (socketApi: string): Promise<BinanceClient> => {
      let up = () => {};
      const isUp = new Promise<void>((resolve) => {
        up = resolve;
      });
      const client = new BinanceClient({
        addresses: { rest: http, streams: ws, socketApi, live: false },
        keys,
        breaker: { enabled: true, warning: 2, throttled: 4, blocked: 5, delay: 2000 },
        weightPerMinute: 1920,
        bans: join(folder, "bans.json"),
        onNotice: up,
      });
      closing.push(() => client.close());
      await client.open();
      await client.exchangeInfo("routine");
      if (socketApi.endsWith("/ws-fapi/v1")) await isUp;
      return client;
    };
    const overSocket = await open(`${ws}/ws-fapi/v1`);
    // Nobody listens there, so that orders go over HTTP.
    const overHttp = await open("ws://127.0.0.1:1");
    const signer = createSigner(new Secret(SECRET), "SECRET");
    const overFetch = async (order: NewOrder) => {
      const { clientId, ...rest } = order;
      const params = {
        ...rest,
        newClientOrderId: clientId,
        newOrderRespType: "RESULT",
        recvWindow: 5000,
        timestamp: Date.now(),
      };
      const response = await fetch(`${http}/fapi/v1/order?${signedQuery(params, signer)}`, {
        method: "POST",
        headers: { "X-MBX-APIKEY": KEY },
      });
      return (await response.json()) as { clientOrderId: string; price: string; status: string };
    };
    const send: Readonly<Record<Way, (order: NewOrder) => Promise<unknown>>> = {
      "WebSocket API": (order) => overSocket.placeOrder(order, "trade"),
      "HTTP keep-alive": (order) => overHttp.placeOrder(order, "trade"),
      fetch: overFetch,
    };
    await compare(send);
    return await run(ws, send, rounds, closing);
  } finally {
    for (const close of closing.reverse()) close();
  }
}

async function startExchange(): Promise<{ child: Bun.Subprocess; port: number }> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const child = Bun.spawn([process.execPath, import.meta.path, "--exchange"], {
    ipc: resolve,
    stdout: "inherit",
    stderr: "inherit",
  });
  return { child, port: await promise };
}

function orderFor(price: number, count: number): NewOrder {
  return {
    symbol: SYMBOLS[0]!,
    clientId: `bench-${count}`,
    side: "BUY",
    type: "LIMIT",
    quantity: "0.001",
    price: price.toFixed(2),
    timeInForce: "IOC",
  };
}

/** All ways must have got the same answer to the same order. */
async function compare(send: Readonly<Record<Way, (order: NewOrder) => Promise<unknown>>>): Promise<void> {
  const order = orderFor(61_800.3, 0);
  const plain = (await send.fetch(order)) as { clientOrderId: string; price: string; status: string };
  for (const way of ["WebSocket API", "HTTP keep-alive"] as const) {
    const outcome = (await send[way](order)) as {
      kind: string;
      value?: { clientId: string; price: string; status: string };
    };
    const { clientId, price, status } = outcome.value ?? {};
    if (clientId !== plain.clientOrderId || price !== plain.price || status !== plain.status) {
      throw new Error(`${way}: ${Bun.inspect(outcome)} is not ${Bun.inspect(plain)}`);
    }
  }
}

async function run(
  ws: string,
  send: Readonly<Record<Way, (order: NewOrder) => Promise<unknown>>>,
  rounds: number,
  closing: (() => void)[],
): Promise<number> {
  const decoder = new MarketDecoder(SYMBOLS);
  const all: Record<Way, Timing>[] = [];
  let timings = fresh();
  let ticks = 0;
  let count = 0;
  let arrived = 0;
  let isWaiting = false;
  let messages = 0;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const decide = (message: MarketMessage): void => {
    messages += 1;
    if (message.kind !== "quote" || isWaiting || ++ticks < TICKS_PER_ORDER || all.length >= WARM_ROUNDS + rounds)
      return;
    ticks = 0;
    const way = WAYS[count++ % WAYS.length]!;
    isWaiting = true;
    const t0 = arrived;
    const reply = send[way](orderFor(message.ask, count));
    const sent = performance.now();
    void reply.then(() => {
      const answered = performance.now();
      timings[way].sent.push((sent - t0) * 1000);
      timings[way].answered.push((answered - t0) * 1000);
      isWaiting = false;
      if (count % (ORDERS_PER_ROUND * WAYS.length) !== 0) return;
      all.push(timings);
      timings = fresh();
      if (all.length === WARM_ROUNDS + rounds) end();
    });
  };
  const line = new StreamLine({
    address: `${ws}/public/stream`,
    streams: SYMBOLS.map((symbol) => `${symbol.toLowerCase()}@bookTicker`),
    onText: (text) => {
      arrived = performance.now();
      return decoder.decode(text, decide);
    },
    onState: () => {},
  });
  closing.push(() => line.close());
  const started = performance.now();
  line.open();
  await ended;
  return report(all.slice(WARM_ROUNDS), messages / ((performance.now() - started) / 1000));
}

function fresh(): Record<Way, Timing> {
  return Object.fromEntries(WAYS.map((way) => [way, { sent: [], answered: [] }])) as unknown as Record<Way, Timing>;
}

function report(rounds: readonly Record<Way, Timing>[], rate: number): number {
  const quantiles = (way: Way, what: keyof Timing) => {
    const all = rounds.flatMap((round) => round[way][what]);
    return { p50: quantile(all, 0.5), p99: quantile(all, 0.99) };
  };
  const results = Object.fromEntries(
    WAYS.map((way) => [way, { sent: quantiles(way, "sent"), answered: quantiles(way, "answered") }]),
  ) as Record<Way, Record<keyof Timing, { p50: number; p99: number }>>;
  const ratio = quantile(
    rounds.map((round) => quantile(round.fetch.answered, 0.5) / quantile(round["WebSocket API"].answered, 0.5)),
    0.5,
  );
  const isMet = results["WebSocket API"].sent.p50 <= TARGET_SEND && ratio >= TARGET_RATIO;
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify({ results, ratio, messagesPerSecond: rate, isMet }));
    return isMet ? 0 : 1;
  }
  console.log(
    `${SYMBOLS.length} symbols, ${rate.toFixed(0)} messages/s, ${rounds.length} rounds of ${ORDERS_PER_ROUND} orders each way, µs`,
  );
  for (const way of WAYS) {
    const { sent, answered } = results[way];
    const column = ({ p50, p99 }: { p50: number; p99: number }) =>
      `p50 ${p50.toFixed(1).padStart(6)}  p99 ${p99.toFixed(1).padStart(7)}`;
    console.log(`${way.padEnd(16)} to bytes handed over: ${column(sent)}   to the answer: ${column(answered)}`);
  }
  console.log(
    `target: WebSocket API to bytes p50 at most ${TARGET_SEND} µs, answer at least ${TARGET_RATIO} times as fast as fetch: ` +
      `${results["WebSocket API"].sent.p50.toFixed(1)} µs, ${ratio.toFixed(1)} times: ${isMet ? "met" : "missed"}`,
  );
  return isMet ? 0 : 1;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
