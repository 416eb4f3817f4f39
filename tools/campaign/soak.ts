import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  FAULT_KINDS,
  type FaultKind,
  type FaultScript,
  randomFaults,
} from "../../src/exchange/simulated/server/faults.ts";
import type { Campaign, CampaignResult } from "./campaign.ts";
import { type Account, accountOf, differences, type VenueState } from "./soak-books.ts";
import { figuresOf, type Range, type Sample, type SoakFigures } from "./soak-figures.ts";
import { Pair } from "./soak-pair.ts";
import type { ProbeReading } from "./soak-probe.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Faults of connections and requests for each minute of wall time, over the whole of it. */
const FAULTS_PER_MINUTE = 3;
/**
 * Faults of candles for each hour of the market, and how much longer than usual they last: two candles in the mean. A
 * candle that is lost takes the longer ones that it belongs to with it, and with them an hour of signals.
 */
const LATE_PER_HOUR = 0.5;
const CANDLES: readonly FaultKind[] = ["kline-late", "kline-gap"];
const CANDLE_TIME = 8;
/** What ends the client for good, is no single fault, or (a firewall's 403) keeps it away for ten of 24 minutes. */
const LEFT_OUT: readonly FaultKind[] = ["restricted", "refusal", "forbidden", ...CANDLES];
const KINDS = FAULT_KINDS.filter((kind) => !LEFT_OUT.includes(kind));

/** How long the service may take to start, and both books to agree after the last fault, wall ms. */
const STARTED_WITHIN = 20 * MINUTE;
const PATIENCE = 10 * MINUTE;
/** How long everything that is on its way gets after the market was halted, ms. */
const SETTLED = 2000;

/** Samples below which nothing can be said, however short a soak is. */
const LEAST_SAMPLES = 6;
/**
 * Growth over the second half that is called a leak: twice as much in a day of a soak of 24 hours. As an amount rather
 * than a rate, or the garbage of a short soak would be one.
 */
const MOST_GROWTH = { residentMb: 32, handles: 4, timers: 4 };

/**
 * Trading that never ends, some six entries an hour on 200 generated symbols: order blocks of any volume and age count,
 * what a day of faults loses must stop nobody, a position is small and makes room for the next one within two hours.
 */
const SETTINGS = {
  EXCHANGE: "binance",
  TRADING_ENABLED: "true",
  STRATEGY_MODE: "ict",
  MIN_CONFIDENCE: "0.01",
  OB_MIN_VOLUME_RATIO: "0",
  OB_MAX_TEST_COUNT: "100",
  ADX_TREND_THRESHOLD: "15",
  MAX_HOLDING_HOURS: "2",
  BASE_MARGIN_PCT: "0.01",
  MIN_MARGIN_PCT: "0.005",
  MAX_MARGIN_PCT: "0.02",
  MAX_EXPOSURE_RATIO: "20",
  MAX_CORRELATED_EXPOSURE_RATIO: "20",
  DAILY_LOSS_LIMIT_PCT: "0.5",
  CAUTIOUS_LOSSES: "1000",
  DEFENSIVE_LOSSES: "1000",
  REDUCE_ONLY_LOSSES: "1000",
  CAUTIOUS_DRAWDOWN_PCT: "0.9",
  DEFENSIVE_DRAWDOWN_PCT: "0.92",
  REDUCE_ONLY_DRAWDOWN_PCT: "0.94",
  HALT_DRAWDOWN_PCT: "0.96",
  // By the market's clock, which runs so much faster than the one that answers come by.
  PROTECTION_TIMEOUT_MS: "60000",
  ENABLE_STORE: "false",
  ADMIN_PORT: "0",
};

export interface SoakOptions {
  readonly seed: number;
  /** Of market time. */
  readonly hours: number;
  /** Market ms per wall ms. */
  readonly speed: number;
  readonly symbols: number;
  /** Ends the soak before its time, with the verdict on what there was. */
  readonly signal: AbortSignal;
}

export interface SoakOutcome {
  readonly figures: SoakFigures;
  readonly account: Account;
  readonly strikes: Readonly<Record<string, number>>;
  /** Market ms that passed under faults, and the wall ms that they took. */
  readonly played: number;
  readonly wall: number;
  /** Times that the operator had to let trading go on after the core had stopped it. */
  readonly resumes: number;
  /** Wall ms from the last fault to books that agree. */
  readonly converged: number;
  readonly exitCode: number;
  /** Where the books differ at the end; empty when they agree. */
  readonly differences: readonly string[];
  /** Types of objects that are left after a collection of which there are more than at half-time, the most first. */
  readonly grown: readonly string[];
}

