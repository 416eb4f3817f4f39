import type { Socket } from "bun";
import { limitsIn, parseBody, type Reply } from "./reply.ts";

export interface HttpChannelOptions {
  /** `https://fapi.binance.com` */
  readonly origin: string;
  /** Sent with every request; values are not shown anywhere. */
  readonly headers: Readonly<Record<string, string>>;
  /** Until an answer must be complete, ms. */
  readonly timeout: number;
  /** Connections at most; each carries one request at a time. */
  readonly connections: number;
  /** Certificates to trust besides the system's: for tests. */
  readonly ca?: string;
}

export type Verb = "GET" | "POST" | "PUT" | "DELETE";

/**
 * HTTP/1.1 over connections that stay open, for orders: the bytes of a request are handed to the socket before `call`
 * returns, when a connection is free. `fetch` takes some 40 µs until then (bench/exchange/tick-to-order.ts). Knows what
 * the exchange needs and no more: requests without bodies, answers with a length or in chunks, no redirects.
 */
export class HttpChannel {
  readonly #options: HttpChannelOptions;
  readonly #hostname: string;
  readonly #port: number;
  readonly #isEncrypted: boolean;
  /** Everything of a request behind its first line. */
  readonly #head: string;
  readonly #connections = new Set<Connection>();
  readonly #waiting: Request[] = [];
  #closed = false;

