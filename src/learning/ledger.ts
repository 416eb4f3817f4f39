import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { InputError } from "../input-error.ts";
import { appendLines } from "./append-line.ts";
import { readWhole } from "./read-file.ts";

/** An attempt to find something. The Sharpe ratio is per period, out of sample. */
export interface Trial {
  readonly at: number;
  readonly kind: string;
  readonly variant: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly dataHash: string;
  readonly sharpe: number;
  readonly periods: number;
}

/** A trial in the ledger. */
export interface LedgerEntry extends Trial {
  /** SHA-256 of the entry before this one and of this one without it: nothing can be taken out unseen. */
  readonly chain: string;
}

const EMPTY = "0".repeat(64);

/**
 * The ledger of all trials ever made, good or bad: an append-only file of JSON lines, chained by hashes. The deflated
 * Sharpe ratio that gates promotion counts them all; its last hash says which ledger that was.
 */
export class TrialLedger {
  readonly #path: string;
  readonly #entries: LedgerEntry[] = [];

  /** @throws InputError for a ledger that cannot be read or was changed: with it no promotion could be justified */
  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) return;
    const lines = readWhole(path).toString().split("\n");
    for (const [i, line] of lines.entries()) {
      if (line === "") continue;
      const entry = parse(line);
      if (entry === undefined) continue;
      const { chain, ...trial } = entry;
      if (chain !== chained(this.hash, trial)) {
        throw new InputError(`${path}: line ${i + 1} does not follow from the one before; the ledger was changed`);
      }
      this.#entries.push(entry);
    }
  }

  get trials(): readonly LedgerEntry[] {
    return this.#entries;
  }

  /** Of everything in it, hex. */
  get hash(): string {
    return this.#entries.at(-1)?.chain ?? EMPTY;
  }

  /** @throws InputError when the disk does not take them; none of them is counted then */
  append(trials: readonly Trial[]): void {
    let chain = this.hash;
    const added = trials.map((trial): LedgerEntry => {
      chain = chained(chain, trial);
      return { ...trial, chain };
    });
    // What could not be written down was not counted.
    appendLines(this.#path, added.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
    this.#entries.push(...added);
  }
}

function parse(line: string): LedgerEntry | undefined {
  try {
    return JSON.parse(line) as LedgerEntry;
  } catch {
    // What a crash cut off in the middle of a line was never counted; the chain shows if it was more than that.
    return undefined;
  }
}

function chained(before: string, trial: Trial): string {
  const { at, kind, variant, parameters, seed, dataHash, sharpe, periods } = trial;
  const content = JSON.stringify([at, kind, variant, parameters, seed, dataHash, sharpe, periods]);
  return createHash("sha256").update(before).update(content).digest("hex");
}
