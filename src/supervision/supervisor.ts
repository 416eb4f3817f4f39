import type { NotifierStart, Report } from "../notify/report.ts";
import { NOTIFIER_ARGUMENT } from "../notify/report.ts";
import { selfCommand, workerOf } from "../this-program.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { FromSupervisor, ToSupervisor } from "./protocol.ts";

const WORKER = workerOf("src/supervision/worker.ts");

/** How long the end of a run waits for the last report, ms. */
const STOP_MS = 4000;

export interface SupervisorOptions {
  /** ms after which a loop that stands still ends the process; Infinity for never. */
  readonly giveUp: number;
  /** Log file for what this thread cannot write then; empty: none. */
  readonly log: string;
  readonly notifier: NotifierStart | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onProblem: (text: string) => void;
  readonly onRecovered: (milliseconds: number) => void;
}

/** The trading thread's end of the supervisor: it beats, hands over reports, and says when it ends. */
export class Supervisor {
  readonly #worker: Worker;
  readonly #heartbeat = new Heartbeat();
  readonly #reports: boolean;
  #stopped: (() => void) | undefined;

  constructor(options: SupervisorOptions) {
    const { giveUp, log, notifier, environment, onProblem, onRecovered } = options;
    this.#reports = notifier !== undefined;
    this.#worker = new Worker(WORKER);
    this.#worker.onmessage = ({ data }: MessageEvent<FromSupervisor>) => {
      if (data.kind === "problem") onProblem(data.text);
      else if (data.kind === "recovered") onRecovered(data.milliseconds);
      else this.#stopped?.();
    };
    this.#worker.onerror = (event) => onProblem(`the supervisor failed: ${event.message}`);
    // The service manager may have meant another process than this one (sd_watchdog_enabled(3)).
    const { WATCHDOG_PID = String(process.pid), WATCHDOG_USEC = "0", NOTIFY_SOCKET = "" } = environment;
    this.#tell({
      kind: "start",
      heartbeat: this.#heartbeat.buffer,
      giveUp,
      log,
      notifySocket: NOTIFY_SOCKET,
      watchdog: WATCHDOG_PID === String(process.pid) ? Number(WATCHDOG_USEC) / 1000 : 0,
      ...(notifier === undefined
        ? {}
        : { notifier: { command: [...selfCommand(), NOTIFIER_ARGUMENT], start: notifier } }),
    });
  }

  /** To be called by the loop, however often. The first call begins the watch. */
  beat(): void {
    this.#heartbeat.beat();
  }

  report(report: Report): void {
    if (this.#reports) this.#tell({ kind: "report", report });
  }

  ready(status: string): void {
    this.#tell({ kind: "ready", status });
  }

  /** Ends the watch. @param farewell the last report */
  async stop(farewell: string): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      this.#stopped = resolve;
    });
    this.#tell({ kind: "stop", farewell });
    await Promise.race([stopped, Bun.sleep(STOP_MS)]);
    this.#worker.terminate();
  }

  #tell(message: ToSupervisor): void {
    this.#worker.postMessage(message);
  }
}
