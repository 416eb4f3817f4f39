import type { OrderRequest } from "../../src/core/effects.ts";
import { type Instrument, USDT } from "../../src/core/instrument.ts";
import type { VenueEvent } from "../../src/exchange/exchange.ts";
import {
  createSimulatedExchange,
  type SimulatedExchange,
  type SimulatedExchangeOptions,
} from "../../src/exchange/simulated/exchange.ts";
import { ABSENT, type BarSource, type BarStep, FLAT, REAL } from "../../src/market/bar-source.ts";

export const MINUTE = 60_000;

/** Open, high, low, close in ticks and the volume in base units; `flat` is a stand-in, `gone` delists the symbol. */
export type Row = readonly [number, number, number, number, number?] | "flat" | "gone" | "absent";

export interface Funding {
  readonly time: number;
  readonly rate: number;
  readonly mark?: number;
  readonly symbol?: number;
}

/** One tick of one lot is worth 0.01 USDT, so 10 lots at 10 000 ticks are worth 1000 USDT. */
export function instrument(symbol: string): Instrument {
  return {
    symbol,
    tickUnits: 1,
    priceDecimals: 2,
    lotUnits: 1,
    quantityDecimals: 0,
    unitValue: USDT / 100,
    minLots: 1,
    maxLots: 1000,
    minNotional: 5 * USDT,
    maxLeverage: 20,
  };
}

/** A hand-written source: one list of rows per symbol, all of the same length, from time 0 on. */
export function barsOf(
  rows: readonly (readonly Row[])[],
  funding: readonly Funding[] = [],
  timeframe = MINUTE,
): BarSource {
  const count = rows.length;
  const column = () => new Float64Array(count);
  const listed = new Array<boolean>(count).fill(false);
  const lastClose = column();
  let next = 0;
  const steps = rows[0]?.length ?? 0;
  return {
    instruments: rows.map((_, index) => instrument(`S${index}USDT`)),
    timeframe,
    start: 0,
    steps,
    bars: rows.flat().filter((row) => typeof row !== "string").length,
    dataHash: "",
    assumptions: [],
    step() {
      if (next >= steps) return undefined;
      const openTime = next * timeframe;
      const due = funding.filter(({ time }) => time >= openTime && time < openTime + timeframe);
      const step: BarStep = {
        openTime,
        status: new Uint8Array(count),
        open: column(),
        high: column(),
        low: column(),
        close: column(),
        volume: column(),
        listed: [],
        delisted: [],
        funding: due.map(({ time, rate, mark = 0, symbol = 0 }) => ({ time, symbol, rate, mark })),
      };
      for (let symbol = 0; symbol < count; symbol++) {
        const row = rows[symbol]![next]!;
        if (row === "gone" || row === "absent") {
          step.status[symbol] = ABSENT;
          if (listed[symbol]) step.delisted.push(symbol);
          listed[symbol] = false;
          continue;
        }
        if (!listed[symbol]) step.listed.push(symbol);
        listed[symbol] = true;
        const last = lastClose[symbol]!;
        const [open, high, low, close, volume = 1_000_000] = row === "flat" ? [last, last, last, last, 0] : row;
        step.status[symbol] = row === "flat" ? FLAT : REAL;
        step.open[symbol] = open;
        step.high[symbol] = high;
        step.low[symbol] = low;
        step.close[symbol] = close;
        step.volume[symbol] = volume;
        lastClose[symbol] = close;
      }
      next++;
      return step;
    },
  };
}

/** Fees of 0.05 and 0.02 %, no spread, no slippage, all of the volume: what a table is easiest to read with. */
export const PLAIN: SimulatedExchangeOptions = {
  balance: 10_000 * USDT,
  takerFee: 0.0005,
  makerFee: 0.0002,
  spreadBps: 0,
  slippageBps: 0,
  volumeShare: 1,
  fundingOn: true,
  leverage: 10,
};

