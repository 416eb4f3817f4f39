import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../../src/config/load.ts";
import type { Candidate, Regime } from "../../../src/core/candidate.ts";
import { checkBook } from "../../../src/core/check-book.ts";
import type { AnalysisEvent } from "../../../src/core/events.ts";
import { USDT } from "../../../src/core/instrument.ts";
import type { State } from "../../../src/core/state.ts";
import { parseClientId } from "../../../src/exchange/binance/client-id.ts";
import { quantityText, ticksFrom } from "../../../src/exchange/binance/decimals.ts";
import { BinanceExchange } from "../../../src/exchange/binance/exchange.ts";
import type { ForeignPolicy } from "../../../src/exchange/binance/reconcile.ts";
import { Door } from "../../../src/exchange/simulated/server/door.ts";
import { FAULT_KINDS, randomFaults } from "../../../src/exchange/simulated/server/faults.ts";
import { listen } from "../../../src/exchange/simulated/server/listen.ts";
import { Pace } from "../../../src/exchange/simulated/server/pace.ts";
import { relay } from "../../../src/exchange/simulated/server/relay.ts";
import type { Venue } from "../../../src/exchange/simulated/server/venue.ts";
import { InputError } from "../../../src/input-error.ts";
import { Random } from "../../../src/market/random.ts";
import { openJournal } from "../../../src/service/assembly.ts";
import { openRealVenue, type RealVenue } from "../../../src/service/real-venue.ts";
import { openVenue } from "../../../src/service/simulated-venue.ts";
import { Trader } from "../../../src/service/trader.ts";
import { Auditor, Violation } from "../../simulation/auditor.ts";

export interface SocketOutcome {
  readonly seed: number;
  readonly faults: string;
  readonly events: number;
  readonly entries: number;
  /** Limit orders that waited to enter, and orders for what they had left. */
  readonly rested: number;
  readonly wentOn: number;
  readonly fills: number;
  readonly comparisons: number;
  readonly adoptions: number;
  readonly mostPasses: number;
  /** From the report of a fill to the acknowledgement of a stop or the sending of an exit, wall ms. */
  readonly longestNaked: number;
  /** Wall time until the books agreed after the last fault, ms. */
  readonly converged: number;
  readonly strikes: ReadonlyMap<string, number>;
  /** What is wrong, in words; undefined when all is well. */
  readonly violation: string | undefined;
}

/** Market milliseconds per wall millisecond: a bar each two seconds. */
const SPEED = 30;
/** How long everything may take to come to rest after the last fault, and after the end of a ban that lasts longer, ms. */
const PATIENCE = 120_000;
const SYMBOLS = 3;
/** When everything is closed while faults go on, as shares of the duration; entries go on afterwards. */
const FLATTENED: readonly number[] = [0.4, 0.65, 0.9];
/** Durations that a run without an entry goes on for. */
const LONGEST = 5;
/** Each kind alone for the first seeds of a round, mixtures for as many after them. */
export function faultsOf(seed: number, duration: number) {
  const alone = FAULT_KINDS[seed % (2 * FAULT_KINDS.length)];
  if (alone === undefined) {
    return { name: "mixture", script: randomFaults(seed, { duration, count: 12, kinds: FAULT_KINDS }) };
  }
  return { name: alone, script: randomFaults(seed, { duration, count: 6, kinds: [alone] }) };
}

/**
 * The trader's real parts over real sockets, on a simulated exchange in which things go wrong; with a script instead of
 * an analysis. After `duration` ms of faults everything is closed, and the books are compared to the last digit.
 *
 * @param policy with it, somebody else has a position on the first symbol when the trader comes, which is not entered
 */
