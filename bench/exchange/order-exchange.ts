/**
 * The exchange of tick-to-order.ts, a process of its own: book tickers of 200 symbols, answers to orders whose signature
 * is right, and a closed bar when it is asked for one.
 */
import { Secret } from "../../src/exchange/binance/secret.ts";
import { createSigner } from "../../src/exchange/binance/signing.ts";

export const SYMBOLS = Array.from({ length: 200 }, (_, i) => `S${String(i).padStart(3, "0")}USDT`);
export const SECRET = "bench-secret";
/** Book tickers a second, of all symbols together. */
const TICKS_PER_SECOND = 4_000;
const MINUTE = 60_000;

/** What it is told over IPC. */
export type Wish =
  /** Whether the exchange's process spins, so that it is awake when an order comes, or sleeps between its timers. */
  | { readonly kind: "awake"; readonly on: boolean }
  /** A closed one-minute bar of the first symbol, at a whole price. */
  | { readonly kind: "bar"; readonly openTime: number; readonly close: number };

/** What it says over IPC: where it listens; and of each request for an order what was asked, in the order of names. */
export type Said = { readonly port: number } | { readonly asked: string };

type Params = Readonly<Record<string, string | number>>;

interface Caller {
  readonly kind: "api" | "market" | "private";
  readonly path: string;
  loggedOn: boolean;
}

type Socket = Bun.ServerWebSocket<Caller>;

/** Of which no two requests for the same order are alike. */
const OWN_OF_REQUEST = new Set(["apiKey", "timestamp", "signature"]);

