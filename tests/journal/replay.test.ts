import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Effect, OrderRequest } from "../../src/core/effects.ts";
import type { BarEvent, Event } from "../../src/core/events.ts";
import { InputError } from "../../src/input-error.ts";
import type { JournalHeader } from "../../src/journal/format.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { replay, type Step } from "../../src/journal/replay.ts";
import { JournalWriter } from "../../src/journal/writer.ts";
import { someHeader } from "./arbitrary.ts";

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "penstock-replay-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MINUTE = 60_000;
const STEPS = 50;

function barsOf(closeTime: number): BarEvent[] {
  return [0, 1, 2].map((symbol) => {
    const close = 1000 + (((closeTime / MINUTE) * 7 + symbol * 13) % 100);
    return {
      kind: "bar",
      time: closeTime,
      symbol,
      open: close,
      high: close + 1,
      low: close - 1,
      close,
      volume: 1,
      flat: false,
    };
  });
}

function order(id: number, lots: number): OrderRequest {
  return {
    id,
    symbol: 0,
    leg: "both",
    side: 1,
    type: "market",
    purpose: "entry",
    lots,
    price: 0,
    trigger: 0,
    timeInForce: "ioc",
    reduceOnly: false,
    closePosition: false,
    leverage: 5,
  };
}

/** A tiny core: sums closes, keeps a timer, and orders as many lots as the sum says every seventh step. */
function tinyCore(change: (effect: Effect, time: number) => Effect = (effect) => effect): Step {
  let sum = 0;
  let orders = 0;
  return (event: Event, effects: Effect[]) => {
    if (event.kind === "bar") {
      sum += event.close;
      if (event.symbol === 2)
        effects.push(change({ kind: "set-timer", timer: "next", at: event.time + MINUTE }, event.time));
    } else if (event.kind === "timer" && (event.time / MINUTE) % 7 === 0) {
      effects.push(change({ kind: "submit", order: order(++orders, sum % 97) }, event.time));
      effects.push(change({ kind: "notice", level: "info", text: `order ${orders}` }, event.time));
    }
  };
}

function record(changes: Partial<JournalHeader> = {}, clean = true): string {
  const path = join(folder, `${++count}.journal`);
  const writer = new JournalWriter(path, someHeader(changes), "buffered");
  const step = tinyCore();
  const effects: Effect[] = [];
  const feed = (event: Event) => {
    writer.event(event);
    step(event, effects);
    for (const effect of effects) writer.effect(effect);
    effects.length = 0;
  };
  feed({ kind: "connection", time: 0, symbol: -1, up: true });
  for (let i = 1; i <= STEPS; i++) {
    for (const bar of barsOf(i * MINUTE)) feed(bar);
    feed({ kind: "timer", time: i * MINUTE, symbol: -1, timer: "next" });
  }
  if (clean) writer.end({ tradesHash: "12", trades: 0 });
  writer.close();
  return path;
}

describe("the same core", () => {
  test.each([
    ["referenced", "orders"],
    ["referenced", "all"],
    ["stored", "orders"],
    ["stored", "all"],
  ] as const)("is identical with %s bars and %s effects", (bars, effects) => {
    const journal = readJournal(record({ bars, effects }));
    expect(replay(journal, tinyCore(), bars === "referenced" ? barsOf : undefined)).toEqual({
      identical: true,
      events: 1 + STEPS * 4,
      effects: STEPS + 2 * 7,
      blocks: STEPS + 1,
      end: { tradesHash: "12", trades: 0 },
      torn: false,
      bytesCut: 0,
    });
  });

  test("is identical wherever the file is torn, and the file is left alone", () => {
    const path = record({}, false);
    let size = readFileSync(path).length;
    for (let cuts = 0; cuts < 60; cuts++) {
      size -= 17;
      truncateSync(path, size);
      expect(replay(readJournal(path), tinyCore(), barsOf)).toMatchObject({ identical: true, end: undefined });
    }
    expect(readFileSync(path).length).toBe(size);
  });
});