  constructor(options: HttpChannelOptions) {
    const { protocol, hostname, port, host } = new URL(options.origin);
    this.#options = options;
    this.#isEncrypted = protocol === "https:";
    this.#hostname = hostname.replace(/^\[(.*)\]$/, "$1");
    this.#port = port === "" ? (this.#isEncrypted ? 443 : 80) : Number(port);
    const headers = Object.entries(options.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#head = ` HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n${headers.join("")}\r\n`;
  }

  /** Opens a first connection, so that the first order need not. */
  warm(): void {
    if (this.#connections.size === 0) this.#connect();
  }

  /** @param target path and query */
  call(verb: Verb, target: string): Promise<Reply> {
    if (this.#closed) return Promise.resolve(CLOSED);
    const { promise, resolve } = Promise.withResolvers<Reply>();
    const request: Request = { bytes: `${verb} ${target}${this.#head}`, resolve, timer: undefined };
    for (const connection of this.#connections) if (connection.start(request)) return promise;
    this.#waiting.push(request);
    request.timer = setTimeout(() => this.#giveUp(request), this.#options.timeout);
    if (this.#connections.size < this.#options.connections) this.#connect();
    return promise;
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.end("closed");
    for (const request of this.#waiting.splice(0)) settle(request, CLOSED);
  }

  #giveUp(request: Request): void {
    const at = this.#waiting.indexOf(request);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    settle(request, { kind: "unsent", reason: "no connection in time" });
  }

  #connect(): void {
    const connection = new Connection(
      this.#options.timeout,
      () => {
        const request = this.#waiting.shift();
        if (request === undefined) return;
        clearTimeout(request.timer);
        if (!connection.start(request)) this.#waiting.unshift(request);
      },
      (reason) => {
        this.#connections.delete(connection);
        // When no connection can be had, those that wait shall not; otherwise the next one serves them.
        if (this.#connections.size > 0 || this.#closed) return;
        if (connection.wasOpen && this.#waiting.length > 0) this.#connect();
        else for (const request of this.#waiting.splice(0)) settle(request, { kind: "unsent", reason });
      },
    );
    this.#connections.add(connection);
    connection.open(this.#hostname, this.#port, this.#isEncrypted, this.#options.ca);
  }
}

interface Request {
  readonly bytes: string;
  readonly resolve: (reply: Reply) => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

function settle(request: Request, reply: Reply): void {
  clearTimeout(request.timer);
  request.resolve(reply);
}

const CLOSED = { kind: "unsent", reason: "closed" } as const;

/** An answer larger than this is none of an order. */
const LARGEST_ANSWER = 1 << 20;

class Connection {
  wasOpen = false;
  readonly #timeout: number;
  readonly #onFree: () => void;
  readonly #onEnd: (reason: string) => void;
  #socket: Socket | undefined;
  #request: Request | undefined;
  /** What of the request the socket has not taken yet. */
  #unwritten: Uint8Array | undefined;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(timeout: number, onFree: () => void, onEnd: (reason: string) => void) {
    this.#timeout = timeout;
    this.#onFree = onFree;
    this.#onEnd = onEnd;
  }

  open(hostname: string, port: number, isEncrypted: boolean, ca: string | undefined): void {
    const ready = (socket: Socket) => {
      if (this.#ended) {
        socket.terminate();
        return;
      }
      this.#socket = socket;
      this.wasOpen = true;
      this.#onFree();
    };
    const timer = setTimeout(() => this.end("no connection in time"), this.#timeout);
    Bun.connect({
      hostname,
      port,
      ...(isEncrypted && { tls: { serverName: hostname, rejectUnauthorized: true, ...(ca !== undefined && { ca }) } }),
      socket: {
        open: (socket) => {
          socket.setNoDelay(true);
          if (isEncrypted) return;
          clearTimeout(timer);
          ready(socket);
        },
        handshake: (socket, success, error) => {
          clearTimeout(timer);
          // An order must not go to somebody else, so the certificate is looked at here whatever the options do.
          if (success && error === null && socket.authorized) ready(socket);
          else {
            socket.terminate();
            this.end(`the server's certificate is not trusted${error === null ? "" : `: ${error.message}`}`);
          }
        },
        data: (_, bytes) => this.#take(bytes),
        drain: () => this.#write(),
        close: () => this.end("the connection was closed"),
        end: () => this.end("the connection was closed"),
        error: (_, error) => this.end(error.message),
        connectError: (_, error) => {
          clearTimeout(timer);
          this.end(`no connection: ${error.message}`);
        },
      },
    }).catch((error: Error) => {
      clearTimeout(timer);
      this.end(`no connection: ${error.message}`);
    });
  }

  /** Takes a request when it is free, and hands its bytes to the socket. */
  start(request: Request): boolean {
    if (this.#socket === undefined || this.#request !== undefined || this.#ended) return false;
    this.#request = request;
    const written = this.#socket.write(request.bytes);
    request.timer = setTimeout(() => this.end("no answer in time"), this.#timeout);
    // Requests are ASCII, so that characters are bytes.
    if (written < request.bytes.length) this.#unwritten = Buffer.from(request.bytes.slice(written > 0 ? written : 0));
    return true;
  }

  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket?.terminate();
    const request = this.#request;
    this.#request = undefined;
    if (request !== undefined) settle(request, { kind: "unknown", reason });
    this.#onEnd(reason);
  }

  #write(): void {
    if (this.#unwritten === undefined || this.#socket === undefined) return;
    const written = this.#socket.write(this.#unwritten);
    this.#unwritten = written < this.#unwritten.length ? this.#unwritten.subarray(Math.max(0, written)) : undefined;
  }

  #take(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#received, bytes]);
    const request = this.#request;
    const answer = readAnswer(this.#received);
    if (answer === "incomplete") {
      if (this.#received.length > LARGEST_ANSWER) this.end("an answer that does not end");
      return;
    }
    if (answer === "malformed" || request === undefined) {
      this.end("not an HTTP answer to a request");
      return;
    }
    this.#received = this.#received.subarray(answer.length);
    this.#request = undefined;
    settle(request, answer.reply);
    if (answer.isLast) this.end("the server has closed the connection");
    else this.#onFree();
  }
}

interface ReadAnswer {
  readonly reply: Reply;
  /** Bytes that it took. */
  readonly length: number;
  /** The server will close the connection. */
  readonly isLast: boolean;
}

/** Reads one HTTP/1.1 answer from the beginning of `bytes`. */
export function readAnswer(bytes: Buffer): ReadAnswer | "incomplete" | "malformed" {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return "incomplete";
  const [first = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]);
  if (!(status >= 200)) return "malformed";
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const from = headEnd + 4;
  let text: string;
  let length: number;
  const declared = headers.get("content-length");
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") {
    const chunked = readChunks(bytes, from);
    if (typeof chunked === "string") return chunked;
    text = Buffer.concat(chunked.parts).toString("utf8");
    length = chunked.length;
  } else if (declared !== undefined && /^\d+$/.test(declared)) {
    length = from + Number(declared);
    if (bytes.length < length) return "incomplete";
    text = bytes.toString("utf8", from, length);
  } else if (status === 204 || status === 304) {
    text = "";
    length = from;
  } else {
    return "malformed";
  }
  const limits = limitsIn((name) => headers.get(name));
  const isLast = headers.get("connection")?.toLowerCase() === "close";
  return { reply: { kind: "answer", status, body: parseBody(text), ...limits }, length, isLast };
}

function readChunks(bytes: Buffer, from: number): { parts: Buffer[]; length: number } | "incomplete" | "malformed" {
  const parts: Buffer[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return "incomplete";
    const size = /^([0-9a-fA-F]{1,7})(?:;|$)/.exec(bytes.toString("latin1", at, lineEnd))?.[1];
    if (size === undefined) return "malformed";
    const length = Number.parseInt(size, 16);
    const end = lineEnd + 2 + length;
    // Behind the last chunk there may be trailers, which nobody sends; then an empty line.
    if (bytes.length < end + 2) return "incomplete";
    if (bytes.toString("latin1", end, end + 2) !== "\r\n") return "malformed";
    if (length === 0) return { parts, length: end + 2 };
    parts.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}
