import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { openStore, type Store, type StoreOptions } from "../../src/store/store.ts";

const root = mkdtempSync(join(tmpdir(), "penstock-store-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

/** A folder that is gone when the tests are over. */
export function temporaryFolder(): string {
  return mkdtempSync(join(root, "f"));
}

/** A kind of database that the tests of the store run on. */
export interface Kind {
  readonly name: string;
  /** Without the server that `.ci/run` starts, its tests are skipped. */
  readonly absent: boolean;
  /** An empty database of its own, so that test files do not meet. */
  create(): Promise<TestDatabase>;
}

export interface TestDatabase {
  readonly options: StoreOptions;
  open(): Promise<Store>;
  remove(): Promise<void>;
}

const server = process.env.PENSTOCK_TEST_DATABASE;
if (server === undefined) {
  process.stderr.write("PENSTOCK_TEST_DATABASE is not set: the tests of the store on TimescaleDB are skipped\n");
}

let created = 0;

export const KINDS: readonly Kind[] = [
  {
    name: "the embedded database",
    absent: false,
    create: async () => {
      const options = { databaseUrl: "", dataDir: temporaryFolder() };
      return { options, open: () => openStore(options), remove: async () => {} };
    },
  },
  {
    name: "TimescaleDB",
    absent: server === undefined,
    create: async () => {
      const name = `penstock_test_${process.pid}_${created++}`;
      await administer(`CREATE DATABASE ${name}`);
      const url = new URL(server!);
      url.pathname = name;
      const options = { databaseUrl: url.toString(), dataDir: temporaryFolder() };
      return {
        options,
        open: () => openStore(options),
        remove: () => administer(`DROP DATABASE ${name} WITH (FORCE)`),
      };
    },
  },
];

/** Runs one statement on the test server as its owner. */
export async function administer(statement: string): Promise<void> {
  const sql = postgres(server!, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
