import { type Static, type TSchema, t } from "elysia";
import { TRADING_STATES } from "../core/effects.ts";
import { BREAKER_LEVELS, HOLDS, LEGS } from "../core/events.ts";
import type { Chart } from "./charts.ts";
import type { DataStatus } from "./data-status.ts";
import type { Incident } from "./incidents.ts";
import type { EquityPoint, Mirror, RefusalRow, SignalRow, StopMove, TradeRow, VirtualRow } from "./mirror.ts";
import type { AdminSettingRow, AuditEntry, Notice } from "./protocol.ts";
import type { OrderRow, PositionRow, Snapshot } from "./snapshot.ts";
import type { Group, Statistics } from "./statistics.ts";
import type { Explanation } from "./why.ts";

/**
 * What answers look like, for the OpenAPI document. The compiler holds each against the type that the code fills, and
 * tests/admin/fuzz.test.ts holds every answer against the document; nothing is checked while running.
 */

/** A schema of exactly this type: neither wider nor narrower. */
const of =
  <T>() =>
  <S extends TSchema>(
    schema: S & (Writable<T> extends Static<S> ? (Static<S> extends Writable<T> ? unknown : never) : never),
  ): S =>
    schema;

/** Schemas know no `readonly`. */
type Writable<T> = T extends readonly (infer U)[]
  ? Writable<U>[]
  : T extends object
    ? { -readonly [K in keyof T]: Writable<T[K]> }
    : T;

/** One of some words. */
export const words = <T extends string>(values: readonly T[]) =>
  t.Union(values.map((value) => t.Literal(value)) as never) as unknown as ReturnType<typeof t.Unsafe<T>>;
const time = t.Number({ description: "ms UTC" });
const orNull = <S extends TSchema>(schema: S) => t.Union([schema, t.Null()]);
const numbers = t.Record(t.String(), t.Number());
const long = words(["long", "short"] as const);

export const Failure = t.Object({ error: t.String({ description: "one sentence" }) });
export const Done = t.Object({ done: t.Literal(true), message: t.String() });

const chanceNow = {
  model: t.String(),
  probability: t.Number({ description: "that a trade of this side, proposed now, would gain after costs" }),
  unlike: t.Boolean({ description: "the market is unlike all that the model was trained on" }),
  at: time,
};

const position = of<PositionRow>()(
  t.Object({
    symbol: t.String(),
    leg: words(LEGS),
    direction: long,
    phase: words(["opening", "open", "closing"] as const),
    quantity: t.Number(),
    entry: t.Number(),
    mark: t.Number(),
    stop: t.Number(),
    disasterStop: t.Number(),
    target: t.Number(),
    leverage: t.Number(),
    notional: t.Number(),
    margin: t.Number(),
    unrealised: t.Number({ description: "without fees and funding" }),
    fees: t.Number(),
    funding: t.Number(),
    protected: t.Boolean({ description: "a stop at the exchange is acknowledged behind all of it" }),
    openedAt: time,
    strategy: t.String(),
    setup: t.String(),
    confidence: t.Number(),
    reasons: t.Array(t.String()),
    chance: t.Object({
      entered: orNull(t.Number({ description: "that it was entered on; null where the rules decided" })),
      now: orNull(t.Object(chanceNow)),
    }),
  }),
);
export const Positions = t.Array(position);

const order = of<OrderRow>()(
  t.Object({
    id: t.Number(),
    symbol: t.String(),
    purpose: t.String(),
    type: t.String(),
    side: words(["buy", "sell"] as const),
    quantity: t.Number(),
    filled: t.Number(),
    price: t.Number({ description: "0 where it has none" }),
    trigger: t.Number(),
    closePosition: t.Boolean(),
    state: t.String(),
  }),
);
export const Orders = t.Array(order);

const virtualStatistics = of<Snapshot["virtual"]>()(
  t.Object({
    live: t.Number(),
    opened: t.Number(),
    missed: t.Number(),
    marked: t.Number(),
    targets: t.Number(),
    stops: t.Number(),
    expired: t.Number(),
    wins: t.Number(),
    result: t.Number({ description: "R" }),
    gains: t.Number(),
    losses: t.Number(),
  }),
);

