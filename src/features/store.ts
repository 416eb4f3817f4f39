import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/**
 * Feature rows of positions in memory that other threads (or, mapped from a file, other processes) can read. Each owner,
 * for example a virtual position, has a slot. A released owner's row stays readable until its slot is needed: the slot
 * that was released longest ago is given away first. While all slots belong to active owners a newcomer is refused and
 * counted, and memory never grows.
 *
 * ```
 * byte   0  magic u32 | 4 version u32 | 8 slots u32 | 12 numbers per row u32
 *       16  open u32 (1 while a writer has it) | 20 refused u32 | 24 reused u32 | 28 … 63 zero
 *
 *   64 + 32 i   slot i: owner f64 (-1 none) | 8 release f64 (a rising number; 0 while active) | 16 sequence u32
 *               (odd while the row is written) | 20 length of the row u32 | 24 … 31 zero
 *   then        slot i: row, f32
 * ```
 *
 * One writer. Readers are given what was whole: they compare the sequence before and after.
 */
export class FeatureStore {
  /** How the store came to be. */
  readonly opening: StoreOpening;
  readonly capacity: number;
  /** Most numbers in a row. */
  readonly dimension: number;
  readonly #memory: ArrayBufferLike;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #rows: Float32Array;
  /** Slot by owner, of the active and the released. */
  readonly #slots = new Map<number, number>();
  /** Owners that were released, longest ago first: a map keeps the order of insertion. */
  readonly #released = new Map<number, number>();
  /** Slots that nobody had yet, the next to be taken last. */
  readonly #free: number[] = [];
  #releases = 0;

  private constructor(memory: ArrayBufferLike, opening: StoreOpening) {
    this.#memory = memory;
    this.opening = opening;
    this.#words = new Int32Array(memory);
    this.capacity = this.#words[CAPACITY]!;
    this.dimension = this.#words[DIMENSION]!;
    this.#doubles = new Float64Array(memory, 0, (HEAD + this.capacity * SLOT) / 8);
    this.#rows = new Float32Array(memory, HEAD + this.capacity * SLOT);
    this.#index();
  }

  /** A store in shared memory; ends with the process. @throws RangeError for a capacity or dimension that is not whole. */
  static inMemory(capacity = SLOTS, dimension = ROW, opening: StoreOpening = { kind: "memory" }): FeatureStore {
    const memory = new SharedArrayBuffer(bytesOf(capacity, dimension));
    new Uint8Array(memory).set(emptyHeader(capacity, dimension));
    clear(memory, capacity);
    return new FeatureStore(memory, opening);
  }

  /**
   * The store in a file that is mapped into memory, so that it survives this process. A file of another format or size is
   * moved aside to `<path>.old`; `opening` tells. Where files cannot be mapped, the store is in memory and says why.
   * A file belongs to one writer at a time, which the caller sees to; nobody may truncate it.
   *
   * @throws the system's error when the file cannot be written
   */
  static open(path: string, capacity = SLOTS, dimension = ROW): FeatureStore {
    const size = bytesOf(capacity, dimension);
    mkdirSync(dirname(path), { recursive: true });
    let replaced: string | undefined;
    if (existsSync(path)) {
      replaced = strangeness(path, size, capacity, dimension);
      if (replaced !== undefined) renameSync(path, `${path}.old`);
    }
    const created = !existsSync(path);
    if (created) writeEmpty(path, size, capacity, dimension);
    let memory: ArrayBuffer;
    try {
      memory = Bun.mmap(path, { shared: true }).buffer;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return FeatureStore.inMemory(capacity, dimension, { kind: "memory", reason });
    }
    const words = new Int32Array(memory);
    const crashed = words[OPEN] === 1;
    const torn = created ? 0 : repair(memory, capacity);
    words[OPEN] = 1;
    const opening: StoreOpening = created
      ? { kind: "created", ...(replaced === undefined ? {} : { replaced }) }
      : { kind: "reopened", crashed, torn };
    return new FeatureStore(memory, opening);
  }

  /** How many owners are active, how many only remembered; and since the store began: slots given away, refusals. */
  get counts(): {
    readonly active: number;
    readonly released: number;
    readonly reused: number;
    readonly refused: number;
  } {
    return {
      active: this.#slots.size - this.#released.size,
      released: this.#released.size,
      reused: this.#words[REUSED]!,
      refused: this.#words[REFUSED]!,
    };
  }

  /** The memory, for readers in other threads; they see a mapped store by its file. */
  get buffer(): ArrayBufferLike {
    return this.#memory;
  }

