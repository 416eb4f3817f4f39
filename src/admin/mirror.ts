import type { AnalysisOptions } from "../analysis/engine.ts";
import type { CoreRecord } from "../core/effects.ts";
import { priceOf, quantityOf, USDT } from "../core/instrument.ts";
import { virtualResult } from "../core/virtual-book.ts";
import { Panel } from "../market/panel.ts";
import { Incidents } from "./incidents.ts";
import type {
  AdminStart,
  AdminUpdate,
  AuditEntry,
  FillRow,
  LearningRow,
  Notice,
  RunDescription,
  SettingSections,
} from "./protocol.ts";
import type { ChanceNow, Snapshot } from "./snapshot.ts";

/** The last so many of something, oldest first. */
export class Recent<T> {
  readonly #items: T[] = [];
  readonly #most: number;
  /** How many there have been in all. */
  total = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(item: T): void {
    this.#items.push(item);
    this.total += 1;
    // Cut in larger pieces: shifting one by one would copy the list for each.
    if (this.#items.length > this.#most * 1.25) this.#items.splice(0, this.#items.length - this.#most);
  }

  /** The newest first, at most `limit`, of those that fit. */
  newest(limit: number, fits: (item: T) => boolean = () => true): T[] {
    const found: T[] = [];
    for (let i = this.#items.length - 1; i >= 0 && found.length < limit; i--) {
      const item = this.#items[i]!;
      if (fits(item)) found.push(item);
    }
    return found;
  }

  all(): readonly T[] {
    return this.#items;
  }
}

export interface SignalRow {
  readonly time: number;
  readonly symbol: string;
  readonly rank: number;
  readonly direction: "long" | "short";
  readonly strategy: string;
  readonly setup: string;
  readonly entry: number;
  readonly stop: number;
  readonly target: number;
  readonly confidence: number;
  readonly scores: Readonly<Record<string, number>>;
  readonly reasons: readonly string[];
  /** What became of it: `opened`, or the guard that refused it and why; empty while nobody knows. */
  outcome: string;
}

export interface RefusalRow {
  readonly time: number;
  readonly symbol: string;
  readonly guard: string;
  readonly reason: string;
  readonly numbers: Readonly<Record<string, number>>;
}

export interface TradeRow {
  readonly symbol: string;
  readonly leg: string;
  readonly direction: "long" | "short";
  readonly entryTime: number;
  readonly exitTime: number;
  readonly quantity: number;
  readonly entry: number;
  readonly exit: number;
  readonly pnl: number;
  readonly fees: number;
  readonly funding: number;
  readonly reason: string;
  readonly strategy: string;
  readonly setup: string;
  readonly confidence: number;
  readonly leverage: number;
  readonly plannedEntry: number;
  readonly stop: number;
  readonly target: number;
}

export interface VirtualRow {
  readonly id: number;
  readonly symbol: string;
  readonly direction: "long" | "short";
  readonly setup: string;
  readonly confidence: number;
  readonly entryTime: number;
  readonly exitTime: number;
  readonly entry: number;
  readonly exit: number;
  readonly outcome: string;
  /** Result in R, before costs. */
  readonly result: number;
}

export interface StopMove {
  readonly time: number;
  readonly symbol: string;
  readonly from: number;
  readonly to: number;
}

export interface EquityPoint {
  readonly time: number;
  readonly equity: number;
  readonly exposure: number;
  readonly positions: number;
}

/** What clients are told as it happens. */
export type LiveEvent =
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  | { readonly kind: "signal"; readonly signal: SignalRow }
  | { readonly kind: "refusal"; readonly refusal: RefusalRow }
  | { readonly kind: "trade"; readonly trade: TradeRow }
  | { readonly kind: "fill"; readonly fill: ReturnType<Mirror["fillRow"]> }
  | { readonly kind: "notice"; readonly notice: Notice }
  | { readonly kind: "audit"; readonly entry: AuditEntry }
  | { readonly kind: "settings" };

const EQUITY_POINTS = 4000;

/**
 * The admin worker's picture of the run: bounded, made from the trading thread's updates, and never more than what it
 * was told. Prices and money in USDT.
 */
export class Mirror {
  readonly run: RunDescription;
  settings: SettingSections;
  snapshot: Snapshot | undefined;
  learning: LearningRow | undefined;
  readonly analysis: AnalysisOptions | undefined;
  /** The bars, in memory that the trading thread writes. */
  panel: Panel | undefined;
  /** When the last update came, ms of the monotonic clock. */
  heardAt = Number.NEGATIVE_INFINITY;
  readonly signals = new Recent<SignalRow>(4000);
  readonly refusals = new Recent<RefusalRow>(4000);
  readonly trades = new Recent<TradeRow>(5000);
  readonly fills = new Recent<FillRow>(4000);
  readonly virtualTrades = new Recent<VirtualRow>(4000);
  readonly stopMoves = new Recent<StopMove>(4000);
  readonly notices = new Recent<Notice>(2000);
  readonly incidents = new Incidents();
  readonly stateChanges = new Recent<{ time: number; from: string; to: string; reason: string }>(1000);
  readonly audit = new Recent<AuditEntry>(2000);
  #equity: EquityPoint[] = [];
  /** Every how many records one equity point is kept. */
  #equityStride = 1;
  #equitySeen = 0;

