import type { Candidate, Direction, Regime } from "./candidate.ts";

/**
 * Everything that can change the core, in one union: if it is not here, it cannot matter.
 *
 * `time` is the event's own time in milliseconds since the epoch, UTC; the core's clock is the largest time seen.
 * `symbol` is the index into the run's instruments, which are sorted by name; -1 where no symbol is concerned.
 * Prices are whole ticks, quantities whole lots, money 1e-8 USDT.
 *
 * Kinds may be added; the order and the meaning of the present ones stay (JOURNAL_VERSION changes otherwise).
 */
export type Event =
  | CommandEvent
  | ConnectionEvent
  | ListingEvent
  | FundingEvent
  | AnswerEvent
  | FillEvent
  | LiquidationEvent
  | MarkEvent
  | QuoteEvent
  | TickEvent
  | BarEvent
  | AnalysisEvent
  | TimerEvent
  | BreakerEvent
  | ModelEvent
  | StandingEvent
  | TransferEvent
  | AgreementEvent
  | AdoptionEvent
  | SettingEvent
  | HoldEvent;

export type EventKind = Event["kind"];

/** What the operator may ask for. */
export const COMMANDS = ["pause", "resume", "reduce-only", "flatten", "halt"] as const;
export type Command = (typeof COMMANDS)[number];

export interface CommandEvent {
  readonly kind: "command";
  readonly time: number;
  readonly symbol: number;
  readonly command: Command;
}

/** The feed or the order connection came up or went down. */
export interface ConnectionEvent {
  readonly kind: "connection";
  readonly time: number;
  readonly symbol: number;
  readonly up: boolean;
}

/** A symbol starts or stops being tradable. */
export interface ListingEvent {
  readonly kind: "listing";
  readonly time: number;
  readonly symbol: number;
  readonly listed: boolean;
}

/** Funding was exchanged. `amount` is what our wallet got (negative: paid), computed by the exchange. */
export interface FundingEvent {
  readonly kind: "funding";
  readonly time: number;
  readonly symbol: number;
  /** Rate in 1e-8: 10_000 is 0.01 %. */
  readonly rate: number;
  readonly mark: number;
  readonly amount: number;
}

export const ANSWERS = [
  "accepted",
  "rejected",
  "cancelled",
  "cancel-rejected",
  "triggered",
  "expired",
  "unknown",
  "amended",
  "amend-rejected",
] as const;
export type Answer = (typeof ANSWERS)[number];

/** The exchange said something about one of our orders; `unknown` means that nobody knows yet, never "rejected". */
export interface AnswerEvent {
  readonly kind: "answer";
  readonly time: number;
  readonly symbol: number;
  /** Our order id. */
  readonly order: number;
  readonly answer: Answer;
  /** The exchange's error code, 0 where there is none. */
  readonly code: number;
  readonly reason: string;
}

export interface FillEvent {
  readonly kind: "fill";
  readonly time: number;
  readonly symbol: number;
  readonly order: number;
  /** The exchange's trade id: a string, because it exceeds 2^53. Fills are deduplicated by it. */
  readonly trade: string;
  readonly lots: number;
  readonly price: number;
  /** Commission paid. */
  readonly fee: number;
  readonly maker: boolean;
  /** True when nothing of the order is left open. */
  readonly done: boolean;
}

/** `external`: somebody other than the exchange and ourselves, such as a person at the exchange's own screen. */
export const LIQUIDATION_CAUSES = ["liquidation", "adl", "delisted", "external"] as const;
export type LiquidationCause = (typeof LIQUIDATION_CAUSES)[number];

/** The exchange closed (part of) a position without an order of ours. */
export interface LiquidationEvent {
  readonly kind: "liquidation";
  readonly time: number;
  readonly symbol: number;
  readonly leg: Leg;
  readonly cause: LiquidationCause;
  readonly lots: number;
  readonly price: number;
  readonly fee: number;
}

export interface MarkEvent {
  readonly kind: "mark";
  readonly time: number;
  readonly symbol: number;
  readonly price: number;
}

/** The best bid and ask that a decision consumed; other quotes never enter the core. */
export interface QuoteEvent {
  readonly kind: "quote";
  readonly time: number;
  readonly symbol: number;
  readonly bid: number;
  readonly ask: number;
  readonly bidLots: number;
  readonly askLots: number;
}

/**
 * What was traded since the symbol's last tick or bar: first, highest, lowest and last price. Many trades may be put
 * into one tick; no extreme is lost by it.
 */
export interface TickEvent {
  readonly kind: "tick";
  readonly time: number;
  readonly symbol: number;
  readonly first: number;
  readonly high: number;
  readonly low: number;
  readonly last: number;
}

/** How well the exchange's interface answers, from the breaker of the exchange client. */
export const BREAKER_LEVELS = ["closed", "warning", "throttled", "blocked"] as const;
export type BreakerLevel = (typeof BREAKER_LEVELS)[number];

export interface BreakerEvent {
  readonly kind: "breaker";
  readonly time: number;
  readonly symbol: number;
  readonly level: BreakerLevel;
}

/** What may be entered at a venue. `smallest`: only orders of the least size, until what is to be proven is proven. */
export const ENTRIES_ALLOWED = ["all", "smallest", "none"] as const;
export type EntriesAllowed = (typeof ENTRIES_ALLOWED)[number];