export async function socketRun(
  seed: number,
  duration = 25_000,
  faults = faultsOf(seed, duration),
  policy?: ForeignPolicy,
): Promise<SocketOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-faults-"));
  const market = { kind: "generated", seed, symbols: SYMBOLS } as const;
  // Rounds take turns with how the account is kept.
  const POSITION_MODE = Math.floor(seed / (2 * FAULT_KINDS.length)) % 2 === 1 ? "hedge" : "one-way";
  const venue = openVenue(loadSettings({ POSITION_MODE }, []).settings, {
    market,
    without: [],
    lockstep: false,
    apiKey: "key",
    secret: "secret",
    balance: 10_000,
  });
  const door = new Door(venue);
  const port = listen(door, 0);
  const front = relay(port.port, 0);
  door.onHalfOpen = ({ stream }) => front.freeze(stream === undefined ? undefined : `/${stream}/`);
  const pace = new Pace(venue, SPEED);
  const host = `127.0.0.1:${front.port}`;
  const { settings } = loadSettings(
    {
      DATA_DIR: folder,
      EXCHANGE: "binance",
      TRADING_ENABLED: "true",
      BINANCE_REST_URL: `http://${host}`,
      BINANCE_WS_URL: `ws://${host}`,
      BINANCE_WS_API_URL: `ws://${host}/ws-fapi/v1`,
      BINANCE_API_KEY: "key",
      BINANCE_API_SECRET: "secret",
      CYCLE_INTERVAL: "60",
      MIN_CONFIDENCE: "0.2",
      // The bound is on the market's clock, which runs so much faster than the one that answers come by.
      PROTECTION_TIMEOUT_MS: "60000",
      ...(seed % 2 === 1 && {
        ENTRY_ORDER: "limit-first",
        ENTRY_LIMIT_OFFSET_BPS: "3",
        ENTRY_POST_ONLY: String(seed % 4 === 3),
        ENTRY_MAX_SLIPPAGE_BPS: "50",
      }),
      POSITION_MODE,
      ...(policy && { FOREIGN_POSITIONS: policy }),
    },
    [],
  );
  const notices: string[] = [];
  let real: RealVenue | undefined;
  try {
    if (policy !== undefined) await openByHand(`http://${host}`, venue);
    const note = (level: string, text: string) => notices.push(`${level} ${text}`);
    real = await started(() => openRealVenue(settings, { symbols: undefined }, note));
    return await new Run(seed, venue, door, real, notices, settings, policy).run(duration, faults);
  } finally {
    real?.close();
    pace.stop();
    front.stop();
    await port.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Somebody else, at a screen of the exchange's own: 200 USDT of the first symbol at fivefold leverage. */
async function openByHand(base: string, { exchange }: Venue): Promise<void> {
  const { account } = exchange;
  const [instrument] = exchange.instruments;
  const { symbol } = instrument!;
  const marked = (await (await fetch(`${base}/fapi/v1/premiumIndex?symbol=${symbol}`)).json()) as { markPrice: string };
  const value = ticksFrom(instrument!, marked.markPrice) * instrument!.unitValue;
  const quantity = quantityText(instrument!, Math.ceil((200 * USDT) / value));
  const leg = account.hedge ? { positionSide: "SHORT" } : {};
  for (const [path, parameters] of [
    ["leverage", { symbol, leverage: "5" }],
    ["order", { symbol, side: "SELL", ...leg, type: "MARKET", quantity, newClientOrderId: "web_hand" }],
  ] as const) {
    const query = new URLSearchParams({ ...parameters, timestamp: String(Date.now()) }).toString();
    const signature = createHmac("sha256", "secret").update(query).digest("hex");
    const answer = await fetch(`${base}/fapi/v1/${path}?${query}&signature=${signature}`, {
      method: "POST",
      headers: { "X-MBX-APIKEY": "key" },
    });
    if (!answer.ok) throw new Error(await answer.text());
  }
}

const STARTS = 5;

/** A machine with many worlds on it may be too slow for one of them to start; whoever runs a service starts it again. */
async function started<T>(start: () => Promise<T>): Promise<T> {
  for (let left = STARTS; ; left--) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof InputError) || left === 0) throw error;
    }
  }
}

class Run {
  readonly #seed: number;
  readonly #venue: Venue;
  readonly #door: Door;
  readonly #real: RealVenue;
  readonly #exchange: BinanceExchange;
  readonly #notices: string[];
  readonly #auditor: Auditor;
  readonly #entries = new Set<number>();
  readonly #last: string[] = [];
  readonly #random: Random;
  readonly #policy: ForeignPolicy | undefined;
  #events = 0;
  #comparisons = 0;
  #mostPasses = 0;
  #trading = true;

