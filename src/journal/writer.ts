import { closeSync, fdatasync, fdatasyncSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Effect } from "../core/effects.ts";
import type { BarEvent, Event } from "../core/events.ts";
import { isRequest } from "../exchange/exchange.ts";
import { ByteWriter, checksum } from "./binary.ts";
import { encodeBarFields, encodeEvent } from "./codec.ts";
import {
  checksumOf,
  EffectBlock,
  encodeHeader,
  isStored,
  type JournalEnd,
  type JournalHeader,
  type JournalPosition,
  MAX_PAYLOAD,
  RECORD_HEAD,
  TAG,
} from "./format.ts";

/** Bytes that are collected before they are written by themselves. */
const BUFFER = 1 << 20;

/**
 * The journal could not be written. What was given is complete in memory, and the next flush goes on at the exact byte
 * where this one stopped; only after a failed sync can nothing be said about what is on the disk. The shell decides:
 * entries stop, protective exits still go.
 */
export class JournalWriteError extends Error {
  override readonly name = "JournalWriteError";

  constructor(path: string, doing: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`cannot ${doing} the journal ${path}: ${why}`, { cause });
  }
}

/**
 * How soon a record leaves the process. `buffered`: when a mebibyte has gathered, or at a flush; for backtests.
 * `intent`: besides, who hands over a submit, cancel or amend gets back only when it is in the page cache, where it
 * survives the death of the process; for anything that sends orders.
 */
export type Durability = "buffered" | "intent";

/**
 * Records a run: each event before the core steps on it, then each effect of that step, in order.
 *
 * Bar events of one close time are gathered into one record, and a block of effects ends where the bars of another
 * close time begin. All methods throw a JournalWriteError when the file cannot be written.
 */
export class JournalWriter {
  readonly path: string;
  readonly header: JournalHeader;
  readonly #durability: Durability;
  readonly #file: number;
  readonly #out = new ByteWriter(BUFFER + (BUFFER >> 2));
  /** Stored bars of the run that is being gathered. */
  readonly #bars = new ByteWriter(4096);
  #barCount = 0;
  #blockTime: number | undefined;
  readonly #block = new EffectBlock();
  #sequence = 0;
  readonly #headerChecksum: number;
  /** Bytes that have left the buffer; where the last record starts in the file, and its checksum. */
  #left = 0;
  #lastStart = 0;
  #lastChecksum = 0;
  #events = 0;
  #effects = 0;
  #syncing: Promise<void> | undefined;
  #state: "open" | "ended" | "closed" = "open";

  /**
   * Creates the file, and the folders above it, with its header.
   * @throws JournalWriteError also if the file exists: a journal is never written over.
   */
  constructor(path: string, header: JournalHeader, durability: Durability) {
    this.path = path;
    this.header = header;
    this.#durability = durability;
    const bytes = encodeHeader(header);
    this.#headerChecksum = checksumOf(bytes);
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#file = openSync(path, "wx", 0o644);
    } catch (error) {
      throw new JournalWriteError(path, "create", error);
    }
    this.#out.append(bytes);
    try {
      this.#write();
    } catch (error) {
      // A file without a whole header is no journal, so none is left behind.
      closeSync(this.#file);
      rmSync(path, { force: true });
      throw error;
    }
  }

