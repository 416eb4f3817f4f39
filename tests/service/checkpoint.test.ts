import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import fc from "fast-check";
import { recordedSettings } from "../../src/config/load.ts";
import type { Effect } from "../../src/core/effects.ts";
import type { Event } from "../../src/core/events.ts";
import { restoreState, stateImage } from "../../src/core/state-image.ts";
import { step } from "../../src/core/step.ts";
import { type BookImage, LiveBook } from "../../src/exchange/binance/book.ts";
import { Recovery } from "../../src/exchange/binance/recovered.ts";
import { InputError } from "../../src/input-error.ts";
import { decodeImage, encodeImage } from "../../src/journal/image.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { printable } from "../../src/journal/replay.ts";
import { JournalWriter } from "../../src/journal/writer.ts";
import { newState } from "../../src/service/assembly.ts";
import {
  type Checkpoint,
  Checkpoints,
  checkpointPath,
  decodeCheckpoint,
  encodeCheckpoint,
} from "../../src/service/checkpoint.ts";
import { GENERATED_START } from "../../src/service/generated.ts";
import { recoverBook } from "../../src/service/live-book.ts";
import { replayJournal } from "../../src/service/replay.ts";
import { type Chain, halfway, tradeChain } from "./live-chain.ts";

const PROCESSES = 3;
/** Of market time that each of them trades. */
const MINUTES = 120;

let folder: string;
let chain: Chain;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "penstock-checkpoint-"));
  chain = tradeChain(folder, 3, PROCESSES, MINUTES);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** All of a book as bytes: equal books have equal ones. */
function bytesOf(book: LiveBook): Buffer {
  return Buffer.from(encodeImage([book.image(), book.recovered()]));
}

/** The chain's events, and which processes they belong to. */
function history(): { readonly event: Event; readonly epoch: number }[] {
  return chain.journals.flatMap((path) => {
    const journal = readJournal(path);
    const { epoch } = journal.header;
    return [...journal.records()].flatMap(({ record }) => {
      if (record.kind === "event") return [{ event: record.event, epoch }];
      return record.kind === "bars" ? record.bars!.map((event) => ({ event, epoch })) : [];
    });
  });
}

function fresh(): LiveBook {
  const { instruments } = chain.book.state.config;
  return new LiveBook(newState(chain.settings, instruments, GENERATED_START), new Recovery(instruments, false));
}

/** The book that is made of an image, through bytes. */
function restored(of: LiveBook | Checkpoint): LiveBook {
  const image = decodeImage(encodeImage(of instanceof LiveBook ? of.image() : of.book)) as BookImage;
  const { instruments } = chain.book.state.config;
  const state = newState(chain.settings, instruments, GENERATED_START);
  return LiveBook.restored(state, new Recovery(instruments, false), image);
}

class Follower {
  readonly book: LiveBook;
  #epoch: number;

  constructor(book: LiveBook, epoch = 0) {
    this.book = book;
    this.#epoch = epoch;
  }

