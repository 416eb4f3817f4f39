import { crc32 } from "node:zlib";
import type { Effect } from "../core/effects.ts";
import type { BarEvent, Event } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";
import type { Venue } from "../exchange/exchange.ts";
import { InputError } from "../input-error.ts";
import { ByteReader, ByteWriter } from "./binary.ts";
import { decodeBarFields, decodeEffect, decodeEvent, encodeEffect } from "./codec.ts";

/**
 * The journal file. All numbers are little-endian, everything starts at a multiple of eight bytes.
 *
 * ```
 * file    "PNSTKJNL" | u32 version | u32 size of JSON | u32 crc32 | u32 0 | header as JSON, UTF-8 | zeros to 8
 * record  u32 size of payload | u32 crc32 | f64 sequence | payload | zeros to 8
 * payload u8 tag | what codec.ts and the functions below write
 * ```
 *
 * The header's checksum covers version, size and JSON; a record's covers sequence and payload. Sequences are 1, 2, 3 …
 */
export const JOURNAL_VERSION = 1;

export const MAGIC = "PNSTKJNL";
export const FILE_HEAD = 24;
export const RECORD_HEAD = 16;

/** Largest payload. A size beyond it is not a size: the reader uses this to tell records from rubbish. */
export const MAX_PAYLOAD = 1 << 20;

/** Largest header: settings and some 1,500 instruments take about 0.4 MB. */
export const MAX_HEADER = 16 << 20;

/** `bars` and `effects` say what of the run is in the file; see JournalHeader. */
export interface JournalHeader {
  /** Version of the program, for example "0.1.0". */
  readonly build: string;
  /** What was run, for example "backtest". */
  readonly command: string;
  readonly mode: Venue;
  /** Kernel that computed the indicators, for example "portable". */
  readonly kernel: string;
  /** Run epoch: with an order's id it makes the client order id. */
  readonly epoch: number;
  /** When the run began, ms; given by the caller, because the journal reads no clock. */
  readonly created: number;
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  readonly settingsHash: string;
  /** Sorted by symbol; events and orders refer to them by index. */
  readonly instruments: readonly Instrument[];
  readonly data: DataReference;
  /** `referenced`: bars are read again from `data` on replay; `stored`: they are in the file. */
  readonly bars: "referenced" | "stored";
  /** `orders`: of the effects only submit, cancel and amend are in the file, the others in the blocks' hashes; `all`: all. */
  readonly effects: "orders" | "all";
}

/** Where the bars came from, in as much detail as it takes to get the same ones again. Times in ms. */
export type DataReference =
  | {
      readonly kind: "recorded";
      readonly dir: string;
      readonly files?: readonly string[];
      readonly dataHash: string;
      readonly timeframe: number;
      /** Trading starts and ends here; null where the data's own bounds apply. */
      readonly from: number | null;
      readonly to: number | null;
      readonly symbols: readonly string[];
      readonly fundingFile?: string;
      readonly rulesFile?: string;
      readonly bracketsFile?: string;
    }
  | {
      readonly kind: "generated";
      readonly seed: number;
      readonly dataHash: string;
      readonly timeframe: number;
      readonly start: number;
      readonly symbols: readonly string[];
      readonly parameters?: Readonly<Record<string, string | number | boolean>>;
    }
  /** A market that went on while it was traded; the journal holds its bars. */
  | {
      readonly kind: "live";
      readonly address: string;
      /** Whose account, as a hash of the key; empty without one. */
      readonly account: string;
      readonly dataHash: string;
      readonly timeframe: number;
      readonly start: number;
      readonly symbols: readonly string[];
      /** The journal whose book this one goes on with; null for a new book. */
      readonly continues: string | null;
    };

/** One record of a journal, decoded. */
export type JournalRecord =
  | { readonly kind: "event"; readonly event: Event }
  /** An effect of the last event before it. */
  | { readonly kind: "effect"; readonly effect: Effect }
  /**
   * Bar events of one close time, in symbol order. Without `bars` they are the next `count` bars that the data
   * reference has for this close time; a second record of the same close time continues the first.
   */
  | { readonly kind: "bars"; readonly closeTime: number; readonly count: number; readonly bars?: readonly BarEvent[] }
  /** Ends a block, which is everything since the bars of another close time began. */
  | { readonly kind: "block"; readonly effects: number; readonly hash: string }
  | ({ readonly kind: "end" } & JournalEnd & JournalCounts);

/** What a run that ended cleanly says of itself. */
export interface JournalEnd {
  readonly tradesHash: string;
  readonly trades: number;
}

/** Everything that went through the core, stored in the file or not. */
export interface JournalCounts {
  readonly events: number;
  readonly effects: number;
}

