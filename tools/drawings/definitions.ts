import type { StructureEvent } from "../../src/structure/events.ts";
import { BreakoutWatch } from "../../src/structure/regime.ts";
import { type StructureOptions, StructureTracker } from "../../src/structure/tracker.ts";
import { type Candle, type Colour, candlesSvg, type Line, type Mark, type Zone } from "./candles.ts";

/** Open, high, low, close. */
type Row = readonly [number, number, number, number];

interface Definition {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly options?: Partial<StructureOptions>;
  /** Distance of the bars in ms, five minutes by default. */
  readonly step?: number;
  /** Which lines of the log are drawn. */
  readonly shown: (event: StructureEvent) => boolean;
}

const SMALL = { swingLength: 2, externalLength: 5, atrPeriod: 5, sessions: false } as const;

/** Candles through these closes, each opening where the one before closed, with wicks of this length. */
function path(closes: readonly number[], wick = 0.4): Row[] {
  return closes.slice(1).map((close, i) => {
    const open = closes[i]!;
    return [open, Math.max(open, close) + wick, Math.min(open, close) - wick, close];
  });
}

const DEFINITIONS: Readonly<Record<string, Definition>> = {
  scales: {
    title: "Internal swings (2 bars on each side here) and external ones (5), with the breaks of both",
    rows: path([
      10, 11, 12.5, 14, 13, 12.2, 13, 13.8, 12.8, 11.5, 10, 9, 9.8, 10.6, 9.9, 9.4, 10.5, 11.6, 13.2, 12.6, 12.1, 13.4,
      15, 16, 15.2, 14.6, 15.4, 14.4, 13, 11.6, 10.8, 9.6, 8.4, 7.6,
    ]),
    options: SMALL,
    shown: ({ kind, event }) => event === "confirmed" && (kind === "swing" || kind === "break"),
  },
  blocks: {
    title: "An order block: break, test, mitigation, failure; then a breaker, and its test",
    rows: [
      ...path([10, 11, 12.6, 13.6, 12.6, 11.6, 10.4, 9.4, 11, 13, 15, 15.6, 15]),
      [15, 15.2, 10.3, 12],
      [12, 14, 11.8, 13.6],
      [13.6, 14, 9.7, 11.4],
      [11.4, 12.4, 11.2, 12],
      [12, 12.2, 8, 8.4],
      [8.4, 8.6, 7.6, 7.8],
      [7.8, 8.4, 7.4, 8.2],
      [8.2, 9.9, 8, 8.6],
      [8.6, 8.8, 7, 7.2],
    ],
    options: SMALL,
    shown: ({ kind, direction, formedAt }) =>
      (kind === "order-block" && direction === "bullish") ||
      (kind === "breaker" && direction === "bearish") ||
      (kind === "break" && direction === "bullish" && formedAt > 0),
  },
  gaps: {
    title: "A fair value gap: formed by three bars, half filled, filled",
    rows: [
      [10, 10.6, 9.6, 10.4],
      [10.4, 10.8, 10, 10.6],
      [10.6, 13.6, 10.5, 13.4],
      [13.4, 14.6, 12.4, 14.2],
      [14.2, 14.8, 13.6, 14],
      [14, 14.2, 12.1, 12.8],
      [12.8, 13.4, 12.6, 13.2],
      [13.2, 13.3, 11.4, 12],
      [12, 13, 11.9, 12.8],
      [12.8, 12.9, 10.6, 11],
    ],
    options: SMALL,
    shown: ({ kind, direction }) => kind === "gap" && direction === "bullish",
  },
  liquidity: {
    title: "Equal highs and lows: pools of liquidity, and their sweeps",
    rows: [
      ...path([10, 11, 12, 13, 12, 11, 10.4, 11.2, 12.2, 13.04, 12.2, 11.2, 10.4, 11.4, 12.6]),
      [12.6, 14.4, 12.2, 12.4],
      ...path([12.4, 11.2, 10.2, 9.6]),
    ],
    options: SMALL,
    shown: ({ kind, of }) => kind === "pool" || (kind === "sweep" && of === "pool"),
  },
  range: {
    title: "The dealing range between the last external swings, its middle, and the displacements",
    rows: path([
      10.6, 10.4, 10, 9.6, 9.2, 8.6, 8, 7.4, 8, 8.4, 8.2, 8.6, 11.4, 12.2, 12.8, 13.6, 14.2, 13.8, 13.2, 13.4, 12.6, 12,
      11.2, 10.4, 9.8, 10.2,
    ]),
    options: SMALL,
    shown: ({ kind, event }) => event === "confirmed" && (kind === "range" || kind === "displacement"),
  },
  days: {
    title: "Hours of two days (UTC): sessions, and the previous day's high and low, of which one is swept",
    rows: path(
      [
        10, 10.3, 10.1, 10.6, 10.4, 10.2, 10.5, 10.3, 11, 11.6, 12, 11.8, 12.3, 12.6, 12.2, 11.6, 11, 10.6, 10.2, 9.6,
        9.2, 9.5, 9.8, 9.7, 9.9, 10, 10.2, 9.9, 9.7, 9.8, 10, 9.9, 9.4, 9.1, 9.3, 9.8, 10.4, 10.8, 11.4, 11.8, 12.2, 12,
        11.8, 11.9, 11.7, 11.6, 11.8, 11.7, 11.9,
      ],
      0.25,
    ),
    options: { ...SMALL, sessions: true },
    step: 3_600_000,
    shown: ({ kind, period, event }) =>
      (kind === "session" && event === "confirmed") || (kind === "level" && period === "day"),
  },
};

