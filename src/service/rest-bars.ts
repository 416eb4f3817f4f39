import type { Bans } from "../exchange/binance/bans.ts";
import { type Cost, ORDER_LIMITS, RateBudget } from "../exchange/binance/rate-budget.ts";
import { InputError } from "../input-error.ts";
import type { BarFetcher } from "../market/bar-fetcher.ts";
import type { Kline } from "../market/kline-rules.ts";
import { timeframeName } from "../market/timeframe.ts";
import { type Answer, get, type HttpOptions } from "./public-http.ts";

export interface RestBarsOptions extends HttpOptions {
  /** Without a path: https://fapi.binance.com */
  readonly url: string;
  /** RATE_LIMIT_REQUESTS: request weight that may be used within a minute, of which bars take the routine's share. */
  readonly weightPerMinute: number;
  /** What is remembered of bans, of this address, by any program here. */
  readonly bans: Bans;
  /** ms, and a way to let some of them pass. */
  readonly now?: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
}

const MOST_REFUSALS = 5;

/**
 * Bars from Binance's REST interface (`GET /fapi/v1/klines`), which needs no key. Stays below its share of the
 * address's request weight, by what the exchange itself reports as used, waits as long as it is told to, and asks
 * nothing while the address is banned.
 */
export class RestBars implements BarFetcher {
  readonly #options: RestBarsOptions;
  readonly #budget: RateBudget;
  /** Requests take turns: each waits for the room that the ones before it leave. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RestBarsOptions) {
    this.#options = options;
    this.#budget = new RateBudget({ weightPerMinute: options.weightPerMinute, ...ORDER_LIMITS });
  }

  klines(symbol: string, timeframe: number, from: number, to: number, limit: number): Promise<readonly Kline[]> {
    const question = { symbol, interval: timeframeName(timeframe), startTime: from, endTime: to, limit };
    const query = Object.entries(question).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    const answer = this.#turn.then(() => this.#ask(`${this.#options.url}/fapi/v1/klines?${query.join("&")}`, limit));
    this.#turn = answer.catch(() => {});
    return answer.then(({ body }) => parseRows(body, symbol));
  }

  async #ask(url: string, limit: number): Promise<Answer> {
    const cost = { weight: klinesWeight(limit), orders: 0 };
    for (let refusals = 0; ; refusals++) {
      await this.#leave(cost);
      const answer = await get(url, this.#options);
      const now = this.#now();
      const used = answer.headers.get("x-mbx-used-weight-1m");
      if (used !== null) this.#budget.observe({ weight: Number(used) }, now);
      if (answer.status === 200) return answer;
      if (answer.status !== 429 && answer.status !== 418) throw refusal(url, answer);
      const seconds = Number(answer.headers.get("retry-after"));
      const retryAfter = seconds > 0 ? seconds : undefined;
      this.#budget.stop({ status: answer.status, code: 0, message: textOf(answer), retryAfter }, now);
      if (answer.status === 418) this.#options.bans.remember(this.#options.url, this.#budget.closedUntil);
      else if (refusals === MOST_REFUSALS) throw refusal(url, answer);
    }
  }

  /** Waits until there is room for a request. @throws InputError while the address is banned */
  async #leave(cost: Cost): Promise<void> {
    for (;;) {
      const now = this.#now();
      const banned = this.#options.bans.until(this.#options.url);
      if (banned > now) {
        const until = new Date(banned).toISOString();
        throw new InputError(
          `${this.#options.url} takes no requests from this address until ${until} (a ban, HTTP 418)`,
        );
      }
      const free = this.#budget.leave(cost, "routine", now);
      if (free === 0) return;
      await (this.#options.sleep ?? Bun.sleep)(free - now);
    }
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

/** Weight of a request for bars by its limit, as the exchange's documentation has it. */
function klinesWeight(limit: number): number {
  if (limit < 100) return 1;
  if (limit < 500) return 2;
  return limit <= 1000 ? 5 : 10;
}

/** Rows of [open time, open, high, low, close, volume, …], prices as text. */
function parseRows(body: Uint8Array, symbol: string): Kline[] {
  const wrong = (what: string) => new InputError(`the exchange's answer for ${symbol} cannot be used: ${what}`);
  let rows: unknown;
  try {
    rows = JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw wrong("it is no JSON");
  }
  if (!Array.isArray(rows)) throw wrong("it is no array of bars");
  return rows.map((row: unknown) => {
    if (!Array.isArray(row) || row.length < 6) throw wrong("a row has fewer than six values");
    const [openTime, open, high, low, close, volume] = row.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return { openTime, open, high, low, close, volume };
  });
}

function refusal(url: string, answer: Answer): InputError {
  const text = textOf(answer);
  if (text.includes("-1121")) {
    return new InputError(`the exchange knows no symbol ${new URL(url).searchParams.get("symbol")}`);
  }
  return new InputError(`${url}: HTTP ${answer.status} ${text}`);
}

function textOf({ body }: Answer): string {
  return new TextDecoder().decode(body).slice(0, 200);
}
