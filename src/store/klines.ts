import type { Sql, TransactionSql } from "postgres";

/** Closed bars of one symbol and timeframe as columns of equal length; times ms UTC, rising; prices in USDT. */
export interface KlineColumns {
  readonly symbol: string;
  /** ms */
  readonly timeframe: number;
  readonly openTime: ArrayLike<number>;
  readonly open: ArrayLike<number>;
  readonly high: ArrayLike<number>;
  readonly low: ArrayLike<number>;
  readonly close: ArrayLike<number>;
  readonly volume: ArrayLike<number>;
}

export interface Stored {
  /** Bars that were not there before, and bars that replaced a different version. */
  readonly added: number;
  readonly corrected: number;
}

/** Text of one piece that is handed to COPY, about. */
const PIECE = 1 << 16;

const COLUMNS = "symbol, timeframe, open_time, open, high, low, close, volume, seen_at";

/**
 * Stores bars. New ones are added; one that differs from what is there replaces it, and the version before it goes to
 * kline_revisions, so that what a past decision saw stays known. The same bars again change nothing.
 *
 * Bars that all lie after the last known one, the common case, are copied straight into the table.
 *
 * @param seenAt when they were seen, ms
 */
export async function storeKlines(sql: Sql, bars: KlineColumns, seenAt: number): Promise<Stored> {
  const count = bars.openTime.length;
  if (count === 0) return { added: 0, corrected: 0 };
  return sql.begin(async (transaction) => {
    // Two writers of one series take turns; others are not held up.
    await transaction`SELECT pg_advisory_xact_lock(hashtext(${`${bars.symbol}:${bars.timeframe}`}))`;
    const [last] = await transaction<{ open_time: number | null }[]>`
      SELECT max(open_time) AS open_time FROM klines WHERE symbol = ${bars.symbol} AND timeframe = ${bars.timeframe}`;
    const known = last?.open_time ?? null;
    if (known === null || known < bars.openTime[0]!) {
      await copy(transaction, "klines", bars, seenAt);
      return { added: count, corrected: 0 };
    }
    // Without statistics the planner takes both sides for a handful of rows and would compare each bar with each.
    await transaction`SET LOCAL enable_nestloop = off`;
    await transaction`
      CREATE TEMPORARY TABLE arriving (
        symbol text, timeframe integer, open_time bigint,
        open float8, high float8, low float8, close float8, volume float8, seen_at bigint
      ) ON COMMIT DROP`;
    await copy(transaction, "arriving", bars, seenAt);
    const revised = await transaction`
      INSERT INTO kline_revisions (symbol, timeframe, open_time, revision, open, high, low, close, volume, seen_at)
      SELECT k.symbol, k.timeframe, k.open_time, k.revision, k.open, k.high, k.low, k.close, k.volume, k.seen_at
      FROM klines k JOIN arriving a USING (symbol, timeframe, open_time)
      WHERE k.symbol = ${bars.symbol} AND k.timeframe = ${bars.timeframe}
        AND k.open_time BETWEEN ${bars.openTime[0]!} AND ${bars.openTime[count - 1]!}
        AND (k.open, k.high, k.low, k.close, k.volume) IS DISTINCT FROM (a.open, a.high, a.low, a.close, a.volume)
      ON CONFLICT DO NOTHING`;
    const written = await transaction.unsafe(`
      INSERT INTO klines AS k (${COLUMNS})
      SELECT ${COLUMNS} FROM arriving
      ON CONFLICT (symbol, timeframe, open_time) DO UPDATE
      SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
          volume = EXCLUDED.volume, seen_at = EXCLUDED.seen_at, revision = k.revision + 1
      WHERE (k.open, k.high, k.low, k.close, k.volume)
        IS DISTINCT FROM (EXCLUDED.open, EXCLUDED.high, EXCLUDED.low, EXCLUDED.close, EXCLUDED.volume)`);
    return { added: written.count - revised.count, corrected: revised.count };
  });
}