/** The drawings of docs/structure.md, made by the tracker from bars invented for them. */
export function definitionDrawings(): Record<string, string> {
  const drawn = Object.entries(DEFINITIONS).map(([name, definition]) => [name, draw(definition)] as const);
  return Object.fromEntries([...drawn, ["breakout", breakout()]]);
}

function draw({ title, rows, options, step = 300_000, shown }: Definition): string {
  const events: StructureEvent[] = [];
  const tracker = new StructureTracker({ ...options, timeframe: "5m" }, (event) => events.push(event));
  for (const [i, [open, high, low, close]] of rows.entries()) {
    tracker.advance(MONDAY + i * step, open, high, low, close, 100);
  }
  const at = (time: number) => (time - MONDAY) / step;
  const last = rows.length - 1;
  const zones: Zone[] = [];
  const lines: Line[] = [];
  const marks: Mark[] = [];
  for (const event of events.filter(shown)) {
    const { kind, event: what, direction, formedAt } = event;
    const up = direction === "bullish" || direction === "high";
    const colour: Colour = up ? "up" : "down";
    const end = events.find(
      (other) =>
        (other.event === "filled" || other.event === "swept") &&
        other.kind === kind &&
        other.formedAt === formedAt &&
        other.direction === direction &&
        other.at >= event.at,
    );
    const until = end === undefined ? last : at(end.at);
    const band = { top: event.top ?? 0, bottom: event.bottom ?? 0, colour };
    if (what !== "formed" && what !== "confirmed") {
      marks.push({ at: at(event.at), text: what, below: up !== (kind === "level" || kind === "pool") });
      continue;
    }
    if (what === "formed") continue;
    if (kind === "swing") {
      const dot = event.scale === "external" ? "external" : "int.";
      marks.push({ at: at(formedAt), text: dot, below: !up });
    } else if (kind === "break") {
      const label = `${event.scale === "external" ? "external " : ""}${event.character}`;
      const dashed = event.scale === "internal";
      lines.push({ from: at(event.swingAt!), to: at(event.at), price: event.price!, colour, label, dashed });
    } else if (kind === "order-block" || kind === "gap") {
      zones.push({ ...band, from: at(formedAt), to: until, label: kind.replace("-", " ") });
      marks.push({ at: at(event.at), text: "confirmed", below: false });
    } else if (kind === "breaker") {
      zones.push({ ...band, from: at(event.at), to: until, label: "breaker" });
    } else if (kind === "session") {
      zones.push({ ...band, from: at(formedAt), to: at(event.at) - 1, label: event.session! });
    } else if (kind === "range") {
      const from = at(event.at);
      zones.push({ ...band, colour: "plain", from, to: last });
      const middle = (band.top + band.bottom) / 2;
      lines.push({ from, to: last, price: middle, colour: "plain", label: "equilibrium", dashed: true });
    } else if (kind === "displacement") {
      marks.push({ at: at(formedAt), text: `${event.ratio!.toFixed(1)} ATR`, below: !up });
    } else if (kind === "pool") {
      lines.push({
        from: at(formedAt),
        to: until,
        price: event.price!,
        colour,
        label: `equal ${direction}s`,
        dashed: true,
      });
    } else if (kind === "level") {
      const label = `previous day's ${direction}`;
      lines.push({ from: at(event.at), to: until, price: event.price!, colour, label, dashed: true });
    } else if (kind === "sweep") {
      marks.push({ at: at(event.at), text: `sweep, ${direction}`, below: false });
    }
  }
  return candlesSvg({ title, bars: rows.map(candle), zones, lines, marks });
}

/** 1970-01-05, a Monday. */
const MONDAY = 345_600_000;

function candle([open, high, low, close]: Row): Candle {
  return { open, high, low, close };
}

/** A range whose bands are in a squeeze, and the close that leaves it. */
function breakout(): string {
  const flat = Array.from({ length: 24 }, (_, i) => 10 + (i % 2 === 0 ? 0.3 : -0.3));
  const rows = path([...flat, 10.4, 11.6, 12.4, 12.2, 12.9, 12.4, 11.8, 10.8, 10.2, 10.4], 0.3);
  const watch = new BreakoutWatch();
  const on: number[] = [];
  const closes: number[] = [];
  for (const [at, [, high, low, close]] of rows.entries()) {
    closes.push(close);
    const window = closes.slice(-20);
    const mean = window.reduce((a, b) => a + b, 0) / window.length;
    const deviation = Math.sqrt(window.reduce((a, b) => a + (b - mean) * (b - mean), 0) / window.length);
    if (watch.advance(high, low, close, 4 * deviation, 1.2)) on.push(at);
  }
  const top = Math.max(...rows.slice(on[0]! - 20, on[0]!).map(([, high]) => high));
  return candlesSvg({
    title: "A breakout: the close beyond 20 bars out of a squeeze, while closes stay beyond",
    bars: rows.map(candle),
    zones: [{ from: on[0]!, to: on.at(-1)!, top: 13.2, bottom: top, colour: "up", label: "regime breakout" }],
    lines: [
      { from: on[0]! - 20, to: rows.length - 1, price: top, colour: "plain", label: "20-bar high", dashed: true },
    ],
  });
}
