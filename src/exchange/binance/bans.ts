import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where the service and the commands remember bans together. @param folder DATA_DIR */
export function bansFile(folder: string): string {
  return join(folder, "binance-bans.json");
}

/**
 * Remembers until when the exchange does not want to hear from this address, so that a restart does not run into a ban
 * and lengthen it. One small JSON file, by the origin of the address: `{"https://…": 1760000000000}`.
 */
export class Bans {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Time until which nothing may be sent to `origin`, ms; 0 when nothing is known. */
  until(origin: string): number {
    const value = this.#read()[origin];
    return typeof value === "number" ? value : 0;
  }

  remember(origin: string, until: number): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const draft = `${this.#path}.new`;
    writeFileSync(draft, JSON.stringify({ ...this.#read(), [origin]: until }));
    renameSync(draft, this.#path);
  }

  /** A file that is not there or not readable as JSON knows of no ban: the exchange will tell again. */
  #read(): Record<string, unknown> {
    try {
      const value: unknown = JSON.parse(readFileSync(this.#path, "utf8"));
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    } catch (error) {
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return {};
      throw error;
    }
  }
}
