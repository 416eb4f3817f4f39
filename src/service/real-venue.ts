import type { Settings } from "../config/settings.ts";
import type { BarEvent, HoldEvent } from "../core/events.ts";
import { type Instrument, USDT } from "../core/instrument.ts";
import type { State } from "../core/state.ts";
import { LiveBook } from "../exchange/binance/book.ts";
import type { Change } from "../exchange/binance/client.ts";
import { clientIdText } from "../exchange/binance/client-id.ts";
import { moneyOf } from "../exchange/binance/decimals.ts";
import { BinanceExchange } from "../exchange/binance/exchange.ts";
import { Recovery } from "../exchange/binance/recovered.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { SimulatedExchange } from "../exchange/simulated/exchange.ts";
import { InputError } from "../input-error.ts";
import type { DataReference } from "../journal/format.ts";
import { ABSENT, barEvent } from "../market/bar-source.ts";
import type { LeaseKeeper } from "../store/lease-keeper.ts";
import { unlessStopped } from "./aborted.ts";
import { assumptionsOf, type Cost, newExchange, newState } from "./assembly.ts";
import { answered, type BinanceChoice, BinanceMarket } from "./binance-market.ts";
import { lastLiveJournal, recoverBook } from "./live-book.ts";
import type { Lockstep } from "./lockstep.ts";
import { Wake } from "./wake.ts";

const MINUTE = 60_000;

/** Of the connection to an exchange; for metrics. */
export interface ExchangeLink {
  /** Request weight of the last minute. */
  readonly weight: number;
  /** The exchange's clock less ours, s. */
  readonly clockOffset: number;
  /** The exchange's wallet less our book when they were compared last, USDT; 0 on paper. */
  readonly drift: number;
}

/** What a live run on a real market is made of beside what every run has. */
export interface RealVenue {
  readonly market: BinanceMarket;
  readonly exchange: Exchange;
  /** The book, new or brought back from the journals. */
  readonly state: State;
  /** Where it is to be brought back after this run: what follows it, so that checkpoints can be made. */
  readonly book: LiveBook | undefined;
  readonly timers: ReadonlyMap<string, number> | undefined;
  /** What the journal says of where its market comes from, and under which settings its book was begun. */
  readonly reference: DataReference;
  readonly bookSettings: Settings;
  readonly epoch: number | undefined;
  /** To be told of a hold before the core is: orders bear the epoch of the lease that it tells of. */
  heard(hold: HoldEvent): void;
  /** Market time up to which events, and timers, may be taken. */
  due(): number;
  /** Whether the market has come to its end, which only one that is played in lockstep does. */
  readonly ended: boolean;
  readonly assumptions: (without: readonly Cost[]) => string[];
  /** When the market message arrived that the event taken last comes from, monotonic ms; NaN on paper. */
  readonly arrived: number;
  /** What the connection to the exchange looks like at this moment. */
  link(): ExchangeLink;
  /** Opens trading: orders, account events, the comparison of the books. */
  begin(): Promise<void>;
  /** Resolves when something has come in, when the exchange client or a timer is due, or after `most` ms. */
  idle(timer: number, most: number): Promise<void>;
  close(): void;
}

/**
 * Connects to the market and puts an exchange on it: the simulated one over live bars (paper), or with
 * TRADING_ENABLED=true the real one, whose book is brought back from the journals of earlier runs on the account.
 *
 * @param lease the right to trade, where services share one: without it nothing leaves that changes anything
 * @throws InputError where the exchange cannot be reached, or settings and account do not fit; StoppedEarly when the
 *   signal comes before the venue is open
 */
export async function openRealVenue(
  settings: Settings,
  choice: BinanceChoice,
  onNotice: (level: "info" | "warning" | "alarm", text: string) => void,
  lease?: LeaseKeeper,
  signal = new AbortController().signal,
): Promise<RealVenue> {
  const isLive = settings.TRADING_ENABLED;
  if (isLive && settings.BINANCE_API_KEY === "" && settings.BINANCE_TRADING_API_KEY === "") {
    throw new InputError("TRADING_ENABLED=true needs BINANCE_API_KEY and BINANCE_API_SECRET", 2);
  }
  // What can only make less of a position goes on while the database is away, as the gate of the core has it.
  const mayTrade = lease && ((what: Change) => (what === "opens" ? lease.mayAct() : lease.mayProtect()));
  const market = await BinanceMarket.open(settings, choice, onNotice, mayTrade, signal);
  const venue = isLive ? liveVenue(settings, market, onNotice, lease) : paperVenue(settings, market);
  return unlessStopped(signal, venue, () => market.close());
}

