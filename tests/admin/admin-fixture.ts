import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answer } from "../../src/admin/api.ts";
import { Mirror } from "../../src/admin/mirror.ts";
import type { AdminRequest, AdminStart, AdminUpdate } from "../../src/admin/protocol.ts";
import { type AdminServer, serveAdmin } from "../../src/admin/server.ts";
import { takeSnapshot } from "../../src/admin/snapshot.ts";
import { settingRows } from "../../src/config/document.ts";
import { loadSettings } from "../../src/config/load.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { analysisOptions, newPanel, newState } from "../../src/service/assembly.ts";
import { COUNTERS_BYTES } from "../../src/telemetry/counters.ts";

export const OPERATOR = "operator-token-of-the-test";
export const VIEWER = "viewer-token-of-the-test";
const SYMBOLS = 9;

export interface Admin {
  readonly server: AdminServer;
  readonly mirror: Mirror;
  readonly base: string;
  readonly port: number;
  readonly asked: AdminRequest[];
  readonly lockedOut: string[];
  /** Something in it fails from now on. */
  breakMetrics(): void;
}

/** The one model that is registered, of which only the description is there. */
export const MODEL = "0123456789ab";

function modelFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "penstock-models-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, MODEL));
  const manifest = {
    ...{ id: MODEL, strategy: "hybrid", kind: "trees", variant: "stumps", createdAt: 1, samples: 2, trainedFrom: 0 },
    ...{ trainedTo: 1, passed: false, metrics: { auc: 0.5, pbo: null }, parameters: { depth: 1 }, threshold: 0.5 },
    ...{ gate: [{ name: "a", passed: false, detail: "b" }], leakage: [] },
  };
  writeFileSync(join(folder, MODEL, "manifest.json"), JSON.stringify(manifest));
  return folder;
}

/** A small invented market, its panel filled with some hours of bars, and everything a worker is started with. */
export function startOfTest(overrides: Partial<AdminStart> = {}) {
  const loaded = loadSettings({ STRATEGY_MODE: "ict", DATA_DIR: "/a-folder-of-this-machine" });
  const source = generateMarket({ seed: 3, symbols: SYMBOLS, start: Date.UTC(2026, 0, 1), historySteps: 700 });
  const panel = newPanel(source);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  for (let i = 0; i < 600; i++) feed.step(source.step()!);
  const state = newState(loaded.settings, source.instruments, source.start);
  state.holds.add("lease");
  state.barred.set(-1, { entries: "none", reason: "a test" }).set(2, { entries: "smallest", reason: "a test" });
  const analysis = analysisOptions(loaded.settings, source);
  const start: AdminStart = {
    kind: "start",
    host: "127.0.0.1",
    port: 0,
    anyPort: false,
    askedBefore: 0,
    operatorToken: OPERATOR,
    viewerToken: VIEWER,
    hosts: [],
    models: modelFolder(),
    metricsOpen: false,
    run: {
      version: "0",
      venue: "simulated",
      market: "a test",
      speed: 1,
      strategy: "ict",
      instruments: source.instruments,
      tradeFrom: source.start,
      balance: 10_000,
      startedAt: 0,
      journal: "/a-folder-of-this-machine/journal/x.journal",
      settingsHash: "a",
      dataHash: "b",
    },
    settings: [...settingRows(loaded)].map(([section, rows]) => ({ section, rows })),
    panel: panel.buffer,
    analysis,
    counters: new SharedArrayBuffer(COUNTERS_BYTES),
    ...overrides,
  };
  return { start, state, loaded, panel, analysis };
}

/** The server of the admin worker in this thread, with a trading thread that agrees with everything. */
export function serveTest(
  overrides: Partial<AdminStart> = {},
  answer: Answer = { kind: "done", message: "done" },
): Admin {
  const { start, state } = startOfTest(overrides);
  const mirror = new Mirror(start);
  const asked: AdminRequest[] = [];
  const lockedOut: string[] = [];
  let broken = false;
  const server = serveAdmin({
    start,
    mirror,
    ask: async (_, request) => {
      asked.push(request);
      return answer;
    },
    metrics: async () => {
      if (broken) throw new Error("secret /path/of/this/machine");
      return "penstock_up 1\n";
    },
    latency: () => [],
    store: () => ({ lagSeconds: 0, pending: 0, spoolBytes: 0 }),
    onLockOut: (address) => lockedOut.push(address),
  });
  mirror.update(updateOf(state), performance.now());
  const { port } = server;
  return {
    server,
    mirror,
    base: server.url.slice(0, -1),
    port,
    asked,
    lockedOut,
    breakMetrics: () => {
      broken = true;
    },
  };
}

/** One of everything that the trading thread may tell. */
export function updateOf(state: Parameters<typeof takeSnapshot>[0]): AdminUpdate {
  const time = state.now;
  const candidate = {
    symbol: 1,
    strategy: "ict",
    setup: "gap",
    direction: 1,
    entry: 100,
    stop: 90,
    target: 120,
    confidence: 0.5,
    scores: { trend: 0.5 },
    reasons: ["because"],
  } as const;
  const trade = {
    symbol: 1,
    leg: "both",
    direction: 1,
    entryTime: time,
    exitTime: time + 60_000,
    lots: 10,
    entryNotional: 1_000_000_000n,
    exitNotional: 1_100_000_000n,
    fees: 1000n,
    funding: 0n,
    pnl: 99_999_000n,
    reason: "target",
    strategy: "ict",
    setup: "gap",
    confidence: 0.5,
    plannedEntry: 100,
    stop: 90,
    target: 120,
    leverage: 3,
    reasons: ["because"],
  } as const;
  return {
    kind: "update",
    snapshot: takeSnapshot(state, 0),
    records: [
      { kind: "signal", time, candidate, rank: 1 },
      { kind: "refusal", time, symbol: 1, guard: "volatility", reason: "too calm", numbers: { atr: 0.1 } },
      { kind: "closed", time, trade },
      { kind: "equity", time, equity: 1e12, wallet: 1e12, unrealised: 0, margin: 0, exposure: 0, positions: 0 },
      { kind: "trading-state", time, from: "normal", to: "cautious", reason: "a test" },
      { kind: "stop-moved", time, symbol: 1, leg: "both", from: 90, to: 95 },
    ],
    fills: [{ time, symbol: 1, order: 7, purpose: "entry", side: 1, lots: 10, price: 100, fee: 500, maker: false }],
    notices: [
      { time, at: 1, level: "warning", text: "worker 1 was replaced" },
      { time: time + 1, at: 2, level: "warning", text: "worker 2 was replaced" },
      { time, at: 3, level: "info", text: "hello" },
    ],
    audit: [{ at: 1, time, actor: "operator:01234567", action: "pause", result: "done" }],
  };
}
