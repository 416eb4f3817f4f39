import { describe, expect, test } from "bun:test";
import { Random } from "../../../src/market/random.ts";
import { binOf, cutFeatures, MISSING_BIN } from "../../../src/models/trees/bins.ts";
import { importanceOf, leafOf, predictTrees, readEnsemble, type Tree } from "../../../src/models/trees/ensemble.ts";
import { fillGradients, roundToGrid, weightedQuantile } from "../../../src/models/trees/objective.ts";
import { CANCEL, PROGRESS, TREE_DEFAULTS, type TreeParameters, trainTrees } from "../../../src/models/trees/train.ts";
import { noisyRows, splitRows } from "./data.ts";

const PARAMETERS: TreeParameters = { ...TREE_DEFAULTS, trees: 10, depth: 4, learningRate: 0.2 };

function predictions(ensemble: Parameters<typeof predictTrees>[0], rows: Float32Array): Float64Array {
  const out = new Float64Array(rows.length / ensemble.features.length);
  predictTrees(ensemble, rows, out);
  return out;
}

describe("splits", () => {
  /** The best gain over all features, cuts between values and both ways of missing values, straight from the definition. */
  function bestGain(rows: number[][], pairs: [number, number][], parameters: TreeParameters): number {
    const score = (G: number, H: number) => {
      const shrunk = Math.sign(G) * Math.max(Math.abs(G) - parameters.alpha, 0);
      return shrunk ** 2 / (H + parameters.lambda);
    };
    const sum = (members: number[], part: 0 | 1) => members.reduce((total, i) => total + pairs[i]![part], 0);
    const all = rows.map((_, i) => i);
    let best = 0;
    for (let f = 0; f < rows[0]!.length; f++) {
      for (const cut of rows.map((row) => row[f]!)) {
        for (const missingLeft of [false, true]) {
          const isLeft = (i: number) => (Number.isNaN(rows[i]![f]) ? missingLeft : rows[i]![f]! <= cut);
          const [left, right] = [all.filter(isLeft), all.filter((i) => !isLeft(i))];
          if (left.length === 0 || right.length === 0) continue;
          const [HL, HR] = [sum(left, 1), sum(right, 1)];
          if (HL < parameters.minChildWeight || HR < parameters.minChildWeight) continue;
          const gain = score(sum(left, 0), HL) + score(sum(right, 0), HR) - score(sum(all, 0), HL + HR);
          if (gain > best) best = gain;
        }
      }
    }
    return best;
  }

  for (const [name, change] of Object.entries({
    plain: {},
    penalised: { lambda: 3, alpha: 0.8, minChildWeight: 4 },
    squared: { objective: { kind: "squared" }, lambda: 0 },
    "with a least gain": { gamma: 2 },
  } as Record<string, Partial<TreeParameters>>)) {
    test(`every node takes the best split there is: ${name}`, () => {
      for (let seed = 1; seed <= 4; seed++) {
        const data = noisyRows(80, 5, seed);
        const parameters = { ...PARAMETERS, trees: 1, depth: 3, ...change };
        const tree = trainTrees(data, parameters).ensemble.trees[0]!;
        const base = trainTrees(data, parameters).ensemble.base;
        const pairs = new Float64Array(160);
        fillGradients(
          parameters.objective,
          new Float64Array(80).fill(base),
          data.labels,
          new Float64Array(80).fill(1),
          pairs,
        );
        const members = Array.from(tree.feature, (): number[] => []);
        for (let i = 0; i < 80; i++) for (const node of pathOf(tree, data.rows, i * 5)) members[node]!.push(i);
        let splits = 0;
        for (const [node, inside] of members.entries()) {
          const depth = pathOf(tree, data.rows, inside[0]! * 5).indexOf(node);
          const best = bestGain(
            inside.map((i) => [...data.rows.subarray(i * 5, i * 5 + 5)]),
            inside.map((i) => [pairs[2 * i]!, pairs[2 * i + 1]!]),
            parameters,
          );
          const cover = inside.reduce((sum, i) => sum + pairs[2 * i + 1]!, 0);
          expect(tree.cover[node]).toBeCloseTo(cover, 9);
          if (tree.feature[node]! >= 0) {
            expect(tree.gain[node]).toBeCloseTo(best, 9);
            splits++;
          } else if (depth < 3) {
            expect(best).toBeLessThanOrEqual(parameters.gamma + 1e-9);
          }
        }
        expect(splits).toBeGreaterThan(0);
      }
    });
  }

  function pathOf(tree: Tree, rows: Float32Array, start: number): number[] {
    const path = [0];
    const goal = leafOf(tree, rows, start);
    while (path.at(-1) !== goal) {
      const node = path.at(-1)!;
      const x = rows[start + tree.feature[node]!]!;
      const left = Number.isNaN(x) ? tree.missingLeft[node] === 1 : x <= tree.threshold[node]!;
      path.push(tree.left[node]! + (left ? 0 : 1));
    }
    return path;
  }

  test("a value that is missing can be all that matters", () => {
    const rows = Float32Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? Number.NaN : i));
    const labels = Float64Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 1 : 0));
    const { ensemble } = trainTrees({ names: ["x"], rows, labels }, { ...PARAMETERS, depth: 1, trees: 1 });
    // The threshold is above all values there are; 100 rows on each side, at p (1 - p) = 1/4 each.
    expect(ensemble.trees[0]).toMatchObject({ feature: [0, -1, -1], missingLeft: [0, 0, 0], cover: [50, 25, 25] });
    expect(ensemble.trees[0]!.threshold[0]).toBeGreaterThan(1e38);
    const [missing, present] = predictions(ensemble, Float32Array.of(Number.NaN, 3));
    expect(missing!).toBeGreaterThan(0.55);
    expect(present!).toBeLessThan(0.45);
  });

  test("a value that was never missing goes with the majority", () => {
    const rows = Float32Array.from({ length: 100 }, (_, i) => i);
    const labels = Float64Array.from({ length: 100 }, (_, i) => (i < 80 ? 1 : 0));
    const { ensemble } = trainTrees({ names: ["x"], rows, labels }, { ...PARAMETERS, depth: 1, trees: 1 });
    expect(ensemble.trees[0]).toMatchObject({ feature: [0, -1, -1], threshold: [79.5, 0, 0], missingLeft: [1, 0, 0] });
  });
});

