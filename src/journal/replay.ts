import type { Effect } from "../core/effects.ts";
import type { BarEvent, Event } from "../core/events.ts";
import { InputError } from "../input-error.ts";
import { ByteWriter } from "./binary.ts";
import { encodeEffect } from "./codec.ts";
import { EffectBlock, isStored, type JournalCounts, type JournalEnd } from "./format.ts";
import type { Journal } from "./reader.ts";

/** The core: takes an event and appends its effects. */
export type Step = (event: Event, effects: Effect[]) => void;

/** Bar events of one close time in symbol order, read again from the journal's data reference. */
export type BarsOf = (closeTime: number) => Iterable<BarEvent>;

export type ReplayResult = IdenticalReplay | DifferentReplay;

export interface IdenticalReplay extends JournalCounts {
  readonly identical: true;
  /** Blocks whose hash was compared. */
  readonly blocks: number;
  /** What the run said at its clean end, or undefined where it broke off. */
  readonly end: JournalEnd | undefined;
  /** Whether the file ends inside a record, and how many bytes were ignored for it. */
  readonly torn: boolean;
  readonly bytesCut: number;
}

/** The first place where the core does now what it did not do then. */
export interface DifferentReplay {
  readonly identical: false;
  /** The journal's record at which it showed. */
  readonly sequence: number;
  /** Time of the last event that was fed in, ms. */
  readonly time: number;
  readonly event: string;
  readonly recorded: string;
  readonly replayed: string;
}

/**
 * Feeds a journal's events to the core again and compares what it does.
 *
 * Effects that the file holds are compared one by one, the others by the hash of their block. A run that broke off is
 * compared as far as it goes; effects of its last event that never reached the file are no difference.
 * @param barsOf needed where the journal refers to its bars instead of holding them.
 * @throws InputError from `journal.records()`, and for a journal that needs `barsOf` and did not get it.
 */
export function replay(journal: Journal, step: Step, barsOf?: BarsOf): ReplayResult {
  const replayer = new Replayer(journal.header.effects, step, barsOf);
  const records = journal.records();
  let events = 0;
  for (let next = records.next(); ; next = records.next()) {
    if (next.done) {
      const { torn, bytesCut } = next.value;
      const { blocks, effects, end } = replayer;
      return { identical: true, events, effects, blocks, end, torn, bytesCut };
    }
    const { sequence, record } = next.value;
    let difference: Difference | undefined;
    switch (record.kind) {
      case "event":
        difference = replayer.event(record.event);
        break;
      case "effect":
        difference = replayer.effect(record.effect);
        break;
      case "bars":
        difference = replayer.bars(record.closeTime, record.count, record.bars);
        break;
      case "block":
        difference = replayer.endBlock(record.effects, record.hash);
        break;
      case "end":
        difference = replayer.finish(record);
        break;
    }
    events = replayer.events;
    if (difference !== undefined) {
      records.return({ records: sequence, ended: false, torn: false, bytesCut: 0 });
      return { identical: false, sequence, ...replayer.last, ...difference };
    }
  }
}

interface Difference {
  readonly recorded: string;
  readonly replayed: string;
}

class Replayer {
  readonly #stored: "orders" | "all";
  readonly #step: Step;
  readonly #barsOf: BarsOf | undefined;
  readonly #block = new EffectBlock();
  readonly #effects: Effect[] = [];
  /** Replayed effects that the file must hold next. */
  #expected: Effect[] = [];
  /** Replayed effects of this block that the file has only the hash of, for the message. */
  #unstored: Effect[] = [];
  #closeTime = Number.NaN;
  #source: Iterator<BarEvent> | undefined;
  #event: Event | undefined;
  events = 0;
  effects = 0;
  blocks = 0;
  end: JournalEnd | undefined;

  constructor(stored: "orders" | "all", step: Step, barsOf: BarsOf | undefined) {
    this.#stored = stored;
    this.#step = step;
    this.#barsOf = barsOf;
  }

  /** The last event that was fed in. */
  get last(): { readonly time: number; readonly event: string } {
    const event = this.#event;
    return event === undefined ? { time: 0, event: "none" } : { time: event.time, event: printable(event) };
  }

