import { afterEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Socket, TCPSocketListener } from "bun";
import { LINE_TIMING, type LineTiming, SocketLine } from "../../../src/exchange/binance/socket-line.ts";

let listener: TCPSocketListener<undefined> | undefined;
let line: SocketLine | undefined;

afterEach(() => {
  line?.close();
  listener?.stop(true);
});

/** A WebSocket server that agrees to connections and says and answers nothing from then on: a half-open peer. */
function serveSilence(onConnection: (count: number) => boolean): string {
  let count = 0;
  listener = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket: Socket<undefined>, bytes) {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(bytes.toString())?.[1];
        if (key === undefined || !onConnection(++count)) return;
        const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
      },
    },
  });
  return `ws://127.0.0.1:${listener.port}`;
}

function open(
  address: string | (() => Promise<string>),
  timing: Partial<LineTiming>,
): { states: string[]; reached: (n: number) => Promise<void> } {
  const states: string[] = [];
  let wanted = 0;
  let resolve = () => {};
  line = new SocketLine({
    address: () => (typeof address === "string" ? address : address()),
    prepare: () => Promise.resolve(),
    onText: () => {},
    onState: (up, reason) => {
      states.push(up ? "up" : reason);
      if (states.length >= wanted) resolve();
    },
    timing: { ...LINE_TIMING, retryFirst: 1, ...timing },
  });
  line.open();
  const reached = (n: number) => {
    wanted = n;
    return states.length >= n ? Promise.resolve() : new Promise<void>((then) => (resolve = then));
  };
  return { states, reached };
}

test("a peer that is gone without a word is found by a ping without a pong, and replaced", async () => {
  const { states, reached } = open(
    serveSilence(() => true),
    { ping: 10, pong: 10 },
  );
  await reached(3);
  expect(states.slice(0, 3)).toEqual(["up", "no answer to a ping", "up"]);
});

test("a socket that does not open in time is given up; the next attempt asks for the address again", async () => {
  const address = serveSilence((count) => count > 2);
  let asked = 0;
  const { states, reached } = open(
    () => {
      asked += 1;
      return asked === 1 ? Promise.reject(new Error("no key yet")) : Promise.resolve(address);
    },
    { connect: 20 },
  );
  await reached(1);
  expect(states).toEqual(["up"]);
  expect(asked).toBe(4);
});

test("after the end there is no further attempt, also when one is under way", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { states } = open(() => promise, {});
  line!.close();
  resolve(serveSilence(() => true));
  await promise;
  await new Promise((later) => setImmediate(later));
  expect(states).toEqual([]);
  expect(line!.socket).toBeUndefined();
});
