import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { recordedSettings } from "../config/load.ts";
import type { Settings } from "../config/settings.ts";
import type { Effect } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";
import { step } from "../core/step.ts";
import { LiveBook } from "../exchange/binance/book.ts";
import { Recovery } from "../exchange/binance/recovered.ts";
import { InputError } from "../input-error.ts";
import type { JournalHeader } from "../journal/format.ts";
import { type Journal, readJournal } from "../journal/reader.ts";
import { newState } from "./assembly.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";

/** The book of earlier processes on the same account, as their journals have it. */
export interface RecoveredBook {
  readonly book: LiveBook;
  /** The journal that the next one goes on from. */
  readonly journal: string;
  /** Settings of the book's first run: what the book was begun with stays what it was. */
  readonly settings: Settings;
  /** Events that had to be replayed, because no checkpoint had them. */
  readonly replayed: number;
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

/**
 * A journal and those that it goes on from, oldest first.
 * @param isEnough asked of each, the newest first: whether those before it are not needed
 * @throws InputError where one of them is missing or damaged
 */
export function journalChain(path: string, isEnough: (journal: Journal) => boolean = () => false): Journal[] {
  const chain: Journal[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const journal: Journal = readJournal(next);
    chain.unshift(journal);
    next = isEnough(journal) ? undefined : predecessorOf(journal);
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
 * Brings a book back from its journals and nothing else: the core takes every event once more, from the newest good
 * checkpoint on. What the last process had decided and not written any more was not sent, and is part of the book all
 * the same: the exchange client asks for it.
 *
 * @throws InputError when the book holds something of a symbol that is not traded any more, or a journal is damaged
 */
export function recoverBook(
  path: string,
  instruments: readonly Instrument[],
  hedge: boolean,
  onNotice: (level: "warning", text: string) => void,
): RecoveredBook | undefined {
  const fits = (checkpoint: Checkpoint) =>
    checkpoint.hedge === hedge ? undefined : "it is of a book in the other position mode";
  let checkpoint: Checkpoint | undefined;
  const chain = journalChain(path, (journal) => {
    checkpoint = openCheckpoint(journal, fits, onNotice);
    return checkpoint !== undefined;
  });
  const book = checkpoint === undefined ? newBook(chain[0]!.header, hedge) : restoredBook(checkpoint);
  const settings = checkpoint?.settings ?? recordedSettings(chain[0]!.header.settings);
  const before = book.records;
  const { state } = book;
  const effects: Effect[] = [];
  const take = (event: Event) => {
    effects.length = 0;
    step(state, event, effects);
    book.stepped(event, effects);
  };
  chain.forEach((journal, index) => {
    const after = index === 0 ? checkpoint?.position : undefined;
    if (after === undefined) book.begins(journal.header.epoch);
    for (const { record } of journal.records(after)) {
      if (record.kind === "event") take(record.event);
      else if (record.kind === "bars") for (const bar of record.bars ?? []) take(bar);
    }
  });
  const known = state.config.instruments;
  if (!sameInstruments(known, instruments)) {
    const held = [...state.positions.values()].map(({ symbol }) => known[symbol]!.symbol);
    if (held.length === 0 && state.orders.size === 0) return undefined;
    throw new InputError(
      `the book holds ${held.join(", ") || "open orders"} with other symbols or contract rules than this run has: ` +
        `run with --symbols ${known.map(({ symbol }) => symbol).join(",")}, or close what is open first`,
      2,
    );
  }
  return { book, journal: path, settings, replayed: book.records - before };
}

/** The book before the first event of its first journal. */
function newBook(header: JournalHeader, hedge: boolean): LiveBook {
  const settings = recordedSettings(header.settings);
  const tradeFrom = header.data.kind === "recorded" ? 0 : header.data.start;
  return new LiveBook(newState(settings, header.instruments, tradeFrom), new Recovery(header.instruments, hedge));
}

function restoredBook({ settings, instruments, tradeFrom, hedge, book }: Checkpoint): LiveBook {
  return LiveBook.restored(newState(settings, instruments, tradeFrom), new Recovery(instruments, hedge), book);
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
