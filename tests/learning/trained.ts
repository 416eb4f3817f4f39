import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TrialLedger } from "../../src/learning/ledger.ts";
import { type TrainingResult, type TrainingTask, train } from "../../src/learning/training.ts";
import { treeLearner } from "../../src/learning/trees.ts";
import { chooseTreeEngine } from "../../src/native.ts";
import { LIMITS, type Planted, plantedDataset } from "./planted.ts";

/** Two variants are enough to be chosen among. */
const engine = chooseTreeEngine("auto");
const learner = { ...treeLearner(engine), variants: treeLearner(engine).variants.slice(0, 2) };

/** A task on planted data with the ledger of a folder. */
export function plantedTask(what: Planted, seed: number, dir: string, rows = 900): TrainingTask {
  const dataset = plantedDataset(what, seed, rows);
  return {
    strategy: "hybrid",
    dataset,
    ict: dataset,
    minConfidence: 0.35,
    dataHash: dataset.hash,
    learner,
    seed,
    limits: LIMITS,
    ledger: new TrialLedger(join(dir, "trials.jsonl")),
    champion: undefined,
    featureChecks: [],
    now: 1_700_000_000_000 + seed,
  };
}

const known = new Map<string, TrainingResult>();

/** A model of planted data, trained once per process. */
export function trained(what: Planted, seed: number): { readonly result: TrainingResult } {
  const name = `${what} ${seed}`;
  let result = known.get(name);
  if (result === undefined) {
    const dir = mkdtempSync(join(tmpdir(), "penstock-trained-"));
    result = train(plantedTask(what, seed, dir));
    rmSync(dir, { recursive: true });
    known.set(name, result);
  }
  return { result };
}
