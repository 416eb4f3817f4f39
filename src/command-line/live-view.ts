import type { Candidate } from "../core/candidate.ts";
import type { CoreRecord } from "../core/effects.ts";
import { type Instrument, priceOf, USDT } from "../core/instrument.ts";
import { entryPrice } from "../core/protection.ts";
import { equityOf, positionValue, symbolOf } from "../core/state.ts";
import { grouped } from "../report/print.ts";
import type { LiveView } from "../service/live.ts";
import type { RecordingStatus } from "../service/recording.ts";
import { type LiveFacts, liveFrame } from "./live-frame.ts";

/** How a run is shown while it goes on. */
export interface Display {
  record(record: CoreRecord, live: LiveView): void;
  notice(level: string, text: string): void;
  tick(live: LiveView): void;
  /** Leaves the screen to what comes after. */
  end(): void;
}

/** Nothing at all: for `--json`, which prints one document at the end. */
export const SILENT: Display = { record() {}, notice() {}, tick() {}, end() {} };

const HOUR = 3_600_000;

function clock(time: number): string {
  return new Date(time).toISOString().slice(11, 16);
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace("T", " ");
}

function money(units: number | bigint): string {
  return grouped(Number(units) / USDT, 2);
}

function signed(units: number | bigint): string {
  return `${Number(units) < 0 ? "" : "+"}${money(units)}`;
}

function side(direction: 1 | -1): string {
  return direction === 1 ? "long" : "short";
}

function price(instrument: Instrument, ticks: number): string {
  return priceOf(instrument, ticks).toFixed(instrument.priceDecimals);
}

function span(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

/** Rows that the store may be behind before anyone need know. */
const USUAL_LAG = 5000;

/** What the operator should know of the store; empty when it keeps up. */
export function storeText(recording: RecordingStatus | undefined): string {
  if (recording === undefined) return "";
  const { rows, batches, away, full } = recording;
  if (full) return "disk full";
  const waiting = batches > 0 ? `${grouped(batches, 0)} batches on disk` : `${grouped(rows, 0)} rows`;
  if (away) return `store away, ${waiting}`;
  return rows > USUAL_LAG || batches > 0 ? `store ${waiting} behind` : "";
}

/** One line per event, for logs and pipes. */
export class LineDisplay implements Display {
  #lastStatus = 0;

  record(record: CoreRecord, { source }: LiveView): void {
    const name = (symbol: number) => source.instruments[symbol]!.symbol;
    switch (record.kind) {
      case "signal": {
        const { symbol, direction, setup, confidence, reasons } = record.candidate;
        this.#line(
          record.time,
          "signal ",
          `${name(symbol)} ${side(direction)} ${setup} ${confidence.toFixed(2)}: ${reasons.join("; ")}`,
        );
        return;
      }
      case "refusal":
        this.#line(record.time, "refused", `${name(record.symbol)} by ${record.guard}: ${record.reason}`);
        return;
      case "opened": {
        const { symbol, direction, lots, leverage } = record;
        const at = price(source.instruments[symbol]!, record.price);
        this.#line(record.time, "opened ", `${name(symbol)} ${side(direction)} ${lots} lots at ${at}, ${leverage}x`);
        return;
      }
      case "closed": {
        const { symbol, direction, pnl, reason } = record.trade;
        this.#line(record.time, "closed ", `${name(symbol)} ${side(direction)} by ${reason}: ${signed(pnl)} USDT`);
        return;
      }
      case "stop-moved": {
        const [from, to] = [record.from, record.to].map((at) => price(source.instruments[record.symbol]!, at));
        this.#line(record.time, "stop   ", `${name(record.symbol)} from ${from} to ${to}`);
        return;
      }
      case "trading-state":
        this.#line(record.time, "state  ", `${record.from} to ${record.to}: ${record.reason}`);
        return;
      case "equity":
        if (Math.floor(record.time / HOUR) === Math.floor(this.#lastStatus / HOUR)) return;
        this.#lastStatus = record.time;
        this.#line(
          record.time,
          "equity ",
          `${money(record.equity)} USDT, ${record.positions} open, exposure ${money(record.exposure)}`,
        );
    }
  }

  notice(level: string, text: string): void {
    process.stdout.write(`${level.toUpperCase()} ${text}\n`);
  }

  tick(): void {}

  end(): void {}

  #line(time: number, what: string, text: string): void {
    process.stdout.write(`${day(time)} ${what} ${text}\n`);
  }
}

interface ShownSignal {
  readonly time: number;
  readonly candidate: Candidate;
  outcome: string;
}

/** More than any terminal has rows for. */
const MOST_REMEMBERED = 40;
const MOST_NOTICES = 6;

/** The part of a terminal that drawing needs. */
export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/**
 * A calm view on a terminal: on the alternate screen, so that what was there before comes back, and never more than
 * fits. Only lines that changed are written, each over the old one, so nothing flickers.
 */
export class TerminalDisplay implements Display {
  readonly #terminal: Terminal;
  readonly #title: string;
  readonly #colour: boolean;
  readonly #signals: ShownSignal[] = [];
  readonly #notices: string[] = [];
  readonly #curve: { time: number; value: number }[] = [];
  #drawn: string[] | undefined;
  #size = "";
  /** The terminal comes back also when the process ends otherwise. */
  readonly #leave = () => this.end();

  constructor(title: string, terminal: Terminal = process.stdout, env = process.env) {
    this.#terminal = terminal;
    this.#title = title;
    this.#colour = !env.NO_COLOR && env.TERM !== "dumb";
  }

