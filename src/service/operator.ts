import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { type AdminThread, type OperatorRequest, settingSections } from "../admin/admin-thread.ts";
import { type AuditEntry, CORE_COMMAND, type ModelRequest } from "../admin/protocol.ts";
import { checkChange } from "../config/change.ts";
import type { LoadedSettings } from "../config/load.ts";
import { writeOverride } from "../config/overrides.ts";
import type { State } from "../core/state.ts";
import { InputError } from "../input-error.ts";
import type { Trader } from "./trader.ts";

/** What an operator may have done with models. Each says what came of it. @throws InputError for what may not be done */
export interface ModelDesk {
  trainNow(): string;
  promote(id: string): string;
  rollback(): string;
}

/**
 * Carries out what operators ask, between two events of the trader: commands and changed settings become events of the
 * core, so that the journal has them and a replay repeats them. Whatever was asked is written to DATA_DIR/audit.jsonl,
 * done or not.
 */
export class Operator {
  #ending = false;
  readonly #admin: AdminThread;
  readonly #trader: Trader;
  readonly #state: State;
  readonly #loaded: LoadedSettings;
  readonly #models: ModelDesk | undefined;

  constructor(admin: AdminThread, trader: Trader, state: State, loaded: LoadedSettings, models: ModelDesk | undefined) {
    this.#admin = admin;
    this.#trader = trader;
    this.#state = state;
    this.#loaded = loaded;
    this.#models = models;
  }

  /** True after `kill`, once nothing is held and no order is open: the run ends. */
  get isDone(): boolean {
    return this.#ending && this.#state.positions.size === 0 && this.#state.orders.size === 0;
  }

  /** @param now market time, ms */
  attend(now: number): void {
    const { requests } = this.#admin;
    while (requests.length > 0) this.#attend(requests.shift()!, now);
  }

  #attend({ id, actor, request }: OperatorRequest, now: number): void {
    // Times of events are whole; a clock between two of them is not.
    const time = Math.max(Math.floor(now), this.#state.now);
    if (request.kind === "command") {
      const { command } = request;
      if (command === "kill") this.#ending = true;
      this.#trader.admit({ kind: "command", time, symbol: -1, command: CORE_COMMAND[command] });
      const { trading, positions } = this.#state;
      const message = `${command}: trading is ${trading}, ${positions.size} positions`;
      return this.#answer(id, true, message, { actor, action: command, result: "done" });
    }
    if (request.kind === "model") return this.#model(id, actor, request);
    const action = `set ${request.name}`;
    let change: ReturnType<typeof checkChange>;
    try {
      change = checkChange(this.#loaded, this.#state.changed, request.name, request.value);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return this.#answer(id, false, error.message, { actor, action, to: request.value, result: error.message });
    }
    const { name, value, from } = change;
    this.#trader.admit({ kind: "setting", time, symbol: -1, name, value, actor });
    writeOverride(this.#loaded.settings.DATA_DIR, name, value);
    this.#admin.settings(settingSections(this.#loaded, this.#state.changed));
    const fixed = this.#loaded.sources[name] === "environment" || this.#loaded.sources[name] === "command line";
    const until = fixed ? `; the next start takes it from the ${this.#loaded.sources[name]} again` : "";
    this.#answer(id, true, `${name} is ${value}, it was ${from}${until}`, {
      actor,
      action,
      from,
      to: value,
      result: "done",
    });
  }

  /** Models change in the registry, where the learning loop finds it and swaps between two cycles. */
  #model(id: number, actor: string, request: ModelRequest): void {
    const action = request.action === "promote" ? `promote model ${request.id}` : `${request.action} model`;
    try {
      if (this.#models === undefined) throw new InputError("STRATEGY_MODE=ict asks no model");
      this.#answer(id, true, done(this.#models, request), { actor, action, result: "done" });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#answer(id, false, error.message, { actor, action, result: error.message });
    }
  }

  #answer(id: number, ok: boolean, message: string, what: Omit<AuditEntry, "at" | "time">): void {
    const entry: AuditEntry = { at: Date.now(), time: this.#state.now, ...what };
    appendFileSync(join(this.#loaded.settings.DATA_DIR, "audit.jsonl"), `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    this.#admin.audit(entry);
    this.#admin.answer(id, ok, message);
  }
}

function done(models: ModelDesk, request: ModelRequest): string {
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
