import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { runLive } from "../../src/service/live.ts";

test("a run that is stopped while it warms up ends at once, with a journal that is whole and without a trade", async () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-live-"));
  try {
    const { settings } = loadSettings({ DATA_DIR: folder });
    const stop = new AbortController();
    const shares: number[] = [];
    const { report, journal } = await runLive(settings, {
      market: { kind: "generated", seed: 1, symbols: 2 },
      without: [],
      speed: Number.POSITIVE_INFINITY,
      duration: Number.POSITIVE_INFINITY,
      signal: stop.signal,
      onRecord: () => {},
      onNotice: () => {},
      onTick: () => {},
      onWarmUp: (share) => {
        shares.push(share);
        stop.abort();
      },
    });
    expect(shares).toHaveLength(1);
    expect(report.summary.trades).toBe(0);
    expect([...readJournal(journal).records()].at(-1)?.record.kind).toBe("end");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