  record(record: CoreRecord): void {
    switch (record.kind) {
      case "signal":
        this.#signals.push({ time: record.time, candidate: record.candidate, outcome: "order sent" });
        if (this.#signals.length > MOST_REMEMBERED) this.#signals.shift();
        return;
      case "refusal":
        return this.#outcome(record.symbol, `refused by ${record.guard}: ${record.reason}`);
      case "opened":
        return this.#outcome(record.symbol, "opened");
      case "closed":
        return;
      case "equity":
        this.#curve.push({ time: record.time, value: record.equity / USDT });
        // Every second point of a long curve is enough to draw it.
        if (this.#curve.length > 4096)
          this.#curve.splice(0, this.#curve.length, ...this.#curve.filter((_, i) => i % 2));
        return;
      case "trading-state":
        return this.notice("state", `${record.from} to ${record.to}: ${record.reason}`);
    }
  }

  notice(level: string, text: string): void {
    this.#notices.push(`${level}: ${text}`);
    if (this.#notices.length > MOST_NOTICES) this.#notices.shift();
  }

  tick(live: LiveView): void {
    const { columns = 80, rows = 24 } = this.#terminal;
    this.#draw(liveFrame(this.#facts(live), { width: columns, height: rows, colour: this.#colour }), columns, rows);
  }

  end(): void {
    if (this.#drawn === undefined) return;
    this.#drawn = undefined;
    process.off("exit", this.#leave);
    this.#terminal.write(`${SHOW_CURSOR}${MAIN_SCREEN}`);
  }

  #draw(lines: readonly string[], columns: number, rows: number): void {
    let text = "";
    if (this.#drawn === undefined) {
      process.on("exit", this.#leave);
      text += `${ALTERNATE_SCREEN}${HIDE_CURSOR}`;
    }
    const size = `${columns}x${rows}`;
    const before = size === this.#size ? (this.#drawn ?? []) : [];
    if (size !== this.#size) text += CLEAR;
    this.#size = size;
    for (let row = 0; row < rows; row++) {
      const line = lines[row] ?? "";
      if (line !== (before[row] ?? "")) text += `\x1b[${row + 1};1H${line}${REST_OF_LINE}`;
    }
    this.#drawn = [...lines];
    if (text !== "") this.#terminal.write(`${BEGIN_UPDATE}${text}${END_UPDATE}`);
  }

  #outcome(symbol: number, outcome: string): void {
    const signal = this.#signals.findLast((shown) => shown.candidate.symbol === symbol);
    if (signal !== undefined && signal.outcome === "order sent") signal.outcome = outcome;
  }

  #facts({ state, collector, source, marketTime, behind, recording }: LiveView): LiveFacts {
    const { equity, margin, unrealised } = equityOf(state);
    const { trades: virtualTrades, winRate, averageResult } = collector.virtual.summary();
    const virtual = {
      closed: virtualTrades,
      won: Math.round(winRate * virtualTrades),
      average: averageResult,
    };
    const nameOf = (symbol: number) => source.instruments[symbol]!.symbol;
    const open = [...state.positions.values()].filter((position) => position.holding.lots > 0);
    return {
      title: this.#title,
      stamp: "SIMULATED",
      marketTime: day(marketTime),
      trading: state.trading,
      store: state.holds.has("lease") ? "waits for the right to trade" : storeText(recording),
      behind: behind < 2 * source.timeframe ? "" : span(behind),
      equity: equity / USDT,
      startEquity: state.config.balance / USDT,
      unrealised: unrealised / USDT,
      margin: equity > 0 ? margin / equity : 0,
      trades: collector.trades.length,
      won: collector.trades.filter((trade) => trade.pnl > 0n).length,
      virtual: { live: state.virtual.statistics.live, ...virtual },
      curve: this.#curve,
      positions: open.map((position) => {
        const instrument = source.instruments[position.symbol]!;
        const { mark } = symbolOf(state, position.symbol);
        const { target, leverage } = position.plan;
        // Where the stop is now, which is not where it began once it follows the price; and the entry as it was paid.
        const { stop } = position;
        const entry = Math.round(entryPrice(state, position));
        const way = (ticks: number) => (ticks - stop) / (target - stop);
        return {
          symbol: instrument.symbol,
          side: side(position.direction),
          leverage,
          entry: price(instrument, entry),
          mark: price(instrument, mark),
          stop: price(instrument, stop),
          target: price(instrument, target),
          progress: way(mark),
          start: way(entry),
          unrealised: Number(positionValue(state, position).unrealised) / USDT,
          age: span(state.now - position.holding.entryTime),
        };
      }),
      signals: this.#signals.toReversed().map(({ time, candidate, outcome }) => ({
        time: clock(time),
        symbol: nameOf(candidate.symbol),
        side: side(candidate.direction),
        setup: candidate.setup,
        confidence: candidate.confidence,
        outcome,
        reasons: candidate.reasons.join("; "),
      })),
      closed: collector.trades
        .slice(-MOST_REMEMBERED)
        .reverse()
        .map(({ exitTime, symbol, direction, reason, pnl }) => ({
          time: clock(exitTime),
          symbol: nameOf(symbol),
          side: side(direction),
          reason,
          pnl: Number(pnl) / USDT,
        })),
      refusals: Object.entries(collector.refusals).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)),
      notices: this.#notices,
    };
  }
}

const ALTERNATE_SCREEN = "\x1b[?1049h";
const MAIN_SCREEN = "\x1b[?1049l";
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const CLEAR = "\x1b[2J";
const REST_OF_LINE = "\x1b[K";
/** Terminals that know these show all of an update at once; others ignore them. */
const BEGIN_UPDATE = "\x1b[?2026h";
const END_UPDATE = "\x1b[?2026l";