  constructor(start: Pick<AdminStart, "run" | "settings" | "panel" | "analysis">) {
    this.run = start.run;
    this.analysis = start.analysis;
    this.panel = start.panel && Panel.attach(start.panel);
    this.settings = start.settings;
  }

  get equity(): readonly EquityPoint[] {
    return this.#equity;
  }

  update(update: AdminUpdate, now: number): LiveEvent[] {
    this.heardAt = now;
    this.learning = update.learning;
    const snapshot = this.#withChances(update.snapshot);
    this.snapshot = snapshot;
    const events: LiveEvent[] = [];
    for (const record of update.records) this.#record(record, events);
    for (const fill of update.fills) {
      this.fills.add(fill);
      events.push({ kind: "fill", fill: this.fillRow(fill) });
    }
    for (const notice of update.notices) {
      this.notices.add(notice);
      this.incidents.add(notice);
      events.push({ kind: "notice", notice });
    }
    for (const entry of update.audit) {
      this.audit.add(entry);
      events.push({ kind: "audit", entry });
    }
    if (update.panel !== undefined) this.panel = Panel.attach(update.panel);
    if (update.settings !== undefined) {
      this.settings = update.settings;
      events.push({ kind: "settings" });
    }
    events.push({ kind: "snapshot", snapshot });
    return events;
  }

  /** What the model in charge says now of every side that is held, the symbols by name. */
  get chances(): readonly (ChanceNow & { readonly symbol: string; readonly direction: "long" | "short" })[] {
    return (this.learning?.chances ?? []).map(({ symbol, direction, model, probability, unlike, at }) => ({
      ...{ symbol: this.#instrument(symbol).symbol, direction: direction === 1 ? "long" : "short" },
      ...{ model, probability, unlike, at },
    }));
  }

  /** The snapshot comes from the book, which knows no model that looks on. */
  #withChances(snapshot: Snapshot): Snapshot {
    const { chances } = this;
    if (chances.length === 0) return snapshot;
    const positions = snapshot.positions.map((row) => {
      const found = chances.find(({ symbol, direction }) => symbol === row.symbol && direction === row.direction);
      if (found === undefined) return row;
      const { model, probability, unlike, at } = found;
      return { ...row, chance: { ...row.chance, now: { model, probability, unlike, at } } };
    });
    return { ...snapshot, positions };
  }

  fillRow(fill: FillRow) {
    const instrument = this.#instrument(fill.symbol);
    return {
      time: fill.time,
      symbol: instrument.symbol,
      order: fill.order,
      purpose: fill.purpose,
      side: fill.side === 1 ? "buy" : "sell",
      quantity: quantityOf(instrument, fill.lots),
      price: priceOf(instrument, fill.price),
      fee: fill.fee / USDT,
      maker: fill.maker,
    };
  }

