import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { loadSettings } from "../../src/config/load.ts";
import type { CoreRecord } from "../../src/core/effects.ts";
import { storeOf } from "../../src/service/data.ts";
import { GENERATED_START } from "../../src/service/generated.ts";
import { type LiveResult, runLive } from "../../src/service/live.ts";
import { rebuild } from "../../src/service/rebuild.ts";
import { COLUMNS } from "../../src/store/rows.ts";
import type { Store } from "../../src/store/store.ts";
import { KINDS, type TestDatabase } from "../store/database.ts";

const HOUR = 3_600_000;
/** What a run writes into; the other tables that it could fill are for real markets and for changes of settings. */
const FILLED = [...COLUMNS.keys()].filter((table) => !["klines", "funding_rates", "settings_changes"].includes(table));

describe.each(KINDS)("a run recorded on $name", (kind) => {
  describe.skipIf(kind.absent)("when the server is there", () => {
    let database: TestDatabase;
    let store: Store;
    let result: LiveResult;
    const settings = () => {
      const { databaseUrl, dataDir } = database.options;
      return loadSettings({ DATA_DIR: dataDir, DATABASE_URL: databaseUrl }).settings;
    };
    const records = new Map<CoreRecord["kind"], number>();
    beforeAll(async () => {
      database = await kind.create();
      result = await runLive(settings(), {
        market: { kind: "generated", seed: 1, symbols: 8, to: GENERATED_START + 36 * HOUR },
        without: [],
        speed: Number.POSITIVE_INFINITY,
        duration: Number.POSITIVE_INFINITY,
        signal: new AbortController().signal,
        onRecord: ({ kind }) => records.set(kind, (records.get(kind) ?? 0) + 1),
        onNotice: () => {},
        onTick: () => {},
      });
      // What the run had left on disk, because it was over before the database had started, is written now.
      store = await storeOf(settings());
    });
    afterAll(async () => {
      await store.close();
      await database.remove();
    });

    const count = async (table: string, where = "true") =>
      (await store.sql.unsafe<{ n: number }[]>(`SELECT count(*)::int AS n FROM ${table} WHERE ${where}`))[0]!.n;
    /** The content of all tables, in an order that does not depend on when a row was written. */
    const content = async () => {
      const tables: unknown[] = [];
      for (const table of FILLED) {
        const [all] = await store.sql.unsafe(
          `SELECT count(*)::int AS n, md5(string_agg(t::text, E'\\n' ORDER BY t::text)) AS hash FROM ${table} AS t`,
        );
        tables.push([table, all!.n, all!.hash]);
      }
      return tables;
    };

    test("has a row for everything that the core has reported", async () => {
      const { report } = result;
      expect(await count("signals")).toBe(records.get("signal")!);
      expect(await count("refusals")).toBe(records.get("refusal")!);
      expect(await count("equity")).toBe(records.get("equity")!);
      expect(await count("positions", "NOT virtual")).toBe(report.summary.trades);
      expect(await count("positions", "virtual")).toBe(records.get("virtual-closed")!);
      expect(await count("feature_rows", "f1 IS NOT NULL AND label IS NOT NULL")).toBe(records.get("virtual-closed")!);
      expect(await count("instruments")).toBe(8);
      expect(await count("run_ends", `trades_hash = '${report.tradesHash}'`)).toBe(1);
      expect(report.summary.trades).toBeGreaterThan(0);
    });

    test("has ledger entries that add up to the wallet", async () => {
      const [sums] = await store.sql`
        SELECT (SELECT sum(amount)::float8 FROM ledger_entries) AS entries,
               (SELECT wallet FROM equity ORDER BY seq DESC LIMIT 1) AS wallet,
               (SELECT -sum(fee)::float8 FROM fills) AS fees,
               (SELECT sum(amount)::float8 FROM ledger_entries WHERE from_account = 'fees') AS charged`;
      expect(sums!.entries).toBe(sums!.wallet);
      expect(sums!.charged).toBe(sums!.fees);
    });

    test("has the path of every virtual position from its opening to its end", async () => {
      const rows = await store.sql`
        SELECT p.position, p.reason, array_agg(e.kind ORDER BY e.seq) AS steps
        FROM positions p JOIN position_events e USING (run, virtual, position)
        WHERE p.virtual GROUP BY p.position, p.reason`;
      expect(rows).toHaveLength(records.get("virtual-closed")!);
      for (const { steps, reason } of rows) {
        expect(steps[0]).toBe("opened");
        expect(steps.at(-1)).toBe(reason);
      }
    });

    test("recorded again from its journal it makes the same rows, and brings back lost ones", async () => {
      const before = await content();
      expect(await rebuild(store, settings(), [result.journal])).toMatchObject({ journals: 1, added: 0 });
      expect(await content()).toEqual(before);
      await store.sql`DELETE FROM fills`;
      await store.sql`DELETE FROM ledger_entries WHERE seq % 2 = 0`;
      await store.sql`DELETE FROM position_events WHERE seq % 3 = 0`;
      await store.sql`DELETE FROM feature_rows`;
      await store.sql`DELETE FROM runs`;
      expect((await rebuild(store, settings(), [])).added).toBeGreaterThan(0);
      expect(await content()).toEqual(before);
    });
  });
});
