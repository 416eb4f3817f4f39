import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Snapshot } from "../../src/admin/snapshot.ts";
import { selfCommand } from "../../src/this-program.ts";
import type { VenueState } from "./soak-books.ts";
import type { Sample } from "./soak-figures.ts";
import { countFile, PROBE_FILE, type ProbeReading } from "./soak-probe.ts";

const PROBE = join(import.meta.dir, "soak-probe.ts");
/** Characters of the service's standard error that are kept. */
const LAST_WORDS = 4000;

type Exchange = Bun.Subprocess<"ignore", "pipe", "inherit">;
type Service = Bun.Subprocess<"ignore", "ignore", "pipe">;

export interface PairOptions {
  readonly seed: number;
  readonly symbols: number;
  /** Of the service, as environment variables. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * A simulated exchange and the service that trades on it, as processes, each in a process group of its own: Ctrl-C is
 * for whoever judges them, and he stops them when he is through.
 */
export class Pair {
  readonly folder: string;
  readonly #exchange: Exchange;
  readonly #service: Service;
  readonly #control: string;
  readonly #admin: { readonly url: string; readonly token: string };
  readonly #words: { last: string };

  private constructor(
    folder: string,
    exchange: Exchange,
    service: Service,
    addresses: { readonly control: string; readonly admin: string },
    words: { last: string },
  ) {
    this.folder = folder;
    this.#exchange = exchange;
    this.#service = service;
    this.#control = addresses.control;
    const [url = "", token = ""] = addresses.admin.split("/#token=");
    this.#admin = { url, token };
    this.#words = words;
  }

  /** Resolves when both accept connections. @throws Error when one of them ends before it does */
  static async start(folder: string, { seed, symbols, settings }: PairOptions): Promise<Pair> {
    const path = { PATH: process.env.PATH ?? "" };
    const market = ["--generate", String(seed), "--generated", String(symbols), "--speed", "real", "--relay"];
    const ports = ["--port", "0", "--control-port", "0", "--key", "key", "--secret", "secret"];
    const own = { cwd: folder, detached: true, stdin: "ignore" } as const;
    const exchange: Exchange = Bun.spawn([...selfCommand(), "exchange", ...ports, ...market], {
      ...own,
      env: path,
      stdout: "pipe",
      stderr: "inherit",
    });
    let service: Service | undefined;
    try {
      const line = await matched(exchange.stdout, /^\{.*\}$/m);
      const { rest, ws, wsApi, control } = JSON.parse(line) as Record<string, string>;
      const [runtime, ...main] = selfCommand();
      service = Bun.spawn([runtime!, "--preload", PROBE, ...main, "run", "--json", "result.json"], {
        ...own,
        env: {
          ...path,
          ...settings,
          BINANCE_REST_URL: rest!,
          BINANCE_WS_URL: ws!,
          BINANCE_WS_API_URL: wsApi!,
          BINANCE_API_KEY: "key",
          BINANCE_API_SECRET: "secret",
          DATA_DIR: folder,
          ADMIN_PORT: "0",
          [PROBE_FILE]: join(folder, "probe.json"),
        },
        stdout: "ignore",
        stderr: "pipe",
      });
      const words = { last: "" };
      const admin = await matched(service.stderr, /http\S+#token=\S+/, words);
      return new Pair(folder, exchange, service, { control: control!, admin }, words);
    } catch (error) {
      service?.kill("SIGKILL");
      exchange.kill("SIGKILL");
      throw error;
    }
  }

  /** Whether both are alive. */
  get runs(): boolean {
    return this.#exchange.exitCode === null && this.#service.exitCode === null && this.#service.signalCode === null;
  }

  /** The end of what the service has written to standard error. */
  get lastWords(): string {
    return this.#words.last;
  }

  /** Asks the exchange's control port. */
  async control(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#control}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return response.json();
  }

  async state(): Promise<VenueState> {
    return (await this.control("GET", "/state")) as VenueState;
  }

  /** What an operator sees of the book; undefined before there is one. */
  async snapshot(): Promise<Snapshot | undefined> {
    const overview = (await this.#operate("GET", "/api/overview")) as { snapshot: Snapshot | null };
    return overview.snapshot ?? undefined;
  }

  async command(command: string): Promise<void> {
    await this.#operate("POST", "/api/commands", { command });
  }

  async #operate(method: string, path: string, body?: unknown): Promise<unknown> {
    const { url, token } = this.#admin;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.json();
  }

  /** The newest reading of the probe inside of the service; undefined before the first, and while one is written. */
  reading(): ProbeReading | undefined {
    try {
      return JSON.parse(readFileSync(join(this.folder, "probe.json"), "utf8")) as ProbeReading;
    } catch (error) {
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Asks the probe to collect garbage and count what is left; a later reading has it. */
  countObjects(): void {
    writeFileSync(countFile(join(this.folder, "probe.json")), "");
  }

  /** What both hold and have used. @throws Error where a process is gone */
  resources(): Pick<Sample, "residentMb" | "exchangeMb" | "serviceCpu" | "exchangeCpu" | "handles"> {
    const { pid } = this.#service;
    return {
      residentMb: residentMb(pid),
      exchangeMb: residentMb(this.#exchange.pid),
      serviceCpu: processorMs(pid),
      exchangeCpu: processorMs(this.#exchange.pid),
      handles: readdirSync(`/proc/${pid}/fd`).length,
    };
  }

  /** Asks the service to end, and waits for it. */
  async stopService(): Promise<number> {
    this.#service.kill("SIGTERM");
    return this.#service.exited;
  }

  /** Ends whatever is left of both. */
  async kill(): Promise<void> {
    this.#service.kill("SIGKILL");
    this.#exchange.kill("SIGTERM");
    await Promise.all([this.#service.exited, this.#exchange.exited]);
  }
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** Ticks of 10 ms in the kernel's account of a process, behind its name in brackets: in user mode and in the kernel. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The first match in a stream, which goes on being read. @throws Error when the stream ends without one */
async function matched(stream: ReadableStream<Uint8Array>, pattern: RegExp, words = { last: "" }): Promise<string> {
  const found = Promise.withResolvers<string>();
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      words.last = (words.last + decoder.decode(chunk, { stream: true })).slice(-LAST_WORDS);
      const match = pattern.exec(words.last);
      if (match !== null) found.resolve(match[0]);
    }
    found.reject(new Error(`it ended: ${words.last}`));
  };
  void read();
  return found.promise;
}