const snapshot = of<Snapshot>()(
  t.Object({
    time,
    behind: t.Number({ description: "ms" }),
    trading: words(TRADING_STATES),
    floor: words(TRADING_STATES),
    breaker: words(BREAKER_LEVELS),
    connected: t.Boolean(),
    holds: t.Array(words(HOLDS), { description: "why the service keeps entries back" }),
    barred: t.Array(
      t.Object({
        symbol: orNull(t.String({ description: "null: all" })),
        entries: words(["smallest", "none"] as const),
        reason: t.String(),
      }),
    ),
    model: t.String({ description: "the model that decides; empty while the rules do" }),
    equity: t.Number(),
    wallet: t.Number(),
    unrealised: t.Number(),
    margin: t.Number(),
    exposure: t.Number(),
    drawdown: t.Number(),
    dayStartEquity: t.Number(),
    consecutiveLosses: t.Number(),
    winRate: t.Optional(t.Number()),
    lastBar: time,
    listed: t.Number(),
    events: t.Number(),
    positions: Positions,
    orders: Orders,
    virtual: virtualStatistics,
  }),
);

export const Overview = t.Object({
  run: t.Object({
    version: t.String(),
    venue: t.String(),
    market: t.String(),
    speed: t.Union([t.Number(), t.Literal("max")]),
    strategy: t.String(),
    symbols: t.Number(),
    tradeFrom: time,
    balance: t.Number(),
    startedAt: time,
    journal: t.String(),
    settingsHash: t.String(),
    dataHash: t.String(),
  }),
  snapshot: orNull(snapshot),
});

export const Symbols = t.Array(t.Object({ symbol: t.String(), maxLeverage: t.Number() }));

export const Fills = t.Array(
  of<ReturnType<Mirror["fillRow"]>>()(
    t.Object({
      time,
      symbol: t.String(),
      order: t.Number(),
      purpose: t.Unsafe<ReturnType<Mirror["fillRow"]>["purpose"]>(t.String()),
      side: t.String(),
      quantity: t.Number(),
      price: t.Number(),
      fee: t.Number(),
      maker: t.Boolean(),
    }),
  ),
);

const signal = of<SignalRow>()(
  t.Object({
    time,
    symbol: t.String(),
    rank: t.Number(),
    direction: long,
    strategy: t.String(),
    setup: t.String(),
    entry: t.Number(),
    stop: t.Number(),
    target: t.Number(),
    confidence: t.Number(),
    scores: numbers,
    reasons: t.Array(t.String()),
    outcome: t.String({ description: "`opened`, or guard and reason; empty while nobody knows" }),
  }),
);
export const Signals = t.Array(signal);

const refusal = of<RefusalRow>()(
  t.Object({ time, symbol: t.String(), guard: t.String(), reason: t.String(), numbers }),
);
export const Refusals = t.Array(refusal);

const trade = of<TradeRow>()(
  t.Object({
    symbol: t.String(),
    leg: t.String(),
    direction: long,
    entryTime: time,
    exitTime: time,
    quantity: t.Number(),
    entry: t.Number(),
    exit: t.Number(),
    pnl: t.Number({ description: "after fees and funding" }),
    fees: t.Number(),
    funding: t.Number(),
    reason: t.String(),
    strategy: t.String(),
    setup: t.String(),
    confidence: t.Number(),
    leverage: t.Number(),
    plannedEntry: t.Number(),
    stop: t.Number(),
    target: t.Number(),
  }),
);
export const Trades = t.Array(trade);

export const Virtual = t.Object({
  statistics: orNull(virtualStatistics),
  chances: t.Array(t.Object({ symbol: t.String(), direction: long, ...chanceNow }), {
    description: "what the model in charge says now of every side that a position is open in, real or virtual",
  }),
  closed: t.Array(
    of<VirtualRow>()(
      t.Object({
        id: t.Number(),
        symbol: t.String(),
        direction: long,
        setup: t.String(),
        confidence: t.Number(),
        entryTime: time,
        exitTime: time,
        entry: t.Number(),
        exit: t.Number(),
        outcome: t.String(),
        result: t.Number({ description: "R, before costs" }),
      }),
    ),
  ),
});

const stopMove = of<StopMove>()(t.Object({ time, symbol: t.String(), from: t.Number(), to: t.Number() }));
export const StopMoves = t.Array(stopMove);

export const Equity = t.Array(
  of<EquityPoint>()(t.Object({ time, equity: t.Number(), exposure: t.Number(), positions: t.Number() })),
);

