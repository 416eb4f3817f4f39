import { createHash } from "node:crypto";
import type { Settings } from "../config/settings.ts";
import { type Instrument, ticksOf } from "../core/instrument.ts";
import { addressesOf, isLoopback } from "../exchange/binance/addresses.ts";
import { BinanceClient, type Change } from "../exchange/binance/client.ts";
import type { Outcome } from "../exchange/binance/gateway.ts";
import { instrumentsOf } from "../exchange/binance/instruments.ts";
import { FEED_TIMING, MarketFeed } from "../exchange/binance/market-feed.ts";
import type { Kline } from "../exchange/binance/market-message.ts";
import { binanceOptions } from "../exchange/binance/options.ts";
import { patiently } from "../exchange/binance/patiently.ts";
import type { VenueEvent } from "../exchange/exchange.ts";
import { InputError } from "../input-error.ts";
import type { Kline as ClosedBar } from "../market/kline-rules.ts";
import { LiveBars } from "../market/live-bars.ts";
import { unlessStopped } from "./aborted.ts";
import { warmUpHistory } from "./history-warm-up.ts";
import { type Funding, LiveFunding } from "./live-funding.ts";
import { Lockstep } from "./lockstep.ts";

/** Which part of the real market a run trades. */
export interface BinanceChoice {
  /** All USDT perpetuals when undefined. */
  readonly symbols: readonly string[] | undefined;
}

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
/** History before the first decision, enough for every 1h indicator. */
const WARM = 4 * DAY;
/** How long after its close a bar may still change, ms. */
const FINISHED = 2000;
/** How long the first message of the market may take. */
const FIRST_MESSAGE = 15_000;
/** A market whose messages are this far from the clock is a recording that is being played. */
const PLAYED = 60_000;

/** The real market, or a simulated exchange that speaks like it: client, market data, and the bars as a source. */
export class BinanceMarket {
  readonly client: BinanceClient;
  readonly source: LiveBars;
  readonly instruments: readonly Instrument[];
  /** Bars that open from here on are traded; earlier ones are history. */
  readonly from: number;
  readonly address: string;
  /** Says whose account it is without giving the key away; empty without a key. */
  readonly account: string;
  /** Of a market that waits for this run after each step; undefined everywhere else. */
  readonly lockstep: Lockstep | undefined;
  readonly #feed: MarketFeed;
  readonly #clock: MarketTime;
  readonly #funding: LiveFunding;
  #onBar: ((event: VenueEvent, arrived: number) => void) | undefined;
  #onWake: () => void = () => {};

  private constructor(
    client: BinanceClient,
    source: LiveBars,
    from: number,
    feed: MarketFeed,
    clock: MarketTime,
    funding: LiveFunding,
    lockstep: Lockstep | undefined,
    names: { readonly address: string; readonly account: string },
  ) {
    this.lockstep = lockstep;
    this.client = client;
    this.source = source;
    this.instruments = source.instruments;
    this.from = from;
    this.address = names.address;
    this.account = names.account;
    this.#feed = feed;
    this.#clock = clock;
    this.#funding = funding;
  }

