import { afterEach, describe, expect, test } from "bun:test";
import type { Socket, TCPSocketListener } from "bun";
import fc from "fast-check";
import { HttpChannel, readAnswer } from "../../../src/exchange/binance/http-channel.ts";

let listener: TCPSocketListener<undefined> | undefined;
let channel: HttpChannel | undefined;

afterEach(() => {
  channel?.close();
  listener?.stop(true);
});

/** A server of bytes; `answer` is called once per request that has come in whole. */
function serve(answer: (socket: Socket<undefined>, request: string, count: number) => void): string {
  let count = 0;
  listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        for (const request of bytes.toString().split("\r\n\r\n").slice(0, -1)) answer(socket, request, count++);
      },
    },
  });
  return `http://127.0.0.1:${listener.port}`;
}

function open(origin: string, timeout = 5_000, connections = 2): HttpChannel {
  channel = new HttpChannel({ origin, headers: { "X-MBX-APIKEY": "key" }, timeout, connections });
  return channel;
}

const ok = (body: string, more = "") =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;

test("requests share a connection, carry the key, and bring status, body and limits", async () => {
  const requests: string[] = [];
  const sockets = new Set<unknown>();
  const origin = serve((socket, request) => {
    requests.push(request);
    sockets.add(socket);
    socket.write(ok('{"orderId":8389766145050669870}', "X-MBX-ORDER-COUNT-10S: 3\r\nx-mbx-used-weight-1m: 17\r\n"));
  });
  const one = open(origin);
  for (let i = 0; i < 3; i++) {
    expect(await one.call("POST", "/fapi/v1/order?symbol=BTCUSDT")).toEqual({
      kind: "answer",
      status: 200,
      body: { orderId: "8389766145050669870" },
      usage: { weight: 17, ordersTenSeconds: 3, ordersMinute: undefined },
      retryAfter: undefined,
    });
  }
  expect(sockets.size).toBe(1);
  expect(requests[0]).toBe(
    `POST /fapi/v1/order?symbol=BTCUSDT HTTP/1.1\r\nHost: ${new URL(origin).host}\r\nContent-Length: 0\r\nX-MBX-APIKEY: key`,
  );
});

test("errors, bodies that are no JSON and Retry-After come through", async () => {
  const answers = [
    'HTTP/1.1 400 Bad Request\r\nContent-Length: 35\r\n\r\n{"code":-1121,"msg":"Invalid pair"}',
    "HTTP/1.1 418 I'm a teapot\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\n<html>",
    "HTTP/1.1 204\r\n\r\n",
  ];
  const one = open(serve((socket, _, count) => socket.write(answers[count]!)));
  expect(await one.call("GET", "/a")).toMatchObject({ status: 400, body: { code: -1121 } });
  expect(await one.call("GET", "/b")).toMatchObject({ status: 418, body: undefined, retryAfter: 120 });
  expect(await one.call("GET", "/c")).toMatchObject({ status: 403, body: undefined });
  expect(await one.call("GET", "/d")).toMatchObject({ status: 204 });
});

describe("what has left without an answer is unknown", () => {
  test("when the connection ends in the middle of the answer", async () => {
    const one = open(
      serve((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{");
        socket.flush();
        socket.end();
      }),
    );
    expect(await one.call("POST", "/")).toMatchObject({ kind: "unknown" });
  });

  test("when there is none in time, and nothing is sent again", async () => {
    let requests = 0;
    const one = open(
      serve(() => {
        requests += 1;
      }),
      30,
    );
    expect(await one.call("POST", "/")).toEqual({ kind: "unknown", reason: "no answer in time" });
    expect(requests).toBe(1);
  });

  test("when the answer is not HTTP", async () => {
    const one = open(serve((socket) => socket.write("SSH-2.0\r\n\r\n")));
    expect(await one.call("POST", "/")).toMatchObject({ kind: "unknown" });
  });
});

test("what has not left is unsent: no server, and after the end", async () => {
  const origin = serve(() => {});
  listener!.stop(true);
  const one = open(origin);
  expect(await one.call("POST", "/")).toMatchObject({ kind: "unsent" });
  one.close();
  expect(await one.call("POST", "/")).toEqual({ kind: "unsent", reason: "closed" });
});

test("an answer that comes late does not go to the next request", async () => {
  const sockets: Socket<undefined>[] = [];
  const one = open(
    serve((socket, request) => {
      sockets.push(socket);
      if (request.startsWith("POST /second")) socket.write(ok('{"is":"second"}'));
    }),
    50,
    1,
  );
  expect(await one.call("POST", "/first")).toMatchObject({ kind: "unknown" });
  expect(await one.call("POST", "/second")).toMatchObject({ kind: "answer", body: { is: "second" } });
  expect(sockets[1]).not.toBe(sockets[0]!);
});

test("a connection that the server has closed is replaced; more requests than connections take turns", async () => {
  const one = open(
    serve((socket, request, count) => {
      socket.write(ok(JSON.stringify(request.split(" ")[1]), count % 2 === 0 ? "Connection: close\r\n" : ""));
      socket.flush();
      if (count % 2 === 0) socket.end();
    }),
  );
  const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => one.call("DELETE", `/${i}`)));
  expect(replies.map((reply) => reply.kind === "answer" && reply.body)).toEqual(
    Array.from({ length: 20 }, (_, i) => `/${i}`),
  );
});

test("an answer is the same in one piece, byte by byte, and in chunks", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.array(fc.integer({ min: 1, max: 9 })), fc.nat(), (value, sizes, cut) => {
      const body = Buffer.from(JSON.stringify(value));
      let chunks = "";
      for (let at = 0, i = 0; at < body.length; i++) {
        const size = sizes.length === 0 ? body.length : sizes[i % sizes.length]!;
        const piece = body.subarray(at, at + size);
        chunks += `${piece.length.toString(16)}\r\n${piece.toString("latin1")}\r\n`;
        at += size;
      }
      const whole = [
        Buffer.from(ok(body.toString())),
        Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`, "latin1"),
      ];
      const [a, b] = whole.map((bytes) => readAnswer(bytes));
      if (typeof a !== "object" || typeof b !== "object") throw new Error("not read");
      expect(b.reply).toEqual(a.reply);
      expect([a.length, b.length]).toEqual(whole.map((bytes) => bytes.length));
      for (const bytes of whole) {
        expect(readAnswer(bytes.subarray(0, cut % bytes.length))).toBe("incomplete");
        // Behind the answer another one may begin.
        expect(readAnswer(Buffer.concat([bytes, Buffer.from("HTTP/1.1 2")]))).toMatchObject({ length: bytes.length });
      }
    }),
  );
});

test("bytes that are no answer are malformed or incomplete, never an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(["incomplete", "malformed"]).toContain(readAnswer(Buffer.from(bytes)) as string);
      expect(["incomplete", "malformed"]).toContain(
        readAnswer(
          Buffer.concat([
            Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Buffer.from("zz"),
            bytes,
          ]),
        ) as string,
      );
    }),
  );
});
