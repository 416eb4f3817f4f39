import type { Effect, OrderRequest, Purpose } from "../core/effects.ts";
import { PURPOSES } from "../core/effects.ts";
import type { Event } from "../core/events.ts";
import { quantile } from "../learning/statistics.ts";

/** One order at its end, as far as it was filled. Prices in ticks. */
export interface Execution {
  readonly request: OrderRequest;
  /** What the price was when the order was decided; of a conditional order its trigger. */
  readonly arrival: number;
  /** Lots filled, and those of them that waited for the market. */
  readonly lots: number;
  readonly makerLots: number;
  /** Average price of the fills less the arrival price, against us, basis points: above 0 is worse, below is better. */
  readonly slippage: number;
}

interface Running {
  readonly request: OrderRequest;
  readonly arrival: number;
  lots: number;
  makerLots: number;
  /** Sum of lots × ticks. */
  value: number;
  readonly trades: Set<string>;
}

/** A decision to enter, over all orders that were sent for it. */
interface Decision {
  readonly wanted: number;
  opened: number;
}

/** What became of the orders of a purpose. Basis points, signed as in `Execution`. */
export interface SlippageSummary {
  readonly orders: number;
  readonly median: number;
  readonly p90: number;
  readonly mean: number;
}

export interface ExecutionSummary {
  /** Decisions to enter, and how many of them were filled whole, in part, and not at all or not yet. */
  readonly decisions: number;
  readonly whole: number;
  readonly partial: number;
  readonly missed: number;
  /** Lots of entries that waited for the market as a share of each entry order's lots, averaged; 0 to 1. */
  readonly makerShare: number;
  readonly slippage: Readonly<Partial<Record<Purpose, SlippageSummary>>>;
}

/**
 * Measures each order against the price that was known when it was decided, from nothing but the events and effects of
 * a run: the same journal gives the same figures. Memory grows by one number per order that was filled.
 */
export class Executions {
  readonly #marks: number[] = [];
  readonly #running = new Map<number, Running>();
  /** By symbol and leg: the decision that is under way. */
  readonly #entering = new Map<string, Decision>();
  readonly #slippage = new Map<Purpose, number[]>();
  readonly #decided: Decision[] = [];
  #entries = 0;
  #makerShares = 0;
  readonly #onEnd: ((execution: Execution) => void) | undefined;

  /** @param onEnd told of each order that was filled at least in part, when it has ended */
  constructor(onEnd?: (execution: Execution) => void) {
    this.#onEnd = onEnd;
  }

  stepped(event: Event, effects: readonly Effect[]): void {
    switch (event.kind) {
      case "bar":
        this.#marks[event.symbol] = event.close;
        break;
      case "tick":
        this.#marks[event.symbol] = event.last;
        break;
      case "mark":
        this.#marks[event.symbol] = event.price;
        break;
      case "fill": {
        const order = this.#running.get(event.order);
        if (order === undefined || order.trades.has(event.trade)) break;
        order.trades.add(event.trade);
        order.lots += event.lots;
        order.value += event.lots * event.price;
        if (event.maker) order.makerLots += event.lots;
        const { purpose, symbol, leg } = order.request;
        const decision = purpose === "entry" ? this.#entering.get(`${symbol}:${leg}`) : undefined;
        if (decision !== undefined) decision.opened += event.lots;
        if (event.done) this.#end(order);
        break;
      }
      case "answer": {
        const order = this.#running.get(event.order);
        const { answer } = event;
        const ended = answer === "rejected" || answer === "cancelled" || answer === "expired";
        if (order !== undefined && ended) this.#end(order);
      }
    }
    for (const effect of effects) if (effect.kind === "submit") this.#submitted(effect.order);
  }

  #submitted(request: OrderRequest): void {
    const { id, symbol, leg, purpose, lots, trigger } = request;
    const arrival = request.arrival ?? (trigger > 0 ? trigger : (this.#marks[symbol] ?? 0));
    this.#running.set(id, { request, arrival, lots: 0, makerLots: 0, value: 0, trades: new Set() });
    if (purpose !== "entry" || request.arrival !== undefined) return;
    const decision = { wanted: lots, opened: 0 };
    this.#entering.set(`${symbol}:${leg}`, decision);
    this.#decided.push(decision);
  }

  #end({ request, arrival, lots, makerLots, value }: Running): void {
    this.#running.delete(request.id);
    if (lots === 0 || arrival === 0) return;
    const slippage = (request.side * (value / lots - arrival) * 10_000) / arrival;
    const { purpose } = request;
    const sample = this.#slippage.get(purpose);
    if (sample === undefined) this.#slippage.set(purpose, [slippage]);
    else sample.push(slippage);
    if (purpose === "entry") {
      this.#entries++;
      this.#makerShares += makerLots / lots;
    }
    this.#onEnd?.({ request, arrival, lots, makerLots, slippage });
  }

  summary(): ExecutionSummary {
    const counted = (test: (decision: Decision) => boolean) => this.#decided.filter(test).length;
    const slippage: Partial<Record<Purpose, SlippageSummary>> = {};
    for (const purpose of PURPOSES) {
      const sample = this.#slippage.get(purpose);
      if (sample !== undefined) slippage[purpose] = summaryOf(sample);
    }
    return {
      decisions: this.#decided.length,
      whole: counted(({ opened, wanted }) => opened >= wanted),
      partial: counted(({ opened, wanted }) => opened > 0 && opened < wanted),
      missed: counted(({ opened }) => opened === 0),
      makerShare: this.#entries > 0 ? this.#makerShares / this.#entries : 0,
      slippage,
    };
  }
}

function summaryOf(sample: readonly number[]): SlippageSummary {
  const mean = sample.reduce((sum, value) => sum + value, 0) / sample.length;
  return { orders: sample.length, median: quantile(sample, 0.5), p90: quantile(sample, 0.9), mean };
}