describe("bins", () => {
  test("few values each have a bin, and cuts lie between them", () => {
    const [cuts] = cutFeatures(Float32Array.of(3, -0, 1, Number.NaN, 0, 3), 1, 254);
    expect([...cuts!]).toEqual([0.5, 2]);
    expect([-5, 0.5, 1, 2, 2.5].map((x) => binOf(x, cuts!))).toEqual([0, 0, 1, 1, 2]);
    expect(binOf(Number.NaN, cuts!)).toBe(MISSING_BIN);
  });

  test("neighbouring float32 values are told apart", () => {
    const next = 1 + 2 ** -23;
    const [cuts] = cutFeatures(Float32Array.of(1, next), 1, 254);
    expect([binOf(1, cuts!), binOf(next, cuts!)]).toEqual([0, 1]);
  });

  test("many values share bins evenly, a frequent one has its own", () => {
    const random = new Random(5);
    const rows = Float32Array.from({ length: 20_000 }, () => (random.chance(0.5) ? 0.25 : random.normal()));
    const [cuts] = cutFeatures(rows, 1, 64);
    expect(cuts!.length).toBeGreaterThan(40);
    expect(cuts!.length).toBeLessThan(64);
    const counts = new Map<number, number>();
    for (const x of rows) counts.set(binOf(x, cuts!), (counts.get(binOf(x, cuts!)) ?? 0) + 1);
    const own = binOf(0.25, cuts!);
    expect(counts.get(own)).toBeLessThan(rows.filter((x) => x === 0.25).length + 700);
    counts.delete(own);
    expect(Math.max(...counts.values())).toBeLessThan(700);
  });

  test("without any value there is no cut", () => {
    expect(cutFeatures(Float32Array.of(Number.NaN, Number.NaN), 1, 254)[0]).toHaveLength(0);
  });
});

describe("sums", () => {
  test("on the grid they are exact in every order, and hardly changed", () => {
    const random = new Random(2);
    for (const scale of [1, 1e-12, 1e30, 3e-200]) {
      const pairs = Float64Array.from({ length: 2000 }, () => random.normal() * scale);
      const before = pairs.slice();
      roundToGrid(pairs);
      let forwards = 0;
      let backwards = 0;
      for (let i = 0; i < 2000; i++) forwards += pairs[i]!;
      for (let i = 1999; i >= 0; i--) backwards += pairs[i]!;
      expect(forwards).toBe(backwards);
      for (let i = 0; i < 2000; i++) expect(Math.abs(pairs[i]! - before[i]!)).toBeLessThan(scale * 1e-11);
    }
    const zeros = new Float64Array(4);
    roundToGrid(zeros);
    expect(zeros).toEqual(new Float64Array(4));
  });

  test("the weighted quantile is where that share of the weight lies", () => {
    expect(weightedQuantile(Float64Array.of(3, 1, 2), Float64Array.of(1, 1, 1), 0.5)).toBe(2);
    expect(weightedQuantile(Float64Array.of(3, 1, 2), Float64Array.of(8, 1, 1), 0.5)).toBe(3);
    expect(weightedQuantile(Float64Array.of(3, 1, 2), Float64Array.of(1, 1, 1), 0.01)).toBe(1);
  });
});

