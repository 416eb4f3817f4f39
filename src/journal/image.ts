import { InputError } from "../input-error.ts";
import { ByteReader, ByteWriter } from "./binary.ts";

/**
 * Plain data as bytes: undefined, null, booleans, numbers, big integers, texts, arrays, objects, maps, sets and typed
 * arrays, in any nesting. Equal data has equal bytes, order of keys included. An object that occurs twice is one object
 * again when it is read; one that is frozen is a value, and it does not matter how often it is there. Anything else (functions, instances of classes) is a bug and throws: a memory that is only
 * half written down would be believed.
 */
const TAG = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  bigint: 5,
  text: 6,
  sameText: 7,
  array: 8,
  object: 9,
  sameShape: 10,
  map: 11,
  set: 12,
  numbers: 13,
  same: 14,
  /** Before an object that is frozen. */
  frozen: 15,
  /** A text that is not remembered to be referred to: lists are of ids, and no id comes twice. */
  item: 16,
} as const;

const KINDS = [Int8Array, Uint8Array, Int32Array, Uint32Array, Float32Array, Float64Array] as const;
type Numbers = InstanceType<(typeof KINDS)[number]>;

/** @throws TypeError for what is no plain data */
export function encodeImage(value: unknown): Uint8Array<ArrayBuffer> {
  const encoder = new Encoder();
  encoder.value(value);
  return encoder.out.written();
}

/** @throws InputError for bytes that `encodeImage` does not make */
export function decodeImage(bytes: Uint8Array): unknown {
  const decoder = new Decoder(bytes);
  try {
    const value = decoder.value();
    if (decoder.rest !== 0) throw new InputError(`${decoder.rest} bytes are left over`);
    return value;
  } catch (error) {
    // Past the end, no UTF-8, no number.
    const isOfBytes = error instanceof RangeError || error instanceof TypeError || error instanceof SyntaxError;
    throw isOfBytes ? new InputError(`it cannot be read: ${error.message}`) : error;
  }
}

class Encoder {
  readonly out = new ByteWriter(1 << 16);
  readonly #texts = new Map<string, number>();
  readonly #shapes = new Map<string, number>();
  readonly #objects = new Map<object, number>();

  value(value: unknown): void {
    const { out } = this;
    switch (typeof value) {
      case "undefined":
        return out.u8(TAG.undefined);
      case "boolean":
        return out.u8(value ? TAG.true : TAG.false);
      case "number":
        out.u8(TAG.number);
        return out.f64(value);
      case "bigint":
        out.u8(TAG.bigint);
        return out.integer(value);
      case "string":
        return this.#text(value);
      case "object":
        return value === null ? out.u8(TAG.null) : this.#object(value);
      default:
        throw new TypeError(`a ${typeof value} is no plain data`);
    }
  }

  #item(value: unknown): void {
    if (typeof value !== "string") return this.value(value);
    this.out.u8(TAG.item);
    this.out.text(value);
  }

  #text(text: string): void {
    const { out } = this;
    const known = this.#texts.get(text);
    if (known !== undefined) {
      out.u8(TAG.sameText);
      return out.u32(known);
    }
    this.#texts.set(text, this.#texts.size);
    out.u8(TAG.text);
    out.text(text);
  }

  #object(value: object): void {
    const { out } = this;
    const known = this.#objects.get(value);
    if (known !== undefined) {
      out.u8(TAG.same);
      return out.u32(known);
    }
    if (Object.isFrozen(value) && isPlain(value)) {
      out.u8(TAG.frozen);
      return this.#fields(value);
    }
    this.#objects.set(value, this.#objects.size);
    if (Array.isArray(value)) {
      out.u8(TAG.array);
      out.u32(value.length);
      for (let i = 0; i < value.length; i++) this.#item(value[i]);
    } else if (value instanceof Map) {
      out.u8(TAG.map);
      out.u32(value.size);
      for (const [key, item] of value) {
        this.value(key);
        this.value(item);
      }
    } else if (value instanceof Set) {
      out.u8(TAG.set);
      out.u32(value.size);
      for (const item of value) this.#item(item);
    } else if (ArrayBuffer.isView(value)) {
      this.#numbers(value);
    } else if (isPlain(value)) {
      this.#fields(value);
    } else {
      throw new TypeError(`an instance of ${value.constructor.name} is no plain data`);
    }
  }

  #numbers(value: ArrayBufferView): void {
    const { out } = this;
    const kind = KINDS.findIndex((one) => value.constructor === one);
    if (kind < 0) throw new TypeError(`a ${value.constructor.name} is no plain data`);
    out.u8(TAG.numbers);
    out.u8(kind);
    out.u32((value as Numbers).length);
    out.append(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }

  #fields(value: Readonly<Record<string, unknown>>): void {
    const { out } = this;
    const keys = Object.keys(value);
    const shape = JSON.stringify(keys);
    const known = this.#shapes.get(shape);
    if (known === undefined) {
      this.#shapes.set(shape, this.#shapes.size);
      out.u8(TAG.object);
      out.u32(keys.length);
      for (const key of keys) out.text(key);
    } else {
      out.u8(TAG.sameShape);
      out.u32(known);
    }
    for (const key of keys) this.value(value[key]);
  }
}

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

