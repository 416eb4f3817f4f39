import { InputError } from "../../input-error.ts";
import { Random } from "../../market/random.ts";
import { type BinnedRows, binRows, cutFeatures, MISSING_BIN, MOST_BINS } from "./bins.ts";
import { leafOf, MOST_FEATURES, type Tree, type TreeEnsemble, type TreeObjective } from "./ensemble.ts";
import { type GrownTree, growPortably, type TreeGrower } from "./grow.ts";
import { baseScore, fillGradients, meanLoss, type TreeDataset, weightedQuantile } from "./objective.ts";

/** How to boost. The names and meanings of XGBoost, except that `gamma` stops growth instead of pruning afterwards. */
export interface TreeParameters {
  readonly objective: TreeObjective;
  /** Most trees: 1 … 100,000. */
  readonly trees: number;
  /** Levels of splits: 1 … 12. */
  readonly depth: number;
  /** Share of each tree's answer that is taken: above 0, at most 1. */
  readonly learningRate: number;
  /** L2 and L1 penalties on leaf weights, at least 0. */
  readonly lambda: number;
  readonly alpha: number;
  /** Least gain of a split, at least 0. */
  readonly gamma: number;
  /** Least sum of hessians of a child, above 0. For log loss a row counts p(1 - p) times its weight. */
  readonly minChildWeight: number;
  /** Intervals per feature: 2 … 254, besides that of missing values. */
  readonly bins: number;
  /** Share of rows, and of features, that each tree sees: above 0, at most 1. */
  readonly rowSample: number;
  readonly columnSample: number;
  /** A 32-bit number; it matters only where samples are drawn. */
  readonly seed: number;
  /** Features whose rise may only raise (1) or lower (-1) the prediction, by name. */
  readonly monotone: Readonly<Record<string, 1 | -1>>;
  /** Rounds without a better validation loss after which to stop; 0 never stops. */
  readonly earlyStoppingRounds: number;
  /** Threads of the native grower, 1 … 64; the model does not depend on it. */
  readonly threads: number;
}

export const TREE_DEFAULTS: TreeParameters = {
  objective: { kind: "logistic" },
  trees: 200,
  depth: 4,
  learningRate: 0.05,
  lambda: 1,
  alpha: 0,
  gamma: 0,
  minChildWeight: 1,
  bins: MOST_BINS,
  rowSample: 1,
  columnSample: 1,
  seed: 1,
  monotone: {},
  earlyStoppingRounds: 0,
  threads: 1,
};

export interface TreeRound {
  /** Trees grown so far. */
  readonly trees: number;
  /** Mean loss on the validation rows. */
  readonly validation?: number;
  /** Mean loss on all training rows, where it was asked for. */
  readonly training?: number;
}

/** Places in `control`, words in shared memory. */
export const CANCEL = 0;
export const PROGRESS = 1;

export interface TrainingOptions {
  /** Rows that are not learned from; early stopping looks at their loss. */
  readonly validation?: TreeDataset;
  /** Who grows the trees: `chooseTreeGrower()` of src/native.ts has the fastest. */
  readonly grower?: TreeGrower;
  /** Also the loss on the training rows, which costs a few per cent. */
  readonly trainingLoss?: boolean;
  /** Two words: another thread sets CANCEL to 1 to stop training; PROGRESS is the number of trees so far. */
  readonly control?: Int32Array;
  onProgress?(round: TreeRound): void;
}

export interface TrainedTrees {
  /** Up to the best round when training stopped early, or ended later than the best. */
  readonly ensemble: TreeEnsemble;
  readonly history: readonly TreeRound[];
  /** Trees of the ensemble. */
  readonly best: number;
  readonly cancelled: boolean;
}

export const PORTABLE_GROWER: TreeGrower = {
  name: "portable",
  bin: binRows,
  logisticGradients: (scores, labels, weights, out) =>
    fillGradients({ kind: "logistic" }, scores, labels, weights, out),
  grow: growPortably,
};

/**
 * Gradient boosting over histograms. The same rows, parameters and seed give the same ensemble bit for bit, on every
 * machine, with every grower and any number of threads.
 *
 * @throws InputError for parameters or rows outside of what `TreeParameters` and `TreeDataset` allow.
 */
