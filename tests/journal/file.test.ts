import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Effect } from "../../src/core/effects.ts";
import type { BarEvent, Event } from "../../src/core/events.ts";
import { InputError } from "../../src/input-error.ts";
import { JOURNAL_VERSION, type JournalHeader } from "../../src/journal/format.ts";
import { type JournalEntry, type JournalTail, readJournal } from "../../src/journal/reader.ts";
import { JournalWriteError, JournalWriter } from "../../src/journal/writer.ts";
import { anyEffect, anyEvent, someHeader } from "./arbitrary.ts";

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "penstock-journal-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const freshPath = () => join(folder, `${++count}.journal`);

function readAll(path: string): { entries: JournalEntry[]; tail: JournalTail; header: JournalHeader } {
  const journal = readJournal(path);
  const records = journal.records();
  const entries: JournalEntry[] = [];
  for (let next = records.next(); ; next = records.next()) {
    if (next.done) return { entries, tail: next.value, header: journal.header };
    entries.push(next.value);
  }
}

function bar(time: number, symbol: number, close = 100): BarEvent {
  return { kind: "bar", time, symbol, open: 99, high: 101, low: 98, close, volume: 1.5, flat: false };
}

const timer = (time: number): Event => ({ kind: "timer", time, symbol: -1, timer: "cycle" });
const cancel = (order: number): Effect => ({ kind: "cancel", order, symbol: 0 });
const notice: Effect = { kind: "notice", level: "info", text: "one" };

/** A journal of `steps` steps of two bars, a timer, an order and a notice. */
function writeSample(path: string, steps: number, changes: Partial<JournalHeader> = {}, clean = true): void {
  const writer = new JournalWriter(path, someHeader(changes), "buffered");
  for (let step = 1; step <= steps; step++) {
    const time = step * 60_000;
    writer.event(bar(time, 0));
    writer.event(bar(time, 1, 100 + step));
    writer.effect(notice);
    writer.event(timer(time));
    writer.effect(cancel(step));
  }
  if (clean) writer.end({ tradesHash: "ef".repeat(32), trades: 4 });
  writer.close();
}

