import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { InputError } from "../input-error.ts";
import { MODEL_COLUMNS } from "../learning/dataset.ts";
import type { AskedModel, ServedModel } from "../learning/judge.ts";
import { type ModelManifest, type ModelStrategy, ONNX_KIND } from "../learning/manifest.ts";
import { scoreAtOnce, scoreOf } from "../learning/nets.ts";
import { ModelFolder, type ModelRegistry, type RegisteredModel } from "../learning/registry.ts";
import { loadTrees } from "../learning/trees.ts";
import { BlockingOnnxModel } from "../models/process/blocking-model.ts";
import type { OnnxRuntime } from "../models/process/model-process.ts";
import { openModel } from "../models/registry.ts";
import type { TreeEngine } from "../models/trees/engine.ts";
import { chooseTreeEngine } from "../native.ts";

export function modelRegistry(settings: Pick<Settings, "DATA_DIR">): ModelRegistry {
  return new ModelFolder(join(settings.DATA_DIR, "models"));
}

/** What every model that is asked brings along. */
interface Serving {
  /** Who answers, for people. */
  readonly server: string;
  /** Frees what it holds elsewhere. */
  close(): void;
}

export type LiveModel = AskedModel & Serving;
export type WaitedModel = ServedModel & Serving;

const NET_SERVER = "ONNX Runtime process";
const treeServer = ({ name }: TreeEngine) => `tree walker (${name})`;

export type ServingSettings = Pick<Settings, "PROCESS_MEMORY_LIMIT_MB">;

/**
 * A model that answers at once, checked from end to end, for programs that have nothing else to do: trees are walked in
 * this thread, and for a net it waits.
 *
 * @throws InputError for anything that is not what was registered
 */
export function serveModel(registry: ModelRegistry, id: string, settings: ServingSettings): WaitedModel {
  const { manifest } = registry.get(id);
  const served = waited(manifest, registry.artefact(manifest.id), settings);
  try {
    checkProof(manifest, served.score(...proofOf(manifest)));
  } catch (error) {
    served.close();
    throw error;
  }
  return served;
}

function waited(manifest: ModelManifest, artefact: Uint8Array, settings: ServingSettings): WaitedModel {
  const where = `model ${manifest.id}`;
  if (manifest.kind === ONNX_KIND) {
    const net = waitedNet(artefact, where, settings);
    return { manifest, score: (x) => scoreAtOnce(net, x, where), server: NET_SERVER, close: () => net.close() };
  }
  const engine = chooseTreeEngine("auto");
  const { score } = loadTrees(artefact, where, engine);
  return { manifest, score, server: treeServer(engine), close: () => {} };
}

/** Time after which a net counts as hung where nobody trades, ms. It ends the program. */
const PATIENCE = 600_000;

/** A net over the columns of this build. @throws InputError for one that cannot be served */
export function waitedNet(bytes: Uint8Array, where: string, settings: ServingSettings): BlockingOnnxModel {
  return new BlockingOnnxModel(bytes, MODEL_COLUMNS, where, {
    memoryLimit: settings.PROCESS_MEMORY_LIMIT_MB,
    deadline: PATIENCE,
  });
}

let opened = 0;

/**
 * A model for a live run. Trees are walked in this thread once the walker has agreed with ONNX Runtime; anything else
 * answers from the process for models.
 *
 * @throws InputError for anything that is not what was registered; ModelProcessLost when there was no answer
 */
export async function openLiveModel(registry: ModelRegistry, id: string, runtime: OnnxRuntime): Promise<LiveModel> {
  const { manifest } = registry.get(id);
  const { kind, artefact, columns } = manifest;
  const where = `model ${manifest.id}`;
  const bytes = registry.artefact(manifest.id);
  const engine = chooseTreeEngine("auto");
  // One model may be open twice: as the shadow that it was, and as the champion that it becomes.
  const name = `${where}, opened ${++opened}`;
  const source = { bytes, sha256: artefact.sha256, features: columns, where, name };
  const model = await openModel(kind, source, { engine, process: runtime });
  const live: LiveModel = {
    manifest,
    score: (x) => scoreOf(model, x, where),
    server: kind === ONNX_KIND ? NET_SERVER : treeServer(engine),
    close: () => model.close(),
  };
  try {
    checkProof(manifest, await live.score(...proofOf(manifest)));
  } catch (error) {
    live.close();
    throw error;
  }
  return live;
}

