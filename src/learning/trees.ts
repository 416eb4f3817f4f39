import { InputError } from "../input-error.ts";
import { PORTABLE_ENGINE, type TreeEngine } from "../models/trees/engine.ts";
import { readEnsemble, type TreeEnsemble } from "../models/trees/ensemble.ts";
import type { TreeDataset } from "../models/trees/objective.ts";
import { TREE_DEFAULTS, trainTrees } from "../models/trees/train.ts";
import { type Dataset, MODEL_COLUMNS, rowsAt, valuesAt } from "./dataset.ts";
import type { Learner, Scorer, Variant } from "./learner.ts";

/**
 * What is tried for each model. Shallow, slow, with many rows per leaf and early stopping: on market data 200 trees of
 * depth 6 predict worse than a constant.
 */
export const TREE_VARIANTS: readonly Variant[] = [
  { name: "stumps", parameters: { depth: 1, learningRate: 0.1, minChildWeight: 10, columnSample: 1 } },
  { name: "shallow", parameters: { depth: 2, learningRate: 0.08, minChildWeight: 10, columnSample: 0.7 } },
  { name: "middle", parameters: { depth: 3, learningRate: 0.05, minChildWeight: 10, columnSample: 0.5 } },
  { name: "deep", parameters: { depth: 4, learningRate: 0.05, minChildWeight: 20, columnSample: 0.5 } },
];

/** Most trees, and rounds without a better loss after which no more are grown. */
export const TREE_ROUNDS = 150;
export const TREE_PATIENCE = 15;
/** Quantiles per feature: finer ones only find more of the noise. */
export const TREE_BINS = 64;

/** @param engine grows and walks the trees; all give the same bits, see chooseTreeEngine of src/native.ts */
export function treeLearner(engine: TreeEngine = PORTABLE_ENGINE): Learner {
  return {
    kind: "trees",
    variants: TREE_VARIANTS,
    fit(dataset, train, validation, variant, seed) {
      const parameters = {
        ...TREE_DEFAULTS,
        ...variant.parameters,
        trees: TREE_ROUNDS,
        bins: TREE_BINS,
        seed,
        earlyStoppingRounds: TREE_PATIENCE,
      };
      const { ensemble, history } = trainTrees(part(dataset, train), parameters, {
        validation: part(dataset, validation),
        trainingLoss: true,
        grower: engine.grower,
      });
      const curve = history.map((round) => ({
        train: round.training ?? Number.NaN,
        validation: round.validation ?? Number.NaN,
      }));
      return { ...scorerOf(ensemble, engine), curve };
    },
  };
}

/** Trees that were fitted elsewhere, judged like any other: nothing is fitted but what calibrates them. */
export function fixedLearner(scorer: Scorer): Learner {
  return { kind: "trees", variants: [{ name: "imported", parameters: {} }], fit: () => scorer };
}

function part(dataset: Dataset, places: Int32Array): TreeDataset {
  return {
    names: dataset.columns,
    rows: rowsAt(dataset, places),
    labels: valuesAt(dataset.y, places),
    weights: valuesAt(dataset.weight, places),
  };
}

/** A scorer of trees. */
export function scorerOf(ensemble: TreeEnsemble, engine: TreeEngine): Scorer {
  const predict = engine.prepare(ensemble);
  return {
    score(x, rows) {
      const out = new Float64Array(rows);
      predict(x, out);
      return out;
    },
    save: () => new TextEncoder().encode(JSON.stringify(ensemble)),
    curve: [],
  };
}

/** Trees from the bytes of an artefact. @throws InputError for anything that is not a classifier of this build's rows */
export function loadTrees(artefact: Uint8Array, where: string, engine: TreeEngine = PORTABLE_ENGINE): Scorer {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(artefact));
  } catch (error) {
    throw new InputError(`${where}: is no JSON: ${(error as Error).message}`);
  }
  const ensemble = readEnsemble(json, where);
  if (ensemble.objective.kind !== "logistic") {
    throw new InputError(`${where}: predicts a ${ensemble.objective.kind} objective; allowed is logistic`);
  }
  const wrong = MODEL_COLUMNS.findIndex((name, i) => ensemble.features[i] !== name);
  if (wrong >= 0 || ensemble.features.length !== MODEL_COLUMNS.length) {
    const at = wrong < 0 ? MODEL_COLUMNS.length : wrong;
    throw new InputError(
      `${where}: column ${at} is ${ensemble.features[at] ?? "missing"}; ${MODEL_COLUMNS[at] ?? "nothing"} is expected`,
    );
  }
  return scorerOf(ensemble, engine);
}
