import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { priceOf } from "../core/instrument.ts";
import { InputError } from "../input-error.ts";
import type { Check, GateLimits } from "../learning/gate.ts";
import type { Learner } from "../learning/learner.ts";
import { type ModelMetrics, type ModelStrategy, ONNX_KIND } from "../learning/manifest.ts";
import type { ModelRegistry, ModelState } from "../learning/registry.ts";
import { type Checkpoint, FEWEST_SAMPLES, type TrainingResult, train } from "../learning/training.ts";
import { treeLearner } from "../learning/trees.ts";
import { REAL } from "../market/bar-source.ts";
import { TIMEFRAMES, timeframeName } from "../market/timeframe.ts";
import { writeTreesOnnx } from "../models/onnx/write-trees.ts";
import { ModelProcess, ModelProcessLost } from "../models/process/model-process.ts";
import { readEnsemble } from "../models/trees/ensemble.ts";
import { agreeWithOnnxRuntime, treesModel } from "../models/trees-model.ts";
import { chooseKernel, chooseTreeEngine } from "../native.ts";
import { readKlines, type SeriesStatus, seriesStatus } from "../store/klines.ts";
import { openStore, type Store } from "../store/store.ts";
import { indicatorOptions, strategyOptionsOf, tradingCosts } from "./assembly.ts";
import type { MarketChoice } from "./backtest.ts";
import { storeOf } from "./data.ts";
import { checkFeatures } from "./feature-checks.ts";
import { GENERATED_START, generatedSource } from "./generated.ts";
import { type History, type LabelledSample, labelHistory } from "./history.ts";
import { recordLineage } from "./model-lineage.ts";
import { modelRegistry, serveModel } from "./models.ts";
import { storeOptions } from "./recording.ts";
import { storedSamples } from "./stored-samples.ts";

/** How a training ended; what `penstock train --json` prints. */
export interface TrainingOutcome {
  /** Absent where there was too little to train on. */
  readonly model: string | null;
  readonly modelHash: string | null;
  readonly strategy: ModelStrategy;
  /** Whether it passed the gate; it then predicts as `shadow`, or decides as `champion`. */
  readonly promoted: boolean;
  readonly state: ModelState | null;
  /** Why not, one line per broken rule; or the rules it kept. */
  readonly reasons: readonly string[];
  readonly metrics: ModelMetrics | null;
  /** The deflated Sharpe ratio that counts this run's trials alone, which anyone can reproduce. */
  readonly deflatedSharpeRun: number | null;
  readonly leakage: { readonly passed: boolean; readonly checks: readonly Check[] };
  readonly samples: number;
  /** What runs have recorded in the store, of any kind of strategy. */
  readonly recordedSamples: number;
  readonly dataHash: string;
  readonly datasetHash: string;
  readonly ledgerHash: string;
  readonly timing: { readonly labelSeconds: number; readonly trainSeconds: number; readonly wallSeconds: number };
}

/** Where the bars come from that are learned from. */
export type TrainingBars =
  | { readonly kind: "recorded"; readonly choice: MarketChoice }
  | { readonly kind: "store"; readonly choice: Omit<MarketChoice, "dir"> }
  /** The market of `penstock run` up to a time. */
  | { readonly kind: "generated"; readonly symbols: number; readonly seed: number; readonly to: number };

export interface TrainOptions {
  readonly data: TrainingBars;
  readonly seed: number;
  /** Who is fitted; the trees of this build when absent. */
  readonly learner?: Learner;
  readonly onProgress?: (what: string, share: number) => void;
  readonly onNotice?: (text: string) => void;
}

export interface Trained {
  readonly outcome: TrainingOutcome;
  /** Absent where there was too little to train on. */
  readonly result: TrainingResult | undefined;
}

/** The models of STRATEGY_MODE; `ict` needs none, and a model that is trained under it is one of `hybrid`. */
export function modelStrategyOf({ STRATEGY_MODE: mode }: Pick<Settings, "STRATEGY_MODE">): ModelStrategy {
  return mode === "self_learning" ? "self_learning" : "hybrid";
}

