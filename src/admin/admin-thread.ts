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
import type {
  AdminRequest,
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

/** Inside a compiled program workers are found by their path from the root of the build, from source beside this file. */
const WORKER = Bun.main.startsWith("/$bunfs/") ? "./src/admin/worker.ts" : new URL("./worker.ts", import.meta.url).href;

/** Wall time between two updates, ms. */
const UPDATE_MS = 250;
/** How long the end of a run waits for the worker to say goodbye to its clients. */
const STOP_MS = 1000;

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

/**
 * The trading thread's end of the admin worker. It collects what happened and hands it over a few times a second; what
 * operators ask waits in `requests` until the loop looks.
 */
export class AdminThread {
  readonly requests: OperatorRequest[] = [];
  readonly address: AdminAddress;
  readonly #worker: Worker;
  #records: CoreRecord[] = [];
  #fills: FillRow[] = [];
  #notices: Notice[] = [];
  #audit: AuditEntry[] = [];
  #settings: SettingSections | undefined;
  #panel: SharedArrayBuffer | undefined;
  #learning: LearningRow | undefined;
  #updated = Number.NEGATIVE_INFINITY;
  #stopped: (() => void) | undefined;
  /** Set when the worker is gone; the trader goes on. */
  #lost = false;

  private constructor(worker: Worker, address: AdminAddress, onLost: (reason: string) => void) {
    this.#worker = worker;
    this.address = address;
    worker.onmessage = ({ data }: MessageEvent<FromAdmin>) => {
      if (data.kind === "ask") this.requests.push(data);
      else if (data.kind === "stopped") this.#stopped?.();
    };
    worker.onerror = (event) => {
      this.#lost = true;
      onLost(`the admin worker failed: ${event.message}`);
    };
  }

  /**
   * Starts the worker and waits until it listens.
   * @throws InputError (exit 2) where it must not or cannot listen.
   */
  static async start(
    loaded: LoadedSettings,
    run: RunDescription,
    bars: { readonly panel: SharedArrayBuffer; readonly analysis: AnalysisOptions },
    counters: SharedArrayBuffer,
    onLost: (reason: string) => void,
  ): Promise<AdminThread> {
    const { settings, sources } = loaded;
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

    const worker = new Worker(WORKER);
    const listening = Promise.withResolvers<Extract<FromAdmin, { kind: "listening" | "refused" }>>();
    worker.onmessage = ({ data }: MessageEvent<FromAdmin>) => {
      if (data.kind === "listening" || data.kind === "refused") listening.resolve(data);
    };
    worker.onerror = (event) => listening.reject(new Error(`the admin worker failed: ${event.message}`));
    const anyPort = sources.ADMIN_PORT === "default";
    worker.postMessage({
      kind: "start",
      host,
      port: settings.ADMIN_PORT,
      anyPort,
      operatorToken: operator.token,
      viewerToken: viewer,
      ...(tls === undefined ? {} : { tls }),
      hosts: settings.ADMIN_ALLOWED_HOSTS.split(",")
        .map((name) => name.trim().toLowerCase())
        .filter(Boolean),
      metricsOpen: settings.ADMIN_METRICS_OPEN,
      run,
      models: join(settings.DATA_DIR, "models"),
      settings: settingSections(loaded, new Map()),
      ...bars,
      counters,
    } satisfies ToAdmin);
    const answer = await listening.promise;
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
    return new AdminThread(worker, address, onLost);
  }

  /** Notes what people want to see of a step. */
  stepped(event: Event, effects: readonly Effect[], state: State): void {
    if (event.kind === "fill") this.#fill(event, state);
    for (const effect of effects) {
      if (effect.kind === "record") this.#records.push(effect.record);
      else if (effect.kind === "notice") this.notice(state.now, effect.level, effect.text);
    }
  }

  #fill(event: FillEvent, state: State): void {
    const request = (state.orders.get(event.order) ?? state.ended.get(event.order))?.request;
    this.#fills.push({
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
    this.#notices.push({ time, at: Date.now(), level, text });
  }

  audit(entry: AuditEntry): void {
    this.#audit.push(entry);
  }

  /** The settings have changed, or the panel has moved: goes out with the next update. */
  settings(sections: SettingSections): void {
    this.#settings = sections;
  }

  /** What the models do now: goes out with every update from then on. */
  learning(row: LearningRow): void {
    this.#learning = row;
  }

  panel(buffer: SharedArrayBuffer): void {
    this.#panel = buffer;
  }

  /** Hands over what has gathered, at most every quarter of a second. @param now monotonic, ms */
  update(state: State, behind: number, now: number): void {
    if (this.#lost || now - this.#updated < UPDATE_MS) return;
    this.#updated = now;
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
    if (!this.#lost) this.#worker.postMessage({ kind: "answer", id, ok, message } satisfies ToAdmin);
  }

  async stop(): Promise<void> {
    if (!this.#lost) {
      const stopped = new Promise<void>((resolve) => {
        this.#stopped = resolve;
      });
      this.#worker.postMessage({ kind: "stop" } satisfies ToAdmin);
      await Promise.race([stopped, Bun.sleep(STOP_MS)]);
    }
    this.#worker.terminate();
  }
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
