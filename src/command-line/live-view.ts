import { createLogUpdate } from "log-update";
import type { Candidate } from "../core/candidate.ts";
import type { CoreRecord, Trade } from "../core/effects.ts";
import { type Instrument, priceOf, USDT } from "../core/instrument.ts";
import { equityOf, positionValue, symbolOf } from "../core/state.ts";
import { brailleChart } from "../report/chart.ts";
import { grouped, pageOf } from "../report/print.ts";
import type { LiveView } from "../service/live.ts";

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
const SIGNALS_SHOWN = 5;
const POSITIONS_SHOWN = 8;

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

/** A calm view that is drawn in place, for a terminal. */
export class TerminalDisplay implements Display {
  readonly #update = createLogUpdate(process.stdout, { showCursor: false });
  readonly #title: string;
  readonly #signals: ShownSignal[] = [];
  readonly #notices: string[] = [];
  readonly #curve: { time: number; value: number }[] = [];
  #lastTrade: Trade | undefined;

  constructor(title: string) {
    this.#title = title;
  }

  record(record: CoreRecord): void {
    switch (record.kind) {
      case "signal":
        this.#signals.push({ time: record.time, candidate: record.candidate, outcome: "order sent" });
        if (this.#signals.length > SIGNALS_SHOWN) this.#signals.shift();
        return;
      case "refusal":
        return this.#outcome(record.symbol, `refused by ${record.guard}: ${record.reason}`);
      case "opened":
        return this.#outcome(record.symbol, "opened");
      case "closed":
        this.#lastTrade = record.trade;
        return;
      case "equity":
        this.#curve.push({ time: record.time, value: record.equity });
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
    if (this.#notices.length > 3) this.#notices.shift();
  }

  tick(live: LiveView): void {
    this.#update(this.#frame(live).join("\n"));
  }

  end(): void {
    this.#update.done();
  }

  #outcome(symbol: number, outcome: string): void {
    const signal = this.#signals.findLast((shown) => shown.candidate.symbol === symbol);
    if (signal !== undefined && signal.outcome === "order sent") signal.outcome = outcome;
  }

  #frame({ state, collector, source, marketTime }: LiveView): string[] {
    const { width, colour } = pageOf(process.stdout, process.env);
    const paint = (code: string, text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
    const bold = (text: string) => paint("1", text);
    const dim = (text: string) => paint("2", text);
    const result = (units: number | bigint) => paint(Number(units) < 0 ? "31" : "32", signed(units));
    const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

    const { equity, margin, unrealised } = equityOf(state);
    const start = state.config.balance;
    const change = ((equity - start) / start) * 100;
    const won = collector.trades.filter((trade) => trade.pnl > 0n).length;
    const lines = [
      "",
      `  ${bold("Penstock")}  ${paint("30;43", " SIMULATED ")}  ${this.#title}`,
      `  ${dim("market time")} ${day(marketTime)} UTC   ${dim("trading")} ${state.trading}`,
      "",
      `  ${bold(`${money(equity)} USDT`)}  ${paint(change < 0 ? "31" : "32", `${change < 0 ? "" : "+"}${change.toFixed(2)} %`)}` +
        `   ${dim("unrealised")} ${signed(unrealised)}   ${dim("margin")} ${((margin / equity) * 100).toFixed(0)} %` +
        `   ${dim("trades")} ${collector.trades.length}${collector.trades.length > 0 ? ` (${won} won)` : ""}`,
      ...brailleChart(this.#curve, width - 6, 3).map((row) => `  ${paint("36", row)}`),
      "",
    ];

    const positions = [...state.positions.values()].filter((position) => position.holding.lots > 0);
    lines.push(`  ${bold("Positions")} ${dim(positions.length === 0 ? "none yet" : "")}`);
    for (const position of positions.slice(0, POSITIONS_SHOWN)) {
      const instrument = source.instruments[position.symbol]!;
      const { mark } = symbolOf(state, position.symbol);
      const { unrealised } = positionValue(state, position);
      lines.push(
        `  ${instrument.symbol.padEnd(15)} ${side(position.direction).padEnd(5)} ${position.plan.leverage}x` +
          `  ${price(instrument, position.plan.candidate.entry)} → ${price(instrument, mark)}` +
          `  ${dim("stop")} ${price(instrument, position.plan.stop)} ${dim("target")} ${price(instrument, position.plan.target)}` +
          `  ${result(unrealised)}  ${dim(span(state.now - position.holding.entryTime))}`,
      );
    }
    if (positions.length > POSITIONS_SHOWN) lines.push(dim(`  … ${positions.length - POSITIONS_SHOWN} more`));

    lines.push("", `  ${bold("Last signals")} ${dim(this.#signals.length === 0 ? "none yet" : "")}`);
    for (const { time, candidate, outcome } of this.#signals.toReversed()) {
      const instrument = source.instruments[candidate.symbol]!;
      const what = `${clock(time)} ${instrument.symbol.padEnd(15)} ${side(candidate.direction).padEnd(5)} ${candidate.setup} ${candidate.confidence.toFixed(2)}`;
      const tone = outcome === "opened" ? "32" : outcome.startsWith("refused") ? "33" : "0";
      lines.push(`  ${what}  ${paint(tone, cut(outcome, width - what.length - 6))}`);
      lines.push(`        ${dim(cut(candidate.reasons.join("; "), width - 10))}`);
    }

    const refusals = Object.entries(collector.refusals).sort(([, a], [, b]) => b - a);
    lines.push(
      "",
      `  ${bold("Guards that said no")}  ${refusals.length === 0 ? dim("none yet") : cut(refusals.map(([guard, count]) => `${guard} ${count}`).join(" · "), width - 26)}`,
    );
    if (this.#lastTrade !== undefined) {
      const { symbol, direction, pnl, reason } = this.#lastTrade;
      const name = source.instruments[symbol]!.symbol;
      lines.push(`  ${bold("Last trade")}  ${name} ${side(direction)} by ${reason}: ${result(pnl)} USDT`);
    }
    for (const notice of this.#notices) lines.push(`  ${paint("33", cut(notice, width - 4))}`);
    lines.push("", dim("  Ctrl-C ends the run"), "");
    return lines;
  }
}
