import { Agent } from "node:http";
import { isLoopback } from "./addresses.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoints.ts";
import { type Answer, limitsIn, parseBody, type Reply } from "./reply.ts";
import type { Params } from "./signing.ts";

/** What of npm `binance` is used: its signed and unsigned calls. */
interface Client {
  setTimeOffset(offset: number): void;
  get(path: string, params: object): Promise<unknown>;
  post(path: string, params: object): Promise<unknown>;
  put(path: string, params: object): Promise<unknown>;
  delete(path: string, params: object): Promise<unknown>;
  getPrivate(path: string, params: object): Promise<unknown>;
  postPrivate(path: string, params: object): Promise<unknown>;
  putPrivate(path: string, params: object): Promise<unknown>;
  deletePrivate(path: string, params: object): Promise<unknown>;
}

export interface RestTransportOptions {
  /** `https://fapi.binance.com` */
  readonly origin: string;
  readonly credentials: Credentials | undefined;
  /** The exchange's time, ms. */
  readonly now: () => number;
  readonly recvWindow: number;
  /** Until an answer must be complete, ms. */
  readonly timeout: number;
}

/**
 * Everything on REST that is no order goes through npm `binance`, with its defaults put right: long ids stay exact,
 * status, headers and body of every answer are kept, it gives up after seconds instead of minutes, and a redirect is an
 * answer (it would carry key and signature elsewhere). The library never sees the secret: it is handed a function that
 * signs. What it throws holds key and signature, and is therefore taken apart here and goes no further.
 */
export class RestTransport {
  readonly #options: RestTransportOptions;
  readonly #agent = new Agent({ keepAlive: true });
  #client: Promise<Client> | undefined;

  constructor(options: RestTransportOptions) {
    this.#options = options;
  }

  async call(endpoint: Endpoint, params: Params): Promise<Reply> {
    // Loaded with the first request: who trades on no real market pays nothing for it.
    this.#client ??= this.#load();
    const client = await this.#client;
    client.setTimeOffset(this.#options.now() - Date.now());
    const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));
    try {
      return (await invoke(client, endpoint, given)) as Answer;
    } catch (error) {
      return replyOf(error);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #load(): Promise<Client> {
    const { USDMClient } = await import("binance");
    const { origin, credentials, recvWindow, timeout } = this.#options;
    return new USDMClient(
      {
        baseUrl: origin,
        recvWindow,
        parseExceptions: false,
        keepAlive: true,
        ...(credentials && {
          api_key: credentials.apiKey.reveal(),
          api_secret: "not here",
          customSignMessageFn: (message: string) =>
            Promise.resolve(encodeURIComponent(credentials.signer.sign(message))),
        }),
      },
      {
        timeout,
        maxRedirects: 0,
        responseType: "text",
        transformResponse: [takeAnswer],
        httpAgent: this.#agent,
        ...(isLoopback(new URL(origin).hostname) && { proxy: false }),
      },
    );
  }
}

function invoke(client: Client, { verb, path, access }: Endpoint, params: object): Promise<unknown> {
  const isSigned = access === "signed";
  switch (verb) {
    case "GET":
      return isSigned ? client.getPrivate(path, params) : client.get(path, params);
    case "POST":
      return isSigned ? client.postPrivate(path, params) : client.post(path, params);
    case "PUT":
      return isSigned ? client.putPrivate(path, params) : client.put(path, params);
    case "DELETE":
      return isSigned ? client.deletePrivate(path, params) : client.delete(path, params);
  }
}

/** The library keeps of a success the body alone, so everything that is wanted of an answer becomes its body. */
function takeAnswer(text: unknown, headers: { get(name: string): unknown }, status?: number): Answer {
  const header = (name: string): string | undefined => {
    const value = headers.get(name);
    return typeof value === "string" ? value : undefined;
  };
  return { kind: "answer", status: status ?? 0, body: parseBody(String(text)), ...limitsIn(header) };
}

/** Failures before anything was written. */
const UNSENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ConnectionRefused", "FailedToOpenSocket"];

function replyOf(error: unknown): Reply {
  const { response, data, code } = error as { response?: { data?: Answer }; data?: Answer; code?: unknown };
  const answer = response?.data ?? data;
  if (answer?.kind === "answer") return answer;
  if (code === undefined) throw error instanceof Error ? new Error(`npm binance: ${error.name}`) : error;
  const reason = `no answer (${String(code)})`;
  return UNSENT.includes(String(code)) ? { kind: "unsent", reason } : { kind: "unknown", reason };
}
