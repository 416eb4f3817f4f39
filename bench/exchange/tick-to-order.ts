/**
 * Tick to order on loopback: from the arrival of a market message to the order's bytes handed to the socket, and to the
 * answer, while 200 symbols stream. The ways stand side by side in one run, order by order:
 *
 *  - the client over the WebSocket API, signed with HMAC, and logged on with Ed25519; over HTTP keep-alive; and `fetch`
 *    with the same signed query as the baseline: all four at the arrival of a book ticker;
 *  - the service: a closed bar that goes through feed, journal, core and order desk to the client (HMAC);
 *  - a bare WebSocket that sends a text made beforehand: what no program can be faster than.
 *
 * The exchange is a process of its own. In every other round it is kept awake; in the others it sleeps between its
 * timers, and then the sender pays for waking it, which on a real network nobody does. Before anything is timed, the
 * same order must have been asked for with the same parameters on all ways.
 *
 * Run: bun bench/exchange/tick-to-order.ts [--rounds N] [--busy-wait] [--json]. With --busy-wait this process does not
 * sleep between messages either (BINANCE_BUSY_WAIT); the exchange is then left asleep, because two processors are all
 * that there may be. Exit code 1 when a target is missed.
 */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinanceClient } from "../../src/exchange/binance/client.ts";
import { keysOf } from "../../src/exchange/binance/credentials.ts";
import type { NewOrder, Outcome } from "../../src/exchange/binance/gateway.ts";
import { MarketFeed } from "../../src/exchange/binance/market-feed.ts";
import type { MarketMessage } from "../../src/exchange/binance/market-message.ts";
import { Secret } from "../../src/exchange/binance/secret.ts";
import { createSigner, signedQuery } from "../../src/exchange/binance/signing.ts";
import { type Said, SECRET, SYMBOLS, serve, type Wish } from "./order-exchange.ts";
import { ServicePath, STAGES, type Stage } from "./service-path.ts";

/** Every so many messages an order is sent, when the one before is answered. */
const MESSAGES_PER_ORDER = 5;
const ORDERS_PER_ROUND = 150;
const WARM_ROUNDS = 4;
/** For the order that a bar brings, ms. */
const PATIENCE = 10_000;
const TARGET_SEND = 25;
const TARGET_RATIO = 3;

const BUSY_WAIT = process.argv.includes("--busy-wait");

const WAYS = ["service", "WebSocket API", "logged on", "HTTP keep-alive", "fetch", "bare WebSocket"] as const;
type Way = (typeof WAYS)[number];
/** Those that send the order they are given. */
const SENDERS = ["WebSocket API", "logged on", "HTTP keep-alive", "fetch"] as const satisfies readonly Way[];
type Sender = (typeof SENDERS)[number];

/** µs from the arrival of the message: until the socket was called, until it had returned, until the answer. */
interface Timing {
  readonly ready: number[];
  readonly sent: number[];
  readonly answered: number[];
}

interface Round {
  readonly awake: boolean;
  readonly timings: Readonly<Record<Way, Timing>>;
  /** µs from each stage of the service to the next. */
  readonly stages: Readonly<Record<Stage, number[]>>;
}

async function measure(): Promise<number> {
  const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 10;
  const exchange = await startExchange();
  const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  const closing: (() => void)[] = [() => exchange.child.kill(), () => rmSync(folder, { recursive: true })];
  try {
    const bench = await Ways.open(exchange, folder, closing);
    await bench.compare();
    if (BUSY_WAIT) spin();
    return report(await bench.run(WARM_ROUNDS + rounds).then((all) => all.slice(WARM_ROUNDS)), bench.rate);
  } finally {
    for (const close of closing.reverse()) close();
  }
}

function spin(): void {
  setImmediate(spin);
}

interface ExchangeProcess {
  readonly child: Bun.Subprocess;
  readonly port: number;
  wish(wish: Wish): void;
  /** Hears what every order asked for whose client id begins with "compare". */
  onAsked: (asked: string) => void;
}

async function startExchange(): Promise<ExchangeProcess> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const exchange = { onAsked: (_: string) => {} };
  const child = Bun.spawn([process.execPath, import.meta.path, "--exchange"], {
    ipc: (said: Said) => ("port" in said ? resolve(said.port) : exchange.onAsked(said.asked)),
    stdout: "inherit",
    stderr: "inherit",
  });
  return Object.assign(exchange, { child, port: await promise, wish: (wish: Wish) => void child.send(wish) });
}

/** Hears when a WebSocket is called and when it has returned; one more read of the clock per message that is sent. */
const socketCalled = { at: 0 };
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (this: WebSocket, text) {
  socketCalled.at = performance.now();
  send.call(this, text);
};