describe("boosting", () => {
  test("each objective beats its base on rows it has not seen", () => {
    for (const objective of [{ kind: "logistic" }, { kind: "squared" }, { kind: "quantile", alpha: 0.8 }] as const) {
      const data = noisyRows(1500, 6, 11, objective.kind === "logistic" ? "binary" : "number");
      const [train, validation] = splitRows(data, 1000);
      const { history } = trainTrees(train, { ...PARAMETERS, objective }, { validation, trainingLoss: true });
      expect(history).toHaveLength(10);
      expect(history.at(-1)!.validation!).toBeLessThan(history[0]!.validation! * 0.93);
      expect(history.at(-1)!.training!).toBeLessThan(history.at(-1)!.validation!);
    }
  });

  test("the quantile lies above the share it is named after", () => {
    const data = noisyRows(2000, 4, 12, "number");
    const [train, rest] = splitRows(data, 1000);
    for (const alpha of [0.1, 0.5, 0.9]) {
      const { ensemble } = trainTrees(train, { ...PARAMETERS, objective: { kind: "quantile", alpha }, depth: 3 });
      const below = predictions(ensemble, rest.rows).filter((q, i) => rest.labels[i]! <= q).length / 1000;
      expect(Math.abs(below - alpha)).toBeLessThan(0.06);
    }
  });

  test("a weight of two is a row twice, and of zero is no row", () => {
    const random = new Random(4);
    const data = noisyRows(300, 4, 4);
    const rows = data.rows.map((x) => Math.round(x * 8) / 8);
    const weights = data.labels.map(() => random.whole(0, 3));
    const times = [...weights].flatMap((weight, i) => new Array<number>(weight).fill(i));
    const repeated = {
      names: data.names,
      rows: Float32Array.from(times.flatMap((i) => [...rows.subarray(i * 4, i * 4 + 4)])),
      labels: Float64Array.from(times, (i) => data.labels[i]!),
    };
    const one = trainTrees({ ...data, rows, weights }, PARAMETERS).ensemble;
    const other = trainTrees(repeated, PARAMETERS).ensemble;
    expect(one.trees.map(({ feature }) => feature)).toEqual(other.trees.map(({ feature }) => feature));
    const [a, b] = [predictions(one, rows), predictions(other, rows)];
    for (const [i, p] of a.entries()) expect(p).toBeCloseTo(b[i]!, 6);
  });

  test("under a monotone constraint no prediction falls as the feature rises", () => {
    const data = noisyRows(1500, 6, 21);
    const parameters = { ...PARAMETERS, depth: 5, trees: 20, monotone: { f0: 1, f2: -1 } } as const;
    const free = trainTrees(data, { ...parameters, monotone: {} }).ensemble;
    const bound = trainTrees(data, parameters).ensemble;
    const violations = (ensemble: typeof free, place: number, sign: number) => {
      const line = new Float32Array(60 * 6);
      let count = 0;
      for (let i = 0; i < 60; i++) {
        for (let k = 0; k < 60; k++) {
          line.set(data.rows.subarray(i * 6, i * 6 + 6), k * 6);
          line[k * 6 + place] = (k - 30) / 8;
        }
        const p = predictions(ensemble, line);
        for (let k = 1; k < 60; k++) if (sign * p[k]! < sign * p[k - 1]!) count++;
      }
      return count;
    };
    expect([violations(bound, 0, 1), violations(bound, 2, -1)]).toEqual([0, 0]);
    expect(violations(free, 0, 1) + violations(free, 2, -1)).toBeGreaterThan(0);
  });

  test("early stopping keeps the best round", () => {
    const [train, validation] = splitRows(noisyRows(900, 8, 31), 600);
    const parameters = { ...PARAMETERS, trees: 200, learningRate: 0.4, depth: 5, earlyStoppingRounds: 7 };
    const { ensemble, history, best } = trainTrees(train, parameters, { validation });
    const losses = history.map((round) => round.validation!);
    expect(losses.indexOf(Math.min(...losses))).toBe(best - 1);
    expect(ensemble.trees).toHaveLength(best);
    expect(history).toHaveLength(best + 7);
    const shorter = trainTrees(train, { ...parameters, trees: best, earlyStoppingRounds: 0 }).ensemble;
    expect(ensemble).toEqual(shorter);
  });

  test("the seed decides what is drawn, and nothing else does", () => {
    const data = noisyRows(800, 8, 41);
    const parameters = { ...PARAMETERS, rowSample: 0.6, columnSample: 0.5 };
    const first = trainTrees(data, parameters).ensemble;
    expect(trainTrees(data, parameters).ensemble).toEqual(first);
    expect(trainTrees(data, { ...parameters, seed: 2 }).ensemble).not.toEqual(first);
    expect(trainTrees(data, { ...PARAMETERS, seed: 2 }).ensemble).toEqual(trainTrees(data, PARAMETERS).ensemble);
    for (const tree of first.trees) {
      expect(new Set(tree.feature.filter((place) => place >= 0)).size).toBeLessThanOrEqual(4);
    }
  });

  test("training can be stopped from outside, and tells how far it is", () => {
    const control = new Int32Array(new SharedArrayBuffer(8));
    const { ensemble, cancelled } = trainTrees(noisyRows(300, 4, 1), PARAMETERS, {
      control,
      onProgress: ({ trees }) => {
        if (trees === 3) Atomics.store(control, CANCEL, 1);
      },
    });
    expect([ensemble.trees.length, cancelled, control[PROGRESS]]).toEqual([3, true, 3]);
  });

  test("importance adds up what splits gained", () => {
    const { ensemble } = trainTrees(noisyRows(2000, 6, 51), PARAMETERS);
    const importance = importanceOf(ensemble);
    expect(importance.map(({ feature }) => feature).sort()).toEqual([...ensemble.features]);
    const gains = ensemble.trees.flatMap(({ gain }) => gain).reduce((a, b) => a + b);
    expect(importance.reduce((sum, { gain }) => sum + gain, 0)).toBeCloseTo(gains, 6);
    // The features with a signal come before those without.
    expect(
      importance
        .slice(0, 4)
        .map(({ feature }) => feature)
        .sort(),
    ).toEqual(["f0", "f1", "f2", "f3"]);
  });
});

