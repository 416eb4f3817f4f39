import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { recordedSettings } from "../config/load.ts";
import type { Settings } from "../config/settings.ts";
import type { Instrument } from "../core/instrument.ts";
import type { BookImage, LiveBook } from "../exchange/binance/book.ts";
import { InputError } from "../input-error.ts";
import type { JournalPosition } from "../journal/format.ts";
import { decodeImage, encodeImage } from "../journal/image.ts";
import type { Journal } from "../journal/reader.ts";
import { JournalWriteError, type JournalWriter } from "../journal/writer.ts";
import { programHash } from "../this-program.ts";

/**
 * A checkpoint is the book as it was after a certain record of a journal, in a file beside it: whoever brings the book
 * back begins there and replays what follows. It is a short cut and never the truth: one that is broken, foreign, or
 * made by another program is passed over, and the journals are replayed from their beginning.
 *
 * ```
 * "PNSTKCKP" | u32 version | u32 crc32 of the rest | image (journal/image.ts)
 * ```
 */
export interface Checkpoint {
  /** Hash of the program that made it: another one may remember other things, or the same ones differently. */
  readonly program: string;
  /** The last record that is in the book. */
  readonly position: JournalPosition;
  /** What the book was begun with, and how its positions are kept. */
  readonly settings: Settings;
  readonly instruments: readonly Instrument[];
  readonly tradeFrom: number;
  readonly hedge: boolean;
  readonly book: BookImage;
}

const MAGIC = "PNSTKCKP";
const VERSION = 1;
const HEAD = 16;

export function checkpointPath(journal: string): string {
  return `${journal}.checkpoint`;
}

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  const image = encodeImage(checkpoint);
  const bytes = new Uint8Array(HEAD + image.length);
  bytes.set(Buffer.from(MAGIC, "latin1"));
  bytes.set(image, HEAD);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, crc32(image), true);
  return bytes;
}

/** @throws InputError for bytes that are no checkpoint of this version and program */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  if (bytes.length < HEAD || Buffer.from(bytes.subarray(0, MAGIC.length)).toString("latin1") !== MAGIC) {
    throw new InputError("it is no checkpoint");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint32(8, true);
  if (version !== VERSION) throw new InputError(`it has version ${version}, this build reads ${VERSION}`);
  const image = bytes.subarray(HEAD);
  if (crc32(image) !== view.getUint32(12, true)) throw new InputError("its checksum is wrong");
  // Whatever has the checksum was written by us; what another program of ours meant by it is its own affair.
  const checkpoint = decodeImage(image) as Checkpoint;
  if (checkpoint.program !== programHash()) throw new InputError("another build of the program made it");
  return checkpoint;
}

/**
 * The checkpoint of a journal that can be gone on from; undefined where there is none. What is wrong with one is said.
 * @param fits says what of it does not fit this run; undefined when all does
 */
export function openCheckpoint(
  journal: Journal,
  fits: (checkpoint: Checkpoint) => string | undefined,
  onNotice: (level: "warning", text: string) => void,
): Checkpoint | undefined {
  const path = checkpointPath(journal.path);
  try {
    const checkpoint = decodeCheckpoint(readFileSync(path));
    if (!journal.has(checkpoint.position))
      throw new InputError("the journal has not the record that it was made after");
    const problem = fits(checkpoint);
    if (problem !== undefined) throw new InputError(problem);
    return checkpoint;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (!(error instanceof InputError) && code === undefined) throw error;
    onNotice("warning", `the checkpoint ${path} is passed over: ${(error as Error).message}; the journal is replayed`);
    return undefined;
  }
}

/** Records and time after which a checkpoint is due, whichever comes first. A restart replays about as much. */
const RECORDS = 200_000;
const PERIOD = 10 * 60_000;

/**
 * Keeps the checkpoint of a journal that is being written. Making one takes the trading thread some milliseconds
 * (bench/service/checkpoint.ts), so it is made where nothing is due; the disk is waited for by nobody.
 */
