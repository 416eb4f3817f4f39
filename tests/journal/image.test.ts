import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InputError } from "../../src/input-error.ts";
import { decodeImage, encodeImage } from "../../src/journal/image.ts";

const leaf = fc.oneof(
  fc.constant(undefined),
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.string({ unit: "grapheme" }),
);
const numbers = fc.oneof(
  fc.float64Array(),
  fc.float32Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.int8Array(),
  fc.uint8Array(),
);
const { data } = fc.letrec<{ data: unknown }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 4 },
    leaf,
    numbers,
    fc.array(tie("data")),
    fc.dictionary(fc.string(), tie("data"), { noNullPrototype: true }),
    fc.array(fc.tuple(leaf, tie("data"))).map((entries) => new Map(entries)),
    fc.array(tie("data")).map((items) => new Set(items)),
  ),
}));

describe("an image", () => {
  test("is read as what was written, and has one form only", () => {
    fc.assert(
      fc.property(data, (value) => {
        const bytes = encodeImage(value);
        const read = decodeImage(bytes);
        expect(read).toStrictEqual(value);
        expect(Buffer.from(encodeImage(read)).equals(bytes)).toBe(true);
      }),
      { numRuns: 200, examples: [[JSON.parse('{"__proto__": [1]}')]] },
    );
  });

  test("keeps what is one object one object, in circles too, and what is equal apart", () => {
    const position = { lots: 3 };
    const orders = new Map([[1, { position }]]);
    const circle: { self?: unknown; position: object } = { position };
    circle.self = circle;
    const [read, other, round] = decodeImage(encodeImage([orders, { lots: 3 }, circle])) as [
      Map<number, { position: object }>,
      object,
      { self: unknown; position: object },
    ];
    expect(round.position).toBe(read.get(1)!.position);
    expect(round.self).toBe(round);
    expect(other).not.toBe(round.position);
  });

  test("takes what is frozen for a value: written alike whether it is one object or two, and frozen again", () => {
    const kind = Object.freeze({ kind: "working" });
    const twice = encodeImage([kind, kind]);
    expect(Buffer.from(encodeImage([kind, Object.freeze({ kind: "working" })])).equals(twice)).toBe(true);
    const [read] = decodeImage(twice) as object[];
    expect(Object.isFrozen(read)).toBe(true);
    expect(read).toEqual(kind);
  });

  test("is refused of what is more than data", () => {
    class Book {
      lots = 1;
    }
    for (const value of [new Book(), () => {}, Symbol("s"), new Date(0), new DataView(new ArrayBuffer(8)), /a/]) {
      expect(() => encodeImage({ deep: [value] })).toThrow(TypeError);
    }
  });

  test("that is cut off or made up is refused in words, and never read as something else", () => {
    fc.assert(
      fc.property(data, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (value, share) => {
        const bytes = encodeImage(value);
        const cut = bytes.subarray(0, Math.floor(share * bytes.length));
        expect(() => decodeImage(cut)).toThrow(InputError);
        expect(() => decodeImage(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(InputError);
      }),
      { numRuns: 100 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeImage(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      // No UTF-8, no number, more things than bytes, numbers of a kind and references that do not exist.
      {
        numRuns: 300,
        examples: [
          [Uint8Array.of(6, 1, 0, 0, 0, 255)],
          [Uint8Array.of(5, 1, 0, 0, 0, 97)],
          [Uint8Array.of(8, 255, 255, 255, 255)],
          [Uint8Array.of(13, 9, 0, 0, 0, 0)],
          [Uint8Array.of(13, 5, 255, 255, 255, 255)],
          [Uint8Array.of(14, 0, 0, 0, 0)],
          [Uint8Array.of(15, 8, 0, 0, 0, 0)],
        ],
      },
    );
  });
});
