import postgres, { type Options, type Sql } from "postgres";
import { InputError } from "../input-error.ts";
import { EmbeddedAttachment } from "./embedded/attachment.ts";
import type { EmbeddedServer } from "./embedded/embedded-server.ts";
import { migrate } from "./migrations.ts";

/** Which features the server has: `timescale` compresses by itself, `apache` has hypertables, `plain` has tables. */
export type Edition = "timescale" | "apache" | "plain" | "embedded";

/** An open database with this build's schema. */
export interface Store {
  /** The present client; another one after `renew`. */
  readonly sql: Sql;
  readonly edition: Edition;
  /** Schema steps that were applied when it was opened. */
  readonly applied: readonly string[];
  /** The child of ours that the embedded database runs in; undefined where it is another's. */
  readonly embedded: EmbeddedServer | undefined;
  /** Gives up connections that no longer answer; what was under way on them fails. */
  renew(): void;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** `postgres://…` selects a server; empty: the embedded one under `dataDir`. */
  readonly databaseUrl: string;
  readonly dataDir: string;
  /** Connections to a server; the embedded one has a single session. */
  readonly maxConnections?: number;
  /** Ends an opening that is under way. */
  readonly signal?: AbortSignal;
  /** How long a server may take to answer a connection, ms. */
  readonly connectTimeout?: number;
  /** How long a server may work on one statement, ms; for ever when absent. Not on the embedded one. */
  readonly statementTimeout?: number;
}

const CONNECT_TIMEOUT = 10_000;

/** How a client is set up in any case: bigint columns are numbers (all are within 2^53), notices are not printed. */
const COMMON = {
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
  const connect_timeout = (options.connectTimeout ?? CONNECT_TIMEOUT) / 1000;
  if (options.databaseUrl === "") {
    const attachment = await EmbeddedAttachment.open(options.dataDir, options.signal);
    const { socket: path } = attachment;
    const client = () =>
      postgres({ ...COMMON, connect_timeout, path, username: "postgres", database: "postgres", max: 1 });
    return opened(client, attachment, async () => "embedded", options.signal);
  }
  const url = checkUrl(options.databaseUrl);
  const { statementTimeout } = options;
  const client = () =>
    postgres(options.databaseUrl, {
      ...COMMON,
      connect_timeout,
      max: options.maxConnections ?? 4,
      connection: statementTimeout === undefined ? {} : { statement_timeout: statementTimeout },
    });
  try {
    return await opened(client, undefined, editionOf, options.signal);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`DATABASE_URL: cannot open ${url}: ${(error as Error).message}`);
  }
}

async function opened(
  client: () => Sql,
  attachment: EmbeddedAttachment | undefined,
  edition: (sql: Sql) => Promise<Edition>,
  signal: AbortSignal | undefined,
): Promise<Store> {
  let sql = client();
  const abort = () => void sql.end({ timeout: 0 });
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    const { applied } = await migrate(sql);
    signal?.removeEventListener("abort", abort);
    return {
      get sql() {
        return sql;
      },
      edition: await edition(sql),
      applied,
      get embedded() {
        return attachment?.server;
      },
      renew() {
        const silent = sql;
        sql = client();
        void silent.end({ timeout: 0 });
      },
      async close() {
        await sql.end({ timeout: 5 });
        await attachment?.stop();
      },
    };
  } catch (error) {
    await sql.end({ timeout: 1 });
    await attachment?.stop();
    throw error;
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
