import { InputError } from "../../input-error.ts";
import { ln } from "../exact-math.ts";
import type { TreeEnsemble, TreeObjective } from "../trees/ensemble.ts";
import { below, toTree } from "./nodes.ts";

/** What is read of a tree of XGBoost's JSON (https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html). */
const TREE_FIELDS = [
  "left_children",
  "right_children",
  "split_indices",
  "split_conditions",
  "default_left",
  "loss_changes",
  "sum_hessian",
] as const;

type Json = Readonly<Record<string, unknown>>;

/**
 * An ensemble from a model that XGBoost saved as JSON: binary:logistic, reg:squarederror, reg:quantileerror of one
 * quantile, without categories. If it was trained with early stopping, trees after the best iteration are left out.
 *
 * @throws InputError for everything else.
 */
export function readXgboost(json: unknown, where: string): TreeEnsemble {
  const wrong = (what: string): never => {
    throw new InputError(`${where}: ${what}`);
  };
  const at = (value: unknown, ...path: string[]): unknown =>
    path.reduce(
      (inner, key) => (typeof inner === "object" && inner !== null ? (inner as Json)[key] : undefined),
      value,
    );
  const learner = at(json, "learner");
  const booster = at(learner, "gradient_booster");
  const name = at(booster, "name");
  if (name !== "gbtree") return wrong(`the booster is ${name ?? "missing"}; only gbtree can be imported`);
  const objective = objectiveOf(at(learner, "objective"));
  const classes = Number(at(learner, "learner_model_param", "num_class") ?? 0);
  const targets = Number(at(learner, "learner_model_param", "num_target") ?? 1);
  if (classes > 1 || targets > 1) wrong("it predicts more than one number");
  const width = Number(at(learner, "learner_model_param", "num_feature"));
  if (!(Number.isInteger(width) && width > 0)) wrong("num_feature is missing");
  const named = at(learner, "feature_names");
  const names = Array.isArray(named) && named.length > 0 ? named.map(String) : undefined;
  if (names !== undefined && names.length !== width) wrong(`${names.length} feature names for ${width} features`);

  // Of one or, since release 3.1, of a list.
  const score = Number(String(at(learner, "learner_model_param", "base_score")).replace(/^\[|\]$/g, ""));
  if (!Number.isFinite(score)) wrong("base_score is no number");
  if (objective.kind === "logistic" && !(score > 0 && score < 1)) wrong(`a base_score of ${score} is no probability`);
  const trees = at(booster, "model", "trees");
  if (!Array.isArray(trees)) return wrong("there are no trees");
  const best = at(learner, "attributes", "best_iteration");
  const used = best === undefined ? trees : trees.slice(0, Number(best) + 1);
  return {
    objective,
    features: names ?? Array.from({ length: width }, (_, i) => `f${i}`),
    base: objective.kind === "logistic" ? ln(score / (1 - score)) : score,
    trees: used.map((tree, index) => readTree(tree as Json, `${where}: tree ${index}`)),
  };

  function objectiveOf(value: unknown): TreeObjective {
    const kind = at(value, "name");
    if (kind === "binary:logistic") return { kind: "logistic" };
    if (kind === "reg:squarederror") return { kind: "squared" };
    const alpha = Number(String(at(value, "quantile_loss_param", "quantile_alpha")).replace(/^[[(]|,?[\])]$/g, ""));
    if (kind === "reg:quantileerror" && alpha > 0 && alpha < 1) return { kind: "quantile", alpha };
    return wrong(
      `the objective ${kind ?? "is missing"}; allowed: binary:logistic, reg:squarederror, reg:quantileerror of one quantile`,
    );
  }

  function readTree(tree: Json, which: string) {
    const lists = {} as Record<(typeof TREE_FIELDS)[number], number[]>;
    for (const field of TREE_FIELDS) {
      const list = tree[field];
      if (!Array.isArray(list)) throw new InputError(`${which}: ${field} is missing`);
      lists[field] = list.map(Number);
    }
    const categorical = tree.split_type;
    if (Array.isArray(categorical) && categorical.some((type) => type !== 0)) {
      throw new InputError(`${which}: splits on categories cannot be imported`);
    }
    return toTree((node) => {
      const value = lists.split_conditions[node];
      if (value === undefined) return undefined;
      const left = lists.left_children[node]!;
      const cover = lists.sum_hessian[node] ?? 0;
      if (left === -1) return { kind: "leaf", value, cover };
      return {
        kind: "split",
        feature: lists.split_indices[node]!,
        // It goes left below the threshold, we do up to it.
        threshold: below(Math.fround(value)),
        missingLeft: lists.default_left[node] === 1,
        left,
        right: lists.right_children[node]!,
        gain: lists.loss_changes[node] ?? 0,
        cover,
      };
    }, which);
  }
}
