import type { Usage } from "./rate-budget.ts";
import { errorIn, parseBody, type Reply } from "./reply.ts";
import type { Secret } from "./secret.ts";
import { type Params, type Signer, socketPayload } from "./signing.ts";
import { type LineSocket, type LineTiming, SocketLine } from "./socket-line.ts";

export interface SocketApiOptions {
  /** `wss://ws-fapi.binance.com/ws-fapi/v1` */
  readonly address: string;
  readonly apiKey: Secret;
  readonly signer: Signer;
  /** The exchange's time, ms. */
  readonly now: () => number;
  readonly recvWindow: number;
  /** Until an answer must be here, ms. */
  readonly timeout: number;
  readonly onState: (up: boolean, reason: string) => void;
  readonly timing?: LineTiming;
}

interface Pending {
  readonly socket: LineSocket;
  readonly resolve: (reply: Reply) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * The WebSocket API: requests and answers over one kept connection. With an Ed25519 key the connection is logged on and
 * requests need no signature; with other keys every request is signed. The bytes are handed to the socket before `call`
 * returns. Nothing is ever sent a second time: what has no answer when the connection is gone is unknown.
 */
export class SocketApi {
  readonly #options: SocketApiOptions;
  readonly #line: SocketLine;
  readonly #pending = new Map<number, Pending>();
  #loggedOn = new WeakSet<LineSocket>();
  #nextId = 1;

  constructor(options: SocketApiOptions) {
    this.#options = options;
    this.#line = new SocketLine({
      address: () => options.address,
      prepare: (socket) => this.#logOn(socket),
      onText: (text) => this.#take(text),
      onState: options.onState,
      ...(options.timing && { timing: options.timing }),
    });
  }

  get isUp(): boolean {
    return this.#line.socket?.isOpen === true;
  }

  open(): void {
    this.#line.open();
  }

  close(): void {
    this.#line.close();
  }

  /** @param params without key, time and signature */
  call(method: string, params: Params): Promise<Reply> {
    const socket = this.#line.socket;
    if (socket === undefined) return Promise.resolve({ kind: "unsent", reason: "the WebSocket API is not connected" });
    return this.#send(socket, method, params, !this.#loggedOn.has(socket));
  }

  #send(socket: LineSocket, method: string, params: Params, isSigned: boolean): Promise<Reply> {
    const { apiKey, signer, now, recvWindow, timeout } = this.#options;
    const full: Record<string, unknown> = { ...params, recvWindow, timestamp: now() };
    if (isSigned) {
      full.apiKey = apiKey.reveal();
      full.signature = signer.sign(socketPayload(full as Params));
    }
    const id = this.#nextId++;
    if (!socket.send(JSON.stringify({ id, method, params: full }))) {
      return Promise.resolve({ kind: "unsent", reason: "the WebSocket API is not connected" });
    }
    const { promise, resolve } = Promise.withResolvers<Reply>();
    const timer = setTimeout(() => this.#settle(id, { kind: "unknown", reason: "no answer in time" }), timeout);
    this.#pending.set(id, { socket, resolve, timer });
    return promise;
  }

  async #logOn(socket: LineSocket): Promise<void> {
    socket.gone.addEventListener("abort", () => this.#lose(socket), { once: true });
    if (this.#options.signer.algorithm !== "Ed25519") return;
    const reply = await this.#send(socket, "session.logon", {}, true);
    if (reply.kind === "answer" && reply.status === 200) {
      this.#loggedOn.add(socket);
      return;
    }
    const why = reply.kind === "answer" ? errorIn(reply.body).message : reply.reason;
    throw new Error(`the WebSocket API refused the logon: ${why}`);
  }

  #lose(socket: LineSocket): void {
    for (const [id, pending] of this.#pending) {
      if (pending.socket !== socket) continue;
      this.#settle(id, { kind: "unknown", reason: `the connection was lost: ${socket.gone.reason}` });
    }
  }

  #settle(id: number, reply: Reply): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.resolve(reply);
  }

  #take(text: string): void {
    const message = parseBody(text) as SocketAnswer | undefined;
    if (typeof message !== "object" || message === null || typeof message.id !== "number") return;
    const { id, status, result, error, rateLimits } = message;
    // An answer without a status says nothing.
    if (typeof status !== "number") return;
    const { retryAfter: until, serverTime } = error?.data ?? {};
    const retryAfter = until !== undefined && serverTime !== undefined ? (until - serverTime) / 1000 : undefined;
    const body = status === 200 ? result : error;
    this.#settle(id, { kind: "answer", status, body, usage: usageIn(rateLimits), retryAfter });
  }
}

interface SocketAnswer {
  readonly id?: unknown;
  readonly status?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly data?: { readonly retryAfter?: number; readonly serverTime?: number } };
  readonly rateLimits?: unknown;
}

function usageIn(limits: unknown): Usage {
  const usage: { weight?: number; ordersTenSeconds?: number; ordersMinute?: number } = {};
  for (const limit of Array.isArray(limits) ? limits : []) {
    const { rateLimitType, interval, intervalNum, count } = limit ?? {};
    if (typeof count !== "number") continue;
    if (rateLimitType === "REQUEST_WEIGHT" && interval === "MINUTE") usage.weight = count;
    if (rateLimitType === "ORDERS" && interval === "SECOND" && intervalNum === 10) usage.ordersTenSeconds = count;
    if (rateLimitType === "ORDERS" && interval === "MINUTE" && intervalNum === 1) usage.ordersMinute = count;
  }
  return usage;
}
