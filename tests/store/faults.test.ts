import { describe, expect, test } from "bun:test";
import { storeKlines } from "../../src/store/klines.ts";
import { openStore } from "../../src/store/store.ts";
import { StoreWriter } from "../../src/store/writer.ts";
import { KINDS, temporaryFolder } from "./database.ts";
import { survive } from "./faults.ts";
import { OwnServer } from "./own-server.ts";
import { DatabaseProxy } from "./proxy.ts";

const server = KINDS.find(({ name }) => name === "TimescaleDB")!;

// A sample; `bun run campaign store` goes on for as long as one likes.
describe("a recorded run", () => {
  test("that is killed has an orderly beginning in the embedded store, and all after a rebuild", async () => {
    const { rows, trouble } = await survive("killed", 1, "");
    expect(trouble).toBeUndefined();
    expect(rows).toBeGreaterThan(16);
  });

  test.skipIf(server.absent)("whose spool is torn loses nothing of what is whole", async () => {
    const database = await server.create();
    try {
      const { rows, trouble, damage } = await survive("torn-spool", 2, database.options.databaseUrl);
      expect(trouble).toBeUndefined();
      expect(rows).toBeGreaterThan(16);
      expect(damage).toBe(1);
    } finally {
      await database.remove();
    }
  });
});

test.skipIf(server.absent)(
  "a TimescaleDB that is killed and started again during a run has every row once and in order",
  async () => {
    const own = await OwnServer.start();
    try {
      const { rows, acknowledged, trouble } = await survive("server-killed", 3, await own.create(), own);
      expect(trouble).toBeUndefined();
      expect(rows).toBeGreaterThan(16);
      expect(acknowledged).toBe(rows);
    } finally {
      await own.stop();
    }
  },
);

describe.skipIf(server.absent)("a connection", () => {
  test("that is cut off in the middle of a COPY leaves nothing half-done; the same bars again are all there", async () => {
    const database = await server.create();
    const proxy = await DatabaseProxy.before(database.options.databaseUrl);
    const store = await openStore({ databaseUrl: proxy.url, dataDir: temporaryFolder() });
    try {
      const column = Float64Array.from({ length: 20_000 }, (_, i) => i + 1);
      const bars = {
        ...{ symbol: "AUSDT", timeframe: 60_000, openTime: column.map((i) => i * 60_000) },
        ...{ open: column, high: column, low: column, close: column, volume: column },
      };
      proxy.resetAfter(300_000);
      await expect(storeKlines(store.sql, bars, 0)).rejects.toThrow();
      const count = async () => (await store.sql`SELECT count(*)::int AS n FROM klines`)[0]!.n;
      expect(await count()).toBe(0);
      expect(await storeKlines(store.sql, bars, 0)).toEqual({ added: 20_000, corrected: 0 });
      expect(await count()).toBe(20_000);
    } finally {
      await store.close();
      proxy.close();
      await database.remove();
    }
  });

  test("that answers nothing is given up, and rows go by another", async () => {
    const database = await server.create();
    const store = await database.open();
    try {
      // A statement that waits for a lock that we hold is a database that does not answer.
      const holder = await database.open();
      let free: () => void = () => {};
      const locked = holder.sql.begin(async (transaction) => {
        await transaction`LOCK TABLE incidents`;
        await new Promise<void>((resolve) => {
          free = resolve;
        });
      });
      while ((await store.sql`SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock'`).length === 0);
      const said: string[] = [];
      const writer = new StoreWriter(store, {
        spoolFolder: temporaryFolder(),
        timeout: 50,
        retryAfter: 1,
        onChange: (text) => said.push(text),
      });
      // Of the same chunk, before the table that is locked.
      const money = { equity: 1, wallet: 1, unrealised: 0, margin: 0, exposure: 0 };
      writer.add({ table: "equity", values: { run: 1, seq: 100, time: 1, ...money, positions: 0 } });
      for (let seq = 0; seq < 10; seq++) {
        writer.add({ table: "incidents", values: { run: 1, seq, time: seq, level: "info", text: "x" } });
      }
      while (said.length === 0) await Bun.sleep(1);
      const equity = async () => (await holder.sql`SELECT count(*)::int AS n FROM equity`)[0]!.n;
      // A chunk is there as a whole or not at all.
      expect(await equity()).toBe(0);
      free();
      await writer.drained();
      await locked;
      expect(await equity()).toBe(1);
      const rows = await store.sql`SELECT seq FROM incidents ORDER BY seq`;
      expect(rows.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(said[0]).toContain("no answer within 50 ms");
      expect(said.at(-1)).toBe("the database is back");
      await writer.close();
      await holder.close();
    } finally {
      await store.close();
      await database.remove();
    }
  });
});
