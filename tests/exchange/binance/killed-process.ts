/**
 * A trader's process on a real venue over sockets, as `penstock run` puts it together, with a script instead of an
 * analysis: it enters long on the first symbol as soon as it may, and closes after the operator's `flatten`, which comes
 * when its standard input says so. Dies by SIGKILL at the step that PENSTOCK_KILL names:
 *
 *   send:N:before   its Nth request is in the journal and has not left
 *   send:N:after    its Nth request has just been handed to the sender
 *   event:N         the Nth word of the exchange about its orders is in the journal and was not acted on
 *
 * Prints one line of JSON for each thing that whoever has started it may wait for, and when its standard input asks for
 * the `state`, what it waits for itself.
 */
import { loadSettings } from "../../../src/config/load.ts";
import type { Candidate } from "../../../src/core/candidate.ts";
import { checkBook } from "../../../src/core/check-book.ts";
import type { AnalysisEvent, Event } from "../../../src/core/events.ts";
import { BinanceExchange } from "../../../src/exchange/binance/exchange.ts";
import type { Exchange, VenueRequest } from "../../../src/exchange/exchange.ts";
import { openJournal } from "../../../src/service/assembly.ts";
import { Checkpoints } from "../../../src/service/checkpoint.ts";
import { openRealVenue } from "../../../src/service/real-venue.ts";
import { Trader } from "../../../src/service/trader.ts";
import { TradingRight } from "../../../src/service/trading-right.ts";

const begun = performance.now();
const plain = (_: string, value: unknown) =>
  typeof value === "bigint" ? String(value) : value instanceof Set ? [...value] : value;
const say = (what: string, more: Record<string, unknown> = {}) =>
  process.stdout.write(`${JSON.stringify({ what, ms: Math.round(performance.now() - begun), ...more }, plain)}\n`);

const [step, number, when] = (process.env["PENSTOCK_KILL"] ?? "").split(":");
let sends = 0;
let words = 0;
const die = () => process.kill(process.pid, "SIGKILL");

const { settings } = loadSettings(process.env, []);
const symbol = process.env["PENSTOCK_SYMBOL"]!;
const notices: string[] = [];
const note = (level: string, text: string) => notices.push(`${level} ${text}`);
const right = await TradingRight.wait(settings, new AbortController().signal, (level, text) => {
  note(level, text);
  if (text.includes("until it is free")) say("stands by");
});
if (right !== undefined) say("right", { epoch: right.keeper.epoch });
const real = await openRealVenue(settings, { symbols: [symbol] }, note, right?.keeper);
const venue = real.exchange;
if (!(venue instanceof BinanceExchange)) throw new Error("this is about real orders");
const { state } = real;
// Nothing is analysed, so nothing has to warm up.
const { source, from } = real.market;
while (source.next < from - source.timeframe) source.step();
const journal = openJournal(real.bookSettings, {
  command: "run",
  kernel: "none",
  settingsHash: "",
  instruments: real.market.instruments,
  bars: "stored",
  data: real.reference,
  mode: "live",
  epoch: real.epoch!,
});

/** The venue with the places at which a process may die. */
const watched: Exchange = {
  venue: "live",
  instruments: venue.instruments,
  ended: false,
  next: (until) => venue.next(until),
  send(request: VenueRequest, now: number) {
    sends++;
    if (step === "send" && Number(number) === sends && when === "before") die();
    venue.send(request, now);
    if (step === "send" && Number(number) === sends && when === "after") die();
  },
};

const trader = new Trader({
  state,
  exchange: watched,
  journal: new Proxy(journal, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (name !== "event") return typeof member === "function" ? member.bind(target) : member;
      return (event: Event) => {
        target.event(event);
        if (event.kind !== "answer" && event.kind !== "fill") return;
        words++;
        if (step !== "event" || Number(number) !== words) return;
        target.flush();
        die();
      };
    },
  }),
  ...(real.timers && { timers: real.timers }),
  watchers: [real.book!],
  onRecord: () => {},
  onNotice: (level, text) => notices.push(`${level} ${text}`),
});

