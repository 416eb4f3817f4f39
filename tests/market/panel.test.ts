import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ABSENT, FLAT, REAL } from "../../src/market/bar-source.ts";
import { BAR, CLOSE, HIGH, LOW, OPEN, Panel, STARTS, VOLUME } from "../../src/market/panel.ts";

const MINUTE = 60_000;
const START = Date.UTC(2025, 5, 16, 21, 17);

function small(symbols = 10, capacity = 4, spare = 2): Panel {
  return Panel.create({
    symbols,
    origin: START,
    timeframes: [
      { name: "1m", ms: MINUTE, capacity, spare },
      { name: "1h", ms: 60 * MINUTE, capacity, spare },
    ],
  });
}

describe("layout", () => {
  test("is the one drawn: fields and lanes of a bar lie side by side, groups a stride apart, on cache lines", () => {
    const panel = small(10);
    expect(panel.groups).toBe(2);
    for (let symbol = 0; symbol < 10; symbol++) panel.writeBar(0, 0, symbol, 1, 4, 0.5, 2, 100 + symbol, REAL);
    panel.publish(0, 0);
    const at = panel.offset(0, 0, 0);
    expect(at % 8).toBe(0);
    expect([...panel.values.subarray(at + OPEN, at + OPEN + 8)]).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
    expect([...panel.values.subarray(at + VOLUME, at + BAR)]).toEqual([100, 101, 102, 103, 104, 105, 106, 107]);
    expect(panel.offset(0, 1, 0)).toBe(at + panel.groupStride(0));
    const second = at + panel.groupStride(0);
    expect([...panel.values.subarray(second + VOLUME, second + BAR)].slice(0, 3)).toEqual([108, 109, Number.NaN]);
    expect([panel.value(0, 0, 9, HIGH), panel.value(0, 0, 9, LOW), panel.value(0, 0, 9, CLOSE)]).toEqual([4, 0.5, 2]);
    expect(panel.statusOffset(0, 1, 0)).toBe(panel.statusOffset(0, 0, 0) + panel.statusStride(0));
  });

  test("bar 0 is floored to each timeframe's grid", () => {
    const panel = small();
    expect(panel.openTime(0, 0)).toBe(START);
    expect(panel.openTime(1, 0)).toBe(Date.UTC(2025, 5, 16, 21));
    expect(panel.indexAt(1, Date.UTC(2025, 5, 16, 23, 59))).toBe(2);
    expect(panel.indexAt(0, START - 1)).toBe(-1);
    expect(panel.timeframe("1h")).toBe(1);
    expect(() => panel.timeframe("4h")).toThrow("no timeframe 4h");
  });
});

