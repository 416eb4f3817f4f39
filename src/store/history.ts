import type { Sql } from "postgres";
import { BinaryRows } from "./copy-out.ts";
import type { StoredKlines } from "./klines.ts";
import { featureColumn } from "./rows.ts";
import { FEATURES } from "./schema.ts";

/** Which rows; times are ms, `from` inclusive, `to` exclusive. */
export interface HistoryRange {
  readonly from?: number;
  readonly to?: number;
}

/** Feature rows in the order of their labels' times, as columns. */
export interface FeatureHistory {
  readonly rows: number;
  /** `rows` times FEATURES numbers, row by row; NaN where a feature was missing. */
  readonly features: Float32Array;
  /** Result of the virtual position as a multiple of its risk. */
  readonly label: Float32Array;
  /** When the signal came, and when its label was known; ms. */
  readonly time: Float64Array;
  readonly labelTime: Float64Array;
  /** The run and the virtual position that a row is of. */
  readonly run: Float64Array;
  readonly position: Float64Array;
}

/** Bytes of a feature row with all its fields: a count, and the length of each beside it. */
const ROW_BYTES = 2 + 4 * (8 + 4) + (1 + FEATURES) * (4 + 4);
/** A feature that is missing has no bytes, only a length. */
const LEAST_ROW_BYTES = ROW_BYTES - FEATURES * 4;

/**
 * All labelled feature rows whose label was known within a range: what was known at `to` is what was learned by then.
 * Copied in binary and put in order here: the server would have to move the wide rows about for it.
 */
export async function readFeatureRows(sql: Sql, range: HistoryRange = {}): Promise<FeatureHistory> {
  const columns = Array.from({ length: FEATURES }, (_, place) => featureColumn(place));
  const rows = await BinaryRows.of(
    sql,
    `SELECT run, position, time, label_time, label, ${columns.join(", ")} FROM feature_rows
     WHERE label_time IS NOT NULL AND ${within("label_time", range)}`,
  );
  const most = Math.ceil(rows.bytes / LEAST_ROW_BYTES);
  const run = new Float64Array(most);
  const position = new Float64Array(most);
  const time = new Float64Array(most);
  const labelTime = new Float64Array(most);
  const label = new Float32Array(most);
  const features = new Float32Array(most * FEATURES);
  let count = 0;
  let at = 0;
  let ordered = true;
  const later = (a: number, b: number) =>
    labelTime[a]! - labelTime[b]! || run[a]! - run[b]! || position[a]! - position[b]!;
  for (; rows.next(); count++) {
    run[count] = rows.integer();
    position[count] = rows.integer();
    time[count] = rows.integer();
    labelTime[count] = rows.integer();
    label[count] = rows.float32();
    for (let place = 0; place < FEATURES; place++) features[at++] = rows.float32();
    if (count > 0 && later(count - 1, count) > 0) ordered = false;
  }
  const history = {
    rows: count,
    features: features.subarray(0, at),
    label: label.subarray(0, count),
    time: time.subarray(0, count),
    labelTime: labelTime.subarray(0, count),
    run: run.subarray(0, count),
    position: position.subarray(0, count),
  };
  return ordered ? history : inOrder(history, Uint32Array.from({ length: count }, (_, row) => row).sort(later));
}

function inOrder(history: FeatureHistory, order: Uint32Array): FeatureHistory {
  const { features } = history;
  const moved = new Float32Array(features.length);
  for (let row = 0; row < order.length; row++) {
    const from = order[row]! * FEATURES;
    moved.set(features.subarray(from, from + FEATURES), row * FEATURES);
  }
  const take64 = (column: Float64Array) => Float64Array.from(order, (row) => column[row]!);
  return {
    rows: history.rows,
    features: moved,
    label: Float32Array.from(order, (row) => history.label[row]!),
    time: take64(history.time),
    labelTime: take64(history.labelTime),
    run: take64(history.run),
    position: take64(history.position),
  };
}

/** A closed position of a run, with the steps of its path. */
export interface PastPosition {
  readonly run: number;
  readonly position: number;
  readonly virtual: boolean;
  readonly symbol: string;
  readonly direction: number;
  readonly setup: string;
  readonly confidence: number;
  readonly entryTime: number;
  readonly exitTime: number;
  readonly entryPrice: number;
  readonly exitPrice: number;
  readonly reason: string;
  /** As a multiple of what was risked by plan. */
  readonly result: number;
  readonly path: readonly PathStep[];
}

export interface PathStep {
  readonly time: number;
  readonly kind: string;
  /** Ticks. */
  readonly price: number;
}