  /**
   * Connects, reads the contracts and the history.
   * @param mayTrade asked before anything leaves that changes something; always true when absent
   * @throws InputError where the exchange cannot be reached or refuses; StoppedEarly when the signal comes before it is open
   */
  static async open(
    settings: Settings,
    choice: BinanceChoice,
    onNotice: (level: "info" | "warning" | "alarm", text: string) => void,
    mayTrade?: (what: Change) => boolean,
    signal = new AbortController().signal,
  ): Promise<BinanceMarket> {
    const options = binanceOptions(settings);
    const { BINANCE_LOCKSTEP_URL: control } = settings;
    if (control !== "" && !isLoopback(new URL(options.addresses.rest).hostname)) {
      throw new InputError(
        "BINANCE_LOCKSTEP_URL is for a simulated exchange of this machine; orders would go elsewhere",
        2,
      );
    }
    const lockstep = control === "" ? undefined : await Lockstep.open(control);
    const onText = (text: string) => lockstep?.hear(text);
    const fence = mayTrade === undefined ? {} : { mayTrade };
    const client = new BinanceClient({ ...options, ...fence, onNotice, ...(lockstep && { onUserText: onText }) });
    let feed: MarketFeed | undefined;
    const opening = async () => {
      const info = answered("the exchange's contracts", await client.exchangeInfo("routine"));
      const isKeyed = options.keys.reading !== undefined;
      const brackets = isKeyed ? answered("leverage brackets", await client.leverageBrackets("routine")) : [];
      const instruments = instrumentsOf(info, brackets, choice.symbols);
      const clock: MarketTime = lockstep ?? new MarketClock(() => client.clock.now());
      const funding = new LiveFunding({ instruments, ask: (...range) => client.fundings(...range), wait: Bun.sleep });
      let market: BinanceMarket | undefined;
      const early: [number, Kline][] = [];
      const opened = new MarketFeed({
        address: options.addresses.streams,
        symbols: instruments.map(({ symbol }) => symbol),
        streams: { quotes: false, trades: false, marks: true, klines: ["1m"], depth: false },
        source: client,
        onMessage: (message) => {
          clock.heardOf(message.eventTime);
          if (message.kind === "mark") funding.mark(message);
        },
        onBar: (symbol, _timeframe, kline) => {
          if (market === undefined) early.push([symbol, kline]);
          else market.#bar(symbol, kline);
        },
        onState: (category, up, reason) => {
          if (up) client.connected(category);
          else onNotice("warning", `market data (${category}) is down: ${reason}`);
        },
        // A market that waits is silent for as long as it waits.
        ...(lockstep && { onText, timing: { ...FEED_TIMING, stale: NEVER_STALE } }),
        onStale: (streams) => onNotice("warning", `silent streams: ${streams.slice(0, 5).join(", ")}`),
      });
      feed = opened;
      await client.open();
      signal.throwIfAborted();
      opened.open();
      await opened.ready();
      if (clock instanceof MarketClock) await clock.started(FIRST_MESSAGE);
      const from = clock.now() - (clock.now() % MINUTE);
      opened.startAt(MINUTE, from);
      const source = new LiveBars({
        instruments,
        timeframe: MINUTE,
        start: from - WARM,
        assumptions: isKeyed ? [] : ["Leverage brackets are not known without a key; 20x is assumed."],
      });
      await readHistory(settings, client, source, from, onNotice);
      // Not only up to where trading begins: nobody follows those that were settled while the history was read.
      await funding.recall(source, clock.now());
      source.due(from);
      const account = settings.BINANCE_API_KEY || settings.BINANCE_TRADING_API_KEY;
      market = new BinanceMarket(client, source, from, opened, clock, funding, lockstep, {
        address: options.addresses.rest,
        account: account === "" ? "" : createHash("sha256").update(account).digest("hex").slice(0, 12),
      });
      for (const [symbol, kline] of early) market.#bar(symbol, kline);
      return market;
    };
    // Requests wait for the limits for minutes, and streams for their exchange: who stops now must not.
    return unlessStopped(signal, opening(), () => {
      feed?.close();
      client.close();
    });
  }

  /** The market's time, ms. */
  now(): number {
    return this.#clock.now();
  }

  /**
   * Follows fundings from now on.
   * @param booked "by-us" makes them part of the source's steps, as a simulated exchange takes them
   */
  fund(booked: "by-us" | "by-the-exchange"): void {
    this.#funding.begin(booked === "by-us" ? this.source : undefined);
  }

  /** Told of every funding that was settled, of any symbol. */
  onFunding(listener: (funding: Funding) => void): void {
    this.#funding.onSettled(listener);
  }

  /**
   * Where closed bars go from now on, and when their messages arrived (monotonic ms): instead of into the source, which
   * would keep what nobody takes.
   */
  listen(onBar: (event: VenueEvent, arrived: number) => void): void {
    this.#onBar = onBar;
  }

  /** Called when something has come in. */
  onWake(wake: () => void): void {
    this.#onWake = wake;
  }

  /** Stream connections, the account's included. */
  get connections(): number {
    return this.#feed.connections + 1;
  }

  close(): void {
    this.lockstep?.close();
    this.#funding.close();
    this.#feed.close();
    this.client.close();
  }

  #bar(symbol: number, kline: Kline): void {
    const bar = barOf(this.instruments[symbol]!, kline);
    this.#clock.heardOf(kline.openTime + MINUTE);
    this.#funding.bar(symbol, bar.openTime);
    if (this.#onBar === undefined) {
      this.source.add(symbol, bar);
    } else {
      const { openTime, open, high, low, close, volume } = bar;
      const time = openTime + MINUTE;
      this.#onBar({ kind: "bar", time, symbol, open, high, low, close, volume, flat: false }, this.#feed.arrived);
    }
    this.#onWake();
  }
}

