import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { InputError } from "../input-error.ts";
import {
  checksumOf,
  decodeRecord,
  FILE_HEAD,
  headerChecksum,
  JOURNAL_VERSION,
  type JournalHeader,
  type JournalPosition,
  type JournalRecord,
  MAGIC,
  MAX_HEADER,
  MAX_PAYLOAD,
  RECORD_HEAD,
  recordSize,
} from "./format.ts";

/** Bytes that are read at once; larger than any record. */
const WINDOW = 4 << 20;

/** A journal that is being read. The file is never changed. */
export interface Journal {
  readonly path: string;
  readonly header: JournalHeader;
  /** Whether this is the journal of a position, and the record is there. */
  has(position: JournalPosition): boolean;
  /**
   * The records from the first, or the one after a position that the journal has, to the last good one, read as they are
   * asked for.
   * @throws InputError where a bad record is followed by good ones, and for kinds that this build does not know.
   */
  records(after?: JournalPosition): Generator<JournalEntry, JournalTail, undefined>;
}

export interface JournalEntry {
  readonly sequence: number;
  /** Where the record starts in the file, bytes. */
  readonly offset: number;
  readonly record: JournalRecord;
}

/** How a journal ends. */
export interface JournalTail {
  /** Number of good records. */
  readonly records: number;
  /** Whether the last record says that the run ended cleanly. */
  readonly ended: boolean;
  /** Whether something follows the last good record: the rest of one that was being written. */
  readonly torn: boolean;
  readonly bytesCut: number;
}

/**
 * Opens a journal and checks its header.
 * @throws InputError for a file that is missing, is no journal, is newer than this build, or has a damaged header.
 */
export function readJournal(path: string): Journal {
  const file = openForReading(path);
  try {
    const { header, size, checksum } = readHeader(path, file);
    const isOf = (position: JournalPosition) => position.header === checksum && position.start >= size;
    return {
      path,
      header,
      has: (position) => isOf(position) && sizeOf(path, position) !== undefined,
      records: (after) => readRecords(path, size, after),
    };
  } finally {
    closeSync(file);
  }
}

