import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { KINDS } from "../store/database.ts";
import { csvOf, MAIN, penstock, temporaryFolder } from "./penstock.ts";

const ROWS = 3000;

/** Four symbols of which the first lacks 7 bars. */
function writeBars(): string {
  const dir = temporaryFolder();
  let first = true;
  for (const [symbol, text] of csvOf(ROWS, { seed: 3, symbols: 4 })) {
    const lines = text.split("\n");
    if (first) lines.splice(100, 7);
    first = false;
    writeFileSync(join(dir, `made-${symbol}-1m.csv`), lines.join("\n"));
  }
  return dir;
}

/** Resolves when an import has begun: its embedded database answers, or its server has bars. */
async function underWay({ databaseUrl, dataDir }: { readonly databaseUrl: string; readonly dataDir: string }) {
  if (databaseUrl === "") {
    while (!existsSync(join(dataDir, "store", "store.sock"))) await Bun.sleep(5);
    return;
  }
  const sql = postgres(databaseUrl, { max: 1, onnotice() {} });
  try {
    for (;;) {
      // Before the first migration there is no table yet.
      const [found] = await sql`SELECT to_regclass('klines') IS NOT NULL AS there`;
      if (found?.there && (await sql`SELECT FROM klines LIMIT 1`).length > 0) return;
      await Bun.sleep(5);
    }
  } finally {
    await sql.end();
  }
}

describe.each(KINDS)("penstock data on $name", (kind) => {
  describe.skipIf(kind.absent)("when the server is there", () => {
    test.each(["SIGKILL", "SIGINT"] as const)(
      "imports a folder, again without a change, also after %s in the middle",
      async (signal) => {
        const database = await kind.create();
        const folder = temporaryFolder();
        const environment = { DATABASE_URL: database.options.databaseUrl, DATA_DIR: database.options.dataDir };
        const bars = writeBars();
        try {
          const killed = Bun.spawn([process.execPath, MAIN, "data", "import", bars], {
            env: { PATH: process.env.PATH ?? "", ...environment },
            stdio: ["ignore", "ignore", "ignore"],
          });
          await underWay(database.options);
          killed.kill(signal);
          await killed.exited;

          // The embedded database of the killed one may need a moment to end with it.
          let first = await penstock(folder, ["data", "import", bars, "--json"], environment);
          if (first.err.includes("in use"))
            first = await penstock(folder, ["data", "import", bars, "--json"], environment);
          expect(first.err).toBe("");
          expect(JSON.parse(first.out)).toMatchObject({ files: 4, bars: 4 * ROWS - 7, corrected: 0 });
          const again = await penstock(folder, ["data", "import", bars, "--json"], environment);
          expect(JSON.parse(again.out)).toMatchObject({ bars: 4 * ROWS - 7, added: 0, corrected: 0 });

          const status = JSON.parse((await penstock(folder, ["data", "status", "--json"], environment)).out);
          expect(status.map((each: { bars: number; gaps: number }) => [each.bars, each.gaps])).toEqual([
            [ROWS - 7, 1],
            [ROWS, 0],
            [ROWS, 0],
            [ROWS, 0],
          ]);
          expect(status[0].timeframe).toBe("1m");
          const gaps = JSON.parse((await penstock(folder, ["data", "gaps", "--json"], environment)).out);
          expect(gaps).toMatchObject([{ symbol: status[0].symbol, timeframe: "1m", missing: 7 }]);
        } finally {
          await database.remove();
        }
      },
    );
  });
});

test("a server that cannot be reached is named without its password", async () => {
  const { code, out, err } = await penstock(temporaryFolder(), ["data", "status"], {
    DATABASE_URL: "postgres://me:s%40f%2Fe%23%3F@127.0.0.1:1/db",
  });
  expect([code, out]).toEqual([1, ""]);
  expect(err).toContain("127.0.0.1:1");
  expect(err).not.toMatch(/s%40f|s@f/);
});
