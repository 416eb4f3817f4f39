import "../../src/admin/worker.ts";
import type { ToAdmin } from "../../src/admin/protocol.ts";

/** The admin worker, which fails when it is told that the loop is a certain time behind. */
declare const self: Worker;

const serve = self.onmessage!;
self.onmessage = (event: MessageEvent<ToAdmin>) => {
  if (event.data.kind === "update" && event.data.snapshot.behind === 101) throw new Error("broken on purpose");
  if (event.data.kind === "update" && event.data.snapshot.behind === 102) process.exit(3);
  // A worker that hangs takes nothing and says nothing.
  if (event.data.kind === "update" && event.data.snapshot.behind === 103) return;
  return serve.call(self, event);
};
