import { afterEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync, verify } from "node:crypto";
import { Secret } from "../../../src/exchange/binance/secret.ts";
import { createSigner, type Signer } from "../../../src/exchange/binance/signing.ts";
import { SocketApi } from "../../../src/exchange/binance/socket-api.ts";
import { LINE_TIMING } from "../../../src/exchange/binance/socket-line.ts";
import { StandIn, type StandInSocket } from "./stand-in.ts";

let exchange: StandIn | undefined;
let api: SocketApi | undefined;

afterEach(async () => {
  api?.close();
  await exchange?.close();
});

const { privateKey, publicKey } = generateKeyPairSync("ed25519", {
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const HMAC = createSigner(new Secret("hush"), "S");
const ED25519 = createSigner(new Secret(privateKey), "S");

interface Asked {
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

function open(signer: Signer, answer: (asked: Asked, socket: StandInSocket) => void, timeout = 5_000) {
  const states: boolean[] = [];
  const standIn = new StandIn({ onText: (text, socket) => answer(JSON.parse(text), socket) });
  exchange = standIn;
  api = new SocketApi({
    address: `${standIn.ws}/ws-fapi/v1`,
    apiKey: new Secret("key"),
    signer,
    now: () => 1_700_000_000_000,
    recvWindow: 5_000,
    timeout,
    onState: (up) => {
      states.push(up);
      standIn.changed();
    },
    timing: { ...LINE_TIMING, retryFirst: 1, retire: 50 },
  });
  api.open();
  return { exchange: standIn, api, states, up: () => standIn.until(() => api!.isUp) };
}

const ok = ({ id }: Asked, result: unknown = {}) => ({ id, status: 200, result, rateLimits: [] });

test("before it is connected nothing leaves", async () => {
  const world = open(HMAC, () => {});
  expect(await world.api.call("order.place", {})).toMatchObject({ kind: "unsent" });
});

test("with HMAC every request is signed over its sorted parameters; long ids and limits come back", async () => {
  const asked: Asked[] = [];
  const world = open(HMAC, (one, socket) => {
    asked.push(one);
    socket.send(
      `{"id":${one.id},"status":200,"result":{"orderId":8389766145050669870},"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":4},{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":6}]}`,
    );
  });
  await world.up();
  expect(await world.api.call("order.place", { symbol: "币安人生USDT", quantity: "1", price: undefined })).toEqual({
    kind: "answer",
    status: 200,
    body: { orderId: "8389766145050669870" },
    usage: { weight: 6, ordersTenSeconds: 4 },
    retryAfter: undefined,
  });
  const { signature, ...params } = asked[0]!.params;
  expect(params).toEqual({
    symbol: "币安人生USDT",
    quantity: "1",
    apiKey: "key",
    recvWindow: 5000,
    timestamp: 1_700_000_000_000,
  });
  expect(signature).toBe(
    HMAC.sign("apiKey=key&quantity=1&recvWindow=5000&symbol=币安人生USDT&timestamp=1700000000000"),
  );
});

test("with Ed25519 the connection is logged on, and requests carry neither key nor signature", async () => {
  const asked: Asked[] = [];
  const world = open(ED25519, (one, socket) => {
    asked.push(one);
    socket.send(ok(one));
  });
  await world.up();
  await world.api.call("order.cancel", { symbol: "BTCUSDT" });
  const [logon, cancel] = asked;
  expect(logon!.method).toBe("session.logon");
  const signature = Buffer.from(String(logon!.params.signature), "base64");
  expect(verify(null, Buffer.from("apiKey=key&recvWindow=5000&timestamp=1700000000000"), publicKey, signature)).toBe(
    true,
  );
  expect(cancel!.params).toEqual({ symbol: "BTCUSDT", recvWindow: 5000, timestamp: 1_700_000_000_000 });
});

test("a refused logon is no connection", async () => {
  let logons = 0;
  const world = open(ED25519, (one, socket) => {
    logons += 1;
    socket.send(logons < 3 ? { id: one.id, status: 401, error: { code: -2015, msg: "Invalid API-key" } } : ok(one));
  });
  await world.up();
  expect(logons).toBe(3);
  expect(world.states).toEqual([true]);
});

describe("an answer that does not come leaves the outcome unknown, and nothing is sent again", () => {
  test("in time", async () => {
    let requests = 0;
    const world = open(
      HMAC,
      () => {
        requests += 1;
      },
      30,
    );
    await world.up();
    expect(await world.api.call("order.place", {})).toEqual({ kind: "unknown", reason: "no answer in time" });
    expect(requests).toBe(1);
  });

  test("before the connection is lost; the next one serves the next request", async () => {
    let requests = 0;
    const world = open(HMAC, (one, socket) => {
      requests += 1;
      if (requests === 1) socket.drop();
      else socket.send(ok(one));
    });
    await world.up();
    expect(await world.api.call("order.place", {})).toMatchObject({ kind: "unknown" });
    await world.up();
    expect(await world.api.call("order.place", {})).toMatchObject({ kind: "answer", status: 200 });
    expect(requests).toBe(2);
  });
});

test("answers find their requests in any order; what nobody asked for is passed over", async () => {
  const held: Asked[] = [];
  const world = open(HMAC, (one, socket) => {
    held.push(one);
    if (held.length < 3) return;
    for (const odd of ['{"id":99,"status":200}', "nonsense", '{"id":"x"}', "[]", "null"]) socket.send(odd);
    for (const later of held.reverse()) socket.send(ok(later, later.params.n));
    held.length = 0;
  });
  await world.up();
  const replies = await Promise.all([1, 2, 3].map((n) => world.api.call("order.status", { n })));
  expect(replies.map((reply) => reply.kind === "answer" && reply.body)).toEqual([1, 2, 3]);
});

test("an error carries its code, and how long to stay away", async () => {
  const error = { code: -1003, msg: "IP banned", data: { serverTime: 1_000_000, retryAfter: 1_120_000 } };
  const world = open(HMAC, (one, socket) => socket.send({ id: one.id, status: 418, error }));
  await world.up();
  expect(await world.api.call("order.place", {})).toMatchObject({
    status: 418,
    body: { code: -1003 },
    retryAfter: 120,
  });
});