  /** Sequence number of the last record, and what has gone through so far. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The last record, to be found again by; undefined while there is none. Bars that are being gathered are in none. */
  get position(): JournalPosition | undefined {
    if (this.#sequence === 0) return undefined;
    return {
      header: this.#headerChecksum,
      start: this.#lastStart,
      sequence: this.#sequence,
      checksum: this.#lastChecksum,
    };
  }

  get events(): number {
    return this.#events;
  }

  get effects(): number {
    return this.#effects;
  }

  /** Appends an event; to be called before the core steps on it. */
  event(event: Event): void {
    this.#events++;
    if (event.kind === "bar") {
      this.#bar(event);
    } else {
      this.#endBars();
      const start = this.#begin(TAG.event);
      encodeEvent(this.#out, event);
      this.#finish(start);
    }
    this.#spill();
  }

  /** Appends an effect of the last event; to be called before the effect is performed. */
  effect(effect: Effect): void {
    this.#append(effect);
    if (this.#durability === "intent" && isRequest(effect)) this.#write();
    else this.#spill();
  }

  /**
   * Appends several effects of the last event, those from `from` to before `to`, in one writing: a fill may ask for three
   * orders at once.
   */
  effectsOfStep(effects: readonly Effect[], from: number, to: number): void {
    let intends = false;
    for (let i = from; i < to; i++) {
      const effect = effects[i]!;
      this.#append(effect);
      if (isRequest(effect)) intends = true;
    }
    if (this.#durability === "intent" && intends) this.#write();
    else this.#spill();
  }

  #append(effect: Effect): void {
    this.#effects++;
    this.#block.add(effect);
    if (!isStored(effect, this.header.effects)) return;
    this.#endBars();
    const start = this.#begin(TAG.effect);
    this.#out.append(this.#block.last);
    this.#finish(start);
  }

  /** Hands everything to the page cache. */
  flush(): void {
    this.#endBars();
    this.#write();
  }

  /** Flushes and waits until the disk has it. */
  sync(): void {
    this.flush();
    try {
      fdatasyncSync(this.#file);
    } catch (error) {
      throw new JournalWriteError(this.path, "sync", error);
    }
  }

  /**
   * Flushes, and has the disk catch up without blocking this thread. One sync is under way at a time: a call during one
   * gets the same promise, which says nothing about what was appended since; ask again when it is done.
   */
  syncInBackground(): Promise<void> {
    this.flush();
    this.#syncing ??= new Promise<void>((resolve, reject) => {
      fdatasync(this.#file, (error) => {
        this.#syncing = undefined;
        if (error) reject(new JournalWriteError(this.path, "sync", error));
        else resolve();
      });
    });
    return this.#syncing;
  }

  /** Marks a clean end; only `close` may follow. */
  end(end: JournalEnd): void {
    this.#endBlock();
    const start = this.#begin(TAG.end);
    this.#out.text(end.tradesHash);
    this.#out.f64(end.trades);
    this.#out.f64(this.#events);
    this.#out.f64(this.#effects);
    this.#finish(start);
    this.#state = "ended";
    this.flush();
  }

  /** Flushes and closes the file. Without `end` before, a reader sees that the run broke off. */
  close(): void {
    if (this.#state === "closed") return;
    try {
      this.flush();
    } finally {
      this.#state = "closed";
      closeSync(this.#file);
    }
  }

  #bar(bar: BarEvent): void {
    this.#assertOpen();
    if (!Object.is(bar.time, this.#blockTime)) {
      // The first events of a run may come before its first bar; they are a block of their own.
      if (this.#events > 1 || this.#effects > 0) this.#endBlock();
      this.#blockTime = bar.time;
    }
    this.#barCount++;
    if (this.header.bars === "stored") {
      this.#bars.i32(bar.symbol);
      encodeBarFields(this.#bars, bar);
      if (this.#bars.length > MAX_PAYLOAD >> 1) this.#endBars();
    }
  }

  #endBars(): void {
    if (this.#barCount === 0 || this.#blockTime === undefined) return;
    const stored = this.header.bars === "stored";
    const start = this.#begin(stored ? TAG.storedBars : TAG.referencedBars);
    this.#out.f64(this.#blockTime);
    this.#out.u32(this.#barCount);
    if (stored) this.#out.append(this.#bars.written());
    this.#bars.length = 0;
    this.#barCount = 0;
    this.#finish(start);
  }

  #endBlock(): void {
    this.#endBars();
    const { effects, hash } = this.#block.close();
    const start = this.#begin(TAG.block);
    this.#out.f64(effects);
    this.#out.u64(hash);
    this.#finish(start);
  }

  /** Begins a record in the buffer and returns where. */
  #begin(tag: number): number {
    this.#assertOpen();
    const start = this.#out.length;
    this.#out.reserve(RECORD_HEAD + 1);
    this.#out.length = start + RECORD_HEAD;
    this.#out.u8(tag);
    return start;
  }

  #assertOpen(): void {
    if (this.#state !== "open") throw new Error(`the journal ${this.path} has ended`);
  }

  /** Completes the record that began at `start`. */
  #finish(start: number): void {
    const out = this.#out;
    const payload = out.length - start - RECORD_HEAD;
    if (payload > MAX_PAYLOAD) {
      out.length = start;
      throw new RangeError(`a journal record of ${payload} bytes exceeds ${MAX_PAYLOAD}`);
    }
    this.#sequence++;
    out.view.setUint32(start, payload, true);
    out.view.setFloat64(start + 8, this.#sequence, true);
    this.#lastStart = this.#left + start;
    this.#lastChecksum = checksum(out.bytes, start + 8, out.length);
    out.view.setUint32(start + 4, this.#lastChecksum, true);
    while ((out.length & 7) !== 0) out.u8(0);
  }

  /** Writes what has gathered; only where whole records are in the buffer, so that a failure loses none. */
  #spill(): void {
    if (this.#out.length >= BUFFER) this.#write();
  }

  #write(): void {
    const out = this.#out;
    let done = 0;
    try {
      while (done < out.length) done += writeSync(this.#file, out.bytes, done, out.length - done);
      out.length = 0;
      this.#left += done;
    } catch (error) {
      out.bytes.copyWithin(0, done, out.length);
      out.length -= done;
      this.#left += done;
      throw new JournalWriteError(this.path, "write", error);
    }
  }
}