  /** Takes an event and returns what follows from it. */
  take({ event, epoch }: { readonly event: Event; readonly epoch: number }): string {
    if (epoch !== this.#epoch) this.book.begins(epoch);
    this.#epoch = epoch;
    const effects: Effect[] = [];
    step(this.book.state, event, effects);
    this.book.stepped(event, effects);
    return effects.map(printable).join("\n");
  }
}

const quiet = (_: "warning", text: string) => {
  throw new Error(text);
};

/** A copy of the chain in a folder of its own, the newest journal first. */
function copy(): { readonly dir: string; readonly newest: string; readonly older: readonly string[] } {
  const dir = mkdtempSync(join(folder, "copy-"));
  for (const path of chain.journals) {
    copyFileSync(path, join(dir, basename(path)));
    copyFileSync(checkpointPath(path), join(dir, basename(checkpointPath(path))));
  }
  const [newest, ...older] = chain.journals.map((path) => join(dir, basename(path))).reverse();
  return { dir, newest: newest!, older };
}

function recover(path: string, onNotice: (level: "warning", text: string) => void = quiet) {
  return recoverBook(path, chain.book.state.config.instruments, false, onNotice)!;
}

describe("a book that goes on from a checkpoint", () => {
  test("is the book of the whole replay to the byte, and decides the same, wherever the cut is", () => {
    const all = history();
    expect(chain.fills).toBeGreaterThan(20);
    const whole = new Follower(fresh());
    const living: Follower[] = [];
    const told: string[] = [];
    all.forEach((one, index) => {
      told.push(whole.take(one));
      const [follower] = living.splice(0);
      if (follower !== undefined) {
        expect(follower.take(one)).toBe(told.at(-1)!);
        expect(bytesOf(follower.book).equals(bytesOf(whole.book))).toBe(true);
      }
      // A cut after every event that is about orders, and after some of the others.
      const { kind } = one.event;
      const isRare = kind !== "bar" && kind !== "analysis";
      if (isRare || index % 23 === 0) living.push(new Follower(restored(whole.book), one.epoch));
    });
    expect(bytesOf(whole.book).equals(bytesOf(chain.book))).toBe(true);
  });

  test("stays it to the end", () => {
    const all = history();
    const expected = bytesOf(chain.book);
    fc.assert(
      fc.property(fc.nat(all.length - 1), (cut) => {
        const first = new Follower(fresh());
        for (const one of all.slice(0, cut)) first.take(one);
        const second = new Follower(restored(first.book), all[cut - 1]?.epoch);
        for (const one of all.slice(cut)) expect(second.take(one)).toBe(first.take(one));
        expect(bytesOf(second.book).equals(expected)).toBe(true);
      }),
      { numRuns: 6, examples: [[0], [all.length - 1]] },
    );
  });

  test("has the settings that were changed before it", () => {
    const { instruments } = chain.book.state.config;
    const image = decodeImage(encodeImage(stateImage(chain.book.state))) as ReturnType<typeof stateImage>;
    const state = restoreState(newState(chain.settings, instruments, GENERATED_START), image);
    expect(state.config.life.trailFrom).toBe(1 + (PROCESSES - 1) / 10);
  });
});

describe("a restart", () => {
  test("replays what follows the newest checkpoint, and needs nothing before it", () => {
    const { newest, older } = copy();
    for (const path of older) rmSync(path);
    const { book, replayed, settings } = recover(newest);
    expect(replayed).toBe(0);
    expect(bytesOf(book).equals(bytesOf(chain.book))).toBe(true);
    expect(settings).toEqual(recordedSettings(readJournal(newest).header.settings));
  });

  test("replays the rest of a journal in which the checkpoint lies", () => {
    for (const [index, path] of chain.journals.entries()) {
      const { newest, older } = copy();
      const journal = [newest, ...older].reverse()[index]!;
      for (const later of [newest, ...older]) if (later >= journal) rmSync(checkpointPath(later));
      copyFileSync(halfway(path), checkpointPath(journal));
      const { book, replayed } = recover(newest);
      expect(replayed).toBeGreaterThan(MINUTES);
      expect(bytesOf(book).equals(bytesOf(chain.book))).toBe(true);
    }
  });

  test("goes on from an older journal's checkpoint where the newest has none", () => {
    const { newest, older } = copy();
    rmSync(checkpointPath(newest));
    rmSync(older[1]!);
    const { book, replayed } = recover(newest);
    expect(replayed).toBe([...history()].filter(({ epoch }) => epoch === 1000 + PROCESSES - 1).length);
    expect(bytesOf(book).equals(bytesOf(chain.book))).toBe(true);
  });

  test("replays everything where there is none", () => {
    const { newest, older } = copy();
    for (const path of [newest, ...older]) rmSync(checkpointPath(path));
    const { book, replayed } = recover(newest);
    expect(replayed).toBe(history().length);
    expect(bytesOf(book).equals(bytesOf(chain.book))).toBe(true);
  });

  test("passes over a checkpoint that is broken, foreign or of another time, says so, and has the same book", () => {
    const expected = bytesOf(chain.book);
    const good = readFileSync(checkpointPath(chain.journals.at(-1)!));
    const changed = (change: (checkpoint: { -readonly [K in keyof Checkpoint]: Checkpoint[K] }) => void) => {
      const checkpoint = decodeCheckpoint(good) as { -readonly [K in keyof Checkpoint]: Checkpoint[K] };
      change(checkpoint);
      return encodeCheckpoint(checkpoint);
    };
    const flipped = (place: number) => {
      const bytes = new Uint8Array(good);
      bytes[place]! ^= 1;
      return bytes;
    };
    const cases: readonly (readonly [bytes: Uint8Array, why: string])[] = [
      [new Uint8Array(0), "it is no checkpoint"],
      [flipped(0), "it is no checkpoint"],
      [flipped(8), "it has version"],
      [flipped(12), "its checksum is wrong"],
      [flipped(good.length - 1), "its checksum is wrong"],
      [good.subarray(0, good.length - 8), "its checksum is wrong"],
      [changed((one) => (one.program = "another")), "another build"],
      [changed((one) => (one.hedge = true)), "position mode"],
      [changed((one) => (one.position = { ...one.position, header: 1 })), "has not the record"],
      [changed((one) => (one.position = { ...one.position, checksum: 1 })), "has not the record"],
      [changed((one) => (one.position = { ...one.position, sequence: 7 })), "has not the record"],
      [changed((one) => (one.position = { ...one.position, start: one.position.start + 8 })), "has not the record"],
      // Of the journal before.
      [readFileSync(checkpointPath(chain.journals[0]!)), "has not the record"],
    ];
    for (const [bytes, why] of cases) {
      const { newest, older } = copy();
      for (const path of older) rmSync(checkpointPath(path));
      writeFileSync(checkpointPath(newest), bytes);
      const said: string[] = [];
      const { book } = recover(newest, (_, text) => said.push(text));
      expect(said).toHaveLength(1);
      expect(said[0]).toContain(why);
      expect(bytesOf(book).equals(expected)).toBe(true);
    }
  });

  test("has the book of what is left of a journal whose last records were lost with the power", () => {
    const { newest } = copy();
    const { start } = decodeCheckpoint(readFileSync(checkpointPath(newest))).position;
    truncateSync(newest, start + 4);
    const said: string[] = [];
    const { book } = recover(newest, (_, text) => said.push(text));
    expect(said).toHaveLength(1);
    const whole = new Follower(fresh());
    const all = history();
    for (const one of all.slice(0, book.records)) whole.take(one);
    expect(book.records).toBeLessThan(all.length);
    expect(bytesOf(book).equals(bytesOf(whole.book))).toBe(true);
  });

  test("does not mind what a process left that died while it wrote one", () => {
    const { newest } = copy();
    writeFileSync(`${checkpointPath(newest)}.new`, "half of");
    expect(recover(newest).replayed).toBe(0);
  });

  test("takes what its exchange client works with for itself", () => {
    const { book } = recover(copy().newest);
    const before = bytesOf(book);
    const { orders, trades } = book.recovered();
    for (const record of orders) {
      record.trades.add("another");
      record.over = true;
    }
    (trades as string[]).push("another");
    expect(bytesOf(book).equals(before)).toBe(true);
  });
});

describe("while a journal is written", () => {
  const LATER = 11 * 60_000;

  /** The first process of the chain once more, with a journal elsewhere. */
  function writing(onNotice: (level: "warning", text: string) => void) {
    const dir = mkdtempSync(join(folder, "writing-"));
    const { header } = readJournal(chain.journals[0]!);
    const journal = new JournalWriter(join(dir, "1-run.journal"), header, "intent");
    const book = fresh();
    book.begins(header.epoch);
    const checkpoints = new Checkpoints(book, journal, false, onNotice);
    const events = history().filter(({ epoch }) => epoch === header.epoch);
    const take = (count: number) => {
      for (const { event } of events.splice(0, count)) {
        const effects: Effect[] = [];
        journal.event(event);
        step(book.state, event, effects);
        for (const effect of effects) journal.effect(effect);
        book.stepped(event, effects);
      }
    };
    return { dir, journal, book, checkpoints, take };
  }

  /** Until it is so; the test's own bound is the only one. */
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
  }

  test("a checkpoint is made when it is time, beside the trading, and when something has happened since", async () => {
    const { dir, journal, book, checkpoints, take } = writing(quiet);
    const path = checkpointPath(journal.path);
    const now = performance.now();
    checkpoints.idle(now + LATER);
    take(200);
    checkpoints.idle(now + 1);
    expect(existsSync(path)).toBe(false);
    checkpoints.idle(now + LATER);
    // What happens while it is written is not in it.
    const [bytes, { sequence }] = [bytesOf(book), journal.position!];
    take(100);
    await until(() => existsSync(path));
    const first = decodeCheckpoint(readFileSync(path));
    expect(first.position.sequence).toBe(sequence);
    expect(bytesOf(restored(first)).equals(bytes)).toBe(true);
    journal.flush();
    const { book: recovered, replayed } = recover(journal.path);
    expect(replayed).toBe(100);
    expect(bytesOf(recovered).equals(bytesOf(book))).toBe(true);
    await until(() => {
      checkpoints.idle(now + 3 * LATER);
      return decodeCheckpoint(readFileSync(path)).position.sequence > sequence;
    });
    expect(recover(journal.path).replayed).toBe(0);
    expect(readdirSync(dir)).toHaveLength(2);
    journal.close();
  });

  test("the last one waits for one that is being written, and stays the last", async () => {
    const { dir, journal, checkpoints, take } = writing(quiet);
    const synced = Promise.withResolvers<void>();
    journal.syncInBackground = () => synced.promise;
    take(50);
    checkpoints.idle(performance.now() + LATER);
    take(100);
    const made = checkpoints.settled().then(() => checkpoints.now());
    synced.resolve();
    await made;
    await until(() => readdirSync(dir).every((name) => !name.endsWith(".new")));
    const { position } = decodeCheckpoint(readFileSync(checkpointPath(journal.path)));
    expect(position).toEqual(journal.position!);
    // Nothing is under way: it need not be waited for.
    await checkpoints.settled();
    journal.close();
  });

  test("one that cannot be written, or not be made, is said and stops nothing", async () => {
    const said: string[] = [];
    const { dir, journal, book, checkpoints, take } = writing((_, text) => said.push(text));
    take(50);
    const now = performance.now();
    // A folder is where the file would be.
    mkdirSync(`${checkpointPath(journal.path)}.new`);
    checkpoints.idle(now + LATER);
    await until(() => said.length === 1);
    expect(said[0]).toContain("no checkpoint could be written");
    book.state.changed.set("something", (() => {}) as never);
    take(50);
    checkpoints.now();
    expect(said[1]).toContain("no checkpoint can be made, which is a bug (a function is no plain data)");
    take(50);
    checkpoints.idle(now + 3 * LATER);
    expect(said).toHaveLength(2);
    journal.close();
    rmSync(dir, { recursive: true });
  });
});

