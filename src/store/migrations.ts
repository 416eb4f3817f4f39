import { createHash } from "node:crypto";
import type { Sql } from "postgres";
import init from "../../migrations/0000_init.sql" with { type: "text" };
import timescale from "../../migrations/0001_timescale.sql" with { type: "text" };
import recording from "../../migrations/0002_recording.sql" with { type: "text" };
import journal from "../../migrations/meta/_journal.json" with { type: "json" };
import { InputError } from "../input-error.ts";

/** The steps of the schema by the name that drizzle-kit gave them; imported so that the compiled program has them. */
const TEXTS: Readonly<Record<string, string>> = {
  "0000_init": init,
  "0001_timescale": timescale,
  "0002_recording": recording,
};

interface Migration {
  readonly name: string;
  readonly hash: string;
  readonly when: number;
  readonly statements: readonly string[];
}

export const MIGRATIONS: readonly Migration[] = journal.entries.map(({ tag, when }) => {
  const text = TEXTS[tag];
  if (text === undefined) throw new Error(`migrations/${tag}.sql is not imported by src/store/migrations.ts`);
  const hash = createHash("sha256").update(text).digest("hex");
  return { name: tag, hash, when, statements: text.split("--> statement-breakpoint") };
});

/** Any number will do, as long as all Penstocks use the same. */
const LOCK = 0x50454e53;

/**
 * Brings the database to this build's schema. Repeatable; two services that start at once take turns, because the steps
 * run in one transaction under a lock. The table is drizzle's own, so that drizzle-kit understands it.
 *
 * @throws InputError when the database has steps that this build does not know: a newer build wrote it.
 */
export async function migrate(sql: Sql): Promise<{ readonly applied: readonly string[] }> {
  return sql.begin(async (transaction) => {
    await transaction`SELECT pg_advisory_xact_lock(${LOCK})`;
    await transaction`CREATE SCHEMA IF NOT EXISTS drizzle`;
    await transaction`
      CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`;
    const done = await transaction<{ hash: string; created_at: string }[]>`
      SELECT hash, created_at FROM drizzle.__drizzle_migrations ORDER BY created_at`;
    for (const [index, { hash, created_at }] of done.entries()) {
      const known = MIGRATIONS[index];
      if (known !== undefined && known.when === Number(created_at) && known.hash === hash) continue;
      throw new InputError(
        known === undefined
          ? `the database was written by a newer Penstock: it has ${done.length} schema steps, this build knows ${MIGRATIONS.length}`
          : `the database's schema step ${index + 1} is not this build's ${known.name}: it belongs to another Penstock`,
      );
    }
    const pending = MIGRATIONS.slice(done.length);
    for (const { hash, when, statements } of pending) {
      for (const statement of statements) await transaction.unsafe(statement);
      await transaction`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES (${hash}, ${when})`;
    }
    return { applied: pending.map(({ name }) => name) };
  });
}
