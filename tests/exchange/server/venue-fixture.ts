import { createHmac, generateKeyPairSync } from "node:crypto";
import { USDT } from "../../../src/core/instrument.ts";
import { Door, type Scheduler } from "../../../src/exchange/simulated/server/door.ts";
import { credentialOf } from "../../../src/exchange/simulated/server/signature.ts";
import { Venue, type VenueOptions } from "../../../src/exchange/simulated/server/venue.ts";
import type { WireResponse } from "../../../src/exchange/simulated/server/wire.ts";
import { generateMarket } from "../../../src/market/generated-market.ts";

export const KEY = "test-key";
export const SECRET = "test-secret";
export const ED25519_KEY = "test-ed25519-key";
export const RSA_KEY = "test-rsa-key";
export const ED25519 = generateKeyPairSync("ed25519", {
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
export const RSA = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

const MINUTE = 60_000;
export const START = Date.UTC(2026, 0, 5);
const HISTORY = 300;

/** A venue on a small generated market, its clock standing at the start until it is advanced. */
export function newVenue(
  options: Partial<VenueOptions> & { readonly symbols?: number; readonly market?: number } = {},
) {
  const { symbols = 2, market = 3, ...others } = options;
  const source = generateMarket({ seed: market, symbols, start: START, historySteps: HISTORY });
  return new Venue(source, {
    play: "ticks",
    from: START + MINUTE,
    credentials: [
      credentialOf(KEY, SECRET),
      credentialOf(ED25519_KEY, ED25519.publicKey),
      credentialOf(RSA_KEY, RSA.publicKey),
    ],
    balance: 10_000 * USDT,
    takerFee: 0.0005,
    makerFee: 0.0002,
    spreadBps: 1,
    slippageBps: 1,
    volumeShare: 0.1,
    fundingOn: true,
    leverage: 20,
    ...others,
  });
}

/** A scheduler whose time is moved by hand. */
export class ManualClock implements Scheduler {
  #now = Date.UTC(2026, 5, 1);
  #waiting: { readonly at: number; readonly action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, action: () => void): void {
    this.#waiting.push({ at: this.#now + ms, action });
  }

  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      this.#waiting.sort((a, b) => a.at - b.at);
      const next = this.#waiting[0];
      if (next === undefined || next.at > until) break;
      this.#waiting.shift();
      this.#now = next.at;
      next.action();
    }
    this.#now = until;
  }
}

export type Answer = { readonly status: number; readonly headers: WireResponse["headers"]; readonly json: any };

/** A client without sockets: signs as the exchange wants it and reads the answers. */
export class VenueClient {
  readonly venue: Venue;
  readonly clock: ManualClock;
  readonly door: Door;
  readonly events: any[] = [];

  constructor(venue: Venue, clock = new ManualClock()) {
    this.venue = venue;
    this.clock = clock;
    this.door = new Door(venue, clock);
  }

  sign(payload: string): string {
    return createHmac("sha256", SECRET).update(payload).digest("hex");
  }

  /** Undefined when no answer has come (yet). */
  call(method: string, path: string, parameters: Record<string, string | number | boolean> = {}): Answer | undefined {
    const form = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) form.set(name, String(value));
    form.set("timestamp", String(this.clock.now()));
    const payload = form.toString();
    return this.send(method, path, `${payload}&signature=${this.sign(payload)}`);
  }

  send(method: string, path: string, query: string, body = "", apiKey: string | undefined = KEY): Answer | undefined {
    let answer: Answer | undefined;
    const request = { method, path, query, body, apiKey, ip: "127.0.0.1" };
    this.door.request(request, ({ status, headers, body: text }) => {
      answer = { status, headers, json: text.startsWith("<") ? text : JSON.parse(text) };
    });
    return answer;
  }

  /** The JSON of an answer that must be a good one. */
  good(method: string, path: string, parameters: Record<string, string | number | boolean> = {}): any {
    const answer = this.call(method, path, parameters);
    if (answer?.status !== 200) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer.json;
  }

  /** Listens to the user stream; what comes is collected in `events`. */
  listen(): void {
    const { listenKey } = this.good("POST", "/fapi/v1/listenKey");
    this.stream(`/private/ws/${listenKey}`, (event) => this.events.push(event));
  }

  stream(path: string, receive: (message: any) => void) {
    const [route, query = ""] = path.split("?") as [string, string?];
    const closed: number[] = [];
    const connection = this.door.connect(route, query, {
      send: (text) => receive(JSON.parse(text)),
      close: (code) => closed.push(code),
    });
    return { connection, closed };
  }
}

export const SYMBOL = "ALDERUSDT";

/** What the book shows best. */
export function best(venue: Venue, symbol = 0) {
  const { book, instrument } = venue.feed.symbols[symbol]!;
  const price = (ticks: number) =>
    ((ticks * instrument.tickUnits) / 10 ** instrument.priceDecimals).toFixed(instrument.priceDecimals);
  const quantity = (lots: number) =>
    ((lots * instrument.lotUnits) / 10 ** instrument.quantityDecimals).toFixed(instrument.quantityDecimals);
  const [bid] = book.bids(1);
  const [ask] = book.asks(1);
  return { bid: bid![0], ask: ask![0], bidLots: bid![1], askLots: ask![1], price, quantity };
}
