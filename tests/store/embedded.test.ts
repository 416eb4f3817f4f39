import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { startEmbedded } from "../../src/store/embedded/embedded-server.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { temporaryFolder } from "./database.ts";

const connect = (socket: string): Sql =>
  postgres({ path: socket, username: "postgres", database: "postgres", max: 1, onnotice: () => {} });

/** Whether a process runs; one that has ended and waits for its parent to notice does not. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** The answer, once there is somebody to ask. */
async function persistently<T>(ask: () => PromiseLike<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await Bun.sleep(5);
    }
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(5);
}

describe("clients of the embedded database", () => {
  let store: Store;
  let other: Sql;
  beforeAll(async () => {
    store = await openStore({ databaseUrl: "", dataDir: temporaryFolder() });
    other = connect(store.embedded!.socket);
    await store.sql`CREATE TABLE numbers (n bigint PRIMARY KEY)`;
  });
  afterAll(async () => {
    await other.end();
    await store.close();
  });

  test("work at once, each with its own answers and its own errors", async () => {
    const ask = (sql: Sql, from: number) =>
      Array.from({ length: 50 }, async (_, i) => {
        if (i % 10 === 9) return sql`SELECT 1 / ${0}::int`.catch((error: { code: string }) => error.code);
        const [row] = await sql`SELECT ${from + i}::int AS n`;
        return row!.n as number;
      });
    const answers = await Promise.all([...ask(store.sql, 0), ...ask(other, 100)]);
    expect(answers).toEqual(
      [0, 100].flatMap((from) => Array.from({ length: 50 }, (_, i) => (i % 10 === 9 ? "22012" : from + i))),
    );
  });

  test("wait while another is in a transaction, and do not see its half-done work", async () => {
    const order: string[] = [];
    let asked: Promise<unknown> = Promise.resolve();
    await store.sql.begin(async (transaction) => {
      await transaction`INSERT INTO numbers VALUES (1)`;
      asked = other`SELECT count(*)::int AS n FROM numbers`.then(([row]) => order.push(`read ${row!.n}`));
      await transaction`INSERT INTO numbers VALUES (2)`;
      order.push("written");
    });
    await asked;
    expect(order).toEqual(["written", "read 2"]);
  });

  test("that die inside of a transaction leave nothing behind, and hold nobody up", async () => {
    const dying = connect(store.embedded!.socket);
    const session = await dying.reserve();
    await session`BEGIN`;
    await session`INSERT INTO numbers VALUES (99)`;
    await dying.end({ timeout: 0 });
    expect(await other`SELECT n FROM numbers WHERE n = 99`).toHaveLength(0);
  });

  test("copy in while another asks; a copy that fails is undone and wedges nobody", async () => {
    const copy = async (text: string) => {
      const stream = await store.sql`COPY numbers FROM STDIN`.writable();
      stream.on("error", () => {});
      stream.end(text);
      return stream;
    };
    const lines = Array.from({ length: 20_000 }, (_, i) => `${1000 + i}\n`).join("");
    const stream = await copy(lines);
    const asked = other`SELECT 1 AS one`;
    await new Promise((resolve) => stream.on("finish", resolve));
    expect(await asked).toHaveLength(1);
    const count = async () => (await other`SELECT count(*)::int AS n FROM numbers WHERE n >= 1000`)[0]!.n;
    expect(await count()).toBe(20_000);
    await copy("50000\nmany\n");
    expect(await count()).toBe(20_000);
    expect(await store.sql`SELECT 1 AS one`).toHaveLength(1);
  });
});

describe("the process of the embedded database", () => {
  test("owns its folder alone; who comes second is served by the first one's, and takes over when that ends", async () => {
    const dataDir = temporaryFolder();
    const first = await openStore({ databaseUrl: "", dataDir });
    const { pid } = first.embedded!;
    await expect(startEmbedded(dataDir)).rejects.toThrow(`is in use by process ${pid}`);
    const second = await openStore({ databaseUrl: "", dataDir });
    try {
      expect(second.embedded).toBeUndefined();
      await first.sql`INSERT INTO trials VALUES ('one', 1, 'x', '{}', '{}')`;
      expect(await second.sql`SELECT id FROM trials`).toEqual([{ id: "one" }] as never);
      await first.close();
      expect(runs(pid)).toBe(false);
      // Its client connects again as soon as somebody listens.
      const asked = await persistently(() => second.sql`SELECT id FROM trials`);
      expect(asked).toEqual([{ id: "one" }] as never);
      expect(second.embedded!.pid).not.toBe(pid);
    } finally {
      await second.close();
    }
  });

  test("that is killed comes back on the same socket with all that was acknowledged", async () => {
    const store = await openStore({ databaseUrl: "", dataDir: temporaryFolder() });
    try {
      const { pid } = store.embedded!;
      await store.sql`INSERT INTO trials VALUES ('one', 1, 'x', '{}', '{}')`;
      process.kill(pid, "SIGKILL");
      expect(await persistently(() => store.sql`SELECT id FROM trials`)).toEqual([{ id: "one" }] as never);
      expect(store.embedded!.pid).not.toBe(pid);
    } finally {
      await store.close();
    }
  });

  test("ends when its parent is killed, and the next finds all that was acknowledged", async () => {
    const dataDir = temporaryFolder();
    const script = `
      import { openStore } from ${JSON.stringify(join(import.meta.dir, "../../src/store/store.ts"))};
      const store = await openStore({ databaseUrl: "", dataDir: ${JSON.stringify(dataDir)} });
      await store.sql\`CREATE TABLE numbers (n bigint PRIMARY KEY)\`;
      console.log(store.embedded.pid);
      for (let n = 1; ; n++) { await store.sql\`INSERT INTO numbers VALUES (\${n})\`; console.log(n); }`;
    const parent = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    const lines: number[] = [];
    let text = "";
    for await (const chunk of parent.stdout) {
      text += Buffer.from(chunk).toString();
      const whole = text.split("\n");
      text = whole.pop()!;
      lines.push(...whole.map(Number));
      if (lines.length > 200) parent.kill("SIGKILL");
    }
    const [pid, ...acknowledged] = lines;
    await until(() => !runs(pid!));
    const store = await openStore({ databaseUrl: "", dataDir });
    const rows = (await store.sql`SELECT n FROM numbers ORDER BY n`).map((row) => row.n);
    await store.close();
    expect(rows.slice(0, acknowledged.length)).toEqual(acknowledged);
    // The one whose answer was not read may be there too.
    expect(rows.length - acknowledged.length).toBeLessThan(200);
    expect(rows).toEqual(rows.map((_, i) => i + 1));
  });
});