let flatten = false;
let entered = state.nextOrder > 1;
const sayState = () => {
  say("state", {
    sends,
    words,
    cycle: state.cycle,
    positions: [...state.positions.values()].map(({ plan: _, ...position }) => position),
    orders: [...state.orders.values()].map(
      ({ request, state: { kind } }) => `${request.id} ${request.purpose} ${kind}`,
    ),
    open: [...venue.desk.open].map(({ request, ...record }) => ({ ...record, purpose: request.purpose })),
    barred: [...venue.barred].map(([index, topics]) => [index, [...topics.values()]]),
    compared: venue.reconciler.last ?? null,
    comparing: venue.reconciler.isRunning,
    awaits: trader.awaited ?? null,
    notices: notices.slice(-5),
  });
};
process.stdin.on("data", (words) => {
  for (const word of String(words).trim().split("\n")) {
    if (word === "flatten") flatten = true;
    else if (word === "state") sayState();
  }
});
if (right !== undefined) {
  const [time, { epoch }] = [Math.max(state.now, real.market.now()), right.keeper];
  const hold = { kind: "hold", time, symbol: -1, hold: "lease", on: false, epoch } as const;
  real.heard(hold);
  trader.admit(hold);
}
await real.begin();

function analysis(cycle: number): AnalysisEvent {
  const { mark } = state.symbols[0]!;
  const distance = Math.max(3, Math.round(mark * 0.05));
  const candidate: Candidate = {
    symbol: 0,
    strategy: "script",
    setup: "script",
    direction: 1,
    entry: mark,
    stop: mark - distance,
    target: mark + 2 * distance,
    confidence: 1,
    scores: {},
    reasons: [],
  };
  const wanted = !entered && mark > 0 && state.barred.get(-1)?.entries !== "none";
  if (wanted) entered = true;
  return {
    kind: "analysis",
    time: cycle,
    symbol: -1,
    cycle,
    regimes: ["trending"],
    candidates: wanted ? [candidate] : [],
  };
}

// Far more of them than in earnest, so that most deaths have one a few events before.
const CHECKPOINT_EVENTS = 10;
const checkpoints = new Checkpoints(real.book!, journal, false, note);
let checkpointAt = 0;
let agreed = false;
let isProtected = false;
for (;;) {
  const request = trader.awaited;
  if (request !== undefined) {
    trader.admit(analysis(request.cycle));
    continue;
  }
  if (flatten) {
    flatten = false;
    trader.admit({ kind: "command", time: real.market.now(), symbol: -1, command: "flatten" });
    continue;
  }
  if (trader.take(real.market.now()) !== undefined) continue;
  if (state.events >= checkpointAt) {
    checkpoints.now();
    checkpointAt = state.events + CHECKPOINT_EVENTS;
  }
  const last = venue.reconciler.last;
  if (!agreed && last?.agreed === true) {
    agreed = true;
    const { weight } = real.link();
    say("agreed", { passes: last.passes, weight, positions: state.positions.size, orders: state.orders.size });
  }
  const [position] = state.positions.values();
  const stands = [position?.workingStop, position?.disasterStop].every((stop) => stop?.kind === "acknowledged");
  if (stands && !isProtected && position?.target.kind === "placed") {
    isProtected = true;
    say("protected", { lots: position.holding.lots });
  }
  if (entered && state.positions.size === 0 && state.orders.size === 0 && agreed) {
    const broken = checkBook(state);
    checkpoints.now();
    const wallet = String(state.ledger.balances.wallet);
    say("flat", { wallet, broken, notices, next: state.nextOrder, sends, words });
    break;
  }
  await real.idle(trader.nextTimer, 50);
}
journal.close();
real.close();
await right?.close();
process.exit(0);