/** Rows that every model must answer with probabilities: nothing known, and the middle of its training data. */
function proofOf({ columns, domain }: ModelManifest): [x: Float32Array, rows: number] {
  const width = columns.length;
  const x = new Float32Array(2 * width).fill(Number.NaN, 0, width);
  x.set(domain.centre, width);
  return [x, 2];
}

function checkProof({ id }: ModelManifest, answers: Float64Array): void {
  if (answers.length !== 2 || answers.some((p) => !(p >= 0 && p <= 1))) {
    throw new InputError(`model ${id} answers ${answers.join(", ")}; probabilities are from 0 to 1`);
  }
}

/** Shows that a model can be served. @throws InputError for one that cannot */
export type Prove = (id: string) => void | Promise<void>;

/** Lets a model that passed the gate decide from now on. @throws InputError for one that may not or cannot */
export async function promoteModel(registry: ModelRegistry, id: string, prove: Prove): Promise<RegisteredModel> {
  const { manifest, state } = registry.get(id);
  // What cannot be served must not be asked to decide.
  await prove(manifest.id);
  if (state !== "champion") registry.move(manifest.id, "champion", "promoted by the operator", Date.now());
  return registry.get(manifest.id);
}

/**
 * Lets the champion before this one decide again; without one the rules, and the champion is retired.
 * @returns the model whose life has gone on
 * @throws InputError where no model ever decided
 */
export async function rollbackModel(
  registry: ModelRegistry,
  strategy: ModelStrategy,
  prove: Prove,
): Promise<RegisteredModel> {
  const champion = registry.champion(strategy);
  const [former] = registry.formerChampions(strategy);
  const reason = "rolled back by the operator";
  if (former !== undefined) {
    await prove(former.manifest.id);
    registry.move(former.manifest.id, "champion", reason, Date.now());
    return registry.get(former.manifest.id);
  }
  if (champion === undefined) {
    throw new InputError(`no model of ${strategy} ever decided; there is nothing to go back to`);
  }
  registry.move(champion.manifest.id, "retired", reason, Date.now());
  return registry.get(champion.manifest.id);
}

/** What a reader of a result by a net must know. */
const ONE_MACHINE =
  "Predictions are by ONNX Runtime: the same bits on the same machine, and not on every machine the same.";

export interface ChosenModel {
  readonly model: WaitedModel | undefined;
  /** What a reader of the result must know of it. */
  readonly assumptions: readonly string[];
}

/**
 * The model that a backtest was asked to use. A backtest looks at the registry for nothing else, so that its result
 * depends on what was asked and not on what was trained since.
 *
 * @throws InputError for a model that there is not, that is for another mode, or that was not let through the gate
 */
export function chooseModel(
  settings: Pick<Settings, "DATA_DIR" | "STRATEGY_MODE"> & ServingSettings,
  { model: id, unpromoted = false }: { readonly model?: string | undefined; readonly unpromoted?: boolean },
): ChosenModel {
  const mode = settings.STRATEGY_MODE;
  if (id === undefined) {
    if (unpromoted) throw new InputError("--unpromoted needs --model ID", 2);
    if (mode === "ict") return { model: undefined, assumptions: [] };
    return { model: undefined, assumptions: [`No model was chosen: ${mode} is ict.`] };
  }
  const registry = modelRegistry(settings);
  const { manifest, state } = registry.get(id);
  if (manifest.strategy !== mode) {
    const { strategy } = manifest;
    throw new InputError(
      `model ${manifest.id} is one of ${strategy}; set STRATEGY_MODE=${strategy} instead of ${mode}`,
      2,
    );
  }
  const failed = manifest.gate.filter(({ passed }) => !passed).map(({ name }) => name);
  if (!manifest.passed && !unpromoted) {
    throw new InputError(
      `model ${manifest.id} did not pass the gate (${failed.join(", ")}); --unpromoted allows it for research`,
      2,
    );
  }
  const who = manifest.passed
    ? `Model ${manifest.id} (${state}) decides.`
    : `UNPROMOTED: model ${manifest.id} did not pass the gate (${failed.join(", ")}). This is research.`;
  return {
    model: serveModel(registry, manifest.id, settings),
    assumptions: manifest.kind === ONNX_KIND ? [who, ONE_MACHINE] : [who],
  };
}