export function trainTrees(
  dataset: TreeDataset,
  parameters: TreeParameters,
  options: TrainingOptions = {},
): TrainedTrees {
  checkParameters(parameters, dataset.names);
  const { objective } = parameters;
  const data = checkDataset(dataset, objective, "training rows");
  const validation =
    options.validation && checkDataset(options.validation, objective, "validation rows", dataset.names);
  const grower = options.grower ?? PORTABLE_GROWER;
  const { control } = options;
  const width = dataset.names.length;
  const binned = grower.bin(data.rows, cutFeatures(data.rows, width, parameters.bins));
  const random = new Random(parameters.seed);
  const limits = {
    ...parameters,
    monotone: Int8Array.from(dataset.names, (name) => parameters.monotone[name] ?? 0),
  };

  const base = baseScore(objective, data.labels, data.weights);
  const scores = new Float64Array(data.count).fill(base);
  const validationScores = new Float64Array(validation?.count ?? 0).fill(base);
  const pairs = new Float64Array(2 * data.count);
  const leaves = new Int32Array(data.count);
  const trees: Tree[] = [];
  const history: TreeRound[] = [];
  let best = 0;
  let leastLoss = Number.POSITIVE_INFINITY;
  let cancelled = false;

  while (trees.length < parameters.trees) {
    if (control !== undefined && Atomics.load(control, CANCEL) !== 0) {
      cancelled = true;
      break;
    }
    if (objective.kind === "logistic") grower.logisticGradients(scores, data.labels, data.weights, pairs);
    else fillGradients(objective, scores, data.labels, data.weights, pairs);
    const rows = drawSample(random, data.count, parameters.rowSample);
    const features = drawSample(random, width, parameters.columnSample);
    leaves.fill(-1);
    const grown = grower.grow(binned, pairs, rows, features, limits, leaves);
    if (rows.length < data.count) routeOthers(grown, binned, leaves);
    const weights = objective.kind === "quantile" ? leafQuantiles(grown, leaves) : grown.weight;
    const tree = toTree(grown, binned, weights, parameters.learningRate);
    trees.push(tree);
    for (let row = 0; row < data.count; row++) scores[row] = scores[row]! + tree.value[leaves[row]!]!;

    let round: TreeRound = { trees: trees.length };
    if (options.trainingLoss) {
      round = { ...round, training: meanLoss(objective, scores, data.labels, data.weights) };
    }
    if (validation !== undefined) {
      for (let row = 0; row < validation.count; row++) {
        const leaf = leafOf(tree, validation.rows, row * width);
        validationScores[row] = validationScores[row]! + tree.value[leaf]!;
      }
      const loss = meanLoss(objective, validationScores, validation.labels, validation.weights);
      round = { ...round, validation: loss };
      if (loss < leastLoss) {
        leastLoss = loss;
        best = trees.length;
      }
    }
    history.push(round);
    if (control !== undefined) Atomics.store(control, PROGRESS, trees.length);
    options.onProgress?.(round);
    const { earlyStoppingRounds } = parameters;
    if (validation !== undefined && earlyStoppingRounds > 0 && trees.length - best >= earlyStoppingRounds) break;
  }
  if (validation === undefined || parameters.earlyStoppingRounds === 0) best = trees.length;
  const ensemble = { objective, features: [...dataset.names], base, trees: trees.slice(0, best) };
  return { ensemble, history, best, cancelled };

  /** Newton steps make no quantiles: a leaf takes that of the residuals of its rows. */
  function leafQuantiles(grown: GrownTree, at: Int32Array): Float64Array {
    const alpha = objective.kind === "quantile" ? objective.alpha : 0.5;
    const weights = new Float64Array(grown.nodes);
    const members = Array.from({ length: grown.nodes }, (): number[] => []);
    for (let row = 0; row < data.count; row++) members[at[row]!]!.push(row);
    for (const [node, rows] of members.entries()) {
      if (rows.length === 0) continue;
      const residuals = Float64Array.from(rows, (row) => data.labels[row]! - scores[row]!);
      weights[node] = weightedQuantile(
        residuals,
        Float64Array.from(rows, (row) => data.weights[row]!),
        alpha,
      );
    }
    return weights;
  }
}

/** Numbers below `count`, ascending: all of them, or a share chosen at random (selection sampling, Knuth 3.4.2 S). */
function drawSample(random: Random, count: number, share: number): Int32Array {
  if (share === 1) return Int32Array.from({ length: count }, (_, i) => i);
  const wanted = Math.ceil(count * share);
  const sample = new Int32Array(wanted);
  let taken = 0;
  for (let i = 0; taken < wanted; i++) {
    if ((count - i) * random.uniform() < wanted - taken) sample[taken++] = i;
  }
  return sample;
}

/** The leaves of the rows that the tree was not grown from. */
function routeOthers(grown: GrownTree, { rows, stride, bins }: BinnedRows, leaves: Int32Array): void {
  for (let row = 0; row < rows; row++) {
    if (leaves[row] !== -1) continue;
    let node = 0;
    for (let feature = grown.feature[0]!; feature >= 0; feature = grown.feature[node]!) {
      const bin = bins[row * stride + feature]!;
      const goesLeft = bin === MISSING_BIN ? grown.missingLeft[node] === 1 : bin <= grown.bin[node]!;
      node = grown.left[node]! + (goesLeft ? 0 : 1);
    }
    leaves[row] = node;
  }
}

/** Largest float32: every finite value is at most this. */
const LARGEST = 3.4028234663852886e38;

