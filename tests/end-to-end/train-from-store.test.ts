import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { importFolder } from "../../src/service/data.ts";
import { KINDS } from "../store/database.ts";
import { csvOf, penstock, temporaryFolder } from "./penstock.ts";

const FIVE_MINUTES = 300_000;
/** Of four days; enough for a hundred samples. */
const SYMBOLS = 6;
const MODE = ["--set", "STRATEGY_MODE=self_learning"];

/** Bars of a market as files, and what a training on them comes to: once for all databases. */
let prepared: Promise<{ readonly bars: string; readonly expected: object }> | undefined;
function fromFiles() {
  prepared ??= (async () => {
    const bars = temporaryFolder();
    for (const [symbol, text] of csvOf(4 * 288, { seed: 7, symbols: SYMBOLS, timeframe: FIVE_MINUTES })) {
      writeFileSync(join(bars, `made-${symbol}-5m.csv`), text);
    }
    const ended = await penstock(temporaryFolder(), ["train", "--data", bars, ...MODE, "--json"], {
      ENABLE_STORE: "false",
    });
    expect([ended.code, ended.err]).toEqual([0, expect.not.stringContaining("error")]);
    return { bars, expected: outcomeOf(ended.out) };
  })();
  return prepared;
}

/** Everything of an outcome but what tells of time and place. */
function outcomeOf(out: string): Record<string, unknown> {
  const { timing, dataHash, ledgerHash, ...outcome } = JSON.parse(out);
  expect(timing.trainSeconds).toBeGreaterThan(0);
  for (const hash of [dataHash, ledgerHash]) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  return outcome;
}

describe.each(KINDS)("penstock train from the store, on $name", (kind) => {
  test.skipIf(kind.absent)(
    "gives the model that the same bars in files give, and the store is told of it",
    async () => {
      const { bars, expected } = await fromFiles();
      expect(expected).toMatchObject({ strategy: "self_learning", leakage: { passed: true }, recordedSamples: 0 });
      const database = await kind.create();
      try {
        const store = await database.open();
        const { added } = await importFolder(store, bars);
        await store.close();
        expect(added).toBe(SYMBOLS * 4 * 288);
        const { databaseUrl: DATABASE_URL, dataDir: DATA_DIR } = database.options;
        const { code, out, err } = await penstock(temporaryFolder(), ["train", ...MODE, "--json"], {
          DATABASE_URL,
          DATA_DIR,
        });
        expect([code, err]).toEqual([0, expect.not.stringContaining("the store does not know")]);
        expect(outcomeOf(out)).toEqual(expected as never);
      } finally {
        await database.remove();
      }
    },
    // Processes and an embedded database: on a machine that is busy with other things they take their time.
    240_000,
  );
});