/** `penstock run` on `penstock exchange`, both as processes, with seeded faults; nothing may grow. */
export const soak: Campaign = {
  help: "the service on a simulated exchange with seeded faults for --hours of its market; nothing may grow (Linux)",
  async run({ from: seed, hours, speed, symbols }, progress) {
    const stop = stopOnSignals();
    const outcome = await runSoak({ seed, hours, speed, symbols, signal: stop }, progress);
    return resultOf(outcome, { symbols });
  },
};

/** A second Ctrl-C within this time is the same one: `bun run` passes on what the terminal sends to all. */
const REPEATED_SIGNAL = 1000;

function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  let first = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (!stop.signal.aborted) {
        first = now;
        stop.abort();
      } else if (now - first > REPEATED_SIGNAL) process.exit(130);
    });
  }
  return stop.signal;
}

/** @throws Error when one of the two processes does not start or dies */
export async function runSoak(options: SoakOptions, progress: (text: string) => void): Promise<SoakOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-soak-"));
  const { seed, symbols } = options;
  const begun = performance.now();
  const waiting = setInterval(() => {
    progress(`the service reads its history, ${Math.round((performance.now() - begun) / 1000)} s`);
  }, 1000);
  const pair = await Pair.start(folder, { seed, symbols, settings: SETTINGS }).finally(() => clearInterval(waiting));
  try {
    return await new Soak(pair, options, progress).run();
  } finally {
    await pair.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Soak {
  readonly #pair: Pair;
  readonly #options: SoakOptions;
  readonly #progress: (text: string) => void;
  readonly #samples: Sample[] = [];
  /** Each count of the heap. */
  readonly #objects = new Map<number, Readonly<Record<string, number>>>();
  #resumes = 0;

  constructor(pair: Pair, options: SoakOptions, progress: (text: string) => void) {
    this.#pair = pair;
    this.#options = options;
    this.#progress = progress;
  }

  async run(): Promise<SoakOutcome> {
    const { hours, speed, seed, signal } = this.#options;
    const pair = this.#pair;
    await this.#started();
    // Reading the history takes minutes of requests, which the market spends at its natural speed.
    await pair.control("POST", "/speed", { speed });
    const from = (await pair.state()).time;
    for (const script of scriptsOf(seed, hours, speed)) await pair.control("POST", "/faults", script);
    const begun = performance.now();
    let market = from;
    let isSecondHalf = false;
    const isOver = () => market >= from + hours * HOUR && this.#samples.length >= LEAST_SAMPLES;
    for (let next = 0; !isOver() && !signal.aborted && pair.runs; next += MINUTE / speed) {
      await Promise.race([Bun.sleep(Math.max(1, begun + next - performance.now())), stopped(signal)]);
      market = await this.#sample(begun);
      if (!isSecondHalf && market > from + (hours * HOUR) / 2) {
        isSecondHalf = true;
        pair.countObjects();
      }
    }
    pair.countObjects();
    const wall = performance.now() - begun;
    const { strikes } = (await pair.control("GET", "/faults")) as { strikes: Record<string, number> };
    await pair.control("DELETE", "/faults");
    const calm = performance.now();
    // What was still asked for comes to its end at the natural speed, and both books are looked at while nothing moves.
    await pair.control("POST", "/speed", { speed: 1 });
    await this.#settled(calm);
    const converged = performance.now() - calm;
    await pair.control("POST", "/speed", { speed: 0 });
    await Bun.sleep(SETTLED);
    const venue = await pair.state();
    this.#reading();
    const exitCode = await pair.stopService();
    const account = accountOf(this.#journal());
    return {
      figures: figuresOf(this.#samples),
      account,
      strikes,
      played: market - from,
      wall,
      resumes: this.#resumes,
      converged,
      exitCode,
      differences: differences(account, venue),
      grown: grown([...this.#objects.values()]),
    };
  }

  /** Waits for the first decisions: only then everything that a run needs is there. */
  async #started(): Promise<void> {
    const begun = performance.now();
    while (((await this.#pair.snapshot())?.events ?? 0) === 0) {
      this.#check(begun, STARTED_WITHIN, "the service decided nothing");
      await Bun.sleep(200);
    }
  }

  /** Waits until the books agree as far as can be seen from outside, or for as long as makes sense. */
  async #settled(begun: number): Promise<void> {
    for (;;) {
      const [snapshot, venue] = [await this.#pair.snapshot(), await this.#pair.state()];
      const held = snapshot?.positions.filter(({ quantity }) => quantity !== 0).length;
      const isQuiet =
        snapshot !== undefined &&
        held === venue.positions.length &&
        snapshot.orders.every(({ state }) => state === "working") &&
        snapshot.orders.length === openOrders(venue).length;
      if (isQuiet || performance.now() - begun > PATIENCE || !this.#pair.runs) return;
      this.#progress(`${held} positions here and ${venue.positions.length} there, ${snapshot?.orders.length} orders`);
      await Bun.sleep(500);
    }
  }

  /** Looks at everything, lets trading go on where the core had stopped it, and returns the exchange's market time. */
  async #sample(begun: number): Promise<number> {
    const pair = this.#pair;
    const wall = performance.now() - begun;
    const [snapshot, venue, probe] = [await pair.snapshot(), await pair.state(), this.#reading()];
    if (snapshot === undefined || probe === undefined) return venue.time;
    const { positions, orders } = snapshot;
    const sample: Sample = {
      wall,
      market: venue.time,
      behind: barsBehind(venue.time, snapshot.lastBar, this.#options.speed),
      ...pair.resources(),
      timeouts: probe.timeouts,
      intervals: probe.intervals,
      blocked: probe.blocked,
      positions: positions.length,
      openOrders: orders.length,
      unacknowledged: orders.filter(({ state }) => state === "sent" || state === "unknown").length,
      unprotected: positions.filter(({ quantity, protected: is }) => quantity !== 0 && !is).length,
    };
    this.#samples.push(sample);
    const { residentMb, handles, timeouts, intervals } = sample;
    const played = (venue.time - this.#samples[0]!.market) / HOUR;
    this.#progress(
      `${played.toFixed(1)} of ${this.#options.hours} h, ${residentMb.toFixed(0)} MB, ${handles} handles, ` +
        `${timeouts + intervals} timers, ${positions.length} positions, ${orders.length} orders, ` +
        `bars ${Math.round(sample.behind / MINUTE)} min late`,
    );
    // A stop for want of protection waits for the operator, and one by the breaker would take hours to ease.
    const isStopped = snapshot.trading === "reduce-only" || snapshot.trading === "halted";
    if (isStopped && snapshot.breaker === "closed") {
      await pair.command("resume");
      this.#resumes++;
    }
    return venue.time;
  }

  #reading(): ProbeReading | undefined {
    const reading = this.#pair.reading();
    if (reading !== undefined && reading.counted > 0) this.#objects.set(reading.counted, reading.objects);
    return reading;
  }

  #check(begun: number, most: number, what: string): void {
    if (!this.#pair.runs) throw new Error(`the service has ended: ${this.#pair.lastWords}`);
    if (performance.now() - begun > most) throw new Error(`${what} within ${most / MINUTE} minutes`);
  }

  #journal(): string {
    const folder = join(this.#pair.folder, "journal");
    const name = readdirSync(folder).filter((file) => file.endsWith("-run.journal"));
    return join(folder, name.sort().at(-1)!);
  }
}

/**
 * Faults out of a seed for the whole soak. Those of connections are on the wall clock, as are the client's own limits of
 * time; those of candles are on the market's, or half an hour of candles would be gone at once.
 */
export function scriptsOf(seed: number, hours: number, speed: number): FaultScript[] {
  const [market, wall] = [hours * HOUR, (hours * HOUR) / speed];
  const count = Math.ceil((wall / MINUTE) * FAULTS_PER_MINUTE);
  const candles = randomFaults(seed, {
    ...{ duration: market, count: Math.ceil(hours * LATE_PER_HOUR) },
    ...{ kinds: CANDLES, clock: "market" },
  });
  return [
    randomFaults(seed, { duration: wall, count, kinds: KINDS }),
    {
      ...candles,
      faults: candles.faults.map(({ for: lasts = 0, ms = 0, ...fault }) => {
        return { ...fault, for: lasts * CANDLE_TIME, ms: Math.ceil(ms / speed) };
      }),
    },
  ];
}

/** Market ms by which the newest bar of the service is late; what an operator sees is a quarter of a second old. */
function barsBehind(market: number, lastBar: number, speed: number): number {
  const due = market - SNAPSHOT_AGE * speed;
  return Math.max(0, due - (due % MINUTE) - lastBar);
}
const SNAPSHOT_AGE = 300;

function openOrders(venue: VenueState): unknown[] {
  return [...venue.openOrders, ...venue.openAlgoOrders.filter(({ algoStatus }) => algoStatus !== "TRIGGERING")];
}

/** Resolves when the soak is to end before its time. */
function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Types of objects of which there are clearly more at the second count than at the first. */
function grown(counts: readonly Readonly<Record<string, number>>[]): string[] {
  const [before, after] = counts;
  if (before === undefined || after === undefined) return [];
  return Object.entries(after)
    .map(([type, count]) => ({ type, count, more: count - (before[type] ?? 0) }))
    .filter(({ count, more }) => more > MANY && more > count * CLEARLY)
    .sort((a, b) => b.more - a.more)
    .slice(0, 12)
    .map(({ type, count, more }) => `${type} +${more} to ${count}`);
}
const MANY = 500;
const CLEARLY = 0.1;

/** What was found, in numbers, as a table, and in words where something is wrong. */
function resultOf(outcome: SoakOutcome, { symbols }: Pick<SoakOptions, "symbols">): CampaignResult {
  const { figures, account, played, wall, strikes, exitCode } = outcome;
  const faults = Object.values(strikes).reduce((sum, struck) => sum + struck, 0);
  const speed = played / wall;
  /** Of the market, days. */
  const half = played / (48 * HOUR);
  const wallMs = (market: number) => Math.round(market / speed);
  const totals = {
    simulatedHours: Number((played / HOUR).toFixed(2)),
    wallSeconds: Math.round(wall / 1000),
    speed: Number(speed.toFixed(1)),
    symbols,
    samples: figures.samples,
    faults,
    faultKinds: Object.keys(strikes).length,
    events: account.events,
    orders: account.orders,
    entries: account.entries,
    fills: account.fills,
    ordersPerSimulatedHour: Number(((account.orders * HOUR) / played).toFixed(1)),
    unansweredOrders: account.unanswered,
    longestUnansweredWallMs: wallMs(account.longestUnanswered),
    longestUnprotectedWallMs: wallMs(account.longestUnprotected),
    resumes: outcome.resumes,
    residentMb: Math.round(figures.residentMb.median),
    residentMbPerDay: Math.round(figures.residentMbPerDay),
    exchangeMbPerDay: Math.round(figures.exchangeMbPerDay),
    handlesPerDay: Number(figures.handlesPerDay.toFixed(1)),
    timersPerDay: Number(figures.timersPerDay.toFixed(1)),
    medianBehindMarketSeconds: Number((figures.behind.median / 1000).toFixed(1)),
    serviceCores: Number(figures.serviceCores.toFixed(2)),
    exchangeCores: Number(figures.exchangeCores.toFixed(2)),
    convergedMs: Math.round(outcome.converged),
    differences: outcome.differences.length,
    exitCode,
  };
  const trouble = [
    ...(exitCode === 0 ? [] : [`the service ended with ${exitCode}`]),
    ...outcome.differences.map((text) => `the books differ: ${text}`),
    ...(account.violation === undefined ? [] : [account.violation]),
    ...(account.unanswered > 0 ? [`${account.unanswered} orders were never answered`] : []),
    ...(account.entries === 0 ? ["nothing was traded"] : []),
    ...growth("resident memory", figures.residentMbPerDay * half, MOST_GROWTH.residentMb, "MB"),
    ...growth("open files", figures.handlesPerDay * half, MOST_GROWTH.handles, "handles"),
    ...growth("timers", figures.timersPerDay * half, MOST_GROWTH.timers, "timers"),
  ];
  return { totals, table: tableOf(outcome), trouble: trouble.length === 0 ? undefined : trouble.join("\n") };
}

function growth(what: string, grown: number, most: number, unit: string): string[] {
  return grown > most ? [`${what} grow by ${grown.toFixed(1)} ${unit} in the second half, more than ${most}`] : [];
}

/** The second half in one table, and what else is worth a look. */
function tableOf({ figures, strikes, grown: types }: SoakOutcome): string {
  const { residentMb, handles, timers, unacknowledged, unprotected, openOrders, positions, behind, blocked } = figures;
  const perDay = (value: number) => (value < 0 ? "" : "+") + value.toFixed(1);
  const rows: [string, Range, string][] = [
    ["resident memory, MB", residentMb, perDay(figures.residentMbPerDay)],
    ["open files", handles, perDay(figures.handlesPerDay)],
    ["timers", timers, perDay(figures.timersPerDay)],
    ["orders not acknowledged", unacknowledged, ""],
    ["positions not protected", unprotected, ""],
    ["open orders", openOrders, ""],
    ["positions", positions, ""],
    ["bars late, market s", scaledBy(behind, 1000), ""],
    ["longest block, ms", blocked, ""],
  ];
  const cell = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1)).padStart(9);
  return [
    `${"second half".padEnd(26)}${["least", "median", "most", "last", "per day"].map((name) => name.padStart(9)).join("")}`,
    ...rows.map(
      ([name, { least, median, most, last }, slope]) =>
        `${name.padEnd(26)}${[least, median, most, last].map(cell).join("")}${slope.padStart(9)}`,
    ),
    `faults: ${Object.entries(strikes)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ")}`,
    ...(types.length === 0 ? [] : [`objects that became more: ${types.join(", ")}`]),
  ].join("\n");
}

function scaledBy({ least, median, most, last }: Range, by: number): Range {
  return { least: least / by, median: median / by, most: most / by, last: last / by };
}