export function gateLimits(settings: Settings): GateLimits {
  return {
    minSamples: settings.ML_MIN_TRAINING_SAMPLES,
    minDeflatedSharpe: settings.MODEL_MIN_DEFLATED_SHARPE,
    maxOverfitting: settings.MODEL_MAX_OVERFITTING,
    maxCalibrationError: settings.MODEL_MAX_CALIBRATION_ERROR,
    minTrades: settings.MODEL_MIN_TRADES,
  };
}

/** Labels bars, trains, evaluates, judges and registers. @throws InputError for whatever is wrong with the bars */
export async function trainModel(settings: Settings, options: TrainOptions): Promise<Trained> {
  const { onProgress = () => {}, onNotice = () => {}, seed } = options;
  const begun = performance.now();
  clearAway(join(settings.DATA_DIR, "training"));
  const history = await withBars(settings, options.data, (choice, recorded) =>
    labelHistory(settings, choice, onProgress, recorded),
  );
  const labelled = performance.now();
  const strategy = modelStrategyOf(settings);
  const registry = modelRegistry(settings);
  const dataset = strategy === "hybrid" ? history.ict : history.probes;
  const least = Math.max(settings.ML_MIN_TRAINING_SAMPLES, FEWEST_SAMPLES);
  const seconds = (from: number, to: number) => (to - from) / 1000;
  if (dataset.rows < least) {
    const reason = `samples: ${dataset.rows} samples, at least ${least}`;
    return {
      result: undefined,
      outcome: {
        model: null,
        modelHash: null,
        strategy,
        promoted: false,
        state: null,
        reasons: [reason],
        metrics: null,
        deflatedSharpeRun: null,
        leakage: { passed: true, checks: [] },
        samples: dataset.rows,
        recordedSamples: history.recorded,
        dataHash: history.dataHash,
        datasetHash: dataset.hash,
        ledgerHash: registry.ledger.hash,
        timing: {
          labelSeconds: seconds(begun, labelled),
          trainSeconds: 0,
          wallSeconds: seconds(begun, performance.now()),
        },
      },
    };
  }
  const champion = registry.champion(strategy);
  const key = createHash("sha256")
    .update(JSON.stringify([strategy, dataset.hash, seed]))
    .digest("hex")
    .slice(0, 16);
  const checkpoint = new CheckpointFolder(join(settings.DATA_DIR, "training", key));
  const served = champion && serveModel(registry, champion.manifest.id, settings);
  const result = train({
    strategy,
    dataset,
    ict: history.ict,
    minConfidence: settings.MIN_CONFIDENCE,
    dataHash: history.dataHash,
    learner: options.learner ?? treeLearner(chooseTreeEngine(settings.PENSTOCK_KERNEL)),
    seed,
    limits: gateLimits(settings),
    ledger: registry.ledger,
    champion: served,
    featureChecks: featureChecks(settings, history),
    now: Date.now(),
    onProgress,
    ...(options.learner === undefined ? { checkpoint } : {}),
  });
  served?.close();
  const onnx = await checkedOnnx(settings, result);
  const state = register(settings, registry, result, onnx);
  await lineage(settings, registry, onNotice);
  checkpoint.clear();
  const { manifest } = result;
  const rules = manifest.gate.filter(({ passed }) => passed === manifest.passed);
  const ended = performance.now();
  return {
    result,
    outcome: {
      model: manifest.id,
      modelHash: manifest.modelHash,
      strategy,
      promoted: manifest.passed,
      state,
      reasons: rules.map(({ name, detail }) => `${name}: ${detail}`),
      metrics: manifest.metrics,
      deflatedSharpeRun: result.details.deflatedSharpeRun,
      leakage: { passed: manifest.leakage.every(({ passed }) => passed), checks: manifest.leakage },
      samples: manifest.samples,
      recordedSamples: history.recorded,
      dataHash: manifest.dataHash,
      datasetHash: manifest.datasetHash,
      ledgerHash: manifest.ledgerHash,
      timing: {
        labelSeconds: seconds(begun, labelled),
        trainSeconds: seconds(labelled, ended),
        wallSeconds: seconds(begun, ended),
      },
    },
  };
}

/** Time for ONNX Runtime to start and to answer, ms. */
const RUNTIME_DEADLINE = 60_000;

/**
 * The model as ONNX, unless that is what it is. One that may come to decide must predict in ONNX Runtime what our walker predicts, to 1e-6; its
 * artefact is known by its hash from then on.
 */