describe("what is refused", () => {
  const data = noisyRows(50, 3, 1);
  const cases: [string, () => unknown][] = [
    ["training: depth is 0; allowed: 1 to 12", () => trainTrees(data, { ...PARAMETERS, depth: 0 })],
    ["learningRate is NaN", () => trainTrees(data, { ...PARAMETERS, learningRate: Number.NaN })],
    ["minChildWeight is 0; allowed: above 0", () => trainTrees(data, { ...PARAMETERS, minChildWeight: 0 })],
    ['monotone names "g", which is no feature', () => trainTrees(data, { ...PARAMETERS, monotone: { g: 1 } })],
    ["150 numbers are not 49 rows of 3", () => trainTrees({ ...data, labels: data.labels.slice(1) }, PARAMETERS)],
    ["row 1, f2: Infinity", () => trainTrees({ ...data, rows: data.rows.with(5, Infinity) }, PARAMETERS)],
    ["label 2 is 3; allowed: 0 to 1", () => trainTrees({ ...data, labels: data.labels.with(2, 3) }, PARAMETERS)],
    ["weight 0 is -1", () => trainTrees({ ...data, weights: data.labels.map(() => -1) }, PARAMETERS)],
    ["all weights are 0", () => trainTrees({ ...data, weights: data.labels.map(() => 0) }, PARAMETERS)],
    [
      "validation rows: the features are not those",
      () => trainTrees(data, PARAMETERS, { validation: { ...data, names: ["f0", "f2", "f1"] } }),
    ],
  ];
  for (const [message, run] of cases) test(message, () => expect(run).toThrow(message));
});

describe("an ensemble as JSON", () => {
  const { ensemble } = trainTrees(noisyRows(200, 3, 1), { ...PARAMETERS, trees: 2, depth: 2 });
  const copy = () => JSON.parse(JSON.stringify(ensemble));

  test("is the same when it comes back", () => {
    expect(readEnsemble(copy(), "model.json")).toStrictEqual(ensemble);
  });

  const faults: [string, (model: ReturnType<typeof copy>) => void][] = [
    ["model.json: objective must be", (model) => Object.assign(model, { objective: { kind: "softmax" } })],
    ["two features have the same name", (model) => Object.assign(model, { features: ["a", "a", "b"] })],
    ["base must be a finite number", (model) => Object.assign(model, { base: null })],
    ["tree 0: node 0 splits on feature 3 of 3", (model) => Object.assign(model.trees[0].feature, { 0: 3 })],
    ["tree 1: node 0 has no two children", (model) => Object.assign(model.trees[1].left, { 0: 0 })],
    ["tree 0: the threshold of node 0 is no float32", (model) => Object.assign(model.trees[0].threshold, { 0: 0.1 })],
    ["tree 0: value must be a list of finite numbers", (model) => Object.assign(model.trees[0].value, { 1: null })],
    ["tree 0: gain has", (model) => model.trees[0].gain.pop()],
  ];
  for (const [message, spoil] of faults) {
    test(`with a fault is refused: ${message}`, () => {
      const model = copy();
      spoil(model);
      expect(() => readEnsemble(model, "model.json")).toThrow(message);
    });
  }
});
