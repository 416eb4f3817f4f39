import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { type AdminThread, type OperatorRequest, settingSections } from "../admin/admin-thread.ts";
import { type AdminRequest, type AuditEntry, CORE_COMMAND, type ModelRequest } from "../admin/protocol.ts";
import { checkChange } from "../config/change.ts";
import { isSettingName, type LoadedSettings } from "../config/load.ts";
import { writeOverride } from "../config/overrides.ts";
import { type Definition, SETTINGS } from "../config/settings.ts";
import type { State } from "../core/state.ts";
import { InputError } from "../input-error.ts";
import type { Trader } from "./trader.ts";

/** What an operator may have done with models. Each says what came of it. @throws InputError for what may not be done */
export interface ModelDesk {
  trainNow(): string;
  promote(id: string): Promise<string>;
  rollback(): Promise<string>;
}
/** How long `kill` waits for the exchange to fill the exits, wall time, ms. A market order of a paper run takes a bar. */
export const KILL_MS = 180_000;

/** What an operator needs of the administration: questions, and places for answers. */
export type OperatorDesk = Pick<AdminThread, "requests" | "audit" | "answer" | "settings">;

/**
 * Carries out what operators ask, between two events of the trader: commands and changed settings become events of the
 * core, so that the journal has them and a replay repeats them. Whatever was asked is written to DATA_DIR/audit.jsonl,
 * done or not. A disk that takes nothing stops neither the trading nor a command: it is said instead.
 */
export class Operator {
  /** When `kill` was asked for, ms of the monotonic clock. */
  #killedAt: number | undefined;
  readonly #desk: OperatorDesk;
  readonly #trader: Pick<Trader, "admit">;
  readonly #state: State;
  readonly #loaded: LoadedSettings;
  readonly #models: ModelDesk | undefined;
  readonly #onNotice: (level: "alarm", text: string) => void;

  constructor(
    desk: OperatorDesk,
    trader: Pick<Trader, "admit">,
    state: State,
    loaded: LoadedSettings,
    onNotice: (level: "alarm", text: string) => void,
    models?: ModelDesk,
  ) {
    this.#desk = desk;
    this.#trader = trader;
    this.#state = state;
    this.#loaded = loaded;
    this.#onNotice = onNotice;
    this.#models = models;
  }

  /**
   * True after `kill`, once nothing is held and no order is open, or once the exchange has had its time: then the run
   * ends, and what is still held keeps its stops at the exchange.
   * @param clock monotonic, ms
   */
  isDone(clock: number): boolean {
    if (this.#killedAt === undefined) return false;
    const { positions, orders } = this.#state;
    if (positions.size === 0 && orders.size === 0) return true;
    if (clock - this.#killedAt < KILL_MS) return false;
    this.#onNotice(
      "alarm",
      `kill: after ${KILL_MS / 1000} s there are still ${positions.size} positions and ${orders.size} orders; ` +
        "the process ends all the same. Stops stay at the exchange: look there and close what is left by hand",
    );
    return true;
  }

  /** @param now market time, ms @param clock monotonic, ms */
  attend(now: number, clock: number): void {
    const { requests } = this.#desk;
    while (requests.length > 0) this.#attend(requests.shift()!, now, clock);
  }

  #attend({ id, actor, request }: OperatorRequest, now: number, clock: number): void {
    // Times of events are whole; a clock between two of them is not.
    const time = Math.max(Math.floor(now), this.#state.now);
    const action = actionOf(request);
    // Nothing leads out of a kill: whoever wants to go on starts the process again.
    if (this.#killedAt !== undefined && action !== "kill" && action !== "flatten") {
      const message = "kill was asked for: all positions are being closed, then the process ends";
      return this.#answer(id, false, message, { actor, action, result: message });
    }
    if (request.kind === "command") {
      const { command } = request;
      if (command === "kill") this.#killedAt ??= clock;
      this.#trader.admit({ kind: "command", time, symbol: -1, command: CORE_COMMAND[command] });
      const { trading, positions } = this.#state;
      const message = `${command}: trading is ${trading}, ${positions.size} positions`;
      return this.#answer(id, true, message, { actor, action, result: "done" });
    }
    if (request.kind === "model") return void this.#model(id, actor, request);
    let change: ReturnType<typeof checkChange>;
    try {
      change = checkChange(this.#loaded, this.#state.changed, request.name, request.value);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return this.#answer(id, false, error.message, {
        actor,
        action,
        ...(mayBeShown(request.name) ? { to: request.value } : {}),
        result: error.message,
      });
    }
    const { name, value, from } = change;
    this.#trader.admit({ kind: "setting", time, symbol: -1, name, value, actor });
    const lost = this.#written("settings.json", () => writeOverride(this.#loaded.settings.DATA_DIR, name, value));
    this.#desk.settings(settingSections(this.#loaded, this.#state.changed));
    const fixed = this.#loaded.sources[name] === "environment" || this.#loaded.sources[name] === "command line";
    const until = fixed ? `; the next start takes it from the ${this.#loaded.sources[name]} again` : "";
    const message = `${name} is ${value}, it was ${from}${until}${lost}`;
    this.#answer(id, true, message, { actor, action, from, to: value, result: "done" });
  }

