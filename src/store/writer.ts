import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Sql } from "postgres";
import { COLUMNS, type Row, type Value } from "./rows.ts";
import { Spool } from "./spool.ts";

/** Rows of one table, as columns in the schema's order. */
interface Batch {
  readonly table: string;
  readonly columns: readonly string[];
  readonly values: readonly (readonly Value[])[];
}

export interface WriterOptions {
  /** Where batches wait while the database is away. */
  readonly spoolFolder: string;
  /** Rows of one statement. */
  readonly batchRows?: number;
  /** Rows that may wait in memory; more go to the spool. */
  readonly maxRows?: number;
  /** Pause after a failed write, ms. */
  readonly retryAfter?: number;
  /** Told when the database goes away, comes back, or something was lost to damage. */
  readonly onChange?: (text: string) => void;
}

/**
 * Writes rows into the database in the order in which they were given, exactly once, without ever making the giver
 * wait. `add` is all that trading calls. Rows gather in memory and leave in batches; while the database is slow or
 * away they go to the spool, and nothing passes it. The same row given again (a batch whose answer was lost, a replay
 * after a crash) is one row, by its key.
 */
export class StoreWriter {
  readonly #sql: Sql;
  readonly #spool: Spool<Batch>;
  readonly #rejected: string;
  readonly #batchRows: number;
  readonly #maxRows: number;
  readonly #retryAfter: number;
  readonly #onChange: (text: string) => void;
  #rows: Row[] = [];
  #pumping: Promise<void> | undefined;
  #away = false;
  #closed = false;
  #wake: (() => void) | undefined;
  /** Rows that the database has acknowledged, and that went by way of the spool. */
  written = 0;
  spooled = 0;

  constructor(sql: Sql, options: WriterOptions) {
    this.#sql = sql;
    this.#spool = new Spool(options.spoolFolder);
    this.#rejected = join(options.spoolFolder, "rejected.jsonl");
    this.#batchRows = options.batchRows ?? 1000;
    this.#maxRows = options.maxRows ?? 20_000;
    this.#retryAfter = options.retryAfter ?? 1000;
    this.#onChange = options.onChange ?? (() => {});
    for (const damage of this.#spool.damage) this.#onChange(damage);
    if (this.#spool.waiting > 0) this.#start();
  }

  /** Rows in memory and batches on disk that the database does not have yet. */
  get lag(): { readonly rows: number; readonly batches: number; readonly away: boolean } {
    return { rows: this.#rows.length, batches: this.#spool.waiting, away: this.#away };
  }

  /** @throws the system's error when memory is full and the disk does not take more: the caller stops entries. */
  add(row: Row): void {
    if (this.#closed) throw new Error("the store writer is closed");
    this.#rows.push(row);
    if (this.#rows.length > this.#maxRows) this.spoolAll();
    this.#start();
  }

  /** Puts what is in memory on disk, where the death of the process does not reach it. */
  spoolAll(): void {
    const rows = this.#rows;
    let done = 0;
    try {
      for (const batch of batchesOf(rows, this.#batchRows)) {
        this.#spool.append(batch);
        done += batch.values.length;
        this.spooled += batch.values.length;
      }
    } finally {
      this.#rows = rows.slice(done);
    }
  }

  /** Resolves when the database has everything that was given so far; not before it comes back. */
  async drained(): Promise<void> {
    while (this.#rows.length > 0 || this.#spool.waiting > 0 || this.#pumping !== undefined) {
      this.#start();
      await this.#pumping;
    }
  }

  /** Writes what it can, spools the rest. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#pumping;
    this.spoolAll();
    this.#spool.sync();
    this.#spool.close();
  }

  #start(): void {
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  async #pump(): Promise<void> {
    // Rows of one turn of the loop become one batch.
    await Promise.resolve();
    for (;;) {
      try {
        const spooled = this.#spool.peek();
        if (spooled !== undefined) {
          await this.#write(spooled);
          this.#spool.taken();
        } else if (this.#rows.length > 0) {
          const [batch] = batchesOf(this.#rows, this.#batchRows);
          // Its rows stay where they are until the database has them.
          await this.#write(batch!);
          // Meanwhile they may have been put on disk; there they are taken again, which changes nothing.
          if (this.#spool.waiting === 0) this.#rows.splice(0, batch!.values.length);
        } else {
          return;
        }
        if (this.#away) {
          this.#away = false;
          this.#onChange("the database is back");
        }
      } catch (error) {
        if (isRefusal(error)) {
          this.#reject(error);
          continue;
        }
        if (!this.#away) {
          this.#away = true;
          this.#onChange(`the database does not take rows, they wait on disk: ${(error as Error).message}`);
        }
        this.spoolAll();
        if (this.#closed) return;
        await this.#pause();
        if (this.#closed) return;
      }
    }
  }

  /** The database will never take this batch: it is put aside, so that nothing behind it waits for ever. */
  #reject(error: Error): void {
    const spooled = this.#spool.peek();
    const batch = spooled ?? batchesOf(this.#rows, this.#batchRows).next().value;
    if (batch === undefined) throw error;
    appendFileSync(this.#rejected, `${JSON.stringify({ error: error.message, ...batch })}\n`, { mode: 0o600 });
    if (spooled !== undefined) this.#spool.taken();
    else this.#rows.splice(0, batch.values.length);
    this.#onChange(
      `${batch.values.length} rows of ${batch.table} were refused (${error.message}); kept in ${this.#rejected}`,
    );
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#retryAfter);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #write(batch: Batch): Promise<void> {
    const types = COLUMNS.get(batch.table)!;
    const names = batch.columns.map((column) => `"${column}"`).join(", ");
    const arrays = batch.columns.map((column, i) => `$${i + 1}::${transport(types.get(column)!)}[]`).join(", ");
    const casts = batch.columns.map((column, i) => `u.c${i}::${types.get(column)}`).join(", ");
    const aliases = batch.columns.map((_, i) => `c${i}`).join(", ");
    const columns = batch.columns.map((_, i) => batch.values.map((row) => row[i] ?? null));
    await this.#sql.unsafe(
      `INSERT INTO ${batch.table} (${names}) SELECT ${casts} FROM unnest(${arrays}) AS u(${aliases}) ON CONFLICT DO NOTHING`,
      columns as never[],
    );
    this.written += batch.values.length;
  }
}

/** Errors that stay however often one asks: bad data, broken constraints, wrong SQL (classes 22, 23 and 42). */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && /^(22|23|42)/.test(String((error as { code?: unknown }).code ?? ""));
}

/** JSON travels as text: an array of JSON values would be taken for one JSON value. */
function transport(type: string): string {
  return type === "jsonb" ? "text" : type;
}

/** Neighbouring rows of one table become a batch: the order among tables is kept. */
function* batchesOf(rows: readonly Row[], most: number): Generator<Batch> {
  let start = 0;
  for (let end = 1; end <= rows.length; end++) {
    const { table } = rows[start]!;
    if (end < rows.length && rows[end]!.table === table && end - start < most) continue;
    const columns = [...COLUMNS.get(table)!.keys()];
    yield {
      table,
      columns,
      values: rows.slice(start, end).map(({ values }) => columns.map((column) => values[column] ?? null)),
    };
    start = end;
  }
}