async function paperVenue(settings: Settings, market: BinanceMarket): Promise<RealVenue> {
  const { source, instruments, from } = market;
  const exchange = newExchange(settings, source, []);
  const wake = new Wake(settings.BINANCE_BUSY_WAIT);
  market.onWake(() => wake.now());
  market.fund("by-us");
  return {
    market,
    exchange,
    state: newState(settings, instruments, from),
    book: undefined,
    timers: undefined,
    reference: referenceOf(market, null),
    bookSettings: settings,
    epoch: undefined,
    due: () => market.now(),
    ended: false,
    arrived: Number.NaN,
    assumptions: (without) => assumptionsOf(source, exchange as SimulatedExchange, without),
    link: () => linkOf(market, 0n),
    heard: () => {},
    begin: async () => {},
    idle: (timer, most) => {
      // A bar that does not come holds nobody up for longer than a cycle may be.
      source.due(market.now() - settings.CYCLE_INTERVAL * 1000 - MINUTE + 1);
      return wake.wait(Math.min(most, timer - market.now()));
    },
    close: () => market.close(),
  };
}

async function liveVenue(
  settings: Settings,
  market: BinanceMarket,
  onNotice: (level: "info" | "warning" | "alarm", text: string) => void,
  lease: LeaseKeeper | undefined,
): Promise<RealVenue> {
  const { client, instruments, address, account } = market;
  const hedge = settings.POSITION_MODE === "hedge";
  const mode = answered("position mode", await client.positionMode("routine"));
  if (mode !== settings.POSITION_MODE) {
    throw new InputError(
      `the account is in ${mode} mode and POSITION_MODE is ${settings.POSITION_MODE}: change one of them`,
      2,
    );
  }
  const last = lastLiveJournal(settings.DATA_DIR, account, address);
  const earlier = last === undefined ? undefined : recoverBook(last, instruments, hedge, onNotice);
  const bookSettings = earlier?.settings ?? (await withBalance(settings, market));
  const book =
    earlier?.book ?? new LiveBook(newState(bookSettings, instruments, market.from), new Recovery(instruments, hedge));
  const { state } = book;
  if (earlier !== undefined) {
    const { records } = book;
    onNotice(
      "info",
      `the book goes on from ${records} events, ${earlier.replayed} of them replayed, in ${earlier.journal}`,
    );
  }
  const recovered = earlier && book.recovered();
  const timers = earlier && new Map(book.timers);
  const epoch = Date.now();
  book.begins(epoch);
  // Client ids are made of what is in the journal, so that the next process makes the same: the epoch that the core had
  // heard of when it asked for the order, whenever that leaves.
  let heardLease = 0;
  const exchange = new BinanceExchange({
    gateway: client,
    instruments,
    hedge,
    epoch,
    lease: () => lease?.epoch ?? 0,
    named: (number) => book.clientId(number) ?? clientIdText({ epoch, lease: heardLease, number, auxiliary: false }),
    clock: () => client.clock.now(),
    clockError: () => client.clock.error,
    marketTime: () => market.now(),
    foreign: settings.FOREIGN_POSITIONS,
    adoptedStop: settings.ADOPTED_STOP_PCT,
    wallet: () => state.ledger.balances.wallet,
    notice: onNotice,
    trustsStops: market.lockstep !== undefined,
    ...(recovered && { recovered }),
  });
  const wake = new Wake(settings.BINANCE_BUSY_WAIT);
  exchange.onWake(() => wake.now());
  const { lockstep } = market;
  lockstep?.watch(market.connections, () => wake.now());
  return {
    market,
    exchange,
    state,
    book,
    heard: ({ hold, on, epoch: under }) => {
      if (hold === "lease") heardLease = on ? 0 : under;
    },
    timers,
    reference: referenceOf(market, earlier?.journal ?? null),
    bookSettings,
    epoch,
    due: () => (lockstep === undefined ? market.now() : lockstepDue(lockstep, exchange)),
    get ended() {
      return lockstep?.ended === true && !exchange.isBusy;
    },
    get arrived() {
      return exchange.arrived;
    },
    assumptions: () => [...market.source.assumptions],
    link: () => linkOf(market, exchange.reconciler.drift),
    begin: async () => {
      // The market has its symbols before it has their bars.
      const time = market.now();
      for (const symbol of instruments.keys()) exchange.market({ kind: "listing", time, symbol, listed: true });
      const bars = lastBars(market);
      for (const { symbol, close } of bars) exchange.lastPrice(symbol, close);
      market.listen((event, arrived) => exchange.market(event, arrived));
      market.fund("by-the-exchange");
      if (lockstep === undefined) {
        for (const bar of bars) exchange.market(bar);
        return exchange.begin();
      }
      exchange.begin();
      await untilFree(exchange, wake, () => exchange.wakeAt - client.clock.now());
      for (const bar of bars) exchange.market(bar);
    },
    idle: async (timer, most) => {
      if (lockstep?.isHeard && !lockstep.ended && !exchange.isBusy) await lockstep.goOn(timer);
      lockstep?.check();
      const wait = lockstep === undefined ? timer - market.now() : most;
      await wake.wait(Math.min(most, wait, exchange.wakeAt - client.clock.now()));
    },
    close: () => market.close(),
  };
}

