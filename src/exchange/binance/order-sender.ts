import type { Credentials } from "./credentials.ts";
import type { OrderRoute } from "./endpoints.ts";
import type { HttpChannel } from "./http-channel.ts";
import type { Reply } from "./reply.ts";
import { type Params, signedQuery } from "./signing.ts";
import type { SocketApi } from "./socket-api.ts";

/**
 * Sends order requests over the WebSocket API while it is up and over HTTP otherwise. The bytes are handed to a socket
 * before `send` returns, where one is free. Nothing is sent twice, whichever way.
 */
export class OrderSender {
  readonly #socketApi: SocketApi;
  readonly #http: HttpChannel;
  readonly #credentials: Credentials;
  readonly #now: () => number;
  readonly #recvWindow: number;

  constructor(
    socketApi: SocketApi,
    http: HttpChannel,
    credentials: Credentials,
    clock: { readonly now: () => number; readonly recvWindow: number },
  ) {
    this.#socketApi = socketApi;
    this.#http = http;
    this.#credentials = credentials;
    this.#now = clock.now;
    this.#recvWindow = clock.recvWindow;
  }

  send({ method, verb, path }: OrderRoute, params: Params): Promise<Reply> {
    if (this.#socketApi.isUp) return this.#socketApi.call(method, params);
    const full = { ...params, recvWindow: this.#recvWindow, timestamp: this.#now() };
    return this.#http.call(verb, `${path}?${signedQuery(full, this.#credentials.signer)}`);
  }
}
