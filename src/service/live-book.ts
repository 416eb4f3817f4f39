import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { recordedSettings } from "../config/load.ts";
import type { Settings } from "../config/settings.ts";
import type { Effect } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";
import type { State } from "../core/state.ts";
import { step } from "../core/step.ts";
import { type Recovered, Recovery } from "../exchange/binance/recovered.ts";
import { InputError } from "../input-error.ts";
import { type Journal, readJournal } from "../journal/reader.ts";
import { newState } from "./assembly.ts";

/** The book of earlier processes on the same account, as their journals have it. */
export interface RecoveredBook {
  readonly state: State;
  readonly recovered: Recovered;
  /** Timers that the core had set, with their times. */
  readonly timers: ReadonlyMap<string, number>;
  /** The journal that the next one goes on from. */
  readonly journal: string;
  /** Settings of the book's first run: what the book was begun with stays what it was. */
  readonly settings: Settings;
  readonly records: number;
}

/** The newest journal of live trading on an account, or undefined where there is none. */
export function lastLiveJournal(dataDir: string, account: string, address: string): string | undefined {
  const folder = join(dataDir, "journal");
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const journals = names.filter((name) => name.endsWith("-run.journal")).sort();
  for (const name of journals.reverse()) {
    const path = join(folder, name);
    const { data } = readJournal(path).header;
    if (data.kind === "live" && data.account === account && data.address === address) return path;
  }
  return undefined;
}

/** A journal and those that it goes on from, oldest first. @throws InputError where one of them is missing or damaged */
export function journalChain(path: string): Journal[] {
  const chain: Journal[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const journal: Journal = readJournal(next);
    chain.unshift(journal);
    next = predecessorOf(journal);
  }
  return chain;
}

/** Where the journal is whose book this one goes on with; journals that were moved together find each other. */
function predecessorOf({ path, header: { data } }: Journal): string | undefined {
  if (data.kind !== "live" || data.continues === null) return undefined;
  const beside = join(dirname(path), basename(data.continues));
  const found = [beside, data.continues].find((place) => existsSync(place));
  if (found !== undefined && resolve(found) !== resolve(path)) return found;
  throw new InputError(
    `${path} goes on with the book of ${data.continues}, which is not there: put that journal where it was, or beside ` +
      "this one",
  );
}

/**
 * Brings a book back from its journals and nothing else: the core takes every event once more. What the last process had
 * decided and not written any more was not sent, and is part of the book all the same: the exchange client asks for it.
 *
 * @throws InputError when the book holds something of a symbol that is not traded any more, or a journal is damaged
 */
export function recoverBook(
  path: string,
  instruments: readonly Instrument[],
  hedge: boolean,
): RecoveredBook | undefined {
  const chain = journalChain(path);
  const { header } = chain[0]!;
  const settings = recordedSettings(header.settings);
  const tradeFrom = header.data.kind === "recorded" ? 0 : header.data.start;
  const state = newState(settings, header.instruments, tradeFrom);
  const recovery = new Recovery(header.instruments, hedge);
  const timers = new Map<string, number>();
  const effects: Effect[] = [];
  let records = 0;
  const take = (event: Event, epoch: number) => {
    recovery.event(event);
    if (event.kind === "timer") timers.delete(event.timer);
    effects.length = 0;
    step(state, event, effects);
    for (const effect of effects) {
      recovery.effect(effect, epoch);
      if (effect.kind === "set-timer") timers.set(effect.timer, effect.at);
      else if (effect.kind === "clear-timer") timers.delete(effect.timer);
    }
    records++;
  };
  for (const journal of chain) {
    recovery.nextProcess();
    for (const { record } of journal.records()) {
      if (record.kind === "event") take(record.event, journal.header.epoch);
      else if (record.kind === "bars") for (const bar of record.bars ?? []) take(bar, journal.header.epoch);
    }
  }
  if (!sameInstruments(header.instruments, instruments)) {
    const held = [...state.positions.values()].map(({ symbol }) => header.instruments[symbol]!.symbol);
    if (held.length === 0 && state.orders.size === 0) return undefined;
    throw new InputError(
      `the book holds ${held.join(", ") || "open orders"} with other symbols or contract rules than this run has: ` +
        `run with --symbols ${header.instruments.map(({ symbol }) => symbol).join(",")}, or close what is open first`,
      2,
    );
  }
  return { state, recovered: recovery.finish(state), timers, journal: path, settings, records };
}

function sameInstruments(before: readonly Instrument[], now: readonly Instrument[]): boolean {
  if (before.length !== now.length) return false;
  return before.every((instrument, index) => {
    const other = now[index]!;
    return (
      instrument.symbol === other.symbol &&
      instrument.tickUnits === other.tickUnits &&
      instrument.priceDecimals === other.priceDecimals &&
      instrument.lotUnits === other.lotUnits &&
      instrument.quantityDecimals === other.quantityDecimals
    );
  });
}