async function checkedOnnx(
  settings: Settings,
  { manifest, artefact }: TrainingResult,
): Promise<Uint8Array | undefined> {
  if (manifest.kind === ONNX_KIND) return undefined;
  const where = `model ${manifest.id}`;
  const ensemble = readEnsemble(JSON.parse(new TextDecoder().decode(artefact)), where);
  if (manifest.passed) {
    const runtime = new ModelProcess({
      memoryLimit: settings.PROCESS_MEMORY_LIMIT_MB,
      deadline: RUNTIME_DEADLINE,
      loadDeadline: RUNTIME_DEADLINE,
    });
    const walker = treesModel(ensemble, chooseTreeEngine(settings.PENSTOCK_KERNEL));
    try {
      await agreeWithOnnxRuntime(ensemble, walker, runtime, where);
    } catch (error) {
      if (!(error instanceof ModelProcessLost)) throw error;
      throw new InputError(`${where} could not be compared with ONNX Runtime: ${error.message}`);
    } finally {
      runtime.close();
    }
  }
  return writeTreesOnnx(ensemble);
}

/** Models and trials in the store too; the files are enough where it is away. */
async function lineage(settings: Settings, registry: ModelRegistry, onNotice: (text: string) => void): Promise<void> {
  if (!settings.ENABLE_STORE) return;
  let store: Store | undefined;
  try {
    store = await openStore(storeOptions(settings));
    await recordLineage(store.sql, registry);
  } catch (error) {
    // Whatever a database says of itself: the registry has it all, and the next training writes it.
    onNotice(`the store does not know of this model yet: ${(error as Error).message}`);
  } finally {
    await store?.close();
  }
}

/** Takes the model in and gives it the place it has earned. One that is known already stays what it is. */
function register(
  settings: Settings,
  registry: ModelRegistry,
  { manifest, artefact, details }: TrainingResult,
  onnx: Uint8Array | undefined,
): ModelState {
  const { id, passed, gate, createdAt } = manifest;
  registry.add(manifest, artefact, onnx === undefined ? { details } : { onnx, details });
  if (registry.get(id).state === "candidate") {
    const failed = gate.filter((rule) => !rule.passed).map(({ name }) => name);
    registry.move(id, passed ? "shadow" : "refused", passed ? "passed the gate" : failed.join(", "), createdAt);
    if (passed && settings.MODEL_SHADOW_HOURS === 0) {
      registry.move(id, "champion", "passed the gate, and MODEL_SHADOW_HOURS is 0", createdAt);
    }
  }
  return registry.get(id).state;
}

/** On the bars of the first symbol: the code that computes features is the same for all. */
function featureChecks(settings: Settings, { source }: History): Check[] {
  const [bars] = source.share(0, 1).histories;
  return checkFeatures(bars!, source.timeframe, {
    kernel: chooseKernel(settings.PENSTOCK_KERNEL).name,
    ...indicatorOptions(settings),
    strategyOptions: strategyOptionsOf(settings),
  });
}

/** Finished pieces as files in a folder that is removed when the training has ended. */
class CheckpointFolder implements Checkpoint {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  get(name: string): unknown {
    const path = this.#path(name);
    if (!existsSync(path)) return undefined;
    try {
      return JSON.parse(readFileSync(path, "utf8"));
    } catch {
      // Cut off while it was written: that piece is worked out again.
      return undefined;
    }
  }

  put(name: string, value: unknown): void {
    writing(this.#path(name), (path) => {
      mkdirSync(this.#dir, { recursive: true });
      writeFileSync(path, JSON.stringify(value));
    });
  }

  clear(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#dir, `${name.replaceAll(" ", "-")}.json`);
  }
}

/** Pieces of a training that nobody went on with for so long belong to bars that have been added to since, ms. */
const FORGOTTEN = 7 * 24 * 3_600_000;

