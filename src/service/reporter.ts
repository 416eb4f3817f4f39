import type { CoreRecord, Effect } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import { priceOf, USDT } from "../core/instrument.ts";
import type { State } from "../core/state.ts";
import type { Report } from "../notify/report.ts";
import type { Watcher } from "./trader.ts";

const DAY = 86_400_000;
/** Points of a day's picture; a longer curve loses every other one. */
const CURVE_MAX = 512;

/** Refusals that say something about the account rather than about one signal, each told once until it changes. */
const OF_NOTE: ReadonlySet<string> = new Set(["daily-loss", "drawdown", "trading-state", "losing-streak", "exchange"]);

/** Turns what happens into reports for people, and a day's end into its summary. */
export class Reporter implements Watcher {
  readonly #send: (report: Report) => void;
  readonly #state: State;
  /** Whether positions and refusals are told one by one. */
  readonly #routine: boolean;
  #refused = "";
  #day: Day | undefined;

  constructor(send: (report: Report) => void, state: State, routine: boolean) {
    this.#send = send;
    this.#state = state;
    this.#routine = routine;
  }

  stepped(event: Event, effects: readonly Effect[]): void {
    this.#event(event);
    for (const effect of effects) {
      if (effect.kind === "record") this.#record(effect.record);
      else if (effect.kind === "notice") this.notice(effect.level, effect.text);
    }
  }

  #event(event: Event): void {
    switch (event.kind) {
      case "liquidation":
        return this.#line("alarm", `${this.#name(event.symbol)}: the exchange closed the position (${event.cause})`);
      case "answer":
        if (event.answer !== "rejected") return;
        return this.#line("important", `${this.#name(event.symbol)}: the exchange refused an order: ${event.reason}`);
      case "connection":
        return this.#line("important", `the connection to the exchange is ${event.up ? "up" : "down"}`);
      case "breaker":
        return this.#line("important", `the breaker of the exchange's interface is ${event.level}`);
      case "hold":
        return this.#line("important", `entries are ${event.on ? "held back" : "no longer held back"}: ${event.hold}`);
      case "standing": {
        const where = event.symbol < 0 ? "all symbols" : this.#name(event.symbol);
        return this.#line(
          "important",
          `${where}: entries allowed: ${event.entries}${event.reason && `, ${event.reason}`}`,
        );
      }
      case "model":
        return this.#line("important", `${event.model === "" ? "no model" : event.model} decides: ${event.reason}`);
      case "setting":
        return this.#line("important", `${event.name} is now ${event.value} (${event.actor})`);
      default:
        return;
    }
  }

  /** A notice of core or shell; mere information is not told. */
  notice(level: "info" | "warning" | "alarm", text: string): void {
    if (level !== "info") this.#line(level === "alarm" ? "alarm" : "important", text);
  }

  #record(record: CoreRecord): void {
    switch (record.kind) {
      case "opened": {
        const { symbol, direction, leverage, price } = record;
        const instrument = this.#state.config.instruments[symbol]!;
        const at = priceOf(instrument, price).toFixed(instrument.priceDecimals);
        return this.#line("routine", `${instrument.symbol}: ${sideOf(direction)} ${leverage}× opened at ${at}`);
      }
      case "closed": {
        const { symbol, direction, pnl, fees, reason } = record.trade;
        this.#day?.trade(Number(pnl) / USDT, Number(fees) / USDT);
        const text = `${this.#name(symbol)}: ${sideOf(direction)} closed by ${reason}, ${signed(Number(pnl) / USDT)} USDT`;
        return this.#line("routine", text);
      }
      case "refusal": {
        const { guard, reason } = record;
        if (!OF_NOTE.has(guard) || guard === this.#refused) return;
        this.#refused = guard;
        return this.#line("routine", `${this.#name(record.symbol)}: an entry was refused by ${guard}: ${reason}`);
      }
      case "trading-state":
        this.#refused = "";
        return this.#line("important", `trading is ${record.to}, it was ${record.from}: ${record.reason}`);
      case "equity":
        return this.#equity(record.time, record.equity / USDT);
      default:
        return;
    }
  }

  #equity(time: number, equity: number): void {
    const number = Math.floor(time / DAY);
    if (this.#day?.number !== number) {
      if (this.#day !== undefined) this.#send({ kind: "day", summary: this.#day.summary() });
      this.#day = new Day(number, this.#day?.end ?? equity);
    }
    this.#day.equity(equity);
  }

  #line(weight: "routine" | "important" | "alarm", text: string): void {
    if (weight !== "routine" || this.#routine) this.#send({ kind: "line", weight, text });
  }

  #name(symbol: number): string {
    return this.#state.config.instruments[symbol]?.symbol ?? "";
  }
}

/** What a day has come to. Money in USDT. */
class Day {
  /** Days since 1970, UTC. */
  readonly number: number;
  end: number;
  readonly #start: number;
  #trades = 0;
  #won = 0;
  #fees = 0;
  #peak: number;
  #drawdown = 0;
  #curve: number[] = [];
  #seen = 0;
  #stride = 1;

  constructor(number: number, start: number) {
    this.number = number;
    this.#start = start;
    this.#peak = start;
    this.end = start;
  }

  trade(pnl: number, fees: number): void {
    this.#trades += 1;
    if (pnl > 0) this.#won += 1;
    this.#fees += fees;
  }

  equity(equity: number): void {
    this.end = equity;
    if (equity > this.#peak) this.#peak = equity;
    const fall = (this.#peak - equity) / this.#peak;
    if (fall > this.#drawdown) this.#drawdown = fall;
    if (this.#seen++ % this.#stride !== 0) return;
    this.#curve.push(equity);
    if (this.#curve.length < CURVE_MAX) return;
    this.#curve = this.#curve.filter((_, index) => index % 2 === 0);
    this.#stride *= 2;
  }

  summary() {
    return {
      day: new Date(this.number * DAY).toISOString().slice(0, 10),
      start: this.#start,
      end: this.end,
      trades: this.#trades,
      won: this.#won,
      fees: this.#fees,
      drawdown: this.#drawdown,
      curve: [...this.#curve, this.end],
    };
  }
}

function sideOf(direction: 1 | -1): string {
  return direction === 1 ? "long" : "short";
}

function signed(amount: number): string {
  return `${amount < 0 ? "" : "+"}${amount.toFixed(2)}`;
}
