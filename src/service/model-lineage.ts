import type { Sql } from "postgres";
import type { ModelRegistry } from "../learning/registry.ts";

/**
 * Writes what the registry's files say of models and trials into the store, for whoever asks there: which model came
 * from which, what it was trained on, and what was tried. The files decide; rows that are there already only change
 * their state.
 */
export async function recordLineage(sql: Sql, registry: ModelRegistry): Promise<void> {
  for (const { manifest, state } of registry.list()) {
    await sql`
      INSERT INTO models (id, kind, state, parent, created_at, manifest)
      VALUES (${manifest.id}, ${`${manifest.strategy} ${manifest.kind}`}, ${state}, ${manifest.parent ?? null},
        ${manifest.createdAt}, ${JSON.stringify(manifest)}::text::jsonb)
      ON CONFLICT (id) DO UPDATE SET state = excluded.state`;
  }
  const known = new Set((await sql<{ id: string }[]>`SELECT id FROM trials`).map(({ id }) => id));
  for (const { chain, at, kind, variant, parameters, seed, dataHash, sharpe, periods } of registry.ledger.trials) {
    if (known.has(chain)) continue;
    await sql`
      INSERT INTO trials (id, at, kind, parameters, metrics)
      VALUES (${chain}, ${at}, ${kind}, ${JSON.stringify({ variant, seed, ...parameters })}::text::jsonb,
        ${JSON.stringify({ dataHash, sharpe, periods })}::text::jsonb)
      ON CONFLICT (id) DO NOTHING`;
  }
}
