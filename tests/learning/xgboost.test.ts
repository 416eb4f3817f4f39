import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rowsAt, valuesAt } from "../../src/learning/dataset.ts";
import { fit } from "../../src/learning/evaluation.ts";
import { walkForward } from "../../src/learning/folds.ts";
import type { Learner } from "../../src/learning/learner.ts";
import { auc } from "../../src/learning/scores.ts";
import { TREE_BINS, TREE_PATIENCE, TREE_ROUNDS, TREE_VARIANTS, treeLearner } from "../../src/learning/trees.ts";
import { chooseTreeEngine } from "../../src/native.ts";
import { plantedDataset } from "./planted.ts";

// .ci/run makes a Python that has the package `xgboost`.
const python = process.env.PENSTOCK_TEST_PYTHON;

/** Trains on every fold of a folder as it is told, and writes what it predicts for the fold's test rows. */
const SCRIPT = `
import json, sys
import numpy as np
import xgboost as xgb
folder = sys.argv[1]
task = json.load(open(folder + "/task.json"))
x = np.fromfile(folder + "/x", dtype=np.float32).reshape(-1, task["width"])
y = np.fromfile(folder + "/y", dtype=np.float64)
w = np.fromfile(folder + "/w", dtype=np.float64)
rows = lambda places: xgb.DMatrix(x[places], label=y[places], weight=w[places], nthread=1)
found = []
for fold in task["folds"]:
    p = fold["parameters"]
    booster = xgb.train(
        {"objective": "binary:logistic", "tree_method": "hist", "max_depth": p["depth"], "eta": p["learningRate"],
         "min_child_weight": p["minChildWeight"], "colsample_bytree": p["columnSample"], "lambda": 1,
         "max_bin": task["bins"], "nthread": 1, "seed": fold["seed"], "verbosity": 0},
        rows(fold["train"]), task["rounds"], evals=[(rows(fold["validation"]), "v")],
        early_stopping_rounds=task["patience"], verbose_eval=False)
    found.append(booster.predict(rows(fold["test"]), iteration_range=(0, booster.best_iteration + 1)))
np.concatenate(found).astype(np.float64).tofile(folder + "/p")
`;

/** One seed and two variants in a run of the tests; PENSTOCK_TEST_SEEDS=3 prints the figures of docs/learning.md. */
const seeds = Number(process.env.PENSTOCK_TEST_SEEDS ?? 1);
const variants = process.env.PENSTOCK_TEST_SEEDS === undefined ? TREE_VARIANTS.slice(0, 2) : TREE_VARIANTS;

test.skipIf(python === undefined)(
  "a planted signal is found as well as XGBoost finds it on the same folds (PENSTOCK_TEST_PYTHON names a Python with xgboost)",
  () => {
    const trees = treeLearner(chooseTreeEngine("auto"));
    for (let seed = 1; seed <= seeds; seed++) {
      const dataset = plantedDataset("signal", seed, 3000);
      const folds = walkForward(dataset, 5);
      const tested = folds.flatMap((fold) => [...fold.test]);
      const labels = valuesAt(dataset.y, tested);
      const given: object[] = [];
      const ours = variants.map((variant) => {
        const scores = folds.flatMap((fold) => {
          // Writes down what the fit is given, for XGBoost to be given the same.
          const watched: Learner = {
            ...trees,
            fit(data, train, validation, ...rest) {
              const [trained, validated] = [[...train], [...validation]];
              given.push({ ...variant, seed, train: trained, validation: validated, test: [...fold.test] });
              return trees.fit(data, train, validation, ...rest);
            },
          };
          const { scorer } = fit(watched, dataset, fold.train, variant, seed);
          return [...scorer.score(rowsAt(dataset, fold.test), fold.test.length)];
        });
        return auc(scores, labels);
      });
      const scores = xgboostScores(dataset, given);
      expect(scores).toHaveLength(variants.length * tested.length);
      for (const [v, { name }] of variants.entries()) {
        const theirs = auc(scores.subarray(v * tested.length, (v + 1) * tested.length), labels);
        if (seeds > 1) console.log(`seed ${seed}, ${name}: ${ours[v]!.toFixed(4)}, XGBoost ${theirs.toFixed(4)}`);
        expect(ours[v]!).toBeGreaterThan(theirs - 0.01);
      }
    }
  },
);

function xgboostScores(
  { x, y, weight, columns }: ReturnType<typeof plantedDataset>,
  folds: readonly object[],
): Float64Array {
  const folder = mkdtempSync(join(tmpdir(), "penstock-xgboost-"));
  try {
    writeFileSync(join(folder, "x"), x);
    writeFileSync(join(folder, "y"), y);
    writeFileSync(join(folder, "w"), weight);
    const task = { width: columns.length, bins: TREE_BINS, rounds: TREE_ROUNDS, patience: TREE_PATIENCE, folds };
    writeFileSync(join(folder, "task.json"), JSON.stringify(task));
    const { stderr, exitCode } = Bun.spawnSync([python!, "-c", SCRIPT, folder], {
      env: { ...process.env, OMP_WAIT_POLICY: "PASSIVE" },
    });
    if (exitCode !== 0) throw new Error(stderr.toString());
    return new Float64Array(readFileSync(join(folder, "p")).buffer.slice(0));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