describe("what is appended is read", () => {
  test("header, blocks and end of a run whose bars are referred to", () => {
    const path = freshPath();
    writeSample(path, 2);
    const { entries, tail, header } = readAll(path);
    expect(header).toEqual(someHeader());
    const hash = expect.stringMatching(/^[0-9a-f]{16}$/);
    expect(entries.map((entry) => entry.record)).toEqual([
      { kind: "bars", closeTime: 60_000, count: 2 },
      { kind: "event", event: timer(60_000) },
      { kind: "effect", effect: cancel(1) },
      { kind: "block", effects: 2, hash },
      { kind: "bars", closeTime: 120_000, count: 2 },
      { kind: "event", event: timer(120_000) },
      { kind: "effect", effect: cancel(2) },
      { kind: "block", effects: 2, hash },
      { kind: "end", tradesHash: "ef".repeat(32), trades: 4, events: 6, effects: 4 },
    ]);
    expect(entries.map((entry) => entry.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(tail).toEqual({ records: 9, ended: true, torn: false, bytesCut: 0 });
  });

  test("stored bars and all effects", () => {
    const path = freshPath();
    writeSample(path, 1, { bars: "stored", effects: "all" });
    const records = readAll(path).entries.map((entry) => entry.record);
    expect(records.slice(0, 2)).toEqual([
      { kind: "bars", closeTime: 60_000, count: 1 + 1, bars: [bar(60_000, 0), bar(60_000, 1, 101)] },
      { kind: "effect", effect: notice },
    ]);
  });

  test("an order between two bars of a step splits their record, and the step stays one block", () => {
    const path = freshPath();
    const writer = new JournalWriter(path, someHeader(), "buffered");
    writer.event(timer(1));
    writer.event(bar(5, 0));
    writer.effect(cancel(1));
    writer.event(bar(5, 1));
    writer.event(bar(6, 0));
    writer.close();
    expect(readAll(path).entries.map(({ record }) => record)).toMatchObject([
      { kind: "event" },
      { kind: "block", effects: 0 },
      { kind: "bars", closeTime: 5, count: 1 },
      { kind: "effect" },
      { kind: "bars", closeTime: 5, count: 1 },
      { kind: "block", effects: 1 },
      { kind: "bars", closeTime: 6, count: 1 },
    ]);
  });

  test("any sequence of events and effects", () => {
    const parts = fc.array(fc.oneof(anyEvent, anyEffect), { maxLength: 20 });
    const kinds = new Set(["submit", "cancel", "amend", "analyse", "set-timer", "clear-timer", "record", "notice"]);
    fc.assert(
      fc.property(parts, (sequence) => {
        const path = freshPath();
        const writer = new JournalWriter(path, someHeader({ bars: "stored", effects: "all" }), "buffered");
        for (const part of sequence) {
          if (kinds.has(part.kind)) writer.effect(part as Effect);
          else writer.event(part as Event);
        }
        writer.close();
        const read = readAll(path).entries.flatMap(({ record }): (Event | Effect)[] => {
          if (record.kind === "event") return [record.event];
          if (record.kind === "effect") return [record.effect];
          return record.kind === "bars" ? [...(record.bars ?? [])] : [];
        });
        expect(read).toStrictEqual(sequence);
      }),
      { numRuns: 100 },
    );
  });

  test("a file larger than the reading window", () => {
    const path = freshPath();
    const writer = new JournalWriter(path, someHeader(), "buffered");
    const text = "x".repeat(900_000);
    for (let i = 0; i < 12; i++) writer.event({ kind: "timer", time: i, symbol: -1, timer: text });
    for (let i = 12; i < 5000; i++) writer.event(timer(i));
    writer.end({ tradesHash: "", trades: 0 });
    writer.close();
    const { entries, tail } = readAll(path);
    expect(tail).toEqual({ records: 5002, ended: true, torn: false, bytesCut: 0 });
    expect(entries[11]?.record).toEqual({ kind: "event", event: { kind: "timer", time: 11, symbol: -1, timer: text } });
  });
});

describe("writing", () => {
  test("an order is in the file before effect returns when intents must last; before that only the header is", () => {
    const path = freshPath();
    const writer = new JournalWriter(path, someHeader(), "intent");
    expect(readAll(path).tail).toEqual({ records: 0, ended: false, torn: false, bytesCut: 0 });
    writer.event(timer(1));
    writer.effect(notice);
    expect(readAll(path).entries).toHaveLength(0);
    writer.effect(cancel(7));
    expect(readAll(path).entries.map(({ record }) => record.kind)).toEqual(["event", "effect"]);
    writer.event(timer(2));
    writer.effectsOfStep([cancel(1), notice, cancel(8), cancel(9), notice], 1, 5);
    const orders = readAll(path).entries.flatMap(({ record }) => (record.kind === "effect" ? [record.effect] : []));
    expect(orders).toEqual([cancel(7), cancel(8), cancel(9)]);
    writer.close();
  });

  test("flush and both syncs hand everything over, bars that are still being gathered too", async () => {
    const path = freshPath();
    const writer = new JournalWriter(path, someHeader(), "buffered");
    writer.event(bar(1, 0));
    writer.flush();
    expect(readAll(path).entries).toHaveLength(1);
    writer.event(bar(1, 1));
    writer.sync();
    expect(readAll(path).entries).toHaveLength(2);
    writer.event(timer(1));
    const first = writer.syncInBackground();
    expect(writer.syncInBackground()).toBe(first);
    await first;
    expect(readAll(path).entries).toHaveLength(3);
    writer.close();
  });

  test("an existing file is never written over", () => {
    const path = freshPath();
    writeFileSync(path, "mine");
    expect(() => new JournalWriter(path, someHeader(), "buffered")).toThrow(JournalWriteError);
    expect(readFileSync(path, "utf8")).toBe("mine");
  });

  test("folders are created", () => {
    const path = join(folder, "a", "b", "c.journal");
    new JournalWriter(path, someHeader(), "buffered").close();
    expect(readAll(path).header).toEqual(someHeader());
  });

  test("a number that JSON cannot hold is refused, not turned into null", () => {
    const path = freshPath();
    const settings = { MAX_LOTS: Number.POSITIVE_INFINITY };
    expect(() => new JournalWriter(path, someHeader({ settings }), "buffered")).toThrow(/MAX_LOTS is Infinity/);
    expect(() => readJournal(path)).toThrow(InputError);
  });

  test("nothing can be appended after the end", () => {
    const writer = new JournalWriter(freshPath(), someHeader(), "buffered");
    writer.end({ tradesHash: "", trades: 0 });
    expect(() => writer.event(bar(1, 0))).toThrow(/has ended/);
    expect(() => writer.event(timer(1))).toThrow(/has ended/);
    writer.close();
    writer.close();
  });

  test("a record too large for any reader is refused and leaves no trace", () => {
    const path = freshPath();
    const writer = new JournalWriter(path, someHeader(), "buffered");
    expect(() => writer.event({ kind: "timer", time: 1, symbol: -1, timer: "x".repeat(1 << 21) })).toThrow(RangeError);
    writer.event(timer(2));
    writer.close();
    expect(readAll(path).entries.map(({ record }) => record)).toEqual([{ kind: "event", event: timer(2) }]);
  });

  test("on a full disk it says so, keeps what it could not write, and the file stays whole", () => {
    const path = freshPath();
    // A limit on file sizes stands for a full disk: 8 blocks of 512 or 1024 bytes.
    const child = Bun.spawnSync([
      "sh",
      "-c",
      `trap "" XFSZ; ulimit -S -f 8; exec "$0" "$@"`,
      process.execPath,
      CHILD,
      "fill",
      path,
    ]);
    expect(child.stderr.toString()).toBe("");
    const { name, again, roomMade } = JSON.parse(child.stdout.toString());
    expect([name, again]).toEqual(["JournalWriteError", "JournalWriteError"]);
    const { entries, tail } = readAll(path);
    expect(entries.length).toBeGreaterThan(20);
    expect(tail).toMatchObject({ ended: roomMade });
    if (roomMade) expect(entries.length).toBe(1002);
  });
});

const CHILD = join(import.meta.dir, "child.ts");

describe("killed", () => {
  test("a process killed while it writes leaves a file that reads up to the tear", async () => {
    const path = freshPath();
    const child = Bun.spawn([process.execPath, CHILD, "write", path], { stdout: "pipe", stderr: "inherit" });
    // The child reports the last order whose intent is on its way to a venue; kill it in the middle of its work.
    let reported = 0;
    for await (const chunk of child.stdout) {
      const numbers = new TextDecoder().decode(chunk).split("\n").slice(0, -1).map(Number);
      reported = numbers.at(-1) ?? reported;
      if (reported >= 2000) child.kill("SIGKILL");
    }
    await child.exited;
    const { entries, tail } = readAll(path);
    expect(tail.ended).toBe(false);
    const orders = entries.flatMap(({ record }) =>
      record.kind === "effect" && record.effect.kind === "cancel" ? [record.effect.order] : [],
    );
    expect(orders).toEqual(orders.map((_, i) => i + 1));
    expect(orders.length).toBeGreaterThanOrEqual(reported);
  });
});

describe("damage", () => {
  /** Offsets of the records, and of the end of the last one. */
  function layout(path: string): { bytes: Buffer; offsets: number[] } {
    const bytes = readFileSync(path);
    return { bytes, offsets: [...readAll(path).entries.map((entry) => entry.offset), bytes.length] };
  }

  test("2000 cuts: never is anything accepted past the cut, and nothing before it is lost", () => {
    const path = freshPath();
    writeSample(path, 60);
    const { bytes, offsets } = layout(path);
    const cutPath = freshPath();
    writeFileSync(cutPath, bytes);
    const first = offsets[0]!;
    const random = lcg(1);
    const cuts = Array.from({ length: 2000 }, () => first + Math.floor(random() * (bytes.length - first)));
    for (const cut of cuts.sort((a, b) => b - a)) {
      truncateSync(cutPath, cut);
      const { tail } = readAll(cutPath);
      const whole = offsets.filter((offset) => offset <= cut).length - 1;
      const bytesCut = cut - offsets[whole]!;
      expect(tail).toEqual({ records: whole, ended: false, torn: bytesCut > 0, bytesCut });
    }
  });

  test("every flipped bit is noticed", () => {
    const path = freshPath();
    writeSample(path, 8);
    const { bytes, offsets } = layout(path);
    const flipped = freshPath();
    const last = offsets.at(-2)!;
    let bit = offsets[0]! * 8;
    for (; bit < bytes.length * 8; bit += 5) {
      const copy = Buffer.from(bytes);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(flipped, copy);
      // Harm to the last record looks like a tear, harm to any other is damage.
      if (bit >> 3 >= last) expect(readAll(flipped).tail).toMatchObject({ torn: true, ended: false });
      else expect(() => readAll(flipped)).toThrow(InputError);
    }
  });

  test("a zeroed page inside is damage, at the end it is a tear", () => {
    const path = freshPath();
    writeSample(path, 400);
    const { bytes } = layout(path);
    const zeroed = freshPath();
    writeFileSync(zeroed, Buffer.from(bytes).fill(0, 8192, 12288));
    expect(() => readAll(zeroed)).toThrow(
      /is damaged: record \d+ at byte \d+ is bad, but record \d+ at byte \d+ is good/,
    );
    writeFileSync(zeroed, Buffer.from(bytes).fill(0, 8192));
    const { entries, tail } = readAll(zeroed);
    expect(tail).toMatchObject({ torn: true, ended: false });
    expect(entries.at(-1)!.offset).toBeLessThan(8192);
  });

  test("the message names record and offset of the damage", () => {
    const path = freshPath();
    writeSample(path, 5);
    const { bytes, offsets } = layout(path);
    bytes[offsets[3]! + 20]! ^= 4;
    writeFileSync(path, bytes);
    expect(() => readAll(path)).toThrow(
      `record 4 at byte ${offsets[3]} is bad, but record 5 at byte ${offsets[4]} is good`,
    );
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  test("bytes behind the end of a run are damage", () => {
    const path = freshPath();
    writeSample(path, 1);
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(16)]));
    expect(() => readAll(path)).toThrow(/16 bytes follow the end of the run/);
  });

  test("reading leaves the file alone, torn or not", () => {
    const path = freshPath();
    writeSample(path, 20);
    truncateSync(path, readFileSync(path).length - 11);
    const before = readFileSync(path);
    expect(readAll(path).tail.torn).toBe(true);
    expect(readFileSync(path)).toEqual(before);
  });
});

describe("files that are no readable journal", () => {
  const refuse = (name: string, make: (path: string, good: Buffer) => void, message: RegExp) =>
    test(name, () => {
      const path = freshPath();
      writeSample(path, 1);
      const good = readFileSync(path);
      make(path, good);
      let thrown: unknown;
      try {
        readJournal(path);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(InputError);
      expect((thrown as InputError).message).toMatch(message);
      expect((thrown as InputError).message).toContain(path);
    });

  refuse("missing", (path) => rmSync(path), /cannot open the journal/);
  refuse("empty", (path) => closeSync(openSync(path, "w")), /is not a Penstock journal/);
  refuse("foreign", (path) => writeFileSync(path, "time,open,high\n1,2,3\n"), /is not a Penstock journal/);
  refuse("header cut off", (path, good) => writeFileSync(path, good.subarray(0, 60)), /cut off after 60 bytes/);
  refuse("header cut in its numbers", (path, good) => writeFileSync(path, good.subarray(0, 13)), /cut off after 13/);
  refuse(
    "header damaged",
    (path, good) => {
      good[40]! ^= 1;
      writeFileSync(path, good);
    },
    /header is damaged: wrong checksum/,
  );
  refuse(
    "newer",
    (path, good) => {
      good.writeUInt32LE(JOURNAL_VERSION + 1, 8);
      writeFileSync(path, good);
    },
    /newer Penstock: journal version 2, this build reads up to 1/,
  );
  test("a folder", () => expect(() => readJournal(folder)).toThrow(/is not a file/));
});

/** Small repeatable source of numbers in [0, 1). */
function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4_294_967_296;
  };
}
