import { describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import type { Candidate } from "../../src/core/candidate.ts";
import type { Effect } from "../../src/core/effects.ts";
import type { Event } from "../../src/core/events.ts";
import { InputError } from "../../src/input-error.ts";
import { ByteReader, ByteWriter, checksum } from "../../src/journal/binary.ts";
import { decodeEffect, decodeEvent, encodeEffect, encodeEvent } from "../../src/journal/codec.ts";
import { effectKinds, eventKinds, recordKinds } from "./arbitrary.ts";

function bytesOf<Value>(encode: (out: ByteWriter, value: Value) => void, value: Value): Uint8Array {
  const out = new ByteWriter(8);
  encode(out, value);
  return out.written().slice();
}

function checkRoundTrip<Value>(
  values: fc.Arbitrary<Value>,
  encode: (out: ByteWriter, value: Value) => void,
  decode: (input: ByteReader) => Value,
): void {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = bytesOf(encode, value);
      const input = new ByteReader(bytes);
      const decoded = decode(input);
      expect(decoded).toStrictEqual(value);
      expect(input.rest).toBe(0);
      expect(bytesOf(encode, decoded)).toEqual(bytes);
    }),
    { numRuns: 60 },
  );
}

describe("every kind decodes to what was encoded, and encodes to the same bytes again", () => {
  for (const [kind, values] of eventKinds) {
    test(`event ${kind}`, () => checkRoundTrip(values, encodeEvent, decodeEvent as never));
  }
  for (const [kind, values] of effectKinds) {
    test(`effect ${kind}`, () => checkRoundTrip(values, encodeEffect, decodeEffect as never));
  }
  for (const [kind, values] of recordKinds) {
    const effects = (values as fc.Arbitrary<never>).map((record): Effect => ({ kind: "record", record }));
    test(`record ${kind}`, () => checkRoundTrip(effects, encodeEffect, decodeEffect));
  }
});

describe("values that are easily lost", () => {
  const timer = (time: number, name = "x") => ({ kind: "timer", time, symbol: -1, timer: name }) as const;

  test("minus zero stays minus zero", () => {
    const decoded = decodeEvent(new ByteReader(bytesOf(encodeEvent, timer(-0))));
    expect(Object.is(decoded.time, -0)).toBe(true);
  });

  test("every NaN is written with the same bits", () => {
    const odd = new DataView(new ArrayBuffer(8));
    odd.setUint32(0, 0xfff80000 + 1234);
    expect(bytesOf(encodeEvent, timer(odd.getFloat64(0)))).toEqual(bytesOf(encodeEvent, timer(Number.NaN)));
    expect(Buffer.from(bytesOf(encodeEvent, timer(Number.NaN)).subarray(1, 9)).toString("hex")).toBe(
      "000000000000f87f",
    );
  });

  test("a leading byte order mark and text longer than the fast path survive", () => {
    for (const name of ["\ufeffabc", "a".repeat(500), `${"a".repeat(47)}€`, "", "𝔘nicode"]) {
      expect(decodeEvent(new ByteReader(bytesOf(encodeEvent, timer(1, name))))).toEqual(timer(1, name));
    }
  });
});

