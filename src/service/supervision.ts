import type { Settings } from "../config/settings.ts";
import { isProtected } from "../core/protection.ts";
import type { State } from "../core/state.ts";
import type { Venue } from "../exchange/exchange.ts";
import { currentLog, Log } from "../log/log.ts";
import { redactor } from "../log/redact.ts";
import type { Report } from "../notify/report.ts";
import { notifierOf } from "../notify/target.ts";
import { Supervisor } from "../supervision/supervisor.ts";
import { Reporter } from "./reporter.ts";
import { NOTICE_LEVELS, RunLog } from "./run-log.ts";
import type { Watcher } from "./trader.ts";

export type NoticeLevel = keyof typeof NOTICE_LEVELS;

export interface SupervisionOptions {
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Gets the log's lines where somebody collects what the process prints. */
  readonly print?: ((text: string) => void) | undefined;
  /** For what went wrong here: it is said and changes nothing. */
  readonly onNotice: (level: NoticeLevel, text: string) => void;
}

/** Whoever looks after a run from outside of it: the log, the thread that watches its loop, and who reports to people. */
export class Supervision {
  readonly #log: Log;
  readonly #supervisor: Supervisor;
  readonly #settings: Settings;
  readonly #redact: (text: string) => string;
  #reporter: Reporter | undefined;
  #farewell = "it has ended before it began to trade";

  private constructor(settings: Settings, redact: (text: string) => string, log: Log, supervisor: Supervisor) {
    this.#settings = settings;
    this.#redact = redact;
    this.#log = log;
    this.#supervisor = supervisor;
  }

  /** @throws InputError (exit 2) for settings of reports that cannot work */
  static async start({ settings, environment, print, onNotice }: SupervisionOptions): Promise<Supervision> {
    const notifier = notifierOf(settings, `penstock, ${settings.EXCHANGE}`);
    const redact = redactor(settings);
    const onTrouble = (problem: string) => onNotice("warning", problem);
    const log = await Log.open({ settings, redact, print, onTrouble });
    const supervisor = new Supervisor({
      giveUp: settings.LOOP_STALL_SECONDS === 0 ? Number.POSITIVE_INFINITY : settings.LOOP_STALL_SECONDS * 1000,
      log: settings.LOG_FILES === 0 ? "" : currentLog(settings.DATA_DIR),
      notifier,
      environment,
      onProblem: (text) => onNotice("warning", text),
      onRecovered: (milliseconds) =>
        onNotice("warning", `the trading loop goes on after standing still for ${Math.round(milliseconds / 1000)} s`),
    });
    return new Supervision(settings, redact, log, supervisor);
  }

  /** The run is about to trade. @returns those who look on */
  watch(state: State, facts: Readonly<Record<string, unknown>>): readonly Watcher[] {
    this.#log.write("info", "run begins", facts);
    this.#supervisor.ready("trading");
    this.#reporter = new Reporter((report) => this.#report(report), state, this.#settings.NOTIFY_LEVEL === "all");
    this.#report({ kind: "line", weight: "important", text: `penstock ${String(facts.version)} begins to trade` });
    return [new RunLog(this.#log, state), this.#reporter];
  }

  /** To be called by the trading loop in every turn. */
  beat(): void {
    this.#supervisor.beat();
  }

  /** To be called several times a second. */
  tick(): void {
    this.#log.flush();
  }

  /** A notice of the shell; the core's own come with its effects. */
  notice(level: NoticeLevel, text: string): void {
    this.#log.write(NOTICE_LEVELS[level], text);
    this.#reporter?.notice(level, text);
  }

  /** The run ends as it should. @returns what stays behind, in one sentence */
  ended(state: State, venue: Venue, figures: Readonly<Record<string, unknown>>): string {
    const sentence = farewell(state, venue);
    this.#farewell = `penstock has ended: ${sentence}`;
    this.#log.write("info", "run ends", { ...figures, remains: sentence });
    return sentence;
  }

  /** The run has failed; the error goes on its way. */
  failed(error: unknown): void {
    const { message, stack } = error as Error;
    this.#farewell = `**ALARM** penstock has ended with an error: ${message}`;
    this.#log.write("error", `run failed: ${message}`, { stack });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#supervisor.stop(this.#redact(this.#farewell)), this.#log.close()]);
  }

  #report(report: Report): void {
    this.#supervisor.report(report.kind === "line" ? { ...report, text: this.#redact(report.text) } : report);
  }
}

/** What is left of a book when nobody looks after it any more. */
export function farewell(state: State, venue: Venue): string {
  const open = [...state.positions.values()].filter(({ holding }) => holding.lots > 0);
  const one = open.length === 1;
  const count = `${open.length} ${one ? "position" : "positions"}`;
  if (venue !== "live") {
    if (open.length === 0) return "no position was open";
    return `${count} ${one ? "was open and is gone: it was" : "were open and are gone: they were"} simulated`;
  }
  if (open.length === 0) return "no position is open";
  const stay = `${count} ${one ? "stays" : "stay"} open`;
  const naked = open.filter((position) => !isProtected(state, position));
  if (naked.length === 0) return `${stay}, ${one ? "" : "each "}protected by a stop at the exchange`;
  const names = naked.map(({ symbol }) => state.config.instruments[symbol]!.symbol).join(", ");
  return `${stay}; WITHOUT a stop at the exchange: ${names}`;
}
