import type { CoreRecord, Trade } from "../core/effects.ts";
import type { BarEvent } from "../core/events.ts";

/** How far the price went while a position was open, in ticks; both include entry and exit. */
export interface Excursion {
  /** The best price for the position, and the worst. */
  best: number;
  worst: number;
}

interface OpenExcursion extends Excursion {
  readonly leg: Trade["leg"];
  readonly direction: Trade["direction"];
}

/**
 * Follows the extremes of open positions over the bars: what becomes MAE and MFE (J. Sweeney, "Maximum Adverse
 * Excursion", 1996).
 *
 * Bars tell a high and a low but not which came first. The bar that holds the entry counts whole, because entries fill
 * at its open. Of the bar that holds the exit only what the simulation takes for granted counts: the price goes first to
 * the side that hurts, so its adverse extreme belongs to a trade that then reached its target, and its favourable one
 * to no trade that was stopped in it.
 */
export class Excursions {
  readonly #open = new Map<number, OpenExcursion[]>();
  readonly #closed = new Map<Trade, Excursion>();
  /** Trades that were closed inside a bar which is not known yet, by symbol. */
  readonly #unfinished = new Map<number, Trade[]>();

  opened({ symbol, leg, direction, price }: Extract<CoreRecord, { kind: "opened" }>): void {
    const excursion = { leg, direction, best: price, worst: price };
    const others = this.#open.get(symbol);
    if (others === undefined) this.#open.set(symbol, [excursion]);
    else others.push(excursion);
  }

  /** @param exit the average price of the exit, ticks */
  closed(trade: Trade, exit: number): void {
    const { symbol, leg, direction } = trade;
    const open = this.#open.get(symbol);
    const index = open?.findIndex((excursion) => excursion.leg === leg) ?? -1;
    if (open === undefined || index < 0) return;
    const [excursion] = open.splice(index, 1) as [OpenExcursion];
    if (open.length === 0) this.#open.delete(symbol);
    extend(excursion, direction, exit, exit);
    this.#closed.set(trade, excursion);
    if (trade.reason !== "target") return;
    const unfinished = this.#unfinished.get(symbol);
    if (unfinished === undefined) this.#unfinished.set(symbol, [trade]);
    else unfinished.push(trade);
  }

  bar({ symbol, time, high, low }: BarEvent): void {
    const open = this.#open.get(symbol);
    if (open !== undefined) {
      for (const excursion of open) {
        const { direction } = excursion;
        if (direction === 1) extend(excursion, direction, high, low);
        else extend(excursion, direction, low, high);
      }
    }
    const unfinished = this.#unfinished.get(symbol);
    if (unfinished === undefined) return;
    this.#unfinished.delete(symbol);
    for (const trade of unfinished) {
      // An exit inside of a bar carries its last millisecond; one at its open saw nothing of it.
      if (trade.exitTime !== time - 1) continue;
      const adverse = trade.direction === 1 ? low : high;
      extend(this.#closed.get(trade)!, trade.direction, adverse, adverse);
    }
  }

  /** Undefined for a trade whose opening was not seen. */
  of(trade: Trade): Excursion | undefined {
    return this.#closed.get(trade);
  }
}

function extend(excursion: Excursion, direction: 1 | -1, favourable: number, adverse: number): void {
  if (direction * (favourable - excursion.best) > 0) excursion.best = favourable;
  if (direction * (adverse - excursion.worst) < 0) excursion.worst = adverse;
}
