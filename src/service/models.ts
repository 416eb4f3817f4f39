import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { InputError } from "../input-error.ts";
import type { ServedModel } from "../learning/judge.ts";
import type { ModelStrategy } from "../learning/manifest.ts";
import { ModelFolder, type ModelRegistry, type RegisteredModel } from "../learning/registry.ts";
import { loadTrees } from "../learning/trees.ts";
import { chooseTreeEngine } from "../native.ts";

export function modelRegistry(settings: Pick<Settings, "DATA_DIR">): ModelRegistry {
  return new ModelFolder(join(settings.DATA_DIR, "models"));
}

/** A model with its trees, checked from end to end. @throws InputError for anything that is not what was registered */
export function serveModel(registry: ModelRegistry, id: string): ServedModel {
  const { manifest } = registry.get(id);
  const scorer = loadTrees(registry.artefact(manifest.id), `model ${manifest.id}`, chooseTreeEngine("auto"));
  const served: ServedModel = { manifest, score: (x, rows) => scorer.score(x, rows) };
  proveModel(served);
  return served;
}

/** Rows that every model must answer with probabilities: nothing known, and the middle of its training data. */
function proveModel({ manifest, score }: ServedModel): void {
  const width = manifest.columns.length;
  const x = new Float32Array(2 * width).fill(Number.NaN, 0, width);
  x.set(manifest.domain.centre, width);
  const answers = score(x, 2);
  if (answers.length !== 2 || answers.some((p) => !(p >= 0 && p <= 1))) {
    throw new InputError(`model ${manifest.id} answers ${answers.join(", ")}; probabilities are from 0 to 1`);
  }
}

/** Lets a model that passed the gate decide from now on. @throws InputError for one that may not or cannot */
export function promoteModel(registry: ModelRegistry, id: string): RegisteredModel {
  const { manifest, state } = registry.get(id);
  // What cannot be served must not be asked to decide.
  serveModel(registry, manifest.id);
  if (state !== "champion") registry.move(manifest.id, "champion", "promoted by the operator", Date.now());
  return registry.get(manifest.id);
}

/**
 * Lets the champion before this one decide again; without one the rules, and the champion is retired.
 * @returns the model whose life has gone on
 * @throws InputError where no model ever decided
 */
export function rollbackModel(registry: ModelRegistry, strategy: ModelStrategy): RegisteredModel {
  const champion = registry.champion(strategy);
  const [former] = registry.formerChampions(strategy);
  const reason = "rolled back by the operator";
  if (former !== undefined) {
    serveModel(registry, former.manifest.id);
    registry.move(former.manifest.id, "champion", reason, Date.now());
    return registry.get(former.manifest.id);
  }
  if (champion === undefined) {
    throw new InputError(`no model of ${strategy} ever decided; there is nothing to go back to`);
  }
  registry.move(champion.manifest.id, "retired", reason, Date.now());
  return registry.get(champion.manifest.id);
}

export interface ChosenModel {
  readonly model: ServedModel | undefined;
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
  settings: Pick<Settings, "DATA_DIR" | "STRATEGY_MODE">,
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
  const model = serveModel(registry, manifest.id);
  if (manifest.passed) return { model, assumptions: [`Model ${manifest.id} (${state}) decides.`] };
  const failed = manifest.gate.filter(({ passed }) => !passed).map(({ name }) => name);
  if (!unpromoted) {
    throw new InputError(
      `model ${manifest.id} did not pass the gate (${failed.join(", ")}); --unpromoted allows it for research`,
      2,
    );
  }
  return {
    model,
    assumptions: [`UNPROMOTED: model ${manifest.id} did not pass the gate (${failed.join(", ")}). This is research.`],
  };
}