describe("features of a candidate", () => {
  const candidate: Candidate = {
    symbol: 3,
    strategy: "a",
    setup: "b",
    direction: -1,
    entry: 1,
    stop: 2,
    target: 0.5,
    confidence: 0.5,
    scores: {},
    reasons: [],
  };
  const analysis = (candidates: readonly Candidate[]): Event => ({
    ...{ kind: "analysis", time: 1, symbol: -1, cycle: 1, regimes: [] },
    candidates,
  });
  const encoded = (...candidates: Candidate[]) => bytesOf(encodeEvent, analysis(candidates));
  /** Of the candidate's direction: behind the event's head, cycle, two counts, symbol and two texts of one letter. */
  const DIRECTION = 13 + 8 + 4 + 4 + 4 + 5 + 5;

  test("without them the bytes are those of before there were any", () => {
    const bytes = encoded(candidate);
    expect(bytes[DIRECTION]).toBe(1);
    expect(bytes).toHaveLength(DIRECTION + 1 + 4 * 8 + 4 + 4);
    expect(Object.keys(decodeCandidates(bytes)[0]!)).not.toContain("features");
  });

  test("candidates with and without them stand side by side, missing values and minus zero included", () => {
    const features = Float32Array.of(0.1, Number.NaN, -0, -3);
    const bytes = encoded({ ...candidate, features }, candidate);
    const [first, second] = decodeCandidates(bytes);
    expect([...first!.features!]).toEqual([Math.fround(0.1), Number.NaN, -0, -3]);
    expect(second).toEqual(candidate);
    expect(bytes).toHaveLength(encoded(candidate, candidate).length + 4 + 4 * 4);
  });

  test("every missing value is written with the same bits", () => {
    const odd = Float32Array.of(Number.NaN);
    new Uint32Array(odd.buffer)[0] = 0xffc01234;
    expect(encoded({ ...candidate, features: odd })).toEqual(
      encoded({ ...candidate, features: Float32Array.of(Number.NaN) }),
    );
  });

  test("a byte that a newer build may give a meaning is refused", () => {
    const bytes = encoded(candidate);
    bytes[DIRECTION] = 8;
    expect(() => decodeCandidates(bytes)).toThrow(
      new InputError("direction 8 of a candidate is unknown to this build"),
    );
  });

  function decodeCandidates(bytes: Uint8Array): readonly Candidate[] {
    return (decodeEvent(new ByteReader(bytes)) as Extract<Event, { kind: "analysis" }>).candidates;
  }
});

describe("what cannot be understood", () => {
  test("an unknown kind is named", () => {
    const bytes = bytesOf(encodeEvent, { kind: "connection", time: 1, symbol: 0, up: true });
    bytes[0] = 99;
    expect(() => decodeEvent(new ByteReader(bytes))).toThrow(new InputError("event kind 99 is unknown to this build"));
  });

  test("an unknown choice is named with the known ones", () => {
    const bytes = bytesOf(encodeEvent, { kind: "command", time: 1, symbol: 0, command: "halt" });
    bytes[bytes.length - 1] = 7;
    expect(() => decodeEvent(new ByteReader(bytes))).toThrow(/choice 7 is unknown, this build knows pause, resume/);
  });

  test("a value outside its list is a bug and is not written", () => {
    const event = { kind: "command", time: 1, symbol: 0, command: "panic" } as never;
    expect(() => bytesOf(encodeEvent, event)).toThrow(RangeError);
  });
});

test("the bytes of an order are what journals of version 1 hold", () => {
  const bytes = bytesOf(encodeEffect, {
    kind: "submit",
    order: {
      id: 3,
      symbol: 1,
      leg: "both",
      side: -1,
      type: "stop-market",
      purpose: "working-stop",
      lots: 5,
      price: 0,
      trigger: 1000,
      timeInForce: "gtc",
      reduceOnly: true,
      closePosition: false,
      leverage: 0,
    },
  });
  expect(Buffer.from(bytes).toString("hex")).toBe(
    "01" + // submit
      "0000000000000840" + // id 3
      "01000000" + // symbol
      "00010201" + // both, short, stop-market, working-stop
      "0000000000001440" + // lots 5
      "0000000000000000" + // price
      "0000000000408f40" + // trigger 1000
      "000100" + // gtc, reduce-only, not close-position
      "0000000000000000", // leverage
  );
});

test("the checksum is zlib's, whatever the length", () => {
  const bytes = Uint8Array.from({ length: 400 }, (_, i) => (i * 7919) & 255);
  for (const length of [0, 1, 7, 127, 128, 129, 390]) {
    expect(checksum(bytes, 10, 10 + length)).toBe(crc32(bytes.subarray(10, 10 + length)));
  }
});
