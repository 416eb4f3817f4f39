import type { Store } from "./store.ts";

/** What may be dropped when it is old, by table with its time; all else is kept for ever. */
const PASSING = [
  ["klines", "open_time"],
  ["kline_revisions", "open_time"],
  ["signals", "time"],
  ["refusals", "time"],
  ["order_answers", "time"],
  ["position_events", "time"],
  ["equity", "time"],
  ["incidents", "time"],
] as const;

/** Rows that are deleted by one statement, so that writers are never held up for long. */
const PIECE = 20_000;

/**
 * Drops what is older than `before` (ms). Hypertables lose whole chunks, which is a matter of milliseconds and leaves
 * what shares a chunk with younger rows; other tables lose rows. All editions of TimescaleDB can do this, so that none
 * needs a policy of its own.
 * @returns chunks and rows that were dropped
 */
export async function dropOld({ sql, edition }: Store, before: number): Promise<{ chunks: number; rows: number }> {
  const hypertables = new Set<string>();
  if (edition === "timescale" || edition === "apache") {
    const names = await sql<{ name: string }[]>`
      SELECT hypertable_name AS name FROM timescaledb_information.hypertables WHERE hypertable_schema = 'public'`;
    for (const { name } of names) hypertables.add(name);
  }
  let chunks = 0;
  let rows = 0;
  for (const [table, time] of PASSING) {
    if (hypertables.has(table)) {
      chunks += (await sql.unsafe(`SELECT drop_chunks('${table}', older_than => $1::bigint)`, [before])).length;
      continue;
    }
    for (;;) {
      const { count } = await sql.unsafe(
        `DELETE FROM ${table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${table} WHERE "${time}" < $1 LIMIT ${PIECE}))`,
        [before],
      );
      rows += count;
      if (count < PIECE) break;
    }
  }
  return { chunks, rows };
}