const groupFields = {
  trades: t.Number(),
  wins: t.Number(),
  pnl: t.Number(),
  fees: t.Number(),
  averageR: orNull(t.Number()),
};
const groups = t.Record(t.String(), of<Group>()(t.Object(groupFields)));
export const StatisticsAnswer = of<Statistics>()(
  t.Object({
    ...groupFields,
    profitFactor: orNull(t.Number()),
    averageWin: orNull(t.Number()),
    averageLoss: orNull(t.Number()),
    unplannedStops: t.Number(),
    byReason: groups,
    bySetup: groups,
    bySymbol: groups,
    byHour: t.Array(t.Object({ ...groupFields, hour: time })),
    byDay: t.Array(
      t.Object({
        ...groupFields,
        day: time,
        slippageP50: t.Number({ description: "basis points; positive is worse" }),
        slippageP90: t.Number(),
        unplannedStops: t.Number(),
      }),
    ),
    latency: t.Array(
      t.Object({
        at: time,
        steps: t.Number(),
        stepP50: orNull(t.Number({ description: "seconds" })),
        stepP99: orNull(t.Number()),
        cycleP50: orNull(t.Number()),
        cycleP99: orNull(t.Number()),
      }),
    ),
  }),
);

export const States = t.Array(t.Object({ time, from: t.String(), to: t.String(), reason: t.String() }));
export const Log = t.Array(
  of<Notice>()(t.Object({ time, at: time, level: words(["info", "warning", "alarm"] as const), text: t.String() })),
);
export const IncidentList = t.Array(
  of<Incident>()(
    t.Object({
      level: words(["warning", "alarm"] as const),
      text: t.String(),
      count: t.Number(),
      first: time,
      last: time,
      at: time,
    }),
  ),
);
export const Audit = t.Array(
  of<AuditEntry>()(
    t.Object({
      at: time,
      time,
      actor: t.String(),
      action: t.String(),
      from: t.Optional(t.String()),
      to: t.Optional(t.String()),
      result: t.String({ description: "`done`, or why not" }),
    }),
  ),
);

export const ChartAnswer = of<
  Omit<Chart, "structure" | "bars"> & { bars: number[][]; structure: Record<string, unknown>[] }
>()(
  t.Object({
    timeframe: t.String(),
    ms: t.Number(),
    bars: t.Array(t.Array(t.Number(), { description: "open time, open, high, low, close, volume" })),
    structure: t.Array(t.Record(t.String(), t.Unknown())),
  }),
);

export const Why = of<Explanation>()(
  t.Object({
    symbol: t.String(),
    at: time,
    summary: t.String(),
    signals: Signals,
    refusals: Refusals,
    stopMoves: StopMoves,
    trades: Trades,
    position: orNull(position),
    regime: orNull(t.String()),
    checks: t.Array(t.Object({ asked: t.String(), passed: t.Boolean(), found: t.String() })),
    features: t.Record(t.String(), orNull(t.Number())),
  }),
);

export const Data = of<DataStatus & { store: { lagSeconds: number; pending: number; spoolBytes: number } }>()(
  t.Object({
    newest: orNull(time),
    timeframes: t.Array(t.Object({ name: t.String(), ms: t.Number(), bars: t.Number() })),
    symbols: t.Array(
      t.Object({
        symbol: t.String(),
        bars: t.Number(),
        first: orNull(time),
        last: orNull(time),
        gaps: t.Number(),
        missing: t.Number(),
        flat: t.Number(),
      }),
    ),
    store: t.Object({ lagSeconds: t.Number(), pending: t.Number(), spoolBytes: t.Number() }),
  }),
);

const settingValue = t.Union([t.String(), t.Number(), t.Boolean()]);
export const SettingsAnswer = t.Array(
  t.Object({
    section: t.String(),
    rows: t.Array(
      of<AdminSettingRow>()(
        t.Object({
          name: t.String(),
          value: settingValue,
          source: t.Unsafe<AdminSettingRow["source"]>(t.String()),
          default: settingValue,
          type: t.Unsafe<AdminSettingRow["type"]>(t.String()),
          unit: t.Optional(t.String()),
          allowed: t.String(),
          help: t.String(),
          changeableAtRunTime: t.Boolean(),
          changesDecisions: t.Boolean(),
          available: t.Boolean(),
          note: t.Optional(t.String()),
          safer: t.Optional(words(["lower", "higher"] as const)),
          startedWith: t.Optional(settingValue),
        }),
      ),
    ),
  }),
);

export const SessionAnswer = t.Object({ role: orNull(words(["viewer", "operator"] as const)) });
