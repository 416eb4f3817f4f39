import type { CoreRecord, Effect, Trade } from "../core/effects.ts";
import type { Event, SettingEvent } from "../core/events.ts";
import { ACCOUNTS, type Account } from "../core/ledger.ts";
import type { State } from "../core/state.ts";
import type { VirtualTrade } from "../core/virtual-book.ts";
import type { JournalEnd, JournalHeader } from "../journal/format.ts";
import {
  featureColumn,
  type Row,
  type RunOfRows,
  row,
  rowOfBar,
  rowOfEvent,
  rowOfOrder,
  rowOfRecord,
  rowOfTrade,
  rowOfVirtualTrade,
  type Value,
} from "./rows.ts";
import { FEATURES } from "./schema.ts";

export interface RecorderOptions {
  /** Where the journal lies, for people. */
  readonly journal: string;
  /** The bars' timeframe, ms, where they are to be kept: those of a real market. Others are in files, or invented. */
  readonly bars?: number;
}

/** Signals of one symbol, side and setup whose virtual position has not ended. */
interface Proposed {
  /** Once it is open, later signals are not its own. */
  open: boolean;
  readonly signals: { readonly time: number; readonly features: Float32Array }[];
}

/** More signals than a virtual position ever waits for its entry. */
const MOST_PROPOSED = 16;

/**
 * Turns what happens in a run into rows. A row's key is the run and the running number of the event or effect it tells
 * of, so that the same journal always makes the same rows: `penstock data rebuild` is this recorder fed by a replay.
 *
 * Rows are only gathered here. `take` hands them over, to be called after the journal has been flushed: the store
 * never knows what the journal does not.
 */
export class RunRecorder {
  readonly #run: RunOfRows;
  readonly #bars: number | undefined;
  #rows: Row[] = [];
  #seq = 0;
  #epoch = 0;
  /** Texts of the settings as they are now. */
  readonly #settings: Map<string, string>;
  readonly #balances: Record<Account, bigint>;
  #opened = 0;
  /** Numbers of the real positions that are open, by symbol and leg. */
  readonly #open = new Map<string, number>();
  readonly #proposed = new Map<string, Proposed>();

