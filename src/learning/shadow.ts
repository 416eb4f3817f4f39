import { existsSync } from "node:fs";
import { appendLines } from "./append-line.ts";
import { readWhole } from "./read-file.ts";

/** How a trade came out that a shadow had predicted: its log loss, and the one that it has to be no worse than. */
export interface ShadowOutcome {
  /** Names the trade on its market, whichever run saw it. */
  readonly trade: string;
  readonly loss: number;
  readonly toBeat: number;
}

/** What a run saw of a shadow from one market time to another. */
export interface ShadowStretch {
  readonly model: string;
  /** What it predicted on: outcomes of a generated market say nothing of a real one. */
  readonly market: string;
  readonly from: number;
  readonly to: number;
  readonly outcomes: readonly ShadowOutcome[];
}

/**
 * What is known of a shadow from all runs that had it predict. A union of stretches: one that is seen again, because a
 * market was gone through once more or two runs watched it at the same time, adds nothing, and the time between two runs
 * is not in it.
 */
export class ShadowEvidence {
  /** Market times that were watched: disjoint, rising. */
  #spans: { readonly from: number; readonly to: number }[] = [];
  readonly #outcomes = new Map<string, ShadowOutcome>();

  add({ from, to, outcomes }: Pick<ShadowStretch, "from" | "to" | "outcomes">): void {
    this.watch(from, to);
    for (const outcome of outcomes) this.outcome(outcome);
  }

  /** It predicted from one market time to another. */
  watch(from: number, to: number): void {
    // Those that touch become one; there are as many as gaps between runs.
    const apart: { readonly from: number; readonly to: number }[] = [];
    let [first, last] = [from, to];
    for (const span of this.#spans) {
      if (span.to < from || span.from > to) {
        apart.push(span);
        continue;
      }
      if (span.from < first) first = span.from;
      if (span.to > last) last = span.to;
    }
    this.#spans = [...apart, { from: first, to: last }].sort((a, b) => a.from - b.from);
  }

  /** @returns false for a trade whose outcome is known already; the first one counts */
  outcome(outcome: ShadowOutcome): boolean {
    if (this.#outcomes.has(outcome.trade)) return false;
    this.#outcomes.set(outcome.trade, outcome);
    return true;
  }

  /** First market time at which it predicted; NaN before that. */
  get since(): number {
    return this.#spans[0]?.from ?? Number.NaN;
  }

  /** Market time during which it predicted, ms. */
  get watched(): number {
    return this.#spans.reduce((sum, { from, to }) => sum + (to - from), 0);
  }

  get outcomes(): number {
    return this.#outcomes.size;
  }

  /** Mean log loss; NaN without outcomes. */
  get loss(): number {
    return this.#mean(({ loss }) => loss);
  }

  /** Mean of what it has to be no worse than; NaN without outcomes. */
  get toBeat(): number {
    return this.#mean(({ toBeat }) => toBeat);
  }

  #mean(pick: (outcome: ShadowOutcome) => number): number {
    let sum = 0;
    for (const outcome of this.#outcomes.values()) sum += pick(outcome);
    return sum / this.#outcomes.size;
  }
}

/**
 * What was seen of shadows, as lines of JSON that are only ever added: a restart goes on with it, and whoever asks why a
 * model came to decide finds the outcomes that it was measured by. A torn line was never seen.
 */
export class ShadowLog {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws InputError when the disk does not take it; nothing of it was written down then */
  append(stretch: ShadowStretch): void {
    appendLines(this.#path, `${JSON.stringify(stretch)}\n`);
  }

  /**
   * @param market what the model predicted on; every market when absent, for people
   * @throws InputError when the file cannot be read
   */
  of(model: string, market?: string): ShadowEvidence {
    const evidence = new ShadowEvidence();
    if (!existsSync(this.#path)) return evidence;
    for (const line of readWhole(this.#path).toString().split("\n")) {
      const stretch = parse(line);
      if (stretch?.model === model && (market === undefined || stretch.market === market)) evidence.add(stretch);
    }
    return evidence;
  }
}

function parse(line: string): ShadowStretch | undefined {
  if (line === "") return undefined;
  try {
    return JSON.parse(line) as ShadowStretch;
  } catch {
    return undefined;
  }
}