  /**
   * Writes the row of an owner, who is active from then on. False when he is new and all slots are active.
   * @param owner a whole number from 0
   * @throws RangeError for another owner or a row that is too long
   */
  put(owner: number, row: Float32Array): boolean {
    if (!Number.isSafeInteger(owner) || owner < 0) throw new RangeError(`owner ${owner} is not a whole number from 0`);
    if (row.length > this.dimension) throw new RangeError(`a row of ${row.length} in slots of ${this.dimension}`);
    const slot = this.#slots.get(owner) ?? this.#take();
    if (slot === undefined) {
      this.#words[REFUSED]! += 1;
      return false;
    }
    const word = (HEAD + slot * SLOT) / 4;
    const words = this.#words;
    const sequence = Atomics.load(words, word + SEQUENCE);
    // Odd: whoever reads now, or finds the file after a crash, does not take the row.
    Atomics.store(words, word + SEQUENCE, sequence + 1);
    this.#doubles[word / 2] = owner;
    this.#doubles[word / 2 + 1] = 0;
    words[word + LENGTH] = row.length;
    this.#rows.set(row, slot * this.dimension);
    Atomics.store(words, word + SEQUENCE, sequence + 2);
    this.#slots.set(owner, slot);
    this.#released.delete(owner);
    return true;
  }