/** A record of a certain journal, to be found again by. */
export interface JournalPosition {
  /** Checksum of the journal's header. */
  readonly header: number;
  /** Where the record starts in the file, bytes; its sequence number and its checksum. */
  readonly start: number;
  readonly sequence: number;
  readonly checksum: number;
}

/** First byte of a record's payload. */
export const TAG = { event: 1, effect: 2, referencedBars: 3, storedBars: 4, block: 5, end: 6 } as const;

/** Decodes a payload. @throws InputError for a tag or kind that this build does not know. */
export function decodeRecord(payload: Uint8Array): JournalRecord {
  const input = new ByteReader(payload);
  const record = decodeTagged(input);
  if (input.rest !== 0) throw new InputError(`${input.rest} bytes are left over after its ${record.kind}`);
  return record;
}

function decodeTagged(input: ByteReader): JournalRecord {
  const tag = input.u8();
  switch (tag) {
    case TAG.event:
      return { kind: "event", event: decodeEvent(input) };
    case TAG.effect:
      return { kind: "effect", effect: decodeEffect(input) };
    case TAG.referencedBars:
      return { kind: "bars", closeTime: input.f64(), count: input.u32() };
    case TAG.storedBars: {
      const closeTime = input.f64();
      const count = input.u32();
      const bars: BarEvent[] = [];
      for (let i = 0; i < count; i++) bars.push(decodeBarFields(input, closeTime, input.i32()));
      return { kind: "bars", closeTime, count, bars };
    }
    case TAG.block:
      return { kind: "block", effects: input.f64(), hash: hashText(input.u64()) };
    case TAG.end:
      return {
        kind: "end",
        tradesHash: input.text(),
        trades: input.f64(),
        events: input.f64(),
        effects: input.f64(),
      };
    default:
      throw new InputError(`record tag ${tag} is unknown to this build`);
  }
}

/** Bytes from the start of a record to the start of the next. */
export function recordSize(payload: number): number {
  return (RECORD_HEAD + payload + 7) & ~7;
}

/** Header of a file as bytes. @throws TypeError for a number that JSON cannot hold: it would read back as null. */
export function encodeHeader(header: JournalHeader): Uint8Array<ArrayBuffer> {
  const json = JSON.stringify(header, (name, value) => {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new TypeError(`journal header: ${name} is ${value}, which JSON cannot hold`);
    }
    return value;
  });
  const out = new ByteWriter(FILE_HEAD + json.length);
  for (let i = 0; i < MAGIC.length; i++) out.u8(MAGIC.charCodeAt(i));
  out.u32(JOURNAL_VERSION);
  const text = new TextEncoder().encode(json);
  out.u32(text.length);
  out.u32(headerChecksum(out.bytes, text));
  out.u32(0);
  out.append(text);
  while (out.length % 8 !== 0) out.u8(0);
  return out.written();
}

/** Checksum of a header whose first 16 bytes and JSON are given. */
export function headerChecksum(head: Uint8Array, json: Uint8Array): number {
  return crc32(json, crc32(head.subarray(8, 16)));
}

/** The checksum in the head of a file. */
export function checksumOf(head: Uint8Array): number {
  return new DataView(head.buffer, head.byteOffset).getUint32(16, true);
}

function hashText(hash: bigint): string {
  return hash.toString(16).padStart(16, "0");
}

/**
 * The effects of one block as bytes, and a hash that runs on from block to block: xxHash64 of the bytes, seeded with
 * the hash before. Recorder and replay both use it, so equal hashes mean equal effects in equal order.
 */
export class EffectBlock {
  readonly #bytes = new ByteWriter(4096);
  #last = 0;
  #hash = 0n;
  effects = 0;

  add(effect: Effect): void {
    this.#last = this.#bytes.length;
    encodeEffect(this.#bytes, effect);
    this.effects++;
  }

  /** The bytes of the effect that was added last: a view, valid until the next one. */
  get last(): Uint8Array {
    return this.#bytes.bytes.subarray(this.#last, this.#bytes.length);
  }

  /** Ends the block and begins the next one. */
  close(): { readonly effects: number; readonly hash: bigint; readonly text: string } {
    const effects = this.effects;
    this.#hash = Bun.hash.xxHash64(this.#bytes.written(), this.#hash);
    this.#bytes.length = 0;
    this.effects = 0;
    return { effects, hash: this.#hash, text: hashText(this.#hash) };
  }
}

/** Whether the file holds this effect in full, and not only in its block's hash. */
export function isStored(effect: Effect, effects: JournalHeader["effects"]): boolean {
  return effects === "all" || effect.kind === "submit" || effect.kind === "cancel" || effect.kind === "amend";
}
