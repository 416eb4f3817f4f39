import { tmpdir } from "node:os";
import { join } from "node:path";

/** What `faulty-worker.ts` does wrong. */
export interface Fault {
  readonly kind: "exit" | "throw" | "reject" | "overflow" | "hang" | "poison" | "heap-leak" | "memory-leak";
  /** First symbol of the range it strikes, in the tasks that reach a cycle. */
  readonly first: number;
  readonly cycle: number;
  readonly once: boolean;
}

/** Where the fault is written. Workers share the process id, and see no variable that is set after the start. */
export const FAULT_FILE = join(tmpdir(), `penstock-fault-${process.pid}.json`);