function toTree(grown: GrownTree, { cuts }: BinnedRows, weights: Float64Array, learningRate: number): Tree {
  const nodes = Array.from({ length: grown.nodes }, (_, node) => node);
  const leaf = (node: number) => grown.feature[node]! < 0;
  return {
    feature: nodes.map((node) => grown.feature[node]!),
    // A split behind the last cut parts what is there from what is missing.
    threshold: nodes.map((node) => (leaf(node) ? 0 : (cuts[grown.feature[node]!]![grown.bin[node]!] ?? LARGEST))),
    missingLeft: nodes.map((node) => grown.missingLeft[node]!),
    left: nodes.map((node) => grown.left[node]!),
    // Adding zero makes a positive zero of a negative one, which JSON would not keep.
    value: nodes.map((node) => (leaf(node) ? Math.fround(weights[node]! * learningRate) + 0 : 0)),
    gain: nodes.map((node) => grown.gain[node]!),
    cover: nodes.map((node) => grown.cover[node]!),
  };
}

/** @throws InputError that names the parameter and what is allowed. */
export function checkParameters(parameters: TreeParameters, names: readonly string[]): void {
  const { objective, monotone } = parameters;
  const demand = (name: keyof TreeParameters, allowed: string, holds: (x: number) => boolean) => {
    const value = parameters[name] as number;
    if (!holds(value)) throw new InputError(`training: ${name} is ${value}; allowed: ${allowed}`, 2);
  };
  const whole = (low: number, high: number) => (x: number) => Number.isInteger(x) && x >= low && x <= high;
  const share = (x: number) => x > 0 && x <= 1;
  const penalty = (x: number) => x >= 0 && x <= 1e100;
  demand("trees", "1 to 100000", whole(1, 100_000));
  demand("depth", "1 to 12", whole(1, 12));
  demand("learningRate", "above 0, at most 1", share);
  demand("lambda", "0 or more", penalty);
  demand("alpha", "0 or more", penalty);
  demand("gamma", "0 or more", penalty);
  demand("minChildWeight", "above 0", (x) => x > 0 && x <= 1e100);
  demand("bins", `2 to ${MOST_BINS}`, whole(2, MOST_BINS));
  demand("rowSample", "above 0, at most 1", share);
  demand("columnSample", "above 0, at most 1", share);
  demand("seed", "0 to 4294967295", whole(0, 4_294_967_295));
  demand("earlyStoppingRounds", "0 or more", whole(0, 100_000));
  demand("threads", "1 to 64", whole(1, 64));
  if (objective.kind === "quantile") {
    if (!(objective.alpha > 0 && objective.alpha < 1)) {
      throw new InputError(`training: the quantile ${objective.alpha} does not lie between 0 and 1`, 2);
    }
    if (Object.keys(monotone).length > 0) {
      throw new InputError("training: the quantile objective cannot keep monotone constraints", 2);
    }
  }
  for (const [name, sign] of Object.entries(monotone)) {
    if (!names.includes(name)) throw new InputError(`training: monotone names "${name}", which is no feature`, 2);
    if (sign !== 1 && sign !== -1) throw new InputError(`training: monotone of ${name} is ${sign}; allowed: 1, -1`, 2);
  }
}

interface CheckedDataset {
  readonly count: number;
  readonly rows: Float32Array;
  readonly labels: Float64Array;
  readonly weights: Float64Array;
}

/** Far below where squares and sums overflow. */
const LARGEST_LABEL = 1e100;

function checkDataset(
  { names, rows, labels, weights }: TreeDataset,
  objective: TreeObjective,
  what: string,
  expected = names,
): CheckedDataset {
  const wrong = (message: string): never => {
    throw new InputError(`${what}: ${message}`);
  };
  if (names.length === 0 || names.length > MOST_FEATURES) wrong(`${names.length} features; 1 to ${MOST_FEATURES}`);
  if (new Set(names).size !== names.length) wrong("two features have the same name");
  const other = expected.findIndex((name, i) => names[i] !== name);
  if (other >= 0 || names.length !== expected.length) wrong("the features are not those of the training rows");
  const count = labels.length;
  if (count === 0) wrong("there are none");
  if (rows.length !== count * names.length) {
    wrong(`${rows.length} numbers are not ${count} rows of ${names.length} features`);
  }
  for (let i = 0; i < rows.length; i++) {
    const x = rows[i]!;
    if (Number.isFinite(x) || Number.isNaN(x)) continue;
    wrong(`row ${Math.floor(i / names.length)}, ${names[i % names.length]}: ${x}; allowed: finite, or NaN (missing)`);
  }
  const [low, high] = objective.kind === "logistic" ? [0, 1] : [-LARGEST_LABEL, LARGEST_LABEL];
  const checkedLabels = Float64Array.from(labels);
  for (const [i, label] of checkedLabels.entries()) {
    if (!(label >= low && label <= high)) wrong(`label ${i} is ${label}; allowed: ${low} to ${high}`);
  }
  if (weights !== undefined && weights.length !== count) wrong(`${weights.length} weights for ${count} rows`);
  const checkedWeights = weights === undefined ? new Float64Array(count).fill(1) : Float64Array.from(weights);
  let total = 0;
  for (const [i, weight] of checkedWeights.entries()) {
    if (!(weight >= 0 && weight <= LARGEST_LABEL)) wrong(`weight ${i} is ${weight}; allowed: 0 or more`);
    total += weight;
  }
  if (total === 0) wrong("all weights are 0");
  return { count, rows, labels: checkedLabels, weights: checkedWeights };
}
