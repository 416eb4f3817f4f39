import { existsSync, readFileSync, rmSync } from "node:fs";
import "../../src/analysis/worker.ts";
import type { ToWorker } from "../../src/analysis/protocol.ts";
import { FAULT_FILE, type Fault } from "./fault.ts";

/**
 * The analysis worker with a fault planted into it: when it comes to a task that covers the fault's cycle for the
 * fault's range, it does what the fault file says. A fault that strikes once takes the file away first.
 */
declare const self: Worker;

const work = self.onmessage as (message: MessageEvent<ToWorker>) => void;
const kept: unknown[] = [];

self.onmessage = (message: MessageEvent<ToWorker>) => {
  const { data } = message;
  if (data.kind !== "analyse" || !existsSync(FAULT_FILE)) return work.call(self, message);
  const fault: Fault = JSON.parse(readFileSync(FAULT_FILE, "utf8"));
  const struck = data.first === fault.first && fault.cycle <= data.to;
  if (!struck) return work.call(self, message);
  if (fault.once) rmSync(FAULT_FILE);
  strike(fault.kind, message);
};

function strike(kind: Fault["kind"], message: MessageEvent<ToWorker>): void {
  switch (kind) {
    case "exit":
      return process.exit(7);
    case "throw":
      throw new Error("planted");
    case "reject":
      void Promise.reject(new Error("planted"));
      return;
    case "overflow":
      overflow(0);
      return;
    case "hang":
      for (;;) Bun.sleepSync(1000);
    case "poison":
      self.postMessage({
        kind: "failed",
        task: message.data.task,
        heap: 0,
        message: "planted poison",
        exitCode: undefined,
      });
      return;
    case "heap-leak":
      for (let i = 0; i < 2_500_000; i++) kept.push({ i });
      return work.call(self, message);
    case "memory-leak":
      for (;;) {
        kept.push(new Uint8Array(4e6).fill(1));
        Bun.sleepSync(10);
      }
  }
}

function overflow(depth: number): number {
  return 1 + overflow(depth + 1);
}
