import { InputError } from "../input-error.ts";
import type { BarFetcher } from "../market/bar-fetcher.ts";
import type { Kline } from "../market/kline-rules.ts";
import { timeframeName } from "../market/timeframe.ts";
import { type Answer, get, type HttpOptions } from "./public-http.ts";

export interface RestBarsOptions extends HttpOptions {
  /** Without a path: https://fapi.binance.com */
  readonly url: string;
  /** Request weight that may be used within a minute. */
  readonly weightPerMinute: number;
  /** ms, and a way to let some of them pass. */
  readonly now?: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
}

const MINUTE = 60_000;
const MOST_REFUSALS = 5;

/**
 * Bars from Binance's REST interface (`GET /fapi/v1/klines`), which needs no key. Stays below its share of the
 * address's request weight, by what the exchange itself reports as used, and waits as long as it is told to.
 */
export class RestBars implements BarFetcher {
  readonly #options: RestBarsOptions;
  /** Weight used in the minute that `#minute` counts. */
  #used = 0;
  #minute = 0;
  /** Requests take turns: each waits for the room that the ones before it leave. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RestBarsOptions) {
    this.#options = options;
  }

  klines(symbol: string, timeframe: number, from: number, to: number, limit: number): Promise<readonly Kline[]> {
    const question = { symbol, interval: timeframeName(timeframe), startTime: from, endTime: to, limit };
    const query = Object.entries(question).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    const answer = this.#turn.then(() => this.#ask(`${this.#options.url}/fapi/v1/klines?${query.join("&")}`, limit));
    this.#turn = answer.catch(() => {});
    return answer.then(({ body }) => parseRows(body, symbol));
  }

  async #ask(url: string, limit: number): Promise<Answer> {
    const weight = klinesWeight(limit);
    for (let refusals = 0; ; refusals++) {
      await this.#admit(weight);
      const answer = await get(url, this.#options);
      this.#used = Number(answer.headers.get("x-mbx-used-weight-1m") ?? this.#used + weight);
      if (answer.status === 200) return answer;
      if (answer.status !== 429 || refusals === MOST_REFUSALS) throw refusal(url, answer);
      const seconds = Number(answer.headers.get("retry-after"));
      await this.#sleep(seconds > 0 ? 1000 * seconds : MINUTE);
    }
  }

  /** Waits for the next minute where this one has no room for the weight. */
  async #admit(weight: number): Promise<void> {
    const { now = Date.now, weightPerMinute } = this.#options;
    const at = now();
    if (Math.floor(at / MINUTE) !== this.#minute) this.#used = 0;
    else if (this.#used > 0 && this.#used + weight > weightPerMinute) {
      await this.#sleep(MINUTE - (at % MINUTE));
      this.#used = 0;
    }
    this.#minute = Math.floor(now() / MINUTE);
  }

  #sleep(ms: number): Promise<void> {
    return (this.#options.sleep ?? Bun.sleep)(ms);
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

function refusal(url: string, { status, headers, body }: Answer): InputError {
  const text = new TextDecoder().decode(body).slice(0, 200);
  if (text.includes("-1121")) {
    return new InputError(`the exchange knows no symbol ${new URL(url).searchParams.get("symbol")}`);
  }
  if (status === 418) {
    return new InputError(`${url}: this address is banned for ${headers.get("retry-after") ?? "some"} s (HTTP 418)`);
  }
  return new InputError(`${url}: HTTP ${status} ${text}`);
}
