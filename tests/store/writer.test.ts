import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { COLUMNS } from "../../src/store/rows.ts";
import { Spool } from "../../src/store/spool.ts";
import type { Store } from "../../src/store/store.ts";
import { StoreWriter } from "../../src/store/writer.ts";
import { KINDS, type TestDatabase, temporaryFolder } from "./database.ts";

describe("the spool", () => {
  test("gives back what it took, in order, across segments and reopening", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 }), { maxLength: 40 }), fc.nat(40), (batches, reopenAt) => {
        const dir = temporaryFolder();
        try {
          let spool = new Spool<string>(dir, 128);
          batches.forEach((batch, i) => {
            if (i === reopenAt) {
              spool.close();
              spool = new Spool<string>(dir, 128);
            }
            spool.append(batch);
          });
          const back: string[] = [];
          for (let batch = spool.peek(); batch !== undefined; batch = spool.peek()) {
            back.push(batch);
            spool.taken();
          }
          expect(back).toEqual(batches);
          expect(readdirSync(dir)).toEqual([]);
        } finally {
          rmSync(dir, { recursive: true, force: true });
        }
      }),
      { numRuns: 50 },
    );
  });

  test("cuts a torn tail, says so, and keeps what is whole", () => {
    const dir = temporaryFolder();
    const spool = new Spool<number>(dir);
    for (let i = 0; i < 10; i++) spool.append(i);
    spool.close();
    const [name] = readdirSync(dir);
    const path = join(dir, name!);
    truncateSync(path, readFileSync(path).length - 1);
    const again = new Spool<number>(dir);
    expect(again.damage).toEqual([expect.stringContaining("8 bytes after the last whole batch were cut off")]);
    expect(again.waiting).toBe(9);
    again.append(99);
    const back: number[] = [];
    for (let batch = again.peek(); batch !== undefined; batch = again.peek()) {
      back.push(batch);
      again.taken();
    }
    expect(back).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 99]);
  });
});

test("a damaged batch of a spool is cut off with what follows it, although it still reads as JSON", () => {
  const dir = temporaryFolder();
  const spool = new Spool<number>(dir);
  for (let i = 100; i < 110; i++) spool.append(i);
  spool.close();
  const path = join(dir, readdirSync(dir)[0]!);
  const bytes = readFileSync(path);
  // The last digit of the fifth: 8 bytes of head and 3 digits each.
  bytes[5 * 11 - 1] = "9".charCodeAt(0);
  writeFileSync(path, bytes);
  const again = new Spool<number>(dir);
  expect(again.waiting).toBe(4);
  expect(again.damage).toEqual([expect.stringContaining("66 bytes after the last whole batch were cut off")]);
});

test("what waits on disk is passed by nothing that comes later", async () => {
  const place = [...COLUMNS.get("incidents")!.keys()].indexOf("seq");
  const arrived: number[] = [];
  let away = true;
  let next = 0;
  const add = () => {
    const values = { run: 1, seq: next, time: next, level: "info", text: "x" };
    writer.add({ table: "incidents", values });
    next++;
  };
  const sql = {
    async unsafe(_: string, columns: readonly (readonly number[])[]) {
      if (away) throw new Error("connection reset");
      arrived.push(...columns[place]!);
      // Something always comes while the database is busy with what waits.
      if (next < 100) add();
      return { count: columns[place]!.length };
    },
  };
  const writer = new StoreWriter(
    { sql: sql as unknown as Store["sql"] },
    {
      spoolFolder: temporaryFolder(),
      batchRows: 10,
      retryAfter: 1,
      onChange: () => {
        away = false;
      },
    },
  );
  while (next < 50) add();
  await writer.drained();
  await writer.close();
  expect(writer.spooled).toBeGreaterThan(0);
  expect(arrived.slice(0, 60)).toEqual(Array.from({ length: 60 }, (_, seq) => seq));
  expect(arrived).toEqual(arrived.toSorted((a, b) => a - b));
});

