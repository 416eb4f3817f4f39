import { basename } from "node:path";
import { openapi } from "@elysiajs/openapi";
import { Elysia, t } from "elysia";
import { answering, refusing, said } from "./answering.ts";
import type { Identity } from "./authentication.ts";
import { chartOf } from "./charts.ts";
import { type DataStatus, dataStatusOf } from "./data-status.ts";
import type { LatencyPoint } from "./latency.ts";
import type { Mirror } from "./mirror.ts";
import { modelRoutes } from "./model-routes.ts";
import { ADMIN_COMMANDS, type AdminCommand, type AdminRequest } from "./protocol.ts";
import * as answers from "./schemas.ts";
import { statisticsOf } from "./statistics.ts";
import { explain } from "./why.ts";

/** What the routes need to know and to be able to do. */
export interface ApiParts {
  readonly mirror: Mirror;
  /** Who asks; the gate has found it out before the request came here. */
  readonly identityOf: (request: Request) => Identity | undefined;
  /** Asks the trading thread and waits for its answer. */
  readonly ask: (actor: string, request: AdminRequest) => Promise<Answer>;
  /** ms of the monotonic clock. */
  readonly now: () => number;
  readonly metrics: () => Promise<string>;
  /** Folder of the models. */
  readonly models: string;
  /** How quick the trader was, as a trend. */
  readonly latency: () => readonly LatencyPoint[];
  /** How far the database is behind. */
  readonly store: () => StoreStatus;
}

export interface StoreStatus {
  readonly lagSeconds: number;
  readonly pending: number;
  readonly spoolBytes: number;
}

/** `unknown`: the trading thread did not answer in time; the request may still take effect. */
export type Answer = { readonly kind: "done" | "refused" | "unknown"; readonly message: string };

/** What has to be typed to confirm a command that closes positions or opens the way for new ones. */
export const CONFIRMATIONS: Readonly<Partial<Record<AdminCommand, string>>> = { flatten: "FLATTEN", kill: "KILL" };

/** Updates come several times a second; one that is older than this means that the trading loop stands still. */
export const STALE_MS = 10_000;

const Limit = t.Optional(t.Integer({ minimum: 1, maximum: 2000, description: "at most so many, the newest first" }));
const SymbolName = t.String({ minLength: 1, maxLength: 40, pattern: "^[^\\s/?#]+$", description: "such as BTCUSDT" });
const Time = t.Integer({ minimum: 0, maximum: 8.64e15, description: "ms since the epoch, UTC" });
const Commands = answers.words(ADMIN_COMMANDS);
const Confirm = t.Optional(t.String({ maxLength: 40, description: "the confirmation, typed" }));

const Health = t.Object({ ok: t.Boolean(), error: t.Optional(t.String()) });
const Ready = t.Object({ ready: t.Boolean() });

/** What the server answers by itself, beside the REST interface. */
const OTHER_PATHS = {
  "/api/session": {
    get: { operationId: "getApiSession", summary: "Who you are", responses: answering(answers.SessionAnswer) },
    post: {
      operationId: "postApiSession",
      summary: "Sign in: a cookie instead of the token from then on",
      security: [],
      requestBody: said(t.Object({ token: t.String({ maxLength: 1000 }) })),
      responses: answering(answers.SessionAnswer),
    },
    delete: {
      operationId: "deleteApiSession",
      summary: "Sign out; what this session listens to ends",
      responses: { 204: { description: "signed out" }, ...refusing() },
    },
  },
  "/api/events": {
    get: {
      operationId: "getApiEvents",
      summary: "WebSocket: what happens, as it happens, each message one JSON object with its `kind`",
      responses: { 426: said(answers.Failure, "this is a WebSocket"), ...refusing(503) },
    },
  },
};

