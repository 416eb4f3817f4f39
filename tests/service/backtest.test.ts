import { describe, expect } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AnalysisPool, PoolOptions } from "../../src/analysis/pool.ts";
import { loadSettings } from "../../src/config/load.ts";
import { backtest } from "../../src/service/backtest.ts";
import { replayJournal } from "../../src/service/replay.ts";
import { poolOf, withFault } from "../analysis/analysis-fixture.ts";
import type { Fault } from "../analysis/fault.ts";
import { testRecorded } from "../recorded.ts";

const DATA = "market/m5-wide-2025-10";
const TO = Date.UTC(2025, 9, 13);
/** In the crash of 10 October, with positions open. */
const FAULT: Omit<Fault, "kind"> = { first: 8, cycle: Date.UTC(2025, 9, 10, 21), once: true };

interface Outcome {
  readonly tradesHash: string;
  readonly trades: number;
  readonly dataHash: string;
  readonly replaced: number;
  readonly replayed: boolean;
}

async function run(dir: string, pool: Partial<PoolOptions>, chunk?: number): Promise<Outcome> {
  const dataDir = mkdtempSync(join(tmpdir(), "penstock-backtest-"));
  const workers: AnalysisPool = poolOf(pool);
  try {
    const { settings } = loadSettings({ DATA_DIR: dataDir, BATCH_SIZE: "8" });
    const symbols = [...new Set(readdirSync(dir).map((name) => name.split("-")[2]!))].sort().slice(0, 20);
    const options = { dir, symbols, to: TO, without: [], pool: workers, barsPerWorker: 1 };
    const { report, journal } = await backtest(settings, chunk === undefined ? options : { ...options, chunk });
    return {
      tradesHash: report.tradesHash,
      trades: report.trades.length,
      dataHash: report.dataHash,
      replaced: workers.replaced,
      replayed: replayJournal(journal).result.identical,
    };
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}

describe("the trades of a backtest", () => {
  testRecorded("do not depend on workers, pieces of work or what befalls the workers", DATA, async (dir) => {
    const expected = await run(dir, { workers: 1 });
    expect(expected.trades).toBeGreaterThan(20);
    expect(expected.replayed).toBe(true);
    expect(await run(dir, { workers: 2 }, 100)).toEqual(expected);
    expect(await run(dir, { workers: 3 }, 1_000_000)).toEqual(expected);
    for (const kind of ["exit", "poison"] as const) {
      await withFault({ ...FAULT, kind }, async (program) => {
        const replaced = kind === "exit" ? 1 : 0;
        expect(await run(dir, { workers: 2, program }, 100)).toEqual({ ...expected, replaced });
      });
    }
  });

  testRecorded("are not reported when the analysis cannot be had", DATA, async (dir) => {
    await withFault({ ...FAULT, kind: "exit", once: false }, async (program) => {
      await expect(run(dir, { workers: 2, program })).rejects.toThrow(/^the analysis of \w+ to \w+ failed 3 times/);
    });
  });
});
