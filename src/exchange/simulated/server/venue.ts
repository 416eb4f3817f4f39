import type { BarEvent } from "../../../core/events.ts";
import type { BarSource, BarStep } from "../../../market/bar-source.ts";
import { assumedContract, type Contract } from "../../../market/contract.ts";
import { synthesiseTicks } from "../../../market/synthesised-ticks.ts";
import { hasTicks, type Tick, type TickSource } from "../../../market/tick-source.ts";
import type { VenueEvent } from "../../exchange.ts";
import { createSimulatedExchange, type SimulatedExchange, type SimulatedExchangeOptions } from "../exchange.ts";
import { createTickExchange } from "../tick-exchange.ts";
import { ListenKeys } from "./listen-keys.ts";
import { MarketFeed } from "./market-feed.ts";
import { RATE_LIMITS, type RateLimitOptions, RateLimits } from "./rate-limits.ts";
import type { Credential } from "./signature.ts";
import { StreamHub } from "./stream-hub.ts";
import { Trading } from "./trading.ts";
import type { Json } from "./wire.ts";

export interface VenueOptions extends SimulatedExchangeOptions {
  /**
   * How bars are played. "bars": one close after the other, as a backtest plays them, orders wait for the next open.
   * "ticks": through synthesised trades and books, orders fill when they arrive. Recorded ticks are always "ticks".
   */
  readonly play: "bars" | "ticks";
  /** The first bars that close while the market runs close here, ms UTC; earlier ones are history. */
  readonly from: number;
  /** Who may trade. */
  readonly credentials: readonly Credential[];
  readonly rateLimits?: RateLimitOptions;
  /** Whether answers to placing still have avgPrice and cumQuote, as before July 2026. Off by default. */
  readonly legacyOrderFields?: boolean;
  /** Of listen keys. */
  readonly seed?: number;
}

/** Leverage of a symbol that nobody has set, as on the exchange. */
const USUAL_LEVERAGE = 20;
const SECOND = 1000;

/**
 * The simulated exchange without its sockets: books, orders, streams and limits, at times that its caller says.
 *
 * Two clocks, never mixed: the market's, which moves by `advance` and `step` and stamps all that happens in the market,
 * and the exchange's own ("now" in all requests), by which timestamps, limits and listen keys are judged. A market can
 * so be played at any speed while clients live on the wall clock.
 */
export class Venue {
  readonly options: VenueOptions;
  readonly exchange: SimulatedExchange;
  readonly trading: Trading;
  readonly feed: MarketFeed;
  readonly hub: StreamHub;
  readonly limits: RateLimits;
  readonly listenKeys: ListenKeys;
  readonly contracts: readonly Contract[];
  /** Whether its keys may take money out, which who trades with one should refuse. */
  keysMayWithdraw = false;
  /** Market time, ms UTC. */
  time: number;
  /** Leverage by symbol. */
  readonly leverage: Float64Array;
  /** Dead man's switches by symbol index: when all orders of the symbol are cancelled. */
  readonly countdowns = new Map<number, number>();
  readonly #source: ObservedSource;
  #clientIds = 0;
  /** The next second of market time that is told. */
  #second: number;