  /** Models change in the registry, where the learning loop finds it and swaps between two cycles. Some have to be opened. */
  async #model(id: number, actor: string, request: ModelRequest): Promise<void> {
    const action = actionOf(request);
    try {
      if (this.#models === undefined) throw new InputError("STRATEGY_MODE=ict asks no model");
      this.#answer(id, true, await done(this.#models, request), { actor, action, result: "done" });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#answer(id, false, error.message, { actor, action, result: error.message });
    }
  }

  #answer(id: number, ok: boolean, message: string, what: Omit<AuditEntry, "at" | "time">): void {
    const entry: AuditEntry = { at: Date.now(), time: this.#state.now, ...what };
    const file = join(this.#loaded.settings.DATA_DIR, "audit.jsonl");
    const lost = this.#written("audit.jsonl", () =>
      appendFileSync(file, `${JSON.stringify(entry)}\n`, { mode: 0o600 }),
    );
    this.#desk.audit(entry);
    this.#desk.answer(id, ok, `${message}${lost}`);
  }

  /** Writes; what the disk refuses is said to all, and returned for whoever asked. */
  #written(name: string, write: () => void): string {
    try {
      write();
      return "";
    } catch (error) {
      const isDisk = error instanceof InputError || (error as NodeJS.ErrnoException).code !== undefined;
      if (!isDisk) throw error;
      const { code = "it is not what we wrote" } = error as NodeJS.ErrnoException;
      const text = `${name} in DATA_DIR could not be written (${code})`;
      this.#onNotice("alarm", `${text}; trading goes on`);
      return `; ${text}: the next start does not know of it`;
    }
  }
}

function done(models: ModelDesk, request: ModelRequest): string | Promise<string> {
  switch (request.action) {
    case "train":
      return models.trainNow();
    case "promote":
      return models.promote(request.id);
    case "rollback":
      return models.rollback();
    default:
      return request satisfies never;
  }
}

/** Whether what somebody wanted a setting to be may go into the audit: a secret under a mistaken name may not. */
function mayBeShown(name: string): boolean {
  if (!isSettingName(name)) return false;
  const definition: Definition = SETTINGS[name];
  return definition.hot === true && definition.type !== "secret";
}

/** What the audit calls a request. */
function actionOf(request: AdminRequest): string {
  switch (request.kind) {
    case "command":
      return request.command;
    case "setting":
      return `set ${request.name}`;
    case "model":
      return request.action === "promote" ? `promote model ${request.id}` : `${request.action} model`;
    default:
      return request satisfies never;
  }
}
