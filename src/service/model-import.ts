import type { Settings } from "../config/settings.ts";
import { InputError } from "../input-error.ts";
import { MODEL_COLUMNS } from "../learning/dataset.ts";
import type { Learner } from "../learning/learner.ts";
import { netLearner, scoreAtOnce } from "../learning/nets.ts";
import { fixedLearner, scorerOf } from "../learning/trees.ts";
import { readInputFile } from "../market/input-file.ts";
import type { ImportedModel } from "../models/import/import-model.ts";
import { ModelProcess, ModelProcessLost } from "../models/process/model-process.ts";
import { chooseTreeEngine } from "../native.ts";
import type { MarketChoice } from "./backtest.ts";
import { waitedNet } from "./models.ts";
import { type Trained, trainModel } from "./training.ts";

/**
 * Judges a model that somebody trained elsewhere and registers it, like a training of our own that fits nothing: the
 * same bars, checks, ledger and gate. That it was not trained on these bars is for the user to know.
 *
 * @throws InputError for a file that is no model of this build's columns, or does not predict probabilities
 */
export async function importModel(
  settings: Settings,
  file: string,
  choice: MarketChoice,
  onProgress?: (what: string, share: number) => void,
): Promise<Trained> {
  const bytes = readInputFile(file);
  const model = await readModel(settings, bytes, file);
  const judge = (learner: Learner) =>
    trainModel(settings, {
      data: { kind: "recorded", choice },
      seed: 1,
      learner,
      ...(onProgress === undefined ? {} : { onProgress }),
    });
  if (model.kind === "onnx") {
    const net = waitedNet(bytes, file, settings);
    try {
      // What predicts no probabilities is refused before the bars are read.
      scoreAtOnce(net, new Float32Array(MODEL_COLUMNS.length), file);
      return await judge(netLearner(net, bytes, file));
    } finally {
      net.close();
    }
  }
  const { ensemble } = model;
  if (ensemble.objective.kind !== "logistic") {
    throw new InputError(`${file}: predicts a ${ensemble.objective.kind} objective; a gate judges probabilities`);
  }
  return judge(fixedLearner(scorerOf(ensemble, chooseTreeEngine(settings.PENSTOCK_KERNEL))));
}

/** Time for the file to be read, ms. */
const DEADLINE = 30_000;

/** A stranger's file is read in a process that may die of it. */
async function readModel(settings: Settings, bytes: Uint8Array, file: string): Promise<ImportedModel> {
  const reader = new ModelProcess({
    memoryLimit: settings.PROCESS_MEMORY_LIMIT_MB,
    deadline: DEADLINE,
    loadDeadline: DEADLINE,
  });
  try {
    return await reader.import(bytes, MODEL_COLUMNS, file);
  } catch (error) {
    if (error instanceof ModelProcessLost) throw new InputError(`${file}: could not be read: ${error.message}`);
    throw error;
  } finally {
    reader.close();
  }
}
