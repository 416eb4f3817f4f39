import { InputError } from "../../input-error.ts";
import type { TreeEnsemble, TreeObjective } from "../trees/ensemble.ts";
import { toTree } from "./nodes.ts";

/** Bits of decision_type (LightGBM, include/LightGBM/tree.h). */
const CATEGORICAL = 1;
const DEFAULT_LEFT = 2;
const MISSING_SHIFT = 2;
const MISSING_IS_ZERO = 1;
const MISSING_IS_NAN = 2;

/**
 * An ensemble from LightGBM's text format: binary, regression and quantile objectives, without categories, linear leaves
 * or zeros as missing values. Thresholds and leaves are rounded to float32; thresholds so that float32 values decide alike.
 *
 * @throws InputError for everything else.
 */
export function readLightgbm(text: string, where: string): TreeEnsemble {
  const wrong = (what: string): never => {
    throw new InputError(`${where}: ${what}`);
  };
  const end = text.indexOf("\nend of trees");
  if (end < 0) wrong("is truncated: the line `end of trees` is missing");
  const [head, ...blocks] = text.slice(0, end).split(/\n(?=Tree=)/);
  const header = fieldsOf(head!);
  if (header.get("num_class") !== "1" || header.get("num_tree_per_iteration") !== "1") {
    wrong("it predicts more than one number");
  }
  if (/^average_output$/m.test(head!)) wrong("random forests, which average, cannot be imported");
  const { objective, scale } = objectiveOf(header.get("objective") ?? "");
  const features = (header.get("feature_names") ?? "").split(" ").filter((name) => name !== "");
  if (features.length !== Number(header.get("max_feature_idx")) + 1)
    wrong("feature_names does not fit max_feature_idx");
  return { objective, features, base: 0, trees: blocks.map(readTree) };

  function objectiveOf(line: string): { objective: TreeObjective; scale: number } {
    const [kind, ...rest] = line.split(" ");
    const option = (key: string) => Number(rest.find((each) => each.startsWith(`${key}:`))?.slice(key.length + 1));
    if (kind === "binary") {
      const sigmoid = option("sigmoid");
      return { objective: { kind: "logistic" }, scale: Number.isNaN(sigmoid) ? 1 : sigmoid };
    }
    if (kind === "regression" && !rest.includes("sqrt")) return { objective: { kind: "squared" }, scale: 1 };
    // The text names the quantile among the parameters only.
    const alpha = Number(/^\[alpha: ([\d.e-]+)\]$/m.exec(text)?.[1]);
    if (kind === "quantile" && alpha > 0 && alpha < 1) return { objective: { kind: "quantile", alpha }, scale: 1 };
    return wrong(`the objective ${line || "is missing"}; allowed: binary, regression, quantile`);
  }

  function readTree(block: string, index: number) {
    const which = `${where}: tree ${index}`;
    const fields = fieldsOf(block);
    const leaves = Number(fields.get("num_leaves"));
    if (!(Number.isInteger(leaves) && leaves > 0)) throw new InputError(`${which}: num_leaves is missing`);
    if (fields.get("num_cat") !== "0") throw new InputError(`${which}: splits on categories cannot be imported`);
    if ((fields.get("is_linear") ?? "0") !== "0") throw new InputError(`${which}: linear leaves cannot be imported`);
    const list = (key: string, length: number): number[] => {
      const numbers = (fields.get(key) ?? "").split(" ").filter((each) => each !== "");
      // A threshold beyond all values, which parts them from those that are missing, is written as `inf`.
      const values = numbers.map((each) => (each === "inf" ? Number.POSITIVE_INFINITY : Number(each)));
      if (values.length === length && !values.some(Number.isNaN)) return values;
      throw new InputError(`${which}: ${key} has ${values.length} numbers where ${length} belong`);
    };
    const splits = leaves - 1;
    const values = list("leaf_value", leaves);
    const feature = list("split_feature", splits);
    const threshold = list("threshold", splits);
    const types = list("decision_type", splits);
    const left = list("left_child", splits);
    const right = list("right_child", splits);
    const gain = list("split_gain", splits);
    // Splits are numbered from 0, leaves are the complements of their numbers; here they follow the splits.
    const place = (child: number) => (child >= 0 ? child : splits + ~child);
    return toTree((node) => {
      if (node >= splits) {
        const value = values[node - splits];
        return value === undefined ? undefined : { kind: "leaf", value: value * scale };
      }
      const type = types[node]!;
      const missing = (type >> MISSING_SHIFT) & 3;
      if ((type & CATEGORICAL) !== 0) throw new InputError(`${which}: splits on categories cannot be imported`);
      if (missing === MISSING_IS_ZERO) throw new InputError(`${which}: zeros as missing values cannot be imported`);
      return {
        kind: "split",
        feature: feature[node]!,
        threshold: threshold[node]!,
        // Where no value was missing, LightGBM takes NaN for 0.
        missingLeft: missing === MISSING_IS_NAN ? (type & DEFAULT_LEFT) !== 0 : threshold[node]! >= 0,
        left: place(left[node]!),
        right: place(right[node]!),
        gain: gain[node]!,
      };
    }, which);
  }
}

function fieldsOf(block: string): Map<string, string> {
  return new Map(
    block.split("\n").flatMap((line) => {
      const equals = line.indexOf("=");
      return equals < 0 ? [] : [[line.slice(0, equals), line.slice(equals + 1).trim()] as const];
    }),
  );
}