/** Removes what trainings have left that were killed: bars whose process is gone, and pieces that nobody goes on with. */
function clearAway(dir: string): void {
  if (!existsSync(dir)) return;
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const [, pid] = /^bars-(\d+)$/.exec(name) ?? [];
    // Another training may remove the same at the same time.
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    // In a container the number of this process may well be that of one before it.
    const isLeft =
      pid === undefined ? Date.now() - changed > FORGOTTEN : Number(pid) === process.pid || !isAlive(Number(pid));
    if (isLeft) rmSync(path, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process is one too.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** @throws InputError when the disk does not take it */
function writing(path: string, write: (path: string) => void): void {
  try {
    write(path);
  } catch (error) {
    throw new InputError(`${path}: cannot be written: ${(error as Error).message}`);
  }
}

async function withBars<Value>(
  settings: Settings,
  data: TrainingBars,
  use: (choice: MarketChoice, recorded: readonly LabelledSample[]) => Promise<Value>,
): Promise<Value> {
  if (data.kind === "recorded") return use(data.choice, []);
  const dir = join(settings.DATA_DIR, "training", `bars-${process.pid}`);
  try {
    if (data.kind === "store") {
      const recorded = await writeStored(settings, dir, data.choice);
      return await use({ ...data.choice, dir }, recorded);
    }
    writeGenerated(data, dir);
    return await use({ dir, from: GENERATED_START }, []);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Writes the store's bars as files. @returns what runs have recorded on the same market */
async function writeStored(
  settings: Settings,
  dir: string,
  { from, to }: { readonly from?: number | undefined; readonly to?: number | undefined },
): Promise<LabelledSample[]> {
  const store = await storeOf(settings);
  try {
    const timeframe = await writeBars(store, dir);
    return await storedSamples(store.sql, {
      timeframe,
      costs: tradingCosts(settings, []),
      fundingRate: settings.SIMULATED_FUNDING_RATE,
      range: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
    });
  } finally {
    await store.close();
  }
}

/** The generated market as files. Its warm-up is in them. */
function writeGenerated({ seed, symbols, to }: { seed: number; symbols: number; to: number }, dir: string): void {
  const source = generatedSource(seed, symbols);
  const lines = source.instruments.map(() => [HEADER]);
  for (let step = source.step(); step !== undefined && step.openTime < to; step = source.step()) {
    for (const [symbol, instrument] of source.instruments.entries()) {
      if (step.status[symbol] !== REAL) continue;
      const prices = [step.open, step.high, step.low, step.close].map((column) =>
        priceOf(instrument, column[symbol]!).toFixed(instrument.priceDecimals),
      );
      lines[symbol]!.push([step.openTime, ...prices, step.volume[symbol]].join(","));
    }
  }
  writing(dir, () => mkdirSync(dir, { recursive: true }));
  for (const [symbol, { symbol: name }] of source.instruments.entries()) {
    const file = join(dir, `generated-${name}-${timeframeName(source.timeframe)}.csv`);
    writing(file, () => writeFileSync(file, `${lines[symbol]!.join("\n")}\n`));
  }
}

const HEADER = "open_time,open,high,low,close,volume";

/** Strategies need bars of at most 5m. */
const COARSEST = TIMEFRAMES["5m"];

/** The store's bars as files, so that training has one way to read them. Of the timeframe that has most series. */
async function writeBars(store: Store, dir: string): Promise<number> {
  const series = (await seriesStatus(store.sql)).filter(({ timeframe }) => timeframe <= COARSEST);
  const counts = new Map<number, number>();
  for (const { timeframe } of series) counts.set(timeframe, (counts.get(timeframe) ?? 0) + 1);
  const [most] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  if (most === undefined) {
    throw new InputError("the store holds no bars of 1m or 5m; penstock data import DIR, or give --data DIR");
  }
  writing(dir, () => mkdirSync(dir, { recursive: true }));
  for (const each of series) if (each.timeframe === most[0]) await writeSeries(store, dir, each);
  return most[0];
}

async function writeSeries(store: Store, dir: string, { symbol, timeframe, bars }: SeriesStatus): Promise<void> {
  const { openTime, open, high, low, close, volume } = await readKlines(store.sql, symbol, timeframe, bars);
  const lines = [HEADER];
  for (let i = 0; i < openTime.length; i++) {
    lines.push([openTime[i], open[i], high[i], low[i], close[i], volume[i]].join(","));
  }
  writing(join(dir, `store-${symbol}-${timeframeName(timeframe)}.csv`), (path) =>
    writeFileSync(path, `${lines.join("\n")}\n`),
  );
}
