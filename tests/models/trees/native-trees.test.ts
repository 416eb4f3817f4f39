import { describe, expect, test } from "bun:test";
import { Random } from "../../../src/market/random.ts";
import { PORTABLE_ENGINE } from "../../../src/models/trees/engine.ts";
import { predictTrees, type TreeEnsemble } from "../../../src/models/trees/ensemble.ts";
import { fillGradients } from "../../../src/models/trees/objective.ts";
import { TREE_DEFAULTS, type TreeParameters, trainTrees } from "../../../src/models/trees/train.ts";
import { availableTreeEngines, chooseTreeEngine } from "../../../src/native.ts";
import { noisyRows } from "./data.ts";

const NATIVE = availableTreeEngines().slice(1);

const PARAMETERS: TreeParameters = { ...TREE_DEFAULTS, trees: 4, depth: 5, learningRate: 0.3 };

const CASES: Record<string, Partial<TreeParameters>> = {
  plain: {},
  "deep, hardly regularised": { depth: 9, lambda: 0, minChildWeight: 1e-3 },
  "all penalties": { lambda: 2, alpha: 0.5, gamma: 0.7, minChildWeight: 5 },
  sampled: { rowSample: 0.5, columnSample: 0.4 },
  monotone: { monotone: { f0: 1, f5: -1 }, alpha: 0.1 },
  "few bins": { bins: 7 },
  squared: { objective: { kind: "squared" } },
  quantile: { objective: { kind: "quantile", alpha: 0.3 } },
};

/** What the portable grower makes of a case, worked out once for all engines. */
const portably = new Map<string, TreeEnsemble>();

for (const { name: engine, grower } of NATIVE) {
  describe(`growing by ${engine}`, () => {
    for (const [name, change] of Object.entries(CASES)) {
      test(`gives the portable bits at any number of threads: ${name}`, () => {
        for (const features of [1, 5, 19]) {
          const named = change.monotone && features < 6 ? { ...change, monotone: { f0: 1 as const } } : change;
          const random = new Random(features);
          const data = noisyRows(500, features < 3 ? 4 : features, 3);
          const weights = data.labels.map(() => random.between(0, 3));
          const parameters = { ...PARAMETERS, ...named };
          const key = `${name} ${features}`;
          const portable = portably.get(key) ?? trainTrees({ ...data, weights }, parameters).ensemble;
          portably.set(key, portable);
          expect(portable.trees.some(({ feature }) => feature.length > 3)).toBe(true);
          for (const threads of [1, 2, 7]) {
            const { ensemble } = trainTrees({ ...data, weights }, { ...parameters, threads }, { grower });
            expect(ensemble).toStrictEqual(portable);
          }
        }
      });
    }

    test("columns without a value, of one value, and of two", () => {
      const rows = Float32Array.from({ length: 400 }, (_, i) => [Number.NaN, 1, i % 8 === 1 ? 3 : -3, i % 7][i % 4]!);
      const labels = Float64Array.from({ length: 100 }, (_, i) => (i % 7 > 2 ? 1 : 0));
      const data = { names: ["a", "b", "c", "d"], rows, labels };
      const portable = trainTrees(data, PARAMETERS).ensemble;
      expect(trainTrees(data, { ...PARAMETERS, threads: 4 }, { grower }).ensemble).toStrictEqual(portable);
    });

    test("gradients of any score", () => {
      const random = new Random(9);
      const scores = Float64Array.from({ length: 999 }, (_, i) => [random.normal() * 8, 700, -750, 0, -0][i % 5]!);
      const labels = scores.map(() => random.whole(0, 1));
      const weights = scores.map(() => random.uniform());
      const [one, other] = [new Float64Array(1998), new Float64Array(1998)];
      fillGradients({ kind: "logistic" }, scores, labels, weights, one);
      grower.logisticGradients(scores, labels, weights, other);
      expect(other).toStrictEqual(one);
    });

    test("what does not fit is refused and nothing is touched", () => {
      const short = new Float64Array(3);
      expect(() => grower.logisticGradients(new Float64Array(4), short, short, short)).toThrow("needs 4 elements");
      const binned = { rows: 2, features: 1, stride: 16, bins: new Uint8Array(32), cuts: [Float32Array.of(1)] };
      const limits = { ...TREE_DEFAULTS, monotone: new Int8Array(1) };
      const grow = (change: { chosen?: number[]; features?: number[]; bins?: number; threads?: number }) => () =>
        grower.grow(
          { ...binned, bins: new Uint8Array(change.bins ?? 32) },
          new Float64Array(4).fill(1),
          Int32Array.from(change.chosen ?? [0, 1]),
          Int32Array.from(change.features ?? [0]),
          { ...limits, threads: change.threads ?? 1 },
          new Int32Array(2),
        );
      expect(grow({})().nodes).toBe(1);
      expect(grow({ chosen: [0, 2] })).toThrow("refused an index");
      expect(grow({ chosen: [1, 0] })).toThrow("refused an index");
      expect(grow({ features: [1] })).toThrow("refused an index");
      expect(grow({ bins: 31 })).toThrow("needs 32 elements");
      expect(grow({ threads: 65 })).toThrow("refused a length");
    });
  });
}