  constructor(
    seed: number,
    venue: Venue,
    door: Door,
    real: RealVenue,
    notices: string[],
    settings: Parameters<typeof openRealVenue>[0],
    policy: ForeignPolicy | undefined,
  ) {
    this.#policy = policy;
    const { exchange, state } = real;
    if (!(exchange instanceof BinanceExchange)) throw new Error("this is about real orders");
    this.#seed = seed;
    this.#venue = venue;
    this.#door = door;
    this.#real = real;
    this.#exchange = exchange;
    this.#notices = notices;
    this.#random = new Random(seed, 1);
    const { MAX_POSITIONS, MAX_LEVERAGE, MAX_MARGIN_PCT, MAX_EXPOSURE_RATIO, DAILY_LOSS_LIMIT_PCT } = settings;
    this.#auditor = new Auditor(state, {
      maxPositions: MAX_POSITIONS,
      maxLeverage: MAX_LEVERAGE,
      maxMarginFraction: MAX_MARGIN_PCT,
      maxExposure: MAX_EXPOSURE_RATIO,
      dailyLossLimit: DAILY_LOSS_LIMIT_PCT,
    });
  }

  async run(duration: number, { name, script }: ReturnType<typeof faultsOf>): Promise<SocketOutcome> {
    let violation: string | undefined;
    let converged = 0;
    try {
      converged = await this.#trade(script, duration);
    } catch (error) {
      const text = error instanceof Violation ? error.message : `${(error as Error).stack}`;
      violation = [...this.#notices.slice(-12), ...this.#last, text].join("\n");
    }
    return {
      seed: this.#seed,
      faults: name,
      events: this.#events,
      entries: this.#entries.size,
      fills: this.#auditor.fills,
      rested: this.#auditor.rested,
      wentOn: this.#auditor.wentOn,
      comparisons: this.#comparisons,
      adoptions: this.#auditor.adoptions,
      mostPasses: this.#mostPasses,
      longestNaked: Math.round(this.#auditor.longestNaked / SPEED),
      converged,
      strikes: this.#door.strikes,
      violation,
    };
  }

  async #trade(script: ReturnType<typeof randomFaults>, duration: number): Promise<number> {
    const { state, market } = this.#real;
    const { source, from } = market;
    // Nothing is analysed, so nothing has to warm up.
    while (source.next < from - source.timeframe) source.step();
    const journal = openJournal(this.#real.bookSettings, {
      command: "run",
      kernel: "none",
      settingsHash: "",
      instruments: market.instruments,
      bars: "stored",
      data: this.#real.reference,
      mode: "live",
      epoch: this.#real.epoch!,
    });
    const trader = new Trader({
      state,
      exchange: this.#exchange,
      journal,
      onRecord: () => {},
      onNotice: (level, text) => this.#notices.push(`${level} ${text}`),
      watchers: [{ stepped: (event, effects) => this.#audit(event, effects) }],
    });
    await this.#real.begin();
    this.#door.start(script);
    const begun = performance.now();
    let calm = 0;
    let flattened = 0;
    const hangs = script.faults.length > 0 && script.faults.every(({ kind }) => kind === "stuck-triggering");
    for (;;) {
      const now = performance.now();
      // On a busy machine the first entry may take its time, and without one there is nothing to compare.
      const enough =
        this.#policy === "adopt"
          ? this.#auditor.adoptions > 0
          : this.#entries.size > 0 || now - begun > LONGEST * duration;
      if (calm === 0 && enough && now - begun > duration) {
        calm = now;
        this.#door.clear();
        this.#trading = false;
      }
      // Exits must meet the faults too: some of them concern nothing else. Stops that are to hang must be let hit.
      if (calm === 0 && !hangs && now - begun > (FLATTENED[flattened] ?? Number.POSITIVE_INFINITY) * duration) {
        flattened++;
        trader.admit({ kind: "command", time: Math.max(state.now, market.now()), symbol: -1, command: "flatten" });
        continue;
      }
      const request = trader.awaited;
      if (request !== undefined) {
        trader.admit(this.#analysis(state, request.cycle));
      } else if (trader.take(market.now()) === undefined) {
        this.#watchComparisons();
        if (calm > 0) {
          if (state.positions.size > 0 && !this.#flattening) {
            this.#flattening = true;
            trader.admit({ kind: "command", time: Math.max(state.now, market.now()), symbol: -1, command: "flatten" });
            continue;
          }
          if (this.#isAtRest(state)) break;
          if (now - this.#calmSince(calm, now) > PATIENCE)
            throw new Violation("the books come together", this.#difference(state));
        }
        await this.#real.idle(trader.nextTimer, 50);
      }
    }
    const converged = Math.round(performance.now() - calm);
    this.#check(state);
    journal.close();
    return converged;
  }

  #flattening = false;

  /** Who is banned can do nothing but wait, and after a firewall's 403 that is for minutes. */
  #calmSince(calm: number, now: number): number {
    const { budget, clock } = this.#real.market.client;
    const left = budget.closedUntil - clock.now();
    if (left > 0) this.#bannedUntil = now + left;
    return Math.max(calm, this.#bannedUntil);
  }

  #bannedUntil = 0;

  #audit(event: Parameters<Auditor["event"]>[0], effects: readonly Parameters<Auditor["effect"]>[0][]): void {
    this.#events++;
    if (event.kind !== "bar" && event.kind !== "analysis") this.#last.push(JSON.stringify(event, textOf));
    this.#auditor.event(event);
    for (const effect of effects) {
      this.#auditor.effect(effect);
      if (effect.kind === "submit" && effect.order.purpose === "entry") this.#entries.add(effect.order.id);
      if (effect.kind === "submit" || effect.kind === "cancel") {
        this.#last.push(`    ${JSON.stringify(effect, textOf)}`);
      }
    }
    this.#last.splice(0, this.#last.length - 60);
    this.#auditor.after(this.#real.state);
  }

  #analysis(state: State, cycle: number): AnalysisEvent {
    const random = this.#random;
    const regimes: Regime[] = state.symbols.map(() => "trending");
    const candidates: Candidate[] = [];
    state.symbols.forEach(({ mark }, symbol) => {
      const wanted = random.chance(0.5);
      const direction = random.chance(0.5) ? 1 : -1;
      const [stop, target] = [random.between(0.002, 0.02), random.between(0.002, 0.02)];
      if (!wanted || mark === 0 || !this.#trading || (this.#policy !== undefined && symbol === 0)) return;
      candidates.push({
        symbol,
        strategy: "drawn",
        setup: "drawn",
        direction,
        entry: mark,
        stop: mark - direction * (1 + Math.floor(mark * stop)),
        target: mark + direction * (1 + Math.floor(mark * target)),
        confidence: 1,
        scores: {},
        reasons: [],
      });
    });
    return { kind: "analysis", time: cycle, symbol: -1, cycle, regimes, candidates };
  }

  #watched: unknown;

  #watchComparisons(): void {
    const { last } = this.#exchange.reconciler;
    if (last === undefined || last === this.#watched) return;
    this.#watched = last;
    this.#comparisons++;
    if (last.passes > this.#mostPasses) this.#mostPasses = last.passes;
  }

  #isAtRest(state: State): boolean {
    const { last } = this.#exchange.reconciler;
    return this.#difference(state) === "" && last?.agreed === true && !this.#exchange.isBusy;
  }

  /** What the two books differ in; empty when they are equal and nothing is held or open. */
  #difference(state: State): string {
    const { exchange, trading } = this.#venue;
    const { wallet } = state.ledger.balances;
    const left = [...trading.openOrders].map(({ clientOrderId }) => clientOrderId);
    // One that hangs while it triggers can be cancelled by nobody, and our book has given it up.
    const algos = [...trading.openAlgos].filter(({ stuck }) => !stuck).map(({ clientAlgoId }) => clientAlgoId);
    return [
      ...(state.positions.size > 0 ? [`${state.positions.size} positions in our book`] : []),
      ...(state.orders.size > 0 ? [`${state.orders.size} orders in our book`] : []),
      ...(exchange.positions.some(({ lots }) => lots !== 0) ? ["positions at the exchange"] : []),
      ...(left.length + algos.length > 0 ? [`orders at the exchange: ${[...left, ...algos].join(", ")}`] : []),
      ...(wallet === exchange.wallet ? [] : [`wallet ${wallet}, at the exchange ${exchange.wallet}`]),
    ].join("; ");
  }

  #check(state: State): void {
    const broken = checkBook(state);
    if (broken.length > 0) throw new Violation("the book is whole", broken.join("; "));
    this.#auditor.atRest(state);
    const { transferred } = this.#auditor;
    if (transferred !== 0n && this.#policy === undefined)
      throw new Violation("the ledger balances", `${transferred} came from outside`);
    const seen = new Set<string>();
    for (const { clientOrderId } of this.#venue.trading.orders.values()) {
      const id = parseClientId(clientOrderId);
      if (id === undefined || id.auxiliary || !this.#entries.has(id.number)) continue;
      if (seen.has(clientOrderId)) throw new Violation("no entry is doubled", clientOrderId);
      seen.add(clientOrderId);
    }
  }
}

function textOf(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