function barOf(instrument: Instrument, { openTime, open, high, low, close, volume }: ClosedBar) {
  const ticks = (price: number) => ticksOf(instrument, price);
  return { openTime, open: ticks(open), high: ticks(high), low: ticks(low), close: ticks(close), volume };
}

/**
 * Fills the source with what came before. Bars of other places than the real market are not kept: one folder may see
 * both, and its bars are taken for the real ones later.
 */
async function readHistory(
  settings: Settings,
  client: BinanceClient,
  source: LiveBars,
  from: number,
  onNotice: (level: "info" | "warning" | "alarm", text: string) => void,
): Promise<void> {
  const { instruments, timeframe, start } = source;
  const places = new Map(instruments.map(({ symbol }, place) => [symbol, place]));
  const to = from - timeframe;
  const isReal = addressesOf(settings).live;
  // Four days of two hundred symbols are more requests than two minutes' limits.
  let saidUntil = 0;
  const patience = {
    now: () => client.clock.now(),
    wait: (ms: number) => Bun.sleep(ms),
    onWait: (ms: number, reason: string) => {
      const now = client.clock.now();
      if (now >= saidUntil) onNotice("info", `history: waits for ${Math.ceil(ms / 1000)} s, because ${reason}`);
      saidUntil = Math.max(saidUntil, now + ms);
    },
  };
  const { read, fetched, requests } = await warmUpHistory(
    { ...settings, ENABLE_STORE: settings.ENABLE_STORE && isReal },
    {
      ...{ symbols: [...places.keys()], timeframe, from: start, to, onNotice },
      finished: client.clock.now() - from >= FINISHED ? to : to - timeframe,
      fetcher: {
        klines: async (symbol, timeframe, ...range) =>
          answered("bars", await patiently(() => client.klinePage(symbol, timeframe, ...range), patience)),
      },
      onBars: (symbol, bars) => {
        const place = places.get(symbol)!;
        for (const bar of bars) source.add(place, barOf(instruments[place]!, bar));
      },
    },
  );
  if (read > 0) onNotice("info", `history: ${read} bars from the store, ${fetched} fetched by ${requests} requests`);
}

/** What an outcome brought. @throws InputError where it brought nothing, saying what was asked for */
export function answered<T>(what: string, outcome: Outcome<T>): T {
  switch (outcome.kind) {
    case "done":
      return outcome.value;
    case "refused":
      throw new InputError(`${what}: the exchange refuses (${outcome.code} ${outcome.message})`);
    default:
      throw new InputError(`${what}: the exchange does not answer (${outcome.reason})`);
  }
}

/** What knows the market's time. */
interface MarketTime {
  /** Something of this time has come in. */
  heardOf(time: number): void;
  now(): number;
}

const NEVER = Number.POSITIVE_INFINITY;
const NEVER_STALE = { mark: NEVER, quote: NEVER, depth: NEVER, kline: NEVER, trade: NEVER };

/**
 * The market's time: the exchange's clock, or, where the market is a recording that is being played, the time of the last
 * message and what has passed since.
 */
class MarketClock implements MarketTime {
  readonly #exchange: () => number;
  #heard = 0;
  #offset = 0;
  #resolve: (() => void) | undefined;

  constructor(exchange: () => number) {
    this.#exchange = exchange;
  }

  heardOf(time: number): void {
    if (time <= this.#heard) return;
    this.#heard = time;
    const apart = time - this.#exchange();
    if (Math.abs(apart) > PLAYED) this.#offset = apart;
    this.#resolve?.();
  }

  /** Resolves with the first message. @throws InputError when none comes */
  async started(within: number): Promise<void> {
    if (this.#heard > 0) return;
    const first = Promise.withResolvers<void>();
    this.#resolve = first.resolve;
    const late = new InputError(`no market data came within ${within / 1000} s: are the addresses right?`);
    const timer = setTimeout(() => first.reject(late), within);
    try {
      await first.promise;
    } finally {
      clearTimeout(timer);
      this.#resolve = undefined;
    }
  }

  now(): number {
    const now = this.#exchange() + this.#offset;
    return now > this.#heard ? now : this.#heard;
  }
}