async function copy(sql: TransactionSql, table: string, bars: KlineColumns, seenAt: number): Promise<void> {
  const query = sql.unsafe(`COPY ${table} (${COLUMNS}) FROM STDIN`);
  // The client calls the query answered once the stream is there, and drops an error that comes after the stream's
  // end: its callback would never be called. The query's own way to fail is therefore watched.
  const watched = query as unknown as { reject: (error: Error) => void };
  const failed = new Promise<never>((_, reject) => {
    const before = watched.reject;
    watched.reject = (error) => {
      reject(error);
      before(error);
    };
  });
  failed.catch(() => {});
  const stream = await query.writable();
  // Reported by `failed`.
  stream.on("error", () => {});
  const head = `${bars.symbol}\t${bars.timeframe}\t`;
  const tail = `\t${seenAt}\n`;
  let text = "";
  const { openTime, open, high, low, close, volume } = bars;
  const write = (piece: string) =>
    stream.write(piece) ? undefined : Promise.race([failed, new Promise((resolve) => stream.once("drain", resolve))]);
  for (let i = 0; i < openTime.length; i++) {
    text += `${head}${openTime[i]}\t${open[i]}\t${high[i]}\t${low[i]}\t${close[i]}\t${volume[i]}${tail}`;
    if (text.length < PIECE) continue;
    await write(text);
    text = "";
  }
  await Promise.race([failed, new Promise<void>((resolve) => stream.end(text, () => resolve()))]);
}

/** The last `count` bars of a series that opened before `before`, oldest first. */
export async function readKlines(
  sql: Sql,
  symbol: string,
  timeframe: number,
  count: number,
  before = Number.MAX_SAFE_INTEGER,
): Promise<StoredKlines> {
  const rows = await sql.unsafe(
    `SELECT open_time, open, high, low, close, volume FROM klines
     WHERE symbol = $1 AND timeframe = $2 AND open_time < $3 ORDER BY open_time DESC LIMIT $4`,
    [symbol, timeframe, before, count],
  );
  rows.reverse();
  return columnsOf(rows, symbol, timeframe);
}

/** The first `count` bars of a series that open in [from, to], oldest first. */
export async function readKlineRange(
  sql: Sql,
  symbol: string,
  timeframe: number,
  from: number,
  to: number,
  count: number,
): Promise<StoredKlines> {
  const rows = await sql.unsafe(
    `SELECT open_time, open, high, low, close, volume FROM klines
     WHERE symbol = $1 AND timeframe = $2 AND open_time BETWEEN $3 AND $4 ORDER BY open_time LIMIT $5`,
    [symbol, timeframe, from, to, count],
  );
  return columnsOf(rows, symbol, timeframe);
}

type Column = "openTime" | "open" | "high" | "low" | "close" | "volume";
export type StoredKlines = KlineColumns & { readonly [name in Column]: Float64Array };

function columnsOf(
  rows: readonly Readonly<Record<string, unknown>>[],
  symbol: string,
  timeframe: number,
): StoredKlines {
  const column = (name: string) => Float64Array.from(rows, (row) => Number(row[name]));
  return {
    symbol,
    timeframe,
    openTime: column("open_time"),
    open: column("open"),
    high: column("high"),
    low: column("low"),
    close: column("close"),
    volume: column("volume"),
  };
}

export interface SeriesStatus {
  readonly symbol: string;
  readonly timeframe: number;
  readonly bars: number;
  /** Open times of the first and last bar, ms. */
  readonly first: number;
  readonly last: number;
  /** Number of places where bars are missing between first and last. */
  readonly gaps: number;
}

/** What there is of each series. */
export async function seriesStatus(sql: Sql): Promise<SeriesStatus[]> {
  const rows = await sql<SeriesStatus[]>`
    SELECT symbol, timeframe, count(*)::float8 AS bars, min(open_time) AS first, max(open_time) AS last,
           count(*) FILTER (WHERE open_time - before > timeframe)::float8 AS gaps
    FROM (SELECT symbol, timeframe, open_time,
                 lag(open_time) OVER (PARTITION BY symbol, timeframe ORDER BY open_time) AS before
          FROM klines) AS series
    GROUP BY symbol, timeframe ORDER BY symbol, timeframe`;
  return rows.map(({ symbol, timeframe, bars, first, last, gaps }) => ({ symbol, timeframe, bars, first, last, gaps }));
}

export interface Gap {
  readonly symbol: string;
  readonly timeframe: number;
  /** Open times of the first and last missing bar, ms, and how many are missing. */
  readonly from: number;
  readonly to: number;
  readonly missing: number;
}

/** Every place where bars are missing inside of a series. */
export async function findGaps(sql: Sql): Promise<Gap[]> {
  const rows = await sql<{ symbol: string; timeframe: number; before: number; open_time: number }[]>`
    SELECT symbol, timeframe, before, open_time
    FROM (SELECT symbol, timeframe, open_time,
                 lag(open_time) OVER (PARTITION BY symbol, timeframe ORDER BY open_time) AS before
          FROM klines) AS series
    WHERE open_time - before > timeframe ORDER BY symbol, timeframe, open_time`;
  return rows.map(({ symbol, timeframe, before, open_time }) => ({
    symbol,
    timeframe,
    from: before + timeframe,
    to: open_time - timeframe,
    missing: (open_time - before) / timeframe - 1,
  }));
}