describe("a core that does something else is shown where it first differs", () => {
  test("another order", () => {
    const other = tinyCore((effect, time) =>
      effect.kind === "submit" && time === 21 * MINUTE
        ? { kind: "submit", order: { ...effect.order, lots: effect.order.lots + 1 } }
        : effect,
    );
    const result = replay(readJournal(record()), other, barsOf);
    if (result.identical) throw new Error("the difference was not found");
    expect(result.time).toBe(21 * MINUTE);
    expect(JSON.parse(result.event)).toMatchObject({ kind: "timer", time: 21 * MINUTE });
    const lots = JSON.parse(result.recorded).order.lots;
    expect(JSON.parse(result.replayed)).toEqual({ kind: "submit", order: order(3, lots + 1) });
  });

  test("an order that was not there then", () => {
    const same = tinyCore();
    const result = replay(
      readJournal(record()),
      (event, effects) => {
        same(event, effects);
        if (event.kind === "bar" && event.time === 5 * MINUTE && event.symbol === 1) {
          effects.push({ kind: "cancel", order: 9, symbol: 1 });
        }
      },
      barsOf,
    );
    expect(result).toMatchObject({
      identical: false,
      time: 5 * MINUTE,
      replayed: '{"kind":"cancel","order":9,"symbol":1}',
    });
  });

  test("an order that is missing now", () => {
    const same = tinyCore();
    const result = replay(
      readJournal(record()),
      (event, effects) => {
        same(event, effects);
        if (event.time === 14 * MINUTE && event.kind === "timer") effects.length = 0;
      },
      barsOf,
    );
    expect(result).toMatchObject({ identical: false, time: 14 * MINUTE, replayed: "no such effect" });
  });

  test("an effect of which the file has only the hash: the block, and what it does now", () => {
    const other = tinyCore((effect, time) =>
      effect.kind === "notice" && time === 7 * MINUTE ? { ...effect, text: "something else" } : effect,
    );
    const result = replay(readJournal(record()), other, barsOf);
    expect(result).toMatchObject({ identical: false, time: 7 * MINUTE });
    expect(!result.identical && result.recorded).toMatch(/^a block of 3 effects with hash [0-9a-f]{16}/);
    expect(!result.identical && result.replayed).toContain('{"kind":"notice","level":"info","text":"something else"}');
  });

  test("the same where all effects are stored: the effect itself", () => {
    const other = tinyCore((effect, time) =>
      effect.kind === "set-timer" && time === 7 * MINUTE ? { ...effect, at: -0 } : effect,
    );
    expect(replay(readJournal(record({ effects: "all" })), other, barsOf)).toMatchObject({
      identical: false,
      time: 7 * MINUTE,
      recorded: '{"kind":"set-timer","timer":"next","at":480000}',
      replayed: '{"kind":"set-timer","timer":"next","at":"-0"}',
    });
  });

  test("bars that are not those of the run: too few, too many, other prices", () => {
    const journal = readJournal(record());
    const few = replay(journal, tinyCore(), (time) => barsOf(time).slice(0, time === 9 * MINUTE ? 2 : 3));
    expect(few).toMatchObject({ identical: false, replayed: "2 bars in the data" });
    const many = replay(journal, tinyCore(), (time) => [...barsOf(time), ...barsOf(time).slice(0, 1)]);
    expect(many).toMatchObject({ identical: false, recorded: "no further bar of 1970-01-01T00:01:00.000Z" });
    const other = replay(journal, tinyCore(), (time) => barsOf(time).map((bar) => ({ ...bar, close: bar.close + 1 })));
    expect(other).toMatchObject({ identical: false, time: 7 * MINUTE });
  });

  test("a journal that refers to its bars asks for them", () => {
    expect(() => replay(readJournal(record()), tinyCore())).toThrow(InputError);
  });
});
