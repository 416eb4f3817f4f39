import { Counters } from "../telemetry/counters.ts";
import { createRegistry } from "../telemetry/exposition.ts";
import type { Answer } from "./api.ts";
import { Mirror } from "./mirror.ts";
import type { AdminRequest, AdminStart, FromAdmin, ToAdmin } from "./protocol.ts";
import { type AdminServer, serveAdmin } from "./server.ts";

/** The admin thread: everything that people and Prometheus ask, away from the thread that trades. */
declare const self: Worker;

/** How long an operator waits for the trading thread. */
const ASK_MS = 10_000;

let mirror: Mirror | undefined;
let server: AdminServer | undefined;
let asked = 0;
const open = new Map<number, (answer: Answer) => void>();

const tell = (message: FromAdmin) => self.postMessage(message);

self.onmessage = async ({ data }: MessageEvent<ToAdmin>) => {
  switch (data.kind) {
    case "start":
      return begin(data);
    case "update":
      if (mirror !== undefined) server?.events.send(mirror.update(data, performance.now()));
      return;
    case "answer":
      open.get(data.id)?.({ kind: data.ok ? "done" : "refused", message: data.message });
      open.delete(data.id);
      return;
    case "stop":
      await server?.stop();
      return tell({ kind: "stopped" });
    default:
      data satisfies never;
  }
};

function begin(start: AdminStart): void {
  mirror = new Mirror(start);
  const registry = createRegistry(new Counters(start.counters));
  try {
    server = serveAdmin({ start, mirror, ask, metrics: () => registry.metrics() });
  } catch (error) {
    return tell({ kind: "refused", message: (error as Error).message });
  }
  tell({ kind: "listening", url: server.url, port: server.port });
}

function ask(actor: string, request: AdminRequest): Promise<Answer> {
  const id = ++asked;
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      open.delete(id);
      resolve({ kind: "unknown", message: "the trading loop did not answer in time; it may still do what was asked" });
    }, ASK_MS);
    open.set(id, (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    tell({ kind: "ask", id, actor, request });
  });
}
