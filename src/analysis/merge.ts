import type { Candidate, Regime } from "../core/candidate.ts";
import type { AnalysisEvent } from "../core/events.ts";
import type { Finding, SymbolRange } from "./protocol.ts";

/** Puts what the ranges found in a cycle together again, in the order of the symbols. */
export class CycleMerge {
  /** By symbol of the run. Replaced and never changed, because events hold it. */
  #regimes: readonly Regime[];
  #next: Regime[] | undefined;
  #candidates: Candidate[] = [];

  constructor(symbols: number) {
    this.#regimes = new Array<Regime>(symbols).fill("unknown");
  }

  /** Takes in the next finding of a range; ranges in rising order. */
  add(range: SymbolRange, { regimes, candidates }: Pick<Finding, "regimes" | "candidates">): void {
    if (regimes !== undefined) {
      this.#next ??= this.#regimes.slice();
      for (let symbol = 0; symbol < range.symbols; symbol++) this.#next[range.first + symbol] = regimes[symbol]!;
    }
    for (const candidate of candidates) this.#candidates.push(candidate);
  }

  /** The cycle's event; symbols in `late` had no bar in it and are left out. */
  event(cycle: number, late: readonly number[]): AnalysisEvent {
    if (this.#next !== undefined) this.#regimes = this.#next;
    this.#next = undefined;
    const found = this.#candidates;
    this.#candidates = [];
    const absent = new Set(late);
    const candidates = late.length === 0 ? found : found.filter(({ symbol }) => !absent.has(symbol));
    const regimes =
      late.length === 0
        ? this.#regimes
        : this.#regimes.map((regime, symbol) => (absent.has(symbol) ? "unknown" : regime));
    return { kind: "analysis", time: cycle, symbol: -1, cycle, regimes, candidates };
  }
}

/** Indices in the run of a range's symbols. */
export function symbolsOf(range: SymbolRange): number[] {
  return Array.from({ length: range.symbols }, (_, symbol) => range.first + symbol);
}