  event(event: Event): Difference | undefined {
    const missing = this.#missing(`no further effect of it, but the event ${printable(event)}`);
    if (missing !== undefined) return missing;
    this.#event = event;
    this.#step(event, this.#effects);
    this.events++;
    for (const effect of this.#effects) {
      this.#block.add(effect);
      (isStored(effect, this.#stored) ? this.#expected : this.#unstored).push(effect);
    }
    this.effects += this.#effects.length;
    this.#effects.length = 0;
    return undefined;
  }

  effect(recorded: Effect): Difference | undefined {
    const replayed = this.#expected.shift();
    if (replayed === undefined) return { recorded: printable(recorded), replayed: "no such effect" };
    if (sameBytes(recorded, replayed)) return undefined;
    return { recorded: printable(recorded), replayed: printable(replayed) };
  }

  bars(closeTime: number, count: number, stored: readonly BarEvent[] | undefined): Difference | undefined {
    const bars = stored?.[Symbol.iterator]() ?? this.#barsAt(closeTime);
    for (let i = 0; i < count; i++) {
      const bar = bars.next();
      if (bar.done) return { recorded: `${count} bars of ${instant(closeTime)}`, replayed: `${i} bars in the data` };
      const difference = this.event(bar.value);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }

  endBlock(effects: number, hash: string): Difference | undefined {
    const missing = this.#missing("the end of the block");
    if (missing !== undefined) return missing;
    const extra = this.#source?.next();
    if (extra !== undefined && !extra.done) {
      return { recorded: `no further bar of ${instant(this.#closeTime)}`, replayed: printable(extra.value) };
    }
    this.#source = undefined;
    this.#closeTime = Number.NaN;
    const block = this.#block.close();
    this.blocks++;
    const unstored = this.#unstored;
    this.#unstored = [];
    if (block.effects === effects && block.text === hash) return undefined;
    return {
      recorded: `a block of ${effects} effects with hash ${hash}; the file holds ${this.#stored} of them in full`,
      replayed: `a block of ${block.effects} effects with hash ${block.text}; not held in full:${listed(unstored)}`,
    };
  }

  finish(recorded: JournalEnd & JournalCounts): Difference | undefined {
    this.end = { tradesHash: recorded.tradesHash, trades: recorded.trades };
    if (recorded.events === this.events && recorded.effects === this.effects) return undefined;
    return {
      recorded: `a run of ${recorded.events} events and ${recorded.effects} effects`,
      replayed: `${this.events} events and ${this.effects} effects`,
    };
  }

  /** Effects that the file should have held before what comes now. */
  #missing(recorded: string): Difference | undefined {
    const [first] = this.#expected;
    return first === undefined ? undefined : { recorded, replayed: printable(first) };
  }

  #barsAt(closeTime: number): Iterator<BarEvent> {
    if (this.#source === undefined || closeTime !== this.#closeTime) {
      if (this.#barsOf === undefined) {
        throw new InputError("this journal refers to its bars instead of holding them; give the folder with --data");
      }
      this.#source = this.#barsOf(closeTime)[Symbol.iterator]();
      this.#closeTime = closeTime;
    }
    return this.#source;
  }
}

const left = new ByteWriter(1024);
const right = new ByteWriter(1024);

/** Compared as bytes, so that NaN equals NaN and -0 differs from 0. */
function sameBytes(a: Effect, b: Effect): boolean {
  left.length = 0;
  right.length = 0;
  encodeEffect(left, a);
  encodeEffect(right, b);
  return Buffer.compare(left.written(), right.written()) === 0;
}

/** An event or effect as one line of JSON; big integers as strings, numbers that JSON cannot hold by name. */
export function printable(value: Event | Effect): string {
  return JSON.stringify(value, (_name, part) => {
    if (typeof part === "bigint") return part.toString();
    if (typeof part === "number" && (!Number.isFinite(part) || Object.is(part, -0))) {
      return Object.is(part, -0) ? "-0" : String(part);
    }
    return part;
  });
}

const SHOWN = 10;

function listed(effects: readonly Effect[]): string {
  if (effects.length === 0) return " none";
  const lines = effects.slice(-SHOWN).map((effect) => `\n  ${printable(effect)}`);
  const before = effects.length - lines.length;
  return `${before > 0 ? ` ${before} and then` : ""}${lines.join("")}`;
}

function instant(time: number): string {
  return new Date(time).toISOString();
}