class Decoder {
  readonly #input: ByteReader;
  readonly #texts: string[] = [];
  readonly #shapes: string[][] = [];
  readonly #objects: object[] = [];

  constructor(bytes: Uint8Array) {
    this.#input = new ByteReader(bytes);
  }

  get rest(): number {
    return this.#input.rest;
  }

  value(): unknown {
    const input = this.#input;
    const tag = input.u8();
    switch (tag) {
      case TAG.undefined:
        return undefined;
      case TAG.null:
        return null;
      case TAG.false:
        return false;
      case TAG.true:
        return true;
      case TAG.number:
        return input.f64();
      case TAG.bigint:
        return input.integer();
      case TAG.text: {
        const text = input.text();
        this.#texts.push(text);
        return text;
      }
      case TAG.item:
        return input.text();
      case TAG.sameText:
        return known(this.#texts, input.u32());
      case TAG.array: {
        const count = this.#count();
        const array = this.#remember<unknown[]>([]);
        for (let i = 0; i < count; i++) array.push(this.value());
        return array;
      }
      case TAG.object:
      case TAG.sameShape:
        return this.#fields(this.#remember({}), this.#shape(tag));
      case TAG.frozen:
        return Object.freeze(this.#fields({}, this.#shape(input.u8())));
      case TAG.map: {
        const count = this.#count();
        const map = this.#remember(new Map<unknown, unknown>());
        for (let i = 0; i < count; i++) map.set(this.value(), this.value());
        return map;
      }
      case TAG.set: {
        const count = this.#count();
        const set = this.#remember(new Set<unknown>());
        for (let i = 0; i < count; i++) set.add(this.value());
        return set;
      }
      case TAG.numbers:
        return this.#numbers();
      case TAG.same:
        return known(this.#objects, input.u32());
      default:
        throw new InputError(`tag ${tag} is unknown to this build`);
    }
  }

  /** A container of so many things takes at least as many bytes. */
  #count(): number {
    const count = this.#input.u32();
    if (count > this.rest) throw new RangeError(`${count} things in ${this.rest} bytes`);
    return count;
  }

  #remember<T extends object>(value: T): T {
    this.#objects.push(value);
    return value;
  }

  #shape(tag: number): readonly string[] {
    const input = this.#input;
    if (tag === TAG.sameShape) return known(this.#shapes, input.u32());
    if (tag !== TAG.object) throw new InputError(`tag ${tag} is no object`);
    const count = this.#count();
    const keys: string[] = [];
    for (let i = 0; i < count; i++) keys.push(input.text());
    this.#shapes.push(keys);
    return keys;
  }

  #fields(value: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
    for (const key of keys) {
      const field = this.value();
      // To assign to this name would change what the object inherits from.
      if (key !== "__proto__") value[key] = field;
      else Object.defineProperty(value, key, { value: field, writable: true, enumerable: true, configurable: true });
    }
    return value;
  }

  #numbers(): Numbers {
    const kind = KINDS[this.#input.u8()];
    if (kind === undefined) throw new InputError("a kind of numbers that is unknown to this build");
    const length = this.#input.u32();
    const bytes = this.#input.raw(length * kind.BYTES_PER_ELEMENT);
    // A copy begins at a multiple of eight.
    const numbers = new kind(length);
    new Uint8Array(numbers.buffer).set(bytes);
    return this.#remember(numbers);
  }
}

function known<T>(all: readonly T[], place: number): T {
  const found = all[place];
  if (found === undefined) throw new InputError(`a reference to ${place} of ${all.length}`);
  return found;
}
