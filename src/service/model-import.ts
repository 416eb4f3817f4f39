import type { Settings } from "../config/settings.ts";
import { InputError } from "../input-error.ts";
import { MODEL_COLUMNS } from "../learning/dataset.ts";
import { fixedLearner, scorerOf } from "../learning/trees.ts";
import { readInputFile } from "../market/input-file.ts";
import { ModelProcess, ModelProcessLost } from "../models/process/model-process.ts";
import type { TreeEnsemble } from "../models/trees/ensemble.ts";
import { chooseTreeEngine } from "../native.ts";
import type { MarketChoice } from "./backtest.ts";
import { type Trained, trainModel } from "./training.ts";

/**
 * Judges trees that somebody trained elsewhere and registers them, like a training of our own that fits nothing: the
 * same bars, checks, ledger and gate. That they were not trained on these bars is for the user to know.
 *
 * @throws InputError for a file that is no tree model of this build's columns
 */
export async function importModel(
  settings: Settings,
  file: string,
  choice: MarketChoice,
  onProgress?: (what: string, share: number) => void,
): Promise<Trained> {
  const ensemble = await readModel(settings, file);
  if (ensemble.objective.kind !== "logistic") {
    throw new InputError(`${file}: predicts a ${ensemble.objective.kind} objective; a gate judges probabilities`);
  }
  return trainModel(settings, {
    data: { kind: "recorded", choice },
    seed: 1,
    learner: fixedLearner(scorerOf(ensemble, chooseTreeEngine(settings.PENSTOCK_KERNEL))),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}

/** Time for the file to be read, ms. */
const DEADLINE = 30_000;

/** A stranger's file is read in a process that may die of it. */
async function readModel(settings: Settings, file: string): Promise<TreeEnsemble> {
  const bytes = readInputFile(file);
  const reader = new ModelProcess({
    memoryLimit: settings.PROCESS_MEMORY_LIMIT_MB,
    deadline: DEADLINE,
    loadDeadline: DEADLINE,
  });
  try {
    const model = await reader.import(bytes, MODEL_COLUMNS, file);
    if (model.kind === "trees") return model.ensemble;
    throw new InputError(`${file}: is an ONNX graph of something else than trees, which cannot be judged here`);
  } catch (error) {
    if (error instanceof ModelProcessLost) throw new InputError(`${file}: could not be read: ${error.message}`);
    throw error;
  } finally {
    reader.close();
  }
}
