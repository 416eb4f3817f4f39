import { WireError } from "./wire.ts";

export interface RateLimitOptions {
  /** Request weight of one address per minute. */
  readonly weight: number;
  /** Orders of the account per ten seconds and per minute. */
  readonly ordersPer10s: number;
  readonly ordersPerMinute: number;
}

export const RATE_LIMITS: RateLimitOptions = { weight: 2400, ordersPer10s: 300, ordersPerMinute: 1200 };

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** So many requests after the first 429 of a minute are answered with it again; the next one is banned. */
const PATIENCE = 5;
/** Bans grow from two minutes to three days, each twice the one before. */
const FIRST_BAN = 2 * MINUTE;
const LONGEST_BAN = 3 * 24 * 60 * MINUTE;

interface Address {
  minute: number;
  used: number;
  /** Requests of this minute beyond the limit. */
  ignored: number;
  bannedUntil: number;
  lastBan: number;
}

/** What the exchange counts of requests and orders, in windows of its own clock. */
export class RateLimits {
  readonly options: RateLimitOptions;
  readonly #addresses = new Map<string, Address>();
  readonly #orders = { tenSeconds: { window: 0, count: 0 }, minute: { window: 0, count: 0 } };

  constructor(options: RateLimitOptions) {
    this.options = options;
  }

  /** @throws WireError 429 beyond the limit, 418 for an address that went on regardless; with seconds to wait. */
  weigh(ip: string, weight: number, now: number): void {
    const address = this.#address(ip, now);
    if (now < address.bannedUntil)
      throw new LimitError(418, banned(ip, address.bannedUntil), address.bannedUntil - now);
    address.used += weight;
    if (address.used <= this.options.weight) return;
    address.ignored++;
    if (address.ignored > PATIENCE) throw new LimitError(418, banned(ip, this.ban(ip, now)), address.bannedUntil - now);
    const limit = `current limit of IP(${ip}) is ${this.options.weight} requests per minute`;
    const message = `Too many requests; ${limit}. Please use the websocket for live updates to avoid polling the API.`;
    throw new LimitError(429, message, (address.minute + 1) * MINUTE - now);
  }

  /** Uses up what an address may ask for in this minute. */
  exhaust(ip: string, now: number): void {
    this.#address(ip, now).used = this.options.weight;
  }

  /** Bans an address for twice as long as the last time. Returns when the ban ends. */
  ban(ip: string, now: number, duration?: number): number {
    const address = this.#address(ip, now);
    address.lastBan = duration ?? (address.lastBan === 0 ? FIRST_BAN : Math.min(2 * address.lastBan, LONGEST_BAN));
    address.bannedUntil = now + address.lastBan;
    return address.bannedUntil;
  }

  /** Counts new orders. @throws WireError -1015 beyond a limit */
  order(count: number, now: number): void {
    const { tenSeconds, minute } = this.#windows(now);
    const { ordersPer10s, ordersPerMinute } = this.options;
    if (tenSeconds.count + count > ordersPer10s) throw tooManyOrders(ordersPer10s, "10 SECOND", 10 * SECOND, now);
    if (minute.count + count > ordersPerMinute) throw tooManyOrders(ordersPerMinute, "1 MINUTE", MINUTE, now);
    tenSeconds.count += count;
    minute.count += count;
  }

  usedWeight(ip: string, now: number): number {
    return this.#address(ip, now).used;
  }

  orderCounts(now: number): { readonly tenSeconds: number; readonly minute: number } {
    const { tenSeconds, minute } = this.#windows(now);
    return { tenSeconds: tenSeconds.count, minute: minute.count };
  }

  #address(ip: string, now: number): Address {
    let address = this.#addresses.get(ip);
    if (address === undefined) {
      address = { minute: 0, used: 0, ignored: 0, bannedUntil: 0, lastBan: 0 };
      this.#addresses.set(ip, address);
    }
    const minute = Math.floor(now / MINUTE);
    if (minute !== address.minute) {
      address.minute = minute;
      address.used = 0;
      address.ignored = 0;
    }
    return address;
  }

  #windows(now: number) {
    const { tenSeconds, minute } = this.#orders;
    for (const [counter, length] of [
      [tenSeconds, 10 * SECOND],
      [minute, MINUTE],
    ] as const) {
      const window = Math.floor(now / length);
      if (counter.window !== window) {
        counter.window = window;
        counter.count = 0;
      }
    }
    return this.#orders;
  }
}

/** A refusal that says when to come back. */
export class LimitError extends WireError {
  /** Seconds. */
  readonly retryAfter: number;

  constructor(status: number, message: string, wait: number, code = -1003) {
    super(code, message, status);
    this.retryAfter = Math.max(1, Math.ceil(wait / SECOND));
  }
}

function banned(ip: string, until: number): string {
  return `Way too many requests; IP(${ip}) banned until ${until}. Please use the websocket for live updates to avoid bans.`;
}

function tooManyOrders(limit: number, interval: string, length: number, now: number): LimitError {
  const wait = (Math.floor(now / length) + 1) * length - now;
  return new LimitError(429, `Too many new orders; current limit is ${limit} orders per ${interval}.`, wait, -1015);
}
