import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { MIGRATIONS, migrate } from "../../src/store/migrations.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { KINDS, type TestDatabase } from "./database.ts";

const NAMES = MIGRATIONS.map(({ name }) => name);

describe.each(KINDS)("the schema on $name", (kind) => {
  describe.skipIf(kind.absent)("when the server is there", () => {
    let database: TestDatabase;
    let store: Store;
    beforeAll(async () => {
      database = await kind.create();
      store = await database.open();
    });
    afterAll(async () => {
      await store.close();
      await database.remove();
    });

    /** A second client with a session of its own where the server has several. */
    const client = () =>
      store.embedded === undefined
        ? postgres(database.options.databaseUrl, { max: 1, onnotice: () => {} })
        : postgres({
            path: store.embedded.socket,
            username: "postgres",
            database: "postgres",
            max: 1,
            onnotice: () => {},
          });

    const drop = () =>
      store.sql.unsafe("DROP SCHEMA public CASCADE; DROP SCHEMA drizzle CASCADE; CREATE SCHEMA public");

    test("is there after the first opening, and the next step finds nothing to do", async () => {
      expect(store.applied).toEqual(NAMES);
      expect(await migrate(store.sql)).toEqual({ applied: [] });
      const [row] = await store.sql`SELECT count(*)::int AS tables FROM information_schema.tables
        WHERE table_schema = 'public' AND table_name IN ('klines', 'kline_revisions', 'fills', 'orders', 'leases')`;
      expect(row!.tables).toBe(5);
    });

    test("says what the server can", async () => {
      const hypertables = "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1";
      if (kind.name !== "TimescaleDB") return expect(store.edition).toBe("embedded");
      expect(["apache", "timescale"]).toContain(store.edition);
      const names = (await store.sql.unsafe(hypertables)).map((row) => row.hypertable_name);
      for (const large of ["klines", "feature_rows", "signals", "fills", "equity"]) expect(names).toContain(large);
    });

    test("two that start at once take turns: one makes it, the other finds it made", async () => {
      // The extension's own tables do not survive the schema, so a real server gives another empty database.
      const other = kind.name === "TimescaleDB" ? await kind.create() : undefined;
      if (other === undefined) await drop();
      const clients =
        other === undefined
          ? [client(), client()]
          : [0, 1].map(() => postgres(other.options.databaseUrl, { max: 1, onnotice: () => {} }));
      try {
        const applied = await Promise.all(clients.map((sql) => migrate(sql)));
        expect(applied.map((each) => each.applied.length).sort()).toEqual([0, NAMES.length]);
      } finally {
        for (const sql of clients) await sql.end();
        await other?.remove();
      }
    });

    test("refuses what a newer or another Penstock wrote, and changes nothing", async () => {
      const sql = client();
      try {
        await sql`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('later', 9e15)`;
        const opened = kind.name === "TimescaleDB" ? openStore(database.options) : migrate(store.sql);
        await expect(opened).rejects.toThrow(
          `the database was written by a newer Penstock: it has ${NAMES.length + 1} schema steps, this build knows ${NAMES.length}`,
        );
        await sql`DELETE FROM drizzle.__drizzle_migrations WHERE hash = 'later'`;
        const [first] = await sql`UPDATE drizzle.__drizzle_migrations SET hash = 'x' || hash
          WHERE created_at = ${MIGRATIONS[0]!.when} RETURNING hash`;
        const other = migrate(store.sql);
        await expect(other).rejects.toThrow(`the database's schema step 1 is not this build's ${NAMES[0]}`);
        await sql`UPDATE drizzle.__drizzle_migrations SET hash = ${MIGRATIONS[0]!.hash} WHERE hash = ${first!.hash}`;
        expect(await migrate(store.sql)).toEqual({ applied: [] });
      } finally {
        await sql.end();
      }
    });
  });
});
