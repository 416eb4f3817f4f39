import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { FeatureReader, FeatureStore, openingText } from "../../src/features/store.ts";

const folder = mkdtempSync(join(tmpdir(), "penstock-features-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const newPath = () => join(folder, `${++files}`, "features.store");
/** Rows with NaN are compared as plain arrays: typed ones never equal each other then. */
const row = (...values: number[]) => Float32Array.from(values);

/** Both kinds of memory behave alike. */
const KINDS = [
  ["in memory", (capacity: number) => FeatureStore.inMemory(capacity, 4)],
  ["mapped", (capacity: number) => FeatureStore.open(newPath(), capacity, 4)],
] as const;

for (const [name, open] of KINDS) {
  describe(`a store ${name}`, () => {
    test("gives back what was put, NaN too, and knows nobody else", () => {
      const store = open(3);
      expect(store.put(7, row(1, Number.NaN, -0))).toBe(true);
      expect([...store.read(7)!]).toEqual([1, Number.NaN, -0]);
      expect(store.read(8)).toBeUndefined();
      store.put(7, row(2));
      expect(store.read(7)).toEqual(row(2));
      expect(store.counts).toEqual({ active: 1, released: 0, reused: 0, refused: 0 });
      expect(new FeatureReader(store.buffer).read(7)).toEqual(row(2));
      expect(new FeatureReader(store.buffer).read(8)).toBeUndefined();
    });

    test("gives away the slot that was released longest ago", () => {
      const store = open(3);
      for (const owner of [1, 2, 3]) store.put(owner, row(owner));
      for (const owner of [2, 1]) store.release(owner);
      store.release(1);
      expect(store.put(4, row(4))).toBe(true);
      expect([1, 2, 3, 4].map((owner) => store.read(owner)?.[0])).toEqual([1, undefined, 3, 4]);
      // Who comes back before his slot is gone has it again.
      store.put(1, row(10));
      expect(store.put(5, row(5))).toBe(false);
      expect(store.read(1)).toEqual(row(10));
      expect(store.owners()).toEqual([1, 4, 3]);
    });

    test("refuses and counts newcomers while all are active", () => {
      const store = open(2);
      store.put(1, row(1));
      store.put(2, row(2));
      expect([store.put(3, row(3)), store.put(4, row(4)), store.put(1, row(9))]).toEqual([false, false, true]);
      expect(store.counts).toEqual({ active: 2, released: 0, reused: 0, refused: 2 });
      store.release(2);
      expect(store.put(3, row(3))).toBe(true);
    });

    test("refuses rows and owners that cannot be", () => {
      const store = open(2);
      expect(() => store.put(1, row(1, 2, 3, 4, 5))).toThrow("a row of 5 in slots of 4");
      for (const owner of [-1, 0.5, Number.NaN]) expect(() => store.put(owner, row(1))).toThrow("whole number from 0");
      expect(store.counts.active).toBe(0);
    });

    test("does what a plain model of it does", () => {
      const operation = fc.record({ owner: fc.nat(11), put: fc.boolean(), value: fc.float({ noNaN: true }) });
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
          const store = FeatureStore.inMemory(5, 4);
          const active = new Map<number, number>();
          let released: [owner: number, value: number][] = [];
          for (const { owner, put, value } of operations) {
            const was = released.find(([one]) => one === owner);
            if (!put) {
              store.release(owner);
              if (active.has(owner)) released.push([owner, active.get(owner)!]);
              active.delete(owner);
            } else {
              const fits = active.has(owner) || was !== undefined || active.size < 5;
              expect(store.put(owner, row(value))).toBe(fits);
              if (!fits) continue;
              if (!active.has(owner) && was === undefined && active.size + released.length === 5) released.shift();
              released = released.filter((entry) => entry !== was);
              active.set(owner, value);
            }
            const known = new Map([...released, ...active]);
            for (let one = 0; one < 12; one++) expect(store.read(one)?.[0]).toBe(known.get(one));
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}

test("700,000 owners in 64 slots leave memory as it was", () => {
  const store = FeatureStore.inMemory(64, 32);
  const bytes = store.buffer.byteLength;
  const numbers = new Float32Array(31);
  const round = (from: number) => {
    for (let owner = from; owner < from + 100_000; owner++) {
      numbers.fill(owner % 1000);
      if (!store.put(owner, numbers)) throw new Error(`owner ${owner} refused`);
      if (owner >= 40) store.release(owner - 40);
    }
    Bun.gc(true);
    return process.memoryUsage().heapUsed;
  };
  round(0);
  const before = round(100_000);
  for (let i = 2; i < 6; i++) round(i * 100_000);
  const after = round(600_000);
  expect(after - before).toBeLessThan(1_000_000);
  expect(store.buffer.byteLength).toBe(bytes);
  expect(store.counts).toMatchObject({ active: 40, released: 24, refused: 0, reused: 700_000 - 64 });
  expect(store.read(699_999)).toEqual(new Float32Array(31).fill(999));
});

test("the default store has room for 16,384 positions of 32 numbers in less than 3 MB", () => {
  const store = FeatureStore.inMemory();
  expect([store.capacity, store.dimension]).toEqual([16_384, 32]);
  expect(store.buffer.byteLength).toBeLessThan(3_000_000);
});

test("another thread never sees a row that is half written", async () => {
  // Rows so long that they take a while to write and to read.
  const store = FeatureStore.inMemory(16, 4096);
  const stop = new SharedArrayBuffer(12);
  const flags = new Int32Array(stop);
  const worker = new Worker(new URL("./store-reader.ts", import.meta.url).href);
  const answer = new Promise<{ reads: number; torn: number }>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
  });
  store.put(5, new Float32Array(4096));
  worker.postMessage({ buffer: store.buffer, owner: 5, stop });
  while (Atomics.load(flags, 1) === 0) await Bun.sleep(1);
  const numbers = new Float32Array(4096);
  // Until it has seen enough changes, however the threads are scheduled; without pauses it would hardly see any.
  const end = performance.now() + 20_000;
  for (let i = 0; Atomics.load(flags, 2) < 300 && performance.now() < end; i++) {
    store.put(5, numbers.fill(i));
    const next = Bun.nanoseconds() + 20_000;
    while (Bun.nanoseconds() < next);
  }
  Atomics.store(flags, 0, 1);
  const { reads, torn } = await answer;
  worker.terminate();
  expect(torn).toBe(0);
  expect(reads).toBeGreaterThanOrEqual(300);
});

describe("the mapped file", () => {
  test("outlives its writer, in order", () => {
    const path = newPath();
    const store = FeatureStore.open(path, 4, 4);
    expect(store.opening).toEqual({ kind: "created" });
    for (const owner of [10, 11, 12]) store.put(owner, row(owner));
    store.release(11);
    store.release(10);
    store.close();
    expect(statSync(path).size).toBe(64 + 4 * (32 + 16));

    const again = FeatureStore.open(path, 4, 4);
    expect(again.opening).toEqual({ kind: "reopened", crashed: false, torn: 0 });
    expect([10, 11, 12].map((owner) => again.read(owner)?.[0])).toEqual([10, 11, 12]);
    expect(again.owners()).toEqual([12]);
    again.put(13, row(13));
    again.put(14, row(14));
    expect(again.read(11)).toBeUndefined();
    expect(again.read(10)).toEqual(row(10));
  });

  async function dieIn(path: string, what: string): Promise<void> {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "store-writer.ts"), path, what], {
      stderr: "pipe",
    });
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
  }

  test("is whole after a crash, and says that there was one", async () => {
    const path = newPath();
    await dieIn(path, "crash");
    const store = FeatureStore.open(path, 8, 4);
    expect(store.opening).toEqual({ kind: "reopened", crashed: true, torn: 0 });
    expect(openingText(store.opening)).toBe("reopened after a crash, 0 rows lost");
    for (let owner = 1; owner <= 5; owner++) expect([...store.read(owner)!]).toEqual([owner, owner * 2, Number.NaN]);
    expect(store.owners()).toEqual([1, 3, 5]);
    // It remembers who was released first.
    for (let owner = 6; owner <= 9; owner++) store.put(owner, row(owner));
    expect([store.read(4), store.read(2)?.[1]]).toEqual([undefined, 4]);
  });

  test("a row that a crash left half written is lost, and counted", async () => {
    const path = newPath();
    await dieIn(path, "torn");
    const store = FeatureStore.open(path, 8, 4);
    expect(store.opening).toEqual({ kind: "reopened", crashed: true, torn: 1 });
    expect(store.read(3)).toBeUndefined();
    expect(store.owners()).toEqual([1, 5]);
    expect(store.put(3, row(33))).toBe(true);
    expect(store.read(3)).toEqual(row(33));
  });

  test.each([
    ["is no feature store", (path: string) => writeFileSync(path, "x".repeat(1000))],
    ["has only 3 bytes", (path: string) => writeFileSync(path, "abc")],
    ["has 6 × 4 numbers, not 8 × 4", (path: string) => FeatureStore.open(path, 6, 4).close()],
    [
      "has version 9, not 1",
      (path: string) => {
        FeatureStore.open(path, 8, 4).close();
        const bytes = readFileSync(path);
        bytes.writeUInt32LE(9, 4);
        writeFileSync(path, bytes);
      },
    ],
    [
      "has 200 bytes, not 448",
      (path: string) => {
        FeatureStore.open(path, 8, 4).close();
        writeFileSync(path, readFileSync(path).subarray(0, 200));
      },
    ],
  ])("one that %s is moved aside and begun anew", (reason, make) => {
    const source = join(folder, `foreign-${++files}`);
    make(source);
    const bytes = readFileSync(source);
    // A copy, because the file may still be mapped, and its name be truncated beneath the mapping.
    const path = `${source}.copy`;
    writeFileSync(path, bytes);
    const store = FeatureStore.open(path, 8, 4);
    expect(store.opening).toEqual({ kind: "created", replaced: reason });
    expect(openingText(store.opening)).toContain(reason);
    expect(store.counts).toEqual({ active: 0, released: 0, reused: 0, refused: 0 });
    expect(readFileSync(`${path}.old`)).toEqual(bytes);
  });

  test("is seen by another process as it changes", () => {
    const path = newPath();
    const store = FeatureStore.open(path, 4, 4);
    store.put(3, row(1, 2, 3));
    const read = () => {
      const script =
        `import { FeatureReader } from ${JSON.stringify(join(import.meta.dir, "../../src/features/store.ts"))};` +
        `console.log([...new FeatureReader(Bun.mmap(${JSON.stringify(path)}).buffer).read(3)].join());`;
      return Bun.spawnSync([process.execPath, "-e", script]).stdout.toString().trim();
    };
    expect(read()).toBe("1,2,3");
    store.put(3, row(4, 5));
    expect(read()).toBe("4,5");
  });

  test("a reader refuses memory that is no store", () => {
    expect(() => new FeatureReader(new SharedArrayBuffer(128))).toThrow("not a feature store");
  });
});
