import { InputError } from "../../input-error.ts";

/**
 * The wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding), as far as ONNX uses it: a
 * message is a list of fields, each with a number and a varint, four bytes, or a length and bytes.
 */
const VARINT = 0;
const EIGHT_BYTES = 1;
const BYTES = 2;
const FOUR_BYTES = 5;

/** A message that grows by its fields, in the order in which they are added. */
export class Message {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** The bytes so far. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** A whole number from -2^53 to 2^53. */
  int(field: number, value: number): this {
    this.#tag(field, VARINT);
    this.#varint(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#tag(field, FOUR_BYTES);
    this.#floats([value]);
    return this;
  }

  string(field: number, text: string): this {
    return this.#sized(field, new TextEncoder().encode(text));
  }

  message(field: number, message: Message): this {
    return this.#sized(field, message.#bytes.subarray(0, message.#length));
  }

  packedInts(field: number, values: readonly number[]): this {
    const packed = new Message();
    for (const value of values) packed.#varint(value);
    return this.message(field, packed);
  }

  packedFloats(field: number, values: readonly number[]): this {
    const packed = new Message();
    packed.#floats(values);
    return this.message(field, packed);
  }

  #sized(field: number, bytes: Uint8Array): this {
    this.#tag(field, BYTES);
    this.#varint(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  /** Seven bits per byte, the lowest first; negative numbers are their 64-bit complement. */
  #varint(value: number): void {
    this.#room(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.#bytes[this.#length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  #floats(values: readonly number[]): void {
    this.#room(values.length * 4);
    const view = new DataView(this.#bytes.buffer);
    for (const value of values) {
      view.setFloat32(this.#length, value, true);
      this.#length += 4;
    }
  }

  #room(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/**
 * A message that somebody wrote, read field by field when asked for.
 * Every method that reads throws InputError where the bytes are no such message.
 */
export class ReadMessage {
  readonly #fields = new Map<number, { wire: number; number: bigint; bytes: Uint8Array }[]>();
  readonly #where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.#where = where;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    const varint = (): bigint => {
      let value = 0n;
      for (let shift = 0n; shift < 70n; shift += 7n) {
        if (at >= bytes.length) break;
        const byte = bytes[at++]!;
        value |= BigInt(byte & 127) << shift;
        if (byte < 128) return BigInt.asIntN(64, value);
      }
      throw new InputError(`${where}: is truncated or no ONNX file`);
    };
    while (at < bytes.length) {
      const tag = Number(varint());
      const [field, wire] = [Math.floor(tag / 8), tag & 7];
      let number = 0n;
      let length = 0;
      if (wire === VARINT) number = varint();
      else if (wire === EIGHT_BYTES) length = 8;
      else if (wire === FOUR_BYTES) length = 4;
      else if (wire === BYTES) length = Number(varint());
      else throw new InputError(`${where}: is no ONNX file (wire type ${wire})`);
      if (field < 1 || length < 0 || at + length > view.byteLength) {
        throw new InputError(`${where}: is truncated or no ONNX file`);
      }
      const entry = { wire, number, bytes: bytes.subarray(at, at + length) };
      at += length;
      const known = this.#fields.get(field);
      if (known === undefined) this.#fields.set(field, [entry]);
      else known.push(entry);
    }
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  messages(field: number): ReadMessage[] {
    return this.#all(field, BYTES).map(({ bytes }) => new ReadMessage(bytes, this.#where));
  }

  strings(field: number): string[] {
    return this.#all(field, BYTES).map(({ bytes }) => new TextDecoder().decode(bytes));
  }

  string(field: number): string {
    return this.strings(field).at(-1) ?? "";
  }

  /** Whole numbers, written one by one or packed. */
  ints(field: number): number[] {
    return (this.#fields.get(field) ?? []).flatMap(({ wire, number, bytes }) => {
      if (wire === VARINT) return [Number(number)];
      if (wire !== BYTES) return this.#wrongType(field);
      // Packed numbers look like the varints of a message without tags.
      const packed: number[] = [];
      let value = 0n;
      let shift = 0n;
      for (const byte of bytes) {
        value |= BigInt(byte & 127) << shift;
        shift += 7n;
        if (byte >= 128) continue;
        packed.push(Number(BigInt.asIntN(64, value)));
        value = 0n;
        shift = 0n;
      }
      return shift === 0n ? packed : this.#wrongType(field);
    });
  }

  int(field: number): number | undefined {
    return this.ints(field).at(-1);
  }

  /** Float32 numbers, written one by one or packed. */
  floats(field: number): number[] {
    return (this.#fields.get(field) ?? []).flatMap(({ wire, bytes }) => {
      if ((wire !== FOUR_BYTES && wire !== BYTES) || bytes.length % 4 !== 0) return this.#wrongType(field);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
    });
  }

  #all(field: number, wire: number) {
    const entries = this.#fields.get(field) ?? [];
    return entries.every((entry) => entry.wire === wire) ? entries : this.#wrongType(field);
  }

  #wrongType(field: number): never {
    throw new InputError(`${this.#where}: is no ONNX file (field ${field} is of another type)`);
  }
}