  /** @throws RangeError for options out of their ranges */
  constructor(source: BarSource, options: VenueOptions) {
    this.options = options;
    const playsTicks = hasTicks(source) || options.play === "ticks";
    const ticks = hasTicks(source) ? source : playsTicks ? synthesiseTicks(source, options.spreadBps) : source;
    this.#source = observe(ticks);
    this.contracts = this.#source.contracts!;
    this.listenKeys = new ListenKeys(options.seed ?? 0);
    this.hub = new StreamHub((key) => this.listenKeys.isValid(key));
    const warm = warmUp(this.#source, options.from);
    this.exchange = playsTicks
      ? createTickExchange(this.#source as unknown as TickSource, options)
      : createSimulatedExchange(this.#source, options);
    this.trading = new Trading(this.exchange, (event) => this.tell(event));
    this.feed = new MarketFeed(this.exchange, this.hub, source.timeframe, options.spreadBps);
    for (const step of warm) this.feed.warm(step);
    this.limits = new RateLimits(options.rateLimits ?? RATE_LIMITS);
    this.leverage = Float64Array.from(source.instruments, ({ maxLeverage }) => Math.min(USUAL_LEVERAGE, maxLeverage));
    this.time = source.start + warm.length * source.timeframe;
    this.#second = this.time + SECOND;
    if (!playsTicks) this.feed.begin(this.time);
    // Until the first prices are there, so that whoever connects finds a market.
    this.advance(this.time + (playsTicks ? Math.floor(source.timeframe / SECOND / 2) * 100 : 0));
  }

  get timeframe(): number {
    return this.#source.timeframe;
  }

  /** True when the market has come to its end. */
  get ended(): boolean {
    return this.exchange.ended;
  }

  /** Plays the market up to a time, and what is told every second of it. */
  advance(until: number): void {
    for (;;) {
      const events = this.exchange.happening(this.#second < until ? this.#second : until);
      if (events.length > 0) {
        this.#take(events);
      } else if (this.#second <= until) {
        this.time = this.#second;
        this.#second += SECOND;
        this.#show();
        this.feed.second(this.time);
      } else {
        break;
      }
    }
    if (until > this.time) this.time = until;
    this.#show();
  }

  /**
   * Plays the next happening, whenever it is: what one order, position or symbol goes through at once, or all bars of
   * one close. Orders that its consequences call for take part in the happening after it. False when nothing happens
   * up to `until`, to which the market has gone then.
   */
  step(until = Number.POSITIVE_INFINITY): boolean {
    const events = this.exchange.happening(until);
    if (events.length === 0) {
      if (until > this.time && until < Number.POSITIVE_INFINITY && !this.ended) this.time = until;
      return false;
    }
    this.#take(events);
    this.#second = (Math.floor(this.time / SECOND) + 1) * SECOND;
    return true;
  }

  /** What the exchange's own clock brings: listen keys that end, and dead man's switches. */
  tick(now: number): void {
    const key = this.listenKeys.expired(now);
    if (key !== undefined) this.#tellExpired(key, now);
    for (const [symbol, at] of this.countdowns) {
      if (now < at) continue;
      this.countdowns.delete(symbol);
      for (const order of [...this.trading.openOrders]) {
        if (order.symbol === symbol) this.trading.cancel(order, this.time);
      }
    }
  }

  /** Ends the listen key before its time. */
  expireListenKey(now: number): void {
    const key = this.listenKeys.end();
    if (key !== undefined) this.#tellExpired(key, now);
  }

  /** Says something on the user stream. */
  tell(event: Json): void {
    const { key } = this.listenKeys;
    if (key !== undefined) this.hub.publish(key, event);
  }

  /** For orders whose sender gave them no name. */
  nextClientId(): string {
    return String(++this.#clientIds).padStart(18, "0");
  }

  #tellExpired(key: string, now: number): void {
    this.hub.publish(key, { e: "listenKeyExpired", E: now, listenKey: key });
    this.hub.silence(key);
  }

  #take(events: readonly VenueEvent[]): void {
    const bars: BarEvent[] = [];
    for (const event of events) {
      if (event.time > this.time) this.time = event.time;
      if (event.kind === "bar") bars.push(event);
      else this.trading.apply(event);
      if (event.kind === "liquidation" && event.cause === "liquidation") {
        const side = event.leg === "short" ? "BUY" : "SELL";
        this.feed.forced(event.symbol, event.time, side, event.lots, event.price);
      }
    }
    this.trading.rejectOrphans(
      (symbol, mark) => (mark ? this.feed.mark(symbol) : this.exchange.lastPrices[symbol]!),
      this.time,
    );
    this.#show();
    if (bars.length === 0) return;
    const alone = !this.#source.hasTicks;
    this.feed.close(bars, alone);
    if (alone) this.feed.second(this.time);
  }

  /** Shows the public what the source has played up to now. */
  #show(): void {
    for (const tick of this.#source.seen(this.time)) {
      if (tick.kind === "book") this.feed.bookUpdate(tick);
      else this.feed.trade(tick);
    }
    for (const step of this.#source.begun()) this.feed.fundings(step);
  }
}

/** A source whose ticks and steps are kept for a moment, so that the public can be told of them. */
interface ObservedSource extends BarSource {
  readonly hasTicks: boolean;
  /** Ticks up to a time that were not asked for before. */
  seen(until: number): Tick[];
  /** Steps that were begun since this was asked for. */
  begun(): BarStep[];
}

function observe(source: BarSource): ObservedSource {
  const ticks: Tick[] = [];
  const steps: BarStep[] = [];
  const tick = hasTicks(source)
    ? {
        tick() {
          const next = source.tick();
          if (next !== undefined) ticks.push(next);
          return next;
        },
      }
    : {};
  return {
    instruments: source.instruments,
    timeframe: source.timeframe,
    start: source.start,
    steps: source.steps,
    bars: source.bars,
    dataHash: source.dataHash,
    assumptions: source.assumptions,
    contracts: (source.contracts ?? source.instruments.map(assumedContract)).map(withoutAlgoLimit),
    ...(source.mark === undefined ? {} : { mark: source.mark }),
    step() {
      const step = source.step();
      if (step !== undefined) steps.push({ ...step, funding: step.funding.map((funding) => ({ ...funding })) });
      return step;
    },
    ...tick,
    hasTicks: hasTicks(source),
    seen(until) {
      let count = 0;
      while (count < ticks.length && ticks[count]!.time <= until) count++;
      return ticks.splice(0, count);
    },
    begun: () => steps.splice(0),
  };
}

/** Since December 2025 conditional orders are counted over the account, which the desk does, and not by symbol. */
function withoutAlgoLimit(contract: Contract): Contract {
  return { ...contract, maxConditional: contract.maxOrders };
}

/** Takes all steps whose bars close before `from`, as copies. */
function warmUp(source: ObservedSource, from: number): BarStep[] {
  const count = Math.ceil((from - source.timeframe - source.start) / source.timeframe);
  const steps: BarStep[] = [];
  for (let taken = 0; taken < count; taken++) {
    const step = source.step();
    if (step === undefined) break;
    const { open, high, low, close, volume, status } = step;
    const columns = { open: open.slice(), high: high.slice(), low: low.slice(), close: close.slice() };
    steps.push({ ...step, ...columns, volume: volume.slice(), status: status.slice(), funding: [...step.funding] });
  }
  source.begun();
  return steps;
}