/** The last bars of the history have just closed, and some symbols may be a bar ahead: they are the first to be decided on. */
function lastBars({ source, instruments }: BinanceMarket): BarEvent[] {
  const bars: BarEvent[] = [];
  for (let step = source.step(); step !== undefined; step = source.step()) {
    const time = step.openTime + source.timeframe;
    for (const symbol of instruments.keys()) {
      if (step.status[symbol] !== ABSENT) bars.push(barEvent(step, symbol, time));
    }
  }
  for (const { symbol, bar } of source.drain()) {
    const { open, high, low, close, volume } = bar;
    const time = bar.openTime + source.timeframe;
    bars.push({ kind: "bar", time, symbol, open, high, low, close, volume, flat: false });
  }
  return bars;
}

/**
 * In lockstep a timer is due once the market has said that nothing comes before it; what has come in is due at once.
 * The market never goes past a timer, so that one whose time has just come is all there can be.
 */
function lockstepDue(lockstep: Lockstep, exchange: BinanceExchange): number {
  const now = lockstep.now();
  const timersAreDue = lockstep.isHeard && lockstep.isQuiet && !exchange.isBusy;
  return timersAreDue || exchange.hasNews ? now : now - 1;
}

/** How long a market in lockstep waits for the books to agree and the stop path to be proven at the start, ms. */
const LONGEST_START = 30_000;

/** A market that waits can wait until everything may be entered, as it may in a backtest. */
async function untilFree(exchange: BinanceExchange, wake: Wake, due: () => number): Promise<void> {
  const begun = performance.now();
  while (exchange.barred.size > 0 || exchange.reconciler.isRunning) {
    const reasons = [...exchange.barred.values()].flatMap((bars) => [...bars.values()].map(({ reason }) => reason));
    if (performance.now() - begun > LONGEST_START) throw new InputError(`entries stay barred: ${reasons.join("; ")}`);
    exchange.work();
    await wake.wait(Math.max(1, Math.min(50, exchange.hasNews ? 50 : due())));
  }
}

function linkOf({ client }: BinanceMarket, drift: bigint): ExchangeLink {
  const weight = client.budget.usedWeight(client.clock.now());
  return { weight, clockOffset: client.clock.offset / 1000, drift: Number(drift) / USDT };
}

/** A new book begins with what the account has. */
async function withBalance(settings: Settings, { client }: BinanceMarket): Promise<Settings> {
  const balances = answered("balances", await client.balances("routine"));
  const usdt = balances.find(({ asset }) => asset === "USDT");
  const wallet = usdt === undefined ? 0 : moneyOf(usdt.wallet);
  if (wallet <= 0) throw new InputError("there is no USDT in the futures wallet");
  return { ...settings, DEFAULT_ACCOUNT_BALANCE: wallet / USDT };
}

function referenceOf(market: BinanceMarket, continues: string | null): DataReference {
  const symbols = market.instruments.map(({ symbol }: Instrument) => symbol);
  const { address, account, source, from } = market;
  return { kind: "live", address, account, dataHash: "", timeframe: source.timeframe, start: from, symbols, continues };
}
