import { InputError } from "../input-error.ts";
import { Random } from "../market/random.ts";
import { checkRows, type Model } from "./model.ts";
import { writeTreesOnnx } from "./onnx/write-trees.ts";
import type { OnnxRuntime } from "./process/model-process.ts";
import { PORTABLE_ENGINE, type TreeEngine } from "./trees/engine.ts";
import type { TreeEnsemble } from "./trees/ensemble.ts";

/** Trees, walked in this thread. */
export function treesModel(ensemble: TreeEnsemble, engine: TreeEngine = PORTABLE_ENGINE): Model {
  const walk = engine.prepare(ensemble);
  return {
    name: "trees",
    features: ensemble.features,
    missing: "allowed",
    predict(rows, out) {
      checkRows(this, rows, out);
      walk(rows, out);
    },
    close() {},
  };
}

const GATE_ROWS = 512;
const TOLERANCE = 1e-6;

/**
 * Lets a walker be accepted only when it agrees with ONNX Runtime on the same trees. Rows are drawn around the
 * thresholds of the ensemble itself, on them and with missing values, where walkers that are wrong would differ.
 * Probabilities may differ by 1e-6; numbers of other units by 1e-6 of what all leaves together can add, because ONNX
 * Runtime adds in float32.
 *
 * @returns the largest difference.
 * @throws InputError when they differ by more; ModelProcessLost when there was no answer.
 */
export async function agreeWithOnnxRuntime(
  ensemble: TreeEnsemble,
  model: Model,
  runtime: OnnxRuntime,
  where: string,
  as = where,
): Promise<number> {
  const rows = gateRows(ensemble);
  const own = new Float64Array(GATE_ROWS);
  await model.predict(rows, own);
  const name = `${as} (gate)`;
  await runtime.load(name, writeTreesOnnx(ensemble), ensemble.features.length, where);
  const theirs = await runtime.predict(name, rows).finally(() => runtime.unload(name));
  const reach = ensemble.trees.reduce((sum, { value }) => sum + value.reduce((a, b) => Math.max(a, Math.abs(b)), 0), 0);
  const unit = ensemble.objective.kind === "logistic" ? 1 : Math.max(1, reach + Math.abs(ensemble.base));
  let largest = 0;
  for (let row = 0; row < GATE_ROWS; row++) {
    const difference = Math.abs(own[row]! - theirs[row]!);
    if (!(difference <= TOLERANCE * unit)) {
      throw new InputError(
        `${where}: row ${row} of the gate is ${own[row]} here and ${theirs[row]} by ONNX Runtime; ` +
          `allowed: ${TOLERANCE * unit} apart`,
      );
    }
    if (difference > largest) largest = difference;
  }
  return largest;
}

function gateRows({ trees, features }: TreeEnsemble): Float32Array {
  const random = new Random(1);
  const thresholds = features.map((): number[] => [0]);
  for (const tree of trees) {
    for (const [node, feature] of tree.feature.entries()) thresholds[feature]?.push(tree.threshold[node]!);
  }
  return Float32Array.from({ length: GATE_ROWS * features.length }, (_, i) => {
    const own = thresholds[i % features.length]!;
    const x = own[random.whole(0, own.length - 1)]!;
    if (random.chance(0.1)) return Number.NaN;
    const beside = x + random.normal() * (Math.abs(x) + 0.1);
    // A threshold may be the largest float32 there is.
    return random.chance(0.5) || !Number.isFinite(Math.fround(beside)) ? x : beside;
  });
}
