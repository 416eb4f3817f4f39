import { hostname } from "node:os";
import type { Sql } from "postgres";
import type { Settings } from "../config/settings.ts";
import type { Effect } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import type { State } from "../core/state.ts";
import type { JournalEnd } from "../journal/format.ts";
import type { JournalWriter } from "../journal/writer.ts";
import { LeaseKeeper } from "../store/lease-keeper.ts";
import { RunRecorder } from "../store/recorder.ts";
import { dropOld } from "../store/retention.ts";
import { drainLeft, type RunSpool, spoolRoot, takeSpool } from "../store/run-spool.ts";
import { type Edition, openStore, type Store, type StoreOptions } from "../store/store.ts";
import { type Destination, type Lag, StoreWriter } from "../store/writer.ts";

type Notice = (level: "info" | "warning" | "alarm", text: string) => void;

/** How far the store is behind the run; for the live view and for metrics. */
export interface RecordingStatus extends Lag {
  /** What the database is, or undefined while there is none. */
  readonly edition: Edition | undefined;
  /** Rows that the database has acknowledged, and that went by way of the disk. */
  readonly written: number;
  readonly spooled: number;
  /** Epoch of the lease that we trade under; 0 without one. */
  readonly epoch: number;
}

/** How long the embedded database waits with its start, ms: it takes a processor for itself, and the run has just begun. */
const OPEN_AFTER = 1000;
/** Pause before a database that could not be opened is tried again, ms. */
const OPEN_AGAIN = 1000;
/** How long the end of a run waits for the database to take the rest, ms; what is left goes to the disk. */
const DRAIN_LIMIT = 10_000;
const DAY = 86_400_000;

export interface RecordingOptions {
  readonly settings: Settings;
  readonly journal: JournalWriter;
  /** Of the core before its first event. */
  readonly state: State;
  readonly onNotice: Notice;
  /** Timeframe of the bars, ms, where they come from a real market. */
  readonly bars?: number;
  /** Keeps the right to trade, where that was got before; it is not given back at the end. */
  readonly keeper?: LeaseKeeper | undefined;
}

/**
 * Records a run in the store without ever holding it up. The database is opened beside the run; until it is there, and
 * whenever it is away, rows wait in memory and on disk. On a server it also keeps the right to trade.
 */
export class Recording implements Destination {
  readonly #recorder: RunRecorder;
  readonly #writer: StoreWriter;
  readonly #storeOptions: StoreOptions;
  readonly #retentionDays: number;
  readonly #onNotice: Notice;
  readonly #keeper: LeaseKeeper | undefined;
  readonly #ownsKeeper: boolean;
  readonly #spoolRoot: string;
  readonly #spool: RunSpool;
  readonly #aborted = new AbortController();
  readonly #opening: Promise<void>;
  /** It could not be opened so far. */
  #unreachable = false;
  readonly #settled: Promise<void>;
  #settle: () => void = () => {};
  #store: Store | undefined;
  #retention: ReturnType<typeof setInterval> | undefined;

