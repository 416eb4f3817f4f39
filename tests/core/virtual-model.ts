import type { Candidate } from "../../src/core/candidate.ts";
import { movedStop } from "../../src/core/life.ts";
import type { VirtualRules } from "../../src/core/virtual-book.ts";

/** What is compared between the book and the model. */
export interface ModelTrade {
  readonly id: number;
  readonly outcome: string;
  readonly entryTime: number;
  readonly exitTime: number;
  readonly entry: number;
  readonly exit: number;
  readonly finalStop: number;
  readonly best: number;
  readonly bestAt: number;
  readonly worst: number;
  readonly worstAt: number;
}

interface ModelPosition {
  readonly id: number;
  readonly candidate: Candidate;
  entry: number;
  entryTime: number;
  stop: number;
  best: number;
  bestAt: number;
  worst: number;
  worstAt: number;
  bestClose: number;
}

/**
 * Virtual positions worked out the slow and plain way: every position looks at every price by itself. No heaps, no folding
 * of extremes, no deadlines; prices must come at least five seconds apart, so that all are due each time.
 */
export class VirtualModel {
  readonly closed: ModelTrade[] = [];
  readonly #rules: VirtualRules;
  readonly #pending: ModelPosition[] = [];
  #open: ModelPosition[] = [];
  #id = 0;

  constructor(rules: VirtualRules) {
    this.#rules = rules;
  }

  get live(): number {
    return this.#pending.length + this.#open.length;
  }

  signal(candidate: Candidate): void {
    const same = ({ candidate: other }: ModelPosition) =>
      other.symbol === candidate.symbol && other.direction === candidate.direction && other.setup === candidate.setup;
    if (this.#pending.some(same) || this.#open.some(same)) return;
    this.#id += 1;
    const zero = { entry: 0, entryTime: 0, best: 0, bestAt: 0, worst: 0, worstAt: 0, bestClose: 0 };
    this.#pending.push({ id: this.#id, candidate, stop: candidate.stop, ...zero });
  }

  bar(symbol: number, openTime: number, time: number, bar: ModelBar): void {
    for (const position of this.#pending.filter(({ candidate }) => candidate.symbol === symbol)) {
      this.#pending.splice(this.#pending.indexOf(position), 1);
      if (!bar.traded) continue;
      const { direction, target } = position.candidate;
      const at = { entry: bar.open, entryTime: openTime, best: bar.open, bestAt: openTime, worst: bar.open };
      Object.assign(position, at, { worstAt: openTime, bestClose: bar.open });
      if (direction * (bar.open - position.stop) <= 0) this.#end(position, "stop-hit", bar.open, openTime);
      else if (direction * (bar.open - target) >= 0) this.#end(position, "target-hit", bar.open, openTime);
      else this.#open.push(position);
    }
    if (bar.traded) this.prices(symbol, time - 1, bar);
    for (const position of this.#of(symbol)) {
      const { direction, stop } = position.candidate;
      if (direction * (bar.close - position.bestClose) > 0) {
        position.bestClose = bar.close;
        const risk = direction * (position.entry - stop);
        position.stop = movedStop(this.#rules, direction, position.entry, risk, position.stop, bar.close);
      }
      const { virtualMaxHolding } = this.#rules;
      if (virtualMaxHolding > 0 && time - position.entryTime >= virtualMaxHolding) {
        this.#end(position, "expired", bar.close, time);
      }
    }
  }

  prices(symbol: number, time: number, { open, high, low }: Pick<ModelBar, "open" | "high" | "low">): void {
    for (const position of this.#of(symbol)) {
      const { direction, target } = position.candidate;
      const adverse = direction === 1 ? low : high;
      const favourable = direction === 1 ? high : low;
      see(position, open, time);
      if (direction * (adverse - position.stop) <= 0) {
        const worse = direction * (open - position.stop) < 0 ? open : position.stop;
        this.#end(position, "stop-hit", worse, time);
        continue;
      }
      see(position, adverse, time);
      if (direction * (favourable - target) > 0) this.#end(position, "target-hit", target, time);
      else see(position, favourable, time);
    }
  }

  #of(symbol: number): ModelPosition[] {
    return this.#open.filter(({ candidate }) => candidate.symbol === symbol);
  }

  #end(position: ModelPosition, outcome: string, exit: number, exitTime: number): void {
    see(position, exit, exitTime);
    this.#open = this.#open.filter((other) => other !== position);
    const { id, entry, entryTime, stop, best, bestAt, worst, worstAt } = position;
    const path = { best, bestAt, worst, worstAt };
    this.closed.push({ id, outcome, entry, entryTime, exit, exitTime, finalStop: stop, ...path });
  }
}

export interface ModelBar {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly traded: boolean;
}

function see(position: ModelPosition, price: number, time: number): void {
  const { direction } = position.candidate;
  if (direction * (price - position.best) > 0) {
    position.best = price;
    position.bestAt = time;
  }
  if (direction * (price - position.worst) < 0) {
    position.worst = price;
    position.worstAt = time;
  }
}
