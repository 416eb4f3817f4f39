import type { Candidate } from "../core/candidate.ts";
import { AdaptiveAlpha, predictionSet } from "./conformal.ts";
import { modelRow } from "./dataset.ts";
import { Adwin, dissimilarity, PageHinkley, stabilityIndex } from "./drift.ts";
import type { Caution } from "./judge.ts";
import type { ModelManifest } from "./manifest.ts";
import { lossOf } from "./scores.ts";

/** What must follow from what the monitor saw. */
export interface Finding {
  readonly consequence: "widen" | "de-risk" | "retrain" | "fall-back";
  readonly reason: string;
}

/** Numbers for dashboards and alarms. NaN where nothing was seen yet. */
export interface DriftMetrics {
  /** Largest population stability index of a column in the last window, and how many columns are beyond chance. */
  readonly psiLargest: number;
  readonly psiColumns: number;
  /** Mean log loss since the last change that ADWIN saw, and outcomes in that window. */
  readonly loss: number;
  readonly lossWindow: number;
  /** Changes of the loss that ADWIN and Page–Hinkley reported. */
  readonly changes: number;
  readonly coverage: number;
  readonly alpha: number;
  /** Share of the rows that were unlike the training data. */
  readonly outside: number;
  readonly sizeFactor: number;
  readonly outcomes: number;
}

/** Rows of one window of the stability index. */
const WINDOW = 200;
/** Above this a column's distribution counts as another one, where chance does not explain it. */
const PSI_LIMIT = 0.25;
/** Share of the columns that must have moved before sets are widened: some always have. */
const PSI_SHARE = 0.2;
/** ADWIN wants values within 0 and 1; a loss of 3 is a chance of 5 % given to what happened. */
const LARGEST_LOSS = 3;
/** Outcomes from which on the coverage is judged. */
const COVERAGE_FROM = 50;
/**
 * So low a share of misses, where a tenth is wanted, rules out next to nothing: the only honest answer of the model would
 * be that it does not know. In a world as in training it would be four standard deviations away.
 */
const LOWEST_ALPHA = 0.01;
const CAREFUL = 0.5;

/**
 * Watches whether the world is still the one that the model was trained on. Drift of the columns only makes sets wider;
 * what counts is the loss on outcomes: a change halves bets and asks for training, and where sets have to be so wide that
 * they rule out nothing, the rules take over.
 */
export class DriftMonitor {
  readonly #manifest: ModelManifest;
  readonly #adwin = new Adwin();
  readonly #pageHinkley: PageHinkley;
  readonly #alpha: AdaptiveAlpha;
  #rows: Float32Array[] = [];
  #seen = 0;
  #outside = 0;
  #outcomes = 0;
  #changes = 0;
  #widened = false;
  #sizeFactor = 1;
  #psi = { largest: Number.NaN, columns: Number.NaN };

  constructor(manifest: ModelManifest) {
    this.#manifest = manifest;
    this.#alpha = new AdaptiveAlpha(manifest.alpha);
    this.#pageHinkley = new PageHinkley(manifest.loss.deviation);
  }

  /** A candidate that the model has judged. */
  judged(candidate: Candidate): Finding[] {
    const { features, direction } = candidate;
    if (features === undefined) return [];
    const row = modelRow(features, direction);
    this.#seen++;
    if (dissimilarity(this.#manifest.domain, row) > this.#manifest.domain.limit) this.#outside++;
    this.#rows.push(row);
    if (this.#rows.length < WINDOW) return [];
    const rows = this.#rows;
    this.#rows = [];
    return this.#compare(rows);
  }

  #compare(rows: readonly Float32Array[]): Finding[] {
    const { reference, columns } = this.#manifest;
    const moved: string[] = [];
    let largest = 0;
    for (const [c, own] of reference.entries()) {
      const { psi, limit } = stabilityIndex(
        own,
        Float32Array.from(rows, (row) => row[c]!),
      );
      if (psi > largest) largest = psi;
      if (psi > PSI_LIMIT && psi > limit) moved.push(columns[c]!);
    }
    this.#psi = { largest, columns: moved.length };
    this.#widened = moved.length > PSI_SHARE * columns.length;
    if (!this.#widened) return [];
    return [{ consequence: "widen", reason: `the market looks different in ${moved.join(", ")}` }];
  }

  /** How a trade that the model gave this chance has ended. */
  outcome(probability: number, gained: boolean): Finding[] {
    const y = gained ? 1 : 0;
    const set = predictionSet(this.#manifest.conformal, probability, this.#alpha.alpha);
    this.#alpha.outcome(gained ? set.gain : set.loss);
    this.#outcomes++;
    const loss = lossOf(probability, y);
    const bounded = loss < LARGEST_LOSS ? loss / LARGEST_LOSS : 1;
    const before = this.#adwin.mean;
    const cut = this.#adwin.add(bounded);
    const moved = this.#pageHinkley.add(loss);
    const findings: Finding[] = [];
    if (cut || moved) {
      this.#changes++;
      const worse = moved || this.#adwin.mean > before;
      if (worse) {
        this.#sizeFactor = CAREFUL;
        const reason = `the loss has changed: ${(this.#adwin.mean * LARGEST_LOSS).toFixed(3)} now, ${this.#manifest.loss.mean.toFixed(3)} in training`;
        findings.push({ consequence: "de-risk", reason }, { consequence: "retrain", reason });
      }
    }
    if (this.#outcomes >= COVERAGE_FROM && this.#alpha.alpha <= LOWEST_ALPHA) {
      const reason = `its sets had to be widened until they rule out nothing; ${(this.#alpha.coverage * 100).toFixed(0)} % of ${this.#outcomes} outcomes were within them`;
      findings.push({ consequence: "fall-back", reason });
    }
    return findings;
  }

  get caution(): Caution {
    const { alpha } = this.#alpha;
    return { alpha: this.#widened ? alpha / 2 : alpha, sizeFactor: this.#sizeFactor };
  }

  get metrics(): DriftMetrics {
    return {
      psiLargest: this.#psi.largest,
      psiColumns: this.#psi.columns,
      loss: this.#adwin.mean * LARGEST_LOSS,
      lossWindow: this.#adwin.count,
      changes: this.#changes,
      coverage: this.#alpha.coverage,
      alpha: this.caution.alpha,
      outside: this.#outside / this.#seen,
      sizeFactor: this.#sizeFactor,
      outcomes: this.#outcomes,
    };
  }
}
