import postgres, { type Options, type Sql } from "postgres";
import { InputError } from "../input-error.ts";
import { type EmbeddedServer, startEmbedded } from "./embedded/embedded-server.ts";
import { migrate } from "./migrations.ts";

/** Which features the server has: `timescale` compresses by itself, `apache` has hypertables, `plain` has tables. */
export type Edition = "timescale" | "apache" | "plain" | "embedded";

/** An open database with this build's schema. */
export interface Store {
  readonly sql: Sql;
  readonly edition: Edition;
  /** Schema steps that were applied when it was opened. */
  readonly applied: readonly string[];
  readonly embedded: EmbeddedServer | undefined;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** `postgres://…` selects a server; empty: the embedded one under `dataDir`. */
  readonly databaseUrl: string;
  readonly dataDir: string;
  /** Connections to a server; the embedded one has a single session. */
  readonly maxConnections?: number;
}

const CONNECT_TIMEOUT_S = 10;

/** How a client is set up in any case: bigint columns are numbers (all are within 2^53), notices are not printed. */
const COMMON = {
  connect_timeout: CONNECT_TIMEOUT_S,
  onnotice: () => {},
  types: {
    bigint: {
      to: 20,
      from: [20],
      serialize: (value: number | bigint) => String(value),
      parse: (text: string) => Number(text),
    },
  },
} satisfies Options<Record<string, never>> | object;

/**
 * Opens the database: the server of DATABASE_URL, or the embedded one.
 * @throws InputError for a URL that is none, a server that cannot be reached, or a schema from a newer build; the
 * message never contains the password.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  if (options.databaseUrl === "") {
    const embedded = await startEmbedded(options.dataDir);
    const sql = postgres({ ...COMMON, path: embedded.socket, username: "postgres", database: "postgres", max: 1 });
    try {
      const { applied } = await migrate(sql);
      return {
        sql,
        edition: "embedded",
        applied,
        embedded,
        async close() {
          await sql.end({ timeout: 5 });
          await embedded.stop();
        },
      };
    } catch (error) {
      await sql.end({ timeout: 1 });
      await embedded.stop();
      throw error;
    }
  }
  const url = checkUrl(options.databaseUrl);
  const sql = postgres(options.databaseUrl, { ...COMMON, max: options.maxConnections ?? 4 });
  try {
    const { applied } = await migrate(sql);
    return { sql, edition: await editionOf(sql), applied, embedded: undefined, close: () => sql.end({ timeout: 5 }) };
  } catch (error) {
    await sql.end({ timeout: 1 });
    if (error instanceof InputError) throw error;
    throw new InputError(`DATABASE_URL: cannot open ${url}: ${(error as Error).message}`);
  }
}

/** The address for messages, without its password. @throws InputError (exit 2) for something that is no address. */
function checkUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InputError("DATABASE_URL is not an address; write postgres://user:password@host:5432/database", 2);
  }
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    throw new InputError(`DATABASE_URL starts with ${url.protocol}//; write postgres://user:password@host/database`, 2);
  }
  if (url.password !== "") url.password = "***";
  // Options may hold secrets too.
  url.search = "";
  return url.toString();
}

async function editionOf(sql: Sql): Promise<Edition> {
  const [row] = await sql<{ license: string | null }[]>`SELECT current_setting('timescaledb.license', true) AS license`;
  if (row?.license === "timescale") return "timescale";
  return row?.license === "apache" ? "apache" : "plain";
}