/**
 * Whether all is in order at the venue for entries: of one symbol, or of all (-1). Not so while books differ, while
 * something of somebody else lies on the symbol, or while the stop path is not proven. Exits are never concerned.
 */
export interface StandingEvent {
  readonly kind: "standing";
  readonly time: number;
  readonly symbol: number;
  readonly entries: EntriesAllowed;
  /** Why not all; empty when all are. */
  readonly reason: string;
}

/**
 * The venue's books and ours were found to agree, money included. What happened at the venue before `since` has been
 * told in full: a restart looks for what it has missed from there on.
 */
export interface AgreementEvent {
  readonly kind: "agreement";
  readonly time: number;
  readonly symbol: number;
  readonly since: number;
}

/**
 * A position that somebody else has opened at the venue becomes ours, with the stops that it is to have. Only where
 * nothing of ours is held or open on the symbol; its money stays what it was, since the wallet does not move.
 */
export interface AdoptionEvent {
  readonly kind: "adoption";
  readonly time: number;
  readonly symbol: number;
  readonly direction: Direction;
  readonly lots: number;
  /** What the lots have cost by the venue's entry price, 1e-8 USDT. */
  readonly cost: number;
  readonly leverage: number;
  /** Price that the stops are measured from, and the stops: ticks. */
  readonly mark: number;
  readonly stop: number;
  readonly disasterStop: number;
  /** When the venue was asked for it, ms: what happened to the leg before is in it, and none of our affair. */
  readonly since: number;
}

/** Money came into the wallet or left it (negative) for reasons other than trading. */
export interface TransferEvent {
  readonly kind: "transfer";
  readonly time: number;
  readonly symbol: number;
  readonly amount: number;
}

/**
 * The operator changed a setting. It is an event so that a replay changes it at the same moment, and so that the journal
 * knows who did it.
 */
export interface SettingEvent {
  readonly kind: "setting";
  readonly time: number;
  readonly symbol: number;
  readonly name: string;
  /** The new value as one writes it in the environment; it was checked before it became an event. */
  readonly value: string;
  readonly actor: string;
}

/** Why the service itself may have to keep entries back. */
export const HOLDS = ["lease", "storage"] as const;
export type Hold = (typeof HOLDS)[number];

/**
 * Entries are held back, or no longer, for a reason that lies in the service: another service has the right to trade,
 * or nothing can be written down. Positions are led and closed as ever.
 */
export interface HoldEvent {
  readonly kind: "hold";
  readonly time: number;
  readonly symbol: number;
  readonly hold: Hold;
  readonly on: boolean;
  /** The lease under which orders are sent from now on; 0 where there is none. */
  readonly epoch: number;
}

/** A closed bar of the base timeframe. `time` is its close: open time plus timeframe, exclusive. */
export interface BarEvent {
  readonly kind: "bar";
  readonly time: number;
  readonly symbol: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Base units; a float because the exchange's volumes need not be whole lots of today's lot size. */
  readonly volume: number;
  /** True for the stand-in of a missing bar: all prices are the last close, volume 0. */
  readonly flat: boolean;
}

/** What the analysis of one cycle found. Decisions are made on this event and on no other. */
export interface AnalysisEvent {
  readonly kind: "analysis";
  readonly time: number;
  readonly symbol: number;
  /** Close time of the base bars that were analysed. */
  readonly cycle: number;
  /** Per symbol; `unknown` for a symbol that is absent from this cycle. */
  readonly regimes: readonly Regime[];
  readonly candidates: readonly Candidate[];
}

/** From now on this model decides, or none: then the rules do. Predictions of any other model decide nothing. */
export interface ModelEvent {
  readonly kind: "model";
  readonly time: number;
  readonly symbol: number;
  /** Empty for none. */
  readonly model: string;
  /** Why, in words. */
  readonly reason: string;
}

/** A timer that the core had asked for. */
export interface TimerEvent {
  readonly kind: "timer";
  readonly time: number;
  readonly symbol: number;
  readonly timer: string;
}

/** `both` is the only leg in one-way mode; `long` and `short` are the legs of hedge mode. */
export const LEGS = ["both", "long", "short"] as const;
export type Leg = (typeof LEGS)[number];

/**
 * Rank of each kind among events of one time. Ranks are spaced as the design orders them:
 * command < connection < funding < venue < mark and quote < bar < analysis, model swap < timer.
 */
export const EVENT_RANK: Readonly<Record<EventKind, number>> = {
  command: 0,
  setting: 0,
  connection: 1,
  breaker: 1,
  hold: 1,
  standing: 1,
  transfer: 2,
  agreement: 3,
  adoption: 3,
  listing: 1,
  funding: 2,
  answer: 3,
  fill: 3,
  liquidation: 3,
  mark: 4,
  quote: 4,
  tick: 4,
  bar: 5,
  analysis: 6,
  model: 6,
  timer: 7,
};

/**
 * The one total order of events that are known at the same moment: time, then rank, then symbol by name (symbols are
 * indexed in the order of their names). Equal events keep the order in which they became known.
 */
export function compareEvents(a: Event, b: Event): number {
  return a.time - b.time || EVENT_RANK[a.kind] - EVENT_RANK[b.kind] || a.symbol - b.symbol;
}