  /** @throws InputError (exit 2) for a DATABASE_URL that is no address. */
  constructor(options: RecordingOptions) {
    const { settings, journal, state, onNotice, bars } = options;
    this.#onNotice = onNotice;
    this.#storeOptions = {
      ...storeOptions(settings),
      statementTimeout: settings.DATABASE_TIMEOUT_SECONDS * 1000,
      signal: this.#aborted.signal,
    };
    this.#retentionDays = settings.STORE_RETENTION_DAYS;
    const { header, path } = journal;
    this.#recorder = new RunRecorder(header, state, { journal: path, ...(bars === undefined ? {} : { bars }) });
    this.#spoolRoot = spoolRoot(settings.DATA_DIR);
    this.#spool = takeSpool(this.#spoolRoot, String(header.epoch));
    const onChange = (text: string) => onNotice("warning", `store: ${text}`);
    this.#writer = new StoreWriter(this, {
      spoolFolder: this.#spool.folder,
      timeout: settings.DATABASE_TIMEOUT_SECONDS * 1000,
      onChange,
    });
    this.#ownsKeeper = options.keeper === undefined;
    this.#keeper = options.keeper ?? (needsRight(settings) ? newKeeper(settings, this, onNotice) : undefined);
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#opening = this.#open();
  }

  get sql(): Sql | undefined {
    return this.#store?.sql;
  }

  renew(): void {
    this.#store?.renew();
  }

  get status(): RecordingStatus {
    const { written, spooled, lag } = this.#writer;
    // Rows that wait for the journal wait for the store as well.
    const rows = lag.rows + this.#recorder.waiting;
    return { ...lag, rows, written, spooled, edition: this.#store?.edition, epoch: this.#keeper?.epoch ?? 0 };
  }

  /** Whether neither database nor disk takes rows. */
  get full(): boolean {
    return this.#writer.full;
  }

  /** Whether trading needs a lease, has it at this moment, and who has taken over for good. */
  get lease(): LeaseKeeper | undefined {
    return this.#keeper;
  }

  /** Resolves when it is known whether this service may trade, or that nobody answers. At once without a lease. */
  async settled(): Promise<void> {
    if (this.#keeper !== undefined && this.#ownsKeeper) await this.#settled;
  }

  stepped(event: Event, effects: readonly Effect[], state: State): void {
    this.#recorder.stepped(event, effects, state);
  }

  /** Hands what has happened to the database; to be called when the journal has been flushed. */
  commit(): void {
    for (const row of this.#recorder.take()) this.#writer.add(row);
    // Memory is no place to wait for somebody who may not come.
    if (this.#unreachable) this.#writer.spoolAll();
  }

  end(end: JournalEnd): void {
    this.#recorder.end(end);
  }

  /** Gives the database some time for the rest; what is left waits on disk for the next start. */
  async close(): Promise<void> {
    clearInterval(this.#retention);
    if (this.#store !== undefined && !this.#writer.lag.away) {
      await Promise.race([this.#writer.drained(), this.#ended(DRAIN_LIMIT)]);
    }
    this.#aborted.abort();
    if (this.#ownsKeeper) await this.#keeper?.stop();
    // What is still under way would be waited for.
    if (this.status.rows + this.status.batches > 0) this.#store?.renew();
    await this.#writer.close();
    const { rows, batches } = this.#writer.lag;
    if (rows > 0) this.#onNotice("warning", `store: ${rows} rows are lost to the store; the journal has them`);
    else if (batches > 0) {
      this.#onNotice("info", `store: what it does not have yet waits in ${this.#spool.folder} for the next start`);
    }
    await this.#opening;
    await this.#store?.close();
    this.#spool.release();
  }

  async #open(): Promise<void> {
    if (this.#storeOptions.databaseUrl === "") await this.#ended(OPEN_AFTER);
    for (let first = true; !this.#aborted.signal.aborted; first = false) {
      try {
        this.#store = await openStore(this.#storeOptions);
      } catch (error) {
        if (this.#aborted.signal.aborted) return;
        const wait = this.#keeper === undefined ? "records wait on disk" : "no positions are opened until it is there";
        // Said once; it may take as long as it likes.
        if (first) this.#onNotice("warning", `store: ${(error as Error).message}; ${wait}`);
        this.#unreachable = true;
        this.#settle();
        await this.#ended(OPEN_AGAIN);
        continue;
      }
      if (this.#aborted.signal.aborted) {
        // Nobody waits for it any more; `close` has found no store to close.
        const late = this.#store;
        this.#store = undefined;
        return late.close();
      }
      this.#unreachable = false;
      if (!first) this.#onNotice("info", "store: the database is there");
      this.#writer.start();
      if (this.#ownsKeeper) await this.#keeper?.start();
      this.#settle();
      return this.#tidy();
    }
  }

  /** Resolves when the recording is closed, or after some time. */
  #ended(limit?: number): Promise<void> {
    const { signal } = this.#aborted;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (limit !== undefined) setTimeout(resolve, limit).unref();
    });
  }

  /** What earlier runs left on disk, and what has grown too old. Never in the way of the present. */
  async #tidy(): Promise<void> {
    await drainLeft(this, this.#spoolRoot, (text) => this.#onNotice("warning", `store: ${text}`), this.#ended());
    if (this.#retentionDays === 0) return;
    const drop = async () => {
      if (this.#store === undefined) return;
      try {
        await dropOld(this.#store, Date.now() - this.#retentionDays * DAY);
      } catch (error) {
        this.#onNotice("warning", `store: old rows could not be dropped: ${(error as Error).message}`);
      }
    };
    await drop();
    this.#retention = setInterval(() => void drop(), DAY);
    this.#retention.unref();
  }
}

/** The settings as the store wants them. */
export function storeOptions(settings: Settings): StoreOptions {
  return {
    databaseUrl: settings.DATABASE_URL,
    dataDir: settings.DATA_DIR,
    maxConnections: settings.DATABASE_POOL_SIZE,
    connectTimeout: settings.DATABASE_TIMEOUT_SECONDS * 1000,
  };
}

/** Whether services that share a database take turns. */
export function needsRight(settings: Settings): boolean {
  return settings.ENABLE_STORE && settings.DATABASE_URL !== "" && settings.LEASE_SECONDS > 0;
}

export function newKeeper(settings: Settings, destination: Destination, onNotice: Notice): LeaseKeeper {
  return new LeaseKeeper(destination, {
    name: "trading",
    holder: `${hostname()}:${process.pid}`,
    duration: settings.LEASE_SECONDS * 1000,
    onChange: (text, level) => onNotice(level, text),
  });
}