  /** The owner's row needs no place any more. It stays readable until its slot is given away. */
  release(owner: number): void {
    const slot = this.#slots.get(owner);
    if (slot === undefined || this.#released.has(owner)) return;
    this.#releases += 1;
    this.#doubles[(HEAD + slot * SLOT) / 8 + 1] = this.#releases;
    this.#released.set(owner, slot);
  }

  /** A copy of the owner's row, or undefined when there is none. */
  read(owner: number): Float32Array | undefined {
    const slot = this.#slots.get(owner);
    return slot === undefined
      ? undefined
      : readSlot(this.#words, this.#doubles, this.#rows, this.dimension, slot, owner);
  }

  /** The owners that are active, in the order of their slots. */
  owners(): number[] {
    return [...this.#slots]
      .filter(([owner]) => !this.#released.has(owner))
      .sort((a, b) => a[1] - b[1])
      .map(([owner]) => owner);
  }

  /** Notes that the writer ended in order. */
  close(): void {
    this.#words[OPEN] = 0;
  }

  #take(): number | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const oldest = this.#released.entries().next().value;
    if (oldest === undefined) return undefined;
    const [owner, slot] = oldest;
    this.#released.delete(owner);
    this.#slots.delete(owner);
    this.#words[REUSED]! += 1;
    return slot;
  }

  /** Finds out from the memory who has which slot. */
  #index(): void {
    const released: { owner: number; slot: number; release: number }[] = [];
    for (let slot = this.capacity - 1; slot >= 0; slot--) {
      const at = (HEAD + slot * SLOT) / 8;
      const owner = this.#doubles[at]!;
      const release = this.#doubles[at + 1]!;
      if (owner < 0) {
        this.#free.push(slot);
        continue;
      }
      this.#slots.set(owner, slot);
      if (release > 0) released.push({ owner, slot, release });
    }
    released.sort((a, b) => a.release - b.release);
    for (const { owner, slot } of released) this.#released.set(owner, slot);
    this.#releases = released.at(-1)?.release ?? 0;
  }
}

/** Reads a store that another thread or process writes. */
export class FeatureReader {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #rows: Float32Array;
  readonly #capacity: number;
  readonly #dimension: number;

  /** @throws RangeError when the memory holds no store of this version */
  constructor(memory: ArrayBufferLike) {
    this.#words = new Int32Array(memory);
    const magic = this.#words[0]!;
    const version = this.#words[1]!;
    if (magic !== MAGIC || version !== VERSION) {
      throw new RangeError(
        `not a feature store of version ${VERSION}: magic 0x${magic.toString(16)}, version ${version}`,
      );
    }
    this.#capacity = this.#words[CAPACITY]!;
    this.#dimension = this.#words[DIMENSION]!;
    this.#doubles = new Float64Array(memory, 0, (HEAD + this.#capacity * SLOT) / 8);
    this.#rows = new Float32Array(memory, HEAD + this.#capacity * SLOT);
  }

  /** A copy of the owner's row, or undefined when there is none. Looks through all slots. */
  read(owner: number): Float32Array | undefined {
    for (let slot = 0; slot < this.#capacity; slot++) {
      if (this.#doubles[(HEAD + slot * SLOT) / 8] !== owner) continue;
      const row = readSlot(this.#words, this.#doubles, this.#rows, this.#dimension, slot, owner);
      if (row !== undefined) return row;
    }
    return undefined;
  }
}

/** What was found where the store was opened. */
export type StoreOpening =
  /** Not in a file; with the reason where it should have been. */
  | { readonly kind: "memory"; readonly reason?: string }
  /** A new file; `replaced` says what was wrong with the one before, which is kept as `<path>.old`. */
  | { readonly kind: "created"; readonly replaced?: string }
  /** Rows of an earlier run: whether it crashed, and how many rows it left half written, which are gone. */
  | { readonly kind: "reopened"; readonly crashed: boolean; readonly torn: number };

/** What a log says of it. */
export function openingText(opening: StoreOpening): string {
  switch (opening.kind) {
    case "memory":
      return opening.reason === undefined
        ? "in memory"
        : `in memory, because mapping its file failed: ${opening.reason}`;
    case "created":
      return opening.replaced === undefined ? "created" : `created anew, because the file there ${opening.replaced}`;
    case "reopened":
      return opening.crashed ? `reopened after a crash, ${opening.torn} rows lost` : "reopened";
    default:
      return opening satisfies never;
  }
}

/** Room for the 31 base features, in a multiple of a cache line. */
export const ROW = 32;
export const SLOTS = 16_384;

const MAGIC = 0x53465350; // "PSFS" in memory
const VERSION = 1;
const HEAD = 64;
const SLOT = 32;
/** Places in the header, in words. */
const CAPACITY = 2;
const DIMENSION = 3;
const OPEN = 4;
const REFUSED = 5;
const REUSED = 6;
/** Places in a slot, in words. */
const SEQUENCE = 4;
const LENGTH = 5;

/** A writer is done within a microsecond; a reader that meets one this often has met a dead one. */
const MOST_TRIES = 1000;

function readSlot(
  words: Int32Array,
  doubles: Float64Array,
  rows: Float32Array,
  dimension: number,
  slot: number,
  owner: number,
): Float32Array | undefined {
  const word = (HEAD + slot * SLOT) / 4;
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    const before = Atomics.load(words, word + SEQUENCE);
    if ((before & 1) !== 0) continue;
    const known = doubles[word / 2] === owner;
    const start = slot * dimension;
    const row = new Float32Array(rows.subarray(start, start + words[word + LENGTH]!));
    if (Atomics.load(words, word + SEQUENCE) === before) return known ? row : undefined;
  }
  return undefined;
}

function bytesOf(capacity: number, dimension: number): number {
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > 1 << 24) throw new RangeError(`${capacity} slots`);
  if (!Number.isInteger(dimension) || dimension < 1 || dimension > 4096) throw new RangeError(`rows of ${dimension}`);
  return HEAD + capacity * (SLOT + dimension * 4);
}

function emptyHeader(capacity: number, dimension: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(MAGIC, VERSION, capacity, dimension).buffer);
}

function clear(memory: ArrayBufferLike, capacity: number): void {
  const doubles = new Float64Array(memory, 0, (HEAD + capacity * SLOT) / 8);
  for (let slot = 0; slot < capacity; slot++) doubles[(HEAD + slot * SLOT) / 8] = -1;
}

/**
 * Writes every byte of a new file: writing to a mapped page for which the disk then has no room would kill the process.
 * It gets its name when it is whole.
 */
function writeEmpty(path: string, size: number, capacity: number, dimension: number): void {
  const bytes = new Uint8Array(size);
  bytes.set(emptyHeader(capacity, dimension));
  clear(bytes.buffer, capacity);
  const draft = `${path}.${process.pid}.tmp`;
  const file = openSync(draft, "w", 0o600);
  try {
    for (let done = 0; done < size; ) done += writeSync(file, bytes, done, size - done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}

/** Why a file is not the store that is wanted, or undefined when it is. */
function strangeness(path: string, size: number, capacity: number, dimension: number): string | undefined {
  const found = statSync(path).size;
  const head = new Uint32Array(4);
  const file = openSync(path, "r");
  try {
    if (readSync(file, new Uint8Array(head.buffer), 0, 16, 0) < 16) return `has only ${found} bytes`;
  } finally {
    closeSync(file);
  }
  const [magic, version, slots, numbers] = head;
  if (magic !== MAGIC) return "is no feature store";
  if (version !== VERSION) return `has version ${version}, not ${VERSION}`;
  if (slots !== capacity || numbers !== dimension)
    return `has ${slots} × ${numbers} numbers, not ${capacity} × ${dimension}`;
  return found === size ? undefined : `has ${found} bytes, not ${size}`;
}

/** Frees the slots whose row was being written when the writer died, and those of an owner that appears twice. */
function repair(memory: ArrayBufferLike, capacity: number): number {
  const words = new Int32Array(memory);
  const doubles = new Float64Array(memory, 0, (HEAD + capacity * SLOT) / 8);
  const dimension = words[DIMENSION]!;
  const owners = new Set<number>();
  let torn = 0;
  for (let slot = 0; slot < capacity; slot++) {
    const word = (HEAD + slot * SLOT) / 4;
    const owner = doubles[word / 2]!;
    const length = words[word + LENGTH]!;
    const whole = (words[word + SEQUENCE]! & 1) === 0;
    if (owner === -1 && whole) continue;
    const sound = Number.isSafeInteger(owner) && owner >= 0 && length >= 0 && length <= dimension;
    if (whole && sound && !owners.has(owner)) {
      owners.add(owner);
      continue;
    }
    torn += 1;
    doubles[word / 2] = -1;
    doubles[word / 2 + 1] = 0;
    words[word + SEQUENCE] = 0;
  }
  return torn;
}
