/**
 * Training of 200 trees of depth 6 on 50,000 rows of 31 features, beside XGBoost (hist) and LightGBM in interleaved
 * rounds, and how well each does on rows it has not seen: three data sets, one of them recorded, three seeds. Times
 * include the making of bins. On a machine that others use too the processor time of one thread says more than the clock.
 *
 * Run: `PENSTOCK_PYTHON=… bun bench/models/training.ts [speed | accuracy]`, with a Python that has xgboost, lightgbm and
 * numpy.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { ln } from "../../src/models/exact-math.ts";
import type { TreeDataset } from "../../src/models/trees/objective.ts";
import { TREE_DEFAULTS, type TreeParameters, trainTrees } from "../../src/models/trees/train.ts";
import { availableTreeEngines, chooseTreeEngine } from "../../src/native.ts";
import { recordedMonth, type Split, synthetic } from "./data.ts";
import { Peers } from "./peers.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SEEDS = [1, 2, 3];
const ENGINE = chooseTreeEngine("auto");
const CONTENDERS = ["penstock", "xgboost", "lightgbm"] as const;
type Contender = (typeof CONTENDERS)[number];

const PARAMETERS: TreeParameters = { ...TREE_DEFAULTS, trees: 200, depth: 6, learningRate: 0.1 };

const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
const peers = new Peers(folder);
try {
  const { xgboost, lightgbm } = await peers.versions();
  console.log(`${ENGINE.name}; XGBoost ${xgboost}, LightGBM ${lightgbm}; load ${loadavg()[0]!.toFixed(1)}`);
  const [only] = process.argv.slice(2);
  const strong = synthetic("strong", "logistic", 1, 50_000, 1);
  expectSameBits(strong);
  await load(strong);
  if (only !== "accuracy") for (const threads of [1, 2]) await speed(strong, threads);
  if (only !== "speed") {
    await accuracy(strong);
    for (const split of [
      synthetic("weak", "logistic", 0.1, 50_000, 2),
      synthetic("number", "squared", 1, 50_000, 3),
      recordedMonth(),
    ]) {
      if (split === undefined) continue;
      await load(split);
      await accuracy(split);
    }
  }
  console.log(`load ${loadavg()[0]!.toFixed(1)}`);
} finally {
  peers.end();
  rmSync(folder, { recursive: true, force: true });
}

async function load({ name, train, test }: Split): Promise<void> {
  await peers.load(`${name}-train`, train);
  await peers.load(`${name}-test`, test);
}

/** Every engine, on two threads too, grows the same trees. */
function expectSameBits({ train }: Split): void {
  const few = { ...PARAMETERS, trees: 3 };
  const [first, ...others] = availableTreeEngines().flatMap(({ grower }) =>
    [1, 2].map((threads) => JSON.stringify(trainTrees(train, { ...few, threads }, { grower }).ensemble)),
  );
  if (others.some((other) => other !== first)) throw new Error("the engines do not grow the same trees");
}

async function accuracy({ name, kind, train, test }: Split): Promise<void> {
  const losses: Record<Contender, number[]> = { penstock: [], xgboost: [], lightgbm: [] };
  for (const seed of SEEDS) {
    const parameters = { ...PARAMETERS, objective: { kind }, seed, rowSample: 0.8, columnSample: 0.8 } as const;
    const { ensemble } = trainTrees(train, parameters, { grower: ENGINE.grower });
    const own = new Float64Array(test.labels.length);
    ENGINE.prepare(ensemble)(test.rows, own);
    losses.penstock.push(loss(kind, own, test));
    for (const peer of ["xgboost", "lightgbm"] as const) {
      await peers.train(peer, `${name}-train`, parameters);
      losses[peer].push(loss(kind, await peers.score(peer, `${name}-test`), test));
    }
  }
  const shown = CONTENDERS.map((each) => `${each} ${losses[each].map((x) => x.toFixed(5)).join(" ")}`);
  const measure = kind === "squared" ? "squared error" : "log loss";
  console.log(`${name} (${train.labels.length} rows), ${measure}: ${shown.join("; ")}`);
}

async function speed({ name, train }: Split, threads: number): Promise<void> {
  const parameters = { ...PARAMETERS, threads };
  const times: Record<Contender, { wall: number; cpu: number }[]> = { penstock: [], xgboost: [], lightgbm: [] };
  for (let round = ROUNDS > 1 ? 0 : 1; round <= ROUNDS; round++) {
    const own = timed(() => trainTrees(train, parameters, { grower: ENGINE.grower }));
    const rivals = {
      xgboost: await peers.train("xgboost", `${name}-train`, parameters),
      lightgbm: await peers.train("lightgbm", `${name}-train`, parameters),
    };
    // The first round warms up.
    if (round === 0) continue;
    times.penstock.push(own);
    for (const peer of ["xgboost", "lightgbm"] as const) times[peer].push(rivals[peer]);
  }
  for (const each of CONTENDERS) {
    const ratio = median(times[each].map(({ cpu }, i) => cpu / times.penstock[i]!.cpu));
    const [wall, cpu] = [times[each].map((time) => time.wall), times[each].map((time) => time.cpu)];
    console.log(
      `${threads} thread(s), ${each}: clock ${median(wall).toFixed(0)} ms (least ${Math.min(...wall).toFixed(0)}), ` +
        `processor ${median(cpu).toFixed(0)} ms (least ${Math.min(...cpu).toFixed(0)}), ${ratio.toFixed(2)} times ours`,
    );
  }
}

function timed(work: () => void): { wall: number; cpu: number } {
  const before = process.cpuUsage();
  const start = performance.now();
  work();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { wall, cpu: (user + system) / 1000 };
}

function loss(kind: Split["kind"], predictions: Float64Array, { labels }: TreeDataset): number {
  let sum = 0;
  for (const [i, p] of predictions.entries()) {
    const label = labels[i]!;
    sum += kind === "squared" ? (p - label) * (p - label) : 0 - ln(label === 1 ? p : 1 - p);
  }
  return sum / predictions.length;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