const BLANK: Omit<OrderRequest, "id" | "side"> = {
  symbol: 0,
  leg: "both",
  type: "market",
  purpose: "entry",
  lots: 0,
  price: 0,
  trigger: 0,
  timeInForce: "gtc",
  reduceOnly: false,
  closePosition: false,
  leverage: 0,
};

export type Change = Partial<Omit<OrderRequest, "id">>;

export const buy = (lots: number, change: Change = {}): Change => ({ side: 1, lots, leverage: 10, ...change });
export const sell = (lots: number, change: Change = {}): Change => ({ side: -1, lots, leverage: 10, ...change });
export const limit = (price: number, change: Change = {}): Change => ({ type: "limit", price, ...change });
export const stop = (trigger: number, change: Change = {}): Change => ({
  type: "stop-market",
  trigger,
  reduceOnly: true,
  ...change,
});
export const target = (trigger: number, change: Change = {}): Change => ({
  type: "take-profit-market",
  trigger,
  reduceOnly: true,
  ...change,
});
export const stopLimit = (trigger: number, price: number, change: Change = {}): Change => ({
  type: "stop-limit",
  trigger,
  price,
  reduceOnly: true,
  ...change,
});
export const targetLimit = (trigger: number, price: number, change: Change = {}): Change => ({
  ...stopLimit(trigger, price, change),
  type: "take-profit-limit",
});
/** Active at once unless a trigger is given. */
export const trailing = (callback: number, change: Change = {}): Change => ({
  type: "trailing-stop",
  callback,
  reduceOnly: true,
  ...change,
});
/** Closes whatever is there; quantity 0. */
export const all: Change = { lots: 0, reduceOnly: false, closePosition: true };

export function order(id: number, change: Change): OrderRequest {
  return { ...BLANK, side: 1, ...change, id };
}

export interface Session {
  readonly exchange: SimulatedExchange;
  readonly events: VenueEvent[];
  submit(id: number, change: Change): void;
  cancel(id: number, symbol?: number): void;
  amend(id: number, lots: number, price: number): void;
}

/** What a trader would do on an event. */
export type Reaction = (event: VenueEvent, session: Session) => void;

/** Plays all bars, letting `react` see each event before the next one is worked out. */
export function play(source: BarSource, react: Reaction, change: Partial<SimulatedExchangeOptions> = {}): Session {
  const exchange = createSimulatedExchange(source, { ...PLAIN, ...change });
  const events: VenueEvent[] = [];
  let now = 0;
  const session: Session = {
    exchange,
    events,
    submit: (id, wanted) => exchange.send({ kind: "submit", order: order(id, wanted) }, now),
    amend: (id, lots, price) => exchange.send({ kind: "amend", order: id, symbol: 0, lots, price }, now),
    cancel: (id, symbol = 0) => exchange.send({ kind: "cancel", order: id, symbol }, now),
  };
  for (;;) {
    const event = exchange.next(Number.POSITIVE_INFINITY);
    if (event === undefined) return session;
    now = event.time;
    events.push(event);
    react(event, session);
  }
}

/** Everything but bars, listings and acceptances, as lines: `<bar>[+] <what>`; `+` marks the inside of the bar. */
export function linesOf(events: readonly VenueEvent[], timeframe = MINUTE): string[] {
  const lines: string[] = [];
  for (const event of events) {
    const bar = Math.floor(event.time / timeframe);
    const at = event.time % timeframe === timeframe - 1 ? `${bar}+` : `${bar}`;
    if (event.kind === "fill") {
      lines.push(
        `${at} #${event.order} ${event.lots}@${event.price}${event.maker ? " maker" : ""}${event.done ? "" : " part"}`,
      );
    } else if (event.kind === "answer" && event.answer !== "accepted") {
      lines.push(`${at} #${event.order} ${event.answer}${event.code === 0 ? "" : ` ${event.code}`}`);
    } else if (event.kind === "liquidation") {
      lines.push(`${at} ${event.cause} ${event.lots}@${event.price}`);
    } else if (event.kind === "funding") {
      lines.push(`${at} funding ${event.amount}`);
    }
  }
  return lines;
}
