import type { SymbolRows } from "../analysis/live-analysis.ts";
import { RangeFailed } from "../analysis/pool.ts";
import type { Direction } from "../core/candidate.ts";
import { InputError } from "../input-error.ts";
import { calibrate } from "../learning/calibration.ts";
import { MODEL_COLUMNS, modelRow } from "../learning/dataset.ts";
import { dissimilarity } from "../learning/drift.ts";
import { PredictionBatch, type PredictionBatchOptions, RESCORING_WAIT } from "../models/prediction-batch.ts";
import { ModelProcessLost } from "../models/process/model-process.ts";
import type { LiveModel } from "./models.ts";

/** A symbol and a direction that a position is open in. */
export interface Side {
  readonly symbol: number;
  readonly direction: Direction;
}

/**
 * What the model in charge says now of a side that is held: the chance that a trade which was proposed at this moment,
 * with a stop and a target of its own, would gain after costs. It says nothing of the stop and the target that are left.
 */
export interface Chance extends Side {
  readonly model: string;
  /** Calibrated, 0 to 1. */
  readonly probability: number;
  /** Whether the row is unlike all that the model was trained on, so that its word counts for little. */
  readonly unlike: boolean;
  /** Close of the newest bar that it knows, ms UTC. */
  readonly at: number;
}

export interface RescoringOptions extends Pick<PredictionBatchOptions, "size" | "after"> {
  /** The newest feature rows of symbols, in pieces; see LiveAnalysis. */
  readonly rowsOf: (symbols: readonly number[]) => readonly Promise<SymbolRows | undefined>[];
}

/**
 * Asks the model in charge again about the sides on which positions are open, real and virtual, for people to look at.
 * It happens between the cycles, in batches, one round at a time, and nothing in it changes a decision: what it says may
 * depend on the clock, and decisions must not.
 */
export class Rescoring {
  /** Rounds that came to nothing because the analysis or the model gave no answer. */
  failures = 0;
  #calls = 0;
  #rows = 0;
  #chances: readonly Chance[] = [];
  #model: LiveModel | undefined;
  #round = 0;
  #busy = false;
  readonly #options: RescoringOptions;

  constructor(options: RescoringOptions) {
    this.#options = options;
  }

  /** What the model in charge said last; nothing of any other model. */
  get chances(): readonly Chance[] {
    return this.#chances;
  }

  /** Calls of a model so far, and the rows in them. */
  get asked(): { readonly calls: number; readonly rows: number } {
    return { calls: this.#calls, rows: this.#rows };
  }

  /** Another model is in charge, or none: what the last one said is of no use any more. */
  forget(): void {
    this.#round++;
    this.#model = undefined;
    this.#chances = [];
  }

  /** Begins a round, unless one is at it. Resolves when it has come to its end, which nobody has to wait for. */
  async begin(model: LiveModel, sides: readonly Side[]): Promise<void> {
    if (this.#busy) return;
    if (model !== this.#model) this.forget();
    this.#model = model;
    this.#busy = true;
    const round = this.#round;
    try {
      const chances = await this.#ask(model, sides);
      if (round === this.#round) this.#chances = chances;
    } catch (error) {
      const unanswered = error instanceof RangeFailed || error instanceof ModelProcessLost;
      if (!unanswered && !(error instanceof InputError)) throw error;
      // A model that was put out of charge meanwhile owes no answer.
      if (round === this.#round) this.failures++;
    } finally {
      this.#busy = false;
    }
  }

  async #ask({ manifest, score }: LiveModel, sides: readonly Side[]): Promise<Chance[]> {
    const { rowsOf, ...options } = this.#options;
    const batch = new PredictionBatch((x, rows) => score(x, rows), {
      ...{ width: MODEL_COLUMNS.length, wait: RESCORING_WAIT },
      ...options,
    });
    const found: Chance[] = [];
    const symbols = [...new Set(sides.map(({ symbol }) => symbol))];
    const pieces = await Promise.allSettled(
      rowsOf(symbols).map(async (coming) => {
        const piece = await coming;
        if (piece === undefined) return;
        const asked = piece.symbols.flatMap((symbol, i) =>
          sides
            .filter((side) => side.symbol === symbol)
            .map(async ({ direction }) => {
              const row = modelRow(piece.rows[i]!, direction);
              const probability = calibrate(manifest.calibration, await batch.predict(row));
              const unlike = dissimilarity(manifest.domain, row) > manifest.domain.limit;
              found.push({ symbol, direction, model: manifest.id, probability, unlike, at: piece.at });
            }),
        );
        await Promise.all(asked);
      }),
    );
    this.#calls += batch.calls;
    this.#rows += batch.rows;
    const failed = pieces.find((piece) => piece.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return found.sort((a, b) => a.symbol - b.symbol || b.direction - a.direction);
  }
}