describe("attach", () => {
  test("another view sees the same bars and counters", () => {
    const panel = small();
    const other = Panel.attach(panel.buffer);
    expect(other.timeframes).toEqual(panel.timeframes);
    expect([other.symbols, other.groups, other.origin]).toEqual([10, 2, START]);
    expect(other.published(0)).toBe(-1);
    panel.writeBar(0, 0, 3, 1, 2, 0.5, 1.5, 9, FLAT | STARTS);
    expect(other.holds(0, 0)).toBe(false);
    panel.publish(0, 0);
    expect(other.holds(0, 0)).toBe(true);
    expect(other.value(0, 0, 3, CLOSE)).toBe(1.5);
    expect(other.status(0, 0, 3)).toBe(FLAT | STARTS);
    expect(other.status(0, 0, 4)).toBe(ABSENT);
  });

  test("a reader in another thread sees a bar once it is published", async () => {
    const panel = small();
    const source = `import { Panel } from ${JSON.stringify(new URL("../../src/market/panel.ts", import.meta.url).pathname)};
      self.onmessage = ({ data }) => {
        const panel = Panel.attach(data);
        postMessage([panel.published(0), panel.value(0, 0, 9, ${CLOSE})]);
      };`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "application/typescript" })));
    panel.writeBar(0, 0, 9, 1, 2, 0.5, 1.5, 9, REAL);
    panel.publish(0, 0);
    const answer = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    worker.postMessage(panel.buffer);
    expect(await answer).toEqual([0, 1.5]);
    worker.terminate();
  });

  test("says what is wrong with a foreign buffer", () => {
    const spoiled = (at: number, value: number) => {
      const copy = new SharedArrayBuffer(small().buffer.byteLength);
      new Uint8Array(copy).set(new Uint8Array(small().buffer));
      new DataView(copy).setUint32(at, value, true);
      return copy;
    };
    expect(() => Panel.attach(new ArrayBuffer(4096) as unknown as SharedArrayBuffer)).toThrow("SharedArrayBuffer");
    expect(() => Panel.attach(new SharedArrayBuffer(64))).toThrow("64 bytes are too few");
    expect(() => Panel.attach(new SharedArrayBuffer(4096))).toThrow("not a panel: magic 0x0");
    expect(() => Panel.attach(spoiled(4, 7))).toThrow("panel version 7, this build reads version 2");
    const longer = new SharedArrayBuffer(small().buffer.byteLength + 64);
    new Uint8Array(longer).set(new Uint8Array(small().buffer));
    expect(() => Panel.attach(longer)).toThrow(/panel of \d+ bytes in a buffer of \d+/);
  });
});

describe("ring", () => {
  test("keeps the newest bars and refuses the others", () => {
    const panel = small(1, 4, 2);
    for (let k = 0; k < 20; k++) {
      panel.writeBar(0, k, 0, k, k, k, k, k, REAL);
      expect(() => panel.value(0, k, 0, CLOSE)).toThrow(`1m bar ${k} is not in the panel`);
      panel.publish(0, k);
      for (let back = 0; back < 20; back++) {
        if (k - back >= 0 && back < 6) expect(panel.value(0, k - back, 0, CLOSE)).toBe(k - back);
        else expect(() => panel.value(0, k - back, 0, CLOSE)).toThrow("is not in the panel");
      }
    }
  });

  test("a reader told `up to t` keeps its whole window while the writer is at most `spare` bars ahead", () => {
    const panel = small(1, 4, 2);
    for (let k = 0; k < 10; k++) panel.publish(0, k);
    panel.publish(0, 10);
    panel.writeBar(0, 11, 0, 1, 1, 1, 1, 1, REAL);
    for (let back = 0; back < 4; back++) expect(panel.holds(0, 9 - back)).toBe(true);
    panel.publish(0, 11);
    panel.writeBar(0, 12, 0, 1, 1, 1, 1, 1, REAL);
    expect(panel.holds(0, 6)).toBe(false);
    expect(() => panel.assertHeld(0, 6)).toThrow("1m bar 6 is not in the panel, which holds 7…11");
  });

  test("unwritten bars are absent, also in slots that were used before", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 12 }), (steps) => {
        const panel = small(2, 4, 2);
        const written = new Set<number>();
        let index = -1;
        for (const step of steps) {
          index += step;
          panel.writeBar(0, index, 1, 5, 5, 5, 5, 5, REAL);
          written.add(index);
          panel.publish(0, index);
          for (let k = index > 5 ? index - 5 : 0; k <= index; k++) {
            expect(panel.value(0, k, 1, OPEN)).toBe(written.has(k) ? 5 : Number.NaN);
            expect(panel.status(0, k, 1)).toBe(written.has(k) ? REAL : ABSENT);
            expect(panel.value(0, k, 0, VOLUME)).toBeNaN();
          }
        }
      }),
    );
  });

  test("published bars never change", () => {
    const panel = small();
    panel.publish(0, 5);
    expect(() => panel.writeBar(0, 5, 0, 1, 1, 1, 1, 1, REAL)).toThrow("published up to 5");
    expect(() => panel.publish(0, 4)).toThrow("published up to 5");
    expect(panel.published(1)).toBe(-1);
  });
});

