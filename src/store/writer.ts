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

/** Rows that are written by one transaction: all of them or none. */
type Chunk = readonly Batch[];

/** Where rows go. */
export interface Destination {
  /** Undefined while there is no database yet. */
  readonly sql: Sql | undefined;
  /** Gives up connections that no longer answer. */
  renew?(): void;
}

export interface WriterOptions {
  /** Where chunks wait while the database is away. */
  readonly spoolFolder: string;
  /** Rows of one transaction. */
  readonly batchRows?: number;
  /** Rows that may wait in memory; more go to the spool. Four times as many while the disk is full. */
  readonly maxRows?: number;
  /** Pause after a failed write, ms. */
  readonly retryAfter?: number;
  /** How long the database may take for one chunk, ms. */
  readonly timeout?: number;
  /** Told when the database goes away, comes back, or something was lost to damage. */
  readonly onChange?: (text: string) => void;
}

/** What the database does not have yet. */
export interface Lag {
  /** Rows in memory, and chunks and bytes on disk. */
  readonly rows: number;
  readonly batches: number;
  readonly spoolBytes: number;
  /** Rows in memory and on disk together, as far as they were given in this process. */
  readonly waiting: number;
  /** For how long the database has not had everything, seconds. */
  readonly behind: number;
  /** The database does not take rows. */
  readonly away: boolean;
  /** The disk does not take them either. */
  readonly full: boolean;
  /** Rows that were given up because nothing took them; the journal has them. */
  readonly dropped: number;
}

/**
 * Writes rows into the database in the order in which they were given, exactly once, without ever making the giver
 * wait. `add` is all that trading calls. Rows gather in memory and leave in chunks, one transaction each; while the
 * database is slow or away they go to the spool, and nothing passes it. The same row given again (a chunk whose answer
 * was lost, a replay after a crash) is one row, by its key.
 */
export class StoreWriter {
  readonly #destination: Destination;
  readonly #spool: Spool<Chunk>;
  readonly #rejected: string;
  readonly #batchRows: number;
  readonly #maxRows: number;
  readonly #retryAfter: number;
  readonly #timeout: number;
  readonly #onChange: (text: string) => void;
  #rows: Row[] = [];
  #pumping: Promise<void> | undefined;
  #away = false;
  #full = false;
  #spooledAt = Number.NEGATIVE_INFINITY;
  #given = 0;
  /** When the database last had everything. */
  #completeAt = performance.now();
  #closed = false;
  #wake: (() => void) | undefined;
  /**
   * Rows that the database has acknowledged, those of them that it did not have before, those that went by way of the
   * spool, and those that were given up.
   */
  written = 0;
  added = 0;
  spooled = 0;
  dropped = 0;