/** Closed positions that ended within a range, by their end, each with its path. */
export async function readPositions(sql: Sql, virtual: boolean, range: HistoryRange = {}): Promise<PastPosition[]> {
  const where = `${virtual ? "" : "NOT "}p.virtual AND ${within("p.exit_time", range)}`;
  const rows = await BinaryRows.of(
    sql,
    `SELECT p.run, p.position, p.symbol, p.direction, p.setup, p.confidence, p.entry_time, p.exit_time,
            p.entry_price, p.exit_price, p.reason, p.result
     FROM positions AS p WHERE ${where} ORDER BY p.exit_time, p.run, p.seq`,
  );
  const positions: (PastPosition & { path: PathStep[] })[] = [];
  const byKey = new Map<string, PathStep[]>();
  while (rows.next()) {
    const path: PathStep[] = [];
    const [run, position] = [rows.integer(), rows.integer()];
    byKey.set(`${run}:${position}`, path);
    positions.push({
      run,
      position,
      virtual,
      symbol: rows.text(),
      direction: rows.small(),
      setup: rows.text(),
      confidence: rows.float64(),
      entryTime: rows.integer(),
      exitTime: rows.integer(),
      entryPrice: rows.float64(),
      exitPrice: rows.float64(),
      reason: rows.text(),
      result: rows.float64(),
      path,
    });
  }
  const steps = await BinaryRows.of(
    sql,
    `SELECT e.run, e.position, e.time, e.kind, e.price FROM position_events AS e
     JOIN positions AS p USING (run, virtual, position) WHERE ${where} ORDER BY e.run, e.seq`,
  );
  while (steps.next()) {
    const path = byKey.get(`${steps.integer()}:${steps.integer()}`);
    const step = { time: steps.integer(), kind: steps.text(), price: steps.integer() };
    path?.push(step);
  }
  return positions;
}

/**
 * The bars of many symbols since a time, by symbol: what a start fills its panel with. One query for all of them.
 * @returns columns by symbol name; a symbol without bars is absent
 */
export async function readSeries(
  sql: Sql,
  timeframe: number,
  from: number,
  symbols?: readonly string[],
): Promise<Map<string, StoredKlines>> {
  const only = symbols === undefined ? "" : `AND symbol IN (${symbols.map((name) => quoted(name)).join(", ")})`;
  const where = `timeframe = ${whole(timeframe)} AND open_time >= ${whole(from)} ${only}`;
  const counts = await sql.unsafe<{ symbol: string; count: number }[]>(
    `SELECT symbol, count(*)::float8 AS count FROM klines WHERE ${where} GROUP BY symbol`,
  );
  const series = new Map<string, { columns: StoredKlines; filled: number }>();
  for (const { symbol, count } of counts) {
    const column = () => new Float64Array(count);
    series.set(symbol, {
      columns: {
        symbol,
        timeframe,
        openTime: column(),
        open: column(),
        high: column(),
        low: column(),
        close: column(),
        volume: column(),
      },
      filled: 0,
    });
  }
  const rows = await BinaryRows.of(
    sql,
    `SELECT symbol, open_time, open, high, low, close, volume FROM klines WHERE ${where} ORDER BY symbol, open_time`,
  );
  while (rows.next()) {
    const one = series.get(rows.text());
    const row = one?.filled ?? 0;
    const [openTime, open, high] = [rows.integer(), rows.float64(), rows.float64()];
    const [low, close, volume] = [rows.float64(), rows.float64(), rows.float64()];
    // What has come since it was counted is fetched with the next bars.
    if (one === undefined || row >= one.columns.openTime.length) continue;
    const { columns } = one;
    columns.openTime[row] = openTime;
    columns.open[row] = open;
    columns.high[row] = high;
    columns.low[row] = low;
    columns.close[row] = close;
    columns.volume[row] = volume;
    one.filled += 1;
  }
  return new Map([...series].map(([symbol, { columns }]) => [symbol, columns]));
}

/** Open time of the last stored bar by symbol: only what comes after it has to be fetched. */
export async function lastBars(sql: Sql, timeframe: number): Promise<Map<string, number>> {
  const rows = await sql<{ symbol: string; last: number }[]>`
    SELECT symbol, max(open_time) AS last FROM klines WHERE timeframe = ${timeframe} GROUP BY symbol`;
  return new Map(rows.map(({ symbol, last }) => [symbol, last]));
}

function within(column: string, { from, to }: HistoryRange): string {
  const bounds = [
    ...(from === undefined ? [] : [`${column} >= ${whole(from)}`]),
    ...(to === undefined ? [] : [`${column} < ${whole(to)}`]),
  ];
  return bounds.length === 0 ? "true" : bounds.join(" AND ");
}

/** COPY takes no parameters, so numbers are written out. */
function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no time in milliseconds`);
  return String(value);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
