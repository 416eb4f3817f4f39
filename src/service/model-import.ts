import type { Settings } from "../config/settings.ts";
import { fixedLearner, loadTrees } from "../learning/trees.ts";
import { readInputFile } from "../market/input-file.ts";
import { chooseTreeEngine } from "../native.ts";
import type { MarketChoice } from "./backtest.ts";
import { type Trained, trainModel } from "./training.ts";

/**
 * Judges trees that somebody trained elsewhere and registers them, like a training of our own that fits nothing: the
 * same bars, checks, ledger and gate. That they were not trained on these bars is for the user to know.
 *
 * @throws InputError for a file that is no model of this build's columns
 */
export function importModel(
  settings: Settings,
  file: string,
  choice: MarketChoice,
  onProgress?: (what: string, share: number) => void,
): Promise<Trained> {
  const scorer = loadTrees(readInputFile(file), file, chooseTreeEngine(settings.PENSTOCK_KERNEL));
  return trainModel(settings, {
    data: { kind: "recorded", choice },
    seed: 1,
    learner: fixedLearner(scorer),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}
