import { appendFileSync, writeSync } from "node:fs";
import { exitAtOnce, openNotifySocket } from "../native.ts";
import { Heartbeat } from "./heartbeat.ts";
import { NotifierProcess } from "./notifier-process.ts";
import { type FromSupervisor, STALL_EXIT_CODE, type ToSupervisor } from "./protocol.ts";
import { StallWatch } from "./stall-watch.ts";

/** The supervisor's thread: it lives while the trading loop may not, and so is the one that speaks about it. */
declare const self: Worker;

const INTERVAL_MS = 250;
/** The admin worker calls the process sick after the same time. */
const REPORT_MS = 10_000;
const LAST_WORDS_MS = 2500;
const STANDARD_ERROR = 2;

type Start = Extract<ToSupervisor, { kind: "start" }>;

let notifier: NotifierProcess | undefined;
let tellManager: ((text: string) => boolean) | undefined;
let timer: ReturnType<typeof setInterval> | undefined;

const tell = (message: FromSupervisor) => self.postMessage(message);

self.onmessage = async ({ data }: MessageEvent<ToSupervisor>) => {
  switch (data.kind) {
    case "start":
      return begin(data);
    case "report":
      return notifier?.report(data.report);
    case "ready":
      tellManager?.(`READY=1\nSTATUS=${data.status}`);
      return;
    case "stop":
      clearInterval(timer);
      tellManager?.(`STOPPING=1\nSTATUS=${data.farewell}`);
      await notifier?.goodbye(data.farewell, LAST_WORDS_MS);
      return tell({ kind: "stopped" });
    default:
      data satisfies never;
  }
};

function begin(start: Start): void {
  const heartbeat = new Heartbeat(start.heartbeat);
  const { giveUp } = start;
  const report = giveUp / 2 < REPORT_MS ? giveUp / 2 : REPORT_MS;
  const watch = new StallWatch({ interval: INTERVAL_MS, report, giveUp });
  if (start.notifySocket !== "") tellManager = openNotifySocket(start.notifySocket);
  if (start.notifier !== undefined) {
    const { command, start: how } = start.notifier;
    notifier = new NotifierProcess(command, how, (text) => tell({ kind: "problem", text }));
  }
  let signed = Number.NEGATIVE_INFINITY;
  timer = setInterval(() => {
    const now = performance.now();
    const finding = watch.look(heartbeat.beats, now);
    if (finding?.kind === "stalled") {
      const text = `the trading loop has stood still for ${seconds(finding.milliseconds)}`;
      speak(start.log, "warn", text);
      tellManager?.(`STATUS=${text}`);
      notifier?.report({ kind: "line", weight: "alarm", text });
    } else if (finding?.kind === "recovered") {
      tell({ kind: "recovered", milliseconds: finding.milliseconds });
    } else if (finding?.kind === "given up") {
      clearInterval(timer);
      void end(
        start.log,
        `the trading loop has stood still for ${seconds(finding.milliseconds)}: the process ends itself to be started anew`,
      );
    }
    // A service manager that hears nothing ends the process: it hears of a loop that goes, not of this thread.
    if (start.watchdog > 0 && !watch.isStalled && now - signed >= start.watchdog / 3) {
      signed = now;
      tellManager?.("WATCHDOG=1");
    }
  }, INTERVAL_MS);
}

async function end(log: string, text: string): Promise<void> {
  speak(log, "error", text);
  tellManager?.(`STATUS=${text}`);
  await notifier?.goodbye(`**ALARM** ${text}`, LAST_WORDS_MS);
  exitAtOnce(STALL_EXIT_CODE);
}

/** The main thread writes log and messages, but not now. */
function speak(log: string, level: "warn" | "error", text: string): void {
  writeSync(STANDARD_ERROR, `penstock: ${text}\n`);
  if (log === "") return;
  try {
    appendFileSync(log, `${JSON.stringify({ level, time: new Date().toISOString(), msg: text })}\n`);
  } catch (error) {
    writeSync(STANDARD_ERROR, `penstock: ${log}: ${(error as Error).message}\n`);
  }
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}