describe("refusals", () => {
  test("a bar holds finite numbers of a symbol that exists", () => {
    const panel = small(10);
    expect(() => panel.writeBar(0, 0, 0, 1, Number.NaN, 1, 1, 1, REAL)).toThrow("is not a bar");
    expect(() => panel.writeBar(0, 0, 0, 1, Number.POSITIVE_INFINITY, 1, 1, 1, REAL)).toThrow("is not a bar");
    expect(() => panel.writeBar(0, 0, 10, 1, 1, 1, 1, 1, REAL)).toThrow("symbol 10 of 10");
    expect(() => panel.writeBar(0, 0.5, 0, 1, 1, 1, 1, 1, REAL)).toThrow("1m bar 0.5 cannot be written");
  });

  test("a specification that contradicts itself", () => {
    const minute = { name: "1m", ms: MINUTE, capacity: 4, spare: 1 };
    const make = (timeframes: (typeof minute)[], symbols = 1, origin = 0) =>
      Panel.create({ symbols, origin, timeframes });
    expect(() => make([])).toThrow("without timeframes");
    expect(() => make([minute], 0)).toThrow("0 symbols");
    expect(() => make([minute], 1, -1)).toThrow("origin -1");
    expect(() => make([minute, { ...minute, name: "90s", ms: 90_000 }])).toThrow("90s: timeframes are multiples");
    expect(() => make([{ ...minute, name: "" }])).toThrow("is not a name");
    expect(() => make([{ ...minute, spare: 0 }])).toThrow("spare 0");
    expect(() => make([{ ...minute, capacity: 0 }])).toThrow("capacity 0");
  });
});

describe("funding", () => {
  const HOUR = 60 * MINUTE;

  test("is the newest settled before a time, not at it; nothing is known before the first", () => {
    const panel = small();
    panel.writeFunding(3, 8 * HOUR, 0.0001);
    panel.writeFunding(3, 16 * HOUR, -0.0002);
    const at = (time: number) => panel.fundingBefore(3, time);
    expect([at(8 * HOUR), at(8 * HOUR + 1), at(16 * HOUR), at(16 * HOUR + 1)]).toEqual([
      Number.NaN,
      0.0001,
      0.0001,
      -0.0002,
    ]);
    expect(panel.fundingBefore(2, 99 * HOUR)).toBeNaN();
    expect(Panel.attach(panel.buffer).fundingBefore(3, 12 * HOUR)).toBe(0.0001);
  });

  test("is remembered for 16 settlements; being told twice changes nothing", () => {
    const panel = small();
    for (let hour = 1; hour <= 20; hour++) {
      for (let times = 0; times < 2; times++) panel.writeFunding(9, hour * HOUR, hour);
    }
    expect(panel.fundingBefore(9, 4 * HOUR + 1)).toBeNaN();
    for (let hour = 5; hour <= 20; hour++) expect(panel.fundingBefore(9, hour * HOUR + 1)).toBe(hour);
    expect(() => panel.writeFunding(10, HOUR, 0)).toThrow("symbol 10 of 10");
  });

  test("lies beyond all bars, which stay as they are", () => {
    const panel = small(8);
    for (let bar = 0; bar < 6; bar++) {
      for (let symbol = 0; symbol < 8; symbol++) panel.writeBar(0, bar, symbol, 1, 1, 1, 1, 1, REAL);
      panel.publish(0, bar);
    }
    const before = panel.values.filter((value) => value === 1).length;
    for (let symbol = 0; symbol < 8; symbol++) for (let i = 1; i < 40; i++) panel.writeFunding(symbol, i, 7);
    expect(panel.values.filter((value) => value === 1).length).toBe(before);
    expect(panel.value(0, 5, 7, VOLUME)).toBe(1);
  });
});