export function serve(): void {
  const signer = createSigner(new Secret(SECRET), "SECRET");
  const sockets = new Set<Socket>();
  const say = (said: Said) => process.send?.(said);
  let algoOrders = 0;
  /** Conditional orders that stand, by our id. */
  const standing = new Map<string, Record<string, unknown>>();

  const placed = (given: Params) => ({
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
  const algoPlaced = (given: Params) => {
    const order = {
      algoId: ++algoOrders,
      clientAlgoId: given.clientAlgoId,
      algoType: "CONDITIONAL",
      orderType: given.type,
      symbol: given.symbol,
      side: given.side,
      positionSide: "BOTH",
      quantity: given.quantity ?? "0",
      algoStatus: "NEW",
      triggerPrice: given.triggerPrice,
      reduceOnly: given.reduceOnly === "true",
      closePosition: given.closePosition === "true",
      updateTime: 1,
    };
    standing.set(String(given.clientAlgoId), order);
    return order;
  };
  /** The end of a conditional order is told by the account's stream. */
  const algoCancelled = ({ clientAlgoId }: Params, apiKey: string) => {
    const order = standing.get(String(clientAlgoId));
    standing.delete(String(clientAlgoId));
    if (order !== undefined) {
      const { algoId: aid, symbol: s, side: S, orderType: o, quantity: q, triggerPrice: tp, reduceOnly: R } = order;
      const event = {
        caid: clientAlgoId,
        aid,
        at: "CONDITIONAL",
        o,
        s,
        S,
        ps: "BOTH",
        q,
        X: "CANCELED",
        tp,
        R,
        cp: false,
      };
      const text = JSON.stringify({ e: "ALGO_UPDATE", T: 1, E: 1, o: event });
      for (const socket of sockets) {
        if (socket.data.kind === "private" && socket.data.path.endsWith(apiKey)) socket.send(text);
      }
    }
    return { clientAlgoId, algoId: order?.algoId ?? 0, code: "200", msg: "success" };
  };
  const perform = (method: string, given: Params, apiKey: string) => {
    if (method === "algoOrder.place") return algoPlaced(given);
    return method === "algoOrder.cancel" ? algoCancelled(given, apiKey) : placed(given);
  };
  const tell = (given: Params) => {
    const names = Object.keys(given).filter((name) => !OWN_OF_REQUEST.has(name));
    if (String(given.newClientOrderId).startsWith("compare")) {
      say({
        asked: names
          .sort()
          .map((name) => `${name}=${given[name]}`)
          .join("&"),
      });
    }
  };

  const server = Bun.serve<Caller>({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, self) {
      const url = new URL(request.url);
      const { pathname: path } = url;
      const kind = path === "/ws-fapi/v1" ? "api" : path.startsWith("/private") ? "private" : "market";
      if (self.upgrade(request, { data: { kind, path, loggedOn: false } })) return undefined;
      const apiKey = request.headers.get("X-MBX-APIKEY") ?? "";
      if (path === "/fapi/v1/time") return Response.json({ serverTime: Date.now() });
      if (path === "/fapi/v1/listenKey") return Response.json({ listenKey: apiKey });
      if (path === "/fapi/v1/exchangeInfo") {
        const limit = { rateLimitType: "ORDERS", limit: 1e9 };
        const rateLimits = [
          { ...limit, interval: "SECOND", intervalNum: 10 },
          { ...limit, interval: "MINUTE", intervalNum: 1 },
        ];
        return Response.json({ symbols: [], rateLimits });
      }
      const [query, signature] = url.search.slice(1).split("&signature=");
      if (signer.sign(query!) !== signature) return Response.json({ code: -1022, msg: "signature" }, { status: 400 });
      const given = Object.fromEntries(url.searchParams);
      tell(given);
      return Response.json(perform("order.place", given, apiKey));
    },
    websocket: {
      open: (ws) => void sockets.add(ws),
      close: (ws) => void sockets.delete(ws),
      message(ws, text) {
        const { id, method, params } = JSON.parse(String(text));
        if (ws.data.kind !== "api") {
          ws.send(JSON.stringify({ result: null, id }));
          return;
        }
        if (method === "session.logon") {
          ws.data.loggedOn = true;
          ws.send(JSON.stringify({ id, status: 200, result: {} }));
          return;
        }
        if (ws.data.loggedOn || signer.sign(payloadOf(params)) === params.signature) {
          tell(params);
          ws.send(JSON.stringify({ id, status: 200, result: perform(method, params, params.apiKey) }));
        } else {
          ws.send(JSON.stringify({ id, status: 400, error: { code: -1022, msg: "signature" } }));
        }
      },
    },
  });

  const publish = (category: string, stream: string, data: unknown) => {
    const text = JSON.stringify({ stream, data });
    for (const socket of sockets) {
      if (socket.data.kind === "market" && socket.data.path.startsWith(category)) socket.send(text);
    }
  };
  let isAwake = false;
  let bar: Extract<Wish, { kind: "bar" }> | undefined;
  let marketTime = Date.UTC(2025, 5, 1);
  let update = 0;
  const started = performance.now();
  const work = () => {
    // By the clock, because timers drift.
    const due = ((performance.now() - started) / 1000) * TICKS_PER_SECOND;
    while (update < due) {
      update += 1;
      if (bar !== undefined) {
        publish("/market", `${SYMBOLS[0]!.toLowerCase()}@kline_1m`, klineOf(bar));
        marketTime = bar.openTime + MINUTE;
        bar = undefined;
      }
      const symbol = SYMBOLS[update % SYMBOLS.length]!;
      publish("/public", `${symbol.toLowerCase()}@bookTicker`, tickerOf(symbol, update, marketTime));
    }
    if (isAwake) setImmediate(work);
  };
  setInterval(work, 1);
  process.on("message", (wish: Wish) => {
    if (wish.kind === "bar") {
      bar = wish;
    } else {
      isAwake = wish.on;
      work();
    }
  });
  say({ port: server.port! });
}

/** What is signed on the WebSocket API, put together without the client's code. */
function payloadOf({ signature: _, ...params }: Record<string, string | number>): string {
  const names = Object.keys(params).sort();
  return names.map((name) => `${name}=${params[name]}`).join("&");
}

function tickerOf(symbol: string, update: number, now: number): unknown {
  const [bid, ask] = [`617${update % 100}.20`, `618${update % 100}.30`];
  return {
    e: "bookTicker",
    u: update,
    s: symbol,
    ps: symbol,
    b: bid,
    B: "2.507",
    a: ask,
    A: "2.510",
    T: now,
    E: now,
    st: 1,
  };
}

function klineOf({ openTime, close }: { openTime: number; close: number }): unknown {
  const price = `${close}.0`;
  const symbol = SYMBOLS[0]!;
  return {
    e: "kline",
    E: openTime + MINUTE,
    s: symbol,
    k: {
      ...{
        t: openTime,
        T: openTime + MINUTE - 1,
        s: symbol,
        i: "1m",
        f: 1,
        L: 2,
        o: price,
        c: price,
        h: price,
        l: price,
      },
      ...{ v: "10.5", n: 2, x: true, q: "1000.00", V: "5.1", Q: "500.00", B: "0" },
    },
  };
}
