import type { AnalysisOptions } from "../analysis/engine.ts";
import type { SettingRow } from "../config/document.ts";
import type { CoreRecord, OrderRequest } from "../core/effects.ts";
import type { Command } from "../core/events.ts";
import type { Instrument } from "../core/instrument.ts";
import type { Venue } from "../exchange/exchange.ts";
import type { ChanceNow, Snapshot } from "./snapshot.ts";

/**
 * What the trading thread and the admin worker say to each other. The trading thread talks a few times a second, in
 * one message, whatever happened in between; the worker asks, and every question gets one answer.
 */

/** What the worker has to know once. */
export interface AdminStart {
  readonly kind: "start";
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Whether another port may be taken when this one is in use. */
  readonly anyPort: boolean;
  /** Where numbers of questions go on: answers to a worker before this one must not be taken for answers to it. */
  readonly askedBefore: number;
  readonly operatorToken: string;
  /** Empty: there are no viewers. */
  readonly viewerToken: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Names of hosts, beside the address itself, under which browsers may reach us. */
  readonly hosts: readonly string[];
  readonly metricsOpen: boolean;
  readonly run: RunDescription;
  /** Folder of the models, which this worker reads for itself. */
  readonly models: string;
  readonly settings: SettingSections;
  /** The bars, in the memory that analysis reads; absent where there is no panel. */
  readonly panel?: SharedArrayBuffer;
  /** How analysis is done, so that it can be done again for whoever asks why. */
  readonly analysis?: AnalysisOptions;
  /** Figures that change too often for messages (src/telemetry). */
  readonly counters: SharedArrayBuffer;
}

export interface RunDescription {
  readonly version: string;
  readonly venue: Venue;
  readonly market: string;
  readonly speed: number | "max";
  readonly strategy: string;
  readonly instruments: readonly Instrument[];
  readonly tradeFrom: number;
  readonly balance: number;
  readonly startedAt: number;
  readonly journal: string;
  readonly settingsHash: string;
  readonly dataHash: string;
}

export type SettingSections = readonly { readonly section: string; readonly rows: readonly AdminSettingRow[] }[];

export interface AdminSettingRow extends SettingRow {
  /** Which way is safer, where that bounds changes at run time. */
  readonly safer?: "lower" | "higher";
  /** The value that the process was started with, when it has been changed since. */
  readonly startedWith?: string | number | boolean;
}

export interface Notice {
  readonly time: number;
  /** Wall-clock time, ms UTC. */
  readonly at: number;
  readonly level: "info" | "warning" | "alarm";
  readonly text: string;
}

/** Something that an operator did, or tried. */
export interface AuditEntry {
  readonly at: number;
  readonly time: number;
  readonly actor: string;
  readonly action: string;
  readonly from?: string;
  readonly to?: string;
  /** `done`, or why not. */
  readonly result: string;
}

/** A fill with what it belonged to, in ticks and lots. */
export interface FillRow {
  readonly time: number;
  readonly symbol: number;
  readonly order: number;
  readonly purpose: OrderRequest["purpose"] | "unknown";
  readonly side: 1 | -1;
  readonly lots: number;
  readonly price: number;
  readonly fee: number;
  readonly maker: boolean;
}

/** What the models of the run do at the moment. Figures that are not known are null. */
export interface LearningRow {
  /** Ids; empty where there is none, which means for `model` that the rules decide. */
  readonly model: string;
  /** Who answers for it, for people. */
  readonly server: string;
  /** The model in charge where it gives no answer at the moment, so that the rules decide. */
  readonly away: string;
  readonly shadow: string;
  /** Of market time during which the shadow predicted, and outcomes it has seen, in all runs. */
  readonly shadowHours: number;
  readonly shadowOutcomes: number;
  /** Market time since the last label that the model was trained on, ms. */
  readonly modelAge: number | null;
  readonly swaps: number;
  /** Share of the training that runs. */
  readonly training: number | null;
  readonly trainings: number;
  readonly trainingFailures: number;
  readonly drift: Readonly<Record<string, number | null>> | null;
  /** Cycles that the rules decided because the model in charge gave no answer. */
  readonly unanswered: number;
  readonly rescoring: { readonly failures: number; readonly calls: number; readonly rows: number };
  /** Of every side that is held, really or virtually. */
  readonly chances: readonly SideChance[];
}

export interface SideChance extends ChanceNow {
  /** Index into the instruments of the run. */
  readonly symbol: number;
  readonly direction: 1 | -1;
}

export interface AdminUpdate {
  readonly kind: "update";
  readonly snapshot: Snapshot;
  readonly records: readonly CoreRecord[];
  readonly fills: readonly FillRow[];
  readonly notices: readonly Notice[];
  readonly audit: readonly AuditEntry[];
  /** Absent where no model is ever asked. */
  readonly learning?: LearningRow;
  readonly settings?: SettingSections;
  /** Sent again when the panel has moved to a larger place. */
  readonly panel?: SharedArrayBuffer;
}

export type ToAdmin =
  | AdminStart
  | AdminUpdate
  | { readonly kind: "answer"; readonly id: number; readonly ok: boolean; readonly message: string }
  | { readonly kind: "stop" };

/** What an operator may ask of the trading thread. `kill` is halt, then the end of the process once all is flat. */
export const ADMIN_COMMANDS = ["pause", "resume", "reduce-only", "flatten", "kill"] as const;
export type AdminCommand = (typeof ADMIN_COMMANDS)[number];

/** What the core is told for it. */
export const CORE_COMMAND: Readonly<Record<AdminCommand, Command>> = {
  pause: "pause",
  resume: "resume",
  "reduce-only": "reduce-only",
  flatten: "flatten",
  kill: "halt",
};

export type AdminRequest =
  | { readonly kind: "command"; readonly command: AdminCommand }
  | { readonly kind: "setting"; readonly name: string; readonly value: string }
  | ModelRequest;

/** What may be asked of the models; the id is that of the one to promote. */
export type ModelRequest =
  | { readonly kind: "model"; readonly action: "train" | "rollback" }
  | { readonly kind: "model"; readonly action: "promote"; readonly id: string };

export type FromAdmin =
  | { readonly kind: "listening"; readonly url: string; readonly port: number }
  /** It cannot listen; trading goes on without it, or does not begin. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "ask"; readonly id: number; readonly actor: string; readonly request: AdminRequest }
  /** An update has been taken in. */
  | { readonly kind: "taken" }
  | { readonly kind: "notice"; readonly level: Notice["level"]; readonly text: string }
  | { readonly kind: "stopped" };