/** The REST interface without the gate in front of it. All answers are JSON; money and prices in USDT, times in ms UTC. */
export function createApi(parts: ApiParts) {
  const { mirror, identityOf, ask, now, metrics } = parts;
  let data: DataStatus | undefined;
  const list = { query: t.Object({ limit: Limit, symbol: t.Optional(SymbolName) }) };
  const of = <T extends { readonly symbol: string }>(symbol: string | undefined) =>
    symbol === undefined ? undefined : (row: T) => row.symbol === symbol;

  const operate = async (request: Request, asked: AdminRequest) => {
    const identity = identityOf(request);
    if (identity?.role !== "operator") return json(403, { error: "this needs the operator's token" });
    const { kind, message } = await ask(identity.actor, asked);
    if (kind === "done") return json(200, { done: true, message });
    return json(kind === "refused" ? 409 : 504, { error: message });
  };

  return new Elysia({ normalize: true })
    .use(
      openapi({
        path: "/docs/none",
        specPath: "/api/openapi.json",
        provider: null,
        documentation: {
          info: {
            title: "Penstock",
            version: mirror.run.version,
            description:
              "Watch and operate a running trader. Money and prices in USDT, times in ms UTC, shares 0 to 1.",
          },
          components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
          security: [{ token: [] }],
          paths: OTHER_PATHS,
        },
      }),
    )
    .onError(({ code, error }) => {
      if (code === "NOT_FOUND") return json(404, { error: "there is no such path; see /docs" });
      if (code === "PARSE") return json(400, { error: "the body is not JSON" });
      if (code === "VALIDATION") {
        const { property, message } = firstProblem(error);
        return json(422, { error: `${property}: ${message}` });
      }
      // Nothing of an error goes out; it is a bug, and its place is the log.
      process.stderr.write(`penstock: admin: ${(error as Error).stack ?? String(error)}\n`);
      return json(500, { error: "this failed; the log has more" });
    })
    .get(
      "/healthz",
      () => {
        if (isFresh()) return json(200, { ok: true });
        const error = mirror.snapshot === undefined ? "trading has not begun yet" : "the trading loop stands still";
        return json(503, { ok: false, error });
      },
      {
        detail: {
          summary: "Whether the trading loop runs",
          security: [],
          responses: { ...answering(Health), 503: said(Health) },
        },
      },
    )
    .get(
      "/readyz",
      () => (mirror.snapshot !== undefined && isFresh() ? json(200, { ready: true }) : json(503, { ready: false })),
      {
        detail: {
          summary: "Whether it trades: history is loaded and the loop runs",
          security: [],
          responses: { ...answering(Ready), 503: said(Ready) },
        },
      },
    )
    .get("/metrics", async () => new Response(await metrics(), { headers: { "content-type": METRICS_TYPE } }), {
      detail: {
        summary: "Prometheus metrics",
        responses: {
          ...refusing(),
          200: { description: "the text format", content: { "text/plain": { schema: { type: "string" } } } },
        },
      },
    })
    .get("/api/overview", () => ({ run: withoutInstruments(), snapshot: mirror.snapshot ?? null }), {
      detail: { summary: "What runs, and the book as it is now", responses: answering(answers.Overview) },
    })
    .get("/api/symbols", () => mirror.run.instruments.map(({ symbol, maxLeverage }) => ({ symbol, maxLeverage })), {
      detail: { summary: "The contracts that are traded", responses: answering(answers.Symbols) },
    })
    .get("/api/positions", () => mirror.snapshot?.positions ?? [], {
      detail: { summary: "Open positions with their plan and protection", responses: answering(answers.Positions) },
    })
    .get("/api/orders", () => mirror.snapshot?.orders ?? [], {
      detail: { summary: "Orders that have not ended", responses: answering(answers.Orders) },
    })
    .get(
      "/api/fills",
      ({ query }) => mirror.fills.newest(query.limit ?? 200, fillsOf(query.symbol)).map((fill) => mirror.fillRow(fill)),
      {
        ...list,
        detail: { summary: "Fills, the newest first", responses: answering(answers.Fills) },
      },
    )
    .get("/api/signals", ({ query }) => mirror.signals.newest(query.limit ?? 200, of(query.symbol)), {
      ...list,
      detail: { summary: "Signals with their reasons and what became of them", responses: answering(answers.Signals) },
    })
    .get("/api/refusals", ({ query }) => mirror.refusals.newest(query.limit ?? 200, of(query.symbol)), {
      ...list,
      detail: { summary: "Signals that a guard refused, with the numbers", responses: answering(answers.Refusals) },
    })
    .get("/api/trades", ({ query }) => mirror.trades.newest(query.limit ?? 200, of(query.symbol)), {
      ...list,
      detail: { summary: "Closed trades", responses: answering(answers.Trades) },
    })
    .get(
      "/api/virtual",
      ({ query }) => ({
        statistics: mirror.snapshot?.virtual ?? null,
        closed: mirror.virtualTrades.newest(query.limit ?? 200, of(query.symbol)),
        chances: mirror.chances.filter(of(query.symbol) ?? (() => true)),
      }),
      {
        ...list,
        detail: {
          summary: "Virtual positions: what became of every signal, traded or not",
          responses: answering(answers.Virtual),
        },
      },
    )
    .get("/api/stop-moves", ({ query }) => mirror.stopMoves.newest(query.limit ?? 200, of(query.symbol)), {
      ...list,
      detail: { summary: "Working stops as they were moved", responses: answering(answers.StopMoves) },
    })
    .get("/api/equity", () => mirror.equity, {
      detail: { summary: "The equity curve", responses: answering(answers.Equity) },
    })
    .get("/api/statistics", () => statisticsOf(mirror, parts.latency()), {
      detail: {
        summary: "Results by hour, day, exit, set-up and symbol, and how quick the trader was",
        responses: answering(answers.StatisticsAnswer),
      },
    })
    .get("/api/states", ({ query }) => mirror.stateChanges.newest(query.limit ?? 200), {
      query: t.Object({ limit: Limit }),
      detail: { summary: "Changes of the trading state with their reasons", responses: answering(answers.States) },
    })
    .get("/api/log", ({ query }) => mirror.notices.newest(query.limit ?? 500), {
      query: t.Object({ limit: Limit }),
      detail: { summary: "Notices, the newest first", responses: answering(answers.Log) },
    })
    .get("/api/incidents", ({ query }) => mirror.incidents.newest(query.limit ?? 200), {
      query: t.Object({ limit: Limit }),
      detail: {
        summary: "Warnings and alarms, each kind once: how often, first and last; the one that happened last is first",
        responses: answering(answers.IncidentList),
      },
    })
    .get(
      "/api/data",
      () => {
        const { panel, run } = mirror;
        if (panel === undefined) return json(503, { error: "there are no bars yet" });
        // Worked out once per bar, however many ask.
        const newest = panel.published(0) < 0 ? null : panel.openTime(0, panel.published(0)) + panel.timeframes[0]!.ms;
        if (data === undefined || data.newest !== newest) data = dataStatusOf(panel, run.instruments);
        return { ...data, store: parts.store() };
      },
      {
        detail: {
          summary: "Which bars there are and which are missing, by symbol; how far the database is behind",
          responses: answering(answers.Data, 503),
        },
      },
    )
    .get("/api/audit", ({ query }) => mirror.audit.newest(query.limit ?? 200), {
      query: t.Object({ limit: Limit }),
      detail: { summary: "What operators did, and tried", responses: answering(answers.Audit) },
    })
    .get(
      "/api/chart",
      ({ query }) => {
        const symbol = mirror.run.instruments.findIndex((instrument) => instrument.symbol === query.symbol);
        if (symbol < 0) return json(404, { error: `${query.symbol} is not traded here` });
        const { panel } = mirror;
        if (panel === undefined) return json(503, { error: "there are no bars yet" });
        const names = panel.timeframes.map(({ name }) => name);
        const timeframe = query.timeframe ?? "5m";
        if (!names.includes(timeframe)) return json(422, { error: `timeframe: one of ${names.join(", ")}` });
        return chartOf(panel, symbol, timeframe, query.limit ?? 300);
      },
      {
        query: t.Object({ symbol: SymbolName, timeframe: t.Optional(t.String({ maxLength: 8 })), limit: Limit }),
        detail: {
          summary: "Bars of a symbol, oldest first, with the market structure that is active after them",
          responses: answering(answers.ChartAnswer, 404, 503),
        },
      },
    )
    .get(
      "/api/why",
      ({ query }) => {
        const known = mirror.run.instruments.some(({ symbol }) => symbol === query.symbol);
        if (!known) return json(404, { error: `${query.symbol} is not traded here` });
        return explain(mirror, query.symbol, query.at ?? mirror.snapshot?.lastBar ?? 0);
      },
      {
        query: t.Object({ symbol: SymbolName, at: t.Optional(Time) }),
        detail: {
          summary: "Why a bar of a symbol led to what it led to; `at` is the close of the bar",
          responses: answering(answers.Why, 404),
        },
      },
    )
    .use(modelRoutes(parts, operate))
    .get("/api/settings", () => mirror.settings, {
      detail: { summary: "All settings with help; secrets are hidden", responses: answering(answers.SettingsAnswer) },
    })
    .put(
      "/api/settings/:name",
      ({ request, params, body }) =>
        operate(request, { kind: "setting", name: params.name, value: String(body.value) }),
      {
        params: t.Object({ name: t.String({ minLength: 1, maxLength: 80 }) }),
        body: t.Object({ value: t.Union([t.String({ maxLength: 200 }), t.Number(), t.Boolean()]) }),
        detail: {
          summary: "Change a setting while running; bounds of risk only towards the safe side",
          responses: answering(answers.Done, 403, 409, 504),
        },
      },
    )
    .post(
      "/api/commands",
      ({ request, body }) => {
        const { command, confirm } = body;
        const wanted = CONFIRMATIONS[command];
        if (identityOf(request)?.role === "operator" && wanted !== undefined && confirm !== wanted) {
          return json(409, { error: `${command} closes all positions: confirm it with "confirm": "${wanted}"` });
        }
        return operate(request, { kind: "command", command });
      },
      {
        // No UnionEnum: it would take its first value for what is missing, and an empty body would pause the trading.
        body: t.Object({ command: Commands, confirm: Confirm }),
        detail: {
          summary:
            "pause and reduce-only: no new entries. resume: trade again. flatten: close all and keep running. kill: close all, cancel all, and end the process",
          responses: answering(answers.Done, 403, 409, 504),
        },
      },
    );

  function isFresh(): boolean {
    return now() - mirror.heardAt < STALE_MS;
  }

  function withoutInstruments() {
    const { instruments, ...run } = mirror.run;
    // Where the journal lies is the machine's own affair.
    return { ...run, journal: basename(run.journal), symbols: instruments.length };
  }

  function fillsOf(symbol: string | undefined) {
    if (symbol === undefined) return undefined;
    const index = mirror.run.instruments.findIndex((instrument) => instrument.symbol === symbol);
    return (fill: { readonly symbol: number }) => fill.symbol === index;
  }
}

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function json(status: number, body: unknown): Response {
  return Response.json(body, { status });
}

/** What was wrong with a request first, without giving its content back. */
function firstProblem(error: unknown): { property: string; message: string } {
  const { all } = error as { all?: readonly { path?: string; summary?: string; message?: string }[] };
  const first = all?.[0];
  return {
    property: first?.path || "the request",
    message: first?.summary ?? first?.message ?? "is not as documented",
  };
}