class Ways {
  readonly #exchange: ExchangeProcess;
  readonly #senders: Readonly<Record<Sender, (order: NewOrder) => Promise<unknown>>>;
  readonly #service: ServicePath;
  readonly #bare: WebSocket;
  readonly #feed: MarketFeed;
  readonly #rounds: Round[] = [];
  #round = newRound(true);
  #left = 0;
  #end: () => void = () => {};
  #arrived = 0;
  #messages = 0;
  #started = 0;
  #sinceOrder = 0;
  #count = 0;
  #isWaiting = true;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #bareAnswered: () => void = () => {};
  readonly #moments = new Float64Array(STAGES.length);
  #moment: number = STAGES.length;

  static async open(exchange: ExchangeProcess, folder: string, closing: (() => void)[]): Promise<Ways> {
    const open = (apiKey: string, secret: string, socketApi: boolean) =>
      openClient({ port: exchange.port, folder, apiKey, secret, socketApi, closing });
    const { privateKey } = generateKeyPairSync("ed25519", {
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const overSocket = await open("hmac", SECRET, true);
    const loggedOn = await open("ed25519", privateKey, true);
    const overHttp = await open("http", SECRET, false);
    const bare = new WebSocket(`ws://127.0.0.1:${exchange.port}/ws-fapi/v1`);
    await new Promise<unknown>((resolve) => bare.addEventListener("open", resolve));
    closing.push(() => bare.close());
    const http = `http://127.0.0.1:${exchange.port}`;
    const clients = { overSocket, loggedOn, overHttp };
    const ways = new Ways(exchange, clients, bare, http, join(folder, "run.journal"));
    closing.push(() => ways.#feed.close());
    ways.#feed.open();
    await ways.#feed.ready();
    return ways;
  }

  private constructor(
    exchange: ExchangeProcess,
    clients: { readonly overSocket: BinanceClient; readonly loggedOn: BinanceClient; readonly overHttp: BinanceClient },
    bare: WebSocket,
    http: string,
    journal: string,
  ) {
    this.#exchange = exchange;
    const { overSocket, loggedOn, overHttp } = clients;
    this.#senders = {
      "WebSocket API": (order) => overSocket.placeOrder(order, "trade"),
      "logged on": (order) => loggedOn.placeOrder(order, "trade"),
      "HTTP keep-alive": (order) => overHttp.placeOrder(order, "trade"),
      fetch: (order) => fetchOrder(http, order),
    };
    this.#bare = bare;
    bare.addEventListener("message", () => this.#bareAnswered());
    const place = overSocket.placeAlgoOrder.bind(overSocket);
    overSocket.placeAlgoOrder = (order, urgency) => {
      this.#at("order made");
      const reply = place(order, urgency);
      this.#serviceSent(reply);
      return reply;
    };
    this.#service = new ServicePath({ symbols: SYMBOLS, gateway: overSocket, journal, at: (stage) => this.#at(stage) });
    const nothing = async () => ({ kind: "withheld", reason: "nothing is missing", retryAt: 0 }) as const;
    this.#feed = new MarketFeed({
      address: `ws://127.0.0.1:${exchange.port}`,
      symbols: SYMBOLS,
      streams: { quotes: true, trades: false, marks: false, klines: ["1m"], depth: false },
      source: { klines: nothing, book: nothing },
      onText: () => {
        this.#arrived = performance.now();
        this.#messages += 1;
      },
      onMessage: (message) => this.#message(message),
      onBar: (symbol, _, kline) => {
        this.#moments[0] = this.#arrived;
        this.#moment = 1;
        this.#at("decoded");
        this.#service.bar(symbol, kline);
      },
      onState: () => {},
    });
  }

  get rate(): number {
    return this.#messages / ((performance.now() - this.#started) / 1000);
  }

  /** The same order, with the same parameters, must reach the exchange on all ways, and have the same answer. */
  async compare(): Promise<void> {
    const order = orderFor(61_800.3, "compare");
    const seen = new Set<string>();
    for (const way of SENDERS) {
      const { promise, resolve } = Promise.withResolvers<string>();
      this.#exchange.onAsked = resolve;
      const outcome = (await this.#senders[way](order)) as Outcome<{ clientId: string; price: string; status: string }>;
      if (outcome.kind !== "done") throw new Error(`${way}: ${Bun.inspect(outcome)}`);
      const { clientId, price, status } = outcome.value;
      seen.add(`${await promise} → ${clientId} ${price} ${status}`);
    }
    if (seen.size !== 1) throw new Error(`orders differ:\n${[...seen].join("\n")}`);
  }

  async run(rounds: number): Promise<Round[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#end = resolve;
    this.#left = rounds;
    this.#started = performance.now();
    this.#begin();
    await promise;
    return this.#rounds;
  }

  #begin(): void {
    this.#round = newRound(!BUSY_WAIT && this.#rounds.length % 2 === 0);
    this.#exchange.wish({ kind: "awake", on: this.#round.awake });
    // What the exchange was doing in the other kind of round shall have ended.
    setTimeout(() => {
      this.#isWaiting = false;
    }, 20);
  }

  #message({ kind, ...message }: MarketMessage): void {
    if (kind !== "quote" || this.#isWaiting || ++this.#sinceOrder < MESSAGES_PER_ORDER) return;
    this.#sinceOrder = 0;
    this.#isWaiting = true;
    const way = WAYS[this.#count % WAYS.length]!;
    this.#count += 1;
    if (way === "service") {
      this.#service.advance();
      this.#exchange.wish({ kind: "bar", ...this.#service.next });
      this.#patience = setTimeout(() => {
        throw new Error("a bar brought no order: was an answer so late that the position was closed?");
      }, PATIENCE);
    } else if (way === "bare WebSocket") {
      this.#bare.send(BARE);
      this.#sent(way);
      this.#bareAnswered = () => this.#answered(way, this.#arrivedAt);
    } else {
      const { ask } = message as Extract<MarketMessage, { kind: "quote" }>;
      const reply = this.#senders[way](orderFor(ask, `bench-${this.#count}`));
      const arrived = this.#sent(way);
      void reply.then(() => this.#answered(way, arrived));
    }
  }

  #arrivedAt = 0;

  #sent(way: Way): number {
    const sent = performance.now();
    const { ready, sent: all } = this.#round.timings[way];
    const arrived = this.#arrived;
    this.#arrivedAt = arrived;
    all.push((sent - arrived) * 1000);
    if (way !== "HTTP keep-alive" && way !== "fetch") ready.push((socketCalled.at - arrived) * 1000);
    return arrived;
  }

