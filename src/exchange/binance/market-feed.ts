import { TIMEFRAMES, type TimeframeName } from "../../market/timeframe.ts";
import type { Outcome } from "./gateway.ts";
import { KlineSequence, type MissingBars } from "./kline-sequence.ts";
import { MarketDecoder } from "./market-decoder.ts";
import type { Kline, MarketMessage } from "./market-message.ts";
import { type BookSnapshot, OrderBook } from "./order-book.ts";
import type { LineTiming } from "./socket-line.ts";
import { STREAMS_PER_LINE, StreamLine } from "./stream-line.ts";

/** Where streams are served since 2026-04: the exchange acknowledges one of the other category and sends nothing. */
export type Category = "public" | "market";

/** What is subscribed for every symbol. */
export interface FeedStreams {
  readonly quotes: boolean;
  readonly trades: boolean;
  /** Mark, index and funding, once a second: also each symbol's heartbeat. */
  readonly marks: boolean;
  readonly klines: readonly TimeframeName[];
  /** Changes of the whole book, each 100 ms. */
  readonly depth: boolean;
}

/** What the feed asks REST for. Both wait for their turn by themselves. */
export interface FeedSource {
  /** Closed bars whose opening times are from `from` to `to`, in order. */
  klines(symbol: string, timeframe: number, bars: MissingBars): Promise<Outcome<readonly Kline[]>>;
  book(symbol: string): Promise<Outcome<BookSnapshot>>;
}

export interface MarketFeedOptions {
  /** `wss://fstream.binance.com` */
  readonly address: string;
  /** Sorted by name; messages carry the index. */
  readonly symbols: readonly string[];
  readonly streams: FeedStreams;
  readonly source: FeedSource;
  /** Every message but closed bars, each once. Called on the thread of the socket, for each message. */
  readonly onMessage: (message: MarketMessage) => void;
  /** Hears every text before it is taken. */
  readonly onText?: (text: string) => void;
  /** A closed bar: exactly once, and in order for each symbol and timeframe. */
  readonly onBar: (symbol: number, timeframe: number, kline: Kline) => void;
  /** One of the lines of a category came up or went down. */
  readonly onState: (category: Category, up: boolean, reason: string) => void;
  /** Streams that are silent although their connection is open. */
  readonly onStale?: (streams: readonly string[]) => void;
  readonly timing?: FeedTiming;
}

/** ms; replaced in tests only. */
export interface FeedTiming {
  readonly line?: LineTiming;
  /** Between two looks at what is late. */
  readonly watch: number;
  /** Silence of a stream (Infinity: allowed, as in a replay that may stand still) after which it is subscribed anew, and after twice of which its line reconnects. */
  readonly stale: Readonly<Record<StreamKind, number>>;
  /** Between two questions for the same missing bars or book. */
  readonly askAgain: number;
  /**
   * How long bars must have been missing by our own clock before they are asked for; 0 when absent. The market's clock is
   * not enough: that of a recording may run so fast that what is on its way is minutes late.
   */
  readonly late?: number;
}

type StreamKind = "quote" | "trade" | "mark" | "depth" | "kline";

export const FEED_TIMING: FeedTiming = {
  watch: 1_000,
  // Marks come every second. The others depend on somebody trading: an illiquid symbol may be quiet for a while.
  stale: { mark: 10_000, quote: 120_000, depth: 120_000, kline: 300_000, trade: 900_000 },
  askAgain: 3_000,
  late: 2_000,
};

/** One kind of stream, for all symbols. */
interface Group {
  readonly kind: StreamKind;
  readonly timeframe: number;
  readonly category: Category;
  /** By symbol. */
  readonly names: readonly string[];
  /** By symbol: when the last message came, monotonic ms. */
  readonly heard: Float64Array;
  /** By symbol: number of the last message, which rises; what is not above it came twice. */
  readonly last: Float64Array;
  /** By symbol: whether it was subscribed anew since it was heard last. */
  readonly renewed: Uint8Array;
}

interface Series {
  readonly symbol: number;
  readonly timeframe: number;
  readonly sequence: KlineSequence;
  asking: boolean;
  askAt: number;
  /** Since when bars are missing, monotonic ms; Infinity while none are. */
  missingSince: number;
}

/**
 * The market as one stream of messages on this thread: sockets, decoder, each message once, bars complete and in
 * order, books in step with the exchange. Whatever is lost on the way comes back by itself: a connection by connecting,
 * a silent stream by subscribing anew, a bar or a book by asking REST.
 */
