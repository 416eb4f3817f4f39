import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Settings } from "../config/settings.ts";

/** Bytes that gather before they are written, unless `flush` comes first. */
const BUFFER_BYTES = 4096;
/** Bytes that may wait for a disk that does not take them; what comes then is left out. */
const WAITING_MAX = 8_000_000;

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

export interface LogOptions {
  readonly settings: Settings;
  /** Takes secrets out of every line. */
  readonly redact: (text: string) => string;
  /** Gets the lines too, where somebody collects what the process prints. */
  readonly print?: ((text: string) => void) | undefined;
  /** Told once when the files cannot be written; the run goes on. */
  readonly onTrouble: (problem: string) => void;
}

type Files = Awaited<ReturnType<typeof import("pino-roll")["default"]>>;

/** Where the newest log file can be found, whatever its number. */
export function currentLog(dataDir: string): string {
  return join(dataDir, "logs", "current.log");
}

/**
 * The structured log: one JSON object per line, into files under DATA_DIR/logs that take turns by size. A line costs its
 * text and nothing else; it is written in the background when enough has gathered, or by `flush`.
 */
export class Log {
  readonly #logger: Logger;
  readonly #files: Files | undefined;
  readonly #print: ((text: string) => void) | undefined;
  #printed = "";
  #isDirty = false;
  /** Nothing has been written since an error was told. */
  #isTroubled = false;

  private constructor(
    { pino }: typeof import("pino"),
    { settings, redact, print, onTrouble }: LogOptions,
    files: Files | undefined,
  ) {
    this.#files = files;
    this.#print = print;
    files?.on("error", (error: Error) => {
      if (this.#isTroubled) return;
      this.#isTroubled = true;
      onTrouble(`the log files cannot be written: ${error.message}`);
    });
    files?.on("write", () => {
      this.#isTroubled = false;
    });
    const write = (line: string) => {
      const safe = redact(line);
      files?.write(safe);
      this.#isDirty = true;
      if (print !== undefined) this.#printed += safe;
    };
    this.#logger = pino(
      {
        base: null,
        level: settings.LOG_LEVEL,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (level) => ({ level }) },
      },
      { write },
    );
  }

  static async open(options: LogOptions): Promise<Log> {
    const { DATA_DIR, LOG_FILES, LOG_FILE_MB } = options.settings;
    // Only when a run begins: other commands would wait for it at every start.
    const [pino, { default: roll }] = await Promise.all([import("pino"), import("pino-roll")]);
    if (LOG_FILES === 0) return new Log(pino, options, undefined);
    const folder = join(DATA_DIR, "logs");
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o700);
    const files = await roll({
      file: join(folder, "penstock"),
      extension: ".log",
      size: `${Math.ceil(LOG_FILE_MB * 1000)}k`,
      limit: { count: LOG_FILES, removeOtherLogFiles: true },
      symlink: true,
      sync: false,
      minLength: BUFFER_BYTES,
      maxLength: WAITING_MAX,
      mode: 0o600,
    });
    return new Log(pino, options, files);
  }

  write(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.#logger[level](fields, message);
  }

  /** Whether lines of this level are wanted at all. */
  wants(level: LogLevel): boolean {
    return this.#logger.isLevelEnabled(level);
  }

  /** Lets out what has gathered; does not wait until it is written. */
  flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    this.#files?.flush();
    this.#printOut();
  }

  /** Writes the rest and waits for it, or for the error that keeps it from being written. */
  async close(): Promise<void> {
    this.#printOut();
    const files = this.#files;
    if (files === undefined) return;
    const closed = Promise.withResolvers<void>();
    files.once("close", closed.resolve);
    files.once("error", closed.resolve);
    files.end();
    await closed.promise;
  }

  #printOut(): void {
    if (this.#printed === "") return;
    this.#print?.(this.#printed);
    this.#printed = "";
  }
}