describe("the replay of a run that went on with an earlier book", () => {
  test("begins with the journals before it, and is identical", () => {
    chain.journals.forEach((path, index) => {
      const { result, before } = replayJournal(path);
      expect(result).toMatchObject({ identical: true });
      expect(before).toEqual(chain.journals.slice(0, index));
    });
  });

  test("finds journals that were moved together, and names the one that is missing", () => {
    const { dir, newest, older } = copy();
    expect(replayJournal(newest).before).toEqual([...older].reverse());
    // Where the header says, the first journal lies still; elsewhere it is found by nobody.
    const hidden = mkdtempSync(join(folder, "hidden-"));
    renameSync(chain.journals[0]!, join(hidden, "first"));
    try {
      rmSync(older[1]!);
      expect(() => replayJournal(newest)).toThrow(InputError);
      expect(() => replayJournal(newest)).toThrow(`goes on with the book of ${chain.journals[0]}, which is not there`);
    } finally {
      renameSync(join(hidden, "first"), chain.journals[0]!);
    }
    expect(readdirSync(dir)).toHaveLength(2 * PROCESSES - 1);
  });

  test("says in which journal a difference shows", () => {
    const dir = join(folder, "other");
    mkdirSync(dir);
    // The second goes on with a book that is not the one it was traded with.
    const other = tradeChain(dir, 4, 1, MINUTES);
    const { newest, older } = copy();
    copyFileSync(other.journals[0]!, older[1]!);
    const { result, journal } = replayJournal(newest);
    expect(result.identical).toBe(false);
    expect(journal).toBe(older[0]!);
    expect(existsSync(older[1]!)).toBe(true);
  });
});