export class MarketFeed {
  readonly decoder: MarketDecoder;
  /** Trades that were between two others and never came; the bars of that time have them. */
  missedTrades = 0;
  /** When the message arrived that is being handed over, monotonic ms. */
  arrived = 0;
  /** By symbol; empty without depth streams. */
  readonly books: readonly OrderBook[];
  readonly #options: MarketFeedOptions;
  readonly #timing: FeedTiming;
  readonly #groups: readonly Group[];
  readonly #lines: readonly { readonly category: Category; readonly line: StreamLine }[];
  /** By timeframe, then by symbol. */
  readonly #series = new Map<number, readonly Series[]>();
  readonly #quotes: Group | undefined;
  readonly #trades: Group | undefined;
  readonly #marks: Group | undefined;
  readonly #depths: Group | undefined;
  readonly #klines = new Map<number, Group>();
  readonly #wantsBook = new Set<number>();
  #isAskingForBook = false;
  /** The largest event time seen: a replay has a time of its own. */
  #marketTime = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(options: MarketFeedOptions) {
    const { symbols, streams } = options;
    this.#options = options;
    this.#timing = options.timing ?? FEED_TIMING;
    this.decoder = new MarketDecoder(symbols);
    const group = (kind: StreamKind, category: Category, suffix: string, timeframe = 0): Group => ({
      kind,
      timeframe,
      category,
      names: symbols.map((symbol) => `${symbol.toLowerCase()}@${suffix}`),
      heard: new Float64Array(symbols.length),
      last: new Float64Array(symbols.length).fill(Number.NEGATIVE_INFINITY),
      renewed: new Uint8Array(symbols.length),
    });
    this.#quotes = streams.quotes ? group("quote", "public", "bookTicker") : undefined;
    this.#depths = streams.depth ? group("depth", "public", "depth@100ms") : undefined;
    this.#trades = streams.trades ? group("trade", "market", "aggTrade") : undefined;
    this.#marks = streams.marks ? group("mark", "market", "markPrice@1s") : undefined;
    for (const name of streams.klines) {
      const timeframe = TIMEFRAMES[name];
      this.#klines.set(timeframe, group("kline", "market", `kline_${name}`, timeframe));
      this.#series.set(
        timeframe,
        symbols.map((_, symbol) => ({
          symbol,
          timeframe,
          sequence: new KlineSequence(timeframe, (kline) => options.onBar(symbol, timeframe, kline)),
          asking: false,
          askAt: 0,
          missingSince: Number.POSITIVE_INFINITY,
        })),
      );
    }
    this.books = streams.depth ? symbols.map((_, symbol) => new OrderBook(() => this.#wantsBook.add(symbol))) : [];
    const optional = [this.#quotes, this.#depths, this.#trades, this.#marks, ...this.#klines.values()];
    this.#groups = optional.filter((one) => one !== undefined);
    this.#lines = (["public", "market"] as const).flatMap((category) => this.#linesOf(category));
  }

  /** Stream connections. */
  get connections(): number {
    return this.#lines.length;
  }

  /** Says which bar of a timeframe is wanted first, for every symbol; without it, the first one that closes. */
  startAt(timeframe: number, openTime: number): void {
    for (const { sequence } of this.#series.get(timeframe) ?? []) sequence.startAt(openTime);
  }

  open(): void {
    for (const { line } of this.#lines) line.open();
    const now = performance.now();
    for (const { heard } of this.#groups) heard.fill(now);
    this.#watch = setInterval(() => this.#look(), this.#timing.watch);
  }

  /** Resolves when every line has been up. */
  async ready(): Promise<void> {
    await Promise.all(this.#lines.map(({ line }) => line.ready));
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    for (const { line } of this.#lines) line.close();
  }

  /** Replaces every connection by a new one, without a gap. */
  renew(): void {
    for (const { line } of this.#lines) line.renew();
  }

  #linesOf(category: Category): { category: Category; line: StreamLine }[] {
    const { address, onState } = this.#options;
    const names = this.#groups.filter((one) => one.category === category).flatMap((one) => one.names);
    const lines: { category: Category; line: StreamLine }[] = [];
    for (let from = 0; from < names.length; from += STREAMS_PER_LINE) {
      const line = new StreamLine({
        address: `${address}/${category}/stream`,
        streams: names.slice(from, from + STREAMS_PER_LINE),
        onText: (text) => {
          this.arrived = performance.now();
          this.#options.onText?.(text);
          return this.decoder.decode(text, this.#take);
        },
        onState: (up, reason) => {
          // The streams begin to be due with the connection; while there is none, that they are silent says nothing.
          if (up) this.#forgive(line);
          onState(category, up, reason);
        },
        ...(this.#timing.line && { timing: this.#timing.line }),
      });
      lines.push({ category, line });
    }
    return lines;
  }

  #forgive(line: StreamLine): void {
    const now = performance.now();
    const streams = new Set(line.streams);
    for (const { names, heard, renewed } of this.#groups) {
      for (let i = 0; i < names.length; i++) {
        if (!streams.has(names[i]!)) continue;
        heard[i] = now;
        renewed[i] = 0;
      }
    }
  }

  readonly #take = (message: MarketMessage): void => {
    const group = this.#groupOf(message);
    if (group === undefined) return;
    if (message.eventTime > this.#marketTime) this.#marketTime = message.eventTime;
    const { symbol } = message;
    group.heard[symbol] = this.arrived;
    group.renewed[symbol] = 0;
    if (message.kind === "kline" && message.closed) {
      const series = this.#series.get(message.timeframe)![symbol]!;
      series.sequence.take(message.kline);
      return;
    }
    // A book tells a change that comes twice from one that is missing by itself.
    if (message.kind === "depth") this.books[symbol]!.change(message);
    const number = numberOf(message);
    const last = group.last[symbol]!;
    if (number <= last) return;
    if (message.kind === "trade" && last > 0 && number > last + 1) this.missedTrades += number - last - 1;
    group.last[symbol] = number;
    this.#options.onMessage(message);
  };

  #groupOf(message: MarketMessage): Group | undefined {
    switch (message.kind) {
      case "quote":
        return this.#quotes;
      case "trade":
        return this.#trades;
      case "mark":
        return this.#marks;
      case "depth":
        return this.#depths;
      case "kline":
        return this.#klines.get(message.timeframe);
    }
  }

  #look(): void {
    const now = performance.now();
    for (const { line } of this.#lines) this.#lookForSilence(line, now);
    this.#lookForBars();
    this.#askForBook();
  }

  #lookForSilence(line: StreamLine, now: number): void {
    const streams = new Set(line.streams);
    const silent: string[] = [];
    let isLost = false;
    for (const { kind, names, heard, renewed } of this.#groups) {
      const limit = this.#timing.stale[kind];
      for (let i = 0; i < names.length; i++) {
        const silence = now - heard[i]!;
        if (silence < limit || !streams.has(names[i]!)) continue;
        if (renewed[i] === 0) {
          renewed[i] = 1;
          silent.push(names[i]!);
        } else if (silence >= 2 * limit) {
          isLost = true;
        }
      }
    }
    if (isLost) {
      // Forgiven now, or every look until the new connection is up would end the attempt at it.
      this.#forgive(line);
      line.reconnect("a stream stays silent");
    } else if (silent.length > 0) {
      this.#options.onStale?.(silent);
      line.resubscribe(silent);
    }
  }

  #lookForBars(): void {
    const now = performance.now();
    const { late = 0 } = this.#timing;
    for (const all of this.#series.values()) {
      for (const series of all) {
        if (series.asking || series.askAt > now) continue;
        const missing = series.sequence.missing(this.#marketTime);
        if (missing === undefined) series.missingSince = Number.POSITIVE_INFINITY;
        else if (series.missingSince > now) series.missingSince = now;
        if (missing !== undefined && now - series.missingSince >= late) void this.#askForBars(series, missing);
      }
    }
  }

  async #askForBars(series: Series, missing: MissingBars): Promise<void> {
    series.asking = true;
    const name = this.#options.symbols[series.symbol]!;
    const outcome = await this.#options.source.klines(name, series.timeframe, missing);
    series.asking = false;
    series.askAt = performance.now() + this.#timing.askAgain;
    this.arrived = performance.now();
    if (outcome.kind === "done" && !this.#closed) series.sequence.fill(outcome.value);
  }

  /** One book at a time: a snapshot is dear, and after a lost connection all are wanted at once. */
  async #askForBook(): Promise<void> {
    if (this.#isAskingForBook) return;
    this.#isAskingForBook = true;
    for (const symbol of this.#wantsBook) {
      this.#wantsBook.delete(symbol);
      const outcome = await this.#options.source.book(this.#options.symbols[symbol]!);
      if (this.#closed) return;
      if (outcome.kind === "done") {
        this.books[symbol]!.snapshot(outcome.value);
      } else {
        // Asked again at the next look.
        this.#wantsBook.add(symbol);
        break;
      }
    }
    this.#isAskingForBook = false;
  }
}

/** By which a message that comes twice is known: it rises from message to message of a stream. */
function numberOf(message: MarketMessage): number {
  switch (message.kind) {
    case "quote":
      return message.update;
    case "trade":
      return message.id;
    case "depth":
      return message.last;
    case "mark":
    case "kline":
      return message.eventTime;
  }
}