/** Trees of any shape, with values missing, infinite and on the thresholds. */
function wildEnsemble(random: Random, trees: number, features: number): TreeEnsemble {
  const number = () => Math.fround(random.whole(-8, 8) / 4);
  return {
    objective: random.chance(0.5) ? { kind: "logistic" } : { kind: "squared" },
    features: Array.from({ length: features }, (_, i) => `f${i}`),
    base: random.normal(),
    trees: Array.from({ length: trees }, () => {
      const tree = { feature: [-1], threshold: [0], missingLeft: [0], left: [0], value: [number()] };
      for (let splits = random.whole(0, 40), node = 0; splits > 0 && node < tree.feature.length; node++) {
        if (node > 0 && random.chance(0.4)) continue;
        splits--;
        tree.feature[node] = random.whole(0, features - 1);
        tree.threshold[node] = random.chance(0.05) ? Math.fround(-3.4e38) : number();
        tree.missingLeft[node] = random.whole(0, 1);
        tree.left[node] = tree.feature.length;
        tree.value[node] = 0;
        for (const _ of [0, 1]) {
          tree.feature.push(-1);
          for (const field of ["threshold", "missingLeft", "left"] as const) tree[field].push(0);
          tree.value.push(Math.fround(random.normal()));
        }
      }
      return { ...tree, gain: tree.feature.map(() => 0), cover: tree.feature.map(() => 0) };
    }),
  };
}

for (const engine of NATIVE) {
  test(`walking by ${engine.name} gives the bits of predictTrees for any number of rows`, () => {
    const random = new Random(77);
    for (let round = 0; round < 12; round++) {
      const features = random.whole(1, 40);
      const ensemble = wildEnsemble(random, random.whole(0, 70), features);
      const predict = engine.prepare(ensemble);
      for (const count of [0, 1, 2, 5, 7, 15, 31, 32, 33, 64, 97]) {
        const rows = Float32Array.from({ length: count * features }, () =>
          random.chance(0.1)
            ? [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e-45][random.whole(0, 4)]!
            : random.whole(-10, 10) / 4,
        );
        const [expected, given] = [new Float64Array(count + 1), new Float64Array(count + 1)];
        predictTrees(ensemble, rows, expected);
        predict(rows, given);
        expect(given).toStrictEqual(expected);
      }
    }
  });
}

test("rows that are not whole, or more than there is room for, are refused by every engine", () => {
  const ensemble = wildEnsemble(new Random(1), 3, 4);
  for (const engine of [PORTABLE_ENGINE, ...NATIVE]) {
    const predict = engine.prepare(ensemble);
    expect(() => predict(new Float32Array(7), new Float64Array(2))).toThrow("7 numbers are no rows of 4 features");
    expect(() => predict(new Float32Array(8), new Float64Array(1))).toThrow("2 rows, but room for 1");
  }
});

test("the engine is chosen as the kernel is", () => {
  expect(chooseTreeEngine("auto")).toBe(availableTreeEngines().at(-1)!);
  expect(chooseTreeEngine("portable")).toBe(PORTABLE_ENGINE);
});