  #record(record: CoreRecord, events: LiveEvent[]): void {
    switch (record.kind) {
      case "signal": {
        const { candidate } = record;
        const instrument = this.#instrument(candidate.symbol);
        const signal: SignalRow = {
          time: record.time,
          symbol: instrument.symbol,
          rank: record.rank,
          direction: candidate.direction === 1 ? "long" : "short",
          strategy: candidate.strategy,
          setup: candidate.setup,
          entry: priceOf(instrument, candidate.entry),
          stop: priceOf(instrument, candidate.stop),
          target: priceOf(instrument, candidate.target),
          confidence: candidate.confidence,
          scores: candidate.scores,
          reasons: candidate.reasons,
          outcome: "",
        };
        this.signals.add(signal);
        events.push({ kind: "signal", signal });
        return;
      }
      case "refusal": {
        const { symbol } = this.#instrument(record.symbol);
        const { time, guard, reason, numbers } = record;
        this.refusals.add({ time, symbol, guard, reason, numbers });
        this.#outcome(symbol, time, `${guard}: ${reason}`);
        events.push({ kind: "refusal", refusal: { time, symbol, guard, reason, numbers } });
        return;
      }
      case "opened":
        this.#outcome(this.#instrument(record.symbol).symbol, Number.POSITIVE_INFINITY, "opened");
        return;
      case "closed": {
        const { trade } = record;
        const instrument = this.#instrument(trade.symbol);
        const lots = trade.lots * instrument.unitValue;
        const row: TradeRow = {
          symbol: instrument.symbol,
          leg: trade.leg,
          direction: trade.direction === 1 ? "long" : "short",
          entryTime: trade.entryTime,
          exitTime: trade.exitTime,
          quantity: quantityOf(instrument, trade.lots),
          entry: priceOf(instrument, Number(trade.entryNotional) / lots),
          exit: priceOf(instrument, Number(trade.exitNotional) / lots),
          pnl: Number(trade.pnl) / USDT,
          fees: Number(trade.fees) / USDT,
          funding: Number(trade.funding) / USDT,
          reason: trade.reason,
          strategy: trade.strategy,
          setup: trade.setup,
          confidence: trade.confidence,
          leverage: trade.leverage,
          plannedEntry: priceOf(instrument, trade.plannedEntry),
          stop: priceOf(instrument, trade.stop),
          target: priceOf(instrument, trade.target),
        };
        this.trades.add(row);
        events.push({ kind: "trade", trade: row });
        return;
      }
      case "equity":
        this.#addEquity({
          time: record.time,
          equity: record.equity / USDT,
          exposure: record.exposure / USDT,
          positions: record.positions,
        });
        return;
      case "trading-state": {
        const { time, from, to, reason } = record;
        this.stateChanges.add({ time, from, to, reason });
        return;
      }
      case "stop-moved": {
        const instrument = this.#instrument(record.symbol);
        this.stopMoves.add({
          time: record.time,
          symbol: instrument.symbol,
          from: priceOf(instrument, record.from),
          to: priceOf(instrument, record.to),
        });
        return;
      }
      case "virtual-closed": {
        const { trade } = record;
        const instrument = this.#instrument(trade.symbol);
        this.virtualTrades.add({
          id: trade.id,
          symbol: instrument.symbol,
          direction: trade.direction === 1 ? "long" : "short",
          setup: trade.setup,
          confidence: trade.confidence,
          entryTime: trade.entryTime,
          exitTime: trade.exitTime,
          entry: priceOf(instrument, trade.entry),
          exit: priceOf(instrument, trade.exit),
          outcome: trade.outcome,
          result: virtualResult(trade),
        });
        return;
      }
      default:
        // The path of a virtual position and its statistics are in the store and in the snapshot.
        return;
    }
  }

  /** Notes what became of the newest undecided signal of a symbol. */
  #outcome(symbol: string, time: number, outcome: string): void {
    const [signal] = this.signals.newest(1, (row) => row.symbol === symbol && row.outcome === "" && row.time <= time);
    if (signal !== undefined) signal.outcome = outcome;
  }

  /** Keeps a curve of at most EQUITY_POINTS over any length of time: every other point goes when there are too many. */
  #addEquity(point: EquityPoint): void {
    if (this.#equitySeen++ % this.#equityStride !== 0) return;
    this.#equity.push(point);
    if (this.#equity.length < EQUITY_POINTS) return;
    this.#equity = this.#equity.filter((_, index) => index % 2 === 0);
    this.#equityStride *= 2;
  }

  #instrument(symbol: number) {
    const instrument = this.run.instruments[symbol];
    if (instrument === undefined) throw new RangeError(`there is no symbol ${symbol}`);
    return instrument;
  }
}