  #answered(way: Way, arrived: number): void {
    this.#round.timings[way].answered.push((performance.now() - arrived) * 1000);
    this.#next();
  }

  #next(): void {
    if (this.#count % (ORDERS_PER_ROUND * WAYS.length) !== 0) {
      this.#isWaiting = false;
      return;
    }
    this.#rounds.push(this.#round);
    if (this.#rounds.length === this.#left) this.#end();
    else this.#begin();
  }

  #at(stage: Stage): void {
    if (STAGES[this.#moment] !== stage) return;
    this.#moments[this.#moment] = performance.now();
    this.#moment += 1;
  }

  #serviceSent(reply: Promise<unknown>): void {
    const arrived = this.#sent("service");
    clearTimeout(this.#patience);
    const last = STAGES.length - 1;
    this.#moments[last - 1] = socketCalled.at;
    this.#moments[last] = performance.now();
    if (this.#moment !== last - 1) throw new Error(`the way went another way: ${STAGES[this.#moment]} is missing`);
    this.#moment = STAGES.length;
    for (let i = 1; i < STAGES.length; i++) {
      this.#round.stages[STAGES[i]!].push((this.#moments[i]! - this.#moments[i - 1]!) * 1000);
    }
    void reply.then(() => {
      this.#round.timings.service.answered.push((performance.now() - arrived) * 1000);
      // The old stop is cancelled meanwhile.
      setTimeout(() => this.#next(), 2);
    });
  }
}

interface ClientOptions {
  readonly port: number;
  readonly folder: string;
  readonly apiKey: string;
  readonly secret: string;
  /** Whether orders go over the WebSocket API. */
  readonly socketApi: boolean;
  readonly closing: (() => void)[];
}

async function openClient({ port, folder, apiKey, secret, socketApi, closing }: ClientOptions): Promise<BinanceClient> {
  const up = Promise.withResolvers<void>();
  const client = new BinanceClient({
    addresses: {
      rest: `http://127.0.0.1:${port}`,
      streams: `ws://127.0.0.1:${port}`,
      // Nobody listens on the other one, so that orders go over HTTP.
      socketApi: `ws://127.0.0.1:${socketApi ? port : 1}/ws-fapi/v1`,
      live: false,
    },
    keys: keysOf({
      BINANCE_API_KEY: apiKey,
      BINANCE_API_SECRET: SECRET,
      BINANCE_TRADING_API_KEY: apiKey,
      BINANCE_TRADING_API_SECRET: secret,
    }),
    breaker: { enabled: true, warning: 2, throttled: 4, blocked: 5, delay: 2000 },
    weightPerMinute: 1e9,
    bans: join(folder, "bans.json"),
    onNotice: (level) => {
      if (level === "info") up.resolve();
    },
  });
  closing.push(() => client.close());
  await client.open();
  await client.exchangeInfo("routine");
  if (socketApi) await up.promise;
  return client;
}

const signer = createSigner(new Secret(SECRET), "SECRET");

async function fetchOrder(http: string, { clientId, ...order }: NewOrder): Promise<Outcome<unknown>> {
  const params = {
    ...order,
    newClientOrderId: clientId,
    newOrderRespType: "RESULT",
    recvWindow: 3000,
    timestamp: Date.now(),
  };
  const response = await fetch(`${http}/fapi/v1/order?${signedQuery(params, signer)}`, {
    method: "POST",
    headers: { "X-MBX-APIKEY": "http" },
  });
  const { clientOrderId, price, status } = (await response.json()) as Record<string, string>;
  return { kind: "done", value: { clientId: clientOrderId, price, status } };
}

function orderFor(price: number, clientId: string): NewOrder {
  return {
    symbol: SYMBOLS[0]!,
    clientId,
    side: "BUY",
    type: "LIMIT",
    quantity: "0.001",
    price: price.toFixed(2),
    timeInForce: "IOC",
  };
}

/** As long as an order; refused for its signature, and answered. */
const BARE = JSON.stringify({ id: 1, method: "order.place", params: { filler: "x".repeat(330), signature: "" } });

function newRound(awake: boolean): Round {
  const of = <K extends string, V>(names: readonly K[], value: () => V) =>
    Object.fromEntries(names.map((name) => [name, value()])) as Record<K, V>;
  return {
    awake,
    timings: of<Way, Timing>(WAYS, () => ({ ready: [], sent: [], answered: [] })),
    stages: of<Stage, number[]>(STAGES, () => []),
  };
}

function report(rounds: readonly Round[], rate: number): number {
  const kinds = BUSY_WAIT ? [false] : [true, false];
  const figures = kinds.map((awake) => {
    const own = rounds.filter((round) => round.awake === awake);
    const ways = WAYS.map((way) => {
      const of = (what: keyof Timing) => quantiles(own.flatMap((round) => round.timings[way][what]));
      return { way, ready: of("ready"), sent: of("sent"), answered: of("answered") };
    });
    const stages = STAGES.slice(1).map((stage) => ({
      stage,
      ...quantiles(own.flatMap((round) => round.stages[stage])),
    }));
    const ratios = own.map(
      ({ timings }) => quantile(timings.fetch.answered, 0.5) / quantile(timings["WebSocket API"].answered, 0.5),
    );
    return { awake, ways, stages, ratio: quantile(ratios, 0.5) };
  });
  const judged = figures[0]!;
  const sent = judged.ways.find(({ way }) => way === "WebSocket API")!.sent.p50;
  const isMet = sent <= TARGET_SEND && judged.ratio >= TARGET_RATIO;
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify({ figures, messagesPerSecond: rate, isMet }));
    return isMet ? 0 : 1;
  }
  console.log(
    `${SYMBOLS.length} symbols, ${rate.toFixed(0)} messages/s, ${rounds.length} rounds of ${ORDERS_PER_ROUND} orders each way; µs, p50 / p99`,
  );
  const cell = ({ p50, p99 }: { p50: number; p99: number }) =>
    `${p50.toFixed(1).padStart(7)} /${p99.toFixed(0).padStart(5)}`;
  for (const { awake, ways, stages, ratio } of figures) {
    console.log(
      `\nexchange ${awake ? "awake" : "asleep between its messages"}: answer over the WebSocket API ${ratio.toFixed(1)} times as fast as fetch`,
    );
    for (const { way, ...of } of ways) {
      const ready = Number.isNaN(of.ready.p50) ? "".padStart(14) : cell(of.ready);
      console.log(
        `${way.padEnd(16)} socket called ${ready}   bytes handed over ${cell(of.sent)}   answer ${cell(of.answered)}`,
      );
    }
    console.log("the service's way:");
    for (const { stage, ...of } of stages) console.log(`  to "${stage}"`.padEnd(32), cell(of));
  }
  console.log(
    `\ntarget: WebSocket API to bytes p50 at most ${TARGET_SEND} µs and answer at least ${TARGET_RATIO} times as fast as fetch, ` +
      `with the exchange ${judged.awake ? "awake" : "asleep"}: ${sent.toFixed(1)} µs, ${judged.ratio.toFixed(1)} times: ${isMet ? "met" : "missed"}`,
  );
  return isMet ? 0 : 1;
}

function quantiles(values: readonly number[]): { p50: number; p99: number } {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) };
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

if (process.argv.includes("--exchange")) serve();
else process.exit(await measure());
