import { createHash } from "node:crypto";
import { zipSync } from "fflate";
import { klineArrays } from "../../src/market/kline-rules.ts";
import { csvOf } from "../../src/market/month-file.ts";
import { TIMEFRAMES, type TimeframeName } from "../../src/market/timeframe.ts";
import { KlineExchange } from "../market/kline-exchange.ts";

const DAY = 86_400_000;
/** The exchange began with these bars. */
export const LISTED = Date.UTC(2025, 0, 1);

/** What a test may change about the stand-in, and what it has been asked. */
export class BinanceStandIn {
  readonly exchange = new KlineExchange();
  /** Paths that were asked for, in order. */
  readonly asked: string[] = [];
  /** Months and days that the archive has not published. */
  readonly unpublished = new Set<string>();
  /** Periods whose files have no header, as before 2022, and whose zip is damaged on its way. */
  readonly bare = new Set<string>();
  readonly damaged = new Set<string>();
  /** The next answers, instead of what would be right. */
  readonly instead: Response[] = [];
  /** Called before a request is answered. */
  before: (path: string) => Promise<void> | void = () => {};
  readonly #server: Bun.Server<undefined>;

  constructor(now: number) {
    this.exchange.now = now;
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const url = new URL(request.url);
        this.asked.push(url.pathname + url.search);
        await this.before(url.pathname);
        const instead = this.instead.shift();
        if (instead !== undefined) return instead;
        if (url.pathname === "/fapi/v1/klines") return this.#klines(url.searchParams);
        return this.#file(decodeURIComponent(url.pathname));
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
  }

  async #klines(query: URLSearchParams): Promise<Response> {
    const [symbol, interval] = [query.get("symbol")!, query.get("interval") as TimeframeName];
    if (symbol === "NONEUSDT") return Response.json({ code: -1121, msg: "Invalid symbol." }, { status: 400 });
    const [from, to, limit] = ["startTime", "endTime", "limit"].map((name) => Number(query.get(name))) as [
      number,
      number,
      number,
    ];
    const bars = await this.exchange.klines(symbol, TIMEFRAMES[interval], from, to, limit);
    const text = (value: number) => value.toFixed(2);
    const rows = bars.map((bar) => [
      bar.openTime,
      ...[bar.open, bar.high, bar.low, bar.close].map(text),
      bar.volume.toFixed(3),
      bar.openTime + TIMEFRAMES[interval] - 1,
    ]);
    return Response.json(rows, { headers: { "x-mbx-used-weight-1m": String(this.exchange.weight) } });
  }

  #file(path: string): Response {
    const parts = /^\/data\/futures\/um\/(monthly|daily)\/klines\/(\w+)\/(\w+)\/\2-\3-([\d-]+)\.zip(\.CHECKSUM)?$/.exec(
      path,
    );
    if (parts === null) return new Response("no such file", { status: 404 });
    const [, folder, symbol, name, period, checksum] = parts as unknown as [
      string,
      string,
      string,
      TimeframeName,
      string,
      string?,
    ];
    const start = Date.parse(folder === "monthly" ? `${period}-01` : period);
    const end =
      folder === "monthly"
        ? Date.UTC(new Date(start).getUTCFullYear(), new Date(start).getUTCMonth() + 1)
        : start + DAY;
    if (end > this.exchange.now || end <= LISTED || this.unpublished.has(period) || symbol === "NONEUSDT") {
      return new Response("no such file", { status: 404 });
    }
    const step = TIMEFRAMES[name];
    const first = Math.max(start, LISTED);
    const bars = Array.from({ length: (end - first) / step }, (_, i) =>
      this.exchange.bar(symbol, step, first + i * step),
    );
    const csv = csvOf(klineArrays(bars));
    const text = this.bare.has(period) ? csv.slice(csv.indexOf("\n") + 1) : csv;
    // The real files have further columns.
    const wide = text
      .replaceAll("\n", ",0,0,0,0,0,0\n")
      .replace("volume,0,0,0,0,0,0", "volume,close_time,a,b,c,d,ignore");
    const zip = zipSync({ [`${symbol}-${name}-${period}.csv`]: Buffer.from(wide) }, { mtime: new Date(2026, 0, 1) });
    const sum = createHash("sha256").update(zip).digest("hex");
    if (checksum !== undefined) return new Response(`${sum}  ${symbol}-${name}-${period}.zip\n`);
    if (this.damaged.delete(period)) zip[40]! ^= 1;
    return new Response(zip);
  }
}
