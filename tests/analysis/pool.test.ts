import { describe, expect, test } from "bun:test";
import { divideSymbols, mostWorkers } from "../../src/analysis/pool.ts";
import { analysedAhead, analysedByOne, closeOf, LATE, poolOf, withFault } from "./analysis-fixture.ts";
import type { Fault } from "./fault.ts";

const EXPECTED = analysedByOne();

test("the reference has something to compare", () => {
  expect(EXPECTED.flatMap(({ candidates }) => candidates).length).toBeGreaterThan(20);
  expect(new Set(EXPECTED.flatMap(({ regimes }) => regimes)).size).toBeGreaterThan(2);
});

describe("divideSymbols", () => {
  test("gives whole groups of eight, none above the batch, as many for each worker", () => {
    expect(divideSymbols(147, 50, 1)).toEqual([
      { first: 0, symbols: 32 },
      { first: 32, symbols: 40 },
      { first: 72, symbols: 40 },
      { first: 112, symbols: 35 },
    ]);
    expect(divideSymbols(5, 50, 4)).toEqual([{ first: 0, symbols: 5 }]);
  });

  test("covers every symbol once, whatever the numbers", () => {
    for (const symbols of [1, 7, 8, 9, 57, 147, 200, 1500]) {
      for (const batch of [1, 8, 50, 10_000]) {
        for (const workers of [1, 2, 5]) {
          const ranges = divideSymbols(symbols, batch, workers);
          let next = 0;
          for (const { first, symbols: count } of ranges) {
            expect(first).toBe(next);
            expect(first % 8).toBe(0);
            expect(count).toBeGreaterThan(0);
            expect(count).toBeLessThanOrEqual(Math.max(8, Math.round(batch / 8) * 8));
            next += count;
          }
          expect(next).toBe(symbols);
        }
      }
    }
  });
});

test("there are never more workers than the setting, nor than processors and four", () => {
  expect(mostWorkers(16, 2)).toBe(6);
  expect(mostWorkers(3, 8)).toBe(3);
});

describe("the analysis ahead of the trader is that of one engine", () => {
  for (const [workers, batch, chunk] of [
    [1, 1000, 256],
    [1, 8, 100_000],
    [2, 8, 97],
    [3, 16, 1000],
  ] as const) {
    test(`${workers} workers, batches of ${batch}, ${chunk} cycles at a time`, async () => {
      expect(await analysedAhead(poolOf({ workers }), { batch, chunk })).toStrictEqual(EXPECTED);
    });
  }
});

describe("a worker with a fault is replaced and its work done again, with the same result", () => {
  const kinds: readonly Fault["kind"][] = ["exit", "throw", "reject", "overflow", "hang", "poison"];
  for (const kind of kinds) {
    test(kind, async () => {
      const fault: Fault = { kind, first: 8, cycle: closeOf(LATE), once: true };
      await withFault(fault, async (program) => {
        const notices: string[] = [];
        const onNotice = (_: string, text: string) => notices.push(text);
        // Generous where the worker does not hang, because tests share their processors.
        const timeout = kind === "hang" ? 1500 : 20_000;
        const pool = poolOf({ workers: 2, timeout, onNotice, program });
        expect(await analysedAhead(pool)).toStrictEqual(EXPECTED);
        // A poisoned range spoils its own state only.
        expect(pool.replaced).toBe(kind === "poison" ? 0 : 1);
        if (kind === "hang") expect(notices).toEqual(["analysis: a worker gave no sign for 1.5 s; it is replaced"]);
      });
    });
  }

  test("a growing heap", async () => {
    await withFault({ kind: "heap-leak", first: 8, cycle: closeOf(0), once: false }, async (program) => {
      const notices: string[] = [];
      const onNotice = (_: string, text: string) => notices.push(text);
      const pool = poolOf({ workers: 2, heapLimit: 120e6, onNotice, program });
      expect(await analysedAhead(pool, { chunk: 1000 })).toStrictEqual(EXPECTED);
      expect(pool.replaced).toBeGreaterThan(0);
      expect(notices[0]).toMatch(/heap grew to \d+ MB, above 120 MB; it is replaced/);
    });
  });

  test("memory that no heap shows, in a task that does not end", async () => {
    await withFault({ kind: "memory-leak", first: 8, cycle: closeOf(LATE), once: true }, async (program) => {
      const notices: string[] = [];
      const onNotice = (_: string, text: string) => notices.push(text);
      const memoryLimit = process.memoryUsage.rss() + 200e6;
      const pool = poolOf({ memoryLimit, timeout: 60_000, onNotice, program });
      expect(await analysedAhead(pool)).toStrictEqual(EXPECTED);
      expect(pool.replaced).toBe(1);
      expect(notices.join()).toMatch(/the process uses \d+ MB of memory; it is replaced/);
    });
  });
});

describe("a range that fails again and again ends the run with a message", () => {
  for (const kind of ["exit", "poison"] as const) {
    test(kind, async () => {
      await withFault({ kind, first: 8, cycle: closeOf(LATE), once: false }, async (program) => {
        await expect(analysedAhead(poolOf({ workers: 2, program }))).rejects.toThrow(
          /^the analysis of \w+ to \w+ failed 3 times after 2026-01-0\dT/,
        );
      });
    });
  }

  test("workers that cannot even start", async () => {
    const pool = poolOf({ program: new URL("./no-such-worker.ts", import.meta.url).href });
    await expect(analysedAhead(pool)).rejects.toThrow(/^the analysis of \w+ to \w+ failed 12 times/);
    const unread = poolOf({ program: new URL("./no-such-worker.ts", import.meta.url).href });
    await expect(unread.parse("bars.csv", 60_000)).rejects.toThrow("bars.csv: could not be read: ");
    unread.close();
  });
});

test("a check asks every worker for a sign of life", async () => {
  const pool = poolOf({ workers: 2 });
  expect(await pool.check()).toBe(true);
  expect(pool.replaced).toBe(0);
  pool.close();
});