function openForReading(path: string): number {
  try {
    const file = openSync(path, "r");
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
  } catch (error) {
    throw new InputError(`cannot open the journal ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new InputError(`${path} is not a file; give the path of a .journal file`);
}

/** Size of the record at a position, with its padding; undefined where another record, or none, is there. */
function sizeOf(path: string, { start, sequence, checksum }: JournalPosition): number | undefined {
  const file = openForReading(path);
  try {
    const window = new Window(file, fstatSync(file).size);
    const payload = window.recordAt(start, sequence);
    return payload !== undefined && window.checksumAt(start) === checksum ? recordSize(payload.length) : undefined;
  } finally {
    closeSync(file);
  }
}

function readHeader(path: string, file: number): { header: JournalHeader; size: number; checksum: number } {
  const head = new Uint8Array(FILE_HEAD);
  const got = readFully(file, head, 0);
  if (got < MAGIC.length || Buffer.from(head.subarray(0, MAGIC.length)).toString("latin1") !== MAGIC) {
    throw new InputError(`${path} is not a Penstock journal: it does not begin with ${MAGIC}`);
  }
  if (got < FILE_HEAD) throw new InputError(`${path}: the journal's header is cut off after ${got} bytes`);
  const view = new DataView(head.buffer);
  const version = view.getUint32(8, true);
  if (version > JOURNAL_VERSION) {
    throw new InputError(
      `${path} was written by a newer Penstock: journal version ${version}, this build reads up to ${JOURNAL_VERSION}`,
    );
  }
  const length = view.getUint32(12, true);
  const damaged = `${path}: the journal's header is damaged`;
  if (version < 1 || length > MAX_HEADER || view.getUint32(20, true) !== 0) throw new InputError(damaged);
  const json = new Uint8Array(length);
  const cut = readFully(file, json, FILE_HEAD);
  if (cut < length) throw new InputError(`${path}: the journal's header is cut off after ${FILE_HEAD + cut} bytes`);
  const checksum = checksumOf(head);
  if (headerChecksum(head, json) !== checksum) throw new InputError(`${damaged}: wrong checksum`);
  return { header: JSON.parse(new TextDecoder().decode(json)), size: (FILE_HEAD + length + 7) & ~7, checksum };
}

function* readRecords(
  path: string,
  start: number,
  after: JournalPosition | undefined,
): Generator<JournalEntry, JournalTail, undefined> {
  const skipped = after === undefined ? 0 : sizeOf(path, after);
  if (skipped === undefined) throw new Error(`${path} has no record ${after?.sequence} at byte ${after?.start}`);
  const file = openForReading(path);
  try {
    // What is appended while we read belongs to a later reading.
    const end = fstatSync(file).size;
    const window = new Window(file, end);
    let offset = after === undefined ? start : after.start + skipped;
    let sequence = after?.sequence ?? 0;
    let ended = false;
    while (!ended) {
      const payload = window.recordAt(offset, sequence + 1);
      if (payload === undefined) break;
      sequence++;
      const record = decode(path, sequence, offset, payload);
      ended = record.kind === "end";
      yield { sequence, offset, record };
      offset += recordSize(payload.length);
    }
    if (ended && offset < end) {
      throw new InputError(`${path}: ${end - offset} bytes follow the end of the run, from byte ${offset} on`);
    }
    const next = window.goodRecordAfter(offset, sequence + 1);
    if (next !== undefined) {
      throw new InputError(
        `${path} is damaged: record ${sequence + 1} at byte ${offset} is bad, but record ${next.sequence} at byte ` +
          `${next.offset} is good, so this is not the torn end of a run that was killed`,
      );
    }
    // A header that was cut inside its padding leaves the start of the records beyond the end of the file.
    const bytesCut = end > offset ? end - offset : 0;
    return { records: sequence, ended, torn: bytesCut > 0, bytesCut };
  } finally {
    closeSync(file);
  }
}

function decode(path: string, sequence: number, offset: number, payload: Uint8Array): JournalRecord {
  try {
    return decodeRecord(payload);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${path}: record ${sequence} at byte ${offset}: ${error.message}`);
  }
}

/** The part of the file that is in memory, moved along as records are asked for. */
class Window {
  readonly #file: number;
  readonly #end: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #start = 0;
  #length = 0;

  constructor(file: number, end: number) {
    this.#file = file;
    this.#end = end;
    this.#bytes = new Uint8Array(Math.min(WINDOW, end));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Payload of the whole, unharmed record `sequence` at `offset`, or undefined. A view, valid until the next call. */
  recordAt(offset: number, sequence: number): Uint8Array | undefined {
    const head = this.#locate(offset, RECORD_HEAD);
    if (head === undefined || this.#view.getFloat64(head + 8, true) !== sequence) return undefined;
    return this.#payloadAt(offset, head);
  }

  /** The checksum that stands in the record at `offset`, which is there. */
  checksumAt(offset: number): number {
    return this.#view.getUint32(this.#locate(offset, RECORD_HEAD)! + 4, true);
  }

  /** The first unharmed record behind `offset` with a sequence number that could follow; the sign of damage. */
  goodRecordAfter(offset: number, sequence: number): { offset: number; sequence: number } | undefined {
    // A record takes at least 24 bytes, so this many could have been lost before the end.
    const most = sequence + (this.#end - offset) / 24;
    for (let at = offset + 8; at + RECORD_HEAD <= this.#end; at += 8) {
      const head = this.#locate(at, RECORD_HEAD);
      if (head === undefined) return undefined;
      const found = this.#view.getFloat64(head + 8, true);
      if (!(found > sequence && found <= most) || !Number.isInteger(found)) continue;
      if (this.#payloadAt(at, head) !== undefined) return { offset: at, sequence: found };
    }
    return undefined;
  }

  #payloadAt(offset: number, head: number): Uint8Array | undefined {
    const length = this.#view.getUint32(head, true);
    if (length === 0 || length > MAX_PAYLOAD) return undefined;
    const size = recordSize(length);
    // Locating the whole record may move the window, and with it the head.
    const at = this.#locate(offset, size);
    if (at === undefined) return undefined;
    const endOfPayload = at + RECORD_HEAD + length;
    if (crc32(this.#bytes.subarray(at + 8, endOfPayload)) !== this.#view.getUint32(at + 4, true)) return undefined;
    for (let i = endOfPayload; i < at + size; i++) if (this.#bytes[i] !== 0) return undefined;
    return this.#bytes.subarray(at + RECORD_HEAD, endOfPayload);
  }

  /** Place in the window of `count` bytes of the file, or undefined where the file ends before. */
  #locate(offset: number, count: number): number | undefined {
    if (offset + count > this.#end) return undefined;
    if (offset < this.#start || offset + count > this.#start + this.#length) {
      this.#start = offset;
      this.#length = readFully(this.#file, this.#bytes, offset);
      if (this.#length < count) return undefined;
    }
    return offset - this.#start;
  }
}

/** Reads until the buffer is full or the file ends; returns the number of bytes. */
function readFully(file: number, into: Uint8Array, offset: number): number {
  let done = 0;
  while (done < into.length) {
    const got = readSync(file, into, done, into.length - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}