  constructor(destination: Destination, options: WriterOptions) {
    this.#destination = destination;
    this.#spool = new Spool(options.spoolFolder);
    this.#rejected = join(options.spoolFolder, "rejected.jsonl");
    this.#batchRows = options.batchRows ?? 1000;
    this.#maxRows = options.maxRows ?? 20_000;
    this.#retryAfter = options.retryAfter ?? 1000;
    this.#timeout = options.timeout ?? 30_000;
    this.#onChange = options.onChange ?? (() => {});
    for (const damage of this.#spool.damage) this.#onChange(damage);
    if (this.#spool.waiting > 0) this.start();
  }

  /** The disk does not take what the database does not take. */
  get full(): boolean {
    return this.#full;
  }

  get lag(): Lag {
    return {
      rows: this.#rows.length,
      batches: this.#spool.waiting,
      spoolBytes: this.#spool.bytes,
      waiting: Math.max(0, this.#given - this.written),
      behind: this.#rows.length + this.#spool.waiting === 0 ? 0 : (performance.now() - this.#completeAt) / 1000,
      away: this.#away,
      full: this.#full,
      dropped: this.dropped,
    };
  }

  add(row: Row): void {
    if (this.#closed) throw new Error("the store writer is closed");
    if (this.#rows.length >= 4 * this.#maxRows && !this.spoolAll()) {
      if (this.dropped === 0) {
        this.#onChange(
          "rows are given up: neither database nor disk takes them; penstock data rebuild brings them back",
        );
      }
      this.dropped += 1;
      return;
    }
    if (this.#rows.length === 0 && this.#spool.waiting === 0) this.#completeAt = performance.now();
    this.#rows.push(row);
    this.#given += 1;
    if (this.#rows.length > this.#maxRows) this.spoolAll();
    this.start();
  }

  /**
   * Puts what is in memory on disk, where the death of the process does not reach it. A disk that was full is asked
   * again only after a while. @returns false when it does not take everything; the rest stays in memory.
   */
  spoolAll(): boolean {
    if (this.#full && performance.now() - this.#spooledAt < this.#retryAfter) return false;
    this.#spooledAt = performance.now();
    let done = 0;
    try {
      while (done < this.#rows.length) {
        const rows = this.#rows.slice(done, done + this.#batchRows);
        this.#spool.append(chunkOf(rows));
        done += rows.length;
        this.spooled += rows.length;
      }
    } catch (error) {
      if (!this.#full) this.#onChange(`the disk does not take rows: ${(error as Error).message}`);
      this.#full = true;
    }
    this.#rows = this.#rows.slice(done);
    if (this.#rows.length > 0) return false;
    if (this.#full) this.#onChange("the disk takes rows again");
    this.#full = false;
    return true;
  }

  /** Resolves when the database has everything that was given so far; not before it comes back. */
  async drained(): Promise<void> {
    while (this.#rows.length > 0 || this.#spool.waiting > 0 || this.#pumping !== undefined) {
      this.start();
      if (this.#pumping === undefined) await this.#pause();
      else await this.#pumping;
    }
  }

  /** Writes what is under way, spools the rest. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#pumping;
    this.#full = false;
    this.spoolAll();
    this.#spool.sync();
    this.#spool.close();
  }

  /** To be called when there is a database now. */
  start(): void {
    if (this.#destination.sql === undefined) return;
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  async #pump(): Promise<void> {
    // Rows of one turn of the loop become one chunk.
    await Promise.resolve();
    while (!this.#closed) {
      try {
        const spooled = this.#spool.peek();
        if (spooled !== undefined) {
          await this.#deliver(spooled);
          this.#spool.taken();
        } else if (this.#rows.length > 0) {
          const rows = this.#rows.slice(0, this.#batchRows);
          // Its rows stay where they are until the database has them.
          await this.#deliver(chunkOf(rows));
          // Meanwhile they may have been put on disk; there they are taken again, which changes nothing.
          if (this.#spool.waiting === 0) this.#rows.splice(0, rows.length);
        } else {
          return;
        }
        if (this.#full && this.#rows.length === 0) this.spoolAll();
        if (this.#away) {
          this.#away = false;
          this.#onChange("the database is back");
        }
      } catch (error) {
        if (!this.#away) {
          this.#away = true;
          this.#onChange(`the database does not take rows, they wait on disk: ${(error as Error).message}`);
        }
        this.spoolAll();
        if (!this.#closed) await this.#pause();
      }
    }
  }

  /** Has the database take a chunk; what it will never take is put aside, so that nothing behind it waits for ever. */
  async #deliver(chunk: Chunk): Promise<void> {
    try {
      await this.#write(chunk);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const count = chunk.reduce((sum, { values }) => sum + values.length, 0);
      if (count === 1) return this.#putAside(chunk[0]!, error);
      for (const part of halves(chunk)) await this.#deliver(part);
    }
  }

  #putAside(batch: Batch, error: Error): void {
    this.#onChange(`a row of ${batch.table} was refused (${error.message}); kept in ${this.#rejected}`);
    try {
      appendFileSync(this.#rejected, `${JSON.stringify({ error: error.message, ...batch })}\n`, { mode: 0o600 });
    } catch (failure) {
      this.#onChange(`and could not be kept: ${(failure as Error).message}`);
    }
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

  async #write(chunk: Chunk): Promise<void> {
    const { sql } = this.#destination;
    if (sql === undefined) throw new Error("there is no database yet");
    // All statements leave at once; the server answers them in order.
    const written: Promise<readonly Inserted[]> =
      chunk.length === 1
        ? insert(sql, chunk[0]!).then((inserted) => [inserted])
        : sql.begin((transaction) => chunk.map((batch) => insert(transaction, batch)));
    for (const { count } of await this.#inTime(written)) this.added += count;
    for (const { values } of chunk) this.written += values.length;
  }

  /** @throws Error when the database does not answer; whether it has the rows is then unknown, and does not matter. */
  async #inTime<T>(written: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer within ${this.#timeout} ms`));
        this.#destination.renew?.();
      }, this.#timeout);
    });
    try {
      return await Promise.race([written, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

type Queries = Pick<Sql, "unsafe">;

interface Inserted {
  /** Rows that were not there before. */
  readonly count: number;
}

function insert(sql: Queries, batch: Batch): Promise<Inserted> {
  const types = COLUMNS.get(batch.table)!;
  const names = batch.columns.map((column) => `"${column}"`).join(", ");
  const arrays = batch.columns.map((column, i) => `$${i + 1}::${transport(types.get(column)!)}[]`).join(", ");
  const casts = batch.columns.map((column, i) => `u.c${i}::${types.get(column)}`).join(", ");
  const aliases = batch.columns.map((_, i) => `c${i}`).join(", ");
  const columns = batch.columns.map((_, i) => batch.values.map((row) => sendable(row[i])));
  return sql.unsafe(
    `INSERT INTO ${batch.table} (${names}) SELECT ${casts} FROM unnest(${arrays}) AS u(${aliases}) ON CONFLICT DO NOTHING`,
    columns as never[],
  );
}

/** Errors that stay however often one asks: bad data, broken constraints, wrong SQL (classes 22, 23 and 42). */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && /^(22|23|42)/.test(String((error as { code?: unknown }).code ?? ""));
}

/** JSON and booleans travel as text: the client takes an array of them for a single one. */
function transport(type: string): string {
  return type === "jsonb" || type === "boolean" ? "text" : type;
}

function sendable(value: Value | undefined): string | number | null {
  return typeof value === "boolean" ? String(value) : (value ?? null);
}

/** Rows by table; the order within a table is kept. */
function chunkOf(rows: readonly Row[]): Chunk {
  const tables = new Map<string, { readonly columns: readonly string[]; readonly values: Value[][] }>();
  for (const { table, values } of rows) {
    let batch = tables.get(table);
    if (batch === undefined) {
      batch = { columns: [...COLUMNS.get(table)!.keys()], values: [] };
      tables.set(table, batch);
    }
    batch.values.push(batch.columns.map((column) => values[column] ?? null));
  }
  return [...tables].map(([table, { columns, values }]) => ({ table, columns, values }));
}

/** Two parts of a chunk of at least two rows. */
function halves(chunk: Chunk): readonly Chunk[] {
  const [first, ...others] = chunk;
  if (others.length > 0) return [[first!], others];
  const { values } = first!;
  const middle = values.length >> 1;
  return [[{ ...first!, values: values.slice(0, middle) }], [{ ...first!, values: values.slice(middle) }]];
}