  /** @param state of the core before its first event */
  constructor(header: JournalHeader, state: State, options: RecorderOptions) {
    const { instruments, epoch, created } = header;
    this.#run = { run: epoch, instruments };
    this.#bars = options.bars;
    this.#settings = new Map(Object.entries(header.settings).map(([name, value]) => [name, String(value ?? "")]));
    this.#balances = { ...state.ledger.balances };
    this.#rows.push(
      row("runs", {
        run: epoch,
        command: header.command,
        mode: header.mode,
        build: header.build,
        settings_hash: header.settingsHash,
        data_hash: header.data.dataHash,
        journal: options.journal,
      }),
      ...instruments.map((each) =>
        row("instruments", {
          run: epoch,
          symbol: each.symbol,
          tick_units: each.tickUnits,
          price_decimals: each.priceDecimals,
          lot_units: each.lotUnits,
          quantity_decimals: each.quantityDecimals,
          unit_value: each.unitValue,
          min_lots: each.minLots,
          max_lots: each.maxLots,
          min_notional: each.minNotional,
          max_leverage: each.maxLeverage,
          filters: each.brackets === undefined ? null : JSON.stringify({ brackets: each.brackets }),
          updated_at: created,
        }),
      ),
      this.#entry("capital", -state.ledger.balances.capital, created, null),
    );
  }

  /** Rows that wait to be taken. */
  get waiting(): number {
    return this.#rows.length;
  }

  /** Takes in one event and what the core did with it. */
  stepped(event: Event, effects: readonly Effect[], state: State): void {
    this.#seq += 1;
    if (event.kind === "bar") {
      if (this.#bars !== undefined) this.#add(rowOfBar(event, this.#run.instruments[event.symbol]!, this.#bars));
    } else {
      if (event.kind === "hold") this.#epoch = event.epoch;
      this.#add(rowOfEvent(event, this.#run, this.#seq));
      if (event.kind === "setting") this.#setting(event);
      if (event.kind === "funding" && this.#bars !== undefined) {
        const { symbol } = this.#run.instruments[event.symbol]!;
        this.#add(row("funding_rates", { symbol, time: event.time, rate: event.rate, mark: event.mark }));
      }
    }
    this.#ledger(event, state);
    for (const effect of effects) {
      this.#seq += 1;
      this.#effect(effect, state.now);
    }
  }

  /** The run's clean end. */
  end({ trades, tradesHash }: JournalEnd): void {
    this.#add(row("run_ends", { run: this.#run.run, trades, trades_hash: tradesHash }));
  }

  /** Everything since the last time, in order. */
  take(): readonly Row[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  #add(added: Row | undefined): void {
    if (added !== undefined) this.#rows.push(added);
  }

  #effect(effect: Effect, now: number): void {
    const seq = this.#seq;
    switch (effect.kind) {
      case "submit":
        return this.#add(rowOfOrder(effect.order, this.#run, seq, now, this.#epoch));
      case "notice":
        return this.#add(
          row("incidents", { run: this.#run.run, seq, time: now, level: effect.level, text: effect.text }),
        );
      case "record":
        return this.#record(effect.record);
      default:
    }
  }

  #record(record: CoreRecord): void {
    const seq = this.#seq;
    switch (record.kind) {
      case "signal":
        this.#propose(record);
        break;
      case "opened": {
        this.#opened += 1;
        this.#open.set(`${record.symbol}:${record.leg}`, this.#opened);
        const { symbol, direction, lots, price, leverage, margin } = record;
        return this.#step(record.time, false, this.#opened, symbol, "opened", price, {
          direction,
          lots,
          leverage,
          margin,
        });
      }
      case "stop-moved": {
        const { time, symbol, leg, from, to } = record;
        const position = this.#open.get(`${symbol}:${leg}`) ?? 0;
        return this.#step(time, false, position, symbol, "stop-moved", to, { from });
      }
      case "closed":
        return this.#closed(record.trade);
      case "virtual-opened": {
        const { time, id, symbol, direction, setup, entry, stop, target } = record;
        const proposed = this.#proposed.get(keyOf(symbol, direction, setup));
        if (proposed !== undefined) proposed.open = true;
        return this.#step(time, true, id, symbol, "opened", entry, { stop, target });
      }
      case "virtual":
        return this.#step(record.time, true, record.id, record.symbol, record.event, record.price);
      case "virtual-closed":
        return this.#virtualClosed(record.trade);
      default:
    }
    this.#add(rowOfRecord(record, this.#run, seq));
  }

  /** One step in the life of a position. */
  #step(
    time: number,
    virtual: boolean,
    position: number,
    symbol: number,
    kind: string,
    price: number,
    detail?: Readonly<Record<string, number>>,
  ): void {
    const { run, instruments } = this.#run;
    this.#add(
      row("position_events", {
        run,
        seq: this.#seq,
        time,
        virtual,
        position,
        symbol: instruments[symbol]!.symbol,
        kind,
        price,
        detail: detail === undefined ? null : JSON.stringify(detail),
      }),
    );
  }

  #closed(trade: Trade): void {
    const key = `${trade.symbol}:${trade.leg}`;
    const position = this.#open.get(key) ?? 0;
    this.#open.delete(key);
    const { unitValue } = this.#run.instruments[trade.symbol]!;
    const price = Math.round(Number(trade.exitNotional) / (trade.lots * unitValue));
    this.#step(trade.exitTime, false, position, trade.symbol, trade.reason, price);
    this.#add(rowOfTrade(trade, this.#run, this.#seq, position));
  }

  #virtualClosed(trade: VirtualTrade): void {
    this.#step(trade.exitTime, true, trade.id, trade.symbol, trade.outcome, trade.exit);
    const closed = rowOfVirtualTrade(trade, this.#run, this.#seq);
    this.#add(closed);
    const proposed = this.#proposed.get(keyOf(trade.symbol, trade.direction, trade.setup));
    if (proposed === undefined) return;
    const { signals } = proposed;
    proposed.open = false;
    const own = signals.find(({ time }) => time === trade.signalTime);
    while (signals.length > 0 && signals[0]!.time <= trade.signalTime) signals.shift();
    if (own === undefined) return;
    const values: Record<string, Value> = {
      run: this.#run.run,
      seq: this.#seq,
      symbol: this.#run.instruments[trade.symbol]!.symbol,
      position: trade.id,
      time: trade.signalTime,
      label_time: trade.exitTime,
      label: Math.fround(Number(closed.values.result)),
    };
    for (let place = 0; place < FEATURES; place++) {
      const value = own.features[place] ?? Number.NaN;
      values[featureColumn(place)] = Number.isNaN(value) ? null : value;
    }
    this.#add(row("feature_rows", values));
  }

  /** Remembers what was known at a signal until the virtual position that it became has ended. */
  #propose({ time, candidate }: Extract<CoreRecord, { kind: "signal" }>): void {
    const { symbol, direction, setup, features } = candidate;
    if (features === undefined) return;
    const key = keyOf(symbol, direction, setup);
    let proposed = this.#proposed.get(key);
    if (proposed === undefined) {
      proposed = { open: false, signals: [] };
      this.#proposed.set(key, proposed);
    }
    if (proposed.open) return;
    proposed.signals.push({ time, features });
    if (proposed.signals.length > MOST_PROPOSED) proposed.signals.shift();
  }

  #setting({ time, name, value, actor }: SettingEvent): void {
    const before = this.#settings.get(name) ?? "";
    this.#settings.set(name, value);
    this.#add(row("settings_changes", { at: time, name, who: actor, before, after: value }));
  }

  /** What an event moved between the wallet and the other accounts: one row per account, as the book has it now. */
  #ledger(event: Event, { ledger, now }: State): void {
    for (const account of ACCOUNTS) {
      if (account === "wallet") continue;
      const moved = this.#balances[account] - ledger.balances[account];
      if (moved === 0n) continue;
      this.#balances[account] = ledger.balances[account];
      this.#rows.push(this.#entry(account, moved, now, this.#run.instruments[event.symbol]?.symbol ?? null));
    }
  }

  #entry(from: Account, amount: bigint, time: number, symbol: string | null): Row {
    return row("ledger_entries", {
      run: this.#run.run,
      seq: this.#seq,
      time,
      into_account: "wallet",
      from_account: from,
      amount: Number(amount),
      symbol,
    });
  }
}

function keyOf(symbol: number, direction: number, setup: string): string {
  return `${symbol}:${direction}:${setup}`;
}