describe.each(KINDS)("the writer on $name", (kind) => {
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

    const incident = (run: number, seq: number) => ({
      table: "incidents",
      values: { run, seq, time: seq, level: "info", text: `it's number ${seq} – "quoted"` },
    });

    test("writes each row once, however often it is given", async () => {
      const run = Math.floor(Math.random() * 1e12);
      const writer = new StoreWriter(store, { spoolFolder: temporaryFolder(), batchRows: 7 });
      for (let seq = 0; seq < 100; seq++) writer.add(incident(run, seq));
      for (let seq = 50; seq < 120; seq++) writer.add(incident(run, seq));
      await writer.drained();
      const rows = await store.sql`SELECT seq, text FROM incidents WHERE run = ${run} ORDER BY seq`;
      expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: 120 }, (_, seq) => seq));
      expect(rows[3]!.text).toBe(`it's number 3 – "quoted"`);
      await writer.close();
    });

    test("keeps JSON, booleans and absent values", async () => {
      const run = Math.floor(Math.random() * 1e12);
      const writer = new StoreWriter(store, { spoolFolder: temporaryFolder() });
      writer.add({
        table: "refusals",
        values: {
          run,
          seq: 1,
          time: 5,
          symbol: "AUSDT",
          guard: "size",
          reason: "x",
          numbers: JSON.stringify({ a: 1.5 }),
        },
      });
      await writer.drained();
      const [row] = await store.sql`SELECT numbers FROM refusals WHERE run = ${run}`;
      expect(row!.numbers).toEqual({ a: 1.5 });
      await writer.close();
    });

    test("puts aside what the database will never take, and goes on", async () => {
      const run = Math.floor(Math.random() * 1e12);
      const spoolFolder = temporaryFolder();
      const said: string[] = [];
      const writer = new StoreWriter(store, { spoolFolder, onChange: (text) => said.push(text) });
      // In the midst of a chunk.
      writer.add(incident(run, 0));
      writer.add({ table: "incidents", values: { run, seq: 1, time: null, level: "info", text: "no time" } });
      for (const seq of [2, 3]) writer.add(incident(run, seq));
      await writer.drained();
      writer.add(incident(run, 4));
      await writer.drained();
      const rows = await store.sql`SELECT seq FROM incidents WHERE run = ${run} ORDER BY seq`;
      expect(rows.map(({ seq }) => seq)).toEqual([0, 2, 3, 4]);
      expect(said).toEqual([expect.stringContaining("a row of incidents was refused")]);
      expect(readFileSync(join(spoolFolder, "rejected.jsonl"), "utf8")).toContain("no time");
      await writer.close();
    });

    test("spools while the database is away, and catches up in order when it is back", async () => {
      const run = Math.floor(Math.random() * 1e12);
      let away = true;
      let asked: () => void = () => {};
      const firstFailure = new Promise<void>((resolve) => {
        asked = resolve;
      });
      const sql = new Proxy(store.sql, {
        get(target, name) {
          if (name !== "unsafe") return Reflect.get(target, name);
          return (...args: Parameters<typeof target.unsafe>) => {
            if (!away) return target.unsafe(...args);
            asked();
            return Promise.reject(Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" }));
          };
        },
      });
      const said: string[] = [];
      const writer = new StoreWriter(
        { sql },
        {
          spoolFolder: temporaryFolder(),
          retryAfter: 1,
          maxRows: 50,
          onChange: (t) => said.push(t),
        },
      );
      for (let seq = 0; seq < 300; seq++) writer.add(incident(run, seq));
      await firstFailure;
      for (let seq = 300; seq < 400; seq++) writer.add(incident(run, seq));
      away = false;
      await writer.drained();
      const rows = await store.sql`SELECT seq FROM incidents WHERE run = ${run} ORDER BY seq`;
      expect(rows.length).toBe(400);
      expect(said[0]).toContain("they wait on disk");
      expect(said.at(-1)).toBe("the database is back");
      expect(writer.lag).toEqual({
        ...{ rows: 0, batches: 0, spoolBytes: 0, waiting: 0, behind: 0 },
        ...{ away: false, full: false, dropped: 0 },
      });
      await writer.close();
    });
  });
});
