import { mkdirSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { AnalysisOptions } from "../analysis/engine.ts";
import { settingRows } from "../config/document.ts";
import type { LoadedSettings } from "../config/load.ts";
import { type Definition, SETTINGS, type SettingName, type Settings } from "../config/settings.ts";
import type { CoreRecord, Effect } from "../core/effects.ts";
import type { Event, FillEvent } from "../core/events.ts";
import type { State } from "../core/state.ts";
import { InputError } from "../input-error.ts";
import { workerOf } from "../this-program.ts";
import type {
  AdminRequest,
  AdminStart,
  AuditEntry,
  FillRow,
  FromAdmin,
  LearningRow,
  Notice,
  RunDescription,
  SettingSections,
  ToAdmin,
} from "./protocol.ts";
import { takeSnapshot } from "./snapshot.ts";
import { checkToken, operatorToken } from "./tokens.ts";

const WORKER = workerOf("src/admin/worker.ts");

/** Wall time between two updates, ms. */
const UPDATE_MS = 250;
/** Updates that may be on their way; a worker that takes no more gets no more, and after a while is given up, ms. */
const UNTAKEN_MAX = 8;
const HUNG_MS = 30_000;
/** How long the end of a run waits for the worker to say goodbye to its clients. */
const STOP_MS = 1000;
/** Records that wait for a worker; beyond it the older half goes. */
const WAITING_MAX = 20_000;

/** A worker that fails is started again after this time, ms, so often an hour; then the run goes on without. */
const RESTART_MS = 1000;
const RESTARTS_MAX = 3;
const RESTARTS_WINDOW_MS = 3_600_000;

/** Something an operator asked for; whoever drives the trader owes an answer. */
export interface OperatorRequest {
  readonly id: number;
  readonly actor: string;
  readonly request: AdminRequest;
}

export interface AdminAddress {
  readonly url: string;
  /** The address with the token in it, when that was made just now; to be shown once and kept nowhere. */
  readonly link: string | undefined;
  /** What a person should know, such as another port than the usual one. */
  readonly note: string | undefined;
}

/** What an admin worker is started with. */
export interface AdminParts {
  readonly loaded: LoadedSettings;
  readonly run: RunDescription;
  readonly bars: { readonly panel: SharedArrayBuffer; readonly analysis: AnalysisOptions };
  readonly counters: SharedArrayBuffer;
  readonly onNotice: (level: Notice["level"], text: string) => void;
  /** What the worker runs; for tests. */
  readonly program?: string;
}

type Listening = Extract<FromAdmin, { kind: "listening" | "refused" }>;

/**
 * The trading thread's end of the admin worker. It collects what happened and hands it over a few times a second; what
 * operators ask waits in `requests` until the loop looks. A worker that fails or hangs is replaced a few times; trading
 * never waits for it.
 */
export class AdminThread {
  readonly requests: OperatorRequest[] = [];
  readonly address: AdminAddress;
  readonly #parts: AdminParts;
  /** What the next worker would be told; the newest settings and panel are put in. */
  #start: AdminStart;
  /** Absent while none runs. */
  #worker: Worker | undefined;
  #records: CoreRecord[] = [];
  #fills: FillRow[] = [];
  #notices: Notice[] = [];
  #audit: AuditEntry[] = [];
  #settings: SettingSections | undefined;
  #panel: SharedArrayBuffer | undefined;
  #learning: LearningRow | undefined;
  #updated = Number.NEGATIVE_INFINITY;
  #untaken = 0;
  #stuckSince: number | undefined;
  #failures: number[] = [];
  #again: ReturnType<typeof setTimeout> | undefined;
  #stopped: (() => void) | undefined;
  #ending = false;

  private constructor(parts: AdminParts, start: AdminStart, worker: Worker, address: AdminAddress) {
    this.#parts = parts;
    this.#start = start;
    this.address = address;
    this.#follow(worker);
  }

  /**
   * Starts the worker and waits until it listens.
   * @throws InputError (exit 2) where it must not or cannot listen.
   */
  static async start(parts: AdminParts): Promise<AdminThread> {
    const { settings, sources } = parts.loaded;
    const tls = tlsOf(settings);
    const host = settings.ADMIN_HOST;
    if (!isLoopback(host) && tls === undefined && !settings.ADMIN_PUBLIC) {
      throw new InputError(
        `ADMIN_HOST=${host} would let other machines in without encryption; set ADMIN_TLS_CERT and ADMIN_TLS_KEY, ` +
          "or ADMIN_PUBLIC=true where something in front does the encryption",
        2,
      );
    }
    mkdirSync(settings.DATA_DIR, { recursive: true });
    const operator = operatorToken(settings.ADMIN_TOKEN, settings.DATA_DIR);
    const viewer = settings.ADMIN_VIEWER_TOKEN;
    if (viewer !== "") checkToken("ADMIN_VIEWER_TOKEN", viewer);
    if (viewer === operator.token) {
      throw new InputError("ADMIN_VIEWER_TOKEN is the operator's token: viewers would be operators", 2);
    }
    const start: AdminStart = {
      kind: "start",
      host,
      port: settings.ADMIN_PORT,
      anyPort: sources.ADMIN_PORT === "default",
      askedBefore: 0,
      operatorToken: operator.token,
      viewerToken: viewer,
      ...(tls === undefined ? {} : { tls }),
      hosts: settings.ADMIN_ALLOWED_HOSTS.split(",")
        .map((name) => name.trim().toLowerCase())
        .filter(Boolean),
      metricsOpen: settings.ADMIN_METRICS_OPEN,
      run: parts.run,
      models: join(settings.DATA_DIR, "models"),
      settings: settingSections(parts.loaded, new Map()),
      ...parts.bars,
      counters: parts.counters,
    };
    const { worker, listening } = launch(start, parts.program);
    const answer = await listening;
    if (answer.kind === "refused") {
      worker.terminate();
      throw new InputError(`ADMIN_HOST=${host}, ADMIN_PORT=${settings.ADMIN_PORT}: ${answer.message}`, 2);
    }
    const moved = settings.ADMIN_PORT !== 0 && answer.port !== settings.ADMIN_PORT;
    const address: AdminAddress = {
      url: answer.url,
      link: operator.isNew ? `${answer.url}#token=${operator.token}` : undefined,
      note: moved ? `port ${settings.ADMIN_PORT} is in use; set ADMIN_PORT to choose one` : undefined,
    };
    // Whoever comes after this worker listens where it did: browsers and Prometheus know that address.
    return new AdminThread(parts, { ...start, port: answer.port, anyPort: false }, worker, address);
  }

  #follow(worker: Worker): void {
    this.#worker = worker;
    this.#untaken = 0;
    this.#stuckSince = undefined;
    worker.onmessage = ({ data }: MessageEvent<FromAdmin>) => {
      if (data.kind === "ask") this.requests.push(data);
      else if (data.kind === "stopped") this.#stopped?.();
      else if (data.kind === "notice") this.#parts.onNotice(data.level, data.text);
      else if (data.kind === "taken") {
        this.#untaken -= 1;
        this.#stuckSince = undefined;
      }
    };
    worker.onerror = (event) => this.#failed(worker, event.message);
    worker.addEventListener("close", () => this.#failed(worker, "it ended by itself"));
  }

  /** The worker is no good any more: another one takes its place, if it does not come to that too often. */
  #failed(worker: Worker | undefined, reason: string): void {
    if (this.#ending || worker !== this.#worker) return;
    this.#worker = undefined;
    worker?.terminate();
    const now = performance.now();
    this.#failures = this.#failures.filter((at) => now - at < RESTARTS_WINDOW_MS);
    this.#failures.push(now);
    const more = this.#failures.length <= RESTARTS_MAX;
    const next = more
      ? "it is started again, its lists and sessions begin anew"
      : "the dashboard stays away until the next start";
    this.#parts.onNotice("alarm", `the admin worker failed: ${reason}; trading goes on, ${next}`);
    if (more) this.#again = setTimeout(() => void this.#restart(), RESTART_MS);
  }

  async #restart(): Promise<void> {
    const askedBefore = this.#failures.length * 1e9;
    const { worker, listening } = launch({ ...this.#start, askedBefore }, this.#parts.program);
    let answer: Listening;
    try {
      answer = await listening;
    } catch (error) {
      answer = { kind: "refused", message: (error as Error).message };
    }
    if (answer.kind === "listening" && !this.#ending) {
      this.#follow(worker);
      return this.#parts.onNotice("info", `the admin worker serves again at ${this.address.url}`);
    }
    worker.terminate();
    if (answer.kind === "refused") this.#failed(undefined, answer.message);
  }

  /** Notes what people want to see of a step. */
  stepped(event: Event, effects: readonly Effect[], state: State): void {
    if (event.kind === "fill") this.#fill(event, state);
    for (const effect of effects) {
      if (effect.kind === "record") keep(this.#records, effect.record);
      else if (effect.kind === "notice") this.notice(state.now, effect.level, effect.text);
    }
  }

  #fill(event: FillEvent, state: State): void {
    const request = (state.orders.get(event.order) ?? state.ended.get(event.order))?.request;
    keep(this.#fills, {
      time: event.time,
      symbol: event.symbol,
      order: event.order,
      purpose: request?.purpose ?? "unknown",
      side: request?.side ?? 1,
      lots: event.lots,
      price: event.price,
      fee: event.fee,
      maker: event.maker,
    });
  }

  /** Something that the shell has to say, rather than the core. */
  notice(time: number, level: Notice["level"], text: string): void {
    keep(this.#notices, { time, at: Date.now(), level, text });
  }

  audit(entry: AuditEntry): void {
    keep(this.#audit, entry);
  }

  /** The settings have changed, or the panel has moved: goes out with the next update. */
  settings(sections: SettingSections): void {
    this.#settings = sections;
    this.#start = { ...this.#start, settings: sections };
  }

  /** What the models do now: goes out with every update from then on. */
  learning(row: LearningRow): void {
    this.#learning = row;
  }

  panel(buffer: SharedArrayBuffer): void {
    this.#panel = buffer;
    this.#start = { ...this.#start, panel: buffer };
  }

  /** Hands over what has gathered, at most every quarter of a second. @param now monotonic, ms */
  update(state: State, behind: number, now: number): void {
    if (this.#worker === undefined || now - this.#updated < UPDATE_MS) return;
    if (this.#untaken >= UNTAKEN_MAX) {
      this.#stuckSince ??= now;
      if (now - this.#stuckSince >= HUNG_MS) this.#failed(this.#worker, `it took nothing for ${HUNG_MS / 1000} s`);
      return;
    }
    this.#updated = now;
    this.#untaken += 1;
    this.#worker.postMessage({
      kind: "update",
      snapshot: takeSnapshot(state, behind),
      records: this.#records,
      fills: this.#fills,
      notices: this.#notices,
      audit: this.#audit,
      ...(this.#learning === undefined ? {} : { learning: this.#learning }),
      ...(this.#settings === undefined ? {} : { settings: this.#settings }),
      ...(this.#panel === undefined ? {} : { panel: this.#panel }),
    } satisfies ToAdmin);
    this.#records = [];
    this.#fills = [];
    this.#notices = [];
    this.#audit = [];
    this.#settings = undefined;
    this.#panel = undefined;
  }

  answer(id: number, ok: boolean, message: string): void {
    this.#worker?.postMessage({ kind: "answer", id, ok, message } satisfies ToAdmin);
  }

  async stop(): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#again);
    const worker = this.#worker;
    if (worker === undefined) return;
    const stopped = new Promise<void>((resolve) => {
      this.#stopped = resolve;
    });
    worker.postMessage({ kind: "stop" } satisfies ToAdmin);
    await Promise.race([stopped, Bun.sleep(STOP_MS)]);
    worker.terminate();
  }
}

/** Starts a worker; it says whether it listens. */
function launch(start: AdminStart, program: string = WORKER): { worker: Worker; listening: Promise<Listening> } {
  const worker = new Worker(program);
  const { promise, resolve, reject } = Promise.withResolvers<Listening>();
  worker.onmessage = ({ data }: MessageEvent<FromAdmin>) => {
    if (data.kind === "listening" || data.kind === "refused") resolve(data);
  };
  worker.onerror = (event) => reject(new Error(`the admin worker failed: ${event.message}`));
  worker.postMessage(start satisfies ToAdmin);
  return { worker, listening: promise };
}

/** Adds to what waits for the worker; where none comes for it the older half goes. */
function keep<T>(waiting: T[], item: T): void {
  waiting.push(item);
  if (waiting.length > WAITING_MAX) waiting.splice(0, WAITING_MAX / 2);
}

/** The settings as the dashboard shows them: as they are now, and what they were at the start. */
export function settingSections(loaded: LoadedSettings, changed: ReadonlyMap<string, string>): SettingSections {
  return [...settingRows(loaded)].map(([section, rows]) => ({
    section,
    rows: rows.map((row) => {
      const { safer }: Definition = SETTINGS[row.name as SettingName];
      const now = changed.get(row.name);
      const value = now === undefined ? row.value : row.type === "boolean" ? now === "true" : Number(now);
      return {
        ...row,
        value,
        ...(safer === undefined ? {} : { safer }),
        ...(now === undefined ? {} : { startedWith: row.value }),
      };
    }),
  }));
}

function tlsOf(settings: Settings): { cert: string; key: string } | undefined {
  const { ADMIN_TLS_CERT: cert, ADMIN_TLS_KEY: key } = settings;
  if (cert === "" && key === "") return undefined;
  if (cert === "" || key === "") throw new InputError("ADMIN_TLS_CERT and ADMIN_TLS_KEY go together", 2);
  return { cert, key };
}

function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}
