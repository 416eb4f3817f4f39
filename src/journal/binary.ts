import { crc32 } from "node:zlib";
import { InputError } from "../input-error.ts";

const ENCODER = new TextEncoder();
/** Strict, and a leading U+FEFF is a character like any other. */
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Up to this length a loop over plain ASCII is faster than the encoder. */
const SHORT_TEXT = 48;

/**
 * Appends little-endian values to a buffer that grows as needed. Every value has exactly one encoding, because hashes
 * and comparisons are made over the bytes: NaN is written canonically, -0 stays -0.
 */
export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(capacity));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(new ArrayBuffer(Math.max(this.bytes.length * 2, needed)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  flag(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  i32(value: number): void {
    this.reserve(4);
    this.view.setInt32(this.length, value, true);
    this.length += 4;
  }

  u64(value: bigint): void {
    this.reserve(8);
    this.view.setBigUint64(this.length, value, true);
    this.length += 8;
  }

  /** A number that float32 holds exactly. */
  f32(value: number): void {
    this.reserve(4);
    if (Number.isNaN(value)) this.view.setUint32(this.length, 0x7fc00000, true);
    else this.view.setFloat32(this.length, value, true);
    this.length += 4;
  }

  f64(value: number): void {
    this.reserve(8);
    if (Number.isNaN(value)) {
      // The bits of a NaN that setFloat64 writes are the engine's choice.
      this.view.setUint32(this.length, 0, true);
      this.view.setUint32(this.length + 4, 0x7ff80000, true);
    } else {
      this.view.setFloat64(this.length, value, true);
    }
    this.length += 8;
  }

  /** UTF-8 behind its length in bytes. Lone surrogates become U+FFFD, as UTF-8 has no form for them. */
  text(value: string): void {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    this.reserve(4 + value.length * 3);
    const start = this.length + 4;
    let size = value.length <= SHORT_TEXT ? 0 : -1;
    while (size >= 0 && size < value.length) {
      const unit = value.charCodeAt(size);
      if (unit > 0x7f) size = -1;
      else this.bytes[start + size++] = unit;
    }
    if (size < 0) size = ENCODER.encodeInto(value, this.bytes.subarray(start)).written;
    this.view.setUint32(this.length, size, true);
    this.length = start + size;
  }

  /** A whole number of any size. Decimal text: rare, unbounded, and readable in a dump. */
  integer(value: bigint): void {
    this.text(value.toString());
  }

  /** One of a fixed list of names, as its place in the list. */
  choice<Name extends string>(names: readonly Name[], value: Name): void {
    const place = names.indexOf(value);
    if (place < 0) throw new RangeError(`"${value}" is none of ${names.join(", ")}`);
    this.u8(place);
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** What has been written: a view, valid until the next write. */
  written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }
}

/** Takes values in the order in which a ByteWriter appended them. Reading past the end throws a RangeError. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get rest(): number {
    return this.#bytes.length - this.#position;
  }

  #advance(count: number): number {
    const position = this.#position;
    this.#position += count;
    return position;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  flag(): boolean {
    return this.u8() !== 0;
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  f32(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  /** So many bytes as they are: a view. */
  raw(size: number): Uint8Array {
    if (size > this.rest) throw new RangeError(`${size} bytes in ${this.rest}`);
    const start = this.#advance(size);
    return this.#bytes.subarray(start, start + size);
  }

  text(): string {
    const size = this.u32();
    if (size > this.rest) throw new RangeError(`text of ${size} bytes in ${this.rest}`);
    const start = this.#advance(size);
    return DECODER.decode(this.#bytes.subarray(start, start + size));
  }

  integer(): bigint {
    return BigInt(this.text());
  }

  /** @throws InputError for a place beyond the list: a newer build wrote it. */
  choice<Name extends string>(names: readonly Name[]): Name {
    const place = this.u8();
    const name = names[place];
    if (name === undefined) throw new InputError(`choice ${place} is unknown, this build knows ${names.join(", ")}`);
    return name;
  }
}

/** CRC-32 (ISO-HDLC, as in zlib) of the bytes from `from` up to `to`. */
export function checksum(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > SHORT_RECORD) return crc32(bytes.subarray(from, to));
  let crc = -1;
  for (let at = from; at < to; at++) crc = CRC_TABLE[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Below this size a table in JavaScript is faster than making the view that the native function wants. */
const SHORT_RECORD = 128;
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
