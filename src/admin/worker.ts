import type { MetricName } from "../telemetry/catalogue.ts";
import { Counters } from "../telemetry/counters.ts";
import { createRegistry } from "../telemetry/exposition.ts";
import type { Answer } from "./api.ts";
import { LatencyTrend } from "./latency.ts";
import { Mirror } from "./mirror.ts";
import type { AdminRequest, AdminStart, FromAdmin, ToAdmin } from "./protocol.ts";
import { type AdminServer, serveAdmin } from "./server.ts";

/** The admin thread: everything that people and Prometheus ask, away from the thread that trades. */
declare const self: Worker;

/** How long an operator waits for the trading thread. */
const ASK_MS = 10_000;

let mirror: Mirror | undefined;
let server: AdminServer | undefined;
let latency: LatencyTrend | undefined;
let asked = 0;
const open = new Map<number, (answer: Answer) => void>();

const tell = (message: FromAdmin) => self.postMessage(message);

self.onmessage = async ({ data }: MessageEvent<ToAdmin>) => {
  switch (data.kind) {
    case "start":
      return begin(data);
    case "update":
      latency?.sample(Date.now());
      if (mirror !== undefined) server?.events.send(mirror.update(data, performance.now()));
      return tell({ kind: "taken" });
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
  asked = start.askedBefore;
  mirror = new Mirror(start);
  const counters = new Counters(start.counters);
  const registry = createRegistry(counters);
  latency = new LatencyTrend(counters);
  const gauge = (name: MetricName) => [...counters.read(name)][0]!.values[0]!;
  const store = () => ({
    lagSeconds: gauge("penstock_database_lag_seconds"),
    pending: gauge("penstock_database_pending"),
    spoolBytes: gauge("penstock_spool_bytes"),
  });
  const metrics = () => {
    // These two are known here; everything else is written by the trading thread.
    counters.set("penstock_admin_clients", undefined, server?.events.clients ?? 0);
    counters.set("penstock_conflated_total", undefined, server?.events.conflated ?? 0);
    return registry.metrics();
  };
  try {
    server = serveAdmin({ start, mirror, ask, metrics, latency: () => latency?.points ?? [], store, onLockOut });
  } catch (error) {
    return tell({ kind: "refused", message: (error as Error).message });
  }
  tell({ kind: "listening", url: server.url, port: server.port });
}

/** Whoever guesses from many addresses is said once a minute. */
const LOCK_OUT_MS = 60_000;
let lockOutSaid = Number.NEGATIVE_INFINITY;

function onLockOut(address: string): void {
  const now = performance.now();
  if (now - lockOutSaid < LOCK_OUT_MS) return;
  lockOutSaid = now;
  tell({ kind: "notice", level: "warning", text: `somebody at ${address} tries tokens; the address has to wait` });
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