export class Checkpoints {
  readonly #book: LiveBook;
  readonly #journal: JournalWriter;
  readonly #hedge: boolean;
  readonly #onNotice: (level: "warning", text: string) => void;
  #sequence = 0;
  #at = performance.now();
  /** The one that is being written beside the trading. */
  #writing: Promise<void> | undefined;
  #failed = false;
  #broken = false;

  constructor(
    book: LiveBook,
    journal: JournalWriter,
    hedge: boolean,
    onNotice: (level: "warning", text: string) => void,
  ) {
    this.#book = book;
    this.#journal = journal;
    this.#hedge = hedge;
    this.#onNotice = onNotice;
    // Found out before trading begins: it takes reading the program.
    programHash();
  }

  /** To be called between two events, when nothing is due: makes a checkpoint when it is time. @param now monotonic ms */
  idle(now: number): void {
    const { sequence } = this.#journal;
    if (this.#writing !== undefined || this.#broken || sequence === this.#sequence) return;
    if (now - this.#at < PERIOD && sequence - this.#sequence < RECORDS) return;
    this.#at = now;
    const bytes = this.#make();
    if (bytes === undefined) return;
    this.#writing = this.#write(bytes)
      .then(
        () => {
          this.#failed = false;
        },
        (error: unknown) => this.#fail(error),
      )
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /**
   * Resolves when none is being written any more, whatever became of it: only then may the last one be made, which an
   * older one would replace, and only then the journal be closed, which is synced before each.
   */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Makes one between two events, and waits for the disk: the last one of a run, when all before it have settled. */
  now(): void {
    const bytes = this.#make();
    if (bytes === undefined) return;
    const path = checkpointPath(this.#journal.path);
    try {
      const file = openSync(`${path}.last`, "w", 0o644);
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(`${path}.last`, path);
    } catch (error) {
      // Half of one must not take the place that the journal needs.
      rmSync(`${path}.last`, { force: true });
      this.#fail(error);
    }
  }

  /** The book after the last record of the journal, as bytes; undefined where there is none or it cannot be had. */
  #make(): Uint8Array<ArrayBuffer> | undefined {
    try {
      // Bars that are gathered become a record.
      this.#journal.flush();
      const { position, sequence } = this.#journal;
      if (position === undefined) return undefined;
      this.#sequence = sequence;
      return this.#encoded(position);
    } catch (error) {
      // That the journal cannot be written is told by whoever writes it.
      if (!(error instanceof JournalWriteError)) this.#fail(error);
      return undefined;
    }
  }

  #encoded(position: JournalPosition): Uint8Array<ArrayBuffer> {
    const { instruments, tradeFrom } = this.#book.state.config;
    return encodeCheckpoint({
      program: programHash(),
      position,
      // Those of the header are without the secrets.
      settings: recordedSettings(this.#journal.header.settings),
      instruments,
      tradeFrom,
      hedge: this.#hedge,
      book: this.#book.image(),
    });
  }

  /** A reader finds the last checkpoint or this one, and never one whose records are not on the disk. */
  async #write(bytes: Uint8Array): Promise<void> {
    const path = checkpointPath(this.#journal.path);
    await this.#journal.syncInBackground();
    try {
      const file = await open(`${path}.new`, "w", 0o644);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.new`, path);
    } catch (error) {
      await rm(`${path}.new`, { force: true });
      throw error;
    }
  }

  /** A short cut that cannot be had is no reason to stop trading, not even where that is a bug. */
  #fail(error: unknown): void {
    const isOfDisk = error instanceof JournalWriteError || (error as NodeJS.ErrnoException).code !== undefined;
    const { message } = error as Error;
    if (!isOfDisk) {
      this.#broken = true;
      this.#onNotice(
        "warning",
        `no checkpoint can be made, which is a bug (${message}); a restart replays the journal`,
      );
      return;
    }
    if (!this.#failed) this.#onNotice("warning", `no checkpoint could be written: ${message}; a restart replays more`);
    this.#failed = true;
  }
}
